"""The page as a student has it: a real browser, a real server, a scripted engine.

Needs chromium on the PATH. Where there is none the module says so and is skipped; in CI it fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

import app
from mathtutor.engines import Sampling
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import Finding
from tests.browser import (
    FLAGS,
    PATIENCE,
    best,
    chromium,
    eventually,
    free_port,
    keeps,
    new_page,
    open_browser,
    open_tab,
    phone,
    serve,
    told_of,
)
from ui.examples import EXAMPLES
from ui.streams import Limits

if chromium() is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH: the browser tests did not run", allow_module_level=True)

CANARY = "Zebulon"
APPLES = f"{CANARY} has 3 apples and buys 4 more. How many has he now?"
LONG = "How many legs have 40 cats, 30 hens and 20 ants?"
LONGER = "How many wings have 40 hens, 30 bees and 20 moths?"
HOSTILE = "Ana pays $10 and then $12 <img src=x onerror=alert(1)> {{x}} ${alert(2)} <b>How much?</b>"
NASTY = (
    "$10 and then $12, 5$ and US$3 <img src=x onerror=alert(1)> <script>alert(1)</script> {{x}} {{#each value}} "
    "${alert(2)} `${1}` \\(3/4\\) $$x$$ 50% </details></li></ol><h1>out</h1> <b>bold</b>"
)
REPLIES = {
    APPLES: "<think>\nStep 1: He starts with 3 apples.\nStep 2: He has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.",
    LONG: "<think>\n"
    + "".join(f"Step {n}: one more leg makes {n} + 1 = {n + 1} legs.\n" for n in range(1, 80)),
    LONGER: "<think>\n"
    + "".join(f"Step {n}: one more wing makes {n} + 1 = {n + 1} wings.\n" for n in range(1, 80)),
    HOSTILE: f"<think>\nStep 1: {NASTY}\n</think>\n\nThe answer is 22.",
}


class Clocked(ScriptedEngine):
    """Remembers when it handed out each word, on the browser's clock. What is long it tells ever more slowly: a run that
    is to be stopped must outlast a busy machine, and a page that starves must not drown in it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.times: list[float] = []
        self.running, self.ended = 0, 0.0  # runs that compute, and when the last of them was over
        self._count = threading.Lock()

    def stream(self, conversation, sampling=Sampling(), stop=None):
        with self._count:
            self.running += 1
        try:
            for count, delta in enumerate(super().stream(conversation, sampling, stop)):
                if delta.text:
                    self.times.append(time.time())
                yield delta
                if count > 40 and stop is not None:
                    stop.wait(0.12)
        finally:
            with self._count:
                self.running, self.ended = self.running - 1, time.time()


class Site:
    """The served app, its engines, the browser, and all that went over the wire or wrong."""

    def __init__(self, url, browser, tuned, base):
        self.url, self.browser, self.tuned, self.base = url, browser, tuned, base
        self.requests: list[str] = []
        self.errors: list[str] = []

        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.on("request", lambda request: self.requests.append(request.url))

    def open(self):
        page = new_page(self.context)
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "dialog", lambda dialog: (self.errors.append("a dialog: " + dialog.message), dialog.dismiss())
        )
        page.goto(self.url)
        page.wait_for_selector("#learn-solve")
        return page


@pytest.fixture(scope="module")
def site():
    tuned, base = Clocked(REPLIES, delay=0.03, name="tuned"), Clocked(REPLIES, delay=0.05, name="base")
    endless = Limits(max_tokens=5000, max_seconds=600)  # what is to be stopped must not be over before
    with serve(app.build_app(tuned, base, endless)) as url, open_browser() as browser:
        yield Site(url, browser, tuned, base)


@pytest.fixture
def page(site):
    page = site.open()
    yield page
    page.close()


