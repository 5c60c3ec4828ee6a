"""Score files of model outputs again, under any reading of answers.

    python -m eval.score evals/pocket-svamp/results.jsonl
    python -m eval.score cot.jsonl thinking.jsonl --reading q06 --json
    python -m eval.score outputs/*.jsonl --all                  # every reading of every file, and where they disagree
    python -m eval.score outputs/*.jsonl --published            # which claims of the files' README reproduce

Accepted rows: ours (`reply`, `gold`) and those of the Qwen3-0.6B experiments (`model_output`, `ground_truth_answer`). A
file in which two columns could be the gold answer (name it: --gold NAME, and --reply NAME), or a reply stands twice, is
refused; of several replies to a problem the interval is that of so many problems. Where a gold answer is an expression,
math-verify decides and no other reading is asked. Readings: `robust` (ours), `strict` (`#### N`), the published readers
of two seed systems, `synth` and `q06`, whose crashes are counted and score as wrong, and `math-verify`, a library that
knows nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import yaml

from eval.metrics import wilson
from eval.readings import NotInstalled, judge
from eval.records import is_unfinished
from mathtutor.io import Damaged, read_rows
from mathtutor.maths.answers import READINGS, is_correct, read_gold
from mathtutor.maths.arithmetic import show

MATH_VERIFY = "math-verify"
PUBLISHED = Path(__file__).with_name("published.yaml")
MOST_LISTED = 20  # disagreements shown of a file; --json gives them all

REPLY_KEYS = ("reply", "model_output", "output", "completion")
GOLD_KEYS = ("gold", "ground_truth_answer", "answer", "target")
FLOAT_DIGITS = 12  # of a gold answer that is a float: the rest is what binary fractions add
FINISH_KEYS = ("finish", "finish_reason", "stop_reason")
FINISHES = {"max_tokens": "length"}  # what other servers call it
# A command, a power, an index: of "\\frac{1}{2}" and "2^{u-2}" a reader of numbers sees the 2
_EXPRESSION = re.compile(r"\\[A-Za-z]|[\^_]|\\[\\({\[]")


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
    problems: int  # fewer than n where a problem has several replies
    expressions: int  # of n, those whose gold answer is an expression: math-verify decides
    not_read: int  # math-verify came to no end; counted as wrong
    columns: str  # which were taken for reply and gold answer


@dataclass(frozen=True)
class Row:
    """A row of a file: its reply ("" for a null), its gold text, and what a server said of it."""

    name: str
    reply: str
    gold: str
    is_null: bool
    finish: str | None
    problem: str
    is_expression: bool
    columns: str


@dataclass(frozen=True)
class Columns:
    """The columns to take, where they are named and not looked for."""

    reply: str | None = None
    gold: str | None = None


def rows_of(path: str, columns: Columns = Columns()) -> Iterator[Row]:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    reply_keys = (columns.reply,) if columns.reply else REPLY_KEYS
    gold_keys = (columns.gold,) if columns.gold else GOLD_KEYS
    empty, seen = True, {}
    for number, row in enumerate(read_rows(Path(path)), start=1):
        empty = False
        reply = next((row[key] for key in reply_keys if isinstance(row.get(key), str)), None)
        gold = _gold_of(path, number, row) if columns.gold is None else row.get(columns.gold)
        if isinstance(gold, float):
            gold = format(Decimal(f"{gold:.{FLOAT_DIGITS}g}"), "f")  # 0.1 + 0.2 was meant as 0.3
        is_null = reply is None and any(key in row and row[key] is None for key in reply_keys)
        if is_null:
            reply = ""
        if reply is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a reply ({', '.join(reply_keys)}) and a gold answer ({', '.join(gold_keys)}); "
                f"its columns are {', '.join(row)}: name them with --reply and --gold"
            )
        is_expression = ("gold_text" in row and columns.gold in (None, "gold_text")) or ("####" not in str(gold) and bool(_EXPRESSION.search(str(gold))))
        if not is_expression and read_gold(str(gold)) is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the gold answer {str(gold)[-60:]!r}")
        name = str(row.get("id", number - 1))
        if "id" in row:
            first = seen.setdefault((name, row.get("sample", 0)), number)
            if first != number:
                raise ValueError(f"{path}: row {number} is the reply of row {first} again (id {name!r}, sample {row.get('sample', 0)}): remove one of them")
        finish = next((row[key] for key in FINISH_KEYS if isinstance(row.get(key), str)), None)
        taken = f"{next(key for key in reply_keys if key in row)} against {next(key for key in (*(() if columns.gold else ('gold_text',)), *gold_keys) if row.get(key) is not None)}"
        yield Row(name, reply, str(gold), is_null, FINISHES.get(finish, finish), name, is_expression, taken)
    if empty:
        raise ValueError(f"{path} holds no rows")


def _gold_of(path: str, number: int, row: dict) -> object:
    """The gold answer, None without one. Raises ValueError where two columns could be it, or where the row is a proof's."""
    if "gold_text" in row:
        return row["gold_text"]
    if row.get("correct", "") is None:
        raise ValueError(f"{path}: row {number} is a proof's or was not scored: python -m eval.grade --proofs FOLDER grades proofs")
    given = {key: row[key] for key in GOLD_KEYS if row.get(key) is not None}
    # Where one says that it is the gold answer, "answer" may well be the model's own.
    given = {key: given[key] for key in GOLD_KEYS[:2] if key in given} or given
    values = {str(value) if (found := read_gold(str(value))) is None else found for value in given.values()}
    if len(values) > 1:
        raise ValueError(f"{path}: row {number} has {' and '.join(given)}, which differ: name the gold one with --gold")
    return next(iter(given.values()), None)


