"""The card of a tuned model and its picture of the loss, written from the records beside the weights alone."""

from __future__ import annotations

import json
from pathlib import Path

from mathtutor.io import Damaged, hash_of_weights, read_json, read_rows
from training.card import results_table
from training.tuning.items import prompt_of
from training.tuning.recipe import Data, is_local

USUAL = "tuned"  # eval.run's prompt mode where none is named
WIDTH, HEIGHT, LEFT, TOP = 720, 280, 60, 20


def loss_picture(log: Path) -> str:
    """Training loss as a line, validation loss as dots over it, by step (SVG). Raises Damaged where the log holds none."""
    rows = list(read_rows(log))
    training = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    validation = [(row["step"], row["validation_loss"]) for row in rows if "validation_loss" in row]
    if not training:
        raise Damaged(f"{log} holds no loss of any step: it is not the log of a finished run")
    values = [loss for _, loss in training + validation]
    low, high = min(values), max(values)
    span, last = (high - low) or 1.0, max(step for step, _ in training + validation)

    def place(step: int, loss: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT - 20) * step / last, TOP + (HEIGHT - TOP - 50) * (high - loss) / span

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in training))
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#d55e00"/>' for x, y in (place(*p) for p in validation))
    bottom = HEIGHT - 50
    words = 'font-family="sans-serif" font-size="13" fill="#333"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Loss by step: {training[0][1]:.3f} at the first, {training[-1][1]:.3f} at step {training[-1][0]}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - 20}" stroke="#999" fill="none"/>'
        f'<polyline points="{line}" fill="none" stroke="#0072b2" stroke-width="2"/>{dots}'
        f'<text x="{LEFT - 8}" y="{TOP + 5}" text-anchor="end" {words}>{high:.3f}</text>'
        f'<text x="{LEFT - 8}" y="{bottom}" text-anchor="end" {words}>{low:.3f}</text>'
        f'<text x="{LEFT}" y="{bottom + 18}" {words}>0</text>'
        f'<text x="{WIDTH - 20}" y="{bottom + 18}" text-anchor="end" {words}>step {last:,}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 10}" {words}>line: training loss{"; dots: validation loss" if validation else ""}</text></svg>\n'
    )


def read_record(path: Path) -> dict:
    """One of a run's records. Raises Damaged where it is missing or nothing of the kind."""
    found = read_json(path) if path.exists() else None
    if not isinstance(found, dict):
        raise Damaged(f"{path} is {'no record' if path.exists() else 'missing'}: let the command that writes it make it again")
    return found


def tuned_card(folder: Path, evals: Path) -> str:
    """The card of the model in `folder`, from recipe.json, run.json, audit.json, log.jsonl, samples.jsonl and merge.json.

    Raises Damaged or OSError where they, or the summaries below `evals`, are not what was written.
    """
    try:
        return _card(folder, evals)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise Damaged(f"a record in {folder}, or a summary below {evals}, lacks what the card tells ({type(error).__name__}: {error}): merge or evaluate again") from error


def _card(folder: Path, evals: Path) -> str:
    recipe, run, audit, merge = (read_record(folder / f"{name}.json") for name in ("recipe", "run", "audit", "merge"))
    log = list(read_rows(folder / "log.jsonl"))
    weights = hash_of_weights(folder)
    summaries = {path: read_record(path) for path in sorted(evals.glob("*/summary.json"))}
    names = {weights: recipe["name"], f"{weights}+nf4": f"{recipe['name']}, in 4 bits"} if weights else {}
    measured = [one | {"engine": _measured_as(names[one["revision"]], path.with_name("run.json"))} for path, one in summaries.items() if one.get("revision") in names]
    model, system = recipe["model"], recipe["data"]["system"]
    lines = [
        "---",
        *([f"license: {recipe['license']}"] if recipe.get("license") else []),
        "language: [en]",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        *([f"base_model: {model['base']}"] if audit["base"] == f"{model['base']}@{model['revision']}" else []),
        *_datasets(recipe),
        f"tags: [math, reasoning, word-problems, {recipe['method']}]",
        "---",
        "",
        f"# {recipe['name']}",
        "",
        _what(recipe, run),
        "",
        "## Results",
        "",
        *results_table(measured),
        "",
        "## Training",
        "",
        "![Loss by step](loss.svg)",
        "",
        *_losses(log, run),
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in _table(recipe, run, log)),
        "",
        "Every value: `recipe.json` beside this card; every step: `log.jsonl`.",
        "",
        "## Checks before the start",
        "",
        "```",
        *audit["lines"][:40],
        "```",
        "",
        f"Hash of the training text: `{audit['data']}`.",
        "",
        "## From the run to these weights",
        "",
        *_merged(merge),
        "",
        *_samples(folder),
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'tokenizer = AutoTokenizer.from_pretrained(".")',
        'model = AutoModelForCausalLM.from_pretrained(".")',
        *_asking(recipe, system),
        "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=512)[0, inputs.input_ids.shape[1]:]))",
        "```",
        "",
        *_asked_with(system),
        "## Limits",
        "",
        "A teaching aid, not a source of truth: what it writes may be wrong in its sums and in its reasoning, and it does not "
        "know when. It was measured on what the table above names and on nothing else.",
        "",
    ]
    return "\n".join(lines)


def _measured_as(name: str, run: Path) -> str:
    """The model by its own name: where it lay when it was measured is nobody's business. The prompt, where it is not the usual one."""
    mode = (read_json(run) if run.exists() else {}).get("mode", {}).get("name", USUAL)
    return name if mode == USUAL else f"{name}, mode {mode}"


