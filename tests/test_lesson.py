"""The fold from deltas to a lesson: the same text is the same lesson, however it is cut."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mathtutor.engines import Delta
from mathtutor.maths.checks import State, verify
from mathtutor.tutoring.lesson import (
    Lesson,
    Phase,
    better,
    end,
    feed,
    first_difference,
    fold,
    wants_second_try,
)

GOOD = "<think>\nStep 1: She buys 3 * 2 = 6 pens.\nStep 2: She has 6 + 4 = 10 pens.\n</think>\n\nThe answer is 10."
WRONG = "<think>\nStep 1: She buys 3 * 2 = 6 pens.\nStep 2: She has 6 + 4 = 11 pens.\n</think>\n\nThe answer is 11."
MONEY = "<think>\nStep 1: She pays $10 and then $12: 10 + 12 = 22\n</think>\n\nThe answer is $22."
DECIMAL = "<think>\nStep 1: 10 / 2 = 5.0\n</think>\n\nThe answer is 5.0."
HOSTILE = "<think>\nStep 1: <img src=x onerror=alert(1)> {{x}} ${y}\n</think>\n\nThe answer is 7."
UNCLOSED = "<think>\nStep 1: 3 + 4 = 7\nStep 2: then 7 + "
PLAIN = "Step 1: 3 + 4 = 7\nThe answer is 7."
# Qwen3's non-thinking mode, and a base model that never learnt the tags
EMPTY_BLOCK = "<think>\n\n</think>\n\nStep 1: 3 + 4 = 8\nStep 2: 8 + 1 = 9\nThe answer is 9."
PROSE = "Ana has 3 + 5 = 8 apples.\nSo the answer is **8**."
TWICE = "<think>\nStep 1: 3 + 4 = 8\n</think>\n\nThe answer is 8.\n<think>\nStep 2: No, 3 + 4 = 7\n</think>\n\nThe answer is 7."
PROMPTED = "Step 1: 3 + 4 = 7\n</think>\n\nThe answer is 7."
SILENT = "<think>\nStep 1: 3 + 4 = 7\n</think>\n\nI do not know."

ALL = [GOOD, WRONG, MONEY, DECIMAL, HOSTILE, UNCLOSED, PLAIN, EMPTY_BLOCK, PROSE, TWICE, PROMPTED, SILENT]


def told(text: str, finish: str | None = "stop") -> Lesson:
    return fold([Delta(text, finish=finish)])


def seen(lesson: Lesson) -> tuple:
    return lesson.text, lesson.computed, lesson.phase, lesson.answer, lesson.cards, lesson.growing


@pytest.mark.promises(4)
@pytest.mark.parametrize("reply", ALL)
def test_every_split_point_gives_the_same_lesson(reply):
    whole = seen(told(reply))
    for cut in range(len(reply) + 1):
        pieces = [Delta(reply[:cut]), Delta(reply[cut:]), Delta("", 0, finish="stop")]
        assert seen(fold(pieces)) == whole
    letters = [Delta(letter) for letter in reply]
    assert seen(fold([*letters, Delta("", 0, finish="stop")])) == whole


@pytest.mark.parametrize("reply", ALL)
def test_finished_cards_never_change_while_the_reply_grows(reply):
    lesson, before = Lesson(), ()
    for letter in reply:
        lesson = feed(lesson, Delta(letter))
        assert lesson.cards[: len(before)] == before
        before = lesson.cards
        assert "<think" not in lesson.growing and "</th" not in lesson.growing


@pytest.mark.parametrize(
    ("reply", "finish", "phase", "answer"),
    [
        (GOOD, "stop", Phase.ANSWERED, Fraction(10)),
        (GOOD, None, Phase.THINKING, None),
        (GOOD, "stopped", Phase.STOPPED, None),
        (GOOD, "length", Phase.CUT_OFF, None),
        (GOOD, "repeating", Phase.REPEATING, None),
        (GOOD, "failed", Phase.FAILED, None),
        (MONEY, "stop", Phase.ANSWERED, Fraction(22)),
        (DECIMAL, "stop", Phase.ANSWERED, Fraction(5)),
        (PLAIN, "stop", Phase.ANSWERED, Fraction(7)),
        (UNCLOSED, "stop", Phase.CUT_OFF, None),
        ("<think>\nStep 1: The answer is 7.", "stop", Phase.CUT_OFF, None),
        ("", "stop", Phase.NO_ANSWER, None),
        ("I cannot say.", "stop", Phase.NO_ANSWER, None),
    ],
)
def test_knows_how_a_reply_ended(reply, finish, phase, answer):
    lesson = told(reply, finish)
    assert lesson.phase is phase
    assert (lesson.answer.value if lesson.answer else None) == answer


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        (EMPTY_BLOCK, ["3 + 4 = 8", "8 + 1 = 9"]),
        (PROSE, ["Ana has 3 + 5 = 8 apples."]),  # the statement of the answer is no step
        (TWICE, ["3 + 4 = 8", "No, 3 + 4 = 7"]),
        (PROMPTED, ["3 + 4 = 7"]),
    ],
)
def test_finds_the_steps_wherever_a_model_writes_them(reply, texts):
    assert [card.text for card in told(reply).cards] == texts


@pytest.mark.parametrize("reply", ALL)
def test_the_cards_are_the_steps_that_the_judge_sees(reply):
    assert tuple(card.check for card in told(reply).cards) == verify(reply).steps


def test_a_step_becomes_a_card_only_when_its_line_is_complete():
    growing = told("<think>\nStep 1: She buys 3 * 2 = 6 pens.\nStep 2: She has 6 +", None)
    assert [card.text for card in growing.cards] == ["She buys 3 * 2 = 6 pens."]
    assert growing.growing == "She has 6 +"
    assert not told(GOOD).growing


def test_sums_are_checked_step_by_step():
    assert [card.check.state for card in told(WRONG).cards] == [State.OK, State.WRONG]
    assert told(WRONG).first_wrong == 2
    assert told(GOOD).first_wrong is None
    assert (told(WRONG).num_claims, told(WRONG).num_checked) == (2, 2)


def test_computed_spans_land_on_their_steps():
    pieces = [
        Delta("<think>\nStep 1: She buys 3 * 2 = "), Delta("6", computed=True), Delta(" pens.\nStep 2: 6 + 4 = "),
        Delta("1", computed=True), Delta("0", computed=True), Delta(" pens.\n</think>\n\nThe answer is 10."),
        Delta("", 0, finish="stop"),
    ]  # fmt: skip
    lesson = fold(pieces)
    assert [[card.text[a:b] for a, b in card.computed] for card in lesson.cards] == [["6"], ["10"]]


def test_spans_of_equal_steps_stay_apart():
    pieces = [
        Delta("Step 1: 2 + 2 = 4\nStep 2: 2 + 2 = "), Delta("4", computed=True), Delta("\n"), Delta("", 0, finish="stop"),
    ]  # fmt: skip
    assert [card.computed for card in fold(pieces).cards] == [(), ((8, 9),)]


def test_nothing_is_fed_after_the_end():
    lesson = told(GOOD)
    assert feed(lesson, Delta("The answer is 99.")) is lesson
    assert end(lesson, "stopped") is lesson
    assert end(Lesson("3 + 4"), "stopped").phase is Phase.STOPPED


def test_tries_again_only_for_a_finished_reply_with_a_wrong_sum():
    assert wants_second_try(told(WRONG))
    for lesson in (
        told(GOOD),
        told(WRONG, "stopped"),
        told(WRONG, "length"),
        told(WRONG, None),
        told(SILENT),
    ):
        assert not wants_second_try(lesson)


def test_the_second_try_is_shown_only_if_it_is_whole():
    first, good = told(WRONG), told(GOOD)
    assert better(first, good) is good
    assert better(first, told(WRONG)) is first
    assert better(first, told(GOOD, "length")) is first


@pytest.mark.parametrize(
    ("left", "right", "position"),
    [
        (GOOD, GOOD, None),
        (GOOD, WRONG, (2, 2)),
        (GOOD, GOOD.replace("Step 1:", "Step 1: Think first.\nStep 2:"), None),  # a plan in words is no difference
        (WRONG, GOOD.replace("Step 1:", "Step 1: Think first.\nStep 2:"), (2, 3)),
        (GOOD, GOOD.replace("She buys 3 * 2 = 6", "Three twos: 3 * 2 = 6"), None),  # other words, same value
        (GOOD, GOOD.replace("3 * 2 = 6", "2 * 2 = 4"), (1, 1)),
        (GOOD, GOOD.replace("\nStep 2: She has 6 + 4 = 10 pens.", ""), (2, None)),
        ("", GOOD, (None, 1)),
        ("<think>\nStep 1: I see.\n</think>\n\n", "<think>\nStep 1: I do not.\n</think>\n\n", (1, 1)),
        ("", "", None),
    ],
)
def test_finds_the_first_step_that_differs(left, right, position):
    assert first_difference(told(left), told(right)) == position


def test_reads_ten_thousand_characters():
    lesson = told("<think>\n" + "Step 1: 3 + 4 = 7 and so on.\n" * 350 + "</think>\n\nThe answer is 7.")
    assert lesson.phase is Phase.ANSWERED and len(lesson.cards) == 350
