"""Compare: the same problem and the same limits, before and after training, side by side and live.

    compare("Ana has 3 apples ...", True, desk)  ->  View(left="<ol>...", right="<ol>...", summary="Both answer 7.")

One generator reads both engine threads: Gradio would run two listeners one after the other, and Stop
would reach only the first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import gradio as gr

from mathtutor.chat import conversation
from mathtutor.engines import Sampling
from mathtutor.tutoring import render
from mathtutor.tutoring.lesson import Lesson, Phase, feed, first_difference
from mathtutor.tutoring.screen import Finding, screen
from ui import strings, wiring
from ui.desk import Desk, refusal, status, wait_for_turn
from ui.streams import FRAME, Full, Race, has_failed

NAMES = {"base": strings.BASE_NAME, "tuned": strings.TUNED_NAME}


@dataclass(frozen=True)
class Side:
    """One model's lesson and how long it took, in seconds since both began."""

    lesson: Lesson = Lesson()
    first: float | None = None  # until its first text
    seconds: float = 0.0


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment, as HTML."""

    status: str = ""
    left: str = ""
    right: str = ""
    summary: str = ""
    busy: bool = True


def _figures(side: Side) -> str:
    rate = f" · {side.lesson.num_tokens / side.seconds:.0f} a second" if side.seconds > 0.2 else ""
    return f"{side.lesson.num_tokens} tokens · {side.seconds:.1f} s{rate}"


def pane(name: str, engine_name: str, side: Side, failed: bool = False, differs_at: int | None = None) -> str:
    """One side: its name, figures, steps, and how it ended. `differs_at` counts steps from 1."""
    lesson = side.lesson
    head = (
        f'<header class="mt-pane-head"><h2>{NAMES[name]}</h2><p class="mt-model">{escape(engine_name)}</p>'
        f'<p class="mt-figures" aria-hidden="true">{_figures(side)}</p></header>'
    )
    if failed:
        return head + render.notice(strings.ASLEEP, "warn")
    mark = (differs_at, strings.DIFFERS) if differs_at else None
    body = render.step_list(lesson, f"{NAMES[name]}: {strings.STEPS_LABEL}", mark)
    body += render.answer_card(lesson, label=f"{NAMES[name]}: {strings.ANSWER_LABEL}")
    if lesson.phase not in (Phase.THINKING, Phase.ANSWERED):
        body += render.notice(strings.COMPARE_PHASES[lesson.phase], "warn")
    return head + body + (render.raw(lesson, strings.RAW) if lesson.finish else "")


def where_they_differ(parting: tuple[int | None, int | None] | None) -> str:
    """The sentence for `first_difference` of the base's and the tuned model's lesson."""
    match parting:
        case None:
            return strings.SAME_STEPS
        case (None, step):
            return strings.MORE_STEPS.format(longer="tuned", step=step)
        case (step, None):
            return strings.MORE_STEPS.format(longer="base", step=step)
        case (base, tuned) if base != tuned:
            return strings.FIRST_DIFFERENCES.format(base=base, tuned=tuned)
        case (step, _):
            return strings.FIRST_DIFFERENCE.format(step=step)


def summary(sides: dict[str, Side], parting: tuple[int | None, int | None] | None) -> str:
    """What the two replies have in common, once both have ended; `parting` is where they first differ."""
    answers = {name: render.answer_text(sides[name].lesson) for name in sides}
    if answers["base"] and answers["base"] == answers["tuned"]:
        lines = [strings.SAME_ANSWER.format(answer=answers["base"])]
    else:
        shown = {name: text or strings.NO_ANSWER_SHORT for name, text in answers.items()}
        lines = [strings.OTHER_ANSWERS.format(**shown)]
    if any(side.lesson.cards for side in sides.values()):
        lines.append(where_they_differ(parting))
    items = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'<section class="mt-summary" aria-label="Summary">{items}</section>'


def compare(problem: object, calculator: object, desk: Desk) -> Iterator[View]:
    """Views of one run of both engines; each pane is as live as its engine."""
    screening = screen(problem)
    if screening.finding is not Finding.OK:
        words, card = refusal(screening.finding)
        yield View(words, summary=card, busy=False)
        return
    failed = {name: False for name in desk.engines}
    sides = {name: Side() for name in desk.engines}

    def view(words: str, busy: bool = True, about: str = "", parting: tuple | None = None) -> View:
        marks = dict(zip(("base", "tuned"), parting or (None, None), strict=True))
        panes = {name: pane(name, desk.engines[name].name, sides[name], failed[name], marks[name]) for name in sides}
        return View(words, panes["base"], panes["tuned"], about, busy)

    sampling = Sampling(max_tokens=desk.limits.max_tokens, calculator=bool(calculator))
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, tuple(desk.engines)):
                yield view(words)
            failed = {name: has_failed(engine) for name, engine in desk.engines.items()}
            running = {name: engine for name, engine in desk.engines.items() if not failed[name]}
            started, last = time.monotonic(), 0.0
            with Race(
                running, conversation(screening.problem), sampling, place, desk.limits.max_seconds
            ) as race:
                for name, delta in race:
                    now = time.monotonic()
                    for side_name, side in sides.items():
                        if side.lesson.finish is None and not failed[side_name]:
                            lesson = feed(side.lesson, delta) if side_name == name else side.lesson
                            first = now - started if side.first is None and lesson.text else side.first
                            sides[side_name] = Side(lesson, first, now - started)
                    if now - last >= FRAME:
                        last = now
                        yield view(_busy(sides, now - started))
            if any(failed.values()):
                yield view(status(strings.ASLEEP, kind="hint"), busy=False)
                return
            parting = first_difference(sides["base"].lesson, sides["tuned"].lesson)
            yield view(
                status(strings.COMPARE_DONE, kind="done"), busy=False, about=summary(sides, parting), parting=parting
            )
    except Full:
        yield View(status(strings.FULL, kind="hint"), busy=False)


def _busy(sides: dict[str, Side], seconds: float) -> str:
    finished = [NAMES[name] for name, side in sides.items() if side.lesson.finish is not None]
    spoken = f"{finished[0]}: {strings.FINISHED}" if finished else strings.THINKING
    return status(strings.COMPARE_BUSY.format(seconds=int(seconds)), spoken=spoken)


def build(desk: Desk) -> gr.Textbox:
    """The Compare tab, inside an open `gr.Tab`; returns the box for the problem."""
    empty = {name: pane(name, engine.name, Side()) for name, engine in desk.engines.items()}
    gr.HTML(f'<p class="mt-lead">{strings.COMPARE_INTRO}</p>')
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=7, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            problem = wiring.problem_box("compare", lines=3)
            with gr.Row(elem_classes="mt-buttons"):
                go_button = gr.Button(strings.COMPARE, variant="primary", elem_id="compare-solve")
                stop_button = gr.Button(
                    strings.STOP, variant="stop", interactive=False, elem_id="compare-stop"
                )
        with gr.Column(scale=5, min_width=300, elem_classes="mt-left"):
            wiring.examples(problem)
            calculator = wiring.calculator_box()
    status_line = gr.HTML(status(strings.START, kind="idle"), elem_id="compare-status")
    about = gr.HTML("", elem_id="compare-summary")
    with gr.Row(elem_classes="mt-panes"):
        with gr.Column(min_width=300, elem_classes="mt-pane"):
            left = wiring.live_html("compare-left", empty["base"])
        with gr.Column(min_width=300, elem_classes="mt-pane"):
            right = wiring.live_html("compare-right", empty["tuned"])
    fields = ("status", "left", "right", "summary")
    sorry = View(status(strings.SORRY, kind="hint"), busy=False)

    def compare_both(problem, calculator, request: gr.Request):
        yield from wiring.updates(compare(problem, calculator, desk), fields, sorry, request)

    event = wiring.run(
        go_button, compare_both, [problem, calculator], [status_line, left, right, about, stop_button],
        [empty["base"], empty["tuned"], ""], resting=[go_button], again=None, api_name="compare",
    )  # fmt: skip
    wiring.enter(problem, go_button)
    wiring.stop(stop_button, [event], status_line, problem)
    return problem
