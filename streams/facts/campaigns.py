"""Campaigns: the newest word on each, the products that it names, and those that are still to begin or to take out.

A campaign's events are ranked: by version, those without one before all others and by their place on the topic. What is
to be done for its products is a list of its own, worked off in steps: a campaign of any size never holds anybody up.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, Table, bindparam, delete, func, insert, select

from schemas.records import CampaignCancelled, CampaignRequested
from streams.facts import tables as t
from streams.facts.repository import Repository, dialect_of, load

_NAMING = (
    select(t.campaigns.c.record)
    .join(
        t.campaign_skus,
        (t.campaigns.c.tenant == t.campaign_skus.c.tenant) & (t.campaigns.c.campaign == t.campaign_skus.c.campaign),
    )
    .where(
        t.campaign_skus.c.tenant == bindparam("tenant"),
        t.campaign_skus.c.sku == bindparam("sku"),
        t.campaigns.c.cancelled.is_(False),
    )
    .order_by(t.campaigns.c.campaign)
)


@dataclass(frozen=True)
class CampaignProgress:
    """What is known of a campaign: the newest request, of which this is a part, and the rank of the newest event."""

    request: CampaignRequested
    rank: int
    cancelled: bool
    is_complete: bool
    """Whether every part of the newest request is known."""


def rank_of(event: CampaignRequested | CampaignCancelled) -> int:
    """How new an event is among those of its campaign."""
    return event.version or t.UNVERSIONED + event.place


class Campaigns(Repository):
    """The campaigns as one transaction sees and changes them."""

    def get(self, tenant: str, campaign: str) -> tuple[CampaignRequested, bool] | None:
        """A campaign, with some of its products at least, and whether it was cancelled; or None."""
        known = self.progress(tenant, campaign)
        return None if known is None else (known.request, known.cancelled)

    def naming(self, tenant: str, sku: str) -> list[CampaignRequested]:
        """The campaigns that want pictures of a product, by name."""
        return [load(row.record, CampaignRequested) for row in self._execute(_NAMING, tenant=tenant, sku=sku)]

    def progress(self, tenant: str, campaign: str) -> CampaignProgress | None:
        """How a campaign stands, or None for one that nobody asked for."""
        row = self._connection.execute(select(t.campaigns).where(*_of(t.campaigns, tenant, campaign))).first()
        if row is None:
            return None
        request = load(row.record, CampaignRequested)
        newest = (*_of(t.campaign_parts, tenant, campaign), t.campaign_parts.c.rank == row.rank)
        known = self._connection.execute(select(func.count()).select_from(t.campaign_parts).where(*newest)).scalar_one()
        return CampaignProgress(request, row.rank, row.cancelled, known == request.parts)

    def put(self, event: CampaignRequested) -> None:
        """Notes a request, or a part of one, that no newer event is known of; what it newly names is to begin.

        Once the request is complete, what it does not name is to be taken out.
        """
        key, rank = {"tenant": event.tenant, "campaign": event.campaign}, rank_of(event)
        kept = event if event.parts == 1 else msgspec.structs.replace(event, skus=event.skus[:1])
        record = t.dumped(kept)
        row = {**key, "cancelled": False, "record": record, "rank": rank, "updated_at_ms": self._now_ms}
        self._put(t.campaigns, [row])
        self._put(t.campaign_parts, [{**key, "part": event.part, "rank": rank}])
        fresh = self._not_named(event, rank)
        self._put(t.campaign_skus, [{**key, "sku": sku, "rank": rank} for sku in fresh])
        self._put(t.campaign_work, [{**key, "sku": sku} for sku in fresh])
        progress = self.progress(event.tenant, event.campaign)
        if progress is not None and progress.is_complete:
            self._take_out(event.tenant, event.campaign, t.campaign_skus.c.rank < rank)

    def cancel(self, event: CampaignCancelled) -> None:
        """Notes a cancellation that no newer event is known of; what the campaign named is to be taken out."""
        values = {"cancelled": True, "rank": rank_of(event), "updated_at_ms": self._now_ms}
        where = _of(t.campaigns, event.tenant, event.campaign)
        self._connection.execute(t.campaigns.update().where(*where).values(values))
        self._take_out(event.tenant, event.campaign)

    def left(self, tenant: str, campaign: str, most: int) -> list[str]:
        """The SKUs, in order, of the next products to begin or to take out."""
        columns = t.campaign_work.c
        query = select(columns.sku).where(*_of(t.campaign_work, tenant, campaign)).order_by(columns.sku).limit(most)
        return list(self._connection.execute(query).scalars())

    def named(self, tenant: str, campaign: str, skus: Collection[str]) -> dict[str, int]:
        """The ranks of those of `skus` that the campaign names, or may name no more once it is complete."""
        columns = t.campaign_skus.c
        where = (*_of(t.campaign_skus, tenant, campaign), columns.sku.in_(list(skus)))
        return {row.sku: row.rank for row in self._connection.execute(select(columns.sku, columns.rank).where(*where))}

    def done(self, tenant: str, campaign: str, skus: Collection[str], gone: Collection[str]) -> None:
        """Notes that nothing is left to do for these products, and that `gone` are the campaign's no more."""
        for table, these in ((t.campaign_work, skus), (t.campaign_skus, gone)):
            if these:
                where = (*_of(table, tenant, campaign), table.c.sku.in_(list(these)))
                self._connection.execute(delete(table).where(*where))

    def _not_named(self, event: CampaignRequested, rank: int) -> list[str]:
        """The products that just this request had not named yet."""
        columns = t.campaign_skus.c
        where = (*_of(t.campaign_skus, event.tenant, event.campaign), columns.rank == rank)
        known = set(self._connection.execute(select(columns.sku).where(*where)).scalars())
        return sorted(set(event.skus) - known)

    def _take_out(self, tenant: str, campaign: str, *which: ColumnElement[bool]) -> None:
        columns = t.campaign_skus.c
        leaving = select(columns.tenant, columns.campaign, columns.sku).where(
            *_of(t.campaign_skus, tenant, campaign), *which
        )
        known = select(t.campaign_work.c.sku).where(*_of(t.campaign_work, tenant, campaign))
        fresh = leaving.where(columns.sku.not_in(known))
        self._connection.execute(insert(t.campaign_work).from_select(["tenant", "campaign", "sku"], fresh))

    def _put(self, table: Table, rows: list[dict[str, object]]) -> None:
        if not rows:
            return
        statement = dialect_of(self._connection).insert(table)
        keys = [column.name for column in table.primary_key]
        fresh = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        upserting = (
            statement.on_conflict_do_update(index_elements=keys, set_=fresh)
            if fresh
            else statement.on_conflict_do_nothing()
        )
        self._connection.execute(upserting, rows)


def _of(table: Table, tenant: str, campaign: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.tenant == tenant, table.c.campaign == campaign
