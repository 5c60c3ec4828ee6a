"""What a student's number says about where the student stands.

    judge("18", solved, step=1)  ->  Reply(Says.PARTWAY, Fraction(18), step=2)

Numbers are compared exactly; units and the spelling do not count ("$5", "five", "5 apples").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from mathtutor.maths.answers import read_typed
from mathtutor.tutoring.hints import Solved, checked, sums_of
from mathtutor.tutoring.screen import clean


class Says(StrEnum):
    NOTHING = "nothing"  # nothing was typed
    UNREADABLE = "unreadable"  # no single number
    SAME = "same"  # the answer that we have
    BLANK = "blank"  # fills the blank of the step that is set up
    PARTWAY = "partway"  # what another step finds
    MISTAKE = "mistake"  # a number that a typical mistake arrives at
    OTHER = "other"


@dataclass(frozen=True)
class Reply:
    says: Says
    value: Fraction | None = None
    step: int = 0  # whose value it is, for BLANK and PARTWAY
    words: str = ""  # what the writer of the problem says of this mistake


def judge(typed: object, solved: Solved, blank: tuple[int, Fraction] | None = None) -> Reply:
    """The reply to a number. `blank` is (step, value) of the sum that is set up, if one is."""
    text = clean(typed)
    if not text:
        return Reply(Says.NOTHING)
    answer = read_typed(text)
    if answer.value is None:
        return Reply(Says.UNREADABLE)
    values = {answer.value, answer.value / 100} if "%" in text else {answer.value}
    if solved.answer in values:
        return Reply(Says.SAME, solved.answer)
    if blank and blank[1] in values:
        return Reply(Says.BLANK, blank[1], blank[0])
    for mistake in solved.ready.mistakes if solved.ready else ():
        if mistake.value in values:
            return Reply(Says.MISTAKE, mistake.value, words=mistake.says)
    for number, check in enumerate(checked(solved.steps), start=1):
        for each in sums_of(check):
            if each.value in values:
                return Reply(Says.PARTWAY, each.value, number)
    return Reply(Says.OTHER, answer.value)
