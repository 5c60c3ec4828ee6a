"""One number of a composed story: the sentences that tell it, the sum that finds it, and what is typically done wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from mathtutor.bank.families import Mistake

MAX_VALUE = 5000


@dataclass
class Quantity:
    """One number of the story. `expression` is None when the text tells the value itself."""

    value: int
    sentences: tuple[str, ...] = ()
    expression: str | None = None
    result: str = ""  # the step's sentence, with "{}" where "expression = value" stands
    needs: tuple[Quantity, ...] = ()
    name: str = ""  # "the number of stamps that Ana has"

    @property
    def step(self) -> str:
        return self.result.format(f"{self.expression} = {self.value}")

    @property
    def operands(self) -> list[int]:
        """The numbers that its sum is made of."""
        return [int(number) for number in re.findall(r"\d+", self.expression or "")]

    def is_told_to_differ_by(self, number: int) -> bool:
        """Whether the text itself compares this quantity with another one by that number: "5 more than Ana"."""
        compared = len(self.needs) == 1 and (" + " in self.expression or " - " in self.expression)
        return compared and abs(self.value - self.needs[0].value) == number

    def __post_init__(self) -> None:
        found: dict[int, Quantity] = {}
        for needed in self.needs:
            found |= {id(step): step for step in needed.steps}
        # The computed quantities that this one needs, itself last, each once, in order of dependency.
        self.steps: list[Quantity] = [*found.values(), self] if self.expression else [*found.values()]


def is_sound(steps: list[Quantity]) -> bool:
    """Whether each step finds something else, and none has to hide a number that the text gives.

    A hint shows the sum of a step and neither what it comes to nor the answer: no operand may be one of these.
    """
    answer = steps[-1].value
    return (
        len({step.name for step in steps}) == len(steps)
        and answer <= MAX_VALUE
        and not any({step.value, answer} & {*step.operands} for step in steps)
    )


def mistakes_of(end: Quantity, steps: list[Quantity], told: set[int], amounts: list[int]) -> tuple[Mistake, ...]:
    """Stopping one sum early, and the last sum with the wrong sign; else the answer a little off.

    `told` are the numbers of the text, `amounts` those of all the subjects, needed or not. A number that somebody may
    have found in another way is none of the mistakes: its feedback would speak of what was not done. No two say the same.
    """
    alone = len(steps) == 1  # then nothing is "the last" of several
    found: list[Mistake] = []
    taken = told | {*amounts} | {step.value for step in steps}
    if len(steps) > 1 and steps[-2].value not in told | {end.value}:
        found.append(Mistake(Fraction(steps[-2].value), "stopped-early", "That is a right step on the way. What is left to do?"))
    expression = end.expression or ""
    if len(end.operands) == 2:
        a, b = end.operands
        wrong = a - b if "+" in expression else a + b
        if wrong > 0 and wrong not in taken:
            grows = f"Look {'again' if alone else 'at the last step again'}: should the number grow or shrink?"
            if end.name.startswith("how many more"):
                grows = "You added. How do you find how many more one number is than another?"
            elif "+" in expression and len(end.needs) == 2:
                grows = "You subtracted. How do you find how many there are together?"
            times = f"You added{'' if alone else ' in the last step'}. Should you add {'here' if alone else 'there'}, multiply or divide?"
            found.append(Mistake(Fraction(wrong), "wrong-operation", grows if re.search(r"[+-]", expression) else times))
    taken |= {a + b for a, b in combinations(amounts, 2)} | {sum(amounts)} | {mistake.value.numerator for mistake in found}
    said = ""
    for slip in (1, 10, 2, *range(3, 10), *range(20, 100, 10), *range(100, 1000, 100)):
        if len(found) == 2:
            break
        digits = "ones" if slip < 10 else "tens" if slip < 100 else "hundreds"
        if end.value + slip not in taken and digits != said:
            said = digits
            found.append(Mistake(Fraction(end.value + slip), "calculation", f"The plan is right. Check the {digits} {'' if alone else 'of the last step '}once more."))
    return tuple(found)
