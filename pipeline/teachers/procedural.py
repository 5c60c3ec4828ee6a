"""The offline teacher: instances of the problem bank, their answers computed.

Row i of a stream can be made alone: it is instance `i // families` of family `i % families`.
"""

from __future__ import annotations

from collections.abc import Iterator

from mathtutor.bank import Family, Instance, is_held_out, load_bank
from mathtutor.problem import Row


def row_of(instance: Instance, number: int) -> Row:
    """The data set row that teaches one instance."""
    return Row(
        id=f"bank-{number:07d}",
        problem=instance.problem,
        steps=instance.steps,
        answer=instance.shown_answer,
        source="bank",
        family=instance.family,
        topic=instance.topic,
        grade=instance.grade,
        asked=instance.asked,
        plan=instance.plan,
    )


def write_rows(count: int, seed: int, held_out: bool = False, bank: dict[str, Family] | None = None) -> Iterator[Row]:
    """`count` rows, the families in turn. `held_out` chooses the families that are never trained on."""
    families = [f for _, f in sorted((bank or load_bank()).items()) if is_held_out(f.id) is held_out]
    if not families:
        raise ValueError(f"the bank has no family with held_out={held_out}")
    for number in range(count):
        family = families[number % len(families)]
        yield row_of(family.instantiate(seed, number // len(families)), number)
