"""The few pieces of Gradio wiring that both tabs share, with its traps.

- A click shows at once: the page itself says "Reading your problem" before the server hears of it.
- Solve is a "once" trigger: Gradio drops a click while the last run is still on its books, which is until
  the answer to its own cancel request arrives. So Solve comes back when the run is over for Gradio (`then`,
  `failure`), never with a view; and Stop comes alive with the first view, when there is something to cancel.
- A view may still arrive after Stop was pressed. Whatever a run leaves behind as "busy" was stopped.
- `show_progress="hidden"`: the status line speaks, no spinner covers the working.
- One `concurrency_id` for every run. The real order is kept by `WaitingLine`; Gradio's own limit is
  only wider than that line, so that everyone in it hears how many are ahead.
- An update rewrites the attributes of every element, `open` too: `FOLDS` puts back what the student closed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence

import gradio as gr

from mathtutor.engines import where
from mathtutor.strings import Strings
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import MAX_CHARS, PRIVATE
from ui.desk import status
from ui.examples import EXAMPLES
from ui.gate import LISTENERS, RUNS
from ui.language import Page, in_browser, spoken

log = logging.getLogger("mathtutor.app")

STOPPED = in_browser(lambda strings: status(strings.PHASES[Phase.STOPPED], kind="stopped"))
ASKED = in_browser(lambda strings: status(strings.ASKED))
FULL = in_browser(lambda strings: status(strings.FULL, kind="hint"))
PATIENCE = 5.0  # seconds that a run waits for somebody to listen
CONCURRENCY = 16  # more than any WaitingLine holds, fewer than the server's 40 threads
QUICK = {"concurrency_id": "quick", "concurrency_limit": CONCURRENCY, "api_visibility": "private", "show_progress": "hidden"}

# Runs in the page before anything typed is sent: e-mail addresses and phone numbers never leave it.
REDACT = (
    "(...typed) => typed.map((text) => typeof text !== 'string' ? text : text"
    r".replace(/[\w.+-]+@[\w-]+\.[a-z]{2,}/gi, '" + PRIVATE + "')"
    r".replace(/(?<![\d.,])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[.-])\d{3}[.-]\d{4}(?![\d.,]\d)/g, '"
    + PRIVATE
    + "'))"
)


def problem_box(page: Page, name: str, lines: int) -> gr.Textbox:
    """The box for a problem. Its limits are for the eye only; `screen` holds the real ones.

    Without `autocomplete="off"` a browser writes the text to its session file on disk, to restore the tab with it.
    """
    return gr.Textbox(
        label=page.PROBLEM_LABEL, placeholder=page.PROBLEM_HINT, lines=lines, max_lines=12,
        max_length=MAX_CHARS + 1,  # one more than `screen` takes: a text cut at the limit would pass for whole
        elem_id=f"{name}-problem", elem_classes="mt-problem", autofocus=False,
        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
    )  # fmt: skip


def carry_over(tab: gr.Tab, source: gr.Textbox, target: gr.Textbox) -> None:
    """Opening `tab` fills its empty box with the problem of another tab, in the page alone.

    The page looks and writes in one go: an output of Gradio's lands some frames after the box has appeared, over
    what was typed since. `tab` must render its children before it is opened, for the box has to be there.
    """
    carry = f"""(theirs) => {{
        const box = document.querySelector('#{target.elem_id} textarea');
        if (!box || box.value || !theirs) return;
        box.value = theirs;
        box.dispatchEvent(new Event('input', {{bubbles: true}}));
    }}"""
    tab.select(None, source, None, js=carry, api_visibility="private", show_progress="hidden")


def enter(box: gr.Textbox, button: gr.Button) -> None:
    """Shift+Enter in the box presses the button, while it can be pressed; Enter alone starts a new line, or does the
    same in a box of one line."""
    press = f"() => {{ document.getElementById('{button.elem_id}')?.click(); }}"
    box.submit(None, None, None, js=press, api_visibility="private", show_progress="hidden")


def calculator_box(page: Page) -> gr.Checkbox:
    return gr.Checkbox(
        value=True, label=page.CALCULATOR, info=page.CALCULATOR_INFO, elem_classes="mt-calculator"
    )


def examples(page: Page, problem: gr.Textbox) -> None:
    """Six buttons that fill the box, in the page alone: nothing is sent and nothing is solved."""
    gr.HTML(page(lambda strings: f'<p class="mt-label">{strings.EXAMPLES_LABEL}</p>'))
    with gr.Row(elem_classes="mt-examples"):
        for name, text in EXAMPLES.items():
            button = gr.Button(page(lambda strings, name=name: strings.EXAMPLE_NAMES[name]), size="sm", variant="secondary", min_width=96)
            button.click(None, None, problem, js=f"() => {json.dumps(text)}", api_visibility="private")


# A status line of one of these kinds ends a run that is worth repeating.
AGAIN = "/mt-(done|stopped|retry)/"

# Runs once in each live block of HTML: remembers which details the student opened or closed.
FOLDS = """
const chosen = new Map();
const each = (act) => {
  const counts = {};
  element.querySelectorAll('details').forEach((details) => {
    const kind = details.className || 'step';
    act(details, kind + (counts[kind] = (counts[kind] ?? 0) + 1));
  });
};
element.addEventListener('click', (event) => {
  const clicked = event.target.closest('summary')?.parentElement;
  if (clicked) each((details, key) => details === clicked && chosen.set(key, !details.open));
});
watch('value', () => {
  if (!element.querySelector('details')) chosen.clear();
  each((details, key) => { if (chosen.has(key)) details.open = chosen.get(key); });
});
"""


def live_html(elem_id: str, value: str = "") -> gr.HTML:
    """A block whose HTML is rewritten many times a second and keeps the student's open and closed details."""
    return gr.HTML(value, elem_id=elem_id, js_on_load=FOLDS)


