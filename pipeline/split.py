"""Training and validation rows, parted so that no row has a near relative on the other side.

    train, validation = split(rows, share=0.02, seed=0)

Two rows are relatives when they

    are of one bank family,
    have one skeleton: the same story with other numbers and names (`pipeline.masks`),
    have much the same words, numbers and names masked: a cosine of WORDS or more over words and pairs of words, or
    have much the same form, other objects and places too: a cosine of FORM or more over four words in a row.

Both cosines are of TF-IDF vectors whose weights depend on all rows given. What is promised: rows that are relatives,
and relatives of relatives, stand on one side, all of them and not most, for every pair is compared (`pipeline.fuzzy.near_pairs`).
What is not: that no row has a remote relative. Below those cosines two problems may still be told alike; a text whose
form has fewer than LEAST words or is not English has relatives by its words alone; and the same sums told in
another story are no relation at all. Higher cosines part nearer tellings, lower ones join all comparisons of two things into one
cluster: of 10,980 rows of synth-50k (bank and composed) the largest has 160 at a FORM of 0.8, 280 at 0.75, 970 at 0.7.

A cluster larger than the validation share trains. So a set of a few stories, often told, may get no validation rows.
Near-twins are gone before: a recipe that splits must drop them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from mathtutor.problem import Row
from pipeline.fuzzy import near_pairs
from pipeline.masks import skeleton
from pipeline.nearest import runs_of_form, terms

WORDS = 0.7
FORM = 0.8
LEAST = 12  # words and ends of sentences


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
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        keys = (f"skeleton {skeleton(row.problem)}", *([f"family {row.family}"] if row.family else []))
        yield from ((number, first.setdefault(key, number)) for key in keys)
    yield from near_pairs([_text(terms(row.problem)) for row in rows], WORDS)
    yield from near_pairs([_text(runs_of_form(row.problem, LEAST)) for row in rows], FORM)


def _text(counts: Counter[str]) -> str:
    """The terms as a text of which each is one word."""
    return " ".join(term.translate(JOINED) for term in counts.elements())


JOINED = str.maketrans({" ": "_", ".": "_", "'": "_", "\u2019": "_"})


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
