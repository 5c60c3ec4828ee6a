"""Find the first wrong line of students' solutions, and leave right work alone: how often does `tutoring.diagnosis`?

    python -m eval.locate --data stepverify --out evals/locate-stepverify          # first wrong lines, marked by teachers
    python -m eval.locate --data stepverify --engine pocket --out evals/locate-stepverify-pocket
    python -m eval.locate --data stepverify-right --out evals/locate-right         # the same students' right solutions
    python -m eval.locate --data stepverify-begun --out evals/locate-begun         # right lines before the first wrong one
    python -m eval.locate --data gsm8k-train --out evals/locate-gold               # gold solutions as student work
    python -m eval.locate --data qwen --out evals/locate-qwen                      # right replies of Qwen3-0.6B on GSM8K
    python -m eval.locate --fit mathtutor/tutoring/weights.py                      # weigh the signs on stepverify/dev

The data lies in the folder that MATHTUTOR_DATA names. `results.jsonl` has a row an item, without its text. The reference
is the gold solution; with --engine it is that engine's own solution where its answer is right. `--folds 6` weighs the
signs anew for each sixth of the problems, on the other five: what to expect on problems that were not fitted to.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from eval import logistic
from eval.intervals import wilson
from mathtutor.chat import conversation, split_reply
from mathtutor.engines import Engine, Sampling, load_engine
from mathtutor.io import Journal, read_json, read_rows, sha256_file, write_json
from mathtutor.maths.answers import is_correct, read_gold, read_last_number
from mathtutor.progress import progress
from mathtutor.sources import DATA_VARIABLE, load_source
from mathtutor.tutoring import diagnosis
from mathtutor.tutoring.diagnosis import Verdict, diagnose
from mathtutor.tutoring.paths import find_path, lines_of
from mathtutor.tutoring.signs import Traced, trace

DATA = ("stepverify", "stepverify-right", "stepverify-begun", "gsm8k-train", "qwen")
RIDGE = 3.0  # pull of the weights towards zero
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n")


@dataclass(frozen=True)
class Item:
    """One piece of student work. `wrong` is the first wrong line from 0, None where all are right."""

    id: str
    problem: str
    lines: tuple[str, ...]
    solution: tuple[str, ...]
    answer: Fraction | None
    wrong: int | None
    category: str = ""
    finished: bool | None = True


def _folder() -> Path:
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        raise SystemExit(f"set {DATA_VARIABLE} to the folder that holds stepverify/, gsm8k/ and qwen3-0.6b-gsm8k-outputs/")
    return Path(folder)


def _last(text: str) -> Fraction | None:
    answer = read_last_number(text, "gold")
    return answer.value if answer else None


def load_stepverify(kind: str = "stepverify") -> list[Item]:
    """Solutions of students with the first wrong step marked (Daheim et al. 2024, eth-lre/verify-then-generate)."""
    items = []
    for index, row in enumerate(read_json(_folder() / "stepverify" / "dev.json")):
        *solution, stated = lines_of(row["reference_solution"])
        answer, wrong = _last(stated), row["incorrect_index"]
        lines, finished = tuple(row["student_incorrect_solution"]), True
        if kind == "stepverify-right":
            lines, wrong, finished = tuple(s for s in _SENTENCE.split(row["student_correct_response"] or "") if s.strip()), None, None
            if not lines or not any(_last(line) == answer for line in lines[-2:]):
                continue  # some of them do not get there
        elif kind == "stepverify-begun":
            lines, wrong, finished = lines[:wrong], None, None
            if not lines:
                continue
        items.append(Item(f"{kind}-{index}", row["problem"], lines, tuple(solution), answer, wrong, row["error_category"], finished))
    return items


def load_gold() -> list[Item]:
    """GSM8K train: each gold solution as a student's work, beside itself."""
    notes = re.compile(r"<<[^<>]*>>")
    items = []
    for problem in load_source("gsm8k", "train"):
        steps = tuple(lines_of(notes.sub("", problem.gold.rpartition("####")[0])))
        items.append(Item(problem.id, problem.question, steps, steps, problem.answer, None, finished=None))
    return items


