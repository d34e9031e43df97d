"""The probe: what a CDN strips, changes, converts, keeps too long or has lost is told, and nothing else is."""

import asyncio
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from aiohttp import web
from click.testing import CliRunner
from msgspec.structs import replace
from PIL import Image

from schemas.codec import HASHED
from schemas.records import AssetPublished, CatalogChanged, DriftFound, PublishRequested, Source
from streams.cdn.server import Handler, build_app
from streams.commands.provenance import disclosures, probe, provenance
from streams.consumer.letters import Outgoing
from streams.facts import Database
from streams.publishing.publication import Publication
from streams.publishing.renditions import Encoded
from streams.publishing.signing.keys import self_made
from streams.publishing.signing.signer import Signing
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.live import probing
from streams.services.live.probing import Probe, Probed, Wanted
from streams.services.live.served import Served, Shopper
from tests.streams.shop import GRACE_S, Shop
from tests.streams.test_signing import request

Headers = dict[str, str]
Change = Callable[[str, bytes, Headers], tuple[bytes, Headers]]


class Cdn:
    """The local CDN on a port of its own, and what stands before it: `changed` takes an answer's body and headers."""

    def __init__(self, shop: Shop) -> None:
        self.changed: Change = lambda _key, body, headers: (body, headers)
        self._app = build_app(shop.origin)

        @web.middleware
        async def between(request: web.Request, handler: Handler) -> web.StreamResponse:
            return self._between(request, await handler(request))

        self._app.middlewares.append(between)
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(self._app)
        self.url = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _between(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if not isinstance(response, web.Response) or response.status != 200:
            return response
        assert isinstance(response.body, bytes)
        body, headers = self.changed(request.path, response.body, dict(response.headers))
        return web.Response(body=body, headers={k: v for k, v in headers.items() if k != "Content-Length"})

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def __enter__(self) -> "Cdn":
        self._loop.run_until_complete(self._runner.setup())
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class World:
    """One product with one live asset, signed, behind a CDN, and its facts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop(folder)
        self.cdn = Cdn(self.shop)
        self.settings = Settings(data_folder=folder)
        self.database = Database(self.settings.database)
        self.database.create_tables()

    def publish(self) -> AssetPublished:
        shop = self.shop
        signing = Signing(self_made(self.folder / "signing"), shop.blobs.store)
        shop.publication = Publication(shop.origin, shop.blobs, shop.facts, self.cdn.url, shop._tick, GRACE_S, signing)
        picture = io.BytesIO()
        Image.effect_noise((60, 40), 60).convert("RGB").save(picture, "JPEG", xmp=XMP)
        [announced] = [e for e in shop.apply(self._event(picture.getvalue()), 1) if isinstance(e, AssetPublished)]
        with self.database.begin() as facts:
            facts.products.put(
                CatalogChanged(
                    tenant="acme", sku="mug", version=1, sources=[Source(uri="file:///mug.jpg")], channels=["web"]
                )
            )
            facts.assets.put_plan("acme", "mug", 1, {"web-1": ("web", None)})
            facts.assets.put_live(announced)
        return announced

    def _event(self, data: bytes) -> PublishRequested:
        event = request(self.shop)
        digest = self.shop.blobs.put(data, "image/jpeg")
        return replace(event, file=replace(event.file, digest=digest, width_px=60, height_px=40, size_bytes=len(data)))

    def probed(self, wanted: Wanted = Wanted()) -> Probed:  # noqa: B008
        with Shopper(timeout_s=10) as shopper:
            anchors = self_made(self.folder / "signing").anchors
            return Probe(self.database, shopper, anchors, wanted).run()


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.cdn:
        yield world
    world.database.close()


def reencoded(body: bytes, kind: str) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(body)).convert("RGB").save(out, kind, quality=80)
    return out.getvalue()


def drifts(found: Probed) -> set[str]:
    return {each.drift for each in found.found}


def test_what_is_served_as_it_was_published_is_no_drift(world: World) -> None:
    announced = world.publish()
    found = world.probed()
    assert found.found == []
    assert found.files == found.signed == 1 + len(announced.renditions)
    assert found.latency_ms_max > 0


def test_a_stripped_file_is_caught(world: World) -> None:
    announced = world.publish()
    world.cdn.changed = lambda key, body, headers: (
        (reencoded(body, "JPEG"), headers) if key.endswith(".jpg") else (body, headers)
    )
    found = world.probed()
    assert drifts(found) == {"stripped"}
    assert announced.file.url in {each.url for each in found.found}


def test_an_altered_file_is_caught(world: World) -> None:
    announced = world.publish()

    def flip(key: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        if announced.file.key not in key:
            return body, headers
        return body[:-20] + bytes([body[-20] ^ 1]) + body[-19:], headers

    world.cdn.changed = flip
    [found] = world.probed().found
    assert (found.drift, found.url) == ("altered", announced.file.url)


def test_a_file_that_somebody_else_signed_anew_is_caught(world: World, tmp_path: Path) -> None:
    announced = world.publish()
    foreign = Signing(self_made(tmp_path / "stranger"), world.shop.blobs.store)

    def resigned(key: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        if announced.file.key not in key:
            return body, headers
        plain = Encoded("image/jpeg", 60, 40, reencoded(body, "JPEG"))
        return foreign.signed(request(world.shop), [plain])[0].data, headers

    world.cdn.changed = resigned
    assert [each.drift for each in world.probed().found] in (["altered"], ["stripped"])


def test_a_cdn_that_converts_is_caught(world: World) -> None:
    world.publish()
    world.cdn.changed = lambda key, body, headers: (
        (reencoded(body, "WEBP"), {**headers, "Content-Type": "image/webp"})
        if key.endswith(".jpg")
        else (body, headers)
    )
    assert drifts(world.probed()) == {"converted", "headers"}


def test_headers_that_have_shoppers_fetch_again_or_keep_what_moves_are_caught(world: World) -> None:
    announced = world.publish()
    world.cdn.changed = lambda key, body, headers: (
        body,
        {**headers, "Cache-Control": "max-age=86400" if key.endswith(".json") else "no-store", "Age": "77"},
    )
    found = world.probed()
    assert drifts(found) == {"headers"}
    assert len(found.found) == 2 + len(announced.renditions)
    assert found.age_s_max == 77


def test_a_manifest_of_before_is_caught(world: World) -> None:
    old = b'{"tenant":"acme","sku":"mug"}'
    world.publish()
    world.cdn.changed = lambda key, body, headers: (old if key.endswith(".json") else body, headers)
    assert drifts(world.probed()) == {"stale_manifest"}


def test_what_is_gone_or_broken_is_reported_and_ends_nothing(world: World) -> None:
    announced = world.publish()
    world.shop.origin.delete(announced.renditions[0].key)
    world.cdn.changed = lambda key, body, headers: (b"<html>" if key.endswith(".avif") else body, headers)
    found = world.probed()
    assert drifts(found) == {"gone", "altered"}


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..b", "xn--", "xn--zzzzzzzzzzzzzzzzzzzz.example"])
def test_a_redirect_to_what_can_be_no_host_is_refused(host: str) -> None:
    with Shopper(timeout_s=10) as shopper, pytest.raises(Refused, match="no host"):
        shopper.get(f"http://{host}/a.jpg")


def test_what_breaks_the_probe_is_reported_and_all_others_are_probed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish()
    get = Shopper.get

    def broken(shopper: Shopper, url: str) -> Served:
        if url.endswith(".avif"):
            raise KeyError("what nobody foresaw")
        return get(shopper, url)

    monkeypatch.setattr(Shopper, "get", broken)
    (found,) = world.probed().found
    assert (found.drift, "KeyError" in found.seen) == ("altered", True)


def test_a_cdn_that_is_away_and_a_slow_one_are_reported(world: World) -> None:
    world.publish()
    assert "slow" in drifts(world.probed(Wanted(slow_ms=0)))
    world.cdn.__exit__()
    assert drifts(world.probed()) == {"away"}


def test_the_commands_show_verify_argue_and_end_with_1(world: World, tmp_path: Path) -> None:
    announced = world.publish()
    run = CliRunner()
    good = run.invoke(provenance, [announced.file.url], obj=world.settings)
    assert good.exit_code == 0, good.output
    assert "no generative model took part" in good.output
    assert "Self-made by Packshot" in good.output
    plain = tmp_path / "plain.jpg"
    Image.new("RGB", (8, 8)).save(plain)
    assert run.invoke(provenance, [str(plain)], obj=world.settings).exit_code == 1
    argued = run.invoke(disclosures, ["explain", "mug", "--all"], obj=world.settings)
    assert argued.exit_code == 0, argued.output
    assert "u2netp@1 cuts out" in argued.output
    assert "No generative model took part." in argued.output
    assert "None of the rules that ship asks for anything" in argued.output
    assert run.invoke(probe, ["--json"], obj=world.settings).exit_code == 0
    world.shop.origin.delete(announced.file.key)
    assert run.invoke(probe, ["--most", "1", "--dry-run"], obj=world.settings).exit_code == 1


class Told:
    """Stands in for the producer; `records` are what was sent."""

    codec = HASHED
    records: ClassVar[list[Outgoing]] = []

    def __init__(self, _settings: Settings) -> None:
        self.is_closed = False

    def send(self, records: Sequence[Outgoing]) -> None:
        self.records.extend(records)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Outgoing]:
    monkeypatch.setattr(Told, "records", [])
    monkeypatch.setattr(probing, "AcknowledgedProducer", Told)
    monkeypatch.setattr(probing, "make_topics", lambda _settings: None)
    return Told.records


def test_each_drift_is_an_event_of_its_product(world: World, told: list[Outgoing]) -> None:
    announced = world.publish()
    world.shop.origin.delete(announced.file.key)
    assert CliRunner().invoke(probe, ["--json"], obj=world.settings).exit_code == 1
    [record] = told
    event = HASHED.decode(record.value)
    assert isinstance(event, DriftFound)
    assert (record.topic, record.key) == ("imagery.drift", b"acme|mug")
    assert (event.asset, event.version, event.url, event.drift) == ("web-1", 1, announced.file.url, "gone")
    assert event.found_at_ms > 0


def test_what_a_hostile_cdn_says_is_told_in_letters_that_records_take(world: World, told: list[Outgoing]) -> None:
    announced = world.publish()
    world.cdn.changed = lambda key, body, headers: (
        body,
        {**headers, "Content-Type": "image/\u202egpj" + "x" * 4000} if key.endswith(".jpg") else headers,
    )
    assert CliRunner().invoke(probe, [], obj=world.settings).exit_code == 1
    events = [HASHED.decode(each.value) for each in told]
    assert {each.drift for each in events if isinstance(each, DriftFound)} == {"headers"}
    assert announced.file.url in {each.url for each in events if isinstance(each, DriftFound)}


def test_nothing_is_told_where_nothing_differs_or_nobody_wants_it(world: World, told: list[Outgoing]) -> None:
    announced = world.publish()
    assert CliRunner().invoke(probe, [], obj=world.settings).exit_code == 0
    world.shop.origin.delete(announced.file.key)
    assert CliRunner().invoke(probe, ["--dry-run"], obj=world.settings).exit_code == 1
    assert told == []
