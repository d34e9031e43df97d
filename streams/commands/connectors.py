"""`packshot connectors`: shops and PIMs whose products come in, and whose pictures go back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.commands.groups import Group
from streams.commands.tables import moment
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.connectors.working import Progress
    from streams.services.integrations.connectors import AddedConnector

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_name = click.argument("name", metavar="NAME")


@click.group(cls=Group)
def connectors() -> None:
    """Connectors: shops and PIMs whose products come in, and whose pictures go back."""


@connectors.command("list")
@click.option("--tenant", help="Those of this tenant.")
@click.option("--kinds", is_flag=True, help="The kinds that there are, in place of the connectors.")
@_as_json
@click.pass_obj
def connectors_list(settings: Settings, tenant: str | None, kinds: bool, as_json: bool) -> None:
    """Show the connectors: how many products each has, what of them waits, and what is wrong."""
    from streams.runtime.screen import console, print_json, table
    from streams.services.integrations import connectors as desk

    if kinds:
        _show_kinds(as_json)
        return
    found = [desk.listed(*each) for each in desk.listing(settings, tenant)]
    if as_json:
        print_json(found)
        return
    shown = table("name", "kind", "tenant", "channels", "products", "hindered", "to write", "last sweep", "why")
    for each in found:
        numbers = map(str, (each.products, each.hindered, each.to_write))
        swept = "" if each.swept_at_ms is None else moment(each.swept_at_ms)
        shown.add_row(each.connector, each.kind, each.tenant, ", ".join(each.channels), *numbers, swept, each.why)
    console.show(shown) if found else console.say("no shop is connected")


@connectors.command()
@click.argument("kind", metavar="KIND")
@_name
@click.option("--tenant", required=True, help="Whose products they are.")
@click.option("--url", required=True, help="Where the shop's API is, or the folder: https://…, file:///…, s3://….")
@click.option(
    "--channel", "channels", multiple=True, required=True, help="Pictures of the first go back; may be several."
)
@click.option(
    "--secret", "secrets", multiple=True, metavar="NAME=@FILE", help="A secret; what is not given is asked for."
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="See `connectors list --kinds`.")
@_as_json
@click.pass_obj
def add(
    settings: Settings,
    kind: str,
    name: str,
    tenant: str,
    url: str,
    channels: tuple[str, ...],
    secrets: tuple[str, ...],
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Connect a shop of a KIND under a NAME; it has to answer."""
    from streams.facts import Connector
    from streams.services.integrations import connectors as desk

    known, given = desk.one_kind(kind), {each: _value(text) for each, text in map(_pair, secrets)}
    for each, text in known.secrets.items():
        if each not in given and each != known.signed_by:
            given[each] = click.prompt(f"{each} ({text})", hide_input=True, err=True)
    wanted = dict(map(_pair, options))
    added = desk.add(settings, Connector(name, kind, tenant, url.rstrip("/"), channels, wanted, given))
    made = None if known.signed_by is None or known.signed_by in given else added.secrets[known.signed_by]
    hook = f"{settings.gateway}/hooks/{added.connector}" if known.secrets else None
    _show_added(desk.added(added, hook, made), as_json)


@connectors.command()
@_name
@_as_json
@click.pass_obj
def check(settings: Settings, name: str, as_json: bool) -> None:
    """Ask a shop whether it answers, and tell what hinders products of it."""
    from streams.runtime.screen import console, print_json, table
    from streams.services.integrations import connectors as desk

    found = desk.check(settings, name)
    if as_json:
        print_json(found)
        return
    console.say(found.answer)
    shown = table("id", "sku", "not taken in", "pictures not written")
    for each in found.hindered:
        shown.add_row(each.source_id, each.sku, each.why, each.why_unwritten)
    console.show(shown) if found.hindered else console.say("nothing hinders any product")


@connectors.command()
@_name
@click.option("--believe", is_flag=True, help="Also when more than half of the products are gone.")
@_as_json
@click.pass_obj
def sync(settings: Settings, name: str, believe: bool, as_json: bool) -> None:
    """Take a whole shop in now; what was made and published of it before goes back, too."""
    from streams.runtime.screen import console, print_json
    from streams.services.integrations import connectors as desk

    if as_json:
        print_json(desk.sync(settings, name, believe, lambda _progress: None))
        return
    with _Bar() as tell:
        ended = desk.sync(settings, name, believe, tell)
    seen = f"{ended.seen} products: {ended.told} new or changed, {ended.same} as they were"
    console.say(f"{seen}, {ended.gone} gone, {ended.hindered} hindered")


@connectors.command()
@_name
@_as_json
@click.pass_obj
def remove(settings: Settings, name: str, as_json: bool) -> None:
    """Forget a connector; its products and pictures stay as they are."""
    from streams.runtime.screen import console, print_json
    from streams.services.integrations import connectors as desk

    desk.remove(settings, name)
    print_json({"removed": name}) if as_json else console.say(f"{name} is removed")


class _Bar:
    """A bar that says how far a sweep is."""

    def __enter__(self) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from streams.runtime.screen import errors

        columns = (TextColumn("products"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._shown = Progress(*columns, console=errors)
        self._task = self._shown.add_task("", total=None)
        self._shown.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._shown.stop()

    def _tell(self, progress: "Progress") -> None:
        self._shown.update(self._task, completed=progress.seen, total=progress.total)


def _show_kinds(as_json: bool) -> None:
    from streams.runtime.screen import console, print_json, table
    from streams.services.integrations import connectors as desk

    found = desk.every_kind()
    if as_json:
        print_json(found)
        return
    shown = table("kind", "what it is", "secrets", "options")
    for each in found:
        shown.add_row(each.name, each.text, ", ".join(each.secrets), ", ".join(each.options))
    console.show(shown)


def _show_added(added: "AddedConnector", as_json: bool) -> None:
    from streams.runtime.screen import console, print_json

    if as_json:
        print_json(added)
        return
    console.say(f"{added.connector} is connected; `packshot connectors sync {added.connector}` takes all of it in now")
    if added.hook:
        console.say(f"hooks go to  {added.hook}")
    if added.hook_secret:
        console.say(f"signed with  {added.hook_secret}")
        console.say("The shop signs with it; it is not shown again.")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise click.UsageError(f"{name!r} is no NAME=VALUE")
    return name, value


def _value(text: str) -> str:
    """What stands in a file, where a @ says so: a command line is seen by others."""
    return Path(text[1:]).read_text().strip() if text.startswith("@") else text
