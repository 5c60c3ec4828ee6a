"""The small sister of a recipe: the same method, architecture class, schedule and options at a size for any CPU, with
a tokenizer, weights and data that are made here. It proves that a recipe runs end to end; it teaches nobody anything.
"""

from __future__ import annotations

import dataclasses
import shutil
from functools import cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from mathtutor.bank import Instance, is_held_out, load_bank
from mathtutor.io import replace_folder, write_rows
from training.export import save_model
from training.tokenizer import train_tokenizer
from training.tuning.items import sets_of
from training.tuning.models import config_of, shape_config
from training.tuning.recipe import Set, Shape, TuneRecipe

ROWS = 48
STEPS, BATCH = 6, 4
MOST_TOKENS, TEXT_TOKENS = 512, 128
SMALL = {"hidden": 32, "layers": 2, "heads": 4, "kv_heads": 1, "ffn": 64, "head_dim": 8, "positions": 512, "vocabulary": 600}


def shrunken(recipe: TuneRecipe, folder: Path) -> TuneRecipe:
    """The small sister; what it needs is written to `folder`, once. Raises ValueError or OSError."""
    if not (folder / "whole").exists():
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        instances = _instances()
        for number, one in enumerate(sets_of(recipe.data)):
            write_rows(temporary / f"set-{number}.jsonl", [_row(one, number, i) for number, i in enumerate(instances)])
        if recipe.model.base:
            _make_base(recipe, instances, temporary / "base")
        (temporary / "whole").touch()
        replace_folder(temporary, folder)
    train, is_text = recipe.train, recipe.is_text
    sets = tuple(
        dataclasses.replace(one, path=str(folder / f"set-{n}.jsonl"), config="", split="train", revision="", limit=min(one.limit, ROWS))
        for n, one in enumerate(sets_of(recipe.data))
    )
    model = recipe.model
    small = dataclasses.replace(model.shape, **SMALL) if model.shape else None
    base = str(folder / "base") if model.base else ""
    return dataclasses.replace(
        recipe,
        name=f"{recipe.name[:55]}-shrunken",  # its card must not bear the name of the model that it stands in for
        model=dataclasses.replace(model, base=base, shape=small, revision="", tokenizer=""),
        data=dataclasses.replace(recipe.data, rows="", sets=sets, validation=min(recipe.data.validation, 8), compare=False),  # made here from the bank
        train=dataclasses.replace(
            train,
            batch=BATCH,
            micro_batch=min(train.micro_batch, 2),
            epochs=0,
            steps=STEPS,
            warmup_steps=min(train.warmup_steps, 2),
            max_tokens=TEXT_TOKENS if is_text else MOST_TOKENS,
        ),
        watch=dataclasses.replace(recipe.watch, log_every=1, check_every=STEPS // 2, samples=1, sample_tokens=12),
    )


@cache
def _instances() -> list[Instance]:
    families = [family for family in load_bank().values() if not is_held_out(family.id)]
    return [families[i % len(families)].instantiate(7, i) for i in range(ROWS)]


def _make_base(recipe: TuneRecipe, instances: list[Instance], folder: Path) -> None:
    """A tokenizer and random weights of the base's architecture class, its embedding tied or not as there."""
    tokenizer = train_tokenizer([f"{i.problem}\n" + "\n".join(i.steps) for i in instances] * 2, SMALL["vocabulary"])
    config = config_of(recipe)
    architecture = "llama" if isinstance(config, LlamaConfig) else "qwen3"
    small = SMALL | {"vocabulary": len(tokenizer)}
    torch.manual_seed(recipe.seed)
    model = AutoModelForCausalLM.from_config(shape_config(Shape(architecture, tied=config.tie_word_embeddings, **small), tokenizer))
    save_model(model, tokenizer, folder)


def _row(one: Set, number: int, instance: Instance) -> dict:
    """A row in the shape of the set that it stands in for."""
    steps, answer = "\n".join(instance.steps), instance.shown_answer
    if one.kind == "rows":
        return {"id": f"bank-{number}", "problem": instance.problem, "steps": list(instance.steps), "answer": answer}
    if one.kind == "gsm8k":
        return {"question": instance.problem, "answer": f"{steps} <<1+1=2>>\n#### {answer}"}
    if one.kind == "text":
        return {one.column or "text": f"{instance.problem}\n{steps}\nThe answer is {answer}."}
    tail = f"{one.answer_at[0]} {answer}" if one.answer_at else f"The answer is {answer}."
    extra = {one.reasoning: steps} if one.reasoning else {}
    if one.kind == "pairs":
        below = {one.context: "Show every sum."} if one.context else {}
        return {one.prompt: instance.problem, one.reply: f"{steps}\n{tail}" if one.answer_at or not extra else tail, **extra, **below}
    reply = tail if extra else f"<think>\n{steps}\n</think>\n\n{tail}"
    return {one.column or "messages": [{"role": "user", "content": instance.problem}, {"role": "assistant", "content": reply}], **extra}
