"""What a paid teacher costs: one line a model, in US dollars per million tokens as billed in a batch.

    find_model("claude-haiku-4-5-20251001").cost(1_000_000, 200_000)   # 1.0: 0.50 read + 0.50 written
    find_model("my-model", 1.0, 5.0)                                   # unknown models need both prices

The table ages. `--price-in` and `--price-out` override it, and the bill is counted from the usage that
the API reports, whatever the estimate was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

DEFAULT_MODEL = "claude-haiku-4-5-20251001"
CACHE_WRITE, CACHE_READ = 1.25, 0.1  # of the price of an input token; our prompts are too short to be cached


@dataclass(frozen=True)
class Model:
    """`density` is the number of tokens for the same text where Haiku 4.5 has one; `settings` go into each request."""

    id: str
    input_usd: float  # per million tokens, in a batch
    output_usd: float
    density: float = 1.0
    settings: dict = field(default_factory=dict)

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """US dollars."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1_000_000


# A model that thinks unless told otherwise would spend its `max_tokens` on that.
SILENT = {"thinking": {"type": "disabled"}}

# Batches cost half of the list price (platform.claude.com/docs/en/build-with-claude/batch-processing).
# List prices, identifiers and "approximately 30% more tokens" from the models' pages there
# (/docs/en/models/haiku-4-5/overview, /docs/en/models/haiku-5-5/overview and their tables of models), read
# on 2026-11-20. Haiku 4.5 is marked "legacy" there. Haiku 5.5: for prompts of up to 100,000 tokens.
MODELS = {
    model.id: model
    for model in (
        Model("claude-haiku-4-5-20251001", 0.50, 2.50),
        Model("claude-haiku-4-5", 0.50, 2.50),
        Model("claude-haiku-5-5", 0.05, 0.25, 1.3, SILENT),
        Model("claude-sonnet-4-6", 1.50, 7.50),
        Model("claude-sonnet-5-5", 1.00, 5.00, 1.3, SILENT),
    )
}


def find_model(name: str, input_usd: float | None = None, output_usd: float | None = None) -> Model:
    """The model of that name, its prices replaced where given. Raises ValueError for an unknown one without prices."""
    model = MODELS.get(name)
    if model is None:
        if input_usd is None or output_usd is None:
            raise ValueError(
                f"no price is known for {name!r}: give --price-in and --price-out (US dollars per million tokens "
                f"in a batch), or choose one of {', '.join(MODELS)}"
            )
        model = Model(name, input_usd, output_usd, density=1.3)  # the newer tokenizers' count, to be on the safe side
    prices = {"input_usd": input_usd, "output_usd": output_usd}
    if any(price is not None and not 0 <= price < 10_000 for price in prices.values()):
        raise ValueError("--price-in and --price-out must be between 0 and 10,000 dollars per million tokens")
    return replace(model, **{name: price for name, price in prices.items() if price is not None})


def about(usd: float) -> str:
    """An estimate or a bill, in as many decimals as it takes to see it: 12.30, 0.0015, 0.000042."""
    return f"{usd:.2f}" if usd >= 0.1 or not usd else f"{usd:.4f}" if usd >= 0.001 else f"{usd:.6f}"


def dollars(usd: float) -> str:
    """A budget as it was given, in cents at least: 5.00, 0.006."""
    return max(f"{usd:.2f}", f"{usd:.10f}".rstrip("0"), key=len)
