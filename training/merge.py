"""Make the model that others load out of a finished run, and show that it is the model that was trained.

    python -m training.merge --run runs/qwen3-0.6b-lora                    # -> runs/qwen3-0.6b-lora/merged
    python -m training.merge --run runs/qwen3-8b-synth-50k --mode dequantised
    python -m training.merge --run runs/qwen3-8b-synth-50k --gguf q8_0     # and one file for llama.cpp beside the weights
    python -m eval.run --engine hf:runs/qwen3-0.6b-lora/merged --benchmark bank --out evals/lora

An adapter of qlora was trained on weights of 4 bits. There are two ways to 16 bits:

    original      add it to the base as published: what the published systems did; the sum was never trained
    dequantised   add it to the 4-bit weights, unpacked: the very model that was trained, a little off the published base

Both are computed and both differences to the trained model are printed and kept in merge.json; the one that was
asked for is saved (dequantised by default for qlora). Then it is loaded again, compared once more, and answers a
problem. A merge that moves the logits more than its kind may is refused. The folder gets a card from records alone, and
`mode.yaml` where a system prompt stood before every problem: `eval.run --mode file:.../mode.yaml` asks as training did.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch  # noqa: E402
import yaml  # noqa: E402
from safetensors import SafetensorError  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from mathtutor.chat import encode_conversation, render_target  # noqa: E402
from mathtutor.io import (  # noqa: E402
    Busy,
    hold_folder,
    read_json,
    replace_folder,
    sha256_file,
    told,
    write_atomic,
    write_json,
)
from mathtutor.recipes import RecipeError, build  # noqa: E402
from training.export import PROBE, save_model  # noqa: E402
from training.gguf import TYPES, check_architecture, export_gguf  # noqa: E402
from training.tune import quiet_libraries  # noqa: E402
from training.tuning.card import loss_picture, read_record, tuned_card  # noqa: E402
from training.tuning.items import prompt_of  # noqa: E402
from training.tuning.models import base_identity, config_of, held, keep_packing, quantization_config  # noqa: E402
from training.tuning.recipe import TuneRecipe  # noqa: E402

EXACT = 1e-3  # largest change of a logit that rounding explains, in 32 bits
EXACT_16 = 0.25  # and in 16
PROBABILITY = 0.15  # largest change of a probability that adding to other base weights may make
ROUNDED = 0.05  # largest change of a probability by saving in 16 bits
MODE = "mode.yaml"
PROBE_REPLY = render_target(["Ana has 3 * 12 = 36 pencils.", "She keeps 36 - 7 = 29 pencils."], "29")


def probe_ids(recipe: TuneRecipe, tokenizer, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, time) twice: a problem as it was asked in training, and with its solution, where the logits are looked at."""
    prompt = encode_conversation(prompt_of(PROBE, recipe.data), tokenizer)
    whole = prompt + tokenizer.encode(PROBE_REPLY, add_special_tokens=False)
    return torch.tensor([prompt], device=device), torch.tensor([whole], device=device)


@torch.no_grad()
def logits_of(model, ids: torch.Tensor) -> torch.Tensor:
    """(1, time, vocabulary) in 32 bits. Raises ValueError where one is no number: no comparison would mean anything."""
    logits = model.eval()(ids, use_cache=False).logits.float().cpu()
    if not logits.isfinite().all():
        raise ValueError("the model's logits are not all finite numbers: the run diverged, or a file of its weights is damaged")
    return logits


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, float]:
    """Largest change of a logit and of a probability, mean KL divergence in nats, share of places with the same choice."""
    p, q = theirs.log_softmax(-1), ours.log_softmax(-1)
    return {
        "logit": (ours - theirs).abs().max().item(),
        "probability": (p.exp() - q.exp()).abs().max().item(),
        "kl": (p.exp() * (p - q)).sum(-1).mean().item(),
        "same_choice": (ours.argmax(-1) == theirs.argmax(-1)).float().mean().item(),
    }


def load_base(recipe: TuneRecipe, device: str, quantised: bool):
    quantization = quantization_config(recipe, device) if quantised else None
    model = AutoModelForCausalLM.from_pretrained(
        recipe.model.base,
        revision=recipe.model.revision or None,
        dtype=held(recipe, device),
        attn_implementation="sdpa",
        trust_remote_code=False,
        use_safetensors=True,
        **({"quantization_config": quantization, "device_map": {"": device}} if quantization else {}),
    )
    keep_packing(model)
    return model if quantization else model.to(device)


def with_adapter(base, folder: Path):
    from peft import PeftModel

    return PeftModel.from_pretrained(base, folder / "adapter").eval()


