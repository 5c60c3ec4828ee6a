"""Exports are the model they were made of: tensor by tensor, token by token, reply by reply."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

pytest.importorskip("gguf", reason="pip install -e '.[export]'")
pytest.importorskip("onnxruntime", reason="pip install -e '.[export]'")

from mathtutor.chat import conversation, encode_conversation  # noqa: E402
from mathtutor.engines import Sampling  # noqa: E402
from mathtutor.io import hash_of_weights, read_json, write_json, write_rows  # noqa: E402
from training import export, gguf, onnx, parity  # noqa: E402

PROBLEM = "Ana has 3 boxes with 12 pencils each. She gives away 7. How many are left?"


def call(module, monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
    module.main()


# --- what both are compared by


def test_the_problems_are_of_training_families_and_always_the_same():
    problems = parity.bank_problems(30)
    assert problems == parity.bank_problems(30) and len(set(problems)) == 30


def test_every_reply_that_differs_is_listed_with_its_margin(tiny_model_folder):
    original = parity.Original(tiny_model_folder, max_tokens=6, calculator=False)
    problems = parity.bank_problems(3)
    right = [original.tokenizer.encode(reply.text, add_special_tokens=False) for reply in original.replies(problems)]
    wrong = [ids[:2] + [7] for ids in right]
    answers = {tuple(original.prompt(p)): ids for p, ids in zip(problems, [wrong[0], *right[1:]], strict=True)}
    record = parity.compare(original, problems, lambda ids: answers[tuple(ids)])
    assert record["same reply"] == 2 and [row["problem"] for row in record["different"]] == [problems[0]]
    assert record["different"][0]["margin"] is not None
    assert "2 of 3 replies are the same text" in parity.told(record)


# --- GGUF


@pytest.mark.parametrize("kind", gguf.TYPES)
def test_every_tensor_comes_back_from_the_gguf_file(tiny_model_folder, tmp_path, monkeypatch, kind):
    call(gguf, monkeypatch, "--model", tiny_model_folder, "--out", tmp_path / "tiny.gguf", "--type", kind)
    from gguf import GGUFReader

    stored = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "tiny.gguf").tensors}
    weights = load_file(tiny_model_folder / "model.safetensors")
    assert len(stored) == len(weights)
    record = read_json(tmp_path / "tiny.json")
    assert record["type"] == kind and record["weights"] == hash_of_weights(tiny_model_folder)
    norm = stored["blk.1.attn_q_norm.weight"].data
    assert np.array_equal(norm, weights["model.layers.1.self_attn.q_norm.weight"].float().numpy())
    assert stored["blk.0.ffn_up.weight"].tensor_type.name == kind.upper()


@pytest.mark.parametrize("kind", ["bf16", "q8_0"])
def test_a_file_with_one_other_value_is_refused(tiny_model_folder, tmp_path, kind):
    gguf.convert(tiny_model_folder, tmp_path / "tiny.gguf", kind, "tiny")
    other = tmp_path / "other"
    shutil.copytree(tiny_model_folder, other)
    weights = load_file(other / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][3, 5] += 0.01
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(SystemExit, match="blk.0.ffn_up.weight does not hold the model's values"):
        gguf.read_back(other, tmp_path / "tiny.gguf", kind)


def with_small_rows(source, folder):
    """The model, its embedding's first rows as small as those of tokens that were never seen, down to zero."""
    shutil.copytree(source, folder)
    weights = load_file(folder / "model.safetensors")
    rows = weights["model.embed_tokens.weight"]
    for row, size in enumerate((1e-3, 1e-4, 3e-6, 1e-7, 0.0)):
        rows[row] = torch.linspace(-size, size, rows.shape[1])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_rows_too_small_for_sixteen_bits_of_scale_are_no_fault(tiny_model_folder, tmp_path):
    record = gguf.export_gguf(with_small_rows(tiny_model_folder, tmp_path / "m"), tmp_path / "m.gguf", "q8_0")
    assert record["tensors within half a step"] > 0


def test_a_file_that_is_wrong_never_stands_there(tiny_model_folder, tmp_path, monkeypatch):
    (tmp_path / "tiny.gguf").write_text("the one before")
    monkeypatch.setattr(gguf, "read_back", lambda *_: sys.exit("it is wrong"))
    with pytest.raises(SystemExit, match="it is wrong"):
        gguf.export_gguf(tiny_model_folder, tmp_path / "tiny.gguf", "f32")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf"] and (tmp_path / "tiny.gguf").read_text() == "the one before"


