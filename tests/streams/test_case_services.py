"""What pages, routes and commands do with review cases: list, look, claim, decide and take back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from schemas import codec
from schemas.codec import HASHED
from schemas.records import CutoutRetouched, DecisionUndone, OpinionGiven, ReviewDecided
from schemas.retouching import Retouch, Scribble
from streams.blobs import Blobs
from streams.facts import Database, DatabaseUnavailable, tables
from streams.facts.cases import WORTH_MS
from streams.runtime.errors import Refused
from streams.services.review import case_groups, cases
from streams.services.review.cases import Decision, Wanted
from tests.memory_store import MemoryStore
from tests.streams.case_flow import CHANNELS, case_of, requested_reviews
from tests.streams.flow import Flow, Recorder, upsert

APPROVE, REJECT = Decision(outcome="approve"), Decision(outcome="reject")
say = partial(cases.decide, twice_share=0.0)
PRODUCTS = 12


@pytest.fixture
def database(either_database: Database) -> Database:
    return either_database


@pytest.fixture
def flow(database: Database) -> Flow:
    return Flow(database)


def sent(recorder: Recorder) -> list[object]:
    return [codec.decode(record.value) for record in recorder.records]


def refusal(call: object, *args: object, **more: object) -> str:
    with pytest.raises(Refused) as caught:
        call(*args, **more)  # type: ignore[operator]
    return caught.value.code


def test_a_case_is_reported_with_what_failed_first(flow: Flow, database: Database) -> None:
    reviews = requested_reviews(flow, replace(upsert(channels=CHANNELS), title="Bowl", category="Bowls"))
    (listed,) = cases.page(database, Wanted(tenant="demo")).items
    assert (listed.case_id, listed.about, listed.waiting, listed.releases) == (case_of(reviews), "cutout", 4, 4)
    assert listed.why == "cutout.uncertainty is 0.5, the limit ≤ 0.25"
    assert (listed.title, listed.source) == ("Bowl", reviews[0].completed.task.origin.source)  # type: ignore[union-attr]
    case = cases.get(database, "demo", listed.case_id)
    assert case.summary == listed
    assert [(each.name, each.measured, each.unit) for each in case.checks] == [
        ("cutout.uncertainty", 0.5, "likelihood that the cutout is no good, 0..1")
    ]
    assert case.assets[0].checks[0].name == "cutout.uncertainty"
    assert [step.operation for step in case.steps] == ["cutout", "packshot", "transparent"]
    assert case.steps[0].takes["subject"] == "auto | everything | product"
    cutout = listed.cutout
    assert cutout is not None
    assert cases.picture(database, "demo", listed.case_id, cutout.digest).digest == cutout.digest
    assert refusal(cases.picture, database, "demo", listed.case_id, "0" * 64) == "unknown_picture"
    assert refusal(cases.get, database, "other", listed.case_id) == "unknown_case"


def test_cases_come_by_deadline_and_page_by_page(flow: Flow, database: Database) -> None:
    for number in range(5):
        requested_reviews(flow, upsert(sku=f"S{number}", photo=f"{number}.jpg"))
    first = cases.page(database, Wanted(tenant="demo"), limit=3)
    second = cases.page(database, Wanted(tenant="demo"), first.next, limit=3)
    assert len({each.sku for each in (*first.items, *second.items)}) == 5
    assert second.next is None
    assert refusal(cases.page, database, Wanted(tenant="demo", sku="S1"), first.next) == "bad_cursor"
    assert cases.page(database, Wanted(tenant="demo", older_than_s=3600)).items == []
    assert len(cases.every(database, Wanted(channel="amazon"))) == 5


def test_of_one_deadline_what_holds_up_more_comes_first_until_the_others_waited_for_longer(
    flow: Flow, database: Database
) -> None:
    requested_reviews(flow, upsert(sku="ONE", photo="one.jpg"))
    requested_reviews(flow, upsert(sku="MANY", photo="many.jpg", channels=CHANNELS))
    assert [each.sku for each in cases.page(database, Wanted(tenant="demo")).items] == ["MANY", "ONE"]
    first = cases.page(database, Wanted(tenant="demo"), limit=1)
    assert [each.sku for each in cases.page(database, Wanted(tenant="demo"), first.next, limit=1).items] == ["ONE"]
    with database.transaction() as connection:
        older = update(tables.reviews).where(tables.reviews.c.sku == "ONE")
        connection.execute(older.values(updated_at_ms=tables.reviews.c.updated_at_ms - 5 * WORTH_MS))
    assert [each.sku for each in cases.page(database, Wanted(tenant="demo")).items] == ["ONE", "MANY"]
    taken = cases.next_case(database, Wanted(tenant="demo"), "ada")
    assert taken is not None
    assert taken.case.summary.sku == "ONE"


def test_a_decision_says_what_was_in_doubt_and_is_checked_at_once(flow: Flow, database: Database) -> None:
    case_id, recorder = case_of(requested_reviews(flow)), Recorder()
    bad = Decision(outcome="redo", parameters={"colour": "red"})
    assert refusal(say, database, recorder, "demo", case_id, bad, "ada") == "bad_parameters"
    bad = Decision(outcome="redo", step="cutout", parameters={"subject": "half"})
    assert refusal(say, database, recorder, "demo", case_id, bad, "ada") == "bad_parameters"
    bad = Decision(outcome="approve", parameters={"padding": "0.1"})
    assert refusal(say, database, recorder, "demo", case_id, bad, "ada") == "bad_parameters"
    bad = Decision(outcome="redo", step="upscale")
    assert refusal(say, database, recorder, "demo", case_id, bad, "ada") == "bad_parameters"
    assert recorder.records == []
    word = say(database, recorder, "demo", case_id, APPROVE, "ada")
    assert (word.version, word.assets) == (1, 4)
    (event,) = sent(recorder)
    assert isinstance(event, ReviewDecided)
    assert (event.case, event.checks, event.approved) == (case_id, ["cutout.uncertainty"], True)
    assert refusal(say, database, recorder, "demo", case_id, APPROVE, "bob") == "case_claimed"
    flow.say(event)
    assert refusal(say, database, recorder, "demo", case_id, APPROVE, "bob") == "review_closed"
    undone = cases.undo(database, recorder, "demo", case_id, "slip", "ada")
    assert isinstance(undone, DecisionUndone)
    flow.say(undone)
    assert say(database, recorder, "demo", case_id, APPROVE, "bob").version == 3


def test_strokes_are_kept_as_a_blob_and_stay_until_others_come(flow: Flow, database: Database) -> None:
    case_id, recorder, blobs = case_of(requested_reviews(flow)), Recorder(), Blobs(MemoryStore())
    stroke = Retouch(marks=[Scribble(points=[(0.2, 0.3)], radius=0.01, keep=True)])
    redo = Decision(outcome="redo", step="cutout", retouch=stroke, reason="the handle")
    assert refusal(say, database, recorder, "demo", case_id, redo, "ada") == "bad_retouch"
    say(database, recorder, "demo", case_id, redo, "ada", blobs=blobs)
    (event,) = sent(recorder)
    assert isinstance(event, CutoutRetouched)
    assert event.strokes is not None
    assert b"scribble" in blobs.get(event.strokes)
    flow.say(event)
    assert cases.page(database, Wanted()).items == []
    assert cases.get(database, "demo", case_id).summary.state == "superseded"


def test_a_claim_is_one_persons_until_it_ends(flow: Flow, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id, recorder = case_of(requested_reviews(flow)), Recorder()
    mine = cases.claim(database, "demo", case_id, "ada")
    assert refusal(cases.claim, database, "demo", case_id, "bob") == "case_claimed"
    assert cases.page(database, Wanted()).items[0].claimed_by == "ada"
    assert cases.next_case(database, Wanted(tenant="demo"), "bob") is None
    assert cases.heartbeat(database, "demo", case_id, "ada", mine.epoch).until_ms >= mine.until_ms
    second = cases.claim(database, "demo", case_id, "ada")
    assert second.epoch == mine.epoch + 1, "another page of the same person's"
    assert refusal(cases.heartbeat, database, "demo", case_id, "ada", mine.epoch) == "claim_lost"
    late = replace(APPROVE, epoch=mine.epoch)
    assert refusal(say, database, recorder, "demo", case_id, late, "ada") == "claim_lost"
    monkeypatch.setattr("streams.services.review.cases.now_ms", lambda: second.until_ms + 1)
    taken = cases.next_case(database, Wanted(tenant="demo"), "bob")
    assert taken is not None
    assert (taken.claim.case_id, taken.claim.holder) == (case_id, "bob")
    late = replace(APPROVE, epoch=second.epoch)
    assert refusal(say, database, recorder, "demo", case_id, late, "ada") == "claim_lost"
    cases.release(database, "demo", case_id, "bob", taken.claim.epoch)
    assert cases.claim(database, "demo", case_id, "ada").epoch == taken.claim.epoch + 1
    assert recorder.records == []


class Crash(Exception):
    """The reviewer's process is gone."""


