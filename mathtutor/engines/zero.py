"""Models on a ZeroGPU Space of Hugging Face, where a graphics card is lent for seconds and only inside a function marked `@spaces.GPU`.

    zero.prepare(load_models())                             # before the page is launched: declares the functions that ask for a card
    engine = zero.ZeroEngine(HFEngine(path, name=name, waits=zero.is_elsewhere()))

What `spaces` 0.51.3 asks for (read in its source), and where it is met:

- It is imported before CUDA is touched, in the main thread, and some function is marked before the page is launched. It is
  installed on such a Space and nowhere else, and stands in no list of requirements.
- The marked function runs in a process that is forked from this one. What goes in and what comes out is pickled, so it takes a
  model's name and finds the model in `_HELD`, as it was when the process was forked. The process is kept for the next call of the
  same function, so each model has a function of its own: a process never lacks a model that was loaded after it began.
- Weights that the main thread puts on "cuda" before the launch are packed and travel fast. In any other thread "cuda" is
  not emulated: there they stay in memory (`waits`) until the process has the card (`HFEngine.arrive`).
- Closing the generator here is noticed there after its next piece. Hence the ticks (None): Stop ends the computing within two.
- The seconds declared are asked of the visitor's quota beforehand, and the shorter ones are served first. They follow from the
  budget of tokens, and the run ends itself when they are over.
- Whose quota it is `spaces` reads from Gradio's request, a context variable: ui/streams.py hands it on to its threads.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mathtutor.chat import Conversation
from mathtutor.engines import Delta, Generation, Sampling, UsedUp, where

if TYPE_CHECKING:
    from mathtutor.engines.hf import HFEngine

TICK = 0.05  # seconds without a piece after which the forked process says that it is there
BEGINNING = 5.0  # seconds until the first token: the fork, the weights' way to the card, the prompt
TOKENS_A_SECOND = 25.0  # at least, of up to 8 billion parameters by transformers on a part of an H200: assumed, not measured
MOST_SECONDS = 120  # that one run declares, whatever its budget

_spaces = None
_HELD: dict[str, HFEngine] = {}  # by name; the forked process has it too
_FUNCTIONS: dict[str, Callable[..., Iterator]] = {}


def is_on() -> bool:
    """Whether this is a ZeroGPU Space that `prepare` has been called on."""
    return _spaces is not None


def is_elsewhere() -> bool:
    """Whether this thread has no emulated card, so that weights must wait in memory."""
    return threading.current_thread() is not threading.main_thread()


def prepare(names: Iterable[str]) -> bool:
    """On a ZeroGPU Space: import `spaces`, and declare a function for each of `names`. Whether it is one."""
    global _spaces
    if os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true") and _spaces is None:
        try:
            import spaces
        except ImportError:  # no such Space after all
            return False
        _spaces = spaces
    for name in names if is_on() else ():
        _function(name)
    return is_on()


def seconds_for(sampling: Sampling) -> int:
    """What a run of this budget declares."""
    return math.ceil(min(MOST_SECONDS, BEGINNING + sampling.max_tokens / TOKENS_A_SECOND))


def _function(name: str) -> Callable[..., Iterator]:
    """The function that asks for a card to run the model of this name, the same one each time."""
    if name not in _FUNCTIONS:

        def generate(method: str, arguments: dict, seconds: int) -> Iterator:
            yield from _run(_HELD[name], method, arguments, seconds)

        _FUNCTIONS[name] = _spaces.GPU(generate, duration=lambda method, arguments, seconds: seconds)
    return _FUNCTIONS[name]


def _run(engine: HFEngine, method: str, arguments: dict, seconds: int) -> Iterator:
    """In the forked process: the pieces of `engine.method(**arguments)`, and None for each TICK without one."""
    deadline = time.monotonic() + seconds
    engine.arrive()
    pieces: queue.SimpleQueue = queue.SimpleQueue()
    stop, over = threading.Event(), object()

    def work() -> None:
        try:
            for piece in getattr(engine, method)(**arguments, stop=stop):
                pieces.put(piece)
            pieces.put(over)
        except BaseException as error:  # it belongs to the thread that reads
            pieces.put(error)

    worker = threading.Thread(target=work, daemon=True, name="generate")
    worker.start()
    is_late = False
    try:
        while True:
            if not is_late and time.monotonic() > deadline:
                is_late = True
                stop.set()
            try:
                piece = pieces.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            if piece is over:
                return
            if isinstance(piece, BaseException):
                raise RuntimeError(where(piece)) from None  # `spaces` prints it, and its own words may quote the problem
            if is_late and isinstance(piece, Delta) and piece.finish == "stopped":
                piece = replace(piece, finish="length")
            yield piece
    finally:
        stop.set()
        worker.join()


class ZeroEngine:
    """A local model whose every run asks for a card. Raises UsedUp where the visitor has no more time on one."""

    calculates = True

    def __init__(self, engine: HFEngine):
        self.name, self.revision, self.batch_size = engine.name, engine.revision, engine.batch_size
        _HELD[self.name] = engine
        self._generate = _function(self.name)

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        yield from self._ask("stream", stop, conversation=conversation, sampling=sampling)

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        yield from self._ask("replies", stop, conversations=conversations, sampling=sampling, seeds=seeds)

    def _ask(self, method: str, stop: threading.Event | None, **arguments) -> Iterator:
        pieces = self._generate(method, arguments, seconds_for(arguments["sampling"]))
        try:
            for piece in pieces:
                if stop is not None and stop.is_set():
                    return
                if piece is not None:
                    yield piece
        except Exception as error:
            if _is_quota(error):
                raise UsedUp("this visitor has no more time on the lent graphics card") from error
            raise
        finally:
            pieces.close()


def _is_quota(error: Exception) -> bool:
    """Whether `spaces` says that there is no card for this visitor now. It raises gr.Error, whose kind is its title alone."""
    words = f"{getattr(error, 'title', '')} {error}".lower()
    return any(each in words for each in ("quota", "gpu limit", "runs limit", "credits", "no gpu was available", "illegal duration"))
