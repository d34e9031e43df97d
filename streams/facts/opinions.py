"""Opinions: what people say of the cases that more than one decides on, each person's newest word on each case."""

from collections.abc import Collection, Sequence
from itertools import groupby

from sqlalchemy import ColumnElement, select, update

from schemas.records import OpinionGiven, ReviewDecided
from streams.facts import case_tables as ct
from streams.facts import tables as t
from streams.facts.cases import Case
from streams.facts.repository import Repository, load
from streams.facts.reviews import DecisionEvent

_columns = ct.opinions.c


class Opinions(Repository):
    """The opinions as one transaction sees and changes them."""

    def put(self, event: OpinionGiven, case: Case, in_doubt: Collection[str] = ()) -> None:
        """Notes a person's word on a case, unless a newer one is known; `in_doubt` are the checks that the case is
        about by now. One that was on fewer does not stand."""
        key = {"case_id": event.case, "decided_by": event.decided_by}
        known = self._first(select(_columns.version).where(*(_columns[name] == key[name] for name in key)))
        if known is None or known.version < event.version:
            stands = not event.withdrawn and event.version > case.rank and set(in_doubt) <= set(event.checks)
            values = {"tenant": event.tenant, "version": event.version, "stands": stands, "record": t.dumped(event)}
            self._upsert(ct.opinions, key, values)

    def standing(self, case: Case) -> list[OpinionGiven]:
        """What people said of a case since it was decided last, and did not withdraw, the first word first."""
        return self._every(_columns.case_id == case.case_id, _columns.stands)

    def narrow(self, case_id: str, in_doubt: Collection[str]) -> None:
        """Has no opinion on a case stand that was on fewer checks than are in doubt by now: whoever gave it may look
        again."""
        for said in self._every(_columns.case_id == case_id, _columns.stands):
            if not set(in_doubt) <= set(said.checks):
                theirs = (_columns.case_id == case_id, _columns.decided_by == said.decided_by)
                self._connection.execute(update(ct.opinions).where(*theirs).values(stands=False))

    def courses(self, tenant: str) -> list[Sequence[OpinionGiven | ReviewDecided]]:
        """What people said of each of a tenant's cases and did not withdraw, the first word first; a decision, where
        one stands that they led to, is the last."""
        case = ct.cases.c
        query = select(_columns.case_id, _columns.record, case.decision).join(
            ct.cases, case.case_id == _columns.case_id
        )
        rows = self._connection.execute(
            query.where(_columns.tenant == tenant).order_by(_columns.case_id, _columns.version, _columns.decided_by)
        )
        of_cases = groupby(rows, key=lambda row: (row.case_id, row.decision))
        return [_course([row.record for row in its], decision) for (_, decision), its in of_cases]

    def _every(self, *where: ColumnElement[bool]) -> list[OpinionGiven]:
        query = select(_columns.record).where(*where)
        rows = self._connection.execute(query.order_by(_columns.version, _columns.decided_by))
        return [load(row.record, OpinionGiven) for row in rows]


def _course(records: Sequence[str], decision: str | None) -> list[OpinionGiven | ReviewDecided]:
    words = [load(each, OpinionGiven) for each in records]
    said = [each for each in words if not each.withdrawn]
    last = None if decision is None else load(decision, DecisionEvent)
    if not isinstance(last, ReviewDecided) or not said:
        return said
    before = (each for each in said if each.version < last.version and each.decided_by != last.decided_by)
    return [*before, last]
