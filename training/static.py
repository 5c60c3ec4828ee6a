"""Pocket in the browser, without any server: a folder of files that every static web server can hand out.

    npm ci --prefix browser                          # once: the two libraries that the page uses, pinned by browser/package-lock.json
    python -m training.static --out build/static     # or `make static`, which does both
    python -m http.server --directory build/static

The folder holds the page of `browser/`, the app's own style sheet, ONNX Runtime's WebAssembly, a tokenizer, and the
model's weights as ONNX in 16 bits: bfloat16 is what `training.export` ships, so every weight arrives in the browser
as it is in Python, to the last bit, at half the size. A graph of `Cast` nodes makes 32 bits of them once, while the
session is made. (The 8-bit file of `training.onnx` is a little smaller and decodes at a tenth of the speed there:
ONNX Runtime's WebAssembly has no fast kernel for it.)

`README.md` in the folder makes it a static Space of Hugging Face; its headers let the page use several threads.
Weights above MOST_WEIGHTS are refused: nobody waits for more on a phone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

from mathtutor.io import read_json, replace_folder, sha256_file, write_json
from mathtutor.strings import LANGUAGES, strings_of, unmarked
from training.onnx import plain_qwen3, write_whole

ROOT = Path(__file__).resolve().parents[1]
PAGE, STYLE = ROOT / "browser", ROOT / "assets" / "app.css"
POCKET = ROOT / "assets" / "models" / "pocket" / "tuned"
MOST_WEIGHTS = 40 * 10**6  # bytes
PAGE_FILES = ("*.html", "*.css", "*.js", "rules/*.js")
NAMED = re.compile(r"\bwords\.([A-Z_]+)|data-(?:words|label)=\"([A-Z_]+)\"")  # how the page names what it says
# file of a package -> its name in runtime/
RUNTIME = {
    "onnxruntime-web/dist/ort.wasm.min.mjs": "ort.wasm.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs": "ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
    "@huggingface/tokenizers/dist/tokenizers.min.mjs": "tokenizers.min.mjs",
    "@huggingface/tokenizers/LICENSE": "LICENSE-tokenizers.txt",
}
SPACE = """---
title: Show Your Work, in your browser
emoji: ✏️
colorFrom: blue
colorTo: indigo
sdk: static
app_file: index.html
license: apache-2.0
pinned: false
short_description: A tiny math tutor that runs in the page itself
custom_headers:
  cross-origin-embedder-policy: require-corp
  cross-origin-opener-policy: same-origin
  cross-origin-resource-policy: cross-origin
---

# Show Your Work, in your browser

Pocket, a language model of {millions:.1f} million parameters, solves grade-school word problems in this page: nothing that is typed
leaves it. It is often wrong. Made by `python -m training.static` from weights {revision}.

Page, rules and weights: Apache-2.0. `runtime/`: ONNX Runtime Web {ort} (MIT, Microsoft) and Tokenizers.js {tokenizers} (Apache-2.0,
Hugging Face).
"""


def in_16_bits(whole: Path, path: Path) -> None:
    """The ONNX file `whole` with its weights in bfloat16, made 32 bits again by the graph; refused where that would change one."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(whole)
    kept, casts = [], []
    for tensor in model.graph.initializer:
        bits = None
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            bits = numpy.ascontiguousarray(numpy_helper.to_array(tensor)).view(numpy.uint32)
            if (bits & 0xFFFF).any():
                raise SystemExit(f"{tensor.name} has weights that 16 bits do not hold: export the model by training.export first")
        if bits is None:
            kept.append(tensor)
            continue
        half = TensorProto(name=f"{tensor.name}.bf16", data_type=TensorProto.BFLOAT16, dims=tensor.dims)
        half.raw_data = (bits >> 16).astype("<u2").tobytes()
        kept.append(half)
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def packages() -> dict[str, str]:
    """The version of each package that is installed in browser/; ends the program where one is missing or not the pinned one."""
    lock = read_json(PAGE / "package-lock.json")["packages"]
    found = {}
    for name in ("onnxruntime-web", "@huggingface/tokenizers"):
        file = PAGE / "node_modules" / name / "package.json"
        wanted = lock[f"node_modules/{name}"]["version"]
        found[name] = read_json(file)["version"] if file.exists() else None
        if found[name] != wanted:
            raise SystemExit(f"{name} {wanted} is not installed: run `npm ci --prefix browser` first")
    return found


