"""What a request does to a manifest: pure, from one manifest to the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import msgspec
from msgspec.structs import replace

from schemas.decoding import prepare
from schemas.disclosures.applying import duties, made_as
from schemas.identity import content_id
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    ProductPublished,
    Provenance,
    PublishRequested,
    Rendition,
    RetractRequested,
)
from streams.facts import ProductState
from streams.facts.states import ENDED_BADLY, HELD
from streams.publishing.manifest import Manifest, ManifestAsset, file_name, srcset
from streams.publishing.renditions import ENCODING

DELETED = "the product was deleted"
WITHHELD_REASON_MAX = 300  # characters: a plan of hundreds of assets has to fit into one announcement

Request = PublishRequested | AssetWithheld | RetractRequested
Announcement = AssetPublished | ProductPublished | AssetRetracted
Relation = Literal["new", "repeated", "settled"]


class Taken(msgspec.Struct, frozen=True):
    """A retraction, and the position of the publication that it takes back."""

    event: AssetRetracted
    position: str

    def is_done(self, manifest: Manifest) -> bool:
        """Whether that publication is no longer live."""
        live = manifest.assets.get(self.event.asset)
        return live is None or live.position != self.position


@dataclass(frozen=True)
class Written:
    """An asset's files as they lie on the origin, its own first; what was claimed in them, and told of them."""

    files: list[Rendition]
    claim: str = ""
    provenance: Provenance | None = None

    @classmethod
    def of(cls, asset: ManifestAsset) -> Self:
        """Those of an asset that is live."""
        return cls([asset.file, *asset.renditions], asset.claim, asset.provenance)


