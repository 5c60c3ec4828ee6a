"""The models known by name: the file is strict, a machine gets what it can hold, the hub is fetched from with progress."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mathtutor.engines import Delta, load_engine
from mathtutor.engines.models import FILE, Machine, Model, TooLarge, bytes_needed, fit, load_models
from mathtutor.recipes import RecipeError
from tests.browser import eventually
from ui.shelf import Shelf

GB = 1e9
SMALL = Model("Small", "hf:A/small", 600, "MIT")
LARGE = Model("Large", "hf:A/large", 8000, "MIT")


def test_every_system_we_start_from_stands_in_the_file_with_what_it_was_tuned_from():
    models = load_models()
    pairs = {name: model.pair for name, model in models.items() if model.pair}
    assert pairs == {
        "pocket": "pocket-base",
        "qwen3-0.6b-gsm8k-sft": "qwen3-0.6b",
        "qwen3-4b-synth-35k": "qwen3-4b",
        "qwen3-8b-synth-50k": "qwen3-8b",
        "qed-nano-sft": "qwen3-4b-thinking",
    }
    assert "tinymathreason-1b-sft" in models and models["qed-nano-sft"].view == "proof"
    assert all(model.licence and model.millions > 0 for model in models.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {title: A, engine: 'hf:A/b', million: 1, licence: MIT}", "did you mean millions"),
        ("a: {title: A, engine: 'hf:A/b', millions: many, licence: MIT}", "a.millions"),
        ("a: {title: A, engine: 'A/b', millions: 1, licence: MIT}", "must be hf:ORG/NAME"),
        ("a: {title: A, engine: 'hf:A/b', millions: 1, licence: MIT, pair: b}", "no model of this file"),
        ("a: {title: A, engine: 'hf:A/b', millions: -1, licence: MIT}", "above 0"),
        ("a: {title: A, engine: 'hf:A/b', millions: 1, licence: MIT, view: movie}", "steps, proof"),
        ("a: 3", "must be a section"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, text, words):
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(RecipeError, match=words):
        load_models(tmp_path / "models.yaml")


@pytest.mark.parametrize(
    ("model", "machine", "has_4_bit", "held"),
    [
        (SMALL, Machine(0, 8 * GB), True, ("cpu", 32)),
        (SMALL, Machine(4 * GB, 8 * GB), True, ("cuda", 16)),
        (LARGE, Machine(24 * GB, 8 * GB), True, ("cuda", 16)),
        (LARGE, Machine(10 * GB, 8 * GB), True, ("cuda", 4)),
        (LARGE, Machine(10 * GB, 64 * GB), False, None),  # 4 bit needs bitsandbytes
        (LARGE, Machine(0, 640 * GB), True, None),  # a processor would take minutes
        (LARGE, Machine(4 * GB, 8 * GB), True, None),
        (SMALL, Machine(0, 2 * GB), True, None),
    ],
)
def test_a_machine_holds_a_model_as_well_as_it_can(model, machine, has_4_bit, held):
    if held is None:
        with pytest.raises(TooLarge, match=r"needs a graphics card with .* Choose a smaller model.*MATHTUTOR_ENGINE"):
            fit(model, machine, has_4_bit)
    else:
        found = fit(model, machine, has_4_bit)
        assert (found.device, found.bits) == held and found.needs == bytes_needed(model, held[1])


def test_a_name_that_nobody_knows_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="qwen3-8b-synth-50k"):
        load_engine("qwen3-8b-synth")


# --- the hub: a server of ours speaks its wire format to its own client


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: dict[str, bytes] = {}
    served: list[str] = []
    stall: threading.Event | None = None  # until which a large file says nothing after its first half
    commit = "c0ffee" + "0" * 34

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/models/A/tiny/tree/"):
            return self.send(json.dumps([self.told(name) for name in self.files]).encode(), {}, body)
        if path.startswith("/api/models/A/tiny"):
            siblings = [{"rfilename": name} for name in self.files]
            return self.send(json.dumps({"id": "A/tiny", "modelId": "A/tiny", "sha": self.commit, "siblings": siblings, "tags": [], "downloads": 0, "private": False}).encode(), {}, body)
        name = path.rpartition("/resolve/")[2].partition("/")[2]
        if not path.startswith("/A/tiny/resolve/") or name not in self.files:
            return self.send(b"not here", {"X-Error-Code": "RepoNotFound"}, body, 404)
        data = self.files[name]
        etag = hashlib.sha256(data).hexdigest()
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        if body:
            Hub.served.append(f"{name}@{start}")
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": self.commit, "X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send(data[start:], headers, body, 206 if start else 200)

    def told(self, name: str) -> dict:
        data = self.files[name]
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def send(self, data: bytes, headers: dict, body: bool, status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body and self.stall and len(data) > 10_000_000:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.stall.wait(60)
            return
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(tiny_model_folder, tmp_path, monkeypatch):
    Hub.files = {path.name: path.read_bytes() for path in tiny_model_folder.iterdir() if path.is_file()} | {"evil.bin": b"never"}
    Hub.served = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        **os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(Path(__file__).parents[1]),
    }  # fmt: skip
    server.shutdown()


def run(environment: dict, code: str, *arguments: str) -> str:
    """What a fresh Python says: the hub's client reads its settings when it is imported."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