def solve(page, problem: str, tab: str = "learn", watch: bool = True) -> None:
    """Ask, and go on once the page has taken the question: what stood there before is gone."""
    if tab == "compare":
        open_tab(page, strings.COMPARE_TAB)
    else:
        page.set_checked("#learn-watch input", watch)
    page.fill(f"#{tab}-problem textarea", problem)
    page.evaluate(
        """button => {  // a refusal is over before one can look, an observer sees it all the same
            window.asked = false;
            new MutationObserver((_, observer) => {
                if (document.querySelector(button).disabled) { window.asked = true; observer.disconnect(); }
            }).observe(document.body, {subtree: true, childList: true, attributes: true});
        }""",
        f"#{tab}-solve",
    )
    page.click(f"#{tab}-solve")
    page.wait_for_function("window.asked")


def stop_clock(page, selector: str) -> float:
    """Click, and the time of the click in the page, in seconds."""
    page.evaluate(
        "s => document.querySelector(s).addEventListener('click', () => { window.clicked = Date.now() }, true)",
        selector,
    )
    page.click(selector)
    return page.evaluate("window.clicked") / 1000


def late(times: list[float], since: float) -> float:
    """Seconds from `since` to the last word."""
    return max(times) - since


def quiet(engine: Clocked) -> None:
    """Wait until the engine has said nothing for a second; several times as long as it needs for a word."""
    assert eventually(lambda: time.time() - engine.times[-1] > 1)


def test_solves_a_problem_step_by_step(page):
    solve(page, APPLES)
    page.wait_for_selector("#learn-answer .mt-answer")
    cards = page.locator("#learn-steps .mt-step")
    assert cards.all_inner_texts()[1].split("\n")[-1] == "He has 3 + 4 = 7 apples."
    assert page.locator("#learn-steps details[open]").count() == cards.count() == 2
    assert page.inner_text("#learn-answer .mt-answer-value") == "7"
    for button in ("#learn-solve:not([disabled])", "#learn-stop[disabled]", "#learn-again:not([disabled])"):
        page.wait_for_selector(button)
    page.click("#learn-answer .mt-raw summary")
    assert "<think>\nStep 1" in page.inner_text("#learn-answer .mt-raw pre")


def test_a_click_shows_at_once(page):
    page.check("#learn-watch input")
    page.fill("#learn-problem textarea", APPLES)
    page.evaluate("""() => {
        const button = document.querySelector('#learn-solve'), line = document.querySelector('#learn-status');
        button.addEventListener('click', () => { window.clicked = performance.now(); window.changed = null }, true);
        new MutationObserver(() => { window.changed ??= performance.now() }).observe(
            line, {childList: true, subtree: true, characterData: true, attributes: true});
    }""")

    def seconds() -> float:
        page.click("#learn-solve")  # waits until the button can be pressed
        page.wait_for_function("window.changed")
        return page.evaluate("window.changed - window.clicked") / 1000

    assert keeps(0.1, seconds)


def test_a_click_shows_before_the_server_hears_of_it(page):
    held = []
    page.route("**/queue/join*", lambda route: held.append(route))
    solve(page, APPLES)
    assert page.inner_text("#learn-status").strip() == strings.ASKED
    assert eventually(lambda: page.wait_for_timeout(20) or held)  # and it is on its way
    for route in held:
        route.continue_()
    page.wait_for_selector("#learn-answer .mt-answer")


def test_a_step_that_was_closed_stays_closed_while_others_come(page):
    solve(page, LONG)
    page.wait_for_selector("#learn-steps .mt-step:not(.mt-growing) summary")
    page.locator("#learn-steps summary").first.click()
    page.wait_for_function("document.querySelectorAll('#learn-steps details').length >= 3")
    states = page.eval_on_selector_all("#learn-steps details", "all => all.map(each => each.open)")
    assert states[0] is False and all(states[1:])
    page.click("#learn-stop")


def test_stop_ends_the_compute_and_keeps_the_working(site, page):
    def seconds() -> float:
        solve(page, LONG)
        page.wait_for_selector("#learn-steps .mt-step:not(.mt-growing)")
        assert page.is_disabled("#learn-solve") and page.is_enabled("#learn-stop")
        clicked = stop_clock(page, "#learn-stop")
        page.wait_for_selector(f"#learn-status :text('{strings.PHASES[Phase.STOPPED][:8]}')")
        page.wait_for_selector("#learn-solve:not([disabled])")
        page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
        quiet(site.tuned)
        produced, kept = site.tuned.num_produced, page.inner_text("#learn-steps")
        assert "one more leg" in kept
        time.sleep(0.3)
        assert site.tuned.num_produced == produced and page.inner_text("#learn-steps") == kept
        return late(site.tuned.times, clicked)

    assert keeps(0.3, seconds)
    seconds()  # and a stopped page can be used again


