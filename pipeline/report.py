"""The page that shows a data set's report: one HTML file, no script, nothing fetched, pictures in inline SVG.

    write_html(read_json("data/pocket/report.json"), "data/pocket/report.html")

    python -m pipeline.report --data data/pocket        # writes the page anew from report.json

A section whose figures the report lacks is left out. Every picture is a table too, or stands beside one, so that
nothing needs colour or sight. What rows say is escaped: it may come from anywhere.
"""

from __future__ import annotations

import argparse
import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

from mathtutor.io import read_json, write_atomic

STYLE = Path(__file__).resolve().parents[1] / "assets" / "report.css"

# What each stage looks for, in the words of the page and of the card.
STAGES = {
    "structure": "a problem with words, steps that are single lines, no control tokens, not too long",
    "answer_range": "an answer that is a number of believable size",
    "solution_quality": "no boilerplate, cut text, repeated steps or numbers out of the blue",
    "ai_detection": "no residue of an assistant: greetings, apologies, second thoughts, prompts, markup",
    "math_verification": "every sum that can be read adds up, at least one is there, and the last result is the answer",
    "wrong_step": "every sum adds up, and at least one is there",
    "answer_from_steps": "the answer is the last result",
    "reads_back": "the answer reads back from the text a model is trained on",
    "units": "whole people and things, money in cents, no negative counts",
    "child_safety": "nothing that does not belong in a child's exercise book",
    "personal_data": "no address, telephone number, card number or link",
    "reading_level": "sentences that a child of that age can read",
    "exact_duplicate": "a problem not seen before, letters, digits and sums compared",
    "fuzzy_duplicate": "a problem unlike all kept before it (TF-IDF cosine)",
    "seed_overlap": "a problem unlike the seeds shown to the teacher",
    "test_overlap": "a problem that shares no run of words with a test set and does not retell one",
    "skeleton_cap": "not one more copy of a story with other names and numbers",
    "agreement": "more than half of a second solver's solutions give the answer, where it was asked",
}
# What people wrote, counted over the 7,473 rows of pipeline.teachers.gsm8k.write_rows().
GSM8K_STEPS = {2: 1961, 3: 2149, 4: 1659, 5: 955, 6: 419, 7: 227, 8: 90, 9: 13}
GSM8K_WORDS = 45.1  # a problem, on average
LONGEST = 1000  # characters of a sample that are shown: a line of a foreign file may be a megabyte
CLUSTER_SIZES = ((100, "100+"), (50, "50-99"), (20, "20-49"), (10, "10-19"), (2, ""))  # (least size, name); "": the size itself
SHOWN = 15  # bars in a table before the rest is folded away

OFF = "not run"
FOREIGN = "foreign"  # the recipe of pipeline.filter, which is for any data
# stage -> (section of the recipe, settings): with all of them off, the stage drops nothing
SWITCHES = {
    "ai_detection": ("limits", "assistant_residue"),
    "units": ("limits", "whole_units"),
    "child_safety": ("limits", "child_safe"),
    "personal_data": ("limits", "no_personal_data"),
    "reading_level": ("limits", "max_reading_grade", "min_reading_grade"),
    "exact_duplicate": ("corpus", "exact"),
    "fuzzy_duplicate": ("corpus", "fuzzy"),
    "seed_overlap": ("corpus", "seed_overlap"),
    "skeleton_cap": ("corpus", "skeleton_cap"),
}
NEEDS_TESTS = ("seed_overlap", "test_overlap")  # stages that a build without references skips


class Stage(NamedTuple):
    """Rows that came to a stage, were dropped there, and went on; `also`: rows dropped before that would fail here too."""

    name: str
    given: int
    dropped: int
    out: int
    also: int | None = None


def is_on(report: Mapping, stage: str) -> bool:
    """Whether a stage looked at rows at all, by the recipe in the report; True where that does not tell."""
    if stage in NEEDS_TESTS and "decontamination" in report and not was_compared(report):
        return False
    section, *settings = SWITCHES.get(stage, ("",))
    recipe = report.get("recipe")
    values = recipe.get(section, {}) if isinstance(recipe, Mapping) else {}
    return any(values.get(setting, True) not in (None, False) for setting in settings) or not settings


