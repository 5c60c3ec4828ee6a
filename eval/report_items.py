"""The items of a report: every problem with all replies to it, worst first, and what may be said of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from eval.metrics import error_kind, is_right, problem_of, shown_answer, steps_of, vote, why_unscored
from eval.records import Run, key_of
from eval.visible import mark
from eval.withheld import asked

LONGEST = 20_000  # characters of a reply in the page; the record keeps it whole


def clip(text: str) -> str:
    return mark(text) if len(text) <= LONGEST else f"{mark(text[:LONGEST])} [... {len(text):,} characters in all]"


def items_of(runs: Iterable[tuple[Run, str, str, str]]) -> list[dict]:
    """Every problem with all replies to it, worst first: wrong though all replies agree, then wrong, then the rest.

    `runs`: (run, benchmark, its kind, name of the run); what nobody has scored is left out. Among equals the benchmarks
    take turns, so that the first few do not all stand for one of them.
    """
    groups: dict[tuple, dict] = {}
    voices: dict[tuple, set[tuple]] = defaultdict(set)
    for run, benchmark, kind, name in runs:
        if why_unscored(run.rows, run.readings, kind):
            continue
        for id, rows in run.by_problem().items():
            first = rows[0]
            key = benchmark, id, asked(first), first["gold"]  # a set that was changed asks something else under an id
            item = groups.setdefault(key, {
                "benchmark": mark(key[0]), "id": mark(id), "question": clip(first.get("question", "")), "gold": mark(first.get("gold_text", first["gold"])), "runs": [],
            })  # fmt: skip
            right, agree = vote(rows, run.readings)
            steps = steps_of(problem_of(first))
            item["runs"].append({
                "run": name, "right": right, "agree": agree,
                "replies": [_reply(row, run, steps) for row in rows],
            })  # fmt: skip
            voices[key] |= {voice_of(run, row) for row in rows}
    for key, item in groups.items():
        item["flags"] = _flags(item, len(voices[key]))
    order = {"unanimous": 0, "wrong": 1}
    turns: Counter = Counter()
    places = {}
    for key, item in groups.items():
        rank = min((order.get(flag, 2) for flag in item["flags"]), default=2)
        places[key] = rank, turns[rank, item["benchmark"]]
        turns[rank, item["benchmark"]] += 1
    return [groups[key] for key in sorted(groups, key=places.__getitem__)]


def voice_of(run: Run, row: dict) -> tuple:
    """Who speaks in a reply. A model that is asked once more without chance, or with other settings, says nothing new."""
    model = run.stamp.get("engine"), run.stamp.get("revision")
    return (*model, run.name, row.get("sample", 0)) if run.stamp["samples"] > 1 else model


def _reply(row: dict, run: Run, steps: int | None) -> dict:
    right = is_right(row, run.readings)
    reading = run.readings.get(key_of(row))
    return {
        "sample": row.get("sample", 0), "answer": None if (answer := shown_answer(row, run.readings)) is None else mark(answer), "right": right,
        "cut_off": row["cut_off"], "finish": row["finish"], "tokens": row["tokens"], "wrong_step": row["first_wrong_step"],
        "error": None if right else error_kind(row, steps, run.readings), "reply": clip(row["reply"]), "strict": row["correct_strict"],
        "math_verify": reading["math_verify"] if reading else None,
        "parted": bool(reading) and row["correct"] is not None and row["correct"] != bool(reading["math_verify"]),
    }  # fmt: skip


def _flags(item: dict, voices: int) -> list[str]:
    replies = [reply for run in item["runs"] for reply in run["replies"]]
    answers = {reply["answer"] for reply in replies}
    any_wrong = any(not run["right"] for run in item["runs"])
    unanimous = voices > 1 and len(answers) == 1 and None not in answers and not any(reply["right"] for reply in replies)
    tests = {
        "unanimous": unanimous,
        "wrong": any_wrong,
        "right": not any_wrong,
        "cut": any(reply["cut_off"] for reply in replies),
        "none": any(reply["answer"] is None and not reply["cut_off"] for reply in replies),
        "parted": any(reply["parted"] for reply in replies),
        "sum": any(reply["wrong_step"] is not None for reply in replies),
        "mixed": 0 < sum(reply["right"] for reply in replies) < len(replies),
        "lucky": any(reply["right"] and reply["wrong_step"] is not None for reply in replies),
    }
    return [name for name, holds in tests.items() if holds]


def disagreeing(run: Run) -> list[dict]:
    """Replies on which our reading and math-verify part, where the answer is a number."""
    found = []
    for row in run.rows:
        reading = run.readings.get(key_of(row))
        if reading is None or row["correct"] is None or row["correct"] == bool(reading["math_verify"]):
            continue
        found.append({
            "id": row["id"], "sample": row.get("sample", 0), "gold": mark(row["gold"]), "answer": mark(row["answer"] or "none"),
            "rule": row.get("rule", ""), "robust": row["correct"], "strict": row["correct_strict"],
            "math_verify": reading["math_verify"], "error": mark(reading.get("error", "")), "end": mark(row["reply"][-160:]),
        })  # fmt: skip
    return found


def count_flags(items: Sequence[dict]) -> Counter:
    """How many items bear each flag."""
    return Counter(flag for item in items for flag in item["flags"])
