"""Composed problems: any depth, sound by construction, the same everywhere."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from mathtutor.bank.compose import (
    MAX_DEPTH,
    MAX_VALUE,
    Impossible,
    Story,
    compose,
    compose_many,
    load_frames,
    two_of,
    weighted,
)
from mathtutor.bank.families import NUMBER, first_value
from mathtutor.bank.language import WORDS, Noun, Person
from mathtutor.bank.prose import (
    after_if,
    in_past,
    listed_kinds,
    listed_people,
    listed_places,
    told_once,
    with_pronouns,
)
from mathtutor.bank.scenes import Kinds
from mathtutor.chat import render_target
from mathtutor.maths.checks import State, verify
from mathtutor.tutoring.hints import GAP, Rung, Solved, ladder
from pipeline.bank import GRAMMAR
from pipeline.reading import UNSAFE
from pipeline.teachers.composed import DEPTHS, write_rows

GROUP = re.compile(rf"\b(?:{'|'.join(load_frames()['groups'])})\b", re.IGNORECASE)
ROOT = Path(__file__).resolve().parents[1]
COUNT = {1: 400, 2: 400, 3: 300, 4: 200, 5: 100, 6: 50, 7: 30, 8: 30}


@pytest.fixture(scope="module")
def composed():
    return {depth: [compose(3, index, depth) for index in range(count)] for depth, count in COUNT.items()}


@pytest.mark.parametrize("depth", COUNT)
def test_a_problem_of_depth_d_takes_d_sums_that_all_check(composed, depth):
    for instance in composed[depth]:
        verdict = verify(render_target(instance.steps, instance.shown_answer), gold=instance.answer)
        assert len(instance.steps) == depth
        assert [check.state for check in verdict.steps] == [State.OK] * depth, instance
        assert verdict.correct and verdict.answer_matches_last_step, instance
        assert 0 < instance.answer <= MAX_VALUE


@pytest.mark.parametrize("depth", COUNT)
def test_a_step_uses_only_numbers_that_were_told_or_found(composed, depth):
    words = {"half": 2, "double": 2, "twice": 2, "third": 3, "three": 3, "quarter": 4, "four": 4, "fifth": 5, "five": 5,
             "two": 2, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
    for instance in composed[depth]:
        known = {int(n) for n in re.findall(r"\d+", instance.problem)}
        known |= {value for word, value in words.items() if re.search(rf"\b{word}\b", instance.problem, re.I)}
        for step in instance.steps:
            left, right = re.search(r"([\d +*/-]+) = (\d+)", step).groups()
            assert {int(n) for n in re.findall(r"\d+", left)} <= known, (instance.problem, step)
            known.add(int(right))


@pytest.mark.parametrize("depth", COUNT)
def test_the_language_is_sound(composed, depth):
    patterns = {name: pattern for name, pattern in GRAMMAR.items() if name not in ("one with a plural", "a before a vowel")}
    for instance in composed[depth]:
        for text in (instance.problem, *instance.steps, instance.plan):
            for name, pattern in patterns.items():
                assert not pattern.search(text), (name, text)
            assert not UNSAFE.search(text) and not re.search(r"\bthey was\b|\b(?:If|and|than|as) [a-z]+ lives\b", text), text
        assert not re.search(r"\b1 [a-z]+s\b|[[\]{}|]", " ".join(instance.steps)), instance.steps
        assert instance.problem.count("?") + instance.problem.count("Find out") + instance.problem.count("What is the") >= 1


@pytest.mark.parametrize("depth", COUNT)
def test_hints_and_mistakes_do_not_give_the_answer(composed, depth):
    for instance in composed[depth]:
        assert not re.search(r"\d", instance.plan + instance.understand)
        assert instance.set_up == re.search(r"([\d +*/-]+) = \d+", instance.steps[0])[1].strip() + " = ▢"  # no given number is hidden
        told = {Fraction(n) for n in NUMBER.findall(instance.set_up)}
        assert not told & {instance.answer, first_value(instance.steps[0])}, instance.set_up
        assert len({mistake.value for mistake in instance.mistakes}) == len(instance.mistakes)
        assert len(instance.mistakes) >= 2
        assert all(mistake.value != instance.answer for mistake in instance.mistakes)


@pytest.mark.parametrize("depth", COUNT)
def test_no_rung_of_the_ladder_has_to_hide_a_number_of_its_sum(composed, depth):
    for instance in composed[depth]:
        set_ups = [hint.equation for hint in ladder(Solved.of_instance(instance)) if hint.rung is Rung.SET_UP]
        assert len(set_ups) == depth and GAP not in "".join(set_ups), (instance.problem, set_ups)


def test_problems_differ_and_some_hold_numbers_that_are_not_needed(composed):
    everything = list(itertools.chain.from_iterable(composed.values()))
    assert len({instance.problem for instance in everything}) == len(everything)
    needless = 0
    for instance in composed[2]:
        used = set(re.findall(r"\d+", " ".join(instance.steps)))
        needless += bool(set(re.findall(r"\d+", instance.problem)) - used)
    assert 0.1 < needless / len(composed[2]) < 0.7


def test_they_are_never_everyone_where_a_group_was_named_last(composed):
    """Until they did something: "Both groups together sold them. How much did they get?" """
    everyone = 0
    for instance in itertools.chain.from_iterable(composed.values()):
        if GROUP.search(instance.problem):
            everyone += bool(re.search(r"\b(?:both|all the) groups together\b", instance.problem))
            so_far = re.split(r"\b(?:[Bb]oth|[Aa]ll the) groups together (?!have\?)[a-z ]+", instance.problem)[0]
            assert not re.search(r"\b(?:do|did|that) they\b|\bThey (?:put|shared|sold) (?:them all|all|the rest)\b", so_far), instance.problem
    assert everyone > 40


def test_no_place_holds_more_than_it_can():
    rng, held = random.Random(8), 0
    for number in range(3000):
        with contextlib.suppress(Impossible):
            story = Story(rng, 1 + number % 8)
            values = [quantity.value for quantity in story.quantities]
            assert (sum(values) if isinstance(story.scene, Kinds) else max(values)) <= story.scene.most, [q.sentences for q in story.quantities]
            held += story.scene.most < 200
    assert held > 100


def test_things_stand_on_shelves_and_nothing_is_lost_by_opening_it(composed):
    onto = 0
    for instance in itertools.chain.from_iterable(composed.values()):
        assert not re.search(r"\binto shelves|in each shelf|shelves [^.]* in each\b|\bopened\b", instance.problem), instance.problem
        onto += bool(re.search(r"\bonto shelves|\bon each\b", instance.problem))
    assert onto > 2


@pytest.mark.parametrize(
    "absurd",
    [
        r"blew up \S+ (?:more |fewer )?(?!balloon)(?:ribbon|candle|napkin|paper)",
        r"bought \S+ (?:drawers|shelves) ",
        r"\b(?:brought|bought|scored|wrote|read|walked|had|got) \S+ [a-z ]+ per hour",
        r"\b[Oo]n [A-Z][a-z]+day, [^.]* hours\b",
        r"\b\d{3,} (?:[a-z]+ )*(?:glasses of water|cups of tea|bottles of juice|songs|tunes|dances)\b",
        r"groups together put them all|\b(?!They)[A-Z][a-z]+ (?:put them all|(?:sold|shared) all of them)",  # whose?
        r"(?:boiled|made|planted|picked) \S+ (?:trays|baskets|buckets|boxes) (?:of|with) ",
        r"(?:onions|carrots|peppers|potatoes)\b.* sold all [^.]* for \$(?:[4-9]|1\d) each",
        r"\bIf (?:on|in) [^ ]+(?: [^ ,]+)?, ",
        r"together [^.?]*\btogether\b|In total, [^?]* together",  # said twice
        r"\bamong (?:two|2)\b",
        r"groups together gave [^.]* to a (?!school)|groups together shared [^.]* (?:friends|cousins)",
        r"\bread \S+ (?:[a-z]+ )*invitations",
        r"(?:cartons|trays) (?:with|of eggs with) (?!(?:6|six|ten|10|twelve|12|18|20|24|30) )\S+ [^.]*\beggs|(?:cartons|trays) of eggs with (?!(?:6|six|ten|10|twelve|12|18|20|24|30) )",
        r"(On [A-Z][a-z]+day, )[^.]*\. \1|(In the (?:morning|afternoon|evening), )[^.]*\. \2",  # the same day named twice in a row
        r"(?:Lions|Bears|[A-Z][a-z]+) (?:has|have) [^.]*\. After that, ",  # after what?
        r"\. That was [^.]*\. That was |(?:than|as) (?:on|in) [^.]*\. That (?:was|is) ",  # which of the two?
        r"\b(?:all together|work on on)\b",
        r"\. Then [^.]*\. Then ",
        r"\bIf and\b|, and (?:\w+ )?(?:there|as many in)\b",
        r"\bmore\. [^.]*(?<!all) of them\b",  # of those that came?
        r"\b(?:he|she) ate (?!(?:[2-6]|two|three|four|five|six)\b)\S+",
        r"^(?:How many|In total)[^?]* (?:they|(?:both|all the) groups together) [^?]*\? ",  # who? Nobody was named
        r"[Tt]hey has\b|does they\b|by then had\b",
        r"of them\b[^.]*\. (?:[A-Z][a-z]+, |After that, |Then )*(?:he|she|they|He|She|They) [a-z ]+ \d+ of them",  # of those that went?
        r"\bnow\b[^?]*\. (?:Then|After that|Later), [^?]*\bnow\b",  # which of two moments?
        r"groups together\b.*\bgroups together\b",
        r"\bordered\b",
        r"\b(?:4[1-9]|[5-9]\d|\d{3,}) (?:quilts|(?:[a-z]+ )?paintings)\b",
        r"tins? with|tins of",  # of pies?
        r"(?:[3-9]\d|\d{3,}) (?:crosswords|problems|puzzles|riddles|exercises) per hour",
        r"\bfound (?:2[1-9]|[3-9]\d|\d{3,}) more",
        r"(?:broke|cooked|popped) (?:4[1-9]|[5-9]\d|\d{3,})\b",
        r"\bHow many [^?]* did [^?]*(?<! have) together\?",  # one after the other, side by side?
    ],
)
def test_nothing_happens_that_cannot(composed, absurd):
    for instance in itertools.chain.from_iterable(composed.values()):
        assert not re.search(absurd, instance.problem), instance.problem


def test_kinds_in_one_place_are_counted_once():
    """Nothing in the list is a kind of something else in it, or is asked for with it."""
    for frame in load_frames()["kinds"]:
        things = {thing.singular for thing in frame["things"]}
        for whole, parts in {"book": {"novel", "atlas"}, "candy": {"mint", "toffee"}, "adult": {"grandparent"}, "parent": {"grandparent"}}.items():
            assert not (whole in things and parts & things), things
    assert not {"the boys", "the girls"} & set(load_frames()["groups"])


ANA, BO, LIONS = Person("Ana", "she"), Person("Ana's uncle", "he"), Person("the Lions", "they")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (listed_places(["on Monday", "on Tuesday"]), "on Monday and Tuesday"),
        (listed_places(["in tank A", "on the shelf"]), "in tank A and on the shelf"),
        (listed_kinds(["red marbles", "blue marbles"]), "red and blue marbles"),
        (listed_kinds(["red marbles", "dolls"]), "red marbles and dolls"),
        (listed_people([ANA, BO, LIONS]), "Ana, her uncle and the Lions"),
        (listed_people([BO, ANA]), "Ana's uncle and Ana"),
        (after_if("On Monday, Leo ran 2 more miles than on Sunday"), "Leo ran 2 more miles on Monday than on Sunday"),
        (after_if("In box A there are as many pens as in box B and box C"), "there are as many pens in box A as in box B and box C"),
        (after_if("In box A there are 8 pens"), "there are 8 pens in box A"),
        (after_if("Leo ran 2 miles"), "Leo ran 2 miles"),
        (after_if("And there are 8 pens"), "there are 8 pens"),
        (after_if("In box A there are 2 more pens than in box B, and 3 fewer than in box C"), "there are 2 more pens in box A than in box B, and 3 fewer than in box C"),
        (after_if("On Monday, Leo ran twice as far as on Sunday, and 3 miles more than on Friday"), "Leo ran twice as far on Monday as on Sunday, and 3 miles more than on Friday"),
        (with_pronouns(["Ana has 5 pens.", "Ana has 2 more pens than Ana's uncle."], [ANA, BO]), ["Ana has 5 pens.", "She has 2 more pens than her uncle."]),
        (with_pronouns(["Ana has 5 pens.", "Then Ana lost 2."], [ANA, BO]), ["Ana has 5 pens.", "Then she lost 2."]),
        (with_pronouns(["Ana's uncle has 2 more pens than Ana.", "Ana's uncle sold 3."], [ANA, BO]), ["Ana's uncle has 2 more pens than Ana.", "Ana's uncle sold 3."]),
        (with_pronouns(["Ana has 5 more pens than Ana's uncle.", "Ana has 9 pens."], [ANA, BO]), ["Ana has 5 more pens than her uncle.", "Ana has 9 pens."]),
        (with_pronouns(["the Lions ate 5 pies.", "the Lions ate 2 more pies than Ana."], [ANA, LIONS]), ["the Lions ate 5 pies.", "They ate 2 more pies than Ana."]),
        (
            told_once(["There are 5 pens in box A.", "In box A there are 2 more pens than in box B."], " there are ", "pens"),
            ["There are 5 pens in box A.", "That is 2 more than in box B."],
        ),
        (
            told_once(
                ["On Monday, Leo ran 5 miles.", "On Tuesday, Leo ran 3 more miles than on Monday.", "On Tuesday, he ran half as many miles as on Friday."],
                " ran ",
                "miles",
            ),
            ["On Monday, Leo ran 5 miles.", "On Tuesday, Leo ran 3 more miles than on Monday, and half as many as on Friday."],
        ),
    ],
)
def test_what_was_just_said_is_not_said_again(told, expected):
    assert told == expected


def test_what_several_get_is_not_what_each_gets(composed):
    several = 0
    for instance in itertools.chain.from_iterable(composed.values()):
        if not GROUP.search(instance.problem):
            assert not re.search(r"\bthey [a-z ]+ \S+ more\.", instance.problem), instance.problem
            several += bool(re.search(r"\bthey [a-z ]+ \S+ more in all\.", instance.problem))
    assert several > 20


@pytest.mark.parametrize("people", [[ANA, BO], [BO, ANA]])
def test_she_of_a_new_turn_is_one_person(people):
    eve, told = Person("Eve", "she"), ["Ana has 5 pens.", "Eve has 3 pens.", "Eve lost 2 of all her pens."]
    assert with_pronouns(told, [*people, eve], 2) == told
    assert with_pronouns(["Ana's uncle has 5 pens.", *told[1:]], [BO, eve], 2)[2] == "She lost 2 of all her pens."


def test_what_somebody_has_now_is_what_he_had_when_more_has_happened():
    assert in_past("Now Ana has 5 pens.") == "Then Ana had 5 pens."
    assert in_past("Ana now has 3 more than Bo does.") == "By then, Ana had 3 more than Bo had."
    assert in_past("Bo has as many as Ana and Eve have together now.") == "Bo had as many as Ana and Eve had together by then."
    assert in_past("Bo has 3 fewer than Ana has now.") == "Bo had 3 fewer than Ana had by then."


def test_feedback_says_last_only_of_several_steps_and_never_the_same_twice(composed):
    for instance in itertools.chain.from_iterable(composed.values()):
        says = [mistake.says for mistake in instance.mistakes]
        assert len(set(says)) == len(says), instance
        assert len(instance.steps) > 1 or not re.search(r"\blast\b|\bsum\b", " ".join(says)), says


def test_a_total_of_some_names_them(composed):
    some = 0
    for instance in itertools.chain.from_iterable(composed.values()):
        assert "You need how" not in instance.understand
        if re.fullmatch(r"the number of .* (?:together|in all)", instance.asked):
            some += 1
            assert re.search(r"\btogether\b", instance.steps[-1], re.IGNORECASE), instance.steps
    assert some > 15


@pytest.mark.parametrize("depth", COUNT)
def test_no_mistake_is_a_number_that_can_be_had_in_another_way(composed, depth):
    for instance in composed[depth]:
        told = {Fraction(n) for n in NUMBER.findall(instance.problem)}
        told |= {Fraction(WORDS.index(word)) for word in re.findall(r"[a-z]+", instance.problem.lower()) if word in WORDS}
        found = {first_value(step) for step in instance.steps[:-1]}
        for mistake in instance.mistakes:
            assert mistake.value not in told, (instance.problem, mistake)
            assert mistake.kind == "stopped-early" or mistake.value not in found, (instance, mistake)


def test_a_hint_says_what_is_asked_and_whether_something_is_needless():
    told = [compose(5, index, 3) for index in range(300)]
    for one in told:
        if "How many more" in one.problem:
            assert re.fullmatch(r"how many more .+ than .+", one.asked), one.asked
        numbers = {int(n) for n in re.findall(r"\d+", one.problem)}
        used = {int(n) for step in one.steps for n in re.findall(r"\d+", step)}
        if numbers - used:
            assert one.understand.endswith("You do not need all that is told."), one
    assert 20 < sum("all that is told" in one.understand for one in told) < 280


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_nobody_is_asked_for_a_difference_that_the_text_tells(depth):
    asked = [one for one in (compose(77, index, depth) for index in range(1000)) if "How many more" in one.problem]
    assert len(asked) > 5
    for one in asked:
        told = [str(one.answer), *WORDS[int(one.answer) : int(one.answer) + 1]]
        assert not re.search(rf"\b({'|'.join(told)}) (more|fewer) ", one.problem), one.problem


def test_another_process_with_another_hash_seed_composes_the_same():
    code = (
        "import json; from mathtutor.bank.compose import compose_many; "
        f"print(json.dumps([i.problem for i in compose_many(4, 60, {DEPTHS})]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert json.loads(output.stdout) == [instance.problem for instance in compose_many(4, 60, DEPTHS)]


@pytest.mark.parametrize("count", [2, 3, 7, 21])
def test_quick_draws_are_those_of_random(count):
    one, other, options, upto = random.Random(count), random.Random(count), list(range(count)), [k * k + 0.5 for k in range(1, count + 1)]
    for _ in range(500):
        assert two_of(one, count) == other.sample(range(count), 2)
        assert weighted(one, options, upto) == other.choices(options, cum_weights=upto)[0]


def test_rows_say_that_they_were_composed():
    rows = list(write_rows(20, seed=1))
    assert [row.id for row in rows[:2]] == ["composed-0000000", "composed-0000001"]
    assert {row.source for row in rows} == {"composed"} and {row.family for row in rows} == {""}


@pytest.mark.parametrize("depth", [0, -1, MAX_DEPTH + 1])
def test_a_depth_out_of_range_is_refused(depth):
    with pytest.raises(ValueError, match="depth must be 1 to 8"):
        compose(0, 0, depth)


def test_every_frame_has_what_the_composer_reads():
    frames = load_frames()
    for kind in ("who", "kinds", "places"):
        for frame in frames[kind]:
            assert all(isinstance(thing, Noun) for thing in frame["things"])
            assert all(re.fullmatch(r"[a-z ]+/[a-z ]+", verb) for verb in frame.get("verbs", []))
            assert all("{n}" in text for text in frame.get("lose", []) + frame.get("gain", []))
            assert kind != "who" or "point" in {thing.singular for thing in frame["things"]} or frame["most"] >= 40
            assert set(frame) <= {"things", "verbs", "keeps", "lose", "gain", "where", "packs", "most", "least", "price", "hourly", "day", "days", "holds", "few", "fill"}
            assert all(thing in {noun.singular for noun in frame["things"]} and most >= 40 for thing, (most, day) in frame.get("few", {}).items())
            assert set(frame.get("holds", {})) < set(frame.get("packs", [1]))  # some pack takes any number
