"""Kafka clients with the settings that must be the same everywhere, and the topics made ready."""

import logging
import operator
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client import Counter

from schemas import topics
from streams.consumer.letters import Delivery, Outgoing, written_at_ms
from streams.consumer.registry import codec_of
from streams.consumer.unreachable import unreachable
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings

PARTITIONER = "murmur2_random"  # librdkafka's own default would put a key elsewhere than Java and aiokafka do
PARTITION_OF_KEY = -1
LIBRARY = "librdkafka"
MAX_POLL_INTERVAL_S = 300.0
CLOSE_S = 10.0
# While no broker answers, librdkafka begins anew with those of `bootstrap.servers`, and forgets how long it has waited:
# it tries every half of this, whatever the most is. At its default of 100 ms our clients' 20 tries a second took so
# much of a core that a broker on the same machine started late.
RECONNECT_MS = 500
RENEWED_WAIT_S = 0.5  # one that may not write would connect without end
CREATED_WITHIN_S = 30.0
# Unpacked, where limits of our own topics count packed bytes: what was written small may go back. The broker closes the
# connection on a request beyond 100 MiB, and librdkafka would try again for minutes.
REQUEST_BYTES = 16 * topics.MIB
# Below every topic's limit: the broker refuses a batch as a whole, so a record that is too large goes alone.
BATCH_BYTES = topics.WRITTEN_BY_OTHERS_BYTES // 2
FETCH_BYTES = 256 * 1024  # of a partition at a time; a larger batch is read all the same, alone
HEADERS_LOST = "packshot-headers-lost"

# At a name that is no UTF-8 the client sets an error and returns headers all the same, with a null pointer for a name.
# A call by C finds that out and raises; one that the interpreter has specialised does not, and the process crashes.
_headers_of = operator.methodcaller("headers")

log = structlog.get_logger()
headers_lost = Counter("packshot_headers_lost_total", "Records whose headers could not be read", ["topic"])


class NotAcknowledged(Exception):
    """The broker did not take a record in time; nothing that depends on it may be committed."""


class TooLarge(NotAcknowledged):
    """No topic takes `record`, nor `others`: they are too large, and always will be. All else that was sent with them
    is acknowledged."""

    def __init__(self, record: Outgoing, *others: Outgoing) -> None:
        super().__init__(f"{record.topic} takes no record of {record.size_bytes} bytes")
        self.record = record
        self.records = (record, *others)


def client_config(settings: Settings) -> dict[str, Any]:
    """What every client needs to reach the brokers."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"packshot-{socket.gethostname()}",
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.ms": RECONNECT_MS,
        "reconnect.backoff.max.ms": 2000,
        # errors; what librdkafka warns of, it mends itself. A command tells what ended it, once, in its own words.
        "log_level": 3 if logging.getLogger(LIBRARY).isEnabledFor(logging.ERROR) else 0,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config |= _sasl(settings)
    if settings.kafka_ssl_ca_file:
        config["ssl.ca.location"] = str(settings.kafka_ssl_ca_file)
    if settings.kafka_ssl_certificate_file:
        config["ssl.certificate.location"] = str(settings.kafka_ssl_certificate_file)
        config["ssl.key.location"] = str(settings.kafka_ssl_key_file or settings.kafka_ssl_certificate_file)
    if settings.ssl_key_password:
        config["ssl.key.password"] = settings.ssl_key_password
    return config


def _sasl(settings: Settings) -> dict[str, Any]:
    """How a client says who it is. Raises Unavailable where tokens are wanted and nobody gives one."""
    if settings.kafka_sasl_mechanism != "OAUTHBEARER":
        user, password = settings.kafka_sasl_username, settings.sasl_password
        return {"sasl.mechanism": settings.kafka_sasl_mechanism, "sasl.username": user, "sasl.password": password}
    from streams.consumer.tokens import tokens  # an HTTP client, which commands at other clusters are not to wait for

    tokens(settings).newest()  # here its caller hears of a provider that is away; librdkafka would tell nobody
    config = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": settings.kafka_oauth_token_url,
        "sasl.oauthbearer.client.id": settings.kafka_oauth_client_id,
        "sasl.oauthbearer.client.secret": settings.oauth_client_secret,
    }
    if settings.kafka_oauth_scope:
        config["sasl.oauthbearer.scope"] = settings.kafka_oauth_scope
    if settings.kafka_oauth_ca_file:
        config["https.ca.location"] = str(settings.kafka_oauth_ca_file)
    return config


def tls_context(settings: Settings) -> ssl.SSLContext:
    """The same for a client that Python's own TLS serves."""
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file)
    if settings.kafka_ssl_certificate_file:
        context.load_cert_chain(
            settings.kafka_ssl_certificate_file, settings.kafka_ssl_key_file, settings.ssl_key_password
        )
    return context


