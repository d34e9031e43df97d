"""What can be asked of the API: each is a value, which Client and AsyncClient send the same way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from streams.client.problems import Unreadable
from streams.client.records import (
    Accepted,
    Asset,
    Campaign,
    CampaignRequest,
    KnownProduct,
    Letter,
    LineAnswer,
    Page,
    Product,
    ProductAssets,
    Review,
)

T = TypeVar("T")
LINES_AT_ONCE = 500  # of a batch, each request of which is tried again by itself


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request: its path below /v1, its body, and what reads the answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def result(self, body: bytes) -> T:
        """What the answer says. Raises Unreadable."""
        try:
            return self.read(body)
        except msgspec.DecodeError as error:
            raise Unreadable(f"{self.method} {self.path} answers otherwise than it should: {error}") from error


def behind(call: Call[T], cursor: str) -> Call[T]:
    """The same for the page behind."""
    return replace(call, params={**call.params, "cursor": cursor})


def put_product(sku: str, product: Product, if_match: int | None = None) -> Call[Accepted]:
    """Say how a product is now; with `if_match` only where that is its newest version."""
    return _call("PUT", _path("products", sku), Accepted, product, headers=_if_match(if_match))


def delete_product(sku: str, if_match: int | None = None) -> Call[Accepted]:
    """Take a product away, and all of it that is live."""
    return _call("DELETE", _path("products", sku), Accepted, headers=_if_match(if_match))


def get_product(sku: str) -> Call[KnownProduct]:
    """A product in its newest known version."""
    return _call("GET", _path("products", sku), KnownProduct)


def list_products(limit: int = 100) -> Call[Page[KnownProduct]]:
    """The products, by SKU."""
    return _call("GET", "products", Page[KnownProduct], params={"limit": limit})


def get_assets(sku: str) -> Call[ProductAssets]:
    """Where each asset of a product stands."""
    return _call("GET", _path("products", sku, "assets"), ProductAssets)


def list_assets(limit: int = 100, **filters: str | None) -> Call[Page[Asset]]:
    """The assets that fit every filter: state, channel, campaign, sku."""
    return _call("GET", "assets", Page[Asset], params={"limit": limit, **filters})


def retract(sku: str, reason: str, assets: Sequence[str] = ()) -> Call[Any]:
    """Take assets off the shop at once, all when none is named."""
    return _call("POST", _path("products", sku, "retraction"), Any, {"reason": reason, "assets": list(assets)})


def put_campaign(campaign: str, request: CampaignRequest) -> Call[Accepted]:
    """Ask for a campaign's pictures."""
    return _call("PUT", _path("campaigns", campaign), Accepted, request)


def get_campaign(campaign: str) -> Call[Campaign]:
    """How a campaign stands."""
    return _call("GET", _path("campaigns", campaign), Campaign)


def cancel_campaign(campaign: str, reason: str = "") -> Call[Accepted]:
    """Take a campaign back."""
    return _call("DELETE", _path("campaigns", campaign), Accepted, params={"reason": reason or None})


def list_reviews(state: str = "pending", sku: str | None = None, limit: int = 100) -> Call[Page[Review]]:
    """What waits for a person, or has waited."""
    return _call("GET", "reviews", Page[Review], params={"limit": limit, "state": state, "sku": sku})


def decide(review_id: str, approved: bool, reason: str = "") -> Call[Any]:
    """Decide on a review that waits."""
    return _call("POST", _path("reviews", review_id, "decision"), Any, {"approved": approved, "reason": reason})


def list_letters(**filters: str | int | None) -> Call[Page[Letter]]:
    """The dead letters that fit every filter: sku, code, event_id, since_ms."""
    return _call("GET", "dead-letters", Page[Letter], params=filters)


def post_batch(events: Iterable[Mapping[str, Any]]) -> Call[list[LineAnswer]]:
    """Many events at once, each a JSON object as a file of events has them; an answer for each, in their order."""
    lines = b"\n".join(msgspec.json.encode(each) for each in events)
    headers = {"Content-Type": "application/x-ndjson"}
    return Call("POST", "products:batch", _read_lines, headers=headers, body=lines)


def _read_lines(body: bytes) -> list[LineAnswer]:
    return [msgspec.json.decode(line, type=LineAnswer) for line in body.splitlines() if line]


def _call(
    method: str,
    path: str,
    answer: Any,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int | None] | None = None,
) -> Call[Any]:
    query = {name: str(value) for name, value in (params or {}).items() if value is not None}
    data = b"" if body is None else msgspec.json.encode(body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    decoder = msgspec.json.Decoder(answer)
    return Call(method, path, decoder.decode, query, {**kind, **(headers or {})}, data)


def _path(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
