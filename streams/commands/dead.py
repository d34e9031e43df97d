"""`packshot dead`: what to do about events that could not be worked on."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings
from streams.services.reports.moments import Moment

F = TypeVar("F", bound=Callable[..., Any])


def _filters(command: F) -> F:
    for option in (
        click.argument("names", metavar="[ID]…", nargs=-1),
        click.option("--until", "until_ms", type=Moment(), help="Those that died before then."),
        click.option("--since", "since_ms", type=Moment(), help="Those that died then or later: a time, or 2h ago."),
        click.option("--event-id", help="Those of the event with this id."),
        click.option("--sku", help="Those about this SKU (or campaign)."),
        click.option("--tenant", help="Those of this tenant."),
        click.option("--code", help="Those with this error code."),
        click.option("--topic", help="Those that came from this topic."),
    ):
        command = option(command)
    return command


@click.group(cls=Group)
def dead() -> None:
    """Events that could not be worked on. ID is the partition/offset that `list` shows."""


@dead.command("list")
@_filters
@click.option("--all", "everything", is_flag=True, help="Those that were replayed or discarded, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def dead_list(settings: Settings, /, everything: bool, as_json: bool, **filters: Any) -> None:
    """Show the letters that nobody has dealt with."""
    from streams.commands.tables.dead import show_letters
    from streams.services.recovery.dead import find

    found = find(settings, _wanted(filters))
    show_letters([letter for letter in found if everything or letter.state == "open"], as_json=as_json)


@dead.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show one letter: the event, its story, and its headers."""
    from streams.commands.tables.dead import show_letter
    from streams.runtime.errors import Refused
    from streams.services.recovery.dead import Wanted, find

    found = find(settings, Wanted(names=frozenset([name])), whole=True)
    if not found:
        raise Refused("unknown_letter", f"there is no dead letter {name}")
    show_letter(found[0], as_json=as_json)


@dead.command()
@_filters
@click.option("--by", default="", envvar="USER", help="Who does it; by default the user's name.")
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def replay(settings: Settings, /, by: str, everything: bool, as_json: bool, **filters: Any) -> None:
    """Send open letters back to where they came from, in order, to be worked on again; 1 where one cannot go back."""
    from streams.commands.tables.dead import show_replayed
    from streams.consumer.clients import make_topics
    from streams.services.recovery import dead as desk

    _check_named(filters, everything)
    make_topics(settings)
    replayed = desk.replay(settings, _wanted(filters), by)
    show_replayed(replayed, as_json=as_json)
    sys.exit(Exit.FOUND if replayed.left else Exit.OK)


@dead.command()
@_filters
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who does it; by default the user's name.")
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def discard(settings: Settings, /, why: str, by: str, everything: bool, as_json: bool, **filters: Any) -> None:
    """Close open letters without another try; they stay on record."""
    from streams.commands.tables.dead import show_letters
    from streams.consumer.clients import make_topics
    from streams.services.recovery import dead as desk

    _check_named(filters, everything)
    make_topics(settings)
    show_letters(desk.discard(settings, _wanted(filters), by, why), as_json=as_json, done="discarded")


def _check_named(filters: dict[str, Any], everything: bool) -> None:
    if everything == any(value not in (None, ()) for value in filters.values()):
        raise click.UsageError("name letters by ID or by a filter, or all of them with --all")


def _wanted(filters: dict[str, Any]) -> Any:
    from streams.services.recovery.dead import Wanted

    return Wanted(names=frozenset(filters.pop("names")), **filters)
