"""The channels of an installation: whose rules count, what lies in the folder of its own, and how that is released.

What counts is what was released, as with recipes: a file in the folder counts for nobody until then.
"""

from dataclasses import dataclass
from pathlib import Path

from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.records import ChannelReleased
from streams import local, recipes
from streams.catalogue import Catalogue
from streams.channel_folder import read_file, unreleased
from streams.errors import Refused
from streams.processors.recipes import Product
from streams.roles import now_ms
from streams.settings import Settings


@dataclass(frozen=True)
class Row:
    """A channel's rules that count; `release` is None for those that ship, `wrong` what today's format refuses.

    `waits` is the version of the file in the folder that is not released.
    """

    name: str
    version: str
    release: ChannelReleased | None
    rules: Channel | None = None
    wrong: str = ""
    waits: str = ""


def overview(settings: Settings) -> list[Row]:
    """Every channel, by name; those that are only in the folder, too."""
    with local.open_catalogue(settings) as catalogue, catalogue.read() as facts:
        rules = facts.cookbook().rules
        known = {each.channel: each for each in facts.recipe_releases() if isinstance(each, ChannelReleased)}
    waiting = {made.name: made for _, made in unreleased(settings, rules)}
    names = sorted({*rules.names(), *waiting})
    counting = {name: known[name] for name in rules.released}
    return [_row(name, rules, counting.get(name), waiting.get(name)) for name in names]


def show(settings: Settings, name: str, category: str) -> Channel:
    """The rules of a channel that count, for products of a category. Raises Refused."""
    with local.open_catalogue(settings) as catalogue:
        rules = counting(catalogue)
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused(error.code, str(error), field="NAME") from error


def counting(catalogue: Catalogue) -> Rulebook:
    """The rules by which everybody works now."""
    with catalogue.read() as facts:
        return facts.cookbook().rules


def files_to_release(settings: Settings) -> list[Path]:
    """The files in the folder that do not count. Raises Refused where no folder is set, or a file holds no rules."""
    if settings.channels is None:
        raise Refused("no_folder", "name a FILE, or the folder of your own channels in PACKSHOT_CHANNELS", field="FILE")
    with local.open_catalogue(settings) as catalogue:
        rules = counting(catalogue)
    return [file for file, _ in unreleased(settings, rules)]


def release(settings: Settings, file: Path, reason: str, by: str, *, dry_run: bool) -> tuple[str, list[Product], bool]:
    """Releases a channel's rules; with `dry_run` it only looks. See streams.recipes.release."""
    text, made = read_file(file)
    event = ChannelReleased(
        channel=made.name,
        version=made.number,
        text=text,
        reason=reason,
        released_by=by,
        released_at_ms=now_ms(),
    )
    return (made.rule_version, *recipes.send(settings, event, dry_run=dry_run))


def _row(name: str, rules: Rulebook, release: ChannelReleased | None, waiting: Channel | None) -> Row:
    waits = "" if waiting is None else waiting.version
    if name not in rules.names():
        return Row(name, "", None, waits=waits)
    try:
        its = rules.load(name)
    except BadChannel as error:
        return Row(name, "", release, wrong=str(error), waits=waits)
    return Row(name, its.version, release, its, waits=waits)
