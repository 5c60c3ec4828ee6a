"""Count the rows that share words with test files: a JSON list, JSON lines or CSV that holds problems.

    python -m pipeline.overlap data/pocket/clean.jsonl --against tests/*.jsonl SVAMP.json --out assets/bank/overlap.json

A row is counted once a test file: 13 words in a row, 8 words in a row, and 8 with every number masked. With
`--out` a row's text is not copied, only its id. Exit status 1 when a row shares 13 or 8 words with any file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from mathtutor.io import Damaged, read_rows, sha256_file, write_json
from pipeline.benchmarks import read_questions
from pipeline.decontaminate import GramIndex

MEASURES = {"13_gram": (13, False), "8_gram": (8, False), "8_gram_numbers_masked": (8, True)}
SHOWN = 20  # ids of rows kept a measure


def rows_of(path: Path, sources: set[str]) -> Iterator[tuple[str, str]]:
    """(id, problem) of the rows of a data set that come from `sources`; of all when that is empty."""
    for row in read_rows(path):
        if not sources or row.get("source") in sources:
            if not isinstance(row.get("problem"), str):
                raise ValueError(f"{path}: the row {row.get('id', '?')!r:.40} has no text under problem")
            yield str(row.get("id", "")), row["problem"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="clean.jsonl of a data set")
    parser.add_argument("--against", nargs="+", required=True, type=Path, help="files with test problems")
    parser.add_argument("--source", action="append", default=[], help="only rows of this source (bank, composed, ...)")
    parser.add_argument("--out", type=Path, help="where the report goes (JSON)")
    args = parser.parse_args()
    try:
        shown = [path.name for path in args.against]
        if doubles := {name for name in shown if shown.count(name) > 1}:
            raise ValueError(f"two files are called {', '.join(sorted(doubles))}: give them other names, for the report goes by name")
        tests = {path.name: read_questions(path) for path in args.against}
        indices = {
            name: {measure: GramIndex(texts, n, mask_numbers=masked) for measure, (n, masked) in MEASURES.items()}
            for name, texts in tests.items()
        }
        # Few rows overlap at all: one index of all files spares most rows the look into each of them.
        everything = [text for texts in tests.values() for text in texts]
        anywhere = {measure: GramIndex(everything, n, mask_numbers=masked) for measure, (n, masked) in MEASURES.items()}
        found: dict[str, dict[str, list[str]]] = {name: {measure: [] for measure in MEASURES} for name in tests}
        count = 0
        for row_id, problem in tqdm(rows_of(args.rows, set(args.source)), unit="row", disable=None):
            count += 1
            for measure in (measure for measure, index in anywhere.items() if index.overlaps(problem)):
                for name, by_measure in indices.items():
                    if by_measure[measure].overlaps(problem):
                        found[name][measure].append(row_id)
    except (Damaged, OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    if not count:
        raise SystemExit(f"{args.rows} holds no row of {', '.join(args.source)}")
    report = {
        "rows": count,
        "sources": args.source or "all",
        "sha256": sha256_file(args.rows),
        "tests": {
            name: {
                "problems": len(tests[name]),
                **{measure: {"rows": len(ids), "first_ids": ids[:SHOWN]} for measure, ids in by_measure.items()},
            }
            for name, by_measure in found.items()
        },
    }
    if args.out:
        write_json(args.out, report)
    print(f"{count:,} rows of {args.rows}")
    print(f"{'against':44}{'problems':>9}{'13 words':>10}{'8 words':>9}{'8 masked':>10}")
    for name, by_measure in found.items():
        print(f"{name:44}{len(tests[name]):9,}" + "".join(f"{len(ids):{w},}" for ids, w in zip(by_measure.values(), (10, 9, 10), strict=True)))
    sys.exit(any(by[m] for by in found.values() for m in ("13_gram", "8_gram")))


if __name__ == "__main__":
    main()
