"""Campaigns: asked for, read, taken back."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from schemas.decoding import prepare
from schemas.records import Lane, Milliseconds, Name, Sku, Text
from streams.api.callers import Asking
from streams.api.problems import Problem
from streams.api.routes.products import Accepted, accepted
from streams.services.reports.views import AssetView, asset_view

READ, WRITE = {"scope": "read"}, {"scope": "write"}


class CampaignBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which products get pictures after which recipe, by when. Without `version` it has the clock's, in ms."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=100_000)]
    channels: Annotated[list[Name], Meta(min_length=1, max_length=32)]
    recipe: Name = "campaign"
    priority: Lane = "urgent"
    deadline_ms: Milliseconds | None = None
    version: Annotated[int, Meta(ge=0, le=2**62)] = 0


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it is known; `complete` when all of its parts are. `version` is its newest event's."""

    tenant: str
    campaign: str
    version: int
    cancelled: bool
    complete: bool
    recipe: str
    channels: Sequence[str]
    priority: str
    deadline_ms: int | None
    assets: Sequence[AssetView]


@put("/v1/campaigns/{campaign:str}", opt=WRITE, status_code=202, sync_to_thread=True)
def put_campaign(caller: Asking, campaign: FromPath[str], data: JSONBody[CampaignBody]) -> Response[Accepted]:
    """Ask for a campaign's pictures; the newest request counts."""
    sent = caller.catalogue.request(caller.tenant, campaign, msgspec.to_builtins(data))
    return accepted(caller, sent, "campaigns/{}")


@get("/v1/campaigns/{campaign:str}", opt=READ, sync_to_thread=True)
def get_campaign(caller: Asking, campaign: FromPath[str]) -> CampaignView:
    """How a campaign stands, and each of its assets."""
    with caller.read() as facts:
        progress = facts.campaigns.progress(caller.tenant, campaign)
        assets = facts.assets.of_campaign(caller.tenant, campaign)
    if progress is None:
        raise Problem("unknown_campaign", f"no campaign is called {campaign!r}", field="campaign")
    request = progress.request
    return CampaignView(
        tenant=caller.tenant,
        campaign=campaign,
        version=progress.rank,
        cancelled=progress.cancelled,
        complete=progress.is_complete,
        recipe=request.recipe,
        channels=request.channels,
        priority=request.priority,
        deadline_ms=request.deadline_ms,
        assets=[asset_view(each) for each in assets],
    )


@delete("/v1/campaigns/{campaign:str}", opt=WRITE, status_code=202, sync_to_thread=True)
def cancel_campaign(
    caller: Asking,
    campaign: FromPath[str],
    reason: Annotated[Text, QueryParameter(description="Why, which is kept.")] = "",
) -> Response[Accepted]:
    """Take a campaign back: nothing more is made for it, what is live of it goes."""
    return accepted(caller, caller.catalogue.cancel(caller.tenant, campaign, reason), "campaigns/{}")


prepare(CampaignBody, CampaignView)

ROUTES: tuple[Any, ...] = (put_campaign, get_campaign, cancel_campaign)
