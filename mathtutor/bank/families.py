"""Families of word problems: read from YAML, instantiated from (seed, index) alone.

    bank = load_bank()
    instance = bank["fruit-stand-two-kinds"].instantiate(seed=0, index=7)
    instance.problem   # "Ana buys 3 apples at $2 each and 4 plums at $1.50 each. How much ..."
    instance.steps     # ("The apples cost 3 * 2 = 6 dollars.", ...)
    instance.answer    # Fraction(12)

An instance draws its variables until the family's requirements hold; its answer is computed from
them. The schema is described in `assets/bank/README.md`.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mathtutor.bank.expressions import compile_expression, whole
from mathtutor.bank.language import Noun, Person, Rendering, compile_text, render, show_number

Item = TypeVar("Item")
FOLDER = Path(__file__).resolve().parents[2] / "assets" / "bank"
TOPICS = (
    "shopping money cooking time travel sharing ages rates geometry averages ratios fractions comparison "
    "remainders measurement schedules farms sports school savings reverse equations percent probability "
    "reading collections weather garden work conversion restaurant crafts games music health parties building "
    "camping pets business"
).split()
MISTAKES = (
    "misread-question extra-quantity missing-quantity wrong-operation calculation unit went-too-far stopped-early"
).split()
REQUIRED = (
    "id topic grade standard skill variables answer unit asked wordings steps understand plan set_up mistakes"
).split()
OPTIONAL = ("let", "require", "extras")

EXTRA_SHARE = 0.2  # share of instances with a useless sentence, in families that have some
MAX_DRAWS = 2000
CLEAR_DRAWS = 20  # to find values in which neither answer nor mistake is by chance another quantity; small ranges have none
HELD_OUT_ONE_IN = 5
VALIDATION_ONE_IN = 25  # of the rest


class BankError(ValueError):
    """A family that cannot be used; the message names the family, the field and the fix."""


@dataclass(frozen=True)
class Mistake:
    """A typical wrong way: the answer it gives, its kind, and one kind sentence."""

    value: Fraction
    kind: str
    says: str


@dataclass(frozen=True)
class Instance:
    """One problem of a family with everything a tutor knows about it."""

    family: str
    topic: str
    grade: int
    skill: str
    problem: str
    steps: tuple[str, ...]  # without "Step 1: "
    answer: Fraction
    unit: str
    asked: str
    understand: str
    plan: str
    set_up: str
    mistakes: tuple[Mistake, ...]

    @property
    def shown_answer(self) -> str:
        return show_number(whole(self.answer))


def is_held_out(family_id: str) -> bool:
    """Whether a family is kept from training: decided by the hash of its id, once and for all."""
    return int(hashlib.sha256(family_id.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def is_validation(family_id: str) -> bool:
    """Whether a family that is not held out is kept for the validation loss: neither trained on nor scored."""
    digest = int(hashlib.sha256(f"validation:{family_id}".encode()).hexdigest(), 16)
    return not is_held_out(family_id) and digest % VALIDATION_ONE_IN == 0


def split_of(family_id: str) -> str:
    """ "held-out", "validation" or "train": where a family belongs, by the hash of its id alone."""
    return "held-out" if is_held_out(family_id) else "validation" if is_validation(family_id) else "train"


@cache
def load_lexicon(path: Path = FOLDER / "lexicon.yml") -> dict[str, tuple]:
    """The word lists: "person" holds Person values, noun lists hold Noun values, word lists strings."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    lexicon: dict[str, tuple] = {
        "person": tuple(Person(name, gender) for gender in ("she", "he") for name in raw["person"][gender].split())
    }
    for name, text in raw["nouns"].items():
        lexicon[name] = tuple(Noun.parse(noun.strip()) for noun in text.split(","))
    for name, text in raw["words"].items():
        lexicon[name] = tuple(word.strip() for word in text.split(","))
    return lexicon


def load_bank(path: str | Path = FOLDER) -> dict[str, Family]:
    """All families of a folder (or one file), by id. Raises BankError for the first broken one."""
    return read_files(path, Family)


def read_files(path: str | Path, make: Callable[[Any, str], Item]) -> dict[str, Item]:
    """What `make` reads from each entry of a folder's YAML files (or of one file), by id. Raises BankError for the first broken one."""
    path = Path(path)
    items: dict[str, Item] = {}
    for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
        try:
            raw = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise BankError(f"{file.name} is not YAML: {error}") from error
        for fields in raw or []:
            item = make(fields, file.name)
            if item.id in items:
                raise BankError(f"{file.name}: the id {item.id} is used twice")
            items[item.id] = item
    return items


