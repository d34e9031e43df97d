"""How pictures come out, by the newest verdicts: by channel and by check."""

from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas.records import Check, Verdict
from streams.facts import Database, Judged
from streams.services.reports.quality import UNMEASURED, by_channel, by_check
from tests.streams.flow import Flow
from tests.streams.test_undoing import doubtful


def judged(channel: str, outcome: str, **checks: str) -> Judged:
    lines = [Check(point="edges", name=name, outcome=each) for name, each in checks.items()]  # type: ignore[arg-type]
    return Judged("A", f"{channel}-1", channel, "review", Verdict(outcome=outcome, checks=lines, rules="r"))  # type: ignore[arg-type]


def test_channels_and_checks_are_counted_and_what_stops_most_comes_first() -> None:
    seen = [
        judged("web", "pass", sharp="pass", halo="pass"),
        judged("web", "review", sharp="review", halo="pass"),
        judged("amazon", "fail", sharp="not_run", halo="fail", **{UNMEASURED: "review"}),
    ]
    rows = [(each.name, each.judged, each.passed, each.review, each.failed) for each in by_channel(seen)]
    assert rows == [("amazon", 1, 0, 0, 1), ("web", 2, 1, 1, 0)]
    rows = [(each.name, each.judged, each.passed, each.review, each.failed) for each in by_check(seen)]
    assert rows == [("sharp", 3, 1, 2, 0), ("halo", 3, 2, 0, 1)]


def test_a_check_with_two_limits_is_one_and_counts_by_what_it_missed() -> None:
    lines = [Check(point="edges", name="sharp", outcome=each) for each in ("pass", "fail")]
    seen = [Judged("A", "web-1", "web", "failed", Verdict(outcome="fail", checks=lines, rules="r"))]
    (sharp,) = by_check(seen)
    assert (sharp.judged, sharp.failed) == (1, 1)


def test_it_is_of_the_tenants_assets(demo: TestClient[ASGIApp], database: Database) -> None:
    assert demo.get("/v1/quality").json() == {"states": {}, "judged": 0, "is_all": True, "channels": [], "checks": []}
    review = doubtful(Flow(database))
    rows = demo.get("/v1/quality").json()
    assert (rows["states"]["review"], rows["judged"]) == (1, 1)
    assert [each["name"] for each in rows["channels"]] == [review.completed.task.step.channel]
    (first, *_) = rows["checks"]
    assert first["review"] + first["failed"] == 1
