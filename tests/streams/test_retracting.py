"""A person takes assets off: the facts, what is asked of the publisher, and what brings them back."""

import pytest

from schemas.records import (
    AssetRetracted,
    PublishRequested,
    ReplanRequested,
    RetractionDecided,
    RetractRequested,
    ReviewRequested,
    Task,
)
from tests.streams.flow import Flow, done, published, tasks, upsert


def off(*assets: str, version: int = 1) -> RetractionDecided:
    return RetractionDecided(tenant="demo", sku="A", version=version, assets=list(assets), reason="wrong logo")


def composed(flow: Flow, version: int = 1) -> Task:
    (cut,) = tasks(flow.say(upsert(version)))
    return next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")


def live(flow: Flow, version: int = 1) -> Task:
    task = composed(flow, version)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    return task


def gone(version: int = 1) -> AssetRetracted:
    return AssetRetracted(
        tenant="demo", sku="A", version=version, asset="amazon-1", reason="", urls=[], retracted_at_ms=1
    )


@pytest.mark.parametrize("named", [True, False])
def test_what_is_live_goes_with_the_reason(flow: Flow, named: bool) -> None:
    task = live(flow)
    name = task.step.asset or ""
    names = [name] if named else sorted(flow.states())
    expected = RetractRequested(tenant="demo", sku="A", version=1, assets=names, reason="retracted: wrong logo")
    assert flow.say(off(name) if named else off()) == [expected]
    assert {(row.state, row.reason) for row in flow.assets() if row.asset in names} == {
        ("rejected", "retracted: wrong logo")
    }
    assert {row.state for row in flow.assets() if row.asset not in names} <= {"planned"}
    assert flow.say(off(*names)) == [expected], "told again it is answered the same"


def test_a_result_that_comes_late_does_not_bring_it_back(flow: Flow) -> None:
    task = composed(flow)
    flow.say(off())
    assert flow.say(done(task)) == []
    assert set(flow.states().values()) == {"rejected"}


def test_a_doubtful_result_that_comes_late_asks_nobody(flow: Flow) -> None:
    task = composed(flow)
    flow.say(off())
    assert flow.say(done(task, fill=0.1)) == []


def test_a_review_that_waits_is_closed(flow: Flow) -> None:
    task = composed(flow)
    (review,) = flow.say(done(task, fill=0.1))
    assert isinstance(review, ReviewRequested)
    flow.say(off())
    with flow.database.read() as facts:
        assert facts.reviews.every() == []


def test_an_operators_replay_brings_it_back(flow: Flow) -> None:
    live(flow)
    flow.say(off())
    flow.say(gone())
    (cut,) = tasks(flow.say(ReplanRequested(tenant="demo", sku="A")))
    assert set(flow.states().values()) == {"planned"}
    task = next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")
    assert [type(event) for event in flow.say(done(task))] == [PublishRequested]


def test_a_newer_version_brings_it_back_and_is_not_hit_by_the_older_decision(flow: Flow) -> None:
    live(flow)
    flow.say(off())
    flow.say(gone())
    name = live(flow, version=2).step.asset or ""
    (request,) = flow.say(off())
    assert isinstance(request, RetractRequested)
    assert request.version == 1
    assert flow.states()[name] == "published"


def test_the_catalogue_event_announced_again_does_not_bring_it_back(flow: Flow) -> None:
    live(flow)
    flow.say(off())
    assert tasks(flow.say(upsert())) == []
    assert set(flow.states().values()) == {"rejected"}


def test_what_nobody_knows_is_refused_by_name(flow: Flow) -> None:
    assert flow.letters(off()) == [("imagery.retry.1000ms", "unknown_version")]
    live(flow)
    assert flow.letters(off("amazom-1")) == [("imagery.dead", "unknown_asset")]