class Family:
    """One kind of problem. All texts and expressions are compiled when it is read."""

    def __init__(self, fields: dict[str, Any], file: str = ""):
        self.id = str(fields.get("id", "?")) if isinstance(fields, dict) else "?"
        self._where = f"{file}: {self.id}"
        try:
            self._read(fields)
        except BankError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BankError(f"{self._where}: {error}") from error

    def _read(self, fields: dict[str, Any]) -> None:
        if not isinstance(fields, dict):
            raise BankError(f"{self._where}: a family must be a mapping, not {fields!r:.60}")
        missing = [name for name in REQUIRED if name not in fields]
        unknown = [name for name in fields if name not in (*REQUIRED, *OPTIONAL)]
        if missing or unknown:
            raise BankError(f"{self._where}: missing {missing}, unknown {unknown}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise BankError(f"{self._where}: the id must be kebab-case")
        if fields["topic"] not in TOPICS:
            raise BankError(f"{self._where}: unknown topic {fields['topic']!r}")
        self.topic, self.grade, self.skill = fields["topic"], fields["grade"], fields["skill"]
        self.standard = str(fields["standard"])
        if not isinstance(self.grade, int) or not 1 <= self.grade <= 8:
            raise BankError(f"{self._where}: grade must be 1 to 8")

        self._kinds: dict[str, str] = {}
        self._draws = [self._draw(name, spec) for name, spec in (fields["variables"] or {}).items()]
        self._lets = []
        for name, expression in (fields.get("let") or {}).items():
            self._lets.append((name, compile_expression(expression, self._kinds.keys())))
            self._kinds[name] = "number"
        names = self._kinds.keys()
        self._numbers = [name for name, kind in self._kinds.items() if kind == "number"]
        self._answer = compile_expression(fields["answer"], names)
        self._requirements = [compile_expression(text, names) for text in fields.get("require") or []]

        self.wordings = [self._text(text) for text in fields["wordings"]]
        self.extras = [self._text(text) for text in fields.get("extras") or []]
        self.steps = [
            [self._text(text) for text in (step if isinstance(step, list) else [step])] for step in fields["steps"]
        ]
        self._unit = self._text(fields["unit"] or "")
        self._asked, self._understand, self._plan, self._set_up = (
            self._text(fields[name]) for name in ("asked", "understand", "plan", "set_up")
        )
        self._mistakes = []
        for mistake in fields["mistakes"]:
            if mistake["kind"] not in MISTAKES:
                raise BankError(f"{self._where}: unknown kind of mistake {mistake['kind']!r}: use {', '.join(MISTAKES)}")
            self._mistakes.append(
                (compile_expression(mistake["value"], names), mistake["kind"], self._text(mistake["says"]))
            )
        if len(self.wordings) < 5:
            raise BankError(f"{self._where}: has {len(self.wordings)} wordings, needs 5")
        if len(self._mistakes) < 2:
            raise BankError(f"{self._where}: has {len(self._mistakes)} mistakes, needs 2")

    def _text(self, text: Any) -> list:
        if not isinstance(text, str):
            raise BankError(f"{self._where}: {text!r} must be a text in quotes")
        return compile_text(text, self._kinds)

    def _draw(self, name: str, spec: dict[str, Any]):
        """(name, function of (rng, values so far) -> value) for one entry of `variables`."""
        if not isinstance(spec, dict) or len(spec) != 1:
            raise BankError(f"{self._where}: variable {name} needs one kind, as in {{int: [2, 9]}}")
        (kind, given), lexicon = next(iter(spec.items())), load_lexicon()
        if kind == "int":
            low, high, *step = given
            choices = range(low, high + 1, step[0] if step else 1)
            if not choices:
                raise BankError(f"{self._where}: variable {name} has the empty range {given}: write low before high")
            self._kinds[name] = "number"
            return name, lambda rng, values: rng.choice(choices)
        if kind == "money":
            low, high, step = (Fraction(str(part)) for part in given)
            if low > high or step <= 0:
                raise BankError(f"{self._where}: variable {name} needs money: [low, high, step], not {given}")
            count = int((high - low) / step)
            self._kinds[name] = "number"
            return name, lambda rng, values: whole(low + step * rng.randint(0, count))
        if kind == "choose":
            if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given):
                options = [whole(Fraction(str(value))) for value in given]
                self._kinds[name] = "number"
            else:
                options = [str(value) for value in given]
                self._kinds[name] = "word"
            return name, lambda rng, values: rng.choice(options)
        if kind == "person":
            people = [p for p in lexicon["person"] if given in ("any", p.gender)]
            self._kinds[name] = "person"
            return name, _distinct(people)
        if kind in ("noun", "word"):
            if isinstance(given, list):
                options = [Noun.parse(text) for text in given] if kind == "noun" else [str(text) for text in given]
            elif given in lexicon and isinstance(lexicon[given][0], Noun if kind == "noun" else str):
                options = list(lexicon[given])
            else:
                raise BankError(f"{self._where}: the lexicon has no {kind} list {given!r}")
            self._kinds[name] = kind
            return name, _distinct(options)
        raise BankError(f"{self._where}: variable {name} has the unknown kind {kind!r}")

    def _draw_values(self, rng: random.Random) -> tuple[dict[str, Any], Any, list]:
        """Values for which the requirements hold, the answer, and the value of each mistake."""
        for _ in range(MAX_DRAWS):
            values: dict[str, Any] = {}
            try:
                for name, draw in self._draws:
                    values[name] = draw(rng, values)
                for name, function in self._lets:
                    values[name] = function(values)
                answer = self._answer(values)
                wrong = [function(values) for function, _, _ in self._mistakes]
                if answer not in wrong and all(requirement(values) for requirement in self._requirements):
                    return values, answer, wrong
            except ZeroDivisionError:
                continue
            except (ValueError, TypeError) as error:
                raise BankError(f"{self._where}: {error}") from error
        raise BankError(f"{self._where}: the requirements held in none of {MAX_DRAWS} draws: widen the ranges")

    def _doubles(self, values: dict[str, Any], answer: Any, wrong: list) -> set[tuple[int, str | int]]:
        """(mistake, other) where a mistake's value is also that of a quantity or of another mistake; (-1, other) for the answer."""
        found = {(i, name) for name in self._numbers for i, value in enumerate((answer, *wrong), -1) if values[name] == value}
        if len(set(wrong)) < len(wrong):
            found |= {(i, j) for i, value in enumerate(wrong) for j in range(i) if wrong[j] == value}
        return found

    @cached_property
    def _meant_doubles(self) -> set[tuple[int, str | int]]:
        """Those that hold in every draw: the two are the same quantity. Others would explain a number falsely, or tell the answer."""
        rng = random.Random(self.id)
        return set.intersection(*(self._doubles(*self._draw_values(rng)) for _ in range(12)))

    def instantiate(self, seed: int, index: int) -> Instance:
        """Instance `index` of the stream `seed`: the same on every machine, whatever came before.

        Raises BankError if the requirements do not hold in 2,000 draws, or a value cannot be computed or printed.
        """
        rng = random.Random(f"{seed}:{self.id}:{index}")
        for _ in range(CLEAR_DRAWS):
            values, answer, wrong = self._draw_values(rng)
            if self._doubles(values, answer, wrong) <= self._meant_doubles:
                break
        prose = Rendering(values, rng, comma=rng.random() < 0.5)
        plain = Rendering(values, rng, comma=False)
        try:
            problem = render(rng.choice(self.wordings), prose)
            if self.extras and rng.random() < EXTRA_SHARE:
                problem = insert_sentence(problem, render(rng.choice(self.extras), prose))
            steps = tuple(render(rng.choice(phrasings), plain) for phrasings in self.steps)
            return Instance(
                family=self.id,
                topic=self.topic,
                grade=self.grade,
                skill=self.skill,
                problem=problem,
                steps=steps,
                answer=Fraction(answer),
                unit=render(self._unit, plain),
                asked=_lower_first(render(self._asked, plain)),
                understand=render(self._understand, plain),
                plan=render(self._plan, plain),
                set_up=without_values(render(self._set_up, plain), {Fraction(answer), first_value(steps[0])}),
                mistakes=tuple(
                    Mistake(Fraction(value), kind, render(says, plain))
                    for value, (_, kind, says) in zip(wrong, self._mistakes, strict=True)
                ),
            )
        except ValueError as error:
            raise BankError(f"{self._where}: {error}") from error


