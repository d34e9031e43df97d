"""Submitting catalogue and campaign events from a file, and following what becomes of them."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from schemas.codec import field_in
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Source, Submission
from schemas.text import explained
from streams.catalogue import Asset, AssetState, Catalogue, Facts
from streams.consumer.letters import Outgoing, outgoing
from streams.observability import tracer
from streams.processors.campaigns import parts_of
from streams.relay import Sender

POLL_S = 0.25
SETTLED: frozenset[AssetState] = frozenset({"published", "review", "failed", "rejected"})
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BadLine:
    """A line of the file that holds no event, and why."""

    line: int
    field: str
    message: str


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
    def settled(self) -> int:
        return sum(asset.state in SETTLED for asset in self.assets)


def read_events(path: Path) -> tuple[list[Submission], list[BadLine]]:
    """The events of a JSON-lines file, relative source paths resolved against its folder, and its bad lines."""
    events: list[Submission] = []
    bad: list[BadLine] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            events.append(_resolved(msgspec.json.decode(line, type=Submission), path.parent))
        except msgspec.ValidationError as error:
            bad.append(BadLine(number, field_in(error), explained(str(error))))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            bad.append(BadLine(number, "", f"not JSON: {error}"))
        except RecursionError:
            bad.append(BadLine(number, "", "nested too deeply"))
    return events, bad


def send(events: Iterable[Submission], sender: Sender) -> list[Submitted]:
    """Sends events, each as the root of a trace of its own; returns when the broker has acknowledged them all.

    A campaign's event without a version has that of the clock, in ms, so that whoever submits later has the newer one;
    in the order of the events within one call. One that names too many products for a record is sent in parts.
    """
    now_ms = time.time_ns() // 1_000_000
    submitted = [Submitted(str(uuid4()), _versioned(each, now_ms + number)) for number, each in enumerate(events)]
    sender.send([record for each in submitted for record in _records(each)])
    return submitted


def fate(submitted: Submitted, facts: Facts) -> Fate:
    """How an event stands now."""
    refusals = (facts.refusal(event_id) for event_id, _ in _sent(submitted))
    refusal = next((each for each in refusals if each is not None), None)
    refused = "" if refusal is None else f"{refusal.code} ({refusal.field}): {refusal.message}"
    if isinstance(submitted.event, CatalogChanged):
        return Fate("failed", reason=refused) if refused else _product_fate(submitted.event, facts)
    if isinstance(submitted.event, CampaignCancelled):
        return Fate("failed", reason=refused) if refused else _cancelled_fate(submitted.event, facts)
    return _campaign_fate(submitted.event, refused, facts)


def follow(submitted: Sequence[Submitted], catalogue: Catalogue, progress: Progress, until_s: float) -> list[Fate]:
    """Waits until every event is settled, or until `until_s` of the monotonic clock; then some still wait."""
    while True:
        began_s = time.monotonic()
        with catalogue.read() as facts:
            fates = [fate(each, facts) for each in submitted]
        waiting = sum(each.state == "waiting" for each in fates)
        assets = sum(len(each.assets) for each in fates)
        progress(sum(each.settled for each in fates), assets + waiting)
        if not waiting or time.monotonic() >= until_s:
            return fates
        time.sleep(max(POLL_S, time.monotonic() - began_s))  # to look at many products takes a while


def _versioned(event: Submission, version: int) -> Submission:
    return event if isinstance(event, CatalogChanged) or event.version else replace(event, version=version)


def _sent(submitted: Submitted) -> list[tuple[str, Submission]]:
    """The events that an event is sent as, and their ids."""
    if not isinstance(submitted.event, CampaignRequested):
        return [(submitted.event_id, submitted.event)]
    parts = parts_of(submitted.event)
    ids = [submitted.event_id, *(f"{submitted.event_id}/{part.part}" for part in parts[1:])]
    return list(zip(ids, parts, strict=True))


def _records(submitted: Submitted) -> list[Outgoing]:
    with tracer.start_as_current_span(f"submit {type(submitted.event).__name__}"):
        return [outgoing(event, "packshot/submit", event_id) for event_id, event in _sent(submitted)]


def _product_fate(event: CatalogChanged, facts: Facts) -> Fate:
    product = facts.product(event.tenant, event.sku)
    if product is None or product.version < event.version:
        return Fate("waiting")
    if product.version > event.version:
        return Fate("superseded", reason=f"version {product.version} is newer")
    assets = [asset for asset in facts.assets(event.tenant, event.sku) if asset.campaign is None]
    if event.change == "delete":
        return Fate("waiting" if any(asset.live for asset in assets) else "done")
    return _of_assets(assets) if assets else Fate("done")  # the recipe makes nothing for its channels


def _campaign_fate(event: CampaignRequested, refused: str, facts: Facts) -> Fate:
    mine = facts.campaign_assets(event.tenant, event.campaign)
    known = facts.campaigns.standing(event.tenant, event.campaign)
    if not refused and known is not None and known.rank > (event.version or known.rank):
        what = "cancelled" if known.cancelled else "asked for otherwise"
        return Fate("superseded", reason=f"campaign {event.campaign} was {what} since")
    if not refused and known is not None and known.cancelled:
        refused = f"campaign_cancelled (campaign): campaign {event.campaign} was cancelled"
    if refused:
        return Fate("failed", mine, refused)
    planned = {asset.sku for asset in mine}
    return Fate("waiting", mine) if not planned.issuperset(event.skus) else _of_assets(mine)


def _cancelled_fate(event: CampaignCancelled, facts: Facts) -> Fate:
    known = facts.campaigns.standing(event.tenant, event.campaign)
    if known is not None and event.version and known.rank > event.version:
        return Fate("superseded", reason=f"campaign {event.campaign} was asked for since")
    if known is None or not known.cancelled:
        return Fate("waiting")
    return Fate("waiting" if facts.campaign_assets(event.tenant, event.campaign) else "done")


def _of_assets(assets: list[Asset]) -> Fate:
    if not assets or any(asset.state not in SETTLED for asset in assets):
        return Fate("waiting", assets)
    ended_badly = [asset for asset in assets if asset.state == "failed"]
    if ended_badly:
        return Fate("failed", assets, f"{ended_badly[0].asset}: {ended_badly[0].reason}")
    return Fate("done", assets)


def _resolved(event: Submission, folder: Path) -> Submission:
    if not isinstance(event, CatalogChanged):
        return event
    return replace(event, sources=[_absolute(source, folder) for source in event.sources])


def _absolute(source: Source, folder: Path) -> Source:
    if urlsplit(source.uri).scheme:
        return source
    return replace(source, uri=(folder / source.uri).resolve().as_uri())
