"""The real API on a socket, over SQLite and a producer that keeps what it is given."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from litestar import Litestar

from streams.api.app import around, stand_on
from streams.api.gateway import Gateway
from streams.services.submitting.progress import Progress
from tests.streams.api.conftest import blobs, database, gateway, key, recorder, routes, settings

__all__ = ["blobs", "database", "gateway", "key", "recorder", "routes", "settings", "url"]


@pytest.fixture
def url(gateway: Gateway, routes: Litestar, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the API listens; what happens is told by the tests, and read from nowhere."""
    monkeypatch.setattr(Progress, "_read", lambda _self: None)
    stand_on(routes, gateway)
    server = uvicorn.Server(uvicorn.Config(around(routes), port=0, log_config=None, timeout_graceful_shutdown=1))
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
