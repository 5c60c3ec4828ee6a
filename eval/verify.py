"""Weigh the signs of `tutoring.verifier` on runs with several samples a problem, and say beforehand what to expect.

    python -m eval.verify evals/pocket-typed-5                                                  # ten folds; nothing is written
    python -m eval.verify evals/pocket-typed-5 --out evals/pocket-typed-5/verify.json \\
        --fit mathtutor/tutoring/verifier_weights.py                                            # the record, and the weights, on all of it
    python -m eval.rerank evals/svamp-5 --scorer verifier                                       # what they are worth elsewhere

Each fold holds other problems. A run on a published benchmark is refused: nothing is tuned on a test split.

Which answers the page gives as its own is settled here too, by the chances in folds and by the page's own rule
(`tries.Tries.is_likely`): TRUSTED is the lowest mean chance, in steps of 0.05, from which at least SHARE of at least FEWEST
answers were right; None, and tries are only counted, where there is no such step. A threshold looks best on the problems that
it was chosen on: so it is chosen once more without each fold, and tried on that fold ("chosen on the other folds").
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

from eval.intervals import rate
from eval.logistic import fit, write_weights
from eval.metrics import is_right
from eval.records import Run, key_of, load_run
from eval.rerank import check_run, describe, rerank
from mathtutor.io import Damaged, sha256_json, write_json
from mathtutor.tutoring import verifier
from mathtutor.tutoring.lesson import Lesson
from mathtutor.tutoring.tries import Standing, Tries

RIDGE = 1.0  # pull of the weights towards zero
FOLDS = 10
STEPS = tuple(number / 20 for number in range(1, 20))  # mean chances; some hundred problems cannot tell finer ones apart
SHARE, FEWEST = 0.8, 40  # of the answers that are given, so many must be right; and of how many that must be seen
OWN = ("file:", "bank-known")  # problems that were not made to measure others by


def fold_of(problem: str) -> int:
    """The fold of a problem's id."""
    return int(hashlib.sha256(problem.encode()).hexdigest(), 16) % FOLDS


def folded(signs: dict, right: dict) -> dict[tuple[str, int], float]:
    """The log of each reply's chance, by weights from the other folds' problems."""
    found = {}
    for number in range(FOLDS):
        others = [key for key in signs if fold_of(key[0]) != number]
        weights = fit([signs[key] for key in others], [right[key] for key in others], RIDGE)
        found |= {key: verifier.log_chance(each, *weights) for key, each in signs.items() if fold_of(key[0]) == number}
    return found


@dataclass(frozen=True)
class Case:
    """A problem's tries, weighed by the other folds' weights: the answer that leads, and whether it is right, counted and weighed."""

    fold: int
    counted: Tries
    weighed: Tries
    counted_right: bool
    weighed_right: bool


def cases_of(run: Run, right: dict, scores: dict) -> list[Case]:
    """`scores`: the log of each reply's chance."""
    found = []
    for problem, rows in run.by_problem().items():
        lessons = tuple(Lesson(row["reply"], finish=row["finish"]) for row in rows)
        counted, weighed = Tries(lessons), Tries(lessons, tuple(exp(scores[key_of(row)]) for row in rows))

        def is_best_right(tries: Tries, rows: Sequence[dict] = rows) -> bool:
            return any(lesson == tries.best and right[key_of(row)] for row, lesson in zip(rows, tries.lessons, strict=True))

        found.append(Case(fold_of(problem), counted, weighed, is_best_right(counted), is_best_right(weighed)))
    return found


def given(cases: Sequence[Case], step: float) -> list[bool]:
    """Whether each answer that is given from a mean chance of `step` on is right."""
    return [case.weighed_right for case in cases if case.weighed.is_likely(step)]


def threshold(cases: Sequence[Case]) -> float | None:
    """The lowest of STEPS by the rule of this module; None where there is none."""
    answers = ((step, given(cases, step)) for step in STEPS)
    return next((step for step, found in answers if len(found) >= FEWEST and sum(found) >= SHARE * len(found)), None)


