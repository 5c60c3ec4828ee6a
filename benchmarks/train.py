"""Training speed of Pocket's shape, against the loop that a user would otherwise write, in one run.

    python -m benchmarks.train --out benchmarks/records/train.json            # add --compile where a C++ compiler is

Useful tokens a second, padding not counted, of fine-tuning on the first 2,000 rows. "one at a time" is the
plain loop of the published recipes: one example a batch, float32, AdamW. Every way trains for some seconds
a round; the order is drawn anew in every round, so that a slow minute of the machine hits none of them
twice. Each figure is the median over the rounds.
"""

from __future__ import annotations

from training.run import read_data_rows  # isort: skip  (sets OpenMP up before torch)

import argparse
import random
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoTokenizer

from mathtutor.engines import SHIPPED
from mathtutor.io import write_json
from training.data import Examples, batches_from, collate, tokenize
from training.loop import Compute, make_optimizers, token_loss
from training.pretrain import make_model
from training.recipe import Recipe, RecipeError, load_recipe

ROWS = 2000


class Way:
    """One way to train: its model, its batches, its useful tokens and seconds so far."""

    def __init__(self, recipe: Recipe, examples: Examples, tokenizer, compute: Compute, batch_tokens: int, optimizer: str):
        torch.manual_seed(0)
        phase = replace(recipe.sft, batch_tokens=batch_tokens, optimizer=optimizer)
        self.model = make_model(recipe, tokenizer).train()
        self.optimizers = make_optimizers(self.model, phase)
        self.examples, self.compute, self.pad = examples, compute, tokenizer.pad_token_id
        self.batches = batches_from(examples, batch_tokens, 0, 0, 0)

    def step(self) -> int:
        """One step of the optimizer; its useful tokens."""
        _, _, indices = next(self.batches)
        batch = collate(self.examples, indices, self.pad)
        with self.compute.autocast():
            loss, _ = token_loss(self.model, batch, self.compute.compile)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return int(batch["attention_mask"].sum())

    def speed(self, seconds: float) -> float:
        """Useful tokens a second, over about `seconds`."""
        tokens, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            tokens += self.step()
        return tokens / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="training/recipes/pocket.yaml")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each way in each round (default: 8)")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile: two minutes first")
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    args = parser.parse_args()
    if args.rounds < 1 or not 0 < args.seconds < float("inf"):
        parser.error("--rounds must be 1 or more, --seconds above 0")
    try:
        recipe = load_recipe(args.recipe)
    except (RecipeError, OSError) as error:
        raise SystemExit(str(error)) from error
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["pocket"])
    rows = [row for path in recipe.data.files for row in read_data_rows(path)][:ROWS]
    examples = tokenize(rows, tokenizer, "sft", recipe.sft.max_tokens)

    def way(precision: str, compiled: bool, batch_tokens: int, optimizer: str) -> Way:
        return Way(recipe, examples, tokenizer, Compute("cpu", precision, compiled), batch_tokens, optimizer)

    wide = recipe.sft.batch_tokens
    ways = {
        "one at a time, float32, AdamW": way("fp32", False, 1, "adamw"),
        "batches, float32, AdamW": way("fp32", False, wide, "adamw"),
        "batches, float32, Muon": way("fp32", False, wide, "muon"),
        "batches, bfloat16, Muon": way("bf16", False, wide, "muon"),
    }
    if args.compile:
        ways["batches, bfloat16, Muon, compiled"] = way("bf16", True, wide, "muon")
    for one in ways.values():
        for _ in range(3):  # first steps allocate and compile
            one.step()
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(args.rounds):
        random.Random(number).shuffle(order)
        for name in order:
            speeds[name].append(ways[name].speed(args.seconds))
    base = statistics.median(next(iter(speeds.values())))
    record = {"threads": torch.get_num_threads(), "rounds": args.rounds, "seconds": args.seconds, "ways": {}}
    for name, values in speeds.items():
        median = statistics.median(values)
        record["ways"][name] = {"tokens_per_second": round(median), "times": round(median / base, 2), "all": [round(v) for v in values]}
        print(f"{name:36}{median:8,.0f} useful tokens a second, {median / base:.2f} times the first")
    if args.out:
        write_json(args.out, record)


if __name__ == "__main__":
    main()
