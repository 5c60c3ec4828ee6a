"""The page for people who cannot see it or use a mouse: axe's rules, in every tab and state, light and dark."""

from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from tests.browser import chromium, new_page, open_browser, serve

if chromium() is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH: the browser tests did not run", allow_module_level=True)

RIGHT = "Ana has 3 apples and buys 4 more. How many has she?"
WRONG = "Ben has 9 pears and eats 2 of them. How many has he?"
LONG = "Cam has 40 cats and 30 hens. How many legs is that?"
BROKEN = "Dan has 8 nuts and eats 5 of them. How many has he?"  # no reply was written: the engine breaks on it
REPLIES = {
    RIGHT: "<think>\nStep 1: She starts with 3 apples.\nStep 2: She has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.",
    WRONG: "<think>\nStep 1: He has 9 - 2 = 6 pears.\n</think>\n\nThe answer is 6.",
    LONG: "<think>\n" + "".join(f"Step {n}: one more leg makes {n} + 1 = {n + 1} legs.\n" for n in range(1, 200)),
}
WATCH, TYPED = "#learn-watch input", "#learn-typed :is(input, textarea)"
# tab, problem, what to wait for (None: as the page opens), then what to press and what to wait for, over and over
STATES = {
    "learn, at rest": ("learn", None, "#learn-status"),
    "learn, watched": ("watch", LONG, "#learn-steps .mt-step"),
    "learn, answered": ("watch", RIGHT, "#learn-answer .mt-answer"),
    "learn, a wrong sum": ("watch", WRONG, "#learn-answer .mt-wrong"),
    "learn, solving": ("learn", LONG, "#learn-status .mt-busy"),
    "learn, hints": ("learn", RIGHT, "#learn-hint:not([disabled])", "#learn-hint", "#learn-steps .mt-rung:nth-child(2)",
                     "#learn-hint", "#learn-steps .mt-rung:nth-child(3)", "#learn-hint", "#learn-steps .mt-equation"),
    "learn, a right number": ("learn", RIGHT, "#learn-hint:not([disabled])", "7", "#learn-feedback .mt-says-right"),
    "learn, another number": ("learn", RIGHT, "#learn-hint:not([disabled])", "9", "#learn-feedback .mt-says-other"),
    "learn, the whole, twice": ("learn", RIGHT, "#learn-hint:not([disabled])", "9", "#learn-whole:not([disabled])", "#learn-whole",
                                "#learn-another:not([disabled])", "#learn-another", "#learn-second .mt-notice"),
    "learn, doubtful": ("learn", WRONG, "#learn-steps .mt-warn", "#learn-hint", "#learn-steps .mt-rung:nth-child(2)"),
    "learn, refused": ("learn", "5", "#learn-status .mt-hint"),
    "learn, broken": ("learn", BROKEN, "#learn-status .mt-retry"),
    "learn, worry words": ("learn", "I want to die", "#learn-answer .mt-worry"),
    "compare, at rest": ("compare", None, "#compare-status"),
    "compare, thinking": ("compare", LONG, "#compare-right .mt-step"),
    "compare, done": ("compare", WRONG, "#compare-summary p"),
    "compare, broken": ("compare", BROKEN, "#compare-right .mt-notice"),
    "compare, worry words": ("compare", "I want to die", "#compare-summary .mt-worry"),
    "evidence": ("evidence", None, ".mt-failure"),
    "for grown-ups": ("about", None, ".mt-about"),
}  # fmt: skip
TABS = {"learn": strings.LEARN_TAB, "compare": strings.COMPARE_TAB, "evidence": strings.EVIDENCE_TAB, "about": strings.ABOUT_TAB}


@pytest.fixture(scope="module")
def site():
    engines = (ScriptedEngine(REPLIES, delay=0.01, name=name) for name in ("tuned", "base"))
    with serve(app.build_app(*engines)) as url, open_browser() as browser:
        yield url, browser


@pytest.mark.promises(6)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(site, state, scheme):
    url, browser = site
    tab, problem, sign, *moves = STATES[state]
    page = new_page(browser, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page.goto(url)
    if tab == "watch":
        tab = "learn"
        page.check(WATCH)
    page.get_by_role("tab", name=TABS[tab]).click()
    if problem:
        page.fill(f"#{tab}-problem textarea", problem)
        page.press(f"#{tab}-problem textarea", "Shift+Enter")
    page.wait_for_selector(sign)
    for move, then in zip(moves[::2], moves[1::2], strict=True):
        if move.isdigit():
            page.fill(TYPED, move)
            page.press(TYPED, "Enter")
        else:
            page.click(move)
        page.wait_for_selector(then)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)  # transitions of colour would be judged half-way
        found = Axe().run(page).response["violations"]
        assert not found, f"{width} px wide:\n" + "\n".join(
            f"{rule['id']} ({rule['impact']}): " + "; ".join(f"{node['html'][:160]} {re.sub(chr(10), ' ', node['failureSummary'])[:300]}" for node in rule["nodes"])
            for rule in found
        )
    page.close()


def test_shift_enter_solves_and_enter_starts_a_new_line(site):
    url, browser = site
    page = new_page(browser)
    page.goto(url)
    box = "#learn-problem textarea"
    page.fill(box, RIGHT)
    page.press(box, "Enter")
    page.wait_for_timeout(200)
    assert page.input_value(box) == RIGHT + "\n" and not page.locator("#learn-steps .mt-step").count()
    page.press(box, "Shift+Enter")
    page.wait_for_selector("#learn-hint:not([disabled])")
    page.close()