def free(device: str) -> None:
    """Give the memory of models that are no longer needed back to the GPU."""
    if device == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def merged_model(recipe: TuneRecipe, folder: Path, mode: str, device: str):
    """A plain model with the adapter added, to the published weights or to the unpacked 4-bit ones."""
    if mode == "original":
        return with_adapter(load_base(recipe, device, quantised=False), folder).merge_and_unload()
    base = load_base(recipe, device, quantised=True)
    plain = base.dequantize().to(held(recipe, device))  # first unpacked: merging into 4 bits would round the adapter away
    return with_adapter(plain, folder).merge_and_unload()


def check(mode: str, off: dict[str, float], recipe: TuneRecipe, device: str) -> None:
    """Raises ValueError when a merge moves the model more than its kind may."""
    if mode == "original" and recipe.method == "qlora":
        if not off["probability"] <= PROBABILITY:
            raise ValueError(
                f"merged into the original weights a probability moves by {off['probability']:.3f}: too far from what was trained; use --mode dequantised"
            )
        return
    limit = EXACT_16 if held(recipe, device) == torch.bfloat16 else EXACT
    if not off["logit"] <= limit:
        raise ValueError(f"the merged model's logits differ by {off['logit']:.1e} (at most {limit:.0e} by rounding): the adapter was not merged rightly")


def say(name: str, off: dict[str, float]) -> str:
    return (
        f"{name}: logits differ by at most {off['logit']:.1e}, probabilities by {off['probability']:.1e}, "
        f"KL {off['kl']:.1e} nats, the same choice at {off['same_choice']:.1%} of places"
    )


def merge(folder: Path, mode: str, device: str, precision: str) -> Path:
    """Merge, compare, save, load again, compare, answer, write the card. Returns the model's folder."""
    recipe = read_recipe_record(folder)
    target = folder / ".merged.tmp"  # all of it appears together, when it has been compared
    tuned = folder / ("adapter" if recipe.lora is not None else "model")
    if (folder / "merge.json").exists():
        raise ValueError(f"{folder} is a merged model already: name the run that it came from, --run {folder.parent}")
    if not tuned.exists():
        raise ValueError(f"{tuned} is not there: finish the run first (python -m training.tune)")
    modes = {"qlora": ["original", "dequantised"], "lora": ["original"]}.get(recipe.method, [])
    if mode not in ("auto", *modes):
        raise ValueError(f"--mode {mode} is for {'an adapter: all weights were trained here' if not modes else 'qlora: nothing was quantised here'}; leave it out")
    _, audit = (read_record(folder / f"{name}.json") for name in ("run", "audit"))
    if recipe.lora is not None and audit.get("base") != base_identity(recipe):
        raise ValueError(f"{recipe.model.base} is not the base that the adapter was trained on: its weights have changed since, or are gone. Put them back")
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    prompt, ids = probe_ids(recipe, tokenizer, device)
    record: dict = {"differences": {}}
    if recipe.lora is None:
        model = AutoModelForCausalLM.from_pretrained(tuned, dtype=held(recipe, device), use_safetensors=True).to(device)
        trained = logits_of(model, ids)
        chosen = "trained"
    else:
        chosen = mode if mode != "auto" else modes[-1]
        trained = logits_of(with_adapter(load_base(recipe, device, quantised=recipe.method == "qlora"), folder), ids)
        model = None
        for one in sorted(modes, key=lambda m: m == chosen):  # the one to keep comes last: two 8B models are a lot
            model = None
            free(device)
            model = merged_model(recipe, folder, one, device)
            record["differences"][one] = difference(logits_of(model, ids), trained)
            print(say(f"merged, {one}", record["differences"][one]))
        check(chosen, record["differences"][chosen], recipe, device)
    save_model(model, tokenizer, target, torch.bfloat16 if precision == "bf16" else torch.float32)
    del model
    free(device)

    # What others will load
    reloaded = AutoModelForCausalLM.from_pretrained(target, dtype=held(recipe, device), use_safetensors=True).to(device)
    saved = difference(logits_of(reloaded, ids), trained)
    print(say(f"saved in {precision} and loaded again", saved))
    limit = ROUNDED + record["differences"].get(chosen, {"probability": 0.0})["probability"]
    if not saved["probability"] <= limit:
        raise ValueError(f"saving in {precision} moves a probability by {saved['probability']:.3f}: use --precision fp32, or look for a fault")
    made = reloaded.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=200, do_sample=False)[0, prompt.shape[1] :]
    reply = tokenizer.decode(made, skip_special_tokens=True)
    print(f"{PROBE}\n-> {' '.join(reply.split())[:300]}")
    record |= {"mode": chosen, "precision": precision, "saved": saved, "problem": PROBE, "reply": reply}
    for name in ("recipe.json", "run.json", "audit.json"):
        write_atomic(target / name, without_places((folder / name).read_text(encoding="utf-8"), recipe))
    for name in ("log.jsonl", "samples.jsonl"):
        if (folder / name).exists():
            write_atomic(target / name, (folder / name).read_bytes())
    if recipe.data.system:
        write_atomic(target / MODE, mode_of(recipe))
    record["files"] = {path.name: sha256_file(path) for path in sorted(target.iterdir())}  # what may be pushed
    write_json(target / "merge.json", record)
    replace_folder(target, folder / "merged")
    return folder / "merged"


