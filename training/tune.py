"""Tune a published model, or train one from nothing, by a recipe.

    python -m training.tune --recipe training/recipes/qwen3-0.6b-lora.yaml --plan      # what it would do; loads nothing
    python -m training.tune --recipe training/recipes/qwen3-0.6b-lora.yaml             # run again: goes on where it was
    python -m training.tune --recipe training/recipes/qwen3-0.6b-lora.yaml --shrink    # the whole road, tiny, offline, on any CPU
    torchrun --nproc-per-node 8 -m training.tune --recipe training/recipes/qed-nano-sft.yaml

What --shrink makes goes to `runs/<name>-shrunken/`. Checkpoints, log, samples and TensorBoard's files go to `runs/<name>/`, the result to `runs/<name>/adapter` (lora,
qlora) or `runs/<name>/model`; `python -m training.merge` makes the model that others load. Before anything is
trained the run prints what it has checked, and ends if a check fails: see training/tuning/audit.py.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path

# Spinning OpenMP threads cost up to eight times the time on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from safetensors import SafetensorError  # noqa: E402

from mathtutor.io import Busy, Damaged, hold_folder, read_json, write_json  # noqa: E402
from training.progress import lines_at_once  # noqa: E402
from training.tuning.backend import not_by_unsloth, resolve_backend  # noqa: E402
from training.tuning.recipe import RecipeError, TuneRecipe, is_local, load_tune_recipe, with_overrides  # noqa: E402


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--recipe", required=True, help="a file of training/recipes/")
    result.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe value")
    result.add_argument("--out", type=Path, help="run folder (default: runs/<recipe name>, with -shrunken behind it for --shrink)")
    result.add_argument("--backend", default="auto", choices=["auto", "trl", "unsloth"], help="auto: Unsloth where a CUDA machine has it")
    result.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    result.add_argument("--minutes", type=float, help="stop with a checkpoint after so long, counted from the start; run again to go on")
    result.add_argument("--threads", type=int, default=0, help="CPU threads (1: bit-identical after any kill)")
    result.add_argument("--shrink", action="store_true", help="the recipe's tiny sister, with weights, tokenizer and data made here")
    result.add_argument("--plan", action="store_true", help="print parameters, steps and memory; load and train nothing")
    result.add_argument("--prepare", action="store_true", help="write the token shards of a stream and stop (one process)")
    return result


def main(arguments: list[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    started = time.monotonic()
    lines_at_once()
    try:
        if args.minutes is not None and not args.minutes > 0:
            raise ValueError(f"--minutes must be above 0, not {args.minutes:g}")
        if args.plan and (args.shrink or args.prepare):
            raise ValueError(f"--plan loads and writes nothing, {'--shrink' if args.shrink else '--prepare'} does: leave one of the two out")
        if args.threads < 0:
            raise ValueError(f"--threads must be 1 or more, or 0 for all, not {args.threads}")
        if args.out is not None and args.out.exists() and not args.out.is_dir():
            raise ValueError(f"--out {args.out} is a file: name a folder for the run")
        recipe = load_tune_recipe(args.recipe, [] if args.shrink else args.set)  # of the small sister otherwise
        if args.prepare and not recipe.is_text:
            raise ValueError("--prepare is for recipes whose data are a stream of texts")
        set_environment(recipe)
        import torch

        if args.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: this torch sees no GPU; use --device cpu")
        on_gpu = torch.cuda.is_available() and args.device != "cpu"
        backend = resolve_backend(args.backend, on_gpu, not_by_unsloth(recipe, int(os.environ.get("WORLD_SIZE", "1"))))
        if backend == "unsloth":
            import unsloth  # noqa: F401  it patches transformers and TRL, so it comes before them
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if on_gpu else "cpu"
        if args.threads:
            torch.set_num_threads(args.threads)
        if args.plan:
            print(*plan_lines(recipe, backend), sep="\n")
            return
        quiet_libraries()
        run(recipe, args, backend, device, started + args.minutes * 60 if args.minutes else math.inf)
    except SafetensorError as error:
        raise SystemExit(f"a file of weights of the base, or of the last checkpoint, is damaged ({error}): fetch the base anew, or remove that checkpoint and run again") from error
    except (RecipeError, Busy, Damaged, ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        print("stopped before a step was trained: run the same command again", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None


def set_environment(recipe: TuneRecipe) -> None:
    """What the libraries read when they are first imported."""
    if recipe.memory.expandable_segments:
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("UNSLOTH_CE_LOSS_N_CHUNKS", str(recipe.memory.loss_chunks))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def quiet_libraries() -> None:
    """Bars and notes of libraries, of which a reader of the run can act on none: errors are still told."""
    import logging
    import warnings

    from datasets import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # that a CPU kernel of the hub is not installed
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    disable_progress_bar()
    disable_progress_bars()


def plan_lines(recipe: TuneRecipe, backend: str) -> list[str]:
    """What a run would do, from the recipe and the base's shape alone."""
    from training.tuning.items import sets_of, size_of
    from training.tuning.memory import check_model, describe
    from training.tuning.models import config_of, missing_base
    from training.tuning.tokens import length_lines, steps_of

    train, config, lines = recipe.train, config_of(recipe), []
    check_model(config, recipe)
    missing = [one.path for one in sets_of(recipe.data) if is_local(one.path) and not Path(one.path).exists()]
    sizes = [size_of(one) for one in sets_of(recipe.data)]
    if train.steps:
        steps = f"{train.steps:,} steps"
    elif all(sizes) and (examples := sum(sizes) - recipe.data.validation) > 0:
        number = steps_of(recipe, examples)
        steps = f"{'at most ' * train.packing}{number:,} steps of {train.batch}{' packed rows' * train.packing} for about {examples:,} examples"
        lines = [] if train.packing else length_lines(recipe, examples, number)[1:]  # how many a row holds is known when they are packed
    else:
        steps = f"{train.epochs} times all examples: {'at most ' * train.packing}{train.epochs * 1000 / train.batch:.3g} steps of {train.batch} for every 1,000, counted once the data are there"
    return [
        f"{recipe.name}: {recipe.method} of {recipe.model.base or recipe.model.shape.architecture + ' from nothing'} by {backend}",
        f"length: {steps}, up to {train.max_tokens:,} tokens {'a row' if train.packing else 'an example'}",
        *lines,
        *describe(config, recipe),
        *measures(recipe, backend, on_gpu=True),
        *([missing_base(recipe)] if missing_base(recipe) else []),
        *(f"data: {path} is not there yet: the run needs it" for path in missing),
    ]


