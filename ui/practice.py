"""Practice: a problem of the bank by topic and grade, hints, kind answers to typical mistakes, mastery, worksheets.

The problem being worked on is kept in the session's state, so that its answer is not in the page. Mastery is four numbers a
topic: in the session, and in the browser only where "Remember" is ticked. Nothing here asks a model.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, wraps
from html import escape
from pathlib import Path

import gradio as gr

from mathtutor.bank import Family, Instance, load_bank
from mathtutor.bank.families import TOPICS
from mathtutor.engines import where
from mathtutor.maths.answers import read_typed, same_answer
from mathtutor.maths.markup import as_printed
from mathtutor.strings import ENGLISH, Strings
from mathtutor.tutoring import mastery
from mathtutor.tutoring.screen import Finding, screen_answer
from ui.desk import refusal, status
from ui.language import Page, in_browser, spoken

log = logging.getLogger("mathtutor.app")

ASSETS = Path(__file__).resolve().parents[1] / "assets"
ANY = ""  # topic or grade: all of them
SHEETS = (5, 10, 20)  # problems on a worksheet
REMEMBERED = 256  # practice problems whose worked steps Check my work can still lay beside a student's
HINTS = ("understand", "plan", "set_up")
LEVELS = (0.95, 0.75, 0.4, 0.0)  # chances from which on each of `strings.PRACTICE_LEVELS` is said
WORKED = len(HINTS) + 1  # the hint from which on an answer is no evidence of mastery


@dataclass(frozen=True)
class Task:
    """The problem being practised: where it comes from, and how far its student is."""

    family: str
    seed: int
    index: int
    tries: int = 0
    hints: int = 0
    solved: bool = False


@cache
def bank() -> dict[str, Family]:
    """The bank, read once: some seconds. `warm` does it ahead of the first student."""
    return load_bank()


def warm() -> None:
    threading.Thread(target=bank, name="read the bank", daemon=True).start()


# --- choosing -----------------------------------------------------------------------------------------------


def families(topic: str, grade: str) -> list[Family]:
    """The families of a topic and a grade, either of which may be ANY."""
    return [f for f in bank().values() if topic in (ANY, f.topic) and grade in (ANY, str(f.grade))]


def choose(topic: str, grade: str, known: Mapping[str, mastery.Record], last: Task | None, rng: random.Random) -> Task | None:
    """The next problem: of the topic that is known least, of a family by chance; None where the bank has none."""
    found = families(topic, grade)
    if not found:
        return None
    before = bank()[last.family].topic if last is not None and last.family in bank() else ""
    wanted = mastery.pick(sorted({family.topic for family in found}), known, rng, before)
    of_topic = [family for family in found if family.topic == wanted]
    fresh = [family for family in of_topic if last is None or family.id != last.family] or of_topic
    return Task(rng.choice(fresh).id, rng.randrange(2**31), 0)


def instance_of(task: Task) -> Instance:
    return bank()[task.family].instantiate(task.seed, task.index)


class _Recent:
    """The worked steps of problems that were handed out lately, by their text: of ours, nobody's own."""

    def __init__(self):
        self._lock = threading.Lock()
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def add(self, problem: str, task: Task) -> None:
        with self._lock:
            self._tasks[problem] = Task(task.family, task.seed, task.index)
            self._tasks.move_to_end(problem)
            if len(self._tasks) > REMEMBERED:
                self._tasks.popitem(last=False)

    def find(self, problem: str) -> Task | None:
        with self._lock:
            return self._tasks.get(problem)


_recent = _Recent()


def known_problem(problem: str) -> Instance | None:
    """The bank's own solution of a problem that Practice handed out lately."""
    task = _recent.find(problem)
    return instance_of(task) if task is not None else None


def unit_of(instance: Instance) -> str:
    """The unit in the middle of a sentence: the bank begins every text with a capital."""
    return instance.unit[:1].lower() + instance.unit[1:]


# --- answering ----------------------------------------------------------------------------------------------


