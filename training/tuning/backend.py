"""Which library loads and patches the model. Nothing heavy is imported here: Unsloth wants to come before transformers."""

from __future__ import annotations

import importlib.util

from training.tuning.recipe import TuneRecipe


def not_by_unsloth(recipe: TuneRecipe, processes: int) -> list[str]:
    """The values of a recipe that Unsloth has no argument for: it would train something else without a word."""
    model, quantization = recipe.model, recipe.quantization
    found = {
        "method: scratch (it tunes published models)": recipe.method == "scratch",
        f"{processes} processes (one GPU)": processes > 1,
        f"model.attention: {model.attention}": model.attention != "sdpa",
        f"model.weights: {model.weights}": model.weights != "bf16",
        f"model.precision: {model.precision}": model.precision != "bf16",
        "quantization.type: fp4": quantization is not None and quantization.type != "nf4",
        "quantization.double: false": quantization is not None and not quantization.double,
    }
    return [what for what, wanted in found.items() if wanted]


def resolve_backend(asked: str, has_cuda: bool, against: list[str]) -> str:
    """"trl" or "unsloth"; `against`: what `not_by_unsloth` found. Raises ValueError where Unsloth is asked for and cannot run."""
    there = importlib.util.find_spec("unsloth") is not None
    if asked == "auto":
        if has_cuda and there and against:
            print(f"backend: trl, as Unsloth has no way to do {', '.join(against)}")
        return "unsloth" if has_cuda and there and not against else "trl"
    if asked == "unsloth" and not has_cuda:
        raise ValueError("--backend unsloth needs a CUDA GPU: use --backend trl here")
    if asked == "unsloth" and not there:
        raise ValueError("--backend unsloth: the package unsloth is not installed (in an environment of its own: it pins older transformers and TRL)")
    if asked == "unsloth" and against:
        raise ValueError(f"--backend unsloth has no way to do {', '.join(against)}: use --backend trl, or change the recipe")
    return asked
