"""A sum without a story is no question for a model: it is worked out exactly, an operation a step.

    solve_sum("What is 2 + 3 * 4?")   Solved(steps=("3 * 4 = 12", "2 + 12 = 14"), answer=14)
    solve_sum("20% of 50")            Solved(steps=("20% * 50 = 10",), answer=10)
    solve_sum("3x + 7 = 22")          None: an equation is one for the model
"""

from __future__ import annotations

import re
from fractions import Fraction

from mathtutor.maths.arithmetic import evaluate, plain, show
from mathtutor.tutoring.hints import Solved

_ASKED = re.compile(
    r"(?:(?:what(?:['’]s|\s+is|\s+are)|how\s+much\s+(?:is|are)|(?:please\s+)?(?:calculate|compute|work\s+out|solve|find|evaluate|simplify))\b[\s:]*)?"
    r"(?P<sum>.+?)[\s=?.!]*",
    re.IGNORECASE | re.DOTALL,
)
_SPOKEN = (
    (re.compile(r"\bplus\b", re.IGNORECASE), "+"),
    (re.compile(r"\bminus\b", re.IGNORECASE), "-"),
    (re.compile(r"\b(?:times|multiplied\s+by)\b", re.IGNORECASE), "*"),
    (re.compile(r"\bdivided\s+by\b|÷", re.IGNORECASE), "/"),
    (re.compile(r"(?<=[\d%])\s+of\b", re.IGNORECASE), " *"),
    (re.compile(r"(?<=[\d)%])\s*x\s*(?=[\d(.])", re.IGNORECASE), " * "),
    (re.compile(r"[$€£](?=[\d.])"), ""),
)
_OPERATION = re.compile(r"[\d)%]\s*[-+*/^(]|%|[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]\s*[-+*/]")
_FRACTION = re.compile(r"\d/\d")
_TOKENS = re.compile(r"\d+(?:\.\d+)?|[-+*/^()]|\s+")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_NUMBER = r"\d+(?:\.\d+)?"
# The next operation of a sum without brackets, in the order in which a page reads it; of powers the last is first.
_NEXT = (
    re.compile(rf"({_NUMBER}) \^ ({_NUMBER})(?! \^)"),
    re.compile(rf"({_NUMBER}) [*/] ({_NUMBER})"),
    re.compile(rf"({_NUMBER}) [-+] ({_NUMBER})"),
)


def solve_sum(problem: str) -> Solved | None:
    """The problem solved, where it is nothing but plain arithmetic with a value; None otherwise. Never raises on text."""
    asked = _ASKED.fullmatch(problem.strip())
    if asked is None:
        return None
    expression = plain(asked["sum"])
    for spoken, sign in _SPOKEN:
        expression = spoken.sub(sign, expression)
    expression = " ".join(expression.split())
    value = evaluate(expression).value
    if value is None or not _OPERATION.search(expression) or show(value) == expression:
        return None
    return Solved(problem, _steps(expression, value) or (f"{expression} = {show(value)}",), value)


def _steps(expression: str, value: Fraction) -> tuple[str, ...]:
    """One operation a step; none where the sum holds more than plain numbers and signs, such as the fraction in "3/4 * 20", or
    passes a value below 0 or one without an end."""
    if "".join(_TOKENS.findall(expression)) != expression or _FRACTION.search(expression):
        return ()
    left = " ".join(token for token in _TOKENS.findall(expression) if not token.isspace())
    steps: list[str] = []
    while True:
        inner = _INNERMOST.search(left)
        start, end = inner.span(1) if inner else (0, len(left))
        flat = left[start:end]
        found = next((match for pattern in _NEXT if (match := pattern.search(flat))), None)
        if found is None:
            if inner is None:
                break
            left = left[: inner.start()] + flat.strip() + left[inner.end() :]
            continue
        result = evaluate(found[0]).value
        if result is None or result < 0 or not re.fullmatch(_NUMBER, show(result)):
            return ()
        steps.append(f"{found[0]} = {show(result)}")
        left = left[: start + found.start()] + show(result) + left[start + found.end() :]
    return tuple(steps) if left == show(value) else ()
