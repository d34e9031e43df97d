"""Publication: an asset goes live."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import codec
from schemas.records import (
    AssetPublished,
    AssetRetracted,
)
from streams.publishing import moves, publication
from streams.publishing.publication import Publication
from streams.publishing.renditions import Encoded, render
from streams.services.audit.announcements import Announcements
from tests.streams.shop import CDN, GRACE_S, Crash, Shop, kinds, retract


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# going live


def test_an_asset_goes_live_with_its_file_and_renditions(shop: Shop) -> None:
    request = shop.request("web-1")
    [event] = shop.apply(request, 1)
    assert isinstance(event, AssetPublished)
    assert (event.asset, event.version, event.file.sha256) == ("web-1", 1, request.file.digest)
    assert {one.media_type for one in event.renditions} == {"image/jpeg", "image/webp", "image/avif"}
    for one in [event.file, *event.renditions]:
        stored = shop.origin.get(one.url.removeprefix(f"{CDN}/"))
        assert (len(stored.data), stored.content_type) == (one.size_bytes, one.media_type)
        assert stored.cache_control == "public, max-age=31536000, immutable"
    assert event.srcset["image/webp"].endswith(".webp 40w")
    assert event.manifest_url == f"{CDN}/acme/mug/manifest.json"
    assert shop.manifest().title == "A mug"
    assert shop.is_sound()


def test_events_survive_the_wire(shop: Shop) -> None:
    shop.plan(1, "web-1")
    events = shop.apply(shop.request("web-1"), 1)
    assert [codec.decode(codec.encode(event)) for event in events] == events


def test_what_was_prepared_is_what_is_published(shop: Shop) -> None:
    request = shop.request("web-1")
    prepared = shop.publication.prepare(request, "imagery.publish/0/1")
    assert prepared is not None
    shop.blobs.store.delete_prefix("sha256/")
    [event] = shop.publication.apply(request, "imagery.publish/0/1", prepared)
    assert isinstance(event, AssetPublished)
    assert len(event.renditions) == len(prepared) - 1


def test_nothing_is_prepared_for_what_will_not_go_live(shop: Shop) -> None:
    request = shop.request("web-1")
    shop.apply(request, 1)
    assert shop.publication.prepare(request, "imagery.publish/0/2") is None
    assert shop.publication.prepare(shop.request("gone-1"), "imagery.publish/0/3") is None
    shop.plan(2, "web-1")
    assert shop.publication.prepare(shop.request("web-1", shade=7), "imagery.publish/0/4") is None


def test_the_same_content_from_another_request_publishes_nothing(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    before = shop.manifest()
    assert shop.apply(shop.request("web-1"), 2) == []
    assert shop.manifest() == before


def test_a_newer_version_replaces_and_the_old_files_go_after_a_while(shop: Shop) -> None:
    shop.plan(1, "web-1", "amazon-1")
    [first] = shop.apply(shop.request("web-1", shade=10), 1)
    shop.plan(2, "web-1", "amazon-1")
    [second] = shop.apply(shop.request("web-1", version=2, shade=200), 2)
    assert isinstance(first, AssetPublished)
    assert isinstance(second, AssetPublished)
    assert second.file.key != first.file.key
    assert shop.manifest().version == 2
    old = {one.key for one in (first.file, *first.renditions)}
    shop.sweep(GRACE_S / 2)
    assert old <= shop.stored()
    shop.sweep(GRACE_S)
    assert not old & shop.stored()
    assert shop.is_sound()


def test_a_newer_version_with_the_same_pixels_keeps_its_files(shop: Shop) -> None:
    [first] = shop.apply(shop.request("web-1"), 1)
    shop.plan(2, "web-1", "amazon-1")
    [second] = shop.apply(shop.request("web-1", version=2), 2)
    assert isinstance(first, AssetPublished)
    assert isinstance(second, AssetPublished)
    assert (second.version, second.renditions, second.file) == (2, first.renditions, first.file)
    assert (first.unchanged, second.unchanged) == (False, True)
    assert shop.is_sound()


@pytest.fixture
def encoders_change(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on the same pixels give other files, as after a release with other settings of the encoders."""

    def anew(*source: Any) -> list[Encoded]:
        return [replace(one, data=one.data + b" ") for one in render(*source)]

    def change() -> None:
        monkeypatch.setattr(publication, "render", anew)
        for module in (publication, moves):
            monkeypatch.setattr(module, "ENCODING", "another")

    return change


def test_other_settings_of_the_encoders_give_other_names(shop: Shop, encoders_change: Callable[[], None]) -> None:
    """Caches keep a name for ever, so no name may ever stand for other bytes."""
    [first] = shop.apply(shop.request("web-1"), 1)
    encoders_change()
    shop.plan(2, "web-1", "amazon-1")
    [second] = shop.apply(shop.request("web-1", version=2), 2)
    assert isinstance(first, AssetPublished)
    assert isinstance(second, AssetPublished)
    assert second.file.sha256 == first.file.sha256
    assert not second.unchanged
    assert not {one.key for one in second.renditions} & {one.key for one in first.renditions}
    for one in second.renditions:
        assert hashlib.sha256(shop.origin.get(one.key).data).hexdigest() == one.sha256
    assert shop.is_sound()


