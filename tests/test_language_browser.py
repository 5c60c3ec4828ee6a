"""The page in Spanish, in a real chromium: every tab, what handlers say, what the page says by itself, the choice of a language."""

from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.maths.markup import as_printed
from mathtutor.strings import ENGLISH, strings_of
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import Finding
from tests.browser import chromium, eventually, new_page, open_browser, serve
from tests.test_strings import SAME, leaves
from ui.streams import Limits

if chromium() is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH: the browser tests did not run", allow_module_level=True)

SPANISH = strings_of("es")
APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
PEARS = "Ben has 9 pears and eats 2 of them. How many has he?"
LONG = "Cam has 40 cats and 30 hens. How many legs is that?"
REPLIES = {
    APPLES: "<think>\nStep 1: Ana has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.",
    PEARS: "<think>\nStep 1: He has 9 - 2 = 6 pears.\n</think>\n\nThe answer is 6.",
    LONG: "<think>\n"
    + "".join(f"Step {n}: one more leg makes {n} + 1 = {n + 1} legs.\n" for n in range(1, 200)),
}
TYPED = "#learn-typed :is(input, textarea)"

# All that a reader is given outside of elements that say they are English: texts, labels, placeholders.
SPOKEN = """(language) => {
  const said = [];
  const isOurs = (element) => element.closest('[lang]')?.lang === language && !element.closest('script, style, code');
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (isOurs(element)) said.push(walker.currentNode.data);
  }
  for (const name of ['aria-label', 'title', 'placeholder'])
    document.querySelectorAll(`[${name}]`).forEach((element) => isOurs(element) && said.push(element.getAttribute(name)));
  return said.map((text) => text.trim()).filter(Boolean);
}"""


def pieces(text: str) -> list[str]:
    """What a filled-in sentence keeps of its words."""
    return [piece.strip() for piece in re.split(r"\{\w+\}|<[^>]*>", text) if len(piece.strip()) > 9]


ENGLISH_SENTENCES = [
    piece
    for path, text in leaves(ENGLISH.words)
    if path not in SAME["es"] and path[0] != "TOPICS"
    for piece in pieces(text)
]
SPANISH_WORDS = " ".join(text for _, text in leaves(SPANISH.words))


def told_by(page, language: str) -> str:
    return " ".join(" ".join(page.evaluate(SPOKEN, language)).split())


def english_in(told: str) -> list[str]:
    """Our English sentences that are told, but for those that a Spanish one holds as they are."""
    return [piece for piece in ENGLISH_SENTENCES if piece in told and piece not in SPANISH_WORDS]


def speaks_spanish(page, *sentences: str) -> None:
    """Each of `sentences` is told, no key is shown, and no English sentence of ours stands there as if it were Spanish."""
    told = told_by(page, "es")
    assert page.evaluate("document.documentElement.lang") == "es"
    assert "mt_word_" not in page.evaluate("document.body.outerHTML") and "__i18n__" not in told
    for sentence in sentences:
        assert " ".join(sentence.split()) in told, sentence
    assert english_in(told) == []


@pytest.fixture(scope="module")
def site():
    engines = (ScriptedEngine(REPLIES, delay=0.01, name=name) for name in ("tuned", "base"))
    endless = Limits(max_tokens=5000, max_seconds=600)  # what is to be stopped must not be over before
    with serve(app.build_app(*engines, endless)) as url, open_browser() as browser:
        yield url, browser


@pytest.fixture
def page(site):
    url, browser = site
    context = browser.new_context(locale="es-ES", viewport={"width": 1280, "height": 900})
    page = new_page(context)
    page.goto(url)
    page.wait_for_selector("#learn-solve")
    yield page
    context.close()


def waits_for(page, selector: str, words: str) -> None:
    page.wait_for_function(
        "([at, words]) => document.querySelector(at)?.textContent.includes(words)", arg=[selector, words]
    )


def solve(page, problem: str) -> None:
    page.fill("#learn-problem textarea", problem)
    page.click("#learn-solve")


