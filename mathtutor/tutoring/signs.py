"""What each line of a student's work looks like beside a solution: named signs, each there (1.0) or not (0.0).

    for line in trace(path, lines): line.signs   # {"sum out": 1.0, "used later off the way": 1.0, ...}

A sign says nothing by itself: `diagnosis` weighs them. Values off every valid way are one, but also what became of a
value: a part of a sum that later lines complete was meant as a part, one that is carried on as if whole was not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mathtutor.maths.arithmetic import evaluate, plain
from mathtutor.maths.checks import State, check_claim
from mathtutor.maths.claims import find_claims
from mathtutor.tutoring.amounts import Line, Sum, read_line
from mathtutor.tutoring.paths import Known, Node, Path, Place, Step, leaves, parse, read_step

_CONCLUDES = re.compile(r"\b(?:so|thus|therefore|hence|altogether|in total|total|in all|left|remain\w*)\b", re.IGNORECASE)
_TOTAL = re.compile(r"\b(?:altogether|total|in all|overall|combined)\b", re.IGNORECASE)
_LEFT = re.compile(r"\b(?:left|remain\w*|still)\b", re.IGNORECASE)
_LETS = re.compile(r"\b(?:let|assum\w+|suppose)\b", re.IGNORECASE)


@dataclass
class Traced:
    """One line with what it arrives at. `signs` is filled in last; `place` is that of its last value arrived at."""

    line: Line
    sums: tuple[Sum, ...]
    values: tuple[Fraction, ...]  # arrived at
    operands: tuple[Fraction, ...]
    kind: str
    wrong_sum: bool = False
    odd: tuple[Fraction, ...] = ()  # values on no valid way
    steps: tuple[Step, ...] = ()  # its sums
    signs: dict[str, float] = field(default_factory=dict)


def _kind(path: Path, line: Line, seen: set[Fraction], odd: list[Fraction], known: Known) -> str:
    """The one of about twelve kinds that a line is of."""
    fresh = [abs(value) for value in line.numbers if abs(value) not in seen]
    off = [value for value in fresh if path.place(value) is None]
    if line.sums:
        odd += [total.value for total in line.sums if path.place(total.value) is None]
        if odd:
            return "sum out"
        if off:
            odd += off
            return "sum with odd number"
        kinds = [_sum_kind(path, total, known) for total in line.sums]
        return next(kind for kind in reversed(SUMS) if kind in kinds)
    odd += off
    if line.unknown:
        return "letters, odd" if off else "letters"
    if not line.numbers:
        return "words"
    if off:
        return "told odd"
    if not fresh:
        return "told again"
    news = [value for value in fresh if not path.knows(value)]
    return "told given" if not news else "told stated" if any(value in path.stated for value in news) else "told regrouped"


SUMS = ("sum as in solution", "sum regrouped", "sum to known value", "sum to some value", "sum to given value")


def _sum_kind(path: Path, total: Sum, known: Known) -> str:
    place = path.place(total.value)
    way = any(path.is_way(total.value, leaves(node)) for node in known.trees(total.expression))
    if place is Place.STATED:
        return "sum as in solution" if way else "sum to known value"
    if place is Place.REGROUPED:
        return "sum regrouped" if way else "sum to some value"
    return "sum to given value"


def trace(path: Path, lines: Sequence[str], finished: bool = True) -> list[Traced]:
    """Every line with its signs. `finished`: the last line that holds a number gives the student's answer."""
    traced: list[Traced] = []
    seen: set[Fraction] = set()
    known = Known(path.given)
    for text in lines:
        line = read_line(text)
        odd: list[Fraction] = []
        kind = _kind(path, line, seen, odd, known)
        steps = []
        for total in line.sums:
            trees = known.trees(total.expression)
            steps.append(read_step(total, trees[0] if trees else None))
        known.take(line)
        wrong = any(check_claim(claim).state is State.WRONG for claim in find_claims(text))
        operands = tuple(abs(v) for total in line.sums for v in read_line(total.expression).numbers)
        values = tuple(abs(v) for v in (*(total.value for total in line.sums), *line.results))
        traced.append(Traced(line, line.sums, values, operands, kind, wrong, tuple(odd), tuple(steps)))
        seen |= {abs(v) for v in line.numbers} | set(values)
    final = next((t for t in reversed(traced) if t.line.numbers), None) if finished else None
    final_value = None if final is None else abs((final.values or final.line.numbers)[-1])
    by = [_mends(path, t_at, traced, final_value) if final_value is not None else set() for t_at in range(len(traced))]
    mended = [at for at, values in enumerate(by) if values]
    for at, here in enumerate(traced):
        here.signs = _signs(path, traced, at, final_value, mended, by[at])
    return traced


