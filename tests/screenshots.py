"""Pictures of the page for the README: `python -m tests.screenshots [--out assets/screenshots]`.

They show what the shipped Pocket really writes, whatever that is, so they need its weights and chromium.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import app
from mathtutor.engines import load_engine
from tests.browser import chromium, open_browser, serve
from ui import strings

PROBLEM = strings.EXAMPLES["Toy cars"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("assets/screenshots"))
    args = parser.parse_args()
    if chromium() is None:
        raise SystemExit("no chromium on the PATH: install it, then run this again")
    try:
        demo = app.build_app(load_engine("pocket"), load_engine("pocket-base"))
    except ValueError as error:
        raise SystemExit(f"the pictures show Pocket itself: {error}") from error
    args.out.mkdir(parents=True, exist_ok=True)
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

        def learn(page, wait: str = "#learn-status :is(.mt-done, .mt-retry)") -> None:
            page.fill("#learn-problem textarea", PROBLEM)
            page.click("#learn-solve")
            page.wait_for_selector(wait)

        def compare(page, wait: str = "#compare-status .mt-done") -> None:
            page.get_by_role("tab", name=strings.COMPARE_TAB).click()
            page.fill("#compare-problem textarea", PROBLEM)
            page.click("#compare-solve")
            page.wait_for_selector(wait)

        def about(page) -> None:
            page.get_by_role("tab", name=strings.ABOUT_TAB).click()

        shoot("learn-light", 1280, 860, False, learn)
        shoot("learn-dark", 1280, 860, True, learn)
        shoot("learn-phone", 390, 844, False, learn)
        shoot("compare-light", 1280, 1100, False, compare)
        shoot("compare-dark", 1280, 1100, True, lambda page: compare(page, "#compare-right .mt-check"))
        shoot("compare-phone", 390, 844, False, compare)
        shoot("about", 1280, 1100, False, about)


if __name__ == "__main__":
    main()
