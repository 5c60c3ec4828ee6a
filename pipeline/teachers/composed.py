"""The composing teacher: stories of one to eight sums, drawn from a random graph of quantities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mathtutor.bank.compose import compose_many
from mathtutor.problem import Row
from pipeline.teachers.procedural import row_of

# Share of each depth, 1 to 8: most real problems of these grades take two to four steps, and long ones cost tokens.
DEPTHS = (0.24, 0.28, 0.20, 0.12, 0.07, 0.04, 0.03, 0.02)


def write_rows(count: int, seed: int, first: int = 0) -> Iterator[Row]:
    """`count` composed rows from row `first` on; row i depends on (seed, i) alone."""
    for number, instance in enumerate(compose_many(seed, count, DEPTHS, first), first):
        yield replace(row_of(instance, number, "composed"), family="")
