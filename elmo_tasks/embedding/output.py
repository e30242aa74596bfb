"""ELMo at further places of a model, from the same run of the biLM."""

import torch
from allennlp.common.from_params import FromParams
from allennlp.data.fields.text_field import TextFieldTensors
from allennlp.modules.text_field_embedders.text_field_embedder import TextFieldEmbedder
from torch import nn

from elmo_tasks.embedding.embedder import BiLMEmbedder, without_boundaries
from elmo_tasks.embedding.mix import LayerMix
from elmo_tasks.errors import InputError

# How BasicTextFieldEmbedder names the embedder of a key.
_MODULE_PREFIX = "token_embedder_"


class OutputELMo(nn.Module, FromParams):
    """
    ELMo with a mix of its own, to be joined to the output of a model's encoder (paper, section 3.3), or anywhere else.

    A model takes ``Optional[Lazy[OutputELMo]]`` and builds as many as it has places, each by
    ``elmo_at_output.construct(text_field_embedder=self.text_field_embedder)``. It reads the layers that the model's
    :class:`~elmo_tasks.embedding.embedder.BiLMEmbedder` has computed for the same batch; the biLM does not run again,
    and its weights do not belong to this module.

    Parameters
    ----------
    text_field_embedder : the model's, with a token embedder ``bilm``.
    embedder : key of that token embedder, needed if there are several.
    do_layer_norm, layers, l2 : see :class:`~elmo_tasks.embedding.mix.LayerMix`.
    train_mix : whether the mix learns.
    dropout : rate at which single numbers of the mixed vectors are dropped in training.

    Raises
    ------
    InputError
        If the text field embedder has no such token embedder, or several and none is named.
    """

    def __init__(
        self,
        text_field_embedder: TextFieldEmbedder,
        embedder: str | None = None,
        do_layer_norm: bool = False,
        layers: str = "all",
        train_mix: bool = True,
        dropout: float = 0.5,
        l2: float | None = None,
    ) -> None:
        super().__init__()
        self.key, source = _find_embedder(text_field_embedder, embedder)
        # In a tuple, because torch would register a bare module and save its weights a second time. A copy of the
        # whole model still has its own: copying and pickling keep what is one object one object.
        self._source: tuple[BiLMEmbedder] = (source,)
        self.mix = LayerMix(source.bilm.num_layers, layers, do_layer_norm, train_mix, l2)
        self.dropout = nn.Dropout(dropout)

    @property
    def embedder(self) -> BiLMEmbedder:
        """The token embedder whose layers this place reads."""
        return self._source[0]

    def get_output_dim(self) -> int:
        """Size of a token's vector."""
        return self.embedder.bilm.layer_dim

    def forward(self, text_field_tensors: TextFieldTensors) -> torch.Tensor:
        """
        ELMo's vectors for texts that the text field embedder has just embedded.

        Parameters
        ----------
        text_field_tensors : the same object that the text field embedder got.

        Returns
        -------
        float ``(batch_size, num_tokens, dim)``, 0 at padded places.
        """
        output = self.embedder.recall(self._character_ids(text_field_tensors))
        return self.dropout(without_boundaries(self.mix(output.layers, output.mask), output.mask))

    def _character_ids(self, text_field_tensors: TextFieldTensors) -> torch.Tensor:
        tensors = text_field_tensors.get(self.key)
        if tensors is None or len(tensors) != 1:
            found = "is missing" if tensors is None else f"holds {sorted(tensors)}"
            raise InputError(
                f"ELMo at the output reads the indexer '{self.key}', which {found} in the text field; give the "
                f'dataset reader "token_indexers": {{"{self.key}": {{"type": "bilm_characters"}}}}.'
            )
        return next(iter(tensors.values()))


def _find_embedder(text_field_embedder: TextFieldEmbedder, key: str | None) -> tuple[str, BiLMEmbedder]:
    found: dict[str, BiLMEmbedder] = {
        name.removeprefix(_MODULE_PREFIX): module
        for name, module in text_field_embedder.named_children()
        if isinstance(module, BiLMEmbedder)
    }
    if key is not None:
        if key not in found:
            keys = ", ".join(found) or "none"
            raise InputError(f"ELMo at the output names the token embedder '{key}'; those of type 'bilm' are: {keys}.")
        return key, found[key]
    if not found:
        raise InputError(
            "ELMo at the output needs a token embedder of type 'bilm' in the text field embedder; there is none. For "
            'ELMo at the output alone give it "at_input": false.'
        )
    if len(found) > 1:
        raise InputError(
            f"The text field embedder has several token embedders of type 'bilm' ({', '.join(found)}); say by "
            '"embedder" which one ELMo at the output reads.'
        )
    return next(iter(found.items()))
