"""Durable files: the one module that writes anything that must survive `kill -9`.

    write_atomic("report.json", text)            # the old file or the new one, never half of either
    write_together("data", {"clean.jsonl": rows, "report.json": text}, last="report.json")   # all of them or none
    with Journal("rows.jsonl") as journal:       # one JSON object a line, each on disk before we go on
        done = {row["id"] for row in journal.rows}
        journal.append({"id": "7", "answer": "5"})

A single `write()` is not atomic under SIGKILL, and a last line may be torn: `Journal` cuts a torn
tail off when it opens the file, and refuses a damaged line in the middle, naming file and line.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Damaged(ValueError):
    """A file that must not be read on: the message names file, line and the fix."""


class Busy(RuntimeError):
    """Another process holds the file."""


class Refused(OSError):
    """The system does not let us do something; the message is a sentence with the fix, without "[Errno ...]"."""

    def __str__(self) -> str:
        return self.strerror


class NoSpace(Refused):
    """The disk has not the room that the work needs."""


class NoFolder(Refused):
    """A folder that cannot be made or written to."""


NO_SPACE = 4  # status of a command that ends for want of room


def need_space(folder: str | Path, expected: int) -> None:
    """Raises NoSpace unless `folder`, or the first of its parents that exists, has twice the `expected` bytes free."""
    there = next(place for place in (Path(folder).absolute(), *Path(folder).absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < 2 * expected:
        raise NoSpace(
            errno.ENOSPC,
            f"{folder} needs {_size(2 * expected)} free (twice what is expected to be written), "
            f"and {_size(free)} are: free some, or choose another folder",
        )


def _size(count: int) -> str:
    """Bytes in megabytes, small ones with decimals: two sizes that differ by much never look alike."""
    return f"{count / 1e6:,.{0 if count >= 1e7 else 2}f} MB"


def status_of(error: BaseException) -> int:
    """The status with which a command ends for an error: 4 for want of room, else 2."""
    return NO_SPACE if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else 2


def told(error: BaseException) -> str:
    """An error as a sentence for people."""
    if isinstance(error, Refused):
        return str(error)
    if status_of(error) == NO_SPACE:
        return f"the disk is full ({error}): free some space and run the same command again; what stood there before still does"
    return str(error)


def write_atomic(path: str | Path, data: str | bytes) -> None:
    """Replace `path` by `data` so that a crash leaves the old file or the new one."""
    path = Path(path)
    temporary = _beside(path, data)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_together(
    folder: str | Path, contents: Mapping[str, str | bytes], last: str, gone: Iterable[str] = ()
) -> None:
    """Replace the files of `folder` that `contents` names, and remove those of `gone` that it does not.

    Nothing changes before everything is on disk under other names: a full disk leaves the old files whole. Then `last`,
    the file that stands for the others, goes first and comes last: where it stands after a crash, they are its own.
    Raises Refused, with everything as it was, where a folder has the name of one of them.
    """
    folder, waiting, gone = Path(folder), {}, list(gone)
    need_no_folders(folder, (*contents, *gone))
    try:
        for name, data in contents.items():
            waiting[name] = _beside(folder / name, data)
        (folder / last).unlink(missing_ok=True)
        sync_folder(folder)
        for name in gone:
            if name not in contents:
                _sweep(folder / name)
                (folder / name).unlink(missing_ok=True)
        for name in sorted(waiting, key=last.__eq__):
            if name == last:
                sync_folder(folder)
            os.replace(waiting[name], folder / name)
    except BaseException:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def need_no_folders(folder: str | Path, names: Iterable[str]) -> None:
    """Raises Refused where something of `folder` that has one of the names is a folder: no file can take its place."""
    for path in (Path(folder) / name for name in names):
        if os.path.isdir(path) and not os.path.islink(path):  # False, and no error, where we may not look: `hold_folder` tells that
            raise Refused(errno.EISDIR, f"{path} is a folder where a file is to be written: move it away, or choose another folder")


def speak_any_text() -> None:
    """Let standard output write what its encoding lacks as escapes: a column's Chinese name must not end a run."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _beside(path: Path, data: str | bytes) -> Path:
    """`data` on disk beside `path`, under the temporary name that is to take its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    raw = data.encode("utf-8") if isinstance(data, str) else data
    try:
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sweep(path: Path) -> None:
    """Remove what processes that were killed amid writing `path` left behind."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = leftover.name.removeprefix(f".{path.name}.").removesuffix(".tmp")
        if pid.isdecimal() and not _is_alive(int(pid)):
            leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return pid > 0  # 0 is ourselves to the system, and no process to us


