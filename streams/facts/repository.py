"""What every repository stands on: one transaction, and the statements that all of them make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, CursorResult, Executable, Select, Table, select, tuple_


@dataclass
class Transaction:
    """One transaction, and the time at which what it writes is noted, Unix time in ms."""

    connection: Connection
    now_ms: int


class Repository:
    """The rows of one table, or of a few that only make sense together, as one transaction sees and changes them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._connection = transaction.connection

    @property
    def _now_ms(self) -> int:
        return self._transaction.now_ms

    def _execute(self, statement: Executable, **values: Any) -> CursorResult[Any]:
        return self._connection.execute(statement, values)

    def _first(self, query: Select[Any]) -> Any:
        return self._connection.execute(query).first()

    def _upsert(
        self, table: Table, key: Mapping[str, Any], *values: Mapping[str, Any], final: str | None = None
    ) -> None:
        """Writes the row with this key or, with several `values` that complete the key, as many in one statement.

        A row whose state is `final` stays as it is.
        """
        rows = [{**key, **each, "updated_at_ms": self._now_ms} for each in values]
        if rows:
            self._connection.execute(_upserting(self._connection.dialect.name, table, tuple(rows[0]), final), rows)

    def _insert_new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes the rows whose keys are not known yet."""
        if rows:
            noted = [{**row, "updated_at_ms": self._now_ms} for row in rows]
            self._connection.execute(dialect_of(self._connection).insert(table).on_conflict_do_nothing(), noted)


def page(
    table: Table, tenant: str, order: Sequence[ColumnElement[str]], after: Sequence[str], most: int
) -> Select[Any]:
    """A tenant's rows in order: so many as `most` behind the one whose columns are `after`."""
    query = select(table).where(table.c.tenant == tenant).order_by(*order).limit(most)
    return query.where(tuple_(*order) > tuple_(*after)) if after else query


def dialect_of(connection: Connection) -> Any:
    """SQLAlchemy's module for the statements that only the two databases know."""
    return _dialect(connection.dialect.name)


def _dialect(name: str) -> Any:
    return import_module(f"sqlalchemy.dialects.{name}")  # the other one's takes longer to import than a query


def load(text: str, of: Any) -> Any:
    """A record as it was kept."""
    return msgspec.json.decode(text, type=of)


@cache
def _upserting(dialect_name: str, table: Table, columns: tuple[str, ...], final: str | None) -> Executable:
    statement = _dialect(dialect_name).insert(table)
    keys = [column.name for column in table.primary_key]
    fresh = {name: statement.excluded[name] for name in columns if name not in keys}
    changes = None if final is None else table.c.state != final
    upserting: Executable = statement.on_conflict_do_update(index_elements=keys, set_=fresh, where=changes)
    return upserting
