"""How far several tries at one problem agree: the answers of k replies counted, never a model's own confidence.

    tally([Fraction(7), Fraction(7), None])  ->  Agreement(answer=Fraction(7), votes=2, tries=3, rivals=())
    tally([Fraction(7), Fraction(7), Fraction(9)], [0.1, 0.1, 0.6])  ->  Agreement(Fraction(9), 1, 3, (Fraction(7),))

Agreement between samples tells right from wrong better than a model's probabilities do (self-consistency:
Wang et al. 2023; its calibration: Kabra et al. 2024). A try without an answer counts as a try, not as a vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

# The share of the tries that must arrive at one answer. One that differs is reason enough to doubt: of Pocket's answers to
# typed problems 77% of 98 were right where five of five tries agreed, 37% of 62 where four did (evals/pocket-typed-5).
ENOUGH = Fraction(1)


@dataclass(frozen=True)
class Agreement:
    """`answer` leads, None where no try has one; `rivals` are the others, in their order. `votes` are the tries with `answer`,
    where tries were weighed too."""

    answer: Fraction | None
    votes: int
    tries: int
    rivals: tuple[Fraction, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether so many tries arrive at the answer that, counted alone, it may be given as one's own. One try agrees with nobody: two must."""
        return self.votes >= 2 and self.votes >= ENOUGH * self.tries

    @property
    def is_majority(self) -> bool:
        """Whether more than half of the tries arrive at the answer: below that it is a guess among others."""
        return 2 * self.votes > self.tries

    def settled(self, planned: int) -> bool:
        """Whether no further try of `planned` in all could change `is_enough` or the answer."""
        left = planned - self.tries
        best = max(2, ceil(ENOUGH * planned))  # votes that are enough of `planned`
        return self.votes >= best or self.votes + left < best


def tally(answers: Iterable[Fraction | None], weights: Sequence[float] | None = None) -> Agreement:
    """Count the answers of all tries; the one with most votes leads, or with `weights`, one a try, the one whose tries weigh
    most together. Of equal ones the one that came first leads. Raises ValueError where there is not one weight a try."""
    given = list(answers)
    if weights is not None and len(weights) != len(given):
        raise ValueError(f"{len(given)} tries and {len(weights)} weights: each try has one")
    votes = Counter(answer for answer in given if answer is not None)
    if not votes:
        return Agreement(None, 0, len(given))
    weight = {answer: float(count) for answer, count in votes.items()}
    if weights is not None:
        weight = dict.fromkeys(votes, 0.0)
        for answer, each in zip(given, weights, strict=True):
            if answer is not None:
                weight[answer] += each
    answer, *rest = sorted(weight, key=lambda each: -weight[each])
    return Agreement(answer, votes[answer], len(given), tuple(rest))