FETCH = """
from mathtutor.engines import load_engine, Sampling
from mathtutor.chat import conversation
told = []
engine = load_engine("hf:A/tiny", lambda done, total: told.append((done, total)))
reply = next(iter(engine.replies([conversation("2 + 2?")], Sampling(max_tokens=4))))[1]
print(engine.name, engine.revision, told[-1] if told else None, reply.num_tokens)
"""


def test_a_model_is_fetched_with_progress_then_loaded_and_not_fetched_again(hub):
    size = sum(len(data) for name, data in Hub.files.items() if name.endswith((".safetensors", ".json", ".txt", ".jinja")))
    assert run(hub, FETCH).split() == ["hf:A/tiny", Hub.commit, f"({size},", f"{size})", "4"]
    assert "model.safetensors@0" in Hub.served and not any("evil" in name for name in Hub.served)
    Hub.served.clear()
    assert run(hub, FETCH).split()[2:] == ["None", "4"] and Hub.served == []


def test_a_model_that_is_there_loads_without_the_network_and_another_says_so(hub):
    run(hub, FETCH)
    offline = {**hub, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:1"}
    assert run(offline, FETCH).split()[0] == "hf:A/tiny"
    missing = "from mathtutor.engines import load_engine\ntry: load_engine('hf:A/other')\nexcept ValueError as error: print(error)"
    assert "is not on this machine" in run(offline, missing)


def test_a_model_that_the_hub_does_not_have_is_one_sentence(hub):
    code = "from mathtutor.engines import load_engine\ntry: load_engine('hf:A/none')\nexcept ValueError as error: print(error)"
    said = run(hub, code)
    assert said.startswith("the model A/none could not be downloaded: ") and said.count("\n") == 1


STOPPED = """
import sys, time
from contextlib import ExitStack
from ui.streams import LazyEngine
engine = LazyEngine("hf:A/tiny", may_stop=sys.argv[1] == "may").start()
first, second = ExitStack(), ExitStack()
for one in (first, second):
    one.enter_context(engine.awaited())
while not engine.fetched or engine.fetched[0] < 10_000_000:
    time.sleep(0.05)
first.close()
time.sleep(0.3)
print(engine.failure)
second.close()
started = time.monotonic()
print(engine.failure, engine.wait(1.0) if sys.argv[1] == "may" else engine.ready, time.monotonic() - started < 0.9)
"""


@pytest.mark.parametrize(("who", "failure"), [("may", "nobody waited for its download any more"), ("own", None)])
def test_a_download_ends_with_the_last_one_who_waits_for_it_and_whole_files_stay(hub, tmp_path, who, failure):
    Hub.files["filler.txt"] = bytes(25_000_000)  # the client writes 10 MiB at a time
    Hub.stall = threading.Event()
    said = run(hub, STOPPED, who).splitlines()
    assert said == ["None", f"{failure} False True"]
    # The client that downloads outlives its parent by the moment in which it takes the half file away.
    assert eventually(lambda: not list(tmp_path.rglob("*.incomplete")))
    Hub.stall.set()
    Hub.stall = None
    Hub.served.clear()
    assert Hub.commit in run(hub, "from mathtutor.engines.hub import fetch\nprint(fetch('A/tiny'))")
    assert Hub.served == ["filler.txt@0"]  # those that were whole are not fetched again


# --- the shelf


class Loaded:
    """An engine that is loaded at once."""

    failure = None
    calculates = False

    def __init__(self, name: str):
        self.name = name

    def start(self):
        return self

    def stream(self, *args, **kwargs):
        yield Delta("", finish="stop")


def shelf(memory: float, models: dict[str, Model]) -> Shelf:
    """One on a machine without a card, whose memory falls with each model on it."""
    made: Shelf = Shelf({"base": Loaded("base"), "tuned": Loaded("tuned")}, models, lambda: Machine(0, memory - held()), Loaded)

    def held() -> float:
        return sum(bytes_needed(models[name], 32) for name in made._loaded)

    return made


def test_the_shelf_loads_what_is_chosen_and_keeps_what_memory_allows():
    models = {name: Model(name, f"hf:A/{name}", 600, "MIT") for name in ("a", "b", "c")}
    kept = shelf(7 * GB, models)  # two of 3.4 GB
    first = kept.take(["tuned", "a"])["a"]
    assert kept.take(["base", "a"])["a"] is first
    kept.take(["a", "b"])
    kept.take(["a", "tuned"])
    kept.take(["c", "tuned"])  # b was taken longest ago
    assert list(kept._loaded) == ["a", "c"]
    with pytest.raises(TooLarge, match="b needs"):
        shelf(3 * GB, models).take(["b", "tuned"])
    with pytest.raises(TooLarge):  # nothing to put away: both are wanted
        shelf(4 * GB, models).take(["a", "b"])
    with pytest.raises(KeyError):
        kept.take(["d"])


def test_the_lists_name_the_pages_own_models_first_and_tell_what_must_be_fetched():
    titles = Shelf({"base": Loaded("pocket-base"), "tuned": Loaded("pocket")}, load_models(FILE)).titles()
    assert list(titles)[:2] == ["base", "tuned"] and titles["tuned"] == "pocket" and "pocket" not in list(titles)[2:]
    assert titles["qwen3-8b-synth-50k"].endswith("(16.4 GB)")
