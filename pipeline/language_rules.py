"""Rules on the language of a row. Each is a small pure function: a row to None, or to the reason it is dropped.

    ai_detection(row with the step "Wait, let me recheck: 3 * 4 = 12", limits)        ->  "self_correction"
    units(row that asks "How many buses are needed?" with the answer 7.5, limits)     ->  "fraction_of_buses"

No statistics guess here who wrote a text: all rows are written by machines or for them. A rule looks for what a
careless writer leaves behind (residue of a chat, a text cut off, a number that nobody gave), and for what a child
should not read; the phrases stand in `pipeline.phrases`. `python -m pipeline.audit` measures each rule on
hand-labelled rows and on GSM8K train.
"""

from __future__ import annotations

import re
from collections import Counter

from mathtutor.maths.answers import read_gold
from mathtutor.maths.claims import find_claims
from mathtutor.problem import Row
from pipeline.english import not_english
from pipeline.phrases import (
    BOILERPLATE,
    FIRST_PERSON,
    STEP_RESIDUE,
    TOLD_IN_FIRST_PERSON,
    reaches,
    residue,
    unsafe,
)
from pipeline.reading import reading_grade
from pipeline.recipe import Limits
from pipeline.strays import CARDINALS, NUMBER_WORDS, strays_of
from pipeline.unstated import CUT_OFF, Unstated, is_cut_off

MAX_READ = 20_000  # characters of a row, in all; `structure` drops a longer one before it comes here
ENDING = 100  # characters at the end of a part that tell whether it was cut off


def _text(row: Row, *labels: str) -> str:
    """All that a reader of the row sees, a line each part."""
    return "\n".join((row.problem, *row.steps, row.asked, row.plan, *labels))[:MAX_READ]


# --- solution quality ---------------------------------------------------------------------------------------

_ENDS_WELL = re.compile(r"[.?!][\"'”’)\]]*$|[)\"”]$|[_▢□]$|= ?-?[\d.,/xyn]+$")  # or a gap to fill, or an equation
_TRAILS_OFF = re.compile(r"(?:(?<!\.)\.{3,}+|…)[\"'”’)]*$")
_ASKS = re.compile(
    r"\?|\b(?:how (?:many|much|long|far|old|tall|often|fast)|find|calculate|compute|determine|ascertain|establish|solve|"
    r"evaluate|simplify|estimate|"
    r"work out|figure out|what|give|tell|show|write|express|convert|count|name|add|subtract|multiply|divide|round)\b",
    re.IGNORECASE,
)
_HANGS = re.compile(r"(?:[=*×(\[-]|(?<!\w)[+/]|\b(?:the|and|or))$")  # a step that stops in the middle
_CANNOT_END = re.compile(
    r"(?:,|\b(?:an|of|is|are|was|were|because|so|which|than|by|from|into|to|his|her|its|their|we|she|they|then|therefore|if|"
    r"when))$"
)
_ONLY_A_NUMBER = re.compile(r"\W*+\d[\d.,/ ]*+\W*+")


_COUNTS = re.compile(  # a number, a letter that stands for one, or a word that counts
    rf"\d|=|\b[b-hj-zB-HJ-Z]\b|\b(?:{'|'.join(NUMBER_WORDS)}|first|second|once|all|every|each|equal|same|none|no|only|free|"
    rf"total|empty)s?\b",
    re.IGNORECASE,
)


def solution_quality(row: Row, limits: Limits) -> str | None:
    """A whole problem that asks something, and whole steps that each say something new from what was given."""
    problem, steps = row.problem.strip(), [step.strip() for step in row.steps]
    ends = [step[-ENDING:] for step in steps]
    if len(steps) < limits.min_steps:
        return f"fewer_than_{limits.min_steps}_steps"
    if _TRAILS_OFF.search(problem[-ENDING:]) or not _ENDS_WELL.search(problem[-ENDING:]):
        return "problem_cut_off"
    if not _ASKS.search(problem):
        return "problem_asks_nothing"
    if limits.least_common_words is not None and (fault := not_english(problem, limits.least_common_words)):
        return fault
    if isinstance(row, Unstated) and is_cut_off(row):
        return CUT_OFF
    if any(step.count("<<") > step.count(">>") for step in steps):  # a note of GSM8K's that nobody closed
        return "unclosed_bracket"
    if any(text.count("(") > text.count(")") or text.count("[") > text.count("]") for text in (problem, *steps)):
        return "unclosed_bracket"
    if any(_TRAILS_OFF.search(end) or _HANGS.search(end) for end in ends) or _stops_early(ends):
        return "step_cut_off"
    if any(len(step) <= ENDING and _ONLY_A_NUMBER.fullmatch(step) for step in steps):
        return "step_is_only_a_number"
    if len({re.sub(r"[\s.,!]+", "", step.lower()) for step in steps}) < len(steps):
        return "repeated_step"
    if any(not re.search(r"\d", step) and BOILERPLATE.search(step[:MAX_READ]) for step in steps):
        return "boilerplate"
    if limits.max_idle_steps is not None and sum(not _COUNTS.search(step) for step in steps) > limits.max_idle_steps:
        return "step_without_a_number"
    if limits.max_idle_sums is not None and _idle_sums(problem, steps) > limits.max_idle_sums:
        return "idle_sum"
    if limits.max_strays is not None and len(strays_of(row)) > limits.max_strays:
        return "number_out_of_the_blue"
    return None


