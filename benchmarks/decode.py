"""How fast an evaluation decodes, against the loop that the published systems use.

    python -m benchmarks.decode --out benchmarks/records/decode.json     # all of GSM8K test, the loop over every 20th problem
    python -m benchmarks.decode --loop 1                          # the loop over all of it too: half an hour or more
    python -m benchmarks.decode --benchmark bank --problems 64 --loop 1

asks the same problems twice in one run: through `Engine.replies`, and one at a time with transformers'
`generate`, as the seed systems do. The loop's problems are timed in turns between parts of the engine's, so
that a machine that is busy with something else slows both alike; the load before the run is part of the record. Prints
wall and processor seconds, tokens and problems a second and their ratios as JSON, and whether the promise is kept: all of
GSM8K test within 3 minutes, and at least 8 times the loop's tokens a second. The replies must agree; those that do not are
counted: where two tokens are equally likely to the last bits, one product more in a row decides.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402

from eval.benchmarks import load_benchmark  # noqa: E402
from mathtutor.chat import END, conversation  # noqa: E402
from mathtutor.engines import Sampling, load_engine  # noqa: E402
from mathtutor.io import write_json  # noqa: E402

PARTS = 4
GSM8K = 1319  # problems of its test set
PROMISED_SECONDS, PROMISED_TIMES = 180, 8


class Clock:
    """Sums up wall seconds, processor seconds and tokens of what is timed in parts."""

    def __init__(self):
        self.wall = self.processor = 0.0
        self.tokens = self.problems = 0

    def time(self, work, *arguments):
        wall, processor = time.perf_counter(), time.process_time()
        replies = work(*arguments)
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        self.problems += len(replies)
        self.tokens += sum(tokens for _, tokens in replies)
        return replies

    def figures(self) -> dict:
        return {
            "problems": self.problems,
            "seconds": round(self.wall, 1),
            "processor seconds": round(self.processor, 1),
            "tokens": self.tokens,
            "seconds a problem": round(self.wall / self.problems, 3),
            "tokens a second": round(self.tokens / self.wall),
            "tokens a processor second": round(self.tokens / self.processor),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="pocket", help="pocket, pocket-base or hf:PATH")
    parser.add_argument("--benchmark", default="gsm8k")
    parser.add_argument("--problems", type=int, help="only the first so many")
    parser.add_argument("--loop", type=int, default=20, metavar="N", help="the loop takes every N-th problem")
    parser.add_argument("--max-tokens", type=int, default=320)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures, too")
    args = parser.parse_args()
    load = round(os.getloadavg()[0], 1)
    problems = [problem.question for problem in load_benchmark(args.benchmark, args.problems)]
    engine = load_engine(args.engine)

    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(engine.path)
    model = AutoModelForCausalLM.from_pretrained(engine.path, dtype=torch.float32).eval()

    def one_at_a_time(asked: list[str]) -> list[tuple[str, int]]:
        replies = []
        for problem in asked:
            text = tokenizer.apply_chat_template(conversation(problem), add_generation_prompt=True, tokenize=False)
            inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
            with torch.inference_mode():
                output = model.generate(**inputs, max_new_tokens=args.max_tokens, do_sample=False)
            output = output[0, inputs.input_ids.shape[1] :]
            replies.append((tokenizer.decode(output).split(END)[0], len(output)))
        return replies

    def together(asked: list[str], calculator: bool) -> list[tuple[str, int]]:
        sampling = Sampling(max_tokens=args.max_tokens, calculator=calculator)
        replies = dict(engine.replies([conversation(problem) for problem in asked], sampling))
        return [(replies[i].text, replies[i].num_tokens) for i in range(len(asked))]

    together(problems[:2], True), one_at_a_time(problems[:1])  # what is made at the first use is no part of it
    loop, plain, calculating = Clock(), Clock(), Clock()
    looped = problems[:: args.loop]
    differ = circles = 0
    for part in range(PARTS):
        slow = loop.time(one_at_a_time, looped[part::PARTS])
        fast = plain.time(together, looped[part::PARTS], False)
        # The engine ends a reply that goes in circles; up to there both must read the same.
        differ += sum(not theirs.startswith(ours) for (theirs, _), (ours, _) in zip(slow, fast, strict=True))
        circles += sum(len(theirs) > len(ours) for (theirs, _), (ours, _) in zip(slow, fast, strict=True))
        calculating.time(together, problems[part::PARTS], True)
        print(f"part {part + 1} of {PARTS}: loop {loop.wall:.0f} s for {loop.problems}, engine {calculating.wall:.0f} s for {calculating.problems}", file=sys.stderr)
    ratio = (loop.wall / loop.tokens) / (calculating.wall / calculating.tokens)
    figures = {
        "command": "python -m benchmarks.decode " + shlex.join(sys.argv[1:]),
        "engine": args.engine,
        "benchmark": args.benchmark,
        "processors": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "load average before": load,
        "generate, one at a time": loop.figures(),
        "engine, the same problems": plain.figures(),
        "replies that differ from the loop's": differ,
        "replies in circles that the engine ended sooner": circles,
        "engine with calculator, all problems": calculating.figures(),
        "times the loop's tokens a second": round(ratio, 1),
        "times the loop's tokens a processor second": round(
            (loop.processor / loop.tokens) / (calculating.processor / calculating.tokens), 1
        ),
        "times the loop's problems a second": round((loop.wall / loop.problems) / (calculating.wall / calculating.problems), 1),
        f"at least {PROMISED_TIMES} times the loop's tokens a second": ratio >= PROMISED_TIMES,
    }
    if args.benchmark == "gsm8k" and calculating.problems == GSM8K:
        figures[f"all of GSM8K test within {PROMISED_SECONDS} s"] = calculating.wall <= PROMISED_SECONDS
    print(json.dumps(figures, indent=2))
    if args.out:
        write_json(args.out, figures)


if __name__ == "__main__":
    main()
