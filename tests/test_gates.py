"""A gate passes over a text only where none of its patterns would find anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import phrases
from pipeline.gates import gate_of, lowered
from pipeline.phrases import PERSONAL, RESIDUE, reaches, residue, unsafe


@pytest.mark.parametrize(
    "patterns, found, passed_over",
    [
        ((r"\bwait\b", r"\bwhat\b"), ("wait", "so what"), ("await", "whatever", "wat")),
        ((r"\b(?:very )?(?:large|small) models?\b",), ("large model", "a very small models"), ("very model", "enlarge models")),
        ((r"^(?:sure|so), (?:I|we)\b",), ("So, we", "no\nsure, I"), ("and so, we", "sure we")),
        ((r"(?:^|[.?!] )wait,",), ("wait, no", "3. Wait, no"), ("they wait, all")),
        ((r"\[[A-Z]\]|[(\]]|\|x",), ("[B]", "(", "]", "a|x"), ("[", "x|", "a")),
        ((r"a{2,3}b|a{2,3}c|a?d", "a+e"), ("aab", "aaac", "d", "aae"), ("ab", "aaa", "e")),
        ((r"(?:a|bc)*d(?!e)", r"(?<!f)g"), ("bcad", "df", "hg"), ("de", "fg")),
        ((r"(?:ab|a)", "a"), ("a", "xab"), ("b",)),
        ((r"\bGPT-?\d", r"\W\D\S#"), ("gpt-4", "GPT3", "!x-#"), ("gpt", "axb#")),
        ((r"(?-i:gin)\b",), ("gin", "Gin"), ("ginger",)),  # too much, never too little
    ],
)
def test_a_gate_finds_what_one_of_its_patterns_finds(patterns, found, passed_over):
    gate = gate_of(*patterns)
    assert [text for text in found if not gate.search(lowered(text))] == []
    assert [text for text in passed_over if gate.search(lowered(text))] == []


@pytest.mark.parametrize("text", ["KELVIN 3 \N{KELVIN SIGN}", "İstanbul", "Dırt", "ſugar", "ÉCOLE", "STRASSE ẞ", "ΣΑΣ", "½ “No”"])
def test_small_letters_keep_their_places_and_are_those_that_a_pattern_without_regard_to_case_reads(text):
    small = lowered(text)
    assert len(small) == len(text)
    for place, letter in enumerate(small):
        if re.match("[a-z]", letter):
            assert re.match(letter, text[place], re.IGNORECASE)
        else:
            assert not re.match("[a-z]", text[place], re.IGNORECASE)


def first(patterns, text):
    return next((name for name, pattern in patterns.items() if pattern.search(text)), None)


@pytest.mark.parametrize("family", [*RESIDUE, *PERSONAL, *phrases._UNSAFE])
def test_no_gate_changes_what_is_found(family):
    pattern = {**RESIDUE, **PERSONAL, **phrases._UNSAFE}[family]

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.from_regex(pattern))
    def holds(text):
        assert residue(text) == first(RESIDUE, text)
        assert reaches(text) == first(PERSONAL, text)
        word = unsafe(text)
        assert (word is None) == (first(phrases._UNSAFE, phrases._HARMLESS.sub(" ", text)) is None)

    holds()
