"""Pruning the result cache, by age and by size: safe at any time, beside workers and other prunes.

What may go, and why nothing is lost by it:

- a signed file: it is on the origin, and a publisher finds it here for as long as it tries again, which ends with its
  request. A picture that goes live anew is signed anew then;
- a result's record: the work is done again when it is asked for again, and gives a picture that is found by what it is;
- the pictures that it names, unless one is named by a fact about the newest version of a product: by a task, or by a
  review. So whatever a queued task works on, another product's picture stands beside, a person has to decide on or
  takes a decision back on, and the publisher has to publish, stays.

Whoever uses a result or makes a picture again writes it anew when it is a day old (`streams.blobs.Blobs.renew`), the
record last, and nothing goes that was written in the last two. The record goes first: whoever found it before that has
written its pictures anew, and whoever has not does not find it any more and makes them again. Each picture is looked at
once more right before it goes. A prune that is killed may leave a picture that no result names; it stays.

All else is left alone: originals of dead letters and networks' weights, which no result names, and the journal, of
which older versions kept notes among the results.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from gpu_workers.results import Result
from streams.blobs import NotFound, ObjectStore, open_store
from streams.blobs.content import RENEWED_AFTER_S, RESULTS, blob_key
from streams.facts import Database
from streams.publishing.signing.signer import SIGNED
from streams.runtime.clock import now_ms
from streams.runtime.settings import Settings
from streams.services.reports.status import open_database

UNUSED_S_MIN = 2 * RENEWED_AFTER_S


@dataclass(frozen=True)
class Pruned:
    """What a prune took away, or would: results, pictures, signed files, all their bytes. `needed` pictures stay, as
    facts name them.

    `foreign` are objects among the results that are no result: notes of older versions. `left_bytes` is what lies under
    the store's prefix afterwards, of whatever kind.
    """

    results: int
    pictures: int
    size_bytes: int
    needed: int
    foreign: int
    signed: int
    left_bytes: int


@dataclass
class _Count:
    results: int = 0
    pictures: int = 0
    size_bytes: int = 0
    needed: int = 0
    foreign: int = 0
    signed: int = 0


class Prune:
    """One prune of the store of blobs. `clock` gives Unix time in ms.

    What was used in the last `unused_s` stays. With `bytes_max` the oldest goes until no more lies in the store. Raises
    ValueError for less than two days.
    """

    def __init__(
        self,
        store: ObjectStore,
        database: Database,
        clock: Callable[[], int],
        unused_s: float,
        *,
        dry_run: bool = False,
    ) -> None:
        if unused_s < UNUSED_S_MIN:
            raise ValueError(f"what was used in the last {UNUSED_S_MIN:.0f} s may be in use, not {unused_s:.0f} s")
        self._store = store
        self._database = database
        self._before_ms = clock() - round(unused_s * 1000)
        self._dry_run = dry_run

    def run(self, bytes_max: int | None = None) -> Pruned:
        """Prunes. Raises StoreError or DatabaseUnavailable while one of the two is away."""
        sizes = dict(self._store.sizes())
        total, count = sum(sizes.values()), _Count()
        with self._database.read() as facts:
            needed = facts.tasks.named_pictures() | facts.reviews.named_pictures()
        for key in self._oldest_first():
            if bytes_max is not None and total - count.size_bytes <= bytes_max:
                break
            if key.startswith(SIGNED):
                count.signed += self._delete(key, sizes, count)
            else:
                self._evict(key, sizes, needed, count)
        return Pruned(**vars(count), left_bytes=total - count.size_bytes)

    def _oldest_first(self) -> Iterator[str]:
        written = (*self._store.written(RESULTS), *self._store.written(SIGNED))
        return (key for at_ms, key in sorted((at_ms, key) for key, at_ms in written) if at_ms <= self._before_ms)

    def _evict(self, key: str, sizes: dict[str, int], needed: set[str], count: _Count) -> None:
        result = self._result(key)
        if result is None:
            count.foreign += 1
            return
        if not self._delete(key, sizes, count):
            return
        count.results += 1
        for digest in {each.digest for each in result.outputs}:
            if digest in needed:
                count.needed += 1
            else:
                count.pictures += self._delete(blob_key(digest), sizes, count)

    def _result(self, key: str) -> Result | None:
        try:
            return msgspec.json.decode(self._store.get(key).data, type=Result)
        except (msgspec.DecodeError, NotFound):
            return None

    def _delete(self, key: str, sizes: dict[str, int], count: _Count) -> bool:
        """Takes an object away, unless it was used since or is gone."""
        written_ms = self._store.written_at_ms(key)
        if key not in sizes or written_ms is None or written_ms > self._before_ms:
            return False
        if not self._dry_run:
            self._store.delete(key)
        count.size_bytes += sizes.pop(key)
        return True


def prune(settings: Settings, unused_s: float, bytes_max: int | None = None, *, dry_run: bool = False) -> Pruned:
    """Prunes the store of blobs that the settings name. Raises StoreError, DatabaseUnavailable or ValueError."""
    store = open_store(settings.blobs, s3_endpoint=settings.s3_endpoint)
    with open_database(settings) as database:
        return Prune(store, database, now_ms, unused_s, dry_run=dry_run).run(bytes_max)
