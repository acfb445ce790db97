"""Notify: tells the team in Slack what the ledger says, beside the recovery: nothing that goes wrong here stops or slows it.

Calls to Slack are made one after another on a thread of their own; what became of each is written to the ledger by the thread
that writes it anyway. The message that is pinned and edited is found again by the ledger's `announced` lines, whatever process
goes on.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from recovery import secret
from recovery.announcement import Message, Teller
from recovery.errors import RecoveryError, UsageError
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from recovery.sections import Announce

TOLD = ("run", "evidence", "finished", "failed", "override", "restored", "note")  # kinds of lines that may be told
NO_MESSAGE = "webhook"  # in the place of a ts, which a webhook does not give
TOKEN, WEBHOOK = "SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL"
HARMLESS = ("already_pinned", "no_pin")
OF_THE_MESSAGE = ("message_not_found", "cant_update_message", "edit_window_closed")  # it is gone: another one is posted
OF_THE_CALL = ("msg_too_long", "no_text", "thread_not_found", *HARMLESS, *OF_THE_MESSAGE)  # the next call may go well
RETRIES = 2  # of a call that Slack asks to make later
# What can go wrong on the way, beside Slack's own errors: no connection, no answer, none that is HTTP or JSON.
ON_THE_WAY = (SlackClientError, OSError, ValueError, HTTPException, AttributeError)
SILENT = logging.getLogger("recovery.slack")  # the client's log would show addresses
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


@dataclass(frozen=True)
class Outcome:
    """What became of a call: `did` is posted, pinned, edited, replied or unpinned; `error` why it is not known to be so."""

    what: str
    did: str
    channel: str = ""
    ts: str = ""
    error: str = ""


def section_of(incident: Incident) -> Announce:
    """The incident's section. Raises UsageError where nobody is to be told."""
    section = incident.announce
    if section is None or section.slack == "none":
        raise UsageError(f'--announce: {incident.path} names nobody to tell; set announce.slack to "bot" or "webhook".')
    return section


def message_of(lines: Sequence[Line]) -> tuple[str, str]:
    """Channel and ts of the message that opened the recovery; empty where there is none, or the recovery it told of is over."""
    known = ("", "")
    for line in lines:
        if line["kind"] == "announced" and not line["error"]:
            if line["what"] == "final" and line["did"] in ("posted", "replied", "unpinned"):
                known = ("", "")
            elif line["did"] == "posted":
                known = line["channel"], line["ts"]
    return known


@contextmanager
def announcing(
    incident: Incident, ledger: Ledger, run: str, *, wanted: bool, tell: Callable[[str], None] = print
) -> Iterator[None]:
    """Within this the team is told of each new line of the ledger, if that is wanted. Raises UsageError where the incident file
    names nobody to tell."""
    if not wanted:
        yield
        return
    announcer = Announcer(incident, ledger, run)
    announcer.open()
    try:
        yield
    finally:
        for sentence in announcer.close():
            tell(sentence)


def tell(incident: Incident, ledger: Ledger, run: str, message: Message) -> list[str]:
    """Post one message by itself, neither pinned nor edited later; returns what did not go out, a sentence each."""
    section = section_of(incident)
    try:
        outcomes = list(_channel_of(section, "", "").post(message))
    except Outage as error:
        outcomes = [Outcome(message.what, "posted", error=str(error))]
    for outcome in outcomes:
        ledger.append(
            "announced", run=run, what=outcome.what, did=outcome.did, channel=outcome.channel, ts=outcome.ts, error=outcome.error
        )  # fmt: skip
    return [f"announce: the message to the team did not go out: {each.error}." for each in outcomes if each.error]


