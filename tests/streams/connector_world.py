"""A shop, the facts and the flow around a connector, on virtual time: each step is taken by hand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas import codec, topics
from schemas.codec import HASHED, Codec
from schemas.records import AssetPublished, AssetRetracted, CatalogChanged, Event, Rendition, Verdict
from streams.blobs import FolderStore
from streams.connectors.base import Shop, kind
from streams.connectors.http import Client
from streams.connectors.noting import Noting
from streams.connectors.showing import Showing
from streams.connectors.taking import Taking
from streams.connectors.working import Work
from streams.consumer.letters import Delivery, Outgoing, outgoing
from streams.consumer.work import Wait
from streams.facts import Connector, Connectors, Database
from streams.facts.sealing import Sealer
from streams.services.integrations import connectors as desk
from tests.streams.flow import Flow

NETWORKS = ("127.0.0.0/8",)
START_MS = 1_700_000_000_000


@dataclass
class Broker:
    """Takes records, and has the flow work on events of the catalogue at once."""

    flow: Flow
    records: list[Outgoing] = field(default_factory=list)
    codec: Codec = HASHED

    def send(self, records: Sequence[Outgoing]) -> None:
        self.records += records
        for each in records:
            if each.topic == topics.CATALOG.name:
                self.flow.deliver(each)

    def events(self) -> list[CatalogChanged]:
        """What was told of products."""
        found = [codec.decode(each.value) for each in self.records if each.topic == topics.CATALOG.name]
        return [each for each in found if isinstance(each, CatalogChanged)]


class World:
    """One connector of the tenant `demo`, and a role that works for it when it is told to."""

    def __init__(self, database: Database, folder: Path, connector: Connector) -> None:
        self.database = database
        self.broker = Broker(Flow(database))
        self.rows = Connectors(database, Sealer())
        self.rows.add(connector)
        self.name = connector.connector
        self.origin = FolderStore(folder / "origin")
        self.now_ms = START_MS
        self._offset = 0

    @property
    def connector(self) -> Connector:
        found = self.rows.get(self.name)
        assert found is not None
        return found

    @property
    def work(self) -> Work:
        taking, showing = Taking(self.database, self.rows, self.broker), Showing(self.rows, self.origin)
        return Work(self.rows, taking, showing, lambda: self.now_ms)

    def shop(self) -> Shop:
        return kind(self.connector.kind)(self.connector, Client(NETWORKS))

    def turn(self, after_s: float = 1.0) -> None:
        """The role's turn, so much later."""
        self.now_ms += round(after_s * 1000)
        self.work.turn(self.shop())

    def sweep(self, *, full: bool = True) -> None:
        """A sweep, whenever it would be due."""
        self.now_ms += 1000
        for _ in self.work.sweep(self.shop(), full):
            pass

    def hook(self, headers: dict[str, str], body: bytes) -> bool:
        """A hook comes to the gateway, and what it writes is read; whether it wrote anything."""
        before = len(self.broker.records)
        fields = {name.lower(): value for name, value in headers.items()}
        is_new = desk.receive(self.rows, self.broker, self.name, fields, body)
        for record in self.broker.records[before:]:
            self._read(record)
        return is_new

    def publish(self, sku: str, asset: str, data: bytes, channel: str = "web", version: int = 1) -> None:
        """The publisher puts a picture on the origin, and announces it."""
        digest = hashlib.sha256(data).hexdigest()
        key = f"demo/{sku.lower()}/{asset}/{digest[:16]}-9.1-00000000.jpg"
        self.origin.put(key, data, content_type="image/jpeg")
        file = Rendition(
            key=key, url=f"https://cdn.example/{key}", media_type="image/jpeg", width_px=9, height_px=9,
            size_bytes=len(data), sha256=digest,
        )  # fmt: skip
        event = AssetPublished(
            tenant="demo", sku=sku, version=version, asset=asset, channel=channel, file=file, renditions=[], srcset={},
            verdict=Verdict(outcome="pass", checks=[], rules="web@1"), engine="e", manifest_url="https://cdn.example/m",
            published_at_ms=self.now_ms,
        )  # fmt: skip
        self._say(event)

    def retract(self, sku: str, asset: str) -> None:
        """The publisher announces that a picture is live no more."""
        self._say(
            AssetRetracted(
                tenant="demo", sku=sku, version=2, asset=asset, reason="x", urls=[], retracted_at_ms=self.now_ms
            )
        )

    def _say(self, event: Event) -> None:
        self.now_ms += 1000
        self._read(outgoing(event, "test"))

    def _read(self, record: Outgoing) -> None:
        self._offset += 1
        read = Delivery(record.topic, 0, self._offset, record.key, record.value, list(record.headers), self.now_ms)
        Noting(self.rows, lambda: self.now_ms).handle(read, Wait())