def test_a_request_that_comes_again_after_the_encoders_changed_announces_what_went_live(
    shop: Shop, encoders_change: Callable[[], None]
) -> None:
    first, stored = shop.apply(shop.request("web-1"), 1), shop.stored()
    encoders_change()
    assert shop.apply(shop.request("web-1"), 1) == first
    assert shop.stored() == stored
    assert shop.is_sound()


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of the files that were encoded."""
    seen: list[str] = []

    def counted(file: bytes, media_type: str) -> list[Encoded]:
        seen.append(hashlib.sha256(file).hexdigest())
        return render(file, media_type)

    monkeypatch.setattr(publication, "render", counted)
    return seen


def test_an_unchanged_picture_is_not_encoded_again(shop: Shop, encodings: list[str]) -> None:
    shop.apply(shop.request("web-1"), 1)
    stored = shop.stored()
    for version in (2, 3):
        shop.plan(version, "web-1", "amazon-1")
        request = shop.request("web-1", version=version)
        assert shop.publication.prepare(request, f"imagery.publish/0/{version}") is None
        [event] = shop.apply(request, version)
        assert isinstance(event, AssetPublished)
        assert (event.version, event.unchanged) == (version, True)
        assert shop.apply(request, version) == [event]
    assert len(encodings) == 1
    assert shop.stored() == stored


def test_an_unchanged_picture_that_lost_a_file_is_encoded_again(shop: Shop, encodings: list[str]) -> None:
    [first] = shop.apply(shop.request("web-1"), 1)
    assert isinstance(first, AssetPublished)
    shop.origin.delete(first.renditions[0].key)
    shop.plan(2, "web-1", "amazon-1")
    [second] = shop.apply(shop.request("web-1", version=2), 2)
    assert isinstance(second, AssetPublished)
    assert (second.unchanged, len(encodings)) == (False, 2)
    assert all(shop.origin.exists(one.key) for one in (second.file, *second.renditions))


def test_what_was_taken_back_and_whose_removal_was_cut_off_goes_with_the_next_request(shop: Shop) -> None:
    [first] = shop.apply(shop.request("web-1"), 1)
    shop.apply(shop.request("amazon-1"), 2)
    shop.plan(1, "amazon-1", web_1="rejected")
    shop.origin.crash_before_delete = True
    with pytest.raises(Crash):
        shop.apply(retract(assets=["web-1"]), 3)
    assert isinstance(first, AssetPublished)
    assert any(shop.origin.exists(one.key) for one in (first.file, *first.renditions))
    shop.apply(shop.request("amazon-1", shade=7), 4)
    assert not any(shop.origin.exists(one.key) for one in (first.file, *first.renditions))
    assert shop.is_sound()


def test_a_retraction_takes_back_earlier_pictures_of_the_asset_too(shop: Shop) -> None:
    """They are there for those who still show them, and what is illegal is not to be shown for a moment longer."""
    [first] = shop.apply(shop.request("web-1", shade=10), 1)
    [second] = shop.apply(shop.request("web-1", shade=200), 2)
    shop.apply(shop.request("amazon-1"), 3)
    shop.plan(1, "amazon-1", web_1="rejected")
    [*_, gone] = [e for e in shop.apply(retract(assets=["web-1"]), 4) if isinstance(e, AssetRetracted)]
    assert isinstance(first, AssetPublished)
    assert isinstance(second, AssetPublished)
    urls = {one.url for event in (first, second) for one in (event.file, *event.renditions)}
    assert (set(gone.urls), gone.urls_until_ms) == (urls, 0)
    assert not {url.removeprefix(f"{CDN}/") for url in urls} & shop.stored()


def test_what_only_left_the_plan_answers_for_the_grace_that_its_retraction_tells(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.apply(shop.request("amazon-1"), 2)
    shop.plan(2, "web-1")
    _, gone, _ = shop.apply(shop.request("web-1", version=2), 3)
    assert isinstance(gone, AssetRetracted)
    keys = {url.removeprefix(f"{CDN}/") for url in gone.urls}
    assert shop.now_ms < gone.urls_until_ms <= shop.now_ms + GRACE_S * 1000
    assert keys <= shop.stored()
    shop.sweep(GRACE_S)
    assert not keys & shop.stored()


def test_what_took_the_place_of_an_announced_picture_is_not_taken_back_in_silence(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    shop.plan(2, "web-1")
    shop.apply(shop.request("web-1", version=2, shade=7), 2)  # and killed before its transaction
    shop.delete_product(3)
    assert kinds(shop.apply(shop.request("web-1", version=2, shade=7), 2)) == ["AssetRetracted"]


def test_going_back_to_earlier_pixels_keeps_them_there(shop: Shop) -> None:
    for version, shade in enumerate((10, 200, 10), start=1):
        shop.plan(version, "web-1", "amazon-1")
        assert kinds(shop.apply(shop.request("web-1", version, shade), version)) == ["AssetPublished"]
        assert shop.is_sound()


@pytest.mark.parametrize("tick_ms", [0, 1])
def test_networks_that_take_turns_with_the_same_picture_are_announced_each_time(shop: Shop, tick_ms: int) -> None:
    shop.publication = Publication(shop.origin, shop.blobs, shop.facts, CDN, lambda: shop.now_ms)
    announced = Announcements()
    for offset, model in enumerate(("u2netp@1", "other@1", "u2netp@1")):
        (event,) = shop.apply(msgspec.structs.replace(shop.request("web-1"), models=[model]), offset, 1000)
        shop.now_ms += tick_ms
        announced.note(event)
    assert announced.findings == []
    assert announced.live["acme", "mug"]["web-1"].models == ["u2netp@1"]
