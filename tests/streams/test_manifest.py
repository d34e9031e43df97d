import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

from schemas.records import Rendition, Verdict
from streams.blobs import FolderStore, PreconditionFailed
from streams.publishing.manifest import (
    FileName,
    Manifest,
    ManifestAsset,
    file_name,
    load,
    manifest_key,
    rendition_of,
    save,
    slug,
    srcset,
)
from streams.publishing.renditions import Encoded
from streams.runtime.errors import Refused


@cache
def live(width_px: int, media_type: str = "image/webp") -> Rendition:
    return rendition(width_px, media_type)


def rendition(width_px: int, media_type: str = "image/webp") -> Rendition:
    picture = Encoded(media_type, width_px, width_px, f"{media_type} {width_px}".encode())
    return rendition_of(picture, Manifest(tenant="acme", sku="mug", serial=7), "web-1", "https://cdn.example")


def manifest(**changes: object) -> Manifest:
    asset = ManifestAsset(
        version=3,
        channel="web",
        file=live(90, "image/png"),
        renditions=[live(50), live(90)],
        srcset={},
        verdict=Verdict(outcome="pass", checks=[], rules="2026-11"),
        engine="test",
        result_id="r",
        published_at_ms=1,
        position="imagery.publish/0/1",
    )
    start = Manifest(tenant="acme", sku="mug", version=3, assets={"web-1": asset})
    return msgspec.structs.replace(start, **changes)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.mark.parametrize("sku", ["mug", "mug-12.a_b", "0815"])
def test_a_sku_that_is_fit_for_urls_is_its_own_slug(sku: str) -> None:
    assert slug(sku) == sku


@pytest.mark.parametrize(
    "sku", ["Mug", "mug 1", "ärmel", "..", "mug/1", "日本", "-", "a" * 128 + "B", "mug\u202e", "mug\n", "a" * 900]
)
def test_every_other_sku_gets_a_slug_that_every_store_can_hold(sku: str, store: FolderStore) -> None:
    made = slug(sku)
    assert made.isascii()
    assert made == made.lower()
    assert made.rpartition("-")[2].isalnum()
    save(store, Manifest(tenant="acme", sku=sku), None)
    assert load(store, "acme", sku)[0] == Manifest(tenant="acme", sku=sku)


def test_skus_that_look_alike_have_slugs_of_their_own() -> None:
    assert len({slug(sku) for sku in ("mug 1", "mug-1", "Mug 1", "MUG 1", "mug_1", "mug  1")}) == 6


def test_a_name_holds_the_digest_the_width_and_the_serial_of_the_manifest() -> None:
    made = rendition(320)
    assert re.fullmatch(rf"acme/mug/web-1/{made.sha256[:16]}-320\.7-[0-9a-f]{{8}}\.webp", made.key)
    assert file_name(made.key) == FileName("acme/mug/", "web-1", 7)
    assert made.url == f"https://cdn.example/{made.key}"
    assert (made.size_bytes, made.width_px, made.media_type) == (len(b"image/webp 320"), 320, "image/webp")


def test_no_two_uploads_of_one_picture_have_one_name() -> None:
    """What was taken back may be put there once more by somebody who was paused: it is under another name then."""
    assert rendition(320).key != rendition(320).key
    assert rendition(320).sha256 == rendition(320).sha256


def test_names_of_before_there_were_serials_are_files_and_nothing_else_is() -> None:
    assert file_name("acme/mug/web-1/0123456789abcdef-320.webp") == FileName("acme/mug/", "web-1", -1)
    for key in ("logo.png", "acme/mug/manifest.json", "acme/mug/web-1/hero-320.webp", "a/b/c/d/0123456789abcdef-3.png"):
        assert file_name(key) is None


@pytest.mark.parametrize("tenant", ["acme\n", "", "..", "a/b", "ac me", "\u202eacme", "x" * 300])
def test_a_tenant_that_can_be_no_folder_is_refused_by_name(tenant: str) -> None:
    with pytest.raises(Refused) as refused:
        manifest_key(tenant, "mug")
    assert (refused.value.code, refused.value.field) == ("bad_tenant_name", "tenant")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "manifest.json", "x" * 300])
def test_an_asset_name_that_can_be_no_folder_is_refused(name: str) -> None:
    start = Manifest(tenant="acme", sku="mug")
    with pytest.raises(Refused) as refused:
        rendition_of(Encoded("image/png", 1, 1, b""), start, name, "https://cdn.example")
    assert (refused.value.code, refused.value.field) == ("bad_asset_name", "asset")


def test_srcset_goes_from_narrow_to_wide_for_each_format() -> None:
    wide, narrow, other = rendition(640), rendition(320), rendition(320, "image/avif")
    assert srcset([wide, narrow, other]) == {
        "image/webp": f"{narrow.url} 320w, {wide.url} 640w",
        "image/avif": f"{other.url} 320w",
    }


def test_a_product_that_was_never_live_has_no_manifest(store: FolderStore) -> None:
    assert load(store, "acme", "mug") == (None, None)


def test_what_is_saved_is_loaded_and_not_cached_on_the_way(store: FolderStore) -> None:
    etag = save(store, manifest(), None)
    assert load(store, "acme", "mug") == (manifest(), etag)
    stored = store.get(manifest_key("acme", "mug"))
    assert (stored.content_type, stored.cache_control) == ("application/json", "no-cache")


def test_of_two_that_move_the_same_manifest_one_loses(store: FolderStore) -> None:
    etag = save(store, manifest(), None)
    save(store, manifest(title="first"), etag)
    with pytest.raises(PreconditionFailed):
        save(store, manifest(title="second"), etag)
    assert load(store, "acme", "mug")[0] == manifest(title="first")


def test_of_two_that_make_the_same_manifest_one_loses(store: FolderStore) -> None:
    save(store, manifest(title="first"), None)
    with pytest.raises(PreconditionFailed):
        save(store, manifest(title="second"), None)


def test_a_corrupt_manifest_is_refused_by_name(store: FolderStore) -> None:
    store.put(manifest_key("acme", "mug"), b'{"tenant": 3}')
    with pytest.raises(Refused, match=r"acme/mug/manifest\.json is no manifest") as refused:
        load(store, "acme", "mug")
    assert refused.value.code == "manifest_corrupt"


def test_a_slug_that_another_sku_holds_is_refused(store: FolderStore) -> None:
    occupant = slug("Mug")
    save(store, Manifest(tenant="acme", sku=occupant), None)
    with pytest.raises(Refused) as refused:
        load(store, "acme", "Mug")
    assert (refused.value.code, refused.value.field) == ("slug_taken", "sku")


def test_a_manifest_of_before_there_were_serials_is_read(store: FolderStore) -> None:
    store.put(manifest_key("acme", "mug"), b'{"tenant": "acme", "sku": "mug", "version": 3, "replaced": ["a/b/c/d"]}')
    assert load(store, "acme", "mug")[0] == Manifest(tenant="acme", sku="mug", version=3)


def test_the_keys_of_a_manifest_are_all_that_it_names() -> None:
    asset = manifest().assets["web-1"]
    assert manifest().keys() == {asset.file.key, *(one.key for one in asset.renditions)}
