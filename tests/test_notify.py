"""What the team is told: order and number of calls to a strict Slack, and what a failing Slack changes, which is nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from recovery import announcement, notify, wording
from recovery.announcement import LONGEST, Teller
from recovery.errors import IncidentError, UsageError
from recovery.incident import Incident, load
from recovery.ledger import Ledger, Line
from recovery.phases import PHASES
from rehearsal.slack import CHANNEL, NAME, Slack
from scripts import ledger as command
from tests.conftest import CONTENT, JANUARY, Case
from tests.test_reports_page import RUN, begin, evidence, finish


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    with Slack() as running:
        monkeypatch.setenv("SLACK_BOT_TOKEN", running.token)
        yield running
    assert running.complaints == []


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def incident_of(folder: Path, **announce: Any) -> Incident:
    path = folder / JANUARY.name
    path.write_text(tomli_w.dumps(CONTENT | {"announce": announce}))
    path.with_suffix(".sql").write_bytes(JANUARY.with_suffix(".sql").read_bytes())
    return load(path)


def bot(folder: Path, slack: Slack, **more: Any) -> Incident:
    return incident_of(folder, slack="bot", url=slack.url, channel=NAME, timeout_seconds=5, **more)


def phase(ledger: Ledger, name: str, verdict: str = "GO", run: str = RUN, actual: int = 0, **more: Any) -> None:
    begin(ledger, [name], run=run)
    evidence(ledger, f"test_of_{name}", actual, phase=name, run=run)
    finish(ledger, name, verdict, run=run, **more)


def told(ledger: Ledger, *fields: str) -> list[Any]:
    found = [tuple(line[name] for name in fields) for line in ledger.lines() if line["kind"] == "announced"]
    return [each[0] if len(fields) == 1 else each for each in found]


def announce(incident: Incident, ledger: Ledger, said: list[str] | None = None) -> Any:
    return notify.announcing(incident, ledger, RUN, wanted=True, tell=(said if said is not None else []).append)


NAMES = [phase.name for phase in PHASES]


def test_over_a_recovery_one_message_is_pinned_once_edited_at_each_phase_and_unpinned_once(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    incident = bot(tmp_path, slack)
    for number, name in enumerate(NAMES):  # a process each
        with announce(incident, ledger):
            phase(ledger, name, run=f"{number}" * 32)
    assert [len(slack.done(method)) for method in ("pins.add", "chat.update", "pins.remove")] == [1, len(NAMES), 1]
    (message,) = slack.texts.keys() & {call.fields["timestamp"] for call in slack.done("pins.add")}
    assert {call.fields["ts"] for call in slack.done("chat.update")} == {message}
    posted = slack.done("chat.postMessage")
    assert [call.fields.get("thread_ts") for call in posted] == [None, *[message] * (len(NAMES) + 1)]
    assert [call.method for call in slack.calls[:2]] == ["chat.postMessage", "pins.add"]
    assert slack.calls[-1].method == "pins.remove"
    assert "phase8 GO" in slack.texts[message]
    assert "recovered" in posted[-1].fields["text"]
    assert slack.pinned == set()
    assert [did for did in told(ledger, "did") if did in ("posted", "pinned", "unpinned")] == [
        "posted",
        "pinned",
        "unpinned",
    ]
    assert set(told(ledger, "error")) == {""}
    assert ledger.fault() is None


def test_a_recovery_after_a_final_one_begins_with_a_message_of_its_own(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    incident = bot(tmp_path, slack)
    for _ in range(2):
        with announce(incident, ledger):
            for name in NAMES:
                phase(ledger, name)
            if slack.done("pins.remove"):
                break
        ledger.append(
            "restored", run="x", snapshot="s", before="a", after="b", kept="k", inserted=0, removed=0, left=0,
            undoes=["backfill"], who="bob@ops", now="2026-02-02T06:00:00+00:00",
        )  # fmt: skip
    assert len(slack.done("pins.add")) == 2


def test_the_message_has_the_head_of_the_ledger_as_it_was(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "preflight")
    line = next(line for line in ledger.lines() if line["kind"] == "finished")
    (edit,) = slack.done("chat.update")
    assert f"line {line['seq'] + 1}, head {line['sha']}" in edit.fields["text"]


def test_a_no_go_is_told_with_at_most_three_reasons(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    with announce(bot(tmp_path, slack), ledger):
        begin(ledger, ["phase3"])
        for number in range(5):
            evidence(ledger, f"test_{number}", 7)
        finish(ledger, "phase3", "NO-GO")
    text = slack.done("chat.postMessage")[-1].fields["text"]
    assert text == (
        "phase3 is NO-GO: test_0: rows that are wrong 7, allowed 0; test_1: rows that are wrong 7, allowed 0; "
        "test_2: rows that are wrong 7, allowed 0; and 2 more."
    )


def test_closed_gates_failures_overrides_restores_and_learnings_are_told(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    with announce(bot(tmp_path, slack), ledger):
        begin(ledger, ["phase4"])
        problem = {"code": 11, "sentence": "deduplicate is not allowed", "reasons": ["phase3 has no evidence"]}
        finish(ledger, "phase4", "NO-GO", problems=[problem])
        ledger.append(
            "override", run=RUN, action="deduplicate", reason="agreed", who="bob@ops", missing=["phase3 is old"]
        )
        ledger.append("failed", run=RUN, action="deduplicate", unit="one", reason="the disk is full")
        ledger.append(
            "restored", run="x", snapshot="s1", before="a", after="b", kept="k", inserted=0, removed=0, left=0,
            undoes=["deduplicate"], who="bob@ops", now="2026-02-02T06:00:00+00:00",
        )  # fmt: skip
        ledger.append("note", who="ann@ops", text="map first", learning=True)
        ledger.append("note", who="ann@ops", text="not for all", learning=False)
    texts = [call.fields["text"] for call in slack.done("chat.postMessage")]
    for part in (
        "phase4 is NO-GO: phase3 has no evidence.", "bob@ops passed the closed gate of deduplicate by hand: agreed",
        "deduplicate stopped: the disk is full", "bob@ops brought back the snapshot s1; this undoes deduplicate.",
        "Learned: map first",
    ):  # fmt: skip
        assert any(part in text for text in texts), part
    assert not any("not for all" in text for text in texts)
    assert "phase4 taken back" in slack.done("chat.update")[-1].fields["text"]


def test_text_of_others_is_no_markup_and_is_cut_to_what_slack_takes(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    incident = bot(tmp_path, slack)
    ledger.append("override", run=RUN, action="x", reason="<!channel> & co" + "x" * 9_000, who="eve", missing=[])
    (message,) = Teller(incident).of(ledger.lines()[-1], ledger.lines())
    assert "&lt;!channel&gt; &amp; co" in message.text
    assert len(message.text) == LONGEST


FAULTS = [
    (["429"], 0, ""),
    (["", "already_pinned"], 0, ""),
    (["", "", "message_not_found"], 1, "message_not_found"),
    (["", "", "msg_too_long"], 1, "msg_too_long"),
]


@pytest.mark.parametrize(
    ("faults", "errors", "because"), FAULTS, ids=lambda case: "-".join(case) if isinstance(case, list) else None
)
def test_what_slack_refuses_in_passing_is_gone_on_from(
    tmp_path: Path, ledger: Ledger, slack: Slack, faults: list[str], errors: int, because: str
) -> None:
    slack.faults = list(faults)
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "preflight")
    found = [error for error in told(ledger, "error") if error]
    assert found == [because] * errors
    assert slack.calls[-1].answer == "ok"
    assert slack.calls[-1].fields["thread_ts"] in slack.texts


def test_a_message_that_somebody_deleted_is_posted_and_pinned_anew_and_edited_from_then_on(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    incident = bot(tmp_path, slack)
    with announce(incident, ledger):
        phase(ledger, "preflight")
    slack.texts.clear()
    for name in ("phase1", "phase2"):
        with announce(incident, ledger):
            phase(ledger, name)
    first, second = (call.fields["timestamp"] for call in slack.done("pins.add"))
    assert first != second
    assert slack.done("chat.update")[-1].fields["ts"] == second
    assert "phase2 GO" in slack.texts[second]


def test_a_pin_that_is_gone_already_is_no_error(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    incident = bot(tmp_path, slack)
    with announce(incident, ledger):
        for name in NAMES[:-1]:
            phase(ledger, name)
    slack.pinned.clear()
    with announce(incident, ledger):
        phase(ledger, NAMES[-1])
    assert slack.calls[-1].answer == "no_pin"
    assert set(told(ledger, "error")) == {""}


OUTAGES = {
    "429 for ever": ["429"], "invalid_auth": ["invalid_auth"], "channel_not_found": ["channel_not_found"], "a 500": ["500"],
    "a hang": ["hang"],
}  # fmt: skip


@pytest.mark.parametrize("faults", OUTAGES.values(), ids=OUTAGES.keys())
def test_an_outage_is_noted_and_nothing_more_is_tried(
    tmp_path: Path, ledger: Ledger, slack: Slack, faults: list[str]
) -> None:
    slack.faults, slack.for_ever, said = list(faults), True, list[str]()
    incident = incident_of(tmp_path, slack="bot", url=slack.url, channel=NAME, timeout_seconds=2)
    with announce(incident, ledger, said):
        for name in NAMES[:4]:
            phase(ledger, name)
    assert len({call.method for call in slack.calls}) == 1
    errors = [error for error in told(ledger, "error") if error]
    assert len(errors) == 5  # the start and four phases, none of them unsaid
    assert len(said) == 1
    assert said[0].startswith("announce: 5 of the messages to the team did not go out")
    assert ledger.fault() is None
    assert ledger.listeners == []


def test_a_slack_that_is_not_there_is_an_outage(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1234567890")
    said: list[str] = []
    with announce(incident_of(tmp_path, slack="bot", url="http://127.0.0.1:9/", channel=NAME), ledger, said):
        phase(ledger, "preflight")
    assert told(ledger, "error")[0] == "Slack cannot be reached: Connection refused"
    assert told(ledger, "error")[1].startswith("not tried, since Slack cannot be reached")
    assert len(said) == 1


@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_slacks_is_an_outage(
    tmp_path: Path, ledger: Ledger, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1234567890")
    asked: list[str] = []

    def proxy(request: Request) -> Response:
        asked.append(request.path)
        return Response("<html>log in first</html>", status=status)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(proxy)
    with announce(incident_of(tmp_path, slack="bot", url=httpserver.url_for("/"), channel=NAME), ledger):
        phase(ledger, "preflight")
    assert len(asked) == 1
    assert all(error for error in told(ledger, "error"))


def test_a_wait_that_is_longer_than_anybody_waits_is_not_waited_for(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    slack.faults, slack.retry_after = ["429"], 3600
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "preflight")
    assert len(slack.calls) == 1
    assert "ratelimited" in told(ledger, "error")[0]


def test_a_bot_that_may_not_pin_still_tells(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    slack.faults = ["", "missing_scope"]
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "preflight")
    assert [error for error in told(ledger, "error") if error] == ["Slack refused pins.add: missing_scope"]
    assert len(slack.done("chat.update")) == 1


def test_what_is_told_after_the_message_was_deleted_opens_another_one(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "preflight")
    slack.texts.clear()
    with announce(bot(tmp_path, slack), ledger):
        ledger.append("override", run=RUN, action="deduplicate", reason="agreed", who="bob@ops", missing=[])
    assert len(slack.done("pins.add")) == 2
    assert "by hand: agreed" in slack.done("chat.postMessage")[-1].fields["text"]


def test_phases_that_are_asked_again_together_end_the_recovery_once(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    with announce(bot(tmp_path, slack), ledger):
        begin(ledger, NAMES)
        for name in NAMES:
            finish(ledger, name, "GO")
    with announce(bot(tmp_path, slack), ledger):
        begin(ledger, NAMES)
        for name in NAMES:
            finish(ledger, name, "GO")
    assert [len(slack.done(method)) for method in ("pins.add", "pins.remove")] == [2, 2]


def test_a_recovery_goes_on_with_a_bot_where_a_webhook_began(
    tmp_path: Path, ledger: Ledger, slack: Slack, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", httpserver.url_for("/hook"))
    with announce(incident_of(tmp_path, slack="webhook"), ledger):
        phase(ledger, "preflight")
    with announce(bot(tmp_path, slack), ledger):
        phase(ledger, "phase1")
    assert len(slack.done("pins.add")) == 1
    assert set(told(ledger, "error")) == {""}


def test_secrets_in_the_ledger_do_not_reach_slack(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    with announce(bot(tmp_path, slack), ledger):
        ledger.append("override", run=RUN, action="x", reason=f"see {slack.token}", who="bob@ops", missing=[])
    assert slack.token not in str([call.fields for call in slack.calls])


def test_a_later_run_says_the_whole_state_after_an_outage(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    incident = bot(tmp_path, slack)
    with announce(incident, ledger):
        phase(ledger, "preflight")
    slack.faults, slack.for_ever = ["invalid_auth"], True
    with announce(incident, ledger):
        phase(ledger, "phase1")
    slack.faults, slack.for_ever = [], False
    with announce(incident, ledger):
        phase(ledger, "phase2")
    assert len(slack.done("pins.add")) == 1
    assert "preflight GO, phase1 GO, phase2 GO" in slack.done("chat.update")[-1].fields["text"]


def test_a_token_that_is_not_set_or_cannot_be_one_is_noted(
    tmp_path: Path, ledger: Ledger, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token, because in (("", "SLACK_BOT_TOKEN is not set"), ("x\ny", "SLACK_BOT_TOKEN holds a space")):
        monkeypatch.setenv("SLACK_BOT_TOKEN", token)
        with announce(bot(tmp_path, slack), ledger):
            phase(ledger, "preflight")
        assert because in told(ledger, "error")[-1]
    assert slack.calls == []


def test_a_webhook_posts_each_message_and_edits_none(
    tmp_path: Path, ledger: Ledger, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []

    def hook(request: Request) -> Response:
        texts.append(request.get_json()["text"])
        return Response("ok")

    httpserver.expect_request("/services/T0/secret-part", method="POST").respond_with_handler(hook)
    monkeypatch.setenv("SLACK_WEBHOOK_URL", httpserver.url_for("/services/T0/secret-part"))
    incident = incident_of(tmp_path, slack="webhook")
    for name in NAMES[:2]:
        with announce(incident, ledger):
            phase(ledger, name)
    assert [text.split()[0] for text in texts] == ["Recovery", "preflight", "phase1"]
    assert set(told(ledger, "did")) == {"posted"}
    assert "secret-part" not in ledger.path.read_text()


def test_a_webhook_that_refuses_is_noted_without_its_address(
    tmp_path: Path, ledger: Ledger, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = httpserver.url_for("/services/T0/secret-part")
    httpserver.expect_request("/services/T0/secret-part").respond_with_data(f"no_service at {url}", status=404)
    monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
    with announce(incident_of(tmp_path, slack="webhook"), ledger):
        phase(ledger, "preflight")
    assert "Slack refused the message: status 404" in told(ledger, "error")[0]
    assert "secret-part" not in ledger.path.read_text()


def test_without_announce_or_without_anybody_to_tell_nothing_is_sent(
    tmp_path: Path, ledger: Ledger, slack: Slack
) -> None:
    with notify.announcing(bot(tmp_path, slack), ledger, RUN, wanted=False):
        phase(ledger, "preflight")
    assert slack.calls == []
    with pytest.raises(UsageError, match="names nobody to tell"), announce(incident_of(tmp_path, slack="none"), ledger):
        pass


def test_a_defect_of_the_messages_stops_nothing(
    tmp_path: Path, ledger: Ledger, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Teller, line: Line, lines: list[Line]) -> None:
        raise RuntimeError("no words")

    monkeypatch.setattr(announcement.Teller, "of", broken)
    said: list[str] = []
    with announce(bot(tmp_path, slack), ledger, said):
        phase(ledger, "preflight")
    assert ledger.lines()[0]["kind"] == "run"
    assert "RuntimeError: no words" in said[0]


@pytest.mark.parametrize(
    ("texts", "because"),
    [
        ({"start": "{nosuch}"}, "{nosuch} is no field of it; known are"),
        ({"start": "{title.__class__}"}, "is no field of it"),
        ({"start": "{title!r}"}, "is no field of it"),
        ({"start": "{"}, "braces that do not fit"),
        ({"hello": "x"}, "no such text; there are start, state"),
    ],
)
def test_a_text_with_a_field_that_it_does_not_have_is_refused_with_the_incident(
    tmp_path: Path, texts: dict[str, str], because: str
) -> None:
    with pytest.raises(IncidentError, match=r"announce\.texts") as refused:
        incident_of(tmp_path, slack="none", texts=texts)
    assert because in str(refused.value)


def test_a_bot_without_a_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IncidentError, match="announce"):
        incident_of(tmp_path, slack="bot")


def test_every_text_has_words_and_every_field_a_value(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    assert announcement.defaults().keys() == wording.FIELDS.keys()
    for name, text in announcement.defaults().items():
        assert wording.fault_of(name, text) is None
        every = " ".join(f"{{{field}}}" for field in sorted(wording.FIELDS[name]))
        assert wording.fault_of(name, every) is None
    texts = {name: " ".join(f"{{{field}}}" for field in fields) for name, fields in wording.FIELDS.items()}
    said: list[str] = []
    with announce(bot(tmp_path, slack, texts=texts), ledger, said):
        for name in NAMES:
            phase(ledger, name, *(("NO-GO", RUN, 7) if name == "phase3" else ()))
        ledger.append("failed", run=RUN, action="deduplicate", reason="x")
    assert said == []


def test_a_learning_after_the_end_is_posted_and_nothing_is_pinned(tmp_path: Path, ledger: Ledger, slack: Slack) -> None:
    incident = bot(tmp_path, slack)
    options = ["--incident", str(incident.path), "--ledger", str(ledger.path)]
    assert command.main([*options, "note", "map tokens first", "--learning", "--announce"]) == 0
    assert [call.method for call in slack.calls] == ["chat.postMessage"]
    assert slack.calls[0].fields["text"] == "Learned: map tokens first"


def test_a_run_tells_the_team_and_a_failing_slack_changes_neither_verdict_nor_exit_code(
    backfilled: Case, tmp_path: Path, slack: Slack
) -> None:
    case = backfilled.clone(tmp_path)
    content = tomllib.loads(case.incident.read_text())
    content["announce"] = {"slack": "bot", "url": slack.url, "channel": NAME, "timeout_seconds": 5}
    case.incident.write_text(tomli_w.dumps(content))
    case.env = case.env | {"SLACK_BOT_TOKEN": slack.token}
    assert case.pytest("phase3") == 0, case.output
    assert slack.calls == []
    assert case.pytest("phase3", "--announce") == 0, case.output
    assert [call.method for call in slack.calls] == ["chat.postMessage", "pins.add", "chat.update", "chat.postMessage"]
    assert {call.fields["channel"] for call in slack.calls[1:]} == {CHANNEL}
    assert [line["did"] for line in case.lines("announced")] == ["posted", "pinned", "edited", "replied"]
    slack.faults, slack.for_ever = [f"invalid_auth {slack.token}"], True
    assert case.pytest("phase3", "--announce") == 0, case.output
    assert (
        "announce: 1 of the messages to the team did not go out: Slack refused chat.update: invalid_auth ***"
        in case.output
    )
    for text in (case.output, case.ledger.path.read_text(), (case.folder / "ledger.dossier.html").read_text()):
        assert slack.token not in text
    content["announce"] = {"slack": "none"}
    case.incident.write_text(tomli_w.dumps(content))
    assert case.pytest("phase3", "--announce") == 4, case.output
    assert "names nobody to tell" in case.output
