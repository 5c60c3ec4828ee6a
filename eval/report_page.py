"""The page of a report: one HTML file that fetches nothing. What models wrote is escaped, or set by `textContent`.

    page(collect(folders))

A section without figures is left out. The one script browses items; everything else stands without it. The policy in
the head allows that script alone, by its hash, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from eval.charts import MOST, bar, curves, difference, esc, interval
from eval.metrics import KINDS_OF_ERROR
from eval.proofs.marks import MAX_POINTS
from eval.report_data import count_flags

ASSETS = Path(__file__).resolve().parents[1] / "assets"
LISTED = 12  # failures, flips and disagreements that stand in the page without the browser
SHOWS = {
    "unanimous": "wrong, and all replies agree",
    "wrong": "wrong",
    "mixed": "some replies right, some wrong",
    "fixed": "A wrong, B right",
    "broken": "A right, B wrong",
    "cut": "cut off",
    "none": "no answer",
    "parted": "readings disagree",
    "sum": "a sum is wrong",
    "lucky": "right with a wrong sum",
    "right": "right",
    "all": "all",
}


def percent(share: float | None) -> str:
    """ "12.3%", with "<" and ">" where rounding would say none or all; "" for None."""
    if share is None:
        return ""
    value = round(100 * share, 7)
    if value in (0, 100):
        return f"{value:.0f}%"
    return "<0.1%" if value < 0.1 else ">99.9%" if value > 99.9 else f"{value:.1f}%"


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def number(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", figures: bool = True) -> str:
    """Cells are HTML, those of the head text. A cell that begins with an <svg> is a picture; a row of one cell is a group."""
    rows = list(rows)
    pictures = {i for row in rows for i, cell in enumerate(row) if cell.startswith("<svg")}
    heads = "".join(f'<th scope="col"{" class=n" if figures and i and i not in pictures else ""}>{esc(cell)}</th>' for i, cell in enumerate(head))
    body = ""
    for row in rows:
        if len(row) == 1:
            body += f'<tr class="group"><th scope="rowgroup" colspan="{len(head)}">{row[0]}</th></tr>\n'
            continue
        cells = "".join(
            f'<td{" class=picture" if i in pictures else " class=n" if figures else ""}>{cell}</td>' for i, cell in enumerate(row[1:], start=1)
        )
        body += f'<tr><th scope="row">{row[0]}</th>{cells}</tr>\n'
    attribute = f' class="{kind}"' if kind else ""
    whole = f"<table{attribute}><caption>{esc(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"
    # A wide table scrolls inside its own box on a phone, which the keyboard must reach.
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{esc(caption)}">{whole}</div>\n' if len(head) > 2 else whole


def by_benchmark(runs: Sequence[dict]) -> dict[str, list[dict]]:
    groups = defaultdict(list)
    for run in runs:
        groups[run["benchmark"]].append(run)
    return groups


# --- the sections: each takes what `collect` found and gives HTML, or "" where there is nothing to say


def warnings(found: Mapping) -> str:
    """The same remark about several runs is made once."""
    said = [f"<li><strong>{esc(_sentence(warning['text']))}</strong> {esc(', '.join(warning['runs']))}.</li>" for warning in found["warnings"]]
    said += [f"<li>{esc(remark)}</li>" for remark in found["remarks"]]
    return f'<p>Before any figure is quoted:</p><ul class="warnings">{"".join(said)}</ul>' if said else "<p>Nothing was found that speaks against these figures.</p>"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def results(found: Mapping) -> str:
    rows: list[Sequence[str]] = []
    runs = [run for run in found["runs"] if run["accuracy"] is not None]
    for benchmark, group in by_benchmark(runs).items():
        most = min(1.0, max(run["interval"][1] for run in group) * 1.1)
        rows.append([f'{esc(benchmark)} <span class="what">bars from 0 to {percent(most)}</span>'])
        for run in group:
            low, high = run["interval"]
            how = f'<span class="what">{esc(run["engine"])}, {esc(run["mode"]["name"])} prompt; {esc(run["decoding"])}</span>'
            rows.append([
                f"{esc(run['name'])}{how}", interval(run["accuracy"], low, high, most), f"<strong>{percent(run['accuracy'])}</strong>",
                f"{percent(low)} to {percent(high)}", f"{run['correct']:,} of {run['n']:,}", _share(run["cut_off"], run["replies"]),
                _share(run["unparsed"], run["replies"]), number(run["failed"]), f"{run['mean_tokens']:,.0f}", f"{run['seconds']:,.0f}",
            ])  # fmt: skip
    if not rows:
        return ""
    head = ["run", "interval", "right", "95% interval", "of", "cut off", "no answer", "failed", "tokens a reply", "seconds"]
    return (
        "<p>Intervals are Wilson's. A reply that was cut off counts as wrong, whatever number it ends on. "
        "Runs on the same problems overlap in their intervals sooner than they are alike: see the pairs below.</p>"
        + table("Accuracy of each run", head, rows, "runs")
    )


def _share(part: int | None, whole: int) -> str:
    if part is None:
        return ""
    return f'{part:,} <span class="what">{percent(part / whole if whole else 0)}</span>'


def proofs(found: Mapping) -> str:
    parts = []
    for grading in found["gradings"]:
        summary = grading["summary"]
        parts.append(f"<h3>{esc(grading['name'])}: judged by {esc(summary['judge'])}</h3>")
        parts.append(_grades(summary, grading["name"]) if summary["task"] == "grade" else _answers(summary, grading["name"]))
        if calibrated := summary.get("calibration"):
            parts.append(_calibrated(calibrated, summary["control"], grading["name"]))
        unread = summary["unreadable"]
        money = summary["usd"]
        cost = f"up to ${money['at_most']:.2f}" if money["price_known"] else "its price is not known"
        parts.append(
            f"<p>{unread['answers']:,} answers of the judge held no mark that can be read; {unread['read_when_asked_again']:,} grades came when it was "
            f"asked again and {unread['given_up']:,} never. Tokens: {summary['tokens']['input']:,.0f} in, {summary['tokens']['output']:,} out; {cost}.</p>"
        )
        if unread["reasons"]:
            parts.append(table(f"{grading['name']}: why an answer held no mark", ["reason", "answers"], [(esc(why), f"{count:,}") for why, count in unread["reasons"].items()]))
        shown = sorted(grading["proofs"], key=lambda proof: (-_spread(proof), proof["points"] if proof["points"] is not None else -1))[:LISTED]
        graded = "".join(_proof(proof) for proof in shown)
        parts.append(f"<details><summary>Graders' words, most divided first ({len(shown)} of {len(grading['proofs'])})</summary>{graded}</details>")
        if grading["prompt"]["user"]:
            parts.append(
                "<details><summary>What the judge was told, verbatim, of one of them</summary>"
                f"<pre>{esc(grading['prompt']['system'])}</pre><pre>{esc(grading['prompt']['user'])}</pre></details>"
            )
        parts.append(f"<pre>{esc(summary['command'])}</pre>")
    return "".join(parts)


def _spread(proof: dict) -> float:
    marks = [mark for mark in proof["marks"] if isinstance(mark, int)]
    return max(marks) - min(marks) if marks else 0


def _grades(summary: dict, name: str) -> str:
    low, high = summary["bounds"]
    span = summary["interval"]
    rows = [
        ("score, of 7 points a proof (interval: bootstrap over problems)", percent(summary["score"]), "" if span is None else f"{percent(span[0])} to {percent(span[1])}"),
        ("with what is not graded at 0 and at 7", "", f"{percent(low)} to {percent(high)}"),
        (
            "solved (6 points or more by most graders)", f"{summary['solved']:,} of {summary['graded']:,}",
            f"{percent(summary['solved_interval'][0])} to {percent(summary['solved_interval'][1])}",
        ),
        ("proofs; of problems", f"{summary['n']:,}; {summary['problems']:,}", ""),
        ("cut off, or never begun", f"{summary['cut_off']:,}", ""),
        ("not graded", f"{summary['ungraded']:,}", ""),
    ]  # fmt: skip
    if graders := summary["graders"]:
        rows.append(("two graders give the same points", percent(graders["agree"]), f"{graders['mean_difference']:.2f} points apart on average"))
        rows.append(("all graders agree", f"{graders['unanimous']:,} of {graders['n']:,}", f"{graders['split_on_solved']:,} split on whether it is solved"))
    rows += [(f"score of {esc(group)}", percent(part["score"]), f"n = {part['n']:,}") for group, part in summary["by"].items()]
    counts = summary["histogram"]
    whole = sum(counts.values()) or 1
    histogram = [(f"{mark} points", f"{counts.get(str(mark), 0):,}{bar(counts.get(str(mark), 0) / whole)}") for mark in range(MAX_POINTS + 1)]
    return '<div class="grid"><div>' + table(f"{name}: points", ["measure", "figure", "interval"], rows) + "</div><div>" + table(f"{name}: grades given", ["points", "grades"], histogram) + "</div></div>"


def _answers(summary: dict, name: str) -> str:
    low, high = summary["interval"]
    rows = [
        ("right", f"{summary['correct']:,} of {summary['n'] - summary['undecided']:,}", f"{percent(summary['accuracy'])} ({percent(low)} to {percent(high)})"),
        ("found equal by math-verify alone", f"{summary['correct_math_verify']:,}", percent(summary["accuracy_math_verify"])),
        ("put to the judge", f"{summary['asked']:,}", ""),
        ("more by the judge", f"{summary['changed_by_judge']:,}", ""),
        ("undecided", f"{summary['undecided']:,}", f"bounds {percent(summary['bounds'][0])} to {percent(summary['bounds'][1])}"),
    ]
    return table(f"{name}: math-verify first, the judge second", ["measure", "answers", "share"], rows)


def _calibrated(found: dict, control: str | None, name: str) -> str:
    against = {"reference": "reference solutions, 7 points each", "swapped": "proofs of other problems, 0 points each"}.get(control, "grades of people")
    span = found["mean_absolute_error_interval"]
    kappa, kappas = found["quadratic_kappa"], found["quadratic_kappa_interval"]
    rows = [
        ("proofs; of problems", f"{found['n']:,}; {found['problems']:,}", ""),
        ("the same points", percent(found["agree"]), ""),
        ("within one point", percent(found["within_one"]), ""),
        ("the same verdict on solved", percent(found["agree_on_solved"]), f"{found['too_kind']:,} too kind, {found['too_strict']:,} too strict"),
        ("mean absolute error, points", f"{found['mean_absolute_error']:.2f}", "" if span is None else f"{span[0]:.2f} to {span[1]:.2f}"),
        ("judge kinder by, points", f"{found['bias']:+.2f}", ""),
        ("quadratic kappa", "not defined" if kappa is None else f"{kappa:.2f}", "" if kappas is None else f"{kappas[0]:.2f} to {kappas[1]:.2f}"),
    ]
    grid = [(f"{human}", *(f"{count:,}" if count else "·" for count in line)) for human, line in enumerate(found["table"]) if any(line)]
    head = ["known \\ judge", *map(str, range(MAX_POINTS + 1))]
    return f"<p>Measured against {against}:</p>" + '<div class="grid"><div>' + table(f"{name}: agreement of the judge", ["measure", "figure", "interval"], rows) + "</div><div>" + table(f"{name}: known points by the judge's", head, grid) + "</div></div>"


def _proof(proof: dict) -> str:
    marks = ", ".join("none" if mark is None else str(mark) for mark in proof["marks"]) or "not asked"
    human = "" if proof["human"] is None else f"; known: {proof['human']}"
    words = "".join(
        f"<li>Grader {grade['grader'] + 1}: {esc('none, ' + grade['why'] if grade['mark'] is None else grade['mark'])}<pre>{esc(grade['reply'])}</pre></li>"
        for grade in proof["grades"]
    )
    return f'<div class="item"><h4>{esc(proof["id"])} · {esc(proof["state"])}</h4><p class="gold">{esc(marks)}{esc(human)}</p><ul>{words}</ul></div>'


def failures(found: Mapping) -> str:
    items = [item for item in found["items"] if "wrong" in item["flags"]]
    if not items:
        return ""
    counts = count_flags(items)
    shown = "".join(_item(item) for item in items[:LISTED])
    agree = counts["unanimous"]
    said = f"{len(items):,} problems have a wrong reply. " + (
        f"On {agree:,} of them all replies agree on the same wrong answer: either the models share a misreading, or the gold answer is wrong. These stand first."
        if agree
        else ""
    )
    return f"<p>{esc(said)}</p>{shown}" + ('<p>The rest is in <a href="#items">Items</a>.</p>' if len(items) > LISTED else "")


def _item(item: dict) -> str:
    boxes = ""
    for run in item["runs"]:
        for reply in run["replies"]:
            kind = "right" if reply["right"] else "wrong"
            facts = [f"answer {reply['answer']}" if reply["answer"] is not None else "no answer", f"{reply['tokens']:,} tokens", reply["error"] or ""]
            facts.append(f"step {reply['wrong_step']} does not add up" if reply["wrong_step"] is not None else "")
            of = f" · reply {reply['sample'] + 1}" if len(run["replies"]) > 1 else ""
            boxes += (
                f'<div class="reply"><h4>{esc(run["run"] + of)}</h4><p class="facts"><span class="badge {kind}">{kind}</span> '
                f'{esc(" · ".join(fact for fact in facts if fact))}</p><details><summary>Reply</summary><pre dir="auto">{esc(reply["reply"] or "(nothing)")}</pre></details></div>'
            )
    note = f"<p>All {sum(len(run['replies']) for run in item['runs'])} replies give the same wrong answer.</p>" if "unanimous" in item["flags"] else ""
    return (
        f'<article class="item wrong"><h3>{esc(item["benchmark"])} · {esc(item["id"])}</h3><p class="question" dir="auto">{esc(item["question"])}</p>'
        f'<p class="gold">Gold answer: {esc(item["gold"])}</p>{note}<div class="replies">{boxes}</div></article>'
    )


def pairs(found: Mapping) -> str:
    if not found["pairs"]:
        return ""
    rows: list[Sequence[str]] = []
    for benchmark, group in by_benchmark(found["pairs"]).items():
        most = max(max(abs(bound) for bound in pair["interval"]) for pair in group) or 1.0
        rows.append([f'{esc(benchmark)} <span class="what">bars from {points(-most)} to {points(most)} points</span>'])
        rows += [
            [
                f'{esc(pair["b_name"])}<span class="what">against {esc(pair["a_name"])}</span>', difference(pair["difference"], *pair["interval"], most),
                f"<strong>{points(pair['difference'])}</strong>", f"{points(pair['interval'][0])} to {points(pair['interval'][1])}", f"{pair['p']:.2g}",
                number(pair["fixed"]), number(pair["broken"]), number(pair["both_right"]), number(pair["both_wrong"]), esc(", ".join(pair["differs_in"]) or "nothing"),
            ]
            for pair in group
        ]  # fmt: skip
    head = ["run", "interval", "difference, points", "95% interval", "p", "fixed", "broken", "both right", "both wrong", "they differ in"]
    parts = [
        "<p>On the same problems, one by one. p is of McNemar's exact test on the problems that only one of the two solves; the interval is Bonett and "
        f"Price's for paired shares. Comparisons made: {len(found['pairs'])}; p is not adjusted for their number.</p>",
        table("Each run against the first of its benchmark", head, rows, "runs"),
    ]
    for pair in found["pairs"]:
        parts.append(f"<h3>{esc(pair['a_name'])} (A) and {esc(pair['b_name'])} (B)</h3><p>{esc(pair['verdict'])}</p>")
        parts.append(curves(
            f"Right within so many tokens, {pair['benchmark']}",
            [(f"{side.upper()}: {pair[f'{side}_name']}", [(p["tokens"], p["accuracy"]) for p in pair[side]["budgets"]]) for side in "ab"], "tokens a reply",
        ))  # fmt: skip
        for kind, says in (("broken", "right in A, wrong in B"), ("fixed", "wrong in A, right in B")):
            items = pair[f"{kind}_items"]
            if not items:
                continue
            lines = [
                [esc(item["id"]), esc(item["gold"]), esc(" / ".join(item["answers"])), esc(item["error"]), _parted(item["parted"])] for item in items[:LISTED]
            ]
            parts.append(
                f"<details><summary>{kind.capitalize()}: {says} ({min(LISTED, len(items))} of {len(items):,})</summary>"
                + table(f"{kind.capitalize()} by {pair['b_name']} against {pair['a_name']}", ["problem", "gold", "answers A / B", "the wrong one", "where they part"], lines, figures=False)
                + "</details>"
            )
    return "".join(parts)


def _parted(parted: dict | None) -> str:
    if parted is None:
        return "same reply"
    return f'step {parted["step"]}<span class="what">A: {esc(parted["a"])}</span><span class="what">B: {esc(parted["b"])}</span>'


def tokens(found: Mapping) -> str:
    parts = []
    for benchmark, group in by_benchmark([run for run in found["runs"] if run["budgets"]]).items():
        for start in range(0, len(group), MOST):
            series = [(run["name"], [(p["tokens"], p["accuracy"]) for p in run["budgets"]]) for run in group[start : start + MOST]]
            parts.append(curves(f"{benchmark}: right if every longer reply were cut off", series, "tokens a reply"))
        points_ = sorted({p["tokens"] for run in group for p in run["budgets"]})
        rows = [[esc(run["name"]), *(percent(max((p["accuracy"] for p in run["budgets"] if p["tokens"] <= t), default=0.0)) for t in points_)] for run in group]
        parts.append(f"<details><summary>{esc(benchmark)}: figures</summary>{table(f'{benchmark} within so many tokens', ['run', *(f'{t:,}' for t in points_)], rows)}</details>")
    return "".join(parts)


def errors(found: Mapping) -> str:
    runs = [run for run in found["runs"] if run["errors"]]
    if not runs:
        return ""
    rows = []
    for benchmark, group in by_benchmark(runs).items():
        rows.append([esc(benchmark)])
        for run in group:
            whole = sum(run["errors"].values()) or 1
            cells = [f"{run['errors'].get(kind, 0):,}{bar(run['errors'].get(kind, 0) / whole)}" for kind in KINDS_OF_ERROR]
            rows.append([esc(run["name"]), *cells, f"{sum(run['errors'].values()):,}"])
    return (
        "<p>Each wrong reply is of the first kind that fits. “Missing step”: every sum in it holds, and it has fewer steps than the gold solution. "
        "“Reading”: every sum holds and none is missing by that count, so the problem was misread. Bars are shares of the run's wrong replies.</p>"
        + table("Kinds of error", ["run", *KINDS_OF_ERROR, "all wrong"], rows)
    )


def agreement(found: Mapping) -> str:
    runs = [run for run in found["runs"] if run["agreement"]]
    if not runs:
        return ""
    parts = ["<p>Where more of a run's own replies agree, its majority should be right more often. A flat line says that agreement tells nothing.</p>"]
    for benchmark, group in by_benchmark(runs).items():
        series = [(run["name"], sorted((a["agree"], a["accuracy"]) for a in run["agreement"])) for run in group]
        parts.append(curves(f"{benchmark}: right by how many replies agree", series[:MOST], "replies that agree", 1.0, log=False))
        for run in group:
            rows = [
                (f"{a['agree']} of {run['samples']}", f"{a['n']:,}", percent(a["accuracy"]), f"{percent(a['interval'][0])} to {percent(a['interval'][1])}")
                for a in run["agreement"]
            ]
            single = f"Single replies: {percent(run['sample_accuracy'])} right." if run["sample_accuracy"] is not None else ""
            parts.append(table(f"{run['name']}: by agreement", ["replies that agree", "problems", "right", "95% interval"], rows) + f"<p>{single}</p>")
    return "".join(parts)


def breakdown(found: Mapping) -> str:
    parts = []
    for cut, title in (("steps", "steps of the gold solution"), ("topic", "topic"), ("answer", "size of the answer")):
        for benchmark, group in by_benchmark([run for run in found["runs"] if run["by"].get(cut)]).items():
            values = list(dict.fromkeys(value for run in group for value in run["by"][cut]))
            rows = []
            for value in values:
                cells = []
                for run in group:
                    part = run["by"][cut].get(value)
                    cells.append("" if part is None else f'{percent(part["accuracy"])} <span class="what">{percent(part["interval"][0])} to {percent(part["interval"][1])}</span>')
                count = next(run["by"][cut][value]["n"] for run in group if value in run["by"][cut])
                rows.append([esc(value), f"{count:,}", *cells])
            caption = f"{benchmark}, by {title}"
            parts.append(f"<details><summary>{esc(caption)}</summary>{table(caption, [title, 'n', *(run['name'] for run in group)], rows)}</details>")
    return "".join(parts)


def readings(found: Mapping) -> str:
    runs = [run for run in found["runs"] if run["accuracy"] is not None and run["strict"] is not None]
    if not runs:
        return ""
    rows = []
    for run in runs:
        other = "not on record" if run["math_verify"] is None else f"{run['math_verify']:,}"
        parted = "" if run["disagreements"] is None else f"{run['disagreements']:,}"
        rows.append([f'{esc(run["name"])}<span class="what">{esc(run["benchmark"])}, {run["replies"]:,} replies</span>', number(run["correct"]), other, parted, number(run["strict"])])
    parts = [
        "<p>The same replies under three readings. Ours compares exact numbers; math-verify is a library that was told nothing of ours; strict takes only "
        "“#### N”, which a model that was never told to write it never does. Where the first two part, somebody reads wrongly.</p>",
        table("Right by reading", ["run", "ours", "math-verify", "they disagree on", "strict"], rows),
    ]
    for run in runs:
        if not run["disagreeing"]:
            continue
        lines = [
            [
                esc(item["id"]), esc(item["gold"]), f'{esc(item["answer"])}<span class="what">{"right" if item["robust"] else "wrong"}, by rule “{esc(item["rule"])}”</span>',
                "nothing" if item["math_verify"] is None else "right" if item["math_verify"] else "wrong", f'<span class="what">{esc(item["end"])}</span>',
            ]
            for item in run["disagreeing"][: 4 * LISTED]
        ]  # fmt: skip
        parts.append(
            f"<details><summary>{esc(run['name'])}: {len(lines)} of {len(run['disagreeing']):,} disagreements</summary>"
            + table(f"Disagreements in {run['name']}", ["problem", "gold", "we read", "math-verify says", "end of the reply"], lines, figures=False)
            + "</details>"
        )
    return "".join(parts)


def browser(found: Mapping) -> str:
    items = found["items"]
    if not items:
        return ""
    counts, names = count_flags(items), list(dict.fromkeys(run["run"] for item in items for run in item["runs"]))
    several = any(len(item["runs"]) > 1 for item in items)
    shows = {key: f"{said} ({counts[key]:,})" if key in counts else said for key, said in SHOWS.items() if key in counts or key == "all" or (several and key in ("fixed", "broken"))}
    data = json.dumps({"items": items, "runs": names}, ensure_ascii=False, separators=(",", ":"))
    # Inside a script nothing may look like its end, or like a line's end to an old parser.
    data = re.sub("[<>&\u2028\u2029]", lambda c: f"\\u{ord(c[0]):04x}", data)
    return (
        f'<div id="browser" hidden><div class="filters">'
        f'<label>Show {_select("show", shows)}</label>'
        f'<label>Benchmark {_select("benchmark", {"": "all"} | {name: name for name in dict.fromkeys(item["benchmark"] for item in items)})}</label>'
        f'<label>Kind of error {_select("error", {"": "any"} | {kind: kind for kind in KINDS_OF_ERROR})}</label>'
        f'<span id="pair" hidden class="filters"><label>A {_select("run-a", {name: name for name in names})}</label>'
        f'<label>B {_select("run-b", {name: name for name in names})}</label></span>'
        '<label class="search">Search in problem, answer and replies <input id="search" type="search" autocomplete="off"></label></div>'
        '<div class="pager"><p id="count" role="status" aria-live="polite"></p><button id="before" type="button">Previous page</button>'
        '<button id="after" type="button">Next page</button></div><div id="list"></div></div>'
        "<noscript><p>The browser of items needs its script; the worst items stand under Failures.</p></noscript>"
        f'<script type="application/json" id="data">{data}</script>'
    )


def _select(id: str, options: Mapping[str, str]) -> str:
    return f'<select id="{id}">' + "".join(f'<option value="{esc(value)}">{esc(said)}</option>' for value, said in options.items()) + "</select>"


def prompts(found: Mapping) -> str:
    parts, seen = [], defaultdict(list)
    for run in found["runs"]:
        seen[json.dumps(run["mode"], sort_keys=True, ensure_ascii=False)].append(run)
    for runs in seen.values():
        mode = runs[0]["mode"]
        parts.append(f"<h3>{esc(mode['name'])}</h3><p>Used by {esc(', '.join(run['name'] for run in runs))}.</p>")
        if len(mode) > 1:
            told = {key: value for key, value in mode.items() if key not in ("name", "shown")}
            parts.append(table(f"Prompt mode {mode['name']}", ["setting", "value"], [(esc(key), f"<pre>{esc(value)}</pre>") for key, value in told.items()], figures=False))
        example = next((run for run in runs if run["prompt"]), None)
        if example:
            parts.append(f"<p>All that {esc(example['engine'])} was given for {esc(example['prompt_id'])}, verbatim:</p><pre>{esc(example['prompt'])}</pre>")
        else:
            parts.append("<p>No prompt was kept with these records.</p>")
    return "".join(parts)


def repeat(found: Mapping) -> str:
    parts = []
    for run in found["runs"]:
        data = run["data"]
        origin = ", ".join(f"{key} {value}" for key, value in data.items()) if data else "not on record"
        rows = [("engine", esc(run["engine"])), ("weights", f"<code>{esc(run['revision'] or 'not told')}</code>"), ("benchmark", esc(run["benchmark"])),
                ("problems, SHA-256", f"<code>{esc(run['problems'])}</code>"), ("data", esc(origin)), ("decoding", esc(run["decoding"]))]  # fmt: skip
        command = f"<pre>{esc(run['command'])}</pre>" if run["command"] else "<p>The command is not on record.</p>"
        parts.append(f"<details><summary>{esc(run['name'])}</summary>{command}{table('Identity of ' + run['name'], ['what', 'value'], rows, figures=False)}</details>")
    return "".join(parts)


SECTIONS: dict[str, Callable[[Mapping], str]] = {
    "Read this first": warnings,
    "Results": results,
    "Failures": failures,
    "Proofs and judges": proofs,
    "Run against run": pairs,
    "Items": browser,
    "Why replies are wrong": errors,
    "Readings": readings,
    "Agreement": agreement,
    "Tokens": tokens,
    "Where": breakdown,
    "Prompts": prompts,
    "Make it again": repeat,
}


def key_figures(found: Mapping) -> list[tuple[str, str]]:
    runs = found["runs"]
    figures = [("runs", f"{len(runs):,}"), ("benchmarks", f"{len({run['benchmark'] for run in runs}):,}"), ("replies", f"{sum(run['replies'] for run in runs):,}")]
    cut, replies = sum(run["cut_off"] for run in runs), sum(run["replies"] for run in runs)
    figures += [("cut off", percent(cut / replies) if replies else "0%"), ("no answer", percent(sum(run["unparsed"] for run in runs) / replies) if replies else "0%")]
    figures += [("warnings", f"{len(found['warnings']):,}")]
    return figures if runs else [("gradings", f"{len(found['gradings']):,}"), figures[-1]]


def page(found: Mapping, title: str = "Evaluation") -> str:
    """The whole page."""
    parts = {name: body for name, section in SECTIONS.items() if (body := section(found))}
    links = "".join(f'<li><a href="#{slug(name)}">{name}</a></li>' for name in parts)
    body = "".join(
        f'<section id="{slug(name)}" aria-labelledby="{slug(name)}-title">\n<h2 id="{slug(name)}-title">{name}</h2>\n{part}</section>\n' for name, part in parts.items()
    )
    figures = "".join(f"<div><dt>{esc(what)}</dt><dd>{esc(value)}</dd></div>" for what, value in key_figures(found))
    style = (ASSETS / "report.css").read_text(encoding="utf-8") + (ASSETS / "eval-report.css").read_text(encoding="utf-8")
    script = (ASSETS / "eval-report.js").read_text(encoding="utf-8") if "Items" in parts else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; style-src 'unsafe-inline'" + (f"; script-src 'sha256-{digest}'" if script else "")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{esc(title)}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the figures</a>
<header>
<h1>{esc(title)}</h1>
<p>What was measured, how, and what speaks against it.</p>
<dl class="figures">{figures}</dl>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{body}</main>
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")