class Office:
    """Reviewers who decide at once and die at times, before, in and behind a send; the flow works beside them."""

    codec = HASHED

    def __init__(self, database: Database, seed: int, twice_share: float = 0.0, approved: float = 1.0) -> None:
        self.database = database
        self.random = Random(seed)
        self.decide = partial(cases.decide, twice_share=twice_share)
        self.approved = approved  # how much of what is decided is let pass
        self.flow = Flow(database)
        self.lock = threading.Lock()
        self.said = threading.Event()
        self.topic: list[ReviewDecided | OpinionGiven] = []
        self.refused: list[str] = []
        self.away: list[str] = []
        self.is_closed = False
        self.taken = 0  # of what was said
        # Goes on whenever nobody finds anything to do, and so do the leases of the dead. A lease is longer than what is
        # said waits to be taken: a second is not over before, however slow the machine is.
        self.now_ms = 1_000_000

    def send(self, records: list[object]) -> None:
        with self.lock:
            fate = self.random.random()
            if fate > 0.2:
                self.topic += [codec.decode(record.value) for record in records]  # type: ignore[attr-defined, misc]
        self.said.set()
        if fate < 0.4:
            raise Crash

    def review(self, name: str) -> None:
        while not self.is_over():
            try:
                found = cases.next_case(self.database, Wanted(tenant="demo"), name)
                if found is None and self.taken < len(self.topic):
                    time.sleep(0.01)
                elif found is None:
                    self.now_ms += 1000
                elif self.random.random() > 0.2:
                    outcome = APPROVE if self.random.random() < self.approved else REJECT
                    decision = replace(outcome, epoch=found.claim.epoch, reason=name)
                    self.decide(self.database, self, "demo", found.claim.case_id, decision, name)  # type: ignore[arg-type]
            except Crash:
                continue
            except Refused as error:
                self.refused.append(error.code)
            except DatabaseUnavailable as error:
                self.away.append(str(error))
            except BaseException:
                self.is_closed = True  # nobody waits for a reviewer who has ended
                raise

    def work(self) -> None:
        """The streams role takes what was said, one by one; what the database could not do it tries again."""
        try:
            while not self.is_over():
                self._take()
        finally:
            self.is_closed = True  # nobody waits for a role that has ended

    def _take(self) -> None:
        if self.taken == len(self.topic):
            self.said.wait(0.05)
            self.said.clear()
            return
        try:
            self.flow.say(self.topic[self.taken])
            self.taken += 1
        except DatabaseUnavailable as error:
            self.away.append(str(error))

    def run(self, *people: str) -> None:
        """Everybody works until no case waits."""
        with ThreadPoolExecutor(len(people) + 1) as threads:
            ends = [threads.submit(self.review, name) for name in people]
            for end in [*ends, threads.submit(self.work)]:
                end.result()

    def is_over(self) -> bool:
        return self.is_closed or not cases.page(self.database, Wanted(), limit=1).items


