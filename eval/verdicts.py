"""The verdict on a reply: what follows from its text, the gold answer and how it ended, without the model.

    verdict_of("The answer is 7.", Fraction(7), "stop", "number")["correct"]      # True
    differing(row, "number")                                                     # {} where a row says what follows

A run writes the verdict into its rows, and what is wrong with the sums of the reply, so that they can be read without this
code. Whoever computes figures from rows compares the two first: what does not follow was changed by hand, or is that of
another reader than today's.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from mathtutor.maths.answers import is_correct, read_gold, same_answer
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, verify

CUTS = ("length", "repeating")  # how a reply ends that met a limit or went in circles


def verdict_of(reply: str, gold: Fraction | None, finish: str, kind: str, tolerance: str | None = None) -> dict:
    """All of a row that follows from the reply, the gold answer and how it ended. `kind`: of the benchmark, see `kind_of`."""
    checked = verify(reply)
    read = checked.answer
    failed = finish == "failed"
    cut_off = not failed and (finish in CUTS or read.cut_off)
    answer = None if cut_off or failed else read.value
    is_number = kind == "number"
    return {
        "answer": None if answer is None else show(answer),
        "rule": read.rule,
        "correct": is_right(answer, gold, tolerance) if is_number else None,
        "correct_strict": is_number and not failed and gold is not None and is_correct(reply, gold, "strict").correct,
        "cut_off": cut_off,
        "first_wrong_step": checked.first_wrong_step,
        "wrong_sums": sum(check.state is State.WRONG for check in checked.steps),
        "steps": len(checked.steps),
    }


def is_right(answer: Fraction | None, gold: Fraction | None, tolerance: str | None = None) -> bool:
    if answer is None or gold is None:
        return False
    return abs(answer - gold) <= Fraction(tolerance) if tolerance is not None else same_answer(answer, gold)


def differing(row: Mapping, kind: str, tolerance: str | None = None) -> dict:
    """{key: (what a well-formed row says, what follows from its reply and gold answer)} where the two are not the same.

    Rows of early runs did not say by which rule they were read, nor how many steps they have.
    """
    found = verdict_of(row["reply"], read_gold(row["gold"]) if kind == "number" else None, row["finish"], kind, tolerance)
    return {key: (row[key], value) for key, value in found.items() if key in row and row[key] != value}


def told(differences: Mapping) -> str:
    """Such differences in words."""
    return ", ".join(f"{key} {said!r} where its reply and gold answer give {follows!r}" for key, (said, follows) in differences.items())
