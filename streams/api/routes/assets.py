"""Assets: where each stands, why, and what is live; how good they come out, and what it all cost."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter

from schemas.decoding import prepare
from schemas.records import Milliseconds
from streams.api.callers import Asking, Caller
from streams.api.paging import Cursor, Limit, behind, following, given
from streams.api.routes.products import known
from streams.facts import Asset, AssetState, Facts, Grouping
from streams.facts.states import SETTLED
from streams.services.reports.costs import CostGroup, cost_group
from streams.services.reports.quality import QualityView, quality_of
from streams.services.reports.views import AssetView, asset_view

READ = {"scope": "read"}


class ProductAssets(msgspec.Struct, frozen=True, kw_only=True):
    """All assets of a product, in its newest known version; `settled` when none of them is on its way any more."""

    tenant: str
    sku: str
    version: int
    settled: bool
    assets: Sequence[AssetView]


class AssetPage(msgspec.Struct, frozen=True, kw_only=True):
    """Assets by SKU and name; `next` is the cursor of the next page."""

    items: Sequence[AssetView]
    next: str | None


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What the tenant's work cost, by group."""

    currency: str
    groups: Sequence[CostGroup]


@get("/v1/products/{sku:str}/assets", opt=READ, sync_to_thread=True)
def get_product_assets(caller: Asking, sku: FromPath[str]) -> ProductAssets:
    """Where each asset of a product stands: state, why, URLs, srcset, verdict, cost, disclosure."""
    product = known(caller, sku)
    with caller.read() as facts:
        assets = facts.assets.of(caller.tenant, sku)
        views = _views(caller, assets, facts)
    settled = is_settled(assets)
    return ProductAssets(tenant=caller.tenant, sku=sku, version=product.version, settled=settled, assets=views)


@get("/v1/assets", opt=READ, sync_to_thread=True)
def list_assets(
    caller: Asking,
    where: Annotated[AssetState | None, QueryParameter(name="state", description="Those in this state.")] = None,
    channel: FromQuery[str | None] = None,
    campaign: FromQuery[str | None] = None,
    sku: FromQuery[str | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AssetPage:
    """The tenant's assets by SKU and name, those that fit every filter."""
    wanted = given(state=where, channel=channel, campaign=campaign, sku=sku)
    after = behind(cursor, wanted)
    with caller.read() as facts:
        rows = facts.assets.page(caller.tenant, after, limit, wanted)
        views = _views(caller, rows, facts)
    return AssetPage(items=views, next=following(rows, limit, wanted, lambda row: (row.sku, row.asset)))


@get("/v1/costs", opt=READ, sync_to_thread=True)
def get_costs(
    caller: Asking,
    by: Annotated[Grouping | None, QueryParameter(description="What to tell apart; unset, all in one.")] = None,
    since_ms: FromQuery[Milliseconds] = 0,
) -> Costs:
    """What the tenant's accepted images cost, and what was wasted or saved."""
    with caller.read() as facts:
        found = facts.costs.spendings([by] if by else [], tenant=caller.tenant, since_ms=since_ms)
    return Costs(currency=caller.settings.price_currency, groups=[cost_group(each) for each in found])


@get("/v1/quality", opt=READ, sync_to_thread=True)
def get_quality(caller: Asking) -> QualityView:
    """How the tenant's pictures come out: assets by state, and the newest verdicts by channel and by check."""
    with caller.read() as facts:
        return quality_of(caller.tenant, facts)


def is_settled(assets: Sequence[Asset]) -> bool:
    """Whether nothing is on its way: each is published, failed, rejected, or waits for a person."""
    return bool(assets) and all(each.state in SETTLED for each in assets)


def _views(caller: Caller, assets: Sequence[Asset], facts: Facts) -> list[AssetView]:
    spent = facts.costs.of_assets(caller.tenant, sorted({each.sku for each in assets}))
    return [asset_view(each, spent.get((each.sku, each.asset, each.version), 0)) for each in assets]


prepare(ProductAssets, AssetPage, Costs)

ROUTES: tuple[Any, ...] = (get_product_assets, list_assets, get_quality, get_costs)
