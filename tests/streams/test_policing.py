"""The content policy in the flow: what it refuses costs nothing, what it doubts is for a person."""

import pytest
from msgspec.structs import replace

from schemas.records import PublishRequested, ReviewRequested
from streams.api.codes import CODES
from streams.flow.processors.policing import REFUSED
from tests.streams.flow import Flow, done, tasks, upsert
from tests.streams.processing import CAMPAIGN


def verdicts(flow: Flow, title: str) -> list[object]:
    """What comes of a product's pictures that are good in all else."""
    (cut,) = tasks(flow.say(replace(upsert(), title=title)))
    return [answer for task in tasks(flow.say(done(cut))) for answer in flow.say(done(task))]


@pytest.mark.parametrize("title", ["Replica Rolex, steel", "Mug {{7*7}}", "c\u00adocaine set"])
def test_a_refused_title_is_an_answer_before_anything_is_made(flow: Flow, title: str) -> None:
    assert flow.letters(replace(upsert(), title=title)) == [("imagery.dead", "policy_refused")]
    assert flow.states() == {}


def test_what_is_to_go_may_go_under_any_title(flow: Flow) -> None:
    flow.say(upsert())
    assert flow.letters(replace(upsert(2), change="delete", title="Replica Rolex")) == []


def test_a_campaign_of_a_refused_name_is_refused(flow: Flow) -> None:
    flow.say(upsert())
    assert flow.letters(replace(CAMPAIGN, campaign="buy-cocaine")) == [("imagery.dead", "policy_refused")]


def test_a_doubtful_title_is_for_a_person_and_says_so(flow: Flow) -> None:
    requests = verdicts(flow, "Turmeric tea that cures arthritis")
    assert requests
    assert all(isinstance(each, ReviewRequested) for each in requests)
    assert {doubt.about for each in requests if isinstance(each, ReviewRequested) for doubt in each.doubts} == {
        "policy"
    }


@pytest.mark.parametrize("title", ["Stoneware mug, 350 ml", "陶瓷杯"])
def test_a_plain_title_holds_nothing_up(flow: Flow, title: str) -> None:
    assert all(isinstance(each, PublishRequested) for each in verdicts(flow, title))


def test_the_api_explains_the_refusal() -> None:
    assert CODES[REFUSED].status == 422
