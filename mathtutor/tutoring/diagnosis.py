"""A student's lines beside one solution: are they right so far, and if not, which line is the first doubtful one?

    found = diagnose("Ana has 12 pens. She gives 5 away and buys 9. How many has she?", ["12 - 5 = 8", "8 + 9 = 17"],
                     solution=["12 - 5 = 7", "7 + 9 = 16"], answer=Fraction(16))
    found.verdict   DOUBT      found.at    0
    found.kind      calculation        found.question   "You wrote “12 - 5 = 8”. Can you work that one out once more?"

Right work comes in many orders. It is never called wrong for its way: work that arrives at the answer is doubted
only for a sum that does not add up, unfinished work only where a line arrives at a value that lies on no way we know. Only work
that states another answer must have a first wrong line: the likeliest is named, by signs weighed as in `weights`.

A question quotes the student and holds no number that the student has not written in that line: no fix, no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import exp

from mathtutor.maths.answers import states_answer
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, check_claim
from mathtutor.maths.claims import find_claims
from mathtutor.strings import ENGLISH, Strings
from mathtutor.tutoring.paths import Path, find_path
from mathtutor.tutoring.signs import BAD, SUMS, Traced, near_miss, trace
from mathtutor.tutoring.weights import BIAS, WEIGHTS

MAX_LINES = 40
SURE = 0.85  # how likely a line of unfinished work must be wrong before it is doubted
TOO_FAR = 0.5  # the same of a line that goes on from the answer, found as the solution finds it


class Kind(StrEnum):
    """What seems to have gone wrong; the bank's typical mistakes have the same names."""

    CALCULATION = "calculation"
    WENT_TOO_FAR = "went-too-far"
    MISSING_QUANTITY = "missing-quantity"
    EXTRA_QUANTITY = "extra-quantity"
    MISREAD_QUESTION = "misread-question"
    WRONG_OPERATION = "wrong-operation"
    UNIT = "unit"


class Mark(StrEnum):
    FINE = "fine"
    DOUBT = "doubt"  # the first doubtful line
    NOTHING = "nothing"  # no number, no sum
    NOT_READ = "not read"  # after the doubtful line: what it builds on is in doubt


class Verdict(StrEnum):
    RIGHT = "right"
    RIGHT_SO_FAR = "right so far"  # no doubt, and the answer is not reached yet
    DOUBT = "doubt"
    SUMS_CHECK = "sums check"  # without a solution to lay beside it: only the sums were looked at
    NOTHING = "nothing"  # no line holds a number


@dataclass(frozen=True)
class Diagnosis:
    """`marks` has one entry a line; `at` (from 0), `kind`, `quote` and `question` are of the first doubtful line."""

    verdict: Verdict
    marks: tuple[Mark, ...]
    at: int | None = None
    kind: Kind | None = None
    quote: str = ""
    question: str = ""


def diagnose(
    problem: str,
    lines: Sequence[str],
    solution: Sequence[str] | None,
    answer: Fraction | None = None,
    finished: bool | None = None,
    strings: Strings = ENGLISH,
) -> Diagnosis:
    """Look through a student's lines, at most MAX_LINES of them. Never raises on text.

    `solution` are the steps of one right solution, None where there is none: then only sums are checked. `finished`
    says whether the last line is meant as the answer; None: it is, where it says so or is a bare number. The question
    is asked in the language of `strings`.
    """
    lines = list(lines)[:MAX_LINES]
    path = find_path(problem, solution or (), answer)
    traced = trace(path, lines, finished=bool(finished) or _says_answer(lines))
    if not any(t.line.numbers for t in traced):
        return Diagnosis(Verdict.NOTHING, tuple(Mark.NOTHING for _ in lines))
    wrong_sum = next((at for at, t in enumerate(traced) if t.wrong_sum), None)
    if wrong_sum is not None:
        return _doubt(path, traced, wrong_sum, strings)
    if solution is None:
        return _no_doubt(Verdict.SUMS_CHECK, traced)
    if arrives_at(traced, path.answer):
        return _no_doubt(Verdict.RIGHT, traced)
    finished = _says_answer(lines) if finished is None else finished
    chances = hazards(traced)
    if finished:
        at = first_wrong(chances)
    else:
        at = next((at for at in range(len(traced)) if _is_off(path, traced, at, chances[at])), None)
    return _no_doubt(Verdict.RIGHT_SO_FAR, traced) if at is None else _doubt(path, traced, at, strings)


def _is_off(path: Path, traced: Sequence[Traced], at: int, chance: float) -> bool:
    """Does a line surely arrive where no way that we know leads, or go on from the answer?"""
    line, reached = traced[at], [t for t in traced[:at] if path.answer in t.values]
    if line.kind == "sum out" and path.answer in line.operands and any(t.kind == SUMS[0] for t in reached):
        return chance >= TOO_FAR
    return chance >= SURE and (line.kind == "sum out" or bool(line.sums) and bool(reached))


# --- which line ---------------------------------------------------------------------------------------------


def hazards(traced: Sequence[Traced]) -> list[float]:
    """For each line the chance that it is the first wrong one, given that all before it are right."""
    scores = [BIAS + sum(WEIGHTS.get(sign, 0.0) * there for sign, there in t.signs.items()) for t in traced]
    return [1 / (1 + exp(-max(-30.0, min(30.0, score)))) for score in scores]


