"""How far a command has come: lines for a file, a bar for a terminal."""

from __future__ import annotations

import re
import time

import pytest

from mathtutor import progress as module
from mathtutor.progress import counted, progress
from training import progress as of_training


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.05)


def test_a_file_gets_plain_lines_with_what_is_done_and_what_is_to_go(fast, capsys):
    with progress(1200, 3, "replies") as advance:
        advance()
        time.sleep(0.13)  # two lines, though nothing more is finished
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 3 and all(
        re.fullmatch(r"[45] of 1,200 replies after \d s, about [\dhmins ]+ to go", line) for line in lines
    )
    assert lines[-1].startswith("5 of 1,200")


def test_what_is_over_at_once_says_nothing(capsys):
    with progress(2, 0, "replies") as advance:
        advance()
        advance()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total, line", [(9, "rules: 3 of 9 rows after 0 s, about 0 s to go"), (None, "rules: 3 rows after 0 s")])
def test_the_work_is_named_where_a_command_does_several(fast, capsys, total, line):
    with progress(total, 0, "rows", name="rules") as advance:
        advance(3)
        time.sleep(0.08)
    assert line in capsys.readouterr().err.splitlines()


def test_what_is_taken_is_counted(fast, capsys):
    for _ in counted(iter("abc"), 3, "rows", "rules"):
        time.sleep(0.03)
    assert capsys.readouterr().err.splitlines()[-1] == "rules: 3 of 3 rows after 0 s"


def test_an_error_ends_the_lines_and_goes_through(fast, capsys):
    with pytest.raises(KeyError), progress(2, 0, "replies"):
        raise KeyError
    time.sleep(0.12)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with progress(2, 0, "replies") as advance:
        advance()
        advance()
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "seconds, words", [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7261, "2 h 1 min")]
)
def test_time_is_told_as_people_tell_it(seconds, words):
    assert module.duration(seconds) == words


def test_a_training_run_in_a_file_says_each_row_of_its_log_and_that_it_lives_between_them(monkeypatch, capsys):
    clock = iter([0.0, *(20.0 * n for n in range(1, 30))])
    monkeypatch.setattr(of_training.time, "monotonic", lambda: next(clock))
    bar = of_training.Progress(1240, 1000)
    for _ in range(3):
        bar.advance()
    bar.tell("loss 0.310, 1,840 tokens/s")
    bar.write("a sample")
    of_training.Progress(9, 0, shown=False).tell("nothing")
    said = capsys.readouterr()
    assert said.out == "a sample\n" and len(said.err.splitlines()) == 2
    assert re.fullmatch(r"step 1,002 of 1,240: 1 min 0 s, about [\dhmins ]+ to go", said.err.splitlines()[0])
    assert re.fullmatch(r"step 1,003 of 1,240: loss 0.310, 1,840 tokens/s; [\dmins ]+, about [\dhmins ]+ to go", said.err.splitlines()[1])


def test_a_training_run_on_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(of_training.sys.stderr, "isatty", lambda: True, raising=False)
    bar = of_training.Progress(2, 0)
    bar.advance()
    bar.tell("loss 0.310")
    bar.close()
    assert "1/2" in (said := capsys.readouterr().err) and "loss 0.310" in said and "of 2:" not in said
