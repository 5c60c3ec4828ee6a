"""Build a data set: teachers write candidates, filters judge them, and every row is accounted for.

    python -m pipeline.build --out data/pocket --rows 60000 --composed 30000 --gsm8k

writes to the folder

    clean.jsonl     the rows to train on
    validation.jsonl  rows of families that are kept for the validation loss, never trained on
    dropped.jsonl   every other candidate with the stage and the reason
    report.json     the funnel; candidates = clean + dropped, stage by stage, or the build fails

The same arguments give the same bytes. A build that was killed is simply run again: candidates are
made from (seed, index) alone, files appear whole, and a folder with a report holds the rows it is of.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mathtutor.bank import BankError
from mathtutor.bank.families import FOLDER
from mathtutor.io import Damaged, sha256_file, sha256_json, write_json, write_rows
from mathtutor.problem import Row
from pipeline.benchmarks import benchmark_problems
from pipeline.decontaminate import GramIndex
from pipeline.filters import RULES, exact_key, first_reason
from pipeline.teachers import composed, gsm8k, procedural

CHUNK = 500
VALIDATION_ROWS = 400


def judge(rows: list[Row]) -> list[tuple[str, str] | None]:
    """The filters' verdict on each row; runs in a worker process."""
    return [first_reason(row) for row in rows]


def judged(rows: Iterable[Row], workers: int) -> Iterator[tuple[Row, tuple[str, str] | None]]:
    """Each row with its verdict, in order, whatever the number of workers."""
    chunks = iter(lambda it=iter(rows): list(itertools.islice(it, CHUNK)), [])
    if workers == 1:
        for chunk in chunks:
            yield from zip(chunk, judge(chunk), strict=True)
        return
    with ProcessPoolExecutor(workers) as pool:
        # A few waves at a time: `map` would read every candidate before the first result.
        while wave := list(itertools.islice(chunks, 4 * workers)):
            for chunk, verdicts in zip(wave, pool.map(judge, wave), strict=True):
                yield from zip(chunk, verdicts, strict=True)


def build(candidates: Iterable[Row], total: int, workers: int, tests: list[str] | None):
    """(clean rows, dropped rows as dicts, overlap counts of the clean rows)."""
    # 8 words in a row decide, and 13 imply them: the second index only tells the report how near a copy is.
    deciding, telling = (None, None) if tests is None else (GramIndex(tests, 8), GramIndex(tests, 13))
    clean, dropped, seen = [], [], set()
    overlap = Counter() if tests is None else Counter({"13_gram": 0, "8_gram": 0})
    for row, verdict in tqdm(judged(candidates, workers), total=total, unit="row", disable=None):
        if verdict is None and (key := exact_key(row.problem)) in seen:
            verdict = ("exact_duplicate", "same_problem")
        if verdict is None and deciding is not None and deciding.overlaps(row.problem):
            which = "13_gram" if telling.overlaps(row.problem) else "8_gram"
            overlap[which] += 1
            verdict = ("test_overlap", f"shares_a_{which}_with_a_test_set")
        if verdict is None:
            seen.add(key)
            clean.append(row)
        else:
            dropped.append({"stage": verdict[0], "reason": verdict[1], **row.to_dict()})
    return clean, dropped, dict(overlap)