@pytest.mark.parametrize(
    ("seed", "products"),
    [
        (1, PRODUCTS),
        *(pytest.param(seed, count, marks=pytest.mark.long) for seed, count in ((2, 12), (3, 12), (4, 500))),
    ],
)
def test_no_case_is_decided_twice_and_none_is_lost(
    database: Database, seed: int, products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(database, seed)
    monkeypatch.setattr(cases, "now_ms", lambda: office.now_ms)
    expected = {
        case_of(requested_reviews(office.flow, upsert(sku=f"S{number}", photo=f"{number}.jpg")))
        for number in range(products)
    }
    office.run("ada", "bob")
    with database.read() as facts:
        found = {case_id: facts.cases.get(case_id) for case_id in expected}
        assert facts.reviews.every() == []
    assert all(case is not None and case.decision is not None for case in found.values())
    fields = {(event.case, event.version): event for event in reversed(office.topic)}
    for case_id, case in found.items():
        assert case is not None
        assert case.last == fields[case_id, case.rank], "the first word of its place counts"
    twice = {(event.case, event.version) for event in office.topic if office.topic.count(event) > 1}
    assert twice == set()
    assert set(office.refused) <= {"claim_lost", "case_claimed", "review_closed"}


def test_cases_that_are_alike_are_decided_together(flow: Flow, database: Database) -> None:
    for number in range(4):
        requested_reviews(
            flow, replace(upsert(sku=f"S{number}", photo=f"{number}.jpg"), category="Bowls" if number else "Mugs")
        )
    requested_reviews(flow, upsert(sku="OTHER", photo="o.jpg"), {}, {"fill": 0.2})
    first, *others = [each for each in cases.page(database, Wanted(tenant="demo")).items if each.sku != "OTHER"]
    found = case_groups.alike(database, "demo", first.case_id)
    assert {each.sku for each in found} == {each.sku for each in others}
    recorder = Recorder()
    taken = found[0].case_id
    cases.claim(database, "demo", taken, "bob")
    chosen = [first.case_id, *(each.case_id for each in found)]
    decided = case_groups.decide(database, recorder, "demo", chosen, APPROVE, "ada", 0.0)
    assert [each.case_id for each in decided if each.refused] == [taken]
    events = [event for event in sent(recorder) if isinstance(event, ReviewDecided)]
    assert [event.case for event in events] == [each.case_id for each in decided if not each.refused]
    redo = Decision(outcome="redo")
    assert refusal(case_groups.decide, database, recorder, "demo", chosen, redo, "ada", 0.0) == "bad_parameters"
    assert refusal(case_groups.decide, database, recorder, "other", chosen, APPROVE, "ada", 0.0) == "unknown_case"
