"""What a kind of shop or PIM is to the rest: a file in `kinds/` with a `SHOP`, found by its name.

A shop is asked for its products as they are now. A hook only says which product to ask for, so that it does not matter
in which order hooks come, how often, or whether at all: the sweep finds what they missed.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module, resources
from typing import ClassVar

from streams.connectors.http import Client
from streams.facts.connector_records import Connector
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused

OURS = re.compile(r"packshot-[0-9a-f]{16}-[A-Za-z0-9._-]+")
"""How a file of ours is called in a shop, whatever a shop puts behind it."""


@dataclass(frozen=True)
class Hook:
    """What a hook says: its id, the same in all attempts, and the product that is to be looked at."""

    hook: str
    source_id: str


@dataclass(frozen=True)
class ShopProduct:
    """A product as a shop has it. `sources` are addresses of the shop's own photographs, none of them ours.

    `updated_ms` is the source's own time of its last change, Unix ms; `digests` the SHA-256 of sources where known.
    """

    source_id: str
    sku: str
    updated_ms: int
    title: str = ""
    category: str = ""
    colour: str | None = None
    sources: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def newest_ms(products: Iterable[ShopProduct], before_ms: int) -> int:
    """The time of the last change among products and those before, Unix ms: none that is still to come."""
    return max([before_ms, *(min(each.updated_ms, now_ms()) for each in products)])


@dataclass(frozen=True)
class Page:
    """Some products of a sweep; behind it, the next one begins at `cursor`. `total` is how many there are, if known.

    `unread` are the shop's ids of products that are there and cannot be read, each with the reason.
    """

    products: Sequence[ShopProduct]
    cursor: str = ""
    total: int | None = None
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """One of our pictures for a shop: `name` says what is in it, `load` gives the bytes."""

    asset: str
    name: str
    url: str
    media_type: str
    alt: str
    load: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True)
class ProductMedia:
    """What of ours is to stand at a product, in this order and nothing else; `gone` are names of what stood there."""

    source_id: str
    sku: str
    title: str
    pictures: Sequence[Picture]
    gone: Sequence[str] = ()


class Shop(ABC):
    """A shop or PIM. Every method raises Refused for what it will not do, and Unavailable while it is away.

    A shop is opened for one piece of work, on one thread.
    """

    TEXT: ClassVar[str]
    """What it is, in a line."""
    SECRETS: ClassVar[Mapping[str, str]] = {}
    """The secrets that it needs: name and what each is; asked for when a connector is added."""
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    """What else may be set, likewise."""
    SIGNED_BY: ClassVar[str | None] = None
    """The secret that hooks are signed with where it is ours to choose; one is made when none is given."""
    SWEEP_S: ClassVar[float] = 300.0
    """Between two sweeps: how late a change without a hook comes at most."""
    FULL_S: ClassVar[float] = 24 * 3600.0
    """Between two sweeps of everything, which find what was deleted without a hook; 0: every sweep is one."""
    AT_ONCE: ClassVar[int] = 1
    """Products whose pictures are written together."""

    def __init__(self, connector: Connector, client: Client, s3_endpoint: str | None = None) -> None:
        self.connector = connector
        self.client = client
        self.s3_endpoint = s3_endpoint

    @abstractmethod
    def check(self) -> str:
        """Who answers, in a line for the operator."""

    def received(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Hook:  # noqa: ARG002
        """What a hook says, whose signature and freshness are right; header names are in lower case. Asks nobody.

        Raises Refused: `hook_signature`, `hook_stale` or `hook_malformed`.
        """
        raise Refused("hook_malformed", f"{self.connector.kind} sends no hooks")

    def hook_of(self, body: bytes) -> Hook:  # noqa: ARG002
        """What an event says that the shop itself wrote to `imagery.inbound`, where only it may write for itself.

        It is found by its CloudEvents `subject`, which is the connector's option `subscription`. Raises Refused.
        """
        raise Refused("hook_malformed", f"{self.connector.kind} writes no events")

    def published_keys(self) -> str | None:
        """What hooks are verified with, where the shop publishes it: each sweep asks, and it is kept as `keys`."""
        return None

    def fingerprint(self) -> str | None:
        """What all products together look like, where that is cheap to know: the cursor of the sweep that saw it."""
        return None

    @abstractmethod
    def pages(self, since: str | None) -> Iterator[Page]:
        """The products that have changed since a cursor, or all of them where it is None."""

    @abstractmethod
    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:
        """Products as they are now; those that the shop does not have any more are left out."""

    @abstractmethod
    def show(self, wanted: Sequence[ProductMedia]) -> None:
        """Makes our pictures at these products just those that are wanted: the same again changes nothing.

        The shop's own media stay, behind ours. At a product that the shop does not have any more nothing is done.
        """


def kinds() -> list[str]:
    """The kinds that there are, by name."""
    files = (resources.files("streams.connectors") / "kinds").iterdir()
    return sorted(file.name.removesuffix(".py") for file in files if file.name.endswith(".py") and file.name[0] != "_")


def kind(name: str) -> type[Shop]:
    """The class of a kind. Raises Refused for one that is not there."""
    if name not in kinds():
        raise Refused("unknown_kind", f"{name!r} is none of {', '.join(kinds())}", field="KIND")
    found: type[Shop] = import_module(f"streams.connectors.kinds.{name}").SHOP
    return found


def file_name(digest: str, asset: str, media_type: str) -> str:
    """How a picture of ours is called in a shop: by what is in it, so that it is known again."""
    return f"packshot-{digest[:16]}-{asset}.{media_type.rpartition('/')[2].replace('jpeg', 'jpg')}"


@dataclass(frozen=True)
class MediaDifference:
    """What a product has: our pictures that are to stay, by name; ours that are to go; and the shop's own."""

    kept: Mapping[str, str]
    going: Sequence[str]
    theirs: Sequence[str]


def is_ours(text: str) -> bool:
    """Whether a file's name or address is that of a picture of ours."""
    return _stem(text) is not None


def media_difference(pictures: Sequence[Picture], media: Sequence[tuple[str, str]]) -> MediaDifference:
    """Tells media apart, each an id and a file's name or address, as they are. One that is there twice goes once."""
    wanted = {each.name.rpartition(".")[0]: each.name for each in pictures}
    kept: dict[str, str] = {}
    going, theirs = [], []
    for media_id, text in media:
        stem = _stem(text)
        if stem is None:
            theirs.append(media_id)
            continue
        name = next((name for plain, name in wanted.items() if stem == plain or stem.startswith(f"{plain}_")), None)
        if name is None or name in kept:
            going.append(media_id)
        else:
            kept[name] = media_id
    return MediaDifference(kept, going, theirs)


def _stem(text: str) -> str | None:
    """The name without its ending; shops put an underscore and more behind one that they have already."""
    found = OURS.search(text.rpartition("/")[2].partition("?")[0])
    return found[0].rpartition(".")[0] or found[0] if found else None
