"""Rows without the texts of their problems, so that runs on test sets can be published reply by reply.

    python -m eval.withheld evals/pocket-svamp evals/pocket-gsm8k      # results.jsonl -> replies.jsonl

The questions of GSM8K and SVAMP are not ours to copy, and a test set that lies about in repositories ends up in training
data. `replies.jsonl` has all else of each row: reply, answers, gold answer, tokens, and the prompt with "{question}" where
the question stood, and `question_sha256` in the question's place. Whoever has the set has the whole record again: where
MATHTUTOR_DATA holds it, `load_run` puts each question back, if it is that very one. Every command that reads runs reads
these too: verdicts, comparisons and readings need no question.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from eval.benchmarks import load_benchmark
from mathtutor.io import Damaged, read_json, read_rows, write_rows
from mathtutor.problem import Problem
from mathtutor.sources import DATA_VARIABLE

OURS = ("bank", "bank-known")  # made here, from a seed
FILE = "replies.jsonl"
MARK = "{question}"
HASH = "question_sha256"


def hash_of(question: str) -> str:
    return hashlib.sha256(question.encode("utf-8", "replace")).hexdigest()[:16]


def asked(row: Mapping) -> str:
    """What tells one question from another, whether a row holds it or not."""
    return row.get(HASH) or hash_of(row.get("question", ""))


def withhold(row: Mapping) -> dict:
    """A row of results.jsonl without its question."""
    question = row.get("question", "")
    kept = {key: value for key, value in row.items() if key != "question"} | {HASH: asked(row)}
    if question:
        if MARK in (prompt := row.get("prompt", "")):
            raise ValueError(f"the prompt of {row['id']} holds {MARK} itself: its question cannot be taken out and put back")
        # A server that changed the text on its way into the prompt would give it away.
        kept["prompt"] = prompt.replace(question, MARK) if question in prompt else ""
    return kept


def restore(rows: Iterable[dict], questions: Mapping[str, str]) -> Iterator[dict]:
    """The rows with the questions that are at hand, by id; the others have the text ""."""
    for row in rows:
        if HASH not in row or not isinstance(row.get("id"), str) or not isinstance(row.get("prompt", ""), str):
            yield row
        elif (question := questions.get(row["id"], "")) and hash_of(question) == row[HASH]:
            yield {key: value for key, value in row.items() if key != HASH} | {"question": question, "prompt": row.get("prompt", "").replace(MARK, question)}
        else:
            yield row | {"question": ""}


def at_hand(benchmark: str) -> Sequence[Problem]:
    """The problems of a benchmark where they lie on this machine, else none; nothing is fetched for them."""
    if benchmark.startswith("file:"):
        return _load(benchmark)  # a file may change between two looks
    return _loaded(benchmark) if benchmark in OURS or os.environ.get(DATA_VARIABLE) else ()


@cache
def _loaded(benchmark: str) -> Sequence[Problem]:
    return _load(benchmark)


def _load(benchmark: str) -> Sequence[Problem]:
    try:
        return load_benchmark(benchmark)
    except (ValueError, OSError):
        return ()


@cache
def questions_of(benchmark: str) -> Mapping[str, str]:
    """The questions of a benchmark by id, where they lie on this machine; nothing is fetched for them."""
    return {problem.id: problem.question for problem in at_hand(benchmark)}


def read_replies(path: Path, benchmark: str) -> Iterator[dict]:
    """The rows of a replies.jsonl, whole again where the benchmark is at hand. Raises Damaged or OSError."""
    return restore(read_rows(path), questions_of(benchmark))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.withheld", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that eval.run wrote")
    args = parser.parse_args(argv)
    try:
        for folder in args.runs:
            if not (folder / "summary.json").exists():
                raise ValueError(f"{folder} has no summary.json: run its eval.run command to its end")
            if not isinstance(read_json(folder / "run.json"), dict):
                raise ValueError(f"{folder / 'run.json'} is no record of a run")
            rows = [withhold(row) for row in read_rows(folder / "results.jsonl")]
            write_rows(folder / FILE, rows)
            print(f"{folder / FILE}: {len(rows):,} rows without the texts of their problems")
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
