"""A real Vendure, as the people in the shop see it: they work by its Admin API, too."""

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from infra.servers.vendure import VendureShop
from streams.connectors.http import Client, Upload
from streams.facts import Connector
from tests.contracts.shops.base import DIGEST, Headers, Medium, Product
from tests.contracts.shops.vendure import SECRET, VendureStandIn

LOGIN = 'mutation { login(username: "superadmin", password: "superadmin") { __typename } }'
CREATE = "mutation ($input: CreateProductInput!) { createProduct(input: $input) { id } }"
VARIANT = "mutation ($input: [CreateProductVariantInput!]!) { createProductVariants(input: $input) { id } }"
UPDATE = "mutation ($input: UpdateProductInput!) { updateProduct(input: $input) { id } }"
ASSET = "mutation ($input: [CreateAssetInput!]!) { createAssets(input: $input) { ... on Asset { id } } }"
DELETE = "mutation ($id: ID!) { deleteProduct(id: $id) { result } }"
PLACE = "{ zones { totalItems } activeChannel { id } }"
ZONE = """mutation { createZone(input: {name: "World"}) { id }
  createTaxCategory(input: {name: "All", isDefault: true}) { id } }"""
CHANNEL = """mutation ($input: UpdateChannelInput!) { updateChannel(input: $input) {
  __typename ... on ErrorResult { message } } }"""
EVERY = "{ products { items { id } } }"
ONE = "query ($id: ID!) { product(id: $id) { updatedAt assets { id name source } featuredAsset { id } } }"
ASSETS = "{ assets(options: {take: 1000}) { items { name } } }"


class RealVendure(VendureStandIn):
    """A shop that is emptied first."""

    def __init__(self, folder: Path, shop: VendureShop) -> None:
        super().__init__(folder)
        self.shop = shop
        self._client = Client(("127.0.0.0/8",))
        answer = self._client.request("POST", shop.admin_api, body={"query": LOGIN})
        self._headers = {"Authorization": f"Bearer {answer.headers['vendure-auth-token']}"}
        self._ids_of: dict[str, str] = {}
        self.pictures: dict[str, bytes] = {}
        place = self.ask(PLACE)
        if not place["zones"]["totalItems"]:  # without one, nothing can be sold
            zone = self.ask(ZONE)["createZone"]["id"]
            zones = {"defaultTaxZoneId": zone, "defaultShippingZoneId": zone}
            self.ask(CHANNEL, {"input": {"id": place["activeChannel"]["id"], **zones}})
        for each in self.ask(EVERY)["products"]["items"]:
            self.ask(DELETE, {"id": each["id"]})

    def connector(self) -> Connector:
        secrets = {"username": self.shop.username, "password": self.shop.password, "hook": SECRET}
        return Connector("shop", "vendure", "demo", self.shop.admin_api, ("web",), {}, secrets)

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """What a person in the shop asks."""
        return self._client.graphql(self.shop.admin_api, query, variables or {}, self._headers)

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        return super().hook(self._ids_of.get(product, product), at_ms, hook, forged=forged)

    def put(self, product: str, title: str, at_ms: int, photographs: tuple[str, ...] = ("front.jpg",)) -> None:
        self.products[product] = Product(product, f"SKU-{product}", title, at_ms)
        translations = [{"languageCode": "en", "name": title, "slug": f"product-{product}", "description": ""}]
        if product not in self._ids_of:
            made = self.ask(CREATE, {"input": {"translations": translations}})["createProduct"]["id"]
            variant = {
                "productId": made,
                "sku": f"SKU-{product}",
                "translations": [{"languageCode": "en", "name": title}],
            }
            self.ask(VARIANT, {"input": [variant]})
            self._ids_of[product] = made
            assets = [self.photograph(each) for each in photographs]
            more = {"assetIds": assets, "featuredAssetId": assets[0]}
        else:
            more = {}
        self.ask(UPDATE, {"input": {"id": self._ids_of[product], "translations": translations, **more}})

    def photograph(self, name: str) -> str:
        """A photograph of the shop's own; the id of its asset."""
        kind = "image/png" if name.endswith("png") else "image/jpeg"
        file = {"input.0.file": Upload(name, self.pictures.get(name) or _picture(), kind)}
        where = (self.shop.admin_api, ASSET, {"input": [{"file": None}]}, file)
        made = self._client.graphql_upload(*where, {**self._headers, "Apollo-Require-Preflight": "true"})
        return str(made["createAssets"][0]["id"])

    def photograph_again(self, product: str, name: str) -> None:
        """Puts another photograph in the place of the shop's own."""
        mine = [each.id for each in self._media(product) if DIGEST.search(each.name)]
        assets = [*mine, self.photograph(name)]
        fields = {"id": self._ids_of[product], "assetIds": assets, "featuredAssetId": assets[0]}
        self.ask(UPDATE, {"input": fields})

    def remove(self, product: str) -> None:
        self.ask(DELETE, {"id": self._ids_of.pop(product)})

    @property
    def writes(self) -> int:
        """What of a write can be seen from outside: the products as they are, with all their times."""
        found = [self.ask(ONE, {"id": each}) for each in sorted(self._ids_of.values())]
        return hash(json.dumps([found, sorted(self.asset_names())]))

    @writes.setter
    def writes(self, _count: int) -> None:
        pass

    def asset_names(self) -> list[str]:
        """All assets of the shop that are ours."""
        names = [each["name"] for each in self.ask(ASSETS)["assets"]["items"]]
        return [each for each in names if DIGEST.search(each)]

    def _media(self, product: str) -> list[Medium]:
        if product not in self._ids_of:
            return []
        found = self.ask(ONE, {"id": self._ids_of[product]})["product"]
        assert (found["featuredAsset"] or {}).get("id") in (
            None,
            *(each["id"] for each in found["assets"][:1]),
        )
        return [Medium(each["id"], each["name"]) for each in found["assets"]]


def _picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (60, 80), (200, 40, 40)).save(made, "JPEG")
    return made.getvalue()
