"""What a shop shows: the products of a folder, a feed, a file of events or a connected shop, each with its pictures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from gpu_workers.local import files
from schemas.records import CatalogChanged
from streams.connectors import feed_files
from streams.connectors.base import ShopProduct
from streams.connectors.kinds.feed import addresses
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.integrations import connectors
from streams.services.submitting.event_files import read_events

CONNECTOR = "connector:"
_NUMBER = re.compile(r"[-_ ]?\(?\d{1,2}\)?$")  # behind a product's name where a folder has several pictures of it


@dataclass(frozen=True)
class Product:
    """A product as it is shown; `pictures` are addresses, the main one first. `channels` are empty where unknown."""

    sku: str
    title: str = ""
    category: str = ""
    channels: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The products, and what of the source could not be read, each in a line."""

    products: list[Product]
    unread: list[str]


def products_of(settings: Settings, source: str) -> Listing:
    """The products of a folder, a file (events, or a Google Merchant feed), or `connector:NAME`. Raises Refused."""
    if source.startswith(CONNECTOR):
        return _connected(settings, source.removeprefix(CONNECTOR))
    path = Path(source)
    if path.is_dir():
        return Listing(list(_in_folder(path)), [])
    if not path.is_file():
        why = f"{source} is no folder and no file; a connected shop is {CONNECTOR}NAME"
        raise Refused("source_not_found", why, field="SOURCE")
    return _feed(path) if _is_feed(path) else _events(path)


def _in_folder(folder: Path) -> Iterator[Product]:
    """A folder within it is a product; so are pictures that lie in it themselves, whose names differ by a number."""
    found: dict[str, list[str]] = {}
    for job in files.find([folder], folder / "no target").jobs:
        parts = job.name.parts
        name = parts[0] if len(parts) > 1 else _NUMBER.sub("", job.name.name) or job.name.name
        found.setdefault(name, []).append(job.source.absolute().as_uri())
    for name, pictures in found.items():
        yield Product(name, pictures=tuple(pictures))


def _is_feed(path: Path) -> bool:
    """Whether a file is a feed: XML, a workbook, or columns of which one leads to pictures as Google calls them."""
    if not feed_files.is_feed(path.name):
        return False
    if path.suffix.lower() in (".xml", ".xlsx"):
        return True
    with path.open("rb") as file:
        return b"image_link" in file.readline(65536).lower().replace(b" ", b"_")


def _feed(path: Path) -> Listing:
    products: dict[str, Product] = {}
    unread = []
    for line, row in feed_files.rows(path.name, path.read_bytes()):
        sku = row.get("sku") or row.get("id", "")
        if not sku:
            unread.append(f"{path.name}, line {line}: there is no id")
        elif sku not in products:
            category = row.get("category") or row.get("product_type") or row.get("google_product_category", "")
            beside = path.absolute().as_uri()
            pictures = tuple(urljoin(beside, each.replace("\\", "/")) for each in addresses(row))
            products[sku] = Product(sku, row.get("title", ""), category, ("google",), pictures)
    return Listing(list(products.values()), unread)


def _events(path: Path) -> Listing:
    events, bad = read_events(path)
    newest: dict[str, CatalogChanged] = {}
    for each in (read.event for read in events):
        if isinstance(each, CatalogChanged):
            key = f"{each.tenant}|{each.sku}"
            newest[key] = max(newest.get(key, each), each, key=lambda event: event.version)
    shown = {name: each for name, each in newest.items() if each.change == "upsert"}
    is_one = len({each.tenant for each in shown.values()}) == 1
    products = [
        Product(
            each.sku if is_one else name,
            each.title,
            each.category,
            tuple(each.channels),
            tuple(one.uri for one in each.sources),
        )
        for name, each in shown.items()
    ]
    return Listing(products, [f"{path.name}, line {each.line}: {each.field}: {each.message}" for each in bad])


def _connected(settings: Settings, name: str) -> Listing:
    products, unread = connectors.products(settings, name)
    return Listing([_of_shop(each) for each in products], [f"{each}: {why}" for each, why in unread.items()])


def _of_shop(product: ShopProduct) -> Product:
    return Product(product.sku, product.title, product.category, product.channels, product.sources)
