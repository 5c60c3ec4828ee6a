"""Problems with an answer on record, drawn at random for Compare.

The hand-typed problems and the bank's held-out families come with this repository. GSM8K test and SVAMP are there where
`MATHTUTOR_DATA` names a folder that holds them: a page does not fetch data sets on its own.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mathtutor.bank import load_bank
from mathtutor.bank.families import split_of
from mathtutor.io import read_rows
from mathtutor.maths.arithmetic import show
from mathtutor.sources import DATA_VARIABLE, load_source
from mathtutor.strings import Strings

SET_TYPED, SET_BANK = "typed", "bank"  # `strings.SETS` has the words for them
TYPED = Path(__file__).resolve().parents[1] / "assets" / "typed" / "problems.jsonl"
PUBLISHED = {"GSM8K test": ("gsm8k", "test"), "SVAMP": ("svamp", "test")}


@dataclass(frozen=True)
class Item:
    """A problem, its answer as text, and what set it is of."""

    question: str
    gold: str
    source: str


def title(name: str, strings: Strings) -> str:
    """What people call a set: ours in words, a published one by its name."""
    return strings.SETS.get(name, name)


@cache
def sets() -> tuple[str, ...]:
    """The names of the sets that this machine can draw from."""
    found = [SET_TYPED, SET_BANK]
    if os.environ.get(DATA_VARIABLE):
        for name, key in PUBLISHED.items():
            try:
                load_source(*key)
            except ValueError:  # the folder lacks it, or holds another file
                continue
            found.append(name)
    return tuple(found)


def draw(name: str, rng: random.Random) -> Item:
    """One problem of the set; raises KeyError for a name that `sets` does not tell."""
    if name not in sets():
        raise KeyError(name)
    if name == SET_TYPED:
        row = rng.choice(list(read_rows(TYPED)))
        return Item(row["question"], str(row["answer"]), name)
    if name == SET_BANK:
        bank = load_bank()
        family = bank[rng.choice([id_ for id_ in sorted(bank) if split_of(id_) == "held-out"])]
        instance = family.instantiate(rng.randrange(2**31), 0)
        return Item(instance.problem, instance.shown_answer, name)
    problem = rng.choice(load_source(*PUBLISHED[name]))
    return Item(problem.question, show(problem.answer), name)
