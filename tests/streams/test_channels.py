"""A shop's own channels and rules: released by events, and the same for everybody who plans, makes and judges."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpu_workers.pools import rules
from schemas import channels
from schemas.records import ChannelReleased, Event, PublishRequested, RecipeReleased, ReplanRequested, ReviewRequested
from streams.commands.cli import packshot
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.audit.checks import check_everything
from streams.services.operating import replanning
from streams.services.ordering.local_render import open_studio
from streams.services.releases import channels as desk
from streams.services.reports.views import ProductName
from tests.streams.flow import Flow, done, published, tasks, upsert

DEMO_A = ProductName(tenant="demo", sku="A")

SHIPPED = (Path(channels.__file__).parent / "amazon.yaml").read_text()
STRICT = SHIPPED.replace('"2026-11"', '"2026-11.2"').replace("min: 0.85", "min: 0.87")
BAZAAR = SHIPPED.replace("name: amazon", "name: bazaar")
RECIPE = """\
name: stalls
version: 1
steps:
  - operation: cutout
    next:
      - {operation: packshot, channel: bazaar}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "channels").mkdir()
    return Settings(database_url=f"sqlite:///{tmp_path}/facts.db", channels=tmp_path / "channels", data_folder=tmp_path)


@pytest.fixture
def flow(settings: Settings) -> Iterator[Flow]:
    database = Database(settings.database)
    database.create_tables()
    yield Flow(database)
    database.close()


def release(rules: str, **more: object) -> ChannelReleased:
    made = channels.parse(rules.encode())
    fields = {"channel": made.name, "version": made.number, "text": rules, "released_at_ms": 1}
    return ChannelReleased(**(fields | more))  # type: ignore[arg-type]


def again(events: Sequence[Event]) -> list[str]:
    assert all(isinstance(event, ReplanRequested) for event in events)
    return [event.sku for event in events if isinstance(event, ReplanRequested)]


def judged(flow: Flow, event: Event, fill: float) -> list[Event]:
    (cut,) = tasks(flow.say(event))
    task = next(each for each in tasks(flow.say(done(cut))) if each.step.asset == "amazon-1")
    return flow.say(done(task, fill=fill))


def test_a_version_is_a_number_that_rises_with_it() -> None:
    versions = ["2026-11", "2026-11.1", "2026-11.2", "2026-11.10", "2026-12", "2027-01"]
    numbers = [channels.version_number(version) for version in versions]
    assert numbers == sorted(numbers)
    assert numbers[2] == 202611002


def test_only_the_products_with_pictures_for_the_channel_are_made_again(flow: Flow) -> None:
    flow.say(upsert(sku="A", channels=["amazon"]))
    flow.say(upsert(sku="B", channels=["shopify"]))
    assert again(flow.say(release(STRICT))) == ["A"]


def test_who_judges_and_who_makes_go_by_the_version_that_was_released(flow: Flow, settings: Settings) -> None:
    flow.say(release(STRICT))
    (request,) = judged(flow, upsert(), fill=0.86)
    assert isinstance(request, ReviewRequested), "the rules that ship would let it pass"
    assert request.verdict.rules.endswith("amazon@2026-11.2")
    assert rules.rules_that_count(flow.database).load("amazon").fill.min == 0.87
    assert desk.counting(flow.database).load("amazon").rule_version == "amazon@2026-11.2"
    with open_studio(settings) as studio:
        assert studio.rules.load("amazon").rule_version == "amazon@2026-11.2"


def test_what_was_made_by_the_rules_of_before_is_made_again(flow: Flow) -> None:
    (cut,) = tasks(flow.say(upsert()))
    task = next(each for each in tasks(flow.say(done(cut))) if each.step.asset == "amazon-1")
    flow.say(release(STRICT))
    assert again(flow.say(done(task))) == ["A"]