def first_wrong(chances: Sequence[float]) -> int:
    """The likeliest first wrong line, where there must be one."""
    best, likeliest, still_right = 0, -1.0, 1.0
    for at, chance in enumerate(chances):
        if still_right * chance > likeliest:
            best, likeliest = at, still_right * chance
        still_right *= 1 - chance
    return best


_ANSWERS = re.compile(r"\b(?:answer|respuesta)\b", re.IGNORECASE)
_BARE = re.compile(r"\W*[\d.,/]+\W*(?:[^\W\d_]+\W*){0,2}")


def _says_answer(lines: Sequence[str]) -> bool:
    """Is the last line meant as the answer: "17", "17 pens.", "The answer is 17"?"""
    last = next((line for line in reversed(lines) if any(map(str.isalnum, line))), "")
    return bool(states_answer(last) or _ANSWERS.search(last) or _BARE.fullmatch(last))


def arrives_at(traced: Sequence[Traced], answer: Fraction | None) -> bool:
    """Is the last line with a number about the answer: as the result of its sum, or among its numbers where it has none?"""
    last = next((t for t in reversed(traced) if t.line.numbers), None)
    if last is None or answer is None:
        return False
    values = last.values or tuple(abs(v) for v in last.line.numbers)
    share = 100 if "%" in last.line.text else 1
    return any(_same(value, abs(answer)) or _same(value * share, abs(answer)) for value in values)


def _same(value: Fraction, answer: Fraction) -> bool:
    """Equal, or one the other rounded to two places."""
    if value == answer:
        return True
    return (value.denominator > 1 or answer.denominator > 1) and abs(value - answer) * 200 <= 1 and value != 0


# --- what kind, and what to ask -----------------------------------------------------------------------------

_UNITS = {Fraction(f) for f in (7, 12, 16, 24, 30, 52, 60, 100, 365, 1000, 3600)}


def kind_of(path: Path, traced: Sequence[Traced], at: int) -> Kind:
    """What seems to have gone wrong in line `at`, from the closed list."""
    here = traced[at]
    if here.wrong_sum:
        return Kind.CALCULATION
    if here.sums and path.answer is not None and any(path.answer in t.values for t in traced[:at]):
        return Kind.WENT_TOO_FAR
    targets = path.stated - {0}
    if any(value and (value / target in _UNITS or target / value in _UNITS) for value in here.values[-1:] for target in targets):
        return Kind.UNIT
    misses = [near_miss(mine, step) for mine in here.steps for step in path.steps]
    for miss, kind in (
        ("operation", Kind.WRONG_OPERATION),
        ("missing", Kind.MISSING_QUANTITY),
        ("extra", Kind.EXTRA_QUANTITY),
    ):
        if miss in misses:
            return kind
    if here.sums and here.kind not in BAD:
        return Kind.MISSING_QUANTITY  # a part that was taken for the whole
    return Kind.MISREAD_QUESTION


def ask(kind: Kind, line: Traced, strings: Strings = ENGLISH) -> str:
    """One question about a doubtful line. It holds no number but those that stand in the line."""
    numbers = _listed(line.operands, strings)
    operations = sorted({char for total in line.sums for char in total.expression if char in strings.OPERATIONS}, key="+-*/".index)
    words = strings.QUESTIONS[kind]
    if kind is Kind.CALCULATION:
        return words.format(sum=_wrong_sum(line.line.text))
    if kind is Kind.WRONG_OPERATION:
        if not operations:
            return strings.QUESTIONS[Kind.MISREAD_QUESTION]
        return words.format(operation=f" {strings.AND} ".join(strings.OPERATIONS[char] for char in operations))
    if kind in (Kind.MISSING_QUANTITY, Kind.EXTRA_QUANTITY):
        return words.format(numbers=numbers) if numbers else strings.QUESTIONS[Kind.MISREAD_QUESTION]
    if kind is Kind.MISREAD_QUESTION and numbers:
        return strings.NUMBERS_ASKED.format(numbers=numbers)
    return words


def _listed(values: Sequence[Fraction], strings: Strings) -> str:
    """ "3, 4 and 12": each number once, as people write it."""
    return strings.listed(list(dict.fromkeys(show(value) for value in values))[:5])


def _wrong_sum(text: str) -> str:
    for claim in find_claims(text):
        if check_claim(claim).state is State.WRONG:
            return text[claim.start : claim.end]
    return text


# --- how it is handed over ----------------------------------------------------------------------------------


def _mark(line: Traced) -> Mark:
    return Mark.FINE if line.line.numbers or line.line.unknown else Mark.NOTHING


def _no_doubt(verdict: Verdict, traced: Sequence[Traced]) -> Diagnosis:
    return Diagnosis(verdict, tuple(map(_mark, traced)))


def _doubt(path: Path, traced: Sequence[Traced], at: int, strings: Strings) -> Diagnosis:
    kind = kind_of(path, traced, at)
    marks = (*map(_mark, traced[:at]), Mark.DOUBT, *(Mark.NOT_READ for _ in traced[at + 1 :]))
    return Diagnosis(Verdict.DOUBT, marks, at, kind, traced[at].line.text, ask(kind, traced[at], strings))
