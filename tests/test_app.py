"""The launched app, driven as a program would: no browser, a scripted engine."""

from __future__ import annotations

import re
import time
from html import unescape

import httpx
import pytest
from gradio_client import Client

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import Finding
from tests.browser import PATIENCE, eventually, serve
from ui import strings, wiring
from ui.desk import Desk
from ui.learn import solve
from ui.streams import LazyEngine, Limits, WaitingLine

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
PENS = "A pen costs $10 and a book costs $12. What do they cost together?"
SLIP = "A box holds 6 eggs. How many eggs are in 7 boxes and 1 more egg?"
LOST = "Ben has 5 nuts, some twigs and 2 dogs. How many twigs has he?"
UNKNOWN = "Nobody wrote a reply for these 3 apples and 4 pears."
RAMBLING = "Count the legs of 4 cats and 3 hens, one by one. How many legs?"

REPLIES = {
    APPLES: "<think>\nStep 1: Ana has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.0.",
    PENS: "<think>\nStep 1: She pays $10 and then $12, so 10 + 12 = 22\n</think>\n\nThe answer is $22.",
    SLIP: "<think>\nStep 1: 6 * 7 = 42\nStep 2: 42 + 1 = 44\n</think>\n\nThe answer is 44.",
    LOST: "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know.",
    RAMBLING: "<think>\nStep 1: One leg, two legs, three legs",
}
BASE = {problem: reply.replace("Ana has", "Ana buys") for problem, reply in REPLIES.items()}
BASE[SLIP] = "<think>\nStep 1: 6 * 7 = 42\nStep 2: 42 + 1 = 43\n</think>\n\nThe answer is 43."


@pytest.fixture(scope="module")
def url():
    with serve(
        app.build_app(ScriptedEngine(REPLIES, name="tuned"), ScriptedEngine(BASE, name="base"))
    ) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


def asked(client, *inputs, api_name: str) -> list[str]:
    """The last text that each output of a run was given, tags removed."""
    shown: dict[int, str] = {}
    job = client.submit(*inputs, api_name=api_name)
    job.result(timeout=PATIENCE)
    for values in job.outputs():
        shown.update({index: value for index, value in enumerate(values) if isinstance(value, str)})
    return [unescape(re.sub(r"<[^>]+>", " ", shown.get(index, ""))) for index in range(max(shown) + 1)]


def test_solves_a_problem_with_checked_steps(client):
    status, steps, answer = asked(client, APPLES, True, api_name="/solve")
    assert strings.PHASES[Phase.ANSWERED] in status
    assert "Ana has 3 + 4 = 7 apples." in steps and "✓" in steps and "sums check" in steps
    assert re.search(r"My answer\s+7\s", answer) and strings.NOT_PROOF in answer


def test_a_dollar_stays_a_dollar(client):
    _, steps, answer = asked(client, PENS, False, api_name="/solve")
    assert "She pays $10 and then $12, so 10 + 12 = 22" in steps
    assert "The answer is $22." in answer


def test_a_wrong_sum_is_tried_again_and_then_admitted(client):
    _, steps, answer = asked(client, SLIP, True, api_name="/solve")
    assert "42 + 1 = 44" in steps and "does not add up" in steps and "42 + 1 makes 43" in steps
    assert strings.WRONG_TO_ME_TOO.format(step=2) in answer


REFUSED = [
    ("", strings.START),
    (None, strings.START),
    ("How many?", strings.FINDINGS[Finding.TOO_SHORT]),
    (12, strings.FINDINGS[Finding.TOO_SHORT]),
    ({"a": [1, 2]}, strings.FINDINGS[Finding.TOO_SHORT]),
    ("Look at the picture. How many apples?", strings.FINDINGS[Finding.PICTURE]),
    ("Write me an essay about cats", strings.FINDINGS[Finding.NOT_A_PROBLEM]),
    ("call me on 555-123-4567, what is 3 + 4?", strings.FINDINGS[Finding.PERSONAL]),
    ("3 + 4 " * 500, strings.FINDINGS[Finding.TOO_LONG]),
]


