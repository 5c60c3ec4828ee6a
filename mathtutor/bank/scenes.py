"""Who has what in a composed problem, and the sentences that say so.

A scene is drawn from `assets/bank/frames.yml`: people or groups, one person on several days, several
kinds of things in one place, or the same things in several places.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import inf
from typing import Any

import yaml

from mathtutor.bank.families import FOLDER, load_lexicon
from mathtutor.bank.language import WORDS, Noun, Person
from mathtutor.bank.prose import RELATIVES, listed_kinds, listed_people, listed_places, upper_first

MAX_SUBJECTS = 7
MOST_EATEN = 6  # by one person
MOST_FOUND = 20
MOST_SPOILT = 40  # broken, cooked or lost at once
MOST_GIVEN = 60  # to a friend
SPOILT = re.compile(r"broke|cooked|popped|lost|used|dried")
LETTERS = "A B C D E F".split()


@cache
def load_frames() -> dict[str, Any]:
    """`assets/bank/frames.yml` with its noun lists resolved."""
    frames = yaml.safe_load((FOLDER / "frames.yml").read_text(encoding="utf-8"))
    for kind in ("who", "kinds", "places"):
        for frame in frames[kind]:
            things = frame["things"]
            frame["things"] = [Noun.parse(t) for t in things] if isinstance(things, list) else list(load_lexicon()[things])
    return frames


@cache
def _done() -> list[tuple[dict[str, Any], list[str]]]:
    """(frame, verbs) of what somebody does on a day; nobody has, knows or grows a thing on a day."""
    told = [frame for frame in load_frames()["who"] if frame.get("days", True)]
    found = [(frame, [verb for verb in frame["verbs"] if verb.split("/")[1] not in ("have", "know", "grow")]) for frame in told]
    return [(frame, verbs) for frame, verbs in found if verbs]


def _alternatives(text: str, rng: random.Random) -> list[str]:
    """ "on the [top|bottom] shelf" as every text it stands for; `{color}` and `{letter}` too."""
    if match := re.search(r"\[([^\]]+)\]", text):
        return [text[: match.start()] + option + text[match.end() :] for option in match[1].split("|")]
    for name, options in (("{color}", load_lexicon()["color"]), ("{letter}", LETTERS)):
        if name in text:
            return [text.replace(name, option) for option in options]
    return [text]


class Scene:
    """Subjects that each have a number of things, and the sentences that say so.

    `fact(i, amount)` tells an amount ("12 shells", "5 more shells than Bo"), `ref(i)` names a subject
    inside a comparison, `result(i)` is a step's sentence, `ask(i)` the question, `name(i)` the quantity.
    """

    keeps = False
    packs: Sequence[str] = ()
    holds: dict[str, list[int]] = {}  # how many things go into a pack of which there are only certain sizes
    lose: Sequence[str] = ()
    gain: Sequence[str] = ()
    most: float = inf  # how many things the place can hold, or one of the people have
    least = 2  # the smallest number that is told
    price = 12  # the most dollars that one thing is sold for
    plural = False  # whether the subjects are groups of people
    last: int | None = None  # the subject of the sentence before, where "that" can be said of it
    hourly = False  # whether it may be told as so many per hour
    day: float = inf  # the largest number that one person does in a day
    fill = 60  # the most things that go into one container

    def __init__(self, rng: random.Random, subjects: list, noun: Noun):
        self.rng, self.subjects, self.thing = rng, subjects, noun
        self.changed: set[int] = set()  # subjects that had another number before
        self.packed: set[str] = set()  # the containers told of

    def take(self, frame: dict[str, Any]) -> None:
        """What may happen to the things of a frame."""
        frames = load_frames()
        self.keeps, self.packs = frame["keeps"], frame.get("packs", ())
        self.price, self.hourly, self.fill = frame.get("price", 12), frame.get("hourly", False), frame.get("fill", 60)
        self.lose, self.gain = frame.get("lose") or frames["lose"], frame.get("gain") or frames["gain"]
        self.least = frame.get("least", 2)
        self.holds = frame.get("holds", {})
        self.most, self.day = frame.get("few", {}).get(self.thing.singular, (frame.get("most", inf), frame.get("day", inf)))

    def happens(self, text: str, number: int, several: bool) -> str:
        """What happens to so many things, said of several and of groups: these have no friend, but a school may be given something."""
        if text.startswith("ate") and number > (MOST_EATEN * 20 if self.plural else MOST_EATEN) or number > MOST_SPOILT and self.packs and SPOILT.match(text):
            text = "gave away {n}"
        if number > MOST_FOUND:
            text = text.replace("found", "got")
        if several:
            text = re.sub(r"^was\b", "were", text)
        if " to a " in text:
            text = re.sub(r"\bto a [a-z]+", "to a school", text) if several else text if number <= MOST_GIVEN else "gave away {n}"
        return text

    def pack(self, options: Sequence[str], number: int) -> Noun:
        """A container for so many: eggs come in cartons of 12, but 37 of them only in a basket. Each kind is used once where others are left."""
        drawn = self.rng.choice(options)
        if number not in self.holds.get(drawn, [number]):
            drawn = next(option for option in options if option not in self.holds)
        if drawn in self.packed:
            drawn = next((option for option in options if option not in self.packed and number in self.holds.get(option, [number])), drawn)
        self.packed.add(drawn)
        return Noun.parse(drawn)

    def noun(self, i: int) -> Noun:
        return self.thing

    def count(self, number: int, i: int) -> str:
        return self.noun(i).singular if number == 1 else self.noun(i).plural

    def room(self, taken: Iterable[int]) -> float:
        """How many things the next subject can have, beside those of the subjects so far."""
        return self.most

    def names(self, which: Sequence[int]) -> str:
        """Several subjects in a list, where no verb may follow."""
        return listed_places([self.subjects[i] for i in which])

    def some(self, which: Sequence[int]) -> tuple[str, str] | None:
        """The name of the total of a few subjects and the sentence that finds it, where "the total" would be that of all."""
        return None

    def amount(self, number: int, i: int, say: Callable[[int], str]) -> str:
        return f"{say(number)} {self.count(number, i)}"


class People(Scene):
    """Persons or groups who own or do something."""

    def __init__(self, rng: random.Random):
        frames = load_frames()
        frame = rng.choice(frames["who"])
        if rng.random() < 0.8:
            people = rng.sample(load_lexicon()["person"], MAX_SUBJECTS)
            if rng.random() < 0.12:  # "her brother" beside a name
                people[1] = Person(f"{people[0].name}'s {rng.choice(RELATIVES)}", "he")
        else:
            people = [Person(name, "they") for name in rng.sample(frames["groups"], MAX_SUBJECTS)]
        super().__init__(rng, people, rng.choice(frame["things"]))
        owning = frame["keeps"] and "has/have" in frame["verbs"] and rng.random() < 0.4
        self.past, self.base = ("has/have" if owning else rng.choice(frame["verbs"])).split("/")
        self.take(frame)
        if self.base in ("has", "have") and rng.random() < 0.3:
            self.past = "had"
        self.plural = people[0].gender == "they"
        self.present = self.past in ("has", "knows")

    def verb(self) -> str:
        return self.base if self.present and self.plural else self.past

    def fact(self, i: int, amount: str) -> str:
        return f"{self.subjects[i]} {'now ' if i in self.changed else ''}{self.verb()} {amount}."

    def ref(self, i: int) -> str:
        short = self.rng.random() < 0.75
        if i in self.changed:  # more than before, or more than now?
            return f"{self.subjects[i]} {self.verb()} now"
        if short:
            return str(self.subjects[i])
        auxiliary = ("do" if self.plural else "does") if self.present else "had" if self.past == "had" else "did"
        return f"{self.subjects[i]} {auxiliary}"

    def names(self, which: Sequence[int]) -> str:
        return listed_people([self.subjects[i] for i in which])

    def result(self, i: int) -> str:
        return f"{self.subjects[i]} {self.verb()} {{}} {self.noun(i).plural}."

    def ask(self, i: int) -> str:
        auxiliary = ("do" if self.plural else "does") if self.present else "did"
        things, who, now = self.noun(i).plural, self.subjects[i], " now" if i in self.changed else ""
        return self.rng.choice(
            [f"How many {things} {auxiliary} {who} {self.base}{now}?"] * 3
            + [f"What is the number of {things} that {who} {self.verb()}{now}?", f"Find out how many {things} {who} {self.verb()}{now}."]
        )

    def name(self, i: int) -> str:
        return f"the number of {self.noun(i).plural} that {self.subjects[i]} {self.verb()}"

    def name_difference(self, i: int, j: int) -> str:
        return f"how many more {self.noun(i).plural} {self.subjects[i]} {self.verb()} than {self.subjects[j]}"

    def everyone(self, count: int) -> str:
        """All subjects, never "they" where that could be one group."""
        return "they" if not self.plural else f"{'both' if count == 2 else 'all the'} groups together"

    def ask_total(self, which: Sequence[int], everyone: bool) -> str:
        auxiliary = "do" if self.present else "did"
        things = self.noun(0).plural
        who = self.everyone(len(which)) if everyone and self.rng.random() < 0.7 else self.names(which)
        ways = ["together", "combined" if len(which) == 2 else "altogether"] if self.base == "have" else ["altogether"] * 2  # nobody studied together
        together = self.rng.choice(["altogether", "in all", "in total", *ways])
        after = "" if who.endswith(" together") else f" {together}"  # it is said once
        return self.rng.choice(
            [f"How many {things} {auxiliary} {who} {self.base}{after}?"] * 3
            + [f"In total, how many {things} {auxiliary} {who.removesuffix(' together')} {self.base}?"]
        )

    def some(self, which: Sequence[int]) -> tuple[str, str] | None:
        things, they = self.noun(0).plural, self.names(which)
        verb = self.base if self.present else self.past
        return f"the number of {things} that {they} {verb} in all", f"Together, {they} {verb} {{}} {things}."

    def ask_difference(self, i: int, j: int) -> str:
        auxiliary = ("do" if self.plural else "does") if self.present else "did"
        return f"How many more {self.noun(i).plural} {auxiliary} {self.subjects[i]} {self.base} than {self.subjects[j]}?"


class Days(Scene):
    """One person on several days, or at several times of one day."""

    def __init__(self, rng: random.Random):
        frames = load_frames()
        frame, verbs = rng.choice(_done())
        if rng.random() < 0.75:
            first = rng.randrange(7)
            times = [f"on {frames['times'][(first + k) % 7]}" for k in range(6)]
        else:
            times = list(frames["periods"])
        super().__init__(rng, times, rng.choice(frame["things"]))
        self.person: Person = rng.choice(load_lexicon()["person"])
        self.past, self.base = rng.choice(verbs).split("/")
        self.take(frame)
        self.most = min(self.most, self.day)
        self._named = False

    def fact(self, i: int, amount: str) -> str:
        who = self.person.name
        if self._named and self.rng.random() < 0.75:
            who = self.person.gender
        self._named = True
        compared = " than " in amount or " as " in amount
        self.last = None if compared else i  # of two numbers, "that" could be either
        if self.rng.random() < 0.6 or compared:
            return f"{upper_first(self.subjects[i])}, {who} {self.past} {amount}."
        return f"{upper_first(who)} {self.past} {amount} {self.subjects[i]}."

    def ref(self, i: int) -> str:
        return self.subjects[i]

    def result(self, i: int) -> str:
        return f"{upper_first(self.subjects[i])}, {self.person} {self.past} {{}} {self.noun(i).plural}."

    def ask(self, i: int) -> str:
        return f"How many {self.noun(i).plural} did {self.person} {self.base} {self.subjects[i]}?"

    def name(self, i: int) -> str:
        return f"the number of {self.noun(i).plural} that {self.person} {self.past} {self.subjects[i]}"

    def ask_total(self, which: Sequence[int], everyone: bool) -> str:
        when = "" if everyone else " " + self.names(which)
        together = self.rng.choice(["altogether", "in all", "in total"])
        if everyone and self.rng.random() < 0.3 and self.subjects[0].startswith("on "):
            return f"How many {self.noun(0).plural} did {self.person} {self.base} in the {WORDS[len(which)]} days?"
        return f"How many {self.noun(0).plural} did {self.person} {self.base}{when} {together}?"

    def some(self, which: Sequence[int]) -> tuple[str, str] | None:
        done, when = f"{self.person} {self.past}", self.names(which)
        things = self.noun(0).plural
        return f"the number of {things} that {done} {when} together", f"{upper_first(when)} together, {done} {{}} {things}."

    def ask_difference(self, i: int, j: int) -> str:
        return f"How many more {self.noun(0).plural} did {self.person} {self.base} {self.subjects[i]} than {self.subjects[j]}?"

    def name_difference(self, i: int, j: int) -> str:
        return f"how many more {self.noun(0).plural} {self.person} {self.past} {self.subjects[i]} than {self.subjects[j]}"


class Kinds(Scene):
    """Several kinds of things in one place."""

    def __init__(self, rng: random.Random):
        frame = rng.choice(load_frames()["kinds"])
        things = list(frame["things"])
        rng.shuffle(things)
        super().__init__(rng, things[:6], things[0])
        self.where, self.most = rng.choice(list(frame["where"].items()))
        self._told = self._also = False

    def room(self, taken: Iterable[int]) -> float:
        return self.most - sum(taken)  # they all share one place

    def noun(self, i: int) -> Noun:
        return self.subjects[i]

    def fact(self, i: int, amount: str) -> str:
        first = not self._told
        self._told = True
        are = "is" if re.match(r"(1|one)\b", amount) else "are"
        if not first:  # the place was said
            if " than " in amount or " as " in amount:
                return f"There {are} {amount}."
            self._also = not self._also
            return f"There {are} also {amount}." if self._also else f"And there {are} {amount}."
        if self.rng.random() < 0.3:
            return f"{upper_first(self.where)}, there {are} {amount}."
        return f"There {are} {amount} {self.where}."

    def ref(self, i: int) -> str:
        return self.subjects[i].plural

    def names(self, which: Sequence[int]) -> str:
        return listed_kinds([self.subjects[i].plural for i in which])

    def result(self, i: int) -> str:
        return f"There are {{}} {self.noun(i).plural}."

    def ask(self, i: int) -> str:
        return f"How many {self.noun(i).plural} are {self.rng.choice([self.where, 'there'])}?"

    def name(self, i: int) -> str:
        return f"the number of {self.noun(i).plural}"

    def ask_total(self, which: Sequence[int], everyone: bool) -> str:
        together = self.rng.choice(["altogether", "in all", "in total"])
        return f"How many {self.names(which)} are {self.rng.choice([self.where, 'there'])} {together}?"

    def ask_difference(self, i: int, j: int) -> str:
        return f"How many more {self.noun(i).plural} than {self.noun(j).plural} are there?"

    def name_difference(self, i: int, j: int) -> str:
        return f"how many more {self.noun(i).plural} than {self.noun(j).plural} there are"


class Places(Scene):
    """The same things in several places."""

    def __init__(self, rng: random.Random):
        frame = rng.choice(load_frames()["places"])
        where, self.most = rng.choice(list(frame["where"].items()))
        wheres = _alternatives(where, rng)
        rng.shuffle(wheres)
        super().__init__(rng, wheres[:6], rng.choice(frame["things"]))

    def fact(self, i: int, amount: str) -> str:
        are = "is" if re.match(r"(1|one)\b", amount) else "are"
        if " than " in amount or " as " in amount or self.rng.random() < 0.35:
            return f"{upper_first(self.subjects[i])} there {are} {amount}."
        return f"There {are} {amount} {self.subjects[i]}."

    def ref(self, i: int) -> str:
        return self.subjects[i]

    def result(self, i: int) -> str:
        return f"{upper_first(self.subjects[i])} there are {{}} {self.noun(i).plural}."

    def ask(self, i: int) -> str:
        return f"How many {self.noun(i).plural} are {self.subjects[i]}?"

    def name(self, i: int) -> str:
        return f"the number of {self.noun(i).plural} {self.subjects[i]}"

    def ask_total(self, which: Sequence[int], everyone: bool) -> str:
        where = "there" if everyone else self.names(which)
        return f"How many {self.noun(0).plural} are {where} {self.rng.choice(['altogether', 'in all', 'in total'])}?"

    def some(self, which: Sequence[int]) -> tuple[str, str] | None:
        things, where = self.noun(0).plural, self.names(which)
        return f"the number of {things} {where} together", f"{upper_first(where)} together there are {{}} {things}."

    def ask_difference(self, i: int, j: int) -> str:
        return f"How many more {self.noun(0).plural} are {self.subjects[i]} than {self.subjects[j]}?"

    def name_difference(self, i: int, j: int) -> str:
        return f"how many more {self.noun(0).plural} are {self.subjects[i]} than {self.subjects[j]}"
