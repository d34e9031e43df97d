"""What `packshot render` and `preview` show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from streams.commands.tables import coloured
from streams.runtime.screen import console, line, print_json, styled, table

if TYPE_CHECKING:
    from schemas.records import Verdict
    from streams.services.preview_page import Entry


def show_render(target: Path, verdict: Verdict | None, measures: dict[str, float], *, as_json: bool) -> None:
    """What `packshot render` wrote, and what the gates say of it."""
    if as_json:
        print_json({"file": str(target), "verdict": msgspec.to_builtins(verdict), "measures": measures})
        return
    console.say(styled(f"{target}", "bold"), " written")
    if verdict is None:
        shown = table("measure", "value")
        for name, value in sorted(measures.items()):
            shown.add_row(name, f"{value:.4g}")
        console.show(shown)
        return
    shown = table("check", "outcome", "measured", "limit", "rule")
    for check in verdict.checks:
        measured = "" if check.measured is None else f"{check.measured:.4g}"
        shown.add_row(f"{check.point}: {check.name}", coloured(check.outcome), measured, check.limit, check.rule)
    console.show(shown)


def show_preview(target: Path, entries: Sequence[Entry], *, as_json: bool) -> None:
    """Which page was written, and what is on it."""
    if as_json:
        pictures = [(entry.product.sku, picture) for entry in entries for picture in entry.pictures]
        facts = [{"sku": sku, "asset": one.asset, "outcome": one.outcome, "why": one.why} for sku, one in pictures]
        print_json({"page": str(target), "pictures": facts})
        return
    outcomes: dict[str, int] = {}
    for entry in entries:
        for picture in entry.pictures:
            outcomes[picture.outcome] = outcomes.get(picture.outcome, 0) + 1
    told = [line(f", {count} ", coloured("not made" if name == "none" else name)) for name, count in outcomes.items()]
    console.say(styled(f"{target}", "bold"), " written", *told)
