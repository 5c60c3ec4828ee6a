"""Data that others made becomes rows, or says why not: files, columns, conversations, solutions."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc

import pytest

import pipeline.foreign
import pipeline.packed
import pipeline.records
from mathtutor.chat import render_target
from mathtutor.io import Damaged
from mathtutor.problem import Row
from pipeline.foreign import Tally, read_foreign
from pipeline.language_rules import solution_quality
from pipeline.recipe import Limits
from pipeline.records import Unreadable
from pipeline.solutions import stated_answer, to_steps
from pipeline.teachers import procedural
from pipeline.unstated import CUT_OFF, Unstated, is_cut_off
from tests.clock import seconds

PROBLEM = "Ana has 3 boxes with 4 pens each. She gives 2 pens away. How many pens are left?"
SOLUTION = "Ana has 3*4 = <<3*4=12>>12 pens.\n12-2 = <<12-2=10>>10 pens are left.\n#### 10"
STEPS = ("Ana has 3 * 4 = 12 pens.", "12 - 2 = 10 pens are left.")
GOOD = json.dumps({"question": PROBLEM, "answer": SOLUTION}).encode() + b"\n"
ACCENT = json.dumps({"question": PROBLEM.replace("Ana", "Zoé"), "answer": SOLUTION}, ensure_ascii=False)
ROW = "a row"
OWN = {"id": "a", "problem": PROBLEM, "steps": list(STEPS), "answer": "10", "family": "shelf"}


def read(path, content: bytes | None = None, columns=None) -> tuple[list[str], Tally]:
    """("a row" or the reason, item by item; the tally) of a file with this content."""
    if content is not None:
        path.write_bytes(content)
    tally = Tally()
    items = list(read_foreign(path, columns, tally))
    assert sum(isinstance(item, Row) for item in items) == tally.rows
    assert tally.rows + tally.unreadable.total() == tally.lines + tally.further == len(items)
    return [item.reason if isinstance(item, Unreadable) else ROW for item in items], tally


def row_of(path, record: dict, columns=None) -> Row:
    path.write_text(json.dumps(record), encoding="utf-8")
    (row,) = read_foreign(path, columns)
    assert isinstance(row, Row), row
    return row


@pytest.fixture(scope="module")
def bank_rows() -> list[Row]:
    return list(procedural.write_rows(300, seed=1))


# --- files: what is wrong with a line costs that line


def line(**changes) -> bytes:
    return json.dumps({"question": PROBLEM, "answer": SOLUTION} | changes).encode() + b"\n"


@pytest.mark.parametrize(
    "content, expected",
    [
        # accepted and put right
        (GOOD, [ROW]),
        (GOOD.rstrip(), [ROW]),
        (b"\xef\xbb\xbf" + GOOD, [ROW]),
        (GOOD.replace(b"\n", b"\r\n") * 2, [ROW, ROW]),
        (b"\n" + GOOD + b"  \n\n" + GOOD, [ROW, ROW]),
        (ACCENT.encode(), [ROW]),
        (b"[" + GOOD + b"," + GOOD + b"]", [ROW, ROW]),
        (b"[\n  " + GOOD + b"\n]\n", [ROW]),
        (gzip.compress(GOOD * 3), [ROW] * 3),
        # one line
        (GOOD + b'{"question": "x",\n' + GOOD, [ROW, "not_json", ROW]),
        (GOOD + b"{'question': 'x'}\n", [ROW, "not_json"]),
        (GOOD + b"hello\n", [ROW, "not_json"]),
        (GOOD + b'{"question": "2 + 3?", "question": "2 + 4?", "answer": "5"}\n' + GOOD, [ROW, "not_json", ROW]),  # which one?
        (GOOD + GOOD[:40], [ROW, "torn_last_line"]),
        (GOOD + b"\0" * 512, [ROW, "zero_bytes"]),
        (GOOD + b"[1, 2]\n5\nnull\n" + GOOD, [ROW, "not_an_object", "not_an_object", "not_an_object", ROW]),
        (b"[1, 2]\n" + GOOD, ["not_an_object", ROW]),
        (GOOD + line(answer=float("nan")), [ROW, "not_json"]),
        (GOOD + line(answer=float("-inf")), [ROW, "not_json"]),
        (GOOD + b'{"question": "x", "answer": ' + b"7" * 5000 + b"}\n", [ROW, "not_json"]),
        (GOOD + b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", [ROW, "not_json"]),
        (GOOD + b'{"question": ' + b"[" * 500 + b'"x"' + b"]" * 500 + b', "answer": "5"}\n' + GOOD, [ROW, "not_json", ROW]),
        (b'[{"question": ' + b"[" * 500 + b'"x"' + b"]" * 500 + b"}," + GOOD + b"]", ["not_json", ROW]),
        (b"[" + GOOD.replace(b"#### 10", b"x" * 2000 + b"\\ud83d") + b"," + GOOD + b"]", ["half_a_character", ROW]),
        (GOOD + ACCENT.encode("latin-1") + b"\n" + GOOD, [ROW, "not_utf8", ROW]),
        (GOOD + GOOD.replace(b"boxes", b"\xff\xfe"), [ROW, "not_utf8"]),
        (GOOD + GOOD.replace(b"boxes", b"\\ud83d"), [ROW, "half_a_character"]),
        (GOOD + GOOD.replace(b"boxes", b"\\ud83d\\ude00"), [ROW, ROW]),
        (GOOD + GOOD.replace(b"boxes", b"\\u0000"), [ROW, "control_character"]),
        # what it holds
        (GOOD + line(question=7), [ROW, "wrong_type"]),
        (GOOD + line(question=True), [ROW, "wrong_type"]),
        (GOOD + line(question=["one", "two"]), [ROW, "wrong_type"]),
        (GOOD + line(question={"a": "one", "b": "two"}), [ROW, "wrong_type"]),
        (GOOD + line(question={"text": PROBLEM, "tokens": [1, 2]}), [ROW, ROW]),
        (GOOD + line(question=[{"type": "text", "text": PROBLEM}]), [ROW, ROW]),
        (GOOD + line(question=[PROBLEM], answer=["10"]), [ROW, ROW]),
        (GOOD + line(answer=10), [ROW, ROW]),
        (GOOD + line(answer=False), [ROW, "wrong_type"]),
        (GOOD + line(question=None) + line(question="  ") + line(answer=None), [ROW, "no_problem", "no_problem", "no_solution"]),
        (GOOD + b'{"question": "x"}\n{"answer": "5"}\n{}\n', [ROW, "no_solution", "no_problem", "no_problem"]),
        (GOOD + line(question="word " * 30_000), [ROW, "text_too_long"]),
        (line(id="a") + line(id="b") + line(id="a"), [ROW, ROW, "duplicate_id"]),
        (line(id=1) + line(id="1") + line(id=None) + line(id=["x"]), [ROW, "duplicate_id", ROW, ROW]),
        (line(id={"a": 1, "b": 2}) + GOOD, ["wrong_type", ROW]),
        (line(id="../../etc/passwd\n"), [ROW]),
        (line(extra="ignored", tags=[1, 2]), [ROW]),
        (line(answer=None) * 150 + GOOD, ["no_solution"] * 150 + [ROW]),
        (b'{"question": "%s", "question": "%s", "answer": "5"}\n' % (PROBLEM.encode(), PROBLEM.encode()), [ROW]),
        (GOOD + GOOD, [ROW, ROW]),  # the same text is no fault of the file: a filter drops it
    ],
)  # fmt: skip
def test_each_line_is_a_row_or_unreadable_for_a_reason(tmp_path, content, expected):
    assert read(tmp_path / "theirs.jsonl", content)[0] == expected


LONG = line(more="x" * 70_000)


@pytest.mark.parametrize("name", ["theirs.jsonl", "theirs.json", "theirs.ndjson.gz"])
@pytest.mark.parametrize(
    "content, expected",
    [
        (b"[" + GOOD + GOOD, ["not_json", ROW]),
        (b'[{"question": "x",\n' + GOOD * 9, ["not_json", *[ROW] * 9]),
        (b"[\n" + GOOD * 3 + b"hello\n", ["not_json", ROW, ROW, ROW, "not_json"]),
        (LONG * 3, [ROW] * 3),
        (LONG[:-4] + b"\n" + LONG * 3, ["not_json", ROW, ROW, ROW]),
        (b"[" + LONG + LONG, ["not_json", ROW]),
        (b"{'question': 'x'}\n" + GOOD, ["not_json", ROW]),
        (ACCENT.encode("latin-1") + b"\n" + GOOD, ["not_utf8", ROW]),
        # and these are lists
        (b"[" + LONG + b"," + GOOD + b"]", [ROW, ROW]),
        (b"[" + GOOD.rstrip() + b",\n" + GOOD + b"]", [ROW, ROW]),
        (b"[\n" + GOOD.rstrip() + b",\n" + GOOD + b"\n]\n", [ROW, ROW]),
        (b"[" + GOOD + b"]", [ROW]),
        (json.dumps([json.loads(GOOD)] * 2, indent=2).encode(), [ROW, ROW]),
    ],
)  # fmt: skip
def test_a_bad_or_long_first_line_hides_neither_the_lines_after_it_nor_a_list(tmp_path, name, content, expected):
    assert read(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)[0] == expected


@pytest.mark.parametrize(
    "content, says",
    [
        (b"\xef\xbb\xbf" + GOOD, ["a byte order mark"]),
        (b"\xef\xbb\xbf[" + GOOD + b"]", ["a byte order mark"]),
        (GOOD + b"\xef\xbb\xbf\n", []),
        (GOOD.replace(b"\n", b"\r\n"), ["line ends of Windows"]),
        (GOOD + b"\n\n" + GOOD, ["2 blank lines"]),
        (GOOD.rstrip(), ["no line end after the last line"]),
    ],
)
def test_what_was_put_right_is_noted_once(tmp_path, content, says):
    _, tally = read(tmp_path / "theirs.jsonl", content)
    assert tally.notes == {str(tmp_path / "theirs.jsonl"): says}


@pytest.mark.parametrize(
    "content, line, column, detail",
    [
        (GOOD + b'  {"question": "x" "y"}\n', 2, 20, "Expecting ',' delimiter"),
        (GOOD + b"\n\n" + GOOD[:40], 4, 14, "Unterminated string starting at: the file ends in the middle of a record"),
        (GOOD + ACCENT.encode("latin-1"), 2, ACCENT.index("é") + 1,
         "byte 0xe9 is not UTF-8; as Windows-1252 (or Latin-1) it is 'é': save the file as UTF-8"),
        (GOOD + line(answer=float("nan")), 2, 0, "NaN is not a number that JSON allows"),
        (GOOD + b'{"question": "x", "answer": ' + b"7" * 5000 + b"}\n", 2, 0, "a number of 5,000 digits"),
        (GOOD + b"[]\n", 2, 0, "expected an object, not list"),
        (GOOD + line(question=7), 2, 0, "question must be a text, not a number"),
        (GOOD + line(question=["one", "two"]), 2, 0, "question must be a text, not a list of 2"),
        (GOOD + b'{"question": "x"}', 2, 0, "expected a solution"),
        (GOOD + GOOD.replace(b"boxes", b"\\u0007"), 2, 0, "question holds U+0007 at character 11"),
        (line(id="a") + line(id="a"), 2, 0,
         "id 'a' stands already in theirs.jsonl:1: mend it, or number the rows anew with --columns id="),
    ],
)  # fmt: skip
def test_an_unreadable_line_says_where_and_what_was_expected(tmp_path, content, line, column, detail):
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(content)
    bad = list(read_foreign(path))[-1]
    assert isinstance(bad, Unreadable)
    assert (bad.line, bad.column, bad.detail) == (line, column, detail)
    assert bad.raw and len(bad.raw) <= 1000


# --- files: what is wrong with all of it stops with the fix


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("t.jsonl", b"", r"is empty: it has no rows"),
        ("t.jsonl", b"\n \r\n", r"is empty"),
        ("t.jsonl", b"\xef\xbb\xbf", r"is empty"),
        ("t.jsonl", b"\0" * 100, r"is no text"),
        ("t.jsonl", gzip.compress(b""), r"is empty"),
        ("t.csv", b"question,answer\n", r"is empty"),
        ("t.json", b"[]", r"is empty: it has no rows"),
        ("t.jsonl", GOOD.decode().encode("utf-16"), r"is UTF-16: save it as UTF-8"),
        ("t.jsonl", GOOD.decode().encode("utf-16-le"), r"is UTF-16 without a byte order mark: save it as UTF-8"),
        ("t.jsonl", GOOD.decode().encode("utf-32"), r"is UTF-32: save it as UTF-8"),
        ("t.csv", "question,answer\na,5".encode("utf-16-be"), r"is UTF-16 without a byte order mark"),
        ("t.json", ("[" + ACCENT + "]").encode("latin-1"), r"t.json:1 byte 0xe9 is not UTF-8"),
        ("t.jsonl.gz", gzip.compress(GOOD * 99)[:-20], r"is cut or damaged: fetch it again"),
        ("t.jsonl.gz", gzip.compress(GOOD * 99)[:-8] + b"\1" * 8, r"is cut or damaged"),
        ("t.json", b'[{"question": "a"},\n {"question" "b"}]', r"t.json:2:14 is not JSON"),
        ("t.json", b'[{"a": NaN}]', r"NaN is not a number that JSON allows"),
        ("t.json", b"[" * 100_000, r"nested too deeply"),
        ("t.json", b'{\n"data": [1]}', r"must hold a list of objects, not dict with data"),
        ("t.xlsx", b"PK\x03\x04rest", r"ZIP archive or an Excel workbook"),
        ("t.jsonl", b"%PDF-1.7", r"is a PDF"),
        ("t.arrow", b"ARROW1\0\0", r"an Arrow file: save it as Parquet"),
        ("t.jsonl.xz", b"\xfd7zXZ\0", r"packed by xz"),
        ("t.bin", bytes(range(256)), r"is no text"),
        ("t.parquet.gz", gzip.compress(b"PAR1...PAR1"), r"packed Parquet: unpack it"),
        ("t.csv", b"question,answer,answer\na,b,c\n", r"t.csv:1 names the column 'answer' twice"),
        ("t.jsonl", b'{"Q": "a", "A": "b", "meta": {"n": 1}}\n',
         r"no column holds the problem; there are Q, A, meta, meta.n. Say which is which: --columns problem=NAME"),
        ("t.json", b'{"data": [{"question": "a", "answer": "7"}]}', r"no column holds the problem, and 'data' holds a list of objects\..*jq -c '\.\[\"data\"\]\[\]'"),
        ("t.json", b'{"v": 1,\n"rows": [\n{"question": "a"}\n]}', r"list of objects, not dict with v, rows: take the list out with jq -c '\.\[\"rows\"\]\[\]'"),
        ("t.csv", b'"Ana has\n3 pens","' + b"x" * 99 + b'"\n"a","b"\n', r"no column holds the problem; there are Ana has 3 pens, x{60}\. Say"),
        ("t.jsonl", b'{"question": "a", "B": "b"}\n' * 200, r"no column holds the solution; there are question, B"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_the_fix(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        list(read_foreign(path))


def test_a_folder_and_a_missing_file_are_refused_with_the_fix(tmp_path):
    with pytest.raises(Damaged, match=r"is a folder: name a file in it \(it has none\)"):
        list(read_foreign(tmp_path))
    (tmp_path / "train.jsonl").write_bytes(GOOD)
    with pytest.raises(Damaged, match=r"is a folder: name a file in it \(train.jsonl\)"):
        list(read_foreign(tmp_path))
    with pytest.raises(Damaged, match="none.jsonl cannot be read: No such file"):
        list(read_foreign(tmp_path / "none.jsonl"))


def test_every_cut_of_the_last_line_is_found(tmp_path):
    for end in range(1, len(GOOD) - 2):
        assert read(tmp_path / "theirs.jsonl", GOOD + GOOD[:end])[0] == [ROW, "torn_last_line"]


def test_a_huge_line_costs_no_memory_and_the_next_one_is_read(tmp_path):
    path = tmp_path / "theirs.jsonl"
    with open(path, "wb") as file:
        file.write(GOOD + b'{"question": "')
        for _ in range(60):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + GOOD)
    tracemalloc.start()
    reasons, _ = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reasons == [ROW, "line_too_long", ROW]
    assert peak < 3.5 * pipeline.records.MAX_LINE


def test_a_packed_file_may_not_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.packed, "RATIO_FROM", 200_000)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * 500_000 + GOOD))
    with pytest.raises(Damaged, match=r"unpacks to over \d+ MB"):
        list(read_foreign(path))
    monkeypatch.setattr(pipeline.packed, "MAX_RATIO", 100_000)
    assert read(path)[0] == [ROW]
    monkeypatch.setattr(pipeline.packed, "MAX_UNPACKED", 400_000)
    with pytest.raises(Damaged, match="unpacks to over"):
        list(read_foreign(path))


def test_a_list_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.records, "MAX_LIST", 300)
    with pytest.raises(Damaged, match="save it as JSON lines"):
        read(tmp_path / "t.json", b"[" + b",".join([GOOD] * 9) + b"]")


def test_packing_is_told_from_the_bytes_and_not_from_the_name(tmp_path):
    assert read(tmp_path / "packed.jsonl", gzip.compress(GOOD))[0] == [ROW]
    assert read(tmp_path / "plain.jsonl.gz", GOOD)[0] == [ROW]


# --- tables


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("t.csv", "question,answer\nAna has 3 pens. How many?,3\n", [ROW]),
        ("t.csv", "\ufeffquestion;answer\r\nAna has 3, Ben 4. How many?;7\r\n", [ROW]),
        ("t.tsv", "question\tanswer\nAna has 3, Ben 4?\t7\n", [ROW]),
        ("t.csv", 'question,answer\n"Ana has 3,\nBen 4. ""How many?""",7\n\nnext?,8', [ROW, ROW]),
        ("t.csv", ",question,answer\n0,how many?,3\n", [ROW]),  # an index without a name, as pandas writes it
        ("t.csv", "question,answer\nhow many?,3,4\nhow many?\nhow many?,5\n", ["wrong_number_of_cells"] * 2 + [ROW]),
        ("t.csv", "question,answer\nhow many?,\n,5\nhow many?,5\n", ["no_solution", "no_problem", ROW]),
        ("t.csv", 'question,answer\n"how" many?,3\nhow many?,5\n', ["not_csv", ROW]),
        ("t.csv", 'question,answer\nhow many?,5\n"how many?,3\nhow many?,5\n', [ROW, "open_quote", ROW]),
        # an open quote costs its own line, whether another quote closes it, the file ends or nothing comes
        ("t.csv", 'question,answer\n"how many?,3\nhow many?,5\n"how many?","3"\n', ["open_quote", ROW, ROW]),
        ("t.csv", 'question,answer\n"how many?,3\n' + "how many?,5\n" * 2000, ["open_quote"] + [ROW] * 2000),
        ("t.csv", 'question,answer\n"how many?,3\nhow many?,5\n?",1,2\nhow many?,5\n',
         ["open_quote", ROW, "wrong_number_of_cells", ROW]),
        # two stray quotes that happen to close: each line between them is a record
        ("t.csv", 'id,question,answer\na,how many?,"3\nb,how many?,5"\nd,how many?,5\n', ["open_quote", ROW, ROW]),
        ("t.csv", 'question,answer\n"how many?,3\nhow many?,5\nhow many,5"\n', ["open_quote", ROW, ROW]),
    ],
)
def test_a_table_in_text_is_read_cell_by_cell(tmp_path, name, text, expected):
    assert read(tmp_path / name, text.encode())[0] == expected


