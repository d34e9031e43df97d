"""Storage whose faults are the simulation's, and the facts beside it."""

from collections.abc import Callable
from typing import Any

import msgspec

from streams.facts import ProductState
from streams.publishing.manifest import MANIFEST_NAME, Manifest
from tests.memory_store import MemoryStore
from tests.simulation.broker import Violation


class Facts:
    """The newest version of each product; its plan is one asset."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}

    def state_of(self, _tenant: str, sku: str) -> ProductState | None:
        version = self.versions.get(sku)
        return None if version is None else ProductState(version, deleted=False, plan={"web-1": "publishing"})


class Store(MemoryStore):
    """Objects in memory. `before_write` may raise, or do anything in between."""

    def __init__(self, before_write: Callable[[], None]) -> None:
        super().__init__()
        self._before_write = before_write
        self._newest: dict[str, int] = {}

    def put(self, key: str, data: bytes, **options: Any) -> str:
        self._before_write()
        etag = super().put(key, data, **options)
        if key.endswith(MANIFEST_NAME):
            self._check_newest(key, msgspec.json.decode(data, type=Manifest).version)
        return etag

    def delete(self, key: str) -> None:
        self._before_write()
        super().delete(key)

    def _check_newest(self, key: str, version: int) -> None:
        """Newest wins: what goes live is never older than what was live; version 0 means that nothing is live."""
        if 0 < version < self._newest.get(key, 0):
            raise Violation(f"{key} went back from version {self._newest[key]} to {version}")
        self._newest[key] = max(version, self._newest.get(key, 0))
