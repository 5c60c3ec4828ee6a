"""How many parameters a run trains, and how much GPU memory it will want: worked out from the shape, without weights.

An estimate, to catch a run that cannot fit before it loads anything; what it was on a GPU stands in the log.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig

from mathtutor.io import read_json
from training.tuning.recipe import TuneRecipe

CONTEXT = 0.7e9  # bytes of CUDA itself and its libraries
TIED = "memory.offload_embedding: this model's output layer shares the embedding, so it must stay: set it to false"
LOSS_TILES = 0.3e9  # bytes: TRL projects onto the vocabulary in tiles, the logits are never whole


@dataclass(frozen=True)
class Count:
    total: int  # parameters, adapter included
    trained: int
    linear: int  # of the layers that a quantised base holds in 4 bits
    embedding: int  # rows that nothing but the input needs: 0 when tied


def count_parameters(config: PretrainedConfig, recipe: TuneRecipe) -> Count:
    """Counts on the meta device: no memory, any size."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    base = sum(p.numel() for p in model.parameters())
    tied = bool(config.tie_word_embeddings)
    embedding = model.get_input_embeddings().weight.numel()
    linear = adapter = 0
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "lm_head":
            linear += module.weight.numel()
            if recipe.lora is not None and name.rsplit(".", 1)[-1] in recipe.lora.targets:
                adapter += recipe.lora.rank * (module.in_features + module.out_features)
    trained = adapter if recipe.lora is not None else base
    return Count(base + adapter, trained, linear, 0 if tied else embedding)


def sharing(processes: int) -> int:
    """How many processes share weights, gradients and optimizer as the launcher has set it up: all by FSDP and ZeRO-3, else 1."""
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        return processes
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() != "true":
        return 1
    stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "0")
    if file := os.environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE"):
        stage = read_json(file).get("zero_optimization", {}).get("stage", 0)
    return processes if int(stage) == 3 else 1


def estimate(config: PretrainedConfig, recipe: TuneRecipe, shards: int = 1, on_gpu: bool = True) -> dict[str, float]:
    """Bytes a GPU, or of main memory: weights, gradients, optimizer, activations, rest. `shards`: processes that share the state, see `sharing`."""
    count, train, memory = count_parameters(config, recipe), recipe.train, recipe.memory
    size = 2 if on_gpu and recipe.model.weights == "bf16" else 4  # a CPU holds and multiplies in 32 bits
    base = count.total - (count.trained if recipe.lora is not None else 0)
    if recipe.quantization is not None:
        bits = 4 + (8 / 64 + 32 / (64 * 256) if recipe.quantization.double else 32 / 64)  # value and its share of a scale
        weights = count.linear * bits / 8 + (base - count.linear) * size
    else:
        weights = base * size
    if on_gpu and memory.offload_embedding:
        weights -= count.embedding * size
    state = {"adamw": 2.0 * size, "adamw_8bit": 2.0, "paged_adamw_8bit": 2.0}[train.optimizer]
    trained_size = 2 if on_gpu and recipe.quantization is not None else 4 if recipe.lora is not None else size
    if recipe.lora is not None:
        weights += count.trained * trained_size
        state = 8.0 if train.optimizer == "adamw" and trained_size == 4 else state
    tokens = train.micro_batch * train.max_tokens
    hidden, layers = config.hidden_size, config.num_hidden_layers
    width = 2 if on_gpu and recipe.model.precision == "bf16" else 4
    # One layer's work: a dozen hidden-sized tensors, four of the feed-forward's width; adapters keep their inputs too.
    layer = tokens * (12 * hidden + 4 * config.intermediate_size) * width
    kept = 2 if on_gpu and memory.offload_activations else layers
    activations = layer + kept * tokens * hidden * width if memory.checkpointing else layers * layer
    # A 4-bit layer is unpacked to 16 bits, one at a time, to be multiplied with.
    unpacked = 2 * hidden * config.intermediate_size if recipe.quantization is not None else 0
    return {
        "weights": weights / shards,
        "gradients": count.trained * trained_size / shards,
        "optimizer": count.trained * state / shards,
        "activations": activations,
        "rest": on_gpu * CONTEXT + LOSS_TILES + unpacked,
    }


def check_model(config: PretrainedConfig, recipe: TuneRecipe) -> None:
    """Raises ValueError when the recipe asks the model for what it has not: before anything is loaded."""
    if recipe.memory.offload_embedding and config.tie_word_embeddings:
        raise ValueError(TIED)
    with torch.device("meta"):
        names = {name.rsplit(".", 1)[-1] for name, m in AutoModelForCausalLM.from_config(config).named_modules() if isinstance(m, nn.Linear)}
    if unknown := sorted(set(recipe.lora.targets if recipe.lora is not None else ()) - names):
        close = difflib.get_close_matches(unknown[0], names, n=1)
        raise ValueError(
            f"lora.targets names {', '.join(unknown)}, and no linear layer of the model is called so: "
            + (f"did you mean {close[0]}?" if close else "") + f" There are {', '.join(sorted(names))}"
        )


def describe(config: PretrainedConfig, recipe: TuneRecipe, shards: int = 1, on_gpu: bool = True) -> list[str]:
    """Parameters and the estimate, as lines for people."""
    count = count_parameters(config, recipe)
    parts = estimate(config, recipe, shards, on_gpu)
    said = ", ".join(f"{name} {value / 1e9:.2f}" for name, value in parts.items())
    where = "a GPU by estimate" if on_gpu else "of main memory by estimate"
    return [
        f"parameters: {count.trained:,} of {count.total:,} are trained ({count.trained / count.total:.2%})",
        f"memory: about {sum(parts.values()) / 1e9:.1f} GB {where} ({said})",
    ]


def check_fits(config: PretrainedConfig, recipe: TuneRecipe, shards: int = 1) -> None:
    """Raises ValueError when the estimate exceeds the GPU that is here. Says nothing about a CPU."""
    if torch.cuda.is_available():
        wanted, there = sum(estimate(config, recipe, shards).values()), torch.cuda.get_device_properties(0).total_memory
        if wanted > there:
            raise ValueError(
                f"memory: the run wants about {wanted / 1e9:.1f} GB a GPU and this one has {there / 1e9:.1f}: lower train.micro_batch "
                "or train.max_tokens, turn memory.checkpointing on, choose method: qlora, or share the state (training/launch/fsdp2.yaml)"
            )
