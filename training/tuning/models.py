"""Models and tokenizers of a recipe, by TRL's way (transformers, PEFT, bitsandbytes) or by Unsloth's.

Unsloth is never imported unless it is asked for or a CUDA machine has it: on a CPU its import fails.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)

from mathtutor.io import sha256_file, sha256_json
from training.tokenizer import CHAT_TEMPLATE
from training.tuning.memory import TIED
from training.tuning.recipe import Shape, TuneRecipe, is_folder, load_tune_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"

# Shapes of the published bases, for plans and memory estimates where the hub cannot be reached.
_QWEN3 = {"head_dim": 128, "vocab_size": 151936, "num_key_value_heads": 8, "rms_norm_eps": 1e-6, "max_position_embeddings": 40960}
KNOWN = {
    "Qwen/Qwen3-0.6B": {"hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "intermediate_size": 3072, "tie_word_embeddings": True},
    "Qwen/Qwen3-4B": {"hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32, "intermediate_size": 9728, "tie_word_embeddings": True},
    "Qwen/Qwen3-8B": {"hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "intermediate_size": 12288, "tie_word_embeddings": False},
}
KNOWN["Qwen/Qwen3-4B-Thinking-2507"] = KNOWN["Qwen/Qwen3-4B"] | {"max_position_embeddings": 262144}


def shape_config(shape: Shape, tokenizer=None) -> PretrainedConfig:
    """The transformers configuration of a model that is made from nothing."""
    common = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.ffn,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": shape.tied,
        # Never the library's defaults: a wrong end token in a configuration is a model that does not stop.
        "bos_token_id": None,
        "eos_token_id": getattr(tokenizer, "eos_token_id", None),
        "pad_token_id": getattr(tokenizer, "pad_token_id", None),
    }
    return Qwen3Config(**common) if shape.architecture == "qwen3" else LlamaConfig(**common)


def config_of(recipe: TuneRecipe) -> PretrainedConfig:
    """The model's configuration: from the shape, the known ones, a folder or the hub. Raises ValueError or OSError."""
    if recipe.model.shape is not None:
        return shape_config(recipe.model.shape)
    if recipe.model.base in KNOWN:
        return Qwen3Config(**_QWEN3 | KNOWN[recipe.model.base])
    if (maker := made_by(recipe.model.base)) is not None and not Path(recipe.model.base).exists():
        return config_of(maker)
    if is_folder(recipe.model.base) and not (Path(recipe.model.base) / "config.json").exists():
        raise ValueError(f"model.base {recipe.model.base}: there is no model in such a folder (config.json)" + (f"; first {recipe.after}" if recipe.after else ""))
    return AutoConfig.from_pretrained(recipe.model.base, revision=recipe.model.revision or None, trust_remote_code=False)


def made_by(base: str) -> TuneRecipe | None:
    """The recipe of this repository that makes the base "runs/NAME/merged", None for other bases."""
    parts = Path(base).parts
    path = RECIPES / f"{parts[1]}.yaml" if len(parts) == 3 and parts[0] == "runs" else None
    return load_tune_recipe(path) if path is not None and path.exists() else None


def missing_base(recipe: TuneRecipe) -> str:
    """What to run first where the base is one that a recipe of this repository makes and it is not there yet, "" where nothing."""
    base = Path(recipe.model.base)
    maker = made_by(recipe.model.base)
    if maker is None or (base / "config.json").exists():
        return ""
    train = "" if (base.parent / "run.json").exists() else f"`python -m training.tune --recipe training/recipes/{maker.name}.yaml`, then "
    return f"the base {base} is not there: run {train}`python -m training.merge --run {base.parent}` first"


def load_tokenizer(recipe: TuneRecipe, trained: Path | None = None):
    """The tokenizer, with `model.end` as its end and a chat template. `trained` is one made for a shape."""
    name = recipe.model.tokenizer or recipe.model.base or trained
    if name is None:
        raise ValueError("model.tokenizer must name a tokenizer")
    revision = recipe.model.revision or None if name == recipe.model.base else None
    tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
    if recipe.model.end in tokenizer.get_vocab():  # else check_tokenizer says what is wrong
        tokenizer.eos_token = recipe.model.end
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = "<|endoftext|>" if "<|endoftext|>" in tokenizer.get_vocab() else tokenizer.eos_token
    if not tokenizer.chat_template:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def quantization_config(recipe: TuneRecipe, device: str) -> BitsAndBytesConfig | None:
    """How bitsandbytes holds the base; None unless the method is qlora."""
    if recipe.quantization is None:
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=recipe.quantization.type,  # the library's default is fp4
        bnb_4bit_use_double_quant=recipe.quantization.double,
        bnb_4bit_compute_dtype=products(recipe, device),
    )


def products(recipe: TuneRecipe, device: str) -> torch.dtype:
    """The type of the products: processors without 16-bit units are slower in it."""
    return torch.bfloat16 if device.startswith("cuda") and recipe.model.precision == "bf16" else torch.float32


