"""Topics, keys and ids."""

import pytest

from schemas import identity, topics
from schemas.records import LANES, CampaignRequested, CatalogChanged, Step, Task


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


@pytest.mark.parametrize(
    ("key", "product"),
    [
        (b"demo|A", ("demo", "A")),
        (b"demo|A|1|2", ("demo", "A|1|2")),
        (b"demo|", ("demo", "")),
        (b"no bar", ("", "no bar")),
        (b"", ("", "")),
        (None, ("", "")),
        (b"demo|\xff", ("demo", r"\xff")),
    ],
)
def test_a_product_is_read_from_its_key(key: bytes | None, product: tuple[str, str]) -> None:
    assert topics.product_of(key) == product


@pytest.mark.parametrize("operation", ["cutout", "unheard-of"])
def test_a_task_belongs_on_the_topic_of_its_pool_and_lane_alone(operation: str) -> None:
    found = [topic.name for topic in topics.every((1000,)) if topics.belongs(task(operation=operation), topic.name)]
    assert found == (["imagery.tasks.cutout.standard"] if operation == "cutout" else [])


def test_every_topic_is_named_once() -> None:
    names = [topic.name for topic in topics.every((1000, 5000))]
    assert len(names) == len(set(names)) == 14 + 6 + 2
    assert all(name.startswith(topics.PREFIX) for name in names)


def test_the_same_work_has_the_same_id_and_other_work_another() -> None:
    first = identity.result_id("cutout", {"a": "1", "b": "2"}, ["d"], "engine", "")
    assert first == identity.result_id("cutout", {"b": "2", "a": "1"}, ["d"], "engine", "")
    assert first != identity.result_id("cutout", {"a": "1", "b": "2"}, ["d"], "other engine", "")
