"""What `packshot policies` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import moment
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from schemas.policies import Judged
    from streams.services.releases.policies import Row


def show_policies(rows: Sequence[Row], *, as_json: bool) -> None:
    """Every file of rules that counts, and what waits to be released."""
    if as_json:
        from streams.services.releases.policies import policy_view

        print_json([policy_view(row) for row in rows])
        return
    shown = table("policy", "version", "rules", "released", "waits")
    for row in rows:
        released = "ships" if row.release is None else f"{moment(row.release.released_at_ms)} {row.release.released_by}"
        shown.add_row(row.name, row.version, str(row.rules), released if row.version else "", row.waits)
    console.show(shown)
    if any(row.waits for row in rows):
        console.say("what waits counts for nobody yet: `packshot policies release` lets it")


def show_judged(judged: Judged, text: str, *, as_json: bool) -> None:
    """What comes of a text, and by which rules."""
    if as_json:
        print_json(judged)
        return
    console.say(styled(judged.outcome, "bold"), "" if judged.is_read else ": no rule is written in its script")
    for each in judged.findings:
        console.say(f"{each.outcome}  {each.rule}  {each.why}: {each.found!r}")
    if judged.text != text:
        console.say(f"it would read: {judged.text}")
