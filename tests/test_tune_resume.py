"""training.tune killed, resumed, and shared by two processes: the weights know nothing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mathtutor.io import read_json, read_rows
from tests.tune_runs import command
from training import tune

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.parametrize("name, weights", [("qwen3-8b-synth-50k", "adapter/adapter_model"), ("qwen3-0.6b-full-better", "model/model")])
def test_a_run_that_was_killed_ends_with_the_very_same_weights(tmp_path, name, weights):
    subprocess.run([sys.executable, "-m", "tests.tune_runs", "kills", str(tmp_path), name], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=1800)
    unbroken, killed = (load_file(tmp_path / run / f"{weights}.safetensors") for run in ("unbroken", "killed"))
    assert unbroken.keys() == killed.keys() and all(torch.equal(unbroken[key], killed[key]) for key in unbroken)
    losses = [[row.get("loss", row.get("validation_loss")) for row in read_rows(tmp_path / run / "log.jsonl")] for run in ("unbroken", "killed")]
    assert losses[0] == losses[1] and len(losses[0]) >= 6
    assert not list(tmp_path.glob("killed/.saving/*")) and not list(tmp_path.glob("killed/.*.tmp"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One process alone; two together; one that two go on from; two that one goes on from."""
    root = tmp_path_factory.mktemp("shared")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MATHTUTOR_DATA", raising=False)
        tune.main(command("qwen3-0.6b-full-better", root / "one-then-two", "--minutes", "0.0001"))
        shutil.copytree(root / "one-then-two", root / "alone")
        tune.main(command("qwen3-0.6b-full-better", root / "alone"))
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.tune_runs", "pair", str(root)]
        subprocess.run(torchrun, cwd=ROOT, env=ENVIRONMENT, check=True, timeout=1800)
        tune.main(command("qwen3-0.6b-full-better", root / "two-then-one"))
    torch.set_num_threads(threads)
    return root


def losses_of(folder: Path, key: str) -> list[float]:
    return [row[key] for row in read_rows(folder / "log.jsonl") if key in row]


@pytest.mark.parametrize("name", ["pair", "one-then-two", "two-then-one"])
def test_any_number_of_processes_trains_the_same_model(shared, name):
    for key in ("loss", "validation_loss", "tokens"):
        alone, other = losses_of(shared / "alone", key), losses_of(shared / name, key)
        assert alone and other == pytest.approx(alone, abs=1e-5)
    alone, other = (load_file(shared / run / "model" / "model.safetensors") for run in ("alone", name))
    assert all((alone[key] - other[key]).abs().max() < 1e-4 for key in alone)
    assert read_json(shared / name / "run.json")["processes"] == (1 if name == "two-then-one" else 2)
