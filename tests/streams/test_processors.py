"""The way of an event through the processors, without a broker."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.envelope import as_mapping
from schemas.records import (
    AssetRetracted,
    AssetWithheld,
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    PublicationFailed,
    PublishRequested,
    ReplanRequested,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
    Verdict,
)
from streams.consumer.letters import ATTEMPT, ERROR_CODE, ERROR_FIELD, REPLAYED, Outgoing, outgoing
from streams.facts import Database, DatabaseUnavailable, Facts
from streams.flow.processors.routing import _rules
from streams.runtime.errors import Refused
from streams.services import submission
from tests.streams.flow import Flow, blob, done, published, tasks, upsert

CAMPAIGN = CampaignRequested(tenant="demo", campaign="bf", skus=["A"], channels=["instagram"], deadline_ms=99)


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


def compose_task(flow: Flow, event: CatalogChanged | None = None) -> Task:
    """The amazon packshot's task of a product that has got so far."""
    (cut,) = tasks(flow.say(event or upsert()))
    return next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")


def test_a_product_becomes_one_cutout_task_that_holds_the_whole_slip(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert(channels=["amazon", "zalando"])))
    assert (task.step.operation, task.lane, task.version) == ("cutout", "standard", 1)
    assert [step.asset for step in task.step.next] == ["amazon-1", "zalando-1", "web-1"]
    assert flow.states() == {"amazon-1": "planned", "web-1": "planned", "zalando-1": "planned"}


def test_the_priority_of_an_event_is_the_lane_of_its_tasks(flow: Flow) -> None:
    event = CatalogChanged(
        tenant="demo", sku="A", version=1, sources=upsert().sources, channels=["amazon"], priority="bulk"
    )
    assert [task.lane for task in tasks(flow.say(event))] == ["bulk"]


def test_the_same_event_again_asks_for_the_same_work(flow: Flow) -> None:
    assert flow.say(upsert()) == flow.say(upsert())


def test_an_older_version_changes_nothing(flow: Flow) -> None:
    flow.say(upsert(version=3))
    assert flow.say(upsert(version=2, channels=["zalando"])) == []
    assert "zalando-1" not in flow.states()


def test_a_newer_version_is_planned_anew_and_drops_what_it_does_not_want(flow: Flow) -> None:
    flow.say(upsert(version=1, channels=["amazon", "google"]))
    (task,) = tasks(flow.say(upsert(version=2, channels=["amazon"])))
    assert task.version == 2
    assert sorted(flow.states()) == ["amazon-1", "web-1"]


def test_other_content_under_the_same_version_is_refused(flow: Flow) -> None:
    flow.say(upsert())
    assert flow.letters(upsert(photo="b.jpg")) == [("imagery.dead", "version_conflict")]


def test_an_unknown_channel_is_refused_and_changes_nothing(flow: Flow) -> None:
    event = upsert(channels=["amazon", "bazaar"])
    assert flow.letters(event) == [("imagery.dead", "unknown_channel")]
    assert flow.states() == {}
    with flow.database.read() as facts:
        assert facts.products.get("demo", "A") is None


def test_a_refusal_is_kept_under_the_events_id(flow: Flow) -> None:
    flow.deliver(outgoing(upsert(channels=["bazaar"]), "test", "my-id"))
    with flow.database.read() as facts:
        refusal = facts.refusals.get("my-id")
    assert refusal is not None
    assert (refusal.field, refusal.subject) == ("channels", "demo|A")


def test_a_cutout_fans_out_to_its_branches(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon", "google"])))
    following = tasks(flow.say(done(cut, uncertainty=0.1)))
    assert [task.step.asset for task in following] == ["amazon-1", "google-1", "web-1"]
    assert all(task.inputs == [blob()] and task.source is None for task in following)
    assert following[0].measures["cutout.uncertainty"] == 0.1


def test_a_good_asset_is_published(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    assert (request.asset, request.verdict.outcome, request.file) == ("amazon-1", "pass", blob())
    flow.say(published(request))
    assert flow.states()["amazon-1"] == "published"


def test_a_doubtful_asset_waits_for_a_person(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow), fill=0.5))
    assert isinstance(request, ReviewRequested)
    assert request.reason == "fill is 0.5, the limit ≥ 0.85"
    assert flow.states()["amazon-1"] == "review"


