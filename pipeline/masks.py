"""What is left of a problem when its numbers and names are taken out: two tellings of one problem look alike.

    masked_words("Ana has $3.50. Then Ben gives her 2 coins.")   ->  ana has num then nam gives her num coins
    skeleton("Ana has $3.50. Then Ben gives her two coins.")     ->  "nam has num nam nam gives they num coins"
    form("Ana has $3.50. Then Ben gives her 2 coins.")           ->  thing has num . then thing gives they num thing .

A name is a capitalised word that does not begin a sentence, for what begins one may be any word: comparing parts of
texts, that is precise enough. A skeleton compares whole texts, so there every capitalised word counts as a name, a
number in words as one in digits, and "he" is "she". The form is what a telling with other objects keeps too: the words of
grammar and quantity, in order, with "thing" for any other word and a full stop for each end of a sentence.

All of them leave accents out, however these are encoded, and read a text of mostly capitals in lower case, for else each of
its words would be a name. Names in lower case cannot be told from other words: they stay, and tellings in
lower case or in capitals have one skeleton only where their people are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from pipeline.english import COMMON, OF_FORM
from pipeline.strays import NUMBER_WORDS

TOKEN = re.compile(r"(\$?\d+(?:[.,:/]\d+)*|\$?\.\d+)|([^\W\d_]+(?:['’][^\W\d_]+)?)|[.?!]")
ACCENTS = re.compile("[\u0300-\u036f]")
MOSTLY = 0.5  # of the letters; in title case, or with many abbreviations, a third are capitals
STORY_WORDS = 6
RELATIONS = frozenset("both couple double half pair twice triple".split())  # what stays though the numbers change
NUMBERS = frozenset(NUMBER_WORDS) - RELATIONS
SCALES = frozenset("hundred thousand million billion".split())
TENS_AND_SCALES = SCALES | frozenset("twenty thirty forty fifty sixty seventy eighty ninety".split())
FORM_WORDS = OF_FORM | RELATIONS
PRONOUNS = frozenset("he she him her his hers himself herself".split())


def bare(text: str) -> str:
    """The text without accents."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def _read(text: str) -> list[tuple[str, str]]:
    """(number, word) in order, one of the two empty; at an end of a sentence both."""
    text = bare(text)
    capitals = sum(map(str.isupper, text))
    is_shouted = capitals > MOSTLY * sum(map(str.isalpha, text))
    return TOKEN.findall(text.lower() if is_shouted else text)


def masked_words(text: str) -> list[str]:
    """The words in lower case, numbers as "num", names as "nam"."""
    words, initial = [], True
    for number, word in _read(text):
        if number:
            words.append("num")
        elif word:
            words.append("nam" if not initial and _is_capitalised(word) else word.lower())
        initial = not number and not word
    return words


def form(text: str) -> list[str]:
    """The words that carry no content, numbers in digits or words as "num", what is left as "thing", ends of sentences as ".".

    "he" is "she", and "her" is "his".
    """
    return ["num" if number else _formal(word.lower()) if word else "." for number, word in _read(text)]


def _formal(word: str) -> str:
    if word in PRONOUNS:
        return "they"
    if word in NUMBERS:
        return "num"
    return word if word in FORM_WORDS else "thing"


def is_story(text: str) -> bool:
    """Whether enough is left without numbers and names to tell one problem from another: of "Compute 7 * 8 - 6." one word."""
    return sum(len(word) > 1 and word not in ("num", "nam") for word in masked_words(text)) >= STORY_WORDS


def told(words: Iterable[str]) -> int:
    """How many different words of a masked text say what it is about: "num on monday and num on nam how many" says monday."""
    return len({word for word in words if len(word) > 1 and word not in ("num", "nam")} - COMMON)


def skeleton(text: str) -> str:
    """The key by which two problems tell the same story with other numbers and people."""
    words, before = [], ""  # the number in words or digits that stands right before
    for number, word in _read(text):
        small = word.lower()
        if number or small in NUMBERS:
            if not before or not (small in SCALES or (small and before in TENS_AND_SCALES)):  # "two hundred ten" is one number
                words.append("num")
            before = number or small
            continue
        before = ""
        if word:
            words.append("they" if small in PRONOUNS else "nam" if _is_capitalised(word) else small)
    return " ".join(words)


def _is_capitalised(word: str) -> bool:
    return len(word) > 1 and word[0].isupper()  # "I" is no name