def load_qwen() -> list[Item]:
    """Replies of Qwen3-0.6B to GSM8K test that end in the right answer, a line each, beside the gold solution."""
    notes = re.compile(r"<<[^<>]*>>")
    items = []
    for file in ("Qwen3-GSM8k-LoRA-r4-FP32-eval-score.jsonl", "cot_model_outputs.jsonl"):
        for row in read_rows(_folder() / "qwen3-0.6b-gsm8k-outputs" / file):
            gold, reply = row["ground_truth_answer"], row["model_output"]
            if not is_correct(reply.replace("</think>", ""), gold, "q06").correct:
                continue
            lines = tuple(lines_of(notes.sub("", reply.replace("</think>", ""))))[: diagnosis.MAX_LINES]
            solution = tuple(lines_of(notes.sub("", gold.rpartition("####")[0])))
            items.append(Item(f"{file[:4]}-{row['id']}", row["question"], lines, solution, read_gold(gold), None))
    return items


def load(name: str) -> list[Item]:
    if name.startswith("stepverify"):
        return load_stepverify(name)
    return load_gold() if name == "gsm8k-train" else load_qwen()


# --- the engine's own solutions -----------------------------------------------------------------------------


def own_solutions(engine: Engine, items: Sequence[Item]) -> Iterator[tuple[Item, tuple[str, ...] | None]]:
    """Each item with the engine's steps, None where its answer is not the gold one."""
    for index, generation in engine.replies([conversation(item.problem) for item in items], Sampling(max_tokens=512)):
        parts, item = split_reply(generation.text), items[index]
        right = item.answer is not None and is_correct(generation.text, item.answer).correct
        yield item, tuple(lines_of(parts.reasoning)) if right and parts.reasoning.strip() else None


# --- scoring ------------------------------------------------------------------------------------------------


def row_of(item: Item, own: tuple[str, ...] | None) -> dict:
    """One line of evidence, without any text of the data set."""
    found = diagnose(item.problem, item.lines, own or item.solution, item.answer, item.finished)
    return {
        "id": item.id, "problem": _digest(item.problem), "lines": len(item.lines), "wrong": item.wrong, "found": found.at,
        "verdict": str(found.verdict), "kind": found.kind and str(found.kind), "category": item.category, "own_solution": own is not None,
    }  # fmt: skip


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def summarize(rows: Sequence[dict]) -> dict:
    """Counts and Wilson intervals: of wrong work how often the line is found, of right work how often one is doubted."""
    wrong = [row for row in rows if row["wrong"] is not None]
    right = [row for row in rows if row["wrong"] is None]
    summary: dict = {"n": len(rows)}
    if wrong:
        exact = sum(row["found"] == row["wrong"] for row in wrong)
        near = sum(row["found"] is not None and abs(row["found"] - row["wrong"]) <= 1 for row in wrong)
        silent = sum(row["found"] is None for row in wrong)
        summary |= {"exact": exact, "within_one": near, "silent": silent, "own_solutions": sum(row["own_solution"] for row in wrong)}
        summary |= _rates(exact, "exact", len(wrong)) | _rates(near, "within_one", len(wrong))
        summary["by_category"] = {
            name: [sum(r["found"] == r["wrong"] for r in wrong if r["category"] == name), sum(r["category"] == name for r in wrong)]
            for name in sorted({row["category"] for row in wrong})
        }
        summary["kinds_said"] = dict(Counter(row["kind"] for row in wrong if row["kind"]).most_common())
    if right:
        alarms = sum(row["verdict"] == Verdict.DOUBT for row in right)
        summary |= {"alarms": alarms} | _rates(alarms, "alarm", len(right))
        summary["alarm_kinds"] = dict(Counter(row["kind"] for row in right if row["kind"]).most_common())
    return summary


def _rates(count: int, name: str, n: int) -> dict:
    return {f"{name}_rate": round(count / n, 4), f"{name}_interval": list(wilson(count, n))}


# --- weighing the signs -------------------------------------------------------------------------------------


@cache
def _traced(item: Item) -> list[Traced]:
    return trace(find_path(item.problem, item.solution, item.answer), item.lines)


def fit(items: Sequence[Item], ridge: float = RIDGE) -> tuple[float, dict[str, float]]:
    """(bias, weights): a discrete hazard model, logistic regression of "this is the first wrong line" over all lines up to it."""
    traces = [(_traced(item), item.wrong) for item in items]
    lines = [(line.signs, at == wrong) for traced, wrong in traces for at, line in enumerate(traced[: wrong + 1])]
    return logistic.fit([signs for signs, _ in lines], [is_wrong for _, is_wrong in lines], ridge)


