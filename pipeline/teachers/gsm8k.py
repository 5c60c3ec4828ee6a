"""The human teacher: GSM8K train's own solutions, tidied into our steps.

    "Natalia sold 48/2 = <<48/2=24>>24 clips in May."  ->  "Natalia sold 48 / 2 = 24 clips in May."

Test rows cannot come this way: the source must be marked `trainable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mathtutor.maths.arithmetic import show
from mathtutor.problem import Row
from mathtutor.sources import SOURCES, load_source

ANNOTATION = re.compile(r"<<[^<>]*>>")
# "x" multiplies before a number only: "2x - 5" and "x(x + 1)" are algebra.
TIMES = r"×|x(?=\s*\$?\.?\d)|(?<=\s)x(?=\s+\()"
OPERATOR = re.compile(rf"(?<=[\d)%])\s*([*/+=÷]|{TIMES}|-(?=\s*[\d(.$]))\s*(?=[\d($-]|\.\d)")
# 1 1/2 and the 1/5 of "28 / 1/5" are numbers; the slash of "48/2" divides.
FRACTION = re.compile(r"(?<=[\d/] )(\d+)/(\d+)(?![\d.]|/\d)")
MIXED = re.compile(r"(?<=\d) and (?=\(?\d+/\d)")  # 1 and 1/2
WORDS = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "equals": "="}
SPELLED = re.compile(rf"(?<=\d) ({'|'.join(WORDS)}) (?=\$?\.?\d)")


def tidy(line: str) -> str:
    """One solution line as a step: no annotation, no $, no commas in numbers, signs for operators and spaces around them."""
    line = ANNOTATION.sub("", line).replace("$", "")
    line = re.sub(r"(?<=\d),(?=\d{3}\b)", "", line)
    line = MIXED.sub(" ", line)
    if "=" not in line and "equals" in line:
        line = SPELLED.sub(lambda m: f" {WORDS[m[1]]} ", line)
    line = FRACTION.sub(r"\1⁄\2", line)
    line = OPERATOR.sub(lambda m: f" {'*' if m[1] in 'x×' else '/' if m[1] == '÷' else m[1]} ", line)
    return re.sub(r"\s+", " ", line).replace("⁄", "/").strip()


def write_rows() -> Iterator[Row]:
    """All 7,473 rows of GSM8K train; the filters decide which of them teach."""
    if not SOURCES["gsm8k", "train"].trainable:
        raise ValueError("gsm8k/train is not marked as trainable: no row may be made of it")
    for problem in load_source("gsm8k", "train"):
        lines = problem.gold.split("####")[0].strip().split("\n")
        steps = tuple(step for step in (tidy(line) for line in lines) if step)
        yield Row(
            id=problem.id.replace("gsm8k-", "gsm8k-train-"),
            problem=problem.question,
            steps=steps,
            answer=show(problem.answer),
            source="gsm8k-train",
        )
