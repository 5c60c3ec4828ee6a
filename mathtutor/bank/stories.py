"""Stories with several questions: the same facts, asked about in different ways.

    stories = load_stories()
    story = stories["market-eggs"]
    telling = story.tell(seed=0, index=7)
    telling.problem   # "Rosa collects 14 eggs and sells 6 of them. ... How many eggs does Rosa have left?"
    telling.steps     # ("Rosa has 14 - 6 = 8 eggs left.",)

A family of the bank is one question with everything a tutor knows about it; a story is lighter and teaches
reading: what decides is the question, and which of the facts it needs. The file format is described in
`assets/bank/README.md`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from mathtutor.bank.expressions import compile_expression, whole
from mathtutor.bank.families import FOLDER, BankError, _distinct, load_lexicon, read_files
from mathtutor.bank.language import Noun, Rendering, compile_text, render, show_number

STORIES = FOLDER / "stories"
MAX_DRAWS = 400
RANGE = re.compile(r"(-?\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?")
NAME = re.compile(r"[A-Za-z_]\w*")
SUM = re.compile(r"<(?:([a-z]\w*) = )?([^<>]+)>")


@dataclass(frozen=True)
class Telling:
    """One problem of a story. `question` is the place of what is asked among the story's questions."""

    story: str
    question: int
    problem: str
    steps: tuple[str, ...]
    answer: Fraction

    @property
    def shown_answer(self) -> str:
        return show_number(whole(self.answer))


@dataclass
class _Step:
    text: list  # compiled, with {_0}, {_1} ... where sums stand
    sums: list[tuple[str, str, Any]]  # (name or "", source, function of values)


