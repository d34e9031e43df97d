"""What is Medusa's alone: files that its storages call otherwise, and a thumbnail beside the images."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.records import CatalogChanged
from streams.facts import Database
from tests.contracts.shops.base import Answer, serving
from tests.contracts.shops.medusa import MedusaStandIn
from tests.streams.connector_world import START_MS, World

ULID = "01KBC3Q7ZB0000000000000000"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    made.create_tables()
    yield made
    made.close()


class OnS3(MedusaStandIn):
    """Puts an id behind a file's name, before its ending."""

    def _upload(self, name: str | None, data: bytes) -> Answer:
        stem, _, ending = str(name).rpartition(".")
        return super()._upload(f"{stem}-{ULID}.{ending}", data)


def test_a_file_that_got_an_id_behind_its_name_is_known_again(tmp_path: Path, database: Database) -> None:
    shop = OnS3(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        world.turn()
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        writes, files = shop.writes, dict(shop.files)
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        assert (len(shop.shown("1")), shop.writes, shop.files) == (1, writes, files)
        world.publish("SKU-1", "web-1", b"a newer one", version=2)
        world.turn()
        assert list(shop.files.values()) == [b"a newer one"]


class Renaming(MedusaStandIn):
    """A storage that gives files names of its own."""

    def _upload(self, name: str | None, data: bytes) -> Answer:
        assert name
        return super()._upload("0123.jpg", data)


def test_a_storage_that_hides_the_name_is_refused(tmp_path: Path, database: Database) -> None:
    shop = Renaming(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        world.turn()
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        (hindered,) = world.rows.hindered("shop", 9)
        assert ("otherwise" in hindered.why_unwritten, shop.theirs("1")) == (True, ["front.jpg"])


def test_a_thumbnail_that_is_none_of_the_images_is_a_photograph_and_stays(tmp_path: Path, database: Database) -> None:
    shop = MedusaStandIn(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        shop.thumbnails["1"] = f"{shop.url}/static/small.jpg"
        shop.files["small.jpg"] = b""
        world.turn()
        (event,) = world.broker.events()
        assert names(event) == ["small.jpg", "front.jpg"]
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        assert str(shop.thumbnails["1"]).endswith("-web-1.jpg")
        world.retract("SKU-1", "web-1")
        world.turn()
        assert (shop.shown("1"), shop.files) == ([], {"small.jpg": b""})
        assert "packshot-" not in str(shop.thumbnails["1"])


def names(event: CatalogChanged) -> list[str]:
    return [each.uri.rpartition("/")[2] for each in event.sources]


class Broken(MedusaStandIn):
    """Says of no file where it lies."""

    def _upload(self, name: str | None, data: bytes) -> Answer:
        status, headers, _ = super()._upload(name, data)
        return status, headers, b'{"files": []}'


def test_an_upload_without_an_address_is_told(tmp_path: Path, database: Database) -> None:
    shop = Broken(tmp_path)
    with serving(shop):
        world = World(database, tmp_path, shop.connector())
        shop.put("1", "Mug", START_MS - 5000)
        world.turn()
        world.publish("SKU-1", "web-1", b"one")
        world.turn()
        (hindered,) = world.rows.hindered("shop", 9)
        assert "no address" in hindered.why_unwritten
