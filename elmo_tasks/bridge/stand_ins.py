"""
Stand-ins for what AllenNLP imports at the top of its modules and today's packages no longer have.

They exist only while the module that asks for them is executed; afterwards every other package finds things as they
are. What was taken from a stand-in says so when it is used.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, NoReturn


class _AbsentType(type):
    """Makes a class that can be imported, subclassed and asked about with isinstance, but not used."""

    reason: str

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(cls.reason)

    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(f"{cls.__name__}.{name}: {cls.reason}")


def absent_class(name: str, reason: str) -> type:
    """A class of this name which, when it is called or asked for an attribute, gives the reason why it is not there."""
    return _AbsentType(name, (), {"reason": reason})


def absent_module(name: str, reason: str, classes: tuple[str, ...] = ()) -> ModuleType:
    """An empty module of this name (with the classes named) that gives the reason for all it lacks."""
    module = ModuleType(name, f"Stand-in: {reason}")
    # Without a spec, importlib.util.find_spec raises ValueError for a name that is in sys.modules.
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__path__ = []

    def missing(attribute: str) -> NoReturn:
        raise AttributeError(f"{name}.{attribute}: {reason}")

    setattr(module, "__getattr__", missing)  # noqa: B010  (mypy: no such attribute)
    for class_name in classes:
        setattr(module, class_name, absent_class(class_name, reason))
    return module


@cache
def works(name: str) -> bool:
    """
    Whether the module can be imported.

    Every exception counts as no: a torchvision built for another torch fails with RuntimeError. What such an attempt
    left half imported is taken out again.
    """
    before = set(sys.modules)
    try:
        importlib.import_module(name)
    except Exception:
        package = name.partition(".")[0]
        for left in set(sys.modules) - before:
            if left.partition(".")[0] == package:
                del sys.modules[left]
        return False
    return True


@contextmanager
def _present(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Has these modules in `sys.modules` for a while, and then again what was there."""
    previous = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent in modules:
            setattr(modules[parent], child, module)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules.update(previous)


@contextmanager
def torchvision_stand_in(module: ModuleType) -> Iterator[None]:
    """
    What: an empty `torchvision`, where none can be imported.

    Where: data/image_loader.py, modules/vision/grid_embedder.py and region_detector.py import it at their top, and
    `allennlp.data` imports the first of them, so that every command needs it.
    Why: text needs no torchvision; the release on the package index fails beside a CPU build of torch
    (`operator torchvision::nms does not exist`).
    Until: AllenNLP imports torchvision where it uses it.
    """
    if works("torchvision") and works("torchvision.ops.boxes"):
        yield
        return
    reason = "no working torchvision is installed, and AllenNLP's models of images need the one made for this torch"
    names = ("torchvision", "torchvision.ops", "torchvision.ops.boxes")
    with _present({name: absent_module(name, reason) for name in names}):
        yield


@contextmanager
def fairscale_stand_in(module: ModuleType) -> Iterator[None]:
    """
    What: the classes of fairscale that AllenNLP names, where fairscale cannot be imported.

    Where: nn/parallel/fairscale_fsdp_accelerator.py, nn/checkpoint/fairscale_checkpoint_wrapper.py, at their top.
    Why: fairscale has had no release since 2022; only sharded training uses it.
    Until: AllenNLP imports fairscale where it uses it.
    """
    reason = "fairscale is not installed, and sharded training needs it (pip install fairscale)"
    classes = {
        "fairscale": (),
        "fairscale.nn": ("FullyShardedDataParallel",),
        "fairscale.nn.checkpoint": ("checkpoint_wrapper",),
        "fairscale.nn.misc": ("FlattenParamsWrapper",),
        "fairscale.nn.wrap": ("enable_wrap", "wrap"),
        "fairscale.optim": (),
        "fairscale.optim.grad_scaler": ("GradScaler",),
    }
    if all(works(name) for name in classes):
        yield
        return
    with _present({name: absent_module(name, reason, named) for name, named in classes.items()}):
        yield


@contextmanager
def _lent(owner: ModuleType, attributes: dict[str, Any]) -> Iterator[None]:
    """Gives a module those of the attributes that it lacks, for a while."""
    lacking = {name: value for name, value in attributes.items() if not hasattr(owner, name)}
    for name, value in lacking.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in lacking:
            # transformers 5 executes its own __init__ again while parts of it are imported.
            vars(owner).pop(name, None)


@contextmanager
def hub_stand_in(module: ModuleType) -> Iterator[None]:
    """
    What: `HfFolder` and `Repository` of huggingface_hub, where it has none.

    Where: common/push_to_hf.py imports both at its top.
    Why: huggingface_hub 1.0 dropped them; only `allennlp push-to-hf` uses them.
    Until: AllenNLP uses `HfApi` alone.
    """
    import huggingface_hub

    reason = f"huggingface_hub {huggingface_hub.__version__} has dropped it (pip install 'huggingface_hub<1')"
    with _lent(huggingface_hub, {name: absent_class(name, reason) for name in ("HfFolder", "Repository")}):
        yield


@contextmanager
def adamw_stand_in(module: ModuleType) -> Iterator[None]:
    """
    What: torch's AdamW as `transformers.AdamW`, where transformers has none.

    Where: training/optimizers.py derives the optimizer "huggingface_adamw" from it.
    Why: transformers 4.50 dropped its own AdamW in favour of torch's. The two differ in where epsilon enters and in
    the order of decay and update; a run that must repeat an old one needs the old transformers.
    Until: AllenNLP's "huggingface_adamw" goes ("adamw" is torch's).
    """
    import transformers

    if hasattr(transformers, "AdamW"):
        yield
        return

    from torch.optim import AdamW as TorchAdamW

    class AdamW(TorchAdamW):
        """torch's AdamW with the constructor that transformers had."""

        def __init__(self, *args: Any, correct_bias: bool = True, **kwargs: Any) -> None:
            if not correct_bias:
                raise ValueError("AdamW without bias correction went with transformers 4.50; leave out correct_bias")
            kwargs.pop("no_deprecation_warning", None)
            super().__init__(*args, **kwargs)

    with _lent(transformers, {"AdamW": AdamW}):
        yield
