"""Rows from data that others made, whatever they called their columns.

    tally = Tally()
    for item in read_foreign("theirs.jsonl", tally=tally):
        item      # Row(id="theirs-0000001", problem="...", steps=(...), answer="72", source="theirs.jsonl"), or Unreadable
    tally.lines, tally.rows, tally.unreadable       # rows + unreadable == lines + further

A record gives a problem, a solution and an answer by the names of its columns, in any of these shapes:

    {"question": "...", "answer": "... = <<48/2=24>>24 ...\\n#### 72"}          GSM8K
    {"problem": "...", "solution": "... \\\\boxed{72}", "answer": "72"}           and many other names, see below
    {"instruction": "...", "input": "", "output": "..."}                         Alpaca
    {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}     OpenAI
    {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}         ShareGPT
    {"id": "...", "problem": "...", "steps": ["..."], "answer": "72"}            our own: taken as it stands, a null for absent

Where names say too little, `columns` does: {"problem": "Q", "answer": "A"}. The answer column counts before what
the solution states. A record that cannot be a row is `Unreadable` with the reason; an answer that is no number
is none of the reader's business: the filters drop it.
"""

from __future__ import annotations

import json
import numbers
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mathtutor.maths.answers import find_gold
from mathtutor.problem import MAX_GRADE, Row
from pipeline.filters import ID, is_bare
from pipeline.records import Number, Record, Unreadable, is_missing, list_inside, raw_of, read_records
from pipeline.solutions import STEP_LABEL, as_written, read_stated, stated_answer, to_steps
from pipeline.unstated import Unstated

# Names in the order in which they are believed, in lower case and without marks: "Ground_Truth Answer" is groundtruthanswer.
NAMES = {
    "problem": "problem question query originalquestion prompt instruction input squestion problemtext questiontext".split(),
    "solution": (
        "steps solution generatedsolution referencesolution fullsolution rationale reasoning chainofthought cot explanation "
        "modeloutput response output completion generation generatedtext chosen formula equation answer target groundtruth"
    ).split(),
    "answer": (
        "finalanswer expectedanswer shortanswer groundtruthanswer correctanswer goldanswer numericanswer answer groundtruth gold "
        "target lsolutions label result"
    ).split(),
    "conversation": "messages conversations conversation dialogue dialog chat turns".split(),
    "id": "id uid uuid problemid questionid rowid".split(),
}
SPEAKERS = dict.fromkeys(("user", "human", "prompter"), "user") | dict.fromkeys(
    ("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"
)
SPEAKER_KEYS, TEXT_KEYS = ("role", "from", "speaker"), ("content", "value", "text")

# Our own format: the column of each role, and what may be wanting.
OWN = {"problem": "problem", "solution": "steps", "answer": "answer"}
OPTIONAL = ("source", "family", "topic", "grade", "asked", "plan")

MAX_TEXT = 100_000  # characters of a problem or a solution; thinking aloud takes the most
MAX_ID = 200
MAX_SOURCE = 64
SAMPLE = 100  # records after which a file without a row is given up where columns are wanting
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
NUMBER = re.compile(r"\d[\d.,]*")
# A later turn that leans on the ones before it is no problem of its own.
LEANING = re.compile(
    r"\W*(?:and|but|so|now|then|also|what (?:if|about)|how about|why|can you|could you|are you|is (?:it|that)|wait|no|instead|"
    r"suppose (?:she|he|they|it|instead))\b",
    re.IGNORECASE,
)
MIN_WORDS = 8  # of a later turn that is a problem
# What people write around a problem to have a model answer it.
OPENING = re.compile(r"\s*(?:question|problem|q)\s*:\s*", re.IGNORECASE)
ORDER = re.compile(
    r"\s*(?:(?:please\s+)?(?:let['’]?s\s+)?(?:think|reason|solve (?:it|this|this problem))\s+step[- ]by[- ]step\b[^?\n]{0,160}"
    r"|(?:please\s+)?put your (?:final )?answer (?:with)?in\b[^?\n]{0,60}|(?<=\n)answer\s*:)\s*\Z",
    re.IGNORECASE,
)
ORDER_CHARS = 300


@dataclass
class Tally:
    """What became of the records of a file, or of several. rows + unreadable == lines + further.

    lines     records: neither blank lines nor the head of a table
    further   rows beyond the first of a conversation that holds several problems
    asides    later turns of conversations that hold no problem of their own and are left out
    unstated  rows whose record states no answer: the last number of the solution was taken
    readings  which columns were taken for what: {"problem=question, solution=answer": 7473}
    notes     what was put right on the way, by file
    ids       id -> "file:line", so that none stands twice
    """

    lines: int = 0
    rows: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    further: int = 0
    asides: int = 0
    unstated: int = 0
    readings: Counter[str] = field(default_factory=Counter)
    notes: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)


