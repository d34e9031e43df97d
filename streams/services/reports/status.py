"""Where the assets of a product stand: what is known of it, read at one moment. Needs the facts and nothing else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from streams.facts import Asset, Database, Product, TaskFact
from streams.flow.processors.policing import of_product
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


@dataclass(frozen=True)
class ProductStatus:
    """A product, its assets, and the tasks of its newest version; `rewritten` is how the content policy would have
    those of its texts read that it rewrites, by their fields."""

    tenant: str
    sku: str
    product: Product
    assets: list[Asset]
    tasks: list[TaskFact]
    spent: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    rewritten: Mapping[str, str] = field(default_factory=dict)

    def spent_nanos(self, asset: Asset) -> int:
        """What an asset's work cost so far, in billionths of the operator's currency."""
        return self.spent.get((asset.sku, asset.asset, asset.version), 0)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The facts. Raises DatabaseUnavailable."""
    database = Database(settings.database)
    database.create_tables()
    try:
        yield database
    finally:
        database.close()


def tenants_of(database: Database, sku: str, tenant: str | None) -> list[str]:
    """The tenants that have a product with this SKU. Raises Refused when none has."""
    found = [its for its, their_sku in database.products() if their_sku == sku and tenant in (None, its)]
    if not found:
        raise Refused("unknown_sku", f"no product has the SKU {sku!r}", field="sku")
    return found


def status_of(database: Database, tenant: str, sku: str) -> ProductStatus:
    """How a product stands that is known."""
    with database.read() as facts:
        product = facts.products.get(tenant, sku)
        assert product is not None
        assets, tasks = facts.assets.of(tenant, sku), facts.tasks.of(tenant, sku, product.version)
        spent = facts.costs.of_assets(tenant, [sku])
        judged = of_product(product.event, facts.recipes.cookbook().policy)
        rewritten = {name: each.text for name, each in judged if each.outcome == "rewrite"}
        return ProductStatus(tenant, sku, product, assets, tasks, spent, rewritten)