def _asking(recipe: dict, system: str) -> list[str]:
    """Two lines of Python, or one: a model of texts goes on with a text, it knows no turns."""
    if any(one["kind"] == "text" for one in recipe["data"]["sets"]):
        return ['inputs = tokenizer("Ana has 3 boxes with 12 pencils each.", return_tensors="pt")  # it was trained on texts and goes on with one']
    turns = json.dumps(prompt_of("Ana has 3 boxes with 12 pencils each. How many pencils is that?", Data(system=system)), ensure_ascii=False)
    return [f"turns = {turns}", 'inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True, return_tensors="pt")']


def _asked_with(system: str) -> list[str]:
    if not system:
        return []
    told = (
        "It was trained with this system prompt before every problem, and the comparison above was made with it. "
        "`eval.run --mode file:mode.yaml` asks with it, by the file beside this card; `eval.run` without `--mode` and the tutor ask without:"
    )
    return [told, "", *(f"> {line}".rstrip() for line in system.splitlines()), ""]


def _datasets(recipe: dict) -> list[str]:
    names = [s["path"] for s in recipe["data"]["sets"] if s["path"].count("/") == 1 and not is_local(s["path"])]
    names += ["openai/gsm8k"] if any((s["kind"], s["path"]) == ("gsm8k", "gsm8k") for s in recipe["data"]["sets"]) else []
    return [f"datasets: [{', '.join(names)}]"] if names else []


def _what(recipe: dict, run: dict) -> str:
    ways = {
        "scratch": "trained from random weights",
        "full": "fine-tuned, all weights,",
        "lora": "fine-tuned with LoRA",
        "qlora": "fine-tuned with QLoRA (a base of 4 bits)",
    }
    start = "" if recipe["method"] == "scratch" else f" from `{recipe['model']['base']}`"
    early = ", stopped early by the validation loss" if run["stopped_early"] else ""
    return f"A model {ways[recipe['method']]}{start} on {run['examples']:,} examples: {run['steps']:,} of {run['planned_steps']:,} planned steps{early}."


def _losses(log: list[dict], run: dict) -> list[str]:
    training = [row for row in log if "loss" in row]
    validation = [row for row in log if "validation_loss" in row]
    lines = [f"Training loss {training[0]['loss']:.3f} at step {training[0]['step']:,}, {training[-1]['loss']:.3f} at step {training[-1]['step']:,}."]
    if validation:
        best = min(validation, key=lambda row: row["validation_loss"])
        lines.append(
            f"Lowest validation loss {best['validation_loss']:.4f} at step {best['step']:,}; these are the weights of step {run['weights_of_step']:,}."
        )
    return lines


def _table(recipe: dict, run: dict, log: list[dict]) -> list[tuple[str, str]]:
    train, lora, quantization = recipe["train"], recipe["lora"], recipe["quantization"]
    peak = [row["peak_gpu_gigabytes"] for row in log if "peak_gpu_gigabytes" in row]
    rows = [
        ("method", recipe["method"]),
        ("batch", f"{train['batch']} {'packed rows' if train['packing'] else 'examples'} a step, up to {train['max_tokens']:,} tokens each"),
        ("learning rate", f"{train['learning_rate']:g}, {train['schedule']}"),
        ("optimizer", train["optimizer"]),
        ("learned from", {"reply": "the replies alone", "all": "every token"}[train["learn"]]),
        ("seed", str(recipe["seed"])),
        ("tokens seen", f"{run['tokens']:,}"),
        ("trained on", f"{run['processes']} x {run['device']}, backend {run['backend']}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
    ]
    if lora:
        rows.insert(1, ("adapter", f"rank {lora['rank']}, alpha {lora['alpha']}, dropout {lora['dropout']:g}, on {', '.join(lora['targets'])}"))
    if quantization:
        rows.insert(1, ("base held in", f"4 bits ({quantization['type']}{', double' if quantization['double'] else ''})"))
    if peak:
        rows.append(("peak GPU memory", f"{max(peak):.2f} GB"))
    return rows


def _merged(merge: dict) -> list[str]:
    names = {"original": "adapter added to the published weights", "dequantised": "adapter added to the unpacked 4-bit weights", "saved": "as saved and loaded again"}
    found = {**merge["differences"], "saved": merge["saved"]}
    return [
        f"Mode: {merge['mode']}, saved in {merge['precision']}. Largest differences to the model that was trained, on one problem with its solution:",
        "",
        "| | logit | probability | mean KL (nats) | same choice |",
        "|---|---|---|---|---|",
        *(f"| {names[n]} | {o['logit']:.1e} | {o['probability']:.1e} | {o['kl']:.1e} | {o['same_choice']:.1%} |" for n, o in found.items()),
        *(
            f"\nFor llama.cpp: `{name}`, {one['bytes'] / 1e6:,.1f} MB, {one['tensors bit for bit']} tensors equal to these weights as rounded to {one['type']}, "
            f"{one['tensors within half a step']} within half a step of 8 bits."
            for name, one in merge.get("gguf", {}).items()
        ),
    ]


def _samples(folder: Path) -> list[str]:
    path = folder / "samples.jsonl"
    rows = list(read_rows(path)) if path.exists() else []
    if not rows:
        return []
    last = [row for row in rows if row["step"] == rows[-1]["step"]][:1]
    shown = [line for row in last for line in ("```", f"> {row['problem']}", row["reply"].replace("```", "'''")[:1500], "```")]
    return [f"## A reply at step {last[0]['step']:,}", "", *shown, ""]
