"""What a run shows while it goes on, and when it stops: a bar, the log, samples, early stopping, an orderly end.

    step 240: loss 0.31, 1,840 tokens/s, 12% [==>    ] 00:41<05:10
    log.jsonl       {"step": 240, "loss": ..., "tokens": ..., "tokens_per_second": ..., "learning_rate": ..., "grad_norm": ...}
                    {"step": 300, "validation_loss": ...}
    samples.jsonl   {"step": 300, "problem": ..., "reply": ..., "cut_off": ..., "right": ...}
"""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch
from transformers import TrainerCallback

from mathtutor.chat import conversation, encode_conversation
from mathtutor.io import Journal
from mathtutor.maths.answers import is_correct, read_answer
from training.progress import Progress
from training.tuning.items import Item
from training.tuning.recipe import TuneRecipe

# What a model that learns from texts goes on from at every check; it has no problems of its own.
BEGINNINGS = [
    Item(conversation("Ana has 3 boxes with 12 pencils each. She gives away 7 pencils. How many pencils are left?"), "The answer is 29.", "fixed"),
    Item(conversation("A train goes 60 miles an hour for 3 hours. How many miles is that?"), "The answer is 180.", "fixed"),
    Item(conversation("Half of 50 children wear a hat. How many wear none?"), "The answer is 25.", "fixed"),
]


