"""Is a problem told in English? By the share of its words that English cannot do without; no model, no dictionary.

    not_english("Ana tiene 3 manzanas y compra 4 más. ¿Cuántas tiene?")      ->  "not_english"
    not_english("asdf qwer 3 zxcv 4 qwer. How many?")                        ->  "letter_salad"

Names, things and units are left to the writer: they say little about the language. Languages that share many short
words with English (Dutch, Scots) may pass; texts of fewer than MIN_WORDS words are not judged by their share.
"""

from __future__ import annotations

import re

MIN_WORDS = 6  # of letters: "Solve 3x + 7 = 22." has no language
COMMON = frozenset(
    "a about after again all also altogether an and another any are as at away back be because been before began but buy buys "
    "by can change cost costs could day days did do does down each end equal equally every far fewer find first for four from "
    "full gave get gets give given gives goes got had half has have he her him his hour hours how if in into is it its just "
    "kept last left less long made make makes many more most much must need needs new no not now number of off old on one only "
    "or other out over paid pay pays per put same second sell sells share she should so sold some spend spent start than that "
    "the their them then there these they this those three time times to together took total twice two under until up use "
    "uses was way week were what when where which while who whole will with would year years you your".split()
)
# With these, what a problem says of quantities and their order, whatever it is about.
OF_FORM = COMMON | frozenset(
    "already am among around average being bigger both calculate difference dozen during either even few fraction greater "
    "hers herself higher himself i inside it's larger later least like longer lower may me might morning my myself neither "
    "next none nor older our percent remaining several shall shorter since smaller still such though through throughout till "
    "toward unless upon us very we well whether who's whom whose why without yet younger".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Neighbouring keys, and four consonants that are a word: no English word of a problem is made so.
_SALAD = re.compile(r"\b(?:\w*(?:asdf|qwer|zxcv|hjkl|sdfg|dfgh)\w*|[bcdfghjklmnpqrstvwxz]{4,})\b")


def common_share(text: str) -> float:
    """The share of the words of `text` that are among COMMON; 1.0 for a text of fewer than MIN_WORDS words."""
    words = _WORD.findall(text.lower())
    return sum(word in COMMON for word in words) / len(words) if len(words) >= MIN_WORDS else 1.0


def not_english(text: str, least: float) -> str | None:
    """Why `text` is no English prose; `least` is the share of common words that it must have."""
    if len(_SALAD.findall(text)) > 1:
        return "letter_salad"
    return "not_english" if common_share(text) < least else None
