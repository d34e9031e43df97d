"""The API over SQLite and a producer that keeps what it is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from litestar import Litestar
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas import topics
from streams.api.app import around, build_app, nothing, stand_on
from streams.api.gateway import Gateway
from streams.blobs import Blobs
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.access import keys
from streams.services.ordering.admission import Admission
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.replies import Replies
from streams.services.submitting.progress import Progress
from tests.gpu_workers.worker_parts import photograph
from tests.memory_store import MemoryStore
from tests.streams.api.picture_workers import Workers, workers_of
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
    brokers = {"kafka_bootstrap_servers": "127.0.0.1:1"}
    return Settings(data_folder=tmp_path, source_file_roots=[str(tmp_path)], gateway_key_per_minute=50, **brokers)


@pytest.fixture
def gateway(settings: Settings, database: Database, recorder: Recorder, blobs: Blobs) -> Gateway:
    pictures = Pictures(database, blobs, Replies(settings), recorder, Admission(lambda _own: {}))
    return Gateway(settings, database, recorder, Progress(settings), pictures)


@pytest.fixture
def replies(settings: Settings) -> Iterator[Replies]:
    """Replies that nobody reads from Kafka."""
    opened = Replies(settings, TopicPartition(topics.REPLIES.name, 3, 0))
    yield opened
    opened.close()


@pytest.fixture
def workers(
    tmp_path: Path, settings: Settings, replies: Replies, database: Database, blobs: Blobs
) -> Iterator[Workers]:
    with workers_of(settings, tmp_path, blobs, database, replies) as made:
        yield made


@pytest.fixture
def working(settings: Settings, database: Database, blobs: Blobs, workers: Workers, replies: Replies) -> Gateway:
    """A gateway behind which workers work."""
    pictures = Pictures(database, blobs, replies, workers, Admission(lambda _own: workers.others))
    return Gateway(settings, database, workers, Progress(settings), pictures)


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    return photograph(tmp_path).read_bytes()


@pytest.fixture
def blobs() -> Blobs:
    return Blobs(MemoryStore())


@pytest.fixture(scope="session")
def routes() -> Litestar:
    """The API's application, which takes longer to make than most tests take."""
    return build_app(nothing())


@pytest.fixture
def client(gateway: Gateway, routes: Litestar) -> Iterator[TestClient[ASGIApp]]:
    stand_on(routes, gateway)
    with TestClient(around(routes), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def key(database: Database) -> str:
    return keys.create(database, "shop", ("demo",))[0]


@pytest.fixture
def demo(client: TestClient[ASGIApp], key: str) -> TestClient[ASGIApp]:
    """A client with a key for the tenant demo."""
    client.headers["Authorization"] = f"Bearer {key}"
    return client
