"""What Kafka lets others write: odd names, keys, times and sizes, nulls, codecs, transactions. All roles outlive it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from infra.servers import raw_kafka
from infra.servers.raw_kafka import RawRecord
from schemas import topics
from schemas.records import RetractRequested, Source, Step, Task
from streams.consumer.clients import make_topics, producer_config
from streams.consumer.letters import ERROR_CODE, Delivery, Outgoing, RetryPolicy, outgoing
from streams.consumer.reading import has_record, read
from streams.embedded import choose_broker
from streams.facts import Database
from streams.runtime import supervisor
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.runtime.supervisor import Supervisor, environment
from streams.services.audit.audit import audit
from streams.services.audit.standing import progress
from streams.services.recovery.dead import Wanted, find
from streams.services.recovery.rebuilding import rebuild
from tests.streams.flow import upsert

WITHIN_S = 600.0
RETRY_MS = 1000
CACHE = Path(__file__).parents[2] / ".cache"
NOW_MS = 1_700_000_000_000
CORRUPT, TIME_OUT_OF_RANGE = 2, 32  # codes of the broker


@dataclass(frozen=True)
class Oddity:
    """A good record made odd, and whether it dies of that where keys count, and where headers are all there is."""

    name: str
    made: Callable[[RawRecord], RawRecord]
    dies: bool = False
    dies_as_letter: bool = False


def with_headers(*headers: tuple[bytes, bytes | None]) -> Callable[[RawRecord], RawRecord]:
    return lambda good: replace(good, headers=[*good.headers, *headers])


ODDITIES = (
    Oddity("a header's name is no UTF-8", with_headers((b"\xff\xfe", b"v")), dies_as_letter=True),
    Oddity("a header's value is no UTF-8", with_headers((b"ce_id", b"\xff\xfe"))),
    Oddity("a header is null", with_headers((b"ce_id", None), (b"traceparent", None))),
    Oddity("a header has no name, one a NUL in it", with_headers((b"", b"v"), (b"a\0b", b"v"))),
    Oddity("500 headers", with_headers(*((b"h%d" % number, b"v" * 100) for number in range(500)))),
    Oddity("the same header many times", with_headers(*[(b"packshot-deadline-ms", b"soon")] * 20)),
    Oddity("a trace that is none", with_headers((b"traceparent", b"\xff" * 1000), (b"tracestate", b"=,=" * 1000))),
    Oddity("no time", lambda good: replace(good, timestamp_ms=-1)),
    Oddity("a time before time", lambda good: replace(good, timestamp_ms=-5)),
    Oddity("the first millisecond", lambda good: replace(good, timestamp_ms=0)),
    Oddity("a time in another era", lambda good: replace(good, timestamp_ms=2**62)),
    Oddity("no key", lambda good: replace(good, key=None), dies=True),
    Oddity("an empty key", lambda good: replace(good, key=b""), dies=True),
    Oddity("a key that is no UTF-8", lambda good: replace(good, key=b"\xff\xfe|\x80"), dies=True),
    Oddity("a key of 400 kB", lambda good: replace(good, key=b"k" * 400_000), dies=True),
    Oddity("no value", lambda good: replace(good, value=None), dies=True),
    Oddity("an empty value", lambda good: replace(good, value=b""), dies=True),
)


def catalogue_event(number: int) -> Outgoing:
    return outgoing(upsert(1, sku=f"S{number}"), "test")


def task(number: int) -> Outgoing:
    """Of a product that nobody knows: it is answered, and nothing is fetched."""
    about = {"task_id": f"{number:064x}", "tenant": "other", "sku": f"S{number}", "version": 1, "lane": "standard"}
    made = Task(**about, step=Step(operation="cutout"), source=Source(uri="https://x/a.jpg"))  # type: ignore[arg-type]
    return outgoing(made, "test")


def request(number: int) -> Outgoing:
    """Of a product that the publisher need not know: streams may read of it later than the publisher does."""
    return outgoing(RetractRequested(tenant="demo", sku=f"S{number}", version=1, assets=["a-1"], reason="test"), "test")


def letter(number: int) -> Outgoing:
    first = Delivery(topics.REVIEWS.name, 0, number, b"demo|A", b"value %d" % number)
    return RetryPolicy([RETRY_MS]).letter(first, Refused("away", "not now", transient=True), 1)


SOURCES = {
    topics.CATALOG.name: catalogue_event,
    topics.TASKS["cutout", "standard"].name: task,
    topics.PUBLISH.name: request,
    topics.retry(RETRY_MS).name: letter,
}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings for a broker of its own, on which every topic has one partition."""
    broker = choose_broker(tmp_path, CACHE, "kafka")
    broker.start()
    try:
        fields = {"kafka_bootstrap_servers": broker.bootstrap_servers, "kafka_partitions": 1, "data_folder": tmp_path}
        made = Settings(**{**fields, "cache_folder": CACHE, "retry_delays_ms": [str(RETRY_MS)]})
        make_topics(made)
        Database(made.database).create_tables()
        yield made
    finally:
        broker.stop()


