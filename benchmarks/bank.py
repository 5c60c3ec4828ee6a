"""How many problems a second does the bank write, on one core?

    python -m benchmarks.bank                     # prints; --out benchmarks/records/bank.json keeps it

Whole instances: problem, steps, answer, hints and mistakes, made in turn from every family, and problems composed from a
random graph at the depths of the training data. Where `reasoning-gym` is installed (`pip install reasoning-gym==0.1.25`), its
two word-problem tasks are timed in the same run: what one would otherwise pick, though with a solution's steps in neither. Its
`gsm_symbolic` derives from GSM8K test items, so it is timed here and never trained on. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from mathtutor.bank import load_bank
from mathtutor.bank.compose import compose_many
from mathtutor.io import write_json
from pipeline.teachers.composed import DEPTHS

OUTSIDE = ("chain_sum", "gsm_symbolic")


def bank() -> Iterator[object]:
    families = list(load_bank().values())
    for index in itertools.count():
        for family in families:
            yield family.instantiate(0, index)


def composed() -> Iterator[object]:
    for seed in itertools.count():
        yield from compose_many(seed, 1000, DEPTHS)


def outside(task: str) -> Iterator[object]:
    import reasoning_gym

    for seed in itertools.count():
        yield from reasoning_gym.create_dataset(task, size=1000, seed=seed)


def rate(items: Iterator[object], count: int) -> float:
    """Items a second of processor time, after as many again to warm up."""
    list(itertools.islice(items, count))
    begin = time.process_time()
    list(itertools.islice(items, count))
    return count / (time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10_000, help="instances to time of each kind (default: 10000)")
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    args = parser.parse_args()
    if args.n < 1:
        parser.error("-n must be at least 1")
    rates = {"bank": rate(bank(), args.n), "composed": rate(composed(), max(1, args.n // 5))}
    for task in OUTSIDE:
        try:
            rates[f"reasoning-gym {task}"] = rate(outside(task), max(1, args.n // 5))
        except ImportError:
            print(f"reasoning-gym {task}: not installed")
    for name, value in rates.items():
        ratio = "" if name == "bank" else f"  the bank: {rates['bank'] / value:.2f} times"
        print(f"{name:28}{value:9,.0f} a second{ratio}")
    if args.out:
        write_json(args.out, {"command": f"python -m benchmarks.bank -n {args.n}", "n": args.n, "per_cpu_second": {k: round(v) for k, v in rates.items()}})


if __name__ == "__main__":
    main()
