"""One server and one chromium for a test module: `serve(demo)`, `open_browser()`.

What a test waits for may take PATIENCE, for a busy machine is no fault of the page. A promise of time is another
matter: `keeps` measures it some times, and one time must keep it. A fault spoils all of them, a busy machine some.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        **theme.settings(burst, rate),
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


def eventually(true: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether `true()` becomes true within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def keeps(promise: float, measure: Callable[[], float], tries: int = 4) -> bool:
    """Whether one of `tries` measurements stays below `promise`, a time in seconds."""
    return any(measure() < promise for _ in range(tries))
