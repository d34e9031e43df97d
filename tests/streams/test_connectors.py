"""The role `connectors` beyond what every kind promises: leases, shops that are away or break, and its commands."""

import base64
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.servers.process import free_port
from schemas.records import Rendition
from streams.commands.connectors import connectors
from streams.connectors.base import Page, Picture, ProductMedia, Shop, ShopProduct, media_difference
from streams.connectors.http import Client
from streams.connectors.kinds.shopify import VERSION, Shopify
from streams.connectors.running import Runner
from streams.connectors.working import FAILED_WAIT_MS
from streams.facts import Connector, ConnectorPicture, Connectors, Database
from streams.facts.connectors import LEASE_MS
from streams.facts.sealing import Sealer
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings, SettingsError
from streams.services.integrations import connectors as desk
from tests.contracts.shops.base import serving
from tests.contracts.shops.shopify import ShopifyStandIn
from tests.streams.connector_world import NETWORKS, START_MS, World

YEAR_MS = 365 * 24 * 3_600_000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopifyStandIn]:
    made = ShopifyStandIn(tmp_path)
    with serving(made):
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, shop: ShopifyStandIn, tmp_path: Path) -> Iterator[World]:
    is_file = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path}/facts.db" if is_file else request.getfixturevalue("postgres_url"))
    database.create_tables()
    yield World(database, tmp_path, shop.connector())
    database.drop_tables()
    database.close()


def runner(world: World) -> Runner:
    work = world.work
    return Runner(world.rows, work.taking, work.showing, NETWORKS, now_ms=lambda: world.now_ms)


def turn(world: World) -> None:
    for each in world.rows.take("me", world.now_ms, 1):
        runner(world).turn(each, "me", threading.Event())


def test_only_one_works_for_a_connector_until_its_lease_is_over(world: World) -> None:
    assert [each.connector for each in world.rows.take("a", world.now_ms, 9)] == ["shop"]
    assert world.rows.take("b", world.now_ms, 9) == []
    assert not world.rows.hold("shop", "b", world.now_ms)
    assert world.rows.hold("shop", "a", world.now_ms)
    assert [each.connector for each in world.rows.take("b", world.now_ms + LEASE_MS + 1, 9)] == ["shop"]
    assert not world.rows.hold("shop", "a", world.now_ms + LEASE_MS + 2)
    world.rows.release("shop", "a")
    assert world.rows.take("c", world.now_ms + LEASE_MS + 3, 9) == []
    world.rows.release("shop", "b")
    assert len(world.rows.take("c", world.now_ms, 9)) == 1


def test_a_lease_from_a_clock_that_was_set_back_since_is_nobodys(world: World) -> None:
    assert len(world.rows.take("a", world.now_ms + 3_600_000, 9)) == 1
    assert len(world.rows.take("b", world.now_ms, 9)) == 1
    assert not world.rows.hold("shop", "a", world.now_ms)


def test_a_picture_that_can_lie_nowhere_is_refused_and_holds_up_no_other(world: World, shop: ShopifyStandIn) -> None:
    for number in ("1", "2"):
        shop.put(number, f"Mug {number}", START_MS - 5000)
    world.turn()
    sku, other = (event.sku for event in world.broker.events())
    world.publish(other, "web-1", b"picture")
    forged = Rendition(
        key="../../etc/passwd", url="https://cdn.example/x", media_type="image/jpeg", width_px=9, height_px=9,
        size_bytes=9, sha256="0" * 64,
    )  # fmt: skip
    world.rows.note_picture(
        "shop", ConnectorPicture(sku, "web-1", forged, wanted=True, at_ms=world.now_ms), world.now_ms
    )
    world.turn()
    world.turn(3600)
    (hindered,) = world.rows.hindered("shop", 9)
    assert (hindered.sku, hindered.due_at_ms) == (sku, None)
    assert hindered.why_unwritten.startswith("picture_unknown")
    assert world.rows.counts("shop")["to_write"] == 0


