"""Lessons as HTML: what was written comes out as text, and checks in words and icons."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from mathtutor.engines import Delta
from mathtutor.maths.markup import as_printed
from mathtutor.tutoring import render
from mathtutor.tutoring.lesson import Lesson, fold

OURS = {"ol", "li", "details", "summary", "span", "div", "p", "q", "section", "pre"}


def told(reasoning: str, answer: str = "7", finish: str | None = "stop") -> Lesson:
    return fold([Delta(f"<think>\n{reasoning}\n</think>\n\nThe answer is {answer}.", finish=finish)])


def everything(lesson: Lesson) -> str:
    return render.step_list(lesson) + render.answer_card(lesson) + render.raw(lesson, "All of it")


class Reader(HTMLParser):
    """Collects the tags, attributes and words of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = set(), set(), "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


TEXTS = [
    "$10 and then $12", "5$", "US$3", r"\(3/4\)", "$$x$$", "50%", "<b>bold</b>", "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>", "{{x}}", "{{#each value}}{{/each}}", "${alert(1)}", "`${1}`", '" onload="x', "' x='",
    "&lt;b&gt;", "**bold** [a](javascript:x)", "</details></li></ol><h1>x", "\u202eright to left", "a" * 10_000,
]  # fmt: skip


@pytest.mark.promises(3)
@pytest.mark.parametrize("text", TEXTS)
def test_what_the_model_wrote_comes_out_as_it_was_written(text):
    page = Reader(everything(told(f"Step 1: see {text} here")))
    assert f"{text} here" in page.words
    assert page.words.count(text) >= 2  # in the card and in the raw text
    assert page.tags <= OURS
    assert page.attributes <= {"class", "aria-label", "aria-hidden", "open", "title", "tabindex"}
    assert page.open == []


@pytest.mark.promises(3)
@pytest.mark.parametrize("text", TEXTS)
def test_a_growing_line_is_escaped_too(text):
    page = Reader(render.step_list(fold([Delta(f"<think>\nStep 1: see {text}")])))
    assert page.tags <= OURS and page.open == []


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("3 + 4 = 7", "✓ sums check"),
        ("3 + 4 = 8", "✗ does not add up"),
        ("She eats them.", "– nothing to check"),
    ],
)
def test_a_check_is_said_in_words_and_an_icon(step, words):
    page = Reader(render.step_list(told(f"Step 1: {step}")))
    assert words in page.words


def test_a_wrong_sum_is_set_right():
    page = Reader(render.step_list(told("Step 1: 3 + 4 = 8")))
    assert "3 + 4 = 8 but 3 + 4 makes 7." in page.words


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("5", "5"), ("5.0", "5"), ("$22", "22"), ("2.50", "2.5"), ("1/3", "1/3"), ("-4", "-4")],
)
def test_the_answer_is_shown_as_people_write_it(answer, shown):
    page = render.answer_card(told("Step 1: so.", answer))
    assert re.search(r'mt-answer-value">([^<]*)<', page).group(1) == shown


def test_no_answer_card_without_an_answer():
    for finish in (None, "stopped", "length", "failed"):
        assert render.answer_card(told("Step 1: 3 + 4 = 7", finish=finish)) == ""


@pytest.mark.parametrize(
    ("reasoning", "words"),
    [
        ("Step 1: 3 + 4 = 7", "The sum checks."),
        ("Step 1: 3 + 4 = 7\nStep 2: 7 + 1 = 8", "Both sums check."),
        ("Step 1: 3 + 4 = 7\nStep 2: 7 + 1 = 8\nStep 3: 8 + 1 = 9", "All 3 sums check."),
        ("Step 1: 3 + 4 = 8", "1 of 1 sum does not add up."),
        ("Step 1: 3 + 4 = 8\nStep 2: 7 + 1 = 9", "2 of 2 sums do not add up."),
        ("Step 1: She eats them.", "There were no sums here that I could check."),
    ],
)
def test_counts_the_sums_in_words(reasoning, words):
    assert render.sums_line(told(reasoning)) == words


def test_never_says_that_an_answer_is_correct():
    words = Reader(everything(told("Step 1: 3 + 4 = 7"))).words.lower()
    assert not re.search(r"\b(correct|right|true|verified|proved|proven)\b", words)


def test_the_calculators_numbers_are_marked_in_words():
    lesson = fold([
        Delta("<think>\nStep 1: 3 + 4 ="), Delta(" 7", computed=True), Delta(" <b>\n</think>\n\nThe answer is 7."),
        Delta("", 0, finish="stop"),
    ])  # fmt: skip
    page = render.step_list(lesson)
    assert 'class="mt-computed" title="worked out by the calculator">7<' in page
    assert Reader(page).words.startswith("Step 1✓ sums check3 + 4 = 7 (calculator) <b>")


def test_cards_are_open_and_in_an_ordered_list():
    page = render.step_list(told("Step 1: 3 + 4 = 7\nStep 2: so."))
    assert page.startswith('<ol class="mt-steps" aria-label="Solution steps"><li')
    assert page.count("<details open>") == 2


def test_our_own_words_are_escaped_like_any_other():
    assert unescape(Reader(render.notice("a < b", "warn")).words) == "a < b"


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("She has 5 * 6 - 8 = 22.", "She has 5 × 6 − 8 = 22."),
        ("3 apples * $2 each, 2*(4+1), 10% * 5", "3 apples × $2 each, 2×(4+1), 10% × 5"),
        ("30 / 4 is 7.5, 3/4 of it, 60 miles / hour", "30 ÷ 4 is 7.5, 3/4 of it, 60 miles / hour"),
        ("a two-step sum - said Ana - with -5 and 2 - -3", "a two-step sum - said Ana - with -5 and 2 - -3"),
        ("so **bold** 2**3 * and", "so **bold** 2**3 * and"),
    ],
)
def test_sums_are_printed_as_in_a_book_and_keep_their_places(written, printed):
    assert as_printed(written) == printed and len(written) == len(printed)
    (card,) = fold([Delta(f"<think>\nStep 1: {written}\n</think>\n", 1)]).cards
    assert printed in unescape(re.sub(r"<[^>]+>", "", render.step_card(card)))
