"""What every test may use."""

import os
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import Engine, event

from streams.facts import database

pytest_plugins = ["tests.servers"]


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """What a command sets for its whole process ends with the test that ran it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def without_waiting_for_disks() -> Iterator[None]:
    """What is written outlives a process that is killed; only a power cut needs the disk, and no test has one.

    A commit waits some ms for a disk, and tests commit many thousand times. Processes that tests start wait as ever.
    """
    made = database._sqlite

    def unsynced(url: str) -> Engine:
        engine = made(url)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_sqlite", unsynced)
        patch.setattr(os, "fsync", lambda _file: None)
        yield
