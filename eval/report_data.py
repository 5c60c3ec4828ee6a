"""What a report says, as plain data: read from the folders of runs, and counted anew from their rows.

    found = collect([Path("evals/pocket-base-bank"), Path("evals/pocket-bank")])
    found["runs"], found["pairs"], found["items"], found["gradings"], found["warnings"]

Figures come from the rows where these are kept, and from `summary.json` where they are not; where the two differ, that
is a warning. The first run of each benchmark is the one that the others are compared with.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.benchmarks import kind_of, table
from eval.compare import compare, verdict_of
from eval.metrics import (
    MAX_CUT_OFF,
    error_kind,
    is_right,
    problem_of,
    shown_answer,
    steps_of,
    summarize,
    vote,
    why_unscored,
    wilson,
)
from eval.records import Run, key_of, load_run, with_defaults, without_key
from eval.visible import mark
from mathtutor.engines import display_name
from mathtutor.io import Damaged, read_json, read_rows
from mathtutor.sources import SOURCES

LONGEST = 20_000  # characters of a reply in the page; the record keeps it whole
FEW = 100  # problems, below which an interval is too wide to say much
FORMAT_GAP = 0.02  # by which two readings of the same replies may differ before it is said aloud


@dataclass(frozen=True)
class Loaded:
    """A folder as it lies there: `run` is None where only the figures were kept."""

    folder: Path
    stamp: dict
    summary: dict
    run: Run | None
    kind: str
    figures: dict


def collect(folders: Sequence[Path]) -> dict:
    """Everything of a report. Raises ValueError, Damaged or OSError for a folder that holds no run."""
    loaded: list[Loaded] = []
    gradings: list[dict] = []
    other: list[str] = []
    for folder in folders:
        stamp = read_json(folder / "run.json") if (folder / "run.json").exists() else None
        if not isinstance(stamp, dict):
            raise ValueError(f"{folder} holds no run: name folders that eval.run or eval.grade wrote")
        if "task" in stamp:
            gradings.append(_grading(folder, stamp))
        elif "dev_sha256" in stamp:
            other.append(folder.name)
        elif not (isinstance(stamp.get("benchmark"), str) and isinstance(stamp.get("sampling"), dict)):
            raise ValueError(f"{folder / 'run.json'} is no record of a run: name folders that eval.run or eval.grade wrote")
        else:
            loaded.append(load(folder))
    labels = label(folders)
    runs = [_described(one, labels[one.folder]) for one in loaded]
    for grading in gradings:
        grading["name"] = labels[grading.pop("folder")]
    names = {one.folder: labels[one.folder] for one in loaded}
    pairs, remarks = _pairs(loaded, names)
    if other:
        remarks.append(f"{', '.join(other)}: eval.locate measured how a first wrong line is found, not answers; the figures are in summary.json there.")
    said: dict[str, list[str]] = defaultdict(list)
    for one in [*runs, *gradings]:
        for text, detail in one["warnings"]:
            said[text].append(f"{one['name']} ({detail})" if detail else one["name"])
    return {
        "runs": runs,
        "pairs": pairs,
        "remarks": remarks,
        "items": _items(loaded, names),
        "gradings": gradings,
        "warnings": [{"text": text, "runs": names} for text, names in said.items()],
    }


def label(folders: Sequence[Path]) -> dict[Path, str]:
    """A name for each folder: its last part, and more of its path where two would be called the same."""
    depth = 1
    while True:
        names = {folder: mark("/".join(folder.resolve().parts[-depth:])) for folder in folders}
        if len(set(names.values())) == len(set(folders)) or depth > 20:
            return names
        depth += 1


def load(folder: Path) -> Loaded:
    """Raises ValueError where there are neither rows nor figures."""
    summary = read_json(folder / "summary.json") if (folder / "summary.json").exists() else {}
    if (folder / "results.jsonl").exists():
        run = load_run(folder)
        kind = kind_of(run.stamp["benchmark"])
        return Loaded(folder, run.stamp, summary, run, kind, _figures(run, kind))
    if not summary:
        raise ValueError(f"{folder} holds neither rows nor a summary: run its eval.run command to its end")
    stamp = with_defaults(read_json(folder / "run.json"))
    return Loaded(folder, stamp, summary, None, kind_of(stamp["benchmark"]), summary)


def _figures(run: Run, kind: str) -> dict:
    return summarize(run.rows, run.readings or None, kind, [problem_of(row) for row in run.rows])


# --- one run


def _described(one: Loaded, name: str) -> dict:
    stamp, figures = one.stamp, one.figures
    is_scored = figures.get("accuracy") is not None and one.kind != "proof"
    low, high = wilson(figures["correct"], figures["n"]) if is_scored else (0.0, 1.0)  # an older summary's is rounded
    replies = len(one.run.rows) if one.run else figures["n"] * stamp["samples"]
    example = one.run.rows[0] if one.run and one.run.rows else {}
    return {
        "name": name,
        "engine": display_name(stamp.get("engine", "")),
        "model": hashlib.sha256(repr((without_key(str(stamp.get("engine"))), stamp.get("revision"))).encode()).hexdigest()[:16],
        "revision": stamp.get("revision") or "",
        "benchmark": stamp["benchmark"],
        "kind": one.kind,
        "mode": stamp["mode"],
        "sampling": stamp["sampling"],
        "samples": stamp["samples"],
        "decoding": decoding_of(stamp),
        "data": stamp.get("data") or {},
        "problems": stamp.get("problems", ""),
        "has_rows": one.run is not None,
        "n": figures["n"],
        "correct": figures["correct"] if is_scored else None,
        "accuracy": figures["accuracy"] if is_scored else None,
        "interval": [low, high],
        "replies": replies,
        "cut_off": figures["cut_off"],
        "unparsed": figures["unparsed"],
        "failed": figures["failed"],
        "wrong_sums": figures.get("wrong_sums"),
        "strict": figures.get("correct_strict"),
        "math_verify": figures.get("correct_math_verify"),
        "unread_math_verify": figures.get("unread_math_verify"),
        "disagreements": figures.get("disagreements"),
        "sample_accuracy": figures.get("sample_accuracy"),
        "tokens": figures["tokens"],
        "mean_tokens": figures["tokens"] / replies if replies else 0.0,
        "seconds": figures["seconds"],
        "budgets": figures.get("budgets") or [],
        "errors": figures.get("errors") or {},
        "by": figures.get("by") or {},
        "agreement": figures.get("agreement") or [],
        "command": " ".join(map(without_key, one.summary.get("command", "").split(" "))),
        "prompt": mark(example.get("prompt", "")),
        "prompt_id": example.get("id", ""),
        "warnings": _warnings(one, replies),
        "disagreeing": _disagreeing(one.run) if one.run else [],
    }


def decoding_of(stamp: dict) -> str:
    """How the replies were decoded, in words."""
    sampling = stamp["sampling"]
    if sampling.get("temperature", 0):
        how = f"temperature {sampling['temperature']:g}, top-p {sampling.get('top_p', 1):g}"
        how += f", top-k {sampling['top_k']}" if sampling.get("top_k") else ""
        how += f", seed {sampling.get('seed', 0)}"
    else:
        how = "greedy"
    parts = [how, f"at most {sampling['max_tokens']:,} tokens"]
    if stamp["samples"] > 1:
        parts.append(f"majority of {stamp['samples']}")
    if sampling.get("thinking") is not None:
        parts.append(f"thinking {'on' if sampling['thinking'] else 'off'}")
    if sampling.get("think_budget"):
        parts.append(f"reasoning ended after {sampling['think_budget']:,} tokens")
    parts.append(f"calculator {'on' if sampling.get('calculator') else 'off'}")
    return ", ".join(parts)


def _warnings(one: Loaded, replies: int) -> list[tuple[str, str]]:
    """(what a sceptic should know before quoting the figure, how it is with this run)."""
    figures, found = one.figures, []

    def count(part: int) -> str:
        return f"{part:,} of {replies:,}, {part / replies:.1%}"

    if figures["cut_off"] > MAX_CUT_OFF * replies:
        text = f"more than {MAX_CUT_OFF:.0%} of the replies were cut off, so the figure measures the limit of tokens as well"
        found.append((text, count(figures["cut_off"])))
    if figures["failed"]:
        found.append(("problems got no reply and count as wrong: the run is not complete", count(figures["failed"])))
    if figures["unparsed"] > MAX_CUT_OFF * replies:
        found.append((f"more than {MAX_CUT_OFF:.0%} of the replies ended without an answer that can be read", count(figures["unparsed"])))
    if one.kind != "proof" and figures["n"] < FEW:
        found.append((f"fewer than {FEW} problems: the interval is wide", f"n = {figures['n']}"))
    if one.run is None:
        found.append(("the rows were not kept with the record: no item can be looked at, and no pair of runs be compared problem by problem", ""))
        return found
    if one.run.stale:
        found.append(("readings of other replies than these lie in the folder and were left out: run its command again", f"{one.run.stale:,}"))
    if one.kind != "proof" and (why := why_unscored(one.run.rows, one.run.readings, one.kind)):
        found.append(("not scored, so no accuracy is given", why))
    if unfinished := figures.get("unfinished_math_verify"):
        found.append(("replies kept math-verify busy too long and were not read by it" + ("; they count as wrong" if one.kind == "expression" else ""), count(unfinished)))
    if by_text := figures.get("votes_by_text"):
        found.append(("problems were voted on by what is written, not by what it means: math-verify came to no end", f"{by_text} of {figures['n']}"))
    if one.kind == "number" and not one.run.readings:
        found.append(("no second reading is on record: the answers were read by our own reader alone", ""))
    if (other := figures.get("correct_math_verify")) is not None and one.kind == "number":
        single = sum(is_right(row) for row in one.run.rows)
        if abs(other - single) > FORMAT_GAP * replies:
            found.append(("our reading and math-verify are far apart: look at the disagreements below", f"{single:,} right and {other:,}"))
    stored = {key: one.summary.get(key) for key in ("n", "correct", "cut_off", "unparsed")}
    if different := [key for key, value in stored.items() if value is not None and value != figures[key]]:
        said = ", ".join(f"{key} {stored[key]} instead of {figures[key]}" for key in different)
        found.append(("summary.json does not agree with the rows: the figures here are of the rows", said))
    if not one.summary:
        found.append(("not run to its end: these are the rows so far", ""))
    return found


def _disagreeing(run: Run) -> list[dict]:
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


def clip(text: str) -> str:
    return mark(text) if len(text) <= LONGEST else f"{mark(text[:LONGEST])} [... {len(text):,} characters in all]"


# --- run against run


def _pairs(loaded: Sequence[Loaded], names: dict[Path, str]) -> tuple[list[dict], list[str]]:
    """(comparisons of the first run of each benchmark with its others; why some could not be made)."""
    groups: dict[str, list[Loaded]] = defaultdict(list)
    for one in loaded:
        if one.kind != "proof":
            groups[one.stamp["benchmark"]].append(one)
    pairs, remarks = [], []
    for benchmark, group in groups.items():
        with_rows = [one for one in group if one.run is not None]
        if len(group) > 1 and len(with_rows) < len(group):
            without = ", ".join(names[one.folder] for one in group if one.run is None)
            remarks.append(f"{benchmark}: {without} cannot be compared pair by pair, as their rows were not kept; their intervals stand in the table.")
        for other in with_rows[1:]:
            first = with_rows[0]
            try:
                found = compare(first.run, other.run)
            except ValueError as error:
                remarks.append(str(error))
                continue
            found |= {"benchmark": benchmark, "a_name": names[first.folder], "b_name": names[other.folder], "verdict": verdict_of(found)}
            for kind in ("fixed_items", "broken_items"):
                found[kind] = [_flip(item) for item in found[kind]]
            pairs.append(found)
    return pairs, remarks


def _flip(item: dict) -> dict:
    parted = item["first_difference"]
    return {
        "id": item["id"], "gold": mark(item["gold"]), "answers": [mark(answer or "none") for answer in item["answers"]], "error": item["error"],
        "parted": None if parted is None else {"step": parted["step"], "a": clip(parted["a"] or "nothing more"), "b": clip(parted["b"] or "nothing more")},
    }  # fmt: skip


# --- items


def _items(loaded: Sequence[Loaded], names: dict[Path, str]) -> list[dict]:
    """Every problem with all replies to it, worst first: wrong though all replies agree, then wrong, then the rest."""
    groups: dict[tuple[str, str], dict] = {}
    for one in loaded:
        if one.run is None or why_unscored(one.run.rows, one.run.readings, one.kind):
            continue
        for id, rows in one.run.by_problem().items():
            first = rows[0]
            key = one.stamp["benchmark"], id
            item = groups.setdefault(key, {
                "benchmark": mark(key[0]), "id": mark(id), "question": clip(first.get("question", "")), "gold": mark(first.get("gold_text", first["gold"])), "runs": [],
            })  # fmt: skip
            right, agree = vote(rows, one.run.readings)
            steps = steps_of(problem_of(first))
            item["runs"].append({
                "run": names[one.folder], "right": right, "agree": agree,
                "replies": [_reply(row, one.run, steps) for row in rows],
            })  # fmt: skip
    for item in groups.values():
        item["flags"] = _flags(item)
    order = {"unanimous": 0, "wrong": 1}
    return sorted(groups.values(), key=lambda item: min((order.get(flag, 2) for flag in item["flags"]), default=2))


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


def _flags(item: dict) -> list[str]:
    replies = [reply for run in item["runs"] for reply in run["replies"]]
    answers = {reply["answer"] for reply in replies}
    any_wrong = any(not run["right"] for run in item["runs"])
    unanimous = len(replies) > 1 and len(answers) == 1 and None not in answers and not any(reply["right"] for reply in replies)
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


# --- gradings


def _grading(folder: Path, stamp: dict) -> dict:
    if not (folder / "summary.json").exists():
        raise ValueError(f"{folder} is a grading without its figures: run its eval.grade command to its end")
    summary = read_json(folder / "summary.json")
    proofs = list(read_rows(folder / "proofs.jsonl"))
    prompts = {row["prompt"]: row for row in read_rows(folder / "prompts.jsonl")}
    said: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in read_rows(folder / "grades.jsonl"):
        if "mark" in row:
            said[row["proof"], row["prompt"]].append(row)
    if not isinstance(summary, dict):
        raise Damaged(f"{folder / 'summary.json'} is no summary")
    warnings, graders = [], summary.get("graders") or {}
    open_ = summary.get("ungraded", summary.get("undecided", 0))
    if open_:
        warnings.append(("some got no mark: they count as nothing, and the bounds say what they could change", f"{open_} of {summary['n']}"))
    if summary["task"] == "grade" and not summary.get("calibration"):
        warnings.append(("this judge was not measured against people here: its points are its own", summary["judge"]))
    if stamp["graders"] < 3:
        warnings.append(("fewer than three graders a proof: their noise is hardly known", str(stamp["graders"])))
    if graders.get("agree", 1.0) < 0.7:
        warnings.append(("two graders seldom agree on the same proof", f"{graders['agree']:.0%} of pairs"))
    example = prompts.get(next((proof["prompt"] for proof in proofs if proof.get("prompt")), ""), {})
    return {
        "folder": folder,
        "summary": summary,
        "stamp": stamp,
        "warnings": warnings,
        "prompt": {key: mark(example.get(key, "")) for key in ("system", "user")},
        "proofs": [_graded(proof, said[f"{proof['id']}/{proof['sample']}", proof.get("prompt", "")]) for proof in proofs],
    }


def _graded(proof: dict, grades: Sequence[dict]) -> dict:
    return {
        "id": mark(proof["id"]), "sample": proof["sample"], "state": proof.get("state", proof.get("by", "")), "points": proof.get("points"),
        "verdict": proof.get("verdict"), "human": proof.get("human"), "solved": proof.get("solved"), "marks": proof["marks"],
        "grades": [{"grader": g["grader"], "mark": g["mark"], "why": mark(g.get("why", "")), "reply": clip(g.get("reply", ""))} for g in grades],
    }  # fmt: skip


# --- the hub


def model_index(runs: Sequence[dict]) -> dict[str, list[dict]]:
    """The `model-index` of a model card, by model, in the hub's own form (huggingface_hub writes and checks it).

    A model is an engine at one revision: models that are called the same have a card each, "NAME 1", "NAME 2" in the
    order of the runs.

    Values are per cent. What a run is, and what it cut off, stands in the metric's arguments, so that no figure travels
    without it; nothing is marked as verified, which is the hub's to say.
    """
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    by_model: dict[tuple[str, str], list] = defaultdict(list)
    for run in runs:
        if run["accuracy"] is None:
            continue
        hub = hub_of(run)
        by_model[run["engine"], run["model"]].append(
            EvalResult(
                task_type="text-generation",
                task_name="Math word problems",
                dataset_type=hub["id"],
                dataset_name=run["benchmark"],
                dataset_config=hub["config"],
                dataset_split=hub["split"],
                dataset_revision=hub["revision"],
                metric_type="accuracy",
                metric_name=f"accuracy, {run['mode']['name']} prompt, {run['decoding']}",
                metric_value=round(100 * run["accuracy"], 2),
                metric_args={
                    "n": run["n"],
                    "correct": run["correct"],
                    "interval_95": [round(100 * bound, 2) for bound in run["interval"]],
                    "cut_off": run["cut_off"],
                    "unparsed": run["unparsed"],
                    "mode": run["mode"]["name"],
                    "decoding": run["decoding"],
                    "revision": run["revision"],
                    "command": run["command"],
                },
            )
        )
    alike = Counter(engine for engine, _ in by_model)
    cards: dict[str, list[dict]] = {}
    for engine, model in by_model:
        place = [other for other in by_model if other[0] == engine].index((engine, model)) + 1
        cards[engine if alike[engine] == 1 else f"{engine} {place}"] = eval_results_to_model_index(engine, by_model[engine, model])
    return cards


def hub_of(run: dict) -> dict:
    """Where the hub keeps a benchmark: of the record, else of our tables; a set of our own has its name only."""
    data, name = run["data"], run["benchmark"]
    if data.get("hub"):
        return {"id": data["hub"], "config": data.get("config"), "split": data.get("split"), "revision": _commit(data.get("revision"))}
    if (entry := table().get(name)) and entry["hub"]:
        hub = entry["hub"]
        return {"id": hub["id"], "config": hub["config"], "split": hub["split"], "revision": hub["revision"]}
    if source := SOURCES.get((name, "test")):
        repository, configuration, split = source.hub
        return {"id": repository, "config": configuration, "split": split, "revision": _commit(getattr(source, "revision", None))}
    return {"id": name.partition(":")[0] if name.startswith("file:") else name, "config": None, "split": None, "revision": None}


def _commit(revision: str | None) -> str | None:
    return revision if revision and re.fullmatch(r"[0-9a-f]{40}", revision) else None


def count_flags(items: Sequence[dict]) -> Counter:
    """How many items bear each flag."""
    return Counter(flag for item in items for flag in item["flags"])
