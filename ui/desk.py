"""What Learn and Compare share behind the page: the desk they work at, the status line, the waiting.

desk = Desk({"base": base, "tuned": tuned}, WaitingLine(), Limits())
for words in wait_for_turn(desk, place): ...         # "2 people are ahead of you, about 9 seconds."
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from mathtutor.engines import Engine
from mathtutor.tutoring.screen import Finding
from ui import strings
from ui.streams import FRAME, Limits, Place, WaitingLine, has_failed, is_ready


@dataclass(frozen=True)
class Desk:
    """The engines by side ("base", "tuned"), the line of people for them, and the limits of one run."""

    engines: dict[str, Engine]
    limits: Limits = Limits()
    line: WaitingLine = field(default_factory=WaitingLine)


def status(words: str, spoken: str = "", kind: str = "busy") -> str:
    """The status line. Where `spoken` is given, only that is announced, so that no clock is read out."""
    live = f'<p class="{"mt-unseen" if spoken else "mt-words"}" role="status">{escape(spoken or words)}</p>'
    shown = f'<p class="mt-words" aria-hidden="true">{escape(words)}</p>' if spoken else ""
    return (
        f'<div class="mt-status mt-{kind}"><span class="mt-dot" aria-hidden="true"></span>{shown}{live}</div>'
    )


def refusal(finding: Finding) -> tuple[str, str]:
    """(status line, card) shown instead of asking a model; the card is "" but for worry words."""
    if finding is not Finding.WORRY:
        return status(strings.FINDINGS[finding], kind="hint"), ""
    lines = "".join(f"<p>{line}</p>" for line in strings.WORRY)
    return "", f'<section class="mt-worry" role="status"><h2>{strings.WORRY_TITLE}</h2>{lines}</section>'


def wait_for_turn(desk: Desk, place: Place, sides: tuple[str, ...]) -> Iterator[str]:
    """Status lines until it is this place's turn and the engines of `sides` have woken up or failed to."""
    while not place.ready(FRAME):
        ahead = place.ahead
        if ahead == 1:
            words = strings.AHEAD_ONE.format(seconds=place.seconds)
        else:
            words = strings.AHEAD_MANY.format(ahead=ahead, seconds=place.seconds)
        yield status(words)
    started = time.monotonic()
    while not all(is_ready(desk.engines[side]) or has_failed(desk.engines[side]) for side in sides):
        words = strings.WAKING.format(seconds=int(time.monotonic() - started))
        yield status(words, spoken=strings.WAKING.split("…")[0])
        time.sleep(FRAME)
