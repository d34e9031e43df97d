"""`packshot policies`: the rules about merchants' texts, and how they are changed."""

import sys
from pathlib import Path

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group)
def policies() -> None:
    """Policies: rules about titles and other texts. Ones of your own lie in the folder PACKSHOT_POLICIES."""


@policies.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check files of rules; what is wrong is told with its file and field."""
    from streams.commands.tables.recipes import show_checked
    from streams.services.releases.policy_folder import read_file
    from streams.services.releases.recipes import checked

    found = [checked(file, lambda each: read_file(each)[1].ref) for file in files]
    show_checked(found, as_json=as_json)
    sys.exit(Exit.FOUND if any(each.wrong for each in found) else Exit.OK)


@policies.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def policies_list(settings: Settings, as_json: bool) -> None:
    """Show every file of rules in the version that counts, and what waits in the folder to be released."""
    from streams.commands.tables.policies import show_policies
    from streams.services.releases import policies as desk

    show_policies(desk.overview(settings), as_json=as_json)


@policies.command()
@click.argument("text")
@click.option("--tenant", default="", help="For this tenant.")
@click.option("--channel", default="", help="For this channel; by default by the rules that count for all.")
@click.option("--category", default="", help="About a product of this category.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def judge(settings: Settings, text: str, tenant: str, channel: str, category: str, as_json: bool) -> None:
    """Tell what comes of a text, by which rules, and how it would read where a rule rewrites it."""
    from streams.commands.tables.policies import show_judged
    from streams.services.releases import policies as desk

    judged = desk.judge(settings, text, tenant, channel, category)
    show_judged(judged, text, as_json=as_json)
    sys.exit(Exit.FOUND if judged.outcome in ("review", "refuse") else Exit.OK)


@policies.command()
@click.argument("files", metavar="[FILE]…", nargs=-1, type=FILE)
@click.option("--dry-run", is_flag=True, help="Release nothing; say which products would be judged anew.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who releases it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@click.pass_obj
def release(settings: Settings, files: tuple[Path, ...], dry_run: bool, why: str, by: str, as_json: bool) -> None:
    """Let rules count, for all roles at once, in the place of those of the same name; by default all in the folder.

    Just the products whose texts are judged otherwise by them are judged anew; what they doubt or refuse is retracted.
    """
    from streams.commands.tables.channels import show_channels_released
    from streams.services.releases import policies as desk

    files = files or tuple(desk.files_to_release(settings))
    released = [desk.release(settings, file, why, by, dry_run=dry_run) for file in files]
    show_channels_released(released, as_json=as_json)
