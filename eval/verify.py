"""Weigh the signs of `tutoring.verifier` on runs with several samples a problem, and say beforehand what to expect.

    python -m eval.verify evals/pocket-typed-5                                                  # ten folds; nothing is written
    python -m eval.verify evals/pocket-typed-5 --out evals/pocket-typed-5/verify.json \\
        --fit mathtutor/tutoring/verifier_weights.py                                            # the record, and the weights, on all of it
    python -m eval.rerank evals/svamp-5 --scorer verifier                                       # what they are worth elsewhere

Each fold holds other problems. A run on a published benchmark is refused: nothing is tuned on a test split.

Which answers the page gives as its own is settled here too, by the chances in folds and by the page's own rule
(`eval.trust`): TRUSTED is the lowest mean chance, in steps of 0.05, from which at least 85% of at least 40
answers were right; None, and tries are only counted, where there is no such step. A threshold looks best on the problems that
it was chosen on: so it is chosen once more without each fold, and tried on that fold ("chosen on the other folds").
"""

from __future__ import annotations

import argparse
from pathlib import Path

from eval.logistic import fit, write_weights
from eval.metrics import is_right
from eval.records import Run, key_of, load_run
from eval.rerank import check_run, describe, rerank
from eval.trust import FOLDS, cases_of, fold_of, table, told
from mathtutor.io import Damaged, sha256_json, write_json
from mathtutor.tutoring import verifier

RIDGE = 1.0  # pull of the weights towards zero
OWN = ("file:", "bank-known")  # problems that were not made to measure others by


def folded(signs: dict, right: dict) -> dict[tuple[str, int], float]:
    """The log of each reply's chance, by weights from the other folds' problems."""
    found = {}
    for number in range(FOLDS):
        others = [key for key in signs if fold_of(key[0]) != number]
        weights = fit([signs[key] for key in others], [right[key] for key in others], RIDGE)
        found |= {key: verifier.log_chance(each, *weights) for key, each in signs.items() if fold_of(key[0]) == number}
    return found


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
            if not run.stamp["sampling"]["calculator"]:
                raise ValueError(f"{folder} was written without the calculator: the page weighs tries with it alone, so learn from such")
            if len({key[0] for key in signs}) < FOLDS:
                raise ValueError(f"{folder} has fewer than {FOLDS} problems")
            scores = folded(signs, right)
            print(describe(rerank(run, scores, f"the verifier, in {FOLDS} folds"), len(run.rows)))
            all_signs += signs.values()
            all_right += right.values()
            cases += cases_of(run, scores)
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
