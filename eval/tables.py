"""Rows of the tables that others publish, whatever file they lie in.

    for row in read_table(Path("outputs.csv")): ...

JSON lines (plain or .gz), a JSON list, a JSON object of numbered rows ({"0": {...}, "1": {...}}, as OpenCompass writes), CSV
with commas, TSV, Parquet, and the XML of ASDiv. A BOM, CRLF and blank lines are accepted; what would lose or change a row in
silence is refused.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import xml.etree.ElementTree as xml
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mathtutor.io import Damaged, read_json, read_rows

SPREADSHEETS = {".xlsx", ".xls", ".ods"}
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "upright bars"}
# Not guessed at: where columns stand between semicolons, 1,5 mostly means one and a half
HOW_TO_SAVE = "Save it as CSV, with commas between the columns and points in the numbers; where tabs stand between them, call it .tsv"
MAX_CELL = 1 << 27  # characters of a CSV cell: a proof with its thinking is longer than Python's own limit
SHOWN = 60
ID_KEYS = ("id", "idx", "index", "doc_id", "question_id", "problem_id", "unique_id")  # the first that a row has tells it apart

ALIKE = ("family", "original_id", "seed_question")  # what says of a problem that others are made from the same template


def read_table(path: Path) -> list[dict]:
    """The rows of a file. Raises ValueError (of which Damaged is one) that names file and fault, or OSError."""
    kind = path.suffix.lower()
    if kind in _READERS:
        return _READERS[kind](path)
    if kind in SPREADSHEETS:
        raise ValueError(f"{path} is a spreadsheet: save it as CSV, with commas and UTF-8")
    if kind == ".gz" and (inside := Path(path.stem).suffix.lower()) in _READERS:
        raise ValueError(f"{path} is a packed {inside} file: unpack it first")
    # A list is known by its first character: files are called .json, .jsonl or nothing at all, whatever is in them.
    if _begins_with(path, b"["):
        return _list(path)
    if kind != ".gz" and (found := _object(path)) is not None:
        return _numbered(path, found)
    return list(read_rows(path))


def identity(row: dict) -> object:
    """What tells a row apart from others, None where it does not say."""
    return next((row[key] for key in ID_KEYS if row.get(key) is not None), None)


def cell(row: dict, name: str) -> object:
    """What stands under a name, or deeper: "doc.answer", "resps.0.0", "messages.-1.content". None where nothing does."""
    if name in row:
        return row[name]
    value: object = row
    for part in name.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.lstrip("-").isdecimal() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _begins_with(path: Path, mark: bytes) -> bool:
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")
    try:
        with opened as file:
            return file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(mark)
    except (EOFError, gzip.BadGzipFile):
        return False  # the reader of rows says what is wrong with it


def _list(path: Path) -> list[dict]:
    if path.suffix == ".gz":
        raise ValueError(f"{path} holds a JSON list: unpack it first")
    rows = read_json(path)
    wrong = next((place for place, row in enumerate(rows, start=1) if not isinstance(row, dict)), None) if isinstance(rows, list) else 0
    if wrong is not None:
        raise ValueError(f"{path} must hold a JSON list of objects" + (f": item {wrong} is {rows[wrong - 1]!r:.{SHOWN}}" if wrong else ""))
    return rows


def _object(path: Path) -> dict | None:
    """The one JSON object that is the whole of a file; None for JSON lines, and for what is no JSON."""
    with open(path, "rb") as file:
        first = file.readline().removeprefix(b"\xef\xbb\xbf").strip()
        is_line = _is_json(first)
        if is_line and any(line.strip() for line in file):
            return None
    if is_line:
        found = json.loads(first)  # one line: a row, unless all that it holds are rows
        return found if isinstance(found, dict) and _holds_rows(found) else None
    if not first.startswith(b"{"):
        return None
    try:
        found = read_json(path)
    except Damaged:
        return None  # the reader of rows says in which line
    return found if isinstance(found, dict) else None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _holds_rows(found: dict) -> bool:
    return bool(found) and all(key.isdecimal() and isinstance(row, dict) for key, row in found.items())


def _numbered(path: Path, found: dict) -> list[dict]:
    if not _holds_rows(found):
        lists = [key for key, value in found.items() if isinstance(value, list)]
        fix = f"save what stands under {' or '.join(map(repr, lists[:4]))} as a file of its own" if lists else "save its rows as a JSON list"
        raise ValueError(f"{path} holds one JSON object, and rows are wanted: {fix}")
    return [{"id": key} | row for key, row in found.items()]


def _tsv(path: Path) -> list[dict]:
    return read_csv(path, "\t")


def read_csv(path: Path, comma: str = ",", mend: Mapping[str, str] = MappingProxyType({})) -> list[dict]:
    """The rows of a CSV. `mend`: texts that stand in it once, and what is read in their place. Raises as `read_table` does."""
    csv.field_size_limit(MAX_CELL)
    rows: list[dict] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") if not mend else _mended(path, mend) as file:
            reader = csv.reader(file, strict=True, delimiter=comma)
            head = next(reader, [])
            if len(head) == 1 and (other := next((name for mark, name in SEPARATORS.items() if mark != comma and mark in head[0]), None)):
                raise ValueError(f"{path}: its columns stand between {other}. {HOW_TO_SAVE}")
            if len(set(head)) < len(head):
                raise ValueError(f"{path}: two columns have one name: {', '.join(head)}")
            for cells in reader:
                if not cells:
                    continue  # an empty line
                if len(cells) != len(head):
                    raise ValueError(f"{path}: row {len(rows) + 1} has {len(cells)} cells, and the first line names {len(head)} columns")
                rows.append(dict(zip(head, cells, strict=True)))
    except csv.Error as error:  # a quote that is never closed swallows all rows after it
        raise ValueError(f"{path}: row {len(rows) + 1} is no CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (byte {error.start} of what was read at once): save it as UTF-8") from error
    return rows


def _mended(path: Path, mend: Mapping[str, str]) -> io.StringIO:
    text = path.read_bytes().decode("utf-8-sig")
    for wrong, right in mend.items():
        if text.count(wrong) != 1:
            raise ValueError(f"{path} does not hold {wrong!r} once: it is not the file that is to be mended")
        text = text.replace(wrong, right)
    return io.StringIO(text, newline="")


def _xml(path: Path) -> list[dict]:
    try:
        root = xml.parse(path).getroot()
    except xml.ParseError as error:
        raise ValueError(f"{path} is not XML: {error}") from error
    return [
        {f"@{key}": value for key, value in problem.attrib.items()} | {part.tag: part.text or "" for part in problem}
        for problem in root.iter("Problem")
    ]


def _parquet(path: Path) -> list[dict]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(f"{path}: Parquet is read with the package `pyarrow` (pip install -e '.[eval]')") from error
    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise Damaged(f"{path} is no Parquet file: {error}") from error


_READERS = {".csv": read_csv, ".tsv": _tsv, ".xml": _xml, ".parquet": _parquet}
