"""The processors: from an event to tasks, results and verdicts."""

from contextlib import AbstractContextManager

import pytest
from msgspec.structs import replace

from schemas.envelope import as_mapping
from schemas.records import (
    AssetRetracted,
    AssetWithheld,
    CatalogChanged,
    PublicationFailed,
    PublishRequested,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    TaskCompleted,
    TaskFailed,
    Verdict,
)
from streams.consumer.letters import ATTEMPT, ERROR_CODE, ERROR_FIELD, REPLAYED, Outgoing, outgoing
from streams.facts import DatabaseUnavailable, EventKey, Facts
from streams.flow.processors.outcomes import _rules
from streams.runtime.errors import Refused
from tests.streams.flow import Flow, blob, done, published, tasks, upsert
from tests.streams.processing import CAMPAIGN, compose_task, decision, reviewed


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
        refusal = facts.refusals.get(EventKey("imagery.catalog", "demo|A", "test", "my-id"))
    assert refusal is not None
    assert (refusal.field, refusal.event.subject) == ("channels", "demo|A")


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


def test_what_is_announced_again_moves_nothing_back(flow: Flow) -> None:
    completed = done(compose_task(flow))
    (request,) = flow.say(completed)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    assert flow.say(completed) == []
    assert flow.states()["amazon-1"] == "published"


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


def test_an_asset_that_went_live_after_it_left_the_plan_is_leaving(flow: Flow) -> None:
    (request,) = flow.say(done(compose_task(flow)))
    assert isinstance(request, PublishRequested)
    flow.say(upsert(version=2, channels=["google"]))
    flow.say(published(request))
    assert flow.states()["amazon-1"] == "leaving"


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


@pytest.mark.parametrize("key", [None, b"", b"demo|B", b"other|A", b"demo|A\n", b"\xff"])
def test_a_record_with_another_key_than_its_own_is_refused(flow: Flow, key: bytes | None) -> None:
    record = outgoing(upsert(), "test")
    (letter,) = flow.deliver(Outgoing(record.topic, key, record.value, record.headers))
    headers = as_mapping(letter.headers)
    assert (letter.topic, headers[ERROR_CODE], headers[ERROR_FIELD]) == ("imagery.dead", "wrong_key", "key")
    assert (letter.key, letter.value) == (key, record.value)
    assert flow.states() == {}


def test_a_record_of_another_topic_is_refused_unread(flow: Flow) -> None:
    record = outgoing(upsert(), "test")
    garbage = record.value[:5] + b"\xff" * 100
    (letter,) = flow.deliver(Outgoing("imagery.decisions", record.key, garbage, record.headers))
    assert as_mapping(letter.headers)[ERROR_CODE] == "wrong_topic"


@pytest.mark.parametrize("hostile", ["no\x00thing", "\x1b[31m", "half \udc80", "x" * 100_000, "\u202eright"])
def test_whatever_a_host_says_an_asset_ends_with_its_reason(flow: Flow, hostile: str) -> None:
    (cut,) = tasks(flow.say(upsert(channels=["amazon"])))
    refusal = Refused("source_refused", hostile, field=f"sources {hostile}")
    failed = TaskFailed(task=cut, kind="permanent", code=refusal.code, field=refusal.field, message=refusal.message)
    withheld, *_ = flow.say(failed)
    assert isinstance(withheld, AssetWithheld)
    assert flow.assets()[0].reason == withheld.reason == f"source_refused: {refusal.message}"


def test_a_refused_event_that_is_replayed_with_success_is_refused_no_more(flow: Flow) -> None:
    unknown = ReviewDecided(review_id="a" * 64, tenant="demo", sku="A", approved=True)
    record = outgoing(unknown, "test", "my-id")
    event = EventKey(record.topic, "demo|A", "test", "my-id")
    (letter,) = flow.deliver(type(record)(record.topic, record.key, record.value, [(ATTEMPT, b"9"), *record.headers]))
    assert letter.topic == "imagery.dead"
    review = reviewed(flow)
    with flow.database.begin() as facts:
        assert facts.refusals.get(event) is not None
    good = outgoing(decision(review, approved=True), "test", "my-id")
    flow.deliver(type(good)(good.topic, good.key, good.value, [*good.headers, (REPLAYED, b"imagery.dead/0/0")]))
    with flow.database.begin() as facts:
        assert facts.refusals.get(event) is None


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
    assert {check.point for check in verdict.checks if check.outcome == "not_run"} == {"light", "style"}


def test_while_the_database_is_away_a_batch_stands_on_purpose(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[bool] = []
    tries = iter([True, True, False])
    begin = flow.database.begin

    def begin_when_it_is_back() -> AbstractContextManager[Facts]:
        if next(tries):
            raise DatabaseUnavailable("away")
        waited.append(flow.processing.is_waiting)
        return begin()

    monkeypatch.setattr(flow.database, "begin", begin_when_it_is_back)
    monkeypatch.setattr("streams.flow.relay.until", lambda _stop: lambda _s: waited.append(flow.processing.is_waiting))
    assert flow.say(upsert())
    assert (waited, flow.processing.is_waiting) == ([True, True, True], False)


def test_what_is_done_and_made_nothing_is_an_answer_and_ends_its_assets(flow: Flow) -> None:
    """A review of it could be approved, and there would be no picture to publish."""
    (cut,) = tasks(flow.say(upsert(channels=["amazon"])))
    picture = next(each for each in tasks(flow.say(done(cut))) if each.step.asset == "amazon-1")
    for task, ended in ((picture, {"amazon-1"}), (cut, {"amazon-1", "web-1"})):
        answers = flow.say(replace(done(task), outputs=[]))
        assert {each.asset for each in answers if isinstance(each, AssetWithheld)} == ended
        assert flow.letters(replace(done(task), outputs=[])) == [("imagery.dead", "no_output")]
    assert flow.states() == {"amazon-1": "failed", "web-1": "failed"}


def test_a_slip_that_goes_on_with_what_no_pool_does_is_reported(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    odd = replace(cut.step, next=[replace(cut.step.next[0], operation="paint")])
    assert flow.letters(done(replace(cut, step=odd))) == [("imagery.dead", "unknown_operation")]


def test_what_no_pool_does_is_reported_when_it_is_said_to_be_done(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    odd = replace(cut, step=replace(cut.step, operation="paint"))
    assert {*flow.letters(done(odd))} == {("imagery.dead", "unknown_operation")}


def test_an_asset_for_a_channel_without_rules_is_reported(flow: Flow) -> None:
    task = compose_task(flow)
    odd = replace(task, step=replace(task.step, channel="bazaar"), way=None)
    with flow.database.read() as facts, pytest.raises(Refused) as caught:
        _rules(odd, "bazaar", facts)
    assert (caught.value.code, caught.value.field) == ("unknown_channel", "task.step.channel")
