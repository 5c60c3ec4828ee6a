"""Recipes of training.tune: strict, complete, true to the cards of the systems that they retell."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from mathtutor.recipes import RecipeError
from training.tuning.recipe import (
    RANGES,
    Data,
    Lora,
    Memory,
    Set,
    Shape,
    Train,
    TuneRecipe,
    Watch,
    load_tune_recipe,
    with_overrides,
)
from training.tuning.trainer import sft_config

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "training" / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.yaml") if "method" in yaml.safe_load(path.read_text()))

LORA = {
    "name": "small", "method": "lora",
    "model": {"base": "org/base"},
    "data": {"rows": "clean.jsonl", "validation": 10},
    "lora": {"rank": 4, "alpha": 8},
    "train": {"batch": 8, "micro_batch": 2, "max_tokens": 256, "learning_rate": 1e-4, "steps": 10},
}  # fmt: skip
SHAPE = {"architecture": "llama", "hidden": 32, "layers": 2, "heads": 4, "kv_heads": 2, "ffn": 64, "head_dim": 8, "positions": 256, "vocabulary": 600}


def write(folder: Path, **changes) -> Path:
    """LORA with values replaced: write(tmp_path, train__batch=4, method="full"); None takes a key away."""
    recipe = yaml.safe_load(yaml.safe_dump(LORA))
    for name, value in changes.items():
        *parents, last = name.split("__")
        section = recipe
        for parent in parents:
            section = section[parent]
        if value is None:
            section.pop(last)
        else:
            section[last] = value
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_is_sound(path):
    assert load_tune_recipe(path).name == path.stem


def test_every_seed_has_its_recipe_and_a_better_sister_that_differs_and_says_why():
    names = {path.stem for path in RECIPES}
    seeds = ["qwen3-8b-synth-50k", "qwen3-4b-synth-35k", "qwen3-0.6b-full", "qwen3-0.6b-lora", "tinymathreason-1b-pretrain",
             "tinymathreason-1b-sft", "qed-nano-sft"]  # fmt: skip
    for seed in seeds:
        sister = f"{seed}-better"
        assert {seed, sister} <= names
        seed_train, sister_train = (load_tune_recipe(FOLDER / f"{name}.yaml").train for name in (seed, sister))
        assert seed_train != sister_train
        # A reason stands beside the values that differ.
        assert sum("#" in line.partition(":")[2] for line in (FOLDER / f"{sister}.yaml").read_text().splitlines()) >= 3, sister


@pytest.mark.parametrize(
    "name, section, values",
    [
        ("qwen3-8b-synth-50k", "lora", {"rank": 16, "alpha": 16, "dropout": 0.0}),
        ("qwen3-8b-synth-50k", "train", {"epochs": 3, "batch": 64, "micro_batch": 1, "max_tokens": 1024, "learning_rate": 2e-4,
                                         "schedule": "cosine", "warmup_steps": 10, "optimizer": "adamw_8bit", "clip": 1.0}),
        ("qwen3-8b-synth-50k", "memory", {"checkpointing": True, "offload_activations": True, "offload_embedding": True,
                                          "loss_chunks": 8, "expandable_segments": True}),
        ("qwen3-4b-synth-35k", "lora", {"rank": 32, "alpha": 32}),
        ("qwen3-4b-synth-35k", "train", {"epochs": 3, "batch": 16, "max_tokens": 4096, "learning_rate": 2e-4}),
        ("qwen3-0.6b-lora", "lora", {"rank": 4, "alpha": 16, "dropout": 0.05, "targets": ("q_proj", "v_proj")}),
        ("qwen3-0.6b-full", "train", {"epochs": 6, "batch": 12, "learning_rate": 1e-6, "schedule": "cosine"}),
        ("tinymathreason-1b-pretrain", "train", {"steps": 54363, "batch": 64, "max_tokens": 4096, "learning_rate": 3e-4,
                                                 "least_rate": 0.1, "beta2": 0.95, "weight_decay": 0.1}),
        ("tinymathreason-1b-sft", "train", {"epochs": 2, "batch": 32, "learning_rate": 2e-5, "warmup_share": 0.05}),
        ("qed-nano-sft", "train", {"steps": 620, "batch": 32, "learning_rate": 3e-5, "max_tokens": 45056, "warmup_share": 0.03}),
    ],
)  # fmt: skip
def test_a_seeds_recipe_has_the_values_of_its_card(name, section, values):
    there = dataclasses.asdict(getattr(load_tune_recipe(FOLDER / f"{name}.yaml"), section))
    assert {key: there[key] for key in values} == values


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"train__btach": 8}, r"unknown key train.btach: did you mean batch\?"),
        ({"modle": {}}, r"unknown key modle: did you mean model\?"),
        ({"lora__rnak": 4}, r"unknown key lora.rnak: did you mean rank\?"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "promt": "x"}]}, r"unknown key data.sets\[0\].promt: did you mean prompt\?"),
        ({"data__sets": {"path": "a"}}, "data.sets must be a list, not"),
        ({"data__sets": [{"kind": "pairs"}]}, r"missing key data.sets\[0\].path"),
        ({"data__sets": [{"path": "a", "kind": "pear"}]}, r"data.sets\[0\].kind must be one of rows, gsm8k"),
        ({"lora__targets": "q_proj"}, "lora.targets must be a list, not 'q_proj'"),
        ({"lora__targets": ["q_proj", 5]}, r"lora.targets\[1\] must be str, not 5"),
        ({"train__batch": "many"}, "train.batch must be int, not 'many'"),
        ({"train__batch": 8.5}, "train.batch must be int, not 8.5"),
        ({"train__packing": 1}, "train.packing must be bool, not 1"),
        ({"train__learning_rate": "1e-4"}, r"YAML reads 1e-4 as text: write 1.0e-4"),
        ({"train__optimizer": "sgd"}, "train.optimizer must be one of adamw, adamw_8bit, paged_adamw_8bit"),
        ({"method": "dora"}, "method must be one of scratch, full, lora, qlora"),
        ({"train__epochs": 2}, "train needs either epochs or steps"),
        ({"train__steps": None}, "train needs either epochs or steps"),
        ({"train__batch": 7}, "train.batch 7 must be a multiple of micro_batch 2"),
        ({"train__warmup_steps": 1, "train__warmup_share": 0.1}, "warmup_steps or warmup_share, not both"),
        ({"train__least_rate": 0.1, "train__schedule": "linear"}, "train.least_rate has no effect with schedule: linear: leave it out"),
        ({"memory": {"offload_activations": True, "checkpointing": False}}, "memory.offload_activations has no effect with memory.checkpointing: false"),
        ({"method": "scratch", "lora": None, "model": {"shape": SHAPE, "revision": "abc"}}, "model.revision has no effect with model.shape"),
        ({"model__base": "runs/x/merged", "model__revision": "abc"}, "model.revision has no effect on a folder"),
        ({"data__validation": 0, "watch": {"keep_best": True}}, "watch.keep_best has no effect without data.validation"),
        ({"watch": {"samples": 0, "sample_tokens": 9}}, "watch.sample_tokens has no effect with watch.samples: 0"),
        ({"data": {"sets": [{"path": "a/b", "kind": "pairs"}], "answers": "float"}}, "data.answers has no effect without rows, GSM8K or pairs with answer_at"),
        ({"data": {"sets": [{"path": "a", "kind": "text"}], "system": "x"}}, "data.system has no effect on texts"),
        ({"model__base": ""}, "model needs either base"),
        ({"model__shape": SHAPE}, "model needs either base"),
        ({"model": {"shape": SHAPE}}, "method: scratch goes with model.shape"),
        ({"method": "full"}, "method: full has no use for the section lora"),
        ({"lora": None}, "method: lora needs the section lora"),
        ({"method": "qlora"}, "method: qlora needs the section quantization"),
        ({"method": "full", "lora": None, "memory": {"offload_embedding": True}}, "offload_embedding has no effect with method: full"),
        ({"data__rows": ""}, "data must name rows or sets"),
        ({"data__annotations": True}, "data.annotations has no effect without a set of kind: gsm8k"),
        ({"data__answer_line": "The answer."}, "data.answer_line must hold {answer}"),
        ({"data__answer_line": "{answer} {unit}"}, "nothing is put in the place of {unit}"),
        ({"lora__targets": []}, "lora.targets must name the layers"),
        ({"lora__targets": ["q_proj", "q_proj"]}, "lora.targets names a layer twice"),
        ({"train__learning_rate": 10**400}, "train.learning_rate must be finite, not 1000"),
        ({"seed": 10**400}, "seed must lie in 0 to 4294967295, not 1000"),
        ({"data__validation": 0, "watch": {"patience": 2}}, "watch.patience needs data.validation"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "split": "test"}]}, r"data.sets\[0\].split names a test split"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "split": "test_sft"}]}, r"data.sets\[0\].split names a test split"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "split": "Test"}]}, r"data.sets\[0\].split names a test split"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "config": "hard-tests"}]}, r"data.sets\[0\].config names a test split"),
        ({"data__sets": [{"path": "data/gsm8k-test.jsonl", "kind": "rows"}]}, r"data.sets\[0\].path names a test split"),
        ({"data__rows": "latest.jsonl, gsm8k_test.jsonl"}, "data.rows: gsm8k_test.jsonl names a test split"),
        ({"data__sets": [{"path": "gsm8k", "kind": "gsm8k", "revision": "x"}]}, r"data.sets\[0\].revision has no effect on kind: gsm8k"),
        ({"data__sets": [{"path": "a.jsonl", "kind": "pairs", "split": "validation"}]}, r"data.sets\[0\].split has no effect on a file"),
        ({"data__sets": [{"path": "a", "kind": "pairs", "reasoning": "r", "answer_at": ["x"]}]}, r"data.sets\[0\].answer_at has no effect on a set with reasoning"),
        ({"data__sets": [{"path": "a", "kind": "rows", "reasoning": "x"}]}, r"data.sets\[0\].reasoning has no effect on kind: rows"),
        ({"data__sets": [{"path": "a", "kind": "text"}]}, "data.sets mixes kind: text with others"),
        ({"data": {"sets": [{"path": "a", "kind": "text"}]}}, "train.packing must be true for kind: text"),
        ({"data": {"sets": [{"path": "a", "kind": "text"}]}, "train__learn": "reply"}, "train.learn must be all for kind: text"),
        ({"data__sets": [{"path": " ", "kind": "pairs"}]}, r"data.sets\[0\].path must name a file, or a set on the hub"),
        ({"data__sets": [{"path": "gsm8k", "kind": "gsm8k", "context": "x"}]}, r"data.sets\[0\].context has no effect on kind: gsm8k"),
        ({"model__end": ""}, "model.end must name the token that ends a reply"),
        ({"lora": 5}, "lora must be a section, not 5"),
        ({"name": "a/b"}, "name must be 1 to 64 letters"),
        ({"name": ".."}, "name must be 1 to 64 letters"),
        ({"method": "scratch", "lora": None, "model": {"shape": SHAPE | {"heads": 3}}}, "heads 3 must be a multiple of kv_heads 2"),
        ({"method": "scratch", "lora": None, "model": {"shape": SHAPE | {"head_dim": 7}}}, "head_dim 7 must be even"),
        ({"method": "scratch", "lora": None, "model": {"shape": SHAPE | {"positions": 100}}}, "max_tokens 256 exceeds model.shape.positions 100"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_refused_with_the_place_and_the_fix(tmp_path, changes, says):
    with pytest.raises(RecipeError, match=says):
        load_tune_recipe(write(tmp_path, **changes))


def test_all_problems_are_told_at_once(tmp_path):
    path = write(tmp_path, train__btach=1, lora__rank="four", seed="x", modle={})
    with pytest.raises(RecipeError) as error:
        load_tune_recipe(path)
    told = str(error.value)
    assert all(part in told for part in ("train.btach", "lora.rank must be int", "seed must be int", "modle"))
    with pytest.raises(RecipeError) as error:
        load_tune_recipe(write(tmp_path), ["train.stesp=1", "train.learning_rate=5", "train.batch=7", "lora.dropout=2", "foo", "data.annotations=true"])
    told = [line.strip().split(" ")[0] for line in str(error.value).splitlines()[1:]]
    assert sorted(told) == sorted(["--set", "unknown", "train.learning_rate", "lora.dropout", "train.batch", "data.annotations"])


def test_nothing_is_told_that_only_follows_from_what_could_not_be_read(tmp_path):
    for changes in ({"lora": 5}, {"data": {"sets": "gsm8k", "annotations": True}}, {"data": {"sets": [{"path": "x", "kind": "pear"}], "answers": "float"}}):
        with pytest.raises(RecipeError) as error:
            load_tune_recipe(write(tmp_path, **changes))
        assert len(str(error.value).splitlines()) == 2, error.value


def test_a_warm_up_longer_than_the_run_is_refused(tmp_path):
    recipe = load_tune_recipe(write(tmp_path), ["train.warmup_steps=101"])
    with pytest.raises(ValueError, match="train.warmup_steps 101 exceeds the 100 steps of the run"):
        sft_config(recipe, tmp_path, device="cpu", processes=1, steps=100)


def test_an_option_that_another_one_makes_idle_may_be_put_back_to_its_default(tmp_path):
    path = write(tmp_path, watch={"sample_tokens": 9})
    with pytest.raises(RecipeError, match="watch.sample_tokens has no effect"):
        load_tune_recipe(path, ["watch.samples=0"])
    assert load_tune_recipe(path, ["watch.samples=0", "watch.sample_tokens=256"]).watch.samples == 0


@pytest.mark.parametrize("name, says", [("pocket", "pocket.yaml is a recipe of training.pretrain and training.sft"), ("qwen3-0.6b-lroa", "no file: did you mean qwen3-0.6b-lora.yaml"),
                                        (".", "is a folder: there are pocket-gpu.yaml, ")])  # fmt: skip
def test_a_path_that_is_no_recipe_of_this_command_is_answered_with_a_sentence(name, says):
    with pytest.raises(RecipeError, match=says):
        load_tune_recipe(FOLDER if name == "." else FOLDER / f"{name}.yaml")


def documented_commands() -> list[tuple[str, int, list[str]]]:
    """(recipe, processes, values of --set) of every distributed run that a document or a head comment names."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *FOLDER.parent.glob("*.py"), *FOLDER.glob("*.yaml"), *(FOLDER.parent / "launch").iterdir()]
    found = []
    for text in (re.sub(r"\\\n#?", "", path.read_text()) for path in files):
        for line in text.splitlines():
            recipe = re.search(r"training/recipes/([\w.-]+)\.yaml", line)
            launch = re.search(r"config_file (training/launch/\S+)", line)
            each = re.search(r"torchrun --nproc-per-node (\d+) -m training.tune|sbatch --nodes (\d+)", line)
            if recipe and (launch or each):
                processes = yaml.safe_load((ROOT / launch[1]).read_text())["num_processes"] if launch else int(each[1] or 8 * int(each[2]))
                found.append((recipe[1], processes, re.findall(r"--set (\S+)", line)))
    return found


