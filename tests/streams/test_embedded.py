"""The broker that Packshot starts for itself, killed and started again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded import BrokerUnavailable, EmbeddedBroker, choose_broker
from streams.embedded.apache_kafka import VERSION, ApacheKafka
from streams.embedded.process import BrokerProcess
from tests.servers import skip_or_fail

_REPOSITORY = Path(__file__).parents[2]
_CACHE = _REPOSITORY / ".cache"
_WAIT_S = 120.0
T = TypeVar("T")

only_kafka = pytest.mark.parametrize("folder_and_broker", ["kafka"], indirect=True)


@pytest.fixture(scope="module", params=["kafka", "memory"])
def folder_and_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, EmbeddedBroker]]:
    folder = tmp_path_factory.mktemp(request.param)
    try:
        made = choose_broker(folder, _CACHE, request.param)
    except BrokerUnavailable as missing:
        skip_or_fail(str(missing))
    yield folder, made
    made.stop()


@pytest.fixture
def broker(folder_and_broker: tuple[Path, EmbeddedBroker]) -> EmbeddedBroker:
    """A broker that runs: its start takes longer than most of the tests, so it is another one's where that left it."""
    _, made = folder_and_broker
    if made.pid is None:
        made.start()
    return made


@pytest.fixture
def topic() -> str:
    """One of the test's own."""
    return f"t-{uuid4().hex[:8]}"


def test_what_was_acknowledged_is_there_after_a_stop(broker: EmbeddedBroker, topic: str) -> None:
    _produce(broker, 100, topic)
    _commit(broker, 40, topic)
    broker.stop()
    assert broker.pid is None
    broker.start()
    assert _end_offset(broker, topic) == 100
    assert _committed(broker, topic) == 40


@pytest.mark.long
@only_kafka
def test_apache_kafka_keeps_what_it_acknowledged_when_it_is_killed(broker: EmbeddedBroker, topic: str) -> None:
    for total in (100, 200):
        _produce(broker, 100, topic)
        _commit(broker, total - 60, topic)
        _kill(broker)
        broker.start()
        assert _end_offset(broker, topic) == total
        assert _committed(broker, topic) == total - 60


@pytest.mark.parametrize("folder_and_broker", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_a_killed_broker_starts_again_on_its_data(broker: EmbeddedBroker) -> None:
    _kill(broker)
    assert broker.pid is None
    broker.start()
    assert _produce(broker, 10) == 10


@only_kafka
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has mapped")
def test_apache_kafka_starts_with_its_classes_ready_made(broker: EmbeddedBroker) -> None:
    mapped = Path(f"/proc/{broker.pid}/maps").read_text().splitlines()
    assert [line for line in mapped if str(_CACHE) in line and line.endswith(".jsa")]


@pytest.mark.long
@only_kafka
def test_apache_kafka_starts_without_them_where_java_cannot_use_them(broker: EmbeddedBroker, tmp_path: Path) -> None:
    jars = tmp_path / "cache" / "kafka" / VERSION / "libs"
    jars.parent.mkdir(parents=True)
    jars.symlink_to(_CACHE / "kafka" / VERSION / "libs")
    other = ApacheKafka(tmp_path / "other", tmp_path / "cache" / "kafka")
    made = other.archive()
    assert made.stat().st_size > 0
    made.write_bytes(b"")
    broker.stop()
    other.start()
    assert _produce(other, 10) == 10
    other.stop()


def test_the_port_stays_the_same_and_moves_when_it_is_taken(broker: EmbeddedBroker) -> None:
    first = broker.bootstrap_servers
    broker.stop()
    broker.start()
    assert broker.bootstrap_servers == first
    broker.stop()
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        occupant.listen()
        broker.start()
    assert broker.bootstrap_servers != first
    assert _produce(broker, 1) == 1


@only_kafka  # noida-db's port is its parent's own, and free only when that is gone
def test_a_broker_whose_parent_was_killed_is_stopped_first(
    broker: EmbeddedBroker, folder_and_broker: tuple[Path, EmbeddedBroker]
) -> None:
    pid = broker.pid
    assert pid is not None
    next_broker = choose_broker(
        folder_and_broker[0], _CACHE, "kafka"
    )  # as a new process would, it knows the old one by its file only
    next_broker.start()
    try:
        assert next_broker.pid != pid
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert next_broker.bootstrap_servers == broker.bootstrap_servers
        assert _produce(next_broker, 10) == 10
    finally:
        next_broker.stop()
        broker.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_the_broker_ends_with_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
        from pathlib import Path
        from streams.embedded import choose_broker
        broker = choose_broker(Path({str(tmp_path)!r}), Path({str(_CACHE)!r}), "memory")
        broker.start()
        print(broker.pid, flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        line = parent.stdout.readline()
        if not line:
            skip_or_fail("noida-db: could not be started")
        broker = psutil.Process(int(line))
        parent.kill()
        broker.wait(_WAIT_S)


def test_an_idle_consumer_of_noida_db_asks_twenty_times_a_second(tmp_path: Path) -> None:
    try:
        broker = choose_broker(tmp_path, _CACHE, "memory")
    except BrokerUnavailable as missing:
        skip_or_fail(str(missing))
    broker.start()
    _produce(broker, 1)
    found: list[int] = []
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "idle",
            "statistics.interval.ms": 1000,
            "stats_cb": lambda stats: found.append(_fetches(stats)),
        }
    )
    consumer.assign([TopicPartition("t", 0, 1)])
    while len(found) < 3:
        consumer.poll(0.5)
    consumer.close()
    broker.stop()
    assert 0 < found[2] - found[1] < 60


