"""An engine that plays given replies: tests, interface work and demos without weights.

    ScriptedEngine(["<think>\\nStep 1: 3 + 4 = 7\\n</think>\\n\\nThe answer is 7."])
    ScriptedEngine({"Ana has 3 apples ...": "<think>..."}, delay=0.05)
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mathtutor.chat import Conversation, open_reply, render_conversation
from mathtutor.engines import Delta, Generation, Sampling, gather


class ScriptedEngine:
    """Replays replies word by word.

    `replies` is a list, played in order and then again from the start, or a mapping from the last
    user message to its reply; an unknown problem raises ValueError, so that a test cannot pass by luck.
    `delay` is in seconds a word. `num_produced` counts the words handed out, for tests of Stop.
    """

    calculates = False

    def __init__(self, replies: Sequence[str] | Mapping[str, str], delay: float = 0.0, name: str = "scripted"):
        texts = list(replies.values()) if isinstance(replies, Mapping) else replies
        if not texts:
            raise ValueError("a scripted engine needs at least one reply")
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a scripted engine plays texts: give a list of them, or an object problem -> reply")
        self.name = name
        self.revision = ""
        self.num_produced = 0
        self._replies = replies
        self._delay = delay
        self._turn = 0
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: str) -> ScriptedEngine:
        """Read a JSON file that holds a list of replies or an object problem -> reply."""
        try:
            raw = Path(path).read_bytes()
            replies = json.loads(raw.decode("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"scripted:{path} cannot be read as JSON ({error})") from error
        if not isinstance(replies, (list, dict)):
            raise ValueError(f"scripted:{path} must hold a JSON list or object of replies")
        engine = cls(replies)
        engine.revision = hashlib.sha256(raw).hexdigest()[:16]
        return engine

    def require(self, problems: Iterable[str]) -> None:
        """Raises ValueError unless each problem has a reply of its own, whatever was asked before."""
        if not isinstance(self._replies, Mapping):
            raise ValueError("a list of replies cannot be resumed: write an object problem -> reply")
        for problem in problems:
            if problem not in self._replies:
                raise ValueError(f"the script holds no reply to {problem!r:.200}")

    def _reply(self, conversation: Conversation) -> str:
        if isinstance(self._replies, Mapping):
            problem = open_reply(conversation)[0][-1]["content"]
            self.require([problem])
            return self._replies[problem]
        with self._lock:
            reply = self._replies[self._turn % len(self._replies)]
            self._turn += 1
        return reply

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        words = re.findall(r"\S+\s*|\s+", self._reply(conversation))
        for word in words[: sampling.max_tokens]:
            if self._delay and stop is not None:
                stop.wait(self._delay)
            elif self._delay:
                time.sleep(self._delay)
            if stop is not None and stop.is_set():
                yield Delta("", 0, finish="stopped")
                return
            self.num_produced += 1
            yield Delta(word)
        yield Delta("", 0, finish="length" if len(words) > sampling.max_tokens else "stop")

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """In their order. A script has one reply to a problem, whatever the sampling and the seeds."""
        for index, conversation in enumerate(conversations):
            if stop is not None and stop.is_set():
                return
            started = time.monotonic()
            deltas = list(self.stream(conversation, sampling, stop))
            yield index, gather(deltas, time.monotonic() - started, render_conversation(*open_reply(conversation)))
