"""Audit: one run of the suite: what it is about, what came of it, its verdict and its exit code."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks import terminal
from recovery import census, environment, figures, fitting, kept, standing, watch
from recovery.action import Plan
from recovery.embedded import EmbeddedServer
from recovery.errors import IncidentError, RecoveryError
from recovery.evidence import GO, NO_GO, Evidence, judge
from recovery.history import CRITICAL, OK
from recovery.incident import Incident
from recovery.kept import Kept
from recovery.ledger import Ledger, Line
from recovery.mirror import Mirror
from recovery.notify import Announcer
from recovery.phases import BY_NAME, PHASES, waits
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace, who
from reports import bundle, junit, story

INCOMPLETE, CLOSED = 10, 11
PRECEDENCE = (3, 12, 13, 11, 1, 10)


@dataclass(frozen=True)
class Mode:
    """How the run was asked for. `started_at` is where its clock starts, None for the real one."""

    execute: bool
    override: str | None
    started_at: datetime | None


@dataclass
class Audit:
    """Every check's evidence passes through here once; only the main process (`worker` False) writes the ledger."""

    incident: Incident
    warehouse: Warehouse
    ledger: Ledger
    mode: Mode
    run: str
    report: Path
    server: EmbeddedServer | None = None
    shared: tempfile.TemporaryDirectory[str] | None = None
    worker: bool = False
    announcer: Announcer | None = None
    guard: str = ""  # nightly or hourly, where it is not phases that are asked
    docs: Path | None = None
    announce: bool = False
    unsaid: list[str] = field(default_factory=list)  # of the messages to the team, and of the evidence
    dsn: str = field(default="", repr=False)
    kept: Kept = field(init=False)
    phases: list[str] = field(default_factory=list)
    shown_plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    evidence: list[Line] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # per phase, for its page
    verdicts: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    code: int = 0
    lost: str = ""  # why the run could not be ended in the ledger
    dossier: str = ""
    written: str = ""  # what the history got
    said: Callable[[str], None] = print
    _begun: bool = False
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.began = self.now()

    def now(self) -> datetime:
        """The run's clock, in UTC: the real one, or from --now on at its speed."""
        if self.mode.started_at is None:
            return datetime.now(UTC)
        return self.mode.started_at.astimezone(UTC) + timedelta(seconds=time.monotonic() - self._clock)

    def prove_that_they_fit(self) -> None:
        """The server is one that we support, and its table is the one that the incident file describes."""
        _ = self.warehouse.server, self.warehouse.schema, self.warehouse.words
        if lacking := fitting.faults(self.warehouse):
            raise IncidentError(lacking)

    def close(self) -> None:
        self.warehouse.__exit__()
        if self.server is not None:
            self.server.stop()
        if self.shared is not None:
            self.shared.cleanup()

    @property
    def place(self) -> Workplace:
        return Workplace(self.incident, self.warehouse, self.ledger, self.run, self.now, tell=self.said)

    def next_phase(self) -> str:
        """The first phase that the ledger does not show as GO."""
        verdicts = {line["phase"]: line["verdict"] for line in self.ledger.lines() if line["kind"] == "finished"}
        asked = [phase.name for phase in PHASES[1:] if phase.checks and phase.applies(self.incident)]
        return next((name for name in asked if verdicts.get(name) != GO), asked[-1])

    def header(self, config: pytest.Config) -> list[str]:
        source = "--incident" if config.option.incident else config.inipath.name if config.inipath else "default"
        mode = "EXECUTE: this run changes data" if self.mode.execute else "ask only: nothing is changed"
        if self.guard:
            mode += f" but the history in {self.incident.nightly.history.table}"
        clock = "--now" if self.mode.started_at else "the clock"
        server = f"{self.warehouse.dsn.shown}, ClickHouse {self.warehouse.server['version']}"
        return [
            f"incident: {self.incident.id} ({source}: {self.incident.path.name}, digest {self.incident.digest[:12]})",
            f"server: {server} (--clickhouse {'embedded' if self.server else 'DSN'}), database {self.incident.table.database}",
            f"mode: {mode}; time {self.now():%Y-%m-%d %H:%M:%S} UTC (from {clock})",
            f"ledger: {self.ledger.path} ({'--ledger' if config.option.ledger else 'default'})",
        ]

    def receive(self, report: pytest.TestReport) -> None:
        """Take a check's report: its evidence to the ledger, its problem to the exit code."""
        facts = dict(report.user_properties)
        self._begin(list(facts.get("run_phases", self.phases)))
        outcome = "xfailed" if hasattr(report, "wasxfail") else str(report.outcome)
        if told := facts.get("problem", facts.get("crash")):
            self.problems.append((int(told[0]), str(told[1])))
            problem = dict(zip(("code", "sentence", "reasons"), told, strict=True))
            for phase in facts["phases"]:
                known = self.told.setdefault(phase, [])
                known += [problem] if problem not in known else []
        if "plan" in facts:
            for phase in facts["phases"]:
                self.shown_plans[phase] = facts["plan"]
        record = facts.get("evidence")
        if record is not None and not (outcome == "skipped" and "plan" in facts):
            problem = facts["problem"][1] if "problem" in facts else ""
            line = self.ledger.append("evidence", run=self.run, outcome=outcome, problem=problem, **record)
            self.evidence.append(line)

    def _begin(self, phases: list[str]) -> None:
        if self._begun:
            return
        self._begun, self.phases = True, phases
        if self.announcer:
            self.announcer.open()
        self.incident.remembered_in(self.ledger)
        self.ledger.append(
            "run", run=self.run, phases=phases, mode="execute" if self.mode.execute else "ask", now=self.began.isoformat(),
            incident=self.incident.id, digest=self.incident.digest, installation=self.warehouse.installation,
            server=self.warehouse.dsn.shown, version=self.warehouse.server["version"], who=who(),
            title=self.incident.incident.title, table=f"{self.incident.table.database}.{self.incident.table.name}",
            window=[self.incident.window.start.isoformat(), self.incident.window.end.isoformat()],
            zone=self.warehouse.server["timezone"], **environment.facts(), **self._promises(),
        )  # fmt: skip

    def _promises(self) -> dict[str, str]:
        """The hash of the nightly file, which is not in the digest."""
        return {"promises": kept.sha256_of(self.incident.nightly_path)} if self.guard else {}

    def end_phases_before(self, name: str) -> None:
        """Under --execute, phases are ended one by one, so that the next one's gate can rely on them."""
        self._begin(self.phases)
        order = list(BY_NAME)
        for phase in self.phases:
            if order.index(phase) < order.index(name) and phase not in self.verdicts:
                self._end(phase)

    def _end(self, phase: str) -> None:
        evidence = [line for line in self.evidence if phase in line["phases"]]
        dry = phase in self.shown_plans
        roster = set(BY_NAME[phase].roster(self.incident))
        proved = {line["check"] for line in evidence if line["outcome"] == "passed" and not judge(line)}
        asked = [line for line in evidence if not BY_NAME[phase].waits(line)]
        wrong = [line for line in asked if judge(line) or line["outcome"] != "passed"]
        verdict = standing.PLAN if dry and not wrong else GO if roster and roster <= proved and not wrong else NO_GO
        written = sum(
            line["rows"] for line in self.ledger.lines()
            if line["kind"] == "done" and line["run"] == self.run and line["phase"] == phase
        )  # fmt: skip
        if dry:
            self.ledger.append("plan", run=self.run, phase=phase, plan=self.shown_plans[phase])
        if evidence and not self.guard:
            self._take_figures(phase)
        self.ledger.append(
            "finished", run=self.run, phase=phase, verdict=verdict, dry=dry, asked=len(evidence), required=len(roster),
            missing=sorted(roster - {line["check"] for line in evidence}) if not dry else [],
            rows=sum({each["query_id"]: each["rows_read"] for line in evidence for each in line["answers"]}.values()),
            written=written, seconds=round(time.monotonic() - self._clock, 3), report=str(self.report),
            problems=self.told.get(phase, []),
        )  # fmt: skip
        self.verdicts[phase] = verdict

    def kept_record(self, evidence: Evidence) -> dict[str, Any]:
        """The evidence as it travels, its answers kept in files and vouched for by their hashes."""
        record = evidence.record()
        try:
            for told, answer in zip(record["answers"], evidence.answers, strict=True):
                told["kept"] = self.kept.keep(answer)
        except OSError as error:
            record["notes"] = [
                *record["notes"],
                f"Its answers could not be kept in {self.kept.folder}: {error.strerror}.",
            ]
        return record

    def _take_figures(self, phase: str) -> None:
        """What the data is now, to the ledger; where it cannot be told no verdict changes."""
        with suppress(RecoveryError):
            if found := self.kept.mask(figures.of(self.warehouse, phase, self.ledger.lines())):
                sample = self._sample() if found.get("table", {}).get("broken rows") else {}
                self.ledger.append("figures", run=self.run, phase=phase, now=self.now().isoformat(), **found, **sample)

    def _sample(self) -> dict[str, Any]:
        """Some broken rows of the table, kept whole; nothing where the incident file wants none or they cannot be kept."""
        limit = self.incident.evidence.samples
        if not limit:
            return {}
        with suppress(OSError, RecoveryError):
            answer = self.warehouse.ask("broken_sample", **census.parameters(self.warehouse), limit=limit)
            files = self.kept.keep(answer)
            return {"sample": {"query_id": answer.query_id, "rows": len(answer.rows), "kept": files}}
        return {}

    def finish(self, exitstatus: int) -> int:
        """End the run in the ledger; returns the exit code, the first that holds of the documented order."""
        self.code = exitstatus
        if self._begun:
            self.code = 3  # until its end is told: an error on the way must not pass for GO
            try:
                self.code = self._finish(exitstatus)
            except RecoveryError as error:
                self.lost, self.code = str(error), error.exit_code
        return self.code

    def _finish(self, exitstatus: int) -> int:
        for phase in self.phases:
            if phase not in self.verdicts:
                self._end(phase)
        try:
            try:
                kept.write_whole(self.kept.folder / "junit.xml", junit.of(story.read(self.ledger, self.run)))
            finally:
                kept.finish(self.ledger, self.run)
        except OSError as error:
            self.unsaid.append(f"The evidence is not whole: {self.kept.folder} cannot be written: {error.strerror}.")
        if self.guard:
            self._remember()
            return self._code() if exitstatus in (0, 1) else exitstatus
        if self.announcer:
            self.unsaid += self.announcer.close()
        if self.mode.execute:
            self._mirror()
        try:
            self.dossier = f"dossier: {bundle.write_dossier(self.ledger)}"
        except RecoveryError as error:
            self.dossier = f"dossier: not made. {error}"
        except Exception as error:  # a defect of the page must not take the run's verdict with it
            self.dossier = f"dossier: not made, {type(error).__name__}: {error}. The ledger has all of it."
        return self._code() if exitstatus in (0, 1) or self.stopped else exitstatus

    def _remember(self) -> None:
        """Write the results into the history, and tell the team where what is critical has changed since the last run."""
        found, told = watch.results(self.evidence), []
        if self.announce:
            known = watch.Known.of(self.warehouse, self.guard, self.began)
            unsaid, told = watch.announce(self.incident, self.ledger, self.run, known, found, self.report)
            self.unsaid += unsaid
        written, problem = watch.remember(
            self.warehouse, self.guard, found, told, self.began, self.run, embedded=self.server is not None
        )
        self.ledger.append(
            "history", run=self.run, rows=written, table=self.incident.nightly.history.table, problem=str(problem or "")
        )
        if isinstance(problem, RecoveryError):
            self.problems.append((problem.exit_code, str(problem)))
        elif problem:
            self.unsaid.append(problem)
        self.written = (
            f"history: {written:,} results written to {self.incident.nightly.history.table}" if written else ""
        )

    def _mirror(self) -> None:
        """Send the checks' evidence after the action's lines; what cannot be sent now goes with the next action's lines."""
        with suppress(RecoveryError):
            mirror = Mirror(self.warehouse, self.ledger)
            if mirror.last() and not mirror.fault():
                mirror.send()

    def _code(self) -> int:
        codes = {code for code, _ in self.problems}
        if any(judge(line) for line in self.evidence if not line["problem"] and not waits(line)):
            codes.add(1)
        for phase in self.phases:
            if self.verdicts[phase] == NO_GO:
                incomplete = set(BY_NAME[phase].roster(self.incident)) - {
                    line["check"]
                    for line in self.evidence
                    if phase in line["phases"] and line["outcome"] in ("passed", "failed")
                }
                codes.add(INCOMPLETE if incomplete else 1)
        return next((code for code in PRECEDENCE if code in codes), 0)

    def show(self, phase: str, plan: Plan, texts: Sequence[str] = ()) -> None:
        """A plan that was shown and not carried out; with the texts of its statements, where they are all that there is."""
        self.shown_plans[phase] = plan.record() | ({"statements": list(texts)} if texts else {})

    @property
    def way_in(self) -> str:
        """What to do to have a shown plan carried out."""
        cluster = self.incident.cluster
        return f"nothing is carried out on the cluster {cluster.name}" if cluster else "pass --execute to do it"

    def summarise(self, shown: pytest.TerminalReporter) -> None:
        """The plans and the phases with their figures, at the end of the terminal's output."""
        if not self._begun:
            return
        shown.section("recovery")
        if self.lost:
            shown.line(self.lost, red=True)
            return
        for phase in self.phases:
            if plan := self.shown_plans.get(phase):
                shown.line(f"{phase}: {plan['action']} would {plan['sentence']}; {self.way_in}.")
                shown.line(f"  about {plan['rows']:,} rows, {plan['bytes']:,} bytes of disk")
                for unit in plan["units"]:
                    shown.line(f"  - {unit['label']} (undo: {unit['undo']})")
                if plan["snapshot"]:
                    shown.line(f"  before that, a snapshot of {', '.join(plan['snapshot'])}")
                for text in plan.get("statements", []):
                    shown.line("  " + text.replace("\n", "\n    "))
        lines = self.ledger.lines()
        ends = [line for line in lines if line["kind"] == "finished" and line["run"] == self.run]
        shown.line(terminal.table(ends, width=terminal.width(shown), colour=shown.hasmarkup))
        for result in watch.results(self.evidence):
            if result.status != OK:
                shown.line(
                    f"{result.status}: {result}", red=result.status == CRITICAL, yellow=result.status != CRITICAL
                )
        for _, sentence in dict.fromkeys(self.problems):
            shown.line(sentence, red=True)
        for sentence in self.unsaid:
            shown.line(sentence, yellow=True)
        shown.line(f"report: {self.report}")
        if not self.guard:
            shown.line(self.dossier)
        elif self.written:
            shown.line(self.written)
        shown.line(f"ledger: {self.ledger.path}, {len(lines):,} lines, head {lines[-1]['sha']}")

    def say_verdict(self, shown: pytest.TerminalReporter) -> None:
        """The last line of the run's output; of a run that was stopped before it asked anything, too."""
        if self._begun or self.code in (2, 3):
            gone = self.code == 0
            verdicts = {phase: self.verdicts.get(phase, standing.UNFINISHED) for phase in self.phases if self._begun}
            shown.write_line(terminal.verdict(verdicts, self.code), green=gone, red=not gone, bold=True)
