"""What people look at: products as they search for them, campaigns, what is queued, what was judged.

Each is one tenant's, and bounded: nobody reads more than a page of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import JSON, ColumnElement, and_, cast, exists, func, or_, select, type_coerce

from schemas.decoding import prepare
from schemas.records import AssetPublished, CampaignRequested, Verdict
from streams.facts import tables as t
from streams.facts.assets import Asset, _asset
from streams.facts.products import Product, _product
from streams.facts.repository import Repository, load, page
from streams.facts.reviews import Review, review_in
from streams.facts.states import SETTLED

COSTS_MAX = 500  # shares of tasks, the newest: enough for a mean, and found by an index
JUDGED_MAX = 5000  # of the newest verdicts, that quality is told of


@dataclass(frozen=True)
class CampaignRow:
    """A campaign and how many of its assets are in each state."""

    request: CampaignRequested
    cancelled: bool
    products: int
    states: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many assets are planned for it so far."""
        return sum(self.states.values())

    @property
    def settled(self) -> int:
        """How many of them have ended, or wait for a person."""
        return sum(count for state, count in self.states.items() if state in SETTLED)

    def is_late(self, now_ms: int) -> bool:
        """Whether its deadline is over and something of it is not live."""
        due_ms = self.request.deadline_ms
        is_done = self.products and self.states.get("published", 0) == self.total
        return due_ms is not None and due_ms < now_ms and not is_done and not self.cancelled


@dataclass(frozen=True)
class Queued:
    """How many tasks of an operation and a lane wait for their end, and since when the oldest does."""

    operation: str
    lane: str
    count: int
    oldest_ms: int


@dataclass(frozen=True)
class Judged:
    """The newest verdict on an asset: the networks that it was made with, NAME@VERSION, and when there was news of the
    asset last (Unix time in ms)."""

    sku: str
    asset: str
    channel: str
    state: str
    verdict: Verdict
    models: Sequence[str] = ()
    at_ms: int = 0


@dataclass(frozen=True)
class Live:
    """A picture that is live, and the category of its product."""

    published: AssetPublished
    category: str


class _Task(msgspec.Struct):
    models: list[str] = []


class _Made(msgspec.Struct):
    """What of a review or of a live picture says which networks it was made with; the rest is not read."""

    models: list[str] = []
    task: _Task = msgspec.field(default_factory=_Task)
    model: str | None = None

    def every(self) -> list[str]:
        return sorted({*self.models, *self.task.models, *([self.model] if self.model else [])})


class _Asked(msgspec.Struct):
    completed: _Made


prepare(_Asked)