def was_compared(report: Mapping) -> bool:
    """Whether rows were compared with test sets."""
    return isinstance(report.get("decontamination", {}).get("tests"), list)


def stages_of(report: Mapping) -> list[Stage]:
    """The funnel in running order, from `stages`, or worked out from `dropped_by_stage`."""
    if "stages" in report:
        return [Stage(s["stage"], s["in"], s["dropped"], s["out"], s.get("also_would_fail")) for s in report["stages"]]
    drops = {stage: sum(reasons.values()) for stage, reasons in report.get("dropped_by_stage", {}).items()}
    left = list(accumulate(drops.values(), int.__sub__, initial=report["candidates"]))
    return [Stage(name, left[i], dropped, left[i + 1]) for i, (name, dropped) in enumerate(drops.items())]


def read_report(folder: Path) -> dict:
    """The report of the data set in `folder`. Raises ValueError with the fix where there is none."""
    path = folder / "report.json"
    if not path.exists():
        raise ValueError(f"{path} is missing: build the data set to its end (python -m pipeline.build)")
    report = read_json(path)
    if isinstance(report, dict) and {"plan", "problems", "usd"} <= report.keys():
        raise ValueError(
            f"{path} tells of rows that a teacher wrote and no filter has judged: make a data set of them first (python -m "
            f"pipeline.build --recipe pipeline/recipes/foreign.yaml --set sources.files={folder / 'raw.jsonl'} --out FOLDER)"
        )
    if not isinstance(report, dict) or not {"candidates", "clean", "dropped", "sha256"} <= report.keys():
        raise ValueError(f"{path} is not the report of a data set: name a folder that pipeline.build or pipeline.filter wrote")
    return report


def name_of(report: Mapping) -> str:
    """The name of the recipe; older reports have none. Data of others that no recipe names is called after its files."""
    recipe = report.get("recipe")
    name = recipe.get("name") if isinstance(recipe, Mapping) else recipe
    if "input" in report and name == FOREIGN:
        first, *more = (file["name"].split(".")[0] for file in report["input"]["files"])
        name = f"{first} and {len(more)} more" if more else first
    return " ".join(str(name or "Data set").split())


def key_figures(report: Mapping) -> list[tuple[str, str]]:
    """(what, figure) of the summary."""
    found = [
        ("candidates", f"{report['candidates']:,}"),
        ("clean rows", f"{report['clean']:,}"),
        ("dropped", f"{report['dropped']:,}"),
        ("kept", percent(report["clean"], report["candidates"])),
        *((f"rows for {split}", f"{count:,}") for split, count in splits_of(report).items() if "validation" in splits_of(report)),
    ]
    if steps := {int(n): count for n, count in report.get("steps", {}).items()}:
        found.append(("steps, on average", f"{sum(n * count for n, count in steps.items()) / sum(steps.values()):.1f}"))
    if "mean_words" in report:
        found.append(("words, on average", f"{report['mean_words']:.1f}"))
    return found


def splits_of(report: Mapping) -> dict[str, int]:
    """Rows of each split that the folder holds; older reports tell the rows to train on only."""
    validation = report.get("validation", {}).get("rows", 0)
    return {"train": report.get("train", report["clean"])} | ({"validation": validation} if validation else {})


def hashes_of(report: Mapping) -> dict[str, str]:
    """SHA-256 by file, and of the problem bank."""
    found = {"problem bank": report.get("bank_sha256"), "clean.jsonl": report.get("sha256")}
    found |= {name: file["sha256"] for name, file in report.get("files", {}).items()}
    found |= {f"{file['name']} (input)": file["sha256"] for file in report.get("inputs", ())}
    found |= {f"{file['name']} (input)": file["sha256"] for file in report.get("input", {}).get("files", ())}
    return {name: value for name, value in found.items() if value}


def input_line(found: Mapping) -> str:
    """What pipeline.filter read, as a sentence."""
    further = f" + {found['further_rows']:,} (further problems of conversations)" if found["further_rows"] else ""
    return f"{found['lines']:,} (lines){further} = {found['rows']:,} (candidates) + {found['unreadable']:,} (unreadable lines)"


