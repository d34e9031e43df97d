"""What `packshot models` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import coloured
from streams.runtime.screen import console, line, print_json, styled, table

if TYPE_CHECKING:
    from rich.text import Text

    from streams.facts import Comparison
    from streams.services.releases.models import Built, Row, Verified


def show_models(rows: Sequence[Row], *, as_json: bool) -> None:
    """Every model, where it stands, and what became of its work."""
    if as_json:
        from streams.services.releases.model_views import model_view

        print_json([model_view(row) for row in rows])
        return
    shown = table("model", "precision", "licence", "stands", "live", "in review", "in the shadow", "graph")
    for row in rows:
        model = row.model
        counts = str(row.live), str(row.in_review)
        graph = "here" if row.is_here else styled("not fetched", "yellow")
        stands = coloured(row.stage) if row.stage else ""
        shown.add_row(
            model.ref,
            model.operation,
            model.precision,
            model.licence,
            stands,
            *counts,
            _compared(row.comparison),
            graph,
        )
    console.show(shown)


def show_verified(found: Sequence[Verified], *, as_json: bool) -> None:
    """What was checked, and what is wrong."""
    if as_json:
        print_json(found)
        return
    shown = table("model", "engine", "")
    for each in found:
        shown.add_row(each.ref, each.engine, styled(each.error, "red") if each.error else styled("good", "green"))
    console.show(shown)


def show_built(built: Built, *, as_json: bool) -> None:
    """A model that is ready."""
    if as_json:
        print_json(built)
        return
    ready = f" on {built.engine}, ready in {built.took_s:.1f} s ({built.fingerprint[:16]})"
    console.say(styled(built.ref, "bold"), ready)
    latencies = ", ".join(f"{size}: {latency_ms:.0f} ms" for size, latency_ms in built.latency_ms.items())
    console.say(f"a batch of {latencies}")


def _compared(comparison: Comparison | None) -> Text | str:
    if comparison is None:
        return ""
    failed = styled(f", {comparison.failed} failed", "red") if comparison.failed else ""
    least = f"{comparison.agreement_min:.3f} at least"
    return line(f"{comparison.count} pictures: IoU {comparison.agreement_mean:.3f}, {least}", failed)
