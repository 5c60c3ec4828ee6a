"""The number that a reply gives as its answer: the tables are the specification."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathtutor.maths.answers import (
    READINGS,
    is_correct,
    read_answer,
    read_gold,
    read_typed,
    same_answer,
    split_thinking,
    states_answer,
)
from mathtutor.maths.refusals import REFUSALS
from tests.clock import seconds


@pytest.mark.parametrize(
    "reply, value",
    [
        ("The answer is 5.0.", 5),
        ("The answer is $1,234.50.", Fraction("1234.5")),  # currency, thousands, full stop
        ("The answer is -3.", -3),
        ("The answer is −3.", -3),  # U+2212
        ("The answer is -$5.", -5),
        ("The answer is **42**.", 42),
        ("**Answer:** 5", 5),
        ("The answer is 3/4.", Fraction(3, 4)),  # exact, not 0.75
        ("The answer is -1/2.", Fraction(-1, 2)),
        (r"The answer is \frac{3}{4}.", Fraction(3, 4)),
        ("The answer is 3 1/2.", Fraction(7, 2)),
        ("The answer is 3 and 1/2.", Fraction(7, 2)),
        (r"The answer is $3\frac{1}{2}$.", Fraction(7, 2)),
        ("The answer is 2½.", Fraction(5, 2)),
        ("The answer is 1e3.", 1000),
        ("The answer is .5", Fraction(1, 2)),
        ("The answer is 1 000", 1000),
        ("The answer is 1\u2009234 km", 1234),  # thin space
        ("The answer is 2 million.", 2_000_000),
        ("The answer is five.", 5),
        ("The answer is twenty-five apples.", 25),
        ("The answer is 50%.", 50),
        ("The answer is 18 dollars, in week 3", 18),
        ("The answer is 42 apples in 2024", 42),
        ("The answer is 5 (2+3 = 5).", 5),
        ("The answer is 5 because 2 + 4 = 6", 5),
        ("The answer is 3 * 4 = 12.", 12),
        ("The answer is 2-3 = -1", -1),
        ("Answer: x = 5", 5),
        ("The final answer to the question is 12.", 12),
        ("The answer is approx. 3.5 miles", Fraction(7, 2)),
        ("The answer is 1/2 or 0.5.", Fraction(1, 2)),  # the same number twice
        ("the answer is , so… 7", 7),
        ("the answer is, well, 7", 7),
        ("the answer is - wait, 7", 7),
        ("The answer is 5.<|im_end|>", 5),
        ("The answer is not 5. It is 6.", 6),
        ("The answer is minus 7.", -7),
        ("The answer is negative 7.", -7),
        ("The answer is minus $7.", -7),
        ("So it is minus 7", -7),
        ("The answer is two and a half.", Fraction(5, 2)),
        ("The answer is two and three quarters.", Fraction(11, 4)),
        ("The answer is one hundred and one third.", Fraction(301, 3)),
        ("The answer is a third.", Fraction(1, 3)),
        ("The answer is five and 3/4.", Fraction(23, 4)),
        ("The answer will be 9 dollars after 3 days.", 9),
        ("The answer comes to 36 dollars for 3 tickets.", 36),
        ("The answer came out to 36 dollars for 3 tickets.", 36),
        ("The answer for 3 tickets is $36 in 2 days.", 36),
        ("The answer to question 3 is 15.", 15),
        ("The answer is 3 hours.", 3),  # one unit alone is no compound
        ("The answer is 5 miles in 3 hours.", 5),
        ("The answer is 9 hours (540 minutes).", 9),
        ("The answer is 5 cm².", 5),
        # the last statement counts
        ("answer is 5. Wait, the answer is 6.", 6),
        ("The answer is 3. Wait, the answer is 4.", 4),
        ("<think>The answer is 10? no</think> The answer is 12.", 12),
        ("the prompt opened it</think>\n\nThe answer is 12.", 12),
        ("<think>a</think> 3 <think>b</think>\n\nThe answer is 4.", 4),
        # other marks
        ("#### 7", 7),
        ("#### 18 ####", 18),
        ("#### 18####", 18),
        ("#### $18", 18),
        ("#### <18>", 18),
        ("#### **18**", 18),
        ("#### -1,450,000", -1_450_000),
        ("#### 1.5e3", 1500),
        ("#### 3/4", Fraction(3, 4)),
        ("#### 25 dollars for 3 apples", 25),
        ("#### Answer: 15 * 8 * (1 - 3/4) = 120 * 1/4 = 30.", 30),
        ("#### Step 4: Add\n9 + 2 = 11", 11),
        ("### Final Answer:\n#### 18", 18),
        (r"\boxed{5}", 5),
        (r"so $\boxed{\frac{1}{2}}$", Fraction(1, 2)),
        (r"\boxed{18\text{ dollars}}", 18),
        (r"\boxed{1{,}234}", 1234),
        (r"\boxed{1,\!234}", 1234),
        (r"\boxed{\frac12}", Fraction(1, 2)),
        (r"\boxed{-\frac12}", Fraction(-1, 2)),
        (r"\boxed{\frac1{2}}", Fraction(1, 2)),
        (r"The answer is $-\frac{1}{2}$.", Fraction(-1, 2)),
        (r"\boxed{1.5 \times 10^{4}}", 15000),
        (r"\boxed{5 \text{ cm}^2}", 5),
        (r"The answer is $5 \times 3 = 15$.", 15),
        ("The answer is 20% of 50 = 10.", 10),
        ("The answer is 3/4 of 20 = 15.", 15),
        ("The answer is 5!", 5),  # an exclamation
        ("The answer is 3/4 of the cake.", Fraction(3, 4)),
        ("The answer is 5m.", 5),
        ("<b>5</b>", 5),
        (r"first \boxed{1}, then \boxed{2}", 2),
        ("She has **7** apples, 3 of them red.", 7),
        ("**Step 3:** so she has 7", 7),  # a bold heading is no answer
        # nothing is marked: the last number
        ("7", 7),
        ("7 left.", 7),
        ("So she has 5", 5),
        ("A: 5", 5),
        ("3-5 boxes, pick 4,", 4),
    ],
)
def test_extracts_the_last_stated_answer(reply, value):
    answer = read_answer(reply)
    assert (answer.value, answer.refusal, answer.cut_off) == (value, None, False)
    assert answer.text


@pytest.mark.parametrize(
    "reply, value",
    [  # forms that models write, and what they mean
        (r"\boxed{x_1 = 3}", 3), (r"\boxed{x_{1} = 3}", 3), (r"\boxed{f(2) = 7}", 7), ("So P(X = 3) = 0.2", Fraction(1, 5)),
        (r"The answer is 0.\overline{3}.", Fraction(1, 3)), (r"\boxed{2.1\bar{6}}", Fraction(13, 6)), ("The answer is |-5| = 5.", 5),
        (r"The answer is $\sqrt{25} = 5$.", 5), ("The answer is ⌈2.5⌉ = 3.", 3), ("The answer is half of 20 = 10.", 10), ("The answer is 3² = 9.", 9),
        ("The answer is 5 and a half.", Fraction(11, 2)), ("The answer is 2 and a half million.", 2_500_000), ("The answer is three eighths.", Fraction(3, 8)),
        ("The answer is two and a half million.", 2_500_000), ("The answer is half a million.", 500_000), ("The answer is a million.", 10**6),
        ("The answer is two third graders.", 2), ("The answer is thirty-two and one-half.", Fraction(65, 2)), ("The answer is 2 lakh.", 200_000),
        (r"\boxed{five}", 5), (r"\boxed{\text{twenty-five}}", 25), ("#### five", 5), ("#### Two boys have 5", 5), ("In May 25 books were sold", 25), ("In the second half 20 points", 20), (r"\boxed{5 = 2 + 3}", 5), (r"\boxed{\text{She has 5 apples left.}}", 5),
        (r"\boxed{\textbf{(B) } 5}", 5), (r"\boxed{90^{\circ}}", 90), (r"\boxed{5\text{ m/s}}", 5), (r"\boxed{15 \text{ cm}^3}", 15), (r"\boxed{7^{th}}", 7),
        (r"\boxed{\$1{,}234.50}", Fraction("1234.5")), (r"\boxed{25\%}", 25), (r"\boxed{100\,000}", 100_000), (r"\boxed{\mathbf{12}}", 12),
        (r"\boxed{\frac{50}{3} \approx 16.67}", Fraction(50, 3)), (r"\boxed{\frac{1}{2} = 0.5}", Fraction(1, 2)), (r"\boxed{3\dfrac{1}{4}}", Fraction(13, 4)),
        (r"\boxed{x = - 5}", -5), ("The answer is $- 5$.", -5), ("so x = - 5", -5), ("| Total | -5 |", -5), ("so it's -5", -5),
        ("So the area is 25 cm^2.", 25), ("So the area is 25 cm2.", 25), ("The answer is 5 m/s².", 5), ("The answer is -5°C.", -5),
        ("The answer is 1.5 × 10^4.", 15_000), ("The answer is 1.2E+3.", 1200), ("The answer is ٣٫٥.", Fraction(7, 2)), ("The answer is ⅔.", Fraction(2, 3)),
        ("The answer is Rs. 500.", 500), ("The answer is USD 1,250.75.", Fraction("1250.75")), ("The answer is 5€.", 5), ("The answer is $15/h.", 15),
        ("The answer is **≈ 5.5**.", Fraction(11, 2)), ("The answer is ~5.", 5), ("The answer is exactly 5.", 5), ("The answer is __5__.", 5),
        ("The answer is *5*.", 5), ("The answer is ~~5~~ 6.", 6), ("The answer is 5, not 6.", 5), ("The answer is not 5 but 6.", 6), ("The answer is “5”.", 5),
        ("The answer is five (5).", 5), ("The answer is 5 3/8 inches.", Fraction(43, 8)), ("The answer is the 7th.", 7), ("The answer is 5...", 5),
        ("The answer is 2:30.", Fraction(5, 2)), ('{"answer": 5}', 5), ("The answer is 5 or so.", 5), ("The answer is a total of 5.", 5),
    ],
)  # fmt: skip
def test_reads_what_models_write(reply, value):
    assert (read_answer(reply).value, read_answer(reply).refusal) == (value, None)


PARTS_OF_FORMULAS = [
    "|-5|", "e^2", r"e^{2}", "12_5", "12_{5}", "5:3", "1 : 2", "1:2:3", "f(2)", "max(2, 3)", r"\lfloor 2.5\rfloor", "⌊2.5⌋", r"\pm 5", "±5", "+/- 5", "5+/-1",
    "plus or minus 5", "half of 20", "half of twenty", "a quarter of 20", "twice 7", "x + 5", "5 + x", "x - 5", r"\frac{1}{2} + x", "-(5)", "--5", "2(3)", "5C2",
    "5 choose 2", r"\binom{5}{2}", r"\begin{pmatrix} 5 \end{pmatrix}", r"\overline{5x}", r"5 \pmod{7}", "5 R2", "5 remainder 2", "1 in 5", "one in five",
    "2.5bn", "0.(3)", "0.3̅", "2**5", "2x + 3 = 11", "x^2 = 9", "three point five", "five hundredths", "3 fifths", "five times six", "nineteen eighty",
    "2 hours and a half", "1'234", "1_000", "1 234,5", "March 5", "5 March 2024", "5th of May", "2024-03-05", "3:30 pm", "more than 5", "< 5", "5~6", "5 → 6",
    "5 through 6", "(2, 5)", "{1, 2, 3}", "[1, 2; 3, 4]", r"(-\infty, 5]", r"(2, \infty)", "5 & 6", "x = 3 and y = 5", "x = 2 or x = 3", "A = 5, B = 6",
    "5 apples and 6 pears", "$5$ and $6$", "five or six", "five to six", "neither 5 nor 6", "no solution", "infinitely many", "undefined", "B", "yes",
]  # fmt: skip


@pytest.mark.parametrize("text", PARTS_OF_FORMULAS)
def test_a_part_of_what_was_not_worked_out_never_stands_for_it(text):
    steps = "2 + 3 = 5.\n"  # whose 5 is not the answer either
    for reply in (f"{steps}The answer is {text}.", f"{steps}#### {text}", rf"{steps}\boxed{{{text}}}"):
        assert read_answer(reply).value is None, reply
    assert read_gold(text) is None


@pytest.mark.parametrize("text", ["f(2)", "|-5|", "±5", "e^2", "5:3", "12_5", "half of 20", "March 5", "3:30 pm", "x + 5", "106 inches + 3"])
def test_nor_as_the_last_number_or_in_bold(text):
    assert read_answer(f"so it is {text}").value is None
    assert read_answer(f"so it is **{text}**").value is None


NOT_EIGHTEEN = [
    "not 18", "definitely not 18", "can not be 18", "anything but 18", "18 apples - 3 apples", "18 apples minus 3", "18 red apples / 3", "18 apples divided by 3 friends",
    r"$18 \text{ apples} - 3$", "Tom's age plus 18", "x times 18", "18 times n", "18 plus one", "three times 18", "half 18", "one over 18", "18 over 7",
    "18 div 7", "18 % 7", "18% of the 50 apples", r"$18\%$ of 50", r"$18\%\times 50$", "18, remainder 3", "18 with remainder 3", "18 rem 3", "18 twentieths", "18 sixteenths",
    "18 tens", "18 apples, 20 pears", "18 20 22", "eighteen apples and twenty pears", "$18, 50 cents", "18 pounds 50 pence", "18 ft 6", r"$\text{minus }18$", "20 - x = 18",
    r"18 \text{ million}", r"$18\text{k}$", "18  million", "at most 18", "at least 18", "under 18", "18 or more", "no more than 18", "x > 18", "x ≠ 18", "5x = 18", "x + 2 = 18",
    "-(18)", "- 18", "2**18", "18²", "18 - n", "18 dollars and fifty cents",
    "18 out of 20", "18 out of 20 apples", "18 of 20", "18 in 20", "18 in every 20", "18 per 20", "18 for every 20", "18 more than 20", "18 years older than 20", "18 fewer than 20",
    "18 less than x", "18 times as many as 20", "half as many as 18", "all but 18", "18 with 3 left over", "18, with 3 left", "18 < 20", "18<20", "18 ≤ 20", "2(x) = 18", "total - 18",
    "the total - 18", "18 degrees below zero", "18 by 20 feet", "eighteen per twenty", "eighteen more than twenty",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_EIGHTEEN)
def test_no_rule_takes_a_number_for_what_is_made_of_it(text):
    for reply in (f"The answer is {text}.", f"#### {text}", rf"\boxed{{{text}}}", f"So it is {text}.", f"So it is **{text}**."):
        assert read_answer(reply).value != 18, reply
    assert read_gold(text) != 18


@pytest.mark.parametrize(
    "reply, value",
    [
        (r"\boxed{18 \text{ million}}", 18_000_000), (r"The answer is $18 \text{ thousand}$.", 18_000), (r"\boxed{18 \text{ hundred}}", 1800), ("The answer is 2.5  million.", 2_500_000),
        ("The answer is 2  and a half.", Fraction(5, 2)), ("So it is 20, not 18.", 20), ("So it is 20 rather than 18.", 20), ("The answer is 18? No, 20.", 20), ("The answer is twenty, not 18.", 20),
        ("If not, 18 remain.", 18), ("The answer is **not** 18.", None), ("The answer: not 18", None), ("2 + 16 = 18. The answer isn't 18.", None), ("5 x 3 = 15", 15), ("V = 2 * x = 18", 18),
        ("#### Solution\nTom has 18 apples.\nSo he has 18 + 2 = 20 apples.", 20), ("#### Answer\n\n18 apples in 3 boxes", 18), ("#### 2 2", 2), ("The answer is 16 hours a week.", 16),
        ("[THINK]so 18", None), ("<thinking>so 18", None), ("◁think▷so 18", None), ("<thinking>so 18</thinking>20", 20), ("<answer>20</answer>\nI used 18 steps.", 20),
        ('{"final_answer": 20, "confidence": 18}', 20),
    ],
)  # fmt: skip
def test_reads_what_a_denial_a_scale_and_a_heading_say(reply, value):
    assert read_answer(reply).value == value


@pytest.mark.parametrize(
    "text",
    ["18 for Tom, 20 for Ann", "18 apples for Tom, and 20 for Ann", "18 each, 54 in total", "18 dollars each, 54 dollars altogether", "18 each, for a total of 54", "18, then 20", "Tom 18, Ann 20",
     "Tom: 18, Ann: 20"],
)  # fmt: skip
def test_a_statement_of_two_numbers_is_none_of_one(text):
    for reply in (f"The answer is {text}.", f"#### {text}", rf"\boxed{{{text}}}", f"So it is **{text}**."):
        assert (read_answer(reply).value, read_answer(reply).refusal) == (None, "two different answers"), reply


@pytest.mark.parametrize(
    "text",
    ["18 boxes with 3 eggs left over", "18 out of the 20 students", "18 students out of 20", "18 in 2024", "18 in 20 days", "18 in.", "18 per hour", "18 per 1 hour", "18 liters per 100 km",
     "18 more apples than 20 pears", "18 more than Ann", "18, which is 9 more than 9", "18 which is less than 20", "18 each", "18 for Tom", "18 of them", "18 left over", "18 by 2025", "18 (20 less than 38)"],
)  # fmt: skip
def test_a_number_with_its_unit_or_its_person_is_a_statement_of_it(text):
    for reply in (f"The answer is {text}.", f"#### {text}", f"So it is **{text}**."):
        assert read_answer(reply).value == 18, reply


@pytest.mark.parametrize(
    "reply, value",
    [  # "answer" is no statement where it is a verb, or what is looked for
        ("To answer this, we calculate: 3 + 4 = 7.\n\nThen 7 * 2 = 14.\n\n\\boxed{14}", 14), ("To answer the question: first 16 - 7 = 9.\nThen 9 * 2 = 18.\n**18**", 18),
        ("Let's answer this step by step:\n\n1. Eggs: 16\n2. Left: 9\n\nSo she makes $18.", 18), ("To verify the answer: 18 / 2 = 9 eggs.\n**18**", 18),
        ("The answer is 18.\n\nTo verify the answer: 18 / 2 = 9 eggs sold.", 18), ("Checking the answer: 18 / 2 = 9.\nFinal: **18**", 18),
        ("Here's the answer in 3 steps:\n1. 16 - 3 = 13\n2. 9 * 2 = 18\n\n**She makes $18.**", 18), ("The answer to the first part is 9 eggs. Multiply by 2.\n\n$\\boxed{18}$", 18),
        ("So to get the answer, add: 9 + 9 = 18", 18), ("Adding gives the answer: 18", 18), ("My answer: 18", 18), ("The answer is:\n18. That is all.", 18), ("The answers are 18 and 20.", None),
        # what a statement begins with may only say when
        ("The answer is: After 3 days, Tom has 18 apples.", 18), ("Answer: In 5 years, Tom will be 18 years old.", 18), ("#### Each of the 3 friends gets 18 candies", 18), ("The answer is in 3 days.", 3),
        ("The answer is after 3 days and 4 hours.", None), ("**Final Answer:** She sells 9 eggs for $2 each, making **$18** per day.", 18), ("**Answer:** **18** tickets for 3 boys.", 18),
        # what was taken back
        ("The answer is 20. Wait, that's not right. I forgot Tom's 2.\n20 - 2 = 18\n\n**18**", 18), ("The answer is 20. Hmm, I made a mistake. So it should be 18.", 18), ("The answer is 20... no, 18.", 18),
        ("The answer is 20. That is wrong.", None), ("The answer is 18. Wait, let me check: 9 * 2 = 18. Yes, correct.", 18), ("The answer is 18. If you got 20, that's wrong.", 18),
        # what stands around a box
        (r"\boxed{18} million", 18_000_000), (r"$\boxed{18}$ \text{thousand}", 18_000), ("**18** million", 18_000_000), (r"so $-\boxed{18}$", -18), (r"- $\boxed{18}$", 18), (r"\boxed{18}^2", None),
        (r"\boxed{18}x", None), (r"\boxed{18}^\circ", 18), (r"\boxed{18}\%", 18), (r"16 + \boxed{2} = 18", 2), ("So it is <18>", 18), ("Total - 18", 18),
    ],
)  # fmt: skip
def test_what_speaks_of_an_answer_is_told_from_what_states_it(reply, value):
    assert read_answer(reply).value == value


@pytest.mark.parametrize("box", [r"\boxed{5 \text{ apples for } 3 \text{ boys}}", r"\boxed{5 y}", r"\boxed{2xy}", r"\boxed{(2,500)}", r"\boxed{x \in \{5\}}", r"\boxed{>5}"])
def test_a_box_is_read_whole_or_not_at_all(box):
    assert read_answer("So she has 5.\n" + box).value is None


@pytest.mark.parametrize("box", [r"\boxed{}", r"\boxed{ }", r"\boxed{...}"])
def test_an_empty_box_is_no_answer(box):
    assert read_answer("So she has 5. " + box).value == 5


@pytest.mark.parametrize(
    "reply, value",
    [  # a step that speaks of the answer states nothing where the last line does
        ("Divide to express the answer as a percentage: 32 / 96 * 100% = 33.333...%, so 33%\n#### 33", 33),
        ("To find the answer: 45 minutes / 3 = 15 questions\n#### 15", 15),
        ("He doubles the answer, which is 48\n**#### 66**", 66),
        ("The answer is 15.\n#### 15", 15),
        ("Then the answer for the week is 9.", 9),  # and where no line of its own follows, it does
    ],
)
def test_the_last_line_is_believed_before_a_step_that_speaks_of_the_answer(reply, value):
    assert read_answer(reply).value == value


@pytest.mark.parametrize(
    "reply, refusal",
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("<think>Step 1: 5 + 3 = 8</think>\n\n", "empty"),
        ("a, b, c", "no number"),
        ("five", "no number"),  # a bare word states nothing
        ("The answer is -", "no number"),
        ("The answer is 5 or 6.", "two different answers"),
        ("The answer is 5 apples or 6 pears.", "two different answers"),
        ("The answer is 5 and 6.", "two different answers"),
        ("The answer is 5.\n#### 6", "two different answers"),
        ("She has 2 + 3 = 5. So the answer is 5.\n#### 6", "two different answers"),
        ("The answer is nan", "not a finite number"),
        ("The answer is inf.", "not a finite number"),
        ("The answer is -infinity", "not a finite number"),
        ("The answer is 1/0", "division by zero"),
        ("The answer is 1.234,5", "unclear comma or point"),
        ("#### 10,00", "unclear comma or point"),
        ("The answer is 1.2.3", "unclear comma or point"),
        ("The answer is 3-4", "a range or a subtraction, not one number"),
        ("The answer is 3 to 4", "a range or a subtraction, not one number"),
        ("x = 10-3", "a range or a subtraction, not one number"),
        ("The answer is 10^2", "a calculation, not its result"),
        ("The answer is 3 x 4", "a calculation, not its result"),
        ("The answer is 10 minus 7", "a calculation, not its result"),
        ("The answer is 5².", "a calculation, not its result"),
        ("The answer is 5 squared.", "a calculation, not its result"),
        ("The answer is √16.", "a calculation, not its result"),
        # a part of a formula is not its value
        (r"\boxed{\frac123}", "a calculation, not its result"),
        (r"\boxed{\frac{\pi}{2}}", "a calculation, not its result"),
        (r"\boxed{\frac{x+1}{2}}", "a calculation, not its result"),
        (r"\boxed{2\pi}", "a calculation, not its result"),
        (r"\boxed{2\sqrt{3}}", "a calculation, not its result"),
        (r"\boxed{\sqrt[3]{8}}", "a calculation, not its result"),
        (r"\boxed{\log_2 8}", "a calculation, not its result"),
        (r"\boxed{5\cdot 3}", "a calculation, not its result"),
        (r"\boxed{6 \div 3}", "a calculation, not its result"),
        (r"\boxed{5!}", "a calculation, not its result"),
        (r"\boxed{2x}", "a calculation, not its result"),
        (r"\boxed{(1, 2)}", "two different answers"),
        (r"\boxed{x \geq 3}", "a range or a subtraction, not one number"),
        ("The answer is x > 3.", "a range or a subtraction, not one number"),
        ("The answer is 3/4 of 20.", "a calculation, not its result"),
        ("The answer is 20% of 50.", "a calculation, not its result"),
        (r"The answer is $2\times 3$.", "a calculation, not its result"),
        ("The answer is $1.5K.", "a calculation, not its result"),
        ("#### 2x + 4", "a calculation, not its result"),
        ("so it is 20% of 50", "a calculation, not its result"),
        ("so it is 10^2", "a calculation, not its result"),
        ("so they have 2x", "a calculation, not its result"),
        ("The answer is 3 hours and 20 minutes.", "compound units, not one number"),
        ("The answer is three hours and twenty minutes.", "compound units, not one number"),
        ("The answer is 5 feet 6 inches.", "compound units, not one number"),
        ("#### 5 ft 6 in", "compound units, not one number"),
        ("**3 hours 20 minutes**", "compound units, not one number"),
        ("It takes 3 hours and 20 minutes.", "compound units, not one number"),
        ("The answer is " + "9" * 51, "too many digits"),
        ("The answer is 1e65", "exponent too large"),
    ],
)
def test_refuses_an_unclear_answer_by_name(reply, refusal):
    answer = read_answer(reply)
    assert (answer.value, answer.refusal) == (None, refusal)
    assert refusal in REFUSALS


@pytest.mark.parametrize("reply", ["<think>", "<think>Step 1: 5 + 3 = 8", "<think>a</think>7<think>The answer is 8."])
def test_thinking_that_was_never_closed_is_no_answer(reply):
    answer = read_answer(reply)
    assert (answer.value, answer.cut_off, answer.refusal) == (None, True, "cut off before the answer")


def test_splits_thinking_from_the_rest():
    assert split_thinking("<think>\na\n</think>\n\nb") == ("a", "\n\nb", False)
    assert split_thinking("a</think>b") == ("a", "b", False)
    assert split_thinking("b") == ("", "b", False)
    assert split_thinking("<think>a") == ("a", "", True)


@pytest.mark.parametrize(
    "reply, rule",
    [
        ("The answer is 5.", "answer is"),
        ("#### 5", "####"),
        (r"\boxed{5}", "boxed"),
        ("**5**", "bold"),
        ("5", "last number"),
        ("none", "none"),
    ],
)
def test_names_the_rule_that_found_the_answer(reply, rule):
    assert read_answer(reply).rule == rule


@pytest.mark.parametrize(
    "reply, robust, strict, synth, q06",
    [
        ("The answer is 18.\n\nQuestion: Bo has 90 and 9.\nThe answer is 99.", 99, None, 18, 99),
        ("#### 18\n\nQuestion: Bo has 90 and 9.\n#### 99", 99, 18, 99, 99),
    ],
)
def test_of_a_reply_that_runs_on_into_a_problem_of_its_own_the_last_statement_counts(reply, robust, strict, synth, q06):
    assert [read_answer(reply, reading).value for reading in READINGS] == [robust, strict, synth, q06]


@pytest.mark.parametrize(
    "line, states",
    [("The answer is 5.", True), ("So, the final answer is 5", True), ("#### 5", True), ("**Answer:** 5", True),
     ("Step 1: 5 + 3 = 8", False), ("She answered 5 questions", False)],
)  # fmt: skip
def test_knows_the_line_that_states_the_answer(line, states):
    assert states_answer(line) is states


@pytest.mark.parametrize(
    "text, value",
    [
        ("5", 5), ("+5", 5), ("-5", -5), ("−5", -5), ("5.0", 5), (".5", Fraction(1, 2)), ("5.", 5), ("$5", 5),
        ("$ 5", 5), ("5$", 5), ("-$5", -5), ("5 apples", 5), ("5 cm2", 5), ("1,234.5", Fraction("1234.5")),
        ("1 234", 1234), ("1\u2009234", 1234), ("1/2", Fraction(1, 2)), ("3 1/2", Fraction(7, 2)),
        ("3 1/2 cups", Fraction(7, 2)), ("-1 1/2", Fraction(-3, 2)), ("½", Fraction(1, 2)), ("1½", Fraction(3, 2)),
        ("50%", 50), ("1e3", 1000), ("x = 5", 5), ("The answer is 5", 5), ("#### 5", 5), (r"\boxed{5}", 5),
        (r"\frac{1}{2}", Fraction(1, 2)), ("٣", 3), ("５", 5), ("5 = 5", 5),
        ("five", 5), ("twenty", 20), ("Twenty-five", 25), ("twelve apples", 12), ("zero", 0), ("minus three", -3),
        ("two hundred", 200), ("five hundred and twelve", 512), ("one thousand two hundred", 1200),
        ("half", Fraction(1, 2)), ("one half", Fraction(1, 2)), ("two and a half", Fraction(5, 2)),
        ("three quarters", Fraction(3, 4)), ("a dozen", 12), ("half a dozen", 6), ("minus 7", -7), ("negative 7", -7),
        ("five and 3/4", Fraction(23, 4)), ("two and three quarters", Fraction(11, 4)), ("a quarter", Fraction(1, 4)),
        ("six (6)", 6), ("6 in", 6),
    ],
)  # fmt: skip
def test_reads_what_a_student_types(text, value):
    answer = read_typed(text)
    assert (answer.value, answer.rule, answer.refusal) == (value, "typed", None)


def test_reads_a_typed_time_as_hours_and_keeps_a_percent_sign_in_the_text():
    assert (read_typed("2:30").value, read_typed("2:30").rule) == (Fraction(5, 2), "time")
    assert read_typed("50%").text == "50%"


@pytest.mark.parametrize(
    "text, refusal",
    [
        ("", "empty"), ("   ", "empty"), ("??", "no number"), ("a", "no number"), ("I don't know", "no number"),
        ("5 6", "two different answers"), ("5 or 6", "two different answers"),
        ("25 dollars for 3 apples", "two different answers"), ("3-4", "a range or a subtraction, not one number"),
        ("5+3", "a calculation, not its result"), ("3 x 4", "a calculation, not its result"),
        ("√16", "a calculation, not its result"), ("nan", "not a finite number"), ("∞", "not a finite number"),
        ("1/0", "division by zero"), ("1.234,5", "unclear comma or point"), ("10,00", "unclear comma or point"),
        ("9" * 51, "too many digits"), ("1e99", "exponent too large"), ("5 " * 300, "too long"),
        ("5 5", "two different answers"), ("half past 3", "a time of day, not a number"),
        ("half past three", "a time of day, not a number"), ("quarter to 5", "a time of day, not a number"),
        ("half of 20", "a calculation, not its result"), ("twice 7", "a calculation, not its result"),
        ("5²", "a calculation, not its result"), ("5'6\"", "compound units, not one number"),
        ("3 h 20 min", "compound units, not one number"), ("five dollars and ten cents", "compound units, not one number"),
    ],
)  # fmt: skip
def test_asks_again_when_a_typed_answer_is_unclear(text, refusal):
    assert (read_typed(text).value, read_typed(text).refusal) == (None, refusal)


@pytest.mark.parametrize(
    "gold, value",
    [("48/2 = 24\n#### 1,234", 1234), ("18", 18), ("-5", -5), ("3/4", Fraction(3, 4)), (5, 5), (2.5, Fraction(5, 2)),
     (0.1, Fraction(1, 10)), (Fraction(1, 3), Fraction(1, 3)), ("#### $18", 18), ("no number", None), ("5 and a half", Fraction(11, 2)), ("x_1 = 3", 3),
     (float("nan"), None), ("5 and 6", None), ("five", 5), ("5cm", 5), ("5 m", 5), ("10th", 10), ("1e3", 1000), ("9 a day", 9),
     *((formula, None) for formula in ("2x", "3i", "2k", "5m", "5 x", "2pi", "5 pi", "2√3", "5!", "1.5K", "x > 3", "x + 2", "2 + x", "n-1",
                                       "log 2", "2xy", "(1, 2)", "x = 2y")), ("x = 5", 5), ("#### a dozen", 12), ("a few", None)],
)  # fmt: skip
def test_reads_a_gold_answer(gold, value):
    assert read_gold(gold) == value


def test_equality_is_exact_and_nothing_equals_a_missing_answer():
    assert same_answer(Fraction(1, 2), read_typed("0.5"))
    assert same_answer(5, Fraction(5))
    assert not same_answer(Fraction(1, 3), Fraction("0.333333333333"))
    assert not same_answer(None, None)
    assert not same_answer(None, 0)


def test_an_unknown_reading_is_an_error_that_names_the_choices():
    with pytest.raises(ValueError, match="robust, strict, synth, q06"):
        read_answer("5", "roboust")


# What the published scorers say, mistakes included; "crash" where their function raises.
@pytest.mark.parametrize(
    "reply, strict, synth, q06",
    [
        ("The answer is 5.0.", None, 5, 5),
        ("The answer is $1,234.50.", None, Fraction("1234.5"), Fraction("1234.5")),
        ("The answer is −3.", None, None, 3),
        ("The answer is 3/4.", None, 3, 4),
        (r"The answer is \frac{3}{4}.", None, None, 4),
        ("The answer is 3 1/2.", None, 3, 2),
        ("The answer is 1e3.", None, 1, 3),
        ("#### 1.5e3", Fraction(3, 2), Fraction(3, 2), 3),
        ("The answer is .5", None, None, Fraction(1, 2)),
        ("The answer is 1 000", None, 1, 0),
        ("#### 7", 7, None, 7),
        ("7 left.", None, None, 7),
        ("#### 18 ####", 18, 18, None),
        ("#### 25 dollars for 3 apples", 25, 25, 3),
        ("The answer is 42 apples in 2024", None, 42, 2024),
        ("answer is 5. Wait, the answer is 6.", None, 5, 6),
        ("<think>the answer is 10? no</think> The answer is 12.", None, 10, 12),
        ("the answer is , so… 7", None, "crash", 7),
        ("the answer is - wait, 7", None, "crash", 7),
        ("the answer is 2-3 = -1", None, "crash", -1),
        ("the answer is --5", None, "crash", -5),
        ("x = 10-3", None, "crash", -3),
        ("3-5 boxes, pick 4,", None, "crash", 4),
        ("call 1-800-555", None, "crash", -555),
        ("a, b, c", None, None, None),
        ("five", None, None, None),
        ("#### 3/4", 3, None, 4),
        ("#### 10,00", 1000, 1000, 0),
        ("1234.56", None, Fraction("1234.56"), Fraction("0.56")),
        ("12 and 13,,, ", None, 13, 13),
        ("12, .5,6", None, 56, 6),
    ],
)
def test_reproduces_the_published_readings(reply, strict, synth, q06):
    for reading, expected in (("strict", strict), ("synth", synth), ("q06", q06)):
        answer = read_answer(reply, reading)
        assert ("crash" if answer.crashed else answer.value) == expected, reading


@pytest.mark.parametrize(
    "reply, gold, robust, strict, synth, q06",
    [
        ("The answer is 18.", "x\n#### 18", True, False, True, True),
        ("#### 18", "x\n#### 18", True, True, True, True),
        ("#### 18.", "x\n#### 18", True, True, True, True),
        ("#### 18.0", "x\n#### 18", True, True, True, True),
        ("#### 1,800", "x\n#### 1800", True, True, True, True),
        ("#### $18", "x\n#### 18", True, False, True, True),
        ("#### 7", "x\n#### 7", True, True, False, True),
        ("#### 18.00001", "x\n#### 18", False, False, True, True),  # within 1e-4
        ("#### 18", "18", True, True, True, True),
        ("#### -5", -5, True, True, True, True),
        ("the answer is -", "x\n#### 5", False, False, False, False),
        ("", "x\n#### 5", False, False, False, False),
        ("The answer is 3/4.", "0.75", True, False, False, False),
    ],
)
def test_scores_as_each_reading_does(reply, gold, robust, strict, synth, q06):
    assert [is_correct(reply, gold, reading).correct for reading in READINGS] == [robust, strict, synth, q06]


def test_a_crash_counts_as_wrong_and_is_reported():
    score = is_correct("the answer is -", "#### 5", "synth")
    assert (score.correct, score.answer.crashed, score.gold) == (False, True, 5)


def test_an_answer_of_four_hundred_digits_is_infinite_to_floats_and_refused_by_us():
    reply = "The answer is " + "9" * 400
    assert read_answer(reply, "synth").refusal == "not a finite number"
    assert not is_correct(reply, "5", "q06").correct
    assert read_answer(reply).refusal == "too many digits"


_PIECES = st.sampled_from(
    ["the answer is ", "####", " ", "\n", "</think>", "<think>", "\\boxed{", "}", "**", "$", "-", "−", "/", ",", ".", "=", "or ",
     "12", "3.5", "1,200", "½", "1e5", "\\frac{1}{2}", "five", "%", ":30", "nan", "and ", "(", "x ", "million", "\ud800",
     "|", "^", "_", "\\overline{", "a half", "third", "of ", "≈", "~~", " to ", "±"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=80))
def test_no_text_makes_a_reading_raise_or_stay_silent(text):
    for answer in [*(read_answer(text, reading) for reading in READINGS), read_typed(text)]:
        assert (answer.value is None) == (answer.refusal is not None)
    assert is_correct(text, "5", "synth").correct in (True, False)
    read_gold(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**12), 10**12), st.sampled_from(["The answer is {}.", "#### {}", "\\boxed{{{}}}", "${}$ left", "**{}**"]))
def test_every_whole_number_survives_every_wording(number, wording):
    for written in (str(number), f"{number:,}", f"{number}.00"):
        assert read_answer("<think>1 + 1 = 2</think>\n" + wording.format(written)).value == number
        assert read_typed(written).value == number


_HOSTILE = ["1", ",", "-", ".", " ", "1,", "1.", "answer is ", "answer:", "the answer is a. ", "####", "#### ", "\\boxed{", "**1:**",
            "(", "<think>", "</think>", "\\frac{1}{", "1e", "1 million ", " or ", "1 000 ", "1" + "," * 199,
            "{", "^{", "1_", "not 1 ", "not ", "18 a ", "x > 1", " - ", "#### Answer\n", "= ", "|", "1 and ", "1, ", "1" + " " * 999, "\\overline{1}", "\\a", "~~", "one ", "a(", "f(", "-(", "x = ",
            "after 3 days, ", "answer: after 3 days he ", ". that's wrong ", ". wait, no, ", "\\boxed{1} ", "\\boxed{1", "1 more than ", "To find the answer: ", "answer: **1** ", "1 < ", "total - ", "1 for a, "]  # fmt: skip


@pytest.mark.parametrize("piece", _HOSTILE)
def test_reads_100_kilobytes_of_hostile_text_in_milliseconds(piece):
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    assert seconds(lambda: read_answer(text)) <= 0.025  # measured 0.001; five times our promise of 0.005 for a busy machine


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("piece", [",", "-", "1,", "answer ", "#### "])
def test_time_grows_no_faster_than_the_text(piece, reading):
    half, whole = ((piece * (size // len(piece))) for size in (100_000, 200_000))
    # Twice the text may take twice the time; four times is what a quadratic search would take.
    assert seconds(lambda: read_answer(whole, reading)) <= 3.2 * seconds(lambda: read_answer(half, reading)) + 0.004


_DATA = Path(os.environ.get("MATHTUTOR_DATA", Path(__file__).parents[2] / "shared" / "data"))
_OUTPUTS = _DATA / "qwen3-0.6b-gsm8k-outputs"


@pytest.mark.skipif(not _OUTPUTS.is_dir(), reason="needs MATHTUTOR_DATA with the published Qwen3-0.6B outputs")
@pytest.mark.parametrize(
    "file, robust, strict, synth, q06",
    [  # correct of 1,319; q06 and synth are the figures published for, or measured on, these files
        ("zero_shot_model_outputs", 110, 0, 63, 108),
        ("cot_model_outputs", 711, 650, 588, 701),
        ("Qwen3-GSM8k-LoRA-r4-FP32-eval-score", 589, 588, 471, 589),
    ],
)
def test_reproduces_the_scores_of_the_published_outputs(file, robust, strict, synth, q06):
    rows = [json.loads(line) for line in (_OUTPUTS / f"{file}.jsonl").open(encoding="utf-8")]
    assert len(rows) == 1319
    correct = {
        reading: sum(is_correct(row["model_output"], row["ground_truth_answer"], reading).correct for row in rows)
        for reading in READINGS
    }
    assert correct == {"robust": robust, "strict": strict, "synth": synth, "q06": q06}
