"""What can be left out of an installation, and the sentence that says how to get it."""

from importlib.util import find_spec

ALLENNLP = "allennlp==2.10.1"
"""The release this package is a plugin for."""


class MissingPackageError(ImportError):
    """
    A package is not installed that is needed only for what was just asked for.

    Its text is one sentence for the user, with the command that installs the package.
    """


def require(package: str, extra: str) -> None:
    """
    Raises `MissingPackageError` where a package of one of our extras is not installed.

    Parameters
    ----------
    package
        The name it is imported by.
    extra
        The extra of setup.py that it belongs to.
    """
    if find_spec(package) is None:
        raise MissingPackageError(
            f"{package} is not installed, and this needs it: run `pip install 'elmo-tasks[{extra}]'`."
        )


def require_allennlp() -> None:
    """Raises `MissingPackageError` where AllenNLP is not installed."""
    if find_spec("allennlp") is None:
        raise MissingPackageError(
            "AllenNLP is not installed, and all of elmo_tasks but elmo_tasks.bilm needs it: run `make install` in the "
            f"project's folder, or `pip install 'elmo-tasks[allennlp]' && pip install --no-deps {ALLENNLP}`."
        )
