"""What a judge is told: data in `prompts.yaml`, a prompt here.

    prompt = prompt_of("grade", problem=..., solution=..., rubric=..., proof=...)
    prompt.sha256       of all that the judge sees: another rubric is another prompt, and so another grade

Blind: a prompt is made of these texts alone. Who wrote the proof, who else graded it and what they gave is not in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from mathtutor.chat import BREAK, defuse
from mathtutor.io import sha256_json

FILE = Path(__file__).with_name("prompts.yaml")
TASKS = ("grade", "equivalence")

# A proof that holds these could end its own section, or hand the judge a mark to quote.
_OURS = re.compile(
    r"<(?=/?\s*(?:points|verdict|problem|reference_solution|reference_answer|grading_guidelines|proof|solution)\b)", re.IGNORECASE
)


@dataclass(frozen=True)
class Prompt:
    """One system text and one turn of the user, exactly as they are sent."""

    system: str
    user: str

    @property
    def sha256(self) -> str:
        return sha256_json([self.system, self.user])

    @property
    def num_chars(self) -> int:
        return len(self.system) + len(self.user)


@cache
def templates() -> dict[str, dict]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def prompt_of(task: str, **texts: str | None) -> Prompt:
    """The prompt of one of TASKS; a text that is None or blank is left out, and not spoken of."""
    template = templates()[task]
    given = {name: disarm(text) for name, text in texts.items() if text and text.strip()}
    unknown = texts.keys() - template["parts"].keys()
    if unknown:
        raise ValueError(f"{task} knows no text {', '.join(sorted(unknown))}")
    notes = [note for name, note in template["with"].items() if name in given]
    parts = [part.replace(f"{{{name}}}", given[name]) for name, part in template["parts"].items() if name in given]
    return Prompt(template["system"].strip(), "\n\n".join([*([" ".join(notes)] if notes else []), *parts, template["end"]]))


def disarm(text: str) -> str:
    """`text` with our tags and every chat control token broken up by a zero-width space; the rest is unchanged."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half a character cannot be sent
    return defuse(_OURS.sub("<" + BREAK, text)).strip()
