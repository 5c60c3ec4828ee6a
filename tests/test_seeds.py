"""The frozen seeds: the same problems for everybody, fit to be shown, and clear of every test set."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline.seeds
from mathtutor.io import Damaged, read_json, write_json
from mathtutor.problem import Problem, Row
from mathtutor.sources import DATA_VARIABLE, SOURCES
from pipeline.filters import first_reason
from pipeline.seeds import COUNT, PATH, choose, is_example, is_plain, main, read_seeds
from pipeline.teachers import gsm8k
from pipeline.teachers.prompts import SHOTS, load_seeds

DATA = Path(os.environ.get(DATA_VARIABLE, Path(__file__).parents[2] / "shared" / "data"))


# --- the committed list


def test_the_list_holds_places_and_hashes_and_no_text():
    frozen = read_json(PATH)
    assert (frozen["source"], frozen["licence"], frozen["file_sha256"]) == ("gsm8k/train", "MIT", SOURCES["gsm8k", "train"].sha256)
    assert len(frozen["seeds"]) == COUNT == 200
    assert all(set(seed) == {"index", "sha256"} and re.fullmatch("[0-9a-f]{64}", seed["sha256"]) for seed in frozen["seeds"])
    places = [seed["index"] for seed in frozen["seeds"]]
    assert len(set(places)) == COUNT and all(0 <= place < SOURCES["gsm8k", "train"].rows for place in places)
    assert set(frozen["compared_with"]) == {"/".join(key) for key, source in SOURCES.items() if not source.trainable}
    assert " " not in re.sub(r'"[^"]*"', "", json.dumps(frozen["seeds"])).replace(", ", "").replace(": ", "")


@pytest.mark.skipif(not (DATA / "gsm8k").is_dir(), reason=f"needs {DATA_VARIABLE} with gsm8k and svamp")
def test_the_frozen_seeds_are_sound_problems_clear_of_the_test_sets(monkeypatch, capsys):
    monkeypatch.setenv(DATA_VARIABLE, str(DATA))
    main([])  # compares every hash, and every seed with the test sets
    assert "200 seeds of gsm8k/train (MIT), every hash as frozen" in capsys.readouterr().out
    seeds = read_seeds()
    assert all(is_plain(step) for seed in seeds for step in seed.steps)  # and not is_example: the filters go on changing
    # Easy and hard ones, in about the shares of the set that they come from.
    assert {2, 3, 4, 5} <= Counter(len(seed.steps) for seed in seeds).keys()


# --- a set of our own in the place of GSM8K train


def problems_of(count: int = 40) -> list[Problem]:
    """Every tenth with a sum that is wrong."""
    made = []
    for n in range(3, 3 + count):
        result = 4 * n + (n % 10 == 0)
        gold = f"They hold 4*{n}=<<4*{n}={result}>>{result} pens.\n#### {result}"
        made.append(Problem(f"gsm8k-{n - 3}", f"{n} boxes hold 4 pens. How many pens?", result, gold))
    return made


@pytest.fixture
def train(monkeypatch, tmp_path):
    """The problems, which a test may change, and an empty place for the list."""
    problems = problems_of()
    for module in (gsm8k, pipeline.seeds):
        monkeypatch.setattr(module, "load_source", lambda name, split: {("gsm8k", "train"): problems}[name, split])
    monkeypatch.setattr(pipeline.seeds, "PATH", tmp_path / "seeds.json")
    return problems


def freeze(count: int = 10, seed: int = 0, tests: dict[str, list[str]] | None = None) -> dict:
    chosen = choose(count, seed, tests or {})
    write_json(pipeline.seeds.PATH, chosen)
    return chosen


def test_the_choice_is_the_same_each_time_and_another_for_another_seed(train):
    assert freeze() == freeze() != freeze(seed=1)
    seeds = read_seeds()
    assert seeds == read_seeds() and len(seeds) == 10 and {seed.source for seed in seeds} == {"gsm8k-train"}
    assert [seed.id for seed in seeds] == [f"gsm8k-train-{entry['index']}" for entry in read_json(pipeline.seeds.PATH)["seeds"]]
    assert all(first_reason(seed) is None for seed in seeds)


def test_nothing_wrong_and_nothing_of_a_test_set_is_chosen(train):
    freeze(36)  # all that add up
    assert len(read_seeds()) == 36
    with pytest.raises(ValueError, match="only 36 of 37 seeds can be found in gsm8k/train"):
        choose(37, 0, {})
    tests = {"a set": ["7 boxes hold 4 pens. How many pens?"]}  # eight words: the others share seven with it
    assert freeze(35, tests=tests)["compared_with"] == {"a set": 1}
    assert not any(seed.problem.startswith("7 ") for seed in read_seeds())
    with pytest.raises(ValueError, match="only 35 of 36"):
        choose(36, 0, tests)


@pytest.mark.parametrize("change", [{"question": "Another one?"}, {"gold": "#### 5"}])
def test_a_problem_that_is_not_the_frozen_one_is_refused(train, change):
    place = freeze()["seeds"][3]["index"]
    train[place] = replace(train[place], **change)
    with pytest.raises(ValueError, match=f"problem {place} of gsm8k/train is not the one that was frozen.*openai/gsm8k"):
        read_seeds()


def test_a_shorter_set_is_refused(train):
    last = max(entry["index"] for entry in freeze()["seeds"])
    del train[last:]
    with pytest.raises(ValueError, match="is not the one that was frozen"):
        read_seeds()


@pytest.mark.parametrize(
    "damage",
    [
        lambda frozen: frozen.pop("seeds"),
        lambda frozen: frozen["seeds"].append(frozen["seeds"][0]),
        lambda frozen: frozen["seeds"].append(7),
        lambda frozen: frozen["seeds"].append({"index": [], "sha256": ""}),
        lambda frozen: frozen.update(source="gsm8k/test"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(train, damage):
    frozen = freeze()
    damage(frozen)
    write_json(pipeline.seeds.PATH, frozen)
    with pytest.raises(Damaged, match="seeds.json is no list of seeds"):
        read_seeds()


def test_a_set_that_may_not_be_trained_on_gives_no_seeds(train, monkeypatch):
    freeze()
    monkeypatch.setitem(SOURCES, ("gsm8k", "train"), replace(SOURCES["gsm8k", "train"], trainable=False))
    for call in (read_seeds, freeze):
        with pytest.raises(ValueError, match="not marked as trainable"):
            call()


def test_the_command_freezes_and_then_compares(train, monkeypatch, capsys):
    monkeypatch.setattr(pipeline.seeds, "COUNT", 12)
    monkeypatch.setattr(pipeline.seeds, "benchmark_problems", lambda: {"a set": ["7 boxes hold 4 pens. How many pens?"]})
    with pytest.raises(SystemExit, match="seeds.json"):
        main([])
    main(["--freeze"])
    assert "12 seeds of gsm8k/train (MIT)" in capsys.readouterr().out
    main([])
    freeze(36)
    with pytest.raises(SystemExit, match=r"1 seeds share 8 words in a row with a test problem \(gsm8k-train-4\)"):
        main([])


def test_the_first_seeds_are_shown_when_fewer_are_asked_for(train):
    freeze()
    assert load_seeds(SHOTS) == read_seeds()[:SHOTS] and load_seeds(10) == read_seeds()
    for count in (0, SHOTS - 1, 11):
        with pytest.raises(ValueError, match=f"--seeds {count}: between 4 and 10"):
            load_seeds(count)


@pytest.mark.parametrize(
    "step, plain",
    [
        ("Ana has 3 * 4 = 12 pens.", True),
        ("12 / 2 = 6 are left.", True),
        ("A box and I hold 3 * 4 = 12.", True),
        ("An 8-hour day has (3 + 4) * 2 = 14 half-hours", True),
        ("It costs 50% * 8 = 4", True),
        ("10 - .5 = 9.5", True),
        ("There are many.", False),
        ("Let n = 4.", False),
        ("That is 3m = 12.", False),
        ("3 * 4 = x", False),
        ("6 boxes * 2 = 12", False),
        ("6 * 2 boxes = 12", False),
        ("2 * 3 = 6 and 6 * 2 = 12", False),
        ("3 * 4 = 6 * 2 = 12", False),
        ("3 × 4 = 12", False),
        ("3 * (4 = 12", False),
        ("9" * 20_000, False),
        ("9 + " * 5_000 + "= 1", False),
    ],
)
def test_a_plain_step_is_one_calculation_in_digits(step, plain):
    assert is_plain(step) is plain


ROW = Row("r", "Ana has 3 boxes with 4 pens each. How many pens has she?", ("Ana has 3 * 4 = 12 pens.",), "12")


@pytest.mark.parametrize(
    "change, fit",
    [
        ({}, True),
        ({"steps": ("Ana has 3 * 4 = 13 pens.",), "answer": "13"}, False),
        ({"steps": ("Ana has pens.", *ROW.steps)}, False),
        ({"problem": ROW.problem.replace(".", "?")}, False),
        ({"problem": "Ana has 3 boxes with 4 pens each. Tell how many pens she has."}, False),
        ({"problem": "How many pens has Ana? She has 3 boxes with 4 pens each."}, False),
    ],
)
def test_an_example_shows_what_teachers_are_asked_for(change, fit):
    assert is_example(replace(ROW, **change)) is fit
