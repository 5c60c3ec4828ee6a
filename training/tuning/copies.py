"""Whether a text copies a problem of a test set: the same rule for rows and for streams of texts.

    copies = Copies()                    # reads the test splits of mathtutor.sources
    copies.of("... as Ana had 7 ...")    # {"gsm8k/test"}: it shares 13 words in a row with a problem of that set

Capital letters, signs and what parts words make no difference: only letters and figures are compared. Every problem
of the test splits has at least 13 words, so one that is copied whole is found too.
"""

from __future__ import annotations

import re

from mathtutor.sources import SOURCES, load_source

GRAM = 13  # words in a row that count as copied
ANCHOR = 7  # any 13 words in a row hold 7 that begin at a multiple of 7
MOST = 0.02  # share of a set: when more is copied, it is no training set

_WORD = re.compile(r"[a-z]+|\d+")


def compared_with() -> dict[str, str]:
    """Test split -> the hash that is pinned for its file."""
    return {f"{name}/{split}": source.sha256 for (name, split), source in SOURCES.items() if split == "test"}


def words_of(text: str) -> list[str]:
    """What is compared of a text."""
    return _WORD.findall(text.lower())


def _grams(words: list[str], size: int) -> set[str]:
    return {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)}


class Copies:
    def __init__(self):
        """Raises ValueError where a test split cannot be read."""
        self.names = list(compared_with())
        self._whole: dict[str, str] = {}
        self._grams: dict[str, set[str]] = {}
        self._anchors: set[str] = set()
        for name in self.names:
            try:
                problems = load_source(*name.split("/"))
            except ValueError as error:
                raise ValueError(f"decontamination: {error}. Or set data.compare to false: then nothing is compared, and the card says so") from error
            for problem in problems:
                words = words_of(problem.question)
                self._whole[" ".join(words)] = name
                self._anchors |= _grams(words, ANCHOR)
                for gram in _grams(words, GRAM):
                    self._grams.setdefault(gram, set()).add(name)

    def whole(self, text: str) -> str | None:
        """The set of which the text is a problem, word for word."""
        return self._whole.get(" ".join(words_of(text)))

    def of(self, text: str) -> set[str]:
        """The sets with one of whose problems the text shares 13 words in a row."""
        words = words_of(text)
        # A stream is billions of words: nearly all of it ends here, after a seventh of the look-ups.
        if not any(" ".join(words[i : i + ANCHOR]) in self._anchors for i in range(0, len(words) - ANCHOR + 1, ANCHOR)):
            return set()
        return set().union(*(self._grams.get(gram, ()) for gram in _grams(words, GRAM)))


def refuse_if_many(taken: int, read: int, what: str, why: str) -> None:
    """Raises ValueError when so much is copied from test sets that the data are no training set."""
    if taken > max(1, MOST * read):
        raise ValueError(
            f"decontamination: {taken:,} of {read:,} {what} are taken from test sets ({why}): these sets are not for training. Train on their train splits"
        )
