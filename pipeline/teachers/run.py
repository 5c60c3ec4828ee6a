"""What every paid teacher's run has in common: what is still to be asked, the bill, and the files that come of it.

A run is a folder: `journal.jsonl` (pipeline.teachers.journal), `results/NNNN.jsonl` (what a server sent for batch
NNNN, with its sha256 in the journal), `raw.jsonl` (rows for the filters) and `report.json`. The last two are
computed from the first two, so they are the same bytes however often the run was killed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mathtutor.io import Damaged, read_rows, sha256_file, write_json, write_rows
from mathtutor.problem import Row
from pipeline.teachers.journal import Ask, Batch, BatchJournal
from pipeline.teachers.prompts import Plan

BATCH_REQUESTS = 2_500  # some 20 MB to send; Anthropic's API takes 100,000 requests or 256 MB
MAX_ATTEMPTS = 3  # sendings of one request, the first included

# What may go better another time. An error of the request itself is the same for ever, but "your credit is too
# low" comes as one of those.
AGAIN = {"truncated", "unreadable", "expired", "canceled", "errored", "lost"}
OWN_FAULTS = {"invalid_request_error", "not_found_error", "request_too_large"}
FREE = ("errored", "canceled", "expired")  # outcomes that no server bills


class TeacherError(RuntimeError):
    """The run stops here; the message says what to do, and running the command again is always safe."""


def is_count(value: object) -> bool:
    """Whether a server may be believed that it counted this many: one wrong figure would make the bill meaningless."""
    return type(value) is int and 0 <= value < 10**9


@dataclass(frozen=True)
class Outcome:
    """What became of one request. `kind`: answered, truncated, unreadable, refused, errored, canceled, expired,
    lost (with a batch that was given up: it was paid for, and nobody knows what it said)."""

    kind: str
    detail: str = ""
    problems: tuple[dict, ...] = ()
    faults: tuple[str, ...] = ()
    usage: dict | None = None  # None where nothing was billed, or the server did not say

    @property
    def may_be_asked_again(self) -> bool:
        return self.kind in AGAIN and (self.detail not in OWN_FAULTS)


@dataclass
class Run:
    """One plan in one folder. A teacher adds how requests are sent, and the three methods that raise here."""

    plan: Plan
    folder: Path
    max_usd: float
    say: Callable[[str], None]
    journal: BatchJournal

    source = ""  # of its rows, and how their ids begin

    def __post_init__(self):
        self._outcomes: dict[int, dict[str, Outcome]] = {}  # of the batches that were read, by custom id

    def outcome(self, result: dict) -> Outcome:
        """What became of a request, from the result that is stored of it."""
        raise NotImplementedError

    def usage(self, usage: dict | None) -> tuple[float, int] | None:
        """(input tokens, output tokens), or None where the server did not tell both."""
        raise NotImplementedError

    def lost_usd(self, batch: Batch) -> float:
        """US dollars that a batch may have cost besides, for requests whose replies never came."""
        raise NotImplementedError

    # --- what to ask

    def id(self, ask: Ask) -> str:
        return f"{self.journal.run}-{self.plan.key(ask.index)}-{ask.attempt}"

    def unasked(self, again: bool) -> list[Ask]:
        """What no batch has taken up yet, or has ended without; with `again` also what may go better another time."""
        last: dict[int, tuple[Ask, Outcome | None]] = {}
        for batch in self.journal.batches:
            outcomes = self.read(batch) if batch.state == "reconciled" else dict.fromkeys(map(self.id, batch.asks))
            last |= {ask.index: (ask, outcomes[id]) for ask in batch.asks if (id := self.id(ask)) in outcomes}
        asks = [Ask(i, 0, self.plan.max_tokens(i)) for i in range(self.plan.requests) if i not in last]
        if again:
            for index, (ask, outcome) in sorted(last.items()):
                if outcome and outcome.may_be_asked_again and ask.attempt + 1 < MAX_ATTEMPTS:
                    more = 2 if outcome.kind == "truncated" else 1
                    asks.append(Ask(index, ask.attempt + 1, ask.max_tokens * more))
        return asks

    def plan_unasked(self, again: bool) -> None:
        asks = iter(self.unasked(again))
        while chunk := list(itertools.islice(asks, BATCH_REQUESTS)):
            self.journal.plan(chunk)

    def worst_usd(self, asks: list[Ask]) -> float:
        """More than these can cost."""
        return self.plan.estimate([(ask.index, ask.max_tokens) for ask in asks]).worst_usd

    def spent_usd(self) -> float:
        """At most, for all that is reconciled."""
        done = [batch.facts for batch in self.journal.of_state("reconciled")]
        cost = self.plan.model.cost
        return sum(cost(facts["input_tokens"], facts["output_tokens"]) + facts["besides_usd"] for facts in done)

    # --- what came back

    def path(self, batch: Batch) -> Path:
        return self.folder / "results" / f"{batch.number + 1:04d}.jsonl"

    def read(self, batch: Batch) -> dict[str, Outcome]:
        """The outcomes of a batch that is fetched or given up, by custom id."""
        if "given_up" in batch.facts:
            return {self.id(ask): Outcome("lost") for ask in batch.asks}
        if batch.number not in self._outcomes:
            path = self.path(batch)
            if not path.exists() or sha256_file(path) != batch.facts["sha256"]:
                raise Damaged(f"{path} is not the file that was fetched: put it back, or start anew in another folder")
            rows = (row for row in read_rows(path) if "result" in row)
            self._outcomes[batch.number] = {row["custom_id"]: self.outcome(row["result"]) for row in rows}
        return self._outcomes[batch.number]

    def reconcile(self, batch: Batch) -> None:
        """Count what came back and what it cost. What was not told is unknown, and never nothing."""
        outcomes = self.read(batch)
        asks = [ask for ask in batch.asks if self.id(ask) in outcomes]
        billed = [ask for ask in asks if outcomes[self.id(ask)].kind not in FREE]
        usages = [self.usage(outcomes[self.id(ask)].usage) for ask in billed]
        silent = [ask for ask, usage in zip(billed, usages, strict=True) if usage is None]
        self.journal.enter(
            batch,
            "reconciled",
            outcomes=dict(sorted(Counter(outcome.kind for outcome in outcomes.values()).items())),
            input_tokens=round(sum(usage[0] for usage in usages if usage)),
            output_tokens=sum(usage[1] for usage in usages if usage),
            with_usage=len(billed) - len(silent),
            without_usage=len(silent),
            besides_usd=round(self.worst_usd(silent) + self.lost_usd(batch), 6),
        )

    def write(self) -> dict:
        """raw.jsonl and report.json of all that is reconciled."""
        done = self.journal.of_state("reconciled")
        asks = [(ask, outcome) for batch in done for ask in batch.asks if (outcome := self.read(batch).get(self.id(ask)))]
        # Nothing is asked again once it is answered, so the last outcome of a request is its answer.
        last = {ask.index: (ask, outcome) for ask, outcome in asks}
        rows = [
            {**self.row_of(index, number, problem).to_dict(), "model": self.plan.model.id}
            | {"seeds": [row.id for row in self.plan.shown(index)]}
            for index, (_, outcome) in sorted(last.items())
            for number, problem in enumerate(outcome.problems)
        ]
        faults = Counter(fault for _, outcome in last.values() for fault in outcome.faults)
        again = sum(o.may_be_asked_again and a.attempt + 1 < MAX_ATTEMPTS for a, o in last.values())
        # The report stands for the rows beside it: it goes before they change, and comes when they are there.
        (self.folder / "report.json").unlink(missing_ok=True)
        write_rows(self.folder / "raw.jsonl", rows)
        report = {
            "plan": self.plan.config,
            "requests": {
                "planned": self.plan.requests,
                "settled": len(last),
                "outcomes": dict(sorted(Counter(outcome.kind for _, outcome in last.values()).items())),
                "details": dict(sorted(Counter(o.detail for _, o in last.values() if o.detail).items())),
                "sent": len(asks),
                "can_be_asked_again": again,
            },
            "problems": {
                "asked": self.plan.problems,
                "rows": len(rows),
                "unreadable": dict(sorted(faults.items())),
            },
            **self.bill([ask for ask, _ in asks], done),
            "sha256": sha256_file(self.folder / "raw.jsonl"),
        }
        write_json(self.folder / "report.json", report)
        return report

    def bill(self, asks: list[Ask], done: list[Batch]) -> dict:
        """Tokens and US dollars, as estimated and as the server told; None for what it never told."""
        estimate = self.plan.estimate([(ask.index, ask.max_tokens) for ask in asks])
        total = {key: sum(batch.facts[key] for batch in done) for key in COUNTED}
        model, told = self.plan.model, total["with_usage"] or not total["without_usage"]
        is_free = not (model.input_usd or model.output_usd)
        usd = round(model.cost(total["input_tokens"], total["output_tokens"]), 6) if told or is_free else None
        return {
            "tokens": {
                "estimated": [estimate.input_tokens, estimate.output_tokens],
                "billed": [total["input_tokens"], total["output_tokens"]] if told else None,
                "replies_without_usage": total["without_usage"],
            },
            "usd": {
                "per_million_tokens": [model.input_usd, model.output_usd],
                "estimated": round(estimate.usd, 6),
                "at_most": round(estimate.worst_usd, 6),
                "billed": usd,
                "may_be_billed_besides": round(total["besides_usd"], 6),
                "billed_to_estimated": round(usd / estimate.usd, 3) if usd is not None and estimate.usd else None,
            },
        }

    def row_of(self, index: int, number: int, problem: dict) -> Row:
        """The row of problem `number` in the reply to request `index`."""
        return Row(
            id=f"{self.source}-{self.plan.key(index)}-{number}",
            problem=problem["problem"],
            steps=tuple(problem["steps"]),
            answer=problem["answer"],
            source=self.source,
        )


COUNTED = ("input_tokens", "output_tokens", "with_usage", "without_usage", "besides_usd")
