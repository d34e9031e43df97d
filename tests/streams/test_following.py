"""`submit --wait`: what becomes of an event, neither too early nor never; decisions that cannot be carried out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import CampaignRequested, ReviewDecided, ReviewRequested
from streams import local
from streams.catalogue import Catalogue
from streams.catalogue.facts import Refusal
from streams.errors import Refused
from streams.settings import Settings
from streams.submission import POLL_MAX_S, Fate, Submitted, fate, follow
from tests.streams.flow import Flow, done, tasks, upsert

CAMPAIGN = CampaignRequested(tenant="demo", campaign="bf", skus=["A", "GONE"], channels=["instagram"])


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    catalogue = Catalogue(Settings(data_folder=tmp_path).database)
    catalogue.create_tables()
    yield Flow(catalogue, retry_delays_ms=())
    catalogue.close()


def fate_of(flow: Flow, submitted: Submitted) -> Fate:
    with flow.catalogue.read() as facts:
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
    with flow.catalogue.begin() as facts:
        facts.put_refusal(Refusal("campaign", "t", "bf", "unknown_sku", "skus", "no such product: GONE"))
    now = fate_of(flow, Submitted("campaign", CAMPAIGN))
    assert now.state == "waiting"
    assert now.waits_for == ["A bf.instagram-1 (planned)"]


def test_following_looks_less_often_while_nothing_moves_and_gives_up(flow: Flow) -> None:
    flow.say(upsert())
    slept: list[float] = []
    quiet_s = 0.5

    def sleep(poll_s: float) -> None:
        slept.append(poll_s)
        time.sleep(min(poll_s, 0.1))

    (end,) = follow([Submitted("x", upsert())], flow.catalogue, lambda *_: None, time.monotonic() + 600, quiet_s, sleep)
    assert end.state == "waiting"
    assert end.waits_for == ["A amazon-1 (planned)", "A web-1 (planned)"]
    assert slept[1:] == sorted(slept[1:])
    assert max(slept) <= POLL_MAX_S
    assert len(slept) < 12


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
    with pytest.raises(Refused) as told:
        local.decide(settings, review.review_id[:8], **about)
    assert (told.value.code, told.value.field) == ("bad_parameters", field)
    assert tasks(flow.say(replace(decided, parameters={"padding": "0.2"})))  # there is a way on