_TIMES_ONE = re.compile(r"(?P<kept>[\d.]+) [*/] 1|1 \* (?P<other>[\d.]+)")
_PLUS_NONE = re.compile(r"(?P<kept>[\d.]+) [-+] 0|0 \+ (?P<other>[\d.]+)")
_ONE = re.compile(r"(?<![\d.,])1(?![\d.,]*\d)|\b(?:one|once|single)\b", re.IGNORECASE)
_NONE = re.compile(r"(?<![\d.,])0(?![\d.,]*\d)|\b(?:zero|no|none|nothing|never|empty|any|without|not)\b|n['’]t\b", re.IGNORECASE)


def _idle_sums(problem: str, steps: list[str]) -> int:
    """Steps whose only sum is 7 * 1 = 7 or 7 + 0 = 7 of a result that was there before, where nobody speaks of a 1 or 0."""
    idle, results = 0, set()
    for step in steps:
        claims = find_claims(step)
        for pattern, known in ((_TIMES_ONE, _ONE), (_PLUS_NONE, _NONE)):
            match = pattern.fullmatch(claims[0].left) if len(claims) == 1 else None
            if match and (kept := match["kept"] or match["other"]) == claims[0].right and kept in results:
                idle += not known.search(f"{problem}\n{step[: claims[0].start]}") and not results & {"0", "1"}
        results |= {claim.right for claim in claims}
    return idle


def _stops_early(ends: list[str]) -> bool:
    """Does the last step stop after a word that cannot end it, or alone of all steps without a full stop?"""
    *before, last = ends or [""]
    alone = len(before) > 1 and all(end.endswith((".", "!")) for end in before) and last[-1:].isalpha() and "=" not in last
    return alone or _CANNOT_END.search(last) is not None


# --- assistant residue --------------------------------------------------------------------------------------


def ai_detection(row: Row, limits: Limits) -> str | None:
    """Residue of an assistant's chat ("Wait, let me recheck"), which a model would learn to write."""
    if not limits.assistant_residue:
        return None
    steps = "\n".join(row.steps)[:MAX_READ]
    found = residue(_text(row)) or next((family for family, pattern in STEP_RESIDUE.items() if pattern.search(steps)), None)
    if found is None and FIRST_PERSON.search(steps) and not TOLD_IN_FIRST_PERSON.search(row.problem):
        return "first_person"
    return found


# --- units --------------------------------------------------------------------------------------------------

