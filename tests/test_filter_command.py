"""`python -m pipeline.filter`: whatever comes in, every line of it comes out somewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import multiprocessing
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipeline.filter
import pipeline.teach
from mathtutor.io import read_json, read_rows, sha256_file
from mathtutor.problem import Row
from mathtutor.sources import DATA_VARIABLE
from pipeline.chain import STAGES
from pipeline.corpus import References
from pipeline.filter import OUTPUTS, RECIPE, main, read_columns
from pipeline.filters import first_reason
from pipeline.recipe import load_recipe
from pipeline.teachers import procedural

pytest.importorskip("pyarrow")
ROOT = Path(__file__).resolve().parents[1]
ALWAYS = {"clean.jsonl", "clean.parquet", "dropped.jsonl", "unreadable.jsonl", "report.json", "report.html", "README.md"}


@pytest.fixture(scope="module")
def good() -> list[Row]:
    """Rows of forty families that pass every rule."""
    rows = [row for row in procedural.write_rows(80, seed=5) if first_reason(row) is None]
    assert len(rows) >= 40
    return rows[:40]


def told(row: Row) -> str:
    return "\n".join(row.steps) + f"\n#### {row.answer}"


def as_gsm8k(row: Row) -> str:
    return json.dumps({"question": row.problem, "answer": told(row)}) + "\n"


def as_chat(*rows: Row) -> str:
    turns = [{"from": who, "value": text} for row in rows for who, text in (("human", row.problem), ("gpt", told(row)))]
    return json.dumps({"conversations": turns}) + "\n"


def run(path: Path, out: Path, *options: object) -> dict:
    """The report of a run without test sets and with one worker."""
    main(["--in", str(path), "--out", str(out), "--no-tests", "--workers", "1", *map(str, options)])
    return read_json(out / "report.json")


def refused(capsys, *arguments: object) -> str:
    """What a command complains of that ends with status 2."""
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments)])
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.fixture
def mixed(tmp_path, good) -> Path:
    """20 sound lines, one with two problems, a wrong one, a doubled one, one without a sum, four that are none."""
    wrong = json.dumps({"question": good[25].problem, "answer": f"{good[25].steps[0]}\nSo 2 + 2 = 5.\n#### 5"}) + "\n"
    silent = json.dumps({"question": good[26].problem, "answer": "It is plain to see.\n#### 7"}) + "\n"
    path = tmp_path / "theirs.jsonl"
    path.write_text(
        "".join(map(as_gsm8k, good[:20])) + "\n" + as_chat(good[20], good[21]) + wrong + as_gsm8k(good[3]) + silent
        + '{"question": "torn\n[]\n{"question": "Ana has 3 pens."}\n{"question": 5, "answer": "5"}',
        encoding="utf-8",
    )  # fmt: skip
    return path


def test_every_line_comes_out_somewhere(tmp_path, mixed, good, capsys):
    out = tmp_path / "out"
    report = run(mixed, out, "--max-bad", 4)
    clean, dropped, unreadable = (list(read_rows(out / f"{name}.jsonl")) for name in ("clean", "dropped", "unreadable"))
    given = report["input"]
    assert (given["lines"], given["further_rows"], given["unreadable"]) == (28, 1, 4)
    assert len(clean) + len(dropped) + len(unreadable) == given["lines"] + given["further_rows"]
    assert (report["clean"], report["dropped"], report["candidates"]) == (len(clean), len(dropped), given["rows"]) == (22, 3, 25)
    assert [(row["problem"], tuple(row["steps"]), row["answer"]) for row in clean] == [
        (row.problem, row.steps, row.answer) for row in good[:22]
    ]
    assert [(row["id"], row["twin"]) for row in dropped] == [
        ("theirs-0000023", ""), ("theirs-0000024", "theirs-0000004"), ("theirs-0000025", ""),
    ]  # fmt: skip
    assert dropped[1]["stage"] == "exact_duplicate"
    assert [(bad["file"], bad["line"], bad["reason"]) for bad in unreadable] == [
        ("theirs.jsonl", 26, "not_json"), ("theirs.jsonl", 27, "not_an_object"),
        ("theirs.jsonl", 28, "no_solution"), ("theirs.jsonl", 29, "wrong_type"),
    ]  # fmt: skip
    assert given["unreadable_by_reason"] == {bad["reason"]: 1 for bad in unreadable}
    assert given["columns"] == {"problem=question, solution=answer": 23, "conversation=conversations": 1}
    assert given["files"] == [
        {"name": "theirs.jsonl", "sha256": sha256_file(mixed), "notes": ["a blank line", "no line end after the last line"]}
    ]
    assert report["sha256"] == hashlib.sha256((out / "clean.jsonl").read_bytes()).hexdigest()
    assert {path.name for path in out.iterdir()} == ALWAYS
    assert all(name in OUTPUTS for name in ALWAYS)
    printed = capsys.readouterr().out
    assert "28 lines + 1 further rows of conversations = 22 clean + 3 dropped + 4 unreadable" in printed
    assert "23 lines read as problem=question, solution=answer" in printed


def test_rows_that_state_no_answer_are_counted_and_a_cut_one_is_named(tmp_path, good, capsys):
    whole, cut = good[0], good[1]
    path = tmp_path / "theirs.jsonl"
    solutions = [(whole, "\n".join(whole.steps)), *[(row, "\n".join(row.steps) + "\nSo h") for row in (cut, good[2])]]
    path.write_text("".join(json.dumps({"question": row.problem, "answer": text}) + "\n" for row, text in solutions))
    report = run(path, tmp_path / "out")
    assert report["input"]["no_answer_stated"] == {"rows": 3, "clean": 1} and report["clean"] == 1
    assert report["dropped_by_stage"]["solution_quality"] == {"cut_off_and_no_answer_stated": 2}
    printed = capsys.readouterr().out
    assert "3 rows state no answer: the last result was taken; 1 of them passed" in printed
    assert 'most went for\n  2 x solution_quality: cut_off_and_no_answer_stated, as in "theirs-0000002": "' in printed
    assert "3 rows state no answer: the last result was taken; 1 of them passed" in (tmp_path / "out" / "README.md").read_text()
    told = run(tmp_path / "out" / "clean.jsonl", tmp_path / "again")
    assert told["input"]["no_answer_stated"] == {"rows": 0, "clean": 0} and "state no answer" not in capsys.readouterr().out


def test_the_table_holds_the_clean_rows(tmp_path, mixed):
    from pyarrow import parquet

    run(mixed, tmp_path / "out", "--max-bad", 4)
    table = parquet.read_table(tmp_path / "out" / "clean.parquet").to_pylist()
    assert table == list(read_rows(tmp_path / "out" / "clean.jsonl"))


def test_unreadable_lines_fail_the_command_and_lose_nothing(tmp_path, mixed, capsys):
    out = tmp_path / "out"
    says = refused(capsys, "--in", mixed, "--out", out, "--no-tests", "--workers", 1, "--max-bad", 3)
    assert "4 unreadable lines, the first at theirs.jsonl:26:14: not_json (Unterminated string starting at)" in says
    assert f"{out / 'unreadable.jsonl'} has all. The files are written; --max-bad 4 makes that a success" in says
    assert {path.name for path in out.iterdir()} == ALWAYS
    assert read_json(out / "report.json")["clean"] == 22


def test_the_same_input_gives_the_same_bytes_with_any_number_of_workers(tmp_path, mixed):
    for name, workers in (("one", 1), ("again", 1), ("two", 2)):
        run(mixed, tmp_path / name, "--max-bad", 4, "--workers", workers)
    for file in ALWAYS:
        assert len({(tmp_path / name / file).read_bytes() for name in ("one", "again", "two")}) == 1, file


def test_what_is_clean_stays_clean(tmp_path, mixed):
    run(mixed, tmp_path / "once", "--max-bad", 4)
    report = run(tmp_path / "once" / "clean.jsonl", tmp_path / "twice")
    assert (tmp_path / "twice" / "clean.jsonl").read_bytes() == (tmp_path / "once" / "clean.jsonl").read_bytes()
    assert report["dropped"] == 0 and report["input"]["columns"] == {"our own format": 22}


def test_several_files_of_several_kinds_are_one_set(tmp_path, good):
    (tmp_path / "part-0.jsonl.gz").write_bytes(gzip.compress("".join(map(as_gsm8k, good[:5])).encode()))
    (tmp_path / "part-1.json").write_text(f"[{','.join(map(as_gsm8k, good[5:9]))}]")
    out = tmp_path / "out"
    main(["--in", *map(str, sorted(tmp_path.glob("part-*"))), "--out", str(out), "--no-tests", "--workers", "1"])
    assert [row["id"] for row in read_rows(out / "clean.jsonl")] == [
        *(f"part-0-{n:07d}" for n in range(1, 6)), *(f"part-1-{n:07d}" for n in range(1, 5)),
    ]  # fmt: skip
    assert read_json(out / "report.json")["sources"] == {"part-0.jsonl.gz": 5, "part-1.json": 4}


def test_columns_can_be_named_where_guessing_fails(tmp_path, good, capsys):
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps({"Q": row.problem, "how": told(row)}) + "\n" for row in good[:5]))
    says = refused(capsys, "--in", path, "--out", tmp_path / "out", "--no-tests", "--workers", 1)
    assert "no column holds the problem; there are Q, how. Say which is which: --columns problem=NAME" in says
    assert not (tmp_path / "out").exists()
    assert run(path, tmp_path / "out", "--columns", "problem=Q,solution=how")["clean"] == 5


@pytest.mark.parametrize(
    "text, columns",
    [
        ("", {}),
        ("problem=Q", {"problem": "Q"}),
        ("problem=Q,answer=the answer, in full,id=", {"problem": "Q", "answer": "the answer, in full", "id": ""}),
        ("solution=a=b", {"solution": "a=b"}),
        ("problem", None),
        ("problem=Q,problem=R", None),
    ],
)
def test_columns_are_written_as_role_and_name(text, columns):
    if columns is None:
        with pytest.raises(ValueError, match="write it as problem=NAME,answer=NAME, each once"):
            read_columns(text)
    else:
        assert read_columns(text) == columns


def test_a_row_that_retells_a_test_problem_is_dropped(tmp_path, good, monkeypatch):
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(map(as_gsm8k, good[:6])))
    references = References({"a/test": ["Unlike all.", good[2].problem.upper()]})
    monkeypatch.setattr(pipeline.filter, "load_references", lambda *_: references)
    run(path, tmp_path / "out")
    (dropped,) = read_rows(tmp_path / "out" / "dropped.jsonl")
    assert (dropped["stage"], dropped["id"], dropped["twin"]) == ("test_overlap", "theirs-0000003", "a/test#1")


def test_thresholds_come_from_the_recipe_and_from_set(tmp_path, good):
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(map(as_gsm8k, good[:20])))
    longest = max(len(row.steps) for row in good[:20])
    report = run(path, tmp_path / "out", "--set", f"limits.max_steps={longest - 1}", "--set", "corpus.validation=0.2")
    assert report["dropped_by_stage"]["structure"] == {f"more_than_{longest - 1}_steps": report["dropped"]}
    assert report["validation"]["rows"] == len(list(read_rows(tmp_path / "out" / "validation.jsonl"))) > 0
    assert report["train"] + report["validation"]["rows"] == report["clean"] == 20 - report["dropped"]
    assert report["recipe"]["limits"]["max_steps"] == longest - 1
    assert report["command"] == (
        f"python -m pipeline.filter --in theirs.jsonl --set limits.max_steps={longest - 1} --set corpus.validation=0.2 --no-tests"
    )


def test_the_recipe_for_the_data_of_others_has_every_filter_on_but_the_seeds():
    corpus = load_recipe(RECIPE).corpus
    assert corpus.exact and corpus.fuzzy and corpus.skeleton_cap and corpus.test_masked_grams and corpus.test_masked_cosine
    assert corpus.seed_overlap is None and corpus.validation == 0


@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_run_killed_between_its_files_leaves_no_report_of_other_rows(tmp_path, mixed, monkeypatch, step):
    out, replace, steps = tmp_path / "out", os.replace, iter(range(1, 100))
    run(mixed, out, "--max-bad", 4)
    whole = {file.name: file.read_bytes() for file in out.iterdir()}

    def dying(*names) -> None:
        if next(steps) == step:
            raise KeyboardInterrupt
        replace(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(SystemExit):
            run(mixed, out, "--max-bad", 4, "--set", "corpus.skeleton_cap=1")
    assert not (out / "report.json").exists()
    run(mixed, out, "--max-bad", 4)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == whole


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "is empty: it has no rows"),
        ("how many?".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"not json\nat all\n", "no rows: all 2 lines are unreadable, the first at theirs.jsonl:1:1: not_json (Expecting value)"),
        (b"not json\n", "no rows: the only line is unreadable, the first at theirs.jsonl:1:1: not_json"),
        (b'{"question": "Ana has 3 pens. How many?", "answer": "3"}\n' * 2, "no row passed the filters"),
        (b'{"question": "Ana has 3 pens. How many?", "answer": "3"}\n' * 2, '2 x structure: no_solution_only_an_answer, as in "theirs-0000001": "Ana has 3 pens'),
        (b'{"question": "Ana has 3 and 4 pens. How many has she?", "answer": "She has 3 + 4 = 7.\\nWe are done with the given values.\\n#### 7"}\n',
         '1 x solution_quality: boilerplate, as in "theirs-0000001": "We are done with the given values."'),
    ],
)
def test_a_file_that_gives_nothing_is_no_success(tmp_path, capsys, content, says):
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(content)
    assert says in refused(capsys, "--in", path, "--out", tmp_path / "out", "--no-tests", "--workers", 1)
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    "options, says",
    [
        (["--workers", "0"], "--workers must be at least 1"),
        (["--max-bad", "-1"], "--max-bad at least 0"),
        (["--no-tests", "--against", "x.jsonl"], "give one of them"),
        (["--no-tests", "--columns", "Q"], "write it as problem=NAME"),
        (["--no-tests", "--columns", "question=Q"], "'question' is none of problem, solution"),
        (["--no-tests", "--set", "limits.max_stepz=3"], "did you mean max_steps?"),
        (["--no-tests", "--set", "sources.bank=5"], "the rows come from --in"),
        (["--no-tests", "--set", "corpus.validation=0.1", "--set", "corpus.fuzzy=1"], "near-twins would stand on both sides"),
        (["--no-tests", "--set", "corpus.validation=0.51"], "corpus.validation must lie in 0 to 0.5, not 0.51"),
        (["--no-tests", "--set", "limits.max_steps=0"], "limits.max_steps must lie in 1 to 50, not 0"),
        (["--no-tests", "--set", "limits.max_strays=-1"], "limits.max_strays must be at least 0, not -1"),
        (["--no-tests", "--set", "limits.max_problem_chars=1000000"], "limits.max_problem_chars must lie in 1 to 10000"),
        (["--no-tests", "--recipe", "none.yaml"], "none.yaml"),
        ([], f"unset {DATA_VARIABLE}"),
        ([], "or --no-tests to go without the comparison"),
    ],
)
def test_a_wrong_argument_is_answered_with_a_sentence(tmp_path, good, monkeypatch, capsys, options, says):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "nothing"))
    path = tmp_path / "theirs.jsonl"
    path.write_text(as_gsm8k(good[0]))
    assert says in refused(capsys, "--in", path, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_only_our_own_teachers_give_rows_our_licence(tmp_path, good):
    path = tmp_path / "theirs.jsonl"
    claims = ("bank", "composed", "gsm8k-train", "theirs", "Bank ")
    rows = [{**row.to_dict(), "source": source} for row, source in zip(good, claims, strict=False)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = run(path, tmp_path / "out")
    assert report["sources"] == {"file theirs.jsonl": 4, "theirs": 1}
    assert "apache" not in (tmp_path / "out" / "README.md").read_text().lower()
    assert "sources" not in report["recipe"] and report["recipe"]["limits"]


def test_the_rows_and_the_bill_of_a_teacher_stay_in_a_folder_of_their_own(tmp_path, good, capsys):
    taught, cleaned = tmp_path / "taught", tmp_path / "cleaned"
    bank = ["--teacher", "procedural", "--problems", "40", "--seed", "5", "--out"]
    pipeline.teach.main([*bank, str(taught)])
    bill = (taught / "report.json").read_bytes()
    assert "its report.json their bill: choose another --out" in refused(
        capsys, "--in", taught / "raw.jsonl", "--out", taught, "--no-tests"
    )
    assert (taught / "report.json").read_bytes() == bill
    run(taught / "raw.jsonl", cleaned)
    before = {file.name: file.read_bytes() for file in cleaned.iterdir()}
    asked = ["--teacher", "openai_compatible", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--problems", "5", "--out"]
    for arguments in (bank, asked):
        with pytest.raises(SystemExit, match="holds a data set, .*: choose another --out"):
            pipeline.teach.main([*arguments, str(cleaned)])
        (cleaned / "report.json").unlink(missing_ok=True)  # as a run leaves it that was killed amid its files
    assert {file.name: file.read_bytes() for file in cleaned.iterdir()} == {k: v for k, v in before.items() if k != "report.json"}
    pipeline.teach.main([*bank, str(taught)])  # its own folder may be written anew
    assert (taught / "report.json").read_bytes() == bill


@pytest.mark.parametrize("name", ["clean.jsonl", "report.json", "unreadable.jsonl", "validation.jsonl"])
def test_a_folder_in_the_place_of_a_file_is_refused_at_once(tmp_path, good, capsys, name):
    path, out = tmp_path / "theirs.jsonl", tmp_path / "out"
    path.write_text(as_gsm8k(good[0]))
    (out / name).mkdir(parents=True)
    says = refused(capsys, "--in", path, "--out", out, "--no-tests")
    assert f"{out / name} is a folder where a file is to be written: move it away, or choose another folder" in says
    assert [file.name for file in out.iterdir()] == [name]


def test_the_command_of_a_report_can_be_pasted_into_a_shell(tmp_path, good):
    path = tmp_path / "my data; echo pwned #.jsonl"
    path.write_text("".join(json.dumps({"the Q": row.problem, "how": told(row)}) + "\n" for row in good[:5]) + "[]\n")
    report = run(path, tmp_path / "out", "--columns", "problem=the Q,solution=how", "--max-bad", 1, "--set", "corpus.fuzzy= null")
    assert shlex.split(report["command"], comments=True)[3:] == [
        "--in", path.name, "--set", "corpus.fuzzy= null", "--columns", "problem=the Q,solution=how", "--max-bad", "1", "--no-tests",
    ]  # fmt: skip


def test_names_that_the_terminal_cannot_write_end_no_run(tmp_path, good):
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps({"问题": row.problem, "解答": told(row)}) + "\n" for row in good[:5]))
    arguments = ["--in", str(path), "--out", str(tmp_path / "out"), "--columns", "problem=问题,solution=解答", "--no-tests", "--workers", "1"]
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.filter", *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0 and "5 lines read as problem=\\u95ee\\u9898" in result.stdout
    assert read_json(tmp_path / "out" / "report.json")["clean"] == 5


def test_the_input_is_never_written_over_nor_read_twice(tmp_path, good, capsys):
    path = tmp_path / "clean.jsonl"
    path.write_text(as_gsm8k(good[0]))
    before = path.read_bytes()
    assert "choose another --out" in refused(capsys, "--in", path, "--out", tmp_path, "--no-tests")
    assert "names a file twice" in refused(capsys, "--in", path, path, "--out", tmp_path / "out", "--no-tests")
    other = tmp_path / "other.jsonl"
    other.symlink_to(path)
    assert "choose another --out" in refused(capsys, "--in", other, "--out", tmp_path, "--no-tests")
    other.unlink()
    raw = tmp_path / "raw.jsonl"
    raw.write_text(as_gsm8k(good[1]))
    assert "choose another --out" in refused(capsys, "--in", raw, "--against", path, "--out", tmp_path)
    raw.unlink()
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["clean.jsonl"]


@pytest.mark.parametrize(
    "name, says",
    [
        ("openai/gsm8k", "hf download openai/gsm8k --repo-type dataset"),
        ("*.parquet", "no file fits *.parquet: patterns are the shell's"),
        ("none.jsonl", "none.jsonl cannot be read: No such file"),
    ],
)
def test_what_is_no_file_is_answered_with_the_way_to_one(tmp_path, capsys, name, says):
    assert says in refused(capsys, "--in", name, "--out", tmp_path / "out", "--no-tests")


def test_a_data_set_of_other_input_is_not_replaced_without_a_word(tmp_path, good, capsys):
    first, second, out = tmp_path / "first.jsonl", tmp_path / "second.jsonl", tmp_path / "out"
    for path, rows in ((first, good[:3]), (second, good[3:5])):
        path.write_text("".join(map(as_gsm8k, rows)))
    for path, word in ((first, ""), (first, ""), (second, "holds the data set first (3 rows), made of first.jsonl: it is replaced")):
        run(path, out)
        said = capsys.readouterr().out
        assert word in said and ("is replaced" in said) is bool(word)


def test_each_stage_is_told_as_it_ends_and_a_reader_who_goes_away_stops_nothing(tmp_path, good, capsys):
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(map(as_gsm8k, [*good[:3], good[0]])))
    run(path, tmp_path / "told")
    lines = [line.rpartition(" -") for line in capsys.readouterr().out.splitlines()]
    assert [name.strip() for name, _, count in lines if count.isdigit()] == list(STAGES)
    assert ("exact_duplicate     ", " -", "1") in lines
    command = [sys.executable, "-m", "pipeline.filter", "--in", str(path), "--out", str(tmp_path / "unread"), "--no-tests", "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0 and said == b"", said
    assert (tmp_path / "unread" / "clean.jsonl").read_bytes() == (tmp_path / "told" / "clean.jsonl").read_bytes()


def test_links_that_go_in_a_circle_are_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    with pytest.raises(SystemExit) as left:
        run(tmp_path / "loop.jsonl", tmp_path / "out")
    assert left.value.code == 2 and "loop.jsonl cannot be read: Too many levels of symbolic links" in capsys.readouterr().err
    (tmp_path / "theirs.jsonl").write_text("{}\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    says = refused(capsys, "--in", tmp_path / "theirs.jsonl", "--out", tmp_path / "loop", "--no-tests")
    assert "loop cannot be written to" in says and "choose another folder" in says


def test_a_file_whose_name_no_report_can_show_is_refused(tmp_path, good, capsys):
    path = tmp_path / "their\ns.jsonl"
    path.write_text(as_gsm8k(good[0]))
    assert "holds characters that cannot be shown: rename it" in refused(capsys, "--in", path, "--out", tmp_path / "out", "--no-tests")


def test_a_link_in_the_folder_is_replaced_and_never_followed(tmp_path, good):
    path, outside = tmp_path / "theirs.jsonl", tmp_path / "diary.txt"
    path.write_text("".join(map(as_gsm8k, good[:5])))
    outside.write_text("mine")
    (tmp_path / "out").mkdir()
    for name in ("clean.jsonl", "report.json", "dropped.jsonl"):
        (tmp_path / "out" / name).symlink_to(outside)
    run(path, tmp_path / "out")
    assert outside.read_text() == "mine"
    assert not any(file.is_symlink() for file in (tmp_path / "out").iterdir())


def test_the_command_line_refuses_without_a_traceback(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.filter", "--in", str(tmp_path), "--out", str(tmp_path / "out"), "--no-tests"],
        cwd=ROOT, env=os.environ | {DATA_VARIABLE: str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 2 and "is a folder: name a file in it" in result.stderr and "Traceback" not in result.stderr


def test_a_disk_without_room_is_refused_before_anything_is_read(tmp_path, good, monkeypatch, capsys):
    path = tmp_path / "theirs.jsonl"
    path.write_text(as_gsm8k(good[0]))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(SystemExit) as stopped:
        pipeline.filter.main(["--in", str(path), "--out", str(tmp_path / "out"), "--no-tests"])
    assert stopped.value.code == 4 and "MB free (twice what is expected to be written)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("limit", [100, 3_000, 12_000])
def test_a_disk_that_fills_up_midway_leaves_what_stood_there(tmp_path, good, limit):
    """A limit on the size of files fails a write as a full disk does."""
    path, out = tmp_path / "theirs.jsonl", tmp_path / "out"
    path.write_text("".join(map(as_gsm8k, good)))
    run(path, out)
    whole = {file.name: file.read_bytes() for file in out.iterdir()}

    def filled() -> None:
        sys.stdout = sys.stderr = io.StringIO()  # else their files fill up too
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        pipeline.filter.main(["--in", str(path), "--out", str(out), "--no-tests", "--workers", "1", "--set", "corpus.skeleton_cap=1"])

    process = multiprocessing.get_context("fork").Process(target=filled)
    process.start()
    process.join()
    assert process.exitcode == 4
    assert {file.name: file.read_bytes() for file in out.iterdir()} == whole
