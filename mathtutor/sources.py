"""Published problem sets by name: from `MATHTUTOR_DATA` when it is set, else from the hub.

    problems = load_source("gsm8k", "train")     # 7,473 Problems

Sizes and file hashes are pinned: a set that changed under us is refused, because every figure that
we publish names it. GSM8K train is the only benchmark split that may be trained on; `trainable`
says so, and the pipeline asks it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mathtutor.io import read_json, read_rows, sha256_file
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem

DATA_VARIABLE = "MATHTUTOR_DATA"


@dataclass(frozen=True)
class Source:
    """One split: where it lies in the local folder and on the hub, its size, its file's hash."""

    file: str
    rows: int
    sha256: str
    hub: tuple[str, str | None, str]  # (repository, configuration, split)
    read: Callable[[int, dict], Problem]
    licence: str
    trainable: bool = False
    revision: str | None = None  # the hub's commit; None: its main branch, not pinned


def _gsm8k(index: int, row: dict) -> Problem:
    return Problem(f"gsm8k-{index}", row["question"], read_gold(row["answer"]), row["answer"], "gsm8k")


def _svamp(index: int, row: dict) -> Problem:
    body = row["Body"].strip()
    body += "" if body.endswith((".", "?", "!", ",")) else "."
    question = f"{body} {row['Question'].strip()}"
    return Problem(
        f"svamp-{row['ID']}", question, read_gold(row["Answer"]), str(row["Answer"]), "svamp", {"type": row["Type"]}
    )


SOURCES: dict[tuple[str, str], Source] = {
    ("gsm8k", "train"): Source(
        "gsm8k/train.jsonl",
        7473,
        "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
        ("openai/gsm8k", "main", "train"),
        _gsm8k,
        "MIT",
        trainable=True,
        revision="740312add88f781978c0658806c59bc2815b9866",
    ),
    ("gsm8k", "test"): Source(
        "gsm8k/test.jsonl",
        1319,
        "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
        ("openai/gsm8k", "main", "test"),
        _gsm8k,
        "MIT",
        revision="740312add88f781978c0658806c59bc2815b9866",
    ),
    ("svamp", "test"): Source(
        "svamp/SVAMP.json",
        1000,
        "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e",
        ("ChilleD/SVAMP", None, "train+test"),
        _svamp,
        "MIT",
        revision="5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef",
    ),
}


def load_source(name: str, split: str) -> list[Problem]:
    """All problems of a split, in the file's order. Raises ValueError with the way to get the data."""
    source = SOURCES.get((name, split))
    if source is None:
        known = ", ".join(f"{n}/{s}" for n, s in SOURCES)
        raise ValueError(f"no problem set {name}/{split}: known are {known}")
    folder = os.environ.get(DATA_VARIABLE)
    rows = _from_folder(Path(folder) / source.file, source) if folder else _from_hub(source)
    problems = [source.read(index, row) for index, row in enumerate(rows)]
    if len(problems) != source.rows:
        raise ValueError(f"{name}/{split} has {len(problems)} rows here, {source.rows} when it was pinned")
    return problems


def _from_folder(path: Path, source: Source) -> list[dict]:
    if not path.exists():
        raise ValueError(f"{path} does not exist: unset {DATA_VARIABLE} to load from the hub, or put the file there")
    if sha256_file(path) != source.sha256:
        raise ValueError(f"{path} is not the file whose hash is pinned in {Path(__file__).name}")
    return read_json(path) if path.suffix == ".json" else list(read_rows(path))


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Without what the hub's client says of each attempt: whether it got through is told once, at the end."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "datasets")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _from_hub(source: Source) -> list[dict]:
    repository, configuration, split = source.hub
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise ValueError(
            f"{repository} comes from the hub with the package `datasets` (pip install -e '.[pipeline]'), "
            f"or from a folder that {DATA_VARIABLE} names"
        ) from error
    try:
        with quiet_hub():
            return list(load_dataset(repository, configuration, split=split, revision=source.revision))
    except Exception as error:  # the hub's client raises its own zoo of network errors
        raise ValueError(
            f"{repository} could not be loaded: {error}. Set {DATA_VARIABLE} to a local folder that holds {source.file}"
        ) from error
