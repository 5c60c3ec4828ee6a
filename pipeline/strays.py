"""Numbers out of the blue: operands that a solution uses and nobody gave.

    strays_of(row: "Ana buys 3 pens at $2." solved by "3 * 4 = 12")        # [Fraction(4)]

A number may be given by the problem in digits or words, worked out in a step before, follow from what is given (20%
leaves 80%), or be known to everybody whom a word reminds of it (weeks of 7 days). What is left over is a misread
number or a fact that the writer made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise

from mathtutor.maths.arithmetic import VULGAR, evaluate, plain
from mathtutor.maths.claims import Claim, find_claims
from mathtutor.maths.numerals import read_words
from mathtutor.problem import Row

MAX_READ, MAX_STEPS = 2_000, 50  # characters of a part, steps: whatever is longer is no exercise, and costs time
MAX_NUMBERS = 60  # different numbers of a row that explain others: each is tried with each
_VULGARS = "".join(VULGAR)
_DIGITS = r"\d{1,40}(?:\.\d{1,40})?|\.\d{1,40}"
_WRITTEN = re.compile(rf"\d{{1,3}}(?:[, ]\d{{3}}){{1,12}}(?!\d)(?:\.\d{{1,40}})?|{_DIGITS}|[{_VULGARS}]")
_OPERAND = re.compile(rf"{_DIGITS}|[{_VULGARS}]")
_PRODUCT = re.compile(rf"(?:{_DIGITS}) \* (?:{_DIGITS})")
_RATIO = re.compile(r"(?:(\d{1,40})[ -]+)?(\d{1,40}) ?/ ?(\d{1,40})")
_ONES = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}  # fmt: skip
_TENS = {word: value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
# "five" -> "5"; without "one", which mostly stands for a thing
CARDINALS = {word: str(value) for word, value in _ONES.items() if value > 1} | {word: str(10 * value) for word, value in _TENS.items()}
_number = lru_cache(maxsize=4096)(Fraction)  # of its text; the same few hundred stand in most rows
_WORDS: dict[str, tuple[Fraction, ...]] = {word: tuple(map(Fraction, values)) for word, values in {
    **{word: (str(value),) for word, value in _ONES.items()},
    **{word: (str(10 * value),) for word, value in _TENS.items()},
    "hundred": ("100",), "thousand": ("1000",), "million": ("1000000", "1000"), "billion": ("1000000000", "1000"),
    "hundredth": ("100",), "thousandth": ("1000",),
    "half": ("2", "1/2"), "halve": ("2", "1/2"), "halved": ("2", "1/2"), "halves": ("2", "1/2"), "halfway": ("2", "1/2"),
    "third": ("3", "2", "1/3", "2/3"), "quarter": ("4", "3", "1/4", "3/4"), "fourth": ("4", "3", "1/4", "3/4"),
    "fifth": ("5", "1/5"), "sixth": ("6", "5", "1/6"), "seventh": ("7", "1/7"), "eighth": ("8", "1/8"), "ninth": ("9", "1/9"),
    "tenth": ("10", "1/10"), "double": ("2",), "twice": ("2",), "twin": ("2",), "pair": ("2",), "couple": ("2",), "both": ("2",),
    "triple": ("3",), "thrice": ("3",), "triplet": ("3",), "quadruple": ("4",), "dozen": ("12",), "score": ("20",),
    "decade": ("10",), "century": ("100",), "fortnight": ("14", "2"), "semicircle": ("180", "2"),
}.items()}  # fmt: skip
NUMBER_WORDS = tuple(_WORDS)
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

# What everybody knows, and the words that call for it.
_KNOWLEDGE = [
    (re.compile(pattern, re.IGNORECASE), frozenset(map(Fraction, numbers.split())))
    for pattern, numbers in (
        (r"\bsec|minute|hour|\bmin\b|o.clock|\b[ap]\.?m\b|\bmph\b|\bnoon|midnight", "60 3600 12 24 30 15 1/60 1/2 1440"),
        (r"\bdays?\b|daily|night|morning|\bweek(?!end)", "7 24 14 30"),
        (r"week|month|year|annual", "4 7 12 52 365"),
        (r"month|january|february|march|april|\bmay\b|june|july|august|september|october|november|december", "28 29 30 31"),
        (r"leap", "29 366"),
        (r"week ?days?|(?:school|work|business) ?-?week|school", "5"),
        (r"monday|tuesday|wednesday|thursday|friday|saturday|sunday", "4 5 6"),
        (r"sibling|family|household|states\b", "4 5 6 50"),
        (r"dozen|\beggs?\b", "12 6"),
        (r"cents?\b|dimes?\b|nickel|quarters?\b|penn(?:y|ies)|\bcoins?\b|half-dollar", "100 25 10 5 50 1/100 1/4 1/10 1/20"),
        (r"inch|\bfoot|feet|\bft\b|\d'", "12 144"),
        (r"yard", "3 9 36"),
        (r"mile", "5280 1760"),
        (r"meter|metre|\bcm\b|\bmm\b|\bkm\b", "10 100 1000 10000"),
        (r"ounce|pound|\blbs?\b|\boz\b", "16"),
        (r"\btons?\b", "2000 1000"),
        (r"gram|\bkg\b|kilo|liter|litre|\bml\b|watt|gigabyte|megabyte|\bgb\b", "1000 1024"),
        (r"\bcups?\b|pint|quart|gallon|fluid|spoon", "3 4 8 16 32 64 128"),
        (r"square|perimeter|rectang|fenc|\bsides?\b|\bwide\b|\bwidth\b|\bcube", "4 6"),
        (r"triang", "3 180"),
        (r"angle|degree|circle|\bturn", "90 180 360"),
        (r"pentagon", "5"),
        (r"hexagon|insect|\bants?\b|\bbees?\b|beetle|\bdic?e\b", "6"),
        (r"octagon|octopus|spider", "8"),
        (r"\blegs?\b|\bfeet\b|paws?\b|wheel|\btires?\b|\bcars?\b|horse|\bcows?\b|\bdogs?\b|\bcats?\b", "4"),
        (r"tricycle", "3"),
        (r"finger|\btoes?\b|nails\b", "5 10 20"),
        (r"letter|alphabet", "26"),
        (r"cards?\b|\bdeck", "52 13"),
        (r"temperature|fahrenheit|celsius|freez", "32 9 5 9/5 5/9"),
        (r"soccer|football", "11"),
        (r"teenag", "13"),
    )
]
_TIME_OF_DAY = re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?![\d:])")
_NUMBER_THEORY = re.compile(
    r"\b(?:primes?|multiples?|factors?|digits?)\b|divisible|divisor|perfect square|square number", re.IGNORECASE
)
_COMPOUND_SIZES = (("hour|minute", 60), ("feet|foot|year", 12), ("week", 7))
_SIZES = (
    *_COMPOUND_SIZES, ("dozen", 12), ("day", 24), (r"gram|\bk?g\b|kilo|\bkm\b|lit(?:er|re)|\bml\b", 1000),
    (r"meter|metre|\bc?m\b", 100), (r"\b[cm]m\b|centimeter|centimetre", 10),
)  # fmt: skip
_NAME = re.compile(r"(?<![.?!] )(?<!^)\b[A-Z][a-z]+\b|\b[A-Z][a-z]+(?=,| and [A-Z])")
_LETTER = re.compile(r"(?<![\w'’.])[b-hj-zB-HJ-Z]\b(?!['’.]) ?[-+*/=]|[-+*/=] ?\d*[b-hj-zB-HJ-Z]\b(?!['’.])")
_FREE = frozenset(map(Fraction, (0, 1, 2, 3, 100)))  # counted, doubled, halved and taken as a share without being given


def written_numbers(text: str) -> Iterator[Fraction]:
    """Every number that a text spells out: "forty-five", "1/4", "2 1/2", "450 000", "½"."""
    text = plain(text)
    for match in _WRITTEN.finditer(text):
        number = match[0]
        yield _number(VULGAR[number] if number in VULGAR else number.replace(",", "").replace(" ", ""))
        if " " in number:  # or two numbers beside each other
            yield from map(_number, re.sub(",", "", number).split())
    for whole, above, below in _RATIO.findall(text):
        if int(below):
            yield Fraction(int(above), int(below))
            yield int(whole or 0) + Fraction(int(above), int(below))
    words = re.findall(r"[a-z]+|\d+(?:\.\d+)?", text.lower())
    for index, word in enumerate(words):
        yield from _WORDS.get(word) or _WORDS.get(word.removesuffix("s"), ())
        spoken = read_words(" ".join(words[index - 1 : index + 5]), "") if index and word in _SCALES else None
        if spoken and spoken.value is not None:
            yield spoken.value  # one hundred twenty
        if index and word in _SCALES and words[index - 1][0].isdigit():
            yield Fraction(words[index - 1][:40]) * _SCALES[word]  # 6 million
        elif word in _TENS and 0 < _ONES.get("".join(words[index + 1 : index + 2]), 0) < 10:
            yield Fraction(10 * _TENS[word] + _ONES[words[index + 1]])


def strays_of(row: Row) -> list[Fraction]:
    """The operands of the steps that come from nowhere: neither given, nor worked out before, nor known to everybody."""
    given: set[Fraction] = set()
    for number in written_numbers(row.problem[:MAX_READ]):
        if len(given) == MAX_NUMBERS:  # those beyond stay unexplained: a row that is so full is dropped, not let through
            break
        given.add(number)
    steps = [(step, find_claims(step)) for step in (step[:MAX_READ] for step in row.steps[:MAX_STEPS])]
    strays = _unexplained(steps, given | _FREE, given)
    return strays and _unexplained(steps, given | _FREE | _implied(row, given), given)


def _implied(row: Row, given: set[Fraction]) -> set[Fraction]:
    """What the given numbers and the words of a row let everybody know."""
    if re.search(r"\bhalf\b|½", row.problem):
        given = given | {number + Fraction(1, 2) for number in given} | {Fraction(3, 2)}
    people = len(set(_NAME.findall(row.problem)))
    implied = {Fraction(count) for count in (people, people + 1) if count < 8}
    if _NUMBER_THEORY.search(row.problem):  # the prime number between 20 and 28 is 23
        implied |= {Fraction(number) for number in range(101)}
    if re.search(
        r"friend|himself|herself|sister|brother|cousin|child|including|\bI\b|\bme\b|other|average|times (?:as|more)|class",
        row.problem,
    ):
        implied |= {number + 1 for number in given}  # she and her 4 friends are 5
    for unit, size in _SIZES:
        if re.search(unit, row.problem):  # 1.5 kg are 1500 g
            implied |= {size * number for number in given if number <= 60}
    for unit, size in _COMPOUND_SIZES:
        if re.search(unit, row.problem):  # 1 hour 20 minutes are 80 minutes
            implied |= {size * number + rest for number in given if number <= 60 for rest in given}
    if re.search(r"hour|\d:\d\d", row.problem):  # and 1 1/3 hours
        implied |= {number + rest / 60 for number in given if number <= 24 for rest in given if rest < 60}
    implied.add(Fraction(len(re.findall(r"\d[\d.,]*", row.problem))))  # the average of five numbers
    for number in given:  # 5 posts have 4 gaps, 1 in 4 is a quarter, 20% is 0.2
        implied |= {number / 100, number * 100, 1 - number, number - 1} | ({1 / number} if number else set())
    if re.search(r"%|percent", row.problem):  # 20% leaves 80% or makes 120%
        implied |= {side for number in given for side in (100 - number, 100 + number, 1 - number / 100, 1 + number / 100)}
    text = " ".join((row.problem, *row.steps))
    return implied.union(given, *(numbers for calls, numbers in _KNOWLEDGE if calls.search(text)))


def _unexplained(steps: list[tuple[str, list[Claim]]], known: set[Fraction], given: set[Fraction]) -> list[Fraction]:
    """The operands that are not known when their step begins; `given` is what sums in the head may start from."""
    known, worked_out, strays = set(known), set(given), []
    results: set[Fraction] = set()  # of sums; what follows from them is known too, and asked for only where a number is not

    def is_known(number: Fraction) -> bool:
        return number in known or not results.isdisjoint((number * 100, number / 100, 100 - number, 1 - number))

    for step, claims in steps:
        equations = [(claim, evaluate(claim.left).value, evaluate(claim.right).value) for claim in claims]
        if _LETTER.search(step) or any(left is None or right is None for _, left, right in equations):
            break  # 2x + 3x = 30 collects terms: from here on, numbers are worked out in ways that we do not follow
        between = _between_times(step)
        known |= between
        worked_out |= between
        said = list(islice(written_numbers(_outside(step, claims)), MAX_NUMBERS))
        for number in said:  # "So the film lasts 192 minutes.", "The rows have 7, 9, 11 and 13 seats.", "rounds to 4,900"
            if not is_known(number) and (_in_the_head(number, worked_out) or "round" in step):
                known.add(number)
                worked_out.add(number)
        for claim, left, right in equations:
            operands = _operands(claim.left)
            is_product = _PRODUCT.fullmatch(claim.left) is not None
            strays += [n for n in operands if not is_known(n) and not (is_product and _is_trial(n, operands, right, worked_out))]
            results.update((left, right, *_operands(claim.right)))
            known.update(operands, results)
            worked_out |= results
    return strays


def _between_times(step: str) -> set[Fraction]:
    """The minutes, and the hours, from one time of day in a step to the next: "From 7:40 to 8:00 there are 20 minutes"."""
    times = [60 * int(hour) + int(minute) for hour, minute in _TIME_OF_DAY.findall(step)[:MAX_NUMBERS]]
    minutes = {(later - earlier) % (12 * 60) for earlier, later in pairwise(times)}
    return {Fraction(part) for span in minutes for part in (span, Fraction(span, 60), span // 60, span % 60)}


def _is_trial(number: Fraction, operands: list[Fraction], result: Fraction, worked_out: set[Fraction]) -> bool:
    """Was it found by trying: "7 * 7 = 49" for the side of a square of 49, "5 * 24 = 120" to fill trays from 130 rolls?"""
    if result in worked_out:
        return True
    other = operands[operands[0] == number]
    return bool(other) and len(worked_out) <= 2 * MAX_NUMBERS and any(total // other == number or -(-total // other) == number for total in worked_out if total > other)


def _in_the_head(number: Fraction, worked_out: set[Fraction]) -> bool:
    """Is it the sum, difference, product or quotient of two of the few numbers that stand there already?"""
    if len(worked_out) > 2 * MAX_NUMBERS:
        return False
    for other in worked_out:
        if number - other in worked_out or number + other in worked_out:
            return True
        if other and (number / other in worked_out or number * other in worked_out):
            return True
    return False


def _outside(step: str, claims: list[Claim]) -> str:
    """The words of a step around its equations."""
    for claim in claims:
        step = step[: claim.start] + " " * (claim.end - claim.start) + step[claim.end :]
    return step


def _operands(side: str) -> list[Fraction]:
    return [_number(VULGAR.get(number, number)) for number in _OPERAND.findall(side)]

