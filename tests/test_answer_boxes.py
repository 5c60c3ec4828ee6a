"""What is typed into a box for an answer and is no number: a cry for help is heard in each of them, and nothing is echoed."""

from __future__ import annotations

import random
import re
from html import unescape
from types import SimpleNamespace

import gradio as gr
import pytest

from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import LANGUAGES, Strings, strings_of
from mathtutor.tutoring.screen import Finding
from ui import learn, practice
from ui.desk import Desk, refusal
from ui.language import Page

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
GOOD = "<think>\nStep 1: 3 + 4 = 7\n</think>\n\nThe answer is 7."
LOST = "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know."


def told(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def shown(view: learn.View) -> str:
    return view.status + view.steps + view.feedback + view.answer + view.another


def in_learn(typed: object, strings: Strings, replies: list[str] | None, problem: str = APPLES) -> learn.View:
    """The last view of Check; `replies` are the tries that lie on the desk, None where nothing does."""
    desk = Desk({"tuned": ScriptedEngine(replies or [GOOD])}, strings=strings)
    work = None
    if replies is not None:
        *_, last = learn.coach(APPLES, True, desk)
        work = last.work
    *_, view = learn.check(typed, work, problem, True, desk)
    assert work is None or view.work.problem == work.problem  # what lay there lies there still
    return view


def in_practice(typed: object, strings: Strings) -> str:
    """The line of Practice after Check."""
    with gr.Blocks() as blocks, gr.Tab() as tab:
        practice.build(tab, Page())
    check = next(each.fn for each in blocks.fns.values() if each.api_name == "practice_check")
    task = practice.choose(practice.ANY, practice.ANY, {}, None, random.Random(0))
    return check(typed, task, {}, False, SimpleNamespace(headers={"accept-language": strings.language}))[0]


BOXES = {
    "learn, with nothing on the desk": lambda typed, strings: shown(in_learn(typed, strings, None)),
    "learn, sure": lambda typed, strings: shown(in_learn(typed, strings, [GOOD])),
    "learn, without a way": lambda typed, strings: shown(in_learn(typed, strings, [LOST])),
    "learn, with another problem": lambda typed, strings: shown(in_learn(typed, strings, [GOOD], "Bo has 9 pens and 2 books. How many?")),
    "practice": in_practice,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("typed", ["I want to kill myself.", "quiero morir", "12 \u202ei don\u2019t want to live", "5. " + "I want to die " * 200])
def test_a_cry_for_help_in_a_box_for_an_answer_is_met_by_the_card_and_not_echoed(typed, box, language):
    strings = strings_of(language)
    found = BOXES[box](typed, strings)
    assert refusal(Finding.WORRY, strings)[1] in found
    assert not any(words in told(found) for words in ("kill myself", "quiero morir", "to live", "to die"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("box", BOXES)
def test_what_is_private_in_a_box_for_an_answer_is_met_by_its_sentence_and_not_echoed(box, language):
    strings = strings_of(language)
    found = told(BOXES[box]("call me on 555-123-4567", strings))
    assert strings.FINDINGS[Finding.PERSONAL] in found and "555" not in found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("box", [name for name in BOXES if "other" not in name and "nothing" not in name])
@pytest.mark.parametrize("typed", ["you are stupid", "\u202e12 you are stupid", "<b>stupid</b>", "3 or stupid"])
def test_of_what_was_typed_only_a_number_is_ever_shown(typed, box, language):
    found = BOXES[box](typed, strings_of(language))
    assert "stupid" not in found and "\u202e" not in found and told(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_that_cannot_be_judged_is_told_so(language):
    strings = strings_of(language)
    assert strings.SAID_NO_WAY in told(in_learn("12", strings, [LOST]).feedback)
    assert strings.SAID_NOTHING in told(in_learn(" ", strings, [LOST]).feedback)
