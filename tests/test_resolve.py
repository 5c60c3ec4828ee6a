"""Independent solutions of every row: who stays, what the report says, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import pipeline.resolve
from mathtutor.chat import render_conversation
from mathtutor.engines import Generation, Sampling
from mathtutor.io import Journal, hold_folder, read_json, read_rows, sha256_file, write_json, write_rows
from mathtutor.problem import Row
from pipeline.chain import Dropped, References, Sifted, report_of
from pipeline.figures import stages_of
from pipeline.outputs import write_data_set
from pipeline.recipe import Recipe
from pipeline.report import page
from pipeline.resolve import ask, disagreement, plan, vote_of

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    Row(
        f"r-{n}",
        f"Ana has {n} boxes with 4 pens each. How many pens has she?",
        (f"Ana has {n} * 4 = {4 * n} pens.",),
        str(4 * n),
        topic="pens" if n % 2 else "boxes",
    )
    for n in range(3, 13)
]
GONE = [Dropped(replace(ROWS[0], id="gone", answer="many"), "answer_range", "answer_is_no_number")]
NAMES = ("clean.jsonl", "dropped.jsonl", "report.json")


def data_set(folder: Path, validation: int = 0, beside: bool = False) -> Path:
    """A folder as the build leaves it: ten clean rows (the last of them for validation), one dropped."""
    train, held = (ROWS[:-validation], ROWS[-validation:]) if validation else (ROWS, [])
    clean = train if beside else ROWS
    report = report_of(Sifted(clean, GONE, Counter()), Recipe("small"), References())
    report |= {"command": "x", "train": len(train), "validation": {"rows": len(held), "rule": "some"}}
    write_data_set(folder, train, held, GONE, report)
    return folder


class Engine:
    """Answers each sample of each problem as `answers(row, sample)` says; None fails, "" gives no answer."""

    name, calculates, revision = "fake", False, "7"

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def replies(self, conversations, sampling=Sampling(), stop=None):
        rows = {row.problem: row for row in ROWS}
        for index, conversation in reversed(list(enumerate(conversations))):
            row, sample = rows[conversation[-1]["content"]], sampling.seed // pipeline.resolve.BATCHES % 100
            self.asked.append((row.id, sample))
            answer = self.answers(row, sample)
            text = f"The answer is {answer}." if answer else "I do not know."
            yield index, Generation("" if answer is None else text, 5, 0.1, "failed" if answer is None else "stop")


def right(row: Row, sample: int) -> str:
    return row.answer


@pytest.fixture
def engine(monkeypatch):
    """The engine that the command gets; set `answers` before."""
    engine = Engine(right)
    monkeypatch.setattr(pipeline.resolve, "load_engine", lambda spec: engine)
    return engine


def run(data: Path, *arguments: str) -> dict:
    pipeline.resolve.main(["--data", str(data), "--engine", "pocket", *arguments])
    return read_json(data / "report.json")


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NAMES}


# --- the verdict


@pytest.mark.parametrize(
    "answer, votes, reason",
    [
        ("12", ["12", "12", "12"], None),
        ("12", ["12", "7", "12"], None),
        ("12.0", ["12"], None),
        ("1/2", ["0.5", "0.5", None], None),
        ("12", ["7", "7", "12"], "majority_gives_another_answer"),
        ("12", ["7"], "majority_gives_another_answer"),
        ("12", ["12", "7"], "no_majority"),  # half is no majority
        ("12", ["12", "7", "8"], "no_majority"),
        ("12", ["12", "12", "7", "8", None], "no_majority"),
        ("12", [None, None, "12"], "majority_gives_no_answer"),
        ("12", [None], "majority_gives_no_answer"),
        ("many", ["12", "12", "12"], "majority_gives_another_answer"),
    ],
)
def test_a_row_stays_when_more_than_half_of_the_votes_give_its_answer(answer, votes, reason):
    assert disagreement(answer, votes) == reason


@pytest.mark.parametrize(
    "text, finish, answer",
    [
        ("<think>\nStep 1: 3 * 4 = 12\n</think>\n\nThe answer is 12.", "stop", "12"),
        ("The answer is $1,234.50.", "stop", "1234.5"),
        ("The answer is 3/4.", "stop", "0.75"),
        ("The answer is 12.", "length", None),  # what was cut off may have been a slip on the way
        ("The answer is 12.", "repeating", None),
        ("<think>\nStep 1: 3 * 4 = 12", "stop", None),
        ("I do not know.", "stop", None),
        ("", "stop", None),
        ("Half \ud83d: the answer is 12.", "stop", "12"),
    ],
)
def test_a_sample_is_a_vote_for_the_number_it_states(text, finish, answer, tmp_path):
    vote = vote_of(Generation(text, 5, 0.1, finish))
    assert vote["answer"] == answer and vote["finish"] == finish
    with Journal(tmp_path / "votes.jsonl") as journal:
        journal.append(vote)


# --- the data set afterwards


def test_rows_without_agreement_are_dropped_with_their_votes_and_the_counts_add_up(engine, tmp_path, capsys):
    data = data_set(tmp_path / "data")
    wrong = {"r-4": ["7", "7", "16"], "r-5": ["", "", "20"], "r-6": ["24", "7", "8"], "r-7": ["28", "", "28"]}
    engine.answers = lambda row, sample: wrong.get(row.id, [row.answer] * 3)[sample]
    report = run(data, "--samples", "3")
    kept = [row for row in ROWS if row.id not in ("r-4", "r-5", "r-6")]
    assert [row["id"] for row in read_rows(data / "clean.jsonl")] == [row.id for row in kept]
    first, *dropped = read_rows(data / "dropped.jsonl")
    assert first == GONE[0].to_dict()
    assert [(row["id"], row["stage"], row["reason"], row["votes"]) for row in dropped] == [
        ("r-4", "agreement", "majority_gives_another_answer", ["7", "7", "16"]),
        ("r-5", "agreement", "majority_gives_no_answer", [None, None, "20"]),
        ("r-6", "agreement", "no_majority", ["24", "7", "8"]),
    ]
    assert [Row.from_dict(row) for row in dropped] == ROWS[1:4]
    assert (report["candidates"], report["clean"], report["dropped"], report["train"]) == (11, 7, 4, 7)
    assert report["stages"][-1] == {"stage": "agreement", "in": 10, "dropped": 3, "out": 7}
    assert sum(sum(reasons.values()) for reasons in report["dropped_by_stage"].values()) == 4
    assert report["topics"] == {"pens": 4, "boxes": 3} and report["sha256"] == sha256_file(data / "clean.jsonl")
    assert report["files"]["dropped.jsonl"]["sha256"] == sha256_file(data / "dropped.jsonl")
    assert report["agreement"]["agreeing_samples"] == {"1": 3, "2": 1, "3": 6} and report["agreement"]["engine"] == "pocket"
    command = "python -m pipeline.resolve --data data --engine pocket --samples 3 --temperature 0.7 --max-tokens 512 --seed 0"
    assert report["agreement"]["command"] == command
    assert report["samples"]["agreement"]["no_majority"][0]["votes"] == ["24", "7", "8"]
    printed = capsys.readouterr().out
    assert "10 rows asked 3 times each, 0 not asked" in printed and "11 candidates = 7 clean + 4 dropped" in printed
    assert stages_of(report)[-1].out == 7 and "agreement" in page(report)


def test_figures_of_clean_rows_are_those_of_the_rows_that_stay(engine, tmp_path):
    data = data_set(tmp_path / "data")
    engine.answers = lambda row, sample: row.answer if int(row.answer) > 24 else "7"
    report = run(data, "--samples", "1")
    kept = [row for row in ROWS if int(row.answer) > 24]
    expected = json.loads(json.dumps(report_of(Sifted(kept, GONE, Counter()), Recipe("small"), References())))
    for key in pipeline.resolve.BALANCE:
        assert report[key] == expected[key], key
    assert report["recipe"]["name"] == "small" and report["command"] == "x"


@pytest.mark.parametrize("beside, asked, clean", [(False, 10, 8), (True, 8, 6)])
def test_validation_rows_are_judged_where_they_count_as_clean(engine, tmp_path, beside, asked, clean):
    data = data_set(tmp_path / "data", validation=2, beside=beside)
    engine.answers = lambda row, sample: "7" if row.id in ("r-3", "r-4" if beside else "r-12") else row.answer
    report = run(data, "--samples", "1")
    held = [row["id"] for row in read_rows(data / "validation.jsonl")]
    assert len(engine.asked) == asked and held == (["r-11", "r-12"] if beside else ["r-11"])
    assert (report["clean"], report["dropped"], report["validation"]["rows"]) == (clean, 3, len(held))
    assert report["train"] == len(list(read_rows(data / "clean.jsonl"))) == clean - (0 if beside else 1)


def test_rows_past_the_limit_stay_until_they_are_asked(engine, tmp_path):
    data = data_set(tmp_path / "data")
    engine.answers = lambda row, sample: "7"
    report = run(data, "--samples", "1", "--limit", "4")
    assert (report["clean"], report["agreement"]["asked"], report["agreement"]["not_asked"]) == (6, 4, 6)
    engine.asked.clear()
    report = run(data, "--samples", "1", "--limit", "6")
    assert sorted(engine.asked) == [("r-7", 0), ("r-8", 0)] and report["clean"] == 4
    # A smaller limit asks nothing and undoes nothing.
    engine.asked.clear()
    assert run(data, "--samples", "1", "--limit", "2")["clean"] == 4 and engine.asked == []


def test_a_run_again_asks_nothing_and_writes_the_same(engine, tmp_path):
    data = data_set(tmp_path / "data")
    engine.answers = lambda row, sample: "7" if row.id == "r-5" else row.answer
    run(data)
    before, engine.asked[:] = files(data), []
    run(data)
    assert files(data) == before and engine.asked == []


def test_a_second_engine_judges_what_the_first_one_left(engine, tmp_path):
    data = data_set(tmp_path / "data")
    engine.answers = lambda row, sample: "7" if row.id == "r-5" else row.answer
    run(data)
    with pytest.raises(SystemExit, match="re-solved with another samples: repeat its options, or remove"):
        run(data, "--samples", "5")
    engine.revision = "8"
    with pytest.raises(SystemExit, match="another revision"):
        run(data)
    for path in sorted((data / "resolve").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (data / "resolve").rmdir()
    engine.answers = lambda row, sample: "7" if row.id == "r-6" else row.answer
    report = run(data)
    assert (report["clean"], report["dropped"]) == (8, 3)
    assert [(s["in"], s["out"]) for s in report["stages"][-2:]] == [(10, 9), (9, 8)]
    assert report["dropped_by_stage"]["agreement"] == {"majority_gives_another_answer": 2}


def test_a_data_set_that_was_built_anew_is_not_overwritten(engine, tmp_path):
    data = data_set(tmp_path / "data")
    run(data)
    data_set(data, validation=3)
    before = files(data)
    with pytest.raises(SystemExit, match="is not what was re-solved: remove"):
        run(data)
    assert files(data) == before


def test_samples_that_fail_change_nothing_and_are_asked_again(engine, tmp_path):
    data = data_set(tmp_path / "data")
    before = files(data)
    engine.answers = lambda row, sample: None if (row.id, sample) in (("r-5", 1), ("r-6", 2)) else row.answer
    with pytest.raises(SystemExit, match="2 samples brought no reply, and nothing was changed"):
        run(data)
    assert files(data) == before
    engine.asked.clear()
    engine.answers = right
    assert run(data)["clean"] == 10 and sorted(engine.asked) == [("r-5", 1), ("r-6", 2)]


def test_a_set_of_which_nothing_is_left_is_an_error_with_the_reasons(engine, tmp_path):
    data = data_set(tmp_path / "data")
    engine.answers = lambda row, sample: "7"
    with pytest.raises(SystemExit, match="no row passed"):
        run(data)
    assert len(list(read_rows(data / "dropped.jsonl"))) == 11
    assert sorted(path.name for path in data.iterdir()) == ["dropped.jsonl", "resolve"]
    engine.asked.clear()
    with pytest.raises(SystemExit, match="no row passed"):
        run(data)
    assert engine.asked == []


@pytest.mark.parametrize("wrong, kept", [("7", {"13_gram": 0}), ("20", {"13_gram": 0, "8_gram": 2})])
def test_a_count_of_overlaps_that_may_be_of_rows_that_went_is_not_kept(engine, tmp_path, wrong, kept):
    data = data_set(tmp_path / "data")
    found = {"tests": ["t"], "test_problems": 1, "dropped_for_overlap": {}, "clean_rows_with_overlap": {"13_gram": 0, "8_gram": 2}}
    write_json(data / "report.json", read_json(data / "report.json") | {"decontamination": found})
    engine.answers = lambda row, sample: wrong if row.id == "r-5" else row.answer
    assert run(data)["decontamination"] == found | {"clean_rows_with_overlap": kept}


# --- asking


def test_samples_differ_in_their_seed_and_batches_are_the_same_whatever_is_done(tmp_path):
    engine = Engine(right)
    engine.batch_size = 4
    parts = list(plan(engine, ROWS, 2, Sampling(temperature=0.7, seed=3)))
    assert [(sample, len(rows)) for sample, rows, _ in parts] == [(0, 4), (0, 4), (0, 2), (1, 4), (1, 4), (1, 2)]
    assert len({drawn.seed for _, _, drawn in parts}) == 6
    assert [len(row.problem) for row in parts[0][1] + parts[1][1] + parts[2][1]] == sorted(len(row.problem) for row in ROWS)
    with Journal(tmp_path / "votes.jsonl") as journal:
        ask(engine, ROWS, 2, Sampling(temperature=0.7), journal)
        whole = sorted((vote["id"], vote["sample"]) for vote in journal.rows)
        assert whole == sorted((row.id, sample) for row in ROWS for sample in (0, 1))
        journal.retain(lambda vote: vote["id"] != "r-5")
        engine.asked.clear()
        ask(engine, ROWS, 2, Sampling(temperature=0.7), journal)
        # Two batches are asked whole, and each vote is counted once.
        assert len(engine.asked) == 8 and sorted((vote["id"], vote["sample"]) for vote in journal.rows) == whole


class Server(BaseHTTPRequestHandler):
    """A model behind OpenAI's API, in streams: it multiplies the number in the problem by 4."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        number = body["messages"][-1]["content"].split()[2]
        broken = number in self.server.broken
        self.send_response(400 if broken else 200)
        self.send_header("content-type", "application/json" if broken else "text/event-stream")
        self.end_headers()
        if broken:
            return self.wfile.write(b'{"error": {"message": "no"}}')
        for text, finish in (("The answer is ", None), (f"{4 * int(number)}.", None), ("", "stop")):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())


