"""Audits that are noted: pages show what they found, and never look themselves.

One that a page asks for is a process of its own. It reads whole topics, and a gateway has others to answer meanwhile.
"""

import os
import subprocess
import sys
import threading

from schemas.text import MESSAGE_MAX, printable
from streams.facts import Audits, Database, NotedFinding
from streams.facts.audits import GONE_AFTER_MS
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.masking import masked
from streams.runtime.settings import Settings
from streams.runtime.supervisor import environment
from streams.services.audit.audit import audit
from streams.services.audit.findings import Report

ENDS = (0, 1)  # what `packshot audit` ends with when it has looked


def noted(settings: Settings, asked_by: str, *, deep: bool, number: int | None = None) -> Report:
    """Audits, and notes what comes of it: as the audit of this `number`, where somebody has begun it.

    Raises what `audit` raises, which is noted as well.
    """
    database = Database(settings.database)
    database.create_tables()
    audits = Audits(database)
    try:
        number = audits.begin(now_ms(), asked_by, deep=deep) if number is None else number
        report = _audited(settings, audits, number, deep=deep)
        findings = [NotedFinding(each.kind, each.name, each.text, each.tenant) for each in report.findings]
        audits.end(number, now_ms(), report.figures, findings)
        return report
    finally:
        database.close()


def start(settings: Settings, database: Database, asked_by: str, *, deep: bool) -> None:
    """Begins an audit beside this process. Raises Refused `audit_at_work`: one at a time."""
    audits, at_ms = Audits(database), now_ms()
    if any(each.is_at_work(at_ms) for each in audits.newest(1)):
        raise Refused("audit_at_work", "an audit is at work already", transient=True)
    number = audits.begin(at_ms, asked_by, deep=deep)
    threading.Thread(target=_watch, args=(settings, audits, number, deep), daemon=True).start()


def _audited(settings: Settings, audits: Audits, number: int, *, deep: bool) -> Report:
    try:
        return audit(settings, deep=deep)
    except Exception as error:
        audits.fail(number, now_ms(), printable(masked(str(error) or type(error).__name__), MESSAGE_MAX))
        raise


def _watch(settings: Settings, audits: Audits, number: int, deep: bool) -> None:
    """Runs it, and notes its end where it did not do so itself, as one that was killed."""
    command = [sys.executable, "-m", "streams.commands.cli", "audit", "--number", str(number)]
    servers = settings.kafka_bootstrap_servers
    variables = {**os.environ, **(environment(settings, servers) if servers else {})}
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(
            [*command, *(["--deep"] if deep else [])],
            env=variables,
            stdin=null,
            stdout=null,
            stderr=null,
            check=False,
            timeout=GONE_AFTER_MS / 1000,
        )
        why = f"its process ended with {done.returncode}"
        ended_well = done.returncode in ENDS
    except (OSError, subprocess.TimeoutExpired) as error:
        why, ended_well = printable(str(error), MESSAGE_MAX), False
    if not ended_well:
        audits.fail(number, now_ms(), why)
