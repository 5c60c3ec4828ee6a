"""How the page looks and how it is served.

    demo.launch(**settings(demo))

Colours are chosen for contrast (at least 4.5 : 1 on their ground, light and dark); fonts are the
system's own, so that nothing is fetched from elsewhere. `assets/app.css` holds the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ui.gate import BURST, RATE, Gate
from ui.language import Tongue

CSS = Path(__file__).resolve().parents[1] / "assets" / "app.css"

INK = gr.themes.Color(  # a warm grey, from paper to ink
    name="ink", c50="#faf9f6", c100="#f3f1ec", c200="#e5e2da", c300="#cfcabe", c400="#a39d8f", c500="#6f6a5f",
    c600="#565249", c700="#3e3c37", c800="#292823", c900="#1c1b18", c950="#121210",
)  # fmt: skip
BLUE = gr.themes.Color(
    name="pen", c50="#eff4ff", c100="#dbe6fe", c200="#bfd3fe", c300="#93b4fd", c400="#608dfa", c500="#1d4ed8",
    c600="#1b45bf", c700="#1d3c9b", c800="#1e347a", c900="#1d2f63", c950="#141d3d",
)  # fmt: skip
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    """The page's own theme: paper, ink, one blue."""
    return gr.themes.Base(
        primary_hue=BLUE,
        secondary_hue=BLUE,
        neutral_hue=INK,
        font=SANS,
        font_mono=MONO,
        text_size=gr.themes.sizes.text_lg,
        radius_size=gr.themes.sizes.radius_lg,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_background_fill="#ffffff",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_600",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        button_cancel_background_fill="#ffffff",
        button_cancel_background_fill_hover="#fdf0ee",
        button_cancel_background_fill_dark="*neutral_800",
        button_cancel_background_fill_hover_dark="*neutral_700",
        button_cancel_text_color="#a3261b",
        button_cancel_text_color_dark="#ffb4a8",
        button_cancel_border_color="#a3261b",
        button_cancel_border_color_dark="#ffb4a8",
    )


def settings(demo: gr.Blocks, burst: int = BURST, rate: float = RATE) -> dict[str, Any]:
    """Arguments of `launch` that every start of this app uses, tests included.

    `demo` holds its own translations. `burst` is how many runs one address may ask for at once, `rate` how many more a
    second after those; a test is one address that asks for many.
    """
    return {
        "theme": theme(),
        "i18n": demo.i18n_instance,
        "css_paths": [CSS],
        "app_kwargs": {
            "middleware": [Middleware(Gate, burst=burst, rate=rate), Middleware(Tongue)],
            "openapi_url": None,
            "docs_url": None,
            "redoc_url": None,
        },
        "run_history": False,  # on by default, it keeps what was typed in the browser of a shared computer
        "footer_links": [],
        "show_error": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": True,
        "share": False,
        "_frontend": False,  # else Gradio asks for the page once more and refuses to start where that takes three seconds
        "max_file_size": 1,  # bytes; the gate refuses uploads before this is looked at
        "state_session_capacity": 500,
    }
