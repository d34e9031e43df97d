"""The local CDN: the origin over HTTP, with the headers that a real CDN would send."""

import asyncio
import html
from collections.abc import Awaitable, Callable

from aiohttp import web

from schemas.records import Rendition
from streams.blobs import BadKey, NotFound, ObjectStore, Stored
from streams.publishing.manifest import IMMUTABLE, MANIFEST_NAME, NO_CACHE, Manifest, read
from streams.runtime.errors import Refused, Unavailable

RETRY_AFTER_S = "2"
STORE: web.AppKey[ObjectStore] = web.AppKey("store", ObjectStore)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(store: ObjectStore) -> web.Application:
    """An app that serves what lies in `store`, and at / a page of what is live.

    The manifest of a product of which nothing is live is served like any other: it says so.
    """
    app = web.Application(middlewares=[_answers_errors])
    app[STORE] = store
    app.router.add_get("/", _index)
    app.router.add_get("/healthz", _health)
    app.router.add_get("/{key:.+}", _object)
    return app


async def _object(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    stored = await asyncio.to_thread(request.app[STORE].get, key)
    tag = stored.etag.strip('"')  # S3 gives its tags in quotes
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": NO_CACHE if key.endswith(f"/{MANIFEST_NAME}") else IMMUTABLE,
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    if {tag, "*"} & {known.value for known in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=stored.data, content_type=stored.content_type, headers=headers)


async def _health(request: web.Request) -> web.Response:
    await asyncio.to_thread(request.app[STORE].check)
    return web.Response(text="ok\n")


async def _index(request: web.Request) -> web.Response:
    manifests = await asyncio.to_thread(_manifests, request.app[STORE])
    return web.Response(text=_page(manifests), content_type="text/html", headers={"Cache-Control": NO_CACHE})


def _manifests(store: ObjectStore) -> list[tuple[str, Manifest | Refused]]:
    keys = [key for key in store.keys("") if key.endswith(f"/{MANIFEST_NAME}")]
    found = [(key, _read(stored.data, key)) for key in keys if (stored := _there(store, key))]
    return [(key, manifest) for key, manifest in found if isinstance(manifest, Refused) or manifest.assets]


def _read(data: bytes, key: str) -> Manifest | Refused:
    try:
        return read(data, key)
    except Refused as refusal:
        return refusal


def _there(store: ObjectStore, key: str) -> Stored | None:
    try:
        return store.get(key)
    except NotFound:  # retracted between the listing and now
        return None


@web.middleware
async def _answers_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotFound:
        return web.Response(status=404, text="there is nothing here\n", headers={"Cache-Control": NO_CACHE})
    except BadKey as error:
        return web.Response(status=400, text=f"{error}\n")
    except Unavailable as error:
        return web.Response(status=503, text=f"{error}\n", headers={"Retry-After": RETRY_AFTER_S})


_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1200px; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; } small { opacity: .6; font-weight: 400; }
.assets { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; width: 160px; } figcaption { font-size: .8rem; opacity: .75; overflow-wrap: anywhere; }
img { width: 160px; height: 160px; object-fit: contain; border: 1px solid #8883; border-radius: 6px;
  background: repeating-conic-gradient(#8882 0 25%, transparent 0 50%) 0 0 / 16px 16px; }
"""


def _page(manifests: list[tuple[str, Manifest | Refused]]) -> str:
    products = "".join(_product(key, manifest) for key, manifest in manifests)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Live on the local CDN</title>'
        f"<style>{_STYLE}</style></head><body><h1>Live on the local CDN <small>{len(manifests)} products</small></h1>"
        f"{products or '<p>Nothing is live yet.</p>'}</body></html>"
    )


def _product(key: str, manifest: Manifest | Refused) -> str:
    if isinstance(manifest, Refused):
        return f"<h2>{html.escape(str(manifest))}</h2>"
    figures = "".join(
        f'<figure><a href="/{asset.file.key}">'
        f'<img loading="lazy" alt="" src="/{_smallest(asset.renditions, asset.file)}"></a>'
        f"<figcaption>{html.escape(name)} · {asset.file.width_px}×{asset.file.height_px}</figcaption></figure>"
        for name, asset in sorted(manifest.assets.items())
    )
    title = f"{html.escape(manifest.title or manifest.sku)} <small>{html.escape(manifest.sku)} v{manifest.version}"
    return f'<h2>{title} · <a href="/{key}">manifest</a></small></h2><div class="assets">{figures}</div>'


def _smallest(renditions: list[Rendition], file: Rendition) -> str:
    usable = [each for each in renditions if not each.role and each.width_px >= 160 and each.media_type != "image/avif"]
    return min(usable, key=lambda each: each.width_px, default=file).key
