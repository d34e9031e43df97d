"""Records and consumer offsets written together or not at all."""

import fcntl
import hashlib
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams.consumer.clients import TooLarge, is_too_large
from streams.consumer.letters import Outgoing
from streams.private import open_private, private_folder

CALL_S = 2.0
# librdkafka forgets its own time limit when the group's coordinator is gone (confluentinc/librdkafka#5456), and a
# client that was idle during an outage may go on to ask the coordinator of before it (#5511). Twice as long after each
# takeover in a row: on a machine that is slow for a while, a call may well take longer.
HANGS_AFTER_S = 3.0
PATIENCE_TIMES_MAX = 8
RETRY_WAIT_S = 0.5
# A writer that cannot be made to work by so many new ones in a row has a rival of its name, or may not write at all.
TAKEOVERS_MAX = 3
# An open transaction of a killed writer holds up readers, and the next owner of its partitions, for this long.
OPEN_MS = 15_000

T = TypeVar("T")
log = structlog.get_logger()


class Aborted(Exception):
    """Nothing of a transaction was written; what it was for is to be read and done again."""


class Hangs(Exception):
    """A call did not come back in time; whether it did what it should is not known."""


class GroupMember(Protocol):
    """What is used of confluent_kafka.Consumer."""

    def consumer_group_metadata(self) -> object: ...
    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]: ...


class Transactions:
    """A transactional writer. While the brokers are away its calls wait, until `stop` is set.

    It takes the first name of `role` that no living process holds in `folder`: started again after it was killed it has
    the same, and so ends at once the transaction that it left open, which some brokers would keep open for ever.

    Where its client hangs or can never write again, a new one of the same name takes its place: that locks the old one
    out, and ends its transaction. `start` and `write` raise KafkaException when that does not help either: the process
    is to exit.
    """

    def __init__(self, producer_config: dict[str, Any], role: str, folder: Path, stop: threading.Event) -> None:
        number, self._lock = _first_free(folder, role)
        place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]
        name = f"packshot.{role}.{socket.gethostname()}.{place}.{number}"
        self._config = {**producer_config, "transactional.id": name, "transaction.timeout.ms": OPEN_MS}
        self._producer = Producer(self._config)
        self._stop = stop
        self._takeovers = 0

    def close(self) -> None:
        """Gives the name back."""
        os.close(self._lock)

    def start(self) -> None:
        """Makes the writer known to the brokers; once, before the first `write`."""
        while True:
            try:
                self._persistently(lambda: self._producer.init_transactions(CALL_S))
                return
            except Hangs as hangs:
                if self._stop.is_set():
                    raise
                log.warning("waiting", reason=str(hangs))
                self._producer = Producer(self._config)

    def write(self, records: Sequence[Outgoing], offsets: list[TopicPartition], member: GroupMember) -> None:
        """Writes records, and offsets for the group of `member`, in one transaction.

        Raises Aborted, TooLarge for a record that its topic does not take; nothing is written then.
        """
        refused: list[Outgoing] = []
        try:
            self._try_to_write(records, offsets, member.consumer_group_metadata(), refused)
        except (Hangs, KafkaException) as error:
            if self._stop.is_set() and not isinstance(error, Hangs):
                raise
            self._undo(error, refused=bool(refused))
            if not refused and self._is_written(offsets, member):
                return
            if refused:
                raise TooLarge(refused[0]) from error
            raise Aborted(str(error)) from error
        self._takeovers = 0

    def _try_to_write(
        self, records: Sequence[Outgoing], offsets: list[TopicPartition], group: object, refused: list[Outgoing]
    ) -> None:
        def told_of(record: Outgoing) -> Callable[[KafkaError | None, object], None]:
            return lambda error, _: refused.append(record) if error is not None and is_too_large(error) else None

        self._producer.begin_transaction()
        for record in records:
            with _noted(record, refused):
                self._producer.produce(
                    record.topic, record.value, record.key, headers=list(record.headers), on_delivery=told_of(record)
                )
        self._persistently(lambda: self._producer.send_offsets_to_transaction(offsets, group, CALL_S))
        self._persistently(lambda: self._producer.commit_transaction(CALL_S))

    def _undo(self, error: Exception, *, refused: bool) -> None:
        """Ends the transaction, by a new client where the old one cannot.

        After a record that brokers refused, the old one sometimes goes on with a gap in its sequence numbers: its next
        transaction is refused whole (OUT_OF_ORDER_SEQUENCE_NUMBER).
        """
        if refused:
            self._replace(error)
            return
        if isinstance(error, KafkaException) and not _cause(error).fatal():
            try:
                self._persistently(lambda: self._producer.abort_transaction(CALL_S))
                return
            except (Hangs, KafkaException) as worse:
                error = worse
        self._takeovers += 1
        if self._takeovers > TAKEOVERS_MAX and isinstance(error, KafkaException):
            raise error
        self._replace(error)

    def _replace(self, error: Exception) -> None:
        log.warning("a new writer takes the place of one that cannot go on", reason=str(error))
        self._producer = Producer(self._config)
        self.start()

    def _is_written(self, offsets: list[TopicPartition], member: GroupMember) -> bool:
        """Whether the transaction was committed after all: then its offsets are. Raises Aborted when told to stop."""
        wanted = {(place.topic, place.partition): place.offset for place in offsets}
        places = [TopicPartition(topic, partition) for topic, partition in wanted]
        while True:
            try:
                committed = _bounded(lambda: member.committed(places, timeout=CALL_S), self._patience_s)
                if all(place.error is None for place in committed):
                    return all(place.offset >= wanted[place.topic, place.partition] for place in committed)
            except (Hangs, KafkaException) as error:
                log.warning("waiting", reason=str(error))
            if self._stop.wait(RETRY_WAIT_S):
                raise Aborted("told to stop before it was known whether it was written")

    @property
    def _patience_s(self) -> float:
        """How long a call may take before it counts as one that hangs."""
        return HANGS_AFTER_S * min(1 << self._takeovers, PATIENCE_TIMES_MAX)

    def _persistently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return _bounded(call, self._patience_s)
            except KafkaException as error:
                if not _cause(error).retriable() or self._stop.wait(RETRY_WAIT_S):
                    raise
                log.warning("waiting", reason=str(error))


def _bounded(call: Callable[[], T], within_s: float) -> T:
    """What `call` returns. Raises Hangs, and leaves its thread to itself, where that takes too long."""
    answer: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put((call(), None))
        except BaseException as error:
            answer.put((None, error))

    threading.Thread(target=run, name="transaction", daemon=True).start()
    try:
        value, error = answer.get(timeout=within_s)
    except queue.Empty:
        raise Hangs(f"no answer within {within_s:.0f} s") from None
    if error is not None:
        raise error
    return cast(T, value)


@contextmanager
def _noted(record: Outgoing, refused: list[Outgoing]) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        if is_too_large(_cause(error)):
            refused.append(record)
        raise


def _first_free(folder: Path, role: str) -> tuple[int, int]:
    """The least number that nobody holds, and the descriptor that holds it from now on."""
    private_folder(folder)
    for number in count():
        lock = open_private(folder / f"{role}-{number}.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
        except BlockingIOError:
            os.close(lock)
    raise AssertionError("numbers do not end")


def _cause(error: KafkaException) -> KafkaError:
    cause: KafkaError = error.args[0]
    return cause
