"""What accepted images cost, and what was wasted or saved: the same for routes and for `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from schemas.decoding import prepare
from streams.facts import Database, Grouping, Spending
from streams.services.reports.views import View


class CostGroup(View, frozen=True, kw_only=True):
    """What a group of work cost; prices in billionths of `currency`, by what became of it."""

    group: Mapping[str, str]
    images: int
    engine_ms: float
    cpu_ms: float
    size_bytes: int
    price_nanos: Mapping[str, int]
    saved_engine_ms: float
    saved_price_nanos: int
    total_nanos: int
    wasted_nanos: int
    per_image_nanos: float | None


class CostsView(View, frozen=True, kw_only=True):
    """What work cost by groups, and in all: None where no work has ended yet."""

    currency: str
    groups: Sequence[CostGroup]
    total: CostGroup | None


def costs_of(database: Database, by: Sequence[Grouping], tenant: str | None, since_ms: int, currency: str) -> CostsView:
    """What work cost that ended at a time (Unix, ms) or later; of all tenants where none is named."""
    with database.read() as facts:
        groups = facts.costs.spendings(by, tenant=tenant, since_ms=since_ms) if by else []
        total = facts.costs.spendings(tenant=tenant, since_ms=since_ms)
    return CostsView(
        currency=currency, groups=[cost_group(each) for each in groups], total=cost_group(total[0]) if total else None
    )


def cost_group(spending: Spending) -> CostGroup:
    """A group of work as it is told."""
    sums = ("total_nanos", "wasted_nanos", "per_image_nanos")
    return CostGroup(**asdict(spending), **{name: getattr(spending, name) for name in sums})


prepare(CostGroup, CostsView)
