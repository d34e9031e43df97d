"""A folder or an S3 prefix with product feeds, watched for changes; a supplemental feed with our pictures goes back.

Feeds are CSV, TSV or XLSX with columns as Google Merchant or Packshot names them, or Google Merchant's XML. All files
together are the shop: what stands in none of them any more is gone. Nothing else is needed, no server and no account.
"""

import csv
import hashlib
import io
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar
from urllib.parse import quote, urlsplit

from schemas.identity import content_id
from streams.blobs import NotFound, ObjectStore, open_store
from streams.connectors import feed_files
from streams.connectors.base import Page, ProductMedia, Shop, ShopProduct
from streams.connectors.feed_files import Row
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused

OUT = "packshot-supplemental.tsv"
COLUMNS = ("id", "image_link", "additional_image_link", "lifestyle_image_link", "digital_source_type")
ADDITIONAL_MAX = 10  # that Google takes
SETTLED_MS = 2_000  # what was written just now may not be written to its end
PAGE = 500
ATTRIBUTES = (
    "brand", "gtin", "mpn", "material", "pattern", "size", "gender", "age_group", "condition", "item_group_id",
    "product_height", "product_width", "product_length", "product_weight",
)  # fmt: skip
PICTURE_BYTES_MAX = 256 * 1024 * 1024  # of a file beside a feed that is told by its digest; no source is as large
# As IPTC writes it into a picture's XMP. A C2PA manifest, which may come first, names such terms, too, and ends none.
_SOURCE_TYPE = re.compile(rb"digitalsourcetype/([A-Za-z]{1,64})[\"'<]")


class Feed(Shop):
    """Files in a folder."""

    TEXT: ClassVar[str] = "a folder or S3 prefix with CSV, TSV, XLSX or Google Merchant XML; a supplemental feed back"
    SWEEP_S: ClassVar[float] = 10.0
    FULL_S: ClassVar[float] = 0.0
    AT_ONCE: ClassVar[int] = 500

    @cached_property
    def store(self) -> ObjectStore:
        """Where the files lie."""
        return open_store(self.connector.url, s3_endpoint=self.s3_endpoint)

    def check(self) -> str:
        """How many feeds and products there are."""
        self.store.check()
        products = sum(len(page.products) for page in self.pages(None))
        return f"{len(self._feeds())} files with {products} products in {self.store.url}"

    def fingerprint(self) -> str | None:
        """Changes with any file that is there, pictures too; not while a feed is still being written."""
        listed = self._listed()
        newest_ms = max((at_ms for name, at_ms in listed.items() if feed_files.is_feed(name)), default=0)
        is_fresh = 0 <= now_ms() - newest_ms < SETTLED_MS
        return self.connector.cursor if is_fresh else self._looks(listed)

    def pages(self, since: str | None) -> Iterator[Page]:  # noqa: ARG002
        """All products of all files."""
        listed = self._listed()
        if not self._feeds():
            raise Refused("no_feed", f"there is no {', '.join(feed_files.ENDINGS)} in {self.store.url}", field="url")
        read, unread = self._read(listed)
        found, cursor = list(read.values()), self._looks(listed)
        for first in range(0, max(len(found), 1), PAGE):
            yield Page(found[first : first + PAGE], cursor, len(found), {} if first else unread)

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """Products by their id, of all files."""
        wanted = set(source_ids)
        return [each for page in self.pages(None) for each in page.products if each.source_id in wanted]

    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """Writes the supplemental feed anew, where a row of it is another one now."""
        try:
            before = self.store.get(OUT)
            rows = {row["id"]: row for _, row in feed_files.rows(OUT, before.data)}
        except NotFound:
            before, rows = None, {}
        for media in wanted:
            rows.pop(media.sku, None)
            if media.pictures:
                rows[media.sku] = _supplement(media)
        data = _encoded(rows)
        if before is None or data != before.data:
            self.store.put(OUT, data, content_type="text/tab-separated-values")

    def _listed(self) -> dict[str, int]:
        return {name: at_ms for name, at_ms in self.store.written() if name != OUT}

    def _looks(self, listed: Mapping[str, int]) -> str:
        """What all files look like, by their times and sizes."""
        return content_id("feed", listed, {name: size for name, size in self.store.sizes() if name != OUT})

    def _feeds(self) -> list[str]:
        return [name for name in sorted(self._listed()) if feed_files.is_feed(name)]

    def _read(self, listed: Mapping[str, int]) -> tuple[dict[str, ShopProduct], dict[str, str]]:
        """The products by id, the first file that names one counting; and what is wrong by id, or by file and line."""
        found: dict[str, ShopProduct] = {}
        wrong: dict[str, str] = {}
        self._check_sizes(listed)
        for name in filter(feed_files.is_feed, sorted(listed)):
            for line, row in feed_files.rows(name, self.store.get(name).data):
                if len(found) + len(wrong) >= feed_files.ROWS_MAX:
                    raise Refused("bad_feed", f"{name}: more than {feed_files.ROWS_MAX} products in all", field=name)
                sku = row.get("sku") or row.get("id", "")
                if not sku:
                    wrong[f"{name}:{line}"] = "there is no id"
                elif sku not in found:
                    try:
                        found[sku] = self._product(name, sku, row, listed)
                    except Refused as refusal:
                        wrong[sku] = f"{name}, line {line}: {refusal}"
        return found, {name: why for name, why in wrong.items() if name not in found}

    def _check_sizes(self, listed: Mapping[str, int]) -> None:
        """Raises Refused for files that are too large, before any of them is read."""
        sizes = {name: size for name, size in self._sizes.items() if name in listed and feed_files.is_feed(name)}
        if sum(sizes.values()) > feed_files.FEEDS_BYTES_MAX:
            name, most = max(sizes, key=lambda each: sizes[each]), feed_files.FEEDS_BYTES_MAX
            raise Refused("bad_feed", f"{sum(sizes.values()):,} bytes of feeds, of {most:,} at most", field=name)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return dict(self.store.sizes())

    def _product(self, feed: str, sku: str, row: Row, listed: Mapping[str, int]) -> ShopProduct:
        named = [self._source(feed, each, listed) for each in addresses(row)]
        columns = (*ATTRIBUTES, *(name for name in row if name.startswith("attributes.")))
        return ShopProduct(
            source_id=sku,
            sku=sku,
            updated_ms=listed[feed],
            title=row.get("title", ""),
            category=row.get("category") or row.get("product_type") or row.get("google_product_category", ""),
            colour=row.get("colour") or row.get("color"),
            sources=tuple(uri for uri, _ in named),
            digests={uri: digest for uri, digest in named if digest},
            channels=tuple(_several(row.get("channels", ""), "|")),
            attributes={name.removeprefix("attributes."): row[name] for name in columns if name in row},
        )

    def _source(self, feed: str, link: str, listed: Mapping[str, int]) -> tuple[str, str | None]:
        """The address of a picture, and its digest where it is a file beside the feed."""
        if _is_address(link):
            return link, None
        key = posixpath.normpath(posixpath.join(posixpath.dirname(feed), link.replace("\\", "/")))
        if key not in listed:
            raise Refused("source_not_found", f"there is no file {link!r} beside it", field="image_link")
        if self._sizes.get(key, 0) > PICTURE_BYTES_MAX:
            raise Refused("source_too_large", f"{link!r} has {self._sizes[key]:,} bytes", field="image_link")
        uri = f"{self.store.url.rstrip('/')}/{quote(key)}"
        is_near = self.store.url.startswith("file:")  # elsewhere it would be fetched only to be told apart
        return uri, hashlib.sha256(self.store.get(key).data).hexdigest() if is_near else None


