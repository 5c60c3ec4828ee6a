"""Where the work is done makes no difference: one process, two, or a cluster of two workers give the same bytes.

The clusters of Dask and of Ray are started once for all tests here. Ray's does not start on a machine that is busy with
much else (`pipeline.cluster` says why): what needs it is skipped then, and says so.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import logging
import os
import random
import signal
import sys

import pytest

import pipeline.build
import pipeline.filter
from mathtutor.io import write_rows
from pipeline.cluster import NOT_UP
from pipeline.fuzzy import near_twins
from pipeline.teachers import composed, procedural
from pipeline.teachers.draws import Draw, draws
from pipeline.workers import Dask, Processes, make_workers

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


@pytest.fixture(scope="module", params=["dask", "ray"])
def cluster(request):
    """Two workers of a cluster on this machine."""
    if importlib.util.find_spec(request.param) is None:  # not imported here: Ray's token comes first
        pytest.skip("needs pip install -e '.[scale]'")
    with contextlib.ExitStack() as stack:
        try:
            workers = stack.enter_context(make_workers(request.param, 2))
        except ValueError as error:
            if NOT_UP not in str(error):
                raise
            pytest.skip(str(error)[:120])
        yield workers


@pytest.fixture(params=[1, 2])
def processes(request):
    return Processes(request.param)


# --- map


def orderly(workers):
    parts = [[number, number + 1] for number in range(12)]
    results = [values for _, values in workers.map(Power, (2,), iter(parts))]
    assert results == [[number**2, (number + 1) ** 2] for number in range(12)]
    assert list(workers.map(Power, (2,), [])) == []
    assert [values for _, values in workers.map(Power, (3,), [[2], [3]])] == [[8], [27]]  # another tool, in the same workers


def test_results_come_in_the_order_of_the_parts(processes):
    orderly(processes)


def test_results_of_a_cluster_come_in_the_order_of_the_parts(cluster):
    orderly(cluster)


@pytest.mark.parametrize("count", [1, 2])
def test_a_tool_is_made_once_a_worker(count):
    calls = [calls for calls, _ in Processes(count).map(Power, (2,), [[1]] * 12)]
    assert sum(call == 1 for call in calls) <= count and max(calls) >= 12 // count


def test_an_error_of_the_tool_reaches_the_caller(processes):
    with pytest.raises(ValueError, match="minus one"):
        list(processes.map(Power, (2,), [[1], [-1], [2]]))


def test_an_error_of_the_tool_reaches_the_caller_from_a_cluster(cluster):
    with pytest.raises(ValueError, match="minus one"):
        list(cluster.map(Power, (2,), [[1], [-1], [2]]))
    assert [values for _, values in cluster.map(Power, (2,), [[5]])] == [[25]]


def test_parts_are_read_no_further_ahead_than_the_workers_need():
    read = []
    results = Processes(2).map(Power, (2,), (read.append(n) or [n] for n in range(1000)))
    next(results)
    assert len(read) < 20
    results.close()


def test_a_worker_process_that_is_killed_is_told_in_a_sentence():
    with pytest.raises(OSError, match="a worker process was killed, .* run the same command again with --workers 1"):
        list(Processes(2).map(Power, (2,), [[1], [-9], [2]]))


def test_a_cluster_does_the_part_again_whose_worker_was_killed(cluster, tmp_path):
    parts = [[1], [2], str(tmp_path / "tried"), [3]]
    assert [values for _, values in cluster.map(DiesOnce, (2,), parts)] == [[1], [4], [49], [9]]
    assert (tmp_path / "tried").exists()


def test_a_part_that_kills_its_workers_each_time_is_given_up_in_a_sentence(cluster):
    with pytest.raises(OSError, match="(Dask|Ray) gave up .* run the same command again"):
        list(cluster.map(Power, (2,), [[-9]]))
    assert [values for _, values in cluster.map(Power, (2,), [[5]])] == [[25]]


@pytest.mark.parametrize(
    "options, message",
    [
        (("spark", 2), "--engine must be local, dask, ray, not 'spark'"),
        (("local", 0), "--workers must be at least 1, not 0"),
        (("local", 2, "ray://head:10001"), "--address means nothing without --engine dask or ray"),
    ],
)
def test_a_combination_without_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_workers(*options)


@pytest.mark.parametrize("engine, package", [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_engine_is_told_with_the_way_to_get_it(monkeypatch, engine, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"--engine {engine} needs \w+: pip install -e '.\[scale\]'"), make_workers(engine, 2):
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


def test_a_cluster_finds_the_same_twins(cluster):
    texts = mixed(2000)
    assert near_twins(texts, workers=cluster) == near_twins(texts)
    assert near_twins(texts[:1000], search="minhash", workers=cluster) == near_twins(texts[:1000], search="minhash")


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


@pytest.fixture
def one_cluster(monkeypatch, cluster):
    """The name of the engine; the commands take the cluster that is there."""
    monkeypatch.setattr(type(cluster), "__enter__", lambda self: self)
    monkeypatch.setattr(type(cluster), "__exit__", lambda *_: None)
    given = lambda engine, count, address: Processes(count) if engine == "local" else cluster  # noqa: E731
    monkeypatch.setattr(pipeline.build, "make_workers", given)
    monkeypatch.setattr(pipeline.filter, "make_workers", given)
    return "dask" if isinstance(cluster, Dask) else "ray"


def test_a_build_on_a_cluster_gives_the_same_bytes(one_cluster, tmp_path, capsys):
    arguments = ["--recipe", "pipeline/recipes/synth-50k.yaml", "--no-tests", *SOURCES]
    expected = run(pipeline.build.main, tmp_path / "one", capsys, *arguments, "--workers", "1")
    assert run(pipeline.build.main, tmp_path / "two", capsys, *arguments, "--engine", one_cluster) == expected
    stages = {stage["stage"]: stage["dropped"] for stage in json.loads(expected["report.json"])["stages"]}
    assert stages["fuzzy_duplicate"] > 10


def test_filtering_on_a_cluster_gives_the_same_bytes(one_cluster, monkeypatch, tmp_path, capsys):
    rows = [row.to_dict() for row in (*procedural.write_rows(300, 6), *composed.write_rows(100, 6))]
    tests = [{"question": rows[number]["problem"]} for number in (5, 80, 380)]
    write_rows(tmp_path / "rows.jsonl", rows)
    write_rows(tmp_path / "tests.jsonl", tests)
    monkeypatch.setattr("pipeline.benchmarks.SOURCES", {})
    arguments = ["--in", str(tmp_path / "rows.jsonl"), "--against", str(tmp_path / "tests.jsonl"), "--set", "corpus.fuzzy_search=minhash"]
    expected = run(pipeline.filter.main, tmp_path / "one", capsys, *arguments, "--workers", "1")
    assert run(pipeline.filter.main, tmp_path / "two", capsys, *arguments, "--engine", one_cluster) == expected
    assert json.loads(expected["report.json"])["dropped_by_stage"]["test_overlap"]


def test_a_dask_cluster_that_runs_is_used_and_one_with_other_code_is_refused(monkeypatch):
    distributed = pytest.importorskip("distributed")
    here = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(**here) as running:
        with Dask(1, running.scheduler_address) as workers:
            orderly(workers)
        monkeypatch.setattr("pipeline.workers.code_sha256", code_of_another)
        with pytest.raises(ValueError, match="its workers run other code than this"), Dask(1, running.scheduler_address):
            pass


asked = []


def code_of_another() -> str:
    """Another text each time."""
    return f"{os.getpid()} {len(asked)}{asked.append(1) or ''}"


def test_an_address_where_nobody_is_is_told(monkeypatch):
    with pytest.raises(ValueError, match="--engine dask: no cluster at tcp://127.0.0.1:9"), Dask(1, "tcp://127.0.0.1:9"):
        pass
