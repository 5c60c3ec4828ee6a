"""Files of model outputs that others published, as rows of a reply and a gold answer.

    for row in rows_of("outputs.jsonl", Columns(gold="doc.answer")): row.reply, row.gold

Whatever `eval.tables` reads. The columns are known by their names (`REPLY_KEYS`, `GOLD_KEYS`, and the `resps` of
lm-evaluation-harness), or named: a name may go deeper, "resps.0.0" or "messages.-1.content". What could be scored wrongly is
refused: two columns that could be the reply, or the gold answer, and differ; a gold answer without a number; the reply of
another row again; two gold answers to one problem. The gold column is chosen once a file, and each row must have it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from eval.tables import ALIKE, ID_KEYS, cell, identity, read_table
from mathtutor.maths.answers import read_answer, read_gold

REPLY_KEYS = ("reply", "model_output", "output", "completion", "response", "generated_text", "prediction")
# These say that they are the gold answer: beside one, "answer" may well be the model's own. In small letters or large.
SAY_GOLD = (
    "gold", "ground_truth_answer", "ground_truth", "gold_answer", "correct_answer", "expected_answer", "reference_answer", "true_answer", "gt_answer",
    "reference", "expected", "ref", "gt",
)  # fmt: skip
GOLD_KEYS = (*SAY_GOLD, "answer", "target", "label")
FEWEST_ROWS, NEARLY_ALL, SOME = 5, 0.9, 0.1  # from so many rows on, a column that nearly all replies say is looked at twice
RESPONSES = "resps"
QUESTION_KEYS = ("question", "problem", "input")
FLOAT_DIGITS = 12  # of a gold answer that is a float: the rest is what binary fractions add
FINISH_KEYS = ("finish", "finish_reason", "stop_reason")
# What other servers and libraries call it, in small letters. A filter cuts a reply off as a limit does.
FINISHES = dict.fromkeys(("length", "max_tokens", "max_new_tokens", "max_length", "max_output_tokens", "content_filter"), "length")
FINISHES |= dict.fromkeys(("failed", "error", "abort"), "failed") | {"repeating": "repeating"}
TRUNCATED = "truncated"  # true: the limit ended the reply
# A command, a power, an index: of "\\frac{1}{2}" and "2^{u-2}" a reader of numbers sees the 2
_EXPRESSION = re.compile(r"\\[A-Za-z]|[\^_]|\\[\\({\[]")
_IN_DOLLARS = re.compile(r"\$[^$]+\$")


@dataclass(frozen=True)
class Row:
    """A row of a file: its reply ("" for a null), its gold text, and what a server said of it."""

    name: str
    reply: str
    gold: str
    is_null: bool
    finish: str | None
    problem: str
    is_expression: bool
    columns: str
    tolerance: str | None
    template: tuple[str, str] | None = None  # what it was made from together with others: (name of the column, value)
    question: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns to take, where they are named and not looked for; whether rows of one id are samples of one problem.

    `constant` is scored in the place of every reply; `id` tells problems apart.
    """

    reply: str | None = None
    gold: str | None = None
    samples: bool = False
    constant: str | None = None
    id: str | None = None


