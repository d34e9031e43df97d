"""Publication: stale requests, bad input, and two publishers at once."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from schemas.records import (
    Blob,
    ProductPublished,
)
from streams.blobs import NotFound
from streams.publishing import publication, renditions
from streams.publishing.manifest import load, manifest_key
from streams.publishing.publication import Announcement, ProductState
from streams.runtime.errors import Refused, Unavailable
from tests.streams.shop import TOMBSTONE, Shop, kinds, retract, withheld


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# what is stale


@pytest.mark.parametrize(
    "newest", [ProductState(2, False, {"web-1": "planned"}), ProductState(1, False, {"amazon-1": "planned"})]
)
def test_a_superseded_request_publishes_nothing(shop: Shop, newest: ProductState) -> None:
    shop.facts.now = newest
    assert shop.apply(shop.request("web-1"), 1) == []
    assert shop.stored() == set()


def test_an_older_version_never_replaces_a_newer(shop: Shop) -> None:
    shop.plan(2, "web-1", "amazon-1")
    shop.apply(shop.request("web-1", version=2), 2)
    before = shop.manifest()
    shop.plan(1, "web-1", "amazon-1")  # facts that were set back
    assert shop.apply(shop.request("web-1", shade=5), 3) == []
    assert shop.manifest() == before


def test_an_earlier_request_of_the_same_version_never_replaces_a_later(shop: Shop) -> None:
    shop.apply(shop.request("web-1", shade=200), 7)
    before = shop.manifest()
    assert shop.apply(shop.request("web-1", shade=10), 6) == []
    assert shop.manifest() == before


def test_a_log_that_began_anew_does_not_hold_requests_back(shop: Shop) -> None:
    shop.apply(shop.request("web-1", shade=200), 7)
    later_ms = shop.now_ms + 1000
    assert kinds(shop.apply(shop.request("web-1", shade=10), 0, later_ms)) == ["AssetPublished"]


@pytest.mark.parametrize("known", [None, ProductState(1, False, {"web-1": "planned"})])
def test_a_version_that_the_facts_do_not_know_is_refused(shop: Shop, known: ProductState | None) -> None:
    shop.facts.now = known
    with pytest.raises(Refused, match=r"no version 2 of acme\|mug") as refused:
        shop.apply(shop.request("web-1", version=2), 1)
    assert (refused.value.code, refused.value.field) == ("unknown_version", "version")


# bad input


def test_a_missing_blob_is_named(shop: Shop) -> None:
    request = shop.request("web-1")
    shop.blobs.store.delete_prefix("sha256/")
    with pytest.raises(Refused, match=request.file.digest) as refused:
        shop.apply(request, 1)
    assert refused.value.code == "blob_missing"


def test_a_corrupt_blob_is_named(shop: Shop) -> None:
    request = shop.request("web-1")
    shop.blobs.store.put(f"sha256/{request.file.digest[:2]}/{request.file.digest}", b"other bytes")
    with pytest.raises(Refused) as refused:
        shop.apply(request, 1)
    assert refused.value.code == "blob_corrupt"
    assert shop.stored() == TOMBSTONE


def test_a_blob_that_is_no_picture_is_refused(shop: Shop) -> None:
    text = Blob(
        role="asset", digest=shop.blobs.put(b"text"), media_type="image/jpeg", width_px=1, height_px=1, size_bytes=4
    )
    with pytest.raises(Refused) as refused:
        shop.apply(msgspec.structs.replace(shop.request("web-1"), file=text), 1)
    assert refused.value.code == "not_a_picture"


def test_an_asset_that_can_be_no_folder_is_refused(shop: Shop) -> None:
    shop.plan(1, "../../x")
    with pytest.raises(Refused) as refused:
        shop.apply(shop.request("../../x"), 1)
    assert refused.value.code == "bad_asset_name"


@pytest.mark.parametrize("tenant", ["acme\n", "../acme", "ac|me", "\u202eacme", ""])
def test_a_tenant_that_can_be_no_folder_is_refused(shop: Shop, tenant: str) -> None:
    for event in (shop.request("web-1"), retract(), withheld("web-1")):
        with pytest.raises(Refused) as refused:
            shop.apply(msgspec.structs.replace(event, tenant=tenant), 1)
        assert (refused.value.code, refused.value.field) == ("bad_tenant_name", "tenant")


@pytest.mark.parametrize("sku", ["..", "mug|1", "manifest.json", "a" * 128, "日本", "../../etc/passwd"])
def test_a_product_of_any_name_is_published_and_taken_back(shop: Shop, sku: str) -> None:
    event = msgspec.structs.replace(shop.request("web-1"), sku=sku)
    assert "AssetPublished" in kinds(shop.apply(event, 1))
    assert "AssetRetracted" in kinds(shop.apply(msgspec.structs.replace(retract(), sku=sku), 2))


@pytest.mark.parametrize("sku", ["mug\n", "a" * 5000, "\x00", "\u202emug"])
def test_a_name_that_no_announcement_can_tell_is_refused_before_anything_is_live(shop: Shop, sku: str) -> None:
    with pytest.raises(Refused) as refused:
        shop.apply(msgspec.structs.replace(shop.request("web-1"), sku=sku), 1)
    assert "sku" in f"{refused.value.field} {refused.value}"
    manifest, _ = load(shop.origin, "acme", sku)
    assert manifest is not None
    assert manifest.assets == {}


def test_an_announcement_that_no_topic_would_take_is_refused_before_anything_is_live(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "ANNOUNCEMENT_BYTES_MAX", 500)
    with pytest.raises(Refused) as refused:
        shop.apply(shop.request("web-1"), 1)
    assert refused.value.code == "announcement_too_large"
    assert shop.manifest().assets == {}


def test_long_reasons_of_a_large_plan_fit_into_its_announcement(shop: Shop) -> None:
    shop.plan(1, "web-1", **{f"a{number}": "failed" for number in range(500)})
    shop.facts.now = replace(
        shop.facts.now or ProductState(1, False, {}), reasons={f"a{n}": "x" * 4000 for n in range(500)}
    )
    [_, announced] = shop.apply(shop.request("web-1"), 1)
    assert isinstance(announced, ProductPublished)
    assert len(announced.withheld) == 500


def test_a_picture_with_too_many_pixels_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "PIXELS_MAX", 40 * 30 - 1)
    with pytest.raises(Refused, match="40 × 30") as refused:
        shop.apply(shop.request("web-1"), 1)
    assert (refused.value.code, refused.value.field) == ("picture_too_large", "file")


# two publishers at once


def test_whoever_loses_the_manifest_looks_again(shop: Shop) -> None:
    rival_events: list[Announcement] = []
    shop.origin.rival = lambda: rival_events.extend(shop.apply(shop.request("amazon-1"), 2))
    mine = shop.apply(shop.request("web-1"), 1)
    assert kinds(rival_events) == ["AssetPublished"]
    assert kinds(mine) == ["AssetPublished", "ProductPublished"]
    assert set(shop.manifest().assets) == {"web-1", "amazon-1"}
    assert shop.is_sound()


def test_a_zombie_and_its_successor_agree(shop: Shop) -> None:
    request, successor = shop.request("web-1"), list[Announcement]()
    shop.origin.rival = lambda: successor.extend(shop.apply(request, 1))
    assert shop.apply(request, 1) == successor
    assert kinds(successor) == ["AssetPublished"]


@pytest.mark.parametrize("facts_ahead", [True, False])
def test_a_zombie_that_wakes_after_the_deletion_leaves_nothing(shop: Shop, facts_ahead: bool) -> None:
    def deletion() -> None:
        shop.delete_product(2)
        shop.apply(retract(version=2), 2)
        shop.sweep()

    if facts_ahead:
        shop.facts.before_look(2, lambda: shop.delete_product(2))
    shop.origin.rival = deletion
    assert shop.apply(shop.request("web-1"), 1) == []
    assert shop.stored() == TOMBSTONE


def test_a_zombie_that_wakes_after_the_product_came_back_leaves_nothing(shop: Shop) -> None:
    def newer() -> None:
        shop.plan(3, "web-1")
        shop.apply(shop.request("web-1", version=3, shade=7), 2)

    shop.origin.rival = newer
    assert shop.apply(shop.request("web-1"), 1) == []
    assert shop.manifest().version == 3
    assert shop.is_sound()


def test_a_manifest_that_never_stands_still_is_a_reason_to_wait(shop: Shop) -> None:
    count = iter(range(100, 200))

    def moved_by_another() -> None:
        shop.origin.rival = None
        shop.apply(shop.request("amazon-1", shade=next(count)), next(count))
        shop.origin.rival = moved_by_another

    shop.origin.rival = moved_by_another
    with pytest.raises(Unavailable, match=r"acme\|mug"):
        shop.apply(shop.request("web-1"), 1)


def test_the_facts_being_away_is_no_answer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_tenant: str, _sku: str) -> ProductState:
        raise Unavailable("the database is away")

    monkeypatch.setattr(shop.facts, "state_of", away)
    with pytest.raises(Unavailable):
        shop.apply(shop.request("web-1"), 1)
    with pytest.raises(NotFound):
        shop.origin.get(manifest_key("acme", "mug"))
