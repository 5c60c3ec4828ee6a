"""What no row may resemble: every benchmark that eval knows by name, our own bank's among them."""

from __future__ import annotations

import pytest

import eval.benchmarks
import pipeline.chain
from mathtutor.problem import Row
from pipeline.benchmarks import BANK_HELD_OUT, BANK_KNOWN, bank_problems
from pipeline.chain import load_references, report_of, sift_judged
from pipeline.corpus import References
from pipeline.recipe import Corpus, Recipe

RECIPE = Recipe("test", corpus=Corpus(exact=False, fuzzy=None, seed_overlap=None, skeleton_cap=None, validation=0.0))
HELD_OUT = "A weaver needs 14 spools of silk for each of 6 shawls and has 30 spools. How many spools must she buy?"
KNOWN = "A baker fills 8 trays with 12 rolls each. How many rolls does she bake?"
OTHER = "Sam rides 9 miles to the lake and 9 miles back home again. How far does Sam ride in all?"


@pytest.mark.parametrize(
    "benchmark, split, instances", [("bank", "held-out", BANK_HELD_OUT), ("bank-known", "train", BANK_KNOWN)]
)
def test_the_banks_problems_are_those_that_eval_asks(benchmark, split, instances):
    assert bank_problems(split, instances) == [problem.question for problem in eval.benchmarks.BENCHMARKS[benchmark]()[0]]


def test_the_benchmarks_that_every_build_is_compared_with_are_eval_s(monkeypatch):
    """The others that eval knows are given as files, with --against."""
    monkeypatch.setattr(pipeline.chain, "benchmark_problems", lambda against: {"gsm8k/test": [OTHER], "svamp/test": []})
    monkeypatch.setattr(pipeline.chain, "bank_problems", lambda split, instances: [f"{split} {instances}"])
    references = load_references(RECIPE)
    compared = {name.split("/")[0] for name in references.tests} | {name.replace("/", "-") for name in references.verbatim}
    assert compared == {"gsm8k", "svamp", "bank", "bank-known"} <= eval.benchmarks.BENCHMARKS.keys()


def test_a_test_set_that_is_missing_stops_the_run_and_is_never_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="gsm8k/test.jsonl does not exist: unset MATHTUTOR_DATA to load from the hub"):
        load_references(RECIPE)
    assert load_references(RECIPE, no_tests=True).tests is None


def test_of_a_known_family_only_the_very_same_problem_counts():
    references = References({"bank/held-out": [HELD_OUT]}, (), {"bank/known": ["Unlike.", KNOWN]})
    texts = [
        KNOWN.upper(),  # the same letters and digits
        KNOWN.replace("8", "9"),  # another instance: what the family is for
        HELD_OUT.replace("14", "15").replace("30", "40"),  # of a family that no row may be of
        OTHER,
    ]
    rows = [Row(f"r-{number}", text, ("9 + 9 = 18 miles.",), "18") for number, text in enumerate(texts)]
    sifted = sift_judged(((row, []) for row in rows), RECIPE, references)
    assert [row.id for row in sifted.clean] == ["r-1", "r-3"]
    assert [(drop.row.id, drop.reason, drop.twin) for drop in sifted.dropped] == [
        ("r-0", "shares_a_whole_problem_with_a_test_set", "bank/known#1"),
        ("r-2", "shares_a_8_gram_with_a_test_set", "bank/held-out#0"),
    ]
    found = report_of(sifted, RECIPE, references)["decontamination"]
    assert found["tests"] == ["bank/held-out"] and found["verbatim_only"] == ["bank/known"]
    assert found["dropped_for_overlap"]["whole_problem"] == 1 and set(found["clean_rows_with_overlap"].values()) == {0}
