"""What is wrong with the row of a run, in words: before a figure is computed from it, nothing that it says of itself is believed.

    malformed(row, "number", samples=1)      # "its gold answer 'x' is no number"; "" where every value is of its kind
    unlike(row, problem)                     # {"gold": ("3", "5")}: what it says, what its benchmark says
    part_asked(problems, stamp["problems"])  # those of a benchmark that a run asked, None where it is another one by now
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from eval.withheld import HASH, hash_of
from mathtutor.maths.answers import read_gold
from mathtutor.maths.arithmetic import show
from mathtutor.problem import Problem

FINISHES = ("stop", "length", "repeating", "failed")
NOT_IN_ROWS = {"solution", "rubric"}  # of a proof: long, and not ours to copy


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


Kind = tuple[Callable[[Any], bool], str]
TEXT: Kind = _is_text, "a text"
FLAG: Kind = (lambda value: isinstance(value, bool)), "true or false"
COUNT: Kind = _is_count, "a whole number, not below 0"
NEEDED: Mapping[str, Kind] = {
    "id": TEXT,
    "question": TEXT,
    "reply": TEXT,
    "gold": TEXT,
    "answer": ((lambda value: value is None or _is_text(value)), "a text or null"),
    "correct": ((lambda value: value is None or isinstance(value, bool)), "true, false or null"),
    "correct_strict": FLAG,
    "cut_off": FLAG,
    "finish": ((lambda value: value in FINISHES), f"one of {', '.join(FINISHES)}"),
    "first_wrong_step": ((lambda value: value is None or _is_count(value)), "a number of a step or null"),
    "tokens": COUNT,
    "seconds": ((lambda value: _is_number(value) and value >= 0), "a number, not below 0"),
}
# Rows of early runs lack some of these
OPTIONAL: Mapping[str, Kind] = {
    "sample": COUNT,
    "run": TEXT,
    "prompt": TEXT,
    "rule": TEXT,
    "gold_text": TEXT,
    "wrong_sums": COUNT,
    "steps": COUNT,
    "logprob": (_is_number, "a number"),
    "meta": ((lambda value: isinstance(value, dict)), "an object"),
}


def malformed(row: Mapping, kind: str, samples: int) -> str:
    """Why nothing may be computed from a row of a benchmark of this kind; "" where nothing speaks against it."""
    if lacking := [name for name in NEEDED if name not in row]:
        return f"it lacks {', '.join(lacking)}"
    for name, (holds, words) in (NEEDED | OPTIONAL).items():
        if name in row and not holds(row[name]):
            return f"{name} must be {words}, not {row[name]!r:.60}"
    if row.get("sample", 0) >= samples:
        return f"sample {row['sample']} is none of the {samples} that were asked for"
    if kind == "number" and read_gold(row["gold"]) is None:
        return f"its gold answer {row['gold']!r:.60} is no number"
    return ""


def gold_of(problem: Problem) -> str:
    """The gold answer of a problem as rows have it."""
    return problem.gold if problem.answer is None else show(problem.answer)


def steps_of(problem: Problem) -> int | None:
    """The steps of the gold solution: as the benchmark says, or the lines of a rationale before its "####"."""
    if isinstance(problem.meta.get("steps"), int):
        return problem.meta["steps"]
    rationale, mark, _ = problem.gold.rpartition("####")
    return len([line for line in rationale.split("\n") if line.strip()]) if mark else None


def meta_of(problem: Problem) -> dict:
    """What a row keeps of what its benchmark says of a problem."""
    meta = {key: value for key, value in problem.meta.items() if key not in NOT_IN_ROWS}
    if (steps := steps_of(problem)) is not None:
        meta["steps"] = steps  # of a gold solution that the row does not hold
    return meta


def unlike(row: Mapping, problem: Problem) -> dict:
    """{key: (what a row says, what its benchmark says)}; of a question that is withheld, by its hash."""
    question = (HASH, hash_of(problem.question)) if HASH in row else ("question", problem.question)
    expected = dict([question]) | {"gold": gold_of(problem), "meta": meta_of(problem)} | ({"gold_text": problem.gold} if "gold_text" in row else {})
    said = {"meta": {}} | row
    return {name: (said[name], value) for name, value in expected.items() if said[name] != value}


def part_asked(problems: Sequence[Problem], digest: str) -> list[Problem] | None:
    """The first so many of a benchmark's problems whose hash is that of a run; None where no such part of it is.

    The hash is `digest_of` of what was asked, and --limit takes the first problems: a digest of the whole is gone on with.
    """
    begun = hashlib.sha256(b"[")
    for place, problem in enumerate(problems):
        begun.update((b"," if place else b"") + _canonical(problem))
        whole = begun.copy()
        whole.update(b"]")
        if whole.hexdigest() == digest:
            return list(problems[: place + 1])
    return None


def digest_of(problems: Sequence[Problem]) -> str:
    """sha256 over ids, questions and gold answers, in their order: as `mathtutor.io.sha256_json` of the list of them."""
    return hashlib.sha256(b"[" + b",".join(map(_canonical, problems)) + b"]").hexdigest()


def _canonical(problem: Problem) -> bytes:
    return json.dumps([problem.id, problem.question, gold_of(problem)], separators=(",", ":")).encode()