def test_every_distributed_command_that_is_documented_can_share_its_batch(tmp_path):
    commands = documented_commands()
    assert {processes for _, processes, _ in commands} == {8, 32} and len(commands) >= 8
    for name, processes, values in commands:
        recipe = load_tune_recipe(FOLDER / f"{name}.yaml", values)
        config = sft_config(recipe, tmp_path, device="cpu", processes=processes, steps=100)
        assert config.gradient_accumulation_steps * config.per_device_train_batch_size * processes == recipe.train.batch


@pytest.mark.parametrize("section", [Shape, Set, Data, Lora, Train, Memory, Watch, TuneRecipe], ids=lambda kind: kind.__name__)
def test_every_number_of_a_recipe_has_a_range(section):
    numbers = {f.name for f in fields(section) if f.type in ("int", "float")}
    assert numbers == set(RANGES[section])


@pytest.mark.parametrize(
    "key, low, high",
    [("train.batch", 0, None), ("train.learning_rate", 0.0, 1.0), ("lora.rank", 0, None), ("lora.dropout", -0.1, 1.0),
     ("train.max_tokens", 1, None), ("train.clip", 0.0, math.inf), ("watch.check_every", 0, None), ("seed", -1, 2**32)],
)  # fmt: skip
def test_a_number_beyond_its_range_is_refused(tmp_path, key, low, high):
    path = write(tmp_path)
    for value in (low, high):
        if value is not None:
            with pytest.raises(RecipeError, match=f"{key.replace('.', '[.]')} must"):
                load_tune_recipe(path, [f"{key}={yaml.safe_dump(value).split()[0]}"])


