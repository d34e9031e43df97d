"""Publication: what goes, what is told again after a crash, and the product's own announcement."""

from pathlib import Path

import msgspec
import pytest

from schemas.records import (
    AssetPublished,
    AssetRetracted,
    ProductPublished,
    Verdict,
)
from streams.publishing.publication import ProductState
from tests.streams.shop import TOMBSTONE, Crash, Shop, kinds, retract, withheld


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# the product's announcement


def test_the_last_asset_of_the_plan_announces_the_product_once(shop: Shop) -> None:
    assert kinds(shop.apply(shop.request("web-1"), 1)) == ["AssetPublished"]
    asset, product = shop.apply(shop.request("amazon-1"), 2)
    assert isinstance(asset, AssetPublished)
    assert isinstance(product, ProductPublished)
    assert (product.assets, product.withheld, product.version) == (["amazon-1", "web-1"], {}, 1)
    assert kinds(shop.apply(shop.request("web-1", shade=3), 3)) == ["AssetPublished"]


def test_what_is_withheld_completes_the_plan_with_its_reason(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.plan(1, "web-1", amazon_1="rejected")
    [product] = shop.apply(withheld("amazon-1"), 2)
    assert isinstance(product, ProductPublished)
    assert (product.assets, product.withheld) == (["web-1"], {"amazon-1": "the subject is cut off"})


def test_a_withheld_asset_that_comes_after_all_announces_the_product_again(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.plan(1, "web-1", amazon_1="failed")
    shop.apply(withheld("amazon-1"), 2)
    shop.plan(1, "web-1", "amazon-1")
    request = shop.request("amazon-1", shade=3)
    _, product = shop.apply(request, 3)
    assert isinstance(product, ProductPublished)
    assert (product.assets, product.withheld) == (["amazon-1", "web-1"], {})
    assert kinds(shop.apply(request, 3)) == ["AssetPublished", "ProductPublished"]
    assert shop.apply(request, 4) == []


def test_a_reason_from_the_facts_is_reported_when_the_asset_ended_first(shop: Shop) -> None:
    shop.facts.now = ProductState(1, False, {"web-1": "planned", "amazon-1": "failed"}, {"amazon-1": "404"})
    assert shop.apply(withheld("amazon-1"), 1) == []
    _, product = shop.apply(shop.request("web-1"), 2)
    assert isinstance(product, ProductPublished)
    assert product.withheld == {"amazon-1": "404"}


def test_a_plan_of_which_nothing_is_live_is_not_announced(shop: Shop) -> None:
    shop.plan(1, web_1="failed", amazon_1="failed")
    assert shop.apply(withheld("web-1"), 1) == []
    assert shop.stored() == set()


def test_a_complete_plan_sends_off_what_it_no_longer_holds(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    [*_, first] = shop.apply(shop.request("amazon-1"), 2)
    shop.plan(2, "web-1")
    published, retracted, product = shop.apply(shop.request("web-1", version=2), 3)
    assert isinstance(first, ProductPublished)
    assert isinstance(published, AssetPublished)
    assert isinstance(retracted, AssetRetracted)
    assert isinstance(product, ProductPublished)
    assert (retracted.asset, retracted.version, retracted.reason) == ("amazon-1", 1, "not in the plan of version 2")
    assert product.assets == ["web-1"]
    assert shop.is_sound()


def test_a_larger_plan_of_the_same_version_is_announced_again(shop: Shop) -> None:
    shop.plan(1, "web-1")
    assert kinds(shop.apply(shop.request("web-1"), 1)) == ["AssetPublished", "ProductPublished"]
    shop.plan(1, "web-1", "sale.web-1")
    assert kinds(shop.apply(shop.request("sale.web-1"), 2)) == ["AssetPublished", "ProductPublished"]


# retractions


def test_a_deleted_product_leaves_nothing_behind(shop: Shop) -> None:
    published = [*shop.apply(shop.request("web-1"), 1), *shop.apply(shop.request("amazon-1"), 2)]
    shop.delete_product(2)
    gone = shop.apply(retract(version=2), 3)
    assert [event.asset for event in gone if isinstance(event, AssetRetracted)] == ["amazon-1", "web-1"]
    urls = {url for event in gone if isinstance(event, AssetRetracted) for url in event.urls}
    live = [event for event in published if isinstance(event, AssetPublished)]
    assert urls == {one.url for event in live for one in (event.file, *event.renditions)}
    assert shop.stored() == TOMBSTONE


def test_the_sweep_takes_even_files_that_no_manifest_ever_named(shop: Shop) -> None:
    shop.origin.crash_after_put_of = ".avif"
    with pytest.raises(Crash):
        shop.apply(shop.request("web-1"), 1)
    shop.delete_product(2)
    assert shop.apply(shop.request("web-1"), 1) == []
    shop.sweep()
    assert shop.stored() == TOMBSTONE


def test_a_late_request_for_a_deleted_product_takes_everything_away(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.delete_product(2)
    assert kinds(shop.apply(shop.request("amazon-1"), 2)) == ["AssetRetracted"]
    assert shop.apply(retract(version=2), 3) == []
    assert shop.stored() == TOMBSTONE


def test_named_assets_go_and_the_others_stay(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.apply(shop.request("amazon-1"), 2)
    shop.plan(1, "web-1")
    retracted, product = shop.apply(retract(assets=["amazon-1", "never-was"]), 3)
    assert isinstance(retracted, AssetRetracted)
    assert isinstance(product, ProductPublished)
    assert (retracted.asset, retracted.reason, product.assets) == ("amazon-1", "recalled", ["web-1"])
    assert shop.is_sound()


def test_a_late_retraction_leaves_what_is_planned_again(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    assert kinds(shop.apply(retract(assets=["web-1"]), 2)) == []
    assert "web-1" in shop.manifest().assets


def test_the_last_asset_leaves_a_tombstone(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.plan(1, "amazon-1")
    assert kinds(shop.apply(retract(assets=["web-1"]), 2)) == ["AssetRetracted"]
    assert shop.stored() == TOMBSTONE


def test_a_retraction_spares_newer_versions(shop: Shop) -> None:
    shop.plan(3, "web-1", "amazon-1")
    shop.apply(shop.request("web-1", version=3), 1)
    assert shop.apply(retract(version=2), 2) == []
    assert shop.is_sound()


def test_a_retraction_spares_what_was_asked_for_after_it(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 9)
    assert shop.apply(retract(), 8) == []
    assert shop.is_sound()


def test_a_retraction_of_a_product_that_nobody_knows_is_carried_out(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.facts.now = None
    assert kinds(shop.apply(retract(), 2)) == ["AssetRetracted"]
    assert shop.stored() == TOMBSTONE


# the same request again, after a crash


def test_every_request_gives_the_same_events_again(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.plan(1, "web-1", "amazon-1", zalando_1="failed")
    last = shop.request("amazon-1")
    assert shop.apply(last, 2) == (again := shop.apply(last, 2))
    assert kinds(again) == ["AssetPublished", "ProductPublished"]
    gone = retract(assets=["web-1"])
    shop.plan(1, "amazon-1", zalando_1="failed")
    assert shop.apply(gone, 3) == (again := shop.apply(gone, 3))
    assert kinds(again) == ["AssetRetracted", "ProductPublished"]
    shop.delete_product(2)
    assert shop.apply(retract(version=2), 4) == (again := shop.apply(retract(version=2), 4))
    assert kinds(again) == ["AssetRetracted"]


def test_a_retraction_is_announced_again_though_the_cache_was_emptied(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    gone = shop.apply(retract(), 2)
    assert kinds(gone) == ["AssetRetracted"]
    shop.blobs.store.delete_prefix("results/")
    assert shop.apply(retract(), 2) == gone


def test_a_retraction_that_an_older_version_noted_is_announced_again(shop: Shop) -> None:
    """It lies among the results, where older versions looked for it."""
    shop.apply(shop.request("web-1"), 1)
    gone = shop.apply(retract(), 2)
    store = shop.blobs.store
    for key in list(store.keys("journal/")):
        store.put(f"results/{key.removeprefix('journal/')}", store.get(key).data)
        store.delete(key)
    assert shop.apply(retract(), 2) == gone


@pytest.mark.parametrize("crash_after_put_of", ["manifest.json", ".jpg", ".avif"])
def test_a_publication_that_was_killed_is_completed(shop: Shop, crash_after_put_of: str) -> None:
    shop.plan(1, "web-1")
    shop.origin.crash_after_put_of = crash_after_put_of
    with pytest.raises(Crash):
        shop.apply(shop.request("web-1"), 1)
    assert kinds(shop.apply(shop.request("web-1"), 1)) == ["AssetPublished", "ProductPublished"]
    shop.sweep()
    assert shop.is_sound()


@pytest.mark.parametrize("deleted", [True, False])
@pytest.mark.parametrize("at", ["manifest", "objects"])
def test_a_retraction_that_was_killed_is_completed(shop: Shop, at: str, deleted: bool) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.apply(shop.request("amazon-1"), 2)
    if deleted:
        shop.delete_product(2)
    if at == "manifest":
        shop.origin.crash_after_put_of = "manifest.json"
    else:
        shop.origin.crash_before_delete = True
    with pytest.raises(Crash):
        shop.apply(retract(version=2), 3)
    events = shop.apply(retract(version=2), 3)
    assert kinds(events) == ["AssetRetracted", "AssetRetracted"]
    assert shop.apply(retract(version=2), 3) == events
    assert shop.stored() == TOMBSTONE


def test_a_dropped_asset_is_not_forgotten_when_its_request_is_stale_by_then(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.apply(shop.request("amazon-1"), 2)
    shop.plan(2, "web-1")
    events = shop.apply(shop.request("web-1", version=2), 3)  # and killed before its transaction
    assert kinds(events) == ["AssetPublished", "AssetRetracted", "ProductPublished"]
    shop.plan(3, "web-1")
    shop.apply(shop.request("web-1", version=3, shade=9), 4)  # in the same batch
    assert kinds(shop.apply(shop.request("web-1", version=2), 3)) == ["AssetRetracted"]


def test_what_went_live_unannounced_leaves_unannounced(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)  # and killed before its transaction
    shop.delete_product(2)
    assert shop.apply(shop.request("web-1"), 1) == []
    assert shop.stored() == TOMBSTONE


def test_what_is_live_is_announced_even_when_it_is_stale_by_then(shop: Shop) -> None:
    [event] = shop.apply(shop.request("web-1"), 1)  # and killed before its transaction
    shop.plan(2, "web-1")
    assert shop.apply(shop.request("web-1"), 1) == [event]


# what people hold back, and take back

RESULT = "c" * 64


def taken_back(shop: Shop, result_id: str = RESULT) -> list[str]:
    event = msgspec.structs.replace(retract(assets=["web-1"]), result_id=result_id)
    return kinds(shop.apply(event, 5))


@pytest.mark.parametrize("state", ["review", "rejected"])
def test_what_is_held_back_since_goes_live_by_no_request_of_before(shop: Shop, state: str) -> None:
    shop.plan(1, "amazon-1", web_1=state)
    assert shop.apply(shop.request("web-1"), 1) == []
    assert shop.stored() == set()


def test_just_the_result_whose_decision_was_taken_back_goes(shop: Shop) -> None:
    shop.apply(msgspec.structs.replace(shop.request("web-1"), result_id=RESULT), 1)
    shop.plan(1, "amazon-1", web_1="review")
    assert taken_back(shop, "d" * 64) == [], "another result is live"
    assert taken_back(shop) == ["AssetRetracted"]
    assert "web-1" not in shop.manifest().assets


def test_what_was_approved_again_stays_though_the_taking_back_comes_late(shop: Shop) -> None:
    shop.apply(msgspec.structs.replace(shop.request("web-1"), result_id=RESULT), 1)
    shop.plan(1, "amazon-1", web_1="published")
    assert taken_back(shop) == []


def test_what_is_judged_by_newer_rules_is_announced_as_unchanged(shop: Shop) -> None:
    request = shop.request("web-1")
    shop.apply(request, 1)
    before = shop.stored()
    newer = msgspec.structs.replace(request, verdict=Verdict(outcome="pass", checks=[], rules="2026-12"))
    (announced,) = shop.apply(newer, 2)
    assert isinstance(announced, AssetPublished)
    assert (announced.unchanged, announced.verdict.rules) == (True, "2026-12")
    assert shop.stored() == before
