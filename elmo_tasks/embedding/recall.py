"""The layers of the texts just embedded, so that a second place in the model need not compute them again."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from elmo_tasks.bilm import BiLMOutput

# Texts remembered at once: a batch has one or two. It bounds what a caller costs who keeps many batches alive.
_MOST_TEXTS = 8


@dataclass(frozen=True)
class _Recalled:
    output: BiLMOutput
    text_version: int
    model_version: Any


class LayerMemory:
    """
    A biLM's outputs by the *tensor object* they were computed from.

    An output lives no longer than that tensor, that is, than the batch. It is not handed out again if since then the
    tensor was written to or ``model_version`` (whatever else the output depends on) became another one. Copies and
    pickles of a memory are empty.
    """

    def __init__(self) -> None:
        self._recalled = WeakTensorKeyDictionary()

    def keep(self, character_ids: torch.Tensor, model_version: Any, output: BiLMOutput) -> None:
        """Remember ``output`` for this tensor, instead of an earlier one."""
        self._recalled.pop(character_ids, None)
        # torch does not count the changes of a tensor made in inference mode, so nothing could be promised for it.
        if character_ids.is_inference():
            return
        while len(self._recalled) >= _MOST_TEXTS:
            del self._recalled[next(iter(self._recalled))]
        self._recalled[character_ids] = _Recalled(output, character_ids._version, model_version)

    def find(self, character_ids: torch.Tensor, model_version: Any) -> BiLMOutput | None:
        """The output last kept for this very tensor, if it still holds."""
        recalled: _Recalled | None = self._recalled.get(character_ids)
        if recalled is None:
            return None
        if (recalled.text_version, recalled.model_version) != (character_ids._version, model_version):
            return None
        return recalled.output

    def __len__(self) -> int:
        return len(self._recalled)

    def __deepcopy__(self, memo: dict[int, Any]) -> "LayerMemory":
        return LayerMemory()

    def __reduce__(self) -> Any:
        return LayerMemory, ()