def rows_of(path: str, columns: Columns = Columns()) -> Iterator[Row]:
    """Raises ValueError or OSError for a file that holds no scorable rows."""
    reply_keys = (columns.reply,) if columns.reply else (*REPLY_KEYS, RESPONSES)
    gold_keys = (columns.gold,) if columns.gold else GOLD_KEYS
    filters: dict[tuple, tuple[str, str]] = {}
    empty, seen, run = True, {}, None
    rows = read_table(Path(path))
    _refuse_nest(path, rows, columns)
    columns_of_gold = gold_columns(rows)
    if columns.gold is None and columns.constant is None:
        _refuse_what_is_no_gold(path, rows, columns, columns_of_gold)
    golds: dict[tuple, tuple[int, object]] = {}
    for number, row in enumerate(rows, start=1):
        empty = False
        if isinstance(hashed := row.get("run"), str) and {"reply", "gold"} <= row.keys():  # a row of our own
            run = run or hashed
            if hashed != run:
                raise ValueError(f"{path}: row {number} is of another run than the rows before it: score each run's own file")
        taken, reply, is_null = _reply_of(path, number, row, columns)
        gold = _gold_of(path, number, row, columns_of_gold) if columns.gold is None else cell(row, columns.gold)
        if isinstance(gold, float):
            gold = format(Decimal(f"{gold:.{FLOAT_DIGITS}g}"), "f")  # 0.1 + 0.2 was meant as 0.3
        if reply is None or gold is None:
            raise ValueError(
                f"{path}: row {number} needs a reply ({', '.join(reply_keys)}) and a gold answer ({', '.join(gold_keys)}); "
                f"its columns are {', '.join(map(str, row))}: name them with --reply and --gold (a.b for what lies deeper)"
            )
        is_expression = ("gold_text" in row and columns.gold in (None, "gold_text")) or is_formula(str(gold))
        if not is_expression and read_gold(str(gold)) is None:
            raise ValueError(f"{path}: row {number}: no number can be read from the gold answer {str(gold)[-60:]!r}")
        given = identity(row) if columns.id is None else cell(row, columns.id)
        if columns.id is not None and (isinstance(given, bool) or not isinstance(given, (str, int, float))):
            raise ValueError(f"{path}: row {number} has no name of its problem under {columns.id!r}; its columns are {', '.join(map(str, row))}: name one of them with --id")
        name = str(number - 1 if given is None else given)
        asked = next((row[key] for key in QUESTION_KEYS if isinstance(row.get(key), str) and row[key].strip()), None)
        if given is not None:
            # Some sets count their ids anew in each part: another problem, not another reply.
            key = name, asked
            if isinstance(row.get("filter"), str):
                kept, its = filters.setdefault(key, (row["filter"], reply))
                if kept != row["filter"] and its == reply:
                    continue  # lm-evaluation-harness writes each reply once for every filter that reads it
            first = seen.setdefault((*key, row.get("sample", 0)), number)
            if first != number and not (columns.samples and "sample" not in row):
                raise ValueError(
                    f"{path}: row {number} is the reply of row {first} again (id {name!r}, sample {row.get('sample', 0)}): remove one of them, "
                    "or add --samples where a problem has several replies"
                )
        else:
            key = ("", asked, str(gold)) if asked is not None else (name,)
        value = str(gold) if is_expression or (found := read_gold(str(gold))) is None else found
        first, its = golds.setdefault(key, (number, value))
        if its != value:
            raise ValueError(f"{path}: rows {first} and {number} are replies to one problem (id {name!r}) and have two gold answers: mend the ids, or the gold answers")
        yield Row(
            name, reply, str(gold), is_null, _finish_of(row), hashlib.sha256(repr(key).encode("utf-8", "replace")).hexdigest(), is_expression,
            f"{taken} against {_taken(row, columns, columns_of_gold)}" + (", each reply once for all filters" if isinstance(row.get("filter"), str) else ""),
            _tolerance_of(row), template_of(row), asked,
        )  # fmt: skip
    if empty:
        raise ValueError(f"{path} holds no rows")


def is_formula(gold: str) -> bool:
    """Whether a gold answer is an expression, of which a reader of numbers would take one number for the whole."""
    if "####" in gold:
        return False
    return bool(_EXPRESSION.search(gold)) or (read_gold(gold) is None and bool(_IN_DOLLARS.fullmatch(gold.strip())))


def _reply_of(path: str, number: int, row: dict, columns: Columns) -> tuple[str, str | None, bool]:
    """(the column, its text, whether a null stands there as ""). The text is None without a reply.

    Raises ValueError where two columns could be it, and differ.
    """
    if columns.constant is not None:
        return f"the constant {columns.constant!r}", columns.constant, False
    if columns.reply:
        said = cell(row, columns.reply)
        if isinstance(said, (int, float)) and not isinstance(said, bool):
            said = str(said)  # only of a column that was named: a number may be anything
        is_null = said is None and row.get(columns.reply, "") is None
        return columns.reply, "" if is_null else said if isinstance(said, str) else None, is_null
    given = {key: row[key] for key in REPLY_KEYS if key in row and isinstance(row[key], (str, type(None)))}
    given |= _responses(path, number, row)
    if len(set(given.values())) > 1:
        raise ValueError(f"{path}: row {number} has {' and '.join(given)}, which differ: name the reply with --reply")
    for key, said in given.items():
        return key, said or "", said is None
    return "", None, False


def _responses(path: str, number: int, row: dict) -> dict[str, str]:
    """The one reply in the `resps` of lm-evaluation-harness: [["..."]]; {} where they are no texts."""
    listed = row.get(RESPONSES)
    texts = [text for part in listed for text in (part if isinstance(part, list) else [part])] if isinstance(listed, list) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        return {}
    if len(texts) > 1:
        raise ValueError(f"{path}: row {number} has {len(texts)} replies under {RESPONSES}: name one of them, --reply {RESPONSES}.0.0 or the like")
    return {RESPONSES: texts[0]}


def _finish_of(row: dict) -> str | None:
    """How a reply ended, as far as any of its columns says: "length", "repeating", "failed", else None. Other words say that it is whole."""
    if row.get(TRUNCATED) in (True, "true", "True"):
        return "length"
    ends = (end[0] if isinstance(end := row.get(key), list) and len(end) == 1 else end for key in FINISH_KEYS)
    said = (end.strip().lower() for end in ends if isinstance(end, str))
    return next((FINISHES[word] for word in said if word in FINISHES), None)


def _tolerance_of(row: dict) -> str | None:
    """How far an answer may be off, in a row of our own of a set whose scorer says so."""
    meta = row.get("meta")
    said = meta.get("tolerance") if isinstance(meta, dict) else None
    return said if isinstance(said, str) and re.fullmatch(r"\d+/[1-9]\d*", said) else None


