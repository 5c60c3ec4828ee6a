"""The paid teacher: the vendor's own client against a server that speaks Message Batches, and its bad days.

What is at stake is money: whatever breaks where, no batch is paid for twice and no reply that was paid for is lost.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipeline.seeds
import pipeline.teach
from mathtutor.io import Busy, Damaged, read_json, read_rows, write_json, write_rows
from mathtutor.problem import Problem, Row
from pipeline.filters import first_reason
from pipeline.teachers import anthropic_batch, gsm8k
from pipeline.teachers import run as runs
from pipeline.teachers.anthropic_batch import Waits, read_result, read_usage, teach
from pipeline.teachers.journal import Ask, BatchJournal
from pipeline.teachers.prices import DEFAULT_MODEL, MODELS, about, find_model
from pipeline.teachers.prompts import SAMPLE, SHOTS, Plan, estimate_all, read_reply
from pipeline.teachers.run import TeacherError

ROOT = Path(__file__).resolve().parents[1]
KEY = "sk-ant-canary-0123456789"
QUICK = Waits(poll=0.0, settle=0.04, backoff=0.0)
SEEDS = tuple(
    Row(f"gsm8k-train-{n}", f"Seed {n}: 2 boxes of {n} pens. How many pens?", (f"2 * {n} = {2 * n}",), str(2 * n))
    for n in range(SHOTS + 2)
)


def plan_of(problems: int = 6, per_request: int = 2, model: str = DEFAULT_MODEL) -> Plan:
    return Plan(find_model(model), problems, per_request, 0, SEEDS)


# --- the server


def problem(number: int) -> dict:
    return {
        "problem": f"Ana has {number} boxes with 4 pens each. She gives 2 pens away. How many pens are left?",
        "steps": [f"Ana has {number} * 4 = {number * 4} pens.", f"{number * 4} - 2 = {number * 4 - 2} pens are left."],
        "answer": str(number * 4 - 2),
    }


def message(text: str, stop_reason: str = "end_turn", **changes) -> dict:
    usage = {"input_tokens": 1000, "output_tokens": 400, "service_tier": "batch"}
    content = [{"type": "thinking", "thinking": "{"}, {"type": "text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": stop_reason, "usage": usage} | changes


def good(request: dict) -> dict:
    """What an obedient model writes."""
    wanted = int(re.search(r"Write (\d+) new", request["params"]["messages"][0]["content"])[1])
    first = int(request["custom_id"].split("-")[1][:4], 16) % 90 + 3
    return {"type": "succeeded", "message": message(json.dumps({"problems": [problem(first + i) for i in range(wanted)]}))}


def error(kind: str, text: str = "no") -> dict:
    return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": text}}}


class Server(BaseHTTPRequestHandler):
    """Message Batches: create, list, retrieve, results. `server.faults[what]` names what goes wrong, call by call."""

    def log_message(self, *args):
        pass

    def send(self, body: dict | bytes, status: int = 200, **headers) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()  # and no length: the end of the body is the end of the connection
        self.wfile.write(raw)

    def refuse(self, status: int, text: str = "no \ud83d", **headers) -> None:
        self.send({"type": "error", "error": {"type": "api_error", "message": f"{text} {KEY}"}}, status, **headers)

    def fault(self, what: str) -> str:
        """The fault of this call, and the death of a client that is to die here."""
        server = self.server
        server.calls.append(what)
        self.dying = len(server.calls) == server.kill_at
        return server.faults.get(what, []).pop(0) if server.faults.get(what) else ""

    def answer(self, body: dict | bytes, **headers) -> None:
        if self.dying:
            os.kill(int(self.headers["x-pid"]), signal.SIGKILL)
        else:
            self.send(body, **headers)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["authorization"] == f"Bearer {KEY}" or self.headers["x-api-key"] == KEY
        fault = self.fault("create")
        if fault.isdigit():
            return self.refuse(int(fault))
        if fault.startswith("429"):
            return self.refuse(429, retry_after=fault.split()[1])
        if fault == "lost on the way":
            return None
        batch = self.server.accept(body["requests"])
        if fault == "500 and accepted":
            return self.refuse(500)
        if fault == "html":
            return self.send(b"<html>Welcome</html>", content_type="text/html")
        if fault == "dropped":
            return None
        self.answer(self.server.describe(batch))

    def do_GET(self):
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")[3:]  # after v1/messages/batches
        what = "list" if not parts else "results" if parts[1:] else "retrieve"
        fault = self.fault(what) or self.server.broken.get(f"{what} {parts[0]}" if parts else what, "")
        if fault.isdigit():
            return self.refuse(int(fault), retry_after="0")
        if fault == "html":
            return self.send(b"<html>Welcome</html>", content_type="text/html")
        if fault == "no batch":
            return self.answer({"data": [{}], "has_more": False} if what == "list" else {})
        if what == "list":
            query = dict(part.split("=") for part in query.split("&"))
            batches = [] if self.server.lists_late else list(reversed(self.server.batches))
            if "after_id" in query:
                batches = batches[[b["id"] for b in batches].index(query["after_id"]) + 1 :]
            page = [self.server.describe(batch) for batch in batches[: int(query["limit"])]]
            ids = [batch["id"] for batch in page] or [None]
            more = len(batches) > len(page)
            if fault == "the last":  # nobody listens from now on
                self.server.socket.shutdown(socket.SHUT_RDWR)
            return self.answer({"data": page, "has_more": more, "first_id": ids[0], "last_id": ids[-1]})
        batch = next(batch for batch in self.server.batches if batch["id"] == parts[0])
        if what == "retrieve":
            return self.answer(self.server.describe(batch))
        body = self.server.results(batch)
        if fault.startswith("cut at"):
            body = body[: int(fault.split()[-1])]
        if fault == "altered":
            body = body.replace(b'"succeeded"', b'"expired"', 1)
        self.answer(body, content_type="application/x-jsonl")


class Batches(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Server)
        self.start_anew()

    def start_anew(self) -> None:
        self.batches, self.calls, self.faults, self.kill_at, self.lists_late = [], [], {}, None, False
        self.broken = {}  # what goes wrong at each call, by "results msgbatch_0" and the like
        self.extra_lines, self.reply = [], lambda index, request: good(request)

    def accept(self, requests: list[dict]) -> dict:
        ids = [request["custom_id"] for request in requests]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id) for id in ids)
        # A clock of its own, years away from ours.
        created = datetime(2031, 1, 1, tzinfo=UTC) + timedelta(seconds=len(self.batches))
        batch = {"id": f"msgbatch_{len(self.batches)}", "requests": requests, "created": created, "looks": 0}
        batch["results"] = [self.reply(index, request) for index, request in enumerate(requests)]
        self.batches.append(batch)
        return batch

    def describe(self, batch: dict) -> dict:
        """As the API does: all requests are "processing" until the batch ends, here at the third look."""
        batch["looks"] += 1
        ended = batch["looks"] > 2
        counts = dict.fromkeys(["processing", "succeeded", "errored", "canceled", "expired"], 0)
        for result in batch["results"]:
            counts[result["type"] if ended else "processing"] += 1
        url = f"http://127.0.0.1:{self.server_port}/v1/messages/batches/{batch['id']}/results"
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": ["in_progress", "canceling", "ended"][min(max(batch["looks"], 1), 3) - 1],
            "request_counts": counts,
            "created_at": batch["created"].isoformat(),
            "expires_at": (batch["created"] + timedelta(hours=24)).isoformat(),
            "ended_at": batch["created"].isoformat() if ended else None,
            "results_url": url if ended and self.broken.get(f"results {batch['id']}") != "archived" else None,
        }

    def results(self, batch: dict) -> bytes:
        lines = [
            {"custom_id": request["custom_id"], "result": result}
            for request, result in zip(batch["requests"], batch["results"], strict=True)
        ]
        lines = [*lines[::-1], *self.extra_lines]  # in another order than the requests
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


@pytest.fixture
def server(monkeypatch, tmp_path_factory):
    server = Batches()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_PROFILE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    # Each client reads all root certificates, a third of the time of a run; nothing here is encrypted.
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


def run(folder: Path, plan: Plan | None = None, max_usd: float = 5.0, **options) -> dict:
    return teach(plan or plan_of(), folder, KEY, max_usd, **{"waits": QUICK, "say": lambda text: None} | options)


def rows_in(folder: Path) -> list[dict]:
    return list(read_rows(folder / "raw.jsonl"))


def states(folder: Path) -> list[str]:
    """The last one of each batch."""
    return list({row["batch"]: row["state"] for row in read_rows(folder / "journal.jsonl") if "batch" in row}.values())


# --- a run that goes well


def test_a_run_gives_rows_that_the_filters_can_judge(server, tmp_path):
    report = run(tmp_path)
    rows = [Row.from_dict(row) for row in rows_in(tmp_path)]
    assert len(rows) == 6 and [first_reason(row) for row in rows] == [None] * 6
    assert {row.source for row in rows} == {"anthropic"} and len({row.id for row in rows}) == 6
    assert [row["seeds"] for row in rows_in(tmp_path)][::2] == [[s.id for s in plan_of().shown(i)] for i in range(3)]
    assert report == read_json(tmp_path / "report.json")
    assert report["requests"]["outcomes"] == {"answered": 3}
    # 3 replies of 1,000 tokens read at $0.50 and 400 written at $2.50 a million
    assert report["usd"]["billed"] == pytest.approx(3 * (1000 * 0.5 + 400 * 2.5) / 1e6) and report["tokens"]["billed"] == [3000, 1200]
    assert report["usd"]["billed_to_estimated"] == pytest.approx(report["usd"]["billed"] / report["usd"]["estimated"], abs=1e-3)


def test_a_request_is_what_the_api_takes_and_samples_as_the_api_does(server, tmp_path):
    run(tmp_path)
    [batch] = server.batches
    for index, request in enumerate(batch["requests"]):
        assert request["params"] == plan_of().params(index)
        assert set(request["params"]) == {"model", "max_tokens", "system", "messages", "output_config"}
        assert request["params"]["output_config"]["format"]["type"] == "json_schema"
        assert sum(seed.problem in request["params"]["messages"][0]["content"] for seed in SEEDS) == SHOTS


def test_a_finished_run_is_read_again_without_a_call(server, tmp_path):
    report = run(tmp_path)
    before = (tmp_path / "raw.jsonl").read_bytes()
    server.calls.clear()
    assert run(tmp_path) == report and server.calls == [] and (tmp_path / "raw.jsonl").read_bytes() == before


def test_many_requests_go_in_several_batches(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    assert run(tmp_path)["problems"]["rows"] == 6
    assert [len(batch["requests"]) for batch in server.batches] == [2, 1]


def test_the_key_is_nowhere_in_the_folder_or_the_messages(server, tmp_path, capsys):
    server.faults = {"create": ["500", "401"]}
    with pytest.raises(TeacherError):
        teach(plan_of(), tmp_path, KEY, 5.0, waits=QUICK)
    with pytest.raises(TeacherError, match="This sending cost nothing") as caught:
        teach(plan_of(), tmp_path, KEY, 5.0, waits=QUICK, resend_lost=True)
    teach(plan_of(), tmp_path, KEY, 5.0, waits=QUICK, resend_lost=True)
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(texts) == 4 and not any(KEY in text for text in [*texts, str(caught.value), *capsys.readouterr()])


# --- submitting


def worst_usd() -> float:
    """Of one batch of the plan."""
    return plan_of().estimate([(i, plan_of().max_tokens(i)) for i in range(3)]).worst_usd


@pytest.mark.parametrize("fault", ["dropped", "500 and accepted", "html"])
def test_a_lost_answer_never_makes_a_second_batch(server, tmp_path, fault):
    server.faults = {"create": [fault]}
    assert run(tmp_path)["problems"]["rows"] == 6 and len(server.batches) == 1


@pytest.mark.parametrize("fault", ["500", "529", "lost on the way"])
def test_a_batch_that_the_server_does_not_list_is_sent_again_on_demand_alone(server, tmp_path, fault):
    server.faults = {"create": [fault]}
    for _ in range(2):
        with pytest.raises(TeacherError, match=r"does not list it so far.*--resend-lost; .* up to \$0\.\d\d are paid twice"):
            run(tmp_path)
    assert server.calls.count("create") == 1
    report = run(tmp_path, resend_lost=True)
    assert report["problems"]["rows"] == 6 and len(server.batches) == 1
    # Nobody knows that the first one was lost for good.
    assert report["usd"]["may_be_billed_besides"] == pytest.approx(worst_usd(), abs=1e-6)


def test_a_server_that_lists_late_is_not_sent_a_second_batch(server, tmp_path):
    server.faults, server.lists_late = {"create": ["dropped"]}, True
    for _ in range(2):
        with pytest.raises(TeacherError, match="Nothing was sent again"):
            run(tmp_path)
    server.lists_late = False
    report = run(tmp_path, resend_lost=True)  # an eager hand: it is looked for first
    assert report["problems"]["rows"] == 6 and len(server.batches) == 1 and report["usd"]["may_be_billed_besides"] == 0


def test_a_lost_batch_counts_against_the_budget(server, tmp_path):
    server.faults, server.lists_late = {"create": ["dropped"]}, True
    with pytest.raises(TeacherError, match="does not list it"):
        run(tmp_path, resend_lost=True)  # which is for what earlier runs lost
    with pytest.raises(TeacherError, match=r"nothing was submitted: 3 requests.*under way or lost"):
        run(tmp_path, max_usd=worst_usd() * 1.9, resend_lost=True)
    assert len(server.batches) == 1
    server.faults = {"create": ["429 9999", "dropped"]}
    with pytest.raises(TeacherError, match="This sending cost nothing"):
        run(tmp_path, max_usd=worst_usd() * 2.1, resend_lost=True)
    with pytest.raises(TeacherError, match="does not list it"):  # after a refusal too, for the first one may be there
        run(tmp_path)
    with pytest.raises(TeacherError, match="does not list it"):
        run(tmp_path, max_usd=worst_usd() * 2.1, resend_lost=True)
    assert len(server.batches) == 2
    with pytest.raises(TeacherError, match="nothing was submitted"):
        run(tmp_path, max_usd=worst_usd() * 2.9, resend_lost=True)
    server.lists_late = False
    report = run(tmp_path)  # one of the two is found, and what the other costs stays unknown
    assert report["problems"]["rows"] == 6 and report["usd"]["may_be_billed_besides"] == pytest.approx(worst_usd(), abs=1e-6)
    assert len(server.batches) == 2


def test_a_lost_batch_does_not_keep_the_others_from_being_fetched(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    server.faults = {"create": ["", "lost on the way"]}
    with pytest.raises(TeacherError, match=r"batch 2 \(1 requests\).*does not list it"):
        run(tmp_path)
    assert len(rows_in(tmp_path)) == 4
    assert run(tmp_path, resend_lost=True)["problems"]["rows"] == 6 and len(server.batches) == 2


def test_a_batch_of_somebody_else_is_not_taken_for_the_lost_one(server, tmp_path):
    others = [{"custom_id": f"theirs-{n}", "params": plan_of().params(n)} for n in range(3)]
    server.accept(others)  # older than ours
    server.faults = {"create": ["lost on the way"]}

    def wait(seconds: float) -> None:
        if len(server.batches) == 1:
            server.accept(others)  # newer, and of the same size
            server.accept(others[:2])["looks"] = -(10**9)  # of another size: not waited for

    with pytest.raises(TeacherError, match="does not list it"):
        run(tmp_path, waits=Waits(0.0, 0.04, 0.0, sleep=wait))
    assert server.calls.count("results") == 1  # a look at the one of the same size
    assert run(tmp_path, resend_lost=True)["problems"]["rows"] == 6
    assert [batch["requests"][0]["custom_id"][:6] == "theirs" for batch in server.batches] == [True, True, True, False]
    assert server.calls.count("results") == 3  # one more look, and ours


def test_a_lost_batch_that_is_under_way_is_waited_for_and_others_are_not(server, tmp_path):
    accept = server.accept

    def slowly(requests: list[dict]) -> dict:
        batch = accept(requests)
        batch["looks"] = -30
        accept([{"custom_id": "theirs", "params": {"messages": [{"content": "Write 1 new"}]}}])["looks"] = -(10**9)
        return batch

    server.faults, server.accept = {"create": ["dropped"]}, slowly
    assert run(tmp_path)["problems"]["rows"] == 6 and server.calls.count("create") == 1


def test_a_batch_that_may_be_the_lost_one_and_cannot_be_read_stops_the_run(server, tmp_path):
    server.faults = {"create": ["dropped"], "results": ["404"] * 2}
    for _ in range(2):
        with pytest.raises(TeacherError, match="msgbatch_0 on the server may be it.*Nothing was sent again"):
            run(tmp_path)
    assert len(server.batches) == 1
    assert run(tmp_path)["problems"]["rows"] == 6 and len(server.batches) == 1


def test_a_batch_that_may_be_the_lost_one_and_is_gone_can_be_given_up(server, tmp_path):
    server.faults, server.broken = {"create": ["dropped"]}, {"results msgbatch_0": "archived"}
    with pytest.raises(TeacherError, match="msgbatch_0 on the server may be it.* keeps its results no longer.* with --give-up msgbatch_0"):
        run(tmp_path)
    report = run(tmp_path, give_up=["msgbatch_0"])
    assert report["requests"]["outcomes"] == {"lost": 3} and len(server.batches) == 1
    assert report["usd"]["billed"] is None and report["usd"]["may_be_billed_besides"] == pytest.approx(worst_usd(), abs=1e-6)


def test_what_is_older_than_the_sending_is_not_looked_at(server, tmp_path):
    """By its time, for the newest batch before the sending may have been deleted since."""
    theirs = [{"custom_id": f"theirs-{n}", "params": plan_of().params(n)} for n in range(3)]
    for _ in range(2):
        server.accept(theirs)["looks"] = 9
    server.faults = {"create": ["lost on the way"]}
    with pytest.raises(TeacherError, match="does not list it"):
        run(tmp_path, waits=Waits(0.0, 0.04, 0.0, sleep=lambda seconds: server.batches.__delitem__(slice(1, None))))
    assert len(server.batches) == 1 and "results" not in server.calls


def test_a_large_batch_may_take_longer_to_be_sent_than_any_other_call(server, tmp_path, monkeypatch):
    monkeypatch.setattr(anthropic_batch, "CALL_TIMEOUT", 0.3)
    accept = server.accept
    server.accept = lambda requests: time.sleep(0.6) or accept(requests)
    run(tmp_path)
    assert not any("found_again" in row for row in read_rows(tmp_path / "journal.jsonl"))


@pytest.mark.parametrize("asked, waited", [("0", 0.0), ("30", 30.0), ("soon", 2.0), ("nan", 2.0), ("-1", 2.0)])
def test_too_many_requests_means_waiting_as_long_as_the_server_says(server, tmp_path, asked, waited):
    slept, server.faults = [], {"create": [f"429 {asked}"]}
    assert run(tmp_path, waits=Waits(0.0, 0.04, 2.0, sleep=slept.append))["problems"]["rows"] == 6
    assert slept[0] == waited and len(server.batches) == 1


@pytest.mark.parametrize("fault, says", [("400", "400"), ("401", "401"), ("403", "403"), ("413", "413"), ("429 9999", "429")])
def test_a_refusal_stops_the_run_in_words_and_costs_nothing(server, tmp_path, fault, says):
    server.faults = {"create": [fault]}
    with pytest.raises(TeacherError, match=rf"not accepted \({says}\).*Nothing was paid for it"):
        run(tmp_path)
    assert server.calls.count("create") == 1 and server.batches == []
    assert run(tmp_path)["problems"]["rows"] == 6


@pytest.mark.parametrize("answer", ["html", "no batch"])
def test_a_list_of_something_else_than_batches_is_told_before_anything_is_sent(server, tmp_path, answer):
    server.broken = {"list": answer}
    with pytest.raises(TeacherError, match="does not answer as it should"):
        run(tmp_path)
    assert "create" not in server.calls and states(tmp_path) == ["planned"]


def test_no_server_at_all_is_known_as_nothing_sent(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(TeacherError, match="does not answer.*run the same command again"):
        run(tmp_path)
    assert [row["state"] for row in read_rows(tmp_path / "journal.jsonl") if "state" in row] == ["planned"]


def test_a_submission_that_reached_nobody_is_not_looked_for(server, tmp_path):
    server.faults = {"list": ["the last"]}
    with pytest.raises(TeacherError, match=r"not accepted \(unreachable\).*Nothing was paid"):
        run(tmp_path)
    assert server.calls == ["list"] and list(read_rows(tmp_path / "journal.jsonl"))[-1]["state"] == "planned"


def test_nothing_is_submitted_that_could_cost_too_much(server, tmp_path):
    worst = plan_of().estimate([(i, plan_of().max_tokens(i)) for i in range(3)]).worst_usd
    with pytest.raises(TeacherError, match="nothing was submitted: 3 requests could cost up to"):
        run(tmp_path, max_usd=worst * 0.99)
    assert server.calls == []
    assert run(tmp_path, max_usd=worst * 1.01)["usd"]["billed"] < worst


def test_what_is_paid_for_is_fetched_before_the_budget_stops_the_rest(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    server.faults = {"create": ["", "401"], "retrieve": ["404"]}
    with pytest.raises(TeacherError, match=r"batch 2 was not accepted.*batch 1 \(msgbatch_0\) cannot be fetched"):
        run(tmp_path)
    two_thirds = plan_of().estimate([(i, plan_of().max_tokens(i)) for i in range(2)]).worst_usd
    with pytest.raises(TeacherError, match=r"1 requests could cost up to \$\d.*under way"):
        run(tmp_path, max_usd=two_thirds * 1.1)
    assert len(rows_in(tmp_path)) == 4 and len(server.batches) == 1
    assert run(tmp_path)["problems"]["rows"] == 6 and len(server.batches) == 2


# --- results


def test_a_cut_stream_of_results_is_found_and_fetched_again(server, tmp_path):
    run(tmp_path / "whole")
    body = server.results(server.batches[0])
    cuts = [0, *(m.end() for m in re.finditer(b"\n", body)), *range(1, len(body) - 1, 97)]
    for cut in [cut for cut in cuts if cut < len(body)]:
        server.start_anew()
        server.faults = {"results": [f"cut at {cut}"]}
        run(tmp_path / str(cut))
        assert server.calls.count("results") == 2 and len(server.batches) == 1
        assert {row["problem"] for row in rows_in(tmp_path / str(cut))} == {row["problem"] for row in rows_in(tmp_path / "whole")}


def test_a_refused_batch_does_not_keep_those_before_it_from_being_fetched(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    server.faults = {"create": ["", "402"]}
    with pytest.raises(TeacherError, match="batch 2 was not accepted"):
        run(tmp_path)
    assert len(rows_in(tmp_path)) == 4


GONE = {
    "its results are gone": ({"results msgbatch_0": "404"}, r"the API refused \(404\)"),
    "it is archived": ({"results msgbatch_0": "archived"}, "the server keeps its results no longer"),
    "nobody knows it": ({"retrieve msgbatch_0": "404"}, r"the API refused \(404\)"),
    "its results stay cut at a line": ({"results msgbatch_0": "cut at 0"}, "1 of 1 results are missing in 3 downloads"),
    "its results stay cut in a line": ({"results msgbatch_0": "cut at 9"}, "the API does not answer as it should"),
    "its place is a web page": ({"retrieve msgbatch_0": "html"}, "the API does not answer as it should"),
    "it is described by nothing": ({"retrieve msgbatch_0": "no batch"}, "the API does not answer as it should"),
    "its results stay a failure": ({"results msgbatch_0": "500"}, "the API does not answer as it should"),
}


@pytest.mark.parametrize("broken, why", GONE.values(), ids=GONE)
def test_a_batch_that_cannot_be_fetched_is_named_and_keeps_no_other_one(server, tmp_path, monkeypatch, broken, why):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 1)
    server.broken = broken
    for _ in range(2):
        with pytest.raises(TeacherError, match=rf"^batch 1 \(msgbatch_0\) cannot be fetched: {why}.*--give-up ID"):
            run(tmp_path, again=True)
        assert len(rows_in(tmp_path)) == 4 and len(server.batches) == 3
        assert states(tmp_path)[0] in ("submitted", "ended") and states(tmp_path)[1:] == ["reconciled"] * 2
    # Let go, it counts as billed in full, and it is not sent again by itself.
    one = plan_of().estimate([(0, plan_of().max_tokens(0))]).worst_usd
    for _ in range(2):
        report = run(tmp_path, give_up=["msgbatch_0"])
        assert report["requests"]["outcomes"] == {"answered": 2, "lost": 1} and report["requests"]["can_be_asked_again"] == 1
        assert report["usd"]["may_be_billed_besides"] == pytest.approx(one, abs=1e-6)
        assert states(tmp_path) == ["reconciled"] * 3 and len(server.batches) == 3
    with pytest.raises(TeacherError, match="nothing was submitted: 1 requests"):
        run(tmp_path, again=True, max_usd=one * 1.9)
    report = run(tmp_path, again=True)
    assert report["problems"]["rows"] == 6 and len(server.batches) == 4
    assert server.batches[3]["requests"][0]["custom_id"] == server.batches[0]["requests"][0]["custom_id"][:-1] + "1"
    assert report["usd"]["may_be_billed_besides"] == pytest.approx(one, abs=1e-6)


def test_an_archived_batch_is_known_without_waiting(server, tmp_path):
    slept, server.broken = [], {"results msgbatch_0": "archived"}
    with pytest.raises(TeacherError, match="keeps its results no longer"):
        run(tmp_path, waits=Waits(0.0, 0.04, 2.0, sleep=slept.append))
    assert sum(slept) == 0


def test_giving_up_is_for_what_the_server_alone_can_no_longer_give(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 1)
    server.broken = {"retrieve msgbatch_0": "404"}
    with pytest.raises(TeacherError):
        run(tmp_path)
    with pytest.raises(ValueError, match=r"--give-up msgbatch_7: no batch of this run .* msgbatch_0, msgbatch_1, msgbatch_2"):
        run(tmp_path, give_up=["msgbatch_7"])
    server.broken["list"] = "401"  # the key is refused, so nothing is known of the batch
    with pytest.raises(TeacherError, match=r"batch 1 \(msgbatch_0\) cannot be fetched"):
        run(tmp_path, give_up=["msgbatch_0"])
    assert states(tmp_path)[0] == "submitted"
    server.broken, said = {}, []
    report = run(tmp_path, give_up=["msgbatch_0", "msgbatch_1"], say=said.append)  # an eager hand: it is fetched after all
    assert report["requests"]["outcomes"] == {"answered": 3} and len(server.batches) == 3
    assert any("batch 2 (msgbatch_1) is fetched: there is nothing to give up" in text for text in said)


def test_a_run_killed_while_a_batch_is_let_go_goes_on_and_knows_what_it_may_have_cost(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 2)
    server.faults, server.broken = {"create": ["", "402", "402"]}, {"results msgbatch_0": "404"}
    for ids in ([], ["msgbatch_0"]):
        with pytest.raises(TeacherError, match="batch 2 was not accepted"):
            run(tmp_path, give_up=ids)
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    assert states(tmp_path) == ["given_up", "planned"]
    with pytest.raises(TeacherError, match="nothing was submitted: 1 requests"):
        run(tmp_path, max_usd=worst_usd() * 0.99)
    assert states(tmp_path) == ["reconciled", "planned"] and len(server.batches) == 1
    assert run(tmp_path)["requests"]["outcomes"] == {"answered": 1, "lost": 2} and len(server.batches) == 2


def test_counts_that_are_none_count_nothing():
    counts = SimpleNamespace(request_counts=SimpleNamespace(processing="3", succeeded=2, errored=None, canceled=-1))
    assert {kind: n for kind, n in anthropic_batch._counts(counts).items() if n} == {"succeeded": 2}
    assert not any(anthropic_batch._counts(SimpleNamespace()).values())


def test_a_server_that_is_gone_is_not_waited_for_once_more_with_each_batch(server, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BATCH_REQUESTS", 1)
    slept, server.broken = [], {f"retrieve msgbatch_{n}": "500" for n in range(3)}
    with pytest.raises(TeacherError, match=r"batch 1 \(msgbatch_0\), batch 2 \(msgbatch_1\), batch 3 \(msgbatch_2\) cannot"):
        run(tmp_path, waits=Waits(0.0, 0.04, 2.0, sleep=slept.append))
    assert server.calls.count("retrieve") == anthropic_batch.TRIES + 2
    assert len(slept) == anthropic_batch.TRIES - 1  # between tries, and not after the last


def test_results_that_stay_cut_stop_the_run_and_cost_nothing_more(server, tmp_path):
    server.faults = {"results": ["cut at 0"] * anthropic_batch.FETCHES}
    with pytest.raises(TeacherError, match="3 of 3 results are missing.*stay on the server"):
        run(tmp_path)
    assert run(tmp_path)["problems"]["rows"] == 6 and len(server.batches) == 1


def test_results_that_are_not_what_the_server_counted_are_fetched_again(server, tmp_path):
    server.faults = {"results": ["altered"]}
    assert run(tmp_path)["problems"]["rows"] == 6 and server.calls.count("results") == 2


def test_passing_failures_of_harmless_calls_are_outlasted(server, tmp_path):
    server.faults = {"list": ["500", "429"], "retrieve": ["529", "500"], "results": ["503"]}
    assert run(tmp_path)["problems"]["rows"] == 6 and len(server.batches) == 1


def test_double_and_foreign_results_are_counted_and_change_nothing(server, tmp_path):
    run(tmp_path / "whole")
    server.start_anew()
    server.reply = lambda index, request: server.extra_lines.append(
        {"custom_id": request["custom_id"] if index else "theirs", "result": {"type": "expired"}}
    ) or good(request)
    assert run(tmp_path / "odd") == read_json(tmp_path / "whole" / "report.json")
    [fetched] = [row for row in read_rows(tmp_path / "odd" / "journal.jsonl") if row.get("state") == "fetched"]
    assert fetched["other_lines"] == 3


def test_odd_line_breaks_and_halves_of_characters_in_a_reply_are_no_broken_file(server, tmp_path):
    odd = {"problems": [problem(5) | {"problem": "One\u2028two\x85three \U0001f600?"}]}
    server.reply = lambda index, request: {"type": "succeeded", "message": message(json.dumps(odd, ensure_ascii=False))}
    run(tmp_path)
    assert rows_in(tmp_path)[0]["problem"] == "One\u2028two\x85three \U0001f600?"
    assert anthropic_batch._line(b'{"custom_id": "a", "result": {"type": "\\ud83d"}}')["result"]["type"] == "?"


def test_requests_without_a_usable_reply_are_counted_and_asked_again(server, tmp_path):
    results = [
        {"type": "expired"},
        {"type": "canceled"},
        error("overloaded_error"),
        {"type": "succeeded", "message": message('{"problems": [{"prob', "max_tokens")},
        {"type": "succeeded", "message": message("I would rather not write JSON today.")},
        {"type": "succeeded", "message": message("", "refusal")},
        error("invalid_request_error"),
        error("invalid_request_error", "Your credit balance is too low"),
    ]
    server.reply = lambda index, request: results[index] if len(server.batches) == 0 and index < 8 else good(request)
    plan = plan_of(problems=20)
    report = run(tmp_path, plan)
    assert report["requests"]["outcomes"] == {
        "answered": 2, "canceled": 1, "errored": 3, "expired": 1, "refused": 1, "truncated": 1, "unreadable": 1,
    }  # fmt: skip
    assert report["requests"]["details"] == {
        "billing_error": 1, "invalid_request_error": 1, "overloaded_error": 1, "reply_is_not_json": 1,
    }  # fmt: skip
    assert report["requests"]["can_be_asked_again"] == 6 and report["problems"]["rows"] == 4
    assert report["tokens"]["billed"] == [5000, 2000]  # errored, expired and canceled requests are free
    again = run(tmp_path, plan, again=True)
    assert again["requests"]["outcomes"] == {"answered": 8, "errored": 1, "refused": 1}
    assert again["problems"]["rows"] == 16 and again["requests"]["sent"] == 16
    first, second = ({r["custom_id"].split("-")[1]: r for r in b["requests"]} for b in server.batches)
    grown = [second[key]["params"]["max_tokens"] / first[key]["params"]["max_tokens"] for key in second]
    assert sorted(grown) == [1, 1, 1, 1, 1, 2] and all(r["custom_id"].endswith("-1") for r in second.values())


def test_asking_again_ends(server, tmp_path):
    server.reply = lambda index, request: {"type": "expired"} if index == 0 else good(request)
    # A round that brings nothing is not repeated by itself, and the third attempt is the last.
    for batches, left in ((2, 1), (3, 0), (3, 0)):
        report = run(tmp_path, again=True)
        assert report["requests"]["outcomes"] == {"answered": 2, "expired": 1}
        assert report["requests"]["can_be_asked_again"] == left and len(server.batches) == batches


def test_a_result_file_that_was_changed_is_refused(server, tmp_path):
    run(tmp_path)
    path = tmp_path / "results" / "0001.jsonl"
    path.write_text(path.read_text().replace("pens", "pins"))
    with pytest.raises(Damaged, match="0001.jsonl is not the file that was fetched"):
        run(tmp_path)


# --- what a model writes never raises

GOOD = problem(5)


@pytest.mark.parametrize(
    "text, read, faults",
    [
        (json.dumps({"problems": [GOOD]}), [GOOD], []),
        ("Sure!\n```json\n" + json.dumps({"problems": [GOOD]}) + "\n```", [GOOD], []),
        (json.dumps({"problems": [GOOD, 7, GOOD]}), [GOOD, GOOD], ["problem_is_no_object"]),
        (json.dumps({"problems": [GOOD | {"answer": 18}]}), [GOOD], []),  # a number where a text was asked for
        ('{"problems": [{"problem": "?", "steps": [], "answer": ' + "9" * 5000 + "}]}",
         [{"problem": "?", "steps": [], "answer": "9" * 5000}], []),
        (json.dumps({"problems": [GOOD | {"steps": ["Step 1: a", " step 2. b "]}]}), [GOOD | {"steps": ["a", "b"]}], []),
        (json.dumps({"problems": [GOOD | {"answer": None}, GOOD]}), [GOOD], ["problem_or_answer_is_no_text"]),
        (json.dumps({"problems": [GOOD | {"steps": "3 + 4 = 7"}]}), [], ["steps_are_no_list_of_texts"]),
        (json.dumps({"problems": [{}]}), [], ["problem_or_answer_is_no_text"]),
        (json.dumps({"problems": [GOOD | {"problem": "\ud800"}, GOOD]}), [GOOD], ["text_holds_half_a_character"]),
        ('{"problems": []}', [], ["reply_holds_no_problem"]),
        ('{"problems": [{"problem": NaN}]}', [], ["reply_is_not_json"]),
        ('{"problems": {}}', [], ["reply_has_no_list_of_problems"]),
        ("[1, 2]", [], ["reply_is_not_json"]),
        ("", [], ["reply_is_not_json"]),
        ('{"problems": [{"problem": "Ana', [], ["reply_is_not_json"]),
        ('{"a":' * 100_000 + "}" * 100_000, [], ["reply_is_not_json"]),
    ],
)  # fmt: skip
def test_reads_what_is_there_of_a_reply(text, read, faults):
    assert read_reply(text) == (read, faults)


@pytest.mark.parametrize(
    "result, kind, detail",
    [
        ({"type": "succeeded", "message": message(json.dumps({"problems": [GOOD]}))}, "answered", ""),
        ({"type": "succeeded", "message": message("{}", content=None)}, "unreadable", "reply_is_not_json"),
        ({"type": "succeeded", "message": message("{}", content=[None, {"text": 5}])}, "unreadable", "reply_is_not_json"),
        ({"type": "succeeded", "message": message("{}", usage=7)}, "unreadable", "reply_has_no_list_of_problems"),
        ({"type": "succeeded"}, "errored", "unknown result 'succeeded'"),
        ({"type": "vanished"}, "errored", "unknown result 'vanished'"),
        ({}, "errored", "unknown result None"),
        ({"type": "errored"}, "errored", "unknown"),
        ({"type": "errored", "error": "no"}, "errored", "unknown"),
        ({"type": "errored", "error": {"type": "timeout_error"}}, "errored", "timeout_error"),
    ],
)
def test_every_result_has_an_outcome(result, kind, detail):
    outcome = read_result(result)
    assert (outcome.kind, outcome.detail) == (kind, detail)


def test_usage_that_is_not_told_is_unknown_and_not_nothing():
    assert read_usage({"input_tokens": 10, "output_tokens": 3}) == (10, 3)
    assert read_usage({"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 100}) == (20, 3)
    assert read_usage({"input_tokens": 10, "output_tokens": 3, "cache_creation_input_tokens": 100}) == (135, 3)
    assert read_usage({"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": None}) == (10, 3)
    for usage in (None, {}, {"output_tokens": 3}, {"input_tokens": 10, "output_tokens": "3"}):
        assert read_usage(usage) is None


@pytest.mark.parametrize("count", [-(10**9), 10**400, 10**9, True, False, 3.0, float("nan"), "3", [], {}])
@pytest.mark.parametrize("key", ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"])
def test_usage_that_cannot_be_true_is_unknown(key, count):
    assert read_usage({"input_tokens": 10, "output_tokens": 3} | {key: count}) is None


def test_usage_that_cannot_be_true_does_not_lower_the_bill(server, tmp_path):
    def boast(index: int, request: dict) -> dict:
        result = good(request)
        if index == 0:
            result["message"]["usage"]["input_tokens"] = -(10**9)
        return result

    server.reply = boast
    report = run(tmp_path)
    assert report["usd"]["billed"] == pytest.approx(2 * (1000 * 0.5 + 400 * 2.5) / 1e6)
    one = plan_of().estimate([(0, plan_of().max_tokens(0))]).worst_usd
    assert report["tokens"]["replies_without_usage"] == 1 and report["usd"]["may_be_billed_besides"] == pytest.approx(one, abs=1e-6)


# --- the journal


def test_a_batch_goes_through_its_states_in_order(tmp_path):
    with BatchJournal(tmp_path / "journal.jsonl", "p", {}) as journal:
        batch = journal.plan([Ask(0, 0, 9)])
        with pytest.raises(RuntimeError, match="cannot go from planned to submitted"):
            journal.enter(batch, "submitted")
        journal.enter(batch, "submitting", since=None)
        with pytest.raises(Busy):
            BatchJournal(tmp_path / "journal.jsonl", "p", {})
    with BatchJournal(tmp_path / "journal.jsonl", "p", {}) as again:
        assert again.run == journal.run and [(b.state, b.asks) for b in again.batches] == [("submitting", [Ask(0, 0, 9)])]


# Which state may follow which; the first is of a batch that is not there yet.
STEPS = {
    "": ["planned"],
    "planned": ["submitting"],
    "submitting": ["submitting", "submitted", "planned", "fetched"],
    "submitted": ["ended", "given_up"],
    "ended": ["fetched", "given_up"],
    "fetched": ["reconciled"],
    "given_up": ["reconciled"],
    "reconciled": [],
}
WAYS = {state: ["planned", "submitting", "submitted", "ended", "fetched", "reconciled"] for state in STEPS}
WAYS = {state: way[: way.index(state) + 1] if state in way else [] for state, way in WAYS.items()}
WAYS["given_up"] = ["planned", "submitting", "submitted", "given_up"]


@pytest.mark.parametrize("state", [state for state in STEPS if state])
def test_a_batch_that_is_paid_for_never_goes_back(tmp_path, state):
    for following in [following for following in STEPS if following]:
        path = tmp_path / following / "journal.jsonl"
        rows = [{"batch": 0, "state": known, "asks": [[0, 0, 9]]} for known in WAYS[state]]
        write_rows(path, [{"run": "r", "plan": "p", "config": {}}, *rows])
        with BatchJournal(path, "p", {}) as journal:
            [batch] = journal.batches
            if following in STEPS[state]:
                journal.enter(batch, following)
                assert batch.state == following
            else:
                with pytest.raises(RuntimeError, match=f"cannot go from {state} to {following}"):
                    journal.enter(batch, following)
        if following not in STEPS[state]:
            write_rows(path, [{"run": "r", "plan": "p", "config": {}}, *rows, {"batch": 0, "state": following}])
            with pytest.raises(Damaged, match="is no step"):
                BatchJournal(path, "p", {})


@pytest.mark.parametrize(
    "row", [{"batch": 1, "state": "submitting"}, {"batch": 0, "state": "fetched"}, {"batch": "0"}, {"state": "planned"}]
)
def test_a_journal_that_makes_no_sense_is_refused(tmp_path, row):
    planned = {"batch": 0, "state": "planned", "asks": [[0, 0, 9]]}
    write_rows(tmp_path / "journal.jsonl", [{"run": "r", "plan": "p", "config": {}}, planned, row])
    with pytest.raises(Damaged, match="journal.jsonl:3 is no step"):
        BatchJournal(tmp_path / "journal.jsonl", "p", {})


def test_a_folder_belongs_to_one_plan(server, tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match=r"another plan \(it differs in problems\)"):
        run(tmp_path, plan_of(problems=8))


# --- plans and prices


def test_the_same_plan_asks_the_same():
    assert [plan_of().params(i) for i in range(3)] == [plan_of().params(i) for i in range(3)]
    assert len({plan_of().prompt(i) for i in range(3)}) == 3
    assert [plan_of(problems=5).wanted(i) for i in range(3)] == [2, 2, 1] and plan_of(5).max_tokens(2) < plan_of(5).max_tokens(0)
    for changed in (plan_of(problems=8), plan_of(per_request=3), plan_of(model="claude-haiku-5-5")):
        assert changed.sha256 != plan_of().sha256 and changed.key(0) != plan_of().key(0)


@pytest.mark.parametrize("name", MODELS)
def test_no_model_is_sent_sampling_parameters(name):
    assert not {"temperature", "top_p", "top_k"} & set(plan_of(model=name).params(0))


def test_the_published_run_is_estimated_at_what_it_cost():
    """83,000 problems by Haiku 4.5, five a request, cost about $55."""
    seed = "Ana has 3 apples and buys 4 more. She gives half of them, and 2 pears, to her brother on a Monday in May. " * 2
    seeds = tuple(Row(f"s{n}", seed, ("Ana has 3 + 4 = 7 apples in all.",) * 4, "7") for n in range(SHOTS))
    plan = Plan(find_model(DEFAULT_MODEL), 83_000, 5, 0, seeds)
    estimate = plan.estimate([(i, plan.max_tokens(i)) for i in range(0, plan.requests, 100)])
    assert 45 < estimate.usd * 100 < 70 and estimate.usd * 1.5 < estimate.worst_usd < estimate.usd * 4


@pytest.mark.parametrize(
    "name, listed_in, listed_out",  # US dollars per million tokens outside of a batch, from the models' pages
    [
        ("claude-haiku-4-5-20251001", 1.00, 5.00),
        ("claude-haiku-4-5", 1.00, 5.00),
        ("claude-haiku-5-5", 0.10, 0.50),
        ("claude-sonnet-4-6", 3.00, 15.00),
        ("claude-sonnet-5-5", 2.00, 10.00),
    ],
)
def test_a_batch_costs_half_of_the_list_price(name, listed_in, listed_out):
    assert MODELS[name].cost(1_000_000, 0) == listed_in / 2 and MODELS[name].cost(0, 1_000_000) == listed_out / 2


def test_every_model_has_its_list_price_in_the_table_above():
    [table] = [mark for mark in test_a_batch_costs_half_of_the_list_price.pytestmark if mark.name == "parametrize"]
    assert {name for name, *_ in table.args[1]} == set(MODELS)


@pytest.mark.parametrize("name, density", [("claude-haiku-4-5", 1.0), ("claude-haiku-5-5", 1.3)])
def test_the_bound_holds_for_text_of_two_bytes_a_token(name, density):
    """And for as many tokens more as the model makes of a text, whatever it writes up to `max_tokens`."""
    long = tuple(Row(f"s{n}", "Ana has 3 apples. " * 200, ("3 + 4 = 7",), "7") for n in range(SHOTS))
    plan = Plan(find_model(name), 5, 5, 0, long)
    body = plan.params(0)
    text = body["system"] + body["messages"][0]["content"] + json.dumps(body["output_config"]["format"]["schema"])
    cost = plan.model.cost(len(text.encode()) / 2 * density, body["max_tokens"])
    assert cost < plan.estimate([(0, body["max_tokens"])]).worst_usd < cost * 1.5


def test_an_unknown_model_needs_prices():
    with pytest.raises(ValueError, match="give --price-in and --price-out"):
        find_model("claude-9", 1.0)
    assert find_model("claude-9", 1.0, 5.0).cost(1_000_000, 1_000_000) == 6.0
    assert find_model(DEFAULT_MODEL, output_usd=1.0).cost(1_000_000, 1_000_000) == 1.5
    with pytest.raises(ValueError, match="between 0 and 10,000"):
        find_model("claude-9", float("nan"), 5.0)


# --- the command


@pytest.fixture
def seeds(monkeypatch, tmp_path_factory):
    """Forty problems in the place of GSM8K train, ten of them frozen as seeds."""
    problems = [
        Problem(f"gsm8k-{n}", f"{n} boxes hold 4 pens each. How many pens?", 4 * n, f"They hold 4*{n}={4 * n} pens.\n#### {4 * n}")
        for n in range(3, 43)
    ]
    for module in (gsm8k, pipeline.seeds):
        monkeypatch.setattr(module, "load_source", lambda name, split: {("gsm8k", "train"): problems}[name, split])
    monkeypatch.setattr(pipeline.seeds, "PATH", tmp_path_factory.mktemp("seeds") / "seeds.json")
    write_json(pipeline.seeds.PATH, pipeline.seeds.choose(10, 0, {}))
    return pipeline.seeds.read_seeds()


ARGUMENTS = ["--teacher", "anthropic_batch", "--problems", "12", "--seeds", "10"]


def test_a_dry_run_prints_a_request_and_the_cost_and_sends_nothing(server, seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    pipeline.teach.main([*ARGUMENTS, "--out", str(tmp_path / "new"), "--dry-run"])
    printed = capsys.readouterr().out
    request, end = json.JSONDecoder().raw_decode(printed)
    assert request["params"]["model"] == DEFAULT_MODEL and "Write 5 new problems" in request["params"]["messages"][0]["content"]
    assert "3 requests for 12 problems" in printed[end:] and re.search(r"\$0\.\d*[1-9]\d*, and at most \$0\.\d*[1-9]", printed[end:])
    assert server.calls == [] and not (tmp_path / "new").exists()


@pytest.mark.parametrize("usd, told", [(0, "0.00"), (0.000042, "0.000042"), (0.0015, "0.0015"), (0.05, "0.0500"), (0.5, "0.50"), (12.345, "12.35"), (8300, "8300.00")])
def test_a_cheap_run_is_not_told_to_cost_nothing(usd, told):
    assert about(usd) == told


def test_a_dry_run_of_millions_is_quick_and_says_that_the_budget_stops_it(seeds, tmp_path, monkeypatch, capsys):
    asked = []
    prompt = Plan.prompt
    monkeypatch.setattr(Plan, "prompt", lambda plan, index: asked.append(index) or prompt(plan, index))
    pipeline.teach.main([*ARGUMENTS, "--problems", "20000000", "--out", str(tmp_path), "--dry-run"])
    printed = capsys.readouterr().out
    assert len(asked) <= SAMPLE + 1
    assert "4,000,000 requests for 20,000,000 problems" in printed and "extrapolated from 1,000 requests" in printed
    assert re.search(r"--max-usd 5\.00 would stop this before anything is sent: --max-usd \d{4,6}\.\d\d is enough", printed)
    pipeline.teach.main([*ARGUMENTS, "--out", str(tmp_path), "--dry-run"])
    assert "would stop" not in (printed := capsys.readouterr().out) and "extrapolated" not in printed


def test_a_large_plan_is_estimated_from_a_sample_of_it():
    plan = plan_of(problems=2 * SAMPLE * 3 + 1)
    whole, sampled = plan.estimate([(i, plan.max_tokens(i)) for i in range(plan.requests)]), estimate_all(plan)
    assert sampled.requests == whole.requests and sampled != whole
    assert sampled.usd == pytest.approx(whole.usd, rel=0.01) and sampled.worst_usd == pytest.approx(whole.worst_usd, rel=0.01)
    assert estimate_all(plan_of()) == plan_of().estimate([(i, plan_of().max_tokens(i)) for i in range(3)])


def test_the_command_runs_and_tells_the_bill(server, seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr(anthropic_batch, "teach", lambda *arguments, **options: teach(*arguments, waits=QUICK, **options))
    pipeline.teach.main([*ARGUMENTS, "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "3 of 3 requests settled: 3 answered" in printed and "12 rows for 12 problems asked" in printed
    assert "billed $0.0045 for 3,000 tokens in and 1,200 out; estimated $" in printed
    [batch] = server.batches
    for request in batch["requests"]:
        assert sum(f'"{seed.problem}' in request["params"]["messages"][0]["content"] for seed in seeds) == SHOTS


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "ANTHROPIC_API_KEY is not set"),
        (["--model", "claude-9"], "no price is known for 'claude-9'"),
        (["--per-request", "21"], "--per-request between 1 and 20"),
        (["--problems", "0"], "--problems must be at least 1"),
        (["--max-usd", "0"], "--max-usd must be more than 0"),
        (["--seeds", "11"], "--seeds 11: between 4 and 10"),
        (["--seeds", "3"], "--seeds 3: between 4 and 10"),
        (["--base-url", "http://127.0.0.1"], "--base-url means nothing to the teacher anthropic_batch"),
        (["--concurrency", "0"], "--concurrency means nothing"),
        (["--teacher", "openai_compatible", "--resend-lost"], "--resend-lost means nothing to the teacher openai_compatible"),
        (["--teacher", "openai_compatible", "--give-up", "a"], "--give-up means nothing to the teacher openai_compatible"),
    ],
)
def test_a_wrong_call_is_one_sentence_before_anything_is_sent(server, seeds, tmp_path, monkeypatch, arguments, says):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(SystemExit, match=says):
        pipeline.teach.main([*ARGUMENTS, "--out", str(tmp_path), *arguments])
    assert server.calls == []


# --- kill -9

DRIVER = """
import json, os, sys
import anthropic
import mathtutor.io
from tests.test_teach import run

