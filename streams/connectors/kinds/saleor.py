"""Saleor, by its GraphQL API. Webhooks are signed by a detached JWS (RS256) with the keys that the shop publishes.

A webhook's subscription has to ask for `issuedAt` and the product's id, as the README shows. The id of a hook is the
hash of its body, for Saleor sends none.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from schemas.decoding import prepare
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

PAGE = 50  # of the 100 that the API gives at most
FRESH_MS = 3600 * 1000  # it tries five times again, each a little later
OVERLAP_S = 120
KEYS_MAX = 16_384  # characters of what a shop publishes to be verified with; a key has some 500
PRODUCT = """
id name updatedAt slug category { name } variants: productVariants(first: 1) { edges { node { sku } } }
media { id alt type url(size: 0) }
"""
LIST = f"""query ($first: Int!, $after: String, $where: ProductWhereInput, $channel: String) {{
  products(first: $first, after: $after, where: $where, channel: $channel) {{
    totalCount edges {{ node {{ {PRODUCT} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
SHOP_NAME = "{ shop { name } products(first: 1) { totalCount } }"
CREATE = """mutation ($input: ProductMediaCreateInput!) { productMediaCreate(input: $input) {
  media { id } errors { field message } } }"""
UPDATE = """mutation ($id: ID!, $input: ProductMediaUpdateInput!) { productMediaUpdate(id: $id, input: $input) {
  errors { field message } } }"""
DELETE = "mutation ($id: ID!) { productMediaDelete(id: $id) { errors { field message } } }"
REORDER = """mutation ($product: ID!, $media: [ID!]!) { productMediaReorder(productId: $product, mediaIds: $media) {
  errors { field message } } }"""


class _Key(msgspec.Struct, frozen=True):
    kty: str = ""
    kid: str = ""
    n: str = ""
    e: str = ""


class _Keys(msgspec.Struct, frozen=True):
    """A JWKS (RFC 7517), as far as it concerns us."""

    keys: tuple[_Key, ...] = ()


prepare(_Key, _Keys)


class Saleor(Shop):
    """A Saleor shop."""

    TEXT: ClassVar[str] = "Saleor's GraphQL API and webhooks; URL https://HOST/graphql/"
    SECRETS: ClassVar[Mapping[str, str]] = {"token": "of an app with the permission MANAGE_PRODUCTS"}

    def check(self) -> str:
        """Its name, and how many products there are."""
        found = self._ask(SHOP_NAME, {})
        return f"{found['shop']['name']}, {found['products']['totalCount']} products"

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:
        """See Shop."""
        named = {name.removeprefix("x-"): value for name, value in headers.items()}
        self._check_signature(named.get("saleor-signature", ""), body)
        payload = signatures.parsed(body)
        for name in ("data", "event"):  # as a subscription's answer, or only what is in it
            payload = payload[name] if isinstance(payload, dict) and isinstance(payload.get(name), dict) else payload
        signatures.check_fresh(_ms(signatures.text_at(payload, "issuedAt")), now_ms, FRESH_MS)
        return Hook(hashlib.sha256(body).hexdigest(), signatures.text_at(payload, "product", "id"))

    def published_keys(self) -> str | None:
        """See Shop: its JWKS. Raises Refused for what is none, so that it takes no known keys' place."""
        said = self.client.request("GET", f"{self._root}/.well-known/jwks.json").body
        try:
            kept = msgspec.json.encode(msgspec.json.decode(said, type=_Keys)).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("shop_malformed", f"its keys cannot be read: {error}", transient=True) from error
        if len(kept) > KEYS_MAX:
            raise Refused("shop_malformed", f"its keys have {len(kept)} characters, of {KEYS_MAX} at most")
        return kept

    def pages(self, since: str | None) -> Iterator[Page]:
        """See Shop; a cursor is a time in seconds."""
        where = {"updatedAt": {"gte": datetime.fromtimestamp(int(since)).astimezone().isoformat()}} if since else None
        after, last_ms = None, 0
        while True:
            found = self._ask(LIST, {"first": PAGE, "after": after, "where": where})["products"]
            products = [self._product(each["node"]) for each in found["edges"]]
            last_ms = newest_ms(products, last_ms)
            cursor = str(last_ms // 1000 - OVERLAP_S) if last_ms else since or ""
            yield Page(products, cursor, found["totalCount"])
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """See Shop."""
        return [self._product(each) for each in self._found(source_ids)]

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """See Shop."""
        for media in wanted:
            for product in self._found([media.source_id]):
                self._show(media, product)

    def _show(self, media: ProductMedia, product: Mapping[str, Any]) -> None:
        difference = media_difference(media.pictures, [(each["id"], each["url"]) for each in product["media"]])
        alts = {each["id"]: each["alt"] for each in product["media"]}
        mine = [self._write(media, each, difference.kept.get(each.name), alts) for each in media.pictures]
        for each in difference.going:
            self._done(self._ask(DELETE, {"id": each})["productMediaDelete"])
        stays = [each["id"] for each in product["media"] if each["id"] not in difference.going]
        made = [each for each in mine if each not in alts]
        wanted = [*mine, *difference.theirs]
        if [*stays, *made] != wanted:
            self._done(self._ask(REORDER, {"product": media.source_id, "media": wanted})["productMediaReorder"])

    def _write(self, media: ProductMedia, picture: Picture, known: str | None, alts: Mapping[str, str]) -> str:
        """The id of a picture's media, which has its alt text now."""
        if known is None:
            created: dict[str, Any] = {"product": media.source_id, "alt": picture.alt[:250], "image": None}
            file = {"input.image": Upload(picture.name, picture.load(), picture.media_type)}
            made = self.client.graphql_upload(self.connector.url, CREATE, {"input": created}, file, self._headers)
            return str(self._done(made["productMediaCreate"])["media"]["id"])
        if alts[known] != picture.alt[:250]:
            changed = {"id": known, "input": {"alt": picture.alt[:250]}}
            self._done(self._ask(UPDATE, changed)["productMediaUpdate"])
        return known

    def _found(self, source_ids: Sequence[str]) -> list[dict[str, Any]]:
        where = {"ids": list(source_ids)}
        found = self._ask(LIST, {"first": len(source_ids), "where": where})["products"]["edges"]
        return [each["node"] for each in found]

    def _product(self, product: Mapping[str, Any]) -> ShopProduct:
        images = [each["url"] for each in product["media"] if each["type"] == "IMAGE" and not is_ours(each["url"])]
        variants = product["variants"]["edges"]
        return ShopProduct(
            source_id=product["id"],
            sku=(variants[0]["node"]["sku"] if variants else None) or product["slug"],
            updated_ms=_ms(product["updatedAt"]),
            title=product["name"],
            category=(product["category"] or {}).get("name", ""),
            sources=tuple(images),
        )

    def _check_signature(self, jws: str, body: bytes) -> None:
        """RFC 7515, appendix F: the payload is the body, and stands in no token."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        protected, _, signature = jws.partition("..")
        try:
            header = msgspec.json.decode(_decoded(protected))
            key = self._key(header.get("kid")) if header.get("alg") == "RS256" else None
            signed = body if header.get("b64") is False else base64.urlsafe_b64encode(body).rstrip(b"=")
            if key is None:
                raise Refused("hook_signature", "not signed by RS256", field="Saleor-Signature")
            key.verify(_decoded(signature), protected.encode() + b"." + signed, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError, binascii.Error, AttributeError, RecursionError) as error:
            raise Refused(
                "hook_signature", "the signature is not that of this body", field="Saleor-Signature"
            ) from error

    def _key(self, kid: object) -> Any:
        """A public key that the shop published. Raises Refused for one that is not known yet."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

        published = msgspec.json.decode(self.connector.options.get("keys") or "{}", type=_Keys)
        for each in published.keys:
            if each.kid == kid and each.kty == "RSA":
                number, exponent = (int.from_bytes(_decoded(text)) for text in (each.n, each.e))
                return RSAPublicNumbers(exponent, number).public_key()
        raise Refused("hook_key_unknown", f"no key {kid!r} was published at the last sweep", transient=True)

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        return self.client.graphql(self.connector.url, query, variables, self._headers)

    def _done(self, payload: Any) -> Any:
        """What a mutation answers. Raises Refused for what the shop does not take."""
        if payload["errors"]:
            wrong = payload["errors"][0]
            raise Refused("shop_refuses", wrong["message"], field=wrong["field"] or "")
        return payload

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.connector.secrets['token']}"}

    @property
    def _root(self) -> str:
        parts = urlsplit(self.connector.url)
        return f"{parts.scheme}://{parts.netloc}"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _ms(moment: str) -> int:
    try:
        return round(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError as error:
        raise Refused("hook_malformed", f"{moment[:40]!r} is no time", field="issuedAt") from error


SHOP = Saleor
