"""How long do many students at once wait for their first hint, and does any of them see another's text?

    python -m benchmarks.load                     # 30 students; --out benchmarks/records/load.json keeps it

The app itself, served as `python app.py` serves it, with Pocket on this machine's processor; in another process, every
student asks at the same moment over Gradio's own protocol, as the page does. Each has a problem of the bank with a name of
its own in it: whatever a student is sent and holds another's name is a text that crossed.

Two times are taken from the click: until the first rung (it needs no model, and comes while one waits in the line), and
until the first hint cut from a solution (the press of "hint" included). The line holds as many as `Limits.max_waiting`;
whoever finds it full is told so, waits RETRY seconds and asks again, his clock running on. The students share an address,
so the bound on runs per address is lifted; nothing else is. Needs a quiet machine to say anything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from threading import Barrier

import httpx

from mathtutor.bank import load_bank
from mathtutor.io import write_json
from mathtutor.strings import ENGLISH as strings

RETRY = 5.0  # seconds until one who found the line full asks again
PATIENCE = 300.0  # seconds after which a student gives up, and is counted as one who had no hint
PORT = 7871


def serve(port: int) -> None:
    """`app.main` without the bound on runs per address; a process of its own, so that students cost the app no lock."""
    import app
    from ui import practice, theme
    from ui.streams import LazyEngine

    tuned, base = LazyEngine("pocket"), LazyEngine("pocket-base")
    demo = app.build_app(tuned, base)
    for engine in (tuned, base):
        engine.start().wait(60)
    practice.warm()
    demo.launch(server_name="127.0.0.1", server_port=port, quiet=True, **theme.settings(demo, burst=1_000_000))


class Student:
    """Someone who asks for help with a problem of his own until he has a hint that was cut from a solution."""

    def __init__(self, url: str, functions: dict[str, int], name: str, problem: str):
        self.url, self.functions, self.name, self.problem = url, functions, name, problem
        self.session = uuid.uuid4().hex
        self.seen: list[str] = []  # all that was sent to this student
        self.full = 0  # times the line was full
        self.rung = self.hint = None  # seconds

    def run(self, start: Barrier) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            start.wait()
            clicked = time.monotonic()
            while self.hint is None and time.monotonic() - clicked < PATIENCE:
                refused = False
                for view in self._call(client, "learn_solve", [self.problem, True, False]):
                    if self.rung is None and "mt-rung" in view:
                        self.rung = time.monotonic() - clicked
                    refused = refused or strings.FULL in view
                if refused:
                    self.full += 1
                    time.sleep(RETRY)
                    continue
                for _ in self._call(client, "learn_hint", [self.problem, None]):
                    pass
                self.hint = time.monotonic() - clicked

    def _call(self, client: httpx.Client, name: str, data: list) -> Iterator[str]:
        """What each view of a run brings, as text."""
        body = {"data": data, "fn_index": self.functions[name], "session_hash": self.session, "event_data": None, "trigger_id": None}
        client.post(f"{self.url}/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", f"{self.url}/gradio_api/queue/data", params={"session_hash": self.session}) as replies:
            for line in replies.iter_lines():
                if not line.startswith("data:"):
                    continue
                text = json.dumps(json.loads(line[5:]), ensure_ascii=False)
                self.seen.append(text)
                message = json.loads(line[5:])
                if message["msg"] == "process_completed" and not message["success"]:
                    raise RuntimeError(f"{name} failed: {text[:300]}")
                yield text


def problems(count: int) -> list[tuple[str, str]]:
    """(name, problem) of each student: problems of the bank, a made-up name in the question of each."""
    families = sorted(load_bank().values(), key=lambda family: family.id)
    names = [f"Zebulon{chr(65 + n // 26)}{chr(97 + n % 26)}x" for n in range(count)]
    texts = [families[n % len(families)].instantiate(3, n).problem for n in range(4 * len(families))]
    asking = [text for text in texts if text.endswith("?")]  # the first rung quotes the question, and so the name
    return [(name, f"{text[:-1]}, asks {name}?") for name, text in zip(names, asking, strict=False)]


def wait_until_up(url: str) -> dict[str, int]:
    """The numbers of the app's functions by name, once it answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            config = httpx.get(f"{url}/config").json()
            return {each["api_name"]: each["id"] for each in config["dependencies"] if each["api_name"]}
        except (httpx.HTTPError, ValueError):
            time.sleep(0.3)
    raise SystemExit("the app did not start")


def of_seconds(values: list[float]) -> dict[str, float | int]:
    if not values:
        return {"n": 0}
    top = quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"n": len(values), "median": round(median(values), 2), "95th percentile": round(top, 2), "most": round(max(values), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=30, help="how many ask at once (default: 30)")
    parser.add_argument("--port", type=int, default=PORT, help=f"where the app is served meanwhile (default: {PORT})")
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    args = parser.parse_args()
    if not 1 <= args.students <= 500:
        parser.error("--students must lie in 1 to 500")
    load_before = os.getloadavg()[0]
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(args.port,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{args.port}"
        functions = wait_until_up(url)
        students = [Student(url, functions, name, problem) for name, problem in problems(args.students)]
        start = Barrier(len(students))
        with ThreadPoolExecutor(len(students)) as pool:
            for done in [pool.submit(student.run, start) for student in students]:
                done.result()
    finally:
        server.terminate()
        server.join()
    crossed = sum(other.name in "".join(student.seen) for student in students for other in students if other is not student)
    if any(student.name not in "".join(student.seen) for student in students):
        raise SystemExit("a student was not sent his own name: that no other was sent it says nothing")
    record = {
        "command": f"python -m benchmarks.load --students {args.students}",
        "processors": os.cpu_count(),
        "load average before": round(load_before, 1),
        "students": len(students),
        "students who found the line full": sum(student.full > 0 for student in students),
        "times the line was full": sum(student.full for student in students),
        "seconds to the first rung": of_seconds([s.rung for s in students if s.rung is not None]),
        "seconds to the first hint from a solution": of_seconds([s.hint for s in students if s.hint is not None]),
        "texts that crossed": crossed,
    }
    print(json.dumps(record, indent=2))
    if args.out:
        write_json(args.out, record)


if __name__ == "__main__":
    main()
