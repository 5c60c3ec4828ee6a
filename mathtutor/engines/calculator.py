"""The calculator inside decoding: after an expression and "=", the exact result is written for the model.

    the model writes   Step 1: The apples cost 5 * 2 =
    the calculator     10                                  (whatever digits the model would have chosen)
    the model goes on   dollars.

A tiny model that knows *which* sum to do often slips in doing it; this takes the slips away and
leaves the reasoning to the model. It acts only between an "=" and the number that follows: the model
may first write a space or "$". When it begins anything but a number, the calculator steps back.
"""

from __future__ import annotations

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


class CalculatorProcessor:
    """A logits processor for transformers' `generate`: forces the due result of each row, token by token.

    A row is forced when the tokens that begin a number hold most of the model's probability;
    otherwise they are forbidden at this place, so that a sampled digit cannot slip past. After a
    result no further digit may follow: "10" must not grow into "100" or "10.5".
    """

    def __init__(self, tokenizer: Any, prompt_length: int, rows: int, vocabulary: int):
        import torch

        self.computed: list[set[int]] = [set() for _ in range(rows)]  # places of forced tokens in the reply
        self._tokenizer = tokenizer
        self._prompt_length = prompt_length
        self._queues: list[list[int]] = [[] for _ in range(rows)]  # tokens still to be forced
        self._closed: list[bool] = [False] * rows  # a result stands at the end: no digit may follow
        pieces = [tokenizer.decode([index]) for index in range(min(vocabulary, len(tokenizer)))]
        starts = [piece.strip(" ")[:1] for piece in pieces]
        self._may_precede = {i for i, piece in enumerate(pieces) if "=" in piece or piece.strip(" $") == ""}
        self._newlines = {i for i, piece in enumerate(pieces) if "\n" in piece}
        self._points = {i for i, piece in enumerate(pieces) if piece in (".", ",")}
        self._digits = torch.tensor([i for i, start in enumerate(starts) if start.isdigit()])
        self._numbers = torch.tensor([i for i, start in enumerate(starts) if start.isdigit() or start in ("-", "−")])

    def __call__(self, input_ids, scores):
        """`input_ids` (rows, time) so far, `scores` (rows, vocabulary) for the next token; returns `scores`."""
        place = input_ids.shape[1] - self._prompt_length
        if not place:
            return scores
        scores = scores.clone()
        for row, last in enumerate(input_ids[:, -1].tolist()):
            queue, computed = self._queues[row], self.computed[row]
            if not queue and place - 1 in computed:
                self._closed[row] = True
            elif self._closed[row] and last not in self._points:
                self._closed[row] = False
            if not queue and not self._closed[row] and last in self._may_precede:
                line = self._last_line(input_ids[row, self._prompt_length :])
                result = due(self._tokenizer.decode(line)) if line else None
                if result is not None:
                    if scores[row].float().softmax(-1)[self._numbers].sum() >= 0.5:
                        queue.extend(self._tokenizer.encode(result, add_special_tokens=False))
                    else:
                        scores[row, self._numbers] = -float("inf")
            if queue:
                scores[row] = -float("inf")
                scores[row, queue.pop(0)] = 0.0
                computed.add(place)
            elif self._closed[row]:
                scores[row, self._digits] = -float("inf")
        return scores

    def _last_line(self, reply) -> list[int]:
        """The ids from the last newline on; [] where it is further back than TAIL_TOKENS: half a sum is another sum.

        Decoding the whole reply at every "=" would be quadratic.
        """
        tail = reply[-TAIL_TOKENS:].tolist()
        for place in range(len(tail) - 1, -1, -1):
            if tail[place] in self._newlines:
                return tail[place:]
        return tail if len(tail) == len(reply) else []
