"""A decision is taken back: before it is carried out, before and after publication, in whatever order words come."""

import pytest
from msgspec.structs import replace

from schemas.records import (
    AssetRetracted,
    DecisionUndone,
    PublishRequested,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
)
from streams.facts import Review
from tests.streams.flow import Flow, done, published, tasks, upsert

ASSET = "amazon-1"


def doubtful(flow: Flow, version: int = 1) -> ReviewRequested:
    (cut,) = tasks(flow.say(upsert(version)))
    task = next(task for task in tasks(flow.say(done(cut))) if task.step.asset == ASSET)
    (review,) = flow.say(done(task, fill=0.5))
    assert isinstance(review, ReviewRequested)
    return review


def decided(review: ReviewRequested, **more: object) -> ReviewDecided:
    fields = {"review_id": review.review_id, "tenant": "demo", "sku": "A", "version": 1, "decided_by": "ada"}
    return ReviewDecided(**(fields | more))  # type: ignore[arg-type]


def undone(decision: ReviewDecided, version: int = 2) -> DecisionUndone:
    return DecisionUndone(tenant="demo", sku="A", decision=decision, version=version, reason="wrong key")


def known(flow: Flow, review: ReviewRequested) -> Review:
    with flow.database.read() as facts:
        found = facts.reviews.get(review.review_id)
    assert found is not None
    return found


def state(flow: Flow) -> str:
    return flow.states()[ASSET]


def gone() -> AssetRetracted:
    return AssetRetracted(tenant="demo", sku="A", version=1, asset=ASSET, reason="", urls=[], retracted_at_ms=1)


def withdrawn(review: ReviewRequested) -> RetractRequested:
    return RetractRequested(
        tenant="demo",
        sku="A",
        version=1,
        assets=[ASSET],
        reason="decision taken back: wrong key",
        result_id=review.completed.result_id,
    )


@pytest.mark.parametrize("is_live", [False, True])
def test_what_was_approved_goes_and_waits_again(flow: Flow, is_live: bool) -> None:
    review = doubtful(flow)
    approval = decided(review, approved=True)
    (request,) = flow.say(approval)
    assert isinstance(request, PublishRequested)
    if is_live:
        flow.say(published(request))
    assert flow.say(undone(approval)) == [withdrawn(review)]
    assert flow.say(undone(approval)) == [withdrawn(review)], "told again it is answered the same"
    if not is_live:
        flow.say(published(request))  # it was on its way
    flow.say(gone())
    asset = next(row for row in flow.assets() if row.asset == ASSET)
    assert (asset.state, asset.reason, asset.live) == ("review", review.reason, None)
    assert known(flow, review).state == "pending"


def test_what_was_rejected_waits_again_and_may_go_live(flow: Flow) -> None:
    review = doubtful(flow)
    rejection = decided(review, approved=False, reason="no")
    flow.say(rejection)
    assert flow.say(undone(rejection)) == []
    assert state(flow) == "review"
    (request,) = flow.say(decided(review, version=3, approved=True))
    assert isinstance(request, PublishRequested)
    assert state(flow) == "publishing"


def test_the_newest_word_counts_in_whatever_order_they_come(flow: Flow) -> None:
    review = doubtful(flow)
    approval = decided(review, approved=True)
    flow.say(undone(approval))
    assert flow.say(approval) == [], "it is taken back already"
    assert known(flow, review).state == "pending"
    flow.say(decided(review, version=3, approved=False))
    assert flow.say(undone(approval)) == [], "somebody has decided since"
    assert state(flow) == "rejected"


def test_another_decision_is_not_taken_back_and_waits_for_the_word_before_it(flow: Flow) -> None:
    review = doubtful(flow)
    approval, rejection = decided(review, approved=True), decided(review, approved=False)
    flow.say(approval)
    assert flow.letters(undone(rejection)) == [("imagery.dead", "review_closed")]
    assert flow.letters(rejection) == [("imagery.dead", "review_closed")]
    assert flow.letters(decided(review, version=3, approved=False)) == [("imagery.retry.1000ms", "review_closed")]
    assert state(flow) == "publishing"


