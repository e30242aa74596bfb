"""The one exception that means: the input is wrong, not the program."""


class InputError(ValueError):
    """
    A user's mistake: a file, an option or a command that cannot be used.

    Its text is one sentence for the user: which file and line (or option), what was found, what was expected and,
    where one can be guessed, the remedy. The project's own commands print that sentence without a stack trace and
    exit with 2.
    """
