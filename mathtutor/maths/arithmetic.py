"""``evaluate("12/60 * 50")`` is exactly ``Fraction(10)``; ``evaluate("9^9^9")`` is a refusal, at once.

The grammar is what a grade-school worksheet prints, loosest binding first:

    sum      product (("+" | "-") product)*
    product  signed (("*" | "x" | "/" | "÷" ...) signed | "(" ... ")")*      3(4) is 12
    signed   ("+" | "-")* power
    power    percent (("^" | "**") signed)?                                  -2^2 is -4, 2^3^2 is 512
    percent  atom "%"*
    atom     5 | 1,234.5 | .5 | 1e3 | 2 1/2 | ½ | 2½ | "(" sum ")"

Two readings follow the page and not the programming language:
    60 / 3/4      a fraction written tightly after a spaced division is one number: 80
    200 - 15%     a percentage added to or taken from a number is a share of that number: 170
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

MAX_CHARS = 500
MAX_NODES = 200  # numbers and operators
MAX_DEPTH = 32  # open brackets, stacked signs and stacked powers
MAX_DIGITS = 50  # in one written number
MAX_EXPONENT = 64
MAX_BITS = 4096  # of numerator and of denominator, after every single operation


@dataclass(frozen=True)
class Outcome:
    """An exact value, or the reason why there is none; never both, never neither."""

    value: Fraction | None = None
    refusal: str | None = None


class _Refused(Exception):
    pass


VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9",
    "⅒": "1/10",
}  # fmt: skip

_LOOKALIKES = str.maketrans(
    dict.fromkeys("−–‒‐‑﹣－", "-")
    | dict.fromkeys("×✕✖·⋅∙•∗＊", "*")
    | dict.fromkeys("∕⁄／", "/")
    | dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f\u3000\t", " ")
    | {"＋": "+", "％": "%", "＝": "=", "（": "(", "）": ")", "，": ",", "．": ".", "＄": "$", "＾": "^", "٫": ".", "٬": ",", "٪": "%"}
)


def plain(text: str) -> str:
    """The text with lookalike digits, signs and spaces made ASCII; every character keeps its place."""
    if text.isascii():
        return text.replace("\t", " ")
    text = text.translate(_LOOKALIKES)
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(char)) if not char.isascii() and char.isdecimal() else char for char in text
    )


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<mixed>\d{1,60}\s+\d{1,60}/\d{1,60}(?![\d.]))
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?:[ ]\d{3})+(?!\d|/\d)|\d+)(?:\.\d+)?|\.\d+)
      (?P<power>[eE][+-]?\d+(?![\w.]))?
    | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])
    | (?P<op>\*\*|[-+*/÷^%()])
    | (?P<times>[xX](?=\s*[\d.(½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒]))
    | (?P<word>[^\W\d_]+)
    )""",
    re.VERBOSE | re.ASCII,
)
_SIGNS = {"+", "-"}
_PRODUCTS = {"*", "/", "÷"}


def evaluate(expression: str, *, points: bool = False) -> Outcome:
    """The exact value of an expression, or a refusal naming why not; never raises on any text.

    points: read 15% as 15 percentage points and not as 15/100; refused where a percentage meets a plain number
    in a sum, because "200 - 15% = 185" is then simply false.
    """
    if not isinstance(expression, str) or not expression.strip():
        return Outcome(refusal="empty")
    if len(expression) > MAX_CHARS:
        return Outcome(refusal="too long")
    return _evaluated(expression, points)


# A side is asked for by whoever finds claims, by whoever checks them and by several filters; most are plain numbers.
@lru_cache(maxsize=4096)
def _evaluated(expression: str, points: bool) -> Outcome:
    if expression.isascii() and expression.isdigit() and len(expression) <= MAX_DIGITS:
        return Outcome(value=Fraction(int(expression)))
    try:
        return Outcome(value=_Parser(expression, points).result())
    except _Refused as refused:
        return Outcome(refusal=str(refused))


def number(text: str) -> Fraction:
    """The value of one unsigned literal of digits, commas, spaces and a point ("1,234.5")."""
    digits = text.replace(",", "").replace(" ", "")
    if len(digits) - digits.count(".") > MAX_DIGITS:
        raise _Refused("too many digits")
    whole, _, decimals = digits.partition(".")
    return Fraction(int((whole + decimals) or "0"), 10 ** len(decimals))


