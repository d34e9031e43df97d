"""What people decided by rules that count no more: just the same picture is judged anew by the ones that do."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import channels, codec, topics
from schemas.records import (
    AssetWithheld,
    ChannelReleased,
    DecisionUndone,
    Event,
    PublishRequested,
    ReplanRequested,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
)
from streams.consumer.letters import Delivery, Outgoing
from streams.facts import Database, Review
from streams.runtime.errors import Refused
from streams.services.operating import decisions
from streams.services.recovery.dead import DeadLetter
from streams.services.recovery.rebuilding import fill
from streams.services.review import cases
from tests.streams.flow import Flow, Recorder, done, published, tasks, upsert

SHIPPED = (Path(channels.__file__).parent / "amazon.yaml").read_text()
FILL = 0.86  # what the rules that ship let pass: 0.85 and more


class Kept(Flow):
    """A flow whose records are kept, each once, as the topics would have them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.log: list[Outgoing] = []

    def deliver(self, record: Outgoing) -> list[Outgoing]:
        self.recorder.records.clear()
        (delivery,) = [each for each in self.deliveries(record) if each.value == record.value]
        self.processing.run([delivery])
        written = list(self.recorder.records)
        self.deliveries(*written)
        return written

    def deliveries(self, *more: Outgoing) -> list[Delivery]:
        """The records in the order in which they were written, those that are new now with them; 10 ms each."""
        for record in more:
            if all((each.topic, each.value) != (record.topic, record.value) for each in self.log):
                self.log.append(record)
        return [
            Delivery(each.topic, 0, number, each.key, each.value, each.headers, 10 * number)
            for number, each in enumerate(self.log, start=1)
        ]


@pytest.fixture
def flow(flow: Flow) -> Kept:
    return Kept(flow.database)


def rules(version: str, fill_min: float) -> ChannelReleased:
    text = SHIPPED.replace('"2026-11"', f'"{version}"').replace("min: 0.85", f"min: {fill_min}")
    number = channels.parse(text.encode()).number
    return ChannelReleased(channel="amazon", version=number, text=text, released_at_ms=1)


def judged(flow: Flow, event: Event, **measures: float) -> list[Event]:
    (cut,) = tasks(flow.say(event))
    task = next(each for each in tasks(flow.say(done(cut))) if each.step.asset == "amazon-1")
    return flow.say(done(task, **measures))


def asked(flow: Flow, event: Event, **measures: float) -> ReviewRequested:
    (review,) = judged(flow, event, **(measures or {"fill": FILL}))
    assert isinstance(review, ReviewRequested)
    return review


def decision(review: ReviewRequested, *, approved: bool = True, **more: object) -> ReviewDecided:
    fields = {"review_id": review.review_id, "tenant": "demo", "sku": "A", "decided_by": "ada", "approved": approved}
    return ReviewDecided(**(fields | more))  # type: ignore[arg-type]


def released(flow: Flow, version: str, fill_min: float) -> Event:
    """Releases rules; returns the request to plan the product anew."""
    (replan,) = flow.say(rules(version, fill_min))
    return replan


def live_by_approval(flow: Flow) -> tuple[ReviewRequested, ReviewDecided]:
    """A picture that the rules doubted and a person let pass, which is live."""
    flow.say(rules("2026-11.1", 0.87))
    review = asked(flow, upsert())
    approval = decision(review)
    (request,) = flow.say(approval)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    return review, approval


def known(flow: Flow, review: ReviewRequested) -> Review:
    with flow.database.read() as facts:
        found = facts.reviews.get(review.review_id)
    assert found is not None
    return found


def assert_rebuilt(flow: Kept) -> None:
    before, written = flow.database.dump(), flow.deliveries()
    dead = [DeadLetter(each) for each in written if each.topic == topics.DEAD.name]
    with flow.database.replaced() as facts:
        fill(facts, [each for each in written if each.topic != topics.DEAD.name], dead)
    assert flow.database.dump() == before


def test_by_the_rules_of_then_it_is_live_again_without_a_question(flow: Kept) -> None:
    live_by_approval(flow)
    assert judged(flow, ReplanRequested(tenant="demo", sku="A"), fill=FILL) == []
    assert flow.states()["amazon-1"] == "published"


def test_what_newer_rules_doubt_is_asked_again_and_says_why(flow: Kept) -> None:
    before, approval = live_by_approval(flow)
    review = asked(flow, released(flow, "2026-11.2", 0.88))
    assert review.review_id == before.review_id
    assert review.verdict.rules.endswith("amazon@2026-11.2")
    assert review.again.startswith("the rules changed since it was approved: now ")
    assert (flow.states()["amazon-1"], known(flow, review).state) == ("review", "pending")
    assert flow.say(approval) == [], "told again it lets nothing pass"
    assert flow.states()["amazon-1"] == "review"
    with flow.database.read() as facts:
        assert facts.cases.open_doubts([review.review_id])[review.review_id] == {each.case for each in review.doubts}
    assert_rebuilt(flow)


