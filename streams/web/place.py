"""What the pages stand on: the gateway's stores, and the pictures."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from streams.blobs import Blobs
from streams.facts import Database, Facts
from streams.flow.relay import Sender
from streams.runtime.settings import Settings
from streams.services.display.showing import Showing
from streams.services.submitting.catalogue import Catalogue
from streams.services.submitting.progress import Progress


class Stores(Protocol):
    """What the gateway has, which the API stands on as well."""

    @property
    def settings(self) -> Settings: ...
    @property
    def database(self) -> Database: ...
    @property
    def producer(self) -> Sender: ...
    @property
    def progress(self) -> Progress: ...


@dataclass(frozen=True)
class Place:
    """One desk's stores, its producer, and the pictures that it shows."""

    settings: Settings
    database: Database
    sender: Sender
    showing: Showing
    progress: Progress | None = None

    @property
    def is_closing(self) -> bool:
        """Whether the gateway ends: what tells for as long as somebody listens ends with it."""
        return self.progress is not None and self.progress.is_closed

    @classmethod
    def of(cls, stores: Stores) -> "Place":
        """A desk over the stores of a gateway."""
        return cls(stores.settings, stores.database, stores.producer, Showing(stores.settings), stores.progress)

    @property
    def catalogue(self) -> Catalogue:
        """What takes products and campaigns."""
        return Catalogue(self.database, self.sender, self.settings.source_file_roots)

    @property
    def blobs(self) -> Blobs:
        """The pictures, and what people draw on them."""
        return self.showing.blobs

    def read(self) -> AbstractContextManager[Facts]:
        """A consistent look at the facts."""
        return self.database.read()
