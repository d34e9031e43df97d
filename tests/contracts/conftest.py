"""Every implementation of what the contracts are about."""

import uuid
from pathlib import Path

import pytest

from streams.blobs import FolderStore, ObjectStore
from streams.blobs.s3 import S3Store
from tests.memory_store import MemoryStore
from tests.simulation.storage import Store


@pytest.fixture(params=["folder", "s3", "memory", "simulated"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    if request.param == "memory":
        return MemoryStore()
    if request.param == "simulated":
        return Store(lambda: None)
    return S3Store("packshot", f"run-{uuid.uuid4().hex}", request.getfixturevalue("s3_endpoint"))
