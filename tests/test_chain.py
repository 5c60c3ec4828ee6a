"""Rows judged together: duplicates, seeds, test problems, skeletons, the split, and counts that always add up."""

from __future__ import annotations

import itertools
import math
import random
import unicodedata
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from mathtutor.io import read_json
from mathtutor.problem import Problem, Row
from pipeline.algebra import check_equations
from pipeline.chain import AUDIT, STAGES, report_of, sift, sift_judged
from pipeline.corpus import STAGES as CORPUS_STAGES
from pipeline.corpus import References, count_overlaps
from pipeline.decontaminate import GramIndex
from pipeline.filter import RECIPE as FOREIGN
from pipeline.fuzzy import near_twins
from pipeline.masks import form, masked_words, skeleton
from pipeline.nearest import NearestText, runs_of_form, terms
from pipeline.recipe import Corpus, Recipe, Sources, load_recipe
from pipeline.split import FORM, LEAST, WORDS, clusters, split
from pipeline.teachers import composed, procedural
from tests.clock import seconds

STORY = "Ana has 3 boxes with 4 red pens in each of them. She gives 2 pens to a friend. How many pens are left for her?"
OTHER = "A train leaves the old station at noon and needs 5 hours for 400 miles. How many miles does it go in an hour?"


def row(number: int, problem: str = STORY, answer: str = "10", **change) -> Row:
    return Row(f"r-{number}", problem, ("3 * 4 = 12 pens.", "12 - 2 = 10 pens."), answer, **change)


def recipe(**corpus) -> Recipe:
    off = {"exact": False, "fuzzy": None, "seed_overlap": None, "skeleton_cap": None, "validation": 0.0}
    return Recipe("test", corpus=Corpus(**off | corpus))


def drops(texts: list[str], references: References = References(), **corpus) -> list[tuple[str, str, str] | None]:
    """(stage, reason, twin) of each text, by the one stage that `corpus` switches on."""
    rows = [row(number, text) for number, text in enumerate(texts)]
    sifted = sift_judged(((r, []) for r in rows), recipe(**corpus), references)
    found = {d.row.id: (d.stage, d.reason, d.twin) for d in sifted.dropped}
    return [found.get(r.id) for r in rows]


# --- masks


@pytest.mark.parametrize(
    "text, words",
    [
        ("Ana has $3.50. Then Ben gives her 2 coins!", "ana has num then nam gives her num coins"),
        ("At 7:30 Ana's cat ate 1/2 of 1,200 fish.", "at num nam cat ate num of num fish"),
        ("May I? I may.", "may i i may"),  # "I" is no name, and what begins a sentence may be any word
        ("So Zoë’s dog and Élodie ran .5 km", "so nam dog and nam ran num km"),
        ("A CAFE\u0301 SELLS 3 PIES TO BEN. HOW MANY?", "a cafe sells num pies to ben how many"),  # in capitals no name can be told
        ("A café sells 3 pies to Ben. How many?", "a cafe sells num pies to nam how many"),
        ("The DVD Of My Sister Is 3 Inches Wide.", "the nam nam nam nam nam num nam nam"),  # title case is not mostly capitals
        ("", ""),
    ],
)
def test_numbers_and_names_are_masked(text, words):
    assert " ".join(masked_words(text)) == words


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Ana has 3 pens. She buys 4.", "Ben has 17 pens. He buys 25.", True),
        ("Ana has 3 pens.", "Ana has 3 books.", False),
        ("How many has Ana?", "How many has Mary-Lou?", False),  # two names are not one
        ("Ana has 3 pens.", "Ana has three pens.", True),
        ("Ana has 3 pens.", "Ana has half the pens.", False),
        ("Ana has 250 pens and 3 cups.", "Ana has two hundred fifty pens and twenty-one cups.", True),
        ("Ana has 3 million pens.", "Ana has three million pens.", True),
        ("Ana has 3 4-inch pens.", "Ana has three four-inch pens.", True),
        ("Ana has 3 pens. 4 break.", "Ana has 3 pens. Hundred break.", True),
        ("Ana has 3 pens.", "ana has 3 pens.", False),  # that a word in lower case is a name cannot be told
        ("ANA HAS 3 PENS. SHE BUYS 4.", "ana has 17 pens. he buys 25.", True),
        ("OUR CAT EATS 5 FISH.", "MY AUNT SEWS 6 HATS.", False),
        ("ZOË HAS 3 PENS.", "zoe\u0308 has 3 pens.", True),
    ],
)
def test_a_skeleton_is_what_a_story_keeps_with_other_people_and_numbers(one, other, same):
    assert (skeleton(one) == skeleton(other)) is same


