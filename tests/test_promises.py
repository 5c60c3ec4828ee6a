"""Promises of the page that need no browser: replies that are cut anywhere, faults in words, figures that were measured."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from eval import locate
from eval.metrics import summarize
from eval.records import load_run, rows_file
from mathtutor.engines import Delta
from mathtutor.io import read_json, read_rows
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.lesson import Lesson, Phase, fold
from tests.promises import PROMISES, lines
from ui import evidence as tab
from ui.records import evidence

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = [row["reply"] for row in read_rows(ROOT / "evals" / "pocket-typed" / "results.jsonl")][:50]


def seen(lesson: Lesson) -> tuple:
    return lesson.phase, lesson.answer, lesson.cards, lesson.growing


# --- 4: replies that are cut anywhere


@pytest.mark.promises(4)
def test_fifty_real_outputs_are_read_alike_wherever_they_are_cut(measured):
    cuts = 0
    for reply in OUTPUTS:
        whole = seen(fold([Delta(reply), Delta("", 0, finish="stop")]))
        for cut in range(len(reply) + 1):
            assert seen(fold([Delta(reply[:cut]), Delta(reply[cut:]), Delta("", 0, finish="stop")])) == whole, reply[:cut]
            cuts += 1
    assert len(OUTPUTS) == 50
    measured(f"{len(OUTPUTS)} real outputs, {cuts:,} places to cut them")


THOUGHT = "<think>\nStep 1: 2 + 3 = 5\n</think>\n\n"


@pytest.mark.promises(4)
@pytest.mark.parametrize(
    ("reply", "phase", "answer"),
    [
        ("<think>\nStep 1: 2 + 3 = 5\nStep 2: so", Phase.CUT_OFF, None),
        ("Step 1: 2 + 3 = 5\nThe answer is 5.", Phase.ANSWERED, 5),
        (THOUGHT + "The answer is 4. No, the answer is 5.", Phase.ANSWERED, 5),
        ("<think>\nStep 1: The answer is 5.\n</think>\n\n", Phase.NO_ANSWER, None),
        ("<think>\nStep 1: The answer is 5.", Phase.CUT_OFF, None),
        (THOUGHT + "The answer is 5.0.", Phase.ANSWERED, 5),
        (THOUGHT + "The answer is - 5.", Phase.ANSWERED, -5),
        (THOUGHT + "The answer is 1/2.", Phase.ANSWERED, Fraction(1, 2)),
        (THOUGHT + "The answer is $1,234.", Phase.ANSWERED, 1234),
        (THOUGHT + "The answer is 3 hours and 20 minutes.", Phase.NO_ANSWER, None),  # not one number: no answer beats half of one
    ],
)
def test_a_reply_says_one_number_or_none_wherever_it_is_cut(reply, phase, answer):
    for cut in range(len(reply) + 1):
        lesson = fold([Delta(reply[:cut]), Delta(reply[cut:]), Delta("", 0, finish="stop")])
        assert (lesson.phase, lesson.answer and lesson.answer.value) == (phase, answer), reply[:cut]


# --- 10: the suites, and what Evidence says of them


@pytest.mark.promises(10)
@pytest.mark.parametrize(("folder", "least"), [("locate-right", 200), ("locate-begun", 200), ("locate-gold", 300), ("locate-qwen", 300)])
def test_right_work_is_left_alone_and_evidence_says_how_often_it_is_not(folder, least, measured):
    summary = read_json(ROOT / "evals" / folder / "summary.json")
    shown = tab.figures(evidence(), strings)
    assert summary["n"] >= least
    assert f"{summary['alarms']:,} / {summary['n']:,}" in shown and folder in shown
    measured(f"{folder}: {summary['alarms']} of {summary['n']} right works doubted")


FOUND_AT_LEAST = 0.5  # of the first wrong lines, by weights that the problems did not choose
DOUBTED_AT_MOST = 0.05  # of right works, in every record
SUMMARIES = {path.parent.name: read_json(path) for path in sorted((ROOT / "evals").glob("*/summary.json"))}
DOUBTED = {name: summary for name, summary in SUMMARIES.items() if "alarms" in summary}


@pytest.mark.promises(10)
@pytest.mark.parametrize("folder", DOUBTED)
def test_in_no_record_is_more_right_work_doubted_than_promised(folder):
    assert DOUBTED[folder]["alarms"] <= DOUBTED_AT_MOST * DOUBTED[folder]["n"]


@pytest.mark.promises(10)
def test_the_first_wrong_line_is_found_as_often_as_promised_and_evidence_says_how_often(measured):
    summary = SUMMARIES["locate-stepverify-folds"]
    assert summary["folds"] and summary["engine"] is None and summary["exact"] >= FOUND_AT_LEAST * summary["n"]
    assert f"{summary['exact']:,} / {summary['n']:,}" in tab.figures(evidence(), strings)
    measured(f"first wrong line found in {summary['exact']} of {summary['n']}")


@pytest.mark.promises(10)
def test_the_table_of_the_documentation_has_the_figures_on_record():
    (row,) = (line for line in (ROOT / "docs" / "PROMISES.md").read_text(encoding="utf-8").splitlines() if line.startswith("| 10 |"))
    found, doubted = SUMMARIES["locate-stepverify-folds"], [DOUBTED[f"locate-{name}"] for name in ("right", "begun", "gold", "qwen")]
    counts = strings.listed([f"{each['alarms']} of {each['n']}" for each in doubted])
    told = [
        f"first wrong line in {found['exact']} of {found['n']} in folds, at least {FOUND_AT_LEAST:.0%} promised",
        f"right work doubted in {counts}, at most {DOUBTED_AT_MOST:.0%} promised",
    ]
    assert len(DOUBTED) == 4 and [words for words in told if words not in row] == []


# --- 13: figures follow from their rows


def recounted(folder: Path) -> dict:
    """The figures of a record, computed anew from its rows."""
    summary = read_json(folder / "summary.json")
    if "data" in summary:
        return locate.summarize(list(read_rows(folder / "results.jsonl")))
    run = load_run(folder)
    return summarize(run.rows, run.readings)


ALL = [path.parent for path in sorted((ROOT / "evals").glob("*/summary.json"))]
RECORDS = [folder for folder in ALL if rows_file(folder)]
# What the benchmark itself adds (its topics and templates), which the rows do not hold.
OF_PROBLEMS = {"by", "errors", "groups"}


def agrees(committed: object, again: object) -> bool:
    """Whether a figure is the one on record. Records of before an interval kept all its digits have four of them."""
    if isinstance(again, dict):
        return isinstance(committed, dict) and committed.keys() == again.keys() and all(agrees(committed[key], again[key]) for key in again)
    if isinstance(again, (list, tuple)):
        return isinstance(committed, list) and len(committed) == len(again) and all(map(agrees, committed, again))
    return committed == again or (isinstance(again, float) and committed == round(again, 4))


@pytest.mark.promises(13)
def test_every_figure_of_every_record_follows_from_its_rows(measured):
    figures = 0
    for folder in RECORDS:
        committed, again = read_json(folder / "summary.json"), recounted(folder)
        common = [key for key in committed if key in again and key not in OF_PROBLEMS]
        assert {"n"} < set(common), folder.name
        assert [key for key in common if not agrees(committed[key], again[key])] == [], folder.name
        figures += len(common)
    assert len(RECORDS) >= 16
    measured(f"{figures} figures of {len(RECORDS)} records computed anew from their rows, and the same; {len(ALL) - len(RECORDS)} more keep no rows")


@pytest.mark.parametrize(
    ("committed", "again", "same"),
    [(5, 5, True), (5, 6, False), ([0.1079, 0.2], (0.10788, 0.2), True), ([0.1078], (0.10788,), False), ({"a": 1}, {"a": 1, "b": 2}, False), ([1], [1, 2], False)],
)  # fmt: skip
def test_a_figure_agrees_to_the_digits_on_record_and_no_further(committed, again, same):
    assert agrees(committed, again) is same


@pytest.mark.promises(13)
def test_the_same_records_give_the_same_evidence_byte_for_byte():
    evidence.cache_clear()
    once = tab.figures(evidence(), strings)
    evidence.cache_clear()
    assert tab.figures(evidence(), strings) == once


# --- the lines themselves


def report(outcome: str, *told: tuple[str, object]) -> SimpleNamespace:
    return SimpleNamespace(outcome=outcome, user_properties=list(told))


def test_every_promise_has_a_line_with_what_was_measured():
    told = list(lines([report("passed", ("promise", 2), ("measured", "0.1 s")), report("failed", ("promise", 2)), SimpleNamespace(outcome="skipped")]))
    assert len(told) == len(PROMISES) == 13
    assert told[1] == f"promise  2: {PROMISES[2]} [1 failed, 1 passed] - 0.1 s"
    assert told[2] == f"promise  3: {PROMISES[3]} [not run]"


def test_the_table_of_the_documentation_has_each_promise_in_the_same_words():
    table = (ROOT / "docs" / "PROMISES.md").read_text(encoding="utf-8")
    assert [number for number, words in PROMISES.items() if f"| {number} | {words} |" not in table] == []


def test_without_a_test_of_a_promise_no_line_is_told():
    assert list(lines([report("passed"), SimpleNamespace(outcome="skipped")])) == []
