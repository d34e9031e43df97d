"""The real API on a socket, over SQLite and a producer that keeps what it is given."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

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
def gateway(tmp_path: Path, database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setattr(Progress, "_read", lambda _self: None)  # what happens is told by the tests
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1", gateway_key_per_minute=50)
    return Gateway(settings, database, recorder, Progress(settings))


@pytest.fixture
def key(database: Database) -> str:
    return keys.create(database, "shop", ("demo",))[0]


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(build(gateway), port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    gateway.progress.close()
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()
