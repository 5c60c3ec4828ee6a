"""The first paid teacher: Claude through Anthropic's Message Batches, at half price, and never paid twice.

    report = teach(plan, Path("data/claude"), key, max_usd=5.0)

The folder holds `journal.jsonl` (pipeline.teachers.journal), `results/NNNN.jsonl` (what the server sent, line
by line), `raw.jsonl` (rows for the filters) and `report.json`. A run that was killed is simply run again.

The SDK would send a failed `create` up to three times, and nothing in the protocol makes two sendings
one batch. So it is sent once, by us, after "submitting" is on disk; and when its answer is lost, the
server is asked for batches that are newer than the newest one before the sending and of the same size.
Only one whose results carry our custom ids is ours. Until that is settled nothing else is sent: a server that
does not list it may list it later, so the run stops, and only `resend_lost` sends it a second time. What the lost
sending may have cost counts against `max_usd` from then on.

A batch that cannot be fetched keeps no other one from being fetched: the rest is written first, and then the run
stops and names it. Only `give_up` lets it go. Its requests are "lost" then, which `again` may send once more, and
what they may have cost counts against `max_usd` too.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mathtutor.io import sha256_file, write_rows
from pipeline.teachers.journal import Batch, BatchJournal
from pipeline.teachers.prices import CACHE_READ, CACHE_WRITE, dollars
from pipeline.teachers.prompts import Plan, read_reply
from pipeline.teachers.run import Outcome, Run, TeacherError, is_count

TRIES = 10  # of a call that costs nothing, and of a submission that was refused as too early
FETCHES = 3  # downloads of results that do not add up
UNDER_WAY = ("submitted", "ended", "fetched", "given_up")  # states of a batch that is paid for and not yet counted
CALL_TIMEOUT, CREATE_TIMEOUT = 60.0, 600.0  # seconds

# The server read the request and said no: there is no batch. Any other failure leaves that open.
REFUSALS = {400, 401, 402, 403, 404, 405, 413, 422, 429}
PASSING = {408, 409, 429}  # and everything from 500 on: worth another try where a call costs nothing


@dataclass(frozen=True)
class Waits:
    """Seconds. `settle` is how long a batch whose answer was lost is looked for in the server's list by one run."""

    poll: float = 60.0
    settle: float = 120.0
    backoff: float = 2.0  # doubled with each try, up to `longest`
    longest: float = 600.0
    sleep: Callable[[float], None] = time.sleep


def read_result(result: dict) -> Outcome:
    """The outcome in one line of results. Never raises on what a model wrote."""
    kind = result.get("type")
    if kind == "errored":
        error = result.get("error")
        while isinstance(error, dict) and "error" in error:  # {"type": "error", "error": {"type": ..., "message": ...}}
            error = error["error"]
        error = error if isinstance(error, dict) else {}
        return Outcome("errored", "billing_error" if "credit balance" in str(error) else str(error.get("type", "unknown")))
    if kind in ("canceled", "expired"):
        return Outcome(kind)
    message = result.get("message")
    if kind != "succeeded" or not isinstance(message, dict):
        return Outcome("errored", f"unknown result {kind!r:.40}")
    usage = message.get("usage")
    usage = usage if isinstance(usage, dict) else None
    stopped = message.get("stop_reason")
    if stopped in ("max_tokens", "model_context_window_exceeded"):
        return Outcome("truncated", usage=usage)
    if stopped == "refusal":
        return Outcome("refused", usage=usage)
    blocks = message.get("content")
    texts = [b.get("text") for b in blocks if isinstance(b, dict)] if isinstance(blocks, list) else []
    problems, faults = read_reply("".join(text for text in texts if isinstance(text, str)))
    if faults and faults[0].startswith("reply_"):
        return Outcome("unreadable", faults[0], usage=usage)
    return Outcome("answered", "", tuple(problems), tuple(faults), usage)


def read_usage(usage: dict | None) -> tuple[float, int] | None:
    """(input tokens, caching weighed by its price; output tokens), or None when one is not told or cannot be true."""
    usage = usage or {}
    counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    cached = [usage.get(key) for key in ("cache_creation_input_tokens", "cache_read_input_tokens")]
    counts += [0 if count is None else count for count in cached]
    if not all(map(is_count, counts)):
        return None
    return counts[0] + CACHE_WRITE * counts[2] + CACHE_READ * counts[3], counts[1]


