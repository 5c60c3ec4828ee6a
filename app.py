"""Show Your Work, the page: `python app.py` opens it on http://127.0.0.1:7860.

    MATHTUTOR_ENGINE    who answers (default "pocket"): a name of assets/models.yaml or an engine spec, see `mathtutor.engines`
    MATHTUTOR_COMPARE   who stands on the left of Compare (default "pocket-base")
    MATHTUTOR_HOST      who may open it (default 127.0.0.1, this computer alone; 0.0.0.0: whoever can reach it)
    MATHTUTOR_LOCK      "hints": no whole solution for anybody, as by a teacher's link (`ui.lock`)
    PORT                default 7860

Importing this module loads no model. The page opens at once; engines load behind it.
"""

from __future__ import annotations

import ipaddress
import os

import ui  # noqa: F401  sets Gradio's environment, which Gradio reads when it is imported

# isort: split
import gradio as gr

from mathtutor.engines import Engine, zero
from mathtutor.engines.models import load_models, no_model
from mathtutor.strings import ENGLISH, Strings
from mathtutor.tutoring import render
from ui import about, api, check, compare, evidence, learn, practice, theme, wiring
from ui.desk import Desk
from ui.language import KEEP_THE_REST, Page, choices, spoken
from ui.lock import HINTS, is_locked
from ui.shelf import Shelf
from ui.streams import LazyEngine, Limits, WaitingLine


def header(strings: Strings) -> str:
    note = render.notice(strings.IN_ENGLISH, "key")
    return (
        f'<header class="mt-header"><h1{strings.of_english}>{strings.TITLE}</h1><p>{strings.TAGLINE}</p>{note}'
        f"{choices(strings)}</header>"
    )


def build_app(tuned: Engine, base: Engine, limits: Limits = Limits()) -> gr.Blocks:
    """The page over two engines: `tuned` answers in Learn, both in Compare."""
    own = {"base": base, "tuned": tuned}
    desk = Desk(own, limits, WaitingLine(limits.slots, limits.max_waiting), Shelf(own))
    page = Page()
    with gr.Blocks(
        title=ENGLISH.TITLE, analytics_enabled=False, fill_width=False, delete_cache=(3600, 3600)
    ) as demo:
        demo.i18n_instance = page.i18n  # where Gradio keeps what `launch` was given; `theme.settings` gives it this
        gr.HTML(page(header), js_on_load=KEEP_THE_REST)
        with gr.Tabs(elem_id="mt-tabs"):
            with gr.Tab(page.LEARN_TAB, id="learn"):
                notice = gr.HTML("", elem_id="mt-lock")
                learned, closed = learn.build(desk, page)
            with gr.Tab(page.CHECK_TAB, id="check", render_children=True) as check_tab:  # see `carry_over`
                checked, _ = check.build(desk, page)
            check.carry_over(check_tab, learned, checked)
            with gr.Tab(page.PRACTICE_TAB, id="practice") as practice_tab:
                practice.build(practice_tab, page)
            with gr.Tab(page.COMPARE_TAB, id="compare", render_children=True) as compare_tab:  # see `carry_over`
                compared = compare.build(desk, page)
            wiring.carry_over(compare_tab, learned, compared)
            with gr.Tab(page.EVIDENCE_TAB, id="evidence"):
                evidence.build(learned, page)
            with gr.Tab(page.ABOUT_TAB, id="about"):
                about.build(desk, page)
        api.build(desk)

        def lock_page(request: gr.Request):
            if not is_locked(request):
                return [gr.skip()] * (len(closed) + 2)
            hidden = [gr.update(visible=False)] * len(closed)
            return [render.notice(spoken(request).LOCKED, "key"), gr.update(visible="hidden"), *hidden]  # Gradio hides a tab by this word alone

        demo.load(lock_page, None, [notice, compare_tab, *closed], **wiring.QUICK)
    return demo.queue(max_size=32, api_open=False)


def main() -> None:
    port = os.environ.get("PORT", "7860")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise SystemExit(f"PORT must be a number from 1 to 65535, such as 7860, not {port[:20]!r}")
    host = os.environ.get("MATHTUTOR_HOST") or ("0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise SystemExit(f"MATHTUTOR_HOST must be an address of this computer, such as 0.0.0.0, not {host[:40]!r}") from None
    if os.environ.get("MATHTUTOR_LOCK", "") not in ("", HINTS):
        raise SystemExit(f"MATHTUTOR_LOCK must be {HINTS!r} or not set, not {os.environ['MATHTUTOR_LOCK'][:20]!r}")
    is_lent = zero.prepare(name for name, model in load_models().items() if model.engine.startswith("hf:") and not model.is_here)
    for name in ("MATHTUTOR_ENGINE", "MATHTUTOR_COMPARE"):  # else every reply would say that the tutor could not wake up
        kind, _, path = os.environ.get(name, "").partition(":")
        if kind == "hf" and (reason := no_model(os.path.expanduser(path))):
            raise SystemExit(f"{name}: the model {path} cannot be loaded: {reason}")
    tuned = LazyEngine(os.environ.get("MATHTUTOR_ENGINE", "pocket"))
    base = LazyEngine(os.environ.get("MATHTUTOR_COMPARE", "pocket-base"))
    demo = build_app(tuned, base)
    for engine in (tuned, base):
        engine.load() if is_lent else engine.start()  # there, what this thread loads before the launch travels fast
    practice.warm()
    print(f"{ENGLISH.TITLE}: http://{host}:{port} (Ctrl-C ends it)", flush=True)
    try:
        demo.launch(server_name=host, server_port=int(port), quiet=True, **theme.settings(demo))
    except OSError as error:
        raise SystemExit(f"port {port} cannot be used; set PORT to another one ({error})") from error


if __name__ == "__main__":
    main()