def producer_config(settings: Settings) -> dict[str, Any]:
    """An idempotent producer: acks=all, no doubles, order kept."""
    return client_config(settings) | {
        "enable.idempotence": True,
        "partitioner": PARTITIONER,
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": REQUEST_BYTES,
        "batch.size": BATCH_BYTES,
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


def membership(settings: Settings) -> dict[str, Any]:
    """By which name a consumer is a member of its group, where it has one that outlives its process."""
    return {"group.instance.id": settings.kafka_group_instance_id} if settings.kafka_group_instance_id else {}


def member_config(settings: Settings, group: str) -> dict[str, Any]:
    """A consumer that keeps the partitions it has when others come and go, by the group protocol that is set."""
    config = (
        consumer_config(settings, group)
        | membership(settings)
        | {
            "group.protocol": settings.kafka_group_protocol,
            "max.poll.interval.ms": round(MAX_POLL_INTERVAL_S * 1000),
            # A backlog stays with the broker: librdkafka would keep 100,000 messages of each partition here.
            "queued.min.messages": 256,
            "queued.max.messages.kbytes": 1024,
            "fetch.message.max.bytes": FETCH_BYTES,
        }
    )
    if settings.kafka_group_protocol == "consumer":
        del config["session.timeout.ms"]  # the broker's to set, as is who gets what
    else:
        config["partition.assignment.strategy"] = "cooperative-sticky"
    return config


def delivery(message: Message) -> Delivery:
    """A message as a Delivery; to be called once for each.

    A record without a value counts as empty bytes. Headers of which one has a name
    that is no UTF-8 cannot be read by any client of ours: `HEADERS_LOST` stands in their place.
    """
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    _, timestamp_ms = message.timestamp()
    try:
        raw = cast(Iterable[tuple[str, str | bytes | None]], _headers_of(message) or ())
    except SystemError:  # asked again it would give names that are null pointers
        log.warning("headers cannot be read", position=f"{topic}/{partition}/{offset}")
        headers_lost.labels(topic).inc()
        raw = [(HEADERS_LOST, b"a name among them is no UTF-8")]
    headers = [(name, _bytes(value)) for name, value in raw]
    key, value = _key(message.key()), _bytes(message.value())
    return Delivery(topic, partition, offset, key, value, headers, written_at_ms(timestamp_ms))


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _key(value: str | bytes | None) -> bytes | None:
    return None if value is None else _bytes(value)


class AcknowledgedProducer:
    """A producer whose sends are done only when the broker has said so. Thread-safe.

    Where the client can never send again (its idempotence is lost, it may not write), what is under way fails, and a
    new client takes its place.
    """

    def __init__(self, settings: Settings, within_s: float | None = None) -> None:
        """`within_s` bounds how long a record may wait for its acknowledgement; unset, librdkafka's 5 minutes."""
        bound = {} if within_s is None else {"delivery.timeout.ms": round(within_s * 1000)}
        self.codec = codec_of(settings)
        """Encodes what is sent."""
        self._config = producer_config(settings) | bound
        self._producer = Producer(self._config)
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="producer-poll", daemon=True)
        self._poller.start()

    def send(self, records: Sequence[Outgoing]) -> None:
        """Writes records and waits for every acknowledgement. Raises NotAcknowledged, TooLarge where that is all."""
        done = threading.Event()
        countdown = _Countdown(len(records), lambda _error: done.set())
        self._send(records, countdown)
        done.wait()
        if countdown.failed:
            error, record = countdown.worst
            if not is_too_large(error):
                raise NotAcknowledged(str(error))
            raise TooLarge(record, *(each for _, each in countdown.failed if each is not record))

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        """Writes records; `on_end` is called once, from another thread, with the worst error or None.

        See `is_too_large`: an error of that kind says that all others are acknowledged.
        """
        self._send(records, _Countdown(len(records), on_end))

    def _send(self, records: Sequence[Outgoing], countdown: "_Countdown") -> None:
        if not records:
            countdown.end()
        for record in records:
            self._produce(record, countdown)

    def _produce(self, record: Outgoing, countdown: "_Countdown") -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    PARTITION_OF_KEY if record.partition is None else record.partition,
                    headers=list(record.headers),
                    on_delivery=lambda error, _message: countdown.one_ended(error, record),
                )
                return
            except BufferError:  # the local queue is full: the broker is slower than we are
                self._stopping.wait(0.05)
            except KafkaException as error:
                countdown.one_ended(error.args[0], record)
                return

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._serve(lambda: self._producer.poll(0.1))

    def _serve(self, call: Callable[[], object]) -> None:
        """Lets the client tell what became of records. Its fatal errors are raised there, not told to its error_cb."""
        try:
            call()
        except KafkaException as error:
            if not error.args[0].fatal():
                raise
            log.error("the producer is broken; another takes its place", error=str(error))
            self._renew()
            self._stopping.wait(RENEWED_WAIT_S)

    def _renew(self) -> None:
        broken, self._producer = self._producer, Producer(self._config)
        broken.purge()
        broken.flush(CLOSE_S)  # tells those who wait that their records failed

    def close(self) -> None:
        """Waits for what is under way, and ends."""
        self._serve(lambda: self._producer.flush(CLOSE_S))
        self._stopping.set()
        self._poller.join()
        del self._producer  # or it would go on looking for brokers that are gone