class Story:
    """One story, compiled. Raises BankError that names the story and the fault."""

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
            raise BankError(f"{self._where}: a story must be a mapping, not {fields!r:.60}")
        if unknown := [name for name in fields if name not in ("id", "vars", "if", "tell", "asks")]:
            raise BankError(f"{self._where}: unknown {unknown}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise BankError(f"{self._where}: the id must be kebab-case")
        self._kinds: dict[str, str] = {}
        self._draws = [(name, self._draw(name, spec)) for name, spec in (fields["vars"] or {}).items()]
        self._numbers = [name for name, kind in self._kinds.items() if kind == "number"]
        conditions = fields.get("if") or []
        self._conditions = [
            compile_expression(c, self._kinds.keys()) for c in ([conditions] if isinstance(conditions, str) else conditions)
        ]
        tell = fields["tell"]
        self._tellings = [compile_text(text, self._kinds) for text in ([tell] if isinstance(tell, str) else tell)]
        self._asks = [self._ask(ask) for ask in fields["asks"]]
        if not self._asks:
            raise BankError(f"{self._where}: asks nothing")

    def _draw(self, name: str, spec: Any):
        """A function of (rng, values so far) for one entry of `vars`."""
        lexicon = load_lexicon()
        if spec in ("she", "he", "any"):
            self._kinds[name] = "person"
            return _distinct([p for p in lexicon["person"] if spec in ("any", p.gender)])
        if isinstance(spec, int | float) and not isinstance(spec, bool):
            spec = [spec]
        if isinstance(spec, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in spec):
            options = [whole(Fraction(str(v))) for v in spec]
            self._kinds[name] = "number"
            return lambda rng, values: rng.choice(options)
        if isinstance(spec, list):
            self._kinds[name] = "word"
            return _distinct([str(v) for v in spec])
        if not isinstance(spec, str):
            raise BankError(f"{self._where}: variable {name} is {spec!r}: write 2-9, she, [red, blue] or apple, pear")
        if match := RANGE.fullmatch(spec.replace(" ", "")):
            low, high, step = Fraction(match[1]), Fraction(match[2]), Fraction(match[3] or 1)
            if low > high or step <= 0:
                raise BankError(f"{self._where}: variable {name} has the empty range {spec}")
            count = int((high - low) / step)
            self._kinds[name] = "number"
            return lambda rng, values: whole(low + step * rng.randint(0, count))
        self._kinds[name] = "noun"
        if spec.startswith("@"):
            if not isinstance(lexicon.get(spec[1:], (None,))[0], Noun):
                raise BankError(f"{self._where}: the lexicon has no noun list {spec!r}")
            return _distinct(list(lexicon[spec[1:]]))
        return _distinct([Noun.parse(noun.strip()) for noun in spec.split(",")])

    def _ask(self, ask: dict[str, Any]) -> tuple[list, list[_Step]]:
        if set(ask) != {"q", "s"}:
            raise BankError(f"{self._where}: a question has q and s, not {sorted(ask)}")
        known = dict(self._kinds)
        steps = []
        for text in [ask["s"]] if isinstance(ask["s"], str) else ask["s"]:
            sums: list[tuple[str, str, Any]] = []

            def take(match: re.Match, sums=sums) -> str:
                name, source = match[1] or "", " ".join(match[2].split())
                for token in NAME.findall(source):
                    if known.get(token) != "number":
                        raise BankError(f"{self._where}: <{source}> uses {token!r}, which is no number known here")
                if name in self._kinds:  # the text would then tell what the step finds
                    raise BankError(f"{self._where}: <{name} = {source}> gives {name!r} another value: take a free name")
                sums.append((name, source, compile_expression(source, known.keys())))
                if name:
                    known[name] = "number"
                return f"{{_{len(sums) - 1}}}"

            marked = SUM.sub(take, text)
            if not sums:
                raise BankError(f"{self._where}: the step {text!r} has no sum: write <a + b>")
            kinds = known | {f"_{i}": "word" for i in range(len(sums))}
            steps.append(_Step(compile_text(marked, kinds), sums))
        if not steps:
            raise BankError(f"{self._where}: a question has no steps")
        return compile_text(ask["q"], self._kinds), steps

    @cached_property
    def num_questions(self) -> int:
        return len(self._asks)

    def _values(self, rng: random.Random, steps: list[_Step], least: int) -> dict[str, Any] | None:
        """Values with which every sum of `steps` is at least `least` or a positive fraction, whole where its numbers are, no two given alike."""
        values: dict[str, Any] = {}
        for name, draw in self._draws:
            values[name] = draw(rng, values)
        given = [values[name] for name in self._numbers]
        if len(set(given)) < len(given) or not all(condition(values) for condition in self._conditions):
            return None
        for step in steps:
            for name, source, function in step.sums:
                result = function(values)
                if result <= 0 or isinstance(result, int) and result < least:
                    return None
                if isinstance(result, Fraction):
                    has_parts = "." in source or any(isinstance(values[n], Fraction) for n in NAME.findall(source))
                    if not has_parts or (result * 100).denominator != 1:
                        return None
                if name:
                    values[name] = result
        return values

    def tell(self, seed: int, index: int, question: int | None = None) -> Telling:
        """Telling `index` of the stream `seed`: questions in turn, unless one is named. Raises BankError when no draw fits."""
        question = index % len(self._asks) if question is None else question
        rng = random.Random(f"{seed}:{self.id}:{index}:{question}")
        asked, steps = self._asks[question]
        for draw in range(MAX_DRAWS):
            try:
                values = self._values(rng, steps, least=2 if draw < MAX_DRAWS // 2 else 1)  # "1 apples are left" is no English
            except ZeroDivisionError:
                continue
            except (ValueError, TypeError) as error:
                raise BankError(f"{self._where}: {error}") from error
            if values is not None:
                break
        else:
            raise BankError(f"{self._where}: question {question + 1}: no fitting numbers in {MAX_DRAWS} draws: widen or change the ranges")
        prose = Rendering(values, rng, comma=rng.random() < 0.5)
        facts = render(rng.choice(self._tellings), prose)
        if "..." in facts:  # the place of the question
            problem = render([facts.replace("...", render(asked, prose))], prose)
        else:
            problem = f"{facts} {render(asked, prose)}"
        lines = []
        for step in steps:
            plain_values = dict(values)
            for place, (name, source, function) in enumerate(step.sums):
                value = function(values)
                plain_values[f"_{place}"] = f"{_with_numbers(source, values)} = {show_number(value)}"
                if name:
                    plain_values[name] = value
            lines.append(render(step.text, Rendering(plain_values, rng, comma=False)))
        return Telling(self.id, question, problem, tuple(lines), Fraction(value))


def _with_numbers(source: str, values: dict[str, Any]) -> str:
    """ "a + b * 2" with the variables' values in their places; "1000.0", which allows for a decimal, is shown as 1000."""
    return re.sub(r"\b(\d+)\.0\b", r"\1", NAME.sub(lambda m: show_number(values[m[0]]), source))


def load_stories(path: str | Path = STORIES) -> dict[str, Story]:
    """All stories of a folder (or one file), by id. Raises BankError for the first broken one."""
    return read_files(path, Story)
