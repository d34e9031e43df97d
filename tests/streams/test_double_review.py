"""Double review: of a share of the cases two people decide, and a third where they disagree."""

from functools import partial
from random import Random

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.records import (
    CutoutRetouched,
    DecisionUndone,
    Event,
    OpinionGiven,
    PublishRequested,
    ReviewDecided,
    ReviewRequested,
)
from streams.blobs import Blobs
from streams.consumer.letters import Delivery, Outgoing
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.services.operating import double_review
from streams.services.recovery.rebuilding import fill
from streams.services.review import agreement, cases
from streams.services.review.cases import Decision, Wanted
from tests.memory_store import MemoryStore
from tests.simulation.flow_people import others_said
from tests.streams.case_flow import CHANNELS, UNSURE, case_of, known, made, requested_reviews
from tests.streams.flow import Flow, Recorder, tasks, upsert
from tests.streams.test_case_services import Office

APPROVE, REJECT = Decision(outcome="approve"), Decision(outcome="reject", reason="the handle")


class Desk:
    """Two people decide here on a share of the cases; what is sent is carried out at once."""

    def __init__(self, flow: Flow, share: float = 1.0) -> None:
        self.flow = flow
        self.decided = partial(cases.decide, flow.database, twice_share=share)

    def say(self, case_id: str, decision: Decision, by: str) -> Event:
        """A person's word, as it was sent."""
        recorder = Recorder()
        word = self.decided(recorder, "demo", case_id, decision, by, blobs=Blobs(MemoryStore()))
        (event,) = [codec.decode(record.value) for record in recorder.records]
        assert word.is_final == (not isinstance(event, OpinionGiven))
        assert word.version == event.version  # type: ignore[union-attr]
        self.answers = self.flow.say(event)
        return event

    def take_back(self, case_id: str, by: str) -> Event:
        recorder = Recorder()
        cases.take_back(self.flow.database, recorder, "demo", case_id, "slip", by)
        (event,) = [codec.decode(record.value) for record in recorder.records]
        self.answers = self.flow.say(event)
        return event

    @property
    def went_live(self) -> bool:
        return any(isinstance(each, PublishRequested) for each in self.answers)

    def waits(self, case_id: str) -> bool:
        return cases.get(self.flow.database, "demo", case_id).summary.state == "waiting"


@pytest.fixture
def database(either_database: Database) -> Database:
    return either_database


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(Flow(database))


def refusal(call: object, *args: object) -> str:
    with pytest.raises(Refused) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.code


def test_what_one_person_says_releases_nothing_until_another_says_the_same(desk: Desk) -> None:
    case_id = case_of(requested_reviews(desk.flow))
    assert isinstance(desk.say(case_id, APPROVE, "ada"), OpinionGiven)
    assert not desk.went_live
    assert desk.waits(case_id)
    assert refusal(desk.say, case_id, APPROVE, "ada") == "said_before"
    assert cases.next_case(desk.flow.database, Wanted(tenant="demo"), "ada") is None, "she looked at it"
    found = cases.next_case(desk.flow.database, Wanted(tenant="demo"), "bob")
    assert found is not None
    assert found.case.summary.opinions == 1
    event = desk.say(case_id, replace(APPROVE, epoch=found.claim.epoch), "bob")
    assert isinstance(event, ReviewDecided)
    assert desk.went_live
    assert not desk.waits(case_id)


@pytest.mark.parametrize("last", [APPROVE, REJECT])
def test_where_two_disagree_the_third_decides_whatever_they_say(desk: Desk, last: Decision) -> None:
    case_id = case_of(requested_reviews(desk.flow))
    desk.say(case_id, APPROVE, "ada")
    assert isinstance(desk.say(case_id, REJECT, "bob"), OpinionGiven)
    assert desk.waits(case_id)
    for person in ("ada", "bob"):
        assert refusal(desk.say, case_id, last, person) == "said_before"
    event = desk.say(case_id, last, "cleo")
    assert isinstance(event, ReviewDecided)
    assert (event.version, desk.went_live) == (3, last is APPROVE)
    with desk.flow.database.read() as facts:
        told = agreement.of_cases(facts.opinions.courses("demo"))
    ada, bob, cleo = told.people
    assert (told.pairs.found, told.pairs.looked, told.third) == (0, 1, 1)
    assert [each.upheld.looked for each in (ada, bob, cleo)] == [1, 1, 0]
    assert (ada.upheld.found, bob.upheld.found) == ((1, 0) if last is APPROVE else (0, 1))


