"""Pictures in inline SVG: horizontal places in per cent, so that a page of any width draws them at one size of type.

Each picture stands beside a table of its figures, or is one: nothing rests on sight or on colour. All labels are
escaped here; series differ in colour and in their dashes and marks.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from math import log2

from eval.visible import mark

DASHES = ("", "6 4", "2 4", "10 4 2 4", "1 6")
MARKS = ("circle", "square", "diamond", "triangle", "ring")
MOST = len(DASHES)  # series in one picture


def esc(text: object) -> str:
    """Text as HTML shows it, in an attribute too, with what cannot be seen spelled out."""
    return html.escape(mark(text))


def interval(value: float, low: float, high: float, most: float) -> str:
    """A share with its interval on a track from 0 to `most`. The figures stand beside it, so it is hidden from readers."""
    at = [f"{100 * min(1.0, max(0.0, share / most)):.2f}%" for share in (low, high, value)]
    return (
        f'<svg class="interval" aria-hidden="true" height="18"><rect class="track" y="3" width="100%" height="12"/>'
        f'<line class="whisker" x1="{at[0]}" x2="{at[1]}" y1="9" y2="9"/><circle class="dot" cx="{at[2]}" cy="9" r="5"/></svg>'
    )


def difference(value: float, low: float, high: float, most: float) -> str:
    """A difference with its interval on a track from -`most` to `most`, nought in the middle."""
    at = [f"{50 + 50 * min(1.0, max(-1.0, share / most)):.2f}%" for share in (low, high, value)]
    return (
        f'<svg class="interval" aria-hidden="true" height="18"><rect class="track" y="3" width="100%" height="12"/>'
        f'<line class="nought" x1="50%" x2="50%" y1="0" y2="18"/>'
        f'<line class="whisker" x1="{at[0]}" x2="{at[1]}" y1="9" y2="9"/><circle class="dot" cx="{at[2]}" cy="9" r="5"/></svg>'
    )


def bar(share: float) -> str:
    width = f"{max(100 * share, 0.6 if share else 0):.2f}%"
    return f'<svg class="bar" aria-hidden="true" height="10"><rect class="track" width="100%" height="10"/><rect class="kept" width="{width}" height="10"/></svg>'


def curves(caption: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]], unit: str, most: float | None = None, log: bool = True) -> str:
    """Lines of (x, share from 0 to `most`), at most MOST of them; x on a scale of doublings with `log`."""
    series = [(name, points) for name, points in series if points][:MOST]
    if not series:
        return ""
    scale = log2 if log else float
    xs = sorted({x for _, points in series for x, _ in points})
    left, right = scale(xs[0]), scale(xs[-1])
    top = most or _round_up(max(share for _, points in series for _, share in points))
    base, height = 190, 170

    def place(x: float, share: float) -> tuple[float, float]:
        across = (scale(x) - left) / (right - left) if right > left else 0.5
        return 8 + 88 * across, base - height * min(share / top, 1.0)

    drawn = ""
    for part in range(5):
        y = base - height * part / 4
        drawn += f'<line class="axis" x1="8%" x2="96%" y1="{y:.1f}" y2="{y:.1f}"/><text class="faint" x="7%" y="{y + 4:.1f}" text-anchor="end">{100 * top * part / 4:.3g}%</text>'
    shown = xs if len(xs) <= 8 else [x for i, x in enumerate(xs) if i % 2 == (len(xs) - 1) % 2]
    for x in shown:
        drawn += f'<text class="faint" x="{place(x, 0)[0]:.2f}%" y="{base + 18}" text-anchor="middle">{x:,g}</text>'
    drawn += f'<text class="faint" x="96%" y="{base + 34}" text-anchor="end">{esc(unit)}</text>'
    for number, (_, points) in enumerate(series):
        places = [place(x, share) for x, share in points]
        for (x1, y1), (x2, y2) in zip(places, places[1:], strict=False):
            drawn += f'<line class="s{number}" stroke-dasharray="{DASHES[number]}" x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}"/>'
        drawn += "".join(_mark(number, x, y) for x, y in places)
    said = "; ".join(f"{name}: {100 * points[0][1]:.1f}% at {points[0][0]:,g}, {100 * points[-1][1]:.1f}% at {points[-1][0]:,g}" for name, points in series)
    legend = "".join(
        f'<span><svg aria-hidden="true" height="12"><line class="s{i}" stroke-dasharray="{DASHES[i]}" x2="100%" y1="6" y2="6"/>{_mark(i, 50, 6)}</svg>{esc(name)}</span>'
        for i, (name, _) in enumerate(series)
    )
    return (
        f'<figure><figcaption>{esc(caption)}</figcaption><svg class="curve" role="img" aria-label="{esc(f"{caption}. {said}.")}" height="{base + 40}">'
        f'{drawn}</svg><p class="legend">{legend}</p></figure>'
    )


def _mark(number: int, x: float, y: float) -> str:
    """A mark at (x per cent, y): a nested svg, since shapes other than circles know no per cent."""
    shape = {
        "circle": '<circle r="4"/>', "ring": '<circle r="4" class="hollow"/>', "square": '<rect x="-4" y="-4" width="8" height="8"/>',
        "diamond": '<path d="M0-5L5 0L0 5L-5 0Z"/>', "triangle": '<path d="M0-5L5 4L-5 4Z"/>',
    }[MARKS[number]]  # fmt: skip
    return f'<svg class="m{number}" x="{x:.2f}%" y="{y:.1f}" overflow="visible" width="1" height="1">{shape}</svg>'


def _round_up(share: float) -> float:
    """The next round share for the top of a scale."""
    return next((top for top in (0.04, 0.08, 0.2, 0.4, 0.6, 0.8) if share <= top), 1.0)
