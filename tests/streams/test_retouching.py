"""A person has a photograph cut out otherwise: what is made again, for how long it counts, and what is not heard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import PublishRequested, Source
from streams.facts import Database
from tests.streams.case_flow import CHANNELS, UNSURE, finished, kinds, made, requested_reviews, retouch
from tests.streams.flow import Flow, tasks, upsert

STROKES = "c" * 64


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


def pending(flow: Flow) -> int:
    with flow.database.read() as facts:
        return len(facts.reviews.every())


def test_a_retouch_makes_all_of_the_photograph_again_and_nothing_else(flow: Flow) -> None:
    event = upsert(channels=CHANNELS)
    event = replace(event, sources=[*event.sources, Source(uri="https://images.example/b.jpg")])
    requested_reviews(flow, event)
    retouched = retouch(strokes=STROKES)
    (cut,) = tasks(flow.say(retouched))
    assert (cut.source, cut.lane, cut.version) == (event.sources[0], "urgent", 1)
    assert cut.step.parameters == {"subject": "everything", "retouch": STROKES}
    states = flow.states()
    assert {state for name, state in states.items() if name.endswith("-1")} == {"planned"}
    assert {state for name, state in states.items() if name.endswith("-2")} == {"review"}
    assert tasks(flow.say(retouched)) == [cut], "told again it is answered the same"
    assert pending(flow) == sum(name.endswith("-2") for name in states)


def test_what_the_cutout_before_still_brings_in_is_not_heard(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert(channels=CHANNELS)))
    first, *late = tasks(flow.say(made(cut, **UNSURE)))
    flow.say(made(first))
    (again,) = tasks(flow.say(retouch()))
    assert [flow.say(made(step)) for step in late] == [[]] * 3
    assert pending(flow) == 0
    reviews = finished(flow, [again], UNSURE, {})
    assert len(reviews) == 4
    assert {review.completed.task.origin.retouch for review in reviews if review.completed.task.origin} == {1}


def test_a_retouch_that_passes_the_gates_goes_live_by_itself(flow: Flow) -> None:
    requested_reviews(flow)
    (again,) = tasks(flow.say(retouch()))
    answers = [event for step in tasks(flow.say(made(again))) for event in flow.say(made(step))]
    assert kinds(answers) == ["PublishRequested"] * 4


def test_whoever_saw_what_came_of_their_strokes_is_not_asked_about_its_edges(flow: Flow) -> None:
    requested_reviews(flow)
    (again,) = tasks(flow.say(retouch(strokes=STROKES, approved=True)))
    answers = [event for step in tasks(flow.say(made(again, **UNSURE))) for event in flow.say(made(step))]
    requests = [event for event in answers if isinstance(event, PublishRequested)]
    assert {event.approved_by for event in requests} == {"ada"}
    assert len(requests) == 4
    assert pending(flow) == 0


def test_a_later_version_keeps_the_retouch_and_a_new_photograph_has_none(flow: Flow) -> None:
    requested_reviews(flow)
    (again,) = tasks(flow.say(retouch(strokes=STROKES)))
    (kept,) = tasks(flow.say(replace(upsert(2, channels=CHANNELS), title="New")))
    assert kept.step.parameters == again.step.parameters
    (new,) = tasks(flow.say(upsert(3, channels=CHANNELS, photo="b.jpg")))
    assert new.step.parameters == {}
    assert flow.letters(retouch(2)) == [("imagery.dead", "unknown_source")]


def test_a_later_word_takes_the_retouch_back(flow: Flow) -> None:
    (before,) = tasks(flow.say(upsert(channels=CHANNELS)))
    flow.say(retouch(strokes=STROKES))
    (plain,) = tasks(flow.say(retouch(2, parameters={})))
    assert plain.step.parameters == before.step.parameters
    assert finished(flow, [plain], {}, {}) == []
    assert set(flow.states().values()) == {"publishing"}
    assert flow.say(retouch(strokes=STROKES)) == [], "it is older"


@pytest.mark.parametrize(
    ("change", "code", "kind"),
    [
        ({"parameters": {"colour": "red"}}, "bad_parameters", "dead"),
        ({"parameters": {"retouch": STROKES}}, "bad_parameters", "dead"),
        ({"sku": "B"}, "unknown_product", "retry.1000ms"),
        ({"source": Source(uri="https://images.example/z.jpg")}, "unknown_source", "dead"),
    ],
)
def test_what_cannot_be_carried_out_is_an_answer(flow: Flow, change: dict[str, object], code: str, kind: str) -> None:
    requested_reviews(flow)
    assert flow.letters(replace(retouch(), **change)) == [(f"imagery.{kind}", code)]
    assert set(flow.states().values()) == {"review"}


def test_of_two_who_retouch_at_once_one_counts(flow: Flow) -> None:
    requested_reviews(flow)
    flow.say(retouch())
    assert flow.letters(retouch(reason="the lid")) == [("imagery.dead", "review_closed")]
