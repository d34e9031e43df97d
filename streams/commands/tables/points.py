"""What the gates say of many pictures, point by point of the checklist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.channels import UnknownChannel, load
from streams.flow.gates import CHECKLIST
from streams.runtime.screen import console, table

if TYPE_CHECKING:
    from schemas.records import Check, Verdict
    from streams.facts import Asset

WORST = ("fail", "review", "pass")
NOT_RUN = "not run"


def show_points(assets: Sequence[Asset]) -> None:
    """How many pictures pass, wait or fail by each point; of how many it was not measured, and how many of these are
    for a channel that demands it."""
    judged = [(each.channel, each.verdict) for each in assets if each.verdict is not None]
    shown = table("point", "pass", "to a person", "fail", "not run", "… where demanded")
    for point in CHECKLIST:
        said = [(channel, outcome_of(verdict, point)) for channel, verdict in judged]
        count = Counter(outcome for _, outcome in said)
        demanded = sum(outcome == NOT_RUN and point in _demands(channel) for channel, outcome in said)
        figures = (count["pass"], count["review"], count["fail"], count[NOT_RUN], demanded)
        shown.add_row(point, *map(str, figures))
    console.show(shown)


def outcome_of(verdict: Verdict, point: str) -> str:
    """The worst that a verdict says of a point; `not run` where nothing of it was measured."""
    outcomes = {_outcome(check) for check in verdict.checks if check.point == point}
    return next((worst for worst in WORST if worst in outcomes), NOT_RUN)


def _outcome(check: Check) -> str:
    return NOT_RUN if check.name == "not measured" else check.outcome


def _demands(channel: str) -> tuple[str, ...]:
    try:
        return load(channel).demands
    except UnknownChannel:  # an installation's own, which the demo has none of
        return ()
