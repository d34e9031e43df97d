"""The processors: campaigns."""

import pytest
from msgspec.structs import replace

from schemas.records import (
    CampaignCancelled,
    CampaignRequested,
    RetractRequested,
    TaskFailed,
)
from streams.services.submitting import submission
from streams.services.submitting.event_files import Read
from tests.streams.flow import Flow, tasks, upsert
from tests.streams.processing import CAMPAIGN


def test_a_campaign_that_is_asked_for_again_leaves_the_products_it_names_no_more(flow: Flow) -> None:
    flow.say(upsert())
    flow.say(upsert(sku="B"))
    flow.say(replace(CAMPAIGN, skus=["A", "B"]))
    retract, *_ = flow.say(replace(CAMPAIGN, skus=["B"]))
    assert isinstance(retract, RetractRequested)
    assert (retract.sku, retract.assets) == ("A", ["bf.instagram-1"])
    assert "bf.instagram-1" not in flow.states("A")
    assert "bf.instagram-1" in flow.states("B")


def test_a_campaign_leaves_what_failed_of_the_catalogue_as_it_is(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    flow.say(TaskFailed(task=cut, kind="permanent", code="source_not_found", message="404"))
    flow.say(CAMPAIGN)
    assert flow.states() == {"amazon-1": "failed", "web-1": "failed", "bf.instagram-1": "planned"}


def test_a_campaign_makes_its_own_assets_in_its_own_lane(flow: Flow) -> None:
    flow.say(upsert())
    (task,) = tasks(flow.say(CAMPAIGN))
    assert (task.lane, task.campaign, task.deadline_ms) == ("urgent", "bf", CAMPAIGN.deadline_ms)
    assert "bf.instagram-1" in flow.states()
    assert flow.states()["amazon-1"] == "planned"


@pytest.mark.parametrize("deadline_ms", [0, 1_800_000_000])
def test_a_deadline_in_seconds_is_named_and_not_obeyed(flow: Flow, deadline_ms: int) -> None:
    flow.say(upsert())
    campaign = replace(CAMPAIGN, deadline_ms=deadline_ms)
    assert flow.letters(campaign) == [("imagery.dead", "invalid_event")]
    assert "bf.instagram-1" not in flow.states()
    with flow.database.read() as facts:
        (wrong,) = submission.unmakeable([Read(7, campaign)], facts)
    assert (wrong.line, wrong.field) == (7, "deadline_ms")
    assert "milliseconds" in wrong.message


def test_a_campaign_for_an_unknown_sku_is_retried_then_dead(flow: Flow) -> None:
    assert flow.letters(CAMPAIGN) == [("imagery.retry.1000ms", "unknown_sku")]
    assert flow.letters(CAMPAIGN, attempt=1) == [("imagery.dead", "unknown_sku")]


def test_a_campaign_starts_with_the_products_that_are_known(flow: Flow) -> None:
    flow.say(upsert())
    both = CampaignRequested(tenant="demo", campaign="bf", skus=["A", "B"], channels=["instagram"])
    assert [task.sku for task in tasks(flow.say(both))] == ["A"]
    (later,) = [task for task in tasks(flow.say(upsert(sku="B"))) if task.campaign]
    assert later.sku == "B"


def test_a_new_version_is_made_for_the_running_campaigns_too(flow: Flow) -> None:
    flow.say(upsert())
    flow.say(CAMPAIGN)
    assert {task.campaign for task in tasks(flow.say(upsert(version=2)))} == {None, "bf"}


def test_a_cancelled_campaign_leaves_the_plan_and_is_retracted(flow: Flow) -> None:
    flow.say(upsert())
    flow.say(CAMPAIGN)
    (retract,) = flow.say(CampaignCancelled(tenant="demo", campaign="bf", reason="too late"))
    assert isinstance(retract, RetractRequested)
    assert retract.assets == ["bf.instagram-1"]
    assert retract.reason == "campaign bf was cancelled: too late"
    assert sorted(flow.states()) == ["amazon-1", "web-1"]
    assert flow.letters(replace(CAMPAIGN, skus=["A", "B"])) == [("imagery.dead", "campaign_cancelled")]


def test_the_request_of_a_cancelled_campaign_read_again_is_no_error(flow: Flow) -> None:
    flow.say(upsert())
    flow.say(CAMPAIGN)
    flow.say(CampaignCancelled(tenant="demo", campaign="bf"))
    assert flow.letters(CAMPAIGN) == []
    assert flow.say(CAMPAIGN) == []
    assert sorted(flow.states()) == ["amazon-1", "web-1"]
    with flow.database.read() as facts:
        fate = submission.fate(submission.Submitted("again", CAMPAIGN), facts)
    assert fate.state == "failed"
    assert "cancelled" in fate.reason
