"""Benchmarks by name, as Problems. All are measured and none is trained on; `benchmarks.yaml` holds the table.

    gsm8k              GSM8K test, 1,319 problems
    gsm8k-platinum     the same with its labels checked again, 1,209
    gsm-plus           GSM8K test changed in eight ways, 10,552
    gsm-symbolic       GSM8K templates with new names and numbers, 5,000
    gsm-symbolic-p1    with one clause more, 5,000
    gsm-symbolic-p2    with two clauses more, 2,500
    gsm-hard           GSM8K test with large numbers, 1,319
    svamp              SVAMP, 1,000
    svamp-no-question  its stories without their questions: a control, 1,000
    asdiv              ASDiv, 2,305
    multiarith         MAWPS, two steps and more, 600
    addsub             MAWPS, sums and differences, 395
    singleeq           MAWPS, one equation, 508
    math-500           MATH-500; answers are LaTeX, judged by math-verify
    imo-answerbench    IMO-AnswerBench v2, 400; likewise
    imo-proofbench     IMO-ProofBench v2, 60 proofs; run.py keeps the replies, other means grade them
    proofbench         ProofBench, 145 proofs; likewise
    bank               instances of the bank's held-out families, which no training run has seen
    bank-known         new instances of the families that were trained on
    file:PATH          any JSON lines, JSON list, CSV, TSV or Parquet with "question" | "problem" | "input" and "answer" | "target"

They come from the folder that MATHTUTOR_DATA names, else from the hub through `datasets` at a pinned commit. A set
with another number of rows, or a file with another hash, is refused: every figure that we publish names it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import yaml

from eval.outputs import is_formula
from eval.tables import identity, read_csv, read_table
from mathtutor.bank import load_bank, split_of
from mathtutor.io import sha256_file
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem
from mathtutor.sources import DATA_VARIABLE, SOURCES, load_source

TABLE = Path(__file__).with_name("benchmarks.yaml")
NOT_PINNED = "main, not pinned"
KINDS = ("number", "expression", "proof")

_PLAIN = re.compile(r"\s*\$?-?\d[\d,]*(?:\.\d+)?\$?\.?\s*")
BANK_SEED = 900_001  # no data set is built from this seed
BANK_HELD_OUT, BANK_KNOWN = 6, 2  # instances a family

QUESTION_KEYS = ("question", "problem", "input")
ANSWER_KEYS = ("answer", "target")


def load_bank_problems(split: str, instances: int) -> list[Problem]:
    """The families in turn, so that any prefix (`--limit`) spans them evenly."""
    families = [f for _, f in sorted(load_bank().items()) if split_of(f.id) == split]
    problems = []
    for index in range(instances):
        for family in families:
            instance = family.instantiate(BANK_SEED, index)
            problems.append(
                Problem(
                    id=f"{family.id}-{index}",
                    question=instance.problem,
                    answer=instance.answer,
                    gold=instance.shown_answer,
                    source="bank",
                    meta={"family": family.id, "topic": family.topic, "steps": len(instance.steps)},
                )
            )
    return problems


def load_file(path: str) -> list[Problem]:
    """Problems of a file (`read_table` says of which kinds). Raises ValueError naming the row that is not a problem."""
    problems, seen = [], set()
    for number, row in enumerate(read_table(Path(path)), start=1):
        question = next((row[k] for k in QUESTION_KEYS if isinstance(row.get(k), str) and row[k].strip()), None)
        gold = next((row[key] for key in ANSWER_KEYS if row.get(key) is not None), None)
        if question is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a text under {' or '.join(QUESTION_KEYS)} and a value under "
                f"{' or '.join(ANSWER_KEYS)}; it has {', '.join(row)}"
            )
        if not isinstance(gold, (str, int, float)):
            raise ValueError(f"{path}: row {number}: the answer must be a number or a text, not {gold!r:.60}")
        if isinstance(gold, str) and is_formula(gold):
            raise ValueError(f"{path}: row {number}: the answer {gold!r:.60} is a formula: file: takes numbers (1/2, 0.5)")
        is_number = not isinstance(gold, (str, bool))
        answer = read_gold(gold if is_number else str(gold))
        if answer is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the answer {gold!r:.60}")
        name = str(number - 1 if (given := identity(row)) is None else given)
        if name in seen:
            raise ValueError(f"{path}: the id {name!r} stands twice, again in row {number}")
        seen.add(name)
        problems.append(Problem(name, question, answer, str(gold), Path(path).stem))
    return problems


# --- the table


@cache
def table() -> dict[str, dict]:
    """`benchmarks.yaml`."""
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def kind_of(name: str) -> str:
    """One of KINDS: what an answer of this benchmark is."""
    return table()[name]["kind"] if name in table() else "number"


def tolerance_of(name: str) -> str | None:
    """How far from the gold answer of this benchmark an answer may be, None where it must be that very number."""
    return table().get(name, {}).get("tolerance")


def load_published(name: str) -> tuple[list[Problem], dict]:
    """(problems, where they came from) of a row of the table. Raises ValueError with the way to get the data."""
    entry = table()[name]
    rows, origin = _from_folder(name, entry) if os.environ.get(DATA_VARIABLE) else _from_hub(name, entry)
    if len(rows) != entry["rows"]:
        raise ValueError(f"{name} has {len(rows):,} rows here, {entry['rows']:,} when it was pinned")
    problems = [problem for index, row in enumerate(rows) if (problem := _problem(name, entry, index, row)) is not None]
    skipped = len(rows) - len(problems)
    if skipped and "skip" not in entry:
        raise ValueError(f"{name}: {skipped} of {len(rows):,} rows have no answer that can be read: its format has changed")
    seen: set[str] = set()
    for place, problem in enumerate(problems):
        if problem.id in seen:
            raise ValueError(f"{name}: the id {problem.id!r} stands twice, again in problem {place + 1}")
        seen.add(problem.id)
    return problems, origin | {"rows": len(rows), "skipped": skipped} | ({"why": entry["skip"]} if skipped else {})


def _first(row: dict, names: list[str]):
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _problem(name: str, entry: dict, index: int, row: dict) -> Problem | None:
    """None where a row has no answer of the benchmark's kind."""
    read = entry["read"]
    parts = next((parts for parts in read["question"] if all(isinstance(row.get(part), str) for part in parts)), None)
    if parts is None:
        wanted = " or ".join(" and ".join(parts) for parts in read["question"])
        raise ValueError(f"{name}: row {index + 1} has no text under {wanted}; it has {', '.join(map(str, row))}")
    texts = [row[part].strip() for part in parts]
    # Stories end now and then without a stop before the question.
    question = " ".join(text if last or text.endswith((".", "?", "!", ",")) else text + "." for last, text in
                        zip([False] * (len(texts) - 1) + [True], texts, strict=True))  # fmt: skip
    given = [row[key] for key in read.get("id", []) if row.get(key) is not None]
    meta = {key.lstrip("@").lower().replace("-", "_"): row[key] for key in read.get("meta", []) if row.get(key) is not None}
    gold = _first(row, read["answer"])
    if isinstance(gold, list):
        gold = gold[0] if len(gold) == 1 else None
    answer = None
    if entry["kind"] == "number":
        answer = _number(gold)
        if answer is None:
            return None
        if "tolerance" in entry:
            meta["tolerance"] = entry["tolerance"]
    elif entry["kind"] == "expression":
        if gold is None:
            return None
        # Most are numbers after all; "$2^{u-2}$" must not become one.
        answer = _number(gold) if isinstance(gold, (int, float)) or _PLAIN.fullmatch(str(gold)) else None
    for key in read.get("alike", []):  # whose problems are made from one: by its hash, as the text is not ours to copy
        if row.get(key) is not None:
            meta[key] = hashlib.sha256(str(row[key]).encode("utf-8", "replace")).hexdigest()[:16]
    for key, names in read.get("reference", {}).items():
        meta[key] = _first(row, names)
    id = f"{name}-{'-'.join(str(part) for part in given) if given else index}"
    return Problem(id, question, answer, "" if gold is None else str(gold), name, meta)


