"""Assets: where each planned picture of a product stands, and what is live of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from schemas.records import AssetPublished, Verdict
from streams.facts import tables as t
from streams.facts.repository import Repository, load, page
from streams.facts.reviews import Reviews
from streams.facts.states import AWAITS_PUBLISHER, STATES, AssetEvent, AssetState, IllegalTransition, transition

_ASSETS = (
    select(t.assets)
    .where(t.assets.c.tenant == bindparam("tenant"), t.assets.c.sku == bindparam("sku"))
    .order_by(t.assets.c.asset)
)


@dataclass(frozen=True)
class Asset:
    """Where one planned asset of a product stands. `live` is its last publication that was not retracted."""

    tenant: str
    sku: str
    asset: str
    version: int
    channel: str
    campaign: str | None
    state: AssetState
    reason: str
    verdict: Verdict | None
    live: AssetPublished | None


@dataclass(frozen=True)
class ProductState:
    """What a publisher must know of a product: its newest version, and the state of each asset of its plan.

    `reasons` says why an asset failed or was rejected.
    """

    version: int
    deleted: bool
    plan: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)


class Assets(Repository):
    """The assets as one transaction sees and changes them."""

    def of(self, tenant: str, sku: str) -> list[Asset]:
        """The product's assets by name, those that are about to leave included."""
        return [_asset(row) for row in self._execute(_ASSETS, tenant=tenant, sku=sku)]

    def every(self) -> list[Asset]:
        """The assets of all products."""
        order = (t.assets.c.tenant, t.assets.c.sku, t.assets.c.asset)
        return [_asset(row) for row in self._connection.execute(select(t.assets).order_by(*order))]

    def of_tenant(self, tenant: str) -> list[Asset]:
        """The assets of all products of a tenant, by SKU and name."""
        query = select(t.assets).where(t.assets.c.tenant == tenant).order_by(t.assets.c.sku, t.assets.c.asset)
        return [_asset(row) for row in self._connection.execute(query)]

    def live_names(self, tenant: str) -> list[tuple[str, str]]:
        """The name and the channel of each of a tenant's pictures that is live and stays so."""
        query = select(t.assets.c.asset, t.assets.c.channel).where(*_is_live(tenant))
        return [(row.asset, row.channel) for row in self._connection.execute(query)]

    def newest_live(self, tenant: str, channels: Collection[str], most: int) -> list[Asset]:
        """So many of a tenant's pictures that are live on these channels and stay so, the newest first."""
        where = (*_is_live(tenant), t.assets.c.channel.in_(sorted(channels)))
        order = (t.assets.c.updated_at_ms.desc(), t.assets.c.sku, t.assets.c.asset)
        query = select(t.assets).where(*where).order_by(*order).limit(most)
        return [_asset(row) for row in self._connection.execute(query)]

    def page(self, tenant: str, after: Sequence[str], most: int, wanted: Mapping[str, str]) -> list[Asset]:
        """A tenant's assets of which each column in `wanted` has that value, by SKU and name, behind `after`."""
        columns = t.assets.c
        query = page(t.assets, tenant, (columns.sku, columns.asset), after, most)
        fits = (columns[name] == value for name, value in wanted.items())
        return [_asset(row) for row in self._connection.execute(query.where(*fits))]

    def put_plan(self, tenant: str, sku: str, version: int, plan: Mapping[str, tuple[str, str | None]]) -> None:
        """Makes `plan` (asset: channel and campaign) the product's plan.

        Assets of this version keep their state, new ones are planned, and those that are no longer in the plan leave.
        """
        known = {asset.asset: asset for asset in self.of(tenant, sku)}
        fresh = [
            {"asset": name, "channel": channel, "campaign": campaign}
            for name, (channel, campaign) in plan.items()
            if (row := known.get(name)) is None or row.version < version or row.state == "leaving"
        ]
        planned = {"tenant": tenant, "sku": sku, "version": version, "state": "planned", "reason": "", "verdict": None}
        self._upsert(t.assets, planned, *fresh)
        for name, row in known.items():
            if name not in plan:
                self.drop(row)

    def drop(self, asset: Asset) -> None:
        """Takes an asset and its reviews out of the plan: gone if it never was live, else leaving until retracted."""
        Reviews(self._transaction).supersede_others(asset.tenant, asset.sku, asset.asset, "")
        if asset.live is None:
            where = _is_asset(asset.tenant, asset.sku, asset.asset)
            self._connection.execute(delete(t.assets).where(*where))
        else:
            self._put_leaving(asset.live)

    def _put_leaving(self, live: AssetPublished) -> None:
        key = {"tenant": live.tenant, "sku": live.sku, "asset": live.asset}
        values = {"version": live.version, "channel": live.channel, "campaign": live.campaign, "live": t.dumped(live)}
        self._upsert(t.assets, key, {**values, "state": "leaving", "reason": "", "verdict": t.dumped(live.verdict)})

    def move(
        self,
        tenant: str,
        sku: str,
        name: str,
        version: int,
        event: AssetEvent,
        *,
        reason: str = "",
        verdict: Verdict | None = None,
    ) -> bool:
        """Moves an asset of just this version as the event says; False where it comes late, or none is in the plan.

        Raises IllegalTransition where `streams.facts.states` knows neither.
        """
        known = transition(event)
        values: dict[str, Any] = {"state": known.target, "reason": reason, "updated_at_ms": self._now_ms}
        if verdict is not None:
            values["verdict"] = t.dumped(verdict)
        where = (*_is_asset(tenant, sku, name), t.assets.c.version == version)
        moves = t.assets.c.state.in_(sorted(known.sources))
        if self._connection.execute(update(t.assets).where(*where, moves).values(values)).rowcount:
            return True
        state = self._connection.execute(select(t.assets.c.state).where(*where)).scalar_one_or_none()
        if state is not None and state not in known.stays:
            raise IllegalTransition(event, state, f"{tenant}|{sku} {name}")
        return False

    def is_live(
        self,
        tenant: str,
        sku: str,
        name: str,
        version: int,
        digest: str,
        models: Sequence[str],
        rules: str | None = None,
    ) -> bool:
        """Whether just the file with this digest, made by these networks, is live as the asset.

        With `rules`, whether it was judged by them, too.
        """
        row = self._first(select(t.assets).where(*_is_asset(tenant, sku, name)))
        live = None if row is None else _asset(row).live
        if live is None or rules not in (None, live.verdict.rules):
            return False
        return (live.version, live.file.content, list(live.models)) == (version, digest, list(models))

    def put_live(self, event: AssetPublished) -> bool:
        """Notes what is live of an asset; False for one that has left the plan meanwhile: it is leaving."""
        where = (*_is_asset(event.tenant, event.sku, event.asset), t.assets.c.state != "leaving")
        if self._connection.execute(update(t.assets).where(*where).values(live=t.dumped(event))).rowcount:
            return True
        self._put_leaving(event)
        return False

    def put_gone(self, tenant: str, sku: str, name: str) -> None:
        """Notes that nothing of an asset is live; one that was leaving is gone."""
        where = _is_asset(tenant, sku, name)
        self._connection.execute(delete(t.assets).where(*where, t.assets.c.state == "leaving"))
        self._connection.execute(update(t.assets).where(*where).values(live=None))

    def unpublished(self, before_ms: int) -> list[tuple[str, str]]:
        """The products that wait for the publisher since before a Unix time: to publish an asset, or to retract it."""
        columns = t.assets.c
        where = (columns.state.in_(sorted(AWAITS_PUBLISHER)), columns.updated_at_ms <= before_ms)
        rows = self._connection.execute(select(columns.tenant, columns.sku).where(*where).distinct())
        return sorted((row.tenant, row.sku) for row in rows)

    def of_campaign(self, tenant: str, campaign: str) -> list[Asset]:
        """The assets of a campaign, of all its products."""
        where = (t.assets.c.tenant == tenant, t.assets.c.campaign == campaign)
        rows = self._connection.execute(select(t.assets).where(*where).order_by(t.assets.c.sku, t.assets.c.asset))
        return [_asset(row) for row in rows]


def _is_live(tenant: str) -> tuple[Any, ...]:
    return (t.assets.c.tenant == tenant, t.assets.c.live.is_not(None), t.assets.c.state != "leaving")


def _is_asset(tenant: str, sku: str, name: str) -> tuple[Any, ...]:
    return (t.assets.c.tenant == tenant, t.assets.c.sku == sku, t.assets.c.asset == name)


def _asset(row: Any) -> Asset:
    if row.state not in STATES:
        raise IllegalTransition("none", row.state, f"{row.tenant}|{row.sku} {row.asset}")
    verdict = load(row.verdict, Verdict) if row.verdict else None
    live = load(row.live, AssetPublished) if row.live else None
    identity = (row.tenant, row.sku, row.asset, row.version, row.channel, row.campaign)
    return Asset(*identity, row.state, row.reason, verdict, live)
