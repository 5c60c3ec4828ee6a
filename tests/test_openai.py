"""A server of one's own: the wire format of OpenAI's, and the ways in which it can go wrong."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eval import readings
from eval.report_data import collect
from eval.run import main as run_main
from mathtutor.chat import conversation
from mathtutor.engines import Sampling, gather
from mathtutor.engines.openai import EngineError, OpenAIEngine
from mathtutor.io import read_json, read_rows


class Server(BaseHTTPRequestHandler):
    """Does what the problem says: well, think, stall, silent, refuse, cut, html, nonsense, empty."""

    def log_message(self, *args):
        pass

    def event(self, text: str | None = None, finish: str | None = None, **delta) -> None:
        choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
        self.data(json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}))

    def data(self, text: str) -> None:
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()

    def start(self, status: int = 200, kind: str = "text/event-stream") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        problem = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
        if problem == "silent":  # not even a status line
            return self.wait()
        if problem == "old" and "stream_options" in body:
            self.start(422, "application/json")
            return self.wfile.write(b'{"error": {"message": "extra fields"}}')
        if problem == "refuse":
            self.start(400, "application/json")
            return self.wfile.write(b'{"error": {"message": "too long"}}')
        if problem in ("401", "403", "404"):
            self.start(int(problem), "application/json")
            return self.wfile.write(b'{"error": {"message": "no such key or model"}}')
        if problem == "html":
            self.start(kind="text/html")
            return self.wfile.write(b"<html>Welcome</html>")
        self.start()
        if problem == "empty":
            return self.data("[DONE]")
        if problem.startswith("ends with "):
            self.event("The answer is 7.", finish=problem.removeprefix("ends with "))
            return self.data("[DONE]")
        if problem == "counted":  # four tokens in a piece, nine with what a client never sees; a count so far comes with the piece
            so_far, whole = ({"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n} for n in (4, 9))
            choice = {"index": 0, "delta": {"content": "The answer is 7."}, "finish_reason": "length" if body["max_tokens"] == 9 else "stop"}
            for given in ({"choices": [choice], "usage": so_far}, {"choices": [], "usage": whole}):
                self.data(json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **given}))
            return self.data("[DONE]")
        if problem == "ponder" and not body.get("continue_final_message"):
            for word in ("Let ", "me ", "see ")[: body["max_tokens"]]:
                self.event(reasoning_content=word)
            self.event(finish="length")
            return self.data("[DONE]")
        if problem == "sure":
            token = {"token": "7", "logprob": -0.5, "bytes": None, "top_logprobs": []}
            choice = {"index": 0, "delta": {"content": "7"}, "finish_reason": "stop", "logprobs": {"content": [token]}}
            self.data(json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}))
            return self.data("[DONE]")
        if problem == "think":
            self.event(reasoning_content="Step 1: 3 + 4 = 7")
        self.event("The answer ")
        if problem == "stall":
            return self.wait()
        if problem == "cut":
            return None
        if problem == "nonsense":
            return self.data("{]")
        self.event("is 7.")
        self.event(finish="stop")
        self.data("[DONE]")

    def wait(self) -> None:
        """Until the client hangs up."""
        self.connection.settimeout(10)
        try:
            if self.connection.recv(1) == b"":
                self.server.hung_up.set()
        except OSError:
            pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.asked, server.hung_up = [], threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def engine(server):
    return OpenAIEngine(f"http://ana:hunter2@127.0.0.1:{server.server_port}/hunter2", "m")


def test_reads_a_stream_and_puts_the_thinking_in_its_tags(server, engine):
    generation = gather(engine.stream(conversation("well"), Sampling(max_tokens=9, top_k=5)))
    assert (generation.text, generation.finish) == ("The answer is 7.", "stop")
    assert gather(engine.stream(conversation("think"))).text == "<think>\nStep 1: 3 + 4 = 7\n</think>\n\nThe answer is 7."
    assert server.asked[0]["max_tokens"] == 9 and server.asked[0]["top_k"] == 5 and "top_k" not in server.asked[1]


def test_each_reply_of_a_batch_is_asked_with_its_own_seed(server, engine):
    list(engine.replies([conversation("well")] * 3, Sampling(temperature=1.0), seeds=[5, 6, 7]))
    assert sorted(body["seed"] for body in server.asked) == [5, 6, 7]


@pytest.mark.parametrize("thinking", [True, False, None])
def test_thinking_is_turned_on_and_off_as_the_template_knows_it(server, engine, thinking):
    gather(engine.stream(conversation("well"), Sampling(thinking=thinking)))
    assert server.asked[0].get("chat_template_kwargs") == (None if thinking is None else {"enable_thinking": thinking})


def test_a_reply_that_is_begun_is_gone_on_with(server, engine):
    begun = [*conversation("well"), {"role": "assistant", "content": "<think>\n"}]
    ((_, reply),) = engine.replies([begun])
    body = server.asked[0]
    assert body["messages"][-1] == {"role": "assistant", "content": "<think>\n"}
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False
    assert reply.prompt.endswith("<|im_start|>assistant\n<think>\n") and reply.text == "The answer is 7."


def test_a_thinking_budget_is_kept_in_two_requests(server, engine):
    sampling = Sampling(max_tokens=50, think_budget=2, think_stop="\nSo:\n</think>\n\n")
    generation = gather(engine.stream(conversation("ponder"), sampling))
    assert generation.text == "<think>\nLet me \nSo:\n</think>\n\nThe answer is 7." and generation.finish == "stop"
    first, second = server.asked
    assert first["max_tokens"] == 2 and second["max_tokens"] == 48
    assert second["messages"][-1]["content"] == "<think>\nLet me \nSo:\n</think>\n\n"
    assert gather(engine.stream(conversation("well"), sampling)).text == "The answer is 7." and len(server.asked) == 3


def test_log_probabilities_come_where_they_are_asked_for(server, engine):
    ((_, reply),) = engine.replies([conversation("sure")], Sampling(logprobs=True))
    assert reply.logprob == -0.5 and server.asked[0]["logprobs"] is True
    ((_, reply),) = engine.replies([conversation("well")])
    assert reply.logprob is None and "logprobs" not in server.asked[1]


def test_tokens_are_those_that_the_server_counts(server, engine):
    ((_, reply),) = engine.replies([conversation("counted")])
    assert (reply.text, reply.num_tokens, reply.pieces) == ("The answer is 7.", 9, False)
    assert server.asked[0]["stream_options"] == {"include_usage": True}
    # and a budget of thinking is spent by them: 20 - 9 are left
    gather(engine.stream(conversation("counted"), Sampling(max_tokens=20, think_budget=9)))
    assert [body["max_tokens"] for body in server.asked[1:]] == [9, 11]


@pytest.mark.parametrize("problem, asked", [("well", [True, True]), ("old", [True, False, False])])
def test_where_a_server_counts_none_its_pieces_are_counted_and_called_that(server, engine, problem, asked):
    for _ in range(2):
        ((_, reply),) = engine.replies([conversation(problem)])
        assert (reply.text, reply.finish, reply.num_tokens, reply.pieces) == ("The answer is 7.", "stop", 2, True)
    assert ["stream_options" in body for body in server.asked] == asked  # a refusal is remembered


@pytest.mark.parametrize("problem, pieces", [("well", 1), ("counted", None)])
def test_a_run_and_its_report_say_that_pieces_were_counted(server, tmp_path, capsys, monkeypatch, problem, pieces):
    def absent():
        raise readings.NotInstalled("math-verify is not installed")

    monkeypatch.setattr(readings, "_pool", absent)
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": problem, "answer": 7}) + "\n")
    run_main(["--engine", f"openai:http://127.0.0.1:{server.server_port}/v1#m", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--out", str(tmp_path / "out")])
    (row,) = read_rows(tmp_path / "out" / "results.jsonl")
    assert (row.get("pieces"), row["tokens"]) == ((True, 2) if pieces else (None, 9))
    assert read_json(tmp_path / "out" / "summary.json").get("counted_in_pieces") == pieces
    assert ("did not tell how many tokens 1 replies took" in capsys.readouterr().out) is bool(pieces)
    assert any("pieces of its stream" in warning["text"] for warning in collect([tmp_path / "out"])["warnings"]) is bool(pieces)


@pytest.mark.parametrize("word, finish", [("stop", "stop"), ("eos_token", "stop"), ("length", "length"), ("content_filter", "failed"), ("tool_calls", "failed")])
def test_a_reply_that_ended_for_another_reason_than_its_own_or_a_limit_is_none(server, engine, word, finish):
    ((_, reply),) = engine.replies([conversation(f"ends with {word}")])
    assert (reply.finish, reply.text) == (finish, "" if finish == "failed" else "The answer is 7.")
    if finish == "failed":
        with pytest.raises(EngineError, match=f"ended a reply with '{word}', so it is not whole"):
            gather(engine.stream(conversation(f"ends with {word}")))


@pytest.mark.parametrize("problem", ["stall", "silent"])
def test_stop_ends_the_reply_of_a_server_that_says_nothing(server, engine, problem):
    stop, pressed = threading.Event(), []
    threading.Timer(0.5, lambda: (pressed.append(time.monotonic()), stop.set())).start()
    generation = gather(engine.stream(conversation(problem), stop=stop))
    assert generation.finish == "stopped" and time.monotonic() - pressed[0] < 0.3
    assert server.hung_up.wait(1)  # and the server is told


def test_leaving_a_stream_early_ends_the_request(server, engine):
    stream = engine.stream(conversation("stall"))
    next(stream)
    stream.close()
    assert server.hung_up.wait(1)


@pytest.mark.parametrize("problem", ["refuse", "html", "empty", "cut", "nonsense"])
def test_a_reply_without_an_end_is_an_error_in_words(server, engine, problem):
    with pytest.raises(EngineError) as caught:
        list(engine.stream(conversation(problem)))
    assert "m at 127.0.0.1" in str(caught.value) and "hunter2" not in str(caught.value)
    # No second try while a student waits, but for the one that tells whether the request for usage was what was refused.
    assert ["stream_options" in body for body in server.asked] == ([True, False] if problem == "refuse" else [True])


def test_a_server_that_takes_the_request_for_usage_is_refused_once(server, engine):
    gather(engine.stream(conversation("well")))
    with pytest.raises(EngineError):
        list(engine.stream(conversation("refuse")))
    assert len(server.asked) == 2


def test_one_refused_request_costs_no_other_reply(engine):
    problems = ["well", "refuse", "well", "cut", "html", "well"]
    replies = dict(engine.replies([conversation(problem) for problem in problems]))
    assert [replies[i].finish for i in range(6)] == ["stop", "failed", "stop", "failed", "failed", "stop"]
    assert [replies[i].text for i in (1, 3, 4)] == [""] * 3 and replies[0].text == "The answer is 7."


def test_stop_ends_a_batch_and_keeps_what_is_whole(engine):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    replies = dict(engine.replies([conversation("well"), conversation("stall"), conversation("silent")], stop=stop))
    assert list(replies) == [0] and time.monotonic() - started < 1.5


def test_leaving_a_batch_early_waits_for_nobody(engine):
    replies = engine.replies([conversation("well"), conversation("stall")])
    assert next(replies)[0] == 0
    started = time.monotonic()
    replies.close()
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("status", ["401", "404"])
def test_a_key_or_a_model_that_is_refused_ends_the_run_before_all_problems_have_failed(server, tmp_path, status):
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"id": str(n), "question": status, "answer": 7}) + "\n" for n in range(40)))
    with pytest.raises(SystemExit, match="(?s)no such key or model.*What was answered is kept"):
        run_main(["--engine", f"openai:http://127.0.0.1:{server.server_port}/v1#m", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--concurrency", "2", "--out", str(tmp_path / "out")])
    assert list(read_rows(tmp_path / "out" / "results.jsonl")) == [] and not (tmp_path / "out" / "summary.json").exists()
    assert len(server.asked) < 40


def test_a_question_that_a_server_forbids_costs_no_other_reply(engine):
    replies = dict(engine.replies([conversation(problem) for problem in ("403", "well")]))
    assert [replies[i].finish for i in range(2)] == ["failed", "stop"]


def test_how_long_a_silent_server_is_waited_for_can_be_chosen(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mathtutor.engines.openai.RETRIES", 0)
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "silent", "answer": 7}) + "\n")
    started = time.monotonic()
    run_main(["--engine", f"openai:http://127.0.0.1:{server.server_port}/v1#m", "--benchmark", f"file:{tmp_path / 'q.jsonl'}", "--timeout", "1", "--out", str(tmp_path / "out")])
    assert time.monotonic() - started < 30 and "1 failed and count as wrong" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_an_error_for_the_whole_batch():
    engine = OpenAIEngine("http://127.0.0.1:9/v1", "m")
    with pytest.raises(EngineError, match="m at 127.0.0.1:9 did not answer"):
        list(engine.replies([conversation("well"), conversation("well")]))
