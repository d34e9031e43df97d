"""Intake: what PIMs say of products. Validates, records, plans, fans out; fetches nothing."""

from dataclasses import replace as replace_request

import structlog
from msgspec.structs import replace

from schemas import recipes
from schemas.recipes.cookbook import Cookbook
from schemas.records import (
    AssetWithheld,
    CatalogChanged,
    CutoutRetouched,
    Event,
    ReplanRequested,
    RetractRequested,
)
from streams.facts import AssetState, Facts
from streams.facts.states import IN_PLAN, UNFINISHED
from streams.flow.processors import Answers
from streams.flow.processors.planning import AssetRequest, checked, first_tasks, lacking, plan, request_of
from streams.flow.processors.policing import refusal_of
from streams.flow.processors.retouching import begun_again, retouched
from streams.flow.processors.retracting import is_retracted
from streams.runtime.errors import Refused

BEGUN = IN_PLAN - UNFINISHED  # what a plan that is told again leaves as it is
NAMED_MAX = 10

log = structlog.get_logger()


def catalog_changed(event: CatalogChanged, facts: Facts) -> Answers:
    """A product is new, different or gone. An older version than the known one changes nothing."""
    known = facts.products.get(event.tenant, event.sku, lock=True)
    if known is not None and known.version > event.version:
        log.info("stale event", tenant=event.tenant, sku=event.sku, version=event.version, newest=known.version)
        return []
    if known is not None and known.version == event.version and content(known.event) != content(event):
        raise Refused(
            "version_conflict",
            f"{event.sku} version {event.version} is known with other content; a change needs a higher version",
            field="version",
        )
    request = checked(event, facts.recipes.cookbook())
    facts.products.put(event)
    facts.reviews.supersede_older(event.tenant, event.sku, event.version)
    if event.change == "delete":
        facts.assets.put_plan(event.tenant, event.sku, event.version, {})
        return [retract(event, None, "the product was deleted")]
    requests = [request, *(request_of(campaign) for campaign in facts.campaigns.naming(event.tenant, event.sku))]
    return start(event, requests, requests, facts)


def replan_requested(event: ReplanRequested, facts: Facts) -> Answers:
    """An operator wants a product made again, settled assets too. What comes out as it was is not published twice."""
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or product.deleted:
        log.info("nothing to re-plan", tenant=event.tenant, sku=event.sku)
        is_live = product is not None and facts.assets.of(event.tenant, event.sku)
        return [retract(product.event, None, "the product was deleted")] if product is not None and is_live else []
    if refusal := refusal_of(product.event, facts.recipes.cookbook().policy):
        return _refused_since(product.event, refusal, facts)
    # The deadlines were for the first making.
    requests = [
        replace_request(request, lane=event.lane, deadline_ms=None) for request in all_requests(product.event, facts)
    ]
    begun = start(product.event, requests, requests, facts, settled=frozenset())
    gone = [row.asset for row in facts.assets.of(event.tenant, event.sku) if row.state == "leaving"]
    return [*begun, *([retract(product.event, gone, "it is not in the recipe any more")] if gone else [])]


def _refused_since(product: CatalogChanged, refusal: Refused, facts: Facts) -> Answers:
    """A product whose texts are refused by rules that are newer than it: nothing of it is live or made any more."""
    facts.reviews.supersede_older(product.tenant, product.sku, product.version + 1)
    facts.assets.put_plan(product.tenant, product.sku, product.version, {})
    return [retract(product, None, f"{refusal.code}: {refusal.message}"), refusal]


def cutout_retouched(event: CutoutRetouched, facts: Facts) -> Answers:
    """A person has a photograph cut out otherwise, and waits for what is made of it."""
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None:
        raise Refused("unknown_product", f"no product has the SKU {event.sku!r}", field="sku", transient=True)
    # The deadlines were for the first making.
    requests = [replace_request(each, lane="urgent", deadline_ms=None) for each in all_requests(product.event, facts)]
    return begun_again(event, product, requests, facts)


def all_requests(product: CatalogChanged, facts: Facts) -> list[AssetRequest]:
    """What the catalogue and all campaigns want of a product."""
    return [request_of(product), *(request_of(event) for event in facts.campaigns.naming(product.tenant, product.sku))]


def start(
    product: CatalogChanged,
    requests: list[AssetRequest],
    begun: list[AssetRequest],
    facts: Facts,
    settled: frozenset[AssetState] = BEGUN,
) -> list[Event | Refused]:
    """Records the plan of all requests and begins those in `begun`, but for assets whose state is one of `settled`.

    What cannot be made of the product is withheld, and refused; the rest goes on.
    """
    cookbook = facts.recipes.cookbook()
    facts.assets.put_plan(product.tenant, product.sku, product.version, plan(product, requests, cookbook))
    rows = facts.assets.of(product.tenant, product.sku)
    ended = {row.asset for row in rows if row.state in settled}
    failed = {row.asset for row in rows if row.state == "failed" or is_retracted(row)}
    tasks = [task for request in begun for task in first_tasks(product, request, cookbook, ended)]
    tasks = retouched(tasks, facts)
    for task in tasks:  # noted as tasks once it is known in which lane
        for name in failed.intersection(recipes.assets(task.step)):
            facts.assets.move(task.tenant, task.sku, name, task.version, "begun again")
    return [*tasks, *_withheld(product, begun, cookbook, facts)]


def _withheld(
    product: CatalogChanged, requests: list[AssetRequest], cookbook: Cookbook, facts: Facts
) -> list[AssetWithheld | Refused]:
    """The end of the assets that cannot be made, and the refusal for it; what is live of them stays so."""
    tenant, sku, version = product.tenant, product.sku, product.version
    withheld: list[AssetWithheld] = []
    refusals: list[Refused] = []
    for name, why in (each for request in requests for each in lacking(product, request, cookbook).items()):
        reason = f"{why.code}: {why.message}"
        if facts.assets.move(tenant, sku, name, version, "not made", reason=reason):
            withheld.append(AssetWithheld(tenant=tenant, sku=sku, version=version, asset=name, reason=reason))
        refusals.append(Refused(why.code, f"{sku}, {name}: {why}", field=why.field))
    return [*withheld, *summed(refusals)]


def summed(refusals: list[Refused]) -> list[Refused]:
    """One refusal for each reason: an event has as many letters as there are reasons, not pictures."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for each in refusals:
        by_reason.setdefault((each.code, each.field), []).append(str(each))
    return [Refused(code, some(messages, "; "), field=field) for (code, field), messages in by_reason.items()]


def some(named: list[str], separator: str = ", ") -> str:
    """The first ten, and how many more."""
    more = len(named) - NAMED_MAX
    return separator.join(named[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def content(event: CatalogChanged) -> CatalogChanged:
    """What makes two events the same: all but how urgent they are and when they were sent."""
    return replace(event, priority="standard", occurred_at_ms=None)


def retract(event: CatalogChanged, assets: list[str] | None, reason: str) -> RetractRequested:
    """The request to take assets of a product away, or all."""
    return RetractRequested(tenant=event.tenant, sku=event.sku, version=event.version, assets=assets, reason=reason)