def test_who_looks_at_it_again_lets_it_pass_by_the_rules_of_now(flow: Kept) -> None:
    live_by_approval(flow)
    review = asked(flow, released(flow, "2026-11.2", 0.88))
    (request,) = flow.say(decision(review, version=2))
    assert isinstance(request, PublishRequested)
    assert request.verdict.rules.endswith("amazon@2026-11.2")
    flow.say(published(request))
    assert_rebuilt(flow)


def test_what_newer_rules_let_pass_goes_live_by_them(flow: Kept) -> None:
    review, approval = live_by_approval(flow)
    (request,) = judged(flow, released(flow, "2026-11.2", 0.8), fill=FILL)
    assert isinstance(request, PublishRequested)
    assert (request.approved_by, request.verdict.outcome) == (None, "pass")
    flow.say(published(request))
    assert flow.states()["amazon-1"] == "published"
    assert known(flow, review).is_lapsed
    assert_rebuilt(flow)
    undone = DecisionUndone(tenant="demo", sku="A", decision=approval, version=2)
    assert flow.letters(undone) == [("imagery.dead", "review_closed")], "it is live by nobody's word"


def test_what_was_rejected_is_asked_about_again_too(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.87))
    before = asked(flow, upsert())
    flow.say(decision(before, approved=False))
    review = asked(flow, released(flow, "2026-11.2", 0.88))
    assert review.again.startswith("the rules changed since it was rejected: now ")
    assert flow.states()["amazon-1"] == "review"
    assert_rebuilt(flow)


def test_no_rule_lets_pass_what_a_person_rejected(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.87))
    flow.say(decision(asked(flow, upsert()), approved=False))
    assert judged(flow, released(flow, "2026-11.2", 0.8), fill=FILL) == []
    assert flow.states()["amazon-1"] == "rejected"
    assert_rebuilt(flow)


def test_what_a_person_has_made_otherwise_is_made_so_by_any_rules(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.87))
    redo = decision(asked(flow, upsert()), approved=False, redo=True, parameters={"padding": "0.02"})
    (again,) = tasks(flow.say(redo))
    assert [each.task_id for each in tasks(judged(flow, released(flow, "2026-11.2", 0.88), fill=FILL))] == [
        again.task_id
    ]
    assert_rebuilt(flow)


def test_a_cutout_that_was_looked_at_settles_it_by_newer_rules_of_a_channel(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.85))
    before = asked(flow, upsert(), alpha_partial_share=0.9)
    (doubt,) = before.doubts
    assert doubt.about == "cutout"
    (request,) = flow.say(decision(before, case=doubt.case, checks=doubt.checks))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    replan = released(flow, "2026-11.2", 0.86)
    settled, request = judged(flow, replan, alpha_partial_share=0.9)
    assert isinstance(settled, ReviewRequested)
    assert isinstance(request, PublishRequested)
    assert (request.approved_by, request.verdict.rules) == ("ada", settled.verdict.rules)
    assert settled.verdict.rules.endswith("amazon@2026-11.2")
    assert_rebuilt(flow)


def test_an_approval_that_is_read_behind_newer_rules_holds_for_what_is_asked_by_them(flow: Kept) -> None:
    """Whoever looked saw the picture by the rules of before; what is in doubt by those of now is the same cutout."""
    flow.say(rules("2026-11.1", 0.85))
    before = asked(flow, upsert(), alpha_partial_share=0.9)
    (doubt,) = before.doubts
    asked(flow, released(flow, "2026-11.2", 0.86), alpha_partial_share=0.9)
    (request,) = flow.say(decision(before, case=doubt.case, checks=doubt.checks))
    assert isinstance(request, PublishRequested)
    assert request.verdict.rules.endswith("amazon@2026-11.2")
    _written_early(flow)
    assert_rebuilt(flow)


def test_an_approval_by_id_that_is_read_behind_newer_rules_holds_for_nothing_that_nobody_saw(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.85))
    before = asked(flow, upsert(), alpha_partial_share=0.9, fill=FILL)
    recorder = Recorder()
    decisions.decide(known(flow, before), recorder, approved=True, decided_by="ada")
    asked(flow, released(flow, "2026-11.2", 0.88), alpha_partial_share=0.9, fill=FILL)
    assert said(flow, recorder) == []
    assert (flow.states()["amazon-1"], known(flow, before).state) == ("review", "pending")
    recorder.records.clear()
    decisions.decide(known(flow, before), recorder, approved=True, decided_by="ada")
    (request,) = said(flow, recorder)
    assert isinstance(request, PublishRequested), "who looks again sees both"
    assert_rebuilt(flow)


