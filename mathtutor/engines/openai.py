"""Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, `transformers serve`, a hosted model.

    engine = OpenAIEngine("http://127.0.0.1:8000/v1", "Qwen/Qwen3-4B")

The server renders its own chat template and owns decoding, so the calculator has no effect here.
What a student types is broken up before it is sent, because few servers protect their templates.
The key is read from OPENAI_API_KEY; a local server needs none.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from mathtutor.chat import END_THINK, THINK, Conversation, defuse, render_conversation
from mathtutor.engines import Delta, Generation, Sampling, gather

TIMEOUT = 60.0  # seconds between two pieces of a stream
FINISH = {"stop": "stop", "length": "length"}


class EngineError(RuntimeError):
    """The server did not answer as it should; the message is fit for the screen."""


class OpenAIEngine:
    """One model behind one URL; `concurrency` requests at once in `replies`."""

    calculates = False

    def __init__(self, url: str, model: str, concurrency: int = 8):
        import openai

        self.name = f"openai:{url}#{model}"
        self._model, self._concurrency = model, concurrency
        self._openai = openai
        self._client = openai.OpenAI(
            base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=TIMEOUT, max_retries=2
        )

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        """Deltas as the server sends them. A stream that breaks off without a finish raises EngineError."""
        options = {"top_k": sampling.top_k} if sampling.top_k else {}
        stopped = stop or threading.Event()
        if stopped.is_set():
            yield Delta("", 0, finish="stopped")
            return
        try:
            response = self._client.chat.completions.create(
                model=self._model,
                messages=[{**m, "content": defuse(m["content"])} for m in conversation],
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=sampling.seed,
                stream=True,
                extra_body=options,
            )
            with response:
                yield from self._deltas(response, stopped)
        except self._openai.OpenAIError as error:
            raise EngineError(f"{self.name} did not answer: {error}") from error

    def _deltas(self, response, stop: threading.Event) -> Iterator[Delta]:
        thinking, finish = False, None
        for chunk in response:
            if stop.is_set():
                yield Delta("", 0, finish="stopped")
                return
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            # Servers with a reasoning parser send the thinking apart, under either of two names.
            extra = choice.delta.model_extra or {}
            thought = extra.get("reasoning_content") or extra.get("reasoning") or ""
            text = choice.delta.content or ""
            if thought and not thinking:
                thinking, thought = True, f"{THINK}\n{thought}"
            if text and thinking:
                thinking, text = False, f"\n{END_THINK}\n\n{text.lstrip()}"
            if thought or text:
                yield Delta(thought + text)
            finish = choice.finish_reason or finish
        if finish is None:
            raise EngineError(f"{self.name} broke off in the middle of a reply")
        yield Delta("", 0, finish=FINISH.get(finish, "stop"))

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """`concurrency` requests at once; tokens are counted as stream pieces, which is what servers send."""

        def ask(conversation: Conversation) -> Generation:
            started = time.monotonic()
            deltas = list(self.stream(conversation, sampling, stop))
            return gather(deltas, time.monotonic() - started, render_conversation(conversation))

        with ThreadPoolExecutor(self._concurrency) as pool:
            futures = {pool.submit(ask, conversation): i for i, conversation in enumerate(conversations)}
            try:
                for future in as_completed(futures):
                    generation = future.result()
                    if generation.finish != "stopped":
                        yield futures[future], generation
            finally:
                for future in futures:
                    future.cancel()