_LIVING = (
    r"(?:people|persons?|children|child|kids?|students?|pupils?|classmates?|boys?|girls?|m[ae]n|wom[ae]n|friends?|guests?|"
    r"adults?|players?|"
    r"teachers?|passengers?|workers?|volunteers?|visitors?|members?|customers?|campers?|scouts?|dancers?|singers?|sisters?|"
    r"brothers?|cousins?|"
    r"babies|cats?|kittens?|dogs?|pupp(?:y|ies)|hens?|cows?|horses?|birds?|chickens?|chicks?|sheep|goats?|pigs?|rabbits?|"
    r"ducks?|geese|goose|"
    r"goldfish|bees|ants|butterfl(?:y|ies)|frogs?|turtles?|hamsters?|monkeys?|lions?|elephants?|penguins?|animals?|pets?|pony|"
    r"ponies|lambs?|"
    r"calves|owls?|parrots?|eggs?)"
)
# Things of which a part is nothing: half a bus takes nobody.
_WHOLE = (
    r"(?:tickets?|coins?|nickels|dimes|pennies|marbles?|stamps?|stickers?|cards?|balloons?|buttons?|beads?|bus|buses|cars?|"
    r"vans?|trucks?|taxis?|"
    r"bicycles?|bikes?|boats?|chairs?|tables?|desks?|books?|pencils?|pens?|crayons?|markers?|toys?|dolls?|balls?|shirts?|"
    r"hats?|shoes|mittens|gloves|"
    r"lamps?|phones?|computers?|laptops?|robots?|pianos?|guitars?|drums|violins?|houses?|doors?|windows?|beds?|keys?|spoons|"
    r"forks|trees|flowers|roses|tulips|seeds|shells?|candles?|envelopes|letters|postcards|magnets|puzzles|kites|tents?|games|"
    r"goals)"
)
# Adjectives: "how many brown cows", not "how many dollars does each person pay".
_BETWEEN = (
    r"(?:(?!(?:of|in|per|for|and|from|than|baby|hundred|thousand|million|billion|dozen|do|did|will|would|can|could|must|"
    r"should|may|had|have|are|were|"
    r"each|every|the|an?|more)\b)[a-z]*(?:[a-rt-z]|ss) )"
)
_PART = r"(?<![\w.,/$])(?:\d{1,12}\.\d{0,12}[1-9]\d{0,12}|\.\d{0,12}[1-9]\d{0,12}|\d{1,6} \d{1,3}/\d{1,3}|\d{1,6}½)"
_PART_OF_ONE = re.compile(
    rf"{_PART} {_BETWEEN}?(?P<noun>{_LIVING}|buses|tickets|coins|marbles)\b(?![ ]?(?:/|per\b|an? hour|each (?:hour|day)|"
    rf"every))", re.IGNORECASE
)
_LESS_THAN_NONE = re.compile(
    rf"(?:(?<=[=:(] )|(?<=\bis )|(?<=\bare )|(?<=\bhas )|(?<=\bhave )|(?<=\bleaves )|^)-\d[\d,.]* {_BETWEEN}?"
    rf"(?P<noun>{_LIVING}|{_WHOLE}|apples|oranges|cookies|pages|boxes|bags)\b",
    re.IGNORECASE,
)
_AVERAGE = re.compile(r"\baverage|\bmean\b|\bper\b|\bexpect|\brate\b|\btimes as\b|\bestimate|\btimes more\b", re.IGNORECASE)
_COUNTED = re.compile(
    rf"\bhow many (?:more |fewer |less |extra |of (?:the|his|her|these|those) )?{_BETWEEN}{{0,2}}?(?P<noun>{_LIVING}|"
    rf"{_WHOLE})\b", re.IGNORECASE
)
_HOW_MANY = re.compile(r"\bhow many (?:more |fewer |less |extra )?(?P<noun>[a-z]+)", re.IGNORECASE)
_MAY_BE_NEGATIVE = re.compile(
    r"degree|temperature|elevation|\bbelow\b|sea level|\bdebts?\b|\bowe[sd]?\b|points?\b|number line|integer|\bfloors?\b|"
    r"profit|\bloss\b|"
    r"balance|\bnumbers?\b|\bnet\b|equation|freez|negative|overdraw|yards|strokes|change in",
    re.IGNORECASE,
)
_ASKS_MONEY = re.compile(
    r"\bhow much (?:money|change|cash)\b|\bhow many (?:dollars|euros)\b|\bin dollars\b|\bwhat (?:is|"
    r"was) the (?:\w+ ){0,2}(?:price|cost|bill|fare|fee)\b|"
    r"\bhow much (?:does|did|do|will|would|should|must|is|are|can|was|were)\b[^?.]{0,80}\b(?:cost|pay|spend|spent|earn|save|"
    r"owe|charge|make|get back)\b",
    re.IGNORECASE,
)
_MILLS = re.compile(
    r"\$ ?\d[\d,]{0,15}\.(?P<decimals>\d{3,12})(?!\d)|(?<![\w.])\d{1,12}\.(?P<named>\d{3,12}) (?:dollars|euros|cents)\b",
    re.IGNORECASE,
)
_UNIT = r"(?:gallon|liter|litre|kilowatt|minute|mile|kilometer|gram|ounce|unit|euro|dollar)"
_UNIT_PRICE = re.compile(rf"\bper\b|/|\b(?:each|an?|one) {_UNIT}|exchange|average|unit price", re.IGNORECASE)
_CHANCE = re.compile(r"\bwhat (?:is|was) the (?:probability|chance)\b", re.IGNORECASE)


