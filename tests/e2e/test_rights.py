"""The whole system on three brokers with TLS, SCRAM and ACLs: each role with its own user, and with no more rights than
the table gives it."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.kafka.acls import bindings, load
from infra.servers import KafkaCluster, ServerUnavailable
from schemas import codec, topics
from schemas.records import AssetPublished, CatalogChanged, Source
from streams.consumer import drift
from streams.consumer.clients import AcknowledgedProducer, NotAcknowledged
from streams.consumer.letters import Outgoing
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings, variable
from streams.services.audit.audit import audit
from streams.services.recovery import dead
from streams.services.recovery.dead import Wanted
from streams.services.submitting import submission
from tests.e2e.system import ROOT, draw_product
from tests.servers import skip_or_fail

pytestmark = pytest.mark.heavy
WITHIN_S = 400.0
NOBODY = "nobody"
ROLES = {
    "streams": ("streams",),
    "worker-cutout": ("worker", "cutout"),
    "worker-compose": ("worker", "compose"),
    "publisher": ("publisher",),
    "retrier": ("retrier",),
    "webhooks": ("webhooks",),
    "connectors": ("connectors",),
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = KafkaCluster(Path(folder), ROOT / ".cache", {role: f"{role}-secret" for role in (*load(), NOBODY)})
            made.start()
        except ServerUnavailable as missing:
            skip_or_fail(str(missing))
        admin = AdminClient(made.config())
        acls = [binding for role, rights in load().items() for binding in bindings(role, rights)]
        for future in admin.create_acls(acls).values():
            future.result(60)
        yield made
        made.stop()


def settings_of(cluster: KafkaCluster, user: str, folder: Path) -> Settings:
    return Settings(**cluster.fields(user), data_folder=folder, kafka_partitions=2)


def until(holds: Callable[[], Any]) -> Any:
    """What `holds` returns once that is true; ACLs are seen by brokers at their own time."""
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        try:
            if found := holds():
                return found
        except (Unavailable, NotAcknowledged):
            pass
        assert time.monotonic() < give_up_at
        time.sleep(0.5)


@pytest.fixture(scope="module")
def folder(cluster: KafkaCluster) -> Iterator[Path]:
    """The data folder of a system whose roles run, each as its own user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        operator = settings_of(cluster, "operator", folder)
        until(lambda: drift.mend(operator, drift.find(operator)) or True)
        processes = {role: start(cluster, role, folder) for role in ROLES}
        yield folder
        for process in processes.values():
            process.terminate()
        for role, process in processes.items():
            process.wait(100)
            print(f"--- {role}\n{(folder / role).read_text()[-3000:]}")


def start(cluster: KafkaCluster, role: str, folder: Path) -> subprocess.Popen[bytes]:
    fields = {**cluster.fields(role), "data_folder": folder, "cache_folder": ROOT / ".cache", "kafka_partitions": 2}
    fields |= {"source_file_roots": "/", "retry_delays_ms": "1000,5000,30000"}
    environment = {**os.environ, **{variable(name): str(value) for name, value in fields.items()}}
    command = [sys.executable, "-m", "loadtest.chaos.role", *ROLES[role]]
    with (folder / role).open("wb") as log:
        return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)


def test_the_roles_run_with_their_rights_and_a_listing_service_hears_of_it(cluster: KafkaCluster, folder: Path) -> None:
    draw_product(folder / "jar.png", (90, 110, 60))
    operator = settings_of(cluster, "operator", folder)
    producer = AcknowledgedProducer(operator)
    event = CatalogChanged(
        change="upsert", tenant="demo", sku="JAR", version=1, title="Jar", channels=["amazon"],
        sources=[Source(uri=(folder / "jar.png").as_uri())],
    )  # fmt: skip
    submission.send([event], producer)
    producer.send([Outgoing(topics.CATALOG.name, b"demo|junk", b"\x07 no record", [])])
    consumer = Consumer(cluster.config("listing") | {"group.id": "listing.a", "auto.offset.reset": "earliest"})
    consumer.subscribe([topics.PUBLISHED.name])
    heard: set[str] = set()
    give_up_at = time.monotonic() + WITHIN_S
    while heard != {"amazon-1", "web-1"} and time.monotonic() < give_up_at:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            announcement = codec.decode(bytes(message.value() or b""))
            heard |= {announcement.asset} if isinstance(announcement, AssetPublished) else set()
    consumer.close()
    assert heard == {"amazon-1", "web-1"}
    (letter,) = until(lambda: dead.find(operator, Wanted()))
    assert letter.product == ("demo", "junk")
    assert [each.state for each in dead.replay(operator, Wanted(), by="test").sent] == ["open"]
    until(lambda: len(dead.find(operator, Wanted())) == 2)  # it dies once more
    until(lambda: audit(operator).clean)
    producer.close()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("user", [*load(), NOBODY])
def test_what_the_table_does_not_give_is_refused(cluster: KafkaCluster, user: str, tmp_path: Path) -> None:
    rights = load().get(user)
    names = {topic.name for topic in topics.every((1000, 5000, 30000))}
    may_write = {name for name in names if rights and _fits(name, rights.writes)}
    may_read = {name for name in names if rights and _fits(name, rights.reads)}
    assert _refused_writes(settings_of(cluster, user, tmp_path), names - may_write) == names - may_write
    assert _refused_reads(cluster, user, names - may_read) == names - may_read


def test_a_producer_that_was_refused_for_good_works_once_it_may(cluster: KafkaCluster, folder: Path) -> None:
    producer = AcknowledgedProducer(settings_of(cluster, NOBODY, folder))
    record = Outgoing(topics.REVIEWS.name, b"k", b"v", [])
    with pytest.raises(NotAcknowledged):
        producer.send([record])
    table = load()["streams"]
    admin = AdminClient(cluster.config())  # kept: what it was asked for ends with it
    for future in admin.create_acls(bindings(NOBODY, table)).values():
        future.result(60)

    def is_taken() -> bool:
        producer.send([record])
        return True

    assert until(is_taken)
    producer.close()


def _fits(topic: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(topic.removeprefix(topics.PREFIX), pattern) for pattern in patterns)


def _refused_writes(settings: Settings, names: set[str]) -> set[str]:
    """Those of the topics that take nothing."""
    refused: set[str] = set()
    delivered = threading.Semaphore(0)

    def on_end(name: str, error: KafkaError | None) -> None:
        refused.update({name} if error is not None else set())
        delivered.release()

    producer = AcknowledgedProducer(settings)
    for name in names:
        producer.send_later([Outgoing(name, b"k", b"v", [])], partial(on_end, name))
    for _ in names:
        assert delivered.acquire(timeout=WITHIN_S)
    producer.close()
    return refused


def _refused_reads(cluster: KafkaCluster, user: str, names: set[str]) -> set[str]:
    """Those of the topics that give nothing."""
    consumer = Consumer(cluster.config(user) | {"group.id": f"{user}.test"})
    refused = {name for name in names if _is_hidden(consumer, name)}
    consumer.assign([TopicPartition(name, 0, 0) for name in names - refused])
    give_up_at = time.monotonic() + WITHIN_S
    while refused != names and time.monotonic() < give_up_at:
        for message in consumer.consume(100, 1.0):
            error = message.error()
            assert error is not None, f"{user} reads {message.topic()}"
            if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
                refused |= {str(message.topic())} & names
    consumer.close()
    return refused


def _is_hidden(consumer: Consumer, name: str) -> bool:
    """Whether a topic is not even shown: then its client never asks to read it."""
    error = consumer.list_topics(name, timeout=WITHIN_S).topics[name].error
    return error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
