r"""The points, or the verdict, in what a judge wrote. What cannot be read is no mark, never a zero.

    read_points("A gap in step 3.\n<points>**6**/7</points>")       # Mark(6)
    read_points("<points>6.5</points>")                             # Mark(None, "6.5 is no whole number")

A mark stands in its tag. Of several tags all must say the same: published graders that take the first or the last
one disagree with their own prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mathtutor.maths.answers import split_thinking

MAX_POINTS = 7
SOLVED = 6  # points from which a proof counts as a solution: the only place that says so
VERDICTS = ("same", "different")
MAX_TAG = 120  # characters

_MARKUP = re.compile(r"[*_`$]|\\\(|\\\)|\\boxed|\\text(?:bf)?|[{}]")
_POINTS = re.compile(
    r"(?:(?:final\s+)?(?:score|points|grade|total|mark)\s*[:=]?\s*)?"
    r"(?P<number>[-\u2212+]?\d{1,6}(?:\.\d{1,6})?)"
    r"\s*(?:(?:points?|pts?)\b)?\s*(?:(?:/|out\s+of)\s*(?P<whole>\d+)\s*(?:points?|pts?)?)?\s*\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mark:
    """`value`: points from 0 to 7, or one of VERDICTS; None where there is none, and `why`."""

    value: int | str | None
    why: str = ""


def read_points(text: str) -> Mark:
    """The points of a judge's reply. Never raises."""
    return _read(text, "points", _one_number)


def read_verdict(text: str) -> Mark:
    """The verdict on two answers. "wrong" or "42" is none: it is not taken for "same" because it is not "different"."""
    return _read(text, "verdict", _one_word)


READERS = {"grade": read_points, "equivalence": read_verdict}


def _read(text: str, tag: str, one) -> Mark:
    _, rest, cut_off = split_thinking(text)
    if cut_off:
        return Mark(None, "the judge's reasoning never closed")
    pieces = re.split(rf"<\s*(/?)\s*{tag}\s*>", rest, flags=re.IGNORECASE)
    signs, between = pieces[1::2], pieces[2::2]
    found = [content for sign, content in zip(signs, between, strict=True) if not sign]
    closed = [i + 1 < len(signs) and signs[i + 1] == "/" for i, sign in enumerate(signs) if not sign]
    if not found:
        return Mark(None, f"no <{tag}> tag")
    # "I will end with <points>N</points>" is the format quoted, and no mark.
    marks = [
        one(content) if is_closed else Mark(None, f"a <{tag}> tag that is not closed")
        for content, is_closed in zip(found, closed, strict=True)
        if not (is_closed and content.strip(" .*") in ("N", "X", "x", "n", ""))
    ]
    if not marks:
        return Mark(None, f"nothing in the <{tag}> tag")
    unread = next((mark for mark in marks if mark.value is None), None)
    if unread:
        return unread
    values = sorted({mark.value for mark in marks})
    return Mark(values[0]) if len(values) == 1 else Mark(None, f"<{tag}> tags that disagree: {' and '.join(map(str, values))}")


def _one_number(content: str) -> Mark:
    if len(content) > MAX_TAG:
        return Mark(None, "more than a number in the <points> tag")
    match = _POINTS.fullmatch(_MARKUP.sub("", content).strip())
    if not match:
        return Mark(None, f"{content.strip()[:40]!r} is not one number")
    if match["whole"] and int(match["whole"]) != MAX_POINTS:
        return Mark(None, f"points out of {match['whole']}")
    number = match["number"].replace("\u2212", "-")
    whole, _, rest = number.partition(".")
    if rest.strip("0"):
        return Mark(None, f"{number} is no whole number")
    points = int(whole)
    return Mark(points) if 0 <= points <= MAX_POINTS else Mark(None, f"{points} lies outside 0 to {MAX_POINTS}")


def _one_word(content: str) -> Mark:
    word = _MARKUP.sub("", content).strip(" \n\t.").lower()
    return Mark(word) if word in VERDICTS else Mark(None, f"{content.strip()[:40]!r} is no verdict")
