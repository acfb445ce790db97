"""The pytest plugin: options, marks, order, header, evidence to the ledger, verdict and exit code."""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
import tomllib
import uuid
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checks import terminal
from checks.audit import Audit, Mode
from checks.masking import Masking
from recovery import history, kept, moment, options, reuse
from recovery import incident as incidents
from recovery import warehouse as warehouses
from recovery.errors import IncidentError, RecoveryError, UsageError
from recovery.evidence import GO, PENDING
from recovery.kept import Kept
from recovery.notify import Announcer, section_of
from recovery.phases import BY_NAME, GUARDS, PHASES, axis
from recovery.warehouse import Warehouse
from reports import bundle, page

pytest_plugins = ["checks.fixtures"]

AUDIT = pytest.StashKey[Audit]()
PROJECT = Path(__file__).parent.parent
AXES = ("day", "clean_day", "partition", "subject", "month", "sized_month", "cron", "board")
GUARD_AXES = ("table", "promise", "allowed", "fresh", "identity", "alike", "closed", "volume", "amount", "parity")
NOTHING_TO_ASK = "[NOTSET]"  # how pytest calls a check that is asked per something of which there is none
GUARD_MODULES = tuple(f"test_{guard.name}.py" for guard in GUARDS)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("recovery", "recovery of corrupted data in ClickHouse")
    group.addoption("--incident", metavar="FILE", help="the incident file (TOML)")
    group.addoption(
        "--clickhouse",
        metavar="DSN",
        default="embedded",
        help="clickhouse://, clickhouses://, chdb:///folder or embedded",
    )
    group.addoption("--ledger", metavar="FILE", help="the ledger; default: ledger/<incident>.jsonl")
    group.addoption(
        "--execute", action="store_true", help="carry the phase's action out; without it nothing is changed"
    )
    group.addoption("--override-gate", metavar="REASON", help="pass a closed gate; recorded with who and why")
    group.addoption("--announce", action="store_true", help="tell the team, as the incident file's [announce] says")
    group.addoption(
        "--data-docs", metavar="DIR", help="with -m nightly: keep Great Expectations' Data Docs in this folder"
    )
    group.addoption(
        "--now", metavar="TIME", help="the time that the clock starts at, such as 2026-02-02T06:00:00Z; default: now"
    )
    parser.addini("recovery_incident", "the incident file that is used when --incident is not given", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """pytest looks for its configuration beside the first path that it is given, --ledger FILE included. Where that led
    it astray, name what the project's own configuration would have: the checks."""
    given = early_config.known_args_namespace.file_or_dir
    if early_config.inipath is None and not given and early_config.invocation_params.dir.is_relative_to(PROJECT):
        given.append(str(PROJECT / "checks"))
        args.append(given[0])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for phase in (*PHASES, *GUARDS):
        config.addinivalue_line("markers", f"{phase.name}: {phase.title}")
    if not _asked_for_checks(config):
        return
    try:
        audit = _begin(config)
    except (IncidentError, UsageError) as error:
        raise pytest.UsageError(str(error)) from None
    except RecoveryError as error:
        pytest.exit(str(error), returncode=error.exit_code)
    config.stash[AUDIT] = audit
    if (plugin := config.pluginmanager.get_plugin("hypothesispytest")) is not None:
        config.pluginmanager.unregister(
            plugin
        )  # where it is installed, it imports all of Hypothesis at the end of a run
    masking = Masking(audit)
    audit.kept = Kept(kept.folder_of(audit.ledger, audit.run), audit.incident.evidence.rows, masking.masked)
    config.pluginmanager.register(masking, "recovery-masking")
    config.add_cleanup(audit.close)
    if not config.option.markexpr and not config.option.keyword and not _names_a_test(config):
        config.option.markexpr = f"preflight or {audit.next_phase()}"
    if not audit.worker:
        beside = None if audit.guard else bundle.dossier_beside(audit.ledger)
        audit.report = page.write_through_pytest_html(config, audit.report, audit.ledger, audit.run, beside)


def _asked_for_checks(config: pytest.Config) -> bool:
    """Whether this run asks checks; in `pytest tests` the plugin is inert."""
    if config.option.help or config.option.version or getattr(config.option, "markers", False):
        return False
    checks = Path(__file__).parent
    paths = [Path(arg.split("::")[0]) for arg in config.args]
    paths = [path if path.is_absolute() else config.invocation_params.dir / path for path in paths]
    return any(path.resolve().is_relative_to(checks) for path in paths)


def _guards(config: pytest.Config) -> list[str]:
    """The guards, nightly or hourly, that are asked for by mark or by file. They are asked apart from the phases, for no phase
    waits for them; raises UsageError for both together."""
    words = set(re.findall(r"\w+", config.option.markexpr or ""))
    asked = [
        guard.name
        for guard in GUARDS
        if guard.name in words or any(f"test_{guard.name}.py" in arg for arg in config.args)
    ]
    if asked and "not" in words:
        raise UsageError("-m: nightly and hourly are asked by their names alone, without not.")
    if asked and (len(asked) > 1 or words & {phase.name for phase in PHASES}):
        raise UsageError("-m: nightly and hourly are asked each by itself, for they are no phases; run them apart.")
    return asked


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The guards' checks are left where they are unless they are asked: a bad nightly file keeps no phase from its questions."""
    audit = config.stash.get(AUDIT, None)
    if audit is None or collection_path.name not in GUARD_MODULES:
        return None
    return collection_path.name != f"test_{audit.guard}.py"


def _names_a_test(config: pytest.Config) -> bool:
    return any("::" in arg or arg.endswith(".py") for arg in config.args)


def _begin(config: pytest.Config) -> Audit:
    """Read the incident, reach the server, and prove that the one fits the other, all before collection."""
    option = config.option
    if option.override_gate is not None and not any(map(str.isalnum, option.override_gate)):
        raise UsageError("--override-gate: give the reason in words.")
    incident = incidents.load(_incident_path(config))
    guard = next(iter(_guards(config)), "")
    if guard:
        if importlib.util.find_spec("great_expectations") is None:
            raise UsageError(
                f"-m {guard}: Great Expectations is not installed here; pip install -e '.[nightly]' does it."
            )
        _ = incident.nightly  # a bad file is told before anything else
        if option.execute:
            raise UsageError(f"--execute: {guard} has no action to carry out; leave it out.")
    elif option.data_docs is not None:
        raise UsageError("--data-docs: only nightly and hourly have Data Docs; ask them with -m nightly.")
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    docs = Path(config.invocation_params.dir, option.data_docs) if option.data_docs is not None else None
    if (
        worker is None
        and option.execute
        and (getattr(option, "numprocesses", None) or getattr(option, "dist", "no") != "no")
    ):
        raise UsageError("--execute acts in one process; leave -n out.")
    if docs is not None and worker is None and getattr(option, "numprocesses", None):
        raise UsageError("--data-docs: they are made in one process; leave -n out.")
    if option.announce and worker is None:
        section_of(incident)
    now = worker["now"] if worker else option.now
    mode = Mode(
        execute=option.execute, override=option.override_gate, started_at=moment.parse(now) if now is not None else None
    )
    asked_at = moment.parse(now) if now is not None else datetime.now(UTC)
    name = f"{incident.id}.{guard}.{asked_at:%Y-%m-%d}" if guard else incident.id
    ledger = options.ledger(PROJECT / "ledger" / f"{name}.jsonl" if option.ledger is None else option.ledger)
    if worker is not None:
        warehouse = Warehouse(incident, worker["dsn"], shared=Path(worker["shared"]), answers=reuse.folder_of(ledger))
        return Audit(incident, warehouse, ledger, mode, worker["run"], Path(worker["report"]), worker=True, guard=guard)
    dsn, server = warehouses.serve(option.clickhouse, PROJECT / ".clickhouse")
    run = uuid.uuid4().hex
    try:
        shared = tempfile.TemporaryDirectory(prefix="recovery-")
        warehouse = Warehouse(
            incident, dsn, writable=option.execute, shared=Path(shared.name), answers=reuse.folder_of(ledger)
        )
        audit = Audit(
            incident,
            warehouse,
            ledger,
            mode,
            run,
            _report_path(incident),
            server=server,
            shared=shared,
            announcer=Announcer(incident, ledger, run) if option.announce and not guard else None,
            guard=guard,
            docs=docs,
            announce=option.announce,
        )
        if guard and option.announce and server is None and not history.may_be_written():
            raise UsageError(
                f"--announce: {history.USER} names no login that the history is written with, and without it nobody knows what "
                "was told before; set it."
            )
        audit.prove_that_they_fit()
    except BaseException:
        if server is not None:
            server.stop()
        raise
    audit.dsn = dsn
    return audit


def _incident_path(config: pytest.Config) -> Path:
    """--incident as seen from where pytest was called, else the one that the project's pyproject.toml names."""
    if config.option.incident is not None:
        return Path(config.invocation_params.dir, config.option.incident)
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    if named := settings.get("recovery_incident"):
        return PROJECT / named
    only = [path for path in sorted((PROJECT / "incidents").glob("*.toml")) if "." not in path.stem]
    if len(only) != 1:
        raise UsageError("--incident: name the incident file, one of " + ", ".join(path.name for path in only) + ".")
    return only[0]


def _report_path(incident: incidents.Incident) -> Path:
    stamp = datetime.now(tz=incident.window.start.tzinfo).strftime("%Y%m%dT%H%M%S")
    return PROJECT / "reports" / "out" / incident.id / f"{stamp}-{os.getpid()}.html"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand a worker of xdist what it needs; it starts no server and writes no ledger."""
    audit = node.config.stash.get(AUDIT, None)
    if audit is not None:
        node.workerinput |= {
            "dsn": audit.dsn,
            "shared": audit.shared.name,
            "run": audit.run,
            "report": str(audit.report),
            "now": (audit.began.replace(microsecond=0) if audit.guard else audit.now()).isoformat(),
        }


def pytest_report_header(config: pytest.Config) -> list[str]:
    audit = config.stash.get(AUDIT, None)
    return audit.header(config) if audit else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    audit = metafunc.config.stash.get(AUDIT, None)
    for name in (*AXES, *GUARD_AXES):
        if audit and name in metafunc.fixturenames:
            metafunc.parametrize(name, axis(audit.incident, name))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Phase order; without the phases that the incident file has no section for. What is marked with several phases belongs
    to those of them that are asked."""
    audit = config.stash.get(AUDIT, None)
    if audit is None:
        return
    every = (*PHASES, *GUARDS)
    marks = {item: [phase.name for phase in every if item.get_closest_marker(phase.name)] for item in items}
    left_out = [
        item for item, names in marks.items()
        if not all(BY_NAME[n].applies(audit.incident) for n in names) or item.name.endswith(NOTHING_TO_ASK)
    ]  # fmt: skip
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
        marks = {item: marks[item] for item in items}
    audit.phases = [phase.name for phase in every if any(names == [phase.name] for names in marks.values())]
    for item, names in marks.items():
        item.stash[page.PHASES] = [name for name in names if name in audit.phases]
    order = [phase.name for phase in every]
    items.sort(key=lambda item: (min(map(order.index, item.stash[page.PHASES]), default=len(order)), _is_shared(item)))


def _is_shared(item: pytest.Item) -> bool:
    """Whether the check belongs to several phases: it is asked last in each, after the phase's action."""
    return not hasattr(getattr(item, "module", None), "PHASE")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """A check that ends without having proved anything fails, whether or not it asserts; one that waits is skipped."""
    result = yield
    evidence = pyfuncitem.funcargs.get("evidence")
    if evidence is not None and evidence.verdict == PENDING:
        pytest.skip(f"pending: {evidence.sentence}")
    if evidence is not None and evidence.verdict != GO:
        pytest.fail(evidence.sentence, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the evidence, or what kept the check from it, into the report that travels to the main process."""
    report = yield
    audit = item.config.stash.get(AUDIT, None)
    if audit is None:
        return report
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, RecoveryError):
        report.longrepr = str(error)
        report.user_properties.append(("problem", [error.exit_code, str(error), getattr(error, "reasons", [])]))
        if audit.mode.execute and error.exit_code in (11, 12):
            audit.stopped = True
            item.session.shouldstop = f"{item.stash[page.PHASES][0]} stopped"
    elif report.failed and not isinstance(error, pytest.fail.Exception):
        crash = f"{item.name} ended with {type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"
        report.user_properties.append(("crash", [3, crash, []]))
    if report.when == "call" or not report.passed:
        evidence = getattr(item, "funcargs", {}).get("evidence")
        report.user_properties.append(("phases", item.stash[page.PHASES]))
        report.user_properties.append(("run_phases", audit.phases))
        if evidence is not None:
            report.user_properties.append(("evidence", audit.kept_record(evidence)))
        plan = audit.shown_plans.get(next(iter(item.stash[page.PHASES]), ""))
        if plan is not None:
            report.user_properties.append(("plan", plan))
    return report


class _Controller:
    """What only the main process does: it is the only writer of the ledger."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            try:
                self.audit.receive(report)
            except RecoveryError as error:
                pytest.exit(str(error), returncode=error.exit_code)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.audit.code = getattr(excinfo.value, "returncode", None) or 2

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        session.exitstatus = self.audit.finish(int(exitstatus))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self.audit.summarise(terminalreporter)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The verdict is the last line, after all that pytest itself has to say."""
    audit = config.stash.get(AUDIT, None)
    shown = config.pluginmanager.getplugin("terminalreporter")
    if audit is not None and not audit.worker and shown is not None:
        audit.say_verdict(shown)


def pytest_sessionstart(session: pytest.Session) -> None:
    audit = session.config.stash.get(AUDIT, None)
    if audit is not None and not audit.worker:
        audit.warehouse.watch.teller = terminal.teller(session.config.pluginmanager.getplugin("terminalreporter"))
        session.config.pluginmanager.register(_Controller(audit), "recovery-controller")
