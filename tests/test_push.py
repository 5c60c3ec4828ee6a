"""A data set goes to the hub whole, in one commit, as the report describes it, or not at all.

The hub's own client speaks to a local server that stands in for the hub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mathtutor.io import read_json, sha256_file, write_json, write_rows
from pipeline import push
from pipeline.card import data_card
from tests.test_report import REPORT

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "hf_canary0123456789"
TO = "someone/synth-test"


class Hub(BaseHTTPRequestHandler):
    """Create, list, preupload, LFS and commit. `server.fault` names the call that goes wrong, and how."""

    def log_message(self, *args):
        pass

    def reply(self, body: dict | list, status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def handle_call(self) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        calls = ("create", "validate-yaml", "preupload", "commit", "batch", "tree", "lfs-store")
        what = next((name for name in calls if name in path), None)
        if what is None:  # the client asks who its users are
            return self.reply({}, 404)
        hub.calls.append(what)
        if what != "lfs-store":
            hub.tokens.add(self.headers["authorization"])
        wrong, _, how = hub.fault.partition(" ")
        if wrong == what and how == "drop":
            return self.connection.close()
        if wrong == what and how == "html":
            return self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<b/>")
        if wrong == what:
            return self.reply({"error": f"no, not with {self.headers['authorization']}"}, int(how))
        if what == "create":
            hub.created.append(json.loads(body))
            return self.reply({"url": f"{hub.url}/datasets/{TO}"}, 200 if len(hub.created) == 1 else 409)
        if what == "validate-yaml":
            return self.reply({"errors": [], "warnings": []})
        if what == "tree":
            return self.reply([{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in hub.files])
        if what == "preupload":
            asked = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}
            return self.reply(
                {
                    "files": [
                        {"path": f["path"], "uploadMode": modes[f["path"].startswith("clean")], "shouldIgnore": False}
                        for f in asked
                    ]
                }
            )
        if what == "batch":
            wanted = json.loads(body)["objects"]
            return self.reply(
                {"objects": [o | {"actions": {"upload": {"href": f"{hub.url}/lfs-store/{o['oid']}"}}} for o in wanted]}
            )
        if what == "lfs-store":
            hub.store[path.rpartition("/")[2]] = body
            return self.reply({})
        files = dict(hub.files)
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = hub.store[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                hub.commits.append(value["summary"])
        hub.files = files
        self.reply({"commitUrl": f"{hub.url}/datasets/{TO}/commit/1", "commitOid": "1" * 40})

    do_GET = do_POST = do_PUT = do_HEAD = handle_call


@pytest.fixture(scope="module")
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(server):
    server.calls, server.tokens, server.created, server.commits = [], set(), [], []
    server.files, server.store, server.fault = {}, {}, ""
    return server


@pytest.fixture
def folder(tmp_path):
    """A data set as a build leaves it."""
    folder = tmp_path / "data"
    write_rows(folder / "clean.jsonl", [{"id": "a"}, {"id": "b"}])
    write_rows(folder / "validation.jsonl", [{"id": "v"}])
    write_rows(folder / "dropped.jsonl", [{"id": "secret"}])
    names = ("clean.jsonl", "validation.jsonl", "dropped.jsonl")
    files = {name: {"sha256": sha256_file(folder / name)} for name in names}
    report = REPORT | {"sha256": files["clean.jsonl"]["sha256"], "files": files}
    write_json(folder / "report.json", report)
    (folder / "README.md").write_text(data_card(report), encoding="utf-8")
    (folder / "notes.txt").write_text("mine")
    return folder


def run(folder: Path, hub, *options: str, command: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess:
    """A command, pipeline.push if no other, in a process of its own: the hub's client reads its address when it is imported."""
    home = folder.parent / "home"
    (home / "hf").mkdir(parents=True, exist_ok=True)
    (home / "hf" / "token").write_text("hf_somebody_logged_in")
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home / "hf")}
    environment = {**os.environ, **proxies, **settings, "HOME": str(home), "HF_TOKEN": TOKEN, **environment}
    command = command or ("-m", "pipeline.push", "--data", str(folder), "--to", TO, *options)
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


# --- what is sent


def test_a_push_is_one_commit_of_the_files_that_the_report_names(folder, hub):
    hub.files = {"clean.parquet": b"of an earlier push", "PERSON.md": b"of a person"}
    done = run(folder, hub)
    assert done.returncode == 0, done.stderr
    assert hub.commits == [f"{REPORT['clean']:,} rows, clean.jsonl {sha256_file(folder / 'clean.jsonl')[:16]}"]
    assert sorted(hub.files) == ["PERSON.md", "README.md", "clean.jsonl", "report.html", "report.json", "validation.jsonl"]
    for name in ("clean.jsonl", "validation.jsonl", "README.md"):
        assert hub.files[name] == (folder / name).read_bytes()
    assert hub.created[0] == {"name": "synth-test", "organization": "someone", "type": "dataset", "visibility": "private"}
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert f"{hub.url}/datasets/{TO}/commit/1" in done.stdout