_locked: weakref.WeakSet = weakref.WeakSet()  # files whose locks this process holds


def _lock(file) -> None:
    """Hold `file` for this process alone. Raises BlockingIOError where another holds it.

    A lock of flock lives as long as any process has the file open, and a forked worker is born with it open:
    it would hold the folder of a main process that was killed. So it closes the file at once, which leaves
    the lock of its parent alone.
    """
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _locked.add(file)


def _close_inherited() -> None:
    for file in list(_locked):
        file.close()


os.register_at_fork(after_in_child=_close_inherited)


@contextmanager
def hold_folder(folder: str | Path) -> Iterator[Path]:
    """Hold `folder` (made if it is missing) for one process: Busy if another has it, NoFolder where it cannot be written to.

    with hold_folder("data/synth"):      # from before the first file is read until the last is written
        ...

    A process that dies lets go, whatever workers it has forked; the empty `.lock` that it leaves holds nobody up. Not to be nested.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "ab")  # a folder itself cannot be locked on every file system
    except OSError as error:
        if status_of(error) == NO_SPACE:
            raise
        fix = "it is a file: choose another folder" if folder.is_file() else "choose another folder, or mend its rights"
        raise NoFolder(error.errno, f"{folder} cannot be written to ({error.strerror}): {fix}") from error
    with lock as file:
        try:
            _lock(file)
            # Another process may have removed the file since we opened it.
            is_current = os.path.samestat(os.fstat(file.fileno()), os.stat(folder / ".lock"))
        except (BlockingIOError, FileNotFoundError):
            is_current = False
        if not is_current:
            raise Busy(f"{folder} is in use by another run: wait for it, or choose another folder")
        try:
            yield folder
        finally:
            (folder / ".lock").unlink(missing_ok=True)
            if is_new and not any(folder.iterdir()):  # refused before anything was written
                folder.rmdir()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_folder(temporary: str | Path, target: str | Path) -> None:
    """Put the finished folder `temporary` in the place of `target`, both beside each other.

    Its files are on disk before the first rename. The old folder is moved to `.NAME.old` and removed
    last: a kill at any moment leaves one of the two whole.
    """
    temporary, target = Path(temporary), Path(target)
    for path in sorted(temporary.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(temporary)
    old = target.with_name(f".{target.name}.old")
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)  # of a call that was killed before its last line
        target.rename(old)
    temporary.rename(target)
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: str | Path, value: Any) -> None:
    """`value` as readable JSON, atomically."""
    write_atomic(path, as_json(value))


def as_json(value: Any) -> str:
    """`value` as the text of a readable JSON file."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def json_lines(rows: Iterable[dict]) -> bytes:
    """`rows` as the bytes of a file of JSON lines."""
    return "".join(map(_line, rows)).encode("utf-8")


def write_rows(path: str | Path, rows: Iterable[dict]) -> None:
    """All `rows` as JSON lines, atomically."""
    write_atomic(path, json_lines(rows))


