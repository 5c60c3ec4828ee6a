"""An engine that plays given replies: tests, interface work and demos without weights.

    ScriptedEngine(["<think>\\nStep 1: 3 + 4 = 7\\n</think>\\n\\nThe answer is 7."])
    ScriptedEngine({"Ana has 3 apples ...": "<think>..."}, delay=0.05)
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mathtutor.chat import Conversation, render_conversation
from mathtutor.engines import Delta, Generation, Sampling, gather


class ScriptedEngine:
    """Replays replies word by word.

    `replies` is a list, played in order and then again from the start, or a mapping from the last
    user message to its reply; an unknown problem raises KeyError, so that a test cannot pass by luck.
    `delay` is in seconds a word. `num_produced` counts the words handed out, for tests of Stop.
    """

    calculates = False

    def __init__(self, replies: Sequence[str] | Mapping[str, str], delay: float = 0.0, name: str = "scripted"):
        if not replies:
            raise ValueError("a scripted engine needs at least one reply")
        self.name = name
        self.num_produced = 0
        self._replies = replies
        self._delay = delay
        self._turn = 0
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: str) -> ScriptedEngine:
        """Read a JSON file that holds a list of replies or an object problem -> reply."""
        try:
            replies = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"scripted:{path} cannot be read as JSON ({error})") from error
        if not isinstance(replies, (list, dict)):
            raise ValueError(f"scripted:{path} must hold a JSON list or object of replies")
        return cls(replies)

    def _reply(self, conversation: Conversation) -> str:
        if isinstance(self._replies, Mapping):
            return self._replies[conversation[-1]["content"]]
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
    ) -> Iterator[tuple[int, Generation]]:
        for index, conversation in enumerate(conversations):
            if stop is not None and stop.is_set():
                return
            started = time.monotonic()
            deltas = list(self.stream(conversation, sampling, stop))
            yield index, gather(deltas, time.monotonic() - started, render_conversation(conversation))
