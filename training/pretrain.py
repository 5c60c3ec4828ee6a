"""Train a base model from scratch on the rows, written as prose.

    python -m training.pretrain --recipe training/recipes/pocket.yaml --minutes 9
    python -m training.pretrain --recipe training/recipes/pocket.yaml            # goes on where it stopped

Writes checkpoints to `runs/<name>/pretrain/` and the finished model to `runs/<name>/base/`.
"""

from __future__ import annotations

from training.run import examples_for, keep_records, load_rows, parser, prepare, say_memory  # isort: skip  (sets OpenMP up before torch)

from transformers import Qwen3Config, Qwen3ForCausalLM

from training.export import save_model
from training.loop import stamp_of, train
from training.recipe import Recipe
from training.tokenizer import load_or_train, tokenizer_hash


def make_model(recipe: Recipe, tokenizer) -> Qwen3ForCausalLM:
    """A Qwen3 with random weights: tied embeddings, QK-norm, grouped-query attention."""
    model = recipe.model
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=model.hidden,
            num_hidden_layers=model.layers,
            num_attention_heads=model.heads,
            num_key_value_heads=model.kv_heads,
            intermediate_size=model.ffn,
            head_dim=model.head_dim,
            max_position_embeddings=model.positions,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def main() -> None:
    args = parser(__doc__).parse_args()
    recipe, folder, compute = prepare(args)

    # Tokenizer: trained once on the training rows, both styles of reply included
    rows, _, data_hash = load_rows(recipe)
    texts = (f"{row.problem}\n" + "\n".join(row.steps) + f"\n{row.plan}" for row in rows)
    identity = {"data": data_hash, "validation": recipe.data.validation}
    if not compute.crew.leads:
        compute.crew.wait()  # the first process makes it, the others find it
    try:
        tokenizer = load_or_train(folder / "tokenizer", texts, recipe.tokenizer.vocabulary, identity)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error

    if compute.crew.leads:
        compute.crew.wait()

    # Model and data
    examples, validation, data_hash = examples_for("pretrain", recipe, tokenizer)
    model = make_model(recipe, tokenizer)
    embedding = model.get_input_embeddings().weight.numel()
    total = sum(p.numel() for p in model.parameters())
    print(f"model: {total:,} parameters, {total - embedding:,} outside the embedding, on {compute.device}")
    say_memory(model.config, recipe.pretrain, compute)

    # Train
    done = train(
        model,
        examples,
        recipe.pretrain,
        folder / "pretrain",
        pad=tokenizer.pad_token_id,
        seed=recipe.seed,
        stamp=stamp_of(recipe, "pretrain", data_hash, tokenizer_hash(tokenizer)),
        validation=validation,
        minutes=args.minutes,
        compute=compute,
    )
    if done and compute.crew.leads:
        save_model(model, tokenizer, folder / "base")
        keep_records(folder, recipe, "pretrain")
        print(f"base model: {folder / 'base'}")
    compute.crew.wait()


if __name__ == "__main__":
    main()
