"""Fine-tune the base model on the tutor's format: `<think>`, steps, "The answer is N."

    python -m training.sft --recipe training/recipes/pocket.yaml
    python -m training.sft --recipe training/recipes/pocket.yaml --set sft.method=lora

Only the reply is learned from. `full` trains every weight, `lora` an adapter on all linear layers,
which is merged into the weights at the end. Checkpoints go to `runs/<name>/sft/`, the finished
model to `runs/<name>/tuned/`. `--base` starts from another model than `runs/<name>/base`.
"""

from __future__ import annotations

from training.run import examples_for, keep_records, parser, prepare, say_memory  # isort: skip  (sets OpenMP up before torch)

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from mathtutor.io import sha256_file, sha256_json
from training.export import save_model
from training.loop import stamp_of, train
from training.tokenizer import tokenizer_hash

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    argument_parser = parser(__doc__)
    argument_parser.add_argument("--base", help="model folder to start from")
    args = argument_parser.parse_args()
    recipe, folder, compute = prepare(args)
    base = Path(args.base) if args.base else folder / "base"
    if not (base / "config.json").exists():
        raise SystemExit(f"{base} holds no model: run training.pretrain first, or name one with --base")

    # Model and data
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise SystemExit(f"{base} cannot be loaded: {error}") from error
    say_memory(model.config, recipe.sft, compute)
    if recipe.sft.method == "lora":
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(
            model,
            LoraConfig(
                r=recipe.sft.lora_rank,
                lora_alpha=recipe.sft.lora_alpha,
                target_modules=LINEAR_LAYERS,
                lora_dropout=0.0,
                bias="none",
                task_type="CAUSAL_LM",
            ),
        )
        model.print_trainable_parameters()
    examples, validation, data_hash = examples_for("sft", recipe, tokenizer)

    # Train
    done = train(
        model,
        examples,
        recipe.sft,
        folder / "sft",
        pad=tokenizer.pad_token_id,
        seed=recipe.seed + 1,
        stamp=stamp_of(recipe, "sft", data_hash, tokenizer_hash(tokenizer), base=weights_hash(base)),
        validation=validation,
        minutes=args.minutes,
        compute=compute,
    )
    if not done or not compute.crew.leads:
        return compute.crew.wait()
    if recipe.sft.method == "lora":
        model = merge_checked(model, examples, tokenizer.pad_token_id, compute.device)
    save_model(model, tokenizer, folder / "tuned")
    keep_records(folder, recipe, "sft")
    print(f"tuned model: {folder / 'tuned'}")
    compute.crew.wait()


def weights_hash(folder: Path) -> str:
    """Identifies the weights of a model folder, whole or in shards."""
    return sha256_json({path.name: sha256_file(path) for path in folder.glob("*.safetensors")})


def merge_checked(model, examples, pad: int, device: str):
    """Merge the adapter into the weights; refuse a merge that changes the logits."""
    from training.data import collate

    batch = collate(examples, range(min(4, len(examples))), pad)
    inputs = {k: batch[k].to(device) for k in ("input_ids", "attention_mask")}
    model.eval()
    with torch.no_grad():
        before = model(**inputs).logits
        merged = model.merge_and_unload()
        difference = (merged(**inputs).logits - before).abs().max().item()
    print(f"merged: the logits differ by at most {difference:.1e}")
    if difference > 1e-3:
        raise SystemExit(f"the merged model's logits differ by {difference:.1e}: the adapter was not merged rightly")
    return merged


if __name__ == "__main__":
    main()
