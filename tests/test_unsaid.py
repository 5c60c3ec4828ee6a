"""The list of words that a hint says and a wording does not."""

from __future__ import annotations

import json
import sys

import pytest

from mathtutor.bank.families import load_lexicon
from pipeline.bank import main as bank_main
from pipeline.unsaid import Texts, meanings_of, stem, stems, unsaid
from tests.test_bank import changed


@pytest.mark.parametrize(
    "words",
    ["fill fills filled filling", "buy bought buys", "city cities", "box boxes", "child children", "step steps stepped", "heavy weight weighs",
     "glass glasses", "price prices priced"],
)  # fmt: skip
def test_the_forms_of_a_word_have_one_stem(words):
    assert len({stem(word) for word in words.split()}) == 1


@pytest.mark.parametrize("one, other", [("buy", "sell"), ("box", "bag"), ("glass", "glue"), ("plant", "plan"), ("first", "last")])
def test_two_words_have_two_stems(one, other):
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    "text, sure, possible",
    [
        ("{who} [buys|sells] {n} pens.", {"<who>", "<n>", "pen"}, {"<who>", "<n>", "pen", "buy", "sell"}),
        ("a [red [box|bag]|red tin]", {"a", "red"}, {"a", "red", "box", "bag", "tin"}),
        ("{n|is|are} [{n|pen|pens}|pens]", {"is", "are", "pen"}, {"is", "are", "pen"}),
        ("{p:$} for {thing@n}", {"<p>", "dollar", "for", "<thing>", "apple"}, {"<p>", "dollar", "for", "<thing>", "apple"}),
    ],
)
def test_a_wording_is_sure_of_what_all_choices_have_and_a_hint_may_say_any(text, sure, possible):
    meanings = {"thing": {"apple"}}
    assert stems(text, meanings, set.intersection) == sure
    assert stems(text, meanings, set.union) == possible


def test_a_variable_means_what_all_its_values_share():
    variables = {
        "tree": {"noun": ["apple tree", "pear tree/pear trees"]}, "kind": {"choose": ["red box", "box of tin"]}, "n": {"int": [2, 9]},
        "half": {"choose": [1, 2]}, "who": {"person": "any"}, "day": {"word": "weekday"},
    }  # fmt: skip
    assert meanings_of(variables, load_lexicon()) == {"tree": {stem("tree")}, "kind": {"box"}, "day": set()}


@pytest.mark.parametrize(
    "says, lacking",
    [
        ("Some pens were handed to a friend. What then?", {1: ["friend", "hand*"]}),  # a friend is in the fourth wording only
        ("Some were given away. How many boxes are left?", {}),
        ("Which {pen} is it?", {1: ["<pen>*"]}),  # the wordings say "pens", whatever the variable is
    ],
)
def test_each_missing_word_is_listed_once_and_marked_where_no_wording_has_it(says, lacking):
    fields = changed(mistakes=[{"value": "all", "kind": "stopped-early", "says": says}, changed()["mistakes"][1]])
    found = {
        wording + 1: words
        for wording, sentences in unsaid(Texts.of_fields(fields), load_lexicon())
        for (place, _), words in sentences.items()
        if place == "mistake 1"
    }
    assert found == lacking


def test_a_near_word_counts_as_said():
    fields = changed(asked="the cost", wordings=["{who} pays {g} cents." for _ in range(5)])
    assert not [words for _, sentences in unsaid(Texts.of_fields(fields), load_lexicon()) for (place, _), words in sentences.items() if place == "asked"]


def test_the_command_lists_a_file_by_family_and_wording(tmp_path, monkeypatch, capsys):
    file = tmp_path / "one.yaml"
    file.write_text(json.dumps([changed(plan="Empty the cupboard, then take away the given ones.")]))
    monkeypatch.setattr(sys, "argv", ["bank", "unsaid", "--file", str(file)])
    bank_main()
    said = capsys.readouterr().out
    assert "pens-in-boxes, wording 1: {who} has {n} boxes" in said
    assert "    plan: Empty the cupboard, then take away the given ones. <cupboard* empty*>" in said
    assert said.splitlines()[-1].startswith("1 families, ")
