"""The training loop: exact resume, slices of any length, one process or a crew of them.

A run folder holds `checkpoint-000120/` (weights, optimizer, place in the data; safetensors and JSON,
no pickle), `latest.json` that points at it, and `log.jsonl` with a row every few steps. Killed at any
moment and started again, the run goes on from the last checkpoint, whose later log rows are dropped.
With one thread the final weights and the losses in the log are bit-identical to those of an unbroken
run, because nothing but the step decides what happens next.
"""

from __future__ import annotations

import math
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mathtutor.io import Busy, Damaged, Journal, read_json, replace_folder, sha256_file, write_json
from training.attention import by_products, suits
from training.crew import Crew
from training.data import Examples, batches_from, collate, hide_words
from training.progress import Progress
from training.recipe import Phase

KEEP = 2  # checkpoints
LOG_EVERY = 20  # steps


def rate_factor(phase: Phase, step: int) -> float:
    """Share of the full learning rate: warm-up, constant, then a linear fall to a twentieth over `decay_share`."""
    if step < phase.warmup_steps:
        return (step + 1) / phase.warmup_steps
    decay_steps = max(1, int(phase.steps * phase.decay_share))
    left = (phase.steps - step) / decay_steps
    return max(0.05, min(1.0, left))


def make_optimizers(model: torch.nn.Module, phase: Phase) -> list[torch.optim.Optimizer]:
    """AdamW alone, or Muon for the weight matrices with AdamW for embedding and norms.

    Norms and other vectors are not decayed, nor is an embedding under Muon.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = {n: p for n, p in trained.items() if p.dim() == 2 and "embed" not in n and "lm_head" not in n}
    if phase.optimizer == "muon":
        rest = [p for n, p in trained.items() if n not in matrices]
        return [
            torch.optim.AdamW(rest, lr=phase.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
            torch.optim.Muon(
                list(matrices.values()), lr=phase.matrix_learning_rate, momentum=0.95, weight_decay=phase.weight_decay
            ),
        ]
    groups = [
        {"params": [p for p in trained.values() if p.dim() >= 2], "weight_decay": phase.weight_decay},
        {"params": [p for p in trained.values() if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return [torch.optim.AdamW(groups, lr=phase.learning_rate, betas=(0.9, 0.95), fused=True)]


def _head_loss(head: torch.nn.Module, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(head(hidden).float(), labels)


@dataclass(frozen=True)
class Compute:
    """How the machine does its sums: not part of the recipe, for it changes speed and the last digits only.

    `precision` "bf16" keeps the weights in float32 and multiplies in bfloat16; "auto" does so where the
    hardware has it. `compile` lets torch.compile fuse the small operations: it needs a C++ compiler,
    takes about two minutes at the start and pays in any longer run.
    """

    device: str = "cpu"
    precision: str = "auto"
    compile: bool = False
    crew: Crew = Crew()

    @property
    def bf16(self) -> bool:
        return self.has_bf16 if self.precision == "auto" else self.precision == "bf16"

    @property
    def has_bf16(self) -> bool:
        """Whether the hardware multiplies in bfloat16 itself; where it does not, asking for it costs several times the time."""
        if self.device == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)


def token_loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], compiled: bool = False) -> tuple[torch.Tensor, int]:
    """Mean cross entropy over the learned tokens, and their number.

    The head runs only at positions whose next token is learned: most of a fine-tuning batch is not.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    body, head_loss = (_compiled(core.model), _compiled(_head_loss)) if compiled else (core.model, _head_loss)
    # Padding stands on the right and attention looks left: no mask is needed, and without one it is faster.
    hidden = body(input_ids=batch["input_ids"], use_cache=False)[0]
    labels = batch["labels"][:, 1:]  # (batch, time - 1)
    wanted = labels != -100
    return head_loss(core.lm_head, hidden[:, :-1][wanted], labels[wanted]), int(wanted.sum())


