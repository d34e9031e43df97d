"""Campaigns, as marketing asks for them."""

from typing import Annotated

from msgspec import Meta

from schemas.records.base import Lane, Milliseconds, Name, Record, Sku, Text


class CampaignRequested(Record, frozen=True, kw_only=True, tag="CampaignRequested", tag_field="type"):
    """A marketing tool asks for pictures of products after a recipe, by a deadline (Unix time in ms).

    `version` grows with every request and every cancellation of the campaign, and the newest counts. An event without
    one (0) is older than all that have one; among those the order counts in which their topic has them. One version
    may come in `parts` that differ in their products only; what it names no more is taken out once all are known.
    `place` is ours: where the event stood, plus one, of which an unversioned one is a part.
    """

    tenant: Name
    campaign: Name
    skus: Annotated[list[Sku], Meta(min_length=1, max_length=100_000)]
    recipe: Name = "campaign"
    channels: Annotated[list[Name], Meta(min_length=1, max_length=32)]
    priority: Lane = "urgent"
    deadline_ms: Milliseconds | None = None
    version: Annotated[int, Meta(ge=0, le=2**62)] = 0
    part: Annotated[int, Meta(ge=1, le=100_000)] = 1
    parts: Annotated[int, Meta(ge=1, le=100_000)] = 1
    place: Annotated[int, Meta(ge=0, le=2**61)] = 0

    def __post_init__(self) -> None:
        if self.part > self.parts:
            raise ValueError("`part` must not be above `parts`")


class CampaignCancelled(Record, frozen=True, kw_only=True, tag="CampaignCancelled", tag_field="type"):
    """Marketing takes a campaign back: nothing more is made for it, what is live of it is retracted.

    It counts for requests up to its `version`; for that, and for `place`, see CampaignRequested.
    """

    tenant: Name
    campaign: Name
    reason: Text = ""
    version: Annotated[int, Meta(ge=0, le=2**62)] = 0
    place: Annotated[int, Meta(ge=0, le=2**61)] = 0


class CampaignContinued(Record, frozen=True, kw_only=True, tag="CampaignContinued", tag_field="type"):
    """There are products of a campaign left to begin, or to take out; intake tells itself so between two steps."""

    tenant: Name
    campaign: Name
