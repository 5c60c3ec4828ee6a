"""One recipe is one tuning run of a published model, or of one made from nothing: a YAML file, checked before any work.

    recipe = load_tune_recipe("training/recipes/qwen3-8b-synth-50k.yaml", ["train.epochs=1"])

Unknown keys, wrong types, impossible values and options without effect are refused, all in one message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from mathtutor.io import sha256_json
from mathtutor.recipes import Range, RecipeError, build, override_values, read_recipe, refuse

__all__ = ["RecipeError", "Set", "Shape", "TuneRecipe", "is_folder", "is_local", "load_tune_recipe", "recipe_problems"]

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Shape:
    """A model that is made from nothing: sizes as in transformers' configurations."""

    architecture: Literal["qwen3", "llama"]
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    head_dim: int
    positions: int
    vocabulary: int  # rows of the embedding; the tokenizer may have fewer entries
    tied: bool = False
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-6


@dataclass(frozen=True)
class Model:
    """Where the weights come from: `base`, a hub name or a folder, or `shape`, a random start."""

    base: str = ""
    revision: str = ""  # the hub's commit; "" is its main branch, which may change
    shape: Shape | None = None
    tokenizer: str = ""  # hub name or folder; "" is the base's own, or for a shape one trained on the data
    end: str = "<|im_end|>"  # the token that ends a reply
    attention: str = "sdpa"  # attention kernel on CUDA; the CPU has sdpa
    weights: Literal["bf16", "fp32"] = "bf16"  # how the weights are held on CUDA; in fp32 on the CPU
    precision: Literal["bf16", "fp32"] = "bf16"  # of the products on CUDA; fp32 on the CPU


@dataclass(frozen=True)
class Set:
    """One set of training data: a local file (.jsonl, .parquet) or a set on the hub."""

    path: str
    kind: Literal["rows", "gsm8k", "pairs", "messages", "text"]
    config: str = ""
    split: str = "train"
    revision: str = ""
    prompt: str = "prompt"  # column of a pair's problem
    context: str = ""  # pairs: column of what stands in a line below the problem, where it is not empty
    reply: str = "reply"  # column of a pair's solution
    reasoning: str = ""  # column of reasoning that goes into <think> before the reply
    column: str = ""  # of a text, or of the messages; "": text, or messages
    limit: int = 0  # so many rows, chosen by the hash of their text; 0: all
    share: float = 1.0  # text: its share of the tokens, beside the other sets
    unique: bool = False  # one row a problem
    answer_at: tuple[str, ...] = ()  # pairs: the answer stands behind the last of these; what is before is reasoning


@dataclass(frozen=True)
class Data:
    rows: str = ""  # files of rows that pipeline.build wrote, parted by commas: the short way to write sets
    sets: tuple[Set, ...] = ()
    system: str = ""  # a system prompt before every problem
    answer_line: str = "The answer is {answer}."  # how a reply to a row or to GSM8K ends
    answers: Literal["plain", "float"] = "plain"  # "float" writes 5 as 5.0
    annotations: bool = False  # keep GSM8K's <<48/2=24>>
    validation: int = 200  # rows kept from training, chosen by the hash of their problem
    compare: bool = True  # leave out what shares 13 words in a row with a test problem (mathtutor.sources); without, the card says so


@dataclass(frozen=True)
class Lora:
    rank: int
    alpha: int
    dropout: float = 0.0
    targets: tuple[str, ...] = LINEAR_LAYERS


@dataclass(frozen=True)
class Quantization:
    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = False  # quantise the scales too: 0.4 bits a weight less, and slower


@dataclass(frozen=True)
class Train:
    batch: int  # sequences (or packed rows) a step, over all processes
    max_tokens: int  # longer examples are dropped and counted, never cut; the length of a packed row
    learning_rate: float
    epochs: int = 0  # either epochs or steps
    steps: int = 0
    micro_batch: int = 1  # sequences a process holds at once; the rest of the batch is accumulated
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    least_rate: float = 0.0  # cosine: share of the rate at which it ends
    warmup_steps: int = 0
    warmup_share: float = 0.0  # of the steps, in the place of warmup_steps
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    clip: float = 1.0
    learn: Literal["reply", "all"] = "reply"
    packing: bool = False  # several examples a row, none of which sees another


