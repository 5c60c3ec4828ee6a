"""Training and validation rows, parted so that no row has a near relative on the other side.

    train, validation = split(rows, share=0.02, seed=0)

Two rows are relatives when they

    are of one bank family,
    have one skeleton: the same story with other numbers and names (`pipeline.masks`),
    have much the same words, numbers and names masked: a cosine of WORDS or more over words and pairs of words, or
    have much the same form, other objects and places too: a cosine of FORM or more over four words in a row.

Both cosines are of TF-IDF vectors whose weights depend on all different texts among the rows. What is promised: rows that are
relatives, and relatives of relatives, stand on one side, all of them and not most, for every pair is compared (`pipeline.fuzzy.near_pairs`).
What is not: that no row has a remote relative. Below those cosines two problems may still be told alike; a text whose
form has fewer than LEAST words or is not English has relatives by its words alone; and the same sums told in
another story are no relation at all. Lower cosines are no remedy, for
soon everything is a relative of a relative (docs/LAB.md).

A cluster larger than the room for validation trains. So a set of a few stories, often told, may get no validation rows.
Near-twins are gone before: a recipe that splits must drop them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mathtutor.problem import Row
from pipeline.fuzzy import near_pairs
from pipeline.masks import skeleton
from pipeline.nearest import runs_of_form, terms

WORDS = 0.8
FORM = 0.85
LEAST = 12  # words and ends of sentences
JOINED = str.maketrans(" .'\u2019", "____")


def clusters(rows: Sequence[Row]) -> list[list[int]]:
    """The numbers of related rows, a list a cluster, in the order of their first rows."""
    parent = list(range(len(rows)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    for later, earlier in _relatives(rows):
        one, other = root(later), root(earlier)
        parent[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for number in range(len(rows)):
        members.setdefault(root(number), []).append(number)
    return list(members.values())


def _relatives(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """(later, earlier) numbers of rows: enough pairs to join all relatives."""
    yield from _equals(row.family for row in rows)
    yield from _equals(skeleton(row.problem) for row in rows)
    for texts, threshold in (
        ([_text(terms(row.problem)) for row in rows], WORDS),
        ([_text(runs_of_form(row.problem, LEAST)) for row in rows], FORM),
    ):
        yield from _equals(texts)
        first: dict[str, int] = {}  # of thousands of tellings alike, one is compared: all pairs of them would be millions
        for number, text in enumerate(texts):
            first.setdefault(text, number)
        numbers = list(first.values())
        yield from ((numbers[later], numbers[earlier]) for later, earlier in near_pairs(list(first), threshold))


def _equals(keys: Iterable[str]) -> Iterator[tuple[int, int]]:
    """(later, first) numbers of those that have one key; "" is no key."""
    first: dict[str, int] = {}
    return ((number, first.setdefault(key, number)) for number, key in enumerate(keys) if key)


def _text(counts: Counter[str]) -> str:
    """The terms as a text of which each is one word."""
    return "\n".join(counts.elements()).translate(JOINED)


def split(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """(training rows, validation rows), each in the given order; about `share` of the rows validate, never more."""
    room, chosen = int(share * len(rows)), set()

    def draw(cluster: list[int]) -> str:
        return hashlib.sha256(f"{seed}:{rows[cluster[0]].problem}".encode()).hexdigest()

    for cluster in sorted(clusters(rows), key=draw) if room else ():
        if len(chosen) + len(cluster) <= room:
            chosen.update(cluster)
    return (
        [row for number, row in enumerate(rows) if number not in chosen],
        [row for number, row in enumerate(rows) if number in chosen],
    )
