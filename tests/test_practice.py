"""Practice without a browser: choosing, judging, hints, worksheets."""

from __future__ import annotations

import random
import re

import pytest

from mathtutor.bank.families import TOPICS
from mathtutor.maths.arithmetic import show
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.mastery import Record
from ui import practice


def tasks(topic=practice.ANY, grade=practice.ANY, known=None, count=20):
    return [practice.choose(topic, grade, known or {}, None, random.Random(seed)) for seed in range(count)]


def test_a_problem_is_of_the_topic_and_grade_asked_for():
    for task in tasks("money", "3"):
        instance = practice.instance_of(task)
        assert (instance.topic, instance.grade) == ("money", 3)
    assert tasks("no such topic", count=1) == [None]


def test_what_is_known_least_comes_first():
    known = {topic: Record(0.9) for topic in TOPICS} | {"ages": Record(0.1)}
    assert {practice.instance_of(task).topic for task in tasks(known=known)} == {"ages"}


@pytest.mark.parametrize("form", ["{a}", " {a} ", "${a}", "= {a}", "{a} things"])
def test_a_right_answer_counts_in_any_form(form):
    instance = practice.instance_of(tasks("shopping", count=1)[0])
    assert practice.judge(form.format(a=instance.shown_answer), instance)[0] is True


@pytest.mark.parametrize("typed", ["", "dunno", "3 or 4", None, 7, "1/0", "x" * 600])
def test_what_holds_no_number_is_no_attempt(typed):
    assert practice.judge(typed, practice.instance_of(tasks(count=1)[0])) == (None, strings.PRACTICE_NO_NUMBER)


def test_typical_mistakes_of_every_topic_are_met_with_their_own_words_and_without_the_answer():
    seen = set()
    for family in practice.bank().values():
        if family.topic in seen:
            continue
        instance = family.instantiate(1, 1)
        for mistake in instance.mistakes:
            right, words = practice.judge(show(mistake.value), instance)
            if mistake.value < 0 or mistake.value.denominator > 1:
                continue
            assert right is False and any(m.says in words for m in instance.mistakes if m.value == mistake.value)
            seen.add(family.topic)
    assert len(seen) >= 35


def test_hints_go_from_understanding_to_the_last_worked_step():
    instance = practice.instance_of(tasks(count=1)[0])
    titles = [practice.hint(instance, n)[0] for n in range(1, practice.num_hints(instance) + 1)]
    assert titles[:3] == list(strings.PRACTICE_HINTS) and len(titles) == 3 + len(instance.steps)
    assert practice.hint_list(instance, len(titles)).count("<li") == len(titles)


def test_the_first_three_hints_of_the_bank_never_tell_the_answer():
    for family in list(practice.bank().values())[::3]:
        instance = family.instantiate(2, 2)
        given = set(re.findall(r"\d+(?:\.\d+)?", instance.problem.replace(",", "")))
        for number in (1, 2, 3):
            told = set(re.findall(r"\d+(?:\.\d+)?", practice.hint(instance, number)[1])) - given
            assert instance.shown_answer not in told, family.id


@pytest.mark.parametrize("count", practice.SHEETS)
def test_a_worksheet_has_different_twins_and_its_key_apart(count):
    task = tasks("shopping", count=1)[0]
    instances = practice.sheet_instances(task, "", "", count, random.Random(0))
    assert len({i.problem for i in instances}) == len(instances) == count and {i.family for i in instances} == {task.family}
    page = practice.worksheet("Title & more", instances)
    problems, _, key = page.partition("mt-sheet-key")
    assert problems.count("<li>") == key.count("<li>") == count and "Title &amp; more" in page
    assert all(i.steps[0] not in problems for i in instances)


def test_a_worksheet_without_a_problem_is_a_mix_of_topic_and_grade():
    instances = practice.sheet_instances(None, "time", "", 10, random.Random(0))
    assert {i.topic for i in instances} == {"time"} and len({i.family for i in instances}) > 1
    assert practice.sheet_instances(None, "no such topic", "", 5, random.Random(0)) == []
