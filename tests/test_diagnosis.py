"""A student's lines beside a solution: no alarm on right work, the first doubtful line otherwise, a question and no answer."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from mathtutor.bank import load_bank
from mathtutor.strings import ENGLISH
from mathtutor.tutoring.amounts import read_line, read_words
from mathtutor.tutoring.diagnosis import Kind, Mark, Verdict, diagnose
from mathtutor.tutoring.paths import Place, find_path, parse
from mathtutor.tutoring.signs import solve

PENS = "Each of 3 boxes holds 4 red and 5 blue pens. 7 pens are lost. How many pens are left?"
SOLUTION = ["One box holds 4 + 5 = 9 pens.", "The boxes hold 3 * 9 = 27 pens.", "There are 27 - 7 = 20 left."]


def look(lines, finished=None, solution=SOLUTION, problem=PENS):
    return diagnose(problem, lines, solution, Fraction(20), finished)


@pytest.mark.parametrize(
    "lines",
    [
        SOLUTION,
        ["3 * (4 + 5) - 7 = 20"],  # merged
        ["3 * 4 = 12 red", "3 * 5 = 15 blue", "12 + 15 = 27", "27 - 7 = 20"],  # told in another order
        ["12 + 15 - 7 = 20 pens"],
        ["There are nine pens in a box.", "3 times 9 is 27", "The answer is 20."],
        ["4+5=9", "9+9+9=27", "20"],
        ["x + 7 = 3 * 9", "x = 20"],
    ],
)
def test_right_work_in_any_order_and_form_is_called_right(lines):
    found = look(lines)
    assert found.verdict is Verdict.RIGHT and found.at is None and Mark.DOUBT not in found.marks


@pytest.mark.parametrize(
    "lines", [SOLUTION[:1], SOLUTION[:2], ["3 * 4 = 12 red ones"], ["3 * 4 = 12", "3 * 5 = 15"], ["4 + 5 = 9", "9 - 7 = 2"][:1]]
)
def test_unfinished_right_work_is_right_so_far(lines):
    assert look(lines).verdict is Verdict.RIGHT_SO_FAR


@pytest.mark.parametrize(
    ("lines", "at", "kind"),
    [
        (["4 + 5 = 9", "3 * 9 = 28", "28 - 7 = 21"], 1, Kind.CALCULATION),
        (["4 + 5 = 9", "3 * 9 = 27", "27 - 7 = 20", "20 - 5 = 15", "The answer is 15."], 3, Kind.WENT_TOO_FAR),
        (["4 + 5 = 9", "3 * 9 = 27", "27 - 7 = 20", "20 * 2 = 40"], 3, Kind.WENT_TOO_FAR),  # and nobody says that it is the answer
        (["4 + 5 = 9", "3 * 9 = 27", "27 + 7 = 34", "34"], 2, Kind.WRONG_OPERATION),
        (["4 + 5 = 9", "3 + 9 = 12", "12 - 7 = 5", "5"], 1, Kind.WRONG_OPERATION),
        (["4 + 5 + 7 = 16", "3 * 16 = 48", "The answer is 48"], 0, Kind.EXTRA_QUANTITY),
    ],
)
def test_the_first_doubtful_line_is_found_and_its_kind_named(lines, at, kind):
    found = look(lines)
    assert (found.verdict, found.at, found.kind) == (Verdict.DOUBT, at, kind)
    assert found.quote == lines[at] and found.marks[at] is Mark.DOUBT
    assert set(found.marks[at + 1 :]) <= {Mark.NOT_READ} and Mark.DOUBT not in found.marks[:at]


def test_a_wrong_sum_is_doubted_even_where_the_answer_is_right():
    assert look(["4 + 5 = 9", "3 * 9 = 28", "28 - 7 = 20"]).kind is Kind.CALCULATION


def test_without_a_solution_only_the_sums_are_checked():
    assert diagnose(PENS, ["3 + 4 = 7", "7 + 5 = 12"], None).verdict is Verdict.SUMS_CHECK
    assert diagnose(PENS, ["3 + 4 = 8"], None).kind is Kind.CALCULATION


def test_a_question_never_tells_a_number_that_the_student_did_not_write():
    """Over the typical mistakes of the whole bank: each wrong answer as a student's last line."""
    families = list(load_bank().values())[::7]
    asked = 0
    for family in families:
        instance = family.instantiate(3, 0)
        for mistake in instance.mistakes:
            lines = [*instance.steps[:-1], f"{instance.steps[-1].split('=')[0]}= {mistake.value}", f"The answer is {mistake.value}."]
            found = diagnose(instance.problem, lines, instance.steps, instance.answer)
            if found.at is None:
                continue
            asked += 1
            allowed = set(read_line(found.quote).numbers)
            assert {Fraction(n) for n in re.findall(r"\d+(?:\.\d+)?", found.question)} <= {abs(v) for v in allowed} | {
                Fraction(n) for n in re.findall(r"\d+(?:\.\d+)?", found.quote)
            }
    assert asked > 100


