"""How far a long command has come, on its standard error; and lines for people, on its standard output.

    with progress(total, done, "replies") as advance:
        ...
        advance()
    for row in counted(rows, len(rows), "rows", "rules"):
        ...

A terminal has a bar. A pipe or a file, where a bar is unreadable, gets a plain line every half minute, whether anything was
finished or not, and one at the end of what took longer than that.

    say("exact_duplicate      -38")         # at once, and whether or not somebody still reads
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines
Item = TypeVar("Item")


def say(line: str) -> None:
    """Print a line at once. Where the reader went away (`| head`), the work goes on without telling."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress(total: int | None, done: int, unit: str, leave: bool = True, name: str = "") -> Iterator[Callable[..., None]]:
    """Gives what is to be called after each piece of work, or with the number of pieces.

    `total`: None where nobody knows it; `done`: pieces that were there before; `unit`: what they are called, many of them;
    `leave`: keep the bar; `name`: of the work, where a command does several.
    """
    if sys.stderr.isatty():
        with tqdm(total=total, initial=done, unit=f" {unit}", leave=leave, desc=name or None) as bar:
            yield lambda count=1: bar.update(count) and None
        return
    lines, ended = _Lines(total, done, unit, name), threading.Event()

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


def counted(items: Iterable[Item], total: int | None, unit: str, name: str = "") -> Iterator[Item]:
    """The items, each counted once whoever takes them has done with it."""
    with progress(total, 0, unit, name=name) as advance:
        for item in items:
            yield item
            advance()


class _Lines:
    """Lines in the place of a bar. A command that is over within `EVERY` seconds writes none."""

    def __init__(self, total: int | None, done: int, unit: str, name: str):
        self._total, self._begun, self._count, self._unit = total, done, done, unit
        self._head = f"{name}: " if name else ""
        self._started = time.monotonic()
        self.have_begun = False

    def advance(self, count: int = 1) -> None:
        self._count += count

    def say(self) -> None:
        self.have_begun = True
        passed, count = time.monotonic() - self._started, self._count
        left = 0.0
        if self._total is not None and count > self._begun:
            left = passed * (self._total - count) / (count - self._begun)
        of = "" if self._total is None else f" of {self._total:,}"
        to_go = f", about {duration(left)} to go" if left else ""
        print(f"{self._head}{count:,}{of} {self._unit} after {duration(passed)}{to_go}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """ "4 min 2 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
