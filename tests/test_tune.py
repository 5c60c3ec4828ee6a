"""training.tune: what is learned from, what is refused, and every recipe of the repository from end to end, tiny."""

from __future__ import annotations

import gc
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from mathtutor.chat import END, conversation, render_conversation, render_prompt, render_target
from mathtutor.engines import Sampling, gather, load_engine
from mathtutor.io import hold_folder, read_json, read_rows, sha256_file, write_json, write_rows
from training import merge, push, tune
from training.crew import join
from training.tuning import audit, copies, stream
from training.tuning.backend import not_by_unsloth, resolve_backend
from training.tuning.card import tuned_card
from training.tuning.items import Item, prompt_of, read_items
from training.tuning.memory import count_parameters, estimate, sharing
from training.tuning.models import (
    OffloadedEmbedding,
    config_of,
    load_model,
    load_tokenizer,
    offload_embedding,
    unsloth_arguments,
)
from training.tuning.recipe import TuneRecipe, load_tune_recipe
from training.tuning.shrink import shrunken
from training.tuning.tokens import encode, length_lines, plan, split_items, steps_of, tokenize_items
from training.tuning.trainer import TuneTrainer, sft_config
from training.tuning.watch import Watch, check_distribution

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "training" / "recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml") if "method" in yaml.safe_load(path.read_text()))
QWEN3_TEMPLATE = Path(__import__("trl").__file__).parent / "chat_templates" / "qwen3.jinja"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small matrices: a second thread only waits, and with one the weights are the same to the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()  # each run collects garbage some times: a fifth of its seconds, spent on the libraries' own objects
    yield
    gc.unfreeze()
    torch.set_num_threads(before)


def recipe_of(name: str) -> TuneRecipe:
    return load_tune_recipe(FOLDER / f"{name}.yaml")


def command(name: str, out: Path, *more: str) -> list[str]:
    return ["--recipe", str(FOLDER / f"{name}.yaml"), "--shrink", "--out", str(out), "--device", "cpu", "--threads", "1", *more]


