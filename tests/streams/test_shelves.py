"""Pictures beside each other: what stands out on its shelf is for a person, and says what differs."""

import time
from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from schemas.records import (
    Event,
    PublishRequested,
    ReplanRequested,
    ReviewDecided,
    ReviewRequested,
    ShelfMeasured,
    Task,
    TaskCompleted,
)
from streams.flow.gates.style import LOOKS, SHELF_MIN
from streams.flow.processors.shelving import shelf_of
from streams.services.display import shelves
from tests.streams.flow import Flow, done, published, tasks, upsert

LOOK = {"look_ground": 100.0, "look_margin": 0.07, "look_scale": 0.4, "look_tone": 50.0, "look_light_x": 1.0}


def shelf(version: int = 1, pictures: int = 40, outliers: Sequence[str] = ()) -> ShelfMeasured:
    """The shelf on which the products of these tests lie."""
    spreads = dict.fromkeys(LOOK, 0.0)
    return ShelfMeasured(
        tenant="demo",
        shelf="amazon",
        version=version,
        pictures=pictures,
        medians=LOOK,
        spreads=spreads,
        outliers=list(outliers),
    )


def test_a_look_from_the_future_is_refused_and_does_not_count_for_ever(flow: Flow) -> None:
    assert flow.letters(shelf(version=253_402_300_799_999), attempt=9) == [("imagery.dead", "from_the_future")]
    assert flow.letters(shelf(version=time.time_ns() // 1_000_000)) == []


def looking(completed: TaskCompleted, look: Mapping[str, float] = LOOK) -> TaskCompleted:
    return replace(completed, measures={**completed.measures, **LOOK, **look})


def made(flow: Flow, look: Mapping[str, float] = LOOK, *, request: Event | None = None, sku: str = "A") -> list[Event]:
    """What comes of a product's picture that looks so."""
    (cut,) = tasks(flow.say(request or upsert(sku=sku)))
    return [answer for task in main(flow, cut) for answer in flow.say(looking(done(task), look))]


def main(flow: Flow, cut: Task) -> list[Task]:
    """The tasks of the picture for amazon."""
    return [task for task in tasks(flow.say(done(cut))) if task.step.asset == "amazon-1"]


def live(flow: Flow, sku: str, margin: float = LOOK["look_margin"]) -> None:
    for each in made(flow, {"look_margin": margin}, sku=sku):
        assert isinstance(each, PublishRequested)
        flow.say(published(each))


def style(event: Event) -> dict[str, str]:
    assert isinstance(event, PublishRequested | ReviewRequested)
    return {check.name: check.outcome for check in event.verdict.checks if check.point == "style"}


def test_nobody_has_looked_so_nothing_is_demanded_and_the_measures_are_reported(flow: Flow) -> None:
    (request,) = made(flow)
    assert isinstance(request, PublishRequested)
    assert style(request) == dict.fromkeys(LOOK, "not_run")
    measured = {check.name: check.measured for check in request.verdict.checks if check.point == "style"}
    assert measured == LOOK


def test_a_shelf_of_too_few_says_so_and_demands_nothing(flow: Flow) -> None:
    flow.say(shelf(pictures=SHELF_MIN - 1))
    (request,) = made(flow, {"look_margin": 0.4})
    assert isinstance(request, PublishRequested)
    lines = [check for check in request.verdict.checks if check.point == "style"]
    assert all("11 are" in check.limit for check in lines)


def test_what_looks_as_its_shelf_passes_and_names_what_it_was_held_against(flow: Flow) -> None:
    flow.say(shelf(version=7))
    (request,) = made(flow)
    assert style(request) == dict.fromkeys(LOOK, "pass")
    assert isinstance(request, PublishRequested)
    assert {check.rule for check in request.verdict.checks if check.point == "style"} == {"shelf@7"}


@pytest.mark.parametrize(("name", "value"), [("look_margin", 0.2), ("look_ground", 94.0), ("look_light_x", -20.0)])
def test_what_stands_out_is_for_a_person_and_says_what_differs(flow: Flow, name: str, value: float) -> None:
    flow.say(shelf())
    (request,) = made(flow, {name: value})
    assert isinstance(request, ReviewRequested)
    assert [(doubt.about, doubt.checks) for doubt in request.doubts] == [("style", [name])]
    assert name in request.reason
    assert "as on the shelf" in request.reason


def test_a_measure_within_a_few_of_the_least_that_is_seen_passes(flow: Flow) -> None:
    flow.say(shelf())
    for look in LOOKS:
        if look.measure in LOOK:
            sku = look.measure
            (request,) = made(flow, {look.measure: LOOK[look.measure] + 3.4 * look.seen_from}, sku=sku)
            assert isinstance(request, PublishRequested), look


def test_another_tenants_shelf_counts_for_nobody_else(flow: Flow) -> None:
    flow.say(replace(shelf(), tenant="other"))
    (request,) = made(flow, {"look_margin": 0.4})
    assert isinstance(request, PublishRequested)


def test_the_newest_look_counts_in_whatever_order_they_come(flow: Flow) -> None:
    flow.say(shelf(version=9))
    flow.say(replace(shelf(version=8), medians={**LOOK, "look_margin": 0.4}))
    (request,) = made(flow)
    assert isinstance(request, PublishRequested)


def test_what_is_live_and_stands_out_is_asked_about_once_and_stays_live(flow: Flow) -> None:
    live(flow, "A", 0.3)
    (again,) = [each for each in flow.say(shelf(outliers=["A"])) if isinstance(each, ReplanRequested)]
    (request,) = made(flow, {"look_margin": 0.3}, request=again)
    assert isinstance(request, ReviewRequested)
    assert [(each.state, each.live is not None) for each in flow.assets() if each.asset == "amazon-1"] == [
        ("review", True)
    ]
    word = ReviewDecided(review_id=request.review_id, tenant="demo", sku="A", approved=True)
    (approved,) = [each for each in flow.say(word) if isinstance(each, PublishRequested)]
    flow.say(published(approved))
    assert flow.states()["amazon-1"] == "published"
    with flow.database.read() as facts:
        seen = facts.shelves.get("demo", "amazon")
        count, shown = shelves.on_shelf(facts, "demo", "amazon")
    assert seen is not None
    assert (count, [check.name for check in shown[0].apart]) == (1, ["look_margin"])
    assert made(flow, {"look_margin": 0.3}, request=replace(again, reason="once more")) == [], (
        "a person has said so already"
    )


def test_a_new_look_at_the_shelf_moves_nothing_that_is_as_it(flow: Flow) -> None:
    live(flow, "A")
    (cut,) = tasks(flow.say(ReplanRequested(tenant="demo", sku="A")))
    flow.say(shelf(version=2))
    assert [answer for task in main(flow, cut) for answer in flow.say(looking(done(task)))] == []


def test_a_shelf_is_looked_at_by_what_live_verdicts_say(flow: Flow) -> None:
    for number in range(SHELF_MIN):
        live(flow, f"S{number}", 0.07 + 0.001 * (number % 3))
    live(flow, "ODD", 0.3)
    (found,) = shelves._measured(flow.database, "demo", "me")
    assert (found.shelf, found.pictures, found.outliers) == ("amazon", SHELF_MIN + 1, ["ODD"])
    assert found.medians["look_margin"] == pytest.approx(0.071)
    assert shelves._measured(flow.database, "other", "me") == []
    flow.say(found)
    with flow.database.read() as facts:
        assert shelves.names(facts, "demo") == ["amazon"]
        assert [each.asset.sku for each in shelves.on_shelf(facts, "demo", "amazon")[1] if each.apart] == ["ODD"]


@pytest.mark.parametrize(
    ("asset", "channel", "shelf"),
    [
        ("amazon-1", "amazon", "amazon"),
        ("amazon-12.lifestyle", "amazon", "amazon.lifestyle"),
        ("spring-26.amazon-1", "amazon", "spring-26.amazon"),
        ("amazon-1.amazon-2", "amazon", "amazon.amazon-2"),
    ],
)
def test_a_shelf_is_an_assets_name_without_its_number(asset: str, channel: str, shelf: str) -> None:
    assert shelf_of(asset, channel) == shelf
