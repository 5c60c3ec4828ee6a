"""The one judge: which equations of a reply hold, and whether its answer is right.

    verify("<think>\\nStep 1: 5 * 3 = 15\\nStep 2: 15 + 4 = 18\\n</think>\\n\\nThe answer is 18.", gold=19)
        steps[0].state  OK            first_wrong_step  2
        steps[1].state  WRONG         correct           False

A claim is judged exactly, with three concessions to how arithmetic is written:
    rounding     a side that is one decimal may be rounded to the places it prints (2 / 3 = 0.67); to a whole
                 number only where the words beside it say so (about 7; a division also: 2 full boxes)
    remainder    10 / 3 = 3 R1 holds where 3 * 3 + 1 is 10
    percent      100 - 40 = 60% and 15 / 90 * 100% = 16.67 count percentage points; 200 - 15% = 185 is wrong
    units        where the words explain a mismatch (50 cents * 4 = $2) the state is NOTHING, never WRONG
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from mathtutor.maths.answers import Answer, read_answer, same_answer, split_thinking, states_answer
from mathtutor.maths.arithmetic import evaluate
from mathtutor.maths.claims import ABOUT, DOTS, ELSEWHERE, NEAR, WHOLE, Claim
from mathtutor.maths.steps import Step, parse_steps


class State(StrEnum):
    OK = "ok"
    WRONG = "wrong"
    NOTHING = "nothing"  # nothing to check, or nothing that can be checked


@dataclass(frozen=True)
class ClaimCheck:
    """left and right are the exact values of the sides, None for one that has none (a variable, 1/0)."""

    claim: Claim
    state: State
    left: Fraction | None
    right: Fraction | None


@dataclass(frozen=True)
class StepCheck:
    step: Step
    state: State
    claims: tuple[ClaimCheck, ...]


@dataclass(frozen=True)
class Verdict:
    """What we concluded about a whole reply.

    first_wrong_step       the number of that step, as the reply shows it
    num_claims             equations found; num_checked of them were judged OK or WRONG
    correct                None where no gold answer was given
    answer_matches_last_step   the stated answer against the last value that a checked claim arrived at, where 10%
                               (10 percent) is matched by 10 as well as by 0.1; None where one of the two is missing
    """

    answer: Answer
    steps: tuple[StepCheck, ...]
    first_wrong_step: int | None
    num_claims: int
    num_checked: int
    correct: bool | None
    answer_matches_last_step: bool | None


_ONE_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)%?")
_OPERATOR = re.compile(r"[\d.)%] ?[-+*/^] ?[-\d.(]")
_SPACED_OPERATOR = re.compile(r" [-+*/^] ")  # in a Claim's side; "(12 1/2)%" has none
_NOT_HUNDRED = re.compile(r"(?<![\d.])(?!100%)[\d.]+%")


def check_claim(claim: Claim) -> ClaimCheck:
    """Does the claim hold? NOTHING for variables, for "a = b" without an operation, and for loose mismatches."""
    left, right = evaluate(claim.left).value, evaluate(claim.right).value
    state = State.NOTHING
    if left is not None and right is not None:
        if claim.remainder:
            holds = _leaves_remainder(claim)
            state = State.NOTHING if holds is None else State.OK if holds else State.WRONG
        elif _OPERATOR.search(claim.left) or _OPERATOR.search(claim.right):
            holds = left == right or _is_rounded(claim, left, right) or _holds_in_points(claim)
            loose = claim.loose or _may_be_rounded(claim, left, right)
            state = State.OK if holds else State.NOTHING if loose else State.WRONG
        elif left == right and ("%" in claim.left or "%" in claim.right):  # 25% = 0.25
            state = State.OK
    return ClaimCheck(claim, state, left, right)


def _holds_in_points(claim: Claim) -> bool:
    """100 - 40 = 60%, 100% - 40% = 60 and 15 / 90 * 100% = 16.67: the sign stands for percentage points."""
    if "%" not in claim.left and "%" not in claim.right:
        return False
    if re.search(r"[*/^]", claim.left) and _NOT_HUNDRED.search(claim.left):
        return False  # 50 * 20% is not 1000
    left, right = evaluate(claim.left, points=True).value, evaluate(claim.right, points=True).value
    return (
        left is not None
        and right is not None
        and (left == right or _is_rounded(claim, left, right, points=True))
    )


_DIVISION = re.compile(r"(\d+|\([^()]*\)) / (\d+|\([^()]*\))")


def _leaves_remainder(claim: Claim) -> bool | None:
    """Is dividend = quotient * divisor + remainder? None where the left side is not one division of whole numbers."""
    sides = _DIVISION.fullmatch(claim.left)
    dividend, divisor = (evaluate(side).value for side in sides.groups()) if sides else (None, None)
    if dividend is None or divisor is None or dividend.denominator != 1 or divisor.denominator != 1:
        return None
    remainder = int(claim.remainder)
    return remainder < divisor and int(claim.right) * divisor + remainder == dividend


def _is_rounded(claim: Claim, left: Fraction, right: Fraction, points: bool = False) -> bool:
    """Is one side a number that the other is rounded to, as far as claim.rounding allows?"""
    for side, exact, other in ((claim.right, left, claim.left), (claim.left, right, claim.right)):
        if not _ONE_NUMBER.fullmatch(side):
            continue
        digits = side.strip("-%")
        places = len(digits.partition(".")[2])
        share = 100 if "%" in side and not points else 1
        unit, miss = Fraction(1, 10**places) / share, abs(left - right)
        if places and (miss * 2 <= unit or (claim.rounding in (ABOUT, DOTS) and miss < unit)):
            return True
        if places:
            continue
        zeros = 10 ** (len(digits) - len(digits.rstrip("0")))
        is_cut = miss < unit and (exact * share).denominator != 1  # to a neighbouring whole number
        if claim.rounding == ABOUT and (is_cut or miss * 2 <= unit * zeros):
            return True
        if is_cut and (claim.rounding == NEAR or (claim.rounding == WHOLE and "/" in other)):
            return True
    return False


def _may_be_rounded(claim: Claim, left: Fraction, right: Fraction) -> bool:
    """Could a mismatch be rounding all the same: "= almost 200" for 197, or rounding that is named elsewhere?"""
    return claim.rounding in (NEAR, ELSEWHERE) and _is_rounded(replace(claim, rounding=ABOUT), left, right)


def check_step(step: Step) -> StepCheck:
    """WRONG if any claim is wrong, OK if at least one holds and none is wrong, else NOTHING."""
    claims = tuple(check_claim(claim) for claim in step.claims)
    states = {check.state for check in claims}
    state = State.WRONG if State.WRONG in states else State.OK if State.OK in states else State.NOTHING
    return StepCheck(step, state, claims)


def verify(reply: str, gold: Fraction | int | None = None) -> Verdict:
    """Judge a whole reply: every step of its reasoning, and its answer against gold where one is given.

    The steps are the lines inside <think>; a reply that does not think aloud there is judged on all its lines but
    the statement of the answer.
    """
    thinking, rest, _ = split_thinking(reply)
    if not thinking.strip():
        thinking = "\n".join(line for line in rest.split("\n") if not states_answer(line))
    steps = tuple(check_step(step) for step in parse_steps(thinking))
    answer = read_answer(reply)
    claims = [claim for step in steps for claim in step.claims]
    checked = [claim for claim in claims if claim.state is not State.NOTHING]
    matches = _arrives_at(checked[-1], answer) if checked and answer.value is not None else None
    return Verdict(
        answer=answer,
        steps=steps,
        first_wrong_step=next((check.step.number for check in steps if check.state is State.WRONG), None),
        num_claims=len(claims),
        num_checked=len(checked),
        correct=None if gold is None else same_answer(answer, gold),
        answer_matches_last_step=matches,
    )


def _arrives_at(last: ClaimCheck, answer: Answer) -> bool:
    """Is the answer what this claim ends in: its value, or the number that is written before a percent sign?"""
    if same_answer(answer, last.right):
        return True
    side = last.claim.right
    is_percentage = "%" in side and not _SPACED_OPERATOR.search(side)
    return is_percentage and same_answer(answer, evaluate(side, points=True).value)