REDO = {"approved": False, "redo": True, "parameters": {"padding": "0.02"}}


def test_what_is_being_redone_is_not_heard_any_more(flow: Flow) -> None:
    review = doubtful(flow)
    redo = decided(review, **REDO)
    (task,) = tasks(flow.say(redo))
    assert flow.say(undone(redo)) == []
    assert state(flow) == "review"
    assert flow.say(done(task)) == []
    assert state(flow) == "review"
    (again,) = flow.say(decided(review, version=3, **REDO))
    assert again == task, "who wants it after all has it"
    assert [type(each) for each in flow.say(done(task))] == [PublishRequested]


def test_what_was_redone_and_went_live_goes(flow: Flow) -> None:
    review = doubtful(flow)
    redo = decided(review, **REDO)
    (task,) = tasks(flow.say(redo))
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    (retract,) = flow.say(undone(redo))
    assert isinstance(retract, RetractRequested)
    assert retract.result_id == request.result_id
    assert state(flow) == "review"


def test_what_was_decided_on_the_redone_is_taken_back_first(flow: Flow) -> None:
    review = doubtful(flow)
    redo = decided(review, **REDO)
    (task,) = tasks(flow.say(redo))
    (second,) = flow.say(done(task, fill=0.5))
    assert isinstance(second, ReviewRequested)
    approval = decided(second, approved=True)
    flow.say(approval)
    assert flow.letters(undone(redo)) == [("imagery.dead", "decided_since")]
    flow.say(undone(approval))
    flow.say(undone(redo))
    assert (known(flow, review).state, known(flow, second).state) == ("pending", "superseded")


def test_of_a_version_that_is_older_by_now_only_the_picture_goes(flow: Flow) -> None:
    review = doubtful(flow)
    approval = decided(review, approved=True)
    flow.say(approval)
    flow.say(upsert(2))
    assert flow.say(undone(approval)) == [withdrawn(review)]
    assert known(flow, review).state == "superseded"
    assert state(flow) == "planned"


def test_nobody_takes_back_for_another_tenant(flow: Flow) -> None:
    review = doubtful(flow)
    flow.say(decided(review, approved=True))
    stranger = decided(review, approved=True, tenant="other")
    event = DecisionUndone(tenant="other", sku="A", decision=stranger, version=2)
    assert flow.letters(event) == [("imagery.dead", "wrong_review")]


@pytest.mark.parametrize("case", [True, False])
def test_nobody_takes_back_what_is_anothers_under_a_name_of_their_own(flow: Flow, case: bool) -> None:
    review = doubtful(flow)
    flow.say(replace(upsert(), tenant="other", sku="X"))
    on_case = {"case": review.doubts[0].case, "checks": review.doubts[0].checks} if case else {}
    approval = decided(review, approved=True, **on_case)
    assert flow.say(approval)
    before = flow.states(), flow.states("X", "other")
    event = DecisionUndone(tenant="other", sku="X", decision=approval, version=2)
    assert flow.letters(event, attempt=9) == [("imagery.dead", "wrong_review")]
    assert (flow.states(), flow.states("X", "other")) == before
    assert flow.say(undone(approval)) == [withdrawn(review)]


@pytest.mark.parametrize("case", [True, False])
def test_nobody_takes_the_last_place_among_the_words(flow: Flow, case: bool) -> None:
    review = doubtful(flow)
    on_case = {"case": review.doubts[0].case, "checks": review.doubts[0].checks} if case else {}
    last = decided(review, approved=True, version=2**63 - 1, **on_case)
    assert flow.letters(last, attempt=9) == [("imagery.dead", "version_ahead")]
    assert flow.letters(undone(replace(last, version=1), 2**63 - 1), attempt=9) == [("imagery.dead", "version_ahead")]
    approval = decided(review, approved=True, **on_case)
    assert flow.say(approval)
    assert flow.say(undone(approval)) == [withdrawn(review)]


def test_what_passes_after_all_leaves_no_review_behind(flow: Flow) -> None:
    review = doubtful(flow)
    task: Task = review.completed.task
    assert [type(each) for each in flow.say(done(task))] == [PublishRequested]
    assert known(flow, review).state == "superseded"
