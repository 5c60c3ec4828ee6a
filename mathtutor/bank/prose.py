"""How the sentences of a composed problem are put side by side, as somebody would tell them.

Each quantity of a story writes its sentences alone (`mathtutor/bank/scenes.py`). Here a name that was just said becomes a
pronoun, a place that was just said "that", and a time moves behind its verb where "If" comes before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mathtutor.bank.language import Noun, Person

LINKS = ("Then ", "After that, ", "Later, ", "By then, ")
HIS = {"she": "her", "he": "his", "they": "their"}
COMPARED = re.compile(r" (?:than|as) (?=(?:on|in) )")
PRESENT = {"has": "had", "have": "had", "does": "had", "do": "had", "now": "by then", "Now": "Then"}
ANY_PRESENT = re.compile(rf"\b(?:{'|'.join(PRESENT)})\b")
NOW_HAS = re.compile(r"^(.+?) now ha(?:s|ve) ")
RELATIVES = ("brother", "uncle", "father")


def listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def in_past(text: str) -> str:
    """ "Ana now has 3 more than Bo does" as it is told when more has happened since: "By then, Ana had 3 more than Bo had"."""
    text = NOW_HAS.sub(r"By then, \1 had ", text)
    return ANY_PRESENT.sub(lambda match: PRESENT[match[0]], text)


def capitals(text: str) -> str:
    """A capital after every full stop."""
    return re.sub(r"(^|[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def on(pack: Noun) -> str:
    return "on" if pack.singular == "shelf" else "in"


def listed_places(places: Sequence[str]) -> str:
    """ "on Monday and Tuesday": the preposition is said once where it is the same."""
    word = places[0].split(" ", 1)[0] + " "
    return listed([places[0], *(place.removeprefix(word) for place in places[1:])])


def listed_kinds(plurals: Sequence[str]) -> str:
    """ "red, blue and green marbles": a last word that all share is said once."""
    words = [plural.rsplit(" ", 1) for plural in plurals]
    if len(words) > 1 and all(len(pair) == 2 and pair[1] == words[0][1] for pair in words):
        return f"{listed([pair[0] for pair in words])} {words[0][1]}"
    return listed(plurals)


def listed_people(people: Sequence[Person]) -> str:
    """ "Ana and her brother", where Ana was named just before."""
    names = [str(person) for person in people]
    for i in range(1, len(names)):
        if names[i].startswith(f"{names[i - 1]}'s "):
            names[i] = f"{HIS[people[i - 1].gender]} {names[i].split(' ', 1)[1]}"
    return listed(names)


def with_pronouns(sentences: Sequence[str], people: Sequence[Person], plain: int = -1) -> list[str]:
    """The sentences, with "she" for the person whom the sentence before is about, where it names nobody else.

    In sentence `plain`, a new turn of the story, "she" must not fit anybody else of it.
    """
    told, before, last, names = [], None, "", [person.name for person in people]
    starts = tuple(f"{name} " for name in names)
    for number, sentence in enumerate(sentences):
        link = next((link for link in LINKS if sentence.startswith(link)), "")
        rest = sentence[len(link) :]
        who = next(person for person, start in zip(people, starts, strict=True) if rest.startswith(start)) if rest.startswith(starts) else None
        if who is not None:
            name = who.name
            rest = rest.replace(f" {name}'s ", f" {HIS[who.gender]} ")
            rivals, heard = names, last
            if number == plain:
                rivals, heard = [person.name for person in people if person.gender == who.gender], " ".join(sentences[:number])
            if who is before and not any(other in heard for other in rivals if other != name):
                rest = f"{who.gender}{rest[len(name) :]}"
                rest = rest if link else upper_first(rest)
        told.append(link + rest)
        before, last = who, sentence
    return told


def told_once(sentences: Sequence[str], verb: str, plural: str) -> list[str]:
    """A time or place that the sentence before told of is not named again.

    "In box A there are 5 more balls than in box B.", just after the balls of box A were told, becomes "That is 5 more than in
    box B."; after another comparison it goes on with ", and 5 more than in box B".
    """
    told, added = [sentences[0]], ""
    for before, sentence in pairwise(sentences):
        head, _, amount = sentence.partition(verb)
        place = head.partition(",")[0]
        amount = amount.replace(f" {plural}", "", 1)
        if not COMPARED.search(amount) or f" {plural}" not in sentence or place.lower() not in before.lower():
            told.append(sentence)
        elif not COMPARED.search(before):
            told.append(f"That {'is' if 'there' in verb else 'was'} {amount}")
        elif before.startswith(place) and COMPARED.search(told[-1]) and not told[-1].startswith("That "):
            so_far = told[-1].replace(f", and {added}", f", {added}") if added else told[-1]
            told[-1], added = f"{so_far[:-1]}, and {amount}", amount
        else:
            told.append(sentence)
    return told


def after_if(sentence: str) -> str:
    """A sentence that tells when or where first, as it goes on after "If": "Leo ran 2 more miles on Monday than on Sunday"."""
    if not sentence.startswith(("On ", "In ")):
        return sentence.removeprefix("And ")
    when, comma, rest = sentence.partition(", ")
    if not comma or " there " in when:
        when, _, rest = sentence.partition(" there ")
        rest = f"there {rest}"
    compared = COMPARED.search(rest)
    place = compared.start() if compared else len(rest)
    return f"{rest[:place]} {when[0].lower()}{when[1:]}{rest[place:]}"
