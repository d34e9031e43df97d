"""Recipes, tenants' defaults, and rules of channels and about texts that are released: what they change is made again.

However many products there are, nobody waits for a release longer than a step takes: STEP_PRODUCTS_MAX of them are held
against it, fewer where that takes STEP_CPU_S, and a ReleaseContinued at the end of its topic, which says how far that
went, asks for the next ones. What is changed is made again in steps as well, see streams.flow.processors.replanning.
"""

import time
from collections.abc import Iterable, Iterator, Sequence

import structlog

from schemas.channels import Channel
from schemas.channels.rulebook import BadChannel
from schemas.channels.rulebook import parse as parse_channel
from schemas.policies import BadPolicy, RuleFile, read
from schemas.recipes import Defaults, Recipe
from schemas.recipes.cookbook import Release, name_of, shipped_version, with_releases
from schemas.recipes.reading import BadRecipe, parse
from schemas.records import (
    CampaignRequested,
    CatalogChanged,
    ChannelReleased,
    DefaultsReleased,
    PolicyContinued,
    PolicyReleased,
    RecipeReleased,
    ReleaseContinued,
    ReleaseKind,
)
from streams.facts import Facts, Replan
from streams.flow.processors import Answers, replanning
from streams.flow.processors.planning import AssetRequest, is_changed, request_of
from streams.flow.processors.policing import is_judged_otherwise
from streams.runtime.errors import Refused

Product = tuple[str, str]
Wanting = tuple[CatalogChanged, list[CampaignRequested]]
_KINDS: dict[ReleaseKind, type[Release]] = {
    "recipe": RecipeReleased,
    "defaults": DefaultsReleased,
    "channel": ChannelReleased,
}
_CODES: dict[type[Release], str] = {ChannelReleased: BadChannel.code, PolicyReleased: BadPolicy.code}
STEP_PRODUCTS_MAX = 500  # to hold one against a release takes some 50 us
STEP_CPU_S = 2.0  # a slow rule about texts may take seconds of each product, see schemas.policies.Patience

log = structlog.get_logger()


def released(event: Release, facts: Facts) -> Answers:
    """A version counts from now on. The products that it makes something else of are made again.

    Told again it asks for the same: what followed may have been lost when it was noted.
    """
    log.info("released", recipe=noted(event, facts))
    return _step(event, ("", ""), facts)


def noted(event: Release, facts: Facts) -> str:
    """Notes a release; returns NAME@VERSION. Raises Refused."""
    known = facts.recipes.releases()
    made = parsed(event, known)
    check_version(event, known)
    facts.recipes.put(event)
    return made


def release_continued(event: ReleaseContinued, facts: Facts) -> Answers:
    """The next products are held against a release."""
    known = facts.recipes.get(_KINDS[event.kind], event.name, event.version)
    return [] if known is None else _step(known, (event.after_tenant, event.after_sku), facts)


def policy_continued(event: PolicyContinued, facts: Facts) -> Answers:
    """The next products are held against rules about texts."""
    known = facts.recipes.get(PolicyReleased, event.policy, event.version)
    return [] if known is None else _step(known, (event.after_tenant, event.after_sku), facts)


def _step(event: Release, after: Product, facts: Facts) -> Answers:
    """Holds products against a release, and asks to be continued while more may be left.

    What was noted before the release counts, whatever was released since: of that products were, or will be, made by
    steps of its own.
    """
    before = facts.recipes.before(event)
    page = list(facts.recipes.wanting(_tenant(event), after, STEP_PRODUCTS_MAX))
    reason = f"{parsed(event, before)} was released"
    looked_at: list[CatalogChanged] = []
    changed = _changed(event, before, _in_time(page, looked_at))
    answers = replanning.begun([Replan(*each, "bulk", reason) for each in changed], facts)
    if len(looked_at) == len(page) < STEP_PRODUCTS_MAX:
        return answers
    return [*answers, _continued(event, looked_at[-1])]


def _in_time(page: Iterable[Wanting], looked_at: list[CatalogChanged]) -> Iterator[Wanting]:
    """As many of a page as there is time for, the first in any case; `looked_at` gets their products."""
    ends_at_s = time.thread_time() + STEP_CPU_S
    for each in page:
        looked_at.append(each[0])
        yield each
        if time.thread_time() >= ends_at_s:
            return