WAYS = {
    "Learn, watched": lambda page: solve(page, LONG),
    "Learn, out of sight": lambda page: solve(page, LONG, watch=False),
    "Compare": lambda page: solve(page, LONG, "compare"),
    "Check": lambda page: (
        open_tab(page, strings.CHECK_TAB), page.fill("#check-problem textarea", LONG), page.fill("#check-work textarea", "4 * 40 = 160"),
        page.click("#check-solve"),
    ),
}  # fmt: skip


@pytest.mark.promises(2)
@pytest.mark.parametrize("way", WAYS)
def test_a_closed_tab_ends_the_compute(site, way, measured):
    def seconds() -> float:
        page = site.open()
        produced = site.tuned.num_produced
        WAYS[way](page)
        assert eventually(lambda: site.tuned.num_produced > produced + 10)
        closed = time.time()
        page.close()
        assert eventually(lambda: site.tuned.running == site.base.running == 0)
        return max(site.tuned.ended, site.base.ended) - closed

    ended = best(1.0, seconds)
    measured(f"{way}: no producer {ended:.2f} s after the tab was closed")
    assert ended < 1.0


def test_stop_and_start_in_a_hurry_never_mix_two_texts(site, page):
    for problem in (LONG, LONGER, LONG, LONGER, LONG):  # none may be over before Stop is pressed
        solve(page, problem)
        page.wait_for_timeout(120)
        page.click("#learn-stop")
    solve(page, APPLES)
    page.wait_for_selector("#learn-answer .mt-answer")
    page.wait_for_timeout(400)
    shown = page.inner_text("#learn-steps") + page.inner_text("#learn-answer")
    assert "leg" not in shown and "wing" not in shown
    assert page.locator("#learn-steps .mt-step").count() == 2


def test_stop_ends_the_solving_out_of_sight_too(site, page):
    def seconds() -> float:
        produced = site.tuned.num_produced
        solve(page, LONG, watch=False)
        assert eventually(lambda: site.tuned.num_produced > produced)
        page.wait_for_selector("#learn-stop:not([disabled])")
        clicked = stop_clock(page, "#learn-stop")
        page.wait_for_selector("#learn-solve:not([disabled])")
        quiet(site.tuned)
        assert page.is_disabled("#learn-hint") and page.locator("#learn-answer p").count() == 0
        return late(site.tuned.times, clicked)

    assert keeps(0.3, seconds)


@pytest.mark.promises(7)
def test_the_ladder_is_climbed_with_the_keyboard_alone(site, page):
    said = """() => document.querySelector('#learn-status [role=status]').textContent"""
    typed = "#learn-typed :is(input, textarea)"

    def press(name: str) -> None:
        page.wait_for_selector(f"#learn-{name}:not([disabled])")
        page.press(f"#learn-{name}", "Enter")

    page.fill("#learn-problem textarea", APPLES)
    page.press("#learn-problem textarea", "Shift+Enter")
    for rung, shown in enumerate(("many has he", "Plan", "3 + 4 =", "He has 3 + 4 = 7 apples."), start=1):
        if rung > 1:
            press("hint")
        page.wait_for_function("n => document.querySelectorAll('#learn-steps .mt-rung').length >= n", arg=rung)
        if rung == 3:
            page.keyboard.press("Enter")  # the focus has stayed on the button: the step without a sum comes first
            page.wait_for_function("n => document.querySelectorAll('#learn-steps .mt-rung').length >= n", arg=4)
        assert shown in page.inner_text("#learn-steps") or rung == 4
        assert rung == 4 or "7" not in page.inner_text("#learn-steps")
    page.fill(typed, "8")
    page.press(typed, "Enter")
    page.wait_for_selector("#learn-feedback .mt-says-other[role=status]")
    page.fill(typed, "7 apples")
    page.press(typed, "Enter")
    page.wait_for_selector("#learn-feedback .mt-says-right")
    press("whole")
    page.wait_for_selector("#learn-answer .mt-answer-value")
    assert strings.AGREE.format(tries=5) in page.inner_text("#learn-answer")
    press("another")
    page.wait_for_selector("#learn-second .mt-notice")
    press("twin")
    page.wait_for_function("text => document.querySelector('#learn-problem textarea').value !== text", arg=APPLES)
    page.wait_for_function("words => document.querySelector('#learn-status').innerText.includes(words)", arg=strings.TWIN_READY)
    assert page.evaluate(said) == strings.TWIN_READY
    assert page.input_value("#learn-problem textarea").startswith(f"{CANARY} has") and page.locator("#learn-answer .mt-answer").count() == 0


