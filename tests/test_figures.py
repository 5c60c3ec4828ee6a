"""Figures of runs: votes and their calibration, budgets, kinds of error, pairs of runs, rerankers, second readings."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy
import pytest

import eval.run
from eval import readings
from eval.compare import compare, first_difference, verdict_of
from eval.compare import main as compare_main
from eval.intervals import compare_pairs, interval_of_groups, t95, wilson
from eval.metrics import (
    budgets,
    compare_templates,
    coverage,
    error_kind,
    majority,
    size_of,
    steps_of,
    summarize,
    topic_of,
    vote,
)
from eval.readings import judge, read_all
from eval.records import differences, load_run, rows_file, run_hash, seed_of
from eval.report import main as report_main
from eval.report_data import collect
from eval.rerank import best, weighted
from eval.rerank import main as rerank_main
from eval.run import main as run_main
from eval.run import result_row
from eval.score import main as score_main
from eval.score import reproduces
from eval.verdicts import differing
from mathtutor.engines import Generation, Sampling, load_engine
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import read_json, read_rows, write_json
from mathtutor.maths.arithmetic import show
from mathtutor.problem import Problem
from tests.judges import moody

ROOT = Path(__file__).resolve().parents[1]


def row(id: str = "p", sample: int = 0, answer: str | None = "5", correct: bool | None = True, **more) -> dict:
    return {
        "id": id, "sample": sample, "question": f"q {id}", "prompt": "", "reply": f"The answer is {answer}.", "answer": answer, "gold": "5",
        "correct": correct, "correct_strict": False, "cut_off": False, "finish": "stop", "first_wrong_step": None, "steps": 2,
        "tokens": 10, "seconds": 0.1, **more,
    }  # fmt: skip


# --- votes


@pytest.mark.parametrize("answers, chosen, agree", [
    (["5", "6", "5"], "5", 2), (["6", "5"], "6", 1), ([None, None], None, 0), ([None, "7", None], "7", 1), (["6", "5", "5", "6"], "6", 2),
])  # fmt: skip
def test_the_majority_answers_and_the_first_of_equals(answers, chosen, agree):
    rows = [row(sample=n, answer=answer, correct=answer == "5") for n, answer in enumerate(answers)]
    assert majority(rows) == (chosen, agree)
    assert vote(rows) == (chosen == "5", agree)


def test_agreement_is_calibrated_in_the_summary():
    """Two problems of five: all agree and are right; three agree and are wrong."""
    rows = [row("a", n) for n in range(5)] + [row("b", n, "6" if n < 3 else "5", n >= 3) for n in range(5)]
    summary = summarize(rows)
    assert (summary["n"], summary["correct"], summary["samples"], summary["sample_accuracy"]) == (2, 1, 5, 0.7)
    assert [(a["agree"], a["n"], a["accuracy"]) for a in summary["agreement"]] == [(5, 1, 1.0), (3, 1, 0.0)]
    assert summary["any_right"] == 2
    assert [(c["coverage"], c["accuracy"]) for c in summary["coverage"] if c["coverage"] in (1.0, 0.5)] == [(1.0, 0.5), (0.5, 1.0)]


def test_coverage_does_not_depend_on_the_order_of_equals():
    votes = [(True, 5), (True, 5), (False, 5), (False, 5), (False, 1)]
    (point,) = coverage(votes, [0.4])
    assert point["n"] == 2 and point["accuracy"] == 0.5
    assert coverage(votes[::-1], [0.4]) == [point] and coverage([], [1.0])[0]["accuracy"] == 0.0


# --- budgets, errors, cuts


def test_a_budget_cuts_the_replies_that_are_longer():
    rows = [row("a", tokens=20), row("b", tokens=60), row("c", tokens=200, correct=False), row("d", tokens=100)]
    assert budgets(rows) == [{"tokens": 32, "accuracy": 0.25}, {"tokens": 64, "accuracy": 0.5}, {"tokens": 128, "accuracy": 0.75}, {"tokens": 256, "accuracy": 0.75}]


@pytest.mark.parametrize("fields, kind", [
    ({"finish": "failed"}, "no reply"), ({"finish": "repeating", "cut_off": True}, "loop"), ({"finish": "length", "cut_off": True}, "cut off"),
    ({"answer": None}, "no answer"), ({"first_wrong_step": 1}, "arithmetic"), ({"steps": 2}, "missing step"), ({"steps": 3}, "reading"),
])  # fmt: skip
def test_a_wrong_reply_is_wrong_in_one_way(fields, kind):
    assert error_kind(row(correct=False, **fields), gold_steps=3) == kind
    assert kind != "missing step" or error_kind(row(correct=False, **fields)) == "reading"  # no count of gold steps


@pytest.mark.parametrize("answer, size", [(0, "1 digit"), (9, "1 digit"), (10, "2 digits"), (999, "3 digits"), (1000, "4 digits or more"), (-3, "negative"), (Fraction(1, 2), "no whole number"), (None, None)])
def test_an_answer_has_a_size(answer, size):
    assert size_of(answer if answer is None else Fraction(answer)) == size


def test_figures_are_cut_by_steps_topic_and_size():
    problems = [
        Problem("a", "q", Fraction(5), "x\ny\n#### 5", meta={"topic": "money"}),
        Problem("b", "q", Fraction(12), "x\n#### 12", meta={"type": "Addition"}),
        Problem("c", "q", Fraction(5), meta={"steps": 3}),
    ]
    assert [steps_of(p) for p in problems] == [2, 1, 3] and [topic_of(p) for p in problems] == ["money", "Addition", None]
    summary = summarize([row("a"), row("b", correct=False), row("c", finish="length", cut_off=True, correct=False)], problems=problems)
    by = summary["by"]
    assert {cut: {value: (r["correct"], r["n"]) for value, r in parts.items()} for cut, parts in by.items()} == {
        "steps": {"1": (0, 1), "2": (1, 1), "3": (0, 1)}, "topic": {"Addition": (0, 1), "money": (1, 1)}, "answer": {"1 digit": (1, 2), "2 digits": (0, 1)},
    }  # fmt: skip
    assert summary["errors"]["reading"] == 1 and summary["errors"]["cut off"] == 1 and sum(summary["errors"].values()) == 2
    assert summary["too_many_cut_off"] and summary["cut_off_rate"] == 0.3333


def test_expressions_are_judged_by_the_library_and_proofs_by_nobody():
    rows = [row("a", correct=None), row("b", correct=None)]
    found = {("a", 0): {"math_verify": True}, ("b", 0): {"math_verify": None}}
    summary = summarize(rows, found, "expression")
    assert (summary["correct"], summary["correct_math_verify"], summary["unread_math_verify"], summary["disagreements"]) == (1, 1, 1, 0)
    assert summary["unparsed"] == 1  # as the library reads it, whatever number ours finds
    assert "errors" not in summarize(rows, None, "proof")


@pytest.mark.parametrize("kind", ["expression", "proof"])
def test_what_nobody_has_scored_has_no_accuracy(kind):
    for rows in ([row("a", correct=None)], [row("a", sample=n, correct=None) for n in range(3)]):
        summary = summarize(rows, None, kind)
        assert (summary["n"], summary["correct"], summary["accuracy"], summary["interval"]) == (1, None, None, None)
        assert not {"errors", "budgets", "by", "agreement", "sample_accuracy"} & summary.keys()
    # Half of the readings is no score either, nor are samples of which nobody knows which mean the same.
    assert summarize([row("a", correct=None), row("b", correct=None)], {("a", 0): {"math_verify": True}}, "expression")["accuracy"] is None
    assert summarize(rows, {("a", n): {"math_verify": True} for n in range(3)}, "expression")["accuracy"] is None


@pytest.mark.parametrize("replies, right, correct, agree", [
    (["\\pi", "\\pi", "\\pi"], [True] * 3, 1, 3),  # no number, and still a vote
    (["2^{u-2}", "2^{u+5}", "2^{u+5}"], [True, False, False], 0, 2),
    (["2^{u+5}", "2^{u-2}", "\\frac{2^{u}}{4}"], [False, True, True], 1, 2),  # written in two ways
    (["x+1", "", "x+2"], [True, None, False], 1, 1),
])  # fmt: skip
def test_expressions_vote_for_what_they_mean(tmp_path, monkeypatch, replies, right, correct, agree):
    monkeypatch.setattr(readings, "judge", lambda items: iter([(one, "") for one in right]))
    rows = [row(sample=n, answer="2", correct=None, gold_text="g", reply=f"So it is $\\boxed{{{text}}}$." if text else "") for n, text in enumerate(replies)]
    found = read_all(rows, tmp_path / "readings.jsonl", {})
    summary = summarize(rows, found, "expression")
    assert (summary["correct"], [a["agree"] for a in summary["agreement"]], summary["unparsed"]) == (correct, [agree], right.count(None))
    scores = {("p", 0): -1.0, ("p", 1): -2.0, ("p", 2): -2.0}
    assert best(rows, scores, found)[0] == "as reply 0" and weighted(rows, scores, found)[0] in {f"as reply {found['p', 0]['vote']}", f"as reply {found['p', 2]['vote']}"}
    monkeypatch.setattr(readings, "sort", lambda groups: iter(()))  # what is there is not made again
    assert read_all(rows, tmp_path / "readings.jsonl", {}) == found


def test_replies_that_cannot_be_compared_vote_by_their_text_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "judge", lambda items: iter([(True, "")] * len(items)))
    monkeypatch.setattr(readings, "sort", lambda groups: iter([(None, "took longer than 90 s of processing")] * len(groups)))
    rows = [row(sample=n, correct=None, reply=text) for n, text in enumerate(("so $\\boxed{x + 1}$", "$\\boxed{x+1}$.", "none"))]
    found = read_all(rows, tmp_path / "readings.jsonl", {})
    assert [found["p", n]["vote"] for n in range(3)] == [0, 0, 2] and summarize(rows, found, "expression")["votes_by_text"] == 1
    asked = []
    monkeypatch.setattr(readings, "sort", lambda groups: asked.extend(groups) or iter([([(0, "a"), (1, "b"), (None, "")], "")]))
    found = read_all(rows, tmp_path / "readings.jsonl", {})
    assert len(asked) == 1 and summarize(rows, found, "expression")["votes_by_text"] == 0 and found["p", 2]["vote"] is None


# --- pairs


@pytest.mark.parametrize("fixed, broken, p", [
    (0, 0, 1.0), (1, 1, 1.0), (10, 2, 0.03857421875), (2, 10, 0.03857421875), (5, 0, 0.0625), (20, 5, 0.004077315330505371),
])  # fmt: skip
def test_mcnemars_test_is_the_exact_one(fixed, broken, p):
    """Two-sided binomial tails, worked out by hand: 2 * sum of C(n, k) / 2**n over the smaller tail."""
    pairs = [(False, True)] * fixed + [(True, False)] * broken + [(True, True)] * 50 + [(False, False)] * 30
    found = compare_pairs(pairs)
    assert found["p"] == pytest.approx(p) and (found["fixed"], found["broken"]) == (fixed, broken)
    assert found["difference"] == pytest.approx((fixed - broken) / len(pairs))
    low, high = found["interval"]
    assert low < found["difference"] < high
    assert (low > 0 or high < 0) is (p < 0.05)


def test_the_interval_of_a_difference_covers_it():
    """Of 2,000 pairs of runs with a true difference of 10 points, about 95 in 100 intervals hold it."""
    import random

    draw, held = random.Random(5), 0
    for _ in range(2000):
        counts = [draw.random() for _ in range(80)]
        pairs = [(False, True) if u < 0.2 else (True, False) if u < 0.3 else (True, True) for u in counts]
        low, high = compare_pairs(pairs)["interval"]
        held += low <= 0.1 <= high
    assert 0.935 < held / 2000 < 0.975


@pytest.mark.parametrize("a, b, step", [
    ("<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4.", "<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4.", None),
    ("<think>\nStep 1: 2 + 2 = 4\nStep 2: 4 + 1 = 5\n</think>\n\nThe answer is 5.", "<think>\nStep 1: 2 + 2 = 4\nStep 2: 4 - 1 = 3\n</think>\n\nThe answer is 3.", 2),
    ("<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4.", "<think>\nStep 1: 2 + 2 = 4\n</think>", 2),
    ("", "The answer is 5.", 1),
])  # fmt: skip
def test_two_replies_part_at_a_step(a, b, step):
    parted = first_difference(a, b)
    assert (parted and parted["step"]) == step


# --- whole commands over scripted runs

PROBLEMS = [{"id": f"p{n}", "question": f"Ana has {n} pens and buys {n}. How many?", "answer": 2 * n} for n in range(1, 9)]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that makes a run from replies by (problem number, sample)."""
    (tmp_path / "pens.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))

    def make(name: str, reply_to, *more: str, logprob=None) -> Path:
        script = tmp_path / f"{name}.json"
        script.write_text(json.dumps({problem["question"]: name for problem in PROBLEMS}))
        asked: dict[str, int] = {}

        def replies(self, conversations, sampling=Sampling(), stop=None, seeds=None):
            for index, talk in enumerate(conversations):
                question = talk[-1]["content"]
                number, sample = int(question.split()[2]), asked.get(question, 0)
                asked[question] = sample + 1
                text = reply_to(number, sample)
                yield index, Generation(text, len(text.split()), 0.0, "stop", "prompt", logprob=logprob and logprob(number, sample))

        with monkeypatch.context() as patch:
            patch.setattr(ScriptedEngine, "replies", replies)
            run_main(["--benchmark", f"file:{tmp_path / 'pens.jsonl'}", "--engine", f"scripted:{script}", "--out", str(tmp_path / name), *more])
        return tmp_path / name

    return make


def says(answer) -> str:
    return f"<think>\nStep 1: It is so.\n</think>\n\nThe answer is {answer}."


def test_two_runs_are_compared_pair_by_pair(made, capsys, tmp_path):
    a = made("a", lambda n, _: says(2 * n if n <= 4 else 0))
    b = made("b", lambda n, _: says(2 * n if n >= 3 else 1))
    capsys.readouterr()
    compare_main([str(a), str(b), "--out", str(tmp_path / "ab.json")])
    printed = capsys.readouterr().out
    found = read_json(tmp_path / "ab.json")
    assert (found["correct"], found["fixed"], found["broken"], found["both_right"], found["both_wrong"]) == ([4, 6], 4, 2, 2, 0)
    assert [item["id"] for item in found["fixed_items"]] == ["p5", "p6", "p7", "p8"] and found["same_replies"] == 2
    assert [item["answers"] for item in found["broken_items"]] == [["2", "1"], ["4", "1"]]
    assert found["differs_in"] == ["engine", "revision"] and found["p"] == pytest.approx(0.6875)
    assert "no difference that chance would not make" in printed and "Right within so many tokens" in printed
    assert "broken p1 (gold 2, answers 2 / 1, reading): part at step 2" in printed


def test_noise_is_measured_between_runs_that_are_the_same(made, capsys, tmp_path):
    a = made("a", lambda n, _: says(2 * n))
    b = made("b", lambda n, _: says(2 * n))
    capsys.readouterr()
    with pytest.raises(SystemExit, match="differ in engine, revision: --noise is for the same run twice"):
        compare_main([str(a), str(b), "--noise"])
    with pytest.raises(SystemExit, match="is named twice: --noise needs two runs"):
        compare_main([str(a), f"{a}/../a", "--noise"])
    again = tmp_path / "again"
    shutil.copytree(a, again)
    compare_main([str(a), str(again), "--noise"])
    assert "the replies to 0 of 8 problems differ, 0 of 8 verdicts flip" in (said := capsys.readouterr().out) and "not ruled out" in said
    # One fixed and one broken: the accuracy stands still, and is no surer for it
    for folder, place in ((a, 0), (again, 1)):
        rows = list(read_rows(folder / "results.jsonl"))
        rows[place] |= {"correct": False, "answer": "0", "reply": says(0)}
        (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    compare_main([str(a), str(again), "--noise"])
    said = capsys.readouterr().out
    assert "2 of 8 verdicts flip = 25.0%" in said and "moves by 0.00%" in said and "by up to 34.65%" in said


def test_runs_that_are_no_pair_are_refused(made, tmp_path):
    a, b = made("a", lambda n, _: says(2 * n)), made("b", lambda n, _: says(2 * n), "--limit", "3")
    with pytest.raises(SystemExit, match="do not hold the same problems: 5 only in the first"):
        compare_main([str(a), str(b)])
    with pytest.raises(SystemExit, match="has no results.jsonl: it holds no run"):
        compare_main([str(a), str(tmp_path)])
    (tmp_path / "pens.jsonl").unlink()  # else each run is held against it
    (b / "results.jsonl").write_text("".join(json.dumps(r | {"gold": "1", "correct": False}) + "\n" for r in read_rows(a / "results.jsonl")))
    write_json(b / "run.json", read_json(a / "run.json"))
    with pytest.raises(SystemExit, match="ask something else under the id p1"):
        compare_main([str(a), str(b)])


def test_samples_are_rows_of_their_own_with_seeds_of_their_own(made, capsys):
    """Right in two samples of three, and in one of three."""
    out = made("k", lambda n, s: says(2 * n if (s < 2) == (n > 4) else 0), "--samples", "3", "--temperature", "0.7")
    run = load_run(out)
    assert len(run.rows) == 24 == len({row["seed"] for row in run.rows}) and {row["run"] for row in run.rows} == {run_hash(run.stamp)}
    assert run.rows[0]["seed"] == seed_of(0, "p1", 0)
    assert (run.summary["n"], run.summary["correct"], run.summary["samples"]) == (8, 4, 3)
    assert "4 of 8 right by the majority of 3" in capsys.readouterr().out


def test_greedy_samples_are_refused(made):
    with pytest.raises(SystemExit, match="greedy decoding gives the same reply every time"):
        made("k", lambda n, s: says(n), "--samples", "3")


def test_a_scorer_chooses_among_samples(made, capsys):
    """Right in one sample of three, which the model thought likeliest."""
    out = made("k", lambda n, s: says(2 * n if s == 2 else 0), "--samples", "3", "--temperature", "1", "--logprobs",
               logprob=lambda n, s: -0.1 if s == 2 else -3.0)  # fmt: skip
    rerank_main([str(out)])
    found = read_json(out / "rerank.json")
    assert [found[way]["correct"] for way in ("majority", "best", "weighted", "any_right")] == [0, 8, 8, 8]
    assert "best score    100.0%" in (said := capsys.readouterr().out) and "8 problems, 3 samples each" in said and "of 24 replies" in said


def test_a_run_without_scores_or_samples_is_refused(made):
    with pytest.raises(SystemExit, match="24 replies have no logprob: make another run with --logprobs, in an --out of its own"):
        rerank_main([str(made("k", lambda n, s: says(n), "--samples", "3", "--temperature", "1"))])
    with pytest.raises(SystemExit, match="has one reply a problem.* Make another run with --samples"):
        rerank_main([str(made("one", lambda n, s: says(n), "--logprobs", logprob=lambda n, s: -1.0))])
    with pytest.raises(SystemExit, match="scripted:x.json"):
        rerank_main([str(made("two", lambda n, s: says(n), "--samples", "2", "--temperature", "1")), "--scorer", "scripted:x.json"])


def test_a_language_model_scores_replies_and_is_asked_once(made, tiny_model_folder, monkeypatch, capsys):
    from mathtutor.engines.hf import HFEngine

    out = made("k", lambda n, s: says(2 * n), "--samples", "2", "--temperature", "1", "--limit", "2")
    asked = []
    score = HFEngine.log_probability
    monkeypatch.setattr(HFEngine, "log_probability", lambda self, *args: asked.append(args) or score(self, *args))
    for _ in range(2):
        rerank_main([str(out), "--scorer", f"hf:{tiny_model_folder}"])
    assert len(asked) == 4 and asked[0][0][-1]["content"] == PROBLEMS[0]["question"]
    assert {args[2].thinking for args in asked} == {None}
    (file,) = out.glob("scores-*.jsonl")
    assert all(r["score"] < 0 for r in read_rows(file))


def test_a_scorer_sees_the_prompt_that_the_run_had(made, tiny_model_folder, monkeypatch):
    from mathtutor.engines.hf import HFEngine

    out = made("k", lambda n, s: says(2 * n), "--samples", "2", "--temperature", "1", "--limit", "1", "--thinking", "off")
    asked = []
    monkeypatch.setattr(HFEngine, "log_probability", lambda self, *args: asked.append(args) or -1.0)
    rerank_main([str(out), "--scorer", f"hf:{tiny_model_folder}"])
    assert {args[2].thinking for args in asked} == {False}


def test_a_reply_without_an_answer_is_never_chosen():
    rows = [row(sample=0, answer=None), row(sample=1, answer="7"), row(sample=2, answer="5")]
    scores = {("p", 0): 0.0, ("p", 1): -2.0, ("p", 2): -1.0}
    assert best(rows, scores) == ("5", -1.0) and weighted(rows, scores)[0] == "5"
    assert best(rows[:1], scores) == (None, float("-inf")) == weighted(rows[:1], scores)


# --- records


def test_the_seed_of_a_reply_depends_on_all_it_is_keyed_by():
    seeds = {seed_of(seed, problem, sample) for seed in range(3) for problem in ("a", "b") for sample in range(4)}
    assert len(seeds) == 24 and all(0 <= seed < 2**31 for seed in seeds)


OLD = {"engine": "pocket", "revision": "r", "benchmark": "svamp", "problems": "p", "sampling": {"max_tokens": 320, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "seed": 0, "calculator": True}}


def test_a_record_from_before_modes_is_the_run_that_it_was():
    new = OLD | {"mode": {"name": "tuned", "user": "{question}"}, "samples": 1, "sampling": OLD["sampling"] | {"thinking": None, "think_budget": 0}}
    assert differences(OLD, new) == []
    assert differences(OLD, new | {"mode": {"name": "cot", "user": "{question}"}}) == ["mode"]
    assert differences(OLD, new | {"samples": 5, "sampling": new["sampling"] | {"think_budget": 9}}) == ["sampling", "samples"]


@pytest.mark.parametrize("folder", [path for path in sorted(Path(__file__).parents[1].glob("evals/*/results.jsonl")) if "benchmark" in read_json(path.with_name("run.json"))], ids=lambda p: p.parent.name)
def test_committed_records_stay_loadable(folder):
    run = load_run(folder.parent)
    assert len(run.rows) == run.summary["n"] * run.stamp["samples"]
    summary = summarize(run.rows)
    assert {key: run.summary[key] for key in ("n", "correct", "cut_off", "unparsed", "failed", "tokens")} == {key: summary[key] for key in ("n", "correct", "cut_off", "unparsed", "failed", "tokens")}


def test_another_mode_or_number_of_samples_is_another_run(made):
    made("a", lambda n, _: says(n))
    for more, says_ in ((("--mode", "q06_think_prefill"), "another prompt mode: choose"), (("--samples", "2", "--temperature", "1"), r"sampling \(temperature\), samples")):
        with pytest.raises(SystemExit, match=says_):
            made("a", lambda n, _: says(n), *more)


def test_a_row_of_another_run_is_refused(made):
    out = made("a", lambda n, _: says(n))
    rows = list(read_rows(out / "results.jsonl"))
    rows[3]["run"] = "0" * 12
    (out / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with pytest.raises(SystemExit, match="row 4 is no result of this run"):
        made("a", lambda n, _: says(n))


# --- the second reading


def test_the_library_reads_what_we_read_and_says_where_it_finds_nothing():
    items = [("<think>\nx = 3\n</think>\n\nThe answer is 14.", "14"), ("So it is $\\boxed{\\frac{1}{2}}$.", "1/2"), ("It is $2^{10}$", "$1024$"),
             ("#### 1,234", "1234"), ("no number at all", "3"), ("The answer is 4.", "5"), ("<think>\nso 3", "3"), ("", "3")]  # fmt: skip
    assert [right for right, _ in judge(items)] == [True, True, True, True, None, False, None, None]


def test_a_gold_answer_is_right_however_the_library_parses_it_in_a_box(monkeypatch):
    import math_verify

    monkeypatch.setattr(math_verify, "verify", lambda *_, **__: False)
    assert readings._judge(("So it is $\\boxed{ \\frac{x}{2} + 1}$.", "$\\frac{x}{2}+1$")) == (True, "")
    assert readings._judge(("So it is $\\boxed{\\frac{x}{3}+1}$.", "$\\frac{x}{2}+1$")) == (False, "")
    # Words are nothing to the library, and a line's end after the answer, as one published set has it, hid a triple from it.
    assert readings._judge(("So \\boxed{n is prime}.", "n is prime\n")) == readings._judge(("So \\boxed{(2, 251, 252)}.", "(2,251,252)\n")) == (True, "")
    assert readings._judge(("So \\boxed{}.", "n is prime"))[0] is not True


def test_a_reply_that_takes_too_long_or_breaks_the_library_costs_no_other(monkeypatch):
    monkeypatch.setattr(readings, "_judge", moody)
    found = list(judge([("a", "1"), ("slow", "1"), ("dies", "1"), ("b", "1")], seconds=0.5, patience=8))
    assert found == [(True, ""), (None, "took longer than 4 s"), (None, "RuntimeError: no"), (True, "")]
    found = list(judge([("busy", "1"), ("b", "1")], seconds=0.3, patience=400))
    assert found == [(None, "took longer than 0.3 s of processing"), (True, "")]


def test_a_reply_that_waits_for_the_processor_loses_no_time(monkeypatch):
    monkeypatch.setattr(readings, "_judge", moody)
    assert list(judge([("idle", "1")], seconds=0.5)) == [(True, "")]


def test_a_reading_that_came_to_no_end_is_made_again(tmp_path, monkeypatch):
    asked = []

    def answers(items):
        for reply, _ in items:
            asked.append(reply)
            yield (True, "") if len(asked) > 4 else (None, {1: "took longer than 30 s of processing", 2: "BrokenProcessPool: All workers expired", 3: "ValueError: no"}.get(len(asked), ""))

    monkeypatch.setattr(readings, "judge", answers)
    rows = [row(name) for name in "abcd"]
    first = read_all(rows, tmp_path / "readings.jsonl", {})
    summary = summarize([one | {"correct": None} for one in rows], first, "expression")
    assert summary["unfinished_math_verify"] == 2 and summary["correct"] == 0
    found = read_all(rows, tmp_path / "readings.jsonl", {})
    assert len(asked) == 6 and [found[name, 0]["math_verify"] for name in "abcd"] == [True, True, None, None]
    assert len(list(read_rows(tmp_path / "readings.jsonl"))) == 4


def test_readings_are_kept_and_made_again_only_for_another_reply(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(readings, "judge", lambda items: [asked.append(reply) or (True, "") for reply, _ in items])
    rows = [row("a"), row("b"), row("c", cut_off=True)]
    path = tmp_path / "readings.jsonl"
    read_all(rows[:2], path, {})
    found = read_all(rows, path, {})
    assert len(asked) == 3 and asked[2] == "" and found["a", 0]["math_verify"] is True
    rows[0] = rows[0] | {"reply": "another"}
    read_all(rows, path, {})
    assert asked[3:] == ["another"] and len(list(read_rows(path))) == 3


def test_without_the_library_a_run_says_so(made, monkeypatch, capsys):
    def absent():
        raise readings.NotInstalled("No second reading by math-verify: it is not installed")

    monkeypatch.setattr(readings, "_pool", absent)
    out = made("a", lambda n, _: says(2 * n))
    assert "No second reading by math-verify" in capsys.readouterr().out
    assert load_run(out).summary["correct_math_verify"] is None and load_run(out).summary["correct"] == 8


# --- published claims


@pytest.mark.parametrize("correct, claim, holds", [
    (108, "8.18", True), (108, "8.19", True), (701, "54.13", False), (714, "54.13", True), (880, "66.7", True), (589, "44.65", True), (589, "44.7", True), (588, "44.65", False),
])  # fmt: skip
def test_a_claim_reproduces_rounded_or_cut_off(correct, claim, holds):
    assert reproduces(correct, 1319, claim) is holds


def test_claims_are_checked_file_by_file(tmp_path, capsys):
    reply = {"question": "q", "ground_truth_answer": "#### 5"}
    rows = [reply | {"id": n, "model_output": ("</think>" if n > 52 else "") + ("#### 5" if n < 701 else "#### 6")} for n in range(1319)]
    for name in ("cot_model_outputs.jsonl", "few_shot_model_outputs"):
        (tmp_path / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    score_main([str(tmp_path / "cot_model_outputs.jsonl"), str(tmp_path / "few_shot_model_outputs"), "--published"])
    printed = capsys.readouterr().out
    assert "q06: 701 of 1319 = 53.15%; README 54.13: DOES NOT REPRODUCE" in printed and "0 of 2 claims reproduce; not: cot_model_outputs, few_shot" in printed
    assert "robust: 701 = 53.15%, 0 cut off; 53 replies lack the </think> that the others have" in printed
    (tmp_path / "mine.jsonl").write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(SystemExit, match="mine.jsonl is no published file that we know of"):
        score_main([str(tmp_path / "mine.jsonl"), "--published"])


def test_all_readings_stand_side_by_side(tmp_path, capsys):
    rows = [{"id": "x", "reply": "The answer is 5.", "gold": "5"}, {"id": "y", "reply": "#### 5", "gold": "5"}]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    score_main([str(tmp_path / "two.jsonl"), "--all", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["right"] == {"robust": 2, "strict": 1, "math-verify": 2}
    assert [(item["id"], item["strict"]) for item in found["disagreements"]] == [("x", "unparsed")]
    score_main([str(tmp_path / "two.jsonl"), "--reading", "math-verify", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["correct"] == 2


# --- what is refused


def rewrite(path: Path, change) -> None:
    path.write_text("".join(json.dumps(change(number, row)) + "\n" for number, row in enumerate(read_rows(path))))


@pytest.mark.parametrize("change", [
    lambda n, row: row | ({"run": "0" * 12} if n == 3 else {}),
    lambda n, row: {key: value for key, value in row.items() if n != 3 or key != "run"},
])  # fmt: skip
def test_rows_of_another_run_are_read_by_no_command(made, change):
    a = made("a", lambda n, _: says(2 * n))
    rewrite(a / "results.jsonl", change)
    for call in (lambda: compare_main([str(a), str(a)]), lambda: rerank_main([str(a)]), lambda: report_main([str(a), "--out", str(a / "report")])):
        with pytest.raises(SystemExit, match="row 4 is of another run than"):
            call()
    with pytest.raises(SystemExit, match="row 4 is no result of this run"):
        made("a", lambda n, _: says(2 * n))


def test_readings_of_other_replies_are_left_out_and_counted(made):
    a = made("a", lambda n, _: says(2 * n))
    rewrite(a / "results.jsonl", lambda n, row: row | ({"reply": "another", "answer": None, "rule": "none", "correct": False} if n < 3 else {}))
    run = load_run(a)
    assert (len(run.readings), run.stale) == (5, 3)
    assert any("readings of other replies" in warning["text"] for warning in collect([a])["warnings"])


def test_proofs_and_what_is_not_scored_are_not_compared(made):
    a = made("a", lambda n, _: says(2 * n))
    stamp = read_json(a / "run.json")
    rewrite(a / "results.jsonl", lambda n, row: row | {"correct": None})
    for benchmark, why in (("math-500", "8 of 8 replies were not read"), ("proofbench", "proofs are right or wrong when a judge has graded them")):
        write_json(a / "run.json", (other := stamp | {"benchmark": benchmark}))
        rewrite(a / "results.jsonl", lambda n, row, run=run_hash(other): row | {"run": run})
        (a / "readings.jsonl").unlink(missing_ok=True)
        for main, verb in ((compare_main, "compared"), (rerank_main, "reranked")):
            with pytest.raises(SystemExit, match=f"cannot be {verb}: {why}"):
                main([str(a), str(a)][: 1 + (main is compare_main)] + ([] if main is compare_main else ["--scorer", "logprob"]))
    (run,) = collect([a])["runs"]
    assert (run["accuracy"], run["correct"]) == (None, None)


def test_of_several_samples_the_one_that_the_majority_gave_is_compared(made, tmp_path):
    """The first sample is right, the majority is wrong."""
    a = made("a", lambda n, s: says(2 * n if s == 0 else 0), "--samples", "3", "--temperature", "1")
    b = made("b", lambda n, s: says(2 * n), "--samples", "3", "--temperature", "1")
    compare_main([str(a), str(b), "--out", str(tmp_path / "ab.json")])
    found = read_json(tmp_path / "ab.json")
    assert found["fixed"] == 8 and found["fixed_items"][0]["answers"] == ["0", "2"] and found["same_replies"] == 0
    assert says(0) == found["fixed_items"][0]["replies"][0]


def test_errors_of_a_comparison_are_those_of_the_summary(made, tmp_path):
    problem = Problem("p", "q", Fraction(5), "x\ny\n#### 5")
    assert result_row(problem, Generation(says(5), 3, 0.0, "stop"))["meta"] == {"steps": 2}
    a, b = made("a", lambda n, _: says(0)), made("b", lambda n, _: says(2 * n))
    (tmp_path / "pens.jsonl").unlink()  # it tells no steps, and each run is held against it
    rewrite(a / "results.jsonl", lambda n, row: row | {"meta": {"steps": 2}})
    compare_main([str(a), str(b), "--out", str(tmp_path / "ab.json")])
    assert {item["error"] for item in read_json(tmp_path / "ab.json")["fixed_items"]} == {"missing step"}


def test_no_key_of_a_server_is_written(made, monkeypatch, tmp_path):
    a = made("a", lambda n, _: says(2 * n))
    monkeypatch.setattr(eval.run, "load_engine", lambda spec: load_engine(f"scripted:{tmp_path / 'a.json'}"))
    out = tmp_path / "b"
    words = ["--benchmark", f"file:{tmp_path / 'pens.jsonl'}", "--engine", "openai:https://ana:SECRET@host.example/v1?key=SECRET#ORG/m@1", "--out", str(out)]
    run_main(words)
    assert not any("SECRET" in path.read_text() for path in out.iterdir())
    assert read_json(out / "run.json")["engine"] == "openai:https://host.example/v1#ORG/m@1" in read_json(out / "summary.json")["command"]
    # A folder from before that is still the same run.
    write_json(out / "run.json", (old := read_json(out / "run.json") | {"engine": words[3]}))
    rewrite(out / "results.jsonl", lambda n, row: row | {"run": run_hash(old)})
    run_main(words)
    assert compare(load_run(out), load_run(a))["a"]["engine"] == "openai:https://host.example/v1#ORG/m@1"


def test_records_of_eval_locate_stand_in_a_report_with_their_figures(made, tmp_path):
    a = made("a", lambda n, _: says(2 * n))
    stamp = {"data": "stepverify", "engine": None, "folds": None, "n": 4, "dev_sha256": "0"}
    figures = {"exact": 3, "exact_rate": 0.75, "exact_interval": [0.3, 0.954], "by_category": {"<b>unit</b>": [3, 4]}, "command": "python -m eval.locate --data stepverify"}
    write_json(tmp_path / "located" / "run.json", stamp)
    write_json(tmp_path / "located" / "summary.json", stamp | figures)
    write_json(tmp_path / "right" / "run.json", stamp | {"data": "stepverify-right"})
    write_json(tmp_path / "right" / "summary.json", stamp | {"data": "stepverify-right", "alarms": 1, "alarm_rate": 0.25, "alarm_interval": [0.046, 0.7]})
    write_json(tmp_path / "begun" / "run.json", stamp | {"folds": 6})
    report_main([str(a), *(str(tmp_path / name) for name in ("located", "right", "begun")), "--out", str(tmp_path / "report")])
    html, text = ((tmp_path / "report" / name).read_text() for name in ("report.html", "report.md"))
    for shown in (html, text):
        assert "3 of 4" in shown and "30.0% to 95.4%" in shown and "called wrong although right" in shown and "1 of 4" in shown
        assert "only --folds says what to expect" in shown.replace("\\", "") and "eval.locate was not run to its end" in shown
        assert "python -m eval.locate --data stepverify" in shown
    assert "&lt;b&gt;unit&lt;/b&gt;" in html and "<b>unit" not in html
    # A report of nothing else stands too.
    report_main([str(tmp_path / "located"), "--out", str(tmp_path / "alone")])
    assert "sets of students&#x27; work" in (tmp_path / "alone" / "report.html").read_text()
    write_json(tmp_path / "other" / "run.json", {"data": "x"})
    with pytest.raises(SystemExit, match="other/run.json is no record of a run"):
        report_main([str(a), str(tmp_path / "other"), "--out", str(tmp_path / "report")])


# --- files that could be scored wrongly


def file_of(path: Path, *rows: dict) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("rows, says_", [
    ([{"id": "a", "reply": "5", "gold": "5"}, {"id": "a", "reply": "6", "gold": "5"}], r"row 2 is the reply of row 1 again \(id 'a', sample 0\)"),
    ([{"completion": "The answer is 7", "answer": "7", "target": "5"}], "row 1 has answer and target, which differ"),
    ([row(correct=None)], "row 1 is a proof's or was not scored: python -m eval.grade"),
])  # fmt: skip
def test_a_file_that_would_be_scored_wrongly_is_refused(tmp_path, rows, says_):
    with pytest.raises(SystemExit, match=says_):
        score_main([file_of(tmp_path / "x.jsonl", *rows)])


def test_columns_are_taken_by_their_names(tmp_path, capsys):
    name = file_of(tmp_path / "x.jsonl", {"completion": "The answer is 7", "said": "The answer is 5", "answer": "7", "target": "5"})
    for more, correct in ((["--gold", "target"], 0), (["--gold", "answer"], 1), (["--gold", "target", "--reply", "said"], 1)):
        score_main([name, *more])
        assert f"robust: {correct} of 1 right" in (said := capsys.readouterr().out) and f"against {more[1]}" in said
    score_main([name, "--all", "--gold", "target"])
    assert "robust 0 (0.0% to 79.3%), strict 0 (0.0% to 79.3%), math-verify 0 (0.0% to 79.3%) of 1 reply, with 95% intervals;" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"row 1 needs a reply \(completion\) and a gold answer \(none\); its columns are completion, said"):
        score_main([name, "--reply", "completion", "--gold", "none"])
    with pytest.raises(SystemExit, match="leave out --reply, --gold, --id, --samples and --constant"):
        score_main([name, "--published", "--gold", "target"])


@pytest.mark.parametrize("gold, reply", [(0.1 + 0.2, "0.3"), (18.0, "18"), (1234567.25, "1,234,567.25"), (1e15, "1000000000000000")])
def test_a_gold_answer_that_is_a_float_is_the_decimal_that_was_meant(tmp_path, capsys, gold, reply):
    score_main([file_of(tmp_path / "x.jsonl", {"reply": f"The answer is {reply}.", "gold": gold})])
    assert "1 of 1 right" in capsys.readouterr().out


def test_replies_to_one_problem_are_not_so_many_problems(tmp_path, capsys):
    name = file_of(tmp_path / "x.jsonl", *({"id": f"p{p}", "sample": s, "reply": "The answer is 5.", "gold": "5", "answer": "7"} for p in range(2) for s in range(10)))
    score_main([name])
    assert "20 replies of 2 problems" in (said := capsys.readouterr().out) and "reply against gold" in said
    score_main([name, "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["n"], found["correct"], found["problems"]) == (20, 20, 2) and found["interval"] == list(wilson(2, 2))


@pytest.mark.parametrize("key, value", [("finish_reason", "length"), ("stop_reason", "max_tokens"), ("finish", "repeating")])
def test_a_reply_that_a_server_cut_off_has_no_answer(tmp_path, capsys, key, value):
    score_main([file_of(tmp_path / "x.jsonl", {"reply": "so 5", "gold": "5", key: value}), "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["correct"], found["cut_off"]) == (0, 1)


def test_gold_answers_that_are_expressions_are_read_by_the_library_alone(tmp_path, capsys):
    golds = ("$2^{u-2}$", "$2^{u-2}$", "$\\left\\lfloor x\\right\\rfloor$")
    replies = ("2^{u-2}", "2^{u+5}", "\\left\\lfloor x\\right\\rfloor")
    name = file_of(tmp_path / "x.jsonl", *({"reply": f"so $\\boxed{{{reply}}}$", "gold": gold} for reply, gold in zip(replies, golds, strict=True)))
    score_main([name])
    assert "2 of 3 right" in (said := capsys.readouterr().out) and "3 gold answers are expressions: math-verify decides there" in said
    score_main([name, "--all"])
    assert "robust 2 (20.8% to 93.9%), math-verify 2 (20.8% to 93.9%) of 3 replies, with 95% intervals; they disagree on 0 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="some gold answers are expressions, which q06 cannot read"):
        score_main([name, "--reading", "q06"])


# --- the same run twice, no run at all, problems that are alike


def test_the_same_run_twice_is_noise_and_no_difference(made, tmp_path, capsys):
    a, b = made("a", lambda n, _: says(2 * n)), made("b", lambda n, _: says(2 * n if n % 2 else 0))
    stamp = read_json(a / "run.json")  # as if the same model had been run again
    write_json(b / "run.json", stamp)
    rewrite(b / "results.jsonl", lambda n, row: row | {"run": run_hash(stamp)})
    found = collect([a, b])
    assert not found["pairs"] and len(found["noise"]) == 1
    (noise,) = found["noise"]
    assert noise["flips"] == sum(1 for row in read_rows(b / "results.jsonl") if not row["correct"]) > 0
    assert noise["floor"] == pytest.approx(1.959964 * (noise["flips"] ** 0.5) / noise["n"])
    report_main([str(a), str(b), "--out", str(tmp_path / "report")])
    for name in ("report.html", "report.md"):
        assert noise["means"] in (tmp_path / "report" / name).read_text().replace("\\", "")


def test_a_folder_beside_itself_says_so(made, capsys):
    a = made("a", lambda n, _: says(2 * n))
    capsys.readouterr()
    compare_main([str(a), str(a)])
    assert capsys.readouterr().out.startswith("A and B are the same folder")
    with pytest.raises(SystemExit, match="is named twice"):
        compare_main([str(a), str(a), "--noise"])


def test_a_run_without_a_row_is_one_sentence_everywhere(made, tmp_path):
    a = made("a", lambda n, _: says(2 * n))
    empty = tmp_path / "empty"
    write_json(empty / "run.json", read_json(a / "run.json"))
    (empty / "results.jsonl").write_text("")
    for pair in ([a, empty], [empty, a], [empty, empty]):
        with pytest.raises(SystemExit, match="empty holds no row yet: run its eval.run command to its end"):
            compare_main([str(folder) for folder in pair])
    with pytest.raises(SystemExit, match="holds no rows"):
        score_main([str(empty / "results.jsonl")])
    report_main([str(empty), str(a), "--out", str(tmp_path / "report")])
    text = (tmp_path / "report" / "report.md").read_text()
    assert "not run to its end" in text and "empty holds no row yet" in text


def test_the_majority_is_charged_all_of_its_replies(made, capsys):
    a = made("a", lambda n, _: says(2 * n))
    b = made("b", lambda n, s: says(2 * n if s < 2 else 0), "--samples", "3", "--temperature", "0.7")
    found = compare(load_run(a), load_run(b))
    tokens = len(says(0).split())
    assert (found["b"]["mean_tokens"], found["b"]["tokens_a_problem"], found["a"]["tokens_a_problem"]) == (tokens, 3 * tokens, tokens)
    capsys.readouterr()
    compare_main([str(a), str(b)])
    said = capsys.readouterr().out
    assert f"B  b: 8 of 8 right = 100.0%; {24 * tokens} tokens ({tokens} a reply, {3 * tokens:.1f} a problem for the majority of 3" in said
    assert "Right within so many tokens, single replies (B above: a majority, which costs all of its replies):" in said and "B  66.7%" in said


def alike(rights: list[list[bool]]) -> tuple[list[dict], list[Problem]]:
    rows, problems = [], []
    for family, group in enumerate(rights):
        for index, right in enumerate(group):
            rows.append(row(f"{family}-{index}", answer="5" if right else "6", correct=right))
            problems.append(Problem(f"{family}-{index}", "q", Fraction(5), "5", "bank", {"family": f"f{family}"}))
    return rows, problems


def test_problems_of_one_template_are_not_so_many_problems():
    # Each family is right or wrong as a whole: six instances say no more than one.
    same = [[n % 2 == 0] * 6 for n in range(20)]
    groups = summarize(*alike(same)[:1], None, "number", alike(same)[1])["groups"]
    assert (groups["by"], groups["n"]) == ("family", 20)
    assert groups["interval"] == pytest.approx(wilson(9.5, 19, t95(19)), abs=3e-3)  # of 20 families, not of 120 problems
    # Where an instance says nothing of its family, the interval is that of the problems.
    mixed = [[True, False, True, False, True, False] for _ in range(20)]
    assert summarize(*alike(mixed)[:1], None, "number", alike(mixed)[1])["groups"]["interval"] == pytest.approx(wilson(60, 120, t95(19)))


@pytest.mark.parametrize("rights", [[[True] * 3] * 4, [[False] * 3] * 4, [[True, False]], [[True] * 6] * 158, [[False] * 6] * 158])
def test_an_interval_of_groups_stays_honest_at_the_ends(rights):
    n, right = sum(map(len, rights)), sum(map(sum, rights))
    low, high = interval_of_groups(rights)
    m = len(rights)
    assert 0 <= low <= right / n <= high <= 1 and (low, high) == pytest.approx(wilson(right, n) if m == 1 else wilson(right / n * m, m, t95(m - 1)))


@pytest.mark.parametrize("freedom, quantile", [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (157, 1.9752), (10**6, 1.959966)])
def test_students_quantile_is_that_of_the_tables(freedom, quantile):
    assert t95(freedom) == pytest.approx(quantile, abs=5e-5)


@pytest.mark.parametrize(
    "groups, size, share, least",
    [(158, 6, 0.13, 0.93), (100, 50, 0.5, 0.91), (30, 50, 0.5, 0.91), (5, 6, 0.5, 0.93), (10, 50, 0.2, 0.93), (10, 50, 0.05, 0.93), (20, 50, 0.05, 0.93), (50, 50, 0.05, 0.93), (20, 50, 0.9, 0.93)],
)
def test_an_interval_of_groups_holds_the_share_about_as_often_as_it_says(groups, size, share, least):
    draw = numpy.random.default_rng(1)
    held = 0
    for _ in range(300):
        rights = [list(draw.random(size) < of_group) for of_group in draw.beta(share, 1 - share, groups)]
        low, high = interval_of_groups(rights)
        held += low <= share <= high
    assert held / 300 >= least


@pytest.mark.parametrize("sizes, least", [([200] + [5] * 9, 0.95), ([40] + [10] * 9, 0.93), ([100, 50, 25, 12, 6, 3, 2, 1], 0.93), ([100 // k for k in range(1, 21)], 0.89)])
def test_and_so_it_does_where_groups_are_of_unequal_size(sizes, least):
    draw = numpy.random.default_rng(1)
    held = 0
    for _ in range(300):
        low, high = interval_of_groups([list(draw.random(size) < draw.beta(1.5, 1.5)) for size in sizes])
        held += low <= 0.5 <= high
    assert held / 300 >= least


def test_a_row_of_another_benchmark_is_refused_though_model_and_prompt_are_the_same(made, tmp_path):
    a = made("a", lambda n, _: says(2 * n))
    write_json(tmp_path / "b" / "run.json", (other := read_json(a / "run.json") | {"benchmark": "file:others.jsonl", "problems": "0" * 64}))
    rows = list(read_rows(a / "results.jsonl"))
    assert run_hash(other) != rows[0]["run"] == run_hash(read_json(a / "run.json"))
    stray = rows[0] | {"id": "stray", "run": run_hash(other)}
    with open(a / "results.jsonl", "a") as file:
        file.write(json.dumps(stray) + "\n")
    with pytest.raises(ValueError, match=f"row {len(rows) + 1} is of another run"):
        load_run(a)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"correct": True}, "row 1 says correct True where its reply and gold answer give False"),
        ({"answer": "2", "correct": True}, "row 1 says answer '2' where its reply and gold answer give '0', correct True where"),
        ({"answer": "2"}, "row 1 says answer '2'"),  # of several samples the answers are what is voted on
        ({"correct_strict": True}, "row 1 says correct_strict True"),
        ({"cut_off": True, "answer": None}, "row 1 says answer None where .* give '0', cut_off True where .* give False"),
        ({"gold": "0"}, "row 1 says correct False where its reply and gold answer give True"),
        ({"reply": "The answer is 2."}, "row 1 says answer '0' where its reply and gold answer give '2'"),
        ({"finish": "length"}, "row 1 says answer '0' where its reply and gold answer give None, cut_off False"),
        ({"correct": None}, "row 1 says correct None where"),
    ],
)
def test_a_verdict_that_does_not_follow_from_reply_and_gold_answer_is_refused(made, tmp_path, change, says):
    a, b = made("a", lambda n, _: says_of(n)), made("b", lambda n, _: says_of(n))
    rewrite(a / "results.jsonl", lambda n, row: row | (change if n == 0 else {}))
    for call in (lambda: compare_main([str(b), str(a)]), lambda: report_main([str(a), "--out", str(tmp_path / "report")]), lambda: made("a", lambda n, _: says_of(n))):
        with pytest.raises(SystemExit, match=says):
            call()
    assert not (tmp_path / "report").exists()


def test_a_verdict_without_its_reply_is_refused(made):
    a = made("a", lambda n, _: says_of(n))
    rewrite(a / "results.jsonl", lambda n, row: {key: value for key, value in row.items() if n or key != "reply"} | {"correct": True})
    with pytest.raises(ValueError, match="row 1 is no result of a run"):
        load_run(a)
    with pytest.raises(SystemExit, match="row 1 is no result of this run"):
        made("a", lambda n, _: says_of(n))


@pytest.mark.parametrize(
    "change, says",
    [
        # A forged verdict cannot hide behind evidence that is taken away.
        ({"gold": None, "correct": True}, "gold must be a text, not None"),
        ({"gold": "", "correct": True}, "its gold answer '' is no number"),
        ({"gold": "x", "correct": True}, "its gold answer 'x' is no number"),
        ({"reply": None, "correct": True}, "reply must be a text, not None"),
        ({"reply": 5}, "reply must be a text, not 5"),
        # What a row says of its problem is what the benchmark says.
        ({"gold": "0", "correct": True}, "row 1 says gold '0' where its benchmark has '2'"),
        ({"question": "How many?"}, "row 1 says question 'How many.' where its benchmark has 'Ana has 1"),
        ({"question": ""}, "row 1 says question '' where its benchmark has 'Ana has 1"),
        ({"meta": {"topic": "sums"}}, "row 1 says meta .* where its benchmark has {}"),
        # What is counted from the reply follows from it.
        ({"first_wrong_step": 1, "steps": 9}, "row 1 says first_wrong_step 1 where its reply and gold answer give None, steps 9 where"),
        ({"wrong_sums": 1}, "row 1 says wrong_sums 1"),
        ({"rule": "boxed"}, "row 1 says rule 'boxed'"),
        # Nothing but a sentence comes of a value of another kind.
        ({"tokens": "x"}, "tokens must be a whole number, not below 0, not 'x'"),
        ({"tokens": -1}, "tokens must be a whole number, not below 0, not -1"),
        ({"tokens": True}, "tokens must be a whole number, not below 0, not True"),
        ({"seconds": float("1e999")}, "is not JSON: Infinity is not a number"),
        ({"steps": "x"}, "steps must be a whole number"),
        ({"meta": [1]}, "meta must be an object"),
        ({"meta": None}, "meta must be an object"),
        ({"question": None}, "question must be a text"),
        ({"sample": "x"}, "sample must be a whole number"),
        ({"sample": -1}, "sample must be a whole number"),
        ({"sample": 1}, "sample 1 is none of the 1 that were asked for"),
        ({"finish": ["stop"]}, "finish must be one of stop, length, repeating, failed"),
        ({"id": 7}, "id must be a text"),
        ({"logprob": "x"}, "logprob must be a number"),
    ],
)  # fmt: skip
def test_nothing_is_computed_from_a_row_that_says_what_it_cannot_know(made, tmp_path, change, says):
    a, b = made("a", lambda n, _: says_of(n)), made("b", lambda n, _: says_of(n))
    rewrite(a / "results.jsonl", lambda n, row: row | (change if n == 0 else {}))
    for call in (lambda: compare_main([str(b), str(a)]), lambda: report_main([str(a), "--out", str(tmp_path / "report")]), lambda: made("a", lambda n, _: says_of(n))):
        with pytest.raises(SystemExit, match=says):
            call()


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("summary.json", "[1]", "summary.json is no summary"),
        ("summary.json", "[" * 200_000, "summary.json is not JSON"),
        ("readings.jsonl", '{"sample": 0}\n', "readings.jsonl: row 1 was not written by eval.run"),
        ("readings.jsonl", '{"id": "p1", "sample": 0, "reply": "", "math_verify": "yes"}\n', "readings.jsonl: row 1 was not written by eval.run"),
        ("votes.jsonl", '{"id": "p1", "votes": [3]}\n', "votes.jsonl: row 1 was not written by eval.run"),
        ("run.json", '{"engine": 3, "benchmark": "svamp", "sampling": {}}', "run.json is no record of a run"),
        ("run.json", '{"engine": "e", "benchmark": "svamp", "sampling": {"max_tokens": 5}, "mode": "cot"}', "run.json is no record of a run"),
        ("run.json", '{"engine": "e", "benchmark": "svamp", "sampling": {"max_tokens": 5}, "samples": "2"}', "samples must be a whole number"),
    ],
)
def test_a_file_of_a_run_that_holds_something_else_is_one_sentence(made, tmp_path, name, text, says):
    a, b = made("a", lambda n, _: says_of(n)), made("b", lambda n, _: says_of(n))
    (a / name).write_text(text)
    for call in (lambda: compare_main([str(b), str(a)]), lambda: report_main([str(a), "--out", str(tmp_path / "report")])):
        with pytest.raises(SystemExit, match=says):
            call()


def test_a_run_is_held_against_its_benchmark_where_this_is_the_one_that_it_asked(made, tmp_path):
    whole, part = made("a", lambda n, _: says_of(n)), made("b", lambda n, _: says_of(n), "--limit", "3")
    assert load_run(whole).held and load_run(part).held
    problems = (tmp_path / "pens.jsonl").read_text()
    (tmp_path / "pens.jsonl").write_text(problems.replace("pens", "pencils"))
    assert not load_run(whole).held
    (said,) = (warning for warning in collect([whole])["warnings"] if "could not be held against" in warning["text"])
    assert said["runs"] == ["a"]
    (tmp_path / "pens.jsonl").write_text(problems)
    assert not any("could not be held against" in warning["text"] for warning in collect([whole])["warnings"])


def says_of(n: int) -> str:
    return says(2 * n if n > 1 else 0)


@pytest.mark.promises(13)
def test_the_published_verdicts_follow_from_their_replies():
    """Whoever changes the reader of answers makes these records again: they are what the figures stand on."""
    for record in sorted([*ROOT.glob("evals/*/run.json"), *ROOT.glob("evals/*/*/run.json")]):
        if "benchmark" in read_json(record) and rows_file(record.parent):
            run = load_run(record.parent)
            counted = summarize(run.rows, run.readings)
            assert {key: run.summary[key] for key in ("n", "correct", "cut_off", "unparsed", "correct_strict", "correct_math_verify")}.items() <= counted.items()


@pytest.mark.parametrize("answer", [Fraction(5), Fraction(-7, 2), Fraction(1, 3), Fraction(-22, 7), Fraction(10**18), Fraction(123456789, 10**6), Fraction(0)])
@pytest.mark.parametrize("tolerance", [None, "1/1000"])
def test_the_verdict_that_a_run_writes_is_the_one_that_its_reader_works_out(answer, tolerance):
    problem = Problem("p", "q", answer, str(answer), meta={} if tolerance is None else {"tolerance": tolerance})
    for said in (answer, answer + Fraction(1, 2000), answer + 1):
        written = result_row(problem, Generation(f"The answer is {show(said)}.", 3, 0.0, "stop"))
        assert differing(written, "number", tolerance) == {}
        assert written["correct"] == (said == answer or tolerance is not None and said - answer < 1)


@pytest.mark.parametrize(
    "gains, expected",
    [
        ([[1, 1, 1], [1, 1, 0], [-1, 0, 0]], {"n": 3, "better": 2, "worse": 1, "p": 1.0}),
        ([[1, -1], [0, 0]], {"n": 2, "better": 0, "worse": 0, "p": 1.0}),
        ([[1, 1]] * 6, {"n": 6, "better": 6, "worse": 0, "p": 2 / 2**6}),
        ([[1], [1], [1]], None),  # each problem stands for itself
    ],
)
def test_instances_of_one_template_have_one_voice(gains, expected):
    pairs, problems = {}, []
    for family, group in enumerate(gains):
        for place, gain in enumerate(group):
            pairs[f"{family}-{place}"] = (gain < 0, gain > 0)
            problems.append(Problem(f"{family}-{place}", "q", Fraction(1), meta={"family": f"f{family}"}))
    assert compare_templates(pairs, problems) == (expected and pytest.approx(expected))


@pytest.mark.parametrize(
    "templates, says",
    [
        (None, "B is better"),
        ({"n": 20, "better": 9, "worse": 0, "p": 0.004}, "of 20 templates B solves more in 9 and fewer in 0, exact sign test p = 0.004: B is better"),
        ({"n": 2, "better": 2, "worse": 0, "p": 0.5}, "no difference that chance would not make"),
        ({"n": 20, "better": 1, "worse": 12, "p": 0.003}, "no difference that chance would not make"),  # one template outweighs the others
    ],
)
def test_a_comparison_of_templates_decides_where_there_are_some(templates, says):
    assert says in verdict_of({"difference": 0.1, "interval": [0.05, 0.15], "p": 1e-6, "templates": templates})


def test_what_differs_in_the_sampling_is_named(made):
    a, b = made("a", lambda n, _: says(2 * n)), made("b", lambda n, _: says(2 * n), "--no-calculator", "--max-tokens", "99")
    assert compare(load_run(a), load_run(b))["differs_in"] == ["engine", "revision", "sampling (max_tokens, calculator)"]


def test_figures_without_rows_are_held_against_the_readings_beside_them(made):
    a = made("a", lambda n, _: says(2 * n))
    (a / "results.jsonl").unlink()
    assert not any("readings.jsonl" in warning["text"] for warning in collect([a])["warnings"])
    write_json(a / "summary.json", read_json(a / "summary.json") | {"correct": 7})
    (said,) = (warning for warning in collect([a])["warnings"] if "does not agree with readings.jsonl" in warning["text"])
    assert said["runs"] == ["a (correct 7 instead of 8)"]


def test_two_replies_under_one_key_are_refused(made):
    a = made("a", lambda n, _: says(2 * n))
    rows = list(read_rows(a / "results.jsonl"))
    with open(a / "results.jsonl", "a") as file:
        file.write(json.dumps(rows[0]) + "\n")
    assert len(load_run(a).rows) == len(rows)  # the same line twice says nothing new
    with open(a / "results.jsonl", "a") as file:
        file.write(json.dumps(rows[0] | {"reply": "The answer is 99."}) + "\n")
    with pytest.raises(ValueError, match="is another reply to"):
        load_run(a)
