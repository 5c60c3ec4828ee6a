"""What `pretrain` and `sft` share: the command line, the run folder, rows, audits, device."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

# Spinning OpenMP threads cost up to eight times the time on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch  # noqa: E402

from mathtutor.chat import END, conversation, render_target  # noqa: E402
from mathtutor.io import Damaged, number_rows, read_json, sha256_file, sha256_json, write_json  # noqa: E402
from mathtutor.problem import Row  # noqa: E402
from training.crew import join  # noqa: E402
from training.data import IGNORED, Examples, is_validation, show_mask, tokenize  # noqa: E402
from training.loop import Compute  # noqa: E402
from training.progress import lines_at_once  # noqa: E402
from training.recipe import Phase, Recipe, RecipeError, load_recipe  # noqa: E402
from training.tuning import audit as checks  # noqa: E402
from training.tuning import memory  # noqa: E402
from training.tuning.items import Item  # noqa: E402
from training.tuning.recipe import Data, Lora, Memory, Model, Train, TuneRecipe  # noqa: E402
from training.vary import Varied  # noqa: E402


def parser(doc: str) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--recipe", required=True, help="a file of training/recipes/")
    result.add_argument("--out", help="run folder (default: runs/<recipe name>)")
    result.add_argument("--minutes", type=float, help="stop with a checkpoint after so long; run again to go on")
    result.add_argument("--threads", type=int, default=0, help="CPU threads (default: all, one each under torchrun; 1 makes runs bit-identical)")
    result.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    result.add_argument(
        "--precision", default="auto", choices=["auto", "fp32", "bf16"], help="of the products (default: bf16 where it is fast)"
    )
    result.add_argument("--compile", action="store_true", help="torch.compile: two minutes first, then up to twice as fast")
    result.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe value")
    return result


def prepare(args: argparse.Namespace) -> tuple[Recipe, Path, Compute]:
    """(recipe, run folder, how to compute). Ends with a sentence on a wrong recipe."""
    lines_at_once()
    try:
        recipe = load_recipe(args.recipe, args.set)
    except (RecipeError, OSError) as error:
        raise SystemExit(str(error)) from error
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: this torch sees no GPU; use --device cpu")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    if args.threads < 0:
        raise SystemExit(f"--threads must be 1 or more, or 0 for all, not {args.threads}")
    if args.minutes is not None and not args.minutes > 0:
        raise SystemExit(f"--minutes must be above 0, not {args.minutes:g}")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(recipe.seed)
    folder = Path(args.out or Path("runs") / recipe.name)
    folder.mkdir(parents=True, exist_ok=True)
    if args.compile and not shutil.which(os.environ.get("CXX", "g++")):
        raise SystemExit("--compile needs a C++ compiler (g++, or CXX): install one or leave --compile out")
    crew = join(device)
    if not crew.leads:
        sys.stdout = open(os.devnull, "w")
    compute = Compute(device, args.precision, args.compile, crew)
    if compute.bf16 and not compute.has_bf16:
        print("--precision bf16: this machine can only imitate it, several times slower than fp32; leave the option out and run again to go on faster", flush=True)
    return recipe, folder, compute


def reports_of(recipe: Recipe) -> list[dict] | None:
    """The reports beside the files of rows, None if one has none; ends with a sentence if it is of other rows."""
    reports = []
    for rows in recipe.data.files:
        path = rows.with_name("report.json")
        if not path.exists():
            return None
        try:
            report = read_json(path)
        except Damaged as error:
            raise SystemExit(str(error)) from error
        if not isinstance(report, dict) or report.get("sha256") != sha256_file(rows):
            raise SystemExit(f"{path} is not about {rows}: build both again, or remove the report")
        reports.append(report)
    return reports


def keep_records(folder: Path, recipe: Recipe, phase_name: str) -> None:
    """Write down what a finished phase was made with: `recipe.json`, and the report on its rows (or a list of them) as `data.json`.

    Only at the end, so that a command which was refused leaves no trace; `sft` replaces its own section
    alone, so that the base model's overrides stay on record.
    """
    reports = reports_of(recipe)
    path, values = folder / "recipe.json", asdict(recipe)
    if phase_name == "sft" and path.exists():
        values = read_json(path) | {"sft": values["sft"], "data": values["data"]}
    write_json(path, values)
    if reports is None:
        (folder / "data.json").unlink(missing_ok=True)
    else:
        write_json(folder / "data.json", reports[0] if len(reports) == 1 else reports)


def read_data_rows(path: Path) -> list[Row]:
    """The rows of one file that `pipeline.build` wrote. Ends with `file:line` on a row that is none."""
    if not path.exists():
        raise SystemExit(f"{path} does not exist: build it with `python -m pipeline.build --recipe pipeline/recipes/pocket.yaml --out {path.parent}`")
    rows = []
    try:
        for number, row in number_rows(path):
            try:
                rows.append(Row.from_dict(row))
            except ValueError as error:
                raise SystemExit(f"{path}:{number}: {error}") from error
    except (Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    return rows


def load_rows(recipe: Recipe) -> tuple[list[Row], list[Row], str]:
    """(training rows, validation rows, hash of the files). Ends with `file:line` on a row that is none."""
    rows = [row for path in recipe.data.files for row in read_data_rows(path)]
    sources = {row.source for row in rows}
    with_steps = {f"{row.source}/{len(row.steps)}" for row in rows}
    for name in ("pretrain", "sft"):
        if unknown := sorted(getattr(recipe, name).shares.keys() - sources - with_steps):
            raise SystemExit(
                f"{name}.shares names {', '.join(unknown)}, which no row of {recipe.data.rows} comes from: "
                f"its sources are {', '.join(sorted(sources)) or 'none'}"
            )
    hashes = [sha256_file(path) for path in recipe.data.files]
    data_hash = hashes[0] if len(hashes) == 1 else sha256_json(hashes)
    reports_of(recipe)  # now, not after hours of training
    training, validation = [], []
    for row in rows:
        kept_out = is_validation(row.id, recipe.data.validation, len(rows))
        (validation if kept_out else training).append(row)
    if not training:
        raise SystemExit(f"{recipe.data.rows} holds no row to train on")
    if recipe.data.validation_rows:
        if recipe.data.validation:
            raise SystemExit("data.validation_rows names a file: set data.validation to 0, one of the two is enough")
        validation = read_data_rows(Path(recipe.data.validation_rows))
    return training, validation, data_hash


def audit(name: str, examples: Examples, tokenizer, learn_problem: bool = False) -> None:
    """Print what is learned from, and stop when the mask cannot be right."""
    share = examples.mask.mean()
    print(f"{name}: {len(examples):,} examples, {len(examples.ids):,} tokens, {share:.1%} of them learned")
    for reason, count in examples.dropped.items():
        print(f"  dropped {count:,}: {reason}")
    print(show_mask(examples, tokenizer, color=os.isatty(1)) + "\n")
    if share == 0:
        raise SystemExit("no token is learned from: the mask is empty")
    if name == "sft" and share > 0.95 and not learn_problem:
        raise SystemExit("nearly every token is learned from: the prompt is not masked")


def say_memory(config, phase: Phase, compute: Compute) -> None:
    """Print the parameters and the memory they will want, by the estimate of training.tune; end where the GPU has less."""
    lora = Lora(phase.lora_rank, phase.lora_alpha) if phase.method == "lora" else None
    model = Model(weights="fp32", precision="bf16" if compute.bf16 else "fp32")
    train = Train(batch=1, max_tokens=phase.batch_tokens, learning_rate=phase.learning_rate, steps=phase.steps)
    recipe = TuneRecipe("", "lora" if lora else "full", model, Data(), train, lora, memory=Memory(checkpointing=False))
    print(*memory.describe(config, recipe, on_gpu=compute.device == "cuda"), sep="\n")
    try:
        if compute.device == "cuda":
            memory.check_fits(config, recipe)
    except ValueError as error:
        raise SystemExit(str(error)) from error


def examples_for(phase_name: str, recipe: Recipe, tokenizer) -> tuple[Examples, Examples | None, str]:
    phase = getattr(recipe, phase_name)
    training, validation, data_hash = load_rows(recipe)
    vary = Varied(training, phase.rename, phase.spell, recipe.seed)
    try:
        examples = tokenize([vary(row) for row in training], tokenizer, phase_name, phase.max_tokens, phase.shares, phase.learn_problem)
        held = tokenize(validation, tokenizer, phase_name, phase.max_tokens) if validation else None
    except ValueError as error:
        raise SystemExit(f"{phase_name}: {error}") from error
    audit(phase_name, examples, tokenizer, phase.learn_problem)
    try:  # what training.tune looks at before its start
        first = slice(examples.starts[0], examples.starts[1])
        ids = examples.ids[first].tolist()
        labels = [token if learned else IGNORED for token, learned in zip(ids, examples.mask[first], strict=True)]
        lines = checks.check_tokenizer(tokenizer, END, len(tokenizer), (ids, labels))
        if phase_name == "sft":
            items = [Item(conversation(row.problem), render_target(row.steps, row.answer).removesuffix(END), row.source) for row in training[:: max(1, len(training) // checks.LOOKED_AT)]]
            lines += checks.check_template(items, tokenizer, END)
        lines += checks.quote(checks.quoted(recipe.data.files))
    except (ValueError, Damaged) as error:
        raise SystemExit(f"{phase_name}: {error}") from error
    print(*lines, sep="\n")
    return examples, held, data_hash
