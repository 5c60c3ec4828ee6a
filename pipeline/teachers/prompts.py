"""What a language model is asked, and how its reply becomes rows. Neither knows which API carries them.

    plan = Plan(find_model("claude-haiku-4-5"), problems=1000, per_request=5, seed=0, seeds=load_seeds(200))
    plan.prompt(7)        what request 7 says: the same for the same plan, in any process
    read_reply('{"problems": [{"problem": "...", "steps": ["3 + 4 = 7"], "answer": "7"}]}')

Variety comes from the prompt (examples, topics, lengths, names are drawn for each request) and not from
sampling parameters, which the newer API versions refuse. Nothing that a model writes raises here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from random import Random

from mathtutor.io import sha256_json
from mathtutor.problem import Row
from pipeline.seeds import read_seeds
from pipeline.teachers.prices import Model

SHOTS = 4  # seed problems shown in a request
MAX_PER_REQUEST = 20  # past ten, problems of one request resemble each other and a cut reply loses more
CHARACTERS_PER_TOKEN = 3.7  # of English with digits, on Haiku 4.5; for the estimate
WORST_BYTES_PER_TOKEN = 2.0  # no English text comes near; for the bound that --max-usd holds
SAMPLE = 1_000  # requests from which the whole of a larger plan is estimated
OVERHEAD_TOKENS = 400  # what the API adds to a request with a schema
TOKENS_PER_PROBLEM = 210  # in JSON, steps included; the published 83,000 problems by Haiku 4.5 cost about that
MAX_TOKENS_PER_PROBLEM = 450  # a GSM8K problem of eight steps needs about 400

SYSTEM = """\
You write arithmetic word problems for children in grades 2 to 8, each with a worked solution.

The problem
- is a short, believable everyday story of two to six sentences that ends with exactly one question;
- gives every number that is needed and has exactly one right answer, a number;
- counts people and things in whole numbers, and money with at most two decimals;
- holds nothing violent, no brands, no real persons;
- is new: take the style of the examples, not their people, things or numbers.

The steps
- are full sentences, one calculation each, written out in digits like 3 * 4 = 12 with only + - * / and =;
- have no dollar sign, thousands comma or unit inside a calculation, and no variables;
- use only numbers from the problem, from earlier steps, or known to everybody (7 days in a week);
- are as many as were asked for, and the last result is the answer.

