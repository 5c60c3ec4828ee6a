"""Training: recipes that are checked, masks that hold, and runs that a kill cannot change."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

import pipeline.build
from mathtutor.chat import conversation, render_prompt, render_target
from mathtutor.engines import Sampling, gather, load_engine
from mathtutor.io import read_json, read_rows, write_json
from mathtutor.problem import Row
from training import export, pretrain, sft
from training.data import (
    IGNORED,
    Examples,
    batches_from,
    collate,
    is_validation,
    plan_epoch,
    show_mask,
    tokenize,
    write_prose,
)
from training.loop import rate_factor, token_loss
from training.recipe import Phase, RecipeError, load_recipe
from training.run import audit

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "training" / "recipes").glob("*.yaml"))

# --- recipes

TINY = {
    "name": "tiny",
    "data": {"rows": "clean.jsonl", "validation": 0},
    "tokenizer": {"vocabulary": 600},
    "model": {"hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "ffn": 64, "head_dim": 16, "positions": 512},
    "pretrain": {
        "steps": 12, "batch_tokens": 512, "learning_rate": 0.01, "warmup_steps": 3, "max_tokens": 400,
        "checkpoint_minutes": 0,  # after every step
    },
    "sft": {
        "steps": 12, "batch_tokens": 512, "learning_rate": 0.01, "warmup_steps": 3, "max_tokens": 400,
        "lora_rank": 4, "lora_alpha": 8,
    },
}  # fmt: skip


def write_recipe(folder: Path, **changes) -> Path:
    """TINY with some values replaced, as in `write_recipe(tmp_path, sft_steps=5, data_rows="x")`."""
    recipe = yaml.safe_load(yaml.safe_dump(TINY))
    for name, value in changes.items():
        section, _, key = name.partition("_")
        if key:
            recipe[section][key] = value
        else:
            recipe[section] = value
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_is_sound(path):
    assert load_recipe(path).name == path.stem


def test_a_recipe_is_what_its_file_says(tmp_path):
    recipe = asdict(load_recipe(write_recipe(tmp_path)))
    for section, values in TINY.items():
        assert (
            {**recipe[section], **values} == recipe[section]
            if isinstance(values, dict)
            else recipe[section] == values
        )
    assert isinstance(recipe["pretrain"]["checkpoint_minutes"], float)


@pytest.mark.parametrize(
    "override, section, key, value",
    [("pretrain.steps=99", "pretrain", "steps", 99), ("sft.method=lora", "sft", "method", "lora"),
     ("sft.shares={bank: 2}", "sft", "shares", {"bank": 2}), ("data.rows=other.jsonl", "data", "rows", "other.jsonl")],
)  # fmt: skip
def test_a_value_can_be_overridden_on_the_command_line(tmp_path, override, section, key, value):
    assert asdict(load_recipe(write_recipe(tmp_path), [override]))[section][key] == value


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"sft_setps": 5}, r"unknown key sft.setps: did you mean steps\?"),
        ({"modle": {}}, r"unknown key modle: did you mean model\?"),
        ({"pretrain_zebra": 1}, "unknown key pretrain.zebra: known are steps, batch_tokens"),
        ({"model": {"hidden": 32}}, "missing key model.layers"),
        ({"model": 5}, "model. must be a section, not 5"),
        ({"pretrain_steps": "many"}, "pretrain.steps must be int, not 'many'"),
        ({"pretrain_steps": 2.5}, "pretrain.steps must be int, not 2.5"),
        ({"pretrain_steps": True}, "pretrain.steps must be int, not True"),
        ({"name": 5}, "name must be str, not 5"),
        ({"sft_optimizer": "sgd"}, "sft.optimizer must be one of adamw, muon, not 'sgd'"),
        ({"sft_shares": {"bank": -1}}, "sft.shares must map names to numbers of 0 or more"),
        ({"sft_shares": [1]}, "sft.shares must map names"),
        ({"pretrain_steps": 0}, "pretrain: steps must be at least 1"),
        ({"pretrain_batch_tokens": 399}, "pretrain: .* batch_tokens at least max_tokens"),
        ({"pretrain_learning_rate": 0}, "pretrain.learning_rate must lie between 0 and 1"),
        ({"pretrain_decay_share": 1.5}, "pretrain.decay_share must lie in 0 to 1"),
        ({"model_positions": 300}, "pretrain.max_tokens 400 exceeds model.positions 300"),
        ({"model_kv_heads": 3}, "model.heads 2 must be a multiple of model.kv_heads 3"),
        ({"model_kv_heads": 0}, "model.kv_heads must be at least 1"),
        ({"tokenizer_vocabulary": 100}, "tokenizer.vocabulary must lie in 512 to 65536"),
        ({"sft_method": "lora", "sft_optimizer": "muon"}, "use optimizer: adamw with lora"),
        ({"pretrain_method": "lora"}, "pretrain.method must be full"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_place_and_the_fix(tmp_path, changes, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(write_recipe(tmp_path, **changes))


@pytest.mark.parametrize(
    "text, says",
    [
        ("name: a\nname: b\n", "name stands twice"),
        ("name: a\nsft:\n  steps: 1\n  steps: 2\n", "steps stands twice"),
        ("name: a\nsft: &x {steps: 1}\npretrain: *x\n", "uses YAML aliases"),
        ("name: [", "is not YAML"),
        ("- name\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("#" * 70000, "larger than 64 KB"),
        ("? [a, b]\n: 1\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text, says):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=says):
        load_recipe(tmp_path / "r.yaml")


def test_a_rate_that_yaml_reads_as_text_is_explained(tmp_path):
    path = write_recipe(tmp_path)
    path.write_text(path.read_text().replace("learning_rate: 0.01", "learning_rate: 1e-4"))
    with pytest.raises(
        RecipeError, match=r"must be float, not '1e-4' \(YAML reads 1e-4 as text: write 1.0e-4\)"
    ):
        load_recipe(path)


def test_all_problems_are_told_at_once(tmp_path):
    path = write_recipe(tmp_path, sft_setps=1, model_hidden="wide", name=7, pretrain_optimizer="sgd")
    with pytest.raises(RecipeError) as error:
        load_recipe(path)
    assert [part in str(error.value) for part in ("sft.setps", "model.hidden", "name must", "sgd")] == [
        True
    ] * 4
    assert str(error.value).count("\n") == 4


@pytest.mark.parametrize(
    "override, says",
    [("pretrain.steps", "write it as key.key=value"), ("name.x=1", "'name' is a value, not a section"),
     ("sft.shares=[1", "is not YAML"), ("sft.stpes=1", r"did you mean steps\?")],
)  # fmt: skip
def test_a_wrong_override_is_refused(tmp_path, override, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(write_recipe(tmp_path), [override])


# --- rows to tokens

ROW = Row(
    id="bank-1", problem="Ana has 3 boxes with 4 pens each and gives 2 away. How many are left?",
    steps=("The boxes hold 3 * 4 = 12 pens.", "12 - 2 = 10 pens are left.", "That is 10 * 1 = 10."), answer="10",
    asked="the number of pens left", plan="Multiply, then subtract.",
)  # fmt: skip
HUMAN = Row(
    id="g-1",
    problem="How many?",
    steps=("He has 2 + 2 = 4.", "It is 4 * 2 = 8."),
    answer="8",
    source="gsm8k-train",
)


def parts(examples: Examples, tokenizer, index: int = 0) -> tuple[str, str]:
    """(text that is not learned, text that is)."""
    ids, mask = (
        a[examples.starts[index] : examples.starts[index + 1]] for a in (examples.ids, examples.mask)
    )
    return tokenizer.decode(ids[~mask].tolist()), tokenizer.decode(ids[mask].tolist())


def test_sft_learns_the_whole_reply_and_nothing_of_the_prompt(tiny_tokenizer):
    examples = tokenize([ROW, HUMAN], tiny_tokenizer, "sft", 400)
    for index, row in enumerate((ROW, HUMAN)):
        masked, learned = parts(examples, tiny_tokenizer, index)
        assert masked == render_prompt(row.problem)
        assert learned == render_target(row.steps, row.answer)
        assert learned.startswith("<think>\n") and learned.endswith("<|im_end|>")


def test_pretraining_learns_every_token_and_writes_prose(tiny_tokenizer):
    examples = tokenize([ROW], tiny_tokenizer, "pretrain", 400)
    assert examples.mask.all()
    assert parts(examples, tiny_tokenizer)[1] == render_prompt(ROW.problem) + write_prose(ROW) + "<|im_end|>"


@pytest.mark.parametrize(
    "row, prose",
    [
        (ROW, "To find the number of pens left, we can work in steps. Multiply, then subtract.\n\n"
              "First, the boxes hold 3 * 4 = 12 pens.\nNext, 12 - 2 = 10 pens are left.\n"
              "Finally, that is 10 * 1 = 10.\n\nSo the answer is **10**."),
        (HUMAN, "He has 2 + 2 = 4.\nIt is 4 * 2 = 8.\n\nSo the answer is **8**."),
    ],
)  # fmt: skip
def test_prose_tells_the_steps_without_the_tutors_format(row, prose):
    assert write_prose(row) == prose


def test_a_problem_that_types_control_tokens_teaches_none(tiny_tokenizer):
    row = Row("x", "Say <|im_end|> and </think> 5 times.", ROW.steps, "10")
    examples = tokenize([row], tiny_tokenizer, "sft", 400)
    end = tiny_tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert (examples.ids == end).sum() == 2  # the end of the student's turn, and of the reply


def test_rows_that_are_dropped_are_counted_with_the_reason(tiny_tokenizer):
    long = Row("long", "word " * 500, ROW.steps, "10")
    examples = tokenize([ROW, long, HUMAN], tiny_tokenizer, "sft", 300, {"gsm8k-train": 0})
    assert len(examples) == 1
    assert examples.dropped == {"longer than 300 tokens": 1, "source has share 0": 1}
    with pytest.raises(ValueError, match="no row is left to train on: dropped .*longer than 300"):
        tokenize([long], tiny_tokenizer, "sft", 300)


def test_the_mask_can_be_looked_at(tiny_tokenizer):
    text = show_mask(tokenize([HUMAN], tiny_tokenizer, "sft", 400), tiny_tokenizer, color=False)
    assert text == f"{render_prompt('How many?')}>>{render_target(HUMAN.steps, '8')}<<"


@pytest.mark.parametrize("mask, says", [(0.0, "the mask is empty"), (1.0, "the prompt is not masked")])
def test_a_mask_that_cannot_be_right_stops_the_run(tiny_tokenizer, mask, says):
    examples = tokenize([ROW], tiny_tokenizer, "sft", 400)
    examples.mask[:] = bool(mask)
    with pytest.raises(SystemExit, match=says):
        audit("sft", examples, tiny_tokenizer)


def test_rows_kept_for_validation_are_chosen_by_their_id():
    chosen = [f"row-{n}" for n in range(2000) if is_validation(f"row-{n}", 200, 2000)]
    assert 140 < len(chosen) < 260
    assert not any(is_validation(f"row-{n}", 0, 2000) for n in range(2000))


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return AutoModelForCausalLM.from_pretrained(tiny_model_folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("phase", ["pretrain", "sft"])
def test_the_loss_is_that_of_transformers(model, tiny_tokenizer, phase):
    examples = tokenize([ROW, HUMAN], tiny_tokenizer, phase, 400)
    batch = collate(examples, [0, 1], tiny_tokenizer.pad_token_id)
    assert batch["input_ids"].shape == (2, examples.lengths.max())
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()
    loss, learned = token_loss(model, batch)
    assert learned == (batch["labels"][:, 1:] != IGNORED).sum()
    assert loss.item() == pytest.approx(model(**batch).loss.item(), rel=1e-5)


# --- batches


def made_up(count: int, repeats: float = 1.0) -> Examples:
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 120, count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    total = int(starts[-1])
    return Examples(
        np.zeros(total, np.uint16), np.ones(total, bool), starts, np.full(count, repeats), Counter()
    )


def seen(examples: Examples, seed: int = 0, epoch: int = 0) -> np.ndarray:
    """How often each example stands in the batches of an epoch."""
    return np.bincount(np.concatenate(plan_epoch(examples, 512, seed, epoch)), minlength=len(examples))


@pytest.mark.parametrize("repeats, allowed", [(1.0, {1}), (2.0, {2}), (2.5, {2, 3}), (0.25, {0, 1})])
def test_an_epoch_shows_each_example_as_often_as_its_share_says(repeats, allowed):
    counts = seen(made_up(1000, repeats))
    assert set(counts) == allowed
    assert counts.mean() == pytest.approx(repeats, abs=0.06)


def test_batches_are_full_but_not_too_full():
    examples = made_up(1000)
    plan = plan_epoch(examples, 512, 0, 0)
    sizes = [len(batch) * examples.lengths[batch].max() for batch in plan]
    assert max(sizes) <= 512
    assert sum(sizes) / examples.lengths.sum() < 1.1  # padding is little


def test_an_example_longer_than_a_batch_stands_alone():
    examples = Examples(
        np.zeros(90, np.uint16), np.ones(90, bool), np.array([0, 10, 80, 90]), np.ones(3), Counter()
    )
    assert sorted(map(sorted, plan_epoch(examples, 40, 0, 0))) == [[0, 2], [1]]


def test_the_order_depends_on_seed_and_epoch_alone():
    def flat(seed, epoch):
        return [batch.tolist() for batch in plan_epoch(made_up(300), 512, seed, epoch)]

    assert flat(1, 2) == flat(1, 2)
    assert flat(1, 2) != flat(1, 3) and flat(1, 2) != flat(2, 2)


def test_batches_go_on_from_any_place():
    examples = made_up(100)
    stream = batches_from(examples, 512, 0, 0, 0)
    places = [
        (epoch, position, batch.tolist()) for epoch, position, batch in (next(stream) for _ in range(60))
    ]
    assert places[-1][0] >= 1  # over the end of an epoch
    for n in (0, 7, 30, 58):
        epoch, position, _ = places[n]
        resumed = next(batches_from(examples, 512, 0, epoch, position))
        assert (resumed[0], resumed[1], resumed[2].tolist()) == places[n + 1]


@pytest.mark.parametrize(
    "step, factor",
    [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (69, 1.0), (70, 1.0), (85, 0.5), (99, 0.05), (140, 0.05)],
)
def test_the_rate_rises_stays_and_falls(step, factor):
    phase = Phase(steps=100, batch_tokens=1, learning_rate=1.0, warmup_steps=10, decay_share=0.3)
    assert rate_factor(phase, step) == pytest.approx(factor)


# --- runs

KILL_STEPS = 40


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder with a small data set and the tiny recipe."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["build", "--out", str(folder), "--rows", "120", "--no-tests", "--workers", "1"]
        )
        pipeline.build.main()
    write_recipe(folder, data_rows=str(folder / "clean.jsonl"))
    return folder


def command(module: str, work: Path, out: str, *more: str) -> list[str]:
    return [
        module,
        "--recipe",
        str(work / "tiny.yaml"),
        "--out",
        str(work / out),
        "--threads",
        "1",
        "--device",
        "cpu",
        *more,
    ]


def start(argv: list[str], code: str = "") -> subprocess.Popen:
    """`python -m module ...` as anyone would start it, or `code` with these arguments."""
    return subprocess.Popen(
        [sys.executable, *(["-c", code] if code else ["-m"]), *argv], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def run_here(argv: list[str]) -> None:
    """The same in this process, which has the libraries in memory already."""
    module = {"training.pretrain": pretrain, "training.sft": sft, "training.export": export}[argv[0]]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    threads = torch.get_num_threads()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", argv)
            module.main()
    finally:
        torch.set_num_threads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def step_of(folder: Path) -> int:
    """The step of the last whole checkpoint."""
    latest = folder / "latest.json"
    return (
        read_json(folder / read_json(latest)["checkpoint"] / "state.json")["state"]["step"]
        if latest.exists()
        else 0
    )


# Is killed at a random moment within or after the save whose number is the first argument.
KILLED = """
import os, random, signal, sys, threading
from training import loop, pretrain
save, saves, number = loop._save, [], int(sys.argv[1])
def save_and_die(*arguments):
    saves.append(1)
    if len(saves) == number:
        threading.Timer(random.uniform(0, 0.03), os.kill, (os.getpid(), signal.SIGKILL)).start()
    save(*arguments)
