"""A fix of how AllenNLP makes objects from configurations."""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, Union


def typing_union(annotation: Any) -> Any:
    """`Union[X, Y]` for `X | Y`; any other annotation as it is."""
    if not isinstance(annotation, types.UnionType):
        return annotation
    return Union[annotation.__args__]  # noqa: UP007  (made, not written)


@contextmanager
def modern_unions(module: ModuleType) -> Iterator[None]:
    """
    What: `Model | None` in a constructor means what `Optional[Model]` does.

    Where: common/from_params.py tells what to make of a configuration's block from the annotation's `__origin__`.
    Why: unions written with a bar (Python 3.10) had none before Python 3.14, so that the block was handed over as a
    plain dictionary.
    Until: Python 3.14 is the oldest that is supported.
    """
    yield
    if hasattr(int | str, "__origin__"):
        return
    can_construct, remove_optional, construct_arg = (
        module.can_construct_from_params,
        module.remove_optional,
        module.construct_arg,
    )

    @wraps(can_construct)
    def can_construct_any_union(type_: Any) -> bool:
        return bool(can_construct(typing_union(type_)))

    @wraps(remove_optional)
    def remove_optional_of_any_union(annotation: Any) -> Any:
        return remove_optional(typing_union(annotation))

    @wraps(construct_arg)
    def construct_arg_of_any_union(
        class_name: str, argument_name: str, popped_params: Any, annotation: Any, default: Any, **extras: Any
    ) -> Any:
        return construct_arg(class_name, argument_name, popped_params, typing_union(annotation), default, **extras)

    module.can_construct_from_params = can_construct_any_union  # type: ignore[attr-defined]
    module.remove_optional = remove_optional_of_any_union  # type: ignore[attr-defined]
    module.construct_arg = construct_arg_of_any_union  # type: ignore[attr-defined]
