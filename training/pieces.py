"""A folder as files of at most so many bytes, for ways out of a machine that take small files only.

    pack("runs/pocket/tuned", "out", {"step": 1200})      # out/manifest.json, out/piece-000.bin, ...
    info = join("out", "runs/pocket/start")

The manifest comes last and holds the hash of each piece: pieces without one, or with another hash, are refused,
so a copy that broke off is never taken for a whole one. 16-bit weights shrink by about a quarter: their exponents
are much alike, and the packer is told that every second byte holds them.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import tarfile
from pathlib import Path
from typing import Any

from mathtutor.io import Damaged, read_json, replace_folder, sha256_file, write_atomic, write_json

PIECE_BYTES = 16_000_000
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 1, "lc": 3, "lp": 1, "pb": 1}]


def pack(folder: str | Path, target: str | Path, info: Any = None, piece_bytes: int = PIECE_BYTES, compress: bool = True) -> int:
    """Write all files of `folder` as pieces into `target`, in the place of what was packed there; returns their number."""
    folder, target = Path(folder), Path(target)
    (target / "manifest.json").unlink(missing_ok=True)  # what stands there is not whole from now on
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                entry = archive.gettarinfo(path, str(path.relative_to(folder)))
                entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
                with open(path, "rb") as file:
                    archive.addfile(entry, file)
    data = raw.getbuffer()
    if compress:
        data = memoryview(lzma.compress(data, lzma.FORMAT_XZ, filters=XZ))
    pieces = []
    for number, start in enumerate(range(0, len(data), piece_bytes)):
        name, part = f"piece-{number:03}.bin", bytes(data[start : start + piece_bytes])
        write_atomic(target / name, part)
        pieces.append({"name": name, "bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()})
    for old in set(target.glob("piece-*.bin")) - {target / piece["name"] for piece in pieces}:
        old.unlink()
    write_json(target / "manifest.json", {"info": info, "compressed": compress, "pieces": pieces})
    return len(pieces)


def join(source: str | Path, target: str | Path) -> Any:
    """Put the folder together again, in the place of `target`; returns the `info` it was packed with.

    Raises Damaged, naming the piece, if one is missing or not what the manifest says.
    """
    source, target = Path(source), Path(target)
    if not (source / "manifest.json").exists():
        raise Damaged(f"{source} has no manifest.json: the copy broke off, make it again")
    manifest = read_json(source / "manifest.json")
    try:
        pieces, compressed, info = manifest["pieces"], manifest["compressed"], manifest["info"]
        paths = [(source / Path(piece["name"]).name, piece["sha256"]) for piece in pieces]
    except (KeyError, TypeError) as error:
        raise Damaged(f"{source / 'manifest.json'} is no manifest: copy it again") from error
    for path, digest in paths:
        if not path.exists() or sha256_file(path) != digest:
            raise Damaged(f"{path} is missing or damaged: copy it again")
    data = b"".join(path.read_bytes() for path, _ in paths)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data) if compressed else data)) as archive:
        archive.extractall(temporary, filter="data")
    replace_folder(temporary, target)
    return info
