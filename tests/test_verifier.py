"""The verifier: what a reply does with the numbers of its problem, how that is weighed, and what is chosen by it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from eval import verify
from eval.logistic import fit
from eval.records import load_run
from eval.rerank import main as rerank_main
from mathtutor.io import read_json
from mathtutor.tutoring import verifier, verifier_weights
from mathtutor.tutoring.verifier import chance, log_chance, signs_of
from tests.clock import seconds

RUN = Path(__file__).resolve().parents[1] / "evals" / "pocket-typed-5"
LAWNS = "Kira earns 8 dollars for each lawn and 2 dollars for each dog. She mowed 5 lawns and walked 6 dogs. How many dollars did she earn?"


def reply(*steps: str, answer: str) -> str:
    return "<think>\n" + "\n".join(f"Step {n}: {step}" for n, step in enumerate(steps, 1)) + f"\n</think>\n\nThe answer is {answer}."


WHOLE = reply("The lawns bring 5 * 8 = 40 dollars.", "The dogs bring 6 * 2 = 12 dollars.", "Together 40 + 12 = 52 dollars.", answer="52")
HALF = reply("She earned 5 * 8 = 40 dollars.", answer="40")


@pytest.mark.parametrize(
    ("text", "there", "absent"),
    [
        (WHOLE, {"every number is used": 1, "share of the numbers that are used": 1}, ["one sum", "operands from nowhere", "results that are not used"]),
        (HALF, {"share of the numbers that are used": 0.5, "numbers that are not used": 2 / 6, "one sum": 1}, ["every number is used", "one number is not used"]),
        (reply("5 * 8 = 40", "40 + 6 = 46", answer="46"), {"one number is not used": 1}, ["the answer is not the last result"]),
        (reply("5 * 8 = 40", "6 * 2 = 12", answer="12"), {"every number is used": 1, "results that are not used": 1 / 6}, []),
        (reply("5 * 9 = 45", answer="45"), {"operands from nowhere": 1 / 6}, []),
        (reply("5 * 8 = 41", answer="41"), {"a sum is wrong": 1, "no sum": 1}, []),  # a sum that does not hold is none to build on
        (reply("5 * 8 = 40", answer="8"), {"the answer is a given number": 1, "the answer is not the last result": 1}, ["no answer"]),
        ("<think>\nStep 1: 5 * 8 = 40", {"no answer": 1}, ["the answer is a given number"]),
        ("", {"no answer": 1, "no sum": 1}, ["every number is used"]),
    ],
)  # fmt: skip
def test_signs_are_read_from_numbers_and_sums(text, there, absent):
    found = signs_of(LAWNS, text)
    assert {name: found.get(name) for name in there} == pytest.approx(there)
    assert not set(absent) & found.keys() and all(0 < value <= 1 for value in found.values())


def test_a_reply_that_uses_the_whole_story_is_believed_before_one_that_stops_early():
    assert chance(LAWNS, WHOLE) > 5 * chance(LAWNS, HALF) > 0
    assert math.exp(log_chance(signs_of(LAWNS, WHOLE))) == pytest.approx(chance(LAWNS, WHOLE))


@pytest.mark.parametrize("unit", ["1 + ", "<think>", "Step 1: 3 * 4 = 12\n", "$", "½", "9" * 90])
def test_any_text_has_a_chance_and_takes_no_time(unit):
    text = (unit * 5000)[:20_000]
    assert 0 < chance(text[:2000], text) < 1
    assert seconds(lambda: chance(text[:2000], text), times=1) < 5


def test_the_shipped_weights_are_those_of_the_committed_run(tmp_path, capsys):
    target = tmp_path / "weights.py"
    verify.main([str(RUN), "--fit", str(target)])
    assert target.read_text(encoding="utf-8") == Path(verifier_weights.__file__).read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert "pocket-typed-5, 300 problems, 5 samples each, scored by the verifier, in 10 folds" in said and "weighted vote" in said


def test_a_rule_that_was_planted_is_learned():
    signs = [{"good": 1.0} if n % 3 else {"bad": 1.0} for n in range(90)]
    bias, weights = fit(signs, [bool(n % 3) for n in range(90)], ridge=1.0)
    assert log_chance({"good": 1.0}, bias, weights) > math.log(0.8) > math.log(0.3) > log_chance({"bad": 1.0}, bias, weights)


@pytest.mark.parametrize("benchmark", ["gsm8k", "svamp", "bank"])
def test_nothing_is_learned_from_a_benchmark_of_others(benchmark, monkeypatch):
    run = load_run(RUN)
    run.stamp["benchmark"] = benchmark
    monkeypatch.setattr(verify, "load_run", lambda folder: run)
    with pytest.raises(SystemExit, match=f"is a run on {benchmark}: weigh the signs on problems of your own"):
        verify.main([str(RUN)])


def test_the_verifier_chooses_among_the_samples_of_a_run(tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)
    rerank_main([str(folder), "--scorer", "verifier"])
    found = read_json(folder / "rerank.json")
    assert found["scorer"] == "verifier" and found["majority"]["correct"] == 134 and found["weighted"]["correct"] > 140
    assert "scored by verifier" in capsys.readouterr().out


def test_the_journal_of_weights_names_known_signs():
    known = set().union(*(signs_of(LAWNS, text) for text in (WHOLE, HALF, "", reply("5 * 9 = 45", answer="8"))))
    assert known - set(verifier.WEIGHTS) <= {"a sum is wrong", "the answer is below zero", "the answer is no whole number"}