def is_nowhere(error: KafkaError, record: Outgoing) -> bool:
    """Whether a record is for a partition that there is not: whoever asked for it there does not read it either."""
    return record.partition is not None and error.code() == KafkaError._UNKNOWN_PARTITION


def is_too_large(error: KafkaError) -> bool:
    """Whether a record is refused for its size; another try would change nothing."""
    return bool(error.code() == KafkaError.MSG_SIZE_TOO_LARGE)


class _Countdown:
    def __init__(self, count: int, on_end: Callable[[KafkaError | None], None]) -> None:
        self.failed: list[tuple[KafkaError, Outgoing]] = []
        self._left = count
        self._on_end = on_end
        self._lock = threading.Lock()

    @property
    def worst(self) -> tuple[KafkaError, Outgoing]:
        """The first failure of those that another try might mend, else the first."""
        return min(self.failed, key=lambda failure: is_too_large(failure[0]))

    def one_ended(self, error: KafkaError | None, record: Outgoing) -> None:
        if error is not None and is_nowhere(error, record):
            log.warning("no such partition", topic=record.topic, partition=record.partition)
            error = None
        with self._lock:
            if error is not None:
                self.failed.append((error, record))
            self._left -= 1
            ended = not self._left
        if ended:
            self.end()

    def end(self) -> None:
        self._on_end(self.worst[0] if self.failed else None)


def make_topics(settings: Settings) -> None:
    """Makes the topics that are not there. Raises Unavailable while the brokers do not answer."""
    admin = AdminClient(client_config(settings))
    try:
        there = admin.list_topics(timeout=10).topics
        missing = [topic for topic in topics.every(settings.retry_delays) if topic.name not in there]
        futures = admin.create_topics([_new_topic(topic, settings) for topic in missing]) if missing else {}
        for future in futures.values():
            _unless_there(future)
        _wait_until_seen(admin, [topic.name for topic in missing])
    except KafkaException as error:
        raise unreachable(settings, error) from error


def _wait_until_seen(admin: AdminClient, names: Sequence[str]) -> None:
    """The controller answers before the brokers know. Raises Unavailable when they do not hear of it."""
    give_up_at = time.monotonic() + CREATED_WITHIN_S
    while left := set(names) - admin.list_topics(timeout=10).topics.keys():
        if time.monotonic() > give_up_at:
            raise Unavailable(f"the brokers have not made {sorted(left)[0]}")
        time.sleep(0.1)


def _unless_there(created: Future[None]) -> None:
    try:
        created.result(timeout=CREATED_WITHIN_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _new_topic(topic: topics.Topic, settings: Settings) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=settings.kafka_partitions,
        replication_factor=settings.kafka_replication,
        config=topic.config(settings.kafka_replication),
    )


def open_consumer(settings: Settings, group: str, **more: Any) -> Consumer:
    """A consumer of `group` that has not subscribed yet."""
    return Consumer(consumer_config(settings, group) | more)


def open_member(settings: Settings, group: str, **more: Any) -> Consumer:
    """A cooperative consumer of `group` that has not subscribed yet; its callbacks are to assign incrementally."""
    return Consumer(member_config(settings, group) | more)
