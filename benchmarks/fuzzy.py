"""Near-twins by the join, against comparing every pair: CPU seconds, peak memory, and the same texts removed.

    python -m benchmarks.fuzzy --out benchmarks/records/fuzzy-curve.json                       the curve, and every pair at 83,000
    python -m benchmarks.fuzzy --sizes 10000 83000 --every-pair 10000 --out FILE         less of it

Each measurement runs in a process of its own and goes into the record at once: a run that was stopped leaves out what
is there (remove the file to begin anew). Two kinds of text:

    teachers   what the offline teachers write, five of the bank to two composed: few words, many twins
    gsm8k      sentences of GSM8K train's problems put together anew, every fifth an earlier text with some words
               changed: the vocabulary of people (MATHTUTOR_DATA, or the hub); cheap to make by the million

Ways to find the twins:

    join          pipeline.fuzzy, one process
    minhash       pipeline.fuzzy with search="minhash": not exact; `missed` and `besides` count the texts removed by one of the two alone
    scikit-learn  what a user would write: TfidfVectorizer and cosine_similarity, block by block
    numpy         the swiftest plain way we know: an index of all words, each text with all earlier ones only

Status 1 when the join and a comparison of every pair do not give the same twins. Times of a busy machine are upper bounds.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mathtutor.io import read_json, write_json
from mathtutor.sources import load_source
from pipeline.fuzzy import near_twins, tfidf
from pipeline.teachers import composed, procedural

THRESHOLD = 0.85
SIZES, EVERY_PAIR = [10_000, 83_000, 300_000, 1_000_000], [83_000]
Twins = list[int | None]


def every_pair(texts: Sequence[str]) -> Twins:
    """The vectors of pipeline.fuzzy, each multiplied with all earlier ones."""
    vectors = tfidf(texts)
    rows = np.repeat(np.arange(len(texts)), np.diff(vectors.starts))
    squares = np.bincount(rows, vectors.weights**2, minlength=len(texts))
    sizes = np.bincount(vectors.words, minlength=vectors.num_words)
    begins = (np.cumsum(sizes) - sizes).tolist()
    ends = list(begins)
    earlier, weights = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    words, own = vectors.words.tolist(), vectors.weights.tolist()
    twins: Twins = []
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


def by_scikit_learn(texts: Sequence[str], block: int = 1000) -> Twins:
    """As it is commonly written: each block of texts with all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = TfidfVectorizer().fit_transform(texts)
    twins: Twins = []
    for first in range(0, len(texts), block):
        likeness = cosine_similarity(vectors[first : first + block], vectors, dense_output=False)
        for row in range(likeness.shape[0]):
            mine = slice(likeness.indptr[row], likeness.indptr[row + 1])
            near = np.sort(likeness.indices[mine][likeness.data[mine] >= THRESHOLD])
            near = near[near < first + row].tolist()
            twins.append(next((other for other in near if twins[other] is None), None))
    return twins


WAYS: dict[str, Callable[[Sequence[str]], Twins]] = {
    "join": near_twins,
    "minhash": partial(near_twins, search="minhash"),
    "scikit-learn": by_scikit_learn,
    "numpy": every_pair,
}


# --- texts


def by_teachers(count: int) -> list[str]:
    share = count * 2 // 7
    texts = [row.problem for row in procedural.write_rows(count - share, 0)]
    texts += [row.problem for row in composed.write_rows(share, 0)]
    return random.Random(0).sample(texts, count)


def of_gsm8k(count: int) -> list[str]:
    """Sentences of GSM8K train, as many a text as the problem has that its last one is of."""
    problems = [re.split(r"(?<=[.?!]) +", problem.question) for problem in load_source("gsm8k", "train")]
    told = [sentence for problem in problems for sentence in problem[:-1]]
    words = sorted({word for sentence in told for word in sentence.split()})
    rng = random.Random(0)
    texts: list[str] = []
    for _ in range(count):
        if texts and rng.random() < 0.2:
            mutant = rng.choice(texts).split(" ")
            for _ in range(rng.randint(1, 4)):
                mutant[rng.randrange(len(mutant))] = rng.choice(words)
            texts.append(" ".join(mutant))
        else:
            problem = rng.choice(problems)
            texts.append(" ".join([*rng.sample(told, len(problem) - 1), problem[-1]]))
    return texts


