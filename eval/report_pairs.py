"""The sections of a report that set run against run, problem by problem: two models, or the same one made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eval.charts import curves, difference, esc
from eval.report_html import LISTED, by_benchmark, number, percent, points, table


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
                f"<strong>{points(pair['difference'])}</strong>", f"{points(pair['interval'][0])} to {points(pair['interval'][1])}", p_of(pair),
                number(pair["fixed"]), number(pair["broken"]), number(pair["both_right"]), number(pair["both_wrong"]), esc(", ".join(pair["differs_in"]) or "nothing"),
            ]
            for pair in group
        ]  # fmt: skip
    head = ["run", "interval", "difference, points", "95% interval", "p", "fixed", "broken", "both right", "both wrong", "they differ in"]
    parts = [
        "<p>On the same problems, one by one. p is of McNemar's exact test on the problems that only one of the two solves, in brackets of the sign test "
        f"over templates where problems are made from fewer of them; the interval is Bonett and Price's for paired shares. Comparisons made: {len(found['pairs'])}; p is not adjusted for their number. The curves by tokens are of single replies.</p>",
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


def p_of(pair: Mapping) -> str:
    """The p of McNemar's test, and that of the templates where problems are made from fewer of them."""
    return f"{pair['p']:.2g}" + (f" (templates: {pair['templates']['p']:.2g})" if pair["templates"] else "")


def _parted(parted: dict | None) -> str:
    if parted is None:
        return "same reply"
    return f'step {parted["step"]}<span class="what">A: {esc(parted["a"])}</span><span class="what">B: {esc(parted["b"])}</span>'


def noise(found: Mapping) -> str:
    """What changes when nothing was changed: the measure of all differences above."""
    if not found["noise"]:
        return ""
    rows = [
        [
            f'{esc(one["b_name"])}<span class="what">and {esc(one["a_name"])}, {esc(one["benchmark"])}</span>', esc(" / ".join("?" if size is None else str(size) for size in one["batch_sizes"])),
            f"{one['n'] - one['same_replies']:,} of {one['n']:,}", f"{one['flips']:,}", f"{percent(one['interval'][0])} to {percent(one['interval'][1])}",
            "none seen" if one["floor"] is None else f"{100 * one['floor']:.2f}",
        ]
        for one in found["noise"]
    ]  # fmt: skip
    head = ["the same run twice", "batch sizes", "replies that differ", "verdicts that flip", "95% interval of flips", "floor, points"]
    said = "".join(f"<p>{esc(one['b_name'])}: {esc(one['means'])}</p>" for one in found["noise"])
    return "<p>The same model, prompt and decoding, made twice. A difference between two models that is no larger than the floor means nothing.</p>" + table("The same run twice", head, rows) + said