def agreement_line(found: Mapping) -> str:
    """What pipeline.resolve did, as a sentence."""
    return (
        f"{found['engine']} solved {found['asked']:,} problems anew, {found['samples']} times each; "
        f"{found['not_asked']:,} were not asked. A row stayed when more than half of its solutions gave its answer."
    )


AUDIT_HEAD = ("filter", "labelled", "found", "false alarms", "precision", "recall")


def audit_line(found: Mapping) -> str:
    """What pipeline.audit measured, as a sentence, and how far it carries."""
    return (
        f"Each filter was asked about {found['labelled']:,} rows that were labelled by hand, at the default thresholds"
        + (f", test overlap at {found['test_grams']} words in a row" if "test_grams" in found else "")
        + " (python -m pipeline.audit). Recall is the share of its faults that it finds, precision the share of its finds that are faults. "
        "The rules were tuned on such rows: on the first rows of a new author they find less (assets/labelled/README.md)."
    )


def audit_rows(report: Mapping) -> list[tuple[str, ...]]:
    """The cells below AUDIT_HEAD, for the stages that ran and for all together."""
    ran = {stage.name for stage in stages_of(report) if is_on(report, stage.name)} | {"all"}
    return [
        (words(stage), *(f"{found[key]:,}" for key in ("labelled", "found", "false_alarms")),
         *("" if found[key] is None else f"{found[key]:.3f}" for key in ("precision", "recall")))
        for stage, found in report["audit"]["filters"].items()
        if stage in ran
    ]  # fmt: skip


class Line(NamedTuple):
    """A measure of difficulty or variety, of this set and of GSM8K train ("" where it has none)."""

    measure: str
    here: str
    people: str = ""


def balance_of(report: Mapping) -> list[Line]:
    """Difficulty and variety in figures, each only where the report holds what it needs."""
    lines = []
    if report.get("steps"):
        here, people = ({int(n): count / sum(c.values()) for n, count in c.items()} for c in (report["steps"], GSM8K_STEPS))
        for name, value in (
            ("steps of a solution, on average", lambda shares: f"{sum(n * share for n, share in shares.items()):.1f}"),
            ("solutions of one step", lambda shares: percent(shares.get(1, 0), 1)),
            ("solutions of five steps or more", lambda shares: percent(sum(s for n, s in shares.items() if n >= 5), 1)),
        ):
            lines.append(Line(name, value(here), value(people)))
        apart = sum(abs(here.get(n, 0) - people.get(n, 0)) for n in here | people) / 2
        lines.append(Line("distance of the steps from GSM8K train (0%: the same shares)", percent(apart, 1)))
    if "mean_words" in report:
        lines.append(Line("words of a problem, on average", f"{report['mean_words']:.1f}", f"{GSM8K_WORDS}"))
    for key in ("topics", "grades", "operations"):
        if counts := report.get(key):
            whole, (most, count) = sum(counts.values()), max(counts.items(), key=lambda item: item[1])
            # exp of the entropy: how many classes of the same size would be as varied.
            equal = exp(-sum(n / whole * log(n / whole) for n in counts.values() if n))
            lines.append(Line(key, f"{len(counts)}, as varied as {equal:.1f} of equal size"))
            lines.append(Line(f"largest share of the {key}", f"{words(most)}, {percent(count, whole)}"))
    if "families" in report:
        lines.append(Line("families of the bank", number(report["families"])))
    return lines


# --- words and numbers


def words(name: object) -> str:
    """A name of the report as people write it: "ai_detection" -> "AI detection"."""
    return re.sub(r"\bai\b", "AI", str(name).replace("_", " "))


def measure(name: str) -> str:
    """A measure of overlap: "8_gram_numbers_masked" -> "8 words in a row, numbers masked"."""
    size, gram, rest = name.partition("_gram")
    if not gram or not size.rpartition("_")[2].isdigit():
        return words(name)
    masked, _, size = size.rpartition("_")
    notes = [words(part) for part in (masked, rest.strip("_")) if part]
    return ", ".join([f"{size} words in a row", *notes])


def percent(part: float, whole: float) -> str:
    """ "12.3%", with "<" and ">" where rounding would say none or all."""
    value = round(100 * part / whole, 7) if whole else 0  # sums of shares are a hair off
    if value in (0, 100):
        return f"{value:.0f}%"
    return "<0.1%" if value < 0.1 else ">99.9%" if value > 99.9 else f"{value:.1f}%"


