"""Records and consumer offsets written together or not at all."""

import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.consumer.bounded import Hangs, bounded
from streams.consumer.clients import TooLarge, is_too_large
from streams.consumer.letters import Outgoing
from streams.runtime.private import open_private, private_folder

CALL_S = 2.0
# librdkafka forgets its own time limit when the group's coordinator is gone (confluentinc/librdkafka#5456), and a
# client that was idle during an outage may go on to ask the coordinator of before it (#5511). Twice as long after each
# takeover in a row: on a machine that is slow for a while, a call may well take longer.
HANGS_AFTER_S = 3.0
TIMEOUT_TIMES_MAX = 8
RETRY_WAIT_S = 0.5
# A writer that cannot be made to work by so many new ones in a row has a rival of its name, or may not write at all.
TAKEOVERS_MAX = 3
# An open transaction of a killed writer holds up readers, and the next owner of its partitions, for this long.
OPEN_MS = 15_000

T = TypeVar("T")
log = structlog.get_logger()


class Aborted(Exception):
    """Nothing of a transaction was written; what it was for is to be read and done again."""


class GroupMember(Protocol):
    """What is used of confluent_kafka.Consumer."""

    def consumer_group_metadata(self) -> object: ...


class Transactions:
    """A transactional writer, for the group of `consumer_config`, which reads `topic`.

    While the brokers are away its calls wait, until `stop` is set.

    It takes the first name of `role` that no living process holds in `folder`: started again after it was killed it has
    the same, and so ends at once the transaction that it left open, which some brokers would keep open for ever.

    Where its client hangs or can never write again, a new one of the same name takes its place: that locks the old one
    out, and ends its transaction. `start` and `write` raise KafkaException, or Hangs, when that does not help either:
    the process is to exit.
    """

    def __init__(
        self,
        producer_config: dict[str, Any],
        consumer_config: dict[str, Any],
        topic: str,
        role: str,
        folder: Path,
        stop: threading.Event,
    ) -> None:
        number, self._lock = _first_free(folder, role)
        place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]
        self.name = f"packshot.{role}.{socket.gethostname()}.{place}.{number}"
        self._config = {**producer_config, "transactional.id": self.name, "transaction.timeout.ms": OPEN_MS}
        self._producer = Producer(self._config)
        self._consumer_config = consumer_config
        self._topic = topic
        self._stop = stop
        self._takeovers = self._replaced = 0

    def close(self) -> None:
        """Gives the name back."""
        os.close(self._lock)

    def start(self) -> None:
        """Makes the writer known to the brokers, and ends what one of its name left open; before the first `write`."""
        for tries in count(1):
            try:
                self._persistently(lambda: self._producer.init_transactions(CALL_S))
                self._drop_pending()
                return
            except (Hangs, KafkaException) as error:
                if self._stop.is_set() or (isinstance(error, KafkaException) and tries > TAKEOVERS_MAX):
                    raise
                log.warning("waiting", reason=str(error))
                self._renew()

    def _drop_pending(self) -> None:
        """Leaves no offsets of our name pending in the group: nobody could read the committed ones, ever.

        A broker that does not verify transactions takes offsets that come late, after their transaction's end. They
        then belong to the next transaction of the name, and go with it: so that one is aborted (KIP-890, motivation).
        """
        group = bounded(
            lambda: self._as_a_stranger(lambda stranger: stranger.consumer_group_metadata()), self._timeout_s
        )
        place = [TopicPartition(self._topic, 0, 0)]
        self._producer.begin_transaction()
        self._persistently(lambda: self._producer.send_offsets_to_transaction(place, group, CALL_S))
        self._persistently(lambda: self._producer.abort_transaction(CALL_S))

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
            if not refused and self._is_written(offsets):
                return
            if refused:
                raise TooLarge(refused[0]) from error
            raise Aborted(str(error)) from error
        self._takeovers = self._replaced = 0

    def _try_to_write(
        self, records: Sequence[Outgoing], offsets: list[TopicPartition], group: object, refused: list[Outgoing]
    ) -> None:
        def on_delivery(record: Outgoing) -> Callable[[KafkaError | None, object], None]:
            return lambda error, _: refused.append(record) if error is not None and is_too_large(error) else None

        self._producer.begin_transaction()
        for record in records:
            with _noted(record, refused):
                headers, noted = list(record.headers), on_delivery(record)
                self._producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=noted)
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
        self._take_over(error, has_end=isinstance(error, KafkaException))

    def _take_over(self, error: Exception, *, has_end: bool) -> None:
        self._takeovers += 1
        if has_end and self._takeovers > TAKEOVERS_MAX:
            raise error
        self._replace(error)

    def _replace(self, error: Exception) -> None:
        log.warning("a new writer takes the place of one that cannot go on", reason=str(error))
        self._renew()
        self.start()

    def _renew(self) -> None:
        self._replaced += 1
        self._producer = Producer(self._config)

    def _is_written(self, offsets: list[TopicPartition]) -> bool:
        """Whether the transaction was committed after all: then its offsets are. Raises Aborted when told to stop."""
        wanted = {(place.topic, place.partition): place.offset for place in offsets}
        while True:
            try:
                committed = self._committed([TopicPartition(*place) for place in wanted])
                return all(place.offset >= wanted[place.topic, place.partition] for place in committed)
            except (Hangs, KafkaException) as error:
                if self._stop.wait(RETRY_WAIT_S):
                    raise Aborted("told to stop before it was known whether it was written") from error
                self._take_over(error, has_end=True)  # the new one waits where the brokers are away

    def _committed(self, places: list[TopicPartition]) -> list[TopicPartition]:
        within_s = self._timeout_s
        ask = partial(self._as_a_stranger, lambda stranger: stranger.committed(places, timeout=within_s))
        committed: list[TopicPartition] = bounded(ask, 2 * within_s)
        for place in committed:
            if place.error is not None:
                raise KafkaException(place.error)
        return committed

    def _as_a_stranger(self, call: Callable[[Consumer], T]) -> T:
        """What a client answers that is new, and no member of the group.

        A member may have lost the brokers for good where others reach them (confluentinc/librdkafka#5301, #5511).
        """
        stranger = Consumer(self._consumer_config)
        try:
            return call(stranger)
        finally:
            stranger.close()

    @property
    def _timeout_s(self) -> float:
        """How long a call may take before it counts as one that hangs."""
        return HANGS_AFTER_S * min(1 << self._replaced, TIMEOUT_TIMES_MAX)

    def _persistently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return bounded(call, self._timeout_s)
            except KafkaException as error:
                if not _cause(error).retriable() or self._stop.wait(RETRY_WAIT_S):
                    raise
                log.warning("waiting", reason=str(error))


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
