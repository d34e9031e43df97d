"""Signing: what is published says how it came about, is signed once, and is found out where it was changed."""

import asyncio
import contextlib
import io
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace as put
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from PIL import Image

from schemas.records import Action, AssetPublished, Blob, Provenance, PublishRequested
from streams.blobs import FolderStore
from streams.cdn.server import build_app
from streams.publishing.publication import Publication
from streams.publishing.renditions import Encoded, render
from streams.publishing.signing import claims, reading
from streams.publishing.signing.keys import SELF_MADE, UnusableKey, key_of, self_made
from streams.publishing.signing.signer import SIGNED, Signing
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from tests.streams.shop import CDN, GRACE_S, Crash, Shop

MADE = Provenance(
    photograph="ab" * 32,
    actions=[
        Action(operation="cutout", parameters={"subject": "auto"}, model="u2netp@1", model_sha256="cd" * 32),
        Action(operation="packshot", parameters={"padding": "0.1", "backdrop": "s3://bucket/secret.png"}),
    ],
    retouched=True,
    people=False,
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return signed_shop(tmp_path, Signing(self_made(tmp_path / "signing"), FolderStore(tmp_path / "blobs")))


def signed_shop(folder: Path, signing: Signing | None) -> Shop:
    shop = Shop(folder)
    shop.publication = Publication(shop.origin, shop.blobs, shop.facts, CDN, shop._tick, GRACE_S, signing)
    return shop


def request(shop: Shop, asset: str = "web-1", version: int = 1, shade: int = 90) -> PublishRequested:
    return replace(shop.request(asset, version, shade), provenance=MADE, models=["u2netp@1"])


def published(shop: Shop, event: PublishRequested, offset: int = 1) -> AssetPublished:
    [announced] = [each for each in shop.apply(event, offset) if isinstance(each, AssetPublished)]
    return announced


def every_file(shop: Shop, announced: AssetPublished) -> list[tuple[str, bytes]]:
    return [(each.media_type, shop.origin.get(each.key).data) for each in (announced.file, *announced.renditions)]


def anchors(tmp_path: Path) -> str:
    return self_made(tmp_path / "signing").anchors


def test_every_file_is_signed_and_says_how_it_came_about(shop: Shop, tmp_path: Path) -> None:
    announced = published(shop, request(shop))
    files = every_file(shop, announced)
    assert {media_type for media_type, _ in files} == {"image/jpeg", "image/webp", "image/avif"}
    for media_type, data in files:
        found = reading.read(data, media_type, anchors(tmp_path))
        assert found.state == "trusted", found
        assert found.photograph == f"urn:sha256:{'ab' * 32}"
        names = [each.action for each in found.actions]
        assert names[:4] == ["c2pa.opened", "c2pa.edited", "c2pa.edited", "c2pa.edited"]
        assert names[-1] == "c2pa.published"
        assert ("c2pa.converted" in names) == (media_type != "image/jpeg")
        assert found.actions[1].parameters == {
            "org.packshot.subject": "auto",
            "org.packshot.model": "u2netp@1",
            "org.packshot.model_sha256": "cd" * 32,
        }
        assert found.actions[3].source_type == "humanEdits"
        assert found.statement == "no generative model took part"
        assert b"secret.png" not in data, "where things lie is nobody's"


def test_a_self_made_key_says_so_in_every_file(shop: Shop) -> None:
    announced = published(shop, request(shop))
    assert announced.provenance is not None
    assert announced.provenance.signed_by == SELF_MADE
    for media_type, data in every_file(shop, announced):
        found = reading.read(data, media_type)
        assert found.state == "valid", "unaltered, by nobody who is known"
        assert found.wrong == [reading.UNTRUSTED]
        assert found.signed_by.startswith("Self-made")


def test_doing_it_twice_changes_nothing(shop: Shop) -> None:
    event = request(shop)
    once, again = published(shop, event), published(shop, event)
    assert once == again
    assert once.file.content == event.file.digest
    assert once.file.sha256 != once.file.unsigned


def test_the_same_file_is_signed_once_whoever_signs_it(shop: Shop, tmp_path: Path) -> None:
    event = request(shop)
    own = Encoded(event.file.media_type, 40, 30, shop.blobs.get(event.file.digest))
    files = [own, *render(own.data, own.media_type)]

    def sign(_: int) -> list[Encoded]:
        key = self_made(tmp_path / "signing")
        return Signing(key, FolderStore(tmp_path / "blobs")).signed(event, files)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(sign, range(4)))
    assert all(result == results[0] for result in results)
    assert len(list(shop.blobs.store.keys(SIGNED))) == len(files)


