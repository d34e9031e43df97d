"""Campaigns: the newest word counts in whatever order words are read, and none is so large that others wait for it."""

import io
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import fastavro
import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from schemas import codec, history, topics
from schemas.records import (
    CampaignCancelled,
    CampaignContinued,
    CampaignRequested,
    Event,
    RetractRequested,
    Submission,
)
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, returned
from streams.facts import Database
from streams.flow.app import _batches
from streams.flow.processing import Processing
from streams.flow.processors.campaigns import PART_SKUS_MAX, STEP_SKUS_MAX, parts_of
from streams.services.submitting import submission
from tests.streams.flow import Flow, Recorder, tasks, upsert

CAMPAIGN = CampaignRequested(tenant="demo", campaign="bf", skus=["A"], channels=["instagram"], version=1)
OFF = CampaignCancelled(tenant="demo", campaign="bf", version=1)
RETRY_DELAYS_MS = (1000, 5000)
ROOM_BYTES = topics.CAMPAIGNS.max_bytes - topics.STORY_BYTES


class CampaignFlow(Flow):
    """A flow that also delivers what it writes to the topic of campaigns, in order, until nothing is left there."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, RETRY_DELAYS_MS)
        self.steps: list[list[Event]] = []

    def all_of(self, *events: Event) -> list[Event]:
        """Delivers events and what follows on their topic; returns all that was written elsewhere, letters left out."""
        return self.all_from([outgoing(event, "test") for event in events])

    def all_from(self, records: Sequence[Outgoing]) -> list[Event]:
        written: list[Event] = []
        queue = list(records)
        self.letters_written: list[Outgoing] = []
        while queue:
            answers = self.deliver(queue.pop(0))
            queue += [each for each in answers if each.topic == "imagery.campaigns"]
            self.letters_written += [
                each for each in answers if ".retry." in each.topic or each.topic == "imagery.dead"
            ]
            rest = [each for each in answers if each.topic.startswith(("imagery.tasks", "imagery.publish"))]
            self.steps.append([codec.decode(each.value) for each in rest])
            written += self.steps[-1]
        return written

    def read(self, event: Event, offset: int) -> list[Outgoing]:
        """Delivers an event that stands at an offset; returns what is written."""
        self.recorder.records.clear()
        record = outgoing(event, "test")
        self.processing.run([Delivery(record.topic, 0, offset, record.key, record.value, record.headers)])
        return list(self.recorder.records)

    def of_campaign(self, name: str = "bf") -> list[str]:
        """The products that have assets of the campaign planned."""
        with self.database.read() as facts:
            return sorted({asset.sku for asset in facts.assets.of_campaign("demo", name) if asset.state != "leaving"})


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[CampaignFlow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield CampaignFlow(database)
    database.close()


def known(flow: Flow, *skus: str) -> None:
    for sku in skus:
        flow.say(upsert(sku=sku))


WORDS: list[tuple[Event, list[str]]] = [
    (replace(CAMPAIGN, skus=["A", "B"], version=2), ["A", "B"]),
    (replace(OFF, version=3), []),
    (replace(CAMPAIGN, skus=["B"], version=4), ["B"]),
    (replace(CAMPAIGN, skus=["A", "C"], version=5), ["A", "C"]),
    (replace(OFF, version=6), []),
]


def test_the_newest_word_counts_in_whatever_order_they_come(flow: CampaignFlow) -> None:
    """Every order of every choice of requests and cancellations, each of them read twice."""
    known(flow, "A", "B", "C")
    choices = [words for count in (1, 2, 3) for words in permutations(WORDS, count)]
    for number, words in enumerate(choices):
        if isinstance(words[0][0], CampaignCancelled):
            continue  # of a campaign that nobody asked for: it comes back as long as there are tries
        name = f"c{number}"
        found = [(replace(event, campaign=name), expected) for event, expected in words]
        flow.all_of(*(event for event, _ in found))
        flow.all_of(*(event for event, _ in found))
        expected = found[words.index(max(words, key=WORDS.index))][1]
        assert flow.of_campaign(name) == expected, found
        flow.all_of(CampaignCancelled(tenant="demo", campaign=name, version=99))


def test_an_unversioned_request_that_comes_back_late_does_not_replace_a_newer_one(flow: CampaignFlow) -> None:
    known(flow, "A", "B")
    old, new = replace(CAMPAIGN, skus=["A", "D"], version=0), replace(CAMPAIGN, skus=["B"], version=0)
    (letter,) = [each for each in flow.deliver(outgoing(old, "test")) if ".retry." in each.topic]
    flow.all_of(new)
    assert flow.of_campaign() == ["B"]
    back = returned(Delivery(letter.topic, 0, 3, letter.key, letter.value, letter.headers))
    assert flow.deliver(back) == []
    assert flow.of_campaign() == ["B"]


def test_an_unversioned_cancellation_that_comes_back_late_takes_nothing_away(flow: CampaignFlow) -> None:
    known(flow, "A")
    (letter,) = flow.deliver(outgoing(replace(OFF, version=0), "test"))
    flow.all_of(replace(CAMPAIGN, version=0))
    back = returned(Delivery(letter.topic, 0, 3, letter.key, letter.value, letter.headers))
    assert flow.deliver(back) == []
    assert flow.of_campaign() == ["A"]


def test_any_version_is_newer_than_none_and_who_writes_none_behind_it_is_told(flow: CampaignFlow) -> None:
    known(flow, "A", "B")
    flow.all_of(CAMPAIGN)
    for late in (replace(CAMPAIGN, skus=["B"], version=0), replace(OFF, version=0)):
        assert flow.letters(late) == [("imagery.dead", "version_missing")]
    assert flow.of_campaign() == ["A"]


@pytest.mark.parametrize("word", [replace(CAMPAIGN, skus=["B"], version=0), replace(OFF, version=0)])
def test_one_without_a_version_that_was_there_before_is_only_late(flow: CampaignFlow, word: Submission) -> None:
    known(flow, "A", "B")
    flow.all_of(replace(CAMPAIGN, version=0))
    flow.read(CAMPAIGN, 20)
    for _ in range(2):
        assert flow.read(word, 10) == []
    assert flow.of_campaign() == ["A"]


def test_a_version_says_one_thing(flow: CampaignFlow) -> None:
    known(flow, "A")
    flow.all_of(CAMPAIGN)
    assert flow.letters(replace(CAMPAIGN, channels=["amazon"])) == [("imagery.dead", "version_conflict")]


def test_a_campaign_that_was_cancelled_can_be_asked_for_again_by_a_higher_version(flow: CampaignFlow) -> None:
    known(flow, "A")
    flow.all_of(CAMPAIGN, replace(OFF, version=2))
    assert flow.of_campaign() == []
    assert flow.letters(replace(CAMPAIGN, skus=["A", "B"], version=0)) == [("imagery.dead", "version_missing")]
    assert tasks(flow.all_of(replace(CAMPAIGN, version=3)))
    assert flow.of_campaign() == ["A"]


def test_products_leave_only_once_the_newer_version_is_known_as_a_whole(flow: CampaignFlow) -> None:
    known(flow, "A", "B", "C")
    flow.all_of(replace(CAMPAIGN, skus=["A", "B", "C"]))
    first, second = (replace(CAMPAIGN, skus=[sku], version=2, part=n, parts=2) for n, sku in ((1, "A"), (2, "B")))
    assert not [each for each in flow.all_of(second) if isinstance(each, RetractRequested)]
    assert flow.of_campaign() == ["A", "B", "C"]
    (retract,) = [each for each in flow.all_of(first) if isinstance(each, RetractRequested)]
    assert retract.sku == "C"
    assert flow.of_campaign() == ["A", "B"]


def test_a_large_campaign_is_begun_in_steps_and_all_of_it(flow: CampaignFlow) -> None:
    skus = [f"S{number}" for number in range(PART_SKUS_MAX + 3 * STEP_SKUS_MAX // 2)]
    known(flow, *skus[:: len(skus) // (2 * STEP_SKUS_MAX)], skus[-1])
    with flow.database.read() as facts:
        expected = [sku for _, sku in facts.products.every()]
    made = tasks(flow.all_of(replace(CAMPAIGN, skus=skus)))
    assert sorted(task.sku for task in made) == sorted(expected)
    assert max(map(len, flow.steps)) <= STEP_SKUS_MAX
    assert len(flow.letters_written) == 2  # one for each part, with what is unknown in it
    assert max(letter.size_bytes for letter in flow.letters_written) < ROOM_BYTES


def test_a_large_campaign_is_cancelled_in_steps_and_all_of_it(flow: CampaignFlow) -> None:
    skus = [f"S{number}" for number in range(5 * STEP_SKUS_MAX // 2)]
    known(flow, *skus)
    flow.all_of(replace(CAMPAIGN, skus=skus))
    flow.steps.clear()
    retracted = [each.sku for each in flow.all_of(replace(OFF, version=2)) if isinstance(each, RetractRequested)]
    assert sorted(retracted) == sorted(skus)
    assert [len(step) for step in flow.steps] == [STEP_SKUS_MAX, STEP_SKUS_MAX, STEP_SKUS_MAX // 2]
    assert flow.of_campaign() == []


@pytest.mark.parametrize("count", [5_001, pytest.param(76_866, marks=pytest.mark.long)])
def test_a_campaign_of_unknown_products_comes_back_in_parts_of_a_bounded_size(flow: CampaignFlow, count: int) -> None:
    """The well-formed campaign whose letter used to be larger than any producer may write."""
    skus = [f"no-{number:05}" for number in range(count)]
    assert flow.all_of(replace(CAMPAIGN, skus=skus, version=0)) == []
    parts = len(flow.letters_written)
    assert parts == -(-count // 1_000)
    assert max(each.size_bytes for each in flow.letters_written) < 100_000
    back = [returned(Delivery(each.topic, 0, 1, each.key, each.value, each.headers)) for each in flow.letters_written]
    assert flow.all_from(back) == []
    assert [each.topic for each in flow.letters_written] == ["imagery.retry.5000ms"] * parts


def test_what_comes_back_begins_nothing_twice(flow: CampaignFlow) -> None:
    known(flow, "A")
    event = replace(CAMPAIGN, skus=["A", "B"])
    assert [task.sku for task in tasks(flow.all_of(event))] == ["A"]
    assert flow.letters(event, attempt=1) == [("imagery.retry.5000ms", "unknown_sku")]
    assert flow.all_of(event) == []
    assert {task.sku for task in tasks(flow.say(upsert(sku="B"))) if task.campaign} == {"B"}
    assert flow.letters(event, attempt=1) == []


def test_others_have_their_turn_between_the_records_of_campaigns() -> None:
    def read(topic: str) -> list[Delivery]:
        return [Delivery(topic, 0, offset, None, b"") for offset in range(3)]

    assert [len(batch) for batch in _batches(read("imagery.campaigns"))] == [1, 1, 1]
    assert [len(batch) for batch in _batches(read("imagery.catalog"))] == [3]


def test_a_continuation_of_nothing_does_nothing(flow: CampaignFlow) -> None:
    assert flow.all_of(CampaignContinued(tenant="demo", campaign="bf")) == []


def test_a_hundred_thousand_products_can_be_submitted() -> None:
    event = replace(CAMPAIGN, skus=[f"SKU-{number:06}" for number in range(100_000)], version=0)
    recorder = Recorder()
    (submitted,) = submission.send([event], recorder)
    assert len(recorder.records) == 100
    assert max(record.size_bytes for record in recorder.records) < ROOM_BYTES
    parts = [codec.decode(record.value) for record in recorder.records]
    assert isinstance(submitted.event, CampaignRequested)
    assert [sku for part in parts if isinstance(part, CampaignRequested) for sku in part.skus] == event.skus
    assert {part.version for part in parts if isinstance(part, CampaignRequested)} == {submitted.event.version}


def test_what_is_submitted_later_is_newer_also_within_a_file(flow: CampaignFlow) -> None:
    known(flow, "A")
    recorder = Recorder()
    events: list[Submission] = [
        replace(CAMPAIGN, version=0),
        replace(OFF, version=0),
        replace(CAMPAIGN, version=0, channels=["amazon"]),
    ]
    submitted = submission.send(events, recorder)
    flow.all_from(recorder.records[::-1])
    with flow.database.read() as facts:
        assert [submission.fate(each, facts).state for each in submitted] == ["superseded", "superseded", "waiting"]
        assert {asset.channel for asset in facts.assets.of_campaign("demo", "bf")} == {"amazon"}


def test_a_request_from_before_there_were_versions_can_be_read() -> None:
    old = history.versions(CampaignRequested)[0]
    body = {"tenant": "t", "campaign": "c", "skus": ["A"], "recipe": "campaign", "channels": ["web"]}
    written = io.BytesIO(b"\0" + history.fingerprint(old).to_bytes(4, "big"))
    written.seek(5)
    fastavro.schemaless_writer(written, old, {**body, "priority": "urgent", "deadline_ms": None})
    event = codec.decode(written.getvalue())
    assert event == CampaignRequested(tenant="t", campaign="c", skus=["A"], channels=["web"])


def test_a_part_that_is_none_is_refused(flow: CampaignFlow) -> None:
    with pytest.raises(ValueError, match="part"):
        msgspec.convert(msgspec.to_builtins(CAMPAIGN) | {"part": 3, "parts": 2}, CampaignRequested)
    too_many = replace(CAMPAIGN, skus=[str(n) for n in range(PART_SKUS_MAX + 1)], part=1, parts=2)
    assert flow.letters(too_many) == [("imagery.dead", "too_many_skus")]
    assert parts_of(CAMPAIGN) == [CAMPAIGN]


def test_facts_from_before_there_were_ranks_go_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/facts.db"
    database = Database(url)
    database.create_tables()
    known(CampaignFlow(database), "A", "B")
    record = msgspec.json.encode(replace(CAMPAIGN, skus=["A", "B"], version=0)).decode()
    with create_engine(url).begin() as connection:
        for table in ("campaigns", "campaign_skus"):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN rank"))
        fields = {"record": record}
        connection.execute(text("INSERT INTO campaigns VALUES ('demo', 'bf', false, :record, 1)"), fields)
        connection.execute(text("INSERT INTO campaign_skus VALUES ('demo', 'A', 'bf'), ('demo', 'B', 'bf')"))
        connection.execute(text("DROP TABLE packshot_schema"))
    database.upgrade()
    flow = CampaignFlow(database)
    flow.all_of(upsert(sku="A", version=2))
    flow.all_of(upsert(sku="B", version=2))
    assert flow.of_campaign() == ["A", "B"]
    flow.all_of(replace(CAMPAIGN, skus=["B"], version=0))
    assert flow.of_campaign() == ["B"]
    database.close()


def test_a_step_takes_a_bounded_time(flow: CampaignFlow) -> None:
    """Counted, not timed: the products that one delivery locks."""
    skus = [f"S{number}" for number in range(3 * STEP_SKUS_MAX)]
    known(flow, *skus)
    processing = Processing(flow.database, flow.recorder, RetryPolicy(()))
    flow.recorder.records.clear()
    record = outgoing(replace(CAMPAIGN, skus=skus), "test")
    processing.run([Delivery(record.topic, 0, 1, record.key, record.value, record.headers)])
    assert len([each for each in flow.recorder.records if ".tasks." in each.topic]) == STEP_SKUS_MAX
    assert [codec.decode(each.value) for each in flow.recorder.records if each.topic == "imagery.campaigns"] == [
        CampaignContinued(tenant="demo", campaign="bf")
    ]
