"""Submitting catalogue and campaign events from a file, and what has become of them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from msgspec.structs import replace

from schemas import topics
from schemas.codec import Codec
from schemas.recipes.cookbook import Cookbook
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Submission
from streams.consumer.letters import Outgoing, outgoing
from streams.facts import Asset, EventKey, Facts
from streams.flow.processors.campaigns import parts_of
from streams.flow.processors.intake import content
from streams.flow.processors.planning import checked
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer
from streams.services.submitting.event_files import BadLine, Read
from streams.services.submitting.fates import SETTLED, Fate, subject_of

SOURCE = "packshot/submit"


@dataclass(frozen=True)
class Submitted:
    """An event that was sent, with the id it was sent under, and by whom: `source` is the CloudEvents one."""

    event_id: str
    event: Submission
    source: str = SOURCE

    @property
    def subject(self) -> str:
        """What the event is about, for people."""
        return subject_of(self.event, self.event.version)


def check_makeable(event: Submission, cookbook: Cookbook) -> None:
    """Raises Refused for a channel or a recipe that is not there, as intake would."""
    if not isinstance(event, CampaignCancelled):
        checked(event, cookbook)


def unmakeable(events: Sequence[Read], facts: Facts) -> list[BadLine]:
    """Which events ask for a channel or a recipe that is not there, as intake would say it."""
    cookbook = facts.recipes.cookbook()
    return [wrong for each in events for wrong in _unmakeable(each, cookbook)]


def _unmakeable(read: Read, cookbook: Cookbook) -> Iterator[BadLine]:
    try:
        check_makeable(read.event, cookbook)
    except Refused as refusal:
        yield BadLine(read.line, refusal.field, str(refusal))


def send(events: Iterable[Submission], sender: Sender, source: str = SOURCE) -> list[Submitted]:
    """Sends events, each as the root of a trace of its own; returns when the broker has acknowledged them all.

    A campaign's event without a version has that of the clock, in ms, so that whoever submits later has the newer one;
    in the order of the events within one call. One that names too many products for a record is sent in parts.
    """
    now_ms = time.time_ns() // 1_000_000
    versioned = (_versioned(each, now_ms + number) for number, each in enumerate(events))
    submitted = [Submitted(str(uuid4()), each, source) for each in versioned]
    sender.send([record for each in submitted for record in _records(each, sender.codec)])
    return submitted


def fate(submitted: Submitted, facts: Facts) -> Fate:
    """How an event stands now."""
    refusals = (facts.refusals.get(_key(submitted, event_id, event)) for event_id, event in _sent(submitted))
    refusal = next((each for each in refusals if each is not None), None)
    refused = "" if refusal is None else f"{refusal.code} ({refusal.field}): {refusal.message}"
    if isinstance(submitted.event, CatalogChanged):
        return Fate("failed", reason=refused) if refused else _product_fate(submitted.event, facts)
    if isinstance(submitted.event, CampaignCancelled):
        return Fate("failed", reason=refused) if refused else _cancelled_fate(submitted.event, facts)
    return _campaign_fate(submitted.event, refused, facts)


def _key(submitted: Submitted, event_id: str, event: Submission) -> EventKey:
    """By which a refusal of it is known, as whoever reads its record names it."""
    return EventKey(topics.topic_of(event).name, topics.key_of(event).decode(), submitted.source, event_id)


def _versioned(event: Submission, version: int) -> Submission:
    return event if isinstance(event, CatalogChanged) or event.version else replace(event, version=version)


def _sent(submitted: Submitted) -> list[tuple[str, Submission]]:
    """The events that an event is sent as, and their ids."""
    if not isinstance(submitted.event, CampaignRequested):
        return [(submitted.event_id, submitted.event)]
    parts = parts_of(submitted.event)
    ids = [submitted.event_id, *(f"{submitted.event_id}/{part.part}" for part in parts[1:])]
    return list(zip(ids, parts, strict=True))


def _records(submitted: Submitted, codec: Codec) -> list[Outgoing]:
    with tracer.start_as_current_span(f"submit {type(submitted.event).__name__}"):
        return [outgoing(event, submitted.source, event_id, codec) for event_id, event in _sent(submitted)]


def _product_fate(event: CatalogChanged, facts: Facts) -> Fate:
    product = facts.products.get(event.tenant, event.sku)
    if product is None or product.version < event.version:
        return Fate("waiting")
    if product.version > event.version:
        return Fate("superseded", reason=f"version {product.version} is newer")
    if content(product.event) != content(event):
        return Fate("waiting")  # another event took this version; the refusal of this one is on its way
    assets = [asset for asset in facts.assets.of(event.tenant, event.sku) if asset.campaign is None]
    if event.change == "delete":
        return Fate("waiting" if any(asset.live for asset in assets) else "done")
    return _of_assets(assets) if assets else Fate("done")  # the recipe makes nothing for its channels


def _campaign_fate(event: CampaignRequested, refused: str, facts: Facts) -> Fate:
    mine = facts.assets.of_campaign(event.tenant, event.campaign)
    known = facts.campaigns.progress(event.tenant, event.campaign)
    if not refused and known is not None and known.rank > (event.version or known.rank):
        what = "cancelled" if known.cancelled else "asked for otherwise"
        return Fate("superseded", reason=f"campaign {event.campaign} was {what} since")
    if not refused and known is not None and known.cancelled:
        refused = f"campaign_cancelled (campaign): campaign {event.campaign} was cancelled"
    if refused:  # of some of its products, it may be: the others go on
        is_unsettled = any(asset.state not in SETTLED for asset in mine)
        return Fate("waiting" if is_unsettled else "failed", mine, refused)
    planned = {asset.sku for asset in mine}
    return Fate("waiting", mine) if not planned.issuperset(event.skus) else _of_assets(mine)


def _cancelled_fate(event: CampaignCancelled, facts: Facts) -> Fate:
    known = facts.campaigns.progress(event.tenant, event.campaign)
    if known is not None and event.version and known.rank > event.version:
        return Fate("superseded", reason=f"campaign {event.campaign} was asked for since")
    if known is None or not known.cancelled:
        return Fate("waiting")
    return Fate("waiting" if facts.assets.of_campaign(event.tenant, event.campaign) else "done")


def _of_assets(assets: list[Asset]) -> Fate:
    if not assets or any(asset.state not in SETTLED for asset in assets):
        return Fate("waiting", assets)
    ended_badly = [asset for asset in assets if asset.state == "failed"]
    if ended_badly:
        return Fate("failed", assets, f"{ended_badly[0].asset}: {ended_badly[0].reason}")
    return Fate("done", assets)
