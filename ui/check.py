"""Check my work: the student's own lines, each marked, and a question about the first doubtful one.

    check("Ana has 12 pens ...", "12 - 5 = 7\\n7 + 9 = 15", desk)  ->  View("Working it out myself first… 1 s"), ..., View(lines="<ol>...")

What the lines are laid beside is a worked solution of the bank, where the problem is one of its practice problems, what exact arithmetic gives for a sum without a story, else our
own: several tries, out of sight, that must all arrive at one answer by sums that check. Where they do not, only the
student's sums are checked, and the page says so. These tries are counted and never weighed by `verifier`: what its chances
are worth was measured on five sampled tries, and here are three, the first of them the most likely reply.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import gradio as gr

from mathtutor.bank.families import Instance
from mathtutor.chat import conversation
from mathtutor.engines import Engine, Sampling
from mathtutor.strings import Strings
from mathtutor.tutoring import render
from mathtutor.tutoring.agreement import tally
from mathtutor.tutoring.diagnosis import MAX_LINES, Diagnosis, Verdict, diagnose
from mathtutor.tutoring.lesson import Lesson, Phase, feed
from mathtutor.tutoring.screen import MAX_CHARS, Finding, clean, screen
from mathtutor.tutoring.sums import solve_sum
from ui import wiring
from ui.desk import Desk, refusal, status, wait_for_turn
from ui.language import Page
from ui.practice import known_problem
from ui.streams import FRAME, Full, Place, Race, has_failed

TRIES = 3  # own solutions that must agree before a student's line is doubted by them
WARM = 0.7  # temperature of all but the first


@dataclass(frozen=True)
class Solution:
    """Steps to lay beside a student's, and where they come from: "bank", "computed", "own", or "" where there are none to trust."""

    steps: tuple[str, ...] | None
    answer: Fraction | None
    source: str


