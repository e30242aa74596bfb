"""
The floors of our baselines: allennlp-models' own models, trained under a suite's budget and scored on its test set.

    ELMO_TASKS_PROFILE=open ELMO_TASKS_DATA=data python benchmarks/floors.py squad --epochs 5

and for the other suites

    snli --epochs 10 --seeds 1 2 3 --overrides '{"model.dropout": 0.2, "model.output_feedforward.dropout": 0.2}'
    srl --epochs 10 --overrides '{"dataset_reader.max_predicates": 8000}'
    coref --epochs 10 --max-documents 60

needs allennlp-models 2.10.1. The data of the profile are written into files that its readers take (its taggers of NER
and SRL take our readers'), then the real commands train `experiments/stock/TASK.jsonnet` and evaluate it once, with the
epoch that was best on development data. A model that is there already, of the same profile, seed and budget, is not
trained again. Prints a Markdown table.

Coreference is scored as `elmo-tasks score coref` does it, from the files that are left beside the model: its own F1
reckons the three measures otherwise.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SETS = ("train", "dev", "test")
METRICS = {
    "ner": "f1-measure-overall",
    "snli": "accuracy",
    "squad": "f1",
    "srl": "f1-measure-overall",
    "coref": "conll",
}
# What registers the model and its reader. All of allennlp-models would ask for packages that neither needs.
PACKAGES = {
    "ner": ("tagging.models.crf_tagger",),
    "snli": ("pair_classification.models.esim", "pair_classification.dataset_readers.snli"),
    "squad": ("rc.models.bidaf", "rc.dataset_readers.squad"),
    "srl": ("structured_prediction.models.srl",),
    "coref": ("coref.models.coref", "coref.dataset_readers.conll"),
}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="allennlp-models' models under a budget.")
    parser.add_argument("task", choices=sorted(METRICS))
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--overrides", type=json.loads, default={}, help="what else of the config the budget changes")
    parser.add_argument("--max-documents", type=int, help="coref: so many of training, those that our reader draws")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "floors")
    options = parser.parse_args()

    data = options.output / options.task / "data"
    if options.max_documents is not None and options.task != "coref":
        parser.error("--max-documents is for coref alone")
    limits = {} if options.max_documents is None else {"max_documents": options.max_documents}
    test_file = write_data(options.task, data, limits)
    overrides = {"trainer.num_epochs": options.epochs, **options.overrides}
    scores = []
    for seed in options.seeds:
        folder = options.output / options.task / run_name(seed, overrides, limits)
        environment = {**os.environ, "ELMO_TASKS_SEED": str(seed), "ELMO_TASKS_FLOOR_DATA": str(data)}
        scores.append(one_run(options.task, json.dumps(overrides), folder, test_file, environment))
        print(f"{options.task} seed {seed}: {scores[-1]}", file=sys.stderr)
    print("| | n | dev | test | seconds an epoch |\n|---|---:|---:|---:|---:|")
    columns = " | ".join(spread([score[column] for score in scores]) for column in ("dev", "test", "seconds"))
    print(f"| {options.task}, allennlp-models, {METRICS[options.task]} | {len(scores)} | {columns} |")
    return 0


def run_name(seed: int, overrides: dict[str, Any], limits: dict[str, int]) -> str:
    """Of a run's folder: a model that is there is that of the same profile and budget."""
    budget = [os.environ.get("ELMO_TASKS_PROFILE", "sample"), overrides, limits]
    digest = hashlib.sha256(json.dumps(budget, sort_keys=True).encode()).hexdigest()
    return f"seed{seed}-{digest[:8]}"


def one_run(task: str, overrides: str, folder: Path, test_file: str, environment: dict[str, str]) -> dict[str, float]:
    """Train and evaluate: dev and test scores in percent, and the seconds of an epoch with its development set."""
    archive, test = folder / "model.tar.gz", folder / "test.json"
    config = ROOT / "experiments" / "stock" / f"{task}.jsonnet"
    if not archive.exists():
        allennlp(task, ["train", str(config), "-s", str(folder), "-f", "-o", overrides], environment)
    trained = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    if task == "coref":
        files = [Path(test_file).with_stem(name) for name in ("dev", "test")]
        dev_score, test_score = [coref_score(archive, file, folder, environment) for file in files]
    else:
        allennlp(task, ["evaluate", str(archive), test_file, "--output-file", str(test)], environment)
        dev_score = 100 * trained[f"best_validation_{METRICS[task]}"]
        test_score = 100 * json.loads(test.read_text(encoding="utf-8"))[METRICS[task]]
    hours, minutes, seconds = (float(part) for part in trained["training_duration"].split(":"))
    return {
        "dev": dev_score,
        "test": test_score,
        "seconds": (3600 * hours + 60 * minutes + seconds) / (trained["epoch"] + 1),
    }


def coref_score(archive: Path, key: Path, folder: Path, environment: dict[str, str]) -> float:
    """The CoNLL average of the model's clusters of a file, in percent."""
    predictions, response = folder / f"{key.stem}.json", folder / f"{key.stem}.response.conll"
    allennlp("coref", ["evaluate", str(archive), str(key), "--predictions-output-file", str(predictions)], environment)
    return score_clusters(predictions, key, response)