def words_named() -> list[str]:
    """The names of assets/words that the page says."""
    files = [file for pattern in PAGE_FILES for file in PAGE.glob(pattern)]
    return sorted({"".join(found) for file in files for found in NAMED.findall(file.read_text(encoding="utf-8"))})


def words() -> str:
    """words.js: what the page says, in every language."""
    said = {language: {name: getattr(strings_of(language), name) for name in words_named()} for language in LANGUAGES}
    whole = unmarked(json.dumps(said, ensure_ascii=False, indent=1))  # this page makes no elements of English parts
    return f"/* By training.static, from assets/words. */\nexport const WORDS = {whole};\n"


def write(model: Path, out: Path) -> dict[str, int]:
    """Write the folder, which appears whole; the bytes of each part of it."""
    versions = packages()
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    for part in ("rules", "runtime", "model"):
        (temporary / part).mkdir(parents=True)
    for pattern in PAGE_FILES:
        for file in PAGE.glob(pattern):
            shutil.copy(file, temporary / file.relative_to(PAGE))
    (temporary / "words.js").write_text(words(), encoding="utf-8")
    shutil.copy(STYLE, temporary / STYLE.name)
    for file, name in RUNTIME.items():
        shutil.copy(PAGE / "node_modules" / file, temporary / "runtime" / name)
    loaded = plain_qwen3(model)
    whole = temporary / "whole.onnx"
    write_whole(loaded, whole)
    in_16_bits(whole, temporary / "model" / "model.onnx")
    whole.unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, temporary / "model" / name)
    weights = (temporary / "model" / "model.onnx").stat().st_size
    if weights > MOST_WEIGHTS:
        shutil.rmtree(temporary)
        raise SystemExit(f"{model} takes {weights / 1e6:.1f} MB as weights of the page, more than {MOST_WEIGHTS / 1e6:.0f} MB")
    # What the progress bar counts: a server that compresses does not say how long a file is.
    fetched = ("runtime/ort-wasm-simd-threaded.wasm", "model/model.onnx", "model/tokenizer.json")
    write_json(temporary / "model" / "sizes.json", {name: (temporary / name).stat().st_size for name in fetched})
    (temporary / "README.md").write_text(
        SPACE.format(
            millions=sum(p.numel() for p in loaded.parameters()) / 1e6, revision=sha256_file(model / "model.safetensors")[:16],
            ort=versions["onnxruntime-web"], tokenizers=versions["@huggingface/tokenizers"],
        ),
        encoding="utf-8",
    )  # fmt: skip
    (temporary / ".nojekyll").touch()  # GitHub Pages hands out every file as it is
    replace_folder(temporary, out)
    every = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    runtime = sum(file.stat().st_size for file in (out / "runtime").iterdir())
    return {"all": every, "weights": weights, "runtime": runtime, "page": every - weights - runtime}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=POCKET, help="a model folder of training.export (default: the shipped Pocket)")
    parser.add_argument("--out", type=Path, default=Path("build/static"), help="the folder that is written (default: build/static)")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        sizes = write(args.model, args.out)
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[export]'") from error
    print(f"{args.out}: " + ", ".join(f"{size / 1e6:.1f} MB {part}" for part, size in sizes.items()))
    print(f"python -m http.server --directory {args.out}   # then open http://127.0.0.1:8000")


if __name__ == "__main__":
    main()
