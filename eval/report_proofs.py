"""The section of a report on proofs and their judges."""

from __future__ import annotations

from collections.abc import Mapping

from eval.charts import bar, esc
from eval.proofs.marks import MAX_POINTS
from eval.report_html import LISTED, percent, table


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
