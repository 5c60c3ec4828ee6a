"""Who may compute, and how engine threads become one iterator that can be left at any moment."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest

from mathtutor.chat import conversation
from mathtutor.engines import Delta, Sampling
from mathtutor.engines.scripted import ScriptedEngine
from tests.browser import PATIENCE, eventually, keeps
from ui.streams import Full, LazyEngine, Race, WaitingLine, has_failed, is_ready, where

TALK = conversation("Ana has 3 apples and buys 4 more. How many?")


class Broken:
    name, calculates = "broken", False

    def stream(self, conversation, sampling=Sampling(), stop=None):
        yield Delta("Step 1: ")
        raise RuntimeError("quotes the problem: Ana")


class Silent:
    """Says nothing until it is stopped."""

    name, calculates = "silent", False

    def stream(self, conversation, sampling=Sampling(), stop=None):
        stop.wait(30)
        yield Delta("", 0, finish="stopped")


class Endless:
    """Ignores the token limit."""

    name, calculates = "endless", False

    def stream(self, conversation, sampling=Sampling(), stop=None):
        while not stop.is_set():
            yield Delta("x" * 1000)


def run(engines, **options) -> dict[str, tuple[str, str]]:
    """(text, finish) of every side."""
    line, told = WaitingLine(), {}
    with line.place() as place:
        assert place.ready(0)
        with Race(engines, TALK, Sampling(), place, **options) as race:
            for side, delta in race:
                if side is not None:
                    text, _ = told.get(side, ("", None))
                    told[side] = (text + delta.text, delta.finish)
    assert eventually(lambda: len(line) == 0)
    return told


def test_reads_two_engines_to_their_ends():
    told = run(
        {"base": ScriptedEngine(["one two"], delay=0.01), "tuned": ScriptedEngine(["three"], delay=0.01)}
    )
    assert told == {"base": ("one two", "stop"), "tuned": ("three", "stop")}


def test_neither_engine_waits_for_the_other():
    slow, quick = ScriptedEngine(["slow " * 500], delay=0.05), ScriptedEngine(["quick " * 40], delay=0.005)
    with (
        WaitingLine().place() as place,
        Race({"slow": slow, "quick": quick}, TALK, Sampling(), place) as race,
    ):
        for side, delta in race:
            if side == "quick" and delta.finish:
                break
    assert 0 < slow.num_produced < 40


def test_an_engine_that_breaks_ends_alone_and_in_words():
    told = run({"base": Broken(), "tuned": ScriptedEngine(["fine"])})
    assert told == {"base": ("Step 1: ", "failed"), "tuned": ("fine", "stop")}


def test_the_log_names_the_place_of_an_error_and_never_quotes_it(caplog):
    run({"base": Broken()})
    assert "RuntimeError at test_streams.py" in caplog.text and "Ana" not in caplog.text
    assert where(ValueError("Ana")) == "ValueError"


def test_a_silent_engine_is_cut_off_at_the_time_limit():
    def seconds() -> float:
        started = time.monotonic()
        assert run({"tuned": Silent()}, max_seconds=0.2) == {"tuned": ("", "length")}
        return time.monotonic() - started

    assert keeps(1.5, seconds)


def test_an_endless_engine_is_cut_off_at_the_size_limit():
    text, finish = run({"tuned": Endless()})["tuned"]
    assert finish == "length" and len(text) <= 21_000


def test_leaving_early_stops_the_engines_and_leaks_no_thread():
    before = threading.active_count()
    for _ in range(20):
        engines = {
            "base": ScriptedEngine(["word " * 500], delay=0.01),
            "tuned": ScriptedEngine(["word " * 500], delay=0.01),
        }
        line = WaitingLine()
        with line.place() as place, Race(engines, TALK, Sampling(), place) as race:
            for side, _ in race:
                if side == "tuned":
                    break
        assert eventually(lambda line=line: len(line) == 0)
        produced = {side: engine.num_produced for side, engine in engines.items()}
        time.sleep(0.03)
        assert {side: engine.num_produced for side, engine in engines.items()} == produced
    assert eventually(lambda: threading.active_count() <= before)


def test_a_quiet_stream_ticks():
    line = WaitingLine()
    with line.place() as place, Race({"tuned": Silent()}, TALK, Sampling(), place) as race:
        pieces = iter(race)

        def seconds() -> float:
            started = time.monotonic()
            assert next(pieces) == (None, None)
            return time.monotonic() - started

        assert keeps(0.5, seconds)


def test_the_line_is_served_in_the_order_of_arrival():
    line, early = WaitingLine(), ExitStack()
    first = early.enter_context(line.place())
    with line.place() as second:
        with line.place() as third:
            assert [place.ahead for place in (first, second, third)] == [0, 1, 2]
            assert first.ready(0) and not second.ready(0)
            assert third.seconds > second.seconds >= 1
        early.close()
        assert second.ready(0) and second.ahead == 0


def test_two_slots_serve_two_at_once():
    line = WaitingLine(slots=2)
    with line.place() as first, line.place() as second, line.place() as third:
        assert first.ready(0) and second.ready(0) and not third.ready(0)
        assert third.ahead == 1


def test_the_line_refuses_whom_it_cannot_hold():
    line = WaitingLine(slots=1, max_waiting=1)
    with line.place(), line.place():
        with pytest.raises(Full):
            line.place().__enter__()
    assert len(line) == 0


def test_a_place_is_kept_until_its_engine_thread_has_ended():
    line, slow = WaitingLine(), threading.Event()

    class Slow:
        name, calculates = "slow", False

        def stream(self, conversation, sampling=Sampling(), stop=None):
            slow.wait(5)
            yield Delta("", 0, finish="stopped")

    with line.place() as place, Race({"tuned": Slow()}, TALK, Sampling(), place) as race:
        next(iter(race))
    assert len(line) == 1  # its visitor has gone, its thread computes on
    slow.set()
    assert eventually(lambda: len(line) == 0)


def test_an_engine_wakes_in_the_background(tmp_path):
    script = tmp_path / "replies.json"
    script.write_text('["The answer is 7."]', encoding="utf-8")
    engine = LazyEngine(f"scripted:{script}")
    assert not is_ready(engine) and not has_failed(engine)
    with pytest.raises(RuntimeError, match="not loaded"):
        engine.stream(TALK)
    assert engine.start().start().wait(PATIENCE) and is_ready(engine) and not has_failed(engine)
    assert "".join(delta.text for delta in engine.stream(TALK)) == "The answer is 7."


def test_an_engine_that_cannot_wake_says_so():
    engine = LazyEngine("no such engine")
    assert not engine.start().wait(PATIENCE) and has_failed(engine) and "unknown engine" in engine.failure


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("pocket", "pocket"),
        ("hf:Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("hf:/home/ana/models/mine", "mine"),
        ("hf:C:\\Users\\ana\\mine\\", "mine"),
        ("openai:http://127.0.0.1:8000/v1#Qwen/Qwen3-4B", "Qwen/Qwen3-4B at 127.0.0.1:8000"),
        ("openai:https://ana:hunter2@example.org/hunter2/v1?key=hunter2#qwen3", "qwen3 at example.org"),
        ("openai:ana:hunter2@example.org/v1#/models/ana/qwen3", "qwen3 at example.org"),
        ("openai:https://ana:hunter2@example.org/v1", "an unnamed server"),
        ("https://ana:hunter2@example.org/v1#qwen3", "example.org#qwen3"),
        ("scripted:/home/ana/replies.json", "scripted"),
    ],
)
def test_an_engine_is_shown_by_a_name_that_gives_nothing_away(spec, name):
    assert LazyEngine(spec).name == name


@pytest.mark.parametrize(
    "spec",
    [
        "openai:https://ana:hunter2@example.org:x/hunter2#qwen3",
        "openai:https://ana:hunter2@example.org/hunter2",
        "https://ana:hunter2@example.org/hunter2",
    ],
)
def test_a_spec_that_cannot_be_loaded_is_logged_without_its_secrets(spec, caplog):
    engine = LazyEngine(spec).start()
    engine.wait(PATIENCE)
    assert has_failed(engine) and "could not be loaded" in caplog.text
    assert "hunter2" not in caplog.text and "hunter2" not in engine.failure


def test_both_shipped_models_load_at_the_same_time():
    # Two loads at once once left a model without data; the app starts both together.
    for _ in range(3):
        engines = [LazyEngine("pocket").start(), LazyEngine("pocket-base").start()]
        assert [engine.wait(PATIENCE) and engine.failure for engine in engines] == [None, None]
