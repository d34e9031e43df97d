"""The API over SQLite and a producer that keeps what it is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from streams.api.app import build
from streams.api.gateway import Gateway
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services import keys
from streams.services.progress import Progress
from tests.streams.flow import Recorder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    made.create_tables()
    yield made
    made.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1", gateway_key_per_minute=50)


@pytest.fixture
def gateway(settings: Settings, database: Database, recorder: Recorder) -> Gateway:
    return Gateway(settings, database, recorder, Progress(settings))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[TestClient[ASGIApp]]:
    with TestClient(build(gateway), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def key(database: Database) -> str:
    return keys.create(database, "shop", ("demo",))[0]


@pytest.fixture
def demo(client: TestClient[ASGIApp], key: str) -> TestClient[ASGIApp]:
    """A client with a key for the tenant demo."""
    client.headers["Authorization"] = f"Bearer {key}"
    return client
