"""One slice of training from scratch, for a machine that is lent for minutes: it stops by itself and packs what it has.

    python -m training.slice --recipe training/recipes/pocket-gpu.yaml --seconds 500 --pieces out
    python -m training.slice --recipe training/recipes/pocket-gpu.yaml --seconds 500 --pieces out2 --start out

makes the data if it is not there (`pipeline.build`), then trains: the base model, then the tuned one, each as
`training.pretrain` and `training.sft` do, with their checkpoints in `runs/<name>`. When the seconds are over, or
all is done, `--pieces` holds pieces of at most 16 MB with a manifest. On the same machine the same command goes on
exactly where it was. On another one, `--start` names the pieces of the slice before:

    --bring weights   the newest weights in 16 bits, as a model folder. The next slice makes the remaining steps of
                      fine-tuning from them, with fresh optimizers and a warm-up: small, but no exact resume. The
                      base model must be finished within one slice.
    --bring exact     the whole run folder's newest checkpoint, optimizers included: exact resume, about 12 bytes a weight.

What is trained and how is the recipe's affair: `--set` reaches it as ever.
"""

from __future__ import annotations

from training.run import parser  # isort: skip  (sets OpenMP up before torch)

import argparse
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mathtutor.io import Damaged, read_json, write_json
from training import pretrain, sft
from training.export import save_model
from training.pieces import join, pack
from training.recipe import Recipe, RecipeError, load_recipe

PACKING = 60  # seconds kept back for the end


def make_data(recipe: Recipe, build: str, seconds: float) -> None:
    """Run `pipeline.build` where the rows are missing. Ends with a sentence if it fails."""
    missing = [path for path in recipe.data.files if not path.exists()]
    if not missing:
        return
    folders = {path.parent for path in missing}
    if len(folders) > 1 or {path.name for path in missing} != {"clean.jsonl"}:
        raise SystemExit(f"{missing[0]} does not exist: a slice builds one folder with a clean.jsonl, make the others first")
    command = [sys.executable, "-m", "pipeline.build", "--recipe", build, "--out", str(folders.pop())]
    print("$ " + " ".join(command[1:]), flush=True)
    try:
        status = subprocess.run(command, timeout=max(1.0, seconds)).returncode
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"the data was not built within {seconds:.0f} seconds: give the slice more --seconds") from error
    if status:
        raise SystemExit(f"the data could not be built (status {status}): what is wrong stands above")


def call(main, argv: list[str]) -> None:
    """Run another training command in this process."""
    before = sys.argv
    sys.argv = [main.__module__, *argv]
    print("$ python -m " + " ".join(sys.argv), flush=True)
    try:
        main()
    finally:
        sys.argv = before