from tests.dying import countdown, dying

# All that is durable goes through these two.
mathtutor.io._write_all = dying(mathtutor.io._write_all)
mathtutor.io.write_atomic = dying(mathtutor.io.write_atomic)
for line in sys.stdin:
    folder, steps = json.loads(line)
    countdown.left = steps
    child = os.fork()
    if not child:
        try:
            os.environ["ANTHROPIC_CUSTOM_HEADERS"] = f"x-pid: {os.getpid()}"
            run(mathtutor.io.Path(folder))
        except BaseException:
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_a_run_killed_anywhere_goes_on_to_the_same_rows_with_one_batch(server, tmp_path):
    """The client dies before each durable write, and at each call after the server has acted on it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )  # fmt: skip

    def go(folder: Path, steps: int = 0) -> int:
        """The wait status of one run that dies before durable write number `steps`, from 1; 0: it does not."""
        driver.stdin.write(json.dumps([str(folder), steps]) + "\n")
        driver.stdin.flush()
        return int(driver.stdout.readline())

    def outputs(folder: Path) -> list[bytes]:
        return [(folder / name).read_bytes() for name in ("raw.jsonl", "report.json")]

    try:
        assert go(tmp_path / "whole") == 0
        whole, calls = outputs(tmp_path / "whole"), len(server.calls)
        places = [("write", n) for n in range(1, 100)] + [("call", n) for n in range(1, calls + 1)]
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
            server.kill_at = None
            assert go(folder) == 0
            assert outputs(folder) == whole and len(server.batches) == 1, (kind, number)
        assert killed["write"] >= 10 and killed["call"] == calls
    finally:
        driver.stdin.close()
        driver.wait(10)
        driver.stdout.close()
