"""Any OpenAI-compatible server as a teacher: a real one on this machine, and its bad days.

Whatever breaks where: a request that was answered is not asked again, and the budget holds.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import pipeline.seeds
import pipeline.teach
from mathtutor.io import Busy, Damaged, hold_folder, read_json, read_rows, write_json, write_rows
from mathtutor.problem import Problem, Row
from pipeline.filters import first_reason
from pipeline.teachers import gsm8k
from pipeline.teachers import run as runs
from pipeline.teachers.openai_compatible import (
    FORMATS,
    STOP_AFTER,
    TRIES,
    Endpoint,
    body_of,
    check_settings,
    read_completion,
    teach,
)
from pipeline.teachers.prices import dollars, find_model
from pipeline.teachers.prompts import JSON_RULE, SHOTS, Plan
from pipeline.teachers.run import TeacherError

ROOT = Path(__file__).resolve().parents[1]
KEY = "sk-canary-0123456789"
SEEDS = tuple(
    Row(f"gsm8k-train-{n}", f"Seed {n}: 2 boxes of {n} pens. How many pens?", (f"2 * {n} = {2 * n}",), str(2 * n))
    for n in range(SHOTS + 2)
)
PRICES = (1.0, 5.0)


def plan_of(problems: int = 6, per_request: int = 2, prices: tuple[float, float] = PRICES) -> Plan:
    return Plan(find_model("tiny", *prices), problems, per_request, 0, SEEDS, "openai_compatible")


# --- the server


def problem(number: int) -> dict:
    return {
        "problem": f"Ana has {number} boxes with 4 pens each. She gives 2 pens away. How many pens are left?",
        "steps": [f"Ana has {number} * 4 = {number * 4} pens.", f"{number * 4} - 2 = {number * 4 - 2} pens are left."],
        "answer": str(number * 4 - 2),
    }


def completion(text: object, finish: str = "stop", **changes) -> dict:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 1000, "completion_tokens": 400, "total_tokens": 1400}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return {"object": "chat.completion", "choices": choices, "usage": usage} | changes


def good(body: dict) -> dict:
    """What an obedient model writes: the same to the same prompt."""
    prompt = body["messages"][1]["content"]
    wanted = int(re.search(r"Write (\d+) new", prompt)[1])
    first = sum(map(ord, prompt)) % 90 + 3
    return completion(json.dumps({"problems": [problem(first + i) for i in range(wanted)]}))


def without_usage(body: dict) -> dict:
    reply = good(body)
    del reply["usage"]
    return reply


class Server(BaseHTTPRequestHandler):
    """Chat completions. `server.faults` names what goes wrong, call by call; "" is nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, body: dict | bytes, status: int = 200, **headers) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json", "content-length": str(len(raw))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def refuse(self, status: int, text: str = "no", **headers) -> None:
        self.send({"error": {"message": f"{text} {KEY}", "type": "whatever"}}, status, **headers)

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with server.lock:
            server.asked.append(body)
            server.paths.append(self.path)
            server.headers.append(dict(self.headers))
            fault = server.faults.pop(0) if server.faults else ""
            dying = len(server.asked) == server.kill_at
        status, _, rest = fault.partition(" ")
        taken = body.get("response_format", {}).get("type", "none")
        if self.path.partition("?")[0] != "/v1/chat/completions":
            self.refuse(404, "no such path")
        elif taken not in server.formats:
            self.refuse(server.format_status, f"response_format {taken} is not supported")
        elif server.limit not in body:
            self.refuse(400, f"Unsupported parameter: use '{server.limit}' instead")
        elif status == "429":
            self.refuse(429, retry_after=rest)
        elif status.isdigit():
            self.refuse(int(status), rest or "no")
        elif fault == "cut before":
            self.close_connection = True
        elif fault == "cut inside":
            self.send(json.dumps(good(body)).encode()[:-50], content_length="5000")
            self.close_connection = True
        elif fault.startswith("{") or fault.startswith("<"):
            self.send(fault.encode())
        elif dying:
            server.answered.append(body["messages"][1]["content"])
            os.kill(int(self.headers["x-pid"]), signal.SIGKILL)
            self.close_connection = True
        else:
            reply = server.reply(body)
            server.answered.append(body["messages"][1]["content"])
            self.send(reply)


