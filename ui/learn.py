"""Learn: one problem, hints before the answer, or its working live.

    coach("Ana has 3 apples ...", True, desk)   solves it out of sight k times, then opens the ladder of hints
    hint(work), whole(work), check(...)         the student's moves on what lies on the desk: the `Work`
    another(...), twin(work)                    a second solution; the same story with other numbers
    solve("Ana has 3 apples ...", True, desk)   "watch it think": the reply as it is written

All are plain generators of views or functions that give one, and know nothing of Gradio; `build` lays the tab out and
wires them. A `Work` lives in the server's memory, in Gradio's session state, for WORK_SECONDS at most.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

import gradio as gr

from mathtutor.chat import conversation
from mathtutor.engines import Engine, Sampling
from mathtutor.maths.answers import read_typed
from mathtutor.maths.arithmetic import show
from mathtutor.strings import ENGLISH, Strings
from mathtutor.tutoring import render
from mathtutor.tutoring.hints import Hint, Rung, Solved, asked, ladder
from mathtutor.tutoring.lesson import Lesson, Phase, better, feed, wants_second_try
from mathtutor.tutoring.replies import Says, judge
from mathtutor.tutoring.screen import Finding, screen, screen_answer
from mathtutor.tutoring.sums import solve_sum
from mathtutor.tutoring.tries import (
    TEMPERATURE,
    K,
    Standing,
    Tries,
    is_sound,
    lesson_of_steps,
    tries_of,
)
from mathtutor.tutoring.twins import twin as twin_of
from mathtutor.tutoring.verifier import chances_of
from ui import wiring
from ui.desk import Desk, refusal, status, wait_for_turn
from ui.language import Page, spoken
from ui.lock import is_locked
from ui.streams import FRAME, Batch, Full, Limits, Place, Race, has_failed

WORK_SECONDS = 1800  # that a problem on the desk is remembered
WARM = 0.7  # temperature of a second try: the greedy one would only repeat the first


@dataclass(frozen=True)
class Work:
    """A problem on the desk: how it was solved, and how much of that has been shown.

    `tries` is None where no model was asked for it: a bare sum, a problem of the bank, or a twin. `follows_own_way`: a twin
    of a problem that tries of ours solved, worked out as they did; it is wrong where they are.
    """

    solved: Solved | None
    problem: str
    hints: tuple[Hint, ...]
    tries: Tries | None = None
    follows_own_way: bool = False
    shown: int = 1  # rungs
    tried: bool = False  # the student has given a number
    is_whole: bool = False  # the whole solution has been shown
    locked: bool = False  # by the teacher's link: hints and nothing else

    @classmethod
    def of_solved(cls, solved: Solved) -> Work:
        """Of a problem whose answer is computed: a bare sum, or an instance of the bank."""
        return cls(solved, solved.problem, ladder(solved))

    def of_twin(self, made: Solved) -> Work:
        """Of a twin that was made of this work."""
        return replace(Work.of_solved(made), follows_own_way=not self.is_certain)

    @classmethod
    def of_tries(cls, problem: str, tries: Tries) -> Work:
        solved = tries.solved(problem)
        return cls(solved, problem, ladder(solved) if solved else (asked(problem),), tries)

    @property
    def is_sure(self) -> bool:
        return self.tries is None or self.tries.standing is Standing.AGREED

    @property
    def is_certain(self) -> bool:
        """Whether the answer follows from the problem's own numbers, and no way of a model's is believed for it."""
        return self.tries is None and not self.follows_own_way

    @property
    def may_twin(self) -> bool:
        """Whether a twin may be built on the way: where tries found it, all of them must have."""
        return self.solved is not None and self.is_sure and (self.tries is None or self.tries.agreement.is_enough)

    @property
    def may_see_all(self) -> bool:
        """After a number of one's own, with the first worked step, or with the last hint where no step is among them."""
        given = self.hints[: self.shown]
        has_seen = len(given) == len(self.hints) or any(hint.rung is Rung.WORKED for hint in given)
        return not self.locked and self.solved is not None and (self.tried or has_seen)

    @property
    def blank(self) -> tuple[int, object] | None:
        """(step, value) of the sum whose blank is open."""
        newest = self.hints[self.shown - 1]
        return (newest.step, newest.value) if newest.rung is Rung.SET_UP else None


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment, as HTML; `work` is what then lies on the desk, `problem` a text for the box."""

    status: str = ""
    steps: str = ""
    feedback: str = ""
    answer: str = ""
    another: str = ""
    busy: bool = True
    work: Work | None = None
    problem: str | None = None


def _thinking(lesson: Lesson, started: float, strings: Strings) -> str:
    seconds = int(time.monotonic() - started)
    words = strings.THINKING_FOR.format(seconds=seconds) if seconds else strings.THINKING
    said = strings.STEP_READY.format(step=lesson.cards[-1].number) if lesson.cards else strings.THINKING
    return status(words, said)


def _finished(lesson: Lesson, first: Lesson | None, no_calculator: bool, strings: Strings) -> View:
    """The last view of a run. `first` is a try that was replaced, shown raw beneath."""
    words = strings.PHASES[lesson.phase]
    kind = "done" if lesson.phase is Phase.ANSWERED else "retry"
    answer = render.answer_card(lesson, _notes(lesson, first, strings), strings=strings)
    if no_calculator:
        answer += render.notice(strings.NO_CALCULATOR, "key")
    elif any(card.computed for card in lesson.cards):
        answer += render.notice(strings.COMPUTED_KEY, "key")
    answer += render.raw(lesson, strings.RAW, strings) + (render.raw(first, strings.RAW_FIRST, strings) if first else "")
    return View(status(words, kind=kind), render.step_list(lesson, strings.STEPS_LABEL, strings=strings), answer=answer, busy=False)


def _notes(lesson: Lesson, first: Lesson | None, strings: Strings) -> tuple[str, ...]:
    wrong = lesson.first_wrong
    notes = [strings.NOT_PROOF if wrong is None else strings.WRONG_TO_ME_TOO.format(step=wrong)]
    if first is not None:
        notes.append(strings.TWO_TRIES)
    if lesson.verdict.answer_matches_last_step is False:
        notes.insert(0, strings.OTHER_THAN_LAST_STEP)
    return tuple(notes)


def solve(problem: object, calculator: object, desk: Desk, fresh: bool = False) -> Iterator[View]:
    """Views of one run. `fresh` samples a new reply instead of the most likely one.

    A finished reply with a sum that does not add up is worked out once more, out of sight; the second
    try is shown only if all its sums check.
    """
    screening, strings = screen(problem), desk.strings
    if screening.finding is not Finding.OK:
        words, card = refusal(screening.finding, strings)
        yield View(words, answer=card, busy=False)
        return
    engine = desk.engines["tuned"]
    seed = secrets.randbelow(2**31) if fresh else 0
    sampling = Sampling(
        max_tokens=desk.limits.max_tokens,
        temperature=WARM if fresh else 0.0,
        seed=seed,
        calculator=bool(calculator),
    )
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, [desk.engines["tuned"]]):
                yield View(words)
            if has_failed(engine):
                yield View(status(strings.ASLEEP, kind="hint"), busy=False)
                return
            started = time.monotonic()
            lesson = Lesson()
            with closing(_stream(engine, screening.problem, sampling, place, desk.limits)) as lessons:
                for lesson in lessons:
                    if lesson.phase is Phase.THINKING:
                        yield View(_thinking(lesson, started, strings), render.step_list(lesson, strings.STEPS_LABEL, strings=strings))
            shown, first = lesson, None
            if wants_second_try(lesson):
                steps = render.step_list(lesson, strings.STEPS_LABEL, strings=strings)
                second = Lesson()
                warm = replace(sampling, temperature=WARM, seed=seed + 1)
                with closing(_stream(engine, screening.problem, warm, place, desk.limits)) as lessons:
                    for second in lessons:  # noqa: B007  the last one counts
                        words = strings.SECOND_TRY.format(seconds=int(time.monotonic() - started))
                        yield View(status(words, said=words.split("…")[0]), steps)
                shown = better(lesson, second)
                first = lesson if shown is second else None
            yield _finished(shown, first, bool(calculator) and not engine.calculates, strings)
    except Full:
        yield View(status(strings.FULL, kind="hint"), busy=False)


def _stream(
    engine: Engine, problem: str, sampling: Sampling, place: Place, limits: Limits
) -> Iterator[Lesson]:
    """The lesson as it grows, at most one every FRAME seconds, and the final one."""
    lesson, last = Lesson(), 0.0
    with Race({"tuned": engine}, conversation(problem), sampling, place, limits.max_seconds) as race:
        for _, delta in race:
            if delta is not None:
                lesson = feed(lesson, delta)
            now = time.monotonic()
            if lesson.finish is not None or now - last >= FRAME:
                last = now
                yield lesson


# --- hints before answers -----------------------------------------------------------------------------------


def coach(problem: object, calculator: object, desk: Desk, fresh: bool = False) -> Iterator[View]:
    """Views of a problem being solved out of sight, K times in one batch; the last has the work and its first rung.

    No model is asked for a sum without a story.
    """
    screening, strings = screen(problem), desk.strings
    if screening.finding is not Finding.OK:
        words, card = refusal(screening.finding, strings)
        yield View(words, answer=card, busy=False)
        return
    solved = solve_sum(screening.problem)
    if solved is not None:
        yield opened(Work.of_solved(solved), strings)
        return
    engine = desk.engines["tuned"]
    seed = secrets.randbelow(2**31) if fresh else 0
    sampling = Sampling(
        max_tokens=desk.limits.max_tokens, temperature=TEMPERATURE, seed=seed, calculator=bool(calculator)
    )
    first = _ladder((asked(screening.problem),), strings, doubtful=False)
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, [desk.engines["tuned"]]):
                yield View(words, first)
            if has_failed(engine):
                yield View(status(strings.ASLEEP, kind="hint"), busy=False)
                return
            started, last = time.monotonic(), 0.0
            talk = conversation(screening.problem)
            with Batch(engine, talk, sampling, K, place, desk.limits.max_seconds) as batch:
                for _ in batch:
                    now = time.monotonic()
                    if now - last >= FRAME:
                        last = now
                        words = strings.TRYING.format(seconds=int(now - started))
                        yield View(status(words, said=strings.TRYING_SPOKEN), first)
                replies, failed = batch.replies, batch.failed
        if failed or all(reply.finish == "failed" for reply in replies) and replies:
            yield View(status(strings.PHASES[failed or Phase.FAILED], kind="retry"), busy=False)
        elif not replies:
            yield View(status(strings.PHASES[Phase.CUT_OFF], kind="retry"), busy=False)
        else:
            chances = chances_of(engine, sampling, screening.problem, replies)
            yield opened(Work.of_tries(screening.problem, tries_of(replies, K, chances, screening.problem)), strings)
    except Full:
        yield View(status(strings.FULL, kind="hint"), first, busy=False)


def _ladder(hints: tuple[Hint, ...], strings: Strings, doubtful: bool, ready: bool = False) -> str:
    # Hints that were written for the problem say themselves what to understand; of one that nobody has solved no number is told.
    alone = {Rung.UNDERSTAND: strings.UNDERSTAND_ALONE} if len(hints[0].lines) < 2 else {}
    words = strings.RUNG_WORDS | ({Rung.UNDERSTAND: ""} if ready else alone)
    return render.hint_ladder(hints, strings.LADDER_LABEL, doubtful, words, strings)


def _no_way(work: Work, strings: Strings) -> str:
    """Why there are no hints to trust: the tries went many ways, or none came to an end."""
    return strings.SPLIT if work.tries is not None and work.tries.best is not None else strings.NO_WAY


def doubts(work: Work, strings: Strings = ENGLISH) -> str:
    """What there is to say against the work, as a notice; "" where nothing is."""
    if work.is_sure:
        return ""
    if work.solved is None:
        words = _no_way(work, strings)
    elif work.tries.is_doubted:
        words = strings.AGREE_DOUBTED.format(tries=work.tries.agreement.tries)
    elif work.tries.agreement.is_enough:
        words = strings.SUMS_FAIL
    else:
        words = strings.DISAGREE if work.tries.agreement.rivals else strings.SOME_LOST
    return render.notice(f"{words} {strings.STRONGER}", "warn")


def _shown(work: Work, words: str, strings: Strings, kind: str = "done", said: str = "", **more: object) -> View:
    """The work as it stands."""
    if work.is_whole:
        lesson = work.tries.best if work.tries else lesson_of_steps(work.solved)
        steps = render.step_list(lesson, strings.STEPS_LABEL, strings=strings)
        heading = {} if work.is_sure else {"heading": strings.ONE_WAY_GIVES}
        answer = render.answer_card(lesson, certainty(work, lesson, strings), **heading, strings=strings)
        if any(card.computed for card in lesson.cards):
            answer += render.notice(strings.COMPUTED_KEY, "key")
        answer += render.raw(lesson, strings.RAW, strings) if work.tries else ""
    else:
        ready = work.solved is not None and work.solved.ready is not None
        steps, answer = _ladder(work.hints[: work.shown], strings, not work.is_sure, ready), ""
    # A doubt stands above what it is about: beneath the moves it was read last, on a phone never.
    return View(status(words, kind=kind), doubts(work, strings) + steps, said, answer, busy=False, work=work, **more)


def certainty(work: Work, lesson: Lesson, strings: Strings = ENGLISH) -> tuple[str, ...]:
    """The lines beneath an answer: how sure it is, in words."""
    if work.tries is None:
        return (strings.COMPUTED_ANSWER if work.is_certain else strings.TWIN_ANSWER,)
    agreement = work.tries.agreement
    if work.is_sure:
        words = strings.AGREE if agreement.votes == agreement.tries else strings.MOST_AGREE
        return (words.format(votes=agreement.votes, tries=agreement.tries), strings.AGREE_NO_PROOF)
    notes = _notes(lesson, None, strings)
    if agreement.rivals:
        given = [show(value) for value in (agreement.answer, *agreement.rivals)]
        notes = (strings.DISAGREE_WITH.format(answers=strings.listed(given)), *notes)
    return notes


def opened(work: Work, strings: Strings = ENGLISH) -> View:
    """The first view of a work."""
    if work.solved is None:
        return _shown(work, strings.NO_HINTS, strings, kind="retry")
    if not work.is_sure:
        return _shown(work, strings.READY_DOUBTFUL, strings)
    agreement = work.tries.agreement if work.tries else None
    if agreement is None or agreement.votes == agreement.tries:
        return _shown(work, strings.READY_SURE, strings)
    return _shown(work, strings.READY_MOST.format(votes=agreement.votes, tries=agreement.tries), strings)


def _is_other(work: Work | None, problem: object, strings: Strings) -> View | None:
    """A view that says so where the box holds another problem than the desk."""
    if work is None:
        return View(status(strings.EMPTY_DESK, kind="hint"), busy=False)
    if screen(problem).problem != work.problem:
        return _shown(work, strings.OTHER_PROBLEM, strings, kind="hint")
    return None


def hint(work: Work | None, problem: object, strings: Strings = ENGLISH) -> View:
    """One more rung."""
    other = _is_other(work, problem, strings)
    if other is not None:
        return other
    if work.shown >= len(work.hints):
        return _shown(work, strings.NO_MORE_HINTS if work.solved else strings.NO_HINTS, strings)
    work = replace(work, shown=work.shown + 1)
    return _shown(work, strings.HINT_READY.format(rung=render.rung_name(work.hints[work.shown - 1], strings)), strings)


def whole(work: Work | None, problem: object, strings: Strings = ENGLISH) -> View:
    """All of the solution, once the student has tried or has seen a worked step."""
    other = _is_other(work, problem, strings)
    if other is not None:
        return other
    if not work.may_see_all:
        words = strings.NO_HINTS if work.solved is None else strings.LOCKED if work.locked else strings.FIRST_TRY
        return _shown(work, words, strings, kind="hint")
    work = replace(work, is_whole=True, shown=len(work.hints))
    return _shown(work, strings.WHOLE_SHOWN if work.is_sure else strings.WHOLE_DOUBTFUL, strings)


def check(typed: object, work: Work | None, problem: object, calculator: object, desk: Desk) -> Iterator[View]:
    """Views of a number being checked; a problem that is not on the desk yet is solved first.

    What is no number but a cry for help, or something private, is answered by our words and goes no further.
    """
    finding = screen_answer(typed)
    if finding is not Finding.OK:
        card = refusal(finding, desk.strings)[1] or render.feedback(desk.strings.FINDINGS[finding], "hint")
        still = View(busy=False) if work is None else _shown(work, "", desk.strings)
        yield replace(still, status="", feedback=card)
        return
    if work is None or screen(problem).problem != work.problem:
        for view in coach(problem, calculator, desk):
            yield view
        work = view.work
        if work is None:
            return
    yield checked_view(typed, work, desk.strings)


_NUMBER = re.compile(r"[-−+]?[$€£]?\d(?:[\d.,/ ]{0,14}\d)?%?")


def _as_typed(typed: object, value: Fraction) -> str:
    """The student's number as the student writes it ("3/8", not 0.375), without the unit, which nobody has looked at."""
    written = _NUMBER.match(" ".join(str(typed).split()))
    return written[0] if written and read_typed(written[0]).value == value else show(value)


