"""Check my work, as views: what it rests on, when it says nothing but "the sums check", Stop, refusals."""

from __future__ import annotations

import pytest

from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from ui import practice
from ui.check import TRIES, check
from ui.desk import Desk
from ui.streams import Limits

MARBLES = "Tom has 12 marbles. He loses 5 and then wins 9. How many marbles does he have now?"
RIGHT = "<think>\nStep 1: He has 12 - 5 = 7 marbles left.\nStep 2: Then he has 7 + 9 = 16 marbles.\n</think>\n\nThe answer is 16."
OTHER = "<think>\nStep 1: He has 12 + 9 = 21 marbles.\n</think>\n\nThe answer is 21."
WRONG_SUM = RIGHT.replace("7 + 9 = 16", "7 + 9 = 17")


class Changing(ScriptedEngine):
    """Gives another reply at each asking."""

    def __init__(self, *replies):
        super().__init__({MARBLES: replies[0]}, delay=0, name="changing")
        self.all, self.asked = replies, 0

    def stream(self, conversation, sampling=None, stop=None):
        engine = ScriptedEngine({MARBLES: self.all[min(self.asked, len(self.all) - 1)]}, delay=0)
        self.asked += 1
        yield from engine.stream(conversation, sampling, stop)


def last(work: str, *replies: str, problem: str = MARBLES):
    engine = Changing(*(replies or (RIGHT,)))
    desk = Desk({"tuned": engine, "base": engine}, Limits(max_seconds=5))
    views = list(check(problem, work, desk))
    assert not views[-1].busy and all(view.busy for view in views[:-1])
    return views[-1], engine


def test_the_doubtful_line_is_marked_with_a_question_and_the_rest_is_not_judged():
    view, engine = last("12 - 5 = 7\n7 - 9 = -2\nThe answer is 2")
    assert view.lines.count("look here") == 1 and view.lines.count("mt-question") == 1
    assert "not looked at yet" in view.lines and strings.CHECK_DOUBT.format(line=2) in view.status
    assert strings.CHECK_OWN in view.note and "16" not in view.lines + view.note + view.status
    assert engine.asked == TRIES


def test_right_work_is_told_so():
    view, _ = last("12 + 9 = 21\n21 - 5 = 16")
    assert strings.CHECK_RIGHT_OWN in view.note and "look here" not in view.lines


@pytest.mark.parametrize("replies", [(RIGHT, OTHER), (WRONG_SUM,), ("no answer",), (RIGHT, RIGHT, OTHER)])
def test_where_own_tries_differ_or_do_not_add_up_only_sums_are_checked_and_it_says_so(replies):
    view, _ = last("12 + 5 = 17\n17 + 9 = 26\n26", *replies)
    assert "look here" not in view.lines and strings.CHECK_UNSURE in view.note and "sums check" in view.lines
    view, _ = last("12 + 5 = 18", *replies)
    assert "look here" in view.lines


def test_a_practice_problem_is_laid_beside_the_banks_own_steps_and_asks_no_model():
    task = practice.Task(next(iter(practice.bank())), 5, 0)
    instance = practice.instance_of(task)
    practice._recent.add(instance.problem, task)
    view, engine = last("\n".join(instance.steps), problem=instance.problem)
    assert engine.asked == 0 and strings.CHECK_RIGHT_NOTE in view.note


@pytest.mark.parametrize(
    ("problem", "work", "words"),
    [
        (MARBLES, "", strings.CHECK_NO_LINES), (MARBLES, " \n ", strings.CHECK_NO_LINES), ("", "1 + 1 = 2", strings.CHECK_START),
        (MARBLES, "I want to die", strings.WORRY_TITLE), ("I want to die", "", strings.WORRY_TITLE),
        (MARBLES, "my name is Ana, 1 + 1 = 2", "Leave out names"), (MARBLES, "1" * 2001, "very long"), (MARBLES, None, strings.CHECK_NO_LINES),
    ],
)  # fmt: skip
def test_refuses_kindly_without_asking_the_model(problem, work, words):
    view, engine = last(work, problem=problem)
    assert words in view.status + view.note and engine.asked == 0


def test_what_a_student_wrote_is_escaped():
    view, _ = last("<img src=x onerror=alert(1)> 12 - 5 = 8")
    assert "<img" not in view.lines and "&lt;img" in view.lines
