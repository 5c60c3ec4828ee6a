"""From engine threads to one generator: who may compute, and what has been written so far.

    with line.place() as place:                      # one at a time, in the order of arrival
        while not place.ready(0.25): yield f"{place.ahead} people are ahead of you"
        with Race({"base": base, "tuned": tuned}, messages, sampling, place) as race:
            for side, delta in race: ...             # (None, None) is a tick: the clock moves on

Gradio runs two listeners of one button one after the other and stops only the first, so two models
that stream side by side must be two threads behind one generator. Leaving the `with`, for whatever
reason (done, Stop, a closed tab, an error), sets the flag that ends both threads.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass

from mathtutor.chat import Conversation
from mathtutor.engines import (
    Delta,
    Engine,
    Generation,
    Sampling,
    UsedUp,
    display_name,
    load_engine,
    where,
    without_urls,
)

log = logging.getLogger("mathtutor.app")

TICK = 0.05  # seconds between two looks at the clock
FRAME = 0.15  # seconds between two updates of a page: at most 7 a second. Every wait yields this often,
# changed or not: Gradio can close a generator only between two of its yields, so this bounds Stop too.
MAX_CHARS = 20_000  # of one reply, against an endpoint that ignores max_tokens


@dataclass(frozen=True)
class Limits:
    """The bounds of one run. `slots` is how many runs may compute at once."""

    max_tokens: int = 512
    max_seconds: float = 60.0
    slots: int = 1
    max_waiting: int = 12


class LazyEngine:
    """An engine that is loaded in the background: the page opens before its weights are read.

    Its download goes on to the end; where `may_stop`, only as long as somebody waits for it (`awaited`).
    """

    def __init__(self, spec: str, may_stop: bool = False):
        self.spec, self._may_stop = spec, may_stop
        self._waiting, self._counting, self._stop = 0, threading.Lock(), threading.Event()
        self.failure: str | None = None
        self.fetched: tuple[int, int] | None = None  # bytes of a download: done, in all
        self._engine: Engine | None = None
        self._loaded = threading.Event()
        self._started = threading.Lock()

    @property
    def name(self) -> str:
        return display_name(self.spec)

    @property
    def calculates(self) -> bool:
        return self._engine is not None and self._engine.calculates

    @property
    def ready(self) -> bool:
        return self._engine is not None

    def start(self) -> LazyEngine:
        """Begin to load, once; a second call does nothing."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._load, name=f"load {self.name}", daemon=True).start()
        return self

    def load(self) -> None:
        """Load in this thread, unless that has begun."""
        if self._started.acquire(blocking=False):
            self._load()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the loading to end; whether the engine is ready then."""
        self._loaded.wait(timeout)
        return self.ready

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Somebody waits for it. When the last one leaves before it is there, its download is stopped, and it has failed."""
        with self._counting:
            self._waiting += 1
        try:
            yield
        finally:
            with self._counting:
                self._waiting -= 1
                if self._may_stop and not self._waiting and not self._loaded.is_set() and self.fetched is not None:
                    self.failure = "nobody waited for its download any more"  # at once: the next one asks for a new engine
                    self._stop.set()

    def _load(self) -> None:
        try:
            self._engine = load_engine(self.spec, self._note, self._stop)
        except Exception as error:  # whatever a library raises, the page must say something kind
            if self._stop.is_set():
                return
            words = str(error).replace(self.spec, self.name)
            self.failure = f"{type(error).__name__}: {without_urls(words)}"
            log.error("engine %s could not be loaded: %s", self.name, self.failure)
        finally:
            self._loaded.set()

    def _note(self, done: int, total: int) -> None:
        self.fetched = (done, total)

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        if self._engine is None:
            raise RuntimeError(f"engine {self.name} is not loaded")
        return self._engine.stream(conversation, sampling, stop)

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        if self._engine is None:
            raise RuntimeError(f"engine {self.name} is not loaded")
        return self._engine.replies(conversations, sampling, stop)


def failed_with(error: Exception, what: str) -> str:
    """How a reply ends whose engine raised: "used up" or "failed", which is logged. One sentence on the page, never a traceback."""
    if isinstance(error, UsedUp):
        return "used up"
    log.error("%s failed: %s", what, where(error))
    return "failed"


def _thread(name: str, work, *arguments) -> threading.Thread:
    """A thread of its own for an engine, in the caller's context: there a lent machine reads whose request it is."""
    return threading.Thread(target=copy_context().run, args=(work, *arguments), name=name, daemon=True)


def is_ready(engine: Engine) -> bool:
    return getattr(engine, "ready", True)


def has_failed(engine: Engine) -> bool:
    return getattr(engine, "failure", None) is not None


class Full(Exception):
    """As many people wait as the line holds."""


class Place:
    """One person's place in the line."""

    def __init__(self, line: WaitingLine):
        self._line = line
        self._held = 1  # the visitor's own hold; each engine thread adds one
        self.since: float | None = None  # when the place became the first

    @property
    def ahead(self) -> int:
        """How many others go first."""
        return self._line.ahead(self)

    @property
    def seconds(self) -> int:
        """About how long that takes, at least 1."""
        return max(1, round((self.ahead + 1) * self._line.typical_seconds / self._line.slots))

    def ready(self, timeout: float) -> bool:
        """Whether it is this place's turn, waiting up to `timeout` seconds for it."""
        return self._line.wait(self, timeout)

    def hold(self) -> None:
        """Keep the turn until one more `release`: an engine thread may outlive its visitor by a token."""
        with self._line.changed:
            self._held += 1

    def release(self) -> None:
        with self._line.changed:
            self._held -= 1
            if self._held == 0:
                self._line.leave(self)


