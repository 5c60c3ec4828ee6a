"""The public endpoints, by Gradio's client, by plain HTTP, and as tools by the SDK of MCP; scripted engines."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest
from gradio_client import Client
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.maths.arithmetic import evaluate
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.screen import Finding
from tests.browser import PATIENCE, eventually, serve
from ui import wiring
from ui.api import checked_work_of, solution_of, twin_of
from ui.desk import Desk
from ui.streams import Limits, WaitingLine

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
REPLY = "<think>\nStep 1: Ana has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7."
OTHER = "<think>\nStep 1: 3 * 4 = 12\n</think>\n\nThe answer is 12."
SLIP = "<think>\nStep 1: 3 + 4 = 8\n</think>\n\nThe answer is 8."
LOST = "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know."


def desk(*replies: str, **more) -> Desk:
    return Desk({"tuned": ScriptedEngine(list(replies) or [REPLY])}, **more)


@pytest.fixture(scope="module")
def url():
    engine = ScriptedEngine({APPLES: REPLY})
    with serve(app.build_app(engine, engine)) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


SOLVED = {
    "steps": ["Ana has 3 + 4 = 7 apples."],
    "checks": [{"state": "ok", "sums": 1, "wrong": []}],
    "answer": "7",
    "agreement": {"standing": "agreed", "votes": 5, "tries": 5, "answers": ["7"]},
    "says": strings.AGREE.format(tries=5),
}


def test_a_sum_without_a_story_is_computed_and_asks_no_model():
    found = solution_of("What is 2 + 3 * 4?", desk(LOST))
    assert (found["steps"], found["answer"]) == (["3 * 4 = 12", "2 + 12 = 14"], "14")
    assert found["agreement"] == {"standing": "computed", "votes": 0, "tries": 0, "answers": ["14"]}
    assert found["says"] == strings.COMPUTED_ANSWER
    checked = checked_work_of("12 * 7", ["12 * 7 = 86"], desk(LOST))
    assert (checked["verdict"], checked["line"], checked["beside"]) == ("doubt", 1, "computed")


def test_solves_for_a_program(client):
    assert client.predict(APPLES, api_name="/solve") == SOLVED
    assert client.predict(problem=APPLES, api_name="/solve") == SOLVED


def test_checks_work_for_a_program(client):
    found = client.predict(APPLES, ["3 + 4 = 8", "So 8 apples"], api_name="/check_work")
    assert (found["verdict"], found["line"], found["kind"], found["beside"]) == ("doubt", 1, "calculation", "own")
    assert [line["mark"] for line in found["lines"]] == ["doubt", "not read"] and "3 + 4 = 8" in found["question"]
    right = client.predict(APPLES, ["3 + 4 = 7"], api_name="/check_work")
    assert (right["verdict"], right["line"], right["kind"], right["question"]) == ("right", None, None, "")


def test_makes_a_twin_for_a_program(client):
    made = client.predict(APPLES, api_name="/twin")
    assert made["problem"] != APPLES and "apples" in made["problem"] and made["says"] == f"{strings.TWIN_READY} {strings.TWIN_ANSWER}"
    first = made["steps"][0]
    assert str(evaluate(first[first.index("has ") + 4 : first.index(" =")]).value) == made["answer"]


def test_every_endpoint_says_what_it_takes_and_gives(client):
    found = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    takes = {name: [p["parameter_name"] for p in info["parameters"]] for name, info in found.items()}
    assert takes == {"/solve": ["problem"], "/check_work": ["problem", "lines"], "/twin": ["problem"]}
    gives = {name: set(info["returns"][0]["type"]["properties"]) for name, info in found.items()}
    assert gives["/solve"] == {"steps", "checks", "answer", "agreement", "says"}
    assert gives["/check_work"] == {"verdict", "lines", "line", "kind", "question", "beside", "says"}
    assert gives["/twin"] == {"problem", "steps", "answer", "says"}


def test_solves_by_plain_http(url):
    event = httpx.post(f"{url}/gradio_api/call/solve", json={"data": [APPLES]}).json()["event_id"]
    told = httpx.get(f"{url}/gradio_api/call/solve/{event}", timeout=PATIENCE).text
    assert "event: complete" in told and json.loads(told.split("data: ")[-1])[0] == SOLVED


def by_mcp(url: str, act):
    """What `act(session)` returns, with a session of the SDK's client."""

    async def talk():
        async with streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                return await act(session)

    return asyncio.run(talk())


def test_is_a_set_of_tools_by_mcp(url):
    async def act(session):
        tools = (await session.list_tools()).tools
        called = await session.call_tool("solve", {"problem": APPLES})
        checked = await session.call_tool("check_work", {"problem": APPLES, "lines": ["3 + 4 = 8"]})
        return tools, called, checked

    tools, called, checked = by_mcp(url, act)
    assert {tool.name for tool in tools} == {"solve", "check_work", "twin"}
    assert all(tool.description and tool.inputSchema["properties"]["problem"]["description"] for tool in tools)
    for false in ("all tries agree", "not guessed"):
        assert not any(false in " ".join(tool.description.split()) for tool in tools), false
    assert not called.isError and json.loads(called.content[0].text) == SOLVED
    assert not checked.isError and json.loads(checked.content[0].text)["line"] == 1


