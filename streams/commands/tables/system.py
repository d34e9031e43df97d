"""What `packshot check` and `audit` show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import GOOD, WRONG
from streams.runtime.masking import masked
from streams.runtime.screen import console, errors, print_json, styled, table
from streams.services.audit.findings import KINDS

if TYPE_CHECKING:
    from streams.runtime.settings import Settings
    from streams.services.audit.findings import Report
    from streams.services.checks import Finding


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
        print_json({"clean": report.clean, "figures": report.figures, "findings": report.findings})
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


def show_running(settings: Settings) -> None:
    """Says what runs, and what its broker does not promise."""
    from streams.services.local import desk_link  # with all that runs a system, which no other table needs

    running = json.loads(settings.running_file.read_text())
    console.say(styled("packshot is up", "bold"))
    console.say(f"  broker    {running['broker']} at {running['bootstrap_servers']}")
    if running["promises"]:
        console.say(f"            {running['promises']}")
    console.say(f"  facts     {masked(settings.database)}")
    console.say(f"  blobs     {settings.blobs}")
    console.say(f"  origin    {settings.origin}")
    console.say(f"  CDN       {settings.cdn}")
    console.say(f"  API       {settings.gateway}  (a key: packshot keys create NAME --tenant TENANT)")
    console.say(f"  desk      {desk_link(settings)}")
    console.say(
        "            (signs you in, once; another: packshot desk link --tenant '*' --name NAME)"
    )
    console.say(f"  logs      {settings.data_folder / 'logs'}")
    console.say("Ctrl-C stops it; what is not done goes on when it starts again.")


def show_death(text: str) -> None:
    """That a role died, and that it is started again."""
    errors.say(styled(text, "red"))