_SAME = {"__type__": "update"}


def _press(can_be_pressed: bool) -> str:
    return json.dumps({"__type__": "update", "interactive": can_be_pressed})


def run(
    button: gr.Button,
    handler: Callable,
    inputs: list,
    outputs: list,
    empty: Sequence[str | None],
    resting: Sequence[gr.Button],
    again: gr.Button | None,
    api_name: str,
    more: Sequence[gr.Button] = (),
    kept: Sequence = (),
):
    """Wire a generator to a button; returns the event for `stop` to cancel.

    `outputs` are the status line, blocks of HTML (shown as `empty` at the click; where that is None they stay as they
    are) and the Stop button. `resting` are the buttons that can be pressed while nothing runs, `again` once something
    has run. `more` are buttons that cannot be pressed from the click on, until a view says so; `kept` are further outputs.
    """
    status_line, *blocks, stop_button = outputs
    buttons = [*resting, *([again] if again else [])]
    page = {"api_visibility": "private", "show_progress": "hidden"}

    # On a narrow page the working lies below the fold; it is brought into view once, at the click.
    line = f"document.getElementById('{status_line.elem_id}')"
    scroll = f"if (innerWidth < 900) {line}?.scrollIntoView({{behavior: 'smooth'}});"
    cleared = [json.dumps(_SAME if text is None else text) for text in empty]
    asked = [ASKED, *cleared, *(_press(False) for _ in (*buttons, *more))]
    button.click(
        None,
        None,
        [status_line, *blocks, *buttons, *more],
        js=f"() => {{ {scroll} return [{', '.join(asked)}]; }}",
        **page,
    )
    event = button.click(
        handler, inputs, [*outputs, *kept], js=REDACT, show_progress="hidden", concurrency_id=RUNS,
        concurrency_limit=CONCURRENCY, api_name=api_name, trigger_mode="once", api_visibility="private",
    )  # fmt: skip
    over = f"""(now) => {{
        const line = now === {ASKED} ? {FULL} : now.includes('mt-busy') ? {STOPPED} : now;
        return [line, {_press(False)}, {", ".join([_press(True) for _ in resting])}
            {", {__type__: 'update', interactive: " + AGAIN + ".test(line)}" if again else ""}];
    }}"""
    for listen in (
        event.then,
        event.failure,
    ):  # Gradio skips the first after an error, the second after success
        listen(None, status_line, [status_line, stop_button, *buttons], js=over, **page)
    return event


def quick(button: gr.Button, handler: Callable, inputs: list, outputs: list, api_name: str) -> None:
    """Wire a generator that asks no model: one view, at once. It waits in no line and cannot be stopped.

    Not a "once" trigger: a press that comes right after the last view would be dropped. Of two presses at the same
    moment both see the same work and give the same view.
    """
    button.click(
        handler, inputs, outputs, js=REDACT, api_name=api_name, trigger_mode="multiple", **QUICK,
    )  # fmt: skip


def stop(button: gr.Button, events: list, status_line: gr.HTML, box: gr.Textbox) -> None:
    """Wire Stop: end the events, say so, give the focus back to the problem."""
    # A button that is disabled while it has the focus lets it fall to the page, sooner or later: it is picked up again.
    lost = "[document.body, null].includes(document.activeElement) || document.activeElement.closest('button')"
    pick_up = f"() => {{ if ({lost}) document.querySelector('#{box.elem_id} textarea')?.focus(); }}"
    focus = f"for (const wait of [50, 500, 1500]) setTimeout({pick_up}, wait);"
    button.click(
        None, None, [status_line, button], cancels=events, api_visibility="private", show_progress="hidden",
        js=f"() => {{ {focus} return [{STOPPED}, {_press(False)}]; }}",
    )  # fmt: skip


def updates(
    views: Generator,
    fields: Sequence[str],
    sorry: Callable[[Strings], object],
    request: gr.Request,
    more: Callable[[object], list] | None = None,
) -> Iterator[list]:
    """Views as updates, one a field and one for Stop; what has not changed is not sent. `more` makes further ones of a view.

    Whatever goes wrong ends in the view that `sorry` makes, for a bare "Error" helps no child. A run whose results
    nobody has read for PATIENCE seconds ends: Gradio itself would let it compute to the last word.
    """

    def update(view: object, before: object | None) -> list:
        values = [getattr(view, name) for name in fields]
        old = [None if before is None else getattr(before, name) for name in fields]
        made = [gr.skip() if value == last else value for value, last in zip(values, old, strict=True)]
        same = before is not None and before.busy == view.busy
        return [*made, gr.skip() if same else gr.update(interactive=view.busy), *(more(view) if more else ())]

    before = None
    try:
        for view in heard(views, request):
            yield update(view, before)
            before = view
    except Exception as error:
        log.error("a run failed: %s", where(error))
        yield update(sorry(spoken(request)), None)
    finally:
        views.close()


def heard(views: Generator, request: gr.Request) -> Iterator:
    """The views, as long as somebody listens: it ends once nobody has for PATIENCE seconds."""
    last = time.monotonic()
    for view in views:
        now = time.monotonic()
        if request.session_hash in LISTENERS:
            last = now
        elif now - last > PATIENCE:
            return
        yield view
