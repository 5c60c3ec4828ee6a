"""Make a report of runs and gradings: one page that fetches nothing, the same as Markdown, and the hub's metadata.

    python -m eval.report evals/pocket-base-svamp evals/pocket-svamp --out reports/svamp
    python -m eval.report evals/* --out reports/all --title "Pocket"
    python -m eval.report evals/my-proofs evals/my-proofs-graded --out reports/proofs

`report.html` opens with what speaks against the figures, and with the failures: problems that all replies get wrong in
the same way come first. The first run of each benchmark is compared with the others, problem by problem, so their order
matters. `report.md` says the same in text. `model-index-NAME.yml` is the metadata of a model card, a file an engine
and revision: NAME-1, NAME-2 where these are called the same.
Folders whose rows were not kept are shown by their figures.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import yaml

from eval.report_data import collect
from eval.report_hub import model_index
from eval.report_page import page
from eval.report_text import markdown
from mathtutor.io import Damaged, write_atomic


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that eval.run or eval.grade wrote")
    parser.add_argument("--out", required=True, type=Path, help="folder of the report")
    parser.add_argument("--title", default="Evaluation", help="of the page")
    args = parser.parse_args(argv)
    try:
        found = collect(list(dict.fromkeys(args.runs)))
        written = write(found, args.out, args.title)
    except (ValueError, KeyError, Damaged, OSError) as error:
        raise SystemExit(f"a record lacks {error}" if isinstance(error, KeyError) else str(error)) from error
    for path in written:
        print(path)


def write(found: dict, out: Path, title: str) -> list[Path]:
    """Write every file, each atomically: the same records give the same bytes."""
    texts = {"report.html": page(found, title), "report.md": markdown(found, title)}
    for engine, index in model_index(found["runs"]).items():
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", engine).strip("-")
        while f"model-index-{name}.yml" in texts:  # two names that differ in other characters only
            name += "-again"
        texts[f"model-index-{name}.yml"] = yaml.safe_dump({"model-index": index}, allow_unicode=True, sort_keys=False, width=100)
    for name, text in texts.items():
        write_atomic(out / name, text)
    return [out / name for name in texts]


if __name__ == "__main__":
    main()
