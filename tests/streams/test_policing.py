"""The content policy in the flow: what it refuses costs nothing, what it doubts is for a person."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from schemas.channels import version_number
from schemas.policies import shipped
from schemas.records import PolicyReleased, PublishRequested, ReplanRequested, RetractRequested, ReviewRequested
from streams.api.codes import CODES
from streams.flow.processors.policing import IN_DOUBT, REFUSED, measures_of
from streams.runtime.errors import Refused
from streams.services.ordering.ordered_verdicts import REFUSED as OUTPUT_REFUSED
from streams.services.ordering.ordered_verdicts import refusal_of, verdict_of
from streams.services.ordering.orders import Order, drawn
from tests.streams.flow import Flow, done, published, tasks, upsert
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


def test_a_plain_title_holds_nothing_up(flow: Flow) -> None:
    assert all(isinstance(each, PublishRequested) for each in verdicts(flow, "Stoneware mug, 350 ml"))


def test_a_title_that_no_rule_can_read_is_for_a_person_where_the_channel_demands_it(flow: Flow) -> None:
    requests = verdicts(flow, "陶瓷杯")
    assert [(type(each), each.reason) for each in requests if isinstance(each, ReviewRequested)] == [
        (ReviewRequested, "policy was not measured")
    ]
    assert [each.channel for each in requests if isinstance(each, PublishRequested)] == ["web"], "which demands it not"


def test_the_api_explains_the_refusal() -> None:
    assert CODES[REFUSED].status == 422


SCENE = {"height_cm": "9.4", "background.prompt": "marble, soft morning light"}


def ordered(words: str) -> Order:
    given = SCENE | {"background.prompt": words}
    return Order(tenant="demo", operation="mockup", channel="shopify", parameters=given)


def test_words_for_a_scene_that_the_policy_refuses_are_refused_before_anything_is_made(flow: Flow) -> None:
    with flow.database.read() as facts:
        cookbook = facts.recipes.cookbook()
    assert drawn(ordered("marble, soft morning light"), cookbook).steps[-1].operation == "mockup"
    with pytest.raises(Refused) as refused:
        drawn(ordered("marble, c\u00adocaine, morning light"), cookbook)
    assert (refused.value.code, refused.value.field) == (REFUSED, "background.prompt")


@pytest.mark.parametrize(
    ("words", "count"), [("marble", 0), ("marble, cures arthritis", 1), ("marble, buy cocaine", 1)]
)
def test_words_for_a_scene_in_a_recipe_are_for_a_person_where_a_title_would_be(words: str, count: int) -> None:
    given = SCENE | {"background.prompt": words}
    assert measures_of(upsert(), "shopify", shipped(), given) == {IN_DOUBT: count}


OWN = """name: rivals
version: "{version}"
source: ours
rules:
  - {{id: house, outcome: {outcome}, why: a rival's, words: [{words}]}}
"""


def own(words: str = "acme mug", outcome: str = "review", version: str = "2026-12") -> PolicyReleased:
    """Rules in the place of those about copies of brands."""
    text = OWN.format(words=words, outcome=outcome, version=version)
    return PolicyReleased(policy="rivals", version=version_number(version), text=text, released_at_ms=1)


def made(flow: Flow, title: str) -> list[object]:
    """All that is said until a product's pictures are made."""
    (cut,) = tasks(flow.say(replace(upsert(), title=title)))
    return [answer for task in tasks(flow.say(done(cut))) for answer in flow.say(done(task))]


def replanned(answers: Sequence[object]) -> list[ReplanRequested]:
    return [each for each in answers if isinstance(each, ReplanRequested)]


def live(flow: Flow, title: str) -> None:
    """A product with that title is live."""
    for each in made(flow, title):
        assert isinstance(each, PublishRequested)
        flow.say(published(each))


def test_released_rules_take_the_place_of_those_that_ship(flow: Flow) -> None:
    title = "Replica Rolex, steel"
    assert flow.letters(replace(upsert(), title=title)) == [("imagery.dead", "policy_refused")]
    flow.say(own())
    assert tasks(flow.say(replace(upsert(), title=title)))


def test_just_what_is_judged_otherwise_is_judged_anew(flow: Flow) -> None:
    flow.say(replace(upsert(), title="Stoneware mug"))
    assert replanned(flow.say(own())) == []
    assert [each.sku for each in replanned(flow.say(own("stoneware", version="2026-12.2")))] == [upsert().sku]


def test_what_is_live_and_doubted_now_is_retracted_and_waits(flow: Flow) -> None:
    live(flow, "Acme mug")
    (request,) = replanned(flow.say(own()))
    (cut,) = tasks(flow.say(request))
    answers = [answer for task in tasks(flow.say(done(cut))) for answer in flow.say(done(task))]
    assert {type(each) for each in answers} == {ReviewRequested, RetractRequested}
    assert set(flow.states().values()) == {"review"}


def test_what_is_live_and_refused_now_is_retracted_and_is_a_letter(flow: Flow) -> None:
    live(flow, "Acme mug")
    (request,) = replanned(flow.say(own(outcome="refuse")))
    assert flow.letters(request) == [("imagery.dead", "policy_refused")]
    assert set(flow.states().values()) <= {"leaving"}


def test_attributes_are_judged_too(flow: Flow) -> None:
    hostile = replace(upsert(), attributes={"material": "{{7*7}}"})
    assert flow.letters(hostile) == [("imagery.dead", "policy_refused")]


@pytest.mark.parametrize(
    "text",
    ["rules: 3", "name: rivals", OWN.format(words="a", outcome="review", version="2026-12"), own().text + "x: 1"],
)
def test_rules_that_are_none_are_an_answer(flow: Flow, text: str) -> None:
    assert flow.letters(replace(own(), text=text)) == [("imagery.dead", "bad_policy")]


def test_an_older_version_is_refused(flow: Flow) -> None:
    assert flow.letters(own(version="2026-01")) == [("imagery.dead", "version_conflict")]


SHOWN = """name: shown
version: "{version}"
source: ours
rules: []
pictures:
  - {{id: flags, outcome: {outcome}, why: shows a flag, shows: flag, above: {above}{more}}}
"""


def shown(outcome: str = "review", above: float = 0.5, version: str = "2026-12", more: str = "") -> PolicyReleased:
    """A rule about photographs, by what a network sees in them."""
    text = SHOWN.format(outcome=outcome, above=above, version=version, more=more)
    return PolicyReleased(policy="shown", version=version_number(version), text=text, released_at_ms=1)


def seen(flow: Flow, score: float | None, category: str = "") -> list[object]:
    """What comes of a product's pictures where a network saw a flag in its photograph with this score."""
    (cut,) = tasks(flow.say(replace(upsert(), title="Stoneware mug", category=category)))
    made = done(cut) if score is None else done(cut, picture_class_flag=score)
    return [answer for task in tasks(flow.say(made)) for answer in flow.say(done(task))]


@pytest.mark.parametrize(("outcome", "verdict"), [("review", "review"), ("refuse", "fail")])
def test_a_rule_names_a_class_that_a_network_sees_and_what_follows(flow: Flow, outcome: str, verdict: str) -> None:
    flow.say(shown(outcome))
    requests = [each for each in seen(flow, 0.8) if isinstance(each, ReviewRequested)]
    assert requests
    for each in requests:
        (check,) = [check for check in each.verdict.checks if check.name == "cutout.picture_class_flag"]
        assert (check.outcome, check.measured, check.limit) == (verdict, 0.8, "≤ 0.5")
        assert check.rule == "shown@2026-12/flags"
        assert each.verdict.outcome == verdict


@pytest.mark.parametrize(
    ("outcome", "score", "verdict", "is_refused"),
    [("refuse", 0.8, "fail", True), ("review", 0.8, "review", False), ("refuse", 0.2, "pass", False)],
)
def test_a_picture_that_was_ordered_is_refused_by_what_its_photograph_shows(
    flow: Flow, outcome: str, score: float, verdict: str, is_refused: bool
) -> None:
    flow.say(shown(outcome))
    (cut,) = tasks(flow.say(upsert()))
    task = next(each for each in tasks(flow.say(done(cut, picture_class_flag=score))) if each.step.channel == "amazon")
    answer = done(task)
    with flow.database.read() as facts:
        order = Order(tenant="demo", operation="packshot", channel="amazon")
        found = verdict_of(order, "amazon", answer, task.measures | answer.measures, facts.recipes.cookbook())
    assert found.outcome == verdict
    refused = refusal_of(found)
    assert (refused is not None) == is_refused
    if refused is not None:
        assert (refused.code, refused.field) == (OUTPUT_REFUSED, "photograph")
        assert "shown@2026-12/flags" in str(refused)
        assert CODES[refused.code].status == 422


def test_a_class_that_is_hardly_seen_holds_nothing_up(flow: Flow) -> None:
    flow.say(shown())
    assert all(isinstance(each, PublishRequested) for each in seen(flow, 0.2))


def test_where_no_network_looks_a_rule_about_photographs_is_for_a_person_if_the_channel_demands_it(flow: Flow) -> None:
    flow.say(shown())
    answers = seen(flow, None)
    assert {each.channel: type(each) for each in answers if isinstance(each, PublishRequested)} == {
        "web": PublishRequested
    }
    assert [each.reason for each in answers if isinstance(each, ReviewRequested)] == [
        "cutout.picture_class_flag was not measured"
    ]


@pytest.mark.parametrize("more", [", tenants: [other]", ", channels: [zalando]", ", not_of: [bare]"])
def test_a_rule_about_photographs_counts_where_it_says(flow: Flow, more: str) -> None:
    flow.say(shown(more=more))
    assert all(isinstance(each, PublishRequested) for each in seen(flow, 0.9, category="Swimwear"))


def test_a_changed_rule_about_photographs_retracts_what_is_live(flow: Flow) -> None:
    flow.say(shown(above=0.9))
    for each in seen(flow, 0.8):
        assert isinstance(each, PublishRequested)
        flow.say(published(each))
    assert replanned(flow.say(shown(above=0.9, version="2026-12.2"))) == [], "the same rule by another version"
    (request,) = replanned(flow.say(shown(above=0.5, version="2026-12.3")))
    (cut,) = tasks(flow.say(request))
    made = flow.say(done(cut, picture_class_flag=0.8))
    answers = [answer for task in tasks(made) for answer in flow.say(done(task))]
    assert {type(each) for each in answers} == {ReviewRequested, RetractRequested}


@pytest.mark.parametrize(
    ("old", "new"),
    [("above: 0.5", "above: 1.5"), ("shows: flag", "shows: ''"), ("review", "rewrite"), ("above: 0.5", "colour: red")],
)
def test_rules_about_photographs_that_are_none_are_an_answer(flow: Flow, old: str, new: str) -> None:
    assert old in shown().text
    assert flow.letters(replace(shown(), text=shown().text.replace(old, new))) == [("imagery.dead", "bad_policy")]
