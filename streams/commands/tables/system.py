"""What `packshot check` and `audit` show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import GOOD, WRONG
from streams.runtime.screen import console, print_json, styled, table
from streams.services.audit.findings import KINDS

if TYPE_CHECKING:
    from streams.services.audit.checks import Finding
    from streams.services.audit.findings import Report


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """What `packshot check` found."""
    if as_json:
        print_json(findings)
        return
    shown = table("", "what", "")
    for each in findings:
        shown.add_row(GOOD if each.ok else WRONG, each.name, each.text)
    console.show(shown)


def show_report(report: Report, *, as_json: bool) -> None:
    """What `packshot audit` counted and found."""
    if as_json:
        print_json(report.view)
        return
    counted = table("counted", "")
    for name, count in report.counts.items():
        counted.add_row(name.replace("_", " "), str(count))
    console.show(counted)
    found = table("", "found", "", "")
    for kind, meaning in KINDS.items():
        count = report.figures[kind]
        found.add_row(WRONG if count else GOOD, kind.replace("_", " "), str(count), meaning)
    console.show(found)
    for each in report.findings:
        console.say(styled(each.kind.replace("_", " "), "red"), f"  {each.name}  {each.text}")
