"""For grown-ups: what this is, what its ticks mean, where the words go, what it cannot do."""

from __future__ import annotations

from html import escape

import gradio as gr

from mathtutor.tutoring.tries import K
from ui import strings
from ui.desk import Desk


def build(desk: Desk) -> None:
    """The About tab, inside an open `gr.Tab`."""
    gr.HTML(
        strings.ABOUT.format(
            tuned=escape(desk.engines["tuned"].name),
            base=escape(desk.engines["base"].name),
            max_chars=f"{strings.MAX_CHARS:,}",
            max_tokens=f"{desk.limits.max_tokens:,}",
            tries=K,
            max_seconds=f"{desk.limits.max_seconds:.0f}",
        )
    )