FIRST_SHOWN = """() => {
    window.shown = {};
    document.querySelector('#compare-solve').addEventListener('click', () => { window.asked_at = performance.now() }, true);
    for (const side of ['left', 'right'])
        new MutationObserver(() => {
            if (document.querySelector(`#compare-${side} .mt-step`)) window.shown[side] ??= performance.now() - window.asked_at;
        }).observe(document.querySelector(`#compare-${side}`), {childList: true, subtree: true});
}"""


@pytest.mark.promises(1)
def test_compares_both_sides_live_and_stops_both(site, page, measured):
    both = (site.base, site.tuned)
    apart, shown = [], []  # how far the starts of the two lie from each other; when the later side shows its first words

    def seconds() -> float:
        started = time.time()
        open_tab(page, strings.COMPARE_TAB)
        page.evaluate(FIRST_SHOWN)
        solve(page, LONG, "compare")
        for side in ("left", "right"):
            page.wait_for_selector(f"#compare-{side} .mt-step:not(.mt-growing)")
        counts = [len(engine.times) for engine in both]
        assert eventually(lambda: all(len(e.times) > n for e, n in zip(both, counts, strict=True)))
        first = [min(t for t in engine.times if t > started) for engine in both]
        apart.append(abs(first[0] - first[1]))
        shown.append(max(page.evaluate("[window.shown.left, window.shown.right]")) / 1000)
        clicked = stop_clock(page, "#compare-stop")
        page.wait_for_selector("#compare-solve:not([disabled])")
        for engine in both:
            quiet(engine)
        assert re.search(r"\d+ tokens · \d+\.\d s", page.inner_text("#compare-left"))
        return max(late(engine.times, clicked) for engine in both)

    stopped = best(0.3, seconds)
    together = best(0.1, lambda: apart.pop() if apart else seconds() and apart.pop())  # neither side starts ahead
    first = best(1.0, lambda: shown.pop() if shown else seconds() and shown.pop())
    measured(f"Stop ended both sides after {1000 * max(stopped, 0):.0f} ms; both had words on the page after {first:.2f} s")
    measured(f"they began {1000 * together:.0f} ms apart")
    assert stopped < 0.3 and together < 0.1 and first < 1.0


def test_an_empty_compare_box_takes_the_problem_over_and_a_filled_one_keeps_its_own(page):
    page.fill("#learn-problem textarea", APPLES)
    page.get_by_role("tab", name=strings.COMPARE_TAB).click()
    page.wait_for_function("text => document.querySelector('#compare-problem textarea').value === text", arg=APPLES)
    page.fill("#compare-problem textarea", LONG)
    page.get_by_role("tab", name=strings.LEARN_TAB).click()
    page.get_by_role("tab", name=strings.COMPARE_TAB).click()
    page.wait_for_timeout(300)
    assert page.input_value("#compare-problem textarea") == LONG


TYPE_AT_ONCE = """() => {
    const next = new MessageChannel(), box = () => document.querySelector('#compare-problem textarea');
    let until = null, typed = null;
    window.lost = []; window.over = false;
    next.port1.onmessage = () => {
        if (box()?.checkVisibility()) {
            until ??= performance.now() + 400;
            if (typed !== null && box().value !== typed) window.lost.push([typed, box().value]);
            typed = (typed ?? '') + 'x';
            box().value = typed;
            box().dispatchEvent(new Event('input', {bubbles: true}));
        }
        if (until && performance.now() > until) window.over = true; else setTimeout(() => next.port2.postMessage(0));
    };
    next.port2.postMessage(0);
}"""


