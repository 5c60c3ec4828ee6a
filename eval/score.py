"""Score files of model outputs again, under any reading of answers.

    python -m eval.score evals/pocket-bank/results.jsonl
    python -m eval.score cot.jsonl thinking.jsonl --reading q06 --json
    python -m eval.score outputs/*.jsonl --all                  # every reading of every file, and where they disagree
    python -m eval.score outputs/*.jsonl --published            # which claims of the files' README reproduce

    python -m eval.score theirs.jsonl --reply messages.-1.content --gold doc.answer  # columns named, also what lies deeper
    python -m eval.score test.jsonl --reply answer --gold answer                     # a control: the gold answers as replies
    python -m eval.score test.jsonl --constant "The answer is 5." --gold answer      # another: one answer to everything

Accepted files: JSON lines, a JSON list, CSV, TSV, Parquet; accepted rows: ours (`reply`, `gold`), those of the Qwen3-0.6B
experiments (`model_output`, `ground_truth_answer`), of lm-evaluation-harness (`resps`, `target`), of OpenCompass (`prediction`,
`gold`), and others by the names of their columns (eval/outputs.py), which every line of figures repeats. A file in which two
columns could be the reply or the gold answer and differ (name it: --reply NAME, --gold NAME), or a reply stands twice, is
refused; of several replies to a problem (`sample`, or --samples) the interval is that of so many
problems. Where a gold answer is an expression, math-verify decides and no other reading is asked. Readings: `robust` (ours),
`strict` (`#### N`), the published readers of two seed systems, `synth` and `q06`, whose crashes are counted and score as
wrong, and `math-verify`, a library that reads reply and gold text by itself (eval/readings.py says what it shares with ours).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import yaml

from eval.intervals import interval_of_groups, wilson
from eval.outputs import Columns, Row, rows_of
from eval.readings import NotInstalled, gold_text, judge
from eval.records import is_unfinished
from eval.verdicts import is_right as close_enough
from mathtutor.io import Damaged
from mathtutor.maths.answers import READINGS, is_correct, read_gold
from mathtutor.maths.arithmetic import show

MATH_VERIFY = "math-verify"
PUBLISHED = Path(__file__).with_name("published.yaml")
LACK_THE_END = "lack the </think> that the others have: they were cut off, or went in circles, and are scored as they stand"
MOST_LISTED = 20  # disagreements shown of a file; --json gives them all


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
    unclosed: int  # replies without the </think> that most of the file has: see `unclosed`
    templates: int | None  # how many the problems are made from, where each says it and they are fewer
    interval_of_templates: tuple[float, float] | None


def verdicts(path: str, reading: str, columns: Columns = Columns()) -> tuple[list[Row], list[str]]:
    """(rows, for each one "right", "wrong", "unparsed", "cut off", "crashed" or "failed")."""
    rows = list(rows_of(path, columns))
    if reading not in ("robust", MATH_VERIFY) and any(row.is_expression for row in rows):
        raise ValueError(f"{path}: some gold answers are expressions, which {reading} cannot read: use --reading {MATH_VERIFY}")
    theirs = [row for row in rows if reading == MATH_VERIFY or row.is_expression]
    said = iter(judge([("" if limited(row) else row.reply, row.gold if row.is_expression else gold_text(row.gold)) for row in theirs]))
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
    is_right = close_enough(score.answer.value, read_gold(row.gold), row.tolerance) if reading == "robust" else score.correct
    return "right" if is_right else "unparsed" if score.answer.value is None else "wrong"


def score_file(path: str, reading: str, columns: Columns = Columns()) -> FileScore:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    rows, found = verdicts(path, reading, columns)
    n, correct = len(rows), found.count("right")
    problems = len({row.problem for row in rows})
    low, high = wilson(correct / n * problems, problems)
    return FileScore(
        path, reading, n, correct, correct / n, (low, high),
        found.count("unparsed"), found.count("cut off"), found.count("crashed"), found.count("failed"),
        problems, sum(row.is_expression for row in rows), found.count("not read"), ", ".join(dict.fromkeys(row.columns for row in rows)),
        unclosed(rows), *_of_templates(rows, found, problems),
    )  # fmt: skip


def _of_templates(rows: Sequence[Row], found: Sequence[str], problems: int) -> tuple[int, tuple[float, float]] | tuple[None, None]:
    """(how many templates, the interval that knows them); (None, None) where each problem stands for itself."""
    groups: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row, said in zip(rows, found, strict=True):
        if row.template is None:
            return None, None
        groups[row.template].append(said == "right")
    return (len(groups), interval_of_groups(list(groups.values()))) if 1 < len(groups) < problems else (None, None)


def unclosed(rows: Sequence[Row]) -> int:
    """How many replies lack the </think> that most of a file has, where the prompt held the <think>.

    Nothing in such a reply says that it is unfinished, so it is scored as it stands, and this count is told beside it.
    """
    closed = sum("</think>" in row.reply for row in rows)
    opened = sum("<think>" in row.reply for row in rows)
    return len(rows) - closed if 2 * closed > len(rows) and opened < closed else 0


def disagreements(path: str, columns: Columns = Columns()) -> tuple[dict[str, int], list[dict], int, tuple[int, int]]:
    """({reading: right}, the rows on which robust, strict and math-verify do not all say the same, how many math-verify did not finish, (replies, problems))."""
    rows = list(rows_of(path, columns))
    names = ("robust", "strict", MATH_VERIFY) if not any(row.is_expression for row in rows) else ("robust", MATH_VERIFY)
    found = {name: verdicts(path, name, columns) for name in names}
    listed = []
    for place, row in enumerate(rows):
        said = {name: found[name][1][place] for name in names}
        if len({verdict == "right" for verdict in said.values() if verdict != "not read"}) > 1:
            listed.append({"id": row.name, "gold": row.gold if row.is_expression else show(read_gold(row.gold)), **said, "reply ends": row.reply[-80:]})
    return {name: found[name][1].count("right") for name in names}, listed, found[MATH_VERIFY][1].count("not read"), (len(rows), len({row.problem for row in rows}))


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
            "robust": ours.correct, "robust interval": [low, high], "cut off": ours.cut_off, "unclosed": ours.unclosed,
        })  # fmt: skip
    return found


def print_claims(found: list[dict]) -> None:
    for entry in found:
        unclosed = f"; {entry['unclosed']} replies {LACK_THE_END}" if entry["unclosed"] else ""
        verdict = {None: "the README does not quote it", True: f"README {entry['claim']}: reproduces", False: f"README {entry['claim']}: DOES NOT REPRODUCE"}
        print(
            f"{entry['file']}\n  {entry['reading']}: {entry['correct']} of {entry['n']} = {entry['per cent']}%; {verdict[entry['reproduces']]}"
            f"\n  robust: {entry['robust']} = {entry['robust'] / entry['n']:.2%}, {entry['cut off']} cut off{unclosed}"
        )
    checked = [entry for entry in found if entry["reproduces"] is not None]
    failed = [entry["file"] for entry in checked if not entry["reproduces"]]
    print(f"{len(checked) - len(failed)} of {len(checked)} claims reproduce" + (f"; not: {', '.join(failed)}" if failed else ""))


def part(row: dict) -> bool:
    """Whether the two readings part that look for the answer wherever it stands."""
    return row[MATH_VERIFY] != "not read" and (row["robust"] == "right") != (row[MATH_VERIFY] == "right")


def print_all(paths: list[str], as_json: bool, columns: Columns = Columns()) -> None:
    found = [(path, *disagreements(path, columns)) for path in paths]
    if as_json:
        print(json.dumps([{"file": path, "right": right, "disagreements": rows, "not_read": not_read, "n": n, "problems": problems} for path, right, rows, not_read, (n, problems) in found], indent=2, ensure_ascii=False))
        return
    for path, right, rows, not_read, counted in found:
        n, problems = counted
        # Not of so many replies: several to one problem say less than as many problems.
        of = ("1 reply" if n == 1 else f"{n} replies") + (f" to {problems} problems" if problems < n else "")
        shares = [(f"{name} {count}", wilson(count / n * problems, problems)) for name, count in right.items()]
        print(f"{path}\n  " + ", ".join(f"{said} ({low:.1%} to {high:.1%})" for said, (low, high) in shares) + f" of {of}, with 95% intervals; they disagree on {len(rows)} rows, robust and math-verify on {sum(map(part, rows))}")
        if not_read:
            print(f"  {not_read} replies kept math-verify busy too long: it says nothing of them, and they count neither as its right ones nor as disagreements")
        for row in sorted(rows, key=lambda row: not part(row))[:MOST_LISTED]:  # a model that was never told of "####" fills the list else
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
    parser.add_argument("--id", metavar="NAME", help="the column that tells problems apart")
    parser.add_argument("--samples", action="store_true", help="rows of one id are several replies to one problem")
    parser.add_argument("--constant", metavar="TEXT", help="score this in the place of every reply: a control, which should give its base rate")
    args = parser.parse_args(argv)
    if args.constant is not None and args.reply is not None:
        raise SystemExit("--constant stands in the place of every reply: leave out --reply")
    columns = Columns(args.reply, args.gold, args.samples, args.constant, args.id)
    try:
        for path in map(Path, args.files):
            if path.is_dir():
                raise ValueError(f"{path} is a folder: name its files, {path / 'results.jsonl'} for that of a run")
            if not path.exists():
                raise ValueError(f"there is no file {path}")
        if args.published:
            if columns != Columns():
                raise ValueError("--published knows the columns of its files: leave out --reply, --gold, --id, --samples and --constant")
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
        if score.unclosed:
            print(f"  {score.unclosed} replies {LACK_THE_END}")
        if score.problems < score.n:
            print(f"  {score.n} replies of {score.problems} problems: the interval is that of {score.problems}")
        if score.expressions:
            print(f"  {score.expressions} gold answers are expressions: math-verify decides there")
        if score.not_read:
            print(f"  {score.not_read} replies kept math-verify busy too long and count as wrong: nobody knows what it would have said of them")
        if score.templates:
            low, high = score.interval_of_templates
            print(f"  the problems are made from {score.templates} templates: an interval that knows it is {low:.1%} to {high:.1%}")


if __name__ == "__main__":
    main()
