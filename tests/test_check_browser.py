"""Check my work and Practice as a student has them: a real browser, a real server, a scripted engine; axe in every state."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from tests.browser import chromium, open_browser, phone, serve, told_of
from ui import practice
from ui.streams import Limits

if chromium() is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH: the browser tests did not run", allow_module_level=True)

MARBLES = "Zebulon has 12 marbles. He loses 5 and then wins 9. How many marbles does he have now?"
SLOW = "Ana counts the legs of 40 cats, 30 hens and 20 ants. How many legs?"
BROKEN = "Dan has 8 nuts and eats 5 of them. How many has he?"  # no reply was written: the engine breaks on it
REPLIES = {
    MARBLES: "<think>\nStep 1: He has 12 - 5 = 7 marbles left.\nStep 2: Then he has 7 + 9 = 16.\n</think>\n\nThe answer is 16.",
    SLOW: "<think>\n" + "".join(f"Step {n}: one more leg makes {n} + 1 = {n + 1} legs.\n" for n in range(1, 200)),
}
WRONG = "12 - 5 = 7\n7 - 9 = -2 <b>Zebulon</b>\nSo the answer is 2"


@pytest.fixture(scope="module")
def site():
    practice.bank()
    tuned, base = (ScriptedEngine(REPLIES, delay=0.01, name=name) for name in ("tuned", "base"))
    endless = Limits(max_tokens=5000, max_seconds=600)  # what is to be stopped must not be over before, on a busy machine either
    with serve(app.build_app(tuned, base, endless)) as url, open_browser() as browser:
        yield url, browser, tuned


@pytest.fixture
def page(site):
    url, browser, _ = site
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector("#learn-solve")
    yield page
    assert page.errors == []
    context.close()


def check(page, problem: str, work: str) -> None:
    page.get_by_role("tab", name=strings.CHECK_TAB).click()
    page.fill("#check-problem textarea", problem)
    page.fill("#check-work textarea", work)
    page.click("#check-solve")


def practise(page) -> None:
    page.get_by_role("tab", name=strings.PRACTICE_TAB).click()
    page.click("#practice-new")
    page.wait_for_selector("#practice-problem .mt-task")
    page.wait_for_selector("#practice-check:not([disabled])")


def answer(page, text: str) -> None:
    page.fill("#practice-answer :is(input, textarea)", text)
    page.click("#practice-check")


def task_of(page) -> practice.Task:
    return practice._recent.find(page.inner_text("#practice-problem .mt-task-text"))


def test_the_first_doubtful_line_is_marked_and_nothing_typed_runs(page):
    check(page, MARBLES, WRONG)
    page.wait_for_selector("#check-lines .mt-question")
    assert page.locator("#check-lines .mt-line-look").count() == 1
    assert "<b>Zebulon</b>" in page.inner_text("#check-lines .mt-line-look") and page.locator("#check-lines b").count() == 0
    assert strings.CHECK_DOUBT.format(line=2) in page.inner_text("#check-status [role=status]")
    assert "16" not in page.inner_text("#check-lines") + page.inner_text("#check-note")


def test_stop_ends_the_silent_solving_within_a_third_of_a_second(site, page):
    _, _, tuned = site
    check(page, SLOW, "4 * 40 = 160")
    page.wait_for_selector("#check-stop:not([disabled])")
    page.wait_for_timeout(300)
    clicked = time.monotonic()
    page.click("#check-stop")
    while time.monotonic() - clicked < 0.5:
        time.sleep(0.02)
    produced = tuned.num_produced
    time.sleep(0.4)
    assert tuned.num_produced == produced
    page.wait_for_selector("#check-solve:not([disabled])")
    page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
    assert page.input_value("#check-work textarea") == "4 * 40 = 160"


def test_a_problem_being_practised_stands_in_check_and_its_own_steps_are_right(page):
    practise(page)
    instance = practice.instance_of(task_of(page))
    page.get_by_role("tab", name=strings.CHECK_TAB).click()
    page.wait_for_function("text => document.querySelector('#check-problem textarea').value === text", arg=instance.problem)
    page.fill("#check-work textarea", "\n".join(instance.steps))
    page.click("#check-solve")
    page.wait_for_function("words => document.querySelector('#check-note').innerText.includes(words)", arg=strings.CHECK_RIGHT_NOTE)


def test_an_answer_is_judged_its_mistake_named_and_mastery_follows_the_first_one(page):
    practise(page)
    instance = practice.instance_of(task_of(page))
    said = page.text_content("#mt-tabs").replace(instance.problem, "")
    assert instance.shown_answer not in re.findall(r"[\d.]+", said) or len(instance.shown_answer) < 3
    mistake = next(m for m in instance.mistakes if m.value >= 0 and m.value.denominator == 1)
    answer(page, str(mistake.value))
    page.wait_for_function("words => document.querySelector('#practice-status').innerText.includes(words)", arg=strings.PRACTICE_NOT_YET)
    assert mistake.says in page.inner_text("#practice-status")
    page.wait_for_selector("#practice-known .mt-known li")
    level = page.inner_text("#practice-known")
    answer(page, instance.shown_answer)
    page.wait_for_function("document.querySelector('#practice-status').innerText.includes('right!')")
    assert page.inner_text("#practice-known") == level  # the second answer is no evidence


def test_hints_come_one_by_one_to_the_end_and_enter_checks(page):
    practise(page)
    instance = practice.instance_of(task_of(page))
    for number in range(1, practice.num_hints(instance) + 1):
        page.click("#practice-hint")
        page.wait_for_function("n => document.querySelectorAll('#practice-hints li').length === n", arg=number)
        page.wait_for_timeout(150)
    page.wait_for_selector("#practice-hint[disabled]")
    page.fill("#practice-answer :is(input, textarea)", instance.shown_answer)
    page.press("#practice-answer :is(input, textarea)", "Enter")
    page.wait_for_function("document.querySelector('#practice-status').innerText.includes('right!')")


KEPT = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"


def test_numbers_are_kept_in_the_browser_only_if_asked_and_are_forgotten_on_demand(page):
    practise(page)
    answer(page, "1234567")
    page.wait_for_selector("#practice-known .mt-known li")
    topic = page.inner_text("#practice-known .mt-known-topic")
    page.reload()
    page.get_by_role("tab", name=strings.PRACTICE_TAB).click()
    page.wait_for_function("words => document.querySelector('#practice-known').innerText.includes(words)", arg=strings.PRACTICE_NONE_KNOWN)
    practise(page)
    answer(page, "1234567")
    page.wait_for_selector("#practice-known .mt-known li")
    topic = page.inner_text("#practice-known .mt-known-topic")
    page.click("#practice-remember input")
    page.wait_for_timeout(600)
    kept = page.evaluate(KEPT)
    assert "1234567" not in kept and task_text(page)[:25] not in kept
    page.reload()
    page.get_by_role("tab", name=strings.PRACTICE_TAB).click()
    page.wait_for_selector("#practice-known .mt-known li")
    assert page.inner_text("#practice-known .mt-known-topic") == topic and page.is_checked("#practice-remember input")
    page.click("#practice-forget")
    page.wait_for_function("words => document.querySelector('#practice-known').innerText.includes(words)", arg=strings.PRACTICE_NONE_KNOWN)
    page.wait_for_timeout(600)
    page.reload()
    page.get_by_role("tab", name=strings.PRACTICE_TAB).click()
    page.wait_for_timeout(800)
    assert page.locator("#practice-known .mt-known li").count() == 0


def task_text(page) -> str:
    return page.inner_text("#practice-problem .mt-task-text")


def test_a_worksheet_is_printed_and_saved_in_the_page_alone(page, tmp_path):
    practise(page)
    page.click("#practice-sheet")
    page.wait_for_selector("#practice-sheet-page")
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    with page.expect_download() as download:
        page.click("#practice-save")
    text = Path(download.value.path()).read_text(encoding="utf-8")
    problems = page.eval_on_selector_all(".mt-sheet-problems li p:first-child", "all => all.map(each => each.textContent)")
    unescaped = re.sub(r"\\([\\`*_#<>|~$])", r"\1", text)
    assert len(problems) == 5 and all(problem in unescaped for problem in problems)
    assert text.count("# ") == 2 and text.index(strings.SHEET_KEY) > text.index("5. ")
    page.evaluate("window.print = () => { window.printed = true }")
    page.click("#practice-print")
    page.wait_for_function("window.printed")
    page.emulate_media(media="print")
    assert page.is_visible("#practice-sheet-page") and not page.is_visible("#practice-new") and not page.is_visible(".mt-header")
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.is_visible("#practice-new")
    assert [url for url in sent if not url.startswith("blob:")] == []


STATES = {
    "check, at rest": lambda page: page.get_by_role("tab", name=strings.CHECK_TAB).click(),
    "check, solving": lambda page: (check(page, SLOW, "1 + 1 = 2"), page.wait_for_selector("#check-stop:not([disabled])")),
    "check, a doubtful line": lambda page: (check(page, MARBLES, WRONG), page.wait_for_selector("#check-lines .mt-question")),
    "check, right": lambda page: (check(page, MARBLES, "12 + 9 - 5 = 16"), page.wait_for_selector("#check-note .mt-good")),
    "check, refused": lambda page: (check(page, "5", "6"), page.wait_for_selector("#check-status .mt-hint")),
    "check, broken": lambda page: (check(page, BROKEN, "1 + 1 = 2"), page.wait_for_selector("#check-lines .mt-line")),  # the sums alone are looked at
    "check, worry words": lambda page: (check(page, MARBLES, "I want to die"), page.wait_for_selector("#check-note .mt-worry")),
    "practice, at rest": lambda page: page.get_by_role("tab", name=strings.PRACTICE_TAB).click(),
    "practice, a problem": practise,
    "practice, answered": lambda page: (practise(page), answer(page, "99999"), page.wait_for_selector("#practice-known .mt-known")),
    "practice, hints and sheet": lambda page: (
        practise(page), page.click("#practice-hint"), page.wait_for_selector("#practice-hints li"),
        page.click("#practice-sheet"), page.wait_for_selector("#practice-sheet-page"),
    ),
}  # fmt: skip


@pytest.mark.promises(6)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(page, state, scheme):
    page.emulate_media(color_scheme=scheme)
    page.reload()
    page.wait_for_selector("#learn-solve")
    STATES[state](page)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(150)
        found = Axe().run(page).response["violations"]
        assert [(v["id"], [n["html"][:140] for n in v["nodes"]][:3]) for v in found] == [], f"{width} px wide"


@pytest.mark.promises(9)
def test_a_phone_needs_no_sideways_scroll_and_no_fine_finger(page, measured):
    views = []
    for open_state in (STATES["check, a doubtful line"], STATES["practice, hints and sheet"]):
        page.set_viewport_size({"width": 1280, "height": 900})  # where all tabs are in sight
        open_state(page)
        for width in (390, 360):
            page.set_viewport_size({"width": width, "height": 780})
            page.wait_for_timeout(200)
            views.append(phone(page))
    measured(told_of(views))


@pytest.mark.promises(7)
def test_practice_can_be_done_with_the_keyboard_alone(page):
    practise(page)
    page.wait_for_function("document.activeElement.closest('#practice-answer') !== null")  # the focus waits in the answer
    page.keyboard.type("99999")
    page.keyboard.press("Enter")
    page.wait_for_selector("#practice-known .mt-known")
    page.keyboard.press("Tab")
    order = []
    for _ in range(3):
        order.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    assert order == ["practice-new", "practice-check", "practice-hint"]
    assert json.loads(page.evaluate("JSON.stringify(window.scrollX)")) == 0
