"""Wordings of one family that are nearly the same sentence: two that differ in a word teach a reader nothing new.

    alike("{who} has {n:w} pens. How many?", "{who} has {n} pens. How many now?")   # 0.92

The measure is the share of words in common, in order (difflib's ratio): 1 is the same text. A variable counts as one word,
whatever its form; of a choice [a|b] the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import combinations

LIMIT = 0.7  # from here on two wordings tell the same facts in the same order in the same words
_CHOICE = re.compile(r"\[([^\[\]|]*)\|[^\[\]]*\]")
_FORMS = re.compile(r"(?:\{\w+¦[^}]*\} ?)+")  # {n|is|are}, or {i2||twice}{i3||three times}: one of these is printed
_REFERENCE = re.compile(r"\{(\w+)[^}]*\}")
_WORD = re.compile(r"<\w+>|[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|▢")


def words(wording: str) -> list[str]:
    """The words of a wording as the bank's file has it, in small letters; "<n>" for a variable."""
    plain = _FORMS.sub(" <forms> ", _REFERENCE.sub(lambda match: match[0].replace("|", "¦"), wording))
    while (shorter := _CHOICE.sub(r"\1", plain)) != plain:
        plain = shorter
    return _WORD.findall(_REFERENCE.sub(r" <\1> ", plain).lower())


def alike(one: str, other: str) -> float:
    """From 0, no word in common, to 1; the same whichever of the two comes first."""
    return max(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in ((words(one), words(other)), (words(other), words(one))))


def pairs_alike(wordings: Sequence[str], limit: float = LIMIT) -> Iterator[tuple[int, int, float]]:
    """(index, index, likeness) of each two wordings that reach the limit."""
    read = [words(wording) for wording in wordings]
    for (i, one), (j, other) in combinations(enumerate(read), 2):
        matcher = SequenceMatcher(None, one, other, autojunk=False)
        if matcher.quick_ratio() >= limit and (likeness := alike(wordings[i], wordings[j])) >= limit:
            yield i, j, likeness
