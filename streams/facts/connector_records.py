"""What the connectors' tables hold, as it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.records import Rendition


@dataclass(frozen=True)
class Connector:
    """A shop or PIM of a tenant. Products are asked for on `channels`; the pictures of the first go back.

    `cursor` is where the next sweep begins, in the kind's own words; `due_at_ms` when that is.
    """

    connector: str
    kind: str
    tenant: str
    url: str
    channels: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    why: str = ""
    created_at_ms: int = 0
    cursor: str = ""
    swept_at_ms: int | None = None
    fully_swept_at_ms: int | None = None
    failures: int = 0
    due_at_ms: int = 0


@dataclass(frozen=True)
class ConnectorProduct:
    """A shop's product as it is known here. `why` it is not taken in, `why_unwritten` its pictures are not in the shop.

    `due_at_ms` is when its pictures are to be written; `serial` grows with each reason to.
    """

    connector: str
    source_id: str
    sku: str
    title: str
    updated_ms: int
    seen_ms: int
    version: int
    digest: str
    deleted: bool = False
    why: str = ""
    why_unwritten: str = ""
    due_at_ms: int | None = None
    serial: int = 0
    tries: int = 0


@dataclass(frozen=True)
class ConnectorPicture:
    """A picture that is to stand in the shop, or to be gone from there when it is not `wanted`."""

    sku: str
    asset: str
    file: Rendition
    wanted: bool
    at_ms: int


@dataclass(frozen=True)
class NotedChange:
    """A product that the shop is to be asked for."""

    source_id: str
    noted_ms: int
    tries: int