class Watch(TrainerCallback):
    """`tokens_after[k]`: training tokens after k steps, so that the count is right after any resume."""

    def __init__(self, recipe: TuneRecipe, folder: Path, tokens_after: np.ndarray, problems: list[Item], tokenizer, deadline: float):
        self.recipe, self.folder, self.tokens_after, self.tokenizer = recipe, folder, tokens_after, tokenizer
        self.problems = (BEGINNINGS if recipe.is_text else problems)[: recipe.watch.samples]
        self.deadline = deadline
        self.trainer = None  # set by the caller once there is one
        self.interrupted = self.stopped_early = False
        self._asked = False
        self._log = self._samples = self._bar = None

    # --- start and end

    def on_train_begin(self, args, state, control, **_):
        check_distribution(self.trainer)
        self._leads = state.is_world_process_zero
        if self._leads:
            self._log, self._samples = Journal(self.folder / "log.jsonl"), Journal(self.folder / "samples.jsonl")
            for journal in (self._log, self._samples):  # rows of steps that a kill undid: they are about to be made again
                journal.retain(lambda row: row["step"] <= state.global_step)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        self._started, self._first = time.monotonic(), state.global_step
        self._bar = Progress(state.max_steps, state.global_step, shown=self._leads)
        if state.global_step:
            self._say(f"resuming at step {state.global_step:,} of {state.max_steps:,}")
        self._judge(state, control)  # a run that was killed after it had stopped early stays stopped

    def close(self) -> None:
        """Let go of the log files and the bar."""
        for one in (self._bar, self._log, self._samples):
            if one is not None:
                one.close()

    def _note(self, number, frame):
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        if self._leads:  # not through the bar, which may be at its own line just now
            os.write(2, b"\nstopping after this step, with a checkpoint (once more: at once, without)\n")

    def _say(self, text: str) -> None:
        if self._leads:
            self._bar.write(text)

    # --- while it goes on

    def on_step_end(self, args, state, control, **_):
        self._bar.advance()
        if not self.recipe.data.validation and state.global_step % self.recipe.watch.check_every == 0:
            self._answer(state.global_step)  # else when the validation loss is known
        control.should_log |= state.global_step >= state.max_steps  # however rarely it logs, the card tells the last loss
        over = self._asked or time.monotonic() > self.deadline
        if args.world_size > 1:  # all stop together or none
            votes = torch.tensor(float(over), device=args.device)
            torch.distributed.all_reduce(votes)
            over = bool(votes > 0)
        if over and state.global_step < state.max_steps:
            self.interrupted = control.should_save = control.should_training_stop = True

    def on_log(self, args, state, control, logs, **_):
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("grad_norm", 0.0)):
            raise SystemExit(f"the numbers became infinite by step {state.global_step}: lower train.learning_rate; the last checkpoint is whole")
        done, seconds = state.global_step, time.monotonic() - self._started
        rate = (self.tokens_after[done] - self.tokens_after[self._first]) / max(seconds, 1e-9)
        self._bar.tell(f"loss {logs['loss']:.3f}, {rate:,.0f} tokens/s")
        if self._leads:
            row = {"step": done, "loss": logs["loss"], "tokens": int(self.tokens_after[done]), "tokens_per_second": round(rate, 1)}
            row |= {key: logs[key] for key in ("learning_rate", "grad_norm", "mean_token_accuracy") if key in logs}
            if torch.cuda.is_available():
                row["peak_gpu_gigabytes"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
            self._log.append(row)

    def on_evaluate(self, args, state, control, metrics, **_):
        loss = metrics["eval_loss"]
        if not math.isfinite(loss):
            raise SystemExit(f"the validation loss became infinite by step {state.global_step}: lower train.learning_rate")
        control.should_save = True
        best_step, since = self._judge(state, control)
        if self._leads:
            self._log.append({"step": state.global_step, "validation_loss": loss})
            mark = " (the lowest yet)" if best_step == state.global_step else f" (the lowest was at step {best_step:,})"
            self._say(f"step {state.global_step:,}: validation loss {loss:.4f}{mark}")
        self._answer(state.global_step)
        if self.stopped_early:
            self._say(f"stopping early: {since} checks without a lower validation loss")

    def _judge(self, state, control) -> tuple[int | None, int]:
        """Stop the run when it has waited long enough, by the history alone; returns `_best`."""
        best_step, since = self._best(state)
        self.trainer.best_step = best_step
        if self.recipe.watch.patience and since >= self.recipe.watch.patience and state.global_step < state.max_steps:
            self.stopped_early = control.should_training_stop = True
        return best_step, since

    @staticmethod
    def _best(state) -> tuple[int | None, int]:
        """(step of the lowest validation loss, checks since), from the history that checkpoints keep."""
        checks = [(row["eval_loss"], row["step"]) for row in state.log_history if "eval_loss" in row]
        if not checks:
            return None, 0
        best = min(range(len(checks)), key=lambda i: (checks[i][0], i))
        return checks[best][1], len(checks) - 1 - best

    # --- samples

    def _answer(self, step: int) -> None:
        """Answer the fixed problems greedily; all processes compute, the first writes."""
        model = self.trainer.model
        was_training = model.training
        model.eval()
        for item in self.problems:
            ids = self.tokenizer.encode(f"{item.problem}\n") if self.recipe.is_text else encode_conversation(item.prompt, self.tokenizer)
            prompt = torch.tensor([ids], device=self.trainer.args.device)
            with torch.no_grad(), self.trainer.accelerator.autocast():
                made = model.generate(
                    input_ids=prompt,
                    attention_mask=torch.ones_like(prompt),
                    max_new_tokens=self.recipe.watch.sample_tokens,
                    do_sample=False,
                    use_cache=True,
                    eos_token_id=self.tokenizer.eos_token_id,
                    pad_token_id=self.tokenizer.pad_token_id,
                    synced_gpus=self.trainer.args.world_size > 1,
                )[0, prompt.shape[1] :].tolist()
            if not self._leads:
                continue
            cut_off = self.tokenizer.eos_token_id not in made
            reply = self.tokenizer.decode([t for t in made if t not in (self.tokenizer.eos_token_id, self.tokenizer.pad_token_id)])
            gold = read_answer(item.reply)
            right = bool(is_correct(reply, gold.value).correct) if gold.value is not None else None
            self._samples.append({"step": step, "problem": item.problem, "reply": reply, "cut_off": cut_off, "right": right})
            if item is self.problems[0]:
                self._say(f"step {step:,}: {item.problem[:100]}\n  -> {' '.join(reply.split())[:160]}")
        model.train(was_training)


def check_distribution(trainer) -> None:
    """What was asked for is what runs: libraries fall back in silence. Raises SystemExit."""
    asked = int(os.environ.get("WORLD_SIZE", "1"))
    if trainer.args.world_size != asked:
        raise SystemExit(f"{asked} processes were asked for and {trainer.args.world_size} train together: start with torchrun, not accelerate launch --cpu")
    wants_sharding = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    from torch.distributed.tensor import DTensor

    if wants_sharding and not any(isinstance(p, DTensor) for p in trainer.model.parameters()):
        raise SystemExit("FSDP was asked for and no weight is sharded (on a CPU the trainer falls back to copies): use torchrun alone there")
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true" and not trainer.is_deepspeed_enabled:
        raise SystemExit("DeepSpeed was asked for and does not run: install deepspeed, or use training/launch/fsdp2.yaml")
