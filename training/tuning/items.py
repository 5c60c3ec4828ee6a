"""The sets of a recipe as items: a prompt, a reply and what is known of both, whatever shape a set comes in.

    items, dropped = read_items(recipe)      # dropped: Counter of reasons

A reply holds its reasoning in `<think>` and ends as `data.answer_line` says; published pairs and messages keep
their own words. The closing token is added where replies become tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from mathtutor.chat import END as END_OF_TURN
from mathtutor.chat import END_THINK, ENDOFTEXT, START, THINK, Conversation, encode_conversation
from mathtutor.io import Damaged, number_rows, read_json, sha256_file, sha256_json
from mathtutor.problem import Row
from mathtutor.sources import SOURCES, load_source
from training.data import IGNORED
from training.tuning.recipe import Data, Set, TuneRecipe, is_local

ANNOTATION = re.compile(r"<<[^<>]*>>")
COLUMNS = ("messages", "conversations", "text")  # where a set of messages usually has them
ROLES = {"human": "user", "gpt": "assistant"}  # ShareGPT's names


@dataclass(frozen=True)
class Item:
    prompt: Conversation  # turns before the reply
    reply: str
    source: str

    @property
    def problem(self) -> str:
        """What is asked: the last turn of the user."""
        return self.prompt[-1]["content"]

    @property
    def key(self) -> str:
        """Decides where an item goes: the same problem never stands on both sides of the validation split."""
        return " ".join(self.problem.lower().split())


def sets_of(data: Data) -> tuple[Set, ...]:
    """The sets, files of `data.rows` among them."""
    return tuple(Set(path.strip(), "rows") for path in data.rows.split(",") if path.strip()) + data.sets


def read_items(recipe: TuneRecipe) -> tuple[list[Item], Counter]:
    """All items of the recipe's sets, and reason -> rows left out. Raises ValueError or OSError with the fix."""
    items: list[Item] = []
    dropped: Counter = Counter()
    for one in sets_of(recipe.data):
        own: list[Item] = []
        seen: set[str] = set()
        check_format(one.path)
        for made in _READERS[one.kind](one, recipe.data):
            if isinstance(made, str):
                dropped[made] += 1
            elif _control(made.reply):
                dropped["the reply holds a control token"] += 1
            elif one.unique and made.key in seen:
                dropped["another row has the same problem"] += 1
            else:
                seen.add(made.key)
                own.append(made)
        if one.limit and len(own) > one.limit:
            dropped[f"beyond the limit of {one.limit:,}"] += len(own) - one.limit
            kept = sorted(range(len(own)), key=lambda i: hashlib.sha256(f"{own[i].key}|{own[i].reply}".encode()).digest())
            own = [own[i] for i in sorted(kept[: one.limit])]
        items += own
    if not items:
        raise ValueError(f"the sets hold no row to train on: left out {dict(dropped)}")
    return items, dropped


def size_of(one: Set) -> int | None:
    """About how many rows a set gives, as far as that is known without the hub."""
    path = Path(one.path)
    there = None
    if (one.kind, one.path) == ("gsm8k", "gsm8k"):
        there = SOURCES["gsm8k", "train"].rows
    elif one.path.endswith(".jsonl") and path.is_file():
        with open(path, "rb") as file:
            there = sum(1 for line in file if line.strip())
    return min(one.limit, there or one.limit) if one.limit else there


