"""
What the package is made of and what it needs.

AllenNLP itself is in no list: its last release demands torch<1.13, so pip can only install it with `--no-deps`
(`make install` does). The exact set of versions that the tests run with is requirements.txt.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "elmo_tasks" / "__init__.py"

# `elmo_tasks.bilm`, the biLM on its own.
NEEDED = ["torch>=2.4,<3", "numpy>=1.26,<3", "h5py>=3.10"]

# What AllenNLP 2.10.1 imports before its first command can run. Left out of its own list, because nothing imports
# them: sentencepiece, sacremoses, traitlets, typer, protobuf, wandb, filelock, requests; because the bridge stands in
# for them: torchvision, fairscale.
ALLENNLP = [
    "base58>=2.1.1",
    "cached-path>=1.6",
    "dill>=0.3.6",
    "huggingface_hub>=0.24,<1",
    "jsonnet>=0.20; sys_platform != 'win32'",
    "lmdb>=1.4",
    "more-itertools>=9",
    "nltk>=3.8",
    "overrides>=7",
    "scikit-learn>=1.3",
    "scipy>=1.11",
    "spacy>=3.7,<4",
    "tensorboardX>=2.6",
    "termcolor>=2.3",
    "tqdm>=4.65",
    "transformers>=4.40,<4.50",
]

EXTRAS = {
    "allennlp": ALLENNLP,
    # The biLM's trainer without AllenNLP: progress bars, and configurations in Jsonnet.
    "train": ["tqdm>=4.65", "jsonnet>=0.20; sys_platform != 'win32'"],
    # The layers of a frozen biLM on disk.
    "store": ["lmdb>=1.4"],
    # Figures; `allennlp find-lr` draws with it too.
    "report": ["matplotlib>=3.8"],
    "dev": [
        "hypothesis>=6.100",
        "import-linter>=2.1",
        "mypy>=1.11",
        "pytest>=8.2",
        "pytest-xdist>=3.6",
        "ruff>=0.6",
        "setuptools>=77",
    ],
}


def version() -> str:
    """The version as `elmo_tasks/__init__.py` states it, read without importing the package."""
    found = re.search(r'^__version__ = "([^"]+)"$', PACKAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f'{PACKAGE}: found no line __version__ = "..."')
    return found.group(1)


def readme() -> str:
    """The README, which is also the description in a package index; empty where it is not at hand."""
    file = FOLDER / "README.md"
    return file.read_text(encoding="utf-8") if file.exists() else ""


setup(
    name="elmo-tasks",
    version=version(),
    description="ELMo and the six tasks of its paper, as a plugin for AllenNLP 2.10.1 on current Python and torch",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    # Said although it is the default: an editable install is then one line with this folder's path, which costs nothing
    # when Python starts. Otherwise it is a finder of setuptools' own, ten milliseconds each time.
    package_dir={"": "."},
    packages=find_packages(include=["elmo_tasks", "elmo_tasks.*"]),
    package_data={"elmo_tasks": ["py.typed"], "elmo_tasks.bridge": ["*.pth"]},
    install_requires=NEEDED,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["elmo-tasks = elmo_tasks.commands.main:main"]},
)
