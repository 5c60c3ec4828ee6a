"""The verifier: what a reply does with the numbers of its problem, how that is weighed, and what is chosen by it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from eval import trust, verify
from eval.logistic import fit
from eval.records import key_of, load_run
from eval.rerank import main as rerank_main
from mathtutor.engines import Generation
from mathtutor.io import read_json
from mathtutor.tutoring import verifier, verifier_weights
from mathtutor.tutoring.hints import numbers_in
from mathtutor.tutoring.lesson import Lesson
from mathtutor.tutoring.tries import Tries, tries_of
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
    assert chance(LAWNS, WHOLE) > 2 * chance(LAWNS, HALF) > 0
    assert math.exp(log_chance(signs_of(LAWNS, WHOLE))) == pytest.approx(chance(LAWNS, WHOLE))


@pytest.mark.parametrize("unit", ["1 + ", "<think>", "Step 1: 3 * 4 = 12\n", "$", "½", "9" * 90])
def test_any_text_has_a_chance_and_takes_no_time(unit):
    text = (unit * 5000)[:20_000]
    assert 0 < chance(text[:2000], text) < 1
    assert seconds(lambda: chance(text[:2000], text), times=1) < 5


def test_the_shipped_weights_are_those_of_the_committed_run(tmp_path, capsys):
    target = tmp_path / "weights.py"
    verify.main([str(RUN), "--fit", str(target), "--out", str(tmp_path / "verify.json")])
    assert target.read_text(encoding="utf-8") == Path(verifier_weights.__file__).read_text(encoding="utf-8")
    record = read_json(RUN / "verify.json")
    assert read_json(tmp_path / "verify.json") == record  # so page and record cannot part
    assert (record["weights"], record["trusted"]) == (verify.digest(verifier.BIAS, verifier.WEIGHTS), verifier_weights.TRUSTED)
    assert [(run["engine"], run["revision"]) for run in record["runs"]] == [(verifier_weights.ENGINE, load_run(RUN).stamp["revision"])]
    said = capsys.readouterr().out
    assert "pocket-typed-5, 300 problems, 5 samples each, scored by the verifier, in 10 folds" in said and "weighted vote" in said


GOOD, BAD = reply("5 * 8 = 40", answer="40"), reply("5 * 9 = 45", answer="45")


def case(chance: float, right: bool, fold: int = 0, texts: tuple[str, ...] = (GOOD,) * 5, given: int = 4) -> trust.Case:
    lessons = tuple(Lesson(text, finish="stop") for text in texts)
    return trust.Case(fold, Tries(lessons), Tries(lessons, (chance,) * len(lessons), given), right, right)


@pytest.mark.parametrize(
    ("cases", "trusted"),
    [
        ([case(0.62, n % 10 < 9) for n in range(50)], 0.05),  # all are trusted where nine in ten are right
        ([case(0.62, n % 10 < 9) for n in range(50)] + [case(0.32, n % 2 == 0) for n in range(50)], 0.35),
        ([case(0.62, n % 20 < 17) for n in range(40)] + [case(0.32, False)] * 9, 0.35),  # just enough of both
        ([case(0.62, 0 < n and n % 20 < 17) for n in range(40)], None),  # one right answer too few
        ([case(0.62, n % 10 < 9) for n in range(39)] + [case(0.32, False)] * 20, None),  # too few to tell
        ([case(0.62, n % 10 < 7) for n in range(99)], None),  # too seldom right
        ([case(0.9, True, texts=(GOOD,) * 2 + (BAD,) * 2) for _ in range(50)], None),  # no majority: not given, whatever its chance
        ([case(0.9, True, texts=(GOOD,) * 4 + (BAD,), given=2) for _ in range(50)], None),  # so few numbers: all must agree
        ([case(0.9, True, texts=(GOOD,) * 4 + (BAD,), given=3) for _ in range(50)], 0.05),
        ([case(0.9, True, given=2) for _ in range(50)], 0.05),
        ([], None),
    ],
)
def test_the_threshold_is_the_lowest_step_from_which_enough_of_enough_answers_are_right(cases, trusted):
    found = trust.table(cases)
    assert found["trusted"] == trust.threshold(cases) == trusted
    assert f"TRUSTED is {trusted}" in trust.told(found) and ("at_trusted" in found) is (trusted is not None)


def test_a_table_says_how_many_answers_are_given_and_how_many_of_them_right():
    cases = [case(0.62, n % 10 < 9, n % 10) for n in range(100)] + [case(0.32, False, n % 10) for n in range(30)]
    cases += [case(0.62, True, n % 10, (GOOD,) * 4 + (BAD,)) for n in range(10)]  # 0.496 on the mean, right, and counted as no agreement
    found = trust.table(cases)
    steps = {part["mean_chance"]: (part["n"], part["correct"]) for part in found["steps"]}
    assert (steps[0.3], steps[0.35], steps[0.65]) == ((140, 100), (110, 100), (0, 0))
    assert (found["all_agree"]["n"], found["all_agree"]["correct"]) == (130, 90)
    assert (found["all_agree_but_doubted"]["n"], found["all_agree_but_doubted"]["correct"]) == (30, 0)
    assert found["at_trusted"]["correct"] == 100 and found["chosen_on_other_folds"]["n"] == 110
    assert (found["at_trusted_though_not_all_agree"]["n"], found["at_trusted_though_not_all_agree"]["correct"]) == (10, 10)
    low, high = found["at_trusted"]["interval"]
    assert 0.82 < low < 100 / 110 < high < 0.97


def test_what_is_measured_is_given_by_the_page_s_own_rule():
    run = load_run(RUN)
    scores = {key_of(row): math.log(chance(row["question"], row["reply"])) for row in run.rows}
    for found, rows in zip(trust.cases_of(run, scores), run.by_problem().values(), strict=True):
        question, chances = rows[0]["question"], [math.exp(scores[key_of(row)]) for row in rows]
        mine = tries_of([Generation(row["reply"], 9, 0.1, row["finish"]) for row in rows], len(rows), chances, question)
        assert (found.weighed.given, found.weighed.standing) == (mine.given, mine.standing) and mine.given == len(numbers_in(question))


def test_weights_are_of_one_engine(monkeypatch):
    other = load_run(RUN)
    other.stamp["engine"] = "another"
    runs = iter([load_run(RUN), other])
    monkeypatch.setattr(verify, "load_run", lambda folder: next(runs))
    with pytest.raises(SystemExit, match="the runs are of another, pocket: weights hold for the replies of one engine"):
        verify.main([str(RUN), str(RUN)])


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
    assert found["scorer"] == "verifier" and found["majority"]["correct"] == load_run(RUN).summary["correct"] < found["weighted"]["correct"]
    said = capsys.readouterr().out
    assert "scored by verifier" in said and "all tries agree, not weighed" in said
    assert found["trust"]["trusted"] == verifier_weights.TRUSTED and found["trust"]["all_agree"]["n"] > 0


def test_the_journal_of_weights_names_known_signs():
    known = set().union(*(signs_of(LAWNS, text) for text in (WHOLE, HALF, "", reply("5 * 9 = 45", answer="8"))))
    assert known - set(verifier.WEIGHTS) <= {"a sum is wrong", "the answer is below zero", "the answer is no whole number"}
