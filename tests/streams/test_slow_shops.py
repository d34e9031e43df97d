"""Shops that are slow on purpose, or without an end: they hold up nobody but their own tenant."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streams.connectors import working
from streams.connectors.base import Page, ProductMedia, Shop, ShopProduct
from streams.connectors.http import Client
from streams.connectors.running import OF_TENANT, Runner
from streams.facts import Connector, Database
from streams.runtime.errors import Refused, Unavailable
from tests.streams.connector_world import NETWORKS, World

WITHIN_S = 60.0
HEAD = b"HTTP/1.1 200 OK\r\n"
PARTS: Mapping[str, tuple[bytes, bytes]] = {
    "headers": (HEAD, b"x"),
    "more headers": (HEAD, b"X: y\r\n"),
    "a body": (HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "a body without an end": (HEAD + b"Connection: close\r\n\r\n", b"1"),
    "a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n", b"x"),
    "what is packed": (HEAD + b"Content-Encoding: deflate\r\nConnection: close\r\n\r\n", b"\x00\x00\x00\xff\xff"),
}


@pytest.fixture(params=PARTS)
def slow(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a host that says a little, again and again, and never comes to an end."""
    begin, again = PARTS[request.param]
    stop = threading.Event()

    def drip(stream: socket.socket) -> None:
        with stream, suppress(OSError):
            stream.recv(65_536)
            stream.sendall(begin)
            while not stop.wait(0.2):
                stream.sendall(again)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=[server.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_comes_in_drops_is_given_up(slow: str) -> None:
    client = Client(NETWORKS, answer_s_max=1.0)
    began_s = time.monotonic()
    for _ in range(2):
        with pytest.raises(Unavailable):
            client.request("GET", slow)
    client.close()
    assert time.monotonic() - began_s < WITHIN_S


def test_a_handshake_that_comes_in_drops_is_given_up() -> None:
    def drip(server: socket.socket) -> None:
        with suppress(OSError), server.accept()[0] as stream:
            stream.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
            while True:
                stream.sendall(b"\x00")
                time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=[server], daemon=True).start()
        began_s = time.monotonic()
        with pytest.raises(Unavailable):
            Client(NETWORKS, answer_s_max=1.0).request("GET", f"https://127.0.0.1:{server.getsockname()[1]}/")
        assert time.monotonic() - began_s < WITHIN_S


class Endless(Shop):
    """A shop that has always one page more; `hangs` keeps whoever asks it there."""

    TEXT = "endless"
    hangs: threading.Event
    requests: list[str]

    def check(self) -> str:
        return ""

    def pages(self, since: str | None) -> Iterator[Page]:  # noqa: ARG002
        self.requests.append(self.connector.connector)
        while self.connector.tenant == "hostile" and not self.hangs.wait(0.01):
            yield Page(())

    def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:  # noqa: ARG002
        return []

    def show(self, wanted: Sequence[ProductMedia]) -> None: ...


@pytest.fixture
def world(tmp_path: Path) -> World:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    return World(database, tmp_path, Connector("shop-0", "endless", "hostile", "https://a.example", ("web",)))


def endless(monkeypatch: pytest.MonkeyPatch) -> type[Endless]:
    made = type("Made", (Endless,), {"hangs": threading.Event(), "requests": []})
    monkeypatch.setattr("streams.connectors.running.kind", lambda _: made)
    return made


def test_a_tenant_s_slow_shops_leave_room_for_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = endless(monkeypatch)
    for number in range(1, 40):
        world.rows.add(Connector(f"shop-{number}", "endless", "hostile", "https://a.example", ("web",)))
    world.rows.add(Connector("small", "endless", "acme", "https://a.example", ("web",)))
    work, stop = world.work, threading.Event()
    runner = Runner(world.rows, work.taking, work.showing, NETWORKS, now_ms=lambda: world.now_ms)
    thread = threading.Thread(target=runner.run, args=[stop])
    thread.start()
    ends_at_s = time.monotonic() + WITHIN_S
    while "small" not in shop.requests and time.monotonic() < ends_at_s:
        time.sleep(0.05)
    requests = list(shop.requests)
    stop.set()
    shop.hangs.set()
    thread.join()
    assert "small" in requests
    assert len([each for each in requests if each != "small"]) == OF_TENANT


def test_a_sweep_without_an_end_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "PAGES_MAX", 20)
    shop: Any = endless(monkeypatch)(world.connector, Client())
    with pytest.raises(Refused) as refusal:
        list(world.work.sweep(shop, full=True))
    assert refusal.value.code == "endless_shop"
