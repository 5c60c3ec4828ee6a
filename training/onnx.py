"""A small Qwen3 as ONNX, in 32 and in 8 bits, for browsers and for ONNX Runtime; checked against the original.

    python -m training.onnx --model assets/models/pocket/tuned --out runs/pocket-onnx
    python -m training.onnx --model assets/models/pocket/tuned --out runs/pocket-onnx --check 1000

writes what transformers.js looks for: `onnx/model.onnx`, `onnx/model_quantized.onnx` (the matrices in 8 bits, a
scale for each 32 weights; the embedding and all sums in 32 bits; ONNX Runtime from 1.22 on) and the tokenizer,
template and configuration beside them. Inputs and outputs, for b rows with t new tokens after p old ones:

    input_ids (b, t)   attention_mask (b, p + t)   position_ids (b, t)
    past_key_values.I.key, .value (b, kv heads, p, head size)        logits (b, t, vocabulary)
    present.I.key, .value (b, kv heads, p + t, head size)

`--check N` lets both files answer N problems of the bank greedily, with the calculator, through the same code
that steers every other engine's replies, and lists each that is not the original's. Weights of more than 2 GB do
not fit into one ONNX file: larger models go to GGUF.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import shutil
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.nn.functional import linear, silu
from transformers import AutoTokenizer, Qwen3ForCausalLM

from mathtutor.chat import END
from mathtutor.engines import Sampling
from mathtutor.engines.rows import Row, Rules, draw
from mathtutor.io import hash_of_weights, replace_folder, write_json
from training.parity import Original, bank_problems, compare, need_model, told

FILES = {"32 bits": "onnx/model.onnx", "8 bits": "onnx/model_quantized.onnx"}
MOST_BYTES = 2 * 10**9  # of one ONNX file


class Decoder(torch.nn.Module):
    """Qwen3's forward pass in plain operations that every ONNX runtime has, with keys and values going in and out."""

    def __init__(self, model: Qwen3ForCausalLM):
        super().__init__()
        self.model, config = model, model.config
        self.heads, self.kv, self.size = config.num_attention_heads, config.num_key_value_heads, config.head_dim

    def turned(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """(b, heads, t, size), each pair of values turned by its place."""
        first, second = x.chunk(2, -1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)

    def forward(self, input_ids, attention_mask, position_ids, past):
        """(logits, keys and values of layer 0, 1, ...), a flat tuple. `past`: those of the tokens before, flat too."""
        core, (batch, new) = self.model.model, input_ids.shape
        angles = position_ids[:, None, :, None].float() * core.rotary_emb.inv_freq
        cos, sin = angles.cos(), angles.sin()
        total = attention_mask.shape[1]
        own = torch.arange(total - new, total)[:, None]
        seen = (torch.arange(total)[None, :] <= own)[None, None] & attention_mask[:, None, None, :].bool()
        bias = torch.where(seen, 0.0, -1e9)  # (b, 1, t, p + t)
        x, present = core.embed_tokens(input_ids), []
        for index, layer in enumerate(core.layers):
            part, h = layer.self_attn, layer.input_layernorm(x)
            q = part.q_norm(part.q_proj(h).view(batch, new, self.heads, self.size)).transpose(1, 2)
            k = part.k_norm(part.k_proj(h).view(batch, new, self.kv, self.size)).transpose(1, 2)
            v = part.v_proj(h).view(batch, new, self.kv, self.size).transpose(1, 2)
            k = torch.cat((past[2 * index], self.turned(k, cos, sin)), 2)
            v = torch.cat((past[2 * index + 1], v), 2)
            present += [k, v]
            # The queries that share keys are rows of one product: nothing is repeated.
            grouped = self.turned(q, cos, sin).reshape(batch, self.kv, -1, new, self.size)
            scores = grouped @ k[:, :, None].transpose(-1, -2) * self.size**-0.5 + bias[:, None]
            mixed = (scores.softmax(-1) @ v[:, :, None]).reshape(batch, self.heads, new, self.size)
            x = x + part.o_proj(mixed.transpose(1, 2).reshape(batch, new, -1))
            h = layer.post_attention_layernorm(x)
            x = x + layer.mlp.down_proj(silu(layer.mlp.gate_proj(h)) * layer.mlp.up_proj(h))
        return (linear(core.norm(x), self.model.lm_head.weight), *present)


def cache_names(layers: int, kind: str) -> list[str]:
    """Names of the keys and values, `kind` "past_key_values" or "present"."""
    return [f"{kind}.{index}.{part}" for index in range(layers) for part in ("key", "value")]


def plain_qwen3(folder: Path) -> Qwen3ForCausalLM:
    """The model in `folder` in 32 bits; ends the program with a sentence where it is nothing that can be exported."""
    try:
        model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder} cannot be loaded: {error}") from error
    config = model.config
    if config.model_type != "qwen3" or config.attention_bias or config.rope_parameters.get("rope_type") != "default":
        raise SystemExit(f"{folder} is no plain Qwen3: only that architecture is exported")
    if (size := sum(p.numel() * 4 for p in model.parameters())) > MOST_BYTES:
        raise SystemExit(f"{folder} has {size / 1e9:.1f} GB in 32 bits, more than one ONNX file holds: use training.gguf")
    return model