def test_records_of_several_lines_are_noted(tmp_path):
    text = 'question,answer\nhow many?,5\n"how\nmany\n?",3\n"how\nmany?",3\n'
    _, tally = read(tmp_path / "t.csv", text.encode())
    assert tally.notes[str(tmp_path / "t.csv")] == ["2 records of several lines, 5 in all; the longest, of 3, begins in line 3"]


def test_quotes_that_never_close_cost_little_time(tmp_path):
    found = []
    assert seconds(lambda: found.extend(read(tmp_path / "t.csv", b"question,answer\n" + b'z","y\n' * 5000)[0]), times=1) < 5
    assert len(found) == 5000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_before_a_row_of_it_is_lost(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Damaged, match="is a pipe or a device, which can be read only once: save what it gives in a file"):
        read(tmp_path / "pipe")


def test_a_cell_that_is_not_utf8_costs_its_row(tmp_path):
    content = "question,answer\nZoé has 3?,3\nAna has 3?,3\n".encode("latin-1")
    assert read(tmp_path / "t.csv", content)[0] == ["not_utf8", ROW]


def test_parquet_is_read_with_nested_columns_and_holes(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    turns = [{"role": "user", "content": PROBLEM}, {"role": "assistant", "content": SOLUTION}]
    tables = {
        "plain": [{"question": PROBLEM, "answer": SOLUTION}, {"question": PROBLEM, "answer": None}],
        "nested": [{"data": {"question": PROBLEM, "answer": SOLUTION}}, {"data": None}],
        "chat": [{"messages": turns, "n": 1.5}, {"messages": None, "n": float("nan")}],
        "own": [{"id": "7", "problem": PROBLEM, "steps": list(STEPS), "answer": "10"},
         {"id": "8", "problem": None, "steps": [], "answer": ""}],
        "numbers": [{"problem": PROBLEM, "solution": SOLUTION, "answer": 10.0}, {"problem": None, "solution": "x", "answer": 5.0}],
    }  # fmt: skip
    for name, records in tables.items():
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(records), path)
        row, hole = read_foreign(path)
        assert (row.problem, row.steps, row.answer) == (PROBLEM, STEPS, "10"), name
        assert isinstance(hole, Unreadable) and hole.line == 2, name
    whole = (tmp_path / "plain.parquet").read_bytes()
    for end in (20, len(whole) // 2, len(whole) - 1):
        with pytest.raises(Damaged, match="is no whole Parquet file.*fetch it again"):
            read(tmp_path / "cut.parquet", whole[:end])


def test_zstandard_is_unpacked(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    packed = pyarrow.Codec("zstd").compress(GOOD * 50, asbytes=True)
    with pyarrow.output_stream(str(tmp_path / "t.jsonl.zst"), compression="zstd") as file:
        file.write(GOOD * 50)
    assert read(tmp_path / "t.jsonl.zst")[0] == [ROW] * 50
    with pytest.raises(Damaged, match="cut or damaged"):
        read(tmp_path / "cut.jsonl.zst", packed[:-20])


# --- columns


@pytest.mark.parametrize(
    "record, answer",
    [
        ({"question": PROBLEM, "answer": SOLUTION}, "10"),
        ({"problem": PROBLEM, "solution": SOLUTION}, "10"),
        ({"Problem": PROBLEM, "Full Solution": SOLUTION, "Short Answer": "$10$"}, "10"),
        ({"query": PROBLEM, "response": SOLUTION, "type": "GSM_AnsAug"}, "10"),
        ({"input": PROBLEM, "target": SOLUTION}, "10"),
        ({"instruction": PROBLEM, "input": "", "output": SOLUTION}, "10"),
        ({"instruction": PROBLEM, "output": SOLUTION}, "10"),
        ({"instruction": "Solve this problem.", "input": PROBLEM, "output": SOLUTION}, "10"),
        ({"prompt": PROBLEM, "completion": SOLUTION}, "10"),
        ({"prompt": f"Question: {PROBLEM}\nLet's think step by step.\nAnswer:", "response": SOLUTION}, "10"),
        ({"prompt": PROBLEM + " Please reason step by step, and put your final answer within \\boxed{}.", "output": SOLUTION}, "10"),
        ({"question": PROBLEM, "model_output": SOLUTION, "ground_truth_answer": "so 10.\n#### 10"}, "10"),
        ({"problem": PROBLEM, "generated_solution": SOLUTION, "expected_answer": "10", "problem_source": "x"}, "10"),
        ({"question": PROBLEM, "rationale": SOLUTION, "answer": 10}, "10"),
        ({"problem": PROBLEM, "solution": SOLUTION, "answer": "11"}, "11"),  # the column counts: a filter finds it out
        ({"problem": PROBLEM, "reference_solution": SOLUTION, "topic": "x", "student_incorrect_solution": ["5"]}, "10"),
        ({"row_idx": 0, "row": {"question": PROBLEM, "answer": SOLUTION}}, "10"),
        ({"question": PROBLEM, "response": SOLUTION, "metadata": {"answer": "10"}}, "10"),
        ({"Body": PROBLEM[:34], "Question": PROBLEM[34:], "Solution": SOLUTION, "Answer": 10.0}, "10"),
        ({"body": PROBLEM[:34], "question": PROBLEM[34:], "answer": "10 (pens)", "formula": SOLUTION}, "10"),
        ({"problem": PROBLEM, "steps": SOLUTION.split("\n"), "answer": "10"}, "10"),
        ({"problem": PROBLEM, "solution": SOLUTION, "answer": ["ten"]}, "10"),
        ({"prompt": [{"role": "user", "content": PROBLEM}], "completion": [{"role": "assistant", "content": SOLUTION}]}, "10"),
        ({"prompt": [{"role": "system", "content": "Solve."}, {"role": "user", "content": PROBLEM}], "solution": SOLUTION}, "10"),
        ({"messages": [{"role": "user", "content": PROBLEM}, {"role": "assistant", "content": SOLUTION}], "answer": "12"}, "12"),
        ({"id": "theirs-0000001", "problem": PROBLEM, "steps": [f"Step 1: {STEPS[0]}", f"Step 2: {STEPS[1]}"],
         "answer": "10"}, "10"),
        ({"problem": PROBLEM, "solution": SOLUTION, "messages": "not read"}, "10"),
    ],
)  # fmt: skip
def test_columns_are_told_by_their_names(tmp_path, record, answer):
    row = row_of(tmp_path / "theirs.jsonl", record)
    assert (" ".join(row.problem.split()), row.steps, row.answer) == (PROBLEM, STEPS, answer)
    assert (row.id, row.source) == ("theirs-0000001", "theirs.jsonl")


@pytest.mark.parametrize(
    "columns",
    [
        {"problem": "Q", "answer": "A"},
        {"problem": "Q", "solution": "A"},
        {"problem": "Q", "solution": "A", "answer": "C.final", "id": "B"},
        {"problem": "C.text", "answer": "A"},
        {"conversation": "D", "problem": "", "solution": ""},
    ],
)
def test_columns_can_be_named(tmp_path, columns):
    turns = [{"from": "human", "value": PROBLEM}, {"from": "gpt", "value": SOLUTION}]
    record = {"A": SOLUTION, "Q": PROBLEM, "B": "x1", "C": {"text": PROBLEM, "final": "10"}}
    record |= {"D": turns, "question": "no", "output": "no"}
    del record["output" if columns.get("answer") == "A" else "A" if "conversation" in columns else "D"]
    row = row_of(tmp_path / "theirs.jsonl", record, columns)
    assert (row.problem, row.steps, row.answer) == (PROBLEM, STEPS, "10")
    assert row.id == ("x1" if "id" in columns else "theirs-0000001")


def test_a_wrong_role_or_name_is_refused_with_those_there_are(tmp_path):
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(GOOD)
    with pytest.raises(ValueError, match="--columns: 'question' is none of problem, solution, answer, conversation, id"):
        list(read_foreign(path, {"question": "Q"}))
    for columns in ({"problem": "Q"}, {"answer": "Q"}, {"id": "Q"}):
        with pytest.raises(ValueError, match="no column is called 'Q'; there are question, answer"):
            list(read_foreign(path, columns))


@pytest.mark.parametrize(
    "given, shown",
    [
        ("10", "10"), ("10.0", "10"), ("$1,234.50", "1234.5"), ("1/2", "1/2"), ("2 3/4", "11/4"), ("4/6 cup", "2/3"), ("6/2", "3"), ("½", "1/2"),
        ("0.5", "0.5"), ("\\frac{3}{4}", "3/4"), ("#### 1/2", "1/2"), ("The answer is 3/4.", "3/4"), ("So 1/2 of 5 is 1 / 2 * 5 = 2.5.", "2.5"),
        ("\\frac{1}{3}", "1/3"), ("-3", "-3"), ("−3", "-3"),
        ("\\boxed{7}", "7"), ("ten", "10"), ("5 apples", "5"), ("The answer is 7.", "7"), ("so 3 + 4 = 7\n#### 7", "7"),
        ("no number", "no number"), ("1e999", "1e999"), ("B", "B"),
    ],
)  # fmt: skip
def test_an_answer_is_shown_as_people_write_it(tmp_path, given, shown):
    assert row_of(tmp_path / "t.jsonl", {"problem": PROBLEM, "solution": SOLUTION, "answer": given}).answer == shown


def test_our_own_rows_come_back_as_they_are(tmp_path, bank_rows):
    path = tmp_path / "clean.jsonl"
    path.write_text("".join(json.dumps(row.to_dict()) + "\n" for row in bank_rows), encoding="utf-8")
    assert list(read_foreign(path)) == bank_rows


@pytest.mark.parametrize(
    "change, kept",
    [
        ({"answer": "14.000"}, {"answer": "14"}),
        ({"answer": "14.50"}, {"answer": "14.50"}),  # money
        ({"answer": "3/8"}, {"answer": "3/8"}),
        ({"answer": "7 <|im_end|>"}, {"answer": "7"}),
        ({"id": "a\n../../b"}, {"id": "our-own-0000001"}),
        ({"id": "../../b"}, {"id": "our-own-0000001"}),
        ({"id": "a.b:1"}, {"id": "a.b:1"}),
        ({"grade": 12}, {"grade": 12}),
        ({"grade": 10**15}, {"grade": 0}),
        ({"grade": -1}, {"grade": 0}),
        ({"grade": 3.0}, {"grade": 3}),  # as a table with holes writes it
        ({"grade": "3"}, {"grade": 3}),
        ({"grade": 3.5}, {"grade": 0}),
        ({"grade": True}, {"grade": 0}),
        ({"grade": "third"}, {"grade": 0}),
        ({"grade": None, "asked": None, "plan": None, "topic": None}, {"grade": 0, "asked": "", "plan": "", "topic": ""}),
        ({"source": None}, {"source": "our own.jsonl"}),
        ({"topic": 5}, {"topic": "5"}),
        ({"topic": ["rates", "work"]}, {"topic": ""}),
        ({"source": {"url": "x"}}, {"source": "our own.jsonl"}),
        ({"answer": 10}, {"answer": "10"}),
        ({"id": None}, {"id": "our-own-0000001"}),
        ({"id": ["a"]}, {"id": "our-own-0000001"}),
    ],
)
def test_what_is_odd_in_a_row_of_our_own_format_is_put_right(tmp_path, change, kept):
    row = row_of(tmp_path / "our own.jsonl", {**OWN, **change})
    assert {key: getattr(row, key) for key in kept} == kept and (row.steps, row.family) == (STEPS, "shelf")


def test_what_is_left_out_of_rows_of_our_own_is_noted(tmp_path):
    path = tmp_path / "ours.jsonl"
    changes = ({"grade": 3.5}, {"grade": "high"}, {"topic": ["a"]}, {"asked": None}, {})
    path.write_text("".join(json.dumps({**OWN, "id": str(number), **change}) + "\n" for number, change in enumerate(changes)))
    reasons, tally = read(path)
    assert reasons == [ROW] * 5 and tally.readings == {"our own format": 5}
    assert tally.notes[str(path)] == [
        "grade left out of 2 rows, where it is not a whole number of 0 to 12", "topic left out of 1 row, where it is not a text",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "columns, number, family",
    [
        ({"id": ""}, "ours-0000001", "shelf"),
        ({"id": "uid"}, "x1", "shelf"),
        ({"id": "meta.n"}, "7", "shelf"),
        ({"problem": "problem", "solution": "steps"}, "a", "shelf"),
        ({"problem": "told"}, "a", ""),  # other words: no row of ours any more
    ],
)
def test_a_row_of_our_own_keeps_the_rest_where_its_columns_are_named(tmp_path, columns, number, family):
    row = row_of(tmp_path / "ours.jsonl", OWN | {"uid": "x1", "meta": {"n": 7}, "told": OTHER}, columns)
    assert (row.id, row.family, row.problem) == (number, family, PROBLEM if family else OTHER)


@pytest.mark.parametrize("grade", [-1, 13, 10**16])
def test_a_grade_that_no_school_has_is_refused(grade):
    with pytest.raises(ValueError, match="grade must be 0 to 12"):
        Row.from_dict({"id": "a", "problem": PROBLEM, "steps": list(STEPS), "answer": "10", "grade": grade})


def test_ids_are_kept_made_and_never_doubled(tmp_path):
    first, second = tmp_path / "a" / "part.jsonl", tmp_path / "b" / "part.jsonl"
    tally, rows = Tally(), []
    for path, content in ((first, line(id="x") + GOOD), (second, GOOD + GOOD + line(id="x"))):
        path.parent.mkdir()
        path.write_bytes(content)
        rows += read_foreign(path, tally=tally)
    assert [getattr(row, "id", "bad") for row in rows] == ["x", "part-0000002", "part-0000001", "part-0000002+", "bad"]
    assert rows[-1].reason == "duplicate_id" and "part.jsonl:1" in rows[-1].detail
    assert read(second, line(id="x") * 2, {"id": ""})[0] == [ROW, ROW]
    assert read(second, b"".join(line(id=300 * "x" + end) for end in "abc"))[0] == [ROW] * 3  # no two are one for being long


# --- conversations

OTHER = "Ben buys 5 bags with 6 apples each and eats 4 apples. How many apples are left?"
OTHER_SOLUTION = "Ben has 5 * 6 = 30 apples.\n30 - 4 = 26 apples are left.\nThe answer is 26."


def turns(*texts: str, keys=("role", "content"), names=("user", "assistant")) -> list[dict]:
    return [{keys[0]: names[number % 2], keys[1]: text} for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    "record, answers, asides",
    [
        ({"messages": turns(PROBLEM, SOLUTION)}, ["10"], 0),
        ({"messages": [{"role": "system", "content": "You are a tutor."}, *turns(PROBLEM, SOLUTION)]}, ["10"], 0),
        ({"conversations": turns(PROBLEM, SOLUTION, keys=("from", "value"), names=("human", "gpt"))}, ["10"], 0),
        ({"id": "c", "conversations": turns(PROBLEM, SOLUTION, keys=("from", "value"), names=("human", "gpt"))}, ["10"], 0),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": PROBLEM}]},
         {"role": "assistant", "content": SOLUTION}]}, ["10"], 0),
        ({"messages": json.dumps(turns(PROBLEM, SOLUTION))}, ["10"], 0),
        ({"messages": turns(PROBLEM, SOLUTION, OTHER, OTHER_SOLUTION)}, ["10", "26"], 0),
        ({"messages": turns(PROBLEM, SOLUTION, "Thank you!", "You are welcome.")}, ["10"], 1),
        ({"messages": turns(PROBLEM, SOLUTION, "Can you explain step 2 with 3 more words, please?", "12 - 2 = 10",
         OTHER, OTHER_SOLUTION)}, ["10", "26"], 1),
        ({"messages": turns(PROBLEM, SOLUTION, "What if she had 5 boxes with 6 pens in each of them?", "5 * 6 = 30")}, ["10"], 1),
        ({"messages": turns(PROBLEM, SOLUTION, OTHER)}, ["10"], 0),
        ({"conversations": [{"from": "gpt", "value": "Hello!"},
         *turns(PROBLEM, SOLUTION, keys=("from", "value"), names=("human", "gpt"))]}, ["10"], 0),
        ({"messages": turns(PROBLEM[:33], "", PROBLEM[34:], SOLUTION)[::2] + turns("", SOLUTION)[1:]}, ["10"], 0),
        ({"messages": turns(PROBLEM)}, "no_reply", 0),
        ({"messages": [{"role": "assistant", "content": SOLUTION}]}, "no_reply", 0),
        ({"messages": [{"text": "no role"}]}, "wrong_type", 0),
        ({"messages": "no list"}, "wrong_type", 0),
        ({"messages": turns(PROBLEM, 7)}, ["7"], 0),
        ({"messages": turns(PROBLEM, {"image": "x.png", "size": 3})}, "wrong_type", 0),
    ],
)  # fmt: skip
def test_each_problem_of_a_conversation_is_a_row(tmp_path, record, answers, asides):
    path, tally = tmp_path / "chat.jsonl", Tally()
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    items = list(read_foreign(path, tally=tally))
    if isinstance(answers, str):
        assert [item.reason for item in items] == [answers]
        return
    assert [item.answer for item in items] == answers
    assert items[0].problem.replace("\n", " ") == PROBLEM
    name = record.get("id", "chat-0000001")
    assert [item.id for item in items] == [name, f"{name}.2"][: len(items)]
    assert (tally.asides, tally.further) == (asides, len(items) - 1)


