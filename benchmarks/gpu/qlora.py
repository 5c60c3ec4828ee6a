"""One training step of a Qwen3 over NF4 weights, written out so that each measure against memory is a switch.

    model = build(shape, way, device)      # random weights of the true shape; 16 bits of one matrix at a time
    for batch in batches(samples, way): loss = forward(model, batch, way) / learned; loss.backward()

Weights are random: memory and speed do not depend on their values. Each matrix is made, rounded to NF4 (with
double quantisation) and forgotten before the next one, so the model never exists in 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.gpu.shapes import Shape, Way

IGNORED = -100
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class AwayEmbedding(torch.nn.Module):
    """An embedding that stays in the computer's memory: only the rows that are looked up travel."""

    def __init__(self, weight: torch.Tensor, device: str):
        super().__init__()
        self._weight, self._device = weight.cpu(), device  # no parameter: nothing moves or trains it

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding(ids.cpu(), self._weight).to(self._device)


def _fill(module: torch.nn.Module, device: str, dtype: torch.dtype) -> None:
    """Random values for the parameters of a module that exists by name alone."""
    for name, parameter in list(module.named_parameters(recurse=False)):
        value = torch.randn(parameter.shape, device=device, dtype=dtype).mul_(0.02)
        if parameter.dim() == 1:
            value.fill_(1.0)
        setattr(module, name, torch.nn.Parameter(value, requires_grad=parameter.requires_grad))


def build(shape: Shape, way: Way, device: str) -> Qwen3ForCausalLM:
    """The model, ready to be trained: adapters on frozen NF4 weights, or all weights in 16 bits (rank 0)."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    config = Qwen3Config(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, intermediate_size=shape.ffn,
        head_dim=shape.head_size, max_position_embeddings=max(way.length, 4096), tie_word_embeddings=shape.tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0}, dtype=dtype,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        model = Qwen3ForCausalLM(config)
    core = model.model
    core.rotary_emb = type(core.rotary_emb)(config).to(device)
    if way.rank:
        for layer in core.layers:
            for part in (layer.self_attn, layer.mlp):
                for name in [name for name, child in part.named_children() if isinstance(child, torch.nn.Linear)]:
                    setattr(part, name, _nf4(getattr(part, name), device, dtype))
    # NF4 matrices are there; all else exists by name alone.
    for module in model.modules():
        if any(p.is_meta for p in module.parameters(recurse=False)):
            _fill(module, device, dtype)
    if shape.tied:
        model.lm_head.weight = core.embed_tokens.weight
    if way.rank:
        model.requires_grad_(False)
        _add_adapters(model, way.rank, dtype)
    if way.offload_embedding:
        core.embed_tokens = AwayEmbedding(core.embed_tokens.weight.detach(), device)
    return model.train()


def _nf4(linear: torch.nn.Linear, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """A random matrix of this shape in NF4."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    with torch.device("meta"):
        quantised = Linear4bit(
            linear.in_features, linear.out_features, bias=False, compute_dtype=dtype, quant_type="nf4", compress_statistics=True
        )
    value = torch.randn(linear.out_features, linear.in_features, device=device, dtype=dtype).mul_(0.02)
    quantised.weight = Params4bit(value, requires_grad=False, quant_type="nf4", compress_statistics=True).to(device)
    return quantised


def _add_adapters(model: Qwen3ForCausalLM, rank: int, dtype: torch.dtype) -> None:
    """LoRA on every linear layer, in place and in the model's own number format."""
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS, lora_dropout=0.0, bias="none"), model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


@dataclass
class Batch:
    """Rows that are computed at once: (rows, time) each; `mask` (rows, 1, time, time), None for one sample a row."""

    ids: torch.Tensor
    labels: torch.Tensor
    places: torch.Tensor
    mask: torch.Tensor | None
    tokens: int  # without padding


def pack(lengths: Sequence[int], length: int) -> list[list[int]]:
    """Samples, by number, in rows of at most `length` tokens: each goes to the first row that has room, the longest first."""
    rows: list[list[int]] = []
    room: list[int] = []
    for sample in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        place = next((i for i, left in enumerate(room) if left >= lengths[sample]), None)
        if place is None:
            rows.append([])
            room.append(length)
            place = len(rows) - 1
        rows[place].append(sample)
        room[place] -= lengths[sample]
    return rows