@pytest.mark.parametrize(
    "change, same",
    [("train.learning_rate=2.0e-4", False), ("train.batch=4", False), ("seed=1", False), ("data.system=x", False), ("lora.rank=8", False),
     ("watch.patience=1", False), ("train.micro_batch=4", True), ("memory.checkpointing=false", True), ("watch.log_every=1", True)],
)  # fmt: skip
def test_a_run_may_change_what_does_not_change_its_weights_and_nothing_else(tmp_path, change, same):
    recipe = load_tune_recipe(write(tmp_path))
    assert (with_overrides(recipe, [change]).identity() == recipe.identity()) is same


def test_an_override_is_checked_like_the_file(tmp_path):
    path = write(tmp_path)
    assert load_tune_recipe(path, ["train.steps=3"]).train.steps == 3
    assert load_tune_recipe(path, ["data.sets=[{path: x.jsonl, kind: pairs}]"]).data.sets == (Set("x.jsonl", "pairs"),)
    with pytest.raises(RecipeError, match=r"a part of a list cannot be set: write the list whole, --set 'data.sets=\[...\]'"):
        load_tune_recipe(path, ["data.sets[0].reply=answer"])
    with pytest.raises(RecipeError, match=r"did you mean steps\?"):
        load_tune_recipe(path, ["train.stesp=3"])
    with pytest.raises(RecipeError, match=r"did you mean steps\?"):
        with_overrides(load_tune_recipe(path), ["train.stesp=3"])
    with pytest.raises(RecipeError, match="least_rate has no effect with schedule: linear"):
        with_overrides(load_tune_recipe(path), ["train.schedule=linear", "train.least_rate=0.5"])
