"""`submit --wait`: what becomes of an event, neither too early nor never; decisions that cannot be carried out."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from schemas.records import CampaignRequested, ReviewDecided, ReviewRequested
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import outgoing
from streams.facts import Database, EventKey, Refusal
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.operating import local
from streams.services.submitting.fates import Fate
from streams.services.submitting.following import LOOK_ANYWAY_S, follow, news
from streams.services.submitting.submission import SOURCE, Submitted, fate
from tests.streams.flow import Flow, done, tasks, upsert

CAMPAIGN = CampaignRequested(tenant="demo", campaign="bf", skus=["A", "GONE"], channels=["instagram"])


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(Settings(data_folder=tmp_path).database)
    database.create_tables()
    yield Flow(database, retry_delays_ms=())
    database.close()


def fate_of(flow: Flow, submitted: Submitted) -> Fate:
    with flow.database.read() as facts:
        return fate(submitted, facts)


def in_review(flow: Flow) -> ReviewRequested:
    (cut,) = tasks(flow.say(upsert()))
    amazon = next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")
    (review,) = flow.say(done(amazon, fill=0.5, background_exact_share=0.999))
    assert isinstance(review, ReviewRequested)
    return review


def test_an_event_whose_version_another_took_is_not_done(flow: Flow) -> None:
    flow.say(upsert())
    other = Submitted("other", upsert(channels=["zalando"]))
    assert fate_of(flow, other).state == "waiting"  # its refusal is on its way
    assert flow.letters(other.event) == [("imagery.dead", "version_conflict")]


def test_one_unknown_product_does_not_end_a_campaign_while_the_others_are_made(flow: Flow) -> None:
    flow.say(upsert())
    assert flow.letters(CAMPAIGN) == [("imagery.dead", "unknown_sku")]
    event = EventKey("imagery.campaigns", "demo|bf", SOURCE, "campaign")
    with flow.database.begin() as facts:
        facts.refusals.put(Refusal(event, "unknown_sku", "skus", "no such product: GONE"))
    now = fate_of(flow, Submitted("campaign", CAMPAIGN))
    assert now.state == "waiting"
    assert now.waits_for == ["A bf.instagram-1 (planned)"]


class Announced:
    """A clock that goes on while somebody waits for news, which come at the times that a test says."""

    def __init__(self, **at_s: float) -> None:
        self.now_s = 0.0
        self.coming = sorted((when, key.replace("_", "|").encode()) for key, when in at_s.items())
        self.meanwhile: dict[float, Callable[[], object]] = {}

    def clock(self) -> float:
        return self.now_s

    def within(self, seconds: float) -> set[bytes]:
        self.now_s += max(seconds, 0.01)
        for when in [when for when in self.meanwhile if when <= self.now_s]:
            self.meanwhile.pop(when)()
        came = {key for when, key in self.coming if when <= self.now_s}
        self.coming = [each for each in self.coming if each[0] > self.now_s]
        return came


def followed(flow: Flow, announced: Announced, *events: Submitted, quiet_s: float = 1000.0) -> tuple[list[Fate], int]:
    """The ends, and how often an event was looked at."""
    with patch("streams.services.submitting.following.fate", side_effect=fate) as looks:
        ends = follow(events, flow.database, announced.within, lambda *_: None, 600.0, quiet_s, announced.clock)
        return ends, looks.call_count


def test_what_nobody_announces_is_hardly_looked_at_and_is_given_up(flow: Flow) -> None:
    flow.say(upsert())
    announced = Announced()
    (end,), looks = followed(flow, announced, Submitted("x", upsert()), quiet_s=200.0)
    assert end.state == "waiting"
    assert end.waits_for == ["A amazon-1 (planned)", "A web-1 (planned)"]
    assert 200.0 <= announced.now_s < 201.0
    assert looks < 16, "ten at first, then once a minute"


def test_an_event_of_a_product_has_it_looked_at_though_the_facts_come_later(flow: Flow) -> None:
    flow.say(upsert())
    announced = Announced(demo_A=20.0, demo_B=30.0)
    announced.meanwhile[21.5] = lambda: flow.say(upsert(2))
    (end,), _ = followed(flow, announced, Submitted("x", upsert()))
    assert end.state == "superseded"
    assert announced.now_s < 25.0


def test_what_no_event_announced_is_found_within_a_minute(flow: Flow) -> None:
    flow.say(upsert())
    announced = Announced()
    announced.meanwhile[20.0] = lambda: flow.say(upsert(2))
    (end,), _ = followed(flow, announced, Submitted("x", upsert()))
    assert end.state == "superseded"
    assert announced.now_s < 20.0 + LOOK_ANYWAY_S


def test_one_products_event_has_only_its_own_looked_at(flow: Flow) -> None:
    many = [Submitted(sku, upsert(sku=sku)) for sku in ("A", "B", "C", "D")]
    for each in many:
        flow.say(each.event)
    quiet, without = Announced(), 0
    _, without = followed(flow, quiet, *many, quiet_s=50.0)
    announced = Announced(demo_A=20.0)
    _, looks = followed(flow, announced, *many, quiet_s=50.0)
    assert looks - without <= 4 * 2 + 6, "one product's looks, and what the longer wait costs"


def test_the_products_of_a_campaign_tell_of_it(flow: Flow) -> None:
    flow.say(upsert())
    flow.say(replace(CAMPAIGN, skus=["A"], version=1))
    announced = Announced(demo_A=20.0)
    announced.meanwhile[20.5] = lambda: flow.say(replace(CAMPAIGN, skus=["A"], version=2, channels=["shopify"]))
    (end,), _ = followed(flow, announced, Submitted("x", replace(CAMPAIGN, skus=["A"], version=1)))
    assert end.state == "superseded"
    assert announced.now_s < 25.0


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"paddding": ".2"}, "parameters.paddding"),
        ({"padding": "much"}, "parameters.padding"),
        ({"padding": "7"}, "parameters.padding"),
    ],
)
def test_a_redo_that_cannot_be_carried_out_is_refused_and_the_review_waits_on(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str], field: str
) -> None:
    review = in_review(flow)
    about = {"approved": False, "redo": True, "reason": "x", "parameters": parameters}
    decided = ReviewDecided(review_id=review.review_id, tenant="demo", sku="A", **about)  # type: ignore[arg-type]
    assert flow.letters(decided) == [("imagery.dead", "bad_parameters")]
    assert flow.states()["amazon-1"] == "review"
    monkeypatch.setattr(local, "make_topics", lambda _: None)
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Refused) as refused:
        local.decide(settings, review.review_id[:8], **about)
    assert (refused.value.code, refused.value.field) == ("bad_parameters", field)
    assert tasks(flow.say(replace(decided, parameters={"padding": "0.2"})))  # there is a way on


def test_the_keys_of_what_is_written_from_now_on_come(memory_bootstrap: str, tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers=memory_bootstrap)
    make_topics(settings)
    producer = AcknowledgedProducer(settings)
    producer.send([outgoing(upsert(sku="BEFORE"), "test")])
    give_up_at, keys = time.monotonic() + 120, set[bytes]()
    with news(settings) as within:
        within(5.0)  # where a partition ends is asked for at the first read
        while not keys and time.monotonic() < give_up_at:
            producer.send([outgoing(upsert(sku="AFTER"), "test")])
            keys.update(within(1.0))
    producer.close()
    assert keys == {b"demo|AFTER"}