def test_a_new_version_of_an_unchanged_picture_is_not_signed_anew(shop: Shop) -> None:
    first = published(shop, request(shop))
    shop.plan(2, "web-1", "amazon-1")
    second = published(shop, request(shop, version=2), offset=2)
    assert second.unchanged
    assert second.file == first.file


def test_another_history_or_key_signs_anew(shop: Shop, tmp_path: Path) -> None:
    first = published(shop, request(shop))
    shop.plan(2, "web-1", "amazon-1")
    other = replace(request(shop, version=2), provenance=replace(MADE, photograph="ef" * 32))
    second = published(shop, other, offset=2)
    assert second.file.content == first.file.content
    assert second.file.url != first.file.url
    shop.plan(3, "web-1", "amazon-1")
    key = put(self_made(tmp_path / "signing"), id="another")
    shop.publication = Publication(
        shop.origin, shop.blobs, shop.facts, CDN, shop._tick, GRACE_S, Signing(key, shop.blobs.store)
    )
    third = published(shop, replace(other, version=3), offset=3)
    assert third.file.url != second.file.url


def test_what_was_live_unsigned_is_signed_when_it_goes_live_again(tmp_path: Path) -> None:
    shop = signed_shop(tmp_path, None)
    first = published(shop, request(shop))
    assert first.file.unsigned is None
    signing = Signing(self_made(tmp_path / "signing"), shop.blobs.store)
    shop.publication = Publication(shop.origin, shop.blobs, shop.facts, CDN, shop._tick, GRACE_S, signing)
    shop.plan(2, "web-1", "amazon-1")
    second = published(shop, request(shop, version=2), offset=2)
    assert second.file.unsigned == first.file.sha256


@pytest.mark.parametrize(("mode", "media_type"), [("RGB", "image/jpeg"), ("RGBA", "image/png")])
def test_all_that_is_published_verifies_behind_the_local_cdn(
    shop: Shop, tmp_path: Path, mode: str, media_type: str
) -> None:
    picture = io.BytesIO()
    Image.effect_noise((700, 500), 60).convert(mode).save(picture, media_type.rpartition("/")[2])
    blob = put_blob(shop, picture.getvalue(), media_type)
    announced = published(shop, replace(request(shop), file=blob))
    files = [announced.file, *announced.renditions]
    assert len(files) == 10
    with cdn(shop) as fetch:
        for each in files:
            served = fetch(each.key)
            assert served == shop.origin.get(each.key).data
            assert reading.read(served, each.media_type, anchors(tmp_path)).state == "trusted"


def put_blob(shop: Shop, data: bytes, media_type: str) -> Blob:
    blob = shop.request("web-1").file
    return replace(
        blob,
        digest=shop.blobs.put(data, media_type),
        media_type=media_type,
        width_px=700,
        height_px=500,
        size_bytes=len(data),
    )


@contextmanager
def cdn(shop: Shop) -> Iterator[Callable[[str], bytes]]:
    loop = asyncio.new_event_loop()
    server = TestServer(build_app(shop.origin))
    loop.run_until_complete(server.start_server())
    worker = ThreadPoolExecutor(1)

    def fetch(key: str) -> bytes:
        got = worker.submit(lambda: urllib.request.urlopen(str(server.make_url("/" + key)), timeout=30).read())
        while not got.done():
            loop.run_until_complete(asyncio.sleep(0.01))
        return bytes(got.result())

    try:
        yield fetch
    finally:
        loop.run_until_complete(server.close())
        worker.shutdown()
        loop.close()