def _distinct(options: list):
    """Draw from `options` a value that the instance does not hold yet."""

    def draw(rng: random.Random, values: dict[str, Any]) -> Any:
        value = rng.choice(options)
        if value in values.values():
            left = [option for option in options if option not in values.values()]
            if not left:
                raise ValueError(f"a list of {len(options)} is too short for the variables that draw from it")
            value = rng.choice(left)
        return value

    return draw


def _lower_first(text: str) -> str:
    """ "The total" -> "the total"; a name keeps its capital."""
    return text[:1].lower() + text[1:] if re.match(r"(The|How|What|A|An|It)\b", text) else text


NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\d)")


def first_value(step: str) -> Fraction | None:
    """What the sum of a step comes to: the number after its last "="."""
    match = re.search(r"= *(-?\d+(?:\.\d+)?)[^=]*$", step)
    return Fraction(match[1]) if match else None


def without_values(hint: str, values: set[Fraction | None]) -> str:
    """`hint` with "?" for every number that happens to be one of `values`: in "8 - 4 = ▢" the 4 would tell."""
    return NUMBER.sub(lambda m: "?" if Fraction(m[0]) in values or -Fraction(m[0]) in values else m[0], hint)


ASKS = re.compile(r"(?:Find|Work out|Give|Calculate|Answer|Tell|Say|Write|Figure out)\b")


def insert_sentence(problem: str, sentence: str) -> str:
    """Put `sentence` before the last sentence when that is the question, else at the end.

    A problem that is one single question stays as it is: nobody adds a remark to that. Nor does a speech take one in.
    """
    head, gap, last = problem.rpartition(". ")
    if (head.count('"') + head.count("“") + head.count("”")) % 2:
        return problem
    if gap and (last.endswith("?") and "? " not in last or ASKS.match(last)):
        return f"{head}. {sentence} {last}"
    return problem if problem.endswith("?") else f"{problem} {sentence}"
