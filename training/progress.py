"""How far a run has come, on its standard error: a bar on a terminal, plain lines in a pipe or a file.

    step 240 of 6,531: loss 0.310, 1,840 tokens/s; 4 min 2 s, about 1 h 45 min to go

A line comes with every row of the log, and half a minute after the last one at the latest, once the step is over.
"""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from mathtutor.progress import EVERY, duration


class Progress:
    """`done`: steps before this start; a process that is not `shown` writes nothing."""

    def __init__(self, total: int, done: int, shown: bool = True):
        on_terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, unit="step", disable=not (shown and on_terminal), mininterval=1)
        self._in_lines = shown and not on_terminal
        self._total, self._first, self._done, self._told_at = total, done, done, None
        self._started = self._last = time.monotonic()
        self._said = ""

    def advance(self) -> None:
        """A step is done."""
        self._done += 1
        self._bar.update()
        if self._in_lines and time.monotonic() - self._last >= EVERY:
            self._line()

    def tell(self, said: str) -> None:
        """What the log has of the steps so far, such as "loss 0.310, 1,840 tokens/s"."""
        self._said = said
        self._bar.set_postfix_str(said)
        if self._in_lines:
            self._line()

    def write(self, text: str) -> None:
        """A line of its own on standard output, above the bar and at once."""
        self._bar.write(text, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        self._bar.close()

    def _line(self) -> None:
        self._last = time.monotonic()
        if self._told_at == (self._done, self._said):
            return
        self._told_at = (self._done, self._said)
        passed, made = self._last - self._started, self._done - self._first
        to_go = f", about {duration(passed * (self._total - self._done) / made)} to go" if 0 < made and self._done < self._total else ""
        print(f"step {self._done:,} of {self._total:,}: {self._said + '; ' if self._said else ''}{duration(passed)}{to_go}", file=sys.stderr, flush=True)


def lines_at_once() -> None:
    """Let a pipe have each line of standard output when it is printed, not thousands of bytes later."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
