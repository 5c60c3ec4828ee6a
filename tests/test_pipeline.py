"""From candidates to clean rows: each rule, the funnel that adds up, and no way in for a test row."""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import pytest

import pipeline.build
import pipeline.outputs
from mathtutor.bank import load_bank, split_of
from mathtutor.io import hold_folder, read_json, read_rows, sha256_file, write_json
from mathtutor.problem import Row
from mathtutor.sources import DATA_VARIABLE, SOURCES, load_source
from pipeline.benchmarks import benchmark_problems
from pipeline.chain import STAGES, Sifted, report_of
from pipeline.cluster import NOT_UP
from pipeline.corpus import References, exact_key
from pipeline.decontaminate import GramIndex
from pipeline.filters import RULES, all_reasons, first_reason
from pipeline.outputs import write_data_set
from pipeline.recipe import Corpus, Limits, Recipe, load_recipe
from pipeline.teachers import gsm8k, procedural
from pipeline.teachers.gsm8k import tidy

ROOT = Path(__file__).resolve().parents[1]
LIMITS = Limits()
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
        ({"steps": ()}, "structure", "no_solution_only_an_answer"),
        ({"steps": (*GOOD.steps, " ")}, "structure", "empty_problem_or_step"),
        ({"problem": "Ana <|im_end|> has 3"}, "structure", "control_token"),
        ({"steps": ("So </think>", *GOOD.steps)}, "structure", "control_token"),
        ({"problem": "What is it?"}, "structure", f"problem_under_{LIMITS.min_words}_words"),
        ({"problem": "word " * (LIMITS.max_words + 1)}, "structure", f"problem_over_{LIMITS.max_words}_words"),
        ({"steps": (GOOD.steps[0],) * LIMITS.max_steps + (GOOD.steps[1],)}, "structure", f"more_than_{LIMITS.max_steps}_steps"),
        ({"steps": (GOOD.steps[0] + "\nYes.", GOOD.steps[1])}, "structure", "step_with_a_line_break"),
        ({"answer": "many"}, "answer_range", "answer_is_no_number"),
        ({"answer": "8 #### 10"}, "answer_range", "answer_is_not_the_bare_number"),
        ({"steps": ("50000 * 50000 = 2500000000",), "answer": "2500000000"}, "answer_range", "answer_beyond_1000000000"),
        ({"steps": ("3 * 4 = 13 pens", "12 - 2 = 10")}, "math_verification", "step_1_does_not_add_up"),
        ({"steps": ("3 * 4 = 12 pens", "12 - 3 = 10")}, "math_verification", "step_2_does_not_add_up"),
        ({"steps": ("There are ten left.",)}, "math_verification", "no_sum_to_check"),
        ({"answer": "11"}, "math_verification", "answer_is_not_the_last_result"),
        ({"steps": (GOOD.steps[0], "So 12 pens are left.")}, "math_verification", "answer_is_not_the_last_result"),
        ({"steps": ("Let x be the pens.", "x + 2 = 12", "2x = 22", "x = 10")}, "math_verification", "equation_does_not_hold"),
        ({"steps": GOOD.steps[:1]}, "math_verification", "answer_is_not_the_last_result"),
    ],
)  # fmt: skip
def test_a_row_is_dropped_by_the_rule_that_it_breaks(change, rule, reason):
    assert first_reason(replace(GOOD, **change)) == (rule, reason)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"steps": ("5 - 8 = -3 degrees.",), "answer": "-3"},
        {"steps": ("1/4 + 1/4 = 1/2.",), "answer": "1/2"},
        {"steps": ("10 / 4 = 2.5.",), "answer": "2.5"},
        {"steps": ("1000 * 1000000 = 1000000000.",), "answer": "1000000000"},
        {"steps": ("Ten is given.", "12 - 2 = 10.")},
        {"steps": ("x + 2 = 12.", "x = 10.")},  # an equation that holds is checked, too
        {"steps": ("3 * 4 = 12.", "12 - 2 = 10.", "So 10 pens are left.")},
        {"steps": ("30 / 7 = 4.29, which rounds to 4.",), "answer": "4"},
        {"steps": ("96 / 12 = 8 dozen.",), "answer": "8"},
        {"problem": "A pen costs 2 dollars. How many cents are that?", "steps": ("4 / 2 = 2 dollars.",), "answer": "200"},
    ],
)
def test_a_sound_row_passes_the_rules_on_form_and_sums(change):
    row = replace(GOOD, **change)
    assert [RULES[name](row, LIMITS) for name in ("structure", "answer_range", "math_verification")] == [None] * 3