def test_what_is_live_is_judged_anew_by_the_rules_that_count(flow: Flow) -> None:
    (request,) = judged(flow, upsert(), fill=0.86)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    (replan,) = flow.say(release(STRICT))
    (review,) = judged(flow, replan, fill=0.86)
    assert isinstance(review, ReviewRequested)
    assert flow.states()["amazon-1"] == "review"


def test_what_waits_is_asked_for_anew_by_the_rules_that_count(flow: Flow) -> None:
    (before,) = judged(flow, upsert(), fill=0.5)
    (replan,) = flow.say(release(STRICT))
    (review,) = judged(flow, replan, fill=0.5)
    assert isinstance(before, ReviewRequested)
    assert isinstance(review, ReviewRequested)
    assert review.review_id == before.review_id, "nothing of the rules that changed makes another picture"
    assert review.verdict.rules.endswith("amazon@2026-11.2")
    assert judged(flow, ReplanRequested(tenant="demo", sku="A"), fill=0.5) == [review], "told again it is the same"
    with flow.database.read() as facts:
        known = facts.reviews.get(review.review_id)
        assert known is not None
        assert (known.state, known.request) == ("pending", review)
        waits_for = facts.cases.open_doubts([review.review_id])[review.review_id]
    assert waits_for == {each.case for each in review.doubts}


def test_what_is_as_good_by_the_new_rules_says_so(flow: Flow) -> None:
    (request,) = judged(flow, upsert(), fill=0.88)
    assert isinstance(request, PublishRequested)
    flow.say(published(request))
    (replan,) = flow.say(release(STRICT))
    (after,) = judged(flow, replan, fill=0.88)
    assert isinstance(after, PublishRequested)
    assert after.verdict.rules.endswith("amazon@2026-11.2")
    flow.say(published(after))
    (replan,) = flow.say(ReplanRequested(tenant="demo", sku="A")) and [ReplanRequested(tenant="demo", sku="A")]
    assert judged(flow, replan, fill=0.88) == [], "told again it changes nothing"


def test_a_channel_of_ones_own_is_one_once_it_is_released(flow: Flow) -> None:
    assert flow.letters(upsert(channels=["bazaar"])) == [("imagery.dead", "unknown_channel")]
    assert flow.letters(RecipeReleased(recipe="stalls", version=1, text=RECIPE, released_at_ms=1)) == [
        ("imagery.dead", "bad_recipe")
    ]
    assert flow.say(release(BAZAAR)) == []
    assert tasks(flow.say(upsert(channels=["bazaar"])))
    assert "bazaar-1" in flow.states()
    assert flow.say(RecipeReleased(recipe="stalls", version=1, text=RECIPE, released_at_ms=1)) == []


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (release(SHIPPED.replace("min: 0.85", "min: 0.87")), "version_conflict"),
        (release(STRICT, channel="ebay"), "bad_channel"),
        (release(STRICT, version=202611003), "bad_channel"),
        (release(STRICT, text=STRICT.replace("min: 0.87", "min: 7")), "bad_channel"),
    ],
)
def test_a_release_that_is_none_is_refused(flow: Flow, event: ChannelReleased, code: str) -> None:
    assert flow.letters(event) == [("imagery.dead", code)]


def test_an_older_version_does_not_come_back(flow: Flow) -> None:
    flow.say(release(STRICT))
    assert flow.letters(release(STRICT.replace("2026-11.2", "2026-11.1"))) == [("imagery.dead", "version_conflict")]


def test_withdrawn_rules_give_way_to_those_before_which_make_the_same_products_again(flow: Flow) -> None:
    flow.say(upsert(sku="A", channels=["amazon"]))
    flow.say(upsert(sku="B", channels=["shopify"]))
    flow.say(release(STRICT))
    assert again(flow.say(release(desk.text_before("amazon", [STRICT])))) == ["A"]
    counts = desk.counting(flow.database).load("amazon")
    assert counts.rule_version == "amazon@2026-11.3"
    assert counts.fill == channels.load("amazon").fill