def test_an_untied_head_is_exported_and_a_larger_embedding_gets_unused_pieces(tiny_model_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
    model.resize_token_embeddings(len(tokenizer) + 8)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone() + 1)
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    gguf.convert(tmp_path / "m", tmp_path / "m.gguf", "f32", "m")
    assert gguf.read_back(tmp_path / "m", tmp_path / "m.gguf", "f32")["tensors bit for bit"] == 3 + 2 * 11
    pieces, types, _ = gguf.vocabulary_of(tokenizer, len(tokenizer) + 8)
    assert pieces[-1] == f"[PAD{len(tokenizer) + 7}]" and types[-8:] == [gguf.UNUSED] * 8
    assert types[tokenizer.convert_tokens_to_ids("<think>")] == gguf.USER_DEFINED
    assert types[tokenizer.convert_tokens_to_ids("<|im_end|>")] == gguf.CONTROL


def test_llama_cpp_cuts_and_answers_as_the_original_does(tiny_model_folder, tmp_path):
    pytest.importorskip("xllamacpp", reason="pip install -e '.[export]'")
    gguf.convert(tiny_model_folder, tmp_path / "tiny.gguf", "f32", "tiny")
    record = gguf.check(tiny_model_folder, tmp_path / "tiny.gguf", 3, 12)
    assert record["prompts cut otherwise"] == []
    assert record["same reply"] == 3, record["different"]


def foreign(tmp_path, source, **changes):
    shutil.copytree(source, tmp_path / "foreign")
    config = read_json(tmp_path / "foreign" / "config.json") | changes
    (tmp_path / "foreign" / "config.json").write_text(json.dumps(config))
    return tmp_path / "foreign"


REFUSED = [
    (gguf, {"model_type": "llama"}, "is a llama: only qwen3 is exported"),
    (gguf, {"attention_bias": True}, "attention biases or scaled positions"),
    (onnx, {"attention_bias": True}, "is no plain Qwen3"),
]


@pytest.mark.parametrize(("module", "changes", "says"), REFUSED)
def test_another_architecture_is_refused_with_a_sentence(tiny_model_folder, tmp_path, module, changes, says):
    with pytest.raises((SystemExit, ValueError), match=says):
        module.convert(foreign(tmp_path, tiny_model_folder, **changes), tmp_path / "out", *(["f32", "m"] if module is gguf else []))
    assert not (tmp_path / "out").exists()


WRONG = [  # (command, --model, --out, more, what it says)
    (gguf, "nowhere", "out.gguf", [], "nowhere is no model folder"),
    (gguf, "nowhere", "out.gguf", ["--check", "-1"], "--check must be 0 or more"),
    (gguf, "nowhere", "out", [], "must name a file that ends in .gguf"),
    (gguf, "nowhere", "out.json", [], "must name a file that ends in .gguf"),  # its record would replace it
    (gguf, "nowhere", "out.gguf", ["--record", "."], "must name a file that ends in .json"),
    (gguf, "nowhere", "out.gguf", ["--max-tokens", "9"], "--max-tokens is for --check"),
    (onnx, "nowhere", "out", ["--no-calculator"], "are for --check"),
    (onnx, "nowhere", "out", [], "nowhere is no model folder"),
    (onnx, "nowhere", "out", ["--check", "-1"], "--check must be 0 or more"),
]


@pytest.mark.parametrize(("module", "model", "out", "more", "says"), WRONG)
def test_a_wrong_call_stops_with_a_sentence(tmp_path, monkeypatch, capsys, module, model, out, more, says):
    with pytest.raises(SystemExit) as stopped:
        call(module, monkeypatch, "--model", model, "--out", tmp_path / out, *more)
    assert says in str(stopped.value) + capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [["notes.txt"], ["onnx", "model.safetensors"]])
def test_an_export_never_replaces_a_folder_of_something_else(tiny_model_folder, tmp_path, monkeypatch, capsys, there):
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        call(onnx, monkeypatch, "--model", tiny_model_folder, "--out", tmp_path)
    assert "holds other files, and would be replaced whole" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(there)


# --- ONNX


