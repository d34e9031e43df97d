"""Campaigns: pictures that marketing wants of many products at once, and takes back. The newest word on each counts.

However many products a campaign names, nobody waits for it longer than a step takes. A request that names more than
PART_SKUS_MAX is made into parts, which are written back to its topic; a part is noted as a whole, and its products are
begun STEP_SKUS_MAX at a time. While any are left, a CampaignContinued at the end of the topic asks for the next step:
what others have written meanwhile comes before it. Of a campaign at work there is one such event on its way; a second
one, after a crash, does no harm, for what is left to do stands in the facts.

A newer request takes over with its first part: what it names is made by it from then on. What the older ones named and
it does not is taken out once all its parts are known, in steps as well, as are the products of a campaign that is
cancelled. What is read again, or comes back because a product was unknown, has been noted and begun, or is begun by the
product's own event when that comes: all that is left to say of it is which products are still unknown.
"""

import math

import structlog
from msgspec.structs import replace

from schemas.records import CampaignCancelled, CampaignContinued, CampaignRequested, Event
from streams.facts import CampaignProgress, Facts, rank_of
from streams.flow.processors import Answers
from streams.flow.processors.intake import all_requests, retract, some, start, summed
from streams.flow.processors.planning import checked, makes_something, plan, request_of
from streams.runtime.errors import Refused

PART_SKUS_MAX = 1000  # 0.5 MB of the longest names; a part is noted in some 20 ms
STEP_SKUS_MAX = 100  # a product takes about a millisecond

log = structlog.get_logger()


def campaign_requested(event: CampaignRequested, facts: Facts) -> Answers:
    """A campaign wants pictures. Products that are not known (yet) make the event come back later."""
    request = checked(event, facts.recipes.cookbook())
    known = facts.campaigns.progress(event.tenant, event.campaign)
    if known is not None and _is_over(event, known):
        log.info("stale event", tenant=event.tenant, campaign=event.campaign, version=event.version)
        return []
    is_new = known is None or rank_of(event) > known.rank
    if is_new and not makes_something(event.tenant, request, facts.recipes.cookbook()):
        channels = ", ".join(request.channels)
        raise Refused("nothing_to_make", f"{request.recipe} makes no picture that {channels} allows", field="channels")
    if len(event.skus) > PART_SKUS_MAX:
        return parts_of(event)
    is_at_work = not is_new and bool(facts.campaigns.left(event.tenant, event.campaign, 1))
    facts.campaigns.put(event)
    answers = [] if is_at_work else _step(event.tenant, event.campaign, facts)
    missing = facts.products.unknown(event.tenant, event.skus)
    if missing:
        return [*answers, Refused("unknown_sku", f"no such product: {some(missing)}", field="skus", transient=True)]
    return answers


def campaign_cancelled(event: CampaignCancelled, facts: Facts) -> Answers:
    """A campaign is off: its assets leave every plan, and what is live of it is retracted."""
    known = facts.campaigns.progress(event.tenant, event.campaign)
    if known is None:
        message = f"no campaign is called {event.campaign!r}"
        raise Refused("unknown_campaign", message, field="campaign", transient=True)
    _check_has_version(event, known)
    if rank_of(event) < known.rank:
        log.info("stale event", tenant=event.tenant, campaign=event.campaign, version=event.version)
        return []
    facts.campaigns.cancel(event)
    return _step(event.tenant, event.campaign, facts, f": {event.reason}" if event.reason else "")


def campaign_continued(event: CampaignContinued, facts: Facts) -> Answers:
    """The next products of a campaign, if any are left."""
    return _step(event.tenant, event.campaign, facts)


def parts_of(event: CampaignRequested) -> list[CampaignRequested]:
    """A request as requests that a record can hold, and that together say the same. Raises Refused for a part."""
    count = math.ceil(len(event.skus) / PART_SKUS_MAX)
    if count <= 1:
        return [event]
    if event.parts > 1:
        raise Refused("too_many_skus", f"a part names at most {PART_SKUS_MAX} products", field="skus")
    slices = [event.skus[n * PART_SKUS_MAX : (n + 1) * PART_SKUS_MAX] for n in range(count)]
    return [replace(event, skus=skus, part=n, parts=count) for n, skus in enumerate(slices, start=1)]


