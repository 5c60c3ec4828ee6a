"""The whole filter chain: processor seconds by stage, and seconds on the clock, at 10K, 83K, 300K and a million rows.

    python -m benchmarks.chain --out benchmarks/records/chain.json                       the curve
    python -m benchmarks.chain --sizes 83000 --out benchmarks/records/chain.json         a slice of it
    python -m benchmarks.chain --sizes 10000 --engine dask --out FILE

Each size runs in a process of its own and goes into the record at once: a run that was stopped, or another slice, leaves
out what is there (remove the file to begin anew). On a terminal, bars tell how far it is.

Rows are made by the offline teachers, five of the bank to two composed, and go through the recipe of the published set
with everything that a build does: generation, rules, stages, counts, report and files (in a folder that is removed).
Processor seconds are those of this process ("here") and of the workers that have ended ("workers", not known of a cluster's).
On an idle machine of two cores the clock shows about here + workers / 2; beside other jobs it shows more.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from mathtutor.io import read_json, write_json
from pipeline import corpus
from pipeline.chain import judged, load_references, report_of, sift_judged
from pipeline.outputs import write_data_set
from pipeline.recipe import load_recipe
from pipeline.split import split
from pipeline.teachers.draws import draws
from pipeline.workers import add_arguments, make_workers

SIZES = [10_000, 83_000, 300_000, 1_000_000]
RECIPE = Path(__file__).resolve().parents[1] / "pipeline" / "recipes" / "synth-50k.yaml"


def seconds() -> tuple[float, float, float]:
    """(on the clock, of this process, of children that have ended)."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), time.process_time(), children.ru_utime + children.ru_stime


class Clock:
    """Seconds by name of a piece of work, added up."""

    def __init__(self):
        self.pieces: dict[str, dict[str, float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        before = seconds()
        yield
        spent = [after - earlier for after, earlier in zip(seconds(), before, strict=True)]
        piece = self.pieces.setdefault(name, {"clock": 0.0, "here": 0.0, "workers": 0.0})
        for key, value in zip(piece, spent, strict=True):
            piece[key] = round(piece[key] + value, 2)

    def timed(self, stage: corpus.Stage) -> corpus.Stage:
        def run(*arguments, **options):
            with self(stage.__name__):
                return stage(*arguments, **options)

        return run


def measure(rows_wanted: int, args: argparse.Namespace, out: Path) -> None:
    """Do it once, in a process that did nothing else, and write what it took."""
    recipe, clock = load_recipe(RECIPE), Clock()
    share = rows_wanted * 2 // 7
    corpus.STAGES.update({name: clock.timed(stage) for name, stage in corpus.STAGES.items()})
    begun = seconds()
    with make_workers(args.engine, args.workers, args.address) as workers, tempfile.TemporaryDirectory() as folder:
        with clock("references"):
            references = load_references(recipe, no_tests=args.no_tests)
        with clock("generation and rules"):
            candidates = chain(draws("bank", rows_wanted - share, 0), draws("composed", share, 0))
            rows = list(judged(candidates, recipe.limits, workers))
        with clock("stages and counts, in all"):
            sifted = sift_judged(rows, recipe, references, workers)
        with clock("report"):
            report = report_of(sifted, recipe, references, workers)
        with clock("files"):
            train, validation = split(sifted.clean, recipe.corpus.validation, recipe.seed)
            write_data_set(Path(folder), train, validation, sifted.dropped, report)
    total = dict(zip(("clock", "here", "workers"), (round(a - b, 1) for a, b in zip(seconds(), begun, strict=True)), strict=True))
    record = {
        "rows": rows_wanted,
        "clean": len(sifted.clean),
        "engine": args.engine,
        "workers": args.workers,
        "test_problems": len(references.questions),
        "seconds": {"all": total, **clock.pieces},
        "here_and_half_of_workers": round(total["here"] + total["workers"] / 2, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load_average": round(os.getloadavg()[1], 1),
    }
    write_json(out, record)


def describe(record: dict) -> str:
    """One size, as lines for people."""
    pieces = [
        f"{name:28}" + "".join(f"{piece[key]:9.1f} s {key}" for key in ("clock", "here", "workers"))
        for name, piece in record["seconds"].items()
    ]
    summary = (
        f"{record['rows']:,} rows, {record['clean']:,} clean, {record['peak_megabytes']:,} MB; "
        f"here and half of the workers' time: {record['here_and_half_of_workers']} s"
    )
    return "\n".join([*pieces, summary])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="ROWS")
    parser.add_argument("--no-tests", action="store_true", help="without the test sets and the seeds (no data at hand)")
    parser.add_argument("--out", required=True, type=Path, help="the record (JSON)")
    add_arguments(parser)
    args = parser.parse_args()
    record = read_json(args.out) if args.out.exists() else {}
    by_size = record.setdefault(f"{args.engine}, {args.workers} workers" + ", no tests" * args.no_tests, {})
    for size in sorted(set(args.sizes)):
        if f"{size}" not in by_size:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "record.json"
                process = multiprocessing.get_context("spawn").Process(target=measure, args=(size, args, out))
                process.start()
                process.join()
                if process.exitcode:
                    raise SystemExit(f"{size:,} rows ended before their time, with status {process.exitcode}: run the same command again")
                by_size[f"{size}"] = read_json(out)
            write_json(args.out, record)
        print(describe(by_size[f"{size}"]), flush=True)


if __name__ == "__main__":
    main()