TEXTS: dict[str, Callable[[int], list[str]]] = {"teachers": by_teachers, "gsm8k": of_gsm8k}


# --- measuring


def measure(texts_from: str, size: int, way: str, pipe) -> None:
    """Send what one way took, from a process that did nothing else."""
    texts = TEXTS[texts_from](size)
    WAYS[way](texts[:10])  # imports take seconds
    before, begin = peak_megabytes(), time.process_time()
    twins = WAYS[way](texts)
    seconds = time.process_time() - begin
    removed = [number for number, twin in enumerate(twins) if twin is not None]
    pipe.send(
        {
            "cpu_seconds": round(seconds, 2),
            "peak_megabytes": {"with_the_texts": before, "after": peak_megabytes()},
            "removed": len(removed),
            "twins_sha256": hashlib.sha256(json.dumps(twins).encode()).hexdigest(),
        }
    )
    pipe.send(removed)


def peak_megabytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run_alone(texts_from: str, size: int, way: str) -> tuple[dict, set[int]]:
    """(figures, numbers of the texts removed)."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(texts_from, size, way, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv(), set(ours.recv())
    except EOFError:
        raise SystemExit(f"{way} of {size:,} texts ended before its time (out of memory?)") from None
    finally:
        process.join()


def describe(record: dict, texts_from: str, size: int) -> str:
    """One size of one kind of text, as lines for people."""
    of_size = record[texts_from][f"{size}"]
    join = of_size["join"]["cpu_seconds"]
    return "\n".join(
        f"{texts_from} {size:9,} {way:13}{f['cpu_seconds']:9.2f} CPU s {f['peak_megabytes']['after']:6,} MB {f['removed']:8,} removed"
        + ("" if way == "join" else f"  {f['cpu_seconds'] / join:6.1f} times the join, {f['against_the_join']}")
        for way, f in of_size.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=list(TEXTS))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the join's curve")
    parser.add_argument("--every-pair", type=int, nargs="*", default=EVERY_PAIR, help="sizes at which every pair is compared too")
    parser.add_argument("--minhash", type=int, nargs="*", default=[], help="sizes at which MinHash is tried")
    parser.add_argument("--out", required=True, type=Path, help="the record (JSON)")
    args = parser.parse_args()
    record = read_json(args.out) if args.out.exists() else {"threshold": THRESHOLD}
    plain = ["numpy", *(["scikit-learn"] if importlib.util.find_spec("sklearn") else [])]
    for texts_from in args.texts:
        for size in sorted({*args.sizes, *args.every_pair, *args.minhash}):
            of_size = record.setdefault(texts_from, {}).setdefault(f"{size}", {})
            more = plain * (size in args.every_pair) + ["minhash"] * (size in args.minhash)
            removed: set[int] | None = None
            for way in ("join", *more):
                if way in of_size and (way != "join" or set(more) <= of_size.keys()):
                    continue
                figures, found = run_alone(texts_from, size, way)
                if way == "join":
                    removed = found
                elif way == "minhash":
                    figures["against_the_join"] = {"missed": len(removed - found), "besides": len(found - removed)}
                else:
                    same = figures["twins_sha256"] == of_size["join"]["twins_sha256"]
                    figures["against_the_join"] = "the same twins" if same else "OTHER TWINS"
                of_size[way] = figures
                write_json(args.out, record)
            print(describe(record, texts_from, size), flush=True)
    if "OTHER TWINS" in json.dumps(record):
        sys.exit("the join removed other texts than comparing every pair")


if __name__ == "__main__":
    main()