class Overviews(Repository):
    """The facts as people look at them; nothing is changed."""

    def tenants(self) -> list[str]:
        """Every tenant that has a product, by name."""
        return list(
            self._connection.execute(select(t.products.c.tenant).distinct().order_by(t.products.c.tenant)).scalars()
        )

    def products(
        self, tenant: str, text: str, state: str, channel: str, after: Sequence[str], most: int
    ) -> list[Product]:
        """The products of which SKU or title hold `text`, with an asset in `state` and of `channel` where given."""
        columns = t.products.c
        query = page(t.products, tenant, (columns.sku,), after, most).where(columns.deleted.is_(False))
        if text:
            query = query.where(or_(_holds(columns.sku, text), _holds(self._field_of(columns.record, "title"), text)))
        if state or channel:
            query = query.where(_has_asset(state, channel))
        return [_product(row) for row in self._connection.execute(query)]

    def counts(self, tenant: str) -> dict[str, int]:
        """How many assets of the tenant are in each state."""
        columns = t.assets.c
        query = select(columns.state, func.count()).where(columns.tenant == tenant).group_by(columns.state)
        return {str(row[0]): int(row[1]) for row in self._connection.execute(query)}

    def channels(self, tenant: str) -> list[str]:
        """The channels that the tenant has assets of, by name."""
        columns = t.assets.c
        query = select(columns.channel).where(columns.tenant == tenant).distinct().order_by(columns.channel)
        return list(self._connection.execute(query).scalars())

    def assets(self, tenant: str, skus: Sequence[str]) -> dict[str, list[Asset]]:
        """The assets of some products, by SKU."""
        columns = t.assets.c
        where = (columns.tenant == tenant, columns.sku.in_(list(skus)))
        found: dict[str, list[Asset]] = {sku: [] for sku in skus}
        for row in self._connection.execute(select(t.assets).where(*where).order_by(columns.sku, columns.asset)):
            found[row.sku].append(_asset(row))
        return found

    def reviews(self, tenant: str, sku: str) -> list[tuple[Review, int]]:
        """All reviews of a product, oldest news first, and when each was noted last (Unix time in ms)."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.sku == sku)
        rows = self._connection.execute(select(t.reviews).where(*where).order_by(columns.updated_at_ms))
        return [(review_in(row), row.updated_at_ms) for row in rows]

    def waiting(self, tenant: str, most: int) -> list[tuple[Review, int]]:
        """The reviews of a tenant that wait for a person, oldest first, and since when."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.state == "pending")
        query = select(t.reviews).where(*where).order_by(columns.updated_at_ms, columns.review_id).limit(most)
        return [(review_in(row), row.updated_at_ms) for row in self._connection.execute(query)]

    def noted(self, tenant: str, sku: str) -> tuple[int, dict[str, int]]:
        """When a product was noted last, and when each of its tasks was, by id; Unix times in ms."""
        its, tasks = t.products.c, t.tasks.c
        product = select(its.updated_at_ms).where(its.tenant == tenant, its.sku == sku)
        rows = self._connection.execute(
            select(tasks.task_id, tasks.updated_at_ms).where(tasks.tenant == tenant, tasks.sku == sku)
        )
        return self._connection.execute(product).scalar_one(), {row.task_id: row.updated_at_ms for row in rows}

    def campaigns(self, tenant: str, most: int) -> list[CampaignRow]:
        """The tenant's campaigns, the newest first, each with its assets by state."""
        columns, skus = t.campaigns.c, t.campaign_skus.c
        named = select(skus.campaign, func.count()).where(skus.tenant == tenant).group_by(skus.campaign)
        products = {str(row[0]): int(row[1]) for row in self._connection.execute(named)}
        states = self._campaign_states(tenant)
        rows = self._connection.execute(
            select(t.campaigns).where(columns.tenant == tenant).order_by(columns.updated_at_ms.desc()).limit(most)
        )
        return [
            CampaignRow(
                load(row.record, CampaignRequested),
                row.cancelled,
                products.get(row.campaign, 0),
                states.get(row.campaign, {}),
            )
            for row in rows
        ]

    def queued(self, tenant: str) -> list[Queued]:
        """What waits of a tenant's tasks, by operation and lane."""
        columns = t.tasks.c
        lane = self._field_of(columns.record, "lane")
        query = (
            select(columns.operation, lane, func.count(), func.min(columns.updated_at_ms))
            .where(columns.tenant == tenant, columns.state == "queued")
            .group_by(columns.operation, lane)
            .order_by(columns.operation)
        )
        return [Queued(str(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in self._connection.execute(query)]

    def work_ms(self, tenant: str) -> dict[str, float]:
        """What a task of each operation took lately of engine and CPU together, in ms; none where nothing is known."""
        columns = t.costs.c
        newest = (
            select(columns.operation, columns.task_id, (columns.engine_ms + columns.cpu_ms).label("work_ms"))
            .where(columns.tenant == tenant)
            .order_by(columns.updated_at_ms.desc())
            .limit(COSTS_MAX)
            .subquery()
        )
        newest_columns = newest.c
        query = select(
            newest_columns.operation,
            func.sum(newest_columns.work_ms),
            func.count(func.distinct(newest_columns.task_id)),
        )
        rows = self._connection.execute(query.group_by(newest_columns.operation))
        return {str(row[0]): float(row[1]) / int(row[2]) for row in rows}

    def judged(self, tenant: str) -> list[Judged]:
        """The newest verdicts on the tenant's assets."""
        columns = t.assets.c
        query = (
            select(t.assets)
            .where(columns.tenant == tenant, columns.verdict.is_not(None))
            .order_by(columns.updated_at_ms.desc())
            .limit(JUDGED_MAX)
        )
        networks = self._made_with(tenant)
        return [
            Judged(
                *(row.sku, row.asset, row.channel, row.state, load(row.verdict, Verdict)),
                models=load(row.live, _Made).every() if row.live else networks.get((row.sku, row.asset), []),
                at_ms=row.updated_at_ms,
            )
            for row in self._connection.execute(query)
        ]

    def _made_with(self, tenant: str) -> dict[tuple[str, str], list[str]]:
        """The networks that the pictures were made with which people were asked about, by SKU and asset."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.state != "superseded")
        newest = select(columns.sku, columns.asset, columns.record).where(*where)
        rows = self._connection.execute(newest.order_by(columns.updated_at_ms.desc()).limit(JUDGED_MAX))
        found: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            found.setdefault((row.sku, row.asset), load(row.record, _Asked).completed.every())
        return found

    def live(self, tenant: str, most: int) -> list[Live]:
        """The pictures of a tenant that are live, those that were noted last first."""
        its, columns = t.products.c, t.assets.c
        of_product = and_(its.tenant == columns.tenant, its.sku == columns.sku)
        query = (
            select(columns.live, self._field_of(its.record, "category").label("category"))
            .join(t.products, of_product)
            .where(columns.tenant == tenant, columns.live.is_not(None))
            .order_by(columns.updated_at_ms.desc(), columns.sku, columns.asset)
            .limit(most)
        )
        rows = self._connection.execute(query)
        return [Live(load(row.live, AssetPublished), row.category or "") for row in rows]

    def rejected(self, tenant: str, most: int) -> list[Review]:
        """The reviews of a tenant that a person rejected for good, the newest first."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.state == "rejected")
        query = select(t.reviews).where(*where).order_by(columns.updated_at_ms.desc(), columns.review_id).limit(most)
        found = [review_in(row) for row in self._connection.execute(query)]
        return [each for each in found if each.decision is not None and not each.decision.redo]

    def _campaign_states(self, tenant: str) -> dict[str, dict[str, int]]:
        columns = t.assets.c
        where = (columns.tenant == tenant, columns.campaign.is_not(None))
        query = select(columns.campaign, columns.state, func.count()).where(*where)
        found: dict[str, dict[str, int]] = {}
        for row in self._connection.execute(query.group_by(columns.campaign, columns.state)):
            found.setdefault(str(row[0]), {})[str(row[1])] = int(row[2])
        return found

    def _field_of(self, record: Any, name: str) -> ColumnElement[str]:
        """What a record says under a name. SQLite takes text for JSON; PostgreSQL wants a cast."""
        is_postgresql = self._connection.dialect.name == "postgresql"
        document: Any = cast(record, JSON) if is_postgresql else type_coerce(record, JSON)
        found: ColumnElement[str] = document[name].as_string()
        return found


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


def _has_asset(state: str, channel: str) -> ColumnElement[bool]:
    columns = t.assets.c
    where = [columns.tenant == t.products.c.tenant, columns.sku == t.products.c.sku]
    where += [columns.state == state] if state else []
    where += [columns.channel == channel] if channel else []
    return exists().where(*where)
