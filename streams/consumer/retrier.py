"""The retrier: lets each retry letter wait until its time has come, and gives it back to where it came from."""

import threading
import time
from collections.abc import Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas import topics
from streams.consumer.clients import AcknowledgedProducer, TooLarge, delivery
from streams.consumer.ledger import Ledger
from streams.consumer.letters import Delivery, Originals, Outgoing, RetryPolicy, returned
from streams.errors import Refused

POLL_S = 0.1

log = structlog.get_logger()


class Retrier:
    """Reads every retry topic. A partition whose first letter must wait is paused until then; polling goes on."""

    def __init__(
        self, consumer: Consumer, producer: AcknowledgedProducer, delays_ms: Sequence[int], originals: Originals
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._originals = originals
        self._letters = RetryPolicy((), originals=originals)
        self._topics = [topics.retry(delay_ms).name for delay_ms in delays_ms]
        self._ledger = Ledger("retrier")
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
        now_ms = _now_ms()
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
        if letter.not_before_ms > _now_ms():
            place = TopicPartition(letter.topic, letter.partition, letter.offset)
            self._consumer.pause([place])
            self._consumer.seek(place)
            self._due_ms[letter.topic, letter.partition] = letter.not_before_ms
            return
        self._ledger.poll()
        how, record = self._give_back(letter)
        self._ledger.end(how)
        self._consumer.commit(message=message, asynchronous=False)
        self._ledger.commit(1)
        log.info("given back", how=how, to=record.topic, attempt=letter.attempt)

    def _give_back(self, letter: Delivery) -> tuple[str, Outgoing]:
        try:
            record = returned(letter, self._originals)
            self._producer.send([record])
            return "done", record
        except Refused as refusal:
            dead = self._letters.letter(letter, refusal, _now_ms())
        except TooLarge as error:
            dead = self._letters.letter(letter, Refused("record_too_large", str(error)), _now_ms())
        self._producer.send([dead])
        return "dead", dead


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
