"""What pictures are made by: recipes, channels' rules, brands."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery

from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel
from schemas.decoding import prepare
from schemas.recipes import Recipe, UnknownRecipe
from schemas.recipes.reading import BadRecipe
from streams.api.callers import Asking
from streams.api.problems import Problem

READ = {"scope": "read"}


class RecipeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that counts; `wrong` is what today's rules refuse of it."""

    name: str
    version: int | None
    wrong: str


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A channel whose rules count."""

    name: str
    version: str
    wrong: str


class BrandRow(msgspec.Struct, frozen=True, kw_only=True):
    """A brand: the parameters that make a packshot one of its own."""

    name: str
    parameters: Mapping[str, str]
    wrong: str


@get("/v1/recipes", opt=READ, sync_to_thread=True)
def list_recipes(caller: Asking) -> Sequence[RecipeRow]:
    """The recipes that count, by name."""
    with caller.read() as facts:
        known = sorted(facts.recipes.cookbook().recipes.items())
    return [
        RecipeRow(name=name, version=None, wrong=str(each))
        if isinstance(each, BadRecipe)
        else RecipeRow(name=name, version=each.version, wrong="")
        for name, each in known
    ]


@get("/v1/recipes/{name:str}", opt=READ, sync_to_thread=True)
def get_recipe(caller: Asking, name: FromPath[str]) -> Recipe:
    """A recipe: its operations, their parameters, and what follows each."""
    with caller.read() as facts:
        cookbook = facts.recipes.cookbook()
    try:
        return cookbook.recipe(name)
    except UnknownRecipe as error:
        raise Problem("unknown_recipe", str(error), field="name", status=404) from error
    except BadRecipe as error:
        raise Problem(error.code, str(error), field="name") from error


@get("/v1/channels", opt=READ, sync_to_thread=True)
def list_channels(caller: Asking) -> Sequence[ChannelRow]:
    """The channels whose rules count, by name."""
    with caller.read() as facts:
        rules = facts.recipes.cookbook().rules
    return [_row(name, lambda name=name: rules.load(name)) for name in rules.names()]


@get("/v1/channels/{name:str}", opt=READ, sync_to_thread=True)
def get_channel(caller: Asking, name: FromPath[str], category: FromQuery[str] = "") -> Channel:
    """A channel's rules, for products of a category."""
    with caller.read() as facts:
        rules = facts.recipes.cookbook().rules
    try:
        return rules.load(name, category)
    except UnknownChannel as error:
        raise Problem("unknown_channel", str(error), field="name", status=404) from error
    except BadChannel as error:
        raise Problem(error.code, str(error), field="name") from error


@get("/v1/brands", opt=READ, sync_to_thread=True)
def list_brands(caller: Asking) -> Sequence[BrandRow]:
    """The brands, by name."""
    from streams.services.releases import brands  # with the libraries of pictures, which nothing else here needs

    found = brands.overview(caller.settings)
    return [BrandRow(name=each.name, parameters=each.parameters, wrong=each.wrong) for each in found]


def _row(name: str, load: Any) -> ChannelRow:
    try:
        return ChannelRow(name=name, version=load().rule_version, wrong="")
    except BadChannel as error:
        return ChannelRow(name=name, version="", wrong=str(error))


prepare(RecipeRow, ChannelRow, BrandRow)

ROUTES: tuple[Any, ...] = (list_recipes, get_recipe, list_channels, get_channel, list_brands)
