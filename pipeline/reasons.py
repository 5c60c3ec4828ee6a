"""The reasons for which most rows of a set went, each with a row that shows it: for whoever finds that little passed.

    12 x solution_quality: boilerplate, as in "theirs-0000003": "We read the problem carefully."
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mathtutor.problem import Row
from pipeline.chain import Dropped
from pipeline.filters import DEFAULT, RULES
from pipeline.recipe import Limits
from pipeline.unstated import CUT_OFF

MOST = 3  # reasons told
SHOWN = 100  # characters of a text
PLAIN = "1 + 1 = 2."  # a step that no rule has anything against


def most_frequent(dropped: Sequence[Dropped], limits: Limits = DEFAULT) -> list[str]:
    """A line for each of the MOST reasons of most rows: how many, stage, reason, and the first row with the text that shows it."""
    by_reason: dict[tuple[str, str], list[Dropped]] = {}
    for drop in dropped:
        by_reason.setdefault((drop.stage, drop.reason), []).append(drop)
    most = sorted(by_reason.items(), key=lambda item: -len(item[1]))[:MOST]
    return [f"{len(drops):,} x {stage}: {reason}, as in {_example(drops[0], limits)}" for (stage, reason), drops in most]


def _example(drop: Dropped, limits: Limits) -> str:
    return f"{_shown(drop.row.id)}: {_shown(_culprit(drop, limits))}" + (f" (like {_shown(drop.twin)})" if drop.twin else "")


def _culprit(drop: Dropped, limits: Limits) -> str:
    """The step without which the rule has nothing to say, else the problem; of what is asked of the end the last step."""
    row, rule = drop.row, RULES.get(drop.stage)
    if drop.stage == "answer_range" and row.answer:
        return row.answer
    if row.steps and (drop.stage in ("answer_range", "math_verification") and not drop.reason.startswith("step_") or drop.reason == CUT_OFF):
        return row.steps[-1]
    if rule is None or not row.steps or rule.__name__ == "structure":
        return row.problem
    for number, step in enumerate(row.steps):
        without: Row = replace(row, steps=(*row.steps[:number], PLAIN, *row.steps[number + 1 :]))
        if rule(without, limits) != drop.reason:
            return step
    return row.problem


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return f'"{text}"' if len(text) <= SHOWN else f'"{text[:SHOWN]}..."'
