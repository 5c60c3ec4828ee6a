"""One reply in the making: what may come next, which token is drawn, when it is over.

    rules = Rules(tokenizer, ends, vocabulary)
    row = Row(rules, sampling, seed=(7, 0))
    row.steer(scores)                         # the calculator and the thinking budget write into `scores`
    (token,) = draw(scores[None], sampling, [row])
    row.take(token)                           # until row.finish is "stop", "length" or "repeating"

Both ways of decoding, `qwen3.py`'s and transformers' `generate`, work through these rows, so that they
differ in speed alone. A row draws from its own stream of random numbers: what it writes depends on its
prompt and its seed, not on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy
import torch

from mathtutor.chat import END_THINK, THINK
from mathtutor.engines import Sampling
from mathtutor.engines.calculator import Calculator, CalculatorRow
from mathtutor.engines.cycles import EVERY, TAIL_TOKENS, goes_in_circles

SHORTLIST = 256  # tokens among which top-p is looked for first: sorting a vocabulary takes longer than a small model


class Rules:
    """What the rows of one model share. Tables are made when they are first needed."""

    def __init__(self, tokenizer, ends: set[int], vocabulary: int):
        self.tokenizer, self.ends, self._vocabulary = tokenizer, ends, vocabulary
        added = {token.content: index for index, token in tokenizer.added_tokens_decoder.items()}
        self.think, self.end_think = added.get(THINK), added.get(END_THINK)
        self._texts: dict[str, list[int]] = {}

    @cached_property
    def calculator(self) -> Calculator:
        return Calculator(self.tokenizer, self._vocabulary)

    def ids_of(self, text: str) -> list[int]:
        if text not in self._texts:
            self._texts[text] = self.tokenizer.encode(text, add_special_tokens=False)
        return self._texts[text]

    def is_thinking(self, ids: Sequence[int]) -> bool:
        """Whether the last think tag among `ids` is an opening one."""
        last = next((token for token in reversed(ids) if token in (self.think, self.end_think)), None)
        return last is not None and last == self.think


class Row:
    """One reply. `ids` holds its tokens, without the one that ended it."""

    def __init__(self, rules: Rules, sampling: Sampling, seed: tuple[int, int] = (0, 0), prompt: Sequence[int] = ()):
        """`prompt`: its ids, of which only whether it ends inside `<think>` matters here."""
        if sampling.think_budget and rules.think is None:
            raise ValueError(f"this model has no {THINK} token: a thinking budget means nothing to it")
        self.ids: list[int] = []
        self.finish: str | None = None
        self.seconds = 0.0  # its share of the time
        self.log_probabilities: list[float] = []  # of the tokens that the model chose itself
        self._rules, self._sampling = rules, sampling
        self._calculator: CalculatorRow | None = rules.calculator.row() if sampling.calculator else None
        self._numbers = numpy.random.Generator(numpy.random.Philox(key=numpy.array([n % 2**64 for n in seed], numpy.uint64)))
        self._thinks = bool(sampling.think_budget) and rules.is_thinking(prompt)
        self._budget = sampling.think_budget
        self._queue: list[int] = []  # what closes the thinking, still to be forced
        self.was_forced = False  # the token that comes next is not the model's choice

    @property
    def computed(self) -> set[int]:
        """Places of the tokens that the calculator wrote."""
        return self._calculator.computed if self._calculator else set()

    def steer(self, scores: torch.Tensor) -> None:
        """Change `scores` (vocabulary,) for the next token, in place."""
        if self._calculator:
            self._calculator.steer(self.ids, scores)
        self.was_forced = len(self.ids) in self.computed
        if self._thinks and not self._queue and self._budget <= len(self.ids) and not self.was_forced:
            self._queue = list(self._rules.ids_of(self._sampling.think_stop))
            self._budget = self._sampling.max_tokens + 1  # once: a stop text without the tag must not come again
        if self._queue and not self.was_forced:
            scores.fill_(-torch.inf)
            scores[self._queue.pop(0)] = 0.0
            self.was_forced = True

    def random(self) -> float:
        """The next number of this row's stream, in [0, 1)."""
        return self._numbers.random()

    def take(self, token: int, log_probability: float | None = None) -> None:
        """Add a token, or end the reply."""
        if log_probability is not None and not self.was_forced:
            self.log_probabilities.append(log_probability)
        if token in self._rules.ends:
            self.finish = "stop"
            return
        self.ids.append(token)
        if self._sampling.think_budget and token in (self._rules.think, self._rules.end_think):
            self._thinks = token == self._rules.think
        if len(self.ids) % EVERY == 0 and goes_in_circles(self._rules.tokenizer.decode(self.ids[-TAIL_TOKENS:])):
            self.finish = "repeating"
        elif len(self.ids) == self._sampling.max_tokens:
            self.finish = "length"


def draw(scores: torch.Tensor, sampling: Sampling, rows: Sequence[Row]) -> list[int]:
    """A token for each row of `scores` (rows, vocabulary): the best one, or one drawn with the row's own number.

    Temperature, then top-k, then top-p, as in transformers.
    """
    if sampling.temperature == 0:
        return scores.argmax(-1).tolist()
    scores = scores.float() / sampling.temperature
    numbers = torch.tensor([row.random() for row in rows], dtype=torch.float64)[:, None]
    if sampling.top_p >= 1 and not sampling.top_k:
        total = scores.softmax(-1).double().cumsum(-1)
        return _first_above(total, numbers * total[:, -1:]).tolist()
    size = min(sampling.top_k or max(SHORTLIST, 1), scores.shape[-1])
    best, tokens = scores.topk(size, -1)
    # The mass of the whole vocabulary for top-p, of those kept by top-k where both are asked.
    whole = best if sampling.top_k else scores
    shares = (best - whole.logsumexp(-1, keepdim=True)).exp().double()
    if not sampling.top_k and (shares.sum(-1) < sampling.top_p).any():
        best, tokens = scores.sort(-1, descending=True)
        shares = best.softmax(-1).double()
    before = shares.cumsum(-1) - shares
    total = torch.where(before < sampling.top_p, shares, 0.0).cumsum(-1)
    return tokens.gather(-1, _first_above(total, numbers * total[:, -1:])[:, None])[:, 0].tolist()


def _first_above(total: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The first place in each row of ascending sums that exceeds the row's number, (rows,)."""
    return torch.searchsorted(total, numbers, right=True)[:, 0].clamp_max(total.shape[-1] - 1)
