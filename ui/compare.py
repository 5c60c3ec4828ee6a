"""Compare: the same problem and the same limits for two models, side by side and live, with their names or without.

    compare("Ana has 3 apples ...", True, desk, Choice())  ->  View(left="<ol>...", right="<ol>...", summary="Both answer 7.")

One generator reads both engine threads: Gradio would run two listeners one after the other, and Stop
would reach only the first. Who wants to judge without knowing who is who sees neither names nor figures, and the
sides change places by chance, until the votes are given.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import escape

import gradio as gr

from mathtutor.chat import conversation
from mathtutor.engines import Sampling
from mathtutor.engines.models import TooLarge
from mathtutor.strings import ENGLISH, Strings
from mathtutor.tutoring import render
from mathtutor.tutoring.lesson import Lesson, Phase, feed, first_difference
from mathtutor.tutoring.proofs import DELIMITERS, proof_markdown
from mathtutor.tutoring.screen import Finding, screen
from ui import wiring
from ui.desk import Desk, refusal, status, wait_for_turn
from ui.items import Item, draw, sets
from ui.items import title as title_of_set
from ui.language import Page, spoken
from ui.lock import is_locked
from ui.streams import FRAME, Full, Race, has_failed
from ui.votes import CLEARER, RIGHT, Votes

SIDES = ("left", "right")
ROUND_SECONDS = 1800  # that a round is kept for its votes
LONG_SECONDS = 300.0  # for models that write more than the page's own limit: others wait in line meanwhile


def part_of(name: str, strings: Strings) -> str:
    """What a model is in the page's own pair; "" for every other."""
    return {"base": strings.BASE_NAME, "tuned": strings.TUNED_NAME}.get(name, "")


@dataclass(frozen=True)
class Choice:
    """Two models by their names on the shelf, and whether their names are shown."""

    left: str = "base"
    right: str = "tuned"
    blind: bool = False


@dataclass(frozen=True)
class Side:
    """One model's lesson and how long it took, in seconds since both began."""

    lesson: Lesson = Lesson()
    first: float | None = None  # until its first text
    seconds: float = 0.0
    failed: bool = False


