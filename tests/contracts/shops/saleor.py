"""A stand-in of Saleor's GraphQL API, held to the types that this needs of its schema (3.20)."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from streams.facts import Connector
from tests.contracts.shops.base import Answer, GraphQL, Headers, Medium, Product, StandIn, iso

SCHEMA = """
scalar DateTime
scalar Upload
enum ProductMediaType { IMAGE VIDEO }
enum ThumbnailFormatEnum { ORIGINAL AVIF WEBP }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type Category { id: ID! name: String! }
type ProductVariant { id: ID! sku: String }
type ProductVariantCountableEdge { node: ProductVariant! cursor: String! }
type ProductVariantCountableConnection { edges: [ProductVariantCountableEdge!]! totalCount: Int }
type ProductMedia {
  id: ID! alt: String! type: ProductMediaType! sortOrder: Int url(size: Int, format: ThumbnailFormatEnum): String!
}
type Product {
  id: ID! name: String! slug: String! updatedAt: DateTime! category: Category media: [ProductMedia!]
  productVariants(first: Int, after: String): ProductVariantCountableConnection
}
type ProductCountableEdge { node: Product! cursor: String! }
type ProductCountableConnection { edges: [ProductCountableEdge!]! pageInfo: PageInfo! totalCount: Int }
input DateTimeRangeInput { gte: DateTime lte: DateTime }
input ProductWhereInput { ids: [ID!] updatedAt: DateTimeRangeInput }
type Shop { name: String! }
type ProductError { field: String message: String }
input ProductMediaCreateInput { alt: String image: Upload product: ID! mediaUrl: String }
input ProductMediaUpdateInput { alt: String }
type ProductMediaCreate { product: Product media: ProductMedia errors: [ProductError!]! }
type ProductMediaUpdate { product: Product media: ProductMedia errors: [ProductError!]! }
type ProductMediaDelete { product: Product media: ProductMedia errors: [ProductError!]! }
type ProductMediaReorder { product: Product media: [ProductMedia!] errors: [ProductError!]! }
type Query {
  shop: Shop!
  products(first: Int, after: String, where: ProductWhereInput, channel: String): ProductCountableConnection
}
type Mutation {
  productMediaCreate(input: ProductMediaCreateInput!): ProductMediaCreate
  productMediaUpdate(id: ID!, input: ProductMediaUpdateInput!): ProductMediaUpdate
  productMediaDelete(id: ID!): ProductMediaDelete
  productMediaReorder(mediaIds: [ID!]!, productId: ID!): ProductMediaReorder
}
"""


@cache
def private_key(_name: str) -> RSAPrivateKey:
    """A key that a shop signs with."""
    return generate_private_key(65537, 2048)


class SaleorStandIn(StandIn):
    """Media belong to their product; a file that is uploaded gets more behind its name."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        names = ("Create", "Update", "Delete", "Reorder")
        mutations: dict[str, Any] = {f"productMedia{name}": getattr(self, f"_{name.lower()}") for name in names}
        self.api = GraphQL(SCHEMA, {"shop": {"name": "Stand-in"}, "products": self._products, **mutations})

    def connector(self) -> Connector:
        options = {"keys": self._jwks()}
        return Connector("shop", "saleor", "demo", f"{self.url}/graphql", ("web",), options, {"token": "t"})

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        body = json.dumps({"issuedAt": iso(at_ms), "product": {"id": product}, "recipient": {"id": hook}}).encode()
        header = _encoded(json.dumps({"alg": "RS256", "kid": "1", "b64": False, "crit": ["b64"]}).encode())
        key = private_key("another" if forged else "shop")
        signature = key.sign(f"{header}.".encode() + body, PKCS1v15(), SHA256())
        return {"Saleor-Signature": f"{header}..{_encoded(signature)}", "Saleor-Event": "product_updated"}, body

    def answer(self, _method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path == "/.well-known/jwks.json":
            return 200, {}, self._jwks().encode()
        assert path == "/graphql"
        if headers.get("authorization") != "Bearer t":
            return 200, {}, b'{"errors": [{"message": "To access this path, you need MANAGE_PRODUCTS"}]}'
        return 200, {"Content-Type": "application/json"}, self.api.answer(headers, body)

    def _jwks(self) -> str:
        numbers = private_key("shop").public_key().public_numbers()
        n, e = (_encoded(each.to_bytes((each.bit_length() + 7) // 8)) for each in (numbers.n, numbers.e))
        return json.dumps({"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": n, "e": e}]})

    def _products(self, _info: Any, first: int, after: str | None = None, where: Any = None) -> dict[str, Any]:
        ids, since = (where or {}).get("ids"), ((where or {}).get("updatedAt") or {}).get("gte", "")
        found = [
            each
            for each in self.products.values()
            if (ids is None or each.id in ids) and iso(each.updated_ms)[:19] >= since[:19]
        ]
        begin = int(after or 0)
        edges = [{"node": self._as_sent(each), "cursor": ""} for each in found[begin : begin + first]]
        page = {"hasNextPage": begin + first < len(found), "endCursor": str(begin + first)}
        return {"edges": edges, "pageInfo": page, "totalCount": len(found)}

    def _as_sent(self, product: Product) -> dict[str, Any]:
        variant = {"node": {"id": "v", "sku": product.sku}, "cursor": ""}
        return {
            "id": product.id, "name": product.title, "slug": product.title.lower(), "category": None,
            "updatedAt": iso(product.updated_ms), "productVariants": {"edges": [variant]},
            "media": [self._medium(each) for each in product.media],
        }  # fmt: skip

    def _medium(self, medium: Medium) -> dict[str, Any]:
        url = f"{self.url}/media/products/{medium.name}"
        return {"id": medium.id, "alt": medium.alt, "type": "IMAGE", "url": url}

    def _create(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:
        stem, _, ending = input["image"][0].rpartition(".")
        made = Medium(self.id(), f"{stem}_5b2f0c1d.{ending}", input["alt"], input["image"][1])
        self.products[input["product"]].media.append(made)
        self.wrote(input["product"])
        return {"media": self._medium(made), "errors": []}

    def _update(self, _info: Any, id: str, input: dict[str, Any]) -> dict[str, Any]:
        product, medium = self._holder(id)
        medium.alt = input["alt"]
        self.wrote(product.id)
        return {"errors": []}

    def _delete(self, _info: Any, id: str) -> dict[str, Any]:
        product, medium = self._holder(id)
        product.media.remove(medium)
        self.wrote(product.id)
        return {"errors": []}

    def _reorder(self, _info: Any, mediaIds: list[str], productId: str) -> dict[str, Any]:  # noqa: N803
        product = self.products[productId]
        known = {each.id: each for each in product.media}
        if sorted(known) != sorted(mediaIds):
            return {"errors": [{"field": "moves", "message": "Incorrect number of media IDs provided."}]}
        product.media = [known[each] for each in mediaIds]
        self.wrote(product.id)
        return {"errors": []}

    def _holder(self, medium_id: str) -> tuple[Product, Medium]:
        return next((p, m) for p in self.products.values() for m in p.media if m.id == medium_id)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
