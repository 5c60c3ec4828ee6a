"""What a report says, as plain data: read from the folders of runs, and counted anew from their rows.

    found = collect([Path("evals/pocket-base-bank"), Path("evals/pocket-bank")])
    found["runs"], found["pairs"], found["items"], found["gradings"], found["warnings"]

Figures come from the rows where these are kept, and from `summary.json` where they are not; where the two differ, that
is a warning. The first run of each benchmark is the one that the others are compared with.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.benchmarks import NOT_PINNED, kind_of
from eval.compare import compare, noise_of, verdict_of
from eval.intervals import wilson
from eval.metrics import MAX_CUT_OFF, is_right, problem_of, summarize, why_unscored
from eval.records import Run, checked_stamp, differences, load_run, rows_file, summary_of, without_key
from eval.report_items import clip, disagreeing, items_of
from eval.visible import mark
from mathtutor.engines import calculates, display_name, is_served
from mathtutor.io import Damaged, read_json, read_rows
from mathtutor.sources import DATA_VARIABLE

LONGEST = 20_000  # characters of a reply in the page; the record keeps it whole
OF_THE_BANK = ("bank", "bank-known")
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


def expanded(folders: Sequence[Path]) -> list[Path]:
    """The folders, and in the place of one that is no run itself but holds runs these: `evals/*` names all."""
    found: list[Path] = []
    for folder in folders:
        inside = [] if (folder / "run.json").exists() else sorted(path.parent for path in folder.glob("*/run.json"))
        found += inside or [folder]
    return list(dict.fromkeys(found))


def collect(folders: Sequence[Path]) -> dict:
    """Everything of a report. Raises ValueError, Damaged or OSError for a folder that holds no run."""
    folders = expanded(folders)
    loaded: list[Loaded] = []
    gradings: list[dict] = []
    located: list[dict] = []
    for folder in folders:
        stamp = read_json(folder / "run.json") if (folder / "run.json").exists() else None
        if not isinstance(stamp, dict):
            raise ValueError(f"{folder} holds no run: name folders that eval.run or eval.grade wrote")
        if "task" in stamp:
            gradings.append(_grading(folder, stamp))
        elif "dev_sha256" in stamp:
            located.append(_located(folder, stamp))
        elif not (isinstance(stamp.get("benchmark"), str) and isinstance(stamp.get("sampling"), dict)):
            raise ValueError(f"{folder / 'run.json'} is no record of a run: name folders that eval.run or eval.grade wrote")
        else:
            loaded.append(load(folder))
    labels = label(folders)
    runs = [_described(one, labels[one.folder]) for one in loaded]
    for grading in gradings:
        grading["name"] = labels[grading.pop("folder")]
    names = {one.folder: labels[one.folder] for one in loaded}
    for one in located:
        one["name"] = labels[one.pop("folder")]
    pairs, noise, remarks = _pairs(loaded, names)
    said: dict[str, list[str]] = defaultdict(list)
    for one in [*runs, *gradings, *located]:
        for text, detail in one["warnings"]:
            said[text].append(f"{one['name']} ({detail})" if detail else one["name"])
    return {
        "runs": runs,
        "pairs": pairs,
        "noise": noise,
        "located": located,
        "remarks": remarks,
        "items": items_of([(one.run, one.stamp["benchmark"], one.kind, names[one.folder]) for one in loaded if one.run is not None]),
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
    summary = summary_of(folder) or {}
    if rows_file(folder) is not None:
        run = load_run(folder)
        kind = kind_of(run.stamp["benchmark"])
        return Loaded(folder, run.stamp, summary, run, kind, _figures(run, kind))
    if not summary:
        raise ValueError(f"{folder} holds neither rows nor a summary: run its eval.run command to its end")
    stamp = checked_stamp(folder, read_json(folder / "run.json"))
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
        "interval_of_groups": (figures.get("groups") or {}).get("interval"),
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
        # The other readings count replies; where several make one answer, so must ours beside them.
        "right_replies": None if not is_scored else round(figures["sample_accuracy"] * replies) if figures.get("sample_accuracy") is not None else figures["correct"],
        "tokens": figures["tokens"],
        "mean_tokens": figures["tokens"] / replies if replies else 0.0,
        "seconds": figures["seconds"],
        "budgets": figures.get("budgets") or [],
        "errors": figures.get("errors") or {},
        "by": figures.get("by") or {},
        "agreement": figures.get("agreement") or [],
        "command": " ".join(map(without_key, one.summary.get("command", "").split(" "))),
        "prompt": mark(example.get("prompt", "")),
        "is_served": is_served(str(stamp.get("engine"))),
        "prompt_id": example.get("id", ""),
        "warnings": _warnings(one, replies),
        "disagreeing": disagreeing(one.run) if one.run else [],
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
    parts.append(f"calculator {'on' if sampling.get('calculator') and calculates(str(stamp.get('engine'))) else 'off'}")
    return ", ".join(parts)


def _warnings(one: Loaded, replies: int) -> list[tuple[str, str]]:
    """(what a sceptic should know before quoting the figure, how it is with this run)."""
    figures, found = one.figures, []

    def count(part: int) -> str:
        return f"{part:,} of {replies:,}, {part / replies:.1%}"

    if figures["cut_off"] > MAX_CUT_OFF * replies:
        text = f"more than {MAX_CUT_OFF:.0%} of the replies were cut off, so the figure measures the limit of tokens as well"
        loops = (figures.get("errors") or {}).get("loop", 0)
        found.append((text, count(figures["cut_off"]) + (f"; {loops:,} of them went in circles" if loops else "")))
    if figures["failed"]:
        found.append(("problems got no reply and count as wrong: the run is not complete", count(figures["failed"])))
    if figures["unparsed"] > MAX_CUT_OFF * replies:
        found.append((f"more than {MAX_CUT_OFF:.0%} of the replies ended without an answer that can be read", count(figures["unparsed"])))
    if one.stamp["benchmark"] in OF_THE_BANK:
        found.append(("the problems are of the bank that Pocket's own data comes from: held out or new, they keep its style", ""))
    if groups := figures.get("groups"):
        low, high = groups["interval"]
        found.append(("many problems are made from one template, so an interval that takes each problem for itself is too narrow; one that knows the templates is given here", f"{figures['n']:,} problems of {groups['n']:,} templates: {100 * low:.1f}% to {100 * high:.1f}%"))
    if one.stamp["benchmark"].startswith("file:"):
        found.append(("the problems are a file of somebody's own: no record says where they are from, nor whether models were chosen by them", ""))
    elif "pinned" in (data := one.stamp.get("data") or {}) and not data["pinned"] or data.get("revision") == NOT_PINNED:
        found.append(("no commit or hash of this set was known, so nothing says that it is the published one", data.get("file") or data.get("hub", "")))
    if one.kind != "proof" and figures["n"] < FEW:
        found.append((f"fewer than {FEW} problems: the interval is wide", f"n = {figures['n']}"))
    if one.run is None:
        if said := _unlike_readings(one):
            found.append(("summary.json does not agree with readings.jsonl: one of the two was changed", said))
        found.append(("the rows were not kept with the record: no item can be looked at, and no pair of runs be compared problem by problem", ""))
        return found
    if not one.run.held:
        found.append(("the problems could not be held against their benchmark, which is not here or another one by now: questions, gold answers and topics are as the rows say", ""))
    if without := sum(not row.get("question") for row in one.run.rows):
        found.append((f"the texts of the problems are not in the record: let {DATA_VARIABLE} name a folder with the set, and they are shown", f"{without:,} rows"))
    if one.run.stale:
        found.append(("readings of other replies than these lie in the folder and were left out: run its command again", f"{one.run.stale:,}"))
    if one.kind != "proof" and (why := why_unscored(one.run.rows, one.run.readings, one.kind)):
        found.append(("not scored, so no accuracy is given", why))
    if unfinished := figures.get("unfinished_math_verify"):
        found.append(("replies kept math-verify busy too long and were not read by it" + ("; they count as wrong" if one.kind == "expression" else ""), count(unfinished)))
    if by_text := figures.get("votes_by_text"):
        found.append(("problems were voted on by what is written, not by what it means: math-verify came to no end", f"{by_text} of {figures['n']}"))
    if pieces := sum(row.get("pieces", False) for row in one.run.rows):
        found.append(("the server told no number of tokens: pieces of its stream were counted, of which each may hold several", count(pieces)))
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


def _unlike_readings(one: Loaded) -> str:
    """In what the figures of a folder without rows are not those of its readings; "" where they are, or nothing can be said."""
    path = one.folder / "readings.jsonl"
    if one.kind != "number" or one.stamp["samples"] > 1 or not path.exists():
        return ""
    rows = list(read_rows(path))
    names = {"correct": "robust", "correct_strict": "strict", "correct_math_verify": "math_verify"}
    counted = {"n": len(rows), **{key: sum(row.get(name) is True for row in rows) for key, name in names.items()}}
    return ", ".join(f"{key} {one.figures.get(key)} instead of {count}" for key, count in counted.items() if one.figures.get(key) != count)


# --- run against run


def _pairs(loaded: Sequence[Loaded], names: dict[Path, str]) -> tuple[list[dict], list[dict], list[str]]:
    """(comparisons of the first run of each benchmark with its others; the same run made twice; why some could not be made)."""
    groups: dict[str, list[Loaded]] = defaultdict(list)
    for one in loaded:
        if one.kind != "proof":
            groups[one.stamp["benchmark"]].append(one)
    pairs, noise, remarks = [], [], []
    for benchmark, group in groups.items():
        with_rows = [one for one in group if one.run is not None]
        if len(group) > 1 and len(with_rows) < len(group):
            without = ", ".join(names[one.folder] for one in group if one.run is None)
            remarks.append(f"{benchmark}: {without} cannot be compared pair by pair, as their rows were not kept; their intervals stand in the table.")
        for place, other in enumerate(with_rows[1:], start=1):
            twin = next((one for one in with_rows[:place] if not differences(one.run.stamp, other.run.stamp)), None)
            first = twin or with_rows[0]
            try:
                found = compare(first.run, other.run)
            except ValueError as error:
                # The page may be published: the names of its runs, not where they lie.
                said = str(error)
                for one in sorted((first, other), key=lambda one: -len(str(one.folder))):
                    said = said.replace(str(one.folder), names[one.folder])
                remarks.append(said)
                continue
            if twin:
                sizes = [one.summary.get("batch_size") for one in (first, other)]
                noise.append(noise_of(found) | {"benchmark": mark(benchmark), "a_name": names[first.folder], "b_name": names[other.folder], "batch_sizes": sizes})
                continue
            found |= {"benchmark": benchmark, "a_name": names[first.folder], "b_name": names[other.folder], "verdict": verdict_of(found)}
            for kind in ("fixed_items", "broken_items"):
                found[kind] = [_flip(item) for item in found[kind]]
            pairs.append(found)
    return pairs, noise, remarks


def _flip(item: dict) -> dict:
    parted = item["first_difference"]
    return {
        "id": item["id"], "gold": mark(item["gold"]), "answers": [mark(answer or "none") for answer in item["answers"]], "error": item["error"],
        "parted": None if parted is None else {"step": parted["step"], "a": clip(parted["a"] or "nothing more"), "b": clip(parted["b"] or "nothing more")},
    }  # fmt: skip


# --- what eval.locate found


SETS = {
    "stepverify": "wrong solutions of students, the first wrong line marked by teachers",
    "stepverify-right": "right solutions of the same students",
    "stepverify-begun": "right lines before the first wrong one",
    "gsm8k-train": "gold solutions of GSM8K train",
    "qwen": "right replies of Qwen3-0.6B on GSM8K test",
}


def _located(folder: Path, stamp: dict) -> dict:
    """How often a first wrong line is found, or right work called wrong. A run that did not end has no figures."""
    summary = read_json(folder / "summary.json") if (folder / "summary.json").exists() else {}
    if not isinstance(summary, dict):
        raise Damaged(f"{folder / 'summary.json'} is no summary")
    measures = [("exact", "first wrong line found"), ("within_one", "found within one line"), ("alarm", "called wrong although right")]
    counts = {"alarm": "alarms"}
    warnings = [] if summary else [("no figures yet: eval.locate was not run to its end", "")]
    if summary and stamp.get("data") == "stepverify" and not stamp.get("folds"):
        warnings.append(("the signs were weighed on these very solutions: only --folds says what to expect of others", f"n = {summary['n']}"))
    return {
        "folder": folder,
        "data": mark(str(stamp.get("data"))),
        "title": SETS.get(stamp.get("data"), ""),
        "reference": "gold solution at hand" if not stamp.get("engine") else f"solutions of {display_name(stamp['engine'])}",
        "folds": stamp.get("folds"),
        "n": summary.get("n"),
        "figures": [
            {"what": what, "correct": summary[counts.get(key, key)], "rate": summary[f"{key}_rate"], "interval": summary[f"{key}_interval"]}
            for key, what in measures if f"{key}_rate" in summary
        ],
        "by": {mark(kind): part for kind, part in summary.get("by_category", {}).items()},
        "command": summary.get("command", ""),
        "warnings": warnings,
    }  # fmt: skip


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