def test_a_server_is_asked_each_sample_with_a_seed_of_its_own(tmp_path, monkeypatch):
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads, server.asked, server.broken = True, [], {"5"}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    data = data_set(tmp_path / "data")
    arguments = ["--data", str(data), "--engine", f"openai:http://ana:secret@127.0.0.1:{server.server_port}/v1#m", "--samples", "2"]
    try:
        with pytest.raises(SystemExit, match="2 samples brought no reply"):
            pipeline.resolve.main(arguments)
        server.asked.clear()
        server.broken = set()
        pipeline.resolve.main(arguments)
    finally:
        server.shutdown()
        server.server_close()
    assert {body["messages"][-1]["content"].split()[2] for body in server.asked} == {"5"}
    assert len({body["seed"] for body in server.asked}) == 2 and {body["temperature"] for body in server.asked} == {0.7}
    report = read_json(data / "report.json")
    assert report["clean"] == 10 and report["agreement"]["agreeing_samples"] == {"2": 10}
    texts = [path.read_text() for path in data.rglob("*.json*")]
    assert not any("secret" in text for text in texts) and f"m at 127.0.0.1:{server.server_port}" in report["agreement"]["engine"]


# --- what is refused


def scripted(folder: Path, **changes: str) -> str:
    """The spec of an engine that plays the right answers, but for the rows named in `changes`."""
    replies = {row.problem: f"The answer is {changes.get(row.id.replace('-', '_'), row.answer)}." for row in ROWS}
    write_json(folder / "replies.json", replies)
    return f"scripted:{folder / 'replies.json'}"


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--samples", "0"], "--samples must lie in 1 to 100"),
        (["--limit", "0"], "--limit must be at least 1"),
        (["--seed", "-1"], "--seed must lie"),
        (["--temperature", "0"], "greedy samples are all the same"),
        (["--temperature", "-1"], "temperature must be 0"),
        (["--max-tokens", "0"], "max_tokens must be at least 1"),
        (["--engine", "nobody"], "unknown engine 'nobody'"),
        (["--data", "nowhere"], "nowhere is no folder"),
    ],
)
def test_a_wrong_call_is_one_sentence(tmp_path, arguments, says):
    data = data_set(tmp_path / "data")
    before = files(data)
    with pytest.raises(SystemExit, match=says):
        pipeline.resolve.main(["--data", str(data), "--engine", scripted(tmp_path), *arguments])
    assert files(data) == before and not (data / "resolve").exists()


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda data: (data / "report.json").unlink(), "report.json is missing"),
        (lambda data: (data / "clean.jsonl").write_text(""), "is not the file that report.json stands for"),
        (lambda data: (data / "dropped.jsonl").write_text(""), "does not count the rows beside it"),
    ],
)
def test_a_folder_without_a_whole_data_set_is_refused_and_left_alone(tmp_path, damage, says):
    data = data_set(tmp_path / "data")
    damage(data)
    with pytest.raises(SystemExit, match=says):
        pipeline.resolve.main(["--data", str(data), "--engine", scripted(tmp_path)])
    assert not (data / "resolve").exists()


