"""What is Akeneo's alone: two signatures at once, events by Kafka, and photographs by their addresses."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from streams.connectors.kinds.akeneo import Akeneo, code_of
from streams.connectors.noting import Noting
from streams.consumer.letters import Delivery
from streams.facts import Connector, Connectors, Database
from streams.facts.sealing import Sealer
from streams.runtime.errors import Refused
from tests.contracts.shops.akeneo import SECRET, AkeneoStandIn, uuid_of
from tests.contracts.shops.akeneo_mock import MockAkeneo
from tests.contracts.shops.base import Answer, Product, serving
from tests.streams.connector_world import START_MS, World


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[AkeneoStandIn]:
    made = AkeneoStandIn(tmp_path)
    with serving(made):
        yield made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    made.create_tables()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["primary", "secondary"])
def test_an_event_is_the_pims_by_either_signature(name: str, shop: AkeneoStandIn) -> None:
    _, body = shop.hook("1", START_MS)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    other = {"primary": "secondary", "secondary": "primary"}[name]
    headers = {f"x-akeneo-signature-{name}": signature, f"x-akeneo-signature-{other}": "00" * 32}
    hook = Akeneo(shop.connector(), None).received(headers, body, START_MS)  # type: ignore[arg-type]
    assert (hook.hook, hook.source_id) == ("h-1", uuid_of("1"))


def test_an_event_of_something_else_is_refused_by_its_type(shop: AkeneoStandIn) -> None:
    _, body = shop.hook("1", START_MS)
    body = body.replace(b"product.updated", b"asset.updated")
    headers = {"x-akeneo-signature-primary": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    with pytest.raises(Refused, match="tells of no product") as refusal:
        Akeneo(shop.connector(), None).received(headers, body, START_MS)  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.field) == ("hook_malformed", "type")


def test_events_by_kafka_are_found_by_their_subscription(shop: AkeneoStandIn, database: Database) -> None:
    rows = Connectors(database, Sealer())
    by_kafka = {"photographs": "packshots", "subscription": "subscription-1"}
    rows.add(replace(shop.connector(), options=by_kafka))
    rows.add(replace(shop.connector(), connector="other", options=by_kafka | {"subscription": "subscription-2"}))
    noting = Noting(rows, lambda: START_MS)
    _, body = shop.hook("1", START_MS - 30 * 24 * 3600 * 1000)  # the order of a topic is no matter of minutes
    noting.note_hook(written(body))
    assert [each.source_id for each in rows.changes("shop", START_MS, 9)] == [uuid_of("1")]
    assert rows.changes("other", START_MS, 9) == []
    noting.note_hook(written(body.replace(b"subscription-1", b"subscription-3")))
    for wrong in (b"{}", b"no JSON", body.replace(b"uuid", b"code"), b""):
        with pytest.raises(Refused) as refusal:
            noting.note_hook(written(wrong))
        assert refusal.value.code == "hook_malformed"


def written(body: bytes) -> Delivery:
    """A record as the Event Platform writes it."""
    return Delivery(topics.INBOUND.name, 0, 0, b"whatever", body, [("content-type", b"application/cloudevents+json")])


class Texts(AkeneoStandIn):
    """A PIM whose products have the addresses of their photographs in texts."""

    def connector(self) -> Connector:
        return replace(super().connector(), options={"photographs": "front, back", "locale": "de_DE"})

    def _as_sent(self, product: Product) -> dict[str, Any]:
        found = super()._as_sent(product)
        values = found["values"]
        values["front"] = [{"locale": None, "scope": None, "data": "https://cdn.example/front.jpg"}]
        values["back"] = [{"locale": None, "scope": None, "data": "1/d/7/back.jpg"}]  # a file behind the login
        values["name"].append({"locale": "de_DE", "scope": None, "data": "Becher"})
        if product.id == "2":
            found["values"] = []  # as PHP tells nothing
        return found


def test_texts_with_addresses_are_photographs_and_what_has_no_sku_hinders_nobody(
    tmp_path: Path, database: Database
) -> None:
    shop = Texts(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        shop.put("2", "Jug", START_MS - 5000)
        world.turn()
        (event,) = world.broker.events()
        assert (event.title, [each.uri for each in event.sources]) == ("Becher", ["https://cdn.example/front.jpg"])
        assert event.category == "mugs"
        (failed_product,) = world.rows.hindered("shop", 9)
        assert (failed_product.source_id, "attribute sku" in failed_product.why) == (uuid_of("2"), True)


def test_a_change_of_the_alt_text_uploads_nothing_again(tmp_path: Path, database: Database) -> None:
    shop = Counting(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        world.turn()
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        shop.put("1", "Large mug", world.now_ms)
        world.turn(3600.0)
        world.turn()
        (ours,) = [each for each in shop.assets.values() if "media" in each["values"]]
        assert (shop.uploads, "Large mug" in ours["values"]["label"][0]["data"]) == (1, True)


class Counting(AkeneoStandIn):
    """Counts the files that it is given."""

    uploads = 0

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.uploads += path.endswith("/asset-media-files")
        return super().answer(method, path, headers, body)


def test_a_file_that_has_no_code_is_refused(tmp_path: Path, database: Database) -> None:
    shop = Nameless(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        world.turn()
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        (hindered,) = world.rows.hindered("shop", 9)
        assert (hindered.source_id, "no code" in hindered.why_unwritten, shop.shown("1")) == (uuid_of("1"), True, [])


class Nameless(AkeneoStandIn):
    """Says of no file what it is called."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status, sent, content = super().answer(method, path, headers, body)
        return status, {} if path.endswith("/asset-media-files") else sent, content


