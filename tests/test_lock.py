"""The teacher's link `?lock=hints`: in the page, and behind it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import httpx
import pytest

import app
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from tests.browser import PATIENCE, chromium, new_page, open_browser, open_tab, serve
from ui.desk import Desk
from ui.learn import Work, another, checked_view, coach, hint, kept_locked, twin, whole
from ui.lock import is_locked

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
REPLY = "<think>\nStep 1: Ana has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7."
LOCK = "?lock=hints"


@pytest.mark.parametrize(
    ("params", "locked"),
    [({"lock": "hints"}, True), ({}, False), (None, False), ({"lock": ""}, False), ({"lock": "off"}, False), ({"look": "hints"}, False)],
)
def test_is_read_from_the_request(params, locked):
    assert is_locked(SimpleNamespace(query_params=params)) is locked and not is_locked(None)


@pytest.mark.parametrize(("setting", "locked"), [("hints", True), ("", False)])
def test_a_server_that_was_started_locked_is_so_for_pages_and_programs_alike(monkeypatch, setting, locked):
    monkeypatch.setenv("MATHTUTOR_LOCK", setting)
    assert is_locked(None) is locked and is_locked(SimpleNamespace(query_params={})) is locked


def test_a_setting_that_locks_nothing_is_refused_at_the_start(monkeypatch):
    monkeypatch.setenv("MATHTUTOR_LOCK", "yes")
    with pytest.raises(SystemExit, match="MATHTUTOR_LOCK must be 'hints' or not set, not 'yes'"):
        app.main()


def last_of(views) -> Work:
    *_, view = views
    return view.work


def test_the_whole_stays_shut_whatever_was_tried_and_the_hints_go_on():
    desk = Desk({"tuned": ScriptedEngine([REPLY])})
    work = last_of(kept_locked(coach(APPLES, True, desk), True))
    while work.shown < len(work.hints):
        work = hint(work, APPLES).work
    work = checked_view("7", work).work
    view = whole(work, APPLES)
    assert strings.LOCKED in view.status and not view.work.is_whole and "My answer" not in view.answer
    *_, second = another(work, APPLES, True, desk)
    assert second.another == ""
    made = last_of(kept_locked((view for view in (twin(work, APPLES),)), False))
    assert not made.locked  # a twin is another problem: the page's next request tells whether it is locked
    assert last_of(kept_locked((view for view in (hint(work, APPLES),)), False)).locked  # this one stays as it was


def test_without_the_link_a_try_opens_the_whole():
    work = last_of(kept_locked(coach(APPLES, True, Desk({"tuned": ScriptedEngine([REPLY])})), False))
    assert whole(checked_view("7", work).work, APPLES).work.is_whole


@pytest.fixture(scope="module")
def url():
    engine = ScriptedEngine({APPLES: REPLY})
    with serve(app.build_app(engine, engine)) as url:
        yield url


def told(url: str, name: str, data: list) -> str:
    """All that the server sends to a page of the teacher's link whose pupil asks for a run that its page does not show."""
    functions = {each["api_name"]: each["id"] for each in httpx.get(f"{url}/config").json()["dependencies"]}
    body = {"data": data, "fn_index": functions[name], "session_hash": name}
    assert httpx.post(f"{url}/gradio_api/queue/join{LOCK}", json=body).status_code == 200
    lines = []
    with httpx.stream("GET", f"{url}/gradio_api/queue/data?session_hash={name}", timeout=PATIENCE) as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if "process_completed" in line:
                return "\n".join(lines)
    raise AssertionError("it never ended")


def test_what_the_page_does_not_show_is_refused_behind_it_too(url):
    compared = told(url, "compare_both", [APPLES, True, "base", "tuned", False, None])
    assert strings.LOCKED in compared and "= 7" not in compared
    watched = told(url, "learn_solve", [APPLES, True, True])
    assert "= 7" not in watched and strings.READY_SURE in watched


@pytest.mark.skipif(chromium() is None and os.environ.get("CI") != "true", reason="no chromium on the PATH")
def test_the_page_of_the_link_shows_hints_and_nothing_more(url):
    with open_browser() as browser:
        page = new_page(browser)
        page.goto(f"{url}/{LOCK}")
        page.wait_for_selector(f"#mt-lock :text('{strings.LOCKED[:30]}')")
        assert page.get_by_role("tab", name=strings.COMPARE_TAB, exact=True).count() == 0
        for hidden in ("#learn-watch", "#learn-whole", "#learn-another"):
            assert not page.locator(hidden).is_visible()
        page.fill("#learn-problem textarea", APPLES)
        page.click("#learn-solve")
        for rung in (2, 3, 4):
            page.wait_for_selector("#learn-hint:not([disabled])")
            page.click("#learn-hint")
            page.wait_for_selector(f"#learn-steps .mt-rung:nth-child({rung})")
        page.fill("#learn-typed :is(input, textarea)", "7")
        page.click("#learn-check")
        page.wait_for_selector("#learn-feedback .mt-says-right")
        assert not page.locator("#learn-whole").is_visible()
        page.click("#learn-twin")
        page.wait_for_function("old => document.querySelector('#learn-problem textarea').value !== old", arg=APPLES)
        page.goto(url)  # the link without its end: all is there again
        page.wait_for_selector("#learn-whole")
        open_tab(page, strings.COMPARE_TAB)
        assert page.locator("#learn-watch").count() and not page.locator(f"#mt-lock :text('{strings.LOCKED[:30]}')").count()
        page.close()