@pytest.mark.parametrize("other", ["", APPLES])
def test_nothing_that_is_typed_at_once_into_a_tab_just_opened_is_lost(page, other):
    page.fill("#learn-problem textarea", other)
    page.evaluate(TYPE_AT_ONCE)
    page.get_by_role("tab", name=strings.COMPARE_TAB).click()
    page.wait_for_function("window.over")
    assert page.evaluate("window.lost") == []


def test_compares_to_the_end(page):
    solve(page, APPLES, "compare")
    page.wait_for_selector("#compare-summary .mt-summary")
    assert strings.SAME_ANSWER.format(answer=7) in page.inner_text("#compare-summary")
    assert (
        page.inner_text("#compare-left .mt-answer-value")
        == page.inner_text("#compare-right .mt-answer-value")
        == "7"
    )


@pytest.mark.promises(3)
@pytest.mark.parametrize(("tab", "output"), [("learn", "#learn-steps"), ("compare", "#compare-right")])
def test_hostile_text_comes_out_as_typed_and_runs_nothing(site, page, tab, output):
    solve(page, HOSTILE, tab)
    page.wait_for_selector(f"#{tab}-{'answer' if tab == 'learn' else 'right'} .mt-answer")
    assert NASTY in page.inner_text(output)
    assert (
        page.locator(f"{output} img, {output} script, {output} h1, {output} b, {output} .katex").count() == 0
    )
    assert not any("dialog" in error for error in site.errors)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("", strings.START),
        ("hello", "I need the whole problem"),
        ("My mail is ana@example.org, what is 3 + 4?", "Leave out names and numbers"),
    ],
)
def test_refuses_kindly_and_is_ready_again(page, problem, words):
    solve(page, problem)
    page.wait_for_function(
        "words => document.querySelector('#learn-status').innerText.includes(words)", arg=words
    )
    page.wait_for_selector("#learn-solve:not([disabled])")


@pytest.mark.promises(5)
def test_an_address_never_leaves_the_page(page):
    sent = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    solve(page, "Send ana.canary@example.org or 555-123-4567 the sum of 3 + 4, how many?")
    page.wait_for_function("document.querySelector('#learn-status').innerText.includes('Leave out')")
    assert not any("canary" in body or "555-123" in body for body in sent)


def test_examples_only_fill_the_box(site, page):
    produced = site.tuned.num_produced
    for label, text in EXAMPLES.items():
        page.locator("#mt-tabs").get_by_role("button", name=label, exact=True).first.click()
        page.wait_for_function(
            "text => document.querySelector('#learn-problem textarea').value === text", arg=text
        )
    assert site.tuned.num_produced == produced and page.inner_text("#learn-steps") == ""


@pytest.mark.promises(9)
def test_a_phone_needs_no_sideways_scroll_and_no_fine_finger(page, measured):
    views = []

    def check():
        for width in (390, 360):
            page.set_viewport_size({"width": width, "height": 780})
            views.append(phone(page))

    def in_reach(button):
        for y in ("document.body.scrollHeight", "0"):
            page.evaluate(f"scrollTo({{top: {y}, behavior: 'instant'}})")
            assert 0 <= page.locator(button).bounding_box()["y"] <= 780 - 44

    check()
    solve(page, HOSTILE)
    page.wait_for_selector("#learn-answer .mt-answer")
    check()
    in_reach("#learn-stop")
    solve(page, APPLES, watch=False)
    page.wait_for_selector("#learn-steps .mt-rung")
    page.wait_for_selector("#learn-hint:not([disabled])")
    page.click("#learn-hint")
    page.wait_for_function("document.querySelectorAll('#learn-steps .mt-rung').length > 1")
    page.wait_for_selector("#learn-hint:not([disabled])")
    page.fill("#learn-typed :is(input, textarea)", "7")
    page.wait_for_selector("#learn-check:not([disabled])")
    page.click("#learn-check")
    page.wait_for_selector("#learn-feedback p")
    check()
    solve(page, APPLES, "compare")
    page.wait_for_selector("#compare-summary .mt-summary")
    check()
    in_reach("#compare-stop")
    for name, sign in ((strings.ABOUT_TAB, ".mt-about"), (strings.EVIDENCE_TAB, ".mt-failure")):
        open_tab(page, name)
        page.wait_for_selector(f"{sign} >> visible=true")
        check()
    measured(told_of(views))


