"""Ratings: what people say of pictures that are live, each person's newest word on each picture."""

from sqlalchemy import select

from schemas.records import PictureRated
from streams.facts import case_tables as ct
from streams.facts import tables as t
from streams.facts.repository import Repository, load

_columns = ct.ratings.c


class Ratings(Repository):
    """The ratings as one transaction sees and changes them."""

    def put(self, event: PictureRated) -> None:
        """Notes a person's word on a picture, unless a newer one is known."""
        key = {name: getattr(event, name) for name in ("tenant", "picture", "rated_by", "purpose")}
        known = self._first(select(_columns.version).where(*(_columns[name] == value for name, value in key.items())))
        if known is not None and known.version >= event.version:
            return
        values = {"sku": event.sku, "asset": event.asset, "version": event.version, "record": t.dumped(event)}
        self._upsert(ct.ratings, key, values)

    def of(self, tenant: str) -> list[PictureRated]:
        """All words on a tenant's pictures, the first one first."""
        order = (_columns.updated_at_ms, _columns.picture, _columns.rated_by)
        query = select(_columns.record).where(_columns.tenant == tenant).order_by(*order)
        return [load(row.record, PictureRated) for row in self._connection.execute(query)]

    def on(self, tenant: str, sku: str) -> list[PictureRated]:
        """All words on a product's pictures."""
        where = (_columns.tenant == tenant, _columns.sku == sku)
        query = select(_columns.record).where(*where).order_by(_columns.updated_at_ms, _columns.rated_by)
        return [load(row.record, PictureRated) for row in self._connection.execute(query)]
