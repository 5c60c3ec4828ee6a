"""One recipe is one data set: where its rows come from, and every threshold that they must pass.

    recipe = load_recipe("pipeline/recipes/synth-50k.yaml", ["sources.bank=1000", "corpus.fuzzy=null"])
    recipe.limits.max_steps, recipe.corpus.skeleton_cap      # (12, 3)

Unknown keys, wrong types and impossible values are refused, all in one message, with a suggestion; whether the
values suit one another is asked when each is right by itself. A threshold that is null switches its check off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mathtutor.recipes import Range, RecipeError, build, read_recipe, refuse

__all__ = ["Corpus", "Limits", "Recipe", "RecipeError", "Sources", "load_recipe"]


@dataclass(frozen=True)
class Sources:
    """How many candidates each teacher writes."""

    bank: int = 0  # instances of the bank's training families
    composed: int = 0  # stories composed from random graphs of quantities
    stories: int = 0  # tellings of the stories with several questions, all questions in turn
    gsm8k: bool = False  # GSM8K train's own solutions, tidied
    gsm8k_variants: int = 0  # of each problem of GSM8K train that can be told again with other numbers and names
    files: str = ""  # rows that teachers wrote before (raw.jsonl of pipeline.teach), parted by commas
    bank_validation: int = 0  # rows of the bank's validation families, beside the candidates: validation.jsonl


@dataclass(frozen=True)
class Limits:
    """Thresholds of the filters that judge a row alone."""

    # structure
    max_problem_chars: int = 5000  # of 200 words none has so many; what is longer costs the other filters time
    max_step_chars: int = 1000  # of a step, of what is asked and of a plan
    min_words: int = 4  # of a problem; the shortest that we know, "Solve 3x + 7 = 22.", has five
    max_words: int = 200  # GSM8K train's longest question has 183; past that a row is several problems in one
    max_steps: int = 12  # a small model loses the thread; GSM8K train has 13 longer rows
    # answer_range
    max_answer: float = 1e9  # GSM8K's largest gold is 192,000,000; larger values are slips of a generator
    # solution_quality
    min_steps: int = 1  # 2 leaves out problems of a single sum
    max_strays: int | None = 0  # operands that are neither given, nor worked out, nor common knowledge
    max_idle_steps: int | None = 0  # steps without any number: talk; null for solutions that explain at length
    max_idle_sums: int | None = 0  # 7 * 1 = 7 where nobody speaks of a 1: padding that a model would learn
    least_common_words: float | None = 0.2  # share of the problem's words; below that it is not English prose
    # math_verification
    all_sums_checked: bool = True  # false lets 3 / 0 = 0, 9^9^9^9 = 1 and "3 plus 4 is 8" pass
    # ai_detection, units, child_safety, personal_data: false switches the filter off
    assistant_residue: bool = True
    whole_units: bool = True
    max_decimals_of_money: int = 2  # 3 for prices of petrol and electricity
    child_safe: bool = True
    no_personal_data: bool = True
    # reading_level: Flesch-Kincaid grades of the problem
    max_reading_grade: float | None = 16  # one long sentence reads as grade 13; 20 rows of GSM8K train are above 16
    min_reading_grade: float | None = None
    min_words_graded: int = 12  # the grade of a shorter text is noise


@dataclass(frozen=True)
class Corpus:
    """Thresholds of the stages that compare a row with other rows, with seeds and with test sets."""

    exact: bool = True  # drop the second of two problems with the same letters and digits
    fuzzy: float | None = 0.85  # cosine of TF-IDF vectors from which two problems are near-twins
    fuzzy_search: str = "exact"  # or "minhash": misses one near-twin in some hundreds, for sets of many millions of rows
    seed_overlap: float | None = 0.85  # cosine of masked TF-IDF vectors from which a problem retells a seed
    seed_masked_grams: int | None = 10  # words in a row shared with a seed, numbers and names masked; where seed_overlap is on
    skeleton_cap: int | None = 3  # rows a skeleton: problems that differ in numbers and names only
    test_grams: int = 8  # words in a row shared with a test problem; 13 and 8 are counted beside it
    test_masked_grams: int | None = 10  # the same with numbers and names masked
    test_masked_cosine: float | None = 0.6  # cosine of masked TF-IDF vectors
    test_form_cosine: float | None = 0.75  # the same of the words of grammar and quantity alone: other objects, too, do not hide a copy
    validation: float = 0.02  # share of the clean rows kept for validation, by whole clusters; over a half is a slip


@dataclass(frozen=True)
class Recipe:
    name: str
    seed: int = 0
    sources: Sources = field(default_factory=Sources)
    limits: Limits = field(default_factory=Limits)
    corpus: Corpus = field(default_factory=Corpus)


SEARCHES = ("exact", "minhash")
LOOSEST_SPLIT = 0.85  # cosine above which clusters are too small to part training from validation
COSINE = Range(0, 1, above=True)
RANGES: dict[str, dict[str, Range]] = {
    "": {"seed": Range(0)},
    "sources": {name: Range(0) for name in ("bank", "composed", "stories", "gsm8k_variants", "bank_validation")},
    "limits": {
        "max_problem_chars": Range(1, 10_000),
        "max_step_chars": Range(1, 10_000),
        "min_words": Range(1),
        "max_words": Range(1),
        "max_steps": Range(1, 50),
        "max_answer": Range(0, above=True),
        "min_steps": Range(1),
        "max_strays": Range(0),
        "max_idle_steps": Range(0),
        "max_idle_sums": Range(0),
        "least_common_words": Range(0, 1),
        "max_decimals_of_money": Range(0, 12),
        "max_reading_grade": Range(0, above=True),
        "min_reading_grade": Range(-10, 100),
        "min_words_graded": Range(1),
    },
    "corpus": {
        "fuzzy": COSINE,
        "seed_overlap": COSINE,
        "skeleton_cap": Range(1),
        "test_grams": Range(1, 13),
        "test_masked_grams": Range(1),
        "seed_masked_grams": Range(1),
        "test_masked_cosine": COSINE,
        "test_form_cosine": COSINE,
        "validation": Range(0, 0.5),
    },
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are "corpus.fuzzy=null". Raises RecipeError (a ValueError) or OSError."""
    problems: list[str] = []
    recipe = build(Recipe, read_recipe(path, overrides, problems), problems)
    if recipe is not None:
        problems += _check(recipe)
        problems += [] if problems else _compare(recipe)
    refuse(path, problems)
    return recipe


