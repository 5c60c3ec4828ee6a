r"""Rows become token ids with a loss mask, and batches in an order that depends on the seed alone.

    prompt  <|im_start|>user\nAna has ...<|im_end|>\n<|im_start|>assistant\n      mask 0 in sft
    target  <think>\nStep 1: ...\n</think>\n\nThe answer is 7.<|im_end|>           mask 1

Pretraining writes the same rows as prose, the way an untuned model talks, and learns from every
token; fine-tuning teaches the tutor's format and learns from the reply alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mathtutor.chat import END, conversation, encode_conversation, render_target
from mathtutor.problem import Row

LINKS = ("Next, ", "Then, ", "After that, ")
IGNORED = -100  # label of a token that is not learned from
# Hidden, these would make a problem unsolvable, not only harder to read; the roles are part of the format.
COUNTING = frozenset(
    "user assistant zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty half third quarter dozen twice double triple pair times more fewer less".split()
)


@dataclass
class Examples:
    """Tokenised rows, flat. Example i is `ids[starts[i]:starts[i + 1]]`."""

    ids: np.ndarray  # (tokens,) uint16 or uint32
    mask: np.ndarray  # (tokens,) bool: learned from
    starts: np.ndarray  # (examples + 1,)
    repeats: np.ndarray  # (examples,) float: times an epoch
    dropped: Counter  # reason -> rows
    hideable: np.ndarray | None = None  # (tokens,) bool: words of the problem that `hide_words` may hide

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    def num_learned(self, indices: Sequence[int]) -> int:
        """Tokens of these examples that are learned from; an example's first token follows nothing."""
        return sum(int(self.mask[self.starts[i] + 1 : self.starts[i + 1]].sum()) for i in indices)


def write_prose(row: Row) -> str:
    """A row's solution as an untuned model would talk: the plan, the steps in sentences, the answer.

    Rows without a plan (GSM8K train) are their own sentences.
    """
    lines = []
    if row.plan:
        lines.append(f"To find {row.asked}, we can work in steps. {row.plan}\n")
    for number, step in enumerate(row.steps):
        if not row.plan:
            lines.append(step)
        elif number == 0:
            lines.append("First, " + _inside(step))
        elif number == len(row.steps) - 1:
            lines.append("Finally, " + _inside(step))
        else:
            lines.append(LINKS[(number - 1) % len(LINKS)] + _inside(step))
    return "\n".join(lines) + f"\n\nSo the answer is **{row.answer}**."


def _inside(sentence: str) -> str:
    """Lower the first letter of a word that is a capital only because it opens the sentence."""
    first = sentence.split(" ", 1)[0]
    common = {"The", "A", "An", "In", "That", "There", "This", "Each", "All", "Altogether", "After", "So", "It",
              "They", "He", "She", "For", "One", "Both", "At", "On", "With", "From", "To", "Half", "Every"}  # fmt: skip
    return sentence[0].lower() + sentence[1:] if first in common else sentence


def is_validation(row_id: str, count: int, total: int) -> bool:
    """Whether a row is kept from training: by the hash of its id, about `count` of `total`."""
    return int(hashlib.sha256(row_id.encode()).hexdigest(), 16) % max(total, 1) < count


def share_of(row: Row, shares: Mapping[str, float]) -> float:
    """How often `row` is seen an epoch: by "source/number of steps" where `shares` names it, else by its source, else once."""
    return shares.get(f"{row.source}/{len(row.steps)}", shares.get(row.source, 1.0))


def tokenize(
    rows: Sequence[Row],
    tokenizer,
    phase: str,
    max_tokens: int,
    shares: dict[str, float] | None = None,
    learn_problem: bool = False,
) -> Examples:
    """Examples of the `phase` "pretrain" or "sft". Rows over `max_tokens` are dropped and counted.

    Fine-tuning learns from the reply alone, or with `learn_problem` from all of the conversation.
    """
    ids: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    hideable: list[np.ndarray] = []
    repeats, dropped = [], Counter()
    is_word = plain_words(tokenizer)
    dtype = np.uint16 if len(tokenizer) < 65536 else np.uint32
    for row in rows:
        repeat = share_of(row, shares or {})
        if repeat == 0:
            dropped["source has share 0"] += 1
            continue
        prompt = encode_conversation(conversation(row.problem), tokenizer)
        text = render_target(row.steps, row.answer) if phase == "sft" else write_prose(row) + END
        target = tokenizer.encode(text, add_special_tokens=False)
        if len(prompt) + len(target) > max_tokens:
            dropped[f"longer than {max_tokens} tokens"] += 1
            continue
        ids.append(np.array(prompt + target, dtype))
        learned = np.ones(len(prompt) + len(target), bool)
        if phase == "sft" and not learn_problem:
            learned[: len(prompt)] = False
        masks.append(learned)
        hideable.append(is_word[prompt + target] & (np.arange(len(learned)) < len(prompt)))
        repeats.append(repeat)
    if not ids:
        raise ValueError(f"no row is left to train on: dropped {dict(dropped)}")
    starts = np.concatenate([[0], np.cumsum([len(x) for x in ids])])
    return Examples(np.concatenate(ids), np.concatenate(masks), starts, np.array(repeats), dropped, np.concatenate(hideable))


