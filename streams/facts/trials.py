"""Trials: where roles began to read each partition, and which records they tried alone.

They are counted for streams.consumer.isolation.
"""

import time
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from streams.facts import tables
from streams.facts.database import Database
from streams.facts.repository import dialect_of

WHY_MAX = 2000  # characters
Kind = Literal["start", "try"]
Place = tuple[str, int]
_t = tables.trials.c


@dataclass(frozen=True)
class Trial:
    """How often a role began to read a partition at a record, or tried one alone, since when, and what it said last."""

    role: str
    topic: str
    partition: int
    offset: int
    kind: Kind
    count: int
    since_ms: int
    why: str


class Trials:
    """See streams.consumer.isolation.Trials. Each call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, role: str, place: Place, offset: int) -> tuple[int, int]:
        """Counts a start; returns how many there were, and of how many records from there on a try is noted."""
        with self._database.transaction() as connection:
            connection.execute(delete(tables.trials).where(*_of(role, place), _t.offset < offset))
            starts = _count(connection, role, place, offset, "start")
            tried = select(func.count()).select_from(tables.trials).where(*_of(role, place), _t.kind == "try")
            return starts, connection.execute(tried).scalar_one()

    def attempt(self, role: str, place: Place, offset: int) -> int:
        """Counts a try; returns how many began and did not end."""
        with self._database.transaction() as connection:
            return _count(connection, role, place, offset, "try")

    def survived(self, role: str, place: Place, offset: int) -> None:
        """Forgets the tries of a record."""
        with self._database.transaction() as connection:
            is_try = (_t.offset == offset, _t.kind == "try")
            connection.execute(delete(tables.trials).where(*_of(role, place), *is_try))

    def tell(self, role: str, place: Place, why: str) -> None:
        """Notes why a partition stands."""
        shown = "".join(character if character.isprintable() else " " for character in why[:WHY_MAX])
        with self._database.transaction() as connection:
            connection.execute(update(tables.trials).where(*_of(role, place)).values(why=shown))

    def every(self) -> list[Trial]:
        """All that is noted, by role and place; what the group has left behind since is still among it."""
        order = (_t.role, _t.topic, _t.partition, _t.offset, _t.kind)
        with self._database.transaction() as connection:
            return [Trial(*row) for row in connection.execute(select(tables.trials).order_by(*order))]


def _of(role: str, place: Place) -> tuple[ColumnElement[bool], ...]:
    return _t.role == role, _t.topic == place[0], _t.partition == place[1]


def _count(connection: Connection, role: str, place: Place, offset: int, kind: Kind) -> int:
    key: dict[str, Any] = {"role": role, "topic": place[0], "partition": place[1], "offset": offset, "kind": kind}
    row = {**key, "count": 1, "since_ms": time.time_ns() // 1_000_000, "why": ""}
    dialect = dialect_of(connection)
    counting = (
        dialect.insert(tables.trials)
        .values(row)
        .on_conflict_do_update(index_elements=list(key), set_={"count": _t["count"] + 1})
        .returning(_t["count"])
    )
    return int(connection.execute(counting).scalar_one())
