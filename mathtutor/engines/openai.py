"""Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, `transformers serve`, a hosted model.

    engine = OpenAIEngine("http://127.0.0.1:8000/v1", "Qwen/Qwen3-4B")
    engine.name                 "Qwen/Qwen3-4B at 127.0.0.1:8000": no key or path of the URL is ever shown

The server renders its own chat template and owns decoding, so the calculator has no effect here.
What a student types is broken up before it is sent, because few servers protect their templates.
The key is read from OPENAI_API_KEY; a local server needs none.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from mathtutor.chat import END_THINK, THINK, Conversation, defuse, render_conversation
from mathtutor.engines import Delta, Generation, Sampling, display_name, gather, without_urls

TIMEOUT = 60.0  # seconds between two pieces of a stream
RETRIES = 2  # in `replies`, before a reply has begun; a student who waits gets an error at once instead
POLL = 0.05  # seconds between two looks at `stop`
MAX_AHEAD = 1000  # pieces read before anybody took them
FINISH = {"stop": "stop", "length": "length"}


class EngineError(RuntimeError):
    """The server did not answer as it should; the message is fit for the screen."""


class Unreachable(EngineError):
    """There is no server to ask."""


class OpenAIEngine:
    """One model behind one URL; `concurrency` requests at once in `replies`."""

    calculates = False

    def __init__(self, url: str, model: str, concurrency: int = 8):
        import openai

        self.name = display_name(f"openai:{url}#{model}")
        self._model, self.concurrency = model, concurrency
        try:
            self._client = openai.AsyncOpenAI(
                base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=TIMEOUT, max_retries=0
            )
        except Exception as error:  # the library parses the URL with a parser of its own
            raise ValueError(f"{self.name}: the URL cannot be read, write openai:http://HOST:PORT/v1#MODEL") from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        """Deltas as the server sends them. A stream that breaks off without a finish raises EngineError.

        `stop` ends it within POLL, and the request with it, also where the server says nothing at all.
        """
        return self._stream(conversation, sampling, stop or threading.Event(), retries=0)

    def _stream(
        self, conversation: Conversation, sampling: Sampling, stop: threading.Event, retries: int
    ) -> Iterator[Delta]:
        if stop.is_set():
            yield Delta("", 0, finish="stopped")
            return
        # Reading happens in an event loop, where a wait for the network can be cancelled; a blocked
        # thread could only be waited for.
        pieces: queue.SimpleQueue[Delta | EngineError] = queue.SimpleQueue()
        reading = asyncio.run_coroutine_threadsafe(
            self._read(conversation, sampling, retries, pieces), self._running_loop()
        )
        try:
            while not stop.is_set():
                try:
                    piece = pieces.get(timeout=POLL)
                except queue.Empty:
                    continue
                if isinstance(piece, EngineError):
                    raise piece
                yield piece
                if piece.finish is not None:
                    return
            yield Delta("", 0, finish="stopped")
        finally:
            reading.cancel()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The engine's event loop, in a thread of its own from the first request on."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="openai", daemon=True).start()
            return self._loop

    async def _read(
        self, conversation: Conversation, sampling: Sampling, retries: int, pieces: queue.SimpleQueue
    ) -> None:
        """Put the deltas of one reply into `pieces`, the last with a finish, or an EngineError in its place."""
        try:
            response = await self._client.with_options(max_retries=retries).chat.completions.create(
                model=self._model,
                messages=[{**m, "content": defuse(m["content"])} for m in conversation],
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=sampling.seed,
                stream=True,
                extra_body={"top_k": sampling.top_k} if sampling.top_k else {},
            )
            async with response:
                await self._read_chunks(response, pieces)
        except EngineError as error:
            pieces.put(error)
        except Exception as error:  # the library's own errors, the network's in mid-stream, bad JSON in a chunk
            # By name: which package these come from is the library's own affair.
            unreachable = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            kind = Unreachable if unreachable else EngineError
            pieces.put(kind(f"{self.name} did not answer: {without_urls(str(error) or type(error).__name__)}"))

    async def _read_chunks(self, response, pieces: queue.SimpleQueue) -> None:
        thinking, ends_line, finish = False, False, None
        async for chunk in response:
            while pieces.qsize() > MAX_AHEAD:
                await asyncio.sleep(POLL)
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            # Servers with a reasoning parser send the thinking apart, under either of two names.
            extra = choice.delta.model_extra or {}
            thought = extra.get("reasoning_content") or extra.get("reasoning") or ""
            text = choice.delta.content or ""
            # They cut the tags out and may leave the line breaks that stood beside them.
            if thought and not thinking:
                thinking, thought = True, f"{THINK}\n{thought.lstrip()}"
            ends_line = thought.endswith("\n") if thought else ends_line
            if text and thinking:
                thinking, text = False, f"{'' if ends_line else chr(10)}{END_THINK}\n\n{text.lstrip()}"
            if thought or text:
                pieces.put(Delta(thought + text))
            finish = choice.finish_reason or finish
        if finish is None:
            raise EngineError(f"{self.name} broke off in the middle of a reply")
        pieces.put(Delta("", 0, finish=FINISH.get(finish, "stop")))

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """`concurrency` requests at once; tokens are counted as stream pieces, which is what servers send.

        A request that is refused or breaks off gives a Generation with finish "failed" and no text, and the
        others go on. EngineError is raised only where no server can be reached at all.
        """
        ended = threading.Event()  # leaving early must not wait for what is still being written

        class Both:
            @staticmethod
            def is_set() -> bool:
                return ended.is_set() or (stop is not None and stop.is_set())

        def ask(conversation: Conversation) -> Generation:
            started = time.monotonic()
            try:
                deltas = list(self._stream(conversation, sampling, Both, RETRIES))
            except Unreachable:
                raise
            except EngineError:
                deltas = [Delta("", 0, finish="failed")]
            return gather(deltas, time.monotonic() - started, render_conversation(conversation))

        with ThreadPoolExecutor(self.concurrency) as pool:
            futures = {pool.submit(ask, conversation): i for i, conversation in enumerate(conversations)}
            try:
                for future in as_completed(futures):
                    generation = future.result()
                    if generation.finish != "stopped":
                        yield futures[future], generation
            finally:
                ended.set()
                for future in futures:
                    future.cancel()
