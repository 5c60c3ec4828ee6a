"""Knowledge tracing and the choice of what to practise."""

import random

import pytest

from mathtutor.tutoring.mastery import KNOWN_BEFORE, MASTERED, Record, observe, pick, read, write


def test_right_answers_raise_mastery_and_wrong_ones_lower_it():
    right, wrong = observe(Record(), True), observe(Record(), False)
    assert wrong.p < KNOWN_BEFORE < right.p
    assert (right.seen, right.right, wrong.right) == (1, 1, 0)


def test_the_update_is_the_published_formula():
    # p = 0.3, slip 0.1, guess 0.1: 0.27 / (0.27 + 0.07) = 0.794, then 0.15 of the rest is learned
    assert observe(Record(), True).p == pytest.approx(0.27 / 0.34 + (1 - 0.27 / 0.34) * 0.15)


def test_a_skill_is_mastered_after_a_few_right_answers_and_not_after_one():
    record = observe(Record(), True)
    assert record.p < MASTERED
    assert observe(record, True).p > MASTERED


def test_an_answer_after_a_worked_step_is_no_evidence():
    helped = observe(Record(), True, helped=True)
    assert helped.p < observe(Record(), True).p and (helped.right, helped.helped) == (0, 1)


def test_what_is_known_least_comes_next_and_not_twice_in_a_row():
    known = {"money": Record(0.9), "time": Record(0.2), "ages": Record(0.2)}
    assert {pick(list(known), known, random.Random(seed)) for seed in range(20)} == {"time", "ages"}
    assert {pick(list(known), known, random.Random(seed), last="time") for seed in range(20)} == {"ages"}
    assert pick(["time"], known, random.Random(0), last="time") == "time"


def test_a_browser_keeps_four_numbers_a_skill_and_gets_them_back():
    known = {"money": observe(Record(), True)}
    kept = write(known)
    assert all(isinstance(n, (int, float)) for numbers in kept.values() for n in numbers)
    assert read(kept, ["money"])["money"].p == pytest.approx(known["money"].p, abs=1e-4)


@pytest.mark.parametrize(
    "raw",
    [None, "text", 5, [], {"money": "Zebulon"}, {"money": [1, 2, 3]}, {"money": ["a", 1, 1, 1]}, {"other": [0.5, 1, 1, 0]},
     {"money": [float("nan"), 0, 0, 0]}, {"money": [2, 0, 0, 0]}, {"money": [0.5, -1, 0, 0]}, {"money": [0.5, 10**9, 0, 0]},
     {"money": [True, 0, 0, 0]}],
)  # fmt: skip
def test_whatever_else_a_browser_sends_is_left_out(raw):
    assert read(raw, ["money"]) == {}
