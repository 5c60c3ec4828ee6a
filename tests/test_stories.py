"""Stories with several questions: read, told, refused; and the teacher that tells them."""

from fractions import Fraction

import pytest

from mathtutor.bank.families import BankError
from mathtutor.bank.stories import Story, load_stories
from pipeline.bank import story_defects
from pipeline.teachers import stories as teacher

EGGS = {
    "id": "eggs",
    "vars": {"A": "she", "n": "egg, box/boxes", "a": "12-40", "b": "3-11", "p": "0.25-0.75/0.25"},
    "tell": "{A} gathered {a} {n:p}. {b:w} of them broke.",
    "asks": [
        {"q": "How many {n:p} are whole?", "s": ["{A} has <a - b> whole {n:p}."]},
        {"q": "What do the whole ones bring at {p:$} each?", "s": ["There are <good = a - b> good ones.", "They bring <good * p> dollars."]},
    ],
}


def story(**changes) -> Story:
    return Story(EGGS | changes, "test.yaml")


def test_every_question_is_told_with_sums_that_are_worked_out():
    for question, num_steps in ((0, 1), (1, 2)):
        telling = story().tell(seed=3, index=5, question=question)
        assert len(telling.steps) == num_steps and telling.question == question
        assert not list(story_defects(telling))
    assert "good" not in telling.steps[0].replace("good ones", "") and " = " in telling.steps[1]


def test_questions_come_in_turn_and_a_telling_can_be_made_alone():
    told = [story().tell(0, index) for index in range(4)]
    assert [t.question for t in told] == [0, 1, 0, 1]
    assert story().tell(0, 3) == told[3]
    assert len({t.problem for t in told}) == 4


def test_no_two_given_numbers_are_alike_and_no_sum_is_negative():
    given = story(vars=EGGS["vars"] | {"a": "2-9", "b": "2-9"})
    for index in range(40):
        assert given.tell(1, index, 0).answer > 0


def test_whole_numbers_stay_whole():
    shared = story(asks=[{"q": "How many each?", "s": ["Each gets <a / b> of them."]}])
    assert all(shared.tell(0, index).answer.denominator == 1 for index in range(30))


def test_a_question_stands_where_the_dots_are():
    told = story(tell="{A} has {a} {n:p}. ... {b} of them are broken.").tell(0, 0, 0)
    assert told.problem.index("How many") < told.problem.index("of them")


def test_a_condition_holds_in_every_telling():
    told = story(**{"if": "a - b > 20"})
    assert all(told.tell(2, index, 0).answer > 20 for index in range(30))


def test_money_has_at_most_two_decimals():
    assert all((story().tell(4, index, 1).answer * 100).denominator == 1 for index in range(30))
    assert isinstance(story().tell(4, 1, 1).answer, Fraction)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": "Not Kebab"}, "kebab-case"),
        ({"extra": 1}, "unknown ['extra']"),
        ({"asks": []}, "asks nothing"),
        ({"vars": {"a": "9-2"}}, "empty range"),
        ({"vars": {"a": "@nothing"}}, "no noun list"),
        ({"vars": {"a": None}}, "write 2-9"),
        ({"tell": "{zzz} apples"}, "not defined"),
        ({"asks": [{"q": "Hm?", "s": ["No sum."]}]}, "has no sum"),
        ({"asks": [{"q": "Hm?", "s": ["It is <a - zzz>."]}]}, "no number known here"),
        ({"asks": [{"q": "Hm?"}]}, "a question has q and s"),
        ({"asks": [{"q": "Hm?", "s": ["It is <a = b * 2>.", "It is <a + b>."]}]}, "gives 'a' another value"),
    ],
)
def test_a_broken_story_is_refused_when_it_is_read(changes, says):
    with pytest.raises(BankError, match="test.yaml") as refused:
        story(**changes)
    assert says in str(refused.value)


def test_a_story_without_fitting_numbers_is_refused_by_name():
    with pytest.raises(BankError, match="eggs: question 1: no fitting numbers"):
        story(vars=EGGS["vars"] | {"a": "2-3", "b": "20-30"}).tell(0, 0, 0)


def test_all_stories_are_told_without_a_defect():
    found = {}
    for name, each in load_stories().items():
        for index in range(each.num_questions):
            if defects := list(story_defects(each.tell(11, index, index))):
                found[name] = defects
    assert not found


def test_the_teacher_asks_every_question_in_turn_and_row_i_can_be_made_alone():
    two = {"eggs": story(), "more": story(id="more")}
    rows = list(teacher.write_rows(8, 5, two))
    assert [row.family for row in rows] == ["eggs", "eggs", "more", "more"] * 2
    assert rows[6] == list(teacher.write_rows(7, 5, two))[6]
    assert {row.source for row in rows} == {"stories"} and len({row.id for row in rows}) == 8
