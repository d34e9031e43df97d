"""What was sent and what has become of it, the same whether it went to a broker or through an API elsewhere.

Through an API nobody needs the database's or Kafka's client, so nothing here imports them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from schemas.decoding import prepare
from schemas.records import CatalogChanged, Submission
from streams.services.submitting.event_files import BadLine

SETTLED = frozenset({"published", "review", "rejected", "failed"})  # as the state machine has them; a test holds it

FateState = Literal["waiting", "done", "failed", "superseded"]


class KnownAsset(Protocol):
    """How an asset stands: of the facts, or as an API tells."""

    @property
    def sku(self) -> str: ...
    @property
    def asset(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def verdict(self) -> object: ...
    @property
    def live(self) -> object: ...


class SentEvent(Protocol):
    """An event that was sent."""

    @property
    def event_id(self) -> str: ...
    @property
    def subject(self) -> str: ...


@dataclass(frozen=True)
class Fate:
    """How one submitted event stands. `settled` counts the assets whose way has ended or waits for a person."""

    state: FateState
    assets: Sequence[KnownAsset] = field(default_factory=list)
    reason: str = ""

    @property
    def waits_for(self) -> list[str]:
        """The assets that are on their way, each with its state."""
        return [f"{each.sku} {each.asset} ({each.state})" for each in self.assets if each.state not in SETTLED]

    @property
    def settled(self) -> int:
        return sum(each.state in SETTLED for each in self.assets)


class SubmittedAsset(msgspec.Struct, frozen=True, kw_only=True):
    """Where an asset of a submitted event stands."""

    sku: str
    asset: str
    version: int
    state: str
    reason: str
    verdict: Any
    live: Any


class SubmittedView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was sent; what has become of it only where somebody waited for that."""

    event_id: str
    subject: str
    state: FateState | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    assets: Sequence[SubmittedAsset] | UnsetType = UNSET


class SubmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """All events of a file, and its lines that hold none."""

    submitted: Sequence[SubmittedView]
    bad_lines: Sequence[BadLine]


def subject_of(event: Submission, version: int) -> str:
    """What an event is about, for people; `version` is what a product's event was sent with."""
    return f"{event.sku} v{version}" if isinstance(event, CatalogChanged) else f"campaign {event.campaign}"


def submission_view(
    submitted: Sequence[SentEvent], fates: Sequence[Fate], bad_lines: Sequence[BadLine]
) -> SubmissionView:
    """What was sent; `fates` is empty where nobody waited."""
    waited = zip(submitted, fates, strict=True) if fates else ((each, None) for each in submitted)
    return SubmissionView(submitted=[_submitted(*each) for each in waited], bad_lines=bad_lines)


def _submitted(sent: SentEvent, fate: Fate | None) -> SubmittedView:
    if fate is None:
        return SubmittedView(event_id=sent.event_id, subject=sent.subject)
    names = SubmittedAsset.__struct_fields__
    assets = [SubmittedAsset(**{name: getattr(each, name) for name in names}) for each in fate.assets]
    return SubmittedView(
        event_id=sent.event_id, subject=sent.subject, state=fate.state, reason=fate.reason, assets=assets
    )


prepare(SubmissionView)
