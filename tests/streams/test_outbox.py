"""Facts and what follows from them go together: whoever is killed between the two loses nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.codec import HASHED
from schemas.envelope import as_mapping
from schemas.records import (
    AssetWithheld,
    CampaignCancelled,
    CampaignRequested,
    Event,
    PublicationFailed,
    PublishRequested,
    RetractRequested,
    TaskCompleted,
    TaskFailed,
)
from streams.blobs import Blobs
from streams.consumer.clients import NotAcknowledged, TooLarge
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, replayed
from streams.facts import Database, Unsent
from streams.flow.processing import Processing
from tests.memory_store import MemoryStore
from tests.streams.flow import Flow, Recorder, done, published, tasks, upsert

CAMPAIGN = CampaignRequested(tenant="demo", campaign="bf", skus=["A", "B"], channels=["instagram"])


class Killed(BaseException):
    """The process is gone."""


class Killable(Flow):
    """A flow whose process can be killed between the commit of the facts and the first record that is sent."""

    def killed_while_it_hears(self, event: Event) -> Delivery:
        """The event is read, its facts are kept, and nothing is sent; the delivery will come again."""
        self._offset += 1
        record = outgoing(event, "test")
        delivery = Delivery(record.topic, 0, self._offset, record.key, record.value, record.headers)
        doomed = Processing(self.database, _Dying(), RetryPolicy((1000,)))
        with pytest.raises(Killed):
            doomed.run([delivery])
        self.processing = Processing(self.database, self.recorder, RetryPolicy((1000,)))
        return delivery

    def again(self, delivery: Delivery) -> list[Event]:
        """What the process that was started after it writes when it reads the delivery again."""
        self.recorder.records.clear()
        self.processing.run([delivery])
        return [codec.decode(each.value) for each in self.recorder.records]


class _Dying:
    codec = HASHED

    def send(self, _records: Sequence[Outgoing]) -> None:
        raise Killed


@pytest.fixture(params=["sqlite", "postgresql"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killable]:
    sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url"))
    database.create_tables()
    yield Killable(database)
    database.drop_tables()
    database.close()


def requested(flow: Killable) -> PublishRequested:
    """The request to publish the amazon picture of a product that has got so far."""
    (cut,) = tasks(flow.say(upsert()))
    task = next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    return request


def test_a_campaign_asked_for_without_a_product_retracts_it_though_its_process_was_killed(flow: Killable) -> None:
    flow.say(upsert())
    flow.say(upsert(sku="B"))
    flow.say(CAMPAIGN)
    delivery = flow.killed_while_it_hears(replace(CAMPAIGN, skus=["A"]))
    retracted = [event for event in flow.again(delivery) if isinstance(event, RetractRequested)]
    assert [(event.sku, event.assets) for event in retracted] == [("B", ["bf.instagram-1"])]


def test_what_a_cancellation_takes_away_is_named_though_its_process_was_killed(flow: Killable) -> None:
    flow.say(upsert())
    flow.say(upsert(sku="B"))
    flow.say(CAMPAIGN)
    delivery = flow.killed_while_it_hears(CampaignCancelled(tenant="demo", campaign="bf"))
    retracted = [event for event in flow.again(delivery) if isinstance(event, RetractRequested)]
    assert [(each.sku, each.assets) for each in retracted if each.assets] == [
        ("A", ["bf.instagram-1"]),
        ("B", ["bf.instagram-1"]),
    ]


def test_a_failed_publication_is_withheld_though_its_process_was_killed(flow: Killable) -> None:
    request = requested(flow)
    about = {"tenant": request.tenant, "sku": request.sku, "asset": request.asset}
    failed = PublicationFailed(**about, version=request.version, code="blob_missing", message="gone")
    delivery = flow.killed_while_it_hears(failed)
    assert AssetWithheld(**about, version=request.version, reason="blob_missing: gone") in flow.again(delivery)


@pytest.mark.parametrize("end", ["failed", "expired"])
def test_a_task_without_a_picture_is_withheld_though_its_process_was_killed(flow: Killable, end: str) -> None:
    (cut,) = tasks(flow.say(upsert()))
    failed = TaskFailed(task=cut, kind="permanent", code="source_not_found", message="404")
    delivery = flow.killed_while_it_hears(failed if end == "failed" else TaskCompleted(task=cut, outcome="expired"))
    withheld = {event.asset for event in flow.again(delivery) if isinstance(event, AssetWithheld)}
    assert withheld == {"amazon-1", "web-1"}


def test_what_a_product_lacks_is_withheld_though_its_process_was_killed(flow: Killable) -> None:
    delivery = flow.killed_while_it_hears(replace(upsert(channels=["shopify"]), recipe="lifestyle"))
    withheld = [event for event in _events(flow, delivery) if isinstance(event, AssetWithheld)]
    assert withheld


def test_a_letter_is_written_once_its_refusal_is_noted(flow: Killable) -> None:
    delivery = flow.killed_while_it_hears(upsert(channels=["bazaar"]))
    flow.recorder.records.clear()
    flow.processing.run([delivery])
    assert {record.topic for record in flow.recorder.records} == {"imagery.dead"}


def test_a_product_that_was_settled_meanwhile_still_has_its_tasks(flow: Killable) -> None:
    request = requested(flow)
    flow.say(published(request))
    delivery = flow.killed_while_it_hears(replace(upsert(version=2), channels=["google"]))
    assert tasks(flow.again(delivery))


def _events(flow: Killable, delivery: Delivery) -> list[Event]:
    flow.recorder.records.clear()
    flow.processing.run([delivery])
    dead = "imagery.dead"
    return [codec.decode(each.value) for each in flow.recorder.records if each.topic != dead]


def test_a_cancellation_of_an_unknown_campaign_notes_nothing(flow: Killable) -> None:
    delivery = flow.killed_while_it_hears(CampaignCancelled(tenant="demo", campaign="bf"))
    flow.recorder.records.clear()
    flow.processing.run([delivery])
    assert {record.topic for record in flow.recorder.records} == {"imagery.retry.1000ms"}


def test_what_was_left_is_sent_by_anybody_and_is_listed_meanwhile(
    flow: Killable, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.killed_while_it_hears(upsert())
    flow.recorder.records.clear()
    flow.processing.tend()
    assert flow.recorder.records == []  # its process may be about to send it
    with flow.database.read() as facts:
        assert facts.outbox.backlog().rows == 1
    monkeypatch.setattr("streams.flow.relay.LEFT_AFTER_S", -1.0)
    flow.processing.tend()
    assert [record.topic for record in flow.recorder.records] == ["imagery.tasks.cutout.standard"]
    flow.processing.tend()
    with flow.database.read() as facts:
        assert facts.outbox.backlog().rows == 0


class Narrow(Recorder):
    """A broker on which some topics take less than ours: their records beyond `most` bytes are refused."""

    def __init__(self, topics_: set[str], most: int) -> None:
        super().__init__()
        self.topics, self.most = topics_, most
        self.blobs = Blobs(MemoryStore())

    def send(self, records: Sequence[Outgoing]) -> None:
        refused = [each for each in records if each.topic in self.topics and each.size_bytes > self.most]
        super().send([each for each in records if each not in refused])
        if refused:
            raise TooLarge(*refused)


def narrowed(flow: Killable, *names: str, most: int = 0) -> Narrow:
    sender = Narrow(set(names), most)
    flow.processing = Processing(flow.database, sender, RetryPolicy((1000,), originals=sender.blobs))
    return sender


def test_what_its_topic_will_never_take_is_a_dead_letter_and_the_end_of_its_assets(flow: Killable) -> None:
    sender = narrowed(flow, "imagery.tasks.cutout.standard")
    event = outgoing(upsert(), "test")
    flow.processing.run([Delivery("imagery.catalog", 0, 1, event.key, event.value, event.headers)])
    (letter,) = [each for each in sender.records if each.topic == "imagery.dead"]
    headers = as_mapping(letter.headers)
    assert (headers["packshot-error-code"], headers["packshot-origin-topic"]) == (
        "record_too_large",
        "imagery.tasks.cutout.standard",
    )
    withheld = [codec.decode(each.value) for each in sender.records if each.topic == "imagery.publish"]
    assert {each.asset for each in withheld if isinstance(each, AssetWithheld)} == {"amazon-1", "web-1"}
    assert set(flow.states().values()) == {"failed"}
    flow.processing.tend()
    with flow.database.read() as facts:
        assert facts.outbox.backlog().rows == 0
    read = Delivery(letter.topic, 0, 1, letter.key, letter.value, letter.headers)
    task = codec.decode(replayed(read, sender.blobs).value)
    assert task.sku == "A"  # type: ignore[union-attr]


def test_a_letter_that_its_topic_will_not_take_has_its_original_elsewhere(flow: Killable) -> None:
    sender = narrowed(flow, "imagery.dead", most=5000)
    garbage = b"x" * 6000
    flow.processing.run([Delivery("imagery.catalog", 0, 1, b"demo|A", garbage, [])])
    (letter,) = sender.records
    headers = as_mapping(letter.headers)
    assert headers["packshot-origin-topic"] == "imagery.catalog"
    assert headers["packshot-origin-offset"] == "1"
    read = Delivery(letter.topic, 0, 1, letter.key, letter.value, letter.headers)
    assert replayed(read, sender.blobs).value == garbage


def test_a_topic_that_takes_no_letter_at_all_ends_the_process(flow: Killable) -> None:
    narrowed(flow, "imagery.dead")
    with pytest.raises(NotAcknowledged, match=r"imagery\.dead takes no record"):
        flow.processing.run([Delivery("imagery.catalog", 0, 1, b"demo|A", b"garbage", [])])


def test_facts_that_are_made_anew_leave_what_is_to_be_sent(flow: Killable) -> None:
    flow.killed_while_it_hears(upsert())
    with flow.database.replaced():
        pass
    with flow.database.read() as facts:
        assert facts.outbox.backlog().rows == 1
        assert facts.products.every() == {}


def test_whoever_sends_long_after_its_commit_sends_only_what_nobody_sent_since(
    flow: Killable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stood still between commit and send: another one has its partition, and sent what it left."""
    slow = Processing(flow.database, flow.recorder, RetryPolicy(()))
    seen: list[object] = []

    def stands_still(rows: Sequence[Unsent]) -> None:
        slow._relay._committing_s -= 3600
        flow.processing.run([Delivery("imagery.catalog", 0, 99, b"demo|A", record.value, record.headers)])
        flow.processing.tend()
        seen.append(len(rows))
        flow.recorder.records.clear()
        send(rows)

    record = outgoing(upsert(), "test")
    send = slow._relay._send
    monkeypatch.setattr(slow._relay, "_send", stands_still)
    slow.run([Delivery("imagery.catalog", 0, 98, b"demo|A", record.value, record.headers)])
    assert (seen, flow.recorder.records) == ([1], [])