def test_an_opinion_is_withdrawn_and_a_decision_taken_back_begins_anew(desk: Desk) -> None:
    case_id = case_of(requested_reviews(desk.flow))
    desk.say(case_id, APPROVE, "ada")
    assert isinstance(desk.take_back(case_id, "ada"), OpinionGiven)
    assert isinstance(desk.say(case_id, APPROVE, "bob"), OpinionGiven), "nobody else says so any more"
    assert isinstance(desk.say(case_id, APPROVE, "ada"), ReviewDecided)
    assert isinstance(desk.take_back(case_id, "ada"), DecisionUndone)
    assert desk.waits(case_id)
    assert isinstance(desk.say(case_id, APPROVE, "ada"), OpinionGiven), "what was said before it does not count"
    assert known(desk.flow, case_id).version == 6


def test_an_opinion_on_less_than_is_in_doubt_now_does_not_count(desk: Desk) -> None:
    reviews = requested_reviews(desk.flow)
    case_id = case_of(reviews)
    desk.say(case_id, APPROVE, "ada")
    with desk.flow.database.begin() as facts:
        (said,) = facts.opinions.standing(facts.cases.get(case_id))  # type: ignore[arg-type]
        facts.opinions.put(replace(said, checks=["another"], version=said.version + 1), known(desk.flow, case_id))
    assert isinstance(desk.say(case_id, APPROVE, "bob"), OpinionGiven)


def test_who_looked_at_less_than_is_in_doubt_by_now_is_asked_again(desk: Desk, database: Database) -> None:
    (cut,) = tasks(desk.flow.say(upsert(channels=CHANNELS)))
    first, second, *_ = tasks(desk.flow.say(made(cut, **UNSURE)))
    (review,) = desk.flow.say(made(first))
    assert isinstance(review, ReviewRequested)
    case_id = case_of([review])
    narrow = desk.say(case_id, APPROVE, "ada")
    desk.flow.say(made(second, cropped_edges=1.0))
    found = cases.next_case(database, Wanted(tenant="demo"), "ada")
    assert found is not None
    assert found.case.summary.opinions == 0
    cases.release(database, "demo", case_id, "ada", found.claim.epoch)
    assert isinstance(narrow, OpinionGiven)
    desk.flow.say(replace(narrow, decided_by="bob", version=2))  # was under way when more came to be in doubt
    with database.read() as facts:
        assert facts.opinions.standing(known(desk.flow, case_id)) == []
    assert isinstance(desk.say(case_id, APPROVE, "ada"), OpinionGiven)
    assert isinstance(desk.say(case_id, REJECT, "bob"), OpinionGiven)
    assert isinstance(desk.say(case_id, APPROVE, "cleo"), ReviewDecided), "three people are enough"


def test_nobody_goes_round_it_by_one_asset_or_by_marks_of_their_own(desk: Desk) -> None:
    reviews = requested_reviews(desk.flow)
    case_id = case_of(reviews)
    with desk.flow.database.read() as facts:
        review = facts.reviews.get(reviews[0].review_id)
        assert review is not None
        assert refusal(double_review.check_alone, review, facts, 1.0) == "two_people"
        double_review.check_alone(review, facts, 0.0)
    redo = Decision(outcome="redo", step="cutout", parameters={"subject": "everything"}, approved=True)
    event = desk.say(case_id, redo, "ada")
    assert isinstance(event, CutoutRetouched)
    assert not event.approved, "what comes of it is asked about again"


