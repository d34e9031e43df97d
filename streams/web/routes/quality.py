"""Quality and costs: by check, by channel, by operation."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get

from schemas.records import Check
from streams.facts import Judged
from streams.facts.overviews import JUDGED_MAX
from streams.services.reports.quality import by_channel, by_check, by_day, by_model
from streams.services.review import agreement, sampling
from streams.web import telling
from streams.web.charts import Course
from streams.web.pages import page
from streams.web.visitors import VIEW, Looking

WORST_MAX = 20


@get("/desk/{tenant:str}/quality", opt=VIEW, sync_to_thread=True)
def show_quality(visitor: Looking) -> Response[str]:
    """How much passes, by channel and by check, and what is furthest from passing."""
    with visitor.place.read() as facts:
        judged = facts.overviews.judged(visitor.tenant)
        sample = sampling.sample(visitor.tenant, facts)
        worst = _worst(judged)
        known = facts.overviews.assets(visitor.tenant, [each.sku for each, _ in worst])
    return page(
        visitor,
        "quality",
        channels=by_channel(judged),
        checks=by_check(judged),
        models=by_model(judged),
        course=Course.of(by_day(judged)),
        passed=sum(each.verdict.outcome == "pass" for each in judged),
        wrong=agreement.of(sample, ()).wrong,
        worst=worst,
        live={(each.sku, each.asset) for assets in known.values() for each in assets if each.live},
        judged=len(judged),
        is_all=len(judged) < JUDGED_MAX,
    )


@get("/desk/{tenant:str}/costs", opt=VIEW, sync_to_thread=True)
def show_costs(visitor: Looking) -> Response[str]:
    """What accepted images cost, and what was wasted or saved; who sees several tenants sees them side by side."""
    with visitor.place.read() as facts:
        tables = {
            "channel": facts.costs.spendings(["channel"], tenant=visitor.tenant),
            "operation": facts.costs.spendings(["operation"], tenant=visitor.tenant),
        }
        total = facts.costs.spendings([], tenant=visitor.tenant)
        every = facts.costs.spendings(["tenant"]) if visitor.session.tenants != (visitor.tenant,) else []
    tenants = [each for each in every if visitor.session.opens(each.group["tenant"])]
    currency = visitor.place.settings.price_currency
    return page(
        visitor, "costs", tables=tables, every_tenant=tenants, total=total[0] if total else None, currency=currency
    )


def _worst(judged: Sequence[Judged]) -> list[tuple[Judged, list[Check]]]:
    """The assets that miss the most limits, one of each product: its other channels mostly miss the same."""
    missed = [(each, telling.doubtful(each.verdict.checks)) for each in judged]
    worst: dict[str, tuple[Judged, list[Check]]] = {}
    for each in sorted((each for each in missed if each[1]), key=lambda each: -len(each[1])):
        worst.setdefault(each[0].sku, each)
    return list(worst.values())[:WORST_MAX]


ROUTES: tuple[Any, ...] = (show_quality, show_costs)
