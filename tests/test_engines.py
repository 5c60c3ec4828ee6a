"""Engines: one protocol, whatever stands behind it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from mathtutor.chat import conversation, render_prompt
from mathtutor.engines import SHIPPED, Delta, Sampling, gather, load_engine
from mathtutor.engines.cycles import EVERY, goes_in_circles
from mathtutor.engines.scripted import ScriptedEngine

PROBLEM = "Ana has 13 apples and buys 24 more. How many apples has she now?"
POCKET = str(SHIPPED["pocket"])
REPLY = "<think>\nStep 1: Ana has 13 + 24 = 37 apples.\n</think>\n\nThe answer is 37."


@pytest.mark.parametrize(
    "spec, says",
    [
        ("gpt", "unknown engine 'gpt'"),
        ("", "unknown engine"),
        ("hf:", "unknown engine"),
        ("openai:http://127.0.0.1:1/v1", "names no model"),
        ("scripted:nowhere.json", "cannot be read"),
        ("hf:no/such/folder/here", "could not be loaded: there is no such folder"),
        ("hf:README.md", "could not be loaded: it is no folder with a config.json"),
        (f"hf:{Path(POCKET).parent}", "the model lies one folder below, in .*/tuned"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_known_forms(spec, says):
    with pytest.raises(ValueError, match=says):
        load_engine(spec)


@pytest.mark.parametrize("beside", [[], ["config.json"]])
def test_an_adapter_is_refused_rather_than_answered_for_by_its_base(tmp_path, beside):
    for name in ("adapter_config.json", *beside):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match="it is an adapter, not a model: merge it into its base first"):
        load_engine(f"hf:{tmp_path}")


@pytest.mark.parametrize("field, value", [("max_tokens", 0), ("temperature", -1.0), ("temperature", float("nan")), ("top_p", 0.0), ("top_p", 1.5)])
def test_impossible_sampling_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Sampling(**{field: value})


def test_a_script_is_played_word_by_word_and_in_turn(tmp_path):
    (tmp_path / "replies.json").write_text(json.dumps([REPLY, "two"]))
    engine = load_engine(f"scripted:{tmp_path / 'replies.json'}")
    deltas = list(engine.stream(conversation(PROBLEM)))
    assert len(deltas) > 5 and deltas[-1].finish == "stop"
    assert gather(deltas).text == REPLY
    assert gather(engine.stream(conversation(PROBLEM))).text == "two"


def test_a_script_by_problem_fails_on_an_unknown_problem():
    with pytest.raises(ValueError, match="holds no reply to 'other'"):
        list(ScriptedEngine({PROBLEM: REPLY}).stream(conversation("other")))


@pytest.mark.parametrize(
    "script, says",
    [("[1, 2]", "plays texts"), ('{"a": null}', "plays texts"), ("[]", "at least one"), ("{}", "at least one"),
     ('"abc"', "must hold a JSON list or object"), ("[" * 100_000, "cannot be read"), ("\udcff", "cannot be read")],
)  # fmt: skip
def test_a_file_that_is_no_script_is_refused(tmp_path, script, says):
    (tmp_path / "replies.json").write_text(script, errors="surrogateescape")
    with pytest.raises(ValueError, match=says):
        load_engine(f"scripted:{tmp_path / 'replies.json'}")


def test_a_script_is_known_by_its_text(tmp_path):
    revisions = []
    for text in ('["a"]', '["b"]', '["a"]'):
        (tmp_path / "replies.json").write_text(text)
        revisions.append(load_engine(f"scripted:{tmp_path / 'replies.json'}").revision)
    assert revisions[0] == revisions[2] != revisions[1] and len(revisions[0]) == 16


@pytest.mark.parametrize("change, same", [("", True), ("model-00002-of-00002.safetensors", False), ("config.json", True)])
def test_weights_in_several_files_are_known_by_all_of_them(tmp_path, change, same):
    from mathtutor.io import hash_of_weights

    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"):
        (tmp_path / name).write_bytes(b"weights")
    before = hash_of_weights(tmp_path)
    if change:
        (tmp_path / change).write_bytes(b"others")
    assert len(before) == 16 and (hash_of_weights(tmp_path) == before) is same


def test_a_folder_without_weights_has_no_hash(tmp_path):
    from mathtutor.io import hash_of_weights

    assert hash_of_weights(tmp_path) == ""


def test_a_set_stop_ends_a_script():
    stop = threading.Event()
    engine = ScriptedEngine([REPLY], delay=0.001)
    stream = engine.stream(conversation(PROBLEM), stop=stop)
    next(stream)
    stop.set()
    assert [delta.finish for delta in stream] == ["stopped"]
    assert engine.num_produced == 1


def test_gathering_marks_what_the_calculator_wrote():
    deltas = [Delta("3 + 4 = "), Delta("7", computed=True), Delta(".", finish="stop")]
    generation = gather(deltas)
    assert [generation.text[a:b] for a, b in generation.computed] == ["7"]


@pytest.fixture(scope="module")
def engine(tiny_model_folder):
    return load_engine(f"hf:{tiny_model_folder}")


def test_the_stream_and_the_batch_write_the_same_reply(engine):
    sampling = Sampling(max_tokens=24)
    problems = [PROBLEM, "Ben has 5 cats.", PROBLEM + " Say so."]
    streamed = [gather(engine.stream(conversation(p), sampling)) for p in problems]
    batch = dict(engine.replies([conversation(p) for p in problems], sampling))
    assert [g.text for g in streamed] == [batch[i].text for i in range(3)]
    assert [g.num_tokens for g in streamed] == [batch[i].num_tokens for i in range(3)]
    assert batch[0].prompt == render_prompt(PROBLEM)


def test_a_reply_that_meets_the_limit_says_so(engine):
    generation = gather(engine.stream(conversation(PROBLEM), Sampling(max_tokens=5)))
    assert generation.finish == "length" and generation.num_tokens == 5


@pytest.mark.parametrize(
    "text, circles",
    [
        ("", False),
        ("Step 1: Ana has 3 + 4 = 7 apples.\n", False),
        ("".join(f"Step {n}: It grows by {n} + 2 = {n + 2}.\n" for n in range(1, 5)), False),
        ("".join(f"Step {n}: It grows by {n} + 2 = {n + 2}.\n" for n in range(1, 12)), True),
        ("Together: " + " + ".join("99999999") + " = 72", False),
        ("so we have to find out " * 9, True),
        ("." * 400, False),
        ("7" * 400, False),
        ("| --- " * 40, False),
        ("".join(f"Step {n}: {name} has {n} + 2 = {n + 2}.\n" for n, name in enumerate(["Ana", "Bo", "Cy", "Di", "Ed", "Flo"])), False),
    ],
)
def test_a_reply_in_circles_is_known_by_its_end_numbers_aside(text, circles):
    assert goes_in_circles(text) is circles


def test_a_reply_in_circles_is_ended_and_says_so(engine, monkeypatch):
    monkeypatch.setattr("mathtutor.engines.rows.goes_in_circles", lambda text: True)
    sampling = Sampling(max_tokens=400)
    streamed = gather(engine.stream(conversation(PROBLEM), sampling))
    ((_, batched),) = engine.replies([conversation(PROBLEM)], sampling)
    assert streamed.finish == batched.finish == "repeating"
    assert streamed.num_tokens == batched.num_tokens == EVERY and streamed.text == batched.text


def test_sampling_is_repeatable_by_its_seed(engine):
    first, again, other = (
        gather(engine.stream(conversation(PROBLEM), Sampling(max_tokens=12, temperature=1.0, seed=seed))).text
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_stop_ends_the_computing_and_not_only_the_text(engine):
    stop = threading.Event()
    stream = engine.stream(conversation(PROBLEM), Sampling(max_tokens=400), stop)
    next(stream)
    stop.set()
    assert list(stream)[-1].finish == "stopped"
    assert not [t for t in threading.enumerate() if t.name == "generate"]


def test_leaving_a_stream_early_ends_its_thread(engine):
    stream = engine.stream(conversation(PROBLEM), Sampling(max_tokens=400))
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "generate"]


def test_weights_that_are_no_safetensors_are_refused(tiny_model_folder, tmp_path):
    import shutil

    folder = tmp_path / "pickled"
    shutil.copytree(tiny_model_folder, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_engine(f"hf:{folder}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server():
    """transformers' own OpenAI-compatible server, on loopback, with Pocket."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("transformers")),
            "serve",
            POCKET,
            "--host=127.0.0.1",
            f"--port={port}",
            "--device=cpu",
            "--dtype=float32",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert process.poll() is None, "transformers serve ended at its start"
                time.sleep(0.25)
        else:
            raise AssertionError("transformers serve did not come up")
        yield f"openai:http://127.0.0.1:{port}/v1#{POCKET}"
    finally:
        process.terminate()
        process.wait(10)


def test_a_real_openai_compatible_server_gives_the_local_models_reply(server):
    sampling = Sampling(max_tokens=100, calculator=False)
    remote = load_engine(server)
    streamed = gather(remote.stream(conversation(PROBLEM), sampling))
    local = gather(load_engine("pocket").stream(conversation(PROBLEM), sampling))
    assert streamed.text.strip() == local.text.strip() and "The answer is" in streamed.text
    ((index, generation),) = remote.replies([conversation(PROBLEM)], sampling)
    assert (index, generation.text) == (0, streamed.text)


def test_a_server_that_is_not_there_gives_a_sentence():
    from mathtutor.engines.openai import EngineError

    engine = load_engine("openai:http://127.0.0.1:9/v1#none")
    with pytest.raises(EngineError, match="did not answer"):
        list(engine.stream(conversation(PROBLEM)))
