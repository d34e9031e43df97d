"""The sweep: takes away what no manifest names, safe at any time beside publishers and other sweeps.

What it may remove, and why that can never be something that is live or about to be, is shown in
streams.publishing.manifest. Files of products that have no manifest are left alone and counted: that is what is left
when a manifest was lost. So is everything that is not named as publishers name files.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import msgspec
import structlog
from msgspec.structs import replace
from prometheus_client import Counter

from schemas.decoding import prepare
from streams.blobs.store import NotFound, ObjectStore, PreconditionFailed, StoreError
from streams.publishing.manifest import MANIFEST_NAME, FileName, Manifest, file_name, read, save
from streams.runtime.errors import Refused, Unavailable

UNNAMED_S = 3600.0  # far longer than an upload takes; that it is, decides only whether an upload has to begin anew
LEASE = "leases/sweep"
LOOKS_S_MAX = 60.0

log = structlog.get_logger()
swept = Counter("packshot_swept_total", "Files that the sweep took away from the origin")


@dataclass(frozen=True)
class Swept:
    """What a sweep took away; `unclaimed` are files of ours without a manifest, `faults` what it could not look at."""

    removed: tuple[str, ...] = ()
    in_grace: int = 0
    unclaimed: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    key: str
    name: FileName
    written_ms: int


class Sweep:
    """Looks at every product of an origin. `clock` gives Unix time in ms.

    What no manifest speaks of goes when it is `unnamed_s` seconds old, what was replaced when its grace is over.
    """

    def __init__(
        self,
        origin: ObjectStore,
        clock: Callable[[], int],
        *,
        unnamed_s: float = UNNAMED_S,
        dry_run: bool = False,
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._unnamed_ms = round(unnamed_s * 1000)
        self._dry_run = dry_run

    def run(self, prefix: str = "") -> Swept:
        """Sweeps the keys that start with `prefix`. Raises StoreError while the origin is away."""
        parts = [self._product(files) for files in _products(self._origin.written(prefix))]
        return Swept(
            tuple(key for part in parts for key in part.removed),
            sum(part.in_grace for part in parts),
            sum(part.unclaimed for part in parts),
            tuple(fault for part in parts for fault in part.faults),
        )

    def _product(self, files: list[_File]) -> Swept:
        key = files[0].name.product + MANIFEST_NAME
        try:
            stored = self._origin.get(key)
            manifest = read(stored.data, key)
        except NotFound:
            return Swept(unclaimed=len(files))
        except Refused as refusal:
            return Swept(faults=(str(refusal),))
        named = manifest.keys()
        unnamed = [file for file in files if file.key not in named]
        due = [file for file in unnamed if self._is_due(file, manifest)]
        in_grace = sum(file.key in manifest.retired for file in unnamed if file not in due)
        if any(file.name.serial >= manifest.serial for file in due) and not self._fence(manifest, stored.etag):
            due = [file for file in due if file.name.serial < manifest.serial]
        return Swept(self._removed(due), in_grace)

    def _is_due(self, file: _File, manifest: Manifest) -> bool:
        now_ms = self._clock()
        until_ms = manifest.retired.get(file.key)
        return file.written_ms + self._unnamed_ms <= now_ms if until_ms is None else until_ms <= now_ms

    def _fence(self, manifest: Manifest, etag: str) -> bool:
        """Moves the manifest on by its serial alone, so that what uploads began from it cannot be named any more."""
        if self._dry_run:
            return True
        try:
            save(self._origin, replace(manifest, serial=manifest.serial + 1), etag)
        except PreconditionFailed:
            return False  # a publisher is at work: next time
        return True

    def _removed(self, due: list[_File]) -> tuple[str, ...]:
        if not self._dry_run:
            for file in due:
                self._origin.delete(file.key)
                swept.inc()
        return tuple(file.key for file in due)


def _products(written: Iterable[tuple[str, int]]) -> Iterator[list[_File]]:
    """The files of each product: those of one folder follow one another, for keys come in order."""
    files = (_File(key, name, at_ms) for key, at_ms in written if (name := file_name(key)))
    for _, of_product in groupby(files, key=lambda file: file.name.product):
        yield list(of_product)


class _Turn(msgspec.Struct, frozen=True):
    """Whose turn the sweep was last, as the lease says it: nobody sweeps again before `until_ms`."""

    until_ms: int


prepare(_Turn)


def take_turn(store: ObjectStore, interval_s: float, now_ms: int) -> bool:
    """Whether the caller is the one to sweep now: the first to ask once `interval_s` has passed since the last.

    It saves work, nothing more: two sweeps at once do no harm. Raises StoreError while the store is away.
    """
    turn = msgspec.json.encode(_Turn(now_ms + round(interval_s * 1000)))
    try:
        known = store.get(LEASE)
    except NotFound:
        return _written(store, turn, None)
    begun = now_ms < _until_ms(known.data) <= now_ms + round(interval_s * 1000)  # later: a clock that was set back
    return not begun and _written(store, turn, known.etag)


def _until_ms(lease: bytes) -> int:
    try:
        return msgspec.json.decode(lease, type=_Turn).until_ms
    except msgspec.DecodeError:
        return 0


def _written(store: ObjectStore, turn: bytes, etag: str | None) -> bool:
    try:
        store.put(LEASE, turn, content_type="application/json", if_match=etag, if_absent=etag is None)
    except PreconditionFailed:
        return False
    return True


def sweep_at_intervals(
    sweep: Sweep, store: ObjectStore, interval_s: float, clock: Callable[[], int], stop: threading.Event
) -> None:
    """Sweeps whenever it is this process's turn, until `stop` is set; `store` keeps the lease."""
    while not stop.wait(min(interval_s, LOOKS_S_MAX)):
        try:
            if take_turn(store, interval_s, clock()):
                _tell(sweep.run())
        except (StoreError, Unavailable) as error:
            log.warning("not swept", reason=str(error))
        except Exception:  # the publisher goes on; what was not swept is next time
            log.exception("not swept")


def _tell(done: Swept) -> None:
    log.info("swept", removed=len(done.removed), in_grace=done.in_grace, unclaimed=done.unclaimed)
    for fault in done.faults:
        log.error("not swept", reason=fault)
