"""One server and one chromium for a test module: `serve(demo)`, `open_browser()`."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ui import theme

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
def serve(demo, burst: int = 10_000) -> Iterator[str]:
    """The app on a free port of this machine, started as `app.main` starts it, but for the bound on runs."""
    _, url, _ = demo.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        **theme.settings(burst),
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
