"""How fast an evaluation decodes, against the loop that the published systems use.

    python -m benchmarks.decode --engine pocket --problems 64

asks the same problems twice in one run: one at a time with transformers' `generate`, as the seed
systems do, and through `Engine.replies` (prompts sorted by length, in batches). Prints seconds, tokens
a second and their ratio as JSON. The replies must agree; those that do not are counted.
"""

from __future__ import annotations

import argparse
import json
import time

from eval.benchmarks import load_benchmark
from mathtutor.chat import END, conversation
from mathtutor.engines import Sampling, load_engine


def loop_one_at_a_time(folder: str, problems: list[str], max_tokens: int) -> tuple[list[str], float, int]:
    """(replies, seconds, tokens) of a plain loop over `generate`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    replies, num_tokens, started = [], 0, time.perf_counter()
    for problem in problems:
        text = tokenizer.apply_chat_template(conversation(problem), add_generation_prompt=True, tokenize=False)
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)[0, inputs.input_ids.shape[1] :]
        num_tokens += len(output)
        replies.append(tokenizer.decode(output).split(END)[0])
    return replies, time.perf_counter() - started, num_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="pocket")
    parser.add_argument("--benchmark", default="bank")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=256)
    args = parser.parse_args()
    problems = [problem.question for problem in load_benchmark(args.benchmark, args.problems)]
    engine = load_engine(args.engine)
    plain, plain_seconds, plain_tokens = loop_one_at_a_time(engine.path, problems, args.max_tokens)
    figures = {"problems": len(problems), "loop": speed(plain_seconds, plain_tokens)}
    for calculator in (False, True):
        started = time.perf_counter()
        sampling = Sampling(max_tokens=args.max_tokens, calculator=calculator)
        replies = dict(engine.replies([conversation(problem) for problem in problems], sampling))
        seconds = time.perf_counter() - started
        name = "engine with calculator" if calculator else "engine"
        figures[name] = speed(seconds, sum(g.num_tokens for g in replies.values()))
        figures[name]["times the loop's problems a second"] = round(plain_seconds / seconds, 1)
        if not calculator:
            figures["replies that differ from the loop's"] = sum(replies[i].text != t for i, t in enumerate(plain))
    print(json.dumps(figures, indent=2))


def speed(seconds: float, num_tokens: int) -> dict:
    return {"seconds": round(seconds, 2), "tokens": num_tokens, "tokens a second": round(num_tokens / seconds)}


if __name__ == "__main__":
    main()
