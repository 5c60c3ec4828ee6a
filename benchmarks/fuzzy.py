"""Near-twins by the join, against comparing every pair, in one run: CPU seconds, and the same texts removed.

    python -m benchmarks.fuzzy --rows data/pocket/clean.jsonl --out benchmarks/records/fuzzy.json

The join judges 83,000 texts (--texts), in the order drawn by chance. Comparing every pair may take minutes
at that size, so it runs on the first 10,000 and 20,000 (--every-pair); each size is a sample of the same
mixture, and the seconds at 83,000 are those of the curve a * n + b * n**2 through the two largest. The
record says that they are extrapolated. Two ways to compare every pair:

    scikit-learn  TfidfVectorizer and cosine_similarity, block by block (only where it is installed)
    numpy         the swiftest plain way we know: an index of all words, each text with all earlier ones only

Each reads its texts anew. Without --rows the texts are made by the teachers,
five of the bank to two composed.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mathtutor.io import read_rows, write_json
from pipeline.fuzzy import near_twins, tfidf
from pipeline.teachers import composed, procedural

THRESHOLD = 0.85
Way = Callable[[Sequence[str]], list[int | None]]


def every_pair(texts: Sequence[str]) -> list[int | None]:
    """The vectors of pipeline.fuzzy, each multiplied with all earlier ones."""
    vectors = tfidf(texts)
    rows = np.repeat(np.arange(len(texts)), np.diff(vectors.starts))
    squares = np.bincount(rows, vectors.weights**2, minlength=len(texts))
    sizes = np.bincount(vectors.words, minlength=vectors.num_words)
    begins = (np.cumsum(sizes) - sizes).tolist()
    ends = list(begins)
    earlier, weights = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    words, own = vectors.words.tolist(), vectors.weights.tolist()
    twins: list[int | None] = []
    for text in range(len(texts)):
        products = np.zeros(text)
        for entry in range(vectors.starts[text], vectors.starts[text + 1]):
            word, begin, end = words[entry], begins[words[entry]], ends[words[entry]]
            products[earlier[begin:end]] += own[entry] * weights[begin:end]
            earlier[end], weights[end], ends[word] = text, own[entry], end + 1
        near = np.flatnonzero(products >= THRESHOLD - 1e-5)
        near = near[products[near] / np.sqrt(squares[near] * squares[text]) >= THRESHOLD]
        twins.append(next((other for other in near.tolist() if twins[other] is None), None))
    return twins


def by_scikit_learn(texts: Sequence[str], block: int = 1000) -> list[int | None]:
    """As it is commonly written: each block of texts with all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = TfidfVectorizer().fit_transform(texts)
    twins: list[int | None] = []
    for first in range(0, len(texts), block):
        likeness = cosine_similarity(vectors[first : first + block], vectors, dense_output=False)
        for row in range(likeness.shape[0]):
            mine = slice(likeness.indptr[row], likeness.indptr[row + 1])
            near = np.sort(likeness.indices[mine][likeness.data[mine] >= THRESHOLD])
            near = near[near < first + row].tolist()
            twins.append(next((other for other in near if twins[other] is None), None))
    return twins


def measured(way: Way, texts: Sequence[str]) -> tuple[list[int | None], float]:
    """What it gives, and the CPU seconds (of all threads)."""
    begin = time.process_time()
    twins = way(texts)
    return twins, time.process_time() - begin


def curve(sizes: list[int], seconds: list[float], size: int) -> float:
    """Seconds at `size` by a * n + b * n**2 through the two largest sizes; with one size, by n**2 alone."""
    if len(sizes) == 1:
        return seconds[0] * (size / sizes[0]) ** 2
    (_, n, m), (_, s, t) = ([0, *values[-2:]] for values in (sizes, seconds))
    b = (t / m - s / n) / (m - n)
    return size * (t / m + b * (size - m))


def sample(path: Path | None, count: int) -> list[str]:
    if path is not None:
        texts = [row["problem"] for row in read_rows(path)]
        if len(texts) < count:
            raise SystemExit(f"{path} has {len(texts):,} rows: ask for no more with --texts")
    else:
        share = count * 2 // 7
        texts = [row.problem for row in procedural.write_rows(count - share, 0)]
        texts += [row.problem for row in composed.write_rows(share, 0)]
    return random.Random(0).sample(texts, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="a data set's JSONL with a `problem` in each row (default: made by the teachers)")
    parser.add_argument("--texts", type=int, default=83_000, help="how many the join judges (default: 83000)")
    parser.add_argument(
        "--every-pair", type=int, nargs="+", default=[10_000, 20_000], help="how many are compared in pairs (default: 10000 20000)"
    )
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    args = parser.parse_args()
    sizes = sorted(set(args.every_pair))
    if not 1 <= sizes[0] <= sizes[-1] <= args.texts:
        raise SystemExit("the sizes of --every-pair lie in 1 to --texts")
    texts = sample(args.rows, args.texts)
    before = peak_megabytes()
    twins, seconds = measured(near_twins, texts)
    record = {
        "texts": len(texts),
        "from": "the teachers" if args.rows is None else args.rows.name,
        "mean_words": round(sum(len(text.split()) for text in texts) / len(texts), 1),
        "threshold": THRESHOLD,
        "removed": sum(twin is not None for twin in twins),
        "cpu_seconds": round(seconds, 2),
        "peak_megabytes": {"with_the_texts_read": before, "after": peak_megabytes()},
        "every_pair": {},
    }
    print(f"join: {len(texts):,} texts, {record['removed']:,} removed, {seconds:.2f} CPU s, peak {peak_megabytes():,} MB")
    ways: dict[str, Way] = {"numpy": every_pair}
    if importlib.util.find_spec("sklearn"):
        ways["scikit-learn"] = by_scikit_learn
        by_scikit_learn(texts[:10])  # its import takes seconds
    joins = {size: measured(near_twins, texts[:size]) for size in sizes}
    for name, way in ways.items():
        at = []
        for size in sizes:
            (expected, join_seconds), (twins, pair_seconds) = joins[size], measured(way, texts[:size])
            at.append(
                {
                    "texts": size,
                    "removed": sum(twin is not None for twin in twins),
                    "same_twins": twins == expected,
                    "cpu_seconds": round(pair_seconds, 2),
                    "join_cpu_seconds": round(join_seconds, 2),
                    "times": round(pair_seconds / join_seconds, 1),
                }
            )
            print(f"{name}: {size:,} texts, {pair_seconds:.2f} CPU s, join {join_seconds:.2f}: {pair_seconds / join_seconds:.0f} times; "
                  f"{'the same twins' if twins == expected else 'OTHER TWINS'}")  # fmt: skip
        full = curve(sizes, [one["cpu_seconds"] for one in at], len(texts))
        record["every_pair"][name] = {
            "measured": at, "extrapolated_cpu_seconds": round(full), "extrapolated_times": round(full / seconds, 1)
        }  # fmt: skip
        print(f"{name}: {len(texts):,} texts, {full:,.0f} CPU s extrapolated: {full / seconds:.1f} times the join")
    if args.out:
        write_json(args.out, record)
    if not all(one["same_twins"] for way in record["every_pair"].values() for one in way["measured"]):
        sys.exit("the join removed other texts than comparing every pair")


def peak_megabytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
