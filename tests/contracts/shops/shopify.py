"""A stand-in of Shopify's GraphQL Admin API, held to the types that this needs of the published schema (2026-07).

Uploads go to a place of their own, and only what lies there can be a file. productSet says all files of a product.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from streams.connectors.kinds.shopify import GID, VERSION
from streams.facts import Connector
from tests.contracts.shops.base import Answer, GraphQL, Headers, Medium, Product, StandIn, iso, parts, path_of

SECRET = "shpss_client_secret"
SCHEMA = """
scalar DateTime
scalar URL
scalar UnsignedInt64
enum ProductSortKeys { CREATED_AT ID INVENTORY_TOTAL PRODUCT_TYPE PUBLISHED_AT RELEVANCE TITLE UPDATED_AT VENDOR }
enum MediaStatus { FAILED PROCESSING READY UPLOADED }
enum MediaContentType { EXTERNAL_VIDEO IMAGE MODEL_3D VIDEO }
enum FileContentType { EXTERNAL_VIDEO FILE IMAGE MODEL_3D VIDEO }
enum StagedUploadTargetGenerateUploadResource { COLLECTION_IMAGE FILE IMAGE PRODUCT_IMAGE VIDEO }
enum StagedUploadHttpMethodType { POST PUT }
enum FileCreateInputDuplicateResolutionMode { APPEND_UUID RAISE_ERROR REPLACE }
interface Node { id: ID! }
interface Media { id: ID! alt: String status: MediaStatus! mediaContentType: MediaContentType! }
type Image { id: ID url: URL! }
type MediaImage implements Media & Node {
  id: ID! alt: String status: MediaStatus! mediaContentType: MediaContentType! image: Image
}
type MediaConnection { nodes: [Media!]! pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type ProductVariant implements Node { id: ID! sku: String }
type ProductVariantConnection { nodes: [ProductVariant!]! pageInfo: PageInfo! }
type Product implements Node {
  id: ID! handle: String! title: String! updatedAt: DateTime! productType: String! vendor: String!
  variants(first: Int, after: String): ProductVariantConnection! media(first: Int, after: String): MediaConnection!
}
type ProductConnection { nodes: [Product!]! pageInfo: PageInfo! }
type Count { count: Int! }
type Shop { name: String! }
type UserError { field: [String!] message: String! }
input StagedUploadInput {
  resource: StagedUploadTargetGenerateUploadResource! filename: String! mimeType: String!
  httpMethod: StagedUploadHttpMethodType fileSize: UnsignedInt64
}
type StagedUploadParameter { name: String! value: String! }
type StagedMediaUploadTarget { url: URL resourceUrl: URL parameters: [StagedUploadParameter!]! }
type StagedUploadsCreatePayload { stagedTargets: [StagedMediaUploadTarget!] userErrors: [UserError!]! }
input FileSetInput {
  alt: String contentType: FileContentType duplicateResolutionMode: FileCreateInputDuplicateResolutionMode
  filename: String id: ID originalSource: String
}
input ProductSetInput { id: ID title: String handle: String files: [FileSetInput!] }
type ProductSetPayload { product: Product userErrors: [UserError!]! }
type FileDeletePayload { deletedFileIds: [ID!] userErrors: [UserError!]! }
type Query {
  shop: Shop! node(id: ID!): Node nodes(ids: [ID!]!): [Node]!
  products(first: Int, after: String, query: String, sortKey: ProductSortKeys): ProductConnection!
  productsCount(query: String, limit: Int): Count
}
type Mutation {
  stagedUploadsCreate(input: [StagedUploadInput!]!): StagedUploadsCreatePayload
  productSet(input: ProductSetInput!, synchronous: Boolean): ProductSetPayload
  fileDelete(fileIds: [ID!]!): FileDeletePayload
}
"""


class ShopifyStandIn(StandIn):
    """Media are files of the shop; `status` is what new ones have."""

    status = "READY"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.staged: dict[str, tuple[str, bytes]] = {}
        names = ("shop", "nodes", "products", "productsCount", "stagedUploadsCreate", "productSet", "fileDelete")
        self.api = GraphQL(SCHEMA, {name: getattr(self, f"_{name}") for name in names})
        self.statuses: dict[str, str] = {}

    def connector(self) -> Connector:
        secrets = {"token": "shpat_token", "hook": SECRET}
        return Connector("shop", "shopify", "demo", self.url, ("web",), {}, secrets)

    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        body = json.dumps({"id": int(product), "updated_at": iso(at_ms)}).encode()
        signed = hmac.digest(b"another" if forged else SECRET.encode(), body, hashlib.sha256)
        prefix = "X-" if hook.endswith("1") else ""  # the old names of the headers, and the new ones
        headers = {"Hmac-Sha256": base64.b64encode(signed).decode(), "Webhook-Id": hook, "Triggered-At": iso(at_ms)}
        return {f"{prefix}Shopify-{name}": value for name, value in headers.items()}, body

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path.startswith("/staged/") and method == "POST":
            form = parts(headers, body)
            assert list(form)[-1] == "file", "whoever signs the form reads no field behind the file"
            assert form["policy"][1] == b"p"
            self.staged[path] = (str(form["file"][0]), form["file"][1])
            return 201, {}, b""
        assert path == f"/admin/api/{VERSION}/graphql.json"
        if headers.get("x-shopify-access-token") != "shpat_token":
            return 401, {}, b'{"errors": "[API] Invalid API key or access token"}'
        return 200, {"Content-Type": "application/json"}, self.api.answer(headers, body)

    def _shop(self, _info: Any) -> dict[str, Any]:
        return {"name": "Stand-in"}

    def _nodes(self, _info: Any, ids: list[str]) -> list[Any]:
        plain = [each.removeprefix(GID) for each in ids]
        return [self._as_sent(self.products[each]) if each in self.products else None for each in plain]

    def _matching(self, query: str | None) -> list[Product]:
        since = query.partition(">='")[2].rstrip("'") if query else ""
        found = [each for each in self.products.values() if iso(each.updated_ms) >= since]
        return sorted(found, key=lambda each: each.updated_ms)

    def _products(self, _info: Any, first: int, after: str | None, query: str | None, sortKey: str) -> Any:  # noqa: N803
        assert sortKey == "UPDATED_AT"
        found, begin = self._matching(query), int(after or 0)
        page = {"hasNextPage": begin + first < len(found), "endCursor": str(begin + first)}
        return {"nodes": [self._as_sent(each) for each in found[begin : begin + first]], "pageInfo": page}

    def _productsCount(self, _info: Any, query: str | None = None) -> dict[str, int]:  # noqa: N802
        return {"count": len(self._matching(query))}

    def _as_sent(self, product: Product) -> dict[str, Any]:
        return {
            "__typename": "Product", "id": GID + product.id, "handle": product.title.lower(), "title": product.title,
            "updatedAt": iso(product.updated_ms), "productType": "", "vendor": "Acme",
            "variants": {"nodes": [{"id": "v", "sku": product.sku}]},
            "media": {"nodes": [self._medium(each) for each in product.media]},
        }  # fmt: skip

    def _medium(self, medium: Medium) -> dict[str, Any]:
        status = self.statuses.get(medium.id, "READY")
        image = {"url": f"https://cdn.shopify.example/files/{medium.name}?v=17"} if status == "READY" else None
        kind = {"__typename": "MediaImage", "mediaContentType": "IMAGE", "status": status}
        return {**kind, "id": f"gid://shopify/MediaImage/{medium.id}", "alt": medium.alt, "image": image}

    def _stagedUploadsCreate(self, _info: Any, input: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N802
        targets = []
        for each in input:
            assert int(each["fileSize"]) > 0
            place = f"{self.url}/staged/{self.id()}"
            targets.append({"url": place, "resourceUrl": place, "parameters": [{"name": "policy", "value": "p"}]})
        return {"stagedTargets": targets, "userErrors": []}

    def _productSet(self, _info: Any, input: dict[str, Any], synchronous: bool) -> dict[str, Any]:  # noqa: N802
        assert synchronous
        product = self.products[input["id"].removeprefix(GID)]
        known = {f"gid://shopify/MediaImage/{each.id}": each for each in product.media}
        media = []
        for each in input["files"]:
            if "id" in each:
                medium = known[each["id"]]
                medium.alt = each.get("alt", medium.alt)
            else:
                name, data = self.staged[path_of(each["originalSource"])]
                assert name == each["filename"]
                medium = Medium(self.id(), name, each["alt"], data)
                self.statuses[medium.id] = self.status
            media.append(medium)
        product.media = media
        self.wrote(product.id)
        return {"product": self._as_sent(product), "userErrors": []}

    def _fileDelete(self, _info: Any, fileIds: list[str]) -> dict[str, Any]:  # noqa: N802, N803
        self.writes += 1
        return {"deletedFileIds": fileIds, "userErrors": []}