class Completions(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Server)
        self.lock = threading.Lock()
        self.start_anew()

    def handle_error(self, request, address):
        """A client that was killed is no news."""

    def start_anew(self) -> None:
        self.asked, self.headers, self.paths, self.answered, self.faults = [], [], [], [], []
        self.formats, self.format_status, self.limit = ("json_schema", "json_object", "none"), 400, "max_tokens"
        self.reply, self.kill_at = good, None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@pytest.fixture
def server(monkeypatch):
    server = Completions()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.shutdown()
    server.server_close()


class Naps:
    """Sleeps that are written down and not slept."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def run(server: Completions | str, folder: Path, plan: Plan | None = None, max_usd: float = 5.0, **options) -> dict:
    again, concurrency = options.pop("again", False), options.pop("concurrency", 1)
    url = server if isinstance(server, str) else server.url
    endpoint = Endpoint(url, KEY, concurrency, **{"sleep": Naps()} | options)
    return teach(plan or plan_of(), folder, endpoint, max_usd, again, say=lambda text: None)


def rows_in(folder: Path) -> list[dict]:
    return list(read_rows(folder / "raw.jsonl"))


def outputs(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("raw.jsonl", "report.json")]


# --- a run that goes well


def test_a_run_gives_rows_that_the_filters_can_judge(server, tmp_path):
    report = run(server, tmp_path)
    rows = [Row.from_dict(row) for row in rows_in(tmp_path)]
    assert len(rows) == 6 and [first_reason(row) for row in rows] == [None] * 6
    assert {row.source for row in rows} == {"openai-compatible"} and len({row.id for row in rows}) == 6
    assert [row["seeds"] for row in rows_in(tmp_path)][::2] == [[s.id for s in plan_of().shown(i)] for i in range(3)]
    assert {row["model"] for row in rows_in(tmp_path)} == {"tiny"}
    assert report == read_json(tmp_path / "report.json") and report["plan"]["teacher"] == "openai_compatible"
    assert report["requests"]["outcomes"] == {"answered": 3}
    assert report["tokens"]["billed"] == [3000, 1200] and report["tokens"]["replies_without_usage"] == 0
    assert report["usd"]["billed"] == pytest.approx(3 * (1000 * 1.0 + 400 * 5.0) / 1e6)
    assert report["usd"]["may_be_billed_besides"] == 0


def test_a_request_is_what_the_api_takes(server, tmp_path):
    run(server, tmp_path)
    assert server.asked == [body_of(plan_of(), i, plan_of().max_tokens(i)) for i in range(3)]
    for body, headers in zip(server.asked, server.headers, strict=True):
        assert set(body) == {"model", "messages", "max_tokens", "response_format"} and headers["authorization"] == f"Bearer {KEY}"
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["problems"]
        assert [m["role"] for m in body["messages"]] == ["system", "user"] and JSON_RULE in body["messages"][0]["content"]


def test_as_many_requests_are_under_way_as_was_said_and_the_rows_stand_in_order(server, tmp_path):
    under_way, most, all_there = 0, 0, threading.Event()

    def slowly(body: dict) -> dict:
        nonlocal under_way, most
        with server.lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == 4:
                all_there.set()
        if len(server.asked) > 1:  # the first one is sent alone
            assert all_there.wait(10)
        with server.lock:
            under_way -= 1
        return good(body)

    run(server, tmp_path / "one", plan_of(18))
    server.start_anew()
    server.reply = slowly
    run(server, tmp_path / "four", plan_of(18), concurrency=4)
    assert most == 4 and outputs(tmp_path / "four") == outputs(tmp_path / "one")


def test_a_finished_run_is_read_again_without_a_call(server, tmp_path):
    report = run(server, tmp_path)
    before = outputs(tmp_path)
    server.asked.clear()
    assert run(server, tmp_path) == report and server.asked == [] and outputs(tmp_path) == before


def test_many_requests_go_in_several_batches(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    assert run(server, tmp_path)["problems"]["rows"] == 6
    assert [path.name for path in sorted((tmp_path / "results").iterdir())] == ["0001.jsonl", "0002.jsonl"]


@pytest.mark.parametrize("end, path", [("/", "/v1/chat/completions"), ("?api-version=1", "/v1/chat/completions?api-version=1")])
def test_a_base_url_may_end_in_a_slash_or_hold_a_query(server, tmp_path, end, path):
    assert run(server.url + end, tmp_path)["problems"]["rows"] == 6
    assert set(server.paths) == {path}


# --- what servers differ in


@pytest.mark.parametrize("status", [400, 415, 422, 500, 501])
@pytest.mark.parametrize("formats, refused", [(("json_object", "none"), 1), (("none",), 2)])
def test_a_format_that_is_refused_gives_way_to_a_simpler_one_that_is_kept(server, tmp_path, formats, refused, status):
    server.formats, server.format_status = formats, status
    assert run(server, tmp_path)["problems"]["rows"] == 6
    taken = [body.get("response_format", {}).get("type", "none") for body in server.asked]
    assert taken == [*("json_schema", "json_object")[:refused], *[formats[0]] * 3]


def test_a_limit_of_another_name_is_found(server, tmp_path):
    server.limit = "max_completion_tokens"
    assert run(server, tmp_path)["problems"]["rows"] == 6
    assert [server.limit in body for body in server.asked] == [False, True, True, True]
    assert all(body["response_format"] == FORMATS[0] for body in server.asked)


@pytest.mark.parametrize("prices, besides", [((0.0, 0.0), False), (PRICES, True)])
def test_usage_that_is_not_told_is_unknown_and_not_nothing(server, tmp_path, prices, besides):
    server.reply = without_usage
    report = run(server, tmp_path, plan_of(prices=prices))
    assert report["tokens"]["billed"] is None and report["tokens"]["replies_without_usage"] == 3
    assert report["usd"]["billed"] == (None if besides else 0) and report["usd"]["billed_to_estimated"] is None
    assert report["usd"]["may_be_billed_besides"] == (report["usd"]["at_most"] if besides else 0)


@pytest.mark.parametrize(
    "usage", [None, 7, {}, {"prompt_tokens": 5}, {"prompt_tokens": 5, "completion_tokens": "3"},
              {"prompt_tokens": True, "completion_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": 3},
              {"prompt_tokens": 10**30, "completion_tokens": 3}],
)  # fmt: skip
def test_odd_usage_is_unknown_too(server, tmp_path, usage):
    server.reply = lambda body: good(body) | {"usage": usage}
    report = run(server, tmp_path, plan_of(2))
    assert report["problems"]["rows"] == 2 and report["tokens"]["billed"] is None


GOOD = json.dumps({"problems": [problem(5)]})


@pytest.mark.parametrize(
    "body, kind, detail",
    [
        (completion(GOOD), "answered", ""),
        (completion(f"<think>Let me write {{braces}}.</think>\n{GOOD}"), "answered", ""),
        (completion(f"Sure!\n```json\n{GOOD}\n```"), "answered", ""),
        (completion([{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}, None, {"text": 5}]), "answered", ""),
        (completion(GOOD, "length"), "truncated", ""),
        (completion("", "content_filter"), "refused", ""),
        (completion(None) | {"choices": [{"message": {"content": None, "refusal": "I cannot."}}]}, "refused", ""),
        (completion("I would rather not."), "unreadable", "reply_is_not_json"),
        (completion("<think>and so on"), "unreadable", "reply_is_not_json"),
        (completion('{"problem": "?"}'), "unreadable", "reply_has_no_list_of_problems"),
        (completion('{ "problems" : [  ] }'), "unreadable", "reply_holds_no_problem"),  # of llama.cpp
        (completion(None), "unreadable", "reply_is_not_json"),
        (completion(7), "unreadable", "reply_is_not_json"),
        ({"choices": [7]}, "unreadable", "reply_is_not_json"),
        ({"choices": [{"message": "text"}]}, "unreadable", "reply_is_not_json"),
        ({}, "unreadable", "reply_is_not_json"),
    ],
)  # fmt: skip
def test_every_completion_has_an_outcome(body, kind, detail):
    outcome = read_completion(body)
    assert (outcome.kind, outcome.detail) == (kind, detail)


def test_odd_line_breaks_and_halves_of_characters_in_a_reply_are_no_broken_file(server, tmp_path):
    odd = {"problems": [problem(5) | {"problem": "One\u2028two\x85three \U0001f600 \ud800?"}]}
    server.reply = lambda body: completion(json.dumps(odd, ensure_ascii=False).replace("\ud800", "\\ud800")) | {"id": "\ud83d"}
    report = run(server, tmp_path)
    assert report["problems"]["unreadable"] == {"text_holds_half_a_character": 3}
    odd["problems"][0]["problem"] = "One\u2028two\x85three \U0001f600?"
    server.reply = lambda body: completion(json.dumps(odd, ensure_ascii=False) + "\ud800")
    run(server, tmp_path / "new")
    assert rows_in(tmp_path / "new")[0]["problem"] == "One\u2028two\x85three \U0001f600?"


# --- bad days


@pytest.mark.parametrize("asked, waited", [("0", 0.0), ("30", 30.0), ("soon", 2.0), ("nan", 2.0), ("-1", 2.0)])
def test_too_many_requests_means_waiting_as_long_as_the_server_says(server, tmp_path, asked, waited):
    naps, server.faults = Naps(), [f"429 {asked}", "", "", ""]
    report = run(server, tmp_path, sleep=naps)
    assert report["problems"]["rows"] == 6 and naps.seconds == [waited] and len(server.asked) == 4
    assert report["usd"]["may_be_billed_besides"] == 0  # a refusal costs nothing


@pytest.mark.parametrize(
    "fault", ["500", "502", "529", "cut before", "cut inside", "{]", "<html>Welcome</html>", "{}", '{"choices": []}', '{"a": NaN}',
              '{"choices": [{"message": {"content": 1' + "0" * 5000 + "}}]}", '{"error": {"code": 502, "message": "upstream"}}'],
)  # fmt: skip
def test_passing_failures_are_outlasted_and_what_they_may_have_cost_is_counted(server, tmp_path, fault):
    naps = Naps()
    server.faults = ["", fault, fault]
    report = run(server, tmp_path, sleep=naps)
    assert report["problems"]["rows"] == 6 and len(server.asked) == 5 and naps.seconds == [2.0, 4.0]
    worst = plan_of().estimate([(1, plan_of().max_tokens(1))]).worst_usd
    assert report["usd"]["may_be_billed_besides"] == (0 if fault == "529" else pytest.approx(2 * worst, abs=2e-6))
    assert run(server, tmp_path) == report


def test_a_request_that_always_fails_is_counted_and_the_others_go_on(server, tmp_path):
    server.faults = ["", *["500"] * TRIES, ""]
    report = run(server, tmp_path)
    assert report["requests"]["outcomes"] == {"answered": 2, "errored": 1} and report["requests"]["details"] == {"status_500": 1}
    assert report["requests"]["can_be_asked_again"] == 1 and len(rows_in(tmp_path)) == 4
    again = run(server, tmp_path, again=True)
    assert again["requests"]["outcomes"] == {"answered": 3} and again["requests"]["sent"] == 4 and len(rows_in(tmp_path)) == 6


def test_a_server_that_fails_request_after_request_stops_the_run(server, tmp_path):
    server.faults = ["", *["cut before"] * TRIES * STOP_AFTER]
    with pytest.raises(TeacherError, match=f"{STOP_AFTER} requests failed in a row"):
        run(server, tmp_path, plan_of(20))
    assert read_json(tmp_path / "report.json")["requests"]["outcomes"] == {"answered": 1, "errored": STOP_AFTER}
    assert run(server, tmp_path, plan_of(20), again=True)["problems"]["rows"] == 20


def test_a_server_that_only_says_later_stops_the_run_and_loses_nothing(server, tmp_path):
    server.faults = ["", *["429 1"] * TRIES]
    with pytest.raises(TeacherError, match=f"took no request in {TRIES} tries.*run the same command again later"):
        run(server, tmp_path)
    assert len(rows_in(tmp_path)) == 2
    report = run(server, tmp_path)
    assert report["problems"]["rows"] == 6 and sorted(server.answered) == sorted(plan_of().prompt(i) for i in range(3))
    run(server, tmp_path / "whole")
    assert outputs(tmp_path / "whole") == outputs(tmp_path)


@pytest.mark.parametrize(
    "fault, says",
    [
        ("401", r"refused \(401\).*OPENAI_API_KEY"),
        ("402", r"refused \(402\)"),
        ("403", r"refused \(403\)"),
        ("404", r"refused \(404\).*end in /v1.*--model"),
        ("405", r"refused \(405\)"),
        ("307", r"refused \(307\)"),
        ("413", r"refused the first request \(413\)"),
        ("429 9999", "asks to wait 9999 s"),
    ],
)
def test_what_every_request_would_meet_stops_the_run_in_words(server, tmp_path, fault, says):
    server.faults = [fault]
    with pytest.raises(TeacherError, match=says) as caught:
        run(server, tmp_path)
    assert len(server.asked) == 1 and KEY not in str(caught.value)
    assert run(server, tmp_path)["problems"]["rows"] == 6
    run(server, tmp_path / "whole")
    assert outputs(tmp_path / "whole") == outputs(tmp_path)


def test_a_request_that_is_wrong_in_itself_is_not_asked_again(server, tmp_path):
    server.faults = ["", *["400 too long"] * len(FORMATS)]
    report = run(server, tmp_path)
    assert report["requests"]["details"] == {"invalid_request_error": 1} and report["requests"]["can_be_asked_again"] == 0
    # The next request begins with what worked before.
    assert server.asked[-1]["response_format"] == FORMATS[0]
    before = len(server.asked)
    run(server, tmp_path, again=True)
    assert len(server.asked) == before


def test_no_server_at_all_is_known_as_nothing_sent(server, tmp_path):
    with pytest.raises(TeacherError, match="no server answers.*start it, or mend --base-url"):
        run("http://127.0.0.1:9/v1", tmp_path)
    report = run(server, tmp_path)  # which lives elsewhere: the folder is of the plan, not of the address
    assert report["problems"]["rows"] == 6 and report["usd"]["may_be_billed_besides"] == 0


def test_requests_without_a_usable_reply_are_asked_again_until_that_ends(server, tmp_path):
    server.reply = lambda body: completion(GOOD, "length") if body["max_tokens"] < 4000 else good(body)
    first = run(server, tmp_path)
    assert first["requests"]["outcomes"] == {"truncated": 3} and first["requests"]["can_be_asked_again"] == 3
    limit = plan_of().max_tokens(0)
    assert run(server, tmp_path, again=True)["requests"]["outcomes"] == {"answered": 3}
    assert {body["max_tokens"] for body in server.asked} == {limit, 2 * limit, 4 * limit}
    server.start_anew()
    server.reply = lambda body: completion("never")
    for left in (True, False, False):  # a round that brings nothing is not repeated by itself
        report = run(server, tmp_path / "never", again=True)
        assert bool(report["requests"]["can_be_asked_again"]) == left
    assert len(server.asked) == 9


def test_the_key_is_nowhere_in_the_folder_or_the_messages(server, tmp_path, capsys):
    server.faults = ["500", "401"]
    with pytest.raises(TeacherError) as caught:
        run(server, tmp_path)
    run(server, tmp_path)
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(texts) == 4 and not any(KEY in text for text in [*texts, str(caught.value), *capsys.readouterr()])


# --- the budget


def test_nothing_is_sent_that_could_cost_too_much(server, tmp_path):
    plan = plan_of()
    worst = [plan.estimate([(i, plan.max_tokens(i))]).worst_usd for i in range(3)]
    with pytest.raises(TeacherError, match="stopped for the budget.*--max-usd"):
        run(server, tmp_path, max_usd=worst[0] * 0.99)
    assert server.asked == []
    cost = (1000 * 1.0 + 400 * 5.0) / 1e6
    with pytest.raises(TeacherError, match="stopped for the budget"):
        run(server, tmp_path, max_usd=cost + max(worst) * 1.01, concurrency=4)
    assert len(server.asked) == 2 and len(rows_in(tmp_path)) == 4  # what was paid for is there
    assert run(server, tmp_path)["problems"]["rows"] == 6 and len(server.asked) == 3
    run(server, tmp_path / "whole")
    assert outputs(tmp_path / "whole") == outputs(tmp_path)


def test_replies_that_were_lost_count_against_the_budget(server, tmp_path):
    plan = plan_of()
    worst = max(plan.estimate([(i, plan.max_tokens(i))]).worst_usd for i in range(3))
    server.faults = ["cut before"] * 10
    with pytest.raises(TeacherError, match="stopped for the budget"):
        run(server, tmp_path, max_usd=3.5 * worst)
    assert len(server.asked) == 3
    with pytest.raises(TeacherError, match="stopped for the budget"):  # also those of an earlier run
        run(server, tmp_path, max_usd=3.5 * worst)
    assert len(server.asked) == 3


def test_a_server_that_costs_nothing_has_no_budget(server, tmp_path):
    report = run(server, tmp_path, plan_of(prices=(0.0, 0.0)), max_usd=1e-9)
    assert report["problems"]["rows"] == 6 and report["usd"]["billed"] == report["usd"]["at_most"] == 0


# --- the folder


def test_a_folder_belongs_to_one_plan_and_one_process(server, tmp_path):
    run(server, tmp_path)
    with pytest.raises(ValueError, match=r"another plan \(it differs in problems\)"):
        run(server, tmp_path, plan_of(8))
    with pytest.raises(ValueError, match=r"another plan \(it differs in teacher\)"):
        run(server, tmp_path, Plan(plan_of().model, 6, 2, 0, SEEDS))
    server.faults = ["429 1"]

    async def meanwhile(seconds: float) -> None:
        with pytest.raises(Busy):
            run(server, tmp_path / "busy")

    assert run(server, tmp_path / "busy", sleep=meanwhile)["problems"]["rows"] == 6


def test_a_result_file_that_was_changed_is_refused(server, tmp_path):
    run(server, tmp_path)
    path = tmp_path / "results" / "0001.jsonl"
    path.write_text(path.read_text().replace("pens", "pins"))
    with pytest.raises(Damaged, match="0001.jsonl is not the file that was fetched"):
        run(server, tmp_path)


@pytest.mark.parametrize("event", [{"custom_id": "theirs", "sent": 0}, {"custom_id": []}, {}, {"custom_id": ""}])
def test_events_of_another_run_are_refused(server, tmp_path, event):
    server.faults = ["401"]
    with pytest.raises(TeacherError):
        run(server, tmp_path)
    path = tmp_path / "results" / "0001.jsonl"
    first, *rest = read_rows(path)
    write_rows(path, [first, *rest, event if event != {"custom_id": ""} else {"custom_id": first["custom_id"]}])
    with pytest.raises(Damaged, match="0001.jsonl:3 is no event of this run"):
        run(server, tmp_path)


# --- plans


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://[::1", "http://a:b:c/"])
def test_what_is_no_url_is_refused_in_words(url):
    with pytest.raises(ValueError, match="--base-url"):
        Endpoint(url)


@pytest.mark.parametrize("key", ["café", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(ValueError, match="the key holds characters"):
        Endpoint("http://127.0.0.1/v1", key)


def test_settings_go_into_each_request_and_into_the_plan():
    plan = plan_of()
    warm = Plan(find_model("tiny", *PRICES), 6, 2, 0, SEEDS, "openai_compatible")
    warm.model.settings["temperature"] = 0.7
    assert body_of(warm, 0, 9)["temperature"] == 0.7 and warm.sha256 != plan.sha256


@pytest.mark.parametrize(
    "settings, says",
    [
        (7, "JSON object"),
        ({"max_tokens": 5}, "max_tokens: the plan sets that"),
        ({"n": 2, "model": "x"}, "model, n: the plan"),
        ({"best_of": 8}, "best_of: a reply could cost more than --max-usd"),
        ({"n_predict": -1, "models": ["x"]}, "models, n_predict: a reply could cost more"),
        ({"temperature": float("nan")}, "a value that is no JSON"),
        ({"logit_bias": [{"1": float("-inf")}]}, "a value that is no JSON"),
        ({"stop": "\ud83d"}, "a value that is no JSON"),
    ],
)
def test_settings_that_the_plan_owns_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        check_settings(settings)


# --- the command


@pytest.fixture
def seeds(monkeypatch, tmp_path_factory):
    """A few problems in the place of GSM8K train, ten of them frozen as seeds."""
    problems = [
        Problem(f"gsm8k-{n}", f"{n} boxes hold 4 pens each. How many pens?", 4 * n, f"They hold 4*{n}={4 * n} pens.\n#### {4 * n}")
        for n in range(3, 23)
    ]
    for module in (gsm8k, pipeline.seeds):
        monkeypatch.setattr(module, "load_source", lambda name, split: problems)
    monkeypatch.setattr(pipeline.seeds, "PATH", tmp_path_factory.mktemp("seeds") / "seeds.json")
    write_json(pipeline.seeds.PATH, pipeline.seeds.choose(10, 0, {}))


def command(server: Completions, folder: Path, *arguments: str) -> None:
    base = ["--teacher", "openai_compatible", "--base-url", server.url, "--model", "tiny", "--problems", "12", "--seeds", "10"]
    pipeline.teach.main([*base, "--out", str(folder), *arguments])


def test_the_command_runs_and_tells_what_came(server, seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    command(server, tmp_path, "--settings", '{"temperature": 0.7}', "--concurrency", "3")
    printed = capsys.readouterr().out
    assert "3 requests for 12 problems to tiny at " in printed and "no prices given: taken to cost nothing" in printed
    assert "3 of 3 requests settled: 3 answered" in printed and "12 rows for 12 problems asked" in printed
    assert "billed $0.0000 for 3,000 tokens in and 1,200 out" in printed and KEY not in printed
    assert all(body["temperature"] == 0.7 for body in server.asked) and server.headers[0]["authorization"] == f"Bearer {KEY}"
    monkeypatch.delenv("OPENAI_API_KEY")
    command(server, tmp_path / "paid", "--price-in", "1", "--price-out", "5", "--max-usd", "1")
    assert re.search(r"billed \$0.0090 for .*estimated \$0\.\d+ \(", capsys.readouterr().out)
    assert "authorization" not in server.headers[-1]


def test_a_dry_run_sends_nothing(server, seeds, tmp_path, capsys):
    command(server, tmp_path / "new", "--dry-run")
    request, end = json.JSONDecoder().raw_decode(printed := capsys.readouterr().out)
    assert request["model"] == "tiny" and "Write 5 new problems" in request["messages"][1]["content"]
    assert "nothing was sent" in printed[end:] and server.asked == [] and not (tmp_path / "new").exists()


def test_a_dry_run_foresees_where_the_budget_ends(server, seeds, tmp_path, capsys):
    def foresee(max_usd: float) -> str:
        command(server, tmp_path, "--dry-run", "--price-in", "100", "--price-out", "500", "--max-usd", f"{max_usd:.2f}")
        return capsys.readouterr().out

    usd, worst = map(float, re.search(r": \$([\d.]+), and at most \$([\d.]+)", foresee(1)).groups())
    assert f"--max-usd {usd / 2:.2f} would stop this on the way" in foresee(usd / 2)
    assert "may stop this on the way, if replies are long" in (told := foresee((usd + worst) / 2))
    enough = float(re.search(r"--max-usd ([\d.]+) is enough for all", told)[1])
    assert "stop this" not in foresee(enough) and enough > worst


@pytest.mark.parametrize("usd, said", [(5.0, "5.00"), (0.006, "0.006"), (0.5, "0.50"), (1.234, "1.234"), (1e-5, "0.00001")])
def test_a_budget_is_told_as_it_was_given(usd, said):
    assert dollars(usd) == said


def test_only_one_work_at_a_time_goes_on_in_a_folder(server, seeds, tmp_path):
    bank = ["--teacher", "procedural", "--problems", "5", "--out", str(tmp_path)]
    with hold_folder(tmp_path):
        for go in (lambda: pipeline.teach.main(bank), lambda: command(server, tmp_path)):
            with pytest.raises(SystemExit, match="is in use by another run"):
                go()
    assert server.asked == [] and not list(tmp_path.iterdir())
    command(server, tmp_path)
    before = outputs(tmp_path)
    with pytest.raises(SystemExit, match="holds replies that were asked for: choose another --out"):
        pipeline.teach.main(bank)
    assert outputs(tmp_path) == before


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--model", ""], "--model is missing"),
        (["--base-url", "nowhere"], "--base-url must look like"),
        (["--price-in", "1"], "give --price-in and --price-out"),
        (["--max-usd", "1"], "a budget needs both prices"),
        (["--price-in", "-1", "--price-out", "1"], "between 0 and 10,000"),
        (["--concurrency", "0"], "--concurrency must be at least 1"),
        (["--settings", "{"], "--settings is not JSON"),
        (["--settings", '{"stream": true}'], "may not hold stream"),
        (["--settings", '{"best_of": 4}'], "may not hold best_of"),
        (["--settings", '{"temperature": NaN}'], "no JSON.*mend it"),
        (["--settings", '{"temperature": 1e999}'], "no JSON.*mend it"),
        (["--per-request", "0"], "--per-request between 1 and 20"),
    ],
)
def test_a_wrong_call_is_one_sentence_before_anything_is_sent(server, seeds, tmp_path, arguments, says):
    with pytest.raises(SystemExit, match=says):
        command(server, tmp_path / "new", *arguments)
    assert server.asked == [] and not (tmp_path / "new").exists()


def test_the_bank_teaches_under_the_same_command(tmp_path, capsys):
    arguments = ["--teacher", "procedural", "--problems", "50", "--seed", "3"]
    for name in ("one", "two"):
        pipeline.teach.main([*arguments, "--out", str(tmp_path / name)])
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two") and "50 rows" in capsys.readouterr().out
    rows = [Row.from_dict(row) for row in rows_in(tmp_path / "one")]
    assert len(rows) == 50 and {row.source for row in rows} == {"bank"}
    assert read_json(tmp_path / "one" / "report.json")["problems"] == {"asked": 50, "rows": 50}
    with pytest.raises(SystemExit, match="--model means nothing to the teacher procedural"):
        pipeline.teach.main([*arguments, "--out", str(tmp_path), "--model", "x"])
    with pytest.raises(SystemExit, match="--problems must be at least 1"):
        pipeline.teach.main(["--teacher", "procedural", "--problems", "0", "--out", str(tmp_path)])


# --- kill -9

DRIVER = """
import json, os, sys
from pathlib import Path
import mathtutor.io
import pipeline.teachers.openai_compatible as teacher
from tests.test_openai_teacher import Naps, plan_of

