"""The data set's card: the README.md that the hub shows, written from report.json alone.

    python -m pipeline.card --data data/synth-50k       # writes README.md anew from report.json

A figure that the report lacks does not appear, and a section without figures is left out.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from mathtutor.chat import render_prompt, render_target
from mathtutor.io import write_atomic
from pipeline.figures import (
    AUDIT_HEAD,
    agreement_line,
    audit_line,
    audit_rows,
    balance_of,
    compared_lines,
    hashes_of,
    input_line,
    is_on,
    listed,
    looks_for,
    measure,
    name_of,
    number,
    percent,
    read_report,
    sizes_of,
    splits_of,
    stages_of,
    was_compared,
    words,
)
from pipeline.teachers.prices import about
from pipeline.unstated import unstated_line

FIELDS = {
    "id": "unique; the source and a number",
    "problem": "what the student reads",
    "steps": 'the solution, a line each, without "Step 1: "',
    "answer": "a number as people write it: 5, -3, 2.5, 3/4",
    "source": "who wrote the row",
    "family": "family of the problem bank, where it comes from there",
    "topic": "topic, where it is known",
    "grade": "school grade, 0 where it is unknown",
    "asked": "what is asked, in words and without numbers",
    "plan": "how to go about it, in words and without numbers",
}
# source of a build -> (licence as the hub calls it, what it is)
LICENCES = {
    "bank": ("apache-2.0", "written from the project's own bank of problem families"),
    "composed": ("apache-2.0", "composed by the project's program from random graphs of quantities"),
    "stories": ("apache-2.0", "the project's own stories, each asked about in several ways"),
    "gsm8k-rewritten": ("mit", "problems of GSM8K's training split (Cobbe et al., 2021) told again by the project's program with other numbers and names"),
    "gsm8k-train": ("mit", "the training split of GSM8K (Cobbe et al., 2021), its solutions tidied into steps"),
    "anthropic": ("unknown", "written by a model of Anthropic at our request: Anthropic's terms hold"),
    "openai-compatible": ("unknown", "written by a model at our request: its licence and the terms of its host hold"),
}
SYNTHETIC = {"bank", "composed", "stories", "gsm8k-rewritten", "anthropic", "openai-compatible"}  # by a program or a model
TAGS = ["math", "math-word-problems", "grade-school-math", "reasoning", "chain-of-thought"]
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
LARGEST = "10M<n<100M"


def data_card(report: Mapping) -> str:
    """The whole card."""
    sections = {
        "": summary(report),
        "What is in it": highlights(report),
        "How it was made": making(report),
        "What the filters dropped": funnel(report),
        "How good the filters are": audit(report),
        "Difficulty and variety": balance(report),
        "Test sets": decontamination(report),
        "What it cost": cost(report),
        "A row": row_lines(report),
        "How to use it": usage(report),
        "Known limits": limits(report),
        "Licence and sources": licences(report),
        "Citation": citation(report),
    }
    body = "\n".join(
        "\n".join([f"## {title}", "", *lines, ""] if title else [*lines, ""]) for title, lines in sections.items() if lines
    )
    header = yaml.safe_dump(header_of(report), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{header}---\n\n# {text(name_of(report))}\n\n{body}"


def header_of(report: Mapping) -> dict:
    """The metadata that the hub reads."""
    rows = splits_of(report)
    files = {"train": "clean.jsonl", "validation": "validation.jsonl"}
    total = sum(rows.values())
    return {
        "pretty_name": name_of(report),
        "license": licence_of(report),
        "language": ["en"],
        "task_categories": ["text-generation", "question-answering"],
        "size_categories": [next((name for limit, name in SIZES if total < limit), LARGEST)],
        "tags": TAGS + ["synthetic"] * is_synthetic(report),
        "configs": [
            {"config_name": "default", "data_files": [{"split": split, "path": files[split]} for split in rows]},
        ],
    }


def licence_of(report: Mapping) -> str | list[str]:
    """One licence, several, or "unknown" when the licence of a source is not known here."""
    found = sorted({known(report, source)[0] for source in report.get("sources", {})}) or ["unknown"]
    return "unknown" if "unknown" in found else found[0] if len(found) == 1 else found


def is_synthetic(report: Mapping) -> bool:
    """Whether we know of a source that a program or a model wrote it; of what others made we know nothing."""
    return "input" not in report and not SYNTHETIC.isdisjoint(report.get("sources", {}))


def known(report: Mapping, source: str) -> tuple[str, str]:
    """(licence, what it is) of a source. What others made may call itself as it likes: its licence is not known here."""
    of_others = ("unknown", "not of this project: the terms of whoever wrote it hold")
    return of_others if "input" in report else LICENCES.get(source, of_others)


# --- Markdown


def text(value: object) -> str:
    """Words of a report as Markdown shows them: no mark-up of theirs, no line of their own."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(value).split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words_in: int = 1) -> list[str]:
    """Cells are Markdown; all but the first `words_in` columns are set to the right."""
    line = "| {} |".format
    return [
        line(" | ".join(head)),
        line(" | ".join("---" if column < words_in else "---:" for column in range(len(head)))),
        *(line(" | ".join(row)) for row in rows),
    ]


