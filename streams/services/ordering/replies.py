"""Asking workers: a task is written, and its answer read from the one partition of replies that this process has.

The partition is assigned, not balanced: there is no group, so nobody waits for one. Of several processes that have the
same partition each leaves alone what the others asked. What comes late, or twice, is for nobody.
"""

import random
import threading
from concurrent.futures import Future
from uuid import uuid4

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas import topics
from schemas.codec import Codec
from schemas.records import Task, TaskCompleted, TaskFailed
from streams.consumer import groups, reading, replies
from streams.consumer.clients import delivery, open_consumer
from streams.consumer.letters import Delivery, event_in, outgoing
from streams.consumer.registry import codec_of
from streams.consumer.replies import Address
from streams.flow.relay import Sender
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings

SOURCE = "packshot/api"
POLL_S = 0.1
AWAY_WAIT_S = 2.0
OPENED_WITHIN_S = 5.0

Answer = TaskCompleted | TaskFailed
log = structlog.get_logger()


class Replies:
    """Reads from the first question on. Thread-safe."""

    def __init__(self, settings: Settings, place: TopicPartition | None = None) -> None:
        """`place` is where to read from, if that is known; else the end of any partition."""
        self._settings = settings
        self._codec = codec_of(settings)
        self._place = place
        self._waiting: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, task: Task, sender: Sender) -> Future[Answer]:
        """Writes a task, and returns what will be its answer. Raises Unavailable, NotAcknowledged, Refused."""
        address = Address(self._open(), uuid4().hex)
        answer: Future[Answer] = Future()
        self._waiting[address.correlation_id] = answer
        answer.add_done_callback(lambda _: self._waiting.pop(address.correlation_id, None))
        try:
            sender.send([replies.asking(outgoing(task, SOURCE, codec=sender.codec), address)])
        except BaseException:
            answer.cancel()
            raise
        return answer

    def tell(self, record: Delivery) -> None:
        """Gives a reply to whoever asked, if that is somebody here who waits still."""
        answer = self._waiting.pop(replies.correlation_id(record), None)
        if answer is None or not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(_answer_in(record, self._codec))
        except Refused as refusal:
            log.warning("no reply", position=record.position, code=refusal.code)
            answer.set_exception(refusal)

    def close(self) -> None:
        """Reads no more."""
        self._closed.set()

    def _open(self) -> int:
        """The partition that is read. Raises Unavailable while there is none."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="replies", daemon=True)
                self._thread.start()
        if not self._opened.wait(OPENED_WITHIN_S) or self._place is None:
            raise Unavailable("replies cannot be read now")
        return int(self._place.partition)

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                consumer = open_consumer(self._settings, groups.READER)
                try:
                    self._follow(consumer)
                finally:
                    consumer.close()
            except (KafkaException, Unavailable) as error:
                log.warning("replies wait", reason=str(error))
                self._closed.wait(AWAY_WAIT_S)
            except Exception:  # the reply that it was is behind by now; those to come have somebody who waits
                log.exception("unexpected error")
                self._closed.wait(AWAY_WAIT_S)

    def _follow(self, consumer: Consumer) -> None:
        """Reads on from where it was, if it was anywhere."""
        if self._place is None:
            with reading.translated(self._settings):
                self._place = _end_of_any(consumer)
        place = self._place
        consumer.assign([place])
        self._opened.set()
        while not self._closed.is_set():
            message = consumer.poll(POLL_S)
            if message is None:
                continue
            if (error := message.error()) is not None:
                if error.fatal() or not error.retriable():
                    raise KafkaException(error)
                log.warning("kafka", error=str(error))
                continue
            record = delivery(message)
            place.offset = record.offset + 1
            self.tell(record)


def _answer_in(record: Delivery, codec: Codec) -> Answer:
    event = event_in(record, codec)
    if not isinstance(event, TaskCompleted | TaskFailed):
        raise Refused("wrong_topic", f"{type(event).__name__} is no answer to a task")
    return event


def _end_of_any(consumer: Consumer) -> TopicPartition:
    """A partition of the replies by chance, at the end that it has now: what is asked from now on stands behind it."""
    found = consumer.list_topics(topics.REPLIES.name, timeout=reading.CALL_S).topics[topics.REPLIES.name]
    if not found.partitions:
        raise Unavailable(f"there is no topic {topics.REPLIES.name} yet")
    place = TopicPartition(topics.REPLIES.name, random.choice(sorted(found.partitions)))
    marks = consumer.get_watermark_offsets(place, timeout=reading.CALL_S)
    if marks is None:
        raise TimeoutError
    place.offset = marks[1]
    return place
