"""The classes of sentiment at the treebank's three granularities, and how a tree's label falls into them."""

from elmo_tasks.errors import InputError

# Class names in the order of their indices: fixed here, so that no vocabulary and no data can change it.
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "5-class": ("very negative", "negative", "neutral", "positive", "very positive"),
    "3-class": ("negative", "neutral", "positive"),
    "2-class": ("negative", "positive"),
}

# Index of the class of labels 0 to 4; None where the granularity has no class for the label (docs/sst5.md).
_CLASS_OF_LABEL: dict[str, tuple[int | None, ...]] = {
    "5-class": (0, 1, 2, 3, 4),
    "3-class": (0, 0, 1, 2, 2),
    "2-class": (0, 0, None, 1, 1),
}


def class_names(granularity: str) -> tuple[str, ...]:
    """
    Names of the classes, in the order of their indices.

    Raises
    ------
    InputError
        If ``granularity`` is not one of the known ones.
    """
    if granularity not in CLASS_NAMES:
        known = ", ".join(repr(name) for name in CLASS_NAMES)
        raise InputError(f"granularity is {granularity!r}, expected one of {known}.")
    return CLASS_NAMES[granularity]


def class_of_label(label: str, granularity: str) -> int | None:
    """Index of the class of a tree's label ("0" to "4"); ``None`` for neutral at ``2-class``."""
    return _CLASS_OF_LABEL[granularity][int(label)]
