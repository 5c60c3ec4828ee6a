"""The files of a data set, written so that a report always stands for the rows beside it.

    clean.jsonl, clean.parquet   the rows to train on
    validation.jsonl             rows kept for the validation loss, where there are any
    dropped.jsonl                every other candidate with stage, reason and twin
    report.json                  the funnel, the hashes, the command
    report.html, README.md       the same for people: a page with pictures, and the data set's card

The report goes before anything changes and comes last, so that a folder with a report is whole.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from mathtutor.io import sha256_file, write_atomic, write_json, write_rows
from mathtutor.problem import Row
from pipeline.card import write_card
from pipeline.chain import Dropped
from pipeline.report import write_html


def to_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as one Parquet file: the same bytes for the same rows and version of pyarrow."""
    import pyarrow
    from pyarrow import parquet

    kinds = {"steps": pyarrow.list_(pyarrow.string()), "grade": pyarrow.int32()}
    names = list(Row.__dataclass_fields__)
    table = pyarrow.table(
        [pyarrow.array([getattr(row, name) for row in rows], kinds.get(name, pyarrow.string())) for name in names], names
    )
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def need_parquet() -> None:
    """Raises ValueError with the way to get pyarrow where it is missing: ask before the work, not after it."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ValueError(f"clean.parquet needs pyarrow: pip install -e '.[pipeline]' ({error})") from error


def write_data_set(
    folder: Path, train: Sequence[Row], validation: Sequence[Row], dropped: Sequence[Dropped], report: dict
) -> dict:
    """Write everything to `folder`; the report with the files' hashes.

    Raises ValueError when there is no row to train on: dropped.jsonl then holds the reasons, and no report stands.
    """
    (folder / "report.json").unlink(missing_ok=True)
    write_rows(folder / "dropped.jsonl", [drop.to_dict() for drop in dropped])
    if not train:
        raise ValueError(f"no row passed the filters: {folder / 'dropped.jsonl'} holds the reasons")
    write_rows(folder / "clean.jsonl", [row.to_dict() for row in train])
    write_atomic(folder / "clean.parquet", to_parquet(train))
    if validation:
        write_rows(folder / "validation.jsonl", [row.to_dict() for row in validation])
    else:
        (folder / "validation.jsonl").unlink(missing_ok=True)  # of an earlier build
    names = ["clean.jsonl", "clean.parquet", "dropped.jsonl", *(["validation.jsonl"] if validation else [])]
    files = {name: {"sha256": sha256_file(folder / name)} for name in names}
    report = {**report, "sha256": files["clean.jsonl"]["sha256"], "files": files}
    write_html(report, folder / "report.html")
    write_card(report, folder / "README.md")
    write_json(folder / "report.json", report)
    return report
