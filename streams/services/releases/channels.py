"""The channels of an installation: whose rules count, what lies in the folder of its own, and how that is released.

What counts is what was released, as with recipes: a file in the folder counts for nobody until then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from msgspec.structs import replace

from schemas import channels
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook, parse
from schemas.decoding import prepare
from schemas.records import ChannelReleased
from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases import recipes
from streams.services.releases.channel_folder import read_file, unreleased
from streams.services.releases.recipes import Released
from streams.services.reports.status import open_database
from streams.services.reports.views import View


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


class ChannelView(View, frozen=True, kw_only=True):
    """A channel: the version that counts or `wrong`, who released it when (Unix, ms), and the version that `waits`."""

    channel: str
    version: str
    wrong: str
    waits: str
    ships: bool
    released_by: str
    released_at_ms: int


def channel_view(row: Row) -> ChannelView:
    """A channel as it is told."""
    return ChannelView(
        channel=row.name,
        version=row.version,
        wrong=row.wrong,
        waits=row.waits,
        ships=row.release is None,
        released_by="" if row.release is None else row.release.released_by,
        released_at_ms=0 if row.release is None else row.release.released_at_ms,
    )


def overview(settings: Settings) -> list[Row]:
    """Every channel, by name; those that are only in the folder, too."""
    with open_database(settings) as database, database.read() as facts:
        rules = facts.recipes.cookbook().rules
        known = {each.channel: each for each in facts.recipes.releases() if isinstance(each, ChannelReleased)}
    waiting = {made.name: made for _, made in unreleased(settings, rules)}
    names = sorted({*rules.names(), *waiting})
    counting = {name: known[name] for name in rules.released}
    return [_row(name, rules, counting.get(name), waiting.get(name)) for name in names]


def show(settings: Settings, name: str, category: str) -> Channel:
    """The rules of a channel that count, for products of a category. Raises Refused."""
    with open_database(settings) as database:
        rules = counting(database)
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="NAME") from error


def counting(database: Database) -> Rulebook:
    """The rules by which everybody works now."""
    with database.read() as facts:
        return facts.recipes.cookbook().rules


def files_to_release(settings: Settings) -> list[Path]:
    """The files in the folder that do not count. Raises Refused where no folder is set, or a file holds no rules."""
    if settings.channels is None:
        raise Refused("no_folder", "name a FILE, or the folder of your own channels in PACKSHOT_CHANNELS", field="FILE")
    with open_database(settings) as database:
        rules = counting(database)
    return [file for file, _ in unreleased(settings, rules)]


def release(settings: Settings, file: Path, reason: str, by: str, *, dry_run: bool) -> Released:
    """Releases a channel's rules; with `dry_run` it only looks. Raises Refused."""
    text, made = read_file(file)
    return _send(settings, made, text, reason, by, dry_run=dry_run)


def withdraw(settings: Settings, name: str, version: str | None, reason: str, by: str, *, dry_run: bool) -> Released:
    """Lets the rules that a channel had before count again, or those of a `version` that counted once.

    They are released anew, in a version above the one that goes: the newest wins, as ever. Raises Refused.
    """
    with open_database(settings) as database, database.read() as facts:
        known = [each for each in facts.recipes.releases() if isinstance(each, ChannelReleased)]
    text = text_before(name, [each.text for each in known if each.channel == name], version)
    return _send(settings, parse(text), text, reason, by, dry_run=dry_run)


def text_before(name: str, released: Sequence[str], version: str | None = None) -> str:
    """The rules that counted before the newest of those `released`, oldest first, in a version above that.

    What was withdrawn does not come back by withdrawing again: from rules that counted twice it goes on to those before
    their first time. Raises Refused where there are none, or none of the `version`.
    """
    texts = list(released)
    if name in channels.names():
        least = channels.load(name).number
        texts = [_shipped(name), *(each for each in texts if parse(each).number >= least)]
    rules = [parse(each) for each in texts]
    if not rules:
        raise Refused(UnknownChannel.code, f"no channel is called {name!r}", field="NAME")
    if version is None:
        first = [_alike(each) for each in rules].index(_alike(rules[-1]))
        before = texts[first - 1] if first else None
        message = f"{rules[-1].rule_version} is the first that counted; there is nothing before it"
    else:
        before = next((text for text, each in zip(texts, rules, strict=True) if each.version == version), None)
        message = f"{name} has no version {version}; there are: {', '.join(each.version for each in rules)}"
    if before is None or parse(before) == rules[-1]:
        raise Refused("nothing_before", message if before is None else f"{name}@{version} counts already", field="NAME")
    return re.sub(r"(?m)^version:.*$", f'version: "{_above(rules[-1].version)}"', before, count=1)


def _send(settings: Settings, made: Channel, text: str, reason: str, by: str, *, dry_run: bool) -> Released:
    event = ChannelReleased(
        channel=made.name,
        version=made.number,
        text=text,
        reason=reason,
        released_by=by,
        released_at_ms=now_ms(),
    )
    return recipes.send(settings, made.rule_version, event, dry_run=dry_run)


def _shipped(name: str) -> str:
    return (resources.files(channels) / f"{name}.yaml").read_text()


def _alike(rules: Channel) -> Channel:
    """The rules, whatever version they are called."""
    return replace(rules, version="0000-00")


def _above(version: str) -> str:
    month, _, number = version.partition(".")
    return f"{month}.{int(number or 0) + 1}"


def _row(name: str, rules: Rulebook, release: ChannelReleased | None, waiting: Channel | None) -> Row:
    waits = "" if waiting is None else waiting.version
    if name not in rules.names():
        return Row(name, "", None, waits=waits)
    try:
        its = rules.load(name)
    except BadChannel as error:
        return Row(name, "", release, wrong=str(error), waits=waits)
    return Row(name, its.version, release, its, waits=waits)


prepare(ChannelView)
