"""Colours of terminals for what predictors draw."""

import os
import sys

# Foreground colours that are readable on black and on white, in turns for what is numbered.
_COLOURS = (31, 32, 34, 35, 36, 33)


def coloured(mark: str, number: int) -> str:
    """The mark in the colour of its number, by the codes that terminals know."""
    return f"\033[{_COLOURS[number % len(_COLOURS)]}m{mark}\033[0m"


def wanted() -> bool:
    """Whether standard output is a terminal and the environment has no ``NO_COLOR`` (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
