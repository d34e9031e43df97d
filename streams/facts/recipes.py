"""Recipes, tenants' defaults and channels' rules, in all their versions; and whom a release of one may concern."""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from schemas.recipes.cookbook import Release, name_of
from schemas.records import CampaignRequested, CatalogChanged
from streams.facts import tables as t

Product = tuple[str, str]
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
    newest_ms = connection.execute(select(func.max(t.recipes.c.updated_at_ms))).scalar_one() or 0
    row = {
        "kind": type(event).__name__,
        "name": name_of(event),
        "version": event.version,
        "record": t.dumped(event),
        "updated_at_ms": max(now_ms, newest_ms + 1),  # says in what order they were noted
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


def before(connection: Connection, event: Release) -> list[Release]:
    """The releases that were noted before this one, by name and version."""
    mine = select(t.recipes.c.updated_at_ms).where(*_is(type(event), name_of(event), event.version)).scalar_subquery()
    rows = connection.execute(_ALL.where(t.recipes.c.updated_at_ms < mine))
    return [msgspec.json.decode(row.record, type=Release) for row in rows]


def release(connection: Connection, kind: type[Release], name: str, version: int) -> Release | None:
    """One release, or None."""
    row = connection.execute(select(t.recipes.c.record).where(*_is(kind, name, version))).first()
    return None if row is None else msgspec.json.decode(row.record, type=Release)


def wanting(
    connection: Connection, tenant: str | None, after: Product, most: int | None
) -> Iterator[tuple[CatalogChanged, list[CampaignRequested]]]:
    """The products behind `after` that are not deleted, of a tenant or of all, in order, `most` of them or all.

    Each comes with the campaigns that want it; however many there are, a thousand are looked at together.
    """
    while most is None or most > 0:
        count = _ROWS_AT_ONCE if most is None else min(most, _ROWS_AT_ONCE)
        page = _products(connection, tenant, after, count)
        campaigns = _campaigns(connection, page)
        yield from ((product, campaigns.get((product.tenant, product.sku), [])) for product in page)
        if len(page) < count:
            return
        after = (page[-1].tenant, page[-1].sku)
        most = None if most is None else most - count


def _products(connection: Connection, tenant: str | None, after: Product, count: int) -> list[CatalogChanged]:
    columns = t.products.c
    behind = tuple_(columns.tenant, columns.sku) > tuple_(*after)
    query = select(columns.record).where(columns.deleted.is_(False), behind)
    if tenant is not None:
        query = query.where(columns.tenant == tenant)
    rows = connection.execute(query.order_by(columns.tenant, columns.sku).limit(count))
    return [msgspec.json.decode(row.record, type=CatalogChanged) for row in rows]


def _campaigns(connection: Connection, page: Sequence[CatalogChanged]) -> dict[Product, list[CampaignRequested]]:
    if not page:
        return {}
    named, known = t.campaign_skus.c, t.campaigns.c
    first, last = ((each.tenant, each.sku) for each in (page[0], page[-1]))
    place = tuple_(named.tenant, named.sku)
    query = (
        select(named.tenant, named.sku, known.record)
        .join(t.campaigns, (known.tenant == named.tenant) & (known.campaign == named.campaign))
        .where(place >= tuple_(*first), place <= tuple_(*last), known.cancelled.is_(False))
        .order_by(named.tenant, named.sku, named.campaign)
    )
    found: dict[Product, list[CampaignRequested]] = {}
    for row in connection.execute(query):
        wanted = msgspec.json.decode(row.record, type=CampaignRequested)
        found.setdefault((row.tenant, row.sku), []).append(wanted)
    return found


def _is(kind: type[Release], name: str, version: int) -> tuple[ColumnElement[bool], ...]:
    return t.recipes.c.kind == kind.__name__, t.recipes.c.name == name, t.recipes.c.version == version
