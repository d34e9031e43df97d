"""The retrier: lets each retry letter wait until its time has come, and gives it back to where it came from."""

import threading
import time
from collections.abc import Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas import topics
from streams.consumer.clients import AcknowledgedProducer, NotAcknowledged, TooLarge, delivery
from streams.consumer.isolation import Isolation
from streams.consumer.joining import Joining
from streams.consumer.ledger import Ledger
from streams.consumer.letters import JITTER_SHARE, Delivery, Originals, Outgoing, RetryPolicy, returned
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.health import Turned

POLL_S = 0.1
AWAY_WAIT_MS = 1000
CLOCKS_DIFFER_MS = 5000  # between the machines that write letters, a broker and this one

log = structlog.get_logger()


class Retrier:
    """Reads every retry topic. A partition whose first letter must wait is paused until then; polling goes on."""

    def __init__(
        self,
        consumer: Consumer,
        producer: AcknowledgedProducer,
        delays_ms: Sequence[int],
        isolation: Isolation,
        originals: Originals | None = None,
        turned: Turned = lambda: None,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._isolation = isolation
        self._originals = originals
        self._turned = turned
        self._letters = RetryPolicy((), originals=originals)
        self._topics = [topics.retry(delay_ms).name for delay_ms in delays_ms]
        self._ledger = Ledger("retrier")
        self._joining = Joining()
        self._due_s: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. Raises NotAcknowledged when a letter cannot be given back."""
        if not self._topics:
            while not stop.wait(POLL_S):
                self._turned()
            return
        self._joining.subscribed()
        self._consumer.subscribe(self._topics, on_assign=self._taken, on_revoke=self._left, on_lost=self._lost)
        while not stop.is_set():
            self._turned()
            self._wake_those_due()
            message = self._consumer.poll(POLL_S)
            if message is not None:
                self._consider(message)
        self._consumer.close()

    @property
    def has_joined(self) -> bool:
        """Whether the group has said which partitions are ours; without topics there is none."""
        return not self._topics or self._joining.is_done

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joining.assigned()
        for partition in partitions:
            self._due_s.pop((partition.topic, partition.partition), None)
            self._held.pop((partition.topic, partition.partition), None)
        consumer.incremental_assign(partitions)
        consumer.resume(partitions)

    def _left(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._isolation.left([(each.topic, each.partition) for each in partitions])
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joining.lost()
        self._left(consumer, partitions)

    def _wake_those_due(self) -> None:
        now_s = time.monotonic()
        ours = {(partition.topic, partition.partition) for partition in self._consumer.assignment()}
        for place in [place for place, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[place]
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
        has_waited = self._held.get((letter.topic, letter.partition)) == letter.offset
        now_ms = _now_ms()
        if not has_waited and (due_ms := _due_ms(letter, now_ms)) > now_ms:
            self._hold(letter, due_ms - now_ms)
            return
        try:
            how, record = self._give_back(letter)
        except Unavailable as away:
            log.warning("waiting", reason=str(away), position=letter.position)
            self._hold(letter, AWAY_WAIT_MS)
            return
        self._ledger.poll()
        self._ledger.end(how)
        self._commit(message)
        log.info("given back", how=how, to=record.topic, attempt=letter.attempt)

    def _hold(self, letter: Delivery, wait_ms: int) -> None:
        """Reads nothing more of the letter's partition for so long; then the letter is read again.

        It is counted by a clock that nobody sets: where the time of day is set back, the partition waits no longer.
        """
        place = TopicPartition(letter.topic, letter.partition, letter.offset)
        self._consumer.pause([place])
        self._consumer.seek(place)
        self._due_s[letter.topic, letter.partition] = time.monotonic() + wait_ms / 1000
        self._held[letter.topic, letter.partition] = letter.offset

    def _give_back(self, letter: Delivery) -> tuple[str, Outgoing]:
        """How the letter ended, and the record that it became. Raises NotAcknowledged, Unavailable."""
        try:
            with self._isolation.trying(letter):
                record = returned(letter, self._originals)
                self._producer.send([record])
                return "done", record
        except TooLarge as error:
            why = Refused("record_too_large", str(error))
        except (NotAcknowledged, Unavailable):
            raise
        except Refused as refusal:
            why = refusal
        except Exception as error:
            log.exception("unexpected error", position=letter.position)
            why = Refused("unexpected", f"{type(error).__name__}: {error}", poison=True)
        dead = self._letters.letter(letter, why, _now_ms())
        self._producer.send([dead])
        return "dead", dead

    def _commit(self, message: Message) -> None:
        try:
            self._consumer.commit(message=message, asynchronous=False)
            self._ledger.commit(1)
        except KafkaException as error:  # it went to somebody else, who gives the letter back once more
            if error.args[0].fatal():
                raise
            log.warning("commit refused", error=str(error))


def _due_ms(letter: Delivery, now_ms: int) -> int:
    """When a letter is due: as it says, but no later than its topic's delay allows, counted from when it was written.

    A letter that others wrote may name any time, and would hold up all behind it. One whose own time is none counts as
    written now; whoever has held a letter once does not ask again.
    """
    delay_ms = int(letter.topic.removeprefix(topics.RETRY_PREFIX).removesuffix("ms"))
    written_ms = min(letter.timestamp_ms, now_ms)
    return min(letter.not_before_ms, written_ms + round(delay_ms * (1 + JITTER_SHARE)) + CLOCKS_DIFFER_MS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