def test_a_channel_that_demands_its_background_gets_no_other(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow), background_as_channel=0))
    assert isinstance(request, ReviewRequested)
    assert request.reason == "background_as_channel is 0, the limit ≥ 1"


def test_a_channel_without_a_background_of_its_own_takes_a_brands(flow: Flow) -> None:
    flow.say(upsert())
    (cut,) = tasks(flow.say(CAMPAIGN))
    (task,) = tasks(flow.say(done(cut)))
    (request,) = flow.say(done(task, fill=0.7, background_as_channel=0, background_exact_share=0))
    assert isinstance(request, PublishRequested)


def reviewed(flow: Flow) -> ReviewRequested:
    (request,) = flow.say(done(compose_task(flow), fill=0.5))
    assert isinstance(request, ReviewRequested)
    return request


def decision(review: ReviewRequested, **more: object) -> ReviewDecided:
    return ReviewDecided(review_id=review.review_id, tenant="demo", sku="A", **more)  # type: ignore[arg-type]


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


def test_what_is_told_again_moves_nothing_back(flow: Flow) -> None:
    completed = done(compose_task(flow))
    (request,) = flow.say(completed)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    assert flow.say(completed) == []
    assert flow.states()["amazon-1"] == "published"


def test_a_decision_that_is_told_again_moves_nothing_back(flow: Flow) -> None:
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


def test_a_repeat_that_fails_does_not_undo_what_is_live(flow: Flow) -> None:
    task = compose_task(flow)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    assert flow.say(TaskFailed(task=task, kind="permanent", code="source_not_found", message="404")) == []
    assert flow.states()["amazon-1"] == "published"


