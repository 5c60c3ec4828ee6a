"""Every reply read again by readings that are not ours, so that a mistake of our reader shows.

    readings = read_all(rows, Path("evals/mine/readings.jsonl"), golds)      # by (id, sample)
    readings["gsm8k-7", 0]["math_verify"]                                    # True, False or None

math-verify parses with SymPy, which a hostile reply can keep busy for ever and whose own time limit works in the
main thread of a process only, by the clock on the wall: on a busy machine it would call right answers wrong. So it
runs in processes of its own, without its limits. Each reply may use so much processing time, counted by the system
after SymPy has been loaded, whatever else the machine does; then the process is ended, and the reading is null with
the reason. What has been read is kept in a journal and not read again; what was not read to the end is.

The library shares four things with our reading, and no more: where the thinking ends, that a reply which was cut off has
no answer, that nothing before the last 4,000 characters is searched, and that a gold answer stands after its last "####".
What the answer is, of the reply and of the gold text, it reads by itself.

Where an answer is an expression, the replies to a problem vote for what they mean and not for how it is written:
`votes.jsonl` says which of them math-verify finds equal. It is made without the gold answer.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import multiprocessing
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

from eval.records import by_problem, hash_of_reply, is_unfinished, key_of, with_votes
from mathtutor.chat import split_reply
from mathtutor.io import Journal
from mathtutor.progress import progress

PROCESSING = 30.0  # seconds of a processor for one reply; after them its process is ended
PATIENCE = 20  # so many times as long on the wall, for a process that hangs without working
TAIL_CHARS = 4000  # of a reply after its thinking, as in the robust reading
SHOWN_CHARS = 200  # of an expression that is kept to be shown
WORKERS = 2


class NotInstalled(RuntimeError):
    """math-verify is not here; the message says how to get it."""


def _prepare() -> None:
    """Load SymPy and its parsers, which takes seconds, before the first reply's time begins."""
    logging.disable(logging.ERROR)  # what the library says of one reply stands in that reply's reading
    _judge(("so $\\boxed{\\frac{x+1}{2}}$", "$0.5 + \\frac{x}{2}$"))


def _limited(task: tuple[Callable, object, float]):
    """The function of an item, in this process and in so many seconds of processing.

    SIGPROF is left to the system, which ends the process: an exception would not come through a power of a power, nor
    through an `except Exception` on its way.
    """
    function, item, seconds = task
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(item)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _judge(item: tuple[str, str]) -> tuple[bool | None, str]:
    """(right, error) of (tail of a reply, gold answer); runs in a process of its own."""
    from math_verify import parse, verify

    tail, gold = item[0], item[1].strip()
    # Inside a box the library parses some expressions otherwise than outside, and some not at all ("n is prime"): what is
    # written alike is alike.
    said, meant = _boxed(tail), _boxed(f"\\boxed{{{gold.strip('$')}}}")
    if "\\boxed{" in tail and said and said == meant and len(said) < SHOWN_CHARS:
        return True, ""
    found = parse(tail, parsing_timeout=None)
    if not found:
        return None, ""
    wanted = parse(gold if "$" in gold else f"${gold}$", parsing_timeout=None)
    if not wanted:
        return None, "the gold answer cannot be parsed"
    return bool(verify(wanted, found, timeout_seconds=None)), ""


def _sort(tails: Sequence[str]) -> list[tuple[int | None, str]]:
    """For each reply (the first one that means the same, what it says), (None, "") without an answer; in a process of its own."""
    from math_verify import parse, verify

    heads: list[tuple[int, list, str]] = []
    found: list[tuple[int | None, str]] = []
    for place, tail in enumerate(tails):
        if not (parsed := parse(tail, parsing_timeout=None) if tail else []):
            found.append((None, ""))
            continue
        text = next((part for part in reversed(parsed) if isinstance(part, str)), str(parsed[-1]))[:SHOWN_CHARS]
        head = next((head for head, other, said in heads if said == text or verify(other, parsed, timeout_seconds=None)), None)
        if head is None:
            heads.append((place, parsed, text))
        found.append((place if head is None else head, text))
    return found


@cache
def _pool():
    """Processes that live as long as ours: each takes seconds to import SymPy."""
    if importlib.util.find_spec("math_verify") is None or importlib.util.find_spec("pebble") is None:
        raise NotInstalled("No second reading by math-verify: it is not installed (pip install -e '.[eval]'), then run the same command again.")
    import pebble

    # Spawned and not forked: a fork of a process with torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = pebble.ProcessPool(max_workers=WORKERS, initializer=_prepare, context=context)
    atexit.register(lambda: (pool.stop(), pool.join()))
    return pool


def judge(items: Sequence[tuple[str, str]], seconds: float = PROCESSING, patience: float = PATIENCE):
    """(right, error) for each (reply, gold answer), in their order, by math-verify alone. Never raises for an item.

    `seconds`: processing time for one; the wall may show `patience` times as much.
    """
    for found, error in _each(_judge, [(_tail(reply), gold) for reply, gold in items], seconds, patience):
        yield (None, error) if error else found


def sort(groups: Sequence[Sequence[str]]) -> Iterator[tuple[list[tuple[int | None, str]] | None, str]]:
    """(what `_sort` says of each group of replies, error). Never raises for a group."""
    longest = max(map(len, groups), default=1)
    yield from _each(_sort, [[_tail(reply) for reply in group] for group in groups], PROCESSING * longest, PATIENCE)


