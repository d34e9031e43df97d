"""Recipes, tenants' defaults and channels' rules, in all their versions; and whom a release of one may concern."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, text, tuple_

from schemas.recipes.cookbook import Cookbook, Release, name_of, with_releases
from schemas.records import CampaignRequested, CatalogChanged
from streams.facts import tables as t
from streams.facts.repository import Repository, Transaction, dialect_of, load

Product = tuple[str, str]
_LOCK = 0x9AC55  # any number, the same in all processes
_ROWS_AT_ONCE = 1000
_other = t.recipes.alias()
_newest = select(func.max(_other.c.version)).where(_other.c.kind == t.recipes.c.kind, _other.c.name == t.recipes.c.name)
_ALL = select(t.recipes.c.record).order_by(t.recipes.c.kind, t.recipes.c.name, t.recipes.c.version)
_NEWEST = _ALL.where(t.recipes.c.version == _newest.scalar_subquery())


class Recipes(Repository):
    """The recipes, the defaults and the rules as one transaction sees and changes them."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction)
        self._cookbook: Cookbook | None = None

    def cookbook(self) -> Cookbook:
        """The recipes and the defaults that count now; they do until the transaction ends.

        Or a product could be planned by a recipe that a release, at the same time, no longer looks for.
        """
        if self._cookbook is None:
            if self._connection.dialect.name == "postgresql":
                self._execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), key=_LOCK)
            self._cookbook = with_releases(self._releases(_NEWEST))
        return self._cookbook

    def forget(self) -> None:
        """Reads the cookbook anew when it is asked for: what was noted since may have been undone."""
        self._cookbook = None

    def put(self, event: Release) -> None:
        """Notes a recipe, a tenant's defaults or a channel's rules; a version that is known stays as it is.

        Those who plan meanwhile are waited for.
        """
        if self._connection.dialect.name == "postgresql":  # in SQLite there is one transaction at a time
            self._execute(text("SELECT pg_advisory_xact_lock(:key)"), key=_LOCK)
        newest_ms = self._connection.execute(select(func.max(t.recipes.c.updated_at_ms))).scalar_one() or 0
        row = {
            "kind": type(event).__name__,
            "name": name_of(event),
            "version": event.version,
            "record": t.dumped(event),
            "updated_at_ms": max(self._now_ms, newest_ms + 1),  # says in what order they were noted
        }
        inserting = dialect_of(self._connection).insert(t.recipes)
        self._connection.execute(inserting.values(row).on_conflict_do_nothing())
        self.forget()

    def releases(self) -> list[Release]:
        """Every recipe, all defaults and channels' rules that were released, by kind, name and version."""
        return self._releases(_ALL)

    def before(self, event: Release) -> list[Release]:
        """The releases that were noted before this one, by kind, name and version."""
        is_this = _is(type(event), name_of(event), event.version)
        mine = select(t.recipes.c.updated_at_ms).where(*is_this).scalar_subquery()
        return self._releases(_ALL.where(t.recipes.c.updated_at_ms < mine))

    def get(self, kind: type[Release], name: str, version: int) -> Release | None:
        """The release of this recipe, or of this tenant's defaults, in this version; None for an unknown one."""
        row = self._first(select(t.recipes.c.record).where(*_is(kind, name, version)))
        return None if row is None else load(row.record, Release)

    def wanting(
        self, tenant: str | None = None, after: Product = ("", ""), most: int | None = None
    ) -> Iterator[tuple[CatalogChanged, list[CampaignRequested]]]:
        """The products behind `after` that are not deleted, of a tenant or of all, in order, `most` of them or all.

        Each comes with the campaigns that want it; however many there are, a thousand are looked at together.
        """
        while most is None or most > 0:
            count = _ROWS_AT_ONCE if most is None else min(most, _ROWS_AT_ONCE)
            page = _products(self._connection, tenant, after, count)
            campaigns = _campaigns(self._connection, page)
            yield from ((product, campaigns.get((product.tenant, product.sku), [])) for product in page)
            if len(page) < count:
                return
            after = (page[-1].tenant, page[-1].sku)
            most = None if most is None else most - count

    def _releases(self, query: Select[Any]) -> list[Release]:
        return [load(row.record, Release) for row in self._connection.execute(query)]


def _products(connection: Connection, tenant: str | None, after: Product, count: int) -> list[CatalogChanged]:
    columns = t.products.c
    behind = tuple_(columns.tenant, columns.sku) > tuple_(*after)
    query = select(columns.record).where(columns.deleted.is_(False), behind)
    if tenant is not None:
        query = query.where(columns.tenant == tenant)
    rows = connection.execute(query.order_by(columns.tenant, columns.sku).limit(count))
    return [load(row.record, CatalogChanged) for row in rows]


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
        wanted = load(row.record, CampaignRequested)
        found.setdefault((row.tenant, row.sku), []).append(wanted)
    return found


def _is(kind: type[Release], name: str, version: int) -> tuple[ColumnElement[bool], ...]:
    return t.recipes.c.kind == kind.__name__, t.recipes.c.name == name, t.recipes.c.version == version
