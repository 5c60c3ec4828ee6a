"""Which values lie on a valid way through a problem, from one solution of it.

    path = find_path("Each of 3 boxes holds 4 red and 5 blue pens. How many pens?", ["4 + 5 = 9", "3 * 9 = 27"])
    path.place(9)    STATED       a step of the solution arrives at it
    path.place(12)   REGROUPED    3 * 4: the same sums in another order, on the way to the same answer
    path.place(3)    GIVEN        the problem says it
    path.place(17)   None

The sums of the solution are put into each other until only numbers remain that the problem gives, and the tree is
regrouped: parts of a sum, parts of a product, factors taken into a sum or out of it. A student who works in another
order, or does two steps at once, arrives at such values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import combinations

from mathtutor.tutoring.amounts import Line, Sum, implied, read_line

MAX_TERMS = 7  # of one sum or product whose parts are all looked at: 127 of them
MAX_FACTORS = 48  # that a part of a sum is multiplied by
MAX_VALUES = 6000


class Place(StrEnum):
    """Where a value stands in a problem; the first that fits."""

    STATED = "stated"
    REGROUPED = "regrouped"
    GIVEN = "given"
    IMPLIED = "implied"  # nobody writes it, everybody knows it: 7 days a week, the 40% that remain of 60%


@dataclass(frozen=True)
class Node:
    """One value: a number, or a sum or product of nodes, each with +1 or -1 as its sign or exponent."""

    value: Fraction
    kind: str = ""  # "+", "*", or "" for a number
    parts: tuple[tuple[int, Node], ...] = ()


# --- expressions into nodes ---------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+|[-+*/^%()])")


class _Unread(Exception):
    pass


def parse(expression: str, known: dict[Fraction, Node] | None = None) -> Node | None:
    """The tree of plain arithmetic as `Sum.expression` writes it; None where it cannot be read. A number that is a key of
    `known` becomes that node."""
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != re.sub(r"\s", "", expression) or len(tokens) > 80:
        return None
    try:
        node, rest = _sum(tokens, known or {}, 0)
    except (_Unread, ZeroDivisionError, RecursionError):
        return None
    return node if not rest else None


def join(kind: str, parts: Iterable[tuple[int, Node]]) -> Node:
    """A sum or product whose parts of the same kind are taken up: (a + b) - (c - d) is a + b - c + d."""
    flat: list[tuple[int, Node]] = []
    for sign, node in parts:
        flat += [(sign * inner, part) for inner, part in node.parts] if node.kind == kind else [(sign, node)]
    if len(flat) == 1 and flat[0][0] == 1:
        return flat[0][1]
    return Node(_total(kind, flat), kind, tuple(flat))


def _total(kind: str, parts: Iterable[tuple[int, Node]]) -> Fraction:
    total = Fraction(kind == "*")
    for sign, node in parts:
        total = total + sign * node.value if kind == "+" else total * node.value if sign > 0 else total / node.value
    return total


def _sum(tokens: list[str], known: dict[Fraction, Node], depth: int) -> tuple[Node, list[str]]:
    if depth > 20:
        raise _Unread
    node, tokens = _product(tokens, known, depth)
    parts = [(1, node)]
    while tokens and tokens[0] in "+-":
        sign = 1 if tokens[0] == "+" else -1
        node, tokens = _product(tokens[1:], known, depth)
        parts.append((sign, node))
    return join("+", parts), tokens


def _product(tokens: list[str], known: dict[Fraction, Node], depth: int) -> tuple[Node, list[str]]:
    node, tokens = _atom(tokens, known, depth)
    parts = [(1, node)]
    while tokens and tokens[0] in "*/":
        sign = 1 if tokens[0] == "*" else -1
        node, tokens = _atom(tokens[1:], known, depth)
        parts.append((sign, node))
    return join("*", parts), tokens


def _atom(tokens: list[str], known: dict[Fraction, Node], depth: int) -> tuple[Node, list[str]]:
    if not tokens:
        raise _Unread
    head, tokens = tokens[0], tokens[1:]
    if head == "-":
        node, tokens = _atom(tokens, known, depth + 1)
        return join("+", [(-1, node)]), tokens
    if head == "(":
        node, tokens = _sum(tokens, known, depth + 1)
        if not tokens or tokens[0] != ")":
            raise _Unread
        tokens = tokens[1:]
    elif head[0].isdigit() or head[0] == ".":
        value = Fraction(head)
        node = known.get(value, Node(value))
    else:
        raise _Unread
    if tokens and tokens[0] == "%":
        node, tokens = Node(node.value / 100), tokens[1:]
    if len(tokens) > 1 and tokens[0] == "^" and tokens[1].isdigit() and 1 < int(tokens[1]) <= 6:
        node, tokens = join("*", [(1, node)] * int(tokens[1])), tokens[2:]
    return node, tokens


# --- a node, regrouped --------------------------------------------------------------------------------------

Leaves = tuple[Fraction, ...]


def _leaf(value: Fraction) -> Fraction:
    """A number as it counts in a comparison of ways: halving is dividing by 2 and multiplying by 1/2."""
    return 1 / value if 0 < value < 1 and value.numerator == 1 else value


def leaves(*nodes: Node) -> Leaves:
    """The numbers that nodes are made of, sorted; a 1 changes nothing and is left out, the 100 of a percentage too."""
    found: list[Fraction] = []
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node.kind:
            stack += [part for _, part in node.parts]
        elif node.value not in (1, 100):
            found.append(_leaf(node.value))
    return tuple(sorted(found))


def _subsets(parts: Sequence) -> Iterator[tuple]:
    """All parts of a short sum; of a long one the pairs and the stretches."""
    n = len(parts)
    if n <= MAX_TERMS:
        for size in range(1, n + 1):
            yield from combinations(parts, size)
        return
    for at in range(n):
        for end in range(at + 1, n + 1):
            yield tuple(parts[at:end])
    yield from combinations(parts, 2)


def _factors(node: Node) -> list[tuple[int, Node]]:
    return list(node.parts) if node.kind == "*" else [(1, node)]


Scale = tuple[Fraction, Leaves]  # what surroundings multiply a value by, and the numbers in that


class _Regrouping:
    """Collects the values that the parts of a tree may take on the way to its value, with the numbers in each."""

    def __init__(self):
        self.ways: dict[Fraction, set[Leaves]] = {}
        self.count = 0

    def walk(self, node: Node, scales: tuple[Scale, ...], depth: int = 0) -> None:
        """Every value inside `node`, by itself and multiplied by each of `scales`."""
        if self.count > MAX_VALUES or depth > 24:
            return
        self.add(node.value, leaves(node), scales)
        if node.kind == "+":
            for chosen in _subsets(node.parts):
                self.add(_total("+", chosen), leaves(*(part for _, part in chosen)), scales)
            self.take_out(node, scales, depth)
            for _, part in node.parts:
                self.walk(part, scales, depth + 1)
        elif node.kind == "*":
            for chosen in _subsets(node.parts):
                self.add(_total("*", chosen), leaves(*(part for _, part in chosen)), ())
            for at, (sign, part) in enumerate(node.parts):
                around: list[Scale] = []
                if sign > 0:  # a divisor is not multiplied by what stands above it
                    for chosen in _subsets([*node.parts[:at], *node.parts[at + 1 :]]):
                        by = _total("*", chosen), leaves(*(factor for _, factor in chosen))
                        around += [by, *((by[0] * value, by[1] + numbers) for value, numbers in scales)]
                self.walk(part, tuple(around[:MAX_FACTORS]), depth + 1)

    def add(self, value: Fraction, numbers: Leaves, scales: Iterable[Scale]) -> None:
        self.count += 1
        self.ways.setdefault(abs(value), set()).add(numbers)
        for by, more in scales:
            self.count += 1
            self.ways.setdefault(abs(value * by), set()).add(tuple(sorted(numbers + more)))

    def take_out(self, node: Node, scales: tuple[Scale, ...], depth: int) -> None:
        """a * c + b * c is (a + b) * c: the sums of what a common factor multiplies."""
        shared: dict[tuple[int, Fraction], list[tuple[int, Node]]] = {}
        for sign, part in node.parts:
            factors = _factors(part)
            for at, (exponent, factor) in enumerate(factors):
                rest = [*factors[:at], *factors[at + 1 :]]
                rest_node = join("*", rest) if rest else Node(Fraction(1))
                shared.setdefault((exponent, factor.value), []).append((sign, rest_node))
        for (exponent, value), rests in shared.items():
            if len(rests) > 1 and value not in (0, 1) and depth < 6:
                scale = (value if exponent > 0 else 1 / value), (_leaf(value),)
                self.walk(join("+", rests), (*scales, scale), depth + 6)


# --- a whole solution ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One sum of a solution: where it arrives, the numbers in it, its operations ("+-" sorted), and all that it is made of."""

    value: Fraction
    operands: Leaves
    operations: str
    leaves: Leaves


