"""A tenant's rows a page at a time, for those who look through many: each page goes on behind the last row before."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select, tuple_

from streams.facts import tables as t

Key = tuple[str, ...]


class Pages:
    """Rows of one tenant, in the order of their names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def products(self, tenant: str, after: Key, most: int) -> list[Any]:
        """The products that are not deleted."""
        columns = t.products.c
        query = _page(t.products, tenant, (columns.sku,), after, most).where(columns.deleted.is_(False))
        return list(self._connection.execute(query))

    def assets(self, tenant: str, after: Key, most: int, wanted: Mapping[str, str]) -> list[Any]:
        """The assets of which each column in `wanted` has that value."""
        columns = t.assets.c
        query = _page(t.assets, tenant, (columns.sku, columns.asset), after, most)
        return list(self._connection.execute(query.where(*(columns[name] == value for name, value in wanted.items()))))

    def reviews(self, tenant: str, after: Key, most: int, wanted: Mapping[str, str]) -> list[Any]:
        """The reviews of which each column in `wanted` has that value."""
        columns = t.reviews.c
        query = _page(t.reviews, tenant, (columns.review_id,), after, most)
        return list(self._connection.execute(query.where(*(columns[name] == value for name, value in wanted.items()))))

    def spent_nanos(self, tenant: str, skus: list[str]) -> dict[tuple[str, str, int], int]:
        """What the work that is noted for each SKU, asset and version cost, in billionths of the currency."""
        columns = t.costs.c
        key = (columns.sku, columns.asset, columns.version)
        where = (columns.tenant == tenant, columns.sku.in_(skus))
        rows = self._connection.execute(select(*key, func.sum(columns.price_nanos)).where(*where).group_by(*key))
        return {(row[0], row[1], row[2]): int(row[3]) for row in rows}


def _page(table: Table, tenant: str, order: tuple[ColumnElement[str], ...], after: Key, most: int) -> Select[Any]:
    query = select(table).where(table.c.tenant == tenant).order_by(*order).limit(most)
    return query.where(tuple_(*order) > tuple_(*after)) if after else query