def teach(
    plan: Plan,
    folder: Path,
    key: str,
    max_usd: float,
    again: bool = False,
    resend_lost: bool = False,
    give_up: Collection[str] = (),
    waits: Waits = Waits(),
    say: Callable[[str], None] = print,
) -> dict:
    """Run `plan` to its end, or go on with it, and return the report that lies in `folder`.

    Nothing is submitted that could bring the run's bill above `max_usd`. With `again`, requests without a usable
    reply are sent once more, up to MAX_ATTEMPTS times in all. With `resend_lost`, a batch whose answer an earlier
    run lost is sent once more when the server still does not list it. With `give_up`, the batches of these ids are
    let go if they cannot be fetched now either.

    Raises TeacherError, mathtutor.io.Busy or Damaged, ValueError for a folder of another plan or an id
    that is no batch of this run, OSError.
    """
    with BatchJournal(folder / "journal.jsonl", plan.sha256, plan.config) as journal:
        return _Run(plan, folder, max_usd, say, journal, key, waits, frozenset(give_up)).go(again, resend_lost)


@dataclass
class _Run(Run):
    key: str
    waits: Waits
    give_up: frozenset[str]

    source = "anthropic"

    def __post_init__(self):
        import anthropic

        super().__post_init__()
        self.api = anthropic
        self._tries = TRIES  # that the next harmless call has
        self.batches = anthropic.Anthropic(api_key=self.key, max_retries=0, timeout=CALL_TIMEOUT).messages.batches

    def outcome(self, result: dict) -> Outcome:
        return read_result(result)

    def usage(self, usage: dict | None) -> tuple[float, int] | None:
        return read_usage(usage)

    def lost_usd(self, batch: Batch) -> float:
        # A batch is fetched whole or not at all; its sendings before the last may be batches that nobody knows.
        return batch.facts.get("lost", 0) * self.worst_usd(batch.asks)

    def go(self, again: bool, resend_lost: bool) -> dict:
        self._check_given_up()
        answered = -1
        while True:
            try:
                for batch in self.journal.of_state("submitting"):
                    self._settle(batch, resend_lost)
                self.plan_unasked(again)
                stopped = self._over_budget(self.journal.of_state("planned"))
                for batch in [] if stopped else self.journal.of_state("planned"):
                    self._submit(batch)
            except TeacherError as error:  # whatever keeps a batch from being sent, what is paid for is fetched
                stopped = str(error)
            if stopped and self.journal.of_state(*UNDER_WAY):
                self.say(f"{stopped}. First comes what is under way")
            unfetched = self._collect()
            report = self.write()
            if reasons := [reason for reason in (stopped, unfetched) if reason]:
                raise TeacherError(". ".join(reasons))
            before, answered = answered, report["requests"]["outcomes"].get("answered", 0)
            if not self.unasked(again) or answered == before:  # a round that brought nothing is not repeated
                return report

    def _check_given_up(self) -> None:
        known = {batch.facts.get("id"): batch for batch in self.journal.batches}
        for id in sorted(self.give_up):
            # One whose answer was lost has no id yet.
            if id not in known and not self.journal.of_state("submitting"):
                ids = ", ".join(id for id in known if id) or "none yet"
                raise ValueError(f"--give-up {id}: no batch of this run has that id; the ids are {ids}")
            if id in known and known[id].state in ("fetched", "reconciled") and "given_up" not in known[id].facts:
                self.say(f"batch {known[id].number + 1} ({id}) is fetched: there is nothing to give up")

    def _over_budget(self, batches: list[Batch]) -> str | None:
        """Why these may not be submitted now, or None."""
        if not batches:
            return None
        billed = self.spent_usd()
        under_way = self.journal.of_state("submitting", *UNDER_WAY)
        pending = sum(self.worst_usd(batch.asks) + self.lost_usd(batch) for batch in under_way)
        new = sum(self.worst_usd(batch.asks) for batch in batches)
        if billed + pending + new <= self.max_usd:
            return None
        return (
            f"nothing was submitted: {sum(len(b.asks) for b in batches):,} requests could cost up to ${new:.2f}, "
            f"up to ${billed:.2f} are billed and up to ${pending:.2f} under way or lost, and --max-usd is {dollars(self.max_usd)}"
        )

    # --- calls

    def _said(self, error: BaseException) -> str:
        text = str(getattr(error, "message", "") or error) or type(error).__name__
        return text.replace(self.key, "...")[:300]

    def _retry_after(self, error: BaseException, attempt: int) -> float:
        """Seconds to wait before the next try: what the server says, else ever longer."""
        response = getattr(error, "response", None)
        try:
            asked = float(response.headers["retry-after"])
        except (AttributeError, KeyError, ValueError):
            asked = -1.0
        return asked if asked >= 0 else min(self.waits.backoff * 2**attempt, 60.0)  # NaN is not >= 0 either

    def _get(self, call: Callable[[], Any]) -> Any:
        """The value of a call that may be made again without harm."""
        tries, self._tries = self._tries, 1  # where the last call found nobody, the next one does not wait as long
        for attempt in range(tries):
            try:
                value = call()
                self._tries = TRIES
                return value
            except self.api.APIStatusError as error:
                if error.status_code not in PASSING and error.status_code < 500:
                    self._tries = TRIES
                    raise TeacherError(f"the API refused ({error.status_code}): {self._said(error)}") from None
                failure = error
            except Exception as error:  # the library's own errors, the network's in mid-stream, bad JSON
                failure = error
            wait = self._retry_after(failure, attempt)
            if wait > self.waits.longest or attempt + 1 == tries:
                break
            self.waits.sleep(wait)
        raise TeacherError(
            f"the API does not answer as it should ({self._said(failure)}): run the same command again later"
        ) from None

    def _newest(self) -> Any:
        """The newest batch on the server, or None."""
        return next(map(_batch, self.batches.list(limit=1)), None)

    def _newer(self, newest: str | None, since: str | None) -> list:
        """All batches on the server, newest first, that came after the batch `newest`, created at `since`."""
        found = []
        for batch in map(_batch, self.batches.list(limit=100)):
            # By the server's clock on both sides, so that ours may be wrong.
            if batch.id == newest or (since and batch.created_at < datetime.fromisoformat(since)):
                break
            found.append(batch)
        return found

    # --- submitting

    def _submit(self, batch: Batch, lost: int = 0) -> None:
        """Take a batch to "submitted". `lost` counts its sendings of which nobody knows whether they were accepted."""
        requests = [{"custom_id": self.id(a), "params": self.plan.params(a.index, a.max_tokens)} for a in batch.asks]
        for attempt in range(TRIES):
            since = {}  # of the first sending, which may yet appear
            if not lost:
                newest = self._get(self._newest)
                since = {"newest": newest and newest.id, "since": newest and newest.created_at.isoformat()}
            self.journal.enter(batch, "submitting", **since, lost=lost, time=datetime.now(UTC).isoformat(timespec="seconds"))
            try:
                made = self.batches.create(requests=requests, timeout=CREATE_TIMEOUT)
                if not isinstance(getattr(made, "id", None), str):
                    raise ValueError("an answer without the id of a batch")
            except Exception as error:  # which of them it is decides whether there may be a batch now
                status = getattr(error, "status_code", None)
                # By name: which package these come from is the library's own affair.
                unreachable = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
                if status in REFUSALS or unreachable:
                    # This sending made no batch; one that was lost before may have.
                    left = {"lost": lost - 1} if lost else {}
                    self.journal.enter(batch, "submitting" if lost else "planned", refused=status or "unreachable", **left)
                    wait = self._retry_after(error, attempt)
                    if status != 429 or wait > self.waits.longest:
                        raise TeacherError(
                            f"batch {batch.number + 1} was not accepted ({status or 'unreachable'}): {self._said(error)}. "
                            f"{'This sending cost nothing' if lost else 'Nothing was paid for it'}; "
                            "mend this and run the same command again"
                        ) from None
                    self.say(f"batch {batch.number + 1}: too many requests, waiting {wait:.0f} s")
                    self.waits.sleep(wait)
                    continue
                self.say(f"batch {batch.number + 1}: the answer was lost ({self._said(error)}); looking for the batch")
                self._settle(batch)
                return
            self.journal.enter(batch, "submitted", id=made.id)
            self.say(f"batch {batch.number + 1}: {len(batch.asks):,} requests submitted as {made.id}")
            return
        raise TeacherError(f"batch {batch.number + 1} was not accepted in {TRIES} tries: run the same command again later")

    def _settle(self, batch: Batch, resend: bool = False) -> None:
        """Take a batch at "submitting" to "submitted": the server lists it, or `resend` has it sent once more.

        Raises TeacherError where it is not listed: silence never means that there is no batch.
        """
        not_ours = {known.facts.get("id") for known in self.journal.batches}
        until = time.monotonic() + self.waits.settle
        while True:
            num_open = 0
            for found in self._get(lambda: self._newer(batch.facts["newest"], batch.facts["since"])):
                if found.id in not_ours or sum(_counts(found).values()) != len(batch.asks):
                    continue
                if found.processing_status != "ended":
                    num_open += 1
                elif self._is_ours(found, batch):
                    self.journal.enter(batch, "submitted", id=found.id, found_again=True)
                    self.say(f"batch {batch.number + 1}: found on the server as {found.id}; it is not paid for twice")
                    return
                else:
                    not_ours.add(found.id)
            if num_open:
                # Ours or not shows in the results alone, and waiting costs nothing.
                self.say(f"batch {batch.number + 1}: {num_open} under way on the server may be the lost one; waiting")
                self.waits.sleep(self.waits.poll)
            elif time.monotonic() >= until:
                if not resend:
                    raise TeacherError(
                        f"batch {batch.number + 1} ({len(batch.asks):,} requests) was sent at {batch.facts['time']}, its answer "
                        "was lost, and the server does not list it so far. Nothing was sent again: run the same command later, "
                        "or, when the provider's console shows no such batch, with --resend-lost; if there is one after all, "
                        f"up to ${self.worst_usd(batch.asks):.2f} are paid twice"
                    )
                if over := self._over_budget([batch]):
                    raise TeacherError(over)
                self.say(f"batch {batch.number + 1}: not on the server; sending it once more")
                self._submit(batch, batch.facts.get("lost", 0) + 1)
                return
            else:
                self.waits.sleep(min(self.waits.poll, max(0.01, self.waits.settle / 8)))

    def _is_ours(self, found, batch: Batch) -> bool:
        ids = {self.id(ask) for ask in batch.asks}

        def first_id() -> str:
            with self._results(found.id) as results:
                return next(results)["custom_id"]

        try:
            _check_kept(found)
            return self._get(first_id) in ids
        except TeacherError as error:
            if found.id in self.give_up:
                return True  # as far as anybody knows; what cannot be fetched is given up when it is collected
            raise TeacherError(
                f"batch {batch.number + 1} was sent once and its answer was lost; {found.id} on the server may be it, but "
                f"its results cannot be read: {error}. Nothing was sent again: run the same command later, or, to take "
                f"it for this batch and for lost, with --give-up {found.id}"
            ) from None

    # --- collecting

    def _collect(self) -> str | None:
        """Take every batch that can be fetched to "reconciled"; which ones cannot, why, and what to do, or None."""
        failed: dict[int, str] = {}
        while pending := [batch for batch in self.journal.of_state(*UNDER_WAY) if batch.number not in failed]:
            for batch in pending:
                try:
                    self._advance(batch)
                except TeacherError as error:
                    failed[batch.number] = str(error)
                    if batch.facts["id"] in self.give_up and self._is_heard():
                        del failed[batch.number]
                        self.journal.enter(batch, "given_up", given_up=str(error))
                        self.reconcile(batch)
                        self.say(f"batch {batch.number + 1} ({batch.facts['id']}) is given up: {error}")
            if left := [batch for batch in self.journal.of_state("submitted") if batch.number not in failed]:
                self.say(f"{len(left)} of {len(self.journal.batches)} batches under way")
                self.waits.sleep(self.waits.poll)
        return self._describe_failed(failed) if failed else None

    def _advance(self, batch: Batch) -> None:
        """Take one batch as far as it goes without waiting. Raises TeacherError where it cannot be fetched."""
        if batch.state in ("submitted", "ended"):
            found = self._get(lambda: _batch(self.batches.retrieve(batch.facts["id"])))
            if batch.state == "submitted" and found.processing_status == "ended":
                self.journal.enter(batch, "ended", counts=_counts(found))
            if batch.state == "ended":
                _check_kept(found)
                self._fetch(batch)
        if batch.state in ("fetched", "given_up"):
            self.reconcile(batch)

    def _is_heard(self) -> bool:
        """Whether the server takes a call that is of no batch: else it is not this one that fails."""
        try:
            self._get(self._newest)
        except TeacherError:
            return False
        return True

    def _describe_failed(self, failed: dict[int, str]) -> str:
        alike: dict[str, list[str]] = {}
        for number, why in failed.items():
            alike.setdefault(why, []).append(f"batch {number + 1} ({self.journal.batches[number].facts['id']})")
        told = [f"{', '.join(names)} cannot be fetched: {why}" for why, names in alike.items()]
        asks = [ask for number in failed for ask in self.journal.batches[number].asks]
        return (
            f"{'; '.join(told)}. All that could be fetched is in raw.jsonl, and nothing was sent again. Run the same command "
            "again, with the key of the workspace that submitted it; what is lost for good is let go with --give-up ID: its "
            f"requests ({len(asks):,} in all) then count as lost and as billed with up to ${self.worst_usd(asks):.4f}, and only "
            "--again sends them once more, to be paid again"
        )

    @contextmanager
    def _results(self, id: str) -> Iterator[Iterator[dict]]:
        """The result lines of a batch, read as they come; the connection is closed in any case."""
        with self.batches.with_streaming_response.results(id) as response:
            yield map(_line, _split(response.iter_bytes()))

    def _download(self, batch: Batch) -> tuple[dict[str, dict], int]:
        """(result lines by custom id, lines that are double or not ours)."""
        wanted = {self.id(ask) for ask in batch.asks}
        rows, others = {}, 0
        with self._results(batch.facts["id"]) as results:
            for row in results:
                if row["custom_id"] in wanted and row["custom_id"] not in rows:
                    rows[row["custom_id"]] = row
                else:
                    others += 1
        return rows, others

    def _fetch(self, batch: Batch) -> None:
        """Store a result for each request, or raise: a stream that is cut at the end of a line looks whole."""
        for attempt in range(FETCHES):
            if attempt:
                self.waits.sleep(min(self.waits.backoff * 2**attempt, 60.0))
            rows, others = self._get(lambda: self._download(batch))
            counts = dict(Counter(row["result"].get("type") for row in rows.values()))
            if missing := len(batch.asks) - len(rows):
                why = f"{missing} of {len(batch.asks)} results are missing"
            elif {kind: count for kind, count in batch.facts["counts"].items() if count} != counts:
                why = f"the results are {counts}, the server counted {batch.facts['counts']}"
            else:
                break
        else:
            raise TeacherError(f"{why} in {FETCHES} downloads (they stay on the server for 29 days)")
        path = self.path(batch)
        # The server's order is any order.
        write_rows(path, [rows[self.id(ask)] for ask in batch.asks])
        self.journal.enter(batch, "fetched", sha256=sha256_file(path), other_lines=others)