def fenced(content: str, language: str = "") -> list[str]:
    """A block of code that no content can close."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    return [f"{fence}{language}", *content.splitlines(), fence]


def counted(count: int, thing: str) -> str:
    """ "1 row", "1,000 rows"."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


# --- the sections: lines of Markdown, none where the report lacks the figures


def names_of(report: Mapping) -> list[str]:
    """The stages that looked at the rows."""
    return [stage.name for stage in stages_of(report) if is_on(report, stage.name)]


def summary(report: Mapping) -> list[str]:
    splits = listed([f"{count:,} for {split}" for split, count in splits_of(report).items()])
    sources = listed([f"{count:,} from {text(source)}" for source, count in report.get("sources", {}).items()])
    rule = report.get("validation", {}).get("rule", "") if "validation" in splits_of(report) else ""
    return [
        f"Word problems of grade-school mathematics with solutions in steps: **{counted(report['clean'], 'row')}**"
        + (f" ({sources})" if sources else "")
        + f". Every sum that our checker reads in them adds up. They are what {len(names_of(report))} filters left of "
        f"{report['candidates']:,} candidates; each of the {report['dropped']:,} others was dropped for a reason that was counted.",
        "",
        f"Splits: {splits}{f' ({text(rule)})' if rule else ''}.",
    ]


def highlights(report: Mapping) -> list[str]:
    clean, lines = report["clean"], []
    if operations := sum(report.get("operations", {}).values()):
        lines.append(f"- {operations / clean:.1f} operations in a solution on average (+ - * / between numbers)")
    if kinds := report.get("answers", {}).get("kinds"):
        shares = [f"{text(words(kind))} {percent(count, clean)}" for kind, count in kinds.items() if count and kind != "negative"]
        below = f" ({percent(kinds['negative'], clean)} of all are below nought)" if kinds.get("negative") else ""
        lines.append(f"- answers: {', '.join(shares)}{below}, printed as people write them (5, not 5.0)")
    if sizes := list(sizes_of(report)):
        lines.append(f"- answers without their sign: the smallest {text(words(sizes[0]))}, the largest {text(words(sizes[-1]))}")
    if "mean_words" in report:
        lines.append(f"- {report['mean_words']:.1f} words in a problem on average")
    return lines


def making(report: Mapping) -> list[str]:
    stages = [text(words(name)) for name in names_of(report)]
    lines = [text(input_line(report["input"])), ""] if "input" in report else []
    if told := unstated_line(report.get("input", {})):
        lines += [f"{text(told)}.", ""]
    lines += [f"{report['candidates']:,} candidates → {', '.join(stages)} → {counted(report['clean'], 'row')}", ""] if stages else []
    if command := report.get("command"):
        commands = [command, *([report["agreement"]["command"]] if "agreement" in report else [])]
        lines += ["The same on the same inputs gives the same bytes:", "", *fenced("\n".join(commands)), ""]
    return lines + table(["file", "SHA-256"], [(text(name), f"`{value}`") for name, value in hashes_of(report).items()], 2)


def funnel(report: Mapping) -> list[str]:
    rows = [
        (
            text(words(s.name)),
            looks_for(report, s.name),
            f"{s.given:,}",
            f"{s.dropped:,}",
            percent(s.dropped, s.given),
        )
        for s in stages_of(report)
    ]
    if not rows:
        return []
    return [
        *table(["stage", "what passes", "rows in", "dropped", "share"], rows, 2),
        "",
        f"{report['candidates']:,} candidates = {report['clean']:,} clean + {report['dropped']:,} dropped. "
        "`report.json` holds every reason, and `report.html` shows it with pictures.",
    ]


def audit(report: Mapping) -> list[str]:
    if not (found := report.get("audit")):
        return []
    return [text(audit_line(found)), "", *table(AUDIT_HEAD, [tuple(map(text, row)) for row in audit_rows(report)])]


def balance(report: Mapping) -> list[str]:
    rows = [(text(line.measure), text(line.here), text(line.people)) for line in balance_of(report)]
    if not rows:
        return []
    lines = table(["measure", "this set", "GSM8K train"], rows)
    for key, head in (("steps", "steps"), ("topics", "topic"), ("grades", "grade")):
        if counts := report.get(key):
            shares = [f"{text(words(name))} {percent(count, sum(counts.values()))}" for name, count in counts.items()]
            lines += ["", f"Share of the rows by {head}: {', '.join(shares)}."]
    return lines


