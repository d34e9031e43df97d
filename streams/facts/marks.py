"""Marks: words at a place, in which of a tenant's products' photographs they are."""

from collections.abc import Collection

from sqlalchemy import func, select

from streams.facts import shelf_tables as st
from streams.facts.repository import Repository

_columns = st.marks.c


class Marks(Repository):
    """The marks as one transaction sees and changes them."""

    def put(self, tenant: str, sku: str, marks: Collection[str]) -> None:
        """Notes that a photograph of a product has these marks."""
        self._insert_new(st.marks, [{"tenant": tenant, "mark": mark, "sku": sku} for mark in sorted(marks)])

    def others(self, tenant: str, sku: str, marks: Collection[str]) -> int:
        """How many other products of the tenant have the one of these marks that the most have."""
        query = (
            select(func.count())
            .where(_columns.tenant == tenant, _columns.mark.in_(sorted(marks)), _columns.sku != sku)
            .group_by(_columns.mark)
        )
        return max((row[0] for row in self._connection.execute(query)), default=0)
