"""How pictures come out: how many of a tenant's newest verdicts let them pass, by channel, check, network and day."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from schemas.decoding import prepare
from schemas.records import Check
from streams.facts import Facts, Judged
from streams.facts.overviews import JUDGED_MAX
from streams.services.reports.views import View

DAYS_MAX = 30
NO_MODEL = "no network"
UNMEASURED = "not measured"  # the name of a check that says so of a whole point of the checklist


class Tally(View, frozen=True, kw_only=True):
    """How often something was judged, and how often it passed, was left to a person, or failed."""

    name: str
    judged: int
    passed: int
    review: int
    failed: int


class QualityView(View, frozen=True, kw_only=True):
    """The assets by state, and the newest verdicts on them by channel and by check, those that stop the most first.

    `is_all` unless there are more verdicts than were looked at.
    """

    states: Mapping[str, int]
    judged: int
    is_all: bool
    channels: Sequence[Tally]
    checks: Sequence[Tally]


def quality_of(tenant: str, facts: Facts) -> QualityView:
    """How a tenant's pictures come out."""
    judged = facts.overviews.judged(tenant)
    return QualityView(
        states=facts.overviews.counts(tenant),
        judged=len(judged),
        is_all=len(judged) < JUDGED_MAX,
        channels=by_channel(judged),
        checks=by_check(judged),
    )


def is_held(check: Check) -> bool:
    """Whether a line holds the picture against anything: not a point nobody measured, nor a shelf of too few."""
    return check.name != UNMEASURED and not (check.outcome == "not_run" and check.measured is not None)


def by_channel(judged: Sequence[Judged]) -> list[Tally]:
    """What becomes of the assets of each channel, by name."""
    return sorted(_tallies((each.channel, each.verdict.outcome) for each in judged), key=lambda tally: tally.name)


def by_model(judged: Sequence[Judged]) -> list[Tally]:
    """What becomes of the assets that each network had a part in, by name."""
    lines = ((name, each.verdict.outcome) for each in judged for name in each.models or [NO_MODEL])
    return sorted(_tallies(lines), key=lambda tally: tally.name)


def by_day(judged: Sequence[Judged], days_max: int = DAYS_MAX) -> list[Tally]:
    """What becomes of the assets by the day (UTC, YYYY-MM-DD) of their newest news, the last days of which there is
    any, in order."""
    found = _tallies((f"{datetime.fromtimestamp(each.at_ms / 1000, UTC):%F}", each.verdict.outcome) for each in judged)
    return sorted(found, key=lambda tally: tally.name)[-days_max:]


def by_check(judged: Sequence[Judged]) -> list[Tally]:
    """How each check comes out, those that stop the most first."""
    found = _tallies(line for each in judged for line in _lines(each))
    return sorted(found, key=lambda tally: (-(tally.review + tally.failed), tally.name))


def _lines(judged: Judged) -> Iterator[tuple[str, str]]:
    """The checks of an asset with their outcomes; a measure may be held to two limits, and is one check to people."""
    worst: dict[str, str] = {}
    for check in judged.verdict.checks:
        if is_held(check) and worst.get(check.name, "pass") == "pass":
            worst[check.name] = check.outcome
    yield from worst.items()


def _tallies(outcomes: Iterable[tuple[str, str]]) -> Iterator[Tally]:
    """How often each name ended how. What was not run does not pass."""
    found: dict[str, Counter[str]] = {}
    for name, outcome in outcomes:
        found.setdefault(name, Counter())[outcome] += 1
    for name, of in found.items():
        waiting = of["review"] + of["not_run"]
        yield Tally(name=name, judged=of.total(), passed=of["pass"], review=waiting, failed=of["fail"])


prepare(Tally, QualityView)
