"""Prompt modes: data in `prompts.yaml`, or in a file of your own, made into conversations here.

    mode = load_mode("few_shot", shots=4)
    mode.conversation("Ana has 3 apples ...")     # system, four pairs of turns, the problem
    mode.max_tokens, mode.thinking, mode.sampling

    python -m eval.modes                          # every mode, verbatim, with an example
    python -m eval.modes cot --yaml > mine.yaml   # a mode as the file that one of your own begins from
    python -m eval.modes file:mine.yaml           # your own, verbatim
"""

from __future__ import annotations

import argparse
import difflib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mathtutor.chat import Conversation, open_reply, render_conversation
from mathtutor.sources import load_source

FILE = Path(__file__).with_name("prompts.yaml")
OWN = Path(__file__).with_name("demonstrations.yaml")
GIVEN = "given"  # the examples stand in the mode's own file
PLACES, SOURCES = ("turns", "system"), ("own", "gsm8k-train", GIVEN)
DEFAULT = "tuned"
FILE_PREFIX = "file:"  # --mode file:PATH.yaml
TEXTS = ("title", "system", "user", "prefill", "answer", "of", "flaw", "sister")
KEYS = (*TEXTS, "demonstrations", "thinking", "max_tokens", "sampling")  # of a file, and of each mode in prompts.yaml


@dataclass(frozen=True)
class Mode:
    """One prompt mode; see the head of `prompts.yaml` for what each field means."""

    name: str
    title: str
    user: str
    max_tokens: int
    answer: str
    system: str | None = None
    prefill: str = ""
    thinking: bool | None = None
    sampling: dict[str, float] = field(default_factory=dict)
    demonstrations: dict[str, Any] | None = None
    shown: tuple[tuple[str, str], ...] = ()  # the demonstrations: (question, answer) texts
    of: str | None = None
    flaw: str | None = None
    sister: str | None = None

    def __post_init__(self):
        if "{question}" not in self.user:
            raise ValueError(f"mode {self.name}: the user's text must hold {{question}}")
        unknown = self.sampling.keys() - {"temperature", "top_p", "top_k"}
        if unknown:
            raise ValueError(f"mode {self.name}: sampling knows temperature, top_p and top_k, not {', '.join(sorted(unknown))}")
        if self.demonstrations is not None:
            place, source = self.demonstrations.get("place"), self.demonstrations.get("source")
            if place not in PLACES or source not in SOURCES:
                raise ValueError(f"mode {self.name}: demonstrations need a place of {PLACES} and a source of {SOURCES}")
            each = str(self.demonstrations.get("each"))
            if place == "system" and not (self.system and "heading" in self.demonstrations and "{question}" in each and "{answer}" in each):
                raise ValueError(f"mode {self.name}: demonstrations in the system message need a system text, a heading and an each with {{question}} and {{answer}}")

    def conversation(self, question: str) -> Conversation:
        """The turns that ask `question`; the last one is the beginning of the reply where there is a prefill."""
        system, turns = self.system, []
        if self.shown and self.demonstrations["place"] == "system":
            each = self.demonstrations["each"]
            texts = [each.replace("{question}", q).replace("{answer}", a) for q, a in self.shown]
            system = system + self.demonstrations["heading"] + "".join(texts)
        elif self.shown:
            for asked, answered in self.shown:
                turns += [{"role": "user", "content": self._ask(asked)}, {"role": "assistant", "content": answered}]
        turns = ([{"role": "system", "content": system}] if system else []) + turns
        turns.append({"role": "user", "content": self._ask(question)})
        return turns + ([{"role": "assistant", "content": self.prefill}] if self.prefill else [])

    def _ask(self, question: str) -> str:
        return self.user.replace("{question}", question)

    def to_dict(self) -> dict:
        """All that makes the prompts, for the record."""
        kept = {key: value for key, value in self.__dict__.items() if value not in (None, "", {}, ())}
        return kept | ({"shown": [list(pair) for pair in self.shown]} if self.shown else {})


