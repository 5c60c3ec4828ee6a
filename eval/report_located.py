"""The section of a report on `eval.locate`: is the first wrong line of a student's work found, and is right work left alone?"""

from __future__ import annotations

from collections.abc import Mapping

from eval.charts import esc, interval
from eval.intervals import wilson
from eval.report_html import percent, table


def located(found: Mapping) -> str:
    runs = [one for one in found["located"] if one["figures"]]
    if not runs:
        return ""
    rows = [
        [
            f'{esc(one["name"])}<span class="what">{esc(one["title"] or one["data"])}; {esc(how(one))}</span>', esc(figure["what"]), interval(figure["rate"], *figure["interval"], 1.0),
            f"<strong>{percent(figure['rate'])}</strong>", f"{percent(figure['interval'][0])} to {percent(figure['interval'][1])}", f"{figure['correct']:,} of {one['n']:,}",
        ]
        for one in runs for figure in one["figures"]
    ]  # fmt: skip
    parts = [
        "<p>What “Check my work” does with the work of students, line by line. Intervals are Wilson's; bars run from 0 to 100%.</p>",
        table("First wrong lines", ["run", "measure", "interval", "share", "95% interval", "of"], rows, "runs"),
    ]
    for one in runs:
        if one["by"]:
            lines = []
            for kind, (right, n) in one["by"].items():
                low, high = wilson(right, n)
                lines.append([esc(kind), f"{n:,}", f'{percent(right / n if n else 0.0)} <span class="what">{percent(low)} to {percent(high)}</span>'])
            caption = f"{one['name']}: first wrong line found, by what teachers called the mistake"
            parts.append(f"<details><summary>{esc(caption)}</summary>{table(caption, ['mistake', 'n', 'found'], lines)}</details>")
        parts.append(f"<pre>{esc(one['command'])}</pre>" if one["command"] else "")
    return "".join(parts)


def how(one: Mapping) -> str:
    """What was laid beside the work, and whether its signs were weighed on it."""
    return one["reference"] + (f"; signs weighed anew for each of {one['folds']} parts, on the others" if one["folds"] else "")