def without_places(text: str, recipe: TuneRecipe) -> str:
    """A record as it may be published: of the places on this machine that the recipe names, the last part alone (`.../base`).

    What lies below the working directory and is named from there stays: others find it in the same place.
    """
    named = [recipe.model.base, recipe.model.tokenizer, *recipe.data.rows.split(","), *(one.path for one in recipe.data.sets)]
    places = {spelling for path in map(str.strip, named) if path.startswith(("/", "~", "..")) for spelling in (path, str(Path(path)))}
    for place in sorted(places, key=len, reverse=True):
        whole = rf"(?<![\w./~-]){re.escape(_as_told(place))}(?![\w.-])"  # a short one, /m, is a part of many words
        text = re.sub(whole, lambda _, name=_as_told(Path(place).name): f".../{name}", text)
    return text


def _as_told(text: str) -> str:
    """How it stands between the quotation marks of a JSON file."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def mode_of(recipe: TuneRecipe) -> str:
    """The file of eval.run's prompt mode that asks a problem with the turns of training."""
    mode = {
        "title": f"as {recipe.name} was trained",
        "system": recipe.data.system,
        "user": "{question}",
        "max_tokens": recipe.train.max_tokens,  # no reply that it has learned is longer
        "answer": recipe.data.answer_line.replace("{answer}", "N"),
    }
    return yaml.safe_dump(mode, sort_keys=False, allow_unicode=True, width=1000)


def read_recipe_record(folder: Path) -> TuneRecipe:
    """The recipe that a finished run has written down."""
    if not (folder / "recipe.json").exists():
        raise ValueError(f"{folder} holds no finished run: python -m training.tune --recipe ... --out {folder}")
    problems: list[str] = []
    recipe = build(TuneRecipe, read_json(folder / "recipe.json"), problems)
    if problems:
        raise RecipeError(f"{folder / 'recipe.json'}: " + "; ".join(problems))
    return recipe


def add_gguf(target: Path, kind: str) -> None:
    """A GGUF file beside the merged weights, and its record in merge.json."""
    name = f"{read_json(target / 'recipe.json')['name']}-{kind}.gguf"
    record = export_gguf(target, target / name, kind) | {"sha256": sha256_file(target / name)}
    merged = read_json(target / "merge.json")
    write_json(target / "merge.json", merged | {"gguf": merged.get("gguf", {}) | {name: record}})


def write_card(target: Path, evals: Path) -> None:
    write_atomic(target / "loss.svg", loss_picture(target / "log.jsonl"))
    write_atomic(target / "README.md", tuned_card(target, evals))
    print(f"card: {target / 'README.md'}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, help="the run folder of training.tune")
    parser.add_argument("--mode", default="auto", choices=["auto", "original", "dequantised"], help="how qlora becomes 16 bits")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"], help="in which the weights are saved")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--evals", default="evals", type=Path, help="folder with the records of eval.run (default: evals)")
    parser.add_argument("--gguf", choices=TYPES, help="also write one GGUF file of this type, for llama.cpp")
    parser.add_argument("--card-only", action="store_true", help="leave the weights as they are: write the card again (and --gguf)")
    args = parser.parse_args(arguments)
    try:
        if args.card_only and (args.mode != "auto" or args.precision != "bf16"):
            raise ValueError("--card-only leaves the weights as they are: --mode and --precision are for merging them again, without it")
        if args.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: this torch sees no GPU; use --device cpu")
        device = "cuda" if torch.cuda.is_available() and args.device != "cpu" else "cpu"
        quiet_libraries()
        target = args.run / "merged"
        if args.gguf:
            check_architecture(config_of(read_recipe_record(args.run)), args.run)
        elif not args.run.is_dir():
            raise ValueError(f"{args.run} is no folder: name the run folder of training.tune with --run")
        with hold_folder(args.run):
            if not args.card_only:
                target = merge(args.run, args.mode, device, args.precision)
            elif not (target / "merge.json").exists():
                raise ValueError(f"{target} is not there: merge first, without --card-only")
            if args.gguf:
                add_gguf(target, args.gguf)
            write_card(target, args.evals)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise SystemExit(
            f"a file of {args.run}, of its adapter or model, or of its base, is damaged ({error}): fetch the base anew, or remove run.json and adapter or model there "
            "and run training.tune again, which writes them from the last checkpoint"
        ) from error
    except (RecipeError, Busy, ValueError, OSError) as error:
        raise SystemExit(told(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("stopped: what stood in merged before still does, or nothing; run the same command again") from None


if __name__ == "__main__":
    main()
