"""Diversity and overlap: the figures move the right way, and files of every shape are read or refused."""

from __future__ import annotations

import json
import sys

import pytest

import pipeline.overlap
from pipeline.decontaminate import words
from pipeline.diversity import compression, distinct, nearest
from pipeline.overlap import read_questions

SAME = [words(f"Ana has {n} apples and buys {n} more apples at the market.", mask_numbers=True) for n in range(20)]
OTHER = [
    words(text)
    for text in (
        "A train leaves Oslo and rides north for two hours.",
        "The baker sold every roll before noon on Friday.",
        "My grandmother knits scarves for seven neighbours.",
        "Which is heavier, a melon or eleven plums?",
    )
]


def test_one_sentence_said_twenty_times_is_less_varied_than_four():
    for n in (1, 2, 3):
        assert distinct(SAME, n) < distinct(OTHER, n) <= 1
    assert compression(SAME) > compression(OTHER)
    assert nearest(SAME) == 1 and nearest(OTHER) == 0


def test_likeness_to_another_corpus_is_that_of_its_nearest_text():
    assert nearest(SAME[:1], OTHER) == 0
    assert nearest(SAME[:1], [*OTHER, SAME[3]]) == 1


TEXT = "Ana has three apples and buys four more apples at the market today. How many?"


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.jsonl", json.dumps({"question": TEXT}) + "\n"),
        ("a.jsonl", json.dumps({"problem": TEXT, "answer": 7}) + "\n"),
        ("a.json", json.dumps([{"Body": TEXT[:-10], "Question": TEXT[-9:]}])),
        ("a.csv", f'Problem ID,Problem\n1,"{TEXT}"\n'),
        ("a.csv", f'\ufeffProblem,x\n"{TEXT}",2\n'),
    ],
)
def test_test_files_of_many_shapes_are_read(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    (question,) = read_questions(tmp_path / name)
    assert words(question) == words(TEXT)


@pytest.mark.parametrize(
    "name, content", [("a.jsonl", '{"text": "x"}\n'), ("a.jsonl", ""), ("a.json", '{"question": "x"}'), ("a.csv", "a,b\n1,2\n")]
)
def test_a_file_without_problems_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match="has no problem|must hold a list"):
        read_questions(tmp_path / name)


@pytest.mark.parametrize(
    "problem, counts, status",
    [
        ("Bo sails to Oslo with 3 goats.", [0, 0, 0], 0),
        (f"{TEXT} Today it rains.", [1, 1, 1], 1),
        ("Here Ana has three apples and buys four more pears.", [0, 1, 1], 1),
    ],
)
def test_rows_that_share_words_with_a_test_file_are_counted(tmp_path, monkeypatch, problem, counts, status):
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": TEXT}) + "\n")
    rows = [{"id": "r1", "problem": problem, "source": "bank"}, {"id": "r2", "problem": TEXT, "source": "gsm8k-train"}]
    (tmp_path / "clean.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["overlap", str(tmp_path / "clean.jsonl"), "--source", "bank", "--against", str(tmp_path / "test.jsonl"), "--out", str(tmp_path / "o.json")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        pipeline.overlap.main()
    assert ended.value.code == status
    report = json.loads((tmp_path / "o.json").read_text())
    assert report["rows"] == 1
    assert [report["tests"]["test.jsonl"][measure]["rows"] for measure in pipeline.overlap.MEASURES] == counts
