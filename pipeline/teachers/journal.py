"""The journal of batches that cost money: every state is on disk before the next thing happens.

    {"run": "5f0c2a91", "plan": "9d1e...", "config": {"model": "claude-haiku-4-5-20251001", ...}}
    {"batch": 0, "state": "planned", "asks": [[0, 0, 2350], [1, 0, 2350]]}
    {"batch": 0, "state": "submitting", "newest": "msgbatch_1", "since": "2026-11-20T10:00:00+00:00"}
    {"batch": 0, "state": "submitted", "id": "msgbatch_2"}

then "ended", "fetched", "reconciled"; or "given_up" and "reconciled" where a batch cannot be fetched and somebody
said so. An ask is [index in the plan, attempt from 0, max_tokens]. A batch that
stands at "submitting" may or may not have been paid for: whoever opens the journal must find out. Where a server
answers each request at once, "submitting" lasts until the last reply is there, and "fetched" follows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from mathtutor.io import Damaged, Journal

# From "submitting" back to "planned" only when the server said no. A sending whose answer was lost stays at
# "submitting", also when it is sent once more.
NEXT = {
    "": {"planned"},
    "planned": {"submitting"},
    "submitting": {"submitting", "submitted", "planned", "fetched"},
    "submitted": {"ended", "given_up"},
    "ended": {"fetched", "given_up"},
    "fetched": {"reconciled"},
    "given_up": {"reconciled"},
    "reconciled": set(),
}


@dataclass(frozen=True)
class Ask:
    """One sending of request `index`; `attempt` counts from 0."""

    index: int
    attempt: int
    max_tokens: int


@dataclass
class Batch:
    """`facts` are those of all states so far, the latest winning."""

    number: int
    asks: list[Ask]
    state: str = ""
    facts: dict = field(default_factory=dict)


class BatchJournal:
    """The batches of one run, held by one process at a time (mathtutor.io.Busy otherwise)."""

    def __init__(self, path: Path, plan: str, config: dict):
        """Raises ValueError when the file is of another plan, Damaged when it makes no sense."""
        self.batches: list[Batch] = []
        self._journal = Journal(path)
        try:
            rows = self._journal.rows
            if not rows:
                # In every custom id, so that results of another run of the same plan are known as foreign.
                self._journal.append({"run": os.urandom(4).hex(), "plan": plan, "config": config})
            if rows[0].get("plan") != plan:
                changed = sorted(k for k, v in config.items() if rows[0].get("config", {}).get(k) != v)
                raise ValueError(
                    f"{path.parent} holds a run of another plan (it differs in {', '.join(changed)}): "
                    "repeat its arguments, or choose another --out"
                )
            self.run: str = rows[0]["run"]
            for number, row in enumerate(rows[1:], start=2):
                self._replay(row, f"{path}:{number}")
        except BaseException:
            self._journal.close()
            raise

    def _replay(self, row: dict, where: str) -> None:
        try:
            facts = {key: value for key, value in row.items() if key not in ("batch", "state", "asks")}
            if row["batch"] == len(self.batches) and row["state"] == "planned":
                self.batches.append(Batch(row["batch"], [Ask(*ask) for ask in row["asks"]]))
            batch = self.batches[row["batch"]]
            if row["state"] not in NEXT[batch.state]:
                raise ValueError(f"{batch.state} is followed by {row['state']}")
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Damaged(f"{where} is no step that a batch can take ({error})") from error
        batch.state, batch.facts = row["state"], batch.facts | facts

    def plan(self, asks: list[Ask]) -> Batch:
        """A new batch, at "planned"."""
        self._write(len(self.batches), "planned", asks=[[a.index, a.attempt, a.max_tokens] for a in asks])
        return self.batches[-1]

    def enter(self, batch: Batch, state: str, **facts) -> None:
        """Take a batch to its next state; on disk when this returns."""
        if state not in NEXT[batch.state]:
            raise RuntimeError(f"batch {batch.number} cannot go from {batch.state} to {state}")
        self._write(batch.number, state, **facts)

    def _write(self, number: int, state: str, **facts) -> None:
        row = {"batch": number, "state": state, **facts}
        self._journal.append(row)
        self._replay(row, str(self._journal.path))

    def of_state(self, *states: str) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> BatchJournal:
        return self

    def __exit__(self, *_) -> None:
        self.close()
