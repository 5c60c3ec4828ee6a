"""The weighted mean of two models of one shape, such as a model and what was trained on from it (a "model soup").

    python -m training.mean assets/models/pocket/tuned runs/pocket/tuned --share 0.75 --out runs/mean/tuned

`--share` is the second model's. What further training forgot is often still in the mean, and what it learned as well
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). `mean.json` beside the weights says what they are made of.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mathtutor.io import sha256_file, write_json
from training.export import save_model


def mean(first: torch.nn.Module, second: torch.nn.Module, share: float) -> torch.nn.Module:
    """`first`, its weights moved `share` of the way to `second`'s. Raises ValueError for models of different shapes."""
    ours, theirs = first.state_dict(), second.state_dict()
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        raise ValueError("the two models have different shapes: a mean needs two trainings of one model")
    first.load_state_dict({name: torch.lerp(value.float(), theirs[name].float(), share) for name, value in ours.items()})
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="a model folder; its tokenizer is kept")
    parser.add_argument("second", type=Path, help="a model folder of the same shape and vocabulary")
    parser.add_argument("--share", type=float, required=True, help="how much of the second, between 0 and 1")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the new model")
    args = parser.parse_args()
    if not 0 < args.share < 1:
        parser.error("--share must lie between 0 and 1")
    for folder in (args.first, args.second):
        if not (folder / "model.safetensors").exists():
            parser.error(f"{folder} has no model.safetensors: name a folder that holds a trained model")
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (args.first, args.second)]
    if tokenizers[0].get_vocab() != tokenizers[1].get_vocab():
        parser.error("the two models have different vocabularies: a mean needs two trainings of one model")
    models = [
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True) for folder in (args.first, args.second)
    ]
    made_of = {
        "first": sha256_file(args.first / "model.safetensors"), "second": sha256_file(args.second / "model.safetensors"), "share_of_second": args.share,
    }  # fmt: skip
    try:
        save_model(mean(*models, args.share), tokenizers[0], args.out)
    except ValueError as error:
        parser.error(str(error))
    write_json(args.out / "mean.json", made_of)
    print(f"{args.out}: {1 - args.share:g} of {args.first} and {args.share:g} of {args.second}")


if __name__ == "__main__":
    main()
