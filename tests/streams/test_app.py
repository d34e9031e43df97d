"""The Faust app's consumer and its liveness; what the app does with events is tried on real brokers, end to end."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from infra.servers import raw_kafka
from infra.servers.raw_kafka import RawRecord
from schemas import topics
from streams.consumer import reading
from streams.consumer.clients import producer_config
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery
from streams.flow.app import _agent, _Consumer, _ConsumerThread, _without_tombstones
from streams.runtime.errors import Unavailable
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

WITHIN_S = 180.0  # a machine may be busy
STALLED_AFTER_S = 4.0
SESSION_MS = 20_000  # for so long a broker waits for a member that was killed, and the next one for the broker

MEMBER = """
    import sys, threading, time
    from dataclasses import replace
    from faust.types import TP
    from schemas import topics
    from streams.flow import app as module
    from streams.consumer import groups
    from streams.consumer.isolation import Isolation, MemoryTrials
    from streams.runtime.settings import Settings

    HANGS_AT = 250
    name, skipped, is_waiting = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "waiting"
    groups.STREAMS, module.CONSUMED = name, [replace(topics.PUBLISHED, name=name)]

    class Processing:
        def __init__(self):
            self.is_waiting, self.stopping = is_waiting, threading.Event()

        def tend(self):
            pass
        bury = None

        def run(self, batch):
            offsets = [delivery.offset for delivery in batch]
            hangs = sys.argv[3] == "hangs" and offsets[-1] >= HANGS_AT
            print("hangs" if hangs else "batch", f"{batch[0].partition}:", *offsets, flush=True)
            if is_waiting or hangs:
                time.sleep(1000)

    asked = module._Consumer._get_active_partitions

    def all_but_one(consumer):
        active = asked(consumer)
        active.discard(TP(name, skipped))
        return active

    module._Consumer._get_active_partitions = all_but_one
    processing, settings = Processing(), Settings()
    isolation = Isolation("streams", MemoryTrials())
    module.run_app(module.build_app(settings, processing, isolation), settings, processing, isolation)
"""


@dataclass(frozen=True)
class Member:
    """A process that consumes a topic of its own, but for the partition that it skips as Faust has been seen to."""

    topic: str
    settings: Settings
    process: subprocess.Popen[str]

    def commits(self, *offsets: int) -> None:
        """Waits until that is committed of the partitions."""
        give_up_at = time.monotonic() + WITHIN_S
        while (now := self._committed()) != list(offsets):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < give_up_at, now
            time.sleep(0.1)

    def _committed(self) -> list[int]:
        try:
            return [offset for _, offset in sorted(reading.committed(self.settings, self.topic, [self.topic]).items())]
        except Unavailable:  # a young broker has no coordinator yet
            return []


def write(settings: Settings, topic: str, transactions: int = 1, records: int = 1) -> None:
    """In each of two partitions, for each transaction, so many records and its marker."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})  # answers only for as long as it is held
    admin.create_topics([NewTopic(topic, 2)])[topic].result(30)
    producer = Producer(producer_config(settings) | {"transactional.id": topic})
    producer.init_transactions(30)
    for _ in range(transactions):
        producer.begin_transaction()
        for partition in (0, 1) * records:
            producer.produce(topic, b"value", b"key", partition=partition)
        producer.commit_transaction(30)


@contextmanager
def member(folder: Path, bootstrap: str, skips: int = -1, state: str = "working", topic: str = "") -> Iterator[Member]:
    folder.mkdir()
    settings = Settings(kafka_bootstrap_servers=bootstrap)
    if not topic:
        topic = f"watched-{uuid4().hex[:8]}"
        write(settings, topic)
    environment = os.environ | {
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "PACKSHOT_STALLED_AFTER_S": str(STALLED_AFTER_S),
        "PACKSHOT_KAFKA_SESSION_TIMEOUT_MS": str(SESSION_MS),
        "PACKSHOT_DATA_FOLDER": str(folder),
    }
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MEMBER), topic, str(skips), state],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Member(topic, settings, process)
        finally:
            process.kill()


def test_announcements_that_are_not_committed_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: AIOKafkaConsumer())

    async def isolation_levels() -> tuple[str, str]:
        faust_own, ours = (
            AIOKafkaConsumer(),
            _ConsumerThread._create_worker_consumer(object.__new__(_ConsumerThread), None),
        )
        levels = faust_own._isolation_level, ours._isolation_level
        for consumer in (faust_own, ours):
            await consumer.stop()
        return levels

    assert asyncio.run(isolation_levels()) == ("read_uncommitted", "read_committed")


@pytest.mark.long
def test_a_member_whose_partition_is_not_read_ends_and_others_stay(tmp_path: Path, kafka_bootstrap: str) -> None:
    with (
        member(tmp_path / "skips", kafka_bootstrap, skips=1) as stuck,
        member(tmp_path / "reads", kafka_bootstrap) as healthy,
        member(tmp_path / "waits", kafka_bootstrap, state="waiting") as waiting,
    ):
        healthy.commits(1, 1)  # and the markers behind that are nobody's to read
        output, _ = stuck.process.communicate(timeout=WITHIN_S)
        assert stuck.process.returncode == Exit.STUCK, output
        assert f"('{stuck.topic}', 1) stood at 0" in output
        time.sleep(2 * STALLED_AFTER_S)
        assert (healthy.process.poll(), waiting.process.poll()) == (None, None)
        healthy.process.send_signal(signal.SIGTERM)
        output, _ = healthy.process.communicate(timeout=WITHIN_S)
        assert healthy.process.returncode == 0, output