def take_up(start: Path, run: Path) -> dict:
    """Put the pieces of an earlier slice in place; the plan of this one.

    {"base": folder that fine-tuning starts from, or None; "done": its steps that are behind us}
    """
    try:
        info = join(start, run / "start")
    except (Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    plan = info.get("plan") if isinstance(info, dict) else None
    if not is_plan(plan) or info.get("kind") not in ("exact", "weights") or not isinstance(info.get("done", 0), int):
        raise SystemExit(f"{start} holds pieces of something else than a slice: name the --pieces of the one before")
    if info["kind"] == "exact":
        for path in sorted((run / "start").iterdir()):
            if not (run / path.name).exists():
                path.rename(run / path.name)
        shutil.rmtree(run / "start")
        return plan
    return {"base": str(run / "start"), "done": info.get("done", 0)}


def read_plan(path: Path) -> dict:
    """The plan of the slices in a folder. Ends with a sentence where it is none."""
    try:
        plan = read_json(path)
    except Damaged as error:
        raise SystemExit(str(error)) from error
    if not is_plan(plan):
        raise SystemExit(f"{path} is no plan of training.slice: remove it, and give --start again where there was one")
    return plan


def is_plan(value) -> bool:
    return isinstance(value, dict) and isinstance(value.get("done"), int) and "base" in value and isinstance(value["base"], str | None)


def step_of(folder: Path) -> int:
    """Of the newest checkpoint; 0 where there is none."""
    latest = folder / "latest.json"
    return int(read_json(latest)["checkpoint"].removeprefix("checkpoint-")) if latest.exists() else 0


def bring_weights(run: Path, plan: dict, out: Path) -> str:
    """Pack the newest weights in 16 bits."""
    base = Path(plan["base"] or run / "base")
    if not (base / "config.json").exists():
        raise SystemExit("the base model is not finished, and half of one is not brought back: give more --seconds, or --bring exact")
    done, source = plan["done"] + step_of(run / "sft"), base
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    if (run / "tuned" / "config.json").exists():
        source = run / "tuned"
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    elif step_of(run / "sft"):
        source = run / "sft" / read_json(run / "sft" / "latest.json")["checkpoint"]
        model.load_state_dict(load_file(source / "weights.safetensors"), strict=False)
        model.tie_weights()
    save_model(model, AutoTokenizer.from_pretrained(base), run / "brought", torch.bfloat16)
    for log in ("pretrain", "sft"):
        if (run / log / "log.jsonl").exists():
            shutil.copy(run / log / "log.jsonl", run / "brought" / f"{log}-log.jsonl")
    count = pack(run / "brought", out, {"kind": "weights", "done": done, "plan": plan})
    return f"{source}: {count} pieces, {done} steps of fine-tuning done"


def bring_exact(run: Path, plan: dict, out: Path) -> str:
    """Pack all that an exact resume needs: the newest checkpoint of each phase that is under way, and the rest whole."""
    holding = run / "brought"
    shutil.rmtree(holding, ignore_errors=True)
    for path in sorted(run.iterdir()):
        if path.name in ("brought", "start") or path.name.startswith("."):
            continue
        if path.name in ("pretrain", "sft"):
            finished = (run / ("base" if path.name == "pretrain" else "tuned") / "config.json").exists()
            newest = "" if finished or not step_of(path) else read_json(path / "latest.json")["checkpoint"]
            for part in sorted(path.iterdir()):
                if part.name == newest:
                    shutil.copytree(part, holding / path.name / part.name)
                elif part.is_file() and (newest or part.name != "latest.json"):
                    (holding / path.name).mkdir(parents=True, exist_ok=True)
                    shutil.copy(part, holding / path.name / part.name)
        elif path.is_dir():
            shutil.copytree(path, holding / path.name)
        elif path.name != "slice.json":
            shutil.copy(path, holding / path.name)
    count = pack(holding, out, {"kind": "exact", "plan": plan}, compress=False)
    return f"{run}: {count} pieces"


def train(args: argparse.Namespace, recipe: Recipe, run: Path, plan: dict, ends: float) -> None:
    """Data, base model, tuned model, as far as the time goes."""

    def minutes() -> float:
        return (ends - time.monotonic()) / 60

    make_data(recipe, args.build, minutes() * 60)
    same = ["--recipe", args.recipe, "--out", str(run), "--device", args.device, "--precision", args.precision]
    same += ["--threads", str(args.threads), *(["--compile"] if args.compile else [])]
    same += [word for value in args.set for word in ("--set", value)]
    if not plan["base"] and not (run / "base" / "config.json").exists():
        call(pretrain.main, [*same, "--minutes", f"{max(minutes(), 0.01):.3f}"])
    ready = plan["base"] or (run / "base" / "config.json").exists()
    if ready and not (run / "tuned" / "config.json").exists() and minutes() > 0:
        more = []
        if plan["base"]:
            # The rest of the steps, in an order of rows that the steps before did not have.
            more = ["--base", plan["base"], "--set", f"sft.steps={max(1, recipe.sft.steps - plan['done'])}"]
            more += ["--set", f"seed={recipe.seed + plan['done']}"]
        call(sft.main, [*same, *more, "--minutes", f"{max(minutes(), 0.01):.3f}"])


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, required=True, help=f"of the whole slice; {PACKING} of them are kept for packing, a fifth at most")
    arguments.add_argument("--start", type=Path, help="pieces of the slice before, where the run folder is not here")
    arguments.add_argument("--pieces", type=Path, required=True, help="folder that gets the pieces")
    arguments.add_argument("--bring", choices=["weights", "exact"], default="weights")
    arguments.add_argument("--build", default="pipeline/recipes/pocket.yaml", help="recipe of pipeline.build for missing rows")
    args = arguments.parse_args()
    if args.minutes:
        arguments.error("a slice is told its --seconds, not --minutes")
    if not 0 < args.seconds < math.inf:
        arguments.error("--seconds must be above 0")
    ends = time.monotonic() + args.seconds - min(PACKING, args.seconds / 5)
    try:
        recipe = load_recipe(args.recipe, args.set)
    except (RecipeError, OSError) as error:
        raise SystemExit(str(error)) from error
    run = Path(args.out or Path("runs") / recipe.name)
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "slice.json").exists():
        plan = take_up(args.start, run) if args.start else {"base": None, "done": 0}
        write_json(run / "slice.json", plan)
    elif args.start:
        print(f"{run} goes on where it was; --start is left alone: for the pieces in {args.start} choose another --out")
    plan = read_plan(run / "slice.json")
    train(args, recipe, run, plan, ends)
    print((bring_weights if args.bring == "weights" else bring_exact)(run, plan, args.pieces))
    is_done = (run / "tuned" / "config.json").exists()
    print("all steps are done" if is_done else "not done yet: the same command goes on here, --start elsewhere")


if __name__ == "__main__":
    main()
