"""k tries at one problem, sampled in one batch: which answer they agree on, and how far it may be trusted.

    tries = Tries(lessons)
    tries.standing   AGREED      all of them arrive at one answer, and the sums of the way that is shown check
                                 (weighed: most of them arrive at it, they and the way that is shown are likely right, and
                                 its sums check; all of them where the problem gives few numbers)
                     DOUBTFUL    there is an answer, and a reason not to trust it
                     NONE        no try came to an end
    tries.best       the lesson to show

Agreement is counted, never asked of the model. Tries that agree can all be wrong: what is shown says so. Where
`verifier.chances_of` knows how likely each try is right, `Tries(lessons, chances, given)` weighs them instead: all may agree
and still be doubted, and four of five may be given as one's own. Chances come from which numbers were used, not from what was
done with them: 8 + 5, 8 - 5 and 8 * 5 look alike. Where the problem gives so few numbers, only full agreement counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from mathtutor.chat import END_THINK, THINK
from mathtutor.engines import Generation
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State
from mathtutor.tutoring.agreement import Agreement, tally
from mathtutor.tutoring.hints import Solved, numbers_in
from mathtutor.tutoring.lesson import Lesson
from mathtutor.tutoring.verifier_weights import TRUSTED

K = 5  # tries at one problem
TEMPERATURE = 0.7  # of a try: the most likely reply alone would agree with itself
FEW = 2  # numbers that a problem gives, up to which the chances of its tries cannot tell one operation from another


class Standing(StrEnum):
    AGREED = "agreed"
    DOUBTFUL = "doubtful"
    NONE = "none"


def lesson_of(generation: Generation) -> Lesson:
    """A whole reply as a lesson."""
    return Lesson(generation.text, generation.computed, generation.num_tokens, generation.finish)


def num_given(problem: str) -> int:
    """How many numbers a problem gives, in digits or in words, as the verifier's signs count them."""
    return len(numbers_in(problem))


def _soundness(lesson: Lesson) -> tuple:
    """How well a lesson's sums bear out its answer; the higher the better."""
    checks = [card.check.state for card in lesson.cards]
    return (
        lesson.first_wrong is None,
        lesson.verdict.answer_matches_last_step is True,
        checks.count(State.OK) > 0,
        -lesson.num_claims + lesson.num_checked,
        -len(checks),
    )


def is_sound(lesson: Lesson) -> bool:
    """Whether some sums were checked, none is wrong, and the answer is what the last one arrives at."""
    return lesson.first_wrong is None and lesson.num_checked > 0 and lesson.verdict.answer_matches_last_step is True


@dataclass(frozen=True)
class Tries:
    """`chances`: how likely each try is right, from 0 to 1, one a try; None where nobody knows and tries count alike. `given`:
    how many numbers the problem gives (`num_given`), for weighed tries; 0 where nobody counted, then all must agree."""

    lessons: tuple[Lesson, ...]
    chances: tuple[float, ...] | None = None
    given: int = 0

    @cached_property
    def agreement(self) -> Agreement:
        return tally((self._value(lesson) for lesson in self.lessons), self.chances)

    @cached_property
    def mean_chance(self) -> float | None:
        """How likely the answer is right: the chances of the tries with it, over all tries. None where none are known."""
        if self.chances is None:
            return None
        return sum(chance for chance, _ in self._leading) / max(1, len(self.lessons))

    @staticmethod
    def _value(lesson: Lesson) -> Fraction | None:
        return lesson.answer.value if lesson.answer is not None else None

    @cached_property
    def _leading(self) -> list[tuple[float, Lesson]]:
        """(chance, lesson) of each try with the answer that leads; the chance is 1 where none is known."""
        chances, answer = self.chances or (1.0,) * len(self.lessons), self.agreement.answer
        return [pair for pair in zip(chances, self.lessons, strict=True) if answer is not None and self._value(pair[1]) == answer]

    @cached_property
    def _shown(self) -> tuple[float, Lesson] | None:
        """(chance, lesson) of the try to show."""
        return max(self._leading, key=lambda pair: (is_sound(pair[1]), pair[0], _soundness(pair[1])), default=None)

    @property
    def best(self) -> Lesson | None:
        """Of the tries with the answer that leads, a sound one before any other, of those the likeliest where tries are weighed,
        and then the one whose sums bear it out best; None without any."""
        return self._shown[1] if self._shown else None

    @property
    def standing(self) -> Standing:
        if self.best is None:
            return Standing.NONE
        if self.chances is None:
            return Standing.AGREED if self.agreement.is_enough and is_sound(self.best) else Standing.DOUBTFUL
        return Standing.AGREED if TRUSTED is not None and self.is_likely(TRUSTED) else Standing.DOUBTFUL

    def is_likely(self, trusted: float) -> bool:
        """Whether most of the weighed tries arrive at the answer, all of them where FEW numbers are given, with a mean chance of at
        least `trusted`, and the way that is shown has at least that chance and sums that check: what others are worth is no
        reason to show one that is not."""
        if self._shown is None or not is_sound(self.best):
            return False
        votes = self.agreement.is_majority if self.given > FEW else self.agreement.is_enough
        return votes and min(self.mean_chance, self._shown[0]) >= trusted

    @property
    def is_doubted(self) -> bool:
        """Whether tries that would be enough by their number, with sums that check, were found unlikely to be right."""
        return self.standing is Standing.DOUBTFUL and self.agreement.is_enough and is_sound(self.best)

    def solved(self, problem: str) -> Solved | None:
        """The best try as a solved problem. None without any, and where no more than half of the tries arrive at its answer."""
        if self.best is None or not self.agreement.is_majority:
            return None
        return Solved(problem, tuple(card.text for card in self.best.cards), self.agreement.answer)


def lesson_of_steps(solved: Solved) -> Lesson:
    """A solved problem as the lesson that a model would have given."""
    lines = "\n".join(f"Step {number}: {step}" for number, step in enumerate(solved.steps, start=1))
    return Lesson(f"{THINK}\n{lines}\n{END_THINK}\n\nThe answer is {show(solved.answer)}.", finish="stop")


def tries_of(
    generations: Sequence[Generation], planned: int = 0, chances: Sequence[float] | None = None, problem: str = ""
) -> Tries:
    """The tries at one problem, with the chance of each where it is known; where `planned` were begun, those that never came
    to an end are tries without an answer. With chances comes the problem, whose numbers say how far they tell."""
    missing = max(0, planned - len(generations))
    lessons = tuple(lesson_of(generation) for generation in generations) + (Lesson(),) * missing
    return Tries(lessons, None if chances is None else (*chances, *(0.0,) * missing), num_given(problem))