def test_what_may_be_committed_is_what_lies_before_the_end_of_the_last_batch() -> None:
    consumer = object.__new__(_Consumer)
    consumer._acked, consumer._acked_index = defaultdict(list), defaultdict(set)
    committed = []
    for ended in ([0], [], [44], [60, 99]):  # batches of 1, 44, 16 and 39 records
        consumer._acked["place"].extend(ended)
        committed.append(consumer._new_offset("place"))
    assert committed == [1, None, 45, 100]
    assert not consumer._acked["place"]


@pytest.mark.long
def test_what_is_committed_is_whole_batches_and_what_comes_after_them_comes_again(
    tmp_path: Path, kafka_bootstrap: str
) -> None:
    topic, settings = f"batches-{uuid4().hex[:8]}", Settings(kafka_bootstrap_servers=kafka_bootstrap)
    write(settings, topic, transactions=2, records=150)
    records = [*range(150), *range(151, 301)]  # a marker behind each transaction
    with member(tmp_path / "hangs", kafka_bootstrap, skips=1, state="hangs", topic=topic) as hanging:
        done = _worked_on(hanging, len(records))
        assert 100 <= len(done) < len(records)
        assert done == records[: len(done)]
        hanging.commits(done[-1] + 1, 0)
    with member(tmp_path / "again", kafka_bootstrap, skips=1, topic=topic) as again:
        assert _worked_on(again, len(records) - len(done)) == records[len(done) :]
        again.commits(301, 0)


def test_records_that_faust_could_not_read_are_read_between_the_others(tmp_path: Path, kafka_bootstrap: str) -> None:
    topic, settings = f"odd-{uuid4().hex[:8]}", Settings(kafka_bootstrap_servers=kafka_bootstrap)
    write(settings, topic)
    good, odd = RawRecord(b"good"), RawRecord(b"odd", headers=[(b"\xff\xfe", b"value")])
    for batch in ([good, odd, good], [odd], [good, good], [odd, odd]):
        assert raw_kafka.write(kafka_bootstrap, topic, batch) == 0
    records = _offsets(settings, topic)
    with member(tmp_path / "reads", kafka_bootstrap, topic=topic) as first:
        assert _worked_on(first, len(records), partition=0) == records
        first.commits(records[-1] + 1, 1)
    assert raw_kafka.write(kafka_bootstrap, topic, [odd, good]) == 0
    with member(tmp_path / "again", kafka_bootstrap, topic=topic) as again:
        assert _worked_on(again, 2, partition=0) == _offsets(settings, topic)[-2:]


def test_every_compression_is_read(tmp_path: Path, kafka_bootstrap: str) -> None:
    topic, settings = f"codec-{uuid4().hex[:8]}", Settings(kafka_bootstrap_servers=kafka_bootstrap)
    write(settings, topic)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer(producer_config(settings) | {"compression.type": codec})
        for _ in range(20):
            producer.produce(topic, b"value" * 100, b"key", partition=0)
        assert producer.flush(30) == 0
    with member(tmp_path / "reads", kafka_bootstrap, topic=topic) as first:
        assert _worked_on(first, 101, partition=0) == _offsets(settings, topic)


def test_tombstones_of_the_catalogue_are_ignored_and_no_others() -> None:
    catalog, campaigns = topics.CATALOG.name, topics.CAMPAIGNS.name
    batch = [
        Delivery(catalog, 0, 0, b"k", b"x"),
        Delivery(catalog, 0, 1, b"k", b""),
        Delivery(campaigns, 0, 0, b"", b""),
    ]
    assert _without_tombstones(batch) == [batch[0], batch[2]]


def test_a_batch_that_breaks_before_it_is_worked_on_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would acknowledge it and go on."""

    class Left(BaseException):
        """In place of the process's end."""

    def leave(status: int) -> None:
        raise Left(status)

    class Stream:
        async def events(self) -> AsyncIterator[Any]:
            yield SimpleNamespace(message=SimpleNamespace(value=[None]))

    monkeypatch.setattr(os, "_exit", leave)
    work: Any = None
    with ThreadPoolExecutor(1) as executor:
        agent: Any = _agent(work, Isolation("streams", MemoryTrials()), executor)
        with pytest.raises(Left, match=str(int(Exit.BROKE))):
            asyncio.run(agent(Stream()))


def _offsets(settings: Settings, topic: str) -> list[int]:
    """Those of the records of the first partition; a transaction's marker is written some time after its end."""
    return [each.offset for each in reading.read(settings, [topic]) if each.partition == 0]


def _worked_on(member: Member, count: int, partition: int | None = None) -> list[int]:
    """The offsets that a member has worked on: `count`, or less when it hangs."""
    assert member.process.stdout is not None
    wanted = "[0-9]+" if partition is None else partition
    done: list[int] = []
    for line in member.process.stdout:
        found = re.search(rf"(batch|hangs) {wanted}:((?: \d+)+)", line)  # Faust may have moved the cursor before it
        if found and found[1] == "batch":
            offsets = [int(offset) for offset in found[2].split()]
            assert len(offsets) <= 100
            done += offsets
        if (found and found[1] == "hangs") or len(done) >= count:
            return done
    raise AssertionError(f"it ended after {done}")
