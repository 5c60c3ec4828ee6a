"""Rows whose record states no answer: the last number of the solution stands for it, so the solution had better be whole.

    is_cut_off(Unstated("r", "Ana has 3 boxes ...", ("3 * 4 = 12 pens", "So s"), "12"))       ->  True
    is_cut_off(Unstated("r", "Ana has 3 boxes ...", ("3 * 4 = 12 pens are in the boxes.",), "12"))       ->  False

With a stated answer a solution that was cut off is found out, for its last result is another number. Here the last
result is always the answer. So the last sentence must hold it and be whole. A solution that was cut exactly behind a
sentence or a line looks whole, and no rule here finds it: whoever reads the report is told how many rows state nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mathtutor.maths.answers import read_gold
from mathtutor.problem import Row
from pipeline.english import OF_FORM
from pipeline.strays import written_numbers

CUT_OFF = "cut_off_and_no_answer_stated"  # the reason
END = 400  # characters at the end of a step that are looked at
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d\"'“(])")
_IS_CLOSED = re.compile(r"[.!?][\"'”’)\]]*$")
_RESULT_LAST = re.compile(r"= ?-?[\d.,/ ]*\d%?\)?$")
_BEHIND = re.compile(r"= ?-?[\d.,/ ]*\d%?(?![^=]*=)(?P<words>[^=]*)$")
_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
MOST_BEHIND = 6  # words behind the last result of a sentence without a full stop: "= 12 pens in all"
# No sentence ends with one of these.
_HANGING = frozenset(
    "a about after also although an and another are as at be because been before being both but by could did "
    "do does during either every for from gave gets give gives had has have he her his how i if in into is it's its last "
    "like made make makes may might more most must my need needs new no not of on one only onto or other our per same sell "
    "sells shall she should since so sold some spend than that the their then there therefore these they this those through till "
    "to toward twice under unless until up upon use uses very was we were what when where whether which "
    "while who whose why will with without would you your".split()
)
_UNITS = frozenset(
    "apart cent cents cm day days degree degrees dollar dollars feet ft gallons gram grams hour hours inch inches kg kilometers km lb lbs liters "
    "meters mile miles min mins minute minutes month months mph oz ounces overall percent pound pounds remaining second seconds "
    "week weeks yards year years".split()
)


@dataclass(frozen=True)
class Unstated(Row):
    """A row with steps whose record gives its answer nowhere but as the last number of the solution."""


def unstated_line(given: Mapping) -> str:
    """The report's `input` on such rows, as a sentence; "" where there are none, or an older report does not tell."""
    found = given.get("no_answer_stated", {"rows": 0})
    if not found["rows"]:
        return ""
    rows = f"{found['rows']:,} rows state no answer" if found["rows"] > 1 else "1 row states no answer"
    return f"{rows}: the last result was taken; {found['clean']:,} of them passed, and may be wrong where a solution ends too early"


def is_cut_off(row: Row) -> bool:
    """Does the solution stop in the middle of a word or sentence, or without its last result? Asked of `Unstated` rows only."""
    *before, last = (step.strip() for step in row.steps)
    sentence = last[-END:]
    if _IS_CLOSED.search(sentence):
        return not _holds(sentence, row.answer)
    if before and all(_IS_CLOSED.search(step[-END:]) for step in before) and not _RESULT_LAST.search(sentence):
        return True  # the others end with a full stop
    sentence = _SENTENCE_END.split(sentence)[-1]
    if not _holds(sentence, row.answer):
        return True
    if _RESULT_LAST.search(sentence):
        return False
    behind = _BEHIND.search(sentence)
    words = _WORDS.findall(behind["words"] if behind else sentence)
    if not words:
        return not behind
    known = {word.lower() for text in (row.problem, *before, last.rpartition(words[-1])[0]) for word in _WORDS.findall(text)}
    word = words[-1].lower()
    is_word = not {word, word.removesuffix("s")}.isdisjoint(known | OF_FORM | _UNITS)
    return not is_word or word in _HANGING or not behind or len(words) > MOST_BEHIND


def _holds(text: str, answer: str) -> bool:
    value = read_gold(answer)
    return value is not None and abs(value) in written_numbers(text)
