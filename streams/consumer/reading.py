"""Reading outside of any group: the commands look at everything, the watchdog at what is left, and commit nothing."""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.consumer import groups
from streams.consumer.clients import client_config, delivery, open_consumer
from streams.consumer.letters import Delivery
from streams.consumer.unreachable import unreachable
from streams.runtime.settings import Settings

POLL_S = 0.1
BATCH_MAX = 500
CALL_S = 10.0
SILENT_S = 10.0  # of brokers that have not told all, nor where that ends

Place = tuple[str, int]
log = structlog.get_logger()


def read(
    settings: Settings, names: Sequence[str], *, since_ms: int | None = None, follow: bool = False
) -> Iterator[Delivery]:
    """The committed records of topics, from the first or from `since_ms` on, each partition in its order.

    Ends where the topics ended, unless `follow`. Raises Unavailable while the brokers do not answer.
    """
    consumer = open_consumer(settings, groups.READER, **{"enable.partition.eof": True})
    try:
        with translated(settings):
            places = _from(consumer, _partitions(consumer, names), since_ms)
            consumer.assign(places)
            yield from _all(consumer, {(place.topic, place.partition) for place in places}, follow=follow)
    finally:
        consumer.close()


def at(settings: Settings, wanted: Mapping[Place, Collection[int]]) -> Iterator[Delivery]:
    """The committed records that stand at these offsets, each partition in its order; those that are gone are left out.

    Raises Unavailable while the brokers do not answer.
    """
    consumer = open_consumer(settings, groups.READER, **{"enable.partition.eof": True})
    unread = set(wanted)
    try:
        with translated(settings):
            consumer.assign([TopicPartition(*place, min(offsets)) for place, offsets in wanted.items()])
            for each in _all(consumer, unread):
                if each.place in unread and each.offset in wanted[each.place]:
                    yield each
                if each.offset >= max(wanted[each.place]):
                    unread.discard(each.place)
    finally:
        consumer.close()


def _all(consumer: Consumer, unread: set[Place], *, follow: bool = False) -> Iterator[Delivery]:
    """What comes until nothing is `unread`, or for ever. Raises TimeoutError where the brokers fall silent before."""
    heard_s = time.monotonic()
    while unread or follow:
        before = len(unread)
        for each in _turn(consumer, unread):
            heard_s = time.monotonic()
            yield each
        if len(unread) < before:
            heard_s = time.monotonic()
        elif not follow and time.monotonic() - heard_s > SILENT_S:
            raise TimeoutError


def _turn(consumer: Consumer, unread: set[Place]) -> Iterator[Delivery]:
    for message in consumer.consume(BATCH_MAX, POLL_S):
        error = message.error()
        if error is None:
            yield delivery(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            unread.discard((str(message.topic()), int(message.partition() or 0)))
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)
        else:
            log.warning("kafka", error=str(error))


@contextlib.contextmanager
def keys_from_now_on(settings: Settings, names: Sequence[str]) -> Iterator[Callable[[float], set[bytes]]]:
    """A function that waits so many seconds at most, and returns the keys of the committed records that came.

    It returns none while the brokers are away. Raises Unavailable when they do not say which partitions there are.
    """
    consumer = open_consumer(settings, groups.READER)

    def within(seconds: float) -> set[bytes]:
        messages = [consumer.poll(seconds), *consumer.consume(BATCH_MAX, 0)]
        return {message.key() or b"" for message in messages if message is not None and message.error() is None}

    try:
        with translated(settings):
            places = _partitions(consumer, names)
        consumer.assign([TopicPartition(place.topic, place.partition, OFFSET_END) for place in places])
        yield within
    finally:
        consumer.close()


