"""What outlives its retention unread: warned of, kept for longer, named when it is lost; on real brokers."""

import re
import time
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas import topics
from schemas.topics import Topic
from streams.consumer import backlog, drift, groups
from streams.consumer.backlog import Unread
from streams.consumer.clients import AcknowledgedProducer, open_consumer
from streams.consumer.letters import Outgoing
from streams.facts import Database, Loss, Losses
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings
from streams.services.audit import checks
from streams.services.operating import retention

RETENTION_MS = 16_000
GAUGES = {"age": retention.unread_age, "share": retention.unread_share, "lost": retention.lost_offsets}
WITHIN_S = 120.0


@pytest.fixture(params=["memory", "kafka"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A broker where one group reads one topic of one partition, with ten records and a short retention."""
    name = f"{topics.PREFIX}backlog-{uuid4().hex[:8]}"
    monkeypatch.setattr(groups, "readers", lambda _delays: {f"group-{name}": [Topic(name, ())]})
    made = Settings(kafka_bootstrap_servers=request.getfixturevalue(f"{request.param}_bootstrap"), data_folder=tmp_path)
    config = Topic(name, ()).config(1) | {"retention.ms": str(RETENTION_MS)}
    admin = AdminClient({"bootstrap.servers": made.bootstrap_servers})  # answers only for as long as it is held
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(60)
    producer = AcknowledgedProducer(made)
    producer.send([Outgoing(name, b"k", b"%d" % number, []) for number in range(10)])
    producer.close()
    return made


def the_group() -> tuple[str, str]:
    ((group, (topic,)),) = groups.readers(()).items()
    return group, topic.name


def found(settings: Settings) -> list[Unread]:
    """A broker that has just started answers before it coordinates its groups."""
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        try:
            return backlog.find(settings)
        except Unavailable:
            assert time.monotonic() < give_up_at
            time.sleep(0.2)


def commit(settings: Settings, offset: int) -> None:
    group, topic = the_group()
    consumer = open_consumer(settings, group)
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def opened(settings: Settings) -> Database:
    database = Database(settings.database)
    database.create_tables()
    return database


def noted(settings: Settings) -> list[Loss]:
    database = opened(settings)
    losses = retention.noted(settings, database)
    database.close()
    return losses


def remove_before(settings: Settings, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(the_group()[1], 0, offset)]).values():
        future.result(60)


def test_what_is_read_is_no_backlog(settings: Settings) -> None:
    (unread,) = found(settings)
    assert (unread.committed, unread.low, unread.end, unread.lost) == (0, 0, 10, 0)
    commit(settings, 10)
    assert found(settings) == []


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_a_record_that_has_used_half_its_retention_is_warned_of_and_kept_for_longer(settings: Settings) -> None:
    commit(settings, 4)
    give_up_at = time.monotonic() + WITHIN_S
    while not (short := backlog.too_short(found(settings))):
        assert time.monotonic() < give_up_at
        time.sleep(0.2)
    with pytest.raises(checks.CheckFailed, match=r"of its retention; .*`packshot topics apply`"):
        checks._backlog(settings)
    drift.mend(settings, short)
    assert drift.retention_ms(settings, [the_group()[1]])[the_group()[1]] > RETENTION_MS
    assert [each.committed for each in found(settings)] == [4]


@pytest.mark.parametrize("committed", [None, 2])
def test_what_was_removed_unread_is_lost_and_named(settings: Settings, committed: int | None) -> None:
    if committed is not None:
        commit(settings, committed)
    remove_before(settings, 6)
    (unread,) = found(settings)
    assert unread.lost == 6 - (committed or 0)
    (loss,) = noted(settings)
    assert f"never read offsets {committed or 0} to 5" in loss.text
    with pytest.raises(checks.CheckFailed, match="never read offsets"):
        checks._backlog(settings)


def test_what_was_lost_stays_reported_when_the_group_has_read_past_it_until_somebody_has_dealt_with_it(
    settings: Settings,
) -> None:
    remove_before(settings, 6)
    database = opened(settings)
    retention.note_gaps(settings, database, [the_group()[0]])  # as a role does before it reads
    commit(settings, 10)
    assert found(settings) == []
    (loss,) = retention.noted(settings, database)
    with pytest.raises(checks.CheckFailed, match="never read offsets 0 to 5"):
        checks._backlog(settings)
    Losses(database).settle([loss])
    assert retention.noted(settings, database) == []
    database.close()


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_a_look_notes_what_is_lost_measures_and_extends(settings: Settings) -> None:
    remove_before(settings, 3)
    database = opened(settings)
    give_up_at = time.monotonic() + WITHIN_S
    found(settings)
    while not (mended := retention.look(settings, database)):
        assert time.monotonic() < give_up_at
        time.sleep(0.2)
    assert [(each.topic, each.setting) for each in mended] == [(the_group()[1], "retention.ms")]
    assert drift.retention_ms(settings, [the_group()[1]])[the_group()[1]] > RETENTION_MS
    assert [(each.first, each.behind) for each in Losses(database).open()] == [(0, 3)]
    values = {name: gauge.labels(the_group()[1])._value.get() for name, gauge in GAUGES.items()}
    assert values["age"] * 1000 > RETENTION_MS / 2
    assert values["share"] > 0.5
    assert values["lost"] == 3
    database.close()


def test_retention_is_twice_the_age_of_the_oldest() -> None:
    young, old, endless = (
        Unread("g", topic, partition, 0, 0, 9, age_ms, retention_ms)
        for topic, partition, age_ms, retention_ms in (("t", 0, 600, 1000), ("t", 1, 700, 1000), ("e", 0, 9999, -1))
    )
    assert [(each.topic, each.wanted) for each in backlog.too_short([young, old, endless])] == [("t", "1400")]
    assert backlog.too_short([Unread("g", "t", 0, 0, 0, 9, 500, 1000)]) == []


def test_a_group_with_something_to_read_and_nobody_in_it_is_reported(settings: Settings) -> None:
    with pytest.raises(checks.CheckFailed, match=rf"nobody at work: {re.escape(the_group()[0])} \(up to 10 records\)"):
        checks._readers(settings)
    commit(settings, 10)
    assert checks._readers(settings).startswith("0 groups")