class _Parser:
    """Values are computed while parsing: (value, True where it is a bare percentage)."""

    def __init__(self, expression: str, points: bool):
        self.points = points
        self.tokens = self.lex(plain(expression.strip()).strip())
        self.at = 0
        self.depth = 0

    @staticmethod
    def lex(text: str) -> list[tuple[str, Fraction | None, bool, bool]]:
        """Tokens (kind, value of a number, space before, space after); kind is "number" or the operator."""
        tokens: list[tuple[str, Fraction | None, bool, bool]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _Refused("unknown symbol")
            kind = match.lastgroup if match.lastgroup != "power" else "number"
            before = text[at].isspace()
            at = match.end()
            after = at < len(text) and text[at].isspace()
            if kind == "word":
                raise _Refused("variable" if len(match["word"]) == 1 else "words")
            if kind == "times":
                if not tokens or not (tokens[-1][1] is not None or tokens[-1][0] in (")", "%")):
                    raise _Refused("variable")
                tokens.append(("*", None, before, after))
            elif kind == "op":
                tokens.append(("^" if match["op"] == "**" else match["op"], None, before, after))
            elif kind == "mixed":
                whole, part = match["mixed"].split(None, 1)
                above, below = (number(side) for side in part.split("/"))
                if above >= below:
                    raise _Refused("two numbers in a row")
                tokens.append(("number", number(whole) + above / below, before, after))
            elif kind == "vulgar":
                above, below = VULGAR[match["vulgar"]].split("/")
                value = Fraction(int(above), int(below))
                if tokens and tokens[-1][1] is not None and tokens[-1][1].denominator == 1:  # 2½
                    value += tokens.pop()[1]
                tokens.append(("number", value, before, after))
            else:
                value = number(match["number"])
                if match["power"]:
                    value *= _power(Fraction(10), Fraction(int(match["power"][1:][:6])))
                tokens.append(("number", value, before, after))
            if len(tokens) > MAX_NODES:
                raise _Refused("too many parts")
        return tokens

    def result(self) -> Fraction:
        value, _ = self.sum()
        if self.at < len(self.tokens):
            kind = self.tokens[self.at][0]
            raise _Refused(
                {"number": "two numbers in a row", ")": "unbalanced brackets"}.get(kind, "incomplete")
            )
        return value

    def peek(self, ahead: int = 0) -> str | None:
        return self.tokens[self.at + ahead][0] if self.at + ahead < len(self.tokens) else None

    def down(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused("too deep")

    def sum(self) -> tuple[Fraction, bool]:
        left, is_percent = self.product()
        while self.peek() in _SIGNS:
            sign = 1 if self.peek() == "+" else -1
            self.at += 1
            right, right_is_percent = self.product()
            if right_is_percent and not is_percent:
                if self.points:
                    raise _Refused("percentage of what")
                right = _bounded(right * left)
            left, is_percent = _bounded(left + sign * right), is_percent and right_is_percent
        return left, is_percent

    def product(self) -> tuple[Fraction, bool]:
        left, is_percent = self.signed()
        while True:
            kind = self.peek()
            if kind == "(":  # 3(4): a bracket straight after a value multiplies
                right, _ = self.signed()
                left, is_percent = _bounded(left * right), False
            elif kind in _PRODUCTS:
                right = self.tight_fraction()
                if right is None:
                    self.at += 1
                    right, _ = self.signed()
                left, is_percent = (_bounded(left * right) if kind == "*" else _divide(left, right)), False
            else:
                return left, is_percent

    def tight_fraction(self) -> Fraction | None:
        """The 3/4 of "60 / 3/4": a spaced division, then a division without any space."""
        if self.at + 3 >= len(self.tokens):
            return None
        (kind, _, before, after), top, (slash, _, gap, gap_after), bottom = self.tokens[self.at : self.at + 4]
        spaced = kind == "÷" or (kind == "/" and (before or after))
        if not spaced or slash != "/" or gap or gap_after or top[1] is None or bottom[1] is None:
            return None
        if self.peek(4) in ("^", "%"):
            return None
        self.at += 4
        return _divide(top[1], bottom[1])

    def signed(self) -> tuple[Fraction, bool]:
        if self.peek() in _SIGNS:
            negative = self.peek() == "-"
            self.at += 1
            self.down()
            value, is_percent = self.signed()
            self.depth -= 1
            return (-value if negative else value), is_percent
        return self.power()

    def power(self) -> tuple[Fraction, bool]:
        base, is_percent = self.percent()
        if self.peek() != "^":
            return base, is_percent
        self.at += 1
        self.down()
        exponent, _ = self.signed()
        self.depth -= 1
        return _power(base, exponent), False

    def percent(self) -> tuple[Fraction, bool]:
        value = self.atom()
        is_percent = False
        while self.peek() == "%":
            self.at += 1
            if not self.points:
                value = _bounded(value / 100)
            is_percent = True
        return value, is_percent

    def atom(self) -> Fraction:
        if self.at >= len(self.tokens):
            raise _Refused("incomplete")
        kind, value, _, _ = self.tokens[self.at]
        self.at += 1
        if value is not None:
            return value
        if kind != "(":
            raise _Refused("unbalanced brackets" if kind == ")" else "incomplete")
        self.down()
        value, _ = self.sum()
        self.depth -= 1
        if self.peek() != ")":
            raise _Refused("two numbers in a row" if self.peek() == "number" else "unbalanced brackets")
        self.at += 1
        return value


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise _Refused("result too large")
    return value


def _divide(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise _Refused("division by zero")
    return _bounded(left / right)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _Refused("fractional power")
    if abs(exponent) > MAX_EXPONENT:
        raise _Refused("exponent too large")
    if base == 0 and exponent <= 0:
        raise _Refused("zero to the power zero" if exponent == 0 else "division by zero")
    # Checked before the power is taken: 4096 bits to the 64th would cost the time that the bound is to save.
    if (
        max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent)
        > MAX_BITS + MAX_EXPONENT
    ):
        raise _Refused("result too large")
    return _bounded(base ** int(exponent))


def show(value: Fraction) -> str:
    """How a worksheet prints it: "5", "-2.5", "1/3". A decimal if it ends within 6 places, else a fraction."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**6
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(scaled.numerator)).rjust(7, "0")
    return f"{'-' if value < 0 else ''}{digits[:-6]}.{digits[-6:].rstrip('0')}"
