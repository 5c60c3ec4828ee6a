"""The bytes of a file that others made: unpacked within bounds, line by line, and what is no text refused by name.

    with io.BufferedReader(Unpacked(Path("theirs.jsonl.gz"), ".gz"), BUFFER) as file:
        refuse_other_formats(path, file.peek(BUFFER))
        for number, line in read_lines(file): ...       # (1, b'{"question": ...}\n')

What is wrong raises `Damaged` with the fix. The bounds hold whatever the file is.
"""

from __future__ import annotations

import gzip
import importlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from mathtutor.io import Damaged

MAX_LINE = 10_000_000  # bytes of one record
MAX_UNPACKED = 10_000_000_000  # bytes that a packed file may grow to
MAX_RATIO = 200  # times its size that it may grow to, beyond RATIO_FROM bytes; text stays below 20
RATIO_FROM = 100_000_000
BUFFER = 1 << 16  # bytes that the format is told from

BOM = b"\xef\xbb\xbf"
PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
PARQUET = b"PAR1"
# What people hand over instead of a data file, by its first bytes.
OTHERS = {
    b"\xff\xfe\x00\x00": "UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "UTF-32: save it as UTF-8",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save it as CSV",
    b"BZh": "packed by bzip2: unpack it",
    b"\xfd7zXZ": "packed by xz: unpack it",
    b"%PDF": "a PDF: give the data that it was made from",
    b"ARROW1": "an Arrow file: save it as Parquet",
    b"SQLite": "a database: save its table as CSV",
    PARQUET: "packed Parquet: unpack it",
}


class Unpacked(io.RawIOBase):
    """The bytes of a file, unpacked, within bounds. Raises Damaged when the packed file is cut or does not hold."""

    def __init__(self, path: Path, packing: str):
        self._path, self._packed_size, self._size = path, path.stat().st_size if packing else 0, 0
        if packing == ".zst":
            self._file = import_or_tell("pyarrow", path).input_stream(str(path), compression="zstd")
        else:
            self._file = gzip.open(path, "rb") if packing else open(path, "rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._file.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:  # BadGzipFile, a wrong checksum, is an OSError
            raise Damaged(f"{self._path} is cut or damaged: fetch it again ({error})") from error
        self._size += len(data)
        too_dense = self._size > max(RATIO_FROM, MAX_RATIO * self._packed_size)
        if self._packed_size and (self._size > MAX_UNPACKED or too_dense):
            raise Damaged(f"{self._path} unpacks to over {self._size // 10**6:,} MB: that is no text; unpack it to see what it is")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def read_lines(file: io.BufferedReader, most: int = MAX_LINE) -> Iterator[tuple[int, bytes]]:
    """(number, the line with its end); of a line beyond `most` its first `most` + 1 bytes."""
    number = 0
    while line := file.readline(most + 1):
        number += 1
        rest = line if len(line) > most else b""
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(BUFFER)
        yield number, line.removeprefix(BOM) if number == 1 else line


def refuse_other_formats(path: Path, head: bytes) -> None:
    what = next((what for magic, what in OTHERS.items() if head.startswith(magic)), None)
    line = head.lstrip(b"\r\n").split(b"\n")[0]
    if what is None and b"\0" in line:
        fewer, more = sorted((line[::2].count(0), line[1::2].count(0)))
        wide = 4 * more > len(line) > 8 * fewer
        what = "UTF-16 without a byte order mark: save it as UTF-8" if wide else "no text: give JSON lines, CSV or Parquet"
    if what:
        raise Damaged(f"{path} is {what}")


def import_or_tell(name: str, path: Path):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Damaged(f"{path} needs the package pyarrow to be read: pip install -e '.[pipeline]'") from error