def test_a_flood_by_mcp_is_turned_away_and_a_call_counts_once():
    engine = ScriptedEngine({APPLES: REPLY})
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "solve", "arguments": {"problem": APPLES}}}
    headers = {"accept": "application/json, text/event-stream"}
    with serve(app.build_app(engine, engine), burst=2, rate=0) as url:
        answers = [httpx.post(f"{url}/gradio_api/mcp/", json=call, headers=headers, timeout=PATIENCE) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert all("3 + 4 = 7 apples" in answer.text and '"isError":false' in answer.text for answer in answers[:2])


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("", strings.START),
        (None, strings.START),
        ([1], strings.START),
        ("How many?", strings.FINDINGS[Finding.TOO_SHORT]),
        ("Write me an essay about cats", strings.FINDINGS[Finding.NOT_A_PROBLEM]),
        ("call me on 555-123-4567, what is 3 + 4?", strings.FINDINGS[Finding.PERSONAL]),
        ("I want to die. 3 + 4 = ?", strings.WORRY_TITLE),
    ],
)
def test_what_is_no_problem_is_told_so_and_no_model_is_asked(problem, words):
    now = desk()
    solved, twin, work = solution_of(problem, now), twin_of(problem, now), checked_work_of(problem, ["3 + 4 = 7"], now)
    assert words in solved["says"] and solved["answer"] is None and solved["steps"] == []
    assert words in twin["says"] and twin["problem"] is None
    assert work["verdict"] == "unchecked" and (words in work["says"] or work["says"] == strings.CHECK_START)
    assert now.engines["tuned"].num_produced == 0


@pytest.mark.parametrize("lines", [None, [], [None, 5], "", 7, {"a": 1}])
def test_lines_that_are_none_are_told_so(lines):
    work = checked_work_of(APPLES, lines, desk())
    assert work["verdict"] == "unchecked" and work["says"]


@pytest.mark.parametrize(
    ("replies", "standing", "answers", "words"),
    [
        ([REPLY, OTHER, REPLY, REPLY, REPLY], "doubtful", ["7", "12"], strings.DISAGREE),
        ([REPLY, OTHER, REPLY, OTHER, LOST], "doubtful", ["7", "12"], strings.SPLIT),
        ([SLIP], "doubtful", ["8"], strings.SUMS_FAIL),
        ([LOST], "none", [], strings.NO_WAY),
    ],
)
def test_gives_no_answer_where_the_tries_do_not_bear_it(replies, standing, answers, words):
    solved = solution_of(APPLES, desk(*replies))
    assert solved["answer"] is None and words in solved["says"]
    assert (solved["agreement"]["standing"], solved["agreement"]["answers"]) == (standing, answers)
    assert twin_of(APPLES, desk(*replies))["problem"] is None


def test_a_wrong_sum_is_named():
    assert solution_of(APPLES, desk(SLIP))["checks"] == [{"state": "wrong", "sums": 1, "wrong": ["3 + 4 = 8"]}]


def test_a_program_stands_in_the_same_line():
    line = WaitingLine(max_waiting=0)
    with line.place():
        full = solution_of(APPLES, desk(line=line))
        assert full["says"] == strings.FULL and full["answer"] is None
        assert checked_work_of(APPLES, ["3 + 4 = 7"], desk(line=line))["says"] == strings.FULL


def test_a_program_is_held_to_the_same_limits():
    long = ScriptedEngine(["word " * 5000], delay=0.01)
    solved = solution_of(APPLES, Desk({"tuned": long}, Limits(max_seconds=0.3)))
    assert solved["answer"] is None and solved["says"]
    assert eventually(lambda: long.num_produced < 5000)


def test_an_engine_that_breaks_is_admitted():
    solved = solution_of("How many? Nobody wrote a reply for these 3 apples and 4 pears.", Desk({"tuned": ScriptedEngine({APPLES: REPLY})}))
    assert solved["says"] == strings.SORRY and solved["answer"] is None


def test_a_run_whose_program_has_gone_is_ended(monkeypatch):
    monkeypatch.setattr(wiring, "PATIENCE", 0.5)
    engine = ScriptedEngine(["word " * 5000], delay=0.02)
    with serve(app.build_app(engine, engine)) as url:
        httpx.post(f"{url}/gradio_api/call/solve", json={"data": [APPLES]})
        assert eventually(lambda: engine.num_produced > 0)

        def rests() -> bool:
            produced = engine.num_produced
            time.sleep(0.4)
            return produced == engine.num_produced

        assert eventually(rests) and engine.num_produced < 512


def test_the_teachers_link_holds_for_programs_that_use_it(url):
    def told(name: str, *inputs):
        event = httpx.post(f"{url}/gradio_api/call/{name}?lock=hints", json={"data": inputs}).json()["event_id"]
        return json.loads(httpx.get(f"{url}/gradio_api/call/{name}/{event}", timeout=PATIENCE).text.split("data: ")[-1])[0]

    solved = told("solve", APPLES)
    assert solved["says"] == strings.LOCKED and solved["answer"] is None and solved["steps"] == []
    twin = told("twin", APPLES)
    assert twin["problem"] and twin["answer"] is None and twin["steps"] == []
    assert told("check_work", APPLES, ["3 + 4 = 7"])["verdict"] == "right"