def _continued(event: Release, last: CatalogChanged) -> ReleaseContinued | PolicyContinued:
    after = {"version": event.version, "after_tenant": last.tenant, "after_sku": last.sku}
    if isinstance(event, PolicyReleased):
        return PolicyContinued(policy=event.policy, **after)  # type: ignore[arg-type]
    kind = next(kind for kind, released in _KINDS.items() if isinstance(event, released))
    return ReleaseContinued(kind=kind, name=name_of(event), **after)  # type: ignore[arg-type]


def check_version(event: Release, known: Sequence[Release]) -> None:
    """Raises Refused for a version that is not above those known, unless it is the very one told again."""
    mine = {each.version: each for each in known if _name(each) == _name(event)}
    if event.version in mine and mine[event.version].text == event.text:
        return
    newest = max([*mine, shipped_version(*_name(event))])
    if event.version <= newest:
        message = f"version {newest} of {name_of(event)} is known; a change needs a higher one"
        raise Refused("version_conflict", message, field="version")


def parsed(event: Release, known: Sequence[Release]) -> str:
    """NAME@VERSION of what is in a release; `known` are all. Raises Refused."""
    try:
        made = _made(event, known)
    except (BadRecipe, BadChannel, BadPolicy) as error:
        raise Refused.because(error, field="text") from error
    kind, name, version, ref = _identity(made)
    if (kind, name, version) != (*_name(event), event.version):
        raise Refused(
            _CODES.get(type(event), BadRecipe.code),
            f"{name_of(event)}@{event.version} is said to be {ref} in its text",
            field="text",
        )
    return ref


def _made(event: Release, known: Sequence[Release]) -> Recipe | Defaults | Channel | RuleFile:
    if isinstance(event, ChannelReleased):
        return parse_channel(event.text)
    if isinstance(event, PolicyReleased):
        return read(event.text)
    return parse(event.text, name_of(event), with_releases(known).rules)


def _identity(made: Recipe | Defaults | Channel | RuleFile) -> tuple[type[Release], str, int, str]:
    """The kind, the name and the version of what a text holds, and NAME@VERSION."""
    match made:
        case Recipe():
            return RecipeReleased, made.name, made.version, made.ref
        case Channel():
            return ChannelReleased, made.name, made.number, made.rule_version
        case RuleFile():
            return PolicyReleased, made.name, made.number, made.ref
        case _:
            return DefaultsReleased, made.tenant, made.version, made.ref


def touched(event: Release, known: Sequence[Release], facts: Facts) -> Iterator[Product]:
    """The products, in order, of which a release makes something else than what counted before it.

    `known` are all releases; those of a newer version of the same do not count here.
    """
    return _changed(event, known, facts.recipes.wanting(_tenant(event)))


def _changed(event: Release, known: Sequence[Release], wanting: Iterable[Wanting]) -> Iterator[Product]:
    others = [each for each in known if _name(each) != _name(event)]
    older = [each for each in known if _name(each) == _name(event) and each.version < event.version]
    before, after = with_releases([*others, *older]), with_releases([*others, *older, event])
    of_tenant = _tenant(event)
    for product, campaigns in wanting:
        requests = [request_of(product), *map(request_of, campaigns)]
        if isinstance(event, PolicyReleased):
            if is_judged_otherwise(product, _channels(requests), before.policy, after.policy):
                yield product.tenant, product.sku
            continue
        of_all = of_tenant is not None or isinstance(event, ChannelReleased)
        mine = [request for request in requests if of_all or _name(event) == (RecipeReleased, request.recipe)]
        if any(is_changed(product, request, before, after) for request in mine):
            yield product.tenant, product.sku


def _channels(requests: Iterable[AssetRequest]) -> set[str]:
    return {channel for request in requests for channel in request.channels}


def _tenant(event: Release) -> str | None:
    """Whose products a release may concern; None for everybody's."""
    return event.tenant if isinstance(event, DefaultsReleased) else None


def _name(release: Release) -> tuple[type[Release], str]:
    return type(release), name_of(release)
