"""Ask a teacher for problems. Nothing is sent that could cost more than --max-usd.

    python -m pipeline.teach --teacher anthropic_batch --problems 1000 --out data/claude --dry-run
    python -m pipeline.teach --teacher anthropic_batch --problems 1000 --out data/claude --max-usd 3
    python -m pipeline.teach --teacher openai_compatible --base-url http://127.0.0.1:8000/v1 --model Qwen/Qwen3-4B \\
        --problems 1000 --out data/qwen
    python -m pipeline.teach --teacher procedural --problems 1000 --out data/bank

The first prints one whole request and what the run would cost, and sends nothing. The second needs the key in
ANTHROPIC_API_KEY and takes minutes to a day. The third asks any server that speaks OpenAI's chat completions
(vLLM, SGLang, llama.cpp; a key is read from OPENAI_API_KEY); it is free unless --price-in and --price-out are
given. The last draws from the problem bank and needs nothing. Each writes to the folder

    raw.jsonl     rows that the filters have not judged yet
    report.json   what was asked, what came back, the bill beside the estimate
    journal.jsonl, results/   of teachers that are asked: how the run stands, and what the server sent

`python -m pipeline.build --recipe pipeline/recipes/foreign.yaml --set sources.files=data/claude/raw.jsonl` makes a data
set of raw.jsonl, with the bill on its card.

Stop it at will, run the same command again to go on: a batch that is paid for is never sent twice, and a
request that was answered is never asked again. Requests without a usable reply are counted; --again sends
them once more. When the answer to a batch was lost and Anthropic does not list it, the run stops, for it may
be listed later; --resend-lost risks sending it a second time. A batch that cannot be fetched keeps no other one from
raw.jsonl; the run names it, and --give-up ID lets it go when it is lost for good (with --again its requests are
sent once more, and paid again).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from mathtutor.bank import BankError
from mathtutor.engines import without_urls
from mathtutor.io import (
    NO_SPACE,
    Busy,
    Damaged,
    hold_folder,
    need_space,
    sha256_file,
    status_of,
    told,
    write_json,
    write_rows,
)
from mathtutor.progress import counted
from pipeline.places import need_place_for_teacher
from pipeline.seeds import COUNT
from pipeline.teachers import anthropic_batch, procedural
from pipeline.teachers.prices import DEFAULT_MODEL, MODELS, Model, about, dollars, find_model
from pipeline.teachers.prompts import SAMPLE, Estimate, Plan, estimate_all, load_seeds
from pipeline.teachers.run import TeacherError

MAX_USD = 5.0
BYTES = 5_000  # that a problem takes in results/, journal.jsonl and raw.jsonl
DEFAULTS = {"per_request": 5, "seeds": COUNT, "concurrency": 8, "base_url": "", "settings": "{}"}
KEY_VARIABLES = {"anthropic_batch": "ANTHROPIC_API_KEY", "openai_compatible": "OPENAI_API_KEY"}

# Options that not every teacher knows.
ASKED = {"per_request", "seeds", "model", "price_in", "price_out", "max_usd", "dry_run", "again"}
OPTIONS = {
    "anthropic_batch": ASKED | {"resend_lost", "give_up"},
    "openai_compatible": ASKED | {"base_url", "concurrency", "settings"},
    "procedural": set(),
}


def describe(plan: Plan, estimate: Estimate, where: str) -> list[str]:
    """Requests, tokens and cost of the whole plan, as lines for people."""
    model, price, usd = plan.model, "no prices given: taken to cost nothing", ""
    if model.input_usd or model.output_usd:
        price = f"${model.input_usd:g} and ${model.output_usd:g} per million tokens read and written"
        usd = f": ${about(estimate.usd)}, and at most ${about(estimate.worst_usd)}"
    if plan.requests > SAMPLE:
        usd += f" (extrapolated from {SAMPLE:,} requests)"
    return [
        f"{estimate.requests:,} requests for {plan.problems:,} problems to {model.id} at {where} ({price})",
        f"about {estimate.input_tokens:,} tokens in, {estimate.output_tokens:,} out{usd}",
    ]


def foresee(teacher: str, estimate: Estimate, max_usd: float) -> list[str]:
    """Whether --max-usd lets a new run of the whole plan come to its end, as lines for people."""
    if estimate.worst_usd <= max_usd:
        return []
    enough = f"--max-usd {math.ceil(estimate.worst_usd * 105) / 100:.2f} is enough for all"
    if teacher == "anthropic_batch":
        return [f"--max-usd {dollars(max_usd)} would stop this before anything is sent: {enough}"]
    how = "would stop this on the way" if estimate.usd > max_usd else "may stop this on the way, if replies are long"
    return [f"--max-usd {dollars(max_usd)} {how}: {enough}"]


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
    used = "{:,} tokens in and {:,} out".format(*tokens["billed"]) if tokens["billed"] else "tokens that nobody counted"
    ratio = "" if usd["billed_to_estimated"] is None else f" ({usd['billed_to_estimated']:.2f} times)"
    billed = "an unknown sum" if usd["billed"] is None else f"${usd['billed']:.4f}"
    lines.append(f"billed {billed} for {used}; estimated ${usd['estimated']:.4f}{ratio}")
    if tokens["replies_without_usage"]:
        lines.append(f"{tokens['replies_without_usage']:,} replies came without usage: more tokens were used than counted here")
    if usd.get("may_be_billed_besides"):
        lines.append(f"up to ${usd['may_be_billed_besides']:.4f} may be billed besides, for these and for replies that were lost")
    if requests["can_be_asked_again"]:
        lines.append(f"{requests['can_be_asked_again']:,} requests can be asked again: add --again")
    return lines


def draw(folder: Path, problems: int, seed: int) -> dict:
    """The bank's rows as a teacher's: raw.jsonl and report.json, the same bytes each time.

    Raises Busy while another process works in the folder, ValueError where it holds a data set or the run of a teacher that was asked.
    """
    need_place_for_teacher(folder)
    need_space(folder, problems * BYTES)
    with hold_folder(folder):
        if (folder / "journal.jsonl").exists():
            raise ValueError(f"{folder} holds replies that were asked for: choose another --out")
        (folder / "report.json").unlink(missing_ok=True)
        rows = counted(procedural.write_rows(problems, seed), problems, "rows")
        write_rows(folder / "raw.jsonl", (row.to_dict() for row in rows))
        report = {
            "plan": {"teacher": "procedural", "model": "problem bank", "problems": problems, "seed": seed},
            "problems": {"asked": problems, "rows": problems},
            "tokens": {"billed": [0, 0]},
            "usd": {"billed": 0.0},
            "sha256": sha256_file(folder / "raw.jsonl"),
        }
        write_json(folder / "report.json", report)
    return report


def make_model(args: argparse.Namespace) -> Model:
    """The model with its prices and settings. Raises ValueError."""
    if args.teacher == "anthropic_batch":
        return find_model(args.model or DEFAULT_MODEL, args.price_in, args.price_out)
    from pipeline.teachers.openai_compatible import check_settings

    if not args.model:
        raise ValueError("--model is missing: give the name under which the server knows it (see BASE_URL/models)")
    prices = (args.price_in, args.price_out)
    if None in prices and (any(price is not None for price in prices) or args.max_usd is not None):
        raise ValueError("a budget needs both prices: give --price-in and --price-out (US dollars per million tokens)")
    model = find_model(args.model, *(price or 0.0 for price in prices))
    try:
        settings = json.loads(args.settings)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'--settings is not JSON ({error}): write it like {{"temperature": 0.7}}') from error
    return replace(model, settings=model.settings | check_settings(settings))


def ask(args: argparse.Namespace) -> dict | None:
    """Run a teacher that is asked over a network; None for a dry run."""
    variable = KEY_VARIABLES[args.teacher]
    key = os.environ.get(variable, "").strip()
    need_place_for_teacher(args.out)
    model = make_model(args)
    plan = Plan(model, args.problems, args.per_request, args.seed, load_seeds(args.seeds), args.teacher)
    max_usd = MAX_USD if args.max_usd is None else args.max_usd
    if args.teacher == "anthropic_batch":
        if not key and not args.dry_run:
            raise ValueError(f"{variable} is not set: --dry-run needs no key")
        request = {"custom_id": f"RUN-{plan.key(0)}-0", "params": plan.params(0)}
        lost = {"resend_lost": args.resend_lost, "give_up": args.give_up or ()}
        teach = partial(anthropic_batch.teach, plan, args.out, key, max_usd, **lost)
        where = "Anthropic, in a batch"
    else:
        from pipeline.teachers import openai_compatible

        endpoint = openai_compatible.Endpoint(args.base_url, key, args.concurrency)
        request = openai_compatible.body_of(plan, 0, plan.max_tokens(0))
        teach = partial(openai_compatible.teach, plan, args.out, endpoint, max_usd)
        where = without_urls(args.base_url)
    estimate = estimate_all(plan)
    if args.dry_run:
        print(json.dumps(request, ensure_ascii=False, indent=2))
        print(*describe(plan, estimate, where), *foresee(args.teacher, estimate, max_usd), "nothing was sent", sep="\n")
        return None
    print(*describe(plan, estimate, where), sep="\n")
    need_space(args.out, args.problems * BYTES)  # a reply that was paid for must find room
    with hold_folder(args.out):  # the journal keeps other teachers out, this any other work on these files
        return teach(again=args.again, say=partial(print, flush=True))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, choices=list(OPTIONS))
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--problems", required=True, type=int, help="how many to ask for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-request", type=int, help=f"problems in one request (default: {DEFAULTS['per_request']})")
    parser.add_argument("--seeds", type=int, help=f"how many of the frozen seeds to show examples from (default: {COUNT})")
    parser.add_argument("--model", help=f"{', '.join(MODELS)}, or another with its prices; of a server: the name that it uses")
    parser.add_argument("--base-url", help="of the server, e.g. http://127.0.0.1:8000/v1")
    parser.add_argument("--concurrency", type=int, help=f"requests at once to the server (default: {DEFAULTS['concurrency']})")
    parser.add_argument("--settings", metavar="JSON", help='more keys of each request to the server, e.g. {"temperature": 0.7}')
    parser.add_argument("--price-in", type=float, help="US dollars per million tokens read (Anthropic: in a batch)")
    parser.add_argument("--price-out", type=float, help="US dollars per million tokens written (Anthropic: in a batch)")
    parser.add_argument("--max-usd", type=float, help=f"never risk more than this (default: {MAX_USD:g})")
    parser.add_argument("--dry-run", action="store_true", help="print one request and the estimate, send nothing")
    parser.add_argument("--again", action="store_true", help="ask again where no usable reply came back")
    parser.add_argument("--resend-lost", action="store_true", help="send a batch again whose answer was lost: it may be paid twice")
    parser.add_argument("--give-up", metavar="ID", action="append", help="let a batch go that cannot be fetched (repeatable)")
    args = parser.parse_args(arguments)
    known = set().union(*OPTIONS.values())
    for name in sorted(known - OPTIONS[args.teacher]):
        if getattr(args, name) is not None and getattr(args, name) is not False:  # 0 equals False
            raise SystemExit(f"--{name.replace('_', '-')} means nothing to the teacher {args.teacher}: leave it out")
    for name, default in DEFAULTS.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
    if args.max_usd is not None and not args.max_usd > 0:
        raise SystemExit("--max-usd must be more than 0")
    try:
        if args.teacher == "procedural":
            if args.problems < 1:
                raise ValueError("--problems must be at least 1")
            report = draw(args.out, args.problems, args.seed)
            print(f"{args.out / 'raw.jsonl'}: {args.problems:,} rows, sha256 {report['sha256'][:16]}")
            return
        report = ask(args)
    except (ValueError, Damaged, Busy, TeacherError, BankError, OSError) as error:
        if status_of(error) == NO_SPACE:
            print(told(error), file=sys.stderr)
            raise SystemExit(NO_SPACE) from error
        raise SystemExit(str(error)) from error
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[pipeline]'") from error
    except KeyboardInterrupt:
        print("stopped; what was submitted goes on at the server: run the same command again", file=sys.stderr)
        raise SystemExit(130) from None
    if report is None:
        return
    print(*describe_report(report), sep="\n")
    if not report["problems"]["rows"]:
        raise SystemExit(f"no row came back: {args.out / 'report.json'} holds the reasons")


if __name__ == "__main__":
    main()
