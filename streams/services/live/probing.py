"""The probe: live pictures as a shopper gets them, held against what was published.

A CDN, a proxy or a shop's own image service may convert, strip or resize what it serves, and caches may hold what was
taken back. What differs is drift: it is logged, counted, told as an event, and by the exit status.
"""

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from gpu_workers.sources.errors import NotAnImage
from gpu_workers.sources.media_types import sniff_published
from schemas.decoding import prepare
from schemas.records import AssetPublished, DriftFound, Rendition
from schemas.text import MESSAGE_MAX, printable
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import outgoing
from streams.facts import Database
from streams.publishing.manifest import Manifest
from streams.publishing.manifest import read as read_manifest
from streams.publishing.signing.keys import anchors_of
from streams.publishing.signing.reading import UNALTERED, read
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.live.served import Served, Shopper
from streams.services.operating.roles import begin, stop_on_signals
from streams.services.reports.status import open_database
from streams.services.reports.views import View

Drift = Literal["gone", "altered", "stripped", "converted", "unsigned", "headers", "stale_manifest", "slow", "away"]
KEPT_S_MIN = 86_400  # of a file whose name changes with it: less than a day, and shoppers fetch it again and again
MANIFEST_KEPT_S_MAX = 60  # of what moves: longer, and listings show what was taken back
MOST = 100
SLOW_MS = 2_000.0

probed = Counter("packshot_probe_files_total", "Files that a probe fetched as a shopper does.", ["drift"])
latency = Histogram("packshot_probe_seconds", "How long a probed file took, to its last byte.")
drifted = Gauge("packshot_probe_drifted_files", "Files of the last probe that differ from what was published.")
log = structlog.get_logger()
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,12})")


class Found(View, frozen=True, kw_only=True):
    """A file that is served otherwise than it was published, in which way, and what was seen."""

    tenant: str
    sku: str
    version: int
    asset: str
    url: str
    drift: Drift
    seen: str


class Probed(View, frozen=True, kw_only=True):
    """What a probe saw. `age_s_max` is the highest Age that a cache told, None where none told one."""

    assets: int
    files: int
    latency_ms_median: float
    latency_ms_max: float
    age_s_max: int | None
    signed: int
    found: Sequence[Found]


@dataclass(frozen=True)
class Wanted:
    """Which live assets are probed: `most` of them by chance, 0 for all; and what counts as slow."""

    tenant: str | None = None
    sku: str | None = None
    most: int = MOST
    slow_ms: float = SLOW_MS