# --- stages


def test_of_equal_problems_the_first_stays():
    assert drops([STORY, OTHER, STORY.upper(), STORY + "!"], exact=True) == [
        None, None, ("exact_duplicate", "same_problem", "r-0"), ("exact_duplicate", "same_problem", "r-0"),
    ]  # fmt: skip


def test_of_near_twins_the_first_stays():
    twin = STORY.replace("gives 2 pens", "gives 3 pens")
    assert drops([OTHER, STORY, twin], fuzzy=0.85) == [None, None, ("fuzzy_duplicate", "cosine_of_0.85_or_more", "r-1")]


def test_a_seed_retold_is_dropped_and_a_problem_like_it_is_not():
    seeds = [Problem("gsm8k-5", OTHER, Fraction(80)), Problem("gsm8k-7", STORY, Fraction(10))]
    retold = STORY.replace("3", "17").replace("Ana", "Ben").replace("her", "him")
    verdicts = drops([retold, "Ana has 3 pens. How many are left?"], References({}, seeds), seed_overlap=0.85)
    assert verdicts == [("seed_overlap", "masked_cosine_of_0.85_or_more_with_a_seed", "gsm8k-7"), None]


def test_a_sentence_of_a_seed_in_another_story_is_found():
    seeds = [Problem("gsm8k-7", STORY, Fraction(10))]
    borrowed = (
        "On Monday the drawing class is full. Ben has 9 boxes with 14 red pens in each of them. The teacher buys twice as many. "
        "By evening a third of all that the school owns is dry. How many still write?"
    )
    found = [("seed_overlap", "shares_a_masked_10_gram_with_a_seed", "gsm8k-7")]
    assert drops([borrowed], References({}, seeds), seed_overlap=0.85) == found
    assert drops([borrowed], References({}, seeds), seed_overlap=0.85, seed_masked_grams=None) == [None]


TEST = "Ben fills 7 crates with 9 melons each and then sells 5 of the melons. How many has he left?"


@pytest.mark.parametrize(
    "text, measure",
    [
        (TEST.upper() + " Tell me.", "13_gram"),
        ("Cy fills 7 crates with 9 melons each and then stops. How many melons are that in all?", "8_gram"),
        ("So Ben fills 12 crates with 4 melons each and then sells 3 melons. How many are left?", "masked_10_gram"),
        ("Mia sells melons. She fills 12 crates with 4 melons each, and sells 3 of the melons. How many has she left?", "masked_cosine_of_0.6"),
        ("Eva packs 15 bags with 6 scarves each and then sells 4 of the scarves. How many has she left?", "form_cosine_of_0.75"),
        ("Cy fills 7 crates with 9 melons and then stops. How many melons are that in all?", None),
        (OTHER, None),
    ],
)  # fmt: skip
def test_a_test_problem_is_found_as_it_stands_and_masked(text, measure):
    references = References({"one": [STORY], "two": ["Sum?", TEST]})
    assert drops([text], references) == [("test_overlap", f"shares_a_{measure}_with_a_test_set", "two#1") if measure else None]
    plain = drops([text], references, test_masked_grams=None, test_masked_cosine=None, test_form_cosine=None)
    assert (plain[0] is not None) == (measure in ("13_gram", "8_gram"))


def test_eight_words_that_do_not_drop_a_row_are_counted_all_the_same():
    references, corpus = References({"one": [TEST]}), load_recipe(FOREIGN).corpus
    eight = "Cy fills 7 crates with 9 melons each and then stops. How many melons are that in all?"
    assert drops([eight], references, test_grams=corpus.test_grams) == [None]
    assert drops([eight], references) != [None]  # our own data
    counts = count_overlaps([eight, OTHER], corpus, references)
    assert (counts["13_gram"], counts[f"{corpus.test_grams}_gram"], counts["8_gram"]) == (0, 0, 1)