def plain_words(tokenizer) -> np.ndarray:
    """(vocabulary,) bool: the tokens with a letter, but for control tokens, roles and words that count."""
    ids = np.zeros(len(tokenizer), bool)
    for token in range(len(tokenizer)):
        text = tokenizer.decode([token])
        ids[token] = any(char.isalpha() for char in text) and text.strip().lower() not in COUNTING
    ids[list(tokenizer.added_tokens_decoder)] = False
    return ids


def hide_words(
    batch: dict[str, torch.Tensor], examples: Examples, indices: Sequence[int], share: float, hidden: int, key: Sequence[int]
) -> None:
    """Put the token `hidden` in place of some of the problems' words, in the inputs alone.

    Half of the examples stay whole; of each other one up to `share` of its words go. A model that has seen each
    wording a hundred times must then read what is left, not know the wording. Which words: a function of (`key`, index).
    """
    for row, index in enumerate(indices):
        rng = np.random.default_rng([*key, index])
        if (own := rng.uniform(-share, share)) > 0:
            start, end = examples.starts[index], examples.starts[index + 1]
            gone = examples.hideable[start:end] & (rng.random(end - start) < own)
            batch["input_ids"][row, np.flatnonzero(gone)] = hidden


def plan_epoch(examples: Examples, batch_tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch as arrays of example indices, a function of (examples, seed, epoch).

    A share of 2.5 means two or three sights of a row. Batches hold examples of like length: little
    padding, and no example sees another.
    """
    rng = np.random.default_rng([seed, epoch])
    times = np.floor(examples.repeats + rng.random(len(examples))).astype(int)
    order = rng.permutation(np.repeat(np.arange(len(examples)), times))
    batches: list[np.ndarray] = []
    lengths = examples.lengths
    window = max(1, 64 * batch_tokens // max(1, int(lengths.mean())))
    for start in range(0, len(order), window):
        chunk = order[start : start + window]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        current: list[int] = []
        for index in chunk:
            # Sorted, so this example is the longest: the batch is as wide as it.
            if current and (len(current) + 1) * lengths[index] > batch_tokens:
                batches.append(np.array(current))
                current = []
            current.append(int(index))
        batches.append(np.array(current))
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(examples: Examples, batch: Sequence[int], pad: int) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask` and `labels` of shape (batch, time), padded on the right."""
    longest = int(examples.lengths[batch].max())
    shape = (len(batch), longest)
    input_ids = torch.full(shape, pad, dtype=torch.long)
    labels = torch.full(shape, IGNORED, dtype=torch.long)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    for row, index in enumerate(batch):
        start, end = examples.starts[index], examples.starts[index + 1]
        ids = torch.from_numpy(examples.ids[start:end].astype(np.int64))
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
        labels[row, : len(ids)] = torch.where(torch.from_numpy(examples.mask[start:end]), ids, IGNORED)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def batches_from(
    examples: Examples, batch_tokens: int, seed: int, epoch: int, position: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """(epoch, position after this batch, batch) for ever, from a place in the order."""
    while True:
        plan = plan_epoch(examples, batch_tokens, seed, epoch)
        for index in range(position, len(plan)):
            yield epoch, index + 1, plan[index]
        epoch, position = epoch + 1, 0


def show_mask(examples: Examples, tokenizer, index: int = 0, color: bool = True) -> str:
    """One example as text, the learned part in green (or between >> and << without color)."""
    start, end = examples.starts[index], examples.starts[index + 1]
    text, inside = "", False
    on, off = ("\x1b[32m", "\x1b[0m") if color else (">>", "<<")
    for token, learned in zip(examples.ids[start:end], examples.mask[start:end], strict=True):
        if learned != inside:
            text += on if learned else off
            inside = bool(learned)
        text += tokenizer.decode([int(token)])
    return text + (off if inside else "")
