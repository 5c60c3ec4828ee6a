"""The tokenizer of models trained from scratch: byte-level BPE, single digits, Qwen's special tokens.

"48 / 2 = 24" becomes 4 8 _ / _ 2 _ = _ 2 4: a number is always its digits, so copying one is copying
a string, and no number is ever rare. The split pattern is Qwen's.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mathtutor.chat import END, END_THINK, ENDOFTEXT, START, THINK
from mathtutor.io import Damaged, read_json, replace_folder, write_json

RECORD = "made_from.json"

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# What Qwen3's own template renders for these conversations; `tests/test_training.py` holds it
# against `mathtutor.chat`.
CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer of exactly `vocabulary` entries, if the texts offer that many merges.

    The special tokens stand first: <|endoftext|> 0 (padding), <|im_start|> 1, <|im_end|> 2, <think> 3,
    </think> 4. As in Qwen3, the think tags are not "special": decoding keeps them.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[ENDOFTEXT, START, END, THINK, END_THINK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (ENDOFTEXT, START, END)])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in (THINK, END_THINK)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=ENDOFTEXT, clean_up_tokenization_spaces=False
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def load_or_train(folder: Path, texts: Iterable[str], vocabulary: int, data: dict) -> PreTrainedTokenizerFast:
    """The tokenizer in `folder`, trained and saved there, whole, if the folder is not there yet.

    `data` identifies the texts. Raises ValueError if the one in the folder was made from others, or
    with another vocabulary.
    """
    made_from = {"vocabulary": vocabulary, **data}
    if folder.exists():
        fix = "choose a new --out, or put it back as it was"
        if not (folder / RECORD).exists():
            raise ValueError(f"{folder} has no {RECORD} that says what it was made from: {fix}")
        record = read_json(folder / RECORD)
        if not isinstance(record, dict):
            raise Damaged(f"{folder / RECORD} is damaged: {fix}")
        if different := [key for key in made_from if record.get(key) != made_from[key]]:
            raise ValueError(f"{folder} was made with another {', '.join(different)}: {fix}")
        return PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer = train_tokenizer(texts, vocabulary)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    tokenizer.save_pretrained(temporary)
    write_json(temporary / RECORD, made_from)
    replace_folder(temporary, folder)
    return tokenizer


def tokenizer_hash(tokenizer: PreTrainedTokenizerFast) -> str:
    """Identifies how a tokenizer cuts text, wherever it was loaded from."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode("utf-8")).hexdigest()
