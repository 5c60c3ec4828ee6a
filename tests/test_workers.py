"""Where the work is done makes no difference: one process, two, or a Ray cluster of two workers give the same bytes.

A cluster takes half a minute to start and fails to on a machine without a core to spare, so what needs one is asked for:

    MATHTUTOR_TEST_RAY=1 python -m pytest tests/test_workers.py
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import sys

import pytest

import pipeline.build
import pipeline.filter
from mathtutor.io import write_rows
from pipeline.fuzzy import near_twins
from pipeline.teachers import composed, procedural
from pipeline.teachers.draws import Draw, draws
from pipeline.workers import Processes, Ray, make_workers

SOURCES = ["--set", "sources.bank=1100", "--set", "sources.composed=150"]


class Power:
    """A tool that is made once a worker and says where."""

    def __init__(self, exponent: int):
        self.exponent, self.calls = exponent, 0

    def __call__(self, numbers: list[int]) -> tuple[int, list[int]]:
        self.calls += 1
        if -1 in numbers:
            raise ValueError("minus one")
        if -9 in numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.calls, [number**self.exponent for number in numbers]


class DiesOnce(Power):
    """Its process is killed at the first try of the part that names a file."""

    def __call__(self, part: str | list[int]) -> tuple[int, list[int]]:
        if isinstance(part, str):
            if not os.path.exists(part):
                open(part, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            part = [7]
        return super().__call__(part)


class Distant(Processes):
    """Two processes that are treated as those of a cluster."""

    are_remote = True


@pytest.fixture(scope="module")
def ray_workers():
    if os.environ.get("MATHTUTOR_TEST_RAY") != "1":
        pytest.skip("starts a Ray cluster: set MATHTUTOR_TEST_RAY=1")
    pytest.importorskip("ray")
    with Ray(2) as workers:
        yield workers


@pytest.fixture(params=["one process", "two processes", "ray"])
def workers(request):
    if request.param == "ray":
        return request.getfixturevalue("ray_workers")
    return Processes(1 if request.param == "one process" else 2)


# --- map


def test_results_come_in_the_order_of_the_parts(workers):
    parts = [[number, number + 1] for number in range(12)]
    results = [values for _, values in workers.map(Power, (2,), iter(parts))]
    assert results == [[number**2, (number + 1) ** 2] for number in range(12)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_tool_is_made_once_a_worker(count):
    calls = [calls for calls, _ in Processes(count).map(Power, (2,), [[1]] * 12)]
    assert sum(call == 1 for call in calls) <= count and max(calls) >= 12 // count


def test_no_parts_give_no_results(workers):
    assert list(workers.map(Power, (2,), [])) == []


def test_an_error_of_the_tool_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="minus one"):
        list(workers.map(Power, (2,), [[1], [-1], [2]]))


def test_parts_are_read_no_further_ahead_than_the_workers_need():
    read = []
    results = Processes(2).map(Power, (2,), (read.append(n) or [n] for n in range(1000)))
    next(results)
    assert len(read) < 20
    results.close()


def test_a_worker_process_that_is_killed_is_told_in_a_sentence():
    with pytest.raises(OSError, match="a worker process was killed, .* run the same command again with --workers 1"):
        list(Processes(2).map(Power, (2,), [[1], [-9], [2]]))


def test_ray_does_the_part_again_whose_worker_was_killed(ray_workers, tmp_path):
    parts = [[1], [2], str(tmp_path / "tried"), [3]]
    assert [values for _, values in ray_workers.map(DiesOnce, (2,), parts)] == [[1], [4], [49], [9]]
    assert (tmp_path / "tried").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (("spark", 2), "--engine must be local or ray, not 'spark'"),
        (("local", 0), "--workers must be at least 1, not 0"),
        (("local", 2, "ray://head:10001"), "--ray-address means nothing without --engine ray"),
    ],
)
def test_a_combination_without_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_workers(*options)


def test_a_missing_ray_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"--engine ray needs Ray: pip install -e '.\[scale\]'"), Ray(2):
        pass


# --- the pipeline on them


def test_a_stream_made_in_draws_is_the_stream():
    whole = [*procedural.write_rows(1300, 4), *composed.write_rows(60, 4)]
    pieces = [row for draw in (*draws("bank", 1300, 4), *draws("composed", 60, 4)) for row in draw.rows()]
    assert pieces == whole
    assert Draw("bank", 700, 3, 4).rows() == whole[700:703]


@functools.cache
def mixed(count: int) -> list[str]:
    texts = [row.problem for row in procedural.write_rows(count, 2)] + [row.problem for row in composed.write_rows(count // 3, 2)]
    random.Random(5).shuffle(texts)
    return [*texts[:200], "", "zzz", *texts]


@pytest.mark.parametrize("known", [0, 350])
def test_the_search_in_blocks_finds_the_twins_of_the_search_in_one(known):
    texts = mixed(3000)
    expected = near_twins(texts, known=known)
    assert sum(twin is not None for twin in expected) > 150
    assert near_twins(texts, known=known, workers=Distant(1)) == expected
    assert near_twins(texts, 0.6, known, workers=Distant(1)) == near_twins(texts, 0.6, known)


def test_ray_finds_the_same_twins(ray_workers):
    texts = mixed(3000)
    assert near_twins(texts, workers=ray_workers) == near_twins(texts)
    assert near_twins(texts[:1500], search="minhash", workers=ray_workers) == near_twins(texts[:1500], search="minhash")


def test_minhash_removes_nearly_what_the_exact_search_removes_and_nothing_that_has_no_twin():
    texts = mixed(3000)
    exact, banded = near_twins(texts), near_twins(texts, search="minhash")
    removed = [{n for n, twin in enumerate(twins) if twin is not None} for twins in (exact, banded)]
    assert len(removed[0] & removed[1]) >= 0.98 * len(removed[0])
    assert len(removed[1] - removed[0]) <= 0.02 * len(removed[0])  # whose twin should have gone itself


def run(main, folder, capsys, *arguments: str) -> dict[str, bytes]:
    """The files of a run."""
    main([*arguments, "--out", str(folder)])
    capsys.readouterr()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_build_on_ray_gives_the_same_bytes(ray_workers, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Ray, "__enter__", lambda self: ray_workers)  # one cluster for all tests
    monkeypatch.setattr(Ray, "__exit__", lambda *_: None)
    arguments = ["--recipe", "pipeline/recipes/synth-50k.yaml", "--no-tests", *SOURCES]
    expected = run(pipeline.build.main, tmp_path / "one", capsys, *arguments, "--workers", "1")
    assert run(pipeline.build.main, tmp_path / "two", capsys, *arguments) == expected
    assert run(pipeline.build.main, tmp_path / "ray", capsys, *arguments, "--engine", "ray") == expected
    stages = {stage["stage"]: stage["dropped"] for stage in json.loads(expected["report.json"])["stages"]}
    assert stages["fuzzy_duplicate"] > 10


def test_filtering_on_ray_gives_the_same_bytes(ray_workers, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Ray, "__enter__", lambda self: ray_workers)
    monkeypatch.setattr(Ray, "__exit__", lambda *_: None)
    rows = [row.to_dict() for row in (*procedural.write_rows(300, 6), *composed.write_rows(100, 6))]
    tests = [{"question": rows[number]["problem"]} for number in (5, 80, 380)]
    write_rows(tmp_path / "rows.jsonl", rows)
    write_rows(tmp_path / "tests.jsonl", tests)
    monkeypatch.setattr("pipeline.benchmarks.SOURCES", {})
    arguments = ["--in", str(tmp_path / "rows.jsonl"), "--against", str(tmp_path / "tests.jsonl")]
    expected = run(pipeline.filter.main, tmp_path / "one", capsys, *arguments, "--workers", "1")
    assert run(pipeline.filter.main, tmp_path / "two", capsys, *arguments) == expected
    assert run(pipeline.filter.main, tmp_path / "ray", capsys, *arguments, "--engine", "ray") == expected
    assert json.loads(expected["report.json"])["dropped_by_stage"]["test_overlap"]
