"""The numbers and sums of a line, as values: "So 3 boxes of twelve are 3 * 12 = 36." holds 3, 12, 36 and the sum 3 * 12.

Where `maths.claims` judges equations, this reads what a line works with, equation or not: "Dividing 12 by 7 gives 1.71"
states no sum, and holds 12, 7 and 1.71. Never raises on text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mathtutor.maths.arithmetic import evaluate
from mathtutor.maths.claims import MAX_TEXT
from mathtutor.maths.folding import fold
from mathtutor.maths.markup import without_markup
from mathtutor.maths.runs import Run
from mathtutor.maths.steps import parse_steps
from mathtutor.maths.tokens import tokenize


@dataclass(frozen=True)
class Sum:
    """One piece of arithmetic: "3 * 12" with its exact value, the numbers in it, and where it stands in the line."""

    expression: str
    value: Fraction
    start: int
    end: int


@dataclass(frozen=True)
class Line:
    """What one line holds. `numbers` are all its values in order of writing, those inside sums too; `told` are those
    outside of any sum; `results` follow an equals sign. `unknown`: it works with a letter (3x = 12)."""

    text: str
    numbers: tuple[Fraction, ...] = ()
    told: tuple[Fraction, ...] = ()
    results: tuple[Fraction, ...] = ()
    sums: tuple[Sum, ...] = ()
    unknown: bool = False


_WORDS = {word: Fraction(value) for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}  # fmt: skip
_WORDS |= {word: Fraction(10 * value) for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SHARES = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
           "ninth": 9, "tenth": 10, "twelfth": 12, "twentieth": 20}  # fmt: skip
_SHARES |= {f"{word}s": value for word, value in _SHARES.items() if word not in ("half", "halves")}
# Words that say a number without counting, and the units whose size everybody knows.
IMPLIED = {
    "twice": (2,), "double": (2,), "doubled": (2,), "doubles": (2,), "doubling": (2,), "both": (2,), "pair": (2,), "pairs": (2,),
    "couple": (2,), "twins": (2,), "split": (2,), "average": (2,), "thrice": (3,), "triple": (3,), "tripled": (3,), "triples": (3,),
    "triplets": (3,), "quadruple": (4,), "quadrupled": (4,), "dozen": (12,), "dozens": (12,), "score": (20,),
    "second": (60,), "seconds": (60,), "minute": (60,), "minutes": (60,), "hour": (60, 24, 3600), "hours": (60, 24, 3600),
    "hourly": (24,), "day": (7, 24, 30, 365), "days": (7, 24, 30, 365), "daily": (7, 30, 365), "week": (7, 52, 4),
    "weeks": (7, 52, 4), "weekly": (7, 52, 4), "weekday": (5,), "weekdays": (5,), "weekend": (2,), "weekends": (2,),
    "month": (12, 30, 4), "months": (12, 30, 4), "monthly": (12, 30), "year": (12, 52, 365), "years": (12, 52, 365),
    "yearly": (12, 52, 365), "annual": (12, 52), "annually": (12, 52), "decade": (10,), "century": (100,), "fortnight": (14, 2),
    "foot": (12, 3), "feet": (12, 3), "yard": (3, 36), "yards": (3, 36), "inch": (12, 36), "inches": (12, 36), "mile": (5280,),
    "miles": (5280,), "pound": (16,), "pounds": (16,), "ounce": (16, 8), "ounces": (16, 8), "cup": (16, 2, 4), "cups": (16, 2, 4),
    "gallon": (4, 8, 16), "gallons": (4, 8, 16), "quart": (4, 2), "quarts": (4, 2), "pint": (2, 16), "pints": (2, 16),
    "ton": (2000,), "tons": (2000,), "cent": (100,), "cents": (100,), "dollar": (100,), "dollars": (100,), "nickels": (5,),
    "nickel": (5,), "dime": (10,), "dimes": (10,), "quarter": (25, 4), "quarters": (25, 4), "penny": (1,), "pennies": (1,),
    "kilometer": (1000,), "kilometers": (1000,), "meter": (100, 1000), "meters": (100, 1000), "liter": (1000,),
    "liters": (1000,), "kilogram": (1000,), "kilograms": (1000,), "gram": (1000,), "grams": (1000,), "percent": (100,),
    "square": (4,), "squares": (4,), "triangle": (3,), "rectangle": (2,), "rectangular": (2,), "cube": (6,),
    "tricycle": (3,), "tricycles": (3,), "bicycle": (2,), "bicycles": (2,), "car": (4,), "cars": (4,), "legs": (2, 4),
    "dog": (4,), "dogs": (4,), "cat": (4,), "cats": (4,), "hand": (5,), "hands": (2, 5), "eyes": (2,), "alphabet": (26,),
}  # fmt: skip
_MILLIONS = re.compile(r"(\d)\s+(?:thousand|million|billion)s?\b", re.IGNORECASE)  # a unit, where a whole problem counts in it
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def _segments(text: str):
    """(runs, whether an equals sign stands before them, and after) of each stretch between equals signs and stops."""
    tokens = tokenize(text)
    first = 0
    for at in range(len(tokens) + 1):
        if at == len(tokens) or tokens[at].kind in ("=", "stop"):
            if at > first:
                before = first > 0 and tokens[first - 1].kind == "="
                yield fold(tokens, first, at), before, at < len(tokens) and tokens[at].kind == "="
            first = at + 1


def _values(run: Run) -> list[Fraction]:
    """The numbers that a run writes; a percentage as the share that it is."""
    found = []
    parts = [*run.parts, None]
    for part, after in zip(run.parts, parts[1:], strict=True):
        if part.kind == "value":
            value = evaluate(part.text).value
            if value is not None:
                found.append(value / 100 if after is not None and after.kind == "%" else value)
    return found


def read_line(text: str) -> Line:
    """The values of one line; at most MAX_TEXT characters of it are read."""
    steps = parse_steps(text[:MAX_TEXT].replace("\n", " "))
    text = steps[0].text if steps else ""
    bare, _ = without_markup(text)
    bare = bare.replace("$", " ")  # "3($4)" and "$ 5" hide nothing then
    bare = _MILLIONS.sub(r"\1", bare)
    numbers: list[Fraction] = []
    told: list[Fraction] = []
    results: list[Fraction] = []
    sums: list[Sum] = []
    unknown = False
    for runs, after_sign, before_sign in _segments(bare):
        for place, run in enumerate(runs):
            run.balance()
            run.trim()
            if not run.parts:
                continue
            expression = run.expression()
            value = None if run.is_unknown else evaluate(expression).value
            if value is None:
                numbers += _values(run)
                unknown = unknown or run.is_unknown and run.has_operator or any(len(p.text) == 1 for p in run.parts if p.kind == "name")
                continue
            worked_out = before_sign and place == len(runs) - 1  # 6/2 = 3 is a division, 3/4 of the cake a share
            if run.has_operator and (worked_out or not run.is_single or value.denominator == 1):
                numbers += _values(run)
                sums.append(Sum(expression, value, run.start, run.end))
            else:
                numbers.append(value)
                if after_sign and place == 0:
                    results.append(value)
                else:
                    told.append(value)
    spoken = read_words(bare)
    return Line(text, (*numbers, *spoken), (*told, *spoken), tuple(results), tuple(sums), unknown)


def read_words(text: str) -> list[Fraction]:
    """The numbers that are written as words: "twenty-five" 25, "three quarters" 3/4, "two dozen" 2 and 12, "half" 1/2."""
    found: list[Fraction] = []
    group: Fraction | None = None
    for match in _WORD.finditer(text.lower()):
        for word in match.group().split("-"):
            if word in _WORDS and (group is None or group % 10 or _WORDS[word] >= 10):
                if group is not None:
                    found.append(group)
                group = _WORDS[word]
            elif word in _WORDS:
                group += _WORDS[word]
            elif word in _SCALES and group is not None:
                group *= _SCALES[word]
            elif word in _SHARES:
                found.append((group or 1) * Fraction(1, _SHARES[word]))
                group = None
            else:
                if group is not None:
                    found.append(group)
                group = None
    return [*found, *([group] if group is not None else [])]


def implied(text: str) -> set[Fraction]:
    """The numbers that words of a text bring with them: "a dozen eggs a day" brings 12, 7, 24, 30 and 365."""
    words = {match.group() for match in _WORD.finditer(text.lower())}
    found = {Fraction(value) for word in words for value in IMPLIED.get(word, ())}
    return found | {Fraction(1, denominator) for word, denominator in _SHARES.items() if word in words}
