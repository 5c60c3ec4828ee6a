"""Qwen3's forward pass for decoding on a processor: a static cache, rows of any length side by side.

    forward = Qwen3(model)                          # weights of a transformers Qwen3ForCausalLM, shared or copied once
    cache = forward.cache(slots=64, length=512)
    scores = forward.prefill(ids, cache, slot=0)    # (vocabulary,) for the token after a prompt
    scores = forward.step(tokens, places, cache)    # (rows, vocabulary) for the tokens after those

transformers' `generate` spends most of the time of a small model between the layers' matrix products: masks are
made anew, caches are copied at every token, padding is computed. Here a row has a slot of a cache that never
moves, and its own place in it, so a finished row's slot goes to the next prompt at once.

What stands beside a row has no part in its scores but by rounding: prompts are read one at a time, and steps are
computed for a multiple of ROWS rows, for which the libraries' matrix products did not depend on the number of rows on
one processor, and differ in the last bits on another (tests/test_decoding.py holds 1e-4 and the same best token). So a
reply is a function of its prompt and its seed, unless two tokens lie that close; how often they do, `eval.compare
--noise` measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

ROWS = 4  # steps are computed for a multiple of so many rows: one row alone costs no less
BLOCK = 32  # attention reads the cache up to a multiple of so many places


def is_supported(model) -> bool:
    """Whether `model` is a plain Qwen3 in 32 bits on a processor: all that the forward pass here knows."""
    config = model.config
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type == "qwen3"
        and type(model).__name__ == "Qwen3ForCausalLM"
        and model.dtype == torch.float32
        and model.device.type == "cpu"
        and not config.attention_bias
        and config.hidden_act == "silu"
        and rope.get("rope_type") == "default"
        and set(getattr(config, "layer_types", None) or {"full_attention"}) == {"full_attention"}
    )


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


@dataclass(frozen=True)
class Cache:
    """Keys and values, (layers, slots, heads, length, head size) each; zero where nothing was written."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def slots(self) -> int:
        return self.keys.shape[1]

    def copy(self, source: int, target: int, length: int) -> None:
        """Give slot `target` the first `length` places of slot `source`."""
        for tensor in (self.keys, self.values):
            tensor[:, target, :, :length] = tensor[:, source, :, :length]


