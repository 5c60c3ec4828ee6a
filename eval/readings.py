"""Every reply read again by readings that are not ours, so that a mistake of our reader shows.

    readings = read_all(rows, Path("evals/mine/readings.jsonl"), golds)      # by (id, sample)
    readings["gsm8k-7", 0]["math_verify"]                                    # True, False or None

math-verify parses with SymPy, which a hostile reply can keep busy for ever and whose own time limit works in the
main thread of a process only. So it runs in processes of its own, which Pebble ends when a reply takes too long;
that reply's reading is null, with the reason. What has been read is kept in a journal and not read again.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tqdm import tqdm

from eval.records import hash_of_reply, key_of
from mathtutor.chat import split_reply
from mathtutor.io import Journal

TIMEOUT = 20.0  # seconds for one reply, after which its process is ended
LIBRARY_TIMEOUT = 5  # seconds that math-verify gives itself for each of its two parts
TAIL_CHARS = 4000  # of a reply after its thinking, as in the robust reading
WORKERS = 2


class NotInstalled(RuntimeError):
    """math-verify is not here; the message says how to get it."""


def _prepare() -> None:
    """Import SymPy before the first reply's time begins: on a busy machine that takes longer than a reply may."""
    import math_verify  # noqa: F401

    logging.disable(logging.ERROR)  # what the library says of one reply stands in that reply's reading


def _judge(item: tuple[str, str]) -> tuple[bool | None, str]:
    """(right, error) of (tail of a reply, gold answer); runs in a process of its own."""
    from math_verify import parse, verify

    tail, gold = item
    found = parse(tail, parsing_timeout=LIBRARY_TIMEOUT)
    if not found:
        return None, ""
    wanted = parse(gold if "$" in gold else f"${gold}$", parsing_timeout=LIBRARY_TIMEOUT)
    if not wanted:
        return None, "the gold answer cannot be parsed"
    return bool(verify(wanted, found, timeout_seconds=LIBRARY_TIMEOUT)), ""


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


def judge(items: Sequence[tuple[str, str]], timeout: float = TIMEOUT):
    """(right, error) for each (reply, gold answer), in their order, by math-verify alone. Never raises for an item."""
    pieces = [(_tail(reply), gold) for reply, gold in items]
    if not pieces:
        return
    results = _pool().map(_judge, pieces, timeout=timeout, chunksize=1).result()
    for _ in pieces:
        try:
            yield next(results)
        except TimeoutError:
            yield None, f"took longer than {timeout:g} s"
        except Exception as error:  # a process that died, or the library's own
            yield None, f"{type(error).__name__}: {error}"[:200]


def _tail(reply: str) -> str:
    """What follows the thinking; a reply whose thinking never closed has no answer to be read."""
    parts = split_reply(reply)
    return parts.tail[-TAIL_CHARS:] if parts.closed or not parts.opened else ""


def read_all(rows: Sequence[dict], path: Path, golds: Mapping[str, str]) -> dict[tuple[str, int], dict]:
    """The readings of all rows by (id, sample); those in the journal at `path` are not made again.

    `golds`: the gold answer of each problem, as its benchmark writes it. Raises NotInstalled without math-verify.
    """
    with Journal(path) as journal:
        current = {key_of(row): hash_of_reply(row["reply"]) for row in rows}
        journal.retain(lambda row: current.get(key_of(row)) == row.get("reply"))
        done = {key_of(row) for row in journal.rows}
        missing = [row for row in rows if key_of(row) not in done]
        if missing:
            with tqdm(total=len(rows), initial=len(done), unit="reading", disable=None, leave=False) as bar:
                for reading in _read(missing, golds):
                    journal.append(reading)
                    bar.update()
        return {key_of(row): row for row in journal.rows}


def _read(rows: Sequence[dict], golds: Mapping[str, str]):
    asked = []
    for row in rows:
        # A gold answer that is a number is given as one: GSM8K's is a whole solution.
        gold = row["gold"] if "gold_text" not in row else golds.get(row["id"], row["gold_text"])
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
