"""The rules that judge a row alone. Each is a small pure function: a row to None, or to the reason it is dropped.

    math_verification(row with "16 / 4 = 5" as its second step, Limits())   ->  "step_2_does_not_add_up"
    first_reason(that row)                                                  ->  ("math_verification", "step_2_does_not_add_up")

Thresholds are fields of `pipeline.recipe.Limits`, each with the harm it prevents beside it. The order of
`RULES` is the order in which they run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from mathtutor.bank.language import show_fraction
from mathtutor.chat import CONTROL_TOKENS, render_target
from mathtutor.maths.answers import read_gold
from mathtutor.maths.arithmetic import evaluate, plain, show
from mathtutor.maths.checks import ClaimCheck, State, Verdict, check_claim, verify
from mathtutor.maths.claims import find_claims
from mathtutor.maths.runs import unit_kind
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
from pipeline.strays import written_numbers

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
    if row.problem.strip() and not row.steps:
        return "no_solution_only_an_answer"
    if not row.problem.strip() or not all(step.strip() for step in row.steps):
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
    """Is it the number as people write it and nothing else: "4.5", "4.50" (money), "9/2", "4 1/2"? Not "4.500", nor "4.5 dollars"."""
    shown = show(value)
    in_cents = shown + "0" * (shown[-2:-1] == ".")
    return text in (shown, in_cents, f"{value.numerator}/{value.denominator}", show_fraction(value))


def math_verification(row: Row, limits: Limits) -> str | None:
    """ "16 / 4 = 5" would teach a falsehood, and a solution without a single sum nothing that can be checked.

    The answer must be what the last sum gives, and our own reader of answers must read it.
    """
    verdict = verify(render_target(row.steps, row.answer))
    if verdict.first_wrong_step is not None:
        return f"step_{verdict.first_wrong_step}_does_not_add_up"
    if limits.all_sums_checked and (found := _unsound(verdict, row.problem)):
        return found
    equations = check_equations(row.steps)
    if not all(equations):
        return "equation_does_not_hold"
    if verdict.num_claims == 0 and not equations and not any(map(_sums, row.steps)):
        return "no_sum_to_check"
    gold = read_gold(row.answer)
    if verdict.answer_matches_last_step is not True and not _states_last(row, gold):
        return "answer_is_not_the_last_result"
    return None if gold is not None and verdict.answer.value == gold else "answer_does_not_read_back"


def _unsound(verdict: Verdict, problem: str) -> str | None:
    """Why a step teaches what means nothing, or what is false in a sum that `verify` does not read: 3 / 0 = 0, "3 plus 4 is 8"."""
    texts = (problem, *(check.step.text for check in verdict.steps))
    for check in verdict.steps:
        number, told = check.step.number, as_equations(check.step.text)
        claims = find_claims(told) if told != check.step.text else []
        if any(check_claim(claim).state is State.WRONG for claim in claims) or any(_is_false_alone(found, check.step.text, texts) for found in check.claims):
            return f"step_{number}_does_not_add_up"
        if fault := next(filter(None, map(unread, claims or [found.claim for found in check.claims])), None):
            return f"step_{number}_{fault}"
    return None


def _is_false_alone(check: ClaimCheck, text: str, texts: Sequence[str]) -> bool:
    """ "7.5 = 9", "so 7.5 = 8 dollars", "350 apples = 351": no sum, but a falsehood; with shares or rounding it may be sense.

    So it may with two units ("12 socks = 6 pairs"), with a measure that is left to guess ("100 cents = 1"), and at a rate that is told:
    at 5 dollars "8 tickets = 40".
    """
    claim = check.claim
    equation = _ALONE.match(text, claim.start)
    if claim.loose or claim.rounding or claim.remainder or check.left == check.right or not equation or equation.end("right") != claim.end:
        return False
    unit, behind = equation["unit"].lower().split(), equation["behind"].lower().split()
    is_one_unit = not unit or behind[:1] == unit[-1:] or behind[: len(unit)] == unit
    if not (is_one_unit or (not behind and unit_kind(unit[-1]) is None)) or not _BEGINS.search(text[: claim.start]):
        return False
    elsewhere = [told for told in texts if told != text] + [text[: claim.start], text[claim.end :]]
    rates = (rate for told in elsewhere for rate in written_numbers(told) if rate) if unit and not behind else ()
    return not any(check.left * rate == check.right or check.right * rate == check.left for rate in rates)


_NUMBER = r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_ALONE = re.compile(rf"{_NUMBER}(?P<unit>(?: [a-zA-Z]+){{0,3}}) ?= ?(?P<right>{_NUMBER})(?P<behind>(?: [a-zA-Z]+){{0,3}})")
_RESULT = re.compile(rf"= ?\$?({_NUMBER})(?![\d.,]*\d)")
_RIGHT = re.compile(rf"= ?\$?({_NUMBER}(?: ?[-+*/] ?{_NUMBER})*)(?![\d.,]*\d)")  # 35 of "C = 70 / 2", too
_SOLVED = re.compile(rf"({_NUMBER}) = [a-zA-Z]\b")  # "6 = x"
_STATED = re.compile(rf"(?<![\w.])(?<![-+*/] )({_NUMBER})(?! ?[-+*/] ?\d|\.?\d)")
_RATIO = re.compile(r"(?<![\w.])(?<![-+*/=] )(\d{1,9}) ?/ ?(\d{1,9})(?! ?[-+*/=] ?[\d(]|\.?\d)")
_LETTER = re.compile(r"(?<![^\W\d_])(?<!['’])([a-zA-Z])(?![^\W_]|['’])")
_NAME = re.compile(r"(?<![^\W_])(?<!['’])([a-zA-Z]+|\([^()]{1,60}\)) ?[<>]? ?$")
_GIVEN_LETTER = re.compile(rf"(?<![^\W_])[a-zA-Z] ?= ?{_NUMBER}\W*$")
_BEGINS = re.compile(r"(?:^|[=.;,]|\b(?:so|thus|therefore|hence|then|is)|(?:^|[.;,] )(?:[A-Z]\w* )?\w+ (?:has|have|had|get|gets|are)) ?$", re.IGNORECASE)
_IN_HUNDREDTHS = re.compile(r"\bcents?\b|\bpercent|%", re.IGNORECASE)
_THOUSAND = 1000  # metres, grams, millilitres


def _states_last(row: Row, gold: Fraction | None) -> bool:
    """Does the last step arrive at the answer where no sum can be read: "x = 8", "which rounds to 33%", "they cost 350"?

    A number in a sentence proves nothing: it counts where the sums lead to it. GSM8K train's gold often leaves the last
    sum out ("75 cans would have 225 balls"), so one easy operation may go unwritten; a false number that is easy to come by passes.
    """
    if gold is None:
        return False
    *before, last = row.steps
    equals = list(_RESULT.finditer(last))
    is_same = False
    is_percent = _IN_HUNDREDTHS.search(row.problem)  # 0.5 dollars are 50 cents, 0.5 is 50%
    if equals:
        value = read_gold(equals[-1][1])
        is_same = gold in ((value, 100 * value) if is_percent and value is not None else (value,))
        if is_same and _is_sum(last[: equals[-1].start()], " ".join((row.problem, *before))):
            return True
    if (solved := _SOLVED.search(last)) and read_gold(solved[1]) == gold:
        return True
    results = [value for step in before for value in _results(step)]
    results += _results(last) if re.search(r"\d[^=]*=", last) else [check.right for check in _sums(last)]
    if gold.denominator > 1 and _is_ratio(gold, last, results, row.problem):
        return True
    said = [read_gold(number) for number in _STATED.findall(last)]
    if gold not in said and not is_same:
        return False
    shares = [100 * value for value in results] if is_percent else []
    if _follows(gold, results, shares):
        return True
    is_count = len(results) > 3 and gold in (len(results), len(results) - 1)  # of what was worked out: "on the 5th day"
    return not equals and (is_count or _is_one_step_on(gold, results, row.steps))


def _is_ratio(gold: Fraction, last: str, results: Sequence[Fraction], problem: str) -> bool:
    """Does the last step end on the answer as a part of a whole, "so 5/8 is left" or "that is 6 / 8 of it": a result and another or a given number?"""
    *_, ratio = [None, *_RATIO.finditer(last)]
    if not ratio or re.search(r"\d", last[ratio.end() :]) or not int(ratio[2]) or Fraction(int(ratio[1]), int(ratio[2])) != gold:
        return False
    parts = {Fraction(int(part)) for part in ratio.groups()}
    return not parts.isdisjoint(results) and parts <= {*results, *written_numbers(problem)}


def _is_sum(left: str, told: str) -> bool:
    """Does something stand before "=" that can come to a number: figures, or what an equation before has spoken of?"""
    if re.search(r"\d", left):
        return True
    name = _NAME.search(left)
    if not name:
        return False
    if len(name[1]) == 1:
        return name[1].lower() in map(str.lower, _LETTER.findall(told))
    return re.search(rf"\d ?{re.escape(name[1])} ?=", told) is not None  # "3 Losses = 90", "Losses = 30"


def _sums(step: str) -> list[ClaimCheck]:
    """The claims of a step that come to a number, those included that are told in words."""
    checks = map(check_claim, find_claims(as_equations(plain(step))))
    return [check for check in checks if check.left is not None and check.right is not None]


def _results(step: str) -> list[Fraction]:
    """What a step arrives at, in order: the number behind each "=", told in words or not, or what a sum there comes to."""
    sides = _RIGHT.findall(as_equations(plain(step)))
    return [value for side in sides if (value := evaluate(side.replace(",", "")).value) is not None]


def _follows(gold: Fraction, results: Sequence[Fraction], shares: Sequence[Fraction]) -> bool:
    """Is it a result, or a whole number next to the last one: 7.5 boxes are 8?"""
    last = [*results[-1:], *shares[-1:]]
    is_whole = gold.denominator == 1
    return gold in results or gold in shares or any(is_whole and value.denominator != 1 and abs(gold - value) < 1 for value in last)


def _is_one_step_on(gold: Fraction, results: Sequence[Fraction], steps: Sequence[str]) -> bool:
    """Is it one operation away from the last result: "that is twice 4 legs", "30 + 160 or 190"?

    The other number is told in the same step, or a sum or difference with the result before it; of an equation that is solved (R = 8) any number of
    the steps will do, for the answer is mostly a part of it.
    """
    told = [value for value in written_numbers(steps[-1]) if value != gold]
    others = [*told, Fraction(_THOUSAND)]
    if len(steps) > 1 and _GIVEN_LETTER.search(steps[-2]):
        others += [value for step in steps[:-1] for value in written_numbers(step)]
    if gold == 1 and results[-1:] and results[-1] in told:
        return True  # 10 lost at 10 a game
    pairs = [(one, other) for one in (*results[-1:], *told) for other in others if one != other]
    made = {value for one, other in pairs for value in _joined(one, other)}
    return gold in made or (len(results) > 1 and gold in (results[-1] + results[-2], abs(results[-1] - results[-2])))


def _joined(one: Fraction, other: Fraction) -> list[Fraction]:
    """What the four operations make of two numbers."""
    made = [one + other, one - other, other - one, one * other]
    return made + [top / bottom for top, bottom in ((one, other), (other, one)) if bottom]


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