def _number(gold) -> Fraction | None:
    if gold is None or isinstance(gold, bool):
        return None
    if isinstance(gold, str):
        # ASDiv writes the unit after the number: "9 (apples)"; "12 (dogs); 8 (cats)" are two answers.
        gold = re.sub(r"\s*\([^();]*\)\s*\Z", "", gold)
        if ";" in gold:
            return None
    return read_gold(gold)


def _from_folder(name: str, entry: dict) -> tuple[list[dict], dict]:
    folder = Path(os.environ[DATA_VARIABLE])
    found = next((file for file in entry["files"] if (folder / file).exists()), None)
    if found is None:
        other = f"unset {DATA_VARIABLE} to load {entry['hub']['id']} from the hub" if entry["hub"] else f"get it from {entry['source']}"
        raise ValueError(f"{name}: {folder} holds none of {', '.join(entry['files'])}: put one there, or {other}")
    digest, pinned = sha256_file(folder / found), entry.get("sha256", {}).get(found)
    if pinned is not None and digest != pinned:
        raise ValueError(f"{folder / found} is not the file whose hash is pinned in {TABLE.name}")
    rows = read_csv(folder / found, mend=mend) if (mend := entry.get("mend", {}).get(found)) else read_table(folder / found)
    return rows, {"file": found, "sha256": digest, "pinned": pinned is not None}


