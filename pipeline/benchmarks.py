"""The problems that must not be trained on: every benchmark that `eval.run` knows by name, and further files of problems.

    gsm8k/test, svamp/test     the splits kept for tests (mathtutor.sources): without them nothing is built
    bank/held-out              what `--benchmark bank` asks: families of our own bank that no data set is made of
    bank/known                 what `--benchmark bank-known` asks: of families that data sets are made of, so only the very
                               same text counts, and no likeness
    typed                      assets/typed/problems.jsonl
    asdiv, gsm-plus, ...       the table in eval/benchmarks.yaml: from the folder that MATHTUTOR_DATA names, else from the
                               hub; one that is not there is told in the report as not compared, with the reason

Of a set of the table all rows count, those without an answer too, and of whatever edition lies there: to be compared
with more is never wrong.
"""

from __future__ import annotations

import csv
import importlib
import os
import xml.etree.ElementTree as xml
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from mathtutor.bank import split_of
from mathtutor.io import read_json, read_rows
from mathtutor.progress import counted
from mathtutor.sources import DATA_VARIABLE, SOURCES, load_source, quiet_hub
from pipeline.teachers.procedural import read_bank

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "eval" / "benchmarks.yaml"
TYPED = ROOT / "assets" / "typed" / "problems.jsonl"
# Texts that stand as a whole in another set, which is compared with.
WITHIN = {"svamp-no-question": "svamp/test"}
# As in eval/benchmarks.py; a test holds the two together.
BANK_SEED, BANK_HELD_OUT, BANK_KNOWN = 900_001, 6, 2
# Not in the table, as eval.run does not ask them: why rows are not compared with them unless --against names them.
ASIDE = {"stepverify": "its problems are mostly those of GSM8K train, which data sets are made of, and --against keeps rows clear of them"}
QUESTION_KEYS = ("question", "problem", "Problem", "input", "Question", "sQuestion")
IN_TWO_PARTS = (("Body", "Question"), ("body", "question"))


def benchmark_problems(files: Iterable[Path] = ()) -> dict[str, list[str]]:
    """The questions that must not be trained on, by test set: every split kept for tests, and more files of problems."""
    tests = {
        f"{name}/{split}": [problem.question for problem in load_source(name, split)]
        for (name, split), source in SOURCES.items()
        if not source.trainable
    }
    for path in files:
        if path.name in tests:
            raise ValueError(f"two files of test problems are called {path.name}: give one another name")
        tests[path.name] = read_questions(path)
    return tests


@cache
def table() -> dict[str, dict]:
    """What eval.run knows by name beside `SOURCES` and the bank: name -> where it lies."""
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def published_problems() -> tuple[dict[str, list[str]], list[str]]:
    """(questions by benchmark of the table that is there, "name (why not)" of each other). Raises ValueError for a file
    that holds no problems."""
    found: dict[str, list[str]] = {"typed": read_questions(TYPED)}
    missing: list[str] = []
    whole = {name: entry for name, entry in table().items() if name not in WITHIN}
    for name, entry in counted(whole.items(), len(whole), "test sets"):
        try:
            found[name] = _from_folder(entry) if os.environ.get(DATA_VARIABLE) else _from_hub(entry)
        except LookupError as error:
            missing.append(f"{name} ({error.args[0]})")
    return found, missing


def _from_folder(entry: dict) -> list[str]:
    folder = Path(os.environ[DATA_VARIABLE])
    path = next((folder / file for file in entry["files"] if (folder / file).exists()), None)
    if path is None:
        raise LookupError(f"{DATA_VARIABLE} has no {entry['files'][0]}")
    return read_questions(path)


def _from_hub(entry: dict) -> list[str]:
    hub = entry["hub"]
    if hub is None:
        raise LookupError("on no hub")
    datasets = importlib.import_module("datasets")  # GSM8K has come that way
    try:
        with quiet_hub():
            rows = datasets.load_dataset(hub["id"], hub["config"], split=hub["split"], revision=hub["revision"])
    except Exception as error:  # the hub's client raises its own zoo of network errors
        raise LookupError(f"{hub['id']} could not be loaded from the hub") from error
    return questions_of(list(rows), hub["id"])


def bank_problems(split: str, instances: int) -> list[str]:
    """The questions that `eval.run` asks of the bank's families of a split."""
    families = [family for _, family in sorted(read_bank().items()) if split_of(family.id) == split]
    return [family.instantiate(BANK_SEED, index).problem for index in range(instances) for family in families]


def question_of(row: dict) -> str | None:
    """The problem in one row of a test file, whatever the file calls it; SVAMP and ASDiv keep it in two parts."""
    for parts in IN_TWO_PARTS:
        if all(isinstance(row.get(part), str) for part in parts):
            return " ".join(row[part].strip() for part in parts)
    return next((row[key] for key in QUESTION_KEYS if isinstance(row.get(key), str) and row[key].strip()), None)


def read_questions(path: Path) -> list[str]:
    """The problems of a .jsonl, .json, .csv, .parquet or .xml file. Raises ValueError when it holds none, or a row without one."""
    if path.suffix == ".csv":
        csv.field_size_limit(10**7)
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{path} must hold a list of objects")
    elif path.suffix == ".parquet":
        rows = importlib.import_module("pyarrow.parquet").read_table(path).to_pylist()
    elif path.suffix == ".xml":
        try:
            rows = [{part.tag: part.text or "" for part in problem} for problem in xml.parse(path).getroot().iter("Problem")]
        except xml.ParseError as error:
            raise ValueError(f"{path} is not XML: {error}") from error
    else:
        rows = list(read_rows(path))
    return questions_of(rows, str(path))


def questions_of(rows: list[dict], where: str) -> list[str]:
    """The problem of each row. Raises ValueError when there is none, or a row without one."""
    questions = [question_of(row) for row in rows]
    if not questions or None in questions:
        row = questions.index(None) + 1 if questions else 0
        raise ValueError(f"{where}: row {row} has no problem under {', '.join(QUESTION_KEYS)}")
    return questions