@pytest.mark.parametrize("api_name", ["/solve", "/compare"])
@pytest.mark.parametrize(("problem", "words"), REFUSED)
def test_what_is_no_problem_gets_a_kind_sentence(client, problem, words, api_name):
    assert words in asked(client, problem, True, api_name=api_name)[0]


@pytest.mark.parametrize(
    ("problem", "phase"), [(LOST, Phase.NO_ANSWER), (RAMBLING, Phase.CUT_OFF), (UNKNOWN, Phase.FAILED)]
)
def test_every_end_has_its_sentence(client, problem, phase):
    status, _, answer = asked(client, problem, True, api_name="/solve")
    assert strings.PHASES[phase] in status and "My answer" not in answer
    _, left, right, _ = asked(client, problem, True, api_name="/compare")
    assert strings.COMPARE_PHASES[phase] in left and strings.COMPARE_PHASES[phase] in right


def test_worry_words_get_help_and_no_model(client):
    shown = " ".join(asked(client, "I want to die. 3 + 4 = ?", True, api_name="/solve"))
    assert strings.WORRY_TITLE in shown and "988" in shown and "My answer" not in shown


def test_compares_two_engines(client):
    status, left, right, summary = asked(client, APPLES, True, api_name="/compare")
    assert strings.COMPARE_DONE in status and strings.SAME_ANSWER.format(answer=7) in summary
    assert "Ana buys 3 + 4 = 7" in left and "Ana has 3 + 4 = 7" in right
    assert re.search(r"\d+ tokens · \d+\.\d s", left) and re.search(r"\d+ tokens · \d+\.\d s", right)


def test_finds_where_two_engines_part(client):
    _, left, right, summary = asked(client, SLIP, True, api_name="/compare")
    assert strings.OTHER_ANSWERS.format(base=43, tuned=44) in summary
    assert strings.FIRST_DIFFERENCE.format(step=2) in summary
    assert strings.DIFFERS in left and strings.DIFFERS in right


def test_only_the_runs_are_public(client):
    assert set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == {
        "/solve", "/solve_again", "/compare",
    }  # fmt: skip


def test_the_server_keeps_its_doors_shut(url):
    config = httpx.get(f"{url}/config").json()
    assert config["analytics_enabled"] is False and not config.get("run_history")
    assert all(dependency["queue"] is not None for dependency in config["dependencies"])
    files = {"files": ("a.html", b"<script>")}
    assert httpx.post(f"{url}/gradio_api/upload", files=files).status_code == 404
    assert httpx.post(f"{url}/gradio_api/run/solve", json={"data": ["", True]}).status_code == 404
    assert httpx.post(f"{url}/gradio_api/queue/join", content=b"x" * 20_000).status_code == 413
    page = httpx.get(url)
    assert page.status_code == 200 and "script-src-attr 'none'" in page.headers["content-security-policy"]
    for line in page.text.splitlines():
        assert not re.search(r"<(?:script|link)[^>]+(?:src|href)=\"?https?://", line)


def views(
    engine, problem: str = APPLES, limits: Limits = Limits(), line: WaitingLine | None = None
) -> list[str]:
    desk = Desk({"tuned": engine}, limits, line or WaitingLine())
    return [unescape(re.sub(r"<[^>]+>", " ", view.status)) for view in solve(problem, True, desk)]


def test_the_page_waits_for_an_engine_that_wakes_up(tmp_path):
    script = tmp_path / "replies.json"
    script.write_text('["<think>\\nStep 1: 3 + 4 = 7\\n</think>\\n\\nThe answer is 7."]', encoding="utf-8")
    engine = LazyEngine(f"scripted:{script}")
    running = solve(APPLES, True, Desk({"tuned": engine}))
    assert "waking up" in next(running).status
    engine.start().wait(PATIENCE)
    assert strings.PHASES[Phase.ANSWERED] in [*running][-1].status


def test_an_engine_that_cannot_wake_is_admitted():
    engine = LazyEngine("nobody").start()
    engine.wait(PATIENCE)
    assert strings.ASLEEP in views(engine)[-1]