def data_hash(recipe: TuneRecipe, items: list[Item]) -> str:
    """Identifies the training text, whatever files it came from."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(sha256_json([list(item.prompt), item.reply]).encode())
    return digest.hexdigest()


def think(reasoning: str, tail: str) -> str:
    """A reply in the format of `mathtutor.chat`, without its closing token."""
    return f"{THINK}\n{reasoning.strip()}\n{END_THINK}\n\n{tail}"


def encode(item: Item, tokenizer, end: str, learn: str) -> tuple[list[int], list[int]]:
    """(ids, labels) of one item; the prompt is what `mathtutor.engines` would send, id for id."""
    prompt = encode_conversation(item.prompt, tokenizer)
    reply = tokenizer.encode(item.reply + end, add_special_tokens=False)
    ids = prompt + reply
    return ids, ids if learn == "all" else [IGNORED] * len(prompt) + reply


def answer_line(answer: str, data: Data) -> str:
    """How a reply ends. With `answers: float` 5 is written 5.0, as the Synth sets write it."""
    if data.answers == "float":
        try:
            value = Decimal(answer.replace(",", ""))
            answer = str(value) if value != value.to_integral_value() else f"{value:.1f}"
        except InvalidOperation:  # a fraction, say
            pass
    return data.answer_line.replace("{answer}", answer)


def _control(reply: str) -> bool:
    return any(token in reply for token in (START, END_OF_TURN, ENDOFTEXT))


def prompt_of(problem: str, data: Data) -> list[dict[str, str]]:
    """The turns that ask a problem: the system prompt of the recipe, then the problem."""
    system = [{"role": "system", "content": data.system}] if data.system else []
    return [*system, {"role": "user", "content": problem}]


def _rows(one: Set, data: Data) -> Iterator[Item | str]:
    path = Path(one.path)
    if not path.is_file():
        raise ValueError(f"{path} is {'a folder, not a file' if path.is_dir() else 'not there'}: build it (`make data`, `make dataset`), or name another file with --set data.rows=FILE")
    report = path.with_name("report.json")
    if report.exists():
        record = read_json(report)
        if not isinstance(record, dict) or record.get("sha256") != sha256_file(path):
            raise ValueError(f"{report} is not about {path}: build both again, or remove the report")
    for number, raw in number_rows(path):
        try:
            row = Row.from_dict({key: _as_text(value) if key == "answer" else value for key, value in raw.items()})
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}. Rows are made by pipeline.build or pipeline.filter; other files are kind: pairs or messages") from error
        steps = "\n".join(f"Step {n}: {step}" for n, step in enumerate(row.steps, start=1))
        yield Item(prompt_of(row.problem, data), think(steps, answer_line(row.answer, data)), row.source)


def _gsm8k(one: Set, data: Data) -> Iterator[Item | str]:
    for problem in load_source("gsm8k", "train") if one.path == "gsm8k" else _gsm8k_file(Path(one.path)):
        question, gold = problem if isinstance(problem, tuple) else (problem.question, problem.gold)
        solution, mark, answer = gold.rpartition("####")
        if not mark:
            yield "the gold solution has no ####"
            continue
        solution = solution if data.annotations else ANNOTATION.sub("", solution)
        yield Item(prompt_of(question, data), think(solution, answer_line(answer.strip(), data)), "gsm8k-train")


def _gsm8k_file(path: Path) -> Iterator[tuple[str, str]]:
    if not path.exists():
        raise ValueError(f"{path} does not exist: write `path: gsm8k` for the pinned set (MATHTUTOR_DATA, or the hub)")
    for number, row in number_rows(path):
        yield _text(row, "question", path, number), _text(row, "answer", path, number)


def _pairs(one: Set, data: Data) -> Iterator[Item | str]:
    for number, row in _records(one):
        problem, reply = (_text(row, column, one.path, number) for column in (one.prompt, one.reply))
        if not problem.strip() or not reply.strip():
            yield "the problem or the reply is empty"
            continue
        if one.context and (below := _text(row, one.context, one.path, number).strip()):
            problem = f"{problem.rstrip()}\n{below}"
        if one.reasoning:
            yield Item(prompt_of(problem, data), think(_text(row, one.reasoning, one.path, number), reply.strip()), one.path)
        elif one.answer_at:
            place, mark = max((reply.rfind(mark), mark) for mark in one.answer_at)
            answer = reply[place + len(mark) :].strip().split("\n")[0].strip().rstrip(".") if place >= 0 else ""
            if not answer or not reply[:place].strip():
                yield "the reply names no answer, or gives no reasoning before it"
            else:
                yield Item(prompt_of(problem, data), think(reply[:place], answer_line(answer, data)), one.path)
        else:
            yield Item(prompt_of(problem, data), reply.strip(), one.path)


def _messages(one: Set, data: Data) -> Iterator[Item | str]:
    for number, row in _records(one):
        column = one.column or next((name for name in COLUMNS if isinstance(row.get(name), list)), "messages")
        turns = row.get(column)
        if isinstance(turns, list) and all(isinstance(t, Mapping) for t in turns):  # ShareGPT has other names for the same
            turns = [{"role": ROLES.get(t["from"], t["from"]), "content": t.get("value")} if isinstance(t.get("from"), str) else t for t in turns]
        if not isinstance(turns, list) or not all(
            isinstance(t, Mapping) and isinstance(t.get("content"), str) and isinstance(t.get("role"), str) for t in turns
        ):
            raise ValueError(
                f"{one.path}:{number}: the column {column!r} must be a list of turns with role and content (or from and value): "
                f"name it with column, its columns are {', '.join(map(str, row))}"
            )
        if len(turns) < 2 or turns[-1]["role"] != "assistant" or turns[-2]["role"] != "user":
            yield "the conversation does not end with a question and its reply"
            continue
        reply = turns[-1]["content"].strip()
        if one.reasoning and THINK not in reply:
            reply = think(_text(row, one.reasoning, one.path, number), reply)
        if THINK in reply or END_THINK in reply:  # as Qwen's template writes it, whatever the line breaks were
            before, _, after = reply.partition(END_THINK)
            if (reply.count(THINK), reply.count(END_THINK)) != (1, 1) or not before.startswith(THINK):
                yield f"the reply does not think once, and first: {THINK} ... {END_THINK}, then the rest"
                continue
            reply = think(before.removeprefix(THINK), after.strip())
        prompt = [{"role": t["role"], "content": t["content"]} for t in turns[:-1]]
        if data.system and prompt[0]["role"] != "system":
            prompt.insert(0, {"role": "system", "content": data.system})
        yield Item(prompt, reply, one.path)


def _texts(one: Set, data: Data) -> Iterator[Item | str]:
    raise ValueError(f"{one.path}: texts are streamed, see training/tuning/stream.py")


_READERS = {"rows": _rows, "gsm8k": _gsm8k, "pairs": _pairs, "messages": _messages, "text": _texts}


def _as_text(value):
    """A number as text: answers often stand in a file as numbers."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _text(row: Mapping, column: str, path: str | Path, number: int) -> str:
    value = _as_text(row.get(column))
    if not isinstance(value, str):
        raise ValueError(f"{path}:{number} has no text in the column {column!r}: its columns are {', '.join(map(str, row))}")
    return value