@contextmanager
def _quietly():
    """The exporter tells of packages that are not needed."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def write_whole(model: Qwen3ForCausalLM, path: Path) -> None:
    """`model` as one ONNX file in 32 bits."""
    config = model.config
    layers, batch, new, old = config.num_hidden_layers, 2, 3, 5
    past = [torch.zeros(batch, config.num_key_value_heads, old, config.head_dim) for _ in range(2 * layers)]
    places = torch.arange(old, old + new).expand(batch, -1)
    inputs = (torch.ones(batch, new, dtype=torch.long), torch.ones(batch, old + new, dtype=torch.long), places, past)
    any_size = torch.export.Dim.DYNAMIC
    grows = {0: any_size, 1: any_size}
    with _quietly():
        program = torch.onnx.export(
            Decoder(model).eval(),
            inputs,
            input_names=["input_ids", "attention_mask", "position_ids", *cache_names(layers, "past_key_values")],
            output_names=["logits", *cache_names(layers, "present")],
            dynamic_shapes=(grows, grows, grows, [{0: any_size, 2: any_size}] * len(past)),
            opset_version=18,  # what the runtimes of browsers have
            dynamo=True,
            verbose=False,
        )
        program.save(path, external_data=False)


def convert(folder: Path, target: Path) -> None:
    """Write `target`/onnx/ and the files beside it; the folder appears whole."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    model = plain_qwen3(folder)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "onnx").mkdir(parents=True)
    write_whole(model, temporary / FILES["32 bits"])
    with _quietly():
        # Weights alone: with activations in 8 bits too, one reply in six of Pocket's was another (docs/LAB.md, 2026-11-29).
        whole = onnx.load(temporary / FILES["32 bits"])
        quantizer = MatMulNBitsQuantizer(whole, bits=8, block_size=32, is_symmetric=True)
        quantizer.process()
        quantizer.model.save_model_to_file(str(temporary / FILES["8 bits"]), False)
    model.config.save_pretrained(temporary)
    model.generation_config.save_pretrained(temporary)
    AutoTokenizer.from_pretrained(folder).save_pretrained(temporary)
    replace_folder(temporary, target)


def not_ours(target: Path) -> str:
    """Why a folder is not replaced: it holds something else than an export. "" for a new or empty one, or one of ours."""
    if not target.exists():
        return ""
    if not target.is_dir():
        return "is a file"
    found = {path.name for path in target.iterdir()}
    if found and ("onnx" not in found or any(name.endswith(".safetensors") for name in found)):
        return "holds other files"
    return ""


