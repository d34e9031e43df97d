"""Review cases: what many assets wait for together, and what people said of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, tuple_, update

from schemas.doubts import waits_for
from schemas.records import ReviewDecided, ReviewRequested
from streams.facts import case_tables as ct
from streams.facts import tables as t
from streams.facts.leases import SAID_FOR_MS, is_over
from streams.facts.repository import Repository, load
from streams.facts.reviews import DecisionEvent, Review, review_in

NEVER_MS = 2**62  # the deadline of what has none
WORTH_MS = 3_600_000  # an asset more counts as an hour of waiting: chosen by eye; whatever waits has its turn some time
_c, _d, _r, _held = ct.cases.c, ct.doubts.c, t.reviews.c, ct.case_claims.c
_WAITS = and_(_r.state == "pending", _d.settled.is_(False))


@dataclass(frozen=True)
class Case:
    """A product × a source × what is in doubt, and the newest word on it that decides or takes back.

    `version` is the place of the newest word of all, opinions with them; 0 for none.
    """

    case_id: str
    tenant: str
    sku: str
    about: str
    last: DecisionEvent | None
    version: int

    @property
    def decision(self) -> ReviewDecided | None:
        """The decision that stands."""
        return self.last if isinstance(self.last, ReviewDecided) else None

    @property
    def rank(self) -> int:
        """The version of the newest word that decides or takes back; 0 when there is none."""
        return 0 if self.last is None else self.last.version


@dataclass(frozen=True)
class Waiting:
    """A case that waits: the first deadline of its assets, NEVER_MS without one, and since when one of them waits.

    `turn_ms` is its place among those of one deadline: since when it waits, earlier by WORTH_MS for each of its assets.
    """

    case_id: str
    deadline_ms: int
    since_ms: int
    turn_ms: int


@dataclass(frozen=True)
class Fitting:
    """Which cases are meant: those that fit everything given. Times are Unix times in ms.

    `free_at_ms` leaves out those that somebody looks at then, `not_said_by` those on which an opinion of this person's
    stands.
    """

    tenant: str | None = None
    sku: str | None = None
    about: str | None = None
    channel: str | None = None
    check: str | None = None
    category: str | None = None
    since_before_ms: int | None = None
    free_at_ms: int | None = None
    not_said_by: str | None = None


@dataclass(frozen=True)
class Ages:
    """How many cases wait, since when the oldest does (Unix time in ms), and how many hold up what is late."""

    count: int
    oldest_ms: int | None
    overdue: int


class Cases(Repository):
    """The cases as one transaction sees and changes them."""

    def put(self, request: ReviewRequested, settled: Collection[str]) -> None:
        """Has a review wait for its cases, but for those that are `settled`."""
        task = request.completed.task
        doubts = waits_for(request)
        cases = [
            {"case_id": doubt.case, "tenant": task.tenant, "sku": task.sku, "about": doubt.about, "version": 0}
            for doubt in doubts
        ]
        self._insert_new(ct.cases, cases)
        shared = {"tenant": task.tenant, "channel": task.step.channel or "", "category": task.category}
        rows = [
            {"case_id": doubt.case, "checks": f",{','.join(doubt.checks)},", "settled": doubt.case in settled}
            for doubt in doubts
        ]
        others = (_d.review_id == request.review_id, _d.case_id.not_in([doubt.case for doubt in doubts]))
        self._connection.execute(delete(ct.doubts).where(*others))  # of when it was asked for by other rules
        self._upsert(ct.doubts, {"review_id": request.review_id, **shared, "deadline_ms": task.deadline_ms}, *rows)

    def get(self, case_id: str) -> Case | None:
        """The case with this id, or None."""
        row = self._first(select(ct.cases).where(_c.case_id == case_id))
        return None if row is None else _case(row)

    def about(self, tenant: str, about: str) -> list[Case]:
        """Every case of a tenant that is about this, whatever its state."""
        query = select(ct.cases).where(_c.tenant == tenant, _c.about == about).order_by(_c.case_id)
        return [_case(row) for row in self._connection.execute(query)]

    def beginning(self, tenant: str | None, shortened: str) -> list[str]:
        """The ids of the cases, of a tenant or of all, that begin so."""
        where = _c.case_id.startswith(shortened, autoescape=True)
        query = select(_c.case_id).where(where, *([_c.tenant == tenant] if tenant else [])).limit(2)
        return list(self._connection.execute(query).scalars())

    def reviews(self, case_id: str) -> list[Review]:
        """Every review that waits, or waited, for a case, by asset and version."""
        query = select(t.reviews).join(ct.doubts, _d.review_id == _r.review_id).where(_d.case_id == case_id)
        rows = self._connection.execute(query.order_by(_r.asset, _r.version, _r.review_id))
        return [review_in(row) for row in rows]

    def waiting(self, case_ids: Sequence[str]) -> dict[str, list[Review]]:
        """The reviews that wait for each of the cases, by asset."""
        columns = [*t.reviews.columns, _d.case_id]
        query = select(*columns).join(ct.doubts, _d.review_id == _r.review_id).where(_WAITS, _d.case_id.in_(case_ids))
        found: dict[str, list[Review]] = {case_id: [] for case_id in case_ids}
        for row in self._connection.execute(query.order_by(_r.asset, _r.review_id)):
            found[row.case_id].append(review_in(row))
        return found

    def waiting_assets(self) -> set[tuple[str, str, str]]:
        """Tenant, SKU and name of every asset that waits for a case."""
        query = select(_r.tenant, _r.sku, _r.asset).join(ct.doubts, _d.review_id == _r.review_id).where(_WAITS)
        return {(row.tenant, row.sku, row.asset) for row in self._connection.execute(query.distinct())}

    def open_doubts(self, review_ids: Collection[str]) -> dict[str, set[str]]:
        """The cases that each of the reviews waits for still."""
        query = select(_d.review_id, _d.case_id).where(_d.review_id.in_(review_ids), _d.settled.is_(False))
        found: dict[str, set[str]] = {review_id: set() for review_id in review_ids}
        for row in self._connection.execute(query):
            found[row.review_id].add(row.case_id)
        return found

    def in_doubt(self, case_id: str) -> set[str]:
        """The checks for which assets wait in a case."""
        query = select(_d.checks).join(t.reviews, _r.review_id == _d.review_id).where(_WAITS, _d.case_id == case_id)
        return {name for row in self._connection.execute(query) for name in row.checks.strip(",").split(",")}

    def decide(self, case_id: str, event: DecisionEvent) -> None:
        """Notes the newest word on a case."""
        values = {"decision": t.dumped(event), "updated_at_ms": self._now_ms}
        self._connection.execute(update(ct.cases).where(_c.case_id == case_id).values(values))
        older = (ct.opinions.c.case_id == case_id, ct.opinions.c.version < event.version)
        self._connection.execute(update(ct.opinions).where(*older).values(stands=False))
        self.hear(case_id, event.version)

    def hear(self, case_id: str, version: int) -> None:
        """Notes that there was a word at this place among those on a case."""
        where = (_c.case_id == case_id, _c.version < version)
        self._connection.execute(update(ct.cases).where(*where).values(version=version))

    def settle(self, case_id: str, review_id: str, settled: bool) -> None:
        """Notes whether the case lets a review pass."""
        where = (_d.case_id == case_id, _d.review_id == review_id)
        self._connection.execute(update(ct.doubts).where(*where).values(settled=settled))

    def reopen(self, review_id: str) -> None:
        """Has a review wait for each of its cases, whatever was said of them."""
        self._connection.execute(update(ct.doubts).where(_d.review_id == review_id).values(settled=False))

    def page(self, fitting: Fitting, after: tuple[int, int, str] | None, most: int) -> list[Waiting]:
        """The cases that wait, by deadline, then turn: so many as `most` behind the one with these figures."""
        waiting = _waiting(fitting)
        order = (waiting.c.deadline_ms, waiting.c.turn_ms, waiting.c.case_id)
        query = select(waiting).order_by(*order).limit(most)
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        return [Waiting(*row) for row in self._connection.execute(query)]

    def count(self, fitting: Fitting) -> int:
        """How many cases wait that fit."""
        return int(self._connection.execute(select(func.count()).select_from(_waiting(fitting))).scalar_one())

    def ages(self, at_ms: int) -> Ages:
        """How many cases of all tenants wait, since when, and how many are late at a Unix time in ms."""
        its = _waiting(Fitting()).c
        late = func.coalesce(func.sum(case((its.deadline_ms < at_ms, 1), else_=0)), 0)
        row = self._connection.execute(select(func.count(), func.min(its.since_ms), late)).one()
        return Ages(int(row[0]), row[1], int(row[2]))

    def is_unlocked(self, case_id: str) -> bool:
        """Whether no other transaction is about to take or to decide a case; it is this one's then until it ends.

        SQLite has one writer at a time, and so no others.
        """
        query = select(_c.case_id).where(_c.case_id == case_id).with_for_update(skip_locked=True)
        return self._first(query) is not None


def _waiting(fitting: Fitting) -> Any:
    """The cases with an asset that waits and fits; a deadline and an age are those of the ones that fit."""
    deadline = func.coalesce(func.min(_d.deadline_ms), NEVER_MS).label("deadline_ms")
    since = func.min(_r.updated_at_ms)
    turn = (since - WORTH_MS * func.count()).label("turn_ms")
    query = select(_d.case_id, deadline, since.label("since_ms"), turn).join(t.reviews, _r.review_id == _d.review_id)
    query = query.join(ct.cases, _c.case_id == _d.case_id).where(_WAITS, *_conditions(fitting))
    if fitting.free_at_ms is not None:
        query = query.outerjoin(ct.case_claims, _held.case_id == _d.case_id).where(_free(fitting.free_at_ms))
    query = query.group_by(_d.case_id)
    if fitting.since_before_ms is not None:
        query = query.having(func.min(_r.updated_at_ms) <= fitting.since_before_ms)
    return query.subquery()


def _conditions(fitting: Fitting) -> list[ColumnElement[bool]]:
    given: Mapping[Any, str | None] = {
        _d.tenant: fitting.tenant,
        _c.sku: fitting.sku,
        _c.about: fitting.about,
        _d.channel: fitting.channel,
        _d.category: fitting.category,
    }
    found = [column == value for column, value in given.items() if value is not None]
    if fitting.not_said_by is not None:
        found.append(_d.case_id.not_in(_said_by(fitting.not_said_by)))
    if fitting.check is not None:
        found.append(_d.checks.contains(f",{fitting.check},", autoescape=True))
    return found


def _said_by(person: str) -> Any:
    """The cases on which an opinion of a person's stands."""
    said = ct.opinions.c
    return select(said.case_id).where(said.decided_by == person, said.stands)


def _free(now_ms: int) -> ColumnElement[bool]:
    """Whether nobody looks at a case, and what was said of it last is noted: see claims.py."""
    noted = and_(_held.holder == "", _held.said <= _c.version)
    return or_(_held.case_id.is_(None), is_over(_held.until_ms, now_ms, SAID_FOR_MS), noted)


def _case(row: Any) -> Case:
    last = load(row.decision, DecisionEvent) if row.decision else None
    return Case(row.case_id, row.tenant, row.sku, row.about, last, row.version)
