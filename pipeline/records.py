"""The records of a file that others made: JSON lines, a JSON list, CSV or Parquet, plain, .gz or .zst.

    notes = []
    for item in read_records(Path("theirs.jsonl.gz"), notes):
        item      # Record(line=1, value={"question": "..."}) or Unreadable(line=2, reason="not_json", ...)
    notes         # ["a byte order mark", "2 blank lines"]

What is wrong with one record makes it an `Unreadable`, and the next one is read. What is wrong with the whole
file (no such file, a folder, UTF-16, a cut .gz) raises `Damaged` with the fix. `line` counts from 1; in a JSON
list and in Parquet it counts the records. The bounds below hold whatever the file is.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mathtutor.io import Damaged
from pipeline.packed import (
    BOM,
    BUFFER,
    MAX_LINE,
    PACKED,
    PARQUET,
    Unpacked,
    import_or_tell,
    read_lines,
    refuse_other_formats,
)

MAX_LINES = 300  # lines of one record of a table; a quote that is open for longer was never closed
MAX_LIST = 500_000_000  # bytes of a JSON list, which is held in memory
MAX_DIGITS = 50  # of a number
MAX_DEPTH = 50  # lists and objects inside each other
RAW_CHARS = 1000  # of an unreadable record that are kept
BATCH = 500  # records of a Parquet file that are held at a time
TOLD_FROM_LINES, TOLD_FROM_BYTES = 8, 1_000_000  # lines that tell a JSON list from JSON lines, and bytes of each

class Number(str):
    """A number of a JSON text as it was written: none is too long to be read, and none changes."""


@dataclass(frozen=True)
class Record:
    """One record; `raw` is its text, cut to RAW_CHARS, where the file has one."""

    line: int
    value: dict[str, Any]
    raw: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A record that gives no row. `reason` is one of few and can be counted; `detail` says what was expected."""

    line: int
    reason: str
    raw: str
    column: int = 0  # character of the line, from 1, where it is known
    detail: str = ""

    def to_dict(self) -> dict:
        where = {"column": self.column} if self.column else {}
        return {"line": self.line, **where, "reason": self.reason, "detail": self.detail, "raw": self.raw}


def raw_of(value: object) -> str:
    """The JSON text of a record whose file has none for it."""
    return json.dumps(value, default=str)[:RAW_CHARS]


def read_records(path: str | Path, notes: list[str]) -> Iterator[Record | Unreadable]:
    """The records in the file's order, at least one; `notes` receives what was put right on the way. Raises Damaged."""
    path, number = Path(path), 0
    for number, item in enumerate(_read(path, notes), start=1):  # noqa: B007
        yield item
    if not number:
        raise Damaged(f"{path} is empty: it has no rows")


def _read(path: Path, notes: list[str]) -> Iterator[Record | Unreadable]:
    if path.is_dir():
        files = sorted(p.name for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        raise Damaged(f"{path} is a folder: name a file in it ({', '.join(files[:5]) or 'it has none'})")
    if path.exists() and not path.is_file():
        raise Damaged(f"{path} is a pipe or a device, which can be read only once: save what it gives in a file")
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror}") from error
    if start.startswith(PARQUET):
        yield from _parquet(path)
        return
    packing = next((suffix for magic, suffix in PACKED.items() if start.startswith(magic)), "")
    suffix = Path(path.name.removesuffix(packing)).suffix.lower()
    with io.BufferedReader(Unpacked(path, packing), BUFFER) as file:
        head = file.peek(BUFFER)
        if head.startswith(BOM):
            notes.append("a byte order mark")
        head = head.removeprefix(BOM)
        refuse_other_formats(path, head)
        if suffix in (".csv", ".tsv"):
            yield from _csv(path, file, suffix, notes)
        elif _is_list(path, packing, suffix):
            yield from _list(path, file)
        else:
            yield from _json_lines(file, notes)


def _not_utf8(number: int, line: bytes, error: UnicodeDecodeError) -> Unreadable:
    byte = line[error.start : error.start + 1]
    likely = f"as Windows-1252 (or Latin-1) it is {byte.decode('cp1252', 'replace')!r}"
    detail = f"byte 0x{byte.hex()} is not UTF-8; {likely}: save the file as UTF-8"
    return Unreadable(number, "not_utf8", line.decode("utf-8", "backslashreplace")[:RAW_CHARS], error.start + 1, detail)


# --- JSON