def template_of(row: dict) -> tuple[str, str] | None:
    """What a problem was made from together with others, where its row says it, or its `meta`."""
    meta = row.get("meta")
    places = [row, *([meta] if isinstance(meta, dict) else [])]
    return next(((name, str(place[name])) for name in ALIKE for place in places if isinstance(place.get(name), (str, int))), None)


def _refuse_nest(path: str, rows: list[dict], columns: Columns) -> None:
    """Raises ValueError where a file is one object that holds its rows: named by a path, one of them would stand for all."""
    if len(rows) != 1 or any(rows[0].get(key) is not None for key in ((columns.gold,) if columns.gold else GOLD_KEYS)):
        return
    lists = [key for key, value in rows[0].items() if isinstance(value, list) and value and all(isinstance(part, dict) for part in value)]
    if lists:
        raise ValueError(f"{path} holds one JSON object, and rows are wanted: save what stands under {' or '.join(map(repr, lists[:4]))} as a file of its own")


def gold_columns(rows: list[dict]) -> tuple[str, ...]:
    """The columns of a file that hold gold answers: chosen once, so that no row puts the model's own answer in their place."""
    names = dict.fromkeys(key for row in rows for key in row)
    there = [key for known in GOLD_KEYS for key in names if str(key).lower() == known]
    held = tuple(key for key in there if any(row.get(key) is not None for row in rows))
    say_gold = [key for key in there if key.lower() in SAY_GOLD]
    # A column named gold that is empty throughout is a damaged file, not a reason to believe another column.
    return tuple(key for key in say_gold if key in held) or tuple(say_gold) or held


def _refuse_what_is_no_gold(path: str, rows: list[dict], columns: Columns, gold_columns: tuple[str, ...]) -> None:
    """Raises ValueError where the column taken for gold holds verdicts, or what the model said while another column holds other answers."""
    if len(rows) < 2 or len(gold_columns) != 1 or (gold := gold_columns[0]).lower() in SAY_GOLD or any("gold_text" in row for row in rows):
        return
    if gold.lower() in ("label", "target") and all(str(row.get(gold)) in ("0", "1", "0.0", "1.0") for row in rows):
        raise ValueError(f"{path}: {gold} is 0 or 1 in every row, a verdict and no gold answer: name the column of the gold answers with --gold")
    if len(rows) < FEWEST_ROWS:
        return
    own = [_number_of(row.get(gold)) for row in rows]
    names = dict.fromkeys(key for row in rows for key in row if key not in (gold, columns.reply, columns.id, *REPLY_KEYS, *QUESTION_KEYS, *ID_KEYS))
    alike = {name: sum(_number_of(row.get(name)) == its is not None for row, its in zip(rows, own, strict=True)) / len(rows) for name in names}
    holds = {name: sum(_number_of(row.get(name)) is not None for row in rows) / len(rows) for name in names}
    others = [name for name in names if SOME <= alike[name] < 1 and holds[name] >= NEARLY_ALL]
    if not others:
        return
    said = (read_answer(_reply_of(path, number, row, columns)[1] or "").value for number, row in enumerate(rows, start=1))
    if sum(its is not None and its == value for its, value in zip(own, said, strict=True)) >= NEARLY_ALL * len(rows):
        raise ValueError(
            f"{path}: {gold} is what nearly every reply says, and {' and '.join(others)} holds other numbers: "
            f"name the column of the gold answers with --gold {others[0]}, or --gold {gold} if it is that"
        )


def _number_of(value: object) -> Fraction | None:
    return None if value is None or isinstance(value, (bool, list, dict)) else read_gold(str(value))


def _taken(row: dict, columns: Columns, gold_columns: tuple[str, ...]) -> str:
    return columns.gold or ("gold_text" if "gold_text" in row else gold_columns[0])


def _gold_of(path: str, number: int, row: dict, gold_columns: tuple[str, ...]) -> object:
    """The gold answer, None without one. Raises ValueError where two columns could be it, where one lacks it, or where the row is a proof's."""
    if "gold_text" in row:
        return row["gold_text"]
    if row.get("correct", "") is None:
        raise ValueError(f"{path}: row {number} is a proof's or was not scored: python -m eval.grade --proofs FOLDER grades proofs")
    if lacking := [key for key in gold_columns if row.get(key) is None]:
        raise ValueError(f"{path}: row {number} has no gold answer under {' and '.join(lacking)}: give it one, remove the row, or name the column with --gold")
    given = {key: row[key] for key in gold_columns}
    values = {str(value) if (found := read_gold(str(value))) is None else found for value in given.values()}
    if len(values) > 1:
        raise ValueError(f"{path}: row {number} has {' and '.join(given)}, which differ: name the gold one with --gold")
    return next(iter(given.values()), None)
