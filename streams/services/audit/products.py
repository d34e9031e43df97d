"""A product as facts, manifest, announcements and origin tell it: the four must agree."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.records import AssetPublished
from streams.facts import Asset
from streams.facts.states import ENDED, UNDER_WAY
from streams.publishing.manifest import Manifest, ManifestAsset
from streams.services.audit.findings import Finding, Kind


@dataclass(frozen=True)
class ProductView:
    """One product seen from everywhere. `version` is the newest that the facts know, None for a stranger."""

    tenant: str
    sku: str
    version: int | None
    deleted: bool = False
    assets: Mapping[str, Asset] = field(default_factory=dict)
    manifest: Manifest | None = None
    announced: Mapping[str, AssetPublished] = field(default_factory=dict)
    reviewed: Collection[str] = ()  # the assets that a person is asked about, by a case

    @property
    def name(self) -> str:
        return f"{self.tenant}|{self.sku}"

    @property
    def live(self) -> Mapping[str, ManifestAsset]:
        """What the manifest says is live."""
        return self.manifest.assets if self.manifest else {}


def disagreements(view: ProductView) -> Iterator[Finding]:
    """What is stale on the origin, and where manifest, announcements and facts differ."""
    yield from _stale(view)
    manifest = {name: (asset.version, asset.file.sha256) for name, asset in view.live.items()}
    announced = {name: (event.version, event.file.sha256) for name, event in view.announced.items()}
    noted = {n: (a.live.version, a.live.file.sha256) for n, a in view.assets.items() if a.live is not None}
    yield from _differences("manifests_differ", view, manifest, announced, "announced")
    yield from _differences("facts_differ", view, manifest, noted, "in the facts")


def stuck(view: ProductView) -> Iterator[Finding]:
    """Assets that wait; to be asked only of a product for which nothing is under way."""
    for name, asset in view.assets.items():
        what = f"{view.name} {name} v{asset.version}"
        if asset.state == "review" and name not in view.reviewed:
            yield Finding("stuck", what, "review, and no case waits for a person", view.tenant)
        if asset.state in UNDER_WAY and not _leaves_with_the_plan(view, asset):
            yield Finding("stuck", what, f"{asset.state}, and nothing is under way", view.tenant)


def _leaves_with_the_plan(view: ProductView, asset: Asset) -> bool:
    """Whether it stays live until the newest plan is complete, which has not come to pass."""
    return asset.state == "leaving" and not view.deleted and not _plan_is_complete(view)


def _stale(view: ProductView) -> Iterator[Finding]:
    for name, live in view.live.items():
        what = f"{view.name} {name} v{live.version}"
        if view.version is None or live.version > view.version:
            text = f"live, and the facts know {view.version or 'no such product'}"
            yield Finding("facts_differ", what, text, view.tenant)
        elif view.deleted:
            yield Finding("stale_published", what, "live, though the product was deleted", view.tenant)
        elif _plan_is_complete(view) and (live.version < view.version or name not in _plan(view)):
            yield Finding("stale_published", what, f"live, though version {view.version} is complete", view.tenant)


def _plan(view: ProductView) -> dict[str, Asset]:
    return {name: asset for name, asset in view.assets.items() if asset.state != "leaving"}


def _plan_is_complete(view: ProductView) -> bool:
    states = [asset.state for asset in _plan(view).values()]
    return "published" in states and set(states) <= ENDED


def _differences(
    kind: Kind, view: ProductView, manifest: Mapping[str, object], other: Mapping[str, object], where: str
) -> Iterator[Finding]:
    for name in sorted(manifest.keys() | other.keys()):
        ours, theirs = manifest.get(name), other.get(name)
        if ours != theirs:
            text = f"manifest: {_said(ours)}; {where}: {_said(theirs)}"
            yield Finding(kind, f"{view.name} {name}", text, view.tenant)


def _said(what: object) -> str:
    return "not live" if what is None else str(what)
