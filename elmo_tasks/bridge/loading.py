"""Running fixes around the execution of a module."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from importlib.machinery import ModuleSpec
from types import ModuleType

from elmo_tasks.bridge.table import FIXES, Fix


def execute_with_fixes(spec: ModuleSpec, fixes: Iterable[Fix]) -> None:
    """
    Has the module of this spec executed inside the fixes.

    The loader stays what it is (sources, resources and tracebacks are found through it) but for its `exec_module`.
    """
    loader = spec.loader
    if loader is None:
        return
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        # A loader can be shared by modules (those of a zip file are).
        is_meant = module.__spec__ is not None and module.__spec__.name == spec.name
        with ExitStack() as stack:
            for fix in fixes if is_meant else ():
                stack.enter_context(fix(module))
            execute(module)

    setattr(loader, "exec_module", exec_module)  # noqa: B010  (mypy: a method cannot be assigned to)


def fix_loaded_modules() -> None:
    """Runs the fixes of those modules that were imported before the finder was there."""
    for name, fixes in FIXES.items():
        if name in sys.modules:
            for fix in fixes:
                with fix(sys.modules[name]):
                    pass
