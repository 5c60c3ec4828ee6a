"""The little language inside bank texts: "{buyer} has {n} {fruit@n} and [buys|gets] {m:w} more."

`compile_text` turns a text into a tree once; `render` walks it with one instance's values. The
notation is described in `assets/bank/README.md`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
PRONOUNS = {
    "she": {"he": "she", "him": "her", "his": "her"},
    "he": {"he": "he", "him": "him", "his": "his"},
}
NUMBER_SPECS, NOUN_SPECS, PERSON_SPECS = ("", "w", "$", "f"), ("", "p", "a"), ("", "he", "him", "his")


@dataclass(frozen=True)
class Noun:
    singular: str
    plural: str

    @classmethod
    def parse(cls, text: str) -> Noun:
        """From "box/boxes", or from a word whose plural is regular."""
        singular, slash, plural = text.partition("/")
        return cls(singular, plural if slash else _plural(singular))

    def __str__(self) -> str:
        return self.singular


@dataclass(frozen=True)
class Person:
    name: str
    gender: str  # "she" or "he"

    def __str__(self) -> str:
        return self.name


def _plural(noun: str) -> str:
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


def article(word: str) -> str:
    """ "a" or "an", by sound where the spelling misleads."""
    if re.match(r"(hour|honest|heir)", word, re.I):
        return "an"
    if re.match(r"(uni(?!n|m)|use|eu|one\b|ukulele)", word, re.I):
        return "a"
    return "an" if word[:1].lower() in "aeiou" else "a"


def show_number(value: int | Fraction, comma: bool = False) -> str:
    """Digits: "12", "2.5", "-3", and "1,200" with `comma`. Raises ValueError past two decimals."""
    if isinstance(value, int):
        return f"{value:,}" if comma and abs(value) >= 1000 else str(value)
    scaled = Fraction(value) * 100
    if scaled.denominator != 1:
        raise ValueError(f"{value} has more than two decimals")
    sign, cents = ("-" if scaled < 0 else ""), abs(scaled.numerator)
    whole, rest = divmod(cents, 100)
    digits = f"{whole:,}" if comma and whole >= 1000 else str(whole)
    return sign + digits + (f".{rest:02d}".rstrip("0") if rest else "")


def show_money(value: int | Fraction, comma: bool = False) -> str:
    """ "$3", "$2.50", "-$4"."""
    text = show_number(abs(value), comma)
    whole, dot, cents = text.partition(".")
    return ("-" if value < 0 else "") + "$" + whole + (dot + cents.ljust(2, "0") if dot else "")


def show_fraction(value: int | Fraction) -> str:
    """ "3/4", "1 1/2", "-2/3", "5"."""
    whole, rest = divmod(abs(Fraction(value)), 1)
    parts = [str(whole)] * (whole > 0 or not rest) + [str(rest)] * bool(rest)
    return "-" * (value < 0) + " ".join(parts)


def picker(options: Sequence[Any]) -> Callable[..., Any]:
    """A function of rng that draws what rng.choice(options) would, and as much of the stream, in half the time.

    Its further argument, the values drawn so far, is there for those that draw by them. Raises ValueError for no options.
    """
    if not options:
        raise ValueError("a list without an entry: there is nothing to draw")
    count, bits = len(options), len(options).bit_length()

    def pick(rng: random.Random, values: Any = None) -> Any:
        index = rng.getrandbits(bits)
        while index >= count:
            index = rng.getrandbits(bits)
        return options[index]

    return pick


class Rendering:
    """One instance's values and the choices made while its texts are written."""

    def __init__(self, values: dict[str, Any], rng: random.Random, comma: bool):
        self.values, self.rng, self.comma = values, rng, comma
        self._in_words: dict[str, bool] = {}

    def in_words(self, name: str) -> bool:
        """Whether `{name:w}` is written as a word: one choice per instance, so that a text is consistent."""
        if name not in self._in_words:
            self._in_words[name] = self.rng.random() < 0.5
        return self._in_words[name]


Node = Any  # a str, or a function Rendering -> str


def compile_text(text: str, kinds: dict[str, str]) -> list[Node]:
    """The tree of `text`. `kinds` says what each variable is: "number", "noun", "person" or "word".

    Raises ValueError for an unknown variable, a spec that does not fit its kind, an open bracket.
    """
    nodes, position = _parse(text, 0, kinds, "")
    return nodes


