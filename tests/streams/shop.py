"""A publication on a folder of its own, whose origin may break: what the tests of publishing share."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from schemas.records import (
    AssetWithheld,
    Blob,
    PublishRequested,
    RetractRequested,
    Verdict,
)
from streams.blobs import Blobs, FolderStore
from streams.publishing.manifest import Manifest, load
from streams.publishing.publication import Announcement, ProductState, Publication, Request
from streams.publishing.sweep import Sweep

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

    def state_of(self, _tenant: str, _sku: str) -> ProductState | None:
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


def kinds(events: list[Announcement]) -> list[str]:
    return [type(event).__name__ for event in events]


def withheld(asset: str, version: int = 1) -> AssetWithheld:
    return AssetWithheld(tenant="acme", sku="mug", version=version, asset=asset, reason="the subject is cut off")


def retract(version: int = 1, assets: list[str] | None = None) -> RetractRequested:
    return RetractRequested(tenant="acme", sku="mug", version=version, assets=assets, reason="recalled")
