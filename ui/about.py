"""For grown-ups: what this is, what its ticks mean, where the words go, what it cannot do; classes, models, access."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import gradio as gr

from mathtutor.engines.models import MOST_ON_A_PROCESSOR, Model, bytes_needed, load_models
from mathtutor.strings import ENGLISH, Strings, as_html
from mathtutor.tutoring.screen import MAX_CHARS
from mathtutor.tutoring.tries import K
from ui.conformance import CRITERIA
from ui.desk import Desk
from ui.evidence import table
from ui.gate import BURST, QUICK, RATE
from ui.language import Page
from ui.learn import WORK_SECONDS


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def models_table(models: Mapping[str, Model], strings: Strings = ENGLISH) -> str:
    """Every model of assets/models.yaml: what it takes to hold it, by the sum that decides whether it is loaded."""
    rows = []
    for name, model in models.items():
        on_processor = model.millions <= MOST_ON_A_PROCESSOR
        rows.append(
            (
                f"{escape(model.title)} <code>{escape(name)}</code>",
                strings.MODEL_IS_HERE if model.is_here else _gigabytes(model.download),
                _gigabytes(bytes_needed(model, 16)),
                _gigabytes(bytes_needed(model, 4)),
                _gigabytes(bytes_needed(model, 32)) if on_processor else strings.MODEL_TOO_SLOW,
                escape(model.licence),
                as_html(strings.english(model.note)),
            )
        )
    return table(strings.MODELS, strings.MODEL_HEADS, rows)


def conformance_table(strings: Strings = ENGLISH) -> str:
    rows = []
    for each in CRITERIA:
        tests = "".join(f"<br><code>{escape(test)}</code>" for test in each.tests)
        name, note = (as_html(strings.english(text)) for text in (each.name, each.note))
        rows.append((f"{each.number} {name}", each.level, strings.STANDINGS[each.standing], f"{note}{tests}"))
    return table(strings.CONFORMANCE, strings.CONFORMANCE_HEADS, rows)


def about(desk: Desk, strings: Strings) -> str:
    """The whole tab."""
    page = strings.ABOUT.format(
        tuned=escape(desk.engines["tuned"].name),
        base=escape(desk.engines["base"].name),
        max_chars=f"{MAX_CHARS:,}",
        max_tokens=f"{desk.limits.max_tokens:,}",
        tries=K,
        max_seconds=f"{desk.limits.max_seconds:.0f}",
    )
    hosting = strings.ABOUT_CLASS.format(
        waiting=desk.limits.max_waiting,
        slots=desk.limits.slots,
        burst=BURST,
        a_minute=f"{RATE * 60:.0f}",
        quick=QUICK,
        minutes=WORK_SECONDS // 60,
    )
    return (
        f'<section class="mt-about" aria-label="{strings.ABOUT_LABEL}">{page}</section>'
        f'<section class="mt-about mt-evidence" aria-label="{strings.ABOUT_DETAILS_LABEL}">{hosting}{strings.ABOUT_MODELS}'
        f"{models_table(load_models(), strings)}{strings.ABOUT_PROGRAMS}{strings.ABOUT_ACCESS}{conformance_table(strings)}</section>"
    )


def build(desk: Desk, page: Page) -> None:
    """The About tab, inside an open `gr.Tab`."""
    gr.HTML(page(lambda strings: about(desk, strings)))