@dataclass(frozen=True)
class Path:
    """One solution of a problem as values. `steps` are what its lines arrive at; `answer` is None where it ends in none.

    `ways` holds, for each value on a valid way, the numbers that it may be made of.
    """

    answer: Fraction | None
    steps: tuple[Step, ...]
    stated: frozenset[Fraction]
    ways: dict[Fraction, set[Leaves]]
    given: frozenset[Fraction]
    implied: frozenset[Fraction]
    mentioned: frozenset[Fraction] = frozenset()  # in the solution, without being worked out
    words: tuple[tuple[Fraction, frozenset[str]], ...] = ()  # what the words of each step are, and where it arrives
    names: tuple[tuple[Fraction, frozenset[str]], ...] = ()  # and those that say what its result counts
    _rounded: frozenset[Fraction] = field(default=frozenset(), repr=False)

    @cached_property
    def known(self) -> frozenset[Fraction]:
        """Every value on a way that we know."""
        return self.stated | self.ways.keys() | self.given

    def place(self, value: Fraction) -> Place | None:
        """Where a value stands, None for one that lies on no valid way that we know."""
        value = abs(value)
        if value in self.stated:
            return Place.STATED
        if value in self.ways:
            return Place.REGROUPED
        if value in self.given or value in self.mentioned:
            return Place.GIVEN
        if value in self.implied:
            return Place.IMPLIED
        return Place.REGROUPED if value.denominator > 1 and _round(value) in self._rounded else None

    def knows(self, value: Fraction) -> bool:
        """Whether a student may write a value down without working it out."""
        return abs(value) in self.given or abs(value) in self.implied or abs(value) in self.mentioned

    def is_way(self, value: Fraction, numbers: Leaves) -> bool:
        """Whether a value is made of these numbers on a valid way."""
        return numbers in self.ways.get(abs(value), ())

    def most_like(self, text: str) -> tuple[Fraction | None, float]:
        """(where the step arrives that is worded most like a text, how like it is from 0 to 1)."""
        return _most_like(content_words(text), self.words)

    def most_named_like(self, text: str) -> tuple[Fraction | None, float]:
        """(where the step arrives whose result is named most like that of a text, how like it is from 0 to 1)."""
        return _most_like(content_words(name_of_result(text)), self.names)


