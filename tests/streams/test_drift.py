"""Topics that are less than we rely on: told, refused, mended; on real brokers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas import topics
from schemas.topics import Topic
from streams.consumer import drift
from streams.consumer.clients import make_topics
from streams.consumer.drift import Drift
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.audit.checks import check_everything

DAY = str(topics.DAY_MS)


@pytest.fixture(params=["memory", "kafka"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings for a broker on which our topics have names that no other test has."""
    suffix = uuid4().hex[:8]
    mine = [replace(topic, name=f"{topic.name}-{suffix}") for topic in topics.every((1000,))]
    monkeypatch.setattr(topics, "every", lambda _delays: mine)
    return Settings(kafka_bootstrap_servers=request.getfixturevalue(f"{request.param}_bootstrap"), data_folder=tmp_path)


def named(name: str) -> Topic:
    return next(topic for topic in topics.every(()) if topic.name.startswith(topics.PREFIX + name))


def make(settings: Settings, topic: Topic, partitions: int = 4, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    fields = topic.config(1) | {name.replace("_", "."): value for name, value in config.items()}
    admin.create_topics([NewTopic(topic.name, partitions, 1, config=fields)])[topic.name].result(60)


def drifts(settings: Settings) -> list[str]:
    return [str(each) for each in drift.find(settings)]


def test_topics_that_we_made_are_as_they_should_be(settings: Settings) -> None:
    make_topics(settings)
    assert drifts(settings) == []
    drift.verify(settings)


LESS = {
    "compression_type": ("producer", "uncompressed"),
    "cleanup_policy": ("compact", "delete"),
    "max_message_bytes": ("1000000", str(topics.MIB)),
    "message_timestamp_type": ("CreateTime", "LogAppendTime"),
    "retention_bytes": ("1000000", "-1"),
    "retention_ms": (DAY, "-1"),
    "unclean_leader_election_enable": ("true", "false"),
}


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize("setting", LESS)
def test_every_setting_that_is_less_is_reported_refused_and_mended(settings: Settings, setting: str) -> None:
    found, wanted = LESS[setting]
    topic, name = named("catalog"), setting.replace("_", ".")
    make(settings, topic, 4, **{setting: found})
    make_topics(settings)
    assert drifts(settings) == [f"{topic.name}: {name} is {found}, should be {wanted}"]
    with pytest.raises(Refused, match=f"{topic.name}: {name} is {found}, should be {wanted}: `packshot topics apply`"):
        drift.verify(settings)
    drift.verify(replace(settings, kafka_accept_weaker_topics=True))
    assert [each.setting for each in drift.mend(settings, drift.find(settings))] == [name]
    assert drifts(settings) == []
    drift.verify(settings)


def test_missing_topics_are_reported_waited_for_and_made(settings: Settings) -> None:
    assert {(each.setting, each.found) for each in drift.find(settings)} == {("the topic", "missing")}
    with pytest.raises(Unavailable, match="the topic is missing, should be there"):
        drift.verify(settings)
    assert len(drift.mend(settings, drift.find(settings))) == len(topics.every(()))
    drift.verify(settings)


def test_more_than_we_rely_on_is_left_alone(settings: Settings) -> None:
    longer = str(400 * topics.DAY_MS)
    make(settings, named("completed"), retention_ms=longer, max_message_bytes=str(64 * topics.MIB))
    make(settings, named("publish-"), retention_ms="-1", partitions=8)
    make_topics(settings)
    assert drifts(settings) == []


def test_three_replicas_wait_for_two_and_one_is_too_few(settings: Settings) -> None:
    make_topics(settings)
    strict = replace(settings, kafka_replication=3)
    found = [each for each in drift.find(strict) if each.topic == named("catalog").name]
    assert {(each.setting, each.found, each.wanted) for each in found} == {
        ("min.insync.replicas", "1", "2"),
        ("replicas", "1", "3"),
    }
    with pytest.raises(Refused, match=r"min\.insync\.replicas is 1, should be 2; and \d+ more"):
        drift.verify(strict)
    assert all(each.setting == "min.insync.replicas" for each in drift.mend(strict, found))


def test_partitions_are_reported_and_added_only_when_asked(settings: Settings) -> None:
    make_topics(settings)
    more = replace(settings, kafka_partitions=6)
    found = drift.find(more)
    assert {(each.setting, each.found, each.wanted) for each in found} == {("partitions", "4", "6")}
    drift.verify(more)
    assert drift.mend(more, found) == []
    assert drift.find(more) == found
    mended = drift.mend(more, found[:1], partitions=True)
    assert mended == found[:1]
    assert mended[0] not in drift.find(more)


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_check_tells_drift(settings: Settings) -> None:
    make(settings, named("catalog"), retention_bytes="5000")
    make_topics(settings)
    (finding,) = [each for each in check_everything(settings) if each.name == "topics"]
    assert not finding.ok
    assert "retention.bytes is 5000, should be -1" in finding.text


@pytest.fixture
def cluster(kafka_bootstrap: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a command, on the shared broker with our topics as they should be, all but one."""
    settings = Settings(kafka_bootstrap_servers=kafka_bootstrap, data_folder=tmp_path)
    make_topics(settings)
    drift.mend(settings, drift.find(settings))
    weaker = Drift(topics.DEAD.name, "max.message.bytes", "", "1000000")
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    for future in admin.incremental_alter_configs([drift._altered(weaker.topic, [weaker])]).values():
        future.result(60)
    while weaker.setting not in [each.setting for each in drift.find(settings)]:
        time.sleep(0.1)
    yield {**os.environ, "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "PACKSHOT_DATA_FOLDER": str(tmp_path)}
    drift.mend(settings, drift.find(settings))


def test_a_role_refuses_to_start_in_one_line_and_the_commands_show_and_mend_it(cluster: dict[str, str]) -> None:
    def packshot(*arguments: str) -> Any:
        command = [sys.executable, "-m", "streams.commands.cli", *arguments]
        return subprocess.run(command, env=cluster, capture_output=True, text=True, check=False, timeout=300)

    line = "imagery.dead: max.message.bytes is 1000000, should be 4194304"
    role = packshot("run", "retrier")
    assert role.returncode == 2
    assert [each for each in role.stderr.splitlines() if each.startswith("packshot: ")] == [
        f"packshot: {line}: `packshot topics apply` mends it, PACKSHOT_KAFKA_ACCEPT_WEAKER_TOPICS=true accepts it"
    ]
    plan = packshot("topics", "plan", "--json")
    assert plan.returncode == 1
    assert [each["setting"] for each in json.loads(plan.stdout)] == ["max.message.bytes"]
    assert packshot("topics", "apply").returncode == 0
    assert packshot("topics", "plan").stdout == "nothing to mend\n"
