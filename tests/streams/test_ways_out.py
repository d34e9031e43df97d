"""Every state has a way out: from each one of an asset, a review and a task a command of an operator leads on.

The commands are there as the events that they send: replay, retract, review approve, reject and undo.
"""

import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import (
    AssetWithheld,
    DecisionUndone,
    Event,
    PublishRequested,
    ReplanRequested,
    RetractionDecided,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.facts import AssetState, Database
from streams.services.audit.products import ProductView, stuck
from tests.streams.flow import Flow, done, published, tasks, upsert

ASSET = "amazon-1"
REPLAY = ReplanRequested(tenant="demo", sku="A")
OFF = RetractionDecided(tenant="demo", sku="A", version=1, assets=[ASSET], reason="x")
REDO = {"approved": False, "redo": True, "parameters": {"padding": "0.02"}}


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database, retry_delays_ms=())
    database.close()


def made(flow: Flow, event: Event) -> Task:
    """What composes the asset, once the product is cut out; as asked for later than all before."""
    flow.requested_ms = getattr(flow, "requested_ms", 0) + 1  # type: ignore[attr-defined]
    (cut,) = tasks(flow.say(event))
    cut = replace(cut, asked_at_ms=flow.requested_ms)  # type: ignore[attr-defined]
    return next(task for task in tasks(flow.say(done(cut))) if task.step.asset == ASSET)


def planned(flow: Flow) -> None:
    made(flow, upsert())


def failed(flow: Flow) -> None:
    flow.say(TaskFailed(task=made(flow, upsert()), kind="permanent", code="gone"))


def publishing(flow: Flow) -> PublishRequested:
    (request,) = flow.say(done(made(flow, upsert())))
    assert isinstance(request, PublishRequested)
    return request


def live(flow: Flow) -> None:
    flow.say(published(publishing(flow)))


def review(flow: Flow) -> ReviewRequested:
    (request,) = flow.say(done(made(flow, upsert()), fill=0.5))
    assert isinstance(request, ReviewRequested)
    return request


def decided(flow: Flow, request: ReviewRequested, **more: object) -> ReviewDecided:
    event = ReviewDecided(review_id=request.review_id, tenant="demo", sku="A", **more)  # type: ignore[arg-type]
    flow.say(event)
    return event


def rejected(flow: Flow) -> None:
    decided(flow, review(flow), approved=False)


def leaving(flow: Flow) -> None:
    live(flow)
    flow.say(replace(upsert(2), channels=["shopify"]))


def undo(flow: Flow) -> DecisionUndone:
    with flow.database.read() as facts:
        (decision,) = [each.decision for each in facts.reviews.every(pending=False) if each.decision]
    return DecisionUndone(tenant="demo", sku="A", decision=decision, version=decision.version + 1)


def approve(flow: Flow) -> ReviewDecided:
    with flow.database.read() as facts:
        (waiting,) = facts.reviews.every()
    return ReviewDecided(review_id=waiting.review_id, tenant="demo", sku="A", approved=True)


WAYS: dict[AssetState, tuple[Callable[[Flow], object], list[tuple[Callable[[Flow], Event], type[Event] | str]]]] = {
    "planned": (planned, [(lambda _: REPLAY, Task), (lambda _: OFF, "rejected")]),
    "failed": (failed, [(lambda _: REPLAY, "planned"), (lambda _: OFF, "rejected")]),
    "publishing": (publishing, [(lambda _: REPLAY, Task), (lambda _: OFF, "rejected")]),
    "published": (live, [(lambda _: REPLAY, Task), (lambda _: OFF, "rejected")]),
    "review": (review, [(approve, "publishing"), (lambda _: REPLAY, Task), (lambda _: OFF, "rejected")]),
    "rejected": (rejected, [(undo, "review")]),
    "leaving": (leaving, [(lambda _: REPLAY, RetractRequested)]),
}


def test_every_state_of_an_asset_is_looked_at() -> None:
    assert WAYS.keys() == set(typing.get_args(AssetState))


@pytest.mark.parametrize(
    ("state", "exit_number"), [(state, number) for state, (_, ways) in WAYS.items() for number in range(len(ways))]
)
def test_from_every_state_of_an_asset_a_command_leads_on(flow: Flow, state: AssetState, exit_number: int) -> None:
    reach, ways = WAYS[state]
    reach(flow)
    assert flow.states()[ASSET] == state
    command, expected = ways[exit_number]
    followed = flow.say(command(flow))
    if isinstance(expected, str):
        assert flow.states()[ASSET] == expected
    else:
        assert any(isinstance(event, expected) for event in followed)


@pytest.mark.parametrize("outcome", ["superseded", "cancelled", "expired"])
def test_a_task_that_was_dropped_is_begun_again(flow: Flow, outcome: str) -> None:
    task = made(flow, upsert())
    flow.say(TaskCompleted(task=task, outcome=outcome))  # type: ignore[arg-type]
    (request,) = flow.say(done(made(flow, REPLAY)))
    assert isinstance(request, PublishRequested)
    assert flow.states()[ASSET] == "publishing"


def test_a_redo_that_failed_is_tried_again_by_a_replay(flow: Flow) -> None:
    request = review(flow)
    event = decided(flow, request, **REDO)
    (redo,) = tasks(flow.say(event))
    flow.say(TaskFailed(task=redo, kind="permanent", code="engine_failed"))
    assert flow.states()[ASSET] == "failed"
    (again,) = flow.say(done(made(flow, REPLAY), fill=0.5))
    assert isinstance(again, Task)
    assert again.step.parameters == {"padding": "0.02"}
    assert [type(event) for event in flow.say(done(again))] == [PublishRequested]


def test_what_was_rejected_and_is_planned_anew_ends_as_rejected(flow: Flow) -> None:
    rejected(flow)
    with flow.database.begin() as facts:  # as when a recipe dropped the asset, and another one brings it back
        facts.assets.move("demo", "A", ASSET, 1, "begun again")
    (withheld,) = flow.say(done(made(flow, REPLAY), fill=0.5))
    assert isinstance(withheld, AssetWithheld)
    assert flow.states()[ASSET] == "rejected"


def test_what_is_said_to_wait_for_a_person_and_nobody_is_asked_is_stuck(flow: Flow) -> None:
    review(flow)
    assets = {asset.asset: asset for asset in flow.assets() if asset.asset == ASSET}
    assert list(stuck(ProductView("demo", "A", 1, assets=assets, reviewed={ASSET}))) == []
    (finding,) = stuck(ProductView("demo", "A", 1, assets=assets))
    assert ASSET in finding.name
