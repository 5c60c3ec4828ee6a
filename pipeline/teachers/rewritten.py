"""GSM8K train told again with other numbers and names: its sums are annotated, so the new answers are computed.

    retellings = [retelling for problem in load_source("gsm8k", "train") if (retelling := Retelling.of(problem))]
    retellings[0].write(seed=0, index=3)     # Row(problem="Nadia sold clips to 36 of her friends in March ...", ...)

A number of the question may change when its value can be followed through the solution: no other number has
that value, and nothing makes it mean something else as well ("2" beside "twice", "60" beside "minutes").
Every number of the solution must be one of the question, the result of an annotated sum, or common
knowledge such as the 7 days of a week; a problem with any other number is left as it is. New numbers are of
like size and roundness and stand in the same order, and every sum must come out as whole as it did before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from mathtutor.bank.expressions import compile_expression, whole
from mathtutor.bank.families import load_lexicon
from mathtutor.bank.language import WORDS, show_number
from mathtutor.maths.arithmetic import show
from mathtutor.problem import Problem, Row
from mathtutor.sources import SOURCES, load_source
from pipeline.teachers.gsm8k import tidy

TRIES = 300
SIZE = (Fraction(2, 5), Fraction(11, 5))  # of a new number, measured by the old one
GROWTH = 12  # a result may not become more times larger or smaller
ANNOTATION = re.compile(r"<<([^<>=]*)=([^<>=]*)>>")
# 1,250 or 3.5 or .25, but not a part of 3:30, 3rd, 1/2 or A4
NUMBER = re.compile(r"(?<![\w.,/:])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)(?!\d|\.\d|,\d{3}|[:/]\d|st\b|nd\b|rd\b|th\b)")
IN_SUMS = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)(?!\d|\.\d|,\d{3})")  # of a solution, where "/" divides
FRACTION = re.compile(r"\d+/\d+")
SMALL = {word: number for number, word in enumerate(WORDS) if number > 1}
WORD = re.compile(rf"\b({'|'.join(SMALL)})\b(?!-)", re.IGNORECASE)
# What a value may also mean when the text has such a word: then it stays as it is.
MEANINGS: dict[int, str] = {
    1: r".",
    2: r"half|halv|twice|double|pair|couple|both|two|other|each way|back|twin",
    3: r"third|thrice|triple|three|trio",
    4: r"quarter|fourth|four|square|season|quad",
    5: r"fifth|nickel|weekday|work ?day|school day",
    7: r"week|daily|every day|each day",
    8: r"pint|gallon|ounce|eighth",
    10: r"dime|decade|ten",
    12: r"dozen|year|month|annual|inch|foot|feet|clock|noon",
    16: r"ounce|pound|cup",
    24: r"hour|day",
    25: r"quarter",
    30: r"month|half|day|minute|april|june",
    31: r"month|day|january|march",
    36: r"yard|inch|dozen",
    50: r"half|percent|%|cents",
    52: r"week|year",
    60: r"minute|hour|second",
    90: r"minute|hour|half|degree",
    100: r"%|percent|cent|century|hundred|penn|meter",
    365: r"year|day",
    1000: r"thousand|kilo|gram|lit|meter|\bkm|\bkg",
}
ALWAYS_KNOWN = frozenset({1, 2, 3, 4, 5, 7, 10, 12, 24, 30, 31, 36, 52, 60, 100, 365, 1000})


def _value(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


@dataclass(frozen=True)
class Sum:
    expression: str  # "{v0} / 2", its numbers replaced by the names of their sources where they have one
    result: Fraction


@dataclass(frozen=True)
class Retelling:
    """One problem whose numbers can change. `values` are the numbers of the question that may, by their names."""

    problem: Problem
    lines: tuple[str, ...]  # of the solution, annotations taken out
    values: dict[str, Fraction]
    sums: tuple[Sum, ...]  # in order; the result of the i-th is called "r<i>"

    @classmethod
    def of(cls, problem: Problem) -> Retelling | None:
        """None where a number cannot be followed."""
        solution = problem.gold.split("####")[0].strip()
        question = problem.question
        told = [_value(m[0]) for m in NUMBER.finditer(question)] + [Fraction(SMALL[m[1].lower()]) for m in WORD.finditer(question)]
        fixed = {Fraction(int(n)) for m in FRACTION.finditer(question) for n in m[0].split("/")}
        values = {}
        for value in dict.fromkeys(told):
            means = MEANINGS.get(value.numerator) if value.denominator == 1 else None
            rest = WORD.sub(" ", question).lower()
            if value in fixed or value == 0 or means and re.search(means, rest) or 1900 <= value <= 2100:
                fixed.add(value)
            else:
                values[f"v{len(values)}"] = value
        names = {value: name for name, value in values.items()}
        sums: list[Sum] = []
        for match in ANNOTATION.finditer(solution):
            source, result = match[1].replace(" ", "").replace(",", "").replace("$", ""), match[2].replace(",", "").replace("$", "").strip()
            try:
                value = Fraction(result)
                expression = re.sub(r"\d*\.?\d+", lambda m: _named(Fraction(m[0]), names, fixed), source)
                numbers = {**values, **{f"r{i}": s.result for i, s in enumerate(sums)}}
                if compile_expression(expression, numbers.keys())(numbers) != whole(value):
                    return None
            except (ValueError, ZeroDivisionError, TypeError, _Lost):
                return None
            # A result with the value of another number could not be told from it in the text.
            if value in names or value in fixed and value.numerator not in ALWAYS_KNOWN:
                return None
            names[value] = f"r{len(sums)}"
            sums.append(Sum(expression, value))
        if not sums or not values or sums[-1].result != problem.answer:
            return None
        used = set(re.findall(r"v\d+", " ".join(s.expression for s in sums)))
        for name in set(values) - used:  # needless, or used in a way that is not written down
            fixed.add(values[name])
        values = {name: value for name, value in values.items() if name in used}
        lines = tuple(ANNOTATION.sub("", line).strip() for line in solution.split("\n") if line.strip())
        known = set(values.values()) | {s.result for s in sums} | fixed
        for line in lines:
            for m in IN_SUMS.finditer(line):
                value = _value(m[0])
                if value not in known and not (value.denominator == 1 and value.numerator in ALWAYS_KNOWN):
                    return None
            if re.search(r"\d\s*%|\d/\d", line) and any(v in values.values() for v in map(_value, re.findall(r"\d+(?:\.\d+)?", line)) if v < 1):
                return None
        return cls(problem, lines, values, tuple(sums)) if values else None

    def write(self, seed: int, index: int) -> Row | None:
        """Retelling `index` of the stream `seed`; None when no numbers fit."""
        rng = random.Random(f"{seed}:{self.problem.id}:{index}")
        for _ in range(TRIES):
            new = {name: _like(value, rng) for name, value in self.values.items()}
            results = self._results(new)
            if results is not None and _same_order([*self.values.values()], [*new.values()]):
                break
        else:
            return None
        change = {self.values[name]: value for name, value in new.items()} | {s.result: r for s, r in zip(self.sums, results, strict=True)}
        names = _other_names(self.problem.question, rng)
        question = _renamed(_renumbered(self.problem.question, change), names)
        steps = tuple(tidy(_renamed(_renumbered(line, change, IN_SUMS), names)) for line in self.lines)
        return Row(
            id=f"{self.problem.id.replace('gsm8k-', 'gsm8k-rewritten-')}-{index}",
            problem=question,
            steps=steps,
            answer=show(results[-1]),
            source="gsm8k-rewritten",
        )

    def _results(self, new: dict[str, Fraction]) -> list[Fraction] | None:
        numbers: dict[str, Fraction] = dict(new)
        found = []
        for place, step in enumerate(self.sums):
            try:
                value = Fraction(compile_expression(step.expression, numbers.keys())(numbers))
            except ZeroDivisionError:
                return None
            old = step.result
            if value <= 0 or (100 * value).denominator != 1 or old.denominator == 1 and value.denominator != 1:
                return None
            if not old / GROWTH <= value <= old * GROWTH:
                return None
            numbers[f"r{place}"] = value
            found.append(value)
        return found


class _Lost(Exception):
    """A number of the solution that comes from nowhere."""


def _named(value: Fraction, names: dict[Fraction, str], fixed: set[Fraction]) -> str:
    """The source of a number inside a sum, or the number itself where it is common knowledge."""
    if value in names and value not in fixed:
        return names[value]
    if value in fixed or value.denominator == 1 and value.numerator in ALWAYS_KNOWN or value < 1:
        return str(whole(value)) if value.denominator == 1 else f"({value.numerator}/{value.denominator})"
    raise _Lost


def _like(value: Fraction, rng: random.Random) -> Fraction:
    """A number of like size and roundness."""
    if value < 1 or value.denominator > 100:
        return value
    if value.denominator > 1:  # a price or a measure: keep its smallest part
        return Fraction(rng.randint(int(value * value.denominator * SIZE[0]) or 1, int(value * value.denominator * SIZE[1])), value.denominator)
    number = value.numerator
    unit = next((u for u in (1000, 100, 50, 10, 5) if number % u == 0 and number >= 2 * u and rng.random() < 0.85), 1)
    low, high = max(1, int(number * SIZE[0] / unit)), int(number * SIZE[1] / unit)
    if number <= 12:
        low, high = 2, number + 5
    return Fraction(rng.randint(low, max(low, high)) * unit)


def _same_order(old: list[Fraction], new: list[Fraction]) -> bool:
    ranked = sorted(range(len(old)), key=lambda i: old[i])
    return all(new[a] < new[b] for a, b in zip(ranked, ranked[1:], strict=False))


def _renumbered(text: str, change: dict[Fraction, Fraction], numbers: re.Pattern = NUMBER) -> str:
    """Every number of `text` that has a new value, as it was written: digits, a comma in thousands, a word."""

    def digits(match: re.Match) -> str:
        old = _value(match[0])
        if old not in change:
            return match[0]
        new = show_number(whole(change[old]), comma="," in match[0])
        cents = re.search(r"\.(\d+)$", match[0])
        return f"{float(change[old]):.2f}" if cents and len(cents[1]) == 2 and "." in new else new

    def word(match: re.Match) -> str:
        old = Fraction(SMALL[match[1].lower()])
        if old not in change:
            return match[0]
        new = change[old]
        said = WORDS[new.numerator] if new.denominator == 1 and 1 < new <= 20 else show_number(whole(new))
        return said.capitalize() if match[0][0].isupper() else said

    return WORD.sub(word, numbers.sub(digits, text))


@cache
def _people() -> dict[str, str]:
    """Names that say "she" or "he"."""
    return {p.name: p.gender for p in load_lexicon()["person"] if p.name not in ("Mark", "Will", "Grace", "Robin", "Penny", "Ruby", "Iris", "Rose")}


def _other_names(question: str, rng: random.Random) -> dict[str, str]:
    people = _people()
    there = [w for w in dict.fromkeys(re.findall(r"\b[A-Z][a-z]+\b", question)) if w in people]
    taken = set(re.findall(r"\w+", question))
    names = {}
    for name in there:
        names[name] = rng.choice([n for n, gender in people.items() if gender == people[name] and n not in taken])
        taken.add(names[name])
    return names


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(names)})\b", lambda m: names[m[1]], text) if names else text


def retellings() -> list[Retelling]:
    """Those of GSM8K train that can be told again. Raises ValueError where the data is missing."""
    if not SOURCES["gsm8k", "train"].trainable:
        raise ValueError("gsm8k/train is not marked as trainable: no row may be made of it")
    return [told for problem in load_source("gsm8k", "train") if (told := Retelling.of(problem))]


def write_rows(variants: int, seed: int) -> Iterator[Row]:
    """`variants` retellings of each problem that can be told again; fewer where numbers do not fit."""
    for retelling in retellings():
        for index in range(variants):
            if row := retelling.write(seed, index):
                yield row
