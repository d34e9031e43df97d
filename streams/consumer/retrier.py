"""The retrier: lets each retry letter wait until its time has come, and gives it back to where it came from."""

import threading
import time
from collections.abc import Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas import topics
from schemas.envelope import as_mapping
from streams.consumer.clients import AcknowledgedProducer, delivery
from streams.consumer.ledger import committed, ended, polled
from streams.consumer.letters import NOT_BEFORE, ORIGIN_TOPIC, returned

POLL_S = 0.1

log = structlog.get_logger()


class Retrier:
    """Reads every retry topic. A partition whose first letter must wait is paused until then; polling goes on."""

    def __init__(self, consumer: Consumer, producer: AcknowledgedProducer, delays_ms: Sequence[int]) -> None:
        self._consumer = consumer
        self._producer = producer
        self._topics = [topics.retry(delay_ms).name for delay_ms in delays_ms]
        self._due_ms: dict[tuple[str, int], int] = {}

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. Raises NotAcknowledged when a letter cannot be given back."""
        if not self._topics:
            stop.wait()
            return
        self._consumer.subscribe(self._topics, on_assign=self._taken)
        while not stop.is_set():
            self._wake_those_due()
            message = self._consumer.poll(POLL_S)
            if message is not None:
                self._consider(message)
        self._consumer.close()

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._due_ms.pop((partition.topic, partition.partition), None)
        consumer.incremental_assign(partitions)
        consumer.resume(partitions)

    def _wake_those_due(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        ours = {(partition.topic, partition.partition) for partition in self._consumer.assignment()}
        for place in [place for place, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            del self._due_ms[place]
            if place in ours:
                self._consumer.resume([TopicPartition(*place)])

    def _consider(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            log.warning("kafka", error=str(error))
            return
        letter = delivery(message)
        not_before_ms = int(as_mapping(letter.headers).get(NOT_BEFORE, "0"))
        if not_before_ms > time.time_ns() // 1_000_000:
            place = TopicPartition(letter.topic, letter.partition, letter.offset)
            self._consumer.pause([place])
            self._consumer.seek(place)
            self._due_ms[letter.topic, letter.partition] = not_before_ms
            return
        polled.labels("retrier", "-").inc()
        self._producer.send([returned(letter)])
        ended.labels("retrier", "done").inc()
        self._consumer.commit(message=message, asynchronous=False)
        committed.labels("retrier").inc()
        log.info("given back", to=as_mapping(letter.headers)[ORIGIN_TOPIC], attempt=letter.attempt)
