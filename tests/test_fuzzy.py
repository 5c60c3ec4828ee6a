"""Near-twins: the join removes what comparing every pair removes, text by text."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter

import numpy as np
import pytest

import pipeline.fuzzy
from mathtutor.bank import load_bank
from pipeline.fuzzy import near_pairs, near_twins
from pipeline.teachers import composed, procedural


def cosines(texts: list[str]) -> np.ndarray:
    """(texts, texts) straight from the definition: every word of every text, every text with every other."""
    counts = [Counter(re.findall(r"\b\w\w+\b", text.lower())) for text in texts]
    words = sorted(set().union(*counts))
    with_word = Counter(word for count in counts for word in count)
    idf = {word: np.log((1 + len(texts)) / (1 + with_word[word])) + 1 for word in words}
    vectors = np.array([[count[word] * idf[word] for word in words] for count in counts]).reshape(len(texts), len(words))
    lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    vectors = np.rint(vectors / np.where(lengths > 0, lengths, 1) * 2**26) / 2**26
    products = vectors @ vectors.T
    squares = np.diag(products)
    return products / np.maximum(np.sqrt(np.outer(squares, squares)), 0.5)  # 0 for a text without words


def naive(similarity: np.ndarray, threshold: float) -> list[int | None]:
    twins: list[int | None] = []
    for text, row in enumerate(similarity):
        near = np.flatnonzero(row[:text] >= threshold).tolist()
        twins.append(next((other for other in near if twins[other] is None), None))
    return twins


def random_texts(seed: int, count: int, num_words: int, longest: int) -> list[str]:
    """Random words, few of them common; a third of the texts are earlier ones with some words changed."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(num_words)]
    odds = [1 / (1 + number) for number in range(num_words)]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.35:
            text = list(rng.choice(texts))
            for _ in range(rng.randint(0, 3)):
                if text:
                    text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = rng.choices(words, odds, k=rng.randint(0, longest))
        texts.append(text)
    return [" ".join(text) for text in texts]