class Announcer:
    """Follows a ledger. Only `open`, `close` and the ledger's own appends touch the ledger; the thread touches Slack alone."""

    def __init__(self, incident: Incident, ledger: Ledger, run: str) -> None:
        self.section = section_of(incident)
        self.ledger, self.run = ledger, run
        self._teller = Teller(incident)
        self._asked: queue.Queue[Message | None] = queue.Queue()
        self._told: queue.Queue[Outcome] = queue.Queue()
        self._pending: list[Message] = []  # in order, those whose outcome is not known yet
        self._errors: list[str] = []
        self._channel = _channel_of(self.section, *message_of(ledger.lines()))
        self._thread = threading.Thread(target=self._work, name="announce", daemon=True)
        self._over = threading.Event()
        self._began = False

    def open(self) -> None:
        self.ledger.listeners.append(self._see)
        self._thread.start()

    def close(self) -> list[str]:
        """Wait for what is out, no longer than a call may take; returns what a person has to know, a sentence each."""
        self.ledger.listeners.remove(self._see)
        self._asked.put(None)
        self._thread.join(self.section.timeout_seconds)
        self._over.set()
        self._drain()
        for message in self._pending:
            self._write(
                Outcome(message.what, "sent", error="what became of it is not known: Slack did not answer in time")
            )
        self._pending = []
        first = next(iter(self._errors), "")
        return [f"announce: {len(self._errors)} of the messages to the team did not go out: {first}."] if first else []

    def _see(self, line: Line) -> None:
        """Nothing that goes wrong here reaches whoever writes the ledger."""
        if line["kind"] not in TOLD:
            return
        try:
            lines = self.ledger.lines() if line["kind"] != "evidence" else []  # of which there are many
            self._drain()
            if line["kind"] == "run" and not self._began and not self._channel.known:
                self._began = True
                self._put(self._teller.start(lines))
            for message in self._teller.of(line, lines):
                self._put(message)
        except Exception as error:
            self._errors.append(f"{type(error).__name__}: {secret.masked(str(error))[:200]}")

    def _put(self, message: Message) -> None:
        self._pending.append(message)
        self._asked.put(message)

    def _drain(self) -> None:
        """Write down what is known by now of the calls."""
        while True:
            try:
                outcome = self._told.get_nowait()
            except queue.Empty:
                return
            if outcome.did == "through":
                self._pending = self._pending[1:]
            else:
                self._write(outcome)

    def _write(self, outcome: Outcome) -> None:
        if outcome.error:
            self._errors.append(outcome.error)
        try:
            self.ledger.append(
                "announced", run=self.run, what=outcome.what, did=outcome.did, channel=outcome.channel, ts=outcome.ts,
                error=outcome.error,
            )  # fmt: skip
        except RecoveryError as error:
            self._errors.append(str(error))

    def _work(self) -> None:
        """On the thread: send one message after another; after an outage none is tried."""
        outage = ""
        while (message := self._asked.get()) is not None and not self._over.is_set():
            try:
                if outage:
                    raise Outage(f"not tried, since {outage}")
                for outcome in self._channel.send(message):
                    self._told.put(outcome)
            except Outage as error:
                outage = outage or str(error)
                self._told.put(Outcome(message.what, "sent", error=str(error)))
            except Exception as error:  # a defect here must not pass in silence, nor stop a recovery
                self._told.put(
                    Outcome(message.what, "sent", error=f"{type(error).__name__}: {secret.masked(str(error))[:200]}")
                )
            self._told.put(Outcome(message.what, "through"))


class Outage(Exception):
    """Slack cannot be reached, or refuses whatever is sent."""


class Refused(Outage):
    """Slack answered, and the next call of this kind would meet the same."""


def _channel_of(section: Announce, channel: str, ts: str) -> Bot | Webhook:
    if section.slack == "webhook":
        return Webhook(section, ts)
    return Bot(section, "", "") if ts == NO_MESSAGE else Bot(section, channel, ts)


class Later(RateLimitErrorRetryHandler):
    """Calls again when Slack asks for it, unless that is later than anybody waits here."""

    def __init__(self, seconds: float) -> None:
        super().__init__(max_retry_count=RETRIES)
        self.seconds = seconds

    def _can_retry(self, *, state: Any, request: Any, response: Any = None, error: Any = None) -> bool:
        if not super()._can_retry(state=state, request=request, response=response, error=error):
            return False
        told = next((values for name, values in response.headers.items() if name.lower() == "retry-after"), ["1"])
        return float(told[0]) <= self.seconds