def test_a_bare_sum_is_no_retold_test_problem():
    references = References({"one": ["Compute 12 + 30 / 5 - 2 * 3 + 8 + 9 - 1."]})
    assert drops(["Compute 7 + 48 / 6 - 3 * 2 + 5 + 4 - 6."], references) == [None]
    assert drops(references.questions, references)[0][0] == "test_overlap"  # as it stands it is found


def test_the_twin_of_a_drop_for_overlap_names_set_and_place():
    assert drops([TEST], References({"a": [OTHER], "b": [STORY, TEST]}))[0][2] == "b#1"
    assert drops([TEST], References(None)) == [None]  # not compared


@pytest.mark.parametrize(
    "text, words",
    [
        ("Ana has $3.50. Then Ben gives her two coins.", "thing has num . then thing gives they num thing ."),
        ("He buys twice as many; a third of 1,200 pairs is half.", "they buys twice as many a num of num thing is half ."),
        ("", ""),
    ],
)
def test_the_form_is_what_other_objects_leave(text, words):
    assert " ".join(form(text)) == words


def test_a_form_without_english_grammar_is_anybodys():
    spanish = "Ana tiene 3 manzanas y compra 4 manzanas verdes en el mercado. Luego regala 2 manzanas a su amigo Pedro. ¿Cuántas tiene Ana?"
    german = "Otto findet 8 Muscheln und sammelt 9 Muscheln rund um den Strand. Dann schenkt 5 Muscheln a der Tante Marie. Wieviele behielt Otto?"
    assert not runs_of_form(spanish) and not runs_of_form(german) and runs_of_form(STORY)
    assert drops([german], References({"t": [spanish]})) == [None]


@pytest.mark.parametrize("told", [str, str.upper, str.lower, lambda text: unicodedata.normalize("NFD", text)])
def test_a_test_problem_retold_is_found_in_any_case(told):
    item = "Zoë’s café bakes 48 tarts for José, and then Tom eats half as many as Zoë gave to José. How many tarts are left in the café?"
    references = References({"t": [OTHER, item]})
    for text in (item, item.replace("48", "60").replace("José", "Kurt").replace("Tom", "Olga")):
        assert drops([told(text)], references)[0][2] == "t#1"


def test_accents_hide_no_words_in_a_row():
    index = GramIndex(["Zoë’s café bakes 48 tarts a day."], n=7)
    assert [index.overlaps(text) for text in ("Zoe\u0308’s cafe\u0301 bakes 48 tarts", "Zoe’s cafe bakes 48 tarts", "Zoe’s cafe bakes 49 tarts")] == [True, True, False]


def test_an_unlike_problem_in_capitals_is_no_test_problem():
    assert drops([OTHER.upper(), STORY.upper()], References({"t": ["A WHALE SWIMS 30 MILES A DAY TO THE NORTH. HOW FAR DOES IT SWIM IN 9 DAYS?"]})) == [None, None]


def test_a_short_form_is_anybodys():
    references = References({"t": ["A rug is 8 feet long and 3 feet wide. What is its area in square feet?"]})
    assert drops(["A rectangle is 9 cm long and 4 cm wide. What is its perimeter?"], references) == [None]


def test_a_skeleton_may_stand_a_few_times_and_no_more():
    texts = [STORY.replace("3", str(n)).replace("Ana", name) for n, name in zip(range(5, 10), ("Bo", "Cy", "Di", "Ed", "Flo"), strict=True)]
    reason = ("skeleton_cap", "more_than_3_of_a_skeleton", "r-0")
    assert drops(texts, skeleton_cap=3) == [None, None, None, reason, reason]


