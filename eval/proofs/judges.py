"""Judges: a model behind the vendor's own SDK, asked once and told apart when it fails.

    judge = load_judge("anthropic:claude-sonnet-4-6")                  # the key from ANTHROPIC_API_KEY
    judge = load_judge("openai:http://127.0.0.1:8000/v1#gpt-oss-20b")  # any compatible server; OPENAI_API_KEY if it asks
    answer = await judge.ask(prompt, max_tokens=16000, seed=7)         # raises Fault

The SDKs would send a failed request up to three times without telling anybody. Here each sending is one request, so
that the journal can count what it may have cost; `eval.proofs.grading` decides what is sent again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from eval.proofs.prompts import Prompt
from mathtutor.chat import defuse
from mathtutor.engines import without_urls

PRICES = Path(__file__).with_name("prices.yaml")
TIMEOUT, CONNECT = 1200.0, 15.0  # seconds; a judge that thinks says nothing for long

# In the settings of a request: what is ours to set, or would make it dearer than --max-usd reckons with.
OWNED = {"model", "messages", "system", "max_tokens", "max_completion_tokens", "stream", "stream_options", "n", "seed"}
DEARER = {"best_of", "use_beam_search", "n_predict", "models", "service_tier", "tools", "web_search_options", "plugins", "speed", "mcp_servers"}

UNREACHABLE, CUT = 0, -1  # nobody there; a connection that broke after the request had gone out
FOR_GOOD = {401, 402, 403, 404, 405}  # the same for every request, until somebody mends it
OWN_FAULT = {400, 413, 415, 422}  # of this request
# A server's own refusals and failures are not billed; these may hide a model that went on working behind a gateway.
MAYBE_BILLED = {CUT, 408, 502, 504, *range(520, 528)}


@dataclass(frozen=True)
class Answer:
    """What a judge wrote. `stop`: "stop", "length" (met its limit) or "refusal". Tokens are None where not told."""

    text: str
    stop: str
    input_tokens: float | None
    output_tokens: int | None
    thinking: str = ""


class Fault(Exception):
    """No answer. `status` is that of HTTP, or UNREACHABLE, or CUT; `wait` is in seconds, where the server asks for that."""

    def __init__(self, status: int, said: str, wait: float | None = None):
        super().__init__(said)
        self.status, self.said, self.wait = status, said, wait

    @property
    def is_free(self) -> bool:
        return self.status not in MAYBE_BILLED

    @property
    def is_for_good(self) -> bool:
        return self.status in FOR_GOOD or 300 <= self.status < 400

    @property
    def is_own(self) -> bool:
        return self.status in OWN_FAULT


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens; `is_known` is False where nobody gave one and it is taken to be nothing."""

    input: float
    output: float
    is_known: bool = True

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """US dollars."""
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000


@cache
def price_table() -> dict:
    return yaml.safe_load(PRICES.read_text(encoding="utf-8"))


def check_settings(settings: Any) -> dict:
    """Further keys of each request, such as {"temperature": 0.2}. Raises ValueError for those that are not free to set."""
    if not isinstance(settings, dict):
        raise ValueError('--settings must be a JSON object such as {"temperature": 0.2}')
    if taken := sorted(OWNED & settings.keys()):
        raise ValueError(f"--settings may not hold {', '.join(taken)}: the command sets that")
    if dearer := sorted(DEARER & settings.keys()):
        raise ValueError(f"--settings may not hold {', '.join(dearer)}: a grade could cost more than --max-usd reckons with")
    try:
        json.dumps(settings, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--settings holds a value that is no JSON ({error}): mend it") from error
    return settings


class Judge:
    """One model with its price. `name` is what the record says: the model and its settings, no URL and no key."""

    kind = ""
    _client: Any

    def __init__(self, model: str, price: Price, settings: dict):
        self.model, self.price, self.settings = model, price, settings

    @property
    def name(self) -> str:
        more = f" {json.dumps(self.settings, sort_keys=True)}" if self.settings else ""
        return f"{self.kind}:{self.model}{more}"

    async def ask(self, prompt: Prompt, max_tokens: int, seed: int) -> Answer:
        """One request. Raises Fault."""
        raise NotImplementedError

    async def close(self) -> None:
        await self._client.close()


class AnthropicJudge(Judge):
    """Claude. Streamed, as the SDK demands of long replies; a stream that ends without its reason to stop is cut."""

    kind = "anthropic"

    def __init__(self, model: str, price: Price, settings: dict, needs_key: bool = True):
        import anthropic

        super().__init__(model, price, settings)
        key = os.environ.get("ANTHROPIC_API_KEY")
        if not key and needs_key:
            raise ValueError("ANTHROPIC_API_KEY is not set: put the key of your account there")
        self._client = anthropic.AsyncAnthropic(api_key=key or "none", max_retries=0, timeout=anthropic.Timeout(TIMEOUT, connect=CONNECT))

    async def ask(self, prompt: Prompt, max_tokens: int, seed: int) -> Answer:
        try:
            async with self._client.messages.stream(
                model=self.model,
                max_tokens=max_tokens,
                system=prompt.system,
                messages=[{"role": "user", "content": prompt.user}],
                extra_body=self.settings,
            ) as stream:
                message = await stream.get_final_message()
        except Exception as error:  # the library's own errors, the network's in mid-stream, bad JSON in an event
            raise fault_of(error) from None
        stop = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refusal"}.get(message.stop_reason, "stop")
        if message.stop_reason is None:
            raise Fault(CUT, "the reply broke off")
        usage = message.usage
        table = price_table()
        sent = (
            usage.input_tokens
            + table["cache_write"] * (usage.cache_creation_input_tokens or 0)
            + table["cache_read"] * (usage.cache_read_input_tokens or 0)
        )
        text = "".join(block.text for block in message.content if block.type == "text")
        thinking = "\n".join(block.thinking for block in message.content if block.type == "thinking")
        return Answer(text, stop, sent, usage.output_tokens, thinking)


class OpenAIJudge(Judge):
    """Any OpenAI-compatible server. Newer hosted models call the limit `max_completion_tokens`: found out by asking."""

    kind = "openai"

    def __init__(self, model: str, price: Price, settings: dict, url: str):
        import openai

        super().__init__(model, price, settings)
        self._limit, self._seeded = "max_tokens", True
        try:
            self._client = openai.AsyncOpenAI(
                base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), max_retries=0, timeout=openai.Timeout(TIMEOUT, connect=CONNECT)
            )
        except Exception as error:  # the library parses the URL with a parser of its own
            raise ValueError("the judge's URL cannot be read: write openai:http://HOST:PORT/v1#MODEL") from error

    async def ask(self, prompt: Prompt, max_tokens: int, seed: int) -> Answer:
        # Few servers protect their templates: control tokens in a proof are broken up in `prompts.disarm`, and here again.
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": defuse(prompt.user)}]
        while True:
            limit, seeded = self._limit, self._seeded
            more = {limit: max_tokens} | ({"seed": seed} if seeded else {})
            try:
                done = await self._client.chat.completions.create(
                    model=self.model, messages=messages, extra_body=self.settings, **more
                )
            except Exception as error:
                fault = fault_of(error)
                if fault.status in OWN_FAULT and limit == "max_tokens" and "max_completion_tokens" in fault.said:
                    self._limit = "max_completion_tokens"
                elif fault.status in OWN_FAULT and seeded and "seed" in fault.said:
                    self._seeded = False
                else:
                    raise fault from None
            else:
                return _answer_of(done)


