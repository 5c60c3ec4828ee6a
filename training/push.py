"""Put a merged model on the hub: one commit with exactly the files that its records stand for, by their hashes.

    python -m training.push --model runs/qwen3-0.6b-lora/merged --to ORG/NAME --dry-run    # names, sizes, hashes, the card's head
    HF_TOKEN=... python -m training.push --model runs/qwen3-0.6b-lora/merged --to ORG/NAME

Refused: a folder without the records of training.merge, a file that they do not name or that is not what was written
then, and a card or a picture that is not the one the records make. A repository that does not exist yet is made private
(`mathtutor.publish`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mathtutor.io import Damaged, sha256_file
from mathtutor.publish import add_arguments, publish
from training.tuning.card import loss_picture, read_record, tuned_card

RECORDS = ("recipe.json", "run.json", "audit.json", "merge.json", "log.jsonl", "loss.svg")


def files_of(folder: Path, evals: Path) -> dict[str, Path]:
    """What is uploaded, by its name there. Raises ValueError with the fix when the folder is not what the records stand for."""
    for name in ("README.md", "config.json", *RECORDS):
        if not (folder / name).exists():
            raise ValueError(f"{folder / name} is missing: make the folder with python -m training.merge")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(f"{folder} holds no weights (*.safetensors): make it with python -m training.merge")
    if (folder / "README.md").read_text(encoding="utf-8") != tuned_card(folder, evals):
        raise ValueError(f"{folder / 'README.md'} is not the card of the records: write it anew with python -m training.merge --run {folder.parent} --card-only")
    if (folder / "loss.svg").read_text(encoding="utf-8") != loss_picture(folder / "log.jsonl"):
        raise ValueError(f"{folder / 'loss.svg'} is not the picture of the log: write it anew with python -m training.merge --run {folder.parent} --card-only")
    merged = read_record(folder / "merge.json")
    if not isinstance(merged.get("files"), dict):
        raise ValueError(f"{folder / 'merge.json'} has no hashes of the files: merge again with python -m training.merge --run {folder.parent}")
    written = merged["files"] | {name: one["sha256"] for name, one in merged.get("gguf", {}).items()}
    files = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    if strange := sorted(files.keys() - written.keys() - {"README.md", "loss.svg", "merge.json"}):
        raise ValueError(f"{folder} holds what its records do not name: {', '.join(strange)}. Move it away")
    if wrong := sorted(name for name, sha256 in written.items() if name not in files or sha256_file(files[name]) != sha256):
        raise ValueError(f"{', '.join(wrong)} in {folder}: not the file that was merged and compared. Merge again: python -m training.merge --run {folder.parent}")
    return files


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="the folder that training.merge wrote")
    parser.add_argument("--evals", default="evals", type=Path, help="folder with the records of eval.run (default: evals)")
    add_arguments(parser, "model")
    args = parser.parse_args(arguments)
    try:
        files = files_of(args.model, args.evals)
        publish(files, args.to, kind="model", message=args.model.resolve().parent.name, dry_run=args.dry_run)
    except (Damaged, OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        print("stopped: nothing stands on the hub before the commit at the end; run the same command again", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
