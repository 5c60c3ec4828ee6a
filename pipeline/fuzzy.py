"""Near-twins: texts that say almost the same in almost the same words. The first of each stays.

    near_twins(["Ana buys ten red apples.", "Ben sees a dog.", "ANA buys ten red apples!"])   ->  [None, None, 0]

Two texts are twins when the cosine of their TF-IDF vectors reaches the threshold (0.85). The vectors
are those of scikit-learn's TfidfVectorizer as it comes:

    words     runs of two or more letters, digits or underscores, in lower case ("5" is none: "5 apples"
              and "7 apples" are the same text here)
    weight    (times in the text) * (ln((1 + texts) / (1 + texts with the word)) + 1), the vector then
              scaled to length 1, and each weight rounded to a multiple of 2**-26

The rounding moves a cosine by some 1e-8 and makes it exact: a product of two weights is a multiple of
2**-52, and so is every sum of them, up to 2, which is just what a float64 holds. So no order of summation
changes an answer. The weights depend on all texts given: in other company, other texts may be twins.

Texts are judged in order: one is a twin when an earlier text *that stays* is near enough. So of a chain
a ~ b ~ c with a and c apart, a and c stay.

Comparing every pair is quadratic. Here words are ordered by how common they are, and each text is split
in two: the common words, as many as stay below a length of `COMMON_SHARE * threshold`, and the rare
rest. Two texts with no rare word in common cannot reach the threshold, whatever their common words do,
for what those can add is at most their length. So a text meets only the earlier ones that share a rare
word (an inverted index finds them), only those whose shared rare words leave the threshold in reach are
compared in full, and what is removed is exactly what comparing every pair removes. The time still grows
with the square of the number of texts, from a far lower start. (The idea is that of Bayardo et al.,
"Scaling up all pairs similarity search", 2007, and of Anastasiu and Karypis' L2AP, 2014.)
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

WORD = re.compile(r"\w\w+")
GRID = 2.0**26  # weights are multiples of 1 / GRID

# Those below only cost or save time and memory; no value of them changes the answer.
COMMON_SHARE = 0.85  # below 1; more: a shorter index, but more pairs to compare in full
BLOCK = 1024  # texts that enter the index at a time, at least
POSTINGS = 1 << 17  # entries of the index that are looked at together
CUTS = 16  # at least 2: places at which a bound on the common words is known
CELLS = 1 << 21  # numbers in a table of texts by texts, or of texts by words


@dataclass(frozen=True)
class Vectors:
    """Sparse rows: the entries of text i are those from starts[i] up to starts[i + 1]."""

    starts: np.ndarray  # (texts + 1,)
    words: np.ndarray  # (entries,) ascending in each text; word 0 is the commonest of all
    weights: np.ndarray  # (entries,) multiples of 1 / GRID
    num_words: int


def tfidf(texts: Sequence[str]) -> Vectors:
    """The vectors of the texts, as the head of this file defines them; a text without words has no entries."""
    vocabulary: defaultdict[str, int] = defaultdict()
    vocabulary.default_factory = vocabulary.__len__
    tokens, ends = array("i"), array("q", [0])
    for text in texts:
        tokens.extend(map(vocabulary.__getitem__, WORD.findall(text.lower())))
        ends.append(len(tokens))
    tokens = np.frombuffer(tokens, dtype=np.intc) if tokens else np.zeros(0, dtype=np.intc)
    num_words = max(1, len(vocabulary))
    rank = np.empty(num_words, dtype=np.int64)
    rank[np.argsort(-np.bincount(tokens, minlength=num_words), kind="stable")] = np.arange(num_words)
    keys = np.repeat(np.arange(len(texts)) * num_words, np.diff(ends)) + rank[tokens]
    keys, times = np.unique(keys, return_counts=True)
    rows, words = np.divmod(keys, num_words)
    num_texts_with = np.bincount(words, minlength=num_words)
    weights = times * (np.log((1 + len(texts)) / (1 + num_texts_with)) + 1)[words]
    weights /= np.sqrt(np.bincount(rows, weights**2, minlength=len(texts)))[rows]
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    return Vectors(starts, words, np.rint(weights * GRID) / GRID, num_words)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """All of range(s, s + c) for each start and count, one after the other."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


