"""The finder acts on the modules it has fixes for, when they are executed, and on nothing else."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from elmo_tasks.bridge import table
from elmo_tasks.bridge.finder import AllenNLPFinder, install
from elmo_tasks.bridge.loading import execute_with_fixes

SEEN: list[str] = []


@contextmanager
def noting_fix(module: ModuleType) -> Iterator[None]:
    SEEN.append(f"before {module.__name__}, done: {hasattr(module, 'DONE')}")
    yield
    SEEN.append(f"after {module.__name__}, done: {hasattr(module, 'DONE')}")


@pytest.fixture
def imaginary_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that has a fix."""
    name = "allennlp_imaginary_module"
    (tmp_path / f"{name}.py").write_text("DONE = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(table.FIXES, name, (noting_fix,))
    SEEN.clear()
    yield name
    sys.modules.pop(name, None)


def test_a_fix_runs_around_the_module(imaginary_module: str) -> None:
    module = importlib.import_module(imaginary_module)
    assert module.DONE
    assert [f"before {imaginary_module}, done: False", f"after {imaginary_module}, done: True"] == SEEN


def test_a_question_is_no_import(imaginary_module: str) -> None:
    for _ in range(3):
        assert importlib.util.find_spec(imaginary_module) is not None
    assert SEEN == []
    importlib.import_module(imaginary_module)
    assert len(SEEN) == 2


def test_a_module_executed_again_is_fixed_again(imaginary_module: str) -> None:
    importlib.reload(importlib.import_module(imaginary_module))
    assert len(SEEN) == 4


def test_the_module_keeps_its_loader_and_source(imaginary_module: str) -> None:
    module = importlib.import_module(imaginary_module)
    assert module.__spec__ is not None
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
    assert module.__spec__.loader.get_source(imaginary_module) == "DONE = True\n"  # type: ignore[union-attr]


def test_a_module_that_fails_leaves_nothing(imaginary_module: str, tmp_path: Path) -> None:
    (tmp_path / f"{imaginary_module}.py").write_text("raise KeyError('inside')\n", encoding="utf-8")
    with pytest.raises(KeyError, match="inside"):
        importlib.import_module(imaginary_module)
    assert imaginary_module not in sys.modules
    assert [f"before {imaginary_module}, done: False"] == SEEN


def test_a_loader_shared_by_modules_fixes_only_the_one_meant() -> None:
    class SharedLoader:
        def create_module(self, spec: object) -> None:
            return None

        def exec_module(self, module: ModuleType) -> None:
            module.DONE = True  # type: ignore[attr-defined]

    SEEN.clear()
    shared = SharedLoader()
    specs = [importlib.util.spec_from_loader(name, shared) for name in ("allennlp_meant", "allennlp_other")]  # type: ignore[arg-type]
    assert specs[0] is not None
    assert specs[1] is not None
    execute_with_fixes(specs[0], (noting_fix,))
    for spec in specs:
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        assert module.DONE
    assert SEEN == ["before allennlp_meant, done: False", "after allennlp_meant, done: True"]


def test_other_modules_are_left_to_the_others() -> None:
    finder = AllenNLPFinder()
    for name in ("json", "allennlp_models", "allennlp.data", "elmo_tasks.bilm"):
        assert finder.find_spec(name) is None


def test_installing_twice_is_installing_once() -> None:
    install()
    install()
    assert sum(type(finder).__name__ == "AllenNLPFinder" for finder in sys.meta_path) == 1


def test_modules_imported_before_are_fixed_too(imaginary_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(imaginary_module)
    monkeypatch.setitem(sys.modules, imaginary_module, module)
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if not isinstance(f, AllenNLPFinder)])
    monkeypatch.setattr(table, "FIXES", {imaginary_module: (noting_fix,)})
    monkeypatch.setattr("elmo_tasks.bridge.loading.FIXES", table.FIXES)
    import allennlp

    assert allennlp
    install()
    assert [f"before {imaginary_module}, done: False", f"after {imaginary_module}, done: False"] == SEEN


@pytest.mark.parametrize("name", sorted(table.FIXES))
def test_every_fix_has_its_module_and_says_why(name: str) -> None:
    assert importlib.util.find_spec(name) is not None, f"{name} is no module of this AllenNLP"
    for fix in table.FIXES[name]:
        text = fix.__doc__ or ""
        assert all(word in text for word in ("What:", "Where:", "Why:", "Until:")), fix
