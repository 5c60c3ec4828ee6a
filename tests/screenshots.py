"""Pictures of the page for the README: `python -m tests.screenshots [--out assets/screenshots] [--static build/static]`.

They show what the shipped Pocket really writes, whatever that is, so they need its weights and chromium. With `--static`
only the page without a server is shown, from the folder of `make static`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import app
from mathtutor.engines import load_engine
from mathtutor.strings import ENGLISH as strings
from tests.browser import chromium, open_browser, open_tab, serve, serve_files
from ui.examples import EXAMPLES

PROBLEM = EXAMPLES["Toy cars"]
WORK = "2 * 18 = 36\n36 + 7 = 43\n18 + 36 + 43 = 97"  # it adds where the story takes away


def shoot_static(folder: Path, out: Path) -> None:
    """The page without a server: one step and a blank, on a wide and on a narrow screen; watched, in the dark."""
    with serve_files(folder) as url, open_browser() as browser:
        for name, width, height, scheme in (("light", 1280, 860, "light"), ("dark", 1280, 960, "dark"), ("phone", 390, 844, "light")):
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1 if width > 600 else 2
            )
            page.goto(url)
            page.wait_for_selector("#status.mt-done")
            page.set_checked("#watch", name == "dark")
            page.fill("#problem", PROBLEM)
            page.click("#solve")
            if name == "dark":
                page.wait_for_selector(".mt-raw")
            else:
                page.wait_for_selector("#next:not([disabled])")
                for _ in range(3):
                    page.click("#next")
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(400)
            page.screenshot(path=out / f"static-{name}.png", full_page=width < 600)
            page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("assets/screenshots"))
    parser.add_argument("--static", type=Path, metavar="FOLDER", help="show the page in this folder and nothing else")
    args = parser.parse_args()
    if chromium() is None:
        raise SystemExit("no chromium on the PATH: install it, then run this again")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.static:
        shoot_static(args.static, args.out)
        return
    try:
        demo = app.build_app(load_engine("pocket"), load_engine("pocket-base"))
    except ValueError as error:
        raise SystemExit(f"the pictures show Pocket itself: {error}") from error
    with serve(demo) as url, open_browser() as browser:

        def shoot(name: str, width: int, height: int, dark: bool, act, query: str = "") -> None:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
                device_scale_factor=1 if width > 600 else 2,
            )  # fmt: skip
            page = context.new_page()
            page.goto(f"{url}/{query}")
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
            open_tab(page, strings.COMPARE_TAB)
            page.fill("#compare-problem textarea", PROBLEM)
            page.click("#compare-solve")
            page.wait_for_selector(wait)

        def about(page) -> None:
            open_tab(page, strings.ABOUT_TAB)

        def evidence(page) -> None:
            open_tab(page, strings.EVIDENCE_TAB)

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
        shoot("evidence-light", 1280, 1600, False, evidence)
        shoot("evidence-dark", 1280, 1600, True, evidence)
        shoot("evidence-phone", 390, 844, False, evidence)
        shoot("about", 1280, 1100, False, about)
        shoot("locked-phone", 390, 844, False, learn, "?lock=hints")


if __name__ == "__main__":
    main()