@dataclass(frozen=True)
class Memory:
    checkpointing: bool = True  # compute activations again in the backward pass
    offload_activations: bool = False  # hold the checkpointed ones in main memory (CUDA)
    offload_embedding: bool = False  # hold a frozen, untied input embedding in main memory
    loss_chunks: int = 8  # Unsloth: pieces of the cross entropy; TRL has its own tiles and never builds the logits
    expandable_segments: bool = False  # CUDA's allocator: less fragmentation


@dataclass(frozen=True)
class Watch:
    log_every: int = 10  # steps
    check_every: int = 100  # steps: validation loss, samples, checkpoint
    patience: int = 0  # stop after so many checks without a lower validation loss; 0: never
    keep_best: bool = True  # end with the weights of the lowest validation loss
    samples: int = 3  # fixed problems that are answered at every check
    sample_tokens: int = 256
    tensorboard: bool = True


@dataclass(frozen=True)
class TuneRecipe:
    name: str
    method: Literal["scratch", "full", "lora", "qlora"]
    model: Model
    data: Data
    train: Train
    lora: Lora | None = None
    quantization: Quantization | None = None
    memory: Memory = field(default_factory=Memory)
    watch: Watch = field(default_factory=Watch)
    seed: int = 42
    after: str = ""  # for people: what to run first, what the run is for
    license: str = ""  # of the tuned weights, for their card; "": the card names none

    @property
    def is_text(self) -> bool:
        """Whether the data are plain texts, learned whole."""
        return any(s.kind == "text" for s in self.data.sets)

    @property
    def kinds(self) -> set[str]:
        """The kinds of its sets, the files of `data.rows` among them."""
        return {s.kind for s in self.data.sets} | ({"rows"} if self.data.rows.strip() else set())

    def identity(self) -> str:
        """The hash of `deciding`."""
        return sha256_json(self.deciding())

    def deciding(self) -> dict:
        """What decides the weights beside data and base, which are known by their content, as JSON holds it.

        Logs, memory measures and the micro batch may change between slices.
        """
        values = json.loads(json.dumps(asdict(self)))
        for free in ("memory", "after", "license"):
            values.pop(free)
        values["train"].pop("micro_batch")
        values["model"].pop("base")
        for free in ("rows", "compare"):
            values["data"].pop(free)
        for one in values["data"]["sets"]:
            one.pop("path")
            if not one["context"]:  # younger than some runs
                one.pop("context")
        for free in ("log_every", "samples", "sample_tokens", "tensorboard"):
            values["watch"].pop(free)
        return values


SHARE = Range(0, 1)
RANGES: dict[type, dict[str, Range]] = {
    Shape: {
        **{n: Range(1) for n in ("hidden", "layers", "heads", "kv_heads", "ffn", "head_dim", "positions", "vocabulary")},
        "rope_theta": Range(0, above=True),
        "norm_epsilon": Range(0, 1, above=True),
    },
    Set: {"limit": Range(0), "share": Range(0, above=True)},
    Data: {"validation": Range(0)},
    Lora: {"rank": Range(1), "alpha": Range(1), "dropout": Range(0, 1, below=True)},
    Train: {
        "batch": Range(1, 1_000_000),
        "max_tokens": Range(2, 10_000_000),
        "learning_rate": Range(0, 1, above=True, below=True),
        "epochs": Range(0, 1_000_000),
        "steps": Range(0, 1_000_000_000),
        "micro_batch": Range(1),
        "least_rate": SHARE,
        "warmup_steps": Range(0),
        "warmup_share": SHARE,
        "beta1": Range(0, 1, below=True),
        "beta2": Range(0, 1, below=True),
        "weight_decay": Range(0, 1, below=True),
        "clip": Range(0, above=True),
    },
    Memory: {"loss_chunks": Range(1)},
    Watch: {"log_every": Range(1), "check_every": Range(1), "patience": Range(0), "samples": Range(0), "sample_tokens": Range(1)},
    TuneRecipe: {"seed": Range(0, 2**32 - 1)},
}
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # it names a folder
TEST = re.compile(r"(?i)(?<![a-z])test(s|set|ing|split)?(?![a-z])")


def load_tune_recipe(path: str | Path, overrides: Sequence[str] = ()) -> TuneRecipe:
    """Read a recipe; `overrides` are "train.epochs=1". Raises RecipeError or OSError."""
    problems: list[str] = []
    raw = read_recipe(path, overrides, problems)
    if "method" not in raw and "pretrain" in raw:
        raise RecipeError(f"{path} is a recipe of training.pretrain and training.sft: python -m training.pretrain --recipe {path}")
    recipe = build(TuneRecipe, raw, problems, ranges=RANGES)
    if recipe is not None:
        problems += _not_following_from(problems, recipe_problems(recipe, raw))
    refuse(path, problems)
    return recipe


