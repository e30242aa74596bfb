"""Rows in columns: strict in their number, easy about blanks, tabs and line ends."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.columns import Row, read_blocks


@pytest.mark.parametrize(
    "content",
    [
        "a b c\nd e f\n\ng h i\n",
        "a b c\nd e f\n\ng h i",
        "a b c\r\nd e f\r\n\r\ng h i\r\n",
        "a\tb\tc\nd \t e\tf\n \t \ng  h  i\t\n",
        " a b c \nd e f\n   \ng h i\n",
    ],
    ids=["as usual", "without a final newline", "Windows line ends", "tabs", "blanks around and in a blank line"],
)
def test_the_same_blocks(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(content.encode())
    assert list(read_blocks(path, 3)) == [
        [Row(1, ("a", "b", "c")), Row(2, ("d", "e", "f"))],
        [Row(4, ("g", "h", "i"))],
    ]


def test_runs_of_blank_lines_make_no_blocks_and_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("\n \n\na b\n\n\t\n\nc d\n\n\n", encoding="utf-8")
    assert list(read_blocks(path, 2)) == [[Row(4, ("a", "b"))], [Row(8, ("c", "d"))]]
    path.write_text("\n\n", encoding="utf-8")
    assert list(read_blocks(path, 2)) == []


def test_other_white_space_is_part_of_a_word(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("8\u00a01/2 b\nc\u2028d e\x85\n", encoding="utf-8")
    assert list(read_blocks(path, 2)) == [[Row(1, ("8\u00a01/2", "b")), Row(2, ("c\u2028d", "e\x85"))]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a b c\n\nd e\n", r"rows\.txt:3: found 2 columns \('d e'\), expected 3 with spaces or tabs between them"),
        (b"a b c d\n", r"rows\.txt:1: found 4 columns \('a b c d'\), expected 3"),
        (b"a b c\rd e f\n", r"rows\.txt:1: found 5 columns"),  # old line ends
        ("a b c\né b c\n".encode("latin-1"), r"rows\.txt:2: byte 1 of the line \(0xe9\) is not UTF-8"),
        ("a b c\n".encode("utf-16"), r"rows\.txt:1: byte 1 of the line \(0xff\) is not UTF-8"),
    ],
)
def test_what_is_refused_with_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        list(read_blocks(path, 3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("ab é\t \r\n\n"), max_size=30), num_columns=st.integers(1, 3))
def test_any_text_is_read_as_by_splitting_or_refused_at_its_first_bad_line(
    tmp_path: Path, text: str, num_columns: int
) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(text.encode())
    rows = [re.findall("[^ \t]+", line.strip(" \t\r")) for line in text.split("\n")]
    bad = [number for number, row in enumerate(rows, start=1) if row and len(row) != num_columns]
    if bad:
        with pytest.raises(InputError, match=rf"rows\.txt:{bad[0]}: found "):
            list(read_blocks(path, num_columns))
        return
    read = {row.number: list(row.columns) for block in read_blocks(path, num_columns) for row in block}
    assert read == {number: row for number, row in enumerate(rows, start=1) if row}
    neighbours = sum(bool(row) and not before for before, row in zip([[], *rows], rows, strict=False))
    assert len(list(read_blocks(path, num_columns))) == neighbours
