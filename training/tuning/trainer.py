"""TRL's SFTTrainer with what a long run needs: whole checkpoints, an exact place in the data, a loss that any number
of processes agrees on.

    runs/NAME/checkpoint-120/   weights, optimizer, schedule, random numbers: appears whole or not at all
    runs/NAME/log.jsonl         a row every few steps, and one a check

The order of the examples is laid out before the start (`tokens.plan`), so a step is a slice of it whatever was
killed before and however many processes share it.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from pathlib import Path

import torch
from transformers import Trainer
from trl import SFTConfig, SFTTrainer

from mathtutor.io import replace_folder
from training.tuning.recipe import TuneRecipe

KEEP = 2  # checkpoints, beside the best one
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
STAGING = ".saving"

# Renamed in transformers 5.18; Unsloth's environment has an older one.
CHECKPOINTING = "activation_checkpointing" if "activation_checkpointing" in SFTConfig.__dataclass_fields__ else "gradient_checkpointing"
OPTIMIZERS = {"adamw": "adamw_torch_fused", "adamw_8bit": "adamw_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}


def sft_config(recipe: TuneRecipe, folder: Path, *, device: str, processes: int, steps: int, backend: str = "trl") -> SFTConfig:
    """The recipe as TRL's arguments. Raises ValueError when the batch cannot be shared evenly."""
    train, on_gpu = recipe.train, device.startswith("cuda")
    if train.batch % (train.micro_batch * processes):
        fits = math.gcd(train.batch // processes, train.micro_batch) if train.batch % processes == 0 else 0
        raise ValueError(
            f"train.batch {train.batch} cannot be shared by {processes} processes with micro_batch {train.micro_batch}: "
            + (f"--set train.micro_batch={fits} gives the same run, or " if fits else "")
            + f"make it a multiple of {train.micro_batch * processes}"
        )
    if train.warmup_steps > steps:
        raise ValueError(f"train.warmup_steps {train.warmup_steps:,} exceeds the {steps:,} steps of the run: it would end before its rate is reached. Lower it")
    schedule, more = train.schedule, {}
    if train.schedule == "cosine" and train.least_rate:
        schedule, more = "cosine_with_min_lr", {"lr_scheduler_kwargs": {"min_lr_rate": train.least_rate}}
    if train.schedule == "constant":
        schedule = "constant_with_warmup"
    # FSDP recomputes activations by itself, and refuses to when the trainer does it as well.
    fsdp = os.environ.get("FSDP_ACTIVATION_CHECKPOINTING", "false").lower() == "true"
    bf16 = on_gpu and recipe.model.precision == "bf16"
    os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16" if bf16 else "no"  # a launcher's own word would win over the recipe's
    checkpointing = recipe.memory.checkpointing and not fsdp and backend == "trl"
    return SFTConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=train.micro_batch,
        per_device_eval_batch_size=train.micro_batch,
        gradient_accumulation_steps=train.batch // (train.micro_batch * processes),
        learning_rate=train.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=math.ceil(train.warmup_share * steps) or train.warmup_steps,
        optim=OPTIMIZERS[train.optimizer],
        adam_beta1=train.beta1,
        adam_beta2=train.beta2,
        weight_decay=train.weight_decay,
        max_grad_norm=train.clip,
        bf16=bf16,
        use_cpu=not on_gpu,
        seed=recipe.seed,
        data_seed=recipe.seed,
        max_length=train.max_tokens if train.packing else None,  # nothing is longer: `tokens` has seen to it
        packing=train.packing,
        packing_strategy="bfd",
        eval_packing=train.packing,
        dataset_kwargs={"skip_prepare_dataset": True},
        train_sampling_strategy="sequential",
        **{CHECKPOINTING: checkpointing},
        activation_offloading=recipe.memory.offload_activations and on_gpu and checkpointing,
        eval_strategy="steps" if recipe.data.validation else "no",
        eval_steps=recipe.watch.check_every,
        save_strategy="steps",
        save_steps=recipe.watch.check_every,
        logging_steps=recipe.watch.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # an infinite loss must be seen
        average_tokens_across_devices=True,
        ddp_find_unused_parameters=False,  # every trained weight has a part in every loss: the search costs time and a warning
        disable_tqdm=True,
        report_to=["tensorboard"] if recipe.watch.tensorboard else "none",
        **more,
    )


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the most steps; each that is there is whole."""
    there = [(int(m[1]), path) for path in folder.glob("checkpoint-*") if (m := CHECKPOINT.fullmatch(path.name))]
    return max(there)[1] if there else None


class TuneTrainer(SFTTrainer):
    """Saves through a folder that is renamed when it is whole; validates with each token weighing the same."""

    best_step: int | None = None  # its checkpoint is kept; `watch.Watch` sets it

    def _get_output_dir(self, trial):
        return os.path.join(self.args.output_dir, STAGING) if self._saving else self.args.output_dir

    _saving = False

    def _run_epoch(self, *args, **kwargs):
        if not self.control.should_training_stop:  # a run that had stopped early is resumed to be finished, not to go on
            super()._run_epoch(*args, **kwargs)

    def _save_checkpoint(self, model, trial):
        folder, name = Path(self.args.output_dir), f"checkpoint-{self.state.global_step}"
        if (folder / name).exists():  # saved by a check and asked for again at the end of a slice
            return
        if self.is_world_process_zero():
            shutil.rmtree(folder / STAGING, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._saving = True
        try:
            Trainer._save_checkpoint(self, model, trial)  # SFTTrainer would write a card of its own
        finally:
            self._saving = False
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            replace_folder(folder / STAGING / name, folder / name)
            shutil.rmtree(folder / STAGING, ignore_errors=True)
            kept = {f"checkpoint-{self.best_step}", name}
            others = sorted((int(m[1]), p) for p in folder.glob("checkpoint-*") if (m := CHECKPOINT.fullmatch(p.name)) and p.name not in kept)
            for _, old in others[: max(0, len(others) - KEEP + 1)]:
                shutil.rmtree(old)
        self.accelerator.wait_for_everyone()

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        # PEFT loads an adapter in 32 bits; one that was trained in 16 would go on as another model.
        types = {name: p.dtype for name, p in self.model.named_parameters() if p.requires_grad}
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        for name, p in self.model.named_parameters():
            if name in types and p.dtype != types[name]:
                p.data = p.data.to(types[name])

    def _issue_warnings_after_load(self, load_result):
        # An output layer that is the embedding is saved as that alone: its missing name is no damage.
        shared = getattr(self.model, "all_tied_weights_keys", {})
        load_result.missing_keys[:] = [key for key in load_result.missing_keys if key not in shared]
        super()._issue_warnings_after_load(load_result)

    def load_checkpoint_weights(self, checkpoint: Path) -> None:
        """Put the weights of a checkpoint into the model."""
        if self.is_deepspeed_enabled:  # of ZeRO-3 each process holds a part of every weight
            from transformers.integrations.deepspeed import deepspeed_load_checkpoint

            deepspeed_load_checkpoint(self.model_wrapped, str(checkpoint), load_module_strict=not hasattr(self.model, "peft_config"))
            return
        self._load_from_checkpoint(str(checkpoint), self.model_wrapped if self.is_fsdp_enabled else None)

    @torch.no_grad()
    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """The mean loss a learned token, over all validation rows, whoever computes which of them."""
        rows, micro = self.eval_dataset, self.args.per_device_eval_batch_size
        world, rank = self.args.world_size, self.args.process_index
        batches = [range(start, min(start + micro, len(rows))) for start in range(0, len(rows), micro)]
        sums = torch.zeros(2, dtype=torch.float64 if self.args.use_cpu else torch.float32, device=self.args.device)
        was_training = self.model.training
        self.model.eval()
        for turn in range(-(-len(batches) // world)):
            mine = turn * world + rank
            weight = float(mine < len(batches))  # a process without a batch computes along: sharded layers meet in each
            inputs = self._prepare_inputs(self.data_collator([rows[i] for i in batches[min(mine, len(batches) - 1)]]))
            with self.compute_loss_context_manager(), self.accelerator.autocast():
                total, count = self._summed_loss(inputs)
            sums += weight * torch.stack([total, count]).to(sums)
        total, count = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {f"{metric_key_prefix}_loss": total / count}
        self.log(dict(metrics))
        self.model.train(was_training)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _summed_loss(self, inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """(loss summed over the learned tokens, their number)."""
        if getattr(self.model, "is_unsloth", False):  # its own fused loss: a mean
            count = inputs["labels"][:, 1:].ne(-100).sum()
            return self.model(**inputs).loss * count, count
        outputs = self.model(**inputs, use_cache=False, fused_lm_head=True)
        return -outputs.log_probs.sum(), outputs.label_mask.sum()