The answer is that number alone, without a unit. Write plain text without Markdown, and never mention these rules."""

# For servers that take no schema, or take one and forget it.
JSON_RULE = (
    'Reply with one JSON object and nothing else: {"problems": [{"problem": a text, "steps": [a text for each step], '
    '"answer": a text}, ...]}.'
)

# The one bound that every server's dialect of JSON Schema takes is "not empty". A model that is held to the schema and
# has nothing to say otherwise closes the list at once.
SCHEMA = {
    "type": "object",
    "properties": {
        "problems": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "problem": {"type": "string"},
                    "steps": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    "answer": {"type": "string"},
                },
                "required": ["problem", "steps", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["problems"],
    "additionalProperties": False,
}

# Share of each number of steps, from 1: as in GSM8K train.
STEPS = (0.054, 0.291, 0.286, 0.191, 0.105, 0.038, 0.035)

TOPICS = """a bakery; a school library; a vegetable garden; a bus ride; a football season; a pet shelter; a birthday party;
a farm; a swimming pool; a train journey; painting a room; a paper round; a school play; collecting stamps; a fishing trip;
a lemonade stand; a hiking trail; a puzzle club; sewing costumes; a bicycle workshop; a museum visit; cooking for guests;
a savings jar; a toy shop; a science fair; a flower shop; an orchard; a reading challenge; a running club; a camping trip;
a bookshop; a music school; recycling bottles; a fish tank; a market stall; building a fence; a print shop; a long drive;
a phone plan; a ferry; a cinema; a chess tournament; a snow day; a quilt; a beehive; a car wash; a classroom; a zoo""".split(";")

TURNS = """one quantity is given as more or fewer than another; one quantity is a multiple of another;
a fraction of a quantity is used up; a percentage is taken; units are converted; a rate holds over a time;
the start is unknown and the end is given; one number in the story is not needed; change is paid back;
something is shared equally; two people combine what they have; an average is asked; an area or a perimeter is used;
a schedule with hours and minutes; a price per pack and a number of items; what is still missing is asked""".split(";")

NAMES = """Amara Ben Chloe Diego Elif Farid Grace Hana Ivan Jun Kofi Lena Mateo Nadia Omar Priya Quinn Rosa Samir Tessa Umar
Vera Wen Ximena Yusuf Zoe Aisha Boris Carmen Dina Emeka Fiona Gita Hugo Ines Jonas Kira Leo Mina Noor Oskar Paulo Rania
Sofia Tariq Ulla Viktor Wanda Yara Zain""".split()


def load_seeds(count: int) -> tuple[Row, ...]:
    """The first `count` of the frozen seeds (pipeline.seeds). Raises ValueError for too few or more than there are."""
    seeds = read_seeds()
    if not SHOTS <= count <= len(seeds):
        raise ValueError(f"--seeds {count}: between {SHOTS} and {len(seeds)} seed problems can be used")
    return seeds[:count]


@dataclass(frozen=True)
class Estimate:
    """Tokens and US dollars of some requests; `worst_usd` is more than they can cost."""

    requests: int
    input_tokens: int
    output_tokens: int
    usd: float
    worst_usd: float


@dataclass(frozen=True)
class Plan:
    """Which requests a run sends: everything below is a pure function of these fields."""

    model: Model
    problems: int
    per_request: int
    seed: int
    seeds: tuple[Row, ...]
    teacher: str = "anthropic_batch"

    def __post_init__(self):
        if not 1 <= self.per_request <= MAX_PER_REQUEST or self.problems < 1:
            raise ValueError(f"--problems must be at least 1 and --per-request between 1 and {MAX_PER_REQUEST}")

    @cached_property
    def config(self) -> dict:
        """All that the requests depend on, short enough to be kept beside them."""
        words = [SYSTEM, JSON_RULE, SCHEMA, STEPS, TOPICS, TURNS, NAMES, SHOTS, MAX_TOKENS_PER_PROBLEM]
        return {
            "teacher": self.teacher,
            "model": self.model.id,
            "settings": self.model.settings,
            "problems": self.problems,
            "per_request": self.per_request,
            "seed": self.seed,
            "seeds": sha256_json([[row.id, row.problem, row.steps, row.answer] for row in self.seeds]),
            "prompt": sha256_json(words),
        }

    @cached_property
    def sha256(self) -> str:
        return sha256_json(self.config)

    @property
    def requests(self) -> int:
        return -(-self.problems // self.per_request)

    def wanted(self, index: int) -> int:
        """Problems that request `index` asks for: `per_request`, but for the last."""
        return min(self.per_request, self.problems - index * self.per_request)

    def key(self, index: int) -> str:
        """16 hex digits that name the request in this plan."""
        return sha256_json([self.sha256, index])[:16]

    def max_tokens(self, index: int) -> int:
        return int((100 + MAX_TOKENS_PER_PROBLEM * self.wanted(index)) * self.model.density)

    def shown(self, index: int) -> list[Row]:
        """The seed problems that request `index` shows."""
        return Random(f"{self.sha256}:{index}:shown").sample(self.seeds, SHOTS)

    def prompt(self, index: int) -> str:
        """The user's message of request `index`."""
        random = Random(f"{self.sha256}:{index}:prompt")
        examples = [
            json.dumps({"problem": row.problem, "steps": row.steps, "answer": row.answer}, ensure_ascii=False)
            for row in self.shown(index)
        ]
        count = self.wanted(index)
        topics, turns, names = (random.sample(list(words), count) for words in (TOPICS, TURNS * 2, NAMES))
        orders = []
        for number in range(count):
            steps = random.choices(range(1, len(STEPS) + 1), STEPS)[0]
            # One step leaves no room for a turn.
            shape = "1 step" if steps == 1 else f"{steps} steps; {turns[number].strip()}"
            orders.append(f"{number + 1}. {topics[number].strip()}; {shape}; somebody is called {names[number]}")
        return (
            "Examples of style and format:\n\n"
            + "\n".join(examples)
            + f"\n\nWrite {count} new {'problem' if count == 1 else 'problems'}, in this order:\n\n"
            + "\n".join(orders)
        )

    def params(self, index: int, max_tokens: int | None = None) -> dict:
        """The body of request `index`, as `POST /v1/messages` takes it."""
        return {
            "model": self.model.id,
            "max_tokens": max_tokens or self.max_tokens(index),
            "system": SYSTEM,
            "messages": [{"role": "user", "content": self.prompt(index)}],
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            **self.model.settings,
        }

    def estimate(self, asks: list[tuple[int, int]]) -> Estimate:
        """Of requests given as (index, max_tokens)."""
        expected_in = expected_out = worst_in = worst_out = 0.0
        rest = len(SYSTEM) + len(JSON_RULE) + len(json.dumps(SCHEMA))
        for index, max_tokens in asks:
            prompt = self.prompt(index)
            expected_in += (rest + len(prompt)) / CHARACTERS_PER_TOKEN + OVERHEAD_TOKENS
            expected_out += TOKENS_PER_PROBLEM * self.wanted(index)
            worst_in += (rest + len(prompt.encode())) / WORST_BYTES_PER_TOKEN + 2 * OVERHEAD_TOKENS
            worst_out += max_tokens
        density = self.model.density
        return Estimate(
            len(asks),
            round(expected_in * density),
            round(expected_out * density),
            self.model.cost(expected_in * density, expected_out * density),
            self.model.cost(worst_in * density, worst_out),
        )


