"""What each line of a student's work looks like beside a solution: named signs, each there (1.0), in part, or not at all.

    for line in trace(path, lines): line.signs   # {"sum out": 1.0, "can be mended": 1.0, ...}

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


# From the surest to the most doubtful.
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
    by = [frozenset(_mends(path, at, traced, final_value)) for at in range(len(traced))] if final_value is not None else []
    mended = [at for at, values in enumerate(by) if values]
    for at, here in enumerate(traced):
        here.signs = _signs(_View(path, traced, at, final_value, mended, by[at] if by else frozenset()))
    return traced


SUSPECT = ("sum regrouped", "sum to known value", "sum to some value", "sum to given value", "told regrouped")
BAD = ("sum out", "sum with odd number", "told odd", "letters, odd")
PAIR = 0.4
NOTHING_WORKED = ("words", "told again", "told given", "letters", "told stated")


@dataclass(frozen=True)
class _View:
    """One line among the others: what the groups of signs below look at."""

    path: Path
    traced: Sequence[Traced]
    at: int
    final_value: Fraction | None
    mended: Sequence[int]  # lines that could be mended
    by: frozenset[Fraction]  # and the values that would mend this one

    @property
    def here(self) -> Traced:
        return self.traced[self.at]

    @property
    def before(self) -> Sequence[Traced]:
        return self.traced[: self.at]

    @property
    def after(self) -> Sequence[Traced]:
        return self.traced[self.at + 1 :]

    @property
    def is_final(self) -> bool:
        """Whether this line holds what the student gives as the answer, and it is not the answer."""
        here = set(self.here.values) or {abs(v) for v in self.here.line.told}
        return self.final_value is not None and self.final_value != self.path.answer and self.final_value in here


def _signs(view: _View) -> dict[str, float]:
    here, path = view.here, view.path
    there: dict[str, object] = {
        here.kind: True,
        "wrong sum": here.wrong_sum,
        "answer came before": path.answer is not None and here.sums and any(path.answer in t.values for t in view.before),
        "first line": not view.before,
        "is the last line": not view.after,
        "last but one": len(view.after) == 1,
    }
    for group in (_of_neighbours, _of_use, _of_the_end, _of_what_follows, _of_mending, _of_letters, _of_words):
        there |= group(view)
    if here.kind != "sum as in solution":
        there |= {f"near miss: {name}": name for mine in here.steps for step in path.steps if (name := near_miss(mine, step))}
    return {name: sign if isinstance(sign, float) else 1.0 for name, sign in there.items() if sign}


def _of_neighbours(view: _View) -> dict[str, object]:
    """The kinds of the lines before and after, and each beside the line's own kind. Such pairs are many and seldom
    seen, so one counts for less: its weight is pulled towards zero as if by 1 / PAIR**2 times the ridge."""
    there: dict[str, object] = {}
    if view.before:
        before = view.before[-1].kind
        there |= {f"after a line of: {before}": True, f"{before}, then {view.here.kind}": PAIR}
    if view.after:
        after = view.after[0].kind
        there |= {f"before a line of: {after}": True, f"this {view.here.kind}, then {after}": PAIR}
    return there


def _of_use(view: _View) -> dict[str, object]:
    """What became of the value that a line arrives at."""
    here, text = view.here, view.here.line.text
    arrived = set(here.values) or {abs(v) for v in here.line.told}
    on, off, excused = _use(view.path, arrived - {v for t in view.before for v in t.values}, view.traced, view.at)
    there: dict[str, object] = {}
    if here.kind in SUSPECT:
        there = {
            "part, completed later": on,
            "part, carried off the way": off and not on,
            "part, carried off the way by another": excused and not on,
            "part, used no more": not on and not off,
            "part, as a total": _TOTAL.search(text),
            "part, as what is left": _LEFT.search(text),
        }
    elif here.kind == "sum as in solution":
        there = {
            "as in solution, used off the way": off and not on,
            "as in solution, used off the way by another": excused and not on,
        }
    elif here.kind in BAD and here.sums:
        suspects = {v for t in view.before if t.kind in (*SUSPECT, *BAD) for v in t.values}
        there = {"builds on a suspect": suspects & set(here.operands)}
    return there


def _of_the_end(view: _View) -> dict[str, object]:
    """Whether a line gives the student's own, wrong, answer."""
    if not view.is_final:
        return {}
    if view.here.sums:
        return {"arrives at the final value": True, "the last sum": not any(t.sums for t in view.after)}
    said = any(view.final_value in (*t.values, *map(abs, t.line.numbers)) for t in view.before)
    return {"says the final value": True, "says the final value first": not said}


