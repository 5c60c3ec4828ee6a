"""Where the work of a run is done: in processes of this machine, or on a Ray cluster. Either way the results are to be the same.

    with Processes(2) as workers:                   # --engine local
        for squares in workers.map(Power, (2,), [[1, 2], [3]]):
            squares                                 # [1, 4], then [9]
    with Ray(2) as workers: ...                     # --engine ray: Ray Data, on this machine
    with Ray(64, "ray://head:10001") as workers:    # or on a cluster that runs already

One process and two give the same bytes, as tests/test_pipeline.py holds. For Ray the same tests (MATHTUTOR_TEST_RAY=1 python -m pytest
tests/test_workers.py) have not been seen to pass yet, and why is not known: that its results are the same is unproven
until they do.

`map` makes the worker's tool once (`Power(2)`), hands it each part, and gives the results in the order of the parts,
however many workers there are and whichever is done first. Ray does a part again whose worker died.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

ENGINES = ("local", "ray")
AHEAD = 4  # parts a worker that are under way at once: enough to keep all busy, few enough to hold in memory
STARTS = 3  # tries to start Ray here
WAVE = 64  # parts a worker that Ray Data gets at a time
ROOT = Path(__file__).resolve().parents[1]
# A cluster gets the code and the bank, and nothing that only this machine needs.
LEFT_BEHIND = [".git", ".venv", "data", "runs", "evals", "docs", "tests", "assets/models", "assets/screenshots"]

Tool = Callable[[Any], Any]


class Workers(Protocol):
    """`count` workers; `are_remote` where what they share is worth sending once and for all."""

    count: int
    are_remote: bool

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """make(*shared)(part) for each part, in order."""


# --- this machine


_tool: Tool | None = None  # of a worker process


def _start(make: Callable[..., Tool], shared: tuple) -> None:
    global _tool
    _tool = make(*shared)


def _work(part: Any) -> Any:
    return _tool(part)


class Processes:
    """Worker processes of this machine; with 1 the work is done in this process."""

    are_remote = False

    def __init__(self, count: int):
        self.count = count

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """Raises OSError when a worker is killed from outside."""
        if self.count == 1:
            yield from map(make(*shared), parts)
            return
        parts, running = iter(parts), deque()
        with ProcessPoolExecutor(self.count, initializer=_start, initargs=(make, shared)) as pool:
            try:
                while running or not running and (first := list(islice(parts, AHEAD * self.count))):
                    if not running:
                        running.extend(pool.submit(_work, part) for part in first)
                    result = running.popleft().result()
                    running.extend(pool.submit(_work, part) for part in islice(parts, 1))
                    yield result
            except BrokenProcessPool as error:
                raise OSError(
                    "a worker process was killed, as happens when memory runs out: run the same command again with --workers 1"
                ) from error
            finally:  # whoever asks for no more need not wait for what is under way
                for future in running:
                    future.cancel()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_) -> None:
        pass


# --- Ray


@dataclass(frozen=True)
class _Boxed:
    """Keeps Ray Data from taking a part to pieces: a column holds it as one object."""

    value: Any


_tools: dict[str, Tool] = {}  # of a Ray worker, by the id of what was sent for it


def _ray_work(batch: dict, sent: list) -> dict:
    import ray

    (reference,) = sent
    if (name := reference.hex()) not in _tools:
        _tools.clear()  # of an earlier stage
        make, shared = ray.get(reference)
        _tools[name] = make(*shared)
    return {"result": [_Boxed(_tools[name](part.value)) for part in batch["part"]]}


class Ray:
    """Workers of a Ray cluster: of `address`, or of one started here for as long as this lives.

    Raises ValueError where Ray is not installed or `address` does not answer. The nodes of a cluster need this project's
    packages (pip install -e '.[pipeline,scale]'); its code and bank are sent along.
    """

    are_remote = True

    def __init__(self, count: int, address: str = ""):
        self.count, self.address = count, address

    def __enter__(self) -> Ray:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports home
        os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: beside any other work they would stand still
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise ValueError(f"--engine ray needs Ray: pip install -e '.[scale]' ({error})") from error
        self._ray = ray
        where: dict[str, Any] = {"num_cpus": self.count, "include_dashboard": False}
        if self.address:
            where = {"address": self.address, "runtime_env": {"working_dir": str(ROOT), "excludes": LEFT_BEHIND}}
        for attempt in range(STARTS):
            try:
                ray.init(**where, logging_level=logging.ERROR, log_to_driver=False)
                break
            except Exception as error:  # Ray raises what it likes, a bare Exception among them
                ray.shutdown()
                if "timed out during startup" in str(error) and attempt + 1 < STARTS:  # 30 s are few on a busy machine
                    continue
                where_it_is = self.address or "this machine"
                raise ValueError(f"--engine ray: no cluster at {where_it_is} ({str(error)[:300]})") from error
        for name in ("ray.data", "ray._private.arrow_utils", "ray.air"):
            logging.getLogger(name).setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # ours counts rows
        context.execution_options.preserve_order = True
        return self

    def __exit__(self, *_) -> None:
        self._ray.shutdown()

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """As above. Raises OSError when Ray gives up a part, whose workers died again and again."""
        sent = self._ray.put((make, shared))
        parts = iter(parts)
        while wave := [{"part": _Boxed(part)} for part in islice(parts, WAVE * self.count)]:
            parted = self._ray.data.from_items(wave, override_num_blocks=len(wave))
            done = parted.map_batches(_ray_work, batch_size=1, fn_kwargs={"sent": [sent]}, concurrency=self.count)
            try:
                for row in done.iter_rows():
                    yield row["result"].value
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except self._ray.exceptions.RayError as error:
                raise OSError(f"Ray gave up ({str(error)[:300]}): run the same command again") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--workers, --engine and --ray-address, for `make_workers`."""
    parser.add_argument("--workers", type=int, default=2, help="processes that judge rows (default: 2)")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="where they run: on this machine, or Ray's (default: local)")
    parser.add_argument("--ray-address", default="", metavar="ADDRESS", help="of a cluster that runs (default: one is started here)")


def make_workers(engine: str, count: int, address: str = "") -> Processes | Ray:
    """The workers of --engine, --workers and --ray-address. Raises ValueError for a combination without sense."""
    if engine not in ENGINES:
        raise ValueError(f"--engine must be {' or '.join(ENGINES)}, not {engine!r:.40}")
    if count < 1:
        raise ValueError(f"--workers must be at least 1, not {count}")
    if address and engine != "ray":
        raise ValueError("--ray-address means nothing without --engine ray: leave it out, or add that")
    return Ray(count, address) if engine == "ray" else Processes(count)
