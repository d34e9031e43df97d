"""Whatever a processor breaks on ends: a dead letter with the trace, the end of its assets, and the others go on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas import codec
from schemas.codec import Codec
from schemas.envelope import as_mapping
from schemas.records import AssetWithheld, CatalogChanged, Event, PublicationFailed, Task, TaskCompleted, TaskFailed
from streams.consumer.isolation import EndedTheProcess
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing
from streams.consumer.poison import ERROR_TRACE
from streams.facts import Database, EventKey
from streams.flow import processing
from streams.runtime.errors import Refused
from tests.streams.flow import Flow, done, tasks, upsert

ERRORS = [ZeroDivisionError("a bug"), RecursionError("too deep"), MemoryError(), UnicodeError("no text")]


@pytest.fixture(params=["sqlite", "postgresql"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flow]:
    sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url"))
    database.create_tables()
    yield Flow(database)
    database.drop_tables()
    database.close()


def breaks(monkeypatch: pytest.MonkeyPatch, kind: type[Event], error: Exception, times: int = 9) -> list[int]:
    """Has a processor break so many times, after it has changed the facts; returns the list of its calls."""
    calls: list[int] = []
    works: Any = processing.PROCESSORS[kind]

    def process(event: Event, facts: object) -> object:
        answers: object = works(event, facts)
        calls.append(1)
        if len(calls) <= times:
            raise error
        return answers

    monkeypatch.setitem(processing.PROCESSORS, kind, process)
    return calls


def letter(flow: Flow, record: Outgoing) -> dict[str, str]:
    """Delivers a record that dies; the headers of its letter, which holds its bytes."""
    dead = [each for each in flow.deliver(record) if each.topic == "imagery.dead"]
    assert [each.value for each in dead] == [record.value]
    return as_mapping(dead[0].headers)


@pytest.mark.parametrize("error", ERRORS)
def test_an_event_that_breaks_its_processor_twice_is_poison(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    calls = breaks(monkeypatch, CatalogChanged, error)
    before = REGISTRY.get_sample_value("packshot_poison_total", {"role": "streams", "topic": "imagery.catalog"}) or 0
    headers = letter(flow, outgoing(upsert(), "test", "my-id"))
    assert (headers["packshot-error-kind"], headers["packshot-error-code"]) == ("poison", "unexpected")
    assert type(error).__name__ in headers[ERROR_TRACE]
    assert len(calls) == 2
    assert flow.states() == {}
    with flow.database.read() as facts:
        assert facts.refusals.get(EventKey("imagery.catalog", "demo|A", "test", "my-id")) is not None
    assert (
        REGISTRY.get_sample_value("packshot_poison_total", {"role": "streams", "topic": "imagery.catalog"})
        == before + 1
    )


def test_an_event_that_breaks_once_is_worked_on(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, CatalogChanged, ZeroDivisionError(), times=1)
    assert tasks(flow.say(upsert()))


@pytest.mark.parametrize("kind", ["done", "failed", "publication"])
def test_the_assets_of_poison_fail(flow: Flow, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (cut,) = tasks(flow.say(upsert()))
    events: dict[str, Event] = {
        "done": done(cut),
        "failed": TaskFailed(task=cut, kind="permanent", code="x"),
        "publication": PublicationFailed(tenant="demo", sku="A", version=1, asset="amazon-1", code="x"),
    }
    breaks(monkeypatch, type(events[kind]), ZeroDivisionError("a bug"))
    written = [each for each in flow.deliver(outgoing(events[kind], "test")) if each.topic == "imagery.publish"]
    ended = {"amazon-1"} if kind == "publication" else {"amazon-1", "web-1"}
    withheld = [codec.decode(each.value) for each in written]
    assert {each.asset for each in withheld if isinstance(each, AssetWithheld)} == ended
    assert {name for name, state in flow.states().items() if state == "failed"} == ended
    assert "a bug" in next(each.reason for each in flow.assets() if each.asset == "amazon-1")


def test_the_others_of_a_batch_are_answered_and_in_order(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    (cut,) = tasks(flow.say(upsert()))
    breaks(monkeypatch, TaskCompleted, ZeroDivisionError())
    events: list[Event] = [
        TaskFailed(task=cut, kind="permanent", code="a"),
        done(cut),
        TaskFailed(task=cut, kind="permanent", code="b"),
    ]
    records = [outgoing(event, "test") for event in events]
    flow.recorder.records.clear()
    flow.processing.run(
        [Delivery(each.topic, 0, 50 + n, each.key, each.value, each.headers) for n, each in enumerate(records)]
    )
    written = [codec.decode(each.value) for each in flow.recorder.records]
    assert [type(event).__name__ for event in written][:2] == ["AssetWithheld", "AssetWithheld"]
    assert sum(each.topic == "imagery.dead" for each in flow.recorder.records) == 1
    assert flow.assets()[0].reason == "b: "


def test_a_letter_that_breaks_is_written_bare(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Outgoing:
        raise ValueError("no letter")

    monkeypatch.setattr(RetryPolicy, "letter", broken)
    record = outgoing(upsert(channels=["bazaar"]), "test")
    headers = letter(flow, record)
    assert headers["packshot-origin-offset"] == "1"
    assert headers["packshot-error-kind"] == "poison"


def test_a_name_that_the_database_refuses_ends(flow: Flow) -> None:
    record = outgoing(upsert(channels=["bazaar"]), "test", "no\x00thing")
    letter(flow, Outgoing(record.topic, b"demo|\x00" + b"k" * 5000, record.value, record.headers))
    assert tasks(flow.say(upsert()))


def test_what_follows_and_is_too_large_to_be_written_ends_with_its_assets(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cut,) = tasks(flow.say(upsert()))
    record, write = outgoing(done(cut), "test"), outgoing

    def too_large(event: Event, source: str, *, codec: Codec) -> Outgoing:
        if isinstance(event, Task):
            raise Refused("record_too_large", "a Task of many bytes")
        return write(event, source, codec=codec)

    monkeypatch.setattr(processing, "outgoing", too_large)
    assert letter(flow, record)["packshot-error-code"] == "record_too_large"
    assert set(flow.states().values()) == {"failed"}


def test_one_that_ends_whoever_decodes_it_is_buried_without_that(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    record = outgoing(upsert(), "test")
    monkeypatch.setattr(processing, "event_in", lambda _delivery: os.abort())
    why = EndedTheProcess("its process ended 4 times on it", untouchable=True)
    flow.processing.bury(Delivery(record.topic, 0, 9, record.key, record.value, record.headers), why)
    [dead] = flow.recorder.records
    assert (dead.topic, dead.value) == ("imagery.dead", record.value)
    assert as_mapping(dead.headers)["packshot-error-code"] == "ended_the_process"


def test_a_delivery_can_be_buried_untried(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    (cut,) = tasks(flow.say(upsert()))
    calls = breaks(monkeypatch, TaskCompleted, ZeroDivisionError())
    record = outgoing(done(cut), "test")
    why = Refused("kills", "its process ended 3 times on it", poison=True)
    flow.processing.bury(Delivery(record.topic, 0, 9, record.key, record.value, record.headers), why)
    assert not calls
    assert set(flow.states().values()) == {"failed"}
