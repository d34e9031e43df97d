"""How long cases wait, on metrics."""

from sqlalchemy import update

from streams.facts import Database, Fitting, case_tables
from streams.services.reports import review_ages
from tests.streams.case_flow import decision, requested_reviews
from tests.streams.flow import Flow


def figures() -> tuple[float, ...]:
    return tuple(each._value.get() for each in (review_ages.waiting, review_ages.oldest, review_ages.overdue))


def test_ages_are_those_of_what_waits(either_database: Database) -> None:
    flow = Flow(either_database)
    review_ages.look(either_database, 1)
    assert figures() == (0, 0, 0)
    reviews = requested_reviews(flow)
    with either_database.read() as facts:
        (row,) = facts.cases.page(Fitting(), None, 5)
    review_ages.look(either_database, row.since_ms + 90_000)
    assert figures() == (1, 90, 0)
    with either_database.transaction() as connection:
        connection.execute(update(case_tables.doubts).values(deadline_ms=row.since_ms + 1))
    review_ages.look(either_database, row.since_ms)
    assert figures() == (1, 0, 0)
    review_ages.look(either_database, row.since_ms + 2)
    assert figures()[2] == 1
    flow.say(decision(reviews))
    review_ages.look(either_database, row.since_ms + 90_000)
    assert figures() == (0, 0, 0)