@pytest.mark.parametrize("vote", [{}, {"id": "r-3", "sample": 0, "answer": "many"}, {"id": [], "sample": 0, "answer": None}])
def test_a_line_that_is_no_vote_is_refused(tmp_path, vote):
    data = data_set(tmp_path / "data")
    spec = scripted(tmp_path)
    pipeline.resolve.main(["--data", str(data), "--engine", spec])
    path = data / "resolve" / "votes.jsonl"
    write_rows(path, [*read_rows(path), vote])
    with pytest.raises(SystemExit, match="votes.jsonl:31 is no vote"):
        pipeline.resolve.main(["--data", str(data), "--engine", spec])


def test_a_folder_that_is_being_built_is_not_re_solved(engine, tmp_path):
    data = data_set(tmp_path / "data")
    with hold_folder(data), pytest.raises(SystemExit, match="in use by another run"):
        run(data)
    assert not (data / "resolve").exists()


@pytest.mark.parametrize("data, told", [("data/claude", "data/claude"), ("/home/ana/claude", "claude"), ("../ana/claude", "claude")])
def test_of_a_folder_outside_the_repository_only_the_name_is_told(data, told):
    stamp = {"engine": "pocket", "samples": 1, "sampling": {"temperature": 0.0, "max_tokens": 8, "seed": 0}}
    assert f"--data {told} " in pipeline.resolve.command_of(Path(data), stamp, None)