def number(value: object) -> str:
    """A figure with commas; text, yes, no and nothing as they are said."""
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "off"}[value]
    if isinstance(value, int) or isinstance(value, float) and value.is_integer() and abs(value) >= 1000:
        return f"{int(value):,}"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def esc(text: object) -> str:
    """Text as HTML shows it; half a character, which no file can hold, becomes a question mark."""
    return html.escape(str(text).encode("utf-8", "replace").decode("utf-8"))


def clip(text: object) -> str:
    """A row's text, not too much of it, with the marks that would be invisible or turn the reading order around spelled out."""
    text = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", lambda mark: f"[U+{ord(mark[0]):04X}]", str(text))
    return esc(text) if len(text) <= LONGEST else f"{esc(text[:LONGEST])} <span class=what>... ({len(text):,} characters)</span>"


# --- pictures and tables


def bar(parts: Iterable[tuple[float, str]], height: int = 14) -> str:
    """A bar of (share of the width, class) parts on a track. The figures stand beside it, so it is hidden from readers."""
    rects, start = "", 0.0
    for share, kind in parts:
        # A sliver of what is not nothing stays visible.
        width = max(100 * share, 0.4) if share else 0
        rects += f'<rect class="{kind}" x="{min(start, 100 - width):.2f}%" y="1" width="{width:.2f}%" height="{height - 2}"/>'
        start += 100 * share
    return (
        f'<svg class="bar" aria-hidden="true" height="{height}"><rect class="track" width="100%" height="{height}"/>{rects}</svg>'
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", numeric: bool = True) -> str:
    """Cells are HTML. The first is the row's header; the others are figures unless `numeric` is False."""
    figure = ' class="n"' if numeric else ""
    heads = "".join(f'<th scope="col"{figure * bool(i)}>{cell}</th>' for i, cell in enumerate(head))
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td{figure}>{cell}</td>" for cell in cells) + "</tr>\n"
        for first, *cells in rows
    )
    attribute = f' class="{kind}"' if kind else ""
    whole = f"<table{attribute}><caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"
    # A wide table scrolls inside its own box on a phone, which the keyboard must reach.
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}">{whole}</div>\n' if len(head) > 3 else whole


def bars(caption: str, head: str, counts: Mapping[Any, int], unit: str = "rows", whole: int | None = None) -> str:
    """A table with a bar in each row; the rest of a long one is folded away. Shares are of `whole`, or of the sum."""
    whole = whole or sum(counts.values())
    most = max(counts.values(), default=0) or 1
    items = [
        (f"<div><span>{esc(words(key))}</span>{bar([(count / most, 'kept')])}</div>", f"{count:,}", esc(percent(count, whole)))
        for key, count in counts.items()
    ]
    shown = SHOWN if len(items) > SHOWN + 3 else len(items)
    heads = (head, unit, "share")
    rest = table(f"{caption}: the rest", heads, items[shown:], "bars") if items[shown:] else ""
    return table(caption, heads, items[:shown], "bars") + (
        f"<details><summary>{len(items) - shown} more</summary>{rest}</details>" if rest else ""
    )


