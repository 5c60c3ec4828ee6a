"""Stand-ins for math-verify that run in a process of its own; a module of their own, so that it loads in no time."""

from __future__ import annotations

import time


def moody(item: tuple[str, str]) -> tuple[bool, str]:
    """Right for all but a reply that takes for ever and one that breaks the library."""
    time.sleep(60 if item[0] == "slow" else 0)
    if item[0] == "dies":
        raise RuntimeError("no")
    return True, ""
