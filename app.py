"""Show Your Work, the page: `python app.py` opens it on http://127.0.0.1:7860.

    MATHTUTOR_ENGINE    who answers (default "pocket"); any engine spec, see `mathtutor.engines`
    MATHTUTOR_COMPARE   who stands on the left of Compare (default "pocket-base")
    PORT                default 7860

Importing this module loads no model. The page opens at once; engines load behind it.
"""

from __future__ import annotations

import os

import ui  # noqa: F401  sets Gradio's environment, which Gradio reads when it is imported

# isort: split
import gradio as gr

from mathtutor.engines import Engine
from ui import about, check, compare, learn, practice, strings, theme, wiring
from ui.desk import Desk
from ui.streams import LazyEngine, Limits, WaitingLine


def build_app(tuned: Engine, base: Engine, limits: Limits = Limits()) -> gr.Blocks:
    """The page over two engines: `tuned` answers in Learn, both in Compare."""
    desk = Desk({"base": base, "tuned": tuned}, limits, WaitingLine(limits.slots, limits.max_waiting))
    with gr.Blocks(
        title=strings.TITLE, analytics_enabled=False, fill_width=False, delete_cache=(3600, 3600)
    ) as demo:
        gr.HTML(f'<header class="mt-header"><h1>{strings.TITLE}</h1><p>{strings.TAGLINE}</p></header>')
        with gr.Tabs(elem_id="mt-tabs"):
            with gr.Tab(strings.LEARN_TAB, id="learn"):
                learned = learn.build(desk)
            with gr.Tab(strings.CHECK_TAB, id="check", render_children=True) as check_tab:  # see `carry_over`
                checked, _ = check.build(desk)
            check.carry_over(check_tab, learned, checked)
            with gr.Tab(strings.PRACTICE_TAB, id="practice") as practice_tab:
                practice.build(practice_tab)
            with gr.Tab(strings.COMPARE_TAB, id="compare", render_children=True) as compare_tab:  # see `carry_over`
                compared = compare.build(desk)
            wiring.carry_over(compare_tab, learned, compared)
            with gr.Tab(strings.ABOUT_TAB, id="about"):
                about.build(desk)
    return demo.queue(max_size=32, api_open=False)


def main() -> None:
    port = os.environ.get("PORT", "7860")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise SystemExit(f"PORT must be a number from 1 to 65535, such as 7860, not {port[:20]!r}")
    tuned = LazyEngine(os.environ.get("MATHTUTOR_ENGINE", "pocket"))
    base = LazyEngine(os.environ.get("MATHTUTOR_COMPARE", "pocket-base"))
    demo = build_app(tuned, base)
    for engine in (tuned, base):
        engine.start()
    practice.warm()
    host = "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1"
    print(f"{strings.TITLE}: http://{host}:{port} (Ctrl-C ends it)", flush=True)
    try:
        demo.launch(server_name=host, server_port=int(port), quiet=True, **theme.settings())
    except OSError as error:
        raise SystemExit(f"port {port} cannot be used; set PORT to another one ({error})") from error


if __name__ == "__main__":
    main()