def _round(value: Fraction) -> Fraction:
    return round(value, 2)


def find_path(problem: str, solution: Sequence[str], answer: Fraction | None = None) -> Path:
    """The path of a solution, a step a line. `answer` where it is known; else the value of the last step."""
    asked = read_line(problem.replace("\n", " "))
    given = {abs(value) for value in asked.numbers}
    if "%" in problem or "percent" in problem:
        given |= {value * 100 for value in given if value < 1}
    regrouping = _Regrouping()
    steps: list[Step] = []
    stated: set[Fraction] = set()
    mentioned: set[Fraction] = set()
    words: list[tuple[Fraction, frozenset[str]]] = []
    names: list[tuple[Fraction, frozenset[str]]] = []
    known = Known(given)
    for line in map(read_line, solution):
        mentioned.update(map(abs, line.told))
        stated.update(map(abs, line.results))
        for total in line.sums:
            stated.add(abs(total.value))
            trees = known.trees(total.expression)
            steps.append(read_step(total, trees[0] if trees else None))
            for node in trees:
                regrouping.walk(node, ())
        known.take(line)
        if line.sums or line.results:
            arrived = abs(line.sums[-1].value if line.sums else line.results[-1])
            words.append((arrived, content_words(line.text)))
            names.append((arrived, content_words(name_of_result(line.text))))
    if answer is None and steps:
        answer = steps[-1].value
    if answer is not None:
        stated.add(abs(answer))
    common = implied(problem) | {Fraction(1), Fraction(100)} | {1 / value for value in given if value}
    # What is left of a share or a percentage, and what a rise or fall by it multiplies with.
    for share in [value for value in given if 0 < value < 1]:
        common |= {1 - share, 1 + share, 100 * (1 - share), 100 * (1 + share), 100 * share}
    every = {value for value in (*regrouping.ways, *stated) if value.denominator > 1}
    return Path(
        answer, tuple(steps), frozenset(stated), regrouping.ways, frozenset(given), frozenset(common),
        frozenset(mentioned), tuple(words), tuple(names), frozenset(map(_round, every)),
    )  # fmt: skip


