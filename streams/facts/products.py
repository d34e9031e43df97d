"""Products: the newest known version of each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from schemas.records import CatalogChanged
from streams.facts import tables as t
from streams.facts.repository import Repository, load, page

_AT_ONCE_MAX = 500  # values that one statement names
# What every catalogue event asks is made once: to make a statement costs far more than to run it.
_PRODUCT = select(t.products).where(t.products.c.tenant == bindparam("tenant"), t.products.c.sku == bindparam("sku"))
_LOCKED_PRODUCT = _PRODUCT.with_for_update()


@dataclass(frozen=True)
class Product:
    """The newest known version of a product; `event` is the change that made it so."""

    version: int
    deleted: bool
    event: CatalogChanged


class Products(Repository):
    """The products as one transaction sees and changes them."""

    def get(self, tenant: str, sku: str, *, lock: bool = False) -> Product | None:
        """The product, or None. `lock` holds off every other transaction that locks it."""
        row = self._execute(_LOCKED_PRODUCT if lock else _PRODUCT, tenant=tenant, sku=sku).first()
        return None if row is None else _product(row)

    def every(self) -> dict[tuple[str, str], tuple[int, bool]]:
        """For tenant and SKU of each product its newest version, and whether it is deleted."""
        columns = t.products.c
        rows = self._connection.execute(select(columns.tenant, columns.sku, columns.version, columns.deleted))
        return {(row.tenant, row.sku): (row.version, row.deleted) for row in rows}

    def page(self, tenant: str, after: Sequence[str], most: int) -> list[Product]:
        """A tenant's products that are not deleted, by SKU, behind the SKU in `after`."""
        query = page(t.products, tenant, (t.products.c.sku,), after, most).where(t.products.c.deleted.is_(False))
        return [_product(row) for row in self._connection.execute(query)]

    def put(self, event: CatalogChanged) -> None:
        """Makes `event` the product's newest version."""
        self._upsert(
            t.products,
            {"tenant": event.tenant, "sku": event.sku},
            {"version": event.version, "deleted": event.change == "delete", "record": t.dumped(event)},
        )

    def unknown(self, tenant: str, skus: Collection[str]) -> list[str]:
        """Those of `skus` that are no product of the tenant, or of one that is deleted; in order."""
        known = {row.sku for row in self._named(tenant, skus) if not row.deleted}
        return [sku for sku in sorted(set(skus)) if sku not in known]

    def versions(self, tenant: str, skus: Collection[str]) -> dict[str, int]:
        """The newest version of each of `skus` that was a product of the tenant once, be it deleted."""
        return {row.sku: row.version for row in self._named(tenant, skus)}

    def _named(self, tenant: str, skus: Collection[str]) -> Iterator[Any]:
        columns, named = t.products.c, sorted(set(skus))
        query = select(columns.sku, columns.version, columns.deleted).where(columns.tenant == tenant)
        for first in range(0, len(named), _AT_ONCE_MAX):
            yield from self._connection.execute(query.where(columns.sku.in_(named[first : first + _AT_ONCE_MAX])))


def _product(row: Any) -> Product:
    return Product(row.version, row.deleted, load(row.record, CatalogChanged))