def _answer_of(done: Any) -> Answer:
    """The answer in a completion; Fault(CUT) where it is none, which some servers send with status 200."""
    choices = getattr(done, "choices", None)
    message = choices[0].message if choices else None
    if message is None or not choices[0].finish_reason:
        raise Fault(CUT, "the server sent a completion without a message or without its end")
    finish = choices[0].finish_reason
    stop = {"length": "length", "content_filter": "refusal"}.get(finish, "stop")
    if message.refusal:
        stop = "refusal"
    extra = message.model_extra or {}
    usage = done.usage
    counts = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    counts = [count if type(count) is int and count >= 0 else None for count in counts]
    thinking = extra.get("reasoning_content") or extra.get("reasoning") or ""
    return Answer(message.content or "", stop, *counts, thinking if isinstance(thinking, str) else "")


def fault_of(error: Exception) -> Fault:
    """What an exception of either SDK means; they share their shape. Keys are cut out of what is said."""
    said = _said(error)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        if key := os.environ.get(name):
            said = said.replace(key, "...")
    said = without_urls(" ".join(said.split()))[:300]
    status = getattr(error, "status_code", None)
    if status == 200:  # an error in the middle of a stream
        return Fault(CUT, said)
    if isinstance(status, int):
        return Fault(status, said, _retry_after(error))
    if type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
        return Fault(UNREACHABLE, said)
    return Fault(CUT, said)


def _said(error: Exception) -> str:
    body = getattr(error, "body", None)
    for _ in range(3):  # {"type": "error", "error": {"type": ..., "message": ...}}
        if isinstance(body, dict):
            if isinstance(body.get("message"), str):
                return body["message"]
            body = body.get("error")
    return str(getattr(error, "message", "") or error) or type(error).__name__


def _retry_after(error: Exception) -> float | None:
    try:
        asked = float(error.response.headers["retry-after"])
    except (AttributeError, KeyError, ValueError):
        return None
    return asked if 0 <= asked < float("inf") else None


def load_judge(
    spec: str, settings: Mapping | None = None, price_in: float | None = None, price_out: float | None = None, needs_key: bool = True
) -> Judge:
    """A judge by its spec; one that is not going to be asked needs no key. Raises ValueError with the fix for a spec, a price or a key that is missing."""
    kind, _, rest = spec.partition(":")
    settings = check_settings(dict(settings or {}))
    if (price_in is None) != (price_out is None):
        raise ValueError("give --price-in and --price-out together, in US dollars per million tokens")
    if any(price is not None and not 0 <= price < 10_000 for price in (price_in, price_out)):
        raise ValueError("--price-in and --price-out must lie between 0 and 10,000 dollars per million tokens")
    given = None if price_in is None else Price(price_in, price_out)
    if kind == "anthropic" and rest:
        entry = price_table()["models"].get(rest)
        if given is None and entry is None:
            known = ", ".join(price_table()["models"])
            raise ValueError(f"no price is known for {rest!r}: give --price-in and --price-out, or choose one of {known}")
        return AnthropicJudge(rest, given or Price(entry["input"], entry["output"]), settings, needs_key)
    if kind == "openai" and rest:
        url, _, model = rest.rpartition("#")
        if not url.startswith(("http://", "https://")) or not model:
            raise ValueError(f"{spec.partition('@')[0][:40]!r}: write openai:http://HOST:PORT/v1#MODEL")
        return OpenAIJudge(model, given or Price(0.0, 0.0, is_known=False), settings, url)
    raise ValueError("a judge is anthropic:MODEL or openai:URL#MODEL")

