"""What stands for an official program that ends without a score."""


class RefusalError(ValueError):
    """
    The official program refuses this input, and so do we.

    Its text is one sentence: file and line, the program's own words, and what was expected. A command that scores
    files exits with 1 for it; input that cannot be read at all is an `InputError` and status 2.
    """
