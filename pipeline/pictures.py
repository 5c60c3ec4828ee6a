"""Tables and pictures of a page, in HTML and inline SVG: every picture is a table too, or stands beside one.

    bars("Topics", "topic", {"money": 12, "time": 3})       # a table with a bar in each row
    columns("Steps", "steps", {"1": 20, "2": 50})           # a column for each entry, and a table

Text of a report is escaped here: it may come from anywhere.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.figures import percent, words

LONGEST = 1000  # characters of a sample that are shown: a line of a foreign file may be a megabyte
SHOWN = 15  # bars in a table before the rest is folded away


def esc(text: object) -> str:
    """Text as HTML shows it; half a character, which no file can hold, becomes a question mark."""
    return html.escape(str(text).encode("utf-8", "replace").decode("utf-8"))


def clip(text: object) -> str:
    """A row's text, not too much of it, with the marks that would be invisible or turn the reading order around spelled out."""
    text = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", lambda mark: f"[U+{ord(mark[0]):04X}]", str(text))
    return esc(text) if len(text) <= LONGEST else f"{esc(text[:LONGEST])} <span class=what>... ({len(text):,} characters)</span>"


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
