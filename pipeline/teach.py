"""Ask a paid teacher for problems. Nothing is sent that could cost more than --max-usd.

    python -m pipeline.teach --teacher anthropic_batch --problems 1000 --out data/claude --dry-run
    python -m pipeline.teach --teacher anthropic_batch --problems 1000 --out data/claude --max-usd 3

The first prints one whole request and what the run would cost, and sends nothing. The second needs the
key in ANTHROPIC_API_KEY, takes minutes to a day, and writes to the folder

    raw.jsonl     rows that the filters have not judged yet
    report.json   what was asked, what came back, the bill beside the estimate
    journal.jsonl, results/   how the run stands, and what the server sent

Stop it at will, run the same command again to go on: a batch that is paid for is never sent twice. Requests
without a usable reply are counted; --again sends them once more.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from itertools import chain
from pathlib import Path

from mathtutor.io import Busy, Damaged
from pipeline.benchmarks import benchmark_problems
from pipeline.decontaminate import GramIndex
from pipeline.teachers.anthropic_batch import TeacherError, teach
from pipeline.teachers.prices import DEFAULT_MODEL, MODELS, find_model
from pipeline.teachers.prompts import Plan, load_seeds

KEY_VARIABLE = "ANTHROPIC_API_KEY"
MAX_USD = 5.0


def describe(plan: Plan) -> list[str]:
    """Requests, tokens and cost of the whole plan, as lines for people."""
    estimate = plan.estimate([(index, plan.max_tokens(index)) for index in range(plan.requests)])
    model = plan.model
    return [
        f"{estimate.requests:,} requests for {plan.problems:,} problems to {model.id} "
        f"(${model.input_usd:g} and ${model.output_usd:g} per million tokens read and written, in a batch)",
        f"about {estimate.input_tokens:,} tokens in, {estimate.output_tokens:,} out: "
        f"${estimate.usd:.2f}, and at most ${estimate.worst_usd:.2f}",
    ]


def describe_report(report: dict) -> list[str]:
    """What came back and what it cost, as lines for people."""
    requests, problems, tokens, usd = (report[k] for k in ("requests", "problems", "tokens", "usd"))
    outcomes = ", ".join(f"{count:,} {kind}" for kind, count in requests["outcomes"].items())
    lines = [f"{requests['settled']:,} of {requests['planned']:,} requests settled: {outcomes}"]
    if requests["details"]:
        lines.append("reasons: " + ", ".join(f"{count:,} {name}" for name, count in requests["details"].items()))
    lines.append(f"{problems['rows']:,} rows for {problems['asked']:,} problems asked")
    if problems["unreadable"]:
        lines.append("not read: " + ", ".join(f"{n:,} {why}" for why, n in problems["unreadable"].items()))
    ratio = "" if usd["billed_to_estimated"] is None else f" ({usd['billed_to_estimated']:.2f} times)"
    lines.append(
        f"billed ${usd['billed']:.4f} for {tokens['billed'][0]:,} tokens in and {tokens['billed'][1]:,} out; "
        f"estimated ${usd['estimated']:.4f}{ratio}"
    )
    if tokens["replies_without_usage"]:
        lines.append(f"{tokens['replies_without_usage']:,} replies came without usage: the bill is higher than counted here")
    if requests["can_be_asked_again"]:
        lines.append(f"{requests['can_be_asked_again']:,} requests can be asked again: add --again")
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, choices=["anthropic_batch"])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--problems", required=True, type=int, help="how many to ask for")
    parser.add_argument("--per-request", type=int, default=5, help="problems in one request (default: 5)")
    parser.add_argument("--seeds", type=int, default=200, help="problems of GSM8K train to show examples from (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"{', '.join(MODELS)}, or another with its prices")
    parser.add_argument("--price-in", type=float, help="US dollars per million tokens read, in a batch")
    parser.add_argument("--price-out", type=float, help="US dollars per million tokens written, in a batch")
    parser.add_argument("--max-usd", type=float, default=MAX_USD, help=f"never risk more than this (default: {MAX_USD:g})")
    parser.add_argument("--dry-run", action="store_true", help="print one request and the estimate, send nothing")
    parser.add_argument("--again", action="store_true", help="ask again where no usable reply came back")
    parser.add_argument(
        "--no-tests", action="store_true", help="show seed problems without comparing them with the test sets"
    )
    args = parser.parse_args(arguments)
    if not args.max_usd > 0:
        raise SystemExit("--max-usd must be more than 0")
    try:
        model = find_model(args.model, args.price_in, args.price_out)
        refuse = (lambda text: False) if args.no_tests else GramIndex(chain.from_iterable(benchmark_problems().values()), 8).overlaps
        plan = Plan(model, args.problems, args.per_request, args.seed, load_seeds(args.seeds, args.seed, refuse))
        if args.dry_run:
            print(json.dumps({"custom_id": f"RUN-{plan.key(0)}-0", "params": plan.params(0)}, ensure_ascii=False, indent=2))
            print(*describe(plan), "nothing was sent", sep="\n")
            return
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key:
            raise ValueError(f"{KEY_VARIABLE} is not set: --dry-run needs no key")
        print(*describe(plan), sep="\n")
        report = teach(plan, args.out, key, args.max_usd, args.again, say=partial(print, flush=True))
    except (ValueError, Damaged, Busy, TeacherError, OSError) as error:
        raise SystemExit(str(error)) from error
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[pipeline]'") from error
    except KeyboardInterrupt:
        print("stopped; what was submitted goes on at the server: run the same command again to fetch it", file=sys.stderr)
        raise SystemExit(130) from None
    print(*describe_report(report), sep="\n")
    if not report["problems"]["rows"]:
        raise SystemExit(f"no row came back: {args.out / 'report.json'} holds the reasons")


if __name__ == "__main__":
    main()
