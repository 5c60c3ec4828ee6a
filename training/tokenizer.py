"""The tokenizer of models trained from scratch: byte-level BPE, single digits, Qwen's special tokens.

"48 / 2 = 24" becomes 4 8 _ / _ 2 _ = _ 2 4: a number is always its digits, so copying one is copying
a string, and no number is ever rare. The split pattern is Qwen's.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mathtutor.chat import END, END_THINK, ENDOFTEXT, START, THINK

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


def load_or_train(folder: Path, texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """The tokenizer in `folder`, trained and saved there if it is not there yet."""
    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer = train_tokenizer(texts, vocabulary)
    tokenizer.save_pretrained(folder)
    return tokenizer
