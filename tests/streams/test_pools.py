"""How a pool's groups stand by offsets alone, on both brokers; and the role that goes by it, as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from confluent_kafka import TopicPartition

from schemas import topics
from schemas.operations.base import POOLS
from schemas.records import LANES
from schemas.topics import Topic
from streams.consumer import groups, pools
from streams.consumer.clients import AcknowledgedProducer, make_topics, open_consumer, open_member
from streams.consumer.letters import Outgoing
from streams.consumer.pools import PoolState
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings

WITHIN_S = 120.0
HOUR_S = 3600.0


@pytest.fixture(params=["memory", "kafka"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A broker with lanes of our own, of two partitions each."""
    mark = uuid4().hex[:8]
    own = {place: Topic(f"{topic.name}-{mark}", topic.records) for place, topic in topics.TASKS.items()}
    monkeypatch.setattr(topics, "TASKS", own)
    monkeypatch.setattr(groups, "worker", lambda pool, lane: f"{pool}.{lane}.{mark}")
    bootstrap = request.getfixturevalue(f"{request.param}_bootstrap")
    made = Settings(kafka_bootstrap_servers=bootstrap, data_folder=tmp_path, kafka_partitions=2)
    make_topics(made)
    return made


def looked(settings: Settings) -> PoolState:
    """A broker that has just started answers before it coordinates its groups."""
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        try:
            return pools.look(settings, "cutout", (HOUR_S,))
        except Unavailable:
            assert time.monotonic() < give_up_at
            time.sleep(0.2)


def test_what_waits_came_and_works_is_counted(settings: Settings) -> None:
    topic, group = topics.TASKS["cutout", "urgent"].name, groups.worker("cutout", "urgent")
    producer = AcknowledgedProducer(settings)
    producer.send([Outgoing(topic, b"%d" % number, b"task", []) for number in range(20)])
    producer.close()
    state = looked(settings)
    assert {lane: (its.waiting, its.partitions) for lane, its in state.lanes.items()} == {
        "urgent": (20, 2),
        "standard": (0, 2),
        "bulk": (0, 2),
    }
    assert state.lanes["urgent"].came == {HOUR_S: 20}
    assert pools.look(settings, "compose", (HOUR_S,)).lanes["urgent"].waiting == 0
    consumer = open_consumer(settings, group)
    consumer.commit(offsets=[TopicPartition(topic, 0, 1), TopicPartition(topic, 1, 2)], asynchronous=False)
    consumer.close()
    after = looked(settings).lanes["urgent"]
    assert (after.waiting, after.came) == (17, {HOUR_S: 20})


def test_the_workers_in_a_group_are_counted(settings: Settings) -> None:
    assert looked(settings).members == 0
    member = open_member(settings, groups.worker("cutout", "bulk"))
    member.subscribe([topics.TASKS["cutout", "bulk"].name])
    give_up_at = time.monotonic() + WITHIN_S
    while looked(settings).members != 1:
        member.poll(0.1)
        assert time.monotonic() < give_up_at
    member.close()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def role(memory_bootstrap: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The role as a process, with the ports of its metrics and of gRPC."""
    make_topics(Settings(kafka_bootstrap_servers=memory_bootstrap, data_folder=tmp_path))
    metrics, port = free_port(), free_port()
    its = {
        "KAFKA_BOOTSTRAP_SERVERS": memory_bootstrap,
        "DATA_FOLDER": str(tmp_path),
        "DATABASE_URL": "postgresql://nobody:planted@127.0.0.1:9/none",  # away
        "METRICS_PORT": str(metrics),
        "METRICS_HOST": "127.0.0.1",
        "SCALER_PORT": str(port),
        "SCALER_INTERVAL_S": "0.5",
    }
    env = os.environ | {f"PACKSHOT_{name}": value for name, value in its.items()}
    command = [sys.executable, "-m", "streams.commands.cli", "run", "scaler"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process, metrics, port
        process.kill()


def asked(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""
    except OSError:
        return 0, b""


def test_the_role_answers_all_who_ask_while_its_facts_are_away(
    role: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    process, metrics, port = role
    give_up_at = time.monotonic() + WITHIN_S
    while asked(metrics, "/readyz")[0] != 200:
        assert process.poll() is None
        assert time.monotonic() < give_up_at
        time.sleep(0.2)
    numbers = json.loads(asked(metrics, "/replicas")[1])
    assert [each["pool"] for each in numbers] == list(POOLS)
    assert {each["basis"] for each in numbers} == {"lag"}
    assert set(numbers[0]["backlog_s"]) == set(LANES)
    said = asked(metrics, "/metrics")[1].decode()
    assert f'packshot_scaler_replicas{{pool="cutout"}} {float(numbers[0]["replicas"])}' in said
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/externalscaler.ExternalScaler/IsActive")
        assert bool(call(b"\x1a\x0e\x0a\x04pool\x12\x06cutout", timeout=10)) == bool(numbers[0]["replicas"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