@dataclass(frozen=True)
class Turn:
    """One look at everything that a request's outcome depends on.

    `start` is the manifest with `etag`, or an empty one where there is none; `product` was read after that.
    """

    event: Request
    position: str
    requested_at_ms: int
    product: ProductState | None
    start: Manifest
    etag: str | None

    @property
    def is_deleted(self) -> bool:
        """Whether the facts say that the product is gone."""
        return self.product is not None and self.product.deleted

    @property
    def may_be_live(self) -> bool:
        """Whether the request's version is the newest, and its asset in the plan and not held back since."""
        event, product = self.event, self.product
        if not isinstance(event, PublishRequested) or product is None or product.deleted:
            return False
        return product.version == event.version and product.plan.get(event.asset) not in (None, *HELD)

    @property
    def newcomer(self) -> PublishRequested | None:
        """The request, when it puts an asset into the manifest."""
        event = self.event
        if not isinstance(event, PublishRequested) or not self.may_be_live:
            return None
        return event if self._relation(self.start) == "new" else None

    @property
    def live_already(self) -> ManifestAsset | None:
        """The asset that the newcomer takes the place of, when it has just the newcomer's file."""
        event = self.newcomer
        live = self.start.assets.get(event.asset) if event else None
        if event is None or live is None:
            return None
        same = (live.file.content, live.file.media_type) == (event.file.digest, event.file.media_type)
        return live if same and _moves_alike(event, live) else None

    def moved(self, written: Written | None, manifest_url: str, now_ms: int, grace_ms: int = 0) -> Manifest:
        """The manifest after this turn, or `start` itself when nothing moves.

        `written` is of an asset that goes live, if one does. What its files replace stays for `grace_ms`.
        A retraction always moves: whoever looked at the manifest before it, and at the facts, has to look again.
        """
        after = self._after(written, manifest_url, now_ms)
        if after == self.start and not isinstance(self.event, RetractRequested):
            return self.start
        retired = self._retired(after, now_ms, now_ms + grace_ms)
        return replace(after, serial=self.start.serial + 1, retired=retired)

    def _after(self, written: Written | None, manifest_url: str, now_ms: int) -> Manifest:
        if self.is_deleted:
            return without(self.start, self.start.assets)
        if self.newcomer:
            assert written is not None, "what goes live was written"
            return self._completed(self._placed(self.newcomer, written, now_ms), manifest_url, now_ms)
        if isinstance(self.event, PublishRequested):
            return self.start
        return self._completed(without(self.start, self._retracted()), manifest_url, now_ms)

    def published(self, moved: Manifest, manifest_url: str) -> list[Announcement]:
        """The announcement of the asset that is live because of this request, now or since a turn that was cut off."""
        event = self.event
        if not isinstance(event, PublishRequested) or self._relation(moved) != "repeated":
            return []
        asset = moved.assets[event.asset]
        return [
            AssetPublished(
                tenant=event.tenant,
                sku=event.sku,
                version=asset.version,
                asset=event.asset,
                channel=asset.channel,
                file=asset.file,
                renditions=asset.renditions,
                srcset=asset.srcset,
                verdict=asset.verdict,
                engine=asset.engine,
                manifest_url=manifest_url,
                published_at_ms=asset.published_at_ms,
                campaign=asset.campaign,
                approved_by=asset.approved_by,
                models=asset.models,
                unchanged=asset.unchanged,
                provenance=asset.provenance,
                disclosures=asset.disclosures,
            )
        ]

    def taken(self, moved: Manifest, now_ms: int) -> list[Taken]:
        """The retractions of the assets that this turn takes away.

        One that this very request put there was never announced, and goes without a word unless another was before it.
        """
        gone = sorted(set(self.start.assets) - set(moved.assets))
        return [self._taken(name, moved, now_ms) for name in gone if not self._is_unheard_of(name)]

    def announcement(self, moved: Manifest) -> list[Announcement]:
        """The product's announcement, if it was this request that completed the plan which is still the newest."""
        if self.product is None or moved.announcement is None or moved.announced_at != self.position:
            return []
        return [moved.announcement] if moved.announced == _plan_id(moved, self.product) else []

    def _relation(self, manifest: Manifest) -> Relation:
        """How the request stands to what is live.

        `repeated`: it is live because of this very request. `settled`: just this file, or something newer, is live.
        """
        event = self.event
        live = manifest.assets.get(event.asset) if isinstance(event, PublishRequested) else None
        if not isinstance(event, PublishRequested) or live is None or live.version < event.version:
            return "new"
        same = (event.version, event.file.digest, event.models, event.verdict.rules)
        if (live.version, live.file.content, live.models, live.verdict.rules) == same and _moves_alike(event, live):
            return "repeated" if live.position == self.position else "settled"
        return "settled" if live.version > event.version or self._precedes(live) else "new"

    def _precedes(self, live: ManifestAsset) -> bool:
        """Whether the request was written before the one that `live` is there for.

        A smaller offset alone does not say so: a log that began anew counts from 0 again.
        """
        log, _, offset = self.position.rpartition("/")
        live_log, _, live_offset = live.position.rpartition("/")
        return log == live_log and int(offset) < int(live_offset) and self.requested_at_ms <= live.published_at_ms

    def _is_unheard_of(self, name: str) -> bool:
        event = self.event
        own = isinstance(event, PublishRequested) and event.asset == name and self._relation(self.start) == "repeated"
        return own and not self.start.assets[name].follows

    def _retired(self, after: Manifest, now_ms: int, until_ms: int) -> dict[str, int]:
        """Until when what was live is to stay: what a retraction or a deletion takes back, not at all."""
        stays = {key: until for key, until in self.start.retired.items() if until > now_ms}
        stays |= dict.fromkeys(sorted(self.start.keys() - after.keys()), until_ms)
        return {key: 0 if self._takes_back(key) else until for key, until in stays.items()}

    def _takes_back(self, key: str) -> bool:
        """Whether an old file goes at once: earlier pictures of an asset go with it, though it be live anew."""
        if self.is_deleted:
            return True
        event, name = self.event, file_name(key)
        if not isinstance(event, RetractRequested) or name is None:
            return False
        return name.asset in event.assets if event.assets is not None else True

    def _placed(self, event: PublishRequested, written: Written, now_ms: int) -> Manifest:
        files, provenance = written.files, written.provenance
        before = self.start.assets.get(event.asset)
        # What is as it was before the last time is still another announcement, even for a clock that stands still.
        at_ms = now_ms if before is None else max(now_ms, before.published_at_ms + 1)
        asset = ManifestAsset(
            version=event.version,
            channel=event.channel,
            file=files[0],
            renditions=files[1:],
            srcset=srcset(files[1:]),
            verdict=event.verdict,
            engine=event.engine,
            result_id=event.result_id,
            published_at_ms=at_ms,
            position=self.position,
            campaign=event.campaign,
            approved_by=event.approved_by,
            models=event.models,
            unchanged=self.live_already is not None
            and files == [self.live_already.file, *self.live_already.renditions],
            follows=before is not None,
            encoding=ENCODING,
            claim=written.claim,
            provenance=provenance,
            disclosures=duties(made_as(provenance, event.models), event.channel, at_ms),
        )
        return _with(replace(self.start, title=event.title), {**self.start.assets, event.asset: asset})

    def _retracted(self) -> set[str]:
        """The assets that a RetractRequested means: up to its version, and not put there after it was written.

        One that is planned again by now stays: the request may come late, from a process that stood still.
        """
        event = self.event
        if not isinstance(event, RetractRequested):
            return set()
        named = self.start.assets if event.assets is None else event.assets
        live = {name: asset for name, asset in self.start.assets.items() if name in named}
        gone = {name for name, asset in live.items() if not self._stays(event, name, asset)}
        return {n for n in gone if live[n].version <= event.version and not self._precedes(live[n])}

    def _stays(self, event: RetractRequested, name: str, live: ManifestAsset) -> bool:
        """Whether an asset is planned again by now or, where one result is meant, another is live or it is approved."""
        plan = {} if self.product is None else self.product.plan
        if event.result_id is None:
            return event.assets is not None and plan.get(name) not in (None, "rejected")
        if live.result_id != event.result_id:
            return True
        is_newest = self.product is not None and self.product.version == live.version
        return is_newest and plan.get(name) not in (None, *HELD)

    def _completed(self, manifest: Manifest, manifest_url: str, now_ms: int) -> Manifest:
        """The manifest with nothing but the plan in it and the announcement of that, once the plan is complete."""
        product = self.product
        if product is None or product.version != self.event.version or not _is_complete(manifest, product):
            return manifest
        plan = _plan_id(manifest, product)
        if manifest.announced == plan:
            return manifest
        final = without(manifest, _outside_plan(manifest, product))
        announcement = ProductPublished(
            tenant=manifest.tenant,
            sku=manifest.sku,
            version=product.version,
            assets=sorted(final.assets),
            withheld=self._withheld(final, product),
            manifest_url=manifest_url,
            published_at_ms=now_ms,
        )
        return replace(final, announced=plan, announced_at=self.position, announcement=announcement)

    def _withheld(self, manifest: Manifest, product: ProductState) -> dict[str, str]:
        event = self.event
        own = {event.asset: event.reason} if isinstance(event, AssetWithheld) else {}
        missing = {name: state for name, state in sorted(product.plan.items()) if name not in manifest.assets}
        reasons = {n: product.reasons.get(n) or own.get(n) or state for n, state in missing.items()}
        return {name: reason[:WITHHELD_REASON_MAX] for name, reason in reasons.items()}

    def _taken(self, name: str, moved: Manifest, now_ms: int) -> Taken:
        asset = self.start.assets[name]
        event = AssetRetracted(
            tenant=self.start.tenant,
            sku=self.start.sku,
            version=asset.version,
            asset=name,
            reason=self._why(name),
            urls=[asset.file.url, *(rendition.url for rendition in asset.renditions), *self._earlier(name, moved)],
            retracted_at_ms=now_ms,
            urls_until_ms=moved.retired.get(asset.file.key, 0),
        )
        return Taken(event, asset.position)

    def _earlier(self, name: str, moved: Manifest) -> list[str]:
        """The URLs of an asset's earlier pictures that are taken back with it."""
        file = self.start.assets[name].file
        base = file.url.removesuffix(file.key)
        named = {key: file_name(key) for key in self.start.retired}
        return [base + key for key, its in named.items() if its and its.asset == name and moved.retired.get(key) == 0]

    def _why(self, name: str) -> str:
        event = self.event
        if isinstance(event, RetractRequested) and (self.is_deleted or name in self._retracted()):
            return event.reason or DELETED
        if self.is_deleted or self.product is None:
            return DELETED
        return f"not in the plan of version {self.product.version}"


