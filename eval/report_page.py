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
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eval.charts import MOST, bar, curves, esc, interval
from eval.metrics import KINDS_OF_ERROR
from eval.report_html import LISTED, by_benchmark, number, percent, share_of, table, tokens_of
from eval.report_items import count_flags
from eval.report_located import located
from eval.report_pairs import noise, pairs
from eval.report_proofs import proofs
from eval.report_text import given

ASSETS = Path(__file__).resolve().parents[1] / "assets"
# What a run may change, so that its own figures stand with its decoding
SETTINGS = {key: f"{key}, unless the command says otherwise" for key in ("max_tokens", "sampling", "thinking")}
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
                f"{percent(low)} to {percent(high)}", f"{run['correct']:,} of {run['n']:,}", share_of(run["cut_off"], run["replies"]),
                share_of(run["unparsed"], run["replies"]), number(run["failed"]), tokens_of(run), f"{run['seconds']:,.0f}",
            ])  # fmt: skip
    if not rows:
        return ""
    head = ["run", "interval", "right", "95% interval", "of", "cut off", "no answer", "failed", "tokens a reply", "seconds"]
    return (
        "<p>Intervals are Wilson's. A reply that was cut off counts as wrong, whatever number it ends on. "
        "Runs on the same problems overlap in their intervals sooner than they are alike: see the pairs below. "
        "Seconds are those of whatever machine a run met, with whatever else ran there: they measure no model.</p>"
        + table("Accuracy of each run", head, rows, "runs")
    )


def failures(found: Mapping) -> str:
    items = [item for item in found["items"] if "wrong" in item["flags"]]
    if not items:
        return ""
    counts = count_flags(items)
    shown = "".join(_item(item) for item in items[:LISTED])
    agree = counts["unanimous"]
    said = f"{len(items):,} problems have a wrong answer in some run. " + (
        f"On {agree:,} of them all replies, of several models or of several tries, agree on the same wrong answer: either they share a misreading, or the gold answer is wrong. These stand first."
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
        f'<article class="item wrong"><h3>{esc(item["benchmark"])} · {esc(item["id"])}</h3><p class="question" dir="auto">{esc(item["question"] or "(the record does not hold the question)")}</p>'
        f'<p class="gold">Gold answer: {esc(item["gold"])}</p>{note}<div class="replies">{boxes}</div></article>'
    )


def tokens(found: Mapping) -> str:
    parts = ["<p>Of single replies, also where several of them vote on one answer.</p>"] if any(run["budgets"] and run["samples"] > 1 for run in found["runs"]) else []
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
            single = f"Single replies: {run['right_replies']:,} of {run['replies']:,} right, {percent(run['sample_accuracy'])}." if run["sample_accuracy"] is not None else ""
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
    # Where answers are expressions math-verify is the verdict, and the other two read none.
    runs = [run for run in found["runs"] if run["accuracy"] is not None and run["strict"] is not None and run["kind"] == "number"]
    if not runs:
        return ""
    rows = []
    for run in runs:
        other = "not on record" if run["math_verify"] is None else f"{run['math_verify']:,}"
        parted = "" if run["disagreements"] is None else f"{run['disagreements']:,}"
        rows.append([f'{esc(run["name"])}<span class="what">{esc(run["benchmark"])}, {run["replies"]:,} replies</span>', number(run["right_replies"]), other, parted, number(run["strict"])])
    parts = [
        "<p>The same replies under three readings. Ours compares exact numbers; math-verify is a library that reads reply and gold answer by itself; strict takes only "
        "“#### N”, which a model that was never told to write it never does. Where the first two part, somebody reads wrongly.</p>",
        table("Right replies by reading", ["run", "ours", "math-verify", "they disagree on", "strict"], rows),
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
    said_of = SHOWS | ({"wrong": "wrong in some run", "right": "right in every run"} if several else {})
    kinds = Counter(kind for item in items for kind in {reply["error"] for run in item["runs"] for reply in run["replies"]})
    shows = {key: f"{said} ({counts[key]:,})" if key in counts else said for key, said in said_of.items() if key in counts or key == "all" or (several and key in ("fixed", "broken"))}
    data = json.dumps({"items": items, "runs": names}, ensure_ascii=False, separators=(",", ":"))
    # Inside a script nothing may look like its end, or like a line's end to an old parser.
    data = re.sub("[<>&\u2028\u2029]", lambda c: f"\\u{ord(c[0]):04x}", data)
    return (
        f'<div id="browser" hidden><div class="filters">'
        f'<label>Show {_select("show", shows)}</label>'
        f'<label>Benchmark {_select("benchmark", {"": "all"} | {name: name for name in dict.fromkeys(item["benchmark"] for item in items)})}</label>'
        f'<label>Kind of error {_select("error", {"": "any"} | {kind: f"{kind} ({kinds[kind]:,})" for kind in KINDS_OF_ERROR if kinds[kind]})}</label>'
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
        examples = {(run["engine"], run["sampling"].get("thinking")): run for run in reversed(runs) if run["prompt"]}
        if len(mode) > 1:
            told = {key: value for key, value in mode.items() if key != "name" and not (key == "shown" and examples)}  # the prompts below show them
            parts.append(table(f"Prompt mode {mode['name']}", ["setting", "value"], [(esc(SETTINGS.get(key, key)), f"<pre>{esc(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}</pre>") for key, value in told.items()], figures=False))
        for example in reversed(examples.values()):
            parts.append(f"<p>{esc(given(example))}:</p><pre>{esc(example['prompt'])}</pre>")
        if not examples:
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
    "Noise": noise,
    "First wrong lines": located,
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
    if runs:
        return figures
    others = [("gradings", len(found["gradings"])), ("sets of students' work", len(found["located"]))]
    return [(what, f"{count:,}") for what, count in others if count] + figures[-1:]


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
