"""The outbox: records that follow from facts, written in the transaction of the facts and gone once acknowledged.

Whoever answers an event commits facts, sends what follows, and then has its offset committed; it may be killed between
any two of these, or be stopped there and go on an hour later. What holds all the same, and why:

Nothing is lost. A record that follows lies here from the moment that its facts count, and leaves when the broker has
acknowledged it. An offset is committed only behind that. So whatever is left here belongs to a delivery that comes
again, to whoever has its partition then, and that one sends it before anything else of the partition (`before`). Should
the delivery never come (the topic was made anew, the group's offsets were moved), any process sends what is old
(`left`).

First sends are in order. Rows have rising ids. Two transactions that write records of one product hold the product's
lock until they end, so that the order of the ids is the order of the commits; in SQLite there is one writer at a time
anyway. Whoever sends a row sends before it every older row of the same key that is still here, whoever wrote that one
(`before` finds them by key, `left` takes all up to an id). So no record of a key is seen for the first time behind a
newer one, whether one process died, stands still, or two are at work on different partitions. (Records of products that
a transaction does not lock, tasks behind a cut-out, come of one partition alone, and are in order by that.)

Doubles there are: whoever died behind the acknowledgement has not taken its rows away, two processes may send the same
old row, and one that was stopped in the middle of a send ends it when it wakes. All readers bear that: results are
found by content, requests carry versions, and the publisher looks at the facts before it moves anything. To keep the
last kind rare, a process that finds itself long behind its commit looks again at what is still here (`still`).

Nobody waits for anybody: no lock is held while records are sent, and rows that another transaction is about to take
away are skipped where the database can (SQLite has one writer at a time, for as long as a transaction takes).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Row, Select, delete, func, insert, select, tuple_

from schemas.envelope import Headers
from streams.facts import tables as t
from streams.facts.leases import is_over
from streams.facts.repository import Repository

Place = tuple[str, int]
T = TypeVar("T")
UNSENT_AFTER_S = 60.0  # twice what a streams role leaves to whoever wrote it
AT_ONCE_MAX = 500  # values that one statement names
_columns = t.outbox.c
_ROWS = select(t.outbox).order_by(_columns.id)


class Writable(Protocol):
    """A record that can be written to a topic."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True)
class Unsent:
    """A record that is not known to be acknowledged."""

    id: int
    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    place: Place
    """The partition of the delivery that it follows from."""


@dataclass(frozen=True)
class Backlog:
    """How many records lie in the outbox, and since when the oldest does (Unix time in ms); 0 for none."""

    rows: int
    oldest_ms: int


class Outbox(Repository):
    """The outbox as one transaction sees it."""

    def put(self, records: Sequence[tuple[Place, Writable]]) -> list[Unsent]:
        """Adds records, each with the partition of the delivery that it follows from; returns them in order."""
        if not records:
            return []
        rows = [_row(place, record, self._now_ms) for place, record in records]
        ids = self._connection.execute(insert(t.outbox).returning(_columns.id, sort_by_parameter_order=True), rows)
        return [
            Unsent(id, each.topic, each.key, each.value, each.headers, place)
            for id, (place, each) in zip(ids.scalars(), records, strict=True)
        ]

    def before(self, places: Collection[Place], keys: Collection[bytes]) -> list[Unsent]:
        """What is to be sent before more of these partitions or keys is: what is left of them, oldest first."""
        if self._connection.execute(select(_columns.id).limit(1)).first() is None:
            return []
        of_places = tuple_(_columns.source, _columns.source_partition).in_(places)
        found = {row.id: row for row in self._connection.execute(_ROWS.where(of_places))}
        for some in _batches({*keys, *(row.key for row in found.values() if row.key is not None)}):
            found |= {row.id: row for row in self._connection.execute(_ROWS.where(_columns.key.in_(some)))}
        return [_unsent(found[id]) for id in sorted(found)]

    def left(self, before_ms: int, rows_max: int) -> list[Unsent]:
        """What has lain here since before a Unix time, and all that is older by id; the oldest rows only.

        A row that is from later than any clock can be by now was written by one that has been set back since.
        """
        is_old = is_over(_columns.written_at_ms, before_ms, round(UNSENT_AFTER_S * 1000))
        newest = select(func.max(_columns.id)).where(is_old).scalar_subquery()
        return [_unsent(row) for row in self._connection.execute(_ROWS.where(_columns.id <= newest).limit(rows_max))]

    def still(self, ids: Collection[int]) -> set[int]:
        """Those of the rows that nobody has taken away."""
        return {
            id
            for some in _batches(ids)
            for id in self._connection.execute(select(_columns.id).where(_columns.id.in_(some))).scalars()
        }

    def drop(self, ids: Collection[int]) -> None:
        """Takes away what was acknowledged, but for rows that another is about to take away."""
        for some in _batches(ids):
            mine: Select[tuple[int]] = select(_columns.id).where(_columns.id.in_(some))
            if self._connection.dialect.name == "postgresql":
                mine = mine.with_for_update(skip_locked=True)
            self._connection.execute(delete(t.outbox).where(_columns.id.in_(mine)))

    def backlog(self) -> Backlog:
        """How much lies here."""
        rows, oldest_ms = self._connection.execute(select(func.count(), func.min(_columns.written_at_ms))).one()
        return Backlog(rows, oldest_ms or 0)


def _row(place: Place, record: Writable, now_ms: int) -> dict[str, object]:
    return {
        "source": place[0],
        "source_partition": place[1],
        "topic": record.topic,
        "key": record.key,
        "value": record.value,
        "headers": msgspec.msgpack.encode(record.headers),
        "written_at_ms": now_ms,
    }


def _unsent(row: Row[Any]) -> Unsent:
    headers = msgspec.msgpack.decode(row.headers, type=Headers)
    return Unsent(row.id, row.topic, row.key, row.value, headers, (row.source, row.source_partition))


def _batches(values: Iterable[T]) -> list[list[T]]:
    every = list(values)
    return [every[first : first + AT_ONCE_MAX] for first in range(0, len(every), AT_ONCE_MAX)]