# --- solutions


@pytest.mark.parametrize(
    "solution, steps, answer",
    [
        # plain lines, GSM8K's notes and marks
        (SOLUTION, STEPS, "10"),
        ("He pays 3 x $1,200=$<<3*1200=3600>>3,600.\n#### 3,600", ("He pays 3 * 1200 = 3600.",), "3600"),
        ("It takes 2/2=<<2/2=1>>1 bolt\nSo 2+1=<<2+1=3>>3\n 3", ("It takes 2 / 2 = 1 bolt", "So 2 + 1 = 3"), "3"),
        ("Let x be the cost.\n3x - 5 = 16\nx = 7\n#### 7", ("Let x be the cost.", "3x - 5 = 16", "x = 7"), "7"),
        # labels
        ("Step 1: 3 * 4 = 12\nStep 2: 12 - 2 = 10\nThe answer is 10.", ("3 * 4 = 12", "12 - 2 = 10"), "10"),
        ("**Step 1:** 3 × 4 = 12\n\n**Step 2:** 12 − 2 = **10**\n\n**Final Answer:** 10", ("3 * 4 = 12", "12 - 2 = 10"), "10"),
        ("### Step 1: Count the pens\n- So 3 × 4 = 12.\n\n---\n\n### Step 2: Take away\n12 - 2 = 10\n\n### Final answer\n#### 10",
         ("Count the pens: So 3 * 4 = 12.", "Take away: 12 - 2 = 10"), "10"),
        ("#### Step 1: Count\n3 * 4 = 12\n#### Step 2: Take away\n12 - 2 = 10", ("Count: 3 * 4 = 12", "Take away: 12 - 2 = 10"), "10"),
        ("Step 1: 3 * 4 = 12. Step 2: 12 - 2 = 10. The answer is 10.", ("3 * 4 = 12.", "12 - 2 = 10."), "10"),
        ("Step 1: 3 * 4 = 12. The answer is 12.", ("3 * 4 = 12.",), "12"),
        ("1. Ana has 3 * 4 = 12 pens.\n2. She keeps 12 - 2 = 10.\n\nSo 10 are left.",
         ("Ana has 3 * 4 = 12 pens.", "She keeps 12 - 2 = 10. So 10 are left."), "10"),
        ("Let's break this down:\n\n1. **Pens**:\n   $$\n   3 \\times 4 = 12\n   $$\n2. **Left**: 12 - 2 = 10.\n\n#### 10",
         ("Pens: 3 * 4 = 12", "Left: 12 - 2 = 10."), "10"),
        ("1) 3 * 4 = 12\n2) 12 - 2 = 10\n\nNow check:\n5 + 5 = 10", ("3 * 4 = 12", "12 - 2 = 10", "Now check: 5 + 5 = 10"), "10"),
        ("So she has\n12. Then 12 - 2 = 10.", ("So she has", "12. Then 12 - 2 = 10."), "10"),
        # laid out
        ("Ana has 3 boxes.  \nSo the number of pens is:\n$$\n3 \\times 4 = 12\n$$\n\nShe keeps:\n\\[ 12 - 2 = \\boxed{10} \\]",
         ("Ana has 3 boxes. So the number of pens is: 3 * 4 = 12", "She keeps: 12 - 2 = 10"), "10"),
        ("\\begin{align*}\nx &= 3 \\cdot 4 \\\\\n&= 12\n\\end{align*}\nHalf of it is $\\frac{12}{2} = 6$.\n\n$\\boxed{6}$",
         ("x = 3 * 4 = 12", "Half of it is (12 / 2) = 6."), "6"),
        ("We have $\\frac{8 + 4}{2} = 6$ cups.\n\n\\boxed{6}", ("We have ((8 + 4) / 2) = 6 cups.",), "6"),
        # one line: sentences
        ("There are 3 * 4 = 12 pens. Two go. So 12 - 2 = 10 stay. That is all.",
         ("There are 3 * 4 = 12 pens.", "Two go. So 12 - 2 = 10 stay. That is all."), "10"),
        ("There are 12 times 2 equals 24 pens.", ("There are 12 * 2 = 24 pens.",), "24"),
        ("Mr. Lee has 3 * 4 = 12 pens. The answer is 3 * 4 = 12.", ("Mr. Lee has 3 * 4 = 12 pens.", "The answer is 3 * 4 = 12."), "12"),
        # thinking aloud
        ("<think>\nStep 1: 3 * 4 = 12\n</think>\n\nThe answer is 12.<|im_end|>", ("3 * 4 = 12",), "12"),
        ("3 * 4 = 12\n</think>\n#### 12", ("3 * 4 = 12",), "12"),
        ("<think>Hmm, 3 * 4 = 13? Wait.</think>\nThere are 3 * 4 = 12 pens.\nThat is all.\n#### 12",
         ("There are 3 * 4 = 12 pens.", "That is all."), "12"),
        ("<think>\n3 * 4 = 12, then", ("3 * 4 = 12, then",), ""),
        # no steps
        ("10", (), "10"), ("#### 10", (), "10"), ("\\boxed{10}", (), "10"), ("The answer is 10.", (), "10"), ("$10", (), "10"), ("", (), ""),
        ("I do not know.", ("I do not know.",), ""),
    ],
)  # fmt: skip
def test_a_solution_becomes_steps_and_an_answer(solution, steps, answer):
    assert to_steps(solution) == steps
    assert stated_answer(solution) == answer