def checked_view(typed: object, work: Work, strings: Strings = ENGLISH) -> View:
    """The work after the student's number."""
    if work.solved is None:
        words = strings.SAID_NO_WAY if str(typed or "").strip() else strings.SAID_NOTHING
        return _shown(work, strings.NO_HINTS, strings, "retry", render.feedback(words, "hint"))
    reply = judge(typed, work.solved, work.blank, work.tries.agreement.rivals if work.tries else ())
    value = _as_typed(typed, reply.value) if reply.value is not None else ""
    if reply.says in (Says.NOTHING, Says.UNREADABLE):
        words = strings.SAID_NOTHING if reply.says is Says.NOTHING else strings.SAID_UNREADABLE
        return _shown(work, words, strings, said=render.feedback(words, "hint"))
    work = replace(work, tried=True)
    kind = "part"
    if reply.says is Says.SAME:
        kind = "right" if work.is_sure else "part"
        words = strings.SAID_SAME_COMPUTED if work.is_certain else strings.SAID_SAME if work.is_sure else strings.SAID_SAME_DOUBTFUL
    elif reply.says is Says.BLANK:
        words = strings.SAID_BLANK
        work = replace(work, shown=work.shown + 1)  # the worked step, and nothing that was not asked for
    elif reply.says is Says.PARTWAY:
        words = strings.SAID_PARTWAY
    elif reply.says is Says.MISTAKE:
        kind, words = "other", strings.english(reply.words.replace("{", "(").replace("}", ")"))
    elif reply.says is Says.RIVAL:
        kind, words = "other", strings.SAID_RIVAL
    else:
        kind, words = "other", strings.SAID_OTHER if work.is_sure else strings.SAID_OTHER_DOUBTFUL
    words = words.format(value=value, step=reply.step)
    return _shown(work, strings.CHECKED, strings, said=render.feedback(words, kind))