@pytest.mark.promises(8)
def test_only_whole_steps_are_announced(site, page, measured):
    """Every region that a screen reader listens to is watched, all over the page."""
    live = "[role=status], [role=alert], [role=log], [aria-live=polite], [aria-live=assertive]"
    page.evaluate("""live => {
        window.said = [];
        const last = new Map();
        const look = () => {
            for (const region of document.querySelectorAll(live)) {
                const where = region.closest('[id]')?.id ?? '', words = region.textContent.trim();
                if (words && words !== last.get(where)) { window.said.push(words); last.set(where, words); }
            }
        };
        look();  // what stands there already is not announced
        window.said = [];
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
    }""", live)
    produced = site.tuned.num_produced
    solve(page, APPLES)
    page.wait_for_selector("#learn-answer .mt-answer")
    said, words = page.evaluate("window.said"), site.tuned.num_produced - produced
    steps = [each for each in said if each.startswith("Step")]
    measured(f"{len(said)} announcements, {len(steps)} of them of steps, while {words} words were written")
    # Each at most once and in order; a busy machine may be late for the first.
    assert steps and steps == sorted(set(steps)) and set(steps) <= {strings.STEP_READY.format(step=n) for n in (1, 2)}
    assert len(said) <= 5 < words


def test_who_asks_too_often_is_told_so_and_can_go_on_later(site):
    with serve(app.build_app(site.tuned, site.base), burst=1, rate=0) as url:
        page = new_page(site.browser)
        page.goto(url)
        solve(page, APPLES)
        page.wait_for_selector("#learn-answer .mt-answer")
        page.wait_for_selector("#learn-solve:not([disabled])")
        solve(page, APPLES)
        page.wait_for_function(
            "words => document.querySelector('#learn-status').innerText.includes(words)", arg=strings.FULL
        )
        page.wait_for_selector("#learn-solve:not([disabled])")
        page.close()


SLOWLY = """
import runpy
from mathtutor.engines.scripted import ScriptedEngine
ScriptedEngine.__init__.__defaults__ = (0.04, "scripted")  # seconds a word: time to press Stop
runpy.run_path("app.py", run_name="__main__")
"""
KEPT = """async () => JSON.stringify([
    {...localStorage}, {...sessionStorage}, document.cookie, (await indexedDB.databases()).map(each => each.name),
    await caches.keys(), location.href])"""


def files_with(text: str, *folders: Path) -> list[Path]:
    """The files that hold a text, in the two encodings that browsers and logs use."""
    needles = (text.encode(), text.encode("utf-16-le"))
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return [file for file in files if any(needle in file.read_bytes() for needle in needles)]


