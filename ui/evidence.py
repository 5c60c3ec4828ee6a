"""Evidence: how often the models are right, with intervals and the commands; what they get wrong; how Pocket was made.

All figures are read from committed records (`ui.records`); nothing is measured here. Failures stand first, those whose
tries agreed on the wrong answer before all others. "Try this problem now" carries one to Learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log

import gradio as gr

from mathtutor.strings import ENGLISH, Strings, as_html
from mathtutor.tutoring.tries import K
from ui.language import Page, spoken
from ui.records import Evidence, Failure, Run, Share, evidence

WIDTH, HEIGHT = 640, 200  # of the picture of the losses


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def track(value: float, low: float, high: float) -> str:
    """A share from 0 to 1 with its interval. The figures stand beside it, so it is hidden from readers."""
    return (
        '<svg class="mt-track" aria-hidden="true" viewBox="0 0 100 12" preserveAspectRatio="none">'
        '<rect class="mt-track-all" width="100" height="12"/>'
        f'<rect class="mt-track-interval" x="{100 * low:.2f}" width="{max(100 * (high - low), 0.5):.2f}" height="12"/>'
        f'<rect class="mt-track-value" x="{100 * value - 0.4:.2f}" width="0.8" height="12"/></svg>'
    )


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], seen: bool = False) -> str:
    """A table whose cells are HTML; wide ones scroll by themselves, with the keyboard too. Under a heading of the same
    words the caption is `seen` by screen readers alone."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    hidden = "" if seen else ' class="mt-unseen"'
    return (
        f'<div class="mt-scroll" role="region" aria-label="{escape(caption)}" tabindex="0"><table class="mt-table">'
        f"<caption{hidden}>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def name_of(benchmark: str, strings: Strings) -> str:
    return strings.BENCHMARKS.get(benchmark, benchmark)


def _command(text: str, strings: Strings) -> str:
    return f'<details class="mt-command"><summary>{strings.EVIDENCE_COMMAND}</summary><code>{escape(text)}</code></details>'


def results(runs: Sequence[Run], strings: Strings = ENGLISH) -> str:
    rows = [
        (
            escape(name_of(run.benchmark, strings)),
            escape(run.engine)
            + (f", {strings.EVIDENCE_TRIES.format(tries=run.samples)}" if run.samples > 1 else ""),
            strings.EVIDENCE_ON if run.calculator else strings.EVIDENCE_OFF,
            f"{run.correct:,} / {run.n:,}",
            f"<strong>{percent(run.accuracy)}</strong>{track(run.accuracy, *run.interval)}",
            f"{percent(run.interval[0])} – {percent(run.interval[1])}",
            f"{run.cut_off:,}",
            f"{run.tokens:.0f}",
            _command(run.command, strings),
        )
        for run in runs
    ]
    return table(strings.EVIDENCE_RESULTS, strings.EVIDENCE_RESULT_HEADS, rows)


def agreements(runs: Sequence[Run], strings: Strings = ENGLISH) -> str:
    """What agreement of several tries is worth, from the runs that had several; "" where there are none."""
    parts = []
    for run in runs:
        if not run.agreement or run.engine != "pocket":
            continue
        rows = [
            (
                strings.EVIDENCE_AGREE.format(votes=line["agree"], tries=run.samples),
                f"{line['correct']:,} / {line['n']:,}",
                f"{percent(line['accuracy'])}{track(line['accuracy'], *line['interval'])}",
                f"{percent(line['interval'][0])} – {percent(line['interval'][1])}",
            )
            for line in run.agreement
        ]
        caption = strings.EVIDENCE_AGREEMENT.format(
            name=name_of(run.benchmark, strings), tries=run.samples
        )
        parts.append(table(caption, strings.EVIDENCE_AGREEMENT_HEADS, rows, seen=True))
        if part := next((line for line in run.coverage if line["coverage"] == 0.8), None):
            parts.append(
                f"<p>{strings.EVIDENCE_COVERAGE.format(part=percent(part['accuracy']), n=part['n'], all=percent(run.accuracy))}</p>"
            )
        parts.append(_command(run.command, strings))
    return "".join(parts)


def trusts(found: Evidence, strings: Strings = ENGLISH) -> str:
    """What Learn gives as its own by weighing several tries, run by run, a sentence where that is not on record; "" without such runs."""
    parts = []
    for run in found.runs:
        if not run.agreement or run.engine != "pocket":
            continue
        name, trust = name_of(run.benchmark, strings), found.trusts.get(run.folder)
        if trust is None:
            parts.append(f"<p>{escape(strings.EVIDENCE_NO_TRUST.format(name=name))}</p>")
            continue
        rows = [
            (
                strings.EVIDENCE_TRUST_WAYS[way],
                f"{part.n:,} / {trust.problems:,}",
                f"{part.correct:,} / {part.n:,}",
                f"{percent(part.accuracy)}{track(part.accuracy, *part.interval)}" if part.n else "",
                f"{percent(part.interval[0])} – {percent(part.interval[1])}" if part.n else "",
            )
            for way, part in trust.ways.items()
        ]
        parts.append(table(strings.EVIDENCE_TRUST.format(name=name), strings.EVIDENCE_TRUST_HEADS, rows, seen=True))
        if trust.trusted is None:
            parts.append(f"<p>{strings.EVIDENCE_TRUST_COUNTED}</p>")
        elif trust.folds is not None:
            parts.append(f"<p>{strings.EVIDENCE_TRUST_FOLDS.format(folds=trust.folds)}</p>")
        parts.append(_command(trust.command, strings))
    return f"<p>{strings.EVIDENCE_TRUSTS_INTRO}</p>{''.join(parts)}" if parts else ""


def locations(found: Sequence[Share], strings: Strings = ENGLISH) -> str:
    return _shares(found, strings.EVIDENCE_LOCATIONS, strings.EVIDENCE_LOCATION_HEADS, strings)


def alarms(found: Sequence[Share], strings: Strings = ENGLISH) -> str:
    """How often a line of right work is doubted all the same."""
    return _shares(found, strings.EVIDENCE_ALARMS, strings.EVIDENCE_ALARM_HEADS, strings)


def _shares(found: Sequence[Share], caption: str, heads: Sequence[str], strings: Strings) -> str:
    rows = [
        (
            escape(where.folder),
            f"{where.count:,} / {where.n:,}",
            f"{percent(where.rate)}{track(where.rate, *where.interval)}",
            f"{percent(where.interval[0])} – {percent(where.interval[1])}",
            _command(where.command, strings),
        )
        for where in found
    ]
    return table(caption, heads, rows, seen=True) if rows else ""


def funnel(found: Evidence, strings: Strings) -> str:
    if not found.funnel:
        return ""
    rows = [
        (
            as_html(strings.english(stage["stage"].replace("_", " "))),
            *(f"{stage[key]:,}" if key in stage else "" for key in ("in", "dropped", "out")),
        )
        for stage in found.funnel
    ]
    return table(strings.EVIDENCE_FUNNEL, strings.EVIDENCE_FUNNEL_HEADS, rows) + _command(found.funnel_command, strings)


def losses(points: Sequence[tuple[int, float]], strings: Strings = ENGLISH) -> str:
    """The loss on families that nobody trains on, over the tokens seen, as a picture with its figures in words."""
    if len(points) < 2:
        return ""
    most, low, high = max(x for x, _ in points), min(y for _, y in points), max(y for _, y in points)
    span = log(high / low) or 1.0

    def place(x: int, y: float) -> tuple[float, float]:
        return 48 + (WIDTH - 60) * x / most, 12 + (HEIGHT - 44) * log(high / y) / span

    places = [place(x, y) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
    words = strings.EVIDENCE_LOSSES_SAID.format(
        first=f"{points[0][1]:.3f}",
        start=f"{points[0][0] / 1e6:.1f}",
        last=f"{points[-1][1]:.3f}",
        end=f"{points[-1][0] / 1e6:.1f}",
    )
    return (
        f'<figure class="mt-losses"><svg role="img" aria-label="{escape(words)}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<line x1="48" x2="{WIDTH - 12}" y1="{HEIGHT - 32}" y2="{HEIGHT - 32}"/><polyline points="{line}"/>{dots}'
        f'<text x="44" y="16" text-anchor="end">{high:.2f}</text><text x="44" y="{HEIGHT - 30}" text-anchor="end">{low:.2f}</text>'
        f'<text x="{WIDTH - 12}" y="{HEIGHT - 12}" text-anchor="end">{strings.EVIDENCE_TOKENS.format(millions=f"{most / 1e6:.1f}")}</text></svg>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def failure_card(failure: Failure, tries: int, strings: Strings = ENGLISH) -> str:
    agreed = (
        strings.EVIDENCE_AGREE.format(votes=round(failure.agree * tries), tries=tries)
        if tries > 1
        else strings.EVIDENCE_ONE_TRY
    )
    return (
        f'<article class="mt-failure"><p{strings.of_english}>{escape(failure.question)}</p>'
        f"<pre{strings.of_english}>{escape(failure.reply)}</pre>"
        f"<p>{strings.EVIDENCE_SAID.format(answer=escape(failure.answer), gold=escape(failure.gold))} {agreed}</p></article>"
    )


def intro(found: Evidence, strings: Strings = ENGLISH) -> str:
    """What the figures come to, in sentences made from the records."""
    lines = []
    for run in found.runs:
        if run.engine == "pocket" and run.calculator and run.samples == 1:
            lines.append(
                f"<li>{escape(name_of(run.benchmark, strings))}: "
                f"{strings.EVIDENCE_RIGHT.format(share=percent(run.accuracy), n=f'{run.n:,}')}</li>"
            )
    return f'<p class="mt-lead">{strings.EVIDENCE_INTRO}</p><ul class="mt-brief">{"".join(lines)}</ul>'


def tries_of(found: Evidence, benchmark: str) -> int:
    return max(
        (
            run.samples
            for run in found.runs
            if run.benchmark == benchmark and run.engine == "pocket"
        ),
        default=1,
    )


def figures(found: Evidence, strings: Strings) -> str:
    """All tables and the picture."""
    return (
        f'<section class="mt-about mt-evidence" aria-label="{strings.EVIDENCE_FIGURES_LABEL}">'
        f"<h2>{strings.EVIDENCE_RESULTS}</h2>{results(found.runs, strings)}"
        f"<h2>{strings.EVIDENCE_AGREEMENTS.format(tries=K)}</h2>{agreements(found.runs, strings) or f'<p>{strings.EVIDENCE_NO_AGREEMENT}</p>'}"
        f"<h2>{strings.EVIDENCE_TRUSTS}</h2>{trusts(found, strings) or f'<p>{strings.EVIDENCE_NO_AGREEMENT}</p>'}"
        f"<h2>{strings.EVIDENCE_LOCATIONS}</h2>{locations(found.locations, strings)}"
        f"<h2>{strings.EVIDENCE_ALARMS}</h2>{alarms(found.alarms, strings)}"
        f"<h2>{strings.EVIDENCE_TRAINING}</h2>{losses(found.losses, strings)}"
        f"<h2>{strings.EVIDENCE_FUNNEL}</h2>{funnel(found, strings)}"
        + (f"<p>{strings.EVIDENCE_MISSING} {escape(', '.join(found.missing))}</p>" if found.missing else "")
        + "</section>"
    )


def build(target: gr.Textbox, page: Page) -> None:
    """The Evidence tab, inside an open `gr.Tab`; `target` is the box that a problem is carried to."""
    found = evidence()

    def opening(strings: Strings) -> str:
        return f'<section class="mt-about mt-evidence" aria-label="{strings.EVIDENCE_TAB}">{intro(found, strings)}</section>'

    gr.HTML(page(opening))
    names = list(found.failures)
    if names:
        gr.HTML(page(lambda strings: f'<h2 class="mt-h2">{strings.EVIDENCE_FAILURES}</h2>'))
        which = gr.Radio(
            [(page(lambda strings, name=name: name_of(name, strings)), name) for name in names], value=names[0],
            label=page.EVIDENCE_SET, elem_id="evidence-set", elem_classes="mt-count",
        )  # fmt: skip
        card = gr.HTML(
            page(lambda strings: failure_card(found.failures[names[0]][0], tries_of(found, names[0]), strings)), elem_id="evidence-failure"
        )
        shown, place = gr.State(found.failures[names[0]][0].question), gr.State(0)
        with gr.Row(elem_classes="mt-examples"):
            again = gr.Button(page.EVIDENCE_AGAIN, size="sm", elem_id="evidence-again", min_width=96)
            after = gr.Button(page.EVIDENCE_NEXT, size="sm", elem_id="evidence-next", min_width=96)

        def at(name: str, number: int, request: gr.Request):
            """The failure of that number, round and round."""
            number %= len(found.failures[name])
            failure = found.failures[name][number]
            return failure_card(failure, tries_of(found, name), spoken(request)), failure.question, number

        def evidence_first(name: str, request: gr.Request):
            return at(name, 0, request)

        def evidence_next(name: str, number: int, request: gr.Request):
            return at(name, number + 1, request)

        unlisted = {"api_visibility": "private", "show_progress": "hidden"}
        which.change(evidence_first, which, [card, shown, place], **unlisted)
        after.click(evidence_next, [which, place], [card, shown, place], **unlisted)
        go = "document.querySelector('#mt-tabs button[role=tab]')?.click();"
        again.click(lambda text: text, shown, target, **unlisted).then(
            None,
            None,
            None,
            js=f"() => {{ {go} document.querySelector('#{target.elem_id} textarea')?.focus(); }}",
            **unlisted,
        )
    gr.HTML(page(lambda strings: figures(found, strings)))
