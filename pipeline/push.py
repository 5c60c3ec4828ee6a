"""Put a data set on the hub: one commit with exactly the files that the report stands for.

    python -m pipeline.push --data data/synth-50k --to ORG/NAME --dry-run      # each file, size and hash, the card's head
    HF_TOKEN=... python -m pipeline.push --data data/synth-50k --to ORG/NAME

It refuses a folder without report.json, and one whose files are not those that the report names by hash. The
token comes from HF_TOKEN and from nowhere else. A repository that does not exist yet is made, and made private:
open it on the hub when you have read the card there.

The card and the page are written anew from the report. Dropped rows stay here, samples of them too: whatever a
row was dropped for, it may also hold a test item, personal data or what is unfit for children.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from mathtutor.io import sha256_file
from pipeline.card import data_card
from pipeline.report import page, read_report

TOKEN_VARIABLE = "HF_TOKEN"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
FILES = ("clean.jsonl", "clean.parquet", "validation.jsonl")  # the last two where the report names them
HEAD = 40  # lines of the card that a dry run shows


def files_of(folder: Path) -> dict[str, Path | bytes]:
    """What is uploaded, by its name there. Raises ValueError or OSError when the folder is not the report's."""
    report = read_report(folder)
    # Of the other files an older report says nothing, so they stay here.
    hashes = {"clean.jsonl": report["sha256"]} | {n: f["sha256"] for n, f in report.get("files", {}).items() if n in FILES}
    for name, sha256 in hashes.items():
        if not (folder / name).exists():
            raise ValueError(f"{folder / name} is missing, and report.json names it: build the data set again")
        if sha256_file(folder / name) != sha256:
            raise ValueError(f"{folder / name} is not the file that report.json stands for: build the data set again")
    card = data_card(report)
    readme = folder / "README.md"
    if readme.exists() and readme.read_text(encoding="utf-8") != card:
        raise ValueError(
            f"{readme} is not the card of report.json: write it anew with python -m pipeline.card --data {folder}, "
            "and add what you have to say on the hub"
        )
    shown = published(report)
    return {
        "README.md": card.encode(),
        "report.json": (json.dumps(shown, ensure_ascii=False, indent=2) + "\n").encode(),
        "report.html": page(shown).encode(),
        **{name: folder / name for name in hashes},
    }


def published(report: Mapping) -> dict:
    """The report without samples of dropped rows: each is filed under the first of its faults, and may have worse."""
    return {key: value for key, value in report.items() if key != "samples"}


def describe(files: Mapping[str, Path | bytes]) -> list[str]:
    """Name, bytes and hash of each file, then the head of the card, as lines for people."""
    lines = []
    for name, content in files.items():
        in_memory = isinstance(content, bytes)
        size = len(content) if in_memory else content.stat().st_size
        sha256 = hashlib.sha256(content).hexdigest() if in_memory else sha256_file(content)
        lines.append(f"{name:18} {size:>15,} bytes  sha256 {sha256}")
    return [*lines, "", *files["README.md"].decode().splitlines()[:HEAD]]


def push(files: Mapping[str, Path | bytes], to: str, token: str) -> str:
    """Upload everything in one commit; the address of the commit. Raises ValueError with the hub's reason."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    api, report = HfApi(token=token), json.loads(files["report.json"])
    try:
        api.create_repo(to, repo_type="dataset", private=True, exist_ok=True)
        stale = sorted({*FILES} & {*api.list_repo_files(to, repo_type="dataset")} - files.keys())  # of an earlier push
        return api.create_commit(
            to,
            [*(CommitOperationAdd(name, content) for name, content in files.items()), *map(CommitOperationDelete, stale)],
            repo_type="dataset",
            commit_message=f"{report['clean']:,} rows, clean.jsonl {report['sha256'][:16]}",
        ).commit_url
    except HfHubHTTPError as error:
        said = f"the hub refused ({error.response.status_code}): {error.server_message or 'it gave no reason'}"
        raise ValueError(said.replace(token, "...")) from None
    except (HTTPError, OSError, RuntimeError, ValueError, KeyError) as error:
        said = f"the upload did not end well ({type(error).__name__}: {error}): run the same command again"
        raise ValueError(said.replace(token, "...")) from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="the folder that pipeline.build or pipeline.filter wrote")
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="the data set's name on the hub")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, send nothing; needs no token")
    args = parser.parse_args(arguments)
    try:
        if not NAME.fullmatch(args.to):
            raise ValueError(f"--to {args.to!r:.80} is no name on the hub: write it as ORG/NAME")
        files = files_of(args.data)
        print(*describe(files), sep="\n")
        if args.dry_run:
            print("\nnothing was sent")
            return
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise ValueError(f"{TOKEN_VARIABLE} is not set: --dry-run needs no token")
        print("", push(files, args.to, token), sep="\n")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        print("stopped: nothing stands on the hub before the commit at the end; run the same command again", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
