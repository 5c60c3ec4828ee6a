"""Score files of model outputs again, under any reading of answers.

    python -m eval.score evals/pocket-svamp/results.jsonl
    python -m eval.score cot.jsonl thinking.jsonl --reading q06 --json
    python -m eval.score outputs/*.jsonl --all                  # every reading of every file, and where they disagree
    python -m eval.score outputs/*.jsonl --published            # which claims of the files' README reproduce

Accepted rows: ours (`reply`, `gold`) and those of the Qwen3-0.6B experiments (`model_output`,
`ground_truth_answer`). Readings: `robust` (ours), `strict` (`#### N`), the published readers of
two seed systems, `synth` and `q06`, whose crashes are counted and score as wrong, and `math-verify`,
a library that knows nothing of ours.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import yaml

from eval.metrics import wilson
from eval.readings import NotInstalled, judge
from mathtutor.io import Damaged, read_rows
from mathtutor.maths.answers import READINGS, is_correct, read_gold
from mathtutor.maths.arithmetic import show

MATH_VERIFY = "math-verify"
PUBLISHED = Path(__file__).with_name("published.yaml")
MOST_LISTED = 20  # disagreements shown of a file; --json gives them all

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


@dataclass(frozen=True)
class Row:
    """A row of a file: its reply ("" for a null), its gold text, and what a server said of it."""

    name: str
    reply: str
    gold: str
    is_null: bool
    finish: str | None


def rows_of(path: str) -> Iterator[Row]:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    empty = True
    for number, row in enumerate(read_rows(Path(path)), start=1):
        empty = False
        reply = next((row[key] for key in REPLY_KEYS if isinstance(row.get(key), str)), None)
        gold = next((row[key] for key in GOLD_KEYS if row.get(key) is not None), None)
        is_null = reply is None and any(key in row and row[key] is None for key in REPLY_KEYS)
        if is_null:
            reply = ""
        if reply is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a reply ({', '.join(REPLY_KEYS)}) and a gold answer ({', '.join(GOLD_KEYS)})"
            )
        if read_gold(str(gold)) is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the gold answer {str(gold)[-60:]!r}")
        yield Row(str(row.get("id", number - 1)), reply, str(gold), is_null, row.get("finish"))
    if empty:
        raise ValueError(f"{path} holds no rows")


def verdicts(path: str, reading: str) -> tuple[list[Row], list[str]]:
    """(rows, for each one "right", "wrong", "unparsed", "cut off", "crashed" or "failed")."""
    rows = list(rows_of(path))
    if reading == MATH_VERIFY:
        asked = [("" if limited(row) else row.reply, show(read_gold(row.gold))) for row in rows]
        found = [{True: "right", False: "wrong", None: "unparsed"}[right] for right, _ in judge(asked)]
        return rows, ["failed" if row.finish == "failed" else "cut off" if limited(row) else verdict for row, verdict in zip(rows, found, strict=True)]
    return rows, [_verdict(row, reading) for row in rows]


def limited(row: Row) -> bool:
    """Whether a reply is known to have hit the token limit, or to have gone in circles."""
    return row.finish in ("length", "repeating", "failed")


def _verdict(row: Row, reading: str) -> str:
    if row.finish == "failed":
        return "failed"
    if row.is_null:
        return "unparsed"
    score = is_correct(row.reply, row.gold, reading)
    # Such a reply is no answer, whatever number it ends on.
    if score.answer.cut_off or (reading == "robust" and limited(row)):
        return "cut off"
    if score.answer.crashed:
        return "crashed"
    return "right" if score.correct else "unparsed" if score.answer.value is None else "wrong"


def score_file(path: str, reading: str) -> FileScore:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    rows, found = verdicts(path, reading)
    n, correct = len(rows), found.count("right")
    low, high = wilson(correct, n)
    return FileScore(
        path, reading, n, correct, correct / n, (round(low, 4), round(high, 4)),
        found.count("unparsed"), found.count("cut off"), found.count("crashed"), found.count("failed"),
    )  # fmt: skip


def disagreements(path: str) -> tuple[dict[str, int], list[dict]]:
    """({reading: right}, the rows on which robust, strict and math-verify do not all say the same)."""
    names = ("robust", "strict", MATH_VERIFY)
    found = {name: verdicts(path, name) for name in names}
    rows = found["robust"][0]
    listed = []
    for place, row in enumerate(rows):
        said = {name: found[name][1][place] for name in names}
        if len({verdict == "right" for verdict in said.values()}) > 1:
            listed.append({"id": row.name, "gold": show(read_gold(row.gold)), **said, "reply ends": row.reply[-80:]})
    return {name: found[name][1].count("right") for name in names}, listed


def reproduces(correct: int, n: int, claim: str) -> bool:
    """Whether `correct` of `n`, in per cent, is `claim` when it is rounded, or cut off, to as many decimals."""
    share, places = Decimal(100 * correct) / n, Decimal(1).scaleb(Decimal(claim).as_tuple().exponent)
    return Decimal(claim) in (share.quantize(places, ROUND_HALF_UP), share.quantize(places, ROUND_DOWN))


def claims(paths: list[str]) -> list[dict]:
    """Each file under its authors' own reading, against what their README says. Raises ValueError for an unknown file."""
    known = {entry["file"]: entry for entry in yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))}
    found = []
    for path in paths:
        name = Path(path).name.removesuffix(".jsonl")
        if name not in known:
            raise ValueError(f"{path} is no published file that we know of: {PUBLISHED.name} lists {', '.join(known)}")
        reading, claim = known[name]["reading"], known[name].get("claim")
        score, ours = score_file(path, reading), score_file(path, "robust")
        low, high = ours.interval
        found.append({
            "file": name, "reading": reading, "n": score.n, "correct": score.correct, "per cent": f"{100 * score.accuracy:.2f}",
            "claim": claim, "reproduces": None if claim is None else reproduces(score.correct, score.n, claim),
            "robust": ours.correct, "robust interval": [low, high], "cut off": ours.cut_off,
        })  # fmt: skip
    return found