# --- every recipe, tiny: train in two slices, merge, load again, speak


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run folders by recipe, each trained in two slices and merged when it is first asked for."""
    root, made = tmp_path_factory.mktemp("runs"), {}

    def run(name: str) -> Path:
        if name not in made:
            out = root / name
            with pytest.MonkeyPatch.context() as patch:  # the test sets are compared with in a test of their own
                patch.delenv("MATHTUTOR_DATA", raising=False)
                if not recipe_of(name).is_text:  # a stream's tokens are cut in slices too, see below
                    tune.main(command(name, out, "--minutes", "0.0001"))
                    assert not (out / "run.json").exists() and len(list(out.glob("checkpoint-*"))) == 1
                tune.main(command(name, out))
                merge.main(["--run", str(out), "--device", "cpu", "--evals", str(root / "evals")])
            made[name] = out
        return made[name]

    return run


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_from_end_to_end_at_a_size_for_any_cpu(runs, name):
    folder, recipe = runs(name), recipe_of(name)
    log = list(read_rows(folder / "log.jsonl"))
    assert [row["step"] for row in log if "loss" in row] == [1, 2, 3, 4, 5, 6]  # the second slice went on
    assert bool([row for row in log if "validation_loss" in row]) == bool(recipe.data.validation)
    assert [row["step"] for row in read_rows(folder / "samples.jsonl")] == [3, 6]
    config, small = config_of(recipe), json.loads((folder / "merged" / "config.json").read_text())
    assert small["architectures"] == [type(config).__name__.replace("Config", "ForCausalLM")]
    assert small["tie_word_embeddings"] == config.tie_word_embeddings and small["hidden_size"] == 32
    record = read_json(folder / "merged" / "merge.json")
    assert set(record["differences"]) == {"qlora": {"original", "dequantised"}, "lora": {"original"}}.get(recipe.method, set())
    card = (folder / "merged" / "README.md").read_text()
    assert f"{log[0]['loss']:.3f}" in card and "Nothing has been measured yet." in card
    assert ("apply_chat_template" in card) is not recipe.is_text
    assert any((folder / "tensorboard").glob("events*"))


def test_the_merged_model_is_loaded_by_the_engine_and_answers(runs):
    engine = load_engine(f"hf:{runs('qwen3-8b-synth-50k') / 'merged'}")
    reply = gather(engine.stream(conversation("Ana has 3 apples and buys 4. How many?"), Sampling(max_tokens=8)))
    assert reply.num_tokens == 8 or reply.finish == "stop"


def test_a_finished_run_is_not_run_again(runs, capsys):
    folder = runs("qwen3-0.6b-lora")
    before = (folder / "run.json").read_bytes()
    tune.main(command("qwen3-0.6b-lora", folder))
    assert "finished already" in capsys.readouterr().out and (folder / "run.json").read_bytes() == before


def test_a_folder_of_another_run_is_refused(runs):
    with pytest.raises(SystemExit, match=r"was begun with another recipe \(train.learning_rate: 1e-06 then, 0.001 now; lora.targets: \['q_proj', 'v_proj'\] then, \['q_proj'\] now\): choose a new"):
        tune.main(command("qwen3-0.6b-lora", runs("qwen3-0.6b-lora"), "--set", "train.learning_rate=1.0e-3", "--set", "lora.targets=[q_proj]"))


@pytest.mark.parametrize(
    "before, now, found",
    [({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 then, 2 now"]), ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["a[0].b: 1 then, 2 now"]), ({"a": 1}, {"a": 1}, []),
     (None, {"a": 1}, []), ({"a": None}, {"a": {"b": 1}}, ["a: None then, {'b': 1} now"])],
)  # fmt: skip
def test_a_changed_recipe_is_told_by_its_keys_and_one_of_an_older_run_by_none(before, now, found):
    assert tune.changes(before, now) == found


def test_training_changes_what_its_method_trains_and_nothing_else(runs):
    for name, parts in (("qwen3-0.6b-lora", {"q_proj", "v_proj"}), ("qwen3-0.6b-lora-better", {"q_proj", "o_proj", "down_proj"})):
        folder = runs(name)
        adapter = load_file(folder / "adapter" / "adapter_model.safetensors")
        assert {part for key in adapter for part in parts if part in key} == parts
        assert all("lora_" in key for key in adapter)
        assert any(adapter[key].abs().max() > 0 for key in adapter if "lora_B" in key)  # B starts at nought
    folder = runs("qwen3-0.6b-full")
    before, after = (load_file(folder / place / "model.safetensors") for place in ("shrunk/base", "model"))
    assert sum(not torch.equal(before[key], after[key]) for key in before) > len(before) / 2


# --- the two ways to 16 bits


def test_the_dequantised_merge_is_the_model_that_was_trained_and_the_original_one_is_not(runs):
    off = read_json(runs("qwen3-8b-synth-50k") / "merged" / "merge.json")["differences"]
    assert off["dequantised"]["logit"] < 1e-3 < off["original"]["logit"]


def test_a_merge_that_moves_the_model_too_far_is_refused(runs, tmp_path):
    recipe = merge.read_recipe_record(runs("qwen3-8b-synth-50k"))
    near = {"logit": 1e-5, "probability": 1e-5}
    far = {"logit": 3.0, "probability": 0.5}
    merge.check("dequantised", near, recipe, "cpu")
    with pytest.raises(ValueError, match="the adapter was not merged rightly"):
        merge.check("dequantised", far, recipe, "cpu")
    with pytest.raises(ValueError, match="too far from what was trained; use --mode dequantised"):
        merge.check("original", far, recipe, "cpu")
    for mode in ("original", "dequantised"):
        with pytest.raises(ValueError):
            merge.check(mode, dict.fromkeys(near, float("nan")), recipe, "cpu")


def damage(folder: Path, what: str) -> list[str]:
    """What is wrong with a copy of a run; the more arguments of the merge that must see it."""
    if what == "an infinite adapter":
        path = folder / "adapter" / "adapter_model.safetensors"
        save_file({key: value.fill_(float("nan")) for key, value in load_file(path).items()}, path, {"format": "pt"})
    if what == "a cut file":
        path = folder / "adapter" / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    if what == "another base":
        recipe = read_json(folder / "recipe.json")
        recipe["model"]["base"] = str(folder / "shrunk" / "base")
        write_json(folder / "recipe.json", recipe)
        path = folder / "shrunk" / "base" / "model.safetensors"
        save_file({key: value + 1 for key, value in load_file(path).items()}, path, {"format": "pt"})
    return ["--mode", "dequantised"] if what == "a mode" else []


@pytest.mark.parametrize(
    "what, says",
    [("an infinite adapter", "logits are not all finite numbers"), ("another base", "is not the base that the adapter was trained on"), ("a mode", "--mode dequantised is for qlora"),
     ("a cut file", "a file of .* is damaged .*: fetch the base anew, or remove run.json")],
)  # fmt: skip
def test_a_merge_of_what_was_not_trained_is_refused(runs, tmp_path, what, says):
    folder = shutil.copytree(runs("qwen3-0.6b-lora"), tmp_path / "run")
    shutil.rmtree(folder / "merged")
    more = damage(folder, what)
    with pytest.raises(SystemExit, match=says):
        merge.main(["--run", str(folder), "--device", "cpu", "--evals", str(tmp_path), *more])
    assert not (folder / "merged").exists()


def test_a_merged_model_is_not_merged_again(runs):
    with pytest.raises(SystemExit, match="is a merged model already: name the run that it came from, --run .*qwen3-0.6b-lora$"):
        merge.main(["--run", str(runs("qwen3-0.6b-lora") / "merged"), "--device", "cpu"])


@pytest.mark.parametrize("more", [["--mode", "original"], ["--precision", "fp32"]])
def test_a_card_alone_merges_nothing(runs, more):
    with pytest.raises(SystemExit, match="--card-only leaves the weights as they are"):
        merge.main(["--run", str(runs("qwen3-0.6b-lora")), "--card-only", *more])


def test_two_commands_never_write_one_run(runs):
    with hold_folder(runs("qwen3-0.6b-lora")), pytest.raises(SystemExit, match="is in use by another run"):
        merge.main(["--run", str(runs("qwen3-0.6b-lora")), "--device", "cpu"])


def test_a_run_that_is_not_finished_is_not_merged(tmp_path):
    with pytest.raises(SystemExit, match="nowhere is no folder: name the run folder"):
        merge.main(["--run", str(tmp_path / "nowhere"), "--device", "cpu"])
    with pytest.raises(SystemExit, match="holds no finished run"):
        merge.main(["--run", str(tmp_path), "--device", "cpu"])


def test_a_merged_model_gets_its_gguf_file_and_the_card_says_so(runs, tmp_path, capsys):
    folder = shutil.copytree(runs("qwen3-0.6b-lora"), tmp_path / "run")
    merge.main(["--run", str(folder), "--card-only", "--gguf", "q8_0", "--evals", str(tmp_path / "none")])
    name, record = next(iter(read_json(folder / "merged" / "merge.json")["gguf"].items()))
    assert name == "qwen3-0.6b-lora-shrunken-q8_0.gguf" and (folder / "merged" / name).stat().st_size == record["bytes"]
    assert record["tensors within half a step"] > 0 and f"For llama.cpp: `{name}`" in (folder / "merged" / "README.md").read_text()
    push.main(["--model", str(folder / "merged"), "--to", "org/name", "--evals", str(tmp_path / "none"), "--dry-run"])
    assert name in capsys.readouterr().out


def test_every_figure_of_the_card_stands_in_a_record(runs):
    folder = runs("qwen3-4b-synth-35k-better") / "merged"
    card = (folder / "README.md").read_text()
    run, merged, recipe = (read_json(folder / f"{name}.json") for name in ("run", "merge", "recipe"))
    for figure in (f"{run['examples']:,}", f"{run['tokens']:,}", f"rank {recipe['lora']['rank']}", f"{merged['saved']['logit']:.1e}",
                   f"{merged['differences']['original']['kl']:.1e}", f"step {run['weights_of_step']:,}", read_json(folder / "audit.json")["data"]):  # fmt: skip
        assert figure in card
    picture = (folder / "loss.svg").read_text()
    checks = [row for row in read_rows(folder / "log.jsonl") if "validation_loss" in row]
    assert picture.count("<circle") == len(checks) == 2 and "<polyline" in picture


def test_a_card_names_the_prompt_of_a_measurement_and_not_where_the_model_lay(runs, tmp_path):
    folder = runs("qwen3-0.6b-lora") / "merged"
    summary = {"engine": f"hf:{folder}", "revision": sha256_file(folder / "model.safetensors")[:16], "benchmark": "bank", "n": 8, "correct": 4,
               "accuracy": 0.5, "interval": [0.2, 0.8], "calculator": False, "cut_off": 0, "tokens": 80}  # fmt: skip
    for name, mode in (("a", {}), ("b", {"mode": {"name": "file:mode.yaml"}}), ("c", {"mode": {"name": "tuned"}})):
        write_json(tmp_path / name / "summary.json", summary)
        write_json(tmp_path / name / "run.json", mode)
    write_json(tmp_path / "d" / "summary.json", summary | {"revision": "another"})
    write_json(tmp_path / "e" / "summary.json", summary | {"revision": summary["revision"] + "+nf4"})
    card = tuned_card(folder, tmp_path)
    assert card.count("| qwen3-0.6b-lora-shrunken | bank | 8 |") == 2 and card.count("-shrunken, mode file:mode.yaml | bank | 8 |") == 1
    assert f"hf:{folder}" not in card and card.count("-shrunken, in 4 bits | bank | 8 |") == 1 and card.count("| bank |") == 4


def test_a_dry_run_names_what_would_be_sent_and_an_edited_card_is_refused(runs, tmp_path, capsys):
    folder = shutil.copytree(runs("qwen3-0.6b-lora"), tmp_path / "run") / "merged"
    arguments = ["--model", str(folder), "--to", "org/name", "--evals", str(tmp_path / "none"), "--dry-run"]
    push.main(arguments)
    said = capsys.readouterr().out
    assert "model.safetensors" in said and "# qwen3-0.6b-lora-shrunken" in said and said.endswith("nothing was sent\n")
    card = (folder / "README.md").read_text()
    assert "license: apache-2.0" in card and "datasets: [" not in card  # the shrunken data are made here
    assert '"role": "system", "content": "You are a careful math assistant.' in card
    # Neither where the run lay nor an example of what it learned is published.
    published = b"".join(path.read_bytes() for path in folder.iterdir())
    assert ".../base" in card and str(runs("qwen3-0.6b-lora").parent).encode() not in published
    assert "tokens are learned from" in card and "[<think>" not in read_json(folder / "audit.json")["lines"]
    (folder / "secret.txt").write_text("HF_TOKEN=x")
    with pytest.raises(SystemExit, match="holds what its records do not name: secret.txt. Move it away"):
        push.main(arguments)
    (folder / "secret.txt").unlink()
    for name in ("model.safetensors", "tokenizer.json"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b" ")
        with pytest.raises(SystemExit, match=f"{name} in .*: not the file that was merged and compared"):
            push.main(arguments)
        (folder / name).write_bytes(before)
    (folder / "README.md").write_text("It solves everything.")
    with pytest.raises(SystemExit, match="is not the card of the records"):
        push.main(arguments)
    (folder / "merge.json").unlink()
    with pytest.raises(SystemExit, match="merge.json is missing"):
        push.main(arguments)


PLACES = [  # (what a recipe names, what is published of it)
    ("/home/ann/mine.jsonl", ".../mine.jsonl"),
    ("~/sets/mine.jsonl", ".../mine.jsonl"),
    ("../mine.jsonl", ".../mine.jsonl"),
    ("/home/ann/a \"b\".jsonl", ".../a \"b\".jsonl"),
    ("data/mine.jsonl", "data/mine.jsonl"),
    ("ORG/NAME", "ORG/NAME"),
]


@pytest.mark.parametrize(("path", "published"), PLACES)
def test_a_published_record_names_no_place_on_the_machine(small, path, published):
    recipe, _ = small
    recipe = replace(recipe, model=replace(recipe.model, base="/home/ann"), data=replace(recipe.data, rows=f"{path}, x.jsonl", sets=()))
    record = json.dumps({"reports": {path: "not compared"}, "lines": [f"decontamination: {path} was compared"], "base": "/home/ann"})
    found = json.loads(merge.without_places(record, recipe))
    assert found == {"reports": {published: "not compared"}, "lines": [f"decontamination: {published} was compared"], "base": ".../ann"}


BROKEN = [  # (file of a merged folder, what stands there, what the card and the push say)
    ("run.json", "[]", "run.json is no record"),
    ("run.json", "{}", "lacks what the card tells"),
    ("audit.json", "3", "audit.json is no record"),
    ("merge.json", "{}", "lacks what the card tells"),
    ("log.jsonl", '{"step": 1}\n', "holds no loss of any step"),
    ("samples.jsonl", '{"step": 1}\n', "lacks what the card tells"),
]


@pytest.mark.parametrize(("name", "text", "says"), BROKEN)
def test_a_broken_record_is_answered_with_a_sentence(runs, tmp_path, name, text, says):
    folder = shutil.copytree(runs("qwen3-0.6b-lora"), tmp_path / "run")
    (folder / "merged" / name).write_text(text)
    with pytest.raises(SystemExit, match=says):
        merge.main(["--run", str(folder), "--card-only", "--evals", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        push.main(["--model", str(folder / "merged"), "--to", "org/name", "--dry-run"])


def test_a_system_prompt_of_training_is_asked_with_by_the_file_beside_the_model(runs):
    from eval.modes import load_mode

    folder = runs("qwen3-0.6b-lora") / "merged"
    recipe, mode = merge.read_recipe_record(folder), load_mode(f"file:{folder / 'mode.yaml'}")
    turns = mode.conversation("P?")
    assert turns == prompt_of("P?", recipe.data) and turns[0] == {"role": "system", "content": recipe.data.system}
    assert (mode.max_tokens, mode.answer) == (recipe.train.max_tokens, "#### N")
    ((_, reply),) = load_engine(f"hf:{folder}").replies([turns], Sampling(max_tokens=2))
    assert reply.prompt == render_conversation(prompt_of("P?", recipe.data))  # what test "template" holds the training text to
    card = (folder / "README.md").read_text()
    assert "`eval.run --mode file:mode.yaml` asks with it" in card and f"> {recipe.data.system}" in card
    assert not (runs("qwen3-0.6b-lora-better") / "merged" / "mode.yaml").exists()


def test_without_a_token_nothing_is_pushed(runs, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(SystemExit, match="HF_TOKEN is not set"):
        push.main(["--model", str(runs("qwen3-0.6b-lora") / "merged"), "--to", "org/name", "--evals", str(tmp_path)])


# --- samples, log, early stopping


def test_the_same_problems_are_answered_at_every_check(runs):
    rows = list(read_rows(runs("qwen3-0.6b-full-better") / "samples.jsonl"))
    assert [row["step"] for row in rows] == [3, 6] and len({row["problem"] for row in rows}) == 1
    assert all(row["right"] in (True, False) and isinstance(row["cut_off"], bool) for row in rows)


def test_a_run_stops_when_the_validation_loss_no_longer_falls_and_keeps_the_best_weights(tmp_path, monkeypatch):
    monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    falls_and_rises = [9.0, 3.0, 2.0, 2.5, 2.25, 1.0]
    monkeypatch.setattr(TuneTrainer, "_summed_loss", lambda self, inputs: (torch.tensor(falls_and_rises[self.state.global_step]), torch.tensor(1)))
    more = ["watch.patience=2", "watch.check_every=1", "watch.samples=0", "watch.tensorboard=false"]
    tune.main(command("qwen3-0.6b-lora-better", tmp_path / "run", *(x for value in more for x in ("--set", value))))
    run = read_json(tmp_path / "run" / "run.json")
    losses = [row["validation_loss"] for row in read_rows(tmp_path / "run" / "log.jsonl") if "validation_loss" in row]
    assert losses == falls_and_rises[1:5] and run["stopped_early"] and (run["steps"], run["weights_of_step"]) == (4, 2)
    kept, best, last = (load_file(tmp_path / "run" / place / "adapter_model.safetensors") for place in ("adapter", "checkpoint-2", "checkpoint-4"))
    assert all(torch.equal(kept[key], best[key]) for key in kept) and not all(torch.equal(kept[key], last[key]) for key in kept)

    # Killed after that and before the result was written, the run ends as it had.
    for gone in ("run.json", "recipe.json", "audit.json", "adapter"):
        path = tmp_path / "run" / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    tune.main(command("qwen3-0.6b-lora-better", tmp_path / "run", *(x for value in more for x in ("--set", value))))
    again, weights = read_json(tmp_path / "run" / "run.json"), load_file(tmp_path / "run" / "adapter" / "adapter_model.safetensors")
    assert all(again[key] == run[key] for key in ("steps", "weights_of_step", "stopped_early", "tokens"))
    assert all(torch.equal(weights[key], kept[key]) for key in kept)


@pytest.mark.parametrize(
    "losses, best, since",
    [([], None, 0), ([2.0], 3, 0), ([2.0, 1.0], 6, 0), ([1.0, 2.0, 3.0], 3, 2), ([1.0, 1.0], 3, 1), ([3.0, 1.0, 2.0], 6, 1)],
)
def test_the_best_check_is_read_from_the_history_that_checkpoints_keep(losses, best, since):
    class State:
        log_history = [{"loss": 1.0, "step": 1}, *({"eval_loss": loss, "step": 3 * i} for i, loss in enumerate(losses, start=1))]

    assert Watch._best(State) == (best, since)


def test_numbers_that_became_infinite_end_the_run_with_the_fix(tmp_path, monkeypatch):
    monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    wild = ["--set", "train.learning_rate=0.99", "--set", "train.clip=1.0e+30", "--set", "train.warmup_share=0.0", "--set", "train.steps=30", "--set", "watch.samples=0"]
    monkeypatch.setattr(TuneTrainer, "training_step", lambda self, *_: torch.tensor(float("nan")))
    with pytest.raises(SystemExit, match="became infinite by step 1: lower train.learning_rate"):
        tune.main(command("qwen3-0.6b-full-better", tmp_path / "run", *wild))


# --- what is looked at before the start


ITEMS = [
    Item([{"role": "user", "content": f"Ana has {n} apples and buys 4. How many?"}], f"<think>\nStep 1: {n} + 4 = {n + 4}.\n</think>\n\nThe answer is {n + 4}.", "t")
    for n in range(20)
]


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """(recipe, tokenizer) of a small sister."""
    recipe = shrunken(recipe_of("qwen3-0.6b-full"), tmp_path_factory.mktemp("small") / "shrunk")
    return recipe, load_tokenizer(recipe)


def test_the_reply_alone_is_learned_and_the_example_shows_it(small):
    recipe, tokenizer = small
    tokens = tokenize_items(ITEMS, tokenizer, recipe)
    ids, labels = tokens.first
    learned = tokenizer.decode([label for label in labels if label != -100])
    assert learned == ITEMS[0].reply + END
    share, shown = audit.check_mask(tokens, tokenizer, "reply", colour=False)
    assert f"{tokens.learned:,} of {tokens.total:,}" in share
    assert shown == render_prompt(ITEMS[0].problem) + f"[{ITEMS[0].reply}{END}]"
    assert "\033[32m<think>" in audit.show(ids, labels, tokenizer, colour=True)


@pytest.mark.parametrize("learned, says", [(0, "no token is learned from"), (100, "the prompts are not masked")])
def test_a_mask_of_nothing_or_of_everything_is_refused(small, learned, says):
    recipe, tokenizer = small
    tokens = replace(tokenize_items(ITEMS, tokenizer, recipe), learned=learned, total=100)
    with pytest.raises(ValueError, match=says):
        audit.check_mask(tokens, tokenizer, "reply", colour=False)


def test_learning_everything_is_allowed_when_the_recipe_says_so(small):
    recipe, tokenizer = small
    everything = replace(recipe, train=replace(recipe.train, learn="all"))
    tokens = tokenize_items(ITEMS, tokenizer, everything)
    assert tokens.learned == tokens.total - len(ITEMS)  # a first token follows nothing
    audit.check_mask(tokens, tokenizer, "all", colour=False)


def with_template(tokenizer, template: str | None):
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


def test_the_real_template_of_qwen3_renders_the_training_text(small):
    (line,) = audit.check_template(ITEMS, with_template(small[1], QWEN3_TEMPLATE.read_text()), END)
    assert "20 conversations are the same text" in line and "20 reason in <think>" in line


@pytest.mark.parametrize(
    "reply, template, says",
    [
        # Qwen3 writes an empty block before a reply that does not think: it would be learned and never be seen again.
        ("The answer is 5.", "qwen3", "a reply of t has none: name the column of its reasoning"),
        ("<think>Step 1.</think>\nThe answer is 5.", "qwen3", "renders this conversation otherwise"),
        ("<think>\nStep 1.\n</think>\n\nThe answer is 5.", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "otherwise"),
        # A template that drops the reasoning of the last turn
        ("<think>\nStep 1.\n</think>\n\nThe answer is 5.",
         "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}", "ours goes on '<think>"),
    ],
)  # fmt: skip
def test_a_template_that_says_something_else_is_refused(small, reply, template, says):
    text = QWEN3_TEMPLATE.read_text() if template == "qwen3" else template
    with pytest.raises(ValueError, match=says):
        audit.check_template([replace(ITEMS[0], reply=reply)], with_template(small[1], text), END)


def test_a_tokenizer_that_does_not_fit_is_refused(small):
    recipe, tokenizer = small
    tokens = tokenize_items(ITEMS, tokenizer, recipe)
    (line,) = audit.check_tokenizer(tokenizer, END, 600, tokens.first)
    assert f"a reply ends with {END} (2)" in line and "<think> is one token" in line
    with pytest.raises(ValueError, match="the embedding 500 rows: they do not belong together"):
        audit.check_tokenizer(tokenizer, END, 500, tokens.first)
    with pytest.raises(ValueError, match="<end> is not one token of its own"):
        audit.check_tokenizer(tokenizer, "<end>", 600, tokens.first)
    with pytest.raises(ValueError, match="an example does not end with a learned"):
        audit.check_tokenizer(tokenizer, END, 600, ([1, 5], [1, 5]))
    other = with_template(tokenizer, None)
    other.eos_token = "<|endoftext|>"
    with pytest.raises(ValueError, match=r"it ends a text with <\|endoftext\|>, training with <\|im_end\|>"):
        audit.check_tokenizer(other, END, 600, tokens.first)


def test_what_is_too_long_is_dropped_whole_and_counted(small):
    recipe, tokenizer = small
    long = replace(ITEMS[0], reply="word " * 600)
    tokens = tokenize_items([*ITEMS, long], tokenizer, recipe)
    length = len(encode(long, tokenizer, END, "reply")[0])
    assert tokens.examples == 20 and tokens.longest == length and tokens.dropped_tokens == length
    lines = audit.report_data(tokens, Counter({"x": 3}), recipe)
    assert f"  dropped 1 ({length:,} tokens): longer than 512 tokens" in lines and "  left out 3: x" in lines
    with pytest.raises(ValueError, match="no example is left to train on"):
        tokenize_items([long], tokenizer, recipe)


@pytest.fixture()
def gold_sets(monkeypatch):
    """GSM8K test is two problems, of which the second is long; SVAMP is empty."""
    from mathtutor.problem import Problem

    tests = [Problem("1", "Ana has 7 apples and buys 4: how many?", None), Problem("2", f"Now {SHARED} fourteen.", None)]
    monkeypatch.setattr(copies, "load_source", lambda name, split: tests if name == "gsm8k" else [])


SHARED = "one two three four five six seven eight nine ten eleven twelve thirteen"


def asking(*problems: str) -> Item:
    return replace(ITEMS[0], prompt=[{"role": "user", "content": problem} for problem in problems])


def test_a_test_problem_and_what_shares_thirteen_words_with_one_is_left_out_and_counted(small, gold_sets):
    others = [asking(f"Ben has {n} pears. How many are left?") for n in range(300)]
    copied = [asking("Ana has 7 apples and buys 4 -- HOW many?"), asking(f"{SHARED} and so on"), asking(f"{SHARED}. Please.", "And?")]
    recipe = replace(small[0], data=replace(small[0].data, compare=True))
    kept, taken, lines, record = audit.without_test_items([*others, *copied], recipe)
    assert kept == others
    assert taken == {"it is a problem of gsm8k/test": 1, "it shares 13 words in a row with gsm8k/test": 2}
    assert record["compared_with"] == {"gsm8k/test": {"taken_out": 1, "13_gram": 2}, "svamp/test": {"taken_out": 0, "13_gram": 0}}
    assert lines == ["decontamination: compared with gsm8k/test, svamp/test; 3 of 303 problems were left out"]
    with pytest.raises(ValueError, match="3 of 53 training problems are taken from test sets .*: these sets are not for training"):
        audit.without_test_items([*others[:50], *copied], recipe)
    assert audit.without_test_items(copied, small[0])[2] == ["decontamination: not compared here, as data.compare is false"]


def test_where_the_test_sets_cannot_be_read_nothing_is_trained(small, monkeypatch):
    def gone(name, split):
        raise ValueError("openai/gsm8k could not be loaded")

    monkeypatch.setattr(copies, "load_source", gone)
    with pytest.raises(ValueError, match="could not be loaded. Or set data.compare to false: then nothing is compared, and the card says so"):
        audit.without_test_items(ITEMS, replace(small[0], data=replace(small[0].data, compare=True)))


# --- sets of every kind


def data_recipe(small, sets: list[dict], **data):
    from training.tuning.recipe import Set

    made = tuple(Set(**one) for one in sets)
    return replace(small[0], data=replace(small[0].data, rows="", sets=made, system="", annotations=False, answer_line="The answer is {answer}.", **data))


@pytest.mark.parametrize(
    "kind, row, more, reply",
    [
        ("rows", {"id": "1", "problem": "P?", "steps": ["1 + 1 = 2.", "2 + 1 = 3."], "answer": "3"}, {}, render_target(["1 + 1 = 2.", "2 + 1 = 3."], "3")),
        ("gsm8k", {"question": "P?", "answer": "He has 1+2=<<1+2=3>>3.\n#### 3"}, {}, "<think>\nHe has 1+2=3.\n</think>\n\nThe answer is 3."),
        ("pairs", {"prompt": "P?", "reply": "It is 3."}, {}, "It is 3."),
        ("pairs", {"q": "P?", "r": "Add. The answer is: 2. Wait. The answer is: 3."}, {"prompt": "q", "reply": "r", "answer_at": ("The answer is:",)},
         "<think>\nAdd. The answer is: 2. Wait.\n</think>\n\nThe answer is 3."),
        ("pairs", {"prompt": "P?", "reply": "Proof.", "why": " Think. "}, {"reasoning": "why"}, "<think>\nThink.\n</think>\n\nProof."),
        ("messages", {"text": [{"role": "user", "content": "P?"}, {"role": "assistant", "content": "<think>Hm.</think>So 3."}]}, {}, "<think>\nHm.\n</think>\n\nSo 3."),
        ("messages", {"conversations": [{"from": "human", "value": "P?"}, {"from": "gpt", "value": "So 3."}]}, {}, "So 3."),
        ("pairs", {"prompt": "P?", "reply": 3}, {}, "3"),
        ("pairs", {"prompt": "P", "input": "?", "reply": "3"}, {"context": "input"}, "3"),
        ("pairs", {"prompt": "P?", "input": " ", "reply": "3"}, {"context": "input"}, "3"),
    ],
    ids=["rows", "gsm8k", "pairs", "marked", "reasoned", "messages", "sharegpt", "number", "context", "no-context"],
)  # fmt: skip
def test_a_row_of_any_kind_becomes_a_prompt_and_a_reply(small, tmp_path, kind, row, more, reply):
    write_rows(tmp_path / "set.jsonl", [row])
    (item,), dropped = read_items(data_recipe(small, [{"path": str(tmp_path / "set.jsonl"), "kind": kind, **more}]))
    assert (item.problem.replace("\n", ""), item.reply, not dropped) == ("P?", reply.removesuffix(END), True)


@pytest.mark.parametrize(
    "rows, more, reason",
    [
        ([{"prompt": "P?", "reply": "No mark."}], {"answer_at": ("The answer is",)}, "the reply names no answer"),
        ([{"prompt": "", "reply": "3"}], {}, "the problem or the reply is empty"),
        ([{"prompt": "P?", "reply": "3<|im_end|>"}], {}, "the reply holds a control token"),
        ([{"prompt": "P?", "reply": "1"}, {"prompt": "p? ", "reply": "2"}], {"unique": True}, "another row has the same problem"),
        ([{"prompt": f"P{n}?", "reply": "1"} for n in range(9)], {"limit": 8}, "beyond the limit of 8"),
        *[([{"messages": [{"role": "user", "content": "P?"}, {"role": "assistant", "content": reply}]}], {"kind": "messages"}, "the reply does not think once, and first")
          for reply in ("Lemma: 4. <think>A</think> middle <think>B</think> end", "<think>A never closes", "So <think>A</think> end")],
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_left_out_and_counted(small, tmp_path, rows, more, reason):
    whole = {"prompt": "Q?", "reply": "It is. The answer is 1", "messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "1"}]}
    write_rows(tmp_path / "set.jsonl", [*rows, whole])
    items, dropped = read_items(data_recipe(small, [{"path": str(tmp_path / "set.jsonl"), "kind": "pairs", **more}]))
    assert any(key.startswith(reason) for key in dropped) and len(items) == len(rows) + 1 - sum(dropped.values())


def test_an_answer_line_holds_its_own_braces(small, tmp_path):
    write_rows(tmp_path / "set.jsonl", [{"id": "1", "problem": "P?", "steps": ["So."], "answer": "5"}])
    recipe = data_recipe(small, [{"path": str(tmp_path / "set.jsonl"), "kind": "rows"}])
    (item,), _ = read_items(replace(recipe, data=replace(recipe.data, answer_line=r"\boxed{{answer}}")))
    assert item.reply.endswith("\n\n\\boxed{5}")


@pytest.mark.parametrize("answer, written", [("5", "5.0"), ("1,200", "1200.0"), ("2.5", "2.5"), ("-3", "-3.0"), ("3/4", "3/4")])
def test_float_answers_are_written_as_the_synth_sets_write_them(small, tmp_path, answer, written):
    write_rows(tmp_path / "set.jsonl", [{"id": "1", "problem": "P?", "steps": ["So."], "answer": answer}])
    (item,), _ = read_items(data_recipe(small, [{"path": str(tmp_path / "set.jsonl"), "kind": "rows"}], answers="float"))
    assert item.reply.endswith(f"The answer is {written}.")


@pytest.mark.parametrize(
    "rows, kind, says",
    [([{"prompt": "P?"}], "pairs", "has no text in the column 'reply'"), ([{"id": "1"}], "rows", r"set.jsonl:1: row 1 lacks answer"),
     ([{"text": "x"}], "messages", "the column 'messages' must be a list of turns with role and content .*: name it with column, its columns are text")],
)  # fmt: skip
def test_a_row_of_another_shape_ends_with_its_place(small, tmp_path, rows, kind, says):
    write_rows(tmp_path / "set.jsonl", rows)
    with pytest.raises(ValueError, match=says):
        read_items(data_recipe(small, [{"path": str(tmp_path / "set.jsonl"), "kind": kind}]))


@pytest.mark.parametrize("name, kind, says", [("x.csv", "pairs", "read_csv"), ("x.tsv", "messages", r"sep='\\t'"), ("x.json", "rows", "read_json"), ("x.xlsx", "gsm8k", "read_excel")])
def test_a_file_of_another_format_gets_the_line_that_makes_one_of_ours(small, tmp_path, name, kind, says):
    (tmp_path / name).write_text("prompt,reply\nP?,7\n")
    with pytest.raises(ValueError, match=rf'(?s)this makes one of it:.*python -c "import pandas; .*{says}.*x.jsonl'):
        read_items(data_recipe(small, [{"path": str(tmp_path / name), "kind": kind}]))


def test_a_missing_file_and_a_report_of_other_rows_are_refused(small, tmp_path):
    path = tmp_path / "clean.jsonl"
    recipe = data_recipe(small, [{"path": str(path), "kind": "rows"}])
    with pytest.raises(ValueError, match="is not there: build it"):
        read_items(recipe)
    write_rows(path, [{"id": "1", "problem": "P?", "steps": ["So."], "answer": "1"}])
    write_json(tmp_path / "report.json", {"sha256": "other"})
    with pytest.raises(ValueError, match="is not about"):
        read_items(recipe)


def test_a_problem_never_stands_on_both_sides_of_the_validation_split():
    doubled = ITEMS + [replace(item, reply="another") for item in ITEMS]
    training, held = split_items(doubled, 10)
    assert held and not {item.key for item in training} & {item.key for item in held}
    assert len(training) + len(held) == len(doubled)
    with pytest.raises(ValueError, match="lower it"):
        split_items(ITEMS, 20)


# --- order, packing, loss


def test_the_order_shows_every_row_once_a_round_whatever_the_steps(small):
    recipe = replace(small[0], train=replace(small[0].train, batch=4, epochs=3, steps=0))
    order = plan(10, recipe, 9)
    assert order.shape == (36,) and sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert not np.array_equal(order[:10], order[10:20])
    assert np.array_equal(order[:20], plan(10, recipe, 5))  # a longer run begins like a shorter one


@pytest.mark.parametrize(
    "name, rows, steps",
    [("qwen3-8b-synth-50k", 50_418, 2_364), ("qwen3-4b-synth-35k", 34_818, 6_531), ("qwen3-0.6b-full", 7_100, 3_552), ("qed-nano-sft", 4_281, 620),
     ("qwen3-0.6b-lora-better", 320, 60), ("qwen3-0.6b-lora-better", 305, 60), ("qwen3-0.6b-lora-better", 54, 10), ("qwen3-0.6b-lora-better", 33, 6), ("qwen3-0.6b-lora-better", 4, 1)],
)  # fmt: skip
def test_the_steps_of_the_cards_come_out_and_a_small_set_is_not_seen_more_often_than_the_recipe_says(name, rows, steps):
    assert steps_of(recipe_of(name), rows) == steps


@pytest.mark.parametrize(
    "rows, processes, says",
    [(7_000, 1, []), (54, 1, ["10 updates may be too few to learn from: --set train.batch=5 --set train.micro_batch=1 gives 33 steps and 3.06 times"]),
     (54, 2, ["--set train.batch=4 --set train.micro_batch=2 gives 42 steps"]),
     (4, 1, ["each is seen 4.00 times, not 3, and 1 update may be too few", "--set train.batch=1 --set train.micro_batch=1 gives 12 steps and 3.00 times"])],
)  # fmt: skip
def test_a_small_set_is_told_its_passes_and_how_to_mend_them(rows, processes, says):
    recipe = recipe_of("qwen3-0.6b-lora-better")
    passes, *warning = length_lines(recipe, rows, steps_of(recipe, rows), processes)
    assert passes.startswith("passes: ") and f"{rows:,} of them there" in passes
    assert len(warning) == bool(says) and all(words in warning[0] for words in says)


def test_the_last_step_is_logged_however_rarely_the_recipe_logs_and_a_pipe_is_told_each_row(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    more = ["watch.log_every=100", "watch.tensorboard=false"]
    tune.main(command("qwen3-0.6b-lora", tmp_path / "run", *(x for value in more for x in ("--set", value))))
    assert [row["step"] for row in read_rows(tmp_path / "run" / "log.jsonl") if "loss" in row] == [1, 6]
    said = capsys.readouterr()
    assert [int(step) for step in re.findall(r"^step (\d) of 6: loss [\d.]+, [\d,]+ tokens/s; \d+ s(?:, about \d+ s to go)?$", said.err, re.M)] == [1, 6]
    assert re.findall(r"^step (\d): .*\n  ->", said.out, re.M) == ["3", "6"]


def trainer_for(recipe, tokenizer, tokens, folder: Path, steps: int = 1) -> TuneTrainer:
    config = sft_config(recipe, folder, device="cpu", processes=1, steps=steps)
    model = load_model(recipe, tokenizer, "cpu")
    return TuneTrainer(model=model, args=config, train_dataset=tokens.rows, eval_dataset=tokens.rows, processing_class=tokenizer)


def test_packed_examples_do_not_see_each_other(small, tmp_path):
    recipe, tokenizer = small
    losses, rows = {}, {}
    for packing in (False, True):
        one = replace(recipe, train=replace(recipe.train, packing=packing, micro_batch=1, batch=1), watch=replace(recipe.watch, tensorboard=False))
        tokens = tokenize_items(ITEMS, tokenizer, one)
        rows[packing] = len(tokens.rows)
        losses[packing] = trainer_for(one, tokenizer, tokens, tmp_path).evaluate()["eval_loss"]
    assert rows[True] < rows[False] / 5
    assert losses[True] == pytest.approx(losses[False], abs=1e-6)


def test_the_validation_loss_weighs_each_token_the_same_whatever_the_batch(small, tmp_path):
    recipe, tokenizer = small
    uneven = [*ITEMS[:3], replace(ITEMS[3], reply=ITEMS[3].reply * 3)]
    found = []
    for micro in (1, 2, 4):
        one = replace(recipe, train=replace(recipe.train, micro_batch=micro, batch=4), watch=replace(recipe.watch, tensorboard=False))
        found.append(trainer_for(one, tokenizer, tokenize_items(uneven, tokenizer, one), tmp_path).evaluate()["eval_loss"])
    assert found == pytest.approx([found[0]] * 3, abs=1e-6)


def test_a_batch_that_the_processes_cannot_share_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match="train.batch 4 cannot be shared by 3 processes with micro_batch 2: make it a multiple of 6"):
        sft_config(small[0], tmp_path, device="cpu", processes=3, steps=1)


@pytest.mark.parametrize(
    "variables, says",
    [({"WORLD_SIZE": "2"}, "2 processes were asked for and 1 train together"), ({"ACCELERATE_USE_FSDP": "true"}, "no weight is sharded"),
     ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed was asked for and does not run")],
)  # fmt: skip
def test_a_distribution_that_was_asked_for_and_does_not_happen_ends_the_run(monkeypatch, variables, says):
    class Trainer:
        class args:
            world_size = 1

        model = torch.nn.Linear(2, 2)
        is_deepspeed_enabled = False

    check_distribution(Trainer)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=says):
        check_distribution(Trainer)


@pytest.mark.parametrize(
    "variables, refused",
    [({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}, True), ({"ACCELERATE_USE_CPU": "True"}, False), ({"ACCELERATE_USE_CPU": "False", "MASTER_ADDR": "127.0.0.1"}, False)],
)
def test_processes_that_a_launcher_promised_and_did_not_start_end_the_run(monkeypatch, variables, refused):
    for name in ("ACCELERATE_USE_CPU", "MASTER_ADDR", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if refused:
        with pytest.raises(SystemExit, match="several processes were asked for and one was started: .* use torchrun"):
            join("cpu")
    else:
        assert join("cpu").size == 1


@pytest.mark.parametrize("missing, warned", [(["lm_head.weight"], 0), (["lm_head.weight", "model.norm.weight"], 1)])
def test_a_shared_output_layer_is_not_missed_when_a_run_is_resumed(small, tmp_path, monkeypatch, missing, warned):
    from types import SimpleNamespace

    recipe, tokenizer = small
    one = replace(recipe, watch=replace(recipe.watch, tensorboard=False))
    trainer, said = trainer_for(one, tokenizer, tokenize_items(ITEMS, tokenizer, one), tmp_path), []
    monkeypatch.setattr("transformers.trainer.logger.warning", said.append)
    trainer._issue_warnings_after_load(SimpleNamespace(missing_keys=list(missing), unexpected_keys=[]))
    assert len(said) == warned and all("lm_head" not in words for words in said)


# --- memory, plans, backends


@pytest.mark.parametrize("name, trained, total", [("qwen3-8b-synth-50k", 43_646_976, 8_234_382_336), ("qwen3-4b-synth-35k", 66_060_288, 4_088_528_384)])
def test_the_parameter_counts_of_the_cards_come_out(name, trained, total):
    count = count_parameters(config_of(recipe_of(name)), recipe_of(name))
    assert (count.trained, count.total) == (trained, total)


@pytest.mark.parametrize(
    "name, says", [("qwen3-0.6b-full", "length: 3,552 steps of 12 for about 7,100 examples"), ("qwen3-8b-synth-50k", "data: data/synth-50k/clean.jsonl is not there yet"),
     ("qwen3-8b-synth-50k", "length: 3 times all examples: 46.9 steps of 64 for every 1,000, counted once the data are there"), ("qwen3-4b-synth-35k", "length: 6,531 steps of 16"),
     ("qwen3-0.6b-lora-better", "length: at most 1,332 steps of 16 packed rows for about 7,100 examples"),
     ("tinymathreason-1b-sft", "the base runs/tinymathreason-1b-chat/merged is not there: run `python -m training.tune --recipe training/recipes/tinymathreason-1b-chat.yaml`, then `python -m training.merge --run runs/tinymathreason-1b-chat` first")],
)  # fmt: skip
def test_a_plan_counts_the_steps_and_names_the_file_that_is_missing(name, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tune.main(["--recipe", str(FOLDER / f"{name}.yaml"), "--plan", "--device", "cpu"])
    assert says in capsys.readouterr().out


def test_a_base_that_is_still_to_be_made_is_named_before_any_data_are_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.tuning.items.read_items", None)
    call = ["--recipe", str(FOLDER / "tinymathreason-1b-sft.yaml"), "--device", "cpu"]
    with pytest.raises(SystemExit, match="runs/tinymathreason-1b-chat/merged is not there: run `python -m training.tune"):
        tune.main(call)
    write_json(tmp_path / "runs" / "tinymathreason-1b-chat" / "run.json", {})
    with pytest.raises(SystemExit, match="is not there: run `python -m training.merge --run runs/tinymathreason-1b-chat` first"):
        tune.main(call)


def test_the_plan_of_a_seed_says_its_size_length_and_measures(capsys):
    tune.main(["--recipe", str(FOLDER / "tinymathreason-1b-pretrain.yaml"), "--plan", "--device", "cpu"])
    said = capsys.readouterr().out
    assert "54,363 steps" in said and "1,123,117,056 of 1,123,117,056 are trained (100.00%)" in said and "memory: about" in said


@pytest.mark.parametrize(
    "change, part",
    [({"memory": {"checkpointing": False}}, "activations"), ({"memory": {"offload_embedding": False}}, "weights"), ({"train": {"max_tokens": 4096}}, "activations"),
     ({"train": {"optimizer": "adamw"}}, "optimizer"), ({"quantization": None}, "weights")],
    ids=["checkpointing", "embedding", "length", "optimizer", "16 bits"],
)  # fmt: skip
def test_each_measure_lowers_the_part_of_the_estimate_that_it_is_for(change, part):
    recipe = recipe_of("qwen3-8b-synth-50k")
    without = recipe
    for section, values in change.items():
        without = replace(without, **{section: replace(getattr(without, section), **values) if values else None})
    config = config_of(recipe)
    assert estimate(config, recipe)[part] < estimate(config, without)[part]


@pytest.mark.parametrize(
    "variables, shares",
    [({}, 1), ({"ACCELERATE_USE_FSDP": "true"}, 8), ({"ACCELERATE_USE_DEEPSPEED": "true"}, 1),
     ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, 8),
     ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, 1),
     ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(ROOT / "training" / "launch" / "zero3.json")}, 8)],
)  # fmt: skip
def test_the_estimate_knows_who_shares_the_state(monkeypatch, variables, shares):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    recipe = recipe_of("qed-nano-sft")
    parts, whole = (estimate(config_of(recipe), recipe, n) for n in (sharing(8), 1))
    assert sharing(8) == shares and parts["optimizer"] == pytest.approx(whole["optimizer"] / shares)


def test_an_embedding_in_main_memory_gives_the_same_loss(runs):
    recipe = merge.read_recipe_record(runs("qwen3-8b-synth-50k"))
    tokenizer = load_tokenizer(recipe)
    model = load_model(replace(recipe, method="full", quantization=None), tokenizer, "cpu").eval()
    ids = torch.tensor([tokenizer.encode(render_prompt("How many?"))])
    with torch.no_grad():
        before = model(ids).logits
        offload_embedding(model)
        assert isinstance(model.get_input_embeddings(), OffloadedEmbedding)
        assert not any("embed_tokens" in name for name, _ in model.named_parameters())  # so that .to("cuda") leaves it
        assert torch.equal(model(ids).logits, before)
    model.config.tie_word_embeddings = True
    with pytest.raises(ValueError, match="shares the embedding, so it must stay"):
        offload_embedding(model)


def test_evaluation_leaves_four_bit_weights_as_they_are(runs):
    recipe = merge.read_recipe_record(runs("qwen3-8b-synth-50k"))
    tokenizer = load_tokenizer(recipe)
    model = load_model(recipe, tokenizer, "cpu").eval()
    before = {name: p.clone() for name, p in model.named_parameters() if p.dtype == torch.uint8}
    with torch.no_grad():
        model(torch.tensor([tokenizer.encode(render_prompt("How many?"))]))
    assert before and all(torch.equal(p, before[name]) for name, p in model.named_parameters() if name in before)


@pytest.mark.parametrize(
    "name, change, says",
    [("qwen3-0.6b-lora", "lora.targets=[q_proj, v_porj]", r"lora.targets names v_porj, .* did you mean v_proj\?"),
     ("qwen3-4b-synth-35k", "memory.offload_embedding=true", "output layer shares the embedding, so it must stay")],
)  # fmt: skip
@pytest.mark.parametrize("way", ["--plan", "--shrink"])
def test_what_the_model_has_not_is_refused_before_anything_is_loaded(tmp_path, name, change, says, way, monkeypatch):
    monkeypatch.setattr("training.tuning.models.load_model", None)
    with pytest.raises(SystemExit, match=says):
        tune.main(["--recipe", str(FOLDER / f"{name}.yaml"), way, "--out", str(tmp_path / "run"), "--device", "cpu", "--set", change])


@pytest.mark.parametrize(
    "name, change, processes, against",
    [("qwen3-8b-synth-50k", "train.epochs=1", 1, []), ("qwen3-8b-synth-50k", "quantization.double=false", 1, ["quantization.double: false"]),
     ("qwen3-8b-synth-50k", "quantization.type=fp4", 2, ["2 processes (one GPU)", "quantization.type: fp4"]), ("qwen3-8b-synth-50k", "model.weights=fp32", 1, ["model.weights: fp32"]),
     ("qwen3-8b-synth-50k", "model.precision=fp32", 1, ["model.precision: fp32"]), ("qwen3-8b-synth-50k", "model.attention=eager", 1, ["model.attention: eager"]),
     ("tinymathreason-1b-pretrain", "model.weights=bf16", 1, ["method: scratch (it tunes published models)"])],
)  # fmt: skip
def test_what_unsloth_cannot_do_is_done_by_trl_or_refused(monkeypatch, capsys, name, change, processes, against):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    found = not_by_unsloth(load_tune_recipe(FOLDER / f"{name}.yaml", [change]), processes)
    assert found == against
    assert resolve_backend("auto", True, found) == ("trl" if against else "unsloth") and all(what in capsys.readouterr().out for what in against[:1])
    if against:
        with pytest.raises(ValueError, match="has no way to do .*: use --backend trl"):
            resolve_backend("unsloth", True, found)


@pytest.mark.parametrize("offload, checkpointing, given", [(True, True, "unsloth"), (False, True, True), (False, False, False)])
def test_unsloth_offloads_activations_when_the_recipe_does(offload, checkpointing, given):
    recipe = recipe_of("qwen3-8b-synth-50k")
    load, adapter = unsloth_arguments(replace(recipe, memory=replace(recipe.memory, offload_activations=offload, checkpointing=checkpointing)))
    assert load["use_gradient_checkpointing"] == adapter["use_gradient_checkpointing"] == given


def test_the_recipe_says_the_precision_and_the_warm_up_whatever_the_launcher_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    recipe = recipe_of("qwen3-0.6b-lora")  # fp32
    for share, steps in ((0.0, 0), (0.03, 6), (0.5, 100), (1.0, 200)):
        config = sft_config(replace(recipe, train=replace(recipe.train, warmup_share=share)), tmp_path, device="cpu", processes=1, steps=200)
        assert (config.mixed_precision, config.get_warmup_steps(200)) == ("no", steps)


def test_unsloth_gets_the_values_of_the_recipe():
    load, adapter = unsloth_arguments(recipe_of("qwen3-8b-synth-50k"))
    assert (load["model_name"], load["max_seq_length"], load["load_in_4bit"], load["offload_embedding"]) == ("Qwen/Qwen3-8B", 1024, True, True)
    assert load["use_exact_model_name"] and load["random_state"] == adapter["random_state"] == 42
    assert (adapter["r"], adapter["lora_alpha"], adapter["lora_dropout"], len(adapter["target_modules"])) == (16, 16, 0.0, 7)
    load, adapter = unsloth_arguments(recipe_of("qed-nano-sft"))
    assert load["full_finetuning"] and not load["load_in_4bit"] and adapter == {}


@pytest.mark.parametrize(
    "asked, has_cuda, installed, found",
    [("auto", False, True, "trl"), ("auto", True, False, "trl"), ("auto", True, True, "unsloth"), ("trl", True, True, "trl"), ("unsloth", True, True, "unsloth"),
     ("unsloth", False, True, "needs a CUDA GPU"), ("unsloth", True, False, "is not installed")],
)  # fmt: skip
def test_the_backend_is_what_can_run(monkeypatch, asked, has_cuda, installed, found):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    if " " in found:
        with pytest.raises(ValueError, match=found):
            resolve_backend(asked, has_cuda, [])
    else:
        assert resolve_backend(asked, has_cuda, []) == found


@pytest.mark.parametrize("name", ["ddp", "fsdp2", "fsdp2-many-nodes", "zero3"])
def test_a_launch_configuration_is_one_that_accelerate_reads(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "training" / "launch" / f"{name}.yaml"))
    wanted = {"ddp": "MULTI_GPU", "zero3": "DEEPSPEED"}.get(name, "FSDP")
    assert config.distributed_type == wanted and config.num_processes == 8 * config.num_machines
    if wanted == "FSDP":
        assert config.fsdp_config["fsdp_version"] == 2 and config.fsdp_config["fsdp_state_dict_type"] == "SHARDED_STATE_DICT"
    if wanted == "DEEPSPEED":
        json_file = ROOT / config.deepspeed_config["deepspeed_config_file"]
        assert read_json(json_file)["zero_optimization"]["stage"] == 3


def test_the_slurm_template_is_sound_shell_and_starts_the_configuration_of_many_nodes():
    import subprocess

    script = ROOT / "training" / "launch" / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "training/launch/fsdp2-many-nodes.yaml" in script.read_text() and '${MINUTES:-700} $more"' in script.read_text()


@pytest.mark.parametrize(
    "more, says",
    [(["--set", "train.stesp=1"], r"did you mean steps\?"), (["--device", "cuda"], "sees no GPU"), (["--backend", "unsloth"], "needs a CUDA GPU"),
     (["--prepare"], "--prepare is for recipes whose data are a stream"), (["--minutes", "0"], "--minutes must be above 0, not 0"),
     (["--plan"], "--plan loads and writes nothing, --shrink does"), (["--threads", "-1"], "--threads must be 1 or more"), (["--out", __file__], "is a file: name a folder for the run"), (["--set", "train.warmup_steps=7"], "train.warmup_steps 7 exceeds the 6 steps")],
)  # fmt: skip
def test_a_command_that_cannot_work_ends_with_a_sentence(tmp_path, more, says, monkeypatch):
    monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(SystemExit, match=says):
        tune.main([*command("qwen3-0.6b-lora", tmp_path / "run"), *more])


# --- streams of texts


@pytest.fixture()
def streamed(small, tmp_path):
    """(recipe, tokenizer, folder): two sets of texts, three quarters of the tokens from the first."""
    from training.tuning.recipe import Set

    write_rows(tmp_path / "a.jsonl", [{"text": f"Ana has {n} apples and buys some."} for n in range(40)])
    write_rows(tmp_path / "b.jsonl", [{"body": f"{n} plus 1. " * (1 + n % 9)} for n in range(40)])
    sets = (Set(str(tmp_path / "a.jsonl"), "text", share=0.75), Set(str(tmp_path / "b.jsonl"), "text", column="body", share=0.25))
    recipe = replace(small[0], data=replace(small[0].data, sets=sets, rows=""), train=replace(small[0].train, max_tokens=32, packing=True))
    return recipe, small[1], tmp_path / "stream"


def test_a_stream_gives_full_rows_with_the_shares_of_tokens_that_were_asked_for(streamed, monkeypatch):
    recipe, tokenizer, folder = streamed
    monkeypatch.setattr(stream, "SHARD_TOKENS", 32 * 10)
    assert stream.fill(folder, recipe, tokenizer, 35, float("inf"))
    rows = stream.read_stream(folder)
    assert len(stream.shards_of(folder)) == 4 and len(rows) == 35
    assert all(len(row["input_ids"]) == 32 == sum(row["seq_lengths"]) and row["labels"] == row["input_ids"] for row in rows)
    text = tokenizer.decode([token for row in rows for token in row["input_ids"]])
    assert text.startswith("Ana has 0 apples and buys some.<|im_end|>")
    first = read_json(stream.shards_of(folder)[-1] / "place.json")["sets"]
    assert first[0]["tokens"] / sum(one["tokens"] for one in first) == pytest.approx(0.75, abs=0.05)
    assert "asked for 75.0%" in stream.shares(folder, recipe)[0]


def test_a_stream_that_was_stopped_goes_on_as_if_it_had_not_been(streamed, monkeypatch, tmp_path):
    recipe, tokenizer, folder = streamed
    monkeypatch.setattr(stream, "SHARD_TOKENS", 32 * 5)
    assert stream.fill(tmp_path / "whole", recipe, tokenizer, 30, float("inf"))
    clock = iter([0, 0, 9, 0, 0, 9, *[0] * 99])  # two shards a slice
    monkeypatch.setattr(stream.time, "monotonic", lambda: next(clock))
    assert [stream.fill(folder, recipe, tokenizer, 30, 5) for _ in range(3)] == [False, False, True]
    assert stream.read_stream(folder)["input_ids"] == stream.read_stream(tmp_path / "whole")["input_ids"]
    with pytest.raises(ValueError, match="was made from other sets"):
        stream.fill(folder, replace(recipe, train=replace(recipe.train, max_tokens=16)), tokenizer, 30, 5)


def test_texts_that_are_used_up_are_read_again_and_it_is_said(streamed):
    recipe, tokenizer, folder = streamed
    assert stream.fill(folder, recipe, tokenizer, 120, float("inf"))
    assert any(re.search(r", read \d+ times", line) for line in stream.shares(folder, recipe))


def test_a_document_that_copies_a_test_problem_is_left_out_of_a_stream_and_of_its_tokenizer_and_counted(streamed, gold_sets, monkeypatch, tmp_path):
    recipe, tokenizer, folder = streamed
    rows = list(read_rows(tmp_path / "b.jsonl"))
    for at, text in ((7, f"A forum says: NOW {SHARED.upper()}, fourteen! Who knows it?"), (8, SHARED.replace("six", "sixth"))):
        rows[at] = {"body": text}
    write_rows(tmp_path / "b.jsonl", rows)
    recipe = replace(recipe, data=replace(recipe.data, compare=True))
    assert not any("FOURTEEN" in text.upper() for text in stream.first_texts(recipe))
    monkeypatch.setattr(stream, "SHARD_TOKENS", 32 * 10)
    said = []
    for rows_wanted in (30, 90):  # stopped between
        assert stream.fill(folder, recipe, tokenizer, rows_wanted, float("inf"))
        lines, near = stream.compared(folder, recipe)
        said.append(list(map(int, re.search(r"0 of (\d+) of \S*a.jsonl, (\d+) of (\d+) of \S*b.jsonl", lines[0]).groups())))
        assert near == {"gsm8k/test": {"13_gram": 1}, "svamp/test": {"13_gram": 0}}
    assert [taken for _, taken, _ in said] == [1, 1] and said[1][0] > said[0][0] and said[1][2] > said[0][2]
    text = tokenizer.decode([token for row in stream.read_stream(folder) for token in row["input_ids"]])
    assert "forum" not in text and "five sixth seven" in text
    with pytest.raises(ValueError, match="or was compared with other test sets: remove it"):
        stream.fill(folder, streamed[0], tokenizer, 90, float("inf"))
    write_rows(tmp_path / "b.jsonl", [{"body": f"{n}. {SHARED}"} for n in range(9)])
    with pytest.raises(ValueError, match="9 of 9 documents of .*b.jsonl are taken from test sets .*: these sets are not for training"):
        stream.fill(tmp_path / "other", recipe, tokenizer, 20, float("inf"))


def test_a_copy_is_found_wherever_it_begins(gold_sets):
    finder = copies.Copies()
    for at in (*range(15), 200):
        text = " ".join(["word"] * at) + f" {SHARED} and more"
        assert finder.of(text) == {"gsm8k/test"}
        assert not finder.of(text.replace("thirteen", ""))


def test_a_document_longer_than_a_row_is_no_fault_of_the_tokenizer(streamed, tmp_path):
    recipe, tokenizer, folder = streamed
    write_rows(tmp_path / "a.jsonl", [{"text": "Ana has 3 apples. " * 40}])
    recipe = replace(recipe, data=replace(recipe.data, sets=recipe.data.sets[:1]))
    assert stream.fill(folder, recipe, tokenizer, 60, float("inf"))
    rows = stream.read_stream(folder)
    assert rows[0]["seq_lengths"] == [32]  # nothing in it closes
    first, end = stream.first_document(rows, tokenizer.eos_token_id), tokenizer.eos_token_id
    assert first[-1] == end and audit.check_tokenizer(tokenizer, "<|im_end|>", len(tokenizer), (first, first))
    assert stream.pieces(rows.select(range(3, 50))) == sum(map(len, rows["seq_lengths"][3:50]))


def test_a_control_token_in_a_text_stays_text(streamed, tmp_path):
    recipe, tokenizer, folder = streamed
    write_rows(tmp_path / "a.jsonl", [{"text": "See <|im_end|> and <think> there."}])
    recipe = replace(recipe, data=replace(recipe.data, sets=recipe.data.sets[:1]))
    assert stream.fill(folder, recipe, tokenizer, 3, float("inf"))
    row = stream.read_stream(folder)[0]
    assert row["input_ids"].count(tokenizer.eos_token_id) == len(row["seq_lengths"]) - (row["input_ids"][-1] != tokenizer.eos_token_id)
    assert tokenizer.get_vocab()["<think>"] not in row["input_ids"]
