"""Put a trained model where the app finds it: 16-bit weights, tokenizer, chat template, card.

    python -m training.export --recipe training/recipes/pocket.yaml --to assets/models/pocket

copies `base` and `tuned` of the run, reloads both, compares their logits with the originals, and
writes `README.md` (the model card) from the records alone: recipe, training log, data report and
whatever `eval.run` has written below `--evals`. A number without a record does not appear.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from mathtutor.chat import conversation, encode_conversation
from mathtutor.io import Damaged, read_json, replace_folder, write_atomic
from training.card import data_lines, model_card, of_weights, read_summaries, refill, results_table
from training.recipe import RecipeError, load_recipe

PROBE = "Ana has 3 boxes with 12 pencils each. She gives away 7 pencils. How many pencils are left?"


def save_model(model, tokenizer, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Weights, tokenizer and generation settings, in a folder that appears whole."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    model.to(dtype).save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    replace_folder(temporary, folder)


def export(source: Path, target: Path) -> float:
    """Save `source` as bfloat16 in `target`, once it has been compared; returns the largest change of a probability."""
    waiting = target.with_name(f".{target.name}.new")
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, use_safetensors=True).eval()
    ids = torch.tensor([encode_conversation(conversation(PROBE), tokenizer)])
    with torch.no_grad():
        before = model(ids).logits.softmax(-1)
        save_model(model, tokenizer, waiting, torch.bfloat16)
        reloaded = AutoModelForCausalLM.from_pretrained(waiting, dtype=torch.float32, use_safetensors=True).eval()
        change = (reloaded(ids).logits.softmax(-1) - before).abs().max().item()
    if not change <= 0.05:
        shutil.rmtree(waiting)
        raise ValueError(f"{target}: 16-bit rounding moves a probability by {change:.3f}; keep 32 bits or look for a fault")
    replace_folder(waiting, target)
    return change


def export_run(run: Path, target: Path) -> None:
    """Weights and records of a finished run. Raises ValueError with the fix, or OSError, before anything is replaced if a part is missing."""
    logs = {f"{phase}-log.jsonl": run / phase / "log.jsonl" for phase in ("pretrain", "sft")}
    needed = [*(run / name / "config.json" for name in ("base", "tuned")), run / "recipe.json", *logs.values()]
    if missing := next((path for path in needed if not path.exists()), None):
        raise ValueError(f"{missing} is not there: finish training first")
    for name in ("base", "tuned"):
        change = export(run / name, target / name)
        print(f"{target / name}: 16-bit rounding moves a probability by at most {change:.4f}")
    # The records travel with the weights, so that the card can be written again anywhere.
    for record in ("recipe.json", "data.json", "tuned/mean.json"):
        if (run / record).exists():
            write_atomic(target / record, (run / record).read_bytes())
    for name, log in logs.items():
        write_atomic(target / name, log.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--run", help="run folder (default: runs/<recipe name>)")
    parser.add_argument("--to", required=True, help="folder that gets base/, tuned/ and README.md")
    parser.add_argument("--evals", default="evals", help="folder with the records of eval.run (default: evals)")
    parser.add_argument("--readme", type=Path, help="also refill the marked results and data lines of this README")
    parser.add_argument("--card-only", action="store_true", help="write the card again, leave the weights")
    args = parser.parse_args()
    if args.card_only and args.run:
        parser.error("--card-only writes the card of what is in --to: --run is for exporting again, without it")
    try:
        recipe = load_recipe(args.recipe)
    except (RecipeError, OSError) as error:
        raise SystemExit(str(error)) from error
    run, target = Path(args.run or Path("runs") / recipe.name), Path(args.to)
    try:
        if not args.card_only:
            export_run(run, target)
    except SafetensorError as error:
        raise SystemExit(f"a file of weights in {run} is damaged ({error}): train that phase to its end again") from error
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    if not (target / "recipe.json").exists():
        raise SystemExit(f"{target} has no recipe.json: export the weights first, without --card-only")
    try:
        card = model_card(target, Path(args.evals), read_json(target / "recipe.json"))
    except (Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise SystemExit(f"a record in {target}, or a summary below {args.evals}, lacks what the card tells ({type(error).__name__}: {error}): export or evaluate again") from error
    write_atomic(target / "README.md", card)
    print(f"card: {target / 'README.md'}")
    if args.readme:
        results = results_table(of_weights(read_summaries(Path(args.evals)), target))
        try:
            text = refill(args.readme.read_text(encoding="utf-8"), {"results": results, "funnel": data_lines(target)})
        except (ValueError, OSError) as error:
            raise SystemExit(f"{args.readme}: {error}") from error
        write_atomic(args.readme, text)
        print(f"refilled: {args.readme}")


if __name__ == "__main__":
    main()
