"""Bytes as Latin-1 characters, and what they are shown as."""

from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.scoring.latin1 import as_text, shown


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_text_in_utf8_comes_back(text: str) -> None:
    assert as_text(text.encode().decode("latin-1")) == text


@given(st.binary(max_size=60))
def test_what_is_shown_is_on_one_line(content: bytes) -> None:
    text = shown(content.decode("latin-1"))
    assert text.isprintable()
    assert shown(content[:40].decode("latin-1")) == text


def test_bytes_that_are_not_utf8_are_escaped() -> None:
    assert as_text("caf\xc3\xa9 \xe9") == "café \\xe9"