def measures(recipe: TuneRecipe, backend: str, on_gpu: bool) -> list[str]:
    """How each memory measure of the recipe is met, or why it is not needed here."""
    memory = recipe.memory
    how = {
        "checkpointing": (memory.checkpointing, "activations are computed again in the backward pass"),
        "offload_activations": (memory.offload_activations, "checkpointed activations wait in main memory" if on_gpu else "left off: a CPU has no other memory"),
        "offload_embedding": (memory.offload_embedding, "the input embedding stays in main memory"),
        "expandable_segments": (memory.expandable_segments, "CUDA's allocator grows its segments" if on_gpu else "left off: for CUDA alone"),
    }
    chunks = f"in {memory.loss_chunks} pieces (Unsloth)" if backend == "unsloth" else "in tiles, the logits are never whole (TRL; memory.loss_chunks is for Unsloth)"
    return [*(f"measure {name}: {said}" for name, (on, said) in how.items() if on), f"measure loss: cross entropy {chunks}"]


def run(recipe: TuneRecipe, args: argparse.Namespace, backend: str, device: str, deadline: float) -> None:
    """`deadline`: of time.monotonic, when to stop with a checkpoint."""
    from training.crew import join
    from training.tuning.shrink import shrunken

    folder = args.out or Path("runs") / (recipe.name + "-shrunken" * args.shrink)
    crew = join("cuda" if device.startswith("cuda") else "cpu")
    with ExitStack() as stack:
        if crew.leads:
            stack.enter_context(hold_folder(folder))
            if args.shrink:
                shrunken(recipe, folder / "shrunk")
        else:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        crew.wait()
        if args.shrink:  # what --set says is said of the small sister
            recipe = with_overrides(shrunken(recipe, folder / "shrunk"), args.set)
        check_stamp(folder, {"recipe": recipe.identity()}, recipe)  # before the rows are read
        prepared = Prepared(recipe, folder, crew, device, deadline, args.prepare)
        if prepared.tokens is None:
            return
        train(recipe, prepared, folder, crew, backend, device, deadline)


