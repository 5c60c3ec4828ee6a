"""Put files on the hub: shown first with sizes and hashes, then sent in one commit or not at all.

    publish({"README.md": card, "clean.jsonl": path}, "ORG/NAME", kind="dataset", message="50,000 rows", dry_run=False)

The token comes from HF_TOKEN and from nowhere else. A repository that does not exist yet is made, and made private:
open it on the hub when you have read the card there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from mathtutor.io import sha256_file
from mathtutor.progress import say

__all__ = ["add_arguments", "publish"]

TOKEN_VARIABLE = "HF_TOKEN"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
CARD = "README.md"
HEAD = 40  # lines of the card that are shown

Files = Mapping[str, Path | bytes]  # by their names on the hub


def add_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Where to, and whether only to show it."""
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help=f"the {what}'s name on the hub")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, send nothing; needs no token")


def publish(files: Files, to: str, *, kind: Literal["dataset", "model"], message: str, dry_run: bool, owned: Collection[str] = ()) -> None:
    """Print what is sent, and send it unless `dry_run`. Files of the names `owned` that an earlier push left and `files` lacks are deleted.

    Raises ValueError with the fix, or with the hub's reason; never shows the token.
    """
    if not NAME.fullmatch(to):
        raise ValueError(f"--to {to!r:.80} is no name on the hub: write it as ORG/NAME")
    say("\n".join(_described(files)))
    if dry_run:
        say("\nnothing was sent")
        return
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ValueError(f"{TOKEN_VARIABLE} is not set: --dry-run needs no token")
    say("\n" + _sent(files, to, kind, message, owned, token))


def _described(files: Files) -> list[str]:
    """Name, bytes and hash of each file, then the head of the card, as lines for people."""
    lines = []
    for name, content in files.items():
        in_memory = isinstance(content, bytes)
        size = len(content) if in_memory else content.stat().st_size
        sha256 = hashlib.sha256(content).hexdigest() if in_memory else sha256_file(content)
        lines.append(f"{name:30} {size:>15,} bytes  sha256 {sha256}")
    card = files[CARD]
    text = (card if isinstance(card, bytes) else card.read_bytes()).decode()
    return [*lines, "", *text.splitlines()[:HEAD]]


def _sent(files: Files, to: str, kind: str, message: str, owned: Collection[str], token: str) -> str:
    """The address of the commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    api = HfApi(token=token)
    try:
        api.create_repo(to, repo_type=kind, private=True, exist_ok=True)
        stale = sorted({*owned} & {*api.list_repo_files(to, repo_type=kind)} - files.keys())
        operations = [*(CommitOperationAdd(name, content) for name, content in files.items()), *map(CommitOperationDelete, stale)]
        return api.create_commit(to, operations, repo_type=kind, commit_message=message).commit_url
    except HfHubHTTPError as error:
        said = f"the hub refused ({error.response.status_code}): {error.server_message or 'it gave no reason'}"
        raise ValueError(said.replace(token, "...")) from None
    except (HTTPError, OSError, RuntimeError, ValueError, KeyError) as error:
        said = f"the upload did not end well ({type(error).__name__}: {error}): run the same command again"
        raise ValueError(said.replace(token, "...")) from None
