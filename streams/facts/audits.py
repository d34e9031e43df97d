"""Audits: when somebody compared everything, and what was found; for pages, which never do so themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from streams.facts import desk_tables
from streams.facts.database import Database

KEPT = 50  # of the newest
FINDINGS_KEPT = 1000  # of one audit: more than anybody reads
GONE_AFTER_MS = 30 * 60 * 1000  # an audit that has said nothing for so long has ended without a word
_t = desk_tables.audits.c


@dataclass(frozen=True)
class NotedFinding:
    """One thing that was wrong, and whose: `tenant` is "" where it is no tenant's own."""

    kind: str
    name: str
    text: str
    tenant: str = ""


@dataclass(frozen=True)
class NotedAudit:
    """An audit: who asked for it and when, Unix time in ms; `ended_at_ms` is None while it is at work.

    `why` says why there are no figures; of findings there may have been more than are kept, `found` says how many.
    """

    number: int
    begun_at_ms: int
    asked_by: str
    is_deep: bool
    ended_at_ms: int | None
    found: int
    figures: Mapping[str, int]
    findings: list[NotedFinding]
    why: str

    def is_at_work(self, now_ms: int) -> bool:
        """Whether it may still end."""
        return self.ended_at_ms is None and now_ms - self.begun_at_ms < GONE_AFTER_MS

    @property
    def is_whole(self) -> bool:
        """Whether it ended, and with figures."""
        return self.ended_at_ms is not None and not self.why


class Audits:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, at_ms: int, asked_by: str, *, deep: bool) -> int:
        """Notes that one begins; its number. Those beyond the newest KEPT are forgotten."""
        values = {"begun_at_ms": at_ms, "asked_by": asked_by, "deep": deep, "found": 0, "figures": "{}"}
        with self._database.transaction() as connection:
            made = connection.execute(insert(desk_tables.audits).values(**values, findings="[]", why=""))
            assert made.inserted_primary_key is not None
            number = int(made.inserted_primary_key[0])
            connection.execute(delete(desk_tables.audits).where(_t.number <= number - KEPT))
        return number

    def end(self, number: int, at_ms: int, figures: Mapping[str, int], findings: Sequence[NotedFinding]) -> None:
        """Notes what one counted and found; of that the first FINDINGS_KEPT are kept."""
        outcome = {"figures": _text(figures), "findings": _text(findings[:FINDINGS_KEPT]), "found": len(findings)}
        self._end(number, ended_at_ms=at_ms, **outcome)

    def fail(self, number: int, at_ms: int, why: str) -> None:
        """Notes why one came to no end, unless it has ended."""
        self._end(number, ended_at_ms=at_ms, why=why)

    def newest(self, most: int) -> list[NotedAudit]:
        """The newest ones, the last first."""
        query = select(desk_tables.audits).order_by(_t.number.desc()).limit(most)
        with self._database.transaction() as connection:
            return [_noted(row) for row in connection.execute(query)]

    def _end(self, number: int, **values: Any) -> None:
        with self._database.transaction() as connection:
            is_open = (_t.number == number, _t.ended_at_ms.is_(None))
            connection.execute(update(desk_tables.audits).where(*is_open).values(**values))


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _noted(row: Any) -> NotedAudit:
    return NotedAudit(
        number=row.number,
        begun_at_ms=row.begun_at_ms,
        asked_by=row.asked_by,
        is_deep=row.deep,
        ended_at_ms=row.ended_at_ms,
        found=row.found,
        figures=msgspec.json.decode(row.figures, type=dict[str, int]),
        findings=msgspec.json.decode(row.findings, type=list[NotedFinding]),
        why=row.why,
    )
