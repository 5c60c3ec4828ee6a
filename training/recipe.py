"""One recipe is one model: a YAML file that holds everything a run needs, checked before any work.

    recipe = load_recipe("training/recipes/pocket.yaml", ["pretrain.steps=100"])

Unknown keys, wrong types and impossible values are refused, all in one message, with a suggestion.
"""

from __future__ import annotations

import difflib
import math
import re
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import yaml


class RecipeError(ValueError):
    """All that is wrong with a recipe, a line each."""


@dataclass(frozen=True)
class Data:
    """Where the rows come from: the output of `pipeline.build`."""

    rows: str  # clean.jsonl
    validation: int = 200  # rows kept from training, chosen by the hash of their id
    validation_rows: str = ""  # or a file of rows for the validation loss; `validation` is 0 then


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


class Range(NamedTuple):
    """The finite numbers from `low` to `high`; with `above` without `low`, with `below` without `high`."""

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and low and high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"be finite and above {self.low:g}" if self.above else f"be at least {self.low:g}"
        if self.above:
            return f"lie between {self.low:g} and {self.high:g}"
        return f"lie in {self.low:g} to {'below ' * self.below}{self.high:.0f}"


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
        "lora_rank": Range(1),
        "lora_alpha": Range(1),
        "checkpoint_minutes": Range(0),
    },
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it names a folder


def load_recipe(path: str | Path, overrides: typing.Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are "pretrain.steps=100". Raises RecipeError or OSError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8: save the file as UTF-8") from error
    if len(text) > 65536:
        raise RecipeError(f"{path} is larger than 64 KB: that is no recipe")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise RecipeError(f"{path} uses YAML aliases: write the values out")
        raw = yaml.load(text, Loader=_PlainLoader)
    except RecipeError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none, say
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
            target[last] = yaml.load(value, Loader=_PlainLoader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise RecipeError(f"--set {override!r}: the value is not YAML") from error
    problems: list[str] = []
    recipe = _build(Recipe, raw, "", problems)
    if not problems:
        problems += _check(recipe, raw)
    if problems:
        raise RecipeError(f"{path}:\n  " + "\n  ".join(problems))
    return recipe


class _PlainLoader(yaml.SafeLoader):
    """YAML in which a key may stand once, as the second would silently win, and which merges nothing."""

    def construct_mapping(self, node, deep=False):
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError(f"a merge key (<<) is not allowed here: write the values out{node.start_mark}")
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.YAMLError(f"key {', '.join(map(str, twice))} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def _is_share(item: tuple[Any, Any]) -> bool:
    source, times = item
    is_number = isinstance(times, (int, float)) and not isinstance(times, bool)
    return isinstance(source, str) and is_number and 0 <= times < math.inf


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
        if not isinstance(value, dict) or not all(map(_is_share, value.items())):
            problems.append(f"{where} must map names to numbers of 0 or more, not {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or isinstance(value, bool):
        extra = " (YAML reads 1e-4 as text: write 1.0e-4)" if hint is float and isinstance(value, str) else ""
        expected = hint.__name__ if not isinstance(hint, types.UnionType) else str(hint)
        problems.append(f"{where} must be {expected}, not {value!r}{extra}")
    return value


def _check(recipe: Recipe, raw: dict) -> list[str]:
    """What is wrong with the values; `raw` tells which of them were written down."""
    problems = []
    sections = {"": recipe, **{f"{name}.": getattr(recipe, name) for name in ("data", "tokenizer", "model")}}
    sections |= {"pretrain.": recipe.pretrain, "sft.": recipe.sft}
    for where, section in sections.items():
        for name, allowed in RANGES[type(section)].items():
            if not allowed.holds(value := getattr(section, name)):
                problems.append(f"{where}{name} must {allowed}, not {value}")
    if not NAME.fullmatch(recipe.name):
        problems.append(f"name must be 1 to 64 letters, digits, _ or -, not {recipe.name!r:.80}")
    if not recipe.data.rows:
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
    if recipe.pretrain.method != "full":
        problems.append("pretrain.method must be full: there is nothing yet for an adapter to adapt")
    return problems
