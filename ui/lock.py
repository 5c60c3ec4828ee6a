"""The teacher's link: `?lock=hints` in the address keeps the page to its hints.

    http://127.0.0.1:7860/?lock=hints      no whole solution, no "watch it think", no Compare
    MATHTUTOR_LOCK=hints python app.py     the same for every page, program and MCP client

Gradio's page repeats its address with every request, so the server reads it there each time; what it has once locked
stays locked for the problem on the desk. The link is a courtesy of the page: who takes it out of the address is free of it,
and a program has no address to carry it. The setting is the wall.
"""

from __future__ import annotations

import os

import gradio as gr

HINTS = "hints"


def is_locked(request: gr.Request | None) -> bool:
    """Whether the server is locked, or the request comes from a page that was opened by the teacher's link."""
    if os.environ.get("MATHTUTOR_LOCK") == HINTS:
        return True
    params = getattr(request, "query_params", None) or {}
    return params.get("lock") == HINTS
