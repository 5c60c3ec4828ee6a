"""How far a long command has come, on its standard error.

    with progress(total, done, "replies") as advance:
        ...
        advance()

A terminal has a bar. A pipe or a file, where a bar is unreadable, gets a plain line every half minute, whether anything was
finished or not, and one at the end of what took longer than that.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines


@contextmanager
def progress(total: int, done: int, unit: str, leave: bool = True) -> Iterator[Callable[[], None]]:
    """Gives what is to be called after each piece of work. `done`: pieces that were there before; `unit`: what they are called, many of them; `leave`: keep the bar."""
    if sys.stderr.isatty():
        with tqdm(total=total, initial=done, unit=f" {unit}", leave=leave) as bar:
            yield lambda: bar.update() and None
        return
    lines, ended = _Lines(total, done, unit), threading.Event()

    def tell() -> None:
        while not ended.wait(EVERY):
            lines.say()

    # A thread of its own: that nothing has come for minutes is worth a line too.
    threading.Thread(target=tell, name="progress", daemon=True).start()
    try:
        yield lines.advance
    finally:
        ended.set()
    if lines.have_begun:
        lines.say()


class _Lines:
    """Lines in the place of a bar. A command that is over within `EVERY` seconds writes none."""

    def __init__(self, total: int, done: int, unit: str):
        self._total, self._begun, self._count, self._unit = total, done, done, unit
        self._started = time.monotonic()
        self.have_begun = False

    def advance(self) -> None:
        self._count += 1

    def say(self) -> None:
        self.have_begun = True
        passed, count = time.monotonic() - self._started, self._count
        left = passed * (self._total - count) / (count - self._begun) if count > self._begun else 0.0
        to_go = f", about {_told(left)} to go" if left else ""
        print(
            f"{count:,} of {self._total:,} {self._unit} after {_told(passed)}{to_go}",
            file=sys.stderr,
            flush=True,
        )


def _told(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
