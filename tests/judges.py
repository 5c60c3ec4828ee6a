"""Stand-ins for math-verify that run in a process of its own; a module of their own, so that it loads in no time."""

from __future__ import annotations

import time


def moody(item: tuple[str, str]) -> tuple[bool, str]:
    """Right for all but replies that take for ever, idle or busy, and one that breaks the library."""
    time.sleep({"slow": 60, "idle": 1.5}.get(item[0], 0))
    while item[0] == "busy":
        pass
    if item[0] == "dies":
        raise RuntimeError("no")
    return True, ""
