"""The lines of a reasoning, whole or still being written.

    Step 1: Subtract 7 from both sides: 3x = 22 - 7 = 15      number 1, claims 3x = 22 - 7 and 22 - 7 = 15
    Step 2: 5 apples * $2 =                                    its open expression is 5 * 2

Which equations a line claims is found by `claims`; here lines get their numbers, and a line that still grows is read
so that nothing said about it has to be taken back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mathtutor.maths.arithmetic import evaluate
from mathtutor.maths.claims import Claim, find_claims
from mathtutor.maths.folding import MAX_GAP, fold
from mathtutor.maths.markup import without_markup
from mathtutor.maths.tokens import Token, tokenize

LOOK_BACK = 200  # characters of the current line that open_expression reads


@dataclass(frozen=True)
class Step:
    """One line of a reasoning, without its "Step 1:" label; done is False while the line may still grow."""

    number: int
    text: str
    done: bool
    claims: tuple[Claim, ...]


_BULLET = re.compile(r"(?:#{1,6}\s{1,4}|>\s{1,4})?(?:[-*+•]\s{1,4})?")
_LABEL = re.compile(
    r"(?:\*\*|__)?\s?(?:step\s{0,4}#?(?P<step>\d{1,3})\s?(?:\*\*|__)?\s?(?:[:.)\-–—]+(?!\d)|$)"
    r"|(?P<item>\d{1,3})[.)](?=\s|$))\s{0,4}(?:\*\*|__)?\s{0,4}",
    re.IGNORECASE,
)
# What may stand after the right side of a claim once it is complete: "8" may become 85, 8.5 or 8 * 2.
_SETTLED = re.compile(r"[\s*]*(?:[.,;:!?)]+\s|[^\W\d_]{2,}[^\w]|=|>>|<<)")


def parse_steps(reasoning: str, finished: bool = True) -> list[Step]:
    """The non-empty lines of a reasoning as numbered steps.

    A step carries the number that its line states where that is larger than the one before, else the next free
    one, so numbers always increase. finished=False: the last line may still be growing; it is not done, and of its
    claims only those are given whose right side can no longer change.
    """
    steps: list[Step] = []
    lines = reasoning.split("\n")
    stated = 0  # a "Step 2:" that stands alone names the line below it
    for index, line in enumerate(lines):
        done = finished or index < len(lines) - 1
        line = line.strip("\r").lstrip()
        line = line[_BULLET.match(line).end() :]
        label = _LABEL.match(line)
        if label:
            stated = int(label["step"] or label["item"])
            line = line[label.end() :]
        text = line.rstrip()
        if not any(map(str.isalnum, text)) and (done or not label):
            continue
        claims = find_claims(text)
        if not done:
            claims = [claim for claim in claims if _SETTLED.match(line, claim.end) and _agrees(claim)]
        last = steps[-1].number if steps else 0
        steps.append(Step(stated if stated > last else last + 1, text, done, tuple(claims)))
        stated = 0
    return steps


def _agrees(claim: Claim) -> bool:
    """Do its sides agree as they stand? Those that do not may still be followed by "rounded" or "remainder 1"."""
    return not claim.remainder and evaluate(claim.left).value == evaluate(claim.right).value


_OPEN_END = re.compile(r"=\s*(?:\\?[$€£]\s*)?$")


def open_expression(text: str) -> str | None:
    """The arithmetic that a text ending in "=" has just left open: "so 15 / 3 =" gives "15 / 3".

    None unless it has an operator, no variable, and a value. Reads at most LOOK_BACK characters of the line. Also
    None where the value cannot be trusted to be what comes next: 1/2 cup =, 2 hours + 30 minutes =, 100% - 30% =
    (70% or 0.7), half of 20 + 5 =, and 3/5 =, which an equal fraction may follow; 3 / 5 = is a division.
    """
    end = _OPEN_END.search(text, max(0, len(text) - 8))
    if end is None or "\n" in end.group():
        return None
    begin = max(text.rfind("\n", 0, end.start()) + 1, end.start() - LOOK_BACK)
    line, _ = without_markup(text[begin : end.start()])
    if line[-1:] in ("=", "<", ">", "!"):  # ==, >=
        return None
    tokens = tokenize(line)
    first = max((index + 1 for index, token in enumerate(tokens) if token.kind in ("=", "stop")), default=0)
    runs = fold([*tokens, Token("=", "=", len(line), len(line) + 1)], first, len(tokens))
    if not runs or runs[-1].wants_value() or runs[-1].gap > MAX_GAP:
        return None
    run = runs[-1]
    reaches_back = begin > 0 and text[begin - 1] != "\n" and run.start == tokens[0].start
    run.balance()
    if reaches_back or run.cut or not run.has_operator or run.is_unknown or run.letters:
        return None
    if run.is_sum and run.units_of_a_kind():  # 2 hours + 30 minutes
        return None
    is_note = first > 0 and tokens[first - 1].text == "<<"
    if run.is_percentages or (run.is_single and run.is_tight_fraction and not is_note):
        return None
    expression = run.expression()
    value = evaluate(expression).value
    return expression if value is not None and not run.is_portion(value) else None
