"""Submitting catalogue and campaign events from a file, and following what becomes of them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from schemas.recipes.cookbook import Cookbook
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Submission
from streams.catalogue import Asset, AssetState, Catalogue, Facts
from streams.consumer.letters import Outgoing, outgoing
from streams.errors import Refused
from streams.event_files import BadLine, Read
from streams.observability import tracer
from streams.processing import Sender
from streams.processors.intake import content
from streams.processors.planning import checked

POLL_S = 0.25  # at first, and whenever something has moved
POLL_MAX_S = 4.0  # when nothing does: each look costs a query for every product that is still waited for
SETTLED: frozenset[AssetState] = frozenset({"published", "review", "failed", "rejected"})
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Submitted:
    """An event that was sent, with the id it was sent under."""

    event_id: str
    event: Submission

    @property
    def subject(self) -> str:
        """What the event is about, for people."""
        if isinstance(self.event, CatalogChanged):
            return f"{self.event.sku} v{self.event.version}"
        return f"campaign {self.event.campaign}"


@dataclass(frozen=True)
class Fate:
    """How one submitted event stands. `settled` counts the assets whose way has ended or waits for a person."""

    state: Literal["waiting", "done", "failed", "superseded"]
    assets: list[Asset] = field(default_factory=list)
    reason: str = ""

    @property
    def waits_for(self) -> list[str]:
        """The assets that are on their way, each with its state."""
        return [f"{each.sku} {each.asset} ({each.state})" for each in self.assets if each.state not in SETTLED]

    @property
    def settled(self) -> int:
        return sum(asset.state in SETTLED for asset in self.assets)


def unmakeable(events: Sequence[Read], facts: Facts) -> list[BadLine]:
    """Which events ask for a channel or a recipe that is not there, as intake would say it."""
    cookbook = facts.cookbook()
    return [wrong for each in events for wrong in _unmakeable(each, cookbook)]


def _unmakeable(read: Read, cookbook: Cookbook) -> Iterator[BadLine]:
    if isinstance(read.event, CampaignCancelled):
        return
    try:
        checked(read.event, cookbook)
    except Refused as refusal:
        yield BadLine(read.line, refusal.field, str(refusal))


def send(events: Iterable[Submission], sender: Sender) -> list[Submitted]:
    """Sends events, each as the root of a trace of its own; returns when the broker has acknowledged them all."""
    submitted = [Submitted(str(uuid4()), event) for event in events]
    sender.send([_record(each) for each in submitted])
    return submitted


def fate(submitted: Submitted, facts: Facts) -> Fate:
    """How an event stands now."""
    refusal = facts.refusal(submitted.event_id)
    refused = "" if refusal is None else f"{refusal.code} ({refusal.field}): {refusal.message}"
    if isinstance(submitted.event, CatalogChanged):
        return Fate("failed", reason=refused) if refused else _product_fate(submitted.event, facts)
    if isinstance(submitted.event, CampaignCancelled):
        return Fate("failed", reason=refused) if refused else _cancelled_fate(submitted.event, facts)
    return _campaign_fate(submitted.event, refused, facts)


def follow(
    submitted: Sequence[Submitted],
    catalogue: Catalogue,
    progress: Progress,
    until_s: float,
    quiet_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Fate]:
    """Waits until every event is settled.

    Ends with some that wait at `until_s` of the monotonic clock, or when none of them has moved for `quiet_s`.
    Only what waits is looked at again, the less often the longer nothing moves.
    """
    fates = [Fate("waiting") for _ in submitted]
    poll_s, moved_at = POLL_S, time.monotonic()
    while True:
        now = _looked_at_again(submitted, fates, catalogue)
        moved_at, poll_s = (time.monotonic(), POLL_S) if now != fates else (moved_at, min(2 * poll_s, POLL_MAX_S))
        fates = now
        waiting = sum(each.state == "waiting" for each in fates)
        progress(sum(each.settled for each in fates), sum(len(each.assets) for each in fates) + waiting)
        if not waiting or time.monotonic() >= min(until_s, moved_at + quiet_s):
            return fates
        sleep(poll_s)


def _looked_at_again(submitted: Sequence[Submitted], fates: Sequence[Fate], catalogue: Catalogue) -> list[Fate]:
    with catalogue.read() as facts:
        pairs = zip(submitted, fates, strict=True)
        return [fate(each, facts) if known.state == "waiting" else known for each, known in pairs]


def _record(submitted: Submitted) -> Outgoing:
    with tracer.start_as_current_span(f"submit {type(submitted.event).__name__}"):
        return outgoing(submitted.event, "packshot/submit", submitted.event_id)


def _product_fate(event: CatalogChanged, facts: Facts) -> Fate:
    product = facts.product(event.tenant, event.sku)
    if product is None or product.version < event.version:
        return Fate("waiting")
    if product.version > event.version:
        return Fate("superseded", reason=f"version {product.version} is newer")
    if content(product.event) != content(event):
        return Fate("waiting")  # another event took this version; the refusal of this one is on its way
    assets = [asset for asset in facts.assets(event.tenant, event.sku) if asset.campaign is None]
    if event.change == "delete":
        return Fate("waiting" if any(asset.live for asset in assets) else "done")
    return _of_assets(assets) if assets else Fate("done")  # the recipe makes nothing for its channels


def _campaign_fate(event: CampaignRequested, refused: str, facts: Facts) -> Fate:
    mine = [
        asset
        for sku in dict.fromkeys(event.skus)
        for asset in facts.assets(event.tenant, sku)
        if asset.campaign == event.campaign
    ]
    known = facts.campaign(event.tenant, event.campaign)
    if not refused and known is not None and known[1]:
        refused = f"campaign_cancelled (campaign): campaign {event.campaign} was cancelled"
    if refused:  # of some of its products, it may be: the others go on
        is_under_way = any(asset.state not in SETTLED for asset in mine)
        return Fate("waiting" if is_under_way else "failed", mine, refused)
    planned = {asset.sku for asset in mine}
    return Fate("waiting", mine) if planned != set(event.skus) else _of_assets(mine)


def _cancelled_fate(event: CampaignCancelled, facts: Facts) -> Fate:
    known = facts.campaign(event.tenant, event.campaign)
    if known is None or not known[1]:
        return Fate("waiting")
    left = [a for sku in known[0].skus for a in facts.assets(event.tenant, sku) if a.campaign == event.campaign]
    return Fate("waiting" if left else "done")


def _of_assets(assets: list[Asset]) -> Fate:
    if not assets or any(asset.state not in SETTLED for asset in assets):
        return Fate("waiting", assets)
    ended_badly = [asset for asset in assets if asset.state == "failed"]
    if ended_badly:
        return Fate("failed", assets, f"{ended_badly[0].asset}: {ended_badly[0].reason}")
    return Fate("done", assets)
