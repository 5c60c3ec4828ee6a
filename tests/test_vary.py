"""Rows told with other things and with numbers in words, for training alone."""

import re

import pytest

from mathtutor.problem import Row
from pipeline.teachers import procedural, stories
from training.vary import KEPT, Varied, in_words, singular_of, things_of


def row(problem: str, *steps: str, number: int = 0) -> Row:
    return Row(f"r-{number}", problem, steps, "42")


EGGS = row("Ana has 30 eggs and buys 12 eggs for 5 dollars. An egg weighs 50 grams. How many eggs has she now?", "She has 30 + 12 = 42 eggs.")
BOXES = [row("Bo has 3 boxes.", "That is 3 * 4 = 12 cherries.", number=n) for n in range(20)]


@pytest.mark.parametrize("plural, singular", [("apples", "apple"), ("boxes", "box"), ("cherries", "cherry"), ("houses", "house"),
                                              ("roses", "rose"), ("dresses", "dress"), ("peaches", "peach"), ("sizes", "size"), ("buses", "bus"),
                                              ("cookies", "cookie"), ("pies", "pie"), ("leaves", "leaf"), ("knives", "knife"), ("tomatoes", "tomato"),
                                              ("shoes", "shoe"), ("axes", "ax"), ("canoes", "canoe")])  # fmt: skip
def test_a_plural_has_a_singular(plural, singular):
    assert singular_of(plural) == singular


@pytest.mark.parametrize("number, words", [(2, "two"), (20, "twenty"), (21, "twenty-one"), (90, "ninety"), (99, "ninety-nine")])
def test_a_number_below_100_has_a_name(number, words):
    assert in_words(number) == words


@pytest.mark.parametrize(
    "problem, steps, things",
    [
        (EGGS.problem, EGGS.steps, ["eggs"]),
        ("A pen costs $3.", ("4 * 3 = 12 dollars.",), []),
        ("How many red pens are 3 times 4 pens?", ("3 * 4 = 12 pens",), ["pens"]),
        ("It takes 5 minutes less than 9 hours.", (), []),
        ("There were 12 glasses and 3 dress.", (), ["glasses"]),
        ("She has 20 kilos, 30 calories, 8 euros, 9 tricycles and 4 legs.", (), []),
        ("There are 12 poisonous frogs, 2 tennis balls and 3 bus rides.", (), []),
    ],
)
def test_what_is_counted_is_a_thing_and_a_measure_is_none(problem, steps, things):
    assert things_of(row(problem, *steps)) == things


def test_a_renamed_row_keeps_its_numbers_measures_and_answer():
    seen = set()
    for seed in range(40):
        told = Varied([EGGS, *BOXES], rename=1.0, spell=0.0, seed=seed)(EGGS)
        assert re.findall(r"[\d.]+", told.problem) == re.findall(r"[\d.]+", EGGS.problem)
        assert (told.id, told.answer, len(told.steps)) == (EGGS.id, EGGS.answer, 1)
        assert "5 dollars" in told.problem and "50 grams" in told.problem
        (thing,) = things_of(told)
        assert told.steps == (f"She has 30 + 12 = 42 {thing}.",) and told.problem.count(thing) == 3
        one = singular_of(thing)
        assert f" {'An' if one[0] in 'aeiou' else 'A'} {one} weighs" in told.problem
        seen.add(thing)
    assert "eggs" in seen and {"boxes", "cherries"} & seen and len(seen) > 8  # of other rows, never read before, left as it was


def test_a_row_is_told_the_same_way_each_time_and_another_seed_tells_it_differently():
    tell = [Varied([EGGS, *BOXES], 0.5, 0.5, seed) for seed in (0, 0, 1)]
    first, again, other = ([told(row(EGGS.problem, *EGGS.steps, number=n)).problem for n in range(50)] for told in tell)
    assert first == again != other


def test_shares_are_kept_and_none_means_untouched():
    rows = [row(EGGS.problem, *EGGS.steps, number=n) for n in range(400)]
    changed = sum(told != given for told, given in zip(map(Varied([*rows, *BOXES], 0.5, 0.0, 0), rows), rows, strict=True))
    assert 90 < changed < 160  # half of them, but for those whose one thing was not drawn or got its own name
    assert list(map(Varied(rows, 0.0, 0.0, 0), rows)) == rows


@pytest.mark.parametrize(
    "problem, told",
    [
        ("Ana has 7 pens. 21 are red.", "Ana has seven pens. Twenty-one are red."),
        ("It costs $5 and 3.50 dollars, 20% off, at 3:30 on May 3rd.", "It costs $5 and 3.50 dollars, 20% off, at 3:30 on May 3rd."),
        ("1/2 of 12 is 6", "1/2 of twelve is six"),
        ("If 3x + 7 = 22, what is x?", "If 3x + 7 = 22, what is x?"),
        ("1,250 and 125 and 05", "1,250 and 125 and 05"),
        ("A 12-inch board of 10 feet", "A 12-inch board of ten feet"),
        ("She has 12. He has 7, too.", "She has twelve. He has seven, too."),
        ("Solve for x: 8(x - 3) = 104.", "Solve for x: 8(x - 3) = 104."),
        ("2 1/2 cups, 2 : 11, $ 5, 50 % of 20 000", "2 1/2 cups, 2 : 11, $ 5, 50 % of 20 000"),
        ("What is 10 - 5, or 15 ÷ 3, or 4 × 6?", "What is 10 - 5, or 15 ÷ 3, or 4 × 6?"),
        ("At 5 o'clock and 7 p.m.", "At 5 o'clock and 7 p.m."),
    ],
)  # fmt: skip
def test_numbers_are_spelled_where_people_spell_them(problem, told):
    forms = {Varied([], 0.0, 1.0, seed)(row(problem)).problem for seed in range(30)}
    assert told in forms and (told != problem or forms == {problem})


def test_no_measure_is_ever_given_as_a_name():
    rows = [row(f"{n} dollars and {n} hours and 5 pears", number=n) for n in range(30)]
    assert Varied(rows, 1.0, 0.0, 0).names == ["pears"] and "dollars" in KEPT


@pytest.mark.parametrize(
    "problem, step",
    [
        ("There are 12 zebras.", "They have 12 * 4 = 48 legs."),  # nobody can know how many legs a drimp has
        ("A half of 12 loaves and one loaf-shaped cake.", "6 * 2 = 12 loaves"),  # a form of the name would stay
    ],
)
def test_a_row_that_other_names_would_spoil_stays_as_it_is(problem, step):
    given = row(problem, step)
    assert {Varied([*BOXES], 1.0, 0.0, seed)(given) for seed in range(30)} == {given}


def test_the_banks_own_rows_keep_their_sums_and_lose_no_form_of_a_name():
    rows = [*procedural.write_rows(400, 0), *stories.write_rows(600, 0)]
    tell, changed = Varied(rows, 1.0, 0.0, 0), 0
    for given in rows:
        told = tell(given)
        assert re.findall(r"\d[\d.,/]*", " ".join(told.steps)) == re.findall(r"\d[\d.,/]*", " ".join(given.steps))
        gone = set(things_of(given)) - set(things_of(told))
        text = " ".join([told.problem, *told.steps]).lower()
        assert not any(re.search(rf"\b({name}|{singular_of(name)})\b", text) for name in gone)
        changed += told != given
    assert changed > 300
