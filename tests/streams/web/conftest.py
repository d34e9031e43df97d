"""The desk over SQLite and a producer that keeps what it is given."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.access import sessions
from streams.services.display.showing import Showing
from streams.web.app import build
from streams.web.place import Place
from streams.web.visitors import COOKIE
from tests.streams.flow import Recorder

Client = TestClient[ASGIApp]
SignIn = Callable[..., Client]


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
    return Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1")


@pytest.fixture
def place(settings: Settings, database: Database, recorder: Recorder) -> Place:
    return Place(settings, database, recorder, Showing(settings))


@pytest.fixture
def sign_in(place: Place) -> Iterator[SignIn]:
    """A client that is signed in; it says the form token of its session unless it is told not to."""
    opened: list[Any] = []

    def signed_in(*tenants: str, role: Any = "reviewer", name: str = "ada") -> Client:
        client = TestClient(build(place), base_url="http://desk.example", raise_server_exceptions=False)
        opened.append(client.__enter__())
        if tenants:
            token, _ = sessions.enter(place.database, sessions.link(place.database, name, tenants, role))
            client.cookies.set(COOKIE, token)
            client.headers["X-Form-Token"] = sessions.form_token(token)
        return client

    yield signed_in
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(sign_in: SignIn) -> Client:
    """Nobody."""
    return sign_in()
