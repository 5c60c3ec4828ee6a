"""The number that a reply gives as its answer: "<think>...</think> The answer is $1,234." is Fraction(1234).

After the thinking, the last "the answer is" counts, else the last "####", else the last \\boxed{} (two of these that
disagree are refused), else the last bold number, else the last number. That is the reading called robust, ours; the
published ones (strict, synth, q06) are in `readings`. Answers that students type and gold answers are read here too.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from mathtutor.maths.numerals import (
    CALCULATION,
    CUT_OFF,
    EMPTY,
    LONG,
    NO_NUMBER,
    TWO_ANSWERS,
    Answer,
    holds_number,
    read_last_number,
    read_number,
    read_words,
)
from mathtutor.maths.readings import PUBLISHED, agrees_as_float, read_published

READINGS = ("robust", *PUBLISHED)
TAIL_CHARS = 4000  # an answer is stated at the end: no more than this is ever searched
MAX_STATEMENTS = 12  # and of the statements in it, no more than the last ones
MAX_BARE = 500  # characters of an answer without a reply around it: typed, or gold


@dataclass(frozen=True)
class Score:
    correct: bool
    answer: Answer
    gold: Fraction | None


# --- what the rest of the project calls ---------------------------------------------------------------------


def read_answer(reply: str, reading: str = "robust") -> Answer:
    """The answer that a reply gives, under one of READINGS. Raises for an unknown reading only."""
    if reading not in READINGS:
        raise ValueError(f"unknown reading {reading!r}: choose one of {', '.join(READINGS)}")
    return _robust(reply) if reading == "robust" else read_published(reply, reading)


def read_typed(text: str) -> Answer:
    """The number that a student typed: "$5", "3 1/2", "five", "5 apples", "1,234.5", "50%", "2:30" (2 1/2).

    rule is "typed", or "time" for hours and minutes. A percent sign stays in Answer.text: whether 50% means 50
    (its value here) or 0.5 depends on the question. Two different numbers, a range and a calculation are refused,
    never guessed at.
    """
    if not text.strip():
        return Answer(None, "none", refusal=EMPTY)
    if len(text) > MAX_BARE:
        return Answer(None, "none", refusal=LONG)
    text = text.strip().rstrip(".!")
    _, equals, result = text.rpartition("=")
    if equals and holds_number(result):  # x = 5
        text = result
    if "√" in text or "sqrt" in text:
        return Answer(None, "typed", text=text[:80], refusal=CALCULATION)
    answer = read_number(text, "typed", alone=True) or read_words(text, "typed")
    return answer or Answer(None, "none", text=text[:80], refusal=NO_NUMBER)


def read_gold(text: str | int | float | Fraction) -> Fraction | None:
    """The gold answer of a row: a GSM8K rationale ("... #### 1,234"), or one bare number; None if unreadable."""
    if isinstance(text, (int, Fraction)):
        return Fraction(text)
    if isinstance(text, float):
        return Fraction(repr(text)) if math.isfinite(text) else None
    text = text.rpartition("####")[2][:MAX_BARE].strip()
    answer = read_number(text, "gold", alone=True) or read_words(text, "gold")
    return answer.value if answer else None


def same_answer(a: Answer | Fraction | int | None, b: Answer | Fraction | int | None) -> bool:
    """Exact equality of rationals; an answer that is missing equals nothing, not even another missing one."""
    a, b = (side.value if isinstance(side, Answer) else side for side in (a, b))
    return a is not None and b is not None and Fraction(a) == Fraction(b)


def is_correct(reply: str, gold: str | int | float | Fraction, reading: str = "robust") -> Score:
    """Score a reply against a gold answer.

    robust and strict compare exact rationals ("#### 18.00" is 18, which OpenAI's comparison of texts would
    refuse); synth and q06 compare floats to within 1e-4, as their authors do.
    """
    answer = read_answer(reply, reading)
    value = read_gold(gold)
    exact = reading in ("robust", "strict")
    correct = same_answer(answer, value) if exact else agrees_as_float(answer, gold, value)
    return Score(correct, answer, value)


# --- the parts of a reply -----------------------------------------------------------------------------------

_STATEMENT_LINE = re.compile(
    r"[\s*_#>-]*(?:####|(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+)?(?:final\s+)?answer\b)", re.I
)


_TAGS = re.compile("(<think>|</think>)")


def split_thinking(reply: str) -> tuple[str, str, bool]:
    """(thinking, rest, cut_off) of a whole reply, by the rule of chat.split_reply, which also knows growing text.

    Thinking is what has <think> before it or </think> after it (a prompt may have opened the first block, and some
    models think twice); the blocks are joined by line breaks. The rest follows the last </think>.
    """
    pieces = _TAGS.split(reply)
    texts, tags = pieces[::2], pieces[1::2]
    if not tags:
        return "", reply, False
    cut_off = tags[-1] == "<think>"
    blocks = [
        text.strip("\n")
        for text, before, after in zip(texts, ["", *tags], [*tags, ""], strict=True)
        if (before == "<think>" or after == "</think>") and text.strip()
    ]
    return "\n".join(blocks), "" if cut_off else texts[-1], cut_off


def states_answer(line: str) -> bool:
    """Is this line the statement of the answer ("The answer is 5.", "#### 5") and not a step?"""
    return _STATEMENT_LINE.match(line) is not None


# --- robust -------------------------------------------------------------------------------------------------

_STATED = re.compile(
    r"\banswer\b(?:[^.\d\n:=]{0,40}?|[ ](?:for|to|of|in|after)[ ][^.\n:=]{0,40}?)"
    r"(?:\b(?:is|(?:would|should|will|must) be|equals|(?:comes?|came)(?: out)? to)\b|:|=)[\s*_:]{0,10}",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]{0,300}")
_SENTENCE = re.compile(r".*?[.!?]+(?=[\s*]|$)")
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_HEADING = re.compile(r"[\s*_]*(?:step|question|problem|part)\s*#?\d{1,3}\b[\s*_]*[:.)-]?", re.IGNORECASE)


def _robust(reply: str) -> Answer:
    _, rest, cut_off = split_thinking(reply)
    if cut_off:
        return Answer(None, "none", cut_off=True, refusal=CUT_OFF)
    tail = rest[-TAIL_CHARS:].strip().removesuffix("<|im_end|>")
    if not tail.strip():
        return Answer(None, "none", refusal=EMPTY)
    marked = [answer for find in (_stated, _hashes, _boxed) if (answer := find(tail)) is not None]
    read = [answer for answer in marked if answer.value is not None]
    if len({answer.value for answer in read}) > 1:  # "The answer is 5." and then "#### 6"
        return Answer(
            None, read[0].rule, text=" / ".join(answer.text for answer in read), refusal=TWO_ANSWERS
        )
    if marked:
        return (read or marked)[0]
    return _bold(tail) or read_last_number(tail, "last number") or Answer(None, "none", refusal=NO_NUMBER)


def _stated(tail: str) -> Answer | None:
    for match in list(_STATED.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        line = _LINE.match(tail, match.end()).group()
        if line.lower().startswith("not "):
            continue
        sentence = _SENTENCE.match(line)
        for text in (sentence.group() if sentence else line, line):
            answer = read_number(text, "answer is") or read_words(text, "answer is")
            if answer is not None:
                return answer
    return None


def _hashes(tail: str) -> Answer | None:
    pieces = [piece for piece in tail.split("####")[1:] if piece.strip()]
    for line in pieces[-1].strip().split("\n", 8)[:8] if pieces else ():
        answer = read_number(_HEADING.sub("", line[:300], count=1), "####")
        if answer is not None:
            return answer
    return None


def _boxed(tail: str) -> Answer | None:
    start = tail.rfind("\\boxed{")
    if start < 0:
        return None
    start = end = start + len("\\boxed{")
    depth = 1
    while end < len(tail) and depth:
        depth += (tail[end] == "{") - (tail[end] == "}")
        end += 1
    return read_number(tail[start : end if depth else end - 1], "boxed")


def _bold(tail: str) -> Answer | None:
    for match in list(_BOLD.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        if _HEADING.match(match[1]) or match[1].rstrip().endswith(":"):
            continue
        answer = read_number(match[1], "bold")
        if answer is not None:
            return answer
    return None
