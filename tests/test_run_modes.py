"""Runs with modes, kinds of answers and kills: what `eval.run` makes of the options."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval import readings
from eval.benchmarks import table
from eval.modes import load_mode
from eval.records import load_run
from eval.report_data import collect
from eval.report_hub import model_index
from eval.report_page import page
from eval.report_page import readings as readings_of
from eval.report_text import markdown
from eval.run import main as run_main
from eval.run import parser_of_run, sampling_of
from mathtutor.chat import open_reply
from mathtutor.engines import Sampling
from mathtutor.io import read_json, read_rows
from mathtutor.sources import DATA_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = ["--engine", "pocket", "--benchmark", "svamp", "--out", "x"]


@pytest.mark.parametrize("mode, more, expected", [
    ("tuned", [], Sampling(512)),
    ("tuned", ["--max-tokens", "320", "--no-calculator"], Sampling(320, calculator=False)),
    ("direct", [], Sampling(64, thinking=False)),
    ("thinking", [], Sampling(8192, 0.6, 0.95, 20, thinking=True)),
    ("thinking", ["--temperature", "0"], Sampling(8192, thinking=True)),  # greedy needs no top-p
    ("thinking", ["--temperature", "1", "--top-k", "0", "--thinking", "default"], Sampling(8192, 1.0, 0.95, 0)),
    ("cot", ["--thinking", "on", "--think-budget", "99", "--seed", "4", "--logprobs"], Sampling(2048, thinking=True, think_budget=99, seed=4, logprobs=True)),
    ("q06_thinking", [], Sampling(512, 0.6, 0.95, 20, thinking=True)),
])  # fmt: skip
def test_a_mode_decodes_as_it_says_unless_the_command_says_otherwise(mode, more, expected):
    assert sampling_of(parser_of_run().parse_args([*REQUIRED, *more]), load_mode(mode)) == expected


@pytest.mark.parametrize("more, says", [
    (["--mode", "tunned"], "unknown prompt mode 'tunned'.* Did you mean tuned?"),
    (["--shots", "3"], "mode tuned shows no examples"),
    (["--samples", "0"], "--samples must be at least 1"),
    (["--think-budget", "-1"], "think_budget must be 0"),
    (["--top-k", "-3", "--temperature", "1"], "top_k must be 0"),
    (["--top-p", "0.5"], "--top-p mean nothing to greedy decoding: add --temperature"),
    (["--mode", "thinking", "--temperature", "0", "--top-k", "5"], "--top-k mean nothing to greedy decoding"),
    (["--timeout", "4"], "--timeout means nothing to scripted:"),
    (["--batch-size", "4"], "--batch-size means nothing to scripted:"),
    (["--concurrency", "4"], "--concurrency means nothing to scripted:"),
])  # fmt: skip
def test_an_option_that_cannot_be_kept_is_refused(tmp_path, more, says):
    (tmp_path / "q.jsonl").write_text('{"question": "q", "answer": 5}\n')
    (tmp_path / "s.json").write_text('{"q": "The answer is 5."}')
    with pytest.raises(SystemExit, match=says):
        run_main(["--engine", f"scripted:{tmp_path / 's.json'}", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--out", str(tmp_path / "out"), *more])
    assert not (tmp_path / "out").exists()


def scripted(tmp_path: Path, mode: str, replies: dict[str, str]) -> str:
    """A script that knows the questions as the mode puts them."""
    asked = {open_reply(load_mode(mode).conversation(question))[0][-1]["content"]: reply for question, reply in replies.items()}
    (tmp_path / "script.json").write_text(json.dumps(asked))
    return f"scripted:{tmp_path / 'script.json'}"


@pytest.fixture
def laid(tmp_path, monkeypatch):
    """A function that lays rows of a published set into a data folder."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))

    def lay(name: str, file: str, text: str, rows: int) -> None:
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        monkeypatch.setitem(table(), name, table()[name] | {"rows": rows, "sha256": {file: digest}})

    return lay