loop._save = save_and_die
del sys.argv[:2]
pretrain.main()
"""


OPTIMIZERS = {"adamw": [], "muon": ["--set", "pretrain.optimizer=muon"]}


@pytest.fixture(scope="module")
def runs(work):
    """For each optimizer: an unbroken run, and one that was killed and ended later. {name: (step, output)}"""
    results = {}
    options = {name: ["--set", f"pretrain.steps={KILL_STEPS}", *more] for name, more in OPTIMIZERS.items()}
    processes = {
        name: start(
            [str(random.randint(2, 30)), *command("training.pretrain", work, name, *options[name])], KILLED
        )
        for name in OPTIMIZERS
    }
    for name, process in processes.items():
        output, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL, output
        results[name] = step_of(work / name / "pretrain")
    resumed = start(command("training.pretrain", work, "adamw", *options["adamw"]))
    for name in OPTIMIZERS:
        run_here(command("training.pretrain", work, f"{name}-unbroken", *options[name]))
    # Muon's run goes on here, first in slices that are over at once
    for _ in range(2):
        run_here(command("training.pretrain", work, "muon", *options["muon"], "--minutes", "0.00001"))
    sliced = step_of(work / "muon" / "pretrain")
    run_here(command("training.pretrain", work, "muon", *options["muon"]))
    return results | {"sliced": sliced, "output": finish(resumed)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_killed_at_any_moment_ends_with_the_very_same_weights(work, runs, name):
    assert 0 < runs[name] < KILL_STEPS  # it was killed in the middle
    broken, unbroken = (work / folder / "base" / "model.safetensors" for folder in (name, f"{name}-unbroken"))
    assert broken.read_bytes() == unbroken.read_bytes()


def test_a_resumed_run_says_where_it_goes_on(runs):
    assert f"resuming pretrain at step {runs['adamw']} of {KILL_STEPS}" in runs["output"]


def test_a_slice_ends_with_a_checkpoint_after_the_step_at_hand(runs):
    assert runs["sliced"] == runs["muon"] + 2


def test_the_two_optimizers_train_differently(work, runs):
    adamw, muon = (work / f"{name}-unbroken" / "base" / "model.safetensors" for name in OPTIMIZERS)
    assert adamw.read_bytes() != muon.read_bytes()


def test_training_lowers_the_loss(work, runs):
    for name in OPTIMIZERS:
        losses = [row["loss"] for row in read_rows(work / f"{name}-unbroken" / "pretrain" / "log.jsonl")]
        assert len(losses) == 2 and losses[1] < losses[0] - 0.1


def test_no_more_than_two_checkpoints_are_kept_and_no_pickle(work, runs):
    for name in OPTIMIZERS:
        folder = work / name / "pretrain"
        assert len(list(folder.glob("checkpoint-*"))) == 2
        assert {path.suffix for path in folder.glob("checkpoint-*/*")} == {".safetensors", ".json"}


@pytest.mark.parametrize(
    "change, says",
    [
        (["--set", "pretrain.learning_rate=0.02"], "another phase"),
        (["--set", "pretrain.optimizer=muon"], "another phase"),
        (["--set", "seed=5"], "another seed"),
        (["--set", "data.rows={other}"], "another data"),
    ],
)
def test_a_changed_recipe_or_data_set_is_refused_on_resume(work, runs, tmp_path, change, says):
    other = tmp_path / "other.jsonl"
    other.write_text("".join((work / "clean.jsonl").read_text().splitlines(True)[:-1]))
    record = (work / "adamw" / "recipe.json").read_bytes()
    change = [part.format(other=other) for part in change]
    with pytest.raises(SystemExit, match=f"made with {says}: choose a new --out"):
        run_here(
            command("training.pretrain", work, "adamw", "--set", f"pretrain.steps={KILL_STEPS + 5}", *change)
        )
    assert (work / "adamw" / "recipe.json").read_bytes() == record  # the record is of what was trained


def test_a_finished_run_may_be_made_longer(work, runs):
    run_here(
        command(
            "training.pretrain",
            work,
            "muon",
            *OPTIMIZERS["muon"],
            "--set",
            f"pretrain.steps={KILL_STEPS + 2}",
        )
    )
    assert step_of(work / "muon" / "pretrain") == KILL_STEPS + 2
    assert read_json(work / "muon" / "recipe.json")["pretrain"]["steps"] == KILL_STEPS + 2


# --- from base to a model that speaks

SUMMARY = {
    "engine": "pocket", "benchmark": "svamp", "n": 1000, "correct": 417, "accuracy": 0.417, "interval": [0.3868, 0.4478],
    "calculator": True, "cut_off": 13, "tokens": 71234,
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(work, runs) -> Path:
    """The adamw run, fine-tuned and exported by the two commands."""
    finish(start(command("training.sft", work, "adamw")))
    write_json(work / "evals" / "pocket-svamp" / "summary.json", SUMMARY)
    target = work / "exported"
    finish(
        start(
            ["training.export", "--recipe", str(work / "tiny.yaml"), "--run", str(work / "adamw"),
             "--to", str(target), "--evals", str(work / "evals")]
        )
    )  # fmt: skip
    return target


def test_the_exported_model_is_loaded_by_the_engine_and_speaks(exported):
    engine = load_engine(f"hf:{exported / 'tuned'}")
    generation = gather(engine.stream(conversation("Ana has 3 pens."), Sampling(max_tokens=8)))
    assert generation.num_tokens > 0
    assert {path.name for path in exported.iterdir()} == {
        "base", "tuned", "README.md", "recipe.json", "data.json", "pretrain-log.jsonl", "sft-log.jsonl",
    }  # fmt: skip
    for name in ("base", "tuned"):
        weights = AutoModelForCausalLM.from_pretrained(exported / name, dtype="auto")
        assert weights.dtype == torch.bfloat16 and weights.config.architectures == ["Qwen3ForCausalLM"]
        assert not list((exported / name).glob("*.bin"))


def test_fine_tuning_changes_the_base(exported):
    base, tuned = (
        AutoModelForCausalLM.from_pretrained(exported / name).state_dict() for name in ("base", "tuned")
    )
    assert base.keys() == tuned.keys()
    assert all(not torch.equal(base[key], tuned[key]) for key in base if key.endswith("proj.weight"))


def test_an_adapter_is_merged_into_a_plain_model(work, exported, capsys):
    run_here(
        command(
            "training.sft", work, "lora", "--base", str(work / "adamw" / "base"), "--set", "sft.method=lora"
        )
    )
    assert "merged: the logits differ by at most" in capsys.readouterr().out
    base, tuned = (
        AutoModelForCausalLM.from_pretrained(folder).state_dict()
        for folder in (work / "adamw" / "base", work / "lora" / "tuned")
    )
    assert base.keys() == tuned.keys()  # no trace of the adapter
    for key in base:  # all linear layers moved, and nothing else did
        assert torch.equal(base[key], tuned[key]) is not key.endswith("_proj.weight"), key
    checkpoint = max((work / "lora" / "sft").glob("checkpoint-*"))
    assert (checkpoint / "weights.safetensors").stat().st_size < (
        work / "adamw" / "base" / "model.safetensors"
    ).stat().st_size
    engine = load_engine(f"hf:{work / 'lora' / 'tuned'}")
    assert gather(engine.stream(conversation("Ana has 3 pens."), Sampling(max_tokens=4))).num_tokens > 0


def test_the_record_keeps_what_the_base_was_trained_with(exported):
    """The overrides of pretraining are on record though fine-tuning was started without them."""
    recipe = read_json(exported / "recipe.json")
    assert recipe["pretrain"]["steps"] == KILL_STEPS and recipe["sft"]["steps"] == TINY["sft"]["steps"]


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def figures(text: str) -> set[str]:
    return {number.strip(",") for number in NUMBER.findall(text)}


def test_every_figure_of_the_card_stands_in_a_record(exported):
    card = (exported / "README.md").read_text()
    config = read_json(exported / "tuned" / "config.json")
    records = [
        read_json(exported / "data.json"),
        read_json(exported / "recipe.json"),
        SUMMARY,
        config["vocab_size"],
    ]
    records += [row for phase in ("pretrain", "sft") for row in read_rows(exported / f"{phase}-log.jsonl")]
    known = {"2.0", "3", "95"}  # Apache-2.0, Qwen3, the 95% interval
    known |= {"16", f"{(exported / 'tuned' / 'model.safetensors').stat().st_size / 1e6:.1f}"}  # MB in 16 bit
    known |= {f"{SUMMARY['tokens'] / SUMMARY['n']:.0f}"}
    for number in figures(str(records)):
        value = float(number.replace(",", ""))
        known |= {number, f"{value:,.0f}", f"{value:.3f}", f"{100 * value:.1f}"}
    assert figures(card) - known == set()
    assert "| pocket | svamp | 1,000 | 417 | 41.7% | 38.7% to 44.8% | on | 13 | 71 |" in card
    log = list(read_rows(exported / "sft-log.jsonl"))
    assert (
        f"| sft | 12 | {log[-1]['tokens']:,} | {log[0]['loss']:.3f} | {log[-1]['loss']:.3f} | not measured |"
        in card
    )
    assert "python -m pipeline.build --rows 120 --seed 0 --no-tests" in card
    assert "not compared with any test set" in card and "GSM8K" not in card


def test_without_evaluations_the_card_says_that_nothing_was_measured(work, exported):
    argv = ["training.export", "--recipe", str(work / "tiny.yaml"), "--to", str(exported), "--card-only"]
    run_here([*argv, "--evals", str(work / "none")])
    card = (exported / "README.md").read_text()
    assert "Nothing has been measured yet." in card and "%" not in card


@pytest.mark.parametrize(
    "argv, says",
    [
        (["training.pretrain", "--recipe", "nowhere.yaml"], "nowhere.yaml"),
        (["training.pretrain", "--recipe", "{recipe}", "--set", "sft.stpes=1"], r"did you mean steps\?"),
        (
            ["training.pretrain", "--recipe", "{recipe}", "--set", "data.rows=none/clean.jsonl"],
            "python -m pipeline.build",
        ),
        (["training.sft", "--recipe", "{recipe}"], "run training.pretrain first"),
        (
            ["training.export", "--recipe", "{recipe}", "--run", "{out}", "--to", "{out}/to"],
            "finish training first",
        ),
        (
            ["training.export", "--recipe", "{recipe}", "--to", "{out}/to", "--card-only"],
            "has no recipe.json",
        ),
    ],
)
def test_a_command_that_cannot_work_ends_with_a_sentence(work, tmp_path, argv, says):
    places = {"recipe": work / "tiny.yaml", "out": tmp_path}
    argv = [part.format(**places) for part in argv]
    if argv[0] != "training.export":
        argv += ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=says):
        run_here(argv)
    assert not list(tmp_path.glob("**/*.json"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_told(work, tmp_path):
    with pytest.raises(SystemExit, match="this torch sees no GPU; use --device cpu"):
        run_here(command("training.pretrain", work, str(tmp_path), "--device", "cuda"))
