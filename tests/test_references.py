"""What no row may resemble: every benchmark that eval knows by name, our own bank's among them."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

import eval.benchmarks
import pipeline.chain
from mathtutor.problem import Row
from mathtutor.sources import SOURCES
from pipeline.benchmarks import ASIDE, BANK_HELD_OUT, BANK_KNOWN, WITHIN, bank_problems, published_problems
from pipeline.chain import load_references, report_of, sift_judged
from pipeline.corpus import References
from pipeline.decontaminate import words
from pipeline.recipe import Corpus, Recipe
from tests.test_benchmarks import SAMPLES

RECIPE = Recipe("test", corpus=Corpus(exact=False, fuzzy=None, seed_overlap=None, skeleton_cap=None, validation=0.0))
HELD_OUT = "A weaver needs 14 spools of silk for each of 6 shawls and has 30 spools. How many spools must she buy?"
KNOWN = "A baker fills 8 trays with 12 rolls each. How many rolls does she bake?"
OTHER = "Sam rides 9 miles to the lake and 9 miles back home again. How far does Sam ride in all?"


@pytest.mark.parametrize(
    "benchmark, split, instances", [("bank", "held-out", BANK_HELD_OUT), ("bank-known", "train", BANK_KNOWN)]
)
def test_the_banks_problems_are_those_that_eval_asks(benchmark, split, instances):
    assert bank_problems(split, instances) == [problem.question for problem in eval.benchmarks.BENCHMARKS[benchmark]()[0]]


def known_to_eval() -> set[str]:
    return set(eval.benchmarks.BENCHMARKS)


def test_every_benchmark_that_eval_knows_is_compared_with_or_told_as_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    monkeypatch.setattr(pipeline.chain, "benchmark_problems", lambda against: {"gsm8k/test": [OTHER], "svamp/test": []})
    monkeypatch.setattr(pipeline.chain, "bank_problems", lambda split, instances: [f"{split} {instances}"])
    (tmp_path / "asdiv").mkdir()
    (tmp_path / "asdiv" / "asdiv.jsonl").write_text('{"body": "A hen lays 2 eggs.", "question": "How many in 9 days?"}\n')
    references = load_references(RECIPE)
    assert references.tests["asdiv"] == ["A hen lays 2 eggs. How many in 9 days?"]
    assert len(references.tests["typed"]) == 300
    compared = {name.split("/")[0] for name in references.tests} | {name.replace("/", "-") for name in references.verbatim}
    missing = {reason.split(" ")[0] for reason in references.missing}
    assert compared | missing | WITHIN.keys() == known_to_eval() | {"typed"} | ASIDE.keys()
    assert "gsm-plus (MATHTUTOR_DATA has no gsm-plus/test.jsonl)" in references.missing and "asdiv" not in missing
    told = report_of(sift_judged([], RECIPE, references), RECIPE, references)["decontamination"]
    assert told["not_compared"] == references.missing and told["within"] == {"svamp-no-question": "svamp/test"}


def test_what_is_left_aside_is_told_unless_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    monkeypatch.setattr(pipeline.chain, "benchmark_problems", lambda against: {"gsm8k/test": [OTHER]})
    monkeypatch.setattr(pipeline.chain, "bank_problems", lambda split, instances: [])
    for against, is_told in (((), True), ((tmp_path / "stepverify" / "dataset.json",), False)):
        said: list[str] = []
        told = [entry for entry in load_references(RECIPE, against, say=said.append).missing if entry.startswith("stepverify (its problems")]
        assert bool(told) is is_told
        assert "from the folder that MATHTUTOR_DATA names" in said[0] and f"{len(published_problems()[1]) + is_told} not at hand" in said[1]


def test_what_stands_whole_in_another_set_does(monkeypatch):
    """Of made-up rows: that SVAMP's stories without their questions are parts of it is how eval makes them."""
    row = {"ID": "c-1", "Body": "Ed had 8 nuts", "Question": "How many now?", "Answer": 8.0, "Type": "Sum"}
    (part,) = WITHIN
    problem = eval.benchmarks._problem(part, eval.benchmarks.table()[part], 0, row)
    assert problem.question in SOURCES["svamp", "test"].read(0, row).question


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - WITHIN.keys()))
def test_a_published_set_is_read_as_eval_reads_it(monkeypatch, tmp_path, name):
    file, rows, problems = SAMPLES[name]
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found, missing = published_problems()
    assert words(" ".join(question for _, question, _ in problems)) == words(" ".join(found[name][: len(problems)]))
    assert not any(reason.startswith(f"{name} ") for reason in missing)


def test_a_set_comes_from_the_hub_where_no_folder_is_named_and_is_told_where_it_does_not(monkeypatch):
    asked = []

    def load_dataset(name, config, split, revision):
        asked.append((name, config, split, revision))
        if name == "reasoning-machines/gsm-hard":
            return [{"input": OTHER, "target": 5}]
        raise OSError("no route")

    monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    found, missing = published_problems()
    assert found["gsm-hard"] == [OTHER]
    assert ("reasoning-machines/gsm-hard", None, "train", "960448f73503112d4226baeb8eb41d3fb5ae2506") in asked
    assert "asdiv (EleutherAI/asdiv could not be loaded from the hub)" in missing and "addsub (on no hub)" in missing


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
