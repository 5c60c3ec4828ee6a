"""A ZeroGPU Space: models run in forked processes with a lent card, for as long as they declared, and Stop reaches them there."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mathtutor.engines import Sampling, zero
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.lesson import Phase
from tests.zero_run import SECRET

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 0.3  # seconds from Stop to the end of all work


@pytest.fixture(scope="module", params=["stand-in", "spaces"])
def told(request, tiny_model_folder):
    """(what the run tells, all that it printed)"""
    if request.param == "spaces" and importlib.util.find_spec("spaces") is None:
        pytest.skip("the package spaces is not installed (pip install -e '.[dev]'): only its stand-in was tested")
    path = [str(ROOT), *([str(ROOT / "tests" / "standin")] if request.param == "stand-in" else []), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.zero_run", str(tiny_model_folder)], env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stdout + done.stderr


def test_models_ask_for_a_card_and_pocket_does_not(told):
    assert told[0]["on"] and told[0]["lent"] and told[0]["pocket"] == "HFEngine"


def test_a_lent_card_writes_what_the_engine_itself_writes_in_a_process_that_is_kept(told):
    assert told[0]["same"] == [True, True] and told[0]["processes"] == [True, True] and told[0]["solved"]


def test_a_run_declares_few_seconds_and_ends_itself_when_they_are_over(told):
    assert told[0]["declared"] == [zero.seconds_for(Sampling(max_tokens=24))] * 2 == [6, 6]
    assert told[0]["late"] == "length"


def test_stop_ends_the_computing_in_the_other_process(told):
    assert max(told[0]["stops"]) < LIMIT, told[0]["stops"]


def test_the_seconds_are_asked_of_the_visitor_and_not_of_the_page(told):
    assert told[0]["whose"] == "whose"


@pytest.mark.promises(11)
def test_a_visitor_without_any_left_is_told_so(told):
    assert strings.PHASES[Phase.USED_UP] in told[0]["used up"] and told[0]["used up in compare"] == ["used up"]


def test_an_error_there_is_printed_without_what_was_typed(told):
    assert told[0]["torn"] and "ValueError at zero_run.py" in told[1]
    assert SECRET not in told[1] and "Zebulon" not in told[1]


@pytest.mark.parametrize(("tokens", "seconds"), [(1, 6), (512, 26), (2048, 87), (16384, zero.MOST_SECONDS)])
def test_the_seconds_follow_from_the_budget(tokens, seconds):
    assert zero.seconds_for(Sampling(max_tokens=tokens)) == seconds


def test_elsewhere_nothing_is_lent_whatever_is_installed(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not zero.prepare(["qwen3-4b"]) and not zero.is_on()