def test_withdrawing_again_goes_further_back_and_not_to_and_fro() -> None:
    stricter = STRICT.replace("2026-11.2", "2026-11.5").replace("min: 0.87", "min: 0.875")
    first = desk.text_before("amazon", [STRICT, stricter])
    assert (channels.parse(first.encode()).version, "min: 0.87" in first) == ("2026-11.6", True)
    second = desk.text_before("amazon", [STRICT, stricter, first])
    assert (channels.parse(second.encode()).version, "min: 0.85" in second) == ("2026-11.7", True)
    with pytest.raises(Refused, match="nothing before it"):
        desk.text_before("amazon", [STRICT, stricter, first, second])
    named = desk.text_before("amazon", [STRICT, stricter, first, second], "2026-11.5")
    assert (channels.parse(named.encode()).version, "min: 0.875" in named) == ("2026-11.8", True)


@pytest.mark.parametrize(
    ("name", "released", "version", "code", "message"),
    [
        ("amazon", [], None, "nothing_before", "amazon@2026-11 is the first that counted"),
        ("bazaar", [BAZAAR], None, "nothing_before", "bazaar@2026-11 is the first that counted"),
        ("bazaar", [], None, "unknown_channel", "no channel is called 'bazaar'"),
        ("amazon", [STRICT], "2025-01", "nothing_before", "there are: 2026-11, 2026-11.2"),
        ("amazon", [STRICT], "2026-11.2", "nothing_before", "amazon@2026-11.2 counts already"),
    ],
)
def test_what_cannot_be_withdrawn_says_why(
    name: str, released: list[str], version: str | None, code: str, message: str
) -> None:
    with pytest.raises(Refused, match=message) as refused:
        desk.text_before(name, released, version)
    assert refused.value.code == code


def test_a_dry_run_of_withdrawing_says_what_would_be_made_again(flow: Flow, settings: Settings) -> None:
    flow.say(upsert(sku="A", channels=["amazon"]))
    flow.say(release(STRICT))
    found = desk.withdraw(settings, "amazon", None, "too strict", "ann", dry_run=True)
    assert (found.released, found.products, found.noted) == ("amazon@2026-11.3", [DEMO_A], False)
    assert desk.counting(flow.database).load("amazon").version == "2026-11.2"


def test_a_file_in_the_folder_counts_for_nobody_and_check_says_so(flow: Flow, settings: Settings) -> None:
    assert settings.channels is not None
    (settings.channels / "amazon.yaml").write_text(STRICT)
    found = {finding.name: finding for finding in check_everything(settings)}["rules"]
    assert not found.ok
    assert "amazon@2026-11.2" in found.text
    assert [row.waits for row in desk.overview(settings) if row.name == "amazon"] == ["2026-11.2"]
    assert desk.files_to_release(settings) == [settings.channels / "amazon.yaml"]
    flow.say(release(STRICT))
    found = {finding.name: finding for finding in check_everything(settings)}["rules"]
    assert found.ok
    assert "amazon@2026-11.2" in found.text
    assert desk.files_to_release(settings) == []


def test_a_replay_by_rule_knows_the_rules_that_were_released(flow: Flow, settings: Settings) -> None:
    flow.say(release(STRICT))
    judged(flow, upsert(), fill=0.9)
    meant = replanning.Selection(rule="amazon@2026-11.2")
    assert replanning.select(meant, flow.database, settings) == [("demo", "A")]
    flow.say(release(BAZAAR))
    assert replanning.select(replanning.Selection(rule="bazaar@2026-11"), flow.database, settings) == []


def test_a_file_that_holds_no_rules_is_reported_with_its_field(tmp_path: Path) -> None:
    file = tmp_path / "amazon.yaml"
    file.write_text(SHIPPED.replace("min: 0.85", "min: 7"))
    ran = CliRunner().invoke(packshot, ["channels", "check", str(file)])
    assert ran.exit_code == 1
    assert "fill" in ran.output
    assert str(file) in ran.output
