"""A lesson is a reply, seen by the student while it is being written.

    <think>                                            cards    Step 1: She buys 3 * 2 = 6 pens.   sums check
    Step 1: She buys 3 * 2 = 6 pens.          ->       growing  "She has 6 + 4"
    Step 2: She has 6 + 4                              phase    THINKING

`Lesson()` is empty, `feed(lesson, delta)` gives the next one, and everything else is read from the text
so far: the same text is the same lesson, however it was cut into deltas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import zip_longest

from mathtutor.chat import split_reply
from mathtutor.engines import Delta
from mathtutor.maths.answers import Answer, read_answer, states_answer
from mathtutor.maths.checks import State, StepCheck, Verdict, check_step, verify
from mathtutor.maths.steps import parse_steps

_LABEL_SO_FAR = re.compile(r"\W*(?:S|St|Ste|Step\s*\d*:?)?", re.IGNORECASE)

Spans = tuple[tuple[int, int], ...]


class Phase(StrEnum):
    """Where a lesson stands. All but the first are final."""

    THINKING = "thinking"
    ANSWERED = "answered"
    STOPPED = "stopped"  # the student pressed Stop
    CUT_OFF = "cut off"  # the token or time limit did; whatever number stands there is no answer
    REPEATING = "repeating"  # it went in circles and was ended
    NO_ANSWER = "no answer"  # the model ended, and no answer can be read
    FAILED = "failed"  # the engine broke down
    USED_UP = "used up"  # no more time on a lent machine


@dataclass(frozen=True)
class Card:
    """One finished step. `computed` are the spans of its text that the calculator wrote."""

    check: StepCheck
    computed: Spans = ()

    @property
    def number(self) -> int:
        return self.check.step.number

    @property
    def text(self) -> str:
        return self.check.step.text


@dataclass(frozen=True)
class Lesson:
    """A reply so far. `computed` holds (start, end) offsets into `text`."""

    text: str = ""
    computed: Spans = ()
    num_tokens: int = 0
    finish: str | None = None  # as in Delta, or "failed" where the engine broke down

    @cached_property
    def working(self) -> str:
        """What holds the steps, by the rule of `verify`: the reasoning, else the tail without its statement of
        the answer. Some models leave their `<think>` empty, and others know no such tag."""
        parts = split_reply(self.text)
        if parts.reasoning.strip():
            return parts.reasoning
        return "\n".join("" if states_answer(line) else line for line in parts.tail.split("\n"))

    @cached_property
    def _steps(self) -> list:
        parts = split_reply(self.text)
        over = self.finish is not None or (parts.closed and bool(parts.reasoning.strip()))
        return parse_steps(self.working, finished=over)

    @cached_property
    def cards(self) -> tuple[Card, ...]:
        """The finished steps, each with its sums checked."""
        cards, cursor = [], 0
        for step in self._steps:
            if not step.done:
                continue
            start = self.text.find(step.text, cursor)
            spans: Spans = ()
            if start >= 0:
                cursor = start + len(step.text)
                spans = _within(self.computed, start, cursor)
            cards.append(Card(check_step(step), spans))
        return tuple(cards)

    @property
    def growing(self) -> str:
        """The line that is being written, to be shown as plain text; not before its "Step 2:" is over."""
        steps = self._steps
        text = steps[-1].text if steps and not steps[-1].done else ""
        return "" if _LABEL_SO_FAR.fullmatch(text) else text

    @cached_property
    def answer(self) -> Answer | None:
        """The final answer of a finished reply; None while it grows, and None where none can be read."""
        if self.finish != "stop":
            return None
        answer = read_answer(self.text)
        return None if answer.value is None or answer.cut_off else answer

    @property
    def phase(self) -> Phase:
        if self.finish is None:
            return Phase.THINKING
        if self.finish in ("failed", "used up"):
            return Phase(self.finish)
        if self.finish == "stopped":
            return Phase.STOPPED
        if self.finish == "length":
            return Phase.CUT_OFF
        if self.finish == "repeating":
            return Phase.REPEATING
        if self.answer is not None:
            return Phase.ANSWERED
        return Phase.CUT_OFF if read_answer(self.text).cut_off else Phase.NO_ANSWER

    @cached_property
    def verdict(self) -> Verdict:
        """What the one judge says of the reply as it stands."""
        return verify(self.text)

    @property
    def num_claims(self) -> int:
        return sum(len(card.check.claims) for card in self.cards)

    @property
    def num_checked(self) -> int:
        """Claims that could be checked, right or wrong."""
        return sum(claim.state is not State.NOTHING for card in self.cards for claim in card.check.claims)

    @property
    def first_wrong(self) -> int | None:
        """Number of the first step with a sum that does not add up."""
        return next((card.number for card in self.cards if card.check.state is State.WRONG), None)


def _within(spans: Spans, start: int, end: int) -> Spans:
    """The parts of `spans` inside [start, end), counted from `start`."""
    clipped = ((max(a, start) - start, min(b, end) - start) for a, b in spans)
    return tuple((a, b) for a, b in clipped if a < b)


def feed(lesson: Lesson, delta: Delta) -> Lesson:
    """The lesson after one more delta. What follows a `finish` is ignored."""
    if lesson.finish is not None:
        return lesson
    computed = lesson.computed
    if delta.computed and delta.text:
        start, end = len(lesson.text), len(lesson.text) + len(delta.text)
        if computed and computed[-1][1] == start:  # one result may come in several pieces
            computed = computed[:-1] + ((computed[-1][0], end),)
        else:
            computed += ((start, end),)
    return Lesson(lesson.text + delta.text, computed, lesson.num_tokens + delta.num_tokens, delta.finish)


def fold(deltas: Iterable[Delta], lesson: Lesson = Lesson()) -> Lesson:
    """Feed many deltas."""
    for delta in deltas:
        lesson = feed(lesson, delta)
    return lesson


def end(lesson: Lesson, finish: str) -> Lesson:
    """The lesson ended from outside: by Stop ("stopped") or by a limit ("length")."""
    return lesson if lesson.finish is not None else replace(lesson, finish=finish)


def wants_second_try(lesson: Lesson) -> bool:
    """Whether a finished reply should be worked out once more: it ended by itself with a wrong sum."""
    return lesson.phase in (Phase.ANSWERED, Phase.NO_ANSWER) and lesson.first_wrong is not None


def better(first: Lesson, second: Lesson) -> Lesson:
    """Which of two tries to show: the second only where it has an answer and all its sums check."""
    return second if second.phase is Phase.ANSWERED and second.first_wrong is None else first


def first_difference(left: Lesson, right: Lesson) -> tuple[int | None, int | None] | None:
    """Positions (from 1) of the steps in which two lessons first part, None if they never do.

    Steps are compared by the values they arrive at; steps without a sum, such as a plan in words, are passed
    over unless neither lesson has any sum, when the words decide. Where one lesson has no such step any more, its
    position is None.
    """
    sides = [_values(lesson) for lesson in (left, right)]
    if not any(sides):
        sides = [[(n, card.text.casefold().split()) for n, card in enumerate(x.cards, 1)] for x in (left, right)]
    for a, b in zip_longest(*sides, fillvalue=(None, None)):
        if a[1] != b[1]:
            return a[0], b[0]
    return None


def _values(lesson: Lesson) -> list[tuple[int, object]]:
    """(position, value arrived at) of each step with a readable sum."""
    arrived = []
    for position, card in enumerate(lesson.cards, start=1):
        values = [claim.right for claim in card.check.claims if claim.right is not None]
        if values:
            arrived.append((position, values[-1]))
    return arrived