@pytest.mark.parametrize(
    ("seed", "products"), [(1, 6), *(pytest.param(seed, 60, marks=pytest.mark.long) for seed in (2, 3))]
)
def test_whoever_dies_on_the_way_no_case_is_decided_by_one_person(
    database: Database, seed: int, products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(database, seed, twice_share=1.0, approved=0.6)
    monkeypatch.setattr(cases, "now_ms", lambda: office.now_ms)
    expected = {
        case_of(requested_reviews(office.flow, upsert(sku=f"S{number}", photo=f"{number}.jpg")))
        for number in range(products)
    }
    office.run("ada", "bob", "cleo")
    with database.read() as facts:
        decisions = [case.decision for name in expected if (case := facts.cases.get(name)) is not None]
        assert facts.reviews.every() == []
    for last in decisions:
        assert last is not None
        assert last in office.topic
        assert others_said(last, office.topic)
    assert set(office.refused) <= {"claim_lost", "case_claimed", "review_closed", "said_before"}


def test_as_many_cases_are_drawn_as_the_share_says_and_always_the_same() -> None:
    names = [f"{number:064x}" for number in range(5000)]
    drawn = {name for name in names if double_review.is_for_two(name, 0.2)}
    assert 900 < len(drawn) < 1100
    assert drawn < {name for name in names if double_review.is_for_two(name, 0.3)}, "a larger share adds to them"
    assert not any(double_review.is_for_two(name, 0.0) for name in names)
    assert all(double_review.is_for_two(name, 1.0) for name in names)


def test_an_opinion_on_another_products_case_is_refused(desk: Desk) -> None:
    case_id = case_of(requested_reviews(desk.flow))
    event = OpinionGiven(tenant="other", sku="A", case=case_id, approved=True, version=1, decided_by="eve")
    assert [code for _, code in desk.flow.letters(event)] == ["wrong_review"]
    assert [code for _, code in desk.flow.letters(replace(event, case="0" * 64))] == ["unknown_case"]
    with desk.flow.database.read() as facts:
        assert facts.opinions.courses("demo") == facts.opinions.courses("other") == []


def test_a_share_that_is_taken_away_lets_one_person_decide_but_not_against_what_stands(desk: Desk) -> None:
    case_id, other = (
        case_of(requested_reviews(desk.flow, upsert(sku=sku, channels=CHANNELS, photo=f"{sku}.jpg"))) for sku in "AB"
    )
    desk.say(case_id, APPROVE, "ada")
    alone = Desk(desk.flow, share=0.0)
    assert isinstance(alone.say(other, APPROVE, "ada"), ReviewDecided)
    assert isinstance(alone.say(case_id, REJECT, "bob"), OpinionGiven), "two disagree: a third decides"


COMPARED = ("opinions", "cases", "doubts", "reviews", "assets")


class Logged(Flow):
    """Keeps what is delivered and what follows from it, as it would stand on the topics."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.log: list[Delivery] = []

    def deliver(self, record: Outgoing) -> list[Outgoing]:
        written = super().deliver(record)
        for each in (record, *written):
            number = len(self.log)
            at = (each.topic, 0, number, each.key, each.value, each.headers)
            self.log.append(Delivery(*at, timestamp_ms=1_000 + number))
        return written


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_the_facts_are_the_same_when_they_are_made_anew(database: Database, seed: int) -> None:
    """Whatever people say and take back, and however often it is told."""
    random, flow = Random(seed), Logged(database)
    desk = Desk(flow)
    case_ids = [
        case_of(requested_reviews(flow, upsert(sku=sku, channels=CHANNELS, photo=f"{sku}.jpg"))) for sku in "AB"
    ]
    words = 0
    for _ in range(16):
        case_id, by = random.choice(case_ids), random.choice(["ada", "bob", "cleo"])
        try:
            if random.random() < 0.3:
                event = desk.take_back(case_id, by)
            else:
                event = desk.say(case_id, random.choice([APPROVE, REJECT]), by)
        except Refused:
            continue
        words += 1
        if random.random() < 0.3:
            flow.say(event)  # told again
    assert words > 3
    before = database.dump()
    with database.replaced() as facts:
        fill(facts, flow.log, [])
    after = database.dump()
    assert {table: after[table] for table in COMPARED} == {table: before[table] for table in COMPARED}
