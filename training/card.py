"""The model card, written from records alone: recipe, data report, training logs, evaluations.

A figure that no record holds does not appear, and each stands beside the command that made it.
"""

from __future__ import annotations

from pathlib import Path

from mathtutor.io import read_json, read_rows, sha256_file

HEADER = """---
license: apache-2.0
language: [en]
library_name: transformers
pipeline_tag: text-generation
tags: [math, reasoning, word-problems, from-scratch, qwen3]
---
"""


def model_card(folder: Path, evals: Path, recipe: dict) -> str:
    """The card of the models in `folder` (base/, tuned/ and their records)."""
    logs = {phase: list(read_rows(folder / f"{phase}-log.jsonl")) for phase in ("pretrain", "sft")}
    summaries = read_summaries(evals)
    own = of_weights(summaries, folder)
    lines = [
        HEADER,
        f"# {recipe['name'].capitalize()}",
        "",
        "A tiny language model for grade-school word problems, trained from scratch by the repository it lies in. "
        "`tuned/` reasons in steps inside `<think>` and ends with \"The answer is N.\"; `base/` is the model it was "
        "tuned from and answers in prose.",
        "",
        "## What it gets wrong, and how often",
        "",
        *results_table(own),
        *([f"\nLeft out: {len(summaries) - len(own)} evaluations of other weights."] if len(own) < len(summaries) else []),
        "",
        "It knows the kinds of problems that the bank of this repository tells, and little else. It misreads stories "
        "with unfamiliar words, more facts than it was taught, or more steps; it does not know when it is wrong. "
        "With the calculator on, results whose decimals end are exact, which does not make its reasoning right.",
        "",
        "## How it was made",
        "",
        *size_lines(folder, recipe),
        *data_lines(folder),
        "",
        "| phase | steps | tokens seen | first loss | last loss | last validation loss |",
        "|---|---|---|---|---|---|",
        *[phase_line(phase, rows) for phase, rows in logs.items()],
        "",
        *mean_lines(folder),
        "Every hyperparameter: `recipe.json` beside this card. Made by `make pocket`; for the very rows, at the commit that docs/LAB.md names.",
        "",
        "## Limits and licence",
        "",
        "English only; a teaching aid, not a source of truth; no safety tuning, as it can only tell sums. Apache-2.0. "
        "Trained on text computed by this repository"
        + (" and on GSM8K train (MIT)." if "gsm8k-train" in read_sources(folder) else "."),
        "",
    ]
    return "\n".join(lines)


def read_summaries(evals: Path) -> list[dict]:
    """Every `summary.json` of a benchmark below the evaluation folder, in the order of their names; what eval.locate measures is none."""
    summaries = (read_json(path) for path in sorted(evals.glob("*/summary.json")))
    return [summary for summary in summaries if "benchmark" in summary]


def of_weights(summaries: list[dict], folder: Path) -> list[dict]:
    """The summaries that were measured on the weights in `folder` (base/ and tuned/), by their hash."""
    weights = {sha256_file(path)[:16] for path in folder.glob("*/model.safetensors")}
    return [summary for summary in summaries if summary.get("revision") in weights]


def results_table(summaries: list[dict]) -> list[str]:
    """Accuracy with its interval, one line a run; says so when nothing was measured."""
    if not summaries:
        return ["Nothing has been measured yet."]
    lines = [
        "| model | benchmark | n | right | accuracy | 95% interval | calculator | cut off | tokens a reply |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for s in summaries:
        low, high = s["interval"]
        tries = f", majority of {s['samples']} tries" if s.get("samples", 1) > 1 else ""
        lines.append(
            f"| {s['engine']}{tries} | {s['benchmark']} | {s['n']:,} | {s['correct']:,} | {s['accuracy']:.1%} | "
            f"{low:.1%} to {high:.1%} | {'on' if s['calculator'] else 'off'} | {s['cut_off']} | {s['tokens'] / s['n']:.0f} |"
        )
    return [*lines, "", "Each line is one run of `python -m eval.run`; its record in `evals/` holds the command."]


def refill(text: str, sections: dict[str, list[str]]) -> str:
    """`text` with the lines between `<!-- name -->` and `<!-- /name -->` replaced. Raises ValueError if a mark is missing."""
    for name, lines in sections.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not opened or not closed:
            raise ValueError(f"it has no lines {first.strip()} and {last}")
        text = before + first + "\n".join(lines) + "\n" + last + after
    return text


def mean_lines(folder: Path) -> list[str]:
    """What the tuned weights are the mean of, where they are one (`training.mean`)."""
    if not (path := folder / "tuned" / "mean.json").exists():
        return []
    made = read_json(path)
    return [
        f"The tuned weights are a mean (`python -m training.mean`): {made['share_of_second']:g} of those that this training ended with "
        f"(sha256 {made['second'][:16]}) and {1 - made['share_of_second']:g} of earlier ones, from which it came by one or more trainings (sha256 {made['first'][:16]}).",
        "",
    ]


def size_lines(folder: Path, recipe: dict) -> list[str]:
    model, config = recipe["model"], read_json(folder / "tuned" / "config.json")
    megabytes = (folder / "tuned" / "model.safetensors").stat().st_size / 1e6
    return [
        f"- Qwen3 architecture: {model['layers']} layers of {model['hidden']}, {model['heads']} heads on "
        f"{model['kv_heads']} key-value heads, feed-forward {model['ffn']}, vocabulary {config['vocab_size']:,}, "
        f"{megabytes:.1f} MB in 16 bit.",
    ]


def read_reports(folder: Path) -> list[dict]:
    """The reports on the rows that the model was trained on; none where no record was kept."""
    if not (path := folder / "data.json").exists():
        return []
    reports = read_json(path)
    return reports if isinstance(reports, list) else [reports]


def read_sources(folder: Path) -> set[str]:
    return {source for report in read_reports(folder) for source in report["sources"]}


def data_lines(folder: Path) -> list[str]:
    return [data_line(report) for report in read_reports(folder)]


def data_line(report: dict) -> str:
    tests = report["decontamination"]["tests"]
    compared = f"compared with {', '.join(tests)}" if isinstance(tests, list) else "not compared with any test set"
    sources = ", ".join(f"{count:,} from {name}" for name, count in report["sources"].items())
    return (
        f"- Data: `{report['command']}`: {report['candidates']:,} candidates, {report['dropped']:,} dropped, "
        f"{report['clean']:,} kept ({sources}); {compared}: "
        f"kept rows that share word n-grams with one: {shared_grams(report)}."
    )


def shared_grams(report: dict) -> str:
    counts = report["decontamination"]["clean_rows_with_overlap"]
    return ", ".join(f"{count} ({name.replace('_', ' ')})" for name, count in counts.items()) if counts else "not counted"


def phase_line(phase: str, rows: list[dict]) -> str:
    losses = [row for row in rows if "loss" in row]
    validation = [row["validation_loss"] for row in rows if "validation_loss" in row]
    last = losses[-1]
    shown = f"{validation[-1]:.3f}" if validation else "not measured"
    return f"| {phase} | {last['step']:,} | {last['tokens']:,} | {losses[0]['loss']:.3f} | {last['loss']:.3f} | {shown} |"
