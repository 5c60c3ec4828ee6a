"""The rules that judge a row alone. Each is a small pure function: a row to None, or to the reason it is dropped.

    math_verification(row with "16 / 4 = 5" as its second step, Limits())   ->  "step_2_does_not_add_up"
    first_reason(that row)                                                  ->  ("math_verification", "step_2_does_not_add_up")

Thresholds are fields of `pipeline.recipe.Limits`, each with the harm it prevents beside it. The order of
`RULES` is the order in which they run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from mathtutor.chat import CONTROL_TOKENS, render_target
from mathtutor.maths.answers import read_gold
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, Verdict, check_claim, verify
from mathtutor.maths.claims import find_claims
from mathtutor.problem import Row
from pipeline.algebra import check_equations
from pipeline.language_rules import (
    MAX_READ,
    ai_detection,
    child_safety,
    personal_data,
    reading_level,
    solution_quality,
    units,
)
from pipeline.recipe import Limits
from pipeline.spoken import as_equations, unread

Rule = Callable[[Row, Limits], str | None]
DEFAULT = Limits()


ID = re.compile(r"\w[\w.:+#-]{0,229}")  # no line break, no path, no mark-up: ids stand in reports, tables and file names
LABEL = re.compile(r"[^\n\r<>`\"\x00-\x1f]{0,100}")


def structure(row: Row, limits: Limits) -> str | None:
    """A problem with words and a step to learn from, of a size that the other rules can read: they do not run without."""
    if len(row.problem) > limits.max_problem_chars:
        return f"problem_over_{limits.max_problem_chars}_characters"
    if len(row.steps) > limits.max_steps:
        return f"more_than_{limits.max_steps}_steps"
    if any(len(text) > limits.max_step_chars for text in (*row.steps, row.asked, row.plan)):
        return f"step_over_{limits.max_step_chars}_characters"
    if len(row.problem) + sum(map(len, row.steps)) + len(row.asked) + len(row.plan) > MAX_READ - 100:  # and line breaks
        return f"row_over_{MAX_READ - 100}_characters"
    if len(row.answer) > 100:
        return "answer_over_100_characters"
    if not ID.fullmatch(row.id):
        return "id_is_no_name"
    if not all(LABEL.fullmatch(label) for label in (row.source, row.family, row.topic)):
        return "label_is_no_name"
    if not row.problem.strip() or not row.steps or not all(step.strip() for step in row.steps):
        return "empty_problem_or_step"
    texts = (row.problem, *row.steps, row.answer, row.asked, row.plan, row.source, row.family, row.topic)
    if any(token in text for token in CONTROL_TOKENS for text in texts):
        return "control_token"
    words = len(row.problem.split())
    if words < limits.min_words:
        return f"problem_under_{limits.min_words}_words"
    if words > limits.max_words:
        return f"problem_over_{limits.max_words}_words"
    if any("\n" in step for step in row.steps):
        return "step_with_a_line_break"
    return None


def answer_range(row: Row, limits: Limits) -> str | None:
    """An answer that is a number of believable size and nothing else. Negatives and fractions are welcome."""
    answer = read_gold(row.answer)
    if answer is None:
        return "answer_is_no_number"
    if abs(answer) > limits.max_answer:
        return f"answer_beyond_{limits.max_answer:.0f}"
    return None if is_bare(row.answer, answer) else "answer_is_not_the_bare_number"


def is_bare(text: str, value: Fraction) -> bool:
    """Is it the number as people write it and nothing else: "4.5", "4.50" (money), "9/2"? Not "4.500", nor "4.5 dollars"."""
    shown = show(value)
    in_cents = shown + "0" * (shown[-2:-1] == ".")
    return text in (shown, in_cents, f"{value.numerator}/{value.denominator}")


def math_verification(row: Row, limits: Limits) -> str | None:
    """ "16 / 4 = 5" would teach a falsehood, and a solution without a single sum nothing that can be checked.

    The answer must be what the last sum gives, and our own reader of answers must read it.
    """
    verdict = verify(render_target(row.steps, row.answer))
    if verdict.first_wrong_step is not None:
        return f"step_{verdict.first_wrong_step}_does_not_add_up"
    if limits.all_sums_checked and (found := _unsound(verdict)):
        return found
    equations = check_equations(row.steps)
    if not all(equations):
        return "equation_does_not_hold"
    if verdict.num_claims == 0 and not equations:
        return "no_sum_to_check"
    gold = read_gold(row.answer)
    if verdict.answer_matches_last_step is not True and not _states_last(row, gold):
        return "answer_is_not_the_last_result"
    return None if gold is not None and verdict.answer.value == gold else "answer_does_not_read_back"


def _unsound(verdict: Verdict) -> str | None:
    """Why a step teaches what means nothing, or what is false in a sum that `verify` does not read: 3 / 0 = 0, "3 plus 4 is 8"."""
    for check in verdict.steps:
        number, told = check.step.number, as_equations(check.step.text)
        claims = find_claims(told) if told != check.step.text else []
        if any(check_claim(claim).state is State.WRONG for claim in claims):
            return f"step_{number}_does_not_add_up"
        if fault := next(filter(None, map(unread, claims or [found.claim for found in check.claims])), None):
            return f"step_{number}_{fault}"
    return None


_NUMBER = r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_RESULT = re.compile(rf"(?:=|\bround\w*(?: \w+){{0,4}}?|\bor|\bis) ?({_NUMBER})(?!\.?\d)")
_STATED = re.compile(rf"(?<![\w.])(?<![-+*/] )({_NUMBER})(?! ?[-+*/] ?\d|\.?\d)")
_IN_HUNDREDTHS = re.compile(r"\bcents?\b|\bpercent|%", re.IGNORECASE)


def _states_last(row: Row, gold: Fraction | None) -> bool:
    """Does the last step state the answer where no sum can be read: "x = 8", "which rounds to 33%", "120 / 12 = 10 dozen"?"""
    last = row.steps[-1]
    results = _RESULT.findall(last)[-1:] if "=" in last else _STATED.findall(last)
    values = [read_gold(result) for result in results]
    if _IN_HUNDREDTHS.search(row.problem):  # 0.5 dollars are 50 cents, 0.5 is 50%
        values += [100 * value for value in values if value is not None]
    return gold is not None and gold in values


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        structure,
        answer_range,
        solution_quality,
        ai_detection,
        math_verification,
        units,
        child_safety,
        personal_data,
        reading_level,
    )
}


def first_reason(row: Row, limits: Limits = DEFAULT) -> tuple[str, str] | None:
    """(stage, reason) of the first rule that drops the row; None for a row that passes."""
    return next(_reasons(row, limits), None)


def all_reasons(row: Row, limits: Limits = DEFAULT) -> list[tuple[str, str]]:
    """(stage, reason) of every rule that would drop the row, in running order; `structure` alone where it does."""
    return list(_reasons(row, limits))


def _reasons(row: Row, limits: Limits) -> Iterator[tuple[str, str]]:
    for stage, rule in RULES.items():
        if reason := rule(row, limits):
            yield stage, reason
            if rule is structure:  # the others would read a part of it, and long
                return
