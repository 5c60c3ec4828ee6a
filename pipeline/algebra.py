"""Equations with letters, checked by putting the solution in: 2x + 30 = 160 holds, for the steps end in x = 65.

    check_equations(("Let x be the toys: 2x + 30 = 160", "2x = 130", "x = 65"))     ->  [True, True]
    check_equations(("2x + 30 = 160", "2x = 140", "x = 70"))                        ->  [False, True]

A letter stands for the last value that it is said to equal. Equations with a letter of unknown value, and sums
without letters, are left out: `mathtutor.maths` judges those. Text never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby, pairwise

from mathtutor.maths.arithmetic import evaluate, plain

MAX_TEXT = 10_000  # characters of one step that are read
NEAR = 60  # characters before and after an equation that are looked at
TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|(?<![^\W\d_])[a-zA-Z](?![^\W\d_]|['’])|[-+*/()=]")  # a letter stands alone
# What makes the last side of a chain go on unread: a power, a percent sign, "30 feet / 6".
GOES_ON = re.compile(r"[ ]?(?:[%^]|:\d|[^\W\d_]+(?:[ ][^\W\d_]+)?[ ]?[-+*/][ ]?[\d(])")
COMES_FROM = re.compile(r"[-+*/=^%][ ]?$|[-+*/][ ]?[^\W\d_]+[ ]?$")

# A letter beside an equals sign: without one no letter gets a value, and nothing can be put in.
GIVES_VALUE = re.compile(r"(?<![^\W\d_])[a-zA-Z] ?=|= ?[a-zA-Z](?![^\W\d_])")

Side = list[str]  # its tokens


def check_equations(steps: Sequence[str]) -> list[bool]:
    """Whether each equation with letters holds, in order of appearance."""
    texts = [plain(step[:MAX_TEXT]) for step in steps]
    if not any(map(GIVES_VALUE.search, texts)):
        return []
    pairs = [pair for text in texts for chain in _chains(text) for pair in pairwise(chain)]
    values: dict[str, Fraction] = {}
    equations = []
    for left, right in pairs:
        names = [side for side in (left, right) if len(side) == 1 and side[0].isalpha()]
        numbers = [value for side in (left, right) if (value := _value(side, {})) is not None]
        if names and numbers:
            values[names[0][0]] = numbers[0]
        else:
            equations.append((left, right))
    verdicts = []
    for left, right in equations:
        letters = {token for token in (*left, *right) if token.isalpha()}
        if letters and letters <= values.keys():
            one, other = _value(left, values), _value(right, values)
            if one is not None and other is not None:
                verdicts.append(one == other)
    return verdicts


def _chains(text: str) -> Iterator[list[Side]]:
    """The equations of a text, each as its sides; a side that is read in part only is left out."""
    run: list[str] = []
    start = end = 0
    for match in (*TOKEN.finditer(text), None):
        if match and run and text[end : match.start()] in ("", " "):
            run.append(match[0])
        else:
            if "=" in run:
                sides = [list(side) for is_sign, side in groupby(run, "=".__eq__) if not is_sign]
                is_whole = not COMES_FROM.search(text[max(0, start - NEAR) : start])
                yield sides[not is_whole : len(sides) - bool(GOES_ON.match(text[end : end + NEAR]))]
            run = [match[0]] if match else []
            start = match.start() if match else end
        end = match.end() if match else end


def _value(side: Side, values: dict[str, Fraction]) -> Fraction | None:
    """What a side comes to with numbers for its letters; None where that is no arithmetic."""
    text, before = "", ""
    for token in side:
        starts_value = token == "(" or token[-1].isalnum()
        ends_value = before == ")" or before[-1:].isalnum()
        text += " * " if starts_value and ends_value else " "  # 3x and 3(x + 1) multiply
        text += f"({values.get(token, token)})" if token.isalpha() else token
        before = token
    return evaluate(text.strip()).value
