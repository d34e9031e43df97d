"""One member of a flow's group: Faust as it runs in production, arroyo or Quix Streams, each round the same job.

Run as `python -m loadtest.benchmarks.contenders NAME JOB`, with the settings of Packshot in its environment, until
SIGTERM. How events are read, results written and offsets committed is each library's own way, as its documentation
recommends: at least once, with every result acknowledged before an offset moves.

The jobs: `plan` is what production does with an event, on facts of which nothing is known; `facts` the same on SQLite;
`bare` validates the event and writes as many records as tasks would follow, so that little but the library is left.
"""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from schemas import codec, topics
from schemas.codec import HASHED
from schemas.recipes.cookbook import Cookbook, shipped
from schemas.records import CampaignRequested, CatalogChanged, Task
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.facts import Asset, Database, Product, Unsent
from streams.flow.processing import Processing, Work
from streams.flow.relay import Place, Sender
from streams.runtime import observability
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

OUTPUT = topics.TASKS["cutout", "standard"].name
PRODUCER = {"enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5, "compression.type": "lz4"}


class NoProducts:
    """Products of which none is known; see streams.facts, here and below."""

    def get(self, _tenant: str, _sku: str, *, lock: bool) -> Product | None:
        assert lock
        return None

    def put(self, event: CatalogChanged) -> None: ...


class NoAssets:
    """A plan that is never kept."""

    def put_plan(self, tenant: str, sku: str, version: int, plan: object) -> None: ...

    def of(self, _tenant: str, _sku: str) -> list[Asset]:
        return []


class NoRest:
    """What the facts say of recipes, campaigns, reviews and tasks: as shipped, and nothing."""

    def cookbook(self) -> Cookbook:
        return shipped()

    def naming(self, _tenant: str, _sku: str) -> list[CampaignRequested]:
        return []

    def of(self, _tenant: str, _sku: str) -> dict[str, object]:
        return {}

    def supersede_older(self, tenant: str, sku: str, version: int) -> None: ...

    def put(self, task: Task) -> None: ...


class NoOutbox:
    """An outbox that keeps nothing."""

    def drop(self, _ids: object) -> None: ...

    def before(self, _places: object, _keys: object) -> list[Unsent]:
        return []

    def put(self, records: Sequence[tuple[Place, Outgoing]]) -> list[Unsent]:
        return [Unsent(0, each.topic, each.key, each.value, each.headers, place) for place, each in records]


class NoFacts:
    """Facts of which nothing is known and nothing is kept: what is left is the flow around them."""

    products, assets, outbox = NoProducts(), NoAssets(), NoOutbox()
    recipes = campaigns = reviews = retouches = tasks = NoRest()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """See streams.facts.Facts."""
        yield


class NoDatabase:
    """A Database of NoFacts."""

    @contextmanager
    def begin(self) -> Iterator[NoFacts]:
        """See streams.facts.Catalogue."""
        yield NoFacts()


class Bare:
    """Validates events and writes each back, as often as it has photographs."""

    is_waiting = False

    def __init__(self, sender: Sender) -> None:
        self.stopping = threading.Event()
        self._sender = sender

    def run(self, batch: Sequence[Delivery]) -> None:
        """See streams.flow.processing.Work."""
        self._sender.send([record for delivery in batch for record in self._follow(delivery)])

    def bury(self, _delivery: Delivery, why: Refused) -> None:
        """No event of the benchmark is poison."""
        raise why

    def tend(self) -> None:
        """There is nothing to tend."""

    def _follow(self, delivery: Delivery) -> list[Outgoing]:
        event = cast(CatalogChanged, codec.decode(delivery.value))
        return [Outgoing(OUTPUT, delivery.key, delivery.value, delivery.headers)] * len(event.sources)


class Answers:
    """What follows from an event, for libraries that write it themselves."""

    codec = HASHED

    def __init__(self, name: str) -> None:
        self._records: Sequence[Outgoing] = ()
        self._job = job(name, self)

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.flow.processing.Sender."""
        self._records = records

    def to(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The records that follow from a delivery."""
        self._job.run([delivery])
        return self._records


def job(name: str, sender: Sender) -> Work:
    """The job called `name`."""
    if name == "bare":
        return Bare(sender)
    database = cast(Database, NoDatabase())
    if name == "facts":
        database = Database(Settings().database)
        database.create_tables()
    return Processing(database, sender, RetryPolicy(()))


def run_streams(settings: Settings, name: str) -> None:
    """Packshot's own app."""
    from streams.consumer.clients import AcknowledgedProducer
    from streams.consumer.isolation import Isolation, MemoryTrials
    from streams.flow.app import build_app, run_app

    processing = job(name, AcknowledgedProducer(settings))
    isolation = Isolation("streams", MemoryTrials())
    run_app(build_app(settings, processing, isolation), settings, processing, isolation)


def run_arroyo(settings: Settings, name: str) -> None:
    """arroyo: unfold, produce, commit once a second."""
    from arroyo import Message, Topic
    from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
    from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration as consumer_configuration
    from arroyo.backends.kafka.configuration import build_kafka_producer_configuration as producer_configuration
    from arroyo.processing import StreamProcessor
    from arroyo.processing.strategies import CommitOffsets, ProcessingStrategy, ProcessingStrategyFactory, Produce
    from arroyo.processing.strategies.unfold import Unfold
    from arroyo.types import BrokerValue, Value

    answers = Answers(name)
    servers = settings.bootstrap_servers.split(",")
    producer = KafkaProducer(producer_configuration(PRODUCER, servers))

    def unfold(read: BrokerValue[KafkaPayload]) -> list[Value[KafkaPayload]]:
        payload = read.payload
        place = (read.partition.topic.name, read.partition.index, read.offset)
        timestamp_ms = round(read.timestamp.timestamp() * 1000)
        delivery = Delivery(*place, payload.key, payload.value, list(payload.headers), timestamp_ms)
        return [Value(KafkaPayload(each.key, each.value, each.headers), {}) for each in answers.to(delivery)]

    class WithPlace(ProcessingStrategy[KafkaPayload]):
        """Hands on where a payload was read; Unfold shows its generator the payload alone."""

        def __init__(self, next_step: Any) -> None:
            self._next_step = next_step

        def submit(self, message: Message[KafkaPayload]) -> None:
            self._next_step.submit(Message(Value(message.value, message.committable, message.timestamp)))

        def poll(self) -> None:
            self._next_step.poll()

        def close(self) -> None:
            self._next_step.close()

        def terminate(self) -> None:
            self._next_step.terminate()

        def join(self, timeout: float | None = None) -> None:
            self._next_step.join(timeout)

    class Factory(ProcessingStrategyFactory[KafkaPayload]):
        def create_with_partitions(self, commit: Any, _partitions: Any) -> ProcessingStrategy[KafkaPayload]:
            return WithPlace(Unfold(unfold, Produce(producer, Topic(OUTPUT), CommitOffsets(commit))))

    consumer = KafkaConsumer(consumer_configuration({}, group("arroyo"), bootstrap_servers=servers))
    processor = StreamProcessor(consumer, Topic(topics.CATALOG.name), Factory())
    signal.signal(signal.SIGTERM, lambda *_: processor.signal_shutdown())
    processor.run()


def run_quix(settings: Settings, name: str) -> None:
    """Quix Streams: expand, headers, to a topic; checkpoints as it makes them by default."""
    from quixstreams import Application
    from quixstreams.context import message_context
    from quixstreams.models import Serializer

    class ValueOf(Serializer):
        def __call__(self, value: Outgoing, ctx: Any) -> bytes:  # noqa: ARG002  (it is given by name)
            return value.value

    answers = Answers(name)

    def expand(value: bytes, key: bytes, timestamp_ms: int, headers: Any) -> Sequence[Outgoing]:
        at = message_context()
        return answers.to(Delivery(at.topic, at.partition, at.offset, key, value, headers or [], timestamp_ms))

    application = Application(
        settings.bootstrap_servers,
        consumer_group=group("quix"),
        auto_offset_reset="earliest",
        producer_extra_config=PRODUCER,
        loglevel="WARNING",
        auto_create_topics=False,
        state_dir=settings.data_folder / "quix",  # else it makes a folder where it is started
    )
    read = application.topic(topics.CATALOG.name, key_deserializer="bytes", value_deserializer="bytes")
    written = application.topic(OUTPUT, key_serializer="bytes", value_serializer=ValueOf())
    frame = application.dataframe(read).apply(expand, expand=True, metadata=True)
    frame = frame.set_headers(lambda value, _key, _timestamp_ms, _headers: value.headers)
    frame.to_topic(written, key=lambda value: value.key)
    application.run()


def group(name: str) -> str:
    """The consumer group of a contender that is not ours."""
    return f"bench.{name}"


if __name__ == "__main__":
    settings = Settings()
    observability.set_up(settings, "bench")
    {"streams": run_streams, "arroyo": run_arroyo, "quix": run_quix}[sys.argv[1]](settings, sys.argv[2])
