"""Expert iteration: what is kept is verified, every sample is accounted for, and a kill loses nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mathtutor.chat import END, render_target
from mathtutor.engines import Generation
from mathtutor.io import read_json, read_rows, sha256_file, write_json, write_rows
from mathtutor.problem import Row
from training import rft

ROOT = Path(__file__).resolve().parents[1]
ROW = Row("gsm8k-7", "Ana buys 3 pens at $4 and a $5 book. What does she pay?", ("The pens cost 3 * 4 = 12 dollars.", "In all 12 + 5 = 17 dollars."), "17", "gsm8k-train")


def reply(steps, answer="17") -> str:
    return render_target(steps, answer).removesuffix(END)


GOOD = reply(["The book and two pens: 5 + 2 * 4 = 13 dollars.", "With the third pen 13 + 4 = 17 dollars."])
WORDS = Row("bank-1", "Two and a half: with or without the third so she pays.", ("The book and a pen cost 1 + 1 = 2 dollars.",), "2", "bank")
KNOWN = rft.vocabulary_of([ROW, WORDS])
SAMPLES = [  # (reply, finish, why it is not kept)
    (GOOD, "stop", None),
    (reply(["A book and two pens cost 5 + 2 * 4 = 13.", "So she pays 13 + 4 = 17."]), "stop", "the same sums as another sample"),
    (reply(ROW.steps), "stop", "the row's own solution"),
    (reply(["3 + 4 = 7.", "7 + 5 = 12."], "12"), "stop", "wrong answer"),
    (reply(["3 * 4 = 13.", "13 + 4 = 17."]), "stop", "a sum is wrong"),
    (reply(["She pays two."]), "stop", "no sum that can be checked"),
    (reply(["3 * 4 = 12."]), "stop", "the last sum does not arrive at the answer"),
    (GOOD.replace("Step 2", "Step 3"), "stop", "not in the tutor's format"),
    (GOOD.replace("The answer is 17.", "The answer is $17.00."), "stop", "not in the tutor's format"),
    (GOOD.replace("The answer is 17.", "Bye."), "stop", "no answer"),
    (GOOD.replace("third pen", "third pepen"), "stop", "a word that no row has"),
    (reply(["The book and a pen cost 6 + 3 = 9.", "9 + 8 = 17."]), "stop", "a number from nowhere"),
    (GOOD, "length", "did not end by itself (length)"),
    ("", "stop", "no answer"),
]  # fmt: skip


def test_only_verified_replies_that_do_other_sums_become_rows():
    samples = {ROW.id: {i: {"reply": text, "finish": finish} for i, (text, finish, _) in enumerate(SAMPLES)}}
    kept, dropped, solved = rft.sift([ROW], samples, 4, KNOWN)
    assert [row.id for row in kept] == ["gsm8k-7-rft-0"] and solved == 1
    assert kept[0].problem == ROW.problem and kept[0].answer == "17" and kept[0].source == "rft"
    assert render_target(kept[0].steps, kept[0].answer) == GOOD + END
    expected: dict[str, int] = {}
    for _, _, why in SAMPLES[1:]:
        expected[why] = expected.get(why, 0) + 1
    assert dict(dropped) == expected


NUMBERS = [  # (steps, problem, does a sum take a number from nowhere)
    (["2 * 3 = 6", "6 + 1,200 = 1206"], "Two of 3 rows, and 1,200 more.", False),
    (["4 * 7 = 28"], "Four weeks.", False),
    (["9 / 2 = 4.5", "4.5 + 0.5 = 5"], "Half of nine, and 0.5 more.", False),
    (["6 + 3 = 9", "5 + 9 = 14"], "She has 6 and then 3 more.", True),
    (["9 + 6 = 15", "6 + 3 = 9"], "She has 6 and then 3 more.", True),
]


@pytest.mark.parametrize(("steps", "problem", "from_nowhere"), NUMBERS)
def test_a_sum_may_only_take_numbers_that_were_given(steps, problem, from_nowhere):
    assert rft.uses_a_number_from_nowhere(steps, problem) is from_nowhere


def test_no_problem_gets_more_rows_than_are_asked_for():
    ways = [["3 * 4 = 12.", f"12 + {n} = {12 + n}.", f"{12 + n} - {n} = 12.", "12 + 5 = 17."] for n in (1, 2, 3)]
    samples = {ROW.id: {i: {"reply": reply(steps), "finish": "stop"} for i, steps in enumerate(ways)}}
    kept, dropped, _ = rft.sift([ROW], samples, 2, KNOWN)
    assert len(kept) == 2 and dict(dropped) == {"more than 2 solutions of one problem": 1}


class Echo:
    """An engine whose reply to a problem depends on the seed alone; counts what it is asked."""

    name, calculates, revision = "echo", True, "r1"

    def __init__(self, die_after: int = 10**9):
        self.asked, self._die_after = [], die_after

    def replies(self, conversations, sampling, stop=None, seeds=None):
        for i, (talk, seed) in enumerate(zip(conversations, seeds, strict=True)):
            if len(self.asked) == self._die_after:
                raise KeyboardInterrupt
            self.asked.append((talk[-1]["content"], seed))
            text, finish, _ = SAMPLES[seed % len(SAMPLES)]
            yield i, Generation(text, 9, 0.0, finish)


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    rows = [Row(f"gsm8k-{n}", f"{ROW.problem} ({n})", ROW.steps, "17", "gsm8k-train") for n in range(30)]
    rows.append(WORDS)
    write_rows(tmp_path / "clean.jsonl", [row.to_dict() for row in rows])

    def make(*more: str):
        monkeypatch.setattr(sys, "argv", ["rft", "--rows", str(tmp_path / "clean.jsonl"), "--source", "gsm8k-train",
                                          "--samples", "3", "--engine", "pocket", "--out", str(tmp_path / "out"), *more])  # fmt: skip
        rft.main()

    return make


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_bytes(arguments, tmp_path, monkeypatch):
    whole = Echo()
    monkeypatch.setattr(rft, "load_engine", lambda spec: whole)
    arguments()
    expected = [(tmp_path / "out" / name).read_bytes() for name in ("clean.jsonl", "report.json")]
    assert len(whole.asked) == 90 and read_json(tmp_path / "out" / "report.json")["clean"] > 0

    (tmp_path / "out").rename(tmp_path / "first")
    killed, rest = Echo(die_after=37), Echo()
    monkeypatch.setattr(rft, "load_engine", lambda spec: killed)
    with pytest.raises(SystemExit, match="every reply so far is kept"):
        arguments()
    with open(tmp_path / "out" / "samples.jsonl", "a") as file:
        file.write('{"id": "gsm8k-12", "samp')  # torn
    monkeypatch.setattr(rft, "load_engine", lambda spec: rest)
    arguments()
    assert len(rest.asked) == 90 - 37 and not set(rest.asked) & set(killed.asked)
    assert [(tmp_path / "out" / name).read_bytes() for name in ("clean.jsonl", "report.json")] == expected


def test_the_report_accounts_for_every_sample_and_stands_for_its_rows(arguments, tmp_path, monkeypatch):
    write_json(tmp_path / "report.json", {"sha256": sha256_file(tmp_path / "clean.jsonl"), "decontamination": {"tests": ["a/test"], "clean_rows_with_overlap": {}}})
    monkeypatch.setattr(rft, "load_engine", lambda spec: Echo())
    arguments("--limit", "10")
    report = read_json(tmp_path / "out" / "report.json")
    rows = [Row.from_dict(row) for row in read_rows(tmp_path / "out" / "clean.jsonl")]
    assert report["candidates"] == 30 == report["clean"] + sum(report["dropped_for"].values())
    assert report["clean"] == len(rows) and report["sha256"] == sha256_file(tmp_path / "out" / "clean.jsonl")
    assert report["decontamination"]["tests"] == ["a/test"]

    from training.card import data_line

    assert "compared with a/test" in data_line(report)


def test_more_samples_may_be_asked_later_and_another_temperature_may_not(arguments, monkeypatch):
    engines = [Echo(), Echo()]
    waiting = iter([*engines, Echo()])
    monkeypatch.setattr(rft, "load_engine", lambda spec: next(waiting))
    arguments("--limit", "4")
    arguments("--limit", "6", "--samples", "5")
    assert len(engines[1].asked) == 6 * 5 - 4 * 3
    with pytest.raises(SystemExit, match="another temperature: choose a new --out"):
        arguments("--temperature", "1.0")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--source", "gsm8k"], "no row of the source gsm8k: its sources are bank, gsm8k-train"),
        (["--temperature", "0"], "greedy samples would all be one"),
        (["--samples", "0"], "must be at least 1"),
        (["--top-p", "1.5"], "at most 1"),
        (["--top-p", "1/0"], "at most 1"),
    ],
)
def test_a_wrong_call_stops_at_once_with_a_sentence(arguments, capsys, monkeypatch, more, says):
    monkeypatch.setattr(rft, "load_engine", lambda spec: Echo())
    with pytest.raises(SystemExit) as stopped:
        arguments(*more)
    assert says in str(stopped.value) + capsys.readouterr().err


@pytest.mark.parametrize("line", ['{"x": 1}', '{"id": ["b"], "sample": 0, "finish": "stop", "reply": ""}', '{"id": "b", "sample": "0", "finish": "stop", "reply": ""}'])
def test_a_line_that_is_no_sample_is_named(arguments, tmp_path, monkeypatch, line):
    monkeypatch.setattr(rft, "load_engine", lambda spec: Echo())
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "samples.jsonl").write_text(line + "\n")
    with pytest.raises(SystemExit, match="samples.jsonl:1 is no sample of this command"):
        arguments()


def test_rows_of_a_test_split_are_never_asked():
    with pytest.raises(SystemExit, match="svamp-test names a test split: never train on one"):
        rft.choose_rows(Path("clean.jsonl"), [replace(ROW, source="svamp-test")], None, None)


def test_a_real_model_is_sampled_through_a_kill(tiny_model_folder, tmp_path, monkeypatch):
    """kill -9 amid the sampling: the next run asks for the rest, and the replies are those of an unbroken run."""
    rows = [Row(f"r-{n}", f"Ana has {n} pens and buys {n + 2} more. How many?", ("1 + 1 = 2",), str(2 * n + 2)) for n in range(12)]
    write_rows(tmp_path / "clean.jsonl", [row.to_dict() for row in rows])

    def call(out: str) -> list[str]:
        return ["--rows", str(tmp_path / "clean.jsonl"), "--engine", f"hf:{tiny_model_folder}", "--samples", "4",
                "--max-tokens", "48", "--out", str(tmp_path / out)]  # fmt: skip

    killed = subprocess.Popen([sys.executable, "-m", "training.rft", *call("killed")], cwd=ROOT, stderr=subprocess.DEVNULL)
    journal = tmp_path / "killed" / "samples.jsonl"
    while killed.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= 5):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    begun = len(journal.read_bytes().splitlines())
    for out in ("killed", "whole"):
        monkeypatch.setattr(sys, "argv", ["rft", *call(out)])
        rft.main()

    def samples(out: str) -> list[dict]:
        return sorted(read_rows(tmp_path / out / "samples.jsonl"), key=lambda s: (s["id"], s["sample"]))

    assert begun >= 5 and len(samples("killed")) == 48
    assert samples("killed") == samples("whole")
