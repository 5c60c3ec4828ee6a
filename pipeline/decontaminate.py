"""Overlap of rows with the benchmarks' test texts, by word n-grams.

    index = GramIndex([p.question for p in load_source("gsm8k", "test")], n=13)
    index.overlaps("Natalia sold clips to 48 of her friends in April, ...")   # True for a copy

13 words is the field's usual measure, 8 the stricter one. A text shorter than n words is one gram of
its own, so that short problems are compared too. Masked 8-grams (every number replaced) find the
copy with other numbers.
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


def grams(text: str, n: int, mask_numbers: bool = False) -> set[tuple[str, ...]]:
    tokens = words(text, mask_numbers)
    return {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))} if tokens else set()


class GramIndex:
    """All n-grams of some texts."""

    def __init__(self, texts: Iterable[str], n: int, mask_numbers: bool = False):
        self.n, self.mask_numbers = n, mask_numbers
        self._grams = set().union(*(grams(text, n, mask_numbers) for text in texts))

    def overlaps(self, text: str) -> bool:
        """Whether `text` shares an n-gram with the indexed texts."""
        return not self._grams.isdisjoint(grams(text, self.n, self.mask_numbers))
