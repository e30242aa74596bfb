"""ELMo at the output: one run of the biLM a batch, nothing stale, nothing twice in a saved model."""

import copy
import gc
import io
import logging
import weakref
from typing import Any

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import TextFieldEmbedder
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding

from elmo_tasks.bilm import batch_to_ids
from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.embedding.output import OutputELMo
from elmo_tasks.errors import InputError

from .conftest import OPTIONS, SENTENCES, BiLMFiles


@Model.register("two_places_for_tests")
class TwoPlaces(Model):
    """ELMo at the input and, if asked for, at the output; for one text or a pair of texts."""

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        elmo_at_output: Lazy[OutputELMo] | None = None,
    ) -> None:
        super().__init__(vocab)
        self.text_field_embedder = text_field_embedder
        self.elmo_at_output = None
        if elmo_at_output is not None:
            self.elmo_at_output = elmo_at_output.construct(text_field_embedder=text_field_embedder)

    def forward(self, *texts: TextFieldTensors) -> dict[str, Any]:
        vectors = [self.text_field_embedder(text) for text in texts]
        if self.elmo_at_output is not None:
            vectors += [self.elmo_at_output(text) for text in texts]
        return {"vectors": vectors, "loss": torch.stack([v.sin().sum() for v in vectors]).sum()}


def make_model(files: BiLMFiles, output: dict[str, Any] | None = None, **options: Any) -> TwoPlaces:
    block = {"type": "bilm", "options": OPTIONS, "weights_file": files.weights_file, "dropout": 0.0, **options}
    params = {
        "type": "two_places_for_tests",
        "text_field_embedder": {"token_embedders": {"elmo": block}},
        "elmo_at_output": {"dropout": 0.0} if output is None else output,
    }
    return Model.from_params(Params(params), vocab=Vocabulary())


def text(sentences: list[list[str]] = SENTENCES) -> TextFieldTensors:
    return {"elmo": {"character_ids": batch_to_ids(sentences)}}


def count_runs(model: TwoPlaces) -> list[int]:
    """A list that grows by one entry with every run of the biLM."""
    runs: list[int] = []
    embedder = model.text_field_embedder.token_embedder_elmo
    embedder.bilm.register_forward_hook(lambda module, inputs, output: runs.append(inputs[0].size(0)))
    return runs


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_one_run_for_two_places_and_two_texts(bilm_files: BiLMFiles, caplog: pytest.LogCaptureFixture) -> None:
    model = make_model(bilm_files)
    runs = count_runs(model)
    premise, hypothesis = text(), text(SENTENCES[:2])
    first, second, first_again, second_again = model(premise, hypothesis)["vectors"]
    assert runs == [4, 2]
    assert warnings(caplog) == []
    # Both mixes start as the mean.
    assert torch.equal(first, first_again)
    assert torch.equal(second, second_again)


def test_empty_block_is_the_default_place(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files, output={})
    assert model.elmo_at_output.dropout.p == 0.5
    first, second = model.eval()(text())["vectors"]
    assert torch.equal(first, second)
    assert (model.train()(text())["vectors"][1] == 0).float().mean() > 0.5


