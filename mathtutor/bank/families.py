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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mathtutor.bank.expressions import compile_expression, whole
from mathtutor.bank.language import (
    WORDS,
    Noun,
    Person,
    Rendering,
    compile_text,
    picker,
    render,
    show_fraction,
    show_number,
)

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
OPTIONAL = ("let", "require", "extras", "answer_form")

EXTRA_SHARE = 0.2  # share of instances with a useless sentence, in families that have some
MAX_DRAWS = 2000
HINTS = ("asked", "understand", "plan", "set_up")
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
    as_fraction: bool = False  # whether the answer is written 3/4 and not 0.75

    @property
    def shown_answer(self) -> str:
        return show_fraction(self.answer) if self.as_fraction else show_number(whole(self.answer))


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
        except UnicodeDecodeError as error:
            raise BankError(f"{file.name} is not UTF-8: byte {error.start} is no text; save the file as UTF-8") from error
        except yaml.YAMLError as error:
            raise BankError(f"{file.name} is not YAML: {error}") from error
        if not isinstance(raw, list):
            raise BankError(f"{file.name} must be a list of entries, each with its id (- id: ...), not {raw!r:.60}")
        for fields in raw:
            item = make(fields, file.name)
            if item.id in items:
                raise BankError(f"{file.name}: the id {item.id} is used twice")
            items[item.id] = item
    return items


def one_of(value: Any, known: tuple[str, ...] | list[str], what: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {what} {value!r}: use {', '.join(known)}")
    return value


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} must be a text in quotes")
    return value


def list_of(value: Any, least: int = 0) -> list:
    if not isinstance(value, list):
        raise ValueError(f"must be a list (- ...), not {value!r:.60}")
    if len(value) < least:
        raise ValueError(f"has {len(value)}, needs {least}")
    return value


def mapping_of(value: Any) -> dict:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"must be a mapping (name: ...), not {value!r:.60}")
    return value or {}


class Told:
    """The numbers that texts say: some always, others by the value of a variable."""

    def __init__(self, texts: list[str], variables: list[str]):
        references = [reference for text in texts for reference in re.findall(r"\{([^}]*)\}", text)]
        shown = {reference.partition(":")[0] for reference in references}  # {n|is|are} and {box@n} do not show n
        self.names = [name for name in variables if name in shown]
        fixed = " ".join(re.sub(r"\{\w+([^|}]*)\}|\{\w+\|([^}]*)\}", r" \2 ", text) for text in texts)
        self.values = {whole(Fraction(number)) for number in NUMBER.findall(fixed)}
        self.values |= {number for number, word in enumerate(WORDS) if re.search(rf"\b{word}\b", fixed, re.IGNORECASE)}

    def tells(self, values: dict[str, Any], *secrets: int | Fraction | None) -> bool:
        """Whether one of the secrets is among the numbers, as it is or below zero."""
        for secret in secrets:
            if secret is not None and (abs(secret) in self.values or self.names and abs(secret) in [abs(values[name]) for name in self.names]):
                return True
        return False


