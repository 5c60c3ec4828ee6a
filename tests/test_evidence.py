"""The Evidence tab: figures from committed records, failures first, everything escaped."""

from __future__ import annotations

import json

import pytest

from mathtutor.strings import ENGLISH as strings
from ui import evidence as tab
from ui.records import Failure, Run, evidence, failures

RUN = Run("pocket-x", "pocket", "svamp", 1000, 226, 0.226, (0.2012, 0.2529), True, 1, 41, 54.6, "python -m eval.run --out evals/x")


def row(id_: str, sample: int, answer: str | None, correct: bool, question: str = "2 pens and 3 pens?", reply: str = "<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4.") -> dict:
    return {"id": id_, "sample": sample, "question": question, "reply": reply, "answer": answer, "gold": "5", "correct": correct}


def write_rows(path, rows) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))


@pytest.mark.promises(13)
def test_every_committed_evaluation_of_problems_is_shown_with_its_interval_and_command():
    found = evidence()
    shown = tab.results(found.runs)
    assert not found.missing and len(found.runs) >= 9
    for run in found.runs:
        assert f"{run.correct:,} / {run.n:,}" in shown and tab.percent(run.accuracy) in shown
        assert f"{tab.percent(run.interval[0])} – {tab.percent(run.interval[1])}" in shown
        assert "python -m eval.run" in run.command


def test_the_first_wrong_line_is_shown_as_it_was_measured_on_work_that_chose_no_weights():
    (where,) = evidence().locations
    assert f"{where.count:,} / {where.n:,}" in tab.locations([where]) and "--folds" in where.command


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("a", 0, "5", True)], []),
        ([row("a", 0, "4", False)], [("4", 1.0)]),
        ([row("a", 0, None, False)], []),  # no answer is no wrong answer
        ([row("a", 0, "4", False), row("a", 1, "4", False), row("a", 2, "5", True)], [("4", 2 / 3)]),
        ([row("a", 0, "4", False), row("a", 1, "5", True), row("a", 2, "5", True)], []),  # the majority is right
    ],
)
def test_a_failure_is_a_problem_whose_most_frequent_answer_is_wrong(tmp_path, rows, expected):
    write_rows(tmp_path / "results.jsonl", rows)
    assert [(f.answer, f.agree) for f in failures(tmp_path / "results.jsonl")] == expected


def test_failures_on_which_all_tries_agree_stand_first(tmp_path):
    torn = [row("torn", i, answer, False) for i, answer in enumerate(("4", "4", "3"))]
    sure = [row("sure", i, "4", False, question="a longer one: 2 pens and 3 pens and no more?") for i in range(3)]
    write_rows(tmp_path / "results.jsonl", torn + sure)
    assert [f.agree for f in failures(tmp_path / "results.jsonl")] == [1.0, 2 / 3]


def test_what_a_model_or_a_problem_says_is_escaped():
    card = tab.failure_card(Failure("<img onerror=x> $5 & {{y}}", "<script>1</script>", "<b>", "<i>", 1.0), tries=1)
    assert not any(tag in card for tag in ("<img", "<script", "<b>", "<i>")) and "$5 &amp; {{y}}" in card


def test_a_damaged_record_is_named_and_the_others_are_still_shown(tmp_path):
    for name, text in (("bad", "{"), ("odd", '{"accuracy": 1, "benchmark": "svamp"}')):
        (tmp_path / "evals" / name).mkdir(parents=True)
        (tmp_path / "evals" / name / "summary.json").write_text(text)
    found = evidence(tmp_path)
    assert [text.split(":")[0] for text in found.missing] == ["bad/summary.json", "odd/summary.json", "pocket/sft-log.jsonl", "pocket/data.json"]
    assert found.runs == [] and tab.intro(found)


def test_agreement_is_told_in_votes_with_the_accuracy_at_80_percent():
    line = {"agree": 4, "n": 50, "correct": 30, "accuracy": 0.6, "interval": [0.46, 0.72]}
    run = Run(**{**RUN.__dict__, "samples": 5, "agreement": (line,), "coverage": ({"coverage": 0.8, "n": 800, "accuracy": 0.3, "interval": [0.27, 0.33]},)})
    shown = tab.agreements([run])
    assert strings.EVIDENCE_AGREE.format(votes=4, tries=5) in shown and "60.0%" in shown and "30 / 50" in shown
    assert strings.EVIDENCE_COVERAGE.format(part="30.0%", n=800, all="22.6%") in shown
    assert tab.agreements([RUN]) == ""


def test_no_more_tries_agree_than_there_are():
    for run in evidence().runs:
        assert all(1 <= line["agree"] <= run.samples for line in run.agreement), run.folder


def test_the_picture_of_the_losses_says_its_figures_in_words():
    shown = tab.losses([(1_000_000, 0.8), (2_000_000, 0.6), (4_000_000, 0.5)])
    assert shown.count("<circle") == 3 and "0.800 after 1.0 million tokens, 0.500 after 4.0 million" in shown
    assert tab.losses([(1, 0.8)]) == ""