def _from_hub(name: str, entry: dict) -> tuple[list[dict], dict]:
    hub = entry["hub"]
    if hub is None:
        raise ValueError(
            f"{name} is on no hub that we know of: put {entry['files'][0]} of {entry['source']} into a folder and let {DATA_VARIABLE} name it"
        )
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise ValueError(
            f"{hub['id']} comes from the hub with the package `datasets` (pip install -e '.[eval]'), "
            f"or from a folder that {DATA_VARIABLE} names"
        ) from error
    try:
        rows = list(load_dataset(hub["id"], hub["config"], split=hub["split"], revision=hub["revision"]))
    except Exception as error:  # the hub's client raises its own zoo of network errors
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{hub['id']} could not be loaded: {reason}. Set {DATA_VARIABLE} to a local folder") from error
    return rows, {"hub": hub["id"], "config": hub["config"], "split": hub["split"], "revision": hub["revision"] or NOT_PINNED}


def _of_source(name: str) -> Callable[[], tuple[list[Problem], dict]]:
    def load():
        source = SOURCES[name, "test"]
        problems = load_source(name, "test")
        if os.environ.get(DATA_VARIABLE):
            return problems, {"file": source.file, "sha256": source.sha256, "pinned": True, "rows": len(problems), "skipped": 0}
        repository, configuration, split = source.hub
        revision = source.revision or NOT_PINNED
        origin = {"hub": repository, "config": configuration, "split": split, "revision": revision}
        return problems, origin | {"rows": len(problems), "skipped": 0}

    return load


def _of_bank(split: str, instances: int) -> Callable[[], tuple[list[Problem], dict]]:
    def load():
        problems = load_bank_problems(split, instances)
        return problems, {"bank": split, "seed": BANK_SEED, "rows": len(problems), "skipped": 0}

    return load


BENCHMARKS: dict[str, Callable[[], tuple[list[Problem], dict]]] = {
    "gsm8k": _of_source("gsm8k"),
    "svamp": _of_source("svamp"),
    "bank": _of_bank("held-out", BANK_HELD_OUT),
    "bank-known": _of_bank("train", BANK_KNOWN),
    **{name: (lambda name=name: load_published(name)) for name in table()},
}


def load_benchmark(name: str, limit: int | None = None) -> list[Problem]:
    """The problems of a benchmark, at most `limit`. Raises ValueError with the known names."""
    return load_with_origin(name, limit)[0]


def load_with_origin(name: str, limit: int | None = None) -> tuple[list[Problem], dict]:
    """(problems, where they came from): hub and commit, or file and hash."""
    if name.startswith("file:"):
        path = Path(name.removeprefix("file:"))
        problems = load_file(str(path))
        origin = {"file": path.name, "sha256": sha256_file(path), "pinned": False, "rows": len(problems), "skipped": 0}
    elif name in BENCHMARKS:
        problems, origin = BENCHMARKS[name]()
    else:
        raise ValueError(f"unknown benchmark {name!r}: use {', '.join(BENCHMARKS)} or file:PATH.jsonl")
    if not problems:
        raise ValueError(f"{name} holds no problem")
    return problems[:limit], origin