class Family:
    """One kind of problem. All texts and expressions are compiled when it is read."""

    def __init__(self, fields: dict[str, Any], file: str = ""):
        self._where = f"{file}: " if file else ""
        if not isinstance(fields, dict):
            raise BankError(f"{self._where}a family must be a mapping, not {fields!r:.60}")
        self.id = fields.get("id")
        if not isinstance(self.id, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise BankError(f"{self._where}id: {self.id!r:.60} must be kebab-case, as in fruit-stand-two-kinds")
        self._where += f"{self.id}: "
        missing = [name for name in REQUIRED if name not in fields]
        unknown = [name for name in fields if name not in (*REQUIRED, *OPTIONAL)]
        if missing or unknown:
            raise BankError(f"{self._where}missing {missing}, unknown {unknown}")
        self._read(fields)

    @contextmanager
    def _of(self, field: str) -> Iterator[None]:
        """Whatever is wrong in here is said of that field."""
        try:
            yield
        except BankError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            raise BankError(f"{self._where}{field}: {error}") from error

    def _read(self, fields: dict[str, Any]) -> None:
        with self._of("topic"):
            self.topic = one_of(fields["topic"], TOPICS, "topic")
        with self._of("grade"):
            self.grade = fields["grade"]
            if type(self.grade) is not int or not 1 <= self.grade <= 8:
                raise ValueError(f"grade must be 1 to 8, not {self.grade!r}")
        for name in ("skill", "standard"):
            with self._of(name):
                setattr(self, name, text_of(fields[name]))
        with self._of("answer_form"):
            self._as_fraction = one_of(fields.get("answer_form", "decimal"), ("decimal", "fraction"), "form of an answer") == "fraction"

        self._kinds: dict[str, str] = {}
        self._draws = []
        with self._of("variables"):
            variables = mapping_of(fields["variables"])
        for name, spec in variables.items():
            with self._of(f"variables: {name}"):
                self._draws.append(self._draw(name, spec))
        self._lets = []
        with self._of("let"):
            lets = mapping_of(fields.get("let"))
        for name, expression in lets.items():
            with self._of(f"let: {name}"):
                self._lets.append((name, compile_expression(expression, self._kinds.keys())))
                self._kinds[name] = "number"
        names = self._kinds.keys()
        self._numbers = [name for name, kind in self._kinds.items() if kind == "number"]
        with self._of("answer"):
            self._answer = compile_expression(fields["answer"], names)
        with self._of("require"):
            self._requirements = [compile_expression(text, names) for text in list_of(fields.get("require") or [])]

        with self._of("wordings"):
            self.sources = [text_of(text) for text in list_of(fields["wordings"], 5)]  # as the file has them
            self.wordings = [compile_text(text, self._kinds) for text in self.sources]
        with self._of("extras"):
            self.extras = [self._text(text) for text in list_of(fields.get("extras") or [])]
        with self._of("steps"):
            steps = [step if isinstance(step, list) else [step] for step in list_of(fields["steps"], 1)]
            self.steps = [[self._text(text) for text in list_of(step, 1)] for step in steps]
        with self._of("unit"):
            self._unit = self._text(fields["unit"])
        for name in HINTS:
            with self._of(name):
                setattr(self, f"_{name}", self._text(fields[name]))
        self._mistakes = []
        with self._of("mistakes"):
            mistakes = list_of(fields["mistakes"], 2)
        for number, mistake in enumerate(mistakes, 1):
            with self._of(f"mistakes: number {number}"):
                if sorted(mapping_of(mistake)) != ["kind", "says", "value"]:
                    raise ValueError(f"needs value, kind and says, not {', '.join(map(str, mistake)) or 'nothing'}")
                one_of(mistake["kind"], MISTAKES, "kind of mistake")
                self._mistakes.append((compile_expression(mistake["value"], names), mistake["kind"], self._text(mistake["says"])))
        self._told = Told([fields[name] for name in HINTS[:3]], self._numbers), Told([mistake["says"] for mistake in mistakes], self._numbers)

    def _text(self, text: Any) -> list:
        return compile_text(text_of(text), self._kinds)

    def _draw(self, name: str, spec: dict[str, Any]):
        """(name, function of (rng, values so far) -> value) for one entry of `variables`."""
        if not isinstance(spec, dict) or len(spec) != 1:
            raise ValueError("needs one kind, as in {int: [2, 9]}")
        (kind, given), lexicon = next(iter(spec.items())), load_lexicon()
        if kind == "int":
            if not isinstance(given, list) or len(given) not in (2, 3) or any(type(part) is not int for part in given):
                raise ValueError(f"needs int: [low, high] or [low, high, step], not {given}")
            choices = range(given[0], given[1] + 1, *given[2:])
            if not choices:
                raise ValueError(f"has the empty range {given}: write low before high")
            self._kinds[name] = "number"
            return name, picker(choices)
        if kind == "money":
            low, high, step = (Fraction(str(part)) for part in list_of(given, 3)) if isinstance(given, list) and len(given) == 3 else (1, 0, 0)
            if low > high or step <= 0:
                raise ValueError(f"needs money: [low, high, step], not {given}")
            self._kinds[name] = "number"
            return name, picker([whole(low + step * number) for number in range(int((high - low) / step) + 1)])
        if kind == "choose" and all(type(value) in (int, float) for value in list_of(given)):
            self._kinds[name] = "number"
            return name, picker([whole(Fraction(str(value))) for value in given])
        if kind == "choose":
            self._kinds[name] = "word"
            return name, picker([text_of(value) for value in given])
        if kind == "person":
            self._kinds[name] = "person"
            one_of(given, ("any", "she", "he"), "person")
            return name, _distinct([p for p in lexicon["person"] if given in ("any", p.gender)])
        if kind in ("noun", "word"):
            if isinstance(given, list):
                options = [Noun.parse(text_of(text)) if kind == "noun" else text_of(text) for text in given]
            elif isinstance(given, str) and given in lexicon and isinstance(lexicon[given][0], Noun if kind == "noun" else str):
                options = list(lexicon[given])
            else:
                raise ValueError(f"the lexicon has no {kind} list {given!r}")
            self._kinds[name] = kind
            return name, _distinct(options)
        raise ValueError(f"has the unknown kind {kind!r}")

    def _draw_values(self, rng: random.Random) -> tuple[dict[str, Any], Any, list]:
        """Values for which the requirements hold, the answer, and the value of each mistake."""
        for _ in range(MAX_DRAWS):
            values: dict[str, Any] = {}
            name = ""
            try:
                field = "variables: "
                for name, draw in self._draws:
                    values[name] = draw(rng, values)
                field = "let: "
                for name, function in self._lets:
                    values[name] = function(values)
                field, name = "require", ""
                for requirement in self._requirements:  # first: most draws end here, before an answer is worked out
                    if not requirement(values):
                        break
                else:
                    field = "answer"
                    answer = self._answer(values)
                    field = "mistakes"
                    wrong = [function(values) for function, _, _ in self._mistakes]
                    if answer not in wrong:
                        return values, answer, wrong
            except ZeroDivisionError:
                continue
            except (ValueError, TypeError) as error:
                raise BankError(f"{self._where}{field}{name}: {error}") from error
        raise BankError(f"{self._where}require: all of it, and a mistake that is not the answer, held in none of {MAX_DRAWS} draws: widen the ranges")

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
            instance, is_clear = self._draw_instance(rng)
            if is_clear:
                break
        return instance

    def _draw_instance(self, rng: random.Random) -> tuple[Instance, bool]:
        """The next instance of `rng`, and whether its hints and feedback tell nothing that they must not, be it by chance."""
        for _ in range(CLEAR_DRAWS):
            values, answer, wrong = self._draw_values(rng)
            if self._doubles(values, answer, wrong) <= self._meant_doubles:
                break
        prose = Rendering(values, rng, comma=rng.random() < 0.5)
        plain = Rendering(values, rng, comma=False)
        problem = self._say("wordings", rng.choice(self.wordings), prose)
        if self.extras and rng.random() < EXTRA_SHARE:
            problem = insert_sentence(problem, self._say("extras", rng.choice(self.extras), prose))
        steps = tuple(self._say("steps", rng.choice(phrasings), plain) for phrasings in self.steps)
        rung = first_value(steps[0])
        unit = self._say("unit", self._unit, plain)
        asked, understand, plan, set_up = (self._say(name, getattr(self, f"_{name}"), plain) for name in HINTS)
        set_up = without_values(set_up, {answer, rung})
        instance = Instance(
            family=self.id,
            topic=self.topic,
            grade=self.grade,
            skill=self.skill,
            problem=problem,
            steps=steps,
            answer=Fraction(answer),
            unit=unit,
            asked=_lower_first(asked),
            understand=understand,
            plan=plan,
            set_up=set_up,
            mistakes=tuple(
                Mistake(Fraction(value), kind, self._say("mistakes", says, plain))
                for value, (_, kind, says) in zip(wrong, self._mistakes, strict=True)
            ),
            as_fraction=self._as_fraction,
        )
        hints, feedback = self._told
        is_told = hints.tells(values, answer, rung) or feedback.tells(values, answer)
        return instance, not is_told and "?" not in set_up

    def _say(self, field: str, nodes: list, rendering: Rendering) -> str:
        try:
            return render(nodes, rendering)
        except ValueError as error:
            raise BankError(f"{self._where}{field}: {error}") from error


def _distinct(options: list):
    """Draw from `options` a value that the instance does not hold yet."""

    pick = picker(options)

    def draw(rng: random.Random, values: dict[str, Any]) -> Any:
        value = pick(rng)
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


VALUE = re.compile(r"= *(-)?(\d+(?:\.\d+)?(?:/\d+)?)(?: (\d+/\d+))?[^=]*$")


def first_value(step: str) -> int | Fraction | None:
    """What the sum of a step comes to: the number after its last "=", which may be 3/4 or 1 1/2."""
    match = VALUE.search(step)
    if match is None:
        return None
    sign, number, part = match.groups()
    value = int(number) if number.isdecimal() else Fraction(number)
    if part:
        value += Fraction(part)
    return -value if sign else value


def without_values(hint: str, values: set[int | Fraction | None]) -> str:
    """`hint` with "?" for every number that happens to be one of `values`: in "8 - 4 = ▢" the 4 would tell."""
    sizes = {abs(value) for value in values if value is not None}
    return NUMBER.sub(lambda m: "?" if (Fraction(m[0]) if "." in m[0] else int(m[0])) in sizes else m[0], hint)


ASKS = re.compile(r"(?:Find|Work out|Give|Calculate|Answer|Tell|Say|Write|Figure out)\b")
LEANING = re.compile(
    r"(?:Of (?:them|these|those),? )?[Hh]ow many (?:more |fewer )?(?:are|is|do|does|did|were|was|can|could|will|would|must|has|have)\b"
    r"|(?:[Hh]ow (?:much|long|far|warm)|What) (?:\w+ ){0,4}(?:it|they)\b|[^,]*\b(?:of (?:them|these|those)|did they|do they|are they|were they)\b"
)
SENTENCES = re.compile(r"(.*\.[\"”)]?) (.*)", re.DOTALL)  # all of them, and the last; a speech ends after its mark


def insert_sentence(problem: str, sentence: str) -> str:
    """Put `sentence` before the last sentence when that is the question, else at the end.

    A problem that is one single question stays as it is: nobody adds a remark to that. Nor does a speech take one in, nor a
    question that leaves its noun to the sentence before: "The shop is full of people. How many of them can she buy?"
    """
    split = SENTENCES.fullmatch(problem)
    head, last = split.groups() if split else ("", problem)
    if (head.count('"') + head.count("“") + head.count("”")) % 2:
        return problem
    if split and LEANING.match(last):
        return problem
    if split and (last.endswith("?") and "? " not in last or ASKS.match(last)):
        return f"{head} {sentence} {last}"
    return problem if problem.endswith("?") else f"{problem} {sentence}"
