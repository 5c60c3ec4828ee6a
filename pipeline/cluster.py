"""A Ray cluster of this machine alone, for as long as a command needs one.

    make_token()
    import ray

    with local_cluster(2) as address:       # 2 CPUs; "127.0.0.1:40213"
        ray.init(address=address)

`ray.init()` would start one too, but what it had started stays behind where the start fails. Here `ray start` runs without
the processes that nobody needs (autoscaler, log reader) and ends with us, however we end. A Ray node dies where its agents,
two Python processes, have not come up after 15 seconds, and no setting says otherwise: a machine with several times more
work than cores starts none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 300  # seconds
TRIES = 2
HOST = "127.0.0.1"
NOT_UP = "Ray does not start on this machine"
IS_UP = "Ray runtime started"
PR_SET_PDEATHSIG = 1


def make_token() -> None:
    """Call it before Ray is imported: it then looks, once a process, whether a token is asked for."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextlib.contextmanager
def local_cluster(cpus: int) -> Iterator[str]:
    """Start a cluster of `cpus` CPUs that only this machine, and who knows its token, can reach; its address.

    Raises ValueError when Ray does not come up, with the end of what it said.
    """
    said = ""
    for _ in range(TRIES):
        # Sockets lie in it, whose paths may have 107 characters: not in a long TMPDIR.
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            port = _free_port()
            process, log = _start(cpus, port, Path(folder))
            try:
                if _comes_up(process, log):
                    yield f"{HOST}:{port}"
                    return
                said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-300:]
            finally:
                _stop(process)
    raise ValueError(f"--engine ray: {NOT_UP}, in {TRIES} tries: use --engine dask, or give it a core to spare ({said})")


def _free_port() -> int:
    """One that was free a moment ago; should another take it, the next try has another."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _start(cpus: int, port: int, folder: Path) -> tuple[subprocess.Popen, Path]:
    """`ray start --block` under way, and the file of what it says. Its processes end with it, and it with us."""
    log = folder / "start.log"
    options = [
        f"--node-ip-address={HOST}",
        f"--port={port}",
        f"--num-cpus={cpus}",
        f"--temp-dir={folder / 'ray'}",
        # Whichever are free: two clusters may stand side by side.
        f"--ray-client-server-port={_free_port()}",
        f"--dashboard-agent-listen-port={_free_port()}",
        f"--runtime-env-agent-port={_free_port()}",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--include-dashboard=false",
        "--include-log-monitor=false",
        "--no-monitor",
        "--disable-usage-stats",
        "--log-color=false",
    ]
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *options],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # workers import what we can
            start_new_session=True,  # Ctrl+C is ours: we stop it in order
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    return process, log


def _die_with_parent() -> None:
    """A command that is killed cannot stop its cluster: the kernel does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _comes_up(process: subprocess.Popen, log: Path) -> bool:
    """Wait until it says that it is up, or ends, or patience does."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if IS_UP in log.read_text(encoding="utf-8", errors="replace"):
            return True
        time.sleep(0.2)
    return False


def _stop(process: subprocess.Popen) -> None:
    """At once: asked to end, it would wait for the tasks of its workers. Its processes go when it does."""
    process.kill()
    process.wait()

