"""A twin: the same story with other numbers, whose answer is worked out as the first one's was.

    twin(Solved("A bus has 45 people. 18 get off and 7 get on ...", steps, Fraction(34)), random.Random(1))
        "A bus has 60 people. 21 get off and 10 get on ...", 60 - 21 = 39, 39 + 10 = 49

A problem of the bank has as many twins as its family has instances. Any other is followed through its own steps: each
number of a sum is a number of the story, the result of an earlier sum, or a constant such as the 7 of a week. Where
that cannot be told for certain there is no twin (None), for a wrong chain with new numbers would still add up. Whether the
steps tell the story right is not looked at: whoever asks for a twin says how far they may be trusted.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from mathtutor.bank.families import Family, load_bank
from mathtutor.maths.arithmetic import evaluate, show
from mathtutor.tutoring.hints import Solved, Sum, checked, numbers_in, sums_of

DRAWS = 400  # of new numbers, until the results are of the same kind as the old ones
_DIGITS = re.compile(r"(?<![\w.,/])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w/]|[.,]\d)")
# Numbers that name things and do not count them: other ones would tell another story.
_NAMES = re.compile(r"(?:\b(?:grade|room|page|chapter|day|week|year|step|question|number|no\.?)\s|#)$", re.IGNORECASE)


@cache
def _bank() -> dict[str, Family]:
    return load_bank()


@dataclass(frozen=True)
class _Place:
    """A number of the story: where it stands, its value, and how many decimals it prints."""

    start: int
    end: int
    value: Fraction
    decimals: int
    percent: bool


def twin(solved: Solved, rng: random.Random) -> Solved | None:
    """Another problem of the same structure, solved; None where the steps do not bear one."""
    if solved.family:
        for _ in range(20):
            instance = _bank()[solved.family].instantiate(rng.randrange(2**31), 0)
            if instance.problem != solved.problem:
                return Solved.of_instance(instance)
        return None
    return _by_steps(solved, rng)


def _places(problem: str) -> list[_Place]:
    places = []
    for match in _DIGITS.finditer(problem):
        digits = match[0].replace(",", "")
        places.append(
            _Place(match.start(), match.end(), Fraction(digits), len(digits.partition(".")[2]), problem[match.end() :][:1] == "%")
        )
    return places


def _by_steps(solved: Solved, rng: random.Random) -> Solved | None:
    checks = checked(solved.steps)
    sums = [sums_of(check) for check in checks]
    # A step may be words alone, but not a sum that could not be read; the last one is the sum that gives the answer.
    unread = any(len(found) != (1 if check.claims else 0) for check, found in zip(checks, sums, strict=True))
    if unread or not sums or not sums[-1] or sums[-1][0].value != solved.answer:
        return None
    places = _places(solved.problem)
    values = [place.value for place in places]
    results = [found[0].value for found in sums if found]
    written = {value for _, _, value in numbers_in(solved.problem)}
    # Each value must tell where it comes from: two numbers of the story that are equal, or equal to a result, do not.
    if len(written) != len(numbers_in(solved.problem)) or len(set(results)) != len(results) or written & set(results):
        return None
    movable = [place for place in places if not _NAMES.search(solved.problem[: place.start]) and place.value > 1]
    texts = [" ".join(check.step.text.split()) for check in checks]
    used = {value for found in sums if found for _, _, value in numbers_in(found[0].left)}
    if not any(place.value in used for place in movable):
        return None
    for _ in range(DRAWS):
        new = {place.value: _draw(place, rng) for place in movable}
        if len(set(new.values()) | (set(values) - new.keys())) < len(values) or all(a == b for a, b in new.items()):
            continue
        made = _follow(texts, [found[0] if found else None for found in sums], dict(new))
        if made is not None:
            problem = _replaced(solved.problem, [(p.start, p.end, _print(new[p.value], p)) for p in movable])
            steps, answer = made
            return Solved(problem, tuple(steps), answer)
    return None


def _draw(place: _Place, rng: random.Random) -> Fraction:
    """A number of the same size and look."""
    unit = Fraction(1, 10**place.decimals)
    if place.percent:
        return Fraction(5 * rng.randint(1, 18))
    if place.decimals:
        step = unit * (5 if (place.value / unit) % 5 == 0 else 1)
    else:
        step = Fraction(next((s for s in (100, 10, 5) if place.value % s == 0 and place.value > 2 * s), 1))
    low, high = max(step, place.value / 2), place.value * Fraction(3, 2) + step
    value = step * rng.randint(-(-low // step), high // step)
    return value if value > 1 or place.value < 2 else value + step


def _print(value: Fraction, place: _Place) -> str:
    return f"{float(value):.{place.decimals}f}" if place.decimals else f"{int(value):,}" if value >= 10_000 else str(int(value))


def _follow(texts: list[str], sums: list[Sum | None], new: dict[Fraction, Fraction]) -> tuple[list[str], Fraction] | None:
    """The steps with the new numbers; None where a result is of another kind than the old one."""
    steps, value = [], None
    for text, each in zip(texts, sums, strict=True):
        if each is None:
            steps.append(_renumbered(text, new))
            continue
        inside = text[each.start : each.end]
        if inside.count("=") != 1:
            return None  # a chain of several: its middle would have to be rewritten too
        left = inside.partition("=")[0].rstrip()
        left = _renumbered(left, new)
        value = evaluate(_renumbered(each.left, new)).value
        if value is None or not _alike(each.value, value) or (value in new.values() and value not in new):
            return None
        new[each.value] = value
        before, after = _renumbered(text[: each.start], new), _renumbered(text[each.end :], new)
        sign = re.search(r"=\s*([$€£]?)", inside)[1]
        steps.append(f"{before}{left} = {sign}{show(value)}{after}")
    verdicts = checked(steps)
    if len(verdicts) != len(steps):
        return None
    found = [[each.value for each in sums_of(check)] for check in verdicts]
    return (steps, value) if found == [[new[old.value]] if old else [] for old in sums] else None


def _alike(old: Fraction, new: Fraction) -> bool:
    if new <= 0 or (old.denominator == 1) != (new.denominator == 1):
        return False
    return new != 1 and (new * 100).denominator == 1 if old != 1 else True


def _renumbered(text: str, new: dict[Fraction, Fraction]) -> str:
    changes = [(m.start(), m.end(), show(new[v])) for m in _DIGITS.finditer(text) if (v := Fraction(m[0].replace(",", ""))) in new]
    return _replaced(text, changes)


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, words in reversed(changes):
        text = text[:start] + words + text[end:]
    return text
