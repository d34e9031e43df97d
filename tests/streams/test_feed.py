"""A folder of feeds as a shop: what stands in it comes in, a supplemental feed goes back."""

import csv
import os
from pathlib import Path

import openpyxl
import pytest

from streams.blobs import open_store
from streams.connectors import feed_files
from streams.connectors.http import Client
from streams.connectors.kinds.feed import OUT, Feed, source_type
from streams.facts import Connector, Database
from streams.runtime.errors import Refused
from tests.streams.connector_world import START_MS, World

CSV = (
    "id,title,image_link,additional_image_link,product_type,color\nMUG-1,Mug,https://a.example/1.jpg,{more},Mugs,grey\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "feeds"
    made.mkdir()
    return made


@pytest.fixture
def world(tmp_path: Path, folder: Path) -> World:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    return World(database, tmp_path, Connector("shelf", "feed", "demo", folder.as_uri(), ("web",)))


def put(file: Path, text: str | bytes, at_ms: int = START_MS) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(file, ns=(at_ms * 1_000_000,) * 2)


def announced(world: World) -> list[tuple[str, str, int]]:
    return [(each.change, each.sku, each.version) for each in world.broker.events()]


def test_a_row_is_a_product_with_the_files_time_as_its_version(world: World, folder: Path) -> None:
    put(folder / "products.csv", CSV.format(more="https://a.example/2.jpg"))
    world.turn()
    [event] = world.broker.events()
    assert [each.uri for each in event.sources] == ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    assert (event.title, event.category, event.colour, event.channels) == ("Mug", "Mugs", "grey", ["web"])
    assert (event.version, event.occurred_at_ms) == (START_MS, START_MS)
    world.turn(60)
    world.sweep()
    assert len(world.broker.events()) == 1


def test_a_change_is_announced_once_and_a_file_that_is_only_written_again_is_none(world: World, folder: Path) -> None:
    put(folder / "products.csv", CSV.format(more=""))
    world.turn()
    put(folder / "products.csv", CSV.format(more=""), START_MS + 1000)
    world.turn(60)
    assert len(world.broker.events()) == 1
    put(folder / "products.csv", CSV.format(more="https://a.example/2.jpg"), START_MS + 2000)
    world.turn(60)
    world.turn(60)
    assert announced(world) == [("upsert", "MUG-1", START_MS), ("upsert", "MUG-1", START_MS + 2000)]


def test_what_stands_in_no_file_any_more_is_gone_and_comes_back(world: World, folder: Path) -> None:
    put(folder / "a.csv", CSV.format(more=""))
    put(folder / "b.csv", CSV.format(more="").replace("MUG-1", "MUG-2"))
    world.turn()
    (folder / "b.csv").unlink()
    world.turn(60)
    assert announced(world)[2:] == [("delete", "MUG-2", world.broker.events()[2].version)]
    put(folder / "b.csv", CSV.format(more="").replace("MUG-1", "MUG-2"), START_MS - 5000)
    world.turn(60)
    versions = [version for _, sku, version in announced(world) if sku == "MUG-2"]
    assert versions == sorted(set(versions))
    assert announced(world)[-1][:2] == ("upsert", "MUG-2")


def test_an_empty_folder_or_half_a_feed_takes_nothing_away(world: World, folder: Path) -> None:
    rows = "".join(f"MUG-{number},Mug,https://a.example/{number}.jpg\n" for number in range(30))
    put(folder / "products.csv", f"id,title,image_link\n{rows}")
    world.turn()
    (folder / "products.csv").unlink()
    with pytest.raises(Refused, match="there is no"):
        world.turn(60)
    put(folder / "products.csv", 'id,title,image_link\nMUG-1,"half')
    with pytest.raises(Refused, match="line"):
        world.turn(60)
    put(folder / "products.csv", "id,title,image_link\nMUG-1,Mug,https://a.example/1.jpg\n")
    with pytest.raises(Refused, match="29 of 30 products are gone"):
        world.turn(60)
    assert len(world.broker.events()) == 30
    for _ in world.work.sweep(world.shop(), full=True, believes=True):
        pass
    assert [each.change for each in world.broker.events()].count("delete") == 29


def test_a_file_that_was_written_just_now_waits_for_its_end(world: World, folder: Path) -> None:
    (folder / "products.csv").write_text(CSV.format(more=""))
    world.turn()
    assert world.broker.events() == []


def test_pictures_beside_the_feed_are_files_and_a_change_of_one_is_a_change(world: World, folder: Path) -> None:
    put(folder / "photos" / "mug 1.jpg", b"one")
    put(folder / "products.csv", "sku,title,image\nMUG-1,Mug,photos/mug 1.jpg\nMUG-2,Cup,photos/none.jpg\n")
    world.turn()
    [event] = world.broker.events()
    assert event.sources[0].uri == (folder / "photos" / "mug 1.jpg").as_uri()
    [failed_product] = world.rows.hindered("shelf", 10)
    assert (failed_product.source_id, "photos/none.jpg" in failed_product.why) == ("MUG-2", True)
    put(folder / "photos" / "mug 1.jpg", b"two", START_MS + 9000)
    world.turn(60)
    assert [each.version for each in world.broker.events()] == [START_MS, START_MS + 1]


def test_a_product_that_can_be_none_of_ours_is_reported_with_its_field_and_stops_no_other(
    world: World, folder: Path
) -> None:
    long = "X" * 300
    put(
        folder / "a.csv",
        f"id,title,image_link\n{long},Mug,https://a.example/1.jpg\nA,Mug,\nB,Mug,https://a.example/b\n",
    )
    world.turn()
    assert [each.sku for each in world.broker.events()] == ["B"]
    why = {each.source_id[:3]: each.why for each in world.rows.hindered("shelf", 10)}
    assert why["A"].startswith("sources: ")
    assert why["XXX"].startswith("sku: ")
    put(folder / "a.csv", "id,title,image_link\nA,Mug,https://a.example/a\nB,Mug,https://a.example/b\n", START_MS + 9)
    world.turn(60)
    assert [each.sku for each in world.broker.events()] == ["B", "A"]


def supplement(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / OUT).read_text().splitlines(), delimiter="\t"))


