"""Records and consumer offsets written together or not at all."""

import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams.consumer.letters import Outgoing
from streams.private import open_private, private_folder

CALL_S = 10.0
HANGS_AFTER_S = 20.0
EXIT_HANGS = 70
RETRY_WAIT_S = 0.5
# An open transaction of a killed writer holds up readers, and the next owner of its partitions, for this long.
OPEN_MS = 15_000

log = structlog.get_logger()


class Aborted(Exception):
    """Nothing of a transaction was written; what it was for is to be read and done again."""


class Transactions:
    """A transactional writer. While the brokers are away its calls wait, until `stop` is set.

    It takes the first name of `role` that no living process holds in `folder`: started again after it was killed it has
    the same, and so ends at once the transaction that it left open, which some brokers would keep open for ever.
    A call that hangs ends the process. `start` and `write` raise KafkaException when the writer was fenced or cannot go
    on: the process is to exit.
    """

    def __init__(self, producer_config: dict[str, Any], role: str, folder: Path, stop: threading.Event) -> None:
        number, self._lock = _first_free(folder, role)
        place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]
        name = f"packshot.{role}.{socket.gethostname()}.{place}.{number}"
        self._producer = Producer({**producer_config, "transactional.id": name, "transaction.timeout.ms": OPEN_MS})
        self._stop = stop

    def close(self) -> None:
        """Gives the name back."""
        os.close(self._lock)

    def start(self) -> None:
        """Makes the writer known to the brokers; once, before the first `write`."""
        self._persistently(lambda: self._producer.init_transactions(CALL_S))

    def write(self, records: Sequence[Outgoing], offsets: list[TopicPartition], group: object) -> None:
        """Writes records, and offsets for the consumer of `group`, in one transaction. Raises Aborted."""
        try:
            self._producer.begin_transaction()
            for record in records:
                self._producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
            self._persistently(lambda: self._producer.send_offsets_to_transaction(offsets, group, CALL_S))
            self._persistently(lambda: self._producer.commit_transaction(CALL_S))
        except KafkaException as error:
            if not _cause(error).txn_requires_abort():
                raise
            self._persistently(lambda: self._producer.abort_transaction(CALL_S))
            raise Aborted(str(error)) from error

    def _persistently(self, call: Callable[[], None]) -> None:
        while True:
            try:
                with _bounded():
                    call()
                return
            except KafkaException as error:
                if not _cause(error).retriable() or self._stop.wait(RETRY_WAIT_S):
                    raise
                log.warning("waiting", reason=str(error))


@contextmanager
def _bounded() -> Iterator[None]:
    """Ends the process when the block hangs: librdkafka may forget its own time limit when a broker was killed.

    Nothing is lost by it: the next owner of the name ends the transaction, and what it was for is done again.
    """
    timer = threading.Timer(HANGS_AFTER_S, _leave)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _leave() -> None:
    log.error("a transaction hangs; leaving without a commit", after_s=HANGS_AFTER_S)
    os._exit(EXIT_HANGS)


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
