"""The local CDN over HTTP, as a browser and a crawler meet it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from yarl import URL

from schemas.records import Verdict
from streams.blobs import FolderStore, Stored, StoreUnavailable
from streams.cdn.server import build_app
from streams.publishing.manifest import Manifest, ManifestAsset, manifest_key, rendition_of, save, srcset
from streams.publishing.renditions import Encoded

T = TypeVar("T")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def publish(store: FolderStore, sku: str, *, title: str = "A mug", data: bytes = b"picture") -> Manifest:
    start = Manifest(tenant="acme", sku=sku)
    files = [
        rendition_of(Encoded("image/webp", width_px, width_px, data), start, "web-1", "https://cdn.example")
        for width_px in (1000, 320, 640)
    ]
    for file in files:
        store.put(file.key, data, content_type="image/webp")
    asset = ManifestAsset(
        version=1,
        channel="web",
        file=files[0],
        renditions=files[1:],
        srcset=srcset(files[1:]),
        verdict=Verdict(outcome="pass", checks=[], rules="2026-11"),
        engine="test",
        result_id="r",
        published_at_ms=1,
        position="imagery.publish/0/0",
    )
    manifest = Manifest(tenant="acme", sku=sku, version=1, title=title, assets={"web-1": asset})
    save(store, manifest, None)
    return manifest


def visit(store: FolderStore, what: Callable[[aiohttp.ClientSession, str], Awaitable[T]]) -> T:
    """Runs `what` with a session and the base URL of a CDN that serves `store`."""

    async def run() -> T:
        async with TestServer(build_app(store)) as server, aiohttp.ClientSession() as session:
            return await what(session, str(server.make_url("/")))

    return asyncio.run(run())


def get(store: FolderStore, path: str, method: str = "GET", **headers: str) -> tuple[int, CIMultiDict[str], bytes]:
    """Status, headers and body of an answer; `path` goes out just as it is written."""

    async def ask(session: aiohttp.ClientSession, base: str) -> tuple[int, CIMultiDict[str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(base.rstrip("/") + path, encoded=True)
        async with session.request(method, url, headers=named) as answer:
            return answer.status, CIMultiDict(answer.headers), await answer.read()

    return visit(store, ask)


def test_a_rendition_may_be_kept_for_ever_and_used_anywhere(store: FolderStore) -> None:
    key = publish(store, "mug").assets["web-1"].file.key
    status, headers, body = get(store, f"/{key}")
    assert (status, body) == (200, b"picture")
    assert headers["Content-Type"] == "image/webp"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_manifest_is_asked_for_anew_each_time(store: FolderStore) -> None:
    publish(store, "mug")
    status, headers, body = get(store, "/acme/mug/manifest.json")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/json", "no-cache")
    assert b'"web-1"' in body


def test_head_tells_the_size_without_the_picture(store: FolderStore) -> None:
    key = publish(store, "mug").assets["web-1"].file.key
    status, headers, body = get(store, f"/{key}", "HEAD")
    assert (status, headers["Content-Length"], headers["Content-Type"], body) == (200, "7", "image/webp", b"")


def test_what_has_not_changed_is_not_sent_again(store: FolderStore) -> None:
    publish(store, "mug")
    _, headers, _ = get(store, "/acme/mug/manifest.json")
    tag = headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, again, body = get(store, "/acme/mug/manifest.json", If_None_Match=known)
        assert (status, body, again["ETag"]) == (304, b"", tag), known
    status, _, body = get(store, "/acme/mug/manifest.json", If_None_Match='"other"')
    assert status == 200
    assert body


def test_a_changed_manifest_is_sent(store: FolderStore) -> None:
    manifest = publish(store, "mug")
    _, before, _ = get(store, "/acme/mug/manifest.json")
    store.delete(manifest_key("acme", "mug"))
    save(store, Manifest(tenant="acme", sku="mug", title=manifest.title), None)
    status, _, _ = get(store, "/acme/mug/manifest.json", If_None_Match=before["ETag"])
    assert status == 200


@pytest.mark.parametrize("path", ["/acme/mug/none.webp", "/acme", "/favicon.ico"])
def test_what_is_not_there_is_said_in_plain_text_and_not_kept(store: FolderStore, path: str) -> None:
    publish(store, "mug")
    status, headers, _ = get(store, path)
    assert (status, headers["Content-Type"].partition(";")[0]) == (404, "text/plain")
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/a//b", "/.store/headers", "/%2e%2e/%2e%2e/etc/passwd", "/a/..%2f..%2fb", "/a%00b"])
def test_a_key_that_no_store_can_hold_is_a_bad_request(store: FolderStore, path: str) -> None:
    status, headers, _ = get(store, path)
    assert (status, headers["Content-Type"].partition(";")[0]) == (400, "text/plain")


def test_nothing_can_be_written(store: FolderStore) -> None:
    publish(store, "mug")
    assert get(store, "/acme/mug/manifest.json", "PUT")[0] == 405
    assert get(store, "/acme/mug/manifest.json", "DELETE")[0] == 405


@pytest.mark.parametrize("path", ["/acme/mug/manifest.json", "/", "/healthz"])
def test_a_store_that_is_away_asks_for_patience(store: FolderStore, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> Stored:
        raise StoreUnavailable("the origin does not answer")

    for method in ("get", "keys", "check"):
        monkeypatch.setattr(store, method, away)
    status, headers, body = get(store, path)
    assert (status, int(headers["Retry-After"]) > 0) == (503, True)
    assert b"does not answer" in body


def test_health_is_answered(store: FolderStore) -> None:
    assert get(store, "/healthz")[0] == 200


def test_the_front_page_shows_every_product(store: FolderStore) -> None:
    publish(store, "mug", title="A mug")
    publish(store, "Jar 1", title="<b>Jar</b> & lid")
    status, headers, body = get(store, "/")
    page = body.decode()
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "A mug" in page
    assert "&lt;b&gt;Jar&lt;/b&gt; &amp; lid" in page
    assert 'href="/acme/mug/manifest.json"' in page
    assert "-320." in page
    assert "-640." not in page


def test_a_product_of_which_nothing_is_live_is_not_on_the_front_page(store: FolderStore) -> None:
    save(store, Manifest(tenant="acme", sku="mug", serial=4), None)
    assert b"Nothing is live yet" in get(store, "/")[2]
    status, _, body = get(store, "/acme/mug/manifest.json")
    assert (status, b'"assets": {}' in body) == (200, True)


def test_an_empty_origin_has_a_front_page(store: FolderStore) -> None:
    status, _, body = get(store, "/")
    assert status == 200
    assert b"Nothing is live yet" in body


def test_a_manifest_that_cannot_be_read_does_not_hide_the_others(store: FolderStore) -> None:
    publish(store, "mug")
    store.put("acme/broken/manifest.json", b"{", content_type="application/json")
    status, _, body = get(store, "/")
    assert status == 200
    assert b"A mug" in body
    assert b"acme/broken" in body
