"""Benchmarks by name: published formats, from a folder or the hub, refused where they are not what was pinned."""

from __future__ import annotations

import hashlib
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from eval import benchmarks
from eval.benchmarks import BENCHMARKS, KINDS, NOT_PINNED, kind_of, load_benchmark, load_with_origin, table
from eval.tables import read_csv
from mathtutor.sources import DATA_VARIABLE, SOURCES

DATA = Path(os.environ.get(DATA_VARIABLE, Path(__file__).resolve().parents[2] / "shared" / "data"))

# A row or two of each set, made up here in the format that the set is published in: (file, text, problems)
XML = """<?xml version="1.0" encoding="UTF-8"?>
<Machine-Reading-Corpus-File><ProblemSet>
<Problem ID="nluds-0001" Grade="1" Source="x"><Body>Bo has seven nuts and finds two more</Body><Question>How many nuts has he?</Question>
<Solution-Type>Addition</Solution-Type><Answer>9 (nuts)</Answer><Formula>7+2=9</Formula></Problem>
<Problem ID="nluds-0002" Grade="6" Source="x"><Body>A pen has 3 dogs and 8 legs of cats.</Body><Question>How many dogs and cats?</Question>
<Solution-Type>Other</Solution-Type><Answer>3 (dogs); 2 (cats)</Answer><Formula>x</Formula></Problem>
</ProblemSet></Machine-Reading-Corpus-File>"""
MAWPS = json.dumps([{"iIndex": 7, "sQuestion": "Bo has 2 nuts and finds 3. How many?", "lEquations": ["X=2+3"], "lSolutions": [5.0]}])
ANSWERS = 'Problem ID,Problem,Short Answer,Category,Subcategory,Source\nalg-1,"Find $x$ with\n$x=1$.",$2^{u-2}$,Algebra,Operation,x\nalg-2,Find y.,12,Algebra,Operation,x\n'
PROOFS = 'Problem ID,Problem,Solution,Grading guidelines,Category,Level,Short Answer,Source\nPB-1,Prove it.,Like this.,7 for all of it.,Algebra,Basic,,x\n'
SAMPLES = {
    "gsm8k-platinum": ("gsm8k-platinum/test.jsonl", [{"question": "How many?", "answer": "2+3=<<2+3=5>>5\n#### 5", "cleaning_status": "revised"}], [("gsm8k-platinum-0", "How many?", 5)]),
    "gsm-plus": ("gsm-plus/test.jsonl", [{"question": "How many?", "solution": "x", "answer": "5", "perturbation_type": "distraction insertion", "seed_question": "How many more?"}, {"question": "q", "answer": "None", "perturbation_type": "critical thinking"}], [("gsm-plus-0", "How many?", 5)]),
    "gsm-symbolic": ("gsm-symbolic/main.jsonl", [{"id": 3, "instance": 1, "question": "How many?", "answer": "So it is.\n#### 1,234"}], [("gsm-symbolic-3-1", "How many?", 1234)]),
    "gsm-hard": ("gsm-hard/test.jsonl", [{"input": "How many?", "code": "x", "target": 2833.5}], [("gsm-hard-0", "How many?", Fraction(5667, 2))]),
    "svamp-no-question": ("svamp/SVAMP.json", json.dumps([{"ID": "chal-1", "Body": "Bo has 2 nuts ", "Question": "How many?", "Answer": 2.0, "Type": "Addition"}]), [("svamp-no-question-chal-1", "Bo has 2 nuts", 2)]),
    "asdiv": ("asdiv/ASDiv.xml", XML, [("asdiv-nluds-0001", "Bo has seven nuts and finds two more. How many nuts has he?", 9)]),
    "multiarith": ("mawps/MultiArith.json", MAWPS, [("multiarith-7", "Bo has 2 nuts and finds 3. How many?", 5)]),
    "addsub": ("mawps/AddSub.json", MAWPS, [("addsub-7", "Bo has 2 nuts and finds 3. How many?", 5)]),
    "singleeq": ("mawps/questions.json", MAWPS, [("singleeq-7", "Bo has 2 nuts and finds 3. How many?", 5)]),
    "math-500": ("math-500/test.jsonl", [{"problem": "Find it.", "answer": "\\frac{1}{2}", "unique_id": "test/a/1.json", "subject": "Algebra", "level": 2}], [("math-500-test/a/1.json", "Find it.", None)]),
    "imo-answerbench": ("imobench/answerbench_v2.csv", ANSWERS, [("imo-answerbench-alg-1", "Find $x$ with\n$x=1$.", None), ("imo-answerbench-alg-2", "Find y.", 12)]),
    "imo-proofbench": ("imobench/proofbench_v2.csv", PROOFS, [("imo-proofbench-PB-1", "Prove it.", None)]),
    "proofbench": ("proofbench/train.jsonl", [{"problem_id": "IMO-1", "problem": "Prove it.", "grading_scheme": "7", "solution": "s"}], [("proofbench-IMO-1", "Prove it.", None)]),
}  # fmt: skip


