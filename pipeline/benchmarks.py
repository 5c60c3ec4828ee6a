"""The problems that must not be trained on: what `eval.run` knows by name, and further files of problems.

    gsm8k/test, svamp/test     the splits kept for tests (mathtutor.sources)
    bank/held-out              what `--benchmark bank` asks: families of our own bank that no data set is made of
    bank/known                 what `--benchmark bank-known` asks: of families that data sets are made of, so only the very
                               same text counts, and no likeness
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from mathtutor.bank import split_of
from mathtutor.io import read_json, read_rows
from mathtutor.sources import SOURCES, load_source
from pipeline.teachers.procedural import read_bank

# As in eval/benchmarks.py; a test holds the two together.
BANK_SEED, BANK_HELD_OUT, BANK_KNOWN = 900_001, 6, 2
QUESTION_KEYS = ("question", "problem", "Problem", "input", "Question", "sQuestion")


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


def bank_problems(split: str, instances: int) -> list[str]:
    """The questions that `eval.run` asks of the bank's families of a split."""
    families = [family for _, family in sorted(read_bank().items()) if split_of(family.id) == split]
    return [family.instantiate(BANK_SEED, index).problem for index in range(instances) for family in families]


def question_of(row: dict) -> str | None:
    """The problem in one row of a test file, whatever the file calls it; SVAMP keeps it in two parts."""
    if isinstance(row.get("Body"), str) and isinstance(row.get("Question"), str):
        return f"{row['Body']} {row['Question']}"
    return next((row[key] for key in QUESTION_KEYS if isinstance(row.get(key), str) and row[key].strip()), None)


def read_questions(path: Path) -> list[str]:
    """The problems of a file. Raises ValueError when it holds none, or a row without one."""
    if path.suffix == ".csv":
        csv.field_size_limit(10**7)
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{path} must hold a list of objects")
    else:
        rows = list(read_rows(path))
    questions = [question_of(row) for row in rows]
    if not questions or None in questions:
        where = questions.index(None) + 1 if questions else 0
        raise ValueError(f"{path}: row {where} has no problem under {', '.join(QUESTION_KEYS)}")
    return questions