def test_a_task_that_was_done_is_not_queued_again_by_a_repeat_that_is_cut_off(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    flow.say(done(cut))
    flow.say(upsert())  # read again; whoever reads it dies before the task is written again
    with flow.database.read() as facts:
        assert facts.tasks.states()[cut.task_id] == "done"


def test_what_cannot_be_published_has_failed_and_is_withheld(flow: Flow) -> None:
    task = compose_task(flow)
    (request,) = flow.say(done(task))
    assert isinstance(request, PublishRequested)
    about = {"tenant": request.tenant, "sku": request.sku, "asset": request.asset}
    failed = PublicationFailed(**about, version=request.version, code="blob_missing", message="gone")
    withheld, *_ = flow.say(failed)
    assert withheld == AssetWithheld(**about, version=request.version, reason="blob_missing: gone")
    assert flow.states()["amazon-1"] == "failed"
    assert flow.say(failed) == []
    flow.say(published(request))  # its dead letter was replayed
    assert flow.states()["amazon-1"] == "published"
    assert flow.say(failed) == []


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


def test_an_asset_that_went_live_after_it_left_the_plan_is_leaving(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    flow.say(upsert(version=2, channels=["google"]))
    flow.say(published(request))
    assert flow.states()["amazon-1"] == "leaving"


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


def test_a_result_for_an_older_version_is_not_published(flow: Flow) -> None:
    task = compose_task(flow)
    flow.say(upsert(version=2))
    assert flow.say(done(task)) == []
    assert flow.states()["amazon-1"] == "planned"


def test_a_failed_cutout_ends_every_asset_behind_it(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon", "google"])))
    failed = TaskFailed(task=cut, kind="permanent", code="source_not_found", message="404")
    assert {event.asset for event in flow.say(failed) if isinstance(event, AssetWithheld)} == {
        "amazon-1",
        "google-1",
        "web-1",
    }
    assert set(flow.states().values()) == {"failed"}
    assert flow.assets()[0].reason == "source_not_found: 404"


def test_a_failed_product_that_is_sent_again_is_tried_again(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    flow.say(TaskFailed(task=cut, kind="permanent", code="source_not_found", message="404"))
    assert tasks(flow.say(upsert())) == [cut]
    assert set(flow.states().values()) == {"planned"}


def test_a_failed_task_that_is_worked_on_again_goes_all_the_way(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    flow.say(TaskFailed(task=cut, kind="permanent", code="source_not_found", message="404"))
    amazon, _web = tasks(flow.say(done(cut)))
    (request,) = flow.say(done(amazon))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    assert flow.states() == {"amazon-1": "published", "web-1": "failed"}


@pytest.mark.parametrize(
    ("change", "code"), [({"tenant": "other"}, "wrong_review"), ({"sku": "B"}, "wrong_review"), ({}, None)]
)
def test_a_decision_is_held_against_its_reviews_product(flow: Flow, change: dict[str, str], code: str | None) -> None:
    review = reviewed(flow)
    decided = replace(decision(review, approved=True), **change)
    assert flow.letters(decided) == ([] if code is None else [("imagery.dead", code)])
    with flow.database.read() as facts:
        assert [each.state for each in facts.reviews.every(pending=False)] == ["pending" if code else "approved"]


@pytest.mark.parametrize("key", [None, b"", b"demo|B", b"other|A", b"demo|A\n", b"\xff"])
def test_a_record_with_another_key_than_its_own_is_refused(flow: Flow, key: bytes | None) -> None:
    record = outgoing(upsert(), "test")
    (letter,) = flow.deliver(Outgoing(record.topic, key, record.value, record.headers))
    told = as_mapping(letter.headers)
    assert (letter.topic, told[ERROR_CODE], told[ERROR_FIELD]) == ("imagery.dead", "wrong_key", "key")
    assert (letter.key, letter.value) == (key, record.value)
    assert flow.states() == {}


def test_a_record_of_another_topic_is_refused_unread(flow: Flow) -> None:
    record = outgoing(upsert(), "test")
    garbage = record.value[:5] + b"\xff" * 100
    (letter,) = flow.deliver(Outgoing("imagery.decisions", record.key, garbage, record.headers))
    assert as_mapping(letter.headers)[ERROR_CODE] == "wrong_topic"


@pytest.mark.parametrize("nasty", ["no\x00thing", "\x1b[31m", "half \udc80", "x" * 100_000, "\u202eright"])
def test_whatever_a_host_says_an_asset_ends_with_its_reason(flow: Flow, nasty: str) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon"])))
    refusal = Refused("source_refused", nasty, field=f"sources {nasty}")
    failed = TaskFailed(task=cut, kind="permanent", code=refusal.code, field=refusal.field, message=refusal.message)
    withheld, *_ = flow.say(failed)
    assert isinstance(withheld, AssetWithheld)
    assert flow.assets()[0].reason == withheld.reason == f"source_refused: {refusal.message}"


def test_a_refused_event_that_is_replayed_with_success_is_refused_no_more(flow: Flow) -> None:
    unknown = ReviewDecided(review_id="a" * 64, tenant="demo", sku="A", approved=True)
    record = outgoing(unknown, "test", "my-id")
    (letter,) = flow.deliver(type(record)(record.topic, record.key, record.value, [(ATTEMPT, b"9"), *record.headers]))
    assert letter.topic == "imagery.dead"
    review = reviewed(flow)
    with flow.database.begin() as facts:
        assert facts.refusals.get("my-id") is not None
    good = outgoing(decision(review, approved=True), "test", "my-id")
    flow.deliver(type(good)(good.topic, good.key, good.value, [*good.headers, (REPLAYED, b"imagery.dead/0/0")]))
    with flow.database.begin() as facts:
        assert facts.refusals.get("my-id") is None


def test_what_is_published_is_not_made_again(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    (again,) = tasks(flow.say(upsert()))
    assert [step.asset for step in again.step.next] == ["web-1"]


def test_an_expired_task_is_answered_as_expired(flow: Flow) -> None:
    task = compose_task(flow)
    (withheld,) = flow.say(TaskCompleted(task=task, outcome="expired"))
    assert isinstance(withheld, AssetWithheld)
    assert flow.assets()[0].reason.startswith("expired")


def test_a_superseded_task_ends_without_a_trace(flow: Flow) -> None:
    assert flow.say(TaskCompleted(task=compose_task(flow), outcome="superseded")) == []


def test_a_delete_retracts_everything_and_empties_the_plan(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    (retract,) = flow.say(CatalogChanged(change="delete", tenant="demo", sku="A", version=2))
    assert isinstance(retract, RetractRequested)
    assert (retract.version, retract.assets) == (2, None)
    assert flow.states() == {"amazon-1": "leaving"}
    gone = AssetRetracted(tenant="demo", sku="A", version=2, asset="amazon-1", reason="", urls=[], retracted_at_ms=1)
    flow.say(gone)
    assert flow.states() == {}


def test_a_delete_for_an_unknown_sku_is_remembered(flow: Flow) -> None:
    (retract,) = flow.say(CatalogChanged(change="delete", tenant="demo", sku="A", version=5))
    assert isinstance(retract, RetractRequested)
    assert flow.say(upsert(version=4)) == []


def test_a_campaign_makes_its_own_assets_in_its_own_lane(flow: Flow) -> None:
    flow.say(upsert())
    (task,) = tasks(flow.say(CAMPAIGN))
    assert (task.lane, task.campaign, task.deadline_ms) == ("urgent", "bf", 99)
    assert "bf.instagram-1" in flow.states()
    assert flow.states()["amazon-1"] == "planned"


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


def test_bytes_that_are_no_event_become_a_dead_letter_byte_for_byte(flow: Flow) -> None:
    record = outgoing(upsert(), "test")
    broken = type(record)(record.topic, record.key, b"garbage", record.headers)
    (letter,) = flow.deliver(broken)
    assert (letter.topic, letter.key, letter.value) == ("imagery.dead", b"demo|A", b"garbage")
    assert dict(letter.headers)["packshot-error-code"] == b"not_framed"


def test_an_event_on_the_wrong_topic_is_refused(flow: Flow) -> None:
    record = outgoing(upsert(), "test")
    (letter,) = flow.deliver(type(record)("imagery.decisions", record.key, record.value, record.headers))
    assert dict(letter.headers)["packshot-error-code"] == b"wrong_topic"


def test_one_bad_event_of_a_batch_does_not_undo_the_others(flow: Flow) -> None:
    from streams.consumer.letters import Delivery

    good, bad = outgoing(upsert(), "test"), outgoing(upsert(sku="B", channels=["bazaar"]), "test")
    batch = [Delivery(each.topic, 0, n, each.key, each.value, each.headers) for n, each in enumerate((bad, good))]
    flow.processing.run(batch)
    assert flow.states() != {}
    assert flow.states("B") == {}


def test_the_verdict_says_what_did_not_run(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    verdict: Verdict = request.verdict
    assert {check.point for check in verdict.checks if check.outcome == "not_run"} >= {"text", "light", "policy"}


def test_while_the_database_is_away_a_batch_stands_on_purpose(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    stood: list[bool] = []
    tries = iter([True, True, False])
    begin = flow.database.begin

    def begin_when_it_is_back() -> AbstractContextManager[Facts]:
        if next(tries):
            raise DatabaseUnavailable("away")
        stood.append(flow.processing.is_waiting)
        return begin()

    monkeypatch.setattr(flow.database, "begin", begin_when_it_is_back)
    monkeypatch.setattr(flow.processing.stopping, "wait", lambda _s: stood.append(flow.processing.is_waiting))
    assert flow.say(upsert())
    assert (stood, flow.processing.is_waiting) == ([True, True, True], False)


def test_a_slip_that_goes_on_with_what_no_pool_does_is_told(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    odd = replace(cut.step, next=[replace(cut.step.next[0], operation="paint")])
    assert flow.letters(done(replace(cut, step=odd))) == [("imagery.dead", "unknown_operation")]


def test_an_asset_for_a_channel_without_rules_is_told(flow: Flow) -> None:
    task = compose_task(flow)
    odd = replace(task, step=replace(task.step, channel="bazaar"), way=None)
    with flow.database.read() as facts, pytest.raises(Refused) as caught:
        _rules(odd, "bazaar", facts)
    assert (caught.value.code, caught.value.field) == ("unknown_channel", "task.step.channel")