def text_of(rows) -> str:
    return rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)


def count_of(name: str) -> int:
    rows = SAMPLES[name][1]
    return {"asdiv": 2, "imo-answerbench": 2}.get(name, 1) if isinstance(rows, str) else len(rows)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A function that lays a sample into a data folder and pins its size and, if asked, its hash."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))

    def lay(name: str, pin: bool = True, rows: int | None = None) -> Path:
        file, text = SAMPLES[name][0], text_of(SAMPLES[name][1])
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
        digest = {"sha256": {file: hashlib.sha256(text.encode()).hexdigest()}} if pin else {"sha256": {}}
        monkeypatch.setitem(table(), name, table()[name] | digest | {"rows": rows or count_of(name), "mend": {}})
        return tmp_path / file

    return lay


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_format_is_read_from_a_folder(folder, name):
    file = folder(name)
    problems, origin = load_with_origin(name)
    assert [(p.id, p.question, p.answer) for p in problems] == SAMPLES[name][2]
    assert {p.source for p in problems} == {name}
    assert origin["file"] == SAMPLES[name][0] and origin["pinned"] and origin["rows"] == count_of(name)
    assert origin["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert origin["skipped"] == count_of(name) - len(problems) and bool(origin["skipped"]) is ("why" in origin)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the public sets in {DATA_VARIABLE}")
@pytest.mark.parametrize("name, size", [(name, entry["rows"]) for name, entry in table().items() if any((DATA / file).exists() for file in entry["files"])])
def test_the_published_file_itself_is_read_whole(monkeypatch, name, size):
    monkeypatch.setenv(DATA_VARIABLE, str(DATA))
    problems, origin = load_with_origin(name)
    assert len(problems) + origin["skipped"] == size and all(problem.question and (problem.gold or kind_of(name) == "proof") for problem in problems)


def test_what_a_publisher_miswrote_is_mended_and_nothing_else(tmp_path):
    """A quote is missing: strictly read the file is refused, leniently the answer would stand in the problem."""
    file = tmp_path / "x.csv"
    file.write_text('id,problem,answer\n1,"Find x in\ny = x\n,"$x$"\n')
    with pytest.raises(ValueError, match="row 1 is no CSV"):
        read_csv(file)
    assert read_csv(file, mend={'\n,"$x$': '\n","$x$'}) == [{"id": "1", "problem": "Find x in\ny = x\n", "answer": "$x$"}]
    with pytest.raises(ValueError, match="it is not the file that is to be mended"):
        read_csv(file, mend={"elsewhere": ""})


def test_what_a_set_says_of_its_problems_is_kept(folder):
    for name, meta in [
        ("gsm-plus", {"perturbation_type": "distraction insertion", "seed_question": hashlib.sha256(b"How many more?").hexdigest()[:16]}), ("gsm-hard", {"tolerance": "1/1000"}),
        ("asdiv", {"solution_type": "Addition", "grade": "1"}), ("math-500", {"subject": "Algebra", "level": 2}),
        ("imo-proofbench", {"category": "Algebra", "level": "Basic", "solution": "Like this.", "rubric": "7 for all of it."}),
    ]:  # fmt: skip
        folder(name)
        assert load_benchmark(name)[0].meta == meta
    folder("math-500")
    assert load_benchmark("math-500")[0].gold == "\\frac{1}{2}" and kind_of("math-500") == "expression"
    assert (kind_of("proofbench"), kind_of("gsm8k"), kind_of("file:x")) == ("proof", "number", "number")


def test_a_file_with_another_hash_is_refused(folder):
    file = folder("gsm-plus")
    file.write_text(file.read_text().replace('"5"', '"6"'))
    with pytest.raises(ValueError, match="test.jsonl is not the file whose hash is pinned in benchmarks.yaml"):
        load_benchmark("gsm-plus")


def test_a_file_without_a_pinned_hash_is_recorded_with_its_own(folder):
    folder("gsm-hard", pin=False)
    assert load_with_origin("gsm-hard")[1]["pinned"] is False


def test_a_set_of_another_size_is_refused(folder):
    folder("gsm-plus", rows=10552)
    with pytest.raises(ValueError, match="gsm-plus has 2 rows here, 10,552 when it was pinned"):
        load_benchmark("gsm-plus")


