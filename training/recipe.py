"""One recipe is one model: a YAML file that holds everything a run needs, checked before any work.

    recipe = load_recipe("training/recipes/pocket.yaml", ["pretrain.steps=100"])

Unknown keys, wrong types and impossible values are refused, all in one message, with a suggestion.
"""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml


class RecipeError(ValueError):
    """All that is wrong with a recipe, a line each."""


@dataclass(frozen=True)
class Data:
    """Where the rows come from: the output of `pipeline.build`."""

    rows: str  # clean.jsonl
    validation: int = 200  # rows kept from training, chosen by the hash of their id


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
    shares: dict[str, float] = field(default_factory=dict)  # source -> how often a row of it is seen an epoch
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


def load_recipe(path: str | Path, overrides: typing.Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are "pretrain.steps=100". Raises RecipeError or OSError."""
    text = Path(path).read_text(encoding="utf-8")
    if len(text) > 65536:
        raise RecipeError(f"{path} is larger than 64 KB: that is no recipe")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise RecipeError(f"{path} uses YAML aliases: write the values out")
        raw = yaml.load(text, Loader=_NoDuplicates)
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{path} must be a mapping")
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise RecipeError(f"--set {override!r}: write it as key.key=value")
        *parents, last = name.split(".")
        target = raw
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise RecipeError(f"--set {override!r}: {parent!r} is a value, not a section")
        try:
            target[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RecipeError(f"--set {override!r}: the value is not YAML") from error
    problems: list[str] = []
    recipe = _build(Recipe, raw, "", problems)
    if not problems:
        problems += _check(recipe)
    if problems:
        raise RecipeError(f"{path}:\n  " + "\n  ".join(problems))
    return recipe


class _NoDuplicates(yaml.SafeLoader):
    """YAML in which a key may stand once: the second would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"key {', '.join(map(str, twice))} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def _build(cls: type, raw: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(raw, dict):
        problems.append(f"{where or 'recipe'} must be a section, not {raw!r}")
        return None
    hints, known = get_type_hints(cls), {f.name: f for f in fields(cls)}
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f": did you mean {close[0]}?" if close else f": known are {', '.join(known)}"
            problems.append(f"unknown key {where}{key}{hint}")
    values = {}
    for name, spec in known.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], f"{where}{name}", problems)
        elif spec.default is spec.default_factory:  # both MISSING: a required key
            problems.append(f"missing key {where}{name}")
    try:
        return cls(**values)
    except TypeError:
        return None  # a missing key, reported above


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, where + ".", problems)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            problems.append(f"{where} must be one of {', '.join(map(str, get_args(hint)))}, not {value!r}")
        return value
    if get_origin(hint) is dict:
        if not isinstance(value, dict) or not all(isinstance(v, (int, float)) and v >= 0 for v in value.values()):
            problems.append(f"{where} must map names to numbers of 0 or more, not {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or isinstance(value, bool):
        extra = " (YAML reads 1e-4 as text: write 1.0e-4)" if hint is float and isinstance(value, str) else ""
        expected = hint.__name__ if not isinstance(hint, types.UnionType) else str(hint)
        problems.append(f"{where} must be {expected}, not {value!r}{extra}")
    return value


def _check(recipe: Recipe) -> list[str]:
    problems = []
    model = recipe.model
    for name in ("hidden", "layers", "heads", "kv_heads", "ffn", "head_dim"):
        if getattr(model, name) < 1:
            problems.append(f"model.{name} must be at least 1")
    if model.kv_heads > 0 and model.heads % model.kv_heads:
        problems.append(f"model.heads {model.heads} must be a multiple of model.kv_heads {model.kv_heads}")
    if not 512 <= recipe.tokenizer.vocabulary <= 65536:
        problems.append(f"tokenizer.vocabulary must lie in 512 to 65536, not {recipe.tokenizer.vocabulary}")
    for name in ("pretrain", "sft"):
        phase: Phase = getattr(recipe, name)
        if phase.steps < 1 or phase.batch_tokens < phase.max_tokens:
            problems.append(f"{name}: steps must be at least 1 and batch_tokens at least max_tokens")
        if not 0 < phase.learning_rate < 1:
            problems.append(f"{name}.learning_rate must lie between 0 and 1, not {phase.learning_rate}")
        if not 0 <= phase.decay_share <= 1:
            problems.append(f"{name}.decay_share must lie in 0 to 1, not {phase.decay_share}")
        if phase.max_tokens > model.positions:
            problems.append(f"{name}.max_tokens {phase.max_tokens} exceeds model.positions {model.positions}")
    if recipe.sft.method == "lora" and recipe.sft.optimizer == "muon":
        problems.append("sft: muon orthogonalises whole weight matrices; use optimizer: adamw with lora")
    if recipe.pretrain.method != "full":
        problems.append("pretrain.method must be full: there is nothing yet for an adapter to adapt")
    return problems
