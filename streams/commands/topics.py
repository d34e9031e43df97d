"""`packshot topics`: the topics as they are and as they should be."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from schemas.records import Lane
    from streams.consumer.drift import Drift
    from streams.facts import Loss
    from streams.services.operating.replanning import Product


@click.group(cls=Group)
def topics() -> None:
    """The topics' settings: what differs from what Packshot relies on."""


@topics.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def plan(settings: Settings, as_json: bool) -> None:
    """Show what `apply` would mend; ends with 1 when there is something."""
    found = _found(settings)
    _show(found, as_json=as_json)
    sys.exit(Exit.FOUND if found else Exit.OK)


@topics.command()
@click.option("--partitions", is_flag=True, help="Add partitions, too: keys move, so let the topics run empty first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of what was mended.")
@click.pass_obj
def apply(settings: Settings, partitions: bool, as_json: bool) -> None:
    """Make missing topics, mend what is less than it should be, and have unread records kept; ends with 1 when
    something is left."""
    from streams.consumer import drift
    from streams.runtime.screen import errors

    found = _found(settings)
    mended = drift.mend(settings, found, partitions=partitions)
    _show(mended, as_json=as_json, done="mended")
    left = [each for each in found if each not in mended]
    for each in left:
        errors.say(f"left as it is: {each}")
    sys.exit(Exit.FOUND if left else Exit.OK)


@topics.command()
@click.option("--dry-run", is_flag=True, help="Ask for nothing; say what is lost and which products it may concern.")
@click.option("--settle", is_flag=True, help="Tell no more of what cannot be made again from here: it was dealt with.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def recover(settings: Settings, dry_run: bool, settle: bool, as_json: bool) -> None:
    """Have made again what hung on records that outlived their retention unread; ends with 1 when something is left."""
    from streams.facts import Losses
    from streams.services.operating import local, retention

    with local.connect(settings) as (database, producer):
        lost = retention.noted(settings, database)
        if dry_run:
            products, left = retention.concerned(lost, database), lost
        else:
            products, left = retention.recover(database, producer)
            if settle:
                Losses(database).settle(left)
                left = []
    _show_recovered(lost, products, left, as_json=as_json)
    sys.exit(Exit.FOUND if left else Exit.OK)


def _show_recovered(
    lost: "Sequence[Loss]", products: "Mapping[Product, Lane]", left: "Sequence[Loss]", *, as_json: bool
) -> None:
    from streams.runtime.screen import console, errors, print_json
    from streams.services.operating import retention

    if as_json:
        print_json(retention.recovery_view(lost, products, left))
        return
    for each in lost:
        console.say(f"{each.name}: {each.text}")
    console.say(f"{len(products)} products may be concerned" if lost else "nothing is lost")
    for each in left:
        errors.say(f"left as it is: {each.name}, offsets {each.first} to {each.behind - 1}")


def _found(settings: Settings) -> "list[Drift]":
    """What differs from the table, and topics that are about to remove what nobody has read."""
    from streams.consumer import backlog, drift

    return [*drift.find(settings), *backlog.too_short(backlog.find(settings))]


def _show(drifts: "Sequence[Drift]", *, as_json: bool, done: str = "") -> None:
    from streams.runtime.screen import console, print_json, table

    if as_json:
        print_json(drifts)
    elif not drifts:
        console.say("nothing to mend")
    else:
        shown = table("topic", "setting", "was" if done else "is", "is now" if done else "should be")
        for each in drifts:
            shown.add_row(each.topic, each.setting, each.found, each.wanted)
        console.show(shown)
