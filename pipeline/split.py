"""Training and validation rows, parted so that no row has a relative on the other side.

    train, validation = split(rows, share=0.02, seed=0)

Rows of one bank family are relatives, and so are rows of one skeleton (the same story with other numbers
and names). Near-twins are gone before: a recipe that splits must drop them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mathtutor.problem import Row
from pipeline.masks import skeleton


def clusters(rows: Sequence[Row]) -> list[list[int]]:
    """The numbers of related rows, a list a cluster, in the order of their first rows."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    keys = []
    for row in rows:
        mine = [f"skeleton {skeleton(row.problem)}", *([f"family {row.family}"] if row.family else [])]
        for key in mine:
            parent[root(parent.setdefault(key, key))] = root(parent.setdefault(mine[0], mine[0]))
        keys.append(mine[0])
    members: dict[str, list[int]] = {}
    for number, key in enumerate(keys):
        members.setdefault(root(key), []).append(number)
    return list(members.values())


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
