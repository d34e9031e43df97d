"""Campaigns: how far each is against its deadline, and what is late."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from streams.facts import CampaignRow
from streams.runtime.clock import now_ms
from streams.services.reports.in_the_making import waited_for
from streams.web.pages import UNSTORED, NotHere, page
from streams.web.routes.door import Form
from streams.web.visitors import REVIEW, VIEW, Looking

CAMPAIGNS_MAX = 200


@get("/desk/{tenant:str}/campaigns", opt=VIEW, sync_to_thread=True)
def list_campaigns(visitor: Looking) -> Response[str]:
    """The late ones first, then those whose deadline is next."""
    now = now_ms()
    with visitor.place.read() as facts:
        rows = facts.overviews.campaigns(visitor.tenant, CAMPAIGNS_MAX)
    return page(visitor, "campaigns", rows=sorted(rows, key=lambda row: _order(row, now)), now_ms=now)


@get("/desk/{tenant:str}/campaign", opt=VIEW, sync_to_thread=True)
def show_campaign(visitor: Looking, name: FromQuery[str], done: FromQuery[str] = "") -> Response[str]:
    """One campaign: each asset that is not live yet, and why."""
    with visitor.place.read() as facts:
        progress = facts.campaigns.progress(visitor.tenant, name)
        assets = facts.assets.of_campaign(visitor.tenant, name)
        rows = facts.overviews.campaigns(visitor.tenant, CAMPAIGNS_MAX)
        waits = waited_for(assets, facts)
    if progress is None:
        raise NotHere(f"no campaign is called {name!r}")
    row = next((each for each in rows if each.request.campaign == name), None)
    first = sorted(assets, key=lambda each: (each.state == "published", each.sku, each.asset))
    context = {"progress": progress, "row": row, "assets": first, "waits": waits, "now_ms": now_ms(), "done": done}
    return page(visitor, "campaign", **context)


@post("/desk/{tenant:str}/campaign/cancel", opt=REVIEW, sync_to_thread=True)
def cancel(visitor: Looking, data: Form) -> Redirect:
    """Takes a campaign back."""
    name = data.get("name", "")
    visitor.place.catalogue.cancel(visitor.tenant, name, f"{visitor.name}: {data.get('reason', '')}")
    address = visitor.address("campaign", name=name, done="It is being cancelled.")
    return Redirect(address, status_code=303, headers=UNSTORED)


def _order(row: CampaignRow, now: int) -> tuple[bool, bool, float]:
    due_ms = row.request.deadline_ms
    return row.cancelled, not row.is_late(now), float("inf") if due_ms is None else due_ms


ROUTES: tuple[Any, ...] = (list_campaigns, show_campaign, cancel)
