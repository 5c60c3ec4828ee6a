"""Benchmarks by name, as Problems.

    gsm8k        GSM8K test, 1,319 problems            measure only
    svamp        SVAMP, 1,000 problems                 measure only
    bank         instances of the bank's held-out families, which no training run has seen
    bank-known   new instances of the families that were trained on
    file:PATH    any JSON lines with "question" | "problem" | "input" and "answer" | "target"
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mathtutor.bank import load_bank, split_of
from mathtutor.io import read_rows
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem
from mathtutor.sources import load_source

BANK_SEED = 900_001  # no data set is built from this seed
BANK_HELD_OUT, BANK_KNOWN = 6, 2  # instances a family

QUESTION_KEYS = ("question", "problem", "input")
ANSWER_KEYS = ("answer", "target")


def load_bank_problems(split: str, instances: int) -> list[Problem]:
    """The families in turn, so that any prefix (`--limit`) spans them evenly."""
    families = [f for _, f in sorted(load_bank().items()) if split_of(f.id) == split]
    problems = []
    for index in range(instances):
        for family in families:
            instance = family.instantiate(BANK_SEED, index)
            problems.append(
                Problem(
                    id=f"{family.id}-{index}",
                    question=instance.problem,
                    answer=instance.answer,
                    gold=instance.shown_answer,
                    source="bank",
                    meta={"family": family.id, "topic": family.topic, "steps": len(instance.steps)},
                )
            )
    return problems


def load_file(path: str) -> list[Problem]:
    """Problems of a JSON-lines file. Raises ValueError naming the line that is not a problem."""
    problems, seen = [], set()
    for number, row in enumerate(read_rows(Path(path)), start=1):
        question = next((row[k] for k in QUESTION_KEYS if isinstance(row.get(k), str) and row[k].strip()), None)
        gold = next((row[key] for key in ANSWER_KEYS if row.get(key) is not None), None)
        if question is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a text under {' or '.join(QUESTION_KEYS)} and a value under "
                f"{' or '.join(ANSWER_KEYS)}; it has {', '.join(row)}"
            )
        if not isinstance(gold, (str, int, float)):
            raise ValueError(f"{path}: row {number}: the answer must be a number or a text, not {gold!r:.60}")
        is_number = not isinstance(gold, (str, bool))
        answer = read_gold(gold if is_number else str(gold))
        if answer is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the answer {gold!r:.60}")
        identity = str(number - 1 if row.get("id") is None else row["id"])
        if identity in seen:
            raise ValueError(f"{path}: the id {identity!r} stands twice, again in row {number}")
        seen.add(identity)
        problems.append(Problem(identity, question, answer, str(gold), Path(path).stem))
    return problems


BENCHMARKS: dict[str, Callable[[], list[Problem]]] = {
    "gsm8k": lambda: load_source("gsm8k", "test"),
    "svamp": lambda: load_source("svamp", "test"),
    "bank": lambda: load_bank_problems("held-out", instances=BANK_HELD_OUT),
    "bank-known": lambda: load_bank_problems("train", instances=BANK_KNOWN),
}


def load_benchmark(name: str, limit: int | None = None) -> list[Problem]:
    """The problems of a benchmark, at most `limit`. Raises ValueError with the known names."""
    if name.startswith("file:"):
        problems = load_file(name.removeprefix("file:"))
    elif name in BENCHMARKS:
        problems = BENCHMARKS[name]()
    else:
        raise ValueError(f"unknown benchmark {name!r}: use {', '.join(BENCHMARKS)} or file:PATH.jsonl")
    if not problems:
        raise ValueError(f"{name} holds no problem")
    return problems[:limit]
