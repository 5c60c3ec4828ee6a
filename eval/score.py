"""Score files of model outputs again, under any reading of answers.

    python -m eval.score evals/pocket-svamp/results.jsonl
    python -m eval.score cot.jsonl thinking.jsonl --reading q06 --json

Accepted rows: ours (`reply`, `gold`) and those of the Qwen3-0.6B experiments (`model_output`,
`ground_truth_answer`). Readings: `robust` (ours), `strict` (`#### N`), and the published readers of
two seed systems, `synth` and `q06`, whose crashes are counted and score as wrong.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from eval.metrics import wilson
from mathtutor.io import Damaged, read_rows
from mathtutor.maths.answers import READINGS, is_correct

REPLY_KEYS = ("reply", "model_output", "output", "completion")
GOLD_KEYS = ("gold", "ground_truth_answer", "answer", "target")


@dataclass(frozen=True)
class FileScore:
    """One file under one reading."""

    file: str
    reading: str
    n: int
    correct: int
    accuracy: float
    interval: tuple[float, float]  # Wilson, 95%
    unparsed: int  # a finished reply without a readable answer, or a null in its place
    cut_off: int  # the reasoning never closed
    crashes: int
    failed: int  # the server gave no reply


def score_file(path: str, reading: str) -> FileScore:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    n = correct = unparsed = cut_off = crashes = failed = 0
    for number, row in enumerate(read_rows(Path(path)), start=1):
        reply = next((row[key] for key in REPLY_KEYS if isinstance(row.get(key), str)), None)
        gold = next((row[key] for key in GOLD_KEYS if row.get(key) is not None), None)
        is_null = reply is None and any(key in row and row[key] is None for key in REPLY_KEYS)
        if is_null:
            reply = ""
        if reply is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a reply ({', '.join(REPLY_KEYS)}) and a gold answer ({', '.join(GOLD_KEYS)})"
            )
        score = is_correct(reply, str(gold), reading)
        if score.gold is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the gold answer {str(gold)[-60:]!r}")
        n += 1
        if row.get("finish") == "failed":
            failed += 1
            continue
        if is_null:
            unparsed += 1
            continue
        # A reply that we know to have hit the token limit, or to have gone in circles, is no answer, whatever number it ends on.
        limited = reading == "robust" and row.get("finish") in ("length", "repeating")
        correct += score.correct and not limited
        if limited or score.answer.cut_off:
            cut_off += 1
        elif score.answer.crashed:
            crashes += 1
        elif score.answer.value is None:
            unparsed += 1
    if not n:
        raise ValueError(f"{path} holds no rows")
    low, high = wilson(correct, n)
    interval = (round(low, 4), round(high, 4))
    return FileScore(path, reading, n, correct, correct / n, interval, unparsed, cut_off, crashes, failed)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--reading", choices=READINGS, default="robust")
    parser.add_argument("--json", action="store_true", help="one JSON array, an object a file")
    args = parser.parse_args(argv)
    try:
        scores = [score_file(path, args.reading) for path in args.files]
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    if args.json:
        print(json.dumps([score.__dict__ for score in scores], indent=2))
        return
    for score in scores:
        low, high = score.interval
        print(
            f"{score.file}\n  {score.reading}: {score.correct} of {score.n} right = {score.accuracy:.2%} "
            f"(95% interval {low:.1%} to {high:.1%}); {score.unparsed} without an answer, {score.cut_off} cut off, "
            f"{score.crashes} crashes, {score.failed} failed"
        )


if __name__ == "__main__":
    main()
