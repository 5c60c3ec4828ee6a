"""The stages that compare rows with each other, with the seeds and with the test sets.

    drops = STAGES["exact_duplicate"](rows, recipe.corpus, references)
    drops[7]          # Drop("exact_duplicate", "same_problem", twin="bank-0000003"), or None: the row stays

Each gets the rows that are still in, in order, and says for each of them why it goes. Of rows that are
too alike the first stays, so the order of the candidates matters and nothing else does. Rows given as
`kept` come before all others and stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from mathtutor.problem import Problem, Row
from mathtutor.progress import progress
from pipeline.decontaminate import GramIndex
from pipeline.fuzzy import near_twins
from pipeline.masks import is_story, skeleton
from pipeline.nearest import NearestText, runs_of_form
from pipeline.recipe import Corpus
from pipeline.workers import Processes, Workers

HERE = Processes(1)
PART = 1024  # texts that a worker looks up at a time
LONG_GRAM = 13  # the field's usual measure of a leaked test item, reported beside the stricter ones
SHORT_GRAM = 8  # what our own data is kept clear of; in data of others it is counted
SIGNS = str.maketrans("\u2212\u00d7\u00f7", "-*/")
KEPT = re.compile(r"\w+|[+*/=<>^%]|\.(?=\d)|-(?= ?[(.]?\d)|(?<=[\w)] )-(?= \w)")  # a hyphen joins words; before a number it is a minus
OVERLAP = "shares_a_{}_with_a_test_set"


@dataclass(frozen=True)
class Drop:
    """Why a row goes. `twin` is the row, seed or test problem that it resembles."""

    stage: str
    reason: str
    twin: str = ""


@dataclass(frozen=True)
class References:
    """What rows are compared with: test problems by test set (None: not compared) and the seeds shown to teachers.

    `verbatim` are test problems of which only the very same text counts: new instances of families that rows are of.
    `missing` are known test sets that are not at hand, each with the reason.
    """

    tests: dict[str, list[str]] | None = None
    seeds: Sequence[Problem] = field(default=())
    verbatim: dict[str, list[str]] = field(default_factory=dict)
    missing: Sequence[str] = field(default=())

    @cached_property
    def questions(self) -> list[str]:
        """The test problems of all sets, one after the other."""
        return [question for questions in (self.tests or {}).values() for question in questions]

    @cached_property
    def names(self) -> list[str]:
        """ "gsm8k/test#17" for each of `questions` and `verbatim_questions`, counted from 0 within its set."""
        sets = [*(self.tests or {}).items(), *self.verbatim.items()]
        return [f"{name}#{number}" for name, questions in sets for number in range(len(questions))]

    @cached_property
    def verbatim_questions(self) -> list[str]:
        """Those of all sets, one after the other."""
        return [question for questions in self.verbatim.values() for question in questions]


Stage = Callable[..., list[Drop | None]]  # (rows, corpus, references, kept=(), workers=HERE): a verdict for each of `rows`
Finder = Callable[[Sequence[str]], Iterable[int | None]]  # for each text the number of a known text that it resembles


def exact_key(problem: str) -> str:
    """The text by which two problems count as the same: letters and digits in lower case, signs of sums, decimal points."""
    text = unicodedata.normalize("NFKC", problem).casefold().translate(SIGNS)
    return " ".join(KEPT.findall(text)) or text  # nothing but other signs: as it stands


def exact_duplicate(
    rows: Sequence[Row], corpus: Corpus, references: References, kept: Sequence[Row] = (), workers: Workers = HERE
) -> list[Drop | None]:
    """The same letters, digits and sums as an earlier problem."""
    if not corpus.exact:
        return [None] * len(rows)
    first: dict[str, str] = {}
    twins = [first.setdefault(exact_key(row.problem), row.id) for row in (*kept, *rows)][len(kept) :]
    return [None if twin == row.id else Drop("exact_duplicate", "same_problem", twin) for row, twin in zip(rows, twins, strict=True)]


def fuzzy_duplicate(
    rows: Sequence[Row], corpus: Corpus, references: References, kept: Sequence[Row] = (), workers: Workers = HERE
) -> list[Drop | None]:
    """Almost the same words as an earlier problem that stays."""
    if corpus.fuzzy is None:
        return [None] * len(rows)
    both = (*kept, *rows)
    twins = near_twins([row.problem for row in both], corpus.fuzzy, known=len(kept), search=corpus.fuzzy_search, workers=workers)[len(kept) :]
    reason = f"cosine_of_{corpus.fuzzy:g}_or_more"
    return [None if twin is None else Drop("fuzzy_duplicate", reason, both[twin].id) for twin in twins]


def seed_overlap(
    rows: Sequence[Row], corpus: Corpus, references: References, kept: Sequence[Row] = (), workers: Workers = HERE
) -> list[Drop | None]:
    """A seed retold with other numbers and names."""
    if corpus.seed_overlap is None or not references.seeds:
        return [None] * len(rows)
    found = _look_up(rows, Seeds, (corpus, [seed.question for seed in references.seeds]), "seeds", workers)
    return [f and Drop("seed_overlap", f"{f[0]}_with_a_seed", references.seeds[f[1]].id) for f in found]


def _look_up(rows: Sequence[Row], make: Callable, shared: tuple, name: str, workers: Workers) -> list:
    """What the tool make(*shared) finds for the problem of each row."""
    texts = [row.problem for row in rows]
    parts = [texts[first : first + PART] for first in range(0, len(texts), PART)]
    with progress(len(texts), 0, "rows", name=name) as advance:
        results = []
        for found in workers.map(make, shared, parts) if parts else ():
            results += found
            advance(len(found))
    return results


class Seeds:
    """A worker's tool: for each text the first measure by which it retells a seed, with the seed's number."""

    def __init__(self, corpus: Corpus, texts: Sequence[str]):
        self.measures: dict[str, Finder] = {
            f"masked_cosine_of_{corpus.seed_overlap:g}_or_more": NearestText(texts, corpus.seed_overlap).find
        }
        if corpus.seed_masked_grams is not None:
            n = corpus.seed_masked_grams
            self.measures[f"shares_a_masked_{n}_gram"] = of_stories(partial(map, GramIndex(texts, n, mask_names=True).find))

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, int] | None]:
        return first_of(self.measures, texts)


def first_of(measures: Mapping[str, Finder], texts: Sequence[str]) -> list[tuple[str, int] | None]:
    """For each text (name of the first measure that finds something, the number of what it finds)."""
    overlaps: list[tuple[str, int] | None] = [None] * len(texts)
    for name, find in measures.items():
        staying = [number for number, overlap in enumerate(overlaps) if overlap is None]
        for number, item in zip(staying, find([texts[number] for number in staying]), strict=True):
            if item is not None:
                overlaps[number] = name, item
    return overlaps


def of_stories(find: Finder) -> Finder:
    """`find` for masked texts: a bare sum has nothing left that could be copied."""

    def found(texts: Sequence[str]) -> Iterable[int | None]:
        stories = [number for number, text in enumerate(texts) if is_story(text)]
        items: list[int | None] = [None] * len(texts)
        for number, item in zip(stories, find([texts[number] for number in stories]), strict=True):
            items[number] = item
        return items

    return found


def overlap_measures(corpus: Corpus, references: References) -> dict[str, Finder]:
    """Name -> finder of an overlapping test problem, in the order in which they are asked."""
    questions = references.questions
    measures: dict[str, Finder] = {}
    if references.verbatim:
        first: dict[str, int] = {}
        for number, question in enumerate(references.verbatim_questions, len(questions)):
            first.setdefault(exact_key(question), number)
        measures["whole_problem"] = lambda texts: [first.get(exact_key(text)) for text in texts]
    measures |= {
        f"{n}_gram": partial(map, GramIndex(questions, n).find) for n in sorted({LONG_GRAM, corpus.test_grams}, reverse=True)
    }
    if corpus.test_masked_grams is not None:
        n = corpus.test_masked_grams
        measures[f"masked_{n}_gram"] = of_stories(partial(map, GramIndex(questions, n, mask_names=True).find))
    if corpus.test_masked_cosine is not None:
        index = NearestText(questions, corpus.test_masked_cosine)
        measures[f"masked_cosine_of_{corpus.test_masked_cosine:g}"] = of_stories(index.find)
    if corpus.test_form_cosine is not None:
        index = NearestText(questions, corpus.test_form_cosine, runs_of_form)
        measures[f"form_cosine_of_{corpus.test_form_cosine:g}"] = of_stories(index.find)
    return measures


class Overlap:
    """A worker's tool: for each text the first measure that finds a test problem in it, with the problem's number."""

    def __init__(self, corpus: Corpus, references: References):
        self.measures = overlap_measures(corpus, references)

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, int] | None]:
        return first_of(self.measures, texts)


def test_overlap(
    rows: Sequence[Row], corpus: Corpus, references: References, kept: Sequence[Row] = (), workers: Workers = HERE
) -> list[Drop | None]:
    """Words in a row shared with a test problem, as they stand or masked; or much the same words, masked, or the same form with other objects."""
    if references.tests is None:
        return [None] * len(rows)
    found = _look_up(rows, Overlap, (corpus, replace(references, seeds=())), "test sets", workers)
    return [f and Drop("test_overlap", OVERLAP.format(f[0]), references.names[f[1]]) for f in found]


test_overlap.__test__ = False  # the name is the stage's; pytest would collect it


def skeleton_cap(
    rows: Sequence[Row], corpus: Corpus, references: References, kept: Sequence[Row] = (), workers: Workers = HERE
) -> list[Drop | None]:
    """More than a few rows that differ in numbers and people only."""
    if corpus.skeleton_cap is None:
        return [None] * len(rows)
    same: dict[str, list[str]] = {}
    for row in kept:
        same.setdefault(skeleton(row.problem), []).append(row.id)
    drops: list[Drop | None] = []
    for row in rows:
        ids = same.setdefault(skeleton(row.problem), [])
        is_full = len(ids) >= corpus.skeleton_cap
        drops.append(Drop("skeleton_cap", f"more_than_{corpus.skeleton_cap}_of_a_skeleton", ids[0]) if is_full else None)
        if not is_full:
            ids.append(row.id)
    return drops


STAGES: dict[str, Stage] = {
    stage.__name__: stage for stage in (exact_duplicate, fuzzy_duplicate, seed_overlap, test_overlap, skeleton_cap)
}


class Overlaps:
    """A worker's tool: how many texts resemble a test problem, by every measure, those included that `corpus` switches off."""

    def __init__(self, corpus: Corpus, references: References):
        defaults = Corpus()
        every = replace(
            corpus,
            test_masked_grams=corpus.test_masked_grams or defaults.test_masked_grams,
            test_masked_cosine=corpus.test_masked_cosine or defaults.test_masked_cosine,
            test_form_cosine=corpus.test_form_cosine or defaults.test_form_cosine,
        )
        self.measures = overlap_measures(every, references)
        self.measures.setdefault(f"{SHORT_GRAM}_gram", partial(map, GramIndex(references.questions, SHORT_GRAM).find))
        self.measures[f"{SHORT_GRAM}_gram_numbers_masked"] = partial(map, GramIndex(references.questions, SHORT_GRAM, mask_numbers=True).find)

    def __call__(self, texts: Sequence[str]) -> Counter[str]:
        return Counter({name: sum(item is not None for item in find(texts)) for name, find in self.measures.items()})


def count_overlaps(
    texts: Sequence[str], corpus: Corpus, references: References, workers: Workers = HERE
) -> dict[str, int]:
    """How many texts resemble a test problem, by every measure."""
    references = replace(references, seeds=())
    parts = [texts[first : first + PART] for first in range(0, len(texts), PART)] or [[]]  # of no texts, noughts
    counts: Counter[str] = Counter()
    with progress(len(texts), 0, "rows", name="test sets, once more") as advance:
        for part, found in zip(parts, workers.map(Overlaps, (corpus, references), parts), strict=True):
            counts.update(found)
            advance(len(part))
    return dict(counts)