def decontamination(report: Mapping) -> list[str]:
    found = report.get("decontamination")
    if not found:
        return []
    if not was_compared(report):
        return ["**Not compared with any test set.** Figures of models trained on it say nothing about benchmarks."]
    dropped, kept = found.get("dropped_for_overlap") or {}, found.get("clean_rows_with_overlap") or {}
    rows = [
        (text(measure(key)), *(f"{counts[key]:,}" if key in counts else "" for counts in (dropped, kept)))
        for key in dict.fromkeys([*dropped, *kept])
    ]
    return [
        *(f"- {text(line)}" for line in compared_lines(report)),
        "",
        *table(["shared with a test problem", "dropped for it", "rows kept that share it"], rows),
    ]


def cost(report: Mapping) -> list[str]:
    rows = []
    for name, taught in report.get("teachers", {}).items():
        usd, tokens = taught["usd"], taught["tokens"]["billed"]
        billed = "not told" if usd["billed"] is None else f"${about(usd['billed'])}"
        read, written = ("not told", "not told") if tokens is None else (f"{count:,}" for count in tokens)
        rows.append((text(name), text(taught["plan"]["model"]), f"{taught['problems']['rows']:,}", read, written, billed))
    return table(["file", "model", "problems", "tokens read", "tokens written", "billed"], rows, 2) if rows else []


def row_lines(report: Mapping) -> list[str]:
    lines = table(["field", "meaning"], [(f"`{name}`", meaning) for name, meaning in FIELDS.items()], 2)
    if row := report.get("example"):
        lines += ["", *fenced(json.dumps(row, ensure_ascii=False, indent=2), "json")]
        lines += ["", "As a model of this project is trained on it:", ""]
        lines += fenced(render_prompt(row["problem"]) + render_target(row["steps"], row["answer"]))
    return lines


def usage(report: Mapping) -> list[str]:
    return [
        *fenced(
            "from datasets import load_dataset\n\n"
            'rows = load_dataset("json", data_files="clean.jsonl", split="train")   # or the name of this repository on the hub\n'
            'rows[0]["problem"], rows[0]["steps"], rows[0]["answer"]',
            "python",
        ),
        "",
        "Meant for fine-tuning small models to reason in checked steps, for research on filters and synthetic data, and as "
        "practice for students with a teacher at hand. Not meant as a benchmark: models trained on it have seen its kind.",
    ]


def limits(report: Mapping) -> list[str]:
    sources = report.get("sources", {})
    kinds = report.get("answers", {}).get("kinds", {})
    lines = ["- English, grade-school arithmetic and the simplest equations."]
    lines.append(
        "- That sums add up does not mean that they fit the story: "
        + (text(agreement_line(report["agreement"])) if "agreement" in report else "no second solver was asked.")
    )
    made = 0 if "input" in report else sum(sources.get(name, 0) for name in ("bank", "composed"))
    if made:
        families = f" ({number(report['families'])} families in the bank)" if report.get("families") else ""
        lines.append(
            f"- {percent(made, sum(sources.values()))} of the rows were made by a program that tells the same stories with other "
            f"names and numbers{families}: the language repeats."
        )
    if "negative" in kinds:
        lines.append(f"- Negative answers: {kinds['negative']:,} of {report['clean']:,}.")
    if was_compared(report):
        lines.append("- Test problems told again in other words altogether are not found: of 20 that we wrote, none (python -m pipeline.audit).")
    if off := [text(words(stage.name)) for stage in stages_of(report) if not is_on(report, stage.name)]:
        lines.append(f"- Not run: {listed(off)}.")
    if not was_compared(report):
        lines.append("- Not compared with any test set.")
    return lines


def licences(report: Mapping) -> list[str]:
    rows = []
    for source, count in report.get("sources", {}).items():
        licence, what = known(report, source)
        rows.append((text(source), what, licence, f"{count:,}"))
    return table(["source", "what it is", "licence", "rows"], rows, 3) if rows else []


def citation(report: Mapping) -> list[str]:
    name = re.sub(r"[^A-Za-z0-9-]", "-", name_of(report))
    note = counted(report["clean"], "row") + (f", clean.jsonl has the SHA-256 {report['sha256']}" if report.get("sha256") else "")
    return fenced(
        f"@misc{{{name},\n  title = {{{name}: grade-school word problems with checked steps}},\n  note = {{{note}}}\n}}", "bibtex"
    )


def write_card(report: Mapping, path: str | Path) -> None:
    """Write the card of `report`, atomically."""
    write_atomic(path, data_card(report))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with report.json; README.md goes there too")
    args = parser.parse_args(arguments)
    try:
        write_card(read_report(args.data), args.data / "README.md")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    print(args.data / "README.md")


if __name__ == "__main__":
    main()