def _is_over(event: CampaignRequested, known: CampaignProgress) -> bool:
    """Whether a request has no say any more.

    Raises Refused for one that says something else under the same version, or that has no version and comes after one
    that has, or after a cancellation: it might be what was cancelled, sent twice.
    """
    rank = rank_of(event)
    _check_has_version(event, known)
    if rank < known.rank or (known.cancelled and rank == known.rank):
        return True
    if known.cancelled and not event.version:
        if _content(event) == _content(known.request):
            return True
        message = f"campaign {event.campaign} was cancelled; to ask for it again takes a version above"
        raise Refused("campaign_cancelled", message, field="campaign")
    if rank == known.rank and (request_of(event), event.parts) != (request_of(known.request), known.request.parts):
        message = f"{event.campaign} version {event.version} is known with other content; a change needs a higher one"
        raise Refused("version_conflict", message, field="version")
    return False


def _check_has_version(event: CampaignRequested | CampaignCancelled, known: CampaignProgress) -> None:
    """Raises Refused for an event without a version that stands behind a request with one: whoever wrote it means it to
    count, and it is older than all that have one. Before that one it is only late."""
    request = known.request
    if not event.version and request.version and 0 < request.place < event.place:
        message = f"{event.campaign} has versions: to change it takes one above {max(known.rank, request.version)}"
        raise Refused("version_missing", message, field="version")


def _content(event: CampaignRequested) -> CampaignRequested:
    return replace(event, place=0, version=0)


def _step(tenant: str, campaign: str, facts: Facts, why: str = "") -> Answers:
    """Begins or takes out the next products; asks to be continued while more are left."""
    known = facts.campaigns.progress(tenant, campaign)
    skus = facts.campaigns.left(tenant, campaign, STEP_SKUS_MAX)
    if known is None or not skus:
        return []
    ranks = facts.campaigns.named(tenant, campaign, skus)
    wanted = [sku for sku in skus if not known.cancelled and ranks.get(sku) == known.rank]
    gone = [sku for sku in skus if sku not in wanted and (known.cancelled or known.is_complete)]
    facts.campaigns.done(tenant, campaign, skus, gone)
    how = f"was cancelled{why}" if known.cancelled else "was asked for without it"
    answers = [*_taken_out(known.request, gone, how, facts), *_begun(known.request, wanted, facts)]
    is_left = bool(facts.campaigns.left(tenant, campaign, 1))
    return [*answers, *([CampaignContinued(tenant=tenant, campaign=campaign)] if is_left else [])]


def _begun(campaign: CampaignRequested, skus: list[str], facts: Facts) -> Answers:
    answers: list[Event] = []
    refusals: list[Refused] = []
    for sku in skus:
        product = facts.products.get(campaign.tenant, sku, lock=True)
        if product is None or product.deleted:
            continue
        for each in start(product.event, all_requests(product.event, facts), [request_of(campaign)], facts):
            if isinstance(each, Refused):
                refusals.append(each)
            else:
                answers.append(each)
    return [*answers, *summed(refusals)]


def _taken_out(campaign: CampaignRequested, skus: list[str], how: str, facts: Facts) -> list[Event]:
    """Takes a campaign's assets out of the plans of products."""
    answers: list[Event] = []
    for sku in skus:
        product = facts.products.get(campaign.tenant, sku, lock=True)
        if product is None or product.deleted:
            continue
        theirs = [row.asset for row in facts.assets.of(campaign.tenant, sku) if row.campaign == campaign.campaign]
        requests = all_requests(product.event, facts)
        facts.assets.put_plan(
            campaign.tenant, sku, product.version, plan(product.event, requests, facts.recipes.cookbook())
        )
        if theirs:
            answers.append(retract(product.event, theirs, f"campaign {campaign.campaign} {how}"))
    return answers
