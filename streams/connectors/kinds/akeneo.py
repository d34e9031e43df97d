"""Akeneo PIM, by its REST API. The Event Platform's CloudEvents come as hooks or on the topic `imagery.inbound`.

Photographs need addresses that everybody may fetch: a product's text attribute that holds one, or an asset collection
whose assets have media links. Files inside the PIM are behind its login, and no source of anything. Our pictures are
assets of a family of their own, and stand in an asset collection of the product.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from streams.connectors import signatures
from streams.connectors.base import Hook, Page, Picture, ProductMedia, Shop, ShopProduct
from streams.connectors.http import Upload
from streams.runtime.errors import Refused

PAGE = 100  # the most that the API gives
OVERLAP = timedelta(minutes=2)
FRESH_MS = 3600 * 1000  # it tries again after 5, 10 and 20 minutes
API = "/api/rest/v1"
EVENT = "com.akeneo.pim.v1.product."
OURS = "packshot_"  # before the code of an asset that we made; codes have letters, digits and underscores


class Akeneo(Shop):
    """An Akeneo PIM."""

    TEXT: ClassVar[str] = "Akeneo's REST API and Event Platform; URL https://HOST"
    SECRETS: ClassVar[Mapping[str, str]] = {
        "client_id": "of a connection of the flow type destination, with rights to edit products and assets",
        "client_secret": "of that connection",
        "username": "of that connection",
        "password": "of that connection",
        "hook": "the subscription's primary secret, which events are signed with",
    }
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "sku": "the identifier attribute; sku",
        "title": "the attribute of a product's name; name",
        "locale": "of titles and alt texts; en_US",
        "photographs": "attributes that hold photographs, with commas: texts with addresses, or asset collections; "
        "photographs",
        "pictures": "the asset collection that our pictures go to; packshots",
        "family": "the asset family that our pictures are of; packshots",
        "media": "the media file attribute of that family; media",
        "subscription": "the subscription's id, where its events come by Kafka",
    }
    SIGNED_BY: ClassVar[str | None] = "hook"

    def check(self) -> str:
        """How many products there are."""
        found = self._get("/products-uuid", limit="1", with_count="true")
        return f"{found.get('items_count', 'Some')} products at {self.connector.url}"

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:
        """See Shop. While a secret is changed, events are signed by both."""
        expected = signatures.digest(self.connector.secrets["hook"], body)
        signed = [headers.get(f"x-akeneo-signature-{name}", "") for name in ("primary", "secondary")]
        if not any(signatures.fits(expected, each, is_hex=True) for each in signed):
            raise Refused("hook_signature", "none of the signatures is that of this body")
        at = _time(signatures.text_at(signatures.parsed(body), "time"))
        signatures.check_fresh(round(at.timestamp() * 1000), now_ms, FRESH_MS)
        return self.hook_of(body)

    def hook_of(self, body: bytes) -> Hook:
        """See Shop."""
        payload = signatures.parsed(body)
        event = signatures.text_at(payload, "type")
        if not event.startswith(EVENT):
            raise Refused("hook_malformed", f"{event} tells of no product: subscribe to {EVENT}… alone", field="type")
        return Hook(signatures.text_at(payload, "id"), signatures.text_at(payload, "data", "product", "uuid"))

    def pages(self, since: str | None) -> Iterator[Page]:
        """See Shop; a cursor is a time as the PIM's filter takes it."""
        changed = {"updated": [{"operator": ">", "value": since}]} if since else {}
        newest: datetime | None = None
        for items in self._listed("/products-uuid", changed):
            products, unread = self._products(items)
            times = [_told(each["updated"]) for each in items]
            newest = max([*([newest] if newest else []), *times], default=None)
            cursor = f"{newest - OVERLAP:%Y-%m-%d %H:%M:%S}" if newest else since or ""
            yield Page(products, cursor, unread=unread)

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """See Shop."""
        products, unread = self._products(self._by_id(source_ids))
        for reason in unread.values():
            raise Refused("shop_malformed", reason)
        return products

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """See Shop."""
        for media in wanted:
            going: set[str] = {code_of(name) for name in media.gone}
            for product in self._by_id([media.source_id]):
                going |= set(self._show(media, product))
            for code in sorted(going - {code_of(each.name) for each in media.pictures}):
                self._delete(code)

    def _show(self, media: ProductMedia, product: Mapping[str, Any]) -> list[str]:
        """Has a product show its pictures; the codes of those that it shows no more."""
        stands = _value(product, self._option("pictures"), None) or []
        mine = [self._asset(each) for each in media.pictures]
        wanted = [*mine, *(code for code in stands if not code.startswith(OURS))]
        if stands != wanted:
            value = {"locale": None, "scope": None, "data": wanted}
            self._patch(f"/products-uuid/{media.source_id}", {"values": {self._option("pictures"): [value]}})
        return [code for code in stands if code.startswith(OURS) and code not in mine]

    def _asset(self, picture: Picture) -> str:
        """The code of a picture's asset, which is there with its alt text now."""
        code = code_of(picture.name)
        known = self._found(f"{self._family}/assets/{code}")
        label = {"locale": self._option("locale"), "channel": None, "data": picture.alt}
        values: dict[str, Any] = {"label": [label]}
        if known is None or not known["values"].get(self._option("media")):
            file = [("file", Upload(picture.name, picture.load(), picture.media_type))]
            made = self.client.request("POST", self._url("/asset-media-files"), headers=self._headers, form=file)
            media = {"locale": None, "channel": None, "data": _file_code(made.headers)}
            values[self._option("media")] = [media]
        elif any(each["data"] == picture.alt for each in known["values"].get("label", [])):
            return code
        self._patch(f"{self._family}/assets/{code}", {"code": code, "values": values})
        return code

    def _delete(self, code: str) -> None:
        """Takes an asset away; it stays, and stands at no product, where a PIM cannot do that (405)."""
        url = self._url(f"{self._family}/assets/{code}")
        self.client.request("DELETE", url, headers=self._headers, ok=frozenset({404, 405}))

    def _products(self, items: Sequence[Mapping[str, Any]]) -> tuple[list[ShopProduct], dict[str, str]]:
        """Products, and why others cannot be read."""
        links, products, unread = self._links(items), [], {}
        for each in items:
            try:
                products.append(self._product(each, links))
            except Refused as refusal:
                unread[each["uuid"]] = str(refusal)
        return products, unread

    def _product(self, product: Mapping[str, Any], links: Mapping[tuple[str, str], Sequence[str]]) -> ShopProduct:
        sku = product.get("identifier") or _value(product, self._option("sku"), None)
        if not isinstance(sku, str):
            raise Refused("shop_malformed", f"it has no text in the attribute {self._option('sku')}", field="sku")
        title = _value(product, self._option("title"), self._option("locale"))
        return ShopProduct(
            source_id=product["uuid"],
            sku=sku,
            updated_ms=round(_time(product["updated"]).timestamp() * 1000),
            title=title if isinstance(title, str) else "",
            category=next(iter(product.get("categories") or []), ""),
            sources=tuple(address for value in self._photographs(product) for address in _addresses(value, links)),
        )

    def _photographs(self, product: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for attribute in self._option("photographs").split(","):
            yield from _values(product).get(attribute.strip(), [])

    def _links(self, items: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
        """The addresses of the assets that products name: one request for each family and a hundred assets."""
        wanted: dict[str, set[str]] = {}
        for value in (value for each in items for value in self._photographs(each)):
            if isinstance(value["data"], list):
                theirs = {code for code in value["data"] if not code.startswith(OURS)}
                wanted.setdefault(str(value.get("reference_data_name")), set()).update(theirs)
        found: dict[tuple[str, str], list[str]] = {}
        for family, codes in wanted.items():
            prefixes = self._prefixes(family) if codes else {}
            for first in range(0, len(codes), PAGE):
                some = {"code": [{"operator": "IN", "value": sorted(codes)[first : first + PAGE]}]}
                for asset in (each for page in self._listed(f"/asset-families/{family}/assets", some) for each in page):
                    found[family, asset["code"]] = [
                        before + value["data"] + behind
                        for attribute, (before, behind) in prefixes.items()
                        for value in asset["values"].get(attribute, [])
                    ]
        return found

    def _prefixes(self, family: str) -> dict[str, tuple[str, str]]:
        """A family's media link attributes: what stands before and behind what an asset says."""
        attributes = self._found(f"/asset-families/{family}/attributes") or []
        return {
            each["code"]: (each.get("prefix") or "", each.get("suffix") or "")
            for each in attributes
            if each.get("type") == "media_link"
        }

    def _by_id(self, source_ids: Sequence[str]) -> list[dict[str, Any]]:
        wanted = {"uuid": [{"operator": "IN", "value": list(source_ids)}]}
        return [each for items in self._listed("/products-uuid", wanted) for each in items]

    def _listed(self, path: str, search: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """What a list holds, a page at a time."""
        query = {"limit": str(PAGE), "pagination_type": "search_after"}
        page = self._get(path, **query, **({"search": json.dumps(search)} if search else {}))
        while True:
            yield page["_embedded"]["items"]
            following = page["_links"].get("next")
            if following is None:
                return
            parts = urlsplit(following["href"])  # its host may be another one than ours, behind a proxy
            page = self._ask("GET", f"{self.connector.url.rstrip('/')}{parts.path}?{parts.query}").json()

    def _get(self, path: str, **query: str) -> Any:
        return self._ask("GET", self._url(path) + (f"?{urlencode(query)}" if query else "")).json()

    def _found(self, path: str) -> Any:
        """What is there, or None."""
        answer = self.client.request("GET", self._url(path), headers=self._headers, ok=frozenset({404}))
        return None if answer.status == 404 else answer.json()

    def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        self._ask("PATCH", self._url(path), body)

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.client.request(method, url, headers=self._headers, body=body)

    def _url(self, path: str) -> str:
        return f"{self.connector.url.rstrip('/')}{API}{quote(path)}"

    def _option(self, name: str) -> str:
        """What is set, or the default that the option's text ends with."""
        return self.connector.options.get(name) or self.OPTIONS[name].rpartition("; ")[2]

    @property
    def _family(self) -> str:
        return f"/asset-families/{self._option('family')}"

    @cached_property
    def _headers(self) -> dict[str, str]:
        """With a token, which outlives the work that the PIM is opened for: it is good for an hour."""
        secrets = self.connector.secrets
        basic = base64.b64encode(f"{secrets['client_id']}:{secrets['client_secret']}".encode()).decode()
        login = {"grant_type": "password", "username": secrets["username"], "password": secrets["password"]}
        url = f"{self.connector.url.rstrip('/')}/api/oauth/v1/token"
        answer = self.client.request("POST", url, headers={"Authorization": f"Basic {basic}"}, body=login).json()
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise Refused("shop_refuses", "the login gives no token", field="client_id")
        return {"Authorization": f"Bearer {answer['access_token']}"}


def code_of(name: str) -> str:
    """The code of a picture's asset: the file's name tells what is in it, and codes have no hyphens."""
    return f"{OURS}{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _file_code(headers: Mapping[str, str]) -> str:
    """The code of a file that was taken, by its own header, else by the end of its address. Raises Refused."""
    code = headers.get("asset-media-file-code") or headers.get("location", "").partition("media-files/")[2]
    if not code:
        raise Refused("shop_malformed", "the PIM took a file, and says no code of it")
    return code


def _values(product: Mapping[str, Any]) -> Mapping[str, Any]:
    """A product's values by attribute; where it has none, PHP tells them as a list."""
    values = product["values"]
    return values if isinstance(values, dict) else {}


def _value(product: Mapping[str, Any], attribute: str, locale: str | None) -> Any:
    """A product's value in a locale, else the first that there is; None where there is none."""
    values = _values(product).get(attribute) or []
    first = next(iter(values), {"data": None})
    return next((each["data"] for each in values if each.get("locale") == locale), first["data"])


def _addresses(value: Mapping[str, Any], links: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    if isinstance(value["data"], list):
        family = str(value.get("reference_data_name"))
        return [address for code in value["data"] for address in links.get((family, code), [])]
    return [value["data"]] if isinstance(value["data"], str) and "://" in value["data"] else []


def _told(moment: str) -> datetime:
    """A time of the PIM's that is none of the future, where the next sweep would find nothing for long."""
    told = _time(moment)
    return min(told, datetime.now(told.tzinfo))


def _time(moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment)
    except ValueError as error:
        raise Refused("hook_malformed", f"{moment[:40]!r} is no time", field="time") from error


SHOP = Akeneo