from tests.dying import countdown, dying

class Client(teacher.httpx.AsyncClient):
    def __init__(self, headers, **options):
        super().__init__(headers=headers | {"x-pid": str(os.getpid())}, **options)

teacher.httpx.AsyncClient = Client
# All that is durable goes through these two.
mathtutor.io._write_all = dying(mathtutor.io._write_all)
mathtutor.io.write_atomic = dying(mathtutor.io.write_atomic)
for line in sys.stdin:
    url, folder, steps, concurrency, usd = json.loads(line)
    countdown.left = steps
    child = os.fork()
    if not child:
        try:
            endpoint = teacher.Endpoint(url, "", concurrency, sleep=Naps())
            teacher.teach(plan_of(prices=(usd, usd)), Path(folder), endpoint, 5.0, say=lambda text: None)
        except BaseException:
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_run_killed_anywhere_goes_on_to_the_same_rows_and_asks_nothing_twice(server, tmp_path, concurrency):
    """The client dies before each durable write, and at each call after the server has done the work."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    def go(folder: Path, steps: int = 0, usd: float = 0.0) -> int:
        """The wait status of one run that dies before durable write number `steps`, from 1; 0: it does not."""
        driver.stdin.write(json.dumps([server.url, str(folder), steps, concurrency, usd]) + "\n")
        driver.stdin.flush()
        return int(driver.stdout.readline())

    try:
        assert go(tmp_path / "whole") == 0
        whole = outputs(tmp_path / "whole")
        places = [("write", n) for n in range(1, 100)] + [("call", n) for n in range(1, 4)]
        killed = {"write": 0, "call": 0}
        for kind, number in places:
            if kind == "write" and killed["write"] < number - 1:
                continue  # past the last write
            server.start_anew()
            server.kill_at = number if kind == "call" else None
            folder = tmp_path / f"{kind}-{number}"
            died = go(folder, number if kind == "write" else 0) == signal.SIGKILL
            killed[kind] += died
            assert died or kind == "write"
            results = folder / "results" / "0001.jsonl"
            kept = sum("result" in row for row in read_rows(results)) if results.exists() else 0
            server.kill_at = None
            before = len(server.answered)
            assert go(folder) == 0
            assert outputs(folder) == whole, (kind, number)
            assert len(server.answered) - before == 3 - kept, (kind, number)
            assert sum("result" in row for row in read_rows(results)) == 3
        assert killed["write"] >= 10 and killed["call"] == 3
        # Where money is at stake, a reply that was lost in the kill stands in the report.
        server.start_anew()
        server.kill_at = 2
        assert go(tmp_path / "paid", usd=1.0) == signal.SIGKILL and go(tmp_path / "paid", usd=1.0) == 0
        assert read_json(tmp_path / "paid" / "report.json")["usd"]["may_be_billed_besides"] > 0
        assert outputs(tmp_path / "paid")[0].count(b"\n") == 6
    finally:
        driver.stdin.close()
        driver.wait(10)
        driver.stdout.close()
