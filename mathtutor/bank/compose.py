"""Problems of any depth, composed from a random graph of quantities.

    instance = compose(seed=0, index=7, depth=4)     # four sums lead to the answer
    instance.problem   # "Ana has 12 stamps. Bo has 5 fewer stamps than Ana. ..."

A family of the bank is one story told in several ways; here the story itself is drawn: who, what, how
each quantity hangs on earlier ones ("twice as many as", "3 fewer than", "as many as both together",
so many a day, in so many bags), what happens afterwards, and what is asked. Quantities that the
answer does not need stay in the text as distractors. The idea of a random dependency graph is that
of iGSM (Ye et al., arXiv 2407.20311); the sentences are ours, and their words are in
`assets/bank/frames.yml`.
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from mathtutor.bank.families import Instance
from mathtutor.bank.language import WORDS, Person
from mathtutor.bank.prose import HIS, after_if, capitals, in_past, on, told_once, upper_first, with_pronouns
from mathtutor.bank.quantities import MAX_VALUE, Quantity, is_sound, mistakes_of
from mathtutor.bank.scenes import Days, Kinds, People, Places, Scene, load_frames

MAX_DEPTH = 8
TRIES = 20_000
MOST_EACH, MOST_PACKS = 60, 90  # what one of several friends gets in the end, and how many containers are filled
MOST_HOURS = 8  # at one go; and in an hour a quarter of what is done in a day
PARTS = 8  # draws of one quantity, or of the question, before the whole story is drawn again


class Impossible(Exception):
    """This draw leads nowhere (a half of an odd number): draw again."""


NUMBERS = {word: number for number, word in enumerate(WORDS)} | {"twice": 2, "double": 2, "half": 2}
SUBJECTS = {1: (1, 3), 2: (1, 3), 3: (2, 4), 4: (3, 4), 5: (3, 5)}  # fewest and most, by depth
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times", 10: "ten times"}
SHARES = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}


def weighted(rng: random.Random, options: Sequence[Any], upto: Sequence[float]) -> Any:
    """What `rng.choices(options, cum_weights=upto)[0]` would be, of the same stream, in a third of the time."""
    return options[bisect(upto, rng.random() * upto[-1], 0, len(options) - 1)]


def two_of(rng: random.Random, count: int) -> list[int]:
    """What `rng.sample(range(count), 2)` would be for 2 <= count <= 21, of the same stream, in a third of the time."""
    first, second = rng.randrange(count), rng.randrange(count - 1)
    return [first, count - 1 if second == first else second]


class Story:
    """One draw: a scene and its quantities, then the question (`ask`). Raises Impossible when the numbers do not fit."""

    def __init__(self, rng: random.Random, depth: int):
        self.rng = rng
        self.scene = weighted(rng, (People, Days, Kinds, Places), (10, 13, 17, 20))(rng)
        self.words = rng.random() < 0.3  # small numbers in words
        self.big = min(rng.choice([12, 30, 60, 100, 300, 900]), self.scene.most)
        self.quantities: list[Quantity] = []
        self.useless: str | None = None  # a sentence beside the point
        limit = len(self.scene.subjects)
        low, high = SUBJECTS.get(depth, (depth - 2, depth - 1))
        wanted = rng.randint(low, high)
        if limit < low:
            raise Impossible  # too few days, kinds or places for so many sums
        for i in range(min(wanted, limit)):
            for _ in range(PARTS):
                try:
                    self.quantities.append(self.add(i, depth))
                    break
                except Impossible:
                    continue
            else:
                raise Impossible

    def say(self, number: int) -> str:
        return WORDS[number] if self.words and 0 <= number <= 12 else str(number)

    def number(self, low: int = 2, high: int | None = None) -> int:
        return self.rng.randint(low, max(low, high or self.big))

    # Quantities

    def add(self, i: int, depth: int) -> Quantity:
        """The number of subject `i`: told, built up on the spot, or hung on earlier quantities."""
        rng = self.rng
        if i == 0 or rng.random() < 0.15:
            if rng.random() < (0.3 if depth < 6 else 0.6):
                return rng.choice([self.changed, self.grouped])(i)
            return self.told(i)
        other = rng.randrange(i)
        if i >= 2 and rng.random() < 0.14:
            return self.together(i)
        return weighted(rng, (self.more, self.fewer, self.times, self.share, self.reversed), (6, 12, 17, 20, 24))(i, other)

    def check(self, value: int) -> None:
        """Raise Impossible for a number out of range, or above what the place of the scene can hold."""
        if not 2 <= value <= min(MAX_VALUE, self.scene.room(quantity.value for quantity in self.quantities)):
            raise Impossible

    def told(self, i: int) -> Quantity:
        value = self.number(self.scene.least)
        self.check(value)
        return Quantity(value, (self.scene.fact(i, self.scene.amount(value, i, self.say)),), name=self.scene.name(i))

    def found(self, i: int, value: int, expression: str, amount: str, *needs: Quantity) -> Quantity:
        self.check(value)
        sentence = self.scene.fact(i, amount)
        return Quantity(value, (sentence,), expression, self.scene.result(i), needs, self.scene.name(i))

    def more(self, i: int, j: int) -> Quantity:
        scene, base, k = self.scene, self.quantities[j], self.number(2, self.big)
        amount = f"{self.say(k)} more {scene.noun(i).plural} than {scene.ref(j)}"
        return self.found(i, base.value + k, f"{base.value} + {k}", amount, base)

    def fewer(self, i: int, j: int) -> Quantity:
        scene, base = self.scene, self.quantities[j]
        if base.value < 4:
            raise Impossible
        k = self.number(2, min(base.value - 1, self.big))
        amount = f"{self.say(k)} fewer {scene.noun(i).plural} than {scene.ref(j)}"
        return self.found(i, base.value - k, f"{base.value} - {k}", amount, base)

    def times(self, i: int, j: int) -> Quantity:
        scene, base = self.scene, self.quantities[j]
        k = self.rng.choice([2, 2, 2, 3, 3, 4, 5, 6, 10])
        amount = f"{TIMES[k]} as many {scene.noun(i).plural} as {scene.ref(j)}"
        if k == 2 and isinstance(scene, People) and self.rng.random() < 0.3:
            amount = f"double the number of {scene.noun(i).plural} that {scene.subjects[j]} {scene.verb()}{' now' if j in scene.changed else ''}"
        expression = f"{k} * {base.value}" if self.rng.random() < 0.5 else f"{base.value} * {k}"
        return self.found(i, base.value * k, expression, amount, base)

    def share(self, i: int, j: int) -> Quantity:
        scene, base = self.scene, self.quantities[j]
        fits = [k for k in (2, 2, 2, 3, 4, 5) if base.value % k == 0 and base.value > k]
        if not fits:
            raise Impossible
        k = self.rng.choice(fits)
        amount = f"{SHARES[k]} as many {scene.noun(i).plural} as {scene.ref(j)}"
        return self.found(i, base.value // k, f"{base.value} / {k}", amount, base)

    def reversed(self, i: int, j: int) -> Quantity:
        """The known one is compared with the unknown: "Bo has 5 more than Ana" asks for a subtraction."""
        scene, base, kind = self.scene, self.quantities[j], self.rng.choice(["more", "fewer", "times"])
        is_said = scene.last == j  # just before: "That was 5 more than on Monday."
        things = "" if is_said else f" {scene.noun(j).plural}"
        if kind == "more":
            if base.value < 4:
                raise Impossible
            k = self.number(2, min(base.value - 1, self.big))
            value, expression, amount = base.value - k, f"{base.value} - {k}", f"{self.say(k)} more{things} than {scene.ref(i)}"
        elif kind == "fewer":
            k = self.number(2, self.big)
            value, expression, amount = base.value + k, f"{base.value} + {k}", f"{self.say(k)} fewer{things} than {scene.ref(i)}"
        else:
            fits = [k for k in TIMES if base.value % k == 0 and base.value > k]
            if not fits:
                raise Impossible
            k = self.rng.choice(fits)
            value, expression, amount = base.value // k, f"{base.value} / {k}", f"{TIMES[k]} as many{things} as {scene.ref(i)}"
        self.check(value)
        sentence = scene.fact(j, amount)
        if is_said:
            sentence, scene.last = f"That was {amount}.", None  # what comes next is not "that" again
        return Quantity(value, (sentence,), expression, scene.result(i), (base,), scene.name(i))

    def together(self, i: int) -> Quantity:
        scene = self.scene
        j, k = two_of(self.rng, i)
        a, b = self.quantities[j], self.quantities[k]
        word = self.rng.choice(["together", "combined", "put together"])
        both = f"{scene.names([j, k])} {word}" if not {j, k} & scene.changed else f"{scene.names([j, k])} have together now"
        amount = f"as many {scene.noun(i).plural} as {both}"
        return self.found(i, a.value + b.value, f"{a.value} + {b.value}", amount, a, b)

    def changed(self, i: int) -> Quantity:
        """A start and one or two changes, told in order."""
        scene, rng = self.scene, self.rng
        if not (isinstance(scene, People) and scene.keeps and scene.verb() in ("has", "have")):
            raise Impossible
        person, start = scene.subjects[i], self.number(8)
        he = person.gender  # "she", "he" or "they" is the pronoun too
        had = f"{person} had {self.say(start)} {scene.count(start, i)}{rng.choice(['', '', ' at first', ' to start with'])}."
        sentences, now, before = [had], Quantity(start), ""
        for turn in range(rng.choice([1, 1, 2])):
            plus = rng.random() < 0.45
            k = self.number(2, self.big if plus else now.value - 1)
            value = now.value + k if plus else now.value - k
            self.check(value)
            what = scene.happens(rng.choice(scene.gain if plus else scene.lose), k, person.gender == "they")
            of_them = "" if plus else rng.choice(["", " of them"])
            if turn:  # "them" would be those that came, or went
                of_them = " more" if what == before and not plus else ""
            before = what
            first = "After that, " if turn else "Then "  # to have is nothing to come after
            link = rng.choice([first, first, "Later, ", ""])
            if "Later, " in sentences[-1]:
                link = link.replace("Later, ", first)
            sentences.append(upper_first(f"{link}{he} {what.format(n=self.say(k) + of_them)}."))
            who = he if turn and he != "they" and rng.random() < 0.4 else person
            result = f"Now {who} {'have' if he == 'they' else 'has'} {{}} {scene.noun(i).plural}."
            name = f"the number of {scene.noun(i).plural} that {person} had after the change"
            now = Quantity(value, (), f"{now.value} {'+' if plus else '-'} {k}", result, (now,), name)
        now.sentences, now.name = tuple(sentences), scene.name(i)
        scene.changed.add(i)
        return now

    def grouped(self, i: int) -> Quantity:
        """So many in each of several containers, or so many a day."""
        scene, rng = self.scene, self.rng
        n, m = self.number(2, min(self.big, scene.day, 40)), self.number(2, 12)
        noun = scene.noun(i)
        self.check(n * m)
        if isinstance(scene, People) and scene.verb() not in ("has", "have", "had", "knows", "grew") and rng.random() < 0.6:
            spans = [("a day", "days"), ("every day", "days"), ("each week", "weeks"), ("per hour", "hours")][: 4 if scene.hourly else 3]
            if noun.singular in ("minute", "hour"):
                spans, n = spans[:2], min(n, 9 if noun.singular == "hour" else 60)
            span, many = rng.choice(spans)
            if many == "hours":
                m, n = min(m, MOST_HOURS), min(n, max(2, int(scene.day // 4)))
            expression = f"{m} * {n}" if rng.random() < 0.5 else f"{n} * {m}"
            sentence = f"{scene.subjects[i]} {scene.verb()} {self.say(n)} {scene.count(n, i)} {span} for {self.say(m)} {many}."
        elif scene.packs and scene.base in ("have", "buy", "get", "bring"):
            n = min(n, scene.fill)
            expression = f"{m} * {n}" if rng.random() < 0.5 else f"{n} * {m}"
            # Nobody buys drawers and shelves together with what is in them.
            pack = scene.pack([p for p in scene.packs if scene.base == "have" or not p.startswith(("drawer", "shelf"))], n)
            amount = f"{self.say(m)} {pack.plural} of {noun.plural} with {self.say(n)} {on(pack)} each {pack.singular}"
            if rng.random() < 0.5:
                amount = f"{self.say(m)} {pack.plural} with {self.say(n)} {scene.count(n, i)} {on(pack)} each"
            sentence = scene.fact(i, amount)
        else:
            raise Impossible
        return Quantity(m * n, (sentence,), expression, scene.result(i), (), scene.name(i))

    # Questions

    def ask(self, depth: int) -> Quantity:
        """The quantity asked for; its question goes to `self.question`. May be called again: what was asked before is forgotten."""
        rng, scene, many = self.rng, self.scene, len(self.quantities)
        self.tail: list[str] = []  # what happens afterwards
        self.over = False  # nothing more can happen: all is sold, shared or packed
        self.lost = False  # whether something went away before the question
        self.of_everyone = False  # whether the question is about the total of all
        kind = weighted(rng, ("one", "total", "difference"), (4, 7, 8.5) if depth < 6 else (1, 4, 5.5)) if many > 1 else "one"
        if kind == "one":
            which = [many - 1 if rng.random() < 0.8 else rng.randrange(many)]
        elif kind == "total":
            self.of_everyone = many == 2 or rng.random() < 0.75
            which = list(range(many)) if self.of_everyone else sorted(rng.sample(range(many), 2))
        else:
            which = two_of(rng, many)
        # So many sums are left for what happens afterwards; two of them seldom, in a short story.
        needed = self.quantities[which[0]].steps if kind == "one" else {id(step) for i in which for step in self.quantities[i].steps}
        missing = depth - len(needed) - (kind != "one")
        most = 0 if kind == "difference" or isinstance(scene, Kinds) else 1 if depth <= 2 else 2
        if not 0 <= missing <= most or (missing == 2 and depth < 6 and rng.random() < 0.8):
            raise Impossible
        end = self.quantities[which[0]] if kind == "one" else self.total(which) if kind == "total" else self.difference(*which)
        if not missing:
            self.question = scene.ask(*which) if kind == "one" else scene.ask_total(which, self.of_everyone) if kind == "total" else scene.ask_difference(*which)
        for _ in range(missing):
            end = self.afterwards(end, which[0] if kind == "one" else None, kind == "total" and isinstance(scene, People))
        return end

    def total(self, which: Sequence[int]) -> Quantity:
        scene, parts = self.scene, [self.quantities[i] for i in which]
        things = scene.names(which) if isinstance(scene, Kinds) else scene.noun(0).plural
        name = f"the total number of {things}"
        result = self.rng.choice([f"Altogether that is {{}} {things}.", f"In total there are {{}} {things}.", f"That makes {{}} {things} in all."])
        if not self.of_everyone:
            name, result = scene.some(which) or (name, result)
        expression = " + ".join(str(part.value) for part in parts)
        return Quantity(sum(part.value for part in parts), (), expression, result, tuple(parts), name)

    def difference(self, i: int, j: int) -> Quantity:
        a, b, things = self.quantities[i], self.quantities[j], self.scene.noun(i).plural
        more = a.value - b.value
        if more <= 1 or any(q.is_told_to_differ_by(more) for q in self.quantities):
            raise Impossible  # too easy a question: the answer stands in the text
        result = self.rng.choice([f"The difference is {{}}{'' if isinstance(self.scene, Kinds) else f' {things}'}.", f"That is {{}} more {things}."])
        return Quantity(more, (), f"{a.value} - {b.value}", result, (a, b), self.scene.name_difference(i, j))

    def afterwards(self, end: Quantity, holder: int | None, total: bool) -> Quantity:
        """Something happens to the quantity asked for; the question changes with it."""
        scene, rng = self.scene, self.rng
        if isinstance(scene, Places) or not scene.keeps or self.over:
            raise Impossible
        things, all_now = scene.noun(0).plural, ""
        if isinstance(scene, Days):
            if not self.of_everyone:
                raise Impossible
            who, have, whose = scene.person.name, "does", HIS[scene.person.gender]
        elif total:
            if not self.of_everyone:
                raise Impossible
            who, have, whose = scene.everyone(len(self.quantities)), "do", "their"
            if self.tail:  # these were named when the first thing happened
                who = "they"
            all_now = " altogether"
        else:
            person = scene.subjects[holder]
            who, have, whose = str(person), "do" if person.gender == "they" else "does", HIS[person.gender]
        verb = "have" if have == "do" else "has"
        # "them" may be those of others, or those that came just before
        them = "all of them" if who == "they" and not self.tail else f"all of {whose} {things}"
        way = rng.choice(["lose", "gain", "pack", "sell", "split"])
        if way in ("sell", "split") and not scene.packs:  # points, say, are nothing to hand over
            raise Impossible
        value = end.value
        if way in ("lose", "gain"):
            k = self.number(2, self.big) if way == "gain" else self.number(2, max(2, value - 1))
            if way == "lose" and value - k < 2 or way == "gain" and holder is not None and value + k > scene.most:
                raise Impossible
            what, of_them = scene.happens(rng.choice(scene.gain if way == "gain" else scene.lose), k, have == "do"), ""
            if way == "lose" and rng.choice([False, True]) | total and not self.tail and holder not in scene.changed:
                # Not those of the last day, or those that somebody got or lost before.
                of_them = f" of the {things}" if isinstance(scene, Days) else f" of {whose} {things}" if scene.changed else " of them"
            what = what.format(n=self.say(k) + of_them) + (" in all" if who == "they" and not of_them else "")  # not each
            idle = not self.tail and isinstance(scene, People) and scene.base in ("have", "know")  # nothing has happened yet
            link = rng.choice(["After that, " if self.tail else "Then ", "Then " if idle else "After that, ", "Later, "])
            if scene.changed:
                link = "After that, "  # "then" and "later" were said of the change
            self.tail.append(upper_first(f"{link}{who} {what}."))
            who = "they" if total else who
            self.lost |= way == "lose"
            last = "now" if way == "gain" else rng.choice(["now", "left"])
            self.question = f"How many {things} {have} {who} have {last}{all_now}?"
            value, sign = (value + k, "+") if way == "gain" else (value - k, "-")
            return Quantity(value, (), f"{end.value} {sign} {k}", rng.choice(["Now", "So now"]) + f" {who} {verb} {{}} {things}.", (end,), f"the number of {things} that {who} {verb} in the end")  # fmt: skip
        subject, who = upper_first(who), "they" if total else who
        if way == "sell":
            k = self.rng.randint(2, scene.price)
            self.tail += [f"{subject} sold {'all that were left' if self.lost else them} for ${k} each."]
            self.over = True
            self.question = rng.choice([f"How much money did {who} get?", f"How many dollars did {who} make?"])
            return Quantity(value * k, (), f"{value} * {k}", f"{upper_first(who)} got {{}} dollars.", (end,), f"how much money {who} got")
        most = MOST_EACH if way == "split" else MOST_PACKS
        fits = [k for k in range(2, 13 if way == "split" else scene.fill + 1) if value % k == 0 and k < value <= k * most]
        if not fits:
            raise Impossible
        k = rng.choice(fits)
        if way == "split":
            pals = rng.choice(["friends", "children", "cousins"])
            if scene.plural and pals != "children":
                pals = "schools"
            self.tail.append(f"{subject} shared {'the rest' if self.lost else them} equally {'between' if k == 2 else 'among'} {self.say(k)} {pals}.")
            self.over = True
            each = f"each {'child' if pals == 'children' else pals[:-1]}"
            self.question = f"How many {things} did {each} get?"
            return Quantity(value // k, (), f"{value} / {k}", f"{upper_first(each)} got {{}} {things}.", (end,), f"the number of {things} that {each} got")
        if not scene.packs:
            raise Impossible
        pack = scene.pack(scene.packs, k)
        self.tail += [f"{subject} put {'the rest' if self.lost else them} {on(pack)}to {pack.plural} with {self.say(k)} {on(pack)} each {pack.singular}."]
        self.over = True
        self.question = f"How many {pack.plural} did {who} {rng.choice(['need', 'fill'])}?"
        return Quantity(value // k, (), f"{value} / {k}", f"That fills {{}} {pack.plural}.", (end,), f"the number of {pack.plural}")

    def has_needless(self, end: Quantity) -> bool:
        """Whether the text tells something that `end` does not need; to be asked after `problem`."""
        needed, found = [end], {id(end)}
        while needed:
            for other in needed.pop().needs:
                if id(other) not in found:
                    found.add(id(other))
                    needed.append(other)
        return self.useless is not None or any(id(quantity) not in found for quantity in self.quantities)

    # Text

    def tell_in_past(self) -> None:
        """ "Ben had 27 eggs", once for all, where the story goes on: "He sold them." What somebody has now is what he had then."""
        if not (self.tail and isinstance(self.scene, People) and self.scene.present):
            return
        for quantity in self.quantities:
            quantity.sentences = tuple(map(in_past, quantity.sentences))
            for step in (quantity, *quantity.needs):
                step.result, step.name = in_past(step.result), in_past(step.name)

    def needless_sentence(self) -> str:
        """A sentence beside the point, about somebody of the story."""
        scene, told = self.scene, load_frames()["useless"]
        if isinstance(scene, (Kinds, Places)) or scene.plural:
            told = [entry for entry in told if "{A}" not in entry[0]]
        text, low, high = self.rng.choice(told)
        name = scene.person if isinstance(scene, Days) else scene.subjects[0]
        return text.format(A=name, x=self.number(low, high))

    def problem(self) -> str:
        scene = self.scene
        units = [" ".join(quantity.sentences) for quantity in self.quantities]
        # "In the morning, she ..." and "There are 5 more goats." lean on the sentence before.
        if isinstance(scene, (People, Places)) and self.rng.random() < 0.25 and not scene.changed:
            self.rng.shuffle(units)
        if isinstance(scene, (Days, Places)):
            units = told_once(units, f" {scene.past} " if isinstance(scene, Days) else " there are ", scene.thing.plural)
        self.useless = None
        if self.rng.random() < 0.12:
            self.useless = self.needless_sentence()
            place = self.rng.randint(0, len(units) - bool(self.tail))  # what happens to "them" is not said of others
            while place < len(units) and units[place].startswith("That "):
                place -= 1
            units.insert(place, self.useless)
        if isinstance(scene, (People, Days)):
            told = with_pronouns(units + ([] if scene.plural else self.tail), scene.subjects if isinstance(scene, People) else [scene.person], len(units))
            units, self.tail = told[: len(units)], self.tail if scene.plural else told[len(units) :]
        if not self.tail and len(units) > 1 and self.rng.random() < 0.06:
            return " ".join([self.first_question(), *units])
        if not self.tail and self.question.startswith("How") and self.rng.random() < 0.12 and len(units) > 1:
            last = units[-1].removesuffix(".")
            if ". " not in last and units[-1] != self.useless:
                lowered = last if last.split()[0] in _names(scene) else after_if(last)
                lowered = lowered if lowered.split()[0] in _names(scene) else lowered[0].lower() + lowered[1:]
                return " ".join([*units[:-1], f"If {lowered}, {self.question[0].lower()}{self.question[1:]}"])
        return " ".join([*units, *self.tail, self.question])

    def first_question(self) -> str:
        """The question as it is asked before the story: nobody is "they" and no place "there" yet."""
        scene, everyone = self.scene, range(len(self.quantities))
        if isinstance(scene, Kinds):
            return re.sub(r" are there\b", f" are {scene.where}", self.question)
        if isinstance(scene, People) and self.of_everyone:
            who = scene.everyone(len(everyone))
            named = self.question.replace(f" {who} ", f" {scene.names(everyone)} ")
            return named.replace("?", " altogether?") if scene.plural and named != self.question else named  # no more "together" in it
        return self.question


def _names(scene: Scene) -> set[str]:
    names = {str(subject).split()[0] for subject in scene.subjects if isinstance(subject, Person)}
    return {n for n in names if n != "the"} | ({scene.person.name} if isinstance(scene, Days) else set())


def compose(seed: int, index: int, depth: int) -> Instance:
    """Problem `index` of the stream (seed, depth), 1 <= depth <= 8; the same on every machine.

    Raises ValueError for another depth.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise ValueError(f"depth must be 1 to {MAX_DEPTH}, not {depth}")
    rng = random.Random(f"{seed}:compose-{depth}:{index}")
    for _ in range(TRIES):
        try:
            story = Story(rng, depth)
        except Impossible:
            continue
        for _ in range(PARTS):
            try:
                steps = story.ask(depth).steps
            except Impossible:
                continue
            if len(steps) == depth and is_sound(steps):
                story.tell_in_past()
                return _instance(story, steps)
    raise ValueError(f"no story of depth {depth} in {TRIES} draws")


