"""Items become token ids with labels, rows of several examples, and the order in which a run sees them.

The order is a function of the seed and the step alone: killed runs, slices of any length and any number of
processes see the same examples in the same step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from datasets import Dataset, Features, List, Value
from trl.data_utils import pack_dataset

from training.data import IGNORED, is_validation
from training.tuning.items import Item, encode
from training.tuning.recipe import TuneRecipe

FEATURES = Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))})


@dataclass(frozen=True)
class Tokens:
    """Examples as a data set with the columns input_ids, labels and, when packed, seq_lengths."""

    rows: Dataset
    examples: int
    learned: int  # tokens
    total: int
    dropped: Counter  # reason -> examples
    dropped_tokens: int
    longest: int
    first: tuple[list[int], list[int]]  # ids and labels of the first example, for people to look at

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) tokens a row."""
        return np.array([len(ids) for ids in self.rows["input_ids"]])


def split_items(items: Sequence[Item], validation: int) -> tuple[list[Item], list[Item]]:
    """(training, validation): about `validation` items are kept out, by the hash of their problem."""
    sides: tuple[list[Item], list[Item]] = ([], [])
    for item in items:
        sides[is_validation(item.key, validation, len(items))].append(item)
    if not sides[0]:
        raise ValueError(f"data.validation {validation} keeps all {len(items)} items from training: lower it")
    if validation and not sides[1]:
        raise ValueError(f"data.validation {validation} of {len(items)} items keeps none from training: raise it, or set it to 0")
    return sides


def tokenize_items(items: Sequence[Item], tokenizer, recipe: TuneRecipe) -> Tokens:
    """All items that fit into `train.max_tokens`, packed if the recipe says so. Raises ValueError if none does."""
    train, ids, labels = recipe.train, [], []
    dropped: Counter = Counter()
    dropped_tokens = learned = longest = 0
    for item in items:
        one, wanted = encode(item, tokenizer, recipe.model.end, train.learn)
        longest = max(longest, len(one))
        if len(one) > train.max_tokens:
            dropped[f"longer than {train.max_tokens:,} tokens"] += 1
            dropped_tokens += len(one)
            continue
        ids.append(one)
        labels.append(wanted)
        learned += sum(label != IGNORED for label in wanted[1:])
    if not ids:
        raise ValueError(f"no example is left to train on: {dict(dropped)}, the longest has {longest:,} tokens")
    rows = Dataset.from_dict({"input_ids": ids, "labels": labels}, features=FEATURES)
    if train.packing:
        rows = pack_dataset(rows, train.max_tokens, "bfd")
    return Tokens(rows, len(ids), learned, sum(map(len, ids)), dropped, dropped_tokens, longest, (ids[0], labels[0]))


TOO_MUCH = 1 / 20  # of the rows, shown beyond `epochs`
FEW_UPDATES = 30


def steps_of(recipe: TuneRecipe, rows: int) -> int:
    """Steps of the run: as many as the recipe says, or `epochs` times the batches that hold all rows once.

    Batches are always full, so that counts up to a batch too much an epoch. On a large set it is nothing, and the
    cards count so; where it is more than a twentieth (below 20 batches an epoch) the nearest number of steps is taken.
    """
    batch, epochs = recipe.train.batch, recipe.train.epochs
    if recipe.train.steps:
        return recipe.train.steps
    batches = -(-rows // batch)
    if batches * batch <= (1 + TOO_MUCH) * rows:
        return epochs * batches
    return max(1, round(epochs * rows / batch))


def length_lines(recipe: TuneRecipe, rows: int, steps: int, processes: int = 1) -> list[str]:
    """How often the rows are seen, and how to mend it where that is not what the recipe says or the updates are few."""
    train, seen = recipe.train, steps * recipe.train.batch / rows
    what = "packed rows" if train.packing else "examples"
    lines = [f"passes: {_counted(steps, 'step')} of {train.batch} {what}, {rows:,} of them there: each is seen {seen:.2f} times"]
    wrong = [f"each is seen {seen:.2f} times, not {train.epochs}"] * (train.epochs > 0 and abs(seen - train.epochs) > TOO_MUCH * train.epochs)
    wrong += [f"{_counted(steps, 'update')} may be too few to learn from"] * (train.epochs > 0 and steps < FEW_UPDATES)
    batch = max(train.epochs * rows // FEW_UPDATES // processes, 1) * processes  # all processes share it
    if wrong and batch < train.batch:
        micro = math.gcd(batch // processes, train.micro_batch)
        more = f" --set train.micro_batch={micro}" if micro != train.micro_batch else ""
        gives = steps_of(replace(recipe, train=replace(train, batch=batch, micro_batch=micro)), rows)
        lines.append(f"warning: {', and '.join(wrong)}: --set train.batch={batch}{more} gives {_counted(gives, 'step')} and {gives * batch / rows:.2f} times")
    elif wrong:
        lines.append(f"warning: {', and '.join(wrong)}: it wants more data, or a higher train.epochs")
    return lines


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def plan(rows: int, recipe: TuneRecipe, steps: int) -> np.ndarray:
    """(steps * batch,) row numbers: one shuffle of all rows after another. A stream of texts keeps its order."""
    wanted = steps * recipe.train.batch
    if recipe.is_text:
        return np.arange(wanted) % rows
    epochs = -(-wanted // rows)
    return np.concatenate([np.random.default_rng([recipe.seed, e]).permutation(rows) for e in range(epochs)])[:wanted]
