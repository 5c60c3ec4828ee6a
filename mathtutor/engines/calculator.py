"""The calculator inside decoding: after an expression and "=", the exact result is written for the model.

    the model writes   Step 1: The apples cost 5 * 2 =
    the calculator     10                                  (whatever digits the model would have chosen)
    the model goes on   dollars.

A tiny model that knows *which* sum to do often slips in doing it; this takes the slips away and
leaves the reasoning to the model. It acts only between an "=" and the number that follows: the model
may first write a space or "$". When it begins anything but a number, the calculator steps back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathtutor.maths.arithmetic import evaluate, show
from mathtutor.maths.steps import open_expression

TAIL_TOKENS = 512  # more than any line with an expression that is read; longer lines get no result


def due(text: str) -> str | None:
    """The result that must come next in a reply that reads `text` so far, or None.

    A result whose decimals do not end (10 / 3) is left to the model.
    """
    line = text.rsplit("\n", 1)[-1]
    if not line.rstrip(" $").endswith("="):
        return None
    expression = open_expression(line)
    value = evaluate(expression).value if expression else None
    shown = show(value) if value is not None else None
    return None if shown is None or "/" in shown else shown


class Calculator:
    """What is known of a tokenizer's pieces; `row()` is the calculator of one reply.

    A row is forced when the tokens that begin a number hold most of the model's probability;
    otherwise they are forbidden at this place, so that a sampled digit cannot slip past. After a
    result no further digit may follow: "10" must not grow into "100" or "10.5".
    """

    def __init__(self, tokenizer: Any, vocabulary: int):
        import torch

        self.tokenizer = tokenizer
        pieces = [tokenizer.decode([index]) for index in range(min(vocabulary, len(tokenizer)))]
        starts = [piece.strip(" ")[:1] for piece in pieces]
        self.may_precede = {i for i, piece in enumerate(pieces) if "=" in piece or piece.strip(" $") == ""}
        self.newlines = {i for i, piece in enumerate(pieces) if "\n" in piece}
        self.points = {i for i, piece in enumerate(pieces) if piece in (".", ",")}
        self.digits = torch.tensor([i for i, start in enumerate(starts) if start.isdigit()])
        self.numbers = torch.tensor([i for i, start in enumerate(starts) if start.isdigit() or start in ("-", "−")])

    def row(self) -> CalculatorRow:
        return CalculatorRow(self)


class CalculatorRow:
    """The calculator of one reply: asked before each of its tokens, in turn."""

    def __init__(self, calculator: Calculator):
        self.computed: set[int] = set()  # places of forced tokens in the reply
        self._known = calculator
        self._queue: list[int] = []  # tokens still to be forced
        self._closed = False  # a result stands at the end: no digit may follow

    @property
    def is_writing(self) -> bool:
        """Whether the next token is already certain."""
        return bool(self._queue)

    def steer(self, reply: Sequence[int], scores) -> None:
        """Change `scores` (vocabulary,) for the token after the ids of `reply`, in place."""
        if not reply:
            return
        place, last, known = len(reply), reply[-1], self._known
        if not self._queue and place - 1 in self.computed:
            self._closed = True
        elif self._closed and last not in known.points:
            self._closed = False
        if not self._queue and not self._closed and last in known.may_precede:
            line = self._last_line(reply)
            result = due(known.tokenizer.decode(line)) if line else None
            if result is not None:
                if scores.float().softmax(-1)[known.numbers].sum() >= 0.5:
                    self._queue.extend(known.tokenizer.encode(result, add_special_tokens=False))
                else:
                    scores[known.numbers] = -float("inf")
        if self._queue:
            scores.fill_(-float("inf"))
            scores[self._queue.pop(0)] = 0.0
            self.computed.add(place)
        elif self._closed:
            scores[known.digits] = -float("inf")

    def _last_line(self, reply: Sequence[int]) -> list[int]:
        """The ids from the last newline on; [] where it is further back than TAIL_TOKENS: half a sum is another sum.

        Decoding the whole reply at every "=" would be quadratic.
        """
        tail = list(reply[-TAIL_TOKENS:])
        for place in range(len(tail) - 1, -1, -1):
            if tail[place] in self._known.newlines:
                return tail[place:]
        return tail if len(tail) == len(reply) else []


class CalculatorProcessor:
    """The calculator as a logits processor, for who calls transformers' `generate` directly."""

    def __init__(self, tokenizer: Any, prompt_length: int, rows: int, vocabulary: int):
        calculator = Calculator(tokenizer, vocabulary)
        self._prompt_length = prompt_length
        self._rows = [calculator.row() for _ in range(rows)]

    @property
    def computed(self) -> list[set[int]]:
        """The places of forced tokens in each reply."""
        return [row.computed for row in self._rows]

    def __call__(self, input_ids, scores):
        """`input_ids` (rows, time) so far, `scores` (rows, vocabulary) for the next token; returns `scores`."""
        scores = scores.clone()
        for row, ids, out in zip(self._rows, input_ids[:, self._prompt_length :].tolist(), scores, strict=True):
            row.steer(ids, out)
        return scores
