"""A solved problem becomes a ladder of hints, by cutting its steps: nothing here asks a model.

    ladder(Solved("Ana has 3 boxes of 4 pens ...", ("Ana has 3 * 4 = 12 pens.",), Fraction(12)))
        understand   what is asked and what is known, from the problem's own words
        plan         "Multiply", what each step finds, without a number
        set up       3 × 4 = ▢
        worked step  Ana has 3 * 4 = 12 pens.

Set up and worked step come once for every step. No rung before the last holds the final answer or the number that it
asks for: such numbers are replaced by "…", in digits and in words, and `tests/test_hints.py` looks for them with eyes
of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from mathtutor.bank.families import Instance, Mistake
from mathtutor.maths.answers import read_typed
from mathtutor.maths.checks import ClaimCheck, State, StepCheck, check_step
from mathtutor.maths.steps import parse_steps

BLANK, GAP = "▢", "…"


class Rung(StrEnum):
    UNDERSTAND = "understand"
    PLAN = "plan"
    SET_UP = "set up"
    WORKED = "worked step"


@dataclass(frozen=True)
class Ready:
    """Hints that the writer of a problem made for it, and the mistakes that are typical of it."""

    understand: str
    plan: str
    set_up: str  # of the first step
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Solved:
    """A problem with one way through it. `steps` come without "Step 1: "."""

    problem: str
    steps: tuple[str, ...]
    answer: Fraction
    ready: Ready | None = None
    family: str = ""  # of the bank, where it has one

    @classmethod
    def of_instance(cls, instance: Instance) -> Solved:
        ready = Ready(instance.understand, instance.plan, instance.set_up, instance.mistakes)
        return cls(instance.problem, instance.steps, instance.answer, ready, instance.family)


@dataclass(frozen=True)
class Sum:
    """One chain of a step: "40 - 10 = 15 * 2 = 30" has the left side "40 - 10" and the value 30.

    `start` and `end` are its place in the text of the step, in characters.
    """

    left: str
    value: Fraction
    start: int
    end: int

    def is_fraction_of(self, text: str) -> bool:
        """Whether its step writes it as the fraction that it comes to, "2 / 11 = 2/11": to set it up would give it away."""
        return as_fractions(self.left) != self.left and re.search(r"\d/\d+$", text[self.start : self.end].rstrip()) is not None


@dataclass(frozen=True)
class Hint:
    """One rung. `step` counts from 1, 0 where the rung belongs to the whole problem; `value` fills the blank."""

    rung: Rung
    lines: tuple[str, ...]
    step: int = 0
    equation: str = ""
    value: Fraction | None = None
    check: StepCheck | None = None  # of a worked step


def checked(steps: Collection[str]) -> list[StepCheck]:
    """The steps as the judge sees them, one each."""
    found = []
    for number, text in enumerate(steps, start=1):
        parsed = parse_steps(f"Step {number}: {' '.join(text.split())}")
        found += [check_step(step) for step in parsed]
    return found


def sums_of(check: StepCheck) -> list[Sum]:
    """The sums of a step that hold, in order; those that could not be checked give none."""
    sums: list[Sum] = []
    chain: list[ClaimCheck] = []
    for claim in (*check.claims, None):
        goes_on = claim is not None and chain and claim.claim.left == chain[-1].claim.right
        if chain and not goes_on:
            first, last = chain[0], chain[-1]
            if all(each.state is State.OK for each in chain) and re.search(r"[-+*/^%]", first.claim.left.lstrip("-")):
                sums.append(Sum(first.claim.left, last.right, first.claim.start, last.claim.end))
            chain = []
        if claim is not None:
            chain.append(claim)
    return [each for each in sums if each.value is not None]


def ladder(solved: Solved) -> tuple[Hint, ...]:
    """All rungs in the order in which they are given. A step without a readable sum has no set up, nor has "2 / 11 = 2/11"."""
    checks = checked(solved.steps)
    sums = [sums_of(check) for check in checks]
    hints = [_understand(solved), _plan(solved, checks, sums)]
    for number, (check, found) in enumerate(zip(checks, sums, strict=True), start=1):
        set_ups = [_set_up(solved, check, each, number, first=number == 1 and not i) for i, each in enumerate(found)]
        hints += [hint for hint in set_ups if hint]
        hints.append(Hint(Rung.WORKED, (check.step.text,), number, check=check))
    return tuple(hints)


# --- the rungs ----------------------------------------------------------------------------------------------


def _understand(solved: Solved) -> Hint:
    if solved.ready:
        return Hint(Rung.UNDERSTAND, (hide(solved.ready.understand, {solved.answer}),))
    asked, known = question(solved.problem), quantities(solved.problem, {solved.answer})
    lines = [hide(asked, {solved.answer})] if asked else []
    return Hint(Rung.UNDERSTAND, (*lines, *known))


def asked(problem: str) -> Hint:
    """The first rung of a problem that nobody has solved yet: its question, and no number, for one may be the answer."""
    words = question(problem)
    return Hint(Rung.UNDERSTAND, (hide(words, {value for _, _, value in numbers_in(words)}),) if words else ())


_DOES = {"+": "Add.", "-": "Subtract.", "*": "Multiply.", "/": "Divide.", "^": "Multiply a number by itself.", "%": "Take a percentage."}


def _plan(solved: Solved, checks: list[StepCheck], sums: list[list[Sum]]) -> Hint:
    if solved.ready:
        return Hint(Rung.PLAN, (hide(solved.ready.plan, {solved.answer}),))
    lines = []
    for check, found in zip(checks, sums, strict=True):
        for each in found:
            lines.append(" ".join(filter(None, (_operation(each.left), _finds(check.step.text, each, found)))))
    return Hint(Rung.PLAN, tuple(lines))


def _operation(left: str) -> str:
    signs = [sign for sign in "+-*/^" if re.search(rf"[\d.)%]\s*{re.escape(sign)}", left)]
    if not signs:
        return _DOES["%"] if "%" in left else ""
    words = [_DOES[sign].rstrip(".") for sign in signs]
    return f"{' and '.join([words[0], *(word.lower() for word in words[1:])])}."


def _finds(text: str, each: Sum, others: list[Sum]) -> str:
    """What a sum finds, as its step says it, with the sum left out; "" where that would hold a number."""
    if len(others) != 1:
        return ""
    words = f"{text[: each.start].rstrip(' $€£(')} {BLANK} {text[each.end :].lstrip(' )')}"
    words = " ".join(words.split())
    words = re.sub(rf"{BLANK} (?=[.,;:!?])", BLANK, words)
    return f"“{words}”" if not numbers_in(words) and re.search(r"[a-z]{3}", words) else ""


def _set_up(solved: Solved, check: StepCheck, each: Sum, number: int, first: bool) -> Hint | None:
    secret = {solved.answer, each.value}
    if first and solved.ready and BLANK in solved.ready.set_up:
        return Hint(Rung.SET_UP, (), number, hide(solved.ready.set_up, secret), each.value)
    if each.is_fraction_of(check.step.text):
        return None
    # A sum that is shared by its step with others shows no words: they hold the others' results.
    return Hint(Rung.SET_UP, (), number, f"{hide(pretty(each.left), secret)} = {BLANK}", each.value)


_SIGNS = {"*": " × ", "/": " ÷ ", "-": " − "}


def pretty(expression: str) -> str:
    """A sum as a book prints it: 2 × 18, 30 ÷ 4, 40 − 3. A tight fraction such as 3/4 stays one."""
    return re.sub(r" ([*/-]) |(?<=[\d)])([*])(?=[\d(])", lambda m: _SIGNS[m[1] or m[2]], expression)


# --- the problem's own words --------------------------------------------------------------------------------

_SENTENCE = re.compile(r"(?<=[.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z0-9$])")
_ASKS = re.compile(r"\?|\b(?:find|work out|calculate|solve|give|tell|how many|how much)\b", re.IGNORECASE)


def question(problem: str) -> str:
    """The sentence that asks, the last of several; "" where none does."""
    sentences = [part.strip() for part in _SENTENCE.split(" ".join(problem.split()))]
    asking = [s for s in sentences if s.endswith(("?", '?"', "?”"))] or [s for s in sentences if _ASKS.search(s)]
    return asking[-1] if asking else ""


_LINKS = set(
    "and or but so of in on at to for from with without the a an if he she they it we i you who that than then as by how what which when while".split()
)
_VERBS = set(
    "is are was were be has have had cost costs gets get goes go do does did will would can could equals make makes".split()
)


def quantities(problem: str, secret: Collection[Fraction] = ()) -> tuple[str, ...]:
    """Each number of the problem with the words that belong to it, in order; those equal to a `secret` are left out.

    quantities("Ana has 3 red pens at $2 each. Add 9.")   ("3 red pens", "$2 each", "Add 9")
    """
    text = " ".join(problem.split())
    found, before = [], 0
    numbers = numbers_in(text)
    for index, (start, end, value) in enumerate(numbers):
        until = numbers[index + 1][0] if index + 1 < len(numbers) else len(text)
        sign = text[start - 1] if start and text[start - 1] in "$€£" else ""
        percent = "%" if text[end : end + 1] == "%" else ""
        after = re.match(r"(?:[ -][^\W\d_][\w'’-]*){0,3}", text[end + len(percent) : until])[0]
        words = []
        for word in after.split(" ")[1:] if after.startswith(" ") else [after]:
            if word.casefold() in _LINKS and (not words or words[0].casefold() not in _VERBS) or words and word.casefold() in _VERBS:
                break
            words.append(word)
        shown = f"{sign}{text[start:end]}{percent}"
        if after.startswith("-"):
            shown += after
        elif words and words[0]:
            shown += " " + " ".join(words)
        else:
            head = re.search(r"(?:[^\W\d_][\w'’-]* ){1,3}$", text[before : start - len(sign)])
            context = head[0].split() if head else []
            while context and context[0].casefold() in _LINKS | _VERBS:
                context = context[1:]
            if context and context[-1].casefold() not in ("and", "or", "but", "of"):
                shown = f"{' '.join(context)} {shown}"
        before = end
        if value not in secret and -value not in secret:
            found.append(shown.strip())
    return tuple(dict.fromkeys(found))


# --- numbers that must not be seen --------------------------------------------------------------------------

_WORDS = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine)\\b)?"
)
_NUMBER = re.compile(
    r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s\d+/\d+(?!\d)|/\d+(?![\d/]))?(?!\w*\d)"
    rf"|(?<![\w.])\.\d+|\b(?:{_WORDS})\b(?:[- ](?:hundred|thousand)\b)?",
    re.IGNORECASE,
)


def numbers_in(text: str) -> list[tuple[int, int, Fraction]]:
    """(start, end, value) of every number in digits or in words."""
    found = []
    for match in _NUMBER.finditer(text):
        value = read_typed(match[0]).value
        if value is not None:
            found.append((match.start(), match.end(), value))
    return found


_QUOTIENT = re.compile(r"(?<![-+*/×÷−(] )(?<![\d.,/(])(\d+) ?[/÷] ?(\d+)\b(?![.,/]\d)(?! ?[-+*/×÷−)])")


def as_fractions(text: str) -> str:
    """ "2 / 11 = ▢" as "2/11 = ▢": a division of two whole numbers alone is also how people type the fraction."""
    return _QUOTIENT.sub(r"\1/\2", text)


def hide(text: str, secret: Collection[Fraction]) -> str:
    """`text` with "…" for every number that is one of `secret`: in "8 - 4 = ▢" the 4 would tell."""
    for start, end, value in reversed(numbers_in(text)):
        if value in secret or -value in secret:
            text = text[:start] + GAP + text[end:]
    return text
