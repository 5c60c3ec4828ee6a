"""The measure of first wrong lines: what it counts, that it resumes, and that no text of the data set is kept."""

from __future__ import annotations

import json
import runpy

import pytest

from eval import locate
from mathtutor.tutoring import diagnosis

ROWS = [
    {
        "problem": f"Zebulon has {n} pens. He loses 5 and then buys 9. How many pens has he now?",
        "reference_solution": f"He has {n} - 5 = {n - 5} pens left.\nThen he has {n - 5} + 9 = {n + 4} pens.\n {n + 4}",
        "student_incorrect_solution": [f"He has {n} - 5 = {n - 5} pens left.", f"Then he has {n - 5} - 9 = {n - 14} pens.", f" {n - 14}"],
        "incorrect_index": 1,
        "error_category": "Misunderstanding of a question",
        "student_correct_response": f"He loses 5, so {n} - 5 = {n - 5} are left. He buys 9, so {n - 5} + 9 = {n + 4}.",
    }
    for n in range(20, 32)
]


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "stepverify"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text(json.dumps(ROWS), encoding="utf-8")
    monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path / "data"))
    return tmp_path


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_found_lines_are_counted_with_an_interval_and_no_text_is_kept(data):
    out = data / "out"
    locate.main(["--out", str(out)])
    told = summary(out)
    assert (told["n"], told["exact"], told["exact_rate"]) == (12, 12, 1.0) and told["exact_interval"][0] < 1
    assert "Zebulon" not in (out / "results.jsonl").read_text() + (out / "summary.json").read_text()


def test_a_run_that_was_cut_off_goes_on_and_another_setting_is_refused(data):
    out = data / "out"
    locate.main(["--out", str(out)])
    rows = out / "results.jsonl"
    whole = rows.read_text()
    rows.write_text("".join(whole.splitlines(keepends=True)[:5]) + '{"id": "torn')
    locate.main(["--out", str(out)])
    assert rows.read_text() == whole
    with pytest.raises(SystemExit, match="another run"):
        locate.main(["--out", str(out), "--data", "stepverify-right"])


@pytest.mark.parametrize("name", ["stepverify-right", "stepverify-begun"])
def test_right_work_raises_no_alarm(data, name):
    locate.main(["--out", str(data / name), "--data", name])
    assert summary(data / name)["alarms"] == 0 and summary(data / name)["n"] == 12


def test_folds_judge_each_problem_by_the_others(data):
    shipped = diagnosis.WEIGHTS
    locate.main(["--out", str(data / "folds"), "--folds", "3"])
    assert summary(data / "folds")["exact"] == 12 and diagnosis.WEIGHTS is shipped


def test_weights_are_written_as_a_module(data):
    target = data / "weights.py"
    locate.main(["--fit", str(target)])
    written = runpy.run_path(str(target))
    assert isinstance(written["BIAS"], float) and written["WEIGHTS"]["sum as in solution"] < 0


def test_own_solutions_stand_in_where_the_engine_is_right(data):
    script = data / "replies.json"
    script.write_text(json.dumps({
        row["problem"]: f"<think>\nStep 1: {n} - 5 = {n - 5}\nStep 2: {n - 5} + 9 = {n + 4}\n</think>\n\nThe answer is {n + 4 if n % 2 else 1}."
        for n, row in enumerate(ROWS, 20)
    }))  # fmt: skip
    locate.main(["--out", str(data / "own"), "--engine", f"scripted:{script}"])
    assert summary(data / "own")["own_solutions"] == 6 and summary(data / "own")["exact"] == 12


def test_another_model_under_the_same_name_is_another_run(data):
    script = data / "replies.json"
    script.write_text(json.dumps({row["problem"]: "The answer is 1." for row in ROWS}))
    call = ["--out", str(data / "own"), "--engine", f"scripted:{script}", "--limit", "2"]
    locate.main(call)
    assert summary(data / "own")["n"] == 2
    script.write_text(json.dumps({row["problem"]: "The answer is 2." for row in ROWS}))
    with pytest.raises(SystemExit, match="another run"):
        locate.main(call)


@pytest.mark.parametrize("args, says", [
    ([], "--out names"),
    (["--out", "x", "--folds", "1"], "--folds"),
    (["--out", "x", "--folds", "3", "--data", "qwen"], "--folds"),
    (["--out", "x", "--limit", "0"], "--limit must be at least 1"),
    (["--out", "x", "--limit", "-11"], "--limit must be at least 1"),
    (["--fit", "x", "--limit", "5"], "--fit weighs"),
])  # fmt: skip
def test_a_wrong_call_stops_with_one_sentence(data, args, says):
    with pytest.raises(SystemExit, match=says):
        locate.main(args)
