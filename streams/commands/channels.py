"""`packshot channels`: what each sales channel demands, and how that is changed."""

import sys
from pathlib import Path

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group)
def channels() -> None:
    """Channels: their rules, by name and version. A shop's own lie in the folder PACKSHOT_CHANNELS."""


@channels.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check files of rules; what is wrong is told with its file and field."""
    from streams.commands.tables.recipes import show_checked
    from streams.services.releases.channel_folder import read_file
    from streams.services.releases.recipes import checked

    def ref(file: Path) -> str:
        _, made = read_file(file)
        return made.rule_version

    found = [checked(file, ref) for file in files]
    show_checked(found, as_json=as_json)
    sys.exit(Exit.FOUND if any(each.wrong for each in found) else Exit.OK)


@channels.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def channels_list(settings: Settings, as_json: bool) -> None:
    """Show every channel in the version that counts for all roles, and what waits in the folder to be released."""
    from streams.commands.tables.channels import show_channels
    from streams.services.releases import channels as desk

    show_channels(desk.overview(settings), as_json=as_json)


@channels.command()
@click.argument("name")
@click.option("--category", default="", help="For products of this category.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def show(settings: Settings, name: str, category: str, as_json: bool) -> None:
    """Show the rules of a channel that count."""
    from streams.commands.tables.channels import show_channel
    from streams.services.releases import channels as desk

    show_channel(desk.show(settings, name, category), as_json=as_json)


@channels.command()
@click.argument("files", metavar="[FILE]…", nargs=-1, type=FILE)
@click.option("--dry-run", is_flag=True, help="Release nothing; say which products would be made again.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who releases it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@click.pass_obj
def release(settings: Settings, files: tuple[Path, ...], dry_run: bool, why: str, by: str, as_json: bool) -> None:
    """Let a channel's rules count, for all roles at once; by default all files in PACKSHOT_CHANNELS that do not yet.

    Just the products with pictures for the channel are made again.
    """
    from streams.commands.tables.channels import show_channels_released
    from streams.services.releases import channels as desk

    files = files or tuple(desk.files_to_release(settings))
    released = [desk.release(settings, file, why, by, dry_run=dry_run) for file in files]
    show_channels_released(released, as_json=as_json)


@channels.command()
@click.argument("name")
@click.option("--to", "version", help="The version to go back to; by default the rules before those that count.")
@click.option("--dry-run", is_flag=True, help="Withdraw nothing; say which products would be made again.")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who withdraws it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@click.pass_obj
def withdraw(
    settings: Settings, name: str, version: str | None, dry_run: bool, why: str, by: str, as_json: bool
) -> None:
    """Take a channel's released rules back: those before them, or those that ship, count again, as a newer version.

    Just the products with pictures for the channel are made again.
    """
    from streams.commands.tables.channels import show_channels_released
    from streams.services.releases import channels as desk

    withdrawn = desk.withdraw(settings, name, version, why, by, dry_run=dry_run)
    show_channels_released([withdrawn], as_json=as_json)