@pytest.mark.parametrize("name", CORPUS_STAGES)
def test_a_stage_judges_rows_beside_those_that_are_known_to_stay(name):
    rows = [row(n, STORY.replace("3", str(n)) if n < 7 else OTHER) for n in range(5, 9)]
    corpus = Corpus(exact=True, fuzzy=0.8, skeleton_cap=1)
    references = References({"t": [STORY]}, [Problem("s", STORY, None)])
    together = CORPUS_STAGES[name](rows, corpus, references)
    kept = [r for r, drop in zip(rows[:2], together, strict=False) if drop is None]
    assert CORPUS_STAGES[name](rows[2:], corpus, references, kept=kept) == together[2:]
    assert CORPUS_STAGES[name]([], corpus, references) == []


def test_known_texts_stay_and_the_others_are_judged_against_them():
    texts = [r.problem for r in procedural.write_rows(300, 3)] * 2
    assert near_twins(texts, known=300) == [None] * 300 + near_twins(texts)[300:]


# --- the nearest text


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.85])
def test_the_nearest_text_is_the_one_that_comparing_all_finds(threshold):
    texts = [r.problem for r in procedural.write_rows(120, 4)] + ["", "Sum?", "zzz qqq"]
    known, asked = texts[:70], [*texts[50:], texts[3].replace("a", "o")]
    texts_with = Counter(term for text in known for term in terms(text))

    def vector(text: str) -> dict[str, float]:
        """By the definition, term by term."""
        weights = {t: times * (math.log((1 + len(known)) / (1 + texts_with[t])) + 1) for t, times in terms(text).items()}
        length = math.hypot(*weights.values()) or 1
        return {t: weight / length for t, weight in weights.items()}

    known_vectors, found = [vector(text) for text in known], NearestText(known, threshold).find(asked)
    assert None in found and set(found) - {None}
    for text, near in zip(asked, found, strict=True):
        cosines = [sum(weight * other.get(t, 0) for t, weight in vector(text).items()) for other in known_vectors]
        assert (near is not None) == (max(cosines) >= threshold)
        assert near is None or cosines[near] == pytest.approx(max(cosines), abs=1e-7)


def test_without_known_texts_nothing_is_near():
    assert NearestText([], 0.6).find([STORY]) == [None]
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        NearestText([STORY], 0.0)


# --- equations


@pytest.mark.parametrize(
    "steps, verdicts",
    [
        (("Let x be the toys: 2x + 30 = 160.", "2x = 130", "So x = 65 toys."), [True, True]),
        (("2x + 30 = 160", "2x = 140", "x = 70"), [False, True]),
        (("x + y = 5 and 3(x - 1) = 3", "x = 2", "y = 3 apples", "x * y = 6"), [True, True, True]),
        (("N + (N + 2) = -4", "N = -3"), [True]),
        (("4x / 3 = 8 feet", "x = 12 / 2"), [True]),
        (("6W / 6 = 30 feet / 6, so W = 5 feet.",), []),  # 30 feet goes on
        (("W^2 = 25, W = 5",), []),
        (("20x = 60% of it", "x = 3"), []),
        (("z = 3", "x + 2 = 9"), []),  # x has no value
        (("3 + 4 = 8",), []),  # no letters: not judged here
        (("x = 5", "x = 6", "x + 1 = 7"), [True]),
        (("x/0 = 3", "x = 3", "((((x = 3", "= = x", "x" * 50_000), []),
        (("Total:x+7 = 9", "x=2 true/false questions"), [True]),
    ],
)
def test_an_equation_holds_when_its_solution_fits(steps, verdicts):
    assert check_equations(steps) == verdicts


@pytest.mark.parametrize("text", ["1" * 10_000, "1 + " * 2500, "(((" * 3300 + "=", "x + 1 = " * 1200, "x=1 a " * 1600, "=5 " * 3000])
def test_an_endless_step_is_read_at_once(text):
    assert seconds(lambda: check_equations((text,))) < 0.5


# --- the chain


def many(count: int, seed: int = 0) -> list[Row]:
    """Rows of the bank, some broken, copied or told again, with a few of them out of order."""
    rng = random.Random(seed)
    rows = list(procedural.write_rows(count, seed))
    for number in range(0, count, 7):
        other = rng.choice(rows)
        change = rng.choice(
            [
                {"problem": other.problem},
                {"problem": other.problem.replace("How", "Well, how")},
                {"answer": "x"},
                {"steps": ()},
                {"problem": "", "answer": "-"},
                {"steps": ("2 + 2 = 5.",)},
                {"problem": STORY.replace("3", str(number))},
                {"problem": TEST},
            ]
        )
        rows[number] = replace(rows[number], **change)
    return rows


