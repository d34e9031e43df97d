"""A second look at what passed: who looks at what, and what it says of how good reviewing is."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.identity import content_id
from schemas.records import PictureRated, PublishRequested, ReviewDecided
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.services.review import agreement, sampling
from streams.services.review.agreement import Rate
from streams.services.review.sampling import KNOWN_BAD_EVERY, TWICE_SHARE, Picture, Sample
from tests.streams.case_flow import CHANNELS, made, requested_reviews
from tests.streams.flow import Flow, Recorder, published, tasks, upsert

PEOPLE = ("ada", "bob", "cleo")


@pytest.fixture
def database(flow: Flow) -> Database:
    return flow.database


def picture(number: int, stratum: str, key: str = "k") -> Picture:
    return Picture(content_id(number), f"S{number}", "amazon-1", "amazon", "image/jpeg", stratum, key)


def word(of: Picture, by: str, is_right: bool) -> PictureRated:
    return PictureRated(
        tenant="demo",
        sku=of.sku,
        asset=of.asset,
        channel=of.channel,
        picture=of.digest,
        is_right=is_right,
        version=1,
        purpose="sample",
        stratum=of.stratum,
        is_known_bad=of.is_known_bad,
        rated_by=by,
    )


def looked_at(passed: Sequence[Picture], bad: Sequence[Picture], wrong: set[str], random: Random) -> Sample:
    """All of it, looked at by people who see one in ten otherwise than it is."""
    words: dict[str, list[PictureRated]] = defaultdict(list)
    sample = Sample(passed, bad, words)
    idle: set[str] = set()
    while len(idle) < len(PEOPLE):
        person = random.choice(PEOPLE)
        found = sample.next_for(person)
        if found is None:
            idle.add(person)
            continue
        idle.clear()
        is_right = (found.digest not in wrong and not found.is_known_bad) != (random.random() < 0.1)
        words[found.digest].append(word(found, person, is_right))
    return sample


@pytest.mark.parametrize("seed", range(5))
def test_everybody_looks_once_a_share_twice_and_a_third_decides(seed: int) -> None:
    random = Random(seed)
    passed = [picture(number, "rare" if number % 10 == 0 else "common") for number in range(300)]
    bad = [picture(1000 + number, "", key="") for number in range(60)]
    wrong = {each.digest for each in passed if random.random() < 0.12}
    sample = looked_at(passed, bad, wrong, random)
    twice = 0
    for each in passed:
        words = sample.words[each.digest]
        assert len({said.rated_by for said in words}) == len(words)
        disagree = len(words) > 1 and words[0].is_right != words[1].is_right
        assert len(words) == (3 if disagree else len(words))
        assert agreement.verdict(words) is not None
        twice += len(words) > 1
    assert abs(twice / len(passed) - TWICE_SHARE) < 0.1
    found = agreement.of(sample, ())
    low, high = found.wrong.interval
    share = found.wrong.share
    assert share is not None
    seen_wrong = 0.9 * 0.12 + 0.1 * 0.88  # what is wrong, seen as it is, and what is right, seen otherwise
    assert low - 0.05 < seen_wrong < high + 0.05
    assert sum(each.known_bad for each in found.reviewers) >= len(bad) // 2
    assert all((each.finds.share or 0) > 0.7 for each in found.reviewers)


def test_known_bad_ones_come_among_the_others() -> None:
    passed = [picture(number, "common") for number in range(80)]
    bad = [dataclasses.replace(picture(1000 + number, "", key=""), rejected_by="bob") for number in range(40)]
    words: dict[str, list[PictureRated]] = defaultdict(list)
    sample = Sample(passed, bad, words)
    seen: list[bool] = []
    for _ in range(3 * KNOWN_BAD_EVERY):
        found = sample.next_for("ada")
        assert found is not None
        seen.append(found.is_known_bad)
        words[found.digest].append(word(found, "ada", True))
    assert sum(seen) == 3
    fellow = Sample(passed, bad, {})
    assert all(not each.is_known_bad for each in walked(fellow, "bob", 20)), "nobody is shown what they rejected"


def walked(sample: Sample, person: str, count: int) -> list[Picture]:
    found: list[Picture] = []
    skipped: list[str] = []
    for _ in range(count):
        each = sample.next_for(person, skipped=skipped)
        assert each is not None
        found.append(each)
        skipped.append(each.digest)
    return found


def test_rare_strata_are_looked_at_first() -> None:
    passed = [picture(number, "rare" if number < 5 else "common") for number in range(200)]
    words: dict[str, list[PictureRated]] = defaultdict(list)
    sample = Sample(passed, [], words)
    for number in range(10):
        found = sample.next_for(f"person {number}")
        assert found is not None
        words[found.digest].append(word(found, f"person {number}", True))
    by_stratum = [said[0].stratum for said in words.values() if said]
    assert by_stratum.count("rare") >= 4


def test_intervals_are_wilsons() -> None:
    assert Rate(0, 10).interval == pytest.approx((0, 0.27753), abs=1e-4)
    assert Rate(5, 10).interval == pytest.approx((0.23659, 0.76341), abs=1e-4)
    assert Rate(0, 0).share is None
    assert Rate(0, 0).interval == (0, 1)


def live(flow: Flow) -> list[PublishRequested]:
    """A product whose pictures are live."""
    steps = [step for first in tasks(flow.say(upsert(channels=CHANNELS))) for step in tasks(flow.say(made(first)))]
    requests = [event for step in steps for event in flow.say(made(step)) if isinstance(event, PublishRequested)]
    for request in requests:
        flow.say(published(request))
    return requests


def events(recorder: Recorder) -> list[PictureRated]:
    found = [codec.decode(each.value) for each in recorder.records]
    return [each for each in found if isinstance(each, PictureRated)]


def test_what_somebody_says_is_an_event_and_the_newest_word_counts(flow: Flow, database: Database) -> None:
    live(flow)
    recorder = Recorder()
    with database.read() as facts:
        found = sampling.sample("demo", facts).next_for("ada")
    assert found is not None
    assert found.stratum == "amazon · no category · far from the limit · gates" or found.channel != "amazon"
    for is_right in (True, False):
        sampling.look(database, recorder, "demo", found.digest, "ada", is_right, "the edge")
        flow.say(events(recorder)[-1])
    first, second = events(recorder)
    assert (first.version, second.version, second.is_known_bad) == (1, 2, False)
    assert flow.say(first) == []
    with database.read() as facts:
        assert facts.ratings.of("demo") == [second]
        assert facts.ratings.of("other") == []


def test_a_thumb_is_on_what_is_live(flow: Flow, database: Database) -> None:
    live(flow)
    recorder = Recorder()
    sampling.thumb(database, recorder, "demo", "A", "amazon-1", "eva", True)
    (event,) = events(recorder)
    assert (event.purpose, event.asset, event.is_right) == ("thumb", "amazon-1", True)
    for tenant, sku, asset in (("other", "A", "amazon-1"), ("demo", "B", "amazon-1"), ("demo", "A", "amazon-9")):
        with pytest.raises(Refused):
            sampling.thumb(database, recorder, tenant, sku, asset, "eva", True)


def test_what_people_rejected_is_hidden_among_the_sample(flow: Flow, database: Database) -> None:
    reviews = requested_reviews(flow, upsert(channels=CHANNELS))
    for review in reviews[:2]:
        task = review.completed.task
        decision_on = ReviewDecided(
            review_id=review.review_id, tenant=task.tenant, sku=task.sku, approved=False, decided_by="ada"
        )
        flow.say(replace(decision_on, reason="the edge"))
    with database.read() as facts:
        sample = sampling.sample("demo", facts)
    assert len(sample.known_bad) == 2
    assert sample.next_for("ada") is None
    found = sample.next_for("bob")
    assert found is not None
    assert found.is_known_bad


def test_a_rating_of_what_nobody_knows_is_an_answer(flow: Flow) -> None:
    event = word(picture(1, "common"), "ada", True)
    assert flow.letters(event) == [("imagery.retry.1000ms", "unknown_product")]