@pytest.mark.parametrize("rows, says", [
    ([{"answer": 5}], "gsm-hard: row 1 has no text under input or question; it has answer"),
    ([{"input": "q", "target": "many"}], "1 of 1 rows have no answer that can be read: its format has changed"),
    ("[1]\n", "must hold a JSON list of objects: item 1 is 1"),
])  # fmt: skip
def test_a_file_of_another_format_is_refused(folder, rows, says):
    file = folder("gsm-hard", pin=False)
    file.write_text(text_of(rows))
    with pytest.raises(ValueError, match=says):
        load_benchmark("gsm-hard")


def test_one_id_for_two_problems_is_refused(folder, monkeypatch):
    file = folder("gsm-symbolic", pin=False, rows=2)
    file.write_text(file.read_text() * 2)
    with pytest.raises(ValueError, match="the id 'gsm-symbolic-3-1' stands twice, again in problem 2"):
        load_benchmark("gsm-symbolic")


def test_a_missing_file_is_answered_with_where_to_put_it(folder, tmp_path):
    with pytest.raises(ValueError, match="holds none of asdiv/ASDiv.xml, .*: put one there, or unset MATHTUTOR_DATA to load EleutherAI/asdiv"):
        load_benchmark("asdiv")
    with pytest.raises(ValueError, match="or get it from github.com/sroy9/mawps"):
        load_benchmark("addsub")


# --- the hub


def test_the_hub_is_asked_for_the_pinned_commit(monkeypatch):
    import datasets

    asked = []
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append((a, k)) or [{"input": "q", "target": 5}] * 1319)
    problems, origin = load_with_origin("gsm-hard")
    assert len(problems) == 1319 and asked == [(("reasoning-machines/gsm-hard", None), {"split": "train", "revision": "960448f73503112d4226baeb8eb41d3fb5ae2506"})]
    assert origin["revision"] == "960448f73503112d4226baeb8eb41d3fb5ae2506" and origin["hub"] == "reasoning-machines/gsm-hard"
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append(k) or [{"sQuestion": "q", "question": "q", "final_ans": "5"}] * 600)
    assert load_with_origin("multiarith")[1]["revision"] == NOT_PINNED and asked[-1]["revision"] is None


def test_a_hub_repository_in_the_librarys_own_format_is_read(tmp_path, monkeypatch):
    """The real library over a folder that is laid out as a repository of the hub."""
    import pyarrow
    import pyarrow.parquet

    repository = tmp_path / "org" / "gsm8k-platinum"
    (repository / "main").mkdir(parents=True)
    rows = [{"question": f"q{n}", "answer": f"#### {n}", "cleaning_status": "consensus"} for n in range(3)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), repository / "main" / "test-00000-of-00001.parquet")
    (repository / "README.md").write_text("---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: main/test-*\n---\n")
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    hub = table()["gsm8k-platinum"]["hub"] | {"id": str(repository)}
    monkeypatch.setitem(table(), "gsm8k-platinum", table()["gsm8k-platinum"] | {"hub": hub, "rows": 3})
    problems, origin = load_with_origin("gsm8k-platinum")
    assert [p.answer for p in problems] == [0, 1, 2] and origin["config"] == "main"
    monkeypatch.setitem(table(), "gsm8k-platinum", table()["gsm8k-platinum"] | {"rows": 1209})
    with pytest.raises(ValueError, match="has 3 rows here, 1,209 when it was pinned"):
        load_benchmark("gsm8k-platinum")


def test_a_hub_that_cannot_be_reached_is_answered_with_the_folder(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(ValueError, match="HuggingFaceH4/MATH-500 could not be loaded: .* Set MATHTUTOR_DATA to a local folder"):
        load_benchmark("math-500")
    with pytest.raises(ValueError, match="singleeq is on no hub that we know of: put mawps/SingleEq.json of github.com/sroy9/mawps into a folder"):
        load_benchmark("singleeq")


# --- the table


@pytest.mark.parametrize("name", table())
def test_every_row_of_the_table_is_whole(name):
    entry = table()[name]
    assert entry["kind"] in KINDS and entry["rows"] > 0 and entry["title"] and entry["licence"] and entry["files"]
    assert entry["hub"] or entry["source"]
    if entry["hub"]:
        revision = entry["hub"]["revision"]
        assert set(entry["hub"]) == {"id", "config", "split", "revision"} and (revision is None or len(revision) == 40)
    assert all(len(digest) == 64 and file in entry["files"] for file, digest in entry.get("sha256", {}).items())
    assert name in BENCHMARKS and name not in {source for source, _ in SOURCES}


def test_nothing_of_the_table_may_be_trained_on():
    """The pipeline takes training data from SOURCES alone, and there only GSM8K train."""
    assert [key for key, source in SOURCES.items() if source.trainable] == [("gsm8k", "train")]
    assert benchmarks.__doc__.startswith("Benchmarks by name, as Problems. All are measured and none is trained on")
