"""Slices of training: pieces come back whole or are refused, and the next slice goes on."""

from __future__ import annotations

import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from mathtutor.bank import load_bank
from mathtutor.io import Damaged, read_json, write_rows
from training import slice as slices
from training.pieces import join, pack

# --- pieces


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "model"
    (root / "inner").mkdir(parents=True)
    (root / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (root / "inner" / "config.json").write_text("{}\n")
    (root / ".hidden.tmp").write_text("left over")
    return root


@pytest.mark.parametrize("compress", [True, False])
def test_a_folder_comes_back_from_small_pieces_as_it_was(folder, tmp_path, compress):
    count = pack(folder, tmp_path / "out", {"step": 7}, piece_bytes=64 if compress else 3000, compress=compress)
    assert count == len(list((tmp_path / "out").glob("piece-*.bin"))) > 2
    assert join(tmp_path / "out", tmp_path / "back") == {"step": 7}
    assert (tmp_path / "back" / "weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()
    assert (tmp_path / "back" / "inner" / "config.json").read_text() == "{}\n"
    assert not (tmp_path / "back" / ".hidden.tmp").exists()


def test_packing_again_leaves_no_piece_of_before(folder, tmp_path):
    many = pack(folder, tmp_path / "out", piece_bytes=1000, compress=False)
    few = pack(folder, tmp_path / "out", piece_bytes=9000, compress=False)
    assert few < many and len(list((tmp_path / "out").glob("piece-*"))) == few


DAMAGE = [
    (lambda out: (out / "piece-001.bin").unlink(), "piece-001.bin is missing or damaged: copy it again"),
    (lambda out: (out / "piece-000.bin").write_bytes(b"x"), "piece-000.bin is missing or damaged"),
    (lambda out: (out / "manifest.json").unlink(), "has no manifest.json: the copy broke off"),
    (lambda out: (out / "manifest.json").write_text("[]"), "is no manifest"),
]


@pytest.mark.parametrize(("harm", "says"), DAMAGE)
def test_a_copy_that_broke_off_is_refused_and_nothing_is_replaced(folder, tmp_path, harm, says):
    pack(folder, tmp_path / "out", piece_bytes=5000, compress=False)
    join(tmp_path / "out", tmp_path / "back")
    before = (tmp_path / "back" / "weights.bin").read_bytes()
    harm(tmp_path / "out")
    with pytest.raises(Damaged, match=says):
        join(tmp_path / "out", tmp_path / "back")
    assert (tmp_path / "back" / "weights.bin").read_bytes() == before


def test_sixteen_bit_weights_shrink(tmp_path):
    (tmp_path / "m").mkdir()
    torch.manual_seed(0)
    (tmp_path / "m" / "w").write_bytes((torch.randn(200_000) * 0.02).bfloat16().view(torch.uint8).numpy().tobytes())
    pack(tmp_path / "m", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").glob("piece-*")) < 0.8 * 400_000


# --- slices


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    families = list(load_bank().values())[:20]
    rows = []
    for number in range(120):
        one = families[number % 20].instantiate(3, number)
        rows.append({"id": f"b-{number}", "problem": one.problem, "steps": list(one.steps), "answer": one.shown_answer})
    write_rows(tmp_path / "data" / "clean.jsonl", rows)
    phase = {"batch_tokens": 512, "learning_rate": 0.01, "warmup_steps": 2, "max_tokens": 400, "checkpoint_minutes": 0}
    values = {
        "name": "tiny", "data": {"rows": "data/clean.jsonl", "validation": 0}, "tokenizer": {"vocabulary": 600},
        "model": {"hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "ffn": 64, "head_dim": 16, "positions": 512},
        "pretrain": phase | {"steps": 4}, "sft": phase | {"steps": 6},
    }  # fmt: skip
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(values))

    def call(*more: str, seconds: float = 600):
        monkeypatch.setattr(sys, "argv", ["slice", "--recipe", "tiny.yaml", "--seconds", str(seconds), "--threads", "1", *more])
        slices.main()

    return call


def stop_sft_after(monkeypatch, steps: int) -> None:
    """Let fine-tuning end early, as if its time were over after so many steps."""
    train = slices.sft.train

    def short(*arguments, **keywords):
        from dataclasses import replace

        model, examples, phase, folder = arguments
        train(model, examples, replace(phase, steps=steps), folder, **keywords)
        return False

    monkeypatch.setattr(slices.sft, "train", short)


def test_a_slice_trains_what_there_is_time_for_and_the_next_one_makes_the_rest(recipe, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_sft_after(patch, 2)
        recipe("--out", "first", "--pieces", "out")
    info = read_json(tmp_path / "out" / "manifest.json")["info"]
    assert info["kind"] == "weights" and info["done"] == 2
    assert "not done yet" in capsys.readouterr().out

    recipe("--out", "second", "--pieces", "out2", "--start", "out")  # another machine: no run folder of before
    brought = load_file(tmp_path / "second" / "start" / "model.safetensors")
    trained = load_file(tmp_path / "first" / "sft" / "checkpoint-000002" / "weights.safetensors")
    assert all(torch.equal(brought[name], trained[name].bfloat16()) for name in brought)
    assert read_json(tmp_path / "second" / "sft" / "latest.json")["checkpoint"] == "checkpoint-000004"
    assert read_json(tmp_path / "out2" / "manifest.json")["info"]["done"] == 6
    join("out2", "model")
    tuned = AutoModelForCausalLM.from_pretrained(tmp_path / "second" / "tuned").bfloat16().state_dict()
    assert all(torch.equal(value, tuned[name]) for name, value in AutoModelForCausalLM.from_pretrained("model").state_dict().items())


def test_an_exact_slice_ends_with_the_weights_of_an_unbroken_run(recipe, tmp_path, monkeypatch):
    recipe("--out", "whole", "--pieces", "p")
    with monkeypatch.context() as patch:
        stop_sft_after(patch, 2)
        recipe("--out", "first", "--pieces", "out", "--bring", "exact")
    recipe("--out", "second", "--pieces", "out2", "--bring", "exact", "--start", "out")
    assert (tmp_path / "second" / "tuned" / "model.safetensors").read_bytes() == (tmp_path / "whole" / "tuned" / "model.safetensors").read_bytes()


def test_half_a_base_model_is_not_brought_back_as_weights(recipe, monkeypatch):
    monkeypatch.setattr(slices.pretrain, "train", lambda *a, **k: False)
    with pytest.raises(SystemExit, match="the base model is not finished"):
        recipe("--out", "run", "--pieces", "out")


def test_missing_rows_that_cannot_be_built_stop_the_slice(recipe, tmp_path):
    (tmp_path / "data" / "clean.jsonl").unlink()
    with pytest.raises(SystemExit, match="the data could not be built"):
        recipe("--pieces", "out", "--build", "none.yaml")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("info", [None, [], {"kind": "weights"}, {"kind": "half", "plan": {"base": None, "done": 0}}, {"kind": "weights", "plan": {"base": 3, "done": 0}}])
def test_pieces_of_something_else_are_not_taken_up(recipe, tmp_path, info):
    pack("data", "other", info)
    with pytest.raises(SystemExit, match="holds pieces of something else than a slice"):
        recipe("--out", "run", "--pieces", "out", "--start", "other")
    assert not (tmp_path / "run" / "slice.json").exists()


@pytest.mark.parametrize(("text", "says"), [("{", "slice.json is not JSON"), ("[]", "is no plan of training.slice"), ('{"base": null}', "is no plan of training.slice")])
def test_a_broken_plan_is_told(recipe, tmp_path, text, says):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "slice.json").write_text(text)
    with pytest.raises(SystemExit, match=says):
        recipe("--out", "run", "--pieces", "out")


@pytest.mark.parametrize(("more", "says"), [(["--threads", "-1"], "--threads must be 1 or more"), (["--minutes", "0"], "--minutes must be above 0"), (["--minutes", "nan"], "--minutes must be above 0")])
def test_numbers_that_mean_nothing_are_refused(recipe, monkeypatch, more, says):
    monkeypatch.setattr(sys, "argv", ["pretrain", "--recipe", "tiny.yaml", *more])
    with pytest.raises(SystemExit, match=says):
        slices.pretrain.main()
