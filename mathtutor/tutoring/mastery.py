"""How well a student knows each skill, by Bayesian knowledge tracing (Corbett and Anderson 1995), and what to practise next.

    known = observe(Record(), right=True)       # Record(p=0.78, seen=1, right=1, helped=0)
    pick(["shopping", "time"], {"time": known}, random.Random(0))    ->  "shopping", the one known least

Four numbers a skill and no text: that is all a browser is asked to keep. `read` takes whatever a browser sends back.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

# One set for all skills: ours by judgement, not fitted to students, of whom nothing is stored.
KNOWN_BEFORE = 0.3
LEARNS = 0.15  # chance to learn a skill at one problem
SLIPS = 0.1  # a wrong answer although the skill is known
GUESSES = 0.1  # a right answer although it is not: a number is typed, so guessing is hard
MASTERED = 0.95
MAX_COUNT = 9999


@dataclass(frozen=True)
class Record:
    """`p` is the chance that the skill is known, 0 to 1; `helped` counts problems solved with a worked step."""

    p: float = KNOWN_BEFORE
    seen: int = 0
    right: int = 0
    helped: int = 0


def observe(record: Record, right: bool, helped: bool = False) -> Record:
    """The record after the first answer to one problem. With `helped` the answer is no evidence; learning may happen all the same."""
    p = record.p
    if not helped:
        if right:
            p = p * (1 - SLIPS) / (p * (1 - SLIPS) + (1 - p) * GUESSES)
        else:
            p = p * SLIPS / (p * SLIPS + (1 - p) * (1 - GUESSES))
    p += (1 - p) * LEARNS
    return replace(
        record,
        p=min(p, 0.999),
        seen=min(record.seen + 1, MAX_COUNT),
        right=min(record.right + (right and not helped), MAX_COUNT),
        helped=min(record.helped + helped, MAX_COUNT),
    )


def pick(skills: Sequence[str], known: Mapping[str, Record], rng: random.Random, last: str = "") -> str:
    """The skill that is known least; of several one by chance, and never the `last` one again while there is another."""
    others = [skill for skill in skills if skill != last] or list(skills)
    least = min(known.get(skill, Record()).p for skill in others)
    return rng.choice([skill for skill in others if known.get(skill, Record()).p == least])


def read(raw: object, skills: Iterable[str]) -> dict[str, Record]:
    """Records from what a browser kept: known skills with four sane numbers; anything else is left out."""
    if not isinstance(raw, Mapping):
        return {}
    found = {}
    for skill in skills:
        numbers = raw.get(skill)
        if not (isinstance(numbers, (list, tuple)) and len(numbers) == 4):
            continue
        if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
            continue
        p, *counts = numbers
        if 0 <= p <= 1 and all(0 <= count <= MAX_COUNT for count in counts):
            found[skill] = Record(float(p), *map(int, counts))
    return found


def write(known: Mapping[str, Record]) -> dict[str, list[float]]:
    """What a browser keeps: {"shopping": [0.78, 1, 1, 0]}."""
    return {skill: [round(number, 4) for number in astuple(record)] for skill, record in known.items()}
