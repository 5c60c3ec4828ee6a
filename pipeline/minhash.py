"""Pairs of texts that may be near-twins, by MinHash: those that share a band of their signatures.

    buckets = Buckets(signatures(["Ana buys ten apples.", "Ana buys ten red apples.", "A dog."], workers))
    buckets.pairs(0, 3)        # (later texts, earlier texts): arrays [1] and [0], most likely

A signature is that of the set of words (`datasketch`, 64-bit hashes of BLAKE2b, a fixed seed: the same on every
machine). Forty-two bands of three hashes: of two texts that have a quarter of their words in common, about one pair in
two is found, and of those with half, 996 in 1,000. TF-IDF twins at a cosine of 0.85 share most of
their words, but a pair that shares its rare words alone can be missed. (Broder, "On the resemblance and containment
of documents", 1997; the bands are those of Indyk and Motwani, 1998.)
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from mathtutor.progress import progress
from pipeline.workers import Workers

BANDS, ROWS = 42, 3  # hashes of a signature: BANDS * ROWS
SEED = 1
PART = 2048  # texts that a worker signs at a time
WORD = re.compile(r"\w\w+")  # the words of pipeline.fuzzy


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "little")


class Signer:
    """A worker's tool: the bands of some texts as numbers, (texts, BANDS) of uint64; equal ones share a bucket."""

    def __init__(self):
        from datasketch import MinHash

        self.empty = MinHash(BANDS * ROWS, seed=SEED, hashfunc=_hash, scheme="legacy")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        bands = np.empty((len(texts), BANDS), dtype=np.uint64)
        for number, text in enumerate(texts):
            signature = self.empty.copy()
            signature.update_batch(sorted(set(WORD.findall(text.lower()))))
            values = np.ascontiguousarray(signature.hashvalues, dtype="<u8").reshape(BANDS, ROWS)
            for band in range(BANDS):
                digest = hashlib.blake2b(values[band].tobytes(), digest_size=8, person=f"band {band}".encode()).digest()
                bands[number, band] = int.from_bytes(digest, "little")
        return bands


def signatures(texts: Sequence[str], workers: Workers) -> np.ndarray:
    """The bands of all texts, (texts, BANDS); those of a text without words are its own alone."""
    parts = [texts[first : first + PART] for first in range(0, len(texts), PART)]
    with progress(len(texts), 0, "texts", name="MinHash") as advance:
        bands = []
        for found in workers.map(Signer, (), parts):
            bands.append(found)
            advance(len(found))
    return np.concatenate(bands)


class Buckets:
    """The texts that stay, by the bands of their signatures."""

    def __init__(self, bands: np.ndarray):
        self.bands = bands
        self.texts: defaultdict[int, list[int]] = defaultdict(list)

    def enter(self, numbers: Iterable[int]) -> None:
        """Let texts in, in ascending order."""
        for number in numbers:
            for band in self.bands[number].tolist():
                self.texts[band].append(number)

    def pairs(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """(later, earlier): each of texts first to last with those let in, and with one another; ascending, each pair once."""
        count = len(self.bands)
        block: defaultdict[int, list[int]] = defaultdict(list)
        found = []
        for number in range(first, last):
            mine: set[int] = set()
            for band in self.bands[number].tolist():
                mine.update(self.texts.get(band, ()), block[band])
                block[band].append(number)
            found.append(np.fromiter(mine, np.int64, len(mine)) + number * count)
        both = np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
        return both // count, both % count
