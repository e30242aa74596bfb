"""Stand-ins are there while they are needed, and only then; what works is left alone."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from elmo_tasks.bridge import stand_ins
from tests.conftest import RunCommand

ASKING = ModuleType("allennlp.some_module")


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    stand_ins.works.cache_clear()
    yield
    stand_ins.works.cache_clear()


@pytest.fixture
def put_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts packages on the path: `put_package("name/__init__.py", "its code")`."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def put(path: str, code: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
        importlib.invalidate_caches()

    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def no_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)


def test_torchvision_is_there_for_a_while(no_torchvision: None, put_package) -> None:
    put_package("torchvision/__init__.py", "raise RuntimeError('operator torchvision::nms does not exist')")
    with stand_ins.torchvision_stand_in(ASKING):
        import torchvision
        import torchvision.ops.boxes as boxes

        assert importlib.util.find_spec("torchvision") is not None
        with pytest.raises(AttributeError, match="no working torchvision"):
            boxes.nms  # noqa: B018
    assert not [name for name in sys.modules if name.startswith("torchvision")]
    with pytest.raises(AttributeError, match="no working torchvision is installed"):
        torchvision.io  # noqa: B018


def test_a_broken_torchvision_leaves_no_halves_behind(no_torchvision: None, put_package) -> None:
    put_package("torchvision/extension.py", "")
    put_package(
        "torchvision/__init__.py", "import torchvision.extension\nraise RuntimeError('built for another torch')"
    )
    with stand_ins.torchvision_stand_in(ASKING):
        pass
    assert not [name for name in sys.modules if name.startswith("torchvision")]


def test_a_working_torchvision_is_left_alone(no_torchvision: None, put_package) -> None:
    put_package("torchvision/ops/boxes.py", "")
    put_package("torchvision/ops/__init__.py", "")
    put_package("torchvision/__init__.py", "io = 'the real one'")
    with stand_ins.torchvision_stand_in(ASKING):
        import torchvision
    assert torchvision.io == "the real one"
    assert sys.modules["torchvision"] is torchvision


def test_nested_stand_ins_end_with_the_outer_one(no_torchvision: None, put_package) -> None:
    put_package("torchvision/__init__.py", "raise ImportError")
    with stand_ins.torchvision_stand_in(ASKING):
        with stand_ins.torchvision_stand_in(ASKING):
            pass
        assert "torchvision" in sys.modules
    assert "torchvision" not in sys.modules


def test_a_fairscale_that_works_is_left_alone(put_package, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "fairscale"]:
        monkeypatch.delitem(sys.modules, name)
    for module in ("", "nn/", "nn/checkpoint/", "nn/misc/", "nn/wrap/", "optim/", "optim/grad_scaler/"):
        put_package(f"fairscale/{module}__init__.py", "")
    with stand_ins.fairscale_stand_in(ASKING):
        import fairscale
    assert "Stand-in" not in (fairscale.__doc__ or "")


def test_an_absent_class_can_be_subclassed_but_not_used() -> None:
    absent = stand_ins.absent_class("GradScaler", "it went")

    class Scaler(absent):  # type: ignore[valid-type, misc]
        pass

    assert not isinstance(1, absent)
    with pytest.raises(ImportError, match="it went"):
        Scaler()
    with pytest.raises(AttributeError, match="it went"):
        Scaler.get_token  # noqa: B018


def test_adamw_takes_what_transformers_took_and_moves_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = ModuleType("transformers")
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    with stand_ins.adamw_stand_in(ASKING):
        adamw = transformers.AdamW  # type: ignore[attr-defined]
    assert not hasattr(transformers, "AdamW")

    def weights_after(make) -> torch.Tensor:
        weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = make([weights])
        for _ in range(3):
            optimizer.zero_grad()
            (weights**2).sum().backward()
            optimizer.step()
        return weights.detach()

    ours = weights_after(lambda p: adamw(p, lr=0.1, weight_decay=0.1, correct_bias=True, no_deprecation_warning=True))
    assert torch.equal(ours, weights_after(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1)))
    with pytest.raises(ValueError, match="without bias correction"):
        adamw([torch.nn.Parameter(torch.zeros(1))], correct_bias=False)


def test_an_adamw_of_transformers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = ModuleType("transformers")
    transformers.AdamW = "theirs"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    with stand_ins.adamw_stand_in(ASKING):
        assert transformers.AdamW == "theirs"  # type: ignore[attr-defined]
    assert transformers.AdamW == "theirs"  # type: ignore[attr-defined]


def test_the_hub_is_lent_only_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = ModuleType("huggingface_hub")
    hub.__version__ = "1.0"  # type: ignore[attr-defined]
    hub.HfFolder = "theirs"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with stand_ins.hub_stand_in(ASKING):
        assert hub.HfFolder == "theirs"  # type: ignore[attr-defined]
        with pytest.raises(ImportError, match=r"huggingface_hub 1\.0 has dropped it"):
            hub.Repository("a", clone_from="b")  # type: ignore[attr-defined]
    assert not hasattr(hub, "Repository")


ALL_OF_IT_MISSING = """
import sys
for name in ("fairscale", "torchvision"):
    sys.modules[name] = None            # importing it fails
import huggingface_hub, transformers
def lacks(name):
    raise AttributeError(name)
for module, names in ((huggingface_hub, ("HfFolder", "Repository")),):
    find = module.__getattr__
    module.__getattr__ = lambda name, find=find, names=names: lacks(name) if name in names else find(name)
getattr(transformers, "_class_to_module", {}).pop("AdamW", None)
import torch
from allennlp.common.plugins import import_plugins
import_plugins()
from allennlp.common import Params
from allennlp.training.optimizers import Optimizer
weights = torch.nn.Parameter(torch.ones(1))
optimizer = Optimizer.from_params(Params({"type": "huggingface_adamw", "lr": 0.5}), model_parameters=[("w", weights)])
weights.sum().backward()
optimizer.step()
assert weights.item() < 1
assert sys.modules["fairscale"] is None and sys.modules["torchvision"] is None
print("ran")
"""


def test_all_of_allennlp_imports_without_any_of_them(run_command: RunCommand, tmp_path: Path) -> None:
    done = run_command("python", "-c", ALL_OF_IT_MISSING, folder=tmp_path)
    assert done.stdout.strip() == "ran", done.stderr