@contextmanager
def dropout(model: torch.nn.Module, share: float) -> Iterator[None]:
    """Drop this share of what each attention and MLP adds to the stream while `model` trains.

    Qwen3 has none of its own, for nobody trains it on the same stories twenty times; a tiny model knows them by heart.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model

    def drop(module, _, output):
        if isinstance(output, tuple):  # attention: (what it adds, weights)
            return (torch.nn.functional.dropout(output[0], share, module.training), *output[1:])
        return torch.nn.functional.dropout(output, share, module.training)

    parts = [part for layer in core.model.layers for part in (layer.self_attn, layer.mlp)] if share else []
    handles = [part.register_forward_hook(drop) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@cache
def _compiled(function):
    return torch.compile(function, dynamic=True)


def train(
    model: torch.nn.Module,
    examples: Examples,
    phase: Phase,
    folder: Path,
    *,
    pad: int,
    seed: int,
    stamp: dict,
    validation: Examples | None = None,
    minutes: float | None = None,
    compute: Compute = Compute(),
) -> bool:
    """Train until `phase.steps` are done (True) or `minutes` are over (False: call again to go on).

    `stamp` identifies recipe and data; a checkpoint with another stamp is refused. Ends with a sentence
    when another process trains in the folder, a file of it is damaged, or the numbers become infinite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        products = compute.device == "cpu" and compute.bf16 and suits(model.config, phase.max_tokens)
        attention = by_products(model) if products else nullcontext()
        with attention, dropout(model, phase.dropout), Journal(folder / "log.jsonl") if compute.crew.leads else _NoLog() as log:
            return _train(model, examples, phase, folder, log, pad, seed, stamp, validation, minutes, compute)
    except (Busy, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error


def _train(model, examples, phase: Phase, folder: Path, log: Journal, pad, seed, stamp, validation, minutes, compute: Compute) -> bool:
    device, crew = compute.device, compute.crew
    model.to(device).train()
    optimizers = make_optimizers(model, phase)
    full_rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    # `losses` are those of the steps since the last row of the log
    state = {"step": 0, "epoch": 0, "position": 0, "tokens": 0, "losses": []}
    if (folder / "latest.json").exists():
        state = _restore(_latest(folder), model, optimizers, stamp)
        if state["step"] > phase.steps:
            raise SystemExit(
                f"{folder} is at step {state['step']}, beyond the {phase.steps} of the recipe: "
                "choose a new --out, or put steps back as they were"
            )
        print(f"resuming {folder.name} at step {state['step']} of {phase.steps}")
    # Rows of steps that a kill undid: they are about to be made again.
    log.retain(lambda row: row["step"] <= state["step"])
    stop = _StopOnSignal()
    started = saved = time.monotonic()
    deadline = started + minutes * 60 if minutes else math.inf
    batches = batches_from(examples, phase.batch_tokens, seed, state["epoch"], state["position"])
    with closing(Progress(phase.steps, state["step"], shown=crew.leads)) as bar:
        losses, seen, since = state.pop("losses"), 0, time.monotonic()
        while state["step"] < phase.steps:
            epoch, position, indices = next(batches)
            factor = rate_factor(phase, state["step"])
            for optimizer, rate in zip(optimizers, full_rates, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = rate * factor
            if phase.dropout:  # what is dropped follows from the step, so a run that goes on drops the same
                torch.manual_seed(int(np.random.SeedSequence([seed, state["step"], crew.rank]).generate_state(1)[0]))
            batch = _batch(examples, compute.crew.share(indices), pad, phase.word_dropout, (seed, state["step"]))
            loss, over = _gradients(model, examples, indices, batch, compute, stop.asked or time.monotonic() > deadline)
            torch.nn.utils.clip_grad_norm_(model.parameters(), phase.clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            losses.append(loss)
            tokens = int(examples.lengths[indices].sum())
            seen += tokens
            state = {
                "step": state["step"] + 1,
                "epoch": epoch,
                "position": position,
                "tokens": state["tokens"] + tokens,
            }
            bar.advance()
            if state["step"] % LOG_EVERY == 0 or state["step"] == phase.steps:
                now = time.monotonic()
                row = {
                    "step": state["step"],
                    "epoch": epoch,
                    "loss": round(math.fsum(map(float, losses)) / len(losses), 5),
                    "learning_rate": phase.learning_rate * factor,
                    "tokens": state["tokens"],
                    "tokens_per_second": round(seen / (now - since)),
                }
                if not math.isfinite(row["loss"]):
                    raise _diverged(state["step"])
                log.append(row)
                bar.tell(f"loss {row['loss']:.3f}, {row['tokens_per_second']:,} tokens/s")
                losses, seen, since = [], 0, now
            if crew.size == 1:  # a crew has to agree, which it did with the gradients
                over = stop.asked or time.monotonic() > deadline
            if crew.leads and (over or state["step"] == phase.steps or time.monotonic() - saved > phase.checkpoint_minutes * 60):
                # Before a checkpoint could replace a good one, and also where the loss does not tell it yet
                losses = list(map(float, losses))
                weights_are_finite = all(torch.isfinite(p).all() for p in _trained(model).values())
                if not (weights_are_finite and all(map(math.isfinite, losses))):
                    raise _diverged(state["step"])
                if validation is not None:
                    log.append({"step": state["step"], "validation_loss": evaluate(model, validation, pad, compute)})
                _save(folder, state | {"losses": losses}, model, optimizers, stamp)
                seen, saved = 0, time.monotonic()
                since = saved  # the pause is no training time
            if over:
                print(f"stopped at step {state['step']} of {phase.steps}: run the same command to go on")
                return False
    return True


def _batch(examples: Examples, mine, pad: int, word_dropout: float, key: tuple[int, int]) -> dict[str, torch.Tensor] | None:
    """The examples `mine` as tensors, with words hidden; None where this process has none."""
    if not len(mine):
        return None
    batch = collate(examples, mine, pad)
    if word_dropout:
        hide_words(batch, examples, mine, word_dropout, pad, key)
    return batch


def _gradients(model, examples: Examples, indices, batch, compute: Compute, over: bool) -> tuple[torch.Tensor, bool]:
    """One batch forward and backward; (mean loss a learned token, whether any of the crew wants to stop)."""
    crew, loss = compute.crew, torch.zeros(())
    if batch is not None:
        batch = {k: v.to(compute.device) for k, v in batch.items()}
        with compute.autocast():
            loss, learned = token_loss(model, batch, compute.compile)
        if crew.size > 1:  # each token of the whole batch weighs the same
            loss = loss * (learned / examples.num_learned(indices))
        loss.backward()
    if crew.size == 1:
        return loss.detach(), over
    total, num_over = crew.sum_up(model.parameters(), float(loss.detach()), float(over))
    return torch.tensor(total), num_over > 0


class _NoLog:
    """The log of a process that does not write."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def retain(self, keep):
        pass

    def append(self, row):
        pass


def _diverged(step: int) -> SystemExit:
    return SystemExit(f"the numbers became infinite by step {step}: lower the learning rate")


@torch.no_grad()
def evaluate(model, examples: Examples, pad: int, compute: Compute) -> float:
    """Mean loss a learned token over all `examples`."""
    model.eval()
    total = count = 0.0
    order = examples.lengths.argsort(kind="stable")
    for start in range(0, len(order), 16):
        batch = {k: v.to(compute.device) for k, v in collate(examples, order[start : start + 16], pad).items()}
        with compute.autocast():
            loss, learned = token_loss(model, batch)
        total, count = total + loss.item() * learned, count + learned
    model.train()
    return round(total / count, 5)


class _StopOnSignal:
    """SIGTERM and SIGINT ask for a checkpoint and an orderly end; a second one ends at once."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number, frame):
        if self.asked:
            sys.exit(128 + number)
        self.asked = True


def _trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _state_of(parameter: torch.Tensor, optimizers: list[torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    return next((o.state[parameter] for o in optimizers if parameter in o.state), {})


def _save(folder: Path, state: dict, model, optimizers, stamp: dict) -> None:
    """A checkpoint folder appears whole or not at all; only then does `latest.json` point to it."""
    name = f"checkpoint-{state['step']:06d}"
    temporary = folder / f".{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    trained = _trained(model)
    save_file({name: p.detach().cpu().contiguous() for name, p in trained.items()}, temporary / "weights.safetensors")
    tensors = {}
    for key, parameter in trained.items():
        for part, value in _state_of(parameter, optimizers).items():
            tensors[f"{key}|{part}"] = value.detach().cpu().contiguous()
    save_file(tensors, temporary / "optimizer.safetensors")
    write_json(temporary / "state.json", {"state": state, "stamp": stamp})
    replace_folder(temporary, folder / name)
    write_json(folder / "latest.json", {"checkpoint": name})
    others = [path for path in folder.glob("checkpoint-*") if path.name != name]
    for old in sorted(others, key=lambda path: (len(path.name), path.name))[: 1 - KEEP]:
        shutil.rmtree(old)


def _latest(folder: Path) -> Path:
    """The checkpoint that `latest.json` names."""
    record = read_json(folder / "latest.json")
    if not isinstance(record, dict) or not isinstance(record.get("checkpoint"), str):
        raise Damaged(f"{folder / 'latest.json'} names no checkpoint: put it right, or choose a new --out")
    return folder / record["checkpoint"]


def _restore(checkpoint: Path, model, optimizers, stamp: dict) -> dict:
    """Put weights and optimizers back as they were; returns the place in the data."""
    saved = read_json(checkpoint / "state.json")
    try:
        if saved["stamp"] != stamp:
            different = [key for key in stamp if saved["stamp"].get(key) != stamp[key]]
            raise SystemExit(
                f"{checkpoint} was made with another {', '.join(different)}: choose a new --out, or put it back as it was"
            )
        weights = load_file(checkpoint / "weights.safetensors")
        tensors = load_file(checkpoint / "optimizer.safetensors")
        trained = _trained(model)
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(weights[name])
        for key, parameter in trained.items():
            parts = {name.split("|")[1]: value for name, value in tensors.items() if name.startswith(key + "|")}
            owner = next(o for o in optimizers if any(parameter is p for g in o.param_groups for p in g["params"]))
            owner.state[parameter] = {part: value.to(parameter.device) for part, value in parts.items()}
        return {key: saved["state"][key] for key in ("step", "epoch", "position", "tokens", "losses")}
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        others = ", ".join(p.name for p in checkpoint.parent.glob("checkpoint-*") if p != checkpoint) or "none"
        raise Damaged(
            f"{checkpoint} is damaged ({error}): name another in latest.json (there is {others}), or choose a new --out"
        ) from error


def validation_hash(recipe) -> str | int:
    """Identifies the rows of a validation file; 0 where there is none."""
    return sha256_file(recipe.data.validation_rows) if recipe.data.validation_rows else 0


def stamp_of(recipe, phase_name: str, data_hash: str, tokenizer_hash: str, base: str = "") -> dict:
    """What must not change between the slices of one run. `steps` may grow: the schedule follows it.

    `base` identifies the weights that fine-tuning starts from.
    """
    phase = asdict(getattr(recipe, phase_name))
    for free in ("steps", "checkpoint_minutes"):
        phase.pop(free)
    return {
        "phase": phase,
        "model": asdict(recipe.model),
        "seed": recipe.seed,
        "data": data_hash,
        "validation": recipe.data.validation or validation_hash(recipe),
        "tokenizer": tokenizer_hash,
        "base": base,
    }