# The mock server of PyPI, which others made.


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address, and what was posted to it."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks/shop", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.long
def test_events_that_others_sign_by_the_reference_are_taken(akeneo_url: str, tmp_path: Path) -> None:
    pim, events = MockAkeneo(tmp_path, akeneo_url), ("created", "updated", "deleted")
    connector = Akeneo(pim.connector(), None)  # type: ignore[arg-type]
    with listening() as (url, heard):
        config = {"url": url, "secret": {"primary": SECRET}}
        types = [f"com.akeneo.pim.v1.product.{each}" for each in events]
        pim.ask("POST", "/api/v1/subscribers", {"id": "us", "name": "us"})
        subscription = {"id": "subscription-1", "type": "https", "events": types, "config": config}
        pim.ask("POST", "/api/v1/subscribers/us/subscriptions", subscription)
        pim.put("1", "Mug", START_MS)
        pim.put("1", "Large mug", START_MS + 1000)
        pim.remove("1")
        give_up_at = time.monotonic() + 60
        while len(heard) < len(events) and time.monotonic() < give_up_at:
            time.sleep(0.05)
    hooks = [connector.received(headers, body, round(time.time() * 1000)) for headers, body in heard]
    assert [each.source_id for each in hooks] == [uuid_of("1")] * len(events)
    assert len({each.hook for each in hooks}) == len(events)
    with pytest.raises(Refused, match="none of the signatures"):
        connector.received(heard[0][0], heard[0][1] + b" ", round(time.time() * 1000))


@pytest.mark.long
def test_our_pictures_are_assets_of_a_pim_that_others_made(akeneo_url: str, tmp_path: Path, database: Database) -> None:
    pim = MockAkeneo(tmp_path, akeneo_url)
    world = World(database, tmp_path, pim.connector())
    pim.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    world.turn()
    (ours,) = pim._media("1")
    asset = pim.asset(ours.id)
    assert asset["values"]["media"][0]["data"] == "mock-media-code"
    assert "Mug" in asset["values"]["label"][0]["data"]
    world.retract("SKU-1", "web-1")
    world.turn()
    assert pim.shown("1") == []


def test_codes_have_letters_digits_and_underscores_alone() -> None:
    codes = {code_of(f"packshot-0123456789abcdef-web-{number}.a_b.jpg") for number in range(9)}
    assert len(codes) == 9
    assert all(code.replace("_", "").isalnum() and len(code) < 100 for code in codes)
    assert json.dumps(sorted(codes)).isascii()
