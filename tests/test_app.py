"""The launched app, driven as a program would: no browser, a scripted engine."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from fractions import Fraction
from html import unescape

import httpx
import pytest
from gradio_client import Client

import app
from mathtutor.bank import load_bank
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.hints import Solved
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import Finding
from mathtutor.tutoring.sums import solve_sum
from tests.browser import PATIENCE, eventually, serve
from ui import wiring
from ui.desk import Desk
from ui.learn import Work, another, check, checked_view, coach, hint, opened, solve, twin, whole
from ui.streams import LazyEngine, Limits, WaitingLine

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
PENS = "A pen costs $10 and a book costs $12. What do they cost together?"
SLIP = "A box holds 6 eggs. How many eggs are in 7 boxes and 1 more egg?"
LOST = "Ben has 5 nuts, some twigs and 2 dogs. How many twigs has he?"
UNKNOWN = "How many? Nobody wrote a reply for these 3 apples and 4 pears."
RAMBLING = "Count the legs of 4 cats and 3 hens, one by one. How many legs?"

REPLIES = {
    APPLES: "<think>\nStep 1: Ana has 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7.0.",
    PENS: "<think>\nStep 1: She pays $10 and then $12, so 10 + 12 = 22\n</think>\n\nThe answer is $22.",
    SLIP: "<think>\nStep 1: 6 * 7 = 42\nStep 2: 42 + 1 = 44\n</think>\n\nThe answer is 44.",
    LOST: "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know.",
    RAMBLING: "<think>\nStep 1: One leg, two legs, three legs",
}
LOST_REPLY = REPLIES[LOST]
BASE = {problem: reply.replace("Ana has", "Ana buys") for problem, reply in REPLIES.items()}
BASE[SLIP] = "<think>\nStep 1: 6 * 7 = 42\nStep 2: 42 + 1 = 43\n</think>\n\nThe answer is 43."


PAIR = ("base", "tuned", False)  # Compare's two models, their names shown


@pytest.fixture(scope="module")
def url():
    with serve(
        app.build_app(ScriptedEngine(REPLIES, name="tuned"), ScriptedEngine(BASE, name="base"))
    ) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    """Asks for the page's own runs too, which no program is offered: Gradio's client looks away from what is private."""
    client = Client(url, verbose=False)
    for function in client.config["dependencies"]:
        if function["api_name"] and function["backend_fn"]:
            function["api_visibility"] = "undocumented"
            client.endpoints[function["id"]].is_valid = True
    return client


def asked(client, *inputs, api_name: str) -> list[str]:
    """The last text that each output of a run was given, tags removed."""
    shown: dict[int, str] = {}
    job = client.submit(*inputs, api_name=api_name)
    job.result(timeout=PATIENCE)
    for values in job.outputs():
        shown.update({index: value for index, value in enumerate(values) if isinstance(value, str)})
    return [unescape(re.sub(r"<[^>]+>", " ", shown.get(index, ""))) for index in range(max(shown) + 1)]


def watched(client, problem, calculator=True) -> tuple[str, str, str]:
    """(status, steps, answer) of a problem that is watched while it is solved."""
    status, steps, _, answer, *_ = [*asked(client, problem, calculator, True, api_name="/learn_solve"), "", "", "", ""]
    return status, steps, answer


def test_solves_a_problem_with_checked_steps(client):
    status, steps, answer = watched(client, APPLES)
    assert strings.PHASES[Phase.ANSWERED] in status
    assert "Ana has 3 + 4 = 7 apples." in steps and "✓" in steps and "sums check" in steps
    assert re.search(r"My answer\s+7\s", answer) and strings.NOT_PROOF in answer


def test_a_dollar_stays_a_dollar(client):
    _, steps, answer = watched(client, PENS, False)
    assert "She pays $10 and then $12, so 10 + 12 = 22" in steps
    assert "The answer is $22." in answer


def test_a_wrong_sum_is_tried_again_and_then_admitted(client):
    _, steps, answer = watched(client, SLIP)
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


@pytest.mark.parametrize("inputs", [("/learn_solve", False), ("/learn_solve", True), ("/compare_both", *PAIR)])
@pytest.mark.parametrize(("problem", "words"), REFUSED)
def test_what_is_no_problem_gets_a_kind_sentence(client, problem, words, inputs):
    api_name, *watch = inputs
    assert words in asked(client, problem, True, *watch, api_name=api_name)[0]


@pytest.mark.promises(11)
@pytest.mark.parametrize(
    ("problem", "phase"), [(LOST, Phase.NO_ANSWER), (RAMBLING, Phase.CUT_OFF), (UNKNOWN, Phase.FAILED)]
)
def test_every_end_has_its_sentence(client, problem, phase):
    status, _, answer = watched(client, problem)
    assert strings.PHASES[phase] in status and "My answer" not in answer
    _, left, right, *_ = asked(client, problem, True, *PAIR, api_name="/compare_both")
    assert strings.COMPARE_PHASES[phase] in left and strings.COMPARE_PHASES[phase] in right


def test_worry_words_get_help_and_no_model(client):
    shown = " ".join(asked(client, "I want to die. 3 + 4 = ?", True, False, api_name="/learn_solve"))
    assert strings.WORRY_TITLE in shown and "988" in shown and "My answer" not in shown


def test_compares_two_engines(client):
    status, left, right, *_, summary = asked(client, APPLES, True, *PAIR, api_name="/compare_both")
    assert strings.COMPARE_DONE in status and strings.SAME_ANSWER.format(answer=7) in summary
    assert "Ana buys 3 + 4 = 7" in left and "Ana has 3 + 4 = 7" in right
    assert re.search(r"\d+ tokens · \d+\.\d s", left) and re.search(r"\d+ tokens · \d+\.\d s", right)


def test_finds_where_two_engines_part(client):
    _, left, right, *_, summary = asked(client, SLIP, True, *PAIR, api_name="/compare_both")
    assert strings.OTHER_ANSWERS.format(left_name=strings.BASE_NAME, left=43, right_name=strings.TUNED_NAME, right=44) in summary
    assert strings.FIRST_DIFFERENCE.format(step=2) in summary
    assert strings.DIFFERS in left and strings.DIFFERS in right


def test_nothing_but_the_three_endpoints_is_public(url):
    client = Client(url, verbose=False)
    assert set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == {"/solve", "/check_work", "/twin"}
    for function in client.config["dependencies"]:
        if function["api_visibility"] != "public":
            answer = httpx.post(f"{url}/gradio_api/call/{function['api_name']}", json={"data": []})
            assert answer.status_code in (400, 404)
    with pytest.raises(ValueError, match="Cannot find a function"):
        client.submit(APPLES, True, True, api_name="/learn_solve")


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


@pytest.mark.promises(11)
def test_says_when_the_line_is_full_and_gives_the_hint_that_needs_no_model():
    line = WaitingLine(max_waiting=0)
    with line.place():
        assert strings.FULL in views(ScriptedEngine(REPLIES), line=line)[-1]
        *_, last = coach(APPLES, True, Desk({"tuned": ScriptedEngine(REPLIES)}, line=line))
        assert strings.FULL in last.status and "mt-rung" in last.steps and not last.busy


def test_a_second_try_that_adds_up_takes_the_place_of_the_first():
    good = REPLIES[SLIP].replace("42 + 1 = 44", "42 + 1 = 43").replace("is 44", "is 43")
    engine = ScriptedEngine([REPLIES[SLIP], good])
    last = [*solve(SLIP, True, Desk({"tuned": engine}))][-1]
    assert "42 + 1 = 43" in last.steps and "42 + 1 = 44" not in last.steps
    assert (
        strings.TWO_TRIES in last.answer and strings.RAW_FIRST in last.answer and "42 + 1 = 44" in last.answer
    )


OTHER = REPLIES[APPLES].replace("3 + 4 = 7", "3 * 4 = 12").replace("is 7.0", "is 12")


def coached(replies, problem: str = APPLES) -> Work:
    """The work that lies on the desk once a problem has been solved out of sight."""
    *_, last = coach(problem, True, Desk({"tuned": ScriptedEngine(replies)}))
    assert not last.busy
    return last.work


def told(view) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"{view.status} {view.steps} {view.feedback} {view.answer} {view.another}")).split())


def test_help_begins_with_a_hint_and_holds_the_answer_back():
    *_, last = coach(APPLES, True, Desk({"tuned": ScriptedEngine(REPLIES)}))
    shown = told(last)
    assert strings.READY_SURE in shown and "How many has she now?" in shown and "3 apples" in shown
    assert "7" not in shown and "worked" not in shown.lower()


def test_the_ladder_is_climbed_rung_by_rung_and_the_last_worked_step_opens_the_whole():
    work, seen = coached(REPLIES), []
    while len(seen) < 3:
        assert strings.FIRST_TRY in told(whole(work, APPLES)) and "7" not in told(whole(work, APPLES))
        view = hint(work, APPLES)
        work = view.work
        seen.append(told(view))
    assert "Plan" in seen[0] and "3 + 4 = " in seen[1] and "7" not in seen[0] + seen[1]
    assert "Ana has 3 + 4 = 7 apples." in seen[2] and "sums check" in seen[2]
    assert strings.NO_MORE_HINTS in told(hint(work, APPLES))
    shown = told(whole(work, APPLES))
    assert strings.AGREE.format(tries=5) in shown and "My answer 7" in shown and strings.AGREE_NO_PROOF in shown


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("7 apples", strings.SAID_SAME.format(value=7)),
        ("9", strings.SAID_OTHER.format(value=9)),
        ("3/8 of it", strings.SAID_OTHER.format(value="3/8")),  # as it was typed
        ("$1,250.50", strings.SAID_OTHER.format(value="$1,250.50")),
        ("1 1/2", strings.SAID_OTHER.format(value="1 1/2")),
        ("nine", strings.SAID_OTHER.format(value=9)),
        ("", strings.SAID_NOTHING),
        ("many", strings.SAID_UNREADABLE),
        ("<b>8</b>", strings.SAID_OTHER.format(value=8)),
    ],
)
def test_a_number_can_be_checked_at_any_time(typed, words):
    work = coached(REPLIES)
    view = checked_view(typed, work)
    assert words in told(view) and view.work.may_see_all is (words not in (strings.SAID_NOTHING, strings.SAID_UNREADABLE))
    assert "<b>" not in view.feedback


def test_a_number_for_a_problem_nobody_has_solved_yet_is_checked_all_the_same():
    desk = Desk({"tuned": ScriptedEngine(REPLIES)})
    *_, last = check("7", None, APPLES, True, desk)
    assert strings.SAID_SAME.format(value=7) in told(last) and last.work.tried
    *_, refused = check("7", last.work, "hello", True, desk)
    assert refused.work is None and strings.FINDINGS[Finding.TOO_SHORT] in told(refused)


def test_filling_the_blank_opens_the_worked_step_and_not_more():
    work = hint(hint(coached(REPLIES), APPLES).work, APPLES).work
    work = replace(work, solved=replace(work.solved, answer=Fraction(99)))  # the step's number is not the answer's
    view = checked_view("7", work)
    assert strings.SAID_BLANK.format(value=7, step=1) in told(view) and view.work.shown == work.shown + 1


@pytest.mark.promises(11)
def test_tries_that_disagree_are_admitted_and_nothing_is_called_right():
    work = coached([REPLIES[APPLES], OTHER, REPLIES[APPLES], OTHER, REPLIES[APPLES]])
    shown = told(opened(work))
    assert strings.DISAGREE in shown and strings.STRONGER in shown and strings.READY_DOUBTFUL in shown
    same = told(checked_view("7", work))
    assert strings.SAID_SAME_DOUBTFUL.format(value=7) in same and strings.SAID_SAME.format(value=7) not in same
    view = whole(checked_view("8", work).work, APPLES)
    assert strings.DISAGREE_WITH.format(answers="7 and 12") in told(view) and strings.WHOLE_DOUBTFUL in told(view)
    assert strings.NO_TWIN in told(twin(work, APPLES))


def test_tries_that_go_many_ways_give_no_hints():
    work = coached([REPLIES[APPLES], OTHER, REPLIES[APPLES], OTHER, LOST_REPLY])
    shown = told(opened(work))
    assert strings.SPLIT in shown and strings.STRONGER in shown and strings.NO_HINTS in shown and "How many has she now?" in shown
    for view in (hint(work, APPLES), whole(work, APPLES), twin(work, APPLES), checked_view("7", work)):
        assert view.work.solved is None and "3 + 4" not in told(view) and "12" not in told(view)


def test_tries_that_agree_on_sums_that_do_not_add_up_are_doubted():
    work = coached(["<think>\nStep 1: 3 + 4 = 8\n</think>\n\nThe answer is 8."])
    assert strings.SUMS_FAIL in told(opened(work)) and not work.is_sure


def test_no_way_is_no_way():
    work = coached([LOST_REPLY])
    assert work.solved is None and strings.NO_WAY in told(opened(work)) and strings.STRONGER in told(opened(work))
    for view in (hint(work, APPLES), whole(work, APPLES), twin(work, APPLES), checked_view("7", work)):
        assert "right" not in told(view) and view.work.solved is None


@pytest.mark.parametrize("reply", ["The answer is 7.", "<think>\nIt must be so.\n</think>\n\nThe answer is 7."])
def test_an_answer_without_steps_is_shown_after_the_last_hint(reply):
    work = coached([reply])
    assert work.solved is not None and strings.FIRST_TRY in told(whole(work, APPLES))
    while work.shown < len(work.hints):
        assert not work.may_see_all
        work = hint(work, APPLES).work
    shown = told(whole(work, APPLES))
    assert strings.WHOLE_DOUBTFUL in shown and f"{strings.ONE_WAY_GIVES} 7" in shown and strings.FIRST_TRY not in shown


def test_another_problem_in_the_box_is_not_mixed_up_with_the_one_on_the_desk():
    work = coached(REPLIES)
    for view in (hint(work, PENS), whole(work, PENS), twin(work, PENS)):
        assert strings.OTHER_PROBLEM in told(view) and view.work == work
    assert strings.EMPTY_DESK in told(hint(None, APPLES))


def test_checks_it_another_way_and_says_where_the_two_differ():
    work = whole(checked_view("7", coached(REPLIES)).work, APPLES).work
    *_, same = another(work, APPLES, True, Desk({"tuned": ScriptedEngine(REPLIES)}))
    assert strings.ANOTHER_SAME.format(answer=7) in told(same) and same.work == work and not same.busy
    *_, other = another(work, APPLES, True, Desk({"tuned": ScriptedEngine([OTHER])}))
    assert strings.ANOTHER_OTHER.format(answer=12, first=7) in told(other)
    *_, none = another(work, APPLES, True, Desk({"tuned": ScriptedEngine([LOST_REPLY])}))
    assert strings.ANOTHER_NONE in told(none)
    *_, early = another(coached(REPLIES), APPLES, True, Desk({"tuned": ScriptedEngine([OTHER])}))
    assert strings.FIRST_TRY in told(early) and "12" not in told(early)


def test_a_twin_lies_on_the_desk_with_its_own_hints_and_says_whose_way_it_follows():
    view = twin(coached(REPLIES), APPLES)
    assert view.problem and view.problem != APPLES and strings.TWIN_READY in told(view)
    work = view.work
    assert work.problem == view.problem and work.tries is None and work.shown == 1
    right = checked_view(str(work.solved.answer), work)
    assert strings.SAID_SAME.format(value=work.solved.answer) in told(right) and "is right" not in told(right)
    shown = told(whole(right.work, view.problem))
    assert strings.TWIN_ANSWER in shown and strings.COMPUTED_ANSWER not in shown
    again = twin(work, view.problem).work  # a twin of the twin is no surer
    assert not again.is_certain and strings.SAID_SAME.format(value=again.solved.answer) in told(checked_view(str(again.solved.answer), again))


@pytest.mark.parametrize(
    "make", [lambda: solve_sum("What is 12 * 7 + 30?"), lambda: Solved.of_instance(next(iter(load_bank().values())).instantiate(0, 0))], ids=["sum", "bank"]
)
def test_only_what_is_computed_and_its_twins_are_called_right(make):
    solved = make()
    work = Work.of_solved(solved)
    made = twin(work, solved.problem).work
    for each in (work, made) if made.problem != work.problem else (work,):
        right = checked_view(str(each.solved.answer), each)
        assert strings.SAID_SAME_COMPUTED.format(value=each.solved.answer) in told(right)
        assert strings.COMPUTED_ANSWER in told(whole(right.work, each.problem))


@pytest.mark.parametrize(
    ("replies", "can"),
    [
        ([REPLIES[APPLES]] * 5, True),
        ([REPLIES[APPLES]] * 4 + [OTHER], False),
        (["<think>\nStep 1: 3 + 4 = 8\n</think>\n\nThe answer is 8."], False),
        ([LOST_REPLY], False),
    ],
)
def test_a_twin_is_built_only_on_a_way_on_which_all_tries_agree(replies, can):
    work = coached(replies)
    view = twin(work, APPLES)
    assert work.may_twin is can is (view.problem is not None) and (strings.NO_TWIN in told(view)) is not can


def test_hints_that_the_writer_of_a_problem_made_are_taken_as_they_are():
    instance = next(iter(load_bank().values())).instantiate(0, 0)
    work = Work.of_solved(Solved.of_instance(instance))
    assert instance.understand in told(opened(work)) and instance.plan in told(hint(work, instance.problem))


def test_an_engine_that_breaks_while_solving_is_admitted():
    *_, last = coach(UNKNOWN, True, Desk({"tuned": ScriptedEngine(REPLIES)}))
    assert strings.SORRY in told(last) and last.work is None


@pytest.mark.promises(2)
def test_leaving_ends_the_solving():
    engine, line = ScriptedEngine(["word " * 500], delay=0.02), WaitingLine()
    running = coach(APPLES, True, Desk({"tuned": engine}, Limits(), line))
    assert eventually(lambda: next(running).busy and engine.num_produced > 3)
    running.close()
    assert eventually(lambda: len(line) == 0)
    produced = engine.num_produced
    time.sleep(0.1)
    assert engine.num_produced == produced < 500


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
        body = {"data": [APPLES, True, True], "fn_index": functions["learn_solve"], "session_hash": "nobody"}
        assert httpx.post(url + JOIN, json=body).status_code == 200
        assert eventually(rests)
        produced = engine.num_produced
        assert produced < 500  # of 512: it did not simply come to its end

        monkeypatch.setattr(wiring, "PATIENCE", 3.0)  # a busy machine may be late to listen
        heard = httpx.post(f"{url}/gradio_api/call/solve", json={"data": [APPLES]}).json()["event_id"]
        with httpx.stream("GET", f"{url}/gradio_api/call/solve/{heard}", timeout=PATIENCE) as stream:
            pieces = stream.iter_raw()
            ends = time.monotonic() + 4.5
            while time.monotonic() < ends or engine.num_produced <= produced + 80:
                next(pieces)  # raises StopIteration where the run was ended all the same


def test_a_flood_of_one_address_is_turned_away():
    with serve(app.build_app(ScriptedEngine(REPLIES), ScriptedEngine(REPLIES)), burst=2, rate=0) as url:
        answers = [httpx.post(f"{url}/gradio_api/call/solve", json={"data": [""]}) for _ in range(4)]
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


@pytest.mark.parametrize(
    "variable, file, says", [("MATHTUTOR_ENGINE", "adapter_config.json", "it is an adapter, not a model: merge it"), ("MATHTUTOR_COMPARE", "notes.txt", "it is no folder with a config.json")]
)
def test_an_engine_that_is_no_model_ends_in_a_sentence_at_the_start(monkeypatch, tmp_path, variable, file, says):
    (tmp_path / file).write_text("{}")
    monkeypatch.setenv(variable, f"hf:{tmp_path}")
    with pytest.raises(SystemExit, match=f"{variable}: the model .* cannot be loaded: {says}"):
        app.main()


@pytest.mark.parametrize("host", ["localhost", "0.0.0", "everybody", "::1]"])
def test_a_host_that_is_none_ends_in_a_sentence(monkeypatch, host):
    monkeypatch.setenv("MATHTUTOR_HOST", host)
    with pytest.raises(SystemExit, match="MATHTUTOR_HOST must be an address"):
        app.main()


def test_the_page_shows_no_part_of_an_engines_address_but_its_host():
    engine = LazyEngine("openai:https://ana:hunter2@example.org/hunter2/v1#qwen3")
    with serve(app.build_app(engine, engine)) as url:
        config = httpx.get(f"{url}/config").text
        assert "qwen3 at example.org" in config and "hunter2" not in config