@pytest.fixture(scope="module")
def exported(tiny_model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "tiny"
    onnx.convert(tiny_model_folder, folder)
    return folder


def test_the_onnx_model_scores_as_the_original_in_rows_of_any_length(exported, tiny_model_folder):
    import onnxruntime

    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder).eval()
    session = onnxruntime.InferenceSession(exported / onnx.FILES["32 bits"], providers=["CPUExecutionProvider"])
    caches = [i for i in session.get_inputs() if i.name.startswith("past")]
    torch.manual_seed(3)
    ids = torch.randint(0, 600, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, :4] = mask[2, :7] = 0  # padded on the left
    places = (mask.cumsum(-1) - 1).clamp_min(0)
    with torch.no_grad():
        wanted = model(input_ids=ids, attention_mask=mask, position_ids=places).logits.numpy()
    past = {i.name: np.zeros((3, i.shape[1], 0, i.shape[3]), np.float32) for i in caches}
    for start, end in ((0, 6), (6, 7), (7, 9)):  # read in three parts, through the cache
        feeds = {"input_ids": ids[:, start:end].numpy(), "attention_mask": mask[:, :end].numpy(), "position_ids": places[:, start:end].numpy()}
        logits, *present = session.run(None, feeds | past)
        past = dict(zip(past, present, strict=True))
        seen = mask[:, start:end].numpy().astype(bool)
        np.testing.assert_allclose(logits[seen], wanted[:, start:end][seen], atol=2e-4)


def test_onnx_replies_are_those_of_the_original_with_the_calculator(exported, tiny_model_folder):
    original = parity.Original(tiny_model_folder, max_tokens=16, calculator=True)
    player = onnx.OnnxModel(exported, onnx.FILES["32 bits"], original.sampling)
    record = parity.compare(original, parity.bank_problems(4), player.reply)
    assert record["same reply"] == 4, record["different"]


def test_the_calculator_writes_into_onnx_replies(exported, tiny_model_folder, monkeypatch):
    """A model that is made to say "2 + 3 =" gets its 5 from the calculator."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_folder)
    player = onnx.OnnxModel(exported, onnx.FILES["32 bits"], Sampling(max_tokens=12))
    script = iter(tokenizer.encode("2 + 3 = 9", add_special_tokens=False))
    plain = player.scores

    def scores(*arguments):
        found, past = plain(*arguments)
        forced = torch.full_like(found, -50.0)
        forced[next(script, tokenizer.eos_token_id)] = 50.0
        return forced, past

    monkeypatch.setattr(player, "scores", scores)
    text = tokenizer.decode(player.reply(encode_conversation(conversation(PROBLEM), tokenizer)))
    assert text == "2 + 3 = 5"


def test_the_folder_holds_what_a_browser_looks_for(exported):
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", *onnx.FILES.values()} <= names
    assert (exported / onnx.FILES["8 bits"]).stat().st_size < (exported / onnx.FILES["32 bits"]).stat().st_size


# --- the shipped folder


@pytest.fixture()
def finished(tiny_model_folder, tmp_path):
    """A finished run, and a folder that an earlier one was exported to."""
    for name in ("base", "tuned"):
        shutil.copytree(tiny_model_folder, tmp_path / "run" / name)
        (tmp_path / "shipped" / name).mkdir(parents=True)
        (tmp_path / "shipped" / name / "of before").touch()
    for phase in ("pretrain", "sft"):
        write_rows(tmp_path / "run" / phase / "log.jsonl", [{"step": 1, "loss": 2.0, "tokens": 9}])
    write_json(tmp_path / "run" / "recipe.json", {"name": "tiny"})
    return tmp_path / "run", tmp_path / "shipped"


HARM = [  # (what is wrong, what is said)
    ("no log", "log.jsonl is not there: finish training first"),
    ("cut weights", "a file of weights in .* is damaged"),
    ("too coarse", "16-bit rounding moves a probability by"),
]


@pytest.mark.parametrize(("harm", "says"), HARM)
def test_what_cannot_be_exported_leaves_the_shipped_weights(finished, monkeypatch, harm, says):
    run, shipped = finished
    if harm == "no log":
        (run / "sft" / "log.jsonl").unlink()
    elif harm == "cut weights":
        (run / "base" / "model.safetensors").write_bytes(b"weights")
    else:
        save = export.save_model
        monkeypatch.setattr(export, "save_model", lambda model, *more: save(model.apply(lambda part: [p.data.mul_(9) for p in part.parameters(recurse=False)]), *more))
    with pytest.raises(SystemExit, match=says):
        call(export, monkeypatch, "--recipe", "training/recipes/speedrun.yaml", "--run", run, "--to", shipped)
    assert (shipped / "base" / "of before").exists() and not (shipped / "README.md").exists()


def test_a_card_alone_is_of_what_is_there(finished, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        call(export, monkeypatch, "--recipe", "training/recipes/speedrun.yaml", "--run", finished[0], "--to", finished[1], "--card-only")
    assert "--run is for exporting again" in capsys.readouterr().err


def test_a_record_that_is_none_is_told(finished, monkeypatch):
    run, shipped = finished
    (run / "pretrain" / "log.jsonl").write_text("")
    with pytest.raises(SystemExit, match="lacks what the card tells"):
        call(export, monkeypatch, "--recipe", "training/recipes/speedrun.yaml", "--run", run, "--to", shipped)