def test_says_how_many_are_ahead():
    line, engine = WaitingLine(), ScriptedEngine(REPLIES)
    with line.place(), line.place():
        running = solve(APPLES, True, Desk({"tuned": engine}, Limits(), line))
        assert "2 people are ahead of you" in next(running).status
        running.close()
    assert len(line) == 0
    with line.place():
        running = solve(APPLES, True, Desk({"tuned": engine}, Limits(), line))
        assert "1 person is ahead of you" in next(running).status
        running.close()
    assert engine.num_produced == 0


def test_says_when_the_line_is_full():
    line = WaitingLine(max_waiting=0)
    with line.place():
        assert strings.FULL in views(ScriptedEngine(REPLIES), line=line)[-1]


def test_a_second_try_that_adds_up_takes_the_place_of_the_first():
    good = REPLIES[SLIP].replace("42 + 1 = 44", "42 + 1 = 43").replace("is 44", "is 43")
    engine = ScriptedEngine([REPLIES[SLIP], good])
    last = [*solve(SLIP, True, Desk({"tuned": engine}))][-1]
    assert "42 + 1 = 43" in last.steps and "42 + 1 = 44" not in last.steps
    assert (
        strings.TWO_TRIES in last.answer and strings.RAW_FIRST in last.answer and "42 + 1 = 44" in last.answer
    )


JOIN = "/gradio_api/queue/join"


def test_a_run_that_nobody_listens_to_is_ended(monkeypatch):
    engine = ScriptedEngine(["word " * 2000], delay=0.01)
    monkeypatch.setattr(wiring, "PATIENCE", 0.6)

    def rests() -> bool:
        produced = engine.num_produced
        time.sleep(0.5)
        return 0 < produced == engine.num_produced

    with serve(app.build_app(engine, engine)) as url:
        functions = {f["api_name"]: f["id"] for f in httpx.get(f"{url}/config").json()["dependencies"]}
        body = {"data": [APPLES, True], "fn_index": functions["solve"], "session_hash": "nobody"}
        assert httpx.post(url + JOIN, json=body).status_code == 200
        assert eventually(rests)
        produced = engine.num_produced
        assert produced < 500  # of 512: it did not simply come to its end

        heard = httpx.post(f"{url}/gradio_api/call/solve", json={"data": [APPLES, True]}).json()["event_id"]
        with httpx.stream("GET", f"{url}/gradio_api/call/solve/{heard}", timeout=PATIENCE) as stream:
            pieces = stream.iter_raw()
            ends = time.monotonic() + 1.5
            while time.monotonic() < ends or engine.num_produced <= produced + 80:
                next(pieces)  # raises StopIteration where the run was ended all the same


def test_a_flood_of_one_address_is_turned_away():
    with serve(app.build_app(ScriptedEngine(REPLIES), ScriptedEngine(REPLIES)), burst=2, rate=0) as url:
        answers = [httpx.post(f"{url}/gradio_api/call/solve", json={"data": ["", True]}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert answers[-1].text == "Too many problems at once. Wait a few seconds."


@pytest.mark.parametrize(
    "body", [{"data": [], "fn_index": 999}, {"data": {}, "fn_index": 0}, {"data": None}, [], "x", {"fn_index": []}]
)
def test_a_malformed_run_is_refused_and_not_a_server_error(url, body):
    answer = httpx.post(url + JOIN, json={"session_hash": "a", **body} if isinstance(body, dict) else body)
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [{}, [], {"session_hash": 5}, {"session_hash": "x", "fn_index": 1, "event_id": "y"}])
def test_a_malformed_cancel_is_no_server_error(url, body):
    assert httpx.post(f"{url}/gradio_api/cancel", json=body).status_code < 500


@pytest.mark.parametrize("port", ["", "0", "65536", "99999", "-1", "80a", "８０８０", "²", "7860 ", "0" * 5000])
def test_a_port_that_is_none_ends_in_a_sentence(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(SystemExit, match="PORT must be a number from 1 to 65535"):
        app.main()


def test_the_page_shows_no_part_of_an_engines_address_but_its_host():
    engine = LazyEngine("openai:https://ana:hunter2@example.org/hunter2/v1#qwen3")
    with serve(app.build_app(engine, engine)) as url:
        config = httpx.get(f"{url}/config").text
        assert "qwen3 at example.org" in config and "hunter2" not in config
