"""The 200 problems of GSM8K train that teachers are shown: frozen, so that anyone can repeat a run.

    read_seeds()[0].id                     "gsm8k-train-4313": always the same row, or an error
    python -m pipeline.seeds               compare the frozen list with the data at hand and with the test sets
    python -m pipeline.seeds --freeze      choose anew and write assets/seeds/seeds.json

The file holds places and hashes, not texts: those come from the hub, or from the folder that MATHTUTOR_DATA
names. The choice is a shuffle of GSM8K train from which whatever is not fit to be shown is left out; none
shares eight words in a row with a test problem. Any first part of the list is a random choice too.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from itertools import chain, islice
from pathlib import Path
from random import Random

from mathtutor.io import Damaged, read_json, sha256_json, write_json
from mathtutor.problem import Problem, Row
from mathtutor.sources import SOURCES, load_source
from pipeline.benchmarks import benchmark_problems
from pipeline.decontaminate import GramIndex
from pipeline.filters import first_reason
from pipeline.teachers import gsm8k

PATH = Path(__file__).resolve().parents[1] / "assets" / "seeds" / "seeds.json"
KEY = ("gsm8k", "train")
COUNT = 200  # as many as the published run of 83,000 problems was grown from
GRAM = 8  # words in a row
LONGEST = 500  # characters of a step: the expressions below take quadratic time

# One calculation in digits, as teachers are asked to write it: no unit inside, no "=" beside it.
NUMBER = r"\(*-?\d*\.?\d+%?\)*"
CALCULATION = re.compile(rf"[^=×÷−*/+]*(?<![\w.])(?<!- ){NUMBER}( [-+*/] {NUMBER})+ = -?\d*\.?\d+\b[^=×÷−*/+]*")
VARIABLE = re.compile(r"\d[a-z]\b|[+*/-] [a-zA-Z(]*[a-zA-Z]|\blet\b", re.IGNORECASE)  # "3m", "2 * n": algebra


def is_example(row: Row) -> bool:
    """Whether a row shows what teachers are asked for: sound, one question, one plain calculation in each step."""
    asks_once = row.problem.count("?") == 1 and row.problem.rstrip().endswith("?")
    return asks_once and first_reason(row) is None and all(map(is_plain, row.steps))


def is_plain(step: str) -> bool:
    """ "Ana has 3 * 4 = 12 pens." is, "3 boxes * 4 = 12", "3m = 12" and "2 * 3 = 6 = 12 / 2" are not."""
    fit = len(step) <= LONGEST and step.count("(") == step.count(")")
    return fit and CALCULATION.fullmatch(step) is not None and not VARIABLE.search(step)


def hash_of(problem: Problem) -> str:
    """Hex digest of a problem and its solution as they were published."""
    return sha256_json([problem.question, problem.gold])


def choose(count: int, seed: int, tests: dict[str, list[str]]) -> dict:
    """What `read_seeds` reads: `count` problems, drawn by `seed`, that are fit to be shown and clear of `tests`.

    Raises ValueError when GSM8K train is not marked as trainable or holds too few.
    """
    problems, rows = _load()
    index = GramIndex(chain.from_iterable(tests.values()), GRAM)
    places = list(range(len(rows)))
    Random(f"seeds:{seed}").shuffle(places)
    fit = (place for place in places if is_example(rows[place]) and not index.overlaps(rows[place].problem))
    chosen = list(islice(fit, count))
    if len(chosen) < count:
        raise ValueError(f"only {len(chosen)} of {count} seeds can be found in {'/'.join(KEY)}")
    source = SOURCES[KEY]
    return {
        "source": "/".join(KEY),
        "repository": source.hub[0],
        "licence": source.licence,
        "file_sha256": source.sha256,
        "seed": seed,
        "no_run_of_words_shared": GRAM,
        "compared_with": {name: len(texts) for name, texts in tests.items()},
        "seeds": [{"index": place, "sha256": hash_of(problems[place])} for place in chosen],
    }


def read_seeds() -> tuple[Row, ...]:
    """The frozen problems in their frozen order.

    Raises Damaged when the list makes no sense, ValueError when a problem is not the one that was frozen, when
    GSM8K train is not at hand, or when it is not marked as trainable.
    """
    frozen = read_json(PATH)
    try:
        wanted = {seed["index"]: seed["sha256"] for seed in frozen["seeds"]}
        if len(wanted) != len(frozen["seeds"]) or frozen["source"] != "/".join(KEY):
            raise ValueError("a place stands twice, or the source is another one")
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{PATH} is no list of seeds ({error}): fetch it again") from error
    problems, rows = _load()
    for place, sha256 in wanted.items():
        if not 0 <= place < len(problems) or hash_of(problems[place]) != sha256:
            raise ValueError(
                f"problem {place} of {'/'.join(KEY)} is not the one that was frozen in {PATH.name}: "
                f"load the set that the file names ({frozen.get('repository')}, {frozen.get('file_sha256', '')[:16]})"
            )
    return tuple(rows[place] for place in wanted)


def _load() -> tuple[list[Problem], list[Row]]:
    """GSM8K train as published, and the same as rows."""
    rows = list(gsm8k.write_rows())  # refuses a source that is not marked as trainable
    return load_source(*KEY), rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--freeze", action="store_true", help="choose anew and replace the list")
    args = parser.parse_args(arguments)
    try:
        tests = benchmark_problems()
        if args.freeze:
            write_json(PATH, choose(COUNT, 0, tests))
        rows = read_seeds()
        index = GramIndex(chain.from_iterable(tests.values()), GRAM)
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    shared = [row.id for row in rows if index.overlaps(row.problem)]
    if shared:
        raise SystemExit(f"{len(shared)} seeds share {GRAM} words in a row with a test problem ({', '.join(shared[:5])})")
    steps = ", ".join(f"{count} of {number}" for number, count in sorted(Counter(len(row.steps) for row in rows).items()))
    print(f"{len(rows)} seeds of {'/'.join(KEY)} ({SOURCES[KEY].licence}), every hash as frozen; by steps: {steps}")
    print(f"none shares {GRAM} words in a row with {', '.join(f'{name} ({len(texts):,})' for name, texts in tests.items())}")


if __name__ == "__main__":
    main()
