"""A stand-in of Akeneo's REST API and of the Event Platform's signature, held to what their reference says."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from streams.facts import Connector
from tests.contracts.shops.base import Answer, Headers, Medium, Product, StandIn, iso, parts

API = "/api/rest/v1"
FAMILY, LINK, MEDIA = "packshots", "link", "media"
PAGE = 2  # so that there are several
SECRET = "the primary secret of the subscription"
JSON = {"Content-Type": "application/json"}
SECRETS = {"client_id": "c", "client_secret": "s", "username": "u", "password": "p", "hook": SECRET}


class AkeneoStandIn(StandIn):
    """Its own pictures are assets with links, ours are assets with files; both stand in one collection of a product."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.assets: dict[str, dict[str, Any]] = {}
        self.files: dict[str, str] = {}

    def connector(self) -> Connector:
        options = {"photographs": FAMILY}
        return Connector("shop", "akeneo", "demo", self.url, ("web",), options, SECRETS)

    def put(self, product: str, title: str, at_ms: int, photographs: tuple[str, ...] = ("front.jpg",)) -> None:
        super().put(product, title, at_ms, photographs)
        for each in self.products[product].media:
            if each.name in photographs:
                each.id = f"own_{hashlib.sha256(f'{product} {each.name}'.encode()).hexdigest()[:12]}"
                link = [{"locale": None, "channel": None, "data": each.name}]
                self.assets[each.id] = {"code": each.id, "values": {LINK: link}}

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        event = {
            "specversion": "1.0", "id": hook, "source": "pim", "type": "com.akeneo.pim.v1.product.updated",
            "subject": "subscription-1", "datacontenttype": "application/json", "time": iso(at_ms),
            "data": {"product": {"uuid": uuid_of(product)}, "author": {"identifier": "julia", "type": "user"}},
        }  # fmt: skip
        body = json.dumps(event).encode()
        secret = "another" if forged else SECRET
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"X-AKENEO-SIGNATURE-PRIMARY": signature, "X-AKENEO-SIGNATURE-ALGORITHM": "HmacSHA256"}, body

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        where = urlsplit(path)
        if where.path == "/api/oauth/v1/token":
            assert headers["authorization"] == "Basic Yzpz"
            assert json.loads(body) == {"grant_type": "password", "username": "u", "password": "p"}
            return _json({"access_token": "t", "expires_in": 3600})
        if headers.get("authorization") != "Bearer t":
            return _json({"code": 401, "message": "Authentication is required"}, 401)
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        match [method, *unquote(where.path).removeprefix(f"{API}/").split("/")]:
            case ["GET", "products-uuid"]:
                return self._list("products-uuid", self._products(query), query)
            case ["PATCH", "products-uuid", product]:
                return self._patch_product(product, json.loads(body))
            case ["GET", "asset-families", family, "attributes"]:
                assert family == FAMILY
                return _json([{"code": LINK, "type": "media_link", "prefix": f"{self.url}/", "suffix": None}])
            case ["GET", "asset-families", family, "assets"]:
                assert family == FAMILY
                (wanted,) = json.loads(query["search"])["code"]
                found = [self.assets[code] for code in wanted["value"] if code in self.assets]
                return self._list(f"asset-families/{FAMILY}/assets", found, query)
            case ["POST", "asset-media-files"]:
                name, _ = parts(headers, body)["file"]
                self.files[f"0/1/{self.id()}_{name}"] = str(name)
                return 201, {"Asset-media-file-code": list(self.files)[-1]}, b""
            case [_, "asset-families", family, "assets", code]:
                assert family == FAMILY
                return self._asset(method, code, body)
        raise AssertionError((method, path))

    def _list(self, path: str, items: list[dict[str, Any]], query: Mapping[str, str]) -> Answer:
        begin = int(query.get("search_after", "0"))
        some = items[begin : begin + PAGE]
        links = {"self": {"href": f"{self.url}{API}/{path}"}}
        if begin + PAGE < len(items):
            following = urlencode({**query, "search_after": begin + PAGE})
            links["next"] = {"href": f"https://another.example{API}/{path}?{following}"}
        count = {"items_count": len(items)} if query.get("with_count") == "true" else {}
        return _json({"_links": links, "_embedded": {"items": some}, **count})

    def _products(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        search = json.loads(query.get("search", "{}"))
        assert search.keys() <= {"uuid", "updated"}
        since = search["updated"][0]["value"] if "updated" in search else ""
        ids = search["uuid"][0]["value"] if "uuid" in search else None
        return [
            self._as_sent(each)
            for each in self.products.values()
            if (ids is None or uuid_of(each.id) in ids) and iso(each.updated_ms)[:19].replace("T", " ") > since
        ]

    def _as_sent(self, product: Product) -> dict[str, Any]:
        pictures: dict[str, Any] = {
            "locale": None, "scope": None, "data": [each.id for each in product.media],
            "attribute_type": "pim_catalog_asset_collection", "reference_data_name": FAMILY,
        }  # fmt: skip
        named = {"sku": product.sku, "name": product.title}
        values = {name: [{"locale": None, "scope": None, "data": data}] for name, data in named.items()}
        values |= {FAMILY: [pictures]} if product.media else {}
        updated = iso(product.updated_ms)[:19] + "+00:00"
        return {"uuid": uuid_of(product.id), "categories": ["mugs"], "values": values, "updated": updated}

    def _patch_product(self, product_uuid: str, values: Mapping[str, Any]) -> Answer:
        product = next(each for each in self.products.values() if uuid_of(each.id) == product_uuid)
        [value] = values["values"].pop(FAMILY)
        assert values == {"values": {}}
        known = {each.id: each for each in product.media}
        if any(code not in self.assets for code in value["data"]):
            return _json({"code": 422, "message": "Validation failed."}, 422)
        product.media = [known.get(code) or self._medium(code) for code in value["data"]]
        self.wrote(product.id)
        return 204, {}, b""

    def _medium(self, code: str) -> Medium:
        values = self.assets[code]["values"]
        return Medium(code, self.files[values[MEDIA][0]["data"]], values["label"][0]["data"])

    def _asset(self, method: str, code: str, body: bytes) -> Answer:
        known = self.assets.get(code)
        if method == "PATCH":
            view = json.loads(body)
            assert view["code"] == code
            assert code.replace("_", "").isalnum()
            self.writes += 1
            values = (known or {"values": {}})["values"] | view["values"]
            self.assets[code] = {"code": code, "values": values}
            return (201 if known is None else 204), {}, b""
        if known is None:
            return _json({"code": 404, "message": "Not found"}, 404)
        if method == "DELETE":
            del self.assets[code]
            return 204, {}, b""
        return _json(known)


def uuid_of(product: str) -> str:
    """A product's UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, product))


def _json(document: Any, status: int = 200) -> Answer:
    return status, JSON, json.dumps(document).encode()
