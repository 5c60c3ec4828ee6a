"""The most similar of some known texts, whatever the numbers and names: seeds and test problems are looked up here.

    index = NearestText(["Ana has 3 red apples and buys 4 more. How many has she?"], threshold=0.6)
    index.find(["Ben has 17 red apples and buys 25 more. How many has he?", "A pie."])     ->  [0, None]

Similarity is the cosine of TF-IDF vectors over the single words and pairs of words of the masked text
(`pipeline.masks`; words of one letter are left out) or, with `terms=runs_of_form`, over four words in a row of
its form, which other objects leave as it is; with weights

    (times in the text) * (ln((1 + known texts) / (1 + known texts with the term)) + 1), scaled to length 1

that depend on the known texts alone: so a text's neighbour does not depend on the other texts judged. A
term that no known text has counts in the length. Weights are rounded to multiples of 2**-26, which makes
sums of their products exact in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.masks import form, masked_words

GRID = 2.0**26
COMMON_SHARE = 0.85  # below 1; only moves work between the index and the full comparison, never a result
LEAST_FORM = 20  # words and ends of sentences
MOST_THINGS = 0.65  # of them; GSM8K, SVAMP and the bank have up to 0.59, five other languages 0.71 and more
BLOCK = 256  # texts looked up together


def terms(text: str) -> Counter[str]:
    words = [word for word in masked_words(text) if len(word) > 1]
    return Counter(words) + Counter(map(" ".join, zip(words, words[1:], strict=False)))


def runs_of_form(text: str, least: int = LEAST_FORM) -> Counter[str]:
    """None of a text of fewer than `least` words: its form is anybody's ("A rectangle is 9 cm long and 4 cm wide. What is
    its perimeter?"). Nor of one in another language or all in formulas, in which hardly a word is of English grammar.
    """
    words = form(text)
    if len(words) < least or words.count("thing") > MOST_THINGS * len(words):
        return Counter()
    return Counter(map(" ".join, zip(words, words[1:], words[2:], words[3:], strict=False)))


class NearestText:
    """Known texts behind an inverted index of their rare terms; the common rest cannot reach the threshold alone."""

    def __init__(self, texts: Sequence[str], threshold: float, terms: Callable[[str], Counter[str]] = terms):
        if not 0 < threshold <= 1:
            raise ValueError(f"the threshold is a cosine above 0 and up to 1, not {threshold}")
        self.threshold, self._terms = threshold, terms
        counts = [terms(text) for text in texts]
        self.num_texts = len(counts)
        texts_with = Counter(term for count in counts for term in count)
        # Term 0 is the commonest: those of a text in ascending order are the common ones first.
        ranked = sorted(texts_with, key=lambda term: (-texts_with[term], term))
        self.term_ids = {term: number for number, term in enumerate(ranked)}
        self.idf = [math.log((1 + self.num_texts) / (1 + texts_with[term])) + 1 for term in ranked]
        self.unknown_idf = math.log(1 + self.num_texts) + 1

        vectors = [self._vector(count) for count in counts]
        starts = np.cumsum([0, *(len(ids) for ids, _ in vectors)])
        self.starts = starts
        self.ids = np.concatenate([ids for ids, _ in vectors]) if vectors else np.zeros(0, np.int64)
        self.weights = np.concatenate([weights for _, weights in vectors]) if vectors else np.zeros(0)
        text_of = np.repeat(np.arange(self.num_texts), np.diff(starts))
        squares = np.cumsum(self.weights**2)
        before = np.concatenate([[0.0], squares])[starts[:-1]]
        is_common = squares - before[text_of] < (COMMON_SHARE * threshold) ** 2
        self.common_length = np.sqrt(np.bincount(text_of[is_common], self.weights[is_common] ** 2, minlength=self.num_texts))
        rare = np.flatnonzero(~is_common)
        rare = rare[np.argsort(self.ids[rare], kind="stable")]
        self.index_texts, self.index_weights = text_of[rare], self.weights[rare]
        self.index_starts = np.searchsorted(self.ids[rare], np.arange(len(ranked) + 1))

    def _vector(self, count: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
        """(ids ascending, weights) of the known terms of a text, scaled by the length of all its terms."""
        known, total = [], 0.0
        for term, times in count.items():
            number = self.term_ids.get(term)
            weight = times * (self.unknown_idf if number is None else self.idf[number])
            total += weight * weight
            if number is not None:
                known.append((number, weight))
        known.sort()
        ids = np.array([number for number, _ in known], dtype=np.int64)
        weights = np.array([weight for _, weight in known]) / math.sqrt(total or 1.0)
        return ids, np.rint(weights * GRID) / GRID

    def find(self, texts: Sequence[str]) -> list[int | None]:
        """For each text the number of the nearest known text where their cosine reaches the threshold, else None."""
        if not self.num_texts:
            return [None] * len(texts)
        found: list[int | None] = []
        for first in range(0, len(texts), BLOCK):
            found += self._find(texts[first : first + BLOCK])
        return found

    def _find(self, texts: Sequence[str]) -> Iterator[int | None]:
        vectors = [self._vector(self._terms(text)) for text in texts]
        ids = np.concatenate([ids for ids, _ in vectors])
        weights = np.concatenate([weights for _, weights in vectors])
        row_of = np.repeat(np.arange(len(texts)), [len(ids) for ids, _ in vectors])
        starts = self.index_starts[ids]
        sizes = self.index_starts[ids + 1] - starts
        where = np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        cells = np.repeat(row_of * self.num_texts, sizes) + self.index_texts[where]
        products = np.repeat(weights, sizes) * self.index_weights[where]
        shared = np.bincount(cells, products, minlength=len(texts) * self.num_texts).reshape(len(texts), self.num_texts)
        # A cosine may miss the product by the rounding of the two lengths.
        hopeful = (shared > 0) & (shared + self.common_length >= self.threshold - 1e-6)
        for row, (row_ids, row_weights) in enumerate(vectors):
            best, most = None, self.threshold
            mine = dict(zip(row_ids.tolist(), row_weights.tolist(), strict=True))
            for text in np.flatnonzero(hopeful[row]).tolist():
                part = slice(self.starts[text], self.starts[text + 1])
                pairs = zip(self.ids[part].tolist(), self.weights[part].tolist(), strict=True)
                cosine = sum(mine[number] * weight for number, weight in pairs if number in mine)
                if cosine > most or (best is None and cosine == most):
                    best, most = text, cosine
            yield best