@pytest.mark.parametrize(
    "solution, steps, answer",
    [
        ("Let's think step by step.\n" + SOLUTION, STEPS, "10"),
        ("Let's think step by step. " + SOLUTION, STEPS, "10"),
        ("To solve this problem, we need to find how many pens are left.\n" + SOLUTION, STEPS, "10"),
        ("Sure! Let's solve this step by step:\n\n" + SOLUTION, STEPS, "10"),
        ("**Solution:**\n\n" + SOLUTION, STEPS, "10"),
        ("Let's solve this problem step by step.\n\nStep 1: 3 * 4 = 12\nStep 2: 12 - 2 = 10\n#### 10", ("3 * 4 = 12", "12 - 2 = 10"), "10"),
        # with a number or a letter that stands for one it may be needed
        ("To solve this problem, we need both boxes.\n12 - 2 = 10\n#### 10", ("To solve this problem, we need both boxes.", "12 - 2 = 10"), "10"),
        ("Let x be the given value, step by step.\nx = 10\n#### 10", ("Let x be the given value, step by step.", "x = 10"), "10"),
        ("She keeps the pens.\n12 - 2 = 10\n#### 10", ("She keeps the pens.", "12 - 2 = 10"), "10"),
        ("12 - 2 = 10\nNow we solve this problem.\n#### 10", ("12 - 2 = 10", "Now we solve this problem."), "10"),  # no first line
        ("We look at the problem.", ("We look at the problem.",), ""),  # nothing else is there: the filters name it
        # a number in words behind the mark, and a heading
        ("12 * 2 = 24\n#### twenty-four", ("12 * 2 = 24",), "24"),
        ("#### Two boxes\n3 * 4 = 12\n#### 12", ("Two boxes", "3 * 4 = 12"), "12"),
    ],
)  # fmt: skip
def test_a_first_line_that_only_announces_is_no_step_nor_is_a_number_in_words(solution, steps, answer):
    assert (to_steps(solution), stated_answer(solution)) == (steps, answer)


