"""Kafka clients with the settings that must be the same everywhere, and the topics made ready."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas import topics
from streams.consumer.letters import Delivery, Outgoing, written_at_ms
from streams.errors import Unavailable
from streams.settings import Settings

PARTITIONER = "murmur2_random"  # librdkafka's own default would put a key elsewhere than Java and aiokafka do
LIBRARY = "librdkafka"
DAY_MS = 24 * 3600 * 1000
MAX_POLL_INTERVAL_S = 300.0


class NotAcknowledged(Exception):
    """The broker did not take a record in time; nothing that depends on it may be committed."""


def client_config(settings: Settings) -> dict[str, Any]:
    """What every client needs to reach the brokers."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"packshot-{socket.gethostname()}",
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.max.ms": 2000,
        # errors; what librdkafka warns of, it mends itself. A command tells what ended it, once, in its own words.
        "log_level": 3 if logging.getLogger(LIBRARY).isEnabledFor(logging.ERROR) else 0,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_sasl_username
        config["sasl.password"] = settings.sasl_password
    if settings.kafka_ssl_ca_file:
        config["ssl.ca.location"] = str(settings.kafka_ssl_ca_file)
    return config


def producer_config(settings: Settings) -> dict[str, Any]:
    """An idempotent producer: acks=all, no doubles, order kept."""
    return client_config(settings) | {
        "enable.idempotence": True,
        "partitioner": PARTITIONER,
        "linger.ms": 5,
        "compression.type": "lz4",
    }


def consumer_config(settings: Settings, group: str) -> dict[str, Any]:
    """A consumer that commits only what it is told to, and sees no aborted transactions."""
    return client_config(settings) | {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16 * 1024,
    }


def member_config(settings: Settings, group: str) -> dict[str, Any]:
    """A consumer that keeps the partitions it has when others come and go, by the group protocol that is set."""
    config = consumer_config(settings, group) | {
        "group.protocol": settings.kafka_group_protocol,
        "max.poll.interval.ms": round(MAX_POLL_INTERVAL_S * 1000),
        # A backlog stays with the broker: librdkafka would keep 100,000 messages of each partition here.
        "queued.min.messages": 256,
        "queued.max.messages.kbytes": 1024,
        "fetch.message.max.bytes": 256 * 1024,
    }
    if settings.kafka_group_instance_id:
        config["group.instance.id"] = settings.kafka_group_instance_id
    if settings.kafka_group_protocol == "consumer":
        del config["session.timeout.ms"]  # the broker's to set, as is who gets what
    else:
        config["partition.assignment.strategy"] = "cooperative-sticky"
    return config


def delivery(message: Message) -> Delivery:
    """A message as a Delivery. A record without a value counts as empty bytes."""
    raw = cast(Iterable[tuple[str, str | bytes | None]], message.headers() or ())
    headers = [(name, _bytes(value)) for name, value in raw]
    _, timestamp_ms = message.timestamp()
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    key, value = _key(message.key()), _bytes(message.value())
    return Delivery(topic, partition, offset, key, value, headers, written_at_ms(timestamp_ms))


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _key(value: str | bytes | None) -> bytes | None:
    return None if value is None else _bytes(value)


class AcknowledgedProducer:
    """A producer whose sends are done only when the broker has said so. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(producer_config(settings))
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="producer-poll", daemon=True)
        self._poller.start()

    def send(self, records: Sequence[Outgoing]) -> None:
        """Writes records and waits for every acknowledgement. Raises NotAcknowledged."""
        done = threading.Event()
        errors: list[KafkaError] = []

        def on_end(error: KafkaError | None) -> None:
            if error is not None:
                errors.append(error)
            done.set()

        self.send_later(records, on_end)
        done.wait()
        if errors:
            raise NotAcknowledged(str(errors[0]))

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        """Writes records; `on_end` is called once, from another thread, with the first error or None."""
        if not records:
            on_end(None)
            return
        countdown = _Countdown(len(records), on_end)
        for record in records:
            self._produce(record, countdown)

    def _produce(self, record: Outgoing, countdown: "_Countdown") -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    on_delivery=lambda error, _message: countdown.one_ended(error),
                )
                return
            except BufferError:  # the local queue is full: the broker is slower than we are
                self._stopping.wait(0.05)
            except KafkaException as error:
                countdown.one_ended(error.args[0])
                return

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)

    def close(self) -> None:
        """Waits for what is under way, and ends."""
        self._producer.flush(10)
        self._stopping.set()
        self._poller.join()
        del self._producer  # or it would go on looking for brokers that are gone


class _Countdown:
    def __init__(self, count: int, on_end: Callable[[KafkaError | None], None]) -> None:
        self._left = count
        self._on_end = on_end
        self._error: KafkaError | None = None
        self._lock = threading.Lock()

    def one_ended(self, error: KafkaError | None) -> None:
        with self._lock:
            self._error = self._error or error
            self._left -= 1
            ended = not self._left
        if ended:
            self._on_end(self._error)


def make_topics(settings: Settings) -> None:
    """Makes the topics that are not there. Raises Unavailable while the brokers do not answer."""
    admin = AdminClient(client_config(settings))
    try:
        there = admin.list_topics(timeout=10).topics
        missing = [topic for topic in topics.every(settings.retry_delays) if topic.name not in there]
        futures = admin.create_topics([_new_topic(topic, settings) for topic in missing]) if missing else {}
        for future in futures.values():
            _unless_there(future)
    except KafkaException as error:
        raise Unavailable(f"the brokers at {settings.bootstrap_servers} do not answer: {error}") from error


def _unless_there(created: Future[None]) -> None:
    try:
        created.result(timeout=30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _new_topic(topic: topics.Topic, settings: Settings) -> NewTopic:
    retention_ms = -1 if topic.retention_days is None else topic.retention_days * DAY_MS
    return NewTopic(
        topic.name,
        num_partitions=settings.kafka_partitions,
        replication_factor=settings.kafka_replication,
        config={"retention.ms": str(retention_ms)},
    )


def open_consumer(settings: Settings, group: str, **more: Any) -> Consumer:
    """A consumer of `group` that has not subscribed yet."""
    return Consumer(consumer_config(settings, group) | more)


def open_member(settings: Settings, group: str, **more: Any) -> Consumer:
    """A cooperative consumer of `group` that has not subscribed yet; its callbacks are to assign incrementally."""
    return Consumer(member_config(settings, group) | more)
