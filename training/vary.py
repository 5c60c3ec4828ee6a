"""Rows told again with other things and with numbers in words, so that a story is read and not known by its nouns.

    told = Varied(rows, rename=0.35, spell=0.1, seed=0)
    rows = [told(row) for row in rows]

A tiny model that meets "hoodies" or "bucks" answers with the nearest story that it knows by heart ("the burned
toys"). Names of things are therefore exchanged in problem and solution alike: by things of other rows, or by
words that nobody has ever read. What comes of it need not make sense ("a hen lays 12 drimps"); its numbers do.
Measures, money and time stay, for sums hang on them, and so does a whole row whose steps use a number that it does not
tell (a horse's 4 legs), or where a form of the old name would be left behind. Only training sees such rows.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from mathtutor.bank.language import article
from mathtutor.maths.words import TENS, UNITS
from mathtutor.problem import Row
from mathtutor.tutoring.hints import numbers_in

COUNTED = re.compile(r"(?<![\w.,/])\d[\d,]*(?:\.\d+)? ([a-z]{3,}s)\b")  # "12 apples"; "3 red apples" tells by its result
# Nouns on which a sum hangs, and words in -s that name nothing.
KEPT = frozenset(
    "dollars cents bucks euros pesos francs rupees pounds quarters dimes nickels pennies coins bills minutes hours seconds days weeks "
    "weekdays weekends months years decades centuries nights mornings afternoons evenings birthdays inches yards miles meters kilometers "
    "centimeters decimeters millimeters kilos grams kilograms milligrams ounces tons liters milliliters gallons quarts pints cups bushels "
    "teaspoons tablespoons spoonfuls degrees calories watts kilowatts volts bytes kilobytes megabytes gigabytes knots percents reams "
    "halves thirds fourths fifths sixths eighths tenths dozens pairs couples twins triplets times points units numbers digits squares cubes "
    "triangles rectangles circles sides angles edges lengths widths heights sizes ages prices scores sums parts pieces shares equals plus minus "
    "less unless besides means always perhaps towards afterwards upstairs downstairs sometimes across this his hers its was has is does goes yes "
    "others ones tens hundreds thousands millions acres blocks laps rounds trips turns steps ways rows columns groups sets packs losses gaps ups downs "
    "bicycles bikes tricycles wagons cars dogs cats horses cows hens chickens ducks spiders octopuses insects birds hands feet legs wheels "
    "costs weighs takes needs gives makes leaves remains gets sells buys fits holds uses saves draws tries left belongs comes eats pays spends "
    "stays says throws wants walks works keeps loses finds brings sends reads writes runs plays adds lasts starts ends tennis news mathematics".split()
)
NO_PLURAL = re.compile(r"(?:ss|us|is|ous|as)$")  # a dress, a bus, a basis, poisonous, a pampas
IRREGULAR = {
    "leaves": "leaf", "loaves": "loaf", "shelves": "shelf", "knives": "knife", "wolves": "wolf", "scarves": "scarf", "calves": "calf",
    "elves": "elf", "hooves": "hoof", "thieves": "thief", "cookies": "cookie", "pies": "pie", "ties": "tie", "movies": "movie",
    "brownies": "brownie", "smoothies": "smoothie", "hoodies": "hoodie", "veggies": "veggie", "magpies": "magpie", "zombies": "zombie",
    "rookies": "rookie", "collies": "collie", "shoes": "shoe", "toes": "toe", "canoes": "canoe", "hoes": "hoe", "axes": "ax", "buses": "bus",
}  # fmt: skip
ONSETS = "b bl br c cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sk sl sn sp st t tr tw v w z".split()
VOWELS = "a e i o u ee oo ai".split()
CODAS = "b ck d ft g l ll m mp n nd ng nk nt p r rk rn t zz".split()
NEW_WORDS = 0.3  # of the names given; the rest are things of other rows
SHARE_OF_THINGS = 0.8  # of a row's things that are renamed when the row is
RARE = 20  # a name that fewer rows have may be no name of a thing
# A number below 100 that stands among words, not in a price, a clock's time, a fraction, a ratio, a percentage or a sum
NUMBER = re.compile(
    r"(?<![\w$€£.,:/(+*=^÷×-])(?<![$€£:+*/=÷×-] )(\d{1,2})"
    r"(?!\d|[.,:/]\d|%| ?(?:percent|per cent|o.clock|a\.?m\b|p\.?m\b)| ?[-+*/=x×÷:%(²^]| \d|st\b|nd\b|rd\b|th\b|[a-z])",
    re.IGNORECASE,
)
LETTER = re.compile(r"(?<![\w'’])[b-hj-z](?![\w'’])")  # the x of an equation, whose numbers stay
NAMES = {value: word for word, value in (UNITS | TENS).items()}


def singular_of(plural: str) -> str:
    """ "boxes" -> "box", "cherries" -> "cherry", "potatoes" -> "potato", "leaves" -> "leaf", "apples" -> "apple"."""
    if plural in IRREGULAR:
        return IRREGULAR[plural]
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    if re.search(r"(ss|x|zz|ch|sh|[^aeiou]o)es$", plural):
        return plural[:-2]
    return plural[:-1]


def in_words(number: int) -> str:
    """A number below 100 in words: "twenty-one"."""
    return NAMES.get(number) or f"{NAMES[number - number % 10]}-{NAMES[number % 10]}"


def things_of(row: Row) -> list[str]:
    """The plurals of the things that a row counts, in the order of the text."""
    text = " ".join([row.problem, *row.steps])
    return list(dict.fromkeys(word for word in COUNTED.findall(text) if word not in KEPT and not NO_PLURAL.search(word)))


class Varied:
    """Tells a row again, or leaves it: a function of (`seed`, the row's id and problem) and of which things `rows` name.

    `rename` and `spell` are the shares of rows that get other things, and numbers below 100 in words.
    """

    def __init__(self, rows: Sequence[Row], rename: float, spell: float, seed: int):
        self.rename, self.spell, self.seed = rename, spell, seed
        counts = Counter(word for row in rows for word in things_of(row)) if rename else Counter()
        self.names = sorted(word for word, count in counts.items() if count >= RARE)

    def __call__(self, row: Row) -> Row:
        rng = random.Random(f"{self.seed} {row.id} {row.problem}")
        if rng.random() < self.rename:
            row = self._renamed(row, rng)
        if rng.random() < self.spell:
            row = _spelled(row, rng)
        return row

    def _renamed(self, row: Row, rng: random.Random) -> Row:
        taken = set(re.findall(r"[a-z]+", " ".join([row.problem, *row.steps]).lower()))
        new: dict[str, str] = {}
        things = things_of(row)
        for plural in things:
            if rng.random() >= SHARE_OF_THINGS:
                continue
            name = _new_word(rng) + "s" if rng.random() < NEW_WORDS or not self.names else rng.choice(self.names)
            if {name, singular_of(name)} & taken:
                continue
            taken |= {name, singular_of(name)}
            new |= {plural: name, singular_of(plural): singular_of(name)}
        if not new or not _tells_all(row):
            return row
        found = re.compile(rf"\b(an? )?({'|'.join(sorted(new, key=len, reverse=True))})\b", re.IGNORECASE)

        def exchange(match: re.Match[str]) -> str:
            before, old = match[1] or "", match[2]
            name = new[old.lower()]
            if before.strip().lower() in ("a", "an"):
                before = f"{article(name)} " if before[0].islower() else f"{article(name).capitalize()} "
            return before + (name.capitalize() if old[0].isupper() else name)

        told = replace(row, problem=found.sub(exchange, row.problem), steps=tuple(found.sub(exchange, step) for step in row.steps))
        stems = "|".join(plural[: max(3, len(plural) - 3)] for plural in things if plural in new)
        left = re.compile(rf"\b(?:{stems})", re.IGNORECASE)  # "cookie-shaped", "half a loaf"
        return row if left.search(" ".join([told.problem, *told.steps])) else told


def _tells_all(row: Row) -> bool:
    """Whether each number of the steps is told in the problem or found in a step: a 4 from nowhere are the legs of the thing."""
    known = _values(row.problem)
    for step in row.steps:
        left, equals, _ = step.rpartition("=")
        if equals and not _values(left) <= known:
            return False
        known |= _values(step)
    return True


def _values(text: str) -> set[Fraction]:
    return {abs(value) for *_, value in numbers_in(text)}


def _new_word(rng: random.Random) -> str:
    inside = rng.choice(CODAS) + rng.choice(("", "", "er", "le", "y"))
    return (rng.choice(ONSETS) + rng.choice(VOWELS) + inside).removesuffix("y")


def _spelled(row: Row, rng: random.Random) -> Row:
    """The problem with its numbers from 2 to 99 in words, each of them or a part; not prices, times, fractions and equations."""
    if LETTER.search(row.problem):
        return row
    share = rng.choice((1.0, 0.5))

    def spell(match: re.Match[str]) -> str:
        number = int(match[1])
        if number < 2 or rng.random() >= share or str(number) != match[1]:
            return match[0]
        word = in_words(number)
        starts = re.search(r"(^|[.?!] )$", row.problem[: match.start()])
        return word.capitalize() if starts else word

    return replace(row, problem=NUMBER.sub(spell, row.problem))