@cache
def _read() -> dict[str, dict]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def mode_names() -> list[str]:
    return list(_read())


def load_mode(name: str, shots: int | None = None) -> Mode:
    """A mode with its demonstrations, of `prompts.yaml` or of a file.

    Raises ValueError with the known names, where there are fewer examples, or with what to mend in the file.
    """
    mode = _without_examples(name)
    if shots is not None:
        if mode.demonstrations is None:
            raise ValueError(f"mode {name} shows no examples: --shots belongs to few_shot, and to a file with demonstrations")
        if shots < 1:
            raise ValueError("--shots must be at least 1")
        mode = replace(mode, demonstrations=mode.demonstrations | {"count": shots})
    if mode.demonstrations is None:
        return mode
    known = {GIVEN: lambda: list(mode.shown), "own": _own, "gsm8k-train": _train}[mode.demonstrations["source"]]()
    count = mode.demonstrations["count"]
    if count > len(known):
        raise ValueError(f"mode {name}: there are {len(known)} examples, not {count}")
    return replace(mode, shown=tuple(known[:count]))


def _without_examples(name: str) -> Mode:
    """The mode as its file has it: examples that lie elsewhere are not fetched."""
    modes = _read()
    if name.startswith(FILE_PREFIX):
        return own_mode(Path(name.removeprefix(FILE_PREFIX)))
    if name in modes:
        return Mode(name=name, **modes[name])
    near = difflib.get_close_matches(name, modes, 1)
    hint = f" Did you mean {near[0]}?" if near else f" Did you mean {FILE_PREFIX}{name}?" if name.endswith((".yaml", ".yml")) else ""
    raise ValueError(f"unknown prompt mode {name!r}: use {', '.join(modes)}, or {FILE_PREFIX}PATH.yaml for one of your own.{hint}")


