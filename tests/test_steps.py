"""Which equations stand in a line, and which arithmetic an open equals sign waits for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathtutor.maths.arithmetic import evaluate
from mathtutor.maths.claims import Claim, find_claims
from mathtutor.maths.steps import LOOK_BACK, open_expression, parse_steps
from tests.clock import seconds


def pairs(text: str) -> list[tuple[str, str]]:
    return [(claim.left, claim.right) for claim in find_claims(text)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("12 - 3 = 9.", [("12 - 3", "9")]),
        ("12-3=9", [("12 - 3", "9")]),
        # chains: every adjacent pair
        ("x = 15 / 3 = 5", [("15 / 3", "5")]),
        ("3x = 22 - 7 = 15", [("3x", "22 - 7"), ("22 - 7", "15")]),
        ("2 * 1 + 3 * 3 = 2 + 9 = $11", [("2 * 1 + 3 * 3", "2 + 9"), ("2 + 9", "11")]),
        # two sentences, two lists, one line
        ("2 * 5 = 10 and 3 * 4 = 12", [("2 * 5", "10"), ("3 * 4", "12")]),
        ("5 + 3 = 8, then 8 * 2 = 16.", [("5 + 3", "8"), ("8 * 2", "16")]),
        ("He had 4. 5 + 3 = 8. So 8 - 4 = 4.", [("5 + 3", "8"), ("8 - 4", "4")]),
        ("In 3 weeks she saves 5 * 4 = 20", [("5 * 4", "20")]),
        ("Half of 10 is 10 / 2 = 5", [("10 / 2", "5")]),
        ("They scored 9 because 72 / 8 = 9", [("72 / 8", "9")]),
        ("Day 1: 5 + 3 = 8", [("5 + 3", "8")]),
        # units, money, percent, thousands
        ("5 apples * 2 dollars = 10 dollars", [("5 * 2", "10")]),
        ("48 clips / 2 = 24 clips", [("48 / 2", "24")]),
        ("8 acres – 6 acres mowed with a riding mower = 2 acres", [("8 - 6", "2")]),
        ("$5.50 + $3 = $8.50 in total", [("5.50 + 3", "8.50")]),
        ("$1,200 * 3 = $3,600", [("1200 * 3", "3600")]),
        ("18 000 + 5 = 18 005", [("18000 + 5", "18005")]),
        ("30 miles/hour * 3 hours = 90 miles", [("30 * 3", "90")]),
        ("6 cups / 6 cups/hour = 1 hour", [("6 / 6", "1")]),
        ("a 10-foot pole * 3 = 30", [("10 * 3", "30")]),
        ("10 sq. ft. * 3 = 30 sq. ft.", [("10 * 3", "30")]),
        ("3 m^2 + 4 m^2 = 7 m^2", [("3 + 4", "7")]),
        ("25% of 80 = 20", [("25% * 80", "20")]),
        ("25 percent of the 80 kids = 20 kids", [("25% * 80", "20")]),
        ("20 / 50 = 40%", [("20 / 50", "40%")]),
        ("5 (who has 7) * 2 = 10", [("5 * 2", "10")]),
        ("16 + another 3 = 19", [("16 + 3", "19")]),
        # fractions
        ("1/2 of the 50 = 25", [("1 / 2 * 50", "25")]),
        ("2 1/2 * 4 = 10", [("(2 1/2) * 4", "10")]),
        ("1 and 1/4 * 8 = 10", [("(1 1/4) * 8", "10")]),
        ("2½ * 4 = 10", [("(2 1/2) * 4", "10")]),
        ("½ * 8 = 4", [("(1/2) * 8", "4")]),
        ("10 kids ½ * 8 = 4", [("(1/2) * 8", "4")]),  # not 10½
        ("2 5/4 * 4 = 5", [("5 / 4 * 4", "5")]),  # nor 2 5/4
        ("20 plus 25 and 1/2 of 50 = 25", [("1 / 2 * 50", "25")]),  # not 25 1/2
        ("60 / 3/4 = 80", [("60 / (3/4)", "80")]),
        # operators in other clothes
        ("3 x 4 = 12", [("3 * 4", "12")]),
        ("3x4=12", [("3 * 4", "12")]),
        ("3 × $4 = $12", [("3 * 4", "12")]),
        ("12 ÷ 4 = 3", [("12 / 4", "3")]),
        ("5 − 8 = −3", [("5 - 8", "-3")]),
        ("5 times 3 = 15", [("5 * 3", "15")]),
        ("15 divided by 3 = 5", [("15 / 3", "5")]),
        ("80(.30) = 24", [("80 * (.30)", "24")]),
        ("it fell from 3 to -6 + 2 = -4", [("-6 + 2", "-4")]),
        # brackets
        ("(10 + 5) * 2 = 30 cups", [("(10 + 5) * 2", "30")]),
        ("She gets half (48 / 2 = 24)", [("48 / 2", "24")]),
        ("5 (apples) * 3 = 15", [("5 * 3", "15")]),
        ("12 = 3 * 4", [("12", "3 * 4")]),
        ("10 / 3 ≈ 3.33", [("10 / 3", "3.33")]),
        ("5 * 3 = 15 - leaving the rest", [("5 * 3", "15")]),  # a dash
        ("20 - 5 = 15 - x", [("20 - 5", "15 - x")]),
        ("5 + 3 = about 8", [("5 + 3", "8")]),
        ("5 * 60 = 300 + 58 = 358", [("5 * 60", "300"), ("300 + 58", "358")]),  # runs on
        # markup
        ("48/2 = <<48/2=24>>24 clips", [("48 / 2", "24")]),
        ("she sold <<48/2=24>> clips", [("48 / 2", "24")]),
        ("48/2 = <<48/2=25>>24 clips", [("48 / 2", "24"), ("48 / 2", "25")]),
        ("**5 + 3** = **8**", [("5 + 3", "8")]),
        ("2**3 = 8", [("2 ^ 3", "8")]),
        (r"$\frac{1}{2} \times 50 = 25$", [("(1 / 2) * 50", "25")]),
        (r"\frac{8 + 2}{2} = 5", [("((8 + 2) / (2))", "5")]),
        (r"\frac{42 \text{ miles}}{3 \text{ miles}} \times 10 = 140", [("((42) / (3)) * 10", "140")]),
        (r"12 \text{ cups} + 24 \text{ cups} = 36", [("12 + 24", "36")]),
        # names state nothing that could be false
        ("x = 5", []),
        ("Total = 5 + 3", []),
        ("The number of trees is C = 12 / 3", []),
        ("5 + 3 = x", []),
        ("5 >= 3, 5 == 5, 3 != 4, a => b", []),
        ("no equation here", []),
        ("=", []),
        ("5 + = 8", []),
        ("5 + 3 = the price of 9", []),  # of which thing 9 is the price, nobody knows
    ],
)
def test_finds_the_equations_of_a_sentence(text, expected):
    assert pairs(text) == expected


@pytest.mark.parametrize(
    "text",
    ["3x = 12", "3 * x = 12", "2x + 3 = 11", "x + y = 10", "4(number of tickets) + 2 = 10", "10:30 + 1 = 11:30",
     "price * 5 = 20", "0900-0130 = 730", "16,0000/10 = 1600", "Week 1 + Week 2 = 35 + 35", "D3 * 2 = 6",
     "3 of us went to the shop at the corner of the street with all that money for Bob * 5 = 15", "5A - 5 = 30",
     "5 a * 3 = 10", "(4x - 13) + 5 = 4x - 8", "10 apples - x = 4"],
)  # fmt: skip
def test_keeps_the_words_of_a_side_that_has_no_value(text):
    for claim in find_claims(text):
        assert evaluate(claim.left).value is None or evaluate(claim.right).value is None or claim.loose


@pytest.mark.parametrize(
    "text, span",
    [
        ("She has 5 apples * 2 = 10 left", "5 apples * 2 = 10"),
        ("48/2 = <<48/2=24>>24 clips", "48/2 = <<48/2=24>>24"),
        (r"so \frac{1}{2} \times 50 = 25.", r"\frac{1}{2} \times 50 = 25"),
        ("über 5 − 3 = 2 €", "5 − 3 = 2"),
    ],
)
def test_offsets_point_into_the_text_as_it_was_given(text, span):
    (claim,) = find_claims(text)
    assert text[claim.start : claim.end] == span


# Words and signs that make another value of the numbers beside them, and are not read.
CHANGED_BY_WORDS = [
    "half of 20 + 5 =", "half of (20 + 10) =", "half the sum of 20 + 10 =", "one third of the 30 + 5 =", "7 + twice 3 =",
    "twice 7 + 1 =", "double 6 + 1 =", "triple $6 + 1 =", "2 dozen + 5 =", "10 - 2 dozen =", "12 - half a dozen =",
    "3 hundred + 20 =", "5 thousand + 3 =", "6 + 2 tens =", "√16 + 2 =", r"\sqrt{16} + 2 =", "sqrt(16) + 2 =",
    "square root of 16 + 2 =", "5 squared + 1 =", "5² + 1 =", "10 mod 3 + 1 =", "17 / 5 remainder =", "3 R1 + 2 =",
    "two times 3 + 4 =", "minus 7 + 10 =", "5 cm + 3 mm =", "2 quarters + 1 dime =", "$1 + 50¢ =", "5 and a half + 2 =",
    "7 + three 5s =", "5 more than 3 * 4 =", "5 & 3 + 2 =", "5 ± 3 + 1 =", "5 + _ + 3 =", "100% - 30% =", "3/5 =",
]  # fmt: skip


@pytest.mark.parametrize(
    "text, expression",
    [
        ("x = 15 / 3 =", "15 / 3"),
        ("Half of 10 is 10 / 2 =", "10 / 2"),
        ("$10 * 3 = $", "10 * 3"),
        (r"\$10 * 3 = \$", "10 * 3"),
        ("25% of 80 = ", "25% * 80"),
        ("5 - 3 apples =", "5 - 3"),
        ("Step 1: 48 clips / 2 = ", "48 / 2"),
        ("5 + 3 = 8, 8 * 2 =", "8 * 2"),
        ("5 + 3 = 8\nStep 2: 8 * 2 =", "8 * 2"),
        ("(48 / 2 =", "48 / 2"),
        ("<<48/2=", "48 / 2"),
        ("1/2 of the 50 kids =", "1 / 2 * 50"),
        ("60 / 3/4 =", "60 / (3/4)"),
        ("1,200 x 3 =", "1200 * 3"),
        ("-3 + 5 =", "-3 + 5"),
        ("(2 + 3) * 4 =", "(2 + 3) * 4"),
        ("60 miles/hour * 2 hours =", "60 * 2"),
        ("3 / 5 =", "3 / 5"),  # a division; 3/5 may be followed by 6/10
        ("3/5 + 1/5 =", "3 / 5 + 1 / 5"),
        ("100 - 30% =", "100 - 30%"),
        # words that change some other number, or none
        ("Half of the class is 28 / 2 =", "28 / 2"),
        ("Mom is twice as old: 2 x 18 =", "2 * 18"),
        ("3 dozen is 3 x 12 =", "3 * 12"),
        ("She gets half (48 / 2 =", "48 / 2"),
        ("$3 a dozen * 2 =", "3 * 2"),
        ("The blue ones number 113 - 46 =", "113 - 46"),
        ("That leaves Penny 78 / 2 =", "78 / 2"),
        ("72° + 18° =", "72 + 18"),
        # None: no operator, a variable, no value, or not what will be written next
        ("7 =", None),
        ("x =", None),
        ("3x =", None),
        ("3 * x =", None),
        ("3 x =", None),
        ("2m + 3m =", None),
        ("total - 5 =", None),
        ("10 / 0 =", None),
        ("5 + (3 * 2 =", None),
        ("5 + =", None),
        ("5 + 3 ==", None),
        ("5 + 3 >=", None),
        ("5 + 3", None),
        ("5 + 3 =\n", None),
        ("5 + 3\n=", None),
        ("", None),
        ("=", None),
        ("1/2 cup =", None),
        ("1/3 of the cake =", None),
        ("2 hours + 30 minutes =", None),
        *((text, None) for text in CHANGED_BY_WORDS),
    ],
)
def test_reads_the_expression_before_an_open_equals_sign(text, expression):
    assert open_expression(text) == expression


def test_an_expression_longer_than_the_look_back_is_not_computed_in_part():
    terms = " + ".join(["10"] * 80)
    assert len(terms) > LOOK_BACK
    assert open_expression(terms + " =") is None
    assert open_expression("word " * 80 + "5 + 3 =") == "5 + 3"


@given(st.integers(0, 999), st.sampled_from("+-*/"), st.integers(1, 999), st.sampled_from(["", " apples", " dollars each"]))
def test_every_simple_operation_is_read_back(left, sign, right, unit):
    value = evaluate(f"{left} {sign} {right}").value
    text = f"So we get {left}{unit} {sign} {right}{unit} ="
    assert open_expression(text) == f"{left} {sign} {right}"
    if value.denominator == 1:
        (claim,) = find_claims(f"{text} {value}{unit}.")
        assert (evaluate(claim.left).value, evaluate(claim.right).value) == (value, value)


@pytest.mark.parametrize(
    "reasoning, expected",
    [
        ("Step 1: a\nStep 2: b", [(1, "a"), (2, "b")]),
        ("\nStep 1: a\n\n\nStep 2: b\n", [(1, "a"), (2, "b")]),
        ("step 1. a\nSTEP 2) b\nStep 3 - c", [(1, "a"), (2, "b"), (3, "c")]),
        ("- Step 1: a\n* b\n• c", [(1, "a"), (2, "b"), (3, "c")]),
        ("1. a\n2) b", [(1, "a"), (2, "b")]),
        ("**Step 1:** a\n### Step 2: b", [(1, "a"), (2, "b")]),
        ("a\nb", [(1, "a"), (2, "b")]),
        ("Step 3: a\nb\nStep 2: c", [(3, "a"), (4, "b"), (5, "c")]),  # numbers always increase
        ("Step 2:\n5 + 3 = 8", [(2, "5 + 3 = 8")]),  # the label stands alone
        ("Step 1: a\r\nStep 2: b\r\n", [(1, "a"), (2, "b")]),
        ("---\n***\nStep 1: a", [(1, "a")]),
        ("3.5 + 1 = 4.5", [(1, "3.5 + 1 = 4.5")]),  # not item 3
        ("- 5 + 3 = 8", [(1, "5 + 3 = 8")]),
        ("", []),
    ],
)
def test_splits_reasoning_into_numbered_steps(reasoning, expected):
    assert [(step.number, step.text) for step in parse_steps(reasoning)] == expected
    assert all(step.done for step in parse_steps(reasoning))


def test_the_claims_of_a_step_point_into_its_text_without_the_label():
    (step,) = parse_steps("Step 1: she has 5 + 3 = 8 cats")
    assert step.claims == (Claim("5 + 3", "8", start=8, end=17),)
    assert step.text[8:17] == "5 + 3 = 8"


@pytest.mark.parametrize(
    "growing, claims",
    [
        ("Step 1: 5 * 3", 0),
        ("Step 1: 5 * 3 =", 0),
        ("Step 1: 5 * 3 = 1", 0),  # on its way to 15
        ("Step 1: 5 * 3 = 15", 0),
        ("Step 1: 5 * 3 = 15.", 0),  # 15.5?
        ("Step 1: 5 * 3 = 15 ", 0),  # 15 / 1?
        ("Step 1: 5 * 3 = 15 ap", 0),
        ("Step 1: 5 * 3 = 15 apples ", 1),
        ("Step 1: 5 * 3 = 15. ", 1),
        ("Step 1: 5 * 3 = 15, ", 1),
        ("Step 1: 5 * 3 = 15 =", 1),
        ("Step 1: 5 * 3 = 15\n", 1),
        ("Step 1: 10 / 3 = 3 remainder ", 0),  # it may be right yet
        ("Step 1: 10 / 3 = 3 remainder 1\n", 1),
    ],
)
def test_a_growing_line_claims_nothing_that_may_still_change(growing, claims):
    (step,) = parse_steps(growing, finished=False)
    assert len(step.claims) == claims
    assert step.done is growing.endswith("\n")


def test_a_growing_reasoning_never_takes_a_claim_back():
    reasoning = "Step 1: 12 / 60 = 0.25 dollars a minute.\nStep 2: 1,000 * 2 1/2 = 2,500, so 5 + 3 = 8 x 2 = 16.\n"
    seen: list[tuple] = []
    for length in range(len(reasoning) + 1):
        steps = parse_steps(reasoning[:length], finished=False)
        now = [(step.number, claim) for step in steps for claim in step.claims]
        assert now[: len(seen)] == seen
        seen = now
    assert len(seen) == 4


def test_a_label_that_has_just_begun_is_a_step_without_text():
    steps = parse_steps("Step 1: a\nStep 2:", finished=False)
    assert [(step.number, step.text, step.done) for step in steps] == [(1, "a", True), (2, "", False)]


_PIECES = st.sampled_from(
    ["12", "3.5", "1,200", "½", "007", "10:30", "3rd", "=", "≈", "+", "-", "−", "*", "**", "/", "x", "^", "(", ")", "%", "$", "<<", ">>",
     "\\frac{1}{2}", "\\text{", "}", "apples", "of", "the", "and", "times", "5m", "2y", "a", "Step 1:", "\n", ".", ",", ":", "\\", "\ud800"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(_PIECES, st.sampled_from(["", " "])).map("".join), max_size=25).map("".join) | st.text(max_size=60))
def test_no_text_makes_the_reader_raise_or_point_outside(text):
    for claim in find_claims(text):
        assert 0 <= claim.start < claim.end <= len(text)
    for finished in (True, False):
        numbers = [step.number for step in parse_steps(text, finished)]
        assert numbers == sorted(set(numbers))
    expression = open_expression(text + "=")
    assert expression is None or isinstance(evaluate(expression).value, Fraction)


@pytest.mark.parametrize("piece", ["5 * ", "1 + ", "1 = ", "(", "5 (a ", "word ", " ", "1/2 of ", "\\frac{", "<<", "**", "1 000 "])
def test_reading_time_grows_no_faster_than_the_text(piece):
    def cost(size: int) -> float:
        line = (piece * size)[:size] + "= 3"
        return seconds(lambda: parse_steps("\n".join([line[:4000]] * (size // 4000))))

    assert cost(32_000) <= 3.2 * cost(16_000) + 0.02


def test_an_open_equals_sign_is_read_in_less_than_a_millisecond():
    text = "Step 1: a lot of words. " * 500 + "Step 4: together they have 12 apples * $3 + 15 pears / 5 ="
    assert open_expression(text) == "12 * 3 + 15 / 5"
    assert seconds(lambda: open_expression(text), times=5) < 0.001