_WEIGHTS_DOC = """How much each sign of `signs` says that a line is the first wrong one: see `diagnosis.hazards`.

Written by `python -m eval.locate --fit mathtutor/tutoring/weights.py`; not to be edited by hand.
"""


def in_folds(items: Sequence[Item], folds: int) -> Iterator[dict]:
    """Rows of every item, each judged with weights from the other folds; one problem is all in one fold."""
    fold_of = {item.id: int(_digest(item.problem), 16) % folds for item in items}
    shipped = diagnosis.BIAS, diagnosis.WEIGHTS
    try:
        for fold in range(folds):
            diagnosis.BIAS, diagnosis.WEIGHTS = fit([item for item in items if fold_of[item.id] != fold])
            yield from (row_of(item, None) for item in items if fold_of[item.id] == fold)
    finally:
        diagnosis.BIAS, diagnosis.WEIGHTS = shipped


# --- the command --------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.locate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA, default="stepverify")
    parser.add_argument("--engine", help="whose solution is laid beside the work, where it is right; else the gold one")
    parser.add_argument("--folds", type=int, help="weigh the signs anew for each of so many parts, on the other parts")
    parser.add_argument("--limit", type=int, help="only the first so many items")
    parser.add_argument("--out", type=Path, help="folder of this run")
    parser.add_argument("--fit", type=Path, help="write the weights to this file and stop")
    args = parser.parse_args(argv)
    if args.fit:
        if args.out or args.engine or args.folds is not None or args.limit is not None or args.data != "stepverify":
            raise SystemExit("--fit weighs the signs on all of stepverify/dev: it goes with no other option")
        logistic.write_weights(args.fit, _WEIGHTS_DOC, *fit(load_stepverify()))
        print(f"weights written to {args.fit}")
        return
    if args.out is None:
        raise SystemExit("--out names the folder of this run")
    if args.folds is not None and (args.data != "stepverify" or args.engine or args.folds < 2):
        raise SystemExit("--folds (at least 2) goes with --data stepverify and without --engine")
    if args.limit is not None and args.limit < 1:
        raise SystemExit("--limit must be at least 1")
    engine = load_engine(args.engine) if args.engine else None
    items = load(args.data)[: args.limit]
    if not items:
        raise SystemExit(f"--data {args.data} holds no item that can be judged")
    args.out.mkdir(parents=True, exist_ok=True)
    stamp = {
        "data": args.data, "engine": args.engine, "folds": args.folds, "n": len(items), "weights": _weights_digest(),
        "dev_sha256": sha256_file(_folder() / "stepverify" / "dev.json"),
    }  # fmt: skip
    if engine:
        stamp["revision"] = engine.revision
    if not args.data.startswith("stepverify"):  # whose hash stands there
        stamp["items_sha256"] = _digest(repr(items))
    record = args.out / "run.json"
    if record.exists() and read_json(record) != stamp:
        raise SystemExit(f"{args.out} holds another run: choose a new --out, or remove the folder")
    write_json(record, stamp)
    with Journal(args.out / "results.jsonl") as journal:
        done = {row["id"] for row in journal.rows}
        left = [item for item in items if item.id not in done]
        with progress(len(items), len(done), "items") as advance:
            for row in _rows(args, engine, items, left):
                journal.append(row)
                advance()
        summary = summarize(journal.rows)
    command = "python -m eval.locate " + shlex.join(argv if argv is not None else sys.argv[1:])
    write_json(args.out / "summary.json", stamp | summary | {"command": command})
    for name in ("exact", "within_one", "alarm"):
        if f"{name}_rate" in summary:
            low, high = summary[f"{name}_interval"]
            print(f"{name.replace('_', ' ')}: {summary[f'{name}_rate']:.1%} ({low:.1%} to {high:.1%}), n = {summary['n']}")


def _rows(args: argparse.Namespace, engine: Engine | None, items: list[Item], left: list[Item]) -> Iterator[dict]:
    if args.folds:
        kept = {item.id for item in left}
        yield from (row for row in in_folds(items, args.folds) if row["id"] in kept)
    elif engine:
        for item, own in own_solutions(engine, left):
            yield row_of(item, own)
    else:
        yield from (row_of(item, None) for item in left)


def _weights_digest() -> str:
    return _digest(repr((diagnosis.BIAS, sorted(diagnosis.WEIGHTS.items()))))


if __name__ == "__main__":
    main()
