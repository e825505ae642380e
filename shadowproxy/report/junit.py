"""The report for a CI server: a suite for each candidate, a case for each gate.

FAIL is a failure, INCONCLUSIVE is skipped, each with its reason; a gate on every value of a slice has a case for each
value too. Only what XML 1.0 may hold is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as Xml  # only ever written, so nothing of a stranger is parsed

from shadowproxy.report.record import Candidate, Gate, Report
from shadowproxy.report.words import bounds, limit_in, plain

_LONGEST = 1000


def junit(report: Report) -> str:
    suites = Xml.Element("testsuites", name="shadowproxy")
    for candidate in report.candidates.values():
        suites.append(_suite(candidate))
    _count(suites, [case for suite in suites for case in suite.iter("testcase")])
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _suite(c: Candidate) -> Xml.Element:
    suite = Xml.Element("testsuite", name=plain(c.name))
    if c.window.from_:
        suite.set("timestamp", c.window.from_.partition(".")[0])
    suite.set("time", f"{c.seconds or 0:.3f}")
    facts = {"trial": c.trial, "production": c.production, "verdict": c.verdict or "none", "pairs": c.pairs}
    properties = Xml.SubElement(suite, "properties")
    for name, value in facts.items():
        Xml.SubElement(properties, "property", name=name, value=plain(value))
    cases = [_case(c, gate) for gate in _gates(c.gates)]
    suite.extend(cases)
    _count(suite, cases)
    Xml.SubElement(suite, "system-out").text = plain(c.headline, _LONGEST)
    return suite


def _gates(gates: list[Gate]) -> Iterator[Gate]:
    for gate in gates:
        yield gate
        yield from gate.parts


def _case(c: Candidate, gate: Gate) -> Xml.Element:
    value = f" [{plain(gate.value)}]" if gate.value is not None else ""
    name = f"{plain(gate.name)}{value} {gate.operator} {limit_in(gate.limit, gate.unit)}"
    case = Xml.Element("testcase", classname=f"shadowproxy.{plain(c.name)}", name=name, time="0")
    shown = bounds(gate.estimate, gate.low, gate.high, gate.unit)
    if gate.verdict == "FAIL":
        failure = Xml.SubElement(case, "failure", type="FAIL", message=f"{plain(gate.title)}: {shown}, limit exceeded")
        failure.text = plain(f"{gate.about} {shown}; limit {limit_in(gate.limit, gate.unit)}.", _LONGEST)
    elif gate.verdict != "PASS":
        why = gate.explanation or gate.reason or "not decided"
        Xml.SubElement(case, "skipped", message=plain(f"{gate.verdict}: {why}", _LONGEST))
    return case


def _count(element: Xml.Element, cases: list[Xml.Element]) -> None:
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