def _number(text: str) -> Number:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return Number(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")


def _parse(text: str) -> Any:
    """Raises ValueError, and RecursionError for a value that is nested thousands of times."""
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where one key has two values: nobody can say which one was meant."""
    value = dict(pairs)
    if len(value) < len(pairs) and (twice := [key for key, inner in pairs if inner != value[key]]):
        raise ValueError(f"the key {twice[0]!r:.80} stands twice with different values")
    return value


def _is_deep(value: object) -> bool:
    """Whether a value holds others beyond MAX_DEPTH, where whoever walks through it would run out of stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        holders = (outer.values() if isinstance(outer, dict) else outer for outer in level if isinstance(outer, (dict, list)))
        level = [inner for holder in holders for inner in holder]
    return bool(level)


def _holds_half_a_character(value: object) -> bool:
    """Whether a text in it holds half of a character (a lone \\ud... escape), which no file can hold again."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _record(number: int, value: object, raw: str | None = None) -> Record | Unreadable:
    """`raw` is None where the file has no text for this record alone."""
    if (raw is None or raw.count("[") + raw.count("{") > MAX_DEPTH) and _is_deep(value):
        return Unreadable(number, "not_json", (raw or "")[:RAW_CHARS], detail="nested too deeply")
    raw = json.dumps(value) if raw is None else raw
    if not isinstance(value, dict):
        return Unreadable(number, "not_an_object", raw[:RAW_CHARS], detail=f"expected an object, not {type(value).__name__}")
    if "\\ud" in raw.lower() and _holds_half_a_character(value):
        return Unreadable(number, "half_a_character", raw[:RAW_CHARS], detail="a lone \\ud... escape: mend the text")
    return Record(number, value, raw[:RAW_CHARS])


def _json_lines(file: io.BufferedReader, notes: list[str]) -> Iterator[Record | Unreadable]:
    blank, line = 0, b""
    for number, line in read_lines(file):
        if number == 1 and line.endswith(b"\r\n"):
            notes.append("line ends of Windows")
        if line.strip():
            yield _json_line(number, line)
        else:
            blank += 1
    if blank:
        notes.append(f"{blank:,} blank lines" if blank > 1 else "a blank line")
    if not line.endswith(b"\n"):
        notes.append("no line end after the last line")


def _json_line(number: int, line: bytes) -> Record | Unreadable:
    if len(line) > MAX_LINE:
        detail = f"expected at most {MAX_LINE // 10**6} MB in a line"
        return Unreadable(number, "line_too_long", line[:RAW_CHARS].decode("utf-8", "replace"), detail=detail)
    if not line.strip(b"\0 \t\r\n"):
        return Unreadable(number, "zero_bytes", "", detail=f"{len(line):,} zero bytes: the file was not written to its end")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(number, line, error)
    raw = text.strip()
    try:
        value = _parse(raw)
    except json.JSONDecodeError as error:
        torn = not line.endswith(b"\n")
        column = error.pos + 1 + len(text) - len(text.lstrip())
        detail = f"{error.msg}{': the file ends in the middle of a record' if torn else ''}"
        return Unreadable(number, "torn_last_line" if torn else "not_json", raw[:RAW_CHARS], column, detail)
    except ValueError as error:
        return Unreadable(number, "not_json", raw[:RAW_CHARS], detail=str(error))
    except RecursionError:
        return Unreadable(number, "not_json", raw[:RAW_CHARS], detail="nested too deeply")
    return _record(number, value, raw)


def _is_list(path: Path, packing: str, suffix: str) -> bool:
    """Whether the file is one JSON value and not a value a line. A broken first line tells nothing: the lines after it do."""
    with io.BufferedReader(Unpacked(path, packing), BUFFER) as file:
        lines = (line.strip() for _, line in read_lines(file, TOLD_FROM_BYTES))
        first, *others = list(islice(filter(None, lines), TOLD_FROM_LINES)) or [b""]
    is_open = first.startswith(b"[")
    if _is_whole(first):
        return is_open and not others
    alone = sum(line.startswith(b"{") and _is_whole(line) for line in others)
    return (is_open or suffix == ".json") and 2 * alone <= len(others)  # of "[\n{...}\n]" one of two stands alone


def _is_whole(line: bytes) -> bool:
    """Whether a line is JSON by itself."""
    try:
        _parse(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def _list(path: Path, file: io.BufferedReader) -> Iterator[Record | Unreadable]:
    data = file.read(MAX_LIST + 1)
    if len(data) > MAX_LIST:
        raise Damaged(f"{path} is one JSON value of over {MAX_LIST // 10**6} MB: save it as JSON lines (jq -c '.[]')")
    try:
        values = _parse(data.removeprefix(BOM).decode("utf-8"))
    except json.JSONDecodeError as error:
        raise Damaged(f"{path}:{error.lineno}:{error.colno} is not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise Damaged(f"{path}:{number} {_not_utf8(number, data, error).detail}") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is not JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}") from error
    del data
    if not isinstance(values, list):
        keys = f" with {', '.join(map(str, values))[:200]}" if isinstance(values, dict) else ""
        inside = list_inside(values)
        hint = f": take the list out with jq -c '.[{json.dumps(inside)}][]' {path}" if inside else ""
        raise Damaged(f"{path} must hold a list of objects, not {type(values).__name__}{keys}{hint}")
    for number, value in enumerate(values, start=1):
        yield _record(number, value)


def list_inside(value: Any) -> str:
    """The key under which an object holds its one list of objects, as {"data": [{...}, ...]} does; "" where it holds none or several."""
    lists = [key for key, inner in value.items() if isinstance(inner, list) and inner and isinstance(inner[0], dict)] if isinstance(value, dict) else []
    return lists[0] if len(lists) == 1 else ""


# --- tables


def _csv(path: Path, file: io.BufferedReader, suffix: str, notes: list[str]) -> Iterator[Record | Unreadable]:
    csv.field_size_limit(MAX_LINE)
    taken: list[tuple[int, bytes]] = []  # the lines of the record that is being read
    again: deque[tuple[int, bytes]] = deque()  # lines that a quote had swallowed
    source = read_lines(file)
    spans: list[tuple[int, int]] = []  # (how many lines, the first of them) of the records of several lines

    def lines() -> Iterator[str]:
        while item := again.popleft() if again else next(source, None):
            if len(taken) == MAX_LINES:
                again.appendleft(item)
                raise csv.Error(f"a quote that opens here is not closed within {MAX_LINES} lines")
            taken.append(item)
            yield item[1].decode("utf-8", "surrogateescape")

    def records() -> Iterator[list[str]]:
        return csv.reader(lines(), delimiter=delimiter, strict=True)

    head = file.peek(BUFFER).removeprefix(BOM).decode("utf-8", "replace").split("\n")[0]
    delimiter = "\t" if suffix == ".tsv" else max(",;\t|", key=head.count)
    reader = records()
    header: list[str] | None = None
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            (first, line), *swallowed = taken
            raw = line[: 4 * RAW_CHARS].decode("utf-8", "backslashreplace")[:RAW_CHARS]
            detail = str(error)
            if "unexpected end of data" in detail:
                detail = f"a quote that opens here is not closed by line {taken[-1][0]}, the last"
            yield Unreadable(first, "open_quote" if swallowed or "a quote" in detail else "not_csv", raw, detail=detail)
            again.extendleft(reversed(swallowed))
            reader = records()
            continue
        if header is None:
            header = _header(path, cells, head.endswith("\r"), notes)
        elif cells:
            (first, line), *swallowed = taken
            if swallowed and (len(cells) != len(header) or _are_records(taken, len(header), delimiter)):
                detail = f"a quote that opens here makes one record of {len(taken)} lines with {len(cells)} cells, not {len(header)}"
                if len(cells) == len(header):
                    detail = f"a quote that opens here closes in line {taken[-1][0]}, and each line between is a record by itself"
                raw = line[: 4 * RAW_CHARS].decode("utf-8", "backslashreplace")[:RAW_CHARS]
                yield Unreadable(first, "open_quote", raw, detail=detail)
                again.extendleft(reversed(swallowed))
                reader = records()
                continue
            if swallowed:
                spans.append((len(taken), -first))
            yield _csv_record(first, header, cells, b"".join(line for _, line in taken))
    if spans:
        most, first = max(spans)
        notes.append(f"{len(spans):,} records of several lines, {sum(lines for lines, _ in spans):,} in all; the longest, "
                     f"of {most:,}, begins in line {-first:,}")


def _are_records(lines: list[tuple[int, bytes]], width: int, delimiter: str) -> bool:
    """Whether each line has all the cells: then two stray quotes, and no cell of several lines, hold them together.

    Two columns have one comma a line, as a sentence may have: there it takes a third line to tell.
    """
    return len(lines) > (width == 2) + 1 and all(line.count(delimiter.encode()) == width - 1 for _, line in lines) and width > 1


def _header(path: Path, cells: list[str], windows: bool, notes: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise Damaged(f"{path}:1 names the column {twice[0]!r} twice: rename one")
    if windows:
        notes.append("line ends of Windows")
    return header


def _csv_record(number: int, header: list[str], cells: list[str], line: bytes) -> Record | Unreadable:
    try:
        raw = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return _not_utf8(number, line, error)
    if len(cells) != len(header):
        detail = f"expected {len(header)} cells as in the header, not {len(cells)}"
        return Unreadable(number, "wrong_number_of_cells", raw[:RAW_CHARS], detail=detail)
    return Record(number, dict(zip(header, cells, strict=True)), raw[:RAW_CHARS])


def _parquet(path: Path) -> Iterator[Record]:
    pyarrow, parquet = import_or_tell("pyarrow", path), import_or_tell("pyarrow.parquet", path)
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                for value in batch.to_pylist():
                    number += 1
                    yield Record(number, value)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Damaged(f"{path} is no whole Parquet file, after record {number}: fetch it again ({str(error)[:200]})") from error


def is_missing(value: object) -> bool:
    """Nothing: null, NaN (what pandas writes for null), or a text of spaces."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value.strip())