def held(recipe: TuneRecipe, device: str) -> torch.dtype:
    """The type in which weights are held."""
    return torch.bfloat16 if device.startswith("cuda") and recipe.model.weights == "bf16" else torch.float32


def attention(recipe: TuneRecipe, device: str) -> str:
    """The attention kernel: the CPU has one alone."""
    return recipe.model.attention if device.startswith("cuda") else "sdpa"


def base_identity(recipe: TuneRecipe) -> str:
    """A local base by the hash of its weights, one of the hub by its name and commit, "" for a random start."""
    folder = Path(recipe.model.base)
    if recipe.model.base and folder.is_dir():
        return sha256_json({path.name: sha256_file(path) for path in folder.glob("*.safetensors")})
    return f"{recipe.model.base}@{recipe.model.revision}" if recipe.model.base else ""


def load_model(recipe: TuneRecipe, tokenizer, device: str):
    """The base model, or a random one. Raises ValueError or OSError."""
    if recipe.model.shape is not None:
        torch.manual_seed(recipe.seed)
        model = AutoModelForCausalLM.from_config(
            shape_config(recipe.model.shape, tokenizer), dtype=held(recipe, device), attn_implementation=attention(recipe, device)
        )
    else:
        quantization = quantization_config(recipe, device)
        model = AutoModelForCausalLM.from_pretrained(
            recipe.model.base,
            revision=recipe.model.revision or None,
            dtype=held(recipe, device),
            attn_implementation=attention(recipe, device),
            trust_remote_code=False,
            use_safetensors=True,
            **({"quantization_config": quantization, "device_map": {"": device}} if quantization else {}),
        )
        keep_packing(model)
    model.config.eos_token_id = tokenizer.eos_token_id
    if model.generation_config is not None:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def keep_packing(model) -> None:
    """Keep bitsandbytes from repacking 4-bit weights on a CPU.

    With AVX-512 BF16 it rewrites them in place, with coarser scales, at the first evaluation: training would go on
    from other weights than a resumed run, and small layers fail.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def lora_config(recipe: TuneRecipe):
    """PEFT's configuration of the adapter; None for full training."""
    from peft import LoraConfig

    if recipe.lora is None:
        return None
    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=list(recipe.lora.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


class OffloadedEmbedding(nn.Module):
    """A frozen input embedding that stays in main memory: only the rows of a batch travel to the GPU.

    The table is kept out of the module's parameters, so that `.to("cuda")` and checkpoints leave it where it is.
    """

    def __init__(self, weight: torch.Tensor, padding_idx: int | None):
        super().__init__()
        table = weight.detach().cpu()
        self._table = [table.pin_memory() if torch.cuda.is_available() else table]
        self.padding_idx = padding_idx

    @property
    def weight(self) -> torch.Tensor:
        return self._table[0]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(ids.cpu(), self.weight, self.padding_idx).to(ids.device, non_blocking=True)


def offload_embedding(model) -> None:
    """Put the model's input embedding into main memory. Raises ValueError when the output layer shares it."""
    table = model.get_input_embeddings()
    if model.config.tie_word_embeddings:
        raise ValueError(TIED)
    model.set_input_embeddings(OffloadedEmbedding(table.weight, table.padding_idx))


def unsloth_arguments(recipe: TuneRecipe) -> tuple[dict, dict]:
    """(arguments of FastLanguageModel.from_pretrained, of get_peft_model; {} for full training)."""
    checkpointing = "unsloth" if recipe.memory.offload_activations else recipe.memory.checkpointing  # its own way waits in main memory
    load = {
        "model_name": recipe.model.base,
        "revision": recipe.model.revision or None,
        "max_seq_length": recipe.train.max_tokens,
        "dtype": torch.bfloat16,
        "load_in_4bit": recipe.method == "qlora",
        "full_finetuning": recipe.method == "full",
        "use_exact_model_name": True,  # else a 4-bit copy of another repository is loaded in its place
        "use_gradient_checkpointing": checkpointing,
        "offload_embedding": recipe.memory.offload_embedding,
        "random_state": recipe.seed,
        "trust_remote_code": False,
    }
    if recipe.lora is None:
        return load, {}
    return load, {
        "r": recipe.lora.rank,
        "lora_alpha": recipe.lora.alpha,
        "lora_dropout": recipe.lora.dropout,
        "target_modules": list(recipe.lora.targets),
        "bias": "none",
        "use_gradient_checkpointing": checkpointing,
        "random_state": recipe.seed,
        "max_seq_length": recipe.train.max_tokens,
    }


def load_unsloth(recipe: TuneRecipe):
    """The model by Unsloth's kernels, its adapter in place. Needs CUDA, and a recipe that `backend.not_by_unsloth` has nothing against."""
    import unsloth

    load, adapter = unsloth_arguments(recipe)
    model, _ = unsloth.FastLanguageModel.from_pretrained(**load)
    model = unsloth.FastLanguageModel.get_peft_model(model, **adapter) if adapter else model
    model.is_unsloth = True  # its loss is fused in another way than TRL's
    return model
