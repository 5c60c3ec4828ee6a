"""Which answers the page would give as its own, by counting tries or by weighing them, and how many of these are right.

    cases = cases_of(load_run("evals/pocket-typed-5"), scores)             # one a problem
    given(cases, 0.4)                                                      # [True, True, False, ...]: is each answer right?
    threshold(cases), table(cases)                                         # the mean chance to trust, and why

What is given is settled by the page's own rule, `tries.Tries`: what is measured here is what people see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from eval.intervals import rate
from eval.metrics import is_right
from eval.records import Run, key_of
from mathtutor.tutoring.lesson import Lesson
from mathtutor.tutoring.tries import Standing, Tries, num_given

FOLDS = 10
STEPS = tuple(number / 20 for number in range(1, 20))  # mean chances; some hundred problems cannot tell finer ones apart
SHARE, FEWEST = 0.85, 40  # of the answers that are given, so many must be right; and of how many that must be seen


def fold_of(problem: str) -> int:
    """The fold of a problem's id."""
    return int(hashlib.sha256(problem.encode()).hexdigest(), 16) % FOLDS


@dataclass(frozen=True)
class Case:
    """A problem's tries, counted and weighed, and whether the answer that leads is right."""

    fold: int
    counted: Tries
    weighed: Tries
    counted_right: bool
    weighed_right: bool


def cases_of(run: Run, scores: Mapping[tuple[str, int], float]) -> list[Case]:
    """One a problem. `scores`: the log of each reply's chance."""
    found = []
    for problem, rows in run.by_problem().items():
        lessons = tuple(Lesson(row["reply"], finish=row["finish"]) for row in rows)
        right = {lesson for lesson, row in zip(lessons, rows, strict=True) if is_right(row, run.readings)}
        chances, numbers = tuple(exp(scores[key_of(row)]) for row in rows), num_given(rows[0]["question"])
        counted, weighed = Tries(lessons), Tries(lessons, chances, numbers)
        found.append(Case(fold_of(problem), counted, weighed, counted.best in right, weighed.best in right))
    return found


def given(cases: Sequence[Case], step: float) -> list[bool]:
    """Whether each answer that is given from a mean chance of `step` on is right."""
    return [case.weighed_right for case in cases if case.weighed.is_likely(step)]


def threshold(cases: Sequence[Case]) -> float | None:
    """The lowest of STEPS from which at least SHARE of at least FEWEST answers are right; None where there is none."""
    answers = ((step, given(cases, step)) for step in STEPS)
    return next((step for step, found in answers if len(found) >= FEWEST and sum(found) >= SHARE * len(found)), None)


def _share(found: Sequence[bool]) -> dict:
    return rate(sum(found), len(found))


def trust(cases: Sequence[Case], trusted: float | None) -> dict:
    """What is given by counting, and from a mean chance of `trusted` on, with those answers apart on which the two ways differ."""
    agreed = [case for case in cases if case.counted.standing is Standing.AGREED]
    found = {"trusted": trusted, "all_agree": _share([case.counted_right for case in agreed])}
    if trusted is None:
        return found
    not_all = [case for case in cases if case.weighed.agreement.votes < case.weighed.agreement.tries]
    doubted = [case.weighed_right for case in agreed if not case.weighed.is_likely(trusted)]
    return found | {
        "at_trusted": _share(given(cases, trusted)),
        "at_trusted_though_not_all_agree": _share(given(not_all, trusted)),
        "all_agree_but_doubted": _share(doubted),
    }


def table(cases: Sequence[Case]) -> dict:
    """What is given, and how much of it is right, at each step and by counting alone; and the step to trust."""
    apart: list[bool] = []
    for number in range(FOLDS):
        step = threshold([case for case in cases if case.fold != number])
        apart += given([case for case in cases if case.fold == number], step) if step is not None else []
    return {
        "problems": len(cases),
        "rule": {"share": SHARE, "fewest": FEWEST, "folds": FOLDS},
        **trust(cases, threshold(cases)),
        "chosen_on_other_folds": _share(apart),
        "steps": [{"mean_chance": step, **_share(given(cases, step))} for step in STEPS],
    }


def _line(words: str, part: Mapping) -> str:
    low, high = part["interval"]
    return f"  {words:<36}{part['n']:>5} given, {part['correct']:>4} right" + (f", {part['accuracy']:.1%} ({low:.1%} to {high:.1%})" if part["n"] else "")


def told_trust(found: Mapping) -> list[str]:
    """What `trust` found, as lines for people."""
    lines = [_line("all tries agree, not weighed", found["all_agree"])]
    if found["trusted"] is None:
        return lines
    return [
        *lines,
        _line(f"mean chance {found['trusted']:.2f} or more", found["at_trusted"]),
        _line("of these, not all tries agree", found["at_trusted_though_not_all_agree"]),
        _line("all tries agree, but are doubted", found["all_agree_but_doubted"]),
    ]


def told(found: Mapping) -> str:
    """A table as lines for people."""
    lines = [f"answers given as one's own, of {found['problems']} problems in {FOLDS} folds (most tries arrive at them, all where few numbers are given; their sums check)"]
    lines += [_line(f"mean chance {part['mean_chance']:.2f} or more", part) for part in found["steps"]]
    lines += [_line("chosen on the other folds", found["chosen_on_other_folds"]), *told_trust(found)]
    if found["trusted"] is None:
        return "\n".join([*lines, f"no step has {SHARE:.0%} of at least {FEWEST} right: TRUSTED is None, the page only counts"])
    return "\n".join([*lines, f"TRUSTED is {found['trusted']}: the lowest step with {SHARE:.0%} of at least {FEWEST} right"])
