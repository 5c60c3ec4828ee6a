"""What a student's number says about where the student stands.

    judge("18", solved, step=1)  ->  Reply(Says.PARTWAY, Fraction(18), step=2)

Numbers are compared exactly; units and the spelling do not count ("$5", "five", "5 apples"). What is told in two units,
"3 hours and 30 minutes", counts in either: 3.5 or 210.
"""

from __future__ import annotations

import re
from collections.abc import Collection
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
    RIVAL = "rival"  # the answer of another try at the problem
    OTHER = "other"


@dataclass(frozen=True)
class Reply:
    says: Says
    value: Fraction | None = None
    step: int = 0  # whose value it is, for BLANK and PARTWAY
    words: str = ""  # what the writer of the problem says of this mistake


_TWO_UNITS = re.compile(r"(\d{1,6}) ?(?P<large>[a-z]+),? ?(?:and )?(\d{1,4}) ?(?P<small>[a-z]+)", re.IGNORECASE)
# How many of the small unit make one of the large one, by the ways to write both.
_IN_ONE = [
    ({"h", "hr", "hrs", "hour", "hours"}, {"m", "min", "mins", "minute", "minutes"}, 60),
    ({"m", "min", "mins", "minute", "minutes"}, {"s", "sec", "secs", "second", "seconds"}, 60),
    ({"day", "days"}, {"h", "hr", "hrs", "hour", "hours"}, 24),
    ({"week", "weeks"}, {"day", "days"}, 7),
    ({"year", "years"}, {"month", "months"}, 12),
    ({"dollar", "dollars", "euro", "euros"}, {"cent", "cents"}, 100),
    ({"ft", "foot", "feet"}, {"in", "inch", "inches"}, 12),
    ({"yd", "yard", "yards"}, {"ft", "foot", "feet"}, 3),
    ({"lb", "lbs", "pound", "pounds"}, {"oz", "ounce", "ounces"}, 16),
    ({"m", "meter", "meters", "metre", "metres"}, {"cm", "centimeter", "centimeters", "centimetre", "centimetres"}, 100),
    ({"km", "kilometer", "kilometers", "kilometre", "kilometres"}, {"m", "meter", "meters", "metre", "metres"}, 1000),
    ({"kg", "kilogram", "kilograms", "kilo", "kilos"}, {"g", "gram", "grams"}, 1000),
    ({"l", "liter", "liters", "litre", "litres"}, {"ml", "milliliter", "milliliters", "millilitre", "millilitres"}, 1000),
]


def _in_two_units(text: str) -> tuple[Fraction, ...]:
    """What "3 hours and 30 minutes" comes to in the one unit and in the other; nothing of any other text."""
    found = _TWO_UNITS.fullmatch(text.strip(" .!"))
    if found is None:
        return ()
    large, small = found["large"].casefold(), found["small"].casefold()
    for of_large, of_small, size in _IN_ONE:
        if large in of_large and small in of_small:
            more, less = int(found[1]), int(found[3])
            return (more + Fraction(less, size), Fraction(more * size + less)) if less < size else ()
    return ()


def judge(typed: object, solved: Solved, blank: tuple[int, Fraction] | None = None, rivals: Collection[Fraction] = ()) -> Reply:
    """The reply to a number. `blank` is (step, value) of the sum that is set up, if one is; `rivals` are the answers of other
    tries at the problem."""
    text = clean(typed)
    if not text:
        return Reply(Says.NOTHING)
    values = _in_two_units(text)
    if not values:
        answer = read_typed(text)
        if answer.value is None:
            return Reply(Says.UNREADABLE)
        values = (answer.value, answer.value / 100) if "%" in text else (answer.value,)
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
    found = next((value for value in values if value in rivals), None)
    return Reply(Says.OTHER, values[0]) if found is None else Reply(Says.RIVAL, found)