def another(work: Work | None, problem: object, calculator: object, desk: Desk) -> Iterator[View]:
    """Views of one more solution, sampled and shown beneath the first as it grows."""
    strings = desk.strings
    other = _is_other(work, problem, strings)
    if other is not None or not work.is_whole:
        yield other or _shown(work, strings.FIRST_TRY, strings, kind="hint")
        return
    engine, still = desk.engines["tuned"], _shown(work, "", strings)
    sampling = Sampling(
        max_tokens=desk.limits.max_tokens, temperature=WARM, seed=secrets.randbelow(2**31), calculator=bool(calculator)
    )  # fmt: skip
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, [desk.engines["tuned"]]):
                yield replace(still, status=words, busy=True)
            if has_failed(engine):
                yield replace(still, status=status(strings.ASLEEP, kind="hint"))
                return
            started, lesson = time.monotonic(), Lesson()
            with closing(_stream(engine, work.problem, sampling, place, desk.limits)) as lessons:
                for lesson in lessons:
                    if lesson.phase is Phase.THINKING:
                        yield replace(still, status=_thinking(lesson, started, strings), another=_second(work, lesson, strings), busy=True)
            failed = lesson.phase in (Phase.FAILED, Phase.USED_UP)
            words = status(strings.PHASES[lesson.phase], kind="retry") if failed else status(strings.ANOTHER_DONE, kind="done")
            yield replace(still, status=words, another=_second(work, lesson, strings))
    except Full:
        yield replace(still, status=status(strings.FULL, kind="hint"))


