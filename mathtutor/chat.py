r"""The chat format: Qwen's ChatML with the reasoning inside `<think>`, one artefact for all.

    <|im_start|>user
    If 3x + 7 = 22, what is x?<|im_end|>
    <|im_start|>assistant
    <think>
    Step 1: Subtract 7 from both sides: 3 * x = 22 - 7 = 15
    Step 2: Divide both sides by 3: x = 15 / 3 = 5
    </think>

    The answer is 5.<|im_end|>

The prompt ends after `assistant\n`; everything from `<think>` on is the reply. This is the training
format of the Qwen3-GSM8K-Synth cards and what Qwen3's own template renders for one user turn without
a system prompt. `tests/test_chat.py` pins every byte.

What a student types can never become a control token: `defuse` breaks such strings up with a
zero-width space, and `encode_conversation` encodes each message alone and splices the ids between
the template's own, so that not even a merge across the border is possible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Conversation = Sequence[dict[str, str]]  # [{"role": "system" | "user" | "assistant", "content": text}, ...]

START, END = "<|im_start|>", "<|im_end|>"
THINK, END_THINK = "<think>", "</think>"
NO_THINKING = f"{THINK}\n\n{END_THINK}\n\n"  # how Qwen3's own template turns thinking off
ENDOFTEXT = "<|endoftext|>"
CONTROL_TOKENS = (ENDOFTEXT, START, END, THINK, END_THINK)
ROLES = ("system", "user", "assistant")

# Invisible, and it keeps the text readable for the student; deleting the string instead would let
# "<thi<think>nk>" close up into a new "<think>".
BREAK = "\u200b"


def conversation(problem: str) -> list[dict[str, str]]:
    """The conversation that asks for one problem: a single user turn, no system prompt."""
    return [{"role": "user", "content": problem}]


def defuse(text: str, control_tokens: Sequence[str] = CONTROL_TOKENS) -> str:
    """`text` with every control string broken up by a zero-width space; other text is unchanged."""
    for token in control_tokens:
        # One pass is enough: the break stands inside the token, so nothing can close up around it.
        if len(token) > 1:
            text = text.replace(token, token[0] + BREAK + token[1:])
    return text


def render_conversation(conversation: Conversation, prefill: str = "") -> str:
    """The text a model is given: every turn, then the opening of the assistant's turn and `prefill`."""
    return "".join(_turns(conversation)) + START + "assistant\n" + prefill


def open_reply(conversation: Conversation) -> tuple[Conversation, str]:
    """(the turns, the beginning of the reply): a last turn of the assistant is a reply to be gone on with."""
    if conversation and conversation[-1].get("role") == "assistant":
        return conversation[:-1], conversation[-1]["content"]
    return conversation, ""


def render_prompt(problem: str) -> str:
    """The prompt for one problem."""
    return render_conversation(conversation(problem))


def render_target(steps: Sequence[str], answer: str) -> str:
    """The reply we train on, closing token included. `steps` come without their "Step 1: "."""
    lines = "\n".join(f"Step {number}: {step}" for number, step in enumerate(steps, start=1))
    return f"{THINK}\n{lines}\n{END_THINK}\n\nThe answer is {answer}.{END}"


def _turns(conversation: Conversation, control_tokens: Sequence[str] = CONTROL_TOKENS) -> list[str]:
    """The rendered turns, each as template text with its content defused."""
    turns = []
    for message in conversation:
        if message.get("role") not in ROLES or not isinstance(message.get("content"), str):
            raise ValueError(
                f"a message needs a role of {', '.join(ROLES)} and a text content, not {message!r:.100}"
            )
        content = message["content"]
        if message["role"] != "assistant":  # our own assistant turns may hold a real <think>
            content = defuse(content, control_tokens)
        turns.append(f"{START}{message['role']}\n{content}{END}\n")
    return turns


def encode_conversation(conversation: Conversation, tokenizer: Any, prefill: str = "") -> list[int]:
    """Token ids of `render_conversation`, with no control id inside any user or system message.

    `tokenizer` is a transformers tokenizer with the ChatML tokens. Every string it has added, special
    or not, is treated as a control string: `<think>` is not "special" in Qwen's tokenizers and would
    otherwise pass. Raises ValueError if a control id still appears.
    """
    added = {token.content: index for index, token in tokenizer.added_tokens_decoder.items()}
    for token in (START, END):
        if token not in added:
            raise ValueError(f"this tokenizer has no {token}: it cannot render the chat format")
    forbidden = set(added.values())
    control_tokens = sorted(set(added) | set(CONTROL_TOKENS), key=len, reverse=True)
    ids: list[int] = []
    _turns(conversation)  # checks the shape of every message
    for message in conversation:
        ids += tokenizer.encode(f"{START}{message['role']}\n", add_special_tokens=False)
        if message["role"] == "assistant":
            ids += tokenizer.encode(message["content"], add_special_tokens=False)
        else:
            content = tokenizer.encode(defuse(message["content"], control_tokens), add_special_tokens=False)
            if not forbidden.isdisjoint(content):
                raise ValueError("a control token survived in a message: the tokenizer adds it by a rule of its own")
            ids += content
        ids += tokenizer.encode(f"{END}\n", add_special_tokens=False)
    return ids + tokenizer.encode(f"{START}assistant\n{prefill}", add_special_tokens=False)


@dataclass(frozen=True)
class ReplyParts:
    """A reply taken apart: what stands inside `<think>` and what follows it.

    `opened`: the reply thinks aloud in tags at all; `closed`: the last `</think>` has come. A reply without
    tags is all tail.
    """

    reasoning: str
    tail: str
    opened: bool
    closed: bool


_TAGS = re.compile(f"({THINK}|{END_THINK})")


def split_reply(reply: str) -> ReplyParts:
    """Reasoning and tail of a reply, also of one still being written.

    A piece of text is reasoning where `<think>` stands before it or `</think>` after it: a prompt may have
    opened the first block, and a model may think twice. Blocks are joined by a line break, blank ones are
    left out; the tail is what follows the last `</think>`. A tag at the very end that is still being typed
    ("<thi") is left out, so that it never flashes on the screen.
    """
    pieces = _TAGS.split(reply.replace(END, "").replace(ENDOFTEXT, ""))
    pieces[-1] = _without_partial(pieces[-1])
    if len(pieces) == 1:
        begun = not pieces[0].strip() and THINK.startswith(reply.strip()) and bool(reply.strip())
        return ReplyParts("", pieces[0].lstrip(), begun, False)
    closed = pieces[-2] == END_THINK
    blocks = [
        piece.strip("\n")
        for i, piece in enumerate(pieces[:-1:2])
        if pieces[2 * i + 1] == END_THINK or (i and pieces[2 * i - 1] == THINK)
    ]
    blocks = [block for block in blocks if block.strip()]
    if not closed:
        blocks.append(pieces[-1].lstrip("\n"))  # blank or not, it ends the line before it
    return ReplyParts("\n".join(blocks), pieces[-1].lstrip() if closed else "", True, closed)


_PARTIAL = re.compile(
    "(?:" + "|".join(re.escape(tag[:n]) for tag in (THINK, END_THINK, END) for n in range(len(tag) - 1, 1, -1)) + r")\Z"
)


def _without_partial(text: str) -> str:
    """Drop the beginning of a tag from the end of a text that may still be growing."""
    match = _PARTIAL.search(text)
    return text[: match.start()] if match else text