class OnnxModel:
    """One file in ONNX Runtime on the processor, decoding one reply at a time."""

    def __init__(self, folder: Path, file: str, sampling: Sampling):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as for OpenMP: training/run.py
        self._session = onnxruntime.InferenceSession(folder / file, options, ["CPUExecutionProvider"])
        self._past = {i.name: i.shape for i in self._session.get_inputs() if i.name.startswith("past_key_values")}
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._sampling, self._ends = sampling, {tokenizer.convert_tokens_to_ids(END)}
        self._rules = Rules(tokenizer, self._ends, len(tokenizer))

    def scores(self, ids: list[int], place: int, past: dict) -> tuple[torch.Tensor, dict]:
        """(scores after the last of `ids` (vocabulary,), the cache after them); `place` tokens are in `past`."""
        import numpy

        feeds = {
            "input_ids": numpy.array([ids]),
            "attention_mask": numpy.ones((1, place + len(ids)), numpy.int64),
            "position_ids": numpy.arange(place, place + len(ids))[None],
        }
        logits, *present = self._session.run(None, feeds | past)
        return torch.from_numpy(logits[0, -1]), dict(zip(self._past, present, strict=True))

    def reply(self, ids: list[int]) -> list[int]:
        """The greedy reply's ids, its end left out."""
        import numpy

        row = Row(self._rules, self._sampling, prompt=ids)
        past = {name: numpy.zeros((1, shape[1], 0, shape[3]), numpy.float32) for name, shape in self._past.items()}
        scores, past = self.scores(ids, 0, past)
        while True:
            scores = scores.clone()
            row.steer(scores)
            (token,) = draw(scores[None], self._sampling, [row])
            row.take(token)
            if row.finish is not None:
                return row.ids
            scores, past = self.scores([token], len(ids) + len(row.ids) - 1, past)


def check(folder: Path, target: Path, count: int, max_tokens: int, calculator: bool) -> dict:
    """Both files' replies beside the original's."""
    original, problems = Original(folder, max_tokens, calculator), bank_problems(count)
    return {
        name: compare(original, problems, OnnxModel(target, file, original.sampling).reply)
        for name, file in FILES.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model folder (config.json, *.safetensors, tokenizer.json)")
    parser.add_argument("--out", type=Path, required=True, help="the folder that gets onnx/ and the tokenizer")
    parser.add_argument("--check", type=int, default=0, metavar="N", help="compare the replies to N problems of the bank")
    parser.add_argument("--max-tokens", type=int, default=320, help="of a checked reply (default: 320)")
    parser.add_argument("--no-calculator", action="store_true", help="check without the calculator")
    parser.add_argument("--record", type=Path, help="where the record goes (default: OUT/export.json)")
    args = parser.parse_args()
    if args.check < 0 or args.max_tokens < 1:
        parser.error("--check must be 0 or more, --max-tokens 1 or more")
    if not args.check and (args.no_calculator or args.max_tokens != parser.get_default("max_tokens")):
        parser.error("--max-tokens and --no-calculator are for --check")
    need_model(args.model)
    if reason := not_ours(args.out):
        parser.error(f"--out {args.out} {reason}, and would be replaced whole: name a new folder, or one that this command made")
    try:
        convert(args.model, args.out.absolute())
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[export]'") from error
    except OSError as error:
        raise SystemExit(f"{args.out} cannot be written: {error}") from error
    record = {"command": "python -m training.onnx " + shlex.join(sys.argv[1:]), "weights": hash_of_weights(args.model)}
    record["bytes"] = {name: (args.out / file).stat().st_size for name, file in FILES.items()}
    print(f"{args.out}: " + ", ".join(f"{size / 1e6:.1f} MB in {name}" for name, size in record["bytes"].items()))
    if args.check:
        record["replies"] = check(args.model, args.out, args.check, args.max_tokens, not args.no_calculator)
        for name, found in record["replies"].items():
            print(f"{name}: {told(found)}")
    write_json(args.record or args.out / "export.json", record)


if __name__ == "__main__":
    main()