@pytest.fixture
def process(tmp_path):
    """`python app.py` as a process: (its URL, its log, its own folders for cwd, home and temporary files)."""
    root = Path(app.__file__).parent
    folders = {name: tmp_path / name for name in ("site", "home", "tmp")}
    for folder in folders.values():
        folder.mkdir()
    for name in ("app.py", "ui", "mathtutor", "assets/app.css", "assets/bank", "assets/words", "assets/models.yaml", "assets/print.js", "assets/markdown.js"):
        target = folders["site"] / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(root / name, target) if (root / name).is_dir() else shutil.copy(root / name, target)
    script, log, port = tmp_path / "replies.json", tmp_path / "log.txt", free_port()
    script.write_text(json.dumps({
        STORY.format(canary): f"<think>\nStep 1: {CANARIES['reply']} has 3 + 4 = 7.\n"
        + "and so on " * (400 if name == "stopped" else 5) + "\n</think>\n\nThe answer is 7."
        for name, canary in CANARIES.items()
    }))  # fmt: skip
    env = {
        **os.environ, "HOME": str(folders["home"]), "TMPDIR": str(folders["tmp"]), "GRADIO_TEMP_DIR": str(folders["tmp"]),
        "PORT": str(port), "PYTHONUNBUFFERED": "1", "MATHTUTOR_ENGINE": f"scripted:{script}",
        "MATHTUTOR_COMPARE": f"scripted:{script}",
    }  # fmt: skip
    with log.open("wb") as out:
        running = subprocess.Popen([sys.executable, "-c", SLOWLY], cwd=folders["site"], env=env, stdout=out, stderr=out)
        try:
            url = f"http://127.0.0.1:{port}"

            def up() -> bool:
                assert running.poll() is None, log.read_text()
                try:
                    urllib.request.urlopen(url, timeout=PATIENCE).close()
                except OSError:
                    return False
                return True

            assert eventually(up, 3 * PATIENCE)  # it imports everything
            yield url, log, list(folders.values())
        finally:
            running.terminate()
            running.wait(10)


CANARIES = {name: f"{name.capitalize()}zebulon" for name in ("solved", "stopped", "hinted", "guessed", "compared", "worried", "called", "lined", "tool", "reply",
                                                              "checked", "worked", "practised", "twinned", "refused", "addressed", "unknown", "toolchecked",
                                                              "plain", "left")}  # fmt: skip
STORY = "{} has 3 apples and buys 4 more. How many has he now?"