def count_overlaps(rows: list[Row], tests: list[str]) -> dict[str, int]:
    """Rows that share a gram of each size with a test question."""
    indices = {
        "13_gram": GramIndex(tests, 13),
        "8_gram": GramIndex(tests, 8),
        "8_gram_numbers_masked": GramIndex(tests, 8, mask_numbers=True),  # reported, not dropped: phrases are not items
    }
    return {name: sum(index.overlaps(row.problem) for row in rows) for name, index in indices.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=50_000, help="candidates from the bank (default: 50000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--composed", type=int, default=0, help="candidates composed from random graphs (default: 0)")
    parser.add_argument("--gsm8k", action="store_true", help="add the tidied solutions of GSM8K train")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--against", nargs="+", type=Path, default=[], metavar="FILE", help="more files of test problems to keep clear of"
    )
    parser.add_argument(
        "--no-tests", action="store_true", help="skip the comparison with the test sets (no data at hand); the report says so"
    )
    args = parser.parse_args()
    if args.rows < 1 or args.workers < 1 or args.composed < 0:
        raise SystemExit("--rows and --workers must be at least 1, --composed at least 0")
    if args.against and args.no_tests:
        raise SystemExit("--against compares with test problems and --no-tests does not: give one of them")
    started = time.monotonic()
    try:
        by_set = {} if args.no_tests else benchmark_problems(args.against)
        tests = None if args.no_tests else [question for questions in by_set.values() for question in questions]
        human = list(gsm8k.write_rows()) if args.gsm8k else []
        total = args.rows + args.composed + len(human)
        candidates = itertools.chain(
            procedural.write_rows(args.rows, args.seed), composed.write_rows(args.composed, args.seed), human
        )
        clean, dropped, overlap = build(candidates, total, args.workers, tests)
        validation = list(procedural.write_rows(VALIDATION_ROWS, args.seed, split="validation"))
    except (Damaged, OSError, ValueError, BankError) as error:
        hint = "" if args.no_tests else " (or --no-tests to build without the comparison)"
        raise SystemExit(f"{error}{hint}") from error

    if len(clean) + len(dropped) != total:
        raise SystemExit(f"{total} candidates became {len(clean)} + {len(dropped)} rows: a fault in the build")
    # The report stands for the rows beside it: it goes before they change, and comes when they are there.
    (args.out / "report.json").unlink(missing_ok=True)
    write_rows(args.out / "dropped.jsonl", dropped)
    if not clean:
        raise SystemExit(f"no row passed the filters: {args.out / 'dropped.jsonl'} holds the reasons")
    write_rows(args.out / "clean.jsonl", [row.to_dict() for row in clean])
    write_rows(args.out / "validation.jsonl", [row.to_dict() for row in validation])
    report = {
        "command": f"python -m pipeline.build --rows {args.rows} --seed {args.seed}"
        + f" --composed {args.composed}" * (args.composed > 0)
        + " --gsm8k" * args.gsm8k
        + " --no-tests" * args.no_tests
        + " --against" * bool(args.against)
        + "".join(f" {path.name}" for path in args.against),
        "bank_sha256": sha256_json({path.name: sha256_file(path) for path in sorted(FOLDER.glob("*.y*ml"))}),
        "candidates": total,
        "clean": len(clean),
        "dropped": len(dropped),
        "dropped_by_stage": {
            stage: dict(Counter(row["reason"] for row in dropped if row["stage"] == stage).most_common())
            for stage in (*(rule.__name__ for rule in RULES), "exact_duplicate", "test_overlap")
        },
        "sources": dict(Counter(row.source for row in clean).most_common()),
        "families": len({row.family for row in clean if row.family}),
        "topics": dict(Counter(row.topic for row in clean if row.topic).most_common()),
        "steps": dict(sorted(Counter(len(row.steps) for row in clean).items())),
        "mean_words": round(sum(len(row.problem.split()) for row in clean) / len(clean), 1),
        "decontamination": {
            "tests": "not compared" if tests is None else list(by_set),
            "test_problems": len(tests or []),
            "dropped_for_overlap": overlap,
            # Counted again over what was kept, so that the claim does not rest on the filter alone.
            "clean_rows_with_overlap": None if tests is None else count_overlaps(clean, tests),
        },
        "sha256": sha256_file(args.out / "clean.jsonl"),
    }
    write_json(args.out / "report.json", report)
    for stage, reasons in report["dropped_by_stage"].items():
        print(f"{stage:20} -{sum(reasons.values()):,}")
    print(f"{total:,} candidates = {len(clean):,} clean + {len(dropped):,} dropped, in {time.monotonic() - started:.0f} s")
    print(f"{args.out / 'clean.jsonl'}: sha256 {report['sha256'][:16]}")


if __name__ == "__main__":
    main()
