"""Shopify, by its GraphQL Admin API and the webhooks products/create, products/update and products/delete.

Pictures go by staged uploads and `productSet`, which says all of a product's files in their order. A file is known
again by the name in its address, which it has once Shopify is done with it: until then nothing more is written there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from streams.connectors import signatures
from streams.connectors.base import (
    Hook,
    Page,
    Picture,
    ProductMedia,
    Shop,
    ShopProduct,
    is_ours,
    media_difference,
    newest_ms,
)
from streams.connectors.http import Upload
from streams.runtime.errors import Refused

VERSION = "2026-07"
PAGE = 50
MEDIA_MAX = 250  # that a product may have
OVERLAP_MS = 120_000  # the search index may be a little behind
FRESH_MS = 6 * 3600 * 1000  # it tries 8 times in 4 hours, and says each time when it was first
GID = "gid://shopify/Product/"
ENDED = frozenset({"READY", "FAILED"})
PRODUCT = """
id handle title updatedAt productType vendor variants(first: 1) { nodes { sku } }
media(first: 250) { nodes { id alt status mediaContentType ... on MediaImage { image { url } } } }
"""
LIST = f"""query ($first: Int!, $after: String, $query: String) {{
  productsCount(query: $query) {{ count }}
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {PRODUCT} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
FETCH = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Product {{ {PRODUCT} }} }} }}"
SHOP_NAME = "{ shop { name } productsCount { count } }"
STAGE = """mutation ($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) {
  stagedTargets { url resourceUrl parameters { name value } } userErrors { field message } } }"""
SET = """mutation ($input: ProductSetInput!) { productSet(input: $input, synchronous: true) {
  product { id } userErrors { field message } } }"""
DELETE = "mutation ($ids: [ID!]!) { fileDelete(fileIds: $ids) { deletedFileIds userErrors { field message } } }"


