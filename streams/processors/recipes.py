"""Recipes and tenants' defaults that are released: noted, and what they change is made again.

However many products there are, nobody waits for a release longer than a step takes: STEP_PRODUCTS_MAX of them are held
against it, and a ReleaseContinued at the end of its topic, which says how far that went, asks for the next ones. What
is changed is made again in steps as well, see streams.processors.replanning.
"""

from collections.abc import Iterable, Iterator, Sequence

import structlog

from schemas.recipes import Defaults, Recipe, names
from schemas.recipes.cookbook import Release, shipped, with_releases
from schemas.recipes.reading import BadRecipe, parse
from schemas.records import (
    CampaignRequested,
    CatalogChanged,
    DefaultsReleased,
    RecipeReleased,
    ReleaseContinued,
    ReleaseKind,
)
from streams.catalogue import Facts, Replan
from streams.errors import Refused
from streams.processors import Answers, replanning
from streams.processors.planning import is_changed, wish_of

Product = tuple[str, str]
STEP_PRODUCTS_MAX = 500  # to hold one against a release takes some 50 us

log = structlog.get_logger()


def released(event: Release, facts: Facts) -> Answers:
    """A version counts from now on. The products that it makes something else of are made again.

    Told again it asks for the same: what followed may have been lost when it was noted.
    """
    made = parsed(event)
    check_version(event, facts.recipe_releases())
    facts.put_recipe(event)
    log.info("released", recipe=made.ref)
    return _step(event, ("", ""), facts)


def release_continued(event: ReleaseContinued, facts: Facts) -> Answers:
    """The next products are held against a release."""
    kind: type[Release] = RecipeReleased if event.kind == "recipe" else DefaultsReleased
    known = facts.release(kind, event.name, event.version)
    return [] if known is None else _step(known, (event.after_tenant, event.after_sku), facts)


def _step(event: Release, after: Product, facts: Facts) -> Answers:
    """Holds products against a release, and asks to be continued while more may be left.

    What was noted before the release counts, whatever was released since: of that products were, or will be, made by
    steps of its own.
    """
    page = list(facts.wanting(_tenant(event), after, STEP_PRODUCTS_MAX))
    products = _changed(event, facts.releases_before(event), page)
    answers = replanning.begun([Replan(*each, "bulk", f"{parsed(event).ref} was released") for each in products], facts)
    if len(page) < STEP_PRODUCTS_MAX:
        return answers
    kind: ReleaseKind = "recipe" if isinstance(event, RecipeReleased) else "defaults"
    last = {"after_tenant": page[-1][0].tenant, "after_sku": page[-1][0].sku}
    return [*answers, ReleaseContinued(kind=kind, name=_name(event)[1], version=event.version, **last)]


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
    return _changed(event, known, facts.wanting(_tenant(event)))


def _changed(
    event: Release, known: Sequence[Release], wanting: Iterable[tuple[CatalogChanged, list[CampaignRequested]]]
) -> Iterator[Product]:
    others = [each for each in known if _name(each) != _name(event)]
    older = [each for each in known if _name(each) == _name(event) and each.version < event.version]
    before, after = with_releases([*others, *older]), with_releases([*others, *older, event])
    of_tenant = _tenant(event)
    for product, campaigns in wanting:
        wishes = [wish_of(product), *map(wish_of, campaigns)]
        mine = [wish for wish in wishes if of_tenant or _name(event) == (RecipeReleased, wish.recipe)]
        if any(is_changed(product, wish, before, after) for wish in mine):
            yield product.tenant, product.sku


def _tenant(event: Release) -> str | None:
    """Whose products a release may concern; None for everybody's."""
    return event.tenant if isinstance(event, DefaultsReleased) else None


def _name(release: Release) -> tuple[type[Release], str]:
    return type(release), release.recipe if isinstance(release, RecipeReleased) else release.tenant
