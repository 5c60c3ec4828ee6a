"""Any OpenAI-compatible server as a teacher: vLLM, SGLang, llama.cpp, or a hosted model with its prices.

    report = teach(plan, Path("data/qwen"), Endpoint("http://127.0.0.1:8000/v1"), max_usd=5.0)

The folder is that of `pipeline.teachers.run`; `results/NNNN.jsonl` grows by a line for each thing that happens:

    {"custom_id": "5f0c-9d1e-0", "sent": 0}          on the wire: from now on it may have to be paid for
    {"custom_id": "5f0c-9d1e-0", "refused": 429}     the server said no: that sending cost nothing
    {"custom_id": "5f0c-9d1e-0", "result": {...}}    what came of it; it is not asked again

A run that was killed is simply run again, and asks what has no result. The protocol has no way to fetch a reply
whose connection is gone: such a request is asked again, and what its lost sendings may have cost counts against
`max_usd` and stands in the report. Nothing is sent that could bring the bill above that.

Servers differ in what they take. The first request is sent alone; where `response_format` is refused, the next
simpler one is tried, down to none, and whatever worked is kept.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from mathtutor.engines import without_urls
from mathtutor.io import Damaged, Journal, read_rows, sha256_file
from mathtutor.maths.answers import split_thinking
from mathtutor.progress import progress
from pipeline.teachers.journal import Ask, Batch, BatchJournal
from pipeline.teachers.prices import dollars
from pipeline.teachers.prompts import JSON_RULE, SCHEMA, SYSTEM, Plan, read_reply
from pipeline.teachers.run import Outcome, Run, TeacherError, is_count

TRIES = 8  # sendings of a request that fail for a passing reason: three minutes of waiting in all
STOP_AFTER = 3  # requests that failed one after the other, whatever was tried
TIMEOUTS = httpx.Timeout(60.0, connect=15.0, read=1200.0, pool=None)  # seconds; a small server says nothing while it writes

FORMATS: tuple[dict, ...] = (
    {"type": "json_schema", "json_schema": {"name": "problems", "strict": True, "schema": SCHEMA}},
    {"type": "json_object"},
    {},  # none
)
OWNED = {"model", "messages", "max_tokens", "max_completion_tokens", "response_format", "n", "stream"}
# Servers' other names for several replies, longer ones, another model or another price: --max-usd would not hold.
DEARER = {"best_of", "use_beam_search", "n_predict", "models", "service_tier", "web_search_options", "plugins"}

EVENTS = {"sent", "refused", "result"}
UNREACHABLE, CUT = 0, -1  # nobody there; a connection that broke after the request had gone out
FOR_GOOD = {401, 402, 403, 404, 405}  # and redirections: the same for every request, until somebody mends it
OWN_FAULT = {400, 413, 415, 422, 501}
FORMAT_FAULT = re.compile(r"response_format|json_schema|json_object|grammar|guided|structured", re.IGNORECASE)
FREE_FAILURES = {UNREACHABLE, *FOR_GOOD, *OWN_FAULT, 429, 503, 529}  # no work was done; others may come after it


@dataclass(frozen=True)
class Endpoint:
    """A server and how it is treated; waits are in seconds. Raises ValueError for what cannot be a URL or a key."""

    base_url: str
    key: str = field(default="", repr=False)
    concurrency: int = 8
    backoff: float = 2.0  # doubled with each try, up to a minute
    longest: float = 600.0  # a server that asks for more stops the run
    sleep: Callable[[float], Awaitable] = asyncio.sleep

    def __post_init__(self):
        try:
            url = httpx.URL(self.base_url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ValueError(f"--base-url cannot be read ({error}): write http://HOST:PORT/v1") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("--base-url must look like http://HOST:PORT/v1")
        if not (self.key.isascii() and self.key.isprintable()):
            raise ValueError("the key holds characters that no HTTP header can carry: copy it again")
        if self.concurrency < 1:
            raise ValueError("--concurrency must be at least 1")


@dataclass(frozen=True)
class Dialect:
    """What a server takes: which entry of FORMATS, and its name for the limit of tokens."""

    format: int = 0
    limit: str = "max_tokens"

    def simpler(self, said: str) -> Dialect | None:
        """What to try where this was refused with the words `said`; None when nothing is left."""
        if self.limit == "max_tokens" and "max_completion_tokens" in said:
            return replace(self, limit="max_completion_tokens")
        return replace(self, format=self.format + 1) if self.format + 1 < len(FORMATS) else None


def body_of(plan: Plan, index: int, max_tokens: int, dialect: Dialect = Dialect()) -> dict:
    """The body of request `index`, as `POST /v1/chat/completions` takes it."""
    taken = FORMATS[dialect.format]
    return {
        "model": plan.model.id,
        dialect.limit: max_tokens,
        "messages": [
            {"role": "system", "content": f"{SYSTEM}\n\n{JSON_RULE}"},
            {"role": "user", "content": plan.prompt(index)},
        ],
        **({"response_format": taken} if taken else {}),
        **plan.model.settings,
    }


def check_settings(settings: Any) -> dict:
    """Further keys of each request, such as {"temperature": 0.7}.

    Raises ValueError for those that are ours or make a reply dearer, and for values that no JSON file can hold.
    """
    if not isinstance(settings, dict):
        raise ValueError('--settings must be a JSON object such as {"temperature": 0.7}')
    if ours := sorted(OWNED & settings.keys()):
        raise ValueError(f"--settings may not hold {', '.join(ours)}: the plan sets that")
    if dearer := sorted(DEARER & settings.keys()):
        raise ValueError(f"--settings may not hold {', '.join(dearer)}: a reply could cost more than --max-usd reckons with")
    try:
        json.dumps(settings, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:  # NaN, 1e999, half a character
        raise ValueError(f"--settings holds a value that is no JSON ({error}): mend it") from error
    return settings


def read_completion(body: dict) -> Outcome:
    """The outcome in a completion. Never raises on what a model or a server wrote."""
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else None
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if choice.get("finish_reason") == "length":
        return Outcome("truncated", usage=usage)
    if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
        return Outcome("refused", usage=usage)
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    text = "".join(text for text in texts if isinstance(text, str))
    _, rest, _ = split_thinking(text)
    problems, faults = read_reply(rest)
    if faults and faults[0].startswith("reply_"):
        return Outcome("unreadable", faults[0], usage=usage)
    return Outcome("answered", "", tuple(problems), tuple(faults), usage)


def teach(
    plan: Plan,
    folder: Path,
    endpoint: Endpoint,
    max_usd: float,
    again: bool = False,
    say: Callable[[str], None] = print,
) -> dict:
    """Run `plan` to its end, or go on with it, and return the report that lies in `folder`.

    With `again`, requests without a usable reply are sent once more, up to MAX_ATTEMPTS times in all.

    Raises TeacherError, mathtutor.io.Busy or Damaged, ValueError for a folder of another plan, OSError.
    """
    with BatchJournal(folder / "journal.jsonl", plan.sha256, plan.config) as journal:
        return _Run(plan, folder, max_usd, say, journal, endpoint).go(again)


@dataclass(frozen=True)
class Failure:
    """Why a sending brought no reply. `status` is that of HTTP, or UNREACHABLE, or CUT."""

    status: int
    said: str
    wait: float | None = None  # seconds, where the server asks for that

    @property
    def is_free(self) -> bool:
        return self.status in FREE_FAILURES or 300 <= self.status < 400


class _Log:
    """The events of one batch, on disk, and what its sendings may have cost so far."""

    def __init__(self, run: _Run, batch: Batch, journal: Journal):
        self._run, self._journal = run, journal
        self._asks = {run.id(ask): ask for ask in batch.asks}
        self._worst: dict[str, float] = {}
        self.settled: set[str] = set()
        self.usd = 0.0  # at most
        for number, row in enumerate(journal.rows, start=1):
            if str(row.get("custom_id")) not in self._asks or not EVENTS & row.keys():
                raise Damaged(f"{journal.path}:{number} is no event of this run: remove the line, or start anew in another folder")
            self._count(row)

    def worst_usd(self, id: str) -> float:
        if id not in self._worst:
            self._worst[id] = self._run.worst_usd([self._asks[id]])
        return self._worst[id]

    def note(self, id: str, *events: dict) -> None:
        """Events of one request; on disk when this returns."""
        rows = [{"custom_id": id, **event} for event in events]
        self._journal.extend(rows)
        for row in rows:
            self._count(row)

    def _count(self, row: dict) -> None:
        worst = self.worst_usd(row["custom_id"])
        result = row.get("result")
        if "sent" in row:
            self.usd += worst
        elif "refused" in row:
            self.usd -= worst
        elif result["type"] == "succeeded":
            tokens = self._run.usage(result["body"].get("usage"))
            self.usd += self._run.plan.model.cost(*tokens) - worst if tokens else 0.0
        if result:
            self.settled.add(row["custom_id"])


@dataclass
class _Run(Run):
    endpoint: Endpoint

    source = "openai-compatible"

    def __post_init__(self):
        super().__post_init__()
        self._dialect = Dialect()
        self._stopped = ""  # why nothing more is sent
        self._reached = False  # by this process
        self._failed_in_a_row = 0

    def outcome(self, result: dict) -> Outcome:
        if result["type"] == "errored":
            return Outcome("errored", result["error"]["type"])
        return read_completion(result["body"])

    def usage(self, usage: Any) -> tuple[int, int] | None:
        counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else [None]
        return tuple(counts) if all(map(is_count, counts)) else None

    def lost_usd(self, batch: Batch) -> float:
        lost: Counter[str] = Counter()
        for row in read_rows(self.path(batch)):
            is_reply = "refused" in row or row.get("result", {}).get("type") == "succeeded"
            lost[row["custom_id"]] += ("sent" in row) - is_reply
        return sum(lost[self.id(ask)] * self.worst_usd([ask]) for ask in batch.asks if lost[self.id(ask)])

    def go(self, again: bool) -> dict:
        answered = -1
        while True:
            self.plan_unasked(again)
            asyncio.run(self._ask_all())
            for batch in self.journal.of_state("fetched"):
                self.reconcile(batch)
            report = self.write()
            if self._stopped:
                raise TeacherError(self._stopped)
            before, answered = answered, report["requests"]["outcomes"].get("answered", 0)
            if not self.unasked(again) or answered == before:  # a round that brought nothing is not repeated
                return report

    async def _ask_all(self) -> None:
        key, width = self.endpoint.key, self.endpoint.concurrency
        headers = {"authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=width, max_keepalive_connections=width)
        async with httpx.AsyncClient(headers=headers, timeout=TIMEOUTS, limits=limits) as client:
            for batch in self.journal.of_state("planned", "submitting"):
                if not self._stopped:
                    await self._ask(batch, client)

    async def _ask(self, batch: Batch, client: httpx.AsyncClient) -> None:
        """Take a batch to "fetched". One that is stopped halfway ends with what it has; the rest is planned anew."""
        if batch.state == "planned":
            self.journal.enter(batch, "submitting")
        with Journal(self.path(batch)) as journal:
            log = _Log(self, batch, journal)
            left = iter([ask for ask in batch.asks if self.id(ask) not in log.settled])
            with progress(len(batch.asks), len(log.settled), "requests") as advance:

                async def work(asks: Iterator[Ask]) -> None:
                    for ask in asks:
                        if self._stopped:
                            return
                        await self._settle(ask, log, client)
                        advance()

                if not self._reached:
                    await work(islice(left, 1))  # alone: it finds out what the server takes
                await asyncio.gather(*(work(left) for _ in range(self.endpoint.concurrency)))
        if log.settled:
            self.journal.enter(batch, "fetched", sha256=sha256_file(self.path(batch)), settled=len(log.settled))

    async def _settle(self, ask: Ask, log: _Log, client: httpx.AsyncClient) -> None:
        """Send one request until it has a result, or something stops the run."""
        id, dialect, tries = self.id(ask), self._dialect, 0
        while not self._stopped:
            at_most = self.spent_usd() + log.usd
            if at_most + log.worst_usd(id) > self.max_usd:
                self._stopped = (
                    f"stopped for the budget: up to ${at_most:.4f} may be billed so far, one more request could cost up to "
                    f"${log.worst_usd(id):.4f}, and --max-usd is {dollars(self.max_usd)}. Raise it and run the same command again"
                )
                return
            log.note(id, {"sent": tries})
            reply = await self._send(body_of(self.plan, ask.index, ask.max_tokens, dialect), client)
            if not isinstance(reply, Failure):
                log.note(id, {"result": {"type": "succeeded", "body": reply}})
                self._failed_in_a_row = 0
                if dialect != self._dialect and dialect.format >= self._dialect.format:
                    self._dialect = dialect
                    taken = FORMATS[dialect.format].get("type", "none")
                    self.say(f"the server takes response_format {taken} and {dialect.limit}: asking so from now on")
                return
            refused = [{"refused": reply.status}] if reply.is_free else []
            own = reply.status in OWN_FAULT
            takes_less = own and reply.status != 413 or (reply.status >= 500 and FORMAT_FAULT.search(reply.said))
            if takes_less and (simpler := dialect.simpler(reply.said)):
                log.note(id, *refused)
                dialect = simpler
                continue
            tries += 1
            if self._must_stop(reply, tries, log):
                log.note(id, *refused)
            elif own or tries == TRIES:
                kind = "invalid_request_error" if own else f"status_{reply.status}" if reply.status > 0 else "connection_cut"
                error = {"type": "request_too_large" if reply.status == 413 else kind, "message": reply.said}
                log.note(id, *refused, {"result": {"type": "errored", "error": error}})
                self._failed_in_a_row += 1
                if self._failed_in_a_row == STOP_AFTER:
                    self._stopped = f"{STOP_AFTER} requests failed in a row ({reply.said}): see to the server, then add --again"
                return
            else:
                log.note(id, *refused)
                await self.endpoint.sleep(self._wait(reply, tries))

    def _wait(self, failure: Failure, tries: int) -> float:
        return failure.wait if failure.wait is not None else min(self.endpoint.backoff * 2 ** (tries - 1), 60.0)

    def _must_stop(self, failure: Failure, tries: int, log: _Log) -> bool:
        """Whether a failure is of a kind that every other request would meet: then nothing more is sent."""
        status, said = failure.status, failure.said
        later = "run the same command again later"
        if status in FOR_GOOD or 300 <= status < 400:
            hint = {401: ": is the key in OPENAI_API_KEY right", 403: ": is the key in OPENAI_API_KEY right"}
            hint |= {404: ": does --base-url end in /v1, and is --model one that it serves"}
            self._stopped = f"the server refused ({status}): {said}{hint.get(status, '')}"
        elif status in OWN_FAULT and not (self._has_answers() or log.settled):
            self._stopped = f"the server refused the first request ({status}): {said}"
        elif status == UNREACHABLE and not self._reached:
            self._stopped = f"no server answers ({said}): start it, or mend --base-url"
        elif self._wait(failure, tries) > self.endpoint.longest:
            self._stopped = f"the server asks to wait {self._wait(failure, tries):.0f} s: {later}"
        elif tries == TRIES and status in (UNREACHABLE, 429, 503, 529):
            self._stopped = f"the server took no request in {TRIES} tries ({said}): {later}"
        return bool(self._stopped)

    def _has_answers(self) -> bool:
        return any(batch.facts["outcomes"].get("answered") for batch in self.journal.of_state("reconciled"))

    async def _send(self, body: dict, client: httpx.AsyncClient) -> dict | Failure:
        """The completion, or what came instead. Never raises on what a server sends."""
        url = httpx.URL(self.endpoint.base_url)
        try:
            response = await client.post(url.copy_with(path=url.path.rstrip("/") + "/chat/completions"), json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Failure(UNREACHABLE, self._clean(f"unreachable: {error}"))
        except httpx.HTTPError as error:
            return Failure(CUT, self._clean(f"{type(error).__name__}: {error}"))
        self._reached = True
        reply = _load(response.content)
        if response.is_success and isinstance(reply.get("choices"), list) and reply["choices"]:
            return reply
        error = reply.get("error", reply.get("detail") or reply.get("message"))
        said = error.get("message") if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else None
        # Some gateways send their errors with status 200.
        status = code if response.is_success and type(code) is int and 400 <= code < 600 else response.status_code
        text = said if isinstance(said, str) else response.text if not response.is_success else "no completion"
        try:
            wait = float(response.headers["retry-after"])
        except (KeyError, ValueError):
            wait = -1.0
        return Failure(status, self._clean(text), wait if wait >= 0 else None)  # NaN is not >= 0 either

    def _clean(self, text: str) -> str:
        """For people: in one line, not too long, and without the key."""
        text = text.replace(self.endpoint.key, "...") if self.endpoint.key else text
        return without_urls(" ".join(text.split()))[:300] or "no reason given"


def _load(raw: bytes) -> dict:
    """The JSON object in `raw`, fit for a file; an empty one for anything else."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        # Half a character, which an escape can hold and no file can, becomes a question mark.
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")