def columns(
    caption: str,
    head: str,
    counts: Mapping[Any, int],
    marks: Mapping[str, float] | None = None,
    marked: str = "",
    unit: str = "rows",
) -> str:
    """A column for each entry, its share below it, and a table; `marks` are shares to compare with, called `marked`."""
    whole, marks = sum(counts.values()) or 1, marks or {}
    top = max([count / whole for count in counts.values()] + list(marks.values())) or 1
    slot, base, drawn = 100 / max(8, len(counts)), 150, ""
    for i, (key, count) in enumerate(counts.items()):
        middle, height = f"{(i + 0.5) * slot:.2f}%", 140 * count / whole / top
        left, width = f"{(i + 0.16) * slot:.2f}%", f"{0.68 * slot:.2f}%"
        share = "&lt;1" if 0 < count < whole / 200 else f"{100 * count / whole:.0f}"
        drawn += (
            f'<rect class="kept" x="{left}" y="{base - height:.1f}" width="{width}" height="{height:.1f}"/>'
            f'<text x="{middle}" y="{base + 18}" text-anchor="middle">{esc(words(key))}</text>'
            f'<text class="faint" x="{middle}" y="{base + 35}" text-anchor="middle">{share}%</text>'
        )
        if str(key) in marks:
            y = base - 140 * marks[str(key)] / top
            drawn += f'<line class="case" x1="{(i + 0.05) * slot:.2f}%" x2="{(i + 0.95) * slot:.2f}%" y1="{y:.1f}" y2="{y:.1f}"/>'
            drawn += f'<line class="mark" x1="{(i + 0.06) * slot:.2f}%" x2="{(i + 0.94) * slot:.2f}%" y1="{y:.1f}" y2="{y:.1f}"/>'
    largest = max(counts, key=counts.get)
    said = f"{caption}. Most: {words(largest)}, {percent(counts[largest], whole)}. All figures are in the table below."
    picture = (
        f'<svg role="img" aria-label="{esc(said)}" height="{base + 40}">{drawn}'
        f'<line class="axis" x1="0" x2="100%" y1="{base}" y2="{base}"/></svg>'
    )
    legend = (
        '<p class="legend"><span><svg aria-hidden="true" height="10"><rect class="kept" width="100%" height="10"/></svg>'
        "this set</span>"
        '<span><svg aria-hidden="true" height="10"><line class="mark" x2="100%" y1="5" y2="5"/></svg>' + f"{esc(marked)}</span></p>"
        if marks
        else ""
    )
    rows = [
        (
            esc(words(key)),
            f"{count:,}",
            *(esc(percent(*share)) for share in ((count, whole), (marks.get(str(key), 0), 1))[: 1 + bool(marks)]),
        )
        for key, count in counts.items()
    ]
    figures = table(caption, (head, unit, "share", *([esc(marked)] if marks else [])), rows)
    return (
        f"<figure><figcaption>{caption}</figcaption>{picture}{legend}</figure>"
        f"<details><summary>{caption}: figures</summary>{figures}</details>\n"
    )


# --- the sections: each takes the report and gives HTML, or "" where the report lacks its figures


def funnel(report: Mapping) -> str:
    stages, whole = stages_of(report), report["candidates"]
    if not stages:
        return ""
    has_also = any(stage.also is not None for stage in stages)
    rows = []
    for stage in stages:
        said = STAGES.get(stage.name, "") if is_on(report, stage.name) else OFF
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
    """A section of one histogram, or of several that the report keeps under one key."""

    def section(report: Mapping) -> str:
        found = report.get(key)
        if not found:
            return ""
        if not all(isinstance(value, Mapping) for value in found.values()):
            return bars(title, head, found, unit)
        # Of the clean rows, as kinds overlap: an answer may be an integer and negative.
        parts = [
            bars(esc(words(name).capitalize()), head, counts, unit, report["clean"]) for name, counts in found.items() if counts
        ]
        return f'<div class="grid">{"".join(f"<div>{part}</div>" for part in parts)}</div>' if parts else ""

    return section


def operations(report: Mapping) -> str:
    names = {"+": "+ addition", "-": "- subtraction", "*": "* multiplication", "/": "/ division"}
    found = {names.get(sign, sign): count for sign, count in report.get("operations", {}).items()}
    return bars("Operations in the steps", "operation", found, "times") if found else ""


def balance(report: Mapping) -> str:
    rows = [(esc(line.measure), esc(line.here), esc(line.people)) for line in balance_of(report)]
    return table("Difficulty and variety in figures", ["measure", "this set", "GSM8K train"], rows) if rows else ""


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
        f"<p>Compared with {found.get('test_problems', 0):,} problems of {esc(', '.join(found['tests']))}."
        + "".join(f" Of {esc(name)} only the very same problem counts." for name in found.get("verbatim_only", ()))
        + " What was kept is counted again, so that the claim does not rest on the filter alone." * bool(kept)
        + "".join(f" {esc(name)} stands whole in {esc(other)}." for name, other in found.get("within", {}).items())
        + (f" Not compared: {esc('; '.join(names))}." if (names := found.get("not_compared")) else "")
        + "</p>"
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
    return "<p>Problems that resemble one another, counted as clusters by their size. The first of each was kept.</p>" + columns(
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
    "Answers": histograms("answers", "Answers", "answer"),
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
