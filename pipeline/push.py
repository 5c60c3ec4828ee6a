"""Put a data set on the hub: one commit with exactly the files that the report stands for.

    python -m pipeline.push --data data/synth-50k --to ORG/NAME --dry-run      # each file, size and hash, the card's head
    HF_TOKEN=... python -m pipeline.push --data data/synth-50k --to ORG/NAME

It refuses a folder without report.json, and one whose files are not those that the report names by hash. A repository
that does not exist yet is made private (`mathtutor.publish`).

The card and the page are written anew from the report. Dropped rows stay here, samples of them too: whatever a
row was dropped for, it may also hold a test item, personal data or what is unfit for children.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from mathtutor.io import sha256_file
from mathtutor.publish import add_arguments, publish
from pipeline.card import data_card
from pipeline.figures import read_report
from pipeline.report import page

FILES = ("clean.jsonl", "clean.parquet", "validation.jsonl")  # the last two where the report names them


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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="the folder that pipeline.build or pipeline.filter wrote")
    add_arguments(parser, "data set")
    args = parser.parse_args(arguments)
    try:
        files = files_of(args.data)
        report = json.loads(files["report.json"])
        message = f"{report['clean']:,} rows, clean.jsonl {report['sha256'][:16]}"
        publish(files, args.to, kind="dataset", message=message, dry_run=args.dry_run, owned=FILES)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        print("stopped: nothing stands on the hub before the commit at the end; run the same command again", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