EVERYTHING = Recipe("everything")
REFERENCES = References({"t": [TEST, OTHER]}, [Problem("s", STORY, None)])


@pytest.mark.parametrize("count, seed", [(1, 0), (60, 1), (240, 2)])
def test_every_candidate_comes_out_once_and_the_counts_add_up(count, seed):
    rows = many(count, seed)
    sifted = sift(rows, EVERYTHING, REFERENCES)
    assert sorted([r.id for r in sifted.clean] + [d.row.id for d in sifted.dropped]) == sorted(r.id for r in rows)
    order = {r.id: number for number, r in enumerate(rows)}
    for part in ([r.id for r in sifted.clean], [d.row.id for d in sifted.dropped]):
        assert part == sorted(part, key=order.__getitem__)
    report = report_of(sifted, EVERYTHING, REFERENCES)
    assert report["candidates"] == count == report["clean"] + report["dropped"]
    left = count
    for stage in report["stages"]:
        assert stage["in"] == left and stage["out"] == left - stage["dropped"]
        assert stage["dropped"] == sum(report["dropped_by_stage"][stage["stage"]].values())
        left = stage["out"]
    assert left == report["clean"] and [stage["stage"] for stage in report["stages"]] == list(STAGES)
    for counts in (report["steps"], report["sources"], report["lengths"], report["answers"]["sizes"], report["grades"], report["topics"]):
        assert sum(counts.values()) == report["clean"]
    assert sum(count for kind, count in report["answers"]["kinds"].items() if kind != "negative") == report["clean"]
    assert set(report["decontamination"]["clean_rows_with_overlap"].values()) == {0}
    audited = read_json(AUDIT)
    record = audited["filters"] | audited["filters_at_test_grams"][str(EVERYTHING.corpus.test_grams)]
    assert report["audit"]["test_grams"] == EVERYTHING.corpus.test_grams != audited["test_grams"]
    assert report["audit"]["filters"].keys() == {*report["dropped_by_stage"], "all"}
    assert all(found.items() <= record[stage].items() for stage, found in report["audit"]["filters"].items())
    shown = [row for reasons in report["samples"].values() for rows in reasons.values() for row in rows]
    assert {row["id"] for row in shown} <= {d.row.id for d in sifted.dropped} and all(row["reason"] for row in shown)


def test_a_later_stage_counts_what_an_earlier_one_took_from_it():
    rows = [row(0), row(1, answer="11"), row(2, OTHER), row(3, OTHER, answer="11"), row(4, "Why is a pie round, and who ate it?", "many"), row(5, "Ana?")]
    sifted = sift(rows, EVERYTHING, References({"t": [STORY]}))
    assert [(d.row.id, d.stage) for d in sifted.dropped] == [
        ("r-0", "test_overlap"), ("r-1", "math_verification"), ("r-3", "math_verification"), ("r-4", "answer_range"),
        ("r-5", "structure"),
    ]  # fmt: skip
    assert sifted.also["test_overlap"] == 1  # r-1
    assert sifted.also["exact_duplicate"] == sifted.also["fuzzy_duplicate"] == 1  # r-3; the twin of r-1 did not stay
    assert sifted.also["math_verification"] == 1  # r-4
    assert sifted.also["structure"] == sifted.also["skeleton_cap"] == 0


def test_what_structure_threw_out_is_not_compared_with_other_rows():
    broken = [replace(row(n, OTHER), steps=()) for n in range(2)]
    sifted = sift([row(9, OTHER), *broken], EVERYTHING, References({"t": [OTHER]}))
    assert [d.stage for d in sifted.dropped] == ["test_overlap", "structure", "structure"]
    assert [sifted.also[stage] for stage in CORPUS_STAGES] == [0] * len(CORPUS_STAGES)