@pytest.mark.promises(5)
def test_what_is_typed_is_in_no_log_on_no_disk_and_in_no_browser(site, process, tmp_path, measured):
    url, log, folders = process
    requests = []
    profile = tmp_path / "profile"
    context = site.browser.browser_type.launch_persistent_context(profile, executable_path=chromium(), args=list(FLAGS))
    context.on("request", lambda request: requests.append(request.url))
    page = new_page(context)
    page.goto(url)

    solve(page, STORY.format(CANARIES["solved"]))
    page.wait_for_selector("#learn-answer .mt-answer")
    assert CANARIES["reply"] in page.inner_text("#learn-steps")
    solve(page, STORY.format(CANARIES["stopped"]))
    page.wait_for_selector("#learn-stop:not([disabled])")
    page.click("#learn-stop")
    page.wait_for_selector(f"#learn-status :text('{strings.PHASES[Phase.STOPPED][:8]}')")
    page.wait_for_selector("#learn-solve:not([disabled])")
    solve(page, STORY.format(CANARIES["hinted"]), watch=False)
    for _ in range(3):
        page.wait_for_selector("#learn-hint:not([disabled])")
        page.click("#learn-hint")
    page.fill("#learn-typed :is(input, textarea)", f"8 {CANARIES['guessed']}")
    page.click("#learn-check")
    page.wait_for_selector("#learn-feedback p")
    page.click("#learn-whole")
    page.wait_for_selector("#learn-answer .mt-answer")
    page.click("#learn-another")
    page.wait_for_selector("#learn-second .mt-notice")
    page.click("#learn-twin")
    page.wait_for_selector("#learn-solve:not([disabled])")
    solve(page, f"I want to die, {CANARIES['worried']}. 3 + 4 = ?")
    page.wait_for_selector("#learn-answer .mt-worry")
    solve(page, STORY.format(CANARIES["compared"]), "compare")
    page.wait_for_selector("#compare-summary .mt-summary")

    for problem, words in (
        (f"{CANARIES['refused']}?", strings.FINDINGS[Finding.TOO_SHORT]),
        (f"Write to {CANARIES['addressed']}@example.org: what is 3 + 4?", strings.FINDINGS[Finding.PERSONAL]),
        (f"{CANARIES['unknown']} has 5 nuts and eats 2. How many are left?", strings.SORRY),  # the engine breaks on it
    ):
        open_tab(page, strings.LEARN_TAB)
        solve(page, problem)
        page.wait_for_function("words => document.querySelector('#learn-status').innerText.includes(words)", arg=words)
        page.wait_for_selector("#learn-solve:not([disabled])")
    open_tab(page, strings.CHECK_TAB)
    page.fill("#check-problem textarea", STORY.format(CANARIES["checked"]))
    page.fill("#check-work textarea", f"{CANARIES['worked']} has 3 + 4 = 8")
    page.click("#check-solve")
    page.wait_for_function("canary => document.querySelector('#check-lines').innerText.includes(canary)", arg=CANARIES["worked"])
    open_tab(page, strings.PRACTICE_TAB)
    page.click("#practice-new")
    page.wait_for_selector("#practice-check:not([disabled])")
    page.fill("#practice-answer :is(input, textarea)", CANARIES["practised"])
    before = page.inner_text("#practice-status")
    page.click("#practice-check")
    page.wait_for_function("was => document.querySelector('#practice-status').innerText !== was", arg=before)
    open_tab(page, strings.LEARN_TAB)
    page.fill("#learn-problem textarea", STORY.format(CANARIES["left"]))  # typed, and the tab is left without a click
    page.wait_for_timeout(600)

    called = Client(url, verbose=False).predict(STORY.format(CANARIES["called"]), api_name="/solve")
    assert CANARIES["reply"] in called["steps"][0]
    Client(url, verbose=False).predict(STORY.format(CANARIES["called"]), [f"{CANARIES['lined']} 3 + 4 = 8"], api_name="/check_work")
    Client(url, verbose=False).predict(STORY.format(CANARIES["twinned"]), api_name="/twin")
    httpx.post(f"{url}/gradio_api/call/solve", json={"data": [STORY.format(CANARIES["plain"])]}, timeout=PATIENCE).raise_for_status()
    tool = {"name": "solve", "arguments": {"problem": STORY.format(CANARIES["tool"])}}
    other = {"name": "check_work", "arguments": {"problem": STORY.format(CANARIES["toolchecked"]), "lines": ["3 + 4 = 8"]}}
    accepts = {"accept": "application/json, text/event-stream"}
    posted = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool}
    assert CANARIES["reply"] in httpx.post(f"{url}/gradio_api/mcp/", json=posted, headers=accepts, timeout=PATIENCE).text

    posted["params"] = other
    assert '"isError":false' in httpx.post(f"{url}/gradio_api/mcp/", json=posted, headers=accepts, timeout=PATIENCE).text

    stored = page.evaluate(KEPT)
    context.close()
    assert "http://" in log.read_text() and files_with("MATHTUTOR_ENGINE", *folders)  # the search does find
    for canary in CANARIES.values():
        assert canary not in stored and canary not in log.read_text()
        assert files_with(canary, *folders, profile) == []
    assert len(CANARIES) == 20 and requests
    assert [each for each in requests if not each.startswith((url, "data:", "blob:"))] == []
    measured(f"{len(CANARIES)} canaries in no log, file, cookie or store; {len(requests)} requests, all to the origin")


# Last: what all the sessions above have left behind.


@pytest.mark.promises(5)
def test_nothing_was_kept_in_the_browser(page):
    solve(page, APPLES)
    page.wait_for_selector("#learn-answer .mt-answer")
    stored = page.evaluate(KEPT)
    assert CANARY not in stored and "apples" not in stored
    assert "[],[]" in stored.replace(" ", "")  # no database and no cache at all


@pytest.mark.promises(5)
def test_no_request_left_the_origin_and_nothing_went_wrong(site):
    assert site.requests
    outside = {url for url in site.requests if not url.startswith((site.url, "data:", "blob:"))}
    assert outside == set()
    assert site.errors == []


def test_a_failure_of_the_evidence_is_carried_to_learn(page):
    open_tab(page, strings.EVIDENCE_TAB)
    first = page.locator(".mt-failure > p").first.inner_text()
    page.click("#evidence-next")
    page.wait_for_function("first => document.querySelector('.mt-failure > p').innerText !== first", arg=first)
    second = page.locator(".mt-failure > p").first.inner_text()
    page.click("#evidence-again")
    page.wait_for_function("text => document.querySelector('#learn-problem textarea').value === text", arg=second)
    assert page.locator("#learn-solve").is_visible()