def test_an_answer_that_is_an_expression_is_judged_by_the_library(laid, tmp_path, monkeypatch, capsys):
    golds = {"q1": "\\frac{1}{2}", "q2": "x^2+1", "q3": "(1, 2)"}
    laid("math-500", "math-500/test.jsonl", "".join(json.dumps({"problem": q, "answer": a, "unique_id": q, "subject": "s", "level": 1}) + "\n" for q, a in golds.items()), 3)
    replies = {"q1": "so $\\boxed{0.5}$", "q2": "so $\\boxed{1+x^2}$", "q3": "so $\\boxed{(2, 1)}$"}
    run_main(["--engine", scripted(tmp_path, "tuned", replies), "--benchmark", "math-500", "--out", str(tmp_path / "out")])
    run = load_run(tmp_path / "out")
    assert [row["correct"] for row in run.rows] == [None] * 3 and run.rows[0]["gold_text"] == "\\frac{1}{2}"
    assert [run.readings[f"math-500-{q}", 0]["math_verify"] for q in golds] == [True, True, False]
    assert (run.summary["correct"], run.summary["n"]) == (2, 3) and run.stamp["data"]["pinned"] is True
    assert "2 of 3 right" in (said := capsys.readouterr().out) and "math-verify decides" in said
    assert "strict" not in said and "disagree" not in said  # neither reading applies
    found = collect([tmp_path / "out"])
    assert "reads no expressions | decides |" in markdown(found) and readings_of(found) == ""


def test_a_proof_is_kept_and_graded_by_nobody_here(laid, tmp_path, capsys):
    laid("proofbench", "proofbench/train.jsonl", json.dumps({"problem_id": "i1", "problem": "Prove it.", "grading_scheme": "7", "solution": "s"}) + "\n", 1)
    run_main(["--engine", scripted(tmp_path, "proof", {"Prove it.": "By induction."}), "--benchmark", "proofbench", "--mode", "proof", "--out", str(tmp_path / "out")])
    run = load_run(tmp_path / "out")
    assert run.rows[0]["correct"] is None and run.rows[0]["reply"] == "By induction." and "meta" not in run.rows[0]
    assert "1 proofs, 0 cut off" in capsys.readouterr().out and not (tmp_path / "out" / "readings.jsonl").exists()


@pytest.mark.parametrize("mode", ["cot", "few_shot", "q06_think_prefill"])
def test_a_record_holds_its_prompt_mode_verbatim(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(readings, "judge", lambda items: ((True, "") for _ in items))
    (tmp_path / "q.jsonl").write_text('{"question": "How many?", "answer": 5}\n')
    run_main(["--engine", scripted(tmp_path, mode, {"How many?": "The answer is 5."}), "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--mode", mode, "--out", str(tmp_path / "out")])
    stamp, (row,) = read_json(tmp_path / "out" / "run.json"), read_rows(tmp_path / "out" / "results.jsonl")
    assert stamp["mode"] == load_mode(mode).to_dict() and stamp["mode"]["user"] and read_json(tmp_path / "out" / "summary.json")["mode"] == mode
    assert load_mode(mode).system in row["prompt"] and row["prompt"].endswith(load_mode(mode).prefill or "assistant\n")


def test_a_mode_of_ones_own_stands_in_the_record_and_in_every_report_and_cannot_be_changed_under_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "judge", lambda items: ((True, "") for _ in items))
    (tmp_path / "q.jsonl").write_text('{"question": "How many?", "answer": 5}\n')
    folders = []

    def ask(out: str, system: str) -> dict:
        file = tmp_path / out / "mine.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'system: {system}\nuser: "{{question}}"\nmax_tokens: 99\n')
        mode, folder = f"file:{file}", tmp_path / out / "run"
        run_main(["--engine", scripted(tmp_path, mode, {"How many?": "The answer is 5."}), "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--mode", mode, "--out", str(folder)])
        folders.append(folder)
        return read_json(folder / "run.json")["mode"]

    assert ask("a", "You are terse.") == {
        "name": "file:mine.yaml", "title": "a prompt of one's own", "system": "You are terse.", "user": "{question}", "max_tokens": 99, "answer": "where the prompt says",
    }  # fmt: skip
    ask("b", "You are wordy.")  # another prompt in a file of the same name
    found = collect(folders)
    for text in (markdown(found), page(found), json.dumps(model_index(found["runs"]))):
        assert all(said in text for said in ("file:mine.yaml", "You are terse.", "You are wordy.")), text
    (pair,) = found["pairs"]
    assert "mode" in pair["differs_in"]
    with pytest.raises(SystemExit, match="holds a run with another prompt mode: choose a new --out"):
        ask("a", "You are kind.")


