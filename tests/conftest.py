"""What every test may use."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Connection, Engine, event, inspect

from streams.facts import database, schema

pytest_plugins = ["tests.servers"]


def pytest_collection_finish() -> None:
    """What 8,000 collected tests hold stays until the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Logs as structlog has them, with plain traces: a trace that shows every variable takes a second, or some."""
    _log_plainly()


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """What a command sets for its whole process ends with the test that ran it."""
    yield
    _log_plainly()


def _log_plainly() -> None:
    structlog.reset_defaults()
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


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


@pytest.fixture(autouse=True, scope="session")
def tables_from_one_script() -> Iterator[None]:
    """An empty SQLite database gets the statements that SQLAlchemy wrote for the first: 2,000 tests begin with one."""
    made = schema.make
    statements: list[str] = []

    def copied(connection: Connection) -> None:
        if connection.dialect.name != "sqlite" or inspect(connection).get_table_names():
            made(connection)
            return
        if not statements:
            made(connection)
            ours = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY rowid"
            statements.extend(connection.exec_driver_sql(ours).scalars())
            return
        for statement in statements:
            connection.connection.cursor().execute(statement)
        connection.exec_driver_sql(f"INSERT INTO {schema.VERSION_TABLE} VALUES ('{schema.HEAD}')")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "make", copied)
        yield


@pytest.fixture(scope="session")
def one_reader() -> Iterator[None]:
    """Whoever renders here reads with networks that are opened once: opening those five takes some four seconds."""
    from gpu_workers.local import studio
    from gpu_workers.reading import opening

    with ExitStack() as open_ones, pytest.MonkeyPatch.context() as patch:
        opened = cache(lambda folder, preference: open_ones.enter_context(opening.open_reader(folder, preference)))

        @contextmanager
        def shared(folder: Path, preference: str) -> Iterator[object]:
            yield opened(folder, preference)

        patch.setattr(studio, "open_reader", shared)
        yield


@pytest.fixture
def reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever renders here finds nothing written in a picture: where no text is the matter, looking is most of it."""
    from gpu_workers.local import studio
    from gpu_workers.reading.reader import Reader
    from gpu_workers.reading.recognising import Recognised

    nothing = Reader(lambda _rgb: [], lambda _line: Recognised("", 0.0), "finds nothing")
    monkeypatch.setattr(studio, "open_reader", lambda *_: nullcontext(nothing))
