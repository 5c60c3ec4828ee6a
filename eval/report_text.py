"""The same report as Markdown: for a model card, a pull request, a terminal. Its texts cannot break out of their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from eval.report_page import LISTED, by_benchmark, percent, points
from eval.visible import mark

# What Markdown reads as a mark, and what GitHub makes a link or the name of a person of
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|#~$!&@]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def cell(text: object) -> str:
    """Text for one cell of a table, or one line: no markup, no entity, no link, and nothing that cannot be seen."""
    return _MARKUP.sub(lambda found: "\\" + found[0], mark(" ".join(str(text).split())))


def fence(text: str) -> str:
    """A block of text as it is: its fence is longer than any run of backticks in it."""
    text = mark(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{text}\n{ticks}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(cell(value) for value in row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def markdown(found: Mapping, title: str = "Evaluation") -> str:
    """The whole text."""
    parts = [f"# {cell(title)}", "## Read this first", _warnings(found)]
    runs = [run for run in found["runs"] if run["accuracy"] is not None]
    if runs:
        head = ["benchmark", "run", "mode", "n", "right", "accuracy", "95% interval", "cut off", "no answer", "failed", "strict", "math-verify", "tokens a reply"]
        rows = [
            (
                benchmark, run["name"], run["mode"]["name"], f"{run['n']:,}", f"{run['correct']:,}", percent(run["accuracy"]),
                f"{percent(run['interval'][0])} to {percent(run['interval'][1])}", f"{run['cut_off']:,} ({percent(run['cut_off'] / run['replies'])})",
                f"{run['unparsed']:,} ({percent(run['unparsed'] / run['replies'])})", run["failed"], run["strict"],
                "not on record" if run["math_verify"] is None else f"{run['math_verify']:,}, {run['disagreements'] or 0:,} disagree", f"{run['mean_tokens']:,.0f}",
            )
            for benchmark, group in by_benchmark(runs).items() for run in group
        ]  # fmt: skip
        parts += ["## Results", table(head, rows)]
    parts += _gradings(found)
    if found["pairs"]:
        head = ["benchmark", "A", "B", "B - A, points", "95% interval", "p (McNemar, exact)", "fixed", "broken"]
        rows = [
            (
                pair["benchmark"], pair["a_name"], pair["b_name"], points(pair["difference"]), f"{points(pair['interval'][0])} to {points(pair['interval'][1])}",
                f"{pair['p']:.2g}", pair["fixed"], pair["broken"],
            )
            for pair in found["pairs"]
        ]  # fmt: skip
        parts += ["## Run against run", table(head, rows)]
    parts += _failures(found) + _disagreements(found) + _prompts(found)
    commands = [run["command"] for run in found["runs"] if run["command"]] + [grading["summary"]["command"] for grading in found["gradings"]]
    if commands:
        parts += ["## Make it again", fence("\n".join(commands))]
    return "\n\n".join(parts) + "\n"


def _warnings(found: Mapping) -> str:
    lines = [f"- **{cell(warning['text'])}**: {cell(', '.join(warning['runs']))}." for warning in found["warnings"]]
    return "\n".join(lines + [f"- {cell(remark)}" for remark in found["remarks"]]) or "Nothing was found that speaks against these figures."


def _gradings(found: Mapping) -> list[str]:
    parts = []
    for grading in found["gradings"]:
        summary = grading["summary"]
        parts.append(f"## {cell(grading['name'])}: judged by {cell(summary['judge'])}")
        if summary["task"] == "grade":
            span, bounds = summary["interval"], summary["bounds"]
            rows = [
                ("score, of 7 points a proof", percent(summary["score"]), "" if span is None else f"{percent(span[0])} to {percent(span[1])}"),
                ("solved", f"{summary['solved']} of {summary['graded']}", f"{percent(summary['solved_interval'][0])} to {percent(summary['solved_interval'][1])}"),
                ("not graded", summary["ungraded"], f"score between {percent(bounds[0])} and {percent(bounds[1])}"),
            ]
        else:
            rows = [
                ("right", f"{summary['correct']} of {summary['n'] - summary['undecided']}", f"{percent(summary['interval'][0])} to {percent(summary['interval'][1])}"),
                ("right by math-verify alone", summary["correct_math_verify"], percent(summary["accuracy_math_verify"])),
                ("undecided", summary["undecided"], f"accuracy between {percent(summary['bounds'][0])} and {percent(summary['bounds'][1])}"),
            ]
        if known := summary.get("calibration"):
            kappa = known["quadratic_kappa"]
            rows.append(("against known grades: same points", percent(known["agree"]), f"n = {known['n']}"))
            rows.append(("mean absolute error, quadratic kappa", f"{known['mean_absolute_error']:.2f}", "not defined" if kappa is None else f"{kappa:.2f}"))
        parts.append(table(["measure", "figure", "interval"], rows))
    return parts


def _failures(found: Mapping) -> list[str]:
    wrong = [item for item in found["items"] if "wrong" in item["flags"]][:LISTED]
    if not wrong:
        return []
    parts = ["## Failures", "Wrong though all replies agree first."]
    for item in wrong:
        answers = ", ".join(
            f"{run['run']}: {reply['answer'] if reply['answer'] is not None else 'none'} ({'right' if reply['right'] else reply['error']})"
            for run in item["runs"] for reply in run["replies"]
        )  # fmt: skip
        parts.append(f"**{cell(item['benchmark'])}, {cell(item['id'])}**. {cell(item['question'])} Gold: {cell(item['gold'])}. {cell(answers)}.")
    return parts


def _disagreements(found: Mapping) -> list[str]:
    rows = [
        (run["name"], item["id"], item["gold"], item["answer"], "right" if item["robust"] else "wrong", {True: "right", False: "wrong", None: "nothing"}[item["math_verify"]])
        for run in found["runs"] for item in run["disagreeing"]
    ]  # fmt: skip
    if not rows:
        return []
    return [f"## Readings that disagree ({len(rows[:4 * LISTED])} of {len(rows):,})", table(["run", "problem", "gold", "we read", "we say", "math-verify says"], rows[: 4 * LISTED])]


def _prompts(found: Mapping) -> list[str]:
    parts, seen = [], set()
    for run in found["runs"]:
        key = (run["mode"]["name"], run["engine"])
        if key in seen or not run["prompt"]:
            continue
        seen.add(key)
        parts += [f"### {cell(run['mode']['name'])}, {cell(run['engine'])}, for {cell(run['prompt_id'])}", fence(run["prompt"])]
    return ["## Prompts, verbatim", *parts] if parts else []
