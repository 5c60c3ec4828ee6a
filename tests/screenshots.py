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
WORK = "2 * 18 = 36\n36 + 7 = 43\n18 + 36 + 43 = 97"  # it adds where the story takes away


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

        def learn(page, rungs: int = 3) -> None:
            """The ladder of hints, with `rungs` asked for."""
            page.fill("#learn-problem textarea", PROBLEM)
            page.click("#learn-solve")
            page.wait_for_selector("#learn-hint:not([disabled])")
            while (shown := page.locator(".mt-rung").count()) < rungs:
                page.click("#learn-hint")
                page.wait_for_function("shown => document.querySelectorAll('.mt-rung').length > shown", arg=shown)

        def check(page) -> None:
            page.get_by_role("tab", name=strings.CHECK_TAB).click()
            page.fill("#check-problem textarea", PROBLEM)
            page.fill("#check-work textarea", WORK)
            page.click("#check-solve")
            page.wait_for_selector("#check-lines .mt-line")

        def practise(page) -> None:
            page.get_by_role("tab", name=strings.PRACTICE_TAB).click()
            page.click("#practice-new")
            page.wait_for_selector("#practice-hint:not([disabled])")
            page.click("#practice-hint")
            page.wait_for_function("document.querySelector('#practice-hints').innerText.trim() !== ''")

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
        shoot("check-light", 1280, 900, False, check)
        shoot("check-phone", 390, 844, False, check)
        shoot("practice-light", 1280, 900, False, practise)
        shoot("practice-dark", 1280, 900, True, practise)
        shoot("compare-light", 1280, 1100, False, compare)
        shoot("compare-dark", 1280, 1100, True, lambda page: compare(page, "#compare-right .mt-check"))
        shoot("compare-phone", 390, 844, False, compare)
        shoot("about", 1280, 1100, False, about)


if __name__ == "__main__":
    main()
