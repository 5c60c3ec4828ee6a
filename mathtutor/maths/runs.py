"""One side of an equation as it was written: "(5 apples * 2" is the run 5 * 2, with apples for a unit.

A run is values and operators in turn, with the words between them kept apart. It knows its own shape (one number, a
sum, a percentage, a side with a variable) and which units it names; `folding` builds runs, `claims` pairs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from mathtutor.maths.tokens import Token


class Part(NamedTuple):
    kind: str  # value, name, op, sign, (, ) or %; a name is a variable, a time of day, or a word for a value
    text: str
    start: int
    end: int


@dataclass
class Run:
    parts: list[Part] = field(default_factory=list)
    lead: list[str] = field(default_factory=list)  # words between the mark before and this run
    units: list[str] = field(default_factory=list)  # words and currency signs inside and after it
    gap: int = 0  # words since the last part
    letters: bool = False  # "5m": metres, or five times m
    of: bool = False  # "1/3 of 60"
    of_thing: bool = False  # "1/3 of the cake"
    cut: bool = False  # perhaps part of more: a bracket that closes elsewhere, or a value straight before it

    def add(self, kind: str, text: str, token: Token) -> None:
        self.parts.append(Part(kind, text, token.start, token.end))
        self.gap = 0

    def doubt(self, word: str, token: Token) -> None:
        """Take a word into the run that changes its value in a way that is not read: it has none from now on."""
        place = sum(part.start < token.start for part in self.parts)
        self.parts.insert(place, Part("name", word, token.start, token.end))

    def wants_value(self) -> bool:
        return not self.parts or self.parts[-1].kind in ("op", "sign", "(")

    def open_brackets(self) -> int:
        return sum((part.kind == "(") - (part.kind == ")") for part in self.parts)

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def end(self) -> int:
        return self.parts[-1].end

    # --- its shape ---

    @property
    def has_operator(self) -> bool:
        return any(part.kind == "op" for part in self.parts)

    @property
    def is_unknown(self) -> bool:
        return any(part.kind == "name" for part in self.parts)

    @property
    def is_bare_name(self) -> bool:
        """x, Total: states nothing that could be false."""
        return len(self.parts) == 1 and self.is_unknown

    @property
    def is_single(self) -> bool:
        """One number: 5, 25%, 1/2."""
        kinds = [part.kind for part in self.parts if part.kind in ("value", "op", "name")]
        return kinds == ["value"] or kinds == ["value", "op", "value"] and self.is_tight_fraction

    @property
    def is_sum(self) -> bool:
        return not any(part.text in ("*", "/", "^") for part in self.parts if part.kind == "op")

    @property
    def is_percent(self) -> bool:
        return self.parts[-1].kind == "%"

    @property
    def is_tight_fraction(self) -> bool:
        """Ends in a fraction written without spaces: 3/5."""
        if len(self.parts) < 3:
            return False
        above, slash, below = self.parts[-3:]
        return (
            above.kind == "value"
            and slash.text == "/"
            and above.end == slash.start
            and slash.end == below.start
        )

    @property
    def is_percentages(self) -> bool:
        """Every value is a percentage: 100% - 30%."""
        following = [*self.parts[1:], None]
        values = [after for part, after in zip(self.parts, following, strict=True) if part.kind == "value"]
        return bool(values) and all(after is not None and after.kind == "%" for after in values)

    # --- its units ---

    @property
    def has_coins(self) -> bool:
        return any(unit.lower() in COINS for unit in self.units)

    @property
    def has_units(self) -> bool:
        return any(unit != "$" for unit in self.units)

    def is_portion(self, value: Fraction) -> bool:
        """1/2 cup, or 1/3 of the cake: an amount of something, not a division."""
        return self.of_thing or (self.is_single and self.has_operator and self.has_units and abs(value) < 1)

    def units_of_a_kind(self, other: Run | None = None) -> bool:
        """Do two units of one kind meet here: hours and minutes, dollars and cents?"""
        names = self.units + (other.units if other else [])
        units = {kind for kind in map(unit_kind, names) if kind is not None}
        return len({kind for kind, _ in units}) < len(units)

    # --- what is left of it as a side ---

    def balance(self) -> None:
        """Cut at a bracket whose other half stands elsewhere: "(48 / 2" is "48 / 2", "24)" is "24"."""
        opened: list[int] = []
        for index, part in enumerate(self.parts):
            if part.kind == "(":
                opened.append(index)
            elif part.kind == ")" and opened:
                opened.pop()
            elif part.kind == ")":
                del self.parts[index:]
                break
        if opened:
            self.cut = self.cut or opened[-1] > 0
            del self.parts[: opened[-1] + 1]

    def trim(self) -> None:
        """Drop an unfinished end: "24 -" and "24 - leaving" are "24", but "24 - x" stays."""
        while self.parts and self.wants_value():
            self.parts.pop()
        while len(self.parts) > 2 and self.parts[-1].kind == "name" and self.parts[-2].text == "-":
            word = self.parts[-1].text
            if len(word) == 1 or not word.islower():
                break
            del self.parts[-2:]

    def expression(self) -> str:
        """Plain arithmetic: operators stand between spaces, and "2 1/2" and "3/4" in brackets beside an operator."""
        pieces: list[str] = []
        for kind, text, *_ in self.parts:
            if kind == "op":
                pieces.append(f" {text} ")
            elif kind == "value" and "/" in text and text[0] != "(" and len(self.parts) > 1:
                pieces.append(f"({text})")
            else:
                pieces.append(text)
        return "".join(pieces)


COINS = set("penny pennies nickel nickels dime dimes quarter quarters".split())


def unit_kind(unit: str) -> tuple[str, str] | None:
    """("length", "foot") for feet: what a unit measures, and which one it is; None for apples."""
    name = unit.lower().lstrip("/").rstrip("s")
    name = _SPELLINGS.get(name, name)
    return (_UNIT_KINDS[name], name) if name in _UNIT_KINDS else None


_SPELLINGS = {
    "inche": "inch", "feet": "foot", "ft": "foot", "yd": "yard", "hr": "hour", "min": "minute", "sec": "second",
}  # fmt: skip
_UNIT_KINDS = {
    name: kind
    for kind, names in {
        "money": "$ cent dollar",
        "time": "second sec minute min hour hr day week month year",
        "length": "inch inche foot feet ft yard yd mile m mm cm km meter metre millimeter millimetre centimeter "
        "centimetre kilometer kilometre",
        "amount": "ounce oz pound lb ton gram g kilogram kg milliliter ml liter litre l cup pint quart gallon",
    }.items()
    for name in names.split()
}
