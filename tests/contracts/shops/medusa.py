"""A stand-in of Medusa 2's Admin API, held to what its validators take: what they do not know is refused, as there."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from streams.connectors.kinds.medusa import FIELDS
from streams.facts import Connector
from tests.contracts.shops.base import DIGEST, Answer, Headers, Medium, Product, StandIn, iso, parts, path_of
from tests.contracts.shops.vendure import SECRET, standard_headers

KEY = "sk_secret"
QUERY = {"limit", "offset", "order", "fields", "id[]"}
UPDATE = {"images", "thumbnail"}  # of all that AdminUpdateProduct takes, what ours sends
JSON = {"Content-Type": "application/json"}


class MedusaStandIn(StandIn):
    """Images are addresses; a file gets the time before its name, as in Medusa's own storage on disk."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.files: dict[str, bytes] = {}
        self.thumbnails: dict[str, str | None] = {}

    def connector(self) -> Connector:
        return Connector("shop", "medusa", "demo", self.url, ("web",), {}, {"key": KEY, "hook": SECRET})

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        body = json.dumps({"type": "product.updated", "timestamp": iso(at_ms), "data": {"id": product}}).encode()
        return standard_headers(body, at_ms, hook, forged=forged), body

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if headers.get("authorization") != f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}":
            return 401, JSON, b'{"message": "Unauthorized"}'
        where = urlsplit(path)
        match [method, *unquote(where.path).strip("/").split("/")]:
            case ["GET", "admin", "products"]:
                return self._list(parse_qs(where.query))
            case ["POST", "admin", "products", product]:
                return self._update(product, json.loads(body))
            case ["POST", "admin", "uploads"]:
                return self._upload(*parts(headers, body)["files"])
            case ["DELETE", "admin", "uploads", key]:
                self.writes += 1
                self.files.pop(key, None)
                return _json({"id": key, "object": "file", "deleted": True})
        raise AssertionError((method, path))

    def _list(self, query: Mapping[str, list[str]]) -> Answer:
        if unknown := query.keys() - QUERY:
            return _json({"type": "invalid_data", "message": f"Unrecognized fields: '{', '.join(unknown)}'"}, 400)
        assert query["fields"] == [FIELDS]
        found = [each for each in self.products.values() if "id[]" not in query or each.id in query["id[]"]]
        begin, limit = int(query.get("offset", ["0"])[0]), int(query["limit"][0])
        limit = limit if "id[]" in query else min(limit, 2)  # so that there are several pages
        some = [self._as_sent(each) for each in found[begin : begin + limit]]
        return _json({"products": some, "count": len(found), "offset": begin, "limit": limit})

    def _as_sent(self, product: Product) -> dict[str, Any]:
        at = iso(product.updated_ms)
        images = [{"url": self._url(each), "rank": rank, "updated_at": at} for rank, each in enumerate(product.media)]
        first = images[0]["url"] if images else None
        return {
            "id": product.id, "title": product.title, "handle": product.title.lower(), "material": None,
            "thumbnail": self.thumbnails.get(product.id, first), "updated_at": at,
            "images": images[::-1],  # nobody promises an order
            "variants": [{"sku": product.sku, "variant_rank": 0, "updated_at": at}], "categories": [],
        }  # fmt: skip

    def _url(self, medium: Medium) -> str:
        return f"{self.url}/static/{f'{medium.id}-' if DIGEST.search(medium.name) else ''}{medium.name}"

    def _update(self, product_id: str, view: Mapping[str, Any]) -> Answer:
        if unknown := view.keys() - UPDATE:
            return _json({"type": "invalid_data", "message": f"Unrecognized fields: '{', '.join(unknown)}'"}, 400)
        product = self.products[product_id]
        known = {self._url(each): each for each in product.media}
        assert all(each.keys() == {"url"} for each in view["images"])
        product.media = [known.get(each["url"]) or self._medium(each["url"]) for each in view["images"]]
        self.thumbnails[product_id] = view["thumbnail"]
        self.wrote(product_id)
        return _json({"product": self._as_sent(product)})

    def _medium(self, url: str) -> Medium:
        key = path_of(url).rpartition("/")[2]
        medium_id, _, name = key.partition("-")
        return Medium(medium_id, name or key, data=self.files[key])

    def _upload(self, name: str | None, data: bytes) -> Answer:
        key = f"{self.id()}-{name}"
        self.files[key] = data
        return _json({"files": [{"id": key, "url": f"{self.url}/static/{key}"}]})


def _json(document: Any, status: int = 200) -> Answer:
    return status, JSON, json.dumps(document).encode()