def judge(typed: object, instance: Instance, strings: Strings = ENGLISH) -> tuple[bool | None, str]:
    """(whether an answer is right, what to say). None: no number could be read, which is no attempt."""
    answer = read_typed(typed if isinstance(typed, str) else "")
    if answer.value is None:
        return None, strings.PRACTICE_NO_NUMBER
    values = [answer.value, answer.value / 100] if "%" in str(typed) else [answer.value]
    if any(same_answer(value, instance.answer) for value in values):
        unit = strings.english(unit_of(instance))
        return True, strings.PRACTICE_RIGHT.format(answer=instance.shown_answer, unit=unit).replace(" .", ".")
    for mistake in instance.mistakes:
        if any(same_answer(value, mistake.value) for value in values):
            return False, f"{strings.PRACTICE_NOT_YET} {strings.english(mistake.says)}"
    return False, strings.PRACTICE_WRONG


def hint(instance: Instance, number: int, strings: Strings = ENGLISH) -> tuple[str, str]:
    """(title, text) of hint `number` from 1: understand, plan, set up, then the worked steps one by one."""
    if number <= len(HINTS):
        return strings.PRACTICE_HINTS[number - 1], getattr(instance, HINTS[number - 1])
    step = number - len(HINTS)
    return strings.PRACTICE_STEP.format(step=step), instance.steps[step - 1]


def num_hints(instance: Instance) -> int:
    return len(HINTS) + len(instance.steps)


# --- as HTML ------------------------------------------------------------------------------------------------


def problem_card(instance: Instance, strings: Strings = ENGLISH) -> str:
    about = strings.PRACTICE_ABOUT.format(topic=strings.TOPICS[instance.topic], grade=instance.grade)
    return (
        f'<section class="mt-task" aria-label="{strings.PRACTICE_PROBLEM}"><p class="mt-task-about">{escape(about)}</p>'
        f'<p class="mt-task-text"{strings.of_english}>{escape(instance.problem)}</p></section>'
    )


def hint_list(instance: Instance, count: int, strings: Strings = ENGLISH) -> str:
    items = []
    for number in range(1, count + 1):
        title, text = hint(instance, number, strings)
        items.append(f'<li class="mt-hint-item"><p class="mt-hint-title">{escape(title)}</p><p{strings.of_english}>{escape(as_printed(text))}</p></li>')
    return f'<ol class="mt-hints" aria-label="{strings.PRACTICE_HINTS_LABEL}">{"".join(items)}</ol>' if items else ""


def mastery_list(known: Mapping[str, mastery.Record], strings: Strings = ENGLISH) -> str:
    """Every topic practised so far in words, the least known first."""
    if not known:
        return f'<p class="mt-known-none">{strings.PRACTICE_NONE_KNOWN}</p>'
    items = []
    for topic, record in sorted(known.items(), key=lambda pair: pair[1].p):
        words = next(words for bound, words in zip(LEVELS, strings.PRACTICE_LEVELS, strict=True) if record.p >= bound)
        items.append(
            f'<li><span class="mt-known-topic">{escape(strings.TOPICS[topic].capitalize())}</span>'
            f'<span class="mt-known-bar" aria-hidden="true"><span style="width:{record.p:.0%}"></span></span><span class="mt-known-words">{words}</span></li>'
        )
    return f'<ul class="mt-known" aria-label="{strings.PRACTICE_KNOWN}">{"".join(items)}</ul>'


def worksheet(title: str, instances: list[Instance], strings: Strings = ENGLISH) -> str:
    """A page of problems and, on a page of its own, their answers with the working."""
    line = f'<p class="mt-sheet-line">{strings.SHEET_ANSWER}</p>'
    problems = "".join(f"<li><p{strings.of_english}>{escape(i.problem)}</p>{line}</li>" for i in instances)
    keys = "".join(
        f"<li><p{strings.of_english}><strong>{escape(f'{i.shown_answer} {unit_of(i)}'.strip())}</strong></p>"
        f"<p{strings.of_english}>{escape(as_printed(' '.join(i.steps)))}</p></li>"
        for i in instances
    )
    return (
        f'<article class="mt-sheet" id="practice-sheet-page" data-file="{strings.SHEET_FILE}" aria-label="{strings.SHEET}">'
        f'<h2>{escape(title)}</h2><p class="mt-sheet-name">{strings.SHEET_NAME}</p><ol class="mt-sheet-problems">{problems}</ol>'
        f'<section class="mt-sheet-key"><h2>{strings.SHEET_KEY}</h2><ol>{keys}</ol></section></article>'
    )


