"""Recipes and tenants' defaults that are released: noted, and what they change is made again."""

from collections.abc import Iterator, Sequence

import structlog

from schemas.recipes import Defaults, Recipe, names
from schemas.recipes.cookbook import Release, shipped, with_releases
from schemas.recipes.reading import BadRecipe, parse
from schemas.records import DefaultsReleased, RecipeReleased, ReplanRequested
from streams.catalogue import Facts
from streams.errors import Refused
from streams.processors import Answers
from streams.processors.planning import is_changed, wish_of

Product = tuple[str, str]

log = structlog.get_logger()


def released(event: Release, facts: Facts) -> Answers:
    """A version counts from now on. The products that it makes something else of are made again.

    Told again it asks for the same: what followed may have been lost when it was noted.
    """
    made = parsed(event)
    known = facts.recipe_releases()
    check_version(event, known)
    facts.put_recipe(event)
    products = list(touched(event, known, facts))
    log.info("released", recipe=made.ref, products=len(products))
    return [ReplanRequested(tenant=tenant, sku=sku, reason=f"{made.ref} was released") for tenant, sku in products]


def check_version(event: Release, known: Sequence[Release]) -> None:
    """Raises Refused for a version that is not above those known, unless it is the very one told again."""
    mine = {each.version: each for each in known if _name(each) == _name(event)}
    if event.version in mine and mine[event.version].text == event.text:
        return
    ships = isinstance(event, RecipeReleased) and event.recipe in names()
    newest = max([*mine, shipped().recipe(_name(event)[1]).version if ships else 0])
    if event.version <= newest:
        message = f"version {newest} of {_name(event)[1]} is known; a change needs a higher one"
        raise Refused("version_conflict", message, field="version")


def parsed(event: Release) -> Recipe | Defaults:
    """The recipe or the defaults in a release. Raises Refused."""
    name = event.recipe if isinstance(event, RecipeReleased) else event.tenant
    try:
        made = parse(event.text, name)
    except BadRecipe as error:
        raise Refused(error.code, str(error), field="text") from error
    said = (made.name if isinstance(made, Recipe) else made.tenant, made.version)
    is_recipe = isinstance(event, RecipeReleased)
    if said != (name, event.version) or is_recipe != isinstance(made, Recipe):
        raise Refused("bad_recipe", f"{name}@{event.version} is said to be {made.ref} in its text", field="text")
    return made


def touched(event: Release, known: Sequence[Release], facts: Facts) -> Iterator[Product]:
    """The products, in order, of which a release makes something else than what counted before it.

    `known` are all releases; those of a newer version of the same do not count here.
    """
    others = [each for each in known if _name(each) != _name(event)]
    older = [each for each in known if _name(each) == _name(event) and each.version < event.version]
    before, after = with_releases([*others, *older]), with_releases([*others, *older, event])
    of_tenant = event.tenant if isinstance(event, DefaultsReleased) else None
    for product, campaigns in facts.wanting(of_tenant):
        wishes = [wish_of(product), *map(wish_of, campaigns)]
        mine = [wish for wish in wishes if of_tenant or _name(event) == (RecipeReleased, wish.recipe)]
        if any(is_changed(product, wish, before, after) for wish in mine):
            yield product.tenant, product.sku


def _name(release: Release) -> tuple[type[Release], str]:
    return type(release), release.recipe if isinstance(release, RecipeReleased) else release.tenant
