"""Shared stand-ins: a tokenizer and a model that are made here, in a second, from a few problems."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402

from mathtutor.bank import load_bank  # noqa: E402
from tests import promises  # noqa: E402


def pytest_collection_modifyitems(items):
    """The number of a test's promise travels with its reports to the summary below."""
    for item in items:
        item.user_properties.extend(("promise", mark.args[0]) for mark in item.iter_markers("promises"))


def pytest_terminal_summary(terminalreporter):
    ends = [report for outcome in ("passed", "failed", "error", "skipped") for report in terminalreporter.getreports(outcome)]
    if told := list(promises.lines(ends)):
        terminalreporter.section("the thirteen promises of the page")
        for line in told:
            terminalreporter.write_line(line)


@pytest.fixture
def measured(request):
    """Called with words that hold a number, it has them stand behind the test's promise in the summary."""
    return lambda words: request.node.user_properties.append(("measured", words))


def bank_texts(count: int = 200) -> list[str]:
    families = list(load_bank().values())
    instances = (families[i % len(families)].instantiate(5, i) for i in range(count))
    return [f"{instance.problem}\n" + "\n".join(instance.steps) for instance in instances]


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """A BPE of 600 entries with the project's special tokens."""
    from training.tokenizer import train_tokenizer

    return train_tokenizer(bank_texts(), 600)


@pytest.fixture(scope="session")
def tiny_model_folder(tiny_tokenizer, tmp_path_factory):
    """A saved Qwen3 of a few thousand random weights with that tokenizer."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from training.export import save_model

    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tiny_tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=64,
            head_dim=16,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            eos_token_id=tiny_tokenizer.eos_token_id,
            pad_token_id=tiny_tokenizer.pad_token_id,
        )
    )
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(model, tiny_tokenizer, folder)
    return folder