def _parse(text: str, position: int, kinds: dict[str, str], stop: str) -> tuple[list[Node], int]:
    nodes: list[Node] = []
    while position < len(text):
        char = text[position]
        if char in stop:
            return nodes, position
        if char == "{":
            end = text.find("}", position)
            if end < 0:
                raise ValueError(f"an open {{ in {text!r}")
            nodes.append(_reference(text[position + 1 : end], text, kinds))
            position = end + 1
        elif char == "[":
            options = []
            while text[position] != "]":
                option, position = _parse(text, position + 1, kinds, "|]")
                if position >= len(text):
                    raise ValueError(f"an open [ in {text!r}")
                options.append(option)
            if len(options) < 2:
                raise ValueError(f"[...] in {text!r} offers no choice: write [one|other]")
            nodes.append(_choice(options))
            position += 1
        else:
            end = position + 1
            while end < len(text) and text[end] not in "{[" + stop:
                end += 1
            nodes.append(text[position:end])
            position = end
    return nodes, position


def _choice(options: Sequence[list[Node]]) -> Node:
    pick = picker(options)
    return lambda rendering: _join(pick(rendering.rng), rendering)


def _join(nodes: list[Node], rendering: Rendering) -> str:
    return "".join(node if isinstance(node, str) else node(rendering) for node in nodes)


def _reference(inside: str, text: str, kinds: dict[str, str]) -> Node:
    def kind_of(name: str, *allowed: str) -> str:
        kind = kinds.get(name)
        if kind is None:
            raise ValueError(f"{{{inside}}} in {text!r}: {name!r} is not defined")
        if allowed and kind not in allowed:
            raise ValueError(f"{{{inside}}} in {text!r}: {name!r} is a {kind}, not a {' or '.join(allowed)}")
        return kind

    if "|" in inside:
        name, *forms = inside.split("|")
        kind_of(name, "number")
        if len(forms) != 2:
            raise ValueError(f"{{{inside}}} in {text!r} needs two forms: {{{name}|one|many}}")
        return lambda r: forms[0] if r.values[name] == 1 else forms[1]
    if "@" in inside:
        name, number = inside.split("@", 1)
        kind_of(name, "noun"), kind_of(number, "number")
        return lambda r: r.values[name].singular if r.values[number] == 1 else r.values[name].plural
    name, _, spec = inside.partition(":")
    kind = kind_of(name)
    specs = {"number": NUMBER_SPECS, "noun": NOUN_SPECS, "person": PERSON_SPECS, "word": ("", "a")}[kind]
    if spec not in specs:
        raise ValueError(f"{{{inside}}} in {text!r}: a {kind} has no form {spec!r}")
    match kind, spec:
        case "number", "$":
            return lambda r: show_money(r.values[name], r.comma)
        case "number", "f":
            return lambda r: show_fraction(r.values[name])
        case "number", "w":
            return lambda r: (
                WORDS[r.values[name]]
                if isinstance(r.values[name], int) and 0 <= r.values[name] <= 20 and r.in_words(name)
                else show_number(r.values[name], r.comma)
            )
        case "number", _:
            return lambda r: show_number(r.values[name], r.comma)
        case "noun", "p":
            return lambda r: r.values[name].plural
        case ("noun" | "word"), "a":
            return lambda r: f"{article(str(r.values[name]))} {r.values[name]}"
        case "person", pronoun if pronoun:
            return lambda r: PRONOUNS[r.values[name].gender][pronoun]
    return lambda r: str(r.values[name])


FIRST_LETTER = re.compile(r"[\"“]?[a-zà-ÿ]")
# A full stop inside a closing quote or bracket ends the sentence too; after "?” and "!)" it may go on: “Why?” asks Ana.
# It begins with the mark, so that Python runs from mark to mark and need not try every letter.
# After a colon and a quote it begins with a word, not with an unknown: a sign says: “Four seats”, the board: “x + y = 60”.
SENTENCE_START = re.compile(r"[.?!:](?:(?<=\.)[\"”)])?\s(?:(?<!:\s)[\"“(]?[a-zà-ÿ]|(?<=:\s)[\"“][a-zà-ÿ](?=[a-zà-ÿ]))")
AMONG_TWO = re.compile(r"\b([Aa])mong (?=(?:two|2) (?!or\b|and\b|to\b))")


def render(nodes: list[Node], rendering: Rendering) -> str:
    """The text with every sentence's first letter raised and single spaces; what is shared among two is shared between them."""
    text = " ".join(_join(nodes, rendering).split())
    if "mong " in text:
        text = AMONG_TWO.sub(lambda match: "Between " if match[1] == "A" else "between ", text)
    if start := FIRST_LETTER.match(text):
        text = start[0].upper() + text[start.end() :]
    return SENTENCE_START.sub(lambda match: match[0].upper(), text)
