"""What published scorers read in a reply, mistakes and all: "The answer is 3/4." is 3 on the Synth model cards.

    strict   the benchmark's own: "#### " and a plain number
    synth    the extractor printed on the Synth model cards, floats and crashes included
    q06      the scorer of the Qwen3-0.6B experiments: the last number after the last "####"

They are kept exactly, so that published figures can be checked; nothing else should read answers with them.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from mathtutor.maths.refusals import DIGITS, NO_NUMBER, NOT_FINITE, SEPARATORS, Answer

_MAX_FLOAT_TEXT = 400  # a longer text is infinite, or zero, as a float; as a Fraction it would be slow
_CLOSE = 1e-4

_STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
_SYNTH_STATED = re.compile(r"answer\s*(?:is|:)\s*([-\d,]+\.?\d*)", re.IGNORECASE)
# Their fallback, [-\d,]+\.?\d+, takes quadratic time on a row of commas. These two find the same matches in
# linear time: a run of digits, commas and dashes with its decimals, and the part of such a run that ends in a digit.
_SYNTH_RUN = re.compile(r"([-\d,]+)(\.\d+)?")
_SYNTH_DIGITS = re.compile(r"[-\d,]+\d")
_Q06 = re.compile(r"[-+]?\d{1,3}(?:,\d{3})*(?:\.\d*|\d*)|\.\d+")


def _strict_text(reply: str) -> str | None:
    match = _STRICT.search(reply)
    return match[1].replace(",", "") if match else None


def _synth_text(reply: str) -> str | None:
    stated = _SYNTH_STATED.search(reply)
    if stated:
        return stated[1].replace(",", "")
    found = None
    for run in _SYNTH_RUN.finditer(reply):
        if run[2]:
            found = run.group()
        elif digits := _SYNTH_DIGITS.match(run[1].rstrip("-,")):
            found = digits.group()
    return found.replace(",", "") if found is not None else None


def _q06_text(reply: str) -> str | None:
    found = _Q06.findall(reply.rpartition("####")[2].strip())
    return found[-1].replace(",", "") if found else None


_TEXTS = {"strict": _strict_text, "synth": _synth_text, "q06": _q06_text}
PUBLISHED = tuple(_TEXTS)


def read_published(reply: str, reading: str) -> Answer:
    """The answer under one of PUBLISHED."""
    text = _TEXTS[reading](reply)
    if text is None:
        return Answer(None, reading, refusal=NO_NUMBER)
    try:
        number = float(text)
    except ValueError:
        # The cards' function raises here; OpenAI's compares text and never converts it.
        return Answer(None, reading, text=text, refusal=SEPARATORS, crashed=reading == "synth")
    if not math.isfinite(number) or len(text) > _MAX_FLOAT_TEXT:
        return Answer(None, reading, text=text, refusal=NOT_FINITE if not math.isfinite(number) else DIGITS)
    return Answer(Fraction(text), reading, text=text)


def agrees_as_float(answer: Answer, gold: str | int | float | Fraction, value: Fraction | None) -> bool:
    """Do synth and q06 call this answer right? Floats, to within 1e-4; value is the gold answer as we read it.

    q06 reads the gold text as it reads the reply.
    """
    wanted = _q06_text(str(gold)) if answer.rule == "q06" else value
    if not answer.text or answer.crashed or wanted is None:
        return False
    return abs(float(answer.text) - float(wanted)) < _CLOSE
