"""Ask a judge for what is missing: a journal that survives kill -9, and a budget that holds.

    with Journal(folder / "grades.jsonl") as journal:
        Grading(judge, asks, journal, plan).go()

`grades.jsonl` grows by a line for each thing that happens to one ask, whose key is (proof, judge, prompt, grader):

    {..., "sent": 0, "usd": 0.21}                      on the wire, at most so dear: from now on it may be billed
    {..., "refused": 429}                              the server said no: that sending cost nothing
    {..., "attempt": 0, "mark": 6, "reply": "...", "stop": "stop", "usage": {...}, "usd": 0.03}
    {..., "attempt": 1, "mark": null, "why": "no <points> tag", "reply": ...}       asked again, up to `tries` times
    {..., "attempt": 2, "mark": null, "why": "the server refused (413)", ...}       not asked again

The prompt is a hash of all that the judge sees, so that a changed rubric, reference or wording is another key and no
old grade passes for a new one. The text of each prompt lies in `prompts.jsonl`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from eval.proofs.judges import CUT, UNREACHABLE, Answer, Fault, Judge
from eval.proofs.marks import READERS
from eval.proofs.prompts import Prompt
from eval.records import seed_of
from mathtutor.io import Damaged, Journal
from mathtutor.progress import progress

TRIES = 8  # sendings of one ask that fail for a passing reason: some minutes of waiting in all
LONGEST = 600.0  # seconds; a server that asks for more stops the run
CHARS_A_TOKEN = 2.5  # of mathematics; a cautious guess, used only before the server counts
EVENTS = ("sent", "refused", "mark")
LATER = "run the same command again later"

Key = tuple[str, str, str, int]


class Stopped(RuntimeError):
    """Nothing more is sent: the message says why, and how to go on."""


@dataclass(frozen=True)
class Ask:
    """One grade that is wanted: of one proof, by one grader."""

    proof: str
    prompt: Prompt
    grader: int


@dataclass(frozen=True)
class Plan:
    """How the asks are sent. `tries`: how often an ask is sent that got an answer without a mark."""

    task: str
    max_tokens: int
    max_usd: float
    tries: int = 3
    concurrency: int = 8
    again: bool = False
    backoff: float = 2.0  # seconds, doubled with each try, up to a minute
    sleep: Callable[[float], Awaitable] = asyncio.sleep


def key_of(row: dict) -> Key:
    return row["proof"], row["judge"], row["prompt"], row["grader"]


class Grading:
    """The asks of one command, and what the journal knows of them."""

    def __init__(self, judge: Judge, asks: Sequence[Ask], journal: Journal, plan: Plan):
        self.judge, self.asks, self.journal, self.plan = judge, asks, journal, plan
        self.usd = 0.0  # at most, of all that this folder ever sent
        self._rows: dict[Key, list[dict]] = defaultdict(list)  # with a mark, or with the reason why there is none
        self._open: dict[Key, float] = {}
        for number, row in enumerate(journal.rows, start=1):
            try:
                self._count(row)
            except (KeyError, TypeError) as error:
                raise Damaged(f"{journal.path}:{number} is no event of a grading: remove the line, or choose another --out") from error
        self._stop = ""
        self._reached = False
        self._faults_in_a_row = 0  # over all that is asked at once: an outage must not cost each of them its tries

    # --- what is known

    def key(self, ask: Ask) -> Key:
        return ask.proof, self.judge.name, ask.prompt.sha256, ask.grader

    def results(self, ask: Ask) -> list[dict]:
        """The answers to an ask, with a mark or without, in order."""
        return self._rows[self.key(ask)]

    def mark(self, ask: Ask) -> int | str | None:
        return next((row["mark"] for row in self.results(ask) if row["mark"] is not None), None)

    def is_settled(self, ask: Ask, again: bool = False) -> bool:
        """Whether it is not asked any more. With `again`, what got no mark is, as often as before."""
        rows = self.results(ask)
        if self.mark(ask) is not None:
            return True
        return not again and bool(rows) and (rows[-1].get("final", False) or len(rows) >= self.plan.tries)

    def missing(self) -> list[Ask]:
        return [ask for ask in self.asks if not self.is_settled(ask, self.plan.again)]

    @property
    def lost_usd(self) -> float:
        """At most, of requests whose answer never came: part of `usd`."""
        return sum(self._open.values())

    def worst_usd(self, ask: Ask) -> float:
        return self.judge.price.cost(ask.prompt.num_chars / CHARS_A_TOKEN, self.plan.max_tokens)

    def _count(self, row: dict) -> None:
        key = key_of(row)
        if "sent" in row:
            # A sending without an answer was lost in a kill; it may have been billed, and stays counted.
            self.usd += row["usd"]
            self._open[key] = self._open.get(key, 0.0) + row["usd"]
        elif "refused" in row:
            self.usd -= row["usd"]
            self._open[key] -= row["usd"]
        else:
            row["mark"], row["attempt"]
            if row.get("at_most") is not None and row["usd"] is not None:
                self.usd += row["usd"] - row["at_most"]
            self._open[key] = self._open.get(key, 0.0) - (row.get("at_most") or 0.0)
            self._rows[key].append(row)

    # --- asking

    def go(self) -> None:
        """Ask what is missing. Raises Stopped; what was answered is in the journal."""
        missing = self.missing()
        asyncio.run(self._ask_all(missing))
        if self._stop:
            raise Stopped(self._stop)

    async def _ask_all(self, missing: Sequence[Ask]) -> None:
        left = iter(missing)
        with progress(len(self.asks), len(self.asks) - len(missing), "grades") as advance:

            async def work(asks: Iterable[Ask]) -> None:
                for ask in asks:
                    if self._stop:
                        return
                    await self._settle(ask)
                    advance()

            try:
                first = next(left, None)
                if first is not None:
                    await work([first])  # alone: a wrong key or model shows once, not eight times
                await asyncio.gather(*(work(left) for _ in range(self.plan.concurrency)))
            finally:
                await self.judge.close()

    async def _settle(self, ask: Ask) -> None:
        """Send one ask until it has a mark, is given up, or something stops the run."""
        given_up = len(self.results(ask)) + self.plan.tries if self.plan.again else self.plan.tries
        while not self._stop and len(self.results(ask)) < given_up:
            attempt = len(self.results(ask))
            answer, at_most = await self._send(ask, attempt)
            if answer is None:
                return
            if isinstance(answer, Fault):
                self._note(ask, {"attempt": attempt, "mark": None, "why": f"the server refused ({answer.status}): {answer.said}", "final": True})
                return
            self._note(ask, self._result(answer, attempt, at_most))
            if self.mark(ask) is not None:
                return

    def _result(self, answer: Answer, attempt: int, at_most: float) -> dict:
        mark = READERS[self.plan.task](answer.text)
        value, why = mark.value, mark.why
        if answer.stop == "length":
            value, why = None, "the judge met its limit of tokens"
        elif answer.stop == "refusal":
            value, why = None, "the judge refused"
        known = answer.input_tokens is not None and answer.output_tokens is not None
        return {
            "attempt": attempt,
            "mark": value,
            **({"why": why} if why else {}),
            "reply": answer.text,
            **({"thinking": answer.thinking} if answer.thinking else {}),
            "stop": answer.stop,
            "usage": {"input": answer.input_tokens, "output": answer.output_tokens},
            "usd": round(self.judge.price.cost(answer.input_tokens, answer.output_tokens), 6) if known else None,
            "at_most": at_most,
        }

    async def _send(self, ask: Ask, attempt: int) -> tuple[Answer | Fault | None, float]:
        """The answer, or a fault of this very request, or None where the run is stopped; and what was set aside for it."""
        at_most = round(self.worst_usd(ask), 6)
        for sending in range(TRIES):
            if self._stop:
                break
            if self.usd + at_most > self.plan.max_usd:
                self._stop = (
                    f"Stopped for the budget: up to ${self.usd:.4f} may be billed so far, one more grade could cost up to "
                    f"${at_most:.4f}, and --max-usd is {self.plan.max_usd:.2f}. Raise it and run the same command again"
                )
                break
            self._note(ask, {"sent": sending, "usd": at_most})
            try:
                # Of the grader and the attempt, so that graders differ and an attempt is not the one before again.
                seed = seed_of(ask.grader, ask.proof, attempt)
                answer = await self.judge.ask(ask.prompt, self.plan.max_tokens, seed)
            except Fault as fault:
                if fault.is_free:
                    self._note(ask, {"refused": fault.status, "usd": at_most})
                wait = fault.wait if fault.wait is not None else min(self.plan.backoff * 2**sending, 60.0)
                if self._must_stop(fault, wait, sending):
                    break
                if fault.is_own:
                    return fault, at_most
                await self.plan.sleep(wait)
                continue
            self._reached, self._faults_in_a_row = True, 0
            return answer, at_most
        return None, at_most

    def _must_stop(self, fault: Fault, wait: float, sending: int) -> bool:
        self._faults_in_a_row += not fault.is_own
        if fault.is_for_good:
            hints = {401: ": is the key right?", 403: ": is the key right?", 404: ": is that the model's name, and does the URL end in /v1?"}
            self._stop = f"The judge refused ({fault.status}): {fault.said}{hints.get(fault.status, '')}"
        elif fault.is_own and not (self._reached or any(row.get("reply") for row in self.journal.rows)):
            self._stop = f"The judge refused the first request ({fault.status}): {fault.said}"
        elif fault.status == UNREACHABLE and not self._reached:
            self._stop = f"There is no judge to be reached ({fault.said}): start it, or mend its address, and run the same command again"
        elif wait > LONGEST:
            self._stop = f"The judge asks to wait {wait:,.0f} s ({fault.status}): {LATER}"
        elif (sending == TRIES - 1 or self._faults_in_a_row >= 2 * TRIES) and not fault.is_own:
            said = {CUT: "its replies break off"}.get(fault.status, f"status {fault.status}")
            self._stop = f"The judge does not answer as it should ({said}: {fault.said}): {LATER}"
        return bool(self._stop)

    def _note(self, ask: Ask, event: dict) -> None:
        proof, judge, prompt, grader = self.key(ask)
        row = {"proof": proof, "judge": judge, "prompt": prompt, "grader": grader, **event}
        self.journal.append(row)
        self._count(row)
