"""The Evidence tab: figures from committed records, failures first, everything escaped."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from mathtutor.io import read_json, write_json
from mathtutor.strings import ENGLISH as strings
from mathtutor.strings import LANGUAGES, strings_of
from mathtutor.tutoring.verifier_weights import TRUSTED
from ui import evidence as tab
from ui.records import Evidence, Failure, Part, Run, Trust, evidence, failures

ROOT = Path(__file__).resolve().parents[1]

RUN = Run("pocket-x", "pocket", "svamp", 1000, 226, 0.226, (0.2012, 0.2529), True, 1, 41, 54.6, "python -m eval.run --out evals/x")


def row(id_: str, sample: int, answer: str | None, correct: bool, question: str = "2 pens and 3 pens?", reply: str = "<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4.") -> dict:
    return {"id": id_, "sample": sample, "question": question, "reply": reply, "answer": answer, "gold": "5", "correct": correct}


def write_rows(path, rows) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))


@pytest.mark.promises(13)
def test_every_committed_evaluation_of_problems_is_shown_with_its_interval_and_command():
    found = evidence()
    shown = tab.results(found.runs)
    assert not found.missing and len(found.runs) >= 9
    for run in found.runs:
        assert f"{run.correct:,} / {run.n:,}" in shown and tab.percent(run.accuracy) in shown
        assert f"{tab.percent(run.interval[0])} – {tab.percent(run.interval[1])}" in shown
        assert "python -m eval.run" in run.command


def test_the_first_wrong_line_is_shown_as_it_was_measured_on_work_that_chose_no_weights():
    (where,) = evidence().locations
    assert f"{where.count:,} / {where.n:,}" in tab.locations([where]) and "--folds" in where.command


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("a", 0, "5", True)], []),
        ([row("a", 0, "4", False)], [("4", 1.0)]),
        ([row("a", 0, None, False)], []),  # no answer is no wrong answer
        ([row("a", 0, "4", False), row("a", 1, "4", False), row("a", 2, "5", True)], [("4", 2 / 3)]),
        ([row("a", 0, "4", False), row("a", 1, "5", True), row("a", 2, "5", True)], []),  # the majority is right
    ],
)
def test_a_failure_is_a_problem_whose_most_frequent_answer_is_wrong(tmp_path, rows, expected):
    write_rows(tmp_path / "results.jsonl", rows)
    assert [(f.answer, f.agree) for f in failures(tmp_path / "results.jsonl")] == expected


def test_failures_on_which_all_tries_agree_stand_first(tmp_path):
    torn = [row("torn", i, answer, False) for i, answer in enumerate(("4", "4", "3"))]
    sure = [row("sure", i, "4", False, question="a longer one: 2 pens and 3 pens and no more?") for i in range(3)]
    write_rows(tmp_path / "results.jsonl", torn + sure)
    assert [f.agree for f in failures(tmp_path / "results.jsonl")] == [1.0, 2 / 3]


def test_what_a_model_or_a_problem_says_is_escaped():
    card = tab.failure_card(Failure("<img onerror=x> $5 & {{y}}", "<script>1</script>", "<b>", "<i>", 1.0), tries=1)
    assert not any(tag in card for tag in ("<img", "<script", "<b>", "<i>")) and "$5 &amp; {{y}}" in card


def test_a_damaged_record_is_named_and_the_others_are_still_shown(tmp_path):
    for name, text in (("bad", "{"), ("odd", '{"accuracy": 1, "benchmark": "svamp"}')):
        (tmp_path / "evals" / name).mkdir(parents=True)
        (tmp_path / "evals" / name / "summary.json").write_text(text)
    found = evidence(tmp_path)
    assert [text.split(":")[0] for text in found.missing] == ["bad/summary.json", "odd/summary.json", "pocket/sft-log.jsonl", "pocket/data.json"]
    assert found.runs == [] and tab.intro(found)


def test_agreement_is_told_in_votes_with_the_accuracy_at_80_percent():
    line = {"agree": 4, "n": 50, "correct": 30, "accuracy": 0.6, "interval": [0.46, 0.72]}
    run = Run(**{**RUN.__dict__, "samples": 5, "agreement": (line,), "coverage": ({"coverage": 0.8, "n": 800, "accuracy": 0.3, "interval": [0.27, 0.33]},)})
    shown = tab.agreements([run])
    assert strings.EVIDENCE_AGREE.format(votes=4, tries=5) in shown and "60.0%" in shown and "30 / 50" in shown
    assert strings.EVIDENCE_COVERAGE.format(part="30.0%", n=800, all="22.6%") in shown
    assert tab.agreements([RUN]) == ""


# --- what Learn gives as its own

# The run, its record, where in it the figures stand, and the figure of what is given.
WEIGHED = [
    ("pocket-typed-5", "verify", None, "chosen_on_other_folds"),
    ("pocket-bank-5", "rerank", "trust", "at_trusted"),
    ("pocket-svamp-5", "rerank", "trust", "at_trusted"),
    ("pocket-gsm8k-5", "rerank", "trust", "at_trusted"),
]


def rows_of(shown: str) -> list[list[str]]:
    """The cells of each row of each table, as text."""
    rows = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", shown)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def row_for(words: str, part: dict, problems: int) -> list[str]:
    low, high = (tab.percent(end) for end in part["interval"])
    n, correct = f"{part['n']:,}", f"{part['correct']:,}"
    return [words, f"{n} / {problems:,}", f"{correct} / {n}", tab.percent(part["accuracy"]), f"{low} – {high}"] if part["n"] else [words, f"0 / {problems:,}", "0 / 0", "", ""]


@pytest.mark.promises(13)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("folder", "record", "where", "given"), WEIGHED)
def test_what_learn_gives_as_its_own_is_what_is_on_record(folder, record, where, given, language):
    found, words = evidence(), strings_of(language)
    committed = read_json(ROOT / "evals" / folder / f"{record}.json")
    judged = committed[where] if where else committed
    (run,) = (run for run in found.runs if run.folder == folder)
    problems = committed["problems"] if record == "verify" else committed["majority"]["n"]
    names = dict(counted="all_agree") if judged["trusted"] is None else dict(
        given=given, apart="at_trusted_though_not_all_agree", doubted="all_agree_but_doubted", counted="all_agree")  # fmt: skip
    shown = tab.trusts(Evidence(runs=[run], trusts=found.trusts), words)
    assert problems == run.n and rows_of(shown) == [row_for(words.EVIDENCE_TRUST_WAYS[way], judged[name], problems) for way, name in names.items()]
    assert f"python -m eval.{record} evals/{folder}" in shown and shown.count("<caption>") == 1 and shown.count('<th scope="col">') == 5
    in_folds = record == "verify" and judged["trusted"] is not None
    assert (words.EVIDENCE_TRUST_FOLDS.format(folds=committed.get("rule", {}).get("folds")) in shown) is in_folds


@pytest.mark.parametrize(("folder", "record", "where", "given"), WEIGHED)
def test_what_is_shown_was_weighed_by_the_threshold_and_on_the_replies_of_today(folder, record, where, given):
    committed = read_json(ROOT / "evals" / folder / f"{record}.json")
    (run,) = (run for run in evidence().runs if run.folder == folder)
    assert (committed[where] if where else committed)["trusted"] == TRUSTED
    if record == "rerank":
        assert (committed["majority"]["n"], committed["majority"]["correct"], committed["scorer"]) == (run.n, run.correct, "verifier")
    else:
        assert [read_json(ROOT / "evals" / each["run"] / "summary.json")["revision"] for each in committed["runs"]] == [each["revision"] for each in committed["runs"]]


def break_record(path: Path, how: str) -> None:
    record = read_json(path)
    match how:
        case "missing":
            path.unlink()
        case "no JSON":
            path.write_text("{")
        case "a list":
            write_json(path, [record])
        case "nothing weighed":
            write_json(path, {key: value for key, value in record.items() if key != "trust"})
        case "a figure less":
            del record["trust"]["at_trusted"]["correct"]
            write_json(path, record)
        case "no figure":
            record["trust"]["at_trusted"]["n"] = "<b>"
            write_json(path, record)
        case "no interval":
            record["trust"]["at_trusted"]["interval"] = 0.5
            write_json(path, record)


@pytest.mark.parametrize("how", ["missing", "nothing weighed", "no JSON", "a list", "a figure less", "no figure", "no interval"])
def test_without_a_sound_record_of_weighing_a_sentence_stands_in_the_place_of_the_table(tmp_path, how):
    for name in ("pocket-bank-5", "pocket-svamp-5"):
        (tmp_path / "evals" / name).mkdir(parents=True)
        for file in ("summary.json", "rerank.json"):
            shutil.copy(ROOT / "evals" / name / file, tmp_path / "evals" / name / file)
    break_record(tmp_path / "evals" / "pocket-svamp-5" / "rerank.json", how)
    found = evidence(tmp_path)
    shown = tab.figures(found, strings)
    assert list(found.trusts) == ["pocket-bank-5"] and len(found.runs) == 2
    assert strings.EVIDENCE_NO_TRUST.format(name="SVAMP") in shown and strings.EVIDENCE_TRUST.format(name="SVAMP") not in shown
    assert strings.EVIDENCE_TRUST.format(name=tab.name_of("bank", strings)) in shown
    assert any(text.startswith("pocket-svamp-5/rerank.json") for text in found.missing) is (how not in ("missing", "nothing weighed"))


def test_where_no_threshold_is_good_enough_only_counting_is_told():
    run = Run(**{**RUN.__dict__, "samples": 5, "agreement": ({"agree": 5, "n": 9, "correct": 3, "accuracy": 1 / 3, "interval": [0.1, 0.6]},)})
    counted = Trust(1000, None, {"counted": Part(9, 3, 1 / 3, (0.1, 0.6))}, "python <b>")
    shown = tab.trusts(Evidence(runs=[run], trusts={run.folder: counted}))
    assert rows_of(shown) == [[strings.EVIDENCE_TRUST_WAYS["counted"], "9 / 1,000", "3 / 9", "33.3%", "10.0% – 60.0%"]]
    assert strings.EVIDENCE_TRUST_COUNTED in shown and "<b>" not in shown
    assert tab.trusts(Evidence(runs=[RUN], trusts={RUN.folder: counted})) == ""  # one try: nothing to weigh


def test_no_more_tries_agree_than_there_are():
    for run in evidence().runs:
        assert all(1 <= line["agree"] <= run.samples for line in run.agreement), run.folder


def test_the_picture_of_the_losses_says_its_figures_in_words():
    shown = tab.losses([(1_000_000, 0.8), (2_000_000, 0.6), (4_000_000, 0.5)])
    assert shown.count("<circle") == 3 and "0.800 after 1.0 million tokens, 0.500 after 4.0 million" in shown
    assert tab.losses([(1, 0.8)]) == ""