def test_two_at_once_are_one_too_many(tmp_path):
    data = data_set(tmp_path / "data")
    with Journal(data / "resolve" / "votes.jsonl"), pytest.raises(SystemExit, match="in use by another run"):
        pipeline.resolve.main(["--data", str(data), "--engine", scripted(tmp_path)])


# --- kill -9

DRIVER = """
import os, sys, json
import mathtutor.io
import pipeline.resolve

from tests.dying import countdown, dying

# All that is durable goes through these two.
mathtutor.io._write_all = dying(mathtutor.io._write_all)
os.replace = dying(os.replace)
for line in sys.stdin:
    data, spec, steps = json.loads(line)
    countdown.left = steps
    child = os.fork()
    if not child:
        try:
            pipeline.resolve.main(["--data", data, "--engine", spec, "--samples", "2"])
        except BaseException:
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_a_run_killed_anywhere_ends_as_an_unbroken_one_and_asks_nothing_twice(tmp_path):
    spec = scripted(tmp_path, r_5="7", r_9="7")
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    def go(data: Path, steps: int = 0) -> int:
        """The wait status of one run that dies before durable write number `steps`, from 1; 0: it does not."""
        driver.stdin.write(json.dumps([str(data), spec, steps]) + "\n")
        driver.stdin.flush()
        while not (line := driver.stdout.readline()).strip().isdigit():
            assert line
        return int(line)

    def outputs(data: Path) -> dict[str, bytes]:
        names = (*NAMES, "clean.parquet", "resolve/votes.jsonl")
        return {name: (data / name).read_bytes() for name in names}

    try:
        assert go(data_set(tmp_path / "whole" / "data")) == 0
        whole = outputs(tmp_path / "whole" / "data")
        assert whole["clean.jsonl"].count(b"\n") == 8 and whole["resolve/votes.jsonl"].count(b"\n") == 20
        killed = 0
        for steps in [1, 2, 3, 4, 5, 6, 15, *range(24, 60)]:
            data = data_set(tmp_path / f"kill-{steps}" / "data")
            if go(data, steps) != signal.SIGKILL:
                break
            killed += 1
            assert go(data) == 0 and outputs(data) == whole, steps
        assert killed >= 12
    finally:
        driver.stdin.close()
        driver.wait(10)
        driver.stdout.close()


def test_the_engine_is_given_the_problem_alone(tmp_path, monkeypatch):
    given = []

    class Spy(Engine):
        def replies(self, conversations, sampling=Sampling(), stop=None):
            given.extend(render_conversation(conversation) for conversation in conversations)
            return super().replies(conversations, sampling, stop)

    monkeypatch.setattr(pipeline.resolve, "load_engine", lambda spec: Spy(right))
    run(data_set(tmp_path / "data"), "--samples", "1")
    assert sorted(given) == sorted(f"<|im_start|>user\n{row.problem}<|im_end|>\n<|im_start|>assistant\n" for row in ROWS)