class Pair(NamedTuple):
    """What a record says of one problem; `answer` is "" where only the solution states it."""

    problem: str
    solution: str
    answer: str = ""


class _Refused(Exception):
    """A record that is no row: the reason, and what was expected."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def read_foreign(
    path: str | Path, columns: Mapping[str, str] | None = None, tally: Tally | None = None
) -> Iterator[Row | Unreadable]:
    """The rows of a file in its order, and in its place what cannot be a row; `tally` counts along.

    `columns` maps problem, solution, answer, conversation or id to the name of a column ("data.question" for one
    inside another, "" for none). Raises Damaged (a ValueError) for a file that cannot be read at all, and ValueError
    naming the columns there are where the first records give no row for want of columns.
    """
    path, columns, tally = Path(path), dict(columns or {}), Tally() if tally is None else tally
    unknown = sorted(columns.keys() - NAMES)
    if unknown:
        raise ValueError(f"--columns: {unknown[0]!r} is none of {', '.join(NAMES)}")
    stem = re.sub(r"[^\w+#-]+", "-", path.name.split(".")[0]).lstrip("-+#")[:MAX_SOURCE] or "row"
    before, heads, odd = tally.rows, _Heads(path, columns), Counter()
    notes = tally.notes.setdefault(str(path), [])
    for number, item in enumerate(read_records(path, notes), start=1):
        tally.lines += 1
        rows: list[Row] = []
        if isinstance(item, Record):
            if number <= SAMPLE:
                heads.see(item.value)
            try:
                rows, asides, reading = _rows(item.value, columns, source_name(path), odd)
                rows = _with_ids(rows, f"{stem}-{item.line:07d}", f"{path.name}:{item.line}", tally.ids)
                tally.asides += asides
                tally.readings[reading] += 1
            except _Refused as refused:
                rows = []
                item = Unreadable(item.line, refused.reason, item.raw or raw_of(item.value), detail=refused.detail)
        if isinstance(item, Unreadable):
            tally.unreadable[item.reason] += 1
            yield item
        tally.rows += len(rows)
        tally.further += max(0, len(rows) - 1)
        tally.unstated += sum(isinstance(row, Unstated) for row in rows)
        yield from rows
        if number == SAMPLE:
            heads.check(tally.rows > before)
    heads.check(tally.rows > before)
    for key, count in odd.items():
        kind = f"a whole number of 0 to {MAX_GRADE}" if key == "grade" else "a text"
        notes.append(f"{key} left out of {count:,} {'row' if count == 1 else 'rows'}, where it is not {kind}")


class _Heads:
    """The names of the columns of a file's first records, and the role for which one of them had no column."""

    def __init__(self, path: Path, columns: dict[str, str]):
        self.path, self.wanted, self.there, self.lacking, self.inside = path, columns, {}, "", ""

    def see(self, value: dict) -> None:
        cells = _cells(value, missing=True)
        names = _guess(tuple(cells), tuple(sorted(self.wanted.items())))
        if names["conversation"] not in cells:
            roles = (role for role in ("problem", "solution") if names[role] not in cells)
            self.lacking = self.lacking or next(roles, "")
        self.inside = self.inside or list_inside(value)
        self.there |= dict.fromkeys(cells)

    def check(self, has_rows: bool) -> None:
        """Raises ValueError for a column that was named and is not there, or needed and not found."""
        there = f"there are {', '.join(' '.join(name.split())[:60] for name in self.there)[:500]}"
        absent = [name for name in self.wanted.values() if name and name not in self.there]
        if absent and self.there:
            raise ValueError(f"{self.path}: no column is called {absent[0]!r}; {there}")
        if self.lacking and not has_rows and self.inside:
            raise ValueError(
                f"{self.path}: no column holds the {self.lacking}, and {self.inside!r} holds a list of objects. If these are the rows, "
                f"take them out: jq -c '.[{json.dumps(self.inside)}][]' {self.path} > rows.jsonl"
            )
        if self.lacking and not has_rows:
            raise ValueError(
                f"{self.path}: no column holds the {self.lacking}; {there}. "
                "Say which is which: --columns problem=NAME,solution=NAME,answer=NAME"
            )


