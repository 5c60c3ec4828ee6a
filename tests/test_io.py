"""Durable files: whatever kills the writer, the reader finds whole rows."""

from __future__ import annotations

import errno
import gzip
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from mathtutor import io
from mathtutor.io import (
    NO_SPACE,
    Busy,
    Damaged,
    Journal,
    NoSpace,
    need_space,
    number_rows,
    read_json,
    read_rows,
    replace_folder,
    status_of,
    told,
    write_atomic,
    write_json,
    write_rows,
)
from mathtutor.problem import Row

ROWS = [{"id": str(i), "text": "é" * i} for i in range(5)]


def test_what_a_killed_writer_left_goes_with_the_next_write_of_that_name(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [tmp_path / f".a.jsonl.{pid}.tmp" for pid in (dead.pid, 0, 2**70, os.getppid(), "me")]
    other = tmp_path / f".b.jsonl.{dead.pid}.tmp"
    for path in (*left, other):
        path.write_text("half")
    write_rows(tmp_path / "a.jsonl", ROWS)
    assert sorted(tmp_path.glob(".*")) == sorted([*left[3:], other])  # of one that lives, of no process, of another file
    Journal(tmp_path / "b.jsonl").close()
    assert not other.exists()


def test_a_folder_is_held_by_one_at_a_time_and_let_go_by_a_killed_one(tmp_path):
    holding = "import sys, time; from mathtutor.io import hold_folder\nwith hold_folder(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    folder = tmp_path / "new" / "data"
    with subprocess.Popen([sys.executable, "-c", holding, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match="in use by another run"), io.hold_folder(folder):
            pytest.fail("held twice")
        process.kill()
    with io.hold_folder(folder), pytest.raises(Busy), io.hold_folder(folder):
        pytest.fail("held twice")
    assert list(folder.iterdir()) == []


def test_rows_come_back_as_they_were_written(tmp_path):
    write_rows(tmp_path / "a.jsonl", ROWS)
    assert list(read_rows(tmp_path / "a.jsonl")) == ROWS


@pytest.mark.parametrize(
    "raw",
    [
        b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n',  # a byte order mark
        b'{"a": 1}\r\n{"a": 2}\r\n',  # Windows line ends
        b'{"a": 1}\n\n  \n{"a": 2}',  # blank lines, none at the end
    ],
)
def test_harmless_variants_of_a_file_are_accepted(tmp_path, raw):
    (tmp_path / "a.jsonl").write_bytes(raw)
    assert list(read_rows(tmp_path / "a.jsonl")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    "raw, says",
    [
        (b'{"a": 1}\n{"a": \n', "a.jsonl:2 is not JSON"),
        (b'{"a": 1}\n[1]\n', "a.jsonl:2 must be a JSON object"),
        (b'{"a": NaN}\n', "a.jsonl:1 is not JSON: NaN"),
        (b'{"a": "\xe9"}\n', "a.jsonl:1 is not UTF-8"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-16"),
        (b"[" * 100_000 + b"\n", "a.jsonl:1 is not JSON"),
        (b'{"a": 1}\n{"a": ["x \\uD800 y"]}\n', "a.jsonl:2 holds half a character"),
        (b'{"\\udc00": 1}\n', "a.jsonl:1 holds half a character"),
    ],
)
def test_a_damaged_file_is_refused_with_file_and_line(tmp_path, raw, says):
    (tmp_path / "a.jsonl").write_bytes(raw)
    with pytest.raises(Damaged, match=says):
        list(read_rows(tmp_path / "a.jsonl"))


def test_a_character_written_as_two_escapes_is_read_and_lines_keep_their_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'\n{"a": "\\ud83d\\ude00"}\n\n{"a": 2}\n')
    assert list(number_rows(tmp_path / "a.jsonl")) == [(2, {"a": "\U0001f600"}), (4, {"a": 2})]


def test_a_compressed_file_is_read_and_a_cut_one_is_refused(tmp_path):
    whole = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS * 100))
    (tmp_path / "a.jsonl.gz").write_bytes(whole)
    assert len(list(read_rows(tmp_path / "a.jsonl.gz"))) == 500
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:-20])
    with pytest.raises(Damaged, match="ends too early"):
        list(read_rows(tmp_path / "a.jsonl.gz"))