def read_json(path: str | Path) -> Any:
    """The JSON value in `path`; raises Damaged if it is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is not JSON: {error}") from error


def read_rows(path: str | Path) -> Iterator[dict]:
    """The rows of a JSON-lines file (plain or .gz; a BOM, CRLF and blank lines are accepted).

    Raises Damaged with `file:line` at the first line that is no JSON object, and when a `.gz` is cut.
    """
    return (row for _, row in number_rows(path))


def number_rows(path: str | Path) -> Iterator[tuple[int, dict]]:
    """(line number from 1, row), otherwise as `read_rows`."""
    path = Path(path)
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        number = 0
        try:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise Damaged(f"{path} looks like UTF-16: save it as UTF-8")
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                if raw.strip():
                    yield number, _row(raw, path, number)
        except (EOFError, gzip.BadGzipFile) as error:
            raise Damaged(f"{path} ends too early after line {number}: fetch it again ({error})") from error


def _row(raw: bytes, path: Path, number: int) -> dict:
    try:
        row = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Damaged(f"{path}:{number} is not UTF-8: save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}:{number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise Damaged(f"{path}:{number} must be a JSON object, not {type(row).__name__}")
    if b"\\ud" in raw.lower():  # an escape of half a character, which no file can hold again
        try:
            _line(row).encode("utf-8")
        except UnicodeEncodeError as error:
            raise Damaged(f"{path}:{number} holds half a character (a lone \\ud... escape): mend the text") from error
    return row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")


def _line(row: dict) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=False) + "\n"


def _write_all(file, rows: list[dict]) -> None:
    data = memoryview(json_lines(rows))
    while data:  # a full disk gives a short write first, and no exception
        data = data[file.write(data) :]
    os.fsync(file.fileno())


class Journal:
    """An append-only file of rows, held by one process at a time.

    Opening locks the file (Busy if another process has it), cuts a torn last line off with one
    warning, and reads what is there into `rows`. `append` returns when the row is on disk.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b", buffering=0)
        try:
            self._hold()
            _sweep(self.path)
            self._cut_torn_tail()
            self.rows = list(read_rows(self.path))
        except BaseException:
            self._file.close()
            raise

    def _hold(self) -> None:
        try:
            _lock(self._file)
            # `retain` of another process may have put a new file there since we opened the old one.
            is_current = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
        except BlockingIOError:
            is_current = False
        if not is_current:
            raise Busy(f"{self.path} is in use by another run: wait for it, or choose another folder")

    def _cut_torn_tail(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        end = size
        while end:  # walk back in blocks to the last newline
            start = max(0, end - 65536)
            self._file.seek(start)
            block = self._file.read(end - start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            print(f"{self.path}: dropped a torn last line of {size - end} bytes", file=sys.stderr)
            self._file.truncate(end)
            os.fsync(self._file.fileno())

    def append(self, row: dict) -> None:
        """Write one row and wait until it is on disk."""
        self.extend([row])

    def extend(self, rows: list[dict]) -> None:
        """Write several rows with one wait."""
        _write_all(self._file, rows)
        self.rows += rows

    def retain(self, keep: Callable[[dict], bool]) -> None:
        """Drop the rows that `keep` refuses: the file is the old one or the new one, and stays locked."""
        rows = [row for row in self.rows if keep(row)]
        if len(rows) == len(self.rows):
            return
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        file = open(temporary, "a+b", buffering=0)
        try:
            _lock(file)
            _write_all(file, rows)
            os.replace(temporary, self.path)
        except BaseException:
            file.close()
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)
        self._file.close()
        self._file, self.rows = file, rows

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def sha256_file(path: str | Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hex digest of a JSON value in canonical form: the same for any order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hash_of_weights(folder: str | Path) -> str:
    """16 hex digits over the weights of a folder, in one file or in several; "" where there are none."""
    weights = Path(folder) / "model.safetensors"
    if weights.exists():
        return sha256_file(weights)[:16]
    parts = [[part.name, sha256_file(part)] for part in sorted(Path(folder).glob("*.safetensors"))]
    return sha256_json(parts)[:16] if parts else ""
