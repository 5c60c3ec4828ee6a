"""Durable files: whatever kills the writer, the reader finds whole rows."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mathtutor.io import Busy, Damaged, Journal, read_json, read_rows, write_atomic, write_json, write_rows

ROWS = [{"id": str(i), "text": "é" * i} for i in range(5)]


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
    ],
)
def test_a_damaged_file_is_refused_with_file_and_line(tmp_path, raw, says):
    (tmp_path / "a.jsonl").write_bytes(raw)
    with pytest.raises(Damaged, match=says):
        list(read_rows(tmp_path / "a.jsonl"))


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


def test_kill_nine_leaves_no_torn_row_and_no_half_written_state(tmp_path):
    root = Path(__file__).resolve().parents[1]
    for attempt in range(6):
        worker = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root)
        deadline = time.monotonic() + 10
        while not (tmp_path / "state.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05 + 0.017 * attempt)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert isinstance(read_json(tmp_path / "state.json")["n"], int)
    with Journal(tmp_path / "rows.jsonl") as journal:
        numbers = [row["n"] for row in journal.rows]
    assert numbers == list(range(len(numbers))) and len(numbers) > 6


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        write_atomic(tmp_path / "a.json", "2")
    assert read_json(tmp_path / "a.json") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
