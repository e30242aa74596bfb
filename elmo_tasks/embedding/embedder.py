"""ELMo as a token embedder of AllenNLP."""

import logging
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from allennlp.common.params import Params
from allennlp.common.tqdm import Tqdm
from allennlp.modules.token_embedders.token_embedder import TokenEmbedder
from overrides import overrides
from torch import nn

from elmo_tasks.bilm import BiLM, BiLMOptions, BiLMOutput
from elmo_tasks.bilm.store import LayerStore, StoreFullError
from elmo_tasks.embedding.mix import LayerMix
from elmo_tasks.embedding.recall import LayerMemory
from elmo_tasks.embedding.store_settings import StoreSettings
from elmo_tasks.errors import InputError
from elmo_tasks.extras import MissingPackageError

logger = logging.getLogger(__name__)

_OVERRIDES = '--overrides \'{"model.text_field_embedder.token_embedders.<name>.%s": "<file>"}\''


@TokenEmbedder.register("bilm")
class BiLMEmbedder(TokenEmbedder):
    """
    ELMo at the input of a model: the layers of a biLM, mixed, with dropout.

    Its indexer is ``bilm_characters``. Further places of the same model read the same run of the biLM through
    :class:`~elmo_tasks.embedding.output.OutputELMo`. The biLM is frozen unless ``requires_grad`` says otherwise: it
    then stays in evaluation mode and runs without gradients, whatever mode the model is in. Under automatic mixed
    precision it computes in float32 as ever.

    Parameters
    ----------
    options : content of the biLM's ``options.json``. Given so, and not as a file, it travels in an archive's
        ``config.json``.
    options_file : path of ``options.json``; either this or ``options``.
    weights_file : path of the HDF5 weights, float32 or float16. ``None`` if they come with a saved model state
        (``load_state_dict``) before the first forward pass.
    state_policy : ``"reset"``, every sentence by itself, or ``"carry"``, LSTM states go on from batch to batch as in
        the original programs (docs/elmo-in-a-model.md).
    requires_grad : train the biLM with the task.
    do_layer_norm, layers, l2 : see :class:`~elmo_tasks.embedding.mix.LayerMix`.
    train_mix : whether the mix learns.
    dropout : rate at which single numbers of the mixed vectors are dropped in training.
    projection_dim : size to which the mixed vectors are projected; ``None`` leaves them as they are.
    at_input : ``False`` adds nothing to the model's input: the biLM runs for other places alone (``OutputELMo``).
    store : whether a frozen biLM's layers are computed once, before training, and kept on disk: ``True``, ``False``, or
        an object with ``folder``, ``dtype`` and ``max_gigabytes`` (docs/embedding-store.md). Without it, if they fit.

    Raises
    ------
    InputError
        If options or weights cannot be used, with file and field; at the first forward pass if weights never came.
    """

    def __init__(
        self,
        options: dict[str, Any] | None = None,
        options_file: str | None = None,
        weights_file: str | None = None,
        state_policy: str = "reset",
        requires_grad: bool = False,
        do_layer_norm: bool = False,
        layers: str = "all",
        train_mix: bool = True,
        dropout: float = 0.5,
        l2: float | None = None,
        projection_dim: int | None = None,
        at_input: bool = True,
        store: bool | dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._store_settings = StoreSettings.from_config(store)
        self._store: LayerStore | None = None
        self._stored_weights: Any = None
        self.bilm = BiLM(_read_options(options, options_file), state_policy)
        self._absent_weights: str | None = None
        if weights_file is None:
            self._absent_weights = "No weights_file was given."
        else:
            self.bilm.load_weights(weights_file)
        self.bilm.requires_grad_(requires_grad)
        self.bilm.train(requires_grad)
        self.mix: LayerMix | None = None
        self.projection: nn.Linear | None = None
        if at_input:
            self.mix = LayerMix(self.bilm.num_layers, layers, do_layer_norm, train_mix, l2)
            if projection_dim is not None:
                self.projection = nn.Linear(self.bilm.layer_dim, projection_dim)
        self.dropout = nn.Dropout(dropout)
        self._memory = LayerMemory()
        self._warned_of_second_run = False

    @classmethod
    @overrides(check_signature=False)
    def from_params(
        cls,
        params: Params,
        constructor_to_call: Callable[..., Any] | None = None,
        constructor_to_inspect: Callable[..., Any] | None = None,
        **extras: Any,
    ) -> "BiLMEmbedder":
        """
        Build from a configuration.

        When training starts, the weights have to be there. When an archive is loaded they come with it, and the file
        that they once came from may be gone, or may by now be another biLM's.
        """
        # `allennlp train` hands a ddp_accelerator (mostly None) to what it builds; loading an archive hands none.
        training_starts = "ddp_accelerator" in extras
        weights_file = params.get("weights_file")
        if training_starts and weights_file is None:
            raise InputError("The embedder 'bilm' has no weights_file; training needs the biLM's HDF5 weights.")
        if not training_starts:
            params["weights_file"] = None
        embedder = super().from_params(params, constructor_to_call, constructor_to_inspect, **extras)
        if not training_starts and weights_file is not None:
            embedder._load_if_usable(weights_file)
        return embedder

    def fill_store(self, sentences: Callable[[], Iterable[list[str]]]) -> None:
        """
        Compute the layers of a training's texts once, and read them from disk from now on.

        Parameters
        ----------
        sentences : gives the words of each text, as the biLM reads them. Called only if there is a store.

        Raises
        ------
        InputError
            If the configuration demands a store and there can be none. If it says nothing of it, this is logged.
        """
        settings = self._store_settings
        if settings.wanted is False:
            return
        try:
            if not self.is_frozen:
                raise InputError("the biLM learns with the task (requires_grad), so its layers change.")
            store = LayerStore(self.bilm, settings.root, settings.dtype, settings.max_bytes)
            self._store, self._stored_weights = store, self._weights_version()
            store.fill(sentences(), lambda batches: Tqdm.tqdm(batches, desc="ELMo's layers"), logger.info)
        except (InputError, StoreFullError, MissingPackageError) as error:
            if settings.wanted:
                raise InputError(f"The embedder 'bilm' is to have a store, but there can be none: {error}") from error
            logger.info("ELMo's layers are computed anew for every batch: %s", error)
            # What a store that is full has is read nevertheless.
            if not (isinstance(error, StoreFullError) and len(store)):
                self._store = None

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of the biLM learns."""
        return not any(parameter.requires_grad for parameter in self.bilm.parameters())

    @overrides
    def get_output_dim(self) -> int:
        """Size of a token's vector; 0 where nothing goes into the model's input."""
        if self.mix is None:
            return 0
        return self.bilm.layer_dim if self.projection is None else self.projection.out_features

    @overrides
    def train(self, mode: bool = True) -> "BiLMEmbedder":
        """Set the mode, of a frozen biLM always that of evaluation."""
        super().train(mode)
        if self.is_frozen:
            self.bilm.eval()
        return self

    @overrides(check_signature=False)
    def forward(self, character_ids: torch.Tensor) -> torch.Tensor | None:
        """
        Embed texts.

        Parameters
        ----------
        character_ids : int64 ``(batch_size, num_tokens, max_characters_per_token)``, or with more axes in front, which
            are taken as parts of the batch.

        Returns
        -------
        float ``(batch_size, num_tokens, dim)``, 0 at padded places before dropout and after; ``None`` if this
        embedder adds nothing to the input.
        """
        output = self._run(character_ids)
        if self.mix is None:
            return None
        vectors = self.dropout(without_boundaries(self.mix(output.layers, output.mask), output.mask))
        if self.projection is None:
            return vectors
        return self.projection(vectors).masked_fill(~inner_mask(output.mask).unsqueeze(-1), 0.0)

    def recall(self, character_ids: torch.Tensor) -> BiLMOutput:
        """
        The layers of the last :meth:`forward` on this very tensor, with the two sentence markers.

        They are remembered while the tensor lives. If there was no such pass, or the tensor or the biLM has changed
        since, the biLM runs now.

        Returns
        -------
        ``layers`` float ``(num_layers, batch_size, num_tokens + 2, layer_dim)`` and ``mask`` bool
        ``(batch_size, num_tokens + 2)``; see :func:`without_boundaries`. Further axes as in the input.
        """
        output = self._memory.find(character_ids, self._fingerprint())
        if output is not None:
            return output
        if not self._warned_of_second_run:
            self._warned_of_second_run = True
            logger.warning(
                "A place that reads ELMo's layers got a text that the embedder has not seen, so the biLM runs for it "
                "apart (this is said once). Hand the same tensors to the text field embedder first, in the same pass."
            )
        return self._run(character_ids)

    def _run(self, character_ids: torch.Tensor) -> BiLMOutput:
        if self._absent_weights is not None:
            raise InputError(
                f"{self._absent_weights} Nor has a saved model brought the biLM's weights; give their HDF5 file as "
                f"weights_file (for an archive, {_OVERRIDES % 'weights_file'})."
            )
        *batch, num_tokens, num_characters = character_ids.shape
        expected = self.bilm.options.max_characters_per_token
        if num_characters != expected:
            raise InputError(
                f"The indexer gives {num_characters} characters a token, the biLM reads {expected}; set "
                f"\"max_characters_per_token\": {expected} in the indexer 'bilm_characters'."
            )
        # (batch_size, ..., num_tokens, num_characters) -> (rows, num_tokens, num_characters)
        folded = character_ids.reshape(math.prod(batch), num_tokens, num_characters)
        gradients = torch.is_grad_enabled() and not self.is_frozen
        with torch.set_grad_enabled(gradients), torch.autocast(character_ids.device.type, enabled=False):
            store = self._usable_store()
            if store is None:
                result = self.bilm(folded, keep_sentence_boundaries=True)
            else:
                result = store.layers(folded)
        # (..., rows, num_tokens + 2, ...) -> (..., batch_size, ..., num_tokens + 2, ...)
        output = BiLMOutput(
            result.layers.unflatten(1, batch) if len(batch) > 1 else result.layers,
            result.mask.unflatten(0, batch) if len(batch) > 1 else result.mask,
        )
        self._memory.keep(character_ids, self._fingerprint(), output)
        return output

    def _usable_store(self) -> LayerStore | None:
        """The store, as long as its vectors are those of this biLM."""
        if self._store is not None and self._stored_weights != (version := self._weights_version()):
            # Mostly a checkpoint or the best epoch's model was loaded, and the numbers are the same.
            self._stored_weights = version
            if not self.is_frozen or not self._store.is_of(self.bilm):
                self._store = None
        return self._store

    def _load_if_usable(self, weights_file: str) -> None:
        try:
            self.bilm.load_weights(weights_file)
            self._absent_weights = None
        except InputError as error:
            self._absent_weights = str(error)

    def _fingerprint(self) -> Any:
        return torch.is_grad_enabled() and not self.is_frozen, self._weights_version()

    def _weights_version(self) -> Any:
        return tuple(
            (id(weight), 0 if weight.is_inference() else weight._version, weight.requires_grad)
            for weight in self.bilm.parameters()
        )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        if all(f"{prefix}bilm.{name}" in state_dict for name in self.bilm.state_dict()):
            self._absent_weights = None


def without_boundaries(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Cut off the two sentence markers.

    Parameters
    ----------
    vectors : ``(..., num_tokens + 2, dim)``.
    mask : bool ``(..., num_tokens + 2)``, true for markers and tokens.

    Returns
    -------
    ``(..., num_tokens, dim)``, exactly 0 where there is no token.
    """
    # The end marker of a shorter sentence stands on a padded place of a longer one.
    return vectors[..., 1:-1, :].masked_fill(~inner_mask(mask).unsqueeze(-1), 0.0)


def inner_mask(mask: torch.Tensor) -> torch.Tensor:
    """The mask of the tokens alone, ``(..., num_tokens)``, from that with sentence markers."""
    # n + 2 true places followed by padding: without the first two, the first n are left.
    return mask[..., 2:]


def _read_options(options: dict[str, Any] | None, options_file: str | None) -> BiLMOptions:
    if (options is None) == (options_file is None):
        found = "neither is" if options is None else "both are"
        raise InputError(f"The embedder 'bilm' needs either options or options_file; {found} given.")
    if options is not None:
        return BiLMOptions.from_dict(options, source="the options of the embedder 'bilm'")
    assert options_file is not None
    if not os.path.exists(options_file):
        raise InputError(
            f"{options_file}: the biLM's options file does not exist; correct options_file (for an archive that has "
            f"moved, {_OVERRIDES % 'options_file'})."
        )
    return BiLMOptions.from_file(options_file)
