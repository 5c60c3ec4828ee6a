"""Where the work of a run is done: in processes of this machine, or on a cluster. The results are the same to the byte.

    with Processes(2) as workers:                   # --engine local
        for squares in workers.map(Power, (2,), [[1, 2], [3]]):
            squares                                 # [1, 4], then [9]
    with Dask(2) as workers: ...                    # --engine dask: two workers of Dask, on this machine
    with Dask(64, "tcp://head:8786") as workers:    # or on a cluster that runs already (Slurm, Kubernetes, ssh: Dask's own)
    with Ray(64, "ray://head:10001") as workers:    # --engine ray: Ray Data, likewise

`map` makes the worker's tool once (`Power(2)`), hands it each part, and gives the results in the order of the parts,
however many workers there are and whichever is done first. A cluster does a part again whose worker died.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from mathtutor.io import sha256_file, sha256_json
from pipeline.cluster import HOST, local_cluster, make_token

ENGINES = ("local", "dask", "ray")
AHEAD = 4  # parts a worker that are under way at once: enough to keep all busy, few enough to hold in memory
RETRIES = 3  # of a part whose worker died: Ray Data itself would try for ever, and say nothing
WAVE = 64  # parts a worker that Ray Data gets at a time
PATIENCE = "300s"  # with Dask's processes: a busy machine needs some of them to start
ROOT = Path(__file__).resolve().parents[1]
# A cluster of Ray gets the code and the bank, and nothing that only this machine needs.
CODE = ("pipeline", "mathtutor", "assets/bank")
LEFT_BEHIND = [".git", ".venv", "data", "runs", "evals", "docs", "tests", "assets/models", "assets/screenshots"]

Tool = Callable[[Any], Any]


class Workers(Protocol):
    """`count` workers; `are_remote` where what they share is worth sending once and for all."""

    count: int
    are_remote: bool

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """make(*shared)(part) for each part, in order."""


def _in_order(submit: Callable[[Any], Any], parts: Iterable, ahead: int) -> Iterator:
    """The results of submit(part), which gives a future, in the order of the parts; `ahead` of them are under way at once."""
    parts = iter(parts)
    running = deque(map(submit, islice(parts, ahead)))
    try:
        while running:
            result = running.popleft().result()
            running.extend(map(submit, islice(parts, 1)))
            yield result
    finally:  # whoever asks for no more need not wait for what is under way
        for future in running:
            future.cancel()


# --- this machine


_tool: Tool | None = None  # of a worker process


def _start(make: Callable[..., Tool], shared: tuple) -> None:
    global _tool
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _tool = make(*shared)


def _end_with_parent() -> None:
    """End this worker when the main process is gone: the pool ends its workers itself, but not when it is killed.

    Workers that were forked later keep the sentinel of an earlier one open: they end one after the other, the last first.
    """
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


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
        with ProcessPoolExecutor(self.count, initializer=_start, initargs=(make, shared)) as pool:
            try:
                yield from _in_order(lambda part: pool.submit(_work, part), parts, AHEAD * self.count)
            except BrokenProcessPool as error:
                raise OSError(
                    "a worker process was killed, as happens when memory runs out: run the same command again with --workers 1"
                ) from error

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_) -> None:
        pass


# --- Dask


_dask_tools: dict[str, Tool] = {}  # of a Dask worker, by the name of what was sent for it


def _dask_work(name: str, sent: tuple, part: Any) -> Any:
    if name not in _dask_tools:
        _dask_tools.clear()  # of an earlier stage
        make, shared = sent
        _dask_tools[name] = make(*shared)
    return _dask_tools[name](part)


class Dask:
    """Workers of a Dask cluster: of `address`, or of one started here for as long as this lives.

    Raises ValueError where Dask is not installed, `address` does not answer, or its workers have other code. Start each worker
    of a cluster in a copy of this folder with its packages (pip install -e '.[pipeline,scale]'): python -m distributed.cli.dask_worker.
    """

    are_remote = True

    def __init__(self, count: int, address: str = ""):
        self.count, self.address = count, address
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Dask:
        try:
            import dask
            import distributed
        except ImportError as error:
            raise ValueError(f"--engine dask needs Dask: pip install -e '.[scale]' ({error})") from error
        self._distributed = distributed
        # One thread a worker: tools keep state. No limit of memory, beyond which Dask would kill a worker: the machine has one.
        here = {"n_workers": self.count, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
        with contextlib.ExitStack() as stack:
            stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": PATIENCE}))
            try:
                if self.address:
                    self._client = stack.enter_context(distributed.Client(self.address, timeout="10s"))
                    if set(self._client.run(code_sha256).values()) - {code_sha256()}:
                        raise ValueError("its workers run other code than this: start each in a copy of this folder")
                else:
                    # With TLS of its own making: nobody else on this machine can send it work.
                    cluster = distributed.LocalCluster(**here, host="127.0.0.1", security=True, silence_logs=logging.CRITICAL)
                    self._client = stack.enter_context(distributed.Client(stack.enter_context(cluster)))
            except Exception as error:  # of a network there are many
                raise ValueError(f"--engine dask: no cluster at {self.address or 'this machine'} ({str(error)[:300]})") from error
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """As above. Raises OSError when Dask gives up a part, whose workers died again and again, or the cluster is gone."""
        client, lost = self._client, self._distributed
        (sent,) = client.scatter([(make, shared)], broadcast=True, hash=False)

        def submit(part: Any):
            return client.submit(_dask_work, sent.key, sent, part, pure=False)

        try:
            yield from _in_order(submit, parts, AHEAD * self.count)
        except (lost.KilledWorker, lost.CancelledError, lost.comm.CommClosedError) as error:
            raise OSError(f"Dask gave up ({str(error)[:300]}): run the same command again") from error


def code_sha256() -> str:
    """Of all that decides what a worker does: the modules and the bank."""
    files = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml", ".yml"))
    return sha256_json({str(path.relative_to(ROOT)): sha256_file(path) for path in files})


# --- Ray


@dataclass(frozen=True)
class _Boxed:
    """Keeps Ray Data from taking a part to pieces: a column holds it as one object."""

    value: Any
    error: Exception | None = None  # that the tool raised: Ray would wrap it, differently in each version


_tools: dict[str, Tool] = {}  # of a Ray worker, by the id of what was sent for it


def _ray_work(batch: dict, sent: list) -> dict:
    import ray

    (reference,) = sent
    results = []
    for part in batch["part"]:
        try:
            if (name := reference.hex()) not in _tools:
                _tools.clear()  # of an earlier stage
                make, shared = ray.get(reference)
                _tools[name] = make(*shared)
            results.append(_Boxed(_tools[name](part.value)))
        except Exception as error:
            results.append(_Boxed(None, error))
    return {"result": results}


class Ray:
    """Workers of a Ray cluster: of `address`, or of one started here for as long as this lives.

    Raises ValueError where Ray is not installed or `address` does not answer. The nodes of a cluster need this project's
    packages (pip install -e '.[pipeline,scale]'); its code and bank are sent along.
    """

    are_remote = True

    def __init__(self, count: int, address: str = ""):
        self.count, self.address = count, address
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Ray:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports home
        os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: beside any other work they would stand still
        if not self.address:
            make_token()
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise ValueError(f"--engine ray needs Ray: pip install -e '.[scale]' ({error})") from error
        self._ray = ray
        with contextlib.ExitStack() as stack:
            if self.address:
                where = {"address": self.address, "runtime_env": {"working_dir": str(ROOT), "excludes": LEFT_BEHIND}}
            else:
                where = {"address": stack.enter_context(local_cluster(self.count)), "_node_ip_address": HOST}
            try:
                ray.init(**where, logging_level=logging.ERROR, log_to_driver=False)
            except Exception as error:  # Ray raises what it likes, a bare Exception among them
                raise ValueError(f"--engine ray: no cluster at {self.address or 'this machine'} ({str(error)[:300]})") from error
            stack.callback(ray.shutdown)
            self._open = stack.pop_all()
        for name in ("ray.data", "ray._private.arrow_utils", "ray.air"):
            logging.getLogger(name).setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # ours counts rows
        context.execution_options.preserve_order = True
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def map(self, make: Callable[..., Tool], shared: tuple, parts: Iterable) -> Iterator:
        """As above. Raises OSError when Ray gives up a part, whose workers died again and again."""
        sent = self._ray.put((make, shared))
        parts = iter(parts)
        while wave := [{"part": _Boxed(part)} for part in islice(parts, WAVE * self.count)]:
            parted = self._ray.data.from_items(wave, override_num_blocks=len(wave))
            pool = self._ray.data.TaskPoolStrategy(self.count)
            done = parted.map_batches(_ray_work, batch_size=1, fn_kwargs={"sent": [sent]}, compute=pool, max_retries=RETRIES)
            try:
                for row in done.iter_rows():
                    if (result := row["result"]).error is not None:
                        raise result.error
                    yield result.value
            except self._ray.exceptions.RayError as error:
                raise OSError(f"Ray gave up ({str(error)[:300]}): run the same command again") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--workers, --engine and --address, for `make_workers`."""
    parser.add_argument("--workers", type=int, default=2, help="processes that judge rows (default: 2)")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="where they run: processes here, or a cluster's (default: local)")
    parser.add_argument("--address", default="", help="of a Dask or Ray cluster that runs (default: one is started here)")


def make_workers(engine: str, count: int, address: str = "") -> Workers:
    """The workers of --engine, --workers and --address. Raises ValueError for a combination without sense."""
    if engine not in ENGINES:
        raise ValueError(f"--engine must be {', '.join(ENGINES)}, not {engine!r:.40}")
    if count < 1:
        raise ValueError(f"--workers must be at least 1, not {count}")
    if address and engine == "local":
        raise ValueError("--address means nothing without --engine dask or ray: leave it out, or add that")
    return {"dask": Dask, "ray": Ray}[engine](count, address) if engine != "local" else Processes(count)