class Probe:
    """Fetches live files; `anchors` are the authorities by which signatures are trusted, PEM."""

    def __init__(self, database: Database, shopper: Shopper, anchors: str, wanted: Wanted) -> None:
        self._database = database
        self._shopper = shopper
        self._anchors = anchors
        self._wanted = wanted
        self._latencies_ms: list[float] = []
        self._ages_s: list[int] = []
        self._signed = 0

    def run(self, tell: Callable[[int, int], None] = lambda _done, _total: None) -> Probed:
        """Probes; `tell` is given how many assets are done, of how many. Raises DatabaseUnavailable."""
        assets, found = self._drawn(), list[Found]()
        for done, asset in enumerate(assets, start=1):
            found += self._seen(asset)
            tell(done, len(assets))
        for each in found:
            log.warning("drift", **msgspec.to_builtins(each))
        drifted.set(len({each.url for each in found}))
        ordered = sorted(self._latencies_ms)
        return Probed(
            assets=len(assets),
            files=len(ordered),
            latency_ms_median=ordered[len(ordered) // 2] if ordered else 0.0,
            latency_ms_max=max(ordered, default=0.0),
            age_s_max=max(self._ages_s, default=None),
            signed=self._signed,
            found=found,
        )

    def _drawn(self) -> list[AssetPublished]:
        wanted = self._wanted
        with self._database.read() as facts:
            live = [
                each.live
                for each in facts.assets.every()
                if each.live is not None and wanted.tenant in (None, each.tenant) and wanted.sku in (None, each.sku)
            ]
        if wanted.most and len(live) > wanted.most:
            return random.sample(live, wanted.most)
        return live

    def _seen(self, asset: AssetPublished) -> list[Found]:
        """What differs of an asset; what breaks whoever looks at it does, and the others are looked at all the same."""
        try:
            return list(self._asset(asset))
        except Exception as error:
            log.exception("unexpected error", tenant=asset.tenant, sku=asset.sku, asset=asset.asset)
            return [_found(asset, asset.file.url, "altered", f"unexpected: {type(error).__name__}: {error}")]

    def _asset(self, asset: AssetPublished) -> Iterator[Found]:
        for file in (asset.file, *asset.renditions):
            yield from self._file(asset, file)
        yield from self._manifest(asset)

    def _file(self, asset: AssetPublished, file: Rendition) -> Iterator[Found]:
        served = self._served(file.url)
        if isinstance(served, str):
            drifts: list[tuple[Drift, str]] = [("away", served)]
        else:
            self._latencies_ms.append(served.latency_ms)
            latency.observe(served.latency_ms / 1000)
            drifts = [*self._differences(asset, file, served)]
        kinds: list[str] = [drift for drift, _ in drifts]
        for kind in kinds or ["none"]:
            probed.labels(kind).inc()
        for drift, seen in drifts:
            yield _found(asset, file.url, drift, seen)

    def _served(self, url: str) -> Served | str:
        """What is served, or why nothing is."""
        try:
            served = self._shopper.get(url)
        except (Unavailable, Refused) as error:
            return str(error)
        age = served.headers.get("age", "")
        if age.isascii() and age.isdigit():
            self._ages_s.append(int(age[:12]))
        return served

    def _differences(self, asset: AssetPublished, file: Rendition, served: Served) -> Iterator[tuple[Drift, str]]:
        if served.status != 200:
            yield "gone", f"status {served.status}"
            return
        if hashlib.sha256(served.body).hexdigest() != file.sha256:
            yield self._change(asset, file, served)
        elif asset.provenance is not None and asset.provenance.signed_by:
            state = read(served.body, file.media_type, self._anchors)
            self._signed += state.state in UNALTERED
            if state.state not in UNALTERED:
                yield "unsigned", f"C2PA: {state.state} {', '.join(state.wrong)}".strip()
        yield from _headers(file, served)
        if served.latency_ms > self._wanted.slow_ms:
            yield "slow", f"{served.latency_ms:.0f} ms"

    def _change(self, asset: AssetPublished, file: Rendition, served: Served) -> tuple[Drift, str]:
        """What became of a file whose bytes are others."""
        size = f"{len(served.body):,} bytes for {file.size_bytes:,}"
        try:
            media_type = sniff_published(served.body, file.url)
        except NotAnImage as error:
            return "altered", f"{size}: {error}"
        if media_type != file.media_type:
            return "converted", f"{media_type} for {file.media_type}, {size}"
        found, provenance = read(served.body, media_type, self._anchors), asset.provenance
        if provenance is not None and provenance.signed_by and found.state == "unsigned":
            return "stripped", f"no C2PA manifest, {size}"
        if provenance is not None and provenance.source_type and not found.source_type:
            return "stripped", f"no DigitalSourceType, {size}"
        return "altered", f"{size}, C2PA: {found.state}"

    def _manifest(self, asset: AssetPublished) -> Iterator[Found]:
        served = self._served(asset.manifest_url)
        if isinstance(served, str):
            yield _found(asset, asset.manifest_url, "away", served)
            return
        for drift, seen in _manifest_drifts(asset, served):
            yield _found(asset, asset.manifest_url, drift, seen)


def probed_live(
    settings: Settings, wanted: Wanted, tell: Callable[[int, int], None] = lambda _done, _total: None
) -> Probed:
    """What a probe of what is live sees, by the facts and the CDN of the settings. Raises DatabaseUnavailable."""
    with open_database(settings) as database, Shopper() as shopper:
        return Probe(database, shopper, anchors_of(settings), wanted).run(tell)


def tell_drift(settings: Settings, found: Probed) -> int:
    """Tells what a probe found on `imagery.drift`, one event each; how many. Raises Unavailable."""
    if not found.found:
        return 0
    at_ms = now_ms()
    events = [DriftFound(**msgspec.to_builtins(each), found_at_ms=at_ms) for each in found.found]
    make_topics(settings)
    producer = AcknowledgedProducer(settings)
    try:
        producer.send([outgoing(each, "packshot/probe", codec=producer.codec) for each in events])
    finally:
        producer.close()
    return len(events)


def watch(settings: Settings, wanted: Wanted, every_s: float) -> None:
    """Probes again and again until SIGTERM or SIGINT: what differs is an event, logged, and on metrics for an alert."""
    begin(settings, "probe")
    stop = stop_on_signals()
    while not stop.is_set():
        try:
            tell_drift(settings, probed_live(settings, wanted))
        except Unavailable as away:
            log.warning("waiting", reason=str(away))
        stop.wait(every_s)


def _headers(file: Rendition, served: Served) -> Iterator[tuple[Drift, str]]:
    media_type = served.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != file.media_type:
        yield "headers", f"Content-Type is {media_type or 'missing'}, not {file.media_type}"
    cache = served.headers.get("cache-control", "")
    if _kept_s(cache) < KEPT_S_MIN:
        yield "headers", f"Cache-Control is {cache or 'missing'}: a file may be kept for ever"


def _manifest_drifts(asset: AssetPublished, served: Served) -> Iterator[tuple[Drift, str]]:
    if served.status != 200:
        yield "gone", f"status {served.status}"
        return
    cache = served.headers.get("cache-control", "")
    if "no-cache" not in cache and "no-store" not in cache and _kept_s(cache, 10**12) > MANIFEST_KEPT_S_MAX:
        yield "headers", f"Cache-Control is {cache or 'missing'}: a manifest moves"
    try:
        manifest: Manifest = read_manifest(served.body, asset.manifest_url)
    except Refused as error:
        yield "altered", str(error)
        return
    live = manifest.assets.get(asset.asset)
    if live is None or live.version < asset.version:
        yield "stale_manifest", f"version {0 if live is None else live.version} of {asset.asset}, not {asset.version}"


def _kept_s(cache_control: str, unsaid: int = 0) -> int:
    found = _MAX_AGE.search(cache_control.lower())
    return int(found[1]) if found else unsaid


def _found(asset: AssetPublished, url: str, drift: Drift, seen: str) -> Found:
    return Found(
        tenant=asset.tenant,
        sku=asset.sku,
        version=asset.version,
        asset=asset.asset,
        url=url,
        drift=drift,
        seen=printable(seen, MESSAGE_MAX),
    )


prepare(Found, Probed)
