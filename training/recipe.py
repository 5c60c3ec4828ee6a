"""One recipe is one model: a YAML file that holds everything a run needs, checked before any work.

    recipe = load_recipe("training/recipes/pocket.yaml", ["pretrain.steps=100"])

Unknown keys, wrong types and impossible values are refused, all in one message, with a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mathtutor.recipes import Range, RecipeError, build, read_recipe, refuse

__all__ = ["Data", "Model", "Phase", "Recipe", "RecipeError", "Tokenizer", "load_recipe"]


@dataclass(frozen=True)
class Data:
    """Where the rows come from: the output of `pipeline.build`."""

    rows: str  # clean.jsonl, or several such files parted by commas
    validation: int = 200  # rows kept from training, chosen by the hash of their id
    validation_rows: str = ""  # or a file of rows for the validation loss; `validation` is 0 then


    @property
    def files(self) -> list[Path]:
        """The files of `rows`."""
        return [Path(path.strip()) for path in self.rows.split(",") if path.strip()]


@dataclass(frozen=True)
class Tokenizer:
    """A byte-level BPE with single digits and Qwen's special tokens, trained on the rows."""

    vocabulary: int = 4096


@dataclass(frozen=True)
class Model:
    """A Qwen3 architecture, initialised at random. Sizes as in transformers' Qwen3Config."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    head_dim: int = 64
    positions: int = 1024


@dataclass(frozen=True)
class Phase:
    """One phase of training. A batch holds about `batch_tokens` tokens, padding included."""

    steps: int
    batch_tokens: int
    learning_rate: float  # of AdamW
    optimizer: Literal["adamw", "muon"] = "adamw"  # muon: for the weight matrices, AdamW for the rest
    matrix_learning_rate: float = 0.02  # of Muon
    warmup_steps: int = 100
    decay_share: float = 0.3  # the last share of the steps, in which the rate falls to a twentieth
    weight_decay: float = 0.1
    clip: float = 1.0
    max_tokens: int = 512  # longer rows are dropped and counted, never cut
    word_dropout: float = 0.0  # in half of the examples, up to this share of the problem's words is hidden
    dropout: float = 0.0  # of what attention and MLP add to the stream, in training alone
    rename: float = 0.0  # share of the rows that are told with other things in place of theirs (training/vary.py)
    spell: float = 0.0  # share of the rows whose numbers below 100 stand in words in the problem, all or half of them
    learn_problem: bool = False  # sft: learn the problem's own words as well as the reply
    shares: dict[str, float] = field(default_factory=dict)  # source, or source/number of steps -> how often such a row is seen an epoch
    method: Literal["full", "lora"] = "full"
    lora_rank: int = 16
    lora_alpha: int = 32
    checkpoint_minutes: float = 5.0


@dataclass(frozen=True)
class Recipe:
    name: str
    data: Data
    model: Model
    pretrain: Phase
    sft: Phase
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    seed: int = 0


RATE = Range(0, 1, above=True, below=True)
RANGES: dict[type, dict[str, Range]] = {
    Recipe: {"seed": Range(0, 2**32 - 2)},  # fine-tuning draws from the next one
    Data: {"validation": Range(0)},
    Tokenizer: {"vocabulary": Range(512, 65536)},
    Model: {name: Range(1) for name in ("hidden", "layers", "heads", "kv_heads", "ffn", "head_dim", "positions")},
    Phase: {
        "steps": Range(1),
        "batch_tokens": Range(1),
        "learning_rate": RATE,
        "matrix_learning_rate": RATE,
        "warmup_steps": Range(0),
        "decay_share": Range(0, 1),
        "weight_decay": Range(0, 1, below=True),
        "clip": Range(0, above=True),
        "max_tokens": Range(1),
        "word_dropout": Range(0, 1, below=True),
        "dropout": Range(0, 1, below=True),
        "rename": Range(0, 1),
        "spell": Range(0, 1),
        "lora_rank": Range(1),
        "lora_alpha": Range(1),
        "checkpoint_minutes": Range(0),
    },
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it names a folder


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are "pretrain.steps=100". Raises RecipeError or OSError."""
    problems: list[str] = []
    raw = read_recipe(path, overrides, problems)
    if "method" in raw:
        raise RecipeError(f"{path} is a recipe of training.tune: python -m training.tune --recipe {path}")
    recipe = build(Recipe, raw, problems, ranges=RANGES)
    if recipe is not None:
        problems += _check(recipe, raw)
    refuse(path, problems)
    return recipe


def _check(recipe: Recipe, raw: dict) -> list[str]:
    """What is wrong with the values; `raw` tells which of them were written down."""
    problems = []
    if not NAME.fullmatch(recipe.name):
        problems.append(f"name must be 1 to 64 letters, digits, _ or -, not {recipe.name!r:.80}")
    if not recipe.data.files:
        problems.append("data.rows must name a file")
    model = recipe.model
    if model.kv_heads > 0 and model.heads % model.kv_heads:
        problems.append(f"model.heads {model.heads} must be a multiple of model.kv_heads {model.kv_heads}")
    if model.head_dim % 2:
        problems.append(f"model.head_dim {model.head_dim} must be even: positions turn pairs of its values")
    for name in ("pretrain", "sft"):
        phase: Phase = getattr(recipe, name)
        if phase.batch_tokens < phase.max_tokens:
            problems.append(f"{name}.batch_tokens {phase.batch_tokens} must be at least max_tokens {phase.max_tokens}")
        if phase.max_tokens > model.positions:
            problems.append(f"{name}.max_tokens {phase.max_tokens} exceeds model.positions {model.positions}")
        # An option without effect is a misunderstanding that costs hours.
        if phase.method == "full":
            problems += [
                f"{name}.{key} has no effect with method: full" for key in ("lora_rank", "lora_alpha") if key in raw[name]
            ]
        if phase.optimizer == "adamw" and "matrix_learning_rate" in raw[name]:
            problems.append(f"{name}.matrix_learning_rate has no effect with optimizer: adamw")
    if recipe.sft.method == "lora" and recipe.sft.optimizer == "muon":
        problems.append("sft: muon orthogonalises whole weight matrices; use optimizer: adamw with lora")
    if "learn_problem" in raw["pretrain"]:
        problems.append("pretrain.learn_problem has no effect: pretraining learns every token")
    if recipe.pretrain.method != "full":
        problems.append("pretrain.method must be full: there is nothing yet for an adapter to adapt")
    return problems