_KIND = {
    unit: kind
    for kind, units in {
        "time": "second minute hour day week", "length": "millimeter centimeter meter kilometer inch foot feet yard mile",
        "weight": "gram kilogram ounce pound", "volume": "milliliter liter",
    }.items()
    for unit in units.split()
}  # fmt: skip
_MEASURED = re.compile(
    rf"(?<![\w.,$])(?P<number>\d{{1,9}}(?:\.\d{{1,6}})?)[ -](?P<unit>{'|'.join(_KIND)})(?:e?s)?\b(?! (?:old|per|a|an)\b)", re.IGNORECASE
)
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")
_TWO_ADDED = re.compile(r"(?<![\d.,])(?<![*/+-] )(\d{1,9}(?:\.\d{1,6})?) [-+] (\d{1,9}(?:\.\d{1,6})?)(?![\d.]| [*/])")


def units(row: Row, limits: Limits) -> str | None:
    """Numbers that their things can have: no 7.5 children, no -3 apples, no $3.333, no chance of 5, no hours plus minutes."""
    if not limits.whole_units:
        return None
    for line in _text(row).split("\n"):
        if (match := _PART_OF_ONE.search(line)) and not _AVERAGE.search(line):
            return f"fraction_of_{match['noun'].lower()}"
        if "-" in line and (match := _LESS_THAN_NONE.search(line)):
            return f"negative_count_of_{match['noun'].lower()}"
        if (match := _MILLS.search(line)) and not _UNIT_PRICE.search(line):
            decimals = match["decimals"] or match["named"]
            if len(decimals.rstrip("0")) > limits.max_decimals_of_money:
                return f"money_beyond_{limits.max_decimals_of_money}_decimals"
    return _mixed_sum(row) or _unit_of_answer(row, limits)


def _mixed_sum(row: Row) -> str | None:
    """A sum of two numbers that the problem gives in two measures of one kind: 2 hours and 30 minutes are not 32."""
    measures = {match["number"]: match["unit"].lower().replace("feet", "foot") for match in _MEASURED.finditer(row.problem)}
    if len({*measures.values()}) < 2:
        return None
    told = (CARDINALS.get(word, "") for word in re.findall("[a-z]+", row.problem.lower()))  # five fewer hours, and 5 minutes
    once = {number for number, count in Counter([*_NUMBERS.findall(row.problem), *told]).items() if count == 1}
    found: set[str] = set()  # by earlier steps: such a number may be of any measure
    for step in row.steps:
        for match in _TWO_ADDED.finditer(step):
            one, other = (measures.get(number) if number in once - found else None for number in match.groups())
            if one and other and one != other and _KIND[one] == _KIND[other]:
                return f"{one}_and_{other}_in_one_sum"
        found.update(_NUMBERS.findall(step.partition("=")[2]))
    return None


def _unit_of_answer(row: Row, limits: Limits) -> str | None:
    answer = read_gold(row.answer)
    if answer is None:
        return None
    question = row.problem[row.problem.rstrip(" ?").rfind(". ") + 1 :][-MAX_READ:]
    if answer.denominator != 1 and (match := _COUNTED.search(question)) and not _AVERAGE.search(row.problem):
        return f"fraction_of_{match['noun'].lower()}"
    if answer < 0 and (match := _HOW_MANY.search(question)) and not _MAY_BE_NEGATIVE.search(row.problem):
        return f"negative_count_of_{match['noun'].lower()}"
    has_mills = (answer * 10**limits.max_decimals_of_money).denominator != 1
    if has_mills and _ASKS_MONEY.search(question) and not _UNIT_PRICE.search(question):
        return f"money_beyond_{limits.max_decimals_of_money}_decimals"
    if _CHANCE.search(question) and not 0 <= answer <= 1 and not re.search("percent|%", row.problem + row.answer):
        return "chance_beyond_one"
    return None


# --- child safety, personal data ----------------------------------------------------------------------------


def child_safety(row: Row, limits: Limits) -> str | None:
    """Nothing that a child should not meet in an exercise: violence, drugs, alcohol, gambling, weapons, sex, self-harm."""
    return unsafe(_text(row, row.family, row.topic)) if limits.child_safe else None


def personal_data(row: Row, limits: Limits) -> str | None:
    """No way to reach or to name a real person: mail, phone, web and street address, account and identity numbers."""
    return reaches(_text(row, row.family, row.topic)) if limits.no_personal_data else None


# --- reading level ------------------------------------------------------------------------------------------


def reading_level(row: Row, limits: Limits) -> str | None:
    """A problem that the grades in question can read. Short texts, whose grade is noise, pass."""
    if len(row.problem.split()) < limits.min_words_graded:
        return None
    grade = reading_grade(row.problem)
    if limits.max_reading_grade is not None and grade > limits.max_reading_grade:
        return f"reads_above_grade_{limits.max_reading_grade:g}"
    if limits.min_reading_grade is not None and grade < limits.min_reading_grade:
        return f"reads_below_grade_{limits.min_reading_grade:g}"
    return None
