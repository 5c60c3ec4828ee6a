"""Words that a hint says and a wording does not: a net for hints that speak of things which are not there.

    python -m pipeline.bank unsaid                                   # every family
    python -m pipeline.bank unsaid --file assets/bank/time.yaml

A family has several wordings, which may name things differently or leave some out, and one set of hints, steps and
feedback for all of them. So each sentence is compared with each wording by the stems of its words; what is left, after
the words of teaching and close relatives (`assets/bank/teaching.yml`), is listed beside a wording that lacks it. A word that
no wording has is marked with *; a word that only this wording lacks is the best sign of a fault.

It is a list to be read, not a check: most of what it finds is a fair other word ("in all" for "together"). A variable
counts for what all of its values share; of a choice [a|b], a wording is sure of what both have, a hint may say either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from mathtutor.bank.families import FOLDER

ENDINGS = (("iest", "y"), ("ier", "y"), ("ies", "y"), ("ied", "y"), ("ily", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"),
           ("ing", ""), ("ed", ""), ("est", ""), ("ers", ""), ("er", ""), ("ly", ""), ("es", ""), ("s", ""))  # fmt: skip
_REFERENCE = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"<\w+>|[a-z]+")
_MARKS = {"$": " dollars ", "%": " percent "}


@cache
def tables() -> dict[str, Any]:
    """The word lists: "same" maps a word to the first of its group, "teaching" is a set of stems, "near" a list of such sets."""
    raw = yaml.safe_load((FOLDER / "teaching.yml").read_text(encoding="utf-8"))
    same = {word: line.split()[0] for line in raw["same"].splitlines() for word in line.split()}
    return {
        "same": same,
        "teaching": {_cut(word, same) for word in raw["teaching"].split()},
        "near": [{_cut(word, same) for word in line.split()} for line in raw["near"].splitlines()],
    }


def stem(word: str) -> str:
    """ "filled" and "fills" are "fill"; "bought" is "buy". Rough: two words may fall together, as "pain" and "pained"."""
    return _cut(word.lower(), tables()["same"])


def _cut(word: str, same: dict[str, str]) -> str:
    if word in same:
        return same[word]
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not (ending == "s" and word.endswith("ss")):
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    if word in same or f"{word}e" in same:
        return same.get(word) or same[f"{word}e"]
    return word.removesuffix("e") if len(word) > 3 else word


def stems(text: str, meanings: dict[str, set[str]], of_choices: Callable[..., set[str]]) -> set[str]:
    """The stems of a text of the bank, "<name>" for a variable, with the stems that all its values share.

    `of_choices` is set.intersection for what is surely said, set.union for what may be said.
    """
    while choice := re.search(r"\[([^\[\]]*)\]", _REFERENCE.sub(lambda match: match[0].replace("|", "¦"), text)):
        options = [stems(option.replace("¦", "|"), meanings, of_choices) for option in choice[1].split("|")]
        text = text[: choice.start()] + " ".join(of_choices(*options)) + text[choice.end() :]
    said: set[str] = set()
    for token in _WORD.findall(_REFERENCE.sub(_spelled, text).translate(str.maketrans(_MARKS)).lower()):
        said |= {token, *meanings.get(token[1:-1], ())} if token[0] == "<" else {stem(token)}
    return said


def _spelled(match: re.Match[str]) -> str:
    """ "{first@n}" as "<first>", "{p:$}" as "<p> dollars", "{n|is|are}" as "is are"."""
    name, *forms = match[1].split("|")
    return " ".join(forms) if forms else f" <{re.split('[@:]', name)[0]}> {'dollars' if name.endswith(':$') else ''} "


def meanings_of(variables: dict[str, dict[str, Any]], lexicon: dict[str, tuple]) -> dict[str, set[str]]:
    """For each variable that stands for words, the stems that all its values share; numbers and people have none and are left out."""
    meanings: dict[str, set[str]] = {}
    for name, spec in variables.items():
        (kind, given), *_ = spec.items()
        values = given if isinstance(given, list) else lexicon[given] if kind in ("noun", "word") else ()
        if kind in ("noun", "word", "choose") and not all(isinstance(value, (int, float)) for value in values):
            meanings[name.lower()] = set.intersection(*({stem(word) for word in re.findall("[a-z]+", str(value).lower())} for value in values))
    return meanings


@dataclass(frozen=True)
class Texts:
    """The texts of one family as its file has them."""

    id: str
    wordings: list[str]
    sentences: list[tuple[str, str]]  # (place, text) of every hint, step and feedback sentence
    variables: dict[str, dict[str, Any]]

    @classmethod
    def of_fields(cls, fields: dict[str, Any], _file: str = "") -> Texts:
        sentences = [(place, fields[place]) for place in ("asked", "understand", "plan", "set_up")]
        for number, step in enumerate(fields["steps"], 1):
            sentences += [(f"step {number}", text) for text in (step if isinstance(step, list) else [step])]
        sentences += [(f"mistake {number}", mistake["says"]) for number, mistake in enumerate(fields["mistakes"], 1)]
        return cls(fields["id"], fields["wordings"], sentences, fields["variables"] or {})


def unsaid(texts: Texts, lexicon: dict[str, tuple]) -> Iterator[tuple[int, dict[tuple[str, str], list[str]]]]:
    """(wording, {(place, sentence): words that it lacks}), as few wordings as show every missing word once, the most telling first."""
    meanings, known = meanings_of(texts.variables, lexicon), tables()
    said = [stems(wording, meanings, set.intersection) for wording in texts.wordings]
    lacking: dict[tuple[tuple[str, str], str], list[int]] = {}
    for sentence in texts.sentences:
        for word in stems(sentence[1], meanings, set.union):
            if word in known["teaching"] or (word[0] == "<" and word[1:-1] not in meanings):
                continue
            kin = {word}.union(*(group for group in known["near"] if word in group))
            if without := [number for number, words in enumerate(said) if not kin & words]:
                lacking[sentence, word] = without
    while lacking:
        best = max(range(len(said)), key=lambda number: sum(1 / len(without) for without in lacking.values() if number in without))
        found: dict[tuple[str, str], list[str]] = {}
        for (sentence, word), without in list(lacking.items()):
            if best in without:
                found.setdefault(sentence, []).append(word + "*" * (len(without) == len(said)))
                del lacking[sentence, word]
        yield best, {sentence: sorted(found[sentence]) for sentence in texts.sentences if sentence in found}
