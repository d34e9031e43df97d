"""The processors: what people decide, and what is made again."""

import pytest
from msgspec.structs import replace

from schemas.records import (
    AssetWithheld,
    CampaignCancelled,
    CatalogChanged,
    PublishRequested,
    ReplanRequested,
    ReviewRequested,
    Task,
)
from tests.streams.flow import Flow, blob, done, published, tasks, upsert
from tests.streams.processing import CAMPAIGN, compose_task, decision, reviewed


def test_a_doubtful_asset_waits_for_a_person(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow), fill=0.5))
    assert isinstance(request, ReviewRequested)
    assert request.reason == "fill is 0.5, the limit ≥ 0.85"
    assert flow.states()["amazon-1"] == "review"


def test_an_approved_asset_goes_live_with_the_name_of_who_approved(flow: Flow) -> None:
    review = reviewed(flow)
    (request,) = flow.say(decision(review, approved=True, decided_by="ada"))
    assert isinstance(request, PublishRequested)
    assert request.approved_by == "ada"
    assert flow.say(decision(review, approved=True, decided_by="ada")) == [request]


def test_a_rejected_asset_ends_with_its_reason(flow: Flow) -> None:
    (withheld,) = flow.say(decision(reviewed(flow), approved=False, reason="logo cut off"))
    assert isinstance(withheld, AssetWithheld)
    assert withheld.reason == "rejected: logo cut off"
    assert flow.states()["amazon-1"] == "rejected"


def test_a_rejected_asset_is_redone_with_other_parameters(flow: Flow) -> None:
    review = reviewed(flow)
    (task,) = flow.say(decision(review, approved=False, redo=True, parameters={"padding": "0.02"}))
    assert isinstance(task, Task)
    assert task.step.parameters == {"padding": "0.02"}
    assert task.task_id != review.completed.task.task_id
    assert flow.states()["amazon-1"] == "planned"


def test_a_decision_that_is_announced_again_moves_nothing_back(flow: Flow) -> None:
    review = reviewed(flow)
    approved = decision(review, approved=True, decided_by="ada")
    (request,) = flow.say(approved)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    flow.say(approved)
    assert flow.say(review.completed) == []
    assert flow.states()["amazon-1"] == "published"


def test_a_rejected_asset_stays_rejected_when_its_result_or_its_product_comes_again(flow: Flow) -> None:
    review = reviewed(flow)
    flow.say(decision(review, approved=False, reason="logo cut off"))
    assert flow.say(review.completed) == []
    (again,) = tasks(flow.say(upsert()))
    assert [step.asset for step in again.step.next] == ["web-1"]
    assert flow.states()["amazon-1"] == "rejected"


def test_a_redone_asset_that_is_live_stays_so_when_the_decision_comes_again(flow: Flow) -> None:
    redo = decision(reviewed(flow), approved=False, redo=True, parameters={"padding": "0.02"})
    (task,) = flow.say(redo)
    assert isinstance(task, Task)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    assert flow.say(redo) == [task]
    assert flow.say(done(task)) == []
    assert flow.states()["amazon-1"] == "published"


def test_a_redo_that_would_change_nothing_is_refused(flow: Flow) -> None:
    redo = decision(reviewed(flow), approved=False, redo=True)
    assert flow.letters(redo) == [("imagery.dead", "redone_before")]
    assert flow.states()["amazon-1"] == "review"


def test_a_replan_begins_settled_assets_again_and_publishes_nothing_twice(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    amazon, web = tasks(flow.say(done(cut)))
    (request,) = flow.say(done(amazon))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    flow.say(done(web, fill=0.5))
    (again,) = tasks(flow.say(ReplanRequested(tenant="demo", sku="A")))
    assert (again.lane, again.task_id, again.step) == ("bulk", cut.task_id, cut.step)
    assert flow.states() == {"amazon-1": "published", "web-1": "review"}
    assert [task.task_id for task in tasks(flow.say(done(again)))] == [amazon.task_id, web.task_id]
    assert flow.say(done(amazon)) == []
    assert flow.states()["amazon-1"] == "published"


def test_a_replan_publishes_what_comes_out_otherwise(flow: Flow) -> None:
    task = compose_task(flow)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    flow.say(ReplanRequested(tenant="demo", sku="A"))
    (newer,) = flow.say(replace(done(task), outputs=[blob("d")], result_id="e" * 64))
    assert isinstance(newer, PublishRequested)
    assert newer.file == blob("d")


def test_a_newer_result_closes_the_review_of_the_older(flow: Flow) -> None:
    review = reviewed(flow)
    newer = replace(review.completed, outputs=[blob("d")], measures=done(review.completed.task).measures)
    (request,) = flow.say(replace(newer, result_id="e" * 64))
    assert isinstance(request, PublishRequested)
    assert flow.letters(decision(review, approved=True)) == [("imagery.dead", "review_closed")]


def test_the_review_of_an_asset_that_leaves_the_plan_is_closed(flow: Flow) -> None:
    flow.say(upsert())
    (cut,) = tasks(flow.say(CAMPAIGN))
    (task,) = tasks(flow.say(done(cut)))
    (review,) = flow.say(done(task, fill=0.1))
    assert isinstance(review, ReviewRequested)
    flow.say(CampaignCancelled(tenant="demo", campaign="bf"))
    with flow.database.read() as facts:
        assert facts.reviews.every() == []
    assert flow.letters(decision(review, approved=True)) == [("imagery.dead", "review_closed")]


def test_an_announcement_that_comes_late_leaves_a_newer_result_with_the_person(flow: Flow) -> None:
    task = compose_task(flow)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(replace(done(task, fill=0.5), outputs=[blob("d")], result_id="e" * 64))
    flow.say(published(request))
    assert flow.states()["amazon-1"] == "review"
    assert flow.assets()[0].live == published(request)


def test_a_replan_of_a_product_that_is_gone_or_unknown_asks_for_nothing(flow: Flow) -> None:
    assert flow.say(ReplanRequested(tenant="demo", sku="A")) == []
    flow.say(CatalogChanged(change="delete", tenant="demo", sku="A", version=2))
    assert flow.say(ReplanRequested(tenant="demo", sku="A")) == []


def test_another_decision_on_a_closed_review_is_refused(flow: Flow) -> None:
    review = reviewed(flow)
    flow.say(decision(review, approved=True))
    assert flow.letters(decision(review, approved=False)) == [("imagery.dead", "review_closed")]


def test_a_newer_version_closes_the_reviews_of_the_older(flow: Flow) -> None:
    review = reviewed(flow)
    flow.say(upsert(version=2))
    assert flow.letters(decision(review, approved=True)) == [("imagery.dead", "review_closed")]


@pytest.mark.parametrize(
    ("change", "code"), [({"tenant": "other"}, "wrong_review"), ({"sku": "B"}, "wrong_review"), ({}, None)]
)
def test_a_decision_is_held_against_its_reviews_product(flow: Flow, change: dict[str, str], code: str | None) -> None:
    review = reviewed(flow)
    decided = replace(decision(review, approved=True), **change)
    assert flow.letters(decided) == ([] if code is None else [("imagery.dead", code)])
    with flow.database.read() as facts:
        assert [each.state for each in facts.reviews.every(pending=False)] == ["pending" if code else "approved"]
