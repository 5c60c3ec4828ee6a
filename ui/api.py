"""The public endpoints `solve`, `check_work` and `twin`: for `gradio_client`, plain HTTP, and as tools by MCP.

    Client(url).predict("Ana has 3 apples and buys 4 more. How many?", api_name="/solve")
        {"steps": ["3 + 4 = 7"], "checks": [{"state": "ok", ...}], "answer": "7", "agreement": {"votes": 5, "tries": 5, ...}, ...}

They do what the page does, in the same waiting line, by the same limits, screening and agreement: each is the last view of
the page's own run, as data. None of them raises; "says" holds the sentence that the page would show. Nothing else is public.

Gradio reads a return annotation as it stands, and a string has no schema: hence no `from __future__ import annotations`.
"""

import json
import logging
from collections.abc import Generator
from contextlib import closing
from html import unescape
from re import sub
from typing import Any, Literal, TypedDict

import gradio as gr
import gradio.mcp
from gradio.mcp import GradioMCPServer

from mathtutor.engines import where
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, StepCheck
from mathtutor.strings import unmarked
from mathtutor.tutoring.lesson import Lesson
from mathtutor.tutoring.tries import Tries, lesson_of_steps
from ui import check, learn, wiring
from ui.desk import Desk
from ui.gate import RUNS
from ui.language import spoken
from ui.lock import is_locked

log = logging.getLogger("mathtutor.app")


class Check(TypedDict):
    """What recomputing the sums of one step found. A checked sum can still answer the wrong question."""

    state: Literal["ok", "wrong", "nothing"]
    sums: int
    wrong: list[str]  # the sums that do not add up, as written


class Agreement(TypedDict):
    """`votes` of `tries` arrive at the first of `answers`; "agreed": all of them do by sums that check, or where they are
    weighed (Pocket's) most do, all where the problem has few numbers, in ways that are likely right; "doubtful": `says` tells why; "computed": a sum without a story, for which no model was asked."""

    standing: Literal["agreed", "doubtful", "none", "computed"]
    votes: int
    tries: int
    answers: list[str]


class Solution(TypedDict):
    """`answer` is null unless the tries are "agreed" or it is computed; `checks` has one entry a step."""

    steps: list[str]
    checks: list[Check]
    answer: str | None
    agreement: Agreement
    says: str


class Line(TypedDict):
    """A line of the student's work and its mark; "not read": it stands after the doubtful one."""

    text: str
    mark: Literal["fine", "doubt", "nothing", "not read"]


class CheckedWork(TypedDict):
    """`line` is the first doubtful one, from 1, and `question` what to ask about it; "unchecked": `says` tells why.

    `beside` is what the lines were laid beside: a worked solution of the bank, exact arithmetic, our own, or nothing but the
    sums in them.
    """

    verdict: Literal["right", "right so far", "doubt", "sums check", "nothing", "unchecked"]
    lines: list[Line]
    line: int | None
    kind: str | None
    question: str
    beside: Literal["bank", "computed", "own", "nothing"]
    says: str


class Twin(TypedDict):
    """The same story with other numbers, its answer worked out as the first problem's was: where that way is wrong, so is this.
    All empty where the tries at the first one do not all agree or are in doubt, and where its way cannot be followed with other numbers."""

    problem: str | None
    steps: list[str]
    answer: str | None
    says: str


UNSOLVED = Agreement(standing="none", votes=0, tries=0, answers=[])


def plain(html: str) -> str:
    """The words of a status line or a card."""
    return " ".join(unmarked(unescape(sub(r"<[^>]+>", " ", html))).split())


def _said(view: Any) -> str:
    return plain(view.status) or plain(getattr(view, "answer", "") or getattr(view, "note", ""))


def _last(views: Generator, request: gr.Request | None) -> Any:
    """The last view of a run that somebody listens to; None where the run broke down."""
    last = None
    try:
        with closing(views):
            for last in views if request is None else wiring.heard(views, request):  # noqa: B007
                pass
    except Exception as error:
        log.error("a run failed: %s", where(error))
        return None
    return last


def _check_of(step: StepCheck) -> Check:
    wrong = [step.step.text[found.claim.start : found.claim.end] for found in step.claims if found.state is State.WRONG]
    return Check(state=step.state.value, sums=len(step.claims), wrong=wrong)


def _agreement_of(work: learn.Work) -> Agreement:
    if work.tries is None:
        return Agreement(standing="computed", votes=0, tries=0, answers=[show(work.solved.answer)])
    tries = work.tries
    found = tries.agreement
    answers = [] if found.answer is None else [show(value) for value in (found.answer, *found.rivals)]
    return Agreement(standing=tries.standing.value, votes=found.votes, tries=found.tries, answers=answers)