def _instance(story: Story, steps: list[Quantity]) -> Instance:
    end, depth = steps[-1], len(steps)
    names = [step.name for step in steps]
    problem = capitals(story.problem())
    told = {int(word) if word.isdecimal() else NUMBERS[word] for word in re.findall(r"[a-z]+|\d+", problem.lower()) if word.isdecimal() or word in NUMBERS}
    return Instance(
        family=f"compose-{depth}",
        topic="composed",
        grade=min(8, 2 + depth // 2),
        skill="composed",
        problem=problem,
        steps=tuple(upper_first(" ".join(step.step.split())) for step in steps),
        answer=Fraction(end.value),
        unit="",
        asked=end.name,
        understand=f"You need to find {end.name}." + (" You do not need all that is told." if story.has_needless(end) else ""),
        plan=f"Find {', then '.join(names)}.",
        set_up=f"{steps[0].expression} = ▢",
        mistakes=mistakes_of(end, steps, told, [quantity.value for quantity in story.quantities]),
    )


def compose_many(seed: int, count: int, depths: Sequence[float], first: int = 0) -> Iterator[Instance]:
    """`count` problems from row `first` on; `depths[d - 1]` is the share of depth d. Row i depends on (seed, i) alone."""
    choices = list(range(1, len(depths) + 1))
    for index in range(first, first + count):
        depth = random.Random(f"{seed}:depth:{index}").choices(choices, depths)[0]
        yield compose(seed, index, depth)