@dataclass(frozen=True)
class Round:
    """A comparison: the models by side, in the places they were shown in, and what they wrote."""

    names: dict[str, str]  # side -> name on the shelf
    titles: dict[str, str]  # side -> what the page calls the model
    blind: bool
    proof: dict[str, bool] = field(default_factory=dict)  # side -> whether it writes proofs, which nobody checks step by step
    sides: dict[str, Side] = field(default_factory=lambda: {side: Side() for side in SIDES})
    item: Item | None = None

    def heading(self, side: str, strings: Strings) -> str:
        """A side's name as long as it may not be known, its part in the page's own pair, or its title."""
        if self.blind:
            return strings.SIDE_NAMES[side]
        return part_of(self.names[side], strings) or self.titles[side]


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment, as HTML; `round` once both have ended."""

    status: str = ""
    left: str = ""
    right: str = ""
    left_proof: str = ""  # Markdown; "" for a side that writes steps
    right_proof: str = ""
    summary: str = ""
    busy: bool = True
    round: Round | None = None


def _figures(side: Side, strings: Strings) -> str:
    figures = strings.FIGURES.format(tokens=side.lesson.num_tokens, seconds=f"{side.seconds:.1f}")
    if side.seconds <= 0.2:
        return figures
    return f"{figures} · {strings.FIGURES_RATE.format(rate=f'{side.lesson.num_tokens / side.seconds:.0f}')}"


def pane(now: Round, name: str, strings: Strings, differs_at: int | None = None) -> str:
    """One side: its name, figures, steps, and how it ended. `differs_at` counts steps from 1."""
    side, heading = now.sides[name], now.heading(name, strings)
    lesson = side.lesson
    title = "" if now.blind else f'<p class="mt-model">{escape(now.titles[name])}</p>'
    figures = "" if now.blind else f'<p class="mt-figures" aria-hidden="true">{_figures(side, strings)}</p>'
    head = f'<header class="mt-pane-head"><h2>{escape(heading)}</h2>{title}{figures}</header>'
    if side.failed:
        return head + render.notice(strings.ASLEEP, "warn")
    if now.proof.get(name):
        return head + _ending(lesson, strings)
    mark = (differs_at, strings.DIFFERS) if differs_at else None
    body = render.step_list(lesson, f"{heading}: {strings.STEPS_LABEL}", mark, strings)
    body += render.answer_card(lesson, label=f"{heading}: {strings.ANSWER_LABEL}", strings=strings)
    return head + body + _ending(lesson, strings) + (render.raw(lesson, strings.RAW, strings) if lesson.finish else "")


def _ending(lesson: Lesson, strings: Strings) -> str:
    if lesson.phase in (Phase.THINKING, Phase.ANSWERED):
        return ""
    return render.notice(strings.COMPARE_PHASES[lesson.phase], "warn")


def where_they_differ(parting: tuple[int | None, int | None] | None, strings: Strings = ENGLISH) -> str:
    """The sentence for `first_difference` of the left and the right lesson."""
    match parting:
        case None:
            return strings.SAME_STEPS
        case (None, step):
            return strings.MORE_STEPS.format(longer=strings.SIDES_MEANT["right"], step=step)
        case (step, None):
            return strings.MORE_STEPS.format(longer=strings.SIDES_MEANT["left"], step=step)
        case (left, right) if left != right:
            return strings.FIRST_DIFFERENCES.format(left=left, right=right)
        case (step, _):
            return strings.FIRST_DIFFERENCE.format(step=step)


def parting_of(now: Round) -> tuple[int | None, int | None] | None:
    return first_difference(*(now.sides[side].lesson for side in SIDES))


def summary(now: Round, strings: Strings) -> str:
    """What the two replies have in common, once both have ended, and the answer on record where there is one."""
    if any(now.proof.values()):
        lines = [strings.PROOFS_UNCHECKED]
    else:
        answers = {side: render.answer_text(now.sides[side].lesson) for side in SIDES}
        if answers["left"] and answers["left"] == answers["right"]:
            lines = [strings.SAME_ANSWER.format(answer=answers["left"])]
        else:
            lines = [
                strings.OTHER_ANSWERS.format(
                    left_name=now.heading("left", strings), left=answers["left"] or strings.NO_ANSWER_SHORT,
                    right_name=now.heading("right", strings), right=answers["right"] or strings.NO_ANSWER_SHORT,
                )
            ]  # fmt: skip
        if any(side.lesson.cards for side in now.sides.values()):
            lines.append(where_they_differ(parting_of(now), strings))
    if now.item is not None and not now.blind:
        lines.append(strings.ON_RECORD.format(answer=now.item.gold, name=title_of_set(now.item.source, strings)))
    items = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'<section class="mt-summary" aria-label="{strings.SUMMARY_LABEL}">{items}</section>'


def shown(now: Round, words: str, strings: Strings, busy: bool = True, about: str = "", over: bool = False) -> View:
    """The view of a round; with `over` its differing steps are marked and it may be voted on."""
    marks = dict(zip(SIDES, (parting_of(now) or (None, None)) if over else (None, None), strict=True))
    proofs = [proof_markdown(now.sides[side].lesson.text) if now.proof.get(side) else "" for side in SIDES]
    left, right = (pane(now, side, strings, marks[side]) for side in SIDES)
    return View(words, left, right, *proofs, about, busy, now if over else None)


def begin(desk: Desk, choice: Choice, rng: random.Random, item: Item | None = None) -> Round:
    """A round of the chosen models; without names they change places by chance."""
    order = [choice.left, choice.right]
    if choice.blind and rng.random() < 0.5:
        order.reverse()
    names = dict(zip(SIDES, order, strict=True))
    titles = desk.models.titles()
    models = {side: desk.models.model(name) for side, name in names.items()}
    proof = {side: model is not None and model.view == "proof" for side, model in models.items()}
    return Round(names, {side: titles[name] for side, name in names.items()}, choice.blind, proof, item=item)


def compare(
    problem: object, calculator: object, desk: Desk, choice: Choice = Choice(), item: Item | None = None, rng: random.Random | None = None
) -> Iterator[View]:
    """Views of one run of both engines; each pane is as live as its engine."""
    screening, strings = screen(problem), desk.strings
    if screening.finding is not Finding.OK:
        words, card = refusal(screening.finding, strings)
        yield View(words, summary=card, busy=False)
        return
    if item is not None and item.question.strip() != str(problem).strip():
        item = None  # the problem was changed since
    now = begin(desk, choice, rng or random.Random(), item)
    try:
        chosen = desk.models.take(tuple(now.names.values()))
    except TooLarge as error:
        yield View(status(strings.TOO_LARGE.format(why=strings.english(str(error))), kind="hint"), busy=False)
        return
    engines = {side: chosen[name] for side, name in now.names.items()}
    longest = max(getattr(desk.models.model(name), "max_tokens", 0) for name in now.names.values())
    sampling = Sampling(max_tokens=max(desk.limits.max_tokens, longest), calculator=bool(calculator))
    seconds = desk.limits.max_seconds if longest <= desk.limits.max_tokens else max(desk.limits.max_seconds, LONG_SECONDS)
    try:
        with desk.line.place() as place:
            for words in wait_for_turn(desk, place, list(engines.values())):
                yield shown(now, words, strings)
            now = replace(now, sides={side: Side(failed=has_failed(engine)) for side, engine in engines.items()})
            running = {side: engine for side, engine in engines.items() if not now.sides[side].failed}
            started, last = time.monotonic(), 0.0
            with Race(running, conversation(screening.problem), sampling, place, seconds) as race:
                for name, delta in race:
                    moment = time.monotonic()
                    now = replace(now, sides={side: _moved(old, delta if side == name else None, moment - started) for side, old in now.sides.items()})
                    if moment - last >= FRAME:
                        last = moment
                        yield shown(now, _busy(now, moment - started, strings), strings)
            if any(side.failed for side in now.sides.values()):
                yield shown(now, status(strings.ASLEEP, kind="hint"), strings, busy=False)
                return
            about = "" if now.blind else summary(now, strings)
            done = strings.COMPARE_VOTE if now.blind else strings.COMPARE_DONE
            yield shown(now, status(done, kind="done"), strings, busy=False, about=about, over=True)
    except Full:
        yield View(status(strings.FULL, kind="hint"), busy=False)


def _moved(side: Side, delta, seconds: float) -> Side:
    """`side` with what it has written, if anything, at `seconds` from the start."""
    if side.lesson.finish is not None or side.failed:
        return side
    lesson = side.lesson if delta is None else feed(side.lesson, delta)
    first = seconds if side.first is None and lesson.text else side.first
    return Side(lesson, first, seconds)


def _busy(now: Round, seconds: float, strings: Strings) -> str:
    finished = [now.heading(side, strings) for side in SIDES if now.sides[side].lesson.finish is not None]
    said = f"{finished[0]}: {strings.FINISHED}" if finished else strings.THINKING
    return status(strings.COMPARE_BUSY.format(seconds=int(seconds)), said=said)


def reveal(
    now: Round | None, right: object, clearer: object, votes: Votes, strings: Strings = ENGLISH
) -> tuple[View, Votes]:  # fmt: skip
    """The round with its names, and the votes with these two added, once a round."""
    if now is None:
        return View(status(strings.VOTE_FIRST, kind="hint"), busy=False), votes
    counted = votes.add(now.titles, right, clearer)
    named = replace(now, blind=False)
    words = status(strings.VOTE_COUNTED if counted is not votes else strings.VOTE_NONE, kind="done")
    return shown(named, words, strings, busy=False, about=summary(named, strings), over=True), counted


def proof_box(page: Page, side: str) -> gr.Markdown:
    """Where a proof is shown, its mathematics by KaTeX."""
    delimiters = [{"left": left, "right": right, "display": left in ("$$", r"\[")} for left, right in DELIMITERS]
    return gr.Markdown("", latex_delimiters=delimiters, sanitize_html=True, elem_id=f"compare-{side}-proof", elem_classes="mt-proof", label=page.PROOF_LABEL)


def build(desk: Desk, page: Page) -> gr.Textbox:
    """The Compare tab, inside an open `gr.Tab`; returns the box for the problem."""
    titles = desk.models.titles()

    def listed_as(name: str, strings: Strings) -> str:
        return f"{part} ({titles[name]})" if (part := part_of(name, strings)) else titles[name]

    listed = [(page(lambda strings, name=name: listed_as(name, strings)), name) for name in titles]
    empty = begin(desk, Choice(), random.Random(0))
    gr.HTML(page(lambda strings: f'<p class="mt-lead">{strings.COMPARE_INTRO}</p>'))
    kept, drawn, votes = gr.State(None, time_to_live=ROUND_SECONDS), gr.State(None), gr.State(Votes())
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=7, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            problem = wiring.problem_box(page, "compare", lines=3)
            with gr.Row(elem_classes="mt-buttons"):
                go_button = gr.Button(page.COMPARE, variant="primary", elem_id="compare-solve")
                stop_button = gr.Button(
                    page.STOP, variant="stop", interactive=False, elem_id="compare-stop"
                )
            with gr.Row(elem_classes="mt-choices"):
                left_model, right_model = (
                    gr.Dropdown(listed, value=name, label=label, elem_id=f"compare-{side}-model", filterable=False, min_width=140)
                    for name, label, side in (("base", page.LEFT_MODEL, "left"), ("tuned", page.RIGHT_MODEL, "right"))
                )
            blind = gr.Checkbox(False, label=page.BLIND, info=page.BLIND_INFO, elem_id="compare-blind", elem_classes="mt-calculator")
        with gr.Column(scale=5, min_width=300, elem_classes="mt-left"):
            wiring.examples(page, problem)
            with gr.Row(elem_classes=["mt-choices", "mt-random"]):
                named = [(page(lambda strings, name=name: title_of_set(name, strings)), name) for name in sets()]
                which = gr.Dropdown(named, value=sets()[0], label=page.RANDOM_SET, elem_id="compare-set", filterable=False, min_width=140)
                random_button = gr.Button(page.RANDOM, size="sm", elem_id="compare-random", min_width=96)
            calculator = wiring.calculator_box(page)
    status_line = gr.HTML(page(lambda strings: status(strings.START, kind="idle")), elem_id="compare-status")
    about = gr.HTML("", elem_id="compare-summary")
    with gr.Row(elem_classes="mt-panes"):
        with gr.Column(min_width=300, elem_classes="mt-pane"):
            left = wiring.live_html("compare-left", page(lambda strings: pane(empty, "left", strings)))
            left_proof = proof_box(page, "left")
        with gr.Column(min_width=300, elem_classes="mt-pane"):
            right = wiring.live_html("compare-right", page(lambda strings: pane(empty, "right", strings)))
            right_proof = proof_box(page, "right")
    choices = {name: page(lambda strings, name=name: strings.VOTE_CHOICES[name]) for name in (*RIGHT, *CLEARER)}
    with gr.Row(elem_classes="mt-votes"):
        right_vote, clear_vote = (
            gr.Radio([(choices[name], name) for name in names], value=None, label=label, elem_id=elem_id, elem_classes="mt-count")
            for names, label, elem_id in (
                (RIGHT, page.VOTE_RIGHT, "compare-right-vote"), (CLEARER, page.VOTE_CLEARER, "compare-clear-vote"),
            )
        )  # fmt: skip
        reveal_button = gr.Button(page.VOTE, interactive=False, elem_id="compare-reveal", min_width=140)
    tally = gr.HTML("", elem_id="compare-votes")
    fields = ("status", "left", "right", "left_proof", "right_proof", "summary")

    def sorry(strings: Strings) -> View:
        return View(status(strings.SORRY, kind="hint"), busy=False)

    def more(view: View) -> list:
        """Updates of the round that may be voted on, and of the button that does it."""
        return [gr.skip(), gr.skip()] if view.busy else [view.round, gr.update(interactive=view.round is not None)]

    def compare_both(problem, calculator, left_name, right_name, is_blind, item, request: gr.Request):
        if is_locked(request):
            views = (view for view in (View(status(spoken(request).LOCKED, kind="hint"), busy=False),))
        else:
            views = compare(problem, calculator, desk.in_language_of(request), Choice(left_name, right_name, bool(is_blind)), item)
        yield from wiring.updates(views, fields, sorry, request, more)

    def compare_reveal(now, said, clear, counted, request: gr.Request):
        strings = spoken(request)
        view, counted = reveal(now, said, clear, counted, strings)
        panes = view.left or gr.skip(), view.right or gr.skip()
        return view.status, *panes, view.summary, counted, counted.table(strings), None, gr.update(interactive=False)

    def compare_random(name):
        item = draw(name, random.Random())
        return item.question, item

    event = wiring.run(
        go_button, compare_both, [problem, calculator, left_model, right_model, blind, drawn], [status_line, left, right, left_proof, right_proof, about, stop_button],
        ["", "", "", "", ""], resting=[go_button], again=None, api_name="compare_both", more=[reveal_button], kept=[kept, reveal_button],
    )  # fmt: skip
    unlisted = {"api_visibility": "private", "show_progress": "hidden"}
    reveal_button.click(
        compare_reveal, [kept, right_vote, clear_vote, votes], [status_line, left, right, about, votes, tally, kept, reveal_button], **unlisted
    )
    random_button.click(compare_random, which, [problem, drawn], **unlisted)
    wiring.enter(problem, go_button)
    wiring.stop(stop_button, [event], status_line, problem)
    return problem
