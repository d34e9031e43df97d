"""The consumer loop on Apache Kafka: members that come and go, by either group protocol."""

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.records import LANES, Lane
from streams.consumer import reading
from streams.consumer.clients import AcknowledgedProducer, consumer_config, member_config, open_member, producer_config
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OpenConsumer
from streams.consumer.reading import Place
from streams.consumer.work import Executor, Wait
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

PARTITIONS = 4
WITHIN_S = 120.0
STALLED_AFTER_S = 600.0


class Handler:
    """Notes what it is given, and writes it on."""

    def __init__(self, results: str) -> None:
        self.handled: Counter[bytes] = Counter()
        self._results = results

    def handle(self, delivery: Delivery, _wait: Wait) -> Sequence[Outgoing]:
        self.handled[delivery.value] += 1
        time.sleep(0.005)
        return [Outgoing(self._results, delivery.key, delivery.value, [])]

    def give_up(self, _delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        return []


class Pool:
    """Topics of their own for each lane, and workers on them."""

    def __init__(self, bootstrap: str, protocol: str) -> None:
        self.name = f"pool-{uuid4().hex[:8]}"
        self.settings = Settings(
            kafka_bootstrap_servers=bootstrap, kafka_group_protocol=protocol, kafka_session_timeout_ms=6000
        )
        self.handler = Handler(self.topic("results"))
        admin = AdminClient({"bootstrap.servers": bootstrap})
        names = [self.topic(lane) for lane in (*LANES, "results")]
        for made in admin.create_topics([NewTopic(name, num_partitions=PARTITIONS) for name in names]).values():
            made.result(30)

    def topic(self, lane: str) -> str:
        return f"{self.name}-{lane}"

    def write(self, lane: Lane, count: int, first: int = 0) -> set[bytes]:
        producer = Producer(producer_config(self.settings))
        values = {f"{lane} {number}".encode() for number in range(first, first + count)}
        for value in sorted(values):
            producer.produce(self.topic(lane), value, value)
        assert producer.flush(30) == 0
        return values

    def loop(self, instance: str | None = None) -> ConsumerLoop:
        settings = replace(self.settings, kafka_group_instance_id=instance)
        writer = AcknowledgedProducer(settings)
        executor = Executor("test", self.handler, writer, RetryPolicy(()), Isolation("test", MemoryTrials()), threads=2)
        lanes = {lane: (self._open(settings, lane), self.topic(lane)) for lane in LANES}
        return ConsumerLoop("test", lanes, executor, partial(reading.has_record, settings), STALLED_AFTER_S)

    def write_in_transactions(self, lane: Lane, *ends: str) -> set[bytes]:
        """One record in each partition for each transaction, which is committed or aborted; what is committed."""
        producer = Producer(producer_config(self.settings) | {"transactional.id": self.topic(lane)})
        producer.init_transactions(30)
        for number, end in enumerate(ends):
            producer.begin_transaction()
            for partition in range(PARTITIONS):
                producer.produce(self.topic(lane), b"%s %d" % (end.encode(), number), b"key", partition=partition)
            producer.flush(30)
            (producer.commit_transaction if end == "commit" else producer.abort_transaction)(30)
        return {b"commit %d" % number for number, end in enumerate(ends) if end == "commit"}

    @contextmanager
    def worker(self, instance: str | None = None) -> Iterator[ConsumerLoop]:
        """A worker that runs; it ends in order."""
        loop, stop = self.loop(instance), threading.Event()
        thread = threading.Thread(target=loop.run, args=[stop])
        thread.start()
        try:
            yield loop
        finally:
            stop.set()
            thread.join()

    def uncommitted(self, lane: Lane) -> int:
        """How many records stand behind the group's committed offsets."""
        consumer = Consumer(consumer_config(self.settings, self._group(lane)))
        places = [TopicPartition(self.topic(lane), partition) for partition in range(PARTITIONS)]
        ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
        committed = [max(place.offset, 0) for place in consumer.committed(places, timeout=10)]
        consumer.close()
        return int(sum(ends) - sum(committed))

    def _group(self, lane: Lane) -> str:
        return f"{self.name}.{lane}"

    def _open(self, settings: Settings, lane: Lane) -> OpenConsumer:
        return lambda on_commit: open_member(settings, self._group(lane), on_commit=on_commit)


@pytest.fixture(params=["classic", "consumer"])
def pool(kafka_bootstrap: str, request: pytest.FixtureRequest) -> Pool:
    return Pool(kafka_bootstrap, request.param)


@pytest.mark.long
def test_members_that_come_and_go_lose_nothing_and_double_nothing(pool: Pool) -> None:
    written = pool.write("urgent", 50)
    with ExitStack() as second:
        with pool.worker() as first:
            other = second.enter_context(pool.worker())
            for batch in itertools.count():
                written |= pool.write("bulk", 100, 100 * batch)
                if min(loop.readers["bulk"].ledger.ended["done"] for loop in (first, other)) > 100:
                    break
                time.sleep(0.2)
        written |= pool.write("standard", 50)
        _until(lambda: set(pool.handler.handled) == written)
    assert max(pool.handler.handled.values()) == 1
    assert [pool.uncommitted(lane) for lane in LANES] == [0, 0, 0]


def test_a_static_member_comes_back_to_its_partitions(kafka_bootstrap: str) -> None:
    pool = Pool(kafka_bootstrap, "classic")
    pool.write("bulk", 40)
    with pool.worker("one") as one:
        with pool.worker("two") as two:
            # Whoever came first may have had all of them for a moment: only when both have half is it settled.
            _until(lambda: [len(each.readers["bulk"].partitions) for each in (one, two)] == [PARTITIONS // 2] * 2)
            had = two.readers["bulk"].partitions
        with pool.worker("two") as again:
            _until(lambda: again.readers["bulk"].partitions == had)
            assert again.readers["bulk"].ledger.ended["dropped"] == 0


@pytest.mark.parametrize(
    "ends",
    [
        ["commit", "abort"],
        *(pytest.param(ends, marks=pytest.mark.long) for ends in (["commit"], ["abort"], ["commit", "abort"] * 2)),
    ],
)
def test_an_idle_worker_stays_though_markers_and_aborted_records_stand_behind_all_that_it_has_read(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch, ends: list[str]
) -> None:
    """Nobody will ever read those, and no commit passes them: they are no work to do."""
    monkeypatch.setattr(sys.modules[__name__], "STALLED_AFTER_S", 4.0)
    pool = Pool(kafka_bootstrap, "classic")
    written = pool.write_in_transactions("bulk", *ends)
    scouted: list[Place] = []
    monkeypatch.setattr(reading, "has_record", _noting(scouted, reading.has_record))
    with pool.worker():
        _until(lambda: set(pool.handler.handled) == written and len(scouted) >= PARTITIONS)
        pool.write("bulk", 1)
        _until(lambda: b"bulk 0" in pool.handler.handled)  # it is still there


def _noting(scouted: list[Place], real: Callable[..., bool]) -> Callable[..., bool]:
    def has_record(settings: Settings, place: Place, offset: int) -> bool:
        found = real(settings, place, offset)
        assert not found, f"{place} has a record at or behind {offset}"
        scouted.append(place)
        return found

    return has_record


def test_the_protocols_settings_are_those_that_the_client_takes(kafka_bootstrap: str) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka_bootstrap, kafka_group_protocol="consumer")
    assert "session.timeout.ms" not in member_config(settings, "group")
    assert (
        member_config(Settings(kafka_bootstrap_servers=kafka_bootstrap, kafka_group_instance_id="one"), "group")[
            "group.instance.id"
        ]
        == "one"
    )


def _until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@pytest.mark.long
def test_a_worker_that_gets_no_partition_has_joined_as_well(pool: Pool) -> None:
    """Or a pod beyond the partitions would never be ready, and a rollout would stand."""
    with ExitStack() as workers:
        loops = [workers.enter_context(pool.worker()) for _ in range(PARTITIONS + 1)]
        give_up_at = time.monotonic() + 120
        while not all(loop.has_joined for loop in loops):
            assert time.monotonic() < give_up_at, [loop.has_joined for loop in loops]
            time.sleep(0.1)
        shares = [len(loop.readers["bulk"].partitions) for loop in loops]
        assert sum(shares) <= PARTITIONS