def _of_what_follows(view: _View) -> dict[str, object]:
    """For a line that works nothing out: what the next one does."""
    here, text = view.here, view.here.line.text
    if here.kind not in NOTHING_WORKED:
        return {}
    there: dict[str, object] = {"concludes": _CONCLUDES.search(text)}
    if view.after:
        following = view.after[0].kind
        there |= {
            f"{here.kind}, before a bad line": following in BAD,
            f"{here.kind}, before a part": following in SUSPECT,
            f"{here.kind}, before words": following == "words",
            "ends in a colon": text.rstrip().endswith(":"),
            "lets a letter stand": _LETS.search(text),
        }
    return there


def _of_mending(view: _View) -> dict[str, object]:
    """Whether another value in this line would have led to the right answer."""
    here, path, by = view.here, view.path, view.by
    if not here.sums and not here.line.results:
        return {}
    there: dict[str, object] = {}
    if view.mended:
        there["before the one that can be mended"] = view.at < view.mended[0]
        there["after the one that can be mended"] = view.at > view.mended[0]
    if here.kind == "sum as in solution":
        return there | {"as in solution, can be mended": by}
    is_last = view.is_final and by == {path.answer}
    nearly = {step.value for step in path.steps for mine in here.steps if near_miss(mine, step)}
    return there | {
        "can be mended": by and not is_last,
        "can be mended by a step": by & path.stated and not is_last,
        "can be mended by a step that it nearly is": by & nearly and not is_last,
        "can be mended by a step named like it": path.most_named_like(here.line.text)[0] in by,
        "first that can be mended": view.mended and view.at == view.mended[0] and not is_last,
        "last, nearly the last step": is_last and path.answer in nearly,
    }


def _of_letters(view: _View) -> dict[str, object]:
    """Whether an equation leads to a value of the solution."""
    if not view.here.line.unknown:
        return {}
    path, solved = view.path, solve(view.here.line.text)
    if solved is None:
        later = any(t.line.unknown and solve(t.line.text) is not None for t in view.after)
        return {"letters, an equation comes later": later}
    if solved in path.stated:
        return {"equation for a step": True}
    return {
        "equation for a value on the way": solved in path.ways,
        "equation for some other value": solved not in path.ways,
        "first equation off the way": not any(t.line.unknown and _is_off(path, solve(t.line.text)) for t in view.before),
    }


def _of_words(view: _View) -> dict[str, object]:
    """Which step of the solution a line is worded like, as a number from 0 to 1, and whether it arrives there."""
    here, text = view.here, view.here.line.text
    there: dict[str, object] = {}
    like, likeness = view.path.most_like(text)
    as_in_solution = here.kind == "sum as in solution"
    if like is not None and here.values and not as_in_solution:
        there[f"worded like a step, {'same' if like in here.values else 'other'} value"] = likeness
    named, likeness = view.path.most_named_like(text)
    if named is not None and here.values:
        prefix = "as in solution, " if as_in_solution else ""
        there[f"{prefix}named like a step, {'same' if named in here.values else 'other'} value"] = likeness
    elif as_in_solution:
        there["as in solution, named like none"] = True
    return there


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