class WaitingLine:
    """First come, first served; `slots` at a time. Knows who is ahead, which Gradio's queue tells nobody."""

    def __init__(self, slots: int = 1, max_waiting: int = 12):
        self.slots = slots
        self.max_waiting = max_waiting
        self.typical_seconds = 4.0  # a running mean of how long a turn takes
        self.changed = threading.Condition()
        self._places: deque[Place] = deque()

    def __len__(self) -> int:
        return len(self._places)

    def ahead(self, place: Place) -> int:
        with self.changed:
            return max(0, self._places.index(place) - self.slots + 1) if place in self._places else 0

    def wait(self, place: Place, timeout: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self._is_turn(place), timeout)

    def _is_turn(self, place: Place) -> bool:
        turn = self._places.index(place) < self.slots
        if turn and place.since is None:
            place.since = time.monotonic()
        return turn

    def leave(self, place: Place) -> None:
        self._places.remove(place)
        if place.since is not None:
            self.typical_seconds += 0.3 * (time.monotonic() - place.since - self.typical_seconds)
        self.changed.notify_all()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Stand in line; raises Full where it has no room."""
        place = Place(self)
        with self.changed:
            if len(self._places) >= self.slots + self.max_waiting:
                raise Full
            self._places.append(place)
        try:
            yield place
        finally:
            place.release()


class Race:
    """One or more engines on the same conversation, each in its thread, read as one iterator.

    Yields (side, delta), at most TICK seconds apart: (None, None) where nothing was written. A side ends
    with a delta that has a `finish`; an engine that raises ends with "failed" or "used up".
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        conversation: Conversation,
        sampling: Sampling,
        place: Place,
        max_seconds: float = 60.0,
    ):
        self._pieces: queue.SimpleQueue[tuple[str, Delta]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._place = place
        self._sides = tuple(engines)
        self._deadline = time.monotonic() + max_seconds
        self._threads = [
            _thread(f"reply {side}", self._produce, side, engine, conversation, sampling) for side, engine in engines.items()
        ]

    def _produce(self, side: str, engine: Engine, conversation: Conversation, sampling: Sampling) -> None:
        num_chars = 0
        try:
            for delta in engine.stream(conversation, sampling, self._stop):
                num_chars += len(delta.text)
                if num_chars > MAX_CHARS and delta.finish is None:
                    self._pieces.put((side, Delta("", 0, finish="length")))
                    return
                self._pieces.put((side, delta))
                if delta.finish is not None:
                    return
            self._pieces.put((side, Delta("", 0, finish="stop")))
        except Exception as error:
            self._pieces.put((side, Delta("", 0, finish=failed_with(error, "a reply"))))
        finally:
            self._place.release()

    def __enter__(self) -> Race:
        for thread in self._threads:
            self._place.hold()
            thread.start()
        return self

    def __iter__(self) -> Iterator[tuple[str | None, Delta | None]]:
        running = list(self._sides)
        while running:
            if time.monotonic() > self._deadline:  # also where an engine says nothing at all
                self._stop.set()
                yield from ((side, Delta("", 0, finish="length")) for side in running)
                return
            try:
                side, delta = self._pieces.get(timeout=TICK)
            except queue.Empty:
                yield None, None
                continue
            if delta.finish is not None:
                running.remove(side)
            yield side, delta

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            # Gradio closes a generator on its event loop, so this must not wait long for a slow server;
            # the thread holds the place in line until it has really ended.
            thread.join(timeout=0.2)


class Batch:
    """`count` replies of one engine to the same conversation, in one call, made out of sight in a thread.

    with Batch(engine, messages, sampling, 5, place) as batch:
        for done in batch: ...      # how many replies there are, at most TICK seconds apart
    batch.replies                   # those that came to an end; fewer than `count` where time ran out or the engine broke
    """

    def __init__(
        self, engine: Engine, conversation: Conversation, sampling: Sampling, count: int, place: Place, max_seconds: float = 60.0
    ):  # fmt: skip
        self._found: dict[int, Generation] = {}
        self.failed: str | None = None  # "failed" or "used up", where the engine raised
        self._stop, self._over = threading.Event(), threading.Event()
        self._place = place
        self._deadline = time.monotonic() + max_seconds
        self._thread = _thread("replies", self._produce, engine, [conversation] * count, sampling)

    @property
    def replies(self) -> list[Generation]:
        return [self._found[index] for index in sorted(self._found)]

    def _produce(self, engine: Engine, conversations: list[Conversation], sampling: Sampling) -> None:
        try:
            for index, generation in engine.replies(conversations, sampling, self._stop):
                if self._stop.is_set():
                    return
                if len(generation.text) <= MAX_CHARS:
                    self._found[index] = generation
        except Exception as error:
            self.failed = failed_with(error, "replies")
        finally:
            self._over.set()
            self._place.release()

    def __enter__(self) -> Batch:
        self._place.hold()
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[int]:
        while not self._over.wait(TICK):
            if time.monotonic() > self._deadline:
                return
            yield len(self._found)

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(timeout=0.2)  # not longer, see Race
