"""GSM8K train with other numbers: what can be followed changes everywhere, what cannot is left alone."""

from fractions import Fraction

import pytest

from mathtutor.maths.checks import State, check_step
from mathtutor.maths.steps import parse_steps
from mathtutor.problem import Problem
from pipeline.teachers.rewritten import Retelling


def problem(question: str, gold: str) -> Problem:
    return Problem("gsm8k-7", question, Fraction(gold.rpartition("#### ")[2]), gold, "gsm8k")


PENS = problem(
    "Tom has 14 pens and buys 3 boxes with 20 pens each. How many pens does Tom have?",
    "The boxes hold 3*20=<<3*20=60>>60 pens.\nSo Tom has 14+60=<<14+60=74>>74 pens.\n#### 74",
)


def test_numbers_names_and_sums_change_together():
    retelling = Retelling.of(PENS)
    rows = [retelling.write(0, index) for index in range(20)]
    assert len({row.problem for row in rows}) > 15
    for row in rows:
        assert row.source == "gsm8k-rewritten" and len(row.steps) == 2
        assert row.problem.count("Tom") == row.steps[1].count("Tom") * 2
        a, boxes, each = (int(word) for word in row.problem.split() if word.isdigit())
        assert f"{boxes} * {each} = {boxes * each}" in row.steps[0]
        assert row.answer == str(a + boxes * each)


def test_the_same_place_of_the_stream_is_the_same_row():
    assert Retelling.of(PENS).write(3, 4) == Retelling.of(PENS).write(3, 4)
    assert Retelling.of(PENS).write(3, 4) != Retelling.of(PENS).write(4, 4)


def test_numbers_keep_their_order():
    for index in range(30):
        small, middle, large = sorted(int(word) for word in Retelling.of(PENS).write(1, index).problem.split() if word.isdigit())
        assert small < middle < large


@pytest.mark.parametrize(
    ("question", "gold", "stays"),
    [
        ("Ana ran 6 miles a day for 2 weeks. How many miles?", "2 weeks are 14 days, that is 6*14=<<6*14=84>>84 miles.\n#### 84", None),
        ("Ana has twice as many as Bo, who has 2 dogs and 9 cats.", "Bo has 2+9=<<2+9=11>>11.\nAna has 2*11=<<2*11=22>>22.\n#### 22", "2 dogs"),
        ("A shop sold 1/2 of its 40 rugs. How many are left?", "Sold: 40/2=<<40/2=20>>20.\nLeft: 40-20=<<40-20=20>>20.\n#### 20", None),
        ("Max has 5 bags of 5 nuts each and eats 4.", "5*5=<<5*5=25>>25\nThen 25-4=<<25-4=21>>21 are left.\n#### 21", ""),
        ("In 1999 Ana saved 30 dollars a month for 8 months.", "30*8=<<30*8=240>>240\n#### 240", "In 1999"),
    ],
)
def test_a_number_with_another_meaning_stays_or_the_problem_is_left_alone(question, gold, stays):
    retelling = Retelling.of(problem(question, gold))
    if stays is None:
        assert retelling is None
    else:
        assert stays in retelling.write(0, 0).problem


def test_what_is_said_without_a_source_leaves_the_problem_alone():
    assert Retelling.of(problem("Bo has 6 cats.", "He has 6+37=<<6+37=43>>43.\n#### 43")) is None
    assert Retelling.of(problem("Bo has 6 cats and 8 dogs.", "He has 6+8=<<6+8=15>>15.\n#### 15")) is None
    assert Retelling.of(problem("Bo has 6 cats and 8 dogs.", "He has fourteen.\n#### 14")) is None


def test_a_word_becomes_a_word_and_a_price_keeps_its_cents():
    told = Retelling.of(
        problem("Ana buys nine pens at $1.50 each.", "She pays 9*1.5=$<<9*1.5=13.5>>13.50.\n#### 13.5")
    )
    rows = [told.write(0, index) for index in range(10)]
    assert all("$" in row.problem and not any(ch.isdigit() for ch in row.problem.split("$")[0]) for row in rows if int(float(row.answer)) < 90)
    for row in rows:
        assert check_step(parse_steps(f"Step 1: {row.steps[0]}")[0]).state is State.OK
