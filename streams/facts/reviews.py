"""Reviews: what waits for a person, and what people said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from schemas.doubts import picture_of
from schemas.records import DecisionUndone, ReviewDecided, ReviewRequested, TaskCompleted
from streams.facts import tables as t
from streams.facts.pictures import named_in, of_newest
from streams.facts.repository import Repository, load, page

DecisionEvent = ReviewDecided | DecisionUndone  # what people say of a review
_DECIDED = ("approved", "rejected")
_SUPERSEDING = (
    update(t.reviews)
    .where(
        t.reviews.c.tenant == bindparam("of_tenant"),
        t.reviews.c.sku == bindparam("of_sku"),
        t.reviews.c.version < bindparam("before"),
        t.reviews.c.state == "pending",
    )
    .values(state="superseded")
)


@dataclass(frozen=True)
class Review:
    """A review and its state: pending, approved, rejected or superseded. `last` is the newest word on it.

    `since_ms` is the Unix time since when it is in this state. A decision that `is_lapsed` was made by rules that count
    no more: it stands for nothing, and is known so that nobody tells it again.
    """

    review_id: str
    asset: str
    version: int
    state: str
    request: ReviewRequested
    last: DecisionEvent | None
    since_ms: int

    @property
    def decision(self) -> ReviewDecided | None:
        """The decision that stands."""
        return self.last if isinstance(self.last, ReviewDecided) and self.state in _DECIDED else None

    @property
    def is_lapsed(self) -> bool:
        """Whether a decision is known that stands no more, since other rules count."""
        return isinstance(self.last, ReviewDecided) and self.state not in _DECIDED

    @property
    def rank(self) -> int:
        """The version of the newest word on it; 0 when there is none."""
        return 0 if self.last is None else self.last.version

    def precedes(self, completed: TaskCompleted) -> bool:
        """Whether the result is here because somebody asked for it after it was reviewed: else it is told again."""
        return (completed.task.asked_at_ms or 0) > (self.request.completed.task.asked_at_ms or 0)


class Reviews(Repository):
    """The reviews as one transaction sees and changes them."""

    def put(self, request: ReviewRequested) -> None:
        """Opens a review, or opens it again when it was superseded; one that is pending or decided stays as it is.

        What was said of it before stays known: it may be told again.
        """
        known = self.get(request.review_id)
        if known is not None and known.state != "superseded":
            return
        task = request.completed.task
        values = {
            "tenant": task.tenant,
            "sku": task.sku,
            "asset": task.step.asset or "",
            "version": task.version,
        }
        values["picture"] = picture_of(request.completed, request.verdict)
        key = {"review_id": request.review_id}
        last = None if known is None or known.last is None else t.dumped(known.last)
        self._upsert(t.reviews, key, {**values, "state": "pending", "record": t.dumped(request), "decision": last})

    def get(self, review_id: str) -> Review | None:
        """The review with this id, or None."""
        row = self._first(select(t.reviews).where(t.reviews.c.review_id == review_id))
        return None if row is None else review_in(row)

    def last_on(self, tenant: str, picture: str) -> Review | None:
        """The review of just this picture, of whatever version, on which there was a word last; None without any."""
        where = (t.reviews.c.tenant == tenant, t.reviews.c.picture == picture)
        return self._last_worded(*where)

    def last_of(self, tenant: str, sku: str, asset: str) -> Review | None:
        """The review of an asset, of whatever version, on which there was a word last; None without any."""
        columns = t.reviews.c
        return self._last_worded(columns.tenant == tenant, columns.sku == sku, columns.asset == asset)

    def _last_worded(self, *where: Any) -> Review | None:
        columns = t.reviews.c
        query = select(t.reviews).where(*where, columns.decision.is_not(None))
        row = self._first(query.order_by(columns.updated_at_ms.desc(), columns.review_id.desc()).limit(1))
        return None if row is None else review_in(row)

    def every(self, *, pending: bool = True) -> list[Review]:
        """Reviews, oldest first; only those that wait for a person when `pending`."""
        query = select(t.reviews).order_by(t.reviews.c.updated_at_ms, t.reviews.c.review_id)
        return [review_in(row) for row in self._connection.execute(_only_pending(query) if pending else query)]

    def page(self, tenant: str, after: Sequence[str], most: int, wanted: Mapping[str, str]) -> list[Review]:
        """A tenant's reviews of which each column in `wanted` has that value, by id, behind the one in `after`."""
        columns = t.reviews.c
        query = page(t.reviews, tenant, (columns.review_id,), after, most)
        fits = (columns[name] == value for name, value in wanted.items())
        return [review_in(row) for row in self._connection.execute(query.where(*fits))]

    def pending_of(self, tenant: str, sku: str, asset: str) -> list[Review]:
        """The reviews of an asset that wait for a person."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.sku == sku, columns.asset == asset)
        return [review_in(row) for row in self._connection.execute(_only_pending(select(t.reviews).where(*where)))]

    def decide(self, event: DecisionEvent, state: str) -> None:
        """Notes the newest word on a review, and how the review stands by it."""
        decision = event if isinstance(event, ReviewDecided) else event.decision
        where = t.reviews.c.review_id == decision.review_id
        at_ms = max(self._now_ms, self._newest_word_ms(decision) + 1)
        values = {"state": state, "decision": t.dumped(event), "updated_at_ms": at_ms}
        self._connection.execute(update(t.reviews).where(where).values(values))

    def _newest_word_ms(self, decision: ReviewDecided) -> int:
        """When the newest word on the product was noted: one that is noted now is newer, wherever the clock stands."""
        columns = t.reviews.c
        where = (columns.tenant == decision.tenant, columns.sku == decision.sku, columns.decision.is_not(None))
        newest = select(func.max(columns.updated_at_ms)).where(*where)
        return self._connection.execute(newest).scalar_one() or 0

    def supersede_older(self, tenant: str, sku: str, version: int) -> None:
        """Closes the pending reviews of a product's versions before `version`."""
        self._execute(_SUPERSEDING, of_tenant=tenant, of_sku=sku, before=version)

    def supersede_others(self, tenant: str, sku: str, asset: str, review_id: str) -> None:
        """Closes the pending reviews of an asset but this one: they are about results that a newer one replaced."""
        columns = t.reviews.c
        where = (
            columns.tenant == tenant,
            columns.sku == sku,
            columns.asset == asset,
            columns.review_id != review_id,
            columns.state == "pending",
        )
        self._connection.execute(update(t.reviews).where(*where).values(state="superseded"))

    def lapse(self, review_id: str) -> None:
        """Has a decision stand no more, since other rules count; what was said stays known."""
        where = (t.reviews.c.review_id == review_id, t.reviews.c.state.in_(_DECIDED))
        self._connection.execute(update(t.reviews).where(*where).values(state="superseded"))

    def lapse_passed(self, tenant: str, sku: str, asset: str, result_id: str, rules: str) -> None:
        """Has what was decided of a result, by other rules than these, stand no more: by these it passed."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.sku == sku, columns.asset == asset, columns.state.in_(_DECIDED))
        for review in map(review_in, self._connection.execute(select(t.reviews).where(*where)).fetchall()):
            if review.request.completed.result_id == result_id and review.request.verdict.rules != rules:
                self.lapse(review.review_id)

    def decided(self, since_ms: int) -> dict[tuple[str, ...], int]:
        """How many reviews stand as people settled them since a Unix time in ms, by tenant and state."""
        columns = t.reviews.c
        where = (columns.updated_at_ms >= since_ms, columns.state.in_(_DECIDED))
        counted = select(columns.tenant, columns.state, func.count()).where(*where)
        rows = self._connection.execute(counted.group_by(columns.tenant, columns.state))
        return {(row[0], row[1]): int(row[2]) for row in rows}

    def named_pictures(self) -> set[str]:
        """The digests of all pictures that reviews of products' newest versions are about."""
        rows = self._connection.execute(of_newest(t.reviews))
        return {blob.digest for row in rows for blob in named_in(load(row.record, ReviewRequested).completed)}


def _only_pending(query: Select[Any]) -> Select[Any]:
    return query.where(t.reviews.c.state == "pending")


def review_in(row: Any) -> Review:
    """The review in a row of the table."""
    last = load(row.decision, DecisionEvent) if row.decision else None
    request = load(row.record, ReviewRequested)
    return Review(row.review_id, row.asset, row.version, row.state, request, last, row.updated_at_ms)