def own_mode(path: Path) -> Mode:
    """The mode of a YAML file with the keys of one in `prompts.yaml`. Raises ValueError with what to mend.

    Its name is "file:" and the file's name: no mode of ours is ever called so, and a moved file stays the same mode.
    Examples of its own stand under `demonstrations` as `source: given` and `examples: [{question, answer}, ...]`.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise ValueError(f"prompt mode {path}: {why}; `python -m eval.modes cot --yaml > {path}` writes one to begin from") from error
    except yaml.YAMLError as error:
        raise ValueError(f"prompt mode {path} is no YAML ({' '.join(str(error).split())}): put texts between quotes, or after `|-` on lines of their own") from error
    if not isinstance(data, dict):
        raise ValueError(f"prompt mode {path} must hold keys and values, user and max_tokens at least: `python -m eval.modes cot --yaml` shows how")
    if unknown := [key for key in data if key not in KEYS]:
        near = difflib.get_close_matches(str(unknown[0]), KEYS, 1)
        raise ValueError(f"prompt mode {path} knows no {unknown[0]!r}{f' (did you mean {near[0]}?)' if near else ''}: it takes {', '.join(KEYS)}")
    data = {key: value for key, value in data.items() if value is not None}
    if lacking := [key for key in ("user", "max_tokens") if key not in data]:
        raise ValueError(f"prompt mode {path} lacks {' and '.join(lacking)}: the text with {{question}} in it, and how many new tokens a reply may take")
    for key in TEXTS:
        if not isinstance(data.get(key, ""), str):
            raise ValueError(f"prompt mode {path}: {key} must be text: put it between quotes, or after `|-` on lines of its own")
    if type(data["max_tokens"]) is not int or data["max_tokens"] < 1:
        raise ValueError(f"prompt mode {path}: max_tokens must be a whole number from 1, not {data['max_tokens']!r}")
    if not isinstance(data.get("thinking", False), bool):
        raise ValueError(f"prompt mode {path}: thinking must be true, false or null (the template's own default), not {data['thinking']!r}")
    sampling = data.get("sampling", {})
    if not isinstance(sampling, dict) or any(type(value) not in (int, float) for value in sampling.values()):
        raise ValueError(f"prompt mode {path}: sampling must hold numbers, as in {{temperature: 0.6, top_p: 0.95, top_k: 20}}")
    demonstrations, shown = _given(path, data.pop("demonstrations", None))
    name = FILE_PREFIX + path.name
    return Mode(**({"title": "a prompt of one's own", "answer": "where the prompt says"} | data), name=name, demonstrations=demonstrations, shown=shown)


def _given(path: Path, said: Any) -> tuple[dict | None, tuple[tuple[str, str], ...]]:
    """(demonstrations as a record has them, the examples of the file itself)."""
    if said is None:
        return None, ()
    if not isinstance(said, dict):
        raise ValueError(f"prompt mode {path}: demonstrations must hold place, source and count, or place, source: {GIVEN} and examples")
    texts, count = (said.get(key, "") for key in ("heading", "each")), said.get("count")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"prompt mode {path}: heading and each of demonstrations must be texts: put them between quotes")
    examples = said.get("examples", [])
    pairs = [tuple(str(part[key]) for key in ("question", "answer")) for part in examples if isinstance(part, dict) and {"question", "answer"} == part.keys()] if isinstance(examples, list) else []
    if said.get("source") == GIVEN and (not pairs or len(pairs) != len(examples)):
        raise ValueError(f"prompt mode {path}: demonstrations of source {GIVEN} need examples, each with question and answer and nothing else")
    if said.get("source") != GIVEN and "examples" in said:
        raise ValueError(f"prompt mode {path}: demonstrations with examples of their own need source: {GIVEN}")
    count = len(pairs) if count is None and pairs else count
    if type(count) is not int or count < 1:
        raise ValueError(f"prompt mode {path}: demonstrations need a count, a whole number from 1")
    return {key: value for key, value in said.items() if key != "examples"} | {"count": count}, tuple(pairs)


def _own() -> list[tuple[str, str]]:
    rows = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    return [
        (
            row["question"],
            "\n".join(f"Step {number}: {step}" for number, step in enumerate(row["steps"], start=1))
            + f"\n\nThe answer is {row['answer']}.",
        )
        for row in rows
    ]


def _train() -> list[tuple[str, str]]:
    return [(problem.question, problem.gold) for problem in load_source("gsm8k", "train")]


def as_file(mode: Mode) -> dict:
    """What a file holds that `own_mode` reads as this mode, under another name."""
    kept = mode.to_dict()
    data = {key: kept[key] for key in KEYS if key in kept}
    if mode.demonstrations and mode.demonstrations["source"] == GIVEN:
        data["demonstrations"] = mode.demonstrations | {"examples": [{"question": question, "answer": answer} for question, answer in mode.shown]}
    return data


class _Blocks(yaml.SafeDumper):
    """Texts of several lines stand as such, to be edited."""


_Blocks.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.modes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", nargs="*", help="only these: names, or file:PATH.yaml")
    parser.add_argument("--yaml", action="store_true", help="one mode as YAML, for a file of your own")
    args = parser.parse_args(argv)
    if args.yaml and len(args.mode) != 1:
        raise SystemExit("--yaml writes one mode: name it, as in python -m eval.modes cot --yaml")
    failed = []
    for name in args.mode or mode_names():
        try:
            if args.yaml:
                return print(yaml.dump(as_file(_without_examples(name)), Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=10_000), end="")
            mode = load_mode(name)
        except (ValueError, OSError) as error:  # the examples of one may be out of reach: the others are still shown
            failed.append(f"{name} is not shown: {error}" if args.mode == [] else str(error))
            continue
        print(f"== {mode.name}: {mode.title} ({mode.max_tokens:,} tokens, thinking {mode.thinking}, {mode.sampling or 'greedy'})")
        if mode.of:
            print("   " + "; ".join(filter(None, (f"of {mode.of}", mode.flaw, mode.sister and f"mended in {mode.sister}"))))
        print(render_conversation(*open_reply(mode.conversation("Ana has 3 apples and buys 4 more. How many has she?"))))
        print()
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
