"""
What AllenNLP 2.10.1 (2022, its last release) needs to run on today's Python and torch.

Importing this package puts a finder in front of Python's own. At the first import of `allennlp`, and not before, it
lets the fixes of `elmo_tasks.bridge.table` act while the modules they are meant for are executed. An installed
elmo-tasks does so at every start of Python through a one-line `.pth` file (`ELMO_TASKS_NO_HOOK=1` switches that off);
a program that wants it by hand writes `import elmo_tasks.bridge` before it imports `allennlp`.

docs/allennlp-today.md lists the fixes.
"""

from elmo_tasks.bridge.finder import install

install()
