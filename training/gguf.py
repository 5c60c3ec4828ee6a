"""A Qwen3 as one GGUF file, for llama.cpp and what is built on it; checked against the original.

    python -m training.gguf --model assets/models/pocket/tuned --out runs/pocket.gguf
    python -m training.gguf --model assets/models/pocket/tuned --out runs/pocket-q8.gguf --type q8_0 --check 1000

Weights, tokenizer, chat template and generation settings go in. Every tensor is read back and compared with
the weights it was made of: bit for bit, or for q8_0 within half a step of its block. `--check N` then lets
llama.cpp (the package xllamacpp) answer N problems of the bank greedily, without the calculator, and lists
every reply that is not the original's; so does the record.

llama.cpp does not bring text to Unicode's form NFC as the tokenizer does: letters with accents that come as
two characters are cut otherwise there.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer

from mathtutor.chat import conversation, render_conversation
from mathtutor.io import hash_of_weights, sync_folder, write_json
from training.parity import Original, bank_problems, compare, need_model, told
from training.tokenizer import QWEN_SPLIT

TYPES = ("f32", "bf16", "f16", "q8_0")
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
CONTROL, USER_DEFINED, NORMAL, UNUSED = 3, 4, 1, 5  # gguf's token types


def gguf_name(name: str) -> str:
    """`model.layers.3.mlp.up_proj.weight` is `blk.3.ffn_up.weight` in a GGUF file."""
    stem = name.removesuffix(".weight")
    layer = ""
    if stem.startswith("model.layers."):
        number, _, stem = stem.removeprefix("model.layers.").partition(".")
        layer = f"blk.{number}."
    if stem not in NAMES or not name.endswith(".weight"):
        raise SystemExit(f"{name} is no tensor of a plain Qwen3: only that architecture is exported")
    return f"{layer}{NAMES[stem]}.weight"


def tensors_of(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of all the folder's safetensors, one in memory at a time, in the order of the files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise SystemExit(f"{folder} holds no .safetensors: name a model folder with --model")
    for file in files:
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118  (it is no dictionary)
                yield name, weights.get_tensor(name)


def plan_of(folder: Path, kind: str, tied: bool) -> Iterator[tuple[str, np.ndarray, object]]:
    """(GGUF name, float32 values, gguf type) of each tensor that goes in.

    Norms stay in 32 bits, as llama.cpp wants them; a row that q8_0's blocks of 32 do not fit stays in 16.
    """
    from gguf import GGMLQuantizationType as Kinds

    wanted = {"f32": Kinds.F32, "bf16": Kinds.BF16, "f16": Kinds.F16, "q8_0": Kinds.Q8_0}[kind]
    for name, tensor in tensors_of(folder):
        if tied and name == "lm_head.weight":
            continue  # it is the embedding
        own = Kinds.F32 if tensor.dim() == 1 else wanted
        if own is Kinds.Q8_0 and tensor.shape[-1] % 32:
            own = Kinds.F16
        yield gguf_name(name), tensor.float().numpy(), own


def vocabulary_of(tokenizer, size: int) -> tuple[list[str], list[int], list[str]]:
    """(pieces, their types, merges); the model's rows beyond the tokenizer's are unused pieces."""
    inside = json.loads(tokenizer.backend_tokenizer.to_str())
    parts = inside["pre_tokenizer"] or {}
    splits = [part.get("pattern", {}).get("Regex") for part in parts.get("pretokenizers", [parts])]
    if inside["model"]["type"] != "BPE" or QWEN_SPLIT not in splits:
        raise SystemExit("this tokenizer does not split text as Qwen's does: only that kind is exported")
    added = {token["id"]: token for token in inside["added_tokens"]}
    by_id = {index: piece for piece, index in inside["model"]["vocab"].items()}
    pieces, types = [], []
    for index in range(size):
        if index in added:
            pieces.append(added[index]["content"])
            types.append(CONTROL if added[index]["special"] else USER_DEFINED)
        else:
            pieces.append(by_id.get(index, f"[PAD{index}]"))
            types.append(NORMAL if index in by_id else UNUSED)
    merges = inside["model"]["merges"]
    return pieces, types, [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]


def describe(writer, config, tokenizer, name: str, kind: str) -> None:
    """All that a GGUF file says beside its tensors."""
    from gguf import LlamaFileType

    writer.add_type("model")
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    kinds = {"f32": "ALL_F32", "bf16": "MOSTLY_BF16", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}
    writer.add_file_type(LlamaFileType[kinds[kind]])
    pieces, types, merges = vocabulary_of(tokenizer, config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def check_architecture(config, name: str | Path) -> None:
    """Raises ValueError for a model that is no plain Qwen3."""
    if config.model_type != "qwen3":
        raise ValueError(f"{name} is a {config.model_type}: only qwen3 is exported")
    if config.attention_bias or (config.rope_parameters or {}).get("rope_type", "default") != "default":
        raise ValueError(f"{name} has attention biases or scaled positions: only the plain Qwen3 is exported")


def convert(folder: Path, target: Path, kind: str, name: str) -> None:
    """Write the GGUF file of the model `name`, onto the disk. One tensor is in memory at a time."""
    from gguf import GGUFWriter
    from gguf.quants import quant_shape_to_byte_shape, quantize

    config = AutoConfig.from_pretrained(folder)
    check_architecture(config, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    writer = GGUFWriter(target, "qwen3")
    describe(writer, config, tokenizer, name, kind)
    for tensor, values, own in plan_of(folder, kind, config.tie_word_embeddings):
        shape = quant_shape_to_byte_shape(values.shape, own) if own.name in ("Q8_0", "BF16") else values.shape
        number = np.dtype({"F32": np.float32, "F16": np.float16}.get(own.name, np.uint8))
        writer.add_tensor_info(tensor, shape, number, int(np.prod(shape)) * number.itemsize, own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, values, own in plan_of(folder, kind, config.tie_word_embeddings):
        writer.write_tensor_data(quantize(values, own))
    writer.close()
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def read_back(folder: Path, target: Path, kind: str) -> dict:
    """Compare every tensor of the file with the model's. Ends with a sentence at the first that is wrong."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    stored = {tensor.name: tensor for tensor in GGUFReader(target).tensors}
    exact = rounded = 0
    for name, values, own in plan_of(folder, kind, AutoConfig.from_pretrained(folder).tie_word_embeddings):
        tensor = stored.pop(name, None)
        if tensor is None or tensor.tensor_type != own or tuple(reversed(tensor.shape.tolist())) != values.shape:
            raise SystemExit(f"{target} lacks {name} of shape {values.shape}: the file is damaged, export it again")
        found = dequantize(tensor.data, own).reshape(values.shape)
        source = torch.from_numpy(values)
        if own.name == "Q8_0":
            blocks = np.abs(values).reshape(-1, 32).max(-1, keepdims=True)
            # Half a step of the block, and the rounding of its scale to 16 bits, up to 127 steps away. The 16 bits of
            # a very small scale, of a token that was hardly ever seen say, are 2^-24 apart, and end in zero.
            allowed = blocks * (0.5 / 127) + np.maximum(blocks * 2.0**-11, 127 * 2.0**-25) + 1e-7
            fits = (np.abs(found - values).reshape(-1, 32) <= allowed).all()
            rounded += 1
        else:
            number = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}[own.name]
            fits = torch.equal(torch.from_numpy(found.copy()), source.to(number).float())
            exact += 1
        if not fits:
            raise SystemExit(f"{target}: {name} does not hold the model's values: export it again")
    if stored:
        raise SystemExit(f"{target} holds tensors that the model has not: {', '.join(stored)}")
    return {"tensors bit for bit": exact, "tensors within half a step": rounded}