def test_each_forward_pass_computes_afresh(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    runs = count_runs(model)
    batch = text()
    model(batch)
    model(batch)
    assert runs == [4, 4]


def test_layers_live_as_long_as_the_batch(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    batch = text()
    model(batch)
    embedder = model.elmo_at_output.embedder
    layers = weakref.ref(embedder.recall(batch["elmo"]["character_ids"]).layers)
    gc.disable()
    try:
        assert layers() is not None
        del batch
        assert layers() is None
        assert len(embedder._memory) == 0
    finally:
        gc.enable()


def test_batches_that_stay_alive_are_not_all_remembered(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    batches = [text(SENTENCES[:1]) for _ in range(20)]
    for batch in batches:
        model(batch)
    assert len(model.elmo_at_output.embedder._memory) < 10


def test_nothing_stale_is_handed_out(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files, requires_grad=True)
    at_output, batch = model.elmo_at_output, text()
    ids = batch["elmo"]["character_ids"]
    fresh = make_model(bilm_files, requires_grad=True).text_field_embedder
    # The text changes in place.
    model(batch)
    ids[0] = ids[1]
    assert torch.equal(at_output(batch), fresh(batch))
    # The weights change.
    model(batch)["loss"].backward()
    torch.optim.SGD(model.text_field_embedder.parameters(), lr=0.01).step()
    changed = at_output(batch)
    assert not torch.allclose(changed, fresh(batch), atol=1e-3)
    fresh.load_state_dict(model.text_field_embedder.state_dict())
    fresh.token_embedder_elmo.mix.load_state_dict(at_output.mix.state_dict())
    assert torch.equal(changed, fresh(batch))
    # Gradients are asked for after a pass without.
    with torch.no_grad():
        model(batch)
    model.zero_grad()
    at_output(batch).sum().backward()
    assert at_output.embedder.bilm.lstm.layers[0].bias.grad.abs().sum() > 0
    # The same numbers in another tensor are another text.
    runs = count_runs(model)
    at_output({"elmo": {"character_ids": ids.clone()}})
    assert len(runs) == 1


def test_second_run_is_said_once(bilm_files: BiLMFiles, caplog: pytest.LogCaptureFixture) -> None:
    model = make_model(bilm_files)
    expected = model(text())["vectors"][1]
    for _ in range(2):
        assert torch.equal(model.elmo_at_output(text()), expected)
    (message,) = warnings(caplog)
    assert "the biLM runs for it apart" in message


def test_inference_mode_remembers_nothing_and_is_right(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    with torch.inference_mode():
        batch = text()
        first, second = model(batch)["vectors"]
    assert torch.equal(first, second)


def test_saved_model_holds_the_bilm_once(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    names = list(model.state_dict())
    assert [name for name in names if name.startswith("elmo_at_output")] == [
        "elmo_at_output.mix.weights",
        "elmo_at_output.mix.gamma",
    ]
    assert sum(name.endswith("lstm.layers.0.input_weight") for name in names) == 1
    storages = {parameter.data_ptr() for parameter in model.state_dict().values()}
    assert len(storages) == len(names)


def test_output_place_uses_loaded_weights(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    other = make_model(bilm_files)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(text())["vectors"][1], model(text())["vectors"][1])


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_copy_of_a_model_reads_its_own_embedder(bilm_files: BiLMFiles, way: str) -> None:
    model = make_model(bilm_files)
    batch = text()
    expected = model(batch)["vectors"][1]
    if way == "deepcopy":
        twin = copy.deepcopy(model)
    else:
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        twin = torch.load(buffer, weights_only=False)
    assert twin.elmo_at_output.embedder is twin.text_field_embedder.token_embedder_elmo
    assert twin.elmo_at_output.embedder is not model.elmo_at_output.embedder
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(twin(batch)["vectors"][1], expected)


def test_gradients_of_two_places_are_the_sum_of_each(bilm_files: BiLMFiles) -> None:
    both = make_model(bilm_files, requires_grad=True)
    both(text())["loss"].backward()
    single = make_model(bilm_files, requires_grad=True)
    single.elmo_at_output = None
    single(text())["loss"].backward()
    pairs = zip(
        both.text_field_embedder.token_embedder_elmo.bilm.named_parameters(),
        single.text_field_embedder.token_embedder_elmo.bilm.parameters(),
        strict=True,
    )
    for (name, parameter), other in pairs:
        assert torch.allclose(parameter.grad, 2 * other.grad, rtol=1e-4, atol=1e-4), name


def test_several_further_mixes(bilm_files: BiLMFiles) -> None:
    model = make_model(bilm_files)
    runs = count_runs(model)
    lazy = Lazy(OutputELMo, params=Params({"dropout": 0.0}))
    places = torch.nn.ModuleList(lazy.construct(text_field_embedder=model.text_field_embedder) for _ in range(3))
    with torch.no_grad():
        for number, place in enumerate(places):
            place.mix.weights[number] = 100.0
    batch = text()
    model(batch)
    vectors = torch.stack([place(batch) for place in places])
    layers = model.elmo_at_output.embedder.bilm(batch["elmo"]["character_ids"]).layers
    assert runs == [4, 4]
    assert torch.allclose(vectors, layers, atol=1e-6)


def test_output_alone(bilm_files: BiLMFiles) -> None:
    block = BiLMEmbedder(OPTIONS, weights_file=bilm_files.weights_file, at_input=False)
    embedder = BasicTextFieldEmbedder({"elmo": block, "tokens": Embedding(3, num_embeddings=5)})
    at_output = OutputELMo(embedder, dropout=0.0)
    runs: list[int] = []
    block.bilm.register_forward_hook(lambda *_: runs.append(1))
    batch = {**text(), "tokens": {"tokens": torch.ones(4, 7, dtype=torch.long)}}
    assert embedder.get_output_dim() == 3
    assert embedder(batch).shape == (4, 7, 3)
    assert torch.equal(at_output(batch), make_model(bilm_files)(text())["vectors"][0])
    assert len(runs) == 1
    # Nothing without a gradient is left over, which distributed training would refuse.
    assert [name for name, p in embedder.named_parameters() if p.requires_grad] == ["token_embedder_tokens.weight"]


def test_distributed_training_takes_it(bilm_files: BiLMFiles) -> None:
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    model = make_model(bilm_files)
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(model)
        runs = count_runs(model)
        for _ in range(2):
            wrapped(text(), text(SENTENCES[:2]))["loss"].backward()
        assert runs == [4, 2, 4, 2]
    finally:
        distributed.destroy_process_group()
    assert model.elmo_at_output.mix.weights.grad is not None


def test_wrong_settings(bilm_files: BiLMFiles) -> None:
    def block() -> BiLMEmbedder:
        return BiLMEmbedder(OPTIONS, weights_file=bilm_files.weights_file)

    none = BasicTextFieldEmbedder({"tokens": Embedding(3, num_embeddings=5)})
    with pytest.raises(InputError, match=r"needs a token embedder of type 'bilm'.*there is none"):
        OutputELMo(none)
    two = BasicTextFieldEmbedder({"small": block(), "large": block()})
    with pytest.raises(InputError, match=r"several token embedders of type 'bilm' \(small, large\)"):
        OutputELMo(two)
    with pytest.raises(InputError, match="names the token embedder 'big'; those of type 'bilm' are: small, large"):
        OutputELMo(two, embedder="big")
    assert OutputELMo(two, embedder="large").embedder is two.token_embedder_large
    with pytest.raises(
        InputError, match=r"indexer 'small', which is missing.*\"small\": {\"type\": \"bilm_characters\"}"
    ):
        OutputELMo(two, embedder="small")(text())
