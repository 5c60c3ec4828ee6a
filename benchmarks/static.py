"""How long the page without a server takes: to load, to its first step, for each token; and whether it writes what Python writes.

    make static && python -m benchmarks.static --check 100 --out benchmarks/records/static.json

opens `build/static` in a headless chromium from a server on this machine, so that no network is measured, without the headers
that allow threads, and solves the example problems while being watched, as a student would. Each is asked ROUNDS times after
one that is not counted: a browser compiles WebAssembly better while it runs. The load before is part of the record.
`--check N` asks the first N typed problems too, and counts the replies that are the Python engine's letter for letter.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import time
from pathlib import Path

from mathtutor.chat import conversation
from mathtutor.engines import Sampling, load_engine
from mathtutor.io import read_rows, write_json
from tests.browser import chromium, new_page, open_browser, serve_files
from training.static import POCKET
from ui.examples import EXAMPLES

ROUNDS = 3
TYPED = Path(__file__).resolve().parents[1] / "assets" / "typed" / "problems.jsonl"
ASK = """() => new Promise((done) => {
  const started = performance.now();
  let step = null;
  new MutationObserver((_, seen) => {
    const now = (performance.now() - started) / 1000;
    if (step === null && document.querySelector("#steps .mt-check")) step = now;
    if (document.querySelector(".mt-raw")) { seen.disconnect(); done([step, now]); }
  }).observe(document.querySelector(".working"), { childList: true, subtree: true });
  document.getElementById("solve").click();
})"""  # in the page itself: asking it from outside would be part of the time


def ask(page, problem: str) -> tuple[float, float, str]:
    """(seconds to the first step, seconds in all, the reply)."""
    page.fill("#problem", problem)
    step, whole = page.evaluate(ASK)
    return step, whole, page.text_content(".mt-raw pre")


def measure(folder: Path, check: int) -> dict:
    """Seconds and tokens of every problem, and their medians; of `check` problems, how many replies are Python's."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    first, speeds = [], []
    with serve_files(folder) as url, open_browser() as browser:
        page = new_page(browser)
        started = time.monotonic()
        page.goto(url)
        page.wait_for_selector("#status.mt-done")
        loaded = time.monotonic() - started
        page.check("#watch")
        for problem in [*EXAMPLES.values()][:1] + [*EXAMPLES.values()] * ROUNDS:
            step, whole, reply = ask(page, problem)
            first.append(step)
            speeds.append((len(tokenizer.encode(reply)) + 1) / whole)
        problems = [row["question"] for row in read_rows(TYPED)][:check]
        written = [ask(page, problem)[2] for problem in problems]
        threads = int(page.get_attribute("html", "data-threads"))
    found = dict(load_engine("pocket").replies([conversation(problem) for problem in problems], Sampling(max_tokens=512)))
    return {
        "threads": threads,
        "replies": len(speeds) - 1,
        "seconds until it is ready": round(loaded, 1),
        "seconds to the first step, median": round(statistics.median(first[1:]), 2),
        "seconds to the first step, most": round(max(first[1:]), 2),
        "tokens a second, median": round(statistics.median(speeds[1:])),
        "tokens a second, least": round(min(speeds[1:])),
        "typed problems compared with Python": check,
        "replies that are the same text": sum(found[i].text == reply for i, reply in enumerate(written)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=Path("build/static"), help="the folder of training.static (default: build/static)")
    parser.add_argument("--check", type=int, default=0, metavar="N", help="compare the replies to N typed problems with Python's")
    parser.add_argument("--out", type=Path, help="where the record goes")
    args = parser.parse_args()
    if args.check < 0:
        parser.error("--check must be 0 or more")
    if chromium() is None:
        raise SystemExit("no chromium on the PATH: install it, then run this again")
    if not (args.page / "model" / "model.onnx").exists():
        raise SystemExit(f"{args.page} holds no page: run `make static` first")
    sizes = {file: (args.page / file).stat().st_size for file in ("model/model.onnx", "runtime/ort-wasm-simd-threaded.wasm")}
    record = {
        "command": "python -m benchmarks.static " + shlex.join(sys.argv[1:]),
        "processors": os.cpu_count(),
        "load average before": round(os.getloadavg()[0], 1),
        "bytes": {"all": sum(file.stat().st_size for file in args.page.rglob("*") if file.is_file()), **sizes},
        **measure(args.page, args.check),
    }
    for name, value in record.items():
        print(f"{name}: {value}")
    if args.out:
        write_json(args.out, record)


if __name__ == "__main__":
    main()