def _moves_alike(event: PublishRequested, live: ManifestAsset) -> bool:
    """Whether what moves beside the live picture is just what is to be."""
    return {(each.role, each.digest) for each in event.beside} == {
        (each.role, each.content) for each in live.renditions if each.role
    }


def without(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """The manifest without some assets; itself when it has none of them."""
    gone = set(names) & set(manifest.assets)
    left = {name: asset for name, asset in manifest.assets.items() if name not in gone}
    return _with(manifest, left) if gone else manifest


def _with(manifest: Manifest, assets: dict[str, ManifestAsset]) -> Manifest:
    return replace(manifest, assets=assets, version=max((a.version for a in assets.values()), default=0))


def _plan_id(manifest: Manifest, product: ProductState) -> str:
    """The id of a plan and of what is withheld of it: an asset that comes after all is news of the product."""
    withheld = set(product.plan) - (set(manifest.assets) - _outside_plan(manifest, product))
    return content_id("plan", manifest.tenant, manifest.sku, product.version, sorted(product.plan), sorted(withheld))


def _outside_plan(manifest: Manifest, product: ProductState) -> set[str]:
    assets = manifest.assets.items()
    return {n for n, asset in assets if asset.version != product.version or n not in product.plan}


def _is_complete(manifest: Manifest, product: ProductState) -> bool:
    live = set(manifest.assets) - _outside_plan(manifest, product)
    return bool(live) and all(name in live or state in ENDED_BADLY for name, state in product.plan.items())


prepare(Taken)