@dataclass(frozen=True)
class Checked:
    """The student's lines, what was found in them, and what they were laid beside."""

    lines: list[str]
    found: Diagnosis
    solution: Solution


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment, as HTML; the last one of work that could be checked has it as `checked` too."""

    status: str = ""
    lines: str = ""
    note: str = ""
    busy: bool = True
    checked: Checked | None = None


def check(problem: object, work: object, desk: Desk) -> Iterator[View]:
    """Views of one check. Nothing of what was typed is kept."""
    strings = desk.strings
    refused = _refused(problem, work, strings)
    if refused is not None:
        yield refused
        return
    question = screen(problem).problem
    lines = [line.strip() for line in clean(work).split("\n") if line.strip()][:MAX_LINES]
    known = known_problem(question) or solve_sum(question)
    if known is not None:
        source = "bank" if isinstance(known, Instance) else "computed"
        yield _result(question, lines, Solution(known.steps, known.answer, source), strings)
        return
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, [desk.engines["tuned"]]):
                yield View(words)
            solution = Solution(None, None, "")
            if not has_failed(desk.engines["tuned"]):
                with closing(_own_solution(desk, question, place)) as tries:
                    for step in tries:
                        if isinstance(step, Solution):
                            solution = step
                        else:
                            yield View(step)
            yield _result(question, lines, solution, strings)
    except Full:
        yield View(status(strings.FULL, kind="hint"), busy=False)


def _refused(problem: object, work: object, strings: Strings) -> View | None:
    """What is shown where the problem or the lines must not be worked on."""
    finding = screen(problem).finding
    if finding is not Finding.WORRY:
        about_work = screen(work).finding
        if about_work in (Finding.WORRY, Finding.PERSONAL, Finding.TOO_LONG):
            finding = about_work
    if finding is Finding.EMPTY:
        return View(status(strings.CHECK_START, kind="hint"), busy=False)
    if finding is not Finding.OK:
        words, card = refusal(finding, strings)
        return View(words, note=card, busy=False)
    if not any(char.isalnum() for char in clean(work)):
        return View(status(strings.CHECK_NO_LINES, kind="hint"), busy=False)
    return None


def _own_solution(desk: Desk, problem: str, place: Place) -> Iterator[str | Solution]:
    """Status lines while our tries run; last, the solution that all agree on, or one without steps."""
    started, tries = time.monotonic(), []
    for number in range(TRIES):
        sampling = Sampling(desk.limits.max_tokens, 0.0 if number == 0 else WARM, seed=number)
        with closing(_stream(desk.engines["tuned"], problem, sampling, place, desk.limits.max_seconds)) as lessons:
            for lesson in lessons:  # noqa: B007  the last one counts
                words = desk.strings.CHECK_SOLVING.format(seconds=int(time.monotonic() - started))
                yield status(words, said=words.split("…")[0])
        tries.append(lesson)
        if _answer(lesson) is None or len({_answer(each) for each in tries}) > 1:
            break  # one that differs settles it: all must agree
    agreed = tally(_answer(each) for each in tries)
    if agreed.answer is None or agreed.votes < TRIES:
        yield Solution(None, None, "")
    else:
        yield Solution(tuple(card.text for card in tries[0].cards), agreed.answer, "own")


def _answer(lesson: Lesson) -> Fraction | None:
    """The answer of a try that ended by itself with sums that check, else None."""
    trusted = lesson.phase is Phase.ANSWERED and lesson.first_wrong is None and lesson.verdict.answer_matches_last_step is not False
    return lesson.answer.value if trusted and lesson.answer is not None else None


def _stream(engine: Engine, problem: str, sampling: Sampling, place: Place, max_seconds: float) -> Iterator[Lesson]:
    lesson, last = Lesson(), 0.0
    with Race({"tuned": engine}, conversation(problem), sampling, place, max_seconds) as race:
        for _, delta in race:
            if delta is not None:
                lesson = feed(lesson, delta)
            now = time.monotonic()
            if lesson.finish is not None or now - last >= FRAME:
                last = now
                yield lesson


def _result(problem: str, lines: list[str], solution: Solution, strings: Strings) -> View:
    """The last view: every line marked, and what the marks rest on."""
    found = diagnose(problem, lines, solution.steps, solution.answer, strings=strings)
    marked = render.work_list(lines, found, strings.CHECK_LINES_LABEL, strings)
    return View(_words(found, strings), marked, _note(found, solution, strings), busy=False, checked=Checked(lines, found, solution))


def _words(found: Diagnosis, strings: Strings) -> str:
    if found.verdict is Verdict.DOUBT:
        return status(strings.CHECK_DOUBT.format(line=found.at + 1), kind="done")
    return status(strings.CHECK_VERDICTS[found.verdict], kind="done" if found.verdict is not Verdict.NOTHING else "hint")


def _note(found: Diagnosis, solution: Solution, strings: Strings) -> str:
    if found.verdict is Verdict.NOTHING:
        return ""
    if found.verdict is Verdict.RIGHT:
        return render.notice(strings.CHECK_RIGHT_OWN if solution.source == "own" else strings.CHECK_RIGHT_NOTE, "good")
    notes = []
    if found.verdict is Verdict.RIGHT_SO_FAR:
        notes.append(render.notice(strings.CHECK_GO_ON, "good"))
    if solution.steps is None:
        notes.append(render.notice(strings.CHECK_UNSURE, "warn"))
    elif solution.source == "own":
        notes.append(render.notice(strings.CHECK_OWN, "key"))
    return "".join(notes)


def carry_over(tab: gr.Tab, learned: gr.Textbox, box: gr.Textbox) -> None:
    """Opening the tab fills its empty box with the problem being practised, else with that of Learn, in the page alone.

    As `wiring.carry_over`: looked at and written in one go, and `tab` renders its children before it is opened.
    """
    carry = f"""(theirs) => {{
        const box = document.querySelector('#{box.elem_id} textarea');
        const text = document.querySelector('#practice-problem .mt-task-text')?.textContent || theirs;
        if (!box || box.value || !text) return;
        box.value = text;
        box.dispatchEvent(new Event('input', {{bubbles: true}}));
    }}"""
    tab.select(None, learned, None, js=carry, api_visibility="private", show_progress="hidden")


def build(desk: Desk, page: Page) -> tuple[gr.Textbox, gr.Textbox]:
    """The Check tab, inside an open `gr.Tab`; returns the boxes for the problem and for the lines."""
    gr.HTML(page(lambda strings: f'<p class="mt-lead">{strings.CHECK_INTRO}</p>'))
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            problem = wiring.problem_box(page, "check", lines=3)
            work = gr.Textbox(
                label=page.CHECK_WORK_LABEL, placeholder=page.CHECK_WORK_HINT, lines=6, max_lines=16, max_length=MAX_CHARS + 1,
                elem_id="check-work", elem_classes="mt-problem", html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )  # fmt: skip
            with gr.Row(elem_classes="mt-buttons"):
                check_button = gr.Button(page.CHECK_BUTTON, variant="primary", elem_id="check-solve")
                stop_button = gr.Button(page.STOP, variant="stop", interactive=False, elem_id="check-stop")
        with gr.Column(scale=7, min_width=300, elem_classes="mt-right"):
            gr.HTML(page(lambda strings: f'<h2 class="mt-h2">{strings.CHECK_RESULT}</h2>'))
            status_line = gr.HTML(page(lambda strings: status(strings.CHECK_START, kind="idle")), elem_id="check-status")
            marked = gr.HTML("", elem_id="check-lines")
            note = gr.HTML("", elem_id="check-note")
    fields = ("status", "lines", "note")

    def sorry(strings: Strings) -> View:
        return View(status(strings.SORRY, kind="retry"), busy=False)

    def check_lines(problem, work, request: gr.Request):
        yield from wiring.updates(check(problem, work, desk.in_language_of(request)), fields, sorry, request)

    event = wiring.run(
        check_button, check_lines, [problem, work], [status_line, marked, note, stop_button], ["", ""],
        resting=[check_button], again=None, api_name="check_lines",
    )  # fmt: skip
    wiring.enter(work, check_button)
    wiring.stop(stop_button, [event], status_line, work)
    return problem, work
