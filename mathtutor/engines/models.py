"""The models that are known by name, and whether this machine can hold one.

    models = load_models()
    models["qwen3-4b-synth-35k"].engine             ->  "hf:clarkkitchen22/Qwen3-4B-GSM8K-Synth-35K"
    fit(models["qwen3-8b"], Machine(gpu=0, memory=8e9))   raises TooLarge: "Qwen3 8B needs 41 GB of memory here, ..."
    fit(models["qwen3-8b"], Machine(gpu=12e9, memory=32e9))  ->  Fit("cuda", bits=4, needs=7.0e9)

`assets/models.yaml` holds them; unknown keys in it are refused. Nothing is loaded here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from mathtutor.recipes import build, read_recipe, refuse

FILE = Path(__file__).resolve().parents[2] / "assets" / "models.yaml"

# Bytes a weight, with what the library, the activations and a few thousand tokens of cache take beside the weights.
# 4 bit: NF4 holds half a byte and its scales; embedding and head stay in 16 bit (a quarter of a small model).
BYTES = {32: 4.0, 16: 2.0, 4: 0.75}
BESIDE = 1.15
LIBRARY = 0.6e9
MOST_ON_A_PROCESSOR = 2000.0  # millions of parameters: beyond it a reply takes minutes


ADAPTER = "it is an adapter, not a model: merge it into its base first (python -m training.merge)"


def no_model(path: str) -> str:
    """Why a path on this machine holds no model; "" where it does, and for a name on the hub."""
    folder = Path(path)
    if not folder.exists():
        return "there is no such folder" if path.startswith(("/", ".", "~")) or path.count("/") > 1 else ""
    if (folder / "adapter_config.json").exists():
        return ADAPTER
    if (folder / "config.json").exists():
        return ""
    made = next((name for name in ("merged", "tuned") if (folder / name / "config.json").exists()), None)
    return f"the model lies one folder below, in {path}/{made}" if made else "it is no folder with a config.json"


class TooLarge(ValueError):
    """This machine cannot hold the model; the sentence says what it can."""


@dataclass(frozen=True)
class Model:
    """One entry. `millions` of parameters; `max_tokens` 0: the page's own limit."""

    title: str
    engine: str
    millions: float
    licence: str
    view: Literal["steps", "proof"] = "steps"
    pair: str = ""
    max_tokens: int = 0
    note: str = ""

    @property
    def download(self) -> float:
        """Bytes of its 16-bit weights."""
        return self.millions * 2e6

    @property
    def is_here(self) -> bool:
        """Whether its weights come with this repository."""
        return self.engine.startswith("hf:assets/")


@dataclass(frozen=True)
class Machine:
    """Bytes that are free: of the graphics card (0: none) and of the memory."""

    gpu: float
    memory: float


@dataclass(frozen=True)
class Fit:
    """How a model is held: where, in how many bits a weight, and how many bytes it takes there."""

    device: Literal["cuda", "cpu"]
    bits: int
    needs: float


@cache
def load_models(path: Path = FILE) -> dict[str, Model]:
    """All models of the file, by name. Raises RecipeError (a ValueError) with everything that is wrong in it."""
    problems: list[str] = []
    models = {}
    for name, raw in read_recipe(path).items():
        models[name] = build(Model, raw, problems, f"{name}.")
    refuse(path, problems)
    for name, model in models.items():
        kind, _, rest = model.engine.partition(":")
        if kind not in ("hf", "openai") or not rest:
            problems.append(f"{name}.engine must be hf:ORG/NAME or openai:URL#MODEL, not {model.engine!r}")
        if model.pair and model.pair not in models:
            problems.append(f"{name}.pair is {model.pair!r}, which is no model of this file")
        if model.millions <= 0 or model.max_tokens < 0:
            problems.append(f"{name}: millions must be above 0 and max_tokens at least 0")
    refuse(path, problems)
    return models


def bytes_needed(model: Model, bits: int) -> float:
    return model.millions * 1e6 * BYTES[bits] * BESIDE + LIBRARY


def fit(model: Model, machine: Machine, has_4_bit: bool = True) -> Fit:
    """The best way to hold `model` in what is free; raises TooLarge with the sentence that the page shows.

    A graphics card takes it in 16 bit, else in 4 (`has_4_bit`: bitsandbytes is installed). A processor computes in
    32 bit, for few have 16-bit units.
    """
    if machine.gpu:
        for bits in (16, 4) if has_4_bit else (16,):
            if (needs := bytes_needed(model, bits)) <= machine.gpu:
                return Fit("cuda", bits, needs)
    needs = bytes_needed(model, 32)
    if needs <= machine.memory and model.millions <= MOST_ON_A_PROCESSOR:
        return Fit("cpu", 32, needs)
    raise TooLarge(_sentence(model, machine, has_4_bit))


def _sentence(model: Model, machine: Machine, has_4_bit: bool) -> str:
    on_card = bytes_needed(model, 4 if has_4_bit else 16)
    if machine.gpu:
        have = f"the graphics card has {_gb(machine.gpu)} free"
    elif model.millions > MOST_ON_A_PROCESSOR:
        have = "there is none here, and a processor would take minutes for each reply"
    else:
        have = f"there is none here, and in memory it takes {_gb(bytes_needed(model, 32))} of the {_gb(machine.memory)} that are free"
    return (
        f"{model.title} needs a graphics card with {_gb(on_card)} free; {have}. Choose a smaller model, or run it on a "
        "server of your own (vLLM, SGLang, llama.cpp) and start the page with MATHTUTOR_ENGINE=openai:URL#MODEL."
    )


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"


def this_machine() -> Machine:
    """What is free now. Memory is what Linux calls available, or the container's own limit where that is less.

    A card that is lent (`zero.py`) holds nothing between two calls: the weights wait in memory, which bounds them too.
    """
    import torch

    from mathtutor.engines import zero

    gpu, memory = float(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else 0.0, _free_memory()
    return Machine(min(gpu, memory) if zero.is_on() else gpu, memory)


def _free_memory() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = float(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    except (OSError, StopIteration, ValueError):  # no Linux: half of all there is
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 if hasattr(os, "sysconf") else 4e9
    try:
        limit = float(Path("/sys/fs/cgroup/memory.max").read_text())
        used = float(Path("/sys/fs/cgroup/memory.current").read_text())
        free = min(free, max(0.0, limit - used))
    except (OSError, ValueError):  # "max": no limit
        pass
    return free