def source_name(path: Path) -> str:
    """A file's name as the source of its rows, without what no label may hold."""
    return re.sub(r"[<>`\"\x00-\x1f\x7f\ud800-\udfff]", "-", path.name)[:MAX_SOURCE]


def _with_ids(rows: list[Row], default: str, where: str, ids: dict[str, str]) -> list[Row]:
    """The rows with their own id, or the default; the second row of a record gets ".2". Refuses an id that stands already."""
    named = []
    for number, row in enumerate(rows, start=1):
        name = row.id or default + f".{number}" * (number > 1)
        while not row.id and name in ids:  # two files of one name
            name += "+"
        if name in ids:
            detail = f"id {name!r:.80} stands already in {ids[name]}: mend it, or number the rows anew with --columns id="
            raise _Refused("duplicate_id", detail)
        named.append(replace(row, id=name))
    ids |= {row.id: where for row in named}
    return named


# --- one record


def _rows(value: dict, columns: dict[str, str], source: str, odd: Counter[str]) -> tuple[list[Row], int, str]:
    """(at least one row, its id empty where there is none; turns left out; which column is what). Raises _Refused.

    `odd` counts the values of rows of our own that were left out, by their keys.
    """
    own = _own_row(value, columns, source, odd)
    if own is not None:
        for text in (own.id, own.problem, *own.steps, own.answer, own.asked, own.plan):
            _check_text(text, "the row")
        gold = find_gold(own.answer)
        is_kept = gold is None or gold.value is None or is_bare(own.answer, gold.value)
        answer = own.answer if is_kept else as_written(gold)
        return [replace(own, id=_name(own.id), answer=answer)], 0, "our own format"
    cells = _cells(value)
    names = _guess(tuple(cells), tuple(sorted(columns.items())))
    pairs, asides, used = _pairs(cells, names)
    given = _text(cells[names["id"]], names["id"]) if names["id"] in cells else ""
    given = _name(given) if len(given) <= MAX_ID else ""  # cut, two of them would be one
    rows = []
    for number, pair in enumerate(pairs, start=1):
        problem = _bare_problem(pair.problem)
        if not problem:
            raise _Refused("no_problem", "the problem is empty")
        answer, is_stated = (_shown(pair.answer), True) if pair.answer else read_stated(pair.solution)
        steps = to_steps(pair.solution)
        kind = Unstated if steps and answer and not is_stated else Row
        rows.append(kind(given and given + f".{number}" * (number > 1), problem, steps, answer, source))
    return rows, asides, ", ".join(f"{role}={names[role]}" for role in used if names[role])


def _name(text: str) -> str:
    """An id as it stands; "" for one that no file or table could be named by: the row is numbered instead."""
    return text.strip() if ID.fullmatch(text.strip()) else ""


def _own_row(value: dict, columns: dict[str, str], source: str, odd: Counter[str]) -> Row | None:
    """A row of our own format as it stands; None for any other record.

    An optional value that is null is absent, and one of a wrong type is left out and counted. `columns` may name the
    columns that we name so ourselves, and any for the id, or none.
    """
    steps, is_named = value.get("steps"), all(role == "id" or OWN.get(role) == name for role, name in columns.items())
    if not is_named or not isinstance(steps, list) or not {"problem", "answer"} <= value.keys() or not {"id"} <= value.keys() | columns:
        return None
    if not all(isinstance(step, str) and not STEP_LABEL.match(step) and "<<" not in step for step in steps):
        return None
    texts = {key: _own_value(key, value[key]) for key in ("problem", "answer")}
    if None in texts.values():
        return None
    given = {key: value.get(key) for key in OPTIONAL} | {"id": _cells(value).get(columns["id"]) if "id" in columns else value["id"]}
    plain = {key: _own_value(key, cell) for key, cell in given.items() if not is_missing(cell)}
    odd.update(key for key, cell in plain.items() if cell is None)
    kept = {key: cell for key, cell in plain.items() if cell is not None}
    return Row.from_dict({"id": "", "source": source, "steps": steps} | texts | kept)


