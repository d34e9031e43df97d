"""Storage whose faults are the simulation's, and the facts beside it."""

import hashlib
from collections.abc import Callable, Iterator

import msgspec

from streams.blobs.store import DEFAULT_CONTENT_TYPE, NotFound, PreconditionFailed, Stored
from streams.facts import ProductState
from streams.publishing.manifest import MANIFEST_NAME, Manifest
from tests.simulation.broker import Violation


class Facts:
    """The newest version of each product; its plan is one asset."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}

    def standing(self, _tenant: str, sku: str) -> ProductState | None:
        version = self.versions.get(sku)
        return None if version is None else ProductState(version, deleted=False, plan={"web-1": "publishing"})


class Store:
    """A streams.blobs.store.ObjectStore in memory. `before_write` may raise, or do anything in between."""

    url = "memory://"

    def __init__(self, before_write: Callable[[], None]) -> None:
        self.objects: dict[str, Stored] = {}
        self._before_write = before_write
        self._newest: dict[str, int] = {}

    def get(self, key: str) -> Stored:
        if key not in self.objects:
            raise NotFound(key)
        return self.objects[key]

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
        self._before_write()
        known = self.objects.get(key)
        if (if_absent and known) or (if_match is not None and (known is None or known.etag != if_match)):
            raise PreconditionFailed(key)
        if key.endswith(MANIFEST_NAME):
            self._check_newest(key, msgspec.json.decode(data, type=Manifest).version)
        etag = hashlib.sha256(data).hexdigest()
        self.objects[key] = Stored(data, etag, content_type, cache_control)
        return etag

    def exists(self, key: str) -> bool:
        return key in self.objects

    def delete(self, key: str) -> None:
        self._before_write()
        self.objects.pop(key, None)

    def delete_prefix(self, prefix: str) -> None:
        for key in list(self.keys(prefix)):
            self.delete(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, len(self.objects[key].data)) for key in self.keys(prefix))

    def written(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, 0) for key in self.keys(prefix))

    def check(self) -> None:
        """It always answers."""

    def _check_newest(self, key: str, version: int) -> None:
        """Newest wins: what goes live is never older than what was live; version 0 means that nothing is live."""
        if 0 < version < self._newest.get(key, 0):
            raise Violation(f"{key} went back from version {self._newest[key]} to {version}")
        self._newest[key] = max(version, self._newest.get(key, 0))