READ = {".csv": "read_csv({!r})", ".tsv": "read_csv({!r}, sep='\\t')", ".json": "read_json({!r})", ".xlsx": "read_excel({!r})"}  # by pandas


def check_format(path: str) -> None:
    """Raises ValueError with the command that makes a .jsonl of a file in a known other format."""
    kind = Path(path).suffix
    if kind in READ:
        target = str(Path(path).with_suffix(".jsonl"))
        command = f"import pandas; pandas.{READ[kind].format(path)}.to_json({target!r}, orient='records', lines=True)"
        raise ValueError(f'the set {path} is no .jsonl, .jsonl.gz or .parquet; this makes one of it:\n  python -c "{command}"')


def load_hub(one: Set, streaming: bool = False):
    """A set of the hub, or a local file read as one. Raises ValueError with the hub's reason."""
    from datasets import load_dataset

    check_format(one.path)

    try:
        if is_local(one.path) or Path(one.path).exists():
            if not (is_local(one.path) and Path(one.path).is_file()):
                raise ValueError("it is not there" if not Path(one.path).exists() else "local sets are files that end in .jsonl, .jsonl.gz or .parquet")
            kind = "parquet" if one.path.endswith(".parquet") else "json"
            return load_dataset(kind, data_files=one.path, split="train", streaming=streaming)
        return load_dataset(one.path, one.config or None, split=one.split, revision=one.revision or None, streaming=streaming)
    except Exception as error:  # the hub's client raises its own zoo of network errors
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"the set {one.path} could not be loaded: {reason:.300}. A local .jsonl or .parquet of the same shape does as well") from error


def _records(one: Set) -> Iterator[tuple[int, Mapping]]:
    """(number from 1, row) of a pairs or messages set."""
    if one.path.endswith((".jsonl", ".jsonl.gz")) and Path(one.path).exists():
        try:
            yield from number_rows(Path(one.path))
        except Damaged as error:
            raise ValueError(str(error)) from error
        return
    yield from enumerate(load_hub(one), start=1)