def _own_value(key: str, cell: object) -> str | int | None:
    """A text, or a grade, as a row of ours holds it, whoever wrote it: 3.0 for 3, 7 for "7". None for what is neither."""
    is_number = isinstance(cell, numbers.Number) and not isinstance(cell, bool)
    if not isinstance(cell, str) and not is_number:
        return None
    if key != "grade":
        return str(cell)
    try:
        return int(grade) if (grade := float(cell)) in range(MAX_GRADE + 1) else None
    except (ValueError, OverflowError):
        return None


def _cells(value: dict, prefix: str = "", missing: bool = False) -> dict[str, object]:
    """The columns that hold something (`missing`: all of them), those inside others as "data.question"."""
    cells: dict[str, object] = {}
    for key, cell in value.items():
        if missing or not is_missing(cell):
            cells[f"{prefix}{key}"] = cell
        if isinstance(cell, dict) and prefix.count(".") < 2:
            cells |= _cells(cell, f"{prefix}{key}.", missing)
    return cells


@lru_cache(1024)
def _guess(paths: tuple[str, ...], columns: tuple[tuple[str, str], ...]) -> dict[str, str | None]:
    """Which column is the problem, the solution, the answer, the conversation and the id; what `columns` says counts."""
    found: dict[str, str | None] = {role: path or None for role, path in columns}
    by_name: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: path.count(".")):
        by_name.setdefault(re.sub(r"[^a-z0-9]", "", path.rpartition(".")[2].lower()), path)
    for role, names in NAMES.items():
        if role not in found:
            found[role] = next((by_name[name] for name in names if by_name.get(name) not in (None, *found.values())), None)
    if found["solution"] is None:
        found["solution"], found["answer"] = found["answer"], None
    return found


def _pairs(cells: dict[str, object], names: dict[str, str | None]) -> tuple[list[Pair], int, list[str]]:
    """The problems of a record, how many later turns hold none, and the roles whose columns were read. Raises _Refused."""
    problem, solution, answer, conversation = (cells.get(names[role]) for role in ("problem", "solution", "answer", "conversation"))
    if _is_turns(problem):  # a prompt in turns, and its completion
        text = "" if solution is None or _is_turns(solution) else _text(solution, names["solution"], lines=True)
        completion = solution if _is_turns(solution) else [{"role": "assistant", "content": text}] if text else []
        pairs, asides = _pairs_of_turns([*problem, *completion])
        return pairs, asides, ["problem", "solution"]
    text = "" if answer is None else _text(answer, names["answer"])
    if conversation is not None and (problem is None or solution is None):
        pairs, asides = _pairs_of_turns(conversation)
        beside = "answer" if text else "solution" if solution is not None else ""  # a lone "answer" is taken for the solution
        if len(pairs) == 1 and beside:
            return [pairs[0]._replace(answer=_text(cells[names[beside]], names[beside]))], asides, ["conversation", beside]
        return pairs, asides, ["conversation"]
    for role, cell in (("problem", problem), ("solution", solution)):
        if cell is None:
            there = f" in the column {names[role]}" if names[role] else ""
            raise _Refused(f"no_{role}", f"expected a {role}{there}")
    if isinstance(problem, (numbers.Number, Number)):
        raise _Refused("wrong_type", f"{names['problem']} must be a text, not a number")
    pair = Pair(_whole_problem(cells, names["problem"]), _text(solution, names["solution"], lines=True), text)
    return [pair], 0, ["problem", "solution", "answer"] if text else ["problem", "solution"]


