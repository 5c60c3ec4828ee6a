"""Which folder may take what: a report.json stands for the rows beside it, and no command writes over another's.

    need_place_for_data(out, [*inputs, *against])    # build, filter: nothing that is read, and no teacher's bill, is replaced
    need_place_for_teacher(out)                      # teach: no data set loses its report

Both ask before any work, and refuse with a ValueError or OSError that names the fix. Of a folder into which they may
not look (os.path.exists is False there, Path.exists raises) they say nothing: `mathtutor.io.hold_folder` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mathtutor.io import Damaged, need_no_folders, read_json

REPORT = "report.json"
FILES = (REPORT, "report.html", "README.md", "clean.jsonl", "clean.parquet", "validation.jsonl", "dropped.jsonl")  # of a data set
BILL = {"plan", "problems", "tokens", "usd"}  # keys of every teacher's report


def read_bill(path: Path) -> dict | None:
    """The report of a teacher that `path` holds; None where there is none, or one of somebody else. Raises Damaged, a ValueError."""
    report = read_json(path) if os.path.exists(path) else None
    return report if isinstance(report, dict) and report.keys() >= BILL else None


def need_place_for_data(folder: Path, inputs: Iterable[Path], more: Iterable[str] = ()) -> None:
    """May the files of a data set, and `more` of them, stand in `folder`, made from `inputs`?"""
    names = (*FILES, *more)
    need_no_folders(folder, names)
    taken = {os.path.realpath(folder / name) for name in names}  # Path.resolve() raises where links go in a circle
    for path in inputs:
        if os.path.realpath(path) in taken:
            raise ValueError(f"{path} would be written over while it is read: choose another --out")
    if os.path.exists(folder / "journal.jsonl") or _is_bill(folder / REPORT):
        raise ValueError(f"{folder} holds the rows of a teacher, and its report.json their bill: choose another --out")


def need_place_for_teacher(folder: Path) -> None:
    """May the rows and the report of a teacher stand in `folder`?"""
    need_no_folders(folder, ("raw.jsonl", REPORT))
    is_set = any(os.path.exists(folder / name) for name in ("clean.jsonl", "dropped.jsonl"))
    if is_set or (os.path.exists(folder / REPORT) and not _is_bill(folder / REPORT)):
        raise ValueError(f"{folder} holds a data set, or a report of something else than a teacher: choose another --out")


def _is_bill(path: Path) -> bool:
    try:
        return read_bill(path) is not None
    except Damaged:
        return False