def _each(function: Callable, items: Sequence, seconds: float, patience: float) -> Iterator[tuple[object, str]]:
    """(result, "") or (None, error) of each item, in their order."""
    if not items:
        return
    tasks = [(function, item, seconds) for item in items]
    results = _pool().map(_limited, tasks, timeout=seconds * patience, chunksize=1).result()
    for _ in items:
        try:
            yield next(results), ""
        except TimeoutError:
            yield None, f"took longer than {seconds * patience:g} s"
        except Exception as error:  # a process that died, or the library's own
            ended = getattr(error, "exitcode", None)
            if ended == -signal.SIGPROF:
                yield None, f"took longer than {seconds:g} s of processing"
            else:
                yield None, f"{type(error).__name__}: {error}"[:200] + ("" if ended is None else f" (exit {ended})")


def _tail(reply: str) -> str:
    """What follows the thinking; a reply whose thinking never closed has no answer to be read."""
    parts = split_reply(reply)
    return parts.tail[-TAIL_CHARS:] if parts.closed or not parts.opened else ""


_UNIT = re.compile(r"(?<=\d)\s+\([A-Za-z][A-Za-z ]+\)\Z")  # ASDiv: "9 (apples)"
_FLOAT = re.compile(r"-?\d+(?:\.\d+)?e[+-]?\d{1,3}", re.IGNORECASE)  # as Python writes one, of which e is no constant


def gold_text(gold: str) -> str:
    """A gold answer that is a number, for the library: as its benchmark writes it, without the solution before it and the unit after it."""
    text = _UNIT.sub("", gold.rpartition("####")[2].strip())
    return format(Decimal(text), "f") if _FLOAT.fullmatch(text) else text


def read_all(rows: Sequence[dict], path: Path, golds: Mapping[str, str]) -> dict[tuple[str, int], dict]:
    """The readings of all rows by (id, sample); those in the journal at `path` that came to an end are not made again.

    `golds`: the gold answer of each problem, as its benchmark writes it. Raises NotInstalled without math-verify.
    """
    with Journal(path) as journal:
        current = {key_of(row): hash_of_reply(row["reply"]) for row in rows}
        journal.retain(lambda row: current.get(key_of(row)) == row.get("reply") and not is_unfinished(row))
        done = {key_of(row) for row in journal.rows}
        missing = [row for row in rows if key_of(row) not in done]
        if missing:
            with progress(len(rows), len(done), "readings", leave=False) as advance:
                for reading in _read(missing, golds):
                    journal.append(reading)
                    advance()
        found = {key_of(row): row for row in journal.rows}
    return with_votes(found, _votes(rows, path.with_name("votes.jsonl")), rows)


def _read(rows: Sequence[dict], golds: Mapping[str, str]):
    asked = []
    for row in rows:
        written = golds.get(row["id"], row.get("gold_text", row["gold"]))
        gold = written if "gold_text" in row else gold_text(written)
        asked.append(("" if row["cut_off"] or row["finish"] == "failed" else row["reply"], gold))
    for row, (right, error) in zip(rows, judge(asked), strict=True):
        yield {
            "id": row["id"],
            "sample": row.get("sample", 0),
            "reply": hash_of_reply(row["reply"]),
            "robust": row["correct"],
            "strict": row["correct_strict"],
            "math_verify": right,
            **({"error": error} if error else {}),
        }


def _votes(rows: Sequence[dict], path: Path) -> list[dict]:
    """Rows of `votes.jsonl` for the problems whose answers are expressions; those that are there are not made again."""
    groups = by_problem(row for row in rows if row["correct"] is None)
    if not groups:
        return []
    with Journal(path) as journal:
        hashes = {name: [hash_of_reply(row["reply"]) for row in group] for name, group in groups.items()}
        journal.retain(lambda row: hashes.get(row["id"]) == [vote["reply"] for vote in row["votes"]] and not is_unfinished(row))
        done = {row["id"] for row in journal.rows}
        missing = [name for name in groups if name not in done]
        replies = [["" if row["cut_off"] or row["finish"] == "failed" else row["reply"] for row in groups[name]] for name in missing]
        with progress(len(groups), len(done), "votes", leave=False) as advance:
            for name, texts, (found, error) in zip(missing, replies, sort(replies), strict=True):
                means = _by_text(texts) if found is None else found
                votes = [
                    {"sample": row.get("sample", 0), "reply": hashes[name][place], "vote": head, "answer": said or None}
                    for place, (row, (head, said)) in enumerate(zip(groups[name], means, strict=True))
                ]
                journal.append({"id": name, "votes": votes, **({"error": error} if error else {})})
                advance()
        return journal.rows


def _by_text(replies: Sequence[str]) -> list[tuple[int | None, str]]:
    """As `_sort`, by what is written in the last box or on the last line: where the library comes to no end."""
    said = [_boxed(_tail(reply)) for reply in replies]
    return [(said.index(text), text) if text else (None, "") for text in said]


def _boxed(tail: str) -> str:
    box = tail.rpartition("\\boxed{")[2] if "\\boxed{" in tail else tail.strip().rpartition("\n")[2]
    return re.sub(r"\s+", "", box).rstrip("}$.")[:SHOWN_CHARS]
