"""Recipes: what becomes of the pictures, what a product lacks, what a channel allows."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from schemas.operations import OPERATIONS
from schemas.records import (
    AssetWithheld,
    CampaignRequested,
    Event,
    PublishRequested,
    ReplanRequested,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    Source,
    TaskCompleted,
)
from streams.consumer.letters import Delivery, outgoing
from streams.facts import Database, EventKey
from streams.services.recovery.rebuilding import fill
from tests.streams.flow import Flow, blob, done, published, tasks
from tests.streams.recipe_releases import MARKETPLACE, SPRING, Mockup, again, product, release, steps

MOCKUP = "      - {operation: mockup, each: channel, asset: lifestyle}\n"


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    monkeypatch.setitem(OPERATIONS, "mockup", dataclasses.replace(OPERATIONS["mockup"], parameters=Mockup))
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


# what becomes of the pictures


def test_an_asset_that_a_recipe_no_longer_makes_is_retracted(flow: Flow) -> None:
    flow.say(product("A", ["amazon"]))
    made = [each for each in publish_all(flow, "A") if isinstance(each, PublishRequested)]
    assert sorted(each.asset for each in made) == ["amazon-1", "web-1"]
    without = MARKETPLACE.replace("      - {operation: transparent, channel: web}\n", "")
    assert again(flow.say(release(without))) == [("demo", "A")]
    answers = flow.say(ReplanRequested(tenant="demo", sku="A"))
    assert [each.assets for each in answers if isinstance(each, RetractRequested)] == [["web-1"]]
    assert flow.states() == {"amazon-1": "published", "web-1": "leaving"}


def test_an_asset_that_goes_live_after_a_recipe_dropped_it_is_retracted(flow: Flow) -> None:
    """Its publication was under way: the re-plan knew of nothing that is live, and asked for no retraction."""
    flow.say(product("A", ["amazon"]))
    (cut,) = tasks(flow.say(ReplanRequested(tenant="demo", sku="A")))
    requests = [each for task in tasks(flow.say(done(cut))) for each in flow.say(done(task))]
    (under_way,) = (each for each in requests if isinstance(each, PublishRequested) and each.asset == "web-1")
    without = MARKETPLACE.replace("      - {operation: transparent, channel: web}\n", "")
    flow.say(release(without))
    answers = flow.say(ReplanRequested(tenant="demo", sku="A"))
    assert [each for each in answers if isinstance(each, RetractRequested)] == []
    (retraction,) = flow.say(published(under_way))
    assert isinstance(retraction, RetractRequested)
    assert (retraction.version, retraction.assets) == (1, ["web-1"])
    assert flow.states()["web-1"] == "leaving"


def publish_all(flow: Flow, sku: str) -> list[Event]:
    (cut,) = tasks(flow.say(ReplanRequested(tenant="demo", sku=sku)))
    requests = [each for task in tasks(flow.say(done(cut))) for each in flow.say(done(task))]
    for request in requests:
        assert isinstance(request, PublishRequested)
        flow.say(published(request))
    return requests


def on_way(flow: Flow, channels: Sequence[str] = ("shopify",)) -> TaskCompleted:
    """A picture for shopify that is done by the recipe of now, and not yet judged."""
    (cut,) = tasks(flow.say(product("A", channels)))
    task = next(each for each in tasks(flow.say(done(cut))) if each.step.channel == "shopify")
    return replace(done(task), outputs=[blob("c")])


def test_what_was_on_its_way_by_the_old_recipe_does_not_take_the_place_of_the_new_ones(flow: Flow) -> None:
    old = on_way(flow)
    flow.say(release(MARKETPLACE.replace("each: channel", "each: channel, parameters: {padding: 0.2}")))
    (answer,) = flow.say(old)
    assert isinstance(answer, ReplanRequested)
    assert answer.lane == "standard"
    (cut,) = tasks(flow.say(answer))
    new = next(each for each in tasks(flow.say(done(cut))) if each.step.channel == "shopify")
    assert [type(each) for each in flow.say(done(new))] == [PublishRequested]


def test_what_a_release_changed_before_a_picture_counts_as_much_as_its_own_step(flow: Flow) -> None:
    old = on_way(flow)
    flow.say(release(MARKETPLACE.replace("cutout\n", "cutout\n    parameters: {speckle_share: 0.01}\n")))
    assert [type(each) for each in flow.say(old)] == [ReplanRequested]


def test_what_a_release_does_not_touch_goes_on(flow: Flow) -> None:
    old = on_way(flow)
    flow.say(release(MARKETPLACE + "      - {operation: packshot, channel: google, parameters: {padding: 0.2}}\n"))
    assert [type(each) for each in flow.say(old)] == [PublishRequested]


def test_what_a_person_had_redone_goes_on(flow: Flow) -> None:
    old = on_way(flow)
    (request,) = flow.say(replace(old, measures=old.measures | {"cropped_edges": 1.0}))
    assert isinstance(request, ReviewRequested)
    fields = {"review_id": request.review_id, "tenant": "demo", "sku": "A", "approved": False, "redo": True}
    (task,) = tasks(flow.say(msgspec.convert({**fields, "parameters": {"padding": "0.3"}}, ReviewDecided)))
    assert task.step.parameters == {"padding": "0.3"}
    assert [type(each) for each in flow.say(done(task))] == [PublishRequested]


# what a product lacks


@pytest.mark.parametrize(
    ("attributes", "code", "message"),
    [
        ({}, "missing_attribute", "how tall is the product? There is no `attributes.height_cm`"),
        ({"height_cm": "tall"}, "bad_attribute", "`attributes.height_cm` = 'tall' is no number of cm above 0"),
        ({"height_cm": "nan"}, "bad_attribute", "is no number of cm"),
        ({"height_cm": "-1"}, "bad_attribute", "is no number of cm"),
        ({"height_cm": "1e9"}, "bad_attribute", "1000 at most"),
    ],
)
def test_a_mockup_without_a_height_is_refused_and_the_others_go_on(
    flow: Flow, attributes: dict[str, str], code: str, message: str
) -> None:
    flow.say(release(MARKETPLACE + MOCKUP))
    event = product("A", ["amazon", "shopify"], **attributes)
    answers = flow.say(event)
    (task,) = tasks(answers)
    assert sorted(steps(task)) == ["amazon-1", "shopify-1", "web-1"]
    (withheld,) = [each for each in answers if isinstance(each, AssetWithheld)]
    assert withheld.asset == "shopify-1.lifestyle"
    assert message in withheld.reason
    assert flow.states()["shopify-1.lifestyle"] == "failed"
    assert flow.letters(event) == [("imagery.dead", code)]
    with flow.database.read() as facts:
        refusal = facts.refusals.get(EventKey("imagery.catalog", "demo|A", "test", next(iter(_ids(flow)))))
    assert refusal is not None
    assert refusal.field == "attributes.height_cm"


def _ids(flow: Flow) -> list[str]:
    return [str(row).split("event_id=")[1].split("'")[0] for row in flow.database.dump()["refusals"]]


@pytest.mark.parametrize("written", ["27", "27.0", " 27 ", "2.7e1"])
def test_the_height_is_reported_the_same_however_the_catalogue_writes_it(flow: Flow, written: str) -> None:
    flow.say(release(MARKETPLACE + MOCKUP))
    (task,) = tasks(flow.say(product("A", ["shopify"], height_cm=written)))
    assert steps(task)["shopify-1.lifestyle"] == {"height_cm": "27"}


def test_a_recipe_and_defaults_may_say_the_height(flow: Flow) -> None:
    flow.say(release(MARKETPLACE + MOCKUP.replace("lifestyle}", "lifestyle, parameters: {height_cm: 9}}")))
    flow.say(release("tenant: acme\nversion: 1\ndefaults: [{operation: mockup, parameters: {height_cm: 5}}]"))
    (task,) = tasks(flow.say(product("A", ["shopify"], height_cm="27")))
    assert steps(task)["shopify-1.lifestyle"] == {"height_cm": "9"}
    flow.say(release((MARKETPLACE + MOCKUP).replace("version: 2", "version: 3")))
    (task,) = tasks(flow.say(product("B", ["shopify"], "acme")))
    assert steps(task)["shopify-1.lifestyle"] == {"height_cm": "5"}


def test_an_asset_that_gets_what_it_lacked_is_made(flow: Flow) -> None:
    flow.say(release(MARKETPLACE + MOCKUP))
    flow.say(product("A", ["shopify"]))
    (task,) = tasks(flow.say(replace(product("A", ["shopify"], height_cm="9"), version=2)))
    assert "shopify-1.lifestyle" in steps(task)
    assert flow.states()["shopify-1.lifestyle"] == "planned"


def test_a_campaign_has_one_letter_for_all_its_products_that_lack_a_height(flow: Flow) -> None:
    flow.say(release(SPRING.replace("packshot", "mockup").replace("padding: 0.1", "scene: auto")))
    for sku in "AB":
        flow.say(product(sku, ["amazon"]))
    campaign = CampaignRequested(tenant="demo", campaign="x", skus=["A", "B"], recipe="spring", channels=["shopify"])
    assert flow.letters(campaign) == [("imagery.dead", "missing_attribute")]
    assert flow.states("B")["x.shopify-1"] == "failed"


# what a channel allows


def test_a_mockup_is_made_for_each_channel_that_allows_scenes(flow: Flow) -> None:
    flow.say(release(MARKETPLACE + MOCKUP))
    everywhere = ["amazon", "google", "zalando", "shopify", "instagram", "web"]
    (task,) = tasks(flow.say(product("A", everywhere, height_cm="9")))
    assert [name for name in steps(task) if "lifestyle" in name] == ["shopify-1.lifestyle", "instagram-1.lifestyle"]


def test_a_campaign_of_which_nothing_may_be_made_is_refused(flow: Flow) -> None:
    flow.say(release(SPRING.replace("packshot", "mockup").replace("padding: 0.1", "scene: auto")))
    flow.say(product("A", ["amazon"]))
    campaign = CampaignRequested(tenant="demo", campaign="x", skus=["A"], recipe="spring", channels=["amazon"])
    assert flow.letters(campaign) == [("imagery.dead", "nothing_to_make")]


def test_pictures_of_several_sources_and_names_live_side_by_side(flow: Flow) -> None:
    flow.say(release(MARKETPLACE + MOCKUP))
    event = replace(product("A", ["shopify"], height_cm="9"), sources=[Source(uri="a.jpg"), Source(uri="b.jpg")])
    flow.say(event)
    assert sorted(flow.states()) == [
        "shopify-1", "shopify-1.lifestyle", "shopify-2", "shopify-2.lifestyle", "web-1", "web-2",
    ]  # fmt: skip


# the facts made anew


def test_a_campaign_that_was_read_behind_the_later_release_of_its_recipe_is_noted_again(flow: Flow) -> None:
    """Topics are read in any order; the facts are made anew in the order of time."""
    campaign = CampaignRequested(tenant="demo", campaign="x", skus=["A"], recipe="spring", channels=["shopify"])
    found: list[Event] = [product("A", ["amazon"]), campaign, release(SPRING), release(SPRING.replace("1", "2"))]
    for event in (found[0], found[2], found[3], found[1]):
        flow.say(event)
    before = flow.database.dump()
    records = [outgoing(event, "test") for event in found]
    with flow.database.replaced() as facts:
        offsets = (1, 4, 2, 3)  # where the flow read them
        read = [(at, offset, r) for at, (offset, r) in enumerate(zip(offsets, records, strict=True))]
        fill(facts, [Delivery(r.topic, 0, offset, r.key, r.value, r.headers, at) for at, offset, r in read], [])
    after = flow.database.dump()
    assert before["campaigns"] == after["campaigns"] != []
    assert before["assets"] == after["assets"]
    assert before["recipes"] == after["recipes"]


def test_the_lifestyle_recipe_makes_scenes_beside_the_packshots(flow: Flow) -> None:
    flow.say(product("A", ["amazon", "instagram"], height_cm="9.4"))
    wanted = {"skus": ["A"], "recipe": "lifestyle", "channels": ["amazon", "instagram", "shopify"]}
    (task,) = tasks(flow.say(CampaignRequested(tenant="demo", campaign="x", **wanted)))  # type: ignore[arg-type]
    assert steps(task) == {
        f"x.{channel}-1.lifestyle": {"scene": "auto", "height_cm": "9.4"} for channel in ("instagram", "shopify")
    }
    assert {"instagram-1", "x.instagram-1.lifestyle"} <= flow.states().keys()
