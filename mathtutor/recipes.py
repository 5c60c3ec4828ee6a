"""Recipes: YAML files that hold everything a run needs, read strictly before any work.

    raw = read_recipe("training/recipes/pocket.yaml", ["pretrain.steps=100"])
    problems = []
    recipe = build(Recipe, raw, problems)      # a dataclass of sections; `problems` says all that is wrong
    refuse(path, problems)

Unknown keys, wrong types and doubled keys are refused, all in one message, with a suggestion.
"""

from __future__ import annotations

import difflib
import math
import types
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import yaml


class RecipeError(ValueError):
    """All that is wrong with a recipe, a line each."""


class Range(NamedTuple):
    """The finite numbers from `low` to `high`; with `above` without `low`, with `below` without `high`."""

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return (isinstance(value, int) or math.isfinite(value)) and low and high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"be finite and above {self.low:g}" if self.above else f"be at least {self.low:g}"
        if self.above:
            return f"lie between {self.low:g} and {self.high:g}"
        return f"lie in {self.low:g} to {'below ' * self.below}{self.high:.12g}"


Ranges = typing.Mapping[type, typing.Mapping[str, Range]]


def read_recipe(path: str | Path, overrides: typing.Sequence[str] = (), problems: list[str] | None = None) -> dict:
    """The mapping that a file holds, changed by `overrides` such as "pretrain.steps=100". Raises RecipeError or OSError.

    What is wrong with the overrides is added to `problems`, to be told with all else; without it, raised.
    """
    if not (path := Path(path)).exists() or path.is_dir():
        others = {other.stem: other.name for other in (path if path.is_dir() else path.parent).glob("*.yaml")}
        close = difflib.get_close_matches(path.stem, others, n=1)
        hint = f"did you mean {others[close[0]]}?" if close else f"there are {', '.join(sorted(others.values())) or 'no .yaml files'} there"
        raise RecipeError(f"{path} is {'a folder' if path.is_dir() else 'no file'}: {hint}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8: save the file as UTF-8") from error
    if len(text) > 65536:
        raise RecipeError(f"{path} is larger than 64 KB: that is no recipe")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise RecipeError(f"{path} uses YAML aliases: write the values out")
        raw = yaml.load(text, Loader=_PlainLoader)
    except RecipeError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none, say
        raise RecipeError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{path} must be a mapping")
    wrong = override_values(raw, overrides)
    if problems is None:
        refuse(path, wrong)
    else:
        problems += wrong
    return raw


def override_values(raw: dict, overrides: typing.Sequence[str]) -> list[str]:
    """Change the mapping `raw` by overrides such as "pretrain.steps=100"; what is wrong with them, a line each."""
    return [problem for override in overrides if (problem := _override(raw, override))]


def _override(raw: dict, override: str) -> str:
    """What is wrong with one override, "" if it was followed."""
    name, equals, value = override.partition("=")
    if not equals:
        return f"--set {override!r}: write it as key.key=value"
    if "[" in name:
        whole = name.partition("[")[0]
        return f"--set {override!r}: a part of a list cannot be set: write the list whole, --set '{whole}=[...]', or change it in a copy of the recipe"
    *parents, last = name.split(".")
    target = raw
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            return f"--set {override!r}: {parent!r} is a value, not a section"
    try:
        target[last] = yaml.load(value, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return f"--set {override!r}: the value is not YAML"
    return ""


class _PlainLoader(yaml.SafeLoader):
    """YAML in which a key may stand once, as the second would silently win, and which merges nothing."""

    def construct_mapping(self, node, deep=False):
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError(f"a merge key (<<) is not allowed here: write the values out{node.start_mark}")
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        twice = [key for number, key in enumerate(keys) if keys[:number].count(key) == 1]
        if twice:
            raise yaml.YAMLError(f"key {', '.join(map(str, twice))} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def refuse(path: str | Path, problems: list[str]) -> None:
    """Raise RecipeError with all problems, if there are any."""
    if problems:
        raise RecipeError(f"{path}:\n  " + "\n  ".join(problems))


def build(cls: type, raw: Any, problems: list[str], where: str = "", ranges: Ranges | None = None) -> Any:
    """`raw` as the dataclass `cls`, with its sections; what is wrong is added to `problems`, a line each.

    A wrong value is left at its default, so that the others can be looked at; None where there is none, or a key is
    missing: look at `problems` before the result. `where` is the path of the section, "sft."; `ranges` says of a
    dataclass which values its numbers may have.
    """
    if not isinstance(raw, dict):
        problems.append(f"{where.rstrip('.') or 'recipe'} must be a section, not {_short(raw)}")
        return None
    hints, known = get_type_hints(cls), {f.name: f for f in fields(cls)}
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f": did you mean {close[0]}?" if close else f": known are {', '.join(known)}"
            problems.append(f"unknown key {where}{key}{hint}")
    values = {}
    for name, spec in known.items():
        if name in raw:
            before = len(problems)
            value = _value(hints[name], raw[name], f"{where}{name}", problems, ranges or {})
            allowed = (ranges or {}).get(cls, {}).get(name)
            if len(problems) == before and allowed is not None and not allowed.holds(value):
                problems.append(f"{where}{name} must {allowed}, not {_short(value)}")
                before += spec.default is spec.default_factory  # required: kept, so that the others can be compared
            if len(problems) == before or is_dataclass(value):
                values[name] = value
        elif spec.default is spec.default_factory:  # both MISSING: a required key
            problems.append(f"missing key {where}{name}")
    try:
        return cls(**values)
    except TypeError:
        return None  # a missing key or a wrong value, reported above


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _value(hint: Any, value: Any, where: str, problems: list[str], ranges: Ranges) -> Any:
    if is_dataclass(hint):
        return build(hint, value, problems, where + ".", ranges)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            problems.append(f"{where} must be one of {', '.join(map(str, get_args(hint)))}, not {_short(value)}")
        return value
    if get_origin(hint) is tuple:  # tuple[X, ...]: a list of X
        if not isinstance(value, list):
            problems.append(f"{where} must be a list, not {_short(value)}")
            return ()
        return tuple(_value(get_args(hint)[0], item, f"{where}[{number}]", problems, ranges) for number, item in enumerate(value))
    if get_origin(hint) is types.UnionType and value is not None:
        section = next((kind for kind in get_args(hint) if is_dataclass(kind)), None)
        if section is not None:  # a section that may be left out
            return build(section, value, problems, where + ".", ranges)
    if get_origin(hint) is dict:
        if not isinstance(value, dict) or not all(map(_is_share, value.items())):
            problems.append(f"{where} must map names to numbers of 0 or more, not {_short(value)}")
        return value
    if (hint is float or float in get_args(hint)) and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            problems.append(f"{where} must be finite, not {_short(value)}")
            return value
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        extra = " (YAML reads 1e-4 as text: write 1.0e-4)" if hint is float and isinstance(value, str) else ""
        expected = hint.__name__ if not isinstance(hint, types.UnionType) else str(hint)
        problems.append(f"{where} must be {expected}, not {_short(value)}{extra}")
    return value


def _is_share(item: tuple[Any, Any]) -> bool:
    source, times = item
    is_number = isinstance(times, (int, float)) and not isinstance(times, bool)
    return isinstance(source, str) and is_number and 0 <= times < math.inf