def print_claims(found: list[dict]) -> None:
    for entry in found:
        verdict = {None: "the README does not quote it", True: f"README {entry['claim']}: reproduces", False: f"README {entry['claim']}: DOES NOT REPRODUCE"}
        print(
            f"{entry['file']}\n  {entry['reading']}: {entry['correct']} of {entry['n']} = {entry['per cent']}%; {verdict[entry['reproduces']]}"
            f"\n  robust: {entry['robust']} = {entry['robust'] / entry['n']:.2%}, {entry['cut off']} cut off"
        )
    checked = [entry for entry in found if entry["reproduces"] is not None]
    failed = [entry["file"] for entry in checked if not entry["reproduces"]]
    print(f"{len(checked) - len(failed)} of {len(checked)} claims reproduce" + (f"; not: {', '.join(failed)}" if failed else ""))


def print_all(paths: list[str], as_json: bool) -> None:
    found = [(path, *disagreements(path)) for path in paths]
    if as_json:
        print(json.dumps([{"file": path, "right": right, "disagreements": rows} for path, right, rows in found], indent=2, ensure_ascii=False))
        return
    for path, right, rows in found:
        print(f"{path}\n  " + ", ".join(f"{name} {count}" for name, count in right.items()) + f"; they disagree on {len(rows)} rows")
        for row in rows[:MOST_LISTED]:
            said = ", ".join(f"{name} {row[name]}" for name in right)
            print(f"    {row['id']} (gold {row['gold']}): {said}; ends {row['reply ends']!r}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--reading", choices=(*READINGS, MATH_VERIFY), default="robust")
    parser.add_argument("--all", action="store_true", help="robust, strict and math-verify side by side, with the rows on which they disagree")
    parser.add_argument("--published", action="store_true", help="the files' own scorer against what their README claims")
    parser.add_argument("--json", action="store_true", help="one JSON array, an object a file")
    args = parser.parse_args(argv)
    try:
        if args.published:
            found = claims(args.files)
            return print(json.dumps(found, indent=2)) if args.json else print_claims(found)
        if args.all:
            return print_all(args.files, args.json)
        scores = [score_file(path, args.reading) for path in args.files]
    except (ValueError, Damaged, OSError, NotInstalled) as error:
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
