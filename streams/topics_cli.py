"""`packshot topics`: the topics as they are and as they should be."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from streams.settings import Settings

if TYPE_CHECKING:
    from streams.consumer.drift import Drift


@click.group()
def topics() -> None:
    """The topics' settings: what differs from what Packshot relies on."""


@topics.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def plan(settings: Settings, as_json: bool) -> None:
    """Show what `apply` would mend; ends with 1 when there is something."""
    found = _found(settings)
    _show(found, as_json=as_json)
    sys.exit(1 if found else 0)


@topics.command()
@click.option("--partitions", is_flag=True, help="Add partitions, too: keys move, so let the topics run empty first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of what was mended.")
@click.pass_obj
def apply(settings: Settings, partitions: bool, as_json: bool) -> None:
    """Make missing topics, mend what is less than it should be, and have unread records kept; ends with 1 when
    something is left."""
    from streams.consumer import drift
    from streams.screen import errors

    found = _found(settings)
    mended = drift.mend(settings, found, partitions=partitions)
    _show(mended, as_json=as_json, done="mended")
    left = [each for each in found if each not in mended]
    for each in left:
        errors.say(f"left as it is: {each}")
    sys.exit(1 if left else 0)


def _found(settings: Settings) -> "list[Drift]":
    """What differs from the table, and topics that are about to remove what nobody has read."""
    from streams.consumer import backlog, drift

    return [*drift.find(settings), *backlog.too_short(backlog.find(settings))]


def _show(drifts: "Sequence[Drift]", *, as_json: bool, done: str = "") -> None:
    from streams.screen import console, print_json, table

    if as_json:
        print_json([asdict(each) for each in drifts])
    elif not drifts:
        console.say("nothing to mend")
    else:
        shown = table("topic", "setting", "was" if done else "is", "is now" if done else "should be")
        for each in drifts:
            shown.add_row(each.topic, each.setting, each.found, each.wanted)
        console.show(shown)