def test_a_torn_last_line_is_cut_off_at_every_byte(tmp_path, capsys):
    line = json.dumps({"id": "9", "text": "é"}, ensure_ascii=False).encode() + b"\n"
    whole = json.dumps(ROWS[0]).encode() + b"\n"
    for cut in range(1, len(line)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(whole + line[:cut])
        with Journal(path) as journal:
            assert journal.rows == ROWS[:1]
            journal.append(ROWS[1])
        assert list(read_rows(path)) == ROWS[:2]
    assert f"torn last line of {cut} bytes" in capsys.readouterr().err


def test_a_damaged_line_in_the_middle_is_never_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "1"}\n{"id": \x00\n{"id": "3"}\n')
    with pytest.raises(Damaged, match=":2"):
        Journal(path)
    assert path.read_bytes().count(b"\n") == 3


def test_a_second_process_is_told_that_the_journal_is_in_use(tmp_path):
    with Journal(tmp_path / "a.jsonl"), pytest.raises(Busy, match="in use by another run"):
        Journal(tmp_path / "a.jsonl")
    Journal(tmp_path / "a.jsonl").close()


KILLED = """
import sys, itertools
from mathtutor.io import Journal, write_json
with Journal(sys.argv[1] + "/rows.jsonl") as journal:
    for n in itertools.count(len(journal.rows)):
        journal.append({"n": n, "text": "x" * 5000})
        write_json(sys.argv[1] + "/state.json", {"n": n, "text": "y" * 5000})
"""


def is_ahead(state: Path, done: int) -> bool:
    """Whether the worker that was started last, on a busy machine a while ago, has begun to write."""
    return state.exists() and read_json(state)["n"] > done


def test_kill_nine_leaves_no_torn_row_and_no_half_written_state(tmp_path):
    root, done = Path(__file__).resolve().parents[1], -1
    for attempt in range(6):
        worker = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root)
        deadline = time.monotonic() + 60
        while not is_ahead(tmp_path / "state.json", done) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05 + 0.017 * attempt)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        done = read_json(tmp_path / "state.json")["n"]
        assert isinstance(done, int)
    with Journal(tmp_path / "rows.jsonl") as journal:
        numbers = [row["n"] for row in journal.rows]
    assert numbers == list(range(len(numbers))) and len(numbers) >= 6


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        write_atomic(tmp_path / "a.json", "2")
    assert read_json(tmp_path / "a.json") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


OLD, NEW = {"a": "old", "b": "old", "last": "old"}, {"a": "new", "b": "new", "c": "new", "last": "new"}


@pytest.mark.parametrize("step", range(1, 13))
def test_files_that_are_written_together_are_all_old_or_all_new_where_the_last_one_stands(tmp_path, monkeypatch, step):
    """Whatever step fails; a disk that is full fails one of the first, before anything changed."""
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    steps, full = iter(range(1, 100)), OSError(errno.ENOSPC, "No space left on device")

    def failing(real):
        def step_of(*arguments, **options):
            if next(steps) == step:
                raise full
            return real(*arguments, **options)

        return step_of

    with monkeypatch.context() as patch, pytest.raises(OSError, match="space") if step < 12 else nullcontext():
        patch.setattr(os, "fsync", failing(os.fsync))
        patch.setattr(os, "replace", failing(os.replace))
        io.write_together(tmp_path, {"last": "new", "a": "new", "b": "new", "c": "new"}, last="last", gone=["old"])
    there = {path.name: path.read_text() for path in tmp_path.iterdir()}
    if step <= 4:  # one file a step comes to the disk
        assert there == OLD
    elif "last" in there:
        assert there == NEW
    assert not list(tmp_path.glob(".*.tmp"))
    io.write_together(tmp_path, {"last": "end"}, last="last", gone=["a", "b", "c"])
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