def test_learn_gives_hints_and_looks_at_an_answer(page):
    speaks_spanish(
        page,
        SPANISH.TAGLINE,
        SPANISH.IN_ENGLISH,
        SPANISH.LEARN_TAB,
        SPANISH.HELP_ME,
        SPANISH.START_LEARN,
        SPANISH.PROBLEM_HINT,
    )
    solve(page, APPLES)
    waits_for(page, "#learn-status", SPANISH.READY_SURE)
    page.click("#learn-hint")
    page.wait_for_selector("#learn-steps .mt-rung:nth-child(2)")
    page.wait_for_selector("#learn-hint:not([disabled])")
    page.click("#learn-hint")
    page.wait_for_selector("#learn-steps .mt-equation")
    speaks_spanish(
        page,
        SPANISH.RUNGS["plan"],
        SPANISH.RUNG_OF_STEP["set up"].format(step=1),
        SPANISH.RUNG_WORDS["set up"],
    )
    assert page.get_attribute("#learn-steps .mt-asked", "lang") == "en"
    page.fill(TYPED, "9")
    page.press(TYPED, "Enter")
    waits_for(page, "#learn-feedback", SPANISH.SAID_OTHER.format(value=9))
    page.fill(TYPED, "7")
    page.press(TYPED, "Enter")
    waits_for(page, "#learn-feedback", SPANISH.SAID_SAME.format(value=7))
    page.click("#learn-whole:not([disabled])")
    page.wait_for_selector("#learn-answer .mt-answer")
    speaks_spanish(
        page,
        SPANISH.AGREE.format(tries=5),
        SPANISH.MY_ANSWER,
        SPANISH.SUMS_ALL["one"],
        SPANISH.STEP.format(step=1),
    )
    assert page.get_attribute("#learn-steps .mt-body p", "lang") == "en"
    page.click("#learn-twin:not([disabled])")
    waits_for(page, "#learn-status", SPANISH.TWIN_READY)


def test_learn_is_watched_stopped_and_refuses(page):
    page.check("#learn-watch input")
    solve(page, LONG)
    page.wait_for_selector("#learn-steps .mt-num")  # the first whole step
    page.click("#learn-stop:not([disabled])")
    waits_for(page, "#learn-status", SPANISH.PHASES[Phase.STOPPED])
    speaks_spanish(page, SPANISH.STEP.format(step=1), SPANISH.CHECK_WORDS["ok"])
    page.wait_for_selector("#learn-solve:not([disabled])")
    solve(page, PEARS)
    page.wait_for_selector("#learn-answer .mt-wrong")
    speaks_spanish(page, SPANISH.CHECK_WORDS["wrong"], SPANISH.BUT_MAKES.format(sum=as_printed("9 - 2"), value=7))
    page.wait_for_selector("#learn-solve:not([disabled])")
    solve(page, "5")
    waits_for(page, "#learn-status", SPANISH.FINDINGS[Finding.TOO_SHORT])
    page.wait_for_selector("#learn-solve:not([disabled])")
    solve(page, "quiero morir")
    page.wait_for_selector("#learn-answer .mt-worry")
    speaks_spanish(page, SPANISH.WORRY_TITLE, *SPANISH.WORRY)


def test_check_asks_about_a_line(page):
    page.get_by_role("tab", name=SPANISH.CHECK_TAB).click()
    page.fill("#check-problem textarea", APPLES)
    page.fill("#check-work textarea", "3 + 4 = 8")
    page.click("#check-solve")
    page.wait_for_selector("#check-lines .mt-question")
    question = SPANISH.QUESTIONS["calculation"].format(sum="3 + 4 = 8")
    speaks_spanish(
        page,
        SPANISH.CHECK_INTRO,
        SPANISH.CHECK_DOUBT.format(line=1),
        SPANISH.LINE.format(line=1),
        SPANISH.MARKS["doubt"],
        question,
    )


def test_practice_hints_answers_and_makes_a_worksheet(page):
    page.get_by_role("tab", name=SPANISH.PRACTICE_TAB).click()
    page.click("#practice-topic input")
    assert page.get_by_role("option", name="Compras").count() == 1  # the topics of the list, too
    page.keyboard.press("Escape")
    page.click("#practice-new")
    page.wait_for_selector("#practice-problem .mt-task")
    page.click("#practice-hint:not([disabled])")
    page.wait_for_selector("#practice-hints li")
    assert page.get_attribute("#practice-problem .mt-task-text", "lang") == "en"
    page.fill("#practice-answer :is(input, textarea)", "99999")
    page.click("#practice-check")
    waits_for(page, "#practice-status", SPANISH.PRACTICE_NOT_YET)
    page.wait_for_selector("#practice-known .mt-known")
    page.click("#practice-sheet")
    page.wait_for_selector("#practice-sheet-page")
    speaks_spanish(
        page,
        SPANISH.PRACTICE_HINTS[0],
        SPANISH.PRACTICE_KNOWN,
        SPANISH.PRACTICE_LEVELS[3],
        SPANISH.SHEET_KEY,
        SPANISH.SHEET_READY.format(count=5),
    )
    with page.expect_download() as download:
        page.click("#practice-save")
    assert download.value.suggested_filename == SPANISH.SHEET_FILE


