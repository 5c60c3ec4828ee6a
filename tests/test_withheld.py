"""Runs on test sets, published reply by reply without the problems: all figures stay, and who has the set has all of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eval import withheld
from eval.compare import compare
from eval.compare import main as compare_main
from eval.records import load_run, run_hash
from eval.report import main as report_main
from eval.rerank import main as rerank_main
from eval.run import main as run_main
from eval.score import main as score_main
from eval.withheld import main as withhold_main
from eval.withheld import restore, withhold
from mathtutor.io import read_json, read_rows, write_rows
from mathtutor.sources import DATA_VARIABLE

PROBLEMS = [{"id": f"p{n}", "question": f"Zoltan has {n} pens and buys {n}. How many?", "answer": 2 * n} for n in range(1, 7)]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """made(name, wrong): a run of six problems by a script that fails on those of `wrong`, its rows withheld."""
    write_rows(tmp_path / "pens.jsonl", PROBLEMS)
    monkeypatch.setattr(withheld, "questions_of", lambda benchmark: {})

    def make(name: str, wrong: tuple[int, ...] = (), keep: bool = False, more: tuple[str, ...] = ()) -> Path:
        script = tmp_path / f"{name}.json"
        script.write_text(json.dumps({row["question"]: f"The answer is {0 if n in wrong else 2 * n}." for n, row in enumerate(PROBLEMS, start=1)}))
        run_main(["--benchmark", f"file:{tmp_path / 'pens.jsonl'}", "--engine", f"scripted:{script}", "--out", str(tmp_path / name), *more])
        withhold_main([str(tmp_path / name)])
        if not keep:
            (tmp_path / name / "results.jsonl").unlink()
        return tmp_path / name

    return make


def test_a_withheld_row_has_everything_but_the_problem(made):
    folder = made("a", keep=True)
    text = (folder / "replies.jsonl").read_text()
    assert "Zoltan" not in text and len(text.splitlines()) == len(PROBLEMS)
    for whole, row in zip(read_rows(folder / "results.jsonl"), read_rows(folder / "replies.jsonl"), strict=True):
        assert {key: row[key] for key in whole.keys() - {"question", "prompt"}} == {key: whole[key] for key in whole.keys() - {"question", "prompt"}}
        assert row["prompt"] == whole["prompt"].replace(whole["question"], "{question}")
        (back,) = restore([row], {whole["id"]: whole["question"]})
        assert back == whole
        (other,) = restore([row], {whole["id"]: "Another question?"})
        assert other["question"] == "" and other["prompt"] == row["prompt"]


def test_every_figure_is_the_same_without_the_problems(made, capsys):
    a, b = made("a", (1, 2)), made("b", (2, 3, 4), keep=True)
    without = compare(load_run(a), load_run(b))  # one with and one without its questions
    (b / "results.jsonl").unlink()
    assert {key: value for key, value in compare(load_run(a), load_run(b)).items() if "items" not in key} == {key: value for key, value in without.items() if "items" not in key}
    assert (without["fixed"], without["broken"], without["correct"]) == (1, 2, [4, 3])
    assert load_run(a).summary["correct"] == 4 and not load_run(a).stale
    capsys.readouterr()
    score_main([str(a / "replies.jsonl"), "--json"])
    assert json.loads(capsys.readouterr().out)[0]["correct"] == 4
    compare_main([str(a), str(b)])
    assert "fixed p1" in capsys.readouterr().out


def test_a_report_tells_which_items_it_cannot_show(made, tmp_path):
    a = made("a", (1,))
    report_main([str(a), "--out", str(tmp_path / "report")])
    text = (tmp_path / "report" / "report.html").read_text()
    assert "rows were not kept" not in text and "texts of the problems are not in the record" in text and DATA_VARIABLE in text


def test_the_questions_come_back_where_the_set_is_at_hand(made, tmp_path, monkeypatch):
    a = made("a", (1,))
    monkeypatch.setattr(withheld, "questions_of", lambda benchmark: {row["id"]: row["question"] for row in PROBLEMS})
    assert [row["question"] for row in load_run(a).rows] == [row["question"] for row in PROBLEMS]


def test_nothing_is_fetched_for_a_question(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(withheld, "load_benchmark", lambda name: pytest.fail("it must not be loaded"))
    withheld.questions_of.cache_clear()
    assert withheld.questions_of("gsm8k") == {}
    withheld.questions_of.cache_clear()


def test_rows_of_another_run_are_refused_here_too(made):
    a, b = made("a"), made("b")
    shutil.copy(b / "replies.jsonl", a / "replies.jsonl")
    with pytest.raises(ValueError, match="replies.jsonl: row 1 is of another run"):
        load_run(a)


def test_a_model_is_not_asked_about_problems_that_are_not_there(made, monkeypatch):
    a = made("a", more=("--samples", "2", "--temperature", "1"))
    monkeypatch.setattr("eval.rerank.LanguageModelScorer", lambda spec, thinking: type("S", (), {"name": spec, "revision": ""})())
    with pytest.raises(SystemExit, match=f"12 rows without their questions: let {DATA_VARIABLE} name"):
        rerank_main([str(a), "--scorer", "pocket"])


@pytest.mark.parametrize("damage, says", [("summary.json", "has no summary.json"), ("results.jsonl", "results.jsonl")])
def test_only_a_finished_run_is_published(made, damage, says):
    a = made("a", keep=True)
    (a / damage).unlink()
    with pytest.raises(SystemExit, match=says):
        withhold_main([str(a)])


@pytest.mark.parametrize("prompt, kept", [("<user>How many?<end>", "<user>{question}<end>"), ("<user>how  many<end>", ""), ("", "")])
def test_a_prompt_does_not_give_the_question_away(prompt, kept):
    assert withhold({"id": "a", "question": "How many?", "prompt": prompt})["prompt"] == kept


def test_a_prompt_that_could_not_be_put_back_is_refused():
    with pytest.raises(ValueError, match="the prompt of a holds {question} itself"):
        withhold({"id": "a", "question": "q", "prompt": "{question} q"})


def test_the_committed_records_hold_no_problem_of_a_test_set():
    found = [path for path in Path(__file__).resolve().parents[1].glob("evals/**/replies.jsonl")]
    assert found
    for path in found:
        rows, stamp, summary = list(read_rows(path)), read_json(path.parent / "run.json"), read_json(path.parent / "summary.json")
        assert all("question" not in row and "question_sha256" in row for row in rows)
        # Whoever makes a run again and forgets eval.withheld leaves the rows of the run before.
        assert {row["run"] for row in rows} == {run_hash(stamp)}, path
        assert (summary["n"], summary["correct"]) == (len(rows), sum(row["correct"] for row in rows)), path