def test_the_banks_own_steps_are_never_doubted():
    for family in list(load_bank().values())[::5]:
        instance = family.instantiate(4, 1)
        assert diagnose(instance.problem, instance.steps, instance.steps, instance.answer).verdict is Verdict.RIGHT, family.id


def test_every_kind_has_a_question_and_none_tells_what_to_do():
    assert set(ENGLISH.QUESTIONS) == set(Kind)
    assert all("?" in words or "again" in words for words in ENGLISH.QUESTIONS.values())


@pytest.mark.parametrize(
    "lines",
    [[], [""], ["???"], ["=" * 500], ["1/0 = 2"], ["(" * 400 + "1"], ["9^9^9 = 1"], ["x" * 20000], ["٣ + ٤ = ٧"], ["1 2 3 4 5 = = ="],
     ["<img src=x onerror=alert(1)>"], ["5"] * 500, [str(n) + " + " for n in range(200)], ["+".join(["2"] * 300) + " = 600"]],
)  # fmt: skip
def test_no_text_breaks_it(lines):
    found = diagnose(PENS, lines, SOLUTION, Fraction(20))
    assert len(found.marks) <= 40
    diagnose(lines[0] if lines else "", lines, lines, None)


def test_a_line_is_read_into_its_values():
    line = read_line("Step 2: So 20% of $200 is 200 * .2 = $40")
    assert [str(total.value) for total in line.sums] == ["40", "40"] and line.results == (40,)
    assert read_line("3/4 of the cake").told == (Fraction(3, 4),) and read_line("16/2 = 8 hours").sums[0].value == 8


@pytest.mark.parametrize(
    ("text", "values"), [("twenty-five pens", [25]), ("three quarters", ["3/4"]), ("two hundred", [200]), ("one, two", [1, 2]), ("half", ["1/2"])]
)
def test_number_words_are_read(text, values):
    assert read_words(text) == [Fraction(value) for value in values]


def test_values_stand_where_they_belong():
    path = find_path(PENS, SOLUTION)
    places = {9: Place.STATED, 12: Place.REGROUPED, 15: Place.REGROUPED, 3: Place.REGROUPED, 17: None, 34: None}
    assert {value: path.place(Fraction(value)) for value in places} == places


def test_a_long_sum_is_regrouped_in_bounded_time():
    path = find_path("", [" + ".join(map(str, range(1, 60))) + f" = {sum(range(1, 60))}"] * 8)
    assert len(path.ways) < 20_000 and parse("1" + "+1" * 500) is None


@pytest.mark.parametrize(
    ("text", "value"), [("so 3x + 129 = 1077", 316), ("x + (x + 10) = 20", 5), ("2/3x = 10", 15), ("4x + 4y = 24", None), ("x = y", None), ("no sign", None)]
)
def test_the_letter_of_a_linear_equation_is_worked_out(text, value):
    assert solve(text) == value