def test_what_was_changed_stripped_or_is_none_is_distinguished(shop: Shop, tmp_path: Path) -> None:
    event = request(shop)
    data = every_file(shop, published(shop, event))[0][1]
    changed = bytearray(data)
    changed[-20] ^= 1
    altered = reading.read(bytes(changed), "image/jpeg", anchors(tmp_path))
    assert altered.state == "altered"
    assert "assertion.dataHash.mismatch" in altered.wrong
    assert reading.read(shop.blobs.get(event.file.digest), "image/jpeg").state == "unsigned"
    assert reading.read(b"no picture", "image/jpeg").state == "unreadable"
    assert reading.read(b"", "image/webp").state in ("unreadable", "unsigned")


def test_a_signature_by_somebody_else_is_not_trusted(shop: Shop, tmp_path: Path) -> None:
    data = every_file(shop, published(shop, request(shop)))[0][1]
    strangers = self_made(tmp_path / "strangers").anchors
    assert reading.read(data, "image/jpeg", strangers).state == "valid"


def test_a_customers_key_is_read_from_files_and_by_a_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = self_made(tmp_path / "signing")
    certificates, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificates.write_text(own.certificates + own.anchors)
    key.write_text(own.private)
    of_file = key_of(Settings(signing_certificates=certificates, signing_key=key))
    assert of_file is not None
    assert of_file.algorithm == "es256"
    assert not of_file.is_self_made
    module = tmp_path / "kms_of_a_test.py"
    module.write_text(
        "from cryptography.hazmat.primitives import hashes, serialization\n"
        "from cryptography.hazmat.primitives.asymmetric import ec\n"
        f"key = serialization.load_pem_private_key({own.private!r}.encode(), None)\n"
        "def sign(data):\n    return key.sign(data, ec.ECDSA(hashes.SHA256()))\n"
        "def away(data):\n    raise ConnectionError('the KMS is away')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    by_callback = key_of(Settings(signing_certificates=certificates, signing_callback="kms_of_a_test:sign"))
    assert by_callback is not None
    assert by_callback.id == of_file.id, "the same key, however it is reached"
    away = key_of(Settings(signing_certificates=certificates, signing_callback="kms_of_a_test:away"))
    assert away is not None
    shop = Shop(tmp_path)
    event = request(shop)
    picture = Encoded("image/jpeg", 40, 30, shop.blobs.get(event.file.digest))
    for good in (of_file, by_callback):
        [signed] = Signing(good, FolderStore(tmp_path / good.id / str(bool(good.callback)))).signed(event, [picture])
        assert reading.read(signed.data, "image/jpeg", own.anchors).state == "trusted"
    with pytest.raises(Unavailable, match="the KMS is away"):
        Signing(away, FolderStore(tmp_path / "away")).signed(event, [picture])
    sys.modules.pop("kms_of_a_test", None)


def test_a_stamp_of_the_time_that_cannot_be_had_is_waited_for(tmp_path: Path) -> None:
    key = put(self_made(tmp_path / "signing"), time_stamps="http://127.0.0.1:9/tsa")
    shop = Shop(tmp_path)
    event = request(shop)
    picture = Encoded("image/jpeg", 40, 30, shop.blobs.get(event.file.digest))
    with pytest.raises(Unavailable, match="stamp"):
        Signing(key, shop.blobs.store).signed(event, [picture])


def test_what_cannot_be_signed_is_refused_and_stops_nobody(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    signing = Signing(self_made(tmp_path / "signing"), shop.blobs.store)
    with pytest.raises(Refused) as refused:
        signing.signed(request(shop), [Encoded("image/jpeg", 1, 1, b"cut off")])
    assert refused.value.code == "not_signed"


@pytest.mark.parametrize(
    ("named", "variable"),
    [
        ({"signing_key": "key.pem"}, "CERTIFICATES"),
        ({"signing_certificates": "missing.pem", "signing_key": "key.pem"}, "CERTIFICATES"),
        ({"signing_certificates": "garbage.pem", "signing_key": "key.pem"}, "CERTIFICATES"),
        ({"signing_certificates": "chain.pem"}, "KEY"),
        ({"signing_certificates": "chain.pem", "signing_callback": "no.such:thing"}, "CALLBACK"),
        ({"signing_certificates": "chain.pem", "signing_callback": "json:__name__"}, "CALLBACK"),
    ],
)
def test_a_key_that_cannot_be_used_is_reported_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], variable: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chain.pem").write_text(self_made(tmp_path / "signing").certificates)
    Path("garbage.pem").write_text("no certificate")
    with pytest.raises(UnusableKey, match=variable):
        key_of(Settings(**named))


def test_a_key_that_is_not_the_certificates_is_found_by_trying_it(tmp_path: Path) -> None:
    mine, another = self_made(tmp_path / "mine"), self_made(tmp_path / "another")
    Signing(mine, FolderStore(tmp_path / "blobs")).check()
    with pytest.raises(UnusableKey):
        Signing(put(mine, private=another.private), FolderStore(tmp_path / "blobs")).check()
    with pytest.raises(UnusableKey):
        Signing(put(mine, private="no key"), FolderStore(tmp_path / "blobs")).check()


def test_nothing_is_signed_where_the_settings_say_so(tmp_path: Path) -> None:
    assert key_of(Settings(signing=False, data_folder=tmp_path)) is None
    assert not list(tmp_path.iterdir())


def test_a_self_made_key_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    first, second = key_of(settings), key_of(settings)
    assert first == second
    [file] = (tmp_path / "signing").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("broken")
    with pytest.raises(UnusableKey, match="no key of ours"):
        key_of(settings)


def test_a_claim_says_nothing_of_when_and_where(shop: Shop) -> None:
    event = request(shop)
    text = json.dumps(claims.claim(event, "digitalCapture"))
    assert claims.claim_id(event, "k") == claims.claim_id(replace(event, version=7, title="another"), "k")
    assert "acme" not in text
    assert "s3://" not in text


def test_how_it_was_made_is_read_in_xmp_and_not_in_the_manifest(shop: Shop) -> None:
    xmp = b'<x:xmpmeta><a b="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/></x:xmpmeta>'
    picture = io.BytesIO()
    Image.effect_noise((700, 500), 60).convert("RGB").save(picture, "JPEG", xmp=xmp)
    announced = published(shop, replace(request(shop), file=put_blob(shop, picture.getvalue(), "image/jpeg")))
    assert announced.provenance is not None
    assert announced.provenance.source_type == "digitalCapture"
    for media_type, data in every_file(shop, announced):
        found = reading.read(data, media_type)
        assert found.source_type == "digitalCapture", media_type
        assert {each.source_type for each in found.actions} == {"", "digitalCapture", "humanEdits"}
    assert published(shop, request(shop, "amazon-1"), offset=2).provenance is not None
    assert claims.source_type_in(every_file(shop, published(shop, request(shop, "amazon-1"), offset=2))[0][1]) == ""


@pytest.mark.parametrize("crash_after", ["manifest.json", ".jpg", ".avif"])
def test_a_publisher_that_is_killed_gives_the_same_when_it_begins_anew(shop: Shop, crash_after: str) -> None:
    event = request(shop)
    shop.origin.crash_after_put_of = crash_after
    with pytest.raises(Crash):
        shop.apply(event, 1)
    signed = {key: shop.blobs.store.get(key).data for key in shop.blobs.store.keys(SIGNED)}
    announced = published(shop, event)
    kept = {key: shop.blobs.store.get(key).data for key in shop.blobs.store.keys(SIGNED)}
    assert signed.items() <= kept.items(), "what was signed before is not signed anew"
    assert (signed == kept) == (crash_after != "manifest.json"), "that one is killed before it signs"
    for media_type, data in every_file(shop, announced):
        assert reading.read(data, media_type).state == "valid"
    assert published(shop, event) == announced


@pytest.mark.parametrize(
    "manifest",
    [
        {"assertions": [{"label": "c2pa.actions.v2", "data": [1]}]},
        {"assertions": [{"data": {}}]},
        {"assertions": [1]},
        {"claim_generator_info": ["somebody"]},
        {"signature_info": "ES256"},
        {"ingredients": [None]},
        {"title": {"a": 1}, "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [7]}}]},
    ],
)
def test_a_manifest_with_parts_of_other_types_is_unreadable(
    manifest: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(contextlib.nullcontext[None]):
        def get_active_manifest(self) -> dict[str, object]:
            return manifest

        def get_validation_results(self) -> dict[str, object]:
            return {}

        def get_validation_state(self) -> str:
            return "Valid"

    monkeypatch.setattr("c2pa.Reader.try_create", lambda *_args, **_more: Odd())
    assert reading.read(b"a picture", "image/jpeg").state == "unreadable"
