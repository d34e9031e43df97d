"""The database that holds the facts: PostgreSQL, or SQLite on a machine of one's own."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from streams.facts import schema, tables
from streams.facts.assets import ProductState
from streams.facts.facts import Facts
from streams.facts.states import ENDED_BADLY, IN_PLAN
from streams.runtime.errors import Unavailable
from streams.runtime.private import open_private, private_folder
from streams.runtime.settings import SettingsError

_SQLITE_WAIT_S = 30
IN_MEMORY = ":memory:"


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or is full; trying again later may help."""


class Database:
    """Facts in the database at `url` (sqlite:///path or postgresql://…). Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _engine(url)

    def create_tables(self) -> None:
        """Makes the tables where there are none. Many may do so at once. Raises SchemaMismatch for older and newer."""
        with _translated(), self._engine.begin() as connection:
            schema.lock(connection)
            schema.make(connection)

    def check_tables(self) -> None:
        """Raises Unavailable while there are none of this version's yet, SchemaMismatch for newer ones."""
        with _translated(), self._engine.connect() as connection:
            schema.check(connection)

    def upgrade(self) -> str | None:
        """Brings older tables forward, or makes them; the revision that they had. Raises SchemaMismatch for newer."""
        with _translated(), self._engine.begin() as connection:
            schema.lock(connection)
            return schema.upgrade(connection)

    def drop_tables(self) -> None:
        """Forgets every fact; they come back by replay."""
        with _translated(), self._engine.begin() as connection:
            schema.drop(connection)

    @contextmanager
    def begin(self) -> Iterator[Facts]:
        """One transaction: all of it is kept when the block ends, none of it when the block raises."""
        with self.transaction() as connection:
            yield Facts(connection, time.time_ns() // 1_000_000)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """`begin`, for what is kept beside the facts."""
        with _translated(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("BEGIN IMMEDIATE"))
            yield connection

    @contextmanager
    def read(self) -> Iterator[Facts]:
        """A consistent look at the facts, without holding anybody off."""
        with self.look() as connection:
            yield Facts(connection, 0)

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """`read`, for what is kept beside the facts."""
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def replaced(self) -> Iterator[Facts]:
        """Facts that begin empty, in tables made anew; they replace the known ones when the block ends without error.

        Everybody else waits meanwhile. What followed from the known ones and is not sent yet stays to be sent, and what
        is on no topic stays as it is.
        """
        with _translated(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("BEGIN IMMEDIATE"))
            ordered = Facts(connection, 0).costs.ordered()
            tables.metadata.drop_all(connection)
            tables.metadata.create_all(connection)
            facts = Facts(connection, 0)
            facts.costs.restore(ordered)
            yield facts

    def dump(self) -> dict[str, list[tuple[str, ...]]]:
        """Every fact of every table as text, in order, without the times at which they were noted."""
        with _translated(), self._engine.connect() as connection:
            return {str(table.name): _rows(connection, table) for table in tables.metadata.sorted_tables}

    def products(self) -> list[tuple[str, str]]:
        """Tenant and SKU of every product, deleted ones included, in order."""
        columns = tables.products.c
        with _translated(), self._engine.connect() as connection:
            rows = connection.execute(select(columns.tenant, columns.sku).order_by(columns.tenant, columns.sku))
            return [(row.tenant, row.sku) for row in rows]

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()


def _rows(connection: Connection, table: Table) -> list[tuple[str, ...]]:
    rows = connection.execute(select(text("*")).select_from(table)).mappings()  # whatever columns an older one has
    return sorted(
        tuple(f"{name}={value}" for name, value in sorted(row.items()) if name != "updated_at_ms") for row in rows
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if _is_away(error):
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
        raise
    except NoFreeConnection as error:  # those that others of this process have wait for it
        raise DatabaseUnavailable(f"the database does not answer: {error}") from error


def _is_away(error: DBAPIError) -> bool:
    """Whether the database is at fault, and not what it is given: that no wait would mend.

    A schema or rights that are not as they must be are its own fault, too. What is too large or too complex for
    PostgreSQL (class 54) is an OperationalError all the same.
    """
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state.startswith("54"):
        return False
    return isinstance(error, OperationalError) or error.connection_invalidated or state.startswith(("25", "42", "XX"))


def _engine(url: str) -> Engine:
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise SettingsError("PACKSHOT_DATABASE_URL must begin with sqlite:/// or postgresql://")
    try:
        if url.startswith("postgresql://"):
            return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), pool_pre_ping=True)
        return _sqlite(url)
    except (ArgumentError, ValueError):  # their messages, and so their traces, hold parts of the address
        raise SettingsError(
            "PACKSHOT_DATABASE_URL cannot be read as an address; what is special in a password is written as %XX"
        ) from None


def _sqlite(url: str) -> Engine:
    if (name := make_url(url).database) not in (None, "", IN_MEMORY):
        file = Path(str(name))
        if not file.parent.exists():
            private_folder(file.parent)
        os.close(open_private(file))  # SQLite's own files beside it have its mode
    engine = create_engine(url, connect_args={"timeout": _SQLITE_WAIT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, with BEGIN IMMEDIATE
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


class ProductStates:
    """How the newest version of a product stands, as the publisher asks for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state_of(self, tenant: str, sku: str) -> ProductState | None:
        """The product's newest version and the state of each planned asset, or None for an unknown product."""
        with self._database.read() as facts:
            product = facts.products.get(tenant, sku)
            if product is None:
                return None
            assets = facts.assets.of(tenant, sku)
        plan = {a.asset: a for a in assets if a.version == product.version and a.state in IN_PLAN}
        states: dict[str, str] = {name: asset.state for name, asset in plan.items()}
        reasons = {name: asset.reason for name, asset in plan.items() if asset.state in ENDED_BADLY}
        return ProductState(product.version, product.deleted, states, reasons)