def test_a_threshold_of_the_recipe_decides():
    assert first_reason(GOOD) is None
    assert first_reason(GOOD, replace(LIMITS, max_steps=1)) == ("structure", "more_than_1_steps")
    assert first_reason(GOOD, replace(LIMITS, max_answer=9)) == ("answer_range", "answer_beyond_9")


def test_the_published_recipe_writes_every_threshold_with_its_reason():
    path = Path(__file__).resolve().parents[1] / "pipeline" / "recipes" / "synth-50k.yaml"
    written = dict(re.findall(r"^  (\w+): [^#\n]*(#?)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert {field.name for part in (Limits, Corpus) for field in fields(part)} <= written.keys()
    assert [name for name, reason in written.items() if not reason] == []
    assert load_recipe(path).limits == Limits()


def test_all_rules_speak_of_a_row_and_the_first_decides():
    bad = replace(GOOD, answer="many")
    assert [stage for stage, _ in all_reasons(bad)][:1] == ["answer_range"]
    assert ("math_verification", "answer_is_not_the_last_result") in all_reasons(bad)
    assert first_reason(bad) == all_reasons(bad)[0]


@pytest.mark.parametrize("row", [replace(GOOD, problem="", steps=(), answer=""), replace(GOOD, steps=("",), answer="\x00" * 50)])
def test_no_row_makes_a_rule_raise(row):
    assert all_reasons(row)


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Ana has 3 pens.", "ana has 3 PENS!", True),
        ("Ana  has\n3 pens", "Ana has 3 pens", True),
        ("Ana has 3 pens.", "Ana has 4 pens.", False),
        ("Compute 12 + 4 for Ana.", "Compute 12 - 4 for Ana.", False),
        ("Compute 12 \u2212 4 for Ana.", "compute 12 - 4 for Ana", True),  # a minus of its own
        ("Solve 2x + 3 = 7.", "Solve 2x - 3 = 7.", False),
        ("Solve x - y = 7.", "Solve x + y = 7.", False),
        ("It is -5 degrees.", "It is 5 degrees.", False),
        ("Compute 3 * 4.", "Compute 3 \u00d7 4", True),
        ("Ana has 3.5 kg.", "Ana has 3 5 kg.", False),
        ("Ana pays 1/2.", "Ana pays 1 2.", False),
        ("A well-known shop", "a well known shop", True),
        ("Zo\u00eb has 3 pens.", "Zo has 3 pens.", False),
        ("Zoe\u0308 has 3 pens.", "ZO\u00cb has 3 pens", True),  # composed or not
        ("\u0410\u043d\u043d\u0430 has 3", "\u0418\u0432\u0430\u043d has 3", False),
        ("\u25b3?", "\u25a1?", False),
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
        ("2x-5 = 11 and x(x+1) and 3x.", "2x-5 = 11 and x(x+1) and 3x."),  # algebra
        ("4 x 12=48, 4 x (2+1)=12", "4 * 12 = 48, 4 * (2 + 1) = 12"),
        ("It takes 28 / 1/5 = 140 and 1 1/2*2=3 and 1 and 1/2 cups", "It takes 28 / 1/5 = 140 and 1 1/2 * 2 = 3 and 1 1/2 cups"),
        ("He runs 6 because 2 times 3 equals 6", "He runs 6 because 2 * 3 = 6"),
        ("He ran 20 times 2 laps, so 20*2=40", "He ran 20 times 2 laps, so 20 * 2 = 40"),
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
    {"question": "zed picks 48 figs in one week, and half as many in another week; how many figs are that?",
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


def test_masked_words_count_where_they_say_what_a_text_is_about():
    text = "Ola ran 3 miles on Monday, 5 on Tuesday and 9 on Friday. How many is that?"
    other = "Ben took 4 naps on Sunday, 1 on Monday and 2 on Tuesday. How many is that?"
    story = "Ola peels 3 ripe mangoes on Monday for the school picnic, then bakes 9 tarts."
    retold = "On Monday Ben heard that Ida peels 7 ripe mangoes on Tuesday for the school picnic."
    assert not GramIndex([text], 10, mask_names=True).overlaps(other)
    assert GramIndex([story], 10, mask_names=True).overlaps(retold)


def test_every_split_that_may_not_be_trained_on_is_compared_with(small_sets):
    assert benchmark_problems() == {
        "gsm8k/test": [TEST[0]["question"], TEST[1]["question"]], "svamp/test": ["Ed had 8 nuts. How many now?"],
    }  # fmt: skip


# --- the build


RECIPE = """
name: small
sources: {bank: 40, gsm8k: true, bank_validation: 5}
corpus: {fuzzy: null, seed_overlap: null, skeleton_cap: null, validation: 0}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


read_bank = functools.cache(load_bank)


@pytest.fixture(autouse=True)
def bank_read_once(monkeypatch):
    """The bank takes a second to read, and every build reads it twice."""
    monkeypatch.setattr(procedural, "load_bank", read_bank)


def run_build(monkeypatch, recipe: Path, out: Path, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["build", "--recipe", str(recipe), "--out", str(out), *map(str, arguments)])
    pipeline.build.main()


def setting(**values: object) -> list[str]:
    return [part for key, value in values.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


BANK_ONLY = setting(sources__gsm8k="false")


def test_a_build_accounts_for_every_candidate(small_sets, tmp_path, monkeypatch, recipe):
    out = tmp_path / "out"
    run_build(monkeypatch, recipe, out, "--workers", 1)
    clean, dropped, report = list(read_rows(out / "clean.jsonl")), list(read_rows(out / "dropped.jsonl")), read_json(out / "report.json")
    assert report["candidates"] == 44 == report["clean"] + report["dropped"]
    assert (report["clean"], report["train"], report["dropped"]) == (len(clean), len(clean), len(dropped))
    human = {row["id"]: (row["stage"], row["reason"]) for row in dropped if row["source"] == "gsm8k-train"}
    assert human == {
        "gsm8k-train-1": ("math_verification", "step_1_does_not_add_up"),
        "gsm8k-train-2": ("exact_duplicate", "same_problem"),
        "gsm8k-train-3": ("test_overlap", "shares_a_13_gram_with_a_test_set"),
    }
    assert {row["id"]: row["twin"] for row in dropped if row["twin"]} == {
        "gsm8k-train-2": "gsm8k-train-0", "gsm8k-train-3": "gsm8k/test#0",
    }  # fmt: skip
    assert list(report["dropped_by_stage"]) == list(STAGES) == [stage["stage"] for stage in report["stages"]]
    counted = {stage: sum(reasons.values()) for stage, reasons in report["dropped_by_stage"].items()}
    assert sum(counted.values()) == len(dropped)
    assert counted == {stage["stage"]: stage["dropped"] for stage in report["stages"]}
    assert sum(report["sources"].values()) == sum(report["steps"].values()) == len(clean)
    assert report["sources"]["gsm8k-train"] == 1
    assert sum(report["topics"].values()) == report["sources"]["bank"]
    assert report["sha256"] == report["files"]["clean.jsonl"]["sha256"] == hashlib.sha256((out / "clean.jsonl").read_bytes()).hexdigest()
    decontamination = report["decontamination"]
    held_out = [family for family in read_bank() if split_of(family) == "held-out"]
    assert decontamination["tests"] == ["gsm8k/test", "svamp/test", "bank/held-out", "typed"] and decontamination["verbatim_only"] == ["bank/known"]
    assert decontamination["test_problems"] == 3 + 6 * len(held_out) + 300  # typed
    assert set(decontamination["clean_rows_with_overlap"].values()) == {0}
    assert all(row["source"] in ("bank", "gsm8k-train") for row in clean + dropped)
    assert all(first_reason(Row.from_dict(row)) is None for row in clean)
    validation = list(read_rows(out / "validation.jsonl"))
    assert report["validation"] == {"rows": 5, "rule": "families of the bank, beside the candidates"} and len(validation) == 5
    assert not {row["family"] for row in validation} & {row["family"] for row in clean}


def test_the_parquet_file_holds_the_rows_of_clean_jsonl(tmp_path, monkeypatch, recipe):
    from pyarrow import parquet

    run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY)
    table = parquet.read_table(tmp_path / "out" / "clean.parquet")
    assert table.to_pylist() == list(read_rows(tmp_path / "out" / "clean.jsonl"))
    assert table.column_names == [field.name for field in fields(Row)]


def test_the_same_recipe_gives_the_same_bytes_with_any_number_of_workers(tmp_path, monkeypatch, recipe):
    for name, seed, workers in (("one", 7, 1), ("two", 7, 2), ("again", 7, 2), ("other", 8, 1)):
        # more rows than one chunk, so that two workers share them
        more = setting(sources__bank=520, seed=seed, corpus__fuzzy=0.5, corpus__skeleton_cap=3)
        run_build(monkeypatch, recipe, tmp_path / name, "--workers", workers, "--no-tests", *BANK_ONLY, *more)
    for file in sorted(path.name for path in (tmp_path / "one").iterdir()):
        one, two, again, other = ((tmp_path / name / file).read_bytes() for name in ("one", "two", "again", "other"))
        assert one == two == again, file
        assert one != other, file


KILLED = """
import os, signal, sys
calls, replace = 0, os.replace
def dying(*names):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)
os.replace = dying
import pipeline.build
pipeline.build.main()
"""


def test_a_build_killed_amid_its_files_leaves_no_report_and_ends_alike_when_run_again(tmp_path, monkeypatch, recipe):
    arguments = ["--no-tests", "--workers", "1", *BANK_ONLY, *setting(sources__bank=12)]
    whole, out = tmp_path / "whole", tmp_path / "killed"
    run_build(monkeypatch, recipe, whole, *arguments)
    command = [sys.executable, "-c", KILLED, "--recipe", str(recipe), "--out", str(out), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert result.returncode == -9
    assert sorted(path.name for path in out.glob("[!.]*")) == ["clean.jsonl", "dropped.jsonl"] and list(out.glob(".report.json.*.tmp"))
    run_build(monkeypatch, recipe, out, *arguments)
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names  # nothing of the killed one lies about
    assert names == ["README.md", "clean.jsonl", "clean.parquet", "dropped.jsonl", "report.html", "report.json", "validation.jsonl"]
    assert [(out / name).read_bytes() for name in names] == [(whole / name).read_bytes() for name in names]


KILLED_AMID_ROWS = """
import os, signal, sys
import pipeline.workers
engine = getattr(pipeline.workers, sys.argv.pop(1))
results = engine.map
def dying(self, *arguments):
    for result in results(self, *arguments):
        os.kill(os.getpid(), signal.SIGKILL)  # the workers are waiting for more
        yield result
engine.map = dying
import pipeline.build
pipeline.build.main()
"""


@pytest.mark.parametrize("engine, name, workers", [("local", "Processes", 1), ("local", "Processes", 2), ("dask", "Dask", 2), ("ray", "Ray", 2)])
def test_a_build_whose_main_process_is_killed_can_be_run_again_at_once_and_no_worker_outlives_it(tmp_path, monkeypatch, recipe, engine, name, workers):
    if engine != "local" and importlib.util.find_spec("distributed" if engine == "dask" else engine) is None:
        pytest.skip("needs pip install -e '.[scale]'")
    arguments = ["--no-tests", *BANK_ONLY, *setting(sources__bank=12)]
    whole, out = tmp_path / "whole", tmp_path / "killed"
    run_build(monkeypatch, recipe, whole, *arguments, "--workers", 1)
    command = ["--recipe", str(recipe), "--out", str(out), *arguments, "--workers", str(workers), "--engine", engine]

    def must(process: subprocess.Popen, code: int) -> None:
        said = process.communicate(timeout=600)[1].decode()  # its pipes end with the last process that was born with it
        if NOT_UP in said:
            pytest.skip(said[:120])
        assert process.returncode == code, said

    pipes = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", KILLED_AMID_ROWS, name, *command], **pipes) as killed:
        killed.wait()
        with subprocess.Popen([sys.executable, "-m", "pipeline.build", *command], **pipes) as again:
            must(again, 0)
        must(killed, -signal.SIGKILL)
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names
    assert [(out / name).read_bytes() for name in names] == [(whole / name).read_bytes() for name in names]


def test_a_build_over_another_one_leaves_no_report_of_other_rows_when_it_dies(tmp_path, monkeypatch, recipe):
    run_build(monkeypatch, recipe, tmp_path, "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=3))

    def dying(path, data):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            run_build(monkeypatch, recipe, tmp_path, "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=4))
    assert not (tmp_path / "report.json").exists()
    run_build(monkeypatch, recipe, tmp_path, "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=4))
    assert read_json(tmp_path / "report.json")["sha256"] == sha256_file(tmp_path / "clean.jsonl")


def test_a_build_without_the_test_sets_says_so_in_its_report(tmp_path, monkeypatch, recipe):
    run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY)
    report = read_json(tmp_path / "out" / "report.json")
    assert report["decontamination"] == {
        "tests": "not compared", "test_problems": 0, "dropped_for_overlap": {}, "clean_rows_with_overlap": None,
    }  # fmt: skip
    assert report["command"] == "python -m pipeline.build --recipe small.yaml --set sources.gsm8k=false --no-tests"


def test_rows_that_a_teacher_wrote_before_are_candidates_too(tmp_path, monkeypatch, recipe):
    raw = tmp_path / "raw.jsonl"
    raw.write_text(json.dumps(replace(GOOD, source="claude").to_dict()) + "\n")
    more = setting(sources__bank=2, sources__bank_validation=0, sources__files=raw)
    run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY, *more)
    assert read_json(tmp_path / "out" / "report.json")["sources"] == {"bank": 2, "claude": 1}
    assert not (tmp_path / "out" / "validation.jsonl").exists()
    raw.write_text('{"id": "r", "problem": "Ana?"}\n')
    with pytest.raises(SystemExit, match=r"raw.jsonl:1: row r lacks answer, steps"):
        run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY, *more)


def test_a_build_in_which_nothing_passes_fails_and_leaves_the_reasons(tmp_path, monkeypatch, recipe):
    run_build(monkeypatch, recipe, tmp_path, "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=2))
    bad = [replace(GOOD, answer="11"), replace(GOOD, id="s", steps=())]
    monkeypatch.setattr(pipeline.build.procedural, "write_rows", lambda count, seed, split="train", first=0: iter(bad))
    with pytest.raises(SystemExit, match="no row passed the filters"):
        run_build(monkeypatch, recipe, tmp_path, "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=2))
    assert [row["stage"] for row in read_rows(tmp_path / "dropped.jsonl")] == ["math_verification", "structure"]
    # Of the earlier build nothing is left that could be taken for this one's.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dropped.jsonl", "small.yaml"]


def test_a_row_that_fits_no_file_leaves_the_older_data_set_whole(tmp_path):
    report = report_of(Sifted([GOOD], [], Counter()), Recipe("r"), References())
    write_data_set(tmp_path, [GOOD], [], [], report)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="a row fits no Parquet file"):
        write_data_set(tmp_path, [replace(GOOD, grade=10**10)], [], [], report)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_report_names_the_bytes_that_its_own_run_wrote(tmp_path, monkeypatch):
    report = report_of(Sifted([GOOD], [], Counter()), Recipe("r"), References())
    replace = os.replace

    def overwritten(temporary, path):
        replace(temporary, path)
        Path(path).write_bytes(b"of another run")

    monkeypatch.setattr(os, "replace", overwritten)
    files = write_data_set(tmp_path, [GOOD], [], [], report)["files"]
    line = (json.dumps(GOOD.to_dict()) + "\n").encode()
    assert files["clean.jsonl"]["sha256"] == hashlib.sha256(line).hexdigest()


def test_two_builds_in_one_folder_are_one_too_many(tmp_path, monkeypatch, recipe):
    arguments = ["--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=2)]
    out = tmp_path / "out"
    run_build(monkeypatch, recipe, out, *arguments)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with hold_folder(out), pytest.raises(SystemExit, match="in use by another run"):
        run_build(monkeypatch, recipe, out, *arguments, *setting(sources__bank=3))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    run_build(monkeypatch, recipe, out, *arguments)


BILL = {"tokens": {"billed": [12, 34]}, "usd": {"billed": 0.5}}


def taught(folder: Path, teacher: str, **change) -> Path:
    """A file as pipeline.teach leaves it."""
    folder.mkdir(parents=True)
    (folder / "raw.jsonl").write_text(json.dumps(replace(GOOD, **change).to_dict()) + "\n")
    report = {"plan": {"teacher": teacher, "model": "m"}, "problems": {"asked": 1, "rows": 1}, **BILL}
    write_json(folder / "report.json", report | {"requests": {}, "sha256": sha256_file(folder / "raw.jsonl")})
    return folder / "raw.jsonl"


def test_the_report_of_a_build_tells_what_its_teachers_cost_and_no_path(tmp_path, monkeypatch, recipe):
    one = taught(tmp_path / "secret" / "one", "anthropic_batch", id="x", source="anthropic")
    two = taught(tmp_path / "secret" / "two", "procedural", id="y", problem=GOOD.problem.replace("pens", "cups"))
    more = setting(sources__bank=0, sources__bank_validation=0, sources__files=f"{one},{two}")
    run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY, *more)
    report = read_json(tmp_path / "out" / "report.json")
    assert {name: (told["plan"]["teacher"], told["usd"]) for name, told in report["teachers"].items()} == {
        "raw.jsonl": ("anthropic_batch", BILL["usd"]), "raw.jsonl (2)": ("procedural", BILL["usd"]),
    }  # fmt: skip
    assert report["sources"] == {"anthropic": 1, "bank": 1}
    assert report["inputs"] == [{"name": "raw.jsonl", "sha256": sha256_file(path)} for path in (one, two)]
    for path in (tmp_path / "out").iterdir():
        assert b"secret" not in path.read_bytes(), path
    assert "| raw.jsonl | m | 1 | 12 | 34 | $0.50 |" in (tmp_path / "out" / "README.md").read_text()
    one.write_text(one.read_text() + "\n")
    with pytest.raises(SystemExit, match="is not the file that .* stands for"):
        run_build(monkeypatch, recipe, tmp_path / "other", "--no-tests", "--workers", 1, *BANK_ONLY, *more)


@pytest.mark.parametrize(
    "source, teacher, says",
    [
        ("set/clean.jsonl", None, "clean.jsonl would be written over while it is read: choose another --out"),
        ("set/dropped.jsonl", None, "dropped.jsonl would be written over"),
        ("set/raw.jsonl", "procedural", "holds the rows of a teacher, and its report.json their bill: choose another --out"),
        ("elsewhere/raw.jsonl", "procedural", "holds the rows of a teacher"),
    ],
)
def test_a_build_writes_over_nothing_that_it_reads_and_over_no_bill(tmp_path, monkeypatch, recipe, source, teacher, says):
    out, path = tmp_path / "set", tmp_path / source
    if teacher:
        taught(out, teacher)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(GOOD.to_dict()) + "\n")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    more = setting(sources__bank_validation=0, sources__files=path)
    with pytest.raises(SystemExit, match=says):
        run_build(monkeypatch, recipe, out, "--no-tests", "--workers", 1, *BANK_ONLY, *more)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_build_into_a_circle_of_links_or_over_a_folder_is_refused_at_once(tmp_path, monkeypatch, recipe):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "set" / "clean.jsonl").mkdir(parents=True)
    for name, says in (("loop", "loop cannot be written to"), ("set", "clean.jsonl is a folder where a file is to be written")):
        with pytest.raises(SystemExit, match=says):
            run_build(monkeypatch, recipe, tmp_path / name, "--no-tests", "--workers", 1, *BANK_ONLY)
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["clean.jsonl"]


def test_the_command_of_a_build_can_be_pasted_into_a_shell(tmp_path):
    arguments = ["--recipe", "my recipe.yaml", "--set", "sources.files=a/x y; echo pwned.jsonl", "--against", "b/it's $5.jsonl"]
    args = argparse.Namespace(recipe=tmp_path / "my recipe.yaml", set=arguments[3:4], no_tests=False, against=[Path(arguments[5])])
    assert shlex.split(pipeline.build.command_of(args))[3:] == [
        "--recipe", "my recipe.yaml", "--set", "sources.files=x y; echo pwned.jsonl", "--against", "it's $5.jsonl",
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["bank", "composed", "gsm8k-train"])
def test_a_file_of_strangers_does_not_get_our_licence_by_calling_itself_ours(tmp_path, source):
    path = tmp_path / "theirs.jsonl"
    path.write_text(json.dumps(replace(GOOD, source=source).to_dict()) + "\n")
    assert [row.source for row in pipeline.build.read_file(path)] == ["theirs.jsonl"]
    copy = taught(tmp_path / "lent", "anthropic_batch", source=source)
    assert [row.source for row in pipeline.build.read_file(copy)] == ["raw.jsonl"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (setting(sources__bank=-4), "sources.bank must be at least 0, not -4"),
        (setting(sources__bnak=4), "unknown key sources.bnak: did you mean bank?"),
        (setting(limits__max_step=4), "unknown key limits.max_step: did you mean max_steps?"),
        (setting(limits__min_words=201), "limits.min_words 201 exceeds limits.max_words 200"),
        (setting(corpus__fuzzy="off"), "corpus.fuzzy must be float | None, not False"),
        (setting(corpus__fuzzy=1.5), "corpus.fuzzy must lie between 0 and 1, not 1.5"),
        (setting(corpus__validation=0.1, sources__bank_validation=0), "corpus.validation needs corpus.fuzzy"),
        (setting(corpus__validation=0.1, corpus__fuzzy=0.8), "both fill validation.jsonl"),
        (setting(corpus__validation=0.99), "corpus.validation must lie in 0 to 0.5, not 0.99"),
        (setting(sources__bank=0, sources__gsm8k="false"), "names no source of candidates"),
        (setting(sources__files="none.jsonl", sources__gsm8k="false"), "none.jsonl"),
        (["--workers", "0"], "must be at least 1"),
        (BANK_ONLY, f"unset {DATA_VARIABLE}.*or build without the comparison: python -m pipeline.build --recipe .* --no-tests$"),
        (["--no-tests"], f"unset {DATA_VARIABLE}"),
        (["--no-tests", "--against", "x.json"], "give one of them"),
    ],
)
def test_a_wrong_argument_is_answered_with_a_sentence(tmp_path, monkeypatch, recipe, arguments, says):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(SystemExit, match=says):
        run_build(monkeypatch, recipe, tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_a_data_set_that_another_command_made_is_not_replaced_without_a_word(tmp_path, monkeypatch, recipe, capsys):
    for count, is_told in ((3, False), (3, False), (4, True)):
        run_build(monkeypatch, recipe, tmp_path / "out", "--no-tests", "--workers", 1, *BANK_ONLY, *setting(sources__bank=count))
        assert ("holds the data set small (" in capsys.readouterr().out) is is_told


def test_all_that_is_wrong_with_a_recipe_is_told_at_once(recipe):
    wrong = ["sources.bnak=20", "corpus.fuzzy=2", "limits.max_steps=ten", "limits.min_words=0", "limits.max_answer=.inf"]
    with pytest.raises(ValueError) as caught:
        load_recipe(recipe, wrong)
    _, *lines = str(caught.value).split("\n  ")
    assert [line.split(" must ")[0] for line in lines] == [
        "unknown key sources.bnak: did you mean bank?", "limits.max_steps", "limits.min_words", "limits.max_answer", "corpus.fuzzy",
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline" / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_can_be_read(path):
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize("arguments", [["--rows", "4"], []])
def test_the_command_line_refuses_without_a_traceback(tmp_path, arguments):
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.build", *arguments],
        cwd=ROOT, env=os.environ | {DATA_VARIABLE: str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 2 and "error:" in result.stderr and "Traceback" not in result.stderr