class Shopify(Shop):
    """A Shopify shop."""

    TEXT: ClassVar[str] = "Shopify's Admin API and webhooks; URL https://NAME.myshopify.com"
    SECRETS: ClassVar[Mapping[str, str]] = {
        "token": "of an app that may read and write products and files",
        "hook": "that app's client secret, which webhooks are signed with",
    }

    def check(self) -> str:
        """Its name, and how many products there are."""
        found = self._ask(SHOP_NAME, {})
        return f"{found['shop']['name']}, {found['productsCount']['count']} products"

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:
        """See Shop. Headers have their old names or the new ones, without X-."""
        named = {name.removeprefix("x-"): value for name, value in headers.items()}
        expected = signatures.digest(self.connector.secrets["hook"], body)
        signatures.check(expected, named.get("shopify-hmac-sha256", ""))
        payload = signatures.parsed(body)
        at = named.get("shopify-triggered-at") or signatures.text_at(payload, "updated_at")
        signatures.check_fresh(_ms(at), now_ms, FRESH_MS)
        product = signatures.text_at(payload, "id")
        return Hook(signatures.text_at(named, "shopify-webhook-id"), product if GID in product else GID + product)

    def pages(self, since: str | None) -> Iterator[Page]:
        """See Shop; a cursor is a time."""
        after, last_ms, query = None, 0, f"updated_at:>='{since}'" if since else None
        while True:
            found = self._ask(LIST, {"first": PAGE, "after": after, "query": query})
            products = [_product(each) for each in found["products"]["nodes"]]
            last_ms = newest_ms(products, last_ms)
            cursor = _iso(last_ms - OVERLAP_MS) if last_ms else since or ""
            yield Page(products, cursor, found["productsCount"]["count"])
            if not found["products"]["pageInfo"]["hasNextPage"]:
                return
            after = found["products"]["pageInfo"]["endCursor"]

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """See Shop."""
        return [_product(each) for each in self._found(source_ids)]

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """See Shop."""
        for media in wanted:
            for product in self._found([media.source_id]):
                self._show(media, product)

    def _show(self, wanted: ProductMedia, product: Mapping[str, Any]) -> None:
        media = product["media"]["nodes"]
        if any(each["status"] not in ENDED for each in media):
            raise Refused("media_in_processing", "Shopify is at work on media of this product", transient=True)
        difference = media_difference(wanted.pictures, [(each["id"], _url(each)) for each in media])
        alts = {each["id"]: each["alt"] or "" for each in media}
        kept = [difference.kept.get(each.name) for each in wanted.pictures]
        is_so = [*kept, *difference.theirs] == [each["id"] for each in media]
        if is_so and all(alts[str(known)] == each.alt for known, each in zip(kept, wanted.pictures, strict=True)):
            return
        mine = [
            {"id": known, "alt": each.alt} if known else self._uploaded(each)
            for known, each in zip(kept, wanted.pictures, strict=True)
        ]
        files = [*mine, *({"id": each} for each in difference.theirs)]
        if len(files) > MEDIA_MAX:
            raise Refused("too_many_media", f"{len(files)} pictures, and a product has {MEDIA_MAX} at most")
        self._done(self._ask(SET, {"input": {"id": wanted.source_id, "files": files}})["productSet"])
        if difference.going:
            self._done(self._ask(DELETE, {"ids": list(difference.going)})["fileDelete"])

    def _uploaded(self, picture: Picture) -> dict[str, str]:
        """A picture as a file of a product, uploaded to where Shopify takes it from."""
        data = picture.load()
        upload = {
            "resource": "IMAGE", "filename": picture.name, "mimeType": picture.media_type, "httpMethod": "POST",
            "fileSize": str(len(data)),
        }  # fmt: skip
        target = self._done(self._ask(STAGE, {"input": [upload]})["stagedUploadsCreate"])["stagedTargets"][0]
        fields: list[tuple[str, str | Upload]] = [(each["name"], each["value"]) for each in target["parameters"]]
        self.client.request(
            "POST", target["url"], form=[*fields, ("file", Upload(picture.name, data, picture.media_type))]
        )
        return {
            "originalSource": target["resourceUrl"], "filename": picture.name, "alt": picture.alt,
            "contentType": "IMAGE",
        }  # fmt: skip

    def _found(self, source_ids: Sequence[str]) -> list[dict[str, Any]]:
        return [each for each in self._ask(FETCH, {"ids": list(source_ids)})["nodes"] if each]

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        headers = {"X-Shopify-Access-Token": self.connector.secrets["token"]}
        url = f"{self.connector.url}/admin/api/{VERSION}/graphql.json"
        return self.client.graphql(url, query, variables, headers)

    def _done(self, payload: Any) -> Any:
        """What a mutation answers. Raises Refused for what the shop does not take."""
        if payload["userErrors"]:
            wrong = payload["userErrors"][0]
            raise Refused("shop_refuses", wrong["message"], field=".".join(map(str, wrong["field"] or ())))
        return payload


def _product(product: Mapping[str, Any]) -> ShopProduct:
    images = [url for each in product["media"]["nodes"] if (url := _url(each)) and not is_ours(url)]
    variants = product["variants"]["nodes"]
    return ShopProduct(
        source_id=product["id"],
        sku=(variants[0]["sku"] if variants else None) or product["handle"],
        updated_ms=_ms(product["updatedAt"]),
        title=product["title"],
        category=product["productType"],
        sources=tuple(images),
        attributes={"brand": product["vendor"]} if product["vendor"] else {},
    )


def _url(media: Mapping[str, Any]) -> str:
    """The address of an image; empty for a video, and for what is not ready."""
    return str((media.get("image") or {}).get("url") or "")


def _ms(moment: str) -> int:
    try:
        return round(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError as error:
        raise Refused("hook_malformed", f"{moment[:40]!r} is no time", field="triggered-at") from error


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


SHOP = Shopify
