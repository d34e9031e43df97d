"""What the routes stand on: the settings, the facts, a producer, and the services over them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from schemas.codec import HASHED
from streams.consumer import reading
from streams.consumer.letters import Outgoing
from streams.facts import Connectors, Database
from streams.facts.keys import ApiKey
from streams.facts.sealing import Sealer
from streams.flow.relay import Sender
from streams.runtime.settings import Settings
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.uploads import Uploads
from streams.services.submitting.catalogue import Catalogue
from streams.services.submitting.progress import Progress

ANSWERS_WITHIN_S = 2.0


class Nowhere:
    """Takes what a test key sends: it was checked like any other, and goes nowhere."""

    codec = HASHED

    def send(self, _records: Sequence[Outgoing]) -> None:
        """Drops records."""


@dataclass(frozen=True)
class Gateway:
    """One gateway's stores and its producer."""

    settings: Settings
    database: Database
    producer: Sender
    progress: Progress
    pictures: Pictures

    @property
    def uploads(self) -> Uploads:
        """Files that wait to be ordered of."""
        return Uploads(self.pictures.blobs)

    @property
    def connectors(self) -> Connectors:
        """Shops, whose hooks come here."""
        return Connectors(self.database, Sealer(self.settings.sealing_keys))

    def check(self) -> None:
        """Raises Unavailable while the database or the broker is away."""
        with self.database.look() as connection:
            connection.execute(text("SELECT 1"))
        if self.settings.kafka_bootstrap_servers:
            reading.check(self.settings, ANSWERS_WITHIN_S)

    def sender(self, key: ApiKey) -> Sender:
        """Where what a key writes goes."""
        return Nowhere() if key.mode == "test" else self.producer

    def catalogue(self, key: ApiKey) -> Catalogue:
        """Products and campaigns, for a key."""
        return Catalogue(self.database, self.sender(key), self.settings.source_file_roots)
