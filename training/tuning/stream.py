"""Texts from the hub, or from files of the same shape, as rows of tokens on disk: read once as a stream, trained on
from any place.

    stream/shard-00000/     rows of exactly `train.max_tokens` tokens (Arrow) with the lengths of the documents in them,
                            and the place of every set's stream behind the last row
    stream/made_from.json   what the shards were made from, and the test sets that every document was compared with

Documents come in turn from the set that is furthest behind its share of the *tokens*. A document that does not fit
goes on in the next row; a row's documents do not see each other. A kill costs the shard that was being written.
A document that copies a test problem (training/tuning/copies.py) is left out whole, of the tokenizer's texts too, and
counted; a control token that stands in a text is broken up, as in a problem at inference.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset, Features, List, Value, concatenate_datasets, load_from_disk
from pyarrow import compute
from tqdm import tqdm

from mathtutor.chat import CONTROL_TOKENS, defuse
from mathtutor.io import need_space, read_json, replace_folder, sha256_json, write_json
from training.tokenizer import load_or_train, tokenizer_hash
from training.tuning.audit import NOT_COMPARED
from training.tuning.copies import GRAM, Copies, compared_with, refuse_if_many
from training.tuning.items import load_hub
from training.tuning.recipe import Set, TuneRecipe

SHARD_TOKENS = 16_777_216
TOKENIZER_DOCUMENTS = 200_000
LOOKED_AT = 1_000  # rows, for a document to show
FEATURES = Features({name: List(Value("int32")) for name in ("input_ids", "labels", "seq_lengths")})


def first_texts(recipe: TuneRecipe, documents: int = TOKENIZER_DOCUMENTS) -> Iterator[str]:
    """The first documents of each set, as many of each as its share says: what a tokenizer is trained on."""
    total, copies = sum(one.share for one in recipe.data.sets), _copies(recipe)
    for one in recipe.data.sets:
        for row in itertools.islice(load_hub(one, streaming=True), max(1, int(documents * one.share / total))):
            text = _text(row, one)
            if copies is None or not copies.of(text):
                yield text


def _copies(recipe: TuneRecipe) -> Copies | None:
    return Copies() if recipe.data.compare else None


def identity(recipe: TuneRecipe) -> str:
    """The hash of the sets, and of the test sets that they are compared with."""
    sets = [[s.path, s.config, s.split, s.revision, s.share, s.column or "text"] for s in recipe.data.sets]
    return sha256_json([sets, [GRAM, compared_with()] if recipe.data.compare else None])


def make_tokenizer(recipe: TuneRecipe, folder: Path):
    """The tokenizer of a model made from nothing, trained once on the first documents."""
    return load_or_train(folder, first_texts(recipe), recipe.model.shape.vocabulary, {"data": identity(recipe)})


def _text(row, one: Set) -> str:
    column = one.column or "text"
    if not isinstance(row.get(column), str):
        raise ValueError(f"{one.path} has no text in the column {column!r}: its columns are {', '.join(row)}")
    return row[column]


class _Documents:
    """One set's documents as tokens, from any place; starts again where it ends. Raises ValueError when too many are copies."""

    def __init__(self, one: Set, tokenizer, end: int, copies: Copies | None):
        self.one, self.tokenizer, self.end, self.copies = one, tokenizer, end, copies
        self.control = sorted({*CONTROL_TOKENS, *(t.content for t in tokenizer.added_tokens_decoder.values())}, key=len, reverse=True)
        self.source, self.tokens, self.rounds = load_hub(one, streaming=True), 0, 0
        self.documents, self.taken, self.near = 0, 0, Counter()  # read, left out, and by which test sets
        self.rows = iter(self.source)

    def next(self) -> list[int]:
        for _ in range(2):
            for row in self.rows:
                text = _text(row, self.one).strip()
                if text and not self._is_copy(text):
                    ids = [*self.tokenizer.encode(defuse(text, self.control), add_special_tokens=False), self.end]
                    self.tokens += len(ids)
                    return ids
            self.check()
            self.rounds += 1
            self.source = load_hub(self.one, streaming=True)
            self.rows = iter(self.source)
        raise ValueError(f"{self.one.path} holds no text to learn from in the column {self.one.column or 'text'!r}")

    def _is_copy(self, text: str) -> bool:
        found = self.copies.of(text) if self.copies is not None else ()
        self.documents += 1
        self.taken += bool(found)
        self.near.update(found)
        return bool(found)

    def check(self) -> None:
        why = ", ".join(f"{n:,} share {GRAM} words in a row with {name}" for name, n in sorted(self.near.items()))
        refuse_if_many(self.taken, self.documents, f"documents of {self.one.path}", why)

    def state(self) -> dict:
        read = {"documents": self.documents, "taken": self.taken, "near": dict(self.near)}
        return {"tokens": self.tokens, "rounds": self.rounds, **read, "place": self.source.state_dict()}

    def restore(self, state: dict) -> None:
        self.tokens, self.rounds = state["tokens"], state["rounds"]
        self.documents, self.taken, self.near = state["documents"], state["taken"], Counter(state["near"])
        self.source.load_state_dict(state["place"])
        self.rows = iter(self.source)


