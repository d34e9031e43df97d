"""Publication: from a request to renditions on the origin, a moved manifest, and the events to announce.

How nothing is lost and nothing doubled for whoever reads the announcements, though origin and Kafka share no
transaction. The caller writes the events and its offset in one Kafka transaction; until that is committed, the same
request comes back with the same position and must give the same events:

- what a request made live is in the manifest under its position, with the time: the events are made from there;
- what a request takes away is written to the journal, under the request, before the manifest forgets it.

Objects are written before the manifest names them. The manifest moves by compare-and-set only, so that of two
publishers at work on one product, one of them a zombie, the loser looks again: at the manifest, and only then at the
facts, which know of a newer version or a deletion before its request is on the topic. Whoever moves a manifest has
therefore seen facts that are newer than the last move; and since a retraction always moves, even when there is nothing
to retract, nothing that was asked for before it can go live after it.

What is taken back is removed once the manifest has moved, and before that is announced; what is replaced stays for a
grace period, for those who still show it, and is left to the sweep. That no removal ever hits what is live is shown in
streams.publishing.manifest.
"""

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from schemas import codec
from schemas.identity import content_id
from schemas.records import AssetRetracted, Provenance, PublishRequested, Rendition, RetractRequested
from streams.blobs.content import Blobs
from streams.blobs.journal import Journal
from streams.blobs.store import BadKey, BlobCorrupt, NotFound, ObjectStore, PreconditionFailed
from streams.facts import ProductState
from streams.publishing.manifest import IMMUTABLE, Manifest, load, manifest_key, rendition_of, save
from streams.publishing.moves import Announcement, Request, Taken, Turn, Written
from streams.publishing.renditions import ENCODING, EXTENSIONS, Encoded, NotAPicture, TooManyPixels, render
from streams.publishing.signing.claims import source_type_in
from streams.publishing.signing.signer import Signing
from streams.runtime.errors import Refused, Unavailable

__all__ = ["Announcement", "ProductFacts", "ProductState", "Publication", "Request"]

ATTEMPTS_MAX = 8
REPLACED_GRACE_S = 3600.0
ANNOUNCEMENT_BYTES_MAX = 900_000  # below what any broker takes unless it is told otherwise, with room for headers

log = structlog.get_logger()


class ProductFacts(Protocol):
    """What is true of products. A newer version or a deletion is known here before its requests are on the topic."""

    def state_of(self, tenant: str, sku: str) -> ProductState | None:
        """How a product stands, or None for one that nobody knows. Raises Unavailable."""