def test_a_connector_whose_secrets_no_key_opens_says_so_and_holds_up_no_other(
    world: World, shop: ShopifyStandIn
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    sealed = Connectors(world.database, Sealer([base64.urlsafe_b64encode(bytes(32)).decode()]))
    sealed.add(replace(shop.connector(), connector="another"))
    named = {each.connector: each for each in world.rows.told()}
    assert set(named) == {"another", "shop"}
    assert not named["another"].secrets
    assert [each.connector for _ in range(2) for each in world.rows.take("me", world.now_ms, 1)] == ["shop"]
    assert "PACKSHOT_SECRETS_KEYS" in {each.connector: each.why for each in world.rows.told()}["another"]
    world.rows.release("shop", "me")
    world.turn()
    world.publish("1", "web-1", b"picture")  # its tenant has both
    assert {each.connector for each in world.rows.told("demo")} == {"another", "shop"}
    assert [len(world.rows.pictures(name, "1")) for name in ("another", "shop")] == [1, 1]
    with pytest.raises(SettingsError):
        world.rows.get("another")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Unavailable("the shop is away"), "the shop is away"),
        (Refused("shop_refuses", "the token is revoked"), "the token is revoked"),
        (KeyError("nodes"), "unexpected: KeyError: 'nodes'"),
    ],
)
def test_a_shop_that_is_away_or_breaks_is_left_alone_for_longer_each_time(
    world: World, shop: ShopifyStandIn, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def broken(*_: object) -> Any:
        raise error

    shop.put("1", "Mug", START_MS - 5000)
    with monkeypatch.context() as patch:
        patch.setattr("streams.connectors.kinds.shopify.Shopify.pages", broken)
        for failures in (1, 2, 3):
            turn(world)
            found = world.connector
            assert (found.why, found.failures) == (why, failures)
            assert found.due_at_ms == world.now_ms + FAILED_WAIT_MS * 2 ** (failures - 1)
            world.rows.note_change("shop", "x", world.now_ms)
            assert world.rows.take("me", found.due_at_ms - 1, 1) == []  # not for a hook either
            world.now_ms = found.due_at_ms
    turn(world)
    assert (world.connector.why, world.connector.failures) == ("", 0)
    assert [each.title for each in world.broker.events()] == ["Mug"]


def test_media_that_the_shop_is_still_at_work_on_are_waited_for_and_not_doubled(
    world: World, shop: ShopifyStandIn
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    shop.status = "PROCESSING"
    world.publish("SKU-1", "web-1", b"one")
    world.turn()
    world.publish("SKU-1", "web-2", b"two")
    world.turn()
    assert len(shop.products["1"].media) == 2
    [waiting] = world.rows.hindered("shop", 9)
    assert "media_in_processing" in waiting.why_unwritten
    shop.statuses.clear()
    shop.status = "READY"
    world.turn(60)
    assert len(shop.shown("1")) == 2
    assert world.rows.hindered("shop", 9) == []


def test_a_shop_that_breaks_at_one_product_gets_the_pictures_of_the_others(
    world: World, shop: ShopifyStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    shop.put("2", "Jug", START_MS - 5000)
    world.turn()
    for sku in ("SKU-1", "SKU-2"):
        world.publish(sku, "web-1", sku.encode())
    whole = Shopify._show

    def broken(self: Shopify, media: ProductMedia, product: Any) -> None:
        if media.sku == "SKU-1":
            raise Unavailable("it answers 500")
        whole(self, media, product)

    monkeypatch.setattr(Shopify, "_show", broken)
    for _ in range(3):
        turn(world)
        world.now_ms = max(world.connector.due_at_ms, world.now_ms + 1000)
    assert (len(shop.shown("1")), len(shop.shown("2"))) == (0, 1)
    assert "it answers 500" in world.rows.hindered("shop", 9)[0].why_unwritten
    monkeypatch.setattr(Shopify, "_show", whole)
    world.now_ms += 3_600_000
    turn(world)
    assert len(shop.shown("1")) == 1


def test_a_picture_that_was_replaced_before_it_was_written_is_no_error_for_good(
    world: World, shop: ShopifyStandIn
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    world.publish("SKU-1", "web-1", b"one")
    for key in list(world.origin.keys()):
        world.origin.delete(key)
    world.turn()
    assert "was replaced since" in world.rows.hindered("shop", 9)[0].why_unwritten
    world.publish("SKU-1", "web-1", b"two", version=2)
    world.turn()
    assert (len(shop.shown("1")), world.rows.hindered("shop", 9)) == (1, [])


def test_alt_texts_are_the_products_title(world: World, shop: ShopifyStandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    for number in (1, 2):
        world.publish("SKU-1", f"web-{number}", f"picture {number}".encode())
    world.turn()
    assert [each.alt for each in shop.products["1"].media] == ["Mug", "Mug, 2", ""]
    shop.put("1", "Large mug", world.now_ms)
    world.turn(3600)
    assert [each.alt for each in shop.products["1"].media[:2]] == ["Large mug", "Large mug, 2"]


def test_a_change_that_a_shop_tells_of_the_future_does_not_hide_those_that_follow(
    world: World, shop: ShopifyStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.connectors.base.now_ms", lambda: world.now_ms)
    shop.put("1", "Mug", START_MS + 10 * YEAR_MS)
    world.turn()
    shop.put("1", "Large mug", world.now_ms + 3_599_000)  # its clock was set right
    world.turn(3600)
    assert [each.title for each in world.broker.events()] == ["Mug", "Large mug"]
    assert world.broker.events()[0].version < world.now_ms
    assert world.connector.cursor[:4] < "2030"  # or the next sweep would find nothing until then


def test_two_products_with_one_sku_are_reported_and_neither_takes_the_others_place(
    world: World, shop: ShopifyStandIn
) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    shop.put("2", "Jug", START_MS - 4000)
    shop.products["2"].sku = "SKU-1"
    world.turn()
    assert [each.title for each in world.broker.events()] == ["Mug"]
    assert "is that of gid://shopify/Product/1" in world.rows.hindered("shop", 9)[0].why


def test_another_sku_takes_the_old_product_away(world: World, shop: ShopifyStandIn) -> None:
    shop.put("1", "Mug", START_MS - 5000)
    world.turn()
    shop.products["1"].sku = "SKU-9"
    shop.products["1"].updated_ms = world.now_ms
    world.turn(3600)
    assert [(each.change, each.sku) for each in world.broker.events()] == [
        ("upsert", "SKU-1"), ("delete", "SKU-1"), ("upsert", "SKU-9"),
    ]  # fmt: skip


def test_addresses_inside_are_refused_unless_they_are_allowed(world: World) -> None:
    url = f"{world.connector.url}/admin/api/{VERSION}/graphql.json"
    assert Client(NETWORKS).request("POST", url, body={}, ok=frozenset({401})).status == 401
    with pytest.raises(Refused) as refusal:
        Client().request("POST", url, body={})
    assert refusal.value.code == "private_address"


def test_a_shop_that_nobody_answers_for_is_told_without_our_insides() -> None:
    with pytest.raises(Unavailable) as away:
        Client(NETWORKS).request("GET", f"http://127.0.0.1:{free_port()}/")
    assert "refused" in str(away.value)
    assert "(host=" not in str(away.value)


def picture(name: str) -> Picture:
    return Picture("web-1", name, "", "image/jpeg", "", bytes)


def test_ours_are_distinguished_from_theirs_by_name_whatever_a_shop_puts_behind_it() -> None:
    mine = "packshot-0123456789abcdef-web-1.jpg"
    media = [
        ("a", "https://cdn.example/files/packshot-0123456789abcdef-web-1_4f5e.jpg?v=1"),
        ("b", "packshot-front.jpg"),
        ("c", "packshot-0123456789abcdef-web-1.jpg"),
        ("d", "packshot-0123456789abcdef-web-10.jpg"),
    ]
    found = media_difference([picture(mine)], media)
    assert (found.kept, found.going, found.theirs) == ({mine: "a"}, ["c", "d"], ["b"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "none"}, "unknown_kind"),
        ({"connector": "a b"}, "bad_name"),
        ({"channels": ("moon",)}, "unknown_channel"),
        ({"secrets": {"token": "t"}}, "secret_required"),
        ({"secrets": {"token": "t", "hook": "h", "more": "m"}}, "unknown_secret"),
        ({"options": {"colour": "red"}}, "unknown_option"),
    ],
)
def test_what_is_wrong_with_a_connector_is_reported_before_it_is_added(
    tmp_path: Path, shop: ShopifyStandIn, change: dict[str, Any], code: str
) -> None:
    settings = Settings(data_folder=tmp_path, connector_private_networks=NETWORKS)
    with pytest.raises(Refused) as refusal:
        desk.add(settings, Connector(**{**shop.connector().__dict__, **change}))
    assert refusal.value.code == code


def test_a_shop_that_does_not_answer_is_not_added_and_one_name_is_taken_once(
    tmp_path: Path, shop: ShopifyStandIn
) -> None:
    settings = Settings(data_folder=tmp_path, connector_private_networks=NETWORKS)
    wrong = Connector(**{**shop.connector().__dict__, "secrets": {"token": "no", "hook": "h"}})
    with pytest.raises(Refused, match="401"):
        desk.add(settings, wrong)
    assert desk.listing(settings, None) == []
    desk.add(settings, shop.connector())
    with pytest.raises(Refused) as refusal:
        desk.add(settings, shop.connector())
    assert refusal.value.code == "connector_known"
    assert [each.connector for each, _ in desk.listing(settings, "demo")] == ["shop"]
    assert desk.check(settings, "shop").answer == "Stand-in, 0 products"
    desk.remove(settings, "shop")
    assert desk.listing(settings, None) == []


def test_commands_ask_for_secrets_and_show_none(tmp_path: Path, shop: ShopifyStandIn) -> None:
    settings = Settings(data_folder=tmp_path, connector_private_networks=NETWORKS)
    (tmp_path / "token").write_text("shpat_token\n")
    words = ["add", "shopify", "mine", "--tenant", "demo", "--url", shop.url + "/", "--channel", "web"]
    given = ["--secret", f"token=@{tmp_path / 'token'}"]
    prompted = CliRunner().invoke(connectors, [*words, *given], obj=settings, input="shpss_one\n")
    assert prompted.exit_code == 0, prompted.output
    assert "/hooks/mine" in prompted.output
    for command in (["list"], ["list", "--json"], ["list", "--kinds"], ["check", "mine"], ["check", "mine", "--json"]):
        ran = CliRunner().invoke(connectors, command, obj=settings)
        assert ran.exit_code == 0, ran.output
        assert "shpat_token" not in ran.output + prompted.output
        assert "shpss_one" not in ran.output + prompted.output
    assert CliRunner().invoke(connectors, ["remove", "mine"], obj=settings).exit_code == 0


def test_a_kind_that_does_nothing_says_so() -> None:
    class Blank(Shop):
        """A kind with no more than a kind has to have."""

        TEXT = "nothing"

        def check(self) -> str:
            return ""

        def pages(self, since: str | None) -> Iterator[Page]:  # noqa: ARG002
            return iter(())

        def fetch(self, source_ids: Sequence[str]) -> list[ShopProduct]:  # noqa: ARG002
            return []

        def show(self, wanted: Sequence[ProductMedia]) -> None: ...

    blank = Blank(Connector("a", "feed", "demo", "file:///x", ("web",)), Client())
    with pytest.raises(Refused, match="sends no hooks"):
        blank.received({}, b"", 0)
    assert (blank.fingerprint(), blank.published_keys()) == (None, None)
