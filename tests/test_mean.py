"""The mean of two trainings of one model."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mathtutor.io import read_json, sha256_file
from training import mean
from training.card import mean_lines

POCKET = Path(__file__).parents[1] / "assets" / "models" / "pocket"


def layer(*values: float) -> torch.nn.Module:
    made = torch.nn.Linear(len(values), 1, bias=False)
    made.weight.data = torch.tensor([values])
    return made


def test_every_weight_is_moved_its_share_of_the_way():
    assert mean.mean(layer(1.0, 4.0), layer(3.0, 0.0), 0.75).weight.tolist() == [[2.5, 1.0]]


def test_models_of_different_shapes_have_no_mean():
    with pytest.raises(ValueError, match="different shapes"):
        mean.mean(layer(1.0), layer(1.0, 2.0), 0.5)


def test_the_command_says_of_what_a_mean_is_made(tmp_path, monkeypatch):
    base, tuned, made = POCKET / "base", POCKET / "tuned", tmp_path / "tuned"
    monkeypatch.setattr(sys, "argv", ["mean", str(base), str(tuned), "--share", "0.5", "--out", str(made)])
    mean.main()
    name = "model.layers.0.mlp.down_proj.weight"
    weights = [load_file(folder / "model.safetensors")[name].float() for folder in (base, tuned, made)]
    assert torch.allclose(weights[2], (weights[0] + weights[1]) / 2, atol=1e-6) and not torch.equal(weights[0], weights[1])
    assert read_json(made / "mean.json")["second"] == sha256_file(tuned / "model.safetensors")
    assert "0.5 of those that this training ended with" in mean_lines(tmp_path)[0] and mean_lines(base) == []


@pytest.mark.parametrize(
    "first, share, says",
    [("tuned", "1.5", "--share must lie between 0 and 1"), ("nothing", "0.5", "has no model.safetensors")],
)
def test_a_wrong_call_is_refused(monkeypatch, capsys, tmp_path, first, share, says):
    monkeypatch.setattr(sys, "argv", ["mean", str(POCKET / first), str(POCKET / "base"), "--share", share, "--out", str(tmp_path / "x")])
    with pytest.raises(SystemExit):
        mean.main()
    assert says in capsys.readouterr().err
