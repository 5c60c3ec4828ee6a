"""What Learn and Compare share behind the page: the desk they work at, the status line, the waiting.

desk = Desk({"base": base, "tuned": tuned}, WaitingLine(), Limits())
for words in wait_for_turn(desk, place, [engine]): ...         # "2 people are ahead of you, about 9 seconds."
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace

import gradio as gr

from mathtutor.engines import Engine
from mathtutor.strings import ENGLISH, Strings, as_html
from mathtutor.tutoring.screen import Finding
from ui.language import spoken
from ui.shelf import Shelf
from ui.streams import FRAME, Limits, Place, WaitingLine, has_failed, is_ready


@dataclass(frozen=True)
class Desk:
    """The page's own engines ("base", "tuned"), the line of people for them, the limits of one run, and other models.

    `strings` are the words of who asks: a handler takes the desk `in_language_of` its request.
    """

    engines: dict[str, Engine]
    limits: Limits = Limits()
    line: WaitingLine = field(default_factory=WaitingLine)
    shelf: Shelf | None = None
    strings: Strings = ENGLISH

    @property
    def models(self) -> Shelf:
        """The shelf; without one, the page's own engines alone."""
        return self.shelf or Shelf(self.engines, models={})

    def in_language_of(self, request: gr.Request | None) -> Desk:
        """The same desk, speaking to who asks."""
        return replace(self, strings=spoken(request))


def status(words: str, said: str = "", kind: str = "busy") -> str:
    """The status line. Where `said` is given, only that is announced, so that no clock is read out."""
    live = f'<p class="{"mt-unseen" if said else "mt-words"}" role="status">{as_html(said or words)}</p>'
    shown = f'<p class="mt-words" aria-hidden="true">{as_html(words)}</p>' if said else ""
    return (
        f'<div class="mt-status mt-{kind}"><span class="mt-dot" aria-hidden="true"></span>{shown}{live}</div>'
    )


def refusal(finding: Finding, strings: Strings = ENGLISH) -> tuple[str, str]:
    """(status line, card) shown instead of asking a model; the card is "" but for worry words."""
    if finding is not Finding.WORRY:
        return status(strings.FINDINGS[finding], kind="hint"), ""
    lines = "".join(f"<p>{line}</p>" for line in strings.WORRY)
    return "", f'<section class="mt-worry" role="status"><h2>{strings.WORRY_TITLE}</h2>{lines}</section>'


def wait_for_turn(desk: Desk, place: Place, engines: Sequence[Engine]) -> Iterator[str]:
    """Status lines until it is this place's turn and `engines` have woken up or failed to."""
    with ExitStack() as awaited:
        for engine in engines:
            awaited.enter_context(getattr(engine, "awaited", nullcontext)())
        yield from _waited(desk.strings, place, engines)


def _waited(strings: Strings, place: Place, engines: Sequence[Engine]) -> Iterator[str]:
    while not place.ready(FRAME):
        ahead = place.ahead
        yield status(strings.counted(strings.AHEAD, ahead).format(ahead=ahead, seconds=place.seconds))
    started = time.monotonic()
    while waiting := [engine for engine in engines if not (is_ready(engine) or has_failed(engine))]:
        done, total = map(sum, zip(*(getattr(engine, "fetched", None) or (0, 0) for engine in waiting), strict=True))
        if done < total:
            words = strings.FETCHING.format(done=f"{done / 1e6:,.0f}", total=f"{total / 1e6:,.0f}")
            yield status(words, said=strings.FETCHING.split("…")[0])
        else:
            words = strings.WAKING.format(seconds=int(time.monotonic() - started))
            yield status(words, said=strings.WAKING.split("…")[0])
        time.sleep(FRAME)
