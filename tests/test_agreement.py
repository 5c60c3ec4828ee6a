"""What k tries at one problem say together."""

from fractions import Fraction

import pytest

from mathtutor.tutoring.agreement import Agreement, tally


@pytest.mark.parametrize(
    ("answers", "answer", "votes", "enough"),
    [
        ([7, 7, 7, 7, 7], 7, 5, True),
        ([7, 7, 7, 7, 8], 7, 4, False),  # four of five are right too seldom: evals/pocket-typed-5
        ([7, 7, 7, None, 7], 7, 4, False),
        ([7, 8, 7, None, 7], 7, 3, False),
        ([7, 8, 7, 8, 9], 7, 2, False),
        ([7], 7, 1, False),  # nobody agrees with it
        ([7, 7], 7, 2, True),
        ([8, 7], 8, 1, False),
        ([None, None, 7], 7, 1, False),
        ([None], None, 0, False),
        ([], None, 0, False),
    ],
)
def test_tries_are_counted_and_silence_is_no_vote(answers, answer, votes, enough):
    told = tally(None if a is None else Fraction(a) for a in answers)
    assert (told.answer, told.votes, told.tries, told.is_enough) == (answer, votes, len(answers), enough)


def test_the_first_of_two_equal_answers_leads_and_the_other_is_named():
    assert tally([Fraction(22), Fraction(18), Fraction(18), Fraction(22)]) == Agreement(22, 2, 4, (18,))


@pytest.mark.parametrize(
    ("answers", "weights", "answer", "votes", "rivals"),
    [
        ([7, 7, 9], [0.1, 0.1, 0.6], 9, 1, (7,)),
        ([7, 7, 9], [0.4, 0.4, 0.6], 7, 2, (9,)),
        ([7, 9, 8], [0.2, 0.3, 0.1], 9, 1, (7, 8)),  # rivals in order of weight
        ([8, 9], [0.5, 0.5], 8, 1, (9,)),
        ([None, 7], [0.9, 0.0], 7, 1, ()),  # no answer weighs nothing
        ([None], [0.9], None, 0, ()),
    ],
)
def test_with_weights_the_answer_whose_tries_weigh_most_leads(answers, weights, answer, votes, rivals):
    told = tally((None if a is None else Fraction(a) for a in answers), weights)
    assert told == Agreement(answer, votes, len(answers), rivals)


@pytest.mark.parametrize(
    ("answers", "settled"),
    [([7], False), ([7] * 4, False), ([7] * 5, True), ([7, 8], True), ([7, 7, None], True), ([None], True), ([], False)],
)
def test_further_tries_are_spared_where_they_cannot_change_the_verdict(answers, settled):
    assert tally(None if a is None else Fraction(a) for a in answers).settled(planned=5) is settled


@pytest.mark.parametrize(
    ("answers", "majority"),
    [([7, 7, 7, 8, 8], True), ([7, 7, None, 8, 9], False), ([7, 7, 8, 8], False), ([7], True), ([None], False), ([], False)],
)
def test_a_majority_is_more_than_half_of_all_tries(answers, majority):
    assert tally(None if a is None else Fraction(a) for a in answers).is_majority is majority
