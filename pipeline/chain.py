"""The filter chain: candidates go in, and every one of them comes out as a clean row or with the reason it was dropped.

    sifted = sift(rows, recipe, load_references(recipe))
    sifted.clean           # rows, in the order they came
    sifted.dropped[0]      # Dropped(row, stage="math_verification", reason="step_2_does_not_add_up", twin="")
    report_of(sifted, recipe, references)["stages"][0]     # {"stage": "structure", "in": 83000, "dropped": 12, ...}

First each row alone (`pipeline.filters`), then rows together (`pipeline.corpus`); whatever can be judged without the
other rows is judged by workers (`pipeline.workers`), processes of this machine or a Ray cluster. The result depends
neither on how many there are nor on where they are.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mathtutor.io import read_json
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem, Row
from mathtutor.progress import counted
from mathtutor.sources import DATA_VARIABLE
from pipeline import corpus
from pipeline.benchmarks import (
    ASIDE,
    BANK_HELD_OUT,
    BANK_KNOWN,
    WITHIN,
    bank_problems,
    benchmark_problems,
    published_problems,
)
from pipeline.corpus import Drop, References
from pipeline.filters import RULES, all_reasons
from pipeline.recipe import Limits, Recipe
from pipeline.seeds import read_seeds
from pipeline.teachers.draws import Draw
from pipeline.workers import Processes, Workers

AUDIT = Path(__file__).resolve().parents[1] / "assets" / "labelled" / "audit.json"
CHUNK = 500
SAMPLES = 3  # rows shown for each reason in the report
STAGES = (*RULES, *corpus.STAGES)  # names in running order
OPERATION = re.compile(r"[\d)%] ?([-+*/]) ?(?=[-.\d($])")

Reasons = list[tuple[str, str]]  # (stage, reason) of every rule that drops a row; empty for one that passes
Say = Callable[[str], object]  # takes a line for people, as soon as there is something to tell


def silent(line: str) -> None:
    """A `Say` for those who want none of it."""


@dataclass(frozen=True)
class Dropped:
    """A row with why it went; `twin` names the row, seed or test problem that it resembles."""

    row: Row
    stage: str
    reason: str
    twin: str = ""

    def to_dict(self) -> dict:
        return {"stage": self.stage, "reason": self.reason, "twin": self.twin, **self.row.to_dict()}


@dataclass(frozen=True)
class Sifted:
    """clean and dropped together are the candidates, each in the order they came.

    also[stage] counts the rows dropped by an earlier stage that this one would have dropped too; of stages that compare
    rows with each other, without those that structure threw out: they may be megabytes of anything.
    """

    clean: list[Row]
    dropped: list[Dropped]
    also: dict[str, int]


def load_references(recipe: Recipe, against: Sequence[Path] = (), no_tests: bool = False, say: Say = silent) -> References:
    """The known test sets with the problems of further files, and the seeds if the recipe compares with them.

    Raises ValueError or OSError where GSM8K or SVAMP is missing; other benchmarks that are not at hand are told in the
    report. `no_tests` needs no data and compares with nothing.
    """
    if no_tests:
        return References()
    where = f"from the folder that {DATA_VARIABLE} names" if os.environ.get(DATA_VARIABLE) else f"from the hub, as {DATA_VARIABLE} is not set"
    say(f"test sets to keep clear of: reading them {where} ...")
    seeds = read_seeds() if recipe.corpus.seed_overlap is not None else ()
    needed = benchmark_problems(against)  # first: without these nothing is built, and a hub that is away takes minutes to ask
    published, missing = published_problems()
    folders = {part for path in against for part in path.absolute().parts}
    missing += [f"{name} ({why})" for name, why in ASIDE.items() if name not in folders]
    tests = needed | {"bank/held-out": bank_problems("held-out", BANK_HELD_OUT)} | published
    say(f"test sets to keep clear of: {sum(map(len, tests.values())):,} problems of {len(tests)}, {len(missing)} not at hand")
    return References(
        tests, [Problem(row.id, row.problem, read_gold(row.answer), row.answer, row.source) for row in seeds],
        {"bank/known": bank_problems("train", BANK_KNOWN)},
        missing,
    )


class Judge:
    """A worker's tool: rows, or what rows to make, to each row with the reasons against it by the rules that judge it alone."""

    def __init__(self, limits: Limits):
        self.limits = limits

    def __call__(self, part: list[Row] | Draw) -> list[tuple[Row, Reasons]]:
        rows = part.rows() if isinstance(part, Draw) else part
        return [(row, all_reasons(row, self.limits)) for row in rows]


def parts_of(candidates: Iterable[Row | Draw]) -> Iterator[list[Row] | Draw]:
    """The candidates in parts for workers, in order: draws as they are, rows in lists of up to CHUNK."""
    for is_draw, run in itertools.groupby(candidates, key=lambda item: isinstance(item, Draw)):
        if is_draw:
            yield from run
            continue
        while chunk := list(itertools.islice(run, CHUNK)):
            yield chunk


