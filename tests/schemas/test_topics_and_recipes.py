"""Topics, keys, ids and recipes."""

import pytest

from schemas import identity, recipes, topics
from schemas.records import LANES, CampaignRequested, CatalogChanged, Source, Step, Task


def task(lane: str = "standard", operation: str = "cutout") -> Task:
    step = Step(operation=operation)
    return Task(task_id="0" * 64, tenant="demo", sku="A|1", version=1, lane=lane, step=step)  # type: ignore[arg-type]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(("operation", "pool"), [("cutout", "cutout"), ("packshot", "compose")])
def test_a_task_goes_to_its_pool_and_lane(lane: str, operation: str, pool: str) -> None:
    assert topics.topic_of(task(lane, operation)).name == f"imagery.tasks.{pool}.{lane}"


def test_events_of_a_product_share_a_key_and_campaigns_have_their_own() -> None:
    event = CatalogChanged(change="delete", tenant="demo", sku="A|1", version=1)
    campaign = CampaignRequested(tenant="demo", campaign="c", skus=["A"], channels=["amazon"])
    assert topics.key_of(event) == topics.key_of(task()) == b"demo|A|1"
    assert topics.key_of(campaign) == b"demo|c"


def test_every_topic_is_named_once() -> None:
    names = [topic.name for topic in topics.every((1000, 5000))]
    assert len(names) == len(set(names)) == 10 + 6 + 2
    assert all(name.startswith(topics.PREFIX) for name in names)


def test_the_same_work_has_the_same_id_and_other_work_another() -> None:
    first = identity.result_id("cutout", {"a": "1", "b": "2"}, ["d"], "engine", "")
    assert first == identity.result_id("cutout", {"b": "2", "a": "1"}, ["d"], "engine", "")
    assert first != identity.result_id("cutout", {"a": "1", "b": "2"}, ["d"], "other engine", "")


def test_a_slip_names_its_assets_by_channel_source_and_campaign() -> None:
    sources = [Source(uri="1.jpg"), Source(uri="2.jpg")]
    slips = recipes.slips("marketplace", sources, ["amazon", "google"], None)
    assert [recipes.assets(slip) for _, slip in slips] == [
        ["amazon-1", "google-1", "web-1"],
        ["amazon-2", "google-2", "web-2"],
    ]
    campaign = recipes.slips("campaign", sources[:1], ["instagram"], "bf")
    assert recipes.assets(campaign[0][1]) == ["bf.instagram-1"]
    assert campaign[0][1].next[0].parameters["shadow.mode"] == "soft"


def test_a_channel_that_the_recipe_names_itself_gets_one_asset_only() -> None:
    [(_, slip)] = recipes.slips("marketplace", [Source(uri="1.jpg")], ["web", "amazon"], None)
    assert [(step.operation, step.asset) for step in slip.next] == [
        ("packshot", "amazon-1"),
        ("transparent", "web-1"),
    ]


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_uses_operations_that_have_a_pool(name: str) -> None:
    def operations(step: recipes.RecipeStep) -> set[str]:
        return {step.operation}.union(*(operations(following) for following in step.next))

    found = set().union(*(operations(step) for step in recipes.load(name).steps))
    assert found <= set(topics.POOL_OF_OPERATION)


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(recipes.UnknownRecipe, match="marketplace"):
        recipes.load("nope")