@pytest.mark.parametrize("name", ["a", "c", "last", "old"])
def test_a_folder_of_the_name_of_one_of_them_stops_all_of_them(tmp_path, name):
    for old, text in OLD.items():
        (tmp_path / old).write_text(text)
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    before = {path: path.is_dir() or path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(io.Refused, match=f"{name} is a folder where a file is to be written: move it away"):
        io.write_together(tmp_path, NEW, last="last", gone=["old"])
    assert {path: path.is_dir() or path.read_text() for path in tmp_path.iterdir()} == before


def test_a_journal_drops_rows_and_stays_locked(tmp_path):
    path = tmp_path / "a.jsonl"
    with Journal(path) as journal:
        journal.extend(ROWS)
        journal.retain(lambda row: row["id"] != "2")
        journal.append({"id": "9"})
        assert [row["id"] for row in journal.rows] == ["0", "1", "3", "4", "9"] == [r["id"] for r in read_rows(path)]
        with pytest.raises(Busy):
            Journal(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_journal_whose_file_was_replaced_between_open_and_lock_is_not_used(tmp_path, monkeypatch):
    """The old file is free once another process has put a new one there; its rows would be lost."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "old"}\n')
    lock = io.fcntl.flock

    def late(*arguments):
        write_rows(path, ROWS)
        lock(*arguments)

    monkeypatch.setattr(io.fcntl, "flock", late)
    with pytest.raises(Busy):
        Journal(path)


def test_a_forked_process_holds_no_journal_and_leaves_its_parents_held(tmp_path):
    context = multiprocessing.get_context("fork")
    born, done = context.Event(), context.Event()

    def live() -> None:
        born.set()
        done.wait()

    with Journal(tmp_path / "a.jsonl") as journal:
        journal.extend(ROWS)
        journal.retain(lambda row: row["id"] != "2")  # the new file is held as the old one was
        child = context.Process(target=live)
        child.start()
        born.wait()
        with pytest.raises(Busy):
            Journal(tmp_path / "a.jsonl")
    try:
        Journal(tmp_path / "a.jsonl").close()
    finally:
        done.set()
        child.join()


def make_folder(path: Path, text: str) -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "a.txt").write_text(text)
    (path / "sub" / "b.txt").write_text(text)
    return path


def texts(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.rglob("*.txt"))]


def test_a_folder_takes_the_place_of_another(tmp_path):
    for text in ("one", "two"):
        replace_folder(make_folder(tmp_path / ".new", text), tmp_path / "it")
        assert texts(tmp_path / "it") == [text, text]
    assert [p.name for p in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("killed_at", range(7))
def test_replacing_a_folder_leaves_one_whole_wherever_it_is_killed(tmp_path, monkeypatch, killed_at):
    """A kill at each system call that changes names or waits for the disk; the next call ends the work."""
    replace_folder(make_folder(tmp_path / ".new", "old"), tmp_path / "it")
    calls = []

    def dying(real):
        def call(*arguments, **options):
            calls.append(real)
            if len(calls) > killed_at:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dying(os.fsync))
        patch.setattr(Path, "rename", dying(Path.rename))
        patch.setattr(io.shutil, "rmtree", dying(io.shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            replace_folder(make_folder(tmp_path / ".new", "new"), tmp_path / "it")
    assert any(texts(folder) in (["old"] * 2, ["new"] * 2) for folder in (tmp_path / "it", tmp_path / ".it.old"))
    io.shutil.rmtree(tmp_path / ".new", ignore_errors=True)
    replace_folder(make_folder(tmp_path / ".new", "new"), tmp_path / "it")
    assert texts(tmp_path / "it") == ["new"] * 2 and [p.name for p in tmp_path.iterdir()] == ["it"]


ROW = {"id": "r", "problem": "p", "steps": ["1 + 1 = 2"], "answer": "2"}


@pytest.mark.parametrize(
    "change, says",
    [
        ({"steps": "abc"}, "steps must be a list of texts, not 'abc'"),
        ({"steps": [1]}, "steps must be a list of texts"),
        ({"problem": None}, "problem must be a text, not None"),
        ({"answer": 2}, "answer must be a text, not 2"),
        ({"id": 7}, "row 7: id must be a text"),
        ({"grade": "3"}, "grade must be a whole number"),
        ({"grade": True}, "grade must be a whole number"),
        ({"plan": ["x"]}, "plan must be a text"),
    ],
)
def test_a_row_with_a_value_of_a_wrong_type_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        Row.from_dict(ROW | change)


def test_a_row_comes_back_from_its_dictionary():
    row = Row.from_dict(ROW | {"grade": 3, "unknown": 1})
    assert (row.steps, row.grade) == (("1 + 1 = 2",), 3) and Row.from_dict(row.to_dict()) == row
    with pytest.raises(ValueError, match="row r lacks answer, steps"):
        Row.from_dict({"id": "r", "problem": "p"})


# --- room on the disk


def test_a_folder_that_cannot_be_written_to_is_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for folder, says in {
        tmp_path / "file": "file cannot be written to (File exists): it is a file: choose another folder",
        tmp_path / "file" / "in": "in cannot be written to (Not a directory): choose another folder, or mend its rights",
        Path("/proc/here"): "here cannot be written to (No such file or directory): choose another folder, or mend its rights",
    }.items():
        with pytest.raises(io.NoFolder) as refused, io.hold_folder(folder):
            pass
        assert str(refused.value).endswith(says) and told(refused.value) == str(refused.value)
        assert status_of(refused.value) == 2


def test_work_that_will_not_fit_is_refused_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=9_000_000))
    need_space(tmp_path / "not" / "there", 4_500_000)
    with pytest.raises(NoSpace, match=r"new needs 10 MB free \(twice what is expected to be written\), and 9.00 MB are: free some") as refused:
        need_space(tmp_path / "new", 5_000_000)
    assert status_of(refused.value) == NO_SPACE == 4 and told(refused.value).startswith(str(tmp_path))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_fills_up_has_a_status_of_its_own(number):
    error = OSError(number, os.strerror(number), "clean.jsonl")
    assert status_of(error) == NO_SPACE and "free some space and run the same command again" in told(error)
    assert status_of(OSError(errno.EACCES, "no")) == status_of(ValueError("no")) == 2 and told(ValueError("no")) == "no"
