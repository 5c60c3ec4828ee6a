"""Promises of the page that need a browser and more than one tab of it: no mouse at all, every output, every fault.

Needs chromium on the PATH. Where there is none the module says so and is skipped; in CI it fails.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.lesson import Phase
from tests.browser import chromium, eventually, new_page, open_browser, open_tab, serve
from ui.examples import EXAMPLES
from ui.streams import LazyEngine, Limits

if chromium() is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH: the browser tests did not run", allow_module_level=True)

APPLES = "Zebulon has 3 apples and buys 4 more. How many has he now?"
LONG = "How many legs have 40 cats, 30 hens and 20 ants?"
LOST = "Count the legs of 4 cats and 3 hens, one by one. How many legs?"
TORN = "Ana packs 6 boxes of 3 pens each. How many pens are that?"
UNKNOWN = "Nobody wrote a reply for these 3 apples and 4 pears. How many are they?"
# All of what has ever come out as something else than was typed; no number in it is a sum.
TYPED = (
    "$10 and then $12, 5$ and US$3 \\(3/4\\) $$x$$ 50% <b>bold</b> <img src=x onerror=alert(1)> <script>alert(1)</script> {{x}} "
    "{{#each value}} ${alert(2)} \u05e9\u05dc\u05d5\u05dd </details></li></ol><h1>out</h1>"
)
WRITTEN = f"{TYPED} \u202eright to left\u202c"  # such signs are taken out of what a student types, for they can hide words
STORY = f"Zebulon has 3 apples {TYPED} and buys 4 more. How many {TYPED} has he now?"
REPLIES = {
    APPLES: "<think>\nStep 1: He starts with 3 apples.\nStep 2: He has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.",
    LONG: "<think>\n" + "".join(f"Step {n}: one more leg makes {n} + 1 = {n + 1} legs.\n" for n in range(1, 200)),
    LOST: "<think>\nStep 1: One leg, two legs, three legs",
    STORY: f"<think>\nStep 1: {WRITTEN}\nStep 2: {'a' * 10_000} 3 + 4 = 7 {WRITTEN}\n</think>\n\nThe answer is 7.",
}


class Torn(ScriptedEngine):
    """Gives another answer at each try of one problem."""

    def _reply(self, conversation) -> str:
        if conversation[-1]["content"] != TORN:
            return super()._reply(conversation)
        self._turn += 1
        return f"<think>\nStep 1: 6 * 3 = 18\nStep 2: 18 + {self._turn} = {18 + self._turn}\n</think>\n\nThe answer is {18 + self._turn}."


@contextmanager
def site(browser, limits: Limits = Limits(), engine=None):
    tuned = engine or Torn(REPLIES, delay=0.01, name="tuned")
    with serve(app.build_app(tuned, ScriptedEngine(REPLIES, delay=0.01, name="base"), limits)) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def usual(browser):
    with site(browser, Limits(max_tokens=5000)) as url:
        yield url


def opened(browser, url: str):
    """A page, and all that went wrong on it."""
    page = new_page(browser, viewport={"width": 1280, "height": 900})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append("a dialog: " + dialog.message), dialog.dismiss()))
    page.goto(url)
    page.wait_for_selector("#learn-solve")
    return page, wrong


# --- 3: every output


def watched(page) -> None:
    page.check("#learn-watch input")
    page.fill("#learn-problem textarea", STORY)
    page.click("#learn-solve")
    page.wait_for_selector("#learn-answer .mt-answer")
    page.click("#learn-answer .mt-raw summary")


def climbed(page) -> None:
    page.fill("#learn-problem textarea", STORY)
    page.click("#learn-solve")
    for rungs in range(1, 20):
        page.wait_for_function("n => document.querySelectorAll('#learn-steps .mt-rung').length >= n", arg=rungs)
        page.wait_for_selector("#learn-solve:not([disabled])")
        page.wait_for_timeout(200)
        if page.is_disabled("#learn-hint") or page.is_enabled("#learn-whole"):
            break
        page.click("#learn-hint")
    page.click("#learn-whole")
    page.wait_for_selector("#learn-answer .mt-answer")
    page.click("#learn-answer .mt-raw summary")


def checked(page) -> None:
    open_tab(page, strings.CHECK_TAB)
    page.fill("#check-problem textarea", APPLES)
    page.fill("#check-work textarea", f"{TYPED}\n3 + 4 = 8 {TYPED}")
    page.click("#check-solve")
    page.wait_for_selector("#check-lines .mt-line-look")


def compared(page) -> None:
    open_tab(page, strings.COMPARE_TAB)
    page.fill("#compare-problem textarea", STORY)
    page.click("#compare-solve")
    page.wait_for_selector("#compare-summary .mt-summary")


@pytest.mark.promises(3)
@pytest.mark.parametrize(
    ("do", "text", "outputs"),
    [
        (watched, WRITTEN, ("#learn-steps", "#learn-answer .mt-raw")), (climbed, WRITTEN, ("#learn-steps", "#learn-answer")),
        (checked, TYPED, ("#check-lines",)), (compared, WRITTEN, ("#compare-left", "#compare-right")),
    ],
    ids=["watched", "climbed", "checked", "compared"],
)  # fmt: skip
def test_what_was_typed_or_written_comes_out_as_it_is_in_every_output(browser, usual, do, text, outputs, measured):
    page, wrong = opened(browser, usual)
    do(page)
    for output in outputs:
        assert text in page.inner_text(output), output
        assert page.locator(f"{output} :is(img, script, h1, b, .katex)").count() == 0, output
    assert wrong == []
    measured(f"{do.__name__}: as typed in {', '.join(outputs)}")
    page.close()


# --- 7: no mouse at all


class Keys:
    """The keyboard, and how often it was pressed but for the typing of words."""

    def __init__(self, page):
        self.page, self.pressed = page, 0

    def press(self, key: str) -> None:
        self.pressed += 1
        self.page.keyboard.press(key)

    def to(self, selector: str) -> None:
        """Tab until the focus is there; fails where no Tab ever gets there."""
        self.page.wait_for_selector(f"{selector}:not([disabled])")
        for _ in range(120):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.press("Tab")
        raise AssertionError(f"no Tab leads to {selector}")


@pytest.mark.promises(7)
def test_from_the_problem_to_the_worksheet_without_a_mouse(browser, usual, measured):
    page, wrong = opened(browser, usual)
    keys, rungs = Keys(page), "n => document.querySelectorAll('#learn-steps .mt-rung').length >= n"
    keys.to("#learn-problem textarea")
    page.keyboard.type(LONG)
    keys.press("Shift+Enter")
    page.wait_for_selector("#learn-stop:not([disabled])")
    keys.to("#learn-stop")
    keys.press("Enter")
    page.wait_for_function("document.activeElement.matches('#learn-problem textarea')")  # the focus has come back
    page.wait_for_selector("#learn-solve:not([disabled])")
    keys.press("Control+a")
    page.keyboard.type(APPLES)
    keys.press("Shift+Enter")
    for rung in range(2, 6):  # understand, plan, the first step, one set up, one worked out
        page.wait_for_selector("#learn-hint:not([disabled])")
        keys.to("#learn-hint")
        keys.press("Enter")
        page.wait_for_function(rungs, arg=rung)
    keys.to("#learn-typed :is(input, textarea)")
    page.keyboard.type("7")
    keys.press("Enter")
    page.wait_for_selector("#learn-feedback .mt-says-right")
    page.wait_for_selector("#learn-solve:not([disabled])")
    keys.to("#learn-twin")
    keys.press("Enter")
    page.wait_for_function("text => document.querySelector('#learn-problem textarea').value !== text", arg=APPLES)
    page.evaluate("name => [...document.querySelectorAll('[role=tab]')].find(tab => tab.innerText === name).dataset.wanted = 1", strings.PRACTICE_TAB)
    keys.to("[role=tab][data-wanted]")
    keys.press("Enter")
    keys.to("#practice-sheet")
    keys.press("Enter")
    page.wait_for_selector("#practice-sheet-page")
    keys.to("#practice-save")
    with page.expect_download() as download:
        keys.press("Enter")
    assert strings.SHEET_KEY in Path(download.value.path()).read_text(encoding="utf-8")
    assert wrong == []
    measured(f"{keys.pressed} keys from the empty page to a saved worksheet, Stop among them, and no mouse")
    page.close()


# --- 11: every fault


def ask(page, problem: str, watch: bool = False) -> None:
    page.set_checked("#learn-watch input", watch)
    page.fill("#learn-problem textarea", problem)
    page.click("#learn-solve")


def keeps_the_work_and_the_examples(page, problem: str) -> None:
    page.wait_for_selector("#learn-solve:not([disabled])")
    assert page.input_value("#learn-problem textarea") == problem
    label, text = next(iter(EXAMPLES.items()))
    page.locator("#mt-tabs").get_by_role("button", name=label, exact=True).first.click()
    page.wait_for_function("text => document.querySelector('#learn-problem textarea').value === text", arg=text)


@pytest.mark.promises(11)
@pytest.mark.parametrize(
    ("problem", "watch", "sentence", "kept"),
    [
        (LOST, True, "My working got too long, so I stopped. Try splitting the problem.", "One leg, two legs"),
        (UNKNOWN, True, "Something went wrong on my side. Your problem is still here. Please try again.", ""),
        (UNKNOWN, False, "Something went wrong on my side. Your problem is still here. Please try again.", ""),
        (TORN, False, "My tries went different ways, and I cannot tell which is right. Write your own steps", "How many pens are that?"),
    ],
    ids=["cut off", "broken, watched", "broken", "tries disagree"],
)
def test_a_fault_has_its_sentence_and_costs_no_work(browser, usual, problem, watch, sentence, kept, measured):
    page, wrong = opened(browser, usual)
    ask(page, problem, watch)
    page.wait_for_function(
        "words => ['status', 'answer', 'steps'].some(name => document.querySelector(`#learn-${name}`).innerText.includes(words))", arg=sentence
    )
    assert kept in page.inner_text("#learn-steps")
    keeps_the_work_and_the_examples(page, problem)
    assert wrong == []
    measured(f"“{sentence.split('.')[0]}”")
    page.close()


@pytest.mark.promises(11)
def test_an_engine_that_cannot_be_reached_has_its_sentence_and_costs_no_work(browser, measured):
    engine = LazyEngine("nobody").start()
    engine.wait(60)
    with site(browser, engine=engine) as url:
        page, wrong = opened(browser, url)
        ask(page, APPLES)
        page.wait_for_function("words => document.querySelector('#learn-status').innerText.includes(words)", arg=strings.ASLEEP)
        keeps_the_work_and_the_examples(page, APPLES)
        assert wrong == []
        page.close()
    measured("“The tutor could not wake up”")


@pytest.mark.promises(11)
def test_a_full_line_has_its_sentence_and_costs_no_work(browser, measured):
    with site(browser, Limits(max_tokens=5000, max_waiting=0)) as url:
        busy, _ = opened(browser, url)
        ask(busy, LONG, watch=True)
        busy.wait_for_selector("#learn-steps .mt-step")
        page, wrong = opened(browser, url)
        ask(page, APPLES)
        page.wait_for_function("words => document.querySelector('#learn-status').innerText.includes(words)", arg="Lots of people are here. Try again in a minute.")
        keeps_the_work_and_the_examples(page, APPLES)
        assert busy.locator(f"#learn-status :text('{strings.PHASES[Phase.ANSWERED][:8]}')").count() == 0  # it was still at work
        assert eventually(lambda: busy.locator("#learn-steps .mt-step").count() > 0) and wrong == []
        page.close()
        busy.close()
    measured("“Lots of people are here”")