class Join:
    """The texts judged so far, with an index of the rare words of those that stay."""

    def __init__(self, vectors: Vectors, threshold: float):
        self.vectors, self.threshold = vectors, threshold
        self.num_texts = len(vectors.starts) - 1
        self.twins: list[int | None] = [None] * self.num_texts
        self.stays = np.ones(self.num_texts, dtype=bool)

        self.text_of = np.repeat(np.arange(self.num_texts), np.diff(vectors.starts))  # (entries,)
        squares = vectors.weights**2
        self.squares = np.bincount(self.text_of, squares, minlength=self.num_texts)  # (texts,) length squared: about 1
        total = np.cumsum(squares)
        before = np.concatenate([[0.0], total])[vectors.starts[:-1]]
        is_common = total - before[self.text_of] < (COMMON_SHARE * threshold) ** 2
        self.rare = np.flatnonzero(~is_common)  # entries, text by text

        # Rounded to the grid, no vector is quite of length 1: twins of the shortest have the least product.
        self.least = threshold * self.squares[self.squares > 0].min(initial=1.0) - 1e-9
        common = np.sqrt(np.bincount(self.text_of[is_common], squares[is_common], minlength=self.num_texts))
        longest = np.sqrt(self.squares.max(initial=1.0))
        self.least_shared = self.least - longest * common.max(initial=0.0)  # product over shared rare words

        # heads[c, text] is the length of its words before cuts[c], and cut_of[text] the first cut at or after all
        # its common words: past the later cut of two texts they share rare words only.
        num_common = np.bincount(self.text_of[is_common], minlength=self.num_texts)
        has_words = np.flatnonzero(np.diff(vectors.starts))
        first_rare = np.zeros(self.num_texts, dtype=np.int64)
        first_rare[has_words] = vectors.words[vectors.starts[has_words] + num_common[has_words]]
        ranked = np.sort(first_rare)
        cuts = np.unique(ranked[np.linspace(0, len(ranked) - 1, CUTS).astype(int)])  # the largest among them
        self.cut_of = np.searchsorted(cuts, first_rare)
        cells = self.text_of + self.num_texts * np.searchsorted(cuts, vectors.words, side="right")
        heads = np.bincount(cells, squares, minlength=(len(cuts) + 1) * self.num_texts).reshape(len(cuts) + 1, self.num_texts)
        self.heads = np.sqrt(np.cumsum(heads[:-1], axis=0)).ravel()  # (cuts * texts,)

        self.indexed = np.zeros(0, dtype=np.int64)  # rare entries in the order of their words, then of their texts
        self.rows = max(1, min(BLOCK, CELLS // max(self.num_texts, vectors.num_words)))  # texts judged together
        # Both tables are all zero between two pieces: to clear what was written is less than to make them anew.
        self.shared = np.zeros(self.rows * self.num_texts)  # (rows, texts) product over shared rare words
        self.dense = np.zeros(self.rows * vectors.num_words)  # (rows, words)

    def judge_all(self, known: int) -> Iterator[int]:
        """Judge the texts in order, the first `known` of which stay as they are; yields how many were judged at a time."""
        block = max(BLOCK, self.num_texts // 16)
        self._enter(0, known)
        for first in range(known, self.num_texts, block):
            last = min(first + block, self.num_texts)
            for piece in self._pieces(self._enter(first, last), first, last):
                yield self._judge(*piece)

    def _enter(self, first: int, last: int) -> np.ndarray:
        """Let texts first to last into the index, and removed ones go; the rare entries of those texts."""
        vectors = self.vectors
        new = self.rare[slice(*np.searchsorted(self.rare, vectors.starts[[first, last]]))]
        entries = np.concatenate([self.indexed[self.stays[self.text_of[self.indexed]]], new])
        # Two sorted runs, nearly: a stable sort merges them, and keeps the texts of a word ascending.
        self.indexed = entries[np.argsort(vectors.words[entries], kind="stable")]
        self.index_texts, self.index_weights = self.text_of[self.indexed], vectors.weights[self.indexed]
        sizes = np.bincount(vectors.words[self.indexed], minlength=vectors.num_words)
        self.index_starts = np.concatenate([[0], np.cumsum(sizes)])
        return new

    def _pieces(self, entries: np.ndarray, first: int, last: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Cut texts first to last, whose rare entries these are, into pieces (first, last, rare entries)."""
        words, texts = self.vectors.words[entries], self.text_of[entries]
        sizes = self.index_starts[words + 1] - self.index_starts[words]
        postings = np.bincount(texts - first, sizes, minlength=last - first)
        begin, load = first, 0
        for text, size in enumerate(postings.tolist(), first):
            if text > begin and (load + size > POSTINGS or text - begin == self.rows):
                yield begin, text, entries[slice(*np.searchsorted(texts, [begin, text]))]
                begin, load = text, 0
            load += size
        yield begin, last, entries[np.searchsorted(texts, begin) :]

    def _judge(self, first: int, last: int, entries: np.ndarray) -> int:
        """Decide texts first to last, whose rare entries these are; how many they were."""
        words = self.vectors.words[entries]
        starts = self.index_starts[words]
        sizes = self.index_starts[words + 1] - starts
        where = ranges(starts, sizes)
        earlier = self.index_texts.take(where)
        cells = np.repeat((self.text_of[entries] - first) * self.num_texts, sizes) + earlier
        np.add.at(self.shared, cells, np.repeat(self.vectors.weights[entries], sizes) * self.index_weights.take(where))
        enough = np.flatnonzero(self.shared.take(cells) >= self.least_shared)
        near, earlier = cells[enough], earlier[enough]
        shared = self.shared[near]
        # A pair stands here once for each word that it shares. The last one to write into its cell stays.
        turn = np.arange(len(near))
        self.shared[near] = turn
        once = np.flatnonzero(self.shared[near] == turn)
        self.shared[cells] = 0
        near, earlier, shared = near[once], earlier[once], shared[once]
        later = first + (near - earlier) // self.num_texts
        cut = np.maximum(self.cut_of[later], self.cut_of[earlier]) * self.num_texts
        in_reach = shared + self.heads[cut + later] * self.heads[cut + earlier] >= self.least
        hopeful = np.flatnonzero(in_reach & (earlier < later) & self.stays[earlier])
        hopeful = hopeful[np.argsort(near[hopeful])]  # by later text, then by earlier
        for text, other in self._twins_among(later[hopeful], earlier[hopeful], first, last):
            if self.stays[text] and self.stays[other]:
                self.stays[text], self.twins[text] = False, other
        return last - first

    def _twins_among(self, later: np.ndarray, earlier: np.ndarray, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Those pairs that reach the threshold, compared in full; every later text lies in first to last."""
        vectors = self.vectors
        mine = slice(*vectors.starts[[first, last]])
        cells = (self.text_of[mine] - first) * vectors.num_words + vectors.words[mine]
        self.dense[cells] = vectors.weights[mine]
        sizes = vectors.starts[earlier + 1] - vectors.starts[earlier]
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // POSTINGS)) + 1
        for part in np.split(np.arange(len(later)), cuts) if len(later) else ():
            one, other, size = later[part], earlier[part], sizes[part]
            entries = ranges(vectors.starts[other], size)
            cell = np.repeat((one - first) * vectors.num_words, size) + vectors.words.take(entries)
            products = np.add.reduceat(self.dense.take(cell) * vectors.weights.take(entries), np.cumsum(size) - size)
            is_twin = products / np.sqrt(self.squares[one] * self.squares[other]) >= self.threshold
            yield from zip(one[is_twin].tolist(), other[is_twin].tolist(), strict=True)
        self.dense[cells] = 0


def near_twins(texts: Sequence[str], threshold: float = 0.85, known: int = 0) -> list[int | None]:
    """For each text the first earlier text that stays and is its twin (cosine >= threshold), or None: it stays.

    The first `known` texts stay without being judged. The threshold lies above 0 and goes up to 1, else ValueError.
    A text without words has no twin. On a terminal a bar tells how many texts are judged.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is a cosine above 0 and up to 1, not {threshold}")
    if not len(texts):
        return []
    join = Join(tfidf(texts), threshold)
    with tqdm(total=len(texts) - known, desc="near-twins", unit="text", disable=None) as bar:
        for judged in join.judge_all(known):
            bar.update(judged)
    return join.twins
