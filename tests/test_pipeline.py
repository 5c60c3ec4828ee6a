"""From candidates to clean rows: each rule, the funnel that adds up, and no way in for a test row."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import pipeline.build
from mathtutor.io import read_json, read_rows, sha256_file
from mathtutor.problem import Row
from mathtutor.sources import DATA_VARIABLE, SOURCES, load_source
from pipeline.benchmarks import benchmark_problems
from pipeline.build import build
from pipeline.decontaminate import GramIndex
from pipeline.filters import MAX_STEPS, MAX_WORDS, RULES, exact_key, first_reason
from pipeline.teachers import gsm8k
from pipeline.teachers.gsm8k import tidy

ROOT = Path(__file__).resolve().parents[1]
GOOD = Row(
    id="r",
    problem="Ana has 3 boxes with 4 pens each. She gives 2 pens away. How many pens are left?",
    steps=("Ana has 3 * 4 = 12 pens.", "12 - 2 = 10 pens are left."),
    answer="10",
)

# --- the rules


@pytest.mark.parametrize(
    "change, rule, reason",
    [
        ({"problem": " \n"}, "structure", "empty_problem_or_step"),
        ({"steps": ()}, "structure", "empty_problem_or_step"),
        ({"steps": (*GOOD.steps, " ")}, "structure", "empty_problem_or_step"),
        ({"problem": "Ana <|im_end|> has 3"}, "structure", "control_token"),
        ({"steps": ("So </think>", *GOOD.steps)}, "structure", "control_token"),
        ({"problem": "word " * (MAX_WORDS + 1)}, "structure", f"problem_over_{MAX_WORDS}_words"),
        ({"steps": (GOOD.steps[0],) * MAX_STEPS + (GOOD.steps[1],)}, "structure", f"more_than_{MAX_STEPS}_steps"),
        ({"steps": (GOOD.steps[0] + "\nYes.", GOOD.steps[1])}, "structure", "step_with_a_line_break"),
        ({"answer": "many"}, "answer_range", "answer_is_no_number"),
        ({"steps": ("50000 * 50000 = 2500000000",), "answer": "2500000000"}, "answer_range", "answer_beyond_1000000000"),
        ({"steps": ("3 * 4 = 13 pens", "12 - 2 = 10")}, "wrong_step", "step_1_does_not_add_up"),
        ({"steps": ("3 * 4 = 12 pens", "12 - 3 = 10")}, "wrong_step", "step_2_does_not_add_up"),
        ({"steps": ("There are ten left.",)}, "wrong_step", "no_sum_to_check"),
        ({"answer": "11"}, "answer_from_steps", "answer_is_not_the_last_result"),
        ({"steps": GOOD.steps[:1]}, "answer_from_steps", "answer_is_not_the_last_result"),
        ({"answer": "8 #### 10"}, "reads_back", "answer_does_not_read_back"),
    ],
)  # fmt: skip
def test_a_row_is_dropped_by_the_rule_that_it_breaks(change, rule, reason):
    assert first_reason(replace(GOOD, **change)) == (rule, reason)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"problem": "word " * MAX_WORDS},
        {"steps": (GOOD.steps[0],) * (MAX_STEPS - 1) + (GOOD.steps[1],)},
        {"steps": ("5 - 8 = -3 degrees",), "answer": "-3"},
        {"steps": ("1 / 4 + 1 / 4 = 1/2",), "answer": "1/2"},
        {"steps": ("10 / 4 = 2.5",), "answer": "2.5"},
        {"steps": ("1000 * 1000000 = 1000000000",), "answer": "1000000000"},
        {"steps": ("Ten is given.", "12 - 2 = 10")},
    ],
)
def test_a_sound_row_passes_every_rule(change):
    row = replace(GOOD, **change)
    assert [rule(row) for rule in RULES] == [None] * len(RULES)


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Ana has 3 pens.", "ana has 3 PENS!", True),
        ("Ana  has\n3 pens", "Ana has 3 pens", True),
        ("Ana has 3 pens.", "Ana has 4 pens.", False),
    ],
)
def test_two_problems_count_as_the_same_by_their_letters_and_digits(one, other, same):
    assert (exact_key(one) == exact_key(other)) is same


# --- overlap

LONG = "a b c d e f g h i j k l m n o p"


@pytest.mark.parametrize(
    "n, indexed, text, overlaps",
    [
        (13, LONG, LONG, True),
        (
            13,
            LONG,
            "so then: C, d e f G h-i j k l m n o and on",
            True,
        ),  # 13 in a row, other marks and capitals
        (13, LONG, "so then: c d e f g h i j k l m n and on it goes", False),  # 12 in a row
        (8, LONG, "so then: c d e f g h i j k l m n and on it goes", True),
        (8, LONG, "c d e f g h i x j k l m n o p", False),  # seven, and seven
        (13, "Ana has 3 pens.", "ANA has 3 pens", True),  # shorter than a gram: the text itself
        (13, "Ana has 3 pens.", "Ben has 3 pens", False),
        (8, "Ana has 3 pens.", "So then: Ana has 3 pens, and more of a long tale follows.", True),  # a short test in a row
        (8, "So then: Ana has 3 pens, and more of a long tale follows.", "ana has 3 pens", True),  # and the reverse
        (8, "Ana has 3 pens.", "Dana has 3 pens and Ana has 30 pens of a long tale", False),  # words, not letters
        (8, "Ana has 3 pens.", "", False),
        (8, "", "", False),
    ],
)
def test_an_overlap_is_a_shared_gram(n, indexed, text, overlaps):
    assert GramIndex([indexed], n).overlaps(text) is overlaps


def test_a_copy_with_other_numbers_is_found_when_numbers_are_masked():
    index = GramIndex(["Ana buys 12 pens for $3.50 each and sells 4 of them"], 8, mask_numbers=True)
    copy = "Ana buys 7 pens for $1,200 each and sells 5 of them"
    assert index.overlaps(copy)
    assert not GramIndex(["Ana buys 12 pens for $3.50 each and sells 4 of them"], 8).overlaps(copy)


# --- the human teacher


@pytest.mark.parametrize(
    "line, step",
    [
        ("Natalia sold 48/2 = <<48/2=24>>24 clips in May.", "Natalia sold 48 / 2 = 24 clips in May."),
        ("He pays $1,200 + $30=$<<1200+30=1230>>1,230.", "He pays 1200 + 30 = 1230."),
        ("So 3x4=12 and 3 × 4 = 12 and 8÷2=4", "So 3 * 4 = 12 and 3 * 4 = 12 and 8 / 2 = 4"),
        ("It is 20-5=15 in a well-known 3-room flat", "It is 20 - 5 = 15 in a well-known 3-room flat"),
        ("(2+3)*4=20", "(2 + 3) * 4 = 20"),
        ("50%*8=4", "50% * 8 = 4"),
        ("  Two   spaces.  ", "Two spaces."),
        ("1,234,567 is 1234567, 12,5 stays", "1234567 is 1234567, 12,5 stays"),
        ("10-.5=9.5", "10 - .5 = 9.5"),
        ("<<1+1=2>>", ""),
    ],
)
def test_a_human_line_is_tidied_into_a_step(line, step):
    assert tidy(line) == step


# --- the sets

TRAIN = [
    {"question": "Zed picks 48 figs in one week and half as many in another week. How many figs are that?",
     "answer": "He picks 48/2 = <<48/2=24>>24 figs.\nTogether 48+24 = <<48+24=72>>72 figs.\n#### 72"},
    {"question": "A wrong sum stands here, in this very row. What is 2 and 2?", "answer": "2+2 = <<2+2=5>>5\n#### 5"},
    {"question": "zed picks 48 figs in one week, and half as many in another week! How many figs are that",
     "answer": "Together 48+24 = <<48+24=72>>72 figs.\n#### 72"},
    {"question": "This one was copied out of the test set word for word by somebody who did not look: 5 + 5?",
     "answer": "5+5 = <<5+5=10>>10\n#### 10"},
]  # fmt: skip
TEST = [
    {"question": TRAIN[3]["question"], "answer": "#### 10"},
    {"question": "Short one?", "answer": "#### 1"},
]
SVAMP = [{"ID": "c-1", "Body": "Ed had 8 nuts", "Question": "How many now?", "Answer": 8.0, "Type": "Sum"}]


@pytest.fixture
def small_sets(tmp_path, monkeypatch):
    """The known sets, a few rows each, pinned as the real ones are."""
    folder = tmp_path / "sets"
    files = {
        ("gsm8k", "train"): (
            "gsm8k/train.jsonl",
            "".join(json.dumps(row) + "\n" for row in TRAIN),
            len(TRAIN),
        ),
        ("gsm8k", "test"): ("gsm8k/test.jsonl", "".join(json.dumps(row) + "\n" for row in TEST), len(TEST)),
        ("svamp", "test"): ("svamp/SVAMP.json", json.dumps(SVAMP), len(SVAMP)),
    }
    assert files.keys() == SOURCES.keys()
    for key, (name, text, rows) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        pinned = replace(SOURCES[key], rows=rows, sha256=hashlib.sha256(text.encode()).hexdigest())
        monkeypatch.setitem(SOURCES, key, pinned)
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    return folder


def test_a_set_is_read_as_problems(small_sets):
    (problem,) = load_source("svamp", "test")
    assert (problem.id, problem.question) == ("svamp-c-1", "Ed had 8 nuts. How many now?")
    assert (problem.answer, problem.meta) == (Fraction(8), {"type": "Sum"})
    assert [p.answer for p in load_source("gsm8k", "train")] == [72, 5, 72, 10]


def test_a_set_that_changed_or_is_missing_or_unknown_is_refused(small_sets, monkeypatch):
    with pytest.raises(ValueError, match="no problem set gsm8k/dev: known are gsm8k/train"):
        load_source("gsm8k", "dev")
    monkeypatch.setitem(SOURCES, ("svamp", "test"), replace(SOURCES["svamp", "test"], rows=1000))
    with pytest.raises(ValueError, match="has 1 rows here, 1000 when it was pinned"):
        load_source("svamp", "test")
    with open(small_sets / "gsm8k/test.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match="is not the file whose hash is pinned"):
        load_source("gsm8k", "test")
    (small_sets / "gsm8k/test.jsonl").unlink()
    with pytest.raises(ValueError, match=f"does not exist: unset {DATA_VARIABLE}"):
        load_source("gsm8k", "test")


def test_without_a_folder_and_without_the_hub_client_the_way_to_the_data_is_told(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it now fails
    with pytest.raises(ValueError, match=f"'.\\[pipeline\\]'.*{DATA_VARIABLE}"):
        load_source("gsm8k", "test")


# --- no way in for a test row


def test_gsm8k_train_is_the_only_split_that_may_be_trained_on():
    assert [key for key, source in SOURCES.items() if source.trainable] == [("gsm8k", "train")]


def test_the_teacher_reads_the_trainable_split_only(small_sets, monkeypatch):
    asked = []
    monkeypatch.setattr(gsm8k, "load_source", lambda *key: asked.append(key) or load_source(*key))
    rows = list(gsm8k.write_rows())
    assert asked == [("gsm8k", "train")]
    assert {row.source for row in rows} == {"gsm8k-train"} and rows[0].id == "gsm8k-train-0"
    monkeypatch.setitem(SOURCES, ("gsm8k", "train"), replace(SOURCES["gsm8k", "train"], trainable=False))
    with pytest.raises(ValueError, match="not marked as trainable"):
        list(gsm8k.write_rows())


def test_every_split_that_may_not_be_trained_on_is_compared_with(small_sets):
    assert benchmark_problems() == {
        "gsm8k/test": [TEST[0]["question"], TEST[1]["question"]], "svamp/test": ["Ed had 8 nuts. How many now?"],
    }  # fmt: skip


def test_a_candidate_that_is_a_test_question_is_dropped():
    test = "Ben fills 7 crates with 9 melons each and then sells 5 of the melons. How many has he left?"
    copy = replace(GOOD, problem=test.upper() + " Tell me.")
    clean, dropped, overlap = build([GOOD, copy], 2, 1, [test])
    assert [row.id for row in clean] == ["r"]
    assert [(row["stage"], row["reason"]) for row in dropped] == [
        ("test_overlap", "shares_a_13_gram_with_a_test_set")
    ]
    assert overlap == {"13_gram": 1, "8_gram": 0}
    shorter = replace(
        GOOD, problem="Cy fills 7 crates with 9 melons each and then stops. How many melons are that?"
    )
    assert build([shorter], 1, 1, [test])[2] == {"13_gram": 0, "8_gram": 1}


# --- the build


def run_build(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["build", *map(str, arguments)])
    pipeline.build.main()


def test_a_build_accounts_for_every_candidate(small_sets, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_build(monkeypatch, "--out", out, "--rows", 40, "--gsm8k", "--workers", 1)
    clean, dropped, report = (
        list(read_rows(out / "clean.jsonl")),
        list(read_rows(out / "dropped.jsonl")),
        read_json(out / "report.json"),
    )
    assert report["candidates"] == 44 == report["clean"] + report["dropped"]
    assert (report["clean"], report["dropped"]) == (len(clean), len(dropped))
    human = {row["id"]: (row["stage"], row["reason"]) for row in dropped if row["source"] == "gsm8k-train"}
    assert human == {
        "gsm8k-train-1": ("wrong_step", "step_1_does_not_add_up"),
        "gsm8k-train-2": ("exact_duplicate", "same_problem"),
        "gsm8k-train-3": ("test_overlap", "shares_a_13_gram_with_a_test_set"),
    }
    counted = {stage: sum(reasons.values()) for stage, reasons in report["dropped_by_stage"].items()}
    assert sum(counted.values()) == len(dropped)
    assert set(counted) == {*(rule.__name__ for rule in RULES), "exact_duplicate", "test_overlap"}
    assert sum(report["sources"].values()) == sum(report["steps"].values()) == len(clean)
    assert report["sources"]["gsm8k-train"] == 1
    assert sum(report["topics"].values()) == report["sources"]["bank"]
    assert report["sha256"] == hashlib.sha256((out / "clean.jsonl").read_bytes()).hexdigest()
    decontamination = report["decontamination"]
    assert decontamination["tests"] == ["gsm8k/test", "svamp/test"] and decontamination["test_problems"] == 3
    assert decontamination["clean_rows_with_overlap"] == {
        "13_gram": 0, "8_gram": 0, "8_gram_numbers_masked": 0,
    }  # fmt: skip
    assert all(row["source"] in ("bank", "gsm8k-train") for row in clean + dropped)
    assert all(first_reason(Row.from_dict(row)) is None for row in clean)


def test_the_same_arguments_give_the_same_bytes_with_any_number_of_workers(tmp_path, monkeypatch):
    for name, seed, workers in (("one", 7, 1), ("two", 7, 2), ("again", 7, 2), ("other", 8, 1)):
        # more rows than one chunk, so that two workers share them
        run_build(
            monkeypatch,
            "--out",
            tmp_path / name,
            "--rows",
            520,
            "--seed",
            seed,
            "--workers",
            workers,
            "--no-tests",
        )
    for file in ("clean.jsonl", "dropped.jsonl", "report.json"):
        one, two, again, other = (
            (tmp_path / name / file).read_bytes() for name in ("one", "two", "again", "other")
        )
        assert one == two == again
        assert file == "dropped.jsonl" or one != other


def test_a_build_killed_between_rows_and_report_leaves_no_report_of_other_rows(tmp_path, monkeypatch):
    run_build(monkeypatch, "--out", tmp_path, "--rows", 3, "--no-tests", "--workers", 1)
    write = pipeline.build.write_rows

    def dying(path, rows):
        write(path, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.build, "write_rows", dying)
        with pytest.raises(KeyboardInterrupt):
            run_build(monkeypatch, "--out", tmp_path, "--rows", 4, "--no-tests", "--workers", 1)
    assert not (tmp_path / "report.json").exists()
    run_build(monkeypatch, "--out", tmp_path, "--rows", 4, "--no-tests", "--workers", 1)
    assert read_json(tmp_path / "report.json")["sha256"] == sha256_file(tmp_path / "clean.jsonl")


def test_a_build_without_the_test_sets_says_so_in_its_report(tmp_path, monkeypatch):
    run_build(monkeypatch, "--out", tmp_path, "--rows", 3, "--no-tests", "--workers", 1)
    report = read_json(tmp_path / "report.json")
    assert report["decontamination"] == {
        "tests": "not compared", "test_problems": 0, "dropped_for_overlap": {}, "clean_rows_with_overlap": None,
    }  # fmt: skip
    assert report["command"] == "python -m pipeline.build --rows 3 --seed 0 --no-tests"


def test_a_build_in_which_nothing_passes_fails_and_leaves_the_reasons(tmp_path, monkeypatch):
    bad = [replace(GOOD, answer="11"), replace(GOOD, steps=())]
    monkeypatch.setattr(pipeline.build.procedural, "write_rows", lambda count, seed, split="train": iter(bad))
    with pytest.raises(SystemExit, match="no row passed the filters"):
        run_build(monkeypatch, "--out", tmp_path, "--rows", 2, "--no-tests", "--workers", 1)
    assert [row["stage"] for row in read_rows(tmp_path / "dropped.jsonl")] == [
        "answer_from_steps",
        "structure",
    ]
    assert not (tmp_path / "clean.jsonl").exists()


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--rows", "0"], "must be at least 1"),
        (["--rows", "-4"], "must be at least 1"),
        (["--workers", "0"], "must be at least 1"),
        (["--rows", "2"], f"unset {DATA_VARIABLE}.*or --no-tests"),
        (["--rows", "2", "--no-tests", "--gsm8k"], f"unset {DATA_VARIABLE}"),
    ],
)
def test_a_wrong_argument_is_answered_with_a_sentence(tmp_path, monkeypatch, arguments, says):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(SystemExit, match=says):
        run_build(monkeypatch, "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--rows", "many"], []])
def test_the_command_line_refuses_without_a_traceback(tmp_path, arguments):
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.build", *arguments],
        cwd=ROOT, env=os.environ | {DATA_VARIABLE: str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 2 and "error:" in result.stderr and "Traceback" not in result.stderr
