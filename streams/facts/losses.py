"""What topics removed before its group had read it: noted once it is seen, and kept until somebody has dealt with it.

The topics themselves tell of it only until the group reads past the gap.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from streams.facts import tables
from streams.facts.database import Database
from streams.facts.repository import dialect_of

_t = tables.losses.c


@dataclass(frozen=True)
class Loss:
    """The offsets `first` to `behind` - 1 of a partition, which `group` never read; seen at a Unix time in ms."""

    group: str
    topic: str
    partition: int
    first: int
    behind: int
    seen_at_ms: int = 0

    @property
    def name(self) -> str:
        """Topic and partition."""
        return f"{self.topic}/{self.partition}"

    @property
    def text(self) -> str:
        """What is lost, for people."""
        return f"{self.group} never read offsets {self.first} to {self.behind - 1}: they outlived their retention"


class Losses:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, losses: Sequence[Loss]) -> None:
        """Notes losses. One that has grown since somebody dealt with it is to be dealt with again."""
        now_ms = time.time_ns() // 1_000_000
        with self._database.transaction() as connection:
            dialect = dialect_of(connection)
            inserting = dialect.insert(tables.losses)
            grown = {"behind": inserting.excluded.behind, "seen_at_ms": now_ms, "settled_at_ms": None}
            noting = inserting.on_conflict_do_update(
                index_elements=[column.name for column in tables.losses.primary_key],
                set_=grown,
                where=_t.behind < inserting.excluded.behind,
            )
            for each in losses:
                connection.execute(noting, {**each.__dict__, "seen_at_ms": now_ms, "settled_at_ms": None})

    def open(self) -> list[Loss]:
        """What nobody has dealt with yet, by place."""
        columns = [column for column in tables.losses.columns if column.name != "settled_at_ms"]
        query = select(*columns).where(_t.settled_at_ms.is_(None)).order_by(_t.group, _t.topic, _t.partition, _t.first)
        with self._database.transaction() as connection:
            return [Loss(*row) for row in connection.execute(query)]

    def settle(self, losses: Sequence[Loss]) -> None:
        """Notes that these have been dealt with, unless they have grown meanwhile."""
        now_ms = time.time_ns() // 1_000_000
        with self._database.transaction() as connection:
            for each in losses:
                place = (_t.group == each.group, _t.topic == each.topic, _t.partition == each.partition)
                just_this = (*place, _t.first == each.first, _t.behind == each.behind)
                connection.execute(update(tables.losses).where(*just_this).values(settled_at_ms=now_ms))