class Prepared:
    """Tokenizer and examples of a run, every check passed and printed. `tokens` is None when only shards were wanted."""

    def __init__(self, recipe: TuneRecipe, folder: Path, crew, device: str, deadline: float, only_shards: bool):
        from training.tuning import audit, memory, models
        from training.tuning.items import data_hash, read_items
        from training.tuning.tokens import split_items, tokenize_items

        if missing := models.missing_base(recipe):  # before minutes of reading data
            raise ValueError(missing)
        self.config = models.config_of(recipe)
        self.lines: list[str] = []
        memory.check_model(self.config, recipe)
        shards = memory.sharing(crew.size)
        self._say(memory.describe(self.config, recipe, shards, on_gpu=device != "cpu"))
        self.record: dict = {}
        self.items, self.held, self.held_tokens, self.tokens = [], [], None, None
        if device != "cpu":
            memory.check_fits(self.config, recipe, shards)
        if recipe.is_text:
            self._stream(recipe, folder, crew, deadline, only_shards)
            if self.tokens is None:
                return
        else:
            items, left_out = read_items(recipe)
            items, taken, compared, self.record["decontamination"] = audit.without_test_items(items, recipe)
            left_out += taken
            self.items, self.held = split_items(items, recipe.data.validation)
            self.tokenizer = models.load_tokenizer(recipe)
            self._say(audit.check_template(items, self.tokenizer, recipe.model.end))
            self.tokens = tokenize_items(self.items, self.tokenizer, recipe)
            self.held_tokens = tokenize_items(self.held, self.tokenizer, recipe) if self.held else None
            self._say(audit.report_data(self.tokens, left_out, recipe))
            self._say(compared)
            self.record["data"] = data_hash(recipe, items)
        self._say(audit.check_tokenizer(self.tokenizer, recipe.model.end, self.config.vocab_size, self.tokens.first))
        share, example = audit.check_mask(self.tokens, self.tokenizer, "all" if recipe.is_text else recipe.train.learn, colour=os.isatty(1))
        self._say([share])
        print(example)  # not kept: the record is published with the weights, the training text is not
        self._say([f"data hash: {self.record['data'][:16]}"])

    def _say(self, lines: list[str]) -> None:
        """Print and keep: what was found before a refusal is seen too."""
        self.lines += lines
        print(*lines, sep="\n")

    def _stream(self, recipe: TuneRecipe, folder: Path, crew, deadline: float, only_shards: bool) -> None:
        from training.tuning import models, stream
        from training.tuning.tokens import Tokens

        wanted = recipe.train.steps * recipe.train.batch + recipe.data.validation
        if crew.leads:
            self.tokenizer = models.load_tokenizer(recipe) if recipe.model.tokenizer or recipe.model.base else stream.make_tokenizer(recipe, folder / "tokenizer")
            there = len(stream.read_stream(folder / "stream")) if stream.shards_of(folder / "stream") else 0
            if crew.size > 1 and (there < wanted or only_shards):
                raise ValueError("the token shards are written by one process: run the same command with --prepare, without torchrun, first")
            whole = stream.fill(folder / "stream", recipe, self.tokenizer, wanted, deadline)
            if not whole or only_shards:
                print("token shards: " + ("all there" if whole else "not all there yet, run the same command again"))
                return
        crew.wait()
        trained = None if recipe.model.tokenizer or recipe.model.base else folder / "tokenizer"
        self.tokenizer = models.load_tokenizer(recipe, trained)
        rows = stream.read_stream(folder / "stream")
        kept = recipe.data.validation
        held, own = rows.select(range(kept)), rows.select(range(kept, wanted))
        length = recipe.train.max_tokens
        learned = len(own) * length - stream.pieces(own)  # the first token of a document, or of its rest in another row, follows nothing
        first = stream.first_document(own, self.tokenizer.eos_token_id)
        self.tokens = Tokens(own, len(own), learned, len(own) * length, Counter(), 0, length, (first, first))
        self.held_tokens = Tokens(held, len(held), 0, 0, Counter(), 0, length, ([], [])) if kept else None
        self._say(stream.shares(folder / "stream", recipe))
        self.record["data"] = stream.identity(recipe)
        lines, near = stream.compared(folder / "stream", recipe)
        self.record["decontamination"] = {"compared_with": near, "reports": {}}
        self._say(lines)


