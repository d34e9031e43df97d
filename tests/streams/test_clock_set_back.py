"""A clock is set back by an hour: what was held by the time before is nobody's, and the newest word still counts."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from msgspec.structs import replace as struct_replace

from loadtest.benchmarks.message import Message
from schemas.records import CampaignCancelled, CampaignRequested, DecisionUndone, ReviewDecided, ReviewRequested
from streams.consumer import retrier
from streams.consumer.clients import delivery
from streams.consumer.letters import NOT_BEFORE, Outgoing
from streams.facts import Database, Webhooks
from streams.facts.claims import Claims
from streams.facts.leases import CLOCKS_APART_MAX_MS
from streams.facts.sealing import Sealer
from streams.facts.webhooks import LEASE_MS
from streams.services.submitting.catalogue import Catalogue, _Clock
from streams.webhooks.slots import Slots
from tests.streams.case_flow import CHANNELS, case_of, requested_reviews
from tests.streams.flow import Flow, upsert
from tests.streams.test_retrier import GOOD, Broker, run
from tests.streams.webhook_world import endpoint, message

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000
GIVE_UP_S = 20.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    made.create_tables()
    yield made
    made.close()


def test_an_endpoint_that_was_taken_an_hour_ahead_is_taken_now(database: Database) -> None:
    webhooks = Webhooks(database, Sealer())
    webhooks.add(endpoint("e"))
    webhooks.note(message(1), ["e"], NOW_MS)
    assert len(webhooks.take("a", NOW_MS + HOUR_MS, Slots(), 9)) == 1
    assert len(webhooks.take("b", NOW_MS, Slots(), 9)) == 1
    assert webhooks.take("c", NOW_MS + 1, Slots(), 9) == []


def test_clocks_that_are_a_little_apart_leave_a_lease_with_who_has_it(database: Database) -> None:
    webhooks = Webhooks(database, Sealer())
    webhooks.add(endpoint("e"))
    webhooks.note(message(1), ["e"], NOW_MS)
    assert len(webhooks.take("a", NOW_MS + CLOCKS_APART_MAX_MS, Slots(), 9)) == 1
    assert webhooks.take("b", NOW_MS, Slots(), 9) == []
    assert webhooks.take("b", NOW_MS + CLOCKS_APART_MAX_MS + LEASE_MS - 1, Slots(), 9) == []


def test_a_case_that_was_claimed_an_hour_ahead_is_claimed_now(database: Database) -> None:
    flow, claims = Flow(database), Claims(database)
    case_id = case_of(requested_reviews(flow))
    early = claims.take(case_id, "ada", NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 60_000)
    assert early is not None
    assert claims.of(case_id, NOW_MS) is None
    mine = claims.take(case_id, "bob", NOW_MS, NOW_MS + 60_000)
    assert mine is not None
    assert not claims.keep(early, NOW_MS, NOW_MS + 120_000)
    assert claims.take(case_id, "eve", NOW_MS, NOW_MS + 60_000) is None


def test_what_was_left_to_be_sent_an_hour_ahead_is_sent_now(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(NOW_MS + HOUR_MS)
    monkeypatch.setattr("streams.facts.database.time", clock)
    with database.begin() as facts:
        facts.outbox.put([(("imagery.catalog", 0), Outgoing("imagery.reviews", b"k", b"v", []))])
    with database.read() as facts:
        assert facts.outbox.left(NOW_MS + HOUR_MS - 30_000, 9) == []
        assert [each.value for each in facts.outbox.left(NOW_MS - 30_000, 9)] == [b"v"]


def test_a_campaign_that_is_taken_back_by_a_slower_clock_is_taken_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(database)
    flow.say(upsert())
    catalogue = Catalogue(database, flow.recorder, ())
    clock = SetClock(NOW_MS + HOUR_MS)
    monkeypatch.setattr("streams.services.submitting.catalogue.time", clock)
    monkeypatch.setattr("streams.services.submitting.catalogue.next_version", _Clock())
    flow.say(catalogue.request("demo", "SALE", {"skus": ["A"], "channels": ["instagram"]}).event)
    clock.now_ms = NOW_MS
    monkeypatch.setattr("streams.services.submitting.catalogue.next_version", _Clock())  # another process
    request = {"type": "CampaignRequested", "campaign": "SALE", "skus": ["A"], "channels": ["amazon"]}
    for event in catalogue.checked("demo", [request, {"type": "CampaignCancelled", "campaign": "SALE"}, request]):
        assert isinstance(event, CampaignRequested | CampaignCancelled)
        flow.say(event)
    assert [each.channel for each in flow.assets() if each.campaign == "SALE"] == ["amazon"]
    flow.say(catalogue.cancel("demo", "SALE", "over").event)
    assert [each.channel for each in flow.assets() if each.campaign == "SALE"] == []


class Patient(Broker):
    """Gives out nothing while it is paused, and no more after a while."""

    is_paused = False

    def pause(self, _places: list[TopicPartition]) -> None:
        self.is_paused, self.since_s = True, time.monotonic()

    def resume(self, _places: list[TopicPartition]) -> None:
        self.is_paused = False

    def poll(self, timeout: float) -> Message | None:
        if not self.is_paused:
            return super().poll(timeout)
        time.sleep(0.01)
        if time.monotonic() - self.since_s > GIVE_UP_S:
            self.stop.set()
        return None


def test_a_letter_that_waits_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    early = NOW_MS + HOUR_MS
    times_ms = iter([early, early])
    monkeypatch.setattr(retrier, "_now_ms", lambda: next(times_ms, NOW_MS))
    monkeypatch.setattr(retrier, "delivery", lambda message: replace(delivery(message), timestamp_ms=early))
    assert run(Patient([*GOOD, (NOT_BEFORE, str(early + 50).encode())])) == [("reviews", "")]


def test_the_newest_word_on_a_picture_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, clock = Flow(database), SetClock(NOW_MS + HOUR_MS)
    monkeypatch.setattr("streams.facts.database.time", clock)
    first = rejected(flow, asked_of_amazon(flow, 1))
    assert first.settled is None
    clock.now_ms = NOW_MS
    second = asked_of_amazon(flow, 2)
    assert second.settled is not None
    taken_back = {"decision": second.settled, "version": second.settled.version + 1, "reason": "it is good"}
    flow.say(DecisionUndone(tenant="demo", sku="A", **taken_back))  # type: ignore[arg-type]
    assert flow.states()["amazon-1"] == "review"
    assert asked_of_amazon(flow, 3).settled is None


@dataclass
class SetClock:
    """Stands where it is set to."""

    now_ms: int

    def time_ns(self) -> int:
        return self.now_ms * 1_000_000


def asked_of_amazon(flow: Flow, version: int) -> ReviewRequested:
    """What a person is asked about a version of a product in which its picture is as it was."""
    event = struct_replace(upsert(version, channels=CHANNELS), title=f"Version {version}")
    found = requested_reviews(flow, event, cutout={}, picture={"fill": 0.5})
    return next(each for each in found if each.completed.task.step.asset == "amazon-1")


def rejected(flow: Flow, review: ReviewRequested) -> ReviewRequested:
    """The review, which a person rejects."""
    about = {"review_id": review.review_id, "approved": False, "reason": "no", "decided_by": "ada"}
    flow.say(ReviewDecided(tenant="demo", sku="A", **about))  # type: ignore[arg-type]
    return review
