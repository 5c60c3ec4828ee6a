"""Learn: one problem, its working step by step.

    solve("Ana has 3 apples ...", True, desk)  ->  View("You are next.", ...), View("Working it out… 1 s", ...), ...

`solve` is a plain generator of views and knows nothing of Gradio; `build` lays the tab out and wires it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import gradio as gr

from mathtutor.chat import conversation
from mathtutor.engines import Engine, Sampling
from mathtutor.tutoring import render
from mathtutor.tutoring.lesson import Lesson, Phase, better, feed, wants_second_try
from mathtutor.tutoring.screen import Finding, screen
from ui import strings, wiring
from ui.desk import Desk, refusal, status, wait_for_turn
from ui.streams import FRAME, Full, Limits, Place, Race, has_failed

WARM = 0.7  # temperature of a second try: the greedy one would only repeat the first


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment, as HTML."""

    status: str = ""
    steps: str = ""
    answer: str = ""
    busy: bool = True


def _thinking(lesson: Lesson, started: float) -> str:
    seconds = int(time.monotonic() - started)
    words = strings.THINKING_FOR.format(seconds=seconds) if seconds else strings.THINKING
    spoken = strings.STEP_READY.format(step=lesson.cards[-1].number) if lesson.cards else strings.THINKING
    return status(words, spoken)


def _finished(lesson: Lesson, first: Lesson | None, no_calculator: bool) -> View:
    """The last view of a run. `first` is a try that was replaced, shown raw beneath."""
    words = strings.PHASES[lesson.phase]
    kind = "done" if lesson.phase is Phase.ANSWERED else "retry"
    answer = render.answer_card(lesson, _notes(lesson, first))
    if no_calculator:
        answer += render.notice(strings.NO_CALCULATOR, "key")
    elif any(card.computed for card in lesson.cards):
        answer += render.notice(strings.COMPUTED_KEY, "key")
    answer += render.raw(lesson, strings.RAW) + (render.raw(first, strings.RAW_FIRST) if first else "")
    return View(status(words, kind=kind), render.step_list(lesson, strings.STEPS_LABEL), answer, busy=False)


def _notes(lesson: Lesson, first: Lesson | None) -> tuple[str, ...]:
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
    screening = screen(problem)
    if screening.finding is not Finding.OK:
        words, card = refusal(screening.finding)
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
            for words in wait_for_turn(desk, place, ("tuned",)):
                yield View(words)
            if has_failed(engine):
                yield View(status(strings.ASLEEP, kind="hint"), busy=False)
                return
            started = time.monotonic()
            lesson = Lesson()
            with closing(_stream(engine, screening.problem, sampling, place, desk.limits)) as lessons:
                for lesson in lessons:
                    if lesson.phase is Phase.THINKING:
                        yield View(_thinking(lesson, started), render.step_list(lesson, strings.STEPS_LABEL))
            shown, first = lesson, None
            if wants_second_try(lesson):
                steps = render.step_list(lesson, strings.STEPS_LABEL)
                second = Lesson()
                warm = replace(sampling, temperature=WARM, seed=seed + 1)
                with closing(_stream(engine, screening.problem, warm, place, desk.limits)) as lessons:
                    for second in lessons:  # noqa: B007  the last one counts
                        words = strings.SECOND_TRY.format(seconds=int(time.monotonic() - started))
                        yield View(status(words, spoken=words.split("…")[0]), steps)
                shown = better(lesson, second)
                first = lesson if shown is second else None
            yield _finished(shown, first, no_calculator=bool(calculator) and not engine.calculates)
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


def build(desk: Desk) -> gr.Textbox:
    """The Learn tab, inside an open `gr.Tab`; returns the box for the problem."""
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            problem = wiring.problem_box("learn", lines=4)
            with gr.Row(elem_classes="mt-buttons"):
                solve_button = gr.Button(strings.SOLVE, variant="primary", elem_id="learn-solve")
                stop_button = gr.Button(strings.STOP, variant="stop", interactive=False, elem_id="learn-stop")
                again_button = gr.Button(strings.AGAIN, interactive=False, elem_id="learn-again")
            wiring.examples(problem)
            calculator = wiring.calculator_box()
        with gr.Column(scale=7, min_width=300, elem_classes="mt-right"):
            gr.HTML(f'<h2 class="mt-h2">{strings.WORKING}</h2>')
            status_line = gr.HTML(status(strings.START, kind="idle"), elem_id="learn-status")
            steps = wiring.live_html("learn-steps")
            answer = wiring.live_html("learn-answer")
    fields = ("status", "steps", "answer")
    sorry = View(status(strings.SORRY, kind="retry"), busy=False)

    def solve_first(problem, calculator, request: gr.Request):
        yield from wiring.updates(solve(problem, calculator, desk), fields, sorry, request)

    def solve_again(problem, calculator, request: gr.Request):
        yield from wiring.updates(solve(problem, calculator, desk, fresh=True), fields, sorry, request)

    events = [
        wiring.run(
            button, handler, [problem, calculator], [status_line, steps, answer, stop_button], ["", ""],
            resting=[solve_button], again=again_button, api_name=name,
        )
        for button, handler, name in ((solve_button, solve_first, "solve"), (again_button, solve_again, "solve_again"))
    ]  # fmt: skip
    wiring.enter(problem, solve_button)
    wiring.stop(stop_button, events, status_line, problem)
    return problem
