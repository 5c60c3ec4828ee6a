"""The bank: every family tells sound problems, the same ones everywhere; broken families are refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
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
    picker,
    render,
    show_fraction,
    show_money,
    show_number,
)
from mathtutor.maths.answers import read_gold
from pipeline.alike import LIMIT, alike, pairs_alike
from pipeline.bank import check, defects
from pipeline.bank import main as bank_main
from pipeline.reading import PARTS_OF_SOMEONE, UNSAFE, reading_grade
from pipeline.standards import is_code, misfit
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
    assert sum(family.instantiate(0, 0).as_fraction for family in bank.values()) >= 13  # answers such as 3/4 and 1 1/2
    assert all(len(family.wordings) >= 5 and 1 <= family.grade <= 8 for family in bank.values())


def test_every_family_names_a_common_core_standard():
    assert [(f.id, f.standard) for f in load_bank().values() if not is_code(f.standard)] == []
    assert [is_code(code) for code in ("6.RP.A.3c", "3.OA.D.8", "3.OA.D.10", "5.OA.A.3", "9.A.A.1", "")] == [True, True, False, False, False, False]


def test_no_name_and_no_noun_of_the_lexicon_stands_twice():
    for name, entries in load_lexicon().items():
        shown = [str(entry) for entry in entries]
        assert len(shown) == len(set(shown)), name
        assert all(entry == entry.strip() for entry in shown), name


@pytest.mark.parametrize(
    "code, num_steps, has_decimals, says",
    [
        ("3.OA.D.8", 1, False, "two steps or more, and there is one"), ("4.OA.A.3", 1, False, "two steps or more"), ("4.OA.A.3", 2, True, "whole numbers"),
        ("4.NBT.B.5", 1, True, "whole numbers"), ("3.OA.D.8", 2, False, None), ("4.MD.A.2", 1, True, None), ("5.NBT.B.7", 3, True, None),
    ],
)  # fmt: skip
def test_a_standard_fits_the_steps_of_its_family(code, num_steps, has_decimals, says):
    reason = misfit(code, num_steps, has_decimals)
    assert reason is says if says is None else says in reason


def test_check_refuses_a_standard_that_does_not_fit(capsys):
    one_step = changed(let={"all": "n * m", "left": "all"}, steps=["In all there are {n} * {m} = {all} pens."], mistakes=[
        {"value": "n + m", "kind": "wrong-operation", "says": "Does each box hold one pen?"}, {"value": "all + g", "kind": "extra-quantity", "says": "Which pens are asked for?"}])  # fmt: skip
    assert check({"pens-in-boxes": Family(one_step)}, 50) == 1
    assert "3.OA.D.8 is of problems with two steps or more" in capsys.readouterr().out


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
        "Into each of {n} boxes {who} puts {m} pens. A friend is given {g} pens. How many pens stay?",
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


def first_feedback(text: str) -> dict:
    return changed(mistakes=[{**GOOD["mistakes"][0], "says": text}, GOOD["mistakes"][1]])


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
        (changed(id=7), "id: 7 must be kebab-case"),
        (changed(topic="astrology"), "topic: unknown topic 'astrology'"),
        (changed(topic=["school"]), r"topic: unknown topic \['school'\]"),
        (changed(grade=9), "grade: grade must be 1 to 8"),
        (changed(grade="3"), "grade must be 1 to 8"),
        (changed(grade=True), "grade must be 1 to 8, not True"),  # YAML reads yes and on so
        (changed(skill=3), "skill: 3 must be a text in quotes"),
        (changed(standard=3.5), "standard: 3.5 must be a text in quotes"),
        (changed(unit=True), "unit: True must be a text in quotes"),
        (changed(plan=["Add."]), r"plan: \['Add.'\] must be a text in quotes"),
        (changed(answer_form="mixed"), "answer_form: unknown form of an answer 'mixed': use decimal, fraction"),
        (changed(variables=[1]), r"variables: must be a mapping \(name: ...\), not \[1\]"),
        (changed(let="a"), r"let: must be a mapping \(name: ...\), not 'a'"),
        (changed(require="n > 2"), r"require: must be a list \(- ...\), not 'n > 2'"),
        (changed(wordings="One."), r"wordings: must be a list \(- ...\), not 'One.'"),
        (changed(wordings=GOOD["wordings"][:3]), "wordings: has 3, needs 5"),
        (changed(extras="It rains."), "extras: must be a list"),
        (changed(steps=[]), "steps: has 0, needs 1"),
        (changed(steps=[[]]), "steps: has 0, needs 1"),
        (changed(steps=[12]), "steps: 12 must be a text in quotes"),
        (changed(mistakes=GOOD["mistakes"][:1]), "mistakes: has 1, needs 2"),
        (changed(mistakes=[1, 2]), r"mistakes: number 1: must be a mapping \(name: ...\), not 1"),
        (changed(mistakes=[GOOD["mistakes"][0], {"kind": "unit"}]), "mistakes: number 2: needs value, kind and says, not kind"),
        (changed(mistakes=[{**GOOD["mistakes"][0], "kind": "silly"}] * 2), "number 1: unknown kind of mistake 'silly'"),
        (variable(x={"integer": [1, 2]}), "variables: x: has the unknown kind 'integer'"),
        (variable(x={"person": "somebody"}), "variables: x: unknown person 'somebody': use any, she, he"),
        (variable(x={"choose": ["maybe", False]}), "variables: x: False must be a text in quotes"),
        (variable(x={"word": ["off", True]}), "variables: x: True must be a text in quotes"),
        (variable(x={"noun": ["box", 3]}), "variables: x: 3 must be a text in quotes"),
        (variable(x={"choose": 5}), r"variables: x: must be a list \(- ...\), not 5"),
        (variable(x={"int": [1, 2], "money": [1, 2, 1]}), "needs one kind"),
        (variable(x=5), "needs one kind"),
        (variable(x={"noun": "dragons"}), "no noun list 'dragons'"),
        (variable(x={"noun": "city"}), "no noun list 'city'"),  # a list of words, which have no plural
        (variable(x={"int": [9, 3]}), "empty range"),
        (variable(x={"choose": []}), "nothing to draw"),
        (variable(x={"word": []}), "nothing to draw"),
        (variable(x={"int": [9]}), r"variables: x: needs int: \[low, high\]"),
        (variable(x={"int": [1, "2"]}), r"variables: x: needs int: \[low, high\]"),
        (variable(x={"money": 5}), r"variables: x: needs money"),
        (variable(x={"money": [5, 1, 1]}), r"needs money: \[low, high, step\]"),
        (variable(x={"money": [1, 5, 0]}), r"needs money: \[low, high, step\]"),
        (changed(let={"left": "all - g"}), "let: left: .*'all', which is not defined before it"),
        (changed(answer="left -"), "answer: .* is not an expression"),
        (changed(answer="__import__('os').getcwd()"), "a form that bank expressions do not have: Call"),
        (changed(require=["(lambda: 1)()"]), "a form that bank expressions do not have: Call"),
        (changed(require=["n if m else g"]), "a form that bank expressions do not have: IfExp"),
        (changed(require=["n.real"]), "a form that bank expressions do not have: Attribute"),
        (first_wording("{nobody} has {n} pens."), "wordings: .*'nobody' is not defined"),
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
        (changed(require=["n > 100"]), "require: .* held in none of 2000 draws"),
        (
            changed(mistakes=[{**GOOD["mistakes"][0], "value": "left"}, GOOD["mistakes"][1]]),
            "held in none of 2000",
        ),
        (
            changed(let={"all": "n * m", "left": "all - g", "third": "1 / 3"}, unit="{third} pens"),
            "unit: .* two decimals",
        ),
        (changed(let={"all": "n * m", "left": "all - g", "big": "2 ** 99"}), "let: big: exponent 99 is too large"),
        (changed(let={"all": "n * m", "left": "all - g", "odd": "who * n"}), "let: odd: unsupported operand"),
        (variable(a={"word": ["red"]}, b={"word": ["red"]}), "variables: b: a list of 1 is too short"),
    ],
)
def test_a_definition_that_cannot_be_told_is_refused_by_name(fields, says):
    family = Family(fields, "school.yaml")
    with pytest.raises(BankError, match=f"school.yaml: pens-in-boxes: .*{says}"):
        family.instantiate(0, 0)


@pytest.mark.parametrize(
    "content, says",
    [(b"- id: [", "a.yaml is not YAML"), (b"- id: caf\xe9", "a.yaml is not UTF-8: byte 9 is no text"), (b"42", "a.yaml must be a list of entries, .* not 42"),
     (b"", "a.yaml must be a list of entries, .* not None"), (b"id: pens", "a.yaml must be a list of entries"), (b"- 42", "a.yaml: a family must be a mapping, not 42"),
     (b"- {}", "a.yaml: id: None must be kebab-case")],
)  # fmt: skip
@pytest.mark.parametrize("arguments", [["check"], ["unsaid"], ["sample", "-n", "1"]])
def test_a_file_that_holds_no_families_is_refused_in_a_sentence(tmp_path, monkeypatch, arguments, content, says):
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["bank", *arguments, "--file", str(file)])
    with pytest.raises(SystemExit, match=says):
        bank_main()


def test_a_file_that_uses_an_id_twice_is_refused(tmp_path):
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
        (first_wording("y + {g} = {n} * {m}. How many pens is y?"), "a raised unknown"),
        (first_wording("If it is {n} children with {m} pens each, and {g} pens go, how many pens are left?"), "people counted with it"),
        (first_wording("{n} boxes hold {m} pens each. {g} go from every other box. How many are left?"), "every second"),
        (first_wording("{n} boxes of {m} pens hold equally much as before when {g} go. How many are left?"), "equally much"),
        (first_wording("How many pens do all together have together in {n} boxes of {m} if {g} go?"), "together said twice"),
        (first_wording("In week number 3 {n} boxes of {m} pens come and {g} pens go. How many are left?"), "week number"),
        (first_wording("How many more pens than Zoe does {who} have in {n} boxes of {m}, if Zoe has {g}?"), "a comparison in the way"),
        (first_wording("If on Monday, {who} has {n} boxes of {m} pens and {g} go, how many are left?"), "a comma after if and a day"),
        (first_wording("{who} writes 30 hours a day. {n} boxes, {m} pens each, {g} go. How many?"), "more than 24"),
        (first_wording("{who} comes at 13 o'clock. {n} boxes, {m} pens each, {g} go. How many?"), "more than 12"),
        (first_wording("Hello?"), "has no number"),
        (first_wording("Somebody has {n} boxes of {m} pens and gives {g} away. Who is left to {who}@home?"), "markup"),
        (changed(wordings=[w.replace("{who}", "Somebody") for w in GOOD["wordings"]], asked="the pens of {who}"),
         "whom the problem does not mention"),
        (changed(asked="the value of y"), "uses the letter y"),
        (changed(understand="You need to find {left} pens."), "understand: gives the answer away"),
        (changed(understand="In all there are {all} pens. You need those that are left."), "understand: gives what the first step finds away"),
        (changed(asked="the pens left of {all}"), "asked: gives what the first step finds away"),
        (changed(require=["left == 7"], plan="Find all, then take away to get to seven."), "plan: gives the answer away, 7"),
        (first_feedback("Some pens were given away, and {left} stayed. Why?"), "mistake 1: gives the answer away"),
        (changed(require=["left == 12"], mistakes=[GOOD["mistakes"][0], {**GOOD["mistakes"][1], "says": "Are twelve pens too few?"}]), "mistake 2: gives the answer away, 12"),
        (changed(wordings=[GOOD["wordings"][0], *GOOD["wordings"][:4]]), "wordings 1 and 2 are nearly the same (1.00"),
        (changed(wordings=[*GOOD["wordings"][:4], GOOD["wordings"][3].replace("pens", "chalks").replace("friend", "cousin")]), "wordings 4 and 5 are nearly the same"),
        (changed(wordings=[*GOOD["wordings"][:4], "If " + GOOD["wordings"][0].replace(". How", ", how").replace("{n}", "{n:w}")]), "wordings 1 and 5 are nearly the same"),
        (changed(plan="Take away {g} pens."), "contains a number"),
        (changed(answer="0 - left", steps=["{all} - {g} = {left}."]), "is below zero"),
        (changed(steps=["In all there are {n} * {m} = {left} pens."]), "wrong"),
        (changed(steps=[GOOD["steps"][0], "So {left} pens are left."]), "nothing"),
        (changed(steps=[GOOD["steps"][0]]), "does not give the answer"),
        (changed(steps=["{n} * {m} = ${all}.", GOOD["steps"][1]]), r"has \$ , or %"),
        (first_feedback("The word fewer is about the boxes."), "quotes fewer"),
        (first_feedback("What does \"so many pens\" mean?"), "quotes so many pens"),
        (first_feedback("Look at the thousands once more."), "no number reaches 1000"),
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
     (["check", "--out", "x"], "check does not read --out"), (["raw", "-n", "3"], "raw needs --out FILE"),
     (["raw", "--source", "stories", "--family", "x", "--out", "o"], "raw --source stories does not read --family"), (["check", "--source", "bank"], "check does not read --source"),
     (["unsaid", "-n", "3"], "unsaid does not read -n")],
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


def test_the_family_that_the_guide_shows_passes_the_check(tmp_path):
    (example,) = re.findall(r"^```yaml\n(- id: fruit-stand.*?)^```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    assert check(load_bank(file), 100) == 0


def test_the_command_counts_the_families_of_each_split(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bank", "stats"])
    bank_main()
    counts = Counter(map(split_of, load_bank()))
    assert f"train {counts['train']}, validation {counts['validation']}, held-out {counts['held-out']}\n" in capsys.readouterr().out


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


@pytest.mark.parametrize("source", ["composed", "stories"])
def test_raw_rows_of_the_other_sources_are_as_many_as_wanted(tmp_path, monkeypatch, source):
    out = tmp_path / "raw.jsonl"
    monkeypatch.setattr(sys, "argv", ["bank", "raw", "--source", source, "-n", "5", "--seed", "3", "--out", str(out)])
    bank_main()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["source"] for row in rows] == [source] * 5 and all(row["problem"] for row in rows)


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
        ("“it rains.” they wait. (not long.) “now?” asks {who}.", {}, "“It rains.” They wait. (Not long.) “Now?” asks Amina."),
        ("a sign says: \"four seats in each.\" he writes: “x + y = 60”: it is hard.", {}, 'A sign says: "Four seats in each." He writes: “x + y = 60”: it is hard.'),
        ("{who} dropped 7 eggs (oops!) and sold the rest. a choir (9 singers?) sings.", {}, "Amina dropped 7 eggs (oops!) and sold the rest. A choir (9 singers?) sings."),
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


@pytest.mark.parametrize(
    "value, shown",
    [(Fraction(3, 4), "3/4"), (Fraction(3, 2), "1 1/2"), (Fraction(-2, 3), "-2/3"), (Fraction(-7, 3), "-2 1/3"), (5, "5"), (0, "0"), (Fraction(8, 4), "2")],
)
def test_a_fraction_is_shown_as_people_write_it(value, shown):
    assert show_fraction(value) == shown == say("{p:f}", p=value) and read_gold(shown) == value
    assert first_value(f"The rest is 9 - 2 = {shown} cups.") == value


@pytest.mark.parametrize("n, shared", [(2, "between 2 children"), (3, "among 3 children"), (12, "among 12 children"), (Fraction(5, 2), "among 2.5 children")])
def test_what_is_shared_among_two_is_shared_between_them(n, shared):
    assert say("8 pens are split among {n} children.", n=n) == f"8 pens are split {shared}."


def test_a_number_past_two_decimals_is_refused():
    with pytest.raises(ValueError, match="more than two decimals"):
        show_number(Fraction(1, 3))


@pytest.mark.parametrize(
    "problem, expected",
    [
        ("Ana has 3 pens. How many?", "Ana has 3 pens. It rains. How many?"),
        ("Ana has 3 pens. Give the total.", "Ana has 3 pens. It rains. Give the total."),
        ("How many pens has Ana?", "How many pens has Ana?"),
        ('Ana asks. "I have 3 pens." How many?', 'Ana asks. "I have 3 pens." It rains. How many?'),
        ("Ana asks. “I have 3 pens.” How many?", "Ana asks. “I have 3 pens.” It rains. How many?"),
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
            quotients = {Fraction(int(a), int(b)) for a, b in re.findall(r"(?<![\d/])(\d+) [/÷] (\d+)\b", hint) if instance.as_fraction}
            assert not quotients & asked, (family.id, hint)


@pytest.mark.parametrize("form, gives", [("fraction", True), ("decimal", False)])
def test_a_set_up_that_is_the_fraction_asked_for_gives_it_away(form, gives):
    """ "3 / 4 = ▢" answers a question for 3/4, and is a sum to do where 0.75 is asked for."""
    shared = {"variables": {"who": {"person": "any"}, "n": {"choose": [3]}, "m": {"choose": [4]}, "g": {"choose": [2]}}, "let": {"left": "n / m"}}
    family = Family(changed(**shared, require=[], answer_form=form, steps=["Each gets {n} / {m} = {left} pens."], set_up="Share: {n} / {m} = ▢",
                            mistakes=[{**mistake, "value": value} for mistake, value in zip(GOOD["mistakes"], ("n", "m"), strict=True)]))  # fmt: skip
    assert any(defect.startswith("set up: gives the answer away") for defect in defects(family, family.instantiate(1, 0))) is gives


@pytest.mark.parametrize(
    "hint, values, shown",
    [("8 - 4 = ▢", {4}, "8 - ? = ▢"), ("40 - 4.5 = ▢", {4, 5}, "40 - 4.5 = ▢"), ("12 / 12 = ▢", {12, None}, "? / ? = ▢"),
     ("-3 + 3 = ▢", {3}, "-? + ? = ▢"), ("3 x 14 = ▢", {1}, "3 x 14 = ▢")],
)  # fmt: skip
def test_a_hint_leaves_out_a_number_that_would_tell(hint, values, shown):
    assert without_values(hint, {None if value is None else Fraction(value) for value in values}) == shown


def test_a_number_in_words_that_would_tell_is_drawn_again():
    """ "One box holds ..." beside the answer 1 would tell it, though nobody meant it so."""
    said = changed(understand="Some of the pens in ten or 14 boxes are left.", mistakes=[{**GOOD["mistakes"][0], "says": "Does {g} matter? Do thirteen?"}, GOOD["mistakes"][1]])
    plain, family = Family(GOOD), Family(said)
    told = [family.instantiate(1, i) for i in range(400)]
    assert {10, 13, 14} <= {plain.instantiate(1, i).answer for i in range(400)}
    assert not {10, 13, 14} & {instance.answer for instance in told}
    assert all(instance.answer != int(NUMBER.search(instance.mistakes[0].says)[0]) for instance in told)


def test_no_two_wordings_of_a_family_are_nearly_the_same():
    assert [(f.id, i, j) for f in load_bank().values() for i, j, _ in pairs_alike(f.sources)] == []


@pytest.mark.parametrize(
    "one, other, like",
    [("{who} has {n:w} pens. How many?", "{who} has {n} pens. How many now?", True), ("{a} and {b} make what?", "What do {b} and {a} make?", False),
     ("[A|The] box has {n|one|many} {x@n}.", "A box has {i2||twice}{i3||three times} {x:p}.", True), ("A cat.", "A cat.", True), ("A cat.", "The dog.", False)],
)  # fmt: skip
def test_wordings_are_alike_by_the_words_that_they_share_in_order(one, other, like):
    assert (alike(one, other) >= LIMIT) is like and alike(one, other) == alike(other, one)


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
    assert not hidden  # a number of the first step that must not be shown, being the answer as well, is drawn again


@pytest.mark.parametrize("options", [range(3, 4), range(2, 20, 3), ["a", "b"], list(range(8)), list(range(517))])
def test_a_picker_draws_what_choice_would_from_the_same_stream(options):
    """The bank's instances hang on it: row i of a seed is the same in every release."""
    one, other = random.Random(5), random.Random(5)
    pick = picker(options)
    assert [pick(one) for _ in range(200)] == [other.choice(options) for _ in range(200)]
    assert one.random() == other.random()
