"""From what a run left in its folder to its result."""

import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import elmo_tasks
from elmo_tasks.reproduce.identity import changed_files
from elmo_tasks.reproduce.items import read_items
from elmo_tasks.reproduce.plan import PlannedRun
from elmo_tasks.reproduce.results import Mix, Result, write_json
from elmo_tasks.reproduce.worker import RunFolder

_KEPT_VERSIONS = ("allennlp", "torch", "numpy")
_BEST = "best_validation_"
_PARAMETERS = re.compile(r"Number of trainable parameters: (\d+)")


def outcome(planned: PlannedRun, returncode: int) -> Result:
    """
    The result of a run whose process has ended.

    Parameters
    ----------
    planned
        The run.
    returncode
        What its process ended with, negative for a signal.

    Returns
    -------
    Result
        Failed, with the last line of the error, if the process failed or what it left does not fit together.
    """
    if returncode != 0:
        return _failed(planned, _cause(planned.folder, returncode))
    try:
        return _done(planned)
    except (OSError, ValueError, KeyError) as error:
        return _failed(planned, f"{type(error).__name__}: {error}")


def machine() -> dict[str, Any]:
    """Processor and number of cores that this process may use."""
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    if not torch.cuda.is_available():
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    if chosen is None:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in chosen.split(",")]
    # of the parts of divided GPUs (MIG) one process sees a single one, however many it may use
    return names if names[0].startswith("MIG-") else names[:count]


def begin_attempt(folder: RunFolder) -> float:
    """
    Notes that a run is started, and returns the wall-clock seconds that it has had before.

    An attempt whose end nobody noted, because the runner was killed too, lasted until the last word in its log.
    """
    attempts = _read_attempts(folder)
    if attempts and attempts[-1]["ended"] is None and folder.log.exists():
        attempts[-1]["ended"] = max(attempts[-1]["started"], folder.log.stat().st_mtime)
    write_json(folder.attempts, [*attempts, {"started": time.time(), "ended": None}])
    return _seconds(attempts)


def end_attempt(folder: RunFolder) -> None:
    """Notes that a run has ended, or was stopped."""
    attempts = _read_attempts(folder)
    attempts[-1]["ended"] = time.time()
    write_json(folder.attempts, attempts)


def _done(planned: PlannedRun) -> Result:
    folder, identity = planned.folder, planned.identity
    if identity is not None and (changed := changed_files(identity, planned.places.root)):
        raise ValueError(f"changed while the run went on: {', '.join(changed)}")
    trained = _json(folder.trained)
    metrics = _training_metrics(folder)
    dev = {name.removeprefix(_BEST): value for name, value in metrics.items() if name.startswith(_BEST)}
    test = _json(folder.test_metrics)
    for name, found in (("development", dev), ("test", test)):
        if planned.metric not in found:
            raise ValueError(f"the metric {planned.metric!r} is not among the {name} metrics ({', '.join(found)})")
    return Result(
        **_description(planned, device=trained["device"]),
        status="done",
        metric=planned.metric,
        dev=dev,
        test=test,
        curve=_curve(folder, planned.metric),
        epochs=int(metrics["epoch"]) + 1,
        epoch_limit=planned.epoch_limit,
        best_epoch=int(metrics["best_epoch"]) + 1,
        cut_short=bool(trained["cut_short"]),
        parameters=_trainable_parameters(folder.log),
        mixes={place: Mix(tuple(mix["weights"]), mix["gamma"]) for place, mix in _json(folder.mixes).items()},
        items=read_items(planned.run.task, folder.predictions, planned.test_file, test[planned.metric]),
    )


def _failed(planned: PlannedRun, error: str) -> Result:
    log = planned.places.relative(planned.folder.log)
    return Result(**_description(planned), status="failed", error=planned.places.portable(error), log=log)


def _description(planned: PlannedRun, device: str | None = None) -> dict[str, Any]:
    """What a result says of its run, however it ended."""
    run, identity = planned.run, planned.identity
    assert identity is not None, "a run without identity is never started"
    attempts = _read_attempts(planned.folder)
    earlier = planned.current
    failures: tuple[str, ...] = ()
    if earlier is not None:
        failures = tuple(earlier.earlier_failures)
        if earlier.error is not None:
            failures = (*failures, earlier.error)
    return {
        "suite": planned.suite,
        "task": run.task,
        "arm": run.arm.name,
        "seed": run.seed,
        "profile": planned.profile_name,
        "key": identity.key,
        "config_file": planned.places.relative(run.arm.config_file),
        "overrides": run.overrides,
        "budget": run.budget.description,
        "profile_changes": planned.profile_changes,
        "command": planned.commands(),
        "code": "+".join(_json(planned.folder.made_from)["code"]),
        "versions": {
            "elmo_tasks": elmo_tasks.__version__,
            "python": platform.python_version(),
            **{package: version(package) for package in _KEPT_VERSIONS},
        },
        "machine": {**machine(), "device": device},
        "files": {planned.places.portable(path): facts for path, facts in identity.files.items()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(_seconds(attempts), 1),
        "attempts": len(attempts),
        "earlier_failures": failures,
    }


def _training_metrics(folder: RunFolder) -> Mapping[str, Any]:
    """AllenNLP's summary of the training; of a training cut short, what it wrote after its last whole epoch."""
    summary = folder.model / "metrics.json"
    if summary.exists():
        return _json(summary)
    return _epoch_metrics(folder)[-1]


def _epoch_metrics(folder: RunFolder) -> list[Mapping[str, Any]]:
    """What AllenNLP wrote after each epoch, in their order."""
    files = folder.model.glob("metrics_epoch_*.json")
    return [_json(path) for path in sorted(files, key=lambda path: int(path.stem.rpartition("_")[2]))]


def _curve(folder: RunFolder, metric: str) -> list[float]:
    return [metrics[f"validation_{metric}"] for metrics in _epoch_metrics(folder)]


def _trainable_parameters(log: Path) -> int | None:
    found = _PARAMETERS.search(log.read_text(encoding="utf-8", errors="replace"))
    return int(found.group(1)) if found else None


def _cause(folder: RunFolder, returncode: int) -> str:
    """Why a process failed: what it said itself, or the signal that ended it."""
    if folder.error.exists():
        return str(_json(folder.error)["error"])
    if returncode < 0:
        hint = ", as a system does that has run out of memory" if returncode == -9 else ""
        return f"ended by signal {-returncode}{hint}"
    return f"ended with exit status {returncode}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _read_attempts(folder: RunFolder) -> list[dict[str, Any]]:
    return _json(folder.attempts) if folder.attempts.exists() else []


def _seconds(attempts: Sequence[Mapping[str, float | None]]) -> float:
    return sum((attempt["ended"] or 0.0) - (attempt["started"] or 0.0) for attempt in attempts if attempt["ended"])


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
