"""Files of outputs in shapes that we do not write: each is scored as it was meant, or refused with the way to have it scored."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from eval import readings
from eval.benchmarks import load_file
from eval.compare import main as compare_main
from eval.intervals import wilson
from eval.score import main as score_main
from eval.tables import cell, read_table

ROWS = [{"id": "a", "model_output": "so #### 7", "ground_truth_answer": "3 + 4\n#### 7"}, {"id": "b", "model_output": "#### 8", "ground_truth_answer": "#### 9"}]


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def scored(capsys, path: Path, *more: str) -> dict:
    score_main([str(path), "--json", *more])
    return json.loads(capsys.readouterr().out)[0]


@pytest.mark.parametrize(
    "name, data",
    [
        ("x.jsonl", lines(ROWS)),
        ("x", lines(ROWS)),  # two of the published files have no suffix
        ("x.jsonl", b"\xef\xbb\xbf" + lines(ROWS).replace(b"\n", b"\r\n") + b"\r\n\r\n"),
        ("x.jsonl.gz", gzip.compress(lines(ROWS))),
        ("x.json", json.dumps(ROWS).encode()),
        ("x.json", b"\xef\xbb\xbf" + json.dumps(ROWS, indent=2).encode()),
        ("x.json", lines(ROWS)),
        ("x.jsonl", json.dumps(ROWS, indent=1).encode()),
        ("x.csv", b'id,model_output,ground_truth_answer\r\na,"so\n#### 7","3 + 4\n#### 7"\r\n\r\nb,#### 8,#### 9\r\n'),
        ("x.csv", b'\xef\xbb\xbfid,model_output,ground_truth_answer\na,#### 7,#### 7\nb,#### 8,#### 9\n'),
        ("x.TSV", b"idx\tmodel_output\tground_truth_answer\n0\tfirst, then #### 7\t#### 7\n1\t#### 8\t#### 9\n"),
        ("x.json", json.dumps({str(n): row for n, row in enumerate(ROWS)}, indent=4).encode()),
        ("x.json", json.dumps({str(n): row for n, row in enumerate(ROWS)}).encode()),
    ],
)
def test_the_same_outputs_score_alike_in_every_kind_of_file(tmp_path, capsys, name, data):
    (tmp_path / name).write_bytes(data)
    found = scored(capsys, tmp_path / name)
    assert (found["n"], found["correct"], found["columns"]) == (2, 1, "model_output against ground_truth_answer")


def test_parquet_is_read_too(tmp_path, capsys):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "x.parquet")
    assert scored(capsys, tmp_path / "x.parquet")["correct"] == 1


@pytest.mark.parametrize(
    "row, more, columns",
    [
        ({"question": "q", "response": "The answer is 7.", "answer": "7"}, (), "response against answer"),
        ({"generated_text": "7", "gold_answer": 7}, (), "generated_text against gold_answer"),
        ({"prediction": "7", "label": "7"}, (), "prediction against label"),
        ({"output": "The answer is 7.", "answer": "8", "ground_truth": "a\n#### 7"}, (), "output against ground_truth"),  # "answer" is the model's own
        *(({"output": "The answer is 7.", "answer": "8", name: "7"}, (), f"output against {name}")
          for name in ("correct_answer", "expected_answer", "reference", "reference_answer", "gt", "gt_answer", "true_answer", "expected", "Gold", "ref", "Ground_Truth")),
        ({"doc": {"answer": "a\n#### 7"}, "resps": [["so #### 7"]]}, ("--reply", "resps.0.0", "--gold", "doc.answer"), "resps.0.0 against doc.answer"),
        ({"ground_truth": "#### 7", "big": {"solution": "A: 7"}}, ("--reply", "big.solution"), "big.solution against ground_truth"),
        ({"messages": [{"content": "q"}, {"content": "The answer is 7."}], "answer": "7"}, ("--reply", "messages.-1.content"), "messages.-1.content against answer"),
        ({"said.it": "7", "said": {"it": "8"}, "answer": "7"}, ("--reply", "said.it"), "said.it against answer"),  # a name with a stop in it
        ({"n": 7, "answer": 7}, ("--reply", "n"), "n against answer"),
        ({"model_output": "7", "output": "7", "answer": "7"}, (), "model_output against answer"),  # the same twice
        ({"model_output": "7", "output": 8, "answer": "7"}, (), "model_output against answer"),  # a number may be anything
        ({"response": "so 8, no, 7", "prediction": "8", "answer": "7"}, ("--reply", "response"), "response against answer"),
        # lm-evaluation-harness, OpenCompass
        ({"doc_id": 3, "doc": {"question": "q", "answer": "a\n#### 7"}, "target": "a\n#### 7", "resps": [["so 7"]], "filtered_resps": ["7"]}, (), "resps against target"),
        ({"origin_prompt": [{"role": "HUMAN", "prompt": "q"}], "prediction": "The answer is 7.", "gold": "7"}, (), "prediction against gold"),
    ],
)  # fmt: skip
def test_columns_are_known_by_their_names_or_named(tmp_path, capsys, row, more, columns):
    (tmp_path / "x.jsonl").write_bytes(lines([row]))
    found = scored(capsys, tmp_path / "x.jsonl", *more)
    assert (found["correct"], found["n"], found["columns"]) == (1, 1, columns)


def test_columns_that_change_on_the_way_are_told(tmp_path, capsys):
    (tmp_path / "x.jsonl").write_bytes(lines([{"output": "7", "answer": "7"}, {"reply": "7", "answer": "7"}]))
    assert scored(capsys, tmp_path / "x.jsonl")["columns"] == "output against answer, reply against answer"


@pytest.mark.parametrize(
    "name, data, more, says",
    [
        ("x.jsonl", b"", (), "holds no rows"),
        ("x.json", b"[]", (), "holds no rows"),
        ("x.csv", b"", (), "holds no rows"),
        ("x.csv", b"model_output,answer\nso 7\n", (), "row 1 has 1 cells, and the first line names 2 columns"),
        ("x.csv", b"output,output,answer\n7,8,7\n", (), "two columns have one name: output, output, answer"),
        ("x.csv", b"output,answer\n\xff,7\n", (), "x.csv is not UTF-8"),
        ("x.json", b'[{"output": "7", "answer": "7"}, 3]', (), "must hold a JSON list of objects: item 2 is 3"),
        ("x.json", b'[{"output": "7", "answer": "7"}', (), "x.json is not JSON"),
        ("x.parquet", b"PAR", (), "x.parquet is no Parquet file"),
        ("x.csv", b"id;output;answer\n0;7,5;7,5\n", (), "stand between semicolons. Save it as CSV, with commas between the columns and points in the numbers"),
        ("x.csv", b"id\toutput\tanswer\n0\t7\t7\n", (), "stand between tabs. .* call it .tsv"),
        ("x.tsv", b"id,output,answer\n0,7,7\n", (), "stand between commas. Save it as CSV"),
        ("x.csv.gz", gzip.compress(b"output,answer\n7,7\n"), (), "is a packed .csv file: unpack it first"),
        ("x.xlsx", b"PK\x03\x04", (), "is a spreadsheet: save it as CSV"),
        ("x.json", json.dumps({"config": {}, "samples": ROWS}, indent=1).encode(), (), "one JSON object, and rows are wanted: save what stands under 'samples' as a file of its own"),
        ("x.json", json.dumps({"details": {"0": ROWS[0]}}, indent=1).encode(), (), "one JSON object, and rows are wanted: save its rows as a JSON list"),
        ("x.json", b'{\n "output": "7",\n "answer": }', (), "x.json:1 is not JSON"),
        ("x.jsonl", lines([{"model_output": "7", "output": "8", "answer": "7"}]), (), "row 1 has model_output and output, which differ: name the reply with --reply"),
        ("x.jsonl", lines([{"model_output": None, "output": "8", "answer": "7"}]), (), "row 1 has model_output and output, which differ"),
        ("x.jsonl", lines([{"resps": [["7", "8"]], "target": "7"}]), (), "row 1 has 2 replies under resps: name one of them, --reply resps.0.0"),
        ("x.jsonl", lines([{"resps": [[[-1.5, False]], [[-0.5, True]]], "target": "7"}]), (), "row 1 needs a reply .* its columns are resps, target"),
        ("x.jsonl", lines([{"idx": n, "output": "7", "answer": "7"} for n in (0, 1, 0)]), (), r"row 3 is the reply of row 1 again \(id '0'"),
        ("x.jsonl", lines([{"output": "7", "answer": "7"}]), ("--constant", "8", "--reply", "output"), "leave out --reply"),
        ("x.jsonl", lines([{"doc": {"answer": 7}, "resps": ["7"]}]), ("--reply", "resps.3", "--gold", "doc.answer"), r"row 1 needs a reply \(resps.3\)"),
        ("x.jsonl", lines([{"output": 7, "answer": 7}]), (), "row 1 needs a reply"),  # a number may be anything: it must be named
        ("x.jsonl", lines([{"output": True, "answer": 7}]), ("--reply", "output"), "row 1 needs a reply"),
        ("x.jsonl", lines([ROWS[0], ROWS[0]]), (), "row 2 is the reply of row 1 again .* or add --samples"),
        *(("x.jsonl", lines([{"output": f"The answer is {n}.", "answer": str(n), name: str(n if n < 4 else 1)} for n in range(6)]), (),
           f"answer is what nearly every reply says, and {name} holds other numbers: name the column of the gold answers with --gold {name}") for name in ("solution", "correct", "richtig")),
        ("x.jsonl", lines([{"output": "7", "label": n % 2} for n in range(6)]), (), "label is 0 or 1 in every row, a verdict and no gold answer"),
        # The model's own "answer" never stands in for a gold answer that is missing, wherever in the file that is.
        ("x.jsonl", lines([{"response": "7", "gold": "7", "answer": "7"}, {"response": "The answer is 8.", "gold": None, "answer": "8"}]), (), "row 2 has no gold answer under gold"),
        ("x.jsonl", lines([{"response": "The answer is 8.", "gold": None, "answer": "8"}, {"response": "7", "gold": "7", "answer": "7"}]), (), "row 1 has no gold answer under gold"),
        ("x.jsonl", lines([{"response": "The answer is 8.", "gold": None, "answer": "8"}, {"response": "7", "gold": None, "answer": "7"}]), (), "row 1 has no gold answer under gold"),
        ("x.jsonl", lines([{"response": "7", "gold": "7", "answer": "7"}, {"response": "The answer is 8.", "answer": "8"}]), (), "row 2 has no gold answer under gold"),
        ("x.jsonl", lines([{"response": "7", "answer": "7"}, {"response": "7", "answer": None, "label": "7"}]), (), "row 1 has no gold answer under label"),
        ("x.jsonl", lines([{"response": "7", "gold": "7"}, {"response": "7", "gold": None}]), ("--gold", "gold"), "row 2 needs a reply"),
        # Replies to one problem have one gold answer.
        ("x.jsonl", lines([{"id": 1, "output": "7", "answer": gold} for gold in "78"]), ("--samples",), r"rows 1 and 2 are replies to one problem \(id '1'\) and have two gold answers"),
        ("x.jsonl", lines([{"id": 1, "sample": n, "output": "7", "answer": gold} for n, gold in enumerate("78")]), (), "rows 1 and 2 are replies to one problem"),
        # One object with the rows in it, whatever is named inside it.
        ("x.json", json.dumps({"results": ROWS}).encode(), (), "one JSON object, and rows are wanted: save what stands under 'results'"),
        ("x.json", json.dumps({"results": ROWS}).encode(), ("--reply", "results.0.model_output", "--gold", "results.0.ground_truth_answer"), "one JSON object, and rows are wanted: save what stands under 'results'"),
        ("x.json", b"[" * 200_000, (), "x.json is not JSON"),
        ("x.json", b'[{"output": "7", "answer": ' + b"[" * 200_000, (), "x.json is not JSON"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_one_sentence(tmp_path, name, data, more, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SystemExit, match=says):
        score_main([str(tmp_path / name), *more])


@pytest.mark.parametrize(
    "rows, more, problems",
    [
        ([{"id": 1, "output": "7", "answer": "7"}] * 3, ("--samples",), 1),
        ([{"question": "q", "output": "7", "answer": "7"}] * 3, (), 1),  # without ids the question tells problems apart
        ([{"input": "", "output": "7", "answer": "7"}] * 3, (), 3),
        ([{"output": "7", "answer": "7"}] * 3, (), 3),
        ([{"id": None, "question": q, "output": "7", "answer": "7"} for q in "ab"], (), 2),
        ([{"id": 1, "question": q, "output": "7", "answer": "7"} for q in "ab"], (), 2),  # ids that are counted anew in each part
    ],
)
def test_the_interval_is_of_problems_and_not_of_replies(tmp_path, capsys, rows, more, problems):
    (tmp_path / "x.jsonl").write_bytes(lines(rows))
    found = scored(capsys, tmp_path / "x.jsonl", *more)
    assert (found["n"], found["correct"], found["problems"]) == (len(rows), len(rows), problems)
    assert found["interval"] == list(wilson(problems, problems))


@pytest.mark.parametrize(
    "rows, templates",
    [
        ([{"meta": {"family": f"f{n // 6}"}} for n in range(24)], 4),
        ([{"original_id": n // 6} for n in range(24)], 4),
        ([{"seed_question": f"q{n // 8}"} for n in range(24)], 3),
        ([{"meta": {"family": f"f{n}"}} for n in range(24)], None),  # each stands for itself
        ([{"meta": {"family": "f"}} for n in range(24)], None),
        ([{"meta": {"family": f"f{n // 6}"}} for n in range(23)] + [{}], None),  # one says nothing
        ([{"meta": [1]} for n in range(24)], None),
    ],
)
def test_problems_of_one_template_are_told_of_a_file_too(tmp_path, capsys, rows, templates):
    (tmp_path / "x.jsonl").write_bytes(lines([{"id": n, "output": "7" if n < 12 else "8", "answer": "7"} | row for n, row in enumerate(rows)]))
    found = scored(capsys, tmp_path / "x.jsonl")
    assert found["templates"] == templates
    score_main([str(tmp_path / "x.jsonl")])
    assert (f"made from {templates} templates: an interval that knows it is" in capsys.readouterr().out) is (templates is not None)
    if templates:
        assert found["interval_of_templates"][0] < found["interval"][0] and found["interval"][1] < found["interval_of_templates"][1]


# --- two files


def pair(tmp_path, a, b) -> list[str]:
    for name, rows in (("a.jsonl", a), ("b.jsonl", b)):
        (tmp_path / name).write_bytes(lines(rows))
    return [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]


def outputs(right: str, **more) -> list[dict]:
    return [{"id": f"p{n}", "output": f"The answer is {7 if is_right == '1' else 8}.", "answer": "7"} | more for n, is_right in enumerate(right)]


def test_two_files_are_compared_problem_by_problem(tmp_path, capsys):
    files = pair(tmp_path, outputs("110000"), outputs("101111")[::-1])  # in another order
    compare_main([*files, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [found[key] for key in ("n", "correct", "fixed", "broken", "both_right", "both_wrong")] == [6, [2, 5], 4, 1, 1, 0]
    assert (found["fixed_items"], found["broken_items"], found["p"]) == (["p2", "p3", "p4", "p5"], ["p1"], pytest.approx(0.375))
    compare_main(files)
    said = capsys.readouterr().out
    assert "2 of 6 right" in said and "5 of 6 right" in said and "broken: p1" in said and "McNemar's exact test p = 0.38" in said
    compare_main([*pair(tmp_path, *([row | {"x": {"y": row["output"]}, "output": 5} for row in outputs(right)] for right in ("10", "11"))), "--reply", "x.y", "--json"])
    assert json.loads(capsys.readouterr().out)["correct"] == [1, 2]


def test_problems_are_told_apart_by_a_column_that_is_named(tmp_path, capsys):
    def renamed(right: str) -> list[dict]:
        return [{"task": {"no": row["id"]}, "output": row["output"], "answer": row["answer"]} for row in outputs(right)]

    files = pair(tmp_path, renamed("1100"), renamed("0011")[::-1])  # by their places the two would agree on all
    compare_main([*files, "--id", "task.no", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["fixed_items"], found["broken_items"]) == (["p2", "p3"], ["p0", "p1"])
    (tmp_path / "k.jsonl").write_bytes(lines([*renamed("10"), *renamed("11")]))
    with pytest.raises(SystemExit, match="row 3 is the reply of row 1 again .id 'p0'"):
        score_main([str(tmp_path / "k.jsonl"), "--id", "task.no"])
    score_main([str(tmp_path / "k.jsonl"), "--id", "task.no", "--samples"])
    assert "4 replies of 2 problems: the interval is that of 2" in capsys.readouterr().out
    score_main([str(tmp_path / "k.jsonl"), "--id", "task.no", "--samples", "--all"])
    assert "robust 3 (19.8% to 97.3%)" in (said := capsys.readouterr().out) and "of 4 replies to 2 problems, with 95% intervals" in said
    with pytest.raises(SystemExit, match="row 1 has no name of its problem under 'tsk'; its columns are task, output, answer: name one of them with --id"):
        score_main([files[0], "--id", "tsk"])


def test_what_is_no_file_is_told_with_what_to_name(tmp_path):
    with pytest.raises(SystemExit, match="there is no file .*gone.jsonl"):
        score_main([str(tmp_path / "gone.jsonl")])
    with pytest.raises(SystemExit, match="is a folder: name its files, .*results.jsonl for that of a run"):
        score_main([str(tmp_path)])


@pytest.mark.parametrize(
    "a, b, more, says",
    [
        (outputs("11"), outputs("111"), (), "do not hold the same problems: 0 ids only in the first, 1 only in the second"),
        (outputs("11"), outputs("11", answer="8"), (), "ask something else under the id 'p0'"),
        (outputs("11", question="q"), outputs("11", question="r"), (), "ask something else under the id 'p0'"),
        (outputs("1", sample=0) + outputs("1", sample=1), outputs("1"), (), "has two rows under the id 'p0'"),
        (outputs("11"), outputs("11"), ("--noise",), "--noise needs two folders of runs"),
        (outputs("11"), outputs("11"), ("--gold", "nothing"), "row 1 needs a reply"),
    ],
)
def test_files_that_are_no_pair_are_refused(tmp_path, a, b, more, says):
    with pytest.raises(SystemExit, match=says):
        compare_main([*pair(tmp_path, a, b), *more])


def test_a_file_and_a_folder_are_no_pair(tmp_path):
    name, _ = pair(tmp_path, outputs("1"), outputs("1"))
    for words in ([name, str(tmp_path)], [str(tmp_path), str(tmp_path), "--reply", "x"]):
        with pytest.raises(SystemExit, match="two folders of runs are compared, or two files"):
            compare_main(words)
    with pytest.raises(SystemExit, match="holds no run .files of others' outputs: python -m eval.score FILE"):
        compare_main([str(tmp_path), str(tmp_path)])


def test_replies_without_the_end_of_thinking_that_the_others_have_are_told(tmp_path, capsys):
    closed, open_ = {"output": "3 + 4 = 7\n</think>\n#### 7", "answer": "7"}, {"output": "3 + 4 = 7, and 3 + 4 = 7, and", "answer": "7"}
    (tmp_path / "x.jsonl").write_bytes(lines([closed, closed, closed, open_]))
    assert scored(capsys, tmp_path / "x.jsonl")["unclosed"] == 1
    score_main([str(tmp_path / "x.jsonl")])
    assert "1 replies lack the </think> that the others have" in capsys.readouterr().out
    (tmp_path / "x.jsonl").write_bytes(lines([open_, open_, closed]))  # most of a file without it says nothing
    assert scored(capsys, tmp_path / "x.jsonl")["unclosed"] == 0


GOLDS = ["7"] * 4 + ["12"] * 2 + ["70", "-7", "7.5"]


@pytest.mark.parametrize("constant, right", [("7", 4), ("12", 2), ("0", 0)])
def test_a_constant_answer_scores_its_base_rate_under_every_reading(tmp_path, capsys, constant, right):
    (tmp_path / "x.jsonl").write_bytes(lines([{"id": n, "output": "The answer is 1.", "answer": gold} for n, gold in enumerate(GOLDS)]))
    for reading in ("robust", "strict", "synth", "q06"):
        found = scored(capsys, tmp_path / "x.jsonl", "--reading", reading, "--constant", f"The answer is {constant}.\n#### {constant}")
        assert (found["correct"], found["n"]) == (right, len(GOLDS)), reading
        assert found["columns"].startswith("the constant 'The answer is")


def test_gold_against_gold_is_a_hundred_per_cent(tmp_path, capsys):
    (tmp_path / "x.jsonl").write_bytes(lines([{"id": n, "answer": f"so it is\n#### {gold}"} for n, gold in enumerate(GOLDS)]))
    for reading in ("robust", "strict", "q06"):  # "synth" overlooks one digit
        assert scored(capsys, tmp_path / "x.jsonl", "--reading", reading, "--reply", "answer", "--gold", "answer")["correct"] == len(GOLDS), reading


def test_a_reply_that_stands_once_for_every_filter_is_one_reply(tmp_path, capsys):
    rows = [{"doc_id": n, "target": "7", "resps": [[f"so {n}"]], "filter": kept} for kept in ("strict-match", "flexible-extract") for n in (7, 8)]
    (tmp_path / "x.jsonl").write_bytes(lines(rows))
    found = scored(capsys, tmp_path / "x.jsonl")
    assert (found["n"], found["correct"], found["problems"], found["columns"]) == (2, 1, 2, "resps against target, each reply once for all filters")
    (tmp_path / "x.jsonl").write_bytes(lines([*rows, rows[0] | {"filter": "other", "resps": [["so 9"]]}]))
    with pytest.raises(SystemExit, match="row 5 is the reply of row 1 again"):  # another reply after all
        score_main([str(tmp_path / "x.jsonl")])


@pytest.mark.parametrize("gold", ["2x", "3i", "2k", "5 pi", "5!", "1.5K", "x > 3", "log 2"])
def test_a_gold_answer_in_algebra_is_refused(tmp_path, gold):
    (tmp_path / "x.jsonl").write_bytes(lines([{"output": "2", "answer": gold}]))
    with pytest.raises(SystemExit, match="row 1: no number can be read from the gold answer"):
        score_main([str(tmp_path / "x.jsonl")])


@pytest.mark.parametrize(
    "gold, seen",
    [("so it is\n#### 1,234", "1,234"), ("$1,234", "$1,234"), ("7.50", "7.50"), ("1/2", "1/2"), ("9 (apples)", "9"), ("50%", "50%"), (1e20, "1" + "0" * 20)],
)
def test_the_library_is_given_the_gold_answer_as_it_is_written(tmp_path, monkeypatch, gold, seen):
    asked = []
    monkeypatch.setattr("eval.score.judge", lambda items: [asked.append(item) or (True, "") for item in items])
    (tmp_path / "x.jsonl").write_bytes(lines([{"output": "so 2", "answer": gold}]))
    score_main([str(tmp_path / "x.jsonl"), "--reading", "math-verify"])
    assert asked == [("so 2", seen)]


def test_a_run_gives_the_library_its_gold_answers_as_the_benchmark_writes_them(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(readings, "judge", lambda items: [asked.append(item) or (True, "") for item in items])
    golds = {"a": "so 5 + 6\n#### 1,234", "b": "51.0", "c": "$x^2$", "d": "9 (apples)"}
    rows = [{"id": name, "reply": f"so {name}", "gold": "7", "cut_off": False, "finish": "stop", "correct": True, "correct_strict": False} for name in golds]
    rows[2] |= {"gold_text": "$x^2$", "correct": False}
    readings.read_all(rows, tmp_path / "readings.jsonl", golds)
    assert asked == [("so a", "1,234"), ("so b", "51.0"), ("so c", "$x^2$"), ("so d", "9")]  # and not the 7 that our reader found


def test_what_the_library_did_not_finish_is_said_of_numbers_too(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("eval.score.judge", lambda items: [(None, "took longer than 30 s of processing") if "9^" in reply else (True, "") for reply, _ in items])
    rows = [{"id": n, "output": reply, "answer": "7"} for n, reply in enumerate(["#### 7", "#### 7\nthat is 9^{9^9}\n#### 7"])]
    (tmp_path / "x.jsonl").write_bytes(lines(rows))
    score_main([str(tmp_path / "x.jsonl"), "--reading", "math-verify"])
    assert "1 of 2 right" in (said := capsys.readouterr().out) and "1 replies kept math-verify busy too long and count as wrong" in said
    score_main([str(tmp_path / "x.jsonl"), "--all"])
    said = capsys.readouterr().out
    assert "robust and math-verify on 0" in said and "1 replies kept math-verify busy too long: it says nothing of them" in said
    score_main([str(tmp_path / "x.jsonl"), "--all", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["not_read"] == 1 and found["disagreements"] == []


@pytest.mark.parametrize(
    "more, kind",
    [
        ({}, "correct"), ({"finish_reason": "stop"}, "correct"), ({"finish_reason": "EOS"}, "correct"), ({"truncated": False}, "correct"),
        ({"finish_reason": "LENGTH"}, "cut_off"), ({"finish_reason": ["length"]}, "cut_off"), ({"finish_reason": "max_new_tokens"}, "cut_off"), ({"stop_reason": "max_tokens"}, "cut_off"),
        ({"finish_reason": "content_filter"}, "cut_off"), ({"truncated": True}, "cut_off"), ({"finish_reason": "stop", "truncated": True}, "cut_off"),
        ({"finish_reason": "stop", "stop_reason": "length"}, "cut_off"), ({"finish_reason": "abort"}, "failed"),
    ],
)  # fmt: skip
def test_a_reply_that_did_not_end_by_itself_is_no_answer(tmp_path, capsys, more, kind):
    (tmp_path / "x.jsonl").write_bytes(lines([{"output": "#### 7", "answer": "7", **more}]))
    found = scored(capsys, tmp_path / "x.jsonl")
    assert {name: found[name] for name in ("correct", "cut_off", "failed")} == {"correct": 0, "cut_off": 0, "failed": 0} | {kind: 1}


@pytest.mark.parametrize("gold, is_expression", [("$x/2+0.5$", 1), ("\\frac{1}{2}", 1), ("$5", 0), ("$1,200$", 0), ("a = 5_2\n#### 5", 0)])
def test_a_gold_answer_in_formula_is_not_taken_for_one_of_its_numbers(tmp_path, capsys, gold, is_expression, monkeypatch):
    monkeypatch.setattr("eval.score.judge", lambda items: [(None, "")] * len(items))
    (tmp_path / "x.jsonl").write_bytes(lines([{"output": "2", "answer": gold}]))
    assert scored(capsys, tmp_path / "x.jsonl")["expressions"] == is_expression


def test_a_benchmark_of_ones_own_may_lie_in_any_of_these_files(tmp_path):
    rows = [{"question": "How many?", "answer": "5"}, {"question": "And now?", "answer": "1/2"}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text("question,answer\nHow many?,5\nAnd now?,1/2\n")
    (tmp_path / "a.tsv").write_text("idx\tquestion\tanswer\n0\tHow many?\t5\n1\tAnd now?\t1/2\n")
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    expected = [(p.id, p.question, p.answer) for p in load_file(str(tmp_path / "a.jsonl"))]
    assert [[(p.id, p.question, p.answer) for p in load_file(str(tmp_path / name))] for name in ("a.json", "a.csv", "a.tsv")] == [expected] * 3


def test_a_place_in_a_row_may_lie_deep():
    row = {"a": [{"b": 1}, 2], "a.0": "by its own name"}
    assert [cell(row, name) for name in ("a.0", "a.0.b", "a.-1", "a.2", "a.x", "b", "a.1.c")] == ["by its own name", 1, 2, None, None, None, None]


def test_a_torn_archive_is_told(tmp_path):
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines(ROWS))[:-9])
    with pytest.raises(ValueError, match="ends too early"):
        read_table(tmp_path / "x.jsonl.gz")


def test_disagreements_that_say_something_of_a_reader_stand_first(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("eval.score.judge", lambda items: [(reply != "The answer is 9.", "") for reply, _ in items])
    rows = [{"id": n, "output": "The answer is 7.", "answer": "7"} for n in range(30)] + [{"id": "odd", "output": "The answer is 9.", "answer": "9"}]
    (tmp_path / "x.jsonl").write_bytes(lines(rows))
    score_main([str(tmp_path / "x.jsonl"), "--all"])
    said = capsys.readouterr().out.splitlines()
    assert "they disagree on 31 rows, robust and math-verify on 1" in said[1] and said[2].strip().startswith("odd (gold 9): robust right, strict unparsed, math-verify wrong")


def test_rows_of_two_runs_in_one_file_are_refused(tmp_path):
    rows = [{"id": str(i), "sample": 0, "run": run, "reply": "The answer is 7.", "gold": "7"} for i, run in enumerate("aab")]
    (tmp_path / "results.jsonl").write_bytes(lines(rows))
    with pytest.raises(SystemExit, match="row 3 is of another run"):
        score_main([str(tmp_path / "results.jsonl")])
    (tmp_path / "results.jsonl").write_bytes(lines(rows[:2]))
    score_main([str(tmp_path / "results.jsonl")])