def export_gguf(folder: Path, target: Path, kind: str) -> dict:
    """Write the file, compare every tensor, print what was found; the record of it. Ends with a sentence when it cannot be done.

    The file appears when all of it has been compared: one that is wrong never stands there.
    """
    need_model(folder)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        convert(folder, temporary, kind, target.stem)
        record = {"weights": hash_of_weights(folder), "type": kind, "bytes": temporary.stat().st_size} | read_back(folder, temporary, kind)
        os.replace(temporary, target)
        sync_folder(target.parent)
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[export]'") from error
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder} cannot be exported: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{target}: {record['bytes'] / 1e6:.1f} MB; " + ", ".join(f"{v} {k}" for k, v in record.items() if k.startswith("tensors")))
    return record


class LlamaCpp:
    """llama.cpp with one model, in this process; asked over its own HTTP server on the loopback."""

    def __init__(self, file: Path, max_tokens: int):
        try:
            import xllamacpp
        except ImportError as error:
            raise SystemExit("--check needs llama.cpp: pip install -e '.[export]'") from error
        from importlib.metadata import version

        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel, params.warmup = 2048, 1, False
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
        params.port, params.verbosity = 0, -1
        self._max_tokens, self._server = max_tokens, xllamacpp.Server(params)
        self.version = f"xllamacpp {version('xllamacpp')}"

    def ask(self, path: str, request: dict) -> dict:
        body = json.dumps(request).encode()
        sent = urllib.request.Request(self._server.listening_address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(sent, timeout=600) as answer:
            return json.load(answer)

    def tokens(self, text: str) -> list[int]:
        """How llama.cpp itself cuts a text, control tokens included."""
        return self.ask("/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]

    def reply(self, ids: list[int]) -> list[int]:
        """Its greedy reply to a prompt of token ids."""
        request = {
            "prompt": ids, "n_predict": self._max_tokens, "samplers": ["top_k"], "top_k": 1,  # no sampler at all would draw
            "cache_prompt": False, "return_tokens": True,
        }  # fmt: skip
        return self.ask("/completion", request)["tokens"]


def check(folder: Path, target: Path, count: int, max_tokens: int) -> dict:
    """llama.cpp's replies, and how it cuts the prompts, beside the original's."""
    original, llama = Original(folder, max_tokens, calculator=False), LlamaCpp(target, max_tokens)
    problems = bank_problems(count)
    end = original.tokenizer.eos_token_id

    def player(ids: list[int]) -> list[int]:
        reply = llama.reply(ids)
        return reply[: reply.index(end)] if end in reply else reply

    cut = [p for p in problems if llama.tokens(render_conversation(conversation(p))) != original.prompt(p)]
    return {"by": llama.version, "prompts cut otherwise": cut} | compare(original, problems, player)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model folder (config.json, *.safetensors, tokenizer.json)")
    parser.add_argument("--out", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--type", choices=TYPES, default="bf16", help="of the matrices (default: bf16)")
    parser.add_argument("--check", type=int, default=0, metavar="N", help="let llama.cpp answer N problems of the bank")
    parser.add_argument("--max-tokens", type=int, default=320, help="of a checked reply (default: 320)")
    parser.add_argument("--record", type=Path, help="where the record goes (default: beside the file, ending .json)")
    args = parser.parse_args()
    if args.check < 0 or args.max_tokens < 1:
        parser.error("--check must be 0 or more, --max-tokens 1 or more")
    if not args.check and args.max_tokens != parser.get_default("max_tokens"):
        parser.error("--max-tokens is for --check")
    record_path = args.record or args.out.with_suffix(".json")
    if args.out.suffix != ".gguf" or args.out.is_dir():
        parser.error(f"--out {args.out} must name a file that ends in .gguf")
    if record_path.suffix != ".json" or record_path.is_dir():
        parser.error(f"--record {record_path} must name a file that ends in .json")
    record = {"command": "python -m training.gguf " + shlex.join(sys.argv[1:])} | export_gguf(args.model, args.out, args.type)
    if args.check:
        record["llama.cpp"] = check(args.model, args.out, args.check, args.max_tokens)
        print(f"llama.cpp: {told(record['llama.cpp'])}; {len(record['llama.cpp']['prompts cut otherwise'])} prompts cut otherwise")
    write_json(record_path, record)


if __name__ == "__main__":
    main()
