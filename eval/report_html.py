"""Small pieces of HTML and of figures that the sections of a report share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from eval.charts import esc

LISTED = 12  # failures, flips and disagreements that stand in the page without the browser


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


def tokens_of(run: dict) -> str:
    """Tokens a reply, and what an answer costs that several replies vote on."""
    a_reply = f"{run['mean_tokens']:,.0f}"
    return a_reply if run["samples"] == 1 else f"{a_reply} ({run['mean_tokens'] * run['samples']:,.0f} a problem)"


def by_benchmark(runs: Sequence[dict]) -> dict[str, list[dict]]:
    groups = defaultdict(list)
    for run in runs:
        groups[run["benchmark"]].append(run)
    return groups


def share_of(part: int | None, whole: int) -> str:
    if part is None:
        return ""
    return f'{part:,} <span class="what">{percent(part / whole if whole else 0)}</span>'