LED = "Ana has 3 * 4 = <<3*4=12>>12 pens.\n"


@pytest.mark.parametrize(
    "reply, reason",
    [
        (LED + "12-2 = <<12-2=10>>10 pens are left.", None),
        (LED + "12 - 2 = 10", None),
        (LED + "So **10** pens are left.", None),
        (LED.replace(".", "") + "12 - 2 = 10 pens", None),
        (LED + "Two go. So 12 - 2 = 10 stay. That is all.", None),
        ("It is 4 degrees. 4 - 9 = -5 degrees", None),
        (LED + "So h", "cut_off"),
        (LED + "Thus, Ana's boxes w", "cut_off"),
        (LED + "She gives 2 pens away, and the number of b", "cut_off"),
        (LED + "12 - 2 = 10 pens are lef", "cut_off"),
        (LED + "12 - 2 = 10 pens are", "cut_off"),
        (LED + "12 - 2 = 10 pens in the", "cut_off"),
        (LED + "That is so.", "cut_off"),  # whole, but without the result
        (LED + "12 - 2 = <<12-2", "unclosed_bracket"),  # nor is there a number that could be the answer
        (LED.strip() + " She", "cut_off"),
        (LED + "So h\n#### 12", None),  # stated: whether it is right is asked by other rules
        (LED + "12 - 2 = <<12-2\n#### 10", "unclosed_bracket"),
    ],
)  # fmt: skip
def test_where_no_answer_is_stated_the_last_sentence_is_whole_and_holds_the_last_result(tmp_path, reply, reason):
    for record in ({"question": PROBLEM, "answer": reply}, {"messages": turns(PROBLEM, reply)}):
        row = row_of(tmp_path / "t.jsonl", record)
        assert isinstance(row, Unstated) == ("####" not in reply and row.answer != "")
        assert (isinstance(row, Unstated) and is_cut_off(row)) == (reason == "cut_off")
        found = solution_quality(row, Limits(max_strays=None, max_idle_steps=None)) or ""
        assert reason is None or found == {"cut_off": CUT_OFF}.get(reason, reason)


