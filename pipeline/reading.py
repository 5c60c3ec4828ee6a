"""Who can read a text: its reading grade, and words that do not belong in a child's problem."""

from __future__ import annotations

import re
from functools import lru_cache

# Whole words; a family that needs one in a harmless sense should say it in another way.
UNSAFE = re.compile(
    r"\b(beers?|wines?|whisk(?:e?y|ies)|alcohol\w*|drunk|cigar\w*|tobacco|smok(?:es|ing|ed)|guns?|rifles?|pistols?|bullets?|"
    r"bombs?|weapons?|kill\w*|murder\w*|blood\w*|corpses?|dead|die[ds]?|death|drugs?|casinos?|gambl\w+|lotter(?:y|ies)|poker|"
    r"bets?|betting|stupid|ugly|idiots?|fat|hate[ds]?|sexy?|naked|hell|damn|wars?)\b",
    re.IGNORECASE,
)
# "3.7 children": people and animals come whole.
PARTS_OF_SOMEONE = re.compile(
    r"\d+\.\d+ (?:\w+ )?(?:child|person|student|pupil|girl|boy|friend|guest|kid|adult|player|teacher|cat|dog|hen|cow|horse|bird|people)"
    r"(?:s|ren)?\b"
)


@lru_cache(maxsize=10_000)  # problems are told in few different words
def num_syllables(word: str) -> int:
    """Groups of vowels, a silent e aside: right for most English words, close for the rest."""
    word = word.lower()
    if len(word) > 3 and word.endswith("e") and not word.endswith("le"):
        word = word[:-1]
    return max(1, len(re.findall(r"[aeiouy]+", word)))


def reading_grade(text: str) -> float:
    """The Flesch-Kincaid grade (Kincaid et al., 1975); a number counts as a word of one syllable."""
    words = re.findall(r"[A-Za-z']+|\d[\d.,]*", text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.?!](?:\s|$)", text)))
    syllables = sum(num_syllables(word) if word[0].isalpha() else 1 for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
