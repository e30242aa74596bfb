"""Training with matrix products in bfloat16."""

from functools import partial
from typing import Any

import torch
from allennlp.modules.seq2seq_encoders import PytorchSeq2SeqWrapper
from allennlp.training.callbacks import TrainerCallback
from overrides import overrides
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from elmo_tasks.bilm import BiLM
from elmo_tasks.nn.coupled_lstm import CoupledLSTMLayer
from elmo_tasks.nn.highway_lstm import HighwayLSTMLayer
from elmo_tasks.nn.packed_rnn import run_rnn

_Recurrent = torch.nn.LSTM | torch.nn.GRU
_LAYERS = (torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU, HighwayLSTMLayer, CoupledLSTMLayer)


@TrainerCallback.register("bfloat16_products")
class BFloat16Products(TrainerCallback):
    """
    Lets a model's linear and recurrent layers multiply in bfloat16 while it trains.

    Weights, what the layers hand on, all other computations and the optimizer stay in float32, and so do evaluation and
    prediction. Steps are shorter where the processor knows bfloat16 (docs/benchmarks.md), elsewhere they are longer. A
    biLM is left alone: its vectors are the same in all runs. The LSTMs and GRUs of AllenNLP's encoders are
    run by :func:`elmo_tasks.nn.packed_rnn.run_rnn`, since torch's own round more than their products.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._hooks: list[RemovableHandle] = []
        self._entered: list[torch.autocast] = []
        self._replaced: list[_Recurrent] = []

    @overrides(check_signature=False)
    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        """Hook into the model's layers."""
        super().on_start(trainer, is_primary=is_primary, **kwargs)
        for layer in _layers(trainer.model):
            self._hooks.append(layer.register_forward_pre_hook(self._enter))
            # Also after a failed pass, lest the rest of the program goes on in bfloat16.
            self._hooks.append(layer.register_forward_hook(self._leave, always_call=True))
        for layer in _encoders(trainer.model):
            layer.forward = partial(_run, layer)  # type: ignore[assignment]
            self._replaced.append(layer)

    @overrides(check_signature=False)
    def on_end(self, trainer: Any, **kwargs: Any) -> None:
        """Leave the model as it was."""
        for hook in self._hooks:
            hook.remove()
        for layer in self._replaced:
            del layer.forward

    def _enter(self, layer: torch.nn.Module, inputs: Any) -> None:
        device = next(layer.parameters()).device.type
        # A context that is not enabled is entered too: leaving then needs no memory of what entering did.
        autocast = torch.autocast(device, torch.bfloat16, enabled=layer.training)
        autocast.__enter__()
        self._entered.append(autocast)

    def _leave(self, layer: torch.nn.Module, inputs: Any, output: Any) -> Any:
        self._entered.pop().__exit__(None, None, None)
        return _to_float32(output)


def _layers(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The layers that multiply, those of a biLM left out."""
    inside = {part for module in model.modules() if isinstance(module, BiLM) for part in module.modules()}
    return [module for module in model.modules() if isinstance(module, _LAYERS) and module not in inside]


def _encoders(model: torch.nn.Module) -> list[_Recurrent]:
    """The recurrent layers in whose final states nobody has a part."""
    return [
        module._module
        for module in model.modules()
        if isinstance(module, PytorchSeq2SeqWrapper)
        and isinstance(module._module, _Recurrent)
        and not module.stateful
        and not module._module.proj_size
    ]


def _run(layer: _Recurrent, inputs: PackedSequence, states: Any = None) -> tuple[PackedSequence, Any]:
    if not layer.training or states is not None:
        torchs: Any = type(layer).forward
        result: tuple[PackedSequence, Any] = torchs(layer, inputs, states)
        return result
    return run_rnn(layer, inputs), None


def _to_float32(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.float() if output.dtype is torch.bfloat16 else output
    if isinstance(output, PackedSequence):
        return output._replace(data=_to_float32(output.data))
    if isinstance(output, tuple):
        return tuple(_to_float32(part) for part in output)
    return output