def test_clean_rows_that_resemble_a_test_problem_are_counted_by_every_measure():
    lax = recipe(test_grams=13, test_masked_grams=None, test_masked_cosine=None, test_form_cosine=None)
    retold = [STORY.replace("3", number).replace("4", "1" + number).replace("2", number) for number in "56"]
    texts = [*retold, STORY.replace("pens", "cups").replace("3", "9").replace("2", "7"), OTHER]
    references = References({"t": [STORY]})
    sifted = sift_judged(((row(n, text), []) for n, text in enumerate(texts)), lax, references)
    assert len(sifted.clean) == 4
    assert report_of(sifted, lax, references)["decontamination"]["clean_rows_with_overlap"] == {
        "13_gram": 0, "8_gram": 2, "8_gram_numbers_masked": 2, "masked_10_gram": 2, "masked_cosine_of_0.6": 3, "form_cosine_of_0.75": 3,
    }  # fmt: skip


def test_paths_of_files_are_not_told():
    sources = Sources(files="/home/ana/secret/raw.jsonl, ../theirs/rows.jsonl")
    report = report_of(sift_judged([(row(0), [])], recipe(), References()), replace(recipe(), sources=sources), References())
    assert report["recipe"]["sources"]["files"] == "raw.jsonl,rows.jsonl"


def test_two_rows_of_one_id_are_refused():
    with pytest.raises(ValueError, match="two rows have the id 'r-1': give each its own"):
        sift([row(1), row(1, OTHER)], EVERYTHING, REFERENCES)


def test_the_report_counts_what_is_in_the_rows():
    rows = [
        row(0, STORY, grade=3),
        replace(row(1, OTHER), steps=("10 - 12.5 = -2.5 miles.",), answer="-2.5"),
        replace(row(2, "Tim eats 1/4 of a pie, then 1/2 of it. What part is eaten?"), steps=("1/4 + 1/2 = 3/4.",), answer="3/4"),
    ]
    report = report_of(sift_judged(((r, []) for r in rows), recipe(), References()), recipe(), References())
    assert report["answers"] == {
        "kinds": {"integer": 1, "decimal": 1, "fraction": 1, "negative": 1}, "sizes": {"under 1": 1, "1 to 9": 1, "10 to 99": 1},
    }  # fmt: skip
    assert report["grades"] == {3: 1} and report["steps"] == {1: 2, 2: 1} and report["lengths"] == {"10 to 19": 1, "20 to 29": 2}
    assert {sign: report["operations"][sign] for sign in "*-"} == {"*": 1, "-": 2}
    assert report["example"] == rows[0].to_dict() and report["recipe"]["corpus"]["fuzzy"] is None


def test_clusters_are_counted_through_twins_of_twins():
    judged = [(row(n, text), []) for n, text in enumerate([STORY, STORY, OTHER, OTHER + "!", STORY + "?"])]
    sifted = sift_judged(judged, recipe(exact=True), References())
    assert report_of(sifted, recipe(), References())["clusters"] == {2: 1, 3: 1}


# --- the split


def test_no_relative_of_a_validation_row_is_trained_on():
    sights = [row(n, f"{name} sees {n} {things}. How many {things} are that?") for n, (name, things) in
                enumerate((name, things) for things in ("owls", "cats", "dogs", "bees") for name in ("Al", "Bo", "Cy"))]  # fmt: skip
    rows = [*procedural.write_rows(600, 1), *sights]
    train, validation = split(rows, 0.1, seed=0)
    assert 0 < len(validation) <= 61 and len(train) + len(validation) == len(rows)
    assert {r.family for r in train if r.family}.isdisjoint(r.family for r in validation if r.family)
    assert {skeleton(r.problem) for r in train}.isdisjoint(skeleton(r.problem) for r in validation)
    assert [r.id for r in rows if r in set(validation)] == [r.id for r in validation]
    assert (train, validation) == split(rows, 0.1, seed=0) != split(rows, 0.1, seed=1)
    assert split(rows, 0.0, seed=0) == (rows, [])


def test_relatives_of_relatives_are_in_one_cluster():
    told = STORY.replace("3", "8")
    rows = [row(0, family="a"), row(1, told, family="b"), row(2, OTHER, family="b"), row(3, "A pie?")]
    assert clusters(rows) == [[0, 1, 2], [3]]


