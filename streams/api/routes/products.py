"""Products: put, read, delete; many at once; and off the shop."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import FromPath, HeaderParameter, JSONBody
from msgspec import Meta, field

from schemas.decoding import prepare
from schemas.records import AssetName, Label, Lane, Milliseconds, Name, RetractionDecided, Source, Text, Version
from streams.api.callers import Asking, Caller
from streams.api.paging import Cursor, Limit, behind, following
from streams.api.problems import Problem
from streams.facts import Product
from streams.services.operating import decisions
from streams.services.reports.views import ProductView, product_view
from streams.services.submitting.catalogue import subject_of
from streams.services.submitting.submission import Submitted

READ, WRITE = {"scope": "read"}, {"scope": "write"}
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The version that it has now: nothing is done on another.",
        schema_extra={"pattern": '^("?[0-9]{1,19}"?|[*])$'},
    ),
]


class ProductBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product as it is now. Without `version` it gets one: behind `If-Match` the next, else the clock's in ms."""

    version: Version | None = None
    title: Text = ""
    category: Text = ""
    colour: Text | None = None
    sources: Annotated[list[Source], Meta(min_length=1, max_length=32)]
    channels: Annotated[list[Name], Meta(min_length=1, max_length=32)]
    attributes: Annotated[dict[Annotated[Label, Meta(min_length=1)], Text], Meta(max_length=1000)] = field(
        default_factory=dict
    )
    recipe: Name = "marketplace"
    priority: Lane = "standard"
    occurred_at_ms: Milliseconds | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The broker has it. `event_id` finds its dead letter, if any; `test`: it was checked, and not sent."""

    event_id: str
    subject: str
    version: int
    test: bool


class ProductPage(msgspec.Struct, frozen=True, kw_only=True):
    """Products by SKU; `next` is the cursor of the next page."""

    items: Sequence[ProductView]
    next: str | None


class RetractionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which assets go off the shop, all when none is named, and why."""

    reason: Annotated[Text, Meta(min_length=1)]
    assets: Annotated[list[AssetName], Meta(max_length=1000)] = field(default_factory=list)


@get("/v1/products", opt=READ, sync_to_thread=True)
def list_products(caller: Asking, limit: Limit = 100, cursor: Cursor = None) -> ProductPage:
    """The tenant's products, by SKU."""
    after = behind(cursor, {})
    with caller.read() as facts:
        rows = facts.products.page(caller.tenant, after, limit)
    items = [product_view(each) for each in rows]
    return ProductPage(items=items, next=following(items, limit, {}, lambda each: (each.sku,)))


@put("/v1/products/{sku:str}", opt=WRITE, status_code=202, sync_to_thread=True)
def put_product(
    caller: Asking, sku: FromPath[str], data: JSONBody[ProductBody], if_match: IfMatch = None
) -> Response[Accepted]:
    """Say how a product is now; its pictures are made, judged and published. The same again does nothing anew."""
    change = {name: value for name, value in msgspec.to_builtins(data).items() if value is not None}
    return accepted(caller, caller.catalogue.change(caller.tenant, sku, change, _version(if_match)), _assets_of(sku))


@get("/v1/products/{sku:str}", opt=READ, sync_to_thread=True)
def get_product(caller: Asking, sku: FromPath[str]) -> Response[ProductView]:
    """A product in its newest known version, which is its ETag."""
    product = known(caller, sku)
    return Response(product_view(product), headers={"ETag": f'"{product.version}"'})


@delete("/v1/products/{sku:str}", opt=WRITE, status_code=202, sync_to_thread=True)
def delete_product(caller: Asking, sku: FromPath[str], if_match: IfMatch = None) -> Response[Accepted]:
    """Take a product away, and all of it that is live."""
    return accepted(caller, caller.catalogue.delete(caller.tenant, sku, _version(if_match)), _assets_of(sku))


@post("/v1/products/{sku:str}/retraction", opt=WRITE, status_code=202, sync_to_thread=True)
def retract_product(caller: Asking, sku: FromPath[str], data: JSONBody[RetractionBody]) -> RetractionDecided:
    """Take assets off the shop at once; they stay away until a newer version."""
    place = caller.gateway.database, caller.sender, caller.tenant, sku
    return decisions.retract(*place, data.assets, data.reason, caller.name)


def known(caller: Caller, sku: str) -> Product:
    """A product of the caller's. Raises Problem."""
    with caller.read() as facts:
        product = facts.products.get(caller.tenant, sku)
    if product is None:
        raise Problem("unknown_product", f"no product has the SKU {sku!r}", field="sku")
    return product


def accepted(caller: Caller, sent: Submitted, place: str) -> Response[Accepted]:
    """The answer to what was sent, with where to look for what becomes of it."""
    named, version = subject_of(sent.event)
    body = Accepted(event_id=sent.event_id, subject=named, version=version, test=caller.key.mode == "test")
    location = f"{caller.settings.gateway}/v1/{place.format(quote(named, safe=''))}"
    return Response(body, headers={"Location": location})


def _assets_of(sku: str) -> str:
    """Where a product's assets are told; dots alone are no part of a path, whoever reads it takes them away."""
    return "assets?sku={}" if sku in (".", "..") else "products/{}/assets"


def _version(if_match: str | None) -> int | None:
    """The version that an If-Match names; `*` and none at all name none. Raises Problem."""
    if if_match in (None, "*"):
        return None
    text = str(if_match).strip().strip('"')
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise Problem("malformed_request", 'If-Match is a version in quotes, as "17"', field="If-Match")
    return int(text)


prepare(ProductBody, Accepted, ProductPage, RetractionBody)

ROUTES: tuple[Any, ...] = (list_products, put_product, get_product, delete_product, retract_product)
