"""Overlap of rows with the benchmarks' test texts, by word n-grams.

    index = GramIndex([p.question for p in load_source("gsm8k", "test")], n=13)
    index.overlaps("Natalia sold clips to 48 of her friends in April, ...")   # True for a copy

13 words is the field's usual measure, 8 the stricter one: whoever shares 13 words in a row shares 8.
A text of fewer than n words, on either side, overlaps when it stands as a whole in the other. Masked
8-grams (every number replaced) find the copy with other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NUMBER = re.compile(r"\$?\d[\d,.]*")


def words(text: str, mask_numbers: bool = False) -> list[str]:
    text = text.lower()
    if mask_numbers:
        text = NUMBER.sub(" 0 ", text)
    return re.findall(r"[a-z0-9]+", text)


def grams(tokens: list[str], n: int) -> set[tuple[str, ...]]:
    """All runs of n words; none of a shorter text."""
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


class GramIndex:
    """All n-grams of some texts, and the texts that are too short to have one."""

    def __init__(self, texts: Iterable[str], n: int, mask_numbers: bool = False):
        self.n, self.mask_numbers = n, mask_numbers
        token_lists = [words(text, mask_numbers) for text in texts]
        self._grams = set().union(*(grams(tokens, n) for tokens in token_lists))
        self._short = {tuple(tokens) for tokens in token_lists if 0 < len(tokens) < n}
        self._short_lengths = {len(tokens) for tokens in self._short}
        self._text = "\n".join(f" {' '.join(tokens)} " for tokens in token_lists)

    def overlaps(self, text: str) -> bool:
        """Whether `text` shares n words in a row with an indexed text, or one holds the whole other."""
        tokens = words(text, self.mask_numbers)
        if not tokens:
            return False
        if len(tokens) < self.n and f" {' '.join(tokens)} " in self._text:
            return True
        return not self._grams.isdisjoint(grams(tokens, self.n)) or any(
            not self._short.isdisjoint(grams(tokens, length)) for length in self._short_lengths
        )
