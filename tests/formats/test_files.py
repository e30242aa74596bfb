"""Text files are read strictly and written completely or not at all."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import open_to_write, read_lines

TEXT = "one\ntwo é 𝄞\n\nfour\u2028still four\x85\r\nlast"
LINES = ["one", "two é 𝄞", "", "four\u2028still four\x85\r", "last"]


@pytest.mark.parametrize(
    ("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]
)
def test_only_line_feeds_end_lines_in_every_compression(tmp_path: Path, suffix: str, compress) -> None:
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(compress(TEXT.encode()))
    assert list(read_lines(path)) == list(enumerate(LINES, start=1))


def test_bytes_that_are_not_utf8_are_named_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("gut\nschön".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt:2: byte 4 of the line \(0xf6\) is not UTF-8"):
        list(read_lines(path))


def test_a_byte_order_mark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bom.txt"
    path.write_text("one\n", encoding="utf-8-sig")
    with pytest.raises(InputError, match=r"bom\.txt:1: .*byte order mark"):
        list(read_lines(path))


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("damage", ["cut", "overwritten", "not compressed"])
def test_damaged_compressed_files_are_named(tmp_path: Path, suffix: str, compress, damage: str) -> None:
    content = compress("".join(f"line {number} {number * 7919 % 104729}\n" for number in range(20_000)).encode())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "overwritten":
        content = content[:1000] + bytes(100) + content[1100:]
    else:
        content = b"plain text\n"
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"text\.txt\{suffix}:\d+: the compressed file is damaged or cut short"):
        list(read_lines(path))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt: there is no such file"):
        list(read_lines(tmp_path / "nowhere.txt"))
    with pytest.raises(InputError, match="this is a folder"):
        list(read_lines(tmp_path))


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.txt{suffix}"
    with open_to_write(path) as handle:
        handle.write(TEXT)
    assert [line for _, line in read_lines(path)] == LINES
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError), open_to_write(path) as handle:
        handle.writelines(["new\n", "\ud800"])
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