def _check(recipe: Recipe) -> list[str]:
    """What is wrong with each value by itself."""
    problems = []
    for name, ranges in RANGES.items():
        section = getattr(recipe, name) if name else recipe
        for key, allowed in ranges.items():
            value = getattr(section, key)
            if value is not None and not allowed.holds(value):
                problems.append(f"{name}{'.' * bool(name)}{key} must {allowed}, not {value}")
    if not NAME.fullmatch(recipe.name):
        problems.append(f"name must be 1 to 64 letters, digits, _ or -, not {recipe.name!r:.80}")
    if recipe.corpus.fuzzy_search not in SEARCHES:
        problems.append(f"corpus.fuzzy_search must be {' or '.join(SEARCHES)}, not {recipe.corpus.fuzzy_search!r:.40}")
    return problems


def _compare(recipe: Recipe) -> list[str]:
    """Which values do not suit one another."""
    problems = []
    limits, corpus = asdict(recipe.limits), recipe.corpus
    for key, value in limits.items():
        most = limits.get(key.replace("min_", "max_", 1))
        if value is not None and most is not None and value > most:
            problems.append(f"limits.{key} {value} exceeds limits.{key.replace('min_', 'max_', 1)} {most}")
    if corpus.validation and corpus.fuzzy is None:
        problems.append("corpus.validation needs corpus.fuzzy: without it near-twins would stand on both sides")
    elif corpus.validation and corpus.fuzzy > LOOSEST_SPLIT:
        problems.append(f"corpus.validation needs corpus.fuzzy of at most {LOOSEST_SPLIT}: else near-twins would stand on both sides")
    if corpus.validation and recipe.sources.bank_validation:
        problems.append("corpus.validation and sources.bank_validation both fill validation.jsonl: set one of them to 0")
    return problems
