"""Candidates that anyone can make anywhere: a run of rows of an offline teacher, as (teacher, first, count, seed).

    list(draws("bank", 1200, seed=0))      # Draw("bank", 0, 500, 0), Draw("bank", 500, 500, 0), Draw("bank", 1000, 200, 0)
    Draw("bank", 500, 500, 0).rows()       # the rows 500 to 999 of the stream, wherever they are made
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mathtutor.problem import Row
from pipeline.teachers import composed, procedural, stories

TEACHERS = {"bank": procedural, "composed": composed, "stories": stories}
ROWS = 500  # of a draw


@dataclass(frozen=True)
class Draw:
    """The rows `first` to `first + count - 1` of a teacher's stream."""

    teacher: str
    first: int
    count: int
    seed: int

    def rows(self) -> list[Row]:
        return list(TEACHERS[self.teacher].write_rows(self.count, self.seed, first=self.first))


def draws(teacher: str, count: int, seed: int) -> Iterator[Draw]:
    """`count` rows of a teacher in draws of ROWS."""
    for first in range(0, count, ROWS):
        yield Draw(teacher, first, min(ROWS, count - first), seed)
