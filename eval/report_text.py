"""The same report as Markdown: for a model card, a pull request, a terminal. Its texts cannot break out of their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from eval.report_html import LISTED, by_benchmark, percent, points, tokens_of
from eval.report_located import how
from eval.report_pairs import p_of
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
        head = ["benchmark", "run", "model, prompt, decoding", "n", "right", "accuracy", "95% interval", "cut off", "no answer", "failed", "strict", "math-verify", "tokens a reply"]
        rows = [
            (
                benchmark, run["name"], f"{run['engine']}; {run['mode']['name']}; {run['decoding']}", f"{run['n']:,}", f"{run['correct']:,}", percent(run["accuracy"]),
                f"{percent(run['interval'][0])} to {percent(run['interval'][1])}", f"{run['cut_off']:,} ({percent(run['cut_off'] / (run['replies'] or 1))})",
                f"{run['unparsed']:,} ({percent(run['unparsed'] / (run['replies'] or 1))})", run["failed"], _of(run["strict"], run) if run["kind"] == "number" else "reads no expressions",
                "decides" if run["kind"] != "number" else "not on record" if run["math_verify"] is None else f"{_of(run['math_verify'], run)}, {run['disagreements'] or 0:,} disagree", tokens_of(run),
            )
            for benchmark, group in by_benchmark(runs).items() for run in group
        ]  # fmt: skip
        parts += ["## Results", table(head, rows)]
    parts += _gradings(found)
    if found["pairs"]:
        head = ["benchmark", "A", "B", "B - A, points", "95% interval", "p (McNemar, exact)", "fixed", "broken", "they differ in"]
        rows = [
            (
                pair["benchmark"], pair["a_name"], pair["b_name"], points(pair["difference"]), f"{points(pair['interval'][0])} to {points(pair['interval'][1])}",
                p_of(pair), pair["fixed"], pair["broken"], ", ".join(pair["differs_in"]) or "nothing",
            )
            for pair in found["pairs"]
        ]  # fmt: skip
        parts += ["## Run against run", f"Comparisons made: {len(rows)}; p is not adjusted for their number.", table(head, rows)]
    if found["noise"]:
        head = ["benchmark", "the same run twice", "batch sizes", "replies that differ", "verdicts that flip", "what it means"]
        rows = [
            (
                one["benchmark"], f"{one['a_name']}, {one['b_name']}", " / ".join("?" if size is None else str(size) for size in one["batch_sizes"]),
                f"{one['n'] - one['same_replies']:,} of {one['n']:,}", one["flips"], one["means"],
            )
            for one in found["noise"]
        ]  # fmt: skip
        parts += ["## Noise", table(head, rows)]
    if located := [one for one in found["located"] if one["figures"]]:
        head = ["run", "work", "measure", "share", "95% interval", "of"]
        rows = [
            (
                one["name"], f"{one['title'] or one['data']}; {how(one)}", figure["what"], percent(figure["rate"]),
                f"{percent(figure['interval'][0])} to {percent(figure['interval'][1])}", f"{figure['correct']:,} of {one['n']:,}",
            )
            for one in located for figure in one["figures"]
        ]  # fmt: skip
        parts += ["## First wrong lines", table(head, rows)]
    parts += _failures(found) + _disagreements(found) + _prompts(found)
    commands = [run["command"] for run in found["runs"] + found["located"] if run["command"]] + [grading["summary"]["command"] for grading in found["gradings"]]
    if commands:
        parts += ["## Make it again", fence("\n".join(commands))]
    return "\n\n".join(parts) + "\n"


def _of(count: int | None, run: Mapping) -> str:
    """A count of replies; of how many, where there are more of them than problems."""
    return "" if count is None else f"{count:,}" + (f" of {run['replies']:,} replies" if run["replies"] > run["n"] else "")


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
    wrong = [item for item in found["items"] if "wrong" in item["flags"]]
    if not wrong:
        return []
    parts = [
        "## Failures",
        f"{min(LISTED, len(wrong))} of {len(wrong):,}, wrong though all replies agree first. The kind of error is counted, not read: \"missing step\" where every sum holds "
        "and there are fewer than in the gold solution, \"reading\" where every sum holds and none is missing by that count.",
    ]
    for item in wrong[:LISTED]:
        answers = ", ".join(
            f"{run['run']}: {reply['answer'] if reply['answer'] is not None else 'none'} ({'right' if reply['right'] else reply['error']})"
            for run in item["runs"] for reply in run["replies"]
        )  # fmt: skip
        parts.append(f"**{cell(item['benchmark'])}, {cell(item['id'])}**. {cell(item['question'] or '(the record does not hold the question)')} Gold: {cell(item['gold'])}. {cell(answers)}.")
    return parts


def _disagreements(found: Mapping) -> list[str]:
    rows = [
        (run["name"], item["id"], item["gold"], item["answer"], "right" if item["robust"] else "wrong", {True: "right", False: "wrong", None: "nothing"}[item["math_verify"]])
        for run in found["runs"] for item in run["disagreeing"]
    ]  # fmt: skip
    if not rows:
        return []
    return [f"## Readings that disagree ({len(rows[:4 * LISTED])} of {len(rows):,})", table(["run", "problem", "gold", "we read", "we say", "math-verify says"], rows[: 4 * LISTED])]


def given(run: Mapping) -> str:
    """What the prompt on record is: a local model was given just that, a server the turns, which its own template lays out."""
    if not run["is_served"]:
        return f"All that {run['engine']} was given for {run['prompt_id']}, verbatim"
    thinking = {True: ", asked to think", False: ", asked not to think"}.get(run["sampling"].get("thinking"), "")
    return f"What {run['engine']} was sent for {run['prompt_id']}{thinking}, laid out as ChatML by us: the server's own template, which no record knows, lays out the same turns"


def _prompts(found: Mapping) -> list[str]:
    parts, seen = [], set()
    for run in found["runs"]:
        # Two files of one name may hold two prompts.
        key = (json.dumps(run["mode"], sort_keys=True, ensure_ascii=False), run["engine"], run["sampling"].get("thinking"))
        if key in seen or not run["prompt"]:
            continue
        seen.add(key)
        parts += [f"### {cell(run['mode']['name'])}, {cell(run['engine'])}, for {cell(run['prompt_id'])}", f"{cell(given(run))}:", fence(run["prompt"])]
    return ["## Prompts, verbatim", *parts] if parts else []