SUSPECT = ("sum regrouped", "sum to known value", "sum to some value", "sum to given value", "told regrouped")
BAD = ("sum out", "sum with odd number", "told odd", "letters, odd")


def _signs(path: Path, traced: list[Traced], at: int, final_value: Fraction | None, mended: list[int], by: set[Fraction]) -> dict[str, float]:
    here, before, after = traced[at], traced[:at], traced[at + 1 :]
    text = here.line.text
    signs = {here.kind: 1.0}

    def sign(name: str, there: object) -> None:
        if there:
            signs[name] = 1.0

    sign("wrong sum", here.wrong_sum)
    arrived = set(here.values) or {abs(v) for v in here.line.told}
    fresh = arrived - {v for t in before for v in t.values}
    sign("answer came before", path.answer is not None and here.sums and any(path.answer in t.values for t in before))
    used_on, used_off, excused = _use(path, fresh, traced, at)
    regrouped = here.kind in SUSPECT
    if regrouped:
        sign("part, completed later", used_on)
        sign("part, carried off the way", used_off and not used_on)
        sign("part, carried off the way by another", excused and not used_on)
        sign("part, used no more", not used_on and not used_off)
        sign("part, as a total", _TOTAL.search(text))
        sign("part, as what is left", _LEFT.search(text))
    if here.kind == "sum as in solution":
        sign("as in solution, used off the way", used_off and not used_on)
        sign("as in solution, used off the way by another", excused and not used_on)
    is_final = final_value is not None and final_value != path.answer and final_value in arrived
    if is_final and here.sums:
        sign("arrives at the final value", True)
        sign("the last sum", not any(t.sums for t in after))
    elif is_final:
        sign("says the final value", True)
        sign("says the final value first", not any(final_value in (*t.values, *map(abs, t.line.numbers)) for t in before))
    sign("is the last line", not after)
    sign("last but one", len(after) == 1)
    if here.kind in BAD and here.sums:
        suspects = {v for t in before if t.kind in (*SUSPECT, *BAD)
                    for v in t.values}  # fmt: skip
        sign("builds on a suspect", suspects & set(here.operands))
    nothing_worked = here.kind in ("words", "told again", "told given", "letters", "told stated")
    following = after[0] if after else None
    if nothing_worked and following is not None:
        sign(f"{here.kind}, before a bad line", following.kind in BAD)
        sign(f"{here.kind}, before a part", following.kind in SUSPECT)
        sign(f"{here.kind}, before words", following.kind == "words")
        sign("ends in a colon", text.rstrip().endswith(":"))
        sign("lets a letter stand", _LETS.search(text))
    if here.sums or here.line.results:
        if here.kind == "sum as in solution":
            sign("as in solution, can be mended", at in mended)
        else:
            is_last = is_final and by == {path.answer}
            sign("can be mended", by and not is_last)
            sign("can be mended by a step", by & path.stated and not is_last)
            nearly = {step.value for step in path.steps for mine in here.steps if near_miss(mine, step)}
            sign("can be mended by a step that it nearly is", by & nearly and not is_last)
            sign("last, nearly the last step", is_last and path.answer in nearly)
            sign("can be mended by a step named like it", path.most_named_like(text)[0] in by)
            sign("first that can be mended", mended and at == mended[0] and not is_last)
        if mended:
            sign("before the one that can be mended", at < mended[0])
            sign("after the one that can be mended", at > mended[0])
    if here.line.unknown:
        solved = solve(text)
        earlier = any(t.line.unknown and _is_off(path, solve(t.line.text)) for t in before)
        if solved is None:
            sign("letters, an equation comes later", any(t.line.unknown and solve(t.line.text) is not None for t in after))
        elif solved in path.stated:
            sign("equation for a step", True)
        else:
            sign("equation for a value on the way", solved in path.ways)
            sign("equation for some other value", solved not in path.ways)
            sign("first equation off the way", not earlier)
    like, likeness = path.most_like(text)
    if like is not None and here.values and here.kind != "sum as in solution":
        same = like in here.values
        if same:
            signs["worded like a step, same value"] = likeness
        else:
            signs["worded like a step, other value"] = likeness
    named, likeness = path.most_named_like(text)
    if named is not None and here.values:
        prefix = "as in solution, " if here.kind == "sum as in solution" else ""
        signs[prefix + ("named like a step, same value" if named in here.values else "named like a step, other value")] = likeness
    elif here.kind == "sum as in solution":
        sign("as in solution, named like none", True)
    if here.kind not in ("sum as in solution",):
        for name in {near_miss(mine, step) for mine in here.steps for step in path.steps} - {""}:
            sign("near miss: " + name, True)
    sign("first line", not before)
    sign("concludes", nothing_worked and _CONCLUDES.search(text))
    return signs


