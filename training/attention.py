"""Causal attention as three plain products, for training on a CPU.

The fused kernel that torch chooses there never holds the (time, time) weights, which pays where they are large; its
backward pass in bfloat16 took two fifths of a whole step of Pocket's. At the length of a word problem the weights are
small, and products that the processor has tiles for are faster. In float32, without tiles, they are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import AttentionInterface

NAME = "causal_products"
LONGEST = 1024  # tokens: a layer keeps 6 bytes a head and pair of tokens, 0.2 GB of 8 rows of 1,024 with 4 heads


def causal_products(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask=None, *, scaling: float, **_
) -> tuple[torch.Tensor, None]:
    """What `transformers` asks of an attention, for batches that are padded on the right; without dropout.

    query (batch, heads, time, size), key and value (batch, kv_heads, time, size); returns (batch, time, heads, size).
    No mask is looked at: `transformers` makes none for an attention that it does not know.
    """
    batch, heads, time, size = query.shape
    kv_heads = key.shape[1]
    rows = (batch, kv_heads, heads // kv_heads * time)  # the heads that share a key, one under the other
    scores = (query.reshape(*rows, size) @ key.transpose(-1, -2)).view(batch, heads, time, time) * scaling
    later = torch.ones(time, time, dtype=torch.bool, device=query.device).triu(1)
    weights = torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1, dtype=torch.float32).to(value.dtype)
    mixed = (weights.view(*rows, time) @ value).view(batch, heads, time, size)
    return mixed.transpose(1, 2).contiguous(), None


def suits(config, longest: int) -> bool:
    """Whether `causal_products` computes what a model of this configuration asks for, in rows of up to `longest` tokens, and pays."""
    plain = config.model_type in ("qwen3", "llama") and not getattr(config, "attention_dropout", 0.0)
    whole = all(kind == "full_attention" for kind in getattr(config, "layer_types", None) or ())
    return plain and whole and longest <= LONGEST


@contextmanager
def by_products(model) -> Iterator[None]:
    """Let `model` attend so for a while."""
    before = model.config._attn_implementation
    AttentionInterface.register(NAME, causal_products)
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
