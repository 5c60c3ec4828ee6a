"""The rules a row must pass. Each is a small pure function: a row to None, or to the reason it is dropped.

    wrong_step(row with "16 / 4 = 5")   ->  "step_2_does_not_add_up"

A threshold stands beside the harm it prevents. The order is the order in which they run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from mathtutor.chat import CONTROL_TOKENS, render_target
from mathtutor.maths.answers import read_answer, read_gold
from mathtutor.maths.checks import verify
from mathtutor.problem import Row

Rule = Callable[[Row], str | None]

MAX_WORDS = 200  # GSM8K train's longest question has 183; past that a row is several problems in one
MAX_STEPS = 12  # a model of this size loses the thread; GSM8K train has 13 longer rows
MAX_ANSWER = 10**9  # GSM8K's largest gold is 192,000,000; larger values are slips of the generator


def structure(row: Row) -> str | None:
    """A problem with words and a step to learn from."""
    if not row.problem.strip() or not row.steps or not all(step.strip() for step in row.steps):
        return "empty_problem_or_step"
    if any(token in row.problem or any(token in step for step in row.steps) for token in CONTROL_TOKENS):
        return "control_token"
    if len(row.problem.split()) > MAX_WORDS:
        return f"problem_over_{MAX_WORDS}_words"
    if len(row.steps) > MAX_STEPS:
        return f"more_than_{MAX_STEPS}_steps"
    if any("\n" in step for step in row.steps):
        return "step_with_a_line_break"
    return None


def answer_range(row: Row) -> str | None:
    """An answer that is a number of believable size. Negatives and fractions are welcome."""
    answer = read_gold(row.answer)
    if answer is None:
        return "answer_is_no_number"
    if abs(answer) > MAX_ANSWER:
        return f"answer_beyond_{MAX_ANSWER}"
    return None


def wrong_step(row: Row) -> str | None:
    """ "16 / 4 = 5" would teach a falsehood; a solution without a single sum teaches nothing to check."""
    verdict = verify(render_target(row.steps, row.answer))
    if verdict.first_wrong_step is not None:
        return f"step_{verdict.first_wrong_step}_does_not_add_up"
    if verdict.num_checked == 0:
        return "no_sum_to_check"
    return None


def answer_from_steps(row: Row) -> str | None:
    """The stated answer must be what the last sum gives."""
    verdict = verify(render_target(row.steps, row.answer))
    return "answer_is_not_the_last_result" if verdict.answer_matches_last_step is False else None


def reads_back(row: Row) -> str | None:
    """Our own reader of answers must read our own format."""
    stated = read_answer(render_target(row.steps, row.answer)).value
    return None if stated is not None and stated == Fraction(read_gold(row.answer)) else "answer_does_not_read_back"


RULES: tuple[Rule, ...] = (structure, answer_range, wrong_step, answer_from_steps, reads_back)


def first_reason(row: Row) -> tuple[str, str] | None:
    """(stage, reason) of the first rule that drops the row."""
    for rule in RULES:
        if reason := rule(row):
            return rule.__name__, reason
    return None


def exact_key(problem: str) -> str:
    """The text by which two problems count as the same: letters and digits only, in lower case."""
    return re.sub(r"[^a-z0-9]+", " ", problem.lower()).strip()