def addresses(row: Row) -> list[str]:
    """The pictures of a row, the main one first."""
    first = _several(row.get("sources") or row.get("image_link") or row.get("image", ""), "|")
    more = _several(row.get("additional_image_link") or row.get("additional_image_links", ""), ",")
    return list(dict.fromkeys([*first, *more]))


def _several(text: str, separator: str) -> list[str]:
    return [each.strip() for each in text.split(separator) if each.strip()]


def _is_address(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) and "://" in text
    except ValueError:
        return True


def _supplement(media: ProductMedia) -> Row:
    """A product's row: the first picture is the main one, scenes are `lifestyle`; how each was made is disclosed."""
    scenes = [each for each in media.pictures if each.asset.partition(".")[2] == "lifestyle"]
    plain = [each for each in media.pictures if each not in scenes]
    main, *more = plain or scenes
    lifestyle = [each for each in scenes if each is not main]
    shown = [main, *more[:ADDITIONAL_MAX], *lifestyle]
    return {
        "id": media.sku,
        "image_link": main.url,
        "additional_image_link": ",".join(each.url for each in more[:ADDITIONAL_MAX]),
        "lifestyle_image_link": ",".join(each.url for each in lifestyle),
        "digital_source_type": ",".join(source_type(each.load()) for each in shown),
    }


def source_type(data: bytes) -> str:
    """IPTC's DigitalSourceType as it stands in a picture's own metadata; empty where there is none."""
    found = _SOURCE_TYPE.search(data)
    return found[1].decode() if found else ""


def _encoded(rows: Mapping[str, Row]) -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, delimiter="\t", lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows[sku] for sku in sorted(rows))
    return written.getvalue().encode()


SHOP = Feed
