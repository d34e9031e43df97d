"""What `packshot submit` and `published` show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.records import AssetPublished, AssetRetracted, ProductPublished
from streams.commands.tables import COLOUR, coloured
from streams.runtime.screen import console, print_json, print_json_line, styled, table
from streams.services.submitting.fates import submission_view

if TYPE_CHECKING:
    from rich.text import Text

    from schemas.records import Event
    from streams.services.submitting.event_files import BadLine
    from streams.services.submitting.fates import Fate, KnownAsset, SentEvent


def show_submission(
    submitted: Sequence[SentEvent],
    fates: Sequence[Fate],
    bad: Sequence[BadLine],
    *,
    as_json: bool,
) -> None:
    """What was sent, what became of it, and which lines held no event."""
    if as_json:
        print_json(submission_view(submitted, fates, bad))
        return
    for wrong in bad:
        console.say(styled(f"line {wrong.line}", "red"), f": {wrong.field}{': ' if wrong.field else ''}{wrong.message}")
    if not fates:
        console.say(f"{len(submitted)} events sent")
        return
    _show_fates(submitted, fates)
    states = Counter(asset.state for fate in fates for asset in fate.assets)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    console.say(f"{len(fates)} events, {states.total()} assets: {counted or 'none'}")
    _show_waiting(submitted, fates)


def _show_fates(submitted: Sequence[SentEvent], fates: Sequence[Fate]) -> None:
    shown = table("event", "state", "published", "review", "failed", "reason")
    for each, fate in zip(submitted, fates, strict=True):
        counts = [_count(fate.assets, state) for state in ("published", "review", "failed")]
        shown.add_row(each.subject, coloured(fate.state), *counts, fate.reason)
    console.show(shown)


def _show_waiting(submitted: Sequence[SentEvent], fates: Sequence[Fate]) -> None:
    for each, fate in zip(submitted, fates, strict=True):
        if fate.state == "waiting":
            still = ", ".join(fate.waits_for) or "for the streams role to read it"
            console.say(styled("waits", "yellow"), f"  {each.subject}: {still}")


def show_published(event: Event, *, as_json: bool) -> None:
    """One event of the published topic."""
    if as_json:
        print_json_line(event)
        return
    match event:
        case AssetPublished():
            sizes = ", ".join(str(width) for width in sorted({each.width_px for each in event.renditions}))
            colour, text = "green", f"{event.asset}  {event.file.url}  ({sizes} px)"
        case ProductPublished():
            withheld = f", {len(event.withheld)} withheld" if event.withheld else ""
            colour, text = "bold", f" {len(event.assets)} assets{withheld}"
        case AssetRetracted():
            colour, text = "red", f"{event.asset}  {event.reason}"
        case _:
            console.say(type(event).__name__)
            return
    console.say(styled(f"{type(event).__name__:<16}", colour), f" {event.sku} v{event.version} {text}")


def _count(assets: Sequence[KnownAsset], state: str) -> Text | str:
    number = sum(asset.state == state for asset in assets)
    return styled(str(number), COLOUR[state]) if number else "·"
