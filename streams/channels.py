"""The channels of an installation: whose rules count, what lies in the folder of its own, and how that is released.

What counts is what was released, as with recipes: a file in the folder counts for nobody until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas import channels
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook, parse
from schemas.records import ChannelReleased
from streams import local, recipes
from streams.catalogue import Catalogue
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


def read_file(file: Path) -> tuple[str, Channel]:
    """A file of rules, and what it says. Raises Refused, which names the field."""
    try:
        text = file.read_text()
        made = parse(text)
    except BadChannel as error:
        raise Refused(BadChannel.code, f"{file}: {error}", field="FILE") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(BadChannel.code, f"{file}: {error}", field="FILE") from error
    return text, made


def overview(settings: Settings) -> list[Row]:
    """Every channel, by name; those that are only in the folder, too."""
    with local.open_catalogue(settings) as catalogue, catalogue.read() as facts:
        rules = facts.cookbook().rules
        known = {each.channel: each for each in facts.recipe_releases() if isinstance(each, ChannelReleased)}
    waiting = {made.name: made for made in _unreleased(settings, rules)}
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


def unreleased(settings: Settings, catalogue: Catalogue) -> list[str]:
    """NAME@VERSION of the files in the folder that do not count. Raises Refused for one that holds no rules."""
    return [made.rule_version for made in _unreleased(settings, counting(catalogue))]


def files_to_release(settings: Settings) -> list[Path]:
    """The files in the folder that do not count. Raises Refused where no folder is set, or a file holds no rules."""
    if settings.channels is None:
        raise Refused("no_folder", "name a FILE, or the folder of your own channels in PACKSHOT_CHANNELS", field="FILE")
    with local.open_catalogue(settings) as catalogue:
        rules = counting(catalogue)
    return [file for file, text in _files(settings) if not _counts(text, rules)]


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


def _files(settings: Settings) -> Sequence[tuple[Path, str]]:
    if settings.channels is None:
        return []
    if not settings.channels.is_dir():
        raise Refused("no_folder", f"PACKSHOT_CHANNELS: there is no folder {settings.channels}", field="FILE")
    return [(file, read_file(file)[0]) for file in sorted(settings.channels.glob("*.yaml"))]


def _unreleased(settings: Settings, rules: Rulebook) -> list[Channel]:
    return [parse(text) for _, text in _files(settings) if not _counts(text, rules)]


def _counts(text: str, rules: Rulebook) -> bool:
    made = parse(text)
    if rules.released.get(made.name) == text:
        return True
    return made.name not in rules.released and made.name in channels.names() and made == channels.load(made.name)


def _row(name: str, rules: Rulebook, release: ChannelReleased | None, waiting: Channel | None) -> Row:
    waits = "" if waiting is None else waiting.version
    if name not in rules.names():
        return Row(name, "", None, waits=waits)
    try:
        its = rules.load(name)
    except BadChannel as error:
        return Row(name, "", release, wrong=str(error), waits=waits)
    return Row(name, its.version, release, its, waits=waits)