def with_overrides(recipe: TuneRecipe, overrides: Sequence[str]) -> TuneRecipe:
    """A recipe changed by "train.steps=12" and the like. Raises RecipeError."""
    raw, written = json.loads(json.dumps(asdict(recipe))), {}
    problems = override_values(raw, overrides)
    override_values(written, overrides)
    changed = build(TuneRecipe, raw, problems, ranges=RANGES)
    if changed is not None:
        problems += _not_following_from(problems, recipe_problems(changed, written))
    refuse("--set", problems)
    return changed


def _not_following_from(problems: list[str], found: list[str]) -> list[str]:
    """`found` without what is only said because a section or the sets could not be read, and stand at their defaults."""
    told = " ".join(problem.removeprefix("missing key ").removeprefix("unknown key ").split(" ")[0] for problem in problems)
    untold = ("without a set of kind", "without rows, GSM8K", "data must name rows", "names a test split") if "data.sets" in told else ()
    untold += tuple(f"needs the section {name}" for name in ("lora", "quantization") if name in told)
    return [one for one in found if not any(part in one for part in untold)]


def recipe_problems(recipe: TuneRecipe, raw: dict) -> list[str]:
    """What is wrong with the values; `raw` tells which of them were written down."""
    problems = _without_effect(recipe, raw)
    if not NAME.fullmatch(recipe.name) or not recipe.name.strip("."):
        problems.append(f"name must be 1 to 64 letters, digits, _, . or -, not {recipe.name!r:.80}")
    model, data, train = recipe.model, recipe.data, recipe.train
    if bool(model.base) == bool(model.shape):
        problems.append("model needs either base (a hub name or a folder) or shape (a random start)")
    elif (recipe.method == "scratch") != bool(model.shape):
        problems.append("method: scratch goes with model.shape, and every other method with model.base")
    if (shape := model.shape) is not None:
        if shape.kv_heads > 0 and shape.heads % shape.kv_heads:
            problems.append(f"model.shape.heads {shape.heads} must be a multiple of kv_heads {shape.kv_heads}")
        if shape.head_dim % 2:
            problems.append(f"model.shape.head_dim {shape.head_dim} must be even: positions turn pairs of its values")
        if train.max_tokens > shape.positions:
            problems.append(f"train.max_tokens {train.max_tokens} exceeds model.shape.positions {shape.positions}")
    for name, wanted in (("lora", recipe.method in ("lora", "qlora")), ("quantization", recipe.method == "qlora")):
        if wanted != (getattr(recipe, name) is not None):
            problems.append(f"method: {recipe.method} {'needs' if wanted else 'has no use for'} the section {name}")
    if not data.rows.strip() and not data.sets:
        problems.append("data must name rows or sets")
    kinds = recipe.kinds
    if "text" in kinds and kinds != {"text"}:
        problems.append("data.sets mixes kind: text with others: texts are learned whole, in a run of their own")
    if "text" in kinds and not train.packing:
        problems.append("train.packing must be true for kind: text: documents are cut into rows of max_tokens")
    if (train.epochs > 0) == (train.steps > 0):
        problems.append("train needs either epochs or steps")
    if "text" in kinds and train.learn == "reply" and "learn" in _section(raw, "train"):
        problems.append("train.learn must be all for kind: text: a text has no reply")
    if "text" in kinds and train.epochs:
        problems.append("train.steps must say how long to train on a stream of texts, not epochs")
    if train.batch % train.micro_batch:
        problems.append(f"train.batch {train.batch} must be a multiple of micro_batch {train.micro_batch}")
    if train.warmup_steps and train.warmup_share:
        problems.append("train: write warmup_steps or warmup_share, not both")
    if "{answer}" not in data.answer_line:
        problems.append("data.answer_line must hold {answer}")
    if others := sorted(set(re.findall(r"\{(\w+)\}", data.answer_line)) - {"answer"}):
        problems.append(f"data.answer_line: nothing is put in the place of {{{'}, {'.join(others)}}}: only of {{answer}}")
    if recipe.lora is not None and not recipe.lora.targets:
        problems.append(f"lora.targets must name the layers that get an adapter, such as {', '.join(LINEAR_LAYERS)}")
    if recipe.lora is not None and len(set(recipe.lora.targets)) < len(recipe.lora.targets):
        problems.append("lora.targets names a layer twice")
    if recipe.watch.patience and not data.validation:
        problems.append("watch.patience needs data.validation: the loss of rows that are not trained on")
    if not model.end:
        problems.append("model.end must name the token that ends a reply, such as <|im_end|>")
    problems += [f"data.sets[{number}].path must name a file, or a set on the hub" for number, one in enumerate(data.sets) if not one.path.strip()]
    for number, one in enumerate(data.sets):
        named = {"split": one.split, "config": one.config, "path": Path(one.path).name}
        problems += [f"data.sets[{number}].{key} names a test split: never train or select on one" for key, name in named.items() if TEST.search(name)]
    problems += [f"data.rows: {path.strip()} names a test split: never train or select on one" for path in data.rows.split(",") if TEST.search(Path(path.strip()).name)]
    return problems


