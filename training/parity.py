"""An exported model beside its original: the same problems, the same greedy replies, every difference listed.

    problems = bank_problems(1000)
    original = Original(folder, max_tokens=320, calculator=True)
    record = compare(original, problems, player)      # `player` maps a problem's token ids to the reply's

An export changes the order of sums, and so the last bits of a score. Where the original held two tokens for
nearly equally likely, that can turn a reply. So each difference comes with its `margin`: how far the two
tokens' log-probabilities lie apart in the original, at the first place where the replies part. A wrong export
differs early, often and by wide margins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from mathtutor.bank import load_bank, split_of
from mathtutor.chat import conversation, encode_conversation
from mathtutor.engines import Generation, Sampling
from mathtutor.engines.hf import HFEngine
from mathtutor.maths.answers import read_answer

SEED = 41  # of the instances: no training data is drawn from it
Player = Callable[[list[int]], list[int]]  # token ids of a prompt -> those of the reply, its end left out


def bank_problems(count: int) -> list[str]:
    """`count` problems of the bank's training families, always the same ones. No family that is scored is used."""
    families = [family for name, family in sorted(load_bank().items()) if split_of(name) == "train"]
    every = (family.instantiate(SEED, number).problem for number in range(count) for family in families)
    return list(islice(every, count))


def need_model(folder: Path) -> None:
    """Ends with a sentence where `folder` is no model's: the libraries would look for its name on the hub."""
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise SystemExit(f"{folder} is no model folder (config.json, *.safetensors): name one with --model")


class Original:
    """The model that was exported, decoded by the project's own engine."""

    def __init__(self, folder: Path, max_tokens: int = 320, calculator: bool = True):
        """Raises ValueError if the folder holds no model that can be loaded."""
        self.folder, self.calculator, self.max_tokens = folder, calculator, max_tokens
        self.engine = HFEngine(str(folder), device="cpu")
        self.sampling = Sampling(max_tokens=max_tokens, calculator=calculator)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @cached_property
    def _model(self):
        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32, use_safetensors=True).eval()

    def prompt(self, problem: str) -> list[int]:
        return encode_conversation(conversation(problem), self.tokenizer)

    def replies(self, problems: Sequence[str]) -> list[Generation]:
        found = dict(self.engine.replies([conversation(problem) for problem in problems], self.sampling))
        return [found[i] for i in range(len(problems))]

    @torch.inference_mode()
    def margin(self, problem: str, ours: list[int], theirs: list[int]) -> float | None:
        """Between the two tokens at which the replies part; None where one of them only ends sooner."""
        place = len(os.path.commonprefix([ours, theirs]))  # it compares any sequences
        ends = [self.tokenizer.eos_token_id]
        first, second = (ids[place : place + 1] or ends for ids in (ours, theirs))
        if first == second:
            return None
        scores = self._model(torch.tensor([self.prompt(problem) + ours[:place]])).logits[0, -1].log_softmax(-1)
        return round((scores[first[0]] - scores[second[0]]).item(), 5)


def compare(original: Original, problems: Sequence[str], player: Player) -> dict:
    """How many replies are the same text, how many give the same answer, and every difference."""
    encode = original.tokenizer.encode
    same_text = same_answer = 0
    different = []
    for problem, reply in zip(tqdm(problems, unit="problem", disable=None), original.replies(problems), strict=True):
        ids = player(original.prompt(problem))
        text = original.tokenizer.decode(ids)
        # Our engine ends a reply that goes in circles; up to there both must read the same.
        agrees = text == reply.text or (reply.finish == "repeating" and text.startswith(reply.text))
        ours, theirs = read_answer(reply.text).value, read_answer(text).value
        same_text += agrees
        same_answer += agrees or ours == theirs
        if not agrees:
            margin = original.margin(problem, encode(reply.text, add_special_tokens=False), ids)
            different.append({"problem": problem, "original": reply.text, "export": text, "margin": margin})
    return {
        "problems": len(problems),
        "same reply": same_text,
        "same answer": same_answer,
        "calculator": original.calculator,
        "max_tokens": original.max_tokens,
        "revision": original.engine.revision,
        "different": different,
    }


def told(record: dict) -> str:
    """The record in a line."""
    margins = [abs(row["margin"]) for row in record["different"] if row["margin"] is not None]
    widest = f"; the original's two tokens lie at most {max(margins):.4f} apart there" if margins else ""
    return (
        f"{record['same reply']:,} of {record['problems']:,} replies are the same text, "
        f"{record['same answer']:,} give the same answer{widest}"
    )