def test_a_run_with_another_setting_is_refused_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "judge", lambda items: ((True, "") for _ in items))
    (tmp_path / "q.jsonl").write_text('{"question": "How many?", "answer": 5}\n')
    command = ["--engine", scripted(tmp_path, "tuned", {"How many?": "The answer is 5."}), "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--out", str(tmp_path / "out")]
    run_main(command)
    with pytest.raises(SystemExit, match=r"holds a run with another sampling \(temperature, seed\): choose a new --out"):
        run_main([*command, "--temperature", "0.5", "--seed", "3"])


# Forks a child a kill, each of which is ended without any chance to tidy up before its n-th durable row.
KILLS = """
import os, random, sys
import eval.run
from eval.readings import NotInstalled
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import Journal
from tests.dying import countdown, dying

play = ScriptedEngine.stream
def stream(self, conversation, *rest):
    with open(sys.argv[1], "a") as file:
        file.write(conversation[-1]["content"] + "\\n")
    return play(self, conversation, *rest)
def absent(*_):
    raise NotInstalled("absent")
ScriptedEngine.stream, eval.run.read_all, Journal.append = stream, absent, dying(Journal.append)
draw = random.Random(7)
for kill in range(21):
    child = os.fork()
    if not child:
        countdown.left = draw.randint(1, 18) if kill < 20 else 0
        eval.run.main(sys.argv[2:])
        os._exit(0)
    draw.random()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == (kill < 20), (kill, status)
"""


def test_twenty_kills_cost_one_problem_each_at_most(tmp_path):
    problems = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": n + 1} for n in range(400)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    (tmp_path / "s.json").write_text(json.dumps({p["question"]: f"The answer is {p['answer']}." for p in problems}))
    arguments = ["--engine", f"scripted:{tmp_path / 's.json'}", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--out"]
    driver = [sys.executable, "-c", KILLS]
    subprocess.run([*driver, str(tmp_path / "asked"), *arguments, str(tmp_path / "broken")], cwd=ROOT, check=True, capture_output=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(set(asked)) == 400 and 400 < len(asked) <= 420
    rows = list(read_rows(tmp_path / "broken" / "results.jsonl"))
    assert [row["id"] for row in rows] == [problem["id"] for problem in problems]
    summary = read_json(tmp_path / "broken" / "summary.json")
    assert (summary["n"], summary["correct"]) == (400, 400)


def test_a_batch_of_another_size_is_the_same_run(tiny_model_folder, tmp_path, monkeypatch):
    """The noise floor of our own loop: none."""
    monkeypatch.setattr(readings, "judge", lambda items: ((None, "") for _ in items))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"id": str(n), "question": f"What is {n} + {n}?" + " Why?" * (n % 4), "answer": 2 * n}) + "\n" for n in range(12)))
    replies = []
    for size in ("3", "16"):
        out = tmp_path / size
        run_main(["--engine", f"hf:{tiny_model_folder}", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--max-tokens", "12", "--samples", "2", "--temperature", "1", "--batch-size", size, "--out", str(out)])
        run = load_run(out)
        replies.append({(row["id"], row["sample"]): row["reply"] for row in run.rows})
        assert len(run.rows) == 24 and run.summary["batch_size"] == int(size)
    assert replies[0] == replies[1]
