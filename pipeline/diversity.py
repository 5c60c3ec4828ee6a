"""How varied the bank's language is, measured beside real problems.

    python -m pipeline.diversity --out assets/bank/diversity.json      # needs MATHTUTOR_DATA

Of each corpus the same number of problems is measured, for every figure depends on the size of the
text. Numbers are masked first: "3 apples" and "4 apples" are one phrase.

    distinct_n      different n-grams over all n-grams, higher is more varied
    compression     characters over gzip's bytes, lower is more varied (Shaib et al., arXiv 2403.00553)
    nearest         mean over problems of the likeness (Jaccard, word trigrams) to the nearest other one of
                    the corpus, lower is more varied
    nearest_in      the same to the nearest problem of another corpus: how far the bank is from a copy of it,
                    and how near to what it is to prepare for
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from mathtutor.bank import load_bank, split_of
from mathtutor.bank.compose import compose_many
from mathtutor.io import write_json
from mathtutor.sources import load_source
from pipeline.decontaminate import words
from pipeline.teachers.composed import DEPTHS

SEED = 700_001  # no data set is built from this seed


def distinct(corpus: Sequence[list[str]], n: int) -> float:
    """Different n-grams over all n-grams."""
    grams = Counter(tuple(tokens[i : i + n]) for tokens in corpus for i in range(len(tokens) - n + 1))
    return len(grams) / max(1, grams.total())


def compression(corpus: Sequence[list[str]]) -> float:
    """Characters of the text over the bytes that gzip makes of it."""
    text = "\n".join(" ".join(tokens) for tokens in corpus).encode()
    return len(text) / len(gzip.compress(text, 9))


def trigrams(tokens: list[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(tokens[i : i + 3]) for i in range(len(tokens) - 2))


def nearest(corpus: Sequence[list[str]], others: Sequence[list[str]] | None = None) -> float:
    """Mean likeness to the nearest problem of `others`, or to the nearest other one of the corpus itself."""
    pool = [trigrams(tokens) for tokens in (corpus if others is None else others)]
    index = defaultdict(list)
    for number, grams in enumerate(pool):
        for gram in grams:
            index[gram].append(number)
    total = 0.0
    for place, tokens in enumerate(corpus):
        mine = trigrams(tokens)
        shared = Counter(number for gram in mine for number in index[gram] if others is not None or number != place)
        total += max((common / (len(mine) + len(pool[number]) - common) for number, common in shared.items()), default=0.0)
    return total / len(corpus)


def corpora(count: int) -> dict[str, list[str]]:
    """`count` problems of each corpus, chosen by chance."""
    families = [family for _, family in sorted(load_bank().items()) if split_of(family.id) == "train"]
    rng = random.Random(SEED)
    texts = {
        "bank": [families[i % len(families)].instantiate(SEED, i // len(families)).problem for i in range(count)],
        "composed": [instance.problem for instance in compose_many(SEED, count, DEPTHS)],
        "gsm8k-train": [problem.question for problem in load_source("gsm8k", "train")],
        "svamp": [problem.question for problem in load_source("svamp", "test")],
    }
    return {name: rng.sample(problems, count) for name, problems in texts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="where the report goes (JSON)")
    parser.add_argument("--count", type=int, default=1000, help="problems of each corpus, at most 1000 (default)")
    args = parser.parse_args()
    if not 2 <= args.count <= 1000:
        raise SystemExit("--count must lie in 2 to 1000: SVAMP has a thousand problems")
    try:
        masked = {name: [words(text, mask_numbers=True) for text in texts] for name, texts in corpora(args.count).items()}
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    report = {"command": f"python -m pipeline.diversity --count {args.count}", "problems": args.count, "corpora": {}}
    print(f"{'':14}{'words':>7}{'vocab':>7}{'dist-2':>8}{'dist-4':>8}{'gzip':>7}{'near':>7}{'to gsm8k':>10}{'to svamp':>10}")
    for name, corpus in masked.items():
        row = {
            "mean_words": round(sum(map(len, corpus)) / len(corpus), 1),
            "vocabulary": len({word for tokens in corpus for word in tokens}),
            **{f"distinct_{n}": round(distinct(corpus, n), 3) for n in (1, 2, 3, 4)},
            "compression": round(compression(corpus), 2),
            "nearest": round(nearest(corpus), 3),
            "nearest_in": {other: round(nearest(corpus, masked[other]), 3) for other in ("gsm8k-train", "svamp") if other != name},
        }
        report["corpora"][name] = row
        near = row["nearest_in"]
        print(
            f"{name:14}{row['mean_words']:7}{row['vocabulary']:7}{row['distinct_2']:8}{row['distinct_4']:8}{row['compression']:7}"
            f"{row['nearest']:7}{near.get('gsm8k-train', '-'):>10}{near.get('svamp', '-'):>10}"
        )
    write_json(args.out, report)


if __name__ == "__main__":
    main()