class Qwen3:
    """The forward pass. It keeps no state between calls, so threads may share it, each with a cache of its own."""

    def __init__(self, model):
        config = model.config
        self._heads, self._kv, self._size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self._eps, self._num_layers = config.rms_norm_eps, config.num_hidden_layers
        self._frequencies = model.model.rotary_emb.inv_freq.float()
        self._embed, self._norm, self._head = (
            model.model.embed_tokens.weight.detach(), model.model.norm.weight.detach(), model.lm_head.weight.detach(),
        )  # fmt: skip
        self._layers = []
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            # One product in the place of three, or of two.
            qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]).detach()
            norms = [attention.q_norm.weight.expand(self._heads, -1), attention.k_norm.weight.expand(self._kv, -1)]
            self._layers.append(
                (
                    layer.input_layernorm.weight.detach(), qkv, torch.cat(norms).detach(), attention.o_proj.weight.detach(),
                    layer.post_attention_layernorm.weight.detach(),
                    torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).detach(), mlp.down_proj.weight.detach(),
                )
            )  # fmt: skip

    def bytes_per_place(self) -> int:
        """What one token of one row takes in a cache."""
        return 2 * 4 * self._num_layers * self._kv * self._size

    def cache(self, slots: int, length: int, spare: int = 0) -> Cache:
        """An empty cache for steps of so many rows, and `spare` slots at its end that no step touches.

        Memory is taken as it is written to.
        """
        shape = (self._num_layers, _up(slots, ROWS) + spare, self._kv, _up(length, BLOCK), self._size)
        return Cache(torch.zeros(shape), torch.zeros(shape))

    def _angles(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(cosines, sines), (n, 1, half a head) each."""
        angles = places[:, None, None].float() * self._frequencies
        return angles.cos(), angles.sin()

    def _queries_keys_values(self, x, norm, qkv, head_norms, angles):
        """(n, heads, size), (n, kv heads, size) twice: turned by their place."""
        mixed = linear(rms_norm(x, (x.shape[-1],), norm, self._eps), qkv).view(x.shape[0], -1, self._size)
        both = rms_norm(mixed[:, : self._heads + self._kv], (self._size,), None, self._eps) * head_norms
        first, second = both.chunk(2, -1)
        cos, sin = angles
        both = torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
        return both[:, : self._heads], both[:, self._heads :], mixed[:, self._heads + self._kv :]

    def _mlp(self, x, norm, gate_up, down):
        gate, up = linear(rms_norm(x, (x.shape[-1],), norm, self._eps), gate_up).chunk(2, -1)
        return linear(silu(gate).mul_(up), down)

    def _scores(self, x):
        return linear(rms_norm(x, (x.shape[-1],), self._norm, self._eps), self._head)

    @torch.inference_mode()
    def prefill(self, ids: list[int], cache: Cache, slot: int, start: int = 0) -> torch.Tensor:
        """Read `ids` into `slot` from place `start` on, after what stands there; the scores after the last of them."""
        n, end = len(ids), start + len(ids)
        x = self._embed[torch.tensor(ids)]
        angles = self._angles(torch.arange(start, end))
        mask = None
        if start:  # each sees what was there before, and those of its own up to itself
            mask = torch.ones(n, end, dtype=torch.bool).tril(start)
        groups = self._heads // self._kv
        for index, (norm, qkv, head_norms, out, norm2, gate_up, down) in enumerate(self._layers):
            q, k, v = self._queries_keys_values(x, norm, qkv, head_norms, angles)
            cache.keys[index, slot, :, start:end] = k.transpose(0, 1)
            cache.values[index, slot, :, start:end] = v.transpose(0, 1)
            keys = cache.keys[index, slot, :, :end].repeat_interleave(groups, 0)[None]
            values = cache.values[index, slot, :, :end].repeat_interleave(groups, 0)[None]
            seen = scaled_dot_product_attention(q.transpose(0, 1)[None], keys, values, mask, is_causal=not start)
            x = x + linear(seen[0].transpose(0, 1).reshape(n, -1), out)
            x = x + self._mlp(x, norm2, gate_up, down)
        # As many rows as in a step: the last product must not depend on the prompt's length either.
        return self._scores(x[-1:].expand(ROWS, -1).contiguous())[0]

    @torch.inference_mode()
    def step(self, tokens: list[int], places: list[int], cache: Cache) -> torch.Tensor:
        """Read one token for each of the first slots, at its place there; the scores after each."""
        n = _up(len(tokens), ROWS)
        idle = n - len(tokens)
        at, rows = torch.tensor(places + [0] * idle), torch.arange(n)
        end = _up(max(places) + 1, BLOCK)
        x = self._embed[torch.tensor(tokens + [0] * idle)]
        angles = self._angles(at)
        mask = torch.zeros(n, 1, 1, end).masked_fill_((torch.arange(end) > at[:, None])[:, None, None], -torch.inf)
        for index, (norm, qkv, head_norms, out, norm2, gate_up, down) in enumerate(self._layers):
            q, k, v = self._queries_keys_values(x, norm, qkv, head_norms, angles)
            keys, values = cache.keys[index], cache.values[index]
            keys[rows, :, at] = k
            values[rows, :, at] = v
            # The queries that share keys are rows of one attention: nothing is repeated.
            grouped = q.reshape(n, self._kv, -1, self._size)
            seen = scaled_dot_product_attention(grouped, keys[:n, :, :end], values[:n, :, :end], mask)
            x = x + linear(seen.reshape(n, -1), out)
            x = x + self._mlp(x, norm2, gate_up, down)
        return self._scores(x)[: len(tokens)]