def _fetches(statistics: str) -> int:
    brokers = json.loads(statistics)["brokers"].values()
    return sum(int(each["req"].get("Fetch", 0)) for each in brokers)


def test_a_process_id_that_now_belongs_to_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "broker.pid").write_text(str(os.getpid()))
    BrokerProcess("any", tmp_path).stop_left_over()
    assert not (tmp_path / "broker.pid").exists()


def test_a_broker_that_ends_at_once_says_why(tmp_path: Path) -> None:
    process = BrokerProcess("any", tmp_path)
    [port] = process.ports(1)
    script = "echo starting; echo no disk today; echo '  at Disk.java'; echo; exit 3"
    with pytest.raises(BrokerUnavailable, match=r"^any ended at its start: no disk today; its log: \S+$"):
        process.start(["sh", "-c", script], f"127.0.0.1:{port}")
    assert process.pid is None


def test_without_java_it_is_noida_db_or_a_word_on_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(BrokerUnavailable, match=r"Java 17.*apt install"):
        choose_broker(tmp_path, tmp_path, "kafka")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BrokerUnavailable, match=r"Java.*noida-db.*pip install"):
        choose_broker(tmp_path, tmp_path, "auto")


def test_every_broker_says_what_it_promises(tmp_path: Path) -> None:
    for kind in ("kafka", "memory"):
        try:
            promises = choose_broker(tmp_path, _CACHE, kind).promises
        except BrokerUnavailable as missing:
            skip_or_fail(str(missing))
        assert "kill" in promises
        assert promises.endswith(".")


def test_nothing_can_be_asked_of_a_broker_before_its_start(tmp_path: Path) -> None:
    try:
        broker = choose_broker(tmp_path, _CACHE)
    except BrokerUnavailable as missing:
        skip_or_fail(str(missing))
    with pytest.raises(BrokerUnavailable, match="not been started"):
        _ = broker.bootstrap_servers
    broker.stop()


def _kill(broker: EmbeddedBroker) -> None:
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    broker.stop()


def _produce(broker: EmbeddedBroker, count: int, topic: str = "t") -> int:
    """Produce to a topic, created if need be; returns how many messages the broker acknowledged."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    if topic not in _patiently(lambda: admin.list_topics(timeout=_WAIT_S)).topics:
        new = NewTopic(topic, num_partitions=1, replication_factor=1)
        _patiently(lambda: admin.create_topics([new])[topic].result(_WAIT_S))
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True})
    acknowledged: list[bool] = []
    for number in range(count):
        producer.produce(topic, value=b"%d" % number, on_delivery=lambda error, _: acknowledged.append(not error))
    producer.flush(_WAIT_S)
    return sum(acknowledged)


def _consumer(broker: EmbeddedBroker) -> Consumer:
    return Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "enable.auto.commit": False})


def _patiently(ask: Callable[[], T]) -> T:
    """A broker that has just started answers before it leads its partitions and coordinates its groups."""
    give_up_at = time.monotonic() + _WAIT_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)


def _commit(broker: EmbeddedBroker, offset: int, topic: str) -> None:
    consumer = _consumer(broker)
    places = [TopicPartition(topic, 0, offset)]
    _patiently(lambda: consumer.commit(offsets=places, asynchronous=False))
    consumer.close()


def _committed(broker: EmbeddedBroker, topic: str) -> int:
    consumer = _consumer(broker)
    [partition] = _patiently(lambda: consumer.committed([TopicPartition(topic, 0)], timeout=_WAIT_S))
    consumer.close()
    offset: int = partition.offset
    return offset


def _end_offset(broker: EmbeddedBroker, topic: str) -> int:
    consumer = _consumer(broker)
    low_and_high = _patiently(lambda: consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_WAIT_S))
    consumer.close()
    assert low_and_high is not None
    end: int = low_and_high[1]
    return end
