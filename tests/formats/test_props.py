"""Predicates and arguments in CoNLL-2005's columns: as the recorded files have them, and what cannot be written."""

import tarfile
from itertools import islice
from pathlib import Path

import pytest

from elmo_tasks.formats.conll2012 import Proposition, read_documents
from elmo_tasks.formats.props import gold_lines, gold_propositions, props_lines, write_props
from elmo_tasks.formats.tags import Span


def test_a_column_for_each_predicate_in_order_of_their_rows(tmp_path: Path) -> None:
    write_props(
        tmp_path / "x.props",
        [
            (
                4,
                [
                    Proposition(2, "sell", "01", (Span("V", 2, 3), Span("ARG0", 0, 2))),
                    Proposition(1, "go", "-", ()),
                ],
            ),
            (1, []),
        ],
    )
    assert (tmp_path / "x.props").read_text(encoding="utf-8") == (
        "-     *  (ARG0*\n"  # rows are padded, but do not end in blanks
        "go    *  *)\n"
        "sell  *  (V*)\n"
        "-     *  *\n"
        "\n"
        "-\n"
        "\n"
    )


def test_the_gold_file_of_the_official_scores_comes_out_to_the_byte(shared_folder: Path, tmp_path: Path) -> None:
    """Case 15 has the first 330 test sentences, case 16 the same with a block for each predicate."""
    documents = read_documents(shared_folder / "data/srl/ewt/ewt.test.gold_conll.xz")
    sentences = list(islice((sentence for document in documents for sentence in document.sentences), 330))
    written = tmp_path / "gold.props"
    with tarfile.open(shared_folder / "data/golden/srl/golden_srl.tar.xz") as archive:
        for case, blocks in {
            "15_mixed_noise": [(len(one.words), one.propositions) for one in sentences],
            "16_mixed_noise_one_block_per_predicate": [
                (len(one.words), (proposition,)) for one in sentences for proposition in one.propositions
            ],
        }.items():
            write_props(written, blocks)
            recorded = archive.extractfile(f"srl/{case}/gold.props")
            assert recorded is not None
            assert written.read_bytes() == recorded.read()


def test_gold_lines_have_the_places_of_their_rows(tmp_path: Path) -> None:
    """Predicates whose column has no verb are in the rows, as the official files have them."""
    text = (Path(__file__).parents[2] / "fixtures/srl/dev.gold_conll").read_text(encoding="utf-8")
    (tmp_path / "b").mkdir()
    files = [tmp_path / "a.gold_conll", tmp_path / "b" / "c.gold_conll"]
    for file, name in zip(files, ("srl/a", "srl/c"), strict=True):
        file.write_text(text.replace("srl/dev", name).replace("(V*)", "*", 1), encoding="utf-8")
    for source in (files[0], tmp_path):
        found = list(gold_lines(source))
        assert [line for _, line in found] == list(props_lines(gold_propositions(source)))
        for place, line in found:
            file, _, number = place.rpartition(":")
            row = Path(file).read_text(encoding="utf-8").split("\n")[int(number) - 1]
            # the row's lemma and arguments, the columns of the file without the others
            cells = row.split(" ")
            assert line.split() == ([cells[6], *cells[11:-1]] if row else [])
    assert {place.rpartition(":")[0] for place, _ in found} == set(map(str, files))


@pytest.mark.parametrize(
    ("propositions", "sentence"),
    [
        ([Proposition(0, "go", "01", (Span("V", 0, 2), Span("ARG0", 1, 3)))], "overlaps another span or leaves"),
        ([Proposition(0, "go", "01", (Span("V", 2, 4),))], "overlaps another span or leaves the sentence of 3"),
        (
            [Proposition(0, "go", "01", ()), Proposition(0, "do", "01", ())],
            "two predicates in row 0: 'do' is the second",
        ),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, propositions: list[Proposition], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        write_props(tmp_path / "x.props", [(3, propositions)])
    assert list(tmp_path.iterdir()) == []