def is_local(path: str) -> bool:
    """A file rather than a set on the hub."""
    return path.endswith((".jsonl", ".jsonl.gz", ".parquet"))


def is_folder(base: str) -> bool:
    """A folder rather than a model on the hub, whether it is there or not."""
    return bool(base) and (base.startswith(("/", ".", "~")) or base.count("/") > 1 or Path(base).is_dir())


# Keys, where they do nothing, and why. What is written down there is refused, but for the default of a number or a text.
IDLE: tuple[tuple[tuple[str, ...], Callable[[TuneRecipe], bool], str], ...] = (
    (("train.least_rate",), lambda r: r.train.schedule != "cosine", "with schedule: {schedule}"),
    (("memory.offload_embedding",), lambda r: r.method in ("full", "scratch"), "with method: {method}, which trains the embedding"),
    (("memory.offload_activations",), lambda r: not r.memory.checkpointing, "with memory.checkpointing: false, which keeps them all"),
    (("model.revision",), lambda r: bool(r.model.shape), "with model.shape"),
    (("model.revision",), lambda r: is_folder(r.model.base), "on a folder: it names a commit of the hub"),
    (("watch.keep_best",), lambda r: not r.data.validation, "without data.validation"),
    (("watch.sample_tokens",), lambda r: not r.watch.samples, "with watch.samples: 0"),
    (("data.annotations",), lambda r: "gsm8k" not in r.kinds, "without a set of kind: gsm8k"),
    (("data.answer_line", "data.answers"), lambda r: not writes_answers(r), "without rows, GSM8K or pairs with answer_at"),
    (("data.system",), lambda r: r.is_text, "on texts"),
)
SETS = {  # what each kind of set reads, beside path and kind
    "rows": {"limit", "unique"},
    "gsm8k": {"limit", "unique"},  # its commit is pinned in mathtutor.sources
    "pairs": {"config", "split", "revision", "prompt", "context", "reply", "reasoning", "limit", "unique", "answer_at"},
    "messages": {"config", "split", "revision", "column", "reasoning", "limit", "unique"},
    "text": {"config", "split", "revision", "column", "share"},
}


def writes_answers(recipe: TuneRecipe) -> bool:
    """Whether any reply ends in `data.answer_line`: published pairs and messages keep their own words."""
    return bool(recipe.kinds & {"rows", "gsm8k"}) or any(one.answer_at for one in recipe.data.sets)


def _section(raw: dict, name: str) -> dict:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _without_effect(recipe: TuneRecipe, raw: dict) -> list[str]:
    """An option without effect is a misunderstanding that costs hours. `raw` tells what was written down."""
    problems = []
    for keys, idle, why in IDLE:
        for section, _, key in (name.partition(".") for name in keys if idle(recipe)):
            own = getattr(recipe, section)
            default = next(f.default for f in fields(own) if f.name == key)
            value = getattr(own, key)
            if key in _section(raw, section) and value and (value != default or value is True):
                problems.append(f"{section}.{key} has no effect {why.format(schedule=recipe.train.schedule, method=recipe.method)}: leave it out")
    for number, (one, written) in enumerate(zip(recipe.data.sets, _section(raw, "data").get("sets") or (), strict=False)):
        own = {"config", "split", "revision"} if is_local(one.path) and one.kind in ("pairs", "messages", "text") else set()
        idle = {f"kind: {one.kind}": written.keys() - {"path", "kind"} - SETS[one.kind], "a file": written.keys() & own}
        idle["a set with reasoning"] = written.keys() & {"answer_at"} if one.reasoning else set()
        problems += [f"data.sets[{number}].{key} has no effect on {what}" for what, keys in idle.items() for key in sorted(keys)]
    return problems