def sheet_instances(task: Task | None, topic: str, grade: str, count: int, rng: random.Random) -> list[Instance]:
    """`count` different problems: twins of the task where there is one, else of any family of the topic and grade."""
    found = [bank()[task.family]] if task is not None else families(topic, grade)
    instances: dict[str, Instance] = {}
    for number in range(8 * count):
        if len(instances) == count or not found:
            break
        instance = rng.choice(found).instantiate(rng.randrange(2**31), number)
        instances.setdefault(instance.problem, instance)
    return list(instances.values())


# --- the tab ------------------------------------------------------------------------------------------------


def safely(handler: Callable, sorry: Callable[..., tuple]) -> Callable:
    """The handler, whose last argument is the request, with `sorry` instead of whatever it raises: a bare "Error" helps no child."""

    @wraps(handler)
    def safe(*values):
        try:
            return handler(*values)
        except Exception as error:
            log.error("practice failed: %s", where(error))
            return sorry(*values)

    return safe


def build(tab: gr.Tab, page: Page) -> None:
    """The content of `tab`, which is open."""
    task_state = gr.State(None, time_to_live=1800)
    known_state = gr.State({}, time_to_live=1800)
    kept = gr.BrowserState({}, storage_key="show-your-work-skills", secret="skill-numbers-only")
    gr.HTML(page(lambda strings: f'<p class="mt-lead">{strings.PRACTICE_INTRO}</p>'))
    with gr.Row(elem_classes="mt-columns"):
        with gr.Column(scale=7, min_width=300, elem_classes=["mt-left", "mt-ask"]):
            with gr.Row(elem_classes="mt-choices"):
                topics = [(page(lambda strings, t=t: strings.TOPICS[t].capitalize()), t) for t in sorted(TOPICS)]
                topic = gr.Dropdown(
                    [(page.ANY_TOPIC, ANY), *topics], value=ANY,
                    label=page.PRACTICE_TOPIC, elem_id="practice-topic", filterable=False, min_width=140,
                )  # fmt: skip
                grades = [(page(lambda strings, n=n: strings.GRADE.format(grade=n)), str(n)) for n in range(1, 9)]
                grade = gr.Dropdown(
                    [(page.ANY_GRADE, ANY), *grades], value=ANY,
                    label=page.PRACTICE_GRADE, elem_id="practice-grade", filterable=False, min_width=140,
                )  # fmt: skip
            problem = gr.HTML(page(lambda strings: f'<p class="mt-task-none">{strings.PRACTICE_NO_PROBLEM}</p>'), elem_id="practice-problem")
            answer = gr.Textbox(
                label=page.PRACTICE_ANSWER, max_lines=1, max_length=80, elem_id="practice-answer", elem_classes="mt-answer-box",
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )  # fmt: skip
            with gr.Row(elem_classes=["mt-buttons", "mt-practice-buttons"]):
                new_button = gr.Button(page.PRACTICE_NEW, variant="primary", elem_id="practice-new")
                check_button = gr.Button(page.PRACTICE_CHECK, interactive=False, elem_id="practice-check")
                hint_button = gr.Button(page.PRACTICE_HINT, interactive=False, elem_id="practice-hint")
            line = gr.HTML(page(lambda strings: status(strings.PRACTICE_START, kind="idle")), elem_id="practice-status")
            hints = gr.HTML("", elem_id="practice-hints")
        with gr.Column(scale=5, min_width=300, elem_classes="mt-right"):
            gr.HTML(page(lambda strings: f'<h2 class="mt-h2">{strings.PRACTICE_KNOWN}</h2>'))
            levels = gr.HTML(page(lambda strings: mastery_list({}, strings)), elem_id="practice-known")
            remember = gr.Checkbox(False, label=page.PRACTICE_REMEMBER, info=page.PRACTICE_REMEMBER_INFO,
                                   elem_id="practice-remember", elem_classes="mt-calculator")  # fmt: skip
            with gr.Row(elem_classes="mt-examples"):
                forget = gr.Button(page.PRACTICE_FORGET, size="sm", elem_id="practice-forget", min_width=96)
            gr.HTML(page(lambda strings: f'<h2 class="mt-h2">{strings.SHEET}</h2><p class="mt-sheet-info">{strings.SHEET_INFO}</p>'))
            count = gr.Radio([str(n) for n in SHEETS], value=str(SHEETS[0]), label=page.SHEET_COUNT, elem_id="practice-count",
                             elem_classes="mt-count")  # fmt: skip
            with gr.Row(elem_classes="mt-examples"):
                make = gr.Button(page.SHEET_MAKE, size="sm", elem_id="practice-sheet", min_width=96)
                print_button = gr.Button(page.SHEET_PRINT, size="sm", interactive=False, elem_id="practice-print", min_width=96)
                save_button = gr.Button(page.SHEET_SAVE, size="sm", interactive=False, elem_id="practice-save", min_width=96)
    sheet = gr.HTML("", elem_id="practice-sheet-out")
    wire_tasks(
        tab, (topic, grade, answer, remember), (task_state, known_state, kept), (problem, line, hints, levels),
        (new_button, check_button, hint_button, forget),
    )  # fmt: skip
    wire_sheets((topic, grade, count, task_state), sheet, line, (make, print_button, save_button))


