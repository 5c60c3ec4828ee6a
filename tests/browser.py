"""One server and one chromium for a test module: `serve(demo)` or `serve_files(folder)`, `open_browser()`.

What a test waits for may take PATIENCE, for a busy machine is no fault of the page. A promise of time is another
matter: `best` measures it some times, and one time must keep it. A fault spoils all of them, a busy machine some.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from ui import theme
from ui.gate import RATE

PATIENCE = 60  # seconds
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str | None:
    """Where the browser is, if anywhere on the PATH."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or os.environ.get("CHROMIUM")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serve(demo, burst: int = 10_000, rate: float = RATE) -> Iterator[str]:
    """The app on a free port of this machine, started as `app.main` starts it, but for the bounds on runs."""
    _, url, _ = demo.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        **theme.settings(demo, burst, rate),
    )
    try:
        yield url.rstrip("/")
    finally:
        demo.close(verbose=False)


@contextmanager
def open_browser():
    """A headless chromium; raises where there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser_or_context, **options):
    """A page that waits with PATIENCE."""
    page = browser_or_context.new_page(**options)
    page.set_default_timeout(PATIENCE * 1000)
    return page


def open_tab(page, name: str) -> None:
    """Go to a tab; on a narrow screen the last ones are in the menu "More tabs"."""
    page.wait_for_selector("[role=tab]")
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.count() and tab.is_visible():
        tab.click()
    else:
        page.get_by_role("button", name="More tabs").click()
        page.locator(".overflow-dropdown").get_by_role("button", name=name, exact=True).click()


# Names of what can be pressed or typed into, with their heights and sizes of letters in pixels.
_TARGETS = """() => [...document.querySelectorAll(
        'button, summary, textarea, label:has(input), input:is([type=text], [type=number], :not([type])), [role=listbox]')]
    .filter(each => each.checkVisibility() && each.getBoundingClientRect().width > 1 && !each.closest('[aria-hidden=true]'))
    .map(each => [each.innerText || each.id || each.tagName, each.closest('label')?.getBoundingClientRect().height ?? each.getBoundingClientRect().height,
                  each.matches('input, textarea') ? parseFloat(getComputedStyle(each).fontSize) : null])"""


def phone(page) -> tuple[int, float, float]:
    """(how many targets, least height, least letters of a field) of what a narrow page shows; asserts that all is in reach."""
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    assert wide <= page.viewport_size["width"], f"it is {wide} pixels wide"
    targets = page.evaluate(_TARGETS)
    small = [target for target in targets if target[1] < 44 or (target[2] or 16) < 16]
    assert not small, f"too small (name, height, letters): {small}"
    return len(targets), min(target[1] for target in targets), min((target[2] for target in targets if target[2]), default=16)


def told_of(views: list[tuple[int, float, float]]) -> str:
    """What `phone` has seen, in words."""
    counts, heights, letters = zip(*views, strict=True)
    return f"{sum(counts)} targets in {len(views)} views, none below {min(heights):.0f} px, letters of fields from {min(letters):.0f} px"


def eventually(true: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether `true()` becomes true within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def best(promise: float, measure: Callable[[], float], tries: int = 4) -> float:
    """The first of `tries` measurements that stays below `promise`, a time in seconds; the least of them where none does."""
    least = float("inf")
    for _ in range(tries):
        least = min(least, measure())
        if least < promise:
            break
    return least


def keeps(promise: float, measure: Callable[[], float], tries: int = 4) -> bool:
    """Whether one of `tries` measurements stays below `promise`."""
    return best(promise, measure, tries) < promise


@contextmanager
def serve_files(folder, headers: dict[str, str] | None = None, asked: Callable[[str], object] = lambda path: None) -> Iterator[str]:
    """The files of a folder on a free port of this machine, as `python -m http.server` hands them out.

    `asked` hears every path before it is answered, and may wait; what it returns, if anything, is the status of a refusal.
    """

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def do_GET(self):
            if status := asked(self.path):
                self.send_error(status)
            else:
                super().do_GET()

        def end_headers(self):
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