class Publication:
    """Applies requests to the origin. `clock` gives Unix time in ms. Safe to use from several threads.

    Replaced files stay for `replaced_grace_s` seconds at least. Without `signing` files are published as they are.
    """

    def __init__(
        self,
        origin: ObjectStore,
        blobs: Blobs,
        facts: ProductFacts,
        cdn_base_url: str,
        clock: Callable[[], int],
        replaced_grace_s: float = REPLACED_GRACE_S,
        signing: Signing | None = None,
    ) -> None:
        self._signing = signing
        self._origin = origin
        self._blobs = blobs
        self._journal = Journal(blobs.store)
        self._facts = facts
        self._cdn_base_url = cdn_base_url.rstrip("/")
        self._clock = clock
        self._grace_ms = round(replaced_grace_s * 1000)
        self._transfers = ThreadPoolExecutor(8, thread_name_prefix="origin")

    def prepare(self, event: PublishRequested, position: str, requested_at_ms: int = 0) -> list[Encoded] | None:
        """The asset's own file and its renditions, or None when `apply` will not need them.

        Raises Refused for a file that is missing or is no picture, Unavailable while a store is away.
        """
        turn = self._look(event, position, requested_at_ms)
        return self._render(turn.newcomer) if turn.newcomer and not self._kept(turn) else None

    def apply(
        self, event: Request, position: str, prepared: list[Encoded] | None = None, requested_at_ms: int = 0
    ) -> list[Announcement]:
        """Carries the request out and returns what is to be announced; doing it again returns the same.

        `position` is topic/partition/offset, `requested_at_ms` the record's time. Nothing that is older than the
        product's version, or no longer planned, goes live; for a deleted product everything is taken away.
        Raises Refused for a request that cannot be carried out, Unavailable while facts or stores are away.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                return self._attempt(self._look(event, position, requested_at_ms), prepared)
            except BadKey as error:
                raise Refused("bad_name", str(error)) from error
            except PreconditionFailed:
                log.info("manifest moved by another", tenant=event.tenant, sku=event.sku, position=position)
        raise Unavailable(f"others keep moving the manifest of {event.tenant}|{event.sku}")

    def _look(self, event: Request, position: str, requested_at_ms: int) -> Turn:
        manifest, etag = load(self._origin, event.tenant, event.sku)  # before the facts: see above
        product = self._facts.state_of(event.tenant, event.sku)
        if not isinstance(event, RetractRequested) and (product is None or product.version < event.version):
            newest = "none" if product is None else str(product.version)
            message = f"the facts know no version {event.version} of {event.tenant}|{event.sku}; the newest is {newest}"
            raise Refused("unknown_version", message, field="version")
        start = manifest or Manifest(tenant=event.tenant, sku=event.sku)
        return Turn(event, position, requested_at_ms, product, start, etag)

    def _attempt(self, turn: Turn, prepared: list[Encoded] | None) -> list[Announcement]:
        self._remove(turn.start.taken_back())
        if turn.newcomer and turn.etag is None:
            turn = self._claimed(turn)
        written = self._kept(turn) or self._upload(turn, prepared)
        moved = turn.moved(written, self._manifest_url(turn), self._clock(), self._grace_ms)
        taken = self._note_taken(turn, moved)
        announcements = [*turn.published(moved, self._manifest_url(turn)), *taken, *turn.announcement(moved)]
        for event in announcements:
            _check_writable(event)
        if moved != turn.start:
            save(self._origin, moved, turn.etag)
            self._remove(moved.taken_back())
        return announcements

    def _claimed(self, turn: Turn) -> Turn:
        """The turn from an empty manifest, which is there before any file of the product is.

        So files without a manifest are never an upload under way, but what is left of a manifest that was lost.
        """
        claimed = replace(turn.start, serial=turn.start.serial + 1)
        return dataclasses.replace(turn, start=claimed, etag=save(self._origin, claimed, None))

    def _kept(self, turn: Turn) -> Written | None:
        """The files of the asset that the newcomer replaces, when they are its own, made as today, and all there."""
        event, live = turn.newcomer, turn.live_already
        if event is None or live is None or (live.encoding, live.claim) != (ENCODING, self._claim(event)):
            return None
        kept = Written.of(live)
        return kept if all(self._transfers.map(self._origin.exists, [one.key for one in kept.files])) else None

    def _upload(self, turn: Turn, prepared: list[Encoded] | None) -> Written | None:
        """Writes the newcomer's files, the asset's own first."""
        event = turn.newcomer
        if event is None:
            return None
        encoded = prepared if prepared is not None else self._render(event)
        names = [rendition_of(one, turn.start, event.asset, self._cdn_base_url) for one in encoded]
        list(self._transfers.map(self._put, names, encoded))
        return Written(names, self._claim(event), self._provenance(event, encoded[0]))

    def _claim(self, event: PublishRequested) -> str:
        return "" if self._signing is None else self._signing.claim_id(event)

    def _provenance(self, event: PublishRequested, own: Encoded) -> Provenance:
        """How the asset came about, with what its own file says of it and the key that it is signed by."""
        key = "" if self._signing is None else self._signing.key.id
        return replace(event.provenance or Provenance(), source_type=source_type_in(own.data), signed_by=key)

    def _put(self, name: Rendition, encoded: Encoded) -> None:
        self._origin.put(name.key, encoded.data, content_type=name.media_type, cache_control=IMMUTABLE)

    def _render(self, event: PublishRequested) -> list[Encoded]:
        try:
            data = self._blobs.get(event.file.digest)
            own = Encoded(event.file.media_type, event.file.width_px, event.file.height_px, data)
            files = [own, *render(data, event.file.media_type), *self._beside(event)]
            return files if self._signing is None else self._signing.signed(event, files)
        except NotFound as error:
            raise Refused("blob_missing", str(error), field="file.digest") from error
        except BlobCorrupt as error:
            raise Refused("blob_corrupt", str(error), field="file.digest") from error
        except TooManyPixels as error:
            raise Refused("picture_too_large", str(error), field="file") from error
        except NotAPicture as error:
            raise Refused("not_a_picture", str(error), field="file.media_type") from error

    def _beside(self, event: PublishRequested) -> list[Encoded]:
        """What goes live with the picture, each as it was made and judged: nothing is encoded anew."""
        for each in event.beside:
            if each.media_type not in EXTENSIONS:
                raise Refused("unknown_format", f"no {each.media_type} is published", field="beside.media_type")
        return [
            Encoded(each.media_type, each.width_px, each.height_px, self._blobs.get(each.digest), role=each.role)
            for each in event.beside
        ]

    def _note_taken(self, turn: Turn, moved: Manifest) -> list[AssetRetracted]:
        """The retractions of this request: those it made before and those it makes now, noted before they happen."""
        note = content_id("retracted", turn.position, turn.event)
        known = self._journal.read(note)
        before = msgspec.json.decode(known, type=list[Taken]) if known else []
        taken = [*(one for one in before if one.is_done(turn.start)), *turn.taken(moved, self._clock())]
        if taken != before:
            self._journal.write(note, msgspec.json.encode(taken))
        return [one.event for one in taken]

    def _remove(self, keys: Iterable[str]) -> None:
        list(self._transfers.map(self._origin.delete, keys))

    def _manifest_url(self, turn: Turn) -> str:
        return f"{self._cdn_base_url}/{manifest_key(turn.event.tenant, turn.event.sku)}"


def _check_writable(event: Announcement) -> None:
    """Raises Refused for an announcement that no topic would take, before anything is live because of it."""
    try:
        size_bytes = len(codec.encode(event))  # a registry's ids are as long
    except codec.WireError as error:
        raise Refused(error.code, f"the {type(event).__name__} of it: {error}", field=error.field) from error
    if size_bytes > ANNOUNCEMENT_BYTES_MAX:
        message = (
            f"the {type(event).__name__} of it would have {size_bytes} bytes, at most {ANNOUNCEMENT_BYTES_MAX} can be"
        )
        raise Refused("announcement_too_large", message)