def table(cases: Sequence[Case]) -> dict:
    """What is given, and how much of it is right, at each step and by counting alone; and the step to trust."""
    trusted = threshold(cases)
    agreed = [case for case in cases if case.counted.standing is Standing.AGREED]
    apart: list[bool] = []
    for number in range(FOLDS):
        step = threshold([case for case in cases if case.fold != number])
        apart += given([case for case in cases if case.fold == number], step) if step is not None else []

    def share(found: Sequence[bool]) -> dict:
        return rate(sum(found), len(found))

    doubted = [case.weighed_right for case in agreed if trusted is not None and not case.weighed.is_likely(trusted)]
    return {
        "problems": len(cases),
        "rule": {"share": SHARE, "fewest": FEWEST, "folds": FOLDS},
        "trusted": trusted,
        "at_trusted": None if trusted is None else share(given(cases, trusted)),
        "chosen_on_other_folds": share(apart),
        "all_agree": share([case.counted_right for case in agreed]),
        "all_agree_but_doubted": share(doubted),
        "steps": [{"mean_chance": step, **share(given(cases, step))} for step in STEPS],
    }


def told(found: dict) -> str:
    """A table as lines for people."""

    def line(words: str, part: dict) -> str:
        low, high = part["interval"]
        return f"  {words:<30}{part['n']:>5} given, {part['correct']:>4} right" + (f", {part['accuracy']:.1%} ({low:.1%} to {high:.1%})" if part["n"] else "")

    lines = [f"answers given as one's own, of {found['problems']} problems in {FOLDS} folds (most tries arrive at them, their sums check)"]
    lines += [line(f"mean chance {part['mean_chance']:.2f} or more", part) for part in found["steps"]]
    lines += [line("all tries agree, not weighed", found["all_agree"]), line("chosen on the other folds", found["chosen_on_other_folds"])]
    if found["trusted"] is None:
        return "\n".join([*lines, f"no step has {SHARE:.0%} of at least {FEWEST} right: TRUSTED is None, the page only counts"])
    lines.append(line("all agree, but are doubted", found["all_agree_but_doubted"]))
    return "\n".join([*lines, f"TRUSTED is {found['trusted']}: the lowest step with {SHARE:.0%} of at least {FEWEST} right"])


def digest(bias: float, weights: dict[str, float]) -> str:
    """What tells these weights from others, in 16 hexadecimal digits."""
    return sha256_json({"bias": bias, "weights": weights})[:16]


def load_own(folder: str) -> Run:
    """A run that may be learned from. Raises ValueError for one on a benchmark of others."""
    run = load_run(folder)
    check_run(run)
    if not run.stamp["benchmark"].startswith(OWN):
        raise ValueError(f"{folder} is a run on {run.stamp['benchmark']}: weigh the signs on problems of your own (file:FILE.jsonl, bank-known)")
    return run


_DOC = """How much each sign of `verifier` says that a reply is right: see `verifier.chance`.

ENGINE wrote the replies; TRUSTED is the mean chance from which an answer is given as one's own, None where there is none.
Written by `python -m eval.verify RUNS --fit mathtutor/tutoring/verifier_weights.py`; not to be edited by hand.
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of runs with several samples a problem")
    parser.add_argument("--fit", type=Path, help="write the weights, learned on all the runs, to this file")
    parser.add_argument("--out", type=Path, help="write the table of what may be trusted, and the digest of the weights, to this JSON file")
    args = parser.parse_args(argv)
    all_signs, all_right, cases, runs = [], [], [], []
    try:
        for folder in args.runs:
            run = load_own(folder)
            signs = {key_of(row): verifier.signs_of(row["question"], row["reply"]) for row in run.rows}
            right = {key_of(row): is_right(row, run.readings) for row in run.rows}
            if len({key[0] for key in signs}) < FOLDS:
                raise ValueError(f"{folder} has fewer than {FOLDS} problems")
            scores = folded(signs, right)
            print(describe(rerank(run, scores, f"the verifier, in {FOLDS} folds"), len(run.rows)))
            all_signs += signs.values()
            all_right += right.values()
            cases += cases_of(run, right, scores)
            runs.append({"run": run.name, **{name: run.stamp[name] for name in ("engine", "revision", "benchmark", "samples")}})
        if len(engines := {each["engine"] for each in runs}) > 1:
            raise ValueError(f"the runs are of {', '.join(sorted(engines))}: weights hold for the replies of one engine, so name runs of one")
        found, weights = table(cases), fit(all_signs, all_right, RIDGE)
        print(told(found))
        if args.out:
            write_json(args.out, {"runs": runs, "weights": digest(*weights), **found})
            print(f"record written to {args.out}")
        if args.fit:
            write_weights(args.fit, _DOC, *weights, {"ENGINE": runs[0]["engine"], "TRUSTED": found["trusted"]})
            print(f"weights written to {args.fit}")
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
