"""Intake: what PIMs and marketing tools say. Validates, records, plans, fans out; fetches nothing."""

from dataclasses import replace as replace_wish

import structlog
from msgspec.structs import replace

from schemas import recipes
from schemas.records import (
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    Event,
    ReplanRequested,
    RetractRequested,
    Task,
)
from streams.catalogue import AssetState, Facts
from streams.errors import Refused
from streams.processors import Answers
from streams.processors.planning import Wish, first_tasks, plan, wish_of

SETTLED: frozenset[AssetState] = frozenset({"published", "review", "publishing", "rejected"})

log = structlog.get_logger()


def catalog_changed(event: CatalogChanged, facts: Facts) -> Answers:
    """A product is new, different or gone. An older version than the known one changes nothing."""
    known = facts.product(event.tenant, event.sku, lock=True)
    if known is not None and known.version > event.version:
        log.info("stale event", tenant=event.tenant, sku=event.sku, version=event.version, newest=known.version)
        return []
    if known is not None and known.version == event.version and _content(known.event) != _content(event):
        raise Refused(
            "version_conflict",
            f"{event.sku} version {event.version} is known with other content; a change needs a higher version",
            field="version",
        )
    wish = wish_of(event)
    facts.put_product(event)
    facts.supersede_reviews(event.tenant, event.sku, event.version)
    if event.change == "delete":
        facts.put_plan(event.tenant, event.sku, event.version, {})
        return [_retract(event, None, "the product was deleted")]
    campaigns = [wish_of(campaign) for campaign in facts.campaigns_with(event.tenant, event.sku)]
    return _start(event, [wish, *campaigns], [wish, *campaigns], facts)


def replan_requested(event: ReplanRequested, facts: Facts) -> Answers:
    """An operator wants a product made again, settled assets too. What comes out as it was is not published twice."""
    product = facts.product(event.tenant, event.sku, lock=True)
    if product is None or product.deleted:
        log.info("nothing to re-plan", tenant=event.tenant, sku=event.sku)
        return []
    # The deadlines were for the first making.
    wishes = [replace_wish(wish, lane=event.lane, deadline_ms=None) for wish in _wishes(product.event, facts)]
    return _start(product.event, wishes, wishes, facts, settled=frozenset())


def campaign_requested(event: CampaignRequested, facts: Facts) -> Answers:
    """A campaign wants pictures. Products that are not known (yet) make the event come back later."""
    wish = wish_of(event)
    known = facts.campaign(event.tenant, event.campaign)
    if known is not None and known[1]:
        if known[0] == event:  # the very request that was cancelled, read again
            log.info("cancelled", tenant=event.tenant, campaign=event.campaign)
            return []
        raise Refused("campaign_cancelled", f"campaign {event.campaign} was cancelled", field="campaign")
    facts.put_campaign(event)
    products = {sku: facts.product(event.tenant, sku, lock=True) for sku in event.skus}
    answers: list[Event | Refused] = []
    if known is not None:
        reason = f"campaign {event.campaign} was asked for without it"
        answers += _taken_out(known[0], set(known[0].skus) - set(event.skus), reason, facts)
    for product in products.values():
        if product is not None and not product.deleted:
            answers += _start(product.event, _wishes(product.event, facts), [wish], facts)
    missing = sorted(sku for sku, product in products.items() if product is None or product.deleted)
    if missing:
        named = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        answers.append(Refused("unknown_sku", f"no such product: {named}", field="skus", transient=True))
    return answers


def campaign_cancelled(event: CampaignCancelled, facts: Facts) -> Answers:
    """A campaign is off: its assets leave every plan, and what is live of it is retracted."""
    known = facts.campaign(event.tenant, event.campaign)
    if known is None:
        message = f"no campaign is called {event.campaign!r}"
        raise Refused("unknown_campaign", message, field="campaign", transient=True)
    campaign, _ = known
    facts.put_campaign(campaign, cancelled=True)
    reason = f"campaign {event.campaign} was cancelled" + (f": {event.reason}" if event.reason else "")
    return _taken_out(campaign, set(campaign.skus), reason, facts)


def _wishes(product: CatalogChanged, facts: Facts) -> list[Wish]:
    return [wish_of(product), *(wish_of(event) for event in facts.campaigns_with(product.tenant, product.sku))]


def _taken_out(campaign: CampaignRequested, skus: set[str], reason: str, facts: Facts) -> list[Event]:
    """Takes a campaign's assets out of the plans of products."""
    answers: list[Event] = []
    for sku in sorted(skus):
        product = facts.product(campaign.tenant, sku, lock=True)
        if product is None or product.deleted:
            continue
        theirs = [row.asset for row in facts.assets(campaign.tenant, sku) if row.campaign == campaign.campaign]
        facts.put_plan(campaign.tenant, sku, product.version, plan(product.event, _wishes(product.event, facts)))
        answers.append(_retract(product.event, theirs, reason))
    return answers


def _start(
    product: CatalogChanged,
    wishes: list[Wish],
    begun: list[Wish],
    facts: Facts,
    settled: frozenset[AssetState] = SETTLED,
) -> list[Task]:
    """Records the plan of all wishes and begins those in `begun`, but for assets whose state is one of `settled`."""
    facts.put_plan(product.tenant, product.sku, product.version, plan(product, wishes))
    rows = facts.assets(product.tenant, product.sku)
    ended = {row.asset for row in rows if row.state in settled}
    failed = {row.asset for row in rows if row.state == "failed"}
    tasks = [task for wish in begun for task in first_tasks(product, wish, ended)]
    for task in tasks:  # noted as tasks once it is known in which lane
        for name in failed.intersection(recipes.assets(task.step)):
            facts.move_asset(task.tenant, task.sku, name, task.version, "planned", only_from={"failed"})
    return tasks


def _content(event: CatalogChanged) -> CatalogChanged:
    """What makes two events the same: all but how urgent they are and when they were sent."""
    return replace(event, priority="standard", occurred_at_ms=None)


def _retract(event: CatalogChanged, assets: list[str] | None, reason: str) -> RetractRequested:
    return RetractRequested(tenant=event.tenant, sku=event.sku, version=event.version, assets=assets, reason=reason)