def batches(samples: Sequence[tuple[torch.Tensor, int]], way: Way, device: str) -> list[Batch]:
    """The samples (ids, length of the prompt) of one step as batches; prompts are not learned from.

    Packed samples neither see each other nor count their places on from each other.
    """
    rows = pack([len(ids) for ids, _ in samples], way.length) if way.packed else [[i] for i in range(len(samples))]
    made = []
    for start in range(0, len(rows), way.rows):
        chosen = rows[start : start + way.rows]
        longest = max(sum(len(samples[i][0]) for i in row) for row in chosen)
        ids = torch.zeros(len(chosen), longest, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        places, owner = torch.zeros_like(ids), torch.full_like(ids, -1)
        for place, row in enumerate(chosen):
            begin = 0
            for i in row:
                tokens, prompt = samples[i]
                end = begin + len(tokens)
                ids[place, begin:end], owner[place, begin:end] = tokens, i
                places[place, begin:end] = torch.arange(len(tokens))
                labels[place, begin + prompt : end] = tokens[prompt:]
                begin = end
        mask = None
        if way.packed or len(chosen) > 1:
            own = owner[:, None, :, None] == owner[:, None, None, :]
            mask = (own & torch.ones(longest, longest, dtype=torch.bool).tril()).to(device)
        made.append(Batch(ids.to(device), labels.to(device), places.to(device), mask, int((owner >= 0).sum())))
    return made


def _away(x: torch.Tensor) -> torch.Tensor:
    """A copy in the computer's memory; from a card into pinned pages, so that the card does not wait for it."""
    return torch.empty(x.shape, dtype=x.dtype, pin_memory=x.is_cuda).copy_(x, non_blocking=True)


class _Again(torch.autograd.Function):
    """A layer of which only the input is kept, here or in the computer's memory; the way back computes it again."""

    @staticmethod
    def forward(ctx, x, layer, keywords, away):
        ctx.layer, ctx.keywords, ctx.device = layer, keywords, x.device
        ctx.kept = _away(x.detach()) if away else x.detach()
        with torch.no_grad():
            return layer(x, **keywords)

    @staticmethod
    def backward(ctx, gradient):
        x = ctx.kept.to(ctx.device, non_blocking=True).requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(ctx.layer(x, **ctx.keywords), gradient)
        return x.grad, None, None, None


def summed_loss(head: torch.nn.Module, hidden: torch.Tensor, labels: torch.Tensor, pieces: int) -> torch.Tensor:
    """Cross entropy summed over the learned tokens; the scores of a piece exist only while it is computed."""

    def piece(hidden, labels):
        return cross_entropy(head(hidden).float(), labels, reduction="sum")

    total = hidden.new_zeros((), dtype=torch.float32)
    for part, wanted in zip(hidden.tensor_split(pieces), labels.tensor_split(pieces), strict=True):
        if len(part):
            total = total + torch.utils.checkpoint.checkpoint(piece, part, wanted, use_reentrant=False)
    return total


def forward(model: Qwen3ForCausalLM, batch: Batch, way: Way) -> torch.Tensor:
    """The summed loss of a batch."""
    core = model.model
    # A layer's input must want a gradient, else the way back would never reach the adapters in it.
    hidden = core.embed_tokens(batch.ids)
    hidden = hidden if hidden.requires_grad else hidden.requires_grad_()
    keywords = {
        "attention_mask": batch.mask,
        "position_ids": batch.places,
        "position_embeddings": core.rotary_emb(hidden, batch.places),
    }
    for layer in core.layers:
        hidden = _Again.apply(hidden, layer, keywords, way.offload_inputs)
    labels = batch.labels[:, 1:]
    wanted = labels != IGNORED
    return summed_loss(model.lm_head, core.norm(hidden)[:, :-1][wanted], labels[wanted], way.pieces)


def step(model, optimizer, samples, way: Way, device: str) -> tuple[float, int]:
    """One step of the optimizer; (mean loss a learned token, tokens without padding)."""
    made = batches(samples, way, device)
    learned = sum(int((batch.labels[:, 1:] != IGNORED).sum()) for batch in made)
    total = 0.0
    for batch in made:
        loss = forward(model, batch, way) / learned
        loss.backward()
        total += loss.detach()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(total), sum(batch.tokens for batch in made)
