"""Overlap of rows with the benchmarks' test texts, by word n-grams.

    index = GramIndex([p.question for p in load_source("gsm8k", "test")], n=13)
    index.overlaps("Natalia sold clips to 48 of her friends in April, ...")   # True for a copy
    index.find(the same text)                                                 # which text, or None

13 words is the field's usual measure, 8 the stricter one: whoever shares 13 words in a row shares 8.
A text of fewer than n words, on either side, overlaps when it stands as a whole in the other. Masked
n-grams find the copy with other numbers, and with other names. With numbers and names gone, ten words in a row can
be anybody's ("on num on num and num on num how many"), so those count that have three words that say what the text is
about: of 11,595 retellings of GSM8K test and SVAMP (`pipeline.audit.retold`) this loses 3 to all measures together, and of
GSM8K train's 7,473 problems it spares 32.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.masks import bare, masked_words, told

LEAST_TOLD = 3  # different words in a masked n-gram, or in a masked text shorter than that, without numbers, names and common words
NUMBER = re.compile(r"\$?\d[\d,.]*")


def words(text: str, mask_numbers: bool = False, mask_names: bool = False) -> list[str]:
    """The words in lower case and without accents, masked where asked; `mask_names` masks numbers too."""
    if mask_names:
        return masked_words(text)
    text = bare(text).lower()
    if mask_numbers:
        text = NUMBER.sub(" 0 ", text)
    return re.findall(r"[a-z0-9]+", text)


def grams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words in order; none of a shorter text."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


class GramIndex:
    """All n-grams of some texts, and the texts that are too short to have one. `mask_names` masks numbers too."""

    def __init__(self, texts: Iterable[str], n: int, mask_numbers: bool = False, mask_names: bool = False):
        self.n, self.masks = n, (mask_numbers, mask_names)
        token_lists = [words(text, *self.masks) for text in texts]
        self._grams: dict[tuple[str, ...], int] = {}
        self._short: dict[tuple[str, ...], int] = {}
        for number, tokens in enumerate(token_lists):
            for gram in grams(tokens, n):
                if not mask_names or told(gram) >= LEAST_TOLD:
                    self._grams.setdefault(gram, number)
            if 0 < len(tokens) < n and (not mask_names or told(tokens) >= LEAST_TOLD):
                self._short.setdefault(tuple(tokens), number)
        self._short_lengths = sorted({len(tokens) for tokens in self._short})
        self._text = "\n".join(f" {' '.join(tokens)} " for tokens in token_lists)

    def find(self, text: str) -> int | None:
        """The number of an indexed text that shares n words in a row with `text`, or holds it, or stands in it."""
        tokens = words(text, *self.masks)
        if not tokens:
            return None
        if len(tokens) < self.n and (at := self._text.find(f" {' '.join(tokens)} ")) >= 0:
            return self._text.count("\n", 0, at)
        shared = (self._grams[gram] for gram in grams(tokens, self.n) if gram in self._grams)
        short = (
            self._short[gram] for length in self._short_lengths for gram in grams(tokens, length) if gram in self._short
        )
        found = next(shared, None)
        return next(short, None) if found is None else found

    def overlaps(self, text: str) -> bool:
        return self.find(text) is not None