def near_miss(mine: Step, step: Step) -> str:
    """How a sum differs from a step of the solution that it was perhaps meant to be: "" where it does not look like one."""
    if mine.value == step.value:
        return ""
    for a, b in ((mine.operands, step.operands), (mine.leaves, step.leaves)):
        here, there = Counter(a), Counter(b)
        missing, extra = (there - here).total(), (here - there).total()
        shared = (here & there).total()
        if not shared:
            continue
        if not missing and not extra and mine.operations != step.operations:
            return "operation"
        if missing == 1 and not extra and set(mine.operations) <= set(step.operations):
            return "missing"
        if extra == 1 and not missing and set(step.operations) <= set(mine.operations):
            return "extra"
        if missing == extra == 1 and mine.operations == step.operations and step.operations:
            return "exchanged"
    return ""


def _use(path: Path, values: set[Fraction], traced: Sequence[Traced], at: int) -> tuple[bool, bool, bool]:
    """Whether later sums that use one of `values` arrive on a valid way, whether any arrives off it, and whether each that
    does also uses a value of another line that is off it."""
    on = off = False
    excused = True
    wanted = set(values)
    bad = {v for n, t in enumerate(traced) if n != at and t.kind in BAD for v in t.values}
    for line in traced[at + 1 :]:
        for total in line.sums:
            operands = {abs(v) for v in read_line(total.expression).numbers}
            if not operands & wanted:
                continue
            place = path.place(total.value)
            if place is Place.STATED:
                on = True
            elif place is None:
                off = True
                excused = excused and bool((operands - wanted) & bad)
            else:
                wanted = wanted | {abs(total.value)}
    return on, off, off and excused


def _mends(path: Path, at: int, traced: Sequence[Traced], final_value: Fraction) -> set[Fraction]:
    """The known values at which line `at` should have arrived for everything after it to lead to the right answer."""
    if path.answer is None or not traced[at].values or final_value == path.answer:
        return set()
    value = traced[at].values[-1]
    if value == final_value:
        return {path.answer}
    later = [(parse(total.expression), abs(total.value)) for line in traced[at + 1 :] for total in line.sums]
    later = [(node, old) for node, old in later if node is not None and old != value]
    found = set()
    for other in path.known - {value}:
        now = {value: other}
        for node, old in later:
            try:
                new = _worked_out(node, now)
            except ZeroDivisionError:
                break
            if new != old:
                now[old] = abs(new)
        if now.get(final_value) == path.answer:
            found.add(other)
    return found


def _worked_out(node: Node, now: dict[Fraction, Fraction]) -> Fraction:
    """The value of a tree in which some numbers have become others."""
    if not node.kind:
        return now.get(node.value, node.value)
    total = Fraction(node.kind == "*")
    for sign, part in node.parts:
        value = _worked_out(part, now)
        total = total + sign * value if node.kind == "+" else total * value if sign > 0 else total / value
    return total


def _is_off(path: Path, solved: Fraction | None) -> bool:
    return solved is not None and solved not in path.stated


_LETTER = re.compile(r"(?<![^\W\d_])([a-zA-Z])(?![^\W\d_])")
_SIDE = re.compile(r"[-+*/().\d\s%]+")


def solve(text: str) -> Fraction | None:
    """The value of the one letter in the last linear equation of a text: "so 3x + 129 = 1077" is 316; None without one."""
    for equation in reversed(re.split(r"[,;:]\s|\band\b|\bso\b|\bthat\b|\bget\b", text)):
        sides = equation.replace("$", "").split("=")
        if len(sides) != 2:
            continue
        letters = {letter for side in sides for letter in _LETTER.findall(_without_words(side))}
        if len(letters) != 1:
            continue
        at = []
        for value in (0, 1, 2):
            left, right = (_put(side, letters.copy().pop(), value) for side in sides)
            if left is None or right is None:
                break
            at.append(left - right)
        if len(at) == 3 and at[2] - at[1] == at[1] - at[0] != 0:
            return abs(-at[0] / (at[1] - at[0]))
    return None


_WORDS = re.compile(r"[^\W\d_]{2,}\.?")


def _without_words(side: str) -> str:
    return _WORDS.sub(" ", plain(side))


def _put(side: str, letter: str, value: int) -> Fraction | None:
    side = re.sub(rf"(?<=[\d)])\s*{letter}\b", f"*({value})", _without_words(side))
    side = re.sub(rf"(?<![^\W\d_]){letter}(?![^\W\d_])(?=\s*\()", f"({value})*", side)
    side = re.sub(rf"(?<![^\W\d_]){letter}(?![^\W\d_])", f"({value})", side).strip(" .")
    return evaluate(side).value if _SIDE.fullmatch(side) else None
