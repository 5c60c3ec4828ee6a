"""Prompt modes: data in `prompts.yaml`, made into conversations here.

    mode = load_mode("few_shot", shots=4)
    mode.conversation("Ana has 3 apples ...")     # system, four pairs of turns, the problem
    mode.max_tokens, mode.thinking, mode.sampling

    python -m eval.modes                          # every mode, verbatim, with an example
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
PLACES, SOURCES = ("turns", "system"), ("own", "gsm8k-train")
DEFAULT = "tuned"


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
    """A mode with its demonstrations. Raises ValueError with the known names, or where there are fewer of them."""
    modes = _read()
    if name not in modes:
        near = difflib.get_close_matches(name, modes, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown prompt mode {name!r}: use {', '.join(modes)}.{hint}")
    mode = Mode(name=name, **modes[name])
    if shots is not None:
        if mode.demonstrations is None:
            raise ValueError(f"mode {name} shows no examples: --shots belongs to few_shot")
        if shots < 1:
            raise ValueError("--shots must be at least 1")
        mode = replace(mode, demonstrations=mode.demonstrations | {"count": shots})
    if mode.demonstrations is None:
        return mode
    known = _own() if mode.demonstrations["source"] == "own" else _train()
    count = mode.demonstrations["count"]
    if count > len(known):
        raise ValueError(f"mode {name}: there are {len(known)} examples, not {count}")
    return replace(mode, shown=tuple(known[:count]))


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


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.modes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", nargs="*", help="only these")
    args = parser.parse_args(argv)
    try:
        modes = [load_mode(name) for name in args.mode or mode_names()]
    except ValueError as error:
        raise SystemExit(str(error)) from error
    for mode in modes:
        print(f"== {mode.name}: {mode.title} ({mode.max_tokens:,} tokens, thinking {mode.thinking}, {mode.sampling or 'greedy'})")
        if mode.of:
            print(f"   of {mode.of}; {mode.flaw}; mended in {mode.sister}")
        print(render_conversation(*open_reply(mode.conversation("Ana has 3 apples and buys 4 more. How many has she?"))))
        print()


if __name__ == "__main__":
    main()
