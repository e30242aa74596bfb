"""Reading shards, shuffling them, and packing sentences into batches."""

import gzip
import lzma
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from elmo_tasks.bilm.characters import word_to_ids
from elmo_tasks.bilm.training.corpus import (
    NO_TARGET,
    Batch,
    Batcher,
    SentenceStream,
    count_corpus,
    find_shards,
    read_sentences,
    shuffled,
)
from elmo_tasks.errors import InputError

TEXT = "The cat\tsat\n\n  naïve 東京 \n \nend"
RECORDED = ". on the sat the mat cat"
SENTENCES = [["The", "cat", "sat"], ["naïve", "東京"], ["end"]]


class TestReading:
    @pytest.mark.parametrize(
        ("name", "pack"),
        [("plain.txt", lambda data: data), ("packed.txt.gz", gzip.compress), ("packed.txt.xz", lzma.compress)],
    )
    def test_plain_and_packed(self, name: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(pack(TEXT.encode()))
        assert list(read_sentences(tmp_path / name)) == SENTENCES
        assert count_corpus([tmp_path / name], say=print) == (3, 6)

    def test_windows_line_ends_and_a_byte_order_mark_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
        assert list(read_sentences(tmp_path / "a.txt")) == SENTENCES

    @pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n\t\n"])
    def test_a_shard_without_a_sentence(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(InputError, match=r"a.txt: no sentence in this shard; expected one tokenised sentence"):
            list(read_sentences(tmp_path / "a.txt"))

    @pytest.mark.parametrize("line", [1, 2, 1500])
    def test_bytes_that_are_not_utf8_name_their_line(self, line: int, tmp_path: Path) -> None:
        lines = [b"a line of text"] * 2000
        lines[line - 1] = b"caf\xe9 au lait"
        (tmp_path / "a.txt").write_bytes(b"\n".join(lines))
        with pytest.raises(InputError, match=rf"a.txt:{line}: the line is not UTF-8 .*at byte 3"):
            list(read_sentences(tmp_path / "a.txt"))

    @pytest.mark.parametrize(("name", "pack"), [("a.txt.gz", gzip.compress), ("a.txt.xz", lzma.compress)])
    @pytest.mark.parametrize("damage", ["cut", "changed", "plain"])
    def test_a_damaged_archive(self, name: str, pack: Callable[[bytes], bytes], damage: str, tmp_path: Path) -> None:
        data = pack("".join(f"{number * 7919} {number * 104729}\n" for number in range(3000)).encode())
        middle = len(data) // 2
        damaged = {
            "cut": data[:middle],
            "changed": data[:middle] + bytes(64) + data[middle + 64 :],
            "plain": b"no archive at all\n",
        }
        (tmp_path / name).write_bytes(damaged[damage])
        with pytest.raises(InputError, match=rf"{name}:\d+: "):
            list(read_sentences(tmp_path / name))

    def test_shards_in_order_of_their_names(self, tmp_path: Path) -> None:
        for name in ("b-1", "b-0", "a-9", "c"):
            (tmp_path / name).write_text("x\n")
        found = find_shards([tmp_path / "b-*", str(tmp_path / "a-9")])
        assert [path.name for path in found] == ["b-0", "b-1", "a-9"]
        with pytest.raises(InputError, match=r"d-\*: no such file; expected the shards of the corpus"):
            find_shards([tmp_path / "b-*", tmp_path / "d-*"])


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    for shard in range(3):
        (tmp_path / f"{shard}.txt").write_text("".join(f"{shard} {line}\n" for line in range(shard + 4)))
    return find_shards([tmp_path / "*.txt"])


class TestStream:
    def test_every_pass_has_every_sentence_once(self, shards: list[Path]) -> None:
        stream = SentenceStream(shards, seed=1)
        passes = [[tuple(next(stream)) for _ in range(4 + 5 + 6)] for _ in range(3)]
        assert all(Counter(one) == Counter(passes[0]) for one in passes)
        assert len(set(passes[0])) == 15
        assert len({tuple(one) for one in passes}) == 3, "each pass is shuffled anew"
        # A shard is read to its end before the next one.
        for one in passes:
            order = [shard for shard, _ in one]
            assert sum(a != b for a, b in pairwise(order)) == 2

    def test_seeds(self, shards: list[Path]) -> None:
        def first(seed: int) -> list[list[str]]:
            stream = SentenceStream(shards, seed)
            return [next(stream) for _ in range(15)]

        assert first(1) == first(1)
        assert first(1) != first(2)

    @pytest.mark.parametrize("read", [0, 1, 4, 9, 15, 23])
    def test_a_stream_goes_on_where_it_stood(self, read: int, shards: list[Path]) -> None:
        stream = SentenceStream(shards, seed=1)
        for _ in range(read):
            next(stream)
        state = stream.state()
        expected = [next(stream) for _ in range(40)]
        other = SentenceStream(shards, seed=99 if read else 1)
        other.restore(state)
        assert [next(other) for _ in range(40)] == expected

    def test_one_shard_at_a_time_is_in_memory(self, tmp_path: Path) -> None:
        """The highest use of memory over many shards is that of one, which is let go before the next one is read."""

        def peak(num_shards: int) -> int:
            stream = SentenceStream(find_shards([tmp_path / "*.txt"])[:num_shards], seed=1)
            tracemalloc.start()
            for _ in range(3000 * num_shards):
                next(stream)
            highest = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert len(stream._lines) == 3000
            return highest

        for shard in range(9):
            text = "".join(f"{shard} {line} {'word ' * 20}\n" for line in range(3000))
            (tmp_path / f"{shard}.txt").write_text(text)
        one = peak(1)
        assert one > 300_000
        assert peak(9) < 1.3 * one


class TestShuffledWords:
    def test_the_words_of_each_sentence_in_another_order(self, shards: list[Path]) -> None:
        lines = [[f"word{number}" for number in range(length)] for length in (1, 2, 5, 9, 40)] * 3
        for words in lines:
            before = list(words)
            assert sorted(shuffled(words)) == sorted(words)
            assert shuffled(words) == shuffled(tuple(words))
            assert words == before
        assert shuffled(lines[4]) != lines[4]
        # Every word comes to every place: 24 orders of 4 words, from 2,000 sentences that differ in one word.
        orders = Counter("".join(word[0] for word in shuffled(["a", "b", "c", f"d{n}"])) for n in range(2000))
        assert len(orders) == 24
        assert min(orders.values()) > 45

    def test_recorded(self) -> None:
        """The same on every machine and in every version of Python."""
        assert " ".join(shuffled(["the", "cat", "sat", "on", "the", "mat", "."])) == RECORDED

    def test_both_directions_and_both_line_ends_read_the_same_text(self, tmp_path: Path) -> None:
        text = "".join(f"a b c d e {line}\n" for line in range(20))
        (tmp_path / "unix.txt").write_text(text)
        (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", " \r\n").encode())
        streams = [SentenceStream([tmp_path / "unix.txt"], 1, shuffle_words=True)]
        streams += [SentenceStream([tmp_path / "windows.txt"], 2, shuffle_words=True)]
        first, second = ({tuple(next(stream)) for _ in range(20)} for stream in streams)
        assert first == second
        assert {tuple(sorted(words)) for words in first} == {tuple(sorted(line.split())) for line in text.splitlines()}
        assert first != {tuple(line.split()) for line in text.splitlines()}

    def test_it_goes_on_where_it_stood(self, shards: list[Path]) -> None:
        stream = SentenceStream(shards, 1, shuffle_words=True)
        for _ in range(7):
            next(stream)
        other = SentenceStream(shards, 1, shuffle_words=True)
        other.restore(stream.state())
        assert [next(other) for _ in range(40)] == [next(stream) for _ in range(40)]


def spelled(batch: Batch, vocabulary: list[str]) -> list[tuple[str, str]]:
    """Each direction's rows as inputs and targets; inputs are read off the character ids."""
    by_ids = {tuple(word_to_ids(word, 12)): word for word in vocabulary}
    words = [by_ids[tuple(ids)] for ids in batch.character_ids.tolist()]
    rows = []
    for direction in (0, 1):
        for row in range(batch.index.size(2)):
            known = batch.targets[direction, :, row] != NO_TARGET
            inputs = [words[i] for i in batch.index[direction, :, row][known].tolist()]
            targets = [vocabulary[i] for i in batch.targets[direction, :, row][known].tolist()]
            rows.append((" ".join(inputs), " ".join(targets)))
    return rows


VOCABULARY = ["<S>", "</S>", "<UNK>", "a", "b", "c", "d", "e", "f"]
TINY_TEXT = [["a", "b", "c"], ["d"], ["e", "f"], ["b"]]


def batcher(forward, backward, rows: int = 2, steps: int = 3) -> Batcher:
    ids = {word: number for number, word in enumerate(VOCABULARY)}
    return Batcher(iter(forward), iter(backward), lambda word: ids.get(word, 2), rows, steps, 12)


class TestPacking:
    def test_a_text_packed_by_hand(self) -> None:
        """Sentences without padding between them; what does not fit goes on in the same row."""
        batches = [spelled(batch, VOCABULARY) for batch in batcher(TINY_TEXT, TINY_TEXT)]
        assert batches == [
            [
                ("<S> a b", "a b c"),
                ("<S> d <S>", "d </S> e"),
                ("</S> c b", "c b a"),
                ("</S> d </S>", "d <S> f"),
            ],
            [
                ("c <S> b", "</S> b </S>"),
                ("e f", "f </S>"),
                ("a </S> b", "<S> b <S>"),
                ("f e", "e <S>"),
            ],
        ]

    def test_the_directions_read_texts_of_their_own(self) -> None:
        batch = next(batcher([["a", "b"]], [["c"]], rows=1, steps=4))
        assert spelled(batch, VOCABULARY) == [("<S> a b", "a b </S>"), ("</S> c", "c <S>")]

    def test_unknown_words_are_spelled_as_inputs_and_unknown_as_targets(self) -> None:
        batch = next(batcher([["a", "zebra"]], [["a"]], rows=1))
        assert batch.targets[0, :, 0].tolist() == [3, 2, 1]
        assert word_to_ids("zebra", 12) in batch.character_ids.tolist()

    def test_each_distinct_word_stands_once(self) -> None:
        batch = next(batcher([["a", "b", "a", "b"]], [["b", "a"]], rows=1, steps=5))
        assert len(batch.character_ids) == len({tuple(ids) for ids in batch.character_ids.tolist()}) == 4

    @pytest.mark.parametrize(("rows", "steps"), [(1, 1), (1, 7), (3, 2), (5, 4), (20, 3)])
    def test_nothing_is_lost_in_a_text(self, rows: int, steps: int) -> None:
        """Every pair of words that follow each other is met once, in each direction."""
        expected = [Counter(), Counter()]
        for sentence in TINY_TEXT:
            for direction, words in enumerate((["<S>", *sentence, "</S>"], ["</S>", *sentence[::-1], "<S>"])):
                expected[direction].update(pairwise(words))
        found = [Counter(), Counter()]
        for batch in batcher(TINY_TEXT, TINY_TEXT, rows, steps):
            assert batch.index.shape == batch.targets.shape == (2, steps, rows)
            for number, (inputs, targets) in enumerate(spelled(batch, VOCABULARY)):
                found[number // rows].update(zip(inputs.split(), targets.split(), strict=True))
        assert found == expected

    def test_an_endless_text_leaves_no_place_empty(self, shards: list[Path]) -> None:
        endless = Batcher(SentenceStream(shards, 1), SentenceStream(shards, 2), lambda word: 5, 3, 4, 12)
        for _ in range(20):
            assert not (next(endless).targets == NO_TARGET).any()

    def test_to_a_device(self) -> None:
        batch = next(batcher(TINY_TEXT, TINY_TEXT)).to(torch.device("meta"))
        assert {part.device.type for part in (batch.character_ids, batch.index, batch.targets)} == {"meta"}