def test_a_supplemental_feed_says_what_is_live_and_how_it_was_made(world: World, folder: Path) -> None:
    put(folder / "products.csv", CSV.format(more=""))
    world.publish("MUG-1", "web-2", b"second")  # even before the product was seen here
    world.turn()
    made = b'...http://cv.iptc.org/newscodes/digitalsourcetype/composite"/>'
    world.publish("MUG-1", "web-1", made)
    world.publish("MUG-1", "web-1.lifestyle", b"scene")
    world.publish("MUG-1", "amazon-1", b"another channel's", channel="amazon")
    world.turn()
    [row] = supplement(folder)
    assert (row["id"], row["digital_source_type"]) == ("MUG-1", "composite,,")
    assert "/web-1/" in row["image_link"]
    assert "/web-2/" in row["additional_image_link"]
    assert "/web-1.lifestyle/" in row["lifestyle_image_link"]
    before = (folder / OUT).stat().st_mtime_ns
    world.publish("MUG-1", "web-1", made)
    world.turn(60)
    assert (folder / OUT).stat().st_mtime_ns == before
    world.publish("MUG-1", "web-1", b"newer", version=2)
    for asset in ("web-2", "web-1.lifestyle"):
        world.retract("MUG-1", asset)
    world.turn()
    [row] = supplement(folder)
    assert (row["additional_image_link"], row["lifestyle_image_link"]) == ("", "")
    world.retract("MUG-1", "web-1")
    world.turn()
    assert supplement(folder) == []
    assert [each.sku for each in world.broker.events()] == ["MUG-1"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "xml"])