PAGE = {"api_visibility": "private", "show_progress": "hidden"}
RUN = {**PAGE, "concurrency_id": "practice", "concurrency_limit": 8}
FULL = in_browser(lambda strings: status(strings.FULL, kind="hint"))
FOCUS = "() => { setTimeout(() => document.querySelector('#practice-answer input, #practice-answer textarea')?.focus(), 60); }"


def wire_tasks(tab: gr.Tab, choices, states, blocks, buttons) -> None:
    """New problem, Check, Hint, Remember and Forget."""
    topic, grade, answer, remember = choices
    task_state, known_state, kept = states
    problem, line, hints, levels = blocks
    new_button, check_button, hint_button, forget = buttons

    def sorry(count: int) -> Callable[..., tuple]:
        return lambda *values: (status(spoken(values[-1]).SORRY, kind="retry"), *(gr.skip() for _ in range(count)))

    def practice_new(topic, grade, known, last, request: gr.Request):
        strings, known = spoken(request), mastery.read(known, TOPICS)
        task = choose(str(topic or ANY), str(grade or ANY), known, last, random.Random(secrets.randbits(64)))
        if task is None:
            none = f'<p class="mt-task-none">{strings.PRACTICE_NONE}</p>'
            return (status(strings.PRACTICE_NONE, kind="hint"), none, "", "", None, gr.update(interactive=False), gr.update(interactive=False))
        instance = instance_of(task)
        _recent.add(instance.problem, task)
        words = strings.PRACTICE_READY.format(topic=strings.TOPICS[instance.topic])
        return (status(words, kind="done"), problem_card(instance, strings), "", "", task, gr.update(interactive=True), gr.update(interactive=True))

    def practice_check(typed, task, known, remember, request: gr.Request):
        strings = spoken(request)
        if not isinstance(task, Task):
            return (status(strings.PRACTICE_START, kind="hint"), *(gr.skip() for _ in range(4)))
        finding = screen_answer(typed)
        if finding is not Finding.OK:
            return ("".join(refusal(finding, strings)), *(gr.skip() for _ in range(4)))
        instance = instance_of(task)
        right, words = judge(typed, instance, strings)
        if right is None:
            return (status(words, kind="hint"), *(gr.skip() for _ in range(4)))
        known = mastery.read(known, TOPICS)
        if task.tries == 0 and not task.solved:  # the first answer is the evidence
            record = known.get(instance.topic, mastery.Record())
            known[instance.topic] = mastery.observe(record, right, helped=task.hints >= WORKED)
        task = replace(task, tries=task.tries + 1, solved=task.solved or right)
        numbers = mastery.write(known)
        return status(words, kind="done" if right else "hint"), task, numbers, numbers if remember else gr.skip(), mastery_list(known, strings)

    def practice_hint(task, request: gr.Request):
        strings = spoken(request)
        if not isinstance(task, Task):
            return status(strings.PRACTICE_START, kind="hint"), gr.skip(), gr.skip(), gr.skip()
        instance = instance_of(task)
        task = replace(task, hints=min(task.hints + 1, num_hints(instance)))
        title, text = hint(instance, task.hints, strings)
        left = task.hints < num_hints(instance)
        words = status(strings.PRACTICE_HINT_READY.format(title=title), said=f"{title}: {strings.english(text)}", kind="done")
        return words, hint_list(instance, task.hints, strings), task, gr.update(interactive=left)

    asked = "() => " + in_browser(lambda strings: status(strings.PRACTICE_CHOOSING))
    new_button.click(None, None, line, js=asked, **PAGE)
    new = new_button.click(
        safely(practice_new, sorry(6)), [topic, grade, known_state, task_state],
        [line, problem, hints, answer, task_state, check_button, hint_button], api_name="practice_new", trigger_mode="once", **RUN,
    )  # fmt: skip
    new.then(None, None, None, js=FOCUS, **PAGE)
    checked = {
        "fn": safely(practice_check, sorry(4)), "inputs": [answer, task_state, known_state, remember],
        "outputs": [line, task_state, known_state, kept, levels], "trigger_mode": "once", **RUN,
    }  # fmt: skip
    events = [new, check_button.click(**checked, api_name="practice_check"), answer.submit(**checked, api_name="practice_enter")]
    events.append(
        hint_button.click(safely(practice_hint, sorry(3)), task_state, [line, hints, task_state, hint_button],
                          api_name="practice_hint", trigger_mode="once", **RUN)  # fmt: skip
    )
    for event in events:
        event.failure(None, None, line, js="() => " + FULL, **PAGE)

    def practice_remember(remember, known):
        return known if remember else {}

    def practice_forget(request: gr.Request):
        strings = spoken(request)
        return {}, {}, False, mastery_list({}, strings), status(strings.PRACTICE_FORGOTTEN, kind="done")

    def practice_recall(kept, request: gr.Request):
        if not kept:  # nothing was remembered: what this visit has seen stays
            return gr.skip(), gr.skip(), gr.skip()
        known = mastery.read(kept, TOPICS)
        return mastery.write(known), mastery_list(known, spoken(request)), bool(known)

    remember.input(practice_remember, [remember, known_state], kept, api_name="practice_remember", **RUN)
    forget.click(practice_forget, None, [known_state, kept, remember, levels, line], api_name="practice_forget", **RUN)
    kept_known = [known_state, levels, remember]
    tab.select(practice_recall, kept, kept_known, api_name="practice_recall", **RUN)  # not when the page loads: that would count as a run