def bank_texts(count: int) -> list[str]:
    """Many rows each of some families of the bank, and half as many composed ones, mixed."""
    families = dict(sorted(load_bank().items())[:20])
    texts = [row.problem for row in procedural.write_rows(count, 3, bank=families)]
    texts += [row.problem for row in composed.write_rows(count // 2, 3)]
    random.Random(0).shuffle(texts)
    return texts


THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.99, 1.0)


@pytest.mark.parametrize("seed, num_words, longest", [(1, 12, 6), (2, 60, 12), (3, 400, 30), (4, 5, 3), (5, 30, 200)])
def test_random_texts_lose_what_comparing_every_pair_loses(seed, num_words, longest):
    texts = random_texts(seed, 250, num_words, longest)
    similarity = cosines(texts)
    for threshold in THRESHOLDS:
        assert near_twins(texts, threshold) == naive(similarity, threshold), threshold


@pytest.mark.parametrize("seed, num_words, longest", [(1, 12, 6), (2, 60, 12), (3, 400, 30), (4, 5, 3)])
def test_all_near_pairs_are_those_that_comparing_every_pair_finds(monkeypatch, seed, num_words, longest):
    texts = random_texts(seed, 250, num_words, longest)
    similarity = np.tril(cosines(texts), -1)
    for threshold, postings in itertools.product(THRESHOLDS, (1 << 17, 50)):
        monkeypatch.setattr(pipeline.fuzzy, "POSTINGS", postings)
        pairs = list(near_pairs(texts, threshold))
        assert sorted(pairs) == list(zip(*map(np.ndarray.tolist, np.nonzero(similarity >= threshold)), strict=True)), threshold
    assert list(near_pairs([], 0.5)) == []


def test_problems_lose_what_comparing_every_pair_loses():
    texts = bank_texts(360)
    similarity = cosines(texts)
    for threshold in THRESHOLDS:
        twins = near_twins(texts, threshold)
        assert twins == naive(similarity, threshold), threshold
        if threshold == 0.85:
            assert 10 < sum(twin is not None for twin in twins) < len(texts) - 10  # there was something to decide


@pytest.mark.parametrize(
    "name, value",
    [("COMMON_SHARE", 0.0), ("COMMON_SHARE", 0.99), ("BLOCK", 1), ("BLOCK", 7), ("POSTINGS", 1), ("POSTINGS", 50), ("CELLS", 1), ("CUTS", 2)],
)
def test_what_trades_time_for_memory_changes_no_answer(monkeypatch, name, value):
    texts = random_texts(6, 300, 80, 15)
    similarity = cosines(texts)
    monkeypatch.setattr(pipeline.fuzzy, name, value)
    for threshold in (0.5, 0.85, 1.0):
        assert near_twins(texts, threshold) == naive(similarity, threshold)


ANA = "Ana buys ten red apples at the market."


@pytest.mark.parametrize(
    "texts, twins",
    [
        ([], []),
        ([""], [None]),
        ([ANA], [None]),
        (["", " ", "5 a ?", "", ""], [None] * 5),  # no words: nobody's twin, not even each other's
        ([ANA, "", ANA], [None, None, 0]),
        (["Ana buys ten red apples.", "Ben sees a dog.", "ANA buys ten red apples!"], [None, None, 0]),
        ([ANA] * 4, [None, 0, 0, 0]),
        ([ANA, "ANA  buys, ten red\napples at the market?"], [None, 0]),  # case, marks and spaces do not count
        (["Ana has 5 apples", "Ana has 7 apples"], [None, 0]),  # nor does a word of one character
        (["Ana has 15 apples", "Ana has 17 apples"], [None, None]),
        (["red green", "blue black", "green red", "black blue"], [None, None, 0, 1]),  # nor does the order
        (["red green", "red green red green"], [None, 0]),  # nor the length
        (["Zoë zählt früh", "ZOË ZÄHLT FRÜH", "Zoe zahlt fruh"], [None, 0, None]),
        (["三个 红苹果", "三个 红苹果。", "四个 红苹果"], [None, 0, None]),
        (["😀 😀", "😀"], [None, None]),
        (["\ud800 red green", "\x00red green"], [None, 0]),  # not even valid text is a reason to stop
    ],
)
def test_twins_say_the_same_in_the_same_words(texts, twins):
    assert near_twins(texts) == twins


def test_a_text_that_was_removed_removes_nobody():
    # each shares most words with its neighbours, and the ends too few with each other
    chain = ["aa bb cc dd", "bb cc dd ee", "cc dd ee ff", "dd ee ff gg"]
    similarity = cosines(chain)
    threshold = float(min(similarity[0, 1], similarity[1, 2], similarity[2, 3]))
    assert similarity[0, 2] < threshold
    assert near_twins(chain, threshold) == [None, 0, None, 2]


def test_of_several_twins_the_first_is_named():
    texts = ["aa bb cc xx", "aa bb cc yy", "aa bb cc"]
    similarity = cosines(texts)
    threshold = float(similarity[2].min())
    assert similarity[0, 1] < threshold
    assert near_twins(texts, threshold) == [None, None, 0]


def test_a_cosine_of_just_the_threshold_makes_a_twin():
    texts = random_texts(7, 60, 25, 10)
    similarity = cosines(texts)
    ties = sorted({float(value) for value in similarity[np.tril_indices(len(texts), -1)] if 0.2 < value < 1})
    assert len(ties) > 100
    for tie in ties[:: len(ties) // 60]:
        for threshold in (math.nextafter(tie, 0), tie, math.nextafter(tie, 1)):
            assert near_twins(texts, threshold) == naive(similarity, threshold)
    pair = [ANA, "Ana buys ten green apples at the market."]
    tie = float(cosines(pair)[0, 1])
    assert near_twins(pair, tie) == [None, 0] and near_twins(pair, math.nextafter(tie, 1)) == [None, None]


def test_the_same_texts_give_the_same_twins_and_stay_as_they_are():
    texts = random_texts(8, 300, 50, 12)
    before = list(texts)
    assert near_twins(texts) == near_twins(tuple(texts)) == near_twins(texts)
    assert texts == before


def test_what_stays_has_no_twins_left_by_the_same_vectors():
    texts = random_texts(9, 300, 50, 12)
    twins, similarity = near_twins(texts, 0.7), cosines(texts)
    stay = [number for number, twin in enumerate(twins) if twin is None]
    assert (similarity[np.ix_(stay, stay)] - np.eye(len(stay)) < 0.7).all()
    for text, twin in enumerate(twins):
        assert twin is None or (twin < text and twins[twin] is None and similarity[text, twin] >= 0.7)


@pytest.mark.parametrize("threshold", [0, -0.5, 1.0001, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        near_twins([ANA], threshold)
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        list(near_pairs([ANA], threshold))