def judged(candidates: Iterable[Row | Draw], limits: Limits, workers: Workers) -> Iterator[tuple[Row, Reasons]]:
    """Each row with the reasons against it, in order."""
    return itertools.chain.from_iterable(workers.map(Judge, (limits,), parts_of(candidates)))


def sift(
    candidates: Iterable[Row | Draw],
    recipe: Recipe,
    references: References,
    *,
    workers: Workers | None = None,
    total: int | None = None,
    say: Say = silent,
) -> Sifted:
    """Judge all candidates, in this process without `workers`. Raises ValueError when two have one id.

    `total` tells how far it has come; `say` gets a line as each stage ends.
    """
    workers = workers or Processes(1)
    rows = counted(judged(candidates, recipe.limits, workers), total, "rows", "rules")
    return sift_judged(rows, recipe, references, workers, say)


def sift_judged(
    judged: Iterable[tuple[Row, Reasons]], recipe: Recipe, references: References, workers: Workers | None = None, say: Say = silent
) -> Sifted:
    """The rest of the chain, for rows that come with the reasons against them (see `Judge`)."""
    workers = workers or Processes(1)
    rows: list[Row] = []
    drops: list[Drop | None] = []
    also = dict.fromkeys(STAGES, 0)
    seen: set[str] = set()
    for row, reasons in judged:
        if row.id in seen:
            raise ValueError(f"two rows have the id {row.id!r:.80}: give each its own")
        seen.add(row.id)
        rows.append(row)
        drops.append(Drop(*reasons[0]) if reasons else None)
        also.update({stage: also[stage] + 1 for stage, _ in reasons[1:]})
    gone = Counter(drop.stage for drop in drops if drop is not None)
    for name in RULES:
        say(f"{name:20} -{gone[name]:,}")
    for name, stage in corpus.STAGES.items():
        staying = [number for number, drop in enumerate(drops) if drop is None]
        verdicts = stage([rows[number] for number in staying], recipe.corpus, references, workers=workers)
        for number, drop in zip(staying, verdicts, strict=True):
            drops[number] = drop
        say(f"{name:20} -{sum(drop is not None for drop in verdicts):,}")
    clean = [row for row, drop in zip(rows, drops, strict=True) if drop is None]
    dropped = [
        Dropped(row, drop.stage, drop.reason, drop.twin) for row, drop in zip(rows, drops, strict=True) if drop is not None
    ]
    for name, stage in corpus.STAGES.items():
        earlier = [d.row for d in dropped if d.stage != "structure" and STAGES.index(d.stage) < STAGES.index(name)]
        also[name] = sum(drop is not None for drop in stage(earlier, recipe.corpus, references, kept=clean, workers=workers))
    say(f"{sum(also.values()):,} further reasons against dropped rows, from stages after their own")
    if len(clean) + len(dropped) != len(seen):
        raise RuntimeError(f"{len(seen)} candidates became {len(clean)} + {len(dropped)} rows: a fault in the chain")
    return Sifted(clean, dropped, also)


# --- the report


