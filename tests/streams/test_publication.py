"""Publication on a folder store, with facts that the tests set and crashes that the tests place."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from schemas import codec
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    Blob,
    ProductPublished,
    PublishRequested,
    RetractRequested,
    Verdict,
)
from streams.blobs import Blobs, FolderStore, NotFound
from streams.publishing import moves, publication, renditions
from streams.publishing.manifest import Manifest, load, manifest_key
from streams.publishing.publication import Announcement, ProductState, Publication, Request
from streams.publishing.renditions import Encoded, render
from streams.publishing.sweep import Sweep
from streams.runtime.errors import Refused, Unavailable
from streams.services.audit.announcements import Announcements

CDN = "https://cdn.example"
GRACE_S = 60.0
TOMBSTONE = {"acme/mug/manifest.json"}


class Crash(BaseException):
    """The process is killed."""


class Facts:
    """Facts that a test sets. `meanwhile` runs once, before the `n`-th look from now."""

    def __init__(self) -> None:
        self.now: ProductState | None = None
        self.looks_left = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def standing(self, _tenant: str, _sku: str) -> ProductState | None:
        self.looks_left -= 1
        if self.looks_left == 0:
            self.meanwhile()
        return self.now

    def before_look(self, number: int, what: Callable[[], None]) -> None:
        self.looks_left, self.meanwhile = number, what


class Origin(FolderStore):
    """A folder in which a test can crash the process just after a write, or have somebody else write first."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.crash_after_put_of = ""
        self.crash_before_delete = False
        self.rival: Callable[[], None] | None = None

    def put(self, key: str, data: bytes, **options: Any) -> str:
        if self.rival is not None and key.endswith("manifest.json"):
            rival, self.rival = self.rival, None
            rival()
        etag = super().put(key, data, **options)
        if self.crash_after_put_of and key.endswith(self.crash_after_put_of):
            self.crash_after_put_of = ""
            raise Crash
        return etag

    def delete(self, key: str) -> None:
        if self.crash_before_delete:
            self.crash_before_delete = False
            raise Crash
        super().delete(key)


class Shop:
    """A product `acme|mug` with a plan of two assets, and a publication to try requests on."""

    def __init__(self, folder: Path) -> None:
        self.origin = Origin(folder / "origin")
        self.blobs = Blobs(FolderStore(folder / "blobs"))
        self.facts = Facts()
        self.now_ms = 1000
        self.publication = Publication(self.origin, self.blobs, self.facts, CDN, self._tick, GRACE_S)
        self.plan(1, "web-1", "amazon-1")

    def _tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def plan(self, version: int, *assets: str, **ended: str) -> None:
        others = {name.replace("_", "-"): state for name, state in ended.items()}
        self.facts.now = ProductState(version, deleted=False, plan=dict.fromkeys(assets, "planned") | others)

    def delete_product(self, version: int) -> None:
        self.facts.now = ProductState(version, deleted=True, plan={})

    def request(self, asset: str, version: int = 1, shade: int = 90) -> PublishRequested:
        picture = io.BytesIO()
        Image.new("RGB", (40, 30), (shade, 10, 10)).save(picture, "JPEG")
        digest = self.blobs.put(picture.getvalue(), "image/jpeg")
        size_bytes = len(picture.getvalue())
        return PublishRequested(
            tenant="acme",
            sku="mug",
            version=version,
            asset=asset,
            channel=asset.partition("-")[0],
            file=Blob(
                role="asset",
                digest=digest,
                media_type="image/jpeg",
                width_px=40,
                height_px=30,
                size_bytes=size_bytes,
            ),
            verdict=Verdict(outcome="pass", checks=[], rules="2026-11"),
            engine="test",
            result_id="r",
            title="A mug",
        )

    def apply(self, event: Request, offset: int, requested_at_ms: int = 0) -> list[Announcement]:
        return self.publication.apply(event, f"imagery.publish/0/{offset}", None, requested_at_ms)

    def manifest(self) -> Manifest:
        manifest, _ = load(self.origin, "acme", "mug")
        assert manifest is not None
        return manifest

    def stored(self) -> set[str]:
        return set(self.origin.keys("acme/"))

    def is_sound(self) -> bool:
        """Whether just what is live lies on the origin, and what was replaced within the grace."""
        manifest = self.manifest()
        kept = {key for key, until_ms in manifest.retired.items() if until_ms > self.now_ms}
        return self.stored() == manifest.keys() | kept | TOMBSTONE

    def sweep(self, later_s: float = 0.0) -> None:
        """As an operator does, `later_s` seconds later; what nobody ever named is taken to be old."""
        self.now_ms += round(later_s * 1000)
        Sweep(self.origin, lambda: self.now_ms, unnamed_s=-1e10).run()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def kinds(events: list[Announcement]) -> list[str]:
    return [type(event).__name__ for event in events]


def withheld(asset: str, version: int = 1) -> AssetWithheld:
    return AssetWithheld(tenant="acme", sku="mug", version=version, asset=asset, reason="the subject is cut off")


def retract(version: int = 1, assets: list[str] | None = None) -> RetractRequested:
    return RetractRequested(tenant="acme", sku="mug", version=version, assets=assets, reason="recalled")


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
        announced.told(event)
    assert announced.findings == []
    assert announced.live["acme", "mug"]["web-1"].models == ["u2netp@1"]


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
    [_, told] = shop.apply(shop.request("web-1"), 1)
    assert isinstance(told, ProductPublished)
    assert len(told.withheld) == 500


def test_a_picture_with_too_many_pixels_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "PIXELS_MAX", 40 * 30 - 1)
    with pytest.raises(Refused, match="40 × 30") as refused:
        shop.apply(shop.request("web-1"), 1)
    assert (refused.value.code, refused.value.field) == ("picture_too_large", "file")


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


def test_a_reason_from_the_facts_is_told_when_the_asset_ended_first(shop: Shop) -> None:
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


def test_a_retraction_is_told_again_though_the_cache_was_emptied(shop: Shop) -> None:
    shop.apply(shop.request("web-1"), 1)
    gone = shop.apply(retract(), 2)
    assert kinds(gone) == ["AssetRetracted"]
    shop.blobs.store.delete_prefix("results/")
    assert shop.apply(retract(), 2) == gone


def test_a_retraction_that_an_older_version_noted_is_told_again(shop: Shop) -> None:
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

    monkeypatch.setattr(shop.facts, "standing", away)
    with pytest.raises(Unavailable):
        shop.apply(shop.request("web-1"), 1)
    with pytest.raises(NotFound):
        shop.origin.get(manifest_key("acme", "mug"))


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
    (told,) = shop.apply(newer, 2)
    assert isinstance(told, AssetPublished)
    assert (told.unchanged, told.verdict.rules) == (True, "2026-12")
    assert shop.stored() == before
