"""What is measured: shapes of published models, the settings of the seed systems, and ours.

The seeds' settings are those of the Qwen3-GSM8K-Synth cards: one sample a micro-batch, no packing, a checkpoint
at every layer with its input kept in the computer's memory, the head's loss in 8 pieces, the input embedding of
the 8B outside the card. They run here on the same code as ours, not on Unsloth's kernels: what is compared is
the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """A Qwen3. `tied`: the head is the embedding."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    head_size: int = 128
    vocabulary: int = 151_936
    tied: bool = True


SHAPES = {
    "8b": Shape(4096, 36, 32, 8, 12288, tied=False),
    "4b": Shape(2560, 36, 32, 8, 9728),
}


@dataclass(frozen=True)
class Way:
    """One way to train one shape, and what it should reach.

    A step of the optimizer sees `samples` samples, packed into rows of `length` tokens or one a row; `rows` of
    them are computed at once.
    """

    shape: str
    samples: int
    rows: int
    length: int
    packed: bool
    rank: int = 16  # of LoRA on all linear layers over NF4 weights; 0: all weights, in 16 bits
    pieces: int = 8  # in which the head's loss is computed
    offload_inputs: bool = False  # of the layers: kept in the computer's memory until the way back
    offload_embedding: bool = False
    against: str = ""  # the way whose tokens a second count as 1
    most_gb: float = 0.0  # aim: memory of the card, by what PyTorch reserved; 0: none
    least_times: float = 0.0  # aim: so many times the tokens a second of `against`
    told_gb: float = 0.0  # what the published card says of its own run, on a card of 12 GB


WAYS = {
    "8b-seed": Way("8b", samples=64, rows=1, length=1024, packed=False, offload_inputs=True, offload_embedding=True, told_gb=11.8),
    "8b-row": Way(
        "8b", samples=64, rows=1, length=1024, packed=True, offload_embedding=True,
        against="8b-seed", most_gb=10, least_times=3,
    ),
    "8b-rows": Way(
        "8b", samples=64, rows=4, length=1024, packed=True, pieces=16, offload_embedding=True,
        against="8b-seed", most_gb=10, least_times=3,
    ),
    "4b-seed": Way("4b", samples=16, rows=1, length=4096, packed=False, rank=32, offload_inputs=True, told_gb=8.1),
    "4b-row": Way("4b", samples=16, rows=1, length=1024, packed=True, rank=32, against="4b-seed", most_gb=8.1, least_times=3),
    "4b-rows": Way("4b", samples=64, rows=4, length=1024, packed=True, rank=32, pieces=16, against="4b-seed", most_gb=8.1, least_times=3),
    "4b-long": Way("4b", samples=1, rows=1, length=45_056, packed=False, rank=32, pieces=44),
    "4b-long-full": Way("4b", samples=1, rows=1, length=45_056, packed=False, rank=0, pieces=44),
}  # fmt: skip


def toy(way: Way) -> tuple[Shape, Way]:
    """The same way at a size that a processor trains in seconds: it tries the code and measures nothing."""
    shape = Shape(64, 2, 2, 1, 128, 32, 512, SHAPES[way.shape].tied)
    length = 256 if way.length <= 4096 else 704
    return shape, replace(way, samples=min(way.samples, 6), length=length, rank=min(way.rank, 4), pieces=4)
