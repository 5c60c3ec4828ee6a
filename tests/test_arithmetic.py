"""The value of an expression is exact, or there is a reason why there is none."""

from __future__ import annotations

import operator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathtutor.maths.arithmetic import MAX_BITS, Outcome, evaluate, plain, show
from tests.clock import seconds


@pytest.mark.parametrize(
    "expression, value",
    [
        ("12/60 * 50", 10),
        ("0.1 + 0.2", Fraction(3, 10)),  # never 0.30000000000000004
        ("1 / 3", Fraction(1, 3)),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 3", 3),
        ("2 ^ 3 ^ 2", 512),
        ("2 ** 3", 8),
        ("-2^2", -4),
        ("2^-1", Fraction(1, 2)),
        ("3 x 4", 12),
        ("3x4", 12),
        ("3 X 4", 12),
        ("3 × 4", 12),
        ("3 · 4", 12),
        ("12 ÷ 4", 3),
        ("5 − 8", -3),  # U+2212
        ("5 – 8", -3),  # en dash
        ("--5", 5),
        ("+5", 5),
        ("3(4)", 12),
        ("(1 + 2)(3)", 9),
        ("1,234.5 * 2", 2469),
        ("1,000,000 / 4", 250_000),
        ("1 000", 1000),
        ("1\u2009000 + 1", 1001),
        (".5 + .25", Fraction(3, 4)),
        ("1e3", 1000),
        ("1.5e-2", Fraction(3, 200)),
        ("½ + ¼", Fraction(3, 4)),
        ("2½", Fraction(5, 2)),
        ("2 1/2", Fraction(5, 2)),
        ("2 1/2 * 4", 10),
        ("60 / 3/4", 80),  # a tight fraction after a spaced division is one number
        ("60 ÷ 3/4", 80),
        ("60/3/4", 5),
        ("60 / 3 / 4", 5),
        ("25% * 80", 20),
        ("200 - 15%", 170),  # a share of 200
        ("200 + 15% * 20", 203),
        ("100% - 15%", Fraction(17, 20)),
        ("(3 + 4) % * 100", 7),
        ("٣ + ４", 7),
    ],
)
def test_evaluates_exactly(expression, value):
    assert evaluate(expression) == Outcome(value=Fraction(value))


@pytest.mark.parametrize(
    "expression, refusal",
    [
        ("", "empty"),
        ("   ", "empty"),
        ("1" * 501, "too long"),
        ("+".join("1" * 101), "too many parts"),
        ("(" * 33 + "1" + ")" * 33, "too deep"),
        ("-" * 33 + "1", "too deep"),
        ("^".join("1" * 34), "too deep"),
        ("9" * 51, "too many digits"),
        ("2^65", "exponent too large"),
        ("2^-65", "exponent too large"),
        ("1e65", "exponent too large"),
        ("1e1000000000", "exponent too large"),
        ("9^9^9", "exponent too large"),
        ("((9^64)^64)^64", "result too large"),
        ("(9^64)^20 * (9^64)^20", "result too large"),
        ("1/0", "division by zero"),
        ("1 / (2 - 2)", "division by zero"),
        ("0^-1", "division by zero"),
        ("0^0", "zero to the power zero"),
        ("4^.5", "fractional power"),
        ("3x", "variable"),
        ("3 * x", "variable"),
        ("2/3 x - 2", "variable"),
        ("x", "variable"),
        ("five + 2", "words"),
        ("5 5", "two numbers in a row"),
        ("2 5/3", "two numbers in a row"),
        ("5 % 3", "two numbers in a row"),
        ("2 *", "incomplete"),
        ("2 * / 3", "incomplete"),
        ("()", "unbalanced brackets"),
        ("(1 + 2", "unbalanced brackets"),
        ("1 + 2)", "unbalanced brackets"),
        ("10,00", "unknown symbol"),
        ("5 = 5", "unknown symbol"),
        ("__import__('os')", "unknown symbol"),
        ("5 & 3", "unknown symbol"),
        ("\ud800", "unknown symbol"),
    ],
)
def test_refuses_with_a_reason(expression, refusal):
    assert evaluate(expression) == Outcome(refusal=refusal)


@pytest.mark.parametrize("largest", ["2^64", "-" * 32 + "1", "(" * 32 + "1" + ")" * 32, "9" * 50, "+".join("1" * 100)])
def test_accepts_what_stands_just_inside_a_bound(largest):
    assert evaluate(largest).refusal is None


def test_reads_percentage_points_only_when_asked():
    assert evaluate("100% - 40%", points=True).value == 60
    assert evaluate("200 - 15%", points=True).refusal == "percentage of what"


@pytest.mark.parametrize(
    "value, text",
    [
        (5, "5"),
        (-3, "-3"),
        (0, "0"),
        (Fraction(5, 2), "2.5"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-7, 3), "-7/3"),
        (Fraction(1, 10**6), "0.000001"),
        (Fraction(1, 10**7), "1/10000000"),  # not within six places
        (1_234_567, "1234567"),  # no commas
        (Fraction(100, 1), "100"),
        (Fraction(20, 8), "2.5"),
    ],
)
def test_shows_a_value_as_a_worksheet_prints_it(value, text):
    assert show(Fraction(value)) == text


@given(st.fractions(max_denominator=10**9))
def test_what_is_shown_evaluates_to_the_same_value(value):
    assert evaluate(show(value)).value == value


_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_LEAVES = st.integers(0, 999).map(lambda number: (str(number), Fraction(number))) | st.integers(1, 9999).map(
    lambda number: (f"{number / 100:.2f}", Fraction(number, 100))
)


def _joined(parts):
    (left, a), sign, (right, b) = parts
    return f"({left} {sign} {right})", None if a is None or b is None or (sign == "/" and b == 0) else _SIGNS[sign](a, b)


@settings(max_examples=300, deadline=None)
@given(st.recursive(_LEAVES, lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(_joined), max_leaves=12))
def test_agrees_with_python_fractions(expression_and_value):
    expression, value = expression_and_value
    outcome = evaluate(expression)
    if value is None:
        assert outcome.refusal == "division by zero"
    else:
        assert outcome.value == value


_ALPHABET = "0123456789.,+-*/x×÷^%() ½eE−"


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=_ALPHABET, max_size=60) | st.text(max_size=60))
def test_any_text_gives_a_value_or_a_reason_and_never_both(text):
    outcome = evaluate(text)
    assert (outcome.value is None) != (outcome.refusal is None)
    if outcome.value is not None:
        assert max(outcome.value.numerator.bit_length(), outcome.value.denominator.bit_length()) <= MAX_BITS


@given(st.text())
def test_plain_text_keeps_every_character_in_its_place(text):
    assert len(plain(text)) == len(text)


@pytest.mark.parametrize(
    "expression",
    [
        "+".join("1/" + "9" * 40 for _ in range(11)),
        "*".join("9" * 9 for _ in range(50)),
        "(1/7^60+1/11^60)^12" + "+1/13^9" * 50,
        "(" * 250 + ")" * 250,
        "^9" * 250,
        "1 " * 250,
        "9" * 500,
        "1/97" + "*89/97" * 60,
    ],
)
def test_answers_hostile_expressions_within_ten_milliseconds(expression):
    assert seconds(lambda: evaluate(expression)) <= 0.010