def read_step(total: Sum, tree: Node | None) -> Step:
    operands = tuple(sorted(map(_leaf, map(abs, read_line(total.expression).numbers))))
    operations = "".join(sorted({char for char in total.expression if char in "+-*/"}))
    return Step(abs(total.value), operands, operations, leaves(tree) if tree else operands)


def _most_like(
    words: frozenset[str], steps: Iterable[tuple[Fraction, frozenset[str]]]
) -> tuple[Fraction | None, float]:
    best: tuple[Fraction | None, float] = (None, 0.0)
    for value, others in steps:
        likeness = len(words & others) / max(1, len(words | others))
        if likeness > best[1]:
            best = value, likeness
    return best


_AFTER_RESULT = re.compile(r"=\s*\$?\s*[\d.,/]+\s*%?([^=\d]*)$")
_BEFORE_SUM = re.compile(r"^[^=\d]*")


def name_of_result(text: str) -> str:
    """The words that say what a line's result counts: what follows "= 20", else what stands before the first number."""
    after = _AFTER_RESULT.search(text)
    if after and content_words(after[1]):
        return after[1]
    return _BEFORE_SUM.match(text).group()


class Known:
    """The values that lines have arrived at so far, as trees: a number in a sum may be one of them or one that was given."""

    def __init__(self, given: set[Fraction] | frozenset[Fraction]):
        self.given = given
        self.nodes: dict[Fraction, Node] = {}

    def trees(self, expression: str) -> list[Node]:
        """The ways to read an expression: every known value put in, only those that the problem does not give, none."""
        new = {value: node for value, node in self.nodes.items() if value not in self.given}
        found: list[Node] = []
        for known in (self.nodes, new, {}):
            node = parse(expression, known)
            if node is not None and node not in found:
                found.append(node)
        return found

    def take(self, line: Line) -> None:
        """Remember what a line arrives at; of "10 / 3 = 3.33" the 3.33 as well, for later lines go on from it."""
        for total in line.sums:
            node = parse(total.expression, {v: n for v, n in self.nodes.items() if v != total.value})
            if node is None:
                continue
            self.nodes[total.value] = node
            for result in line.results:
                if result != total.value and abs(result - total.value) < max(Fraction(1), abs(total.value) / 50):
                    self.nodes.setdefault(result, Node(result))


_SMALL_WORDS = frozenset(
    "a an the of to in on at for and or but is are was were be been has have had he she it they we you his her its their him them "
    "so that this there then than as with by from each per if since because therefore thus will would can one two".split()
)
_WORD = re.compile(r"[^\W\d_]{2,}")


def content_words(text: str) -> frozenset[str]:
    """The words of a text that say what it is about, without endings."""
    words = (match.group().lower() for match in _WORD.finditer(text))
    return frozenset(re.sub(r"(?:ies|es|s|ing|ed)$", "", word) for word in words if word not in _SMALL_WORDS)


def lines_of(solution: str) -> list[str]:
    """The steps of a written solution: its lines that say something."""
    return [line for line in solution.split("\n") if any(map(str.isalnum, line))]
