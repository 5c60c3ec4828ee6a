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

Two searches find the pairs to compare:

    exact     all that can be twins: what is removed is exactly what comparing every pair removes
    minhash   those that share a band of their MinHash signatures (`pipeline.minhash`): it misses one twin in some
              hundreds, and its time grows with the number of texts and not with its square

Comparing every pair is quadratic. In the exact search words are ordered by how common they are, and each text is split
in two: the common words, as many as stay below a length of `COMMON_SHARE * threshold`, and the rare
rest. Two texts with no rare word in common cannot reach the threshold, whatever their common words do,
for what those can add is at most their length. So a text meets only the earlier ones that share a rare
word (an inverted index finds them), and only those whose shared rare words leave the threshold in reach are
compared in full. The time still grows with the square of the number of texts, from a far lower start. (The idea is that of Bayardo et al.,
"Scaling up all pairs similarity search", 2007, and of Anastasiu and Karypis' L2AP, 2014.)

On a cluster the texts are judged a block at a time: workers compare its texts with all that stay of the blocks before,
each worker some of them, and then those that are left are compared with one another. The twins are the same.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mathtutor.progress import progress
from pipeline.minhash import Buckets, signatures
from pipeline.recipe import SEARCHES
from pipeline.workers import Processes, Workers

WORD = re.compile(r"\w\w+")
GRID = 2.0**26  # weights are multiples of 1 / GRID

# Those below only cost or save time and memory; no value of them changes the answer.
COMMON_SHARE = 0.85  # below 1; more: a shorter index, but more pairs to compare in full
BLOCK = 1024  # texts that enter the index at a time, at least
POSTINGS = 1 << 17  # entries of the index that are looked at together
CUTS = 16  # at least 2: places at which a bound on the common words is known
BLOCKS = 16  # of a distributed search: more keep fewer texts for this process, and the workers wait more often
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
        self._enter(0, known)
        for first, last in self.blocks(known):
            for piece in self._pieces(self._enter(first, last), first, last):
                yield self._judge(*piece)

    def judge_with(self, workers: Workers, known: int) -> Iterator[int]:
        """The same with workers: they look for twins in earlier blocks, and this process within a block."""
        for first, last in self.blocks(known):
            size = max(1, (last - first) // (4 * workers.count))
            stays = np.packbits(self.stays[:first])
            parts = [(stays, first, begin, min(begin + size, last)) for begin in range(first, last, size)]
            for (_, _, begin, end), twins in zip(parts, workers.map(Earlier, (self.vectors, self.threshold), parts), strict=True):
                self.twins[begin:end] = twins
                self.stays[begin:end] = [twin is None for twin in twins]
            self.indexed = self.indexed[:0]
            for piece in self._pieces(self._enter(first, last), first, last):
                yield self._judge(*piece)

    def judge_among(self, candidates: Buckets, workers: Workers, known: int) -> Iterator[int]:
        """The same among the pairs that `candidates` gives: workers compare them, and this process picks the first."""
        candidates.enter(range(known))
        for first, last in self.blocks(known):
            later, earlier = candidates.pairs(first, last)
            parts = [(later[cut], earlier[cut]) for cut in np.array_split(np.arange(len(later)), 4 * workers.count) if len(cut)]
            for twins in workers.map(Among, (self.vectors, self.threshold), parts):
                for text, other in twins:
                    if self.stays[text] and self.stays[other]:
                        self.stays[text], self.twins[text] = False, other
            candidates.enter(number for number in range(first, last) if self.stays[number])
            yield last - first

    def blocks(self, known: int) -> Iterator[tuple[int, int]]:
        """(first, last) of the texts that are judged before the index is made anew."""
        block = max(BLOCK, self.num_texts // BLOCKS)
        for first in range(known, self.num_texts, block):
            yield first, min(first + block, self.num_texts)

    def _enter(self, first: int, last: int) -> np.ndarray:
        """Let texts first to last into the index, and removed ones go; the rare entries of those texts."""
        vectors = self.vectors
        new = self.rare[slice(*np.searchsorted(self.rare, vectors.starts[[first, last]]))]
        entries = np.concatenate([self.indexed[self.stays[self.text_of[self.indexed]]], new])
        # Two sorted runs, nearly: a stable sort merges them, and keeps the texts of a word ascending.
        self.indexed = entries[np.argsort(vectors.words[entries], kind="stable")]
        self._set_index()
        return new

    def _set_index(self) -> None:
        """What is looked up, of the entries in `indexed`."""
        vectors = self.vectors
        self.index_texts, self.index_weights = self.text_of[self.indexed], vectors.weights[self.indexed]
        sizes = np.bincount(vectors.words[self.indexed], minlength=vectors.num_words)
        self.index_starts = np.concatenate([[0], np.cumsum(sizes)])

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

    def all_pairs(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """(how many texts, their pairs with earlier texts that reach the threshold), a piece at a time, where no text was judged."""
        for first, last in self.blocks(0):
            for begin, end, entries in self._pieces(self._enter(first, last), first, last):
                yield end - begin, list(self._twins_among(*self._hopeful(begin, end, entries), begin, end))

    def _judge(self, first: int, last: int, entries: np.ndarray) -> int:
        """Decide texts first to last, whose rare entries these are; how many they were."""
        for text, other in self._twins_among(*self._hopeful(first, last, entries), first, last):
            if self.stays[text] and self.stays[other]:
                self.stays[text], self.twins[text] = False, other
        return last - first

    def _hopeful(self, first: int, last: int, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(later texts, earlier texts that stay) of texts first to last: all pairs, by later text, that may reach the threshold."""
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
        return later[hopeful], earlier[hopeful]

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


class Earlier:
    """A worker's tool: twins of some texts among those that stay of the blocks before theirs."""

    def __init__(self, vectors: Vectors, threshold: float):
        self.join, self.block = Join(vectors, threshold), -1

    def __call__(self, part: tuple[np.ndarray, int, int, int]) -> list[int | None]:
        """(which texts before the block stay, in bits; first text of the block; first and last to be judged)."""
        stays, block, first, last = part
        join = self.join
        if block != self.block:
            join.stays[:block], self.block = np.unpackbits(stays, count=block).astype(bool), block
            join.indexed = join.indexed[:0]
            join._enter(0, block)
            join.indexed = join.indexed[join.stays[join.text_of[join.indexed]]]
            join._set_index()
        join.stays[first:last], join.twins[first:last] = True, [None] * (last - first)
        mine = join.rare[slice(*np.searchsorted(join.rare, join.vectors.starts[[first, last]]))]
        for piece in join._pieces(mine, first, last):
            join._judge(*piece)
        return join.twins[first:last]


class Among:
    """A worker's tool: those of some pairs (later texts, earlier texts; ascending) that are twins."""

    def __init__(self, vectors: Vectors, threshold: float):
        self.join = Join(vectors, threshold)

    def __call__(self, part: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
        later, earlier = part
        twins: list[tuple[int, int]] = []
        rows = self.join.rows
        begins = np.flatnonzero(np.diff(later // rows, prepend=-1))
        for begin, end in zip(begins, [*begins[1:], len(later)], strict=True):
            first = int(later[begin]) // rows * rows
            last = min(first + rows, self.join.num_texts)
            twins += self.join._twins_among(later[begin:end], earlier[begin:end], first, last)
        return twins


def near_twins(
    texts: Sequence[str], threshold: float = 0.85, known: int = 0, search: str = "exact", workers: Workers | None = None
) -> list[int | None]:
    """For each text the first earlier text that stays and is its twin (cosine >= threshold), or None: it stays.

    The first `known` texts stay without being judged. The threshold lies above 0 and goes up to 1, else ValueError.
    A text without words has no twin. How many texts are judged is told on the way. The exact search is done by
    the `workers` where they are those of a cluster: of one machine's, one alone is done sooner than two have the texts.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is a cosine above 0 and up to 1, not {threshold}")
    if search not in SEARCHES:
        raise ValueError(f"the search is {' or '.join(SEARCHES)}, not {search!r:.40}")
    if not len(texts):
        return []
    workers = workers or Processes(1)
    join = Join(tfidf(texts), threshold)
    with progress(len(texts) - known, 0, "texts", name="near-twins") as advance:
        if search == "minhash":
            judged = join.judge_among(Buckets(signatures(texts, workers)), workers, known)
        else:
            judged = join.judge_with(workers, known) if workers.are_remote else join.judge_all(known)
        for count in judged:
            advance(count)
    return join.twins


def near_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """All (later, earlier) texts whose cosine reaches the threshold, of which `near_twins` gives one for each text that goes.

    The threshold lies above 0 and goes up to 1, else ValueError. On a terminal a bar tells how many texts are compared.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is a cosine above 0 and up to 1, not {threshold}")
    if not len(texts):
        return
    with progress(len(texts), 0, "texts", name="relatives") as advance:
        for count, pairs in Join(tfidf(texts), threshold).all_pairs():
            yield from pairs
            advance(count)