def _batch(answer: Any) -> Any:
    """What the server describes as a batch. Raises ValueError for anything else, such as another site's page."""
    kinds = {"id": str, "processing_status": str, "created_at": datetime}
    if not all(isinstance(getattr(answer, name, None), kind) for name, kind in kinds.items()):
        raise ValueError(f"an answer that is no batch: {answer!r:.60}")
    return answer


def _counts(batch) -> dict[str, int]:
    """Requests by what became of them; their sum is the size of the batch."""
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    counts = {kind: getattr(getattr(batch, "request_counts", None), kind, 0) for kind in kinds}
    return {kind: count if is_count(count) else 0 for kind, count in counts.items()}


def _check_kept(batch) -> None:
    """Raises TeacherError where the server lists an ended batch and has dropped its results."""
    if not batch.results_url:
        raise TeacherError("the server keeps its results no longer (it does for 29 days)")


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, by line feeds alone: JSON may hold the other characters at which text is usually split."""
    rest: list[bytes] = []
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line])
            rest = []
        rest.append(last)
    if any(rest):
        yield b"".join(rest)


def _line(raw: bytes) -> dict:
    """One line of results. Raises ValueError when it is cut or is something else."""
    row = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str) or not isinstance(row.get("result"), dict):
        raise ValueError(f"a line of the results is none: {raw[:60]!r}")
    # Half a character, which an escape can hold and no file can, becomes a question mark.
    return json.loads(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")) if b"\\ud" in raw.lower() else row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")
