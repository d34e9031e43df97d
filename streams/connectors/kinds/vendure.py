"""Vendure, by its Admin API. It has no webhooks of its own: infra/examples/vendure-plugin.cjs sends them.

Assets have no alt text there. They belong to the shop, not to a product: what stands nowhere any more is deleted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import structlog

from streams.connectors import signatures
from streams.connectors.base import Hook, Page, Picture, ProductMedia, Shop, ShopProduct, is_ours, media_difference
from streams.connectors.http import Upload
from streams.runtime.errors import Refused

PAGE = 100  # of the 1,000 that the API gives at most
TAG = "packshot"
TOKEN = "vendure-auth-token"
PREFLIGHT = {"Apollo-Require-Preflight": "true"}  # Apollo refuses uploads without one, against forged requests
PRODUCT = """
id updatedAt name slug translations { updatedAt } featuredAsset { id }
assets { id name source updatedAt }
variantList(options: {take: 1, sort: {createdAt: ASC}}) { items { sku updatedAt } }
facetValues { name facet { code } }
"""
LIST = f"query ($options: ProductListOptions) {{ products(options: $options) {{ totalItems items {{ {PRODUCT} }} }} }}"
LOGIN = """mutation ($username: String!, $password: String!) { login(username: $username, password: $password) {
  __typename ... on CurrentUser { identifier } ... on ErrorResult { message } } }"""
FIND = "query ($name: String!) { assets(options: {filter: {name: {eq: $name}}}) { items { id name } } }"
CREATE = """mutation ($input: [CreateAssetInput!]!) { createAssets(input: $input) {
  __typename ... on Asset { id } ... on MimeTypeError { message } } }"""
UPDATE = "mutation ($input: UpdateProductInput!) { updateProduct(input: $input) { id } }"
DELETE = "mutation ($ids: [ID!]!) { deleteAssets(input: {assetIds: $ids, force: false}) { result message } }"

log = structlog.get_logger()


class Vendure(Shop):
    """A Vendure shop."""

    TEXT: ClassVar[str] = "Vendure's Admin API; hooks by a plugin of a few lines"
    SECRETS: ClassVar[Mapping[str, str]] = {
        "username": "of an administrator who may read and update the catalogue",
        "password": "of that administrator",
        "hook": "what the plugin signs with",
    }
    SIGNED_BY: ClassVar[str | None] = "hook"
    FULL_S: ClassVar[float] = 0.0  # a product's time does not change with its translations: all of it is compared

    def check(self) -> str:
        """How many products there are."""
        found = self._ask(LIST, {"options": {"take": 1}})
        return f"{found['products']['totalItems']} products at {self.connector.url}"

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:
        """See Shop; signed by Standard Webhooks."""
        hook = signatures.check_standard(headers, body, self.connector.secrets["hook"], now_ms)
        return Hook(hook, signatures.text_at(signatures.parsed(body), "data", "id"))

    def pages(self, since: str | None) -> Iterator[Page]:  # noqa: ARG002
        """All products, by id."""
        skip, total = 0, 1
        while skip < total:
            found = self._ask(LIST, {"options": {"take": PAGE, "skip": skip, "sort": {"id": "ASC"}}})["products"]
            skip, total = skip + PAGE, found["totalItems"]
            yield Page([_product(each) for each in found["items"]], total=total)

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """See Shop."""
        return [_product(each) for each in self._found(source_ids)]

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """See Shop."""
        for media in wanted:
            for product in self._found([media.source_id]):
                self._show(media, product)
            self._delete([asset for name in media.gone for asset in self._named(name)])

    def _show(self, media: ProductMedia, product: Mapping[str, Any]) -> None:
        difference = media_difference(media.pictures, [(each["id"], each["name"]) for each in product["assets"]])
        mine = [difference.kept.get(each.name) or self._uploaded(each) for each in media.pictures]
        wanted = [*mine, *difference.theirs]
        featured = (product["featuredAsset"] or {}).get("id")
        first = wanted[0] if mine or featured not in difference.theirs else featured
        if [each["id"] for each in product["assets"]] != wanted or featured != first:
            change = {"id": media.source_id, "assetIds": wanted, "featuredAssetId": first}
            self._ask(UPDATE, {"input": change})
        self._delete(difference.going)

    def _uploaded(self, picture: Picture) -> str:
        """The id of a picture's asset; who was killed before it stood at its product has left one."""
        for asset in self._named(picture.name):
            return asset
        made = self.client.graphql_upload(
            self.connector.url,
            CREATE,
            {"input": [{"file": None, "tags": [TAG]}]},
            {"input.0.file": Upload(picture.name, picture.load(), picture.media_type)},
            {**self._headers, **PREFLIGHT},
        )["createAssets"][0]
        if made["__typename"] != "Asset":
            raise Refused("shop_refuses", f"{picture.name}: {made.get('message')}")
        return str(made["id"])

    def _named(self, name: str) -> list[str]:
        found = self._ask(FIND, {"name": name})["assets"]["items"]
        return [str(each["id"]) for each in found if each["name"] == name and is_ours(name)]

    def _delete(self, assets: Sequence[str]) -> None:
        """Deletes assets that stand at no product."""
        if not assets:
            return
        answer = self._ask(DELETE, {"ids": list(assets)})["deleteAssets"]
        if answer["result"] != "DELETED":
            log.info("assets stay", connector=self.connector.connector, reason=answer["message"])

    def _found(self, source_ids: Sequence[str]) -> list[dict[str, Any]]:
        options = {"filter": {"id": {"in": list(source_ids)}}, "take": len(source_ids)}
        found: list[dict[str, Any]] = self._ask(LIST, {"options": options})["products"]["items"]
        return found

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        return self.client.graphql(self.connector.url, query, variables, self._headers)

    @cached_property
    def _headers(self) -> dict[str, str]:
        """Logged in, for as long as the shop is open."""
        secrets = {name: self.connector.secrets[name] for name in ("username", "password")}
        answer = self.client.request("POST", self.connector.url, body={"query": LOGIN, "variables": secrets})
        data = answer.json().get("data") or {}
        token = answer.headers.get(TOKEN)
        if (data.get("login") or {}).get("__typename") != "CurrentUser" or token is None:
            raise Refused(
                "shop_refuses", "the login is refused, or gives no token (tokenMethod: bearer)", field="username"
            )
        return {"Authorization": f"Bearer {token}"}


def _product(product: Mapping[str, Any]) -> ShopProduct:
    photographs = [each for each in product["assets"] if not is_ours(each["name"])]
    featured = (product["featuredAsset"] or {}).get("id")
    photographs.sort(key=lambda each: each["id"] != featured)
    variants = product["variantList"]["items"]
    times = [product, *product["translations"], *photographs, *variants]
    return ShopProduct(
        source_id=str(product["id"]),
        sku=variants[0]["sku"] if variants else product["slug"],
        updated_ms=max(_ms(each["updatedAt"]) for each in times),
        title=product["name"],
        sources=tuple(each["source"] for each in photographs),
        attributes={each["facet"]["code"]: each["name"] for each in product["facetValues"]},
    )


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


SHOP = Vendure
