"""Recipes, tenants' defaults and channels' rules, in all their versions; and whom a release of one may concern."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from schemas.recipes.cookbook import Release, name_of
from schemas.records import CampaignRequested, CatalogChanged
from streams.catalogue import tables as t

_LOCK = 0x9AC55  # any number, the same in all processes
_ROWS_AT_ONCE = 1000
_other = t.recipes.alias()
_newest = select(func.max(_other.c.version)).where(_other.c.kind == t.recipes.c.kind, _other.c.name == t.recipes.c.name)
_ALL = select(t.recipes.c.record).order_by(t.recipes.c.kind, t.recipes.c.name, t.recipes.c.version)
_NEWEST = _ALL.where(t.recipes.c.version == _newest.scalar_subquery())


def put(connection: Connection, event: Release, now_ms: int) -> None:
    """Notes a release; one that is told again changes nothing. Those who plan meanwhile are waited for."""
    if connection.dialect.name == "postgresql":  # in SQLite there is one transaction at a time
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    row = {
        "kind": type(event).__name__,
        "name": name_of(event),
        "version": event.version,
        "record": t.dumped(event),
        "updated_at_ms": now_ms,
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(t.recipes).values(row).on_conflict_do_nothing())


def releases(connection: Connection, *, newest: bool) -> list[Release]:
    """Every release by name and version; only those that count when `newest`, which then hold until this one is done.

    Or a product could be planned by a recipe that a release, at the same time, no longer looks for.
    """
    if newest and connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})
    rows = connection.execute(_NEWEST if newest else _ALL)
    return [msgspec.json.decode(row.record, type=Release) for row in rows]


def wanting(connection: Connection, tenant: str | None) -> Iterator[tuple[CatalogChanged, list[CampaignRequested]]]:
    """The products that are not deleted, of a tenant or of all, in order, each with the campaigns that want it."""
    campaigns = _campaigns(connection)
    products = select(t.products.c.record).where(t.products.c.deleted.is_(False))
    if tenant is not None:
        products = products.where(t.products.c.tenant == tenant)
    products = products.order_by(t.products.c.tenant, t.products.c.sku)
    for row in connection.execute(products.execution_options(yield_per=_ROWS_AT_ONCE)):
        product = msgspec.json.decode(row.record, type=CatalogChanged)
        yield product, campaigns.get((product.tenant, product.sku), [])


def _campaigns(connection: Connection) -> dict[tuple[str, str], list[CampaignRequested]]:
    named, known = t.campaign_skus.c, t.campaigns.c
    rows = connection.execute(select(t.campaigns).where(known.cancelled.is_(False)))
    wanted = {(row.tenant, row.campaign): msgspec.json.decode(row.record, type=CampaignRequested) for row in rows}
    found: dict[tuple[str, str], list[CampaignRequested]] = {}
    for row in connection.execute(select(t.campaign_skus).order_by(named.tenant, named.sku, named.campaign)):
        if (row.tenant, row.campaign) in wanted:
            found.setdefault((row.tenant, row.sku), []).append(wanted[row.tenant, row.campaign])
    return found
