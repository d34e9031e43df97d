"""Review cases: many assets wait for one cause, and one decision on it settles all that wait for nothing else."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.doubts import doubts_of
from schemas.records import (
    AssetWithheld,
    CampaignCancelled,
    DecisionUndone,
    PublishRequested,
    RetractRequested,
    ReviewRequested,
    Task,
)
from streams.facts import Database, Fitting
from tests.streams.case_flow import CHANNELS, UNSURE, case_of, decision, finished, kinds, known, made, requested_reviews
from tests.streams.flow import Flow, published, tasks, upsert
from tests.streams.processing import CAMPAIGN

ASSETS = [*(f"{channel}-1" for channel in CHANNELS), "web-1"]


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


def waiting(flow: Flow, **fitting: str) -> list[str]:
    with flow.database.read() as facts:
        return [each.case_id for each in facts.cases.page(Fitting(**fitting), None, 99)]  # type: ignore[arg-type]


def test_all_assets_of_a_doubtful_cutout_wait_for_one_case(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    assert len(reviews) == 4
    assert waiting(flow) == [case_of(reviews)]
    assert [flow.say(review.completed) for review in reviews] == [[review] for review in reviews]
    assert waiting(flow) == [case_of(reviews)]


def test_one_decision_lets_all_of_them_go_live(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    approval = decision(reviews)
    requests = flow.say(approval)
    assert sorted(each.asset for each in requests if isinstance(each, PublishRequested)) == sorted(ASSETS)
    assert {each.approved_by for each in requests} == {"ada"}  # type: ignore[union-attr]
    assert set(flow.states().values()) == {"publishing"}
    assert waiting(flow) == []
    assert flow.say(approval) == requests, "told again it is answered the same"


def test_what_waits_for_something_else_too_goes_on_waiting_for_that(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    steps = tasks(flow.say(made(cut, **UNSURE)))
    found = [flow.say(made(step, **({"fill": 0.5} if step.step.channel == "amazon" else {})))[0] for step in steps]
    reviews = [each for each in found if isinstance(each, ReviewRequested)]
    assert len(waiting(flow)) == 2
    requests = flow.say(decision(reviews))
    assert sorted(each.asset for each in requests) == ["ebay-1", "etsy-1", "web-1"]  # type: ignore[union-attr]
    assert flow.states()["amazon-1"] == "review"
    (left,) = waiting(flow)
    assert known(flow, left).about == "channel"
    (request,) = flow.say(decision(reviews, "channel", decided_by="bob"))
    assert isinstance(request, PublishRequested)
    assert request.approved_by == "bob; ada" or request.approved_by == "ada; bob"


@pytest.mark.parametrize(("cause", "off"), [("colour", {"colour_difference_p95": 9.0}), ("text", {"text_lost": 2.0})])
def test_colours_and_letters_are_doubted_once_for_all_channels(flow: Flow, cause: str, off: dict[str, float]) -> None:
    """A transparent picture shows the same pixels as a packshot, and room about the product changes none of them."""
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    steps = tasks(flow.say(made(cut)))
    assert {step.step.operation for step in steps} == {"packshot", "transparent"}
    events = [event for step in steps for event in flow.say(made(step, **off))]
    reviews = [each for each in events if isinstance(each, ReviewRequested)]
    (case,) = waiting(flow)
    assert known(flow, case).about == cause
    requests = flow.say(decision(reviews, cause))
    assert sorted(each.asset for each in requests) == sorted(ASSETS)  # type: ignore[union-attr]
    assert waiting(flow) == []


@pytest.mark.parametrize(
    ("parameters", "shares"),
    [({"padding": "0.2"}, True), ({"background.color": "#EEEEEE"}, True), ({"lighting.mode": "auto"}, False)],
)
def test_what_changes_the_products_pixels_is_a_doubt_of_its_own(
    flow: Flow, parameters: dict[str, str], shares: bool
) -> None:
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    completed = made(tasks(flow.say(made(cut)))[0], colour_difference_p95=9.0)
    step = replace(completed.task.step, parameters=parameters)
    other = replace(completed, task=replace(completed.task, step=step))
    (review,) = flow.say(completed)
    assert isinstance(review, ReviewRequested)
    (doubt,) = doubts_of(completed, review.verdict)
    assert (doubts_of(other, review.verdict)[0].case == doubt.case) == shares


def test_what_comes_later_is_settled_by_what_was_decided(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    first, *others = tasks(flow.say(made(cut, **UNSURE)))
    (review,) = flow.say(made(first))
    assert isinstance(review, ReviewRequested)
    flow.say(decision([review]))
    for step in others:
        request, publish = flow.say(made(step))
        assert isinstance(request, ReviewRequested)
        assert isinstance(publish, PublishRequested)
        assert request.settled is not None
        assert (request.settled.approved, request.settled.decided_by) == (True, "ada")
        assert flow.say(made(step)) == [], "told again it is decided"
    assert waiting(flow) == []


def test_what_else_is_in_doubt_of_it_asks_again(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    first, second, *_ = tasks(flow.say(made(cut, **UNSURE)))
    (review,) = flow.say(made(first))
    assert isinstance(review, ReviewRequested)
    flow.say(decision([review]))
    (again,) = flow.say(made(second, cropped_edges=1.0))
    assert isinstance(again, ReviewRequested)
    assert again.settled is None
    assert waiting(flow) == [case_of([review])]
    (request,) = flow.say(decision([again], version=2))
    assert isinstance(request, PublishRequested)


def test_a_rejected_case_ends_all_its_assets(flow: Flow) -> None:
    answers = flow.say(decision(requested_reviews(flow), approved=False, reason="blurred"))
    assert [each.reason for each in answers if isinstance(each, AssetWithheld)] == ["rejected: blurred"] * 4
    assert set(flow.states().values()) == {"rejected"}


def amazons(reviews: Sequence[ReviewRequested]) -> list[ReviewRequested]:
    return [review for review in reviews if review.completed.task.step.channel == "amazon"]


def test_a_case_is_redone_with_other_parameters_and_asked_about_again(flow: Flow) -> None:
    reviews = amazons(requested_reviews(flow, cutout={}, picture={"fill": 0.5}))
    redo = replace(decision(reviews, "channel", approved=False), redo=True, parameters={"padding": "0.02"})
    (task,) = tasks(flow.say(redo))
    assert task.step.parameters["padding"] == "0.02"
    assert flow.states()["amazon-1"] == "planned"
    (again,) = flow.say(made(task, fill=0.5))
    assert isinstance(again, ReviewRequested)
    assert again.settled is None, "it was made so: that cannot be asked for again"
    assert len(waiting(flow)) == 3, "its own case, and those of other channels"


def test_a_redo_of_what_is_wrong_with_the_cutout_alone_is_redone_for_what_comes_later(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon", "ebay"])))
    first, second = (each for each in tasks(flow.say(made(cut, **UNSURE))) if each.step.operation == "packshot")
    (review,) = flow.say(made(first))
    assert isinstance(review, ReviewRequested)
    flow.say(replace(decision([review], approved=False), redo=True, parameters={"padding": "0.02"}))
    request, again = flow.say(made(second))
    assert isinstance(again, Task)
    assert again.step.parameters["padding"] == "0.02"
    assert isinstance(request, ReviewRequested)


def test_a_title_brings_no_settled_picture_back(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    for request in flow.say(decision(reviews)):
        assert isinstance(request, PublishRequested)
        flow.say(published(request))
    newer = replace(upsert(2, channels=CHANNELS), title="Another title")
    again = requested_reviews(flow, newer)
    assert [each.settled is not None for each in again] == [True] * 4
    assert waiting(flow) == []
    assert set(flow.states().values()) == {"publishing"}


def test_a_decision_on_one_picture_counts_for_the_same_in_a_newer_version(flow: Flow) -> None:
    (review,) = amazons(requested_reviews(flow, cutout={}, picture={"fill": 0.5}))
    flow.say(replace(decision([review], "channel", approved=False, reason="no", checks=[]), case=None))
    newer = replace(upsert(2, channels=CHANNELS), title="New")
    (again,) = amazons(requested_reviews(flow, newer, cutout={}, picture={"fill": 0.5}))
    assert again.settled is not None
    assert (again.settled.approved, again.settled.reason) == (False, "no")
    assert flow.states()["amazon-1"] == "rejected"


def test_another_photograph_is_asked_about_and_says_why(flow: Flow) -> None:
    flow.say(decision(requested_reviews(flow)))
    again = requested_reviews(flow, upsert(2, channels=CHANNELS, photo="b.jpg"))
    assert {each.settled for each in again} == {None}
    assert "another photograph" in again[0].again
    assert len(waiting(flow)) == 1


def test_a_decision_on_a_case_is_taken_back_for_all(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    approval = decision(reviews)
    for request in flow.say(approval):
        assert isinstance(request, PublishRequested)
        flow.say(published(request))
    undone = DecisionUndone(tenant="demo", sku="A", decision=approval, version=2, reason="slip")
    taken = flow.say(undone)
    assert sorted(each.assets[0] for each in taken if isinstance(each, RetractRequested)) == sorted(ASSETS)  # type: ignore[index]
    assert set(flow.states().values()) == {"review"}
    assert waiting(flow) == [case_of(reviews)]
    assert flow.say(undone) == taken, "told again it is answered the same"
    assert flow.say(approval) == [], "it is older"
    assert kinds(flow.say(replace(approval, version=3))) == ["PublishRequested"] * 4


@pytest.mark.parametrize("first", ["channel", "cutout"])
def test_what_two_cases_reject_waits_again_when_both_are_taken_back(flow: Flow, first: str) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon", "ebay"])))
    steps = tasks(flow.say(made(cut, **UNSURE)))
    amazon, ebay = (each for each in steps if each.step.operation == "packshot")
    reviews = [flow.say(made(amazon, fill=0.5))[0], flow.say(made(ebay))[0]]
    assert all(isinstance(each, ReviewRequested) for each in reviews)
    second = "cutout" if first == "channel" else "channel"
    fields = {
        "channel": decision([reviews[0]], "channel", approved=False, decided_by="bob"),  # type: ignore[list-item]
        "cutout": decision(reviews, "cutout", approved=False, decided_by="ada"),  # type: ignore[arg-type]
    }
    assert [kinds(flow.say(fields[about])) for about in ("channel", "cutout")] == [["AssetWithheld"]] * 2
    assert [flow.states()[name] for name in ("amazon-1", "ebay-1")] == ["rejected"] * 2
    flow.say(DecisionUndone(tenant="demo", sku="A", decision=fields[first], version=2))
    assert flow.states()["amazon-1"] == "rejected", "the other case rejects it still"
    flow.say(DecisionUndone(tenant="demo", sku="A", decision=fields[second], version=2))
    assert [flow.states()[name] for name in ("amazon-1", "ebay-1")] == ["review"] * 2
    assert len(waiting(flow)) == 2


def test_one_of_a_case_is_taken_back_alone(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    flow.say(decision(reviews))
    with flow.database.read() as facts:
        review = facts.reviews.get(reviews[0].review_id)
    assert review is not None
    assert review.decision is not None
    (taken,) = flow.say(DecisionUndone(tenant="demo", sku="A", decision=review.decision, version=2))
    assert isinstance(taken, RetractRequested)
    assert sorted(flow.states().values()) == ["publishing", "publishing", "publishing", "review"]
    assert waiting(flow) == [case_of(reviews)]
    assert flow.say(reviews[0].completed) == [reviews[0]], "it waits, whatever was said of its case"
    (request,) = flow.say(decision(reviews, version=2))
    assert isinstance(request, PublishRequested)


def test_of_two_who_decide_one_counts(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    flow.say(decision(reviews))
    assert flow.letters(decision(reviews, approved=False)) == [("imagery.dead", "review_closed")]
    assert set(flow.states().values()) == {"publishing"}


@pytest.mark.parametrize(
    ("change", "code"),
    [({"tenant": "other"}, "wrong_review"), ({"sku": "B"}, "wrong_review"), ({"checks": []}, "missing_checks")],
)
def test_a_decision_is_held_against_its_case(flow: Flow, change: dict[str, object], code: str) -> None:
    assert flow.letters(replace(decision(requested_reviews(flow)), **change)) == [("imagery.dead", code)]
    assert set(flow.states().values()) == {"review"}


def test_a_case_that_is_not_known_yet_is_waited_for(flow: Flow) -> None:
    reviews = requested_reviews(flow)
    assert flow.letters(replace(decision(reviews), case="f" * 64)) == [("imagery.retry.1000ms", "unknown_case")]


def test_cases_are_found_by_what_they_are_about(flow: Flow) -> None:
    reviews = requested_reviews(flow, picture={"fill": 0.5})
    cutout = case_of(reviews)
    assert waiting(flow, about="cutout") == waiting(flow, check="cutout.uncertainty") == [cutout]
    assert len(waiting(flow, about="channel", check="fill")) == len(waiting(flow, about="channel")) > 1
    assert len(waiting(flow, channel="amazon")) == 2
    assert waiting(flow, tenant="other") == waiting(flow, sku="B") == waiting(flow, check="cutout_uncertainty") == []


def test_a_poisonous_decision_ends_what_waits_for_its_case(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = requested_reviews(flow)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.flow.processors.deciding.note", broken)
    assert kinds(flow.say(decision(reviews))) == ["AssetWithheld"] * 4
    assert set(flow.states().values()) == {"failed"}


def test_steps_behind_a_cutout_know_what_they_began_with(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    step: Task = tasks(flow.say(made(cut)))[0]
    assert step.origin is not None
    assert (step.origin.source, step.origin.cutout, step.origin.retouch) == (cut.source, made(cut).outputs[0], 0)
    assert finished(flow, [cut], {}, {}) == []


def test_what_comes_back_into_the_plan_in_the_same_moment_is_asked_about_again(flow: Flow) -> None:
    """Its result is as old as the one that was reviewed before, and so is no news by its time."""
    flow.say(upsert())
    (cut,) = tasks(flow.say(CAMPAIGN))
    (step,) = tasks(flow.say(made(cut, **UNSURE)))
    (review,) = flow.say(made(step))
    assert isinstance(review, ReviewRequested)
    flow.say(CampaignCancelled(tenant="demo", campaign="bf", version=2))
    flow.say(replace(CAMPAIGN, version=3))
    assert flow.states()["bf.instagram-1"] == "planned"
    (again,) = flow.say(review.completed)
    assert isinstance(again, ReviewRequested)
    assert flow.states()["bf.instagram-1"] == "review"