def fill(folder: Path, recipe: TuneRecipe, tokenizer, rows: int, deadline: float) -> bool:
    """Write shards until they hold `rows` rows (True) or the deadline has passed (False: call again to go on)."""
    length = recipe.train.max_tokens
    made_from = {
        "sets": identity(recipe),
        "tokenizer": tokenizer_hash(tokenizer),
        "end": recipe.model.end,
        "max_tokens": length,
        "compared_with": compared_with() if recipe.data.compare else {},
    }
    record = folder / "made_from.json"
    if record.exists() and read_json(record) != made_from:
        raise ValueError(f"{folder} was made from other sets, another tokenizer or another length, or was compared with other test sets: remove it, or choose a new --out")
    write_json(record, made_from)
    rows_a_shard = max(1, SHARD_TOKENS // length)
    shards = shards_of(folder)
    there = sum(read_json(shard / "place.json")["rows"] for shard in shards)
    if there >= rows:
        return True
    need_space(folder, (rows - there) * length * 8)  # ids and labels of 4 bytes
    end, copies = tokenizer.get_vocab()[recipe.model.end], _copies(recipe)
    documents = [_Documents(one, tokenizer, end, copies) for one in recipe.data.sets]
    buffer: list[int] = []
    lengths: list[int] = []  # of the documents in the buffer
    if shards:
        place = read_json(shards[-1] / "place.json")
        buffer, lengths = place["buffer"], place["lengths"]
        for one, state in zip(documents, place["sets"], strict=True):
            one.restore(state)
    with tqdm(total=rows, initial=there, unit="row", disable=None, desc="stream", mininterval=1) as bar:
        while there < rows:
            if time.monotonic() > deadline:
                return False
            made = {"input_ids": [], "seq_lengths": []}
            for _ in range(min(rows_a_shard, rows - there)):
                while len(buffer) < length:
                    total = sum(one.tokens for one in documents)
                    ids = max(documents, key=lambda one: one.one.share * (total + 1) - one.tokens * _all(recipe)).next()
                    buffer += ids
                    lengths.append(len(ids))
                ids, buffer = buffer[:length], buffer[length:]
                own, lengths = _cut(lengths, length)
                made["input_ids"].append(ids)
                made["seq_lengths"].append(own)
                bar.update()
            for one in documents:
                one.check()
            there += len(made["input_ids"])
            name = f"shard-{len(shards_of(folder)):05d}"
            temporary = folder / f".{name}.tmp"
            shutil.rmtree(temporary, ignore_errors=True)
            Dataset.from_dict(made | {"labels": made["input_ids"]}, features=FEATURES).save_to_disk(temporary)
            sets = [one.state() for one in documents]
            write_json(temporary / "place.json", {"rows": len(made["input_ids"]), "buffer": buffer, "lengths": lengths, "sets": sets})
            replace_folder(temporary, folder / name)
    return True


def _all(recipe: TuneRecipe) -> float:
    return sum(one.share for one in recipe.data.sets)


def _cut(lengths: list[int], room: int) -> tuple[list[int], list[int]]:
    """(the lengths that fill `room` exactly, the rest): the last document may be parted."""
    own: list[int] = []
    rest = list(lengths)
    while room:
        taken = min(room, rest[0])
        own.append(taken)
        room -= taken
        rest[0] -= taken
        if not rest[0]:
            rest.pop(0)
    return own, rest


def shards_of(folder: Path) -> list[Path]:
    """The shards in order; each that is there is whole."""
    return sorted(folder.glob("shard-*"))


def read_stream(folder: Path) -> Dataset:
    """All rows, mapped from disk."""
    return concatenate_datasets([load_from_disk(shard) for shard in shards_of(folder)])


def first_document(rows: Dataset, end: int) -> list[int]:
    """The first document, or end of one, that closes in its row: one longer than a row goes on in others."""
    for row in itertools.islice(rows, LOOKED_AT):
        start = 0
        for length in row["seq_lengths"]:
            if row["input_ids"][start + length - 1] == end:
                return row["input_ids"][start : start + length]
            start += length
    return rows[0]["input_ids"]


def pieces(rows: Dataset) -> int:
    """How many documents, or parts of one, the rows hold; `rows` is a slice of what `read_stream` gives."""
    return compute.sum(compute.list_value_length(rows.data.column("seq_lengths"))).as_py()


def compared(folder: Path, recipe: TuneRecipe) -> tuple[list[str], dict[str, dict[str, int]]]:
    """(lines for people, test set -> documents that share 13 words in a row with one of its problems), of all shards."""
    tests = read_json(folder / "made_from.json")["compared_with"]
    if not tests:
        return [NOT_COMPARED], {}
    places = read_json(shards_of(folder)[-1] / "place.json")["sets"]
    near = sum((Counter(place["near"]) for place in places), Counter())
    told = [f"{place['taken']:,} of {place['documents']:,} of {one.path}" for one, place in zip(recipe.data.sets, places, strict=True)]
    lines = [f"decontamination: every document compared with {', '.join(tests)}; left out, as they share {GRAM} words in a row with a problem of one: {', '.join(told)}"]
    return lines, {name: {f"{GRAM}_gram": near[name]} for name in tests}


def shares(folder: Path, recipe: TuneRecipe) -> list[str]:
    """What the rows hold of each set, as lines for people."""
    places = read_json(shards_of(folder)[-1] / "place.json")["sets"]
    total = sum(place["tokens"] for place in places)
    return [
        f"stream: {one.path} gives {place['tokens']:,} tokens ({place['tokens'] / total:.1%}, asked for {one.share / _all(recipe):.1%})"
        + (f", read {place['rounds'] + 1} times" if place["rounds"] else "")
        for one, place in zip(recipe.data.sets, places, strict=True)
    ]
