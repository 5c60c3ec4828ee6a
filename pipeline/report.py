"""The page that shows a data set's report: one HTML file, no script, nothing fetched, pictures in inline SVG.

    write_html(read_json("data/pocket/report.json"), "data/pocket/report.html")

    python -m pipeline.report --data data/pocket        # writes the page anew from report.json

A section whose figures the report lacks is left out. Every picture is a table too, or stands beside one, so that
nothing needs colour or sight. What rows say is escaped: it may come from anywhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from mathtutor.io import write_atomic
from pipeline.figures import (
    AUDIT_HEAD,
    GSM8K_STEPS,
    agreement_line,
    audit_line,
    audit_rows,
    balance_of,
    clusters_line,
    compared_lines,
    hashes_of,
    input_line,
    key_figures,
    kinds_of,
    looks_for,
    measure,
    name_of,
    number,
    percent,
    read_report,
    sizes_of,
    stages_of,
    was_compared,
    words,
)
from pipeline.pictures import SHOWN, bar, bars, clip, columns, esc, table

STYLE = Path(__file__).resolve().parents[1] / "assets" / "report.css"
CLUSTER_SIZES = ((100, "100+"), (50, "50-99"), (20, "20-49"), (10, "10-19"), (5, "5-9"), (2, ""))  # (least size, name); "": the size itself

# --- the sections: each takes the report and gives HTML, or "" where the report lacks its figures


def funnel(report: Mapping) -> str:
    stages, whole = stages_of(report), report["candidates"]
    if not stages:
        return ""
    has_also = any(stage.also is not None for stage in stages)
    rows = []
    for stage in stages:
        said = looks_for(report, stage.name)
        what = f'<span class="what">{said}</span>' if said else ""
        picture = bar([(stage.out / whole if whole else 0, "kept"), (stage.dropped / whole if whole else 0, "gone")])
        also = [] if not has_also else ["" if stage.also is None else f"{stage.also:,}"]
        name = f"<strong>{esc(words(stage.name))}</strong>{what}{picture}"
        rows.append((name, f"{stage.given:,}", f"{stage.dropped:,}", esc(percent(stage.dropped, stage.given)), *also))
    reasons = [
        (f"{esc(words(stage))}: {esc(words(reason))}", f"{count:,}")
        for stage, found in report.get("dropped_by_stage", {}).items()
        for reason, count in found.items()
    ]
    listed = table("Reasons for dropping", ["reason", "rows"], reasons)
    head = ["stage", "rows in", "dropped", "share", *["fail too"] * has_also]
    return (
        "<p>Each row meets the stages in this order and leaves at the first that it fails. "
        "Solid: what goes on. Hatched: what is dropped."
        + " The last column counts rows that an earlier stage had dropped and that this one would drop as well." * has_also
        + "</p>"
        + table("Stages in order", head, rows, "funnel")
        + f"<p>{report['candidates']:,} candidates = {report['clean']:,} clean + {report['dropped']:,} dropped.</p>"
        + (f"<details><summary>Reasons ({len(reasons)})</summary>{listed}</details>" if reasons else "")
    )


def steps(report: Mapping) -> str:
    counts = report.get("steps")
    if not counts:
        return ""
    people = sum(GSM8K_STEPS.values())
    marks = {str(key): count / people for key, count in GSM8K_STEPS.items()}
    filled = {str(n): counts.get(str(n), counts.get(n, 0)) for n in range(1, max(map(int, [*counts, *GSM8K_STEPS])) + 1)}
    return columns("Steps of a solution", "steps", filled, marks, "GSM8K train")


def histograms(key: str, title: str, head: str, unit: str = "rows") -> Callable[[Mapping], str]:
    """A section of one histogram."""

    def section(report: Mapping) -> str:
        return bars(title, head, report[key], unit) if report.get(key) else ""

    return section


def answers(report: Mapping) -> str:
    parts = [
        bars(name, "answer", counts, whole=report["clean"])
        for name, counts in (("Kinds", kinds_of(report)), ("Sizes", sizes_of(report)))
        if counts
    ]
    return f'<div class="grid">{"".join(f"<div>{part}</div>" for part in parts)}</div>' if parts else ""


def operations(report: Mapping) -> str:
    names = {"+": "+ addition", "-": "- subtraction", "*": "* multiplication", "/": "/ division"}
    found = {names.get(sign, sign): count for sign, count in report.get("operations", {}).items()}
    return bars("Operations in the steps", "operation", found, "times") if found else ""


def balance(report: Mapping) -> str:
    rows = [(esc(line.measure), esc(line.here), esc(line.people)) for line in balance_of(report)]
    return table("Difficulty and variety in figures", ["measure", "this set", "GSM8K train"], rows, "measures") if rows else ""


def decontamination(report: Mapping) -> str:
    found = report.get("decontamination")
    if not found:
        return ""
    if not was_compared(report):
        return "<p><strong>Not compared with any test set.</strong> Build without --no-tests before you publish figures.</p>"
    dropped, kept = found.get("dropped_for_overlap") or {}, found.get("clean_rows_with_overlap") or {}
    rows = [
        (esc(measure(key)), *(f"{counts[key]:,}" if key in counts else "" for counts in (dropped, kept)))
        for key in dict.fromkeys([*dropped, *kept])
    ]
    return (
        f"<ul>{''.join(f'<li>{esc(line)}</li>' for line in compared_lines(report))}</ul>"
        + table("Rows that share text with a test set", ["shared", "dropped for it", "kept all the same"], rows)
    )


def audit(report: Mapping) -> str:
    if not (found := report.get("audit")):
        return ""
    rows = [tuple(map(esc, row)) for row in audit_rows(report)]
    return f"<p>{esc(audit_line(found))}</p>" + table("The filters measured", AUDIT_HEAD, rows)


def intake(report: Mapping) -> str:
    found = report.get("input")
    if not found:
        return ""
    files = [(esc(file["name"]), esc("; ".join(file["notes"]) or "nothing")) for file in found["files"]]
    faults = found["unreadable_by_reason"]
    return (
        f"<p>{esc(input_line(found))}</p>"
        + table("Files", ["file", "put right on the way"], files, numeric=False)
        + table(
            "Columns as they were read",
            ["columns", "rows"],
            [(esc(name), f"{count:,}") for name, count in found["columns"].items()],
        )
        + (bars("Lines that are no rows", "reason", faults, "lines") if faults else "")
    )


def agreement(report: Mapping) -> str:
    found = report.get("agreement")
    if not found:
        return ""
    return (
        f"<p>{esc(agreement_line(found))}</p>"
        + (columns("Solutions that agree", "solutions", counts) if (counts := found["agreeing_samples"]) else "")
        + f"<pre>{esc(found['command'])}</pre>"
    )


def clusters(report: Mapping) -> str:
    sizes: dict[str, int] = {}
    for size, count in sorted((int(size), count) for size, count in report.get("clusters", {}).items()):
        name = next(name for least, name in CLUSTER_SIZES if size >= least) or str(size)
        sizes[name] = sizes.get(name, 0) + count
    if not sizes:
        return ""
    return f"<p>{esc(clusters_line(report))}</p>" + columns(
        "Clusters of near-duplicates", "problems in the cluster", sizes, unit="clusters"
    )


def sources(report: Mapping) -> str:
    return bars("Where the clean rows come from", "source", report["sources"]) if report.get("sources") else ""


def samples(report: Mapping) -> str:
    parts = []
    for stage, reasons in report.get("samples", {}).items():
        counts = report.get("dropped_by_stage", {}).get(stage, {})
        parts.append(f"<h3>{esc(words(stage)[:1].upper() + words(stage)[1:])}</h3>")
        for reason, rows in reasons.items():
            count = f" ({counts[reason]:,})" if reason in counts else ""
            parts.append(f"<details><summary>{esc(words(reason))}{count}</summary>{''.join(map(sample, rows))}</details>")
    return "<p>Some rows for each reason, as they came.</p>" + "\n".join(parts) if parts else ""


def sample(row: Mapping) -> str:
    """A dropped row as people read it."""
    lines = "".join(f"<li>{clip(step)}</li>" for step in row.get("steps", ())[:SHOWN])
    twin = f", like {clip(row['twin'])}" if row.get("twin") else ""
    return (
        f'<div class="sample"><p dir="auto">{clip(row.get("problem", ""))}</p>'
        + (f'<ol dir="auto">{lines}</ol>' if lines else "")
        + f'<p>Answer: {clip(row.get("answer", ""))} <span class="what">{clip(row.get("id", ""))}{twin}</span></p></div>'
    )


def repeat(report: Mapping) -> str:
    rows = [(esc(name), f"<code>{esc(value)}</code>") for name, value in hashes_of(report).items()]
    return (f"<pre>{esc(report['command'])}</pre>" if report.get("command") else "") + (
        table("Hashes", ["file", "SHA-256"], rows, numeric=False) if rows else ""
    )


def thresholds(report: Mapping) -> str:
    recipe = report.get("recipe")
    if not isinstance(recipe, Mapping) or not recipe:
        return ""
    parts = {"recipe": {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}}
    parts |= {key: value for key, value in recipe.items() if isinstance(value, Mapping)}
    tables = [
        table(esc(words(name).capitalize()), ["setting", "value"], [(esc(words(k)), esc(number(v))) for k, v in values.items()])
        for name, values in parts.items()
        if values
    ]
    return f'<div class="grid">{"".join(f"<div>{part}</div>" for part in tables)}</div>'


SECTIONS: dict[str, Callable[[Mapping], str]] = {
    "Input": intake,
    "Funnel": funnel,
    "Filters measured": audit,
    "Sources": sources,
    "Steps": steps,
    "Operations": operations,
    "Answers": answers,
    "Words a problem": histograms("lengths", "Words a problem", "words"),
    "Topics": histograms("topics", "Topics", "topic"),
    "Grades": histograms("grades", "Grades", "grade"),
    "Balance": balance,
    "Near-duplicates": clusters,
    "Decontamination": decontamination,
    "Agreement": agreement,
    "Dropped rows": samples,
    "Thresholds": thresholds,
    "Make it again": repeat,
}


def page(report: Mapping) -> str:
    """The whole page."""
    name = esc(name_of(report))
    parts = {title: body for title, section in SECTIONS.items() if (body := section(report))}
    links = "".join(f'<li><a href="#{slug(title)}">{title}</a></li>' for title in parts)
    body = "".join(
        f'<section id="{slug(title)}" aria-labelledby="{slug(title)}-title">'
        f'<h2 id="{slug(title)}-title">{title}</h2>\n{part}</section>\n'
        for title, part in parts.items()
    )
    figures = "".join(f"<div><dt>{esc(what)}</dt><dd>{esc(value)}</dd></div>" for what, value in key_figures(report))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{name}: report of the data set</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<svg class="defs" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"
patternTransform="rotate(45)"><line class="hatch" y2="6"/></pattern></defs></svg>
<a class="skip" href="#main">Skip to the figures</a>
<header>
<h1>{name}</h1>
<p>How this data set came about, what was dropped and why.</p>
<dl class="figures">{figures}</dl>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{body}</main>
</body>
</html>
"""


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def write_html(report: Mapping, path: str | Path) -> None:
    """Write the page of `report`, atomically: the same report gives the same bytes."""
    write_atomic(path, page(report))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with report.json; report.html goes there too")
    args = parser.parse_args(arguments)
    try:
        write_html(read_report(args.data), args.data / "report.html")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    print(args.data / "report.html")


if __name__ == "__main__":
    main()
