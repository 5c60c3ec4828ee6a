"""Weigh the signs of `tutoring.verifier` on runs with several samples a problem, and say beforehand what to expect.

    python -m eval.verify evals/pocket-typed-5                                                  # ten folds; nothing is written
    python -m eval.verify evals/pocket-typed-5 --fit mathtutor/tutoring/verifier_weights.py     # and the weights, on all of it
    python -m eval.rerank evals/svamp-5 --scorer verifier                                       # what they are worth elsewhere

Each fold holds other problems. A run on a published benchmark is refused: nothing is tuned on a test split.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from eval.logistic import fit, write_weights
from eval.metrics import is_right
from eval.records import Run, key_of, load_run
from eval.rerank import check_run, describe, rerank
from mathtutor.io import Damaged
from mathtutor.tutoring import verifier

RIDGE = 1.0  # pull of the weights towards zero
FOLDS = 10
OWN = ("file:", "bank-known")  # problems that were not made to measure others by


def folded(run: Run, signs: dict, right: dict) -> dict[tuple[str, int], float]:
    """The log of each reply's chance, by weights from the other folds' problems."""
    fold = {row["id"]: int(hashlib.sha256(row["id"].encode()).hexdigest(), 16) % FOLDS for row in run.rows}
    found = {}
    for number in range(FOLDS):
        others = [key for key in signs if fold[key[0]] != number]
        weights = fit([signs[key] for key in others], [right[key] for key in others], RIDGE)
        found |= {key: verifier.log_chance(each, *weights) for key, each in signs.items() if fold[key[0]] == number}
    return found


def load_own(folder: str) -> Run:
    """A run that may be learned from. Raises ValueError for one on a benchmark of others."""
    run = load_run(folder)
    check_run(run)
    if not run.stamp["benchmark"].startswith(OWN):
        raise ValueError(f"{folder} is a run on {run.stamp['benchmark']}: weigh the signs on problems of your own (file:FILE.jsonl, bank-known)")
    return run


_DOC = """How much each sign of `verifier` says that a reply is right: see `verifier.chance`.

Written by `python -m eval.verify RUNS --fit mathtutor/tutoring/verifier_weights.py`; not to be edited by hand.
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of runs with several samples a problem")
    parser.add_argument("--fit", type=Path, help="write the weights, learned on all the runs, to this file")
    args = parser.parse_args(argv)
    all_signs, all_right = [], []
    try:
        for folder in args.runs:
            run = load_own(folder)
            signs = {key_of(row): verifier.signs_of(row["question"], row["reply"]) for row in run.rows}
            right = {key_of(row): is_right(row, run.readings) for row in run.rows}
            if len({key[0] for key in signs}) < FOLDS:
                raise ValueError(f"{folder} has fewer than {FOLDS} problems")
            print(describe(rerank(run, folded(run, signs, right), f"the verifier, in {FOLDS} folds"), len(run.rows)))
            all_signs += signs.values()
            all_right += right.values()
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    if args.fit:
        write_weights(args.fit, _DOC, *fit(all_signs, all_right, RIDGE))
        print(f"weights written to {args.fit}")


if __name__ == "__main__":
    main()
