"""A ZeroGPU Space in a process of its own: `python -m tests.zero_run FOLDER` prints what tests/test_zero.py looks at, as JSON.

With tests/standin on the path `spaces` is the stand-in there. Else it is the real package against a device API of ours, over a PyTorch
that has no CUDA: what it would do to a card is left out, all else is its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from gradio.context import LocalContext
from starlette.datastructures import Headers

import ui  # noqa: F401
from mathtutor.chat import conversation
from mathtutor.engines import Delta, Sampling, UsedUp, load_engine, zero
from mathtutor.engines.hf import HFEngine
from ui.desk import Desk
from ui.learn import coach
from ui.streams import Batch, Limits, Race, WaitingLine

SECRET = "Zebulon has 3 apples and buys 4 more. How many?"
TALK = conversation(SECRET)
QUIET = multiprocessing.Value("i", 0)  # shared with forked processes: pieces that were computed


class Api(BaseHTTPRequestHandler):
    """The platform behind the real package: one card, and as many seconds as are left."""

    asked: list[tuple[int, str | None]] = []
    left = SimpleNamespace(seconds=10_000)
    task = None

    def do_POST(self):
        url = urlsplit(self.path)
        words = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != "/schedule":
            return self.answer(200, {})
        seconds = int(words["durationSeconds"])
        Api.asked.append((seconds, words.get("token")))
        if seconds > Api.left.seconds:
            return self.answer(429, {"left": Api.left.seconds, "wait": 3600})
        idle, Api.task = Api.task == words["taskId"], words["taskId"]
        self.answer(200, {"idle": idle, "nvidiaIndex": 0, "nvidiaUUID": "card", "allowToken": "may"})

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def platform():
    """(asked, left) of the stand-in or of the real package, which is imported."""
    if any("standin" in path for path in sys.path):
        import spaces

        return spaces.asked, spaces.left
    import torch

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import spaces
    from spaces.config import Config

    Config.zero_gpu, Config.zero_device_api_url = True, f"http://127.0.0.1:{server.server_port}"
    torch.version.cuda = torch.version.cuda or "13.0"  # it asks at its import which one PyTorch was built for
    torch._C._cuda_init = getattr(torch._C, "_cuda_init", None)
    import spaces.zero.torch as card

    for name in ("unpatch", "init", "move", "enter_mode"):
        setattr(card, name, lambda *args, **kwargs: None)
    return Api.asked, Api.left


class Held:
    """An engine that is no model: one piece each 20 ms, or none at all, until it is stopped."""

    revision, batch_size, calculates = "", 1, False

    def __init__(self, name: str, talks: bool = True):
        self.name, self.talks = name, talks

    def arrive(self) -> None:
        pass

    def stream(self, conversation, sampling, stop):
        if not self.talks:
            raise ValueError(conversation[-1]["content"])
        while not stop.wait(0.02):
            QUIET.value += 1
            yield Delta(f"{os.getpid()} ")
        yield Delta("", 0, finish="stopped")

    def replies(self, conversations, sampling, stop, seeds=None):
        while not stop.wait(0.02):
            QUIET.value += 1
        yield from ()


def stopped(begin) -> float:
    """Seconds from leaving a run that has begun to the last piece that is computed for it."""
    before = QUIET.value
    run = begin()
    with run:
        for _ in run:
            if QUIET.value > before + 5:
                break
        started = time.monotonic()
    last, at = QUIET.value, started
    while time.monotonic() < started + 1:
        time.sleep(0.005)
        if QUIET.value != last:
            last, at = QUIET.value, time.monotonic()
    return at - started


def main(folder: str) -> None:
    asked, left = platform()
    os.environ["SPACES_ZERO_GPU"] = "true"
    told: dict[str, object] = {"on": zero.prepare(["qwen3-4b"]), "pocket": type(load_engine("pocket")).__name__}
    engine, plain = load_engine(f"hf:{folder}"), HFEngine(folder)
    told["lent"] = isinstance(engine, zero.ZeroEngine)
    sampling = Sampling(max_tokens=24, temperature=0.7, seed=3)
    told["same"] = [
        "".join(delta.text for delta in engine.stream(TALK, sampling)) == "".join(delta.text for delta in plain.stream(TALK, sampling)),
        [reply.text for _, reply in sorted(engine.replies([TALK] * 3, sampling, seeds=[1, 2, 1]))]
        == [reply.text for _, reply in sorted(plain.replies([TALK] * 3, sampling, seeds=[1, 2, 1]))],
    ]
    told["declared"] = [seconds for seconds, _ in asked]
    slow = zero.ZeroEngine(Held("slow"))
    with closing(slow.stream(TALK)) as pieces:
        first = next(pieces)
    with closing(slow.stream(TALK)) as pieces:
        told["processes"] = [os.getpid() != int(first.text), first.text == next(pieces).text]  # forked, and kept
    line = WaitingLine()
    with line.place() as place:
        told["stops"] = [
            stopped(lambda: Race({"tuned": slow}, TALK, Sampling(), place)), stopped(lambda: Batch(slow, TALK, Sampling(), 5, place)),
        ]  # fmt: skip
    zero.BEGINNING, zero.TOKENS_A_SECOND = 0.5, 1000.0
    told["late"] = [delta.finish for delta in slow.stream(TALK, Sampling(max_tokens=100))][-1]
    torn = zero.ZeroEngine(Held("torn", talks=False))
    try:
        list(torn.stream(TALK))
    except Exception as error:
        told["torn"] = not isinstance(error, UsedUp) and SECRET not in str(error)
    LocalContext.request.set(SimpleNamespace(headers=Headers({"x-ip-token": "whose"})))
    *_, view = coach(SECRET, True, Desk({"tuned": engine}, Limits(max_tokens=8)))
    told["whose"], told["solved"] = asked[-1][1], view.work is not None
    left.seconds = 0
    *_, view = coach(SECRET, True, Desk({"tuned": engine}))
    told["used up"] = view.status
    with line.place() as place, Race({"tuned": engine}, TALK, Sampling(), place) as race:
        told["used up in compare"] = [delta.finish for _, delta in race if delta is not None]
    print("\n" + json.dumps(told), flush=True)
    for process in multiprocessing.active_children():  # they wait for more
        process.kill()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
