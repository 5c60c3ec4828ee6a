"""Pictures of the page for the README: `python -m tests.screenshots [--out assets/screenshots]`.

The replies are scripted, so the pictures are the same on every machine that has chromium.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import app
from mathtutor.engines import Delta, Sampling
from tests.browser import chromium, open_browser, serve
from ui import strings

PROBLEM = strings.EXAMPLES["Marbles"]
TUNED = [
    "<think>\nStep 1: Ravi starts with 24 marbles and gives 9 away: 24 - 9 = ", ("15",), " marbles.\n",
    "Step 2: Then he buys 15 more: 15 + 15 = ", ("30",), " marbles.\n",
    "Step 3: Nothing else happens to his marbles.\n</think>\n\nThe answer is 30.",
]  # fmt: skip
BASE = [
    "<think>\nStep 1: Ravi has 24 + 9 = 33 marbles.\n",
    "Step 2: He buys 15 more: 33 + 15 = 49 marbles.\n</think>\n\nThe answer is 49.",
]


class Painter:
    """An engine that writes given pieces word by word; a piece in a tuple is the calculator's."""

    calculates = True

    def __init__(self, name: str, pieces: list, delay: float):
        self.name, self._pieces, self._delay = name, pieces, delay

    def stream(self, conversation, sampling=Sampling(), stop=None):
        for piece in self._pieces:
            words = piece if isinstance(piece, tuple) else piece.split(" ")
            for index, word in enumerate(words):
                time.sleep(self._delay)
                yield Delta(
                    word if index == len(words) - 1 else word + " ", computed=isinstance(piece, tuple)
                )
        yield Delta("", 0, finish="stop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("assets/screenshots"))
    args = parser.parse_args()
    if chromium() is None:
        raise SystemExit("no chromium on the PATH: install it, then run this again")
    args.out.mkdir(parents=True, exist_ok=True)
    demo = app.build_app(Painter("pocket", TUNED, 0.08), Painter("pocket-base", BASE, 0.16))
    with serve(demo) as url, open_browser() as browser:

        def shoot(name: str, width: int, height: int, dark: bool, act) -> None:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
                device_scale_factor=1 if width > 600 else 2,
            )  # fmt: skip
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("#learn-solve")
            act(page)
            page.wait_for_timeout(400)
            page.screenshot(path=args.out / f"{name}.png", full_page=width < 600)
            context.close()

        def learn(page, wait: str = "#learn-answer .mt-answer") -> None:
            page.fill("#learn-problem textarea", PROBLEM)
            page.click("#learn-solve")
            page.wait_for_selector(wait)

        def compare(page, wait: str = "#compare-summary .mt-summary") -> None:
            page.get_by_role("tab", name=strings.COMPARE_TAB).click()
            page.fill("#compare-problem textarea", PROBLEM)
            page.click("#compare-solve")
            page.wait_for_selector(wait)

        def about(page) -> None:
            page.get_by_role("tab", name=strings.ABOUT_TAB).click()

        shoot("learn", 1280, 860, False, learn)
        shoot("learn-working", 1280, 860, False, lambda page: learn(page, ".mt-check"))
        shoot("learn-dark", 1280, 860, True, learn)
        shoot("learn-phone", 390, 844, False, learn)
        shoot("compare", 1280, 1100, False, compare)
        shoot("compare-dark", 1280, 1100, True, lambda page: compare(page, "#compare-right .mt-check"))
        shoot("compare-phone", 390, 844, False, compare)
        shoot("about", 1280, 1100, False, about)


if __name__ == "__main__":
    main()