def report_of(sifted: Sifted, recipe: Recipe, references: References, workers: Workers | None = None) -> dict:
    """The funnel and the balance of a sifted set; whoever writes the files adds the command and their hashes.

    stages          one entry a stage in running order; `also_would_fail` counts rows that an earlier stage dropped and
                    this one would have dropped too: they are not among its `dropped`
    answers         {"kinds": {"integer": ...}, "sizes": {"10 to 99": ...}} of the clean rows; a negative one is of another kind too
    operations      how often each of + - * / stands between two numbers of a step
    lengths         words a problem, by tens: {"40 to 49": ...}
    clusters        size -> number of clusters of that size: a row and those dropped as its duplicates or for its skeleton
    samples         stage -> reason -> up to 3 rows as they stand in dropped.jsonl
    audit           what pipeline.audit measured of the filters, at the default thresholds and, where it has them, at this recipe's words in
                    a row: its record, without the errors' ids
    example         the first clean row
    """
    clean, dropped = sifted.clean, sifted.dropped
    by_stage: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    samples: dict[str, dict[str, list[dict]]] = {}
    for drop in dropped:
        by_stage[drop.stage][drop.reason] += 1
        if by_stage[drop.stage][drop.reason] <= SAMPLES:
            samples.setdefault(drop.stage, {}).setdefault(drop.reason, []).append(drop.to_dict())
    kinds = Counter(kind for row in clean for kind in _kinds(row.answer))
    lengths = [len(row.problem.split()) for row in clean]
    operations = Counter(sign for row in clean for step in row.steps for sign in OPERATION.findall(step))
    return {
        "recipe": _told(recipe),
        "candidates": len(clean) + len(dropped),
        "clean": len(clean),
        "dropped": len(dropped),
        "dropped_by_stage": {stage: dict(reasons.most_common()) for stage, reasons in by_stage.items()},
        "stages": _funnel(sifted, by_stage),
        "sources": dict(Counter(row.source for row in clean).most_common()),
        "families": len({row.family for row in clean if row.family}),
        "topics": dict(Counter(row.topic for row in clean if row.topic).most_common()),
        "grades": _sorted(Counter(row.grade for row in clean if row.grade)),
        "steps": _sorted(Counter(len(row.steps) for row in clean)),
        "operations": {sign: operations[sign] for sign in "+-*/"},
        "answers": {
            "kinds": {kind: kinds[kind] for kind in ("integer", "decimal", "fraction", "negative")},
            "sizes": {name: count for (_, name), count in _sorted(Counter(_decade(row.answer) for row in clean)).items()},
        },
        "mean_words": round(sum(lengths) / max(1, len(lengths)), 1),
        "lengths": {f"{10 * ten} to {10 * ten + 9}": count for ten, count in _sorted(Counter(n // 10 for n in lengths)).items()},
        "clusters": _clusters(dropped),
        "decontamination": _decontamination(clean, by_stage["test_overlap"], recipe, references, workers or Processes(1)),
        "samples": {stage: samples[stage] for stage in STAGES if stage in samples},
        "audit": _audited(recipe.corpus.test_grams),
        **({"example": clean[0].to_dict()} if clean else {}),
    }


def _audited(test_grams: int) -> dict:
    record = read_json(AUDIT)
    kept = ("labelled", "found", "false_alarms", "precision", "recall")
    measured = record["filters_at_test_grams"].get(str(test_grams))
    filters = {stage: {key: found[key] for key in kept} for stage, found in (record["filters"] | (measured or {})).items()}
    grams = test_grams if measured else record["test_grams"]
    return {"labelled": record["labelled"], "sha256": record["sha256"], "test_grams": grams, "filters": filters}


def _told(recipe: Recipe) -> dict:
    """The recipe with names for paths: reports are published."""
    files = ",".join(Path(path.strip()).name for path in recipe.sources.files.split(",") if path.strip())
    return asdict(replace(recipe, sources=replace(recipe.sources, files=files)))


def _sorted(counts: Mapping) -> dict:
    return dict(sorted(counts.items()))


def _funnel(sifted: Sifted, by_stage: Mapping[str, Counter[str]]) -> list[dict]:
    funnel, left = [], len(sifted.clean) + len(sifted.dropped)
    for stage, reasons in by_stage.items():
        gone = reasons.total()
        funnel.append({"stage": stage, "in": left, "dropped": gone, "out": left - gone, "also_would_fail": sifted.also[stage]})
        left -= gone
    return funnel


def _kinds(answer: str) -> list[str]:
    value = read_gold(answer)
    kind = "fraction" if "/" in answer else "integer" if value is not None and value.denominator == 1 else "decimal"
    return [kind, "negative"] if value is not None and value < 0 else [kind]


def _decade(answer: str) -> tuple[int, str]:
    """(order, name) of the answer's size without its sign: "10 to 99"."""
    size = abs(read_gold(answer) or 0)
    digits = len(str(int(size)))
    return (0, "under 1") if size < 1 else (digits, f"{10 ** (digits - 1):,} to {10**digits - 1:,}")


def _clusters(dropped: Sequence[Dropped]) -> dict[int, int]:
    """Sizes of the clusters of rows that resemble a row that came before; a twin may itself have been dropped later."""
    twins = {d.row.id: d.twin for d in dropped if d.stage in ("exact_duplicate", "fuzzy_duplicate", "skeleton_cap")}
    sizes: Counter[str] = Counter()
    for twin in twins.values():
        while twin in twins:
            twin = twins[twin]
        sizes[twin] += 1
    return _sorted(Counter(size + 1 for size in sizes.values()))


def _decontamination(
    clean: Sequence[Row], reasons: Mapping[str, int], recipe: Recipe, references: References, workers: Workers
) -> dict:
    if references.tests is None:
        return {"tests": "not compared", "test_problems": 0, "dropped_for_overlap": {}, "clean_rows_with_overlap": None}
    texts = [row.problem for row in clean]
    return {
        "tests": list(references.tests),
        **({"verbatim_only": list(references.verbatim)} if references.verbatim else {}),
        "within": {name: other for name, other in WITHIN.items() if other in references.tests},
        "not_compared": list(references.missing),
        "test_problems": len(references.questions),
        "dropped_for_overlap": {m: reasons[corpus.OVERLAP.format(m)] for m in corpus.overlap_measures(recipe.corpus, references)},
        # Counted again over what was kept, so that the claim does not rest on the filter alone, and by measures
        # that the recipe may have switched off.
        "clean_rows_with_overlap": corpus.count_overlaps(texts, recipe.corpus, references, workers),
    }
