"""QLoRA of the Qwen3-8B and 4B shapes on one card: the seed systems' settings against ours, in one run.

    python -m benchmarks.gpu --toy --out runs/gpu-toy                 # tries all of it on a processor, in some six minutes (--each 1: three)
    python -m benchmarks.gpu --seconds 540 --out runs/gpu             # on a card; the same command again goes on
    python -m benchmarks.gpu --table --out runs/gpu

Each way of benchmarks/gpu/shapes.py is a slice: a process of its own, so that its peak of memory is its own,
whose record appears whole when it is done; one that has a record is not run again. No slice is begun that the
seconds left may not hold. A way that fails, for want of memory say, leaves a record that says so.

Samples are as long as rows of the problem bank, counted in the pieces that Qwen's tokenizer splits text into
(its true tokens need a download), with random tokens in them; the long way is one sample of 45,056. Memory is
what PyTorch reserved at most, the model's building left out; a driver's own few hundred MB come on top.
What a machine must have for it, with or without a network: benchmarks/gpu/README.md.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

# One process uses the card: segments that grow waste least of it. As the seeds do.
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks.gpu.shapes import SHAPES, WAYS, Way, toy  # noqa: E402
from mathtutor.io import Busy, Damaged, hold_folder, read_json, told, write_atomic, write_json  # noqa: E402

PARENT = os.getppid()  # before anything slow: who began this slice
LONGEST_SLICE = 240  # seconds; what a slice is expected to take at most


def lengths(count: int) -> list[tuple[int, int]]:
    """(tokens of the prompt, of the whole sample) of `count` problems of the bank with their solutions."""
    from tokenizers import Regex, pre_tokenizers

    from mathtutor.bank import load_bank
    from mathtutor.chat import render_prompt, render_target
    from training.tokenizer import QWEN_SPLIT

    pieces = pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated")
    families = [family for _, family in sorted(load_bank().items())]
    instances = (family.instantiate(7, number) for number in itertools.count() for family in families)
    # Single tokens that the split would cut up: the marks of the turns and of the thinking.
    marks = 4
    found = []
    for instance in itertools.islice(instances, count):
        prompt = len(pieces.pre_tokenize_str(render_prompt(instance.problem).replace("<|", "").replace("|>", ""))) + marks
        reply = render_target(instance.steps, instance.shown_answer).replace("<|im_end|>", "").replace("<", "").replace(">", "")
        found.append((prompt, prompt + len(pieces.pre_tokenize_str(reply)) + marks))
    return found


def measure(name: str, is_toy: bool, seconds: float) -> dict:
    """Train one way for about `seconds`; the record."""
    import torch
    from transformers import __version__

    shape, way = toy(WAYS[name]) if is_toy else (SHAPES[WAYS[name].shape], WAYS[name])
    device = "cpu" if is_toy else "cuda"
    record = {"way": name, "toy": is_toy, "torch": torch.__version__, "transformers": __version__, "device": device_name(is_toy)}
    torch.manual_seed(0)
    try:
        return record | _measure(shape, way, device, seconds)
    except torch.OutOfMemoryError as error:
        return record | {"failed": f"out of memory: {str(error).splitlines()[0]}"}


def _measure(shape, way: Way, device: str, seconds: float) -> dict:
    import bitsandbytes
    import torch

    from benchmarks.gpu.qlora import build, step

    begun = time.perf_counter()
    model = build(shape, way, device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = bitsandbytes.optim.AdamW8bit(trained, lr=2e-4)
    if way.samples == 1:
        endless = itertools.repeat((way.length // 16, way.length))
    else:
        endless = itertools.cycle([pair for pair in lengths(512) if pair[1] <= way.length])

    def samples():
        drawn = itertools.islice(endless, way.samples)
        return [(torch.randint(0, shape.vocabulary, (whole,)), prompt) for prompt, whole in drawn]

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    wait()
    built = time.perf_counter() - begun
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    step(model, optimizer, samples(), way, device)  # the first one allocates and chooses kernels
    wait()
    times, tokens, losses = [], [], []
    begun = time.perf_counter()
    while len(times) < 2 or time.perf_counter() - begun < seconds:
        if os.getppid() != PARENT:  # killed: the next command would share the card with this one
            raise SystemExit("the command that began this slice is gone")
        drawn, started = samples(), time.perf_counter()
        loss, used = step(model, optimizer, drawn, way, device)
        wait()
        times.append(time.perf_counter() - started)
        tokens.append(used)
        losses.append(loss)
    record = {
        "parameters trained": sum(p.numel() for p in trained),
        "seconds to build": round(built, 1),
        "steps": len(times),
        "tokens a second": sum(tokens) / sum(times),
        "samples a second": way.samples * len(times) / sum(times),
        "tokens a sample": sum(tokens) / (way.samples * len(times)),
        "seconds of each step": [round(t, 4) for t in times],
        "losses": [round(x, 4) for x in losses],
        "bitsandbytes": bitsandbytes.__version__,
    }
    if device == "cuda":
        record["GB allocated"] = torch.cuda.max_memory_allocated() / 1e9
        record["GB reserved"] = torch.cuda.max_memory_reserved() / 1e9
    return record


def device_name(is_toy: bool) -> str:
    import torch

    if is_toy:
        return "processor"
    if not torch.cuda.is_available():
        raise SystemExit("this torch sees no GPU: --toy tries the benchmark on a processor")
    return torch.cuda.get_device_name()


def read_records(out: Path) -> dict[str, dict]:
    """The records of the ways that are there. Ends with a sentence where one is none."""
    found = {}
    for name in WAYS:
        if (path := out / f"{name}.json").exists():
            try:
                found[name] = read_json(path)
            except Damaged as error:
                raise SystemExit(f"{error}: remove it, and its way is run again") from error
            if not isinstance(found[name], dict) or not {"toy", "device"} <= found[name].keys() or not {"failed", "tokens a second"} & found[name].keys():
                raise SystemExit(f"{path} is no record of this benchmark: remove it, and its way is run again")
    return found


def verdict(name: str, records: dict[str, dict]) -> tuple[str, str]:
    """(times the seed's speed, each aim and whether it is met) of a way, as text. A way that failed has missed its aims."""
    way, record, base = WAYS[name], records.get(name), records.get(WAYS[name].against)
    runs, times = record is not None and "failed" not in record, None
    if runs and base is not None and "failed" not in base:
        times = record["tokens a second"] / base["tokens a second"]
    aims = []  # (aim, whether it is met; None: not judged)
    if way.least_times:
        why = "" if times is not None or not runs else f", and {way.against} {'has not run' if base is None else 'failed'}"
        aims.append((f"at least {way.least_times:g} times{why}", None if why else runs and times >= way.least_times))
    if way.most_gb:
        measured = not runs or "GB reserved" in record
        aims.append((f"at most {way.most_gb:g} GB", runs and record["GB reserved"] <= way.most_gb if measured else None))
    if way.samples == 1:
        aims.append(("fits one card", runs))
    judged = record is not None and not record["toy"]
    lines = [f"{aim}: {'not judged' if met is None else 'met' if met else 'missed'}" if judged else aim for aim, met in aims]
    lines += [f"its card says {way.told_gb:g} GB"] if way.told_gb else []
    said = "; ".join(lines) + (" (toy size: nothing is judged)" if record is not None and record["toy"] else "")
    return "" if times is None else f"{times:.1f}", said


def table(records: dict[str, dict]) -> str:
    """All records as a table in Markdown, the aim of each way beside what it gave."""
    lines = [
        f"On {', '.join(sorted({record['device'] for record in records.values()})) or 'nothing yet'}.",
        "",
        "| way | rows of tokens at once | GB reserved (allocated) | tokens a second | samples a second | times the seed's | aim |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, way in WAYS.items():
        shown = f"| {name} | {way.rows} of {'' if way.packed else 'up to '}{way.length:,}{', packed' if way.packed else ''} | "
        record, (times, aims) = records.get(name), verdict(name, records)
        if record is None or "failed" in record:
            lines.append(f"{shown}{'not run yet' if record is None else record['failed']} | | | | {aims} |")
        else:
            memory = f"{record['GB reserved']:.1f} ({record['GB allocated']:.1f})" if "GB reserved" in record else "not measured"
            lines.append(f"{shown}{memory} | {record['tokens a second']:,.0f} | {record['samples a second']:.2f} | {times} | {aims} |")
    return "\n".join(lines) + "\n"


def run_slices(args: argparse.Namespace, names: list[str]) -> bool:
    """Run the ways without a record while time is left; whether all have one now."""
    device, started = device_name(args.toy), time.monotonic()
    for name, record in read_records(args.out).items():
        if record["device"] != device or record["toy"] != args.toy:
            raise SystemExit(f"{args.out / name}.json was measured on {record['device']}: choose another --out for {device}")
    for number, name in enumerate(names, start=1):
        path, place = args.out / f"{name}.json", f"way {number} of {len(names)}, {name}"
        if path.exists():
            print(f"{place}: done before" + (f", and failed; to try again remove {path}" if "failed" in read_json(path) else ""))
            continue
        left = args.seconds - (time.monotonic() - started)
        if left < min(LONGEST_SLICE, args.seconds / 2):
            print(f"{left:.0f} seconds are left, too few for {name}: run the same command again")
            return False
        command = [sys.executable, "-m", "benchmarks.gpu", "--one", name, "--out", str(args.out), "--each", str(args.each)]
        print(f"{place} ...", flush=True)
        begun = time.perf_counter()
        try:
            code = subprocess.run([*command, *(["--toy"] if args.toy else [])], timeout=left).returncode
        except subprocess.TimeoutExpired:
            print(f"{name} was not done after {left:.0f} seconds: run the same command again, or give it more --seconds")
            return False
        if code or not path.exists():
            raise SystemExit(f"{name} ended with status {code}: what it wrote stands above")
        record = read_records(args.out)[name]
        found = record["failed"] if "failed" in record else f"{record['tokens a second']:,.0f} tokens a second"
        print(f"{place}: {time.perf_counter() - begun:.0f} s, {found}", flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the records and of table.md")
    parser.add_argument("--seconds", type=float, default=540, help="of the whole command (default: 540)")
    parser.add_argument("--each", type=float, default=20, help="seconds of measured steps a way, two steps at least (default: 20)")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--toy", action="store_true", help="tiny shapes on a processor: tries the code, measures nothing")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.seconds > 0 or not args.each >= 0:
        parser.error("--seconds must be above 0, --each 0 or more")
    if args.table and not args.out.is_dir():
        parser.error(f"--out {args.out} is no folder of records")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # that a CPU kernel of the hub is not installed
    try:
        import bitsandbytes  # noqa: F401
        import peft  # noqa: F401
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[train-cuda]'") from error
    if args.one:
        write_json(args.out / f"{args.one}.json", measure(args.one, args.toy, args.each))
        return
    try:
        with hold_folder(args.out):  # two commands at once would measure each other
            done = args.table or run_slices(args, args.ways)
            shown = table(read_records(args.out))
            write_atomic(args.out / "table.md", shown)
    except (Busy, OSError) as error:
        raise SystemExit(told(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("stopped: run the same command again to go on") from None
    print("\n" + shown, end="")
    if not done:
        raise SystemExit(75)  # "try again later"


if __name__ == "__main__":
    main()
