"""Fetching a model from the hub: safetensors and text files only, with progress, and a way to stop.

    folder = fetch("Qwen/Qwen3-0.6B", on_bytes=lambda done, total: print(done, total), stop=event)

Files that are there already are not fetched again. One that was broken off begins anew: the hub's client (2.4) goes on within a file only
in the process that began it, and takes the part away when it ends.
The client runs in a process of its own, `python -m mathtutor.engines.hub ORG/NAME`: neither a thread nor its native part can be
ended while it waits for the network, a process can.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from mathtutor.engines import OnBytes

WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
ROOT = Path(__file__).resolve().parents[2]
GLANCE = 0.1  # seconds between two looks at `stop`
CLEARING = 10.0  # seconds that the client has to take a half file away


def fetch(repository: str, on_bytes: OnBytes | None = None, stop: threading.Event | None = None) -> str:
    """The folder of `repository` in the hub's cache, whole. Raises ValueError with a sentence, also where `stop` was set."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    client = subprocess.Popen(
        [sys.executable, "-m", "mathtutor.engines.hub", repository], env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    last: list[dict] = [{}]
    listener = threading.Thread(target=_listen, args=(client, last, on_bytes), daemon=True, name=f"fetch {repository}")
    with client:
        try:
            listener.start()
            while listener.is_alive():
                listener.join(GLANCE)
                if stop is not None and stop.is_set():
                    raise ValueError(f"the download of the model {repository} was stopped; the files that are whole are kept for the next time")
        finally:
            client.terminate()
            try:
                client.wait(CLEARING)
            except subprocess.TimeoutExpired:
                client.kill()
    if "folder" in last[0]:
        return last[0]["folder"]
    raise ValueError(last[0].get("error") or f"the model {repository} could not be downloaded: the hub's client ended by itself")


def _listen(client: subprocess.Popen, last: list[dict], on_bytes: OnBytes | None) -> None:
    for line in client.stdout:
        last[0] = json.loads(line)
        if "done" in last[0] and on_bytes is not None:
            on_bytes(last[0]["done"], last[0]["total"])


def _tell(**words: object) -> None:
    print(json.dumps(words), flush=True)


def _serve(repository: str) -> None:
    """In the client's process: lines of JSON, {"done", "total"} in bytes and at last {"folder"} or {"error"}."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.utils import tqdm

    done = total = 0

    class Count(tqdm):
        """The client's own bar, which draws nothing and passes its bytes on."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs | {"disable": True})
            self._add(kwargs.get("initial", 0))

        def update(self, n: float | None = 1) -> None:
            self._add(n)

        def _add(self, n: float | None) -> None:
            nonlocal done
            done += int(n or 0)
            _tell(done=min(done, total), total=total)

    try:
        files = snapshot_download(repository, allow_patterns=list(WANTED), dry_run=True)
        missing = [file for file in files if file.will_download]
        total = sum(file.file_size or 0 for file in missing)
        for file in missing:
            hf_hub_download(repository, file.filename, revision=file.commit_hash, tqdm_class=Count)
    except Exception as error:  # the hub's client and what it stands on raise many kinds
        return _tell(error=f"the model {repository} could not be downloaded: {_first_line(error)}")
    if not any(file.filename.endswith(".safetensors") for file in files):
        return _tell(error=f"the model {repository} has no safetensors files: it cannot be used")
    _tell(folder=str(_root(files)))


def _root(files) -> Path:
    """The snapshot's folder, from the place of its file of the fewest parts."""
    file = min(files, key=lambda file: file.filename.count("/"))
    return Path(file.local_path).parents[file.filename.count("/")]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _end_with_parent() -> None:
    sys.stdin.read()  # until whoever started this process is gone
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(CLEARING)
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, by which the client takes its half file away
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _serve(sys.argv[1])
