"""Claims: who looks at which case. No facts: no event tells of them.

A claim is a lease: it has an end, which heartbeats put off, and an epoch that rises whenever somebody takes the case.
Each change is one statement that compares and sets, so that of two who want a case one has it, and that who had one
and lost it can neither keep nor use it.

Who decides holds the claim while the broker takes the word, and then gives it up with the word's place: until the facts
know of that word nobody is given the case, or SAID_FOR_MS have passed, which is far longer than the flow takes. So a
case is decided once; should the flow stand for longer, it refuses the second word itself. Nothing is locked for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from streams.facts import case_tables as ct
from streams.facts.cases import Case, Fitting
from streams.facts.database import Database
from streams.facts.facts import Facts
from streams.facts.leases import SAID_FOR_MS, is_over, latest
from streams.facts.repository import dialect_of

NOBODY = ""
LOOKED_AT_ONCE = 20
_columns = ct.case_claims.c


@dataclass(frozen=True)
class Claim:
    """A case that is `holder`'s until a Unix time in ms."""

    case_id: str
    holder: str
    epoch: int
    until_ms: int


class Claims:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, case_id: str, now_ms: int) -> Claim | None:
        """The claim on a case, or None."""
        with self._database.look() as connection:
            found = connection.execute(select(ct.case_claims).where(_columns.case_id == case_id)).first()
        if found is None or found.holder == NOBODY or not now_ms < found.until_ms <= latest(now_ms, SAID_FOR_MS):
            return None
        return Claim(found.case_id, found.holder, found.epoch, found.until_ms)

    def take(self, case_id: str, holder: str, now_ms: int, until_ms: int) -> Claim | None:
        """Makes a case the holder's, unless it is another's; None then, and for one that is not there."""
        with self._database.transaction() as connection:
            case = Facts(connection, now_ms).cases.get(case_id)
            return None if case is None else _take(connection, case, holder, now_ms, until_ms)

    def take_next(self, fitting: Fitting, holder: str, now_ms: int, until_ms: int) -> Claim | None:
        """Makes the first case that fits, waits and is nobody's the holder's; None when there is none.

        What somebody else is just about to take is passed over, and asked for once more when there is nothing else.
        """
        passed_over: list[str] = []
        for case_id in self._free(fitting):
            with self._database.transaction() as connection:
                cases = Facts(connection, now_ms).cases
                case = cases.get(case_id) if cases.is_unlocked(case_id) else None
                claim = None if case is None else _take(connection, case, holder, now_ms, until_ms)
            if claim is not None:
                return claim
            passed_over.append(case_id)
        taken = (self.take(case_id, holder, now_ms, until_ms) for case_id in passed_over)
        return next((claim for claim in taken if claim is not None), None)

    def _free(self, fitting: Fitting) -> Iterator[str]:
        after = None
        while True:
            with self._database.read() as facts:
                found = facts.cases.page(fitting, after, LOOKED_AT_ONCE)
            yield from (each.case_id for each in found)
            if len(found) < LOOKED_AT_ONCE:
                return
            after = (found[-1].deadline_ms, found[-1].turn_ms, found[-1].case_id)

    def keep(self, claim: Claim, now_ms: int, until_ms: int) -> bool:
        """Puts a claim's end off; False when it has ended."""
        return self._change(and_(_is(claim), _columns.until_ms > now_ms), until_ms=until_ms)

    def release(self, claim: Claim) -> None:
        """Gives a case back."""
        self._change(_is(claim), holder=NOBODY, until_ms=0)

    def say(self, claim: Claim, now_ms: int, until_ms: int) -> int | None:
        """Keeps a claim while the broker takes a word on its case; the place of the word said before, 0 for none.

        None when the claim has ended.
        """
        still = and_(_is(claim), _columns.until_ms > now_ms)
        with self._database.transaction() as connection:
            keeping = update(ct.case_claims).where(still).values(until_ms=until_ms).returning(_columns.said)
            return connection.execute(keeping).scalar_one_or_none()

    def said(self, claim: Claim, version: int, now_ms: int) -> None:
        """Gives a case back of which a word is with the broker, until the facts know it."""
        self._change(_is(claim), holder=NOBODY, said=version, until_ms=now_ms + SAID_FOR_MS)

    def _change(self, where: ColumnElement[bool], **values: object) -> bool:
        with self._database.transaction() as connection:
            return connection.execute(update(ct.case_claims).where(where).values(values)).rowcount > 0


def _take(connection: Connection, case: Case, holder: str, now_ms: int, until_ms: int) -> Claim | None:
    """One statement: whose the case is, is compared and set."""
    insert = dialect_of(connection).insert(ct.case_claims)
    row = {"case_id": case.case_id, "tenant": case.tenant, "holder": holder, "epoch": 1, "until_ms": until_ms}
    is_noted = and_(_columns.holder == NOBODY, _columns.said <= case.version)
    taking = insert.values(**row, said=0).on_conflict_do_update(
        index_elements=[_columns.case_id],
        set_={"holder": holder, "until_ms": until_ms, "epoch": _columns.epoch + 1},
        where=or_(is_over(_columns.until_ms, now_ms, SAID_FOR_MS), _columns.holder == holder, is_noted),
    )
    found = connection.execute(taking.returning(_columns.epoch)).first()
    return None if found is None else Claim(case.case_id, holder, found.epoch, until_ms)


def _is(claim: Claim) -> ColumnElement[bool]:
    return and_(_columns.case_id == claim.case_id, _columns.holder == claim.holder, _columns.epoch == claim.epoch)
