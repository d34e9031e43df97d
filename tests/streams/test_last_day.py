"""The last 24 hours, on metrics."""

import pytest
from prometheus_client import Gauge

from schemas.records import TaskFailed
from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.services.reports import last_day
from tests.streams.case_flow import decision, requested_reviews
from tests.streams.flow import Flow
from tests.streams.test_costs import composed, cut, publish

LATER_MS = last_day.DAY_MS + 60_000


def figures(gauge: Gauge) -> dict[tuple[str, ...], float]:
    return {tuple(each.labels.values()): each.value for family in gauge.collect() for each in family.samples}


def test_what_images_cost_is_told_by_tenant_until_it_is_older_than_a_day(either_database: Database) -> None:
    flow = Flow(either_database)
    amazon, google, web = cut(flow)
    for each in (amazon, web):
        publish(flow, composed(flow, each))
    flow.say(TaskFailed(task=google, kind="permanent", code="too_heavy", message="too heavy"))
    last_day.look(either_database, now_ms())
    assert figures(last_day.images)["demo",] == 2
    assert figures(last_day.spent)["demo",] == pytest.approx((3002 + 2 * 500) / 1e9)
    assert figures(last_day.wasted)["demo",] == pytest.approx(1001 / 1e9)
    last_day.look(either_database, now_ms() + LATER_MS)
    assert [figures(each)["demo",] for each in (last_day.images, last_day.spent, last_day.wasted)] == [0, 0, 0]


def test_what_people_decided_is_told_and_not_what_they_have_not(either_database: Database) -> None:
    flow = Flow(either_database)
    reviews = requested_reviews(flow)
    last_day.look(either_database, now_ms())
    before = figures(last_day.decided).get(("demo", "approved"), 0)
    assert before == 0
    flow.say(decision(reviews))
    last_day.look(either_database, now_ms())
    assert sum(figures(last_day.decided).values()) == len(reviews)
    last_day.look(either_database, now_ms() + LATER_MS)
    assert set(figures(last_day.decided).values()) == {0}
