"""Sums without a story are worked out exactly, an operation a step; everything else is left to the model."""

from __future__ import annotations

import pytest

from mathtutor.maths.arithmetic import evaluate, show
from mathtutor.maths.checks import State
from mathtutor.tutoring.hints import Rung, checked, ladder
from mathtutor.tutoring.sums import solve_sum
from tests.clock import seconds

SUMS = {
    "What is 12 * 7?": ["12 * 7 = 84"],
    "12*7": ["12 * 7 = 84"],
    "What’s 12 x 7": ["12 * 7 = 84"],
    "6 times 7": ["6 * 7 = 42"],
    "12 plus 5 =": ["12 + 5 = 17"],
    "Calculate: 100 divided by 8": ["100 / 8 = 12.5"],
    "2 + 3 * 4 = ?": ["3 * 4 = 12", "2 + 12 = 14"],
    "(3+4)*(5-2)": ["3 + 4 = 7", "5 - 2 = 3", "7 * 3 = 21"],
    "12 - 5 - 3": ["12 - 5 = 7", "7 - 3 = 4"],
    "2^3^2": ["3 ^ 2 = 9", "2 ^ 9 = 512"],
    "20% of 50": ["20% * 50 = 10"],
    "3/4 of 20": ["3/4 * 20 = 15"],
    "1/2 + 1/4": ["1/2 + 1/4 = 0.75"],
    "$5 + $3": ["5 + 3 = 8"],
    "8 - 10 + 4": ["8 - 10 + 4 = 2"],  # it passes a number below zero
    "60 / 3/4": ["60 / 3/4 = 80"],  # a tight fraction after a spaced division is one number
    "1,234 + 766": ["1,234 + 766 = 2000"],
}

LEFT_TO_THE_MODEL = [
    "3x + 7 = 22", "Solve 3x + 7 = 22", "7 + ? = 12", "5", "What is 5?", "10/3", "5/0", "((2))", "5-", "3 + 4 = 7",
    "Ana has 3 apples and buys 4 more. How many?", "3 apples + 4 apples", "half of 30", "", "?", "find",
]  # fmt: skip


@pytest.mark.parametrize(("problem", "steps"), SUMS.items())
def test_a_sum_is_worked_out_in_steps_that_check(problem, steps):
    solved = solve_sum(problem)
    assert (solved.problem, list(solved.steps)) == (problem, steps)
    assert solved.answer == evaluate(steps[-1].rpartition("=")[2]).value
    assert {check.state for check in checked(solved.steps)} == {State.OK}


@pytest.mark.parametrize("problem", LEFT_TO_THE_MODEL)
def test_anything_else_is_left_to_the_model(problem):
    assert solve_sum(problem) is None


@pytest.mark.parametrize("problem", SUMS)
def test_no_rung_before_the_last_tells_the_answer(problem):
    solved = solve_sum(problem)
    hints = ladder(solved)
    assert [hint.rung for hint in hints][:2] == [Rung.UNDERSTAND, Rung.PLAN]
    assert hints[-1].rung is Rung.WORKED
    early = " ".join(hint.equation for hint in hints if hint.rung is Rung.SET_UP).replace("−", "-").split()
    assert show(solved.answer) not in early


@pytest.mark.parametrize("unit", ["1+", "(", "2 x ", "1 ", "^", "9^", "what is ", "% of 5", "½"])
def test_long_text_takes_no_time(unit):
    text = (unit * 2000)[:2000]
    assert seconds(lambda: solve_sum(text)) < 0.5
