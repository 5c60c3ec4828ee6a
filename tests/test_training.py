"""Training: recipes that are checked, masks that hold, and runs that a kill cannot change."""

from __future__ import annotations

import copy
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import pipeline.build
from mathtutor.chat import END, conversation, render_prompt, render_target
from mathtutor.engines import Sampling, gather, load_engine
from mathtutor.io import Journal, read_json, read_rows, sha256_file, write_json
from mathtutor.problem import Row
from training import export, loop, pretrain, sft
from training.attention import NAME, by_products, suits
from training.crew import Crew
from training.data import (
    COUNTING,
    IGNORED,
    Examples,
    batches_from,
    collate,
    hide_words,
    is_validation,
    plan_epoch,
    share_of,
    show_mask,
    tokenize,
    write_prose,
)
from training.loop import dropout, rate_factor, token_loss
from training.recipe import RANGES, Data, Model, Phase, Recipe, RecipeError, Tokenizer, load_recipe
from training.run import audit, examples_for, keep_records, load_rows, parser, prepare
from training.tokenizer import load_or_train

ROOT = Path(__file__).resolve().parents[1]
# Those of training.tune have a method, see test_recipes.py.
RECIPES = [path for path in sorted((ROOT / "training" / "recipes").glob("*.yaml")) if "method" not in yaml.safe_load(path.read_text())]

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
        ({"method": "lora"}, "tiny.yaml is a recipe of training.tune: python -m training.tune"),
        ({"sft_setps": 5, "model_head_dim": 15, "pretrain_clip": 0}, r"(?s)pretrain.clip must be finite and above 0.*sft.setps.*model.head_dim 15 must be even"),
        ({"sft_learning_rate": 10**400}, "sft.learning_rate must be finite, not 1000"),
        ({"pretrain_zebra": 1}, "unknown key pretrain.zebra: known are steps, batch_tokens"),
        ({"model": {"hidden": 32}}, "missing key model.layers"),
        ({"model": 5}, "model must be a section, not 5"),
        ({"pretrain_steps": "many"}, "pretrain.steps must be int, not 'many'"),
        ({"pretrain_steps": 2.5}, "pretrain.steps must be int, not 2.5"),
        ({"pretrain_steps": True}, "pretrain.steps must be int, not True"),
        ({"name": 5}, "name must be str, not 5"),
        ({"sft_optimizer": "sgd"}, "sft.optimizer must be one of adamw, muon, not 'sgd'"),
        ({"sft_shares": {"bank": -1}}, "sft.shares must map names to numbers of 0 or more"),
        ({"sft_shares": [1]}, "sft.shares must map names"),
        ({"pretrain_batch_tokens": 399}, "pretrain.batch_tokens 399 must be at least max_tokens 400"),
        ({"sft_shares": {"bank": True}}, "sft.shares must map names"),
        ({"sft_shares": {"bank": float("inf")}}, "sft.shares must map names"),
        ({"sft_shares": {"bank": float("nan")}}, "sft.shares must map names"),
        ({"sft_shares": {5: 1}}, "sft.shares must map names"),
        ({"model_head_dim": 15}, "model.head_dim 15 must be even"),
        ({"data_rows": ""}, "data.rows must name a file"),
        ({"sft_lora_rank": 16}, "sft.lora_rank has no effect with method: full"),
        ({"sft_lora_alpha": 32}, "sft.lora_alpha has no effect with method: full"),
        ({"pretrain_lora_rank": 16}, "pretrain.lora_rank has no effect with method: full"),
        ({"sft_matrix_learning_rate": 0.02}, "sft.matrix_learning_rate has no effect with optimizer: adamw"),
        ({"model_positions": 300}, "pretrain.max_tokens 400 exceeds model.positions 300"),
        ({"model_kv_heads": 3}, "model.heads 2 must be a multiple of model.kv_heads 3"),
        ({"sft_method": "lora", "sft_optimizer": "muon"}, "use optimizer: adamw with lora"),
        ({"pretrain_method": "lora"}, "pretrain.method must be full"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_place_and_the_fix(tmp_path, changes, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(write_recipe(tmp_path, **changes))


def section_of(kind: type) -> str:
    return {Recipe: "", Data: "data", Tokenizer: "tokenizer", Model: "model", Phase: "sft"}[kind]


@pytest.mark.parametrize(
    "kind, key, allowed",
    [(kind, key, allowed) for kind, ranges in RANGES.items() for key, allowed in ranges.items()],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
def test_a_number_at_the_edge_of_its_range_is_taken_and_one_beyond_is_refused(tmp_path, kind, key, allowed):
    whole = {f.name: f.type for f in fields(kind)}[key] == "int"
    near = 1 if whole else 1e-9
    inside = [allowed.low + near * allowed.above]
    beyond = [allowed.low - near * (not allowed.above)]
    if allowed.high < math.inf:
        inside.append(allowed.high - near * allowed.below)
        beyond.append(allowed.high + near * (not allowed.below))
    if not whole:
        beyond += [math.inf, -math.inf, math.nan]
    place = f"{section_of(kind)}.{key}".removeprefix(".")
    # What would have no effect otherwise
    more = {"lora_rank": ["sft.method=lora"], "lora_alpha": ["sft.method=lora"]}.get(key, [])
    more += ["sft.optimizer=muon"] if key == "matrix_learning_rate" else []
    path = write_recipe(tmp_path)
    for value, is_inside in [(v, True) for v in inside] + [(v, False) for v in beyond]:
        told = ""
        try:
            load_recipe(path, [*more, f"{place}={yaml.safe_dump(value).split()[0]}"])
        except RecipeError as error:
            told = str(error)
        assert (f"{place} must {allowed}, not" in told) is not is_inside, (value, told)


def test_every_number_of_a_recipe_has_a_range():
    for kind in (Recipe, Data, Tokenizer, Model, Phase):
        assert {f.name for f in fields(kind) if f.type in ("int", "float")} == set(RANGES[kind])


@pytest.mark.parametrize("name, fine", [("a", True), ("Pocket_v1-b", True), ("x" * 64, True), ("x" * 65, False),
                                        ("", False), ("a/b", False), ("..", False), ("a b", False), ("ä", False),
                                        ("a\n", False)])  # fmt: skip
def test_a_name_can_name_a_folder(tmp_path, name, fine):
    path = write_recipe(tmp_path, name=name)
    if fine:
        assert load_recipe(path).name == name
    else:
        with pytest.raises(RecipeError, match="name must be 1 to 64 letters, digits, _ or -"):
            load_recipe(path)


@pytest.mark.parametrize(
    "text, says",
    [
        ("name: a\nname: b\nname: c\n", "key name stands twice"),
        ("name: a\nsft: {<<: {steps: 1}}\n", r"a merge key \(<<\) is not allowed here: write the values out"),
        ("name: 2020-99-99\n", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("? [a]\n: 1\n? [a]\n: 2\n", "stands twice"),
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


def test_a_recipe_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(RecipeError, match="r.yaml is not UTF-8"):
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
     ("sft.shares=[1", "is not YAML"), ("sft.stpes=1", r"did you mean steps\?"),
     ("sft.shares={bank: 1, bank: 2}", "is not YAML"), ("name=2020-99-99", "is not YAML")],
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


@pytest.mark.parametrize("steps, share", [(1, 0.5), (2, 2.0), (3, 2.0)])
def test_a_share_holds_for_a_source_or_for_its_rows_of_so_many_steps(steps, share):
    assert share_of(replace(ROW, steps=ROW.steps[:steps]), {"bank": 2.0, "bank/1": 0.5}) == share
    assert share_of(replace(ROW, source="stories"), {"bank": 2.0}) == 1.0


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


def test_dropout_is_of_training_alone_and_leaves_no_trace(model):
    model, ids = copy.deepcopy(model), torch.arange(5, 36).view(1, 31)

    def hidden() -> torch.Tensor:
        return model.model(input_ids=ids, use_cache=False)[0]

    usual = hidden()
    with dropout(model, 0.3):
        torch.testing.assert_close(hidden(), usual)
        model.train()
        first, second = hidden(), hidden()
        assert not torch.allclose(first, usual) and not torch.allclose(first, second)
    torch.testing.assert_close(hidden(), usual)


@pytest.mark.parametrize("time", [1, 2, 31])
def test_attention_by_products_is_that_of_torch(model, time):
    ids = torch.arange(5, 5 + 3 * time).view(3, time)
    usual = model.model(input_ids=ids, use_cache=False)[0]
    with by_products(model):
        assert model.config._attn_implementation == NAME
        torch.testing.assert_close(model.model(input_ids=ids, use_cache=False)[0], usual, atol=1e-5, rtol=1e-4)
    assert model.config._attn_implementation == "sdpa"


def test_an_adapter_learns_the_same_through_attention_by_products(model):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    tuned = get_peft_model(copy.deepcopy(model), LoraConfig(r=2, target_modules=["q_proj", "k_proj", "v_proj"], init_lora_weights=False))
    ids = torch.arange(5, 53).view(2, 24)

    def gradients() -> dict[str, torch.Tensor]:
        tuned.zero_grad()
        tuned(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        return {name: p.grad.clone() for name, p in tuned.named_parameters() if p.requires_grad}

    usual = gradients()
    with by_products(tuned):
        assert tuned.get_base_model().model.config._attn_implementation == NAME
        torch.testing.assert_close(gradients(), usual, atol=1e-6, rtol=1e-3)
    assert tuned.config._attn_implementation == "sdpa" and any(g.any() for g in usual.values())


@pytest.mark.parametrize(
    "change, longest, does",
    [({}, 512, True), ({}, 2048, False), ({"attention_dropout": 0.1}, 512, False), ({"model_type": "gemma3"}, 512, False),
     ({"layer_types": ["full_attention", "sliding_attention"]}, 512, False)],
)  # fmt: skip
def test_attention_by_products_is_for_plain_models_and_short_rows(model, change, longest, does):
    assert suits(SimpleNamespace(**model.config.to_dict() | {"model_type": "qwen3"} | change), longest) is does


def test_words_of_the_problem_are_hidden_and_nothing_else(tiny_tokenizer):
    examples = tokenize([ROW, HUMAN], tiny_tokenizer, "sft", 400)
    pad, whole, gone = tiny_tokenizer.pad_token_id, 0, set()
    for step in range(200):
        batch, before = (collate(examples, [0, 1], pad) for _ in range(2))
        hide_words(batch, examples, [0, 1], 0.4, pad, (3, step))
        assert torch.equal(batch["labels"], before["labels"])
        changed = batch["input_ids"] != before["input_ids"]
        assert (batch["input_ids"][changed] == pad).all()
        assert not changed[batch["labels"] != IGNORED].any()  # the reply stays
        whole += int((~changed.any(1)).sum())
        gone |= set(before["input_ids"][changed].tolist())
    assert 160 < whole < 260  # of 400: half, and those where no word was drawn
    texts = {tiny_tokenizer.decode([token]) for token in gone}
    assert texts and all(any(char.isalpha() for char in text) for text in texts)
    assert not gone & set(tiny_tokenizer.added_tokens_decoder) and not {t.strip() for t in texts} & COUNTING


def test_which_words_are_hidden_depends_on_key_and_example_alone(tiny_tokenizer):
    examples = tokenize([ROW, HUMAN], tiny_tokenizer, "sft", 400)

    def hidden(indices, key):
        batch = collate(examples, indices, tiny_tokenizer.pad_token_id)
        hide_words(batch, examples, indices, 0.9, tiny_tokenizer.pad_token_id, key)
        return {i: batch["input_ids"][row, : examples.lengths[i]].tolist() for row, i in enumerate(indices)}

    together = [hidden([0, 1], (0, step)) for step in range(8)]
    assert together == [hidden([0], (0, step)) | hidden([1], (0, step)) for step in range(8)]
    assert len({str(x) for x in together}) > 1


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
            sys, "argv", ["build", "--recipe", str(ROOT / "pipeline/recipes/speedrun.yaml"), "--out", str(folder),
                          "--set", "sources.bank=120", "--no-tests", "--workers", "1"],
        )  # fmt: skip
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


OPTIMIZERS = {
    "adamw": [],
    "muon": [part for value in ("optimizer=muon", "dropout=0.2", "rename=0.5", "spell=0.5") for part in ("--set", f"pretrain.{value}")],
}


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_log_of_a_killed_run_is_that_of_an_unbroken_one(work, runs, name):
    logs = [
        [{k: v for k, v in row.items() if k != "tokens_per_second"} for row in read_rows(folder / "log.jsonl")]
        for folder in (work / name / "pretrain", work / f"{name}-unbroken" / "pretrain")
    ]
    assert logs[0] == logs[1] and [row["step"] for row in logs[0]] == [20, KILL_STEPS]


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
        (["--set", "data.validation=3"], "another validation"),
        (["--set", "tokenizer.vocabulary=700"], "another vocabulary"),
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


def test_fewer_steps_than_are_done_are_refused(work, runs):
    with pytest.raises(SystemExit, match=f"is at step {KILL_STEPS}, beyond the 39 of the recipe"):
        run_here(command("training.pretrain", work, "adamw", "--set", f"pretrain.steps={KILL_STEPS - 1}"))


@pytest.fixture
def copied(work, runs, tmp_path) -> Path:
    """A copy of the unbroken adamw run, to be spoiled."""
    shutil.copytree(work / "adamw-unbroken", tmp_path / "copy")
    return tmp_path / "copy"


def resume(work: Path, folder: Path, steps: int = KILL_STEPS + 1, *more: str) -> None:
    run_here(command("training.pretrain", work, str(folder), "--set", f"pretrain.steps={steps}", *more))


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_answered_with_a_sentence(work, copied, file):
    path = copied / "pretrain" / f"checkpoint-{KILL_STEPS:06d}" / file
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SystemExit, match=r"is damaged \(.*there is checkpoint-000039|is not JSON"):
        resume(work, copied)
    path.unlink()
    with pytest.raises(SystemExit, match=file):
        resume(work, copied)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"checkpoint": 5}'])
def test_a_damaged_pointer_is_answered_with_a_sentence(work, copied, text):
    (copied / "pretrain" / "latest.json").write_text(text)
    with pytest.raises(SystemExit, match="latest.json names no checkpoint"):
        resume(work, copied)


def test_two_processes_never_train_in_one_folder(work, copied):
    with Journal(copied / "pretrain" / "log.jsonl"), pytest.raises(SystemExit, match="in use by another run"):
        resume(work, copied)


def test_rows_of_the_log_beyond_the_checkpoint_are_dropped(work, copied):
    """As a kill leaves them; `latest.json` may also be set back by hand, and its folder is never pruned."""
    log = list(read_rows(copied / "pretrain" / "log.jsonl"))
    (copied / "pretrain" / "checkpoint-000777").mkdir()
    write_json(copied / "pretrain" / "latest.json", {"checkpoint": f"checkpoint-{KILL_STEPS - 1:06d}"})
    with open(copied / "pretrain" / "log.jsonl", "a") as file:
        file.write('{"step": 60, "loss": 1.0}\n{"step": 61, "validation_loss": 1.0}\n')
    resume(work, copied, KILL_STEPS)
    again = list(read_rows(copied / "pretrain" / "log.jsonl"))
    assert [row | {"tokens_per_second": 0} for row in again] == [row | {"tokens_per_second": 0} for row in log]
    assert step_of(copied / "pretrain") == KILL_STEPS


def test_numbers_that_became_infinite_never_replace_a_good_checkpoint(work, copied, monkeypatch):
    real = loop.token_loss
    monkeypatch.setattr(loop, "token_loss", lambda *arguments: (real(*arguments)[0] * math.nan, 1))
    before = read_json(copied / "pretrain" / "latest.json")
    with pytest.raises(SystemExit, match=f"infinite by step {KILL_STEPS + 1}: lower the learning rate"):
        resume(work, copied, KILL_STEPS + 5)
    assert read_json(copied / "pretrain" / "latest.json") == before
    monkeypatch.undo()
    resume(work, copied)
    assert step_of(copied / "pretrain") == KILL_STEPS + 1


def test_a_tokenizer_that_was_half_written_is_made_again(work, tmp_path):
    """It appears whole, and knows what it was made from."""
    (tmp_path / ".tok.tmp").mkdir()
    (tmp_path / ".tok.tmp" / "tokenizer.json").write_text("{")
    texts = ["Ana has 3 pens."] * 3
    load_or_train(tmp_path / "tok", texts, 600, {"data": "a"})
    raw = (tmp_path / "tok" / "tokenizer.json").read_bytes()
    load_or_train(tmp_path / "tok", ["never read"], 600, {"data": "a"})
    assert (tmp_path / "tok" / "tokenizer.json").read_bytes() == raw and not (tmp_path / ".tok.tmp").exists()
    for vocabulary, data, says in ((600, "b", "another data"), (601, "a", "another vocabulary")):
        with pytest.raises(ValueError, match=f"was made with {says}: choose a new --out"):
            load_or_train(tmp_path / "tok", texts, vocabulary, {"data": data})
    (tmp_path / "tok" / "made_from.json").unlink()
    with pytest.raises(ValueError, match="has no made_from.json"):
        load_or_train(tmp_path / "tok", texts, 600, {"data": "a"})


@pytest.mark.parametrize(
    "line, says",
    [
        ('{"id": "a", "problem": "p", "steps": "abc", "answer": "2"}', r"bad.jsonl:122: row 'a': steps must be a list"),
        ('{"id": "a"}', "bad.jsonl:122: row a lacks answer, problem, steps"),
        ("[1]", "bad.jsonl:122 must be a JSON object"),
        ("{", "bad.jsonl:122 is not JSON"),
    ],
)
def test_a_row_that_is_none_ends_training_with_file_and_line(work, tmp_path, line, says):
    rows = (work / "clean.jsonl").read_text().splitlines(True)
    (tmp_path / "bad.jsonl").write_text("".join((rows * 2)[:120]) + "\n" + line + "\n")
    with pytest.raises(SystemExit, match=says):
        load_rows(load_recipe(work / "tiny.yaml", [f"data.rows={tmp_path / 'bad.jsonl'}"]))


def test_a_share_of_a_source_that_no_row_has_is_refused(work):
    with pytest.raises(SystemExit, match="sft.shares names gsm8k-train, which no row of .*: its sources are bank"):
        load_rows(load_recipe(work / "tiny.yaml", ["sft.shares={gsm8k-train: 2}"]))


def test_pocket_is_looked_at_like_any_other_tuning_before_it_starts(work, tmp_path, tiny_tokenizer, capsys):
    recipe = load_recipe(work / "tiny.yaml")
    examples, _, _ = examples_for("sft", recipe, tiny_tokenizer)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("template: ") and "the same text in training and at inference" in line]
    assert [line for line in lines if line.startswith("tokenizer: ") and f"a reply ends with {END}" in line]
    assert [line for line in lines if line.startswith("decontamination: ") and "clean.jsonl was" in line]
    other = copy.deepcopy(tiny_tokenizer)
    other.eos_token = "<|endoftext|>"
    with pytest.raises(SystemExit, match=r"sft: tokenizer: it ends a text with <\|endoftext\|>, training with"):
        examples_for("sft", recipe, other)
    other = copy.deepcopy(tiny_tokenizer)
    other.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(SystemExit, match="sft: template: the model's own template renders this conversation otherwise"):
        examples_for("sft", recipe, other)


def test_a_report_of_other_rows_is_refused(work, tmp_path):
    shutil.copy(work / "clean.jsonl", tmp_path / "clean.jsonl")
    recipe = load_recipe(work / "tiny.yaml", [f"data.rows={tmp_path / 'clean.jsonl'}"])
    load_rows(recipe)  # rows without a report are one's own affair
    write_json(tmp_path / "report.json", read_json(work / "report.json") | {"sha256": "0" * 64})
    for refused in (lambda: load_rows(recipe), lambda: keep_records(tmp_path / "run", recipe, "sft")):
        with pytest.raises(SystemExit, match="report.json is not about .*clean.jsonl"):
            refused()
    assert not (tmp_path / "run").exists()


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
    target = work / "exported"
    finish(
        start(
            ["training.export", "--recipe", str(work / "tiny.yaml"), "--run", str(work / "adamw"),
             "--to", str(target), "--evals", str(work / "evals")]
        )
    )  # fmt: skip
    # Measured on what was exported, beside one of weights that are gone
    revision = sha256_file(target / "tuned" / "model.safetensors")[:16]
    write_json(work / "evals" / "pocket-svamp" / "summary.json", SUMMARY | {"revision": revision})
    write_json(work / "evals" / "old" / "summary.json", SUMMARY | {"correct": 999, "revision": "0" * 16})
    run_here(
        ["training.export", "--recipe", str(work / "tiny.yaml"), "--to", str(target), "--card-only",
         "--evals", str(work / "evals")]
    )  # fmt: skip
    return target


def test_fine_tuning_goes_on_from_the_same_base_only(work, exported, tmp_path):
    shutil.copytree(work / "adamw" / "sft", tmp_path / "out" / "sft")
    with pytest.raises(SystemExit, match="made with another base: choose a new --out"):
        run_here(command("training.sft", work, str(tmp_path / "out"), "--base", str(work / "muon" / "base")))


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
            "training.sft", work, "lora", "--base", str(work / "adamw" / "base"), "--set", "sft.method=lora",
            "--set", "sft.lora_rank=4", "--set", "sft.lora_alpha=8",
        )  # fmt: skip
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
    known |= {"1"}  # evaluation that was left out
    known |= {"16", f"{(exported / 'tuned' / 'model.safetensors').stat().st_size / 1e6:.1f}"}  # MB in 16 bit
    known |= {f"{SUMMARY['tokens'] / SUMMARY['n']:.0f}"}
    for number in figures(str(records)):
        value = float(number.replace(",", ""))
        known |= {number, f"{value:,.0f}", f"{value:.3f}", f"{100 * value:.1f}"}
    assert figures(card) - known == set()
    assert "999" not in card and "Left out: 1 evaluations of other weights." in card
    assert "| pocket | svamp | 1,000 | 417 | 41.7% | 38.7% to 44.8% | on | 13 | 71 |" in card
    log = list(read_rows(exported / "sft-log.jsonl"))
    assert (
        f"| sft | 12 | {log[-1]['tokens']:,} | {log[0]['loss']:.3f} | {log[-1]['loss']:.3f} | not measured |"
        in card
    )
    assert "python -m pipeline.build --recipe pipeline/recipes/speedrun.yaml --set sources.bank=120 --no-tests" in card
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


@pytest.mark.parametrize(
    "asked, in_hardware, used",
    [
        ("auto", "_is_amx_tile_supported", True),
        ("auto", "_is_avx512_bf16_supported", True),
        ("auto", None, False),
        ("bf16", "_is_amx_tile_supported", True),
        ("bf16", None, True),
        ("fp32", "_is_avx512_bf16_supported", False),
    ],
)
def test_half_precision_is_used_where_it_is_fast_and_its_imitation_is_told(monkeypatch, tmp_path, capsys, asked, in_hardware, used):
    for has in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, has, lambda has=has: has == in_hardware)
    options = ["--recipe", str(ROOT / "training/recipes/pocket.yaml"), "--out", str(tmp_path), "--device", "cpu", "--precision", asked]
    _, _, compute = prepare(parser("").parse_args(options))
    assert compute.bf16 == used
    assert ("can only imitate it" in capsys.readouterr().out) == (used and not in_hardware)


# --- a crew


def test_two_processes_train_as_one(work):
    options = ["--set", "pretrain.steps=6", "--precision", "fp32"]
    run_here(command("training.pretrain", work, "alone", *options))
    crew = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", *command("training.pretrain", work, "crew", *options)]
    output = finish(start(crew))
    losses = {
        name: [row["loss"] for row in read_rows(work / name / "pretrain" / "log.jsonl") if "loss" in row] for name in ("alone", "crew")
    }
    assert losses["crew"] == pytest.approx(losses["alone"], abs=1e-5) and losses["alone"]
    alone, crew = (load_file(work / name / "base" / "model.safetensors") for name in ("alone", "crew"))
    assert all((alone[key] - crew[key]).abs().max() < 1e-4 for key in alone)
    assert output.count("base model:") == 1


def test_a_share_is_dealt_out_in_turn_and_may_be_empty():
    indices = np.arange(5)
    assert [Crew(rank, 3).share(indices).tolist() for rank in range(3)] == [[0, 3], [1, 4], [2]]
    assert Crew(1, 2).share(indices[:1]).tolist() == []
    assert Crew().share(indices).tolist() == indices.tolist() and Crew().sum_up([], 1.5) == [1.5]