def wire_sheets(choices, sheet, line, buttons) -> None:
    """Make a worksheet; print it or save it, in the page alone."""
    make, print_button, save_button = buttons

    def practice_sheet(topic, grade, count, task, request: gr.Request):
        strings = spoken(request)
        number = int(count) if str(count) in map(str, SHEETS) else SHEETS[0]
        rng = random.Random(secrets.randbits(64))
        task = task if isinstance(task, Task) else None
        instances = sheet_instances(task, str(topic or ANY), str(grade or ANY), number, rng)
        if not instances:
            return status(strings.PRACTICE_NONE, kind="hint"), "", gr.update(interactive=False), gr.update(interactive=False)
        title = strings.SHEET_TITLE.format(topic=strings.TOPICS[instances[0].topic] if task or topic else strings.SHEET_MIXED)
        words = strings.SHEET_READY.format(count=len(instances))
        return status(words, kind="done"), worksheet(title, instances, strings), gr.update(interactive=True), gr.update(interactive=True)

    def sorry(*values):
        return status(spoken(values[-1]).SORRY, kind="retry"), "", gr.update(interactive=False), gr.update(interactive=False)

    made = make.click(
        safely(practice_sheet, sorry), list(choices), [line, sheet, print_button, save_button], api_name="practice_sheet",
        trigger_mode="once", **RUN,
    )  # fmt: skip
    made.failure(None, None, line, js="() => " + FULL, **PAGE)
    print_button.click(None, None, None, js=(ASSETS / "print.js").read_text(encoding="utf-8"), **PAGE)
    save_button.click(None, None, None, js=(ASSETS / "markdown.js").read_text(encoding="utf-8"), **PAGE)
