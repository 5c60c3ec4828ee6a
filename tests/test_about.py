"""For grown-ups: its lists are whole, and say nothing that is not there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from mathtutor.engines.models import load_models
from ui.about import conformance_table, models_table
from ui.conformance import CRITERIA, DESIGNED, NONE, OPEN, PARTLY, TESTED

TESTS = Path(__file__).parent


def test_every_criterion_of_wcag_has_its_line():
    """31 of level A and 24 of level AA: 2.1 had 30 and 20, 2.2 adds two and four and drops 4.1.1."""
    assert Counter(each.level for each in CRITERIA) == {"A": 31, "AA": 24}
    numbers = [tuple(map(int, each.number.split("."))) for each in CRITERIA]
    assert numbers == sorted(set(numbers)) and (4, 1, 1) not in numbers


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda each: each.number)
def test_a_standing_rests_on_tests_that_are_there(criterion):
    assert criterion.standing in (TESTED, PARTLY, DESIGNED, NONE, OPEN)
    assert bool(criterion.tests) is (criterion.standing in (TESTED, PARTLY))
    assert criterion.note or criterion.standing == TESTED
    for test in criterion.tests:
        file, name = test.split(": ")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_criterion_is_shown():
    assert len(re.findall(r"<tr><th scope=.row.>", conformance_table())) == len(CRITERIA)


def test_every_model_is_shown_with_the_memory_it_needs():
    shown = models_table(load_models())
    for name, model in load_models().items():
        assert f"<code>{name}</code>" in shown and model.licence in shown
    rows = shown.split("<tr>")[2:]
    assert all(row.count(" GB</td>") >= 2 for row in rows)
