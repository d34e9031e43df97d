"""What `packshot channels` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from streams.commands.tables import moment
from streams.commands.tables.recipes import show_released
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from schemas.channels import Channel
    from streams.services.releases.channels import Row as ChannelRow
    from streams.services.releases.recipes import Released


def show_channels(rows: Sequence[ChannelRow], *, as_json: bool) -> None:
    """Every channel's rules that count, and what waits to be released."""
    if as_json:
        from streams.services.releases.channels import channel_view

        print_json([channel_view(row) for row in rows])
        return
    shown = table("channel", "version", "canvas", "background", "formats", "released", "waits")
    for row in rows:
        released = "ships" if row.release is None else f"{moment(row.release.released_at_ms)} {row.release.released_by}"
        rules = row.rules
        canvas = "" if rules is None else f"{rules.canvas.width_px}x{rules.canvas.height_px}"
        background = styled(row.wrong, "red") if rules is None else rules.background or "transparent"
        formats = "" if rules is None else ", ".join(rules.formats)
        shown.add_row(row.name, row.version, canvas, background, formats, released if row.version else "", row.waits)
    console.show(shown)
    if any(row.waits for row in rows):
        console.say("what waits counts for nobody yet: `packshot channels release` lets it")


def show_channel(rules: Channel, *, as_json: bool) -> None:
    """The rules of a channel."""
    if as_json:
        print_json(rules)
        return
    console.say(styled(rules.rule_version, "bold"))
    shown = table("rule", "value")
    for name, value in msgspec.to_builtins(rules).items():
        if name not in ("name", "version"):
            shown.add_row(name, _rule(value))
    console.show(shown)


def _rule(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each:g}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def show_channels_released(releases: Sequence[Released], *, as_json: bool) -> None:
    """What `packshot channels release` did, or would do, with each file."""
    if as_json:
        print_json(releases)
        return
    for each in releases:
        show_released(each, as_json=False)
    if not releases:
        console.say("every file of the folder counts already")
