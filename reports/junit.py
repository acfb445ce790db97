"""JUnit: a run's story as JUnit XML for CI: a suite per phase, a case per check, made from the ledger alone."""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from reports import story
from reports.story import CheckOutcome, PhaseOutcome, Run


def of(run: Run) -> bytes:
    """The run as XML, in UTF-8."""
    whole = JUnitXml(_plain(run.incident))
    for phase in run.phases:
        whole.add_testsuite(_suite(phase, run))
    whole.update_statistics()
    return bytes(whole.tostring())


def _suite(phase: PhaseOutcome, run: Run) -> TestSuite:
    """A phase: its checks; a failing case for each that was required and not asked; an error for each problem it met."""
    suite = TestSuite(phase.name)
    suite.timestamp = run.began.isoformat(timespec="seconds")
    suite.add_property("run", run.id)
    suite.add_property("verdict", phase.verdict)
    for check in phase.checks:
        suite.add_testcase(_case(check, phase.name))
    for name in phase.missing:
        suite.add_testcase(_told(name, phase.name, Failure("it was required and not asked")))
    if run.fault:
        suite.add_testcase(_told("ledger", phase.name, Error(_plain(run.fault))))
    for number, problem in enumerate(phase.problems, 1):
        suite.add_testcase(
            _told(f"problem {number}", phase.name, Error(_plain("; ".join((problem.sentence, *problem.reasons)))))
        )
    if phase.action and phase.action.state == "planned":
        sentence = f"{phase.action.name} would {phase.action.sentence}; pass --execute to do it"
        suite.add_testcase(_told("action", phase.name, Skipped(_plain(sentence))))
    if phase.verdict == story.UNFINISHED:
        suite.add_testcase(_told("end", phase.name, Error("the run was cut off before this phase ended")))
    return suite


def _case(check: CheckOutcome, phase: str) -> TestCase:
    name = f"{check.name}[{check.value}]" if check.value else check.name
    case = TestCase(_plain(name), phase, round(sum(query.seconds for query in check.queries), 3))
    facts = [("examined", str(check.examined))]
    facts += [(each.what, f"{each.actual} {each.relation} {each.expected}") for each in check.comparisons]
    facts += [("query", query.query_id) for query in check.queries]
    properties = Properties()
    for key, value in facts:
        properties.add_property(Property(_plain(key), _plain(value)))
    case.append(properties)
    if check.pending:
        case.result = [Skipped(_plain(check.pending))]
    elif check.faults:
        case.result = [Failure(_plain("; ".join(check.faults)))]
    return case


def _told(name: str, phase: str, result: Failure | Error | Skipped) -> TestCase:
    case = TestCase(_plain(name), phase, 0.0)
    case.result = [result]
    return case


def _plain(text: str) -> str:
    """Text in which what XML cannot hold is written as an escape."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
