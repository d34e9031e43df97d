"""Recipes and defaults: what their files may say, what is wrong with those that may not, and what slips they make."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gpu_workers.models.manifest import BadManifest, parse_manifest
from schemas import channels, recipes
from schemas.nesting import DEPTH_MAX
from schemas.recipes import Defaults, Recipe, RecipeStep, UnknownRecipe
from schemas.recipes.cookbook import Cookbook, Origin, filled, shipped, with_releases
from schemas.recipes.reading import TEXT_MAX, BadRecipe, parse, parse_recipe
from schemas.records import DefaultsReleased, RecipeReleased, Step

SPRING = """\
# For spring.
name: spring
version: 1
steps:
  - operation: cutout
    next:
      - operation: packshot
        each: channel
        parameters:
          padding: 0.10
      - operation: packshot
        each: channel
        asset: warm
        parameters: {background.color: "#EFE7DB", shadow.mode: soft}
"""
ACME = """\
tenant: acme
version: 1
defaults:
  - operation: packshot
    parameters: {shadow.mode: contact, background.color: "#FFF8E7"}
  - operation: packshot
    channels: [shopify]
    parameters:
      shadow.mode: soft
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadRecipe) as caught:
        parse(text, "recipes/spring.yaml")
    return str(caught.value).splitlines()


def problem(text: str) -> str:
    (only,) = problems(text)
    return only.removeprefix("recipes/spring.yaml:")


def released(text: str) -> RecipeReleased | DefaultsReleased:
    made = parse(text, "x.yaml")
    if isinstance(made, Recipe):
        return RecipeReleased(recipe=made.name, version=made.version, text=text, released_at_ms=1)
    return DefaultsReleased(tenant=made.tenant, version=made.version, text=text, released_at_ms=1)


def cookbook(*texts: str) -> Cookbook:
    return with_releases([released(text) for text in texts])


def slip(book: Cookbook, name: str, wanted: list[str], tenant: str = "demo", campaign: str | None = None) -> Step:
    (only,) = book.slips(name, tenant, wanted, campaign, 1)
    return only


def test_parameters_are_kept_as_they_are_written() -> None:
    recipe = parse(SPRING, "spring.yaml")
    assert isinstance(recipe, Recipe)
    assert recipe.ref == "spring@1"
    assert recipe.steps[0].next[0].parameters == {"padding": "0.10"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("padding: 0.10", "padding: 0.9", "10: steps[0].next[0].parameters.padding: `padding` = '0.9': Expected"),
        ("padding: 0.10", "pading: 0.1", "10: steps[0].next[0].parameters.pading: `pading` is no parameter"),
        ("padding: 0.10", "padding:", "10: steps[0].next[0].parameters.padding: there is no value"),
        ("padding: 0.10", "background: {color: red}", "10: steps[0].next[0].parameters.background: a parameter has"),
        ("padding: 0.10", "padding: [1]", "10: steps[0].next[0].parameters.padding: a parameter has one value"),
        ("#EFE7DB", "beige", "14: steps[0].next[1].parameters.background.color: `background.color` = 'beige'"),
        ("operation: cutout", "operation: cut", "5: steps[0].operation: no operation is called 'cut'"),
        ("each: channel\n        asset", "channel: bazaar\n        asset", "12: steps[0].next[1].channel: no channel"),
        ("each: channel\n        asset", "each: day\n        asset", "12: steps[0].next[1].each: Invalid enum"),
        ("        asset: warm", "        channel: web", "13: steps[0].next[1].channel: `each` and `channel`"),
        ("        asset: warm", "        asset: Warm!", "13: steps[0].next[1].asset: Expected"),
        ("        asset: warm", "        assets: warm", "13: steps[0].next[1].assets: there is no such field"),
        ("        asset: warm", "        each: channel", "13: steps[0].next[1].each: it is there twice"),
        ("each: channel\n        asset", "asset", "11: steps[0].next[1]: it is of no channel"),
        ("version: 1", "version: 0", "3: version: Expected"),
        ("version: 1\n", "", "2: Object missing required field `version`"),
        ("name: spring", "name: [spring", "3: no YAML: did not find"),
        ("name: spring", "name: spring\n\x01", "1: no YAML: control characters"),
        ("operation: cutout", "operation: cutout\n    channel: web", "6: steps[0].channel: a cutout is of no channel"),
        ("  - operation: cutout\n    next:", "  - operation: packshot\n    next:", "5: steps[0].operation: a recipe"),
    ],
)
def test_what_is_wrong_is_reported_with_its_line_and_path(old: str, new: str, message: str) -> None:
    assert old in SPRING
    found = problems(SPRING.replace(old, new))
    assert any(each.removeprefix("recipes/spring.yaml:").startswith(message) for each in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: Expected an object, got nothing"),
        ("- a", "1: Expected an object, got a list"),
        ("a: &x 1\nb: *x", "2: aliases are not read here; write it out"),
        ("--- 1\n--- 2", "2: no YAML: but found another document"),
        ("[" * 5000, "1: nested more than 64 levels deep"),
        ("#" * (TEXT_MAX + 1), "1: 65,537 characters; there may be 65,536"),
        ("name: a\nversion: 1\nsteps: []", "3: steps: Expected a list of length >= 1"),
        (
            "name: a\nversion: 1\nsteps:\n - operation: cutout",
            "4: steps[0]: nothing is made of the cutout; say what in `next`",
        ),
    ],
)
def test_what_is_no_recipe_at_all_is_reported_too(text: str, message: str) -> None:
    assert problem(text) == message