def score_clusters(predictions: Path, key: Path, response: Path) -> float:
    """
    Write allennlp-models' clusters of a file's documents as a response, and score it as `score coref` does.

    Its mentions may cross. Of two in one cluster, which the format cannot say, the second is left out.
    """
    from elmo_tasks.formats.conll2012 import Mention, read_documents, write_documents
    from elmo_tasks.formats.files import read_lines
    from elmo_tasks.reproduce.items import read_answers
    from elmo_tasks.scoring.coref_files import score_lines
    from elmo_tasks.tasks.coref.spans import without_crossing

    documents, left_out = [], 0
    for document, (clusters,) in zip(read_documents(key), read_answers(predictions, ("clusters",)), strict=True):
        # sentence and word of each word of the document, through which its mentions are counted, last words included
        places = [(row, word) for row, sentence in enumerate(document.sentences) for word in range(len(sentence.words))]
        mentions = {}
        for number, cluster in enumerate(clusters):
            spans = without_crossing(((start, last + 1) for start, last in cluster), len(cluster), len(places))
            left_out += len(cluster) - len(spans)
            mentions[str(number)] = [Mention(*places[start], places[end - 1][1] + 1) for start, end in spans]
        documents.append(document.with_clusters(mentions))
    write_documents(response, documents)
    if left_out:
        print(f"{response}: {left_out} mentions left out that cross another one of their cluster", file=sys.stderr)
    score, warnings = score_lines(read_lines(key), read_lines(response), str(key), str(response))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return score.conll


def allennlp(task: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Run the command, with allennlp-models' components of a task."""
    packages = [word for name in PACKAGES[task] for word in ("--include-package", f"allennlp_models.{name}")]
    command = [sys.executable, "-m", "allennlp", *arguments, *packages]
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def write_data(task: str, folder: Path, limits: dict[str, int]) -> str:
    """
    The profile's sets as allennlp-models reads them, where it has a reader of its own; the test file.

    Limits are what our reader is told in order to choose a part of the training set.
    """
    import elmo_tasks.plugin  # noqa: F401
    from elmo_tasks.reproduce.profile import resolve

    profile = resolve(os.environ.get("ELMO_TASKS_PROFILE", "sample"))
    entry = profile["tasks"][task]
    if task not in WRITERS:
        return str(entry["test"])
    folder.mkdir(parents=True, exist_ok=True)
    reading = coref_reading(profile) if task == "coref" else {}
    written = [
        WRITERS[task](entry[name], folder / name, **reading, **(limits if name == "train" else {})) for name in SETS
    ]
    return str(written[-1])


def write_snli(source: Any, path: Path) -> Path:
    """Pairs a JSON object a line, their words apart."""
    from elmo_tasks.formats.snli import LABELS
    from elmo_tasks.tasks.snli.reader import SNLIReader

    path = path.with_suffix(".jsonl")
    with path.open("w", encoding="utf-8") as file:
        for instance in SNLIReader().read(source):
            sentences = {
                key: " ".join(token.text for token in instance[name].tokens)
                for key, name in (("sentence1", "premise"), ("sentence2", "hypothesis"))
            }
            pair = {"pairID": instance["metadata"]["pair_id"], "gold_label": LABELS[instance["label"].label]}
            print(json.dumps(pair | sentences), file=file)
    return path


def write_squad(source: Any, path: Path) -> Path:
    """The chosen questions in SQuAD's own layout."""
    from elmo_tasks.tasks.squad.part import Part

    paragraphs = [
        {
            "context": paragraph.context,
            "qas": [
                {
                    "id": question.id,
                    "question": question.text,
                    "answers": [{"text": answer.text, "answer_start": answer.start} for answer in question.answers],
                }
                for question in paragraph.questions
            ],
        }
        for paragraph in Part.of(source).paragraphs()
    ]
    dataset = {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
    path = path.with_suffix(".json")
    path.write_text(json.dumps(dataset), encoding="utf-8")
    return path


def coref_reading(profile: dict[str, Any]) -> dict[str, Any]:
    """How our reader and our word vectors take the words of a profile's documents."""
    return {
        **profile["tasks"]["coref"]["training"].get("dataset_reader", {}),
        "map_treebank_tokens": profile["word_vectors"]["map_treebank_tokens"],
    }


def write_coref(source: Any, path: Path, map_treebank_tokens: bool, **options: Any) -> Path:
    """
    Documents in CoNLL-2012's columns, without trees: its reader asks for none where the part of speech is `XX`.

    The words are those that our model reads, plain typography and treebank's brackets included.
    """
    from elmo_tasks.bilm.characters import map_treebank_token
    from elmo_tasks.formats.conll2012 import plain_document, write_documents
    from elmo_tasks.tasks.coref.reader import CorefReader

    documents = []
    for instance in CorefReader(**options).read(source):
        given = instance["metadata"].metadata
        words = [[token.text for token in text.tokens] for text in instance["sentences"].field_list if text.tokens]
        if map_treebank_tokens:
            words = [[map_treebank_token(word) for word in sentence] for sentence in words]
        document = plain_document(given["document"], given["part"], words, given["speakers"])
        documents.append(document.with_clusters({str(number): own for number, own in enumerate(given["clusters"])}))
    path = path.with_suffix(".conll")
    write_documents(path, documents)
    return path


WRITERS: dict[str, Callable[..., Path]] = {"snli": write_snli, "squad": write_squad, "coref": write_coref}


if __name__ == "__main__":
    raise SystemExit(main())
