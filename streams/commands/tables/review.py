"""What `packshot review` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import coloured, moment
from streams.runtime.screen import console, print_json, table
from streams.services.reports.views import review_view

if TYPE_CHECKING:
    from streams.facts import Review
    from streams.services.review.case_views import CaseCheck, CaseSummary, CaseView


def show_reviews(reviews: Sequence[Review], *, as_json: bool) -> None:
    """Reviews with what the gates said."""
    if as_json:
        print_json([review_view(each) for each in reviews])
        return
    if not reviews:
        console.say("nothing waits for a decision")
        return
    shown = table("id", "product", "asset", "state", "why", "picture")
    for each in reviews:
        task = each.request.completed.task
        picture = each.request.completed.outputs[0].digest[:12]
        shown.add_row(
            each.review_id[:12],
            f"{task.sku} v{each.version}",
            each.asset,
            coloured(each.state),
            each.request.reason,
            picture,
        )
    console.show(shown)


def show_cases(cases: Sequence[CaseSummary], *, as_json: bool) -> None:
    """Cases by deadline, then age."""
    if as_json:
        print_json(cases)
        return
    if not cases:
        console.say("nothing waits for a decision")
        return
    shown = table("case", "product", "in doubt", "why", "assets", "channels", "due", "since")
    for each in cases:
        assets = f"{each.waiting}" if each.releases == each.waiting else f"{each.waiting} ({each.releases} at once)"
        due = "" if each.deadline_ms is None else moment(each.deadline_ms, "minutes")
        product = f"{each.tenant} {each.sku}"
        row = (each.why, assets, ", ".join(each.channels), due, moment(each.since_ms, "minutes"))
        shown.add_row(each.case_id[:12], product, each.about, *row)
    console.show(shown)


def show_case(case: CaseView, *, as_json: bool) -> None:
    """One case, the failing check first."""
    if as_json:
        print_json(case)
        return
    summary = case.summary
    console.say(f"case {summary.case_id}: {summary.about} of {summary.tenant} {summary.sku}, {summary.state}")
    for line in filter(None, (summary.title, summary.again, summary.source and summary.source.uri)):
        console.say(f"  {line}")
    for check in case.checks:
        console.say(f"  {check.name}: {_measured(check)}, the limit {check.limit} ({check.rule})")
    shown = table("review", "asset", "version", "state", "picture", "waits besides")
    for asset in case.assets:
        besides = ", ".join(each[:12] for each in asset.also_in)
        picture = asset.picture.digest[:12]
        shown.add_row(asset.review_id[:12], asset.asset, str(asset.version), coloured(asset.state), picture, besides)
    console.show(shown)


def _measured(check: CaseCheck) -> str:
    return "not measured" if check.measured is None else f"{check.measured:.4g} {check.unit}".rstrip()
