"""Rules about texts: those that count, an installation's own in their folder, and how these are released.

What counts is what was released, as with channels: a file in the folder counts for nobody until then.
"""

from dataclasses import dataclass
from pathlib import Path

from schemas import policies
from schemas.decoding import prepare
from schemas.policies import BadPolicy, Judged, RuleFile
from schemas.records import PolicyReleased
from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases import recipes
from streams.services.releases.policy_folder import read_file, unreleased
from streams.services.releases.recipes import Released
from streams.services.reports.status import open_database
from streams.services.reports.views import View


@dataclass(frozen=True)
class Row:
    """A file of rules that counts; `release` is None for one that ships. `waits` is the version of the file in the
    folder that is not released."""

    name: str
    version: str
    rules: int
    release: PolicyReleased | None
    waits: str = ""


class PolicyView(View, frozen=True, kw_only=True):
    """A file of rules about texts: the version that counts, how many rules are in it, who released it when (Unix, ms),
    and the version that `waits`."""

    policy: str
    version: str
    rules: int
    waits: str
    ships: bool
    released_by: str
    released_at_ms: int


def policy_view(row: Row) -> PolicyView:
    """A file of rules as it is told."""
    return PolicyView(
        policy=row.name,
        version=row.version,
        rules=row.rules,
        waits=row.waits,
        ships=row.release is None,
        released_by="" if row.release is None else row.release.released_by,
        released_at_ms=0 if row.release is None else row.release.released_at_ms,
    )


def overview(settings: Settings) -> list[Row]:
    """Every file of rules, by name; those that are only in the folder, too. Raises Refused."""
    with open_database(settings) as database, database.read() as facts:
        policy = facts.recipes.cookbook().policy
        known = [each for each in facts.recipes.releases() if isinstance(each, PolicyReleased)]
    released = {(each.policy, each.version): each for each in known}
    waits = {made.name: made for _, made in unreleased(settings, policy)}
    counting = {each.name: each for each in policy.files}
    return [_row(name, counting.get(name), waits.get(name), released) for name in sorted({*counting, *waits})]


def judge(settings: Settings, text: str, tenant: str, channel: str, category: str) -> Judged:
    """What comes of a text by the rules that count. Raises Refused."""
    with open_database(settings) as database:
        return _counting(database).judged(text, tenant=tenant, channel=channel, category=category)


def files_to_release(settings: Settings) -> list[Path]:
    """The files in the folder that do not count. Raises Refused where no folder is set, or a file holds no rules."""
    if settings.policies is None:
        raise Refused("no_folder", "name a FILE, or the folder of your own rules in PACKSHOT_POLICIES", field="FILE")
    with open_database(settings) as database:
        return [file for file, _ in unreleased(settings, _counting(database))]


def release(settings: Settings, file: Path, reason: str, by: str, *, dry_run: bool) -> Released:
    """Lets rules count; with `dry_run` it only looks. Raises Refused."""
    text, made = read_file(file)
    about = {"policy": made.name, "version": made.number, "text": text}
    event = PolicyReleased(**about, reason=reason, released_by=by, released_at_ms=now_ms())  # type: ignore[arg-type]
    return recipes.send(settings, made.ref, event, dry_run=dry_run)


def _counting(database: Database) -> policies.Policy:
    with database.read() as facts:
        try:
            return facts.recipes.cookbook().policy
        except BadPolicy as error:
            raise Refused.because(error, field="text") from error


def _row(
    name: str, made: RuleFile | None, waiting: RuleFile | None, released: dict[tuple[str, int], PolicyReleased]
) -> Row:
    waits = "" if waiting is None else waiting.version
    if made is None:
        return Row(name, "", 0, None, waits)
    return Row(name, made.version, len(made.rules) + len(made.pictures), released.get((name, made.number)), waits)


prepare(PolicyView)