def verdicts(path: str, reading: str, columns: Columns = Columns()) -> tuple[list[Row], list[str]]:
    """(rows, for each one "right", "wrong", "unparsed", "cut off", "crashed" or "failed")."""
    rows = list(rows_of(path, columns))
    if reading not in ("robust", MATH_VERIFY) and any(row.is_expression for row in rows):
        raise ValueError(f"{path}: some gold answers are expressions, which {reading} cannot read: use --reading {MATH_VERIFY}")
    theirs = [row for row in rows if reading == MATH_VERIFY or row.is_expression]
    said = iter(judge([("" if limited(row) else row.reply, row.gold if row.is_expression else show(read_gold(row.gold))) for row in theirs]))
    return rows, [_of_library(row, *next(said)) if reading == MATH_VERIFY or row.is_expression else _verdict(row, reading) for row in rows]


def _of_library(row: Row, right: bool | None, error: str) -> str:
    if limited(row):
        return "failed" if row.finish == "failed" else "cut off"
    if is_unfinished({"error": error}):
        return "not read"
    return {True: "right", False: "wrong", None: "unparsed"}[right]


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


def score_file(path: str, reading: str, columns: Columns = Columns()) -> FileScore:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    rows, found = verdicts(path, reading, columns)
    n, correct = len(rows), found.count("right")
    problems = len({row.problem for row in rows})
    low, high = wilson(correct / n * problems, problems)
    return FileScore(
        path, reading, n, correct, correct / n, (low, high),
        found.count("unparsed"), found.count("cut off"), found.count("crashed"), found.count("failed"),
        problems, sum(row.is_expression for row in rows), found.count("not read"), rows[0].columns,
    )  # fmt: skip


def disagreements(path: str, columns: Columns = Columns()) -> tuple[dict[str, int], list[dict]]:
    """({reading: right}, the rows on which robust, strict and math-verify do not all say the same)."""
    rows = list(rows_of(path, columns))
    names = ("robust", "strict", MATH_VERIFY) if not any(row.is_expression for row in rows) else ("robust", MATH_VERIFY)
    found = {name: verdicts(path, name, columns) for name in names}
    listed = []
    for place, row in enumerate(rows):
        said = {name: found[name][1][place] for name in names}
        if len({verdict == "right" for verdict in said.values()}) > 1:
            listed.append({"id": row.name, "gold": row.gold if row.is_expression else show(read_gold(row.gold)), **said, "reply ends": row.reply[-80:]})
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


def print_all(paths: list[str], as_json: bool, columns: Columns = Columns()) -> None:
    found = [(path, *disagreements(path, columns)) for path in paths]
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
    parser.add_argument("--reply", metavar="NAME", help="the column of the replies (default: the first there of those that are known)")
    parser.add_argument("--gold", metavar="NAME", help="the column of the gold answers")
    args = parser.parse_args(argv)
    columns = Columns(args.reply, args.gold)
    try:
        if args.published:
            if columns != Columns():
                raise ValueError("--published knows the columns of its files: leave out --reply and --gold")
            found = claims(args.files)
            return print(json.dumps(found, indent=2)) if args.json else print_claims(found)
        if args.all:
            return print_all(args.files, args.json, columns)
        scores = [score_file(path, args.reading, columns) for path in args.files]
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
            f"{score.crashes} crashes, {score.failed} failed; {score.columns}"
        )
        if score.problems < score.n:
            print(f"  {score.n} replies of {score.problems} problems: the interval is that of {score.problems}")
        if score.expressions:
            print(f"  {score.expressions} gold answers are expressions: math-verify decides there" + (f", and came to no end on {score.not_read}" if score.not_read else ""))


if __name__ == "__main__":
    main()
