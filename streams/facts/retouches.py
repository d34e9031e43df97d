"""Retouches: how a person has photographs of a product cut out otherwise."""

from sqlalchemy import select

from schemas.identity import source_id
from schemas.records import CutoutRetouched, Source
from streams.facts import case_tables as ct
from streams.facts import tables as t
from streams.facts.repository import Repository, load

_columns = ct.retouches.c


class Retouches(Repository):
    """The newest word on each photograph's cutout, as one transaction sees and changes them."""

    def put(self, event: CutoutRetouched) -> None:
        """Notes the newest word on a photograph's cutout."""
        key = {"tenant": event.tenant, "sku": event.sku, "source": source_id(event.source)}
        self._upsert(ct.retouches, key, {"version": event.version, "record": t.dumped(event)})

    def of(self, tenant: str, sku: str) -> dict[str, CutoutRetouched]:
        """The newest words on the cutouts of a product's photographs, by the ids of those."""
        query = select(_columns.source, _columns.record).where(_columns.tenant == tenant, _columns.sku == sku)
        return {row.source: load(row.record, CutoutRetouched) for row in self._connection.execute(query)}

    def get(self, tenant: str, sku: str, source: Source) -> CutoutRetouched | None:
        """The newest word on a photograph's cutout, or None."""
        where = (_columns.tenant == tenant, _columns.sku == sku, _columns.source == source_id(source))
        row = self._first(select(_columns.record).where(*where))
        return None if row is None else load(row.record, CutoutRetouched)
