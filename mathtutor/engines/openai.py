"""Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, `transformers serve`, a hosted model.

    engine = OpenAIEngine("http://127.0.0.1:8000/v1", "Qwen/Qwen3-4B")
    engine.name                 "Qwen/Qwen3-4B at 127.0.0.1:8000": no key or path of the URL is ever shown

The server renders its own chat template and owns decoding, so the calculator has no effect here. A reply is gone
on with, and a reasoning ended after `think_budget`, by a second request that vLLM and SGLang understand.
What a student types is broken up before it is sent, because few servers protect their templates.
The key is read from OPENAI_API_KEY; a local server needs none.

Tokens are those of the server's own `usage`, which is asked for. A server that refuses the question, or leaves it without
an answer, has its pieces counted, and a piece may hold several tokens: `Generation.pieces` says so of the reply.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from mathtutor.chat import END_THINK, THINK, Conversation, defuse, open_reply, render_conversation
from mathtutor.engines import Delta, Generation, Sampling, display_name, gather, without_urls

TIMEOUT = 60.0  # seconds between two pieces of a stream, and before the first one
RETRIES = 2  # in `replies`, before a reply has begun; a student who waits gets an error at once instead
POLL = 0.05  # seconds between two looks at `stop`
MAX_AHEAD = 1000  # pieces read before anybody took them
# Any other word (a filter, a call of tools, an abort) means that this is no whole reply.
FINISH = {"stop": "stop", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "length": "length", "max_tokens": "length"}


class EngineError(RuntimeError):
    """The server did not answer as it should; the message is fit for the screen."""


class Unreachable(EngineError):
    """There is no server to ask, or none that would answer anything: the key or the model is refused."""


@dataclass(frozen=True)
class _Read:
    """What one request gave: its text, pieces and reason for ending."""

    text: str
    num_tokens: int
    finish: str


class OpenAIEngine:
    """One model behind one URL; `concurrency` requests at once in `replies`."""

    calculates = False

    def __init__(self, url: str, model: str, concurrency: int = 8):
        import openai

        self.name = display_name(f"openai:{url}#{model}")
        self._model, self.concurrency, self.timeout = model, concurrency, TIMEOUT
        try:
            self._client = openai.AsyncOpenAI(
                base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=TIMEOUT, max_retries=0
            )
        except Exception as error:  # the library parses the URL with a parser of its own
            raise ValueError(f"{self.name}: the URL cannot be read, write openai:http://HOST:PORT/v1#MODEL") from error
        self._takes_options: bool | None = None  # whether the server takes a request for its usage; None: it was never asked
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
            turns, prefill = open_reply(conversation)
            budget = min(sampling.think_budget or sampling.max_tokens, sampling.max_tokens)
            read = await self._ask(turns, prefill, sampling, budget, retries, pieces)
            if FINISH[read.finish] == "length" and budget < sampling.max_tokens:
                # The reasoning is ended for the model where it is still open; an answer in the making just goes on.
                begun = prefill + read.text
                if begun.rfind(THINK) > begun.rfind(END_THINK):
                    pieces.put(Delta(sampling.think_stop, 0))
                    begun += sampling.think_stop
                left = sampling.max_tokens - read.num_tokens
                read = await self._ask(turns, begun, sampling, left, retries, pieces)
            pieces.put(Delta("", 0, finish=FINISH[read.finish]))
        except EngineError as error:
            pieces.put(error)
        except Exception as error:  # the library's own errors, the network's in mid-stream, bad JSON in a chunk
            # By name: which package these come from is the library's own affair.
            unreachable = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            # Of any question: a wrong key, a wrong name of the model, a wrong path. A 403 may be of one question alone.
            unreachable |= type(error).__name__ in ("AuthenticationError", "NotFoundError")
            kind = Unreachable if unreachable else EngineError
            pieces.put(kind(f"{self.name} did not answer: {without_urls(str(error) or type(error).__name__)}"))

    async def _ask(
        self, turns: Conversation, prefill: str, sampling: Sampling, max_tokens: int, retries: int, pieces: queue.SimpleQueue
    ) -> _Read:
        """One request, its pieces put into `pieces` as they come. `prefill` is what the reply goes on from."""
        messages = [{**m, "content": m["content"] if m["role"] == "assistant" else defuse(m["content"])} for m in turns]
        extra: dict = {"top_k": sampling.top_k} if sampling.top_k else {}
        if sampling.thinking is not None:  # Qwen3's templates know it, others ignore it
            extra["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
        if prefill:  # vLLM's and SGLang's way to go on with a turn
            messages.append({"role": "assistant", "content": prefill})
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        request = {
            "model": self._model, "messages": messages, "max_tokens": max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p,
            "seed": sampling.seed, "stream": True, "extra_body": extra, **({"logprobs": True} if sampling.logprobs else {}),
        }  # fmt: skip
        response = await self._open(request, retries)
        async with response:
            return await self._read_chunks(response, pieces)

    async def _open(self, request: dict, retries: int):
        """The stream of one request, asked for its usage unless the server refuses just that."""
        import openai

        create = self._client.with_options(max_retries=retries, timeout=self.timeout).chat.completions.create
        if self._takes_options is not False:
            try:
                response = await create(**request, stream_options={"include_usage": True})
                self._takes_options = True
                return response
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                if self._takes_options:
                    raise
                # Whether it was this that was refused is only known by asking without: not all servers name it.
        response = await create(**request)
        self._takes_options = False
        return response

    async def _read_chunks(self, response, pieces: queue.SimpleQueue) -> _Read:
        thinking, ends_line, finish = False, False, None
        whole, num_tokens, usage = "", 0, None
        async for chunk in response:
            while pieces.qsize() > MAX_AHEAD:
                await asyncio.sleep(POLL)
            usage = chunk.usage or usage  # it comes last, in a piece without text; some servers send how many so far with each
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
                given = choice.logprobs.content if choice.logprobs and choice.logprobs.content else ()
                pieces.put(Delta(thought + text, logprobs=tuple(token.logprob for token in given)))
                whole, num_tokens = whole + thought + text, num_tokens + 1
            finish = choice.finish_reason or finish
        if finish is None:
            raise EngineError(f"{self.name} broke off in the middle of a reply")
        if finish not in FINISH:
            raise EngineError(f"{self.name} ended a reply with {finish!r}, so it is not whole")
        counted = usage.completion_tokens if usage else None
        if counted:  # the pieces are on their way, each as one token: the difference follows
            pieces.put(Delta("", counted - num_tokens))
            num_tokens = counted
        elif num_tokens:
            pieces.put(Delta("", 0, pieces=True))
        return _Read(whole, num_tokens, finish)

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """`concurrency` requests at once.

        A request that is refused or breaks off gives a Generation with finish "failed" and no text, and the
        others go on. EngineError is raised only where no server can be reached at all, or it refuses the key or the model.
        """
        ended = threading.Event()  # leaving early must not wait for what is still being written

        class Both:
            @staticmethod
            def is_set() -> bool:
                return ended.is_set() or (stop is not None and stop.is_set())

        def ask(conversation: Conversation, seed: int) -> Generation:
            started = time.monotonic()
            try:
                deltas = list(self._stream(conversation, replace(sampling, seed=seed), Both, RETRIES))
            except Unreachable:
                raise
            except EngineError:
                deltas = [Delta("", 0, finish="failed")]
            return gather(deltas, time.monotonic() - started, render_conversation(*open_reply(conversation)))

        with ThreadPoolExecutor(self.concurrency) as pool:
            given = seeds or [sampling.seed] * len(conversations)
            pairs = enumerate(zip(conversations, given, strict=True))
            futures = {pool.submit(ask, conversation, seed): i for i, (conversation, seed) in pairs}
            try:
                for future in as_completed(futures):
                    generation = future.result()
                    if generation.finish != "stopped":
                        yield futures[future], generation
            finally:
                ended.set()
                for future in futures:
                    future.cancel()
