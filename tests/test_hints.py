"""The ladder of hints: deterministic cuts of a solved problem, and nothing given away before its time."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from mathtutor.bank import load_bank
from mathtutor.tutoring.hints import (
    Rung,
    Solved,
    as_fractions,
    asked,
    checked,
    hide,
    ladder,
    numbers_in,
    quantities,
    question,
    sums_of,
)
from mathtutor.tutoring.replies import Says, judge

BUS = Solved(
    "A bus has 45 people on it. At the first stop 18 people get off and 7 get on. How many people are on the bus now?",
    ("After some leave, 45 - 18 = 27 people stay.", "With the new ones there are 27 + 7 = 34 people."),
    Fraction(34),
)
WORDS = dict(zip("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
                 "eighteen nineteen twenty".split(), range(21), strict=True))  # fmt: skip


def seen(text: str, quotients: bool = False) -> set[Fraction]:
    """Every number that a reader could find in a text, by other rules than those of `hide`: more than really stand there.

    `quotients`: "2 / 11" and "2 ÷ 11" too, which answer a question for a fraction.
    """
    found = {Fraction(WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}
    for digits in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?(?:/\d+)?", text):
        whole, _, under = digits.replace(",", "").partition("/")
        found.add(Fraction(whole) / (int(under or 1) or 1))
    found |= {Fraction(int(a), int(b)) for a, b in re.findall(r"(?<![\d/])(\d+) [/÷] (\d+)\b", text) if quotients and int(b)}
    return found


@pytest.fixture(scope="module")
def instances():
    """600 problems of the bank with gold solutions, each of another family as far as they go."""
    families = sorted(load_bank().values(), key=lambda family: family.id)
    return [families[i % len(families)].instantiate(41, i // len(families)) for i in range(600)]


@pytest.mark.promises(10)
@pytest.mark.parametrize("kind", ["cut from the steps", "made by the writer"])
def test_no_rung_before_the_worked_step_gives_away_what_is_asked_for(instances, kind, measured):
    checked = 0
    for instance in instances:
        bare = Solved(instance.problem, instance.steps, instance.answer)
        solved = Solved.of_instance(instance) if kind == "made by the writer" else bare
        for hint in ladder(solved):
            if hint.rung is Rung.WORKED:
                continue
            shown = seen(" ".join((*hint.lines, hint.equation)), quotients=instance.as_fraction)
            assert instance.answer not in shown, (hint, instance)
            assert hint.value is None or hint.value not in shown, (hint, instance)
            if hint.rung is Rung.PLAN and not solved.ready:
                assert not re.search(r"\d", " ".join(hint.lines)), hint
            checked += 1
    assert checked > 4 * len(instances)
    measured(f"{kind}: {checked:,} hints of {len(instances)} problems, none with its answer")


@pytest.mark.parametrize(
    ("text", "read"),
    [("2 / 11 = ▢", "2/11 = ▢"), ("Share: 2 ÷ 11 = ▢", "Share: 2/11 = ▢"), ("2/11", "2/11"), ("1/2 / 3", "1/2 / 3"), ("1/3 / (1/2)", "1/3 / (1/2)"),
     ("5 * 2 / 11", "5 * 2 / 11"), ("2 / 11 + 1", "2 / 11 + 1"), ("4.5 / 3", "4.5 / 3"), ("omelets ÷ cousins = ▢", "omelets ÷ cousins = ▢")],
)  # fmt: skip
def test_a_division_of_two_whole_numbers_alone_reads_as_a_fraction(text, read):
    assert as_fractions(text) == read


@pytest.mark.parametrize(
    ("step", "equations"),
    [("The chance is 3 / 8 = 3/8.", []), ("In hours that is 90 / 60 = 1 1/2 hours.", []), ("Each pays 3 / 8 = 0.375 dollars.", ["3 ÷ 8 = ▢"]),
     ("That is 1/2 / 3 = 1/6 meter.", ["1 ÷ 2 ÷ 3 = ▢"]), ("Each gets 24 / 8 = 3 pens.", ["24 ÷ 8 = ▢"])],
)  # fmt: skip
def test_a_sum_that_is_itself_the_fraction_it_comes_to_is_not_set_up(step, equations):
    answer = sums_of(checked([step])[0])[0].value
    assert [hint.equation for hint in ladder(Solved("How much is it?", (step,), answer)) if hint.rung is Rung.SET_UP] == equations


def test_the_first_rung_before_anything_is_solved_holds_no_number(instances):
    for instance in instances:
        assert seen(" ".join(asked(instance.problem).lines)) == set(), instance.problem


def test_every_step_with_a_sum_is_set_up_with_a_blank_and_then_worked(instances):
    for instance in instances:
        hints = ladder(Solved(instance.problem, instance.steps, instance.answer))
        assert [h.lines[0] for h in hints if h.rung is Rung.WORKED] == [" ".join(step.split()) for step in instance.steps]
        assert all("▢" in h.equation and h.value is not None for h in hints if h.rung is Rung.SET_UP)
    share = sum(any(h.rung is Rung.SET_UP for h in ladder(Solved(i.problem, i.steps, i.answer))) for i in instances)
    assert share > 0.97 * len(instances)


def test_a_ladder_as_it_stands():
    assert [(hint.rung, hint.step, hint.lines, hint.equation) for hint in ladder(BUS)] == [
        (Rung.UNDERSTAND, 0, ("How many people are on the bus now?", "45 people", "18 people", "7 get on"), ""),
        (Rung.PLAN, 0, ("Subtract. “After some leave, ▢ people stay.”", "Add. “With the new ones there are ▢ people.”"), ""),
        (Rung.SET_UP, 1, (), "45 − 18 = ▢"),
        (Rung.WORKED, 1, (BUS.steps[0],), ""),
        (Rung.SET_UP, 2, (), "27 + 7 = ▢"),
        (Rung.WORKED, 2, (BUS.steps[1],), ""),
    ]


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        ("8 - 4 = ▢", 4, "8 - … = ▢"),
        ("It takes twelve, or 12.0, or 1200 of 12", 12, "It takes …, or …, or 1200 of …"),
        ("1,200 and 200", 1200, "… and 200"),
        ("Take 3/4 of 3", Fraction(3, 4), "Take … of 3"),
        ("twenty-one and one", 21, "… and one"),
        ("$4.50 each", Fraction(9, 2), "$… each"),
        ("x12 and 12b", 12, "x12 and …b"),
        ("nothing here", 5, "nothing here"),
    ],
)
def test_hides_a_number_however_it_is_written(text, secret, shown):
    assert hide(text, {Fraction(secret)}) == shown


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("Ana has 3 pens. How many are left?", "How many are left?"),
        ("How many are left? She had 3.", "How many are left?"),
        ("Find the sum of 3 and 4. It is easy.", "Find the sum of 3 and 4."),
        ("Ana has 3 pens.", ""),
        ("", ""),
    ],
)
def test_finds_what_is_asked(problem, words):
    assert question(problem) == words


def test_lists_the_quantities_in_the_words_of_the_story():
    problem = "A shirt costs $40. It is 25% off. I multiply it by 4, then add 9. Two friends eat 1,200 red berries."
    assert quantities(problem) == ("shirt costs $40", "25% off", "multiply it by 4", "add 9", "Two friends eat", "1,200 red berries")
    assert "shirt costs $40" not in quantities(problem, {Fraction(40)})


@pytest.mark.parametrize("steps", [(), ("",), ("I do not know.",), ("x = y", "3 + 4 = 8", "= = =")])
def test_steps_without_a_sum_that_holds_give_no_blank_and_no_error(steps):
    assert not any(hint.rung is Rung.SET_UP for hint in ladder(Solved("How many of 3?", steps, Fraction(5))))


def test_numbers_are_found_in_digits_and_in_words():
    assert [value for *_, value in numbers_in("Twelve of 1,250.5, 3/4 and ninety-nine")] == [12, Fraction(2501, 2), Fraction(3, 4), 99]


@pytest.mark.parametrize(
    ("typed", "blank", "says", "step"),
    [
        ("34", None, Says.SAME, 0), ("34 people", None, Says.SAME, 0), ("thirty-four", None, Says.SAME, 0), ("$34.00", None, Says.SAME, 0),
        ("27", None, Says.PARTWAY, 1), ("27", (1, Fraction(27)), Says.BLANK, 1), ("34", (1, Fraction(27)), Says.SAME, 0),
        ("33", None, Says.OTHER, 0), ("-34", None, Says.OTHER, 0), ("", None, Says.NOTHING, 0), (None, None, Says.NOTHING, 0),
        ("no idea", None, Says.UNREADABLE, 0), ("3 or 4", None, Says.UNREADABLE, 0), ({"a": 1}, None, Says.NOTHING, 0),
        ("9" * 3000, None, Says.UNREADABLE, 0),
    ],
)  # fmt: skip
def test_judges_what_a_student_types(typed, blank, says, step):
    reply = judge(typed, BUS, blank)
    assert (reply.says, reply.step) == (says, step)


RIDE = Solved("A train leaves at 9:00 and arrives at 12:30. How long is the ride, in minutes?", ("The ride takes 210 - 0 = 210 minutes.",), Fraction(210))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("3 hours and 30 minutes", Says.SAME), ("3h 30min", Says.SAME), ("3 hrs, 30 mins.", Says.SAME), ("3.5 hours", Says.OTHER),
        ("3 hours 31 minutes", Says.OTHER), ("2 hours 90 minutes", Says.UNREADABLE), ("3 hours and 30 apples", Says.UNREADABLE),
        ("17 ft 6 in", Says.SAME),  # units are not compared: 210 inches
        ("2 dollars and 10 cents", Says.SAME), ("30 minutes 3 hours", Says.UNREADABLE),
    ],
)  # fmt: skip
def test_reads_an_amount_told_in_two_units(typed, says):
    assert judge(typed, RIDE).says is says


@pytest.mark.parametrize(
    ("typed", "rivals", "says", "value"),
    [
        ("45", [], Says.OTHER, 45), ("45", [Fraction(45)], Says.RIVAL, 45), ("45 people", [Fraction(2), Fraction(45)], Says.RIVAL, 45),
        ("3 hours and 30 minutes", [Fraction(210)], Says.RIVAL, 210), ("50%", [Fraction(1, 2)], Says.RIVAL, Fraction(1, 2)),
        ("34", [Fraction(34)], Says.SAME, 34), ("27", [Fraction(27)], Says.PARTWAY, 27),  # of our own way there is more to say
    ],
)  # fmt: skip
def test_a_number_that_another_try_finds_is_a_rival(typed, rivals, says, value):
    reply = judge(typed, BUS, rivals=rivals)
    assert (reply.says, reply.value) == (says, value)


def test_a_typical_mistake_is_answered_in_the_writers_words(instances):
    for instance in instances[:50]:
        solved = Solved.of_instance(instance)
        for mistake in instance.mistakes:
            assert judge(str(mistake.value), solved).says is Says.MISTAKE