def test_an_answer_in_a_column_of_its_own_is_stated(tmp_path):
    for record in ({"problem": PROBLEM, "solution": "12 - 2 = 10 pe", "answer": "10"}, {"problem": PROBLEM, "solution": "10"}):
        assert not isinstance(row_of(tmp_path / "t.jsonl", record), Unstated)


def styles(row: Row) -> dict[str, str]:
    numbered = list(enumerate(row.steps, start=1))
    return {
        "lines": "\n".join(row.steps) + f"\n#### {row.answer}",
        "labels": "\n".join(f"Step {n}: {step}" for n, step in numbered) + f"\nThe answer is {row.answer}.",
        "bold": "\n\n".join(f"**Step {n}:** {step}" for n, step in numbered) + f"\n\n**Final Answer:** {row.answer}",
        "items": "\n".join(f"{n}. {step}" for n, step in numbered) + f"\n\n\\boxed{{{row.answer}}}",
        "inline": " ".join(f"Step {n}: {step}" for n, step in numbered) + f" The answer is {row.answer}.",
        "ours": render_target(row.steps, row.answer),
    }


def test_a_row_told_in_any_style_comes_back_as_it_was(bank_rows):
    """Rows of the bank without fractions outside of sums, which get spaces ("1 / 4 of it")."""
    for row in bank_rows[::2]:
        if "/" not in "".join(row.steps).replace(" / ", ""):
            for style, solution in styles(row).items():
                assert (style, to_steps(solution), stated_answer(solution)) == (style, row.steps, row.answer)