def between(settings: Settings, place: Place, first: int, behind: int) -> list[Delivery]:
    """The committed records of a partition from offset `first` on that stand before `behind`. Raises Unavailable."""
    consumer = open_consumer(settings, groups.READER, **{"enable.partition.eof": True})
    found: list[Delivery] = []
    try:
        with translated(settings):
            consumer.assign([TopicPartition(*place, first)])
            give_up_at = time.monotonic() + CALL_S
            unread = {place}
            while unread and time.monotonic() < give_up_at:
                for each in _turn(consumer, unread):
                    found.append(each)
                if found and found[-1].offset >= behind - 1:
                    unread.clear()
            if unread:
                raise TimeoutError
    finally:
        consumer.close()
    return [each for each in found if each.offset < behind]


def committed(settings: Settings, group: str, names: Sequence[str]) -> dict[Place, int]:
    """The next offset that `group` will read of each partition; 0 where it has committed nothing."""
    consumer = open_consumer(settings, group)
    try:
        with translated(settings):
            places = consumer.committed(_partitions(consumer, names), timeout=CALL_S)
            for place in places:
                if place.error is not None:
                    raise KafkaException(place.error)
            return {(place.topic, place.partition): max(place.offset, 0) for place in places}
    finally:
        consumer.close()


def ends(settings: Settings, places: Collection[Place]) -> dict[Place, int]:
    """Where what may be read of each partition ends: behind all that is committed, markers of transactions included.

    Raises Unavailable.
    """
    consumer = open_consumer(settings, groups.READER)
    try:
        with translated(settings):
            return {place: _end(consumer, place) for place in places}
    finally:
        consumer.close()


def _end(consumer: Consumer, place: Place) -> int:
    low_and_high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=CALL_S)
    if low_and_high is None:
        raise TimeoutError
    return int(low_and_high[1])


def has_record(settings: Settings, place: Place, offset: int) -> bool:
    """Whether a committed record stands at `offset` or behind it. Raises Unavailable."""
    consumer = open_consumer(settings, groups.READER, **{"enable.partition.eof": True})
    try:
        with translated(settings):
            consumer.assign([TopicPartition(*place, offset or OFFSET_BEGINNING)])
            return _comes_before_end(consumer)
    finally:
        consumer.close()


def _comes_before_end(consumer: Consumer) -> bool:
    give_up_at = time.monotonic() + CALL_S
    while time.monotonic() < give_up_at:
        for message in consumer.consume(1, POLL_S):
            error = message.error()
            if error is None:
                return True
            if error.code() == KafkaError._PARTITION_EOF:
                return False
            if not error.retriable():
                raise KafkaException(error)
    raise TimeoutError


def check(settings: Settings, within_s: float) -> None:
    """Raises Unavailable where no broker answers in time."""
    with translated(settings):
        AdminClient(client_config(settings)).list_topics(timeout=within_s)


def has_members(settings: Settings, group: str) -> bool:
    """Whether anybody is in the group now. Raises Unavailable."""
    return members(settings, group) > 0


def members(settings: Settings, group: str) -> int:
    """How many are in the group now. Raises Unavailable."""
    admin = AdminClient(client_config(settings))  # answers only for as long as it is held
    described = admin.describe_consumer_groups([group], request_timeout=CALL_S)[group]
    with translated(settings):
        try:
            return len(described.result(timeout=CALL_S).members)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            raise


def _partitions(consumer: Consumer, names: Sequence[str]) -> list[TopicPartition]:
    there = consumer.list_topics(timeout=CALL_S).topics
    return [TopicPartition(name, number) for name in names if name in there for number in there[name].partitions]


def _from(consumer: Consumer, places: list[TopicPartition], since_ms: int | None) -> list[TopicPartition]:
    if since_ms is None or not places:
        return [TopicPartition(place.topic, place.partition, 0) for place in places]
    moments = [TopicPartition(place.topic, place.partition, since_ms) for place in places]
    found: list[TopicPartition] = consumer.offsets_for_times(moments, timeout=CALL_S)
    return found


@contextlib.contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """What brokers that are away make of a call, as Unavailable."""
    try:
        yield
    except (KafkaException, TimeoutError) as error:
        raise unreachable(settings, error) from error
