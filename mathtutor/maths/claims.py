"""The equations that stand in a sentence: "5 apples * $2 = $10, so 10 / 4 = 2.5" claims 5 * 2 = 10 and 10 / 4 = 2.5.

A claim is one adjacent pair of a chain: "a = b = c" makes two. Its sides are rewritten as plain arithmetic
("5 * 2"), units and currency signs dropped, so `arithmetic.evaluate` can read them; a side with a variable keeps its
own words ("3x", "2 dozen + 5"). A bare name ("x = 12 / 4", "Total = 5 + 3") states no equation that could be false, so that pair
is no claim at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from mathtutor.maths.arithmetic import evaluate, plain
from mathtutor.maths.folding import MAX_GAP, fold
from mathtutor.maths.markup import without_markup
from mathtutor.maths.runs import Run
from mathtutor.maths.tokens import Token, tokenize

MAX_TEXT = 10_000  # characters of one line that find_claims reads


@dataclass(frozen=True)
class Claim:
    """One side equals the next: the pair, and where it stands in the step text (start, end) in characters."""

    left: str
    right: str
    start: int
    end: int
    rounding: str = ""  # one of ROUNDINGS: the words beside the right side allow it
    remainder: str = ""  # "10 / 3 = 3 R1" has the right side 3 and the remainder 1
    loose: bool = False  # a mismatch would prove nothing: cents and dollars, "3m", "3 weeks = 3 * 7 days"


# How far a side may be from the exact value, from the words that stand beside it.
ABOUT = "about"  # about, approximately, rounded to, ≈: trailing zeros too (2468 / 2 = about 1200)
NEAR = "near"  # almost, nearly, around: one of the two whole numbers beside it
WHOLE = "whole"  # 2 full boxes, 2 with some left over: the same, but of a division only
DOTS = "dots"  # 0.666...: cut off, not rounded
ELSEWHERE = "elsewhere"  # the sentence speaks of rounding, but not here: such a mismatch proves nothing
ROUNDINGS = ("", ABOUT, NEAR, WHOLE, DOTS, ELSEWHERE)

_NOTE = re.compile(r"<<([^<>\n]{0,200})>>")


def find_claims(text: str) -> list[Claim]:
    """Every pair of sides with an equals sign between them, in order of appearance; [] for text without one.

    A GSM8K annotation (<<48/2=24>>) is read where the sentence around it does not already say the same. No more than
    MAX_TEXT characters are read.
    """
    text = text[:MAX_TEXT]
    return list(_found(text)) if "=" in text or "≈" in text else []


# The judge and several filters ask for the same step, one after another; what the first of them found serves all.
@lru_cache(maxsize=256)
def _found(text: str) -> tuple[Claim, ...]:
    bare, origin = without_markup(text)
    claims = list(_claims(bare))
    if origin is not None:
        claims = [
            replace(claim, start=origin[claim.start], end=origin[claim.end - 1] + 1) for claim in claims
        ]
    said = {(claim.left, claim.right) for claim in claims}
    for note in _NOTE.finditer(text):
        shift = note.start(1)
        claims += [
            replace(claim, start=claim.start + shift, end=claim.end + shift)
            for claim in _claims(plain(note[1]))
            if (claim.left, claim.right) not in said
        ]
    return tuple(sorted(claims, key=lambda claim: claim.start))


# --- pairs of sides -----------------------------------------------------------------------------------------

_HINTS = set(
    "about approximately approx roughly rounded to around nearly almost only just exactly a total of usd rs".split()
)
_ABOUT = re.compile(r"[≈≅~]|\b(?:about|approx\w*|roughly|rounded to)\b", re.IGNORECASE)
_NEAR = re.compile(r"\b(?:around|nearly|almost)\b", re.IGNORECASE)
_WORDS = r"(?:[ ]?[^\W\d_]++){0,3}?"  # the unit and a little more
_ROUNDED = re.compile(
    rf"[ ]?%?{_WORDS}[ ]?[,(–-]?[ ]?(?:(?:when|which|if|is|was|and|after|to|the)[ ]){{0,3}}"
    r"(?:round(?:ed|ing)|rounds?[ ](?:up|down|to)|nearest|(?:approx\w*|roughly)(?=[ ]?(?:[.,;)]|$)))\b",
    re.IGNORECASE,
)
_CUT = re.compile(
    rf"[ ]?(?:full|whole|complete)\b|{_WORDS},?[ ]?\b(?:left[ -]?over|remain(?:s|ing|der)?)\b", re.IGNORECASE
)
_SPEAKS_OF_ROUNDING = re.compile(r"\bround(?:s|ed|ing)?\b|\bnearest\b|\bestimat\w+", re.IGNORECASE)
_END_OF_SENTENCE = re.compile(r"[.!?;]\s|\n")
_SENTENCE = 200  # characters of a sentence before and after a claim that are read
_REMAINDER = re.compile(
    rf"[ ]?R[ ]?(?P<r>\d{{1,9}})(?![\w.]*\d)"
    rf"|{_WORDS},?[ ](?:and[ ]|with[ ])?(?:a[ ])?(?:remainder|rem\.?)[ ](?:of[ ]|is[ ])?(?P<named>\d{{1,9}})(?!\.?\d)"
    r"|(?:[ ]?[^\W\d_]++){0,5}?,?[ ](?:and|with)[ ](?P<left>\d{1,9})(?:[ ][^\W\d_]++){0,2}?"
    r"[ ](?:left|over|remain(?:s|ing)?)\b",
    re.IGNORECASE,
)


def _rounding(text: str, left: Run, right: Run) -> str:
    """Which of ROUNDINGS the words beside the right side allow."""
    before, behind = text[left.end : right.start], text[right.end : right.end + 80]
    if _ABOUT.search(before) or _ROUNDED.match(behind):
        return ABOUT
    if _NEAR.search(before):
        return NEAR
    if "…" in text[right.start : right.end] or ".." in text[right.start : right.end]:
        return DOTS
    if _CUT.match(behind):
        return WHOLE
    begin = max(0, left.start - _SENTENCE)
    for mark in _END_OF_SENTENCE.finditer(text, begin, left.start):
        begin = mark.end()
    mark = _END_OF_SENTENCE.search(text, right.end, right.end + _SENTENCE)
    end = mark.start() if mark else right.end + _SENTENCE
    return ELSEWHERE if _SPEAKS_OF_ROUNDING.search(text, begin, end) else ""


def _remainder(text: str, claim: Claim) -> str:
    """The 1 of "10 / 3 = 3 R1", and of "10 / 3 = 3 with 1 left over" where the division does not go even."""
    match = _REMAINDER.match(text, claim.end)
    if match is None or not claim.right.isdigit():
        return ""
    if (
        match["left"] and evaluate(claim.left).value == evaluate(claim.right).value
    ):  # 8 / 4 = 2 each, and 3 left
        return ""
    return match["r"] or match["named"] or match["left"]


def _sides(tokens: list[Token]) -> Iterator[tuple[Run, Run]]:
    """The run on either side of each equals sign that has both."""
    first = 0
    before_sign: Run | None = None
    for index in range(len(tokens) + 1):
        kind = tokens[index].kind if index < len(tokens) else "stop"
        if kind not in ("=", "stop"):
            continue
        after_sign = first > 0 and tokens[first - 1].kind == "="
        runs = fold(tokens, first, index) if after_sign or kind == "=" else []
        if before_sign is not None and runs:
            yield before_sign, runs[0]
        before_sign = None
        if kind == "=" and runs and not runs[-1].wants_value() and runs[-1].gap <= MAX_GAP:
            before_sign = runs[-1]
        first = index + 1


def _claims(text: str) -> Iterator[Claim]:
    for left, right in _sides(tokenize(text)):
        # In a chain one run is the right side of a pair and the left of the next: cut copies of it.
        left, right = replace(left, parts=list(left.parts)), replace(right, parts=list(right.parts))
        if not all(word.lower() in _HINTS for word in right.lead):  # "= the price, which was 5"
            continue
        right.trim()
        left.balance()
        right.balance()
        if not left.parts or not right.parts or left.is_bare_name or right.is_bare_name:
            continue
        claim = Claim(
            left=text[left.start : left.end] if left.is_unknown else left.expression(),
            right=text[right.start : right.end] if right.is_unknown else right.expression(),
            start=left.start,
            end=right.end,
        )
        claim = replace(claim, remainder=_remainder(text, claim))
        yield _settle_mismatch(claim, left, right, text)


# --- what else a mismatch could mean ------------------------------------------------------------------------

_SCALE = re.compile(r"\b(?:hundred|thousand|million|billion|dozen)s?\b", re.IGNORECASE)
_SCALES = (12, 100, 1000, 10**6, 10**9)
_COINS_WORTH = (4, 5, 10, 20, 25)  # cents, and coins to the dollar; 3 quarters may also be 3/4
_FACTORS = {
    3, 4, 7, 8, 10, 12, 16, 24, 28, 30, 36, 52, 60, 100, 365, 1000, 3600, 5280, 10000,
}  # fmt: skip  # from one unit to another


def _settle_mismatch(claim: Claim, left: Run, right: Run, text: str) -> Claim:
    """The claim as it is where its sides agree or cannot be read; else what its words allow it to be."""
    value, other = evaluate(claim.left).value, evaluate(claim.right).value
    if value is None or other is None or value == other:
        return claim
    # "5 * 60 = 300 + 58 = 358" runs on: the first equals sign speaks of 300 only.
    if right.has_operator and not right.is_tight_fraction and right.parts[0].kind == "value":
        first = Run(parts=right.parts[:1])
        if evaluate(first.expression()).value == value:
            return replace(claim, right=first.expression(), end=first.end)
    loose = (
        _names_a_thing(left, right)
        or _may_be_misread(left, right)
        or left.is_portion(value)
        or _is_conversion(value, other, left, right, text)
    )
    return replace(claim, loose=loose, rounding=_rounding(text, left, right))


def _names_a_thing(left: Run, right: Run) -> bool:
    """ "3 weeks = 3 * 7 days" and "the cost of 3 apples = 5 * 3" do not say that 3 is 21, or 15."""
    return left.is_single and right.has_operator and (bool(left.lead) or left.has_units or left.is_percent)


def _may_be_misread(left: Run, right: Run) -> bool:
    """Is a side perhaps not what was meant: 5m, 2:30, a product without a sign, "1/3 of 60 + 5"?"""
    return (
        left.is_unknown
        or right.is_unknown
        or left.letters
        or right.letters
        or left.cut
        or right.of
        or (left.of and any(part.text in ("+", "-") for part in left.parts))
    )


def _is_conversion(value: Fraction, other: Fraction, left: Run, right: Run, text: str) -> bool:
    """Could other units explain the mismatch: $1 / 2 = 50 cents, 5 * 3 = 15,000 (thousand dollars)?"""
    if value == 0 or other == 0:
        return False
    ratio = max(value / other, other / value)
    if ratio in _SCALES and _SCALE.search(text):
        return True
    if (left.has_coins or right.has_coins) and ratio in _COINS_WORTH:
        return True
    return left.units_of_a_kind(right) and (ratio in _FACTORS or left.is_sum)
