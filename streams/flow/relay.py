"""From committed facts to acknowledged records: what follows from facts is kept with them until the broker has it.

Why nothing is lost and nothing overtakes, whoever is killed or stopped wherever: see streams.facts.outbox.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import structlog
from prometheus_client import Gauge

from schemas.codec import Codec
from streams.consumer.clients import NotAcknowledged, TooLarge
from streams.consumer.letters import Outgoing
from streams.facts import Database, Facts, Unsent
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.waiting import until, wait_out

Place = tuple[str, int]
LEFT_AFTER_S = 30.0  # far longer than a batch takes: what has lain in the outbox for so long was left there
LEFT_AT_ONCE_MAX = 1000
LONG_AFTER_COMMIT_S = 5.0  # who sends so late may have been stopped, and others may have sent in its place
T = TypeVar("T")

outbox_rows = Gauge("packshot_outbox_rows", "Records that follow from facts and are not known to be acknowledged")
outbox_oldest = Gauge("packshot_outbox_oldest_seconds", "How long the oldest of them has been waiting")
log = structlog.get_logger()


class Sender(Protocol):
    """Writes records and returns when the broker has acknowledged every one; `codec` encodes them."""

    @property
    def codec(self) -> Codec: ...
    def send(self, records: Sequence[Outgoing]) -> None: ...


class Relay:
    """Has facts committed with what follows from them, and that sent. For one thread at a time.

    `instead` says what takes the place of a record that its topic will never take, for it is too large, and changes the
    facts accordingly; it raises Refused where nothing can.
    """

    def __init__(
        self, database: Database, sender: Sender, instead: Callable[[Unsent, Facts], Sequence[Outgoing]]
    ) -> None:
        self._database = database
        self._sender = sender
        self._instead = instead
        self._acknowledged: list[int] = []
        """Rows of the outbox that go with the next transaction: one of their own would cost as much as the facts'."""
        self._committing_s = 0.0
        self.is_waiting = False
        """Whether it stands on purpose, until the database is back."""
        self.stopping = threading.Event()
        """Once it is set nobody waits any more: Stopped is raised."""

    def carry_out(self, places: set[Place], answer: Callable[[Facts], Sequence[tuple[Place, Outgoing]]]) -> None:
        """Keeps what `answer` notes in one transaction, and sends what it returns, each with the place that it is for.

        What is left of the same places goes first. While the database is away it waits, and `answer` is asked again.
        Raises NotAcknowledged, Stopped, and whatever `answer` raises.
        """
        self._send(self._when_back(lambda: self._commit(places, answer)))

    def tend(self) -> None:
        """Clears the outbox of what was acknowledged, and sends what was left there. Raises NotAcknowledged."""
        try:
            self._send(self._left())
        except Unavailable as away:
            log.warning("the outbox is not tended", reason=str(away))

    def _when_back(self, attempt: Callable[[], T]) -> T:
        try:
            return wait_out(attempt, self._stay)
        finally:
            self.is_waiting = False

    def _stay(self, seconds: float) -> None:
        self.is_waiting = True
        until(self.stopping)(seconds)

    def _commit(self, places: set[Place], answer: Callable[[Facts], Sequence[tuple[Place, Outgoing]]]) -> list[Unsent]:
        with self._database.begin() as facts:
            facts.outbox.drop(self._acknowledged)
            records = answer(facts)
            keys = {record.key for _, record in records if record.key is not None}
            rows = [*facts.outbox.before(places, keys), *facts.outbox.put(records)]
            self._committing_s = time.monotonic()
        self._acknowledged.clear()
        return rows

    def _left(self) -> list[Unsent]:
        if self._acknowledged:
            with self._database.begin() as facts:
                facts.outbox.drop(self._acknowledged)
            self._acknowledged.clear()
        with self._database.read() as facts:
            backlog, now_ms = facts.outbox.backlog(), time.time_ns() // 1_000_000
            outbox_rows.set(backlog.rows)
            outbox_oldest.set(max(0, now_ms - backlog.oldest_ms) / 1000 if backlog.rows else 0)
            self._committing_s = time.monotonic()
            return facts.outbox.left(now_ms - round(LEFT_AFTER_S * 1000), LEFT_AT_ONCE_MAX) if backlog.rows else []

    def _send(self, rows: Sequence[Unsent]) -> None:
        if rows and time.monotonic() - self._committing_s > LONG_AFTER_COMMIT_S:
            rows = self._when_back(lambda: self._still(rows))
        while rows:
            refused = self._refused(rows)
            ids = {row.id for row in refused}
            self._acknowledged += [row.id for row in rows if row.id not in ids]
            rows = self._when_back(partial(self._replaced, refused)) if refused else []

    def _refused(self, rows: Sequence[Unsent]) -> list[Unsent]:
        """Sends rows; returns those that are too large for their topics, when all others are acknowledged."""
        records = {id(record): (record, row) for row in rows for record in [_record(row)]}
        try:
            self._sender.send([record for record, _ in records.values()])
        except TooLarge as error:
            return [records[id(record)][1] for record in error.records]
        except NotAcknowledged:
            raise
        except Exception as error:  # no delivery is at fault for that
            raise NotAcknowledged(f"nothing could be sent: {type(error).__name__}: {error}") from error
        return []

    def _replaced(self, rows: Sequence[Unsent]) -> list[Unsent]:
        """Puts what takes their place into the outbox, unless another process has. Raises NotAcknowledged."""
        with self._database.begin() as facts:
            still = facts.outbox.still([row.id for row in rows])
            try:
                records = [(row.place, each) for row in rows if row.id in still for each in self._instead(row, facts)]
            except Refused as why:
                raise NotAcknowledged(str(why)) from why
            facts.outbox.drop(still)
            return facts.outbox.put(records)

    def _still(self, rows: Sequence[Unsent]) -> list[Unsent]:
        with self._database.read() as facts:
            left = facts.outbox.still([row.id for row in rows])
        return [row for row in rows if row.id in left]


def _record(row: Unsent) -> Outgoing:
    return Outgoing(row.topic, row.key, row.value, row.headers)
