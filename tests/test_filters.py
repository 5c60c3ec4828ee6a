"""The rules on language, each by its table, and the audit that counts how often they are right."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.audit
from mathtutor.io import Damaged, read_json, read_rows
from mathtutor.problem import Problem, Row
from pipeline.audit import COMPARING, GOOD, LEAST, ROWS, Labelled, faults, read_labelled, retold, score
from pipeline.chain import STAGES
from pipeline.corpus import References
from pipeline.filters import RULES, all_reasons, math_verification
from pipeline.language_rules import (
    ai_detection,
    child_safety,
    personal_data,
    reading_level,
    solution_quality,
    units,
)
from pipeline.recipe import Limits, Recipe
from pipeline.strays import strays_of, written_numbers
from tests.clock import seconds

DEFAULT = Limits()
PROBLEM = "Ana has 3 boxes with 4 pens each. She gives 2 pens away. How many pens are left?"
STEPS = ("Ana has 3 * 4 = 12 pens.", "12 - 2 = 10 pens are left.")


def row(problem: str = PROBLEM, *steps: str, answer: str = "10") -> Row:
    return Row(id="r", problem=problem, steps=steps or STEPS, answer=answer)


# --- solution quality


@pytest.mark.parametrize(
    "problem, steps, reason",
    [
        (PROBLEM, STEPS, None),
        ("Ana has 3 boxes with 4 pens each. She gives", STEPS, "problem_cut_off"),
        ("Ana has 3 boxes with 4 pens each and ...", STEPS, "problem_cut_off"),
        ("Solve 3x + 7 = 22", ("3x = 22 - 7 = 15", "x = 15 / 3 = 5"), None),  # an equation may end without a mark
        ("Which number is missing? 2, 4, 6, __", ("6 + 2 = 8",), None),
        ('"How many pens are left of 3 * 4 when 2 are given away?" asks Ana (who is 7).', STEPS, None),
        ("Ana has 3 boxes with 4 pens each. She gives 2 pens away.", STEPS, "problem_asks_nothing"),
        ("Calculate 3 * 4 - 2.", STEPS, None),
        ("Ana has 3 boxes (with 4 pens each. She gives 2 away. How many are left?", STEPS, "unclosed_bracket"),
        (PROBLEM, ("Ana has 3 * 4 = 12 pens.", "12 - 2 ="), "step_cut_off"),
        (PROBLEM, ("Ana has 3 * 4 = 12 pens and", "12 - 2 = 10"), "step_cut_off"),
        (PROBLEM, ("3 * 4 = 12", "12 - 2 = 10, because"), "step_cut_off"),
        (PROBLEM, ("3 * 4 = 12", "12 - 2 = 10..."), "step_cut_off"),
        (PROBLEM, (*STEPS, "So of the pens 10 are lef"), "step_cut_off"),  # alone without a full stop
        (PROBLEM, ("3 * 4 = 12 pens", "12 - 2 = 10 pens"), None),  # nobody has one
        (PROBLEM, (*STEPS, "10."), "step_is_only_a_number"),
        (PROBLEM, (STEPS[0], "12 - 2 = 10 pens are left", STEPS[1]), "repeated_step"),
        (PROBLEM, ("First we read the problem carefully.", *STEPS), "boilerplate"),
        (PROBLEM, ("Pens are useful.", *STEPS), "step_without_a_number"),
        (PROBLEM, ("Let x be what is left.", *STEPS), None),
        (PROBLEM, ("Ana has 3 * 7 = 21 pens.", "21 - 2 = 19 pens are left."), "number_out_of_the_blue"),
    ],
)
def test_a_solution_is_whole_and_says_something_new_in_each_step(problem, steps, reason):
    assert solution_quality(row(problem, *steps), DEFAULT) == reason


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("3 pens at $1,250.50", [3, Fraction("1250.5")]),
        ("forty-five of one hundred twenty", [45, 120]),
        ("6 million people", [6_000_000]),
        ("450 000 people", [450_000]),
        ("2 1/2 cups and ½ cup", [Fraction(5, 2), Fraction(1, 2)]),
        ("half a dozen twins", [Fraction(1, 2), 12, 2]),
        ("nothing to count", []),
    ],
)
def test_numbers_are_read_in_digits_and_words(text, numbers):
    assert set(numbers) <= set(written_numbers(text))


@pytest.mark.parametrize(
    "problem, steps, strays",
    [
        ("Ana buys 3 pens at $2. What does she pay?", ["3 * 2 = 6"], []),
        ("Ana buys 3 pens at $2. What does she pay?", ["3 * 4 = 12"], [4]),
        ("Ana buys 13 pens. What does she pay?", ["13 * 1.50 = 19.50"], [Fraction(3, 2)]),
        ("A book has 312 pages, 187 are read. How many are left?", ["312 - 178 = 134"], [178]),
        ("A film of 2 hours is followed by one of 17 minutes. How long do both last?", ["60 * 2 = 120", "120 + 17 = 137"], []),
        ("How many days are 9 weeks?", ["9 * 7 = 63"], []),  # everybody knows
        ("How many figs are in 9 boxes?", ["9 * 7 = 63"], [7]),  # nobody does
        ("A coat of $80 is 35% off. What does it cost?", ["100 - 35 = 65", "80 * 0.65 = 52"], []),
        ("Amy, Ben, Cleo and Dan share 48 nuts. How many does each get?", ["48 / 4 = 12"], []),  # people count
        ("She and her 5 friends share 42 figs. How many does each get?", ["42 / 6 = 7"], []),
        ("17 rolls fill trays of 5. How many are left over?", ["5 * 3 = 15", "17 - 15 = 2"], []),
        ("130 rolls fill trays of 24. How many are left over?", ["5 * 24 = 120", "130 - 120 = 10"], []),  # found by trying
        ("A square has an area of 81. How long is its side?", ["9 * 9 = 81"], []),
        ("A film of 2 hours grows by 20%. What are 50 cents a minute?", ["So it lasts 144 minutes.", "144 * 0.5 = 72"], [144]),
        ("Two films of 72 minutes follow. What are 50 cents a minute?", ["Both last 144 minutes.", "144 * 0.5 = 72"], []),
        ("A row of 7 seats, each next one has 2 more. How many are in 3?", ["They have 7, 9 and 11.", "7 + 9 + 11 = 27"], []),
        ("Round 4,862 to hundreds and take away 900.", ["4,862 rounds to 4,900.", "4900 - 900 = 4000"], []),
        ("Rob's age is a prime between 20 and 28. How old is he in 6 years?", ["23 + 6 = 29"], []),
        ("Mia leaves at 7:40 and arrives at 8:25. How many minutes?",
         ["From 7:40 to 8:00 there are 20 minutes, from 8:00 to 8:25 there are 25.", "20 + 25 = 45"], []),
        ("Mia leaves at 7:40 and arrives at 8:25. How many minutes?", ["From 7:40 to 8:00 there are 35 minutes.", "35 + 25 = 60"], [35]),
        ("Solve 5n - 8 = 2n + 19.", ["3n = 19 + 8 = 27", "n = 27 / 3 = 9"], []),  # algebra is not followed
    ],
)  # fmt: skip
def test_a_number_out_of_the_blue_is_neither_given_nor_worked_out_nor_known(problem, steps, strays):
    assert strays_of(row(problem, *steps)) == strays


@pytest.mark.parametrize(
    "limits, broken",
    [
        ({"min_steps": 2}, row(PROBLEM, "3 * 4 - 2 = 10 pens")),
        ({}, row(PROBLEM, "3 * 7 = 21 pens")),
        ({}, row(PROBLEM, "Pens are useful.", *STEPS)),
    ],
)
def test_a_threshold_moves_the_verdict(limits, broken):
    assert solution_quality(broken, replace(DEFAULT, **limits))
    assert solution_quality(broken, replace(DEFAULT, min_steps=1, max_strays=None, max_idle_steps=None)) is None


# --- sums and the answer

COLLECTS = "Adam picks 120 apples and Eve picks 230. How many have they?"


@pytest.mark.parametrize(
    "steps, answer, reason",
    [
        (("120 + 230 = 350 apples.", "They have 350 apples."), "350", None),
        (("120 + 230 = 350 apples.", "They have 351 apples."), "351", "answer_is_not_the_last_result"),
        (("120 + 230 = 350 apples.", "They have 230 apples."), "230", "answer_is_not_the_last_result"),  # given, not worked out
        (("120 + 230 = 350 apples, so the answer is 351.",), "351", "answer_is_not_the_last_result"),
        (("120 + 230 = 350 apples.", "Adam's apples = 351."), "351", "answer_is_not_the_last_result"),
        (("120 + 230 = 350 apples.", "x = 351"), "351", "answer_is_not_the_last_result"),  # nobody spoke of x
        (("120 + 230 = 350 apples.", "So 350 = 351."), "351", "step_2_does_not_add_up"),
        (("120 + 230 = 350 apples = 351",), "351", "step_1_does_not_add_up"),
        (("120 + 230 = 350 apples.", "So 350 red apples = 351 apples."), "351", "step_2_does_not_add_up"),
        (("120 + 230 = 350 apples.", "They have 350 apples = 351."), "351", "step_2_does_not_add_up"),
        (("120 + 230 = 350 apples.", "350 apples = 0"), "0", "step_2_does_not_add_up"),
        (("120 + 230 = 350 apples.", "350 apples = 175 pairs"), "175", None),  # two units
        (("120 + 230 = 350 apples = 35000 cents", "35000 cents = 350"), "350", None),  # a measure
        (("At 5 dollars for 2, one costs 2.5 dollars.", "120 + 230 = 350 apples = 875", "875 + 0 = 875"), "875", None),  # a rate
        (("15 / 2 = 7.5 = 9 boxes",), "9", "step_1_does_not_add_up"),
        (("15 / 2 = 7.5", "so 7.5 = 8 dollars"), "8", "step_2_does_not_add_up"),
        (("Half of 10 is 4 and half of that is 2.", "4 / 2 = 2"), "2", "step_1_does_not_add_up"),
        (("15 / 2 = 7.5 boxes.", "They need 8 boxes."), "8", None),
        (("15 / 2 = 7.5 boxes.", "They need 9 boxes."), "9", "answer_is_not_the_last_result"),
        (("2x = 20", "x = 10"), "10", None),
        (("3 Losses = 90", "Losses = 90 / 3", "Losses = 30"), "30", None),
        (("15 * 5 = 75 cans.", "With 3 balls in a can, 75 cans have 225 balls."), "225", None),
        (("60 * 3 = 180 minutes", "180 minutes = 3 hours"), "3", None),
        (("24 / 3 = 8", "48 divided by 4 is 12."), "12", None),
        (("Since 3 / 4 is equal to 15, 1 / 4 of it is 15 / 3 = 5.",), "5", None),
        (("56 boys divided into 4 classrooms equals 14 boys.",), "14", None),
        (("56 boys divided into 4 classrooms equals 15 boys.",), "15", "step_1_does_not_add_up"),
    ],
)  # fmt: skip
def test_the_answer_is_what_the_sums_lead_to_and_not_merely_what_the_last_step_says(steps, answer, reason):
    assert math_verification(replace(row(COLLECTS, *steps), answer=answer), DEFAULT) == reason


@pytest.mark.parametrize(
    "steps, answer, reason",
    [
        (("8 - 3 = 5 slices left, so the fraction left is 5 / 8",), "5/8", None),
        (("8 - 3 = 5 slices are left.", "So 5/8 of the pizza is left."), "5/8", None),
        (("8 - 3 = 5 slices left and 5 + 1 = 6 with hers, so 6 / 8",), "3/4", None),  # in lowest terms
        (("8 - 3 = 5 slices left, so 3 / 8 are gone",), "3/8", "answer_is_not_the_last_result"),  # both were given
        (("8 - 3 = 5 slices left, so 5 / 9 is left",), "5/9", "answer_is_not_the_last_result"),  # a whole of 9 nobody told
        (("8 - 3 = 5 slices left, so 5 / 8 is left for 4 friends",), "5/8", "answer_is_not_the_last_result"),
    ],
)  # fmt: skip
def test_the_answer_may_be_a_part_of_a_whole_that_the_last_sum_leads_to(steps, answer, reason):
    pizza = row("A pizza has 8 slices and Ana eats 3 of them. What fraction of it is left?", *steps)
    assert math_verification(replace(pizza, answer=answer), DEFAULT) == reason


# --- assistant residue


@pytest.mark.parametrize(
    "text, family",
    [
        ("As an AI language model I compute 3 * 4 = 12.", "self_reference"),
        ("Certainly! We compute 3 * 4 = 12.", "opener"),
        ("I'm sorry, but 3 * 4 = 12.", "refusal"),
        ("Wait, that is 3 * 4 = 12.", "self_correction"),
        ("3 * 4 = 14. No wait, 3 * 4 = 12.", "self_correction"),
        ("As requested, 3 * 4 = 12.", "prompt_leakage"),
        ("[Name] has 3 * 4 = 12 pens.", "placeholder"),
        ("**Step 1:** 3 * 4 = 12", "markup"),
        ("3 * 4 = 12. Let me know if you need more.", "closer"),
        ("Note: 3 * 4 = 12", "meta_commentary"),
        ("3 * 4 = 12 \U0001f600", "odd_unicode"),
        ("3 * 4 = 12. Shall we go on?", "question_in_a_step"),
        ("3 * 4 = 12, easy!", "exclamation"),
        ("3 * 4 = 12 // product", "code_comment"),
        ("3 * 4 = 13... no, it is 3 * 4 = 12", "second_try"),
        ("Sorry, 3 * 4 = 12.", "speaks_of_the_writer"),
        ("Here I multiply: 3 * 4 = 12.", "first_person"),
    ],
)
def test_residue_of_a_chat_is_named_by_its_family(text, family):
    assert ai_detection(row(PROBLEM, text), DEFAULT) == family
    assert ai_detection(row(PROBLEM, text), replace(DEFAULT, assistant_residue=False)) is None


@pytest.mark.parametrize(
    "problem, step",
    [
        (PROBLEM, STEPS[0]),
        ('"Wait for me!" calls Pia, 60 m behind. She gains 4 m a second. When does she catch up?', "60 / 4 = 15 seconds"),
        ("Sure enough, the bus was 12 and 7 minutes late. How late was it in all?", "12 + 7 = 19 minutes"),
        ("I have $60 and buy a game for $24. How much do I save?", "I save 60 - 24 = 36 dollars."),
        ("A robot stacks 45 crates an hour. How many in 8 hours?", "45 * 8 = 360 crates"),
        ("What is left of 7 - 5 * 3?", "7 - 15 = -8"),
    ],
)
def test_a_story_that_sounds_like_a_chat_stays(problem, step):
    assert ai_detection(row(problem, step), DEFAULT) is None


# --- units


@pytest.mark.parametrize(
    "problem, step, answer, reason",
    [
        ("25 pupils form 2 groups. How many pupils are in a group?", "25 / 2 = 12.5 pupils", "12.5", "fraction_of_pupils"),
        ("50 scouts go in cars of 4. How many cars are needed?", "50 / 4 = 12.5", "12.5", "fraction_of_cars"),
        ("A third of the 31 players left. How many players left?", "31 / 3", "31/3", "fraction_of_players"),
        ("Five families have 12 children. How many is that on average?", "On average 12 / 5 = 2.4 children", "2.4", None),
        ("How many liters do 5 cats drink at 0.3 liters each?", "5 * 0.3 = 1.5 liters", "1.5", None),
        ("How many dollars does each of 4 people pay of $10?", "10 / 4 = 2.5 dollars", "2.5", None),
        ("How many kilograms does the puppy weigh after gaining 2.9?", "3.2 + 2.9 = 6.1 kg", "6.1", None),
        ("1.5 million people live here, 40% of them alone. How many people is that?", "1500000 * 0.4 = 600000", "600000", None),
        ("Each chicken needs 0.4 square meters. How many fit into 6?", "6 / 0.4 = 15 chickens", "15", None),
        ("Leo has 12 marbles and loses 15. How many marbles are left?", "12 - 15 = -3 marbles", "-3", "negative_count_of_marbles"),
        ("Leo has 12 figs and sells 15. How many figs are left?", "12 - 15 = -3", "-3", "negative_count_of_figs"),
        ("It was 4 degrees and fell by 9. How many degrees is it now?", "4 - 9 = -5 degrees", "-5", None),
        ("Lan wins 15 and loses 24 points. How many points has she?", "15 - 24 = -9 points", "-9", None),
        ("Three friends share $50. How much does each pay?", "50 / 3 = 16.667 dollars", "16.667", "money_beyond_2_decimals"),
        ("A cake costs $19.995. What is the price of 2?", "2 * 19.995 = 39.99", "39.99", "money_beyond_2_decimals"),
        ("Gas costs $3.459 per gallon. How much do 10 gallons cost?", "10 * 3.459 = 34.59 dollars", "34.59", None),
        ("What is the probability of red with 3 of 5 red?", "5 / 3", "5/3", "chance_beyond_one"),
        ("What is the chance of no rain, in percent, if rain has 35%?", "100 - 35 = 65", "65", None),
        ("How many pupils?", "2 + 2 = 4", "", None),  # for another rule
        ("Mia runs 2 hours, Ben 30 minutes. How many minutes is that?", "2 + 30 = 32 minutes", "32", "hour_and_minute_in_one_sum"),
        ("40 centimeters of a 3-meter rope are cut off. What is left?", "3 - 40 = -37", "-37", "meter_and_centimeter_in_one_sum"),
        ("The way takes 14 hours, back five fewer hours, home 5 minutes. How many hours is back?", "14 - 5 = 9", "9", None),  # told in a word
        ("The way takes 14 hours, home 5 minutes for one of them. How long is it?", "14 - 5 = 9", "9", "hour_and_minute_in_one_sum"),
        ("A shelf is 6 feet and 9 inches high. How high is it?", "6 + 9 = 15 inches", "15", "foot_and_inch_in_one_sum"),
        ("A shelf is 6 feet and 9 inches high. How high is it?", "6 * 12 + 9 = 81 inches", "81", None),
        ("He runs 2 miles in 20 minutes and walks 30 minutes. How long is that?", "20 + 30 = 50 minutes", "50", None),
        ("A film of 2 hours starts 30 minutes late and lasts 2 weeks. How long is that?", "2 + 30 = 32", "32", None),  # which 2?
        ("At 5 dollars an hour, 3 hours and 20 minutes are worked. What is 3 + 20?", "3 + 20 = 23", "23", None),  # the sum is given
    ],
)
def test_a_number_fits_its_thing(problem, step, answer, reason):
    assert units(row(problem, step, answer=answer), DEFAULT) == reason
    assert units(row(problem, step, answer=answer), replace(DEFAULT, whole_units=False)) is None


def test_prices_may_have_as_many_decimals_as_the_recipe_says():
    dear = row("A cake costs $19.995. What is the price of 2?", "2 * 19.995 = 39.99", answer="39.99")
    assert units(dear, replace(DEFAULT, max_decimals_of_money=3)) is None


def test_a_number_that_a_step_has_found_may_be_of_any_measure():
    problem = "A trip of 3 hours is followed by 20 minutes of rest. What is a ninth of 27 and 20?"
    assert units(row(problem, "27 / 9 = 3", "3 + 20 = 23", answer="23"), DEFAULT) is None


# --- child safety, personal data


@pytest.mark.parametrize(
    "text, reason",
    [
        ("A hunter kills 3 deer.", "violence_kills"),
        ("He punched 4 men.", "violence_punched_4_men"),
        ("A box of ammunition holds 50 rounds.", "weapons_ammunition"),
        ("She grew 7 marijuana plants.", "drugs_marijuana"),
        ("Joe drinks 3 beers.", "alcohol_beers"),
        ("The slot machine takes 25 cents.", "gambling_slot_machine"),
        ("A pack of condoms costs $6.", "sexual_condoms"),
        ("He cut himself 3 times.", "self_harm_cut_himself"),
        ("A planter owned 60 slaves.", "hatred_slaves"),
        ("Two goldfish died.", "word_died"),
        ("The fat boy ate 5 buns.", "word_fat"),
        ("Rosa shot 7 baskets.", None),
        ("Juan killed two birds with one stone.", None),
        ("Roll a die: the die shows 4.", None),
        ("The cheese has 9 grams of fat.", None),
        ("A toy gun costs $9, blood oranges $2.", None),
        ("They play tug of war.", None),
        ("18 cups of tea were drunk.", None),
        ("The phone battery died at 7.", None),
        ("Root beer and smoked salmon cost $8.", None),
        ("Ravi hates broccoli.", None),
        ("He hates girls.", "hatred_hates_girls"),
        ("Finn put $80 on the counter.", None),
        ("Nan put $20 on a horse.", "gambling_put_20_on_a_horse"),
        ("A die is thrown 60 times.", None),
        ("A wine glass of juice holds 5 ounces.", None),
        ("She drinks 2 glasses of wine.", "word_wine"),
        ("The school lottery gave 60 seats.", None),
        ("He won $60 in the lottery.", "word_lottery"),
        ("A late frost killed 6 tulips.", None),
        ("The frost killed 3 men.", "violence_killed"),
        ("Each week 5 goldfish die.", None),
        ("Each week 5 sailors die.", "word_die"),
        ("One spray kills 50% of germs.", None),
        ("Each soldier kills 50% of them.", "violence_kills"),
        ("She lists the scores she has to beat. She finds one student with 95.", None),
        ("He has to beat his dog 3 times.", "violence_beat_his_dog"),
        ("A man hit his wife 3 times.", "violence_hit_his_wife"),
        ("Mia slapped her little brother 3 times.", "violence_slapped_her_little_brother"),
        ("Jo hit the ball to her brother 3 times.", None),
    ],
)
def test_what_does_not_belong_before_a_child_is_found_in_any_part_of_a_row(text, reason):
    assert child_safety(row(f"{text} How many is that?", "3 + 4 = 7"), DEFAULT) == reason
    assert child_safety(row(PROBLEM, text), DEFAULT) == reason
    assert child_safety(row(PROBLEM, text), replace(DEFAULT, child_safe=False)) is None


@pytest.mark.parametrize(
    "text, kind",
    [
        ("Write to maria.lopez@mail.com.", "email"),
        ("On www.toyshop.com it costs $3.", "url"),
        ("Order at posters.net today.", "url"),
        ("Look at hxxp://toys.example/a now.", "url"),
        ("Call 555-867-5309 now.", "phone_number"),
        ("Phone 555-0199 to order.", "phone_number"),
        ("Text +44 7700 900123 now.", "phone_number"),
        ("She lives at 742 Maple Street.", "street_address"),
        ("They moved to Austin, TX 78701.", "street_address"),
        ("Pay to DE89 3704 0044 0532 0130 00.", "account_number"),
        ("His card is 4111 1111 1111 1111.", "account_number"),
        ("Her card is 4111111111111111.", "account_number"),
        ("Her cards are 4111111111111111,5111111111111111 today.", None),  # a number of some places, with commas
        ("They share 1.234567890123456 litres.", None),
        ("Her SSN is 078-05-1120.", "identity_number"),
        ("Follow @lily_draws today.", "handle"),
        ("She called her aunt 4 times, 12 minutes each.", None),
        ("Call a number lucky if 7 divides 1234567.", None),
        ("5000 - 1200 = 3800 and 555 - 1234 = -679.", None),
        ("They walk 3 blocks along Oak Lane.", None),
        ("Elm Street has 24 houses.", None),
        ("A call center takes 1,200 calls in 8 hours.", None),
        ("1.5 @ 3 and 12 x 15 x 20", None),
    ],
)
def test_ways_to_reach_somebody_are_found(text, kind):
    assert personal_data(row(f"{text} How many is that?", "3 + 4 = 7"), DEFAULT) == kind
    assert personal_data(row(PROBLEM, text), replace(DEFAULT, no_personal_data=False)) is None


# --- reading level


HARD = (
    "Notwithstanding the considerable depreciation of its infrastructural investments, the municipality's administration "
    "allocated 450 additional currency units to each of 12 participating departments; determine the cumulative allocation."
)


@pytest.mark.parametrize(
    "problem, limits, reason",
    [
        (PROBLEM, {}, None),
        (HARD, {}, "reads_above_grade_16"),
        (HARD, {"max_reading_grade": None}, None),
        (PROBLEM, {"min_reading_grade": 5}, "reads_below_grade_5"),
        ("Multiplication necessitates simultaneously understanding 45 * 2.", {}, None),  # short: the grade is noise
    ],
)
def test_a_problem_reads_as_its_grades_can(problem, limits, reason):
    assert reading_level(row(problem), replace(DEFAULT, **limits)) == reason


# --- any text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.lists(st.text(max_size=80), max_size=4), st.text(max_size=20))
def test_no_text_raises(problem, steps, answer):
    all_reasons(Row(id="r", problem=problem, steps=tuple(steps), answer=answer, asked=problem[:20]))


@pytest.mark.parametrize(
    "piece", [".", "(", "*a", "\n", "|", "1", "1 ", "1,", "1/", "Aa ", "a@", "<", "1 + ", "1 = ", "hundred ", "how many ", "call "]
)
def test_a_monstrous_row_costs_little_time(piece):
    monster = piece * (30_000 // len(piece))

    def read() -> None:
        for broken in (row(monster), row(PROBLEM, monster), row(PROBLEM, *[monster[:200]] * 60)):
            for rule in (solution_quality, ai_detection, units, child_safety, personal_data, reading_level):
                rule(broken, DEFAULT)

    assert seconds(read, times=1) < 2  # under 0.5 s here: a pattern that goes back and forth takes minutes


BOMBS = {
    "dots": ".", "commas": "1,,", "points": "1..", "letters": "a", "sums": "1 + ", "lists": "1.5 ", "ratios": "1/2 ", "equals": "= 1 ",
    "steps": "step by step ", "words": "one hundred ", "quotes": '."', "mails": "a@", "streets": "1 Aa ", "units": "1 times ",
    "products": "2x + 3 = ", "wars": "water a b c ", "no": ".. no, ",
}  # fmt: skip


@pytest.mark.parametrize("piece", [*BOMBS.values(), "numbers"], ids=[*BOMBS, "numbers"])
@pytest.mark.parametrize("size, dropped_by", [(200_000, "structure"), (4_900, None)])
def test_a_bomb_is_dropped_before_it_is_read_or_read_in_no_time(piece, size, dropped_by):
    numbers = " ".join(f"{1009 + 37 * index};" for index in range(size // 6))
    text = numbers if piece == "numbers" else piece * (size // len(piece))
    step = text[: size if dropped_by else 990]

    def read() -> None:
        for bomb in (row(text), row(PROBLEM, *[step] * 12), row(text[: size - 900], *[step + " = 3"] * 12)):
            stages = [stage for stage, _ in all_reasons(bomb, replace(DEFAULT, max_words=10_000))]
            assert dropped_by is None or stages == [dropped_by]

    assert seconds(read, times=1) < 4


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"problem": "How many? " + "a" * 4990}, None),
        ({"problem": "How many? " + "a" * 4991}, "problem_over_5000_characters"),
        ({"steps": (*STEPS, "a" * 1001)}, "step_over_1000_characters"),
        ({"asked": "a" * 1001}, "step_over_1000_characters"),
        ({"plan": "a" * 1001}, "step_over_1000_characters"),
        ({"answer": "<|im_end|> 10"}, "control_token"),
        ({"plan": "</think>"}, "control_token"),
        ({"asked": "<|im_end|>"}, "control_token"),
        ({"answer": "1" * 101}, "answer_over_100_characters"),
        ({"id": "a\nb"}, "id_is_no_name"),
        ({"id": "../../b"}, "id_is_no_name"),
        ({"id": "c<script>"}, "id_is_no_name"),
        ({"id": ""}, "id_is_no_name"),
        ({"id": "bank-0000017.2+"}, None),
        ({"topic": "<img src=x>"}, "label_is_no_name"),
        ({"source": "two\nlines"}, "label_is_no_name"),
    ],
)
def test_a_row_has_a_size_a_name_and_no_token_of_the_chat(change, reason):
    broken = replace(row(), **change)
    # "How many?" and one long word: too few words, but not too long
    assert RULES["structure"](broken, replace(DEFAULT, min_words=1)) == reason
    assert reason is None or all_reasons(broken) == [("structure", reason)]  # and no other rule runs


def test_no_row_that_passes_structure_is_too_long_to_be_read_whole():
    limits = replace(DEFAULT, max_problem_chars=10_000, max_step_chars=10_000, max_words=10_000)
    broken = row("How many? " + "a b " * 2490, "1 + 1 = 2 " + "a" * 9980, "Buy cocaine.")
    assert RULES["structure"](broken, limits) == "row_over_19900_characters"


@pytest.mark.parametrize(
    "answer, reason",
    [
        *((answer, None) for answer in ("10", "-3", "2.5", "4.50", "1 1/2", "-2 1/3", "1/3", "3/8", "0.125", "-0.50")),
        *((answer, "answer_is_not_the_bare_number") for answer in (
            "14.000", "10.00", "1,000", "$5", "010", "10 pens", "ten", "21 (mail bob@mail.com)", "8 #### 10", " 10", "2/16", "1 2/4", "1 3/2", "4.500")),
        ("", "answer_is_no_number"),
    ],
)  # fmt: skip
def test_an_answer_is_a_bare_number(answer, reason):
    assert RULES["answer_range"](row(answer=answer), DEFAULT) == reason


def test_a_label_may_not_hold_what_the_text_may_not():
    assert child_safety(replace(row(), topic="cocaine"), DEFAULT) == "drugs_cocaine"
    assert personal_data(replace(row(), family="bob@mail.com"), DEFAULT) == "email"


# --- the labelled rows


def test_the_labelled_set_is_large_and_varied():
    rows = list(read_rows(ROWS))
    labels, kinds = Counter(line["label"] for line in rows), Counter(line["kind"] for line in rows)
    assert len(rows) >= 440 and labels[GOOD] >= 200
    assert set(labels) == {GOOD, *STAGES}
    assert all(labels[stage] >= 25 for stage in STAGES)
    faulty = ("wrong step", "wrong answer", "answer missing", "truncated", "number out of the blue", "unsafe", "personal data")
    assert all(kinds[kind] >= 25 for kind in faulty)
    assert len({line["id"] for line in rows}) == len(rows)


def test_no_test_item_stands_in_the_labelled_set():
    made = [line for line in read_rows(ROWS) if line["label"] in COMPARING]
    assert made and all({"set", "index", "change"} <= line.keys() and not {"problem", "steps"} & line.keys() for line in made)


def test_every_demand_is_met_on_the_written_rows():
    report = pipeline.audit.audit(ROWS, with_data=False)
    assert report["missed_demands"] == []
    for stage in RULES:
        assert min(report["filters"][stage]["precision"], report["filters"][stage]["recall"]) >= LEAST
    assert report["gsm8k_train"] == "not compared"
    assert read_json(ROWS.with_name("audit.json"))["sha256"] == report["sha256"]  # the record is of these rows


# --- the audit

TEST_ITEM = "In April Natalie sold 48 clips to her friends, and then Tom bought half as many from Natalie. How many did she sell?"


@pytest.mark.parametrize(
    "change, text",
    [
        ("verbatim", TEST_ITEM),
        ("names", TEST_ITEM.replace("Natalie", "Nkechi").replace("Tom", "Torvald")),
        ("numbers", TEST_ITEM.replace("48", "55")),
        ("names and numbers", TEST_ITEM.replace("Natalie", "Nkechi").replace("Tom", "Torvald").replace("48", "55")),
        ("new ending", TEST_ITEM.split(" Tom")[0] + ", and so on. How many would that be in half the time?"),
    ],
)  # fmt: skip
def test_a_test_item_is_retold(change, text):
    assert retold(TEST_ITEM, change) == text


def labelled(row_id: str, label: str, problem: str, *also: str, steps: tuple[str, ...] = STEPS) -> Labelled:
    return Labelled(Row(id=row_id, problem=problem, steps=steps, answer="10"), label, label, also)


def test_a_filter_is_counted_where_it_is_due_and_blamed_where_it_is_not():
    items = [
        labelled("good", GOOD, PROBLEM),
        labelled("trap", GOOD, "A wine festival has 3 stalls with 4 pens. 2 are sold. How many are left?"),
        labelled("found", "child_safety", "A gun shop has 3 boxes with 4 pens. 2 are sold. How many are left?"),
        labelled("missed", "child_safety", "A scary thing has 3 boxes with 4 pens. 2 are sold. How many are left?"),
        labelled("allowed", "solution_quality", "A gun has 3 boxes with 4 pens and", "child_safety"),
        labelled("copy", "exact_duplicate", PROBLEM.upper(), "fuzzy_duplicate"),
        labelled("leak", "test_overlap", TEST_ITEM, steps=("1 + 1 = 2",)),
    ]
    scores = score(items, Recipe("r"), References({"t/test": [TEST_ITEM]}, [Problem("s", "What is 3 and 4?", Fraction(7))]))
    safety = scores["child_safety"]
    assert (safety.labelled, safety.found, safety.missed, safety.false_alarms) == (2, 1, ["missed"], {"trap": "word_wine"})
    assert (safety.precision, safety.recall) == (0.5, 0.5)
    assert (scores["test_overlap"].recall, scores["exact_duplicate"].precision) == (1, 1)
    assert scores["math_verification"].labelled == 0 and scores["math_verification"].recall is None  # a made row is not for it
    assert (scores["all"].found, scores["all"].missed, list(scores["all"].false_alarms)) == (4, ["missed"], ["trap"])
    assert faults(scores, {}) == ["child_safety: precision 0.500 is below 0.95", "child_safety: recall 0.500 is below 0.95",
                                  "all: precision 0.800 is below 0.95", "all: recall 0.800 is below 0.95"]  # fmt: skip


@pytest.mark.parametrize(
    "stage, share, is_fault", [("units", 0.011, True), ("units", 0.01, False), ("test_overlap", 0.011, True)]
)
def test_a_filter_may_not_cost_more_than_a_hundredth_of_gsm8k_train(stage, share, is_fault):
    assert bool(faults({}, {stage: {"share": share}})) is is_fault


@pytest.mark.parametrize(
    "change, message",
    [
        ({"label": "rubbish"}, "label and also must be among"),
        ({"also": ["rubbish"]}, "label and also must be among"),
        ({"steps": "3 + 4 = 7"}, "steps must be a list"),
        ({"set": "t/test", "index": 7, "change": "names"}, "list index"),
        ({"set": "t/test", "index": 0, "change": "rubbish"}, "change must be one of"),
        ({"set": "other", "index": 0, "change": "names"}, "other"),
    ],
)
def test_a_labelled_row_without_sense_is_refused_by_file_and_line(tmp_path, change, message):
    line = {"id": "1", "label": "good", "kind": "good", "problem": PROBLEM, "steps": list(STEPS), "answer": "10"}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps(line | {"id": "2"} | change) + "\n")
    with pytest.raises(Damaged, match="rows.jsonl:2") as refused:
        read_labelled(path, References({"t/test": [TEST_ITEM]}))
    assert message in str(refused.value)


def run_audit(monkeypatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["audit", *arguments])
    with pytest.raises(SystemExit) as left:
        pipeline.audit.main()
    return left.value.code


def test_the_command_prints_records_and_fails_when_a_demand_is_missed(tmp_path, monkeypatch, capsys):
    path, out = tmp_path / "rows.jsonl", tmp_path / "audit.json"
    line = {"id": "1", "label": "good", "kind": "good", "problem": PROBLEM, "steps": list(STEPS), "answer": "10"}
    path.write_text(json.dumps(line) + "\n")
    monkeypatch.setattr(pipeline.audit, "ROWS", path)
    assert run_audit(monkeypatch, "--no-tests", "--out", str(out)) is False
    first = out.read_bytes()
    assert "every demand is met" in capsys.readouterr().out and read_json(out)["labelled"] == 1
    assert run_audit(monkeypatch, "--no-tests", "--out", str(out)) is False and out.read_bytes() == first
    path.write_text(json.dumps(line | {"label": "units"}) + "\n")
    assert run_audit(monkeypatch, "--no-tests") is True
    assert "units: recall 0.000 is below 0.95" in capsys.readouterr().out


def test_the_command_says_what_to_do_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    assert "--no-tests" in run_audit(monkeypatch)