def test_all_that_is_wrong_is_reported_at_once_in_the_order_of_lines() -> None:
    found = problems(SPRING.replace("0.10", "9").replace("soft", "loud").replace("#EFE7DB", "beige"))
    assert [line.split(":")[1] for line in found] == ["10", "14", "14"]


def test_two_pictures_of_a_channel_need_names() -> None:
    found = problems(SPRING.replace("        asset: warm\n", ""))
    assert [line.split(": ", 2)[1] for line in found] == ["steps[0].next[0]", "steps[0].next[1]"]
    assert "tell them apart with `asset`" in found[0]


def test_a_step_behind_one_of_a_channel_is_of_that_channel() -> None:
    text = SPRING.replace("          padding: 0.10", "          padding: 0.10\n        next: [{operation: style}]")
    made = slip(cookbook(text), "spring", ["amazon", "google"])
    first = made.next[0]
    assert (first.asset, first.channel) == (None, "amazon")
    assert [(step.asset, step.channel) for step in first.next] == [("amazon-1", "amazon")]
    again = text.replace("[{operation: style}]", "[{operation: style, each: channel}]")
    assert "the step before it is for every channel already" in problem(again)


PRINT = """\
name: print
version: 1
steps:
  - operation: source
    next:
      - operation: artwork
        each: channel
        parameters: {template: mug}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "operation: artwork",
            "operation: packshot",
            "6: steps[0].next[0].operation: packshot goes on with what cutout",
        ),
        ("operation: artwork", "operation: mockup", "6: steps[0].next[0].operation: mockup goes on with what cutout"),
        (
            "operation: artwork",
            "operation: style",
            "6: steps[0].next[0].operation: "
            "style goes on with what artwork or label or mockup or model or packshot or style makes",
        ),
        ("operation: artwork", "operation: upscale", "6: steps[0].next[0]: no gate measures a source that is only"),
        ("operation: artwork", "operation: cutout", "6: steps[0].next[0].operation: a cutout is made of the product's"),
        ("operation: source", "operation: artwork", "4: steps[0].operation: a recipe begins with a cutout or a source"),
        ("operation: source", "operation: source\n    parameters: {a: 1}", "5: steps[0].parameters.a: `a` is no para"),
        ("operation: source", "operation: source\n    channel: web", "5: steps[0].channel: a source is of no channel"),
        (
            "{template: mug}",
            "{template: mug}\n        next: [{operation: artwork}]",
            "9: steps[0].next[0].next[0].operation: artwork goes on with what cutout or source makes",
        ),
    ],
)
def test_a_step_that_cannot_go_on_with_what_it_is_given_is_reported(old: str, new: str, message: str) -> None:
    parse(PRINT, "recipes/spring.yaml")
    found = problems(PRINT.replace(old, new))
    assert any(each.removeprefix("recipes/spring.yaml:").startswith(message) for each in found)


def test_a_source_that_is_enlarged_is_still_one_to_print() -> None:
    enlarged = """\
      - operation: upscale
        each: channel
        next:
          - {operation: artwork, parameters: {template: mug}}