def train(recipe: TuneRecipe, prepared: Prepared, folder: Path, crew, backend: str, device: str, deadline: float) -> None:
    import numpy as np
    from transformers import PrinterCallback

    from training.tokenizer import tokenizer_hash
    from training.tuning import models, tokens
    from training.tuning.trainer import TuneTrainer, latest_checkpoint, sft_config
    from training.tuning.watch import Watch

    steps = tokens.steps_of(recipe, len(prepared.tokens.rows))
    config = sft_config(recipe, folder, device=device, processes=crew.size, steps=steps, backend=backend)
    lines = measures(recipe, backend, device != "cpu")
    lines.append(f"run: {recipe.method} by {backend} on {crew.size} x {device.partition(':')[0]}, {steps:,} steps of {recipe.train.batch}")
    lines += [] if recipe.is_text else tokens.length_lines(recipe, len(prepared.tokens.rows), steps, crew.size)
    print(*lines, sep="\n")
    stamp = {
        "recipe": recipe.identity(),
        "base": models.base_identity(recipe),
        "data": prepared.record["data"],
        "tokenizer": tokenizer_hash(prepared.tokenizer),
        "backend": backend,
    }
    check_stamp(folder, stamp, recipe)
    if crew.leads and not (folder / "stamp.json").exists():
        write_json(folder / "stamp.json", {**stamp, "values": recipe.deciding()})
    if (folder / "run.json").exists():
        print(f"finished already: {result_folder(folder, recipe)}")
        return

    # Model
    if backend == "unsloth":
        model, adapter = models.load_unsloth(recipe), None
    else:
        model, adapter = models.load_model(recipe, prepared.tokenizer, device), models.lora_config(recipe)
        if recipe.memory.offload_embedding:
            models.offload_embedding(model)

    # Train
    order = tokens.plan(len(prepared.tokens.rows), recipe, steps)
    lengths = np.full(len(prepared.tokens.rows), recipe.train.max_tokens) if recipe.is_text else prepared.tokens.lengths
    tokens_after = np.concatenate([[0], lengths[order].reshape(steps, -1).sum(1).cumsum()])
    watch = Watch(recipe, folder, tokens_after, prepared.held or prepared.items, prepared.tokenizer, deadline)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    trainer = TuneTrainer(
        model=model,
        args=config,
        train_dataset=prepared.tokens.rows.select(order),
        eval_dataset=prepared.held_tokens.rows if prepared.held_tokens else None,
        processing_class=prepared.tokenizer,
        peft_config=adapter,
        callbacks=[watch],
    )
    watch.trainer = trainer
    trainer.remove_callback(PrinterCallback)  # the bar and the log say it
    started = time.time()
    checkpoint = latest_checkpoint(folder)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if watch.interrupted:
            print(f"stopped at step {trainer.state.global_step:,} of {steps:,}: run the same command to go on")
            return
        best = trainer.best_step
        if recipe.watch.keep_best and best is not None and best != trainer.state.global_step:
            print(f"keeping the weights of step {best:,}, where the validation loss was lowest")
            trainer.load_checkpoint_weights(folder / f"checkpoint-{best}")
        else:
            best = trainer.state.global_step
        save_result(trainer, prepared.tokenizer, folder, recipe, crew)
    finally:
        watch.close()
    if crew.leads:
        write_json(folder / "recipe.json", asdict(recipe))
        write_json(folder / "audit.json", {**stamp, **prepared.record, "lines": prepared.lines})
        write_json(
            folder / "run.json",
            {
                "steps": trainer.state.global_step,
                "planned_steps": steps,
                "weights_of_step": best,
                "stopped_early": watch.stopped_early,
                "processes": crew.size,
                "device": device_name(device),
                "backend": backend,
                "seconds_of_last_slice": round(time.time() - started, 1),
                "examples": prepared.tokens.examples,
                "tokens": int(tokens_after[trainer.state.global_step]),
                "versions": versions(),
            },
        )
        print(f"result: {result_folder(folder, recipe)}; next: python -m training.merge --run {folder}")
    crew.wait()


def check_stamp(folder: Path, stamp: dict, recipe: TuneRecipe) -> None:
    """A folder holds one run: another recipe, other data or another tokenizer is refused."""
    path = folder / "stamp.json"
    if not path.exists():
        return
    there = read_json(path)
    if different := [key for key in stamp if there.get(key) != stamp[key]]:
        changed = changes(there.get("values"), recipe.deciding()) if "recipe" in different else []
        told = f" ({'; '.join(changed)})" if changed else ""
        raise ValueError(f"{folder} was begun with another {', '.join(different)}{told}: choose a new --out, or put it back as it was")


def changes(before, now, where: str = "") -> list[str]:
    """The keys whose values differ, "train.batch: 4 then, 8 now"; none where `before`, of an older run, is not known."""
    if before is None and not where or before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        return [line for key in {**before, **now} for line in changes(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [line for number, pair in enumerate(zip(before, now, strict=True)) for line in changes(*pair, f"{where}[{number}]")]
    return [f"{where}: {str(before):.80} then, {str(now):.80} now"]


def result_folder(folder: Path, recipe: TuneRecipe) -> Path:
    return folder / ("adapter" if recipe.lora is not None else "model")


def save_result(trainer, tokenizer, folder: Path, recipe: TuneRecipe, crew) -> None:
    """Adapter or model, gathered from all processes, in a folder that appears whole."""
    import shutil

    from mathtutor.io import replace_folder

    target = result_folder(folder, recipe)
    temporary = target.with_name(f".{target.name}.tmp")
    if crew.leads:
        shutil.rmtree(temporary, ignore_errors=True)
    crew.wait()
    if trainer.is_fsdp_enabled:  # checkpoints are sharded, the result is whole
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(temporary))
    crew.wait()
    if crew.leads:
        tokenizer.save_pretrained(temporary)
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's form with every field blank: ours comes from records
        replace_folder(temporary, target)


def device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


def versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "unsloth"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
