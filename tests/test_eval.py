"""Measuring: benchmark files, evidence that survives a kill, figures that follow from the rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from eval import benchmarks
from eval.benchmarks import BENCHMARKS, load_benchmark, load_file
from eval.intervals import wilson
from eval.metrics import summarize
from eval.run import main as run_main
from eval.run import result_row
from eval.run import run as run_all
from eval.score import main as score_main
from mathtutor.bank import split_of
from mathtutor.chat import render_prompt, render_target
from mathtutor.engines import Generation, Sampling
from mathtutor.engines.hf import HFEngine
from mathtutor.engines.openai import EngineError
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import Journal, read_json, read_rows
from mathtutor.maths.answers import READINGS
from mathtutor.maths.arithmetic import show
from mathtutor.sources import DATA_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get(DATA_VARIABLE, ROOT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "gsm8k").is_dir(), reason=f"needs the public sets in {DATA_VARIABLE}"
)


def write_lines(path: Path, rows: list) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


# --- benchmark files


@pytest.mark.parametrize(
    "row, question, answer",
    [
        ({"question": "How many?", "answer": "5"}, "How many?", Fraction(5)),
        ({"problem": "How many?", "answer": 5}, "How many?", Fraction(5)),
        ({"input": "How many?", "target": "3 + 2 = 5\n#### 5"}, "How many?", Fraction(5)),
        ({"question": "How many?", "target": -2.5}, "How many?", Fraction(-5, 2)),
        ({"question": "How many?", "answer": 0}, "How many?", Fraction(0)),
        ({"question": "How many?", "answer": "#### 1,234"}, "How many?", Fraction(1234)),
        ({"question": "How many?", "answer": "1/3"}, "How many?", Fraction(1, 3)),
        ({"question": "How many?", "answer": None, "target": "7"}, "How many?", Fraction(7)),
        ({"question": None, "input": "How many?", "answer": "7"}, "How many?", Fraction(7)),
        ({"id": 12, "question": "How many?", "answer": "7", "extra": [1]}, "How many?", Fraction(7)),
    ],
)
def test_a_row_of_a_file_is_a_problem(tmp_path, row, question, answer):
    (problem,) = load_file(write_lines(tmp_path / "mine.jsonl", [row]))
    assert (problem.question, problem.answer, problem.source) == (question, answer, "mine")
    assert problem.id == str(row.get("id", 0))


@pytest.mark.parametrize(
    "rows, says",
    [
        ([{"question": "q", "answer": "5"}, {"question": "q"}], "row 2 needs a text under question or problem or input"),
        ([{"answer": "5", "text": "q"}], "row 1 needs .* it has answer, text"),
        ([{"question": 5, "answer": "5"}], "row 1 needs a text"),
        ([{"question": "q", "answer": "many"}], "row 1: no number can be read from the answer 'many'"),
        *(([{"question": "q", "answer": gold}], "row 1: the answer .* is a formula") for gold in ("$\\frac12$", "\\frac{1}{2}", "2^{10}", "$2x$")),
        *(([{"question": "q", "answer": gold}], "row 1: no number can be read") for gold in ("2x", "3i", "5 pi", "5!", "1.5K", "x > 3", "log 2")),
        ([{"question": "q", "answer": True}], "row 1: no number can be read from the answer True"),
        ([{"question": "q", "answer": ""}], "row 1: no number can be read"),
        ([{"id": "a", "question": "q", "answer": 1}, {"id": "a", "question": "r", "answer": 2}],
         "the id 'a' stands twice, again in row 2"),
        ([{"question": "q", "answer": 1}, "{not json"], r"mine.jsonl:2 is not JSON"),
        ([{"question": "q", "answer": 1}, "[1]"], r"mine.jsonl:2 must be a JSON object"),
        ([], "holds no problem"),
        ([{"question": " \n", "answer": 1}], "row 1 needs a text under"),
        ([{"question": "q", "answer": {"value": 7}}], "row 1: the answer must be a number or a text"),
        ([{"question": "q", "answer": [7]}], "row 1: the answer must be a number or a text"),
        (['{"question": "q", "answer": 1e999}'], "row 1: no number can be read from the answer inf"),
        ([{"question": "q \ud800", "answer": 1}], "mine.jsonl:1 holds half a character"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_benchmark_is_refused_with_its_row(tmp_path, rows, says):
    path = write_lines(tmp_path / "mine.jsonl", rows)
    with pytest.raises(ValueError, match=says):
        load_benchmark(f"file:{path}")


def test_rows_without_an_id_are_numbered_also_beside_an_empty_one(tmp_path):
    rows = [{"question": "q", "answer": n, "id": None} for n in range(3)]
    assert [p.id for p in load_file(write_lines(tmp_path / "a.jsonl", rows))] == ["0", "1", "2"]


def test_an_unknown_benchmark_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="use gsm8k, svamp, bank, bank-known, gsm8k-platinum, .* or file:PATH.jsonl"):
        load_benchmark("gsm9k")


@pytest.mark.parametrize("name, split", [("bank", "held-out"), ("bank-known", "train")])
def test_the_bank_benchmarks_stay_on_their_side_of_the_split(name, split):
    problems = load_benchmark(name, 60)
    assert len(problems) == 60 == len({problem.id for problem in problems})
    assert {split_of(problem.meta["family"]) for problem in problems} == {split}
    assert load_benchmark(name, 60) == problems


# --- gold against gold


def wrong_ids(problems, replies, key: str) -> set[str]:
    rows = [
        result_row(p, Generation(reply, 1, 0.0, "stop")) for p, reply in zip(problems, replies, strict=True)
    ]
    return {row["id"] for row in rows if not row[key]}


@needs_data
@pytest.mark.parametrize("name, size", [("gsm8k", 1319), ("svamp", 1000)])
def test_gold_answers_score_a_hundred_percent(monkeypatch, name, size):
    monkeypatch.setenv(DATA_VARIABLE, str(DATA))
    problems = load_benchmark(name)
    assert len(problems) == size
    assert (
        wrong_ids(problems, [render_target(["So be it."], show(p.answer)) for p in problems], "correct")
        == set()
    )
    if name == "gsm8k":  # whose gold is a whole solution: "... #### 18"
        assert wrong_ids(problems, [p.gold for p in problems], "correct_strict") == set()
        assert wrong_ids(problems, [p.gold for p in problems], "correct") == set()


# --- a run

PROBLEMS = [
    {"id": f"p{n}", "question": f"Ana has {n} pens and buys {n}. How many?", "answer": 2 * n}
    for n in range(1, 13)
]


def reply_to(n: int) -> str:
    """A reply for problem n: most are right, and every kind of failure occurs."""
    thinking = f"<think>\nStep 1: Ana has {n} + {n} = {2 * n} pens.\n</think>\n\n"
    return {
        1: thinking + "The answer is 3.",
        2: thinking.replace(" = 4", " = 5") + "The answer is 4.",  # right, with a wrong sum
        3: "<think>\nStep 1: Ana has",  # never closed
        4: thinking + "I cannot say.",
        5: thinking + "The answer is 10. " + "And on and on. " * 20,  # longer than the limit
        6: thinking + "#### 12",
    }.get(n, thinking + f"The answer is {2 * n}.")


@pytest.fixture
def files(tmp_path):
    """(benchmark name, engine spec) of twelve problems and a script that knows them."""
    benchmark = write_lines(tmp_path / "pens.jsonl", PROBLEMS)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({row["question"]: reply_to(n) for n, row in enumerate(PROBLEMS, start=1)}))
    return f"file:{benchmark}", f"scripted:{script}"


def arguments(files, out: Path, *more: str) -> list[str]:
    return ["--benchmark", files[0], "--engine", files[1], "--out", str(out), "--max-tokens", "40", *more]


def test_a_row_holds_all_the_evidence(files, tmp_path):
    run_main(arguments(files, tmp_path / "out"))
    rows = {row["id"]: row for row in read_rows(tmp_path / "out" / "results.jsonl")}
    assert list(rows) == [row["id"] for row in PROBLEMS]
    row = rows["p7"]
    assert row["seconds"] >= 0
    expected = {
        "id": "p7", "question": PROBLEMS[6]["question"], "prompt": render_prompt(PROBLEMS[6]["question"]),
        "reply": reply_to(7), "answer": "14", "gold": "14", "correct": True, "correct_strict": False,
        "cut_off": False, "finish": "stop", "first_wrong_step": None, "tokens": len(reply_to(7).split()), "sample": 0, "seed": None, "steps": 1, "wrong_sums": 0,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert row.keys() - expected.keys() == {"seconds", "rule", "run"}
    verdicts = {name: (row["answer"], row["correct"], row["cut_off"]) for name, row in rows.items()}
    assert verdicts["p1"] == ("3", False, False)
    assert verdicts["p2"] == ("4", True, False) and rows["p2"]["first_wrong_step"] == 1
    assert verdicts["p3"] == (None, False, True)
    assert verdicts["p4"] == (None, False, False)
    assert (
        verdicts["p5"] == (None, False, True)
        and rows["p5"]["finish"] == "length"
        and rows["p5"]["tokens"] == 40
    )
    assert verdicts["p6"] == ("12", True, False) and rows["p6"]["correct_strict"]


def test_every_figure_of_the_summary_follows_from_the_rows(files, tmp_path, capsys):
    argv = arguments(files, tmp_path / "out")
    run_main(argv)
    printed = capsys.readouterr().out
    summary, rows = (
        read_json(tmp_path / "out" / "summary.json"),
        list(read_rows(tmp_path / "out" / "results.jsonl")),
    )
    assert (summary["n"], summary["correct"], summary["accuracy"]) == (12, 8, 8 / 12)
    assert (summary["cut_off"], summary["unparsed"], summary["wrong_sums"], summary["correct_strict"]) == (
        2,
        1,
        1,
        1,
    )
    assert summary["tokens"] == sum(row["tokens"] for row in rows)
    assert summary["seconds"] == round(sum(row["seconds"] for row in rows), 2)
    assert summary["interval"] == list(wilson(8, 12))
    assert (summary["engine"], summary["benchmark"]) == (files[1], files[0])
    assert summary["calculator"] is False  # a script does no sums, whatever was asked
    assert (
        summary["command"].startswith("python -m eval.run --benchmark")
        and str(tmp_path / "out") in summary["command"]
    )
    assert "8 of 12 right = 66.7%" in printed and "2 (16.7%) cut off, 1 (8.3%) without an answer" in printed
    assert "raise --max-tokens" in printed


def test_scoring_the_rows_again_gives_the_figures_of_the_summary(files, tmp_path, capsys):
    run_main(arguments(files, tmp_path / "out"))
    capsys.readouterr()
    score_main([str(tmp_path / "out" / "results.jsonl"), "--json"])
    (score,), summary = json.loads(capsys.readouterr().out), read_json(tmp_path / "out" / "summary.json")
    for key in ("n", "correct", "accuracy", "interval", "cut_off", "unparsed", "failed"):
        assert score[key] == summary[key], key


def test_a_limit_takes_the_first_problems(files, tmp_path):
    run_main(arguments(files, tmp_path / "out", "--limit", "3"))
    assert [row["id"] for row in read_rows(tmp_path / "out" / "results.jsonl")] == ["p1", "p2", "p3"]
    assert read_json(tmp_path / "out" / "summary.json")["n"] == 3


# Plays the script and is killed, without any chance to tidy up, when it is asked the problem after `kill_at`.
KILLED = """
import os, signal, sys
from mathtutor.engines.scripted import ScriptedEngine
play, asked = ScriptedEngine.stream, []
def stream(self, *arguments):
    asked.append(1)
    if len(asked) > int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    yield from play(self, *arguments)