def _second(work: Work, lesson: Lesson, strings: Strings) -> str:
    """Another solution, under its own heading, with what it says of the first."""
    body = f'<h3 class="mt-h2">{strings.ANOTHER_TITLE}</h3>' + render.step_list(lesson, strings.ANOTHER_LABEL, strings=strings)
    if lesson.phase is Phase.THINKING:
        return body
    found = lesson.answer.value if lesson.answer is not None else None
    if found is None:
        return body + render.notice(strings.ANOTHER_NONE, "warn")
    first = work.solved.answer
    words = (strings.ANOTHER_SAME if found == first else strings.ANOTHER_OTHER).format(answer=show(found), first=show(first))
    return body + render.notice(words, "said" if found == first and is_sound(lesson) else "warn")


def twin(work: Work | None, problem: object, strings: Strings = ENGLISH) -> View:
    """The same kind of problem with other numbers, laid on the desk; worked out as this one was."""
    other = _is_other(work, problem, strings)
    if other is not None:
        return other
    if not work.may_twin:
        return _shown(work, strings.NO_TWIN, strings, kind="hint")
    made = twin_of(work.solved, random.SystemRandom())
    if made is None:
        return _shown(work, strings.NO_TWIN_HERE, strings, kind="hint")
    return _shown(work.of_twin(made), strings.TWIN_READY, strings, problem=made.problem)