@contextmanager
def roles(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """One process of every role that reads."""
    readers = [("streams",), ("worker", "--pool", "cutout"), ("publisher",), ("retrier",)]
    monkeypatch.setattr(supervisor, "ROLES", readers)
    fields = environment(settings, settings.bootstrap_servers) | {
        "PACKSHOT_KAFKA_PARTITIONS": "1",
        "PACKSHOT_RETRY_DELAYS_MS": str(RETRY_MS),
    }
    running = Supervisor(fields, settings.data_folder / "logs", lambda _line: None)
    stop = threading.Event()
    watching = threading.Thread(target=running.watch, args=[stop])
    watching.start()
    try:
        yield running
    finally:
        stop.set()
        watching.join()
        running.stop()


def write_all(settings: Settings, topic: str, good: Callable[[int], Outgoing]) -> set[str]:
    """Every oddity between good records, one by one; returns the positions of those that are to die."""
    doomed: set[str] = set()
    offset = 0
    for number, oddity in enumerate(ODDITIES):
        assert raw_kafka.write(settings.bootstrap_servers, topic, [_raw(good(2 * number))]) == 0
        offset += 1
        odd = oddity.made(_raw(good(2 * number + 1)))
        error = raw_kafka.write(settings.bootstrap_servers, topic, [odd])
        if error:
            assert (error, odd.timestamp_ms) == (TIME_OUT_OF_RANGE, 2**62)
            continue
        if _dies(topic, oddity):
            doomed.add(f"{topic}/0/{offset}")
        offset += 1
    assert raw_kafka.write(settings.bootstrap_servers, topic, [_raw(good(900))], crc=1) == CORRUPT
    assert raw_kafka.write(settings.bootstrap_servers, topic, [_raw(good(900))], magic=7) == CORRUPT
    _write_compressed(settings, topic, good)
    _write_transactions(settings, topic, good)
    return doomed


def _dies(topic: str, oddity: Oddity) -> bool:
    if topic.startswith(topics.RETRY_PREFIX):
        return oddity.dies_as_letter  # it goes back as it is, and is judged there
    return oddity.dies and not (topic == topics.CATALOG.name and oddity.name.endswith("value"))


def _raw(record: Outgoing) -> RawRecord:
    return RawRecord(record.value, record.key, [(name.encode(), value) for name, value in record.headers], NOW_MS)


def _write_compressed(settings: Settings, topic: str, good: Callable[[int], Outgoing]) -> None:
    for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd"), start=1000):
        producer = Producer(producer_config(settings) | {"compression.type": codec})
        for each in (good(number), good(number + 100)):
            producer.produce(topic, each.value, each.key, headers=list(each.headers))
        assert producer.flush(60) == 0


def _write_transactions(settings: Settings, topic: str, good: Callable[[int], Outgoing]) -> None:
    """Committed, aborted, and a marker behind nothing at the end."""
    producer = Producer(producer_config(settings) | {"transactional.id": f"odd-{topic}"})
    producer.init_transactions(60)
    aborted = Outgoing(topic, b"aborted", b"aborted", [])
    for record, end in ((good(2000), "commit"), (aborted, "abort"), (good(2001), "commit"), (aborted, "abort")):
        producer.begin_transaction()
        producer.produce(topic, record.value, record.key, headers=list(record.headers))
        producer.flush(60)
        (producer.commit_transaction if end == "commit" else producer.abort_transaction)(60)


@pytest.mark.long
def test_every_role_works_on_all_that_is_good_and_outlives_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed: set[str] = set()
    for topic, good in SOURCES.items():
        doomed |= write_all(settings, topic, good)
    with roles(settings, monkeypatch) as running:
        give_up_at = time.monotonic() + WITHIN_S
        while left := [topic for topic in SOURCES if _is_left(settings, topic)]:
            assert time.monotonic() < give_up_at, left
            assert [each.name for each in running.roles if each.restarts] == []
            time.sleep(2.0)
        assert [each.name for each in running.roles if each.restarts or each.process.poll() is not None] == []
        fields = {each.origin_position: each.header(ERROR_CODE) for each in find(settings, Wanted())}
        surplus = {where: code for where, code in fields.items() if where not in doomed | _of_the_catalogue(settings)}
        assert (surplus, doomed - fields.keys()) == ({}, set())
        assert audit(settings).figures["lost"] == 0
    given_back = {record.value for record in read(settings, [topics.REVIEWS.name])}
    assert {letter(number).value for number in (*range(0, 2 * len(ODDITIES), 2), 1000, 1104, 2000, 2001)} <= given_back
    rebuild(settings)


def _of_the_catalogue(settings: Settings) -> set[str]:
    """The tasks that the streams role wrote for the good events; their pictures are nowhere."""
    written = read(settings, [topics.TASKS["cutout", "standard"].name])
    return {each.position for each in written if (each.key or b"").startswith(b"demo|")}


def _is_left(settings: Settings, topic: str) -> bool:
    try:
        return has_record(settings, (topic, 0), progress(settings)[topic, 0])
    except Unavailable:  # a young group has no coordinator yet
        return True
