"""Figures computed from result rows alone; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

Z95 = 1.959964  # two-sided 95%


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927): honest at 0 and at n, and for small n."""
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def summarize(rows: Sequence[dict]) -> dict:
    """Counts over `results.jsonl` rows, each of which is right or one of the rest.

    `cut_off` replies hit a limit, `failed` ones never came, `unparsed` ones ended without an answer.
    """
    n, correct = len(rows), sum(row["correct"] for row in rows)
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n if n else 0.0,
        "interval": [round(bound, 4) for bound in wilson(correct, n)],
        "correct_strict": sum(row["correct_strict"] for row in rows),
        "cut_off": sum(row["cut_off"] for row in rows),
        "failed": sum(row["finish"] == "failed" for row in rows),
        "unparsed": sum(row["answer"] is None and not row["cut_off"] and row["finish"] != "failed" for row in rows),
        "wrong_sums": sum(row["first_wrong_step"] is not None for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 2),
    }
