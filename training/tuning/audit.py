"""What is looked at before a run starts, printed, and refused when it is wrong.

    mask        which tokens are learned from: none or all of a conversation is a mistake
    template    the training text is what the model's own template would make of the conversation, `<think>` kept
    tokenizer   the token that ends a reply is one token, every example ends with it, no id is beyond the embedding
    data        rows left out and why, the hash of the text, what it was compared with

Each check returns lines for people and raises ValueError with a sentence that names the fix.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mathtutor.chat import BREAK, END_THINK, THINK, defuse, encode_conversation, render_conversation
from mathtutor.io import read_json
from training.data import IGNORED
from training.tuning.copies import GRAM, Copies, refuse_if_many
from training.tuning.items import Item, encode, sets_of
from training.tuning.recipe import TuneRecipe, is_local

if TYPE_CHECKING:
    from training.tuning.tokens import Tokens

GREEN, GREY, PLAIN = "\033[32m", "\033[90m", "\033[0m"
LOOKED_AT = 200  # items whose template is compared
NOT_COMPARED = "decontamination: not compared here, as data.compare is false"


def check_mask(tokens: Tokens, tokenizer, learn: str, colour: bool) -> list[str]:
    """The share of learned tokens and one example, learned text green or in [brackets]."""
    share = tokens.learned / tokens.total
    # The first token of an example follows nothing, so even "all" learns a little less than all.
    lines = [f"mask: {tokens.learned:,} of {tokens.total:,} tokens are learned from ({share:.1%})", show(*tokens.first, tokenizer, colour)]
    if tokens.learned == 0:
        raise ValueError(f"mask: no token is learned from: the replies are empty, or the mask is\n{lines[1]}")
    if learn == "reply" and share > 0.98:
        raise ValueError(f"mask: {share:.1%} of all tokens are learned from, so the prompts are not masked: look at the sets' columns\n{lines[1]}")
    return lines


def show(ids: Sequence[int], labels: Sequence[int], tokenizer, colour: bool) -> str:
    """An example as text, the learned part marked."""
    text = ""
    start = 0
    while start < len(ids):
        end = start
        while end < len(ids) and (labels[end] == IGNORED) == (labels[start] == IGNORED):
            end += 1
        piece = tokenizer.decode(ids[start:end])
        learned = labels[start] != IGNORED
        if colour:
            text += (GREEN if learned else GREY) + piece + PLAIN
        else:
            text += f"[{piece}]" if learned else piece
        start = end
    return text


def check_template(items: Sequence[Item], tokenizer, end: str) -> list[str]:
    """The text that is trained on is the text of inference, by our renderer and by the model's own template."""
    with_think = 0
    looked_at = items[:: max(1, len(items) // LOOKED_AT)]  # from all sets, wherever they stand
    for item in looked_at:
        ids, labels = encode(item, tokenizer, end, "reply")
        text = render_conversation(item.prompt) + item.reply + end
        prompt_ids = encode_conversation(item.prompt, tokenizer)
        _same("template: the ids do not say what the text says", tokenizer.decode(ids).replace(BREAK, ""), text.replace(BREAK, ""))
        if ids[: len(prompt_ids)] != prompt_ids:
            raise ValueError("template: the prompt of training has other ids than the prompt of inference")
        if THINK in item.reply:
            with_think += 1
            learned = tokenizer.decode([label for label in labels if label != IGNORED])
            if THINK not in learned or END_THINK not in learned:
                raise ValueError(f"template: {THINK} or {END_THINK} is lost on the way to ids: the tokenizer drops it")
        if tokenizer.chat_template:
            # What a control token in a problem becomes at inference too
            prompt = [t if t["role"] == "assistant" else {**t, "content": defuse(t["content"])} for t in item.prompt]
            whole = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": item.reply}], tokenize=False)
            opening = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
            if THINK in whole.removeprefix(opening) and THINK not in item.reply:
                raise ValueError(
                    f"template: the model's own template puts a thought before every reply, and a reply of {item.source} has none: name the column of its reasoning "
                    "(reasoning), part it (answer_at), or begin it with an empty thought, '<think>\\n\\n</think>\\n\\n' (docs/TRAINING.md)"
                )
            _same("template: the model's own template renders this conversation otherwise", text, whole.rstrip("\n"))
            if not text.startswith(opening):
                _same("template: at inference the model's own template opens the reply otherwise", text[: len(opening)], opening)
    own = "and by the model's own template" if tokenizer.chat_template else "(the tokenizer has no template of its own)"
    return [f"template: {len(looked_at)} conversations are the same text in training and at inference {own}; {with_think} reason in {THINK}"]


def _same(what: str, ours: str, theirs: str) -> None:
    if ours != theirs:
        at = len(os.path.commonprefix([ours, theirs]))
        raise ValueError(
            f"{what}: ours goes on {ours[at : at + 40]!r} where theirs goes on {theirs[at : at + 40]!r} "
            f"(after {ours[max(0, at - 30) : at]!r}). Bring the replies into that form, or set model.tokenizer to one with the right template"
        )


def check_tokenizer(tokenizer, end: str, rows_of_embedding: int, first: tuple[Sequence[int], Sequence[int]]) -> list[str]:
    """`end` closes every example and is what generation will stop at. `first`: ids and labels of an example."""
    vocabulary = tokenizer.get_vocab()
    if end not in vocabulary or len(tokenizer.encode(end, add_special_tokens=False)) != 1:
        raise ValueError(f"tokenizer: {end} is not one token of its own: set model.end to the token that ends a reply")
    end_id = vocabulary[end]
    if len(tokenizer) > rows_of_embedding:
        raise ValueError(f"tokenizer: it has {len(tokenizer):,} entries and the embedding {rows_of_embedding:,} rows: they do not belong together")
    ids, labels = first
    if max(ids) >= rows_of_embedding:
        raise ValueError(f"tokenizer: id {max(ids)} lies beyond the embedding's {rows_of_embedding:,} rows")
    if ids[-1] != end_id or labels[-1] != end_id:
        raise ValueError(f"tokenizer: an example does not end with a learned {end}: the model would never stop")
    if tokenizer.eos_token_id != end_id:
        raise ValueError(f"tokenizer: it ends a text with {tokenizer.eos_token}, training with {end}: the two must be one token")
    pieces = {tag: len(tokenizer.encode(tag, add_special_tokens=False)) for tag in (THINK, END_THINK)}
    whole = ", ".join(f"{tag} is {'one token' if n == 1 else f'{n} tokens'}" for tag, n in pieces.items())
    same = " (the same as the end: padding is masked, so the end is still learned)" if tokenizer.pad_token_id == end_id else ""
    return [f"tokenizer: {len(tokenizer):,} entries, a reply ends with {end} ({end_id}), padding is {tokenizer.pad_token}{same}; {whole}"]


def report_data(tokens: Tokens, left_out: Counter, recipe: TuneRecipe) -> list[str]:
    """What was left out, and why: nothing is ever cut short in silence."""
    lines = [f"data: {tokens.examples:,} examples, {tokens.total:,} tokens, the longest of all {tokens.longest:,}; {len(tokens.rows):,} rows a shuffle"]
    if recipe.train.packing:
        room = len(tokens.rows) * recipe.train.max_tokens
        lines.append(f"packing: rows of {recipe.train.max_tokens:,} tokens are {tokens.total / room:.1%} full; no example sees another")
    for reason, count in left_out.items():
        lines.append(f"  left out {count:,}: {reason}")
    for reason, count in tokens.dropped.items():
        lines.append(f"  dropped {count:,} ({tokens.dropped_tokens:,} tokens): {reason}")
    if not left_out and not tokens.dropped:
        lines.append("  nothing was left out or cut")
    return lines


def quoted(paths: Iterable[str | Path]) -> dict[str, list[str] | str]:
    """Path -> the tests that the report beside the file says its rows were compared with."""
    found = {}
    for path in map(Path, paths):
        report = path.with_name("report.json")
        tests = read_json(report).get("decontamination", {}).get("tests", "not compared") if report.exists() else "not compared: no report stands beside it"
        found[str(path)] = tests
    return found


def quote(reports: dict[str, list[str] | str]) -> list[str]:
    """What `quoted` found, as lines for people."""
    return [
        f"decontamination: {path} was {tests}" if isinstance(tests, str) else f"decontamination: {path} was compared with {', '.join(tests)}"
        for path, tests in reports.items()
    ]


def without_test_items(items: Sequence[Item], recipe: TuneRecipe) -> tuple[list[Item], Counter, list[str], dict]:
    """(items, reason -> taken out, lines, record): no test problem is trained on, and none that shares 13 words in a row with one.

    The test splits are those of `mathtutor.sources`, from a local folder or from the hub. Raises ValueError where they
    cannot be read, and where so much is copied from one that the set is no training set.
    """
    record: dict = {"compared_with": {}, "reports": quoted(one.path for one in sets_of(recipe.data) if one.kind == "rows" and is_local(one.path))}
    lines = quote(record["reports"])
    if not recipe.data.compare:
        return list(items), Counter(), [*lines, NOT_COMPARED], record
    copies = Copies()
    kept, taken, near = [], Counter(), Counter()
    for item in items:
        found = copies.of(" ".join(turn["content"] for turn in item.prompt if turn["role"] == "user"))
        near.update(found)
        if (name := copies.whole(item.problem)) is not None:
            taken[f"it is a problem of {name}"] += 1
        elif found:
            taken[f"it shares {GRAM} words in a row with {' and '.join(sorted(found))}"] += 1
        else:
            kept.append(item)
    record["compared_with"] = {name: {"taken_out": taken[f"it is a problem of {name}"], f"{GRAM}_gram": near[name]} for name in copies.names}
    refuse_if_many(taken.total(), len(items), "training problems", ", ".join(f"{n:,} {why}" for why, n in taken.items()))
    return kept, taken, [*lines, f"decontamination: compared with {', '.join(copies.names)}; {taken.total():,} of {len(items):,} problems were left out"], record