"""
    text = PRINT.partition("      - ")[0] + enlarged
    made = slip(cookbook(text), "print", ["amazon", "shopify"])
    assert [step.channel for step in made.next] == ["shopify"], "amazon takes enlarged pictures, but no artwork"
    assert made.next[0].next[0].asset == "shopify-1"
    wrong = text.replace("each: channel", "channels: [amazon, shopify]")
    assert problem(wrong) == "9: steps[0].next[0].next[0]: amazon@2026-11 allows no artwork"


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownRecipe, match="marketplace"):
        shipped().recipe("nope")


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_that_ships_is_called_as_its_file(name: str) -> None:
    assert parse_recipe(recipes.text_of(name), f"{name}.yaml").name == name


def test_a_slip_names_its_assets_by_channel_source_campaign_and_recipe() -> None:
    assert recipes.assets(slip(shipped(), "marketplace", ["amazon", "google"])) == ["amazon-1", "google-1", "web-1"]
    campaign = slip(shipped(), "campaign", ["instagram"], campaign="bf")
    assert recipes.assets(campaign) == ["bf.instagram-1"]
    assert campaign.next[0].parameters["shadow.mode"] == "soft"
    (second,) = cookbook(SPRING).slips("spring", "demo", ["shopify"], "bf", 2)
    assert recipes.assets(second) == ["bf.shopify-2", "bf.shopify-2.warm"]


def test_a_channel_that_the_recipe_names_itself_gets_that_in_the_place_of_what_each_gets() -> None:
    made = slip(shipped(), "marketplace", ["web", "amazon"])
    assert [(step.operation, step.asset) for step in made.next] == [("packshot", "amazon-1"), ("transparent", "web-1")]


def test_channels_are_made_as_they_are_asked_for_in_the_place_of_what_each_gets() -> None:
    text = SPRING.replace("each: channel\n        asset: warm", "channels: [shopify, instagram]")
    made = slip(cookbook(text), "spring", ["amazon", "shopify"])
    assert [(step.asset, step.parameters) for step in made.next] == [
        ("amazon-1", {"padding": "0.10"}),
        ("shopify-1", {"background.color": "#EFE7DB", "shadow.mode": "soft"}),
    ]
    assert "12: steps[0].next[1].channels[1]: no channel is called 'ig'" in problem(text.replace("instagram", "ig"))


def test_a_recipe_for_each_channel_makes_nothing_without_one() -> None:
    assert shipped().slips("campaign", "demo", [], None, 1) == []


# defaults


def parameters(book: Cookbook, channel: str, tenant: str = "acme", name: str = "marketplace") -> dict[str, str]:
    return slip(book, name, [channel], tenant).next[0].parameters


def test_a_tenants_defaults_fill_what_the_recipe_leaves_open() -> None:
    book = cookbook(ACME)
    assert parameters(book, "instagram") == {"shadow.mode": "contact", "background.color": "#FFF8E7"}
    assert parameters(book, "shopify")["shadow.mode"] == "soft"
    assert parameters(book, "instagram", tenant="demo") == {}


def test_a_recipe_goes_before_a_tenants_defaults() -> None:
    assert parameters(cookbook(ACME), "instagram", name="campaign") == {
        "shadow.mode": "soft",
        "background.color": "#EFE7DB",
    }


def test_a_channel_that_demands_its_ground_goes_before_all() -> None:
    book = cookbook(ACME, SPRING)
    assert channels.load("amazon").background_required
    assert parameters(book, "amazon") == parameters(book, "amazon", name="campaign") == {}
    assert parameters(book, "amazon", name="spring") == {"padding": "0.10"}


def shown(book: Cookbook, step: RecipeStep, channel: str | None) -> dict[str, tuple[str, Origin]]:
    return filled(step.operation, book.parameters(step, "acme", channel), channel)


def test_what_would_be_used_is_shown_with_who_says_so() -> None:
    book = cookbook(ACME, SPRING)
    step = book.recipe("spring").steps[0].next[0]
    assert (
        shown(book, step, "shopify").items()
        >= {
            "background.color": ("#FFF8E7", "tenant"),
            "shadow.mode": ("soft", "tenant"),
            "padding": ("0.10", "recipe"),
            "outputSize": ("2048x2048", "channel"),
            "scaling": ("fit", "operation"),
        }.items()
    )
    assert shown(book, step, "amazon")["background.color"] == ("#FFFFFF", "channel")
    cutout = book.recipe("spring").steps[0]
    assert shown(book, cutout, None)["speckle_share"] == ("0.001", "operation")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mode: soft", "mode: loud", "9: defaults[1].parameters.shadow.mode: `shadow.mode` = 'loud'"),
        ("[shopify]", "[shopify, bazaar]", "7: defaults[1].channels[1]: no channel is called 'bazaar'"),
        (
            "operation: packshot\n    channels",
            "operation: pack\n    channels",
            "6: defaults[1].operation: no operation",
        ),
        ("    channels: [shopify]\n", "", "8: defaults[1].parameters.shadow.mode: said twice of packshot on every"),
        ("tenant: acme", "tenant: a|b", "1: tenant: Expected"),
        ("defaults:", "default:", "3: default: there is no such field"),
    ],
)
def test_what_is_wrong_with_defaults_is_reported_with_its_line(old: str, new: str, message: str) -> None:
    found = problems(ACME.replace(old, new))
    assert any(each.removeprefix("recipes/spring.yaml:").startswith(message) for each in found)


# versions


def test_the_newest_version_counts_whatever_order_they_come_in() -> None:
    newer = SPRING.replace("version: 1", "version: 2").replace("0.10", "0.2")
    for texts in ((SPRING, newer), (newer, SPRING)):
        assert cookbook(*texts).recipe("spring").version == 2
    newest = cookbook(ACME, ACME.replace("version: 1", "version: 2").replace("soft", "none"))
    assert parameters(newest, "shopify")["shadow.mode"] == "none"


def test_a_recipe_that_ships_yields_to_one_of_its_version_or_a_newer_one() -> None:
    mine = SPRING.replace("name: spring", "name: marketplace")
    assert cookbook(mine).recipe("marketplace").steps[0].next[1].asset == "warm"


def test_a_release_that_todays_rules_refuse_is_reported_where_it_is_used() -> None:
    bad = RecipeReleased(recipe="old", version=1, text="name: old\nversion: 1\nsteps: 5", released_at_ms=1)
    book = with_releases([bad])
    assert book.recipe("marketplace").version == 1
    with pytest.raises(BadRecipe, match="old:3: steps"):
        book.recipe("old")


def test_the_same_releases_are_read_once() -> None:
    assert cookbook(SPRING, ACME) is cookbook(ACME, SPRING)


def test_defaults_say_their_tenant_and_version() -> None:
    made = parse(ACME, str(Path("acme.yaml")))
    assert isinstance(made, Defaults)
    assert made.ref == "acme@1"


# depth and size


def chain(levels: int) -> str:
    """A recipe of enlargements, one after the other."""
    lines = ["name: deep", "version: 1", "steps:"]
    for level in range(levels):
        indent = "  " * (2 * level + 1)
        lines += [f"{indent}- operation: {'cutout' if level == 0 else 'upscale'}", f"{indent}  next:"]
    return "\n".join([*lines, "  " * (2 * levels + 1) + "- {operation: packshot, each: channel}"]) + "\n"


@pytest.mark.parametrize(("levels", "field"), [(DEPTH_MAX, f"steps[0]{'.next[0]' * (DEPTH_MAX - 1)}.next"), (40, "")])
def test_a_recipe_whose_slip_is_too_deep_is_refused_with_its_field(levels: int, field: str) -> None:
    with pytest.raises(BadRecipe, match="levels deep") as caught:
        parse(chain(levels), "deep.yaml")
    assert [problem.path for problem in caught.value.problems] == [field]


def test_a_recipe_with_too_many_steps_is_refused() -> None:
    few = "      - {operation: packshot, each: channel, asset: a%d}\n"
    many = "name: wide\nversion: 1\nsteps:\n  - operation: cutout\n    next:\n" + "".join(few % n for n in range(101))
    with pytest.raises(BadRecipe, match="102 steps; there may be 100"):
        parse(many, "wide.yaml")


READERS = [
    lambda text: parse(text, "x.yaml"),
    lambda text: parse_manifest(text, "x.yaml"),
    lambda text: channels.parse(text.encode()),
]


@pytest.mark.parametrize(
    "text", ["[" * 60_000, "{a: " * 15_000, "- " * 30_000, "&a [*a]", "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]"]
)
@pytest.mark.parametrize("read", READERS)
def test_no_document_is_built_that_is_without_bounds(text: str, read: Callable[[str], object]) -> None:
    with pytest.raises((BadRecipe, BadManifest, msgspec.DecodeError), match=r"levels deep|aliases"):
        read(text)
