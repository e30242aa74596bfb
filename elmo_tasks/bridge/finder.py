"""
The finder through which fixes act while AllenNLP's modules are imported.

This module is executed at every start of Python, so it imports nothing but `sys`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class AllenNLPFinder:
    """
    Finds AllenNLP's modules where Python finds them, and has the fixes meant for a module run around its execution.

    It keeps no state: it may be asked for a module that is then not imported (`importlib.util.find_spec`), be asked
    twice, or stay in place when AllenNLP is not installed.
    """

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The spec of a module that has fixes, with its loader prepared; None leaves the search to the others."""
        if not fullname.startswith("allennlp"):
            return None
        from elmo_tasks.bridge.table import FIXES

        if fullname not in FIXES:
            return None
        for finder in sys.meta_path:
            if isinstance(finder, AllenNLPFinder) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                from elmo_tasks.bridge.loading import execute_with_fixes

                execute_with_fixes(spec, FIXES[fullname])
                return spec
        return None


def install() -> None:
    """
    Puts the finder in front, once.

    Where (parts of) AllenNLP are imported already, their fixes are made up for: a module that failed to import is
    tried again by whoever needs it, the others are changed as they are.
    """
    if any(type(finder).__name__ == AllenNLPFinder.__name__ for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, AllenNLPFinder())
    if "allennlp" in sys.modules:
        from elmo_tasks.bridge.loading import fix_loaded_modules

        fix_loaded_modules()
