"""Vocabulary files: what is read, what is counted, what is refused with its line."""

import gzip
from pathlib import Path

import pytest

from elmo_tasks.bilm.training.vocabulary import Vocabulary, count_words
from elmo_tasks.errors import InputError

HEAD = "<S>\n</S>\n<UNK>\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "vocabulary.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_ids_are_the_lines(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_file(write(tmp_path, HEAD + "the\nof\nTokyo"))
    assert [vocabulary.id(word) for word in ("<S>", "</S>", "<UNK>", "the", "of", "Tokyo")] == [0, 1, 2, 3, 4, 5]
    assert vocabulary.id("tokyo") == vocabulary.unknown_id == 2
    assert (vocabulary.begin_id, vocabulary.end_id, len(vocabulary)) == (0, 1, 6)


def test_windows_line_ends_a_mark_and_the_line_that_the_original_skips(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + (HEAD + "!!!MAXTERMID\nthe\n").replace("\n", "\r\n").encode()
    assert Vocabulary.from_file(write(tmp_path, text)).words == ["<S>", "</S>", "<UNK>", "the"]


def test_the_first_lines_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress((HEAD + "the\nof\nand\n").encode()))
    assert Vocabulary.from_file(tmp_path / "v.txt.gz", max_size=5).words[3:] == ["the", "of"]


def test_counted_from_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("b b c\na b <UNK>\n")
    (tmp_path / "b.txt").write_text("c a d\n")
    shards = [tmp_path / "a.txt", tmp_path / "b.txt"]
    # By falling count, equal counts by code points; the special words stand first and are not counted.
    sentences, counts = count_words(shards, say=print)
    assert sentences == 3
    assert Vocabulary.from_counts(counts).words == ["<S>", "</S>", "<UNK>", "b", "a", "c", "d"]
    assert Vocabulary.from_counts(counts, max_size=5).words[3:] == ["b", "a"]
    assert Vocabulary.from_counts(counts, min_count=2).words[3:] == ["b", "a", "c"]


def test_a_count_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("b b c\na\n")
    (tmp_path / "b.txt").write_text("c a d\n")
    shards = [tmp_path / "a.txt", tmp_path / "b.txt"]
    said: list[str] = []
    count_words(shards, said.append)
    assert said == [], "a short count says nothing"
    monkeypatch.setattr("elmo_tasks.bilm.training.corpus._SECONDS_BETWEEN_LINES", 2.0)
    monkeypatch.setattr("time.monotonic", iter([10.0, 11.0, 12.0, 13.0]).__next__)
    count_words(shards, said.append)
    assert said == ["shard 1 of 2: 4 tokens, 2 tokens/s"]


def test_how_much_of_a_text_is_covered(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("b b c\na b <UNK> d\n")
    _, counts = count_words([tmp_path / "a.txt"], say=print)
    assert Vocabulary.from_counts(counts, max_size=4).covered(counts) == pytest.approx(3 / 7)
    # A token that is written <UNK> is one, and no vocabulary covers it.
    assert Vocabulary.from_counts(counts).covered(counts) == pytest.approx(6 / 7)


def test_written_and_read_again(tmp_path: Path) -> None:
    words = ["<S>", "</S>", "<UNK>", "naïve", "東京", '"']
    Vocabulary(words).write(tmp_path / "v.txt")
    assert Vocabulary.from_file(tmp_path / "v.txt").words == words
    with pytest.raises(InputError, match=r"nowhere/v.txt: the file cannot be written"):
        Vocabulary(words).write(tmp_path / "nowhere" / "v.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the\nof\n", r":1: found 'the', expected <S>: a vocabulary begins with the lines <S>, </S>, <UNK>"),
        ("<S>\n</S>\nthe\n", r":3: found 'the', expected <UNK>"),
        ("<s>\n</s>\n<unk>\nthe\n", r":1: found '<s>', expected <S>"),
        (HEAD + "the\n\nof\n", r":5: an empty line in the vocabulary"),
        (HEAD + "the\nof\nthe\n", r":6: the word 'the' stands in line 4 already"),
        (HEAD + "the\n<S>\n", r":5: the word '<S>' stands in line 1 already"),
        (HEAD + "the 1234\n", r":4: found 'the 1234', expected one word without spaces, no counts"),
        (HEAD, r": 3 lines, expected <S>, </S>, <UNK> and at least one word"),
        ("", r": 0 lines, expected"),
        (HEAD.encode() + b"caf\xe9\n", r":4: the line is not UTF-8"),
    ],
)
def test_mistakes_name_their_line(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"vocabulary.txt{message}") as caught:
        Vocabulary.from_file(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"v.txt: no such file"):
        Vocabulary.from_file(tmp_path / "v.txt")
