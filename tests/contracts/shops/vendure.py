"""A stand-in of Vendure 3's Admin API; what it is asked is held to the types that this needs of the schema."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from streams.facts import Connector
from tests.contracts.shops.base import Answer, GraphQL, Headers, Medium, Product, StandIn, iso

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwQQQQQQQQ=="
SCHEMA = """
scalar DateTime
scalar Upload
enum SortOrder { ASC DESC }
input IDOperators { eq: String notEq: String in: [String!] notIn: [String!] isNull: Boolean }
input StringOperators { eq: String notEq: String contains: String in: [String!] }
input ProductFilterParameter { id: IDOperators name: StringOperators slug: StringOperators }
input ProductSortParameter { id: SortOrder createdAt: SortOrder updatedAt: SortOrder }
input ProductListOptions { skip: Int take: Int sort: ProductSortParameter filter: ProductFilterParameter }
input ProductVariantSortParameter { id: SortOrder createdAt: SortOrder }
input ProductVariantListOptions { skip: Int take: Int sort: ProductVariantSortParameter }
input AssetFilterParameter { name: StringOperators }
input AssetListOptions { skip: Int take: Int filter: AssetFilterParameter }
input CreateAssetInput { file: Upload! tags: [String!] }
input UpdateProductInput { id: ID! featuredAssetId: ID assetIds: [ID!] }
input DeleteAssetsInput { assetIds: [ID!]! force: Boolean deleteFromAllChannels: Boolean }
enum DeletionResult { DELETED NOT_DELETED }
enum ErrorCode { INVALID_CREDENTIALS_ERROR MIME_TYPE_ERROR }
interface ErrorResult { errorCode: ErrorCode! message: String! }
type InvalidCredentialsError implements ErrorResult { errorCode: ErrorCode! message: String! }
type MimeTypeError implements ErrorResult { errorCode: ErrorCode! message: String! fileName: String! }
type CurrentUser { id: ID! identifier: String! }
union NativeAuthenticationResult = CurrentUser | InvalidCredentialsError
type Asset { id: ID! name: String! source: String! updatedAt: DateTime! }
union CreateAssetResult = Asset | MimeTypeError
type ProductTranslation { id: ID! updatedAt: DateTime! name: String! }
type ProductVariant { id: ID! sku: String! updatedAt: DateTime! }
type ProductVariantList { items: [ProductVariant!]! totalItems: Int! }
type Facet { id: ID! code: String! }
type FacetValue { id: ID! name: String! facet: Facet! }
type Product {
  id: ID! updatedAt: DateTime! name: String! slug: String! translations: [ProductTranslation!]!
  featuredAsset: Asset assets: [Asset!]! facetValues: [FacetValue!]!
  variantList(options: ProductVariantListOptions): ProductVariantList!
}
type ProductList { items: [Product!]! totalItems: Int! }
type AssetList { items: [Asset!]! totalItems: Int! }
type DeletionResponse { result: DeletionResult! message: String }
type Query { products(options: ProductListOptions): ProductList! assets(options: AssetListOptions): AssetList! }
type Mutation {
  login(username: String!, password: String!, rememberMe: Boolean): NativeAuthenticationResult!
  createAssets(input: [CreateAssetInput!]!): [CreateAssetResult!]!
  updateProduct(input: UpdateProductInput!): Product!
  deleteAssets(input: DeleteAssetsInput!): DeletionResponse!
}
"""


class VendureStandIn(StandIn):
    """Assets belong to the shop; products name some of them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.assets: dict[str, Medium] = {}
        names = ("products", "assets_", "login", "createAssets", "updateProduct", "deleteAssets")
        root = {name.rstrip("_"): getattr(self, f"_{name.rstrip('_')}") for name in names}
        self.api = GraphQL(SCHEMA, root)

    def connector(self) -> Connector:
        secrets = {"username": "superadmin", "password": "superadmin", "hook": SECRET}
        return Connector("shop", "vendure", "demo", f"{self.url}/admin-api", ("web",), {}, secrets)

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        body = json.dumps({"type": "product.changed", "data": {"id": product}}).encode()
        return standard_headers(body, at_ms, hook, forged=forged), body

    def answer(self, _method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert path == "/admin-api"
        if headers.get("authorization") != "Bearer token" and b"login" not in body:
            return (
                200,
                {},
                b'{"errors": [{"message": "You are not currently authorized", "extensions": {"code": "FORBIDDEN"}}]}',
            )
        return 200, {"vendure-auth-token": "token", "Content-Type": "application/json"}, self.api.answer(headers, body)

    def put(self, *arguments: Any, **more: Any) -> None:
        super().put(*arguments, **more)
        for product in self.products.values():
            self.assets |= {each.id: each for each in product.media}

    def _products(self, _info: Any, options: dict[str, Any]) -> dict[str, Any]:
        wanted = (options.get("filter") or {}).get("id", {}).get("in")
        found = [each for each in self.products.values() if wanted is None or each.id in wanted]
        skip = options.get("skip", 0)
        return {
            "totalItems": len(found),
            "items": [self._as_sent(each) for each in found[skip : skip + options["take"]]],
        }

    def _as_sent(self, product: Product) -> dict[str, Any]:
        at = iso(product.updated_ms)
        assets = [self._asset(each) for each in product.media]
        variants = {"items": [{"id": "1", "sku": product.sku, "updatedAt": at}], "totalItems": 1}
        return {
            "id": product.id, "updatedAt": at, "name": product.title, "slug": product.title.lower(), "facetValues": [],
            "translations": [{"id": "1", "updatedAt": at, "name": product.title}], "assets": assets,
            "featuredAsset": assets[0] if assets else None, "variantList": variants,
        }  # fmt: skip

    def _asset(self, medium: Medium) -> dict[str, Any]:
        source = f"{self.url}/assets/source/{medium.name}"
        return {"__typename": "Asset", "id": medium.id, "name": medium.name, "source": source, "updatedAt": iso(1)}

    def _assets(self, _info: Any, options: dict[str, Any]) -> dict[str, Any]:
        name = options["filter"]["name"]["eq"]
        found = [self._asset(each) for each in self.assets.values() if each.name == name]
        return {"items": found, "totalItems": len(found)}

    def _login(self, _info: Any, username: str, password: str) -> dict[str, Any]:
        if username != password:
            return {"__typename": "InvalidCredentialsError", "message": "no", "errorCode": "INVALID_CREDENTIALS_ERROR"}
        return {"__typename": "CurrentUser", "id": "1", "identifier": username}

    def _createAssets(self, _info: Any, input: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: N802
        self.writes += 1
        made = [Medium(self.id(), each["file"][0], data=each["file"][1]) for each in input]
        self.assets |= {each.id: each for each in made}
        return [self._asset(each) for each in made]

    def _updateProduct(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        product = self.products[input["id"]]
        assert input["featuredAssetId"] == input["assetIds"][0]
        product.media = [self.assets[each] for each in input["assetIds"]]
        self.wrote(product.id)
        return self._as_sent(product)

    def _deleteAssets(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        used = {each.id for product in self.products.values() for each in product.media}
        if used.intersection(input["assetIds"]):
            return {"result": "NOT_DELETED", "message": "in use"}
        self.writes += 1
        for each in input["assetIds"]:
            self.assets.pop(each)
        return {"result": "DELETED", "message": None}


def standard_headers(body: bytes, at_ms: int, hook: str, *, forged: bool) -> Headers:
    """How Standard Webhooks signs a body by SECRET; `forged`: by another one."""
    key = b"another" if forged else base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{hook}.{at_ms // 1000}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": hook, "webhook-timestamp": str(at_ms // 1000), "webhook-signature": signature}