def test_every_format_says_the_same(ending: str, world: World, folder: Path) -> None:
    columns = {"id": "MUG-1", "title": 'A 12" mug', "image_link": "https://a.example/1.jpg", "brand": "Acme"}
    if ending == "xlsx":
        book = openpyxl.Workbook()
        book.active.append([name.title() for name in columns] + ["GTIN"])
        book.active.append([*columns.values(), 4006381333931.0])
        book.save(folder / "a.xlsx")
        put(folder / "a.xlsx", (folder / "a.xlsx").read_bytes())
    elif ending == "xml":
        fields = "".join(
            f"<g:{name}>{value}</g:{name}>" for name, value in {**columns, "gtin": "4006381333931"}.items()
        )
        feed = f'<rss xmlns:g="{feed_files.GOOGLE}"><channel><title>Shop</title><item>{fields}</item></channel></rss>'
        put(folder / "a.xml", feed)
    else:
        comma = "\t" if ending == "tsv" else ","
        values = [
            value if ending == "tsv" else f'"{value.replace(chr(34), chr(34) * 2)}"' for value in columns.values()
        ]
        put(folder / f"a.{ending}", f"{comma.join([*columns, 'gtin'])}\n{comma.join([*values, '4006381333931'])}\n")
    world.turn()
    [event] = world.broker.events()
    assert (event.sku, event.title) == ("MUG-1", 'A 12" mug')
    assert event.attributes == {"brand": "Acme", "gtin": "4006381333931"}


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.csv", b"title,price\nMug,1\n", "no column id or sku"),
        ("a.csv", b"id,title\nA,B,C,D\n", "4 values, and 2 columns"),
        ("a.csv", b"id,title\nA,\xff\n", "no UTF-8"),
        ("a.xlsx", b"PK no workbook", "no workbook"),
        ("a.xml", b"<rss><channel><item>", "line 1"),
        ("a.xml", b"<rss/>", "no <item> or <entry>"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><rss><item><id>&b;</id></item></rss>', "no document type"),
    ],
)
def test_what_is_no_feed_is_reported_with_its_file_and_line(name: str, data: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        list(feed_files.rows(name, data))
    assert (refusal.value.code, refusal.value.field) == ("bad_feed", name)


def test_a_picture_says_itself_how_it_was_made() -> None:
    assert source_type(b"x digitalsourcetype/trainedAlgorithmicMedia< x") == "trainedAlgorithmicMedia"
    assert source_type(b"none") == ""


def test_a_signed_picture_says_in_its_metadata_how_it_was_made_and_not_in_its_manifest() -> None:
    manifest = b"qdigitalSourceTypexFhttp://cv.iptc.org/newscodes/digitalsourcetype/digitalCapturekdescriptionfcutout"
    packet = b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/composite"'
    assert (source_type(manifest), source_type(manifest + packet)) == ("", "composite")


def test_a_prefix_of_a_bucket_is_a_folder_too(
    tmp_path: Path, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.connectors.kinds.feed.SETTLED_MS", 0)
    url = f"s3://packshot/feeds-{tmp_path.name}"
    store = open_store(url, s3_endpoint=s3_endpoint)
    store.put("products.csv", b"id,title,image_link\nMUG-1,Mug,photos/mug.jpg\n")
    store.put("photos/mug.jpg", b"a photograph")
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    world = World(database, tmp_path, Connector("shelf", "feed", "demo", url, ("web",)))
    shop = Feed(world.connector, Client(), s3_endpoint)
    for _ in world.work.sweep(shop, full=True):
        pass
    [event] = world.broker.events()
    assert event.sources[0].uri == f"{url}/photos/mug.jpg"
    world.publish("MUG-1", "web-1", b"one")
    world.work.pictures(shop)
    assert b"MUG-1\thttps://cdn.example/demo/mug-1/web-1/" in store.get(OUT).data
    database.close()
