"""Shelves: how a tenant's live pictures look together, as they were last looked at."""

from sqlalchemy import select

from schemas.records import ShelfMeasured
from streams.facts import shelf_tables as st
from streams.facts import tables as t
from streams.facts.repository import Repository, load

_columns = st.shelves.c


class Shelves(Repository):
    """The shelves as one transaction sees and changes them."""

    def put(self, event: ShelfMeasured) -> bool:
        """Notes how a shelf looks; False where a newer look at it is known."""
        known = self.get(event.tenant, event.shelf)
        if known is not None and known.version > event.version:
            return False
        key = {"tenant": event.tenant, "shelf": event.shelf}
        self._upsert(st.shelves, key, {"version": event.version, "record": t.dumped(event)})
        return True

    def get(self, tenant: str, shelf: str) -> ShelfMeasured | None:
        """How a shelf looks; None where nobody has looked."""
        row = self._first(select(_columns.record).where(_columns.tenant == tenant, _columns.shelf == shelf))
        return None if row is None else load(row.record, ShelfMeasured)

    def of(self, tenant: str) -> list[ShelfMeasured]:
        """A tenant's shelves, by name."""
        query = select(_columns.record).where(_columns.tenant == tenant).order_by(_columns.shelf)
        return [load(row.record, ShelfMeasured) for row in self._connection.execute(query)]