def test_what_was_kept_out_of_the_data_is_kept_out_of_what_is_published(folder):
    # A sample is filed under the first of its faults: one of a wrong sum may hold a telephone number as well.
    sent = push.files_of(folder)
    assert json.loads(sent["report.json"]) == {k: v for k, v in read_json(folder / "report.json").items() if k != "samples"}
    samples = [row for reasons in REPORT["samples"].values() for rows in reasons.values() for row in rows]
    assert len(samples) > 1
    for row in samples:
        for name in ("README.md", "report.json", "report.html"):
            assert row["id"].encode() not in sent[name]


def test_a_push_into_a_repository_that_is_there_is_welcome(folder, hub):
    hub.created = [{}]
    assert run(folder, hub).returncode == 0
    assert len(hub.commits) == 1


def test_a_model_goes_there_as_a_model(folder, hub):
    code = f"from mathtutor.publish import publish; publish({{'README.md': b'# Card'}}, {TO!r}, kind='model', message='m', dry_run=False)"
    done = run(folder, hub, command=("-c", code))
    assert done.returncode == 0, done.stderr
    assert hub.created[0].get("type", "model") == "model" and hub.created[0]["visibility"] == "private"
    assert (hub.files, hub.commits) == ({"README.md": b"# Card"}, ["m"])


# --- a dry run


def test_a_dry_run_shows_all_and_sends_nothing(folder, hub):
    done = run(folder, hub, "--dry-run", HF_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert hub.calls == []
    lines = done.stdout.splitlines()
    for name, content in push.files_of(folder).items():
        raw = content if isinstance(content, bytes) else content.read_bytes()
        assert any(
            line.startswith(name) and f" {len(raw):,} bytes" in line and hashlib.sha256(raw).hexdigest() in line for line in lines
        ), name
    assert "pretty_name: synth-test" in lines and lines[-1] == "nothing was sent"


def test_a_reader_who_goes_away_ends_nothing_with_an_error(folder, hub):
    code = (  # as `| head` does, only at once
        "import os, sys; from pipeline import push; read, write = os.pipe(); os.close(read); os.dup2(write, 1); "
        f"push.main(['--data', {str(folder)!r}, '--to', {TO!r}, *sys.argv[1:]])"
    )
    for options, commits in ((["--dry-run"], 0), ([], 1)):
        done = run(folder, hub, command=("-c", code, *options))
        assert (done.returncode, len(hub.commits)) == (0, commits) and "Errno" not in done.stderr and "Traceback" not in done.stderr, done.stderr


# --- refusals: before anything is sent, with the way out


def spoil_clean(folder: Path) -> None:
    with open(folder / "clean.jsonl", "a") as file:
        file.write("{}\n")


REFUSED = {
    "no report": (lambda folder: (folder / "report.json").unlink(), "report.json is missing"),
    "another report": (lambda folder: write_json(folder / "report.json", {"sha256": "0"}), "is not the report of a data set"),
    "a teacher's": (
        lambda folder: write_json(folder / "report.json", {"plan": {}, "problems": {}, "usd": {}}), "make a data set of them first",
    ),
    "a torn report": (lambda folder: (folder / "report.json").write_text("{"), "is not JSON"),
    "other rows": (spoil_clean, "clean.jsonl is not the file that report.json stands for"),
    "no rows": (lambda folder: (folder / "clean.jsonl").unlink(), "clean.jsonl is missing"),
    "other validation rows": (lambda folder: write_rows(folder / "validation.jsonl", []), "validation.jsonl is not the file"),
    "another card": (lambda folder: (folder / "README.md").write_text("# Mine"), "python -m pipeline.card"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_that_is_not_its_reports_is_refused(folder, capsys, monkeypatch, case):
    spoil, sentence = REFUSED[case]
    spoil(folder)
    monkeypatch.setattr(push, "publish", lambda *_, **__: pytest.fail("sent"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(SystemExit, match=sentence):
        push.main(["--data", str(folder), "--to", TO])


@pytest.mark.parametrize("name", ["synth", "a/b/c", "../x", "a b/c", "", "someone/", "-x/y"])
def test_a_name_that_is_none_is_refused(folder, name):
    with pytest.raises(SystemExit, match="ORG/NAME"):
        push.main(["--data", str(folder), f"--to={name}", "--dry-run"])


def test_the_token_comes_from_the_environment_alone(folder, hub):
    done = run(folder, hub, HF_TOKEN="")  # a token lies in HF_HOME
    assert done.returncode == 1 and "HF_TOKEN is not set" in done.stderr
    assert hub.calls == []


# --- bad days of the hub


@pytest.mark.parametrize(
    "fault, sentence",
    [
        ("create 401", "the hub refused (401)"),
        ("create 403", "the hub refused (403)"),
        ("commit 500", "the hub refused (500)"),
        ("commit drop", "run the same command again"),
        ("commit html", "run the same command again"),
    ],
)
def test_what_goes_wrong_is_one_sentence_without_the_token_and_leaves_nothing_half(folder, hub, fault, sentence):
    hub.files = {"README.md": b"old"}
    hub.fault = fault
    done = run(folder, hub)
    assert done.returncode == 1 and sentence in done.stderr, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert hub.files == {"README.md": b"old"}
    hub.fault = ""
    assert run(folder, hub).returncode == 0 and len(hub.commits) == 1