ScriptedEngine.stream = stream
from eval.run import main
main(sys.argv[2:])
"""


def without_seconds(folder: Path) -> tuple[list[str], dict]:
    """(rows as sorted JSON texts, summary), both without what differs from run to run."""
    rows = [
        json.dumps({k: v for k, v in row.items() if k != "seconds"})
        for row in read_rows(folder / "results.jsonl")
    ]
    summary = read_json(folder / "summary.json")
    return sorted(rows), {k: v for k, v in summary.items() if k not in ("seconds", "command")}


@pytest.mark.parametrize("kill_at, torn", [(0, ""), (5, ""), (11, '{"id": "p12", "question": "An')])
def test_a_run_killed_and_started_again_ends_as_an_unbroken_one(files, tmp_path, capsys, kill_at, torn):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    run_main(arguments(files, unbroken))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(kill_at), *arguments(files, broken)], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert (
        len(list(read_rows(broken / "results.jsonl"))) == kill_at and not (broken / "summary.json").exists()
    )
    with open(broken / "results.jsonl", "a") as file:
        file.write(torn)
    capsys.readouterr()
    run_main(arguments(files, broken))
    assert (f"{kill_at} of 12 are there already" in capsys.readouterr().out) is (kill_at > 0)
    assert without_seconds(broken) == without_seconds(unbroken)


def test_a_finished_run_asks_nothing_when_it_is_started_again(files, tmp_path):
    run_main(arguments(files, tmp_path / "out"))
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    run_main(arguments(files, tmp_path / "out"))
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "change, says",
    [
        (("--engine", "scripted:{other}"), "another engine, revision"),
        (("--benchmark", "file:{copy}"), "another benchmark:"),
        (("--limit", "4"), "another choice of problems"),
        (("--temperature", "0.5"), r"another sampling \(temperature\)"),
        (("--seed", "3"), r"another sampling \(seed\)"),
        (("--no-calculator",), "another sampling"),
    ],
)
def test_a_folder_holds_one_run(files, tmp_path, change, says):
    (tmp_path / "other.json").write_text(json.dumps({row["question"]: "The answer is 1." for row in PROBLEMS}))
    write_lines(tmp_path / "copy.jsonl", PROBLEMS)
    places = {"other": tmp_path / "other.json", "copy": tmp_path / "copy.jsonl"}
    run_main(arguments(files, tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(SystemExit, match=says):
        run_main(arguments(files, tmp_path / "out", *(part.format(**places) for part in change)))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_refused_run_leaves_nothing_in_a_folder_of_figures_alone(files, tmp_path):
    run_main(arguments(files, tmp_path / "out"))
    (tmp_path / "out" / "results.jsonl").unlink()  # as published: the rows are not ours to copy
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    with pytest.raises(SystemExit, match="another sampling"):
        run_main(arguments(files, tmp_path / "out", "--seed", "3"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before


@pytest.mark.parametrize(
    "change, says",
    [
        (("--engine", "gpt"), "unknown engine 'gpt'"),
        (("--engine", "scripted:nowhere.json"), "cannot be read"),
        (("--benchmark", "gsm9k"), "unknown benchmark 'gsm9k'"),
        (("--benchmark", "file:nowhere.jsonl"), "nowhere.jsonl"),
        (("--limit", "0"), "--limit must be at least 1"),
        (("--max-tokens", "0"), "max_tokens must be at least 1"),
        (("--temperature", "-1"), "temperature must be 0"),
        (("--top-p", "2", "--temperature", "1"), "top_p must lie"),
        (("--seed", "-1"), "--seed must lie in 0 to"),
        (("--engine", "scripted:{list}"), "a list of replies cannot be resumed: write an object problem -> reply"),
        (("--engine", "scripted:{short}"), "the script holds no reply to 'Ana has 2 pens"),
    ],
)
def test_a_wrong_argument_is_answered_with_a_sentence(files, tmp_path, change, says):
    (tmp_path / "list.json").write_text(json.dumps(["The answer is 1."]))
    (tmp_path / "short.json").write_text(json.dumps({PROBLEMS[0]["question"]: "The answer is 1."}))
    places = {"list": tmp_path / "list.json", "short": tmp_path / "short.json"}
    with pytest.raises(SystemExit, match=says):
        run_main(arguments(files, tmp_path / "out", *(part.format(**places) for part in change)))
    assert not (tmp_path / "out").exists()


def test_a_server_that_fails_halfway_leaves_what_was_answered(files, tmp_path, monkeypatch):
    play, asked = ScriptedEngine.stream, []

    def stream(self, *args):
        asked.append(args)
        if len(asked) > 2:
            raise EngineError("the server did not answer")
        return play(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ScriptedEngine, "stream", stream)
        with pytest.raises(SystemExit, match="did not answer\nWhat was answered is kept"):
            run_main(arguments(files, tmp_path / "out"))
    assert len(list(read_rows(tmp_path / "out" / "results.jsonl"))) == 2
    run_main(arguments(files, tmp_path / "out"))
    assert read_json(tmp_path / "out" / "summary.json")["n"] == 12


def fail_on(monkeypatch, *ids: str) -> list[str]:
    """The script fails on these problems as a server does; returns the list of all that was asked."""
    asked, play = [], ScriptedEngine.replies

    def replies(self, conversations, sampling, stop=None):
        for index, generation in play(self, conversations, sampling, stop):
            asked.append(next(r["id"] for r in PROBLEMS if r["question"] == conversations[index][-1]["content"]))
            if asked[-1] in ids:
                generation = Generation("The answer is", 3, 0.0, "failed")
            yield index, generation

    monkeypatch.setattr(ScriptedEngine, "replies", replies)
    return asked


def test_a_problem_that_failed_is_counted_and_asked_again(files, tmp_path, monkeypatch, capsys):
    out, whole = tmp_path / "out", tmp_path / "whole"
    run_main(arguments(files, whole))
    with monkeypatch.context() as patch:
        fail_on(patch, "p7", "p12")
        run_main(arguments(files, out))
    summary = read_json(out / "summary.json")
    assert [summary[key] for key in ("n", "correct", "failed", "unparsed", "cut_off")] == [12, 6, 2, 1, 2]
    assert "2 failed and count as wrong: run the same command" in capsys.readouterr().out
    row = next(row for row in read_rows(out / "results.jsonl") if row["id"] == "p7")
    assert [row[key] for key in ("finish", "correct", "correct_strict", "answer", "cut_off")] == [
        "failed", False, False, None, False,
    ]  # fmt: skip
    score_main([str(out / "results.jsonl"), "--json"])
    (score,) = json.loads(capsys.readouterr().out)
    assert all(score[key] == summary[key] for key in ("n", "correct", "failed", "unparsed", "cut_off"))
    asked = fail_on(monkeypatch)
    run_main(arguments(files, out))
    assert asked == ["p7", "p12"]
    assert without_seconds(out) == without_seconds(whole)


def test_half_a_character_in_a_reply_is_kept_as_a_replacement(tmp_path):
    problem = load_file(write_lines(tmp_path / "a.jsonl", PROBLEMS[:1]))[0]
    row = result_row(problem, Generation("\ud83d\ude00 \ud800 The answer is 2.", 1, 0.0, "stop"))
    assert row["reply"] == "\U0001f600 \ufffd The answer is 2." and row["correct"]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_run_in_batches_ends_the_same_wherever_it_is_killed(tiny_model_folder, tmp_path, temperature):
    """A sampled reply depends on its batch, so a batch of which a row is missing is asked whole."""
    engine = HFEngine(str(tiny_model_folder), device="cpu", batch_size=4)
    problems = [replace(p, question=p.question + " Why?" * (n % 3)) for n, p in enumerate(
        load_file(write_lines(tmp_path / "a.jsonl", PROBLEMS[:10])))]  # fmt: skip
    sampling = Sampling(max_tokens=8, temperature=temperature, seed=3)

    class Killed(Journal):
        def append(self, row):
            if len(self.rows) == self.limit:
                raise KeyboardInterrupt
            super().append(row)

    def rows_of(path: Path) -> dict[str, str]:
        rows = list(read_rows(path))
        assert len(rows) == len(problems)
        return {row["id"]: row["reply"] for row in rows}

    with Journal(tmp_path / "whole.jsonl") as journal:
        run_all(engine, problems, sampling, journal)
    expected = rows_of(tmp_path / "whole.jsonl")
    for limit in (1, 4, 6, 9):
        with Killed(tmp_path / f"{limit}.jsonl") as journal, pytest.raises(KeyboardInterrupt):
            journal.limit = limit
            run_all(engine, problems, sampling, journal)
        with Journal(tmp_path / f"{limit}.jsonl") as journal:
            assert len(journal.rows) == limit
            run_all(engine, problems, sampling, journal)
        assert rows_of(tmp_path / f"{limit}.jsonl") == expected
    with Journal(tmp_path / "other.jsonl") as journal:
        run_all(engine, problems, replace(sampling, seed=4), journal)
    assert (rows_of(tmp_path / "other.jsonl") == expected) is (temperature == 0)


def test_an_out_that_is_a_file_is_told(files, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit, match="exists"):
        run_main(arguments(files, tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"


def test_a_full_disk_is_told_and_the_rows_are_kept(files, tmp_path, monkeypatch):
    append = Journal.append

    def full(self, row):
        if len(self.rows) == 5:
            raise OSError(28, "No space left on device")
        append(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        with pytest.raises(SystemExit, match="(?s)the disk is full .*No space left on device.*free some space.*What was answered is kept"):
            run_main(arguments(files, tmp_path / "out"))
    run_main(arguments(files, tmp_path / "out"))
    assert read_json(tmp_path / "out" / "summary.json")["n"] == 12


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("run.json", "{", "run.json is not JSON"),
        ("run.json", "[1]", "run.json is no record of a run"),
        ("run.json", "{}", r"another engine, revision, benchmark, choice of problems \(--limit, or a set that was changed\), sampling"),
        ("run.json", None, "holds results without a run.json"),
        ("results.jsonl", '{"id": "p1"}\n', "row 1 is no result of this run"),
        ("results.jsonl", '{"id": ["p1"]}\n', "row 1 is no result of this run"),
        ("results.jsonl", "{\n", "results.jsonl:1 is not JSON"),
    ],
)
def test_a_damaged_folder_is_refused_and_left_alone(files, tmp_path, name, text, says):
    run_main(arguments(files, tmp_path / "out"))
    file = tmp_path / "out" / name
    file.unlink() if text is None else file.write_text(text)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(SystemExit, match=says):
        run_main(arguments(files, tmp_path / "out"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_two_runs_never_share_a_folder_at_once(files, tmp_path):
    with Journal(tmp_path / "out" / "results.jsonl"):
        with pytest.raises(SystemExit, match="in use by another run"):
            run_main(arguments(files, tmp_path / "out"))


# --- scoring files

OURS = [
    {"reply": "<think>\nStep 1: 5 * 2 = 10\n</think>\n\nThe answer is 10.", "gold": "10"},
    {"reply": "<think>\nStep 1: 5 * 2 = 10", "gold": "10"},
]
Q06 = [
    {
        "id": 0,
        "question": "q",
        "model_output": "5 * 2 = 10\n\n#### 10",
        "ground_truth_answer": "5*2=<<5*2=10>>10\n#### 10",
    },
    {"id": 1, "question": "q", "model_output": "The answer is ,.", "ground_truth_answer": "#### 1,000"},
]


@pytest.mark.parametrize(
    "rows, reading, correct, unparsed, cut_off, crashes",
    [
        (OURS, "robust", 1, 0, 1, 0),
        (OURS, "strict", 0, 2, 0, 0),  # no "####" in either
        (OURS, "synth", 2, 0, 0, 0),  # the published reader takes the number of an unfinished reply
        (OURS, "q06", 2, 0, 0, 0),
        (Q06, "robust", 1, 1, 0, 0),
        (Q06, "strict", 1, 1, 0, 0),
        (Q06, "synth", 1, 0, 0, 1),  # float(",") raises in the published code
        (Q06, "q06", 1, 1, 0, 0),
    ],
)
def test_a_file_is_scored_under_each_reading(
    tmp_path, capsys, rows, reading, correct, unparsed, cut_off, crashes
):
    path = write_lines(tmp_path / "two.jsonl", rows)
    score_main([path, "--reading", reading, "--json"])
    (score,) = json.loads(capsys.readouterr().out)
    expected = {
        "file": path, "reading": reading, "n": 2, "correct": correct, "accuracy": correct / 2,
        "interval": pytest.approx(wilson(correct, 2)), "unparsed": unparsed, "cut_off": cut_off, "crashes": crashes,
        "failed": 0, "problems": 2,
    }  # fmt: skip
    assert {key: score[key] for key in expected} == expected


def test_several_files_are_scored_in_their_order(tmp_path, capsys):
    paths = [write_lines(tmp_path / "a.jsonl", OURS), write_lines(tmp_path / "b.jsonl", Q06[:1])]
    score_main([*paths, "--json"])
    assert [(s["file"], s["n"]) for s in json.loads(capsys.readouterr().out)] == [
        (paths[0], 2),
        (paths[1], 1),
    ]
    score_main(paths)
    printed = capsys.readouterr().out
    assert "robust: 1 of 2 right = 50.00%" in printed and "robust: 1 of 1 right = 100.00%" in printed


@pytest.mark.parametrize("reading", READINGS)
def test_a_null_in_the_place_of_a_reply_is_no_answer(tmp_path, capsys, reading):
    rows = [{"reply": None, "gold": "10"}, {"reply": "#### 10", "gold": "10", "finish": "failed"}]
    score_main([write_lines(tmp_path / "a.jsonl", rows), "--reading", reading, "--json"])
    (score,) = json.loads(capsys.readouterr().out)
    counts = [score[key] for key in ("n", "correct", "unparsed", "failed", "crashes", "cut_off")]
    assert counts == [2, 0, 1, 1, 0, 0]


def test_a_reply_that_hit_the_limit_is_no_answer(tmp_path, capsys):
    rows = [{"reply": "So it is 10. Or", "gold": "10", "finish": finish} for finish in ("stop", "length", "repeating")]
    score_main([write_lines(tmp_path / "a.jsonl", rows), "--json"])
    (score,) = json.loads(capsys.readouterr().out)
    assert (score["correct"], score["cut_off"], score["unparsed"]) == (1, 2, 0)


@pytest.mark.parametrize(
    "rows, says",
    [
        ([OURS[0], "{broken"], "two.jsonl:2 is not JSON"),
        ([OURS[0], {"reply": "x"}], "row 2 has no gold answer under gold"),
        ([{"reply": "x"}], "row 1 needs a reply .* and a gold answer"),
        ([{"gold": "5", "reply": 5}], "row 1 needs a reply"),
        ([{"reply": "x", "gold": "none"}], "row 1: no number can be read from the gold answer 'none'"),
        ([], "holds no rows"),
    ],
)
def test_a_broken_file_is_answered_with_file_and_row(tmp_path, rows, says):
    path = write_lines(tmp_path / "two.jsonl", rows)
    with pytest.raises(SystemExit, match=says):
        score_main([path, "--json"])


def test_the_scorer_is_a_command(tmp_path):
    path = write_lines(tmp_path / "two.jsonl", Q06)
    result = subprocess.run(
        [sys.executable, "-m", "eval.score", path, "--reading", "q06", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert json.loads(result.stdout)[0]["correct"] == 1
    missing = subprocess.run(
        [sys.executable, "-m", "eval.score", str(tmp_path / "none.jsonl")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert missing.returncode == 1 and "none.jsonl" in missing.stderr and "Traceback" not in missing.stderr


# --- figures


@pytest.mark.parametrize(
    "successes, n, low, high",
    [  # Newcombe (1998), table I, method 3, and the two ends
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_wilsons(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_a_summary_of_nothing_divides_by_nothing():
    assert summarize([])["accuracy"] == 0.0 and summarize([])["interval"] == [0.0, 1.0]


def test_every_named_benchmark_is_in_the_help():
    assert all(f"\n    {name} " in benchmarks.__doc__ for name in BENCHMARKS)
