"""k tries at one problem: what they agree on, which is shown, and what a twin may be built on."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from mathtutor.bank import load_bank
from mathtutor.engines import Generation
from mathtutor.maths.checks import State
from mathtutor.tutoring.hints import Solved, checked
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.tries import Standing, lesson_of_steps, tries_of
from mathtutor.tutoring.twins import twin
from ui.examples import EXAMPLES

GOOD = "<think>\nStep 1: 3 + 4 = 7\n</think>\n\nThe answer is 7."
SLIP = "<think>\nStep 1: 3 + 4 = 8\nStep 2: 8 - 1 = 7\n</think>\n\nThe answer is 7."
OTHER = "<think>\nStep 1: 3 * 4 = 12\n</think>\n\nThe answer is 12."
BARE = "<think>\nStep 1: It must be so.\n</think>\n\nThe answer is 7."
LOST = "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know."


def tries(*texts: str, finish: str = "stop"):
    return tries_of([Generation(text, 9, 0.1, finish) for text in texts])


@pytest.mark.parametrize(
    ("texts", "standing", "answer", "hints"),
    [
        ([GOOD] * 5, Standing.AGREED, 7, True),
        ([GOOD, SLIP, SLIP, SLIP, SLIP], Standing.AGREED, 7, True),  # one of the ways is sound, and that is shown
        ([GOOD, GOOD, GOOD, GOOD, LOST], Standing.DOUBTFUL, 7, True),
        ([GOOD, SLIP, SLIP, OTHER, LOST], Standing.DOUBTFUL, 7, True),
        ([SLIP] * 5, Standing.DOUBTFUL, 7, True),  # they agree, and no way of them adds up
        ([BARE] * 5, Standing.DOUBTFUL, 7, True),  # nothing could be checked
        ([GOOD, GOOD, OTHER, OTHER, LOST], Standing.DOUBTFUL, 7, False),  # no way has a majority
        ([GOOD], Standing.DOUBTFUL, 7, True),  # one try agrees with nobody
        ([LOST] * 5, Standing.NONE, None, False),
        ([], Standing.NONE, None, False),
    ],
)
def test_how_far_tries_may_be_trusted_and_whether_hints_are_cut_from_them(texts, standing, answer, hints):
    found = tries(*texts)
    assert (found.standing, found.agreement.answer) == (standing, answer)
    assert found.best is None or found.best.answer.value == answer
    assert (found.solved("How many?") is not None) == hints


def test_a_try_that_never_came_to_an_end_is_a_try():
    two = [Generation(GOOD, 9, 0.1, "stop")] * 2
    assert tries_of(two).standing is Standing.AGREED
    found = tries_of(two, planned=5)
    assert (found.standing, found.agreement.votes, found.agreement.tries) == (Standing.DOUBTFUL, 2, 5)
    assert found.solved("How many?") is None and tries_of([], planned=5).standing is Standing.NONE


def test_the_soundest_way_is_shown():
    assert tries(SLIP, BARE, GOOD, SLIP).best.text == GOOD


def test_a_try_that_was_cut_off_has_no_vote():
    assert tries(GOOD, finish="length").standing is Standing.NONE


def test_a_solved_problem_reads_like_a_lesson():
    lesson = lesson_of_steps(Solved("How many?", ("3 * 4 = 12", "12 + 1/2 = 12.5"), Fraction(25, 2)))
    assert lesson.phase is Phase.ANSWERED and lesson.answer.value == Fraction(25, 2) and len(lesson.cards) == 2


BUS = Solved(
    EXAMPLES["Bus"], ("After some leave, 45 - 18 = 27 people stay.", "With the new ones there are 27 + 7 = 34 people."), Fraction(34)
)


def test_a_twin_is_the_same_story_with_other_numbers_and_a_computed_answer():
    made = {twin(BUS, random.Random(seed)) for seed in range(20)}
    assert len(made) > 15
    for each in made:
        numbers = [int(word.strip(".,?")) for word in each.problem.split() if word.strip(".,?").isdigit()]
        assert each.answer == numbers[0] - numbers[1] + numbers[2] and each.answer > 0
        words = [word for word in each.problem.split() if not word.isdigit()]
        assert words == [word for word in BUS.problem.split() if not word.isdigit()]
        assert [check.state for check in checked(each.steps)] == [State.OK, State.OK]
        assert str(each.answer) in each.steps[-1] and twin(each, random.Random(1)) is not None


@pytest.mark.parametrize(
    ("problem", "steps", "answer"),
    [
        ("Ana has 4 pens and buys 4 more. How many?", ("She has 4 + 4 = 8 pens.",), 8),  # which 4 is which?
        ("Ana has 3 pens and buys 4. Of 7 pens, how many?", ("3 + 4 = 7",), 7),  # a result that also stands in the story
        ("Ana has 3 pens. How many?", ("They say so.",), 3),
        ("Ana has three pens and two more. How many?", ("3 + 2 = 5",), 5),  # words are not rewritten
        ("Ana has 3 pens and 4 more. How many?", ("3 + 4 = 8",), 8),  # a sum that does not hold
        ("Ana has 3 pens and 4 more. How many?", ("3 + 4 = 7",), 9),  # an answer from nowhere
        ("Ana has 3 pens and 4 more, twice. How many?", ("3 + 4 = 7 and 7 * 2 = 14",), 14),
    ],
)
def test_no_twin_where_it_is_not_certain_which_number_is_which(problem, steps, answer):
    assert twin(Solved(problem, steps, Fraction(answer)), random.Random(0)) is None


def test_a_problem_of_the_bank_has_a_twin_of_its_family():
    family = next(iter(load_bank().values()))
    instance = family.instantiate(0, 0)
    made = twin(Solved.of_instance(instance), random.Random(0))
    assert made.family == family.id and made.problem != instance.problem and made.ready is not None


def test_twins_of_bank_problems_made_from_their_steps_alone_are_all_sound():
    families = sorted(load_bank().values(), key=lambda family: family.id)[::4]
    made = 0
    for family in families:
        instance = family.instantiate(3, 0)
        found = twin(Solved(instance.problem, instance.steps, instance.answer), random.Random(2))
        if found is not None:
            made += 1
            states = [check.state for check in checked(found.steps)]
            assert State.WRONG not in states and found.answer > 0 and found.problem != instance.problem
    assert made > len(families) / 2
