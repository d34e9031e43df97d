"""Clips go live with the picture that they begin with: as they were judged, signed, and away with it."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from gpu_workers.imaging import clips
from gpu_workers.imaging.metadata import COMPOSITE, xmp
from gpu_workers.sources.media_types import sniff_published
from schemas import codec
from schemas.recipes.reading import BadRecipe, parse_recipe
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    Blob,
    Provenance,
    PublishRequested,
    RetractRequested,
    ReviewRequested,
)
from streams.blobs import FolderStore
from streams.facts import Database
from streams.publishing.manifest import file_name
from streams.publishing.publication import Publication
from streams.publishing.signing import reading
from streams.publishing.signing.keys import self_made
from streams.publishing.signing.signer import Signing
from streams.runtime.errors import Refused
from tests.streams.flow import Flow, blob, done, tasks
from tests.streams.recipe_releases import product
from tests.streams.shop import CDN, GRACE_S, Shop

PACKET = xmp(COMPOSITE)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def clip(shade: int = 0) -> bytes:
    frames = [np.full((32, 32, 3), (40 + 8 * number, 90, shade), np.uint8) for number in range(4)]
    return clips.mp4(map(clips.planes, frames), 12, PACKET)


def letter() -> bytes:
    return clips.mail([np.full((20, 20, 3), shade, np.uint8) for shade in (20, 200)], 10, PACKET)


def moving(shop: Shop, version: int = 1, shade: int = 0) -> PublishRequested:
    """A poster with a clip and a moving picture beside it."""
    files = {"clip": (clip(shade), "video/mp4"), "mail": (letter(), "image/webp")}
    beside = [
        Blob(role=role, digest=shop.blobs.put(data, kind), media_type=kind, width_px=32, height_px=32, size_bytes=9)
        for role, (data, kind) in files.items()
    ]
    return replace(shop.request("web-1", version), beside=beside)


def test_a_clip_goes_live_as_it_was_judged_and_in_no_srcset(shop: Shop) -> None:
    request = moving(shop)
    [event] = shop.apply(request, 1)
    assert isinstance(event, AssetPublished)
    live = {each.role: each for each in event.renditions if each.role}
    assert {role: each.sha256 for role, each in live.items()} == {each.role: each.digest for each in request.beside}
    stored = shop.origin.get(live["clip"].key)
    assert (stored.data, stored.content_type) == (clip(), "video/mp4")
    assert live["clip"].url.endswith(".mp4")
    assert file_name(live["clip"].key) is not None, "else no sweep would ever take it away"
    assert not any(each.url in text for each in live.values() for text in event.srcset.values())
    assert codec.decode(codec.encode(event)) == event
    assert shop.is_sound()


def test_another_clip_of_the_same_poster_takes_the_firsts_place(shop: Shop) -> None:
    [first] = shop.apply(moving(shop), 1)
    [second] = shop.apply(moving(shop, shade=200), 2)
    assert isinstance(first, AssetPublished)
    assert isinstance(second, AssetPublished)
    assert not second.unchanged
    assert shop.apply(moving(shop, shade=200), 3) == [], "the same again is no news"


def test_a_clip_is_taken_back_with_its_picture(shop: Shop) -> None:
    [event] = shop.apply(moving(shop), 1)
    assert isinstance(event, AssetPublished)
    keys = [each.key for each in event.renditions if each.role]
    wanted = RetractRequested(tenant="acme", sku="mug", version=1, assets=["web-1"], reason="wrong logo")
    shop.plan(1, web_1="rejected")
    [gone] = [each for each in shop.apply(wanted, 2) if isinstance(each, AssetRetracted)]
    assert {f"{CDN}/{key}" for key in keys} <= set(gone.urls)
    assert not any(shop.origin.exists(key) for key in keys)


@pytest.mark.parametrize("kind", ["video/webm", "text/html"])
def test_what_is_neither_picture_nor_clip_is_not_published(shop: Shop, kind: str) -> None:
    request = moving(shop)
    bad = replace(request, beside=[replace(request.beside[0], media_type=kind)])
    with pytest.raises(Refused) as refused:
        shop.apply(bad, 1)
    assert refused.value.code == "unknown_format"


def test_a_clip_is_signed_and_one_that_was_changed_is_found_out(tmp_path: Path, shop: Shop) -> None:
    key = self_made(tmp_path / "signing")
    signing = Signing(key, FolderStore(tmp_path / "blobs"))
    shop.publication = Publication(shop.origin, shop.blobs, shop.facts, CDN, shop._tick, GRACE_S, signing)
    [event] = shop.apply(replace(moving(shop), provenance=Provenance(photograph="ab" * 32)), 1)
    assert isinstance(event, AssetPublished)
    for each in (one for one in event.renditions if one.role):
        data = shop.origin.get(each.key).data
        found = reading.read(data, each.media_type, key.anchors)
        assert (found.state, found.photograph) == ("trusted", f"urn:sha256:{'ab' * 32}"), each.role
        assert not {"c2pa.converted", "c2pa.resized.proportional"} & {one.action for one in found.actions}
        assert sniff_published(data) == each.media_type
        changed = bytearray(data)
        changed[data.rindex(b"mdat" if each.role == "clip" else b"ANMF") + 40] ^= 1
        assert reading.read(bytes(changed), each.media_type, key.anchors).state == "altered"


# through the flow


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    return Flow(database)


def shot(flow: Flow, **measures: float | None) -> list[object]:
    """What follows when a showcase was made, with some measures otherwise; None leaves one out."""
    (cut,) = tasks(flow.say(replace(product("A", ["shopify"], height_cm="9.4"), recipe="showcase")))
    (task,) = tasks(flow.say(done(cut)))
    made = done(task)
    changed = {**made.measures, **measures}
    beside = [blob("c"), blob("d"), blob("e")]
    roles = zip(beside, ("mask", "clip", "mail"), strict=True)
    outputs = [*made.outputs, *(replace(each, role=role) for each, role in roles)]
    known = {name: value for name, value in changed.items() if value is not None}
    return list(flow.say(replace(made, measures=known, outputs=outputs)))


def test_the_showcase_recipe_asks_for_the_clip_to_go_live_with_its_poster(flow: Flow) -> None:
    answers = shot(flow)
    (request,) = [each for each in answers if isinstance(each, PublishRequested)]
    assert request.asset == "shopify-1.showcase"
    assert [each.role for each in request.beside] == ["clip", "mail"], "and no mask"


def test_nothing_goes_on_with_a_clip_since_only_its_poster_would() -> None:
    recipe = """\
name: clips
version: 1
steps:
  - operation: cutout
    next:
      - operation: showcase
        each: channel
        next: [{operation: style}]
"""
    with pytest.raises(BadRecipe, match=r"clips\.yaml:8: .*style goes on with"):
        parse_recipe(recipe, "clips.yaml")


@pytest.mark.parametrize("name", ["clip_bytes", "clip_bt709", "clip_layer_delta_e", "clip_delta_e_mean"])
def test_a_clip_that_was_not_measured_waits_for_a_person(flow: Flow, name: str) -> None:
    answers = shot(flow, **{name: None})
    assert any(isinstance(each, ReviewRequested) for each in answers)
    assert not any(isinstance(each, PublishRequested) for each in answers)
