"""Object storage in memory, for tests: a streams.blobs.store.ObjectStore that holds what every store promises."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator

from streams.blobs.store import (
    DEFAULT_CONTENT_TYPE,
    BadKey,
    NotFound,
    PreconditionFailed,
    Stored,
    check_key,
    check_prefix,
)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryStore:
    """Objects in a dictionary. `clock` gives Unix time in ms."""

    url = "memory://"

    def __init__(self, clock: Callable[[], int] = _now_ms) -> None:
        self.objects: dict[str, Stored] = {}
        self._written_ms: dict[str, int] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def get(self, key: str) -> Stored:
        found = self.objects.get(check_key(key))
        if found is None:
            raise NotFound(f"{self.url}: no object {key}")
        return found

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        cache_control: str | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        etag = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self.objects.get(check_key(key))
            if (if_absent and known) or (if_match is not None and (known is None or known.etag != if_match)):
                raise PreconditionFailed(f"{self.url}: {key} is not the object that was expected")
            self.objects[key] = Stored(data, etag, content_type, cache_control)
            self._written_ms[key] = self._clock()
        return etag

    def exists(self, key: str) -> bool:
        return check_key(key) in self.objects

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(check_key(key), None)

    def delete_prefix(self, prefix: str) -> None:
        if not prefix:
            raise BadKey("delete_prefix: the prefix is empty, which would remove everything")
        for key in list(self.keys(prefix)):
            self.delete(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted((key for key in list(self.objects) if key.startswith(check_prefix(prefix))), key=str.encode))

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, len(self.objects[key].data)) for key in self.keys(prefix))

    def written(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, self._written_ms[key]) for key in self.keys(prefix))

    def written_at_ms(self, key: str) -> int | None:
        return self._written_ms[key] if self.exists(key) else None

    def check(self) -> None:
        """Always of use."""
