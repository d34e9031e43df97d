"""What several tests of the workers stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.blobs import Blobs
from streams.facts import Database
from tests.gpu_workers.source_server import Server
from tests.memory_store import MemoryStore
from tests.streams.flow import upsert


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server of photographs."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def blobs() -> Blobs:
    """A blob store in memory."""
    return Blobs(MemoryStore())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Facts that know the products A and B."""
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    with opened.begin() as facts:
        for sku in "AB":
            facts.products.put(upsert(sku=sku))
    yield opened
    opened.close()
