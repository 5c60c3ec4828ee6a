"""The bank: every family tells sound problems, the same ones everywhere; broken families are refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

from mathtutor.bank import BankError, Family, is_held_out, load_bank, split_of
from mathtutor.bank.expressions import compile_expression
from mathtutor.bank.families import FOLDER, NUMBER, first_value, insert_sentence, load_lexicon, without_values
from mathtutor.bank.language import (
    Noun,
    Person,
    Rendering,
    article,
    compile_text,
    render,
    show_money,
    show_number,
)
from pipeline.bank import check, defects
from pipeline.bank import main as bank_main
from pipeline.reading import PARTS_OF_SOMEONE, UNSAFE, reading_grade
from pipeline.standards import is_code
from pipeline.teachers.procedural import write_rows

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))

# --- every family of the bank


def defects_of(file: str) -> list[str]:
    """The defects of 100 instances of each family of one bank file; runs in a worker process."""
    found = []
    for family in load_bank(FOLDER / file).values():
        problems = set()
        for index in range(100):
            instance = family.instantiate(seed=1, index=index)
            problems.add(instance.problem)
            found += [f"{family.id} {index}: {defect}" for defect in defects(family, instance)]
        if len(problems) < 50:
            found.append(f"{family.id}: only {len(problems)} different problems in 100")
    return found


@pytest.fixture(scope="module")
def found():
    with ProcessPoolExecutor(2) as pool:
        return dict(zip(FILES, pool.map(defects_of, FILES), strict=True))


@pytest.mark.parametrize("file", FILES)
def test_a_hundred_instances_of_every_family_have_no_defect(found, file):
    assert found[file] == []


def test_the_bank_is_as_large_as_promised():
    bank = load_bank()
    assert len(bank) >= 600
    assert len({family.topic for family in bank.values()}) >= 30
    assert all(len(family.wordings) >= 5 and 1 <= family.grade <= 8 for family in bank.values())


def test_every_family_names_a_common_core_standard():
    assert [(f.id, f.standard) for f in load_bank().values() if not is_code(f.standard)] == []
    assert [is_code(code) for code in ("6.RP.A.3c", "3.OA.D.8", "3.OA.D.10", "5.OA.A.3", "9.A.A.1", "")] == [True, True, False, False, False, False]


def test_no_name_and_no_noun_of_the_lexicon_stands_twice():
    for name, entries in load_lexicon().items():
        shown = [str(entry) for entry in entries]
        assert len(shown) == len(set(shown)), name
        assert all(entry == entry.strip() for entry in shown), name


# --- the same instance everywhere


def test_row_i_can_be_made_alone():
    rows = list(write_rows(600, seed=4))
    families = [family for _, family in sorted(load_bank().items()) if split_of(family.id) == "train"]
    for number in (599, 0, 311):
        instance = families[number % len(families)].instantiate(4, number // len(families))
        assert (rows[number].problem, rows[number].steps) == (instance.problem, instance.steps)
        assert rows[number].id == f"bank-{number:07d}"


def test_another_process_with_another_hash_seed_makes_the_same_rows():
    code = (
        "import json; from pipeline.teachers.procedural import write_rows; "
        "print(json.dumps([row.to_dict() for row in write_rows(300, seed=4)]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(output.stdout) == [row.to_dict() for row in write_rows(300, seed=4)]


def test_another_seed_or_index_makes_another_instance():
    family = load_bank()["money-coins-total"]
    problems = {family.instantiate(seed, index).problem for seed in range(5) for index in range(5)}
    assert len(problems) > 20


# --- held out by hash


def test_the_split_depends_on_the_id_alone():
    bank = load_bank()
    for family_id in bank:
        assert is_held_out(family_id) is (int(hashlib.sha256(family_id.encode()).hexdigest(), 16) % 5 == 0)
    assert 0.1 < sum(map(is_held_out, bank)) / len(bank) < 0.3


@pytest.mark.parametrize("split", ["train", "validation", "held-out"])
def test_rows_come_from_the_wanted_side_of_the_split_only(split):
    families = {row.family for row in write_rows(len(load_bank()), 0, split)}
    assert families == {family for family in load_bank() if split_of(family) == split}


# --- broken definitions

GOOD = {
    "id": "pens-in-boxes",
    "topic": "school",
    "grade": 3,
    "standard": "3.OA.D.8",
    "skill": "multiply-then-subtract",
    "variables": {"who": {"person": "any"}, "n": {"int": [3, 9]}, "m": {"int": [3, 9]}, "g": {"int": [2, 6]},
                  "pen": {"noun": "stationery"}},
    "let": {"all": "n * m", "left": "all - g"},
    "require": ["left > 2"],
    "answer": "left",
    "unit": "pens",
    "asked": "the number of pens left",
    "wordings": [
        "{who} has {n} boxes with {m} pens each and gives {g} pens away. How many pens are left?",
        "There are {n} boxes of {m} pens. {who} gives away {g} of the pens. How many remain?",
        "After giving away {g} pens, how many has {who} left of {n} boxes with {m} pens each?",
        "{who} fills {n} boxes with {m} pens each, then gives {g} pens to a friend. How many pens stay?",
        "How many pens are left of {n} boxes with {m} pens each, when {who} gives {g} away?",
    ],
    "steps": ["In all there are {n} * {m} = {all} pens.", "{all} - {g} = {left} pens are left."],
    "understand": "You know the boxes and the pens in each. You need the pens that are left.",
    "plan": "Find all the pens, then take away the given ones.",
    "set_up": "All pens: {n} * {m} = ▢",
    "mistakes": [
        {"value": "all", "kind": "stopped-early", "says": "Some pens were given away. What happens then?"},
        {"value": "n + m - g", "kind": "wrong-operation", "says": "Does each box hold one pen?"},
    ],
}  # fmt: skip


def changed(**fields) -> dict:
    """GOOD with some fields replaced; a field set to None is left out."""
    family = copy.deepcopy(GOOD) | fields
    return {name: value for name, value in family.items() if value is not None}


def first_wording(text: str) -> dict:
    return changed(wordings=[text, *GOOD["wordings"][1:]])


def variable(**spec) -> dict:
    return changed(variables=GOOD["variables"] | spec)


def test_the_family_that_the_tables_below_break_is_sound():
    assert check({"pens-in-boxes": Family(GOOD)}, 100) == 0


@pytest.mark.parametrize(
    "fields, says",
    [
        (None, "must be a mapping"),
        ("pens", "must be a mapping"),
        (changed(steps=None), r"missing \['steps'\]"),
        (changed(hint="x"), r"unknown \['hint'\]"),
        (changed(id="Pens in boxes"), "kebab-case"),
        (changed(topic="astrology"), "unknown topic 'astrology'"),
        (changed(grade=9), "grade must be 1 to 8"),
        (changed(grade="3"), "grade must be 1 to 8"),
        (changed(wordings=GOOD["wordings"][:3]), "has 3 wordings, needs 5"),
        (changed(mistakes=GOOD["mistakes"][:1]), "has 1 mistakes, needs 2"),
        (changed(mistakes=[{**GOOD["mistakes"][0], "kind": "silly"}] * 2), "unknown kind of mistake 'silly'"),
        (changed(steps=[12]), "12 must be a text in quotes"),
        (variable(x={"integer": [1, 2]}), "unknown kind 'integer'"),
        (variable(x={"int": [1, 2], "money": [1, 2, 1]}), "needs one kind"),
        (variable(x=5), "needs one kind"),
        (variable(x={"noun": "dragons"}), "no noun list 'dragons'"),
        (variable(x={"noun": "city"}), "no noun list 'city'"),  # a list of words, which have no plural
        (variable(x={"int": [9, 3]}), "empty range"),
        (variable(x={"int": [9]}), "pens-in-boxes: "),
        (variable(x={"money": [5, 1, 1]}), r"needs money: \[low, high, step\]"),
        (variable(x={"money": [1, 5, 0]}), r"needs money: \[low, high, step\]"),
        (changed(let={"left": "all - g"}), "'all', which is not defined before it"),
        (changed(answer="left -"), "is not an expression"),
        (changed(answer="__import__('os').getcwd()"), "a form that bank expressions do not have: Call"),
        (changed(require=["(lambda: 1)()"]), "a form that bank expressions do not have: Call"),
        (changed(require=["n if m else g"]), "a form that bank expressions do not have: IfExp"),
        (changed(require=["n.real"]), "a form that bank expressions do not have: Attribute"),
        (first_wording("{nobody} has {n} pens."), "'nobody' is not defined"),
        (first_wording("{who} has {n pens."), "an open {"),
        (first_wording("{who} has [one|two pens."), r"an open \["),
        (first_wording("{who} has [one] pen."), "offers no choice"),
        (first_wording("{who} has {n:he} pens."), "a number has no form 'he'"),
        (first_wording("{who:$} has pens."), "a person has no form"),
        (first_wording("{who} has {n} {who@n}."), "'who' is a person, not a noun"),
        (first_wording("{who} has {n} {pen@who}."), "'who' is a person, not a number"),
        (first_wording("{n|is} left."), "needs two forms"),
    ],
)
def test_a_broken_definition_is_refused_when_it_is_read(fields, says):
    with pytest.raises(BankError, match=says):
        Family(fields, "school.yaml")


@pytest.mark.parametrize(
    "fields, says",
    [
        (changed(require=["n > 100"]), "held in none of 2000 draws"),
        (
            changed(mistakes=[{**GOOD["mistakes"][0], "value": "left"}, GOOD["mistakes"][1]]),
            "held in none of 2000",
        ),
        (
            changed(let={"all": "n * m", "left": "all - g", "third": "1 / 3"}, unit="{third} pens"),
            "two decimals",
        ),
        (changed(let={"all": "n * m", "left": "all - g", "big": "2 ** 99"}), "exponent 99 is too large"),
        (changed(let={"all": "n * m", "left": "all - g", "odd": "who * n"}), "unsupported operand"),
        (variable(a={"word": ["red"]}, b={"word": ["red"]}), "a list of 1 is too short"),
    ],
)
def test_a_definition_that_cannot_be_told_is_refused_by_name(fields, says):
    family = Family(fields, "school.yaml")
    with pytest.raises(BankError, match=f"school.yaml: pens-in-boxes: .*{says}"):
        family.instantiate(0, 0)


def test_a_file_that_is_no_yaml_or_uses_an_id_twice_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("- id: [")
    with pytest.raises(BankError, match="a.yaml is not YAML"):
        load_bank(tmp_path)
    (tmp_path / "a.yaml").write_text(json.dumps([GOOD]))
    (tmp_path / "b.yaml").write_text(json.dumps([GOOD]))
    with pytest.raises(BankError, match="b.yaml: the id pens-in-boxes is used twice"):
        load_bank(tmp_path)


@pytest.mark.parametrize(
    "fields, defect",
    [
        (first_wording("{who} has a apple, {n} boxes with {m} pens. {g} go. How many are left?"), "a before a vowel"),
        (first_wording("{who} has an box. {n} boxes, {m} pens each, {g} go. How many?"), "an before a consonant"),
        (first_wording("{who} has 1 boxes, {n} boxes, {m} pens each, {g} go. How many?"), "one with a plural"),
        (first_wording("{who} has has {n} boxes with {m} pens each, {g} go. How many?"), "a repeated word"),
        (first_wording("{who} has {n} boxes , {m} pens each, {g} go. How many?"), "a space before a mark"),
        (first_wording("{who} has {n} boxes.. {m} pens each, {g} go. How many?"), "two marks"),
        (first_wording("{who} has {n} boxes with {m} pens each, {g} go"), "no mark at the end"),
        (first_wording("{who} has " + "very " * 55 + "many, very many " * 30 + "pens: {n} * {m} - {g}?"), "too long"),
        (first_wording("Hello?"), "has no number"),
        (first_wording("Somebody has {n} boxes of {m} pens and gives {g} away. Who is left to {who}@home?"), "markup"),
        (changed(wordings=[w.replace("{who}", "Somebody") for w in GOOD["wordings"]], asked="the pens of {who}"),
         "whom the problem does not mention"),
        (changed(understand="You need to find {left} pens."), "away"),
        (changed(plan="Take away {g} pens."), "contains a number"),
        (changed(answer="0 - left", steps=["{all} - {g} = {left}."]), "is below zero"),
        (changed(steps=["In all there are {n} * {m} = {left} pens."]), "wrong"),
        (changed(steps=[GOOD["steps"][0], "So {left} pens are left."]), "nothing"),
        (changed(steps=[GOOD["steps"][0]]), "does not give the answer"),
        (changed(steps=["{n} * {m} = ${all}.", GOOD["steps"][1]]), r"has \$ , or %"),
    ],
)  # fmt: skip
def test_each_planted_defect_is_found(capsys, fields, defect):
    assert check({"planted": Family(fields)}, 60) == 1
    assert defect.replace("\\", "") in capsys.readouterr().out


# --- the command


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.bank", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "arguments, says",
    [(["check", "--seed", "5"], "check does not read --seed"), (["compose", "--family", "x"], "compose does not read --family"),
     (["stats", "-n", "3"], "stats does not read -n"), (["sample", "-n", "0"], "-n must be at least 1"),
     (["check", "--out", "x"], "check does not read --out"), (["raw", "-n", "3"], "raw needs --out FILE")],
)  # fmt: skip
def test_an_option_that_a_command_would_ignore_is_refused(monkeypatch, capsys, arguments, says):
    monkeypatch.setattr(sys, "argv", ["bank", *arguments])
    with pytest.raises(SystemExit):
        bank_main()
    assert says in capsys.readouterr().err


def test_the_command_checks_a_file_and_fails_on_a_defect(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text(json.dumps([GOOD]))
    good = command("check", "--file", str(file), "-n", "20")
    assert (good.returncode, "0 with defects" in good.stdout) == (0, True)
    file.write_text(json.dumps([changed(plan="Take away {g} pens.")]))
    bad = command("check", "--file", str(file), "-n", "20")
    assert (bad.returncode, "contains a number" in bad.stdout) == (1, True)


def test_raw_rows_hold_every_family_in_turn_and_are_the_same_again(tmp_path, monkeypatch):
    families = [changed(), changed(id="another-good-one")]
    (tmp_path / "two.yaml").write_text(json.dumps(families))
    outs = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for out in outs:
        monkeypatch.setattr(sys, "argv", ["bank", "raw", "--file", str(tmp_path / "two.yaml"), "-n", "3", "--seed", "3", "--out", str(out)])
        bank_main()
    rows = [json.loads(line) for line in outs[0].read_text().splitlines()]
    assert [row["family"] for row in rows] == sorted(family["id"] for family in families) * 3
    assert len({row["id"] for row in rows}) == 6 and {row["source"] for row in rows} == {"bank"}
    bank = load_bank(tmp_path / "two.yaml")
    assert all(row["problem"] == bank[row["family"]].instantiate(3, int(row["id"][-6:])).problem for row in rows)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_the_command_answers_a_wrong_name_with_a_sentence(tmp_path):
    missing = command("sample", "--family", "no-such-family")
    assert missing.returncode == 1 and "no family 'no-such-family'" in missing.stderr
    file = command("check", "--file", str(tmp_path / "none.yaml"))
    assert file.returncode == 1 and "none.yaml" in file.stderr and "Traceback" not in file.stderr


# --- the little language

KINDS = {
    "n": "number",
    "m": "number",
    "p": "number",
    "box": "noun",
    "fruit": "noun",
    "who": "person",
    "color": "word",
}


def say(text: str, seed: int = 0, comma: bool = False, **values) -> str:
    given = {
        "n": 3, "m": 1, "p": Fraction(5, 2), "box": Noun("box", "boxes"), "fruit": Noun("apple", "apples"),
        "who": Person("Amina", "she"), "color": "orange",
    } | values  # fmt: skip
    return render(compile_text(text, KINDS), Rendering(given, random.Random(seed), comma))


@pytest.mark.parametrize(
    "text, values, said",
    [
        ("{n} {box@n} and {m} {fruit@m}", {}, "3 boxes and 1 apple"),
        ("{box}, {box:p}, {box:a}, {fruit:a}", {}, "Box, boxes, a box, an apple"),
        ("{n|is|are} {m|is|are}", {}, "Are is"),
        ("{p:$} and {n:$}", {}, "$2.50 and $3"),
        ("{p} liters", {}, "2.5 liters"),
        ("{who} lost {who:his} hat, so {who:he} looks for it; it suits {who:him}.", {},
         "Amina lost her hat, so she looks for it; it suits her."),
        ("{who} lost {who:his} hat, so {who:he} looks for it; it suits {who:him}.", {"who": Person("Omar", "he")},
         "Omar lost his hat, so he looks for it; it suits him."),
        ("{color:a} and {color}", {}, "An orange and orange"),
        ("it ends.  then {who:he} sits! \"really\"? [yes|yes].", {}, 'It ends. Then she sits! "Really"? Yes.'),
        ("at 2.5 m it stops", {}, "At 2.5 m it stops"),
        ("{n:w} cars", {"n": 21}, "21 cars"),
        ("{p:w} cars", {}, "2.5 cars"),
        ("zero is {n:w}", {"n": -4}, "Zero is -4"),
        ("[{n} of [them|them]|{n} of them] stay", {}, "3 of them stay"),
    ],
)  # fmt: skip
def test_a_text_is_rendered(text, values, said):
    assert say(text, **values) == said


def test_every_choice_is_taken_sooner_or_later():
    assert {say("[red|blue [sky|sea]|green]", seed) for seed in range(60)} == {
        "Red",
        "Blue sky",
        "Blue sea",
        "Green",
    }


def test_a_number_is_written_in_words_in_some_instances_and_the_same_way_within_one():
    said = {say("{n:w} cats met {n:w} dogs", seed) for seed in range(30)}
    assert said == {"Three cats met three dogs", "3 cats met 3 dogs"}


def test_thousands_get_a_comma_only_where_it_is_wanted():
    assert say("{n} and {p:$}", n=12345, p=1200, comma=True) == "12,345 and $1,200"
    assert say("{n} and {p:$}", n=12345, p=1200, comma=False) == "12345 and $1200"


@pytest.mark.parametrize(
    "word, expected",
    [("apple", "an"), ("box", "a"), ("hour", "an"), ("honest deal", "an"), ("heirloom", "an"), ("unicorn", "a"),
     ("uniform", "a"), ("unimportant sum", "an"), ("umbrella", "an"), ("used car", "a"), ("European city", "a"),
     ("one-way trip", "a"), ("onion", "an"), ("ukulele", "a"), ("Orange", "an"), ("house", "a"), ("yo-yo", "a")],
)  # fmt: skip
def test_the_article_follows_the_sound(word, expected):
    assert article(word) == expected


@pytest.mark.parametrize(
    "text, plural",
    [("apple", "apples"), ("box", "boxes"), ("peach", "peaches"), ("dish", "dishes"), ("glass", "glasses"),
     ("city", "cities"), ("toy", "toys"), ("leaf/leaves", "leaves"), ("sheep/sheep", "sheep")],
)  # fmt: skip
def test_the_plural_is_regular_or_given(text, plural):
    assert Noun.parse(text).plural == plural


@pytest.mark.parametrize(
    "value, digits, money",
    [(3, "3", "$3"), (0, "0", "$0"), (-4, "-4", "-$4"), (Fraction(5, 2), "2.5", "$2.50"), (1200, "1,200", "$1,200"),
     (Fraction(1, 20), "0.05", "$0.05"), (Fraction(-1, 4), "-0.25", "-$0.25"), (Fraction(4, 2), "2", "$2"),
     (Fraction(123456789, 100), "1,234,567.89", "$1,234,567.89"), (999, "999", "$999")],
)  # fmt: skip
def test_numbers_and_money_are_shown(value, digits, money):
    assert (show_number(value, comma=True), show_money(value, comma=True)) == (digits, money)


def test_a_number_past_two_decimals_is_refused():
    with pytest.raises(ValueError, match="more than two decimals"):
        show_number(Fraction(1, 3))


@pytest.mark.parametrize(
    "problem, expected",
    [
        ("Ana has 3 pens. How many?", "Ana has 3 pens. It rains. How many?"),
        ("Ana has 3 pens. Give the total.", "Ana has 3 pens. It rains. Give the total."),
        ("How many pens has Ana?", "How many pens has Ana?"),
        ('"I have 3 pens. How many is that?" asks Ana.', '"I have 3 pens. How many is that?" asks Ana.'),
        ("How many pens has Ana? She has 3 and 4.", "How many pens has Ana? She has 3 and 4. It rains."),
    ],
)
def test_a_useless_sentence_never_follows_the_last_question_of_a_story(problem, expected):
    assert insert_sentence(problem, "It rains.") == expected


@pytest.mark.parametrize(
    "text, value",
    [
        ("0.1 + 0.2", Fraction(3, 10)),
        ("n / 2", Fraction(7, 2)),
        ("n * 2 / 7", 2),
        ("n // 2 + n % 2", 4),
        ("2 ** 3 - -1", 9),
        ("min(n, 3) + max(n, 3) + abs(0 - n)", 17),
        ("1 < n <= 7", True),
        ("1 < n < 7", False),
        ("n == 7 and not n > 7", True),
        ("n == 1 or n == 7", True),
        ("place == 'zoo'", True),
        (12, 12),
        (0.5, Fraction(1, 2)),
    ],
)
def test_an_expression_is_exact(text, value):
    result = compile_expression(text, {"n", "place"})({"n": 7, "place": "zoo"})
    assert result == value and type(result) is type(value)


# --- who can read it, and who should


@pytest.mark.parametrize(
    "text, low, high",
    [
        ("", 0, 0),
        ("Ana has 3 cats. Ben has 2 cats. How many cats are there?", -3, 2),
        ("How many kilometers remain if the expedition's electric bicycles travelled at an average velocity of 21 kilometers an hour?", 10, 20),
    ],
)
def test_the_reading_grade_grows_with_long_words_and_sentences(text, low, high):
    assert low <= reading_grade(text) <= high


@pytest.mark.parametrize(
    "text, unsafe",
    [("He bets on a horse.", True), ("A gun costs $3.", True), ("The war ended.", True), ("She diets.", False),
     ("A better bottle of warm water", False), ("Begun at dawn", False), ("Skills and dice", False)],
)  # fmt: skip
def test_words_that_do_not_belong_in_a_childs_problem_are_found(text, unsafe):
    assert bool(UNSAFE.search(text)) is unsafe


@pytest.mark.parametrize(
    "text, found",
    [("3.7 children", True), ("2.5 young people", True), ("4.5 kilograms", False), ("37 children", False), ("2.5 hens", True)],
)
def test_a_part_of_somebody_is_found(text, found):
    assert bool(PARTS_OF_SOMEONE.search(text)) is found


def test_no_hint_holds_the_answer_or_the_value_that_it_asks_for():
    for number, family in enumerate(load_bank().values()):
        instance = family.instantiate(6, number)
        asked = {instance.answer, first_value(instance.steps[0])}
        for hint in (instance.understand, instance.plan, instance.set_up):
            assert not {Fraction(n) for n in NUMBER.findall(hint)} & asked, (family.id, hint)


@pytest.mark.parametrize(
    "hint, values, shown",
    [("8 - 4 = ▢", {4}, "8 - ? = ▢"), ("40 - 4.5 = ▢", {4, 5}, "40 - 4.5 = ▢"), ("12 / 12 = ▢", {12, None}, "? / ? = ▢"),
     ("-3 + 3 = ▢", {3}, "-? + ? = ▢"), ("3 x 14 = ▢", {1}, "3 x 14 = ▢")],
)  # fmt: skip
def test_a_hint_leaves_out_a_number_that_would_tell(hint, values, shown):
    assert without_values(hint, {None if value is None else Fraction(value) for value in values}) == shown


def test_a_number_that_a_mistake_explains_is_seldom_also_another_quantity():
    """Else "That is the work of one machine" would be said of a number that is the work of six machines, too."""
    unclear = total = 0
    for family in load_bank().values():
        for _ in range(3):
            total += 1
            unclear += not family._doubles(*family._draw_values(random.Random(f"{family.id}{total}"))) <= family._meant_doubles
    drawn_blindly = unclear / total
    unclear = hidden = 0
    for family in load_bank().values():
        for index in range(3):
            instance = family.instantiate(11, index)
            meant = {mistake for mistake, _ in family._meant_doubles}
            hidden += "?" in instance.set_up
            shown = {first_value(step) for step in instance.steps}
            unclear += any(m.value in shown for i, m in enumerate(instance.mistakes) if i not in meant)
    assert unclear / total < 0.01 < drawn_blindly
    assert hidden / total < 0.01  # a number of the first step that must not be shown, being the answer as well
