"""The paper's own figures, in one place, each with the table it stands in."""

from dataclasses import dataclass

SOURCE = "Peters et al. 2018, Table 1"
"""Where every figure of `TABLE_1` was printed."""


@dataclass(frozen=True)
class Figure:
    """
    A printed figure, in percent.

    Attributes
    ----------
    printed
        As the paper prints it, with its decimals and the deviation over seeds where it gives one: `54.7 ± 0.5`.
    """

    printed: str

    @property
    def value(self) -> float:
        """The figure without its deviation."""
        return float(self.printed.split(" ± ")[0])

    def __str__(self) -> str:
        return self.printed


@dataclass(frozen=True)
class PaperRow:
    """
    One row of Table 1: scores on the test set.

    Attributes
    ----------
    title
        The task as the tables print it.
    measure
        What is measured.
    previous, previous_source
        The best published result before, and whose it was.
    baseline, elmo
        The paper's own baseline, without and with ELMo.
    increase
        The printed absolute increase. NER's 2.06 is not 92.22 - 90.15: the paper rounded its baseline.
    relative
        The printed relative increase (reduction of error), in percent.
    """

    title: str
    measure: str
    previous: Figure
    previous_source: str
    baseline: Figure
    elmo: Figure
    increase: Figure
    relative: Figure


TABLE_1 = {
    "squad": PaperRow(
        title="SQuAD",
        measure="F1",
        previous=Figure("84.4"),
        previous_source="Liu et al. 2017",
        baseline=Figure("81.1"),
        elmo=Figure("85.8"),
        increase=Figure("4.7"),
        relative=Figure("24.9"),
    ),
    "snli": PaperRow(
        title="SNLI",
        measure="accuracy",
        previous=Figure("88.6"),
        previous_source="Chen et al. 2017",
        baseline=Figure("88.0"),
        elmo=Figure("88.7 ± 0.17"),
        increase=Figure("0.7"),
        relative=Figure("5.8"),
    ),
    "srl": PaperRow(
        title="SRL",
        measure="F1",
        previous=Figure("81.7"),
        previous_source="He et al. 2017",
        baseline=Figure("81.4"),
        elmo=Figure("84.6"),
        increase=Figure("3.2"),
        relative=Figure("17.2"),
    ),
    "coref": PaperRow(
        title="Coref",
        measure="average F1",
        previous=Figure("67.2"),
        previous_source="Lee et al. 2017",
        baseline=Figure("67.2"),
        elmo=Figure("70.4"),
        increase=Figure("3.2"),
        relative=Figure("9.8"),
    ),
    "ner": PaperRow(
        title="NER",
        measure="F1",
        previous=Figure("91.93 ± 0.19"),
        previous_source="Peters et al. 2017",
        baseline=Figure("90.15"),
        elmo=Figure("92.22 ± 0.10"),
        increase=Figure("2.06"),
        relative=Figure("21"),
    ),
    "sst5": PaperRow(
        title="SST-5",
        measure="accuracy",
        previous=Figure("53.7"),
        previous_source="McCann et al. 2017",
        baseline=Figure("51.4"),
        elmo=Figure("54.7 ± 0.5"),
        increase=Figure("3.3"),
        relative=Figure("6.8"),
    ),
}
"""Table 1, by the names that the tasks have in this project, in the paper's order."""