TOLD = (
    "{a} went to the {p} and bought {n} {i} for {m} dollars each. Later {a} sold half of the {i} to {b}. How much did {a} earn with those {i}?",
    "At the {p}, {a} counted {n} boxes with {m} {i} in every box. {b} carried away two boxes before noon. How many {i} were still there?",
    "{a} collects {i}. On Monday {a} found {n} near the {p}, on Tuesday twice as many. {b} then handed over {m} more. How many {i} does {a} own?",
)  # fmt: skip


def tellings(count: int) -> list[Row]:
    """Of each of TOLD, one after the other, with other people, places, things and numbers."""
    texts = []
    for number in range(count):
        words = {
            "a": ("Ana", "Ben", "Cleo", "Dan")[number % 4], "b": ("Eve", "Finn", "Gus")[number % 3], "p": ("fair", "farm", "lake", "shop")[number // 4 % 4],
            "i": ("pens", "shells", "stamps", "plums", "cards")[number % 5], "n": (12 + number, "twelve", "twenty-one")[number % 3], "m": 3 + number,
        }  # fmt: skip
        texts += [told.format(**words) for told in TOLD]
    return [row(number, text) for number, text in enumerate(texts)]


def test_tellings_of_one_story_with_other_people_places_things_and_numbers_are_one_cluster():
    rows = tellings(20)
    assert clusters(rows) == [list(range(first, 60, 3)) for first in range(3)]
    train, validation = split(rows, 0.4, seed=0)
    assert (len(train), len(validation)) == (40, 20) and len({int(r.id[2:]) % 3 for r in validation}) == 1
    assert split(rows, 0.3, seed=0) == (rows, [])  # no cluster fits


@pytest.mark.parametrize(
    "one, other, are_relatives",
    [
        (STORY, STORY.upper(), True),
        (STORY, STORY.replace("Ana", "Zoë").replace("3", "three").replace("4", "12"), True),
        (STORY, STORY.replace("boxes", "crates").replace("pens", "cups"), True),
        (STORY, STORY.replace("a friend", "her best old friend at school"), True),  # much the same words
        (STORY, OTHER, False),
        ("Ana has 3 pens.", "Ana has 3 cups.", False),  # too short for a form
        ("Tim eats 2 of 8 pies.", "Tim makes 5 of 9 hats.", False),
        ("Ana tiene tres manzanas y compra cuatro manzanas verdes hoy.", "Otto findet sieben Muscheln und sammelt zwei schwarze Muscheln dort.", False),
    ],
)  # fmt: skip
def test_rows_are_relatives_by_skeleton_words_or_form(one, other, are_relatives):
    filler = [row(n, text) for n, text in enumerate(["Six owls sing all night long.", "My aunt bakes 12 loaves.", "A bus leaves at 9 o'clock sharp."], 2)]
    found = clusters([row(0, one), row(1, other), *filler])
    assert ([0, 1] in found) is are_relatives and len(found) == 5 - are_relatives


def test_no_pair_of_a_set_of_many_kinds_straddles():
    rows = [*procedural.write_rows(300, 5), *composed.write_rows(300, 5), *tellings(30)]
    texts = {"words": [terms(r.problem) for r in rows], "form": [runs_of_form(r.problem, LEAST) for r in rows]}
    of = {number: cluster for cluster, members in enumerate(clusters(rows)) for number in members}
    for kind, threshold in (("words", WORDS), ("form", FORM)):
        counts = texts[kind]
        different = {tuple(sorted(c.items())): c for c in counts}
        idf = {t: math.log((1 + len(different)) / (1 + n)) + 1 for t, n in Counter(t for c in different.values() for t in c).items()}
        vectors = [{t: times * idf[t] for t, times in c.items()} for c in counts]
        lengths = [math.sqrt(sum(w * w for w in v.values())) or 1.0 for v in vectors]
        for a, b in itertools.combinations(range(len(rows)), 2):
            if of[a] != of[b]:
                shared = sum(w * vectors[b].get(t, 0.0) for t, w in vectors[a].items())
                assert shared / (lengths[a] * lengths[b]) < threshold + 1e-6, (rows[a].problem, rows[b].problem)
