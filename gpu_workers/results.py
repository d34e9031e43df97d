"""The result cache: work that was done once, for whatever product, is not done again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from schemas.decoding import prepare
from schemas.records import Blob, Cost, Shadow
from streams.blobs import Blobs


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a piece of work: its pictures, what was measured on them, and what made them at what cost.

    `made_by` is the id of the task that it was made for; empty in records from before costs were kept. `model` is the
    network that was asked, if one was, `model_sha256` its graph's digest, and `shadow` how the one beside it compared.
    `source_digest` is that of a file that was fetched for it now, and in no record.
    """

    outputs: list[Blob]
    measures: dict[str, float]
    engine: str
    timings_ms: dict[str, float]
    costs: dict[str, Cost] = {}
    made_by: str = ""
    model: str | None = None
    shadow: Shadow | None = None
    model_sha256: str | None = None
    source_digest: str | None = None


class Results:
    """Results by id in the blob store. Of several threads that ask for the same id, one works and the others wait."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._making: dict[str, tuple[threading.Lock, int]] = {}

    def get_or_make(self, result_id: str, make: Callable[[], Result]) -> tuple[Result, bool]:
        """The result and whether it came from the cache."""
        with self._alone(result_id):
            known = self._known(result_id)
            if known is not None:
                return known, True
            result = make()
            self._blobs.put_result(result_id, msgspec.json.encode(result))
            return result, False

    def _known(self, result_id: str) -> Result | None:
        """The result, if its pictures are there too: both are a cache, and may be pruned at any time."""
        record = self._blobs.get_result(result_id)
        if record is None:
            return None
        result = msgspec.json.decode(record, type=Result)
        return result if self._blobs.renew(result_id, [each.digest for each in result.outputs]) else None

    @contextmanager
    def _alone(self, result_id: str) -> Iterator[None]:
        with self._lock:
            mine, users = self._making.get(result_id, (threading.Lock(), 0))
            self._making[result_id] = (mine, users + 1)
        try:
            with mine:
                yield
        finally:
            with self._lock:
                _, users = self._making[result_id]
                if users == 1:
                    del self._making[result_id]
                else:
                    self._making[result_id] = (mine, users - 1)


prepare(Result)
