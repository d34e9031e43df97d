"""Medusa 2, by its Admin API. It sends no webhooks: infra/examples/medusa-subscriber.js does.

Images are addresses at a product, in their order, without alt texts; the first of ours is its thumbnail, too. Files are
uploaded first, and cannot be listed: who is killed before a file stands at its product leaves it in the shop's storage.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from streams.connectors import signatures
from streams.connectors.base import Hook, Page, Picture, ProductMedia, Shop, ShopProduct, is_ours, media_difference
from streams.connectors.http import Upload
from streams.runtime.errors import Refused

PAGE = 100
FIELDS = (
    "id,title,handle,material,thumbnail,updated_at,images.url,images.rank,images.updated_at,"
    "variants.sku,variants.variant_rank,variants.updated_at,categories.name"
)
ULID = re.compile(r"-[0-9A-HJKMNP-TV-Z]{26}(?=\.\w+$)")  # which its S3 storage puts behind a file's name


class Medusa(Shop):
    """A Medusa shop."""

    TEXT: ClassVar[str] = "Medusa 2's Admin API; hooks by a subscriber of a few lines; URL https://HOST"
    SECRETS: ClassVar[Mapping[str, str]] = {
        "key": "a secret API key, sk_…",
        "hook": "what the subscriber signs with",
    }
    SIGNED_BY: ClassVar[str | None] = "hook"
    FULL_S: ClassVar[float] = 0.0  # a product's time does not change with its variants: all of it is compared

    def check(self) -> str:
        """How many products there are."""
        return f"{self._listed({'limit': 1})['count']} products at {self.connector.url}"

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:
        """See Shop; signed by Standard Webhooks."""
        hook = signatures.check_standard(headers, body, self.connector.secrets["hook"], now_ms)
        return Hook(hook, signatures.text_at(signatures.parsed(body), "data", "id"))

    def pages(self, since: str | None) -> Iterator[Page]:  # noqa: ARG002
        """All products, by id."""
        offset = 0
        while (found := self._listed({"limit": PAGE, "offset": offset, "order": "id"}))["products"] or not offset:
            yield Page([_product(each) for each in found["products"]], total=found["count"])
            offset += len(found["products"])
            if offset >= found["count"]:
                return

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """See Shop."""
        return [_product(each) for each in self._found(source_ids)]

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """See Shop."""
        for media in wanted:
            for product in self._found([media.source_id]):
                self._show(media, product)

    def _show(self, media: ProductMedia, product: Mapping[str, Any]) -> None:
        stands = [str(each["url"]) for each in _images(product)]
        named = [(url, ULID.sub("", urlsplit(url).path)) for url in _all(product)]
        difference = media_difference(media.pictures, named)
        mine = [difference.kept.get(each.name) or self._uploaded(each) for each in media.pictures]
        wanted, thumbnail = [*mine, *difference.theirs], product["thumbnail"]
        first = thumbnail if thumbnail in difference.theirs and not mine else next(iter(wanted), None)
        if (stands, thumbnail) != (wanted, first):
            change = {"images": [{"url": each} for each in wanted], "thumbnail": first}
            self._ask("POST", f"/admin/products/{quote(media.source_id)}", body=change)
        for url in difference.going:
            self._delete(url)

    def _uploaded(self, picture: Picture) -> str:
        """The address of a picture, uploaded. Raises Refused."""
        form = [("files", Upload(picture.name, picture.load(), picture.media_type))]
        answer = self.client.request("POST", self._url("/admin/uploads"), headers=self._headers, form=form).json()
        try:
            url = str(answer["files"][0]["url"])
        except (KeyError, IndexError, TypeError) as error:
            raise Refused("shop_malformed", f"{picture.name}: the shop took it, and says no address") from error
        if not is_ours(url):  # it would be taken for a photograph of the shop's own
            raise Refused("shop_malformed", f"the shop's storage calls {picture.name} otherwise: {url}")
        return url

    def _delete(self, url: str) -> None:
        """Deletes a file of ours by its key, which ends its address; one that is not there is no error in Medusa."""
        key = unquote(urlsplit(url).path.rpartition("/")[2])
        self._ask("DELETE", f"/admin/uploads/{quote(key, safe='')}", ok=frozenset({404}))

    def _found(self, source_ids: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._listed({"id[]": list(source_ids), "limit": len(source_ids)})["products"]
        return found

    def _listed(self, query: Mapping[str, Any]) -> Any:
        return self._ask("GET", f"/admin/products?{urlencode({**query, 'fields': FIELDS}, doseq=True)}").json()

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, ok: frozenset[int] = frozenset()
    ) -> Any:
        return self.client.request(method, self._url(path), headers=self._headers, body=body, ok=ok)

    def _url(self, path: str) -> str:
        return self.connector.url.rstrip("/") + path

    @property
    def _headers(self) -> dict[str, str]:
        """A secret key is the name of basic authentication, without a password."""
        named = base64.b64encode(f"{self.connector.secrets['key']}:".encode()).decode()
        return {"Authorization": f"Basic {named}"}


def _images(product: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(product["images"] or (), key=lambda each: each["rank"])


def _all(product: Mapping[str, Any]) -> list[str]:
    """The addresses at a product; a thumbnail that is none of its images is one more, at the end."""
    urls = [str(each["url"]) for each in _images(product)]
    return urls if product["thumbnail"] in (None, "", *urls) else [*urls, product["thumbnail"]]


def _product(product: Mapping[str, Any]) -> ShopProduct:
    photographs = [url for url in _all(product) if not is_ours(url)]
    photographs.sort(key=lambda url: url != product["thumbnail"])
    variants = sorted(product["variants"] or (), key=lambda each: each["variant_rank"] or 0)
    times = [product, *_images(product), *variants]
    return ShopProduct(
        source_id=product["id"],
        sku=(variants[0]["sku"] if variants else None) or product["handle"],
        updated_ms=max(_ms(each["updated_at"]) for each in times),
        title=product["title"],
        category=next((each["name"] for each in product["categories"] or ()), ""),
        sources=tuple(photographs),
        attributes={"material": product["material"]} if product["material"] else {},
    )


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


SHOP = Medusa