def solution_of(problem: object, desk: Desk, locked: bool = False, request: gr.Request | None = None) -> Solution:
    """`solve` for a request; under the teacher's lock nothing is solved."""
    strings = spoken(request)
    if locked:
        return Solution(steps=[], checks=[], answer=None, agreement=UNSOLVED, says=strings.LOCKED)
    view = _last(learn.coach(problem, True, desk.in_language_of(request)), request)
    if view is None or view.work is None:
        says = strings.SORRY if view is None or view.busy else _said(view)
        return Solution(steps=[], checks=[], answer=None, agreement=UNSOLVED, says=says)
    tries: Tries | None = view.work.tries
    best: Lesson = lesson_of_steps(view.work.solved) if tries is None else tries.best or Lesson()
    checks = [card.check for card in best.cards]
    agreed = view.work.is_sure
    says = learn.certainty(view.work, best, strings)[0] if agreed else plain(learn.doubts(view.work, strings))
    return Solution(
        steps=[each.step.text for each in checks],
        checks=[_check_of(each) for each in checks],
        answer=show(view.work.solved.answer) if agreed else None,
        agreement=_agreement_of(view.work),
        says=says,
    )


def checked_work_of(problem: object, lines: object, desk: Desk, request: gr.Request | None = None) -> CheckedWork:
    """`check_work` for a request; `lines` may be one text too."""
    strings = spoken(request)
    text = "\n".join(each for each in lines if isinstance(each, str)) if isinstance(lines, list) else lines
    view = _last(check.check(problem, text, desk.in_language_of(request)), request)
    if view is None or view.checked is None:
        says = strings.SORRY if view is None or view.busy else _said(view)
        return CheckedWork(verdict="unchecked", lines=[], line=None, kind=None, question="", beside="nothing", says=says)
    found, solution = view.checked.found, view.checked.solution
    return CheckedWork(
        verdict=found.verdict.value,
        lines=[Line(text=line, mark=mark.value) for line, mark in zip(view.checked.lines, found.marks, strict=True)],
        line=None if found.at is None else found.at + 1,
        kind=None if found.kind is None else found.kind.value,
        question=found.question,
        beside=solution.source or "nothing",
        says=" ".join(filter(None, (plain(view.status), plain(view.note)))),
    )


def twin_of(problem: object, desk: Desk, locked: bool = False, request: gr.Request | None = None) -> Twin:
    """`twin` for a request; under the teacher's lock without its steps and answer."""
    strings = spoken(request)
    view = _last(learn.coach(problem, True, desk.in_language_of(request)), request)
    if view is None or view.work is None:
        return Twin(problem=None, steps=[], answer=None, says=strings.SORRY if view is None or view.busy else _said(view))
    made = learn.twin(view.work, problem, strings)
    if made.problem is None:
        return Twin(problem=None, steps=[], answer=None, says=_said(made))
    solved = made.work.solved
    if locked:
        return Twin(problem=solved.problem, steps=[], answer=None, says=_said(made))
    says = _said(made) if made.work.is_certain else f"{_said(made)} {strings.TWIN_ANSWER}"
    return Twin(problem=solved.problem, steps=list(solved.steps), answer=show(solved.answer), says=says)


class JsonTools(GradioMCPServer):
    """Gradio's MCP server, with the results of tools as JSON: it would hand out Python's `repr`, which few programs read."""

    def postprocess_output_data(self, data: Any, root_url: str) -> list:
        return [self.types.TextContent(type="text", text=json.dumps(output, ensure_ascii=False)) for output in data]


gradio.mcp.GradioMCPServer = JsonTools  # where `launch` looks for it; there is no setting


def build(desk: Desk) -> None:
    """Declare the endpoints, inside open `gr.Blocks`. Their names and docstrings are what an MCP client sees."""

    def solve(problem: str, request: gr.Request) -> Solution:
        """Solve a grade-school word problem in checked steps, several times over, and give the answer only where the page is sure
        of its tries (enough of them agree, by sums that check, in a way that is likely right).

        Args:
            problem: the whole word problem in English, with its numbers, at most 2,000 characters
        """
        return solution_of(problem, desk, is_locked(request), request)

    def check_work(problem: str, lines: list[str], request: gr.Request) -> CheckedWork:
        """Look through a student's own steps for the first doubtful line, and ask a question about it that gives no answer away.

        Args:
            problem: the whole word problem in English, with its numbers, at most 2,000 characters
            lines: the student's steps, one each, such as "12 - 5 = 7 pens are left"
        """
        return checked_work_of(problem, lines, desk, request)

    def twin(problem: str, request: gr.Request) -> Twin:
        """Make a twin of a word problem: the same story with other numbers, its answer worked out as the first one was, if every try
        at that one agrees. Where that way is wrong, so is the twin's answer.

        Args:
            problem: the whole word problem in English, with its numbers, at most 2,000 characters
        """
        return twin_of(problem, desk, is_locked(request), request)

    for endpoint in (solve, check_work, twin):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_id=RUNS, concurrency_limit=wiring.CONCURRENCY)
