"""What was read as an answer, or the reason why nothing was: each refusal has a name."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Answer:
    """What was read, or why nothing was.

    value     exact; None with a refusal
    rule      what found it: "answer is", "####", "boxed", "bold", "last number", "typed", "time", "none", or
              the name of the reading
    cut_off   the reply opened <think> and never closed it
    text      the characters that were read as the number (for a refusal: that were refused)
    refusal   one of the REFUSALS, or None
    crashed   the published code behind this reading raises on this reply
    """

    value: Fraction | None
    rule: str
    cut_off: bool = False
    text: str = ""
    refusal: str | None = None
    crashed: bool = False


NO_NUMBER = "no number"
EMPTY = "empty"
LONG = "too long"
CUT_OFF = "cut off before the answer"
TWO_ANSWERS = "two different answers"
RANGE = "a range or a subtraction, not one number"
CALCULATION = "a calculation, not its result"
NOT_FINITE = "not a finite number"
ZERO_DIVISION = "division by zero"
SEPARATORS = "unclear comma or point"
DIGITS = "too many digits"
EXPONENT = "exponent too large"
COMPOUND = "compound units, not one number"
CLOCK = "a time of day, not a number"
DATE = "a date, not a number"
REFUSALS = (NO_NUMBER, EMPTY, LONG, CUT_OFF, TWO_ANSWERS, RANGE, CALCULATION, NOT_FINITE, ZERO_DIVISION,
            SEPARATORS, DIGITS, EXPONENT, COMPOUND, CLOCK, DATE)  # fmt: skip
