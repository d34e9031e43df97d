"""Work over a tenant's quota goes to bulk, says so, and is answered the same when it is told again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.records import CampaignRequested, Event, Task
from streams.consumer.letters import Delivery, RetryPolicy, outgoing
from streams.facts import Database
from streams.flow.processing import Processing
from tests.streams.flow import Recorder, done, upsert

HOUR_MS = 3600 * 1000
QUOTA = 2


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    yield opened
    opened.close()


def begun(database: Database, event: Event, at_ms: int, quota: int = QUOTA) -> list[Task]:
    """The tasks that follow from an event that was written at a time."""
    recorder = Recorder()
    record = outgoing(event, "test")
    read = Delivery(record.topic, 0, at_ms, record.key, record.value, record.headers, at_ms)
    processing = Processing(database, recorder, RetryPolicy(()), quota)
    processing.run([read])
    processing.tend()  # or the next one would send again what this one had acknowledged
    events = [codec.decode(each.value) for each in recorder.records]
    return [each for each in events if isinstance(each, Task)]


def lanes(tasks: list[Task]) -> list[str]:
    return [task.lane for task in tasks]


def test_what_is_over_the_quota_is_demoted_and_says_why(database: Database) -> None:
    found = [begun(database, upsert(sku=sku), at_ms=5) for sku in "ABC"]
    assert [lanes(tasks) for tasks in found] == [["standard"], ["standard"], ["bulk"]]
    assert [tasks[0].demoted for tasks in found] == [
        None,
        None,
        "standard was asked for, and 2 photographs an hour are the quota",
    ]
    assert {tasks[0].asked_at_ms for tasks in found} == {5}


def test_without_a_quota_nothing_is_demoted(database: Database) -> None:
    assert [lanes(begun(database, upsert(sku=sku), 5, quota=0)) for sku in "ABC"] == [["standard"]] * 3


def test_what_follows_a_demoted_task_is_bulk_too_and_says_so(database: Database) -> None:
    *_, last = [begun(database, upsert(sku=sku), at_ms=5) for sku in "ABC"]
    following = begun(database, done(last[0]), at_ms=9)
    assert {(task.lane, task.demoted, task.asked_at_ms) for task in following} == {("bulk", last[0].demoted, 5)}


def test_an_hour_later_the_quota_is_there_again(database: Database) -> None:
    for sku in "AB":
        begun(database, upsert(sku=sku), at_ms=5)
    assert lanes(begun(database, upsert(sku="C"), at_ms=5 + HOUR_MS)) == ["bulk"]
    assert lanes(begun(database, upsert(sku="D"), at_ms=6 + HOUR_MS)) == ["standard"]


def test_bulk_and_demoted_work_leave_the_quota_alone(database: Database) -> None:
    for sku in "ABC":
        begun(database, replace(upsert(sku=sku), priority="bulk"), at_ms=5)
    assert lanes(begun(database, upsert(sku="D"), at_ms=6)) == ["standard"]
    assert begun(database, replace(upsert(sku="E"), priority="bulk"), at_ms=7)[0].demoted is None


def test_one_tenants_quota_is_not_anothers(database: Database) -> None:
    for sku in "ABC":
        begun(database, upsert(sku=sku), at_ms=5)
    assert lanes(begun(database, replace(upsert(), tenant="other"), at_ms=5)) == ["standard"]


def test_a_campaign_is_demoted_from_where_the_quota_ends(database: Database) -> None:
    skus = [f"S{number}" for number in range(5)]
    for sku in skus:
        begun(database, upsert(sku=sku), at_ms=1, quota=0)
    campaign = CampaignRequested(tenant="demo", campaign="bf", skus=skus, channels=["instagram"])
    assert lanes(begun(database, campaign, at_ms=2 + HOUR_MS)) == ["urgent", "urgent", "bulk", "bulk", "bulk"]


def test_the_same_events_again_are_answered_the_same(database: Database) -> None:
    events = [(upsert(sku=sku), at_ms) for at_ms, sku in enumerate("ABCD", start=5)]
    same_time = [(upsert(sku=sku), 20) for sku in "EF"]
    first = [begun(database, event, at_ms) for event, at_ms in events + same_time]
    assert [begun(database, event, at_ms) for event, at_ms in events + same_time] == first
    assert [begun(database, event, at_ms) for event, at_ms in events[:2]] == first[:2]


def test_events_of_one_time_are_answered_the_same_again(database: Database) -> None:
    first = [begun(database, upsert(sku=sku), 5) for sku in "ABC"]
    assert [begun(database, upsert(sku=sku), 5) for sku in "ABC"] == first
