"""Text of any encoding, read as Latin-1 so that a character is a byte, as the scripts in Perl take it."""


def as_text(characters: str) -> str:
    """What such characters most likely are: UTF-8, with an escape for each byte that is not."""
    return characters.encode("latin-1").decode("utf-8", errors="backslashreplace")


def shown(characters: str) -> str:
    """The same for a message: quoted, on one line, cut after 40 bytes."""
    return repr(as_text(characters[:40]))
