"""Refresh: have the application compute its boards anew, and believe only what it writes down in its table of runs.

A call is not repeated unless it is certain that it did not start: an HTTP answer that does not come says nothing. Before a call
goes out the ledger has it, so that a run that was killed does not start one twice either.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import stamina

from recovery import boards, fingerprint, positions, secret
from recovery.action import Plan, Unit, last_done
from recovery.errors import ActionFailed, ServiceUnreachable
from recovery.ledger import Line
from recovery.rebuild_fifo import Rebuild
from recovery.sections import Crons
from recovery.statements import Write
from recovery.workplace import Workplace

NAME_OF_SECRET = "CRON_SECRET"  # in the environment
CLOCKS_DIFFER = timedelta(hours=1)  # at most: the application's and ours
ATTEMPTS = 3
NEVER: Mapping[str, Any] = {"succeeded": 0, "failed": 0, "error": ""}  # what a job has written down that has not run


class _NotStarted(Exception):
    """The call did not reach the job, for certain."""


class _ToRepeat(_NotStarted):
    """And it may be sent again: nothing answered, or too many calls."""


@dataclass(frozen=True)
class _Said:
    """What became of the HTTP call of a job, after how many seconds; whether the job did not start, or said that it failed."""

    cron: str
    sentence: str
    seconds: float
    not_started: bool = False
    failed: bool = False


@dataclass(frozen=True)
class _Call:
    """When a job was called, and how many failures it had written down by then."""

    at: datetime
    failures: int


class Refresh:
    """The boards are caches: computing them again from the positions is all the undoing that they need."""

    name = "refresh"
    removes = False

    def plan(self, place: Workplace) -> Plan:
        service, warehouse = boards.service(place.incident), place.warehouse
        since = (place.now() - CLOCKS_DIFFER).replace(microsecond=0)
        runs, due = boards.runs(warehouse, since), _due(place)
        label = f"call {', '.join(due)} at {service.url} and wait until each has written down that it succeeded"
        unit = Unit(label, "call", "call them again once the positions are as they should be", counted=False)
        return Plan(
            action=self.name,
            sentence=(
                f"have {', '.join(due)} compute their boards anew"
                if due
                else "the boards are of the rebuilt positions; nothing to do"
            ),
            units=(unit,) if due else (),
            facts={
                "since": since.isoformat(),
                "seen": {cron: runs.get(cron, NEVER)["succeeded"] for cron in due},
                "before": {name: boards.top(warehouse, name).rows for name in place.incident.boards},
            },
        )

    def refusals(self, place: Workplace) -> list[str]:
        try:
            _token()
        except ServiceUnreachable as error:
            return [str(error).rstrip(".")]
        return []

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        return len(_to_do(plan, _runs(place, plan)))

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return []

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        """Call those that are not running already, all at once, and wait for each; raises ActionFailed with all that did not
        succeed, once every one has ended."""
        out: dict[str, _Call] = {}
        said: queue.Queue[_Said] = queue.Queue()
        runs = _runs(place, plan)
        for cron in _to_do(plan, runs):
            if call := _still_out(place, cron):
                place.tell(f"  {cron}: was called at {call.at:%H:%M:%S} UTC, and is waited for")
            else:
                call = _Call(place.now(), runs.get(cron, NEVER)["failed"])
                _note(place, label, cron, "called", now=call.at.isoformat(), failures=call.failures)
                threading.Thread(target=_send, args=(boards.service(place.incident), cron, said), daemon=True).start()
            out[cron] = call
        wrong = _wait(place, plan, label, out, said)
        if wrong:
            raise ActionFailed(f"{len(wrong)} of {len(out)} did not succeed: {'; '.join(wrong)}")

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        return [f"{cron} has not succeeded" for cron in _to_do(plan, _runs(place, plan))]


def _wait(place: Workplace, plan: Plan, label: str, out: Mapping[str, _Call], said: queue.Queue[_Said]) -> list[str]:
    """Until each of the jobs has ended, one way or the other: what went wrong, a phrase each."""
    waiting, answers, wrong = dict(out), dict[str, _Said](), list[str]()
    while waiting:
        while not said.empty():
            answer = said.get()
            answers[answer.cron] = answer
            place.tell(f"  {answer.cron}: {answer.sentence}, {answer.seconds:,.1f} s after the call")
        runs = _runs(place, plan)
        left = _to_do(plan, runs)
        for cron, call in list(waiting.items()):
            seconds = round((place.now() - call.at).total_seconds(), 3)
            state, sentence = "succeeded", ""
            if cron in left:
                state, sentence = _state(place, call, runs.get(cron, NEVER), answers.get(cron))
            if not state:
                continue
            del waiting[cron]
            _note(place, label, cron, state, sentence=sentence, seconds=seconds)
            place.tell(f"  {cron}: {sentence or f'succeeded, {seconds:,.1f} s after the call'}")
            wrong += [f"{cron}: {sentence}"] if sentence else []
        if waiting:
            place.sleep(boards.service(place.incident).poll_seconds)
    return wrong


def _state(place: Workplace, call: _Call, run: Mapping[str, Any], answer: _Said | None) -> tuple[str, str]:
    """How a job that has not succeeded ended, and why; empty while it may be running."""
    service = boards.service(place.incident)
    if run["failed"] > call.failures:
        return "failed", f"it wrote down a failure: {run['error'] or 'no reason given'}"
    if answer and answer.not_started:
        return "refused", answer.sentence
    if answer and answer.failed:
        return "failed", answer.sentence
    if place.now() < call.at + timedelta(seconds=service.wait_seconds):
        return "", ""
    return "not known", (
        f"{answer.sentence if answer else 'no answer came'}, and after {service.wait_seconds:,} s no row in {service.table} says "
        "that it ran; it is taken for dead, look at the application's log"
    )


def _send(service: Crons, cron: str, said: queue.Queue[_Said]) -> None:
    """One call, sent again only where it is certain that it did not start."""
    began = time.monotonic()
    try:
        for attempt in stamina.retry_context(on=_ToRepeat, attempts=ATTEMPTS):
            with attempt:
                sentence, failed = _post(service, cron)
        said.put(_Said(cron, sentence, time.monotonic() - began, failed=failed))
    except _NotStarted as error:
        said.put(_Said(cron, str(error), time.monotonic() - began, not_started=True))
    except Exception as error:  # a thread's error would go unseen
        said.put(_Said(cron, f"the call ended with {secret.masked(repr(error))}", time.monotonic() - began))


def _post(service: Crons, cron: str) -> tuple[str, bool]:
    """What the HTTP answer says, and whether it says that the job failed."""
    address = f"{service.url}{service.path.rstrip('/')}/{cron}"
    try:
        answer = httpx.post(address, headers={"Authorization": f"Bearer {_token()}"}, timeout=service.timeout_seconds)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _ToRepeat(f"{service.url} cannot be reached: {secret.masked(str(error))}") from None
    except httpx.TimeoutException:
        return f"no answer within {service.timeout_seconds:,} s, which says nothing", False
    except httpx.HTTPError as error:
        return f"the answer broke off ({secret.masked(str(error))}), which says nothing", False
    if answer.status_code == 429:
        raise _ToRepeat("it takes no more calls at present (status 429)")
    if answer.status_code in (401, 403):
        raise _NotStarted(f"it refused the secret (status {answer.status_code}); set {NAME_OF_SECRET}")
    if 400 <= answer.status_code < 500:
        raise _NotStarted(f"{address} answered with status {answer.status_code}; correct services.crons")
    try:
        content: Any = answer.json()
    except ValueError:
        content = None
    if answer.status_code == 200 and isinstance(content, dict) and content.get("success") is False:
        return (
            f"it answered that it failed: {secret.masked(str(content.get('error') or 'no reason given'))[:200]}",
            True,
        )
    return f"answered with status {answer.status_code}", False


def _token() -> str:
    token = secret.given(NAME_OF_SECRET, "secret")
    if not token:
        raise ServiceUnreachable(f"{NAME_OF_SECRET} is not set; the application refuses calls without it.")
    return token


def _due(place: Workplace) -> list[str]:
    """The jobs whose boards are not of the positions as they are now: all, unless the last refresh is of these, and then those
    whose boards differ, or have rows from before the rebuild."""
    done, now = last_done(Refresh.name, place.ledger.lines()), positions.print_of(place.warehouse)
    if done is None or (done["after"], done["positions_after"]) != (fingerprint.of_window(place.warehouse), now):
        return boards.crons(place.warehouse)
    rebuilt = last_done(Rebuild.name, place.ledger.lines())
    since = positions.rebuilt_at(rebuilt) if rebuilt else datetime.fromtimestamp(0, UTC)
    runs = boards.runs(place.warehouse, since)
    wrong = [
        board.cron
        for name, board in place.incident.boards.items()
        if not runs.get(board.cron, NEVER)["succeeded"]
        or boards.agreement(place.warehouse, name).first["differing"]
        or boards.written(place.warehouse, name).first["oldest"] < since.timestamp()
    ]
    return list(dict.fromkeys(wrong))


def _runs(place: Workplace, plan: Plan) -> Mapping[str, dict[str, Any]]:
    """What the jobs have written down by now, from the moment on that the plan counts from."""
    return boards.runs(place.warehouse, datetime.fromisoformat(plan.facts["since"]))


def _to_do(plan: Plan, runs: Mapping[str, dict[str, Any]]) -> list[str]:
    """The jobs of the plan that have written down no success since it was made."""
    return [cron for cron, seen in plan.facts["seen"].items() if runs.get(cron, NEVER)["succeeded"] <= seen]


def _still_out(place: Workplace, cron: str) -> _Call | None:
    """The last call of the job, where the ledger has no end of it and the job may be running yet."""
    told = [line for line in place.ledger.lines() if line["kind"] == "cron" and line["cron"] == cron]
    if not told or told[-1]["state"] != "called":
        return None
    out = datetime.now(UTC) - datetime.fromisoformat(told[-1]["time"])  # by the real clock: --now can be given again
    if out.total_seconds() >= boards.service(place.incident).wait_seconds:
        return None
    return _Call(place.now() - out, told[-1]["failures"])


def _note(place: Workplace, label: str, cron: str, state: str, **facts: Any) -> None:
    place.ledger.append("cron", run=place.run, action=Refresh.name, query_id=label, cron=cron, state=state, **facts)
