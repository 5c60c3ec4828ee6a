"""The offline teacher: instances of the problem bank, their answers computed.

Row i of a stream can be made alone: it is instance `i // families` of family `i % families`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from mathtutor.bank import Family, Instance, load_bank, split_of
from mathtutor.problem import Row


def row_of(instance: Instance, number: int, source: str = "bank") -> Row:
    """The data set row that teaches one instance."""
    return Row(
        id=f"{source}-{number:07d}",
        problem=instance.problem,
        steps=instance.steps,
        answer=instance.shown_answer,
        source=source,
        family=instance.family,
        topic=instance.topic,
        grade=instance.grade,
        asked=instance.asked,
        plan=instance.plan,
    )


@cache
def read_bank() -> dict[str, Family]:
    """The bank, read once: a stream that is made in many parts would read it for each."""
    return load_bank()


def write_rows(
    count: int, seed: int, split: str = "train", bank: dict[str, Family] | None = None, first: int = 0
) -> Iterator[Row]:
    """`count` rows from row `first` on, the families of one split in turn: "train", "validation" or "held-out"."""
    families = [f for _, f in sorted((bank or read_bank()).items()) if split_of(f.id) == split]
    if not families:
        raise ValueError(f"the bank has no family in the split {split!r}")
    for number in range(first, first + count):
        family = families[number % len(families)]
        yield row_of(family.instantiate(seed, number // len(families)), number)
