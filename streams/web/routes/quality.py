"""Quality and costs: by check, by channel, by operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get

from schemas.records import Check
from streams.facts import Judged
from streams.facts.overviews import JUDGED_MAX
from streams.web import telling
from streams.web.pages import page
from streams.web.visitors import VIEW, Looking

WORST_MAX = 20


@dataclass
class Tally:
    """How often something was judged, and how often it passed, went to a person, or failed."""

    name: str
    judged: int = 0
    passed: int = 0
    review: int = 0
    failed: int = 0

    def add(self, outcome: str) -> None:
        """Counts one. What was not run does not pass."""
        self.judged += 1
        self.passed += outcome == "pass"
        self.review += outcome in ("review", "not_run")
        self.failed += outcome == "fail"


@get("/desk/{tenant:str}/quality", opt=VIEW, sync_to_thread=True)
def show_quality(visitor: Looking) -> Response[str]:
    """How much passes, by channel and by check, and what is furthest from passing."""
    with visitor.place.read() as facts:
        judged = facts.overviews.judged(visitor.tenant)
    return page(
        visitor,
        "quality",
        channels=_by_channel(judged),
        checks=_by_check(judged),
        worst=_worst(judged),
        judged=len(judged),
        is_all=len(judged) < JUDGED_MAX,
    )


@get("/desk/{tenant:str}/costs", opt=VIEW, sync_to_thread=True)
def show_costs(visitor: Looking) -> Response[str]:
    """What accepted images cost, and what was wasted or saved."""
    with visitor.place.read() as facts:
        tables = {
            "channel": facts.costs.spendings(["channel"], tenant=visitor.tenant),
            "operation": facts.costs.spendings(["operation"], tenant=visitor.tenant),
        }
        total = facts.costs.spendings([], tenant=visitor.tenant)
    currency = visitor.place.settings.price_currency
    return page(visitor, "costs", tables=tables, total=total[0] if total else None, currency=currency)


def _by_channel(judged: Sequence[Judged]) -> list[Tally]:
    found: dict[str, Tally] = {}
    for each in judged:
        found.setdefault(each.channel, Tally(each.channel)).add(each.verdict.outcome)
    return sorted(found.values(), key=lambda tally: tally.name)


def _by_check(judged: Sequence[Judged]) -> list[Tally]:
    """Those that stop the most first."""
    found: dict[str, Tally] = {}
    for each in judged:
        worst: dict[str, Check] = {}
        for check in each.verdict.checks:  # a measure may be held to two limits, and is one check to people
            if telling.is_held(check) and (check.name not in worst or check.outcome != "pass"):
                worst[check.name] = check
        for name, check in worst.items():
            found.setdefault(name, Tally(name)).add(check.outcome)
    return sorted(
        (tally for tally in found.values() if tally.judged),
        key=lambda tally: (-(tally.review + tally.failed), tally.name),
    )


def _worst(judged: Sequence[Judged]) -> list[tuple[Judged, list[Check]]]:
    """The assets that miss the most limits."""
    missed = [(each, telling.doubtful(each.verdict.checks)) for each in judged]
    return sorted((each for each in missed if each[1]), key=lambda each: -len(each[1]))[:WORST_MAX]


ROUTES: tuple[Any, ...] = (show_quality, show_costs)