def _written_early(flow: Kept) -> None:
    """The decision stood on its topic before it was asked by newer rules, and was read behind that."""
    events = [codec.decode(each.value) for each in flow.log]
    said = next(place for place, event in enumerate(events) if isinstance(event, ReviewDecided))
    first = next(place for place, event in enumerate(events) if isinstance(event, ReviewRequested))
    flow.log.insert(first + 1, flow.log.pop(said))


def test_an_approval_that_lapsed_is_taken_back_with_the_picture_that_is_live_by_it(flow: Kept) -> None:
    before, approval = live_by_approval(flow)
    asked(flow, released(flow, "2026-11.2", 0.88))
    recorder = Recorder()
    decisions.undo(known(flow, before), recorder, "wrong key", "ada")
    (gone,) = said(flow, recorder)
    assert isinstance(gone, RetractRequested)
    assert (gone.assets, gone.result_id) == (["amazon-1"], before.completed.result_id)
    assert (flow.states()["amazon-1"], known(flow, before).state) == ("review", "pending")
    with pytest.raises(Refused, match="no decision stands"):
        decisions.undo(known(flow, before), recorder, "wrong key", "ada")
    assert flow.say(approval) == []
    assert_rebuilt(flow)


def test_a_cases_approval_is_taken_back_with_what_is_live_by_it_and_asked_about_by_newer_rules(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.85))
    before = asked(flow, upsert(), alpha_partial_share=0.9, fill=FILL)
    (doubt,) = before.doubts
    (request,) = flow.say(decision(before, case=doubt.case, checks=doubt.checks))
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    review = asked(flow, released(flow, "2026-11.2", 0.88), alpha_partial_share=0.9, fill=FILL)
    assert len(review.doubts) == 2, "the cutout, which was let pass, and what the newer rules say"
    recorder = Recorder()
    cases.undo(flow.database, recorder, "demo", doubt.case, "wrong key", "ada")
    (gone,) = said(flow, recorder)
    assert isinstance(gone, RetractRequested)
    assert gone.result_id == before.completed.result_id
    assert flow.states()["amazon-1"] == "review"
    with flow.database.read() as facts:
        assert facts.cases.open_doubts([review.review_id])[review.review_id] == {each.case for each in review.doubts}
    assert_rebuilt(flow)


def said(flow: Kept, recorder: Recorder) -> list[Event]:
    """What follows from words that a person has sent."""
    return [answer for record in recorder.records for answer in flow.say(codec.decode(record.value))]


@pytest.mark.parametrize("by_case", [True, False])
def test_who_rejects_what_is_live_takes_it_down(flow: Kept, by_case: bool) -> None:
    live_by_approval(flow)
    review = asked(flow, released(flow, "2026-11.2", 0.88))
    recorder, why = Recorder(), "it is too small"
    with flow.database.read() as facts:
        (live,) = decisions.live([known(flow, review)], facts)
    if by_case:
        reject = cases.Decision(outcome="reject", reason=why)
        cases.decide(flow.database, recorder, "demo", review.doubts[0].case, reject, "ada", twice_share=0.0)
    else:
        decisions.decide(live, recorder, is_live=True, approved=False, reason=why, decided_by="ada")
    withheld, gone = said(flow, recorder)
    assert isinstance(withheld, AssetWithheld)
    assert isinstance(gone, RetractRequested)
    assert (gone.assets, gone.reason) == (["amazon-1"], f"retracted: {why}")
    assert flow.states()["amazon-1"] == "rejected"
    assert_rebuilt(flow)
    recorder.records.clear()
    if by_case:
        cases.undo(flow.database, recorder, "demo", review.doubts[0].case, "it is not", "ada")
    else:
        decisions.undo(known(flow, review), recorder, "it is not", "ada")
    said(flow, recorder)
    assert flow.states()["amazon-1"] == "review"
    assert_rebuilt(flow)


def test_what_is_live_otherwise_stays_when_another_picture_is_rejected(flow: Kept) -> None:
    flow.say(rules("2026-11.1", 0.87))
    review = asked(flow, upsert())
    (request,) = flow.say(decision(review))
    assert isinstance(request, PublishRequested)
    shown = published(request)
    flow.say(replace(shown, file=replace(shown.file, sha256="f" * 64)))
    asked(flow, released(flow, "2026-11.2", 0.88))
    with flow.database.read() as facts:
        assert decisions.live([known(flow, review)], facts) == []