def _whole_problem(cells: dict[str, object], path: str) -> str:
    """The text of the problem, with the column in which some formats keep its other half."""
    text = _text(cells[path], path)
    halves = {other.rpartition(".")[2].lower(): other for other in cells}
    name = path.rpartition(".")[2].lower()
    if name == "question" and "body" in halves:  # SVAMP, ASDiv
        return f"{_text(cells[halves['body']], 'body').strip()} {text}"
    if name == "instruction" and "input" in halves:  # Alpaca; "Solve this problem." is no part of one
        more = _text(cells[halves["input"]], "input")
        return more if NUMBER.search(more) and not NUMBER.search(text) else f"{text}\n{more}"
    return text


def _text(value: object, where: str, lines: bool = False) -> str:
    """The text of a cell, also one that is wrapped up ({"text": ...}, [...]); `lines`: a list has a text a line."""
    if isinstance(value, str):
        return _check_text(str(value).replace("\r\n", "\n").replace("\r", "\n"), where)
    if isinstance(value, numbers.Number) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0], where, lines)
    if isinstance(value, list) and value and (lines or all(isinstance(part, dict) for part in value)):
        return "\n".join(_text(part, where) for part in value)
    if isinstance(value, dict):
        inner = [value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)]
        if len(inner) == 1:
            return _text(inner[0], where)
    more = f" with {', '.join(map(str, value))[:100]}" if isinstance(value, dict) else ""
    more = f" of {len(value)}" if isinstance(value, list) else more
    raise _Refused("wrong_type", f"{where} must be a text, not a {type(value).__name__}{more}")


def _check_text(text: str, where: str) -> str:
    if len(text) > MAX_TEXT:
        raise _Refused("text_too_long", f"{where} has {len(text):,} characters: expected at most {MAX_TEXT:,}")
    control = CONTROL.search(text)
    if control:
        raise _Refused("control_character", f"{where} holds U+{ord(control.group()):04X} at character {control.start() + 1}")
    return text


def _shown(answer: str) -> str:
    """An answer as a worksheet prints it where it is a number, else as it was written."""
    return as_written(find_gold(answer)) or stated_answer(answer) or " ".join(answer.split())[:MAX_ID]


def _bare_problem(text: str) -> str:
    """The problem without "Question:" before it and "Let's think step by step." after it."""
    text = text.strip()
    text = text[OPENING.match(text).end() :] if OPENING.match(text) else text
    while match := ORDER.search(text, max(0, len(text) - ORDER_CHARS)):
        text = text[: match.start()]
    return text.strip()


# --- conversations


def _is_turns(value: object) -> bool:
    turns = value if isinstance(value, list) else []
    return bool(turns) and all(isinstance(turn, dict) and not turn.keys().isdisjoint(SPEAKER_KEYS) for turn in turns)


def _pairs_of_turns(conversation: object) -> tuple[list[Pair], int]:
    """Each problem with the reply to it, and how many later questions are none. Raises _Refused."""
    if isinstance(conversation, str):  # of a table
        try:
            conversation = json.loads(conversation)
        except (ValueError, RecursionError) as error:
            raise _Refused("wrong_type", "the conversation must be a list of turns, not a text") from error
    if not _is_turns(conversation):
        raise _Refused("wrong_type", "the conversation must be a list of turns with a role and a content")
    pairs: list[Pair] = []
    asides, question = 0, ""
    for turn in conversation:
        speaker = SPEAKERS.get(str(next(turn[key] for key in SPEAKER_KEYS if key in turn)).lower())
        if speaker is None:  # system, tool
            continue
        content = next((turn[key] for key in TEXT_KEYS if not is_missing(turn.get(key))), "")
        text = _text(content, f"a turn of the {speaker}") if content != "" else ""
        if speaker == "user":
            question = f"{question}\n{text}".strip()
        elif question:
            if not pairs or _is_problem(question, text):
                pairs.append(Pair(question, text))
            else:
                asides += 1
            question = ""
    if not pairs:
        raise _Refused("no_reply", "expected a turn of the user and one of the assistant after it")
    return pairs, asides


def _is_problem(question: str, reply: str) -> bool:
    """Whether a later turn asks something that can be solved without the turns before it."""
    return (
        len(NUMBER.findall(question)) > 1
        and len(question.split()) >= MIN_WORDS
        and LEANING.match(question) is None
        and stated_answer(reply) != ""
    )