@pytest.mark.parametrize(
    "solution, steps, answer",
    [
        ("3 + 4 = 7 #### 7", ("3 + 4 = 7",), "7"),
        ("He has 3 + 4 = 7 pens. 7 - 2 = 5 are left.#### 5", ("He has 3 + 4 = 7 pens.", "7 - 2 = 5 are left."), "5"),
        ("1 / 2 of 3 is 1 / 2 * 3 = 1.5 #### 1.5", ("1 / 2 of 3 is 1 / 2 * 3 = 1.5",), "1.5"),
        ("1 / 2 * 3 = 3 / 2\n#### 3/2", ("1 / 2 * 3 = 3 / 2",), "3/2"),
        ("1 / 2 * 3 = 1.5\nThe answer is $\\frac{3}{2}$.", ("1 / 2 * 3 = 1.5",), "3/2"),
        ("3 + 4 = 7\n7 - 2 = 5 #### $5.00", ("3 + 4 = 7", "7 - 2 = 5"), "5"),
        ("#### Step 1: 3 + 4 = 7\n#### Step 2: 7 - 2 = 5", ("3 + 4 = 7", "7 - 2 = 5"), "5"),
    ],
)
def test_the_mark_of_the_answer_is_no_part_of_a_step(solution, steps, answer):
    assert (to_steps(solution), stated_answer(solution)) == (steps, answer)