def test_compare_and_its_votes(page):
    page.get_by_role("tab", name=SPANISH.COMPARE_TAB).click()
    page.fill("#compare-problem textarea", APPLES)
    page.click("#compare-solve")
    waits_for(page, "#compare-status", SPANISH.COMPARE_DONE)
    speaks_spanish(
        page,
        SPANISH.BASE_NAME,
        SPANISH.SAME_ANSWER.format(answer=7),
        SPANISH.SAME_STEPS,
        SPANISH.VOTE_CHOICES["Neither"],
    )
    page.click(f"#compare-right-vote label:has-text('{SPANISH.VOTE_CHOICES['Both']}')")
    page.click("#compare-reveal:not([disabled])")
    waits_for(page, "#compare-status", SPANISH.VOTE_COUNTED)
    speaks_spanish(page, SPANISH.VOTES, *SPANISH.VOTE_HEADS)


def test_evidence_and_for_grown_ups(page):
    page.get_by_role("tab", name=SPANISH.EVIDENCE_TAB).click()
    page.wait_for_selector(".mt-failure")
    before = page.inner_text(".mt-failure")
    page.click("#evidence-next")
    page.wait_for_function("before => document.querySelector('.mt-failure').innerText !== before", arg=before)
    speaks_spanish(
        page,
        SPANISH.EVIDENCE_INTRO,
        SPANISH.EVIDENCE_RESULTS,
        SPANISH.BENCHMARKS["bank"],
        SPANISH.EVIDENCE_FUNNEL,
    )
    page.get_by_role("tab", name=SPANISH.ABOUT_TAB).click()
    page.wait_for_selector(".mt-about table:visible")
    speaks_spanish(page, SPANISH.MODELS, SPANISH.CONFORMANCE, SPANISH.STANDINGS["tested"])


STATES = {
    "learn, hints": lambda page: (solve(page, APPLES), page.wait_for_selector("#learn-hint:not([disabled])")),
    "practice, a problem": lambda page: (
        page.get_by_role("tab", name=SPANISH.PRACTICE_TAB).click(), page.click("#practice-new"), page.wait_for_selector("#practice-problem .mt-task"),
    ),
    "evidence": lambda page: (page.get_by_role("tab", name=SPANISH.EVIDENCE_TAB).click(), page.wait_for_selector(".mt-failure")),
    "for grown-ups": lambda page: (page.get_by_role("tab", name=SPANISH.ABOUT_TAB).click(), page.wait_for_selector(".mt-about table:visible")),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(page, state):
    STATES[state](page)
    page.wait_for_timeout(300)
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"][:140] for node in rule["nodes"]][:3]) for rule in found] == []


def test_the_address_decides_and_keeps_what_else_stands_in_it(site):
    url, browser = site
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    page = new_page(context)
    page.goto(f"{url}/?lock=hints")
    page.wait_for_selector(f"#learn-solve:text('{ENGLISH.HELP_ME}')")
    assert (
        page.evaluate("document.documentElement.lang") == "en" and page.locator("[lang=en]").count() == 2
    )  # the page, and its name in the list
    assert len(english_in(told_by(page, "en"))) > 10  # what the other tests look for in vain
    page.get_by_role("link", name=SPANISH.LANGUAGE_NAME).click()
    page.wait_for_selector(f"#learn-solve:text('{SPANISH.HELP_ME}')")
    assert "lock=hints" in page.url and "lang=es" in page.url
    waits_for(page, "#mt-lock", SPANISH.LOCKED)
    assert (
        page.get_by_role("tab", name=SPANISH.COMPARE_TAB, exact=True).count() == 0
        and not page.locator("#learn-whole").is_visible()
    )
    solve(page, APPLES)
    waits_for(page, "#learn-status", SPANISH.READY_SURE)
    page.goto(url)  # the choice went with the address
    page.wait_for_selector(f"#learn-solve:text('{ENGLISH.HELP_ME}')")
    context.close()


# Buttons and links whose words do not fit into them.
TOO_NARROW = """() => [...document.querySelectorAll('[role=tabpanel] button, .mt-languages a')]
    .filter((each) => each.checkVisibility() && each.clientWidth && each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.innerText)"""


@pytest.mark.parametrize("width", [1280, 768, 390, 360])
def test_spanish_fits_into_its_buttons_and_onto_a_phone(page, width):
    tabs = ("LEARN_TAB", "CHECK_TAB", "PRACTICE_TAB", "COMPARE_TAB", "EVIDENCE_TAB", "ABOUT_TAB")
    for name in (getattr(SPANISH, tab) for tab in tabs):
        page.set_viewport_size({"width": 1280, "height": 900})  # where all tabs are in sight
        page.get_by_role("tab", name=name, exact=True).click()
        page.set_viewport_size({"width": width, "height": 780})
        assert eventually(lambda: page.evaluate("document.scrollingElement.scrollWidth") <= width, 5), name
        assert page.evaluate(TOO_NARROW) == [], name
    assert all(link.bounding_box()["height"] >= 44 for link in page.locator(".mt-languages a").all())
