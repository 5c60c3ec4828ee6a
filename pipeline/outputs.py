"""The files of a data set, written so that a report always stands for the rows beside it.

    clean.jsonl, clean.parquet   the rows to train on
    validation.jsonl             rows kept for the validation loss, where there are any
    dropped.jsonl                every other candidate with stage, reason and twin
    report.json                  the funnel, the hashes, the command
    report.html, README.md       the same for people: a page with pictures, and the data set's card

All of them change together: until the new ones are on disk the old ones stand, and a folder with a report is whole.
Whoever writes holds the folder (`mathtutor.io.hold_folder`) from before the work begins.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mathtutor.io import as_json, json_lines, need_space, sha256_file, write_together
from mathtutor.problem import Row
from pipeline.card import data_card
from pipeline.chain import Dropped
from pipeline.places import FILES, REPORT
from pipeline.reasons import most_frequent
from pipeline.report import page


def need_names(paths: Iterable[Path]) -> None:
    """Raises ValueError for a file whose name no report, card or table can show: one with a line break, say."""
    for path in paths:
        if not path.name.isprintable():
            raise ValueError(f"the name of the file {path.name!r:.80} holds characters that cannot be shown: rename it")


def described(paths: Iterable[Path]) -> list[dict]:
    """Name and hash of each file that was read; no folder, for the report is published."""
    return [{"name": path.name, "sha256": sha256_file(path)} for path in paths]


def to_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as one Parquet file: the same bytes for the same rows and version of pyarrow. Raises ValueError."""
    import pyarrow
    from pyarrow import parquet

    kinds = {"steps": pyarrow.list_(pyarrow.string()), "grade": pyarrow.int32()}
    names = list(Row.__dataclass_fields__)
    try:
        table = pyarrow.table(
            [pyarrow.array([getattr(row, name) for row in rows], kinds.get(name, pyarrow.string())) for name in names], names
        )
    except (OverflowError, pyarrow.ArrowException) as error:
        raise ValueError(f"a row fits no Parquet file ({error}): mend the file that it came from") from error
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
    folder: Path,
    train: Sequence[Row],
    validation: Sequence[Row],
    dropped: Sequence[Dropped],
    report: dict,
    more: Mapping[str, bytes] | None = None,
) -> dict:
    """Write everything to `folder`, with the files of `more`; the report with the files' hashes.

    Raises ValueError when there is no row to train on: dropped.jsonl then holds the reasons, and no data set stands.
    OSError, a full disk say, leaves the older data set whole.
    """
    contents = {"dropped.jsonl": json_lines(drop.to_dict() for drop in dropped)}
    if not train:
        write_reasons(folder, {**contents, **(more or {})})
        told = "".join(f"\n  {line}" for line in most_frequent([drop for drop in dropped if isinstance(drop, Dropped)]))  # pipeline.resolve hands on older lines too
        raise ValueError(f"no row passed the filters: {folder / 'dropped.jsonl'} holds the reasons" + (f", most of all\n{told[1:]}" if told else ""))
    contents["clean.jsonl"] = json_lines(row.to_dict() for row in train)
    contents["clean.parquet"] = to_parquet(train)
    if validation:
        contents["validation.jsonl"] = json_lines(row.to_dict() for row in validation)
    files = {name: {"sha256": hashlib.sha256(contents[name]).hexdigest()} for name in sorted(contents)}
    report = {**report, "sha256": files["clean.jsonl"]["sha256"], "files": files}
    contents |= {
        "report.html": page(report),
        "README.md": data_card(report),
        **(more or {}),
        REPORT: as_json(report),
    }
    need_space(folder, sum(map(len, contents.values())) // 2 + 1)  # the old files stand until the new ones are there
    write_together(folder, contents, last=REPORT, gone=FILES)
    return report


def write_reasons(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Where no data set came out: why, in the place of the one that stood in `folder`."""
    write_together(folder, contents, last=REPORT, gone=FILES)