@pytest.mark.parametrize("piece", ["1" + "," * 90_000 + "a", "1" + "." * 90_000 + "a", "." * 90_000 + "x", "1 ####" * 15_000])
def test_a_solution_that_is_a_bomb_takes_no_time(tmp_path, piece):
    record = {"problem": "How many? " + piece, "solution": "3 + 4 = 7\n" + piece}
    assert seconds(lambda: row_of(tmp_path / "t.jsonl", record), times=1) < 3  # hours before


@pytest.mark.parametrize(
    "piece",
    "= $$ \\[ \\begin{align} <think> << ** #### \\frac{ \\boxed{ ( 1, 1+ 2x - \n \t _ a. 1=1. 1=1\n 1.\n".split(" ")
    + [" ", "Step 1:\n", "Step 1: ", "let's ", "the answer is ", "1 = 1. ", "word ", "1 = 1\n", "3 * 4 = 13 " + "a" * 3000, "please put your answer in "],
)  # fmt: skip
def test_no_text_takes_long_or_raises(tmp_path, piece):
    text = piece * (60_000 // len(piece))
    record = {"problem": "How many? " + text + "\u00e9", "solution": "So " + text}
    assert seconds(lambda: row_of(tmp_path / "t.jsonl", record), times=1) < 3  # 0.5 s at most where this was written
