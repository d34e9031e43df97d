"""What every connector promises, run on a folder and on a stand-in of each kind of shop.

The stand-ins are held to the shops' schemas; what a shop does beyond them only the shop itself shows.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import topics
from schemas.records import CatalogChanged
from streams.connectors.base import kind, kinds
from streams.facts import Database
from streams.runtime.errors import Refused
from tests.contracts.shops.akeneo import AkeneoStandIn
from tests.contracts.shops.akeneo_mock import MockAkeneo
from tests.contracts.shops.base import StandIn, serving
from tests.contracts.shops.feed import FeedFolder
from tests.contracts.shops.medusa import MedusaStandIn
from tests.contracts.shops.saleor import SaleorStandIn
from tests.contracts.shops.shopify import ShopifyStandIn
from tests.contracts.shops.vendure import VendureStandIn
from tests.contracts.shops.vendure_real import RealVendure
from tests.streams.connector_world import START_MS, World

REAL, MOCK = "vendure-real", "akeneo-mock"
STAND_INS: dict[str, type[StandIn]] = {
    "akeneo": AkeneoStandIn,
    "feed": FeedFolder,
    "medusa": MedusaStandIn,
    "saleor": SaleorStandIn,
    "shopify": ShopifyStandIn,
    "vendure": VendureStandIn,
}
OTHERS = [pytest.param(name, marks=pytest.mark.long) for name in (REAL, MOCK)]  # whom we did not make
HOOKED = [*sorted(STAND_INS.keys() - {"feed"}), *OTHERS]
HOUR_S = 3600.0


@pytest.fixture(params=[*sorted(STAND_INS), *OTHERS])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn]:
    if request.param == REAL:
        yield RealVendure(tmp_path, request.getfixturevalue("vendure_shop"))
        return
    if request.param == MOCK:
        yield MockAkeneo(tmp_path, request.getfixturevalue("akeneo_url"))
        return
    made = STAND_INS[request.param](tmp_path)
    with serving(made):
        yield made


@pytest.fixture
def world(shop: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    made = World(database, tmp_path, shop.connector())
    monkeypatch.setattr("streams.services.integrations.connectors.now_ms", lambda: made.now_ms)
    yield made
    database.close()


with_hooks = pytest.mark.parametrize("shop", HOOKED, indirect=True)


def announced(world: World) -> list[tuple[str, str]]:
    """What was told, but for what the shop itself would say again."""
    return [(each.change, each.title or each.sku) for each in world.broker.events()]


def versions(world: World, sku: str) -> list[int]:
    return [each.version for each in world.broker.events() if each.sku == sku]


def sources(event: CatalogChanged) -> list[str]:
    """The names of its pictures, without what Vendure puts behind one that it has already."""
    names = [each.uri.rpartition("/")[2].partition("?")[0] for each in event.sources]
    return [re.sub(r"__\d+\.", ".", name) for name in names]


def test_every_kind_is_held_to_this() -> None:
    assert sorted(STAND_INS) == kinds()


def test_it_says_who_answers(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    assert "1" in world.shop().check()


def test_a_shop_is_taken_in_with_its_photographs_and_the_time_of_the_change(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000, ("front.jpg", "back.jpg"))
    shop.put("2", "Jug", START_MS - 4000)
    world.turn()
    assert sorted(announced(world)) == [("upsert", "Jug"), ("upsert", "Mug")]
    [mug] = [each for each in world.broker.events() if each.title == "Mug"]
    assert sources(mug) == ["front.jpg", "back.jpg"]
    assert mug.version >= START_MS - 5000
    world.turn(2 * HOUR_S)
    world.sweep()
    assert len(announced(world)) == 2


def test_a_change_that_no_hook_announced_is_found_by_the_sweep(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    shop.put("1", "Large mug", world.now_ms)
    world.turn(HOUR_S)
    assert announced(world) == [("upsert", "Mug"), ("upsert", "Large mug")]
    assert versions(world, "SKU-1") == sorted(set(versions(world, "SKU-1")))


def test_a_deletion_that_no_hook_announced_is_found_and_retracts(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    shop.put("2", "Jug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    world.turn()
    assert len(shop.shown("1")) == 1
    shop.remove("1")
    world.sweep()
    assert announced(world)[-1] == ("delete", "SKU-1")
    world.retract("SKU-1", "web-1")
    world.turn()
    assert shop.shown("1") == []
    count = len(announced(world))
    world.sweep()
    assert len(announced(world)) == count


def test_what_comes_back_is_announced_again_with_a_higher_version(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    shop.put("2", "Jug", START_MS - 5000)
    world.turn()
    shop.remove("1")
    world.sweep()
    shop.put("1", "Mug", START_MS - 5000)
    world.sweep()
    assert [each.change for each in world.broker.events() if each.sku == "SKU-1"] == ["upsert", "delete", "upsert"]
    assert versions(world, "SKU-1") == sorted(set(versions(world, "SKU-1")))


def test_pictures_stand_in_order_before_the_shops_own_and_once(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    for number in (10, 2, 1):
        world.publish("SKU-1", f"web-{number}", f"picture {number}".encode())
    world.turn()
    first = shop.shown("1")
    assert len(first) == 3
    assert shop.theirs("1") == ["front.jpg"]
    writes, count = shop.writes, len(announced(world))
    world.turn(HOUR_S)
    world.sweep()
    for number in (1, 2, 10):
        world.publish("SKU-1", f"web-{number}", f"picture {number}".encode())
    world.turn(HOUR_S)
    world.rows.set("shop", fully_swept_at_ms=None, due_at_ms=0)
    world.turn()
    assert (shop.shown("1"), shop.writes, len(announced(world))) == (first, writes, count)
    world.publish("SKU-1", "web-1", b"a newer one", version=2)
    world.turn()
    assert len(shop.shown("1")) == 3
    assert shop.shown("1")[1:] == first[1:]
    assert shop.shown("1")[0] != first[0]


def test_what_is_retracted_is_gone_and_the_shops_own_stays(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    world.publish("SKU-1", "web-2", b"two")
    world.turn()
    world.retract("SKU-1", "web-1")
    world.turn()
    assert len(shop.shown("1")) == 1
    world.retract("SKU-1", "web-2")
    world.turn()
    assert (shop.shown("1"), shop.theirs("1")) == ([], ["front.jpg"])
    assert world.rows.pictures("shop", "SKU-1") == []


def test_our_own_pictures_are_no_change_and_no_source(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    world.turn()
    world.turn(HOUR_S)
    world.sweep()
    assert announced(world) == [("upsert", "Mug")]
    shop.put("1", "Large mug", world.now_ms)
    world.turn(HOUR_S)
    assert [sources(event) for event in world.broker.events()] == [["front.jpg"]] * 2


def test_who_is_killed_while_it_writes_leaves_nothing_twice(
    world: World, shop: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")

    class Killed(BaseException):
        pass

    with monkeypatch.context() as patch:
        patch.setattr("streams.facts.connectors.Connectors.written", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            world.turn()
    once = shop.shown("1")
    assert len(once) == 1
    world.turn()
    assert shop.shown("1") == once
    assert world.rows.due("shop", world.now_ms, 9) == []


def test_an_older_state_loses_in_whatever_order_they_are_seen(world: World, shop: StandIn) -> None:
    seen = []
    for number in range(6):
        shop.put("1", f"Mug {number}", START_MS + number * 1000)
        world.now_ms += 1000
        seen += [(each, world.now_ms) for page in world.shop().pages(None) for each in page.products]
    order = random.Random(7)
    for _ in range(3):
        order.shuffle(seen)
        for product, seen_ms in seen:
            world.work.taking.take(world.connector, product, seen_ms)
    with world.database.read() as facts:
        known = facts.products.get("demo", "SKU-1")
    assert known is not None
    assert known.event.title == "Mug 5"
    assert versions(world, "SKU-1") == sorted(set(versions(world, "SKU-1")))


# Hooks.


@with_hooks
def test_a_hook_is_taken_and_its_product_looked_at(world: World, shop: StandIn) -> None:
    world.turn()
    shop.put("1", "Mug", world.now_ms)
    headers, body = shop.hook("1", world.now_ms)
    assert world.hook(headers, body)
    [record] = [each for each in world.broker.records if each.topic == topics.INBOUND.name]
    [change] = world.rows.changes("shop", world.now_ms, 9)
    assert (record.key, record.value) == (f"shop|{change.source_id}".encode(), body)
    world.turn()
    assert announced(world) == [("upsert", "Mug")]


@with_hooks
def test_a_hook_of_somebody_else_is_refused(world: World, shop: StandIn) -> None:
    headers, body = shop.hook("1", world.now_ms, forged=True)
    with pytest.raises(Refused) as refusal:
        world.hook(headers, body)
    assert refusal.value.code == "hook_signature"
    headers, body = shop.hook("1", world.now_ms)
    with pytest.raises(Refused) as refusal:
        world.hook(headers, body + b" ")
    assert refusal.value.code == "hook_signature"
    with pytest.raises(Refused):
        world.hook({}, body)
    assert world.broker.records == []


@with_hooks
def test_a_hook_that_is_old_is_refused(world: World, shop: StandIn) -> None:
    with pytest.raises(Refused) as refusal:
        world.hook(*shop.hook("1", world.now_ms - 10 * 24 * 3600 * 1000))
    assert refusal.value.code == "hook_stale"
    assert world.broker.records == []


@with_hooks
def test_a_hook_that_comes_again_changes_nothing(world: World, shop: StandIn) -> None:
    world.turn()
    shop.put("1", "Mug", world.now_ms)
    first = shop.hook("1", world.now_ms)
    assert world.hook(*first)
    world.turn()
    assert not world.hook(*first)
    world.turn()
    assert world.hook(*shop.hook("1", world.now_ms, "h-2"))
    world.turn()
    assert announced(world) == [("upsert", "Mug")]


@with_hooks
def test_a_deletion_by_hook_retracts_at_once_and_a_late_hook_brings_nothing_back(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    late = shop.hook("1", world.now_ms, "h-1")
    shop.remove("1")
    world.hook(*shop.hook("1", world.now_ms, "h-2"))
    world.turn()
    world.hook(*late)
    world.turn()
    assert announced(world) == [("upsert", "Mug"), ("delete", "SKU-1")]


@with_hooks
def test_our_own_write_comes_back_as_a_hook_and_is_dropped(world: World, shop: StandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    world.turn()
    world.hook(*shop.hook("1", world.now_ms, "h-9"))
    world.turn()
    assert announced(world) == [("upsert", "Mug")]


def test_a_kind_says_what_it_needs() -> None:
    for name in kinds():
        found = kind(name)
        assert found.TEXT
        assert found.SIGNED_BY is None or found.SIGNED_BY in found.SECRETS