# --- layout and wiring --------------------------------------------------------------------------------------


def kept_locked(views: Generator[View], locked: bool) -> Iterator[View]:
    """The views of one run, with what lies on the desk locked where it is or was."""
    with closing(views):
        for view in views:
            work = view.work
            yield view if work is None else replace(view, work=replace(work, locked=locked or work.locked))


def build(desk: Desk, page: Page) -> tuple[gr.Textbox, list[gr.Component]]:
    """The Learn tab, inside an open `gr.Tab`; returns the box for the problem and what the teacher's link hides."""
    work = gr.State(None, time_to_live=WORK_SECONDS)
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            problem = wiring.problem_box(page, "learn", lines=4)
            with gr.Row(elem_classes="mt-buttons"):
                solve_button = gr.Button(page.HELP_ME, variant="primary", elem_id="learn-solve")
                stop_button = gr.Button(page.STOP, variant="stop", interactive=False, elem_id="learn-stop")
                again_button = gr.Button(page.AGAIN, interactive=False, elem_id="learn-again")
            wiring.examples(page, problem)
            watch = gr.Checkbox(
                value=False, label=page.WATCH, info=page.WATCH_INFO, elem_classes="mt-calculator", elem_id="learn-watch"
            )  # fmt: skip
            calculator = wiring.calculator_box(page)
        with gr.Column(scale=7, min_width=300, elem_classes="mt-right"):
            gr.HTML(page(lambda strings: f'<h2 class="mt-h2">{strings.WORKING}</h2>'))
            status_line = gr.HTML(page(lambda strings: status(strings.START_LEARN, kind="idle")), elem_id="learn-status")
            steps = wiring.live_html("learn-steps")
            with gr.Row(elem_classes="mt-answer-row"):
                typed = gr.Textbox(
                    label=page.YOUR_ANSWER, placeholder=page.YOUR_ANSWER_HINT, max_lines=1, max_length=60,
                    elem_id="learn-typed", elem_classes="mt-typed", scale=3, min_width=160,
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                )  # fmt: skip
                check_button = gr.Button(page.CHECK, elem_id="learn-check", scale=1, min_width=88)
            feedback = gr.HTML("", elem_id="learn-feedback")
            with gr.Row(elem_classes="mt-moves"):
                hint_button, whole_button, another_button, twin_button = (
                    gr.Button(words, interactive=False, elem_id=f"learn-{name}", min_width=120)
                    for name, words in (
                        ("hint", page.NEXT_HINT), ("whole", page.WHOLE), ("another", page.ANOTHER_WAY), ("twin", page.TWIN),
                    )
                )  # fmt: skip
            answer = wiring.live_html("learn-answer")
            another_way = wiring.live_html("learn-second")

    blocks = [steps, feedback, answer, another_way]
    moves = [hint_button, whole_button, another_button, twin_button]
    fields = ("status", "steps", "feedback", "answer", "another")
    outputs, kept = [status_line, *blocks, stop_button], [work, *moves, problem]

    def sorry(strings: Strings) -> View:
        return View(status(strings.SORRY, kind="retry"), busy=False)

    def more(view: View) -> list:
        """Updates of what lies on the desk, of the moves that it allows, and of the box."""
        if view.busy:
            return [gr.skip()] * len(kept)
        now = view.work
        has_way = now is not None and now.solved is not None
        can = (has_way and not now.is_whole, has_way and now.may_see_all and not now.is_whole, has_way and now.is_whole, has_way and now.may_twin)
        new = gr.skip() if view.problem is None else view.problem
        return [now, *(gr.update(interactive=bool(each)) for each in can), new]

    def shown(views, request: gr.Request):
        yield from wiring.updates(kept_locked(views, is_locked(request)), fields, sorry, request, more)

    def start(problem, calculator, watch, request: gr.Request, fresh: bool = False):
        way = solve if watch and not is_locked(request) else coach
        yield from shown(way(problem, calculator, desk.in_language_of(request), fresh=fresh), request)

    def start_again(problem, calculator, watch, request: gr.Request):
        yield from start(problem, calculator, watch, request, fresh=True)

    def check_answer(problem, typed, work, calculator, request: gr.Request):
        yield from shown(check(typed, work, problem, calculator, desk.in_language_of(request)), request)

    def another_solution(problem, work, calculator, request: gr.Request):
        yield from shown(another(work, problem, calculator, desk.in_language_of(request)), request)

    rest = [solve_button, check_button]
    run = {"outputs": outputs, "more": moves, "kept": kept}
    same = [None, None, None, None]
    start_inputs = [problem, calculator, watch]
    events = [
        wiring.run(solve_button, start, start_inputs, empty=["", "", "", ""], resting=rest, again=again_button, api_name="learn_solve", **run),
        wiring.run(again_button, start_again, start_inputs, empty=["", "", "", ""], resting=rest, again=again_button,
                   api_name="learn_again", **run),
        wiring.run(check_button, check_answer, [problem, typed, work, calculator], empty=[None, "", None, None], resting=rest,
                   again=None, api_name="learn_check", **run),
        wiring.run(another_button, another_solution, [problem, work, calculator], empty=[*same[:3], ""], resting=[*rest, another_button],
                   again=None, api_name="learn_another", **run),
    ]  # fmt: skip

    for button, move in ((hint_button, hint), (whole_button, whole), (twin_button, twin)):

        def moved(problem, work, request: gr.Request, move=move):
            yield from shown((view for view in (move(work, problem, spoken(request)),)), request)

        wiring.quick(button, moved, [problem, work], [*outputs, *kept], api_name=f"learn_{move.__name__}")
    wiring.enter(problem, solve_button)
    wiring.enter(typed, check_button)
    wiring.stop(stop_button, events, status_line, problem)
    return problem, [watch, whole_button, another_button]
