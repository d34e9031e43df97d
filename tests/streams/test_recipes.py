"""Recipes and defaults as the processors have them: what a release makes again, and what a product lacks for one."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.operations import OPERATIONS
from schemas.records import (
    CampaignRequested,
    CatalogChanged,
    ReplanRequested,
)
from streams.facts import Database
from streams.flow.processors.recipes import touched
from tests.streams.flow import Flow, tasks
from tests.streams.recipe_releases import MARKETPLACE, SPRING, Mockup, again, product, release, steps

ACME = (
    "tenant: acme\nversion: 1\ndefaults:\n  - {operation: packshot, channels: [shopify], parameters: {padding: 0.2}}\n"
)


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    monkeypatch.setitem(OPERATIONS, "mockup", dataclasses.replace(OPERATIONS["mockup"], parameters=Mockup))
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


# which products a release touches


def test_a_release_of_what_is_made_already_makes_nothing_again(flow: Flow) -> None:
    flow.say(product("A", ["amazon"]))
    assert flow.say(release(MARKETPLACE)) == []


def test_a_change_for_one_channel_touches_the_products_with_that_channel(flow: Flow) -> None:
    for event in (product("A", ["amazon"]), product("B", ["shopify", "amazon"]), product("C", ["shopify"], "other")):
        flow.say(event)
    flow.say(product("D", ["shopify"]))
    flow.say(CatalogChanged(change="delete", tenant="demo", sku="D", version=2))
    changed = MARKETPLACE + "      - {operation: packshot, channels: [shopify], parameters: {padding: 0.3}}\n"
    assert again(flow.say(release(changed))) == [("demo", "B"), ("other", "C")]
    (task,) = tasks(flow.say(ReplanRequested(tenant="demo", sku="B")))
    assert steps(task) == {"amazon-1": {}, "shopify-1": {"padding": "0.3"}, "web-1": {}}


def test_a_change_before_all_pictures_touches_every_product(flow: Flow) -> None:
    for event in (product("A", ["amazon"]), product("B", ["shopify"], "other")):
        flow.say(event)
    changed = MARKETPLACE.replace("cutout\n", "cutout\n    parameters: {speckle_share: 0.01}\n")
    assert again(flow.say(release(changed))) == [("demo", "A"), ("other", "B")]


def test_a_tenants_defaults_for_a_channel_touch_its_products_there(flow: Flow) -> None:
    for tenant, sku, channels in (
        ("acme", "A", ["shopify"]),
        ("acme", "B", ["amazon"]),
        ("acme", "C", ["amazon", "shopify"]),
        ("demo", "A", ["shopify"]),
    ):
        flow.say(product(sku, channels, tenant))
    assert again(flow.say(release(ACME))) == [("acme", "A"), ("acme", "C")]
    (task,) = tasks(flow.say(ReplanRequested(tenant="acme", sku="C")))
    assert steps(task) == {"amazon-1": {}, "shopify-1": {"padding": "0.2"}, "web-1": {}}
    same = ACME.replace("version: 1", "version: 2").replace("0.2", "'0.2'")
    assert flow.say(release(same)) == []


def test_a_recipe_that_says_what_a_tenants_defaults_said_touches_only_the_others(flow: Flow) -> None:
    for tenant in ("acme", "demo"):
        for sku, channels in (("A", ["shopify"]), ("B", ["instagram"]), ("C", ["shopify", "instagram"])):
            flow.say(product(sku, channels, tenant))
    assert again(flow.say(release(ACME))) == [("acme", "A"), ("acme", "C")]
    recipe_text = MARKETPLACE.replace("each: channel}", "each: channel, parameters: {padding: 0.2}}")
    everyone = [("acme", "B"), ("acme", "C"), ("demo", "A"), ("demo", "B"), ("demo", "C")]
    assert again(flow.say(release(recipe_text))) == everyone, "acme's A had that already"
    (task,) = tasks(flow.say(ReplanRequested(tenant="acme", sku="C")))
    assert steps(task) == {"shopify-1": {"padding": "0.2"}, "instagram-1": {"padding": "0.2"}, "web-1": {}}


def test_defaults_for_what_the_recipe_or_the_channel_says_touch_nothing(flow: Flow) -> None:
    for sku, channels in (("A", ["shopify"]), ("B", ["amazon"]), ("C", ["instagram"])):
        flow.say(product(sku, channels, "acme"))
    ground = "parameters: {background.color: '#EFE7DB'}"
    recipe_text = MARKETPLACE + f"      - {{operation: packshot, channels: [shopify], {ground}}}\n"
    assert again(flow.say(release(recipe_text))) == [("acme", "A")]
    defaults = ACME.replace(
        "channels: [shopify], parameters: {padding: 0.2}", "parameters: {background.color: '#FFF8E7'}"
    )
    assert again(flow.say(release(defaults))) == [("acme", "C")], "shopify's is the recipe's, amazon's its own"


def test_a_products_own_recipe_touches_it_and_no_other(flow: Flow) -> None:
    flow.say(release(SPRING))
    for sku, recipe in (("A", "marketplace"), ("B", "spring"), ("C", "prints")):
        flow.say(replace(product(sku, ["shopify"]), recipe=recipe))
    newer = SPRING.replace("version: 1", "version: 2").replace("0.1", "0.2")
    assert again(flow.say(release(newer))) == [("demo", "B")]
    unknown = replace(product("D", ["shopify"]), recipe="autumn")
    assert flow.letters(unknown) == [("imagery.dead", "unknown_recipe")]


def test_a_campaigns_recipe_touches_the_campaigns_products(flow: Flow) -> None:
    for sku in "ABC":
        flow.say(product(sku, ["amazon"]))
    flow.say(release(SPRING))
    flow.say(
        CampaignRequested(tenant="demo", campaign="easter", skus=["C", "A"], recipe="spring", channels=["shopify"])
    )
    flow.say(CampaignRequested(tenant="demo", campaign="other", skus=["B"], channels=["shopify"]))
    newer = SPRING.replace("version: 1", "version: 2").replace("0.1", "0.2")
    assert again(flow.say(release(newer))) == [("demo", "A"), ("demo", "C")]


def test_a_release_announced_again_asks_for_the_same_even_behind_a_newer_one(flow: Flow) -> None:
    flow.say(product("A", ["shopify"], "acme"))
    flow.say(product("B", ["instagram"], "acme"))
    second = ACME.replace("version: 1", "version: 2").replace("[shopify]", "[instagram]")
    first_answer, second_answer = flow.say(release(ACME)), flow.say(release(second))
    assert (again(first_answer), again(second_answer)) == ([("acme", "A")], [("acme", "A"), ("acme", "B")])
    assert flow.say(release(ACME)) == first_answer
    assert flow.say(release(second)) == second_answer
    (task,) = tasks(flow.say(ReplanRequested(tenant="acme", sku="B")))
    assert steps(task)["instagram-1"] == {"padding": "0.2"}


def test_a_dry_run_says_what_a_release_makes_again_and_changes_nothing(flow: Flow) -> None:
    flow.say(product("A", ["shopify"], "acme"))
    with flow.database.read() as facts:
        assert list(touched(release(ACME), facts.recipes.releases(), facts)) == [("acme", "A")]
        assert facts.recipes.releases() == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SPRING.replace("0.1", "0.2"), "version_conflict"),
        (MARKETPLACE.replace("version: 2", "version: 1"), "version_conflict"),
    ],
)
def test_a_version_never_changes_what_it_is(flow: Flow, text: str, code: str) -> None:
    flow.say(release(SPRING))
    assert flow.letters(release(text)) == [("imagery.dead", code)]


@pytest.mark.parametrize("text", [SPRING, ACME], ids=["recipe", "defaults"])
def test_an_older_version_that_comes_late_replaces_nothing(flow: Flow, text: str) -> None:
    newer, older = (release(text.replace("version: 1", f"version: {n}").replace("0.", f"0.{n}")) for n in (3, 2))
    flow.say(newer)
    assert flow.letters(older) == [("imagery.dead", "version_conflict")]
    with flow.database.read() as facts:
        assert facts.recipes.releases() == [newer]


def test_a_version_below_the_newest_is_refused(flow: Flow) -> None:
    flow.say(release(SPRING.replace("version: 1", "version: 3")))
    assert flow.letters(release(SPRING)) == [("imagery.dead", "version_conflict")]
    with flow.database.read() as facts:
        assert facts.recipes.cookbook().recipe("spring").version == 3
        assert len(facts.recipes.releases()) == 1


@pytest.mark.parametrize("change", [{"version": 9}, {"recipe": "summer"}, {"text": "steps: []"}])
def test_a_release_that_says_something_else_than_its_text_is_refused(flow: Flow, change: dict[str, object]) -> None:
    event = release(SPRING)
    assert flow.letters(replace(event, **change)) == [("imagery.dead", "bad_recipe")]
    assert flow.letters(replace(release(ACME), text=SPRING)) == [("imagery.dead", "bad_recipe")]