def estimate_all(plan: Plan) -> Estimate:
    """Of the whole plan: from SAMPLE of its requests, spread evenly, where it has more. Then `worst_usd` is no bound."""
    count = min(plan.requests, SAMPLE)
    sample = plan.estimate([(i, plan.max_tokens(i)) for i in (n * plan.requests // count for n in range(count))])
    scale = plan.requests / count
    return Estimate(
        plan.requests,
        round(sample.input_tokens * scale),
        round(sample.output_tokens * scale),
        sample.usd * scale,
        sample.worst_usd * scale,
    )


def read_reply(text: str) -> tuple[list[dict], list[str]]:
    """(problems as {"problem", "steps", "answer"}, the reason for each one that could not be read).

    A reply that is no such JSON at all, or an empty list, gives no problem and one reason that begins with "reply_".
    """
    try:
        # Numbers stay the text they were, so that none is too long to be read and none changes.
        reply = json.loads(
            text[text.find("{") : text.rfind("}") + 1], parse_int=str, parse_float=str, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return [], ["reply_is_not_json"]
    problems = reply.get("problems") if isinstance(reply, dict) else None
    if not isinstance(problems, list):
        return [], ["reply_has_no_list_of_problems"]
    if not problems:
        return [], ["reply_holds_no_problem"]
    read = [_read_problem(problem) for problem in problems]
    return [r for r in read if isinstance(r, dict)], [r for r in read if isinstance(r, str)]


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _read_problem(value: object) -> dict | str:
    """The problem, or the reason why it is none."""
    if not isinstance(value, dict):
        return "problem_is_no_object"
    problem, steps, answer = value.get("problem"), value.get("steps"), value.get("answer")
    if not isinstance(problem, str) or not isinstance(answer, str):
        return "problem_or_answer_is_no_text"
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        return "steps_are_no_list_of_texts"
    try:
        "".join([problem, answer, *steps]).encode("utf-8")
    except UnicodeEncodeError:  # half a character, which no file can hold
        return "text_holds_half_a_character"
    steps = [re.sub(r"^\s*step\s+\d+\s*[:.]\s*", "", step, flags=re.IGNORECASE).strip() for step in steps]
    return {"problem": problem.strip(), "steps": steps, "answer": answer.strip()}
