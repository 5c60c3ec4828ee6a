"""The committed records that the Evidence tab shows: what was measured, with which command, and what went wrong.

    evals/pocket-svamp/run.json, summary.json          -> Run
    evals/pocket-typed/results.jsonl (wrong rows)      -> Failure
    evals/pocket-svamp-5/rerank.json, verify.json      -> Trust
    assets/models/pocket/sft-log.jsonl                 -> losses
    assets/models/pocket/data.json                     -> funnel

Files alone are read here, never a model. A record that is missing or damaged is left out and named in `Evidence.missing`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mathtutor.chat import split_reply
from mathtutor.io import read_json, read_rows

ROOT = Path(__file__).resolve().parents[1]
# Benchmarks in the order in which they are shown; `strings.BENCHMARKS` has the words for them.
ORDER = ("bank", "bank-known", "svamp", "gsm8k", "file:assets/typed/problems.jsonl")
MOST_FAILURES = 40  # of one run: a page is no archive


@dataclass(frozen=True)
class Run:
    """One evaluation. `accuracy` and `interval` are shares; `command` repeats it."""

    folder: str
    engine: str
    benchmark: str
    n: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    calculator: bool
    samples: int
    cut_off: int
    tokens: float  # a reply
    command: str
    agreement: tuple[dict[str, Any], ...] = ()  # {"agree": votes, "n", "correct", "accuracy", "interval"}
    coverage: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Failure:
    """A problem that got a wrong answer: `agree` is the share of the tries that gave it."""

    question: str
    reply: str
    answer: str
    gold: str
    agree: float


@dataclass(frozen=True)
class Share:
    """Of how many works of students: in how many the first wrong line was found, or a line of right work was doubted."""

    folder: str
    n: int
    count: int
    rate: float
    interval: tuple[float, float]
    command: str


@dataclass(frozen=True)
class Part:
    """Of `n` answers so many are right; `accuracy` and `interval` are shares."""

    n: int
    correct: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Trust:
    """Of a run with several tries a problem: which answers Learn gives as its own, and how many of them are right.

    `ways` are "given" by weighing the tries, those of them "apart" on which not all tries agree, "doubted" (all agree, and
    weighing holds the answer back) and "counted" (all agree); "counted" alone where `trusted`, the threshold, is None.
    `folds`: into how many parts the problems are parted where the threshold was chosen on themselves; "given" is then what
    the threshold of the other parts gives.
    """

    problems: int
    trusted: float | None
    ways: dict[str, Part]
    command: str
    folds: int | None = None


@dataclass
class Evidence:
    """All that the tab shows. `losses` are (tokens seen, loss on families never trained on)."""

    runs: list[Run] = field(default_factory=list)
    failures: dict[str, list[Failure]] = field(default_factory=dict)  # by the name of the benchmark
    locations: list[Share] = field(default_factory=list)
    alarms: list[Share] = field(default_factory=list)
    trusts: dict[str, Trust] = field(default_factory=dict)  # by the folder of the run
    losses: list[tuple[int, float]] = field(default_factory=list)
    funnel: list[dict[str, Any]] = field(default_factory=list)  # {"stage", "in", "dropped", "out"}
    funnel_command: str = ""
    missing: list[str] = field(default_factory=list)


@cache
def evidence(root: Path = ROOT) -> Evidence:
    """Everything below `root`, read once for the life of the page."""
    found = Evidence()
    for summary in sorted((root / "evals").glob("*/summary.json")):
        _attempt(found, summary, lambda path: _read_run(found, path))
    for name in ("rerank", "verify"):  # the record in folds, where there is one, takes the place of the other
        for path in sorted((root / "evals").glob(f"*/{name}.json")):
            _attempt(found, path, lambda path: _read_trust(found, path))
    model = root / "assets" / "models" / "pocket"
    _attempt(found, model / "sft-log.jsonl", lambda path: found.losses.extend(_losses(path)))
    _attempt(found, model / "data.json", lambda path: _read_funnel(found, path))
    found.runs.sort(
        key=lambda run: (
            run.engine != "pocket",
            ORDER.index(run.benchmark) if run.benchmark in ORDER else 9,
            run.samples,
            not run.calculator,
        )
    )
    return found


def _attempt(found: Evidence, path: Path, read) -> None:
    try:
        read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found.missing.append(f"{path.parent.name}/{path.name}: {type(error).__name__}")


def _share(path: Path, summary: dict[str, Any], count: str, name: str) -> Share:
    interval = tuple(summary[f"{name}_interval"])
    return Share(path.parent.name, summary["n"], summary[count], summary[f"{name}_rate"], interval, summary["command"])


def _read_run(found: Evidence, path: Path) -> None:
    summary = read_json(path)
    if "exact_rate" in summary:
        if summary["data"] == "stepverify" and summary["folds"]:
            found.locations.append(_share(path, summary, "exact", "exact"))
        return
    if "alarm_rate" in summary:
        found.alarms.append(_share(path, summary, "alarms", "alarm"))
        return
    if summary.get("accuracy") is None or "benchmark" not in summary:
        return
    run = Run(
        folder=path.parent.name,
        engine=summary["engine"],
        benchmark=summary["benchmark"],
        n=summary["n"],
        correct=summary["correct"],
        accuracy=summary["accuracy"],
        interval=tuple(summary["interval"]),
        calculator=summary["calculator"],
        samples=summary.get("samples", 1),
        cut_off=summary["cut_off"],
        tokens=summary["mean_tokens"],
        command=summary["command"],
        agreement=tuple(line for line in summary.get("agreement", ()) if line["agree"]),  # where no try has an answer, none agrees
        coverage=tuple(summary.get("coverage", ())),
    )
    found.runs.append(run)
    rows = path.parent / "results.jsonl"
    # Several tries tell more of a failure than one: their run takes the place of the other.
    if (
        run.engine == "pocket"
        and run.calculator
        and rows.exists()
        and (run.benchmark not in found.failures or run.samples > 1)
    ):
        found.failures[run.benchmark] = failures(rows)


def failures(path: Path, most: int = MOST_FAILURES) -> list[Failure]:
    """The problems of a run with a wrong answer, those first whose tries agree most on it."""
    groups: dict[str, list[dict]] = defaultdict(list)
    for row in read_rows(path):
        groups[row["id"]].append(row)
    found = []
    for rows in groups.values():
        votes: dict[str, list[dict]] = defaultdict(list)
        for row in rows:
            if row["answer"] is not None:
                votes[row["answer"]].append(row)
        if not votes:
            continue
        chosen = max(votes.values(), key=len)
        if not chosen[0]["correct"]:
            reply = split_reply(chosen[0]["reply"]).reasoning
            found.append(
                Failure(
                    rows[0]["question"],
                    reply.strip(),
                    chosen[0]["answer"],
                    chosen[0]["gold"],
                    len(chosen) / len(rows),
                )
            )
    return sorted(found, key=lambda failure: (-failure.agree, len(failure.question)))[:most]


def _part(found: dict[str, Any]) -> Part:
    low, high = found["interval"]
    return Part(int(found["n"]), int(found["correct"]), float(found["accuracy"]), (float(low), float(high)))


def _read_trust(found: Evidence, path: Path) -> None:
    """A record of `eval.verify` (in folds), or of `eval.rerank` where it weighed the tries as Learn does."""
    record, folder = read_json(path), path.parent.name
    if path.stem == "verify":
        judged, problems, folds, given = record, record["problems"], int(record["rule"]["folds"]), "chosen_on_other_folds"
        runs = " ".join(f"evals/{run['run']}" for run in record["runs"])
        command = f"python -m eval.verify {runs} --out evals/{folder}/verify.json"
    else:
        command = f"python -m eval.rerank evals/{folder} --scorer {record['scorer']}"
        if "trust" not in record:  # scored by another than Learn's verifier
            return
        judged, problems, folds, given = record["trust"], record["majority"]["n"], None, "at_trusted"
    names = {"counted": "all_agree"}
    if judged["trusted"] is not None:
        names = {"given": given, "apart": "at_trusted_though_not_all_agree", "doubted": "all_agree_but_doubted"} | names
    trusted = None if judged["trusted"] is None else float(judged["trusted"])
    found.trusts[folder] = Trust(int(problems), trusted, {way: _part(judged[name]) for way, name in names.items()}, command, folds)


def _losses(path: Path) -> list[tuple[int, float]]:
    tokens, points = 0, []
    for row in read_rows(path):
        tokens = row.get("tokens", tokens)
        if "validation_loss" in row:
            points.append((tokens, row["validation_loss"]))
    return points


def _read_funnel(found: Evidence, path: Path) -> None:
    report = read_json(path)
    report = report[0] if isinstance(report, list) else report
    found.funnel_command = report["command"]
    found.funnel = report.get("stages") or [
        {"stage": stage, "dropped": sum(reasons.values())}
        for stage, reasons in report["dropped_by_stage"].items()
    ]