class Bot:
    """One message that is pinned and edited, with a thread under it."""

    def __init__(self, section: Announce, channel: str, ts: str) -> None:
        self.channel, self.ts = channel or section.channel, ts
        token, self._lack = _given(TOKEN)
        self._client = WebClient(
            token, base_url=section.url, timeout=max(1, round(section.timeout_seconds)), logger=SILENT,
            retry_handlers=[Later(section.timeout_seconds)],
        )  # fmt: skip

    @property
    def known(self) -> bool:
        return bool(self.ts)

    def post(self, message: Message) -> Iterator[Outcome]:
        """The message by itself."""
        if self._lack:
            raise Outage(self._lack)
        answer = self._call("chat_postMessage", channel=self.channel, text=message.text)
        yield Outcome(message.what, "posted", self.channel, str(answer.get("ts", "")), answer.get("error", ""))

    def send(self, message: Message) -> Iterator[Outcome]:
        if self._lack:
            raise Outage(self._lack)
        if message.what == "start":
            yield from self._post(message.what, message.text)
            return
        if message.state:
            yield from self._edit(message)
        if not self.known and message.what != "learnings":  # which may come when all is over
            yield from self._post(message.what, message.state or message.text)
        under = {"thread_ts": self.ts} if self.known else {}
        answer = self._call("chat_postMessage", channel=self.channel, text=message.text, **under)
        if answer.get("error") == "thread_not_found":  # somebody deleted the message since
            yield Outcome(message.what, "replied", self.channel, self.ts, answer["error"])
            yield from self._post(message.what, message.text)
            answer = self._call("chat_postMessage", channel=self.channel, text=message.text, thread_ts=self.ts)
        yield Outcome(message.what, "replied", self.channel, str(answer.get("ts", "")), answer.get("error", ""))
        if message.ends:
            ended = self._pin("pins_remove")
            yield Outcome(message.what, "unpinned", self.channel, self.ts, ended)
            self.ts = ""

    def _post(self, what: str, text: str) -> Iterator[Outcome]:
        answer = self._call("chat_postMessage", channel=self.channel, text=text)
        if "error" in answer:
            yield Outcome(what, "posted", self.channel, error=answer["error"])
            return
        self.channel, self.ts = str(answer["channel"]), str(answer["ts"])
        yield Outcome(what, "posted", self.channel, self.ts)
        yield Outcome(what, "pinned", self.channel, self.ts, self._pin("pins_add"))

    def _pin(self, method: str) -> str:
        """Pin or unpin; returns what went wrong. A bot that may not pin can still tell."""
        try:
            code = str(self._call(method, channel=self.channel, timestamp=self.ts).get("error", ""))
        except Refused as error:
            return str(error)
        return "" if code in HARMLESS else code

    def _edit(self, message: Message) -> Iterator[Outcome]:
        """The pinned message, or another one where somebody deleted it."""
        if not self.known or message.ends:
            return
        answer = self._call("chat_update", channel=self.channel, ts=self.ts, text=message.state)
        if answer.get("error") in OF_THE_MESSAGE:
            yield Outcome(message.what, "edited", self.channel, self.ts, answer["error"])
            yield from self._post(message.what, message.state)
        else:
            yield Outcome(message.what, "edited", self.channel, self.ts, answer.get("error", ""))

    def _call(self, method: str, **fields: str) -> dict[str, Any]:
        """Slack's answer, or its `error`. Raises Outage where it gives none, or an error that the next call would meet too."""
        try:
            answer: Any = getattr(self._client, method)(**fields)
            return dict(answer.data)
        except SlackApiError as error:
            told = getattr(error.response, "data", error.response)
            code = str(told.get("error", "")) if isinstance(told, dict) else ""
            if code in OF_THE_CALL:
                return {"error": code}
            why = secret.masked(code) or "its answer cannot be read"
            raise Refused(f"Slack refused {method.replace('_', '.', 1)}: {why}") from None
        except ON_THE_WAY as error:
            raise Outage(f"Slack cannot be reached: {_reason(error)}") from None


class Webhook:
    """Posts only: an incoming webhook can neither edit nor pin."""

    def __init__(self, section: Announce, ts: str) -> None:
        self.known = bool(ts)
        url, self._lack = _given(WEBHOOK)
        self._client = WebhookClient(
            url,
            timeout=max(1, round(section.timeout_seconds)),
            logger=SILENT,
            retry_handlers=[Later(section.timeout_seconds)],
        )

    def send(self, message: Message) -> Iterator[Outcome]:
        if self._lack:
            raise Outage(self._lack)
        try:
            answer = self._client.send(text=message.text)
        except ON_THE_WAY as error:
            raise Outage(f"Slack cannot be reached: {_reason(error)}") from None
        if answer.status_code != 200:
            raise Outage(f"Slack refused the message: status {answer.status_code}, {secret.masked(answer.body)[:100]}")
        yield Outcome(message.what, "posted", "webhook", NO_MESSAGE)

    post = send


def _given(variable: str) -> tuple[str, str]:
    """A secret of the environment, and why there is none that can be sent."""
    if len(os.environ.get(variable, "").split()) > 1:
        return "", f"{variable} holds a space, which no token or address has; set it again"
    try:
        value = secret.given(variable, "token")
    except RecoveryError as error:
        return "", str(error).rstrip(".")
    return value, "" if value else f"{variable} is not set"


def _reason(error: Exception) -> str:
    """Why in a phrase, without address or secret."""
    why = getattr(error, "reason", None) or error
    return secret.masked(getattr(why, "strerror", None) or str(why) or type(why).__name__)[:200]
